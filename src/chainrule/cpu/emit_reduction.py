"""The accumulators of a tile: from zero, through the loops over the reduced axes, to one total for each cell."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import prod

from chainrule.cpu import elementwise, ir
from chainrule.cpu.cost_model import ANSWER
from chainrule.cpu.emit_tile_loops import RUN, TileLoops
from chainrule.cpu.emit_values import Values
from chainrule.cpu.ir import NativeFunction, Value
from chainrule.cpu.register_tile import Cell, RegisterTile, Segment
from chainrule.graph import ops
from chainrule.schedule.expressions import Apply, Load

__all__ = ["Accumulation"]

_RUN_OF_PRODUCTS = 128  # terms that are added up one after the other where arithmetic is all that takes time

Key = tuple[int, Cell, int]  # of an accumulator: which reduction, which cell, which of the unrolled rounds


class Accumulation:
    """Writes the reductions of a kernel, for one tile after the other."""

    def __init__(self, tile: RegisterTile, values: Values, loops: TileLoops) -> None:
        self._tile = tile
        self._kernel = tile.kernel
        self._function = tile.function
        self._values = values
        self._loops = loops
        self._longest = _longest_run(tile)

    def write(self, cells: list[Cell], store: Callable[[list[Cell]], None]) -> None:
        """Reduce what belongs to the cells, and `store` it."""
        self._ask_for_what_is_stored_to(cells)
        keys = self._keys(cells)
        final = self._reduced(keys, list(self._reduced_axes), self._zeros(keys))
        totals: dict[tuple[int, Cell], Value] = {}
        for (n, cell, _), value in zip(keys, final, strict=True):
            before = totals.get((n, cell))
            totals[n, cell] = value if before is None else self._combined(n, before, value)
        if self._lanes_are_reduced:
            self._store_lanes(cells, totals, store)
        else:
            self._values.results = totals
            store(cells)

    @property
    def _reduced_axes(self) -> range:
        return range(self._kernel.outputs, len(self._kernel.sizes))

    @property
    def _lanes_are_reduced(self) -> bool:
        """Whether vectors run along a reduced axis: each lane then holds a part of the total."""
        return self._tile.vector_axis in self._reduced_axes

    # the rounds

    def _keys(self, cells: list[Cell]) -> list[Key]:
        unrolled = self._tile.tiling.cells[-1] if self._reduced_axes else 1
        return list(itertools.product(range(len(self._kernel.reductions)), cells, range(unrolled)))

    def _zeros(self, keys: list[Key]) -> list[Value]:
        return [self._zero(n, cell) for n, cell, _ in keys]

    def _reduced(self, keys: list[Key], axes: list[int], carried: list[Value]) -> list[Value]:
        """What the accumulators hold after the loops over the axes."""
        if not axes:
            return self._accumulated(keys, carried)

        def in_block(totals: list[Value], rounds: Callable[[list[Value]], list[Value]]) -> list[Value]:
            parts = rounds(zeros)
            return [self._combined(n, a, b) for (n, _, _), a, b in zip(keys, totals, parts, strict=True)]

        zeros = self._zeros(keys)
        return self._loops.carrying(
            axes[0],
            carried,
            lambda values: self._reduced(keys, axes[1:], values),
            run=self._loops.run(axes[1:], self._longest),
            in_block=in_block,
        )

    def _accumulated(self, keys: list[Key], carried: list[Value]) -> list[Value]:
        """One round: along the longer side of the tile first, so that the fewest loads are held at once."""
        segments = self._tile.segments
        last = segments[-1] if self._reduced_axes else [Segment(0)]
        longest_first = sorted(range(self._kernel.outputs), key=lambda axis: -len(segments[axis]))
        order = sorted(range(len(keys)), key=lambda n: [keys[n][1][axis].offset for axis in longest_first])
        after = list(carried)
        for position in order:
            n, cell, unrolled = keys[position]
            if unrolled < len(last):
                after[position] = self._with_term(n, self._here(cell, last[unrolled]), carried[position])
        return after

    def _here(self, cell: Cell, last: Segment) -> Cell:
        """The cell in this round: of the reduced axes the first segments, of the innermost the one that is unrolled."""
        if not self._reduced_axes:
            return cell
        middle = (segments[0] for segments in self._tile.segments[self._kernel.outputs : -1])
        return (*cell[: self._kernel.outputs], *middle, last)

    def _with_term(self, n: int, cell: Cell, total: Value) -> Value:
        """The total with one more term; of products, as one multiply-add."""
        e, values, lanes = self._kernel.reductions[n].expression, self._values, total.type.lanes
        is_product = isinstance(e, Apply) and e.op is ops.MULTIPLY and total.type.is_float
        if is_product and self._kernel.reductions[n].kind == "sum":
            a, b = (values.of(operand, cell) for operand in e.operands)  # type: ignore[attr-defined]
            if max(a.type.lanes, b.type.lanes) == lanes:
                return self._function.fma(values.wide(a, lanes), values.wide(b, lanes), total)
        value, present = values.of(e, cell), self._tile.lanes(cell)
        value = values.wide(value, present)
        return self._combined(n, total, value if present == lanes else self._padded(n, value, lanes))

    def _padded(self, n: int, value: Value, lanes: int) -> Value:
        """The value's lanes, and after them lanes that do not change the total."""
        present = value.type.lanes
        if present == 1:
            return self._function.insert(self._neutral(n, value.type.with_lanes(lanes)), value, 0)
        neutral = self._neutral(n, value.type)
        return self._function.shuffle(value, neutral, [min(lane, present) for lane in range(lanes)])

    def _zero(self, n: int, cell: Cell) -> Value:
        lanes = self._tile.tiling.lanes if self._tile.vector_axis >= self._kernel.outputs else self._tile.lanes(cell)
        return self._neutral(n, elementwise.register_type(self._kernel.reductions[n].expression.dtype, lanes))

    def _neutral(self, n: int, type_: ir.LLVMType) -> Value:
        reduction = self._kernel.reductions[n]
        value = 0 if reduction.kind == "sum" else elementwise.smallest(reduction.expression.dtype)
        return NativeFunction.constant(type_, value)

    def _combined(self, n: int, a: Value, b: Value) -> Value:
        reduction = self._kernel.reductions[n]
        op = ops.ADD if reduction.kind == "sum" else ops.MAXIMUM
        return elementwise.apply(self._function, op, reduction.expression.dtype, [a, b])

    def _ask_for_what_is_stored_to(self, cells: list[Cell]) -> None:
        """What the stores update in place comes from memory while the reduction is computed."""
        rounds = prod(self._kernel.sizes[self._kernel.outputs :])
        if rounds < ANSWER or self._tile.vector_axis >= self._kernel.outputs:
            return
        stored = {store.buffer for store in self._kernel.stores}
        for load in (e for e in self._kernel.evaluated if isinstance(e, Load) and e.buffer in stored):
            for cell in cells:
                self._function.prefetch(self._values.pointers.of(load.buffer, load.view, cell)[0])

    # lanes that are parts of a total

    def _store_lanes(
        self, cells: list[Cell], totals: dict[tuple[int, Cell], Value], store: Callable[[list[Cell]], None]
    ) -> None:
        """Add up the lanes of each cell, and store the totals of neighbours together, as many as there are lanes."""
        axis = self._axis_to_store_along()
        groups: dict[Cell, list[Cell]] = {}
        for cell in cells:
            groups.setdefault((*cell[:axis], Segment(0), *cell[axis + 1 :]), []).append(cell)
        self._tile.vector_axis, vector_axis = axis, self._tile.vector_axis
        for group in groups.values():
            for first in range(0, len(group), self._tile.tiling.lanes):
                self._store_together(axis, group[first : first + self._tile.tiling.lanes], totals, store)
        self._tile.vector_axis = vector_axis

    def _axis_to_store_along(self) -> int:
        """The output axis along which neighbouring results are stored side by side."""
        strides = self._kernel.stores[0].view.strides
        axes = range(self._kernel.outputs)
        return next((axis for axis in axes if strides[axis] == 1 and len(self._tile.segments[axis]) > 1), 0)

    def _store_together(
        self,
        axis: int,
        part: list[Cell],
        totals: dict[tuple[int, Cell], Value],
        store: Callable[[list[Cell]], None],
    ) -> None:
        first = part[0]
        joined = (*first[:axis], Segment(first[axis].offset, len(part)), *first[axis + 1 :])
        for n in range(len(self._kernel.reductions)):
            self._values.results[n, joined] = self._lanes_reduced(n, [totals[n, cell] for cell in part])
        store([joined])

    def _lanes_reduced(self, n: int, vectors: list[Value]) -> Value:
        """One lane for each vector, its total: pairs of vectors are folded into one until a single one is left."""
        wide = vectors[0].type.lanes
        count = len(vectors)
        while len(vectors) & (len(vectors) - 1):
            vectors = [*vectors, vectors[-1]]
        while wide > 1 and (len(vectors) > 1 or vectors[0].type.lanes > 1):
            if len(vectors) > 1 and len(vectors) <= wide:
                vectors = [self._folded(n, a, b) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
            else:
                vectors = [self._folded(n, v, None) for v in vectors]
            if len(vectors) == 1 and vectors[0].type.lanes <= _power_of_two(count):
                break
        if len(vectors) > 1:
            return self._function.gathered(vectors)
        total = vectors[0]
        return total if total.type.lanes == count else self._function.shuffle(total, total, list(range(count)))

    def _folded(self, n: int, a: Value, b: Value | None) -> Value:
        """Neighbouring lanes of one or two vectors added up."""
        width = a.type.lanes * (1 if b is None else 2)
        other = a if b is None else b
        if width == 2 and b is None:
            return self._combined(n, self._function.extract(a, 0), self._function.extract(a, 1))
        even = self._function.shuffle(a, other, list(range(0, width, 2)))
        odd = self._function.shuffle(a, other, list(range(1, width, 2)))
        return self._combined(n, even, odd)


def _power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _longest_run(tile: RegisterTile) -> int:
    """Terms that the kernel's sums may add up one after the other: more in products, where each load is used again."""
    factors = [r.expression.operands for r in tile.kernel.reductions if isinstance(r.expression, Apply)]
    products = [len({tile.axes_of(factor) for factor in pair}) == 2 for pair in factors]
    return _RUN_OF_PRODUCTS if any(products) else RUN
