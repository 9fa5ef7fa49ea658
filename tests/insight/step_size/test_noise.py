"""Signal and noise of gradients, against gradients computed one by one, and against what they estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, data_of, gradients, small, tolerance

import chainrule as cr
from chainrule.errors import DataError, OptionError
from chainrule.insight import gradient_noise
from chainrule.insight.parameter_vector import is_weight, vector
from chainrule.insight.step_size.noise import GradientNoise, NoisePart
from chainrule.learning.run import Run

Values = np.ndarray[Any, Any]
LAYERS = (slice(0, 25), slice(25, 43))  # of a 4-5-3 network's vector


def by_hand(each: Values, held: Values | float = 0.0) -> tuple[float, float]:
    """tr Σ and ‖G‖² of gradients, one a row."""
    variance = float(each.var(axis=0, ddof=1).sum())
    return variance, float(np.sum((each.mean(axis=0) + held) ** 2)) - variance / len(each)


@pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)
def test_it_is_what_loops_say(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject = small(activation, output, cost, dtype, examples=25)
    each, close = gradients(subject), 20 * tolerance(dtype)
    found = gradient_noise(subject.network, data_of(subject), cost=cost)
    for part, rows in zip([found.whole, *found.layers], [slice(None), *LAYERS], strict=True):
        assert (part.variance, part.squared_gradient) == pytest.approx(by_hand(each[:, rows]), rel=close, abs=close)


def test_layers_add_up_to_the_whole() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    found = gradient_noise(subject.network, data_of(subject))
    assert sum(part.variance for part in found.layers) == pytest.approx(found.whole.variance)
    assert sum(part.squared_gradient for part in found.layers) == pytest.approx(found.whole.squared_gradient)


def test_the_penalty_is_signal_without_noise() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    held = 6.0 / subject.count * is_weight(subject.network) * np.asarray(vector(subject.network))
    found = gradient_noise(subject.network, data_of(subject), l2=6.0).whole
    assert (found.variance, found.squared_gradient) == pytest.approx(by_hand(gradients(subject), held))


def straight(examples: int, seed: int) -> tuple[cr.nn.Network, tuple[Values, Values]]:
    """One weight, held at 0, whose examples have the derivatives 1 + normal deviates; and a bias without any."""
    random = np.random.default_rng(seed)
    network = cr.nn.Network.from_weights([(np.zeros((1, 2)), np.zeros(1))], "identity")
    y = np.where(np.arange(examples) % 2, 1.0, -1.0)[:, None]
    x = -y * (np.array([[1.0, 0.0]]) + random.normal(size=(examples, 2)))
    return network, (x, y)


def test_both_are_unbiased_and_the_errors_true() -> None:
    found = [gradient_noise(*straight(40, seed), cost="quadratic").whole for seed in range(50)]
    variance, signal = (np.array([getattr(part, name) for part in found]) for name in ("variance", "squared_gradient"))
    assert abs(variance.mean() - 3) < 4 * variance.std() / np.sqrt(50)  # two weights with noise 1, and the bias
    assert abs(signal.mean() - 1) < 4 * signal.std() / np.sqrt(50)
    errors = np.sqrt(np.mean([part.squared_gradient_error**2 for part in found]))
    assert errors == pytest.approx(signal.std(), rel=0.3)


def test_where_examples_cancel_nothing_is_claimed() -> None:
    random = np.random.default_rng(0)
    network = cr.nn.Network.from_weights([(np.zeros((1, 50)), np.zeros(1))], "identity")
    found = gradient_noise(
        network, (random.normal(size=(30, 50)), random.choice([-1.0, 1.0], (30, 1))), cost="quadratic"
    )
    assert found.noise_scale is None
    assert "cannot be told" in str(found)


def result(scale: float, batch: int | None) -> GradientNoise:
    part = NoisePart(scale, 1.0, 0.01, 1.0)
    return GradientNoise(part, (part,), 5000, batch, ("layers[0]",))


@pytest.mark.parametrize(("batch", "word"), [(9, "noise dominates"), (100, "neither"), (1001, "wasted")])
def test_the_advice_follows_the_noise_scale(batch: int, word: str) -> None:
    assert word in result(100.0, batch).sentences()[-1]


def test_without_a_batch_there_is_no_advice() -> None:
    assert not any("With batches" in sentence for sentence in result(100.0, None).sentences())


def test_a_run_knows_its_batch() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    run = Run(subject.network, [], {"batch": 4, "cost": "cross_entropy"})
    assert gradient_noise(run, data_of(subject)).batch == 4
    assert gradient_noise(run, data_of(subject), batch=2).batch == 2


def test_examples_and_seed_choose_the_examples() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64, examples=30)
    one, two = (gradient_noise(subject.network, data_of(subject), examples=20, seed=s) for s in (1, 1))
    other = gradient_noise(subject.network, data_of(subject), examples=20, seed=2)
    assert one == two
    assert one.examples == 20
    assert one != other


def test_examples_that_agree_have_no_noise() -> None:
    network = cr.nn.Network([2, 1], activation="identity", dtype=np.float64)
    found = gradient_noise(network, (np.ones((8, 2)), np.ones((8, 1))), cost="quadratic").whole
    assert found.variance == pytest.approx(0, abs=1e-14)
    assert found.noise_scale == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("option", [{"batch": 0}, {"batch": 1.5}, {"examples": 0}])
def test_options_outside_their_range_are_refused(option: dict[str, Any]) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    with pytest.raises(OptionError):
        gradient_noise(subject.network, data_of(subject), **option)


def test_one_example_has_no_noise() -> None:
    with pytest.raises(DataError, match="at least 2"):
        gradient_noise(cr.nn.Network([2, 2], output="softmax"), (np.ones((1, 2)), [0]))
