"""Arguments with any number of rows, of which rows are looked up by number.

The resident data of a training loop, and an embedding's vectors, are such tables: no operation but `gather` touches
them, and what it gives has as many rows as there are numbers. So the program need not know how many rows there are.
"""

from __future__ import annotations

from collections.abc import Collection

from chainrule.errors import GraphError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, input_node
from chainrule.graph.rewrite import rewritten

__all__ = ["with_tables"]

_ROWS = 2  # of every table in a graph, whatever it was traced with


def with_tables(graph: Graph, tables: Collection[int]) -> Graph:
    """The graph, equal for all numbers of rows of the arguments in `tables`; GraphError if more than rows are used."""
    if not tables:
        return graph
    given = {graph.inputs[n]: _any_rows(graph.inputs[n]) for n in tables}
    if not given.keys().isdisjoint(graph.outputs):
        raise GraphError("a table of any number of rows is no result of a program: look up the rows that are wanted.")

    def checked(node: Node, again: Node) -> Node:
        _check_use(node, given)
        return again

    return rewritten(graph, checked, given)


def _any_rows(node: Node) -> Node:
    return input_node(node.index, node.type.with_shape((_ROWS, *node.type.shape[1:])))


def _check_use(node: Node, tables: Collection[Node]) -> None:
    looked_up = node.inputs[:1] if node.op is ops.GATHER else ()
    for source in node.inputs[len(looked_up) :]:
        if source in tables:
            raise GraphError(
                f"argument {source.index} is a table of any number of rows, and {node.op} uses all of it.",
                cure="Look up the rows that are wanted by their numbers, x[rows].",
            )
