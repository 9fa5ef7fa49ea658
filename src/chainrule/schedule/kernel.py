"""Kernels as data: loops over axes, what is computed at each point, what is stored. They print, and can be tested.

A kernel is

    for each point (i, j, …) of the output axes:
        results = for each point of the reduced axes: accumulate expressions
        for each store: buffer[view] = expression of the results

and nothing else: an elementwise loop has no reduced axes; a matrix product is the sum over k of a product of two loads.
Which tile of the output is held in registers, and along which axis vectors run, is said by the `Tiling`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.graph.ops import Op
from chainrule.graph.types import Type
from chainrule.graph.walks import post_order

__all__ = [
    "FOLD_CELLS", "FOLD_LANES", "HOST", "INTEGER", "Apply", "Buffer", "Expression", "Kernel", "Load", "Number",
    "Position", "Reduction", "Result", "Store", "Tiling", "View", "axes_of", "below", "rebuilt", "walk",
]  # fmt: skip

FOLD_LANES, FOLD_CELLS = 16, 2  # as many partial sums as a folding store keeps: of lanes, of every other cell

DType = np.dtype[Any]
INTEGER = Type((), np.dtype(np.int64))


@dataclass(frozen=True, eq=False, slots=True)
class Buffer:
    """A run of memory that holds an array in row-major order."""

    name: str
    type: Type

    def __str__(self) -> str:
        return f"{self.name}: {self.type}"


#: Stands for the address of the function by which a program calls Python.
HOST = Buffer("host", INTEGER)


@dataclass(frozen=True, slots=True)
class View:
    """Which element of a buffer, as a function of the kernel's axes: `offset + Σ strides[a]·a + Σ stride·index`.

    `indirect` holds the indices that are themselves loaded, each with its stride.
    """

    offset: int
    strides: tuple[int, ...]
    indirect: tuple[tuple[Expression, int], ...] = ()

    def scaled(self, factor: int) -> View:
        """The view times an integer."""
        indirect = tuple((e, s * factor) for e, s in self.indirect)
        return View(self.offset * factor, tuple(s * factor for s in self.strides), indirect)

    def plus(self, other: View) -> View:
        """The sum of two views."""
        strides = tuple(a + b for a, b in zip(self.strides, other.strides, strict=True))
        return View(self.offset + other.offset, strides, self.indirect + other.indirect)

    def shifted(self, offset: int) -> View:
        """The view further along by `offset`."""
        return View(self.offset + offset, self.strides, self.indirect)

    def spelled(self, text: Callable[[Expression], str]) -> str:
        """As text, in which `text` stands for an index that is loaded."""
        terms = [f"{s}·{a}" if s != 1 else a for a, s in zip("ijklmnpqrstu", self.strides, strict=False) if s]
        terms += [f"{s}·{text(e)}" for e, s in self.indirect]
        return " + ".join([*terms, *([str(self.offset)] if self.offset or not terms else [])])


@dataclass(frozen=True, eq=False, slots=True)
class Expression:
    """What is computed at one point. Equal only to itself, so that sharing is by identity."""

    dtype: DType

    def spelled(self, text: Callable[[Expression], str]) -> str:
        """As text, in which `text` stands for each expression that this one is made of."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, slots=True)
class Load(Expression):
    """An element of a buffer."""

    buffer: Buffer
    view: View

    def spelled(self, text: Callable[[Expression], str]) -> str:
        """The buffer and which element."""
        return f"{self.buffer.name}[{self.view.spelled(text)}]"


@dataclass(frozen=True, eq=False, slots=True)
class Number(Expression):
    """A constant."""

    value: float | int | bool

    def spelled(self, text: Callable[[Expression], str]) -> str:
        """The number."""
        return repr(self.value)


@dataclass(frozen=True, eq=False, slots=True)
class Position(Expression):
    """The view itself, as a number: where along an axis the point lies."""

    view: View

    def spelled(self, text: Callable[[Expression], str]) -> str:
        """The view in parentheses."""
        return f"({self.view.spelled(text)})"


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Apply(Expression):
    """An elementwise operation on expressions."""

    op: Op
    operands: tuple[Expression, ...]

    def __repr__(self) -> str:
        return f"<{self.op} {self.dtype}>"  # what is below it may be shared, and written out exponentially long

    def spelled(self, text: Callable[[Expression], str]) -> str:
        """The operation and its operands."""
        return f"{self.op.name}({', '.join(map(text, self.operands))})"


@dataclass(frozen=True, eq=False, slots=True)
class Result(Expression):
    """What reduction number `index` of the kernel has accumulated."""

    index: int

    def spelled(self, text: Callable[[Expression], str]) -> str:
        """The accumulator's name."""
        return f"acc{self.index}"


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
        loops = " ".join(f"{a}<{n}" for a, n in zip("ijklmnpqrstu", self.sizes[: self.outputs], strict=False))
        return f"{self.name}: for {loops or 'one place'}" + (f"   # {self.origin}" if self.origin else "")

    def __str__(self) -> str:
        letters = "ijklmnpqrstu"
        lines, spelling = [self.heading], _Spelling(self.evaluated)
        reduced = " ".join(
            f"{a}<{n}" for a, n in zip(letters[self.outputs :], self.sizes[self.outputs :], strict=False)
        )
        for n, reduction in enumerate(self.reductions):
            lines += spelling.line(f"acc{n} = {reduction.kind} {reduced}:", reduction.expression)
        for store in self.stores:
            element = f"{store.buffer.name}[{store.view.spelled(spelling.of)}]"
            indices = [index for index, _ in store.view.indirect]
            sign = "+= sum of" if store.folding else "+=" if store.adding else "="
            lines += spelling.line(f"{element} {sign}", store.expression, indices)
        if self.tiling:
            t = self.tiling
            tile = " x ".join(f"{t.step(a)}{letters[a]}" for a in range(len(self.sizes)) if t.step(a) > 1) or "1"
            packed = f", packed {', '.join(load.buffer.name for load in t.packed)}" if t.packed else ""
            lines.append(f"    tile {tile}, {t.lanes} lanes{packed}, {self.flops} flops, {self.bytes} bytes")
        return "\n".join(lines)


_LONG = 200  # characters of an expression that is not spelled twice


class _Spelling:
    """Expressions as text, where what is long and used again has a name: written out, it would grow exponentially."""

    def __init__(self, expressions: Sequence[Expression]) -> None:
        uses = Counter(operand for e in expressions for operand in below(e))
        self._texts: dict[Expression, str] = {}
        self._named: dict[Expression, str] = {}
        for e in expressions:
            text = e.spelled(self.of)
            if uses[e] > 1 and len(text) > _LONG:
                text, self._named[e] = f"v{len(self._named)}", text
            self._texts[e] = text

    def of(self, e: Expression) -> str:
        """The expression as text, or its name."""
        return self._texts[e]

    def line(self, start: str, e: Expression, indices: Sequence[Expression] = ()) -> list[str]:
        """The line that says what is done with `e`; before it, those of the names that are new in it or in indices."""
        new = [part for part in walk([*indices, e]) if part in self._named]
        return [*(f"    {self.of(part)} = {self._named.pop(part)}" for part in new), f"    {start} {self.of(e)}"]


def walk(roots: list[Expression], known: Container[Expression] = ()) -> list[Expression]:
    """Every expression below the roots, once, operands first; without those that are known and what is below them."""
    return post_order((e for e in roots if e not in known), lambda e: [part for part in below(e) if part not in known])


def below(e: Expression) -> Sequence[Expression]:
    """The expressions that `e` is made of directly."""
    if isinstance(e, Apply):
        return e.operands
    return [index for index, _ in e.view.indirect] if isinstance(e, Load | Position) else ()


def _operations(root: Expression) -> int:
    return sum(isinstance(e, Apply) and e.dtype.kind == "f" for e in walk([root]))


def axes_of(e: Expression, known: dict[Expression, frozenset[int]]) -> frozenset[int]:
    """The axes that an expression depends on; `known` remembers what was found."""
    if e not in known:
        for part in walk([e], known):
            known[part] = _own_axes(part).union(*(known[operand] for operand in below(part)))
    return known[e]


def _own_axes(e: Expression) -> frozenset[int]:
    if isinstance(e, Load | Position):
        return frozenset(a for a, s in enumerate(e.view.strides) if s)
    return frozenset({-1}) if isinstance(e, Result) else frozenset()


def rebuilt(
    kernel: Kernel,
    *,
    buffer: Callable[[Buffer], Buffer] = lambda b: b,
    strides: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda s: s,
    start: Callable[[Buffer], int] = lambda b: 0,
) -> Kernel:
    """The kernel with its buffers, the strides of its views or the starts of its buffers changed, sharing as before."""
    known: dict[Expression, Expression] = {}

    def view(v: View, start: int = 0) -> View:
        return View(v.offset - start, strides(v.strides), tuple((known[e], s) for e, s in v.indirect))

    def changed(e: Expression) -> Expression:
        match e:
            case Load():
                return Load(e.dtype, buffer(e.buffer), view(e.view, start(e.buffer)))
            case Position():
                return Position(e.dtype, view(e.view))
            case Apply():
                return Apply(e.dtype, e.op, tuple(known[operand] for operand in e.operands))
        return e

    for e in kernel.evaluated:
        known[e] = changed(e)

    tiling = kernel.tiling
    if tiling:
        tiling = replace(tiling, packed=tuple(e for e in map(known.get, tiling.packed) if isinstance(e, Load)))
    return replace(
        kernel,
        tiling=tiling,
        reductions=tuple(replace(r, expression=known[r.expression]) for r in kernel.reductions),
        stores=tuple(
            replace(s, buffer=buffer(s.buffer), view=view(s.view, start(s.buffer)), expression=known[s.expression])
            for s in kernel.stores
        ),
    )
