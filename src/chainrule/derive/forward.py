"""Forward mode: visit the nodes in order, and push the changes of the inputs of each into a change of its result.

Like backpropagation it writes a graph, which can be differentiated again, printed and compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.derive.push_rules import PUSH, PUSH_TOGETHER
from chainrule.graph import ops
from chainrule.graph.node import Node, between, results
from chainrule.trace.array import Array

__all__ = ["push_forward"]


def push_forward(changes: Iterable[tuple[Node, Array]], outputs: Sequence[Node]) -> list[Array | None]:
    """The change of each output for small changes of some variables: ẏ = Σ ∂y/∂v · v̇. None where there is none.

    For every node, from the first to the last: ẏ = Σ push(ẋ) over the inputs x that change.
    """
    tangent: dict[Node, Array] = dict(changes)
    for node in between(tangent, outputs, floats=True):
        if node not in tangent:
            _push(node, tangent)
    return [tangent.get(node) for node in outputs]


def _push(node: Node, tangent: dict[Node, Array]) -> None:
    """Note the change of a node, if it has one."""
    if node.op is ops.RESULT:
        return
    y, inputs = Array(node), [Array(n) for n in node.inputs]
    if node.op in PUSH_TOGETHER:
        found = PUSH_TOGETHER[node.op]([tangent.get(n) for n in node.inputs], y, inputs, push_forward)
        _note(node, found, tangent)
        return
    for position, source in enumerate(node.inputs):
        rule = PUSH[node.op][position] if source in tangent else None
        if rule is not None:
            share = rule(tangent[source], y, *inputs)
            tangent[node] = tangent[node] + share if node in tangent else share


def _note(node: Node, found: Array | list[Array | None], tangent: dict[Node, Array]) -> None:
    if isinstance(found, Array):
        tangent[node] = found
        return
    for result, change in zip(results(node), found, strict=True):
        if change is not None:
            tangent[result] = change
