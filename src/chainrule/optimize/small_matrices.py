"""Linear algebra of matrices of up to three rows, written out: no call to LAPACK in the middle of a program.

Elimination with partial pivoting is LAPACK's own algorithm, so that the results are as good as its results; rows are
exchanged by choosing between numbers. As nothing can be raised in the middle of a program, what divides by a pivot of
zero is nan, as is the root of a pivot that is not positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, full
from chainrule.graph.ops import Op
from chainrule.graph.rewrite import rewritten
from chainrule.graph.types import Type

__all__ = ["with_small_matrices"]

_LARGEST = 3  # rows of what is written out
_NUMBERS = np.dtype(np.int32)


def with_small_matrices(graph: Graph) -> Graph:
    """A graph with the same outputs in which small matrices are eliminated number by number; itself if it has none."""
    if not any(_is_small(node) for node in graph.nodes()):
        return graph
    return rewritten(graph, lambda node, again: _WRITTEN_OUT[node.op](*again.inputs) if _is_small(node) else again)


def _is_small(node: Node) -> bool:
    return node.op in _WRITTEN_OUT and 0 < node.inputs[0].type.shape[-1] <= _LARGEST


# numbers, one for each matrix of a stack


def _of(op: Op, *inputs: Node) -> Node:
    return Node(op, inputs)


def _like(value: float, x: Node) -> Node:
    return full(value, x.type)


def _less(a: Node, b: Node) -> Node:
    return _of(ops.LESS, a, b)


def _rows(x: Node) -> list[Node]:
    """The parts of the axis before the last."""
    return [_part(x, n, x.type.rank - 2) for n in range(x.type.shape[-2])]


def _numbers(x: Node) -> list[list[Node]]:
    """The elements of a stack of matrices."""
    return [[_part(row, n, row.type.rank - 1) for n in range(row.type.shape[-1])] for row in _rows(x)]


def _part(x: Node, n: int, axis: int) -> Node:
    shape = x.type.shape
    start = tuple(n if a == axis else 0 for a in range(len(shape)))
    size = tuple(1 if a == axis else extent for a, extent in enumerate(shape))
    found = Node(ops.SLICE, (x,), (start, size, (1,) * len(shape)))
    return Node(ops.RESHAPE, (found,), (shape[:axis] + shape[axis + 1 :],))


def _stacked(parts: Sequence[Node], axis: int) -> Node:
    """Parts of one type side by side along a new axis."""
    shape = parts[0].type.shape
    whole = (*shape[:axis], len(parts), *shape[axis:])
    axes = tuple(n for n in range(len(whole)) if n != axis)
    wide = [Node(ops.BROADCAST, (part,), (whole, axes)) for part in parts]
    number = Node(ops.IOTA, (), (axis, Type(whole, _NUMBERS)))
    found = wide[-1]
    for n in reversed(range(len(parts) - 1)):
        found = _of(ops.SELECT, _of(ops.EQUAL, number, _like(n, number)), wide[n], found)
    return found


def _matrix(rows: Sequence[Sequence[Node]]) -> Node:
    rank = rows[0][0].type.rank
    return _stacked([_stacked(row, rank) for row in rows], rank)


def _scaled(row: Node, factor: Node) -> Node:
    """A row for each matrix of a stack times a number for each."""
    return _of(ops.MULTIPLY, row, _wide(factor, row))


def _wide(x: Node, row: Node) -> Node:
    return x if x.type == row.type else Node(ops.BROADCAST, (x,), (row.type.shape, tuple(range(x.type.rank))))


# elimination


def _exchanged(wanted: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """Two numbers, or rows, exchanged where that is wanted."""
    condition = Node(ops.BROADCAST, (wanted,), (a.type.shape, tuple(range(wanted.type.rank))))
    condition = condition if a.type.rank != wanted.type.rank else wanted
    return _of(ops.SELECT, condition, b, a), _of(ops.SELECT, condition, a, b)


class _Elimination:
    """Matrices `a`, as numbers, made upper triangles together with rows beside them; how often rows were exchanged."""

    def __init__(self, a: Node, beside: Sequence[Node] = (), *, of_zero: float = math.nan) -> None:
        self.a = _numbers(a)
        self.beside = list(beside)
        self.sign = _like(1, self.a[0][0])
        self.of_zero = of_zero  # what divides in place of a pivot of zero
        for n in range(len(self.a)):
            self._find_pivot(n)
            self._eliminate(n)

    def _find_pivot(self, n: int) -> None:
        """Bring the row with the largest number in column n to row n."""
        for other in range(n + 1, len(self.a)):
            wanted = _less(*(_of(ops.ABSOLUTE, self.a[row][n]) for row in (n, other)))
            pairs = [_exchanged(wanted, *pair) for pair in zip(self.a[n][n:], self.a[other][n:], strict=True)]
            self.a[n][n:], self.a[other][n:] = ([pair[m] for pair in pairs] for m in (0, 1))
            if self.beside:
                self.beside[n], self.beside[other] = _exchanged(wanted, self.beside[n], self.beside[other])
            self.sign = _of(ops.SELECT, wanted, _of(ops.NEGATIVE, self.sign), self.sign)

    def _eliminate(self, n: int) -> None:
        for other in range(n + 1, len(self.a)):
            factor = _of(ops.DIVIDE, self.a[other][n], self.divisor(n))
            for column in range(n + 1, len(self.a)):
                self.a[other][column] = _less_product(self.a[other][column], self.a[n][column], factor)
            if self.beside:
                self.beside[other] = _less_product(self.beside[other], self.beside[n], factor)

    def divisor(self, n: int) -> Node:
        """The pivot, unless it is zero."""
        pivot = self.a[n][n]
        return _of(ops.SELECT, _of(ops.EQUAL, pivot, _like(0, pivot)), _like(self.of_zero, pivot), pivot)


def _less_product(x: Node, row: Node, factor: Node) -> Node:
    return _of(ops.SUBTRACT, x, _scaled(row, factor))


def _solve(a: Node, b: Node) -> Node:
    done = _Elimination(a, _rows(b))
    found: list[Node] = []
    for n in reversed(range(len(done.a))):
        rest = done.beside[n]
        for column, x in zip(range(n + 1, len(done.a)), found, strict=True):
            rest = _less_product(rest, x, done.a[n][column])
        found.insert(0, _of(ops.DIVIDE, rest, _wide(done.divisor(n), rest)))
    return _stacked(found, b.type.rank - 2)


def _slogdet(a: Node) -> Node:
    done = _Elimination(a, of_zero=1.0)
    sign, logarithm = done.sign, _like(0, done.sign)
    for n in range(len(done.a)):
        pivot = done.a[n][n]
        sign = _of(ops.MULTIPLY, sign, _of(ops.SIGN, pivot))
        logarithm = _of(ops.ADD, logarithm, _of(ops.LOG, _of(ops.ABSOLUTE, pivot)))
    return _stacked([sign, logarithm], sign.type.rank)


def _cholesky(a: Node) -> Node:
    given = _numbers(a)
    lower: list[list[Node]] = []
    for n, row in enumerate(given):
        found: list[Node] = []
        for column in range(n + 1):
            rest = row[column]
            for m in range(column):
                rest = _less_product(rest, found[m], (lower[column] if column < n else found)[m])
            found.append(_positive_root(rest) if column == n else _of(ops.DIVIDE, rest, lower[column][column]))
        lower.append(found)
    nothing = _like(0, given[0][0])
    return _matrix([[*row, *[nothing] * (len(given) - len(row))] for row in lower])


def _positive_root(x: Node) -> Node:
    return _of(ops.SELECT, _less(_like(0, x), x), _of(ops.SQRT, x), _like(math.nan, x))


_WRITTEN_OUT: Mapping[Op, Callable[..., Node]] = MappingProxyType(
    {ops.SOLVE: _solve, ops.SLOGDET: _slogdet, ops.CHOLESKY: _cholesky}
)
