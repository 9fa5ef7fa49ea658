"""Hundreds of small functions, no two alike, each differentiated twice as soon as it is written."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.derive.jets import Functions, Jet, variables

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.trace.tree import flatten, paths, tree_map, unflatten

COUNT = 300
SAFE = ("sin", "cos", "tanh", "arctan")
#: Expressions of two earlier results: every one exists wherever they do.
FORMS = (
    "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} * {c}", "{a} / (1.5 + {b} ** 2)", "-{a}", "{a} ** 3 * 0.1", "{a} ** 2",
    *(f"np.{name}({{a}})" for name in SAFE * 2), "np.exp(np.sin({a}))", "np.log1p({a} ** 2)", "np.sqrt(1.0 + {b} ** 2)",
    "np.tanh({a} * {b})", "{c} * np.cos({a} - {b})", "choose({a} > {b}, {a}, {b})",
)  # fmt: skip


def written(seed: int) -> tuple[str, Any]:
    """The source of a function of one tree, and the tree: a dict of lists of tuples, or another nesting."""
    rng = random.Random(seed)
    tree = nest(rng, depth=rng.randint(1, 3))
    results = [f"tree{path}" for path in paths(flatten(tree)[1])]
    lines = []
    for n in range(rng.randint(3, 12)):
        a, b = rng.choice(results[-4:] + results[:1]), rng.choice(results)
        lines.append(f"    v{n} = " + rng.choice(FORMS).format(a=a, b=b, c=round(rng.uniform(-2, 2), 3)))
        results.append(f"v{n}")
    return "\n".join(["def function(tree, np, choose):", *lines, f"    return {results[-1]} + {results[-2]}"]), tree


def nest(rng: random.Random, depth: int) -> Any:
    if depth == 0:
        return round(rng.uniform(-1.5, 1.5), 3)
    parts = [nest(rng, depth - rng.randint(1, depth)) for _ in range(rng.randint(1, 3))]
    return rng.choice([list, tuple, lambda p: dict(zip("abc", p, strict=False))])(parts)


def made(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(source, names)
    return names["function"]


def choose(condition: Any, a: Any, b: Any) -> Any:
    """Python's own `if`, on a value."""
    return a if condition else b


def exact(function: Callable[..., Any], tree: Any) -> Jet:
    leaves, structure = flatten(tree)
    found = function(unflatten(structure, variables(leaves)), Functions, choose)
    assert isinstance(found, Jet)
    return found


def test_hundreds_of_functions_over_trees_are_differentiated_twice() -> None:
    sources = set()
    for seed in range(COUNT):
        source, tree = written(seed)
        sources.add(source)
        function = made(source)
        value, slope = cr.value_and_grad(lambda tree, f=function: f(tree, cnp, choose))(tree)
        curvature = cr.hessian(lambda tree, f=function: f(tree, cnp, choose))(tree)
        expected = exact(function, tree)
        leaves, structure = flatten(tree)
        assert flatten(slope)[1] == structure, source
        assert value == pytest.approx(expected.value, rel=1e-12, abs=1e-12), source
        np.testing.assert_allclose(flatten(slope)[0], expected.slope, rtol=1e-10, atol=1e-11, err_msg=source)
        found = np.reshape(flatten(curvature)[0], (len(leaves), len(leaves)))
        np.testing.assert_allclose(found, expected.curvature, rtol=1e-9, atol=1e-10, err_msg=source)
    assert len(sources) == COUNT


def test_a_tree_of_arrays_is_as_good_as_one_of_numbers() -> None:
    """The same functions, element by element: the Hessian of a sum is diagonal in the elements."""
    for seed in range(20):
        source, tree = written(seed)
        function = made(source)
        wide = tree_map(lambda x: np.array([x, x, x]), tree)
        slope = cr.compile(cr.grad(lambda tree, f=function: cnp.sum(f(tree, cnp, cnp.where))))(wide)
        expected = exact(function, tree).slope
        for found, one in zip(flatten(slope)[0], expected, strict=True):
            np.testing.assert_allclose(found, np.full(3, one), rtol=1e-10, atol=1e-11, err_msg=source)
