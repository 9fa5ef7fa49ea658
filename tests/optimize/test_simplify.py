"""A simplified graph has the same value for all arguments, and each rewrite does what it says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs import Program, assert_agrees, examples, programs

from chainrule.graph import ops
from chainrule.graph.graph import Graph, Origin, parse, verify
from chainrule.graph.interpret import interpret
from chainrule.graph.node import Node, full, input_node
from chainrule.graph.types import Type
from chainrule.optimize.simplify import RULES, simplify

F32 = np.dtype(np.float32)


@examples(4)
@given(programs())
def test_a_simplified_program_computes_the_same(program: Program) -> None:
    simple = verify(simplify(program.graph))
    results = interpret(simple, program.arguments)
    for found, expected in zip(results, program.expected, strict=True):
        assert_agrees(found, expected)


@examples(2)
@given(programs())
def test_simplifying_twice_is_simplifying_once(program: Program) -> None:
    once = simplify(program.graph)
    assert simplify(once).outputs == once.outputs


@examples(2)
@given(programs())
def test_a_simplified_program_takes_the_same_arguments_and_has_results_of_the_same_types(program: Program) -> None:
    simple = simplify(program.graph)
    assert simple.inputs == program.graph.inputs
    assert [n.type for n in simple.outputs] == [n.type for n in program.graph.outputs]
    assert not any(n.op in (ops.MARK, ops.STOP_GRADIENT) for n in simple.nodes())


# to the last bit


AWKWARD = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 0.1, math.inf, -math.inf, math.nan, 1e38, 1e-40]
NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, 10.0, math.inf, math.nan]


@st.composite
def arithmetic(draw: Callable[..., Any]) -> Graph:
    """Elementwise arithmetic on two inputs and single numbers."""
    type_ = Type((len(AWKWARD) ** 2,), F32)
    nodes = [input_node(0, type_), input_node(1, type_)]
    inputs = tuple(nodes)
    for _ in range(draw(st.integers(1, 5))):
        pool = [*nodes[::-1], *(full(number, type_) for number in NUMBERS)]
        op = draw(st.sampled_from((ops.ADD, ops.SUBTRACT, ops.MULTIPLY, ops.DIVIDE, ops.POWER, ops.NEGATIVE)))
        nodes.append(Node(op, tuple(draw(st.sampled_from(pool)) for _ in range(op.arity))))
    return Graph(inputs, (nodes[-1],))


@examples(10)
@given(arithmetic())
def test_arithmetic_is_simplified_to_the_last_bit(graph: Graph) -> None:
    """Infinities, nan and the sign of zero included."""
    a, b = (m.ravel() for m in np.meshgrid(np.array(AWKWARD, F32), np.array(AWKWARD, F32)))
    (expected,), (found,) = interpret(graph, [a, b]), interpret(simplify(graph), [a, b])
    np.testing.assert_array_equal(found, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(expected)[known])


# each rewrite


def simplified(text: str) -> str:
    return str(simplify(parse(text)))


def lines(text: str) -> str:
    return "".join(f"{line.strip()}\n" for line in text.strip().splitlines())


X = "%0 = input {index=0} : f32[2,3]\n"
I = "%0 = input {index=0} : i32[2,3]\n"  # noqa: E741
XY = X + "%1 = input {index=1} : f32[2,3]\n"

REWRITES = {
    "a mark is its input": (X + "%1 = mark %0 {tag=3} : f32[2,3]\nreturn %1", X + "return %0"),
    "a stopped gradient is its input": (X + "%1 = stop_gradient %0 : f32[2,3]\nreturn %1", X + "return %0"),
    "numbers are computed now": (
        """%0 = full {value=2.0} : f32[2]
        %1 = full {value=3.0} : f32[2]
        %2 = multiply %0 %1 : f32[2]
        %3 = sqrt %2 : f32[2]
        return %3""",
        "%0 = full {value=2.4494898319244385} : f32[2]\nreturn %0",
    ),
    "a comparison of numbers is a number": (
        """%0 = full {value=2} : i8[2]
        %1 = full {value=3} : i8[2]
        %2 = less %0 %1 : bool[2]
        return %2""",
        "%0 = full {value=True} : bool[2]\nreturn %0",
    ),
    "a cast of a number is a number": (
        "%0 = full {value=2.75} : f32[2]\n%1 = cast %0 {dtype=int64} : i64[2]\nreturn %1",
        "%0 = full {value=2} : i64[2]\nreturn %0",
    ),
    "x + −0 is x": (X + "%1 = full {value=-0.0} : f32[2,3]\n%2 = add %0 %1 : f32[2,3]\nreturn %2", X + "return %0"),
    "−0 + x is x": (X + "%1 = full {value=-0.0} : f32[2,3]\n%2 = add %1 %0 : f32[2,3]\nreturn %2", X + "return %0"),
    "an integer and 0 is the integer": (
        I + "%1 = full {value=0} : i32[2,3]\n%2 = add %0 %1 : i32[2,3]\nreturn %2", I + "return %0"
    ),
    "x − 0 is x": (X + "%1 = full {value=0.0} : f32[2,3]\n%2 = subtract %0 %1 : f32[2,3]\nreturn %2", X + "return %0"),
    "1 · x is x": (X + "%1 = full {value=1.0} : f32[2,3]\n%2 = multiply %1 %0 : f32[2,3]\nreturn %2", X + "return %0"),
    "x · −1 is −x": (
        X + "%1 = full {value=-1.0} : f32[2,3]\n%2 = multiply %0 %1 : f32[2,3]\nreturn %2",
        X + "%1 = negative %0 : f32[2,3]\nreturn %1",
    ),
    "x / 1 is x": (X + "%1 = full {value=1.0} : f32[2,3]\n%2 = divide %0 %1 : f32[2,3]\nreturn %2", X + "return %0"),
    "x / 8 is x · ⅛": (
        X + "%1 = full {value=8.0} : f32[2,3]\n%2 = divide %0 %1 : f32[2,3]\nreturn %2",
        X + "%1 = full {value=0.125} : f32[2,3]\n%2 = multiply %0 %1 : f32[2,3]\nreturn %2",
    ),
    "x + −y is x − y": (
        XY + "%2 = negative %1 : f32[2,3]\n%3 = add %0 %2 : f32[2,3]\nreturn %3",
        XY + "%2 = subtract %0 %1 : f32[2,3]\nreturn %2",
    ),
    "x − −y is x + y": (
        XY + "%2 = negative %1 : f32[2,3]\n%3 = subtract %0 %2 : f32[2,3]\nreturn %3",
        XY + "%2 = add %0 %1 : f32[2,3]\nreturn %2",
    ),
    "−−x is x": (X + "%1 = negative %0 : f32[2,3]\n%2 = negative %1 : f32[2,3]\nreturn %2", X + "return %0"),
    "x¹ is x": (X + "%1 = full {value=1.0} : f32[2,3]\n%2 = power %0 %1 : f32[2,3]\nreturn %2", X + "return %0"),
    "x² is x · x": (
        X + "%1 = full {value=2.0} : f32[2,3]\n%2 = power %0 %1 : f32[2,3]\nreturn %2",
        X + "%1 = multiply %0 %0 : f32[2,3]\nreturn %1",
    ),
    "x⁰ is 1": (
        X + "%1 = full {value=0.0} : f32[2,3]\n%2 = power %0 %1 : f32[2,3]\nreturn %2",
        X + "%1 = full {value=1.0} : f32[2,3]\nreturn %1",
    ),
    "x⁻¹ is 1 / x": (
        X + "%1 = full {value=-1.0} : f32[2,3]\n%2 = power %0 %1 : f32[2,3]\nreturn %2",
        X + "%1 = full {value=1.0} : f32[2,3]\n%2 = divide %1 %0 : f32[2,3]\nreturn %2",
    ),
    "a choice between equals is none": (
        X + "%1 = less %0 %0 : bool[2,3]\n%2 = select %1 %0 %0 : f32[2,3]\nreturn %2", X + "return %0"
    ),
    "a choice that is known is made": (
        XY + "%2 = full {value=False} : bool[2,3]\n%3 = select %2 %0 %1 : f32[2,3]\nreturn %3", XY + "return %1"
    ),
    "two transposes are one": (
        """%0 = input {index=0} : f32[2,3,4]
        %1 = transpose %0 {axes=(1 2 0)} : f32[3,4,2]
        %2 = transpose %1 {axes=(0 2 1)} : f32[3,2,4]
        return %2""",
        """%0 = input {index=0} : f32[2,3,4]
        %1 = transpose %0 {axes=(1 0 2)} : f32[3,2,4]
        return %1""",
    ),
    "a transpose and back is nothing": (
        X + "%1 = transpose %0 {axes=(1 0)} : f32[3,2]\n%2 = transpose %1 {axes=(1 0)} : f32[2,3]\nreturn %2",
        X + "return %0",
    ),
    "two reshapes are one": (
        X + "%1 = reshape %0 {shape=(6)} : f32[6]\n%2 = reshape %1 {shape=(3 2)} : f32[3,2]\nreturn %2",
        X + "%1 = reshape %0 {shape=(3 2)} : f32[3,2]\nreturn %1",
    ),
    "a reshape and back is nothing": (
        X + "%1 = reshape %0 {shape=(6)} : f32[6]\n%2 = reshape %1 {shape=(2 3)} : f32[2,3]\nreturn %2", X + "return %0"
    ),
    "two broadcasts are one": (
        """%0 = input {index=0} : f32[3]
        %1 = broadcast %0 {shape=(2 3), axes=(1)} : f32[2,3]
        %2 = broadcast %1 {shape=(2 5 3), axes=(0 2)} : f32[2,5,3]
        return %2""",
        """%0 = input {index=0} : f32[3]
        %1 = broadcast %0 {shape=(2 5 3), axes=(2)} : f32[2,5,3]
        return %1""",
    ),
    "a number laid out anew is a number": (
        """%0 = full {value=2.0} : f32[2,3]
        %1 = transpose %0 {axes=(1 0)} : f32[3,2]
        %2 = reshape %1 {shape=(6 1)} : f32[6,1]
        %3 = broadcast %2 {shape=(6 4), axes=(0 1)} : f32[6,4]
        %4 = slice %3 {start=(1 3), size=(2 2), step=(1 -1)} : f32[2,2]
        return %4""",
        "%0 = full {value=2.0} : f32[2,2]\nreturn %0",
    ),
    "the whole of an array is the array": (
        X + "%1 = slice %0 {start=(0 0), size=(2 3), step=(1 1)} : f32[2,3]\nreturn %1", X + "return %0"
    ),
    "no padding is nothing": (
        X + "%1 = pad %0 {low=(0 0), high=(0 0), interior=(0 0)} : f32[2,3]\nreturn %1", X + "return %0"
    ),
    "a sum over axes of size one is a reshape": (
        "%0 = input {index=0} : f32[1,3]\n%1 = sum %0 {axes=(0)} : f32[3]\nreturn %1",
        "%0 = input {index=0} : f32[1,3]\n%1 = reshape %0 {shape=(3)} : f32[3]\nreturn %1",
    ),
    "a maximum over axes of size one is a reshape": (
        "%0 = input {index=0} : f32[1,3]\n%1 = max %0 {axes=(0)} : f32[3]\nreturn %1",
        "%0 = input {index=0} : f32[1,3]\n%1 = reshape %0 {shape=(3)} : f32[3]\nreturn %1",
    ),
    "a sum of sums is one sum": (
        """%0 = input {index=0} : f32[2,3,4]
        %1 = sum %0 {axes=(1)} : f32[2,4]
        %2 = sum %1 {axes=(1)} : f32[2]
        return %2""",
        "%0 = input {index=0} : f32[2,3,4]\n%1 = sum %0 {axes=(1 2)} : f32[2]\nreturn %1",
    ),
    "a transposed operand is the operand with its labels transposed": (
        XY + """%2 = transpose %1 {axes=(1 0)} : f32[3,2]
        %3 = contract %0 %2 {a=(0 1), b=(1 2), out=(0 2)} : f32[2,2]
        return %3""",
        XY + "%2 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[2,2]\nreturn %2",
    ),
    "an operand of three axes, turned, is the operand with its labels turned back": (
        """%0 = input {index=0} : f32[5]
        %1 = input {index=1} : f32[2,3,5]
        %2 = transpose %1 {axes=(1 2 0)} : f32[3,5,2]
        %3 = contract %2 %0 {a=(7 8 9), b=(8), out=(9 7)} : f32[2,3]
        return %3""",
        """%0 = input {index=0} : f32[5]
        %1 = input {index=1} : f32[2,3,5]
        %2 = contract %1 %0 {a=(9 7 8), b=(8), out=(9 7)} : f32[2,3]
        return %2""",
    ),
    "a product of three axes, turned, is the product with its labels turned": (
        """%0 = input {index=0} : f32[2,3]
        %1 = input {index=1} : f32[5]
        %2 = contract %0 %1 {a=(7 8), b=(9), out=(7 8 9)} : f32[2,3,5]
        %3 = transpose %2 {axes=(1 2 0)} : f32[3,5,2]
        return %3""",
        """%0 = input {index=0} : f32[2,3]
        %1 = input {index=1} : f32[5]
        %2 = contract %0 %1 {a=(7 8), b=(9), out=(8 9 7)} : f32[3,5,2]
        return %2""",
    ),
    "a transposed product is the product with its labels transposed": (
        XY + """%2 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[2,2]
        %3 = transpose %2 {axes=(1 0)} : f32[2,2]
        return %3""",
        XY + "%2 = contract %0 %1 {a=(0 1), b=(2 1), out=(2 0)} : f32[2,2]\nreturn %2",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), REWRITES.values(), ids=REWRITES.keys())
def test_a_rewrite_does_what_it_says(before: str, after: str) -> None:
    assert simplified(before) == lines(after)


LEFT_ALONE = {
    "x + 0, as −0 + 0 is 0": X + "%1 = full {value=0.0} : f32[2,3]\n%2 = add %0 %1 : f32[2,3]\nreturn %2",
    "x − −0, as −0 − −0 is 0": X + "%1 = full {value=-0.0} : f32[2,3]\n%2 = subtract %0 %1 : f32[2,3]\nreturn %2",
    "0 · x, as it may be nan": X + "%1 = full {value=0.0} : f32[2,3]\n%2 = multiply %1 %0 : f32[2,3]\nreturn %2",
    "x / 3, as ⅓ is not exact": X + "%1 = full {value=3.0} : f32[2,3]\n%2 = divide %0 %1 : f32[2,3]\nreturn %2",
    "x − x, as it may be nan": X + "%1 = subtract %0 %0 : f32[2,3]\nreturn %1",
    "−(x − y), as 0 has no other sign then": (
        XY + "%2 = subtract %0 %1 : f32[2,3]\n%3 = negative %2 : f32[2,3]\nreturn %3"
    ),
    "a product that is read as it is and transposed": XY
    + """%2 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[2,2]
        %3 = transpose %2 {axes=(1 0)} : f32[2,2]
        return %2, %3""",
    "a broadcast of a broadcast that repeats the same axis": """%0 = input {index=0} : f32[1]
        %1 = broadcast %0 {shape=(2 1), axes=(1)} : f32[2,1]
        %2 = broadcast %1 {shape=(2 3), axes=(0 1)} : f32[2,3]
        return %2""",
}


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=LEFT_ALONE.keys())
def test_what_would_change_a_value_or_compute_it_twice_is_left_alone(text: str) -> None:
    assert simplified(text) == lines(text)


def test_every_rule_has_an_example() -> None:
    shown = {node.op for before, _ in REWRITES.values() for node in parse(before).nodes()}
    without_text = {"result"}  # of an operation with the user's own derivative, which has no text
    assert {op.name for op in RULES} - without_text <= {op.name for op in shown}


def test_origins_of_all_nodes_that_become_one_are_kept() -> None:
    x = input_node(0, Type((2,), F32))
    marked, twice = Node(ops.MARK, (x,), (0,)), Node(ops.NEGATIVE, (Node(ops.NEGATIVE, (Node(ops.SIN, (x,)),)),))
    total = Node(ops.SIN, (marked,))
    here, there = Origin("a.py", 1), Origin("a.py", 2)
    simple = simplify(Graph((x,), (total, twice), {total: (here,), twice: (there, here)}))
    assert simple.outputs[0] is simple.outputs[1]
    assert simple.origins[simple.outputs[0]] == (here, there)
