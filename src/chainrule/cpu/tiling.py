"""How a kernel's points are taken: which axes merge, along which axis vectors run, how large a tile registers hold."""

from __future__ import annotations

from math import prod

from chainrule.cpu import cost_model as model
from chainrule.cpu.processor import Processor
from chainrule.cpu.tile_cost import LoopNest, Reading
from chainrule.cpu.tile_search import best_tile
from chainrule.graph import ops
from chainrule.schedule.axes import merged, split
from chainrule.schedule.expressions import Apply, Expression, Load, axes_of, walk
from chainrule.schedule.kernel import Kernel, Tiling

__all__ = ["tiled"]


def tiled(kernel: Kernel, processor: Processor) -> Kernel:
    """The kernel with its axes merged where that is possible and its best tiling."""
    kernel = merged(kernel)
    if any(store.adding for store in kernel.stores):
        return kernel.with_tiling(_in_sequence(kernel))
    if kernel.reductions:
        return _blocked(kernel.with_tiling(_reducing(kernel, processor)))
    return kernel.with_tiling(_streaming(kernel, processor))


def _lanes(kernel: Kernel, processor: Processor) -> int:
    return processor.lanes(max(e.dtype.itemsize for e in kernel.expressions))


# kernels without a reduction


def _in_sequence(kernel: Kernel) -> Tiling:
    """One point after the other: what is added to may be added to again by the next."""
    order = tuple(range(kernel.outputs))
    return Tiling(0, 1, tuple(1 for _ in order), order)


def _streaming(kernel: Kernel, processor: Processor) -> Tiling:
    """Some vectors at once, along the axis along which most of what is stored and loaded is contiguous."""
    order = tuple(range(kernel.outputs))
    if not order:
        return Tiling(0, 1, (), ())
    axis = max(order, key=lambda a: (_contiguous(kernel, a), a))
    lanes = min(_lanes(kernel, processor), kernel.sizes[axis])
    vectors = min(_vectors_at_once(kernel), max(kernel.sizes[axis] // lanes, 1))
    cells = tuple(vectors if a == axis else 1 for a in order)
    return Tiling(axis, lanes, cells, (*(a for a in order if a != axis), axis))


def _contiguous(kernel: Kernel, axis: int) -> int:
    """Stores and loads that are contiguous along an axis; a store counts twice, as its lanes would go one by one."""
    stores = sum(2 * (s.view.strides[axis] == 1) for s in kernel.stores)
    return stores + sum((load.view.strides[axis] == 1) for load in kernel.loads)


def _vectors_at_once(kernel: Kernel) -> int:
    expensive = sum(isinstance(e, Apply) and model.is_expensive(e.op) for e in kernel.evaluated)
    return model.STREAM[min(expensive, len(model.STREAM) - 1)]


# kernels with a reduction


def _reducing(kernel: Kernel, processor: Processor) -> Tiling:
    inside = walk([r.expression for r in kernel.reductions])
    loads = [e for e in inside if isinstance(e, Load)]
    tile = best_tile(_loop_nest(kernel, processor, inside, loads))
    packed = () if tile.packed is None else (loads[tile.packed],)
    return Tiling(tile.axis, tile.lanes, tile.cells, tile.order, packed)


def _loop_nest(kernel: Kernel, processor: Processor, inside: list[Expression], loads: list[Load]) -> LoopNest:
    known: dict[Expression, frozenset[int]] = {}
    return LoopNest(
        kernel.sizes,
        kernel.outputs,
        len(kernel.reductions),
        tuple(_reading(load, known) for load in loads),
        tuple(_operations(kernel, inside, known)),
        tuple(s.view.strides for s in kernel.stores if not s.folding),
        _lanes(kernel, processor),
        processor.registers,
    )


def _reading(load: Load, known: dict[Expression, frozenset[int]]) -> Reading:
    scattered = frozenset[int]().union(*(axes_of(e, known) for e, _ in load.view.indirect))
    return Reading(load.view.strides, load.dtype.itemsize, axes_of(load, known), scattered)


def _operations(
    kernel: Kernel, inside: list[Expression], known: dict[Expression, frozenset[int]]
) -> list[frozenset[int]]:
    """The axes of each operation; a product that is accumulated is one operation with the addition."""
    accumulated = {r.expression for r in kernel.reductions}
    operations = [e for e in inside if isinstance(e, Apply) and not (e in accumulated and e.op is ops.MULTIPLY)]
    everywhere = frozenset(range(len(kernel.sizes)))
    return [*(axes_of(e, known) for e in operations), *[everywhere] * len(kernel.reductions)]


# blocks


def _blocked(kernel: Kernel) -> Kernel:
    """A tiled kernel whose inner loop goes through more than the second cache holds, in blocks that it does hold.

    The inner axis is split in two; the outer part becomes the outermost loop.
    """
    tiling = kernel.tiling
    if tiling is None or not tiling.packed or len(tiling.order) != 2:
        return kernel
    inner = tiling.order[1]
    block = _block(kernel, tiling, inner)
    if block in (0, kernel.sizes[inner]) or block < model.SHORTEST_BLOCK * tiling.cells[inner]:
        return kernel
    parts = split(kernel, inner, block)
    cells = (*tiling.cells[:inner], 1, *tiling.cells[inner:])
    packed = tuple(new for old, new in zip(kernel.loads, parts.loads, strict=True) if old in tiling.packed)
    outer, moved = inner, [axis + (axis >= inner) for axis in (*tiling.order, tiling.axis)]
    return parts.with_tiling(Tiling(moved[-1], tiling.lanes, cells, (outer, *moved[:-1]), packed))


def _block(kernel: Kernel, tiling: Tiling, inner: int) -> int:
    """The most points of the inner axis, a divisor, of which half of the second cache holds the operand; or 0."""
    streamed = [load for load in kernel.loads if load.view.strides[inner] and load not in tiling.packed]
    row = prod(kernel.sizes[kernel.outputs :]) * streamed[0].dtype.itemsize if streamed else 0
    if row * kernel.sizes[inner] <= model.SECOND_CACHE:
        return 0
    most = min(model.SECOND_CACHE // 2 // row, kernel.sizes[inner])
    return next((n for n in range(most, 0, -1) if kernel.sizes[inner] % n == 0), 0)
