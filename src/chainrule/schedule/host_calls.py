"""What a program calls Python for: operations that NumPy computes, and to hear whether it should end.

The program calls one function with the address of a table: the number of the operation (sorting, LAPACK's linear
algebra) and the addresses of its operands and its result; or `MAY_GO_ON`, where it then finds `GO_ON`, or not.
"""

from __future__ import annotations

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node

__all__ = ["GO_ON", "HOST_OPERATIONS", "MAY_GO_ON", "host_operations"]

MAY_GO_ON, GO_ON = -1, 1
HOST_OPERATIONS = frozenset({ops.ARGSORT, *ops.MATRIX})


def host_operations(graph: Graph) -> list[Node]:
    """The operations of a program that NumPy computes, those of programs inside it included, in a fixed order."""
    nodes = (node for part in [*graph.programs(), graph] for node in part.nodes())
    return list(dict.fromkeys(node for node in nodes if node.op in HOST_OPERATIONS))
