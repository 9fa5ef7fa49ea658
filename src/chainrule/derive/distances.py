"""The errors of what a distance was measured of, where it is 0 and a derivative of the derivative is wanted.

The gradient of f(r), r = |x|, is x · f′(r)/r. Where r = 0 it is 0, if there is one, whatever is put for the quotient;
but the Hessian there is the quotient itself, and f′(r)/r → f″(0), as of a kernel whose slope at 0 is 0. So a gradient
that is differentiated in turn has this limit in it. It is known where δ = f′(r) depends on r element by element.
Where f′(0) is not 0 there is no second derivative, and what stands in for it is f″(0): 0 for the distance itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import numpy as cnp
from chainrule.derive.forward import push_forward
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, between, full, in_order
from chainrule.trace.array import Array
from chainrule.trace.plain import acts_on, is_differentiating
from chainrule.trace.primitives import apply

__all__ = ["is_measured", "with_limits"]

_DISTANCES = frozenset((ops.ROOT, ops.HYPOT, ops.ABSOLUTE))


def is_measured(node: Node) -> bool:
    """Whether a node is a distance on which a variable acts of a derivative that is being taken outside, or has one.

    Inside a loop or a branch, whose arguments are not known, any may.
    """
    if node.op in (ops.SCAN, ops.COND):
        programs = (graph for graph in node.attributes if isinstance(graph, Graph))
        return is_differentiating() and any(n.op in _DISTANCES for graph in programs for n in graph.nodes())
    return node.op in _DISTANCES and (acts_on(node) or (is_differentiating() and _is_inside(node)))


def _is_inside(node: Node) -> bool:
    return any(n.op is ops.PLACEHOLDER for n in in_order([node]))


def with_limits(errors: Sequence[Array | None], delta: Array, r: Node) -> list[Array | None]:
    """The errors of the inputs of a distance r with the limit of δ/r in them, where that is known and r is 0."""
    limit = _slope(delta.node, r)
    if limit is None:
        return list(errors)
    nowhere = apply(ops.EQUAL, r, full(0, r.type))
    beside = [limit / 2] if r.op is ops.ROOT else [limit * Array(x) for x in r.inputs]
    return [None if e is None else cnp.where(nowhere, limit, e) for e, limit in zip(errors, beside, strict=True)]


def _slope(delta: Node, r: Node) -> Array | None:
    """∂δ/∂r, element by element."""
    path = between([r], [delta])
    if delta not in path or not (r.type.size == 1 or all(_is_elementwise(node, r) for node in path)):
        return None
    (change,) = push_forward([(r, Array(full(1, r.type)))], [delta])
    return change


def _is_elementwise(node: Node, r: Node) -> bool:
    return node is r or (node.op in ops.ELEMENTWISE and node.type == r.type)
