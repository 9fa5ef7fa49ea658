"""Activations: their values against mpmath, their derivatives, and both as native code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.nn import ACTIVATIONS

Z = np.array([-1e4, -745.0, -100.0, -37.5, -2.5, -1.0, -1e-9, 0.0, 1e-300, 1e-9, 0.5, 3.0, 20.0, 40.0, 710.0, 1e4])
ROWS = np.array([[1.0, 2.0, 3.0], [-4.0, 0.0, 4.0], [1e4, -1e4, 1e4], [0.0, 0.0, 0.0], [1e4 + 1, 1e4, -5.0]])

SLOPES: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2,
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
    "relu": lambda z: (z > 0).astype(z.dtype),
    "identity": np.ones_like,
}


def exactly(function: Callable[[Any], Any], z: np.ndarray) -> np.ndarray:
    """The function in fifty digits, rounded once."""
    with mpmath.workdps(50):
        return np.array([float(function(mpmath.mpf(float(x)))) for x in z.ravel()]).reshape(z.shape)


def exact_softmax(z: np.ndarray) -> np.ndarray:
    with mpmath.workdps(50):
        powers = [[mpmath.exp(mpmath.mpf(float(x))) for x in row] for row in z]
        return np.array([[float(p / mpmath.fsum(row)) for p in row] for row in powers])


@pytest.fixture(params=["uncompiled", "compiled"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """A function as it is, and as native code."""
    return cr.compile if request.param == "compiled" else lambda function: function


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (2, 0, 4)], ids=str)
def test_the_softmax_of_nothing_is_nothing(shape: tuple[int, ...], run: Callable[[Any], Any]) -> None:
    z = np.zeros(shape, np.float32)
    for found in (run(cr.nn.softmax)(z), run(cr.grad(lambda z: cnp.sum(cr.nn.softmax(z))))(z)):
        assert (found.shape, found.dtype) == (shape, np.float32)


def test_the_activations_are_known_by_name() -> None:
    assert set(ACTIVATIONS) == {"sigmoid", "tanh", "relu", "softmax", "identity"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "exact"), [("sigmoid", lambda z: 1 / (1 + mpmath.exp(-z))), ("tanh", mpmath.tanh)], ids=["sigmoid", "tanh"]
)
def test_sigmoid_and_tanh_are_right_to_a_few_units_in_the_last_place(
    name: str, exact: Callable[[Any], Any], dtype: type, run: Callable[[Any], Any]
) -> None:
    z = Z[np.abs(Z) > np.finfo(dtype).tiny].astype(dtype)
    found = run(ACTIVATIONS[name])(z)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, exactly(exact, z).astype(dtype), rtol=4 * np.finfo(dtype).eps, atol=1e-37)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softmax", "relu", "identity"])
def test_no_activation_warns_or_gives_nan_far_out(name: str, run: Callable[[Any], Any]) -> None:
    far = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e300, -1e300, 1.0]])
    with np.errstate(all="raise"):
        found = run(ACTIVATIONS[name])(far)
    assert np.isfinite(found).all()


def test_sigmoid_is_a_half_at_zero_and_ends_in_zero_and_one(run: Callable[[Any], Any]) -> None:
    assert run(cr.nn.sigmoid)(np.array([0.0, -1e4, 1e4])).tolist() == [0.5, 0.0, 1.0]


def test_sigmoid_and_its_mirror_add_up_to_one(run: Callable[[Any], Any]) -> None:
    both = run(cr.nn.sigmoid)(Z) + run(cr.nn.sigmoid)(-Z)
    np.testing.assert_allclose(both, 1, rtol=4 * np.finfo(float).eps)


def test_logistic_is_another_name_for_sigmoid() -> None:
    assert cr.nn.logistic is cr.nn.sigmoid


def test_relu_keeps_what_is_positive(run: Callable[[Any], Any]) -> None:
    assert run(cr.nn.relu)(np.array([-2.0, -0.0, 0.0, 3.0])).tolist() == [0.0, 0.0, 0.0, 3.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_is_right_in_every_row(dtype: type, run: Callable[[Any], Any]) -> None:
    z = ROWS.astype(dtype)
    found = run(cr.nn.softmax)(z)
    assert found.dtype == dtype
    distance = z.max(axis=1, keepdims=True) - z  # the power of a rounded difference is off by that difference in eps
    tolerance = (4 + distance) * np.finfo(dtype).eps * exact_softmax(z)
    assert (np.abs(found - exact_softmax(z)) <= tolerance).all()


def test_softmax_does_not_change_with_a_shift_of_the_row(run: Callable[[Any], Any]) -> None:
    z = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_array_equal(run(cr.nn.softmax)(z + 1024), run(cr.nn.softmax)(z))


def test_softmax_is_along_the_last_axis_alone() -> None:
    found = cr.nn.softmax(np.arange(24.0).reshape(2, 3, 4))
    np.testing.assert_allclose(found.sum(axis=-1), np.ones((2, 3)), rtol=1e-15)


def test_identity_gives_its_argument_back() -> None:
    z = np.arange(3.0)
    assert ACTIVATIONS["identity"](z) is z


@pytest.mark.parametrize("name", sorted(SLOPES))
def test_the_derivative_is_the_textbook_one(name: str, run: Callable[[Any], Any]) -> None:
    z = np.array([-1e4, -20.0, -1.5, -0.25, 0.25, 1.0, 17.0, 1e4])
    weights = np.arange(1.0, 9.0)
    found = run(cr.grad(lambda z: cnp.sum(weights * ACTIVATIONS[name](z))))(z)
    with np.errstate(over="ignore"):
        expected = weights * SLOPES[name](z)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-14)


def test_the_derivative_of_softmax_is_its_jacobian(run: Callable[[Any], Any]) -> None:
    z, weights = np.array([[0.5, -1.0, 2.0], [1e4, 0.0, 1e4]]), np.array([[1.0, -2.0, 3.0], [5.0, 7.0, 11.0]])
    found = run(cr.grad(lambda z: cnp.sum(weights * cr.nn.softmax(z))))(z)
    a = exact_softmax(z)
    jacobian = np.stack([np.diag(row) - np.outer(row, row) for row in a])
    np.testing.assert_allclose(found, np.einsum("nij,nj->ni", jacobian, weights), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize(
    ("name", "slope"), [("relu", 0.0), ("sigmoid", 0.25), ("tanh", 1.0), ("identity", 1.0)], ids=lambda v: str(v)
)
def test_the_derivative_at_zero_is_exact(name: str, slope: float, zero: float, run: Callable[[Any], Any]) -> None:
    assert run(cr.grad(lambda z: cnp.sum(ACTIVATIONS[name](z))))(np.array([zero])).tolist() == [slope]


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
def test_whole_numbers_are_taken_as_float64(name: str) -> None:
    np.testing.assert_array_equal(
        ACTIVATIONS[name](np.array([-1, 0, 2])), ACTIVATIONS[name](np.array([-1.0, 0.0, 2.0]))
    )


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "softmax"])
def test_plain_lists_give_plain_arrays(name: str) -> None:
    assert type(ACTIVATIONS[name]([0.0, 1.0])) is np.ndarray
