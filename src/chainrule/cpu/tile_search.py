"""The best tiling of a kernel with a reduction: every sensible one is counted, the cheapest wins."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil, prod

from chainrule.cpu import cost_model as model
from chainrule.cpu.tile_cost import LoopNest, Reading, Tile, cycles

__all__ = ["best_tile"]


@functools.lru_cache(1024)  # networks repeat themselves: layers of one size, steps of time
def best_tile(nest: LoopNest) -> Tile:
    """The cheapest tile; where the operands outgrow the caches, of those that pack one of them."""
    candidates = list(_candidates(nest))
    packed = [tile for tile in candidates if tile.packed is not None]
    large = prod(nest.sizes) >= model.LARGE and packed
    return min(packed if large else candidates, key=lambda tile: cycles(nest, tile))


def _candidates(nest: LoopNest) -> Iterator[Tile]:
    """Vectors along each axis, with each number of cells, in each order of loops, packed or not."""
    order = tuple(range(nest.outputs))
    for axis in range(max(len(nest.sizes), 1)):
        lanes = min(nest.lanes, 1 << (nest.sizes[axis] - 1).bit_length()) if nest.sizes else 1
        for cells in _cells(nest, axis, lanes):
            yield from _ordered(nest, Tile(axis, lanes, cells, order))


def _cells(nest: LoopNest, axis: int, lanes: int) -> Iterator[tuple[int, ...]]:
    """Numbers of cells for each axis: several along at most two output axes, or along the innermost reduced one."""
    most = [ceil(size / lanes) if a == axis else size for a, size in enumerate(nest.sizes)]
    yield from _cells_of_outputs(nest, most)
    if nest.reduced:
        yield from (_with_cells(nest, {nest.reduced[-1]: n}) for n in model.UNROLLED if n <= most[-1])


def _cells_of_outputs(nest: LoopNest, most: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """As many cells as there are registers, and not too few: along axes that some load depends on."""
    loaded = frozenset[int]().union(*(load.axes for load in nest.loads))
    long = [axis for axis in range(nest.outputs) if axis in loaded and most[axis] > 1]
    for axes in itertools.combinations(long, min(len(long), 2)):
        choices = [range(1, min(most[axis], model.MOST_CELLS) + 1) for axis in axes]
        fewest = min(model.FEWEST_CELLS, prod(choice[-1] for choice in choices))
        for numbers in itertools.product(*choices):
            if fewest <= prod(numbers) <= nest.registers:
                yield _with_cells(nest, dict(zip(axes, numbers, strict=True)))


def _with_cells(nest: LoopNest, several: dict[int, int]) -> tuple[int, ...]:
    return tuple(several.get(axis, 1) for axis in range(len(nest.sizes)))


def _ordered(nest: LoopNest, tile: Tile) -> Iterator[Tile]:
    """The tile as it is; with its two inner loops the other way round; packed, if the vectors' axis is outermost."""
    turned = _turned(tile)
    yield tile
    if turned:
        yield turned
    for outermost in (turned, tile):
        if outermost and outermost.order[:1] == (tile.axis,):
            yield from _packed(nest, outermost)
            return


def _turned(tile: Tile) -> Tile | None:
    """The loops of the two axes that are tiled exchanged, all others outside them."""
    inner = [axis for axis in tile.order if tile.cells[axis] > 1 or axis == tile.axis]
    if len(inner) != 2:
        return None
    return replace(tile, order=(*(axis for axis in tile.order if axis not in inner), *reversed(inner)))


def _packed(nest: LoopNest, tile: Tile) -> Iterator[Tile]:
    """With a panel for the one load that changes along the vectors' axis and the reduced ones alone."""
    packable = [n for n, load in enumerate(nest.loads) if _is_packable(nest, tile, load)]
    if nest.outputs > 1 and len(packable) == 1:
        yield replace(tile, packed=packable[0])


def _is_packable(nest: LoopNest, tile: Tile, load: Reading) -> bool:
    return load.axes == {tile.axis, *nest.reduced}
