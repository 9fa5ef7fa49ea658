"""How many cycles a kernel with a reduction takes in a given tiling, by the numbers of the cost model."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import ceil, prod

from chainrule.cpu import cost_model as model

__all__ = ["LoopNest", "Reading", "Tile", "cycles"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A load: its strides along the axes, in elements, and which axes it depends on."""

    strides: tuple[int, ...]
    itemsize: int
    axes: frozenset[int]
    scattered: frozenset[int]  # the axes along which an index chooses the element


@dataclass(frozen=True, slots=True)
class LoopNest:
    """All of a kernel and its processor that the best tiling depends on: what is alike is searched once."""

    sizes: tuple[int, ...]
    outputs: int
    reductions: int
    loads: tuple[Reading, ...]
    operations: tuple[frozenset[int], ...]  # the axes that each operation in the innermost loop depends on
    stores: tuple[tuple[int, ...], ...]  # the strides of what is stored, not folded
    lanes: int
    registers: int

    @property
    def reduced(self) -> range:
        """The axes that are summed over."""
        return range(self.outputs, len(self.sizes))


@dataclass(frozen=True, slots=True)
class Tile:
    """A tiling, with which of the loads is packed."""

    axis: int
    lanes: int
    cells: tuple[int, ...]
    order: tuple[int, ...]
    packed: int | None = None

    def span(self, axis: int) -> int:
        """How many points of an axis the tile takes."""
        return self.cells[axis] * (self.lanes if axis == self.axis else 1)


def cycles(nest: LoopNest, tile: Tile) -> float:
    """The cycles of the whole kernel: of whole tiles and of the smaller ones at the edges, and of packing."""
    parts = [_parts(size, tile.span(axis)) for axis, size in enumerate(nest.sizes[: nest.outputs])]
    total = 0.0
    for combination in itertools.product(*parts):
        total += prod(count for count, _ in combination) * _of_tile(nest, tile, [points for _, points in combination])
    return total + _packing(nest, tile) + sum(_conflicts(nest, tile, n) for n in range(len(nest.loads)))


def _parts(size: int, span: int) -> list[tuple[int, int]]:
    """How many tiles take how many points of an axis: whole ones, and the rest."""
    return [(count, points) for count, points in ((size // span, span), (1, size % span)) if count and points]


def _of_tile(nest: LoopNest, tile: Tile, points: list[int]) -> float:
    """Cycles of one tile that takes so many points of each output axis."""
    cells = [_vectors(tile, axis, n) for axis, n in enumerate(points)]
    accumulators = prod(cells) * nest.reductions
    rounds = prod(_vectors(tile, axis, nest.sizes[axis]) for axis in nest.reduced)
    return rounds * _of_round(nest, tile, cells, accumulators) + _ending(nest, tile, accumulators) + model.TILE


def _vectors(tile: Tile, axis: int, points: int) -> int:
    return ceil(points / tile.lanes) if axis == tile.axis else points


def _unrolled(nest: LoopNest, tile: Tile) -> int:
    return tile.cells[-1] if nest.reduced else 1


def _of_round(nest: LoopNest, tile: Tile, cells: list[int], accumulators: int) -> float:
    """Cycles of one round of the reduction: what is computed and what is moved go on at the same time, nearly."""
    loaded = [_combinations(load.axes, cells) for load in nest.loads]
    unrolled = _unrolled(nest, tile)
    loading = sum(n * _load_cost(nest, tile, number) for number, n in enumerate(loaded))
    operations = sum(_combinations(axes, cells) for axes in nest.operations)
    waiting = model.LATENCY / unrolled * (1 if accumulators else 0)
    computing = max(operations / model.PER_CYCLE, loading / model.PER_CYCLE, waiting)
    moving = sum(_moving(nest, tile, n, load) for n, load in zip(loaded, nest.loads, strict=True))
    held = accumulators * unrolled + (min(loaded) if len(loaded) > 1 else 0) + 1
    spilled = max(held - nest.registers, 0)
    return max(computing, moving) + min(computing, moving) * model.NOT_HIDDEN + model.SPILL * spilled + model.ROUND


def _combinations(axes: frozenset[int], cells: list[int]) -> int:
    """How many of the tile's cells differ for what depends on these axes alone."""
    return prod(cells[axis] for axis in axes if axis < len(cells))


def _load_cost(nest: LoopNest, tile: Tile, number: int) -> float:
    """Instructions of a load of one vector."""
    load = nest.loads[number]
    stride = load.strides[tile.axis] if load.strides else 0
    beside = stride in (0, 1) and tile.axis not in load.scattered
    return 1.0 if number == tile.packed or beside else model.GATHER_LANE * tile.lanes


def _moving(nest: LoopNest, tile: Tile, loaded: int, load: Reading) -> float:
    """Cycles that what a load needs in one round takes to come from the cache that holds it.

    What the innermost of the tiles' loops does not change stays where it was put in the round before: that of one tile
    must fit. Of any other, all that the innermost loop goes through must.
    """
    inner = tile.order[-1] if tile.order else -1
    gone_through = [nest.sizes[axis] for axis in load.axes if axis in nest.reduced or axis == inner]
    stays = [min(tile.span(axis), nest.sizes[axis]) for axis in load.axes if axis < nest.outputs and axis != inner]
    lanes = tile.lanes if tile.axis in load.axes else 1
    return loaded * lanes * load.itemsize / _speed(prod(gone_through) * prod(stays) * load.itemsize)


def _speed(size: int) -> float:
    """Bytes per cycle that come from the cache in which so many bytes stay: half of the first is for all else."""
    if size <= model.FIRST_CACHE // 2:
        return model.FIRST_SPEED
    return model.SECOND_SPEED if size <= model.SECOND_CACHE else model.THIRD_SPEED


def _ending(nest: LoopNest, tile: Tile, accumulators: int) -> float:
    """Cycles after the reduction: unrolled sums added up, lanes added up or stored."""
    if tile.axis >= nest.outputs:
        return accumulators * (_unrolled(nest, tile) + (model.FOLD + model.FOLD_LANE * tile.lanes))
    scattered = sum(strides[tile.axis] != 1 for strides in nest.stores)
    return accumulators * (_unrolled(nest, tile) + 1.0) + accumulators * model.SCATTER_LANE * tile.lanes * scattered


def _packing(nest: LoopNest, tile: Tile) -> float:
    """Cycles that copying into a panel takes."""
    if tile.packed is None:
        return 0.0
    load = nest.loads[tile.packed]
    each = model.PACK_VECTOR / tile.lanes if load.strides[tile.axis] == 1 else model.PACK_ELEMENT
    return prod(nest.sizes[axis] for axis in load.axes) * each


def _conflicts(nest: LoopNest, tile: Tile, number: int) -> float:
    """Cycles lost where the rows of a tile lie so far apart that they push each other out of the cache."""
    load = nest.loads[number]
    reduced = [axis for axis in load.axes if axis in nest.reduced and axis != tile.axis]
    if number == tile.packed or not reduced or tile.axis not in load.axes:
        return 0.0
    rows = prod(nest.sizes[axis] for axis in reduced)
    apart = min(abs(load.strides[axis]) for axis in reduced) * load.itemsize
    room = model.FIRST_CACHE // (model.ALIASING if apart % model.ALIASES == 0 else 1)
    if apart < model.FAR_APART or rows * model.LINE < room:
        return 0.0
    tiles = prod(ceil(n / tile.span(axis)) for axis, n in enumerate(nest.sizes[: nest.outputs]))
    return tiles * rows * tile.cells[tile.axis] * model.CONFLICT
