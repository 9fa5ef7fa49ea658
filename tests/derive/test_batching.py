"""A batch at once is what a loop over its examples gives: every operation, along every axis; random programs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests.derive.cases import CASES, OTHERS, Case
from tests.programs import (
    Program,
    Untamed,
    array_of,
    assert_agrees,
    differentiable_programs,
    examples,
    is_tame,
    outcomes,
    programs,
)

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.derive.batch_rules import BATCH, BATCH_TOGETHER
from chainrule.derive.batching import batch
from chainrule.errors import ShapeError
from chainrule.graph import ops
from chainrule.graph.graph import Graph, verify
from chainrule.graph.interpret import interpret
from chainrule.graph.node import input_node
from chainrule.graph.types import Type
from chainrule.run.program import build
from chainrule.trace.array import Array
from chainrule.trace.control import instantiated, placeholders
from chainrule.trace.primitives import apply, broadcast
from chainrule.trace.promotion import as_array

Values = np.ndarray[Any, Any]
ALL: dict[str, Case] = {**CASES, **OTHERS}
SIZE = 3
#: Operations that are not drawn as cases of their own: what has no inputs, and loops and branches, tested elsewhere.
ELSEWHERE = {*ops.LEAVES, ops.RESULT, *ops.CONTROL}


def test_every_operation_has_a_case() -> None:
    assert {op.name for op in ops.OPS} - {op.name for op in ELSEWHERE} == {op.name for op, _, _ in ALL.values()}


def test_every_operation_with_inputs_has_a_rule_and_leaves_have_none() -> None:
    assert {*BATCH, *BATCH_TOGETHER} == {*ops.OPS} - {*ops.LEAVES, ops.RESULT}


def function_of(case: Case) -> Callable[..., Array]:
    """The operation as a function of arrays."""
    op, _, attributes = case
    return lambda *inputs: apply(op, *(as_array(x).node for x in inputs), attributes=attributes)


def subsets(count: int) -> list[tuple[bool, ...]]:
    return [flags for flags in itertools.product((False, True), repeat=count) if any(flags)]


def varied(x: Values, size: int, seed: int) -> Values:
    """The array and its likes: the same numbers in other orders, so that each is as far from kinks as it was."""
    rng = np.random.default_rng(seed)
    if x.ndim >= 2 and x.shape[-1] == x.shape[-2]:  # matrices stay regular, and positive where they were
        return np.stack([x * (1 + 0.25 * n) for n in range(size)]).astype(x.dtype)
    return np.stack([x, *(rng.permuted(x.reshape(-1)).reshape(x.shape) for _ in range(size - 1))])


@pytest.mark.parametrize("name", ALL)
def test_an_operation_on_a_batch_is_that_on_each_example(name: str) -> None:
    """For every choice of the inputs that have examples, along every axis that they can lie along."""
    function, arguments = function_of(ALL[name]), ALL[name][1]
    several = [varied(x, SIZE, n) for n, x in enumerate(arguments)]
    for flags in subsets(len(arguments)):
        expected = [single(function, arguments, several, flags, n) for n in range(SIZE)]
        for axis in range(max(x.ndim for x, is_batched in zip(arguments, flags, strict=True) if is_batched) + 1):
            axes = [min(axis, x.ndim) if w else None for x, w in zip(arguments, flags, strict=True)]
            given_ = [
                x if a is None else np.moveaxis(s, 0, a) for x, s, a in zip(arguments, several, axes, strict=True)
            ]
            found = cr.vmap(function, in_axes=tuple(axes))(*given_)
            assert found.dtype == expected[0].dtype
            np.testing.assert_allclose(found, np.stack(expected), rtol=1e-13, atol=1e-13, err_msg=f"{flags} {axes}")


def single(
    function: Callable[..., Any], arguments: Sequence[Values], several: Sequence[Values], flags: Sequence[bool], n: int
) -> Values:
    given_ = [s[n] if is_batched else x for x, s, is_batched in zip(arguments, several, flags, strict=True)]
    return np.asarray(function(*given_).value)


@pytest.mark.parametrize("name", ALL)
def test_examples_may_come_out_along_any_axis(name: str) -> None:
    function, arguments = function_of(ALL[name]), ALL[name][1]
    several = [varied(x, SIZE, n) for n, x in enumerate(arguments)]
    first = cr.vmap(function)(*several)
    for axis in (*range(first.ndim), -1):
        np.testing.assert_array_equal(cr.vmap(function, out_axes=axis)(*several), np.moveaxis(first, 0, axis))


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("name", ALL)
def test_a_batch_of_one_or_none(name: str, size: int) -> None:
    function, arguments = function_of(ALL[name]), ALL[name][1]
    found = cr.vmap(function)(*(x[None][:size] for x in arguments))
    expected = function(*arguments).value[None][:size]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CASES)
def test_a_batch_in_a_batch(name: str) -> None:
    function, arguments = function_of(CASES[name]), CASES[name][1]
    several = [np.stack([varied(x, 2, n), varied(x, 2, n + 9)]) for n, x in enumerate(arguments)]
    found = cr.vmap(cr.vmap(function))(*several)
    expected = [cr.vmap(function)(*(s[n] for s in several)) for n in range(2)]
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-13, atol=1e-13)


# random programs


def batched(graph: Graph, flags: Sequence[bool], size: int) -> Graph:
    """The program that does for a batch of the inputs that are chosen what `graph` does for one example."""
    types = [
        Type((size, *n.type.shape), n.type.dtype) if w else n.type for n, w in zip(graph.inputs, flags, strict=True)
    ]
    whole = [input_node(n, t) for n, t in enumerate(types)]
    stand_ins = placeholders([n.type for n in graph.inputs])
    single = [s if w else Array(n) for n, s, w in zip(graph.inputs, stand_ins, flags, strict=True)]
    stand_for = {x.node: Array(w) for x, w, is_batched in zip(single, whole, flags, strict=True) if is_batched}
    found = batch([y.node for y in instantiated(graph, single)], stand_for, size)
    outputs = [x if wide else broadcast(x, (size, *x.shape)) for x, wide in found]
    return verify(Graph(tuple(whole), tuple(y.node for y in outputs)))


def of_examples(program: Program, seed: int) -> tuple[list[bool], list[Values]]:
    """Which arguments have examples, and the arguments for a batch: the first example is the program's own.

    An example of numbers that have no result, as of a negative power of a whole number, is the program's own again.
    """
    rng = np.random.default_rng(seed)
    flags = [bool(rng.integers(0, 2)) for _ in program.arguments]
    flags[int(rng.integers(len(flags)))] = True
    rows = [list(program.arguments)]
    for _ in range(SIZE - 1):
        drawn = [array_of(rng, n.type) for n in program.graph.inputs]
        row = [d if w else a for d, a, w in zip(drawn, program.arguments, flags, strict=True)]
        rows.append(row if has_results(program.graph, row) else rows[0])
    columns = zip(*rows, strict=True)
    return flags, [np.stack(column) if w else column[0] for column, w in zip(columns, flags, strict=True)]


def has_results(graph: Graph, arguments: Sequence[Values]) -> bool:
    try:
        outcomes(graph, arguments)
    except Untamed:
        return False
    return True


@examples(4)
@given(programs())
def test_a_random_program_on_a_batch_is_that_on_each_example(program: Program) -> None:
    flags, whole = of_examples(program, 1)
    found = interpret(batched(program.graph, flags, SIZE), whole)
    for n in range(SIZE):
        one = [a[n] if w else a for a, w in zip(whole, flags, strict=True)]
        for mine, theirs in zip(found, outcomes(program.graph, one), strict=True):
            if is_tame(theirs):
                assert_agrees(np.asarray(mine[n]), theirs)


@examples(1)
@given(differentiable_programs(steps=10))
def test_a_random_program_on_a_batch_means_the_same_natively(program: Program) -> None:
    flags, whole = of_examples(program, 2)
    wide = batched(program.graph, flags, SIZE)
    for mine, theirs in zip(build(wide)(*whole), outcomes(wide, whole), strict=True):
        if is_tame(theirs):
            assert_agrees(mine, theirs)


def test_axes_may_be_numbers_of_numpys() -> None:
    result = cr.vmap(lambda x: 2 * x, in_axes=np.int64(1), out_axes=np.int32(0))(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(result, 2 * np.arange(6.0).reshape(2, 3).T)


def test_each_example_is_a_batch_of_one_or_a_row_as_the_function_takes_it() -> None:
    w, x = np.array([2.0, 3.0]), np.arange(6.0).reshape(3, 2)
    of_batches = cr.per_example(cr.grad(lambda w, x: cnp.sum((x @ w) ** 2)), argnums=1)
    of_rows = cr.per_example(cr.grad(lambda w, x: (w @ x) ** 2), argnums=1, batches=False)
    np.testing.assert_array_equal(of_batches(w, x), of_rows(w, x))


def test_what_takes_rows_is_told_how_to_say_so_and_is_not_tried_twice() -> None:
    seen = []

    def of_row(w: Any, x: Any) -> Any:
        seen.append(x.shape)
        return w @ x

    with pytest.raises(ShapeError, match="matmul.*\n.*\n.*batches=False"):
        cr.per_example(of_row, argnums=1)(np.ones(2), np.ones((3, 2)))
    assert seen == [(1, 2)]
