"""What is not chosen has no derivative, whatever its own slope would be.

Backward, what `where(c, a, b)` does not take gets the error 0; and 0 times the infinite slope of a logarithm at 0, say,
would be nan. So an operation inside a or b whose slope may be infinite gets, where its result is not taken, an argument
at which it is not: `where(x > 0, log(x), 0)` is `where(x > 0, log(where(x > 0, x, 1)), 0)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chainrule.graph import ops
from chainrule.graph.node import Node, full, replaced
from chainrule.graph.ops import Op

__all__ = ["with_safe_branches"]

_DEEP = 8  # operations, from the choice on, that are looked at
_BARRIERS = frozenset((ops.MARK, ops.STOP_GRADIENT, ops.BITCAST, ops.CAST))

#: Which input of an operation may make its slope infinite, and a number at which it is not.
_SAFE: Mapping[Op, tuple[int, float]] = MappingProxyType(
    {
        **dict.fromkeys((ops.EXP, ops.EXPM1, ops.EXP2, ops.SINH, ops.COSH, ops.LOG1P), (0, 0.0)),
        **dict.fromkeys((ops.ARCSIN, ops.ARCCOS, ops.ARCTANH, ops.TAN), (0, 0.0)),
        **dict.fromkeys((ops.LOG, ops.LOG2, ops.LOG10, ops.SQRT, ops.CBRT, ops.POWER), (0, 1.0)),
        ops.ARCCOSH: (0, 2.0),
        ops.DIVIDE: (1, 1.0),
    }
)


def with_safe_branches(condition: Node, a: Node, b: Node) -> tuple[Node, Node]:
    """The two sides of a choice, each with the same value where it is taken."""
    return _safe(a, condition, True), _safe(b, condition, False)


def _safe(x: Node, condition: Node, taken: bool, deep: int = _DEEP) -> Node:
    if x.op not in ops.ELEMENTWISE - _BARRIERS or not x.type.is_float or not deep:
        return x
    inputs = [_safe(n, condition, taken, deep - 1) for n in x.inputs]
    position, number = _SAFE.get(x.op, (0, None))
    if number is not None and not _is_safe(inputs[position], condition):
        there, safe = inputs[position], full(number, inputs[position].type)
        inputs[position] = Node(ops.SELECT, (condition, there, safe) if taken else (condition, safe, there))
    return replaced(x, tuple(inputs))


def _is_safe(x: Node, condition: Node) -> bool:
    """Whether the same choice has been made of it already, or there is nothing to choose.

    What is made of numbers that were chosen so may itself be no safe one: a logarithm of 1 is a divisor of 0.
    """
    return x.op is ops.FULL or (x.op is ops.SELECT and x.inputs[0] is condition)
