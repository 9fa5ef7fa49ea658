"""Separating vectors separate, with the widest margin; proofs of inseparability prove it, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from chainrule.classics import problem
from chainrule.classics.problems.base import binary_patterns
from chainrule.classics.rules.linear_separability import inseparable, separability
from chainrule.errors import OptionError, ShapeError


def signed(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(y > 0.5, 1, -1)[:, None] * np.column_stack([x, np.ones(len(x))])


def proves_exactly(proof: np.ndarray, points: np.ndarray) -> bool:
    """Whether the proof, as fractions of small denominators, is one without any rounding."""
    exact = [Fraction(float(a)).limit_denominator(1000) for a in proof]
    sums = [sum(a * int(p) for a, p in zip(exact, column, strict=True)) for column in points.T]
    return min(exact) >= 0 and sum(exact) == 1 and not any(sums)


@pytest.mark.parametrize("bits", range(2, 9))
def test_parity_is_proved_inseparable_in_exact_arithmetic(bits: int) -> None:
    x = binary_patterns(bits)
    y = x.sum(1) % 2
    found = separability(x, y)
    assert not found.separable
    assert found.margin == 0
    assert not found.vector.any()
    assert proves_exactly(found.proof, signed(x, y))


def test_symmetry_is_proved_inseparable_in_exact_arithmetic() -> None:
    p = problem("symmetry")
    found = separability(p.x, p.y[:, 0])
    assert proves_exactly(found.proof, signed(p.x, p.y[:, 0]))


def test_the_widest_margin_of_and_is_the_distance_known_by_geometry() -> None:
    """The nearest patterns are 01, 10 and 11: v·(1,1,1) = −v·(0,1,1) = −v·(1,0,1) gives v ∝ (2, 2, −3), γ = 1/√17."""
    found = separability(binary_patterns(2), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(found.vector, np.array([2, 2, -3]) / np.sqrt(17), atol=1e-12)
    assert found.margin == pytest.approx(1 / np.sqrt(17), rel=1e-12)
    assert found.radius == np.sqrt(3)
    assert found.mistakes == pytest.approx(51)


@pytest.mark.parametrize("seed", range(60))
def test_the_decision_is_that_of_linear_programming_and_shows_why(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, inputs = rng.integers(2, 40), rng.integers(1, 8)
    x = rng.integers(0, 2, (count, inputs)).astype(float) if seed % 2 else rng.normal(size=(count, inputs))
    y = rng.random(count) < 0.5 if seed % 3 == 0 else x @ rng.normal(size=inputs) + 0.2 * rng.normal() > 0
    points = signed(x, y)
    program = linprog(np.zeros(inputs + 1), A_ub=-points, b_ub=-np.ones(count), bounds=(None, None))
    found = separability(x, y)
    assert found.separable == (program.status == 0)
    assert (found.proof >= 0).all()
    assert found.proof.sum() == pytest.approx(1)
    if found.separable:  # no vector has a wider margin than a mean of the points is long
        assert (points @ found.vector).min() == found.margin > 0
        assert found.margin == pytest.approx(np.linalg.norm(found.proof @ points), rel=1e-6)
    else:
        np.testing.assert_allclose(found.proof @ points, 0, atol=1e-9)


def test_the_same_pattern_in_both_classes_is_inseparable() -> None:
    found = separability(np.array([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0]]), np.array([0, 1, 1]))
    np.testing.assert_allclose(found.proof, [0.5, 0, 0.5], atol=1e-12)


def test_one_class_alone_is_separable() -> None:
    found = separability(binary_patterns(3), np.ones(8))
    assert found.separable
    assert found.margin > 0


def test_each_output_is_decided_by_itself() -> None:
    p = problem("encoder", n=4)
    assert inseparable(p.x, p.y) == []
    x = binary_patterns(2)
    assert inseparable(x, np.column_stack([x[:, 0] != x[:, 1], x[:, 0], x[:, 0] == x[:, 1]])) == [0, 2]


def test_what_is_no_set_of_patterns_is_refused() -> None:
    with pytest.raises(ShapeError, match="patterns"):
        separability(np.zeros((3, 2)), np.zeros(4))
    with pytest.raises(OptionError, match="at least one pattern"):
        separability(np.zeros((0, 2)), np.zeros(0))
