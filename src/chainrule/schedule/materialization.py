"""Which nodes get memory: everything else is computed where it is used.

Results of reductions and contractions do, and what is used from several kernels and costs more to compute again than
to load, and the outputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node
from chainrule.schedule.host_calls import HOST_OPERATIONS

__all__ = ["HEADS", "carried", "kept", "renumbers"]

KEEP_IF_SHARED = 6  # a shared value that costs more operations than this is stored rather than computed again
KEEP_IF_LARGE = 150  # operations in one kernel, so that compile time stays proportional to the program
#: Operations with steps of their own: other nodes may join their kernels, they join none.
HEADS = frozenset(
    {ops.CONTRACT, ops.SUM, ops.MAX, ops.PAD, ops.CONCATENATE, ops.SCATTER_ADD, *ops.CONTROL, ops.RESULT}
).union(HOST_OPERATIONS)

_VIEWS = (ops.TRANSPOSE, ops.BROADCAST, ops.SLICE, ops.RESHAPE, ops.RECOMPUTE)


def kept(graph: Graph, nodes: Sequence[Node]) -> set[Node]:
    """The nodes that get memory, of all nodes of a graph in order."""
    uses = Counter(source for node in nodes for source in set(node.inputs))
    found = {n for n in nodes if n.op in HEADS or n.op in (ops.INPUT, ops.CONSTANT)} | set(graph.outputs)
    cost: dict[Node, int] = {}  # of one element, from what is in memory
    for node in nodes:
        found.update(_sources_needed(node, found, cost))
        cost[node] = node.op.cost + sum(0 if n in found else cost[n] for n in node.inputs)
        if cost[node] > (KEEP_IF_SHARED if uses[node] > 1 else KEEP_IF_LARGE):
            found.add(node)
    return found


def _sources_needed(node: Node, found: set[Node], cost: Mapping[Node, int]) -> list[Node]:
    """What must be in memory for this node to read it: a contraction's operands, what a reshape walks through.

    Such a reshape is kept as well: it is its input's memory under another shape.
    """
    if node.op is ops.CONTRACT:
        return [_under_views(n, found) for n in node.inputs]
    if renumbers(node):
        return [node, *node.inputs]
    if node.op in ops.CONTROL or node.op in HOST_OPERATIONS:
        return list(node.inputs[carried(node) :])
    if node.op is ops.BROADCAST and cost[node.inputs[0]] > KEEP_IF_SHARED:
        return [node.inputs[0]]
    return []


def carried(node: Node) -> int:
    """How many of the inputs are only the start of what a loop carries."""
    number: int = node.carried if node.op in (ops.SCAN, ops.WHILE) else 0
    return number


def _under_views(node: Node, found: set[Node]) -> Node:
    """The node whose memory an operand reads, through operations that only say where.

    Not through a lookup of rows: an operand is read many times, and its copy lies side by side.
    """
    while node not in found and node.op in _VIEWS and not renumbers(node):
        node = node.inputs[0]
    return node


def renumbers(node: Node) -> bool:
    """Whether it is a reshape of an array in memory: its elements have other coordinates that no view can say.

    Not where axes of size one come or go, nor where positions are counted in another shape.
    """
    if node.op is not ops.RESHAPE:
        return False
    (source,) = node.inputs
    before, after = ([n for n in t.shape if n != 1] for t in (source.type, node.type))
    return before != after and not (source.op is ops.IOTA and source.type.rank == 1)
