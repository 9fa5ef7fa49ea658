"""The derivatives of the operations of linear algebra, backward, for stacks of matrices.

Source: Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008.
"""

from __future__ import annotations

from chainrule.graph import ops
from chainrule.graph.types import Type
from chainrule.trace import namespace as cnp
from chainrule.trace.array import Array, apply, broadcast, matmul

__all__ = ["half_lower", "inverse", "pull_cholesky", "pull_slogdet", "pull_solve_left", "pull_solve_right", "turned"]


def turned(a: Array) -> Array:
    """The transposes of a stack of matrices."""
    return cnp.matrix_transpose(a)  # type: ignore[no-any-return]


def _solved(a: Array, b: Array) -> Array:
    return apply(ops.SOLVE, a.node, b.node)


def inverse(a: Array) -> Array:
    """The inverses of a stack of matrices."""
    square = a.node.type.with_shape(a.shape[-2:])
    identity = cnp.astype(_place(0, square) == _place(1, square), a.dtype)
    return _solved(a, broadcast(identity, a.shape))


def half_lower(x: Array) -> Array:
    """What lies below the diagonal, and half of the diagonal."""
    rows, columns = (_place(x.ndim - n, x.node.type) for n in (2, 1))
    return cnp.where(rows > columns, x, cnp.where(rows == columns, x / 2, 0.0))  # type: ignore[no-any-return]


def _place(axis: int, type_: Type) -> Array:
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
