"""Initialisers draw from the distributions that they promise."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.nn import INITIALIZERS

INPUTS, OUTPUTS = 400, 250
VARIANCES = {
    "normal": 1.0,
    "scaled_normal": 1 / INPUTS,
    "glorot": 2 / (INPUTS + OUTPUTS),
    "he": 2 / INPUTS,
}
KURTOSES = {"normal": 3.0, "scaled_normal": 3.0, "glorot": 1.8, "he": 3.0}  # E w⁴ / (E w²)²: 3 normal, 9/5 uniform
NAMES = sorted(VARIANCES)


def drawn(name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return INITIALIZERS[name](INPUTS, OUTPUTS, np.random.default_rng(seed))


def test_the_initialisers_are_known_by_name() -> None:
    assert set(INITIALIZERS) == set(VARIANCES)


@pytest.mark.parametrize("name", NAMES)
def test_weights_have_the_shape_outputs_by_inputs(name: str) -> None:
    w, b = drawn(name)
    assert w.shape == (OUTPUTS, INPUTS)
    assert b.shape == (OUTPUTS,)


@pytest.mark.parametrize("name", NAMES)
def test_weights_have_the_promised_moments(name: str) -> None:
    w = drawn(name)[0].ravel() / np.sqrt(VARIANCES[name])
    error = 5 / np.sqrt(w.size)  # five standard deviations of a mean of numbers with variance one
    kurtosis = KURTOSES[name]
    assert abs(w.mean()) < error
    assert abs((w**2).mean() - 1) < error * np.sqrt(kurtosis - 1)
    assert abs((w**3).mean()) < error * np.sqrt(15)
    assert abs((w**4).mean() - kurtosis) < error * np.sqrt(96)


def test_glorot_weights_fill_their_interval_and_no_more() -> None:
    w, limit = drawn("glorot")[0], np.sqrt(6 / (INPUTS + OUTPUTS))
    assert limit * 0.999 < np.abs(w).max() < limit
    counts, _ = np.histogram(w, bins=10, range=(-limit, limit))
    assert (np.abs(counts - w.size / 10) < 5 * np.sqrt(w.size / 10)).all()


@pytest.mark.parametrize("name", ["glorot", "he"])
def test_biases_start_at_zero(name: str) -> None:
    assert not drawn(name)[1].any()


@pytest.mark.parametrize("name", ["normal", "scaled_normal"])
def test_biases_start_normal_with_variance_one(name: str) -> None:
    b = np.concatenate([drawn(name, seed)[1] for seed in range(20)])
    assert abs(b.mean()) < 5 / np.sqrt(b.size)
    assert abs((b**2).mean() - 1) < 5 * np.sqrt(2 / b.size)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_and_another_seed_another(name: str) -> None:
    assert drawn(name, 3)[0].tobytes() == drawn(name, 3)[0].tobytes()
    assert (drawn(name, 3)[0] != drawn(name, 4)[0]).all()
