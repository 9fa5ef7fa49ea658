"""Formulas as books write them, and their derivatives of all orders, where numbers inside overflow or a root is 0."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp

Function = Callable[[Any], Any]
RUNS = pytest.mark.parametrize("run", [lambda f: f, cr.compile], ids=["uncompiled", "compiled"])


@pytest.fixture(autouse=True)
def without_warnings_of_overflow() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


# 1/(1 + e⁻ᶻ) and its relatives, held against forty digits


def logistic(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z))


def slope(z: Any) -> Any:
    return logistic(z) * logistic(-z)


def bend(z: Any) -> Any:
    return slope(z) * (logistic(-z) - logistic(z))


def third(z: Any) -> Any:
    return slope(z) * (1 - 6 * slope(z))


def fourth(z: Any) -> Any:
    return bend(z) * (1 - 12 * slope(z))


Orders = tuple[Function, ...]  # a function and its derivatives
LOGISTIC: Orders = (logistic, slope, bend, third)
SLOPE: Orders = (slope, bend, third, fourth)
SOFTPLUS: Orders = (lambda z: mpmath.log1p(mpmath.exp(z)), *LOGISTIC[:3])
LOG_LOGISTIC: Orders = (
    lambda z: -mpmath.log1p(mpmath.exp(-z)), lambda z: logistic(-z), lambda z: -slope(z), lambda z: -bend(z),
)  # fmt: skip
SWISH: Orders = (
    lambda z: z * logistic(z),
    lambda z: logistic(z) + z * slope(z),
    lambda z: 2 * slope(z) + z * bend(z),
    lambda z: 3 * bend(z) + z * third(z),
)

WRITTEN: dict[str, tuple[Orders, list[Function]]] = {
    "logistic": (LOGISTIC, [
        lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / (np.exp(-z) + 1.0), lambda z: np.exp(z) / (1 + np.exp(z)),
        lambda z: np.exp(z) / (np.exp(z) + 1), lambda z: (1 + np.exp(-z)) ** -1,
        lambda z: np.power(1 + np.exp(-z), -1.0),
        lambda z: np.reciprocal(1 + np.exp(-z)), lambda z: 1 - 1 / (1 + np.exp(z)), lambda z: 1 / (1 + np.e**-z),
        lambda z: 1 - np.exp(-z) / (1 + np.exp(-z)), lambda z: np.exp(z / 2) / (np.exp(z / 2) + np.exp(-z / 2)),
        lambda z: 2 / (2 + 2 * np.exp(-z)), lambda z: np.divide(3, 1 + np.exp(np.negative(z))) / 3]),
    "its slope": (SLOPE, [
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2, lambda z: np.exp(-z) / np.square(1 + np.exp(-z)),
        lambda z: np.exp(z) / (1 + np.exp(z)) ** 2.0, lambda z: np.exp(-z) * (1 / (1 + np.exp(-z))) ** 2,
        lambda z: np.negative(-np.exp(-z)) / ((1 + np.exp(-z)) * (1 + np.exp(-z))),
        lambda z: 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))]),
    "softplus": (SOFTPLUS, [
        lambda z: np.log(1 + np.exp(z)), lambda z: np.log(np.exp(z) + 1), lambda z: np.log1p(np.exp(z)),
        lambda z: -np.log(1 / (1 + np.exp(z))), lambda z: -np.log(1 - 1 / (1 + np.exp(-z))),
        lambda z: np.log2(1 + np.exp(z)) * math.log(2), lambda z: np.log(np.exp(0.0 * z) + np.exp(z)),
        lambda z: np.logaddexp(0, z), lambda z: np.log10(1.0 + np.exp(z)) * math.log(10)]),
    "ln of the logistic": (LOG_LOGISTIC, [
        lambda z: np.log(1 / (1 + np.exp(-z))), lambda z: -np.log(1 + np.exp(-z)), lambda z: -np.log1p(np.exp(-z)),
        lambda z: np.log(np.exp(z) / (1 + np.exp(z))), lambda z: np.log(1 - 1 / (1 + np.exp(z)))]),
    "swish": (SWISH, [lambda z: z / (1 + np.exp(-z)), lambda z: z * (1 / (1 + np.exp(-z)))]),
}  # fmt: skip
POINTS = {
    "float32": [-200.0, -95.0, -89.0, -20.0, -3.0, 0.0, 0.7, 15.0, 89.0, 95.0, 300.0],
    "float64": [-2000.0, -750.0, -720.0, -40.0, -3.0, 0.0, 0.7, 36.0, 720.0, 750.0, 2000.0],
}


def derivatives(f: Function, count: int) -> list[Function]:
    """A function of single numbers and its derivatives, of arrays of them."""
    found = [f]
    for _ in range(count):
        found.append(cr.grad(lambda z, f=found[-1]: np.sum(f(z))))
    return found


def expected(function: Function, dtype: str) -> np.ndarray:
    with mpmath.workdps(60):
        return np.array([float(function(mpmath.mpf(float(np.dtype(dtype).type(z))))) for z in POINTS[dtype]])


@RUNS
@pytest.mark.parametrize("dtype", POINTS)
@pytest.mark.parametrize("name", WRITTEN)
def test_a_form_is_right_where_what_is_inside_it_overflows(name: str, dtype: str, run: Any) -> None:
    orders, forms = WRITTEN[name]
    z = np.array(POINTS[dtype], dtype)
    all_of_them = run(lambda z: [[cr.vjp(f, z)[0] for f in derivatives(form, 3)] for form in forms])(z)
    forward = run(lambda z: [cr.jvp(form, (z,), (np.ones_like(z),))[1] for form in forms])(z)
    wanted = [expected(function, dtype) for function in orders]
    tiny, eps = float(np.finfo(dtype).tiny), float(np.finfo(dtype).eps)
    for found, change in zip(all_of_them, forward, strict=True):
        for order, value in enumerate(found):
            assert value.dtype == dtype
            np.testing.assert_allclose(value, wanted[order], rtol=50 * eps, atol=tiny + (eps * 2e-3 if order else 0))
        np.testing.assert_allclose(change, wanted[1], rtol=50 * eps, atol=tiny + eps * 2e-3)


@RUNS
@pytest.mark.parametrize("dtype", POINTS)
def test_a_quotient_of_exponentials_is_the_hyperbolic_tangent(dtype: str, run: Any) -> None:
    forms: list[Function] = [
        lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
        lambda z: (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1),
        lambda z: (1 - np.exp(-2 * z)) / (1 + np.exp(-2 * z)),
        lambda z: np.sinh(z) / np.cosh(z),
        lambda z: 2 / (1 + np.exp(-2 * z)) - 1,
    ]
    z = np.array(POINTS[dtype], dtype)
    eps, t = float(np.finfo(dtype).eps), np.tanh(z.astype(np.float64))
    orders = [t, 1 - t * t, -2 * t * (1 - t * t)]
    for found in run(lambda z: [[cr.vjp(f, z)[0] for f in derivatives(form, 2)] for form in forms])(z):
        np.testing.assert_allclose(found, orders, atol=8 * eps)


LOGITS = np.array([[1.0, 1000.0, 999.0], [0.0, 0.0, 0.0], [-1000.0, -1001.0, -1000.0]])


@RUNS
def test_a_softmax_and_a_sum_of_exponentials_written_out_do_not_overflow(run: Any) -> None:
    def softmax(z: Any) -> Any:
        return np.exp(z) / np.sum(np.exp(z), axis=-1, keepdims=True)

    shares = np.exp(LOGITS - LOGITS.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    sums = LOGITS.max(-1) + np.log(np.exp(LOGITS - LOGITS.max(-1, keepdims=True)).sum(-1))
    curvature = np.stack([np.diag(s) - np.outer(s, s) for s in shares])
    for total in (
        lambda z: np.log(np.sum(np.exp(z), -1)),
        lambda z: np.log(np.exp(z[:, 0]) + np.exp(z[:, 1]) + np.exp(z[:, 2])),
        lambda z: np.log(np.mean(np.exp(z), axis=1)) + math.log(3),
        lambda z: np.squeeze(np.log(np.exp(z).sum(axis=1, keepdims=True)), 1),
    ):
        value, error = run(cr.value_and_grad(lambda z, f=total: np.sum(f(z))))(LOGITS)
        np.testing.assert_allclose(value, sums.sum(), rtol=1e-15)
        np.testing.assert_allclose(error, shares, rtol=1e-12, atol=1e-300)
        second = run(cr.hessian(lambda z, f=total: np.sum(f(z))))(LOGITS)
        np.testing.assert_allclose(second[np.arange(3), :, np.arange(3)], curvature, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(run(lambda z: cr.vjp(softmax, z)[0])(LOGITS), shares, rtol=1e-12, atol=1e-300)
    slopes = run(lambda z: cr.vmap(cr.jacobian(lambda row: np.exp(row) / np.exp(row).sum()))(z))(LOGITS)
    np.testing.assert_allclose(slopes, curvature, rtol=1e-11, atol=1e-15)
    cost = run(cr.grad(lambda z: -np.sum(np.log(softmax(z)[:, 0]))))(LOGITS)
    np.testing.assert_allclose(cost, shares - np.array([1.0, 0.0, 0.0]), rtol=1e-12, atol=1e-15)


#: Formulas with exponentials in them, derivatives where these overflow, and where not.
OTHERS: dict[str, tuple[Function, list[float], list[float], list[float]]] = {
    "one over cosh": (lambda z: 1 / np.cosh(z), [-800.0, 800.0], [0.0, 0.0], [0.0, 0.0]),
    "one over cosh squared": (lambda z: 3 * np.cosh(z) ** -2, [-800.0, 800.0], [0.0, 0.0], [0.0, 0.0]),
    "ln cosh": (lambda z: np.log(np.cosh(z)), [-800.0, 800.0], [800 - math.log(2)] * 2, [-1.0, 1.0]),
    "Bose and Einstein": (lambda z: 1 / (np.exp(z) - 1), [-800.0, 800.0], [-1.0, 0.0], [0.0, 0.0]),
    "Planck": (lambda z: z**3 / np.expm1(z), [800.0], [0.0], [0.0]),
    "one minus an exponential": (lambda z: 1 / (1 - np.exp(-z)), [-800.0, 800.0], [0.0, 1.0], [0.0, 0.0]),
    "Gompertz": (lambda z: 5 * np.exp(-3 * np.exp(-0.5 * z)), [-2000.0, 2000.0], [0.0, 5.0], [0.0, 0.0]),
    "Gumbel": (lambda z: np.exp(-(z + np.exp(-z))), [-800.0, 800.0], [0.0, 0.0], [0.0, 0.0]),
    "Gumbel, as a product": (lambda z: np.exp(-z) * np.exp(-np.exp(-z)), [-800.0, 800.0], [0.0, 0.0], [0.0, 0.0]),
    "complementary log-log": (lambda z: 1 - np.exp(-np.exp(z)), [-800.0, 800.0], [0.0, 1.0], [0.0, 0.0]),
    "Elo": (lambda z: 1 / (1 + 10 ** (-z)), [-800.0, 800.0], [0.0, 1.0], [0.0, 0.0]),
    "growth": (lambda z: 10 / (1 + 3 * np.exp(-2 * z)), [-800.0, 800.0], [0.0, 10.0], [0.0, 0.0]),
    "Richards": (lambda z: (1 + np.exp(-z)) ** -0.5, [-1600.0, 800.0], [0.0, 1.0], [0.0, 0.0]),
    "exponential units": (lambda z: np.where(z > 0, z, np.exp(z) - 1), [-800.0, 800.0], [-1.0, 800.0], [0.0, 1.0]),
    "mish": (lambda z: z * np.tanh(np.log(1 + np.exp(z))), [-800.0, 800.0], [0.0, 800.0], [0.0, 1.0]),
}  # fmt: skip


@RUNS
@pytest.mark.parametrize("name", OTHERS)
def test_other_formulas_of_exponentials_are_right_where_these_overflow(name: str, run: Any) -> None:
    function, points, values, slopes = OTHERS[name]
    first, second = (run(f) for f in derivatives(function, 2)[1:])
    z = np.array(points)
    np.testing.assert_allclose(run(lambda z: cr.vjp(function, z)[0])(z), values, rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(first(z), slopes, rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(second(z), np.zeros(len(z)), atol=1e-300)
    near = np.array([-25.0, -19.0, -2.0, -0.3, 0.4, 0.99, 1.01, 3.0, 19.0, 21.0])
    np.testing.assert_allclose(run(lambda z: cr.vjp(function, z)[0])(near), function(near), rtol=1e-14, atol=1e-14)
    step = 1e-5
    slope = (function(near + step) - function(near - step)) / (2 * step)
    np.testing.assert_allclose(first(near), slope, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        second(near), (first(near + step) - first(near - step)) / (2 * step), rtol=1e-6, atol=1e-8
    )


@RUNS
def test_growth_of_any_parameters_is_right_where_its_exponential_overflows(run: Any) -> None:
    def growth(t: Any, most: Any, first: Any, rate: Any) -> Any:
        return most / (1 + first * np.exp(-rate * t))

    slopes = run(cr.grad(growth, (0, 1, 2, 3)))
    np.testing.assert_array_equal(slopes(-900.0, 10.0, 3.0, 1.0), np.zeros(4))
    narrow = run(cr.grad(growth))(np.float32(-95.0), *np.float32([10.0, 3.0, 1.0]))
    np.testing.assert_allclose(narrow, 0.0, atol=float(np.finfo(np.float32).tiny))
    assert run(lambda *given: cr.vjp(growth, *given)[0])(-900.0, 10.0, 3.0, 1.0) == 0.0
    e = math.exp(-1.0)  # rate · t
    below = 1 + 3 * e
    wanted = [10 * 3 * e * 2.0 / below**2, 1 / below, -10 * e / below**2, 10 * 3 * e * 0.5 / below**2]
    np.testing.assert_allclose(slopes(0.5, 10.0, 3.0, 2.0), wanted, rtol=1e-14)


@RUNS
def test_the_logarithm_of_a_density_does_not_underflow(run: Any) -> None:
    def cost(x: Any, width: Any) -> Any:
        return -np.sum(np.log(np.exp(-0.5 * (x / width) ** 2) / (width * math.sqrt(2 * math.pi))))

    value, errors = run(cr.value_and_grad(cost, (0, 1)))(np.array([1.0, 100.0]), 0.5)
    np.testing.assert_allclose(value, 20002.0 + 2 * math.log(0.5 * math.sqrt(2 * math.pi)), rtol=1e-14)
    np.testing.assert_allclose(errors[0], [4.0, 400.0], rtol=1e-14)
    np.testing.assert_allclose(errors[1], -80008.0 + 4.0, rtol=1e-14)


@RUNS
def test_the_logarithm_of_a_power_of_a_power_is_the_power(run: Any) -> None:
    z = np.array([-800.0, 8.0])
    value, slope = run(cr.value_and_grad(lambda z: np.sum(np.log(np.exp(z) * np.exp(-2 * np.exp(z))))))(z)
    np.testing.assert_allclose(value, np.sum(z - 2 * np.exp(z)), rtol=1e-15)
    np.testing.assert_allclose(slope, 1 - 2 * np.exp(z), rtol=1e-15)


def near_misses(e: Any, u: Any, v: Any) -> list[Any]:
    """Formulas that look like the forms and are none, or others."""
    s = e(u) + e(v) + 2.0
    return [
        1 / (2 - e(u)), e(u) / (1 + e(v)), (e(u) - e(v)) / (e(u) + s), (e(u) - 1) / (1 + e(v)), 2 - 1 / (1 + e(u)),
        e(-u) * (1 / (1 + e(-v))), np.log(1 - e(-abs(u))), np.log(v * v + e(u)), v / (u - v * e(u)),
        (1 + e(u)) ** 2, (1 + e(u)) ** -0.5,
        1 / (3 + e(u)) ** 2, u / (0.5 + e(-v)), np.log(3 * e(u) + 0.25), np.log(e(u) / (1 + e(v))),
        np.log(e(u) * v * v), np.log1p(2 * e(u)), e(u) / np.sum(e(u)) + e(v), np.log(np.sum(e(u)) / s),
        e(u) / np.sum(e(v)), e(u)[::-1] / np.sum(e(u)), np.sqrt(u * u + v * v * v * v), np.sqrt(u * u * v * v),
        np.hypot(u, v) * np.sqrt(v * v), abs(u) * abs(v), (abs(u) / v) ** 3,
        np.cbrt(u) * np.cbrt(u), np.cbrt(u) ** 6, np.sqrt(s) ** 3, -np.sqrt(s) * (np.sqrt(s) / u), (-abs(u)) ** 5,
        np.sqrt(u * u / (v * v)) ** 4, (2 * np.sqrt(s) / 3) ** -2, np.sinh(u) / np.cosh(v), (e(u) + 1) / (e(u) - 2),
        np.exp(u[:, None]) / np.sum(np.exp(u[:, None] + v), axis=1), np.sqrt(np.einsum("i,j->", u, u) + 9.0),
        np.exp(u[:, None] + v) / np.sum(np.exp(u[:, None] + v), axis=0),
        e(u)[:, None] / np.sum(e(u[:, None] + v), axis=0),
    ]  # fmt: skip


def test_every_other_formula_is_what_numpy_makes_of_it() -> None:
    u, v = np.array([-2.0, -0.5, 0.25, 3.0]), np.array([1.5, -0.75, 2.0, 0.125])
    traced = cr.compile(lambda u, v: near_misses(np.exp, u, v))(u, v)
    for found, wanted in zip(traced, near_misses(np.exp, u, v), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-14)


# distances


NOWHERE, WIDTH = np.array([0.5, -1.0, 2.0]), 1.7
EYE = np.eye(3)


def far(x: Any) -> Any:
    return x - NOWHERE


def matern(r: Any, twice_order: int) -> Any:
    """Rasmussen and Williams, Gaussian processes for machine learning, 2006, equation 4.17."""
    u = math.sqrt(twice_order) * r / WIDTH
    return (1 + u + (u**2 / 3 if twice_order == 5 else 0)) * np.exp(-u)


#: Functions of a distance, and their Hessian where it is 0.
SMOOTH: dict[str, tuple[Function, np.ndarray]] = {
    "norm squared": (lambda x: np.linalg.norm(far(x)) ** 2, 2 * EYE),
    "norm times norm": (lambda x: 3.0 * np.linalg.norm(far(x)) * np.linalg.norm(far(x)), 6 * EYE),
    "norm to the fourth": (lambda x: np.linalg.norm(far(x)) ** 4 + np.linalg.norm(far(x)) ** 3, 0 * EYE),
    "norm to the power of 2.0": (lambda x: np.power(np.linalg.norm(far(x)), 2.0), 2 * EYE),
    "a kernel": (lambda x: np.exp(-np.linalg.norm(far(x)) ** 2), -2 * EYE),
    "a kernel of some width": (lambda x: np.exp(-0.5 * (np.linalg.norm(far(x)) / WIDTH) ** 2), -EYE / WIDTH**2),
    "a kernel of that width": (lambda x: np.exp(-(np.linalg.norm(far(x)) ** 2) / (2 * WIDTH**2)), -EYE / WIDTH**2),
    "a rational kernel": (lambda x: 1 / (1 + np.sqrt(np.sum(far(x) ** 2)) ** 2), -2 * EYE),
    "root of a scalar product": (lambda x: np.square(np.sqrt(far(x) @ far(x))), 2 * EYE),
    "half a power": (lambda x: (np.sum(far(x) * far(x)) ** 0.5) ** 2, 2 * EYE),
    "a sum along an axis": (lambda x: np.sum(np.linalg.norm(far(x)[None], axis=1) ** 2), 2 * EYE),
    "hypot": (lambda x: np.hypot(far(x)[0], far(x)[1]) ** 2, np.diag([2.0, 2.0, 0.0])),
    "a Matérn kernel of 3/2": (lambda x: matern(np.linalg.norm(far(x)), 3), -3 * EYE / WIDTH**2),
    "a Matérn kernel of 5/2": (lambda x: matern(np.sqrt(np.sum(far(x) ** 2)), 5), -5 / 3 * EYE / WIDTH**2),
    "Matérn kernels along each axis": (lambda x: np.sum(matern(abs(far(x)), 5)), -5 / 3 * EYE / WIDTH**2),
    "a kernel of two coordinates": (
        lambda x: matern(np.hypot(far(x)[0], far(x)[2]), 3), np.diag([-3.0, 0.0, -3.0]) / WIDTH**2),
    "a cosine of the distance": (lambda x: np.cos(np.linalg.norm(far(x))), -EYE),
    "one over a hyperbolic cosine": (lambda x: 1 / np.cosh(np.std(far(x))), (1 / 3 - EYE) / 3),
    "absolute values": (lambda x: np.sum(abs(far(x)) ** 2) + np.sum(abs(far(x)) * abs(far(x))), 4 * EYE),
    "standard deviation": (lambda x: np.std(far(x)) ** 2, (EYE - 1 / 3) * 2 / 3),
    "the fourth powers' norm": (lambda x: np.linalg.norm(far(x), 4) ** 4, 0 * EYE),
    "a frobenius norm": (lambda x: np.linalg.norm(np.outer(far(x), np.ones(2)), "fro") ** 2, 4 * EYE),
}  # fmt: skip


@RUNS
@pytest.mark.parametrize("name", SMOOTH)
def test_the_square_of_a_distance_is_smooth_where_it_is_zero(name: str, run: Any) -> None:
    function, wanted = SMOOTH[name]
    for second in (cr.hessian, lambda f: cr.jacfwd(cr.jacfwd(f)), lambda f: cr.jacrev(cr.jacfwd(f))):
        np.testing.assert_allclose(run(second(function))(NOWHERE), wanted, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(
        cr.hvp(function)(NOWHERE, np.arange(3.0)), wanted @ np.arange(3.0), rtol=1e-14, atol=1e-14
    )
    np.testing.assert_array_equal(run(cr.grad(function))(NOWHERE), np.zeros(3))
    beside = NOWHERE + np.array([1e-3, 2e-3, -1.5e-3])
    np.testing.assert_allclose(run(cr.hessian(function))(beside), wanted, atol=2e-2)


@RUNS
def test_the_mixed_derivatives_of_a_kernel_are_right_where_its_points_coincide(run: Any) -> None:
    def kernel(a: Any, b: Any) -> Any:
        return np.exp(-(np.linalg.norm(a - b) ** 2))

    np.testing.assert_allclose(run(cr.jacobian(cr.grad(kernel), 1))(NOWHERE, NOWHERE), 2 * EYE, rtol=1e-15)
    whole = run(cr.hessian(kernel, (0, 1)))(NOWHERE, NOWHERE)
    np.testing.assert_allclose(whole[0][0], -2 * EYE, rtol=1e-15)
    np.testing.assert_allclose(whole[1][0], 2 * EYE, rtol=1e-15)


@RUNS
def test_many_kernels_at_once_are_smooth_where_points_coincide(run: Any) -> None:
    weights = np.arange(9.0).reshape(3, 3)

    def together(x: Any) -> Any:
        return np.sum(weights * matern(np.linalg.norm(x[:, None] - x[None], axis=-1), 3))

    points = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    beside = points + np.array([[1e-7, 2e-7], [0.0, 0.0], [0.0, 0.0]])
    second = run(cr.hessian(together))
    np.testing.assert_allclose(second(points), second(beside), rtol=1e-5, atol=1e-5)
    of_each = run(cr.vmap(cr.hessian(lambda x: matern(np.linalg.norm(x), 5))))(points)
    np.testing.assert_allclose(of_each[:2], -5 / 3 / WIDTH**2 * np.stack([np.eye(2)] * 2), rtol=1e-14)
    third = run(cr.jacobian(cr.hessian(lambda x: matern(np.linalg.norm(x), 5))))(np.zeros(2))
    np.testing.assert_array_equal(third, np.zeros((2, 2, 2)))


@RUNS
def test_a_kernel_is_smooth_inside_a_loop_and_a_branch(run: Any) -> None:
    def looped(x: Any) -> Any:
        def one_round(carry: Any, _: Any) -> Any:
            y, total = carry
            return (y, total + matern(np.linalg.norm(far(y)), 5)), None

        return cr.scan(one_round, (x, 0.0), None, length=3)[0][1]

    def branched(x: Any) -> Any:
        return cr.cond(np.sum(x) > 0, lambda: 3 * matern(np.linalg.norm(far(x)), 5), lambda: 0.0)

    for function in (looped, branched):
        for second in (cr.hessian, lambda f: cr.jacfwd(cr.jacfwd(f))):
            np.testing.assert_allclose(run(second(function))(NOWHERE), -5 * EYE / WIDTH**2, rtol=1e-14)


@RUNS
def test_what_goes_forward_only_still_goes_forward_twice(run: Any) -> None:
    def looped(x: Any) -> Any:
        return cr.while_loop(lambda c: c[0] < 3.0, lambda c: (c[0] + 1.0, c[1] * x), (0.0, x))[1] * abs(x)

    cubed = cr.custom_derivative(lambda x: x**3, pull=lambda e, y, x: 0 * e, push=lambda t, y, x: 3 * t[0] * x**2)
    for function, wanted in ((looped, 160.0), (lambda x: cubed(x) * abs(x), 48.0)):
        assert run(cr.jacfwd(cr.jacfwd(function)))(2.0) == wanted


@RUNS
def test_roots_and_powers_that_undo_each_other_leave_nothing_behind(run: Any) -> None:
    for function, slope_at_0 in (
        (lambda x: np.sqrt(x) ** 2, 1.0), (lambda x: np.power(x, 0.5) ** 2, 1.0), (lambda x: x**0.5 * x**0.5, 1.0),
        (lambda x: np.cbrt(x) ** 3, 1.0), (lambda x: np.cbrt(x) * np.cbrt(x) * np.cbrt(x), 1.0),
        (lambda x: np.sqrt(x) ** 4, 0.0), (lambda x: np.sqrt(2 * x) * np.sqrt(2 * x) * 5, 10.0),
    ):  # fmt: skip
        assert run(cr.grad(function))(0.0) == slope_at_0
        assert run(cr.value_and_grad(function))(2.0)[0] == pytest.approx(function(2.0), rel=1e-15)
    assert np.isnan(run(cr.value_and_grad(lambda x: np.sqrt(x) ** 2))(-2.0)[0])


@RUNS
def test_distances_of_points_to_themselves_pass_nothing_on(run: Any) -> None:
    points = np.random.default_rng(5).normal(size=(4, 2))
    between = points[:, None] - points[None]
    lengths = np.linalg.norm(between, axis=-1) + np.eye(4)
    wanted = 2 * np.sum(between / lengths[..., None], axis=1)
    for distances in (
        lambda x: np.sqrt(np.sum((x[:, None] - x[None]) ** 2, axis=-1)),
        lambda x: np.sqrt(((x[:, None] - x[None]) ** 2.0).sum(-1)),
        lambda x: np.sum(np.square(x[:, None] - x[None]), -1) ** 0.5,
        lambda x: np.sqrt((x[:, None, 0] - x[None, :, 0]) ** 2 + (x[:, None, 1] - x[None, :, 1]) ** 2),
        lambda x: np.sqrt(np.einsum("ijk,ijk->ij", x[:, None] - x[None], x[:, None] - x[None])),
        lambda x: np.sqrt(2 * np.mean((x[:, None] - x[None]) ** 2, axis=-1)),
        lambda x: np.linalg.norm(x[:, None] - x[None], axis=-1),
    ):
        error = run(cr.grad(lambda x, f=distances: np.sum(f(x))))(points)
        np.testing.assert_allclose(error, wanted, rtol=1e-13)


@RUNS
def test_norms_of_small_and_negative_orders_have_a_derivative_beside_zeros(run: Any) -> None:
    x = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(
        run(cr.grad(lambda x: np.linalg.norm(x, 0.5)))(x), [0, 1 + math.sqrt(2), 1 + math.sqrt(0.5)], rtol=1e-14
    )
    for order in (-0.5, -1, -2):
        np.testing.assert_array_equal(run(cr.grad(lambda x, n=order: np.linalg.norm(x, n)))(x), np.zeros(3))
        assert run(cr.value_and_grad(lambda x, n=order: np.linalg.norm(x, n)))(x)[0] == 0.0
        for away in (np.array([3.0, -1.0]), np.array([0.5, 2.0, 0.25])):
            wanted = np.sign(away) * (np.linalg.norm(away, order) / abs(away)) ** (1 - order)
            np.testing.assert_allclose(run(cr.grad(lambda x, n=order: np.linalg.norm(x, n)))(away), wanted, rtol=1e-13)


@RUNS
def test_a_power_of_nothing_is_one_everywhere(run: Any) -> None:
    for x in (0.0, math.inf, -math.inf, math.nan, 2.0):
        assert run(cr.grad(lambda x: x**0))(x) == run(cr.grad(lambda x, n: x**n))(x, 0.0) == 0.0
    assert run(cr.grad(lambda x, n: x**n, 1))(math.inf, -1.0) == 0.0
    assert run(cr.grad(cr.grad(lambda x, n: x**n), 1))(4.0, 0.0) == 0.25


@RUNS
def test_logaddexp2_knows_the_distance_of_large_numbers(run: Any) -> None:
    a, b = np.float32(8388607.5), np.float32(8388608.0)
    share = 1 / (1 + 2**0.5)
    np.testing.assert_allclose(run(cr.grad(cnp.logaddexp2, (0, 1)))(a, b), [share, 1 - share], rtol=1e-6)
    np.testing.assert_allclose(run(cr.hessian(cnp.logaddexp2))(1.0, 1.0), math.log(2) / 4, rtol=1e-15)
    for x, y in ((math.inf, math.inf), (-math.inf, -math.inf)):
        assert run(cr.grad(cnp.logaddexp2, (0, 1)))(x, y) == (0.5, 0.5)
        assert run(lambda a, b: cnp.logaddexp2(a, b))(x, y) == x


# through what lies between


@RUNS
def test_a_form_is_seen_through_views_and_formats(run: Any) -> None:
    z = np.array([-800.0, 3.0])
    wanted = np.array([0.0, float(slope(mpmath.mpf(3)))])
    for function in (
        lambda z: np.sum(1 / (1 + np.exp(-z[:, None]))),
        lambda z: np.sum(np.ones((2, 3)) / (1 + np.exp(-z))[:, None]) / 3,
        lambda z: np.sum((1 / (1 + np.exp(-z)).reshape(2, 1)).T),
        lambda z: 1 / (1 + np.exp(-z[0])) + 1 / (1 + np.exp(-z))[1],
        lambda z: np.sum(np.array(1.0) / (np.float64(1) + np.exp(-z))),
    ):
        np.testing.assert_allclose(run(cr.grad(function))(z), wanted, rtol=1e-14)
    narrow = run(cr.grad(lambda z: np.float64(1) / (np.float64(1) + np.exp(-z))))(np.float32(-95))
    np.testing.assert_allclose(narrow, float(slope(mpmath.mpf(-95))), rtol=1e-3)  # a denormal number


def test_a_form_is_seen_in_equal_constants_and_not_in_arrays_that_change() -> None:
    weights = np.array([[1.0, 2.0], [3.0, -1.0]])

    def shares(x: Any) -> Any:
        return np.exp(weights @ x) / np.sum(np.exp(weights @ x))

    x = np.array([900.0, 1.0])
    np.testing.assert_allclose(cr.vjp(shares, x)[0], [0.0, 1.0], atol=1e-300)
    compiled, offset = cr.compile(shares), np.array([1.0])
    shifted = cr.compile(lambda z: np.log(offset + np.exp(z)))
    for _ in range(2):
        np.testing.assert_allclose(compiled(x / 900), shares(x / 900), rtol=1e-14)
        np.testing.assert_allclose(shifted(np.array([0.5])), np.log(offset + np.exp([0.5])), rtol=1e-14)
        weights[0, 0], offset[0] = 5.0, 7.0


QUOTIENTS_OF_DISTANCES: dict[str, Callable[[Any], Any]] = {
    "by a logarithm": lambda x: cnp.sin(cnp.hypot(x, cnp.exp(x)) / cnp.log(x / 0.9)),
    "by a root less one": lambda x: cnp.sin(cnp.hypot(x, 1.0) / (cnp.sqrt(x) - 1)),
    "by a power less one": lambda x: cnp.hypot(x, 2.0) ** 3 / (x**1.5 - 1),
    "by an angle": lambda x: cnp.exp(cnp.hypot(x, x) / cnp.arctanh(x)),
    "in a minimum": lambda x: cnp.minimum(x, cnp.hypot(x, cnp.exp(x)) / cnp.log(x / 0.9)) ** 3,
    "chosen": lambda x: cnp.where(x > 0.5, 1 / cnp.log(x), 1 / (cnp.exp(x) - 1)),
}


@pytest.mark.parametrize("case", QUOTIENTS_OF_DISTANCES)
@pytest.mark.parametrize("x", [0.3, 0.72])
def test_what_stands_in_for_a_side_that_is_not_taken_makes_no_zero_of_a_divisor(case: str, x: float) -> None:
    """The numbers at which slopes are safe, such as ln 1, may be divided by further on."""
    slope = cr.grad(QUOTIENTS_OF_DISTANCES[case])
    difference = (slope(x + 1e-6) - slope(x - 1e-6)) / 2e-6
    for second in (cr.grad(slope), cr.compile(cr.grad(slope)), cr.jacobian(slope, mode="forward")):
        assert second(x) == pytest.approx(difference, rel=1e-6)
