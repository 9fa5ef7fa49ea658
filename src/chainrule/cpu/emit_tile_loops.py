"""Loops over a kernel's axes: whole tiles, then the rest as a smaller one; long sums go in blocks.

The error of a sum grows with the number of terms that are added up one after the other. So a longer one goes in blocks,
and blocks of blocks, each from zero: the error grows as the logarithm of the number of terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from chainrule.cpu.emit_values import Values
from chainrule.cpu.interruption import Asking, axis_to_ask_at
from chainrule.cpu.ir import I64, NativeFunction, Value
from chainrule.cpu.register_tile import RegisterTile

__all__ = ["RUN", "TileLoops"]

RUN = 16  # terms of a sum, or blocks of it, that are added up one after the other

Carried = list[Value]
Body = Callable[[Carried], Carried]
InBlock = Callable[[Carried, Body], Carried]


class TileLoops:
    """Writes the loops around a kernel's tile."""

    def __init__(self, tile: RegisterTile, values: Values, asking: Asking | None) -> None:
        self._tile = tile
        self._kernel = tile.kernel
        self._function = tile.function
        self._values = values
        self._asking = asking
        self._ask_at, self._rounds_between = axis_to_ask_at(tile.kernel) if asking else (-1, 0)

    def along(
        self, axis: int, body: Callable[[], None], *, step: int = 0, run: int = 0, in_block: InBlock | None = None
    ) -> None:
        """A loop in which nothing is carried from round to round; in blocks of `run` rounds, if there is a way to."""

        def one_round(carried: Carried) -> Carried:
            body()
            return carried

        self.carrying(axis, [], one_round, step=step, run=run, in_block=in_block)

    def carrying(
        self, axis: int, carried: Carried, body: Body, *, step: int = 0, run: int = 0, in_block: InBlock | None = None,
    ) -> Carried:  # fmt: skip
        """A loop over whole tiles along an axis, then the rest as one smaller tile; what is carried at the end."""
        size, step = self._kernel.sizes[axis], step or self._tile.tiling.step(axis)
        whole = size // step * step
        if whole:
            carried = self._tiles(axis, range(0, whole, step), carried, body, run, in_block)
        if whole < size:
            carried = self._tiles(axis, range(whole, size, size - whole), carried, body, run, in_block)
        return carried

    def _tiles(
        self, axis: int, begins: range, carried: Carried, body: Body, run: int, in_block: InBlock | None
    ) -> Carried:
        """Tiles of one size; without a loop, if it is one."""
        self._tile.take(axis, begins.step)

        def one_tile(begin: Value, values: Carried) -> Carried:
            with self._tile.inside(axis, begin):
                if self._asking and axis == self._ask_at:
                    self._asking.every(self._rounds_between, begin, begins.step)
                self._values.hoist()
                return body(values)

        first = _integer(begins.start)
        if len(begins) == 1:
            return one_tile(first, carried)
        stop = _integer(begins.stop)
        if in_block is None:
            return self._function.loop(first, stop, begins.step, carried, one_tile)
        return self._in_blocks(first, stop, begins.step, len(begins), carried, one_tile, run, in_block)

    def _in_blocks(
        self, start: Value, stop: Value, step: int, count: int, carried: Carried,
        one_tile: Callable[[Value, Carried], Carried], run: int, in_block: InBlock,
    ) -> Carried:  # fmt: skip
        """At most `count` rounds from `start` on: if they are more than `run`, in blocks."""
        if count <= run:
            return self._function.loop(start, stop, step, carried, one_tile)
        block = run
        while block * RUN < count:
            block *= RUN

        def one_block(first: Value, totals: Carried) -> Carried:
            after = self._function.add(first, _integer(block * step))
            end = self._function.select(self._function.icmp("slt", after, stop), after, stop)
            return in_block(
                totals, lambda zero: self._in_blocks(first, end, step, block, zero, one_tile, run, in_block)
            )

        return self._function.loop(start, stop, block * step, carried, one_block)

    # how many rounds make a block

    def run(self, inner: Sequence[int], longest: int) -> int:
        """Rounds of a loop around the `inner` axes that make a sum of at most `longest` terms one after the other."""
        return max(longest // max(self._terms(inner, longest), 1), 1)

    def _terms(self, axes: Sequence[int], longest: int) -> int:
        """Terms, or sums of blocks, that the loops over the axes add to one accumulator."""
        if not axes:
            return 1
        rounds = ceil(self._kernel.sizes[axes[0]] / self._tile.tiling.step(axes[0]))
        run = self.run(axes[1:], longest)
        if rounds <= run:
            return rounds * self._terms(axes[1:], longest)
        blocks = ceil(rounds / run)
        while blocks > RUN:
            blocks = ceil(blocks / RUN)
        return blocks


def _integer(value: int) -> Value:
    return NativeFunction.constant(I64, value)
