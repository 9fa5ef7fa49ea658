"""Scans made smaller: one loop in place of two that do the same, nothing carried or collected that nobody reads.

Derivatives write loops freely: the loop forward, the same loop keeping what it carries, the same loop with changes. Of
two loops over the same rows of which one computes all that the other does, that one is enough. What no result depends
on is left out, and numbers that are the same in every round are written into the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, between, full, in_order, input_node, number
from chainrule.graph.rewrite import Rewriting, substituted
from chainrule.graph.walks import post_order

__all__ = ["with_fewer_loops"]


def with_fewer_loops(graph: Graph) -> Graph:
    """A graph with the same outputs, whose scans are fewer and smaller; the graph itself if it has none."""
    scans = [node for node in graph.nodes() if node.op is ops.SCAN]
    return _without_unread(_followed(graph, _merged(scans))) if scans else graph


# merging


def _merged(scans: Sequence[Node]) -> dict[Node, Node]:
    """For each result of a scan that another one computes as well, that other's result."""
    found: dict[Node, Node] = {}
    gone: set[Node] = set()
    for scan in scans:
        for other in scans:
            if other is not scan and other not in gone and scan not in between([scan], [other]):
                theirs = _results_in(scan, other)
                if theirs is not None:
                    gone.add(scan)
                    found |= {_result(scan, n): _result(other, their) for n, their in enumerate(theirs)}
                    break
    return found


def _result(scan: Node, index: int) -> Node:
    return Node(ops.RESULT, (scan,), (index,))


def _results_in(scan: Node, other: Node) -> list[int] | None:
    """Which results of the other scan are those of this one, if it computes them all."""
    if (scan.length, scan.reverse) != (other.length, other.reverse):
        return None
    inputs = _inputs_in(scan, other)
    if inputs is None:
        return None
    body: Graph = scan.body
    given = dict(zip(body.inputs, (other.body.inputs[n] for n in inputs), strict=True))
    outputs = substituted(body.outputs, given)
    theirs: tuple[Node, ...] = other.body.outputs
    if outputs[: scan.carried] != [theirs[n] for n in inputs[: scan.carried]]:
        return None
    rows = theirs[other.carried :]
    if not set(outputs[scan.carried :]) <= set(rows):
        return None
    return [*inputs[: scan.carried], *(other.carried + rows.index(row) for row in outputs[scan.carried :])]


def _inputs_in(scan: Node, other: Node) -> list[int] | None:
    """Where the scan's inputs are among the other's: what is carried, what steps along, what stays the same."""
    found: list[int] = []
    for mine, theirs in zip(_groups(scan), _groups(other), strict=True):
        left = {n: other.inputs[n] for n in theirs}
        for node in (scan.inputs[n] for n in mine):
            position = next((n for n, candidate in left.items() if candidate is node), None)
            if position is None:
                return None
            found.append(position)
            del left[position]
    return found


def _groups(scan: Node) -> tuple[range, range, range]:
    split = scan.carried + scan.stepped
    return range(scan.carried), range(scan.carried, split), range(split, len(scan.inputs))


def _followed(graph: Graph, found: Mapping[Node, Node]) -> Graph:
    """The graph with nodes replaced by others, which do not depend on them."""
    rewriting = Rewriting(graph.origins)
    for node in post_order(graph.outputs, lambda node: (found[node],) if node in found else node.inputs):
        rewriting.put(node, rewriting.of(found[node]) if node in found else rewriting.again(node))
    return rewriting.graph(graph.inputs, graph.outputs)


# leaving out


def _without_unread(graph: Graph) -> Graph:
    nodes = graph.nodes()
    read: dict[Node, set[int]] = {}
    for node in nodes:
        if node.op is ops.RESULT:
            read.setdefault(node.inputs[0], set()).add(node.index)
    rewriting = Rewriting(graph.origins)
    results: dict[Node, dict[int, int]] = {}  # where those of a scan are now
    for node in nodes:
        if node.op is ops.SCAN:
            smaller, results[node] = _smaller(node, rewriting.again(node).inputs, read.get(node, set()))
            rewriting.put(node, smaller)
        elif node.op is ops.RESULT and node.inputs[0] in results:
            scan = node.inputs[0]
            rewriting.put(node, _result(rewriting.of(scan), results[scan][node.index]))
        else:
            rewriting.put(node, rewriting.again(node))
    return rewriting.graph(graph.inputs, graph.outputs)


@dataclass(frozen=True, slots=True)
class _Needed:
    """What of a scan is needed: the positions of its outputs and of its inputs, in order."""

    outputs: list[int]
    inputs: list[int]


def _smaller(scan: Node, inputs: tuple[Node, ...], read: set[int]) -> tuple[Node, dict[int, int]]:
    """The scan with what is needed for the results that are read, and where they are now."""
    body: Graph = scan.body
    numbers = {
        n: _as_row(inputs[n], body.inputs[n]) for n in range(scan.carried, len(inputs)) if inputs[n].op is ops.FULL
    }
    outputs = substituted(body.outputs, {x: numbers.get(n, x) for n, x in enumerate(body.inputs)})
    needed = _needed(scan, outputs, read)
    carried = [n for n in needed.outputs if n < scan.carried]
    given = {body.inputs[n]: input_node(position, body.inputs[n].type) for position, n in enumerate(needed.inputs)}
    renumbered = substituted([outputs[n] for n in needed.outputs], given)
    smaller = Graph(tuple(given.values()), tuple(renumbered), body.origins)
    stepped = sum(scan.carried <= n < scan.carried + scan.stepped for n in needed.inputs)
    attributes = (smaller, len(carried), stepped, scan.length, scan.reverse)
    made = Node(ops.SCAN, tuple(inputs[n] for n in needed.inputs), attributes)
    return made, {n: position for position, n in enumerate(needed.outputs)}


def _as_row(array: Node, row: Node) -> Node:
    return full(number(array), row.type)


def _needed(scan: Node, outputs: Sequence[Node], read: set[int]) -> _Needed:
    positions = {node: n for n, node in enumerate(scan.body.inputs)}
    kept = set(read)
    while True:
        used = {positions[node] for node in in_order([outputs[n] for n in sorted(kept)]) if node in positions}
        carried = {n for n in used if n < scan.carried} | {n for n in kept if n < scan.carried}
        if carried <= kept:
            return _Needed(sorted(kept), sorted(used | carried))
        kept |= carried
