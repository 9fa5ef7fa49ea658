"""What forms are recognised by: numbers, views, and nodes that compute the same."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from chainrule.graph import ops
from chainrule.graph.node import Node, full, number

__all__ = [
    "DEEP", "VIEWS", "MaybeNode", "difference", "filled", "is_number", "is_positive", "is_view", "negated", "number_of",
    "same", "under_views",
]  # fmt: skip


MaybeNode = Node | None
DEEP = 4  # how far below a node its form reaches
VIEWS = (ops.RESHAPE, ops.TRANSPOSE, ops.BROADCAST, ops.SLICE, ops.CAST)


def filled(value: float, like: Node) -> Node:
    """One number everywhere, of the type of another node."""
    return full(value, like.type)


def number_of(x: Node) -> float | None:
    """The number that a node is everywhere."""
    if not x.type.is_float:
        return None
    if x.op is ops.FULL:
        return float(number(x))
    if x.op is ops.CONSTANT and x.type.size == 1 and not x.data.shared:
        return float(x.data.array.item())
    return number_of(x.inputs[0]) if is_view(x) else None


def is_number(x: Node, value: float) -> bool:
    """Whether a node is that number everywhere."""
    return number_of(x) == value


def is_positive(x: Node) -> bool:
    """Whether a node is one positive number everywhere."""
    return 0 < (number_of(x) or 0) < math.inf


def negated(x: Node) -> Node:
    """−x; of what is −y, y."""
    return x.inputs[0] if x.op is ops.NEGATIVE else Node(ops.NEGATIVE, (x,))


def difference(a: Node, b: Node) -> Node:
    """a − b, shorter if one of them is 0."""
    if is_number(a, 0):
        return negated(b)
    return a if is_number(b, 0) else Node(ops.SUBTRACT, (a, b))


def same(a: Node, b: Node, deep: int = 2 * DEEP) -> bool:
    """Whether two nodes compute the same, from constants with the same elements that stay as they are."""
    if a is b:
        return True
    if a.op is not b.op or a.type != b.type or not deep:
        return False
    if a.op is ops.CONSTANT:
        return not (a.data.shared or b.data.shared) and np.array_equal(a.data.array, b.data.array)
    alike = a.attributes == b.attributes and len(a.inputs) == len(b.inputs) > 0
    return alike and all(same(m, n, deep - 1) for m, n in zip(a.inputs, b.inputs, strict=True))


def is_view(x: Node) -> bool:
    """Whether a node is the numbers of its input at other positions, or in another format."""
    return x.op in VIEWS and x.type.is_float and x.inputs[0].type.is_float


def under_views(x: Node, form: Callable[[Node], MaybeNode]) -> MaybeNode:
    """The form of what lies below views of it, under the same views."""
    if not is_view(x):
        return form(x)
    found = under_views(x.inputs[0], form)
    return found and Node(x.op, (found,), x.attributes)
