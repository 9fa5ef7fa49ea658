"""Lanczos iteration and the estimate of a trace, on matrices that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.insight.second_order.eigenvalues import Ritz, lanczos, settled, trace_estimate

Values = np.ndarray[Any, Any]


def symmetric(size: int, seed: int = 0) -> Values:
    a = np.random.default_rng(seed).normal(size=(size, size))
    return (a + a.T) / np.sqrt(size)


def run(matrix: Values, top: int = 3, tolerance: float = 1e-9, most: int = 1000, seed: int = 0) -> Ritz:
    enough = settled(top, True, tolerance)
    return lanczos(lambda v: matrix @ v, len(matrix), enough, most, seed=seed)


@pytest.mark.parametrize("size", [1, 2, 5, 80])
def test_the_ends_of_the_spectrum_are_those_of_numpy(size: int) -> None:
    matrix = symmetric(size)
    expected = np.linalg.eigvalsh(matrix)[::-1]
    found = run(matrix)
    top = min(size, 3)
    np.testing.assert_allclose(found.values[:top], expected[:top], atol=1e-9)
    assert found.values[-1] == pytest.approx(expected[-1], abs=1e-9)


@pytest.mark.parametrize("tolerance", [0.3, 0.1, 0.01])
def test_an_eigenvalue_lies_within_each_residual(tolerance: float) -> None:
    matrix = symmetric(200)
    expected = np.linalg.eigvalsh(matrix)
    found = run(matrix, tolerance=tolerance)
    assert found.residuals[0] <= tolerance * np.abs(found.values).max()
    for n, (value, residual) in enumerate(zip(found.values, found.residuals, strict=True)):
        assert np.abs(expected - value).min() <= residual + 1e-12
        v = found.vector(n)
        assert np.linalg.norm(matrix @ v - value * v) == pytest.approx(residual, rel=1e-6, abs=1e-12)


def test_vectors_stay_orthonormal_and_belong_to_their_values() -> None:
    matrix = symmetric(100)
    found = run(matrix, tolerance=1e-12)
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(found.products), atol=1e-13)
    v = found.vector(0)
    np.testing.assert_allclose(matrix @ v, found.values[0] * v, atol=1e-9)


def test_it_stops_when_it_is_sure_and_when_it_may_do_no_more() -> None:
    matrix = symmetric(300)
    assert run(matrix, top=1, tolerance=0.1).products < run(matrix, top=1, tolerance=1e-6).products < 300
    assert run(matrix, most=7).products == 7


def test_eigenvalues_that_are_there_several_times_are_found_as_often() -> None:
    found = run(np.diag([3.0, 3.0, 3.0, 1.0, -1.0]), top=4)
    np.testing.assert_allclose(found.values, [3, 3, 3, 1, -1], atol=1e-12)


def test_nothing_curves() -> None:
    found = run(np.zeros((6, 6)))
    np.testing.assert_array_equal(found.values, np.zeros(found.products))


def test_the_same_seed_gives_the_same_bits() -> None:
    matrix = symmetric(50)
    np.testing.assert_array_equal(run(matrix, seed=3).values, run(matrix, seed=3).values)


def test_the_trace_is_unbiased_and_its_standard_error_true() -> None:
    matrix = symmetric(40) + np.diag(np.linspace(0, 3, 40))
    known = lanczos(lambda v: matrix @ v, 40, settled(1, False, 0.1), 8)
    found = [trace_estimate(lambda v: matrix @ v, known, 4, seed=seed) for seed in range(400)]
    estimates, errors = np.array(found).T
    spread = np.std(estimates)
    assert abs(estimates.mean() - np.trace(matrix)) < 4 * spread / 20
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.15)


def test_the_trace_is_exact_where_the_whole_space_was_gone_through() -> None:
    matrix = symmetric(10)
    known = run(matrix, top=9, tolerance=1e-15)
    assert trace_estimate(lambda v: matrix @ v, known, 4) == (pytest.approx(np.trace(matrix), abs=1e-10), 0.0)
