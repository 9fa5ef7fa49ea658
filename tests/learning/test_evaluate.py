"""`evaluate` against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError, OptionError
from chainrule.learning.evaluate import evaluate
from chainrule.nn import Network

RANDOM = np.random.default_rng(0)
X, LABELS = RANDOM.normal(size=(11, 3)), RANDOM.integers(0, 2, 11)
NETWORK = Network([3, 4, 2], "tanh", output="softmax", dtype=np.float64)


@pytest.mark.parametrize("l2", [0.0, 3.0])
def test_it_is_the_mean_cost_with_the_penalty_and_the_fraction_that_is_right(l2: float) -> None:
    a = NETWORK(X)
    penalty = l2 / (2 * 11) * sum((layer.w**2).sum() for layer in NETWORK.layers)
    cost, accuracy = evaluate(NETWORK, (X, LABELS), cost="cross_entropy", l2=l2)
    assert cost == pytest.approx(-np.log(a[np.arange(11), LABELS]).mean() + penalty, rel=1e-12)
    assert accuracy == (a.argmax(axis=1) == LABELS).mean()


def test_targets_that_are_no_classes_have_no_accuracy() -> None:
    y = RANDOM.normal(size=(11, 2))
    cost, accuracy = evaluate(NETWORK, (X, y), cost="quadratic")
    assert cost == pytest.approx(0.5 * ((NETWORK(X) - y) ** 2).sum(axis=1).mean(), rel=1e-12)
    assert accuracy is None


def test_many_examples_are_measured_in_parts() -> None:
    x, y = RANDOM.normal(size=(1013, 3)), RANDOM.normal(size=(1013, 2))  # a prime: no parts of one size
    cost, _ = evaluate(NETWORK, (x, y), cost="quadratic")
    assert cost == pytest.approx(0.5 * ((NETWORK(x) - y) ** 2).sum(axis=1).mean(), rel=1e-12)


def test_weights_that_lie_in_memory_in_another_way_make_no_difference() -> None:
    odd = Network.from_weights([(np.asfortranarray(n.w), n.b[::-1].copy()[::-1]) for n in NETWORK.layers], "tanh")
    plain = Network.from_weights([(n.w, n.b) for n in NETWORK.layers], "tanh")
    assert evaluate(odd, (X, LABELS), cost="quadratic") == evaluate(plain, (X, LABELS), cost="quadratic")


def test_it_is_computed_in_the_dtype_of_the_network() -> None:
    wide, _ = evaluate(NETWORK, (X, LABELS), cost="quadratic")
    narrow, _ = evaluate(NETWORK.astype(np.float32), (X, LABELS), cost="quadratic")
    assert narrow == pytest.approx(wide, rel=1e-5)
    assert narrow != wide


@pytest.mark.parametrize(
    ("data", "cost", "error"),
    [
        ((X[:, :2], LABELS), "quadratic", DataError),
        ((X, LABELS + 1), "quadratic", DataError),
        ((X, LABELS), "sigmoid_cross_entropy", OptionError),
    ],
)
def test_what_does_not_fit_is_refused(data: Any, cost: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate(NETWORK, data, cost=cost)
