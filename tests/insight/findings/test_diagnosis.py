"""Diagnosis: its numbers against loops, its experiments, what it refuses; runs that were cut short or went to nan."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, data_of, gradients, small, tolerance

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DataError, OptionError
from chainrule.insight import Diagnosis, Finding, diagnose, diagnose_function
from chainrule.insight.findings import data as examples
from chainrule.insight.findings import units
from chainrule.insight.findings.diagnosis import glance
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.finding import SEVERITIES
from chainrule.insight.findings.optimisation import _noise_now
from chainrule.insight.findings.pathologies import FUNCTIONS, NETWORKS
from chainrule.insight.network_and_data import Subject, subject_of

Values = np.ndarray[Any, Any]
kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


def case_of(subject: Subject) -> Case:
    return Case(subject.network, subject)


def trained(**options: Any) -> tuple[cr.Run, tuple[Values, Values]]:
    """A tanh network that learned three classes of points."""
    random = np.random.default_rng(0)
    labels = np.arange(90) % 3
    x = (random.normal(0, 0.5, (90, 2)) + np.array([[2, 0], [0, 2], [-2, -2]])[labels] / 2).astype(np.float32)
    network = cr.nn.Network([2, 6, 3], "tanh", output="softmax")
    usual = {"cost": "cross_entropy", "epochs": 10, "batch": 10, "optimizer": cr.optim.SGD(0.1), "progress": False}
    return cr.learn(network, (x, labels), **{**usual, **options}), (x, labels)


def named(found: Diagnosis, name: str) -> Finding:
    return next(finding for finding in found.findings if finding.name == name)


# the numbers


@kinds
def test_lengths_and_noise_are_those_of_the_gradients_one_by_one(
    activation: str, output: str, cost: str, dtype: Any
) -> None:
    subject = small(activation, output, cost, dtype)
    case, each = case_of(subject), gradients(subject)
    squares = (each**2).sum(axis=1)
    np.testing.assert_allclose(case.example_norms, squares, rtol=100 * tolerance(dtype))
    np.testing.assert_allclose(case.squared_gradient, (each.mean(axis=0) ** 2).sum(), rtol=100 * tolerance(dtype))
    noise = each.var(axis=0, ddof=1).sum()
    signal = (each.mean(axis=0) ** 2).sum() - noise / len(each)
    expected = noise / signal if signal > 0 else math.inf
    assert _noise_now(case) == pytest.approx(expected, rel=1000 * tolerance(dtype))


@kinds
def test_the_gradients_of_the_classes_are_sums_over_their_examples(
    activation: str, output: str, cost: str, dtype: Any
) -> None:
    subject = small(activation, output, cost, dtype)
    classes = np.unique(subject.classes)
    found = examples._class_gradients(case_of(subject), classes)
    np.testing.assert_allclose(found.sum(axis=0), examples._class_gradients(case_of(subject), classes).sum(axis=0))
    each = gradients(subject)
    for row, label in zip(found, classes, strict=True):
        expected = each[subject.classes == label].sum(axis=0) / subject.count
        assert (row**2).sum() == pytest.approx((expected**2).sum(), rel=100 * tolerance(dtype))


@pytest.mark.parametrize(("output", "cost"), [("softmax", "cross_entropy"), ("sigmoid", "cross_entropy")])
def test_the_baseline_is_the_cost_of_the_best_constant(output: str, cost: str) -> None:
    subject = small("tanh", output, cost, np.float64)
    shares = np.bincount(subject.classes, minlength=3) / subject.count
    z = np.log(shares) if output == "softmax" else np.log(shares / (1 - shares))
    layers = [(np.zeros((3, 4)), z)]
    constant = cr.nn.Network.from_weights(layers, output)
    x, labels = data_of(subject)
    assert case_of(subject).baseline == pytest.approx(cr.backprop(constant, cost, x, labels).cost)


def test_dead_units_are_counted_on_all_examples() -> None:
    random = np.random.default_rng(0)
    w, b = random.normal(size=(10, 3)), np.where(np.arange(10) < 4, -100.0, 0.5)
    network = cr.nn.Network.from_weights([(w, b), (random.normal(size=(2, 10)), np.zeros(2))], "relu")
    finding = named(diagnose(network, (random.normal(size=(50, 3)), np.arange(50) % 2)), "dead_relu")
    assert finding.evidence[0].value == 4
    assert finding.severity == "alarm"


def test_the_first_layer_and_example_with_an_infinite_number_are_named() -> None:
    layers = [(np.eye(3), np.zeros(3)), (np.full((3, 3), 1e300), np.zeros(3)), (np.ones((2, 3)), np.zeros(2))]
    x = np.array([[0.0, 0, 0], [1, 0, 0], [1e10, 1, 1]])
    found = diagnose(cr.nn.Network.from_weights(layers, "relu"), (x, [0, 1, 0]))
    assert found.worst is not None
    assert found.worst.title == "Numbers are not finite: z of layer 1, example 2"


def test_flatness_is_the_mean_slope_of_each_unit_over_the_largest() -> None:
    for activation, slope in (("tanh", lambda z: 1 - np.tanh(z) ** 2), ("sigmoid", lambda z: 4 * _sigmoid_slope(z))):
        subject = small(activation, "softmax", "cross_entropy", np.float64)
        z = subject.network.forward(subject.x)[0][0]
        slopes = [np.mean([slope(z[n, j]) for n in range(len(z))]) for j in range(z.shape[1])]
        np.testing.assert_allclose(units._flatness(case_of(subject)), [np.median(slopes)])


def _sigmoid_slope(z: float) -> float:
    a = 1 / (1 + math.exp(-z))
    return a * (1 - a)


def test_merging_a_double_into_its_unit_changes_nothing() -> None:
    random = np.random.default_rng(0)
    w, b = random.normal(size=(4, 3)), random.normal(size=4)
    w[3], b[3] = -w[1], -b[1]
    network = cr.nn.Network.from_weights([(w, b), (random.normal(size=(2, 4)), np.zeros(2))], "tanh", output="softmax")
    data = (random.normal(size=(30, 3)), np.arange(30) % 2)
    ((layer, unit, double, change),) = units._doubles(case_of(subject_of(network, data)))
    assert (layer, unit, double) == (0, 3, 1)
    assert abs(change) < 1e-12
    finding = named(diagnose(network, data, confirm=True), "redundant_units")
    assert finding.outcome is not None
    assert finding.outcome.confirmed


def test_the_penalty_is_weighed_against_the_gradient_of_the_data() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    x, labels = data_of(subject)
    finding = named(diagnose(subject.network, (x, labels), l2=120.0), "penalty_overwhelms")
    passed = cr.backprop(subject.network, "cross_entropy", x, labels)
    data = math.sqrt(sum((layer.dw**2).sum() for layer in passed.layers))
    penalty = 120 / len(x) * math.sqrt(sum((layer.w**2).sum() for layer in subject.network.layers))
    assert finding.evidence[0].value == pytest.approx(penalty / data)


def test_rows_are_those_of_the_data_where_only_some_are_looked_at() -> None:
    x = np.zeros((3000, 3))
    x[::2, 2] = 1e10
    layers = [(np.eye(3), np.zeros(3)), (np.full((3, 3), 1e300), np.zeros(3)), (np.ones((2, 3)), np.zeros(2))]
    found = diagnose(cr.nn.Network.from_weights(layers, "relu"), (x, np.arange(3000) % 2))
    assert found.examples == 1000
    example = next(m.value for m in found.findings[0].evidence if m.name == "example")
    assert x[int(example), 2] > 0


# what people read


def test_a_finding_says_everything_and_the_diagnosis_what_it_cannot_see() -> None:
    run, data = trained(optimizer=cr.optim.SGD(1e-5))
    found = diagnose(run, data)
    finding = named(found, "rate_too_low")
    text = str(found)
    for part in (finding.title, finding.sure, "Measured ", "Why ", "What to do ", "To be sure ", "augmentation"):
        assert part in text
    assert found.table().rows[0][1] == found.findings[0].title
    assert json.loads(json.dumps(found.to_dict()))["findings"][0]["evidence"]
    assert len(found.plot().patches) == len(found.findings)


def test_at_most_five_the_worst_first_and_again_the_same() -> None:
    random = np.random.default_rng(0)
    x, y = 1000 * random.normal(size=(60, 4)) ** 3, 1000 * random.normal(size=(60, 1))
    network = cr.nn.Network([4, 8, 8, 8, 1], "sigmoid", initializer="normal", dtype=np.float64)
    one, two = (diagnose(network, (x, y), cost="quadratic") for _ in range(2))
    assert one.to_dict() == two.to_dict()
    assert 1 < len(one.findings) <= 5
    ranks = [SEVERITIES.index(finding.severity) for finding in one.findings]
    assert ranks == sorted(ranks)


def test_a_sound_run_gets_notes_at_most_and_nothing_stands_out() -> None:
    run, data = trained()
    assert {finding.severity for finding in diagnose(run, data).findings} <= {"note"}
    assert glance(run) is None


# experiments


def test_confirm_makes_the_experiments() -> None:
    run, data = trained(optimizer=cr.optim.SGD(1e-4))
    finding = named(diagnose(run, data, confirm=True), "rate_too_low")
    assert finding.outcome is not None
    assert finding.outcome.confirmed
    assert "with 10 times the rate" in finding.outcome.sentence
    assert diagnose(run, data).findings[0].outcome is None


def test_confirm_tells_what_was_not_borne_out() -> None:
    x, labels = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    network = cr.nn.Network([2, 4, 2], "tanh", output="softmax", dtype=np.float64)
    found = diagnose(network, (x * [1, 1000], labels), confirm=True)
    assert all(finding.outcome is not None for finding in found.findings)


# runs that did not end well


def test_a_run_that_went_to_nan_is_told_so_and_why() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 3)).astype(np.float32), random.normal(size=(60, 1)).astype(np.float32)
    network = cr.nn.Network([3, 8, 1], "relu", output="identity")
    options: dict[str, Any] = {"cost": "quadratic", "epochs": 20, "batch": 10, "progress": False}
    run = cr.learn(network, (x, y), optimizer=cr.optim.SGD(1e4), **options)
    found = diagnose(run, (x, y))
    assert {"not_finite", "rate_too_high"} <= set(found.names()[:2])
    looked = glance(run)
    assert looked is not None
    assert looked.severity == "alarm"


def test_the_scale_of_the_data_is_seen_behind_a_run_that_went_to_nan() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 3)).astype(np.float32), random.normal(size=(60, 1)).astype(np.float32)
    network = cr.nn.Network([3, 8, 1], "relu", output="identity")
    options: dict[str, Any] = {"cost": "quadratic", "epochs": 20, "batch": 10, "progress": False}
    run = cr.learn(network, (1e4 * x, y), optimizer=cr.optim.SGD(0.1), **options)
    found = diagnose(run, (1e4 * x, y), confirm=True)
    assert "unscaled_inputs" in found.names()[:3]
    outcome = named(found, "unscaled_inputs").outcome
    assert outcome is not None
    assert outcome.confirmed


def test_a_run_without_an_epoch_or_a_record_is_no_reason_to_fail() -> None:
    run, data = trained(watch=False)
    for short in (replace(run, history=[]), replace(run, history=[], configuration={}), replace(run, interrupted=True)):
        assert isinstance(diagnose(short, data), Diagnosis)
        assert glance(short) is None


def test_a_loaded_run_is_diagnosed_as_the_one_that_was_saved(tmp_path: Any) -> None:
    run, data = trained(optimizer=cr.optim.SGD(1e-5))
    again = cr.Run.load(run.save(tmp_path / "run"))
    assert diagnose(again, data).names() == diagnose(run, data).names()


def test_overfitting_is_seen_with_validation_examples() -> None:
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(30, 2)).astype(np.float32), random.integers(0, 2, 30)
    other = random.normal(size=(100, 2)).astype(np.float32), random.integers(0, 2, 100)
    network = cr.nn.Network([2, 16, 2], "tanh", output="softmax")
    options: dict[str, Any] = {"cost": "cross_entropy", "epochs": 500, "batch": 10, "progress": False}
    run = cr.learn(network, (x, labels), validation=other, optimizer=cr.optim.Adam(0.02), **options)
    assert "overfitting" in diagnose(run, (x, labels), validation=other).names()


# plain functions


def test_parameters_that_nothing_reaches_are_named() -> None:
    def cost(parameters: Any, x: Any, y: Any) -> Any:
        hidden = cr.stop_gradient(cnp.tanh(x @ parameters["first"]))
        return cnp.mean((hidden @ parameters["last"] - y) ** 2)

    random = np.random.default_rng(0)
    parameters = {"first": random.normal(size=(3, 4)), "last": random.normal(size=4)}
    found = diagnose_function(cost, parameters, random.normal(size=(9, 3)), random.normal(size=9), confirm=True)
    finding = named(found, "frozen_layer")
    assert "first" in finding.title
    assert finding.outcome is not None
    assert "a gradient is stopped" in finding.outcome.sentence


def test_a_cost_that_is_not_finite_names_the_example() -> None:
    def cost(w: Any, x: Any, y: Any) -> Any:
        return cnp.mean(cnp.log(x @ w) * y)

    found = diagnose_function(cost, np.ones(2), np.array([[1.0, 1], [0, 0], [1, 2]]), np.ones(3))
    assert found.worst is not None
    assert found.worst.title == "Numbers are not finite: the cost of example 1"


def test_a_kink_beside_the_point_is_no_wrong_derivative() -> None:
    def cost(w: Any, x: Any, y: Any) -> Any:
        return cnp.mean(cnp.abs(x @ w - y))

    random = np.random.default_rng(0)
    assert (
        diagnose_function(cost, random.normal(size=3), random.normal(size=(40, 3)), random.normal(size=40)).names()
        == []
    )


# what is refused


def test_what_does_not_fit_is_refused() -> None:
    run, data = trained(epochs=1)
    with pytest.raises(OptionError, match="batch must be a whole number"):
        diagnose(run, data, batch=0)
    with pytest.raises(OptionError, match="optimizer must be an optimiser"):
        diagnose(run, data, optimizer="sgd")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="network must be a Network"):
        diagnose("run", data)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="2 inputs"):
        diagnose(run, (np.ones((3, 5)), [0, 1, 2]))
    with pytest.raises(DataError, match="a row for each example"):
        diagnose_function(lambda w, x, y: w, 1.0, np.ones((3, 2)), np.ones(2))


# what is said of the looking


def test_changelog_documents_and_command_agree_on_how_many_faults_are_looked_for() -> None:
    root = Path(__file__).parents[3]
    changes = " ".join((root / "CHANGELOG.md").read_text("utf-8").split())
    told = re.search(
        r"looks for (\d+) faults of networks and runs, and `diagnose_function`, which looks for (\d+)", changes
    )
    assert told is not None
    assert [int(count) for count in told.groups()] == [len(NETWORKS), len(FUNCTIONS)]
    rows = re.findall(r"^\| \d+ \| `(\w+)` \|", (root / "docs" / "doctor.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted({row.name for row in (*NETWORKS, *FUNCTIONS)})
    run, data = trained()
    assert diagnose(run, data).known == len(NETWORKS)


#: What a watched run with examples of classes has.
HELD = {"network", "numbers", "table", "levels", "flow", "classes", "outputs"}


def test_it_says_how_many_could_be_looked_for() -> None:
    run, data = trained()
    whole = diagnose(run, data)
    assert whole.rows == sum(row.needs <= HELD for row in NETWORKS)
    alone = diagnose(run.network, data)
    assert alone.rows < whole.rows
    assert f"{alone.rows} of the {alone.known} pathologies were looked for, on" in str(alone)
    assert "; the others need what is not there." in str(alone)
    function = diagnose_function(lambda w, x, y: cnp.mean((x @ w - y) ** 2), np.ones(2), np.eye(2), np.zeros(2))
    assert f"All {len(FUNCTIONS)} pathologies were looked for, on 2 examples." in str(function)


@pytest.mark.parametrize("rate", [0.0, 1e-12, 1e-9, 1e-6])
def test_a_rate_that_moves_nothing_is_too_low_and_never_too_high(rate: float) -> None:
    run, data = trained(optimizer=cr.optim.SGD(rate), dtype=np.float32)
    found = diagnose(run, data)
    assert "rate_too_high" not in found.names()
    assert "rate_too_low" in found.names()
    at_once = glance(run)
    assert at_once is not None
    assert at_once.name == "rate_too_low"


def test_a_network_that_does_no_better_than_a_constant_is_never_called_sound() -> None:
    _, data = trained()
    for scale in (0.0, 1e-3, 1e3):
        network = cr.nn.Network([2, 4, 3], "sigmoid")
        network = cr.nn.Network.from_weights([(scale * n.w, scale * n.b) for n in network.layers], "sigmoid")
        found = diagnose(network, data, cost="quadratic")
        assert found.learned_little
        assert "nothing stands out" not in found.title
        assert " that of the best constant answer, " in str(found)
    assert not diagnose(*trained(epochs=60)).learned_little


def test_the_first_number_of_a_finding_is_one_that_speaks_for_it() -> None:
    for rate in (20.0, 100.0, 1e4):
        found = glance(trained(optimizer=cr.optim.SGD(rate))[0])
        assert found is not None
        assert found.name == "rate_too_high"
        name, value = found.evidence[0].name, found.evidence[0].value
        assert (
            (name.startswith("share") and value > 0.3)
            or (name.startswith("largest rise") and value > 1)
            or (name.startswith("measured") and value < 0.5)
        )
