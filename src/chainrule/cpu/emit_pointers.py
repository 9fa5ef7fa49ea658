"""The addresses of what a cell of the tile reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.cpu import elementwise
from chainrule.cpu.ir import I64, NativeFunction, Value
from chainrule.cpu.register_tile import Cell, RegisterTile
from chainrule.schedule.expressions import Buffer, Expression, Load, View

__all__ = ["Pointers"]


class Pointers:
    """Writes addresses: what changes with the loops once a loop, what is known now added to it."""

    def __init__(
        self, tile: RegisterTile, address: Mapping[Buffer, Value], value: Callable[[Expression, Cell], Value]
    ) -> None:
        self._tile = tile
        self._function = tile.function
        self._address = address
        self._value = value  # of an index that is itself loaded

    def of(self, buffer: Buffer, view: View, cell: Cell) -> list[Value]:
        """One address if the cell's lanes lie side by side or are all the same element, else one for each lane."""
        lanes, stride = self._tile.lanes(cell), self._tile.stride(view) if cell else 0
        indices = [self._value(e, cell) for e, _ in view.indirect]
        scattered = any(index.type.lanes > 1 for index in indices)
        offset = view.offset + distance(view, cell)
        dtype = buffer.type.dtype
        if lanes == 1 or (stride in (0, 1) and not scattered):
            return [self._further(self._base(buffer, view, cell), dtype, offset)]
        bases = ((self._base(buffer, view, cell, lane), offset + lane * stride) for lane in range(lanes))
        return [self._further(base, dtype, offset) for base, offset in bases]

    def in_panel(self, load: Load, cell: Cell) -> Value:
        """The address of a packed load's element: the vectors' axis is contiguous, the reduced ones follow."""
        kernel, tiling = self._tile.kernel, self._tile.tiling
        assert kernel.panel is not None
        step = tiling.step(tiling.axis)
        strides = [0] * len(kernel.sizes)
        for axis in range(len(strides) - 1, kernel.outputs - 1, -1):
            strides[axis] = step
            step *= kernel.sizes[axis]
        view = View(0, tuple(strides))
        base = self._base(kernel.panel, view, cell)
        return self._further(base, load.dtype, cell[tiling.axis].offset + distance(view, cell))

    def number(self, view: View, cell: Cell, lanes: int) -> Value:
        """The view as a number in each lane, not as an address."""
        f = self._function
        total = NativeFunction.constant(I64, view.offset + distance(view, cell))
        for begin, stride in zip(self._tile.begin, view.strides, strict=True):
            if begin is not None and stride:
                total = f.add(total, self._times(begin, stride))
        stride = self._tile.stride(view) if cell else 0
        total = f.splat(total, lanes)
        if lanes > 1 and stride:
            ramp = NativeFunction.constants(I64.with_lanes(lanes), [lane * stride for lane in range(lanes)])
            total = f.add(total, ramp)
        return total

    def _base(self, buffer: Buffer, view: View, cell: Cell, lane: int = 0) -> Value:
        """The buffer's address plus what is not known until the program runs: the loops' counters, loaded indices."""
        f, tile = self._function, self._tile
        indices = tuple((f.extract(self._value(e, cell), lane), s) for e, s in view.indirect)
        counters = [(begin, s) for begin, s in zip(tile.begin, view.strides, strict=True) if begin is not None and s]
        key = ("pointer", buffer, tuple(counters), indices)
        known = tile.known_here(key)
        if known is not None:
            return known
        element, pointer = elementwise.memory_type(buffer.type.dtype), self._address[buffer]
        for number, stride in (*indices, *counters):
            wide = number if number.type == I64 else f.convert("sext", number, "i64")
            pointer = f.offset(pointer, element, self._times(wide, stride))
        return tile.remember(key, pointer)

    def _times(self, value: Value, factor: int) -> Value:
        if not value.name.startswith("%"):
            return NativeFunction.constant(I64, int(value.name) * factor)
        return value if factor == 1 else self._function.mul(value, NativeFunction.constant(I64, factor))

    def _further(self, pointer: Value, dtype: np.dtype[Any], offset: int) -> Value:
        element = elementwise.memory_type(dtype)
        return self._function.offset(pointer, element, NativeFunction.constant(I64, offset)) if offset else pointer


def distance(view: View, cell: Cell) -> int:
    """How far a cell lies from where the tile begins, in elements."""
    return sum(s * segment.offset for s, segment in zip(view.strides, cell, strict=True))
