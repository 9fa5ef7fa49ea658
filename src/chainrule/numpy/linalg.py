"""NumPy's linear algebra, `chainrule.numpy.linalg`, for Arrays as for plain arrays.

What is not here is NumPy's own, for plain arrays. A singular matrix is NumPy's LinAlgError. The derivatives of vectors
with equal eigenvalues or singular values are a convention: see docs/conventions.md.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy.linalg import LinAlgError as LinAlgError

from chainrule.checks import one_of, whole_number
from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import has_value
from chainrule.graph.node import full
from chainrule.graph.types import Type
from chainrule.numpy import contractions, shaping
from chainrule.numpy import elementwise as ew
from chainrule.numpy import reductions as red
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.primitives import Axes, apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import offered, recorded

_NOT_GIVEN: Any = inspect.signature(np.linalg.pinv).parameters["rtol"].default


def __getattr__(name: str) -> Any:
    return getattr(np.linalg, name)


def _matrices(name: str, a: Any) -> Array:
    x = promotion.as_float(as_array(a))
    if x.ndim < 2:
        raise ShapeError(f"{name} needs matrices, not {x.node.type}.")
    return x


def _square(name: str, a: Any) -> Array:
    x = promotion.as_float(as_array(a))
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, not {x.node.type}.")
    return x


def _identity(x: Array) -> Array:
    """The identity, in the shape of a stack of square matrices."""
    square = Type(x.shape[-2:], np.dtype(np.int64))
    rows, columns = (apply(ops.IOTA, attributes=(axis, square)) for axis in (0, 1))
    return primitives.broadcast(primitives.astype(rows == columns, x.dtype), x.shape)


@recorded(np.linalg.solve)
def solve(a: Any, b: Any) -> Array:
    """The `x` with `a @ x = b`; a `b` of one axis is a vector, any other a stack of matrices.

    Source of the derivative: Giles, Collected matrix derivative results, 2008.
    """
    left, right = _square("solve", a), promotion.as_float(as_array(b))
    dtype = promotion.common_dtype([left, right])
    left, right = primitives.astype(left, dtype), primitives.astype(right, dtype)
    columns = right if right.ndim != 1 else primitives.reshape(right, (-1, 1))
    if columns.ndim < 2 or columns.shape[-2] != left.shape[-1]:
        raise ShapeError(f"solve: {left.node.type} and {right.node.type} do not fit together.")
    stack = promotion.broadcast_shape("solve", np.empty(left.shape[:-2], bool), np.empty(columns.shape[:-2], bool))
    wide = (primitives.broadcast(x, (*stack, *x.shape[-2:])) for x in (left, columns))
    found = apply(ops.SOLVE, *(x.node for x in wide))
    return primitives.reshape(found, found.shape[:-1]) if right.ndim == 1 else found


@recorded(np.linalg.inv)
def inv(a: Any) -> Array:
    """The inverses of square matrices."""
    x = _square("inv", a)
    return apply(ops.SOLVE, x.node, _identity(x).node)


@recorded(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Array:
    """The `x` with `tensordot(a, x, x.ndim) = b`; `axes` of `a` are moved to its end before."""
    x, y = as_array(a), as_array(b)
    moved = [n for n in range(x.ndim) if n not in (axes or ())]
    x = primitives.transpose(x, [*moved, *(axes or ())])
    shape = x.shape[y.ndim :]
    if math.prod(shape) != y.size or x.size != y.size**2:
        raise ShapeError(f"tensorsolve: {x.node.type} and {y.node.type} are no square system.")
    return primitives.reshape(solve(primitives.reshape(x, (y.size, y.size)), primitives.reshape(y, -1)), shape)


@recorded(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Array:
    """The inverse of `tensordot(a, x, ind)` as a map of `x`, of which the first `ind` axes are the result's."""
    x, count = as_array(a), whole_number("ind", ind, 1)
    rows, columns = x.shape[:count], x.shape[count:]
    if math.prod(rows) != math.prod(columns):
        raise ShapeError(f"tensorinv: the first {count} axes of {x.node.type} are not as many numbers as the others.")
    return primitives.reshape(inv(primitives.reshape(x, (math.prod(rows), -1))), (*columns, *rows))


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
        return sign * ew.exp(logarithm)
    return _leibniz(x)


def _leibniz(x: Array) -> Array:
    """By the first row."""
    size = x.shape[-1]
    if size < 2:
        return x[..., 0, 0] if size else Array(full(1, x.node.type.with_shape(x.shape[:-2])))
    rest, found = x[..., 1:, :], []
    for n in range(size):
        minor = primitives.concatenated([rest[..., :n], rest[..., n + 1 :]], x.ndim - 1)
        found.append(x[..., 0, n] * _leibniz(minor))
    return functools.reduce(operator.add, (-term if n % 2 else term for n, term in enumerate(found)))


@recorded(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Array:
    """The lower triangle `l` with `a = l @ l.T`, or the upper one; only the lower half of `a` is read.

    The derivative is that for symmetric `a`, and symmetric itself.
    """
    lower = apply(ops.CHOLESKY, _square("cholesky", a).node)
    return shaping.matrix_transpose(lower) if upper else lower


# eigenvalues, singular values, orthogonal factors


class EighResult(NamedTuple):
    """Eigenvalues, the smallest first, and eigenvectors, as columns."""

    eigenvalues: Array
    eigenvectors: Array


@recorded(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> EighResult:  # noqa: N803 - NumPy's name
    """The eigenvalues and eigenvectors of symmetric matrices; only the lower half of `a` is read, or the upper one.

    The derivative is that for symmetric `a`, and symmetric itself. Source: Giles, An extended collection of matrix
    derivative results for forward and reverse mode algorithmic differentiation, 2008.
    """
    half = one_of("eigh: UPLO", UPLO.upper() if isinstance(UPLO, str) else UPLO, ("L", "U"))
    pairs = apply(ops.EIGH, _square("eigh", a).node, attributes=(half,))
    return EighResult(pairs[..., 0], shaping.matrix_transpose(pairs[..., 1:]))


@recorded(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Array:  # noqa: N803 - NumPy's name
    """The eigenvalues of symmetric matrices, the smallest first, as `eigh` has them."""
    found: Array = eigh(a, UPLO).eigenvalues
    return found


@recorded(np.linalg.eig)
def eig(a: Any) -> NoReturn:
    """Refused for traced arrays: the results are complex."""
    raise _complex("eig", "eigh")


@recorded(np.linalg.eigvals)
def eigvals(a: Any) -> NoReturn:
    """Refused for traced arrays: the results are complex."""
    raise _complex("eigvals", "eigvalsh")


def _complex(name: str, instead: str) -> DTypeError:
    return DTypeError(
        f"{name} gives complex numbers, which arrays here do not hold.",
        cure=f"Of a symmetric matrix, write linalg.{instead}(a); of x.value it is NumPy's own, a constant.",
    )


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values, the largest first, and right singular vectors as rows."""

    U: Array
    S: Array
    Vh: Array


def _singular(x: Array) -> SVDResult:
    rows, triples = x.shape[-2], apply(ops.SVD, x.node)
    left = shaping.matrix_transpose(triples[..., :rows])
    return SVDResult(left, triples[..., rows], triples[..., rows + 1 :])


@recorded(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> SVDResult | Array:
    """The singular value decomposition `a = (U * S) @ Vh`; the singular values alone with `compute_uv=False`.

    Of matrices that are not square it must be the one with `full_matrices=False`: further vectors are any basis of
    what is left, which has no derivative. Source: Townsend, Differentiating the singular value decomposition, 2016.
    """
    _refuse_hermitian("svd", hermitian)
    x = _matrices("svd", a)
    if compute_uv and full_matrices and x.shape[-1] != x.shape[-2]:
        raise OptionError(
            f"svd: the further vectors that full_matrices=True adds to those of {x.node.type} have no derivative.",
            cure="Write linalg.svd(a, full_matrices=False).",
        )
    found = _singular(x)
    return found if compute_uv else found.S


@recorded(np.linalg.svdvals)
def svdvals(x: Any, /) -> Array:
    """The singular values, the largest first."""
    return _singular(_matrices("svdvals", x)).S


def _refuse_hermitian(name: str, hermitian: bool) -> None:
    if hermitian:
        raise OptionError(
            f"{name} of a traced array does not take hermitian=True.",
            cure="Leave it out: the result is the same. Or use linalg.eigh(a).",
        )


class QRResult(NamedTuple):
    """Orthonormal columns, and an upper triangle."""

    Q: Array
    R: Array


@recorded(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> QRResult | Array:
    """Orthonormal columns `Q` and an upper triangle `R` with `a = Q @ R`; `R` alone with `mode="r"`.

    The derivative needs independent columns, the first ones if there are more columns than rows; `mode="complete"`
    needs no more rows than columns. LinAlgError where `R` is singular, when the derivative is computed. Source: Walter
    and Lehmann, Algorithmic differentiation of linear algebra functions, 2012.
    """
    x = _matrices("qr", a)
    rows, columns = x.shape[-2:]
    if mode not in ("reduced", "r", "complete") or (mode == "complete" and rows > columns):
        raise OptionError(f"qr of a traced {x.node.type} does not take mode={mode!r}.", cure="'reduced' or 'r'")
    both = apply(ops.QR, x[..., :rows].node)
    q, r = shaping.matrix_transpose(both[..., :rows]), both[..., rows:]
    if columns > rows:
        r = primitives.concatenated([r, arithmetic.matmul(both[..., :rows], x[..., rows:])], x.ndim - 1)
    return r if mode == "r" else QRResult(q, r)


@recorded(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = _NOT_GIVEN) -> Array:
    """The pseudo-inverse; singular values up to `rcond` (or `rtol`) times the largest count as 0.

    In the derivative, too, these are 0, and stay so. Source: Golub and Pereyra, The differentiation of
    pseudo-inverses and nonlinear least squares problems whose variables separate, SIAM Journal on Numerical Analysis
    10, 1973.
    """
    _refuse_hermitian("pinv", hermitian)
    x = _matrices("pinv", a)
    if rcond is not None and rtol is not _NOT_GIVEN:
        raise OptionError("pinv: rcond and rtol are the same; give one of them.")
    cutoff = rcond if rcond is not None else 1e-15 if rtol is _NOT_GIVEN else _rounding(x) if rtol is None else rtol
    wide = primitives.broadcast(primitives.astype(as_array(cutoff), x.dtype), x.shape[:-2])
    return apply(ops.PINV, x.node, wide.node)


def _rounding(x: Array) -> float:
    """What NumPy takes for the rounding of a matrix's singular values, relative to the largest."""
    return float(max(x.shape[-2:]) * np.finfo(x.dtype).eps)


@recorded(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:  # noqa: N803
    """How many singular values are larger than `tol`, unless told `rtol` times the largest; it has no derivative."""
    _refuse_hermitian("matrix_rank", hermitian)
    if tol is not None and rtol is not None:
        raise OptionError("matrix_rank: tol and rtol say the same; give one of them.")
    x = promotion.as_float(as_array(A))
    if x.ndim < 2:
        return primitives.astype(red.any(x != 0), np.int64)
    values = svdvals(x)
    if tol is None:
        largest = values[..., :1] if values.shape[-1] else arithmetic.total(values, -1, True)
        limit = largest * (_rounding(x) if rtol is None else as_array(rtol)[..., None])
    else:
        limit = as_array(tol)[..., None]
    return arithmetic.total(primitives.astype(values > limit, np.int64), -1)


@recorded(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Array:
    """The condition number: the largest singular value over the smallest; with `p`, norm times norm of the inverse.

    LinAlgError for matrices without elements, and with a `p` other than None, 2, −2 for a singular matrix.
    """
    m = _matrices("cond", x)
    if 0 in m.shape[-2:]:
        raise LinAlgError("cond is not defined on empty arrays")
    if p is None or p in (2, -2):
        values = svdvals(m)
        ends = values[..., 0], values[..., -1]
        found = ends[1] / ends[0] if p == -2 else ends[0] / ends[1]
    else:
        found = matrix_norm(m, ord=p) * matrix_norm(inv(m), ord=p)
    undefined = ew.logical_and(ew.isnan(found), ew.logical_not(red.any(ew.isnan(m), (-2, -1))))
    return ew.where(undefined, math.inf, found)


@recorded(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Array, Array, Array, Array]:
    """The least `x` among those with the least `|a @ x − b|²`; that sum for each column; rank and singular values.

    Singular values up to `rcond` times the largest count as 0. The sums are of no elements unless `a` has more rows
    than columns and, where values are known, full rank. The derivative is that of `pinv(a, rcond) @ b`.
    """
    left, right = _matrices("lstsq", a), promotion.as_float(as_array(b))
    if left.ndim != 2 or right.ndim not in (1, 2) or len(right) != len(left):
        raise ShapeError(f"lstsq: {left.node.type} and {right.node.type} do not fit together.")
    dtype = promotion.common_dtype([left, right])
    left, right = primitives.astype(left, dtype), primitives.astype(right, dtype)
    cutoff = _rounding(left) if rcond is None else rcond
    x = arithmetic.matmul(pinv(left, cutoff), right)
    rank, missed = matrix_rank(left, rtol=cutoff), arithmetic.matmul(left, x) - right
    rows, columns = left.shape
    sums = arithmetic.total(missed * missed, 0)
    full = rows > columns and not (has_value(rank.node) and int(rank) < columns)
    return x, primitives.reshape(sums, (-1,)) if full else primitives.reshape(sums, (-1,))[:0], rank, svdvals(left)


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
            result = x if result is None else arithmetic.matmul(result, x)
        x, left = arithmetic.matmul(x, x) if left > 1 else x, left // 2
    return _identity(x) if result is None else result


@recorded(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any]) -> Array:
    """The product of matrices, the first and last of which may be vectors, in the order that makes the least of it."""
    given = [as_array(a) for a in arrays]
    labels = [[n, n + 1] if x.ndim == 2 else [1] if n == 0 else [n] for n, x in enumerate(given)]
    ends = [n for x, n in ((given[0], 0), (given[-1], len(given))) if x.ndim == 2]
    pairs = (part for pair in zip(given, labels, strict=True) for part in pair)
    return contractions.einsum(*pairs, ends)


# norms


@recorded(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Array:
    """The norm of vectors (one axis) or matrices (two axes): the root of the sum of squares, unless told.

    At zero its derivative is 0. Of matrices, `ord` may be "fro", "nuc", 1, −1, 2, −2, ∞, −∞.
    """
    v = promotion.as_float(as_array(x))
    if axis is None and ord is None:
        return _of_vectors(v, None, 2, keepdims)
    axes = primitives.normalized_axes(axis, v.ndim)
    if len(axes) == 1:
        return _of_vectors(v, axes, 2 if ord is None else ord, keepdims)
    if len(axes) != 2:
        raise ShapeError(f"norm: {v.node.type} over the axes {axis} is of neither vectors nor matrices.")
    given = axes if axis is None else [primitives.normalized_axis(n, v.ndim) for n in _both(axis)]
    return _of_matrices(v, (given[0], given[1]), "fro" if ord is None else ord, keepdims)


def _both(axis: Axes) -> Sequence[int]:
    return axis if isinstance(axis, Sequence) else ()


@recorded(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Axes = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """The norm of vectors along axes, or of all elements."""
    return _of_vectors(promotion.as_float(as_array(x)), axis, ord, keepdims)


@recorded(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norm of matrices, the last two axes."""
    m = promotion.as_float(as_array(x))
    return _of_matrices(m, (m.ndim - 2, m.ndim - 1), ord, keepdims)


def _of_vectors(x: Array, axis: Axes, order: Any, keepdims: bool) -> Array:
    if isinstance(order, str):
        raise OptionError(f"norm: the order {order!r} is not one of vectors.")
    if order == 2:
        return primitives.root(arithmetic.total(x * x, axis, keepdims))
    size: Array = ew.absolute(x)
    if order in (math.inf, -math.inf):
        return arithmetic.extreme(size, "max" if order > 0 else "min", axis, keepdims)
    if order == 0:
        return arithmetic.total(primitives.astype(x != 0, x.dtype), axis, keepdims)
    if order == 1:
        return arithmetic.total(size, axis, keepdims)
    order = float(order)
    if order < 1:  # the slope of |x|ⁿ at 0 is infinite
        nothing = size == 0
        powers = ew.where(nothing, 0.0 if order > 0 else math.inf, ew.where(nothing, 1.0, size) ** order)
    else:
        powers = size**order
    summed = arithmetic.total(powers, axis, keepdims)
    nothing = summed == 0
    return ew.where(nothing, summed, ew.where(nothing, 1.0, summed) ** (1 / order))


def _of_matrices(x: Array, axes: tuple[int, int], order: Any, keepdims: bool) -> Array:
    if order == "fro":
        return primitives.root(arithmetic.total(x * x, axes, keepdims))
    if order not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise OptionError(
            f"norm of matrices does not take the order {order!r}.", cure="'fro', 'nuc', 1, -1, 2, -2, inf, -inf"
        )
    found = _by_singular_values(x, axes, order) if order in ("nuc", 2, -2) else _by_sums(x, axes, order)
    kept = [1 if n in axes else extent for n, extent in enumerate(x.shape)]
    return primitives.reshape(found, kept if keepdims else [extent for n, extent in enumerate(kept) if n not in axes])


def _by_sums(x: Array, axes: tuple[int, int], order: float) -> Array:
    rows, columns = axes if abs(order) == 1 else axes[::-1]
    summed = arithmetic.total(ew.absolute(x), rows, True)
    return arithmetic.extreme(summed, "max" if order > 0 else "min", columns, True)


def _by_singular_values(x: Array, axes: tuple[int, int], order: Any) -> Array:
    others = [n for n in range(x.ndim) if n not in axes]
    values = ew.absolute(svdvals(primitives.transpose(x, (*others, *axes))))  # of which the derivative at 0 is 0
    if order == "nuc" or (order == 2 and not values.shape[-1]):
        return arithmetic.total(values, -1)
    return arithmetic.extreme(values, "max" if order == 2 else "min", -1, False)


# what is elsewhere too


@recorded(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Array:
    """The matrix product `x1 @ x2`."""
    return arithmetic.matmul(x1, x2)


@recorded(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Array:
    """The last two axes exchanged."""
    return shaping.matrix_transpose(x)


@recorded(np.linalg.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Array:
    """The sum over pairs of axes, or over the last `axes` of the one and the first of the other."""
    return contractions.tensordot(x1, x2, axes)


@recorded(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The sum over one axis of both, the others broadcast."""
    return contractions.vecdot(x1, x2, axis=axis)


@recorded(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Array:
    """`x1[i] · x2[j]` of two vectors."""
    a, b = as_array(x1), as_array(x2)
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"outer needs two vectors, not {a.node.type} and {b.node.type}.")
    return contractions.outer(a, b)


@recorded(np.linalg.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The vector product of vectors of three numbers along an axis."""
    return contractions.cross(x1, x2, axis=axis)


@recorded(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """A diagonal of the last two axes."""
    return primitives.diagonal(as_array(x), offset, -2, -1)


@recorded(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sum over a diagonal of the last two axes."""
    found: Array = red.sum(primitives.diagonal(as_array(x), offset, -2, -1), -1, dtype)
    return found


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
