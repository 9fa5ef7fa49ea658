"""Backpropagation: visit the nodes in reverse, add up each node's error δ, apply its pull rule.

The result is a graph like any other, so it can be differentiated again, printed and compiled. Each node written on the
way notes the forward node that it answers for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.derive.pull_rules import PULL, PULL_TOGETHER
from chainrule.graph import ops
from chainrule.graph.node import Node, between, full
from chainrule.trace.array import Array, scope

__all__ = ["backpropagate"]


def backpropagate(errors: Iterable[tuple[Node, Array]], variables: Sequence[Node]) -> list[Array]:
    """∂C/∂v for each variable v, where `errors` holds δ = ∂C/∂y for some nodes y that depend on the variables.

    For every node, from the last to the first: δ(x) += pull(δ(y)), for each input x of y through which a variable acts.
    """
    delta: dict[Node, Array] = {}
    for node, error in errors:
        _add(delta, node, error)
    active = between(variables, list(delta), lambda node: node.type.is_float)
    for node in reversed(active):
        if node in delta or any(error is not None for error in _of_results(node, delta)):
            _pull(node, delta, active)
    return [delta[v] if v in delta else Array(full(0, v.type)) for v in variables]


def _pull(node: Node, delta: dict[Node, Array], active: dict[Node, None]) -> None:
    """Pass the error of a node on to its inputs."""
    y, inputs = Array(node), [Array(n) for n in node.inputs]
    with scope(backward_of=node):
        if node.op in PULL_TOGETHER:
            error: Any = _of_results(node, delta) if node.op in ops.CONTROL else delta[node]
            wanted = [n in active for n in node.inputs]
            found = PULL_TOGETHER[node.op](error, y, inputs, wanted, backpropagate)
        else:
            rules = (PULL[node.op][n] if source in active else None for n, source in enumerate(node.inputs))
            found = [rule(delta[node], y, *inputs) if rule else None for rule in rules]
        for source, error in zip(node.inputs, found, strict=True):
            if error is not None:
                _add(delta, source, error)


def _of_results(node: Node, delta: dict[Node, Array]) -> list[Array | None]:
    """The errors of the results of an operation that has several."""
    several: Any = node.type
    count = len(several.types) if node.op in ops.CONTROL else 0
    return [delta.get(Node(ops.RESULT, (node,), (n,))) for n in range(count)]


def _add(delta: dict[Node, Array], node: Node, error: Array) -> None:
    delta[node] = delta[node] + error if node in delta else error
