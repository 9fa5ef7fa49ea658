"""What is said of a run is true, and never sounds better than it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.learning.baseline import constant_accuracy, constant_cost
from chainrule.learning.configuration import Configuration
from chainrule.learning.record import Record
from chainrule.learning.run import Run

NETWORK = cr.nn.Network([3, 2])


def ended(*accuracies: float | None, cost: float = 0.1, **known: Any) -> Run:
    """A run that was validated, with these accuracies; what else is known."""
    history = [Record(n, 0.01, 0.99, cost, accuracy, 1.0) for n, accuracy in enumerate(accuracies, start=1)]
    return Run(NETWORK, history, Configuration(validation_examples=100, **known))


# the best epoch


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [
        ([0.5, 0.8, 0.7], ", best 80.00% after epoch 2."),
        ([0.093, 0.093, 0.093], "."),
        ([0.7, 0.7, 0.7, 0.7], "."),
        ([0.8, 0.7, 0.8], "."),
        ([0.80001, 0.8], "."),
        ([0.9], "."),
        ([0.0, 0.0], "."),
        ([0.9, 0.9, 0.1], ", best 90.00% after epoch 1."),
    ],
)
def test_an_epoch_is_called_the_best_only_if_it_was_better_than_the_last(accuracies: list[float], best: str) -> None:
    assert ended(*accuracies).verdict == f"{accuracies[-1]:.2%} of the validation examples are right{best}"


# beside a constant answer


@pytest.mark.parametrize(
    ("accuracy", "least", "said"),
    [
        (0.093, 0.107, " That is no better than always answering the most common class, 10.70%."),
        (0.107, 0.107, " That is no better than always answering the most common class, 10.70%."),
        (0.12, 0.107, " That is hardly better than always answering the most common class, 10.70%."),
        (0.97, 0.97, " That is no better than always answering the most common class, 97.00%."),
        (0.971, 0.97, " That is hardly better than always answering the most common class, 97.00%."),
        (1.0, 1.0, " That is no better than always answering the most common class, 100.00%."),
        (0.16, 0.107, ""),
        (0.98, 0.97, ""),
        (0.75, 0.5, ""),
    ],
)
def test_an_accuracy_at_or_near_the_share_of_the_largest_class_says_so(
    accuracy: float, least: float, said: str
) -> None:
    run = ended(accuracy, validation_constant_accuracy=least)
    assert run.verdict == f"{accuracy:.2%} of the validation examples are right.{said}"
    assert run.doubt == said.strip()


@pytest.mark.parametrize(
    ("cost", "least", "said"),
    [
        (0.5, 0.45, "The validation cost, 0.5, is above that of the best constant answer, 0.45."),
        (1e9, 0.45, "The validation cost, 1e+09, is above that of the best constant answer, 0.45."),
        (0.449, 0.45, "The validation cost, 0.449, is hardly below that of the best constant answer, 0.45."),
        (0.45, 0.45, "The validation cost, 0.45, is no lower than that of the best constant answer, 0.45."),
        (0.4, 0.45, ""),
        (0.0, 0.0, ""),
    ],
)
def test_a_cost_at_or_above_that_of_the_best_constant_answer_says_so(cost: float, least: float, said: str) -> None:
    run = ended(0.9, cost=cost, validation_constant_cost=least, validation_constant_accuracy=0.5)
    assert run.doubt == said
    assert run.verdict == " ".join(filter(None, ["90.00% of the validation examples are right.", said]))


def test_the_penalty_is_not_held_against_the_network() -> None:
    squares = float((NETWORK.layers[0].w.astype(np.float64) ** 2).sum())
    known = {"l2": 200.0, "training_examples": 100, "batch": 1, "validation_constant_cost": 0.45}
    assert ended(0.9, cost=0.1 + squares, **known).doubt == ""
    assert "The validation cost, without the penalty, 0.5," in ended(0.9, cost=0.5 + squares, **known).doubt


def test_without_validation_the_training_examples_are_what_is_said() -> None:
    figures = Record(1, 0.6, 0.1, None, None, 1.0)
    run = Run(NETWORK, [figures], Configuration(constant_cost=0.45, constant_accuracy=0.12))
    assert run.verdict == (
        "10.00% of the training examples are right. That is no better than always answering the most common class, "
        "12.00%. The training cost, 0.6, is above that of the best constant answer, 0.45."
    )
    real = Run(NETWORK, [Record(1, 0.6, None, None, None, 1.0)], Configuration(constant_cost=0.45))
    assert real.verdict == (
        "The training cost is 0.6. The training cost, 0.6, is above that of the best constant answer, 0.45."
    )
    both = Run(
        NETWORK,
        [Record(1, 0.6, None, 0.2, None, 1.0)],
        Configuration(validation_examples=9, validation_constant_cost=0.45),
    )
    assert both.verdict == "The validation cost is 0.2, the training cost 0.6."


# numbers that are none


@pytest.mark.parametrize(
    ("costs", "epoch"), [([math.nan], 1), ([0.1, math.nan, math.inf], 2), ([math.nan, 0.1, math.nan], 3)]
)
def test_the_epoch_is_told_from_which_on_the_cost_is_no_number(costs: list[float], epoch: int) -> None:
    history = [Record(n, cost, 0.9, 0.1, 0.9, 1.0) for n, cost in enumerate(costs, start=1)]
    run = Run(NETWORK, history, Configuration())
    assert run.verdict == run.doubt
    assert run.verdict.startswith(f"The cost is not a finite number after epoch {epoch}: most often ")


def test_a_validation_cost_or_weights_that_are_no_numbers_are_told_too() -> None:
    assert ended(0.5, cost=math.nan).verdict.startswith("The cost is not a finite number after epoch 1: ")
    broken = cr.nn.Network.from_weights([(np.full((2, 3), np.nan, np.float32), np.zeros(2, np.float32))])
    run = Run(broken, [Record(1, 0.1, 0.9, None, None, 1.0)], Configuration())
    assert run.verdict.startswith("90.00% of the training examples are right. Weights are not finite numbers after ")


# the constants


def loops(labels: np.ndarray, outputs: int, cost: str, activation: str) -> float:
    """The least mean cost among many constant answers, tried one by one."""
    y = np.eye(outputs)[labels] if labels.ndim == 1 else labels
    middle = y.mean(axis=0)
    tried = []
    for step in np.linspace(-0.2, 0.2, 41):
        answer = middle + step * np.arange(1, outputs + 1)
        if cost == "quadratic":
            tried.append(0.5 * ((y - answer) ** 2).sum(axis=1).mean())
            continue
        answer = answer.clip(1e-9, 1 - 1e-9)
        answer = answer / answer.sum() if activation == "softmax" else answer
        costs = -(y * np.log(answer)).sum(axis=1)
        if activation == "sigmoid":
            costs = costs - ((1 - y) * np.log(1 - answer)).sum(axis=1)
        tried.append(costs.mean())
    return float(min(tried))


@pytest.mark.parametrize(
    ("cost", "activation"), [("quadratic", "tanh"), ("cross_entropy", "softmax"), ("cross_entropy", "sigmoid")]
)
@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 1, 2, 2, 2]),
        np.array([1, 1, 1]),
        np.array([0, 0, 0, 0, 0, 2]),
        np.random.default_rng(0).random((7, 3)),
    ],
    ids=["three classes", "one class", "a rare class", "targets"],
)
def test_no_constant_answer_costs_less(labels: np.ndarray, cost: str, activation: str) -> None:
    if cost == "cross_entropy" and activation == "softmax" and labels.ndim == 2:
        labels = labels / labels.sum(axis=1, keepdims=True)
    assert constant_cost(labels, 3, cost, activation) == pytest.approx(loops(labels, 3, cost, activation), abs=1e-7)


def test_a_cross_entropy_that_has_no_least_constant_is_no_number() -> None:
    assert math.isnan(constant_cost(np.array([[1.5], [0.0]]), 1, "cross_entropy", "sigmoid"))
    x = np.zeros((2, 1), np.float32)
    run = cr.learn(
        cr.nn.Network([1, 1]), (x, np.array([[1.5], [0.0]], np.float32)), cost="cross_entropy", epochs=1, batch=1,
        optimizer=cr.optim.SGD(0.1), progress=False,
    )  # fmt: skip
    assert run.configuration.constant_cost is None


def test_the_most_common_class_is_counted_among_labels_and_one_hot_targets() -> None:
    assert constant_accuracy(np.array([0, 2, 2, 1])) == 0.5
    assert constant_accuracy(np.eye(3)[[0, 2, 2, 1]]) == 0.5


# runs at the extremes


X, LABELS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32), np.arange(60) % 3


@pytest.mark.parametrize("rate", [0.0, 1e-9, 30.0, 1e3, 1e10, 1e30])
@pytest.mark.parametrize(
    ("activation", "output", "cost"),
    [("sigmoid", "sigmoid", "quadratic"), ("tanh", "softmax", "cross_entropy"), ("relu", "softmax", "cross_entropy")],
)
def test_a_run_that_learned_nothing_never_reassures(rate: float, activation: str, output: str, cost: str) -> None:
    """Labels that have nothing to do with x, and other validation examples: nothing can be learned."""
    random = np.random.default_rng(1)
    noise = random.integers(0, 3, 60)
    validation = random.normal(size=(200, 4)).astype(np.float32), np.arange(200) % 3
    with np.errstate(all="ignore"):
        run = cr.learn(
            cr.nn.Network([4, 6, 3], activation, output=output), (X, noise), validation=validation, cost=cost,
            epochs=3, batch=10, optimizer=cr.optim.SGD(rate), progress=False,
        )  # fmt: skip
    assert run.doubt
    assert run.doubt in run.verdict


def test_one_class_is_no_achievement() -> None:
    run = cr.learn(
        cr.nn.Network([4, 3]), (X, np.zeros(60, np.int64)), cost="quadratic", epochs=5, batch=10,
        optimizer=cr.optim.SGD(3.0), progress=False,
    )  # fmt: skip
    assert run.history[-1].training_accuracy == 1.0
    assert "no better than always answering the most common class, 100.00%" in run.verdict


def test_what_is_learned_is_not_doubted() -> None:
    x = np.eye(3, dtype=np.float32)[LABELS]
    run = cr.learn(
        cr.nn.Network([3, 3]), (x, LABELS), validation=(x, LABELS), cost="quadratic", epochs=30, batch=5,
        optimizer=cr.optim.SGD(3.0), progress=False,
    )  # fmt: skip
    assert run.doubt == ""
    assert run.verdict == "100.00% of the validation examples are right."
