"""The derivative of each elementwise operation: what a change of one input makes of one element of the result.

For y = f(x₁, x₂, …), rule number n computes `t · ∂y/∂xₙ` as `rule(t, y, x₁, x₂, …)`. Elements do not mix, so the same
rule serves both directions: backward t is the error ∂C/∂y, forward it is the change of xₙ. A rule may use the result y.
None says that the derivative is zero everywhere it exists. Of plain arrays and numbers a rule is a computation.
At a kink:

    |x| at 0                0
    relu at 0               0
    max(a, b) at a = b      half to each
    √x at 0                 ∞, as the formula says; 0 of a distance
    xʸ at x = 0             y·xʸ⁻¹ for x (0 where y = 0), 0 for y
    √(a² + b²) at (0, 0)    0
    the angle of (0, 0)     0
    ln(eᵃ + eᵇ) at a = b = ±∞  half to each
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.graph import ops
from chainrule.graph.interpret import NUMPY
from chainrule.graph.node import full, number
from chainrule.graph.ops import Op
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply

__all__ = ["SLOPES", "SlopeRule", "zeros"]

SlopeRule = Callable[..., Any]


def _filled(value: float, like: Any) -> Any:
    """One number, in the shape and dtype of an array."""
    return Array(full(value, like.node.type)) if isinstance(like, Array) else np.full_like(like, value)


def _performed(op: Op, *inputs: Any) -> Any:
    """An operation on Arrays, or on plain arrays."""
    return apply(op, *(x.node for x in inputs)) if isinstance(inputs[0], Array) else NUMPY[op](*inputs)


def zeros(x: Any) -> Any:
    """Zeros of the shape and dtype of `x`."""
    return _filled(0, x)


def _select(condition: Any, a: Any, b: Any) -> Any:
    return _performed(ops.SELECT, condition, a, b)


def _share(mine: Any, other: Any) -> Any:
    """1 where `mine` is the larger, ½ in a tie, 0 elsewhere."""
    return _select(mine == other, _filled(0.5, mine), _select(other < mine, _ones(mine), zeros(mine)))


def _ones(x: Any) -> Any:
    return _filled(1, x)


def _constant(n: Any) -> float | None:
    """The number that an array is known to hold everywhere."""
    if isinstance(n, Array):
        return number(n.node) if n.node.op is ops.FULL else None
    return n if isinstance(n, float) else None


def _power_base(t: Any, y: Any, x: Any, n: Any) -> Any:
    constant = _constant(n)
    if constant is not None:
        return t * constant * x ** (constant - 1) if constant else zeros(y)
    ends = (n == 0) & ~((abs(x) > 0) & (abs(x) < math.inf))  # 0 times an infinity
    return t * n * _select(ends, _ones(x), x) ** (n - 1)


def _power_exponent(t: Any, y: Any, x: Any, n: Any) -> Any:
    nothing = (x == 0) | (y == 0)
    return _select(nothing, zeros(y), t * y * cnp.log(_select(nothing, _ones(x), x)))


def _distance(t: Any, y: Any, mine: Any) -> Any:
    """`t · mine / y`, and 0 where the distance y is."""
    nowhere = y == 0
    return _select(nowhere, zeros(t), t * mine / _select(nowhere, _ones(y), y))


def _root(t: Any, y: Any, x: Any) -> Any:
    nowhere = y == 0
    return _select(nowhere, zeros(t), t / (2 * _select(nowhere, _ones(y), y)))


def _angle(t: Any, a: Any, b: Any, other: Any) -> Any:
    """`t · other / (a² + b²)`, which neither overflows nor divides by zero."""
    radius = cnp.hypot(a, b)
    nowhere = radius == 0
    safe = _select(nowhere, _ones(radius), radius)
    return _select(nowhere, zeros(t), t * (other / safe) / safe)


def _weight(mine: Any, other: Any) -> Any:
    """`eᵐ / (eᵐ + eᵒ)`, half between equal infinities."""
    alike = (mine == other) & (abs(mine) == math.inf)
    return _performed(ops.EXPIT, _select(alike, zeros(mine), mine - other))


def _sign(x: Any) -> Any:
    return _performed(ops.COPYSIGN, _ones(x), x)


SLOPES: Mapping[Op, tuple[SlopeRule | None, ...]] = MappingProxyType(
    {
        ops.NEGATIVE: (lambda t, y, x: -t,),
        ops.EXP: (lambda t, y, x: t * y,),
        ops.EXPM1: (lambda t, y, x: t * (y + 1),),
        ops.LOG: (lambda t, y, x: t / x,),
        ops.LOG1P: (lambda t, y, x: t / (1 + x),),
        ops.TANH: (lambda t, y, x: t * (1 - y * y),),
        ops.LOGISTIC: (lambda t, y, x: t * (y * (1 - y)),),
        ops.EXPIT: (lambda t, y, x: t * (y * _performed(ops.EXPIT, -x)),),
        ops.RELU: (lambda t, y, x: _select(y <= 0, zeros(t), t),),
        ops.SQRT: (lambda t, y, x: t / (2 * y),),
        ops.ROOT: (_root,),
        ops.SIN: (lambda t, y, x: t * cnp.cos(x),),
        ops.COS: (lambda t, y, x: -t * cnp.sin(x),),
        ops.TAN: (lambda t, y, x: t * (1 + y * y),),
        ops.ARCSIN: (lambda t, y, x: t / cnp.sqrt((1 - x) * (1 + x)),),
        ops.ARCCOS: (lambda t, y, x: -t / cnp.sqrt((1 - x) * (1 + x)),),
        ops.ARCTAN: (lambda t, y, x: t / (1 + x * x),),
        ops.SINH: (lambda t, y, x: t * cnp.cosh(x),),
        ops.COSH: (lambda t, y, x: t * cnp.sinh(x),),
        ops.ARCSINH: (lambda t, y, x: t / cnp.hypot(x, 1.0),),
        ops.ARCCOSH: (lambda t, y, x: t / (cnp.sqrt(x - 1) * cnp.sqrt(x + 1)),),
        ops.ARCTANH: (lambda t, y, x: t / ((1 - x) * (1 + x)),),
        ops.EXP2: (lambda t, y, x: t * (y * math.log(2)),),
        ops.LOG2: (lambda t, y, x: t / (x * math.log(2)),),
        ops.LOG10: (lambda t, y, x: t / (x * math.log(10)),),
        ops.CBRT: (lambda t, y, x: t / (3 * (y * y)),),
        ops.ERF: (lambda t, y, x: t * (2 / math.sqrt(math.pi) * cnp.exp(-(x * x))),),
        ops.ABSOLUTE: (lambda t, y, x: t * cnp.sign(x),),
        ops.SIGN: (None,),
        ops.FLOOR: (None,),
        ops.CEIL: (None,),
        ops.ROUND: (None,),
        ops.LOGICAL_NOT: (None,),
        ops.BITCAST: (None,),
        ops.STOP_GRADIENT: (None,),
        ops.MARK: (lambda t, y, x: t,),
        ops.ADD: (lambda t, y, a, b: t, lambda t, y, a, b: t),
        ops.SUBTRACT: (lambda t, y, a, b: t, lambda t, y, a, b: -t),
        ops.MULTIPLY: (lambda t, y, a, b: t * b, lambda t, y, a, b: t * a),
        ops.DIVIDE: (lambda t, y, a, b: t / b, lambda t, y, a, b: -t * y / b),
        ops.POWER: (_power_base, _power_exponent),
        ops.MAXIMUM: (lambda t, y, a, b: t * _share(a, b), lambda t, y, a, b: t * _share(b, a)),
        ops.MINIMUM: (lambda t, y, a, b: t * _share(-a, -b), lambda t, y, a, b: t * _share(-b, -a)),
        ops.FLOOR_DIVIDE: (None, None),
        ops.REMAINDER: (lambda t, y, a, b: t, lambda t, y, a, b: -t * (a // b)),
        ops.ARCTAN2: (lambda t, y, a, b: _angle(t, a, b, b), lambda t, y, a, b: -_angle(t, a, b, a)),
        ops.HYPOT: (lambda t, y, a, b: _distance(t, y, a), lambda t, y, a, b: _distance(t, y, b)),
        ops.LOGADDEXP: (lambda t, y, a, b: t * _weight(a, b), lambda t, y, a, b: t * _weight(b, a)),
        ops.COPYSIGN: (lambda t, y, a, b: t * (_sign(a) * _sign(b)), None),
        ops.NEXTAFTER: (lambda t, y, a, b: t, None),
        **dict.fromkeys((*ops.BITWISE, *ops.COMPARISONS, *ops.LOGICAL), (None, None)),
        ops.SELECT: (
            None,
            lambda t, y, c, a, b: _select(c, t, zeros(t)),
            lambda t, y, c, a, b: _select(c, zeros(t), t),
        ),
    }
)
