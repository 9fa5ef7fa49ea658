"""Where weights are no finite numbers, derivatives say nothing, and nothing is claimed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import insight
from chainrule.errors import DataError

X, LABELS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2
DATA = X, LABELS

ASKED: dict[str, Callable[[Any], Any]] = {
    "curvature": lambda network: insight.curvature(network, DATA),
    "hessian_matrix": lambda network: insight.hessian_matrix(network, DATA),
    "curvature_diagonal": lambda network: insight.curvature_diagonal(network, DATA),
    "gradient_noise": lambda network: insight.gradient_noise(network, DATA),
    "label_suspects": lambda network: insight.label_suspects(network, DATA),
    "saliency": lambda network: insight.saliency(network, DATA),
    "prune": lambda network: insight.prune(network, DATA, fraction=0.5),
    "find_rate": lambda network: insight.find_rate(network, DATA),
    "loss_landscape": lambda network: insight.loss_landscape(network, DATA),
    "attribution": lambda network: insight.attribution(network, X[0]),
    "influence": lambda network: insight.influence(network, DATA, (X[0], 0)),
    "what_if": lambda network: insight.what_if(network, DATA, "layers[0].w[0, 0]"),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
def test_a_question_about_weights_that_are_no_numbers_is_refused(asked: str, value: float) -> None:
    network = cr.nn.Network([3, 4, 2], "tanh", output="softmax")
    network.layers[1].w[0, 0] = value
    with pytest.raises(DataError, match=r"weights are no finite numbers.*\n(.|\n)*insight\.diagnose what went wrong"):
        ASKED[asked](network)


def test_the_doctor_is_asked_all_the_same() -> None:
    network = cr.nn.Network([3, 4, 2], "tanh", output="softmax")
    network.layers[1].w[0, 0] = np.nan
    found = insight.diagnose(network, DATA, validation=DATA)
    assert found.names()[0] == "not_finite"
    assert "nothing stands out" not in found.title


def test_weights_that_are_all_alike_have_no_most_important_one() -> None:
    network = cr.nn.Network.from_weights([(np.zeros((2, 3)), np.zeros(2))], "softmax")
    said = insight.saliency(network, DATA).sentences()
    assert said[-1] == "It is 0 for every weight: none is more important than another."


def test_a_curvature_that_is_rounding_is_not_called_a_way_down() -> None:
    dead = [
        (np.zeros((4, 3), np.float32), -np.ones(4, np.float32)),
        (np.zeros((2, 4), np.float32), np.zeros(2, np.float32)),
    ]
    network = cr.nn.Network.from_weights(dead, "relu")
    found = insight.curvature(network, DATA, cost="cross_entropy")
    assert "curves down" not in str(found) or "No direction was found" in str(found)


@pytest.mark.parametrize(
    "labels", [np.zeros(20, np.int64), np.tile(np.float32([[0.3, 0.3]]), (20, 1))], ids=["class", "target"]
)
def test_examples_of_one_answer_are_nothing_to_learn_from(labels: Any) -> None:
    options: dict[str, Any] = {"cost": "quadratic", "epochs": 2, "batch": 5, "progress": False}
    run = cr.learn(cr.nn.Network([3, 4, 2]), (X, labels), optimizer=cr.optim.SGD(1.0), **options)
    found = insight.diagnose(run, (X, labels))
    assert "nothing stands out" not in found.title
    assert "above that of the best constant answer" in str(found).replace("\n", " ")
    assert "above that of the best constant answer" in run.verdict
