"""A kernel as an LLVM function: the last, small step, the only one that knows LLVM.

The tile of the output is held in registers: each place of the tile has an accumulator, and an expression is evaluated
at most once for each combination of the tile's cells that it depends on. That is all a matrix product needs: a load
that does not depend on j is made once for the whole row of the tile.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np

from chainrule.cpu import elementwise, ir
from chainrule.cpu.cost_model import ANSWER
from chainrule.cpu.interruption import Asking, axis_to_ask_at
from chainrule.cpu.ir import I64, PTR, Function, Module, Value
from chainrule.cpu.partial_sums import Folds
from chainrule.graph import ops
from chainrule.schedule.kernel import (
    FOLD_CELLS,
    HOST,
    Apply,
    Buffer,
    Expression,
    Kernel,
    Load,
    Number,
    Position,
    Result,
    Store,
    View,
    axes_of,
    below,
    walk,
)

__all__ = ["emit"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One step of a tile along an axis: its offset from the tile's base, and the places that it covers."""

    offset: int
    lanes: int = 1


_DEEP = 60  # operations above each other, each of which calls the next while it is written
_RUN = 16  # terms of a sum that are added up one after the other: the error of a longer sum grows as its logarithm
_RUN_OF_PRODUCTS = 128  # the same where arithmetic is all that takes time
Place = tuple[Cell, ...]  # one cell for each axis


def emit(module: Module, kernel: Kernel, *, inline: bool = False) -> None:
    """Write the kernel as a function of its buffers' addresses."""
    _Writer(module, kernel, inline).write()


class _Writer:
    """The function being written, and what is known at this point of it."""

    def __init__(self, module: Module, kernel: Kernel, inline: bool) -> None:
        assert kernel.tiling is not None
        self.kernel = kernel
        self.tiling = kernel.tiling
        self.vector_axis = kernel.tiling.axis
        buffers = kernel.buffers
        names = [(f"b{n}", PTR) for n in range(len(buffers))]
        self.function: Function = module.function(kernel.name, names, "internal", inline=inline)
        self.address = dict(zip(buffers, self.function.parameters, strict=True))
        self.scopes: list[dict[tuple[Any, ...], Value]] = [{}]  # what has been computed, innermost loop last
        self.base: list[Value | None] = [None] * len(kernel.sizes)  # first place of the tile along each axis
        self.cells: list[list[Cell]] = [[Cell(0)] for _ in kernel.sizes]
        self.dependence: dict[Expression, frozenset[int]] = {}
        self.folds = Folds(self.function, {s: self.address[s.buffer] for s in kernel.stores if s.folding})
        self.longest = _longest_run(kernel, self.dependence)
        self.expressions = kernel.evaluated
        self.users: dict[Expression, list[Expression]] = {}
        for e in self.expressions:
            for operand in below(e):
                self.users.setdefault(operand, []).append(e)
        self.keys: list[tuple[int, Place, int]] = []  # the accumulators of a tile, and what they start from
        self.start: list[Value] = []
        self.results: dict[tuple[int, Place], Value] = {}
        self.panels: set[Load] = set()
        self.deep = _every_so_deep(walk([store.expression for store in kernel.stores]))

    def write(self) -> None:
        self.function.comment(self.kernel.heading)
        self._prepare_to_ask()
        self.folds.clear()
        self._hoist()
        self._output_loops(self.tiling.order)
        self.function.ret()

    def _prepare_to_ask(self) -> None:
        self.ask_at, self.rounds_between = axis_to_ask_at(self.kernel) if self.kernel.asks else (-1, 0)
        self.asking = Asking(self.function, self.address[HOST]) if self.kernel.asks else None

    # loops over tiles

    def _output_loops(self, order: Sequence[int]) -> None:
        if not order:
            self._tile()
            return
        axis = order[0]

        def inner(carried: list[Value]) -> list[Value]:
            if axis == self.tiling.axis:
                self._fill_panels()
            self._output_loops(order[1:])
            return carried

        self._stepped(axis, [], inner, run=self._run(order[1:], _RUN) if self.folds.stores else None)

    def _stepped(
        self, axis: int, carried: list[Value], body: Callable[[list[Value]], list[Value]], *,
        step: int = 0, run: int | None = None,
    ) -> list[Value]:  # fmt: skip
        """Whole tiles along an axis in a loop, then the rest as one smaller tile; of a sum, `run` rounds at a time."""
        size, step = self.kernel.sizes[axis], step or self.tiling.step(axis)
        whole = size // step * step
        if whole:
            carried = self._bound(axis, 0, whole, step, carried, body, run or whole // step)
        if whole < size:
            carried = self._bound(axis, whole, size, size - whole, carried, body, 1)
        self.base[axis] = None
        return carried

    def _bound(
        self, axis: int, start: int, stop: int, step: int, carried: list[Value],
        body: Callable[[list[Value]], list[Value]], run: int,
    ) -> list[Value]:  # fmt: skip
        self.cells[axis] = self._cells(axis, step)

        def scoped(base: Value, values: list[Value]) -> list[Value]:
            self.base[axis] = base
            self.scopes.append({})
            if self.asking and axis == self.ask_at:
                self.asking.every(self.rounds_between, base, step)
            self._hoist()
            after = body(values)
            self.scopes.pop()
            return after

        first = Function.constant(I64, start)
        if stop - start == step:
            return scoped(first, carried)
        return self._rounds(first, Function.constant(I64, stop), step, (stop - start) // step, carried, scoped, run)

    def _rounds(
        self, start: Value, stop: Value, step: int, count: int, carried: list[Value],
        body: Callable[[Value, list[Value]], list[Value]], run: int,
    ) -> list[Value]:  # fmt: skip
        """At most `count` rounds from `start` on: if they are more than `run`, in blocks.

        What a block adds up it adds up from zero, and then to the total.
        """
        if count <= run:
            return self.function.loop(start, stop, step, carried, body)
        block = run
        while block * _RUN < count:
            block *= _RUN

        def one_block(first: Value, totals: list[Value]) -> list[Value]:
            after = self.function.add(first, Function.constant(I64, block * step))
            end = self.function.select(self.function.icmp("slt", after, stop), after, stop)
            if not totals:
                with self.folds.block():
                    return self._rounds(first, end, step, block, [], body, run)
            parts = self._rounds(first, end, step, block, self.start, body, run)
            return [self._combined(n, a, b) for (n, _, _), a, b in zip(self.keys, totals, parts, strict=True)]

        return self.function.loop(start, stop, block * step, carried, one_block)

    def _run(self, inner: Sequence[int], longest: int) -> int:
        """Rounds of a loop around the `inner` axes that make a sum of at most `longest` terms one after the other."""
        return max(longest // max(self._terms(inner, longest), 1), 1)

    def _terms(self, axes: Sequence[int], longest: int) -> int:
        """Terms, or sums of blocks, that the loops over the axes add to one accumulator."""
        if not axes:
            return 1
        rounds, run = ceil(self.kernel.sizes[axes[0]] / self.tiling.step(axes[0])), self._run(axes[1:], longest)
        if rounds <= run:
            return rounds * self._terms(axes[1:], longest)
        blocks = ceil(rounds / run)
        while blocks > _RUN:
            blocks = ceil(blocks / _RUN)
        return blocks

    def _cells(self, axis: int, places: int) -> list[Cell]:
        lanes = self.tiling.lanes if axis == self.vector_axis else 1
        return [Cell(n, min(lanes, places - n)) for n in range(0, places, lanes)]

    def _hoist(self) -> None:
        """Evaluate here what does not depend on the axes still to be looped over.

        What only the stores need, after the reduction, would take up registers during it: of that, only single numbers.
        """
        bound = {axis for axis, base in enumerate(self.base) if base is not None}
        for e in self.expressions:
            axes = axes_of(e, self.dependence)
            if axes <= bound and not isinstance(e, Number) and self._waits(e, bound):
                for place in self._places(axes):
                    self._value(e, place)

    def _waits(self, e: Expression, bound: set[int]) -> bool:
        """Whether something that uses `e` cannot be computed yet."""
        users = (axes_of(user, self.dependence) for user in self.users.get(e, ()))
        return any(not axes <= bound and (not bound or -1 not in axes) for axes in users)

    def _places(self, axes: frozenset[int] | set[int]) -> list[Place]:
        choices = [cells if axis in axes else [Cell(0)] for axis, cells in enumerate(self.cells)]
        return list(itertools.product(*choices))

    # one tile

    def _tile(self) -> None:
        outputs = frozenset(range(self.kernel.outputs))
        places = self._places(outputs)
        self.results = {}
        if self.kernel.reductions:
            self._reduce(places)
        else:
            self._store(places)

    def _reduce(self, places: list[Place]) -> None:
        reduced = list(range(self.kernel.outputs, len(self.kernel.sizes)))
        inner = self.tiling.cells[reduced[-1]] if reduced else 1
        keys = [(n, place, c) for n in range(len(self.kernel.reductions)) for place in places for c in range(inner)]
        self._ask_for_what_is_stored_to(places)
        self.keys, self.start = keys, [self._identity(n, place) for n, place, _ in keys]
        final = self._reduced_loops(reduced, self.start)
        totals: dict[tuple[int, Place], Value] = {}
        for (n, place, _), value in zip(keys, final, strict=True):
            before = totals.get((n, place))
            totals[n, place] = value if before is None else self._combined(n, before, value)
        self._finish(places, totals)

    def _ask_for_what_is_stored_to(self, places: list[Place]) -> None:
        """What the stores update in place comes from memory while the reduction is computed."""
        rounds = prod(self.kernel.sizes[self.kernel.outputs :])
        if rounds < ANSWER or self.vector_axis >= self.kernel.outputs:
            return
        stored = {store.buffer for store in self.kernel.stores}
        for load in self.expressions:
            if isinstance(load, Load) and load.buffer in stored:
                for place in places:
                    for pointer in self._pointers(load.buffer, load.view, place)[:1]:
                        self.function.prefetch(pointer)

    def _finish(self, places: list[Place], totals: dict[tuple[int, Place], Value]) -> None:
        if self.vector_axis < self.kernel.outputs or not self.kernel.sizes:
            self.results = totals
            self._store(places)
            return
        axis = self._storing_axis()  # the vectors ran along a reduced axis: add up their lanes
        groups: dict[Place, list[Place]] = {}
        for place in places:
            groups.setdefault((*place[:axis], Cell(0), *place[axis + 1 :]), []).append(place)
        self.vector_axis = axis
        for group in groups.values():
            chunk = self.tiling.lanes
            for first in range(0, len(group), chunk):
                part = group[first : first + chunk]
                joined = (*part[0][:axis], Cell(part[0][axis].offset, len(part)), *part[0][axis + 1 :]) if part else ()
                for n in range(len(self.kernel.reductions)):
                    self.results[n, joined] = self._lanes_reduced(n, [totals[n, p] for p in part])
                self._store([joined])
        self.vector_axis = self.tiling.axis

    def _storing_axis(self) -> int:
        """The output axis along which neighbouring results are stored side by side."""
        strides = self.kernel.stores[0].view.strides
        return next((a for a in range(self.kernel.outputs) if strides[a] == 1 and len(self.cells[a]) > 1), 0)

    def _reduced_loops(self, axes: list[int], carried: list[Value]) -> list[Value]:
        if not axes:
            return self._accumulate(carried)
        run = self._run(axes[1:], self.longest)
        return self._stepped(axes[0], carried, lambda values: self._reduced_loops(axes[1:], values), run=run)

    def _accumulate(self, carried: list[Value]) -> list[Value]:
        """One round: along the longer side of the tile first, so that the fewest loads are held at once."""
        keys = self.keys
        reduced = self.kernel.outputs < len(self.kernel.sizes)
        last = self.cells[-1] if reduced else [Cell(0)]
        middle = [cells[0] for cells in self.cells[self.kernel.outputs : -1]]
        longest_first = sorted(range(self.kernel.outputs), key=lambda a: -len(self.cells[a]))
        order = sorted(range(len(keys)), key=lambda n: [keys[n][1][a].offset for a in longest_first])
        after = list(carried)
        for position in order:
            n, place, c = keys[position]
            if c < len(last):
                here = (*place[: self.kernel.outputs], *middle, last[c]) if reduced else place
                after[position] = self._accumulated(n, here, carried[position])
        return after

    def _accumulated(self, n: int, place: Place, total: Value) -> Value:
        e = self.kernel.reductions[n].expression
        lanes = total.type.lanes
        fused = isinstance(e, Apply) and e.op is ops.MULTIPLY and total.type.is_float
        if fused and self.kernel.reductions[n].kind == "sum":
            a, b = (self._value(operand, place) for operand in e.operands)  # type: ignore[attr-defined]
            if max(a.type.lanes, b.type.lanes) == lanes:
                return self.function.fma(self._wide(a, lanes), self._wide(b, lanes), total)
        value = self._value(e, place)
        present = place[self.vector_axis].lanes if place else 1
        value = self._wide(value, present)
        return self._combined(n, total, value if present == lanes else self._padded(n, value, lanes))

    def _padded(self, n: int, value: Value, lanes: int) -> Value:
        """The value's lanes, and after them lanes that do not change the total."""
        present = value.type.lanes
        if present == 1:
            return self.function.insert(self._neutral(n, value.type.with_lanes(lanes)), value, 0)
        neutral = self._neutral(n, value.type)
        return self.function.shuffle(value, neutral, [min(lane, present) for lane in range(lanes)])

    def _identity(self, n: int, place: Place) -> Value:
        lanes = self.tiling.lanes if self.vector_axis >= self.kernel.outputs else place[self.vector_axis].lanes
        return self._neutral(n, elementwise.register_type(self.kernel.reductions[n].expression.dtype, lanes))

    def _neutral(self, n: int, type_: ir.Type) -> Value:
        reduction = self.kernel.reductions[n]
        value = 0 if reduction.kind == "sum" else elementwise.smallest(reduction.expression.dtype)
        return Function.constant(type_, value)

    def _combined(self, n: int, a: Value, b: Value) -> Value:
        reduction = self.kernel.reductions[n]
        op = ops.ADD if reduction.kind == "sum" else ops.MAXIMUM
        return elementwise.apply(self.function, op, reduction.expression.dtype, [a, b])

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
            return self.function.gathered(vectors)
        total = vectors[0]
        return total if total.type.lanes == count else self.function.shuffle(total, total, list(range(count)))

    def _folded(self, n: int, a: Value, b: Value | None) -> Value:
        width = a.type.lanes * (1 if b is None else 2)
        other = a if b is None else b
        if width == 2 and b is None:
            return self._combined(n, self.function.extract(a, 0), self.function.extract(a, 1))
        even = self.function.shuffle(a, other, list(range(0, width, 2)))
        odd = self.function.shuffle(a, other, list(range(1, width, 2)))
        return self._combined(n, even, odd)

    # stores

    def _store(self, places: list[Place]) -> None:
        stores = [store for store in self.kernel.stores if not store.folding]
        folds = [store for store in self.kernel.stores if store.folding]
        sums: dict[tuple[Store, int, int], Value] = {}
        for cell, place in enumerate(places):
            for e in self.deep:
                self._value(e, place)
            values = [self._value(store.expression, place) for store in stores]
            for store in folds:
                self._fold(store, place, cell % FOLD_CELLS, sums)
            for store, value in zip(stores, values, strict=True):
                self._store_one(store, value, place)
        for (store, cell, _), total in sums.items():
            self.folds.add(store, cell, total)

    def _store_one(self, store: Store, value: Value, place: Place) -> None:
        lanes = place[self.vector_axis].lanes if place else 1
        pointers = self._pointers(store.buffer, store.view, place)
        if len(pointers) == 1:
            self._write(store, self._wide(value, lanes), pointers[0])
            return
        value = self._wide(value, lanes)
        for lane, pointer in enumerate(pointers):
            self._write(store, self.function.extract(value, lane), pointer)

    def _write(self, store: Store, value: Value, pointer: Value) -> None:
        dtype = store.expression.dtype
        if store.adding:
            before = elementwise.load(self.function, dtype, value.type.lanes, pointer)
            value = elementwise.apply(self.function, ops.ADD, dtype, [before, value])
        elementwise.store(self.function, dtype, value, pointer)

    def _fold(self, store: Store, place: Place, cell: int, sums: dict[tuple[Store, int, int], Value]) -> None:
        """Add the expression at a place of the tile to what its cells have added up to so far."""
        e, lanes = store.expression, place[self.vector_axis].lanes if place else 1
        key = (store, cell, lanes)
        if key in sums and isinstance(e, Apply) and e.op is ops.MULTIPLY:
            a, b = (self._wide(self._value(operand, place), lanes) for operand in e.operands)
            sums[key] = self.function.fma(a, b, sums[key])
            return
        value = self._wide(self._value(e, place), lanes)
        sums[key] = self.function.fadd(sums[key], value) if key in sums else value

    # panels: a load's places for one tile of the outermost axis, side by side

    def _fill_panels(self) -> None:
        for load in self.tiling.packed:
            self.panels.discard(load)
            self._copy_loops(list(range(self.kernel.outputs, len(self.kernel.sizes))), load)
            self.panels.add(load)

    def _copy_loops(self, axes: list[int], load: Load) -> None:
        if axes:

            def inner(carried: list[Value]) -> list[Value]:
                self._copy_loops(axes[1:], load)
                return carried

            self._stepped(axes[0], [], inner, step=1)
            return
        for place in self._places({self.tiling.axis}):
            pointer = self._pointers_in_panel(load, place)
            elementwise.store(self.function, load.dtype, self._value(load, place), pointer)

    def _pointers_in_panel(self, load: Load, place: Place) -> Value:
        step = self.tiling.step(self.tiling.axis)
        assert self.kernel.panel is not None
        strides = [0] * len(self.kernel.sizes)
        for axis in range(len(strides) - 1, self.kernel.outputs - 1, -1):
            strides[axis] = step
            step *= self.kernel.sizes[axis]
        base = self._base_pointer(self.kernel.panel, View(0, tuple(strides)), place)
        offset = place[self.tiling.axis].offset + sum(s * c.offset for s, c in zip(strides, place, strict=True))
        return self._displaced(base, load.dtype, offset)

    # values

    def _value(self, e: Expression, place: Place) -> Value:
        """The expression at a place of the tile, computed here unless it already is known."""
        if isinstance(e, Number):
            return Function.constant(elementwise.register_type(e.dtype, 1), e.value)
        axes = axes_of(e, self.dependence)
        if -1 in axes:
            axes = frozenset(range(self.kernel.outputs))
        key = (e, tuple(place[a] for a in sorted(axes)))
        return self._known(key) or self._remembered(key, self._computed(e, place))

    def _computed(self, e: Expression, place: Place) -> Value:
        if isinstance(e, Result):
            return self.results[e.index, place]
        if isinstance(e, Load):
            return self._loaded(e, place)
        if isinstance(e, Position):
            return self._position(e, place)
        assert isinstance(e, Apply)
        operands = [self._value(operand, place) for operand in e.operands]
        lanes = max(operand.type.lanes for operand in operands)
        wide = [self._wide(operand, lanes) for operand in operands]
        return elementwise.apply(self.function, e.op, e.dtype, wide, e.operands[0].dtype)

    def _wide(self, value: Value, lanes: int) -> Value:
        if value.type.lanes == lanes:
            return value
        key = ("wide", value, lanes)
        return self._known(key) or self._remembered(key, self.function.splat(value, lanes))

    def _known(self, key: tuple[Any, ...]) -> Value | None:
        return next((scope[key] for scope in reversed(self.scopes) if key in scope), None)

    def _remembered(self, key: tuple[Any, ...], value: Value) -> Value:
        self.scopes[-1][key] = value
        return value

    def _loaded(self, load: Load, place: Place) -> Value:
        lanes = self._lanes(load, place)
        if load in self.panels:
            return elementwise.load(self.function, load.dtype, lanes, self._pointers_in_panel(load, place))
        pointers = self._pointers(load.buffer, load.view, place)
        if len(pointers) == 1:
            wide = lanes if self._stride(load.view, place) == 1 else 1
            return elementwise.load(self.function, load.dtype, wide, pointers[0])
        return self.function.gathered([elementwise.load(self.function, load.dtype, 1, p) for p in pointers])

    def _lanes(self, e: Expression, place: Place) -> int:
        return place[self.vector_axis].lanes if place and self.vector_axis in axes_of(e, self.dependence) else 1

    def _stride(self, view: View, place: Place) -> int:
        return view.strides[self.vector_axis] if place else 0

    def _pointers(self, buffer: Buffer, view: View, place: Place) -> list[Value]:
        """One address if the place's lanes lie side by side or are all the same, else one for each lane."""
        lanes = place[self.vector_axis].lanes if place else 1
        indices = [(self._value(e, place), s) for e, s in view.indirect]
        scattered = any(index.type.lanes > 1 for index, _ in indices)
        stride = self._stride(view, place)
        offset = view.offset + sum(s * c.offset for s, c in zip(view.strides, place, strict=True))
        if lanes == 1 or (stride in (0, 1) and not scattered):
            return [self._displaced(self._base_pointer(buffer, view, place), buffer.type.dtype, offset)]
        pointers = []
        for lane in range(lanes):
            base = self._base_pointer(buffer, view, place, lane)
            pointers.append(self._displaced(base, buffer.type.dtype, offset + lane * stride))
        return pointers

    def _base_pointer(self, buffer: Buffer, view: View, place: Place, lane: int = 0) -> Value:
        """The buffer's address plus what is not known until the program runs: the loops' counters, loaded indices."""
        indices = tuple((self.function.extract(self._value(e, place), lane), s) for e, s in view.indirect)
        terms = [(base, s) for base, s in zip(self.base, view.strides, strict=True) if base is not None and s]
        key = ("pointer", buffer, tuple(terms), indices)
        if key not in self.scopes[-1]:
            element = elementwise.memory_type(buffer.type.dtype)
            pointer = self.address[buffer]
            for base, stride in (*indices, *terms):
                wide = base if base.type == I64 else self.function.convert("sext", base, "i64")
                pointer = self.function.offset(pointer, element, self._times(wide, stride))
            self.scopes[-1][key] = pointer
        return self.scopes[-1][key]

    def _times(self, value: Value, factor: int) -> Value:
        if not value.name.startswith("%"):
            return Function.constant(I64, int(value.name) * factor)
        return value if factor == 1 else self.function.mul(value, Function.constant(I64, factor))

    def _displaced(self, pointer: Value, dtype: np.dtype[Any], offset: int) -> Value:
        element = elementwise.memory_type(dtype)
        return self.function.offset(pointer, element, Function.constant(I64, offset)) if offset else pointer

    def _position(self, e: Position, place: Place) -> Value:
        offset = e.view.offset + sum(s * c.offset for s, c in zip(e.view.strides, place, strict=True))
        total = Function.constant(I64, offset)
        for base, stride in zip(self.base, e.view.strides, strict=True):
            if base is not None and stride:
                total = self.function.add(total, self._times(base, stride))
        lanes, stride = self._lanes(e, place), self._stride(e.view, place)
        total = self.function.splat(total, lanes)
        if lanes > 1 and stride:
            ramp = Function.constants(I64.with_lanes(lanes), [lane * stride for lane in range(lanes)])
            total = self.function.add(total, ramp)
        for index, factor in e.view.indirect:
            scaled = self._value(index, place)
            if factor != 1:
                scaled = self.function.mul(scaled, self.function.like(scaled, factor))
            total = self.function.add(total, self._wide(scaled, lanes))
        return elementwise.cast(self.function, total, np.dtype(np.int64), e.dtype)


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


def _power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _longest_run(kernel: Kernel, known: dict[Expression, frozenset[int]]) -> int:
    """Terms that the kernel's sums may add up one after the other: more in products, where each load is used again."""
    factors = [r.expression.operands for r in kernel.reductions if isinstance(r.expression, Apply)]
    products = [len({axes_of(factor, known) for factor in pair}) == 2 for pair in factors]
    return _RUN_OF_PRODUCTS if any(products) else _RUN
