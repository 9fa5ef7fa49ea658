"""Derivatives of derivatives, and derivatives of Python programs that look at their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.graph import ops
from chainrule.trace.primitives import apply


def logistic(x: Any) -> Any:
    return apply(ops.LOGISTIC, x.node)


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


#: A function, where to look at it, and its first three derivatives, found by hand.
FORMULAS: dict[str, tuple[Callable[[Any], Any], tuple[float, ...], tuple[Callable[[float], float], ...]]] = {
    "x⁵": (lambda x: x**5, (-1.5, 0.0, 2.0), (lambda x: 5 * x**4, lambda x: 20 * x**3, lambda x: 60 * x**2)),
    "x³ at 0": (lambda x: x**3, (0.0,), (lambda x: 0.0, lambda x: 0.0, lambda x: 6.0)),
    "x²": (lambda x: x**2, (-1.5, 0.0), (lambda x: 2 * x, lambda x: 2.0, lambda x: 0.0)),
    "x^½": (lambda x: x**0.5, (0.3, 4.0), (
        lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5, lambda x: 0.375 * x**-2.5)),
    "√x": (cnp.sqrt, (0.3, 4.0), (lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5, lambda x: 0.375 * x**-2.5)),
    "2ˣ": (lambda x: 2.0**x, (-1.0, 3.0), tuple((lambda x, n=n: math.log(2) ** n * 2**x) for n in (1, 2, 3))),
    "xˣ": (lambda x: x**x, (0.5, 2.0), (
        lambda x: x**x * (math.log(x) + 1),
        lambda x: x**x * ((math.log(x) + 1) ** 2 + 1 / x),
        lambda x: x**x * ((math.log(x) + 1) ** 3 + 3 * (math.log(x) + 1) / x - 1 / x**2))),
    "1/x": (lambda x: 1 / x, (-2.0, 0.5), (lambda x: -(x**-2), lambda x: 2 * x**-3, lambda x: -6 * x**-4)),
    "eˣ": (cnp.exp, (-2.0, 1.0), (math.exp, math.exp, math.exp)),
    "eˣ − 1": (cnp.expm1, (-2.0, 0.0), (math.exp, math.exp, math.exp)),
    "ln x": (cnp.log, (0.2, 3.0), (lambda x: 1 / x, lambda x: -(x**-2), lambda x: 2 * x**-3)),
    "ln(1 + x)": (cnp.log1p, (-0.5, 0.0), (
        lambda x: 1 / (1 + x), lambda x: -((1 + x) ** -2), lambda x: 2 * (1 + x) ** -3)),
    "sin x": (cnp.sin, (0.0, 2.0), (math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x))),
    "cos x": (cnp.cos, (0.0, 2.0), (lambda x: -math.sin(x), lambda x: -math.cos(x), math.sin)),
    "tanh x": (cnp.tanh, (0.0, -0.7), (
        lambda x: 1 - math.tanh(x) ** 2,
        lambda x: -2 * math.tanh(x) * (1 - math.tanh(x) ** 2),
        lambda x: (1 - math.tanh(x) ** 2) * (6 * math.tanh(x) ** 2 - 2))),
    "σ(x)": (logistic, (0.0, -0.7), (
        lambda x: sigma(x) * (1 - sigma(x)),
        lambda x: sigma(x) * (1 - sigma(x)) * (1 - 2 * sigma(x)),
        lambda x: sigma(x) * (1 - sigma(x)) * (1 - 6 * sigma(x) + 6 * sigma(x) ** 2))),
    "|x|³": (lambda x: abs(x) ** 3, (-2.0, 2.0), (
        lambda x: 3 * x * abs(x), lambda x: 6 * abs(x), lambda x: 6 * math.copysign(1, x))),
    "e^(−x²)": (lambda x: cnp.exp(-x * x), (0.0, 0.8), (
        lambda x: -2 * x * math.exp(-x * x),
        lambda x: (4 * x * x - 2) * math.exp(-x * x),
        lambda x: (12 * x - 8 * x**3) * math.exp(-x * x))),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_the_first_three_derivatives_are_those_found_by_hand(name: str) -> None:
    function, points, derivatives = FORMULAS[name]
    for formula in derivatives:
        function = cr.grad(function)
        for x in points:
            assert function(x) == pytest.approx(formula(x), rel=1e-12, abs=1e-12), x


def test_the_second_derivatives_of_a_quadratic_form_are_its_matrix() -> None:
    """C = ½ xᵀA x: gradient ½(A + Aᵀ)x, and column v of the second derivatives ½(A + Aᵀ)v."""
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=(4, 4)), rng.normal(size=4)
    slope = cr.grad(lambda x: 0.5 * (x @ a @ x))
    np.testing.assert_allclose(slope(x), (a + a.T) @ x / 2, rtol=1e-13)
    for v in np.eye(4):
        column = cr.grad(lambda x, v=v: slope(x) @ v)(x)
        np.testing.assert_allclose(column, (a + a.T) @ v / 2, rtol=1e-13)


def test_second_derivatives_do_not_depend_on_the_order() -> None:
    def cost(x: Any, y: Any) -> Any:
        return cnp.sin(x * y) * cnp.exp(x) / (1 + y * y)

    xy = cr.grad(lambda x, y: cr.grad(cost, argnums=1)(x, y), argnums=0)(0.7, -0.3)
    yx = cr.grad(lambda x, y: cr.grad(cost, argnums=0)(x, y), argnums=1)(0.7, -0.3)
    assert xy == pytest.approx(yx, rel=1e-13)


# variables of nested derivatives are not confused


def test_an_inner_variable_is_not_an_outer_one() -> None:
    """d/dx (x · d/dy (x + y)) = d/dx x = 1, not 2. Siskind and Pearlmutter, Perturbation confusion, 2005."""
    assert cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(3.0) == 1.0


def test_an_inner_derivative_at_the_outer_variable_itself() -> None:
    """d/dx (x · [d/dy (x·y²)] at y = x) = d/dx 2x³ = 6x²."""
    assert cr.grad(lambda x: x * cr.grad(lambda y: x * y * y)(x))(3.0) == 54.0


def test_three_derivatives_inside_each_other() -> None:
    """d/dx (x · d/dy (y · d/dz (x·y·z))) at 5, 3, 2: the innermost is x·y, the next 2·x·y at y = 3, the last 12·x."""

    def outer(x: Any) -> Any:
        return x * cr.grad(lambda y: y * cr.grad(lambda z: x * y * z)(2.0))(3.0)

    assert cr.grad(outer)(5.0) == 60.0


def test_a_derivative_with_respect_to_what_is_already_a_variable() -> None:
    """f(x, x): each argument has its own derivative."""
    assert cr.grad(lambda x: cr.grad(lambda a, b: a * b * b, argnums=1)(x, x))(3.0) == 12.0


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_a_function_that_makes_functions_may_be_differentiated(x: float, y: float) -> None:
    """The derivative of a shift is the shift of the derivative."""

    def shifted(f: Callable[[Any], Any], by: Any) -> Callable[[Any], Any]:
        return lambda z: f(z + by)

    assert cr.grad(shifted(cnp.sin, x))(y) == pytest.approx(math.cos(x + y), rel=1e-13, abs=1e-13)
    assert cr.grad(lambda by: cr.grad(shifted(cnp.sin, by))(y))(x) == pytest.approx(-math.sin(x + y), abs=1e-13)


# Python looks at values while a derivative is taken


def test_a_branch_is_taken_by_value() -> None:
    def huber(x: Any) -> Any:
        return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5

    assert [float(cr.grad(huber)(x)) for x in (-3.0, -0.5, 0.25, 2.0)] == [-1.0, -0.5, 0.25, 1.0]


@given(st.floats(0.5, 50))
def test_a_loop_that_stops_on_a_value(a: float) -> None:
    """Newton's iteration for √a, run until it stands still; its derivative is 1 / (2√a)."""

    def root(a: Any) -> Any:
        x, rounds = a, 0
        while rounds == 0 or (abs(x * x - a) > 1e-13 * a and rounds < 60):
            x, rounds = (x + a / x) / 2, rounds + 1
        return x

    value, slope = cr.value_and_grad(root)(a)
    assert value == pytest.approx(math.sqrt(a), rel=1e-13)
    assert slope == pytest.approx(0.5 / math.sqrt(a), rel=1e-6)


def test_recursion_that_ends_on_a_value() -> None:
    def power(x: Any, n: int) -> Any:
        if n == 0:
            return 1.0 + 0 * x
        half = power(x, n // 2)
        return half * half * (x if n % 2 else 1.0)

    assert cr.grad(lambda x: power(x, 10))(1.5) == pytest.approx(10 * 1.5**9, rel=1e-14)


def test_an_optimiser_inside_the_differentiated_function() -> None:
    """Gradient descent on ½(w − a)² from 0 with rate r: wₙ = a(1 − (1 − r)ⁿ), so dwₙ/da and dwₙ/dr are known."""

    def trained(a: Any, rate: Any) -> Any:
        w = 0.0 * a
        for _ in range(20):
            w = w - rate * cr.grad(lambda w: 0.5 * (w - a) ** 2)(w)
        return w

    by_goal, by_rate = cr.grad(trained, argnums=(0, 1))(3.0, 0.1)
    assert by_goal == pytest.approx(1 - 0.9**20, rel=1e-12)
    assert by_rate == pytest.approx(3.0 * 20 * 0.9**19, rel=1e-12)


def test_an_inner_minimisation_that_stops_on_its_own_gradient() -> None:
    """The derivative of argminₓ (x − θ²)² is 2θ."""

    def best(theta: Any) -> Any:
        def cost(x: Any) -> Any:
            return (x - theta * theta) ** 2

        x, slope = 0.0 * theta, 1.0
        while abs(slope) > 1e-12:
            slope = cr.grad(cost)(x)
            x = x - 0.4 * slope
        return x

    assert cr.grad(best)(1.5) == pytest.approx(3.0, rel=1e-10)


# compiled or not


COSTS: dict[str, Callable[[Any, Any], Any]] = {
    "regression": lambda w, x: cnp.mean((cnp.tanh(x @ w) - 0.3) ** 2),
    "softmax": lambda w, x: -cnp.mean(x @ w - cnp.log(cnp.sum(cnp.exp(x @ w), axis=1, keepdims=True))),
    "indexing": lambda w, x: cnp.sum(x[::-2, 1:] @ w[1:] * x[[0, 2, 0]][:, :1]),
    "largest": lambda w, x: cnp.max(x @ w) + cnp.min(x @ w, axis=0).sum(),
    "choice": lambda w, x: cnp.sum(cnp.where(x @ w > 0, cnp.sin(x @ w), x @ w)),
}


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_is_the_same_compiled(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    w, x = rng.normal(size=(4, 3)).astype(dtype), rng.normal(size=(5, 4)).astype(dtype)
    slope = cr.grad(COSTS[name])
    compiled = cr.compile(slope)(w, x)
    assert compiled.dtype == dtype
    np.testing.assert_allclose(compiled, slope(w, x), rtol=0, atol=20 * np.finfo(dtype).eps)


def test_a_second_derivative_is_the_same_compiled() -> None:
    x = np.linspace(-2, 2, 7)
    curvature = cr.grad(lambda x: cnp.sum(cr.grad(lambda x: cnp.sum(cnp.tanh(x) ** 3))(x) ** 2))
    np.testing.assert_allclose(cr.compile(curvature)(x), curvature(x), rtol=1e-13, atol=1e-14)
