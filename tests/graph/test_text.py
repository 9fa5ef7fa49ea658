"""A graph prints as text and parses back; what is no graph is refused with the line that is to blame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from tests.programs import Program, examples, programs

from chainrule.errors import GraphError
from chainrule.graph import ops
from chainrule.graph.graph import Graph, parse
from chainrule.graph.node import Node, constant, full, input_node
from chainrule.graph.types import DTYPES, Type

F32 = np.dtype(np.float32)


def captured(graph: Graph) -> list[np.ndarray]:
    return [node.data.array for node in graph.nodes() if node.op is ops.CONSTANT]


@examples(2)
@given(programs())
def test_what_is_printed_parses_to_the_same_graph(program: Program) -> None:
    """The same nodes, as they are interned; of captured arrays, equal only to themselves, the same elements."""
    again = parse(str(program.graph))
    assert str(again) == str(program.graph)
    for found, expected in zip(captured(again), captured(program.graph), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)
    if not captured(again):
        assert again == program.graph
        assert again.outputs == program.graph.outputs


def test_the_text_has_a_line_for_each_node_and_one_for_the_results() -> None:
    x, w = input_node(0, Type((10, 784), F32)), input_node(1, Type((30, 784), F32))
    z = Node(ops.CONTRACT, (x, w), ((0, 1), (2, 1), (0, 2)))
    assert str(Graph((x, w), (Node(ops.TANH, (z,)), z))) == (
        "%0 = input {index=0} : f32[10,784]\n"
        "%1 = input {index=1} : f32[30,784]\n"
        "%2 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[10,30]\n"
        "%3 = tanh %2 : f32[10,30]\n"
        "return %3, %2\n"
    )


def test_inputs_that_nobody_uses_are_printed_and_parsed() -> None:
    graph = Graph(tuple(input_node(n, Type((n,), F32)) for n in range(3)), (input_node(1, Type((1,), F32)),))
    assert parse(str(graph)) == graph


@pytest.mark.parametrize("number", [0.0, -0.0, np.inf, -np.inf, np.nan, 0.1, 1e-45, np.finfo(F32).max], ids=repr)
def test_a_number_survives_the_text_to_the_last_bit(number: float) -> None:
    for dtype in (np.float32, np.float64):
        graph = Graph((), (full(number, Type((2,), np.dtype(dtype))),))
        assert parse(str(graph)).outputs[0] is graph.outputs[0]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)], ids=str)
def test_a_captured_array_survives_the_text(dtype: np.dtype, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    (found,) = captured(parse(str(Graph((), (constant(array),)))))
    np.testing.assert_array_equal(found, array, strict=True)


def test_a_captured_array_that_is_not_contiguous_survives_the_text() -> None:
    array = np.arange(12.0).reshape(3, 4).T[::-2]
    (found,) = captured(parse(str(Graph((), (constant(array),)))))
    np.testing.assert_array_equal(found, array, strict=True)


def test_a_mark_survives_the_text() -> None:
    x = input_node(0, Type((), F32))
    graph = Graph((x,), (Node(ops.MARK, (x,), (7,)),))
    assert parse(str(graph)) == graph


def test_blank_lines_and_indentation_do_not_matter() -> None:
    assert parse("\n   %0 = input {index=0} : f32[]\n\n  return %0\n\n") == parse(
        "%0 = input {index=0} : f32[]\nreturn %0"
    )


GOOD = "%0 = input {index=0} : f32[2,3]"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("%1 = sine %0 : f32[2,3]", "no line of a graph"),
        ("%1 = sin %0 : complex64[2,3]", "no line of a graph"),
        ("%1 = sin %0", "no line of a graph"),
        ("%1 sin %0 : f32[2,3]", "no line of a graph"),
        ("%1 = sin %7 : f32[2,3]", "%7"),
        ("%1 = sin %0 %0 : f32[2,3]", "sin takes 1 inputs, not 2"),
        ("%1 = sum %0 : f32[3]", "axes"),
        ("%1 = sum %0 {axes=(5)} : f32[3]", "(5,) are not distinct axes of f32[2,3]"),
        ("%1 = sum %0 {axes=(zero)} : f32[3]", "zero"),
        ("%1 = sum %0 {axes=(0)} : f32[2]", "says f32[2], but the rule of sum gives f32[3]"),
        ("%1 = sin %0 : f64[2,3]", "says f64[2,3], but the rule of sin gives f32[2,3]"),
        ("%1 = constant {data=?} : f32[1]", "constant"),
        ("%1 = constant {data=AAAA} : f32[1]", "constant"),
        ("%1 = cast %0 {dtype=float16} : f32[2,3]", "float16"),
        ("%1 = slice %0 {start=(0), size=(1), step=(1)} : f32[1,3]", "slice"),
    ],
)
def test_a_line_that_is_no_node_is_named(line: str, complaint: str) -> None:
    with pytest.raises(GraphError) as caught:
        parse(f"{GOOD}\n{line}\nreturn %0")
    assert complaint in str(caught.value)
    assert line in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", GOOD])
def test_a_graph_ends_with_its_results(text: str) -> None:
    with pytest.raises(GraphError, match="ends with a line `return"):
        parse(text)


def test_a_result_that_is_not_defined_is_named() -> None:
    with pytest.raises(GraphError, match="%4"):
        parse(f"{GOOD}\nreturn %0, %4")


def test_a_name_stands_for_one_node() -> None:
    with pytest.raises(GraphError, match="%0"):
        parse(f"{GOOD}\n%0 = input {{index=1}} : f32[2,3]\nreturn %0")
