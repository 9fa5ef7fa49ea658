"""Logarithms of what is made of exponentials, known without computing the exponentials."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from chainrule.graph import ops
from chainrule.graph.forms.patterns import (
    DEEP,
    VIEWS,
    MaybeNode,
    filled,
    is_number,
    is_positive,
    is_view,
    negated,
    number_of,
)
from chainrule.graph.node import Node
from chainrule.graph.ops import Op

__all__ = [
    "exponent_of", "has_exponentials", "is_shifted", "known_logarithm", "largest_over", "logarithm",
    "logarithm_of_sum", "sum_of_shifted",
]  # fmt: skip


def logarithm(x: Node, deep: int = DEEP) -> MaybeNode:
    """ln x, if x is made of exponentials, so that it is known without them."""
    if x.op is ops.EXP:
        return exponent_of(x)
    if x.op is ops.POWER and number_of(x.inputs[0]) is not None:
        return _power_of_constant(x)
    if x.op is ops.EXP2:
        return Node(ops.MULTIPLY, (x.inputs[0], filled(math.log(2), x)))
    if x.op in _LOGARITHMS and deep:
        return _LOGARITHMS[x.op](x, deep - 1)
    return None


def exponent_of(x: Node) -> Node:
    """v of what was written as exp(v)."""
    (v,) = x.inputs
    is_guarded = v.op is ops.SELECT and is_number(v.inputs[1], -math.inf) and v.inputs[0].op is ops.LESS
    return v.inputs[0].inputs[0] if is_guarded else v


def _power_of_constant(x: Node) -> MaybeNode:
    """ln bᵘ of a positive number b."""
    base, exponent = x.inputs
    natural = math.log(number_of(base) or 1.0) if is_positive(base) else 0.0
    if natural == 0:
        return None
    return exponent if abs(natural - 1) < 1e-6 else Node(ops.MULTIPLY, (exponent, filled(natural, x)))


def known_logarithm(x: Node, deep: int = DEEP) -> MaybeNode:
    """ln x, of a positive constant too."""
    constant = number_of(x)
    return filled(math.log(constant), x) if constant and is_positive(x) else logarithm(x, deep)


def _logarithms_of_both(x: Node, deep: int) -> tuple[Node, Node] | None:
    """The logarithms of two operands of which one at least is no constant."""
    left, right = x.inputs
    if number_of(left) is not None and number_of(right) is not None:
        return None
    a = known_logarithm(left, deep)
    b = known_logarithm(right, deep) if a else None
    return (a, b) if a and b else None


def _logarithm_of_view(x: Node, deep: int) -> MaybeNode:
    found = logarithm(x.inputs[0], deep + 1) if is_view(x) else None
    return found and Node(x.op, (found,), x.attributes)


def logarithm_of_sum(x: Node, deep: int = DEEP) -> MaybeNode:
    """ln (eᵃ + eᵇ)."""
    pair = _logarithms_of_both(x, deep)
    return pair and Node(ops.LOGADDEXP, pair)


def _logarithm_of_difference(x: Node, deep: int) -> MaybeNode:
    """Of 1 − σ(z)."""
    one, y = x.inputs
    return _of_expit(negated(y.inputs[0])) if is_number(one, 1) and y.op is ops.LOGISTIC else None


def _logarithm_of_product(x: Node, deep: int) -> MaybeNode:
    pair = _logarithms_of_both(x, deep)
    return pair and Node(ops.ADD if x.op is ops.MULTIPLY else ops.SUBTRACT, pair)


def _logarithm_of_power(x: Node, deep: int) -> MaybeNode:
    base, exponent = x.inputs
    found = logarithm(base, deep)
    return found and Node(ops.MULTIPLY, (exponent, found))


def _logarithm_of_expit(x: Node, deep: int) -> MaybeNode:
    return _of_expit(x.inputs[0])


def _of_expit(z: Node) -> Node:
    return Node(ops.NEGATIVE, (Node(ops.LOGADDEXP, (filled(0, z), negated(z))),))


def _logarithm_of_many(x: Node, deep: int) -> MaybeNode:
    """ln Σ eᶻ with the largest z subtracted first."""
    z = logarithm(x.inputs[0], deep)
    if z is None or x.inputs[0].type.size == 0:
        return None
    if is_shifted(z):
        return Node(ops.LOG, (x,))
    largest = largest_over(z, x.axes)
    return Node(ops.ADD, (Node(ops.LOG, (sum_of_shifted(z, largest, x.axes),)), largest))


_LOGARITHMS: Mapping[Op, Callable[[Node, int], MaybeNode]] = MappingProxyType(
    {
        ops.ADD: logarithm_of_sum,
        ops.SUBTRACT: _logarithm_of_difference,
        ops.MULTIPLY: _logarithm_of_product,
        ops.DIVIDE: _logarithm_of_product,
        ops.POWER: _logarithm_of_power,
        ops.EXPIT: _logarithm_of_expit,
        ops.LOGISTIC: _logarithm_of_expit,
        ops.SUM: _logarithm_of_many,
        **dict.fromkeys(VIEWS, _logarithm_of_view),
    }
)


def largest_over(z: Node, axes: tuple[int, ...]) -> Node:
    """The largest over axes, as a constant to derivatives; 0 where it is not finite."""
    found = Node(ops.STOP_GRADIENT, (Node(ops.MAX, (z,), (axes,)),))
    finite = Node(ops.LESS, (Node(ops.ABSOLUTE, (found,)), filled(math.inf, found)))
    return Node(ops.SELECT, (finite, found, filled(0, found)))


def sum_of_shifted(z: Node, largest: Node, axes: tuple[int, ...]) -> Node:
    """Σ e^(z − the largest) over axes."""
    kept = tuple(1 if n in axes else extent for n, extent in enumerate(z.type.shape))
    wide = Node(ops.RESHAPE, (largest,), (kept,)) if kept != largest.type.shape else largest
    if kept != z.type.shape:
        wide = Node(ops.BROADCAST, (wide,), (z.type.shape, tuple(range(z.type.rank))))
    return Node(ops.SUM, (Node(ops.EXP, (Node(ops.SUBTRACT, (z, wide)),)),), (axes,))


def is_shifted(z: Node) -> bool:
    """Whether a maximum has been subtracted already."""
    if z.op is not ops.SUBTRACT:
        return False
    found = z.inputs[1]
    while is_view(found) or found.op in (ops.SELECT, ops.STOP_GRADIENT, ops.MARK):
        found = found.inputs[1 if found.op is ops.SELECT else 0]
    return found.op is ops.MAX


def has_exponentials(x: Node, deep: int = DEEP) -> bool:
    """Whether there are any, quickly: this is asked of every quotient and logarithm."""
    op = x.op
    if op in _EXPONENTIAL or (op is ops.POWER and number_of(x.inputs[0]) is not None):
        return True
    if deep == 0 or (op not in _LOGARITHMS and op is not ops.NEGATIVE):
        return False
    deep = min(deep - 1, 1) if op is ops.SUBTRACT else deep - 1
    return has_exponentials(x.inputs[-1], deep) or (len(x.inputs) > 1 and has_exponentials(x.inputs[0], deep))


_EXPONENTIAL = frozenset((ops.EXP, ops.EXP2, ops.EXPM1, ops.COSH, ops.EXPIT, ops.LOGISTIC))
