"""Rewriting a graph: what stands in the place of a node, and where it was written; and walks in order."""

from __future__ import annotations

import numpy as np

from chainrule.graph import ops
from chainrule.graph.graph import Graph, Origin
from chainrule.graph.interpret import interpret
from chainrule.graph.node import Node, between, in_order, input_node
from chainrule.graph.rewrite import Rewriting, rewritten, substituted
from chainrule.graph.types import Type
from chainrule.graph.walks import post_order, reached

VECTOR = Type((3,), np.dtype(np.float64))
X = input_node(0, VECTOR)
Y = input_node(1, VECTOR)


def of(op: ops.Op, *inputs: Node) -> Node:
    return Node(op, inputs)


def at(line: int, backward_of: Node | None = None) -> tuple[Origin, ...]:
    return (Origin("user.py", line, "", backward_of),)


TANH = of(ops.TANH, X)
SQUARE = of(ops.MULTIPLY, TANH, TANH)
SUM = of(ops.ADD, SQUARE, Y)
GRAPH = Graph((X, Y), (SUM,), {TANH: at(1), SQUARE: at(2), SUM: at(3)})


def doubled(node: Node, again: Node) -> Node:
    """x + x in the place of x · x."""
    return of(ops.ADD, again.inputs[0], again.inputs[0]) if node.op is ops.MULTIPLY else again


def test_a_rule_says_what_stands_in_the_place_of_each_node() -> None:
    again = rewritten(GRAPH, doubled)
    assert again.inputs == GRAPH.inputs
    (found,) = interpret(again, [np.ones(3), np.ones(3)])
    np.testing.assert_allclose(found, 2 * np.tanh(1) + 1)


def test_what_nothing_is_done_to_stays_the_same_node() -> None:
    assert rewritten(GRAPH, lambda node, again: again).outputs == (SUM,)


def test_what_stands_for_a_node_was_written_where_the_node_was() -> None:
    twice = of(ops.ADD, TANH, TANH)
    assert rewritten(GRAPH, doubled).origins == {TANH: at(1), twice: at(2), of(ops.ADD, twice, Y): at(3)}


def test_so_was_all_that_is_new_in_it() -> None:
    def halved(node: Node, again: Node) -> Node:
        return of(ops.NEGATIVE, of(ops.EXP, again)) if node is SQUARE else again

    origins = rewritten(GRAPH, halved).origins
    assert [node.op.name for node, told in origins.items() if told == at(2)] == ["multiply", "exp", "negative"]
    assert origins[TANH] == at(1)


def test_one_node_for_two_was_written_where_both_were() -> None:
    graph = Graph(
        (X, Y), (of(ops.ADD, of(ops.SIN, X), of(ops.COS, X)),), {of(ops.SIN, X): at(1), of(ops.COS, X): at(2)}
    )
    again = rewritten(graph, lambda node, again: of(ops.EXP, X) if node.op in (ops.SIN, ops.COS) else again)
    assert again.origins == {of(ops.EXP, X): (*at(1), *at(2))}


def test_what_is_given_is_not_looked_into() -> None:
    outside = of(ops.EXP, of(ops.SIN, Y))
    again = rewritten(GRAPH, lambda node, again: again, {X: outside})
    assert of(ops.TANH, outside) in again.origins
    assert outside not in again.origins
    assert of(ops.SIN, Y) not in again.origins


def test_a_program_that_moves_takes_along_what_answers_for_what() -> None:
    rewriting = Rewriting({TANH: at(1), SQUARE: at(2, backward_of=TANH)}, {X: Y})
    for node in (TANH, SQUARE):
        rewriting.put(node, rewriting.again(node))
    stays, moves = (rewriting.graph([X], [SQUARE], moved=moved) for moved in (False, True))
    assert stays.inputs == moves.inputs == (Y,)
    assert stays.origins[stays.outputs[0]] == at(2, backward_of=TANH)
    assert moves.origins[moves.outputs[0]] == at(2, backward_of=of(ops.TANH, Y))


def test_outputs_with_other_inputs() -> None:
    assert substituted([SUM, X], {X: Y}) == [of(ops.ADD, of(ops.MULTIPLY, of(ops.TANH, Y), of(ops.TANH, Y)), Y), Y]


# walks


def test_what_a_node_is_made_of_comes_before_it_and_once() -> None:
    assert in_order([SUM, TANH]) == [X, TANH, SQUARE, Y, SUM]
    assert in_order([Y, SUM]) == [Y, X, TANH, SQUARE, SUM]


def test_a_walk_may_be_longer_than_python_may_call_itself() -> None:
    assert post_order([100_000], lambda n: (n - 1,) if n else ()) == list(range(100_001))
    assert len(list(reached([100_000], lambda n: (n - 1, n // 2) if n else ()))) == 100_001


def test_the_way_from_sources_to_outputs() -> None:
    assert list(between([TANH], [SUM])) == [TANH, SQUARE, SUM]
    assert list(between([Y], [SUM])) == [Y, SUM]
    positive = of(ops.LESS, Y, X)
    assert list(between([Y], [of(ops.SELECT, positive, TANH, TANH)], floats=True)) == []
    assert list(between([Y], [SUM], counts=lambda node: node is SQUARE)) == [SQUARE, Y, SUM]
