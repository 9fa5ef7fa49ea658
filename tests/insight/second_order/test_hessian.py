"""The ends of the Hessian's spectrum, its trace and the whole matrix, against `cr.hessian` of one long vector."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, data_of, small, tolerance, whole_hessian

import chainrule as cr
from chainrule.errors import DataError, OptionError
from chainrule.insight import curvature, hessian_matrix
from chainrule.insight.parameter_vector import is_weight, vector
from chainrule.insight.second_order.hessian import sharpest
from chainrule.learning.run import Run

Values = np.ndarray[Any, Any]
kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


@kinds
def test_the_whole_matrix(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject = small(activation, output, cost, dtype)
    found = hessian_matrix(subject.network, data_of(subject), cost=cost).matrix
    np.testing.assert_allclose(found, whole_hessian(subject), atol=tolerance(dtype))
    np.testing.assert_array_equal(found, found.T)


@kinds
def test_the_spectrum(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject = small(activation, output, cost, dtype)
    expected = np.linalg.eigvalsh(whole_hessian(subject))[::-1]
    fine = 1e-5 if dtype == np.float32 else 1e-8
    found = curvature(subject.network, data_of(subject), cost=cost, top=4, tolerance=fine, probes=0)
    np.testing.assert_allclose(found.eigenvalues, expected[:4], atol=5 * tolerance(dtype))
    assert found.lowest == pytest.approx(expected[-1], abs=5 * tolerance(dtype))
    assert found.trace is None
    assert len(found.residuals) == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_is_known_to_a_percent_within_the_promised_products(dtype: Any) -> None:
    network = cr.nn.Network([16, 12, 10], activation="relu", dtype=dtype)
    random = np.random.default_rng(0)
    data = (random.normal(size=(64, 16)), random.integers(0, 10, 64))
    exact = np.linalg.eigvalsh(hessian_matrix(network, data).matrix)[-1]
    for seed in range(3):
        found = curvature(network, data, top=1, probes=0, seed=seed)
        assert found.largest == pytest.approx(exact, rel=0.01)
        assert found.residuals[0] <= 0.01 * found.largest
    assert sharpest(cr.insight.network_and_data.subject_of(network, data)).products <= 18


@pytest.mark.parametrize("l2", [0.0, 3.0])
def test_the_penalty_adds_its_curvature(l2: float) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    held = l2 / subject.count * is_weight(subject.network)
    expected = whole_hessian(subject) + np.diag(held)
    whole = hessian_matrix(subject.network, data_of(subject), l2=l2)
    np.testing.assert_allclose(whole.matrix, expected, atol=1e-10)
    found = curvature(subject.network, data_of(subject), l2=l2, tolerance=1e-5)
    assert found.largest == pytest.approx(np.linalg.eigvalsh(expected)[-1], rel=1e-7)
    assert found.trace == pytest.approx(np.trace(expected), abs=4 * found.trace_error + 1e-9)


def test_a_quadratic_cost_has_the_curvature_of_its_examples() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    network = cr.nn.Network([3, 1], activation="identity", dtype=np.float64)
    found = curvature(network, (x, x[:, :1]), cost="quadratic", rate=0.5)
    extended = np.concatenate([x, np.ones((50, 1))], axis=1)
    matrix = extended.T @ extended / 50
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(matrix)[::-1], atol=1e-10)
    assert found.trace == pytest.approx(np.trace(matrix))
    assert found.trace_error == 0


# stability


def problem(curved: float) -> tuple[cr.nn.Network, tuple[Values, Values]]:
    """A network with one weight that matters, w, and the cost ½ curved·w²."""
    network = cr.nn.Network.from_weights([(np.array([[1.0]]), np.zeros(1))], "identity")
    side = np.sqrt(curved)
    return network, (np.array([[side], [-side]]), np.zeros((2, 1)))


def descended(optimizer: Any, curved: float, steps: int = 400) -> float:
    """How far from the minimum an optimiser gets on ½ curved·w², from 1."""
    w, state = np.array(1.0), optimizer.start(np.array(1.0))
    for _ in range(steps):
        w, state = optimizer.update(w, curved * w, state)
        w = np.asarray(w)
    return float(abs(w))


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize(
    ("bound", "make"), [(2.0, cr.optim.SGD), (3.8, cr.optim.Momentum), (2.6, lambda r: cr.optim.Momentum(r, 0.3))]
)
def test_the_verdict_is_what_descent_does(bound: float, make: Any, factor: float) -> None:
    network, data = problem(4.0)
    optimizer = make(factor * bound / 4)
    found = curvature(network, data, cost="quadratic", rate=optimizer).stability
    assert found.ratio == pytest.approx(factor)
    assert found.largest_rate == pytest.approx(bound / 4)
    assert (descended(optimizer, 4.0) < 1) == (found.ratio < 1)
    assert ("unstable" in found.sentence) == (factor > 1)


def test_the_edge_of_stability() -> None:
    network, data = problem(4.0)
    assert "edge" in curvature(network, data, cost="quadratic", rate=0.5).stability.sentence


def test_adam_is_judged_in_the_scales_of_its_state() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    adam, random = cr.optim.Adam(1e-2), np.random.default_rng(1)
    v = cr.nn.Network([4, 5, 3], activation="tanh", output="softmax", dtype=np.float64)
    moments = cr.insight.parameter_vector.shaped(v, random.uniform(0.1, 2, v.parameters))
    state = {"m": moments, "v": moments, "t": np.array(7.0)}
    found = curvature(subject.network, data_of(subject), rate=adam, state=state, tolerance=1e-4, probes=0).stability
    p = np.sqrt(np.asarray(vector(moments)) / (1 - 0.999**7)) + 1e-8
    scaled = whole_hessian(subject) / np.sqrt(np.outer(p, p))
    assert found.ratio == pytest.approx(1e-2 * np.linalg.eigvalsh(scaled)[-1] / 38, rel=1e-4)


def test_adam_without_its_state_is_not_judged() -> None:
    found = curvature(*problem(4.0), cost="quadratic", rate=cr.optim.Adam()).stability
    assert found.ratio is None
    assert "state" in found.sentence


@pytest.mark.parametrize("optimizer", [cr.optim.SGD(0.25), cr.optim.Momentum(0.1, 0.5)])
def test_a_run_knows_its_optimiser(optimizer: Any) -> None:
    network, data = problem(4.0)
    run = Run(network, [], {"optimizer": repr(optimizer), "cost": "quadratic"})
    assert curvature(run, data).stability == curvature(network, data, cost="quadratic", rate=optimizer).stability


def test_an_unknown_optimiser_is_left_alone() -> None:
    network, data = problem(4.0)
    run = Run(network, [], {"optimizer": "Mine(rate=[1])", "cost": "quadratic"})
    assert curvature(run, data).stability is None


# results


def test_the_result_shows_itself() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float32)
    found = curvature(subject.network, data_of(subject), rate=0.1)
    assert "λ_max" in str(found)
    assert "12 examples" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["eigenvalues"] == list(found.eigenvalues)
    assert found._repr_html_().count("<tr>") == 7
    whole = hessian_matrix(subject.network, data_of(subject))
    assert "43 directions" in str(whole)
    assert len(whole.table().rows) == 10


def test_the_same_seed_gives_the_same_bits() -> None:
    subject = small("relu", "softmax", "cross_entropy", np.float32, examples=40)
    one, two = (curvature(subject.network, data_of(subject), seed=5, examples=20) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    "option",
    [
        {"top": 0},
        {"lanczos_steps": 0},
        {"tolerance": 0.0},
        {"tolerance": "fine"},
        {"probes": 1},
        {"probes": -1},
        {"examples": 0},
        {"rate": -1.0},
        {"rate": cr.optim.Adam(), "state": {"m": 0}},
        {"rate": cr.optim.SGD(1.0), "state": {"v": 0, "t": 0}},
        {"cost": "quartic"},
    ],
)
def test_options_outside_their_range_are_refused(option: dict[str, Any]) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float32)
    with pytest.raises(OptionError):
        curvature(subject.network, data_of(subject), **option)


def test_adam_must_have_made_a_step() -> None:
    network, data = problem(1.0)
    with pytest.raises(OptionError, match="no steps"):
        curvature(network, data, cost="quadratic", rate=cr.optim.Adam(), state=cr.optim.Adam().start(network))


def test_a_network_that_has_diverged_is_refused() -> None:
    network = cr.nn.Network.from_weights([(np.array([[np.nan]]), np.zeros(1))], "tanh")
    for ask in (curvature, cr.insight.gradient_noise, cr.insight.find_rate):
        with pytest.raises(DataError, match="no finite number"):
            ask(network, (np.ones((4, 1)), np.ones((4, 1))))


def test_a_large_network_has_no_whole_matrix() -> None:
    with pytest.raises(OptionError, match="5,000 are the most"):
        hessian_matrix(cr.nn.Network([100, 60, 10]), (np.zeros((2, 100)), [0, 1]))


def test_without_the_lowest_eigenvalue_no_more_products_are_needed() -> None:
    network = cr.nn.Network([16, 12, 10], activation="relu")
    random = np.random.default_rng(0)
    data = (random.normal(size=(64, 16)), random.integers(0, 10, 64))
    both = curvature(network, data, top=1, probes=0)
    one = curvature(network, data, top=1, lowest=False, probes=0)
    assert one.products < both.products
    np.testing.assert_allclose(one.eigenvalues[0], both.eigenvalues[0], rtol=0.02)
