"""Graphs written anew: other nodes in the place of some, and where they were written carried over.

A pass that looks at one node at a time is one call: `rewritten(graph, rule)`. The rule is given each node, and the same
operation on what its inputs have become; it returns what is to stand in the node's place.

    cheaper = rewritten(graph, lambda node, again: again.inputs[0] if again.op is ops.MARK else again)

A pass that knows more goes through the nodes by itself, inputs before users, and ends with a graph:

    rewriting = Rewriting(graph.origins)
    for node in graph.nodes():
        rewriting.put(node, better(rewriting.again(node)))
    cheaper = rewriting.graph(graph.inputs, graph.outputs)

What is not put stands for itself. `substituted` is for outputs of which nobody keeps notes. The walks are in `walks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from chainrule.graph import ops
from chainrule.graph.graph import Graph, Origin
from chainrule.graph.node import Node, in_order, replaced
from chainrule.graph.walks import post_order

__all__ = ["Rewriting", "rewritten", "substituted"]

NodeRule = Callable[[Node, Node], Node]


class Rewriting:
    """What nodes become, one after the other, inputs before users; and where that was written.

    `written` says where the nodes were, `given` what some become to begin with, which is not looked into.
    """

    def __init__(self, written: Mapping[Node, tuple[Origin, ...]], given: Mapping[Node, Node] | None = None) -> None:
        self._written = written
        self.became: dict[Node, Node] = dict(given or {})
        self.origins: dict[Node, tuple[Origin, ...]] = {}
        self._known: set[Node] = set(self.became.values())  # of whose making nothing is new

    def of(self, node: Node) -> Node:
        """What stands in the place of a node."""
        return self.became.get(node, node)

    def again(self, node: Node) -> Node:
        """The same operation on what its inputs have become."""
        return replaced(node, tuple(map(self.of, node.inputs)))

    def put(self, node: Node, new: Node, origins: Iterable[Origin] = ()) -> None:
        """From now on `new` stands in the place of the node, and was written where the node was, and at `origins`.

        So was all that is new in it.
        """
        self.became[node] = new
        told = (*self._written.get(node, ()), *origins)
        made = post_order([new], self._unknown_inputs)
        self._known.update(made)
        for part in made:
            self.note(part, told if part is new else self._written.get(part, told))

    def _unknown_inputs(self, node: Node) -> list[Node]:
        return [n for n in node.inputs if n not in self._known and n.op not in ops.LEAVES]

    def note(self, node: Node, origins: Iterable[Origin]) -> None:
        """A new node was written here too."""
        told = dict.fromkeys((*self.origins.get(node, ()), *origins))
        if told:
            self.origins[node] = tuple(told)

    def graph(self, inputs: Iterable[Node], outputs: Iterable[Node], *, moved: bool = False) -> Graph:
        """The program in which everything is what it has become.

        If it has only `moved`, what answered for a forward node answers for what that has become.
        """
        origins = (
            {node: tuple(map(self._moved, told)) for node, told in self.origins.items()} if moved else self.origins
        )
        return Graph(tuple(map(self.of, inputs)), tuple(map(self.of, outputs)), origins)

    def _moved(self, origin: Origin) -> Origin:
        forward = origin.backward_of
        return origin if forward is None else replace(origin, backward_of=self.of(forward))


def rewritten(graph: Graph, rule: NodeRule, given: Mapping[Node, Node] | None = None) -> Graph:
    """The graph with `rule(node, again)` in the place of each node, whose inputs are `again` what they have become.

    Inputs of the graph stand for themselves, unless they are among the `given`, which says what some nodes become.
    """
    rewriting = Rewriting(graph.origins, given)
    for node in graph.nodes():
        if node not in rewriting.became:
            rewriting.put(node, node if node.op is ops.INPUT else rule(node, rewriting.again(node)))
    return rewriting.graph(graph.inputs, graph.outputs)


def substituted(outputs: Sequence[Node], given: Mapping[Node, Node]) -> list[Node]:
    """The outputs with what is given in the place of the nodes that it is given for."""
    rewriting = Rewriting({}, given)
    for node in in_order(outputs):
        if node not in rewriting.became:
            rewriting.put(node, rewriting.again(node))
    return [rewriting.of(node) for node in outputs]
