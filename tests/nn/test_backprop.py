"""`backprop` against the four equations of backpropagation, written out in NumPy, and against differences."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.nn import COSTS, Network

EPS = np.finfo(np.float64).eps

SIGMA: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0),
    "identity": lambda z: z,
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
SIGMA_PRIME: dict[str, Callable[[Any], Any]] = {  # of z; softmax has a matrix in its place
    "sigmoid": lambda z: SIGMA["sigmoid"](z) * (1 - SIGMA["sigmoid"](z)),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: np.where(z > 0, 1.0, 0.0),
    "identity": np.ones_like,
}
NABLA: dict[str, Callable[[Any, Any], Any]] = {  # ∇_a C_x
    "quadratic": lambda a, y: a - y,
    "sigmoid_cross_entropy": lambda a, y: (a - y) / (a * (1 - a)),
    "softmax_cross_entropy": lambda a, y: -y / a,
}
COST: dict[str, Callable[[Any, Any], Any]] = {
    "quadratic": lambda a, y: ((a - y) ** 2).sum(axis=1) / 2,
    "sigmoid_cross_entropy": lambda a, y: -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1),
    "softmax_cross_entropy": lambda a, y: -(y * np.log(a)).sum(axis=1),
}


def through(activation: str, error: np.ndarray, z: np.ndarray) -> np.ndarray:
    """`error ⊙ σ'(z)`; for softmax, whose outputs hang together, the product with its Jacobian."""
    if activation == "softmax":
        a = SIGMA["softmax"](z)
        return a * (error - (error * a).sum(axis=1, keepdims=True))
    return error * SIGMA_PRIME[activation](z)


def example(sizes: list[int], names: list[str], seed: int, examples: int = 4) -> tuple[Network, np.ndarray, np.ndarray]:
    """A network in float64, examples, and targets that suit its outputs."""
    random = np.random.default_rng(seed)
    weights = [(random.normal(size=(n, m)) / np.sqrt(m), random.normal(size=n)) for m, n in pairwise(sizes)]
    y = random.uniform(0.05, 0.95, (examples, sizes[-1]))
    y /= y.sum(axis=1, keepdims=True) if names[-1] == "softmax" else 1
    return Network.from_weights(weights, names), random.normal(size=(examples, sizes[0])), y


def check_the_four_equations(network: Network, cost: str, x: np.ndarray, y: np.ndarray) -> None:
    found, n = cr.backprop(network, cost, x, y), len(x)
    layers = list(zip(network.layers, found.layers, strict=True))
    close = {"rtol": 1e-11, "atol": 1e-14}
    a = x
    for layer, got in layers:
        np.testing.assert_allclose(got.z, a @ layer.w.T + layer.b, **close)
        np.testing.assert_allclose(got.a, SIGMA[layer.activation](got.z), **close)
        np.testing.assert_allclose(got.db, got.delta.sum(axis=0), **close)  # BP3
        np.testing.assert_allclose(got.dw, got.delta.T @ a, **close)  # BP4
        a = got.a
    assert found.cost == pytest.approx(COST[cost](a, y).mean(), rel=1e-12)
    expected = through(network.layers[-1].activation, NABLA[cost](a, y) / n, found.layers[-1].z)
    np.testing.assert_allclose(found.layers[-1].delta, expected, **close)  # BP1
    for (layer, got), (after, behind) in pairwise(layers):
        np.testing.assert_allclose(got.delta, through(layer.activation, behind.delta @ after.w, got.z), **close)  # BP2


CASES = [
    ([3, 2], ["sigmoid"], "quadratic"),
    ([3, 2], ["sigmoid"], "sigmoid_cross_entropy"),
    ([4, 6, 3], ["sigmoid", "sigmoid"], "quadratic"),
    ([4, 6, 3], ["sigmoid", "softmax"], "softmax_cross_entropy"),
    ([4, 6, 3], ["tanh", "softmax"], "quadratic"),
    ([5, 4, 3, 2], ["relu", "relu", "softmax"], "softmax_cross_entropy"),
    ([5, 4, 3, 2], ["tanh", "tanh", "identity"], "quadratic"),
    ([2, 3, 4, 3, 2], ["relu", "tanh", "softmax", "sigmoid"], "sigmoid_cross_entropy"),
    ([1, 1, 1], ["tanh", "relu"], "quadratic"),
]
ids = ["-".join(map(str, sizes)) + f" {' '.join(names)}, {cost}" for sizes, names, cost in CASES]
cases = pytest.mark.parametrize(("sizes", "names", "cost"), CASES, ids=ids)


@cases
@pytest.mark.parametrize("examples", [1, 5])
def test_the_four_equations_hold(sizes: list[int], names: list[str], cost: str, examples: int) -> None:
    network, x, y = example(sizes, names, seed=1, examples=examples)
    check_the_four_equations(network, cost, x, y)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[int], list[str], str, int, int]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=6))
    names = draw(st.lists(st.sampled_from(sorted(SIGMA)), min_size=len(sizes) - 1, max_size=len(sizes) - 1))
    fitting = ["quadratic", *(cost for cost in COSTS if cost == f"{names[-1]}_cross_entropy")]
    return sizes, names, draw(st.sampled_from(fitting)), draw(st.integers(1, 5)), draw(st.integers(0, 2**32 - 1))


@given(problems())
def test_the_four_equations_hold_for_every_network(problem: tuple[list[int], list[str], str, int, int]) -> None:
    sizes, names, cost, examples, seed = problem
    network, x, y = example(sizes, names, seed, examples)
    check_the_four_equations(network, cost, x, y)


@cases
def test_the_gradient_is_what_central_differences_say(sizes: list[int], names: list[str], cost: str) -> None:
    network, x, y = example(sizes, names, seed=2)
    found, h = cr.backprop(network, cost, x, y).gradient, 1e-5
    for number, layer in enumerate(network.layers):
        for part, gradient in zip((layer.w, layer.b), found[number], strict=True):
            for place in np.ndindex(part.shape):
                kept = part[place]
                costs = []
                for moved in (kept + h, kept - h):
                    part[place] = moved  # the network holds the array
                    costs.append(cr.backprop(network, cost, x, y).cost)
                part[place] = kept
                assert gradient[place] == pytest.approx((costs[0] - costs[1]) / (2 * h), rel=1e-6, abs=1e-9)


@cases
def test_the_gradient_is_that_of_the_mean_cost(sizes: list[int], names: list[str], cost: str) -> None:
    network, x, y = example(sizes, names, seed=3)

    def mean_cost(network: Network) -> Any:
        return cnp.mean(COSTS[cost](*network.forward(x)[-1], y))

    value, slope = cr.value_and_grad(mean_cost)(network)
    found = cr.backprop(network, cost, x, y)
    assert found.cost == value
    for (dw, db), layer in zip(found.gradient, slope.layers, strict=True):
        np.testing.assert_array_equal(dw, layer.w)
        np.testing.assert_array_equal(db, layer.b)


def test_the_error_of_each_example_is_its_own_divided_by_their_number() -> None:
    network, x, y = example([3, 4, 2], ["tanh", "sigmoid"], seed=4, examples=5)
    together = cr.backprop(network, "quadratic", x, y)
    for n in range(5):
        alone = cr.backprop(network, "quadratic", x[n : n + 1], y[n : n + 1])
        for one, all_ in zip(alone.layers, together.layers, strict=True):
            np.testing.assert_allclose(5 * all_.delta[n], one.delta[0], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("cost", ["quadratic", "cross_entropy"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int16])
def test_labels_are_one_hot_targets(output: str, cost: str, dtype: type) -> None:
    network, x, _ = example([3, 4, 3], ["tanh", output], seed=5)
    labels = np.array([2, 0, 1, 2])
    by_label = cr.backprop(network, cost, x, labels.astype(dtype))
    by_target = cr.backprop(network, cost, x, np.eye(3)[labels])
    assert by_label.cost == by_target.cost
    for one, two in zip(by_label.layers, by_target.layers, strict=True):
        np.testing.assert_array_equal(one.delta, two.delta)
        np.testing.assert_array_equal(one.dw, two.dw)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_cross_entropy_is_the_one_of_the_outputs(output: str) -> None:
    network, x, y = example([3, 2], [output], seed=6)
    assert (
        cr.backprop(network, "cross_entropy", x, y).cost == cr.backprop(network, f"{output}_cross_entropy", x, y).cost
    )


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_the_error_of_the_outputs_with_cross_entropy_is_a_minus_y(output: str) -> None:
    network, x, y = example([3, 4, 3], ["relu", output], seed=7)
    last = cr.backprop(network, "cross_entropy", x, y).layers[-1]
    np.testing.assert_allclose(last.delta, (last.a - y) / len(x), rtol=0, atol=4 * EPS)


def test_saturated_outputs_still_have_the_right_error() -> None:
    network = Network.from_weights([(np.array([[1e4], [-1e4]]), np.zeros(2))], ["softmax"])
    found = cr.backprop(network, "cross_entropy", [[1.0]], [1])
    assert found.cost == 2e4
    assert found.layers[0].delta.tolist() == [[1.0, -1.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_has_the_dtype_of_the_network(dtype: type) -> None:
    network, x, y = example([3, 4, 2], ["tanh", "sigmoid"], seed=8)
    found = cr.backprop(network.astype(dtype), "quadratic", x, y)
    assert type(found.cost) is float
    for layer in found.layers:
        assert {part.dtype for part in (layer.a, layer.z, layer.delta, layer.dw, layer.db)} == {np.dtype(dtype)}


def test_float32_agrees_with_float64_to_its_precision() -> None:
    network, x, y = example([3, 4, 2], ["tanh", "sigmoid"], seed=8)
    wide, narrow = cr.backprop(network, "quadratic", x, y), cr.backprop(network.astype("f4"), "quadratic", x, y)
    for one, two in zip(wide.layers, narrow.layers, strict=True):
        np.testing.assert_allclose(two.dw, one.dw, rtol=1e-4, atol=1e-6)


def test_the_shapes_are_those_of_the_layers() -> None:
    network, x, y = example([3, 4, 2], ["tanh", "sigmoid"], seed=9, examples=5)
    for layer, got in zip(network.layers, cr.backprop(network, "quadratic", x, y).layers, strict=True):
        assert got.a.shape == got.z.shape == got.delta.shape == (5, layer.outputs)
        assert got.dw.shape == layer.w.shape
        assert got.db.shape == layer.b.shape


def test_what_comes_back_is_the_callers_own() -> None:
    network, x, y = example([2, 2], ["identity"], seed=10)
    before = [part.tobytes() for part in (*network.layers[0].__dict__.values(), x, y) if isinstance(part, np.ndarray)]
    layer = cr.backprop(network, "quadratic", x, y).layers[0]
    for part in (layer.a, layer.z, layer.delta, layer.dw, layer.db):
        part[...] = 7  # writable
    after = [part.tobytes() for part in (*network.layers[0].__dict__.values(), x, y) if isinstance(part, np.ndarray)]
    assert after == before
    assert not np.shares_memory(layer.a, layer.z)


def test_lists_and_whole_numbers_are_examples_too() -> None:
    network, _, _ = example([2, 3], ["sigmoid"], seed=11)
    from_lists = cr.backprop(network, "quadratic", [[1, 0], [2, 1]], [0, 2])
    from_arrays = cr.backprop(network, "quadratic", np.array([[1.0, 0.0], [2.0, 1.0]]), np.array([0, 2]))
    np.testing.assert_array_equal(from_lists.layers[0].dw, from_arrays.layers[0].dw)


# what is refused

NETWORK = Network([3, 4, 2])
X, LABELS, TARGETS = np.ones((4, 3)), np.zeros(4, int), np.zeros((4, 2))


@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (4, 3, 2), (0, 3), (3, 4)], ids=str)
def test_examples_of_another_shape_are_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"of shape \(n, 3\), not ") as refusal:
        cr.backprop(NETWORK, "quadratic", np.ones(shape), LABELS)
    assert str(shape) in str(refusal.value)


@pytest.mark.parametrize("dtype", [complex, object, np.str_, "datetime64[s]"])
def test_examples_that_are_no_real_numbers_are_refused_with_dtype_and_shape(dtype: Any) -> None:
    x = X.astype(int).astype(dtype)
    with pytest.raises(DataError, match=r"examples must be real numbers, not .* of shape \(4, 3\)"):
        cr.backprop(NETWORK, "quadratic", x, LABELS)


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="examples are not an array of numbers"):
        cr.backprop(NETWORK, "quadratic", [[1, 2, 3], [1, 2]], [0, 1])
    with pytest.raises(DataError, match="targets are not an array of numbers"):
        cr.backprop(NETWORK, "quadratic", X, [[1, 2], [1], [1, 2], [1, 2]])


@pytest.mark.parametrize("shape", [(), (3,), (5,), (4, 3), (4, 1), (4, 2, 1), (2, 4)], ids=str)
def test_answers_of_another_shape_are_refused_with_all_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        DataError, match=r"4 examples .* shape \(4,\), integers, or .* \(4, 2\), not int64 of shape "
    ) as no:
        cr.backprop(NETWORK, "quadratic", X, np.zeros(shape, int))
    assert str(shape) in str(no.value)


@pytest.mark.parametrize("dtype", [np.float64, bool])
def test_labels_are_integers(dtype: Any) -> None:
    with pytest.raises(DataError, match=rf"\(4,\), integers, .*not {np.dtype(dtype)} of shape \(4,\)"):
        cr.backprop(NETWORK, "quadratic", X, LABELS.astype(dtype))


@pytest.mark.parametrize("dtype", [complex, object, np.str_])
def test_targets_that_are_no_real_numbers_are_refused_with_dtype_and_shape(dtype: Any) -> None:
    with pytest.raises(DataError, match=r"targets must be real numbers, not .* of shape \(4, 2\)"):
        cr.backprop(NETWORK, "quadratic", X, TARGETS.astype(dtype))


@pytest.mark.parametrize(("labels", "named"), [([0, 1, 2, 0], "0 to 2"), ([-1, 0, 0, 1], "-1 to 1")])
def test_labels_beyond_the_outputs_are_refused(labels: list[int], named: str) -> None:
    with pytest.raises(DataError, match=f"labels {named} do not fit 2 outputs"):
        cr.backprop(NETWORK, "quadratic", X, labels)


@pytest.mark.parametrize("cost", ["hinge", None, "softmax_cross_entropy"])
def test_a_cost_that_does_not_fit_is_refused(cost: Any) -> None:
    with pytest.raises(OptionError, match="cost"):
        cr.backprop(NETWORK, cost, X, LABELS)


def test_an_error_names_the_line_of_the_caller() -> None:
    with pytest.raises(DataError, match=r"test_backprop\.py:\d+: cr\.backprop\(NETWORK, .* LABELS\[:2\]\)"):
        cr.backprop(NETWORK, "quadratic", X, LABELS[:2])
