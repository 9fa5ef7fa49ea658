"""The derivative of each operation, forward: how the change of an input becomes a change of the result.

For y = f(x₁, x₂, …) and a change ẋₙ of input n, rule number n computes its share of ẏ as `rule(ẋₙ, y, x₁, x₂, …)`; the
change of y is the sum of the shares. None says that it is zero. Elementwise operations have theirs in `slopes`;
operations that are linear in an input apply themselves to its change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from chainrule.derive import control_rules, matrix_rules
from chainrule.derive.matrix_rules import half_lower, inverse, turned
from chainrule.derive.slopes import SLOPES, zeros
from chainrule.graph import ops
from chainrule.graph.ops import Op
from chainrule.trace.arithmetic import contract, matmul, total
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply, astype, normalized_axes, reduced, reshape
from chainrule.trace.primitives import broadcast as broadcast_to

__all__ = ["PUSH", "PUSH_TOGETHER"]


def _itself(t: Array, y: Array, x: Array) -> Array:
    """The operation, which is linear, of the change."""
    return apply(y.node.op, t.node, attributes=y.node.attributes)


def _cast(t: Array, y: Array, x: Array) -> Array:
    return astype(t, y.dtype)


def _contract_first(t: Array, y: Array, a: Array, b: Array) -> Array:
    return contract(t, b, y.node.a, y.node.b, y.node.out)


def _contract_second(t: Array, y: Array, a: Array, b: Array) -> Array:
    return contract(a, t, y.node.a, y.node.b, y.node.out)


def _max(t: Array, y: Array, x: Array) -> Array:
    """The mean change of the largest."""
    axes = normalized_axes(y.node.axes, x.ndim)
    kept = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    largest = astype(x == broadcast_to(reshape(y, kept), x.shape), x.dtype)
    return total(t * largest, axes) / total(largest, axes)


def _concatenate(tangents: Sequence[Array | None], y: Array, parts: Sequence[Array], walk: Any) -> Array:
    changes = [zeros(x) if t is None else t for t, x in zip(tangents, parts, strict=True)]
    return apply(ops.CONCATENATE, *(c.node for c in changes), attributes=y.node.attributes)


def _solve_left(t: Array, y: Array, a: Array, b: Array) -> Array:
    return -apply(ops.SOLVE, a.node, matmul(t, y).node)


def _solve_right(t: Array, y: Array, a: Array, b: Array) -> Array:
    return apply(ops.SOLVE, a.node, t.node)


def _cholesky(t: Array, y: Array, a: Array) -> Array:
    """`y · Φ(y⁻¹ ȧ y⁻ᵀ)`, where Φ keeps the lower half and half of the diagonal."""
    symmetric = (t + turned(t)) / 2
    inside = apply(ops.SOLVE, y.node, turned(apply(ops.SOLVE, y.node, symmetric.node)).node)
    return matmul(y, half_lower(inside))


def _slogdet(t: Array, y: Array, a: Array) -> Array:
    """The sign stays; the logarithm changes by the trace of `a⁻¹ȧ`."""
    change = total(inverse(a) * turned(t), (a.ndim - 2, a.ndim - 1), keepdims=True)
    logarithm = reshape(change, (*y.shape[:-1], 1))
    return apply(ops.CONCATENATE, zeros(logarithm).node, logarithm.node, attributes=(y.ndim - 1,))


PUSH: Mapping[Op, Any] = MappingProxyType(
    {
        ops.INPUT: (),
        ops.CONSTANT: (),
        ops.FULL: (),
        ops.IOTA: (),
        ops.PLACEHOLDER: (),
        **SLOPES,
        ops.CAST: (_cast,),
        ops.CONTRACT: (_contract_first, _contract_second),
        ops.SUM: (lambda t, y, x: reduced(ops.SUM, t, y.node.axes, False),),
        ops.MAX: (_max,),
        **dict.fromkeys((ops.RESHAPE, ops.TRANSPOSE, ops.BROADCAST, ops.SLICE, ops.PAD), (_itself,)),
        ops.GATHER: (lambda t, y, x, i: apply(ops.GATHER, t.node, i.node), None),
        ops.SCATTER_ADD: (
            lambda t, y, x, i, u: t,
            None,
            lambda t, y, x, i, u: apply(ops.SCATTER_ADD, zeros(x).node, i.node, t.node),
        ),
        ops.ARGSORT: (None,),
        ops.SOLVE: (_solve_left, _solve_right),
        ops.CHOLESKY: (_cholesky,),
        ops.SLOGDET: (_slogdet,),
        ops.EIGH: (matrix_rules.push_eigh,),
        ops.SVD: (matrix_rules.push_svd,),
        ops.QR: (matrix_rules.push_qr,),
        ops.PINV: (matrix_rules.push_pinv, None),
        ops.RECOMPUTE: (lambda t, y, x, after: t, None),
        ops.RESULT: (None,),  # the operation that has several results gives the changes of all of them
    }
)

#: The rules of operations with any number of inputs: `rule(changes of the inputs, y, inputs, the walk)`.
PUSH_TOGETHER: Mapping[Op, Callable[..., Any]] = MappingProxyType(
    {
        ops.CONCATENATE: _concatenate,
        ops.CUSTOM: control_rules.push_custom,
        ops.SCAN: control_rules.push_scan,
        ops.WHILE: control_rules.push_while,
        ops.COND: control_rules.push_cond,
    }
)
