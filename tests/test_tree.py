"""`cr.tree`: trees of arrays, and the one vector of all their numbers."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DTypeError, ShapeError
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass(frozen=True)
class Model:
    w: Any
    b: Any
    name: str = field(default="a model", metadata={"static": True})


TREES: dict[str, Any] = {
    "a dict": {"w": np.arange(6.0).reshape(2, 3), "b": (1.5, np.array([2.0]))},
    "a dataclass": Model(np.ones((2, 2)), [np.zeros(3), 4.0]),
    "a named tuple": Pair(np.ones(2), {"deep": Pair(2.0, None)}),
    "an array": np.arange(4.0).reshape(2, 2),
    "a number": 2.5,
    "a network": cr.nn.Network([3, 2, 1]),
    "empty arrays": [np.zeros((0, 2)), np.ones(1)],
    "nothing": {},
}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_is_a_vector_and_back(name: str) -> None:
    tree = TREES[name]
    vector, unravel = cr.tree.ravel(tree)
    leaves, structure = cr.tree.flatten(tree)
    assert vector.shape == (sum(np.size(leaf) for leaf in leaves),)
    again, same = cr.tree.flatten(unravel(vector))
    assert same == structure
    for mine, theirs in zip(again, leaves, strict=True):
        assert np.shape(mine) == np.shape(theirs)
        np.testing.assert_array_equal(mine, theirs)
    assert cr.tree.leaves(tree) == leaves or all(a is b for a, b in zip(cr.tree.leaves(tree), leaves, strict=True))
    assert cr.tree.flatten(cr.tree.unflatten(structure, leaves))[1] == structure


def test_the_types_of_a_vector_are_numpys_and_its_tree_has_them() -> None:
    single, double = np.ones(2, np.float32), np.ones(1)
    assert cr.tree.ravel([single])[0].dtype == np.float32
    assert cr.tree.ravel([single, double])[0].dtype == np.float64
    assert cr.tree.ravel([1, np.array([True])])[0].tolist() == [1.0, 1.0]
    _, unravel = cr.tree.ravel({"w": single, "n": 1})
    assert [leaf.dtype for leaf in cr.tree.leaves(unravel(np.ones(3)))] == [np.float64, np.float64]


def test_the_vector_of_traced_arrays_is_traced_and_has_derivatives() -> None:
    tree = {"w": np.array([1.0, 2.0]), "b": 3.0}
    vector, unravel = cr.tree.ravel({"w": as_array(tree["w"]), "b": as_array(3.0)})
    assert isinstance(vector, Array)
    assert isinstance(unravel(vector)["b"], Array)

    def cost(tree: Any) -> Any:
        return cnp.sum(cr.tree.ravel(tree)[0] ** 3)

    for slope in (cr.grad(cost)(tree), cr.compile(cr.grad(cost))(tree)):
        np.testing.assert_array_equal(slope["w"], [3.0, 12.0])
        assert slope["b"] == 27.0
    flat, back = cr.tree.ravel(tree)
    product = lambda v: cnp.prod(back(v)["w"]) * back(v)["b"]  # noqa: E731
    np.testing.assert_allclose(cr.grad(product)(flat), [6.0, 3.0, 2.0])
    np.testing.assert_allclose(cr.compile(cr.hessian(product))(flat), [[0, 3, 2], [3, 0, 1], [2, 1, 0]])
    rows = cr.vmap(lambda v: back(v)["w"])(np.stack([flat, 2 * flat]))
    np.testing.assert_array_equal(rows, [[1, 2], [2, 4]])


def test_a_network_learns_by_scipys_optimiser() -> None:
    rng = np.random.default_rng(0)
    network = cr.nn.Network([2, 8, 1], seed=1).astype(np.float64)
    x = rng.normal(size=(64, 2))
    y = x[:, :1] * x[:, 1:] > 0
    start, unravel = cr.tree.ravel(network)

    @cr.compile
    @cr.value_and_grad
    def cost(vector: Any) -> Any:
        return cnp.mean((unravel(vector)(x) - y) ** 2)

    found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    assert found.fun < 0.1 * cost(start)[0]
    assert np.mean((unravel(found.x)(x) > 0.5) == y) > 0.95


def test_map_takes_trees_of_one_structure() -> None:
    tree = Model(np.ones(2), [3.0])
    moved = cr.tree.map(lambda a, b: a - 2 * b, tree, tree)
    assert moved.name == "a model"
    assert moved.w.tolist() == [-1.0, -1.0]
    assert moved.b == [-3.0]
    with pytest.raises(ShapeError, match="one structure"):
        cr.tree.map(lambda a, b: a, tree, {"w": 1.0})


def test_a_vector_of_another_length_is_refused() -> None:
    _, unravel = cr.tree.ravel({"w": np.ones(2), "b": 1.0})
    for wrong in (np.ones(2), np.ones((3, 1)), np.ones(4), as_array(np.ones(2))):
        with pytest.raises(ShapeError, match="for a tree of 3 numbers"):
            unravel(wrong)


def test_what_is_no_array_of_numbers_is_refused() -> None:
    for wrong in (object(), 1j, np.array(["a"])):
        with pytest.raises(DTypeError, match="chainrule computes with"):
            cr.tree.ravel({"w": np.ones(2), "b": wrong})


def test_what_makes_a_tree_is_a_value() -> None:
    _, unravel = cr.tree.ravel({"w": np.ones(2)})
    again = pickle.loads(pickle.dumps(unravel))
    assert again == unravel
    assert repr(again) == "Unravel(2 numbers, 1 leaves)"
    assert again(np.zeros(2))["w"].tolist() == [0.0, 0.0]
