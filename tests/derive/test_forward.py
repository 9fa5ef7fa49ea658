"""Forward mode, and both modes to second order: every operation, at random and awkward points; random programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from tests.derive.cases import CASES, Values, function_of, graph_of
from tests.programs import Program, assert_agrees, differentiable_programs, examples, is_tame, outcomes

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.derive.backpropagation import backpropagate
from chainrule.derive.forward import push_forward
from chainrule.graph import ops
from chainrule.graph.graph import Graph, verify
from chainrule.graph.interpret import interpret
from chainrule.graph.node import Node, full, input_node
from chainrule.graph.ops import Op
from chainrule.run.program import build
from chainrule.testing import ROUNDING, check_gradient, random_function
from chainrule.trace.array import Array

DOUBLE = np.dtype(np.float64)


# every operation


@pytest.mark.parametrize("name", CASES)
def test_every_derivative_of_an_operation_is_its_slope_to_second_order(name: str) -> None:
    """Forward, backward, and each over each."""
    check_gradient(function_of(graph_of(CASES[name])), *CASES[name][1])


@pytest.mark.parametrize("name", CASES)
def test_an_operation_on_fewer_variables_has_the_same_derivatives(name: str) -> None:
    """The others are constants: no rule counts on all of its inputs being variables."""
    function, arguments = function_of(graph_of(CASES[name])), CASES[name][1]
    positions = [n for n, x in enumerate(arguments) if x.dtype.kind == "f"]
    changes = [np.cos(np.arange(x.size)).reshape(x.shape) for x in arguments]
    total: Any = 0.0
    for chosen in positions:

        def of_one(x: Any, chosen: int = chosen) -> Any:
            return function(*(x if n == chosen else a for n, a in enumerate(arguments)))

        value, change = cr.jvp(of_one, (arguments[chosen],), (changes[chosen],))
        error = np.sin(1.0 + np.arange(value.size)).reshape(value.shape)
        pulled = cr.vjp(of_one, arguments[chosen])[1](error)
        assert np.sum(pulled * changes[chosen]) == pytest.approx(np.sum(error * change), rel=1e-11, abs=1e-11)
        total = total + change

    def of_all(*floats: Any) -> Any:
        given_ = dict(zip(positions, floats, strict=True))
        return function(*(given_.get(n, a) for n, a in enumerate(arguments)))

    together = cr.jvp(of_all, tuple(arguments[n] for n in positions), tuple(changes[n] for n in positions))[1]
    np.testing.assert_allclose(together, total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_derivatives_of_an_operation_are_the_same_compiled(name: str) -> None:
    function, arguments = function_of(graph_of(CASES[name])), CASES[name][1]
    positions = [n for n, x in enumerate(arguments) if x.dtype.kind == "f"]

    def derivatives(*floats: Any) -> Any:
        given_ = dict(zip(positions, floats, strict=True))

        def of_floats(*floats: Any) -> Any:
            return function(*(dict(zip(positions, floats, strict=True)).get(n, a) for n, a in enumerate(arguments)))

        value, pull = cr.vjp(of_floats, *floats)
        return value, pull(cnp.sin(value)), cr.jvp(of_floats, floats, tuple(cnp.cos(given_[n]) for n in positions))[1]

    given_ = tuple(arguments[n] for n in positions)
    cr.testing.assert_close(cr.compile(derivatives)(*given_), derivatives(*given_))


# awkward points and arrays


#: Operands, and the derivative by each of them that the docstring of `slopes` states.
KINKS: list[tuple[Op, tuple[float, ...], tuple[float, ...]]] = [
    (ops.ABSOLUTE, (0.0,), (0.0,)),
    (ops.RELU, (0.0,), (0.0,)),
    (ops.RELU, (-0.0,), (0.0,)),
    (ops.MAXIMUM, (2.0, 2.0), (0.5, 0.5)),
    (ops.MINIMUM, (2.0, 2.0), (0.5, 0.5)),
    (ops.MAXIMUM, (math.inf, math.inf), (0.5, 0.5)),
    (ops.SQRT, (0.0,), (math.inf,)),
    (ops.CBRT, (0.0,), (math.inf,)),
    (ops.POWER, (0.0, 0.0), (0.0, 0.0)),
    (ops.POWER, (0.0, 1.0), (1.0, 0.0)),
    (ops.POWER, (0.0, 2.0), (0.0, 0.0)),
    (ops.POWER, (-3.0, 2.0), (-6.0, math.nan)),
    (ops.HYPOT, (0.0, 0.0), (0.0, 0.0)),
    (ops.HYPOT, (1e-200, 0.0), (1.0, 0.0)),
    (ops.HYPOT, (3e200, 4e200), (0.6, 0.8)),
    (ops.ARCTAN2, (0.0, 0.0), (0.0, 0.0)),
    (ops.ARCTAN2, (0.0, -2.0), (-0.5, 0.0)),
    (ops.ARCTAN2, (1e200, 1e200), (0.5e-200, -0.5e-200)),
    (ops.ARCTAN2, (0.0, 1e-200), (1e200, 0.0)),
    (ops.LOGADDEXP, (1000.0, 0.0), (1.0, 0.0)),
    (ops.LOGADDEXP, (math.inf, math.inf), (0.5, 0.5)),
    (ops.LOGADDEXP, (-math.inf, -math.inf), (0.5, 0.5)),
    (ops.LOGADDEXP, (-math.inf, 1.0), (0.0, 1.0)),
    (ops.COPYSIGN, (2.0, -0.0), (-1.0, 0.0)),
    (ops.COPYSIGN, (-2.0, 3.0), (-1.0, 0.0)),
    (ops.FLOOR, (1.0,), (0.0,)),
    (ops.REMAINDER, (4.0, 2.0), (1.0, -2.0)),
    (ops.TANH, (800.0,), (0.0,)),
    (ops.LOGISTIC, (-800.0,), (0.0,)),
    (ops.ARCSINH, (1e200,), (1e-200,)),
    (ops.ARCCOSH, (1e200,), (1e-200,)),
    (ops.ARCSIN, (1.0,), (math.inf,)),
]


@pytest.mark.parametrize(("op", "operands", "slopes"), KINKS, ids=lambda x: str(x))
def test_at_a_kink_both_modes_take_the_stated_side(
    op: Op, operands: tuple[float, ...], slopes: tuple[float, ...]
) -> None:
    arguments = [np.array(x) for x in operands]
    function = function_of(graph_of((op, arguments, ())))
    zeros = (0.0,) * len(operands)
    pulled = cr.vjp(function, *operands)[1](1.0)
    for n, expected in enumerate(slopes):

        def of_one(x: Any, n: int = n) -> Any:
            return function(*operands[:n], x, *operands[n + 1 :])

        assert cr.jvp(of_one, (operands[n],), (1.0,))[1] == pytest.approx(expected, rel=1e-14, nan_ok=True)
        backward = pulled[n] if len(operands) > 1 else pulled
        assert backward == pytest.approx(expected, rel=1e-14, nan_ok=True)
    assert cr.jvp(function, operands, zeros)[1] == 0 or not np.isfinite(slopes).all()


@pytest.mark.parametrize("shape", [(2, 4), (4, 2), (8,)], ids=str)
def test_a_tie_of_several_gives_the_mean_of_their_changes(shape: tuple[int, ...]) -> None:
    x, change = np.zeros(shape), np.arange(8.0).reshape(shape)
    assert cr.jvp(cnp.max, (x,), (change,))[1] == 3.5
    np.testing.assert_array_equal(cr.grad(cnp.max)(x), np.full(shape, 1 / 8))


SMOOTH_OF_TWO = ("add", "subtract", "multiply", "divide", "power", "maximum", "hypot", "arctan2", "logaddexp")
SHAPES = [((), (3,)), ((2, 1), (3,)), ((1,), (4, 1)), ((0, 1), (1, 3)), ((1, 1), (1,)), ((2, 0), (2, 1)), ((), (0,))]


@pytest.mark.parametrize("name", SMOOTH_OF_TWO)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_operands_that_are_repeated_get_the_sum_of_the_errors(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    rng = np.random.default_rng(3)
    check_gradient(
        getattr(cnp, name), *(rng.uniform(low, low + 1, s) for low, s in zip((0.5, 1.6), shapes, strict=True))
    )


@pytest.mark.parametrize("name", SMOOTH_OF_TWO)
def test_an_operation_of_one_array_twice(name: str) -> None:
    """f(x, x): the sum of both derivatives; a tie is the identity."""
    function = getattr(cnp, name)
    x = np.array([0.5, 1.25, 2.0])
    a, b = cr.vjp(function, x, x)[1](np.ones(3))
    np.testing.assert_allclose(cr.grad(lambda x: cnp.sum(function(x, x)))(x), a + b, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(cr.jvp(lambda x: function(x, x), (x,), (np.ones(3),))[1], a + b, rtol=1e-14, atol=1e-15)
    check_gradient(lambda x: function(x, x), x)


WIDE = np.random.default_rng(4).normal(size=(3, 4))
LAYOUTS: dict[str, Values] = {
    "transposed": WIDE.T,
    "in Fortran's order": np.asfortranarray(WIDE),
    "backward": WIDE[::-1, ::-1],
    "every second": np.repeat(WIDE, 2, axis=1)[:, ::2],
    "axes exchanged": np.moveaxis(np.stack([WIDE, WIDE + 1]), 0, 1),
    "repeated without memory": np.broadcast_to(WIDE[:1], (5, 4)),
    "of other bytes": WIDE.astype(">f8"),
    "no elements": WIDE[:0],
    "size-one axes": WIDE[:1, None, :1],
    "read only": WIDE.copy(),
}
LAYOUTS["read only"].setflags(write=False)


@pytest.mark.parametrize("run", [lambda f: f, cr.compile], ids=["uncompiled", "compiled"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_where_an_array_lies_in_memory_makes_no_difference(name: str, run: Callable[[Any], Any]) -> None:
    x = LAYOUTS[name]

    def cost(x: Any) -> Any:
        return cnp.sum(cnp.tanh(x) * cnp.sin(2 * x))

    same = np.array(x, np.float64, order="C")
    np.testing.assert_allclose(run(cr.grad(cost))(x), cr.grad(cost)(same), rtol=1e-13, atol=1e-14)
    change = run(lambda x, t: cr.jvp(cost, (x,), (t,))[1])(x, x)
    np.testing.assert_allclose(change, np.sum(cr.grad(cost)(same) * same), rtol=1e-12, atol=1e-14)
    if name not in ("of other bytes",):
        check_gradient(cost, x)


def test_what_is_not_used_has_the_derivative_zero_in_every_mode() -> None:
    def first(x: Any, unused: Any) -> Any:
        return cnp.sin(x["a"])

    x, unused = {"a": np.ones(2), "b": np.ones((2, 0))}, np.ones(3)
    _, change = cr.jvp(first, (x, unused), ({"a": np.zeros(2), "b": np.ones((2, 0))}, np.ones(3)))
    assert change.tolist() == [0.0, 0.0]
    of_x, of_unused = cr.vjp(first, x, unused)[1](np.ones(2))
    assert (of_x["b"].shape, of_unused.tolist()) == ((2, 0), [0.0] * 3)
    assert cr.jvp(lambda x: 3.0, (np.ones(2),), (np.ones(2),)) == (3.0, 0.0)
    check_gradient(first, x, unused)


# random compositions


def with_directions(graph: Graph) -> tuple[list[Node], list[Node]]:
    """Further inputs: a change of each floating-point input, an error of each output."""
    variables = [n for n in graph.inputs if n.type.is_float]
    types = [*(v.type for v in variables), *(y.type for y in graph.outputs)]
    found = [input_node(len(graph.inputs) + n, type_) for n, type_ in enumerate(types)]
    return found[: len(variables)], found[len(variables) :]


def both_modes(graph: Graph) -> Graph:
    """Of the inputs, changes of them and errors of the outputs: J·v, then Jᵀu."""
    changes, errors = with_directions(graph)
    variables = [n for n in graph.inputs if n.type.is_float]
    pairs = [(v, Array(c)) for v, c in zip(variables, changes, strict=True)]
    changed = push_forward(pairs, graph.outputs)
    pushed = [Array(full(0, y.type)) if c is None else c for y, c in zip(graph.outputs, changed, strict=True)]
    pulled = backpropagate([(y, Array(e)) for y, e in zip(graph.outputs, errors, strict=True)], variables)
    return verify(Graph((*graph.inputs, *changes, *errors), tuple(x.node for x in (*pushed, *pulled))))


def directions(graph: Graph, seed: int) -> list[Values]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=n.type.shape) for part in with_directions(graph) for n in part]


@examples(3)
@given(differentiable_programs())
def test_forward_and_backward_are_each_others_transpose_in_a_random_composition(program: Program) -> None:
    """⟨u, J·v⟩ = ⟨Jᵀu, v⟩."""
    graph, given_ = program.graph, directions(program.graph, 1)
    assert_transposed(graph, program.arguments, given_)


def assert_transposed(graph: Graph, arguments: Sequence[Values], given_: Sequence[Values]) -> None:
    found = interpret(both_modes(graph), [*arguments, *given_])
    outputs, inputs = len(graph.outputs), len(given_) - len(graph.outputs)
    pushed, pulled, changes, errors = found[:outputs], found[outputs:], given_[:inputs], given_[inputs:]
    forward = [u * p for u, p in zip(errors, pushed, strict=True)]
    backward = [v * p for v, p in zip(changes, pulled, strict=True)]
    size = sum(float(np.abs(x).sum()) for x in (*forward, *backward)) + 1
    assume(np.isfinite(size))
    difference = sum(float(x.sum()) for x in forward) - sum(float(x.sum()) for x in backward)
    assert abs(difference) <= 10 * ROUNDING[DOUBLE] * size


@examples(2)
@given(differentiable_programs(steps=8))
def test_the_modes_are_each_others_transpose_in_the_derivative_too(program: Program) -> None:
    """⟨u, J·v⟩ = ⟨Jᵀu, v⟩ of the program that computes J·v and Jᵀu: the second derivatives."""
    first, given_ = both_modes(program.graph), directions(program.graph, 2)
    assume(all(map(is_tame, outcomes(first, [*program.arguments, *given_]))))
    assert_transposed(first, [*program.arguments, *given_], directions(first, 3))


@examples(1)
@given(differentiable_programs(steps=12))
def test_both_modes_mean_the_same_natively(program: Program) -> None:
    graph = both_modes(program.graph)
    given_ = [*program.arguments, *directions(program.graph, 4)]
    for mine, theirs in zip(build(graph)(*given_), outcomes(graph, given_), strict=True):
        if is_tame(theirs):
            assert_agrees(mine, theirs)


@pytest.mark.parametrize("seed", range(25))
def test_a_random_function_has_the_derivatives_that_its_values_have(seed: int) -> None:
    function = random_function(seed, steps=8)
    check_gradient(function, *function.arguments, seed=seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 400))
def test_a_larger_random_function_has_the_derivatives_that_its_values_have(seed: int) -> None:
    function = random_function(seed, steps=16)
    check_gradient(function, *function.arguments, seed=seed)


@pytest.mark.parametrize("seed", range(4))
def test_every_transformation_of_a_random_function_is_the_same_compiled(seed: int) -> None:
    function = random_function(seed, steps=8)
    x, rest = function.arguments[0], function.arguments[1:]

    def cost(x: Any) -> Any:
        return sum(cnp.sum(cnp.sin(y)) for y in function(x, *rest))

    wide = np.stack([x, x * 1.01])
    for derivative, argument in [
        (cr.grad(cost), x),
        (lambda x: cr.jvp(cost, (x,), (cnp.cos(x),)), x),
        (cr.vmap(cr.grad(cost)), wide),
        (lambda x: cr.hvp(cost)(x, cnp.sin(x)), x),
        (cr.grad(lambda x: cnp.sum(cr.vmap(cost)(x) ** 2)), wide),
    ]:
        cr.testing.assert_close(cr.compile(derivative)(argument), derivative(argument), tolerance=1e-10)


def test_the_derivative_of_cholesky_is_that_among_symmetric_matrices() -> None:
    """A change counts with its symmetric part, and the error that comes back is symmetric: the modes fit together."""
    rng = np.random.default_rng(5)
    (a,), (change, error) = CASES["cholesky"][1], rng.normal(size=(2, 2, 3, 3))
    moved = cr.jvp(cnp.linalg.cholesky, (a,), (change,))[1]
    symmetric = (change + np.swapaxes(change, -1, -2)) / 2
    np.testing.assert_allclose(moved, cr.jvp(cnp.linalg.cholesky, (a,), (symmetric,))[1], rtol=1e-12, atol=1e-14)
    pulled = cr.vjp(cnp.linalg.cholesky, a)[1](error)
    np.testing.assert_allclose(pulled, np.swapaxes(pulled, -1, -2), rtol=1e-12, atol=1e-14)
    assert np.sum(moved * error) == pytest.approx(np.sum(pulled * change), rel=1e-12)
