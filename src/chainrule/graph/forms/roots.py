"""Roots, distances and absolute values: what they are the root of, and where they are one of squares."""

from __future__ import annotations

import math

from chainrule.graph import ops
from chainrule.graph.forms.patterns import DEEP, MaybeNode, filled, is_number, is_positive, is_view, number_of, same
from chainrule.graph.node import Node

__all__ = ["cubed", "distance_form", "squared"]


def squared(x: Node) -> MaybeNode:
    """The square of a root, of which it is the root; nan where that is negative."""
    if x.op is ops.ROOT:
        return x.inputs[0]
    if x.op is ops.ABSOLUTE and x.type.is_float:
        return Node(ops.MULTIPLY, (x.inputs[0], x.inputs[0]))
    if x.op is ops.HYPOT:
        return Node(ops.ADD, tuple(Node(ops.MULTIPLY, (n, n)) for n in x.inputs))
    if x.op is ops.SQRT or (x.op is ops.POWER and is_number(x.inputs[1], 0.5)):
        s = x.inputs[0]
        return Node(ops.SELECT, (Node(ops.LESS, (s, filled(0, s))), filled(math.nan, s), s))
    return None


def cubed(square: Node, root: Node) -> MaybeNode:
    """∛x · ∛x · ∛x."""
    if root.op is ops.CBRT and square.op is ops.MULTIPLY and all(same(n, root) for n in square.inputs):
        return root.inputs[0]
    return None


def distance_form(x: Node) -> MaybeNode:
    """√s of a sum of squares."""
    (s,) = x.inputs
    return Node(ops.ROOT, (s,)) if _is_of_squares(s) else None


def _is_of_squares(x: Node, deep: int = DEEP) -> bool:
    """Whether a node is a sum of squares, each of them 0 where the sum is."""
    if not deep or not x.type.is_float:
        return False
    if x.op in (ops.MULTIPLY, ops.CONTRACT) and same(x.inputs[0], x.inputs[1]):
        return x.op is ops.MULTIPLY or x.a == x.b
    if x.op is ops.POWER:
        n = number_of(x.inputs[1])
        return n is not None and n > 0 and n % 2 == 0
    if x.op is ops.SUM or is_view(x):
        return _is_of_squares(x.inputs[0], deep - 1)
    if x.op is ops.ADD:
        return all(_is_of_squares(n, deep - 1) for n in x.inputs)
    if x.op is ops.SELECT:
        return all(_is_of_squares(n, deep - 1) or (number_of(n) or 0) > 0 or is_number(n, 0) for n in x.inputs[1:])
    if x.op in (ops.MULTIPLY, ops.DIVIDE):
        squares = [_is_of_squares(n, deep - 1) for n in x.inputs]
        scaled = [found or is_positive(n) for found, n in zip(squares, x.inputs, strict=True)]
        return all(scaled) and (squares[0] if x.op is ops.DIVIDE else any(squares))
    return False
