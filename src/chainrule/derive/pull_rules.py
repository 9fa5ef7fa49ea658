"""The derivative of each operation, backward: how the error of its result becomes the errors of its inputs.

For y = f(x₁, x₂, …) and δ = ∂C/∂y, rule number n computes ∂C/∂xₙ as `rule(δ, y, x₁, x₂, …)`. A rule may use the
result y. None says that the derivative is zero everywhere it exists. At a kink:

    |x| at 0                0
    relu at 0               0
    max(a, b) at a = b      half to each
    maximum over axes       shared equally among the largest
    √x at 0                 ∞, as the formula says
    xʸ at x = 0             y·xʸ⁻¹ for x (0 where y = 0), 0 for y
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.graph.ops import Op
from chainrule.trace import namespace as cnp
from chainrule.trace.array import Array, apply, astype, broadcast, contract, reshape, total, transpose

__all__ = ["PULL", "Rule"]

Rule = Callable[..., Array]


def _zeros(x: Array) -> Array:
    return Array(full(0, x.node.type))


def _select(condition: Array, a: Array, b: Array) -> Array:
    return apply(ops.SELECT, condition.node, a.node, b.node)


def _share(mine: Array, other: Array) -> Array:
    """1 where `mine` is the larger, ½ in a tie, 0 elsewhere."""
    half = Array(full(0.5, mine.node.type))
    one = Array(full(1, mine.node.type))
    return _select(mine == other, half, _select(other < mine, one, _zeros(mine)))


def _power_base(delta: Array, y: Array, x: Array, n: Array) -> Array:
    one = Array(full(1, n.node.type))
    return delta * n * x ** _select(n == 0, one, n - 1)  # where n is 0, so is the derivative, even at x = 0


def _power_exponent(delta: Array, y: Array, x: Array, n: Array) -> Array:
    positive = _select(x == 0, Array(full(1, x.node.type)), x)
    return _select(x == 0, _zeros(y), delta * y * cnp.log(positive))


def _remainder_divisor(delta: Array, y: Array, a: Array, b: Array) -> Array:
    return -delta * (a // b)


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


def _concatenated(position: int) -> Rule:
    def rule(delta: Array, y: Array, *parts: Array) -> Array:
        axis = y.node.axis
        start = sum(p.shape[axis] for p in parts[:position])
        place = tuple(start if a == axis else 0 for a in range(y.ndim))
        return apply(ops.SLICE, delta.node, attributes=(place, parts[position].shape, (1,) * y.ndim))

    return rule


class _EachPart:
    """The rules of an operation with any number of inputs."""

    def __getitem__(self, position: int) -> Rule:
        return _concatenated(position)


def _gather(delta: Array, y: Array, x: Array, index: Array) -> Array:
    return apply(ops.SCATTER_ADD, _zeros(x).node, index.node, delta.node)


PULL: Mapping[Op, Any] = MappingProxyType(
    {
        ops.INPUT: (),
        ops.CONSTANT: (),
        ops.FULL: (),
        ops.IOTA: (),
        ops.NEGATIVE: (lambda d, y, x: -d,),
        ops.EXP: (lambda d, y, x: d * y,),
        ops.EXPM1: (lambda d, y, x: d * (y + 1),),
        ops.LOG: (lambda d, y, x: d / x,),
        ops.LOG1P: (lambda d, y, x: d / (1 + x),),
        ops.TANH: (lambda d, y, x: d * (1 - y * y),),
        ops.LOGISTIC: (lambda d, y, x: d * (y * (1 - y)),),
        ops.RELU: (lambda d, y, x: _select(y <= 0, _zeros(d), d),),
        ops.SQRT: (lambda d, y, x: d / (2 * y),),
        ops.SIN: (lambda d, y, x: d * cnp.cos(x),),
        ops.COS: (lambda d, y, x: -d * cnp.sin(x),),
        ops.ABSOLUTE: (lambda d, y, x: d * cnp.sign(x),),
        ops.SIGN: (None,),
        ops.FLOOR: (None,),
        ops.CEIL: (None,),
        ops.ROUND: (None,),
        ops.LOGICAL_NOT: (None,),
        ops.CAST: (_cast,),
        ops.STOP_GRADIENT: (None,),
        ops.MARK: (lambda d, y, x: d,),
        ops.ADD: (lambda d, y, a, b: d, lambda d, y, a, b: d),
        ops.SUBTRACT: (lambda d, y, a, b: d, lambda d, y, a, b: -d),
        ops.MULTIPLY: (lambda d, y, a, b: d * b, lambda d, y, a, b: d * a),
        ops.DIVIDE: (lambda d, y, a, b: d / b, lambda d, y, a, b: -d * y / b),
        ops.POWER: (_power_base, _power_exponent),
        ops.MAXIMUM: (lambda d, y, a, b: d * _share(a, b), lambda d, y, a, b: d * _share(b, a)),
        ops.MINIMUM: (lambda d, y, a, b: d * _share(-a, -b), lambda d, y, a, b: d * _share(-b, -a)),
        ops.FLOOR_DIVIDE: (None, None),
        ops.REMAINDER: (lambda d, y, a, b: d, _remainder_divisor),
        **dict.fromkeys((*ops.COMPARISONS, *ops.LOGICAL), (None, None)),
        ops.SELECT: (
            None,
            lambda d, y, c, a, b: _select(c, d, _zeros(d)),
            lambda d, y, c, a, b: _select(c, _zeros(d), d),
        ),
        ops.CONTRACT: (_contract_first, _contract_second),
        ops.SUM: (_sum,),
        ops.MAX: (_max,),
        ops.RESHAPE: (lambda d, y, x: reshape(d, x.shape),),
        ops.TRANSPOSE: (_transpose,),
        ops.BROADCAST: (_broadcast,),
        ops.SLICE: (_slice,),
        ops.PAD: (_pad,),
        ops.CONCATENATE: _EachPart(),
        ops.GATHER: (_gather, None),
        ops.SCATTER_ADD: (lambda d, y, x, i, u: d, None, lambda d, y, x, i, u: apply(ops.GATHER, d.node, i.node)),
    }
)
