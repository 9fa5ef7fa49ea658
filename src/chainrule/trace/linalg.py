"""NumPy's linear algebra, `chainrule.numpy.linalg`, for Arrays as for plain arrays.

What is not here is NumPy's own, for plain arrays. A singular matrix is NumPy's LinAlgError.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.linalg import LinAlgError as LinAlgError

from chainrule.errors import OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.graph.types import Type
from chainrule.trace import array as core
from chainrule.trace import contractions, shaping
from chainrule.trace import elementwise as ew
from chainrule.trace import reductions as red
from chainrule.trace.array import Array, apply, as_array
from chainrule.trace.recorded import offered, recorded

Axes = int | Sequence[int] | None


def __getattr__(name: str) -> Any:
    return getattr(np.linalg, name)


def _square(name: str, a: Any) -> Array:
    x = core.as_float(as_array(a))
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, not {x.node.type}.")
    return x  # type: ignore[no-any-return]


def _identity(x: Array) -> Array:
    """The identity, in the shape of a stack of square matrices."""
    square = Type(x.shape[-2:], np.dtype(np.int64))
    rows, columns = (apply(ops.IOTA, attributes=(axis, square)) for axis in (0, 1))
    return core.broadcast(core.astype(rows == columns, x.dtype), x.shape)


@recorded(np.linalg.solve)
def solve(a: Any, b: Any) -> Array:
    """The `x` with `a @ x = b`; a `b` of one axis is a vector, any other a stack of matrices.

    Source of the derivative: Giles, Collected matrix derivative results, 2008.
    """
    left, right = _square("solve", a), core.as_float(as_array(b))
    dtype = core.common_dtype([left, right])
    left, right = core.astype(left, dtype), core.astype(right, dtype)
    columns = right if right.ndim != 1 else core.reshape(right, (-1, 1))
    if columns.ndim < 2 or columns.shape[-2] != left.shape[-1]:
        raise ShapeError(f"solve: {left.node.type} and {right.node.type} do not fit together.")
    stack = core.broadcast_shape("solve", np.empty(left.shape[:-2], bool), np.empty(columns.shape[:-2], bool))
    wide = (core.broadcast(x, (*stack, *x.shape[-2:])) for x in (left, columns))
    found = apply(ops.SOLVE, *(x.node for x in wide))
    return core.reshape(found, found.shape[:-1]) if right.ndim == 1 else found


@recorded(np.linalg.inv)
def inv(a: Any) -> Array:
    """The inverses of square matrices."""
    x = _square("inv", a)
    return apply(ops.SOLVE, x.node, _identity(x).node)


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Array
    logabsdet: Array


@recorded(np.linalg.slogdet)
def slogdet(a: Any) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its absolute value: 0 and −∞ of a singular matrix."""
    both = apply(ops.SLOGDET, _square("slogdet", a).node)
    return SlogdetResult(both[..., 0], both[..., 1])


@recorded(np.linalg.det)
def det(a: Any) -> Array:
    """The determinant. Up to three rows it is the sum of products that defines it, with a derivative everywhere."""
    x = _square("det", a)
    if x.shape[-1] > 3:
        sign, logarithm = slogdet(x)
        return sign * ew.exp(logarithm)  # type: ignore[no-any-return]
    return _leibniz(x)


def _leibniz(x: Array) -> Array:
    """By the first row."""
    size = x.shape[-1]
    if size < 2:
        return x[..., 0, 0] if size else Array(full(1, x.node.type.with_shape(x.shape[:-2])))
    rest, found = x[..., 1:, :], []
    for n in range(size):
        minor = core.concatenated([rest[..., :n], rest[..., n + 1 :]], x.ndim - 1)
        found.append(x[..., 0, n] * _leibniz(minor))
    return functools.reduce(operator.add, (-term if n % 2 else term for n, term in enumerate(found)))


@recorded(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Array:
    """The lower triangle `l` with `a = l @ l.T`, or the upper one; only the lower half of `a` is read.

    The derivative is that for symmetric `a`, and symmetric itself.
    """
    lower = apply(ops.CHOLESKY, _square("cholesky", a).node)
    return shaping.matrix_transpose(lower) if upper else lower


@recorded(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Array:
    """The product of `n` times the matrix, of its inverse if `n` is negative."""
    x = as_array(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"matrix_power needs square matrices, not {x.node.type}.")
    x, left = (inv(x), -n) if n < 0 else (x, n)
    result = None
    while left:
        if left % 2:
            result = x if result is None else core.matmul(result, x)
        x, left = core.matmul(x, x) if left > 1 else x, left // 2
    return _identity(x) if result is None else result


@recorded(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any]) -> Array:
    """The product of matrices, the first and last of which may be vectors, in the order that makes the least of it."""
    given = [as_array(a) for a in arrays]
    labels = [[n, n + 1] if x.ndim == 2 else [1] if n == 0 else [n] for n, x in enumerate(given)]
    ends = [n for x, n in ((given[0], 0), (given[-1], len(given))) if x.ndim == 2]
    pairs = (part for pair in zip(given, labels, strict=True) for part in pair)
    return contractions.einsum(*pairs, ends)  # type: ignore[no-any-return]


# norms


@recorded(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Array:
    """The norm of vectors (one axis) or matrices (two axes): the root of the sum of squares, unless told.

    At zero its derivative is 0. Of matrices, `ord` may be "fro", 1, −1, ∞, −∞.
    """
    v = core.as_float(as_array(x))
    if axis is None and ord is None:
        return _of_vectors(v, None, 2, keepdims)
    axes = core.normalized_axes(axis, v.ndim)
    if len(axes) == 1:
        return _of_vectors(v, axes, 2 if ord is None else ord, keepdims)
    if len(axes) != 2:
        raise ShapeError(f"norm: {v.node.type} over the axes {axis} is of neither vectors nor matrices.")
    given = axes if axis is None else [core.normalized_axis(n, v.ndim) for n in _both(axis)]
    return _of_matrices(v, (given[0], given[1]), "fro" if ord is None else ord, keepdims)


def _both(axis: Axes) -> Sequence[int]:
    return axis if isinstance(axis, Sequence) else ()


@recorded(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Axes = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """The norm of vectors along axes, or of all elements."""
    return _of_vectors(core.as_float(as_array(x)), axis, ord, keepdims)


@recorded(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norm of matrices, the last two axes."""
    m = core.as_float(as_array(x))
    return _of_matrices(m, (m.ndim - 2, m.ndim - 1), ord, keepdims)


def _of_vectors(x: Array, axis: Axes, order: Any, keepdims: bool) -> Array:
    if isinstance(order, str):
        raise OptionError(f"norm: the order {order!r} is not one of vectors.")
    if order == 2:
        return core.root(core.total(x * x, axis, keepdims))
    size: Array = ew.absolute(x)
    if order in (math.inf, -math.inf):
        return core.extreme(size, "max" if order > 0 else "min", axis, keepdims)
    if order == 0:
        return core.total(core.astype(x != 0, x.dtype), axis, keepdims)
    if order == 1:
        return core.total(size, axis, keepdims)
    summed = core.total(size ** float(order), axis, keepdims)
    nothing = summed == 0
    return ew.where(nothing, summed, ew.where(nothing, 1.0, summed) ** (1 / float(order)))  # type: ignore[no-any-return]


def _of_matrices(x: Array, axes: tuple[int, int], order: Any, keepdims: bool) -> Array:
    if order == "fro":
        return core.root(core.total(x * x, axes, keepdims))
    if order not in (1, -1, math.inf, -math.inf):
        raise OptionError(f"norm of traced matrices does not take the order {order!r}.", cure="'fro', 1, -1, inf, -inf")
    rows, columns = axes if abs(order) == 1 else axes[::-1]
    summed = core.total(ew.absolute(x), rows, True)
    found = core.extreme(summed, "max" if order > 0 else "min", columns, True)
    kept = [1 if n in axes else extent for n, extent in enumerate(x.shape)]
    return core.reshape(found, kept if keepdims else [extent for n, extent in enumerate(kept) if n not in axes])


# what is elsewhere too


@recorded(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Array:
    """The matrix product `x1 @ x2`."""
    return core.matmul(x1, x2)


@recorded(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Array:
    """The last two axes exchanged."""
    return shaping.matrix_transpose(x)  # type: ignore[no-any-return]


@recorded(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Array:
    """The sum over pairs of axes, or over the last `axes` of the one and the first of the other."""
    return contractions.tensordot(x1, x2, axes)  # type: ignore[no-any-return]


@recorded(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The sum over one axis of both, the others broadcast."""
    return contractions.vecdot(x1, x2, axis=axis)  # type: ignore[no-any-return]


@recorded(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Array:
    """`x1[i] · x2[j]` of two vectors."""
    a, b = as_array(x1), as_array(x2)
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"outer needs two vectors, not {a.node.type} and {b.node.type}.")
    return contractions.outer(a, b)  # type: ignore[no-any-return]


@recorded(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The vector product of vectors of three numbers along an axis."""
    return contractions.cross(x1, x2, axis=axis)  # type: ignore[no-any-return]


@recorded(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """A diagonal of the last two axes."""
    return core.diagonal(as_array(x), offset, -2, -1)


@recorded(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sum over a diagonal of the last two axes."""
    found: Array = red.sum(core.diagonal(as_array(x), offset, -2, -1), -1, dtype)
    return found


__all__ = offered(globals())
