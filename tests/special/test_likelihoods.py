"""Likelihoods of counts, Student's t, Beta and Dirichlet, as their formulas stand: values, slopes and curvatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import chainrule as cr
from chainrule import numpy as cnp
from chainrule import special

COUNTS = np.array([0, 1, 4, 12, 250])
POINTS = np.array([-30.0, -1.0, 0.0, 0.5, 4.0])
SHARES = np.array([1e-6, 0.2, 0.5, 0.97, 1 - 1e-9])
SIMPLEX = np.array([[0.2, 0.3, 0.5], [1e-5, 0.9, 0.1 - 1e-5], [1 / 3, 1 / 3, 1 / 3]])


def poisson(rate: Any) -> Any:
    return special.xlogy(COUNTS, rate) - rate - special.gammaln(COUNTS + 1.0)


def negative_binomial(n: Any, p: Any) -> Any:
    """The number of failures before n successes of probability p."""
    chosen = -special.betaln(COUNTS + 1.0, n) - cnp.log(COUNTS + n)
    return chosen + special.xlogy(n, p) + special.xlog1py(COUNTS, -p)


def students_t(freedom: Any, location: Any, scale: Any) -> Any:
    z = (POINTS - location) / scale
    norm = -special.betaln(0.5, 0.5 * freedom) - 0.5 * cnp.log(freedom) - cnp.log(scale)
    return norm - 0.5 * (freedom + 1) * cnp.log1p(z * z / freedom)


def beta(a: Any, b: Any) -> Any:
    return special.xlogy(a - 1, SHARES) + special.xlog1py(b - 1, -SHARES) - special.betaln(a, b)


def dirichlet(a: Any, b: Any, c: Any) -> Any:
    concentration = cnp.stack([a, b, c])
    norm = cnp.sum(special.gammaln(concentration)) - special.gammaln(cnp.sum(concentration))
    return cnp.sum(special.xlogy(concentration - 1, SIMPLEX), axis=1) - norm


def exact_poisson(rate: Any) -> Any:
    return [k * mp.log(rate) - rate - mp.loggamma(k + 1) for k in COUNTS.tolist()]


def exact_negative_binomial(n: Any, p: Any) -> Any:
    return [mp.loggamma(k + n) - mp.loggamma(k + 1) - mp.loggamma(n) + n * mp.log(p) + k * mp.log(1 - p)
            for k in COUNTS.tolist()]  # fmt: skip


def exact_students_t(v: Any, location: Any, scale: Any) -> Any:
    norm = mp.loggamma((v + 1) / 2) - mp.loggamma(v / 2) - mp.log(v * mp.pi) / 2 - mp.log(scale)
    return [norm - (v + 1) / 2 * mp.log(1 + ((x - location) / scale) ** 2 / v) for x in POINTS.tolist()]


def exact_beta(a: Any, b: Any) -> Any:
    norm = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    return [(a - 1) * mp.log(x) + (b - 1) * mp.log(1 - mp.mpf(x)) - norm for x in SHARES.tolist()]


def exact_dirichlet(*a: Any) -> Any:
    norm = mp.fsum(map(mp.loggamma, a)) - mp.loggamma(mp.fsum(a))
    return [mp.fsum((k - 1) * mp.log(x) for k, x in zip(a, row, strict=True)) - norm for row in SIMPLEX.tolist()]


#: The likelihood of each observation, the same in mpmath, by SciPy, and parameters.
LIKELIHOODS: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any], list[tuple[float, ...]]]] = {
    "Poisson": (poisson, exact_poisson, lambda rate: stats.poisson.logpmf(COUNTS, rate), [(0.3,), (7.0,), (300.0,)]),
    "negative binomial": (negative_binomial, exact_negative_binomial, lambda n, p: stats.nbinom.logpmf(COUNTS, n, p),
        [(0.4, 0.3), (5.0, 0.9), (1e6, 0.99)]),
    "Student's t": (students_t, exact_students_t, lambda v, m, s: stats.t.logpdf(POINTS, v, m, s),
        [(0.7, 0.1, 2.0), (4.0, -1.0, 0.5), (1e7, 0.0, 1.0)]),
    "Beta": (beta, exact_beta, lambda a, b: stats.beta.logpdf(SHARES, a, b), [(0.5, 0.5), (2.0, 30.0), (1e5, 3.0)]),
    "Dirichlet": (dirichlet, exact_dirichlet, lambda *a: stats.dirichlet.logpdf(SIMPLEX.T / SIMPLEX.sum(1), a),
        [(0.5, 2.0, 40.0), (1e3, 1.0, 1.0)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_likelihood_and_its_derivatives_are_exact_plain_and_native(name: str) -> None:
    function, exact, scipys, settings = LIKELIHOODS[name]
    total = lambda *parameters: cnp.sum(function(*parameters))  # noqa: E731
    places = tuple(range(len(settings[0])))
    slopes = cr.grad(total, argnums=places)
    curvatures = cr.jacobian(lambda p: cnp.stack(slopes(*p)))
    run, run_slopes, run_curvatures = cr.compile(function), cr.compile(slopes), cr.compile(curvatures)
    for parameters in settings:
        np.testing.assert_allclose(run(*parameters), scipys(*parameters), rtol=1e-9)
        with mp.workdps(80):
            at = [mp.mpf(p) for p in parameters]
            value = [float(v) for v in exact(*at)]
            whole = lambda *p: mp.fsum(exact(*p))  # noqa: E731
            order = lambda *n: tuple(n.count(k) for k in places)  # noqa: E731
            slope = [float(mp.diff(whole, tuple(at), order(k), h=mp.mpf(10) ** -20)) for k in places]
            bends = [[float(mp.diff(whole, tuple(at), order(k, j), h=mp.mpf(10) ** -20)) for j in places]
                     for k in places]  # fmt: skip
        for found in (run(*parameters), function(*parameters)):
            np.testing.assert_allclose(found, value, rtol=1e-11)
        scale = np.abs(slope).max()
        for found in (run_slopes(*parameters), slopes(*parameters)):
            np.testing.assert_allclose(found, slope, rtol=1e-9, atol=1e-12 * scale)
        np.testing.assert_allclose(
            run_curvatures(np.array(parameters)), bends, rtol=1e-8, atol=1e-11 * np.abs(bends).max()
        )


def test_counts_are_fitted_by_newtons_method() -> None:
    """The negative binomial with the largest likelihood of some counts, as SciPy's own optimum says."""
    counts = np.random.default_rng(1).negative_binomial(3.0, 0.4, 500).astype(float)

    def cost(parameters: Any) -> Any:
        n, p = cnp.exp(parameters[0]), special.expit(parameters[1])
        log_choices = special.gammaln(counts + n) - special.gammaln(counts + 1) - special.gammaln(n)
        return -cnp.mean(log_choices + n * cnp.log(p) + special.xlog1py(counts, -p))

    @cr.compile
    def newton(parameters: Any) -> Any:
        return parameters - cnp.linalg.solve(cr.hessian(cost)(parameters), cr.grad(cost)(parameters))

    parameters = np.array([np.log(2.5), -0.3])
    for _ in range(12):
        parameters = newton(parameters)
    n, p = np.exp(parameters[0]), 1 / (1 + np.exp(-parameters[1]))
    here = stats.nbinom.logpmf(counts, n, p).mean()
    for factor in (0.99, 1.01):
        assert stats.nbinom.logpmf(counts, n * factor, p).mean() < here
        assert stats.nbinom.logpmf(counts, n, p * factor).mean() < here
    np.testing.assert_allclose(cr.grad(cost)(parameters), 0, atol=1e-12)
