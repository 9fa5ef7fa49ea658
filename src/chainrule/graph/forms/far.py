"""Formulas that are computed otherwise far from 0, where the exponentials in them overflow."""

from __future__ import annotations

import math
from collections.abc import Callable

from chainrule.graph import ops
from chainrule.graph.forms.patterns import filled
from chainrule.graph.node import Node, replaced

__all__ = ["inverse_less_one", "logarithm_of_cosh", "one_over_cosh"]


def _over(x: Node) -> Node:
    return Node(ops.DIVIDE, (filled(1, x), x))


def inverse_less_one(written: Node, z: Node) -> Node:
    """1/(eᶻ − 1), above 1 as e⁻ᶻ/(1 − e⁻ᶻ)."""
    large = Node(ops.LESS, (filled(1, z), z))
    near = replaced(written, tuple(_chosen(large, filled(-1, z), n, z) for n in written.inputs))
    w = Node(ops.EXP, (Node(ops.NEGATIVE, (Node(ops.SELECT, (large, z, filled(1, z))),)),))
    far = Node(ops.DIVIDE, (w, Node(ops.SUBTRACT, (filled(1, z), w))))
    return Node(ops.SELECT, (large, far, _over(near)))


def _chosen(large: Node, safe: Node, x: Node, z: Node) -> Node:
    """An operand of what is written, with a safe z where it is large."""
    near = Node(ops.SELECT, (large, safe, z))
    return near if x is z else Node(x.op, (near,)) if x.op is ops.EXP else x


def _of_large(z: Node, near: Callable[[Node], Node], far: Callable[[Node], Node]) -> Node:
    """A function of cosh z; far from 0, where cosh z is e^|z|/2 to rounding, one of |z|."""
    size = Node(ops.ABSOLUTE, (z,))
    large = Node(ops.LESS, (filled(20, z), size))
    return Node(ops.SELECT, (large, far(size), near(Node(ops.SELECT, (large, filled(0, z), z)))))


def one_over_cosh(z: Node) -> Node:
    """1/cosh z."""
    return _of_large(
        z,
        lambda z: _over(Node(ops.COSH, (z,))),
        lambda size: Node(ops.MULTIPLY, (filled(2, size), Node(ops.EXP, (Node(ops.NEGATIVE, (size,)),)))),
    )


def logarithm_of_cosh(z: Node) -> Node:
    """ln cosh z."""
    return _of_large(
        z,
        lambda z: Node(ops.LOG, (Node(ops.COSH, (z,)),)),
        lambda size: Node(ops.SUBTRACT, (size, filled(math.log(2), size))),
    )
