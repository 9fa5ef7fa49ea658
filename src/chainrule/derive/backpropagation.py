"""Backpropagation: visit the nodes in reverse, add up each node's error δ, apply its pull rule.

The result is a graph like any other, so it can be differentiated again, printed and compiled. Each node written on the
way notes the forward node that it answers for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.derive.pull_rules import PULL
from chainrule.graph.node import Node, full
from chainrule.trace.array import Array, scope

__all__ = ["backpropagate"]


def backpropagate(errors: Iterable[tuple[Node, Array]], variables: Sequence[Node]) -> list[Array]:
    """∂C/∂v for each variable v, where `errors` holds δ = ∂C/∂y for some nodes y that depend on the variables.

    For every node, from the last to the first: δ(x) += pull(δ(y)), for each input x of y through which a variable acts.
    """
    delta: dict[Node, Array] = {}
    for node, error in errors:
        _add(delta, node, error)
    active = _between(variables, list(delta))
    for node in reversed(active):
        if node in delta:
            _pull(node, delta, active)
    return [delta[v] if v in delta else Array(full(0, v.type)) for v in variables]


def _pull(node: Node, delta: dict[Node, Array], active: dict[Node, None]) -> None:
    """Pass the error of a node on to its inputs."""
    y, inputs = Array(node), [Array(n) for n in node.inputs]
    with scope(backward_of=node):
        for position, source in enumerate(node.inputs):
            rule = PULL[node.op][position] if source in active else None
            if rule is not None:
                _add(delta, source, rule(delta[node], y, *inputs))


def _between(variables: Sequence[Node], outputs: Sequence[Node]) -> dict[Node, None]:
    """The nodes through which a variable acts on an output, inputs before users.

    What is older than every variable cannot depend on one, so the walk stops there: the cost of a derivative is that
    of the part of the program that it is about.
    """
    oldest = min((v.serial for v in variables), default=0)
    active: dict[Node, None] = {}
    seen: set[Node] = set()
    chosen = set(variables)
    stack = [(node, False) for node in reversed(outputs)]
    while stack:
        node, ready = stack.pop()
        if ready:
            if node in chosen or any(n in active for n in node.inputs):
                active[node] = None
        elif node not in seen and node.serial >= oldest and node.type.is_float:
            seen.add(node)
            stack.append((node, True))
            stack.extend((n, False) for n in reversed(node.inputs))
    return active


def _add(delta: dict[Node, Array], node: Node, error: Array) -> None:
    delta[node] = delta[node] + error if node in delta else error
