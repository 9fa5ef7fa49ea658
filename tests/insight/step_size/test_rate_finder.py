"""The learning rate range test, against the same steps made in NumPy, and on costs whose best rates are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import data_of, small, whole_hessian

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.insight import find_rate
from chainrule.insight.step_size.rate_finder import _batches
from chainrule.learning.optimizers import Optimizer
from chainrule.learning.run import Run

Values = np.ndarray[Any, Any]


def regression(seed: int = 0, dtype: Any = np.float64) -> tuple[cr.nn.Network, tuple[Values, Values]]:
    """A linear model, and examples without noise."""
    x = np.random.default_rng(seed).normal(size=(64, 3))
    return cr.nn.Network([3, 1], activation="identity", dtype=dtype, seed=seed), (x, x[:, :1] - x[:, 1:2])


@pytest.mark.parametrize("optimizer", [cr.optim.SGD(7.0), cr.optim.Momentum(7.0, 0.5), cr.optim.Adam(7.0)])
def test_each_step_is_one_with_its_own_rate(optimizer: Optimizer) -> None:
    network, (x, y) = regression()
    found = find_rate(network, (x, y), optimizer=optimizer, batch=16, lowest=1e-3, highest=0.1, steps=12, seed=4)
    rates, batches = np.geomspace(1e-3, 0.1, 12), _batches(64, 16, 13, 4)

    def cost(network: Any, rows: Values) -> Any:
        return cr.numpy.mean(0.5 * cr.numpy.sum((network(x[rows]) - y[rows]) ** 2, axis=1))

    now, state = network, optimizer.start(network)
    for rate, rows, after, measured in zip(rates, batches, batches[1:], found.costs, strict=False):
        step = type(optimizer)(**{**vars(optimizer), "rate": float(rate)})
        now, state = step.update(now, cr.grad(cost)(now, rows), state)
        assert measured == pytest.approx(float(cost(now, after)), rel=1e-9)
    np.testing.assert_allclose(found.rates, rates)


def test_the_network_is_not_changed() -> None:
    network, data = regression()
    before = network.layers[0].w.copy()
    find_rate(network, data)
    np.testing.assert_array_equal(network.layers[0].w, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_stops_where_the_cost_explodes(dtype: Any) -> None:
    network, data = regression(dtype=dtype)
    found = find_rate(network, data, highest=1e3, batch=64)
    assert found.diverged is not None
    assert found.diverged > found.largest_stable
    assert found.rates[-1] < found.diverged
    assert found.suggestion <= found.diverged / 10
    assert np.isfinite(found.costs).all()
    assert "explodes" in str(found)


@pytest.mark.parametrize("seed", range(3))
def test_the_suggestion_learns_and_is_stable(seed: int) -> None:
    network, data = regression(seed)
    found = find_rate(network, data, highest=100.0, batch=16, seed=seed)
    assert found.suggestion < found.largest_stable
    descent: dict[str, Any] = {"optimizer": cr.optim.SGD(found.suggestion), "epochs": 20, "batch": 16}
    learned = cr.learn(network, data, cost="quadratic", dtype=np.float64, progress=False, **descent)
    assert learned.history[-1].training_cost < 0.05 * found.start


def test_the_curvature_says_its_opinion() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    largest = np.linalg.eigvalsh(whole_hessian(subject))[-1]
    found = find_rate(subject.network, data_of(subject), batch=4)
    assert found.curvature == pytest.approx(largest, rel=0.01)
    assert found.largest_stable == pytest.approx(2 / found.curvature)
    inert = find_rate(subject.network, data_of(subject), batch=4, optimizer=cr.optim.Momentum)
    assert inert.largest_stable == pytest.approx(3.8 / found.curvature)
    scaled = find_rate(subject.network, data_of(subject), batch=4, optimizer=cr.optim.Adam)
    assert scaled.largest_stable is None
    assert "does not bound" in str(scaled)


def test_where_nothing_is_to_be_learned_no_rate_is_the_steepest() -> None:
    _, (x, y) = regression()
    noisy = y + np.random.default_rng(0).normal(size=y.shape)
    best = np.linalg.lstsq(np.append(x, np.ones((64, 1)), axis=1), noisy, rcond=None)[0]
    network = cr.nn.Network.from_weights([(best[:3].T, best[3])], "identity")
    found = find_rate(network, (x, noisy), batch=8, highest=0.01)
    assert found.steepest is None
    assert found.suggestion is None
    assert "none of the rates" in str(found)


def test_a_run_knows_its_batch_and_its_optimiser() -> None:
    network, data = regression()
    run = Run(network, [], {"optimizer": "Momentum(rate=0.1, momentum=0.5)", "batch": 8, "cost": "quadratic"})
    found = find_rate(run, data)
    assert (found.optimizer, found.batch) == ("Momentum", 8)
    assert found.largest_stable == pytest.approx(3 / found.curvature)


def test_the_same_seed_gives_the_same_bits() -> None:
    network, data = regression(dtype=np.float32)
    one, two, other = (find_rate(network, data, batch=8, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.costs, two.costs)
    assert not np.array_equal(one.costs, other.costs)


def test_batches_go_through_all_examples_before_they_start_again() -> None:
    batches = _batches(10, 3, 7, 0)
    assert batches.shape == (7, 3)
    for epoch in (batches[:3], batches[3:6]):
        assert len(np.unique(epoch)) == 9


class Plain(Optimizer):
    """Without a rate."""

    def start(self, parameters: Any) -> Any:
        return ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return parameters, state


@pytest.mark.parametrize(
    "option",
    [
        {"batch": 0},
        {"batch": 65},
        {"lowest": 0.0},
        {"lowest": 2.0, "highest": 1.0},
        {"highest": float("inf")},
        {"steps": 9},
        {"seed": -1},
        {"optimizer": Plain()},
        {"optimizer": "sgd"},
    ],
)
def test_options_outside_their_range_are_refused(option: dict[str, Any]) -> None:
    network, data = regression()
    with pytest.raises(OptionError):
        find_rate(network, data, **option)
