"""The tile of a kernel that is held in registers, while its code is written."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chainrule.cpu.ir import NativeFunction, Value
from chainrule.schedule.expressions import Expression, View, axes_of
from chainrule.schedule.kernel import Kernel

__all__ = ["Cell", "RegisterTile", "Segment"]


@dataclass(frozen=True, slots=True)
class Segment:
    """What a cell takes of an axis: how far from where the tile begins, and how many points."""

    offset: int
    lanes: int = 1


Cell = tuple[Segment, ...]  # one segment of each axis: what one register holds


class RegisterTile:
    """Where the tile begins along each axis, of which segments it consists, and what has been computed for it.

    An expression is evaluated at most once for each combination of the segments that it depends on. That is all a
    matrix product needs: a load that does not depend on j is made once for the whole row of the tile.
    """

    def __init__(self, kernel: Kernel, function: NativeFunction) -> None:
        assert kernel.tiling is not None
        self.kernel = kernel
        self.tiling = kernel.tiling
        self.function = function
        self.vector_axis = kernel.tiling.axis
        self.begin: list[Value | None] = [None] * len(kernel.sizes)  # of the axes that are being looped over
        self.segments: list[list[Segment]] = [[Segment(0)] for _ in kernel.sizes]
        self._axes: dict[Expression, frozenset[int]] = {}
        self._scopes: list[dict[tuple[Any, ...], Value]] = [{}]  # what has been computed, innermost loop last

    def axes_of(self, e: Expression) -> frozenset[int]:
        """The axes that an expression depends on."""
        return axes_of(e, self._axes)

    # loops

    @property
    def bound(self) -> set[int]:
        """The axes that are being looped over."""
        return {axis for axis, begin in enumerate(self.begin) if begin is not None}

    def take(self, axis: int, points: int) -> None:
        """From now on the tile takes so many points of an axis."""
        lanes = self.tiling.lanes if axis == self.vector_axis else 1
        self.segments[axis] = [Segment(n, min(lanes, points - n)) for n in range(0, points, lanes)]

    @contextmanager
    def inside(self, axis: int, begin: Value) -> Iterator[None]:
        """Inside the loop over an axis: what is computed here is known here alone."""
        self.begin[axis] = begin
        self._scopes.append({})
        yield
        self._scopes.pop()
        self.begin[axis] = None

    # cells

    def cells(self, axes: Collection[int]) -> list[Cell]:
        """The combinations of segments of the axes."""
        choices = [segments if axis in axes else [Segment(0)] for axis, segments in enumerate(self.segments)]
        return list(itertools.product(*choices))

    def lanes(self, cell: Cell) -> int:
        """How many points one register holds for a cell."""
        return cell[self.vector_axis].lanes if cell else 1

    def lanes_of(self, e: Expression, cell: Cell) -> int:
        """The same for an expression: one, if it does not depend on the vectors' axis."""
        return self.lanes(cell) if self.vector_axis in self.axes_of(e) else 1

    def stride(self, view: View) -> int:
        """The distance from lane to lane."""
        return view.strides[self.vector_axis] if view.strides else 0

    # what has been computed

    def known(self, key: tuple[Any, ...]) -> Value | None:
        """What has been remembered under a key in this loop or in one around it."""
        return next((scope[key] for scope in reversed(self._scopes) if key in scope), None)

    def known_here(self, key: tuple[Any, ...]) -> Value | None:
        """What has been remembered in this very loop."""
        return self._scopes[-1].get(key)

    def remember(self, key: tuple[Any, ...], value: Value) -> Value:
        """The value, known from now on in this loop."""
        self._scopes[-1][key] = value
        return value
