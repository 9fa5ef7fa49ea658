"""The derivative of each operation, backward: how the error of its result becomes the errors of its inputs.

For y = f(x₁, x₂, …) and δ = ∂C/∂y, rule number n computes ∂C/∂xₙ as `rule(δ, y, x₁, x₂, …)`. A rule may use the
result y. None says that the derivative is zero everywhere it exists. Elementwise operations have theirs in `slopes`.
The maximum over axes shares its error equally among the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.derive import control_rules, matrix_rules
from chainrule.derive.slopes import SLOPES, zeros
from chainrule.graph import ops
from chainrule.graph.ops import Op
from chainrule.trace.arithmetic import contract, total
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply, astype, broadcast, reshape, transpose

__all__ = ["PULL", "PULL_TOGETHER"]


def _cast(delta: Array, y: Array, x: Array) -> Array:
    return astype(delta, x.dtype)


def _contract_first(delta: Array, y: Array, a: Array, b: Array) -> Array:
    return contract(delta, b, y.node.out, y.node.b, y.node.a)


def _contract_second(delta: Array, y: Array, a: Array, b: Array) -> Array:
    return contract(a, delta, y.node.a, y.node.out, y.node.b)


def _spread(reduced: Array, x: Array, axes: tuple[int, ...]) -> Array:
    """A reduction's result, repeated along the axes that it reduced."""
    kept = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    return broadcast(reshape(reduced, kept), x.shape)


def _sum(delta: Array, y: Array, x: Array) -> Array:
    return _spread(delta, x, y.node.axes)


def _max(delta: Array, y: Array, x: Array) -> Array:
    axes = y.node.axes
    largest = astype(x == _spread(y, x, axes), x.dtype)
    return _spread(delta / total(largest, axes), x, axes) * largest


def _transpose(delta: Array, y: Array, x: Array) -> Array:
    return transpose(delta, np.argsort(y.node.axes).tolist())


def _broadcast(delta: Array, y: Array, x: Array) -> Array:
    axes = y.node.axes
    repeated = [a for n, a in enumerate(axes) if x.shape[n] == 1 and y.shape[a] != 1]
    new = [a for a in range(y.ndim) if a not in axes]
    return reshape(total(delta, tuple(new + repeated)), x.shape) if new or repeated else reshape(delta, x.shape)


def _slice(delta: Array, y: Array, x: Array) -> Array:
    start, size, step = y.node.attributes
    if any(n < 0 for n in step):
        delta = delta[tuple(slice(None, None, -1 if n < 0 else 1) for n in step)]
        start = tuple(s + max(c - 1, 0) * n if n < 0 else s for s, c, n in zip(start, size, step, strict=True))
    interior = tuple(abs(n) - 1 for n in step)
    spans = (max(c - 1, 0) * (i + 1) + min(c, 1) for c, i in zip(size, interior, strict=True))
    high = tuple(n - s - span for n, s, span in zip(x.shape, start, spans, strict=True))
    return apply(ops.PAD, delta.node, attributes=(start, high, interior))


def _pad(delta: Array, y: Array, x: Array) -> Array:
    low, _, interior = y.node.attributes
    return apply(ops.SLICE, delta.node, attributes=(low, x.shape, tuple(n + 1 for n in interior)))


def _concatenate(
    delta: Array, y: Array, parts: Sequence[Array], wanted: Sequence[bool], walk: Any
) -> list[Array | None]:
    axis, start, found = y.node.axis, 0, list[Array | None]()
    for part, is_wanted in zip(parts, wanted, strict=True):
        begin = tuple(start if a == axis else 0 for a in range(y.ndim))
        attributes = (begin, part.shape, (1,) * y.ndim)
        found.append(apply(ops.SLICE, delta.node, attributes=attributes) if is_wanted else None)
        start += part.shape[axis]
    return found


def _gather(delta: Array, y: Array, x: Array, index: Array) -> Array:
    return apply(ops.SCATTER_ADD, zeros(x).node, index.node, delta.node)


PULL: Mapping[Op, Any] = MappingProxyType(
    {
        ops.INPUT: (),
        ops.CONSTANT: (),
        ops.FULL: (),
        ops.IOTA: (),
        ops.PLACEHOLDER: (),
        **SLOPES,
        ops.CAST: (_cast,),
        ops.CONTRACT: (_contract_first, _contract_second),
        ops.SUM: (_sum,),
        ops.MAX: (_max,),
        ops.RESHAPE: (lambda d, y, x: reshape(d, x.shape),),
        ops.TRANSPOSE: (_transpose,),
        ops.BROADCAST: (_broadcast,),
        ops.SLICE: (_slice,),
        ops.PAD: (_pad,),
        ops.GATHER: (_gather, None),
        ops.SCATTER_ADD: (lambda d, y, x, i, u: d, None, lambda d, y, x, i, u: apply(ops.GATHER, d.node, i.node)),
        ops.ARGSORT: (None,),
        ops.SOLVE: (matrix_rules.pull_solve_left, matrix_rules.pull_solve_right),
        ops.CHOLESKY: (matrix_rules.pull_cholesky,),
        ops.SLOGDET: (matrix_rules.pull_slogdet,),
        ops.EIGH: (matrix_rules.pull_eigh,),
        ops.SVD: (matrix_rules.pull_svd,),
        ops.QR: (matrix_rules.pull_qr,),
        ops.PINV: (matrix_rules.pull_pinv, None),
        ops.RECOMPUTE: (lambda d, y, x, after: d, None),
        ops.RESULT: (None,),  # the operation that has several results asks for the errors of all of them
    }
)

#: The rules of operations with any number of inputs: `rule(δ, y, inputs, which are wanted, the walk)` gives the errors
#: of all inputs; δ is a list if y has several results.
PULL_TOGETHER: Mapping[Op, Callable[..., list[Array | None]]] = MappingProxyType(
    {
        ops.CONCATENATE: _concatenate,
        ops.CUSTOM: control_rules.pull_custom,
        ops.SCAN: control_rules.pull_scan,
        ops.WHILE: control_rules.pull_while,
        ops.COND: control_rules.pull_cond,
    }
)
