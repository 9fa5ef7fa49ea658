"""Costs: values against mpmath, gradients against differences and the identity δ = a − y, and what fits what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import OptionError
from chainrule.nn import ACTIVATIONS, COSTS
from chainrule.nn.costs import cost_function

EPS = np.finfo(np.float64).eps
PAIRS = [
    ("quadratic", "sigmoid"),
    ("quadratic", "tanh"),
    ("quadratic", "relu"),
    ("quadratic", "softmax"),
    ("quadratic", "identity"),
    ("sigmoid_cross_entropy", "sigmoid"),
    ("softmax_cross_entropy", "softmax"),
]
SIGMOID, SOFTMAX = PAIRS[-2:]


def soft_targets(activation: str, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Targets that are no classes: fractions, which add up to one for softmax."""
    y = np.random.default_rng(seed).uniform(0.05, 0.95, shape)
    return y / y.sum(axis=1, keepdims=True) if activation == "softmax" else y


def measured(cost: str, activation: str, y: np.ndarray) -> Callable[[Any], Any]:
    """The cost of each example as a function of the weighted inputs."""
    return lambda z: COSTS[cost](z, ACTIVATIONS[activation](z), y)


def slope(cost: str, activation: str, y: np.ndarray) -> Callable[[Any], Any]:
    """∂ΣC_x/∂z, which is n times the error δ of the mean cost."""
    return cr.grad(lambda z: cnp.sum(measured(cost, activation, y)(z)))


@pytest.fixture(params=["uncompiled", "compiled"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """A function as it is, and as native code."""
    return cr.compile if request.param == "compiled" else lambda function: function


def in_many_digits(cost: str, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The formula of the book, which needs thousands of digits to be right far out, as 1 − σ(10⁴) is 10⁻⁴³⁴³."""
    with mpmath.workdps(4400 if np.abs(z).max() > 1000 else 60):
        return np.array(
            [float(_one(cost, [mpmath.mpf(float(v)) for v in a], list(b))) for a, b in zip(z, y, strict=True)]
        )


def _one(cost: str, z: list[Any], y: list[float]) -> Any:
    if cost == "sigmoid_cross_entropy":
        a = [1 / (1 + mpmath.exp(-v)) for v in z]
        return -mpmath.fsum(t * mpmath.log(v) + (1 - t) * mpmath.log(1 - v) for v, t in zip(a, y, strict=True))
    powers = [mpmath.exp(v) for v in z]
    return -mpmath.fsum(t * mpmath.log(p / mpmath.fsum(powers)) for p, t in zip(powers, y, strict=True))


def test_the_quadratic_cost_is_half_the_squared_distance_of_each_example(run: Callable[[Any], Any]) -> None:
    y = np.array([[1.0, 0.0], [0.5, 2.0]])
    assert run(measured("quadratic", "identity", y))(np.array([[4.0, 4.0], [0.5, 2.0]])).tolist() == [12.5, 0.0]


@pytest.mark.parametrize(("cost", "activation"), [SIGMOID, SOFTMAX])
def test_cross_entropy_is_the_formula_of_the_book(cost: str, activation: str, run: Callable[[Any], Any]) -> None:
    z, y = np.random.default_rng(1).normal(scale=3, size=(6, 4)), soft_targets(activation, (6, 4))
    np.testing.assert_allclose(run(measured(cost, activation, y))(z), in_many_digits(cost, z, y), rtol=16 * EPS)


@pytest.mark.parametrize(("cost", "activation"), [SIGMOID, SOFTMAX])
def test_cross_entropy_is_right_far_out(cost: str, activation: str, run: Callable[[Any], Any]) -> None:
    z = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [800.0, 0.0], [-40.0, 40.0]])
    with np.errstate(all="raise", under="ignore"):
        for y in (np.tile([1.0, 0.0], (6, 1)), np.tile([0.25, 0.75], (6, 1))):
            found = run(measured(cost, activation, y))(z)
            np.testing.assert_allclose(found, in_many_digits(cost, z, y), rtol=8 * EPS, atol=1e-300)


def test_sigmoid_cross_entropy_keeps_the_digits_of_a_cost_near_zero(run: Callable[[Any], Any]) -> None:
    found = run(measured("sigmoid_cross_entropy", "sigmoid", np.array([[1.0], [0.0]])))(np.array([[40.0], [-40.0]]))
    np.testing.assert_allclose(found, [np.exp(-40.0)] * 2, rtol=8 * EPS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("cost", "activation"), PAIRS)
def test_a_cost_keeps_the_dtype_and_gives_one_number_for_each_example(cost: str, activation: str, dtype: type) -> None:
    z, y = np.zeros((5, 3), dtype), np.ones((5, 3), dtype)
    found = cr.compile(measured(cost, activation, y))(z)
    assert found.shape == (5,)
    assert found.dtype == dtype


@pytest.mark.parametrize(("cost", "activation"), PAIRS)
def test_the_gradient_is_what_central_differences_say(cost: str, activation: str, run: Callable[[Any], Any]) -> None:
    z, y = np.random.default_rng(2).normal(size=(4, 3)), soft_targets(activation, (4, 3))
    total, h = measured(cost, activation, y), 1e-6
    differences = np.empty_like(z)
    for place in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[place] = h
        differences[place] = (total(z + step).sum() - total(z - step).sum()) / (2 * h)
    np.testing.assert_allclose(run(slope(cost, activation, y))(z), differences, rtol=1e-7, atol=1e-8)


def test_the_error_of_sigmoid_with_cross_entropy_is_a_minus_y(run: Callable[[Any], Any]) -> None:
    z, y = np.random.default_rng(3).normal(scale=4, size=(7, 5)), soft_targets("sigmoid", (7, 5))
    np.testing.assert_allclose(run(slope(*SIGMOID, y))(z), cr.nn.sigmoid(z) - y, rtol=0, atol=4 * EPS)


def test_the_error_of_softmax_with_cross_entropy_is_a_minus_y(run: Callable[[Any], Any]) -> None:
    z, y = np.random.default_rng(4).normal(scale=4, size=(7, 5)), soft_targets("softmax", (7, 5))
    np.testing.assert_allclose(run(slope(*SOFTMAX, y))(z), cr.nn.softmax(z) - y, rtol=0, atol=8 * EPS)


def test_targets_that_do_not_add_up_to_one_weigh_softmax_by_their_sum() -> None:
    z, y = np.random.default_rng(5).normal(size=(3, 4)), np.random.default_rng(6).uniform(0, 2, (3, 4))
    expected = y.sum(axis=1, keepdims=True) * cr.nn.softmax(z) - y
    np.testing.assert_allclose(slope(*SOFTMAX, y)(z), expected, rtol=0, atol=16 * EPS)


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
def test_gradients_at_zero_are_exact(y: float, zero: float, run: Callable[[Any], Any]) -> None:
    z, target = np.array([[zero]]), np.array([[y]])
    assert run(slope(*SIGMOID, target))(z).item() == 0.5 - y
    assert run(slope("quadratic", "sigmoid", target))(z).item() == (0.5 - y) * 0.25
    assert run(slope("quadratic", "relu", target))(z).item() == 0.0
    assert run(slope("quadratic", "identity", target))(z).item() == -y


def test_the_gradient_of_equal_weighted_inputs_is_exact(run: Callable[[Any], Any]) -> None:
    found = run(slope(*SOFTMAX, np.array([[1.0, 0.0, 0.0, 0.0]])))(np.zeros((1, 4)))
    assert found.tolist() == [[-0.75, 0.25, 0.25, 0.25]]


def test_gradients_far_out_are_the_limits(run: Callable[[Any], Any]) -> None:
    z, y = np.array([[1e4, -1e4]]), np.array([[0.25, 0.75]])
    assert run(slope(*SIGMOID, y))(z).tolist() == [[0.75, -0.75]]
    assert run(slope(*SOFTMAX, y))(z).tolist() == [[0.75, -0.75]]


@pytest.mark.parametrize(("cost", "activation"), PAIRS)
def test_costs_take_plain_arrays(cost: str, activation: str) -> None:
    z, y = np.random.default_rng(7).normal(size=(2, 3)), soft_targets(activation, (2, 3))
    plain, traced = measured(cost, activation, y)(z), cr.compile(measured(cost, activation, y))(z)
    assert isinstance(plain, np.ndarray)
    np.testing.assert_allclose(plain, traced, rtol=1e-14)


@pytest.mark.parametrize(("cost", "activation"), PAIRS)
def test_a_cost_is_found_by_its_name(cost: str, activation: str) -> None:
    assert cost_function(cost, activation) is COSTS[cost]


@pytest.mark.parametrize(("cost", "activation"), [SIGMOID, SOFTMAX])
def test_cross_entropy_is_the_one_that_belongs_to_the_outputs(cost: str, activation: str) -> None:
    assert cost_function("cross_entropy", activation) is COSTS[cost]


@pytest.mark.parametrize("name", ["huber", "", None, ["quadratic"], "Quadratic"])
def test_an_unknown_cost_is_refused_with_the_known_ones(name: Any) -> None:
    with pytest.raises(
        OptionError, match="cost must be one of 'quadratic', 'sigmoid_cross_entropy', 'softmax_.*, not "
    ):
        cost_function(name, "sigmoid")


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_cross_entropy_does_not_fit_outputs_that_are_no_probabilities(activation: str) -> None:
    with pytest.raises(OptionError, match=rf"'cross_entropy'.* {activation}( outputs)?\.(.|\n)*quadratic"):
        cost_function("cross_entropy", activation)


@pytest.mark.parametrize(
    ("cost", "activation"), [(SIGMOID[0], "softmax"), (SOFTMAX[0], "sigmoid"), (SIGMOID[0], "tanh")]
)
def test_a_cross_entropy_of_another_activation_is_refused_with_the_cure(cost: str, activation: str) -> None:
    needed = cost.removesuffix("_cross_entropy")
    with pytest.raises(OptionError, match=f"needs {needed} outputs, not {activation}(.|\n)*output='{needed}'"):
        cost_function(cost, activation)
