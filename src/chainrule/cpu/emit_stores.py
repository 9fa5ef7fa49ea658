"""What a kernel stores, element by element or added up."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.cpu import elementwise
from chainrule.cpu.emit_partial_sums import PartialSums
from chainrule.cpu.emit_values import Values
from chainrule.cpu.ir import Value
from chainrule.cpu.register_tile import Cell, RegisterTile
from chainrule.graph import ops
from chainrule.schedule.expressions import Apply
from chainrule.schedule.kernel import FOLD_CELLS, Store

__all__ = ["Stores"]


class Stores:
    """Writes the stores of a kernel, for one tile after the other."""

    def __init__(self, tile: RegisterTile, values: Values, partial_sums: PartialSums) -> None:
        self._tile = tile
        self._function = tile.function
        self._values = values
        self._partial_sums = partial_sums
        self._stores = [store for store in tile.kernel.stores if not store.folding]
        self._folds = [store for store in tile.kernel.stores if store.folding]

    def write(self, cells: Sequence[Cell]) -> None:
        """Store what belongs to the cells of a tile."""
        sums: dict[tuple[Store, int, int], Value] = {}
        for n, cell in enumerate(cells):
            self._values.prepare_stores(cell)
            found = [self._values.of(store.expression, cell) for store in self._stores]
            for store in self._folds:
                self._fold(store, cell, n % FOLD_CELLS, sums)
            for store, value in zip(self._stores, found, strict=True):
                self._store(store, value, cell)
        for (store, row, _), total in sums.items():
            self._partial_sums.add(store, row, total)

    def _store(self, store: Store, value: Value, cell: Cell) -> None:
        pointers = self._values.pointers.of(store.buffer, store.view, cell)
        value = self._values.wide(value, self._tile.lanes(cell))
        if len(pointers) == 1:
            self._write(store, value, pointers[0])
            return
        for lane, pointer in enumerate(pointers):
            self._write(store, self._function.extract(value, lane), pointer)

    def _write(self, store: Store, value: Value, pointer: Value) -> None:
        dtype = store.expression.dtype
        if store.adding:
            before = elementwise.load(self._function, dtype, value.type.lanes, pointer)
            value = elementwise.apply(self._function, ops.ADD, dtype, [before, value])
        elementwise.store(self._function, dtype, value, pointer)

    def _fold(self, store: Store, cell: Cell, row: int, sums: dict[tuple[Store, int, int], Value]) -> None:
        """Add the expression at a cell of the tile to what its cells have added up to so far."""
        e, key = store.expression, (store, row, self._tile.lanes(cell))
        if key in sums and isinstance(e, Apply) and e.op is ops.MULTIPLY:
            a, b = (self._values.wide_of(operand, cell) for operand in e.operands)
            sums[key] = self._function.fma(a, b, sums[key])
            return
        value = self._values.wide_of(e, cell)
        sums[key] = self._function.fadd(sums[key], value) if key in sums else value
