"""The next round's rows are asked for while this round is computed."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.cpu import prefetch as ahead
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, input_node
from chainrule.graph.types import Type
from chainrule.run.program import Loop, build

ROUNDS, BATCH, ROW = 5, 4, 100
FLOAT, INDEX = np.dtype(np.float32), np.dtype(np.uint32)


def looked_up(columns: int) -> Graph:
    """The sum over a batch of rows of a table, the rows named by an index."""
    table, rows = input_node(0, Type((50, columns), FLOAT)), input_node(1, Type((BATCH,), INDEX))
    return Graph((table, rows), (Node(ops.SUM, (Node(ops.GATHER, (table, rows)),), ((0,),)),))


LOOP = Loop(stepped=frozenset({1}), collected=frozenset({0}))


def test_a_loop_over_rows_by_index_asks_ahead_and_still_computes_the_same() -> None:
    program = build(looked_up(ROW), LOOP)
    made = program.schedule
    (lookup,) = ahead.lookups(made.kernels, {made.inputs[1]})
    assert (lookup.table, lookup.index, lookup.bytes) == (made.inputs[0], made.inputs[1], 4 * ROW)
    table = np.random.default_rng(0).random((50, ROW), np.float32)
    order = np.random.default_rng(1).integers(0, 50, (ROUNDS, BATCH)).astype(np.uint32)
    sums = np.empty((ROUNDS, ROW), np.float32)
    program.run([table, order], [sums], 0, ROUNDS)
    np.testing.assert_allclose(sums, table[order].sum(axis=1), rtol=1e-6)


def test_short_rows_and_rows_that_do_not_step_are_not_asked_for() -> None:
    short = build(looked_up(8), LOOP).schedule
    assert ahead.lookups(short.kernels, {short.inputs[1]}) == []
    fixed = build(looked_up(ROW)).schedule
    assert ahead.lookups(fixed.kernels, set()) == []


@pytest.mark.parametrize("rows", [0, 1, 7, 10, 1000])
def test_the_shares_of_the_kernels_are_all_rows_once(rows: int) -> None:
    kernels = build(looked_up(ROW), LOOP).schedule.kernels
    parts = ahead.shares(kernels, rows)
    assert len(parts) == len(kernels)
    assert [row for part in parts for row in part] == list(range(rows))
