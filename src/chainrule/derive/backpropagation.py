"""Backpropagation: visit the nodes in reverse, add up each node's error δ, apply its pull rule.

The result is a graph like any other, so it can be differentiated again, printed and compiled. Each node written on the
way notes the forward node that it answers for.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from chainrule.derive.distances import is_measured, with_limits
from chainrule.derive.pull_rules import PULL, PULL_TOGETHER
from chainrule.derive.slopes import SLOPES
from chainrule.graph import ops
from chainrule.graph.interpret import value
from chainrule.graph.node import Node, between, full, known, number, results
from chainrule.trace.array import Array
from chainrule.trace.origins import is_recording, scope
from chainrule.trace.primitives import immediately

Values = np.ndarray[Any, Any]

__all__ = ["backpropagate", "backpropagated_values"]


def backpropagate(errors: Iterable[tuple[Node, Array]], variables: Sequence[Node]) -> list[Array]:
    """∂C/∂v for each variable v, where `errors` holds δ = ∂C/∂y for some nodes y that depend on the variables.

    For every node, from the last to the first: δ(x) += pull(δ(y)), for each input x of y through which a variable acts.
    """
    found = _walked(errors, variables, _pulled)
    return [Array(full(0, v.type)) if error is None else error for v, error in zip(variables, found, strict=True)]


def backpropagated_values(errors: Iterable[tuple[Node, Values]], variables: Sequence[Node]) -> list[Values]:
    """The same where values are known and nobody will differentiate what comes out: errors are numbers, not nodes."""
    with np.errstate(all="ignore"), immediately():
        found = _walked(errors, variables, _pulled_values)
    return [
        np.zeros(v.type.shape, v.type.dtype) if error is None else np.array(error, v.type.dtype)
        for v, error in zip(variables, found, strict=True)
    ]


def _walked(errors: Iterable[tuple[Node, Any]], variables: Sequence[Node], pulled: Any) -> list[Any]:
    delta: dict[Node, Any] = {}
    for node, error in errors:
        _add(delta, node, error)
    active = between(variables, list(delta), floats=True)
    noting = scope if is_recording() else _unnoted
    for node in reversed(active):
        if not any(map(active.__contains__, node.inputs)):
            continue  # a variable, where the walk ends
        if node in delta or any(error is not None for error in _of_results(node, delta)):
            with noting(backward_of=node):
                found = pulled(node, delta, active)
                for source, error in zip(node.inputs, found, strict=True):
                    if error is not None:
                        _add(delta, source, error)
    return [delta.get(v) for v in variables]


def _unnoted(backward_of: Node) -> AbstractContextManager[None]:
    return _NOTHING


_NOTHING = nullcontext()


def _pulled(node: Node, delta: Mapping[Node, Array], active: Container[Node]) -> Sequence[Array | None]:
    """The errors of a node's inputs, of those that are active, that the error of the node makes."""
    y, inputs = Array(node), [Array(n) for n in node.inputs]
    if node.op in PULL_TOGETHER:
        error: Any = _of_results(node, delta) if node.op in ops.CONTROL else delta[node]
        return PULL_TOGETHER[node.op](error, y, inputs, [n in active for n in node.inputs], backpropagate)
    found = _by_rules(PULL[node.op], node, active, delta[node], y, inputs)
    return with_limits(found, delta[node], node) if is_measured(node) else found


def _pulled_values(node: Node, delta: Mapping[Node, Values], active: Container[Node]) -> Sequence[Values | None]:
    """The same in numbers: an elementwise rule is a computation on plain arrays; any other is computed as it is run."""
    if node.op in SLOPES:
        inputs = [number(n) if n.op is ops.FULL else value(n) for n in node.inputs]
        return _by_rules(SLOPES[node.op], node, active, delta[node], value(node), inputs)
    if node.op in ops.CONTROL:
        with immediately(really=False):  # a rule of a user's may take derivatives of its own
            return _computed(node, results(node), delta, active)
    return _computed(node, [node], delta, active)


def _computed(
    node: Node, given: Sequence[Node], delta: Mapping[Node, Values], active: Container[Node]
) -> list[Values | None]:
    errors = {n: Array(known(np.asarray(delta[n]))) for n in given if n in delta}
    return [None if error is None else value(error.node) for error in _pulled(node, errors, active)]


def _by_rules(
    rules: Sequence[Any], node: Node, active: Container[Node], error: Any, y: Any, inputs: Sequence[Any]
) -> list[Any]:
    return [
        rule(error, y, *inputs) if rule and source in active else None
        for rule, source in zip(rules, node.inputs, strict=True)
    ]


def _of_results(node: Node, delta: Mapping[Node, Any]) -> list[Any]:
    """The errors of the results of an operation that has several."""
    return [delta.get(result) for result in results(node)] if node.op in ops.CONTROL else []


def _add(delta: dict[Node, Any], node: Node, error: Any) -> None:
    delta[node] = delta[node] + error if node in delta else error
