"""How a kernel's places are taken: which axes merge, along which axis vectors run, how large a tile registers hold.

The choice is made by counting, for every candidate, the cycles that its loads and its arithmetic take on a processor
that does two of each per cycle; the cheapest wins.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import ceil, prod

from chainrule.cpu.processor import Processor
from chainrule.graph import ops
from chainrule.schedule.kernel import Apply, Expression, Kernel, Load, Position, Tiling, View, axes_of, rebuilt, walk

__all__ = ["EXPENSIVE", "merged", "tiled"]

_FIRST_LEVEL = 32 * 1024  # bytes of the fastest cache, as good as everywhere
_SECOND_LEVEL = 384 * 1024  # bytes of the next one, less some room
_SECOND_SPEED, _THIRD_SPEED = 48.0, 10.0  # bytes per cycle that come from the caches behind the first
_LARGE = 4_000_000  # places from which the operands outgrow the caches, and one of them is always packed
_FEWEST = 6  # vectors in a tile, where the axes are long enough for more
_LATENCY = 4  # cycles from an accumulation to the next on the same register
EXPENSIVE = frozenset({
    ops.EXP, ops.EXPM1, ops.LOG, ops.LOG1P, ops.TANH, ops.LOGISTIC, ops.EXPIT, ops.POWER, ops.SIN, ops.COS, ops.TAN,
    ops.ARCSIN, ops.ARCCOS, ops.ARCTAN, ops.SINH, ops.COSH, ops.ARCSINH, ops.ARCCOSH, ops.ARCTANH, ops.EXP2, ops.LOG2,
    ops.LOG10, ops.CBRT, ops.ERF, ops.ARCTAN2, ops.HYPOT, ops.LOGADDEXP, ops.NEXTAFTER,
})  # fmt: skip


def tiled(kernel: Kernel, processor: Processor) -> Kernel:
    """The kernel with its axes merged where that is possible and its best tiling."""
    kernel = merged(kernel)
    if any(store.adding for store in kernel.stores):
        return kernel.with_tiling(_in_sequence(kernel))
    if kernel.reductions:
        return _blocked(kernel.with_tiling(_reducing(kernel, processor)))
    return kernel.with_tiling(_streaming(kernel, processor))


# merging axes: a, b become one where every view walks through them as through one


def merged(kernel: Kernel) -> Kernel:
    """The same kernel with as few axes as its views allow, none of them of size one."""
    axis = len(kernel.sizes) - 1
    while axis >= 0:
        if kernel.sizes[axis] == 1:
            kernel = _without_axis(kernel, axis)
        elif (
            axis > 0
            and axis != kernel.outputs
            and all(v.strides[axis - 1] == v.strides[axis] * kernel.sizes[axis] for v in _views(kernel))
        ):
            size = kernel.sizes[axis]
            kernel = _without_axis(replace(kernel, sizes=_scaled(kernel.sizes, axis - 1, size)), axis, into=axis - 1)
        axis -= 1
    return kernel


def _scaled(sizes: tuple[int, ...], axis: int, factor: int) -> tuple[int, ...]:
    return (*sizes[:axis], sizes[axis] * factor, *sizes[axis + 1 :])


def _views(kernel: Kernel) -> Iterator[View]:
    for e in kernel.evaluated:
        if isinstance(e, Load | Position):
            yield e.view
    yield from (store.view for store in kernel.stores)


def _without_axis(kernel: Kernel, axis: int, into: int | None = None) -> Kernel:
    """Leave an axis out; its steps become those of the axis `into` that it has been merged with."""

    def strides(before: tuple[int, ...]) -> tuple[int, ...]:
        after = list(before)
        if into is not None:
            after[into] = after[axis]
        del after[axis]
        return tuple(after)

    fewer = rebuilt(kernel, strides=strides)
    sizes = kernel.sizes[:axis] + kernel.sizes[axis + 1 :]
    return replace(fewer, sizes=sizes, outputs=kernel.outputs - (axis < kernel.outputs))


# kernels without a reduction


def _lanes(kernel: Kernel, processor: Processor) -> int:
    return processor.lanes(max(e.dtype.itemsize for e in kernel.expressions))


def _streaming(kernel: Kernel, processor: Processor) -> Tiling:
    order = tuple(range(kernel.outputs))
    if not order:
        return Tiling(0, 1, (), ())
    axis = max(order, key=lambda a: (_smoothness(kernel, a), a))
    lanes = min(_lanes(kernel, processor), kernel.sizes[axis])
    heavy = sum(isinstance(e, Apply) and e.op in EXPENSIVE for e in kernel.evaluated)
    vectors = min(1 if heavy > 1 else 2 if heavy else 4, max(kernel.sizes[axis] // lanes, 1))
    cells = tuple(vectors if a == axis else 1 for a in order)
    return Tiling(axis, lanes, cells, (*(a for a in order if a != axis), axis))


def _smoothness(kernel: Kernel, axis: int) -> int:
    stores = sum(2 * (s.view.strides[axis] == 1) for s in kernel.stores)
    return stores + sum((load.view.strides[axis] == 1) for load in kernel.loads)


def _in_sequence(kernel: Kernel) -> Tiling:
    """One place after the other, in vectors along the last axis where the stores lie side by side."""
    order = tuple(range(kernel.outputs))
    return Tiling(0, 1, tuple(1 for _ in order), order)


# kernels with a reduction


@dataclass(frozen=True, slots=True)
class _Reading:
    """A load as the search sees it: how far apart the places of each axis lie, and which axes it depends on."""

    strides: tuple[int, ...]
    itemsize: int
    axes: frozenset[int]
    scattered: frozenset[int]  # the axes that choose its places by index


@dataclass(frozen=True, slots=True)
class _Work:
    """A kernel as the search sees it: what is alike is searched once."""

    sizes: tuple[int, ...]
    outputs: int
    reductions: int
    loads: tuple[_Reading, ...]
    operations: tuple[frozenset[int], ...]  # the axes that each operation in the innermost loop depends on
    stores: tuple[tuple[int, ...], ...]  # the strides of what is stored, not folded
    lanes: int
    registers: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """A tiling, with which of the loads are packed."""

    axis: int
    lanes: int
    cells: tuple[int, ...]
    order: tuple[int, ...]
    packed: int | None = None

    def step(self, axis: int) -> int:
        """How many places of an axis the tile spans."""
        return self.cells[axis] * (self.lanes if axis == self.axis else 1)


def _reducing(kernel: Kernel, processor: Processor) -> Tiling:
    known: dict[Expression, frozenset[int]] = {}
    inside = walk([r.expression for r in kernel.reductions])
    loads = [e for e in inside if isinstance(e, Load)]
    fused = {
        r.expression for r in kernel.reductions if isinstance(r.expression, Apply) and r.expression.op is ops.MULTIPLY
    }
    operations = [axes_of(e, known) for e in inside if isinstance(e, Apply) and e not in fused]
    operations += [frozenset(range(len(kernel.sizes)))] * len(kernel.reductions)
    work = _Work(
        kernel.sizes,
        kernel.outputs,
        len(kernel.reductions),
        tuple(_reading(load, known) for load in loads),
        tuple(operations),
        tuple(s.view.strides for s in kernel.stores if not s.folding),
        _lanes(kernel, processor),
        processor.registers,
    )
    best = _best(work)
    packed = () if best.packed is None else (loads[best.packed],)
    return Tiling(best.axis, best.lanes, best.cells, best.order, packed)


def _reading(load: Load, known: dict[Expression, frozenset[int]]) -> _Reading:
    scattered = frozenset[int]().union(*(axes_of(e, known) for e, _ in load.view.indirect))
    return _Reading(load.view.strides, load.dtype.itemsize, axes_of(load, known), scattered)


@functools.lru_cache(1024)  # networks repeat themselves: layers of one size, steps of time
def _best(work: _Work) -> _Choice:
    candidates = list(_candidates(work))
    packed = [choice for choice in candidates if choice.packed is not None]
    large = prod(work.sizes) >= _LARGE and packed
    return min(packed if large else candidates, key=lambda choice: _cycles(work, choice))


def _blocked(kernel: Kernel) -> Kernel:
    """A tiled kernel whose inner loop goes through more than the second cache holds, in blocks that it does hold.

    The inner axis is split in two; the outer part becomes the outermost loop.
    """
    tiling = kernel.tiling
    if tiling is None or not tiling.packed or len(tiling.order) != 2:
        return kernel
    inner = tiling.order[1]
    streamed = [load for load in kernel.loads if load.view.strides[inner] and load not in tiling.packed]
    row = prod(kernel.sizes[kernel.outputs :]) * streamed[0].dtype.itemsize if streamed else 0
    rows = _SECOND_LEVEL // 2 // row if row * kernel.sizes[inner] > _SECOND_LEVEL else 0
    block = next((n for n in range(min(rows, kernel.sizes[inner]), 0, -1) if kernel.sizes[inner] % n == 0), 0)
    if block in (0, kernel.sizes[inner]) or block < 8 * tiling.cells[inner]:
        return kernel
    split = _split(kernel, inner, block)

    def moved(axis: int) -> int:
        return axis + (axis >= inner)

    cells = (*tiling.cells[:inner], 1, *tiling.cells[inner:])
    packed = tuple(new for old, new in zip(kernel.loads, split.loads, strict=True) if old in tiling.packed)
    order = (inner, *map(moved, tiling.order))
    return split.with_tiling(Tiling(moved(tiling.axis), tiling.lanes, cells, order, packed))


def _split(kernel: Kernel, axis: int, block: int) -> Kernel:
    """An output axis as two: which block, and which place in it."""

    def strides(before: tuple[int, ...]) -> tuple[int, ...]:
        return (*before[:axis], before[axis] * block, *before[axis:])

    sizes = (*kernel.sizes[:axis], kernel.sizes[axis] // block, block, *kernel.sizes[axis + 1 :])
    return replace(rebuilt(kernel, strides=strides), sizes=sizes, outputs=kernel.outputs + 1)


def _candidates(work: _Work) -> Iterator[_Choice]:
    axes = range(len(work.sizes))
    for axis in axes or [0]:
        lanes = min(work.lanes, 1 << (work.sizes[axis] - 1).bit_length()) if axes else 1
        for cells in _cell_choices(work, axis, lanes):
            choice = _Choice(axis, lanes, cells, tuple(range(work.outputs)))
            yield from _orders(work, choice)


def _cell_choices(work: _Work, axis: int, lanes: int) -> Iterable[tuple[int, ...]]:
    """Numbers of cells for each axis: several along at most two output axes, or along the innermost reduced one."""
    sizes, outputs = work.sizes, work.outputs
    most = [ceil(n / lanes) if a == axis else n for a, n in enumerate(sizes)]
    useful = {a for load in work.loads for a in load.axes}
    wide = [a for a in range(outputs) if a in useful and most[a] > 1]
    for first, second in itertools.combinations(wide, 2) if len(wide) > 1 else [(*wide, -1)] if wide else [(-1, -1)]:
        rows = range(1, min(most[first], 14) + 1) if first >= 0 else [1]
        columns = range(1, min(most[second], 14) + 1) if second >= 0 else [1]
        for m, n in itertools.product(rows, columns):
            if min(_FEWEST, rows[-1] * columns[-1]) <= m * n <= work.registers:
                yield tuple(m if a == first else n if a == second else 1 for a in range(len(sizes)))
    if outputs < len(sizes):
        for unrolled in (2, 4, 8):
            if unrolled <= most[-1]:
                yield tuple(unrolled if a == len(sizes) - 1 else 1 for a in range(len(sizes)))


def _orders(work: _Work, choice: _Choice) -> Iterator[_Choice]:
    """The orders of the two tiled axes' loops, the others outside; packed where the vector axis is outermost."""
    natural = choice.order
    yield choice
    inner = [a for a in natural if choice.cells[a] > 1 or a == choice.axis]
    if len(inner) == 2:
        flipped = (*(a for a in natural if a not in inner), *reversed(inner))
        yield replace(choice, order=flipped)
        choice = replace(choice, order=flipped) if flipped[0] == choice.axis else choice
    if natural and choice.order[0] == choice.axis and work.outputs > 1:
        packable = [n for n, load in enumerate(work.loads) if _packable(work, choice, load)]
        if len(packable) == 1:
            yield replace(choice, packed=packable[0])


def _packable(work: _Work, choice: _Choice, load: _Reading) -> bool:
    reduced = set(range(work.outputs, len(work.sizes)))
    return load.axes == {choice.axis} | reduced


def _cycles(work: _Work, choice: _Choice) -> float:
    parts = [_parts(n, choice.step(a)) for a, n in enumerate(work.sizes)]
    total = 0.0
    for combination in itertools.product(*parts[: work.outputs]):
        times = prod(count for count, _ in combination)
        total += times * _tile_cycles(work, choice, [places for _, places in combination])
    return total + _packing(work, choice) + sum(_conflicts(work, choice, n) for n in range(len(work.loads)))


def _parts(size: int, step: int) -> list[tuple[int, int]]:
    """How often which number of places is taken: whole tiles, and the rest."""
    return [(n, places) for n, places in ((size // step, step), (1, size % step)) if n and places]


def _tile_cycles(work: _Work, choice: _Choice, places: list[int]) -> float:
    lanes, axis = choice.lanes, choice.axis
    cells = [ceil(n / lanes) if a == axis else n for a, n in enumerate(places)]
    cells += [1] * (len(work.sizes) - work.outputs)
    accumulators = prod(cells[: work.outputs]) * work.reductions
    unrolled = choice.cells[-1] if work.outputs < len(work.sizes) else 1
    needed = [prod(cells[a] for a in load.axes if a < work.outputs) for load in work.loads]
    held = accumulators * unrolled + (min(needed) if len(needed) > 1 else 0) + 1
    spilled = max(held - work.registers, 0)
    fetched = sum(n * _load_cost(work, choice, number) for number, n in enumerate(needed))
    arithmetic = sum(prod(cells[a] for a in axes if a < work.outputs) for axes in work.operations)
    waiting = _LATENCY / unrolled * (1 if accumulators else 0)
    computing, moving = max(arithmetic / 2, fetched / 2, waiting), _moving(work, choice, needed)
    per_round = max(computing, moving) + min(computing, moving) * 0.3 + 4 * spilled + 0.25
    rounds = prod(ceil(n / lanes) if a == axis else n for a, n in enumerate(work.sizes) if a >= work.outputs)
    finish = accumulators * (unrolled + (3.0 + lanes / 4 if axis >= work.outputs else 1.0))
    if axis < work.outputs:
        finish += accumulators * 2 * lanes * sum(strides[axis] != 1 for strides in work.stores)
    return rounds * per_round + finish + 6


def _load_cost(work: _Work, choice: _Choice, number: int) -> float:
    load = work.loads[number]
    stride = load.strides[choice.axis] if load.strides else 0
    beside = stride in (0, 1) and choice.axis not in load.scattered
    return 1.0 if number == choice.packed or beside else 2.0 * choice.lanes


def _packing(work: _Work, choice: _Choice) -> float:
    """Cycles that copying into a panel takes."""
    if choice.packed is None:
        return 0.0
    load = work.loads[choice.packed]
    each = 1.0 / choice.lanes if load.strides[choice.axis] == 1 else 0.5
    return prod(work.sizes[a] for a in load.axes) * each * 2


def _moving(work: _Work, choice: _Choice, needed: list[int]) -> float:
    """Cycles that one round's loads take to come from the cache that holds them.

    A load that the innermost of the tiles' loops does not change stays where it was put in the round before: its places
    for one tile must fit. Of any other, all places that the innermost loop goes through must.
    """
    cycles = 0.0
    for n, load in zip(needed, work.loads, strict=True):
        axes = load.axes
        inner = choice.order[-1] if choice.order else -1
        wide = choice.lanes if choice.axis in axes else 1
        reused = [a for a in axes if a < work.outputs and a != inner]
        span = prod(work.sizes[a] for a in axes if a >= work.outputs or a == inner)
        span *= prod(min(choice.step(a), work.sizes[a]) for a in reused) * load.itemsize
        speed = 1e9 if span <= _FIRST_LEVEL // 2 else _SECOND_SPEED if span <= _SECOND_LEVEL else _THIRD_SPEED
        cycles += n * wide * load.itemsize / speed
    return cycles


def _conflicts(work: _Work, choice: _Choice, number: int) -> float:
    """Cycles lost where the rows of a tile lie so far apart that they push each other out of the cache."""
    load = work.loads[number]
    reduced = [a for a in load.axes if a >= work.outputs and a != choice.axis]
    if number == choice.packed or not reduced or choice.axis not in load.axes:
        return 0.0
    rows = prod(work.sizes[a] for a in reduced)
    apart = min(abs(load.strides[a]) for a in reduced) * load.itemsize
    if apart < 512 or rows * 64 * (4 if apart % 1024 == 0 else 1) < _FIRST_LEVEL:
        return 0.0
    tiles = prod(ceil(n / choice.step(a)) for a, n in enumerate(work.sizes[: work.outputs]))
    return tiles * rows * choice.cells[choice.axis] * 4.0
