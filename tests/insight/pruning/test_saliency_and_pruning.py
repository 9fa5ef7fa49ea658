"""Saliency and pruning: scores against their definitions, the surgeon against constrained minima, what steps say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import (
    KINDS,
    cost_at,
    data_of,
    gradients,
    small,
    tolerance,
    whole_gauss_newton,
    whole_hessian,
)  # fmt: skip

import chainrule as cr
from chainrule.errors import DataError, OptionError
from chainrule.insight import Pruning, prune, saliency
from chainrule.insight.network_and_data import Subject, subject_of
from chainrule.insight.parameter_vector import is_weight, shaped, vector
from chainrule.insight.pruning.removal import Options, removal

Values = np.ndarray[Any, Any]
kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


def flat(scores: tuple[Values, ...]) -> Values:
    return np.concatenate([s.ravel() for s in scores])


def linear(examples: int = 30, seed: int = 0) -> Subject:
    """A network without a bend, whose cost is a quadratic function, at its minimum."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(examples, 4)), random.normal(size=(examples, 2))
    solved = np.linalg.lstsq(np.c_[x, np.ones(examples)], y, rcond=None)[0].T
    network = cr.nn.Network.from_weights([(solved[:, :4], solved[:, 4])], "identity")
    return subject_of(network, (x, y))


# saliency


@kinds
def test_the_saliencies_are_what_they_are_defined_as(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject, near = small(activation, output, cost, dtype), tolerance(dtype)
    weights, each = np.asarray(vector(subject.network), np.float64), gradients(subject)
    chosen = is_weight(subject.network)
    expected: dict[tuple[Any, ...], Values] = {
        ("magnitude", None, False): np.abs(weights),
        ("taylor", None, False): np.abs(weights * each.mean(axis=0)),
        ("taylor", None, True): np.abs(weights * each).mean(axis=0),
        ("optimal_brain_damage", "hessian", False): weights**2 * np.diagonal(whole_hessian(subject)) / 2,
        ("optimal_brain_damage", "gauss_newton", False): weights**2 * np.diagonal(whole_gauss_newton(subject)) / 2,
    }
    for (method, curvature, every), scores in expected.items():
        options = {"method": method, "curvature": curvature, "each": every, "cost": cost, "top": 1}
        found = saliency(subject.network, data_of(subject), **options)
        np.testing.assert_allclose(flat(found.scores), scores[chosen], atol=near, err_msg=method)


def test_the_surgeon_inverts_the_damped_matrix() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    curvature = whole_gauss_newton(subject)
    lifted = curvature + 0.1 * np.trace(curvature) / len(curvature) * np.eye(len(curvature))
    weights, chosen = np.asarray(vector(subject.network)), is_weight(subject.network)
    expected = (weights**2 / 2 / np.diagonal(np.linalg.inv(lifted)))[chosen]
    found = saliency(subject.network, data_of(subject), method="optimal_brain_surgeon", damping=0.1)
    np.testing.assert_allclose(flat(found.scores), expected, rtol=1e-8)
    assert "0.1 of the mean of its diagonal" in found.meaning


@pytest.mark.parametrize("chosen", [[0], [3, 6], [1, 2, 5, 8]])
def test_the_surgeon_finds_the_minimum_under_constraint_of_a_quadratic_cost(chosen: list[int]) -> None:
    subject = linear()
    theory = removal(subject, Options("optimal_brain_surgeon", damping=0), np.ones(10, bool))
    moved = theory.values + theory.change(np.array(chosen))
    free = np.setdiff1d(np.arange(10), chosen)
    hessian = whole_hessian(subject)
    slope = -hessian @ theory.values  # of the quadratic at 0, whose minimum is where the values are
    expected = np.zeros(10)
    expected[free] = np.linalg.solve(hessian[np.ix_(free, free)], -slope[free])
    np.testing.assert_allclose(moved, expected, atol=1e-10)
    rise = cost_at(subject, moved) - cost_at(subject, theory.values)
    assert theory.predicted(np.array(chosen)) == pytest.approx(rise, rel=1e-8)
    without = theory.values.copy()
    without[chosen] = 0
    assert rise < cost_at(subject, without) - cost_at(subject, theory.values)


def test_damage_is_exact_where_the_cost_is_quadratic_and_at_its_minimum() -> None:
    subject = linear()
    found = saliency(subject.network, data_of(subject), method="optimal_brain_damage", top=4)
    for scored in (*found.highest, *found.lowest):
        assert scored.predicted == pytest.approx(scored.measured, rel=1e-8)


def test_the_check_measures_what_setting_to_zero_does() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float32)
    found = saliency(subject.network, data_of(subject), method="taylor", top=2)
    weights, position = np.asarray(vector(subject.network), np.float64), 0
    first = found.highest[0]
    position = int(np.argmax(np.where(is_weight(subject.network), weights == np.float64(first.weight), False)))
    without = weights.copy()
    without[position] = 0
    assert first.measured == pytest.approx(cost_at(subject, without) - cost_at(subject, weights), abs=1e-12)
    assert first.predicted == pytest.approx(-weights[position] * gradients(subject).mean(axis=0)[position], abs=1e-6)


def test_a_saliency_tells_and_shows_itself() -> None:
    subject = small(*KINDS[0])
    found = saliency(subject.network, data_of(subject), method="optimal_brain_damage", top=2)
    assert "of the Hessian" in found.meaning
    assert "is predicted to change the cost by" in found.sentences()[1]
    assert len(found.table().rows) == 4
    assert [row[2] for row in found.table().rows] == sorted((row[2] for row in found.table().rows), reverse=True)
    assert found.to_dict()["highest"][0]["name"] == found.highest[0].name
    assert "<table " in found._repr_html_()
    assert found.highest[0].name in str(found)
    whole = np.sort(np.abs(flat(found.scores)))[::-1]
    half = int(round(found.concentration * whole.size))
    assert whole[:half].sum() >= whole.sum() / 2 > whole[: half - 1].sum()


# pruning


def pruned(subject: Subject, **options: Any) -> Pruning:
    found: Pruning = prune(subject.network, data_of(subject), cost=subject.objective.cost, **options)
    return found


@kinds
def test_what_is_pruned_is_zero_and_the_costs_are_those_of_the_networks(
    activation: str, output: str, cost: str, dtype: Any
) -> None:
    subject = small(activation, output, cost, dtype)
    found = pruned(subject, fraction=0.6, steps=3)
    before, after = (np.asarray(vector(n)) for n in (subject.network, found.network))
    chosen = is_weight(subject.network)
    assert (after[chosen] == 0).sum() == found.steps[-1].removed == round(0.6 * chosen.sum())
    order = np.argsort(np.abs(np.where(chosen, before, np.inf)), kind="stable")
    np.testing.assert_array_equal(np.flatnonzero(after == 0), np.sort(order[: found.steps[-1].removed]))
    np.testing.assert_array_equal(after[after != 0], before[after != 0])
    assert found.network.dtype == dtype
    assert found.steps[-1].cost == pytest.approx(cost_at(subject, after), abs=1e-12)
    assert found.steps[-1].measured == pytest.approx(cost_at(subject, after) - cost_at(subject, before), abs=1e-12)
    assert sum(step.step_measured for step in found.steps) == pytest.approx(found.steps[-1].measured, abs=1e-12)


@pytest.mark.parametrize("method", ["taylor", "optimal_brain_damage", "optimal_brain_surgeon"])
def test_the_prediction_is_the_second_order_of_the_unpruned_network(method: str) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    found = pruned(subject, method=method, fraction=0.5, steps=2)
    way = np.asarray(vector(found.network)) - np.asarray(vector(subject.network))
    expected = gradients(subject).mean(axis=0) @ way + way @ whole_hessian(subject) @ way / 2
    assert found.steps[-1].predicted == pytest.approx(expected, abs=1e-9)
    assert all(step.step_predicted is not None for step in found.steps[1:])


def test_steps_of_the_surgeon_add_up_to_the_minimum_under_constraint() -> None:
    subject = linear()
    found = pruned(subject, method="optimal_brain_surgeon", damping=0, fraction=0.5, steps=4)
    after = np.asarray(vector(found.network))
    free = np.flatnonzero(after)
    hessian, start = whole_hessian(subject), np.asarray(vector(subject.network))
    expected = np.zeros(10)
    expected[free] = np.linalg.solve(hessian[np.ix_(free, free)], (hessian @ start)[free])
    np.testing.assert_allclose(after, expected, atol=1e-9)
    for step in found.steps[1:]:
        assert step.step_predicted == pytest.approx(step.step_measured, abs=1e-9)
        assert step.holds


def test_scores_are_computed_anew_before_each_step() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    once = pruned(subject, method="taylor", fraction=0.5, steps=1)
    chosen = is_weight(subject.network)
    scores = np.abs(np.asarray(vector(subject.network)) * gradients(subject).mean(axis=0))
    expected = np.sort(np.argsort(np.where(chosen, scores, np.inf))[: once.steps[-1].removed])
    np.testing.assert_array_equal(np.flatnonzero(np.asarray(vector(once.network)) == 0), expected)
    often = pruned(subject, method="taylor", fraction=0.5, steps=5)
    first = np.flatnonzero(np.asarray(vector(often.network)) == 0)
    assert set(first) != set(expected)


def test_dead_neurons_and_unused_inputs_are_found() -> None:
    first = (np.array([[0.01, 0.0], [1.0, 0.0], [2.0, 0.0]]), np.zeros(3))
    second = (np.array([[3.0, 0.02, 1.5], [3.0, 0.03, 1.5]]), np.zeros(2))
    network = cr.nn.Network.from_weights([first, second], "tanh", output="softmax")
    found = prune(network, (np.eye(2), [0, 1]), fraction=0.5, steps=1)
    assert found.dead == ((0, 1),)
    assert found.unused_inputs == (1,)
    assert "2 of the hidden neurons have no weight left" in " ".join(found.sentences())


def test_how_far_one_can_go_for_how_much_accuracy() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 6)).astype(np.float32)
    data = cr.data.DataSet(x[:100], (x[:100, 0] > 0).astype(int),
                           validation=cr.data.DataSet(x[100:], (x[100:, 0] > 0).astype(int)))  # fmt: skip
    network = cr.nn.Network([6, 8, 2], activation="tanh", output="softmax")
    run = cr.learn(
        network, data, cost="cross_entropy", epochs=20, batch=10, optimizer=cr.optim.SGD(0.3), progress=False
    )
    found = prune(run, data, steps=9)
    start = found.steps[0].validation_accuracy
    reached = found.within(0.05)
    until = found.steps[: found.steps.index(reached) + 1]
    assert start is not None
    assert all(start - (step.validation_accuracy or 0) <= 0.05 for step in until)
    beyond = found.steps[len(until) : len(until) + 1]
    assert all(start - (step.validation_accuracy or 0) > 0.05 for step in beyond)
    assert found.within(1.0) == found.steps[-1]
    said = " ".join(found.sentences())
    assert "on held-out examples" in said
    assert f"{reached.fraction:.0%} for at most 5.0% less" in said
    assert len(found.table().rows) == 10
    assert found.to_dict()["steps"][0]["removed"] == 0


def test_the_sentence_says_where_the_prediction_stops_holding() -> None:
    found = pruned(small("tanh", "softmax", "cross_entropy", np.float64, seed=3), fraction=1.0, steps=4)
    failed = found.failed
    assert failed is not None
    assert all(step.holds for step in found.steps[: found.steps.index(failed)])
    assert f"stopped holding at {failed.fraction:.0%}" in " ".join(found.sentences())


def test_real_targets_have_no_accuracy() -> None:
    subject = linear()
    found = prune(subject.network, data_of(subject), steps=2)
    assert found.steps[-1].accuracy is None
    with pytest.raises(OptionError, match="there is no accuracy"):
        found.within(0.1)
    assert len(found.sentences()) == 3


# mistakes


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"method": "random"}, "method must be one of .*not 'random'"),
        ({"curvature": "fisher"}, "curvature must be one of .*not 'fisher'"),
        ({"damping": -1.0}, "damping must be"),
        ({"top": 0}, "top must be"),
    ],
)
def test_saliency_refuses(options: dict[str, Any], problem: str) -> None:
    subject = small(*KINDS[0])
    with pytest.raises(OptionError, match=problem):
        saliency(subject.network, data_of(subject), **options)


@pytest.mark.parametrize("options", [{"fraction": 0}, {"fraction": 1.5}, {"steps": 0}, {"fraction": "half"}])
def test_prune_refuses(options: dict[str, Any]) -> None:
    subject = small(*KINDS[0])
    with pytest.raises(OptionError, match=f"{next(iter(options))} must be"):
        prune(subject.network, data_of(subject), **options)


def test_what_cannot_be_inverted_is_refused() -> None:
    with pytest.raises(OptionError, match="at most 3000, not 3946"):
        saliency(cr.nn.Network([30, 96, 10]), (np.zeros((1, 30)), [0]), method="optimal_brain_surgeon")
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    with pytest.raises(OptionError, match="not positive"):
        saliency(subject.network, data_of(subject), method="optimal_brain_surgeon", curvature="hessian", damping=0)
    with pytest.raises(DataError):
        prune(subject.network, (np.zeros((2, 5)), [0, 1]))


def test_pictures() -> None:
    pytest.importorskip("matplotlib")
    subject = small(*KINDS[0])
    assert len(saliency(subject.network, data_of(subject)).plot().lines) == 2
    assert len(pruned(subject, steps=2).plot().lines) == 2


def test_shaping_keeps_the_network() -> None:
    network = small(*KINDS[0]).network
    same = shaped(network, vector(network))
    for one, two in zip(network.layers, same.layers, strict=True):
        np.testing.assert_array_equal(one.w, two.w)
