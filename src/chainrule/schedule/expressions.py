"""What a kernel computes at one point: expressions of elements that are loaded, which print, and share their parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph.ops import Op
from chainrule.graph.types import Type
from chainrule.graph.walks import post_order

__all__ = [
    "HOST", "INTEGER", "Apply", "Buffer", "Expression", "Load", "Number", "Position", "Result", "Spelling", "View",
    "axes_of", "below", "walk",
]  # fmt: skip

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


_LONG = 200  # characters of an expression that is not spelled twice


class Spelling:
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
