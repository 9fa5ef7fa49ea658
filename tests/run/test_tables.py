"""A loop over tables with any number of rows: one program serves them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import GraphError
from chainrule.graph.graph import Graph, parse
from chainrule.graph.types import DTYPES, Type
from chainrule.run.program import Loop, Program, build

ROUNDS, BATCH, COLUMNS = 5, 4, 100
SUM = Loop(stepped=frozenset({1}), collected=frozenset({0}), tables=frozenset({0}))


def summed(rows: int, index: str) -> Graph:
    """The sum over a batch of rows of a table, the rows named by an index."""
    return parse(f"""
        %0 = input {{index=0}} : f32[{rows},{COLUMNS}]
        %1 = input {{index=1}} : {Type((BATCH,), np.dtype(index))}
        %2 = gather %0 %1 : f32[{BATCH},{COLUMNS}]
        %3 = sum %2 {{axes=(0)}} : f32[{COLUMNS}]
        return %3
    """)


def sums_of(program: Program, table: np.ndarray[Any, Any], order: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    sums = np.empty((len(order), COLUMNS), np.float32)
    program.run([table, order], [sums], 0, len(order))
    return sums


@pytest.mark.parametrize("index", ["uint32", "uint64", "int64"])
def test_one_program_runs_on_any_number_of_rows(folder: Path, compilations: list[str], index: str) -> None:
    programs = [build(summed(traced, index), SUM) for traced in (1, 2, 500)]
    rng = np.random.default_rng(0)
    for rows in (1, 2, 7, 1000):
        table, order = rng.random((rows, COLUMNS), np.float32), rng.integers(0, rows, (ROUNDS, BATCH))
        order[1, 2], order[4, 0] = rows, 2**31
        expected = table[np.minimum(order, rows - 1)].sum(axis=1)
        for program in programs:
            np.testing.assert_allclose(sums_of(program, table, order.astype(index)), expected, rtol=1e-6)
    assert len(compilations) == 1
    assert len(list(folder.iterdir())) == 1


def test_tables_of_different_lengths_are_looked_up_side_by_side() -> None:
    """Linear regression, and a penalty of numbers of another table: each index ends at the last row of its own."""
    graph = parse("""
        %0 = input {index=0} : f64[6]
        %1 = input {index=1} : f64[2,6]
        %2 = input {index=2} : f64[2]
        %3 = input {index=3} : u32[4]
        %4 = gather %1 %3 : f64[4,6]
        %5 = gather %2 %3 : f64[4]
        %6 = contract %4 %0 {a=(0 1), b=(1), out=(0)} : f64[4]
        %7 = subtract %6 %5 : f64[4]
        %8 = contract %7 %4 {a=(0), b=(0 1), out=(1)} : f64[6]
        %9 = subtract %0 %8 : f64[6]
        return %9, %7
    """)
    program = build(graph, Loop({0: 0}, frozenset({3}), frozenset({1}), frozenset({1, 2})))
    rng = np.random.default_rng(0)
    for x, y in ((rng.random((9, 6)) / 9, rng.random(5)), (rng.random((3, 6)) / 9, rng.random(20))):
        order = rng.integers(0, 20, (ROUNDS, 4)).astype(np.uint32)
        w, expected = np.zeros(6), np.zeros(6)
        apart = np.empty((ROUNDS, 4))
        program.run([w, x, y, order], [w, apart], 0, ROUNDS)
        for rows, found in zip(order, apart, strict=True):
            given, wanted = x[np.minimum(rows, len(x) - 1)], y[np.minimum(rows, len(y) - 1)]
            np.testing.assert_allclose(found, given @ expected - wanted, atol=1e-12)
            expected -= (given @ expected - wanted) @ given
        np.testing.assert_allclose(w, expected, atol=1e-12)


def test_a_profile_of_a_loop_over_a_table_has_its_kernels() -> None:
    profile = build(summed(2, "uint32"), SUM).profile(seconds=0.001)
    assert [kernel.name for kernel in profile.kernels] == ["k0"]


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        ("%2 = sum %0 {axes=(0)} : f32[3]\n return %2", "argument 0 is a table of any number of rows, and sum uses"),
        ("%2 = gather %0 %1 : f32[4,3]\n return %2, %0", "no result of a program"),
    ],
)
def test_a_table_of_which_more_is_used_than_rows_is_refused(last: str, problem: str) -> None:
    graph = parse(f"%0 = input {{index=0}} : f32[2,3]\n %1 = input {{index=1}} : u32[4]\n {last}")
    with pytest.raises(GraphError, match=problem):
        build(graph, Loop(tables=frozenset({0})))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_number_of_each_round_steps_along(dtype: np.dtype[Any]) -> None:
    """A rate, a count, a step: arguments without axes, of which round t sees number t."""
    kind = str(Type((), dtype))[:-2]
    graph = parse(f"""
        %0 = input {{index=0}} : {kind}[5]
        %1 = input {{index=1}} : {kind}[]
        %2 = broadcast %1 {{shape=(5), axes=()}} : {kind}[5]
        %3 = add %0 %2 : {kind}[5]
        return %3, %1
    """)
    program = build(graph, Loop({0: 0}, frozenset({1}), frozenset({1})))
    assert [len(kernel.stores) for kernel in program.schedule.kernels] == [1, 1]
    total, numbers = np.zeros(5, dtype), np.arange(1, 8).astype(dtype)
    seen = np.zeros(7, dtype)
    program.run([total, numbers], [total, seen], 0, 4)
    np.testing.assert_array_equal(total, np.full(5, numbers[:4].sum(dtype=dtype)))
    program.run([total, numbers], [total, seen], 4, 7)
    np.testing.assert_array_equal(total, np.full(5, numbers.sum(dtype=dtype)))
    np.testing.assert_array_equal(seen, numbers)
