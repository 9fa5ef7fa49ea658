"""Special functions: SciPy's names and values, digits by mpmath, and derivatives of all orders, plain and native."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import special as scipy_special

import chainrule as cr
from chainrule import special
from chainrule.errors import OptionError, TracingError
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array

Values = np.ndarray[Any, Any]
Exact = Callable[..., Any]
RNG = np.random.default_rng(4)


def spread(low: float, high: float, count: int = 60) -> Values:
    """Numbers of all sizes between two powers of ten."""
    return 10 ** RNG.uniform(low, high, count)


def between(low: float, high: float, count: int = 60) -> Values:
    return RNG.uniform(low, high, count)


POSITIVE = np.concatenate([spread(-200, 200), between(0, 10), 1 + spread(-9, -1), 2 - spread(-9, -1), between(10, 170)])
REAL = np.concatenate([between(-26, 26), spread(-200, -1), -spread(-200, -1)])
SHARE = np.concatenate([between(0, 1), spread(-300, -1)])
NEGATIVE = -np.concatenate([between(0.01, 20), between(20, 160)])


def exact_zeta(s: Any, q: Any) -> Any:
    """Euler and Maclaurin with forty terms in sixty digits: mpmath's own loses digits where the sum is small."""
    with mp.workdps(60):
        a, factor = q + 40, s
        found = mp.fsum((q + k) ** -s for k in range(40)) + a ** (1 - s) / (s - 1) + a**-s / 2
        for j in range(1, 20):
            found += mp.bernoulli(2 * j) / mp.factorial(2 * j) * factor * a ** (1 - s - 2 * j)
            factor *= (s + 2 * j - 1) * (s + 2 * j)
        return found


def quantile(p: Any) -> Any:
    """Newton's method from SciPy's value on."""
    if p > 0.5:
        return -quantile(1 - p)
    x = mp.mpf(float(scipy_special.ndtri(float(p))))
    for _ in range(3):
        step = (mp.ncdf(x) - p) / mp.npdf(x)
        x -= step / (1 + x * step / 2)
    return x


def bessel(order: int, scaled: bool) -> Exact:
    return lambda x: mp.besseli(order, x) * (mp.exp(-abs(x)) if scaled else 1)


def log_beta(a: Any, b: Any) -> Any:
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


SIZES = (spread(-3, 7, 200), spread(-3, 7, 200))
NEAR = spread(-3, 3, 200)
PAIRS = (NEAR, NEAR * np.where(RNG.random(200) < 0.5, 1 + RNG.normal(size=200) * 1e-3, spread(-1, 1, 200)))
SMALL = (between(0.01, 84, 200), spread(-3, 1.9, 200))

#: The function, arguments, what it is, by how many units in the last place it may be off, and whether of 1 at least.
EXACT: dict[str, tuple[Exact, tuple[Values, ...], Exact, float, bool]] = {
    "gammaln": (special.gammaln, (POSITIVE,), mp.loggamma, 8, False),
    "gammaln, negative": (special.gammaln, (NEGATIVE,), lambda x: mp.log(abs(mp.gamma(x))), 6, True),
    "gamma": (special.gamma, (POSITIVE[POSITIVE < 171],), mp.gamma, 8, False),
    "gamma, negative": (special.gamma, (NEGATIVE,), mp.gamma, 8, False),
    "digamma": (special.digamma, (np.append(POSITIVE, 1.4616321449683622 + spread(-12, -3)),), mp.digamma, 5, False),
    "digamma, negative": (special.digamma, (NEGATIVE,), mp.digamma, 8, True),
    **{f"polygamma {n}": (lambda x, n=n: special.polygamma(n, x), (spread(-9, 9),), lambda x, n=n: mp.psi(n, x), 12,
        False) for n in (1, 2, 5, 20)},
    "polygamma 1, negative": (lambda x: special.polygamma(1, x), (NEGATIVE,), lambda x: mp.psi(1, x), 12, False),
    "zeta": (special.zeta, (between(1.01, 30), spread(-3, 3)), exact_zeta, 12, False),
    "betaln": (special.betaln, SIZES, log_beta, 8, True),
    "beta": (special.beta, SMALL, mp.beta, 8, False),
    "erfc": (special.erfc, (REAL,), mp.erfc, 5, False),
    "erfcx": (special.erfcx, (np.append(REAL, spread(0, 8)),), lambda x: mp.exp(x * x) * mp.erfc(x), 4, False),
    "ndtr": (special.ndtr, (1.4 * REAL,), mp.ncdf, 5, False),
    "log_ndtr": (special.log_ndtr, (1.4 * REAL,), lambda x: mp.log(mp.ncdf(x)), 5, False),
    "ndtri": (special.ndtri, (SHARE,), quantile, 6, False),
    "erfinv": (special.erfinv, (np.append(between(-1, 1), spread(-9, -1)),), lambda x: quantile((1 + x) / 2) /
        mp.sqrt(2), 6, False),
    "erfcinv": (special.erfcinv, (2 * SHARE,), lambda x: -quantile(x / 2) / mp.sqrt(2), 6, False),
    **{name: (getattr(special, name), (np.concatenate([between(-20, 20), spread(-100, 2.84), -spread(1, 2.8)]),),
        bessel(int(name[1]), "e" in name), 10, False) for name in ("i0", "i1", "i0e", "i1e")},
    "expit": (special.expit, (REAL * 20,), lambda x: 1 / (1 + mp.exp(-x)), 3, False),
    "log_expit": (special.log_expit, (REAL * 20,), lambda x: -mp.log1p(mp.exp(-x)), 3, False),
    "logit": (special.logit, (np.append(SHARE, 0.5 + spread(-12, -1)),), lambda p: mp.log(p / (1 - p)), 4, False),
    "rel_entr": (special.rel_entr, PAIRS, lambda a, b: a * mp.log(a / b), 4, False),
    "kl_div": (special.kl_div, PAIRS, lambda a, b: a * mp.log(a / b) - a + b, 12, False),
    "entr": (special.entr, (SHARE,), lambda x: -x * mp.log(x), 3, False),
    "xlog1py": (special.xlog1py, PAIRS, lambda a, b: a * mp.log1p(b), 3, False),
}  # fmt: skip


def units_off(found: Any, exact: Any, at_least: float = 0.0) -> float:
    """By how many units in the last place."""
    expected = mp.re(exact)
    if not 1e-307 < abs(expected) < 1.7e308:
        return 0.0
    return float(abs(mp.mpf(float(found)) - expected) / np.spacing(max(at_least, float(abs(expected)))))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("native", [False, True], ids=["plain", "native"])
def test_values_have_the_digits_that_the_docstring_says(name: str, native: bool) -> None:
    function, arguments, exact, units, of_one = EXACT[name]
    found = (cr.compile(function) if native else function)(*arguments)
    with mp.workdps(400 if name == "log_ndtr" else 40):
        for row, value in zip(zip(*arguments, strict=True), found, strict=True):
            off = units_off(value, exact(*(mp.mpf(float(a)) for a in row)), 1.0 if of_one else 0.0)
            assert off <= units, row


@pytest.mark.parametrize("name", EXACT)
def test_single_precision_is_rounded_once(name: str) -> None:
    function, arguments, _, _, _ = EXACT[name]
    with np.errstate(all="ignore"):
        narrow = [a.astype(np.float32) for a in arguments]
        expected = np.asarray(function(*(a.astype(np.float64) for a in narrow))).astype(np.float32)
        found = function(*narrow)
    assert found.dtype == np.float32
    exact = name.split(",")[0] not in ("expit", "log_expit")  # operations of their own, in single precision
    np.testing.assert_allclose(found, expected, rtol=1e-7 if exact else 5e-7, atol=1e-44)


#: Functions of one, two or three arguments, for the edges of what they are defined for.
EDGES = np.array([0.0, 0.5, 1.0, 2.0, 3.7, 171.7, 800.0, np.inf, np.nan])
ONE = ["gammaln", "gamma", "digamma", "psi", "gammasgn", "erf", "erfc", "erfcx", "erfinv", "erfcinv", "ndtr", "ndtri",
       "log_ndtr", "i0", "i1", "i0e", "i1e", "expit", "logit", "log_expit", "entr"]  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_at_the_edges_the_values_are_scipys(name: str) -> None:
    mine, theirs = getattr(special, name), getattr(scipy_special, name)
    negative = name not in ("gammaln", "digamma", "psi")
    x = np.concatenate([EDGES, -EDGES if negative else [-0.5, -1.0, -2.0, -3.7]])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(mine(x), theirs(x), rtol=2e-13)
        np.testing.assert_allclose(cr.compile(mine)(x), theirs(x), rtol=2e-13)


@pytest.mark.parametrize("name", ["xlogy", "xlog1py", "rel_entr", "kl_div", "betaln", "beta"])
def test_at_the_edges_of_two_arguments_the_values_are_scipys(name: str) -> None:
    x, y = (a.ravel() for a in np.meshgrid(EDGES, EDGES))
    if "beta" in name:  # where SciPy gives ∞ for nan, nan for ∞, and of large ones loses digits
        usable = (x > 0) & (y > 0) & (np.minimum(x, y) < 800)
        x, y = x[usable], y[usable]
    rounding = 1e-11 if name == "beta" else 2e-13
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(getattr(special, name)(x, y), getattr(scipy_special, name)(x, y), rtol=rounding)


def test_functions_of_known_numbers_are_scipys() -> None:
    orders = np.array([[0], [1], [3]])
    np.testing.assert_allclose(special.polygamma(orders, EDGES[1:5]), scipy_special.polygamma(orders, EDGES[1:5]))
    np.testing.assert_allclose(special.multigammaln(5.0, 3), scipy_special.multigammaln(5.0, 3))
    np.testing.assert_allclose(special.multigammaln(EDGES[4:7], 2), scipy_special.multigammaln(EDGES[4:7], 2))
    np.testing.assert_allclose(special.zeta(EDGES[2:5]), scipy_special.zeta(EDGES[2:5]))


# derivatives

#: Functions with points at which their derivatives are known to mpmath.
SMOOTH: dict[str, tuple[Exact, list[float], Exact]] = {
    "gammaln": (special.gammaln, [0.3, 1.0, 2.5, 30.0, -2.5], lambda x: mp.log(abs(mp.gamma(x)))),
    "gamma": (special.gamma, [0.3, 1.0, 5.0, -2.5], mp.gamma),
    "digamma": (special.digamma, [0.3, 1.5, 30.0, -2.5], mp.digamma),
    "polygamma": (lambda x: special.polygamma(2, x), [0.3, 4.0, -1.5], lambda x: mp.psi(2, x)),
    "zeta of the exponent": (lambda s: special.zeta(s, 0.7), [1.5, 4.0], lambda s: mp.zeta(s, 0.7)),
    "zeta": (lambda q: special.zeta(2.5, q), [0.3, 4.0], lambda q: mp.zeta(2.5, q)),
    "erfc": (special.erfc, [-1.0, 0.0, 3.0, 12.0], mp.erfc),
    "erfcx": (special.erfcx, [-1.0, 0.0, 3.0, 40.0], lambda x: mp.exp(x * x) * mp.erfc(x)),
    "ndtr": (special.ndtr, [-12.0, 0.0, 2.0], mp.ncdf),
    "log_ndtr": (special.log_ndtr, [-300.0, -30.0, -1.0, 0.0, 5.0], lambda x: mp.log(mp.ncdf(x))),
    "i0": (special.i0, [0.0, -3.0, 14.9, 15.1, 300.0], lambda x: mp.besseli(0, x)),
    "i1": (special.i1, [0.0, -3.0, 14.9, 15.1, 300.0], lambda x: mp.besseli(1, x)),
    "i0e": (special.i0e, [1.0, -3.0, 15.1], lambda x: mp.besseli(0, x) * mp.exp(-abs(x))),
    "i1e": (special.i1e, [1.0, -3.0, 15.1], lambda x: mp.besseli(1, x) * mp.exp(-abs(x))),
    "ndtri": (special.ndtri, [1e-9, 0.3, 0.9], quantile),
    "erfinv": (special.erfinv, [-0.9, 0.0, 0.5], lambda x: quantile((1 + x) / 2) / mp.sqrt(2)),
    "erfcinv": (special.erfcinv, [1e-9, 1.5], lambda x: -quantile(x / 2) / mp.sqrt(2)),
    "expit": (special.expit, [-30.0, 0.0, 2.0], lambda x: 1 / (1 + mp.exp(-x))),
    "log_expit": (special.log_expit, [-30.0, 0.0, 2.0], lambda x: -mp.log1p(mp.exp(-x))),
    "logit": (special.logit, [1e-9, 0.3, 0.5], lambda p: mp.log(p / (1 - p))),
    "betaln": (lambda a: special.betaln(a, 2.0), [0.3, 3.0, 50.0, 1e6], lambda a: log_beta(a, 2)),
    "betaln, the other": (lambda b: special.betaln(7.0, b), [0.3, 3.0, 50.0, 1e6], lambda b: log_beta(7, b)),
    "beta": (lambda a: special.beta(a, 2.0), [0.3, 3.0, 50.0], lambda a: mp.beta(a, 2)),
    "xlogy": (lambda x: special.xlogy(x, x), [0.3, 3.0], lambda x: x * mp.log(x)),
    "xlog1py": (lambda x: special.xlog1py(x, x), [0.3, 3.0], lambda x: x * mp.log1p(x)),
    "entr": (special.entr, [0.3, 3.0], lambda x: -x * mp.log(x)),
    "rel_entr": (lambda x: special.rel_entr(x, 1.1 + x * x), [0.3, 1.0], lambda x: x * mp.log(x / (1.1 + x * x))),
    "kl_div": (lambda x: special.kl_div(x, 2.0), [0.3, 1.99], lambda x: x * mp.log(x / 2) - x + 2),
    "multigammaln": (lambda x: special.multigammaln(x, 3), [1.5, 9.0], lambda x: sum(
        mp.loggamma(x - mp.mpf(j) / 2) for j in range(3))),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_of_three_orders_are_exact_uncompiled_compiled_and_over_examples(name: str) -> None:
    function, points, exact = SMOOTH[name]
    x = np.array(points)
    derivative = function
    for order in (1, 2, 3):
        derivative = cr.grad(derivative) if order < 3 else (lambda f: lambda x: cr.jvp(f, (x,), (1.0,))[1])(derivative)
        native = cr.compile(cr.vmap(derivative))(x)
        with mp.workdps(120):
            expected = [float(mp.diff(exact, mp.mpf(p), order, h=mp.mpf(10) ** -24)) for p in points]
        np.testing.assert_allclose(native, expected, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose([derivative(p) for p in points], expected, rtol=1e-11, atol=1e-13)


def test_derivatives_of_tiny_probabilities_are_exact() -> None:
    """The score of a normal tail, however far out: `−x + 1/x − …` and `−1 + 1/x² …`."""
    score, curvature = cr.grad(special.log_ndtr), cr.grad(cr.grad(special.log_ndtr))
    for x in (-1e3, -1e5, -1e8):
        assert score(x) == pytest.approx(-x - 1 / x, rel=1e-11)
        assert curvature(x) == pytest.approx(-1 + 1 / x**2, rel=1e-11)


def test_where_there_is_no_derivative_it_is_by_convention() -> None:
    slopes = cr.grad(special.xlogy, argnums=(0, 1))
    assert slopes(0.0, 2.0) == (np.log(2.0), 0.0)
    assert slopes(0.0, 0.0) == (-np.inf, 0.0)
    assert cr.grad(special.entr)(0.0) == np.inf
    assert cr.grad(special.i0e)(0.0) == 0.0
    assert cr.grad(special.gammasgn)(2.5) == 0.0
    assert cr.grad(special.ndtri)(1.0) == np.inf


# along axes

MATRIX = RNG.normal(size=(3, 4)) * 30
WEIGHTS = np.array([1.0, 0.0, 2.5, 0.5])


@pytest.mark.parametrize("native", [False, True], ids=["plain", "native"])
def test_sums_of_exponentials_are_scipys(native: bool) -> None:
    run = cr.compile if native else lambda f: f
    for options in ({}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1, "keepdims": True}):
        found = run(lambda x, options=options: special.logsumexp(x, **options))(MATRIX)
        np.testing.assert_allclose(found, scipy_special.logsumexp(MATRIX, **options), rtol=1e-14)
    for b in (WEIGHTS, -WEIGHTS, WEIGHTS - 0.6):
        found = run(lambda x, b: special.logsumexp(x, axis=1, b=b, return_sign=True))(MATRIX, b)
        expected = scipy_special.logsumexp(MATRIX, axis=1, b=b, return_sign=True)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(run(lambda x: special.logsumexp(x, b=-1.0))(MATRIX), np.nan)
    near_zero = np.array([0.0, -50.0, -51.0])
    assert run(special.logsumexp)(near_zero) == pytest.approx(np.exp(-50.0) + np.exp(-51.0), rel=1e-15)
    for infinite in ([-np.inf, -np.inf], [np.inf, 1.0], [np.inf, -np.inf], [np.nan, 1.0]):
        x = np.array(infinite)
        np.testing.assert_array_equal(run(special.logsumexp)(x), scipy_special.logsumexp(x))
    np.testing.assert_allclose(run(lambda x: special.softmax(x, 1))(MATRIX), scipy_special.softmax(MATRIX, 1))
    np.testing.assert_allclose(
        run(lambda x: special.log_softmax(x, 0))(MATRIX), scipy_special.log_softmax(MATRIX, 0), rtol=1e-14, atol=1e-14
    )


def test_sums_of_nothing() -> None:
    for options in ({}, {"axis": 0}, {"axis": 1}, {"axis": 1, "keepdims": True}):
        with np.errstate(all="ignore"):
            found, expected = special.logsumexp(np.zeros((2, 0)), **options), np.log(np.zeros((2, 0)).sum(**options))
        np.testing.assert_array_equal(found, expected)
    assert special.softmax(np.zeros((2, 0)), axis=1).shape == (2, 0)
    assert special.log_softmax(np.zeros((0, 2)), axis=0).shape == (0, 2)


def test_the_derivative_of_a_sum_of_exponentials_is_the_softmax() -> None:
    x = MATRIX[0] / 20
    weights = np.exp(x) * WEIGHTS / np.sum(np.exp(x) * WEIGHTS)
    np.testing.assert_allclose(cr.grad(lambda x: special.logsumexp(x, b=WEIGHTS))(x), weights, rtol=1e-13)
    np.testing.assert_allclose(cr.grad(special.logsumexp)(x), scipy_special.softmax(x), rtol=1e-13)
    share = scipy_special.softmax(x)
    np.testing.assert_allclose(cr.hessian(special.logsumexp)(x), np.diag(share) - np.outer(share, share), atol=1e-15)
    tied = np.zeros(4)
    np.testing.assert_allclose(cr.grad(special.logsumexp)(tied), [0.25] * 4)
    np.testing.assert_allclose(cr.grad(lambda b: special.logsumexp(tied, b=b))(WEIGHTS), [0.25] * 4)
    for function in (special.softmax, special.log_softmax):
        cr.testing.check_gradient(lambda x, f=function: (f(x) ** 2).sum(), x)


# the interface


def test_plain_arrays_come_back_plain_and_traced_ones_traced() -> None:
    for x, kind in ((2.5, np.float64), (3, np.float64), (np.float32(2.5), np.float32), (np.int32(3), np.float64)):
        assert type(special.gammaln(x)) is kind
    assert special.gammaln([1.0, 2.0]).tolist() == [0.0, 0.0]
    assert isinstance(special.betaln(as_array(1.0), 2.0), Array)
    assert special.betaln(np.float32([1.0, 2.0]), 2.0).dtype == np.float32
    assert special.beta(np.ones((3, 1)), np.ones(2)).shape == (3, 2)


def test_names_and_arguments_are_scipys() -> None:
    for name in special.__all__:
        assert hasattr(scipy_special, name)
    assert list(inspect.signature(special.logsumexp).parameters) == ["a", "axis", "b", "keepdims", "return_sign"]
    assert list(inspect.signature(special.gammaln).parameters) == ["x"]


UNIVERSAL = [name for name in special.__all__ if isinstance(getattr(scipy_special, name), np.ufunc)]


@pytest.mark.parametrize("name", UNIVERSAL)
def test_scipys_own_function_given_a_traced_array_hands_it_over(name: str) -> None:
    mine, theirs = getattr(special, name), getattr(scipy_special, name)
    arguments = [0.3, 0.6][: theirs.nin]
    found = cr.grad(lambda x: theirs(x, *arguments[1:]))(0.3)
    assert found == cr.grad(lambda x: mine(x, *arguments[1:]))(0.3)
    assert theirs(as_array(0.3), *arguments[1:]).value == mine(*arguments)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match="n must be a whole number of at least 0"):
        special.polygamma(-1, 2.0)
    with pytest.raises(OptionError, match="n must be a whole number of at least 0"):
        special.polygamma(0.5, 2.0)
    with pytest.raises(OptionError, match="d must be a whole number of at least 1"):
        special.multigammaln(3.0, 0)
    with pytest.raises(TracingError, match="polygamma depends on a value"):
        cr.compile(special.polygamma)(np.array(1), 2.0)


@pytest.mark.parametrize("name", SMOOTH)
def test_native_code_calls_no_numpy(name: str) -> None:
    function, points, _ = SMOOTH[name]
    sorted_ = cr.compile(lambda x: np.sort(x)).program(np.array(points))
    assert "numpy" in str(sorted_)
    assert "numpy" not in str(cr.compile(cr.grad(function)).program(points[0]))
