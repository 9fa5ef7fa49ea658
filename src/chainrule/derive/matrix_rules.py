"""The derivatives of the operations of linear algebra, for stacks of matrices; of eigenvectors, singular vectors, q and
pseudo-inverses in both directions.

Vectors turn towards each other at a rate of one over the difference of their values; where these are equal, to
rounding, it counts as 0. So first derivatives stay right of what takes equal values and their vectors alike: sums of
functions of the values, projections on common spaces, orthogonal factors u·vᵀ.

Sources: Giles, An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation, 2008 (cholesky, determinants, inverses, eigenvalues); Townsend, Differentiating the singular value
decomposition, 2016; Walter and Lehmann, Algorithmic differentiation of linear algebra functions, 2012 (qr); Golub and
Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate, 1973.
"""

from __future__ import annotations

import numpy as np

from chainrule import numpy as cnp
from chainrule.graph import ops
from chainrule.graph.types import Type
from chainrule.trace.arithmetic import matmul, total
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply, broadcast, concatenated, diagonal

__all__ = [
    "half_lower", "inverse", "pull_cholesky", "pull_eigh", "pull_pinv", "pull_qr", "pull_slogdet", "pull_solve_left",
    "pull_solve_right", "pull_svd", "push_eigh", "push_pinv", "push_qr", "push_svd", "turned",
]  # fmt: skip


def turned(a: Array) -> Array:
    """The transposes of a stack of matrices."""
    return cnp.matrix_transpose(a)


def _solved(a: Array, b: Array) -> Array:
    return apply(ops.SOLVE, a.node, b.node)


def inverse(a: Array) -> Array:
    """The inverses of a stack of matrices."""
    return _solved(a, _identity(a))


def _identity(a: Array) -> Array:
    square = a.node.type.with_shape(a.shape[-2:])
    return broadcast(cnp.astype(_index_along(0, square) == _index_along(1, square), a.dtype), a.shape)


def half_lower(x: Array) -> Array:
    """What lies below the diagonal, and half of the diagonal."""
    rows, columns = (_index_along(x.ndim - n, x.node.type) for n in (2, 1))
    return cnp.where(rows > columns, x, cnp.where(rows == columns, x / 2, 0.0))


def _index_along(axis: int, type_: Type) -> Array:
    return apply(ops.IOTA, attributes=(axis, type_.with_dtype("int64")))


def pull_solve_left(delta: Array, y: Array, a: Array, b: Array) -> Array:
    """For a·y = b: −a⁻ᵀδ · yᵀ."""
    return -matmul(_solved(turned(a), delta), turned(y))


def pull_solve_right(delta: Array, y: Array, a: Array, b: Array) -> Array:
    """For a·y = b: a⁻ᵀδ."""
    return _solved(turned(a), delta)


def pull_cholesky(delta: Array, y: Array, a: Array) -> Array:
    """For a = y·yᵀ: the symmetric part of y⁻ᵀ · half_lower(yᵀδ) · y⁻¹."""
    left = _solved(turned(y), half_lower(matmul(turned(y), delta)))
    both = turned(_solved(turned(y), turned(left)))
    return (both + turned(both)) / 2


def pull_slogdet(delta: Array, y: Array, a: Array) -> Array:
    """For [sign, ln|det a|]: a⁻ᵀ times the error of the logarithm."""
    return delta[..., 1, None, None] * turned(inverse(a))


# eigenvectors and singular vectors


def _symmetric(x: Array) -> Array:
    return (x + turned(x)) / 2


def _on_diagonal(values: Array, like: Array) -> Array:
    return values[..., None] * _identity(like)


def _reciprocal(x: Array, values: Array) -> Array:
    """1/x, and 0 where x is no more than the rounding of these values."""
    rounding = 10 * float(np.finfo(values.dtype).eps) * total(cnp.absolute(values), values.ndim - 1, keepdims=True)
    counts = cnp.absolute(x) > cnp.reshape(rounding, (*rounding.shape[:-1], *(1,) * (x.ndim - values.ndim + 1)))
    return cnp.where(counts, 1.0 / cnp.where(counts, x, 1.0), 0.0)


def _of_differences(values: Array) -> Array:
    """1/(λⱼ − λᵢ) at i, j; 0 of equal ones."""
    return _reciprocal(values[..., None, :] - values[..., :, None], values)


def _of_sums(values: Array) -> Array:
    """1/(sⱼ + sᵢ) at i, j; 0 where both are 0."""
    return _reciprocal(values[..., None, :] + values[..., :, None], values)


def pull_eigh(delta: Array, y: Array, a: Array) -> Array:
    """For a = v·Λ·vᵀ and E = 1/(λⱼ − λᵢ): v · (diag δλ + the symmetric part of E ∘ vᵀδv) · vᵀ."""
    values, rows = y[..., 0], y[..., 1:]
    turning = _symmetric(_of_differences(values) * matmul(rows, turned(delta[..., 1:])))
    return matmul(turned(rows), matmul(turning + _on_diagonal(delta[..., 0], a), rows))


def push_eigh(t: Array, y: Array, a: Array) -> Array:
    """For the change s = vᵀȧv of a symmetric matrix: λ̇ = diag s, v̇ = v · (E ∘ s)."""
    values, rows = y[..., 0], y[..., 1:]
    change = matmul(rows, matmul(_symmetric(t), turned(rows)))
    turning = _of_differences(values) * change
    return _side_by_side(diagonal(change, 0, -2, -1)[..., None], -matmul(turning, rows))


def _side_by_side(*parts: Array) -> Array:
    return concatenated(parts, parts[0].ndim - 1)


def _triple(y: Array, a: Array) -> tuple[Array, Array, Array]:
    """The rows u, the numbers s and the rows v of a singular value decomposition of `a`."""
    rows = a.shape[-2]
    return y[..., :rows], y[..., rows], y[..., rows + 1 :]


def _outside(x: Array, rows: Array) -> Array:
    """What of the rows of `x` is at right angles to some orthonormal ones."""
    return x - matmul(matmul(x, turned(rows)), rows)


def pull_svd(delta: Array, y: Array, a: Array) -> Array:
    """For a = u·S·vᵀ, with E = 1/(sⱼ − sᵢ), G = 1/(sⱼ + sᵢ), p = uᵀδu and q = vᵀδv:

    u · (diag δs + the symmetric part of E ∘ (p + q) + the antisymmetric part of G ∘ (p − q)) · vᵀ
    + (1 − uuᵀ) · δu · S⁻¹ · vᵀ + u · S⁻¹ · δvᵀ · (1 − vvᵀ).
    """
    (u, values, v), (error_u, error, error_v) = _triple(y, a), _triple(delta, a)
    p, q = matmul(u, turned(error_u)), matmul(v, turned(error_v))
    together = _of_sums(values) * (p - q)
    inside = _symmetric(_of_differences(values) * (p + q)) + (together - turned(together)) / 2
    found = matmul(turned(u), matmul(inside + _on_diagonal(error, p), v))
    inverse, (rows, columns) = _reciprocal(values, values)[..., None], a.shape[-2:]
    if rows > columns:
        found = found + matmul(turned(_outside(inverse * error_u, u)), v)
    if columns > rows:
        found = found + matmul(turned(u), _outside(inverse * error_v, v))
    return found


def push_svd(t: Array, y: Array, a: Array) -> Array:
    """For the change c = uᵀȧv, of symmetric part s and antisymmetric part r: ṡ = diag c,

    u̇ = u · (E ∘ s + G ∘ r) + (1 − uuᵀ) · ȧ · v · S⁻¹, v̇ = v · (E ∘ s − G ∘ r) + (1 − vvᵀ) · ȧᵀ · u · S⁻¹.
    """
    u, values, v = _triple(y, a)
    change = matmul(u, matmul(t, turned(v)))
    apart = _of_differences(values) * _symmetric(change)
    together = _of_sums(values) * (change - turned(change)) / 2
    change_u, change_v = -matmul(apart + together, u), -matmul(apart - together, v)
    inverse, (rows, columns) = _reciprocal(values, values)[..., None], a.shape[-2:]
    if rows > columns:
        change_u = change_u + _outside(inverse * matmul(v, turned(t)), u)
    if columns > rows:
        change_v = change_v + _outside(inverse * matmul(u, t), v)
    return _side_by_side(change_u, diagonal(change, 0, -2, -1)[..., None], change_v)


# q and r, and pseudo-inverses


def pull_qr(delta: Array, y: Array, a: Array) -> Array:
    """For a = q·r: (δq + q · (l + lᵀ)) · r⁻ᵀ, where l = half_lower(r·δrᵀ − δqᵀ·q)."""
    rows = a.shape[-2]
    (q, r), (error_q, error_r) = ((x[..., :rows], x[..., rows:]) for x in (y, delta))
    lower = half_lower(matmul(r, turned(error_r)) - matmul(error_q, turned(q)))
    return turned(_solved(r, error_q + matmul(lower + turned(lower), q)))


def push_qr(t: Array, y: Array, a: Array) -> Array:
    """For c = ȧ·r⁻¹ and w = qᵀc − l + lᵀ, where l = half_lower(qᵀc): q̇ = c − q·w, ṙ = w·r."""
    q, r = y[..., : a.shape[-2]], y[..., a.shape[-2] :]
    change = _solved(turned(r), turned(t))
    along = matmul(q, turned(change))
    lower = half_lower(along)
    upper = along - lower + turned(lower)
    return _side_by_side(change - matmul(turned(upper), q), matmul(upper, r))


def pull_pinv(delta: Array, y: Array, a: Array, cutoff: Array) -> Array:
    """For y = a⁺ of a rank that stays: −yᵀδyᵀ + (1 − a·y)·δᵀ·y·yᵀ + yᵀ·y·δᵀ·(1 − y·a)."""
    back, error = turned(y), turned(delta)
    left, right = matmul(matmul(error, y), back), matmul(back, matmul(y, error))
    return left - matmul(a, matmul(y, left)) + right - matmul(matmul(right, y), a) - matmul(back, matmul(delta, back))


def push_pinv(t: Array, y: Array, a: Array, cutoff: Array) -> Array:
    """For y = a⁺ of a rank that stays: −y·ȧ·y + y·yᵀ·ȧᵀ·(1 − a·y) + (1 − y·a)·ȧᵀ·yᵀ·y."""
    back, change = turned(y), turned(t)
    left, right = matmul(y, matmul(back, change)), matmul(matmul(change, back), y)
    return left - matmul(matmul(left, a), y) + right - matmul(y, matmul(a, right)) - matmul(y, matmul(t, y))
