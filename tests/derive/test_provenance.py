"""Each node that is written on the way back remembers the forward node that it answers for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.graph import ops
from chainrule.graph.graph import Graph, Origin
from chainrule.graph.node import Node, in_order
from chainrule.graph.types import Type
from chainrule.optimize.simplify import simplify
from chainrule.trace.origins import scope
from chainrule.trace.plain import transforming
from chainrule.trace.tracing import trace
from chainrule.trace.tree import flatten

X, W, V = Type((5, 4), np.dtype(np.float64)), Type((3, 4), np.dtype(np.float64)), Type((3,), np.dtype(np.float64))


def cost(x: Any, w: Any, v: Any) -> Any:
    with scope("hidden"):
        a = cnp.tanh(x @ w.T)  # the forward line
    with scope("output"):
        y = a @ v
    return cnp.sum(y * y)


def traced() -> tuple[Graph, set[Node]]:
    """The graph of the cost and its gradient, and the nodes of the cost alone."""
    graph = graph_of(cr.value_and_grad(cost, argnums=(1, 2)), X, W, V)
    return graph, set(in_order(graph.outputs[:1]))


def graph_of(function: Callable[..., Any], *types: Type) -> Graph:
    with transforming():
        return trace(function, flatten(tuple(range(len(types))))[1], types)[0]


def origins(graph: Graph, node: Node) -> tuple[Origin, ...]:
    return graph.origins.get(node, ())


def line(text: str) -> int:
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(n for n, code in enumerate(source, start=1) if text in code)


def test_a_forward_node_answers_for_nothing_and_names_its_line() -> None:
    graph, forward = traced()
    (tanh,) = (node for node in forward if node.op is ops.TANH)
    assert [(o.file, o.line, o.layer, o.backward_of) for o in origins(graph, tanh)] == [
        (__file__, line("# the forward line"), "hidden", None)
    ]
    assert all(o.backward_of is None for node in forward for o in origins(graph, node))


def test_every_node_written_on_the_way_back_names_its_forward_node() -> None:
    graph, forward = traced()
    backward = [node for node in graph.nodes() if node not in forward and node.op is not ops.FULL]
    assert backward
    for node in backward:
        answers = {o.backward_of for o in origins(graph, node)}
        assert answers
        assert answers <= forward, node


def test_the_error_flow_through_a_node_can_be_asked_for() -> None:
    """What answers for tanh is δ · (1 − a²); what answers for the products are the products of its gradient."""
    graph, forward = traced()

    def answering(op: ops.Op) -> list[str]:
        return sorted(
            node.op.name
            for node in graph.nodes()
            for o in origins(graph, node)
            if o.backward_of in forward and o.backward_of is not None and o.backward_of.op is op
        )

    assert answering(ops.TANH) == ["multiply", "multiply", "subtract"]
    assert answering(ops.CONTRACT) == ["contract"] * 3  # δ·vᵀ, ∂C/∂v and ∂C/∂w; ∂C/∂x is not asked for
    assert answering(ops.SUM) == ["broadcast", "reshape"]


def test_a_node_that_stands_for_two_forward_nodes_names_both() -> None:
    """Interning makes equal nodes one; it keeps every origin."""

    graph = graph_of(cr.grad(lambda x: (cnp.sum(cnp.sin(x)) + cnp.sum(cnp.cos(x))) ** 3), V)
    (spread,) = (node for node in graph.nodes() if node.op is ops.BROADCAST)
    answers = [o.backward_of for o in origins(graph, spread)]
    assert [n.op for n in answers if n] == [ops.SUM, ops.SUM]
    assert {n.inputs[0].op for n in answers if n} == {ops.SIN, ops.COS}


def test_simplifying_keeps_what_answers_for_what() -> None:
    graph, _ = traced()
    simple = simplify(graph)
    kept = {o for found in simple.origins.values() for o in found if o.backward_of}
    assert kept <= {o for found in graph.origins.values() for o in found}
    assert {o.backward_of.op.name for o in kept if o.backward_of} >= {"tanh", "contract", "sum"}


def test_nothing_is_noted_where_nobody_records() -> None:
    slope = cr.grad(lambda x: cnp.sum(cnp.tanh(x)))(np.zeros(3))
    np.testing.assert_array_equal(slope, np.ones(3))
