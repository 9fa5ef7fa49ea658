"""How each operation becomes an expression over a kernel's axes.

A node is asked for its element at some coordinates, each a `View`: an integer function of the kernel's axes. Layout
operations only change the coordinates; elementwise operations apply to their inputs at the same ones; whatever has
been given memory is loaded. So transposes, slices, broadcasts and row lookups cost nothing of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from chainrule.graph import ops
from chainrule.graph.node import Node, number
from chainrule.graph.ops import Op
from chainrule.schedule.expressions import Apply, Buffer, Expression, Load, Number, Position, View

__all__ = ["LOWER", "Elsewhere", "Lowering", "row_major", "row_view", "unit_views"]

Coordinates = tuple[View, ...]


class Elsewhere(Exception):
    """The element asked for is being computed by this kernel, but at another point: it must be stored first."""


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """The distance between neighbours along each axis of an array whose last axis is contiguous."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def unit_views(axes: int) -> Coordinates:
    """The coordinate that is the number of the point along an axis, for each axis of a kernel with that many."""
    return tuple(View(0, tuple(int(a == b) for b in range(axes))) for a in range(axes))


class Lowering:
    """The expressions of one kernel with `axes` axes, shared where they are equal."""

    def __init__(self, axes: int, memory: Mapping[Node, Buffer], last_rows: Mapping[Node, Buffer]) -> None:
        self.axes = axes
        self.memory = memory
        self.last_rows = last_rows  # of tables with any number of rows, the number of the last
        self.written: dict[Buffer, tuple[View, Expression]] = {}  # what this kernel stores itself, and where
        self._known: dict[tuple[Node, Coordinates], Expression] = {}
        self._loads: dict[tuple[Buffer, View], Load] = {}

    def element(self, node: Node, at: Coordinates) -> Expression:
        """The element of `node` at the coordinates; Elsewhere if this kernel computes it at others."""
        if (node, at) not in self._known:
            self._known[node, at] = self._lowered(node, at)
        return self._known[node, at]

    def _lowered(self, node: Node, at: Coordinates) -> Expression:
        if node in self.memory:
            return self.load(self.memory[node], self.linear(node.type.shape, at), node.type.dtype)
        return LOWER[node.op](self, node, at)

    def load(self, buffer: Buffer, view: View, dtype: np.dtype[np.generic]) -> Expression:
        """The load of a buffer at a view, one object for one element; of what is stored here, the expression."""
        if buffer in self.written:
            written, expression = self.written[buffer]
            if written != view:
                raise Elsewhere
            return expression
        return self._loads.setdefault((buffer, view), Load(dtype, buffer, view))

    def linear(self, shape: Sequence[int], at: Coordinates) -> View:
        """The distance from an array's first element to the one at the coordinates."""
        total = View(0, (0,) * self.axes)
        for coordinate, stride in zip(at, row_major(shape), strict=True):
            total = total.plus(coordinate.scaled(stride))
        return total

    def fixed(self, position: int) -> View:
        """The coordinate that is the same everywhere."""
        return View(position, (0,) * self.axes)


def _number(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    return Number(node.type.dtype, number(node))


def _iota(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    return Position(node.type.dtype, at[node.axis])


def _elementwise(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    return Apply(node.type.dtype, node.op, tuple(lowering.element(n, at) for n in node.inputs))


def _same(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    return lowering.element(node.inputs[0], at)


def _transpose(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    inverse = sorted(range(len(at)), key=lambda n: node.axes[n])
    return lowering.element(node.inputs[0], tuple(at[n] for n in inverse))


def _broadcast(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    source = node.inputs[0]
    extents = zip(source.type.shape, node.axes, strict=True)
    return lowering.element(source, tuple(at[a] if n != 1 else lowering.fixed(0) for n, a in extents))


def _slice(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    moved = (c.scaled(step).shifted(start) for c, start, step in zip(at, node.start, node.step, strict=True))
    return lowering.element(node.inputs[0], tuple(moved))


def _reshape(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    """Axes of size one come or go, or positions are counted; every other reshape reads memory, and changes nothing."""
    given = [c for c, n in zip(at, node.type.shape, strict=True) if n != 1]
    source = node.inputs[0]
    if source.op is ops.IOTA and source.type.rank == 1:
        return Position(node.type.dtype, lowering.linear(node.type.shape, at))
    return lowering.element(source, tuple(given.pop(0) if n != 1 else lowering.fixed(0) for n in source.type.shape))


def row_view(lowering: Lowering, rows: Node, index: Node, at: Coordinates) -> View:
    """The coordinate along the first axis of `rows` that the index holds; the nearest edge if it is outside."""
    row = lowering.element(index, at[: index.type.rank])
    if row.dtype == np.uint64:  # the largest of them are no int64
        row = Apply(row.dtype, ops.MINIMUM, (row, _last_row(lowering, rows, row.dtype)))
    wide = row if row.dtype == np.int64 else Apply(np.dtype(np.int64), ops.CAST, (row,))
    above = Apply(wide.dtype, ops.MAXIMUM, (wide, Number(wide.dtype, 0)))
    inside = Apply(wide.dtype, ops.MINIMUM, (above, _last_row(lowering, rows, wide.dtype)))
    return View(0, (0,) * lowering.axes, ((inside, 1),))


def _last_row(lowering: Lowering, rows: Node, dtype: np.dtype[np.generic]) -> Expression:
    """The number of the last row: known now, or said by whoever runs the program."""
    if rows not in lowering.last_rows:
        return Number(dtype, rows.type.shape[0] - 1)
    said = lowering.load(lowering.last_rows[rows], lowering.fixed(0), np.dtype(np.int64))
    return said if dtype == said.dtype else Apply(dtype, ops.CAST, (said,))


def _gather(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    rows, index = node.inputs
    row = row_view(lowering, rows, index, at)
    return lowering.element(rows, (row, *at[index.type.rank :]))


def _in_memory(lowering: Lowering, node: Node, at: Coordinates) -> Expression:
    raise AssertionError(f"{node!r} is computed by a kernel of its own")


_ELEMENTWISE = (op for op in (*ops.UNARY, *ops.BINARY, ops.SELECT) if op not in (ops.STOP_GRADIENT, ops.MARK))

#: How each operation becomes an expression; those `_in_memory` are kernels of their own in `schedule`.
LOWER: Mapping[Op, Callable[[Lowering, Node, Coordinates], Expression]] = MappingProxyType(
    {
        ops.INPUT: _in_memory,
        ops.CONSTANT: _in_memory,
        ops.FULL: _number,
        ops.IOTA: _iota,
        **dict.fromkeys(_ELEMENTWISE, _elementwise),
        ops.STOP_GRADIENT: _same,
        ops.MARK: _same,
        ops.CONTRACT: _in_memory,
        ops.SUM: _in_memory,
        ops.MAX: _in_memory,
        ops.RESHAPE: _reshape,
        ops.TRANSPOSE: _transpose,
        ops.BROADCAST: _broadcast,
        ops.SLICE: _slice,
        ops.PAD: _in_memory,
        ops.CONCATENATE: _in_memory,
        ops.GATHER: _gather,
        ops.SCATTER_ADD: _in_memory,
        ops.PLACEHOLDER: _in_memory,
        ops.RECOMPUTE: _same,
        ops.RESULT: _in_memory,
        **dict.fromkeys(ops.CONTROL, _in_memory),
        **dict.fromkeys((ops.ARGSORT, *ops.MATRIX), _in_memory),
    }
)
