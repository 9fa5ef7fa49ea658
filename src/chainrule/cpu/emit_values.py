"""Expressions as registers: each computed once for a cell of the tile, as far out as it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.cpu import elementwise
from chainrule.cpu.emit_pointers import Pointers
from chainrule.cpu.ir import NativeFunction, Value
from chainrule.cpu.register_tile import Cell, RegisterTile
from chainrule.schedule.expressions import Apply, Buffer, Expression, Load, Number, Position, Result, below, walk

__all__ = ["Values"]

_DEEP = 60  # operations above each other, each of which calls the next while it is written


class Values:
    """Writes the expressions of a kernel."""

    def __init__(self, tile: RegisterTile, address: Mapping[Buffer, Value]) -> None:
        self._tile = tile
        self._function = tile.function
        self._kernel = tile.kernel
        self.pointers = Pointers(tile, address, self.of)
        self.results: dict[tuple[int, Cell], Value] = {}  # of the kernel's reductions
        self.panels: set[Load] = set()  # loads that have been copied into the panel
        self._users: dict[Expression, list[Expression]] = {}
        for e in self._kernel.evaluated:
            for operand in below(e):
                self._users.setdefault(operand, []).append(e)
        self._deep = _every_so_deep(walk([store.expression for store in self._kernel.stores]))

    def of(self, e: Expression, cell: Cell) -> Value:
        """The expression at a cell of the tile, computed here unless it already is known."""
        if isinstance(e, Number):
            return NativeFunction.constant(elementwise.register_type(e.dtype, 1), e.value)
        axes = self._tile.axes_of(e)
        if -1 in axes:
            axes = frozenset(range(self._kernel.outputs))
        key = (e, tuple(cell[axis] for axis in sorted(axes)))
        return self._tile.known(key) or self._tile.remember(key, self._computed(e, cell))

    def wide(self, value: Value, lanes: int) -> Value:
        """The value in so many lanes."""
        if value.type.lanes == lanes:
            return value
        key = ("wide", value, lanes)
        return self._tile.known(key) or self._tile.remember(key, self._function.splat(value, lanes))

    def wide_of(self, e: Expression, cell: Cell) -> Value:
        """The expression in as many lanes as the cell has."""
        return self.wide(self.of(e, cell), self._tile.lanes(cell))

    def _computed(self, e: Expression, cell: Cell) -> Value:
        match e:
            case Result():
                return self.results[e.index, cell]
            case Load():
                return self._loaded(e, cell)
            case Position():
                return self._position(e, cell)
            case Apply():
                return self._applied(e, cell)
        raise AssertionError(f"{e!r} is no expression of a kernel")

    def _applied(self, e: Apply, cell: Cell) -> Value:
        operands = [self.of(operand, cell) for operand in e.operands]
        lanes = max(operand.type.lanes for operand in operands)
        wide = [self.wide(operand, lanes) for operand in operands]
        return elementwise.apply(self._function, e.op, e.dtype, wide, e.operands[0].dtype)

    def _loaded(self, load: Load, cell: Cell) -> Value:
        lanes = self._tile.lanes_of(load, cell)
        if load in self.panels:
            return elementwise.load(self._function, load.dtype, lanes, self.pointers.in_panel(load, cell))
        pointers = self.pointers.of(load.buffer, load.view, cell)
        if len(pointers) == 1:
            wide = lanes if cell and self._tile.stride(load.view) == 1 else 1
            return elementwise.load(self._function, load.dtype, wide, pointers[0])
        return self._function.gathered([elementwise.load(self._function, load.dtype, 1, p) for p in pointers])

    def _position(self, e: Position, cell: Cell) -> Value:
        f, lanes = self._function, self._tile.lanes_of(e, cell)
        total = self.pointers.number(e.view, cell, lanes)
        for index, factor in e.view.indirect:
            scaled = self.of(index, cell)
            if factor != 1:
                scaled = f.mul(scaled, f.like(scaled, factor))
            total = f.add(total, self.wide(scaled, lanes))
        return elementwise.cast(f, total, np.dtype(np.int64), e.dtype)

    # what is computed before it is asked for

    def hoist(self) -> None:
        """Evaluate here what does not depend on the axes still to be looped over.

        What only the stores need, after the reduction, would take up registers during it: of that, only single numbers.
        """
        bound = self._tile.bound
        for e in self._kernel.evaluated:
            axes = self._tile.axes_of(e)
            if axes <= bound and not isinstance(e, Number) and self._is_awaited(e, bound):
                for cell in self._tile.cells(axes):
                    self.of(e, cell)

    def _is_awaited(self, e: Expression, bound: set[int]) -> bool:
        """Whether something that uses `e` cannot be computed yet."""
        users = (self._tile.axes_of(user) for user in self._users.get(e, ()))
        return any(not axes <= bound and (not bound or -1 not in axes) for axes in users)

    def prepare_stores(self, cell: Cell) -> None:
        """Compute what is deep below the stored expressions, so that none is far above what is known."""
        for e in self._deep:
            self.of(e, cell)


def _every_so_deep(expressions: Sequence[Expression]) -> list[Expression]:
    """Expressions to be computed first, so that none is far above what is known when its turn comes."""
    above: dict[Expression, int] = {}
    chosen: list[Expression] = []
    for e in expressions:
        above[e] = 1 + max((above[operand] for operand in below(e)), default=0)
        if above[e] >= _DEEP:
            above[e] = 0
            chosen.append(e)
    return chosen
