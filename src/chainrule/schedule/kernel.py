"""Kernels as data: loops over axes, what is computed at each point, what is stored. They print, and can be tested.

A kernel is

    for each point (i, j, …) of the output axes:
        results = for each point of the reduced axes: accumulate expressions
        for each store: buffer[view] = expression of the results

and nothing else: an elementwise loop has no reduced axes; a matrix product is the sum over k of a product of two loads.
Which tile of the output is held in registers, and along which axis vectors run, is said by the `Tiling`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from chainrule.graph.types import Type
from chainrule.schedule.expressions import HOST, Apply, Buffer, Expression, Load, Position, Spelling, View, walk

__all__ = ["FOLD_CELLS", "FOLD_LANES", "Kernel", "Reduction", "Store", "Tiling", "rebuilt"]

FOLD_LANES, FOLD_CELLS = 16, 2  # as many partial sums as a folding store keeps: of lanes, of every other cell
_AXES = "ijklmnpqrstu"  # their names in the text


@dataclass(frozen=True, slots=True)
class Reduction:
    """Accumulate an expression over the reduced axes: "sum" or "max"."""

    kind: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Store:
    """Write an expression to a buffer; `adding` adds it to what is there, one point after the other.

    A `folding` store adds up the expression over all points, in the buffer's few elements, which remain to be added.
    """

    buffer: Buffer
    view: View
    expression: Expression
    adding: bool = False
    folding: bool = False

    def lines(self, spelling: Spelling) -> list[str]:
        """As text; before it, the expressions that are named in it first."""
        element = f"{self.buffer.name}[{self.view.spelled(spelling.of)}]"
        sign = "+= sum of" if self.folding else "+=" if self.adding else "="
        return spelling.line(f"{element} {sign}", self.expression, [index for index, _ in self.view.indirect])


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a kernel's points are taken: vectors of `lanes` along `axis`, `cells[a]` of them (or single points) at once.

    `order` is the order of the output axes' loops, outermost first. The loads in `packed` are copied, for each tile of
    the outermost axis, into a contiguous panel that the inner loops then read.
    """

    axis: int
    lanes: int
    cells: tuple[int, ...]
    order: tuple[int, ...]
    packed: tuple[Load, ...] = ()

    def step(self, axis: int) -> int:
        """Points that one tile takes along an axis."""
        return self.cells[axis] * (self.lanes if axis == self.axis else 1)


@dataclass(frozen=True)
class Kernel:
    """One loop nest: `sizes` of its axes, of which the first `outputs` are output axes and the others are reduced."""

    sizes: tuple[int, ...]
    outputs: int
    reductions: tuple[Reduction, ...]
    stores: tuple[Store, ...]
    origin: str = ""
    name: str = ""
    tiling: Tiling | None = field(default=None)
    panel: Buffer | None = field(default=None)
    asks: bool = False  # now and then, whether to end

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions that are accumulated, then those that are stored."""
        return tuple(r.expression for r in self.reductions) + tuple(s.expression for s in self.stores)

    @cached_property
    def evaluated(self) -> tuple[Expression, ...]:
        """Every expression that the kernel evaluates, once, operands first."""
        roots = [*self.expressions, *(e for s in self.stores for e, _ in s.view.indirect)]
        return tuple(walk(roots))

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """Every load of the kernel."""
        return tuple(e for e in self.evaluated if isinstance(e, Load))

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """The buffers that the kernel's function takes, in order."""
        found = dict.fromkeys([*(load.buffer for load in self.loads), *(s.buffer for s in self.stores)])
        return (*found, *([self.panel] if self.panel else []), *([HOST] if self.asks else []))

    @cached_property
    def reads(self) -> frozenset[Buffer]:
        """The buffers that are read."""
        return frozenset(load.buffer for load in self.loads)

    @cached_property
    def writes(self) -> frozenset[Buffer]:
        """The buffers that are written."""
        return frozenset(store.buffer for store in self.stores)

    def with_buffers(self, renamed: Callable[[Buffer], Buffer]) -> Kernel:
        """The kernel with other buffers."""
        return rebuilt(self, buffer=renamed)

    @property
    def points(self) -> int:
        """Points of all axes together."""
        return int(np.prod(self.sizes, dtype=np.int64))

    @property
    def flops(self) -> int:
        """Floating-point operations, a transcendental function counted as one."""
        inner = sum(_operations(r.expression) + 1 for r in self.reductions)
        outer = int(np.prod(self.sizes[: self.outputs], dtype=np.int64))
        stored = walk([s.expression for s in self.stores])
        return self.points * inner + outer * sum(isinstance(e, Apply) and e.dtype.kind == "f" for e in stored)

    @property
    def bytes(self) -> int:
        """Bytes of the distinct buffers read and written."""
        return sum(b.type.bytes for b in [*self.reads, *self.writes])

    def with_tiling(self, tiling: Tiling) -> Kernel:
        """The kernel to be run with a tiling, and with the scratch memory that its packed loads need."""
        if not tiling.packed:
            return replace(self, tiling=tiling)
        elements = int(np.prod(self.sizes[self.outputs :], dtype=np.int64)) * tiling.step(tiling.axis)
        return replace(self, tiling=tiling, panel=Buffer("panel", Type((elements,), tiling.packed[0].dtype)))

    @property
    def heading(self) -> str:
        """The first line of the kernel's text: its name, its loops, where it was written."""
        loops = _loops(self.sizes, range(self.outputs))
        return f"{self.name}: for {loops or 'one place'}" + (f"   # {self.origin}" if self.origin else "")

    def __str__(self) -> str:
        spelling = Spelling(self.evaluated)
        lines = [self.heading]
        for n, reduction in enumerate(self.reductions):
            loops = _loops(self.sizes, range(self.outputs, len(self.sizes)))
            lines += spelling.line(f"acc{n} = {reduction.kind} {loops}:", reduction.expression)
        for store in self.stores:
            lines += store.lines(spelling)
        return "\n".join([*lines, *self._tile_lines()])

    def _tile_lines(self) -> list[str]:
        """What the tiling says, and what the kernel does."""
        if self.tiling is None:
            return []
        steps = {a: self.tiling.step(a) for a in range(len(self.sizes))}
        tile = " x ".join(f"{step}{_AXES[a]}" for a, step in steps.items() if step > 1) or "1"
        packed = ", ".join(load.buffer.name for load in self.tiling.packed)
        told = f"tile {tile}, {self.tiling.lanes} lanes" + (f", packed {packed}" if packed else "")
        return [f"    {told}, {self.flops} flops, {self.bytes} bytes"]


def _loops(sizes: Sequence[int], axes: range) -> str:
    """The loops over axes, as text."""
    return " ".join(f"{name}<{sizes[a]}" for a, name in enumerate(_AXES) if a in axes)


def _operations(root: Expression) -> int:
    return sum(isinstance(e, Apply) and e.dtype.kind == "f" for e in walk([root]))


def rebuilt(
    kernel: Kernel,
    *,
    buffer: Callable[[Buffer], Buffer] = lambda b: b,
    strides: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda s: s,
    start: Callable[[Buffer], int] = lambda b: 0,
) -> Kernel:
    """The kernel with its buffers, the strides of its views or the starts of its buffers changed, sharing as before."""
    return _Rebuilding(buffer, strides, start).of(kernel)


class _Rebuilding:
    """What is changed, and what the expressions have become."""

    def __init__(
        self,
        buffer: Callable[[Buffer], Buffer],
        strides: Callable[[tuple[int, ...]], tuple[int, ...]],
        start: Callable[[Buffer], int],
    ) -> None:
        self._buffer, self._strides, self._start = buffer, strides, start
        self._became: dict[Expression, Expression] = {}

    def of(self, kernel: Kernel) -> Kernel:
        """The kernel, changed."""
        for e in kernel.evaluated:
            self._became[e] = self._changed(e)
        return replace(
            kernel,
            tiling=kernel.tiling and self._tiling(kernel.tiling),
            reductions=tuple(replace(r, expression=self._became[r.expression]) for r in kernel.reductions),
            stores=tuple(map(self._store, kernel.stores)),
        )

    def _changed(self, e: Expression) -> Expression:
        """An expression whose operands have been changed before it."""
        match e:
            case Load():
                return Load(e.dtype, self._buffer(e.buffer), self._view(e.view, self._start(e.buffer)))
            case Position():
                return Position(e.dtype, self._view(e.view, 0))
            case Apply():
                return Apply(e.dtype, e.op, tuple(self._became[operand] for operand in e.operands))
        return e

    def _view(self, v: View, start: int) -> View:
        return View(v.offset - start, self._strides(v.strides), tuple((self._became[e], s) for e, s in v.indirect))

    def _store(self, s: Store) -> Store:
        view = self._view(s.view, self._start(s.buffer))
        return replace(s, buffer=self._buffer(s.buffer), view=view, expression=self._became[s.expression])

    def _tiling(self, tiling: Tiling) -> Tiling:
        packed = (self._became.get(load) for load in tiling.packed)
        return replace(tiling, packed=tuple(load for load in packed if isinstance(load, Load)))
