"""Backpropagation against derivatives found without any rule, in double precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from tests.derive.cases import CASES, graph_of
from tests.derive.numerical import slope
from tests.programs import Program, assert_agrees, differentiable_programs, examples, is_tame, outcomes

from chainrule.derive.backpropagation import backpropagate
from chainrule.derive.pull_rules import PULL, PULL_TOGETHER
from chainrule.graph import ops
from chainrule.graph.graph import Graph, verify
from chainrule.graph.interpret import interpret
from chainrule.graph.node import Node, full, input_node
from chainrule.graph.ops import Op
from chainrule.graph.types import Type, type_of
from chainrule.run.program import build
from chainrule.trace.array import Array

Values = np.ndarray[Any, Any]


def gradient(graph: Graph) -> Graph:
    """The program of the arguments, and an error δ for each output, whose results are the errors of the inputs."""
    count = len(graph.inputs)
    errors = [input_node(count + n, output.type) for n, output in enumerate(graph.outputs)]
    variables = [n for n in graph.inputs if n.type.is_float]
    found = backpropagate([(y, Array(d)) for y, d in zip(graph.outputs, errors, strict=True)], variables)
    return verify(Graph((*graph.inputs, *errors), tuple(f.node for f in found)))


def random_like(nodes: Sequence[Node], seed: int) -> list[Values]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=n.type.shape) for n in nodes]


def dot(a: Sequence[Values], b: Sequence[Values]) -> float:
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))


def moved(graph: Graph, arguments: Sequence[Values], direction: Sequence[Values], t: float) -> list[Values]:
    """The arguments, the floating-point ones a step t along the direction."""
    steps = iter(direction)
    return [a + t * next(steps) if n.type.is_float else a for n, a in zip(graph.inputs, arguments, strict=True)]


def assert_gradient_is_right(
    graph: Graph, arguments: Sequence[Values], *, step: float = 0.02, exact: bool = True
) -> None:
    """The derivative of a random combination of all results, along a random direction of all arguments at once.

    Each entry of the Jacobian counts in it with a weight of its own, so a wrong one shows.
    """
    variables = [n for n in graph.inputs if n.type.is_float]
    direction, errors = random_like(variables, 1), random_like(graph.outputs, 2)
    scale = math.sqrt(sum(d.size for d in direction))
    direction = [d / max(scale, 1) for d in direction]

    def cost(t: float) -> float:
        return dot(errors, interpret(graph, moved(graph, arguments, direction, t)))

    wanted, uncertainty = slope(cost, step)
    found = dot(interpret(gradient(graph), [*arguments, *errors]), direction)
    size = max(abs(wanted), abs(cost(0.0)), 1.0)
    if exact:
        assert uncertainty < 1e-5 * size, "the point is too close to where there is no derivative"
    else:
        assume(uncertainty < 1e-5 * size)
    assert abs(found - wanted) <= 10 * uncertainty + 1e-9 * size


# compositions


@examples(6)
@given(differentiable_programs())
def test_the_gradient_of_a_random_composition_is_its_slope(program: Program) -> None:
    assert_gradient_is_right(program.graph, program.arguments, step=2e-3, exact=False)


@examples(2)
@given(differentiable_programs(steps=10))
def test_the_gradient_of_a_gradient_is_its_slope(program: Program) -> None:
    """The second derivative: of δ ↦ errors of the inputs, which is a program like any other."""
    first = gradient(program.graph)
    errors = random_like(program.graph.outputs, 3)
    assume(all(map(is_tame, outcomes(first, [*program.arguments, *errors]))))
    assert_gradient_is_right(first, [*program.arguments, *errors], step=2e-3, exact=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@examples(2)
@given(program=differentiable_programs(dtype="float64"))
def test_a_gradient_means_the_same_natively(dtype: str, program: Program) -> None:
    """In float32 as well, for the same program: its nodes are made anew on inputs of that type."""
    graph = converted(program.graph, np.dtype(dtype))
    arguments = [a.astype(n.type.dtype) for n, a in zip(graph.inputs, program.arguments, strict=True)]
    errors = [d.astype(dtype) for d in random_like(graph.outputs, 4)]
    found = gradient(graph)
    expected = outcomes(found, [*arguments, *errors])
    for result, wanted in zip(build(found)(*arguments, *errors), expected, strict=True):
        if is_tame(wanted):
            assert_agrees(result, wanted)


def converted(graph: Graph, dtype: np.dtype[Any]) -> Graph:
    """The same program in another floating-point type."""
    known: dict[Node, Node] = {}
    for node in (*graph.inputs, *graph.nodes()):
        if node.op in (ops.INPUT, ops.FULL, ops.IOTA):
            type_ = node.type.with_dtype(dtype) if node.type.is_float else node.type
            known[node] = Node(node.op, (), (node.attributes[0], type_))
        else:
            assert node.op is not ops.CONSTANT
            attributes = (dtype.name,) if node.op is ops.CAST and node.type.is_float else node.attributes
            known[node] = Node(node.op, tuple(known[n] for n in node.inputs), attributes)
    return Graph(tuple(known[n] for n in graph.inputs), tuple(known[n] for n in graph.outputs))


# linearity


@examples(2)
@given(differentiable_programs())
def test_pulling_back_is_linear_in_the_error(program: Program) -> None:
    """pull(a·δ₁ + b·δ₂) = a·pull(δ₁) + b·pull(δ₂), to rounding of the largest number on the way."""
    pull = gradient(program.graph)
    first, second = random_like(program.graph.outputs, 5), random_like(program.graph.outputs, 6)
    a, b = 0.75, -1.5
    both = [a * d + b * e for d, e in zip(first, second, strict=True)]
    every = Graph(pull.inputs, (*pull.outputs, *(n for n in pull.nodes() if n.type.is_float)))
    largest = 1.0
    results = []
    for errors in (first, second, both):
        values = interpret(every, [*program.arguments, *errors])
        results.append(values[: len(pull.outputs)])
        largest = max([largest, *(float(np.max(np.abs(v), initial=0)) for v in values)])
    assume(largest < 1e6)
    for x, y, z in zip(*results, strict=True):
        np.testing.assert_allclose(z, a * x + b * y, rtol=0, atol=1e4 * np.finfo(float).eps * largest)


@examples(2)
@given(differentiable_programs())
def test_twice_the_error_is_twice_the_gradient_to_the_last_bit(program: Program) -> None:
    """A power of two passes through every rounding, so that nothing is added to an error and none is squared."""
    pull = gradient(program.graph)
    errors = random_like(program.graph.outputs, 7)
    once = interpret(pull, [*program.arguments, *errors])
    for factor in (2.0, -0.25):
        scaled = interpret(pull, [*program.arguments, *(factor * d for d in errors)])
        for x, y in zip(once, scaled, strict=True):
            np.testing.assert_array_equal(y, factor * x)


# every operation


#: Operations without a derivative of their own to test: leaves, what gives no floats, what stops it on purpose, and
#: loops and branches, which have tests of their own.
WITHOUT = {
    *ops.LEAVES, *ops.COMPARISONS, *ops.LOGICAL, *ops.BITWISE, ops.BITCAST, ops.LOGICAL_NOT, ops.STOP_GRADIENT,
    ops.ARGSORT, ops.RESULT, *ops.CONTROL,
}  # fmt: skip


def test_every_operation_has_a_case() -> None:
    with_a_derivative = {op.name for op in (*PULL, *PULL_TOGETHER)} - {op.name for op in WITHOUT}
    assert with_a_derivative == {op.name for op, _, _ in CASES.values()}


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_an_operation_is_its_slope(name: str) -> None:
    assert_gradient_is_right(graph_of(CASES[name]), CASES[name][1])


@pytest.mark.parametrize("op", [*ops.COMPARISONS, ops.LOGICAL_NOT, *ops.LOGICAL], ids=str)
def test_no_error_passes_through_what_is_true_or_false(op: Op) -> None:
    assert PULL[op] == (None,) * len(PULL[op])


def test_no_error_passes_a_stopped_gradient() -> None:
    x = input_node(0, Type((3,), np.dtype(np.float64)))
    y = Node(ops.MULTIPLY, (x, Node(ops.STOP_GRADIENT, (x,))))
    np.testing.assert_array_equal(interpret(gradient(Graph((x,), (y,))), [np.arange(3.0), np.ones(3)])[0], [0, 1, 2])


def test_no_error_passes_through_an_integer() -> None:
    x = input_node(0, Type((2,), np.dtype(np.float64)))
    whole = Node(ops.CAST, (Node(ops.CAST, (x,), ("int64",)),), ("float64",))
    pull = gradient(Graph((x,), (Node(ops.MULTIPLY, (x, whole)),)))
    np.testing.assert_array_equal(interpret(pull, [np.array([1.5, -2.5]), np.array([1.0, 10.0])]), [[1, -20]])


# awkward points: the derivative as a formula, where differences of values say nothing


def derivative(op: Op, x: float, *others: float, position: int = 0, dtype: Any = np.float64) -> float:
    """∂y/∂(one input) of an operation on numbers."""
    arguments = [np.array(v, dtype) for v in (x, *others)]
    inputs = tuple(input_node(n, type_of(a)) for n, a in enumerate(arguments))
    graph = Graph(inputs, (Node(op, inputs),))
    return float(interpret(gradient(graph), [*arguments, np.array(1, dtype)])[position])


AWKWARD: list[tuple[Op, tuple[float, ...], int, float]] = [
    (ops.TANH, (0.0,), 0, 1.0),
    (ops.TANH, (500.0,), 0, 0.0),
    (ops.TANH, (-500.0,), 0, 0.0),
    (ops.TANH, (math.inf,), 0, 0.0),
    (ops.LOGISTIC, (0.0,), 0, 0.25),
    (ops.LOGISTIC, (1e4,), 0, 0.0),
    (ops.LOGISTIC, (-1e4,), 0, 0.0),
    (ops.LOGISTIC, (-700.0,), 0, math.exp(-700.0)),
    (ops.RELU, (1e-300,), 0, 1.0),
    (ops.RELU, (-1e-300,), 0, 0.0),
    (ops.RELU, (math.inf,), 0, 1.0),
    (ops.EXP, (-1e4,), 0, 0.0),
    (ops.EXPM1, (0.0,), 0, 1.0),
    (ops.EXPM1, (-50.0,), 0, 0.0),
    (ops.LOG1P, (0.0,), 0, 1.0),
    (ops.LOG, (1e-300,), 0, 1e300),
    (ops.SQRT, (1e-300,), 0, 0.5e150),
    (ops.SQRT, (math.inf,), 0, 0.0),
    (ops.ABSOLUTE, (-1e-300,), 0, -1.0),
    (ops.DIVIDE, (0.0, 4.0), 0, 0.25),
    (ops.DIVIDE, (0.0, 4.0), 1, 0.0),
    (ops.POWER, (-2.0, 3.0), 0, 12.0),
    (ops.POWER, (-2.0, 2.0), 0, -4.0),
    (ops.POWER, (2.0, 0.0), 1, math.log(2.0)),
    (ops.POWER, (2.0, -1.0), 0, -0.25),
    (ops.REMAINDER, (-7.5, 2.0), 1, 4.0),
    (ops.MAXIMUM, (-0.5, -1.0), 0, 1.0),
    (ops.MINIMUM, (-0.5, -1.0), 0, 0.0),
]


@pytest.mark.parametrize(("op", "arguments", "position", "expected"), AWKWARD, ids=lambda x: str(x))
def test_the_derivative_at_an_awkward_point(
    op: Op, arguments: tuple[float, ...], position: int, expected: float
) -> None:
    assert derivative(op, *arguments, position=position) == pytest.approx(expected, rel=1e-14, abs=1e-20)


# kinks: the conventions that the docstring of pull_rules states


def test_the_derivative_of_the_absolute_value_is_zero_at_zero() -> None:
    assert derivative(ops.ABSOLUTE, 0.0) == 0.0
    assert derivative(ops.ABSOLUTE, -0.0) == 0.0


def test_the_derivative_of_relu_is_zero_at_zero() -> None:
    assert derivative(ops.RELU, 0.0) == 0.0
    assert derivative(ops.RELU, -0.0) == 0.0


@pytest.mark.parametrize("op", [ops.MAXIMUM, ops.MINIMUM], ids=str)
@pytest.mark.parametrize("x", [0.0, 3.0, math.inf])
def test_a_tie_of_two_shares_the_derivative_in_halves(op: Op, x: float) -> None:
    assert derivative(op, x, x, position=0) == 0.5
    assert derivative(op, x, x, position=1) == 0.5


def test_a_maximum_with_itself_has_the_derivative_of_itself() -> None:
    x = input_node(0, Type((), np.dtype(np.float64)))
    assert interpret(gradient(Graph((x,), (Node(ops.MAXIMUM, (x, x)),))), [np.array(3.0), np.array(1.0)])[0] == 1.0


def test_a_tie_of_several_shares_the_derivative_equally_among_the_largest() -> None:
    x = input_node(0, Type((2, 4), np.dtype(np.float64)))
    graph = gradient(Graph((x,), (Node(ops.MAX, (x,), ((1,),)),)))
    (found,) = interpret(graph, [np.array([[1.0, 7.0, 7.0, 7.0], [-2.0, -1.0, -3.0, -1.0]]), np.array([3.0, 5.0])])
    np.testing.assert_array_equal(found, [[0, 1, 1, 1], [0, 2.5, 0, 2.5]])


def test_the_derivative_of_the_root_is_infinite_at_zero() -> None:
    assert derivative(ops.SQRT, 0.0) == math.inf


@pytest.mark.parametrize(
    ("exponent", "expected"), [(0.0, 0.0), (0.5, math.inf), (1.0, 1.0), (1.5, 0.0), (2.0, 0.0), (3.0, 0.0)]
)
def test_the_derivative_of_a_power_at_zero_follows_the_formula(exponent: float, expected: float) -> None:
    """And of the zeroth, which is a constant, it is 0, not 0 · ∞."""
    assert derivative(ops.POWER, 0.0, exponent) == expected


@pytest.mark.parametrize("exponent", [0.0, 0.5, 2.0])
def test_the_derivative_of_a_power_of_zero_by_its_exponent_is_zero(exponent: float) -> None:
    assert derivative(ops.POWER, 0.0, exponent, position=1) == 0.0


@pytest.mark.parametrize("op", [ops.SIGN, ops.FLOOR, ops.CEIL, ops.ROUND], ids=str)
@pytest.mark.parametrize("x", [0.0, 0.5, 1.0])
def test_a_step_has_the_derivative_zero_even_where_it_jumps(op: Op, x: float) -> None:
    assert derivative(op, x) == 0.0


# the walk


F64 = np.dtype(np.float64)


def test_errors_of_several_results_add_up() -> None:
    x = input_node(0, Type((), F64))
    graph = Graph((x,), (x, Node(ops.MULTIPLY, (x, x)), x))
    assert interpret(gradient(graph), [np.array(3.0), *map(np.array, (1.0, 10.0, 100.0))])[0] == 161.0


def test_what_does_not_depend_on_a_variable_costs_nothing() -> None:
    x, other = input_node(0, Type((), F64)), input_node(1, Type((), F64))
    older = Node(ops.EXP, (Node(ops.SIN, (other,)),))
    y = Node(ops.MULTIPLY, (x, older))
    (found,) = backpropagate([(y, Array(full(1, y.type)))], [x])
    assert set(Graph((), (found.node,)).nodes()) <= {full(1, y.type), *Graph((), (older,)).nodes(), found.node}


def test_the_gradient_of_something_else_is_zero() -> None:
    x, other = input_node(0, Type((3,), F64)), input_node(1, Type((), F64))
    (found,) = backpropagate([(other, Array(full(1, other.type)))], [x])
    assert found.node is full(0, x.type)


def test_a_node_is_visited_once_however_often_it_is_used() -> None:
    """x ↦ x² thirty times over has 2³⁰ paths, and a gradient of a few nodes for each step."""
    x = node = input_node(0, Type((), F64))
    for _ in range(30):
        node = Node(ops.MULTIPLY, (node, node))
    (found,) = backpropagate([(node, Array(full(1, node.type)))], [x])
    assert len(Graph((x,), (found.node,)).nodes()) < 150
    assert interpret(Graph((x,), (found.node,)), [np.array(1.0)])[0] == 2.0**30


def test_a_deep_chain_is_walked_without_recursion() -> None:
    x = node = input_node(0, Type((), F64))
    for _ in range(3000):
        node = Node(ops.SIN, (node,))
    (found,) = backpropagate([(node, Array(full(1, node.type)))], [x])
    assert interpret(Graph((x,), (found.node,)), [np.array(0.0)])[0] == 1.0
