"""`classics.run`: how a network learns, its answers, its hidden units, its weights; what was measured; the page."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scripts.measure_1986 import OTHERS, PAGE, page

import chainrule as cr
from chainrule import random
from chainrule.classics import DEMONSTRATIONS, PROBLEMS, Learnt, catalogue, problem, rule, run, trials
from chainrule.classics.learnt.answers import answers
from chainrule.classics.learnt.hidden_units import hidden_units
from chainrule.classics.learnt.learning_curve import LearningCurve, follow
from chainrule.classics.learnt.solutions import SOLUTIONS, solution
from chainrule.classics.learnt.weight_dependence import weight_dependence
from chainrule.classics.problems.addition import addition_by_thresholds
from chainrule.classics.problems.t_c import compactness_filter
from chainrule.classics.problems.xor import xor_direct, xor_direct_published
from chainrule.classics.races.measurements import (
    RECORD,
    Comparison,
    Distribution,
    comparisons,
    distribution,
    fingerprint,
    recorded,
)
from chainrule.classics.races.standings import Entry
from chainrule.classics.rules.descent import error
from chainrule.errors import OptionError
from chainrule.insight.weights.explanation import WeightExplanation
from chainrule.nn.connected import Connected


@pytest.fixture(scope="module")
def symmetry() -> Learnt:
    found = run("symmetry", seed=0, trials=4)
    assert isinstance(found, Learnt)
    return found


# learning


def test_the_curve_is_that_of_the_same_trial_among_others() -> None:
    asked, learner = problem("xor-direct"), rule("backpropagation")
    beside = trials(asked, learner, 3)
    for trial in range(3):
        _, curve = follow(asked, learner, random.fold_in(random.key(0), trial))
        assert curve.solved == beside.sweeps[trial]


def test_the_curve_is_right_before_each_sweep() -> None:
    asked, learner = problem("xor-direct"), rule("backpropagation")
    key = random.fold_in(random.key(0), 0)
    _, curve = follow(asked, learner, key)
    assert curve.solved is not None
    start = np.asarray(asked.network(key)(asked.x))
    assert curve.errors[0] == pytest.approx(float(error(asked.settings, start, asked.targets)), rel=1e-5)
    assert curve.right[curve.solved] == asked.patterns
    assert (curve.right[: curve.solved] < asked.patterns).all()


def test_it_goes_on_for_as_many_sweeps_again(symmetry: Learnt) -> None:
    assert symmetry.sweeps is not None
    assert 2 * symmetry.sweeps <= symmetry.curve.sweeps < 2 * symmetry.sweeps + 64


def test_a_network_that_does_not_solve_it_is_told_of() -> None:
    found = run(replace(problem("xor"), budget=10))
    assert isinstance(found, Learnt)
    assert found.sweeps is None
    assert "Not solved within 63 sweeps" in str(found)


def test_of_several_trials_the_first_that_solved_it_is_shown() -> None:
    asked = replace(problem("xor-direct"), budget=400)
    found = run(asked, trials=6)
    beside = trials(asked, rule("backpropagation"), 6)
    assert isinstance(found, Learnt)
    assert found.these is not None
    assert 0 < found.these.solved < 6
    assert found.trial == int(np.flatnonzero(beside.solved)[0])
    assert found.sweeps == beside.sweeps[found.trial]


def test_the_watcher_sees_the_curve_grow() -> None:
    seen: list[LearningCurve] = []
    run("xor-direct", watch=seen.append)
    assert [len(curve.at) for curve in seen] == [64 * (n + 1) for n in range(len(seen))]
    assert len(seen) > 3


def test_a_thinned_curve_keeps_its_ends_and_the_solution() -> None:
    n = np.arange(5000)
    curve = LearningCurve(n, n / 2, n % 7, 1234).thinned(100)
    assert len(curve.at) <= 101
    assert {0, 1234, 4999} <= set(curve.at.tolist())
    np.testing.assert_array_equal(curve.errors, curve.at / 2)


# what the derivatives say


def test_the_symmetry_network_is_found_to_be_mirrored_at_one_two_four(symmetry: Learnt) -> None:
    w = np.sort(np.abs(symmetry.network.weights["input->hidden"][:, :3]), axis=1)
    np.testing.assert_allclose(w / w[:, :1], [[1, 2, 4]] * 2, rtol=0.05)
    said = " ".join(symmetry.hidden.sentences())
    assert f"1 : {w[0, 1] / w[0, 0]:.4g} : {w[0, 2] / w[0, 0]:.4g}" in said
    assert "opposite weights" in said


def test_its_answers_are_those_of_the_network(symmetry: Learnt) -> None:
    outputs = np.asarray(symmetry.network(symmetry.problem.x))
    assert symmetry.answers.right.sum() == 64
    rows = symmetry.answers.table().rows
    assert [row[0] for row in rows[:3]] == ["000000", "000001", "000010"]
    assert [row[3] for row in rows] == [f"{value:.2f}" for value in outputs[:, 0]]


def test_the_effect_of_a_hidden_unit_is_the_derivative_of_the_output() -> None:
    asked, network = xor_direct(), xor_direct_published()
    (unit,) = hidden_units(asked, network).units
    y = np.asarray(network(asked.x), np.float64)[:, 0]
    assert unit.effect == pytest.approx(float(np.mean(y * (1 - y) * -9.4)), rel=1e-5)
    a = 1 / (1 + np.exp(-(asked.x @ [-6.4, -6.4] + 2.2)))
    assert unit.response == pytest.approx(float(np.mean(a * (1 - a) * -6.4)), rel=1e-5)
    assert unit.on == 1


def test_the_error_without_a_weight_is_measured() -> None:
    asked, network = xor_direct(), xor_direct_published()
    found = weight_dependence(asked, network)
    first = found.weights[0]
    without = Connected.from_weights(
        network.wiring, {**network.weights, "hidden->output": 0 * network.weights["hidden->output"]}, network.biases
    )

    def cost(made: Connected) -> float:
        return float(0.5 * ((np.asarray(made(asked.x)) - asked.targets) ** 2).sum())

    place = next(weight for weight in found.weights if weight.place == "hidden->output[0, 0]")
    assert place.removed == pytest.approx(cost(without) - cost(network), rel=1e-4)
    assert first.removed == max(weight.removed for weight in found.weights)
    assert found.error == pytest.approx(cost(network), rel=1e-4)


def test_small_changes_are_predicted_and_the_second_order_is_closer() -> None:
    small = [c for c in weight_dependence(xor_direct(), xor_direct_published()).changes if abs(c.change) < 0.2]
    assert len(small) == 2
    for change in small:
        assert change.second_order == pytest.approx(change.measured, rel=0.05)
        assert abs(change.second_order - change.measured) < abs(change.first_order - change.measured)


@pytest.mark.parametrize("name", ["encoder", "addition", "shift-register"])
def test_networks_of_every_shape_are_explained(name: str) -> None:
    asked = problem(name)
    network = asked.network(random.key(1))
    assert answers(asked, network).outputs.shape == asked.y.shape
    assert hidden_units(asked, network, tuple(solution(asked, network))).patterns == asked.patterns
    assert weight_dependence(asked, network).tried == network.parameters


@pytest.mark.parametrize("name", SOLUTIONS)
def test_every_solution_is_told_in_sentences(name: str) -> None:
    said = solution(problem(name), problem(name).network(random.key(2)))
    assert said
    assert all(sentence.endswith((".", ":")) for sentence in said)


def test_the_minimal_adder_is_told_to_find_the_carries() -> None:
    assert solution(problem("addition"), addition_by_thresholds()) == [
        "Hidden1 unit 0 says the carry from the low bits for 16 of 16 patterns.",
        "Hidden2 unit 0 says the carry from the high bits for 16 of 16 patterns.",
    ]


def test_the_compactness_filter_is_told_to_count() -> None:
    asked = problem("t-c", equal=True)
    assert solution(asked, compactness_filter()) == [
        "Hidden units that are on, of 36: 15 for a T in the mean, 16 for a C."
    ]


def test_what_people_have_in_common_is_found_in_their_codes() -> None:
    network = problem("family-trees").network(random.key(0))
    weights = {**network.weights, "person->person code": np.zeros((6, 24), np.float32)}
    weights["person->person code"][0, :12] = 5.0
    weights["person->person code"][1, [5, 11, 17, 23]] = 5.0
    said = solution(problem("family-trees"), Connected.from_weights(network.wiring, weights, network.biases))
    assert said[0].endswith("nationality: 100 %, generation: 0 %.")
    assert said[1].endswith("nationality: 0 %, generation: 100 %.")


def assert_the_last_weights_are_explained(found: Learnt, name: str) -> None:
    """The largest of them, with the derivative of the mean of the error over the patterns."""
    weights = found.network.weights[name]
    index = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    it, exact = found.problem, found.network.astype(np.float64)
    slope = cr.grad(lambda n: error(replace(it.settings, ignored=0.0), n(it.x.astype(float)), it.targets))(exact)
    explained = found.explained
    assert isinstance(explained, WeightExplanation)
    assert str(explained.weight) == f"weights[{name!r}][{', '.join(map(str, index))}]"
    assert explained.value == weights[index]
    assert explained.rate == pytest.approx(slope.weights[name][index] / it.patterns, rel=1e-3)


def test_any_network_is_explained_by_insight_too(symmetry: Learnt) -> None:
    assert_the_last_weights_are_explained(symmetry, "hidden->output")
    for name, weights in (("xor-direct", "hidden->output"), ("shift-register", "previous register->register")):
        found = run(name)
        assert isinstance(found, Learnt)
        assert_the_last_weights_are_explained(found, weights)


def test_the_codes_of_the_encoder_are_told() -> None:
    found = run("encoder", size=4)
    assert isinstance(found, Learnt)
    a = np.asarray(found.network.forward(found.problem.x)["hidden"][1])
    first = "".join("½" if 0.25 <= v <= 0.75 else str(int(v > 0.5)) for v in a[0])
    assert f"The codes on 2 hidden units: {first} " in found.hidden.known[0]
    assert found.ours is None  # which are of eight patterns


# the whole


def test_it_prints_everything_in_order(symmetry: Learnt) -> None:
    text = str(symmetry)
    titles = [symmetry.title, *(part.title for part in symmetry.parts)]
    assert [text.index(title) for title in titles] == sorted(text.index(title) for title in titles)
    assert "1,425" in text
    assert max(map(len, text.splitlines())) <= 120
    assert symmetry.diagram.title in symmetry._repr_html_()


def test_it_is_json(symmetry: Learnt) -> None:
    found = json.loads(json.dumps(symmetry.to_dict(), allow_nan=False))
    assert found["sweeps"] == symmetry.sweeps
    assert np.shape(found["network"]["weights"]["input->hidden"]) == (2, 6)
    assert len(found["parts"]) == len(symmetry.parts)


def test_it_is_drawn_with_its_weights(symmetry: Learnt) -> None:
    left, right, *_ = symmetry.plot().figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), symmetry.curve.errors)
    assert len(right.patches) == symmetry.network.parameters


def test_a_demonstration_is_run() -> None:
    assert str(run("toy-neuron")).startswith("One neuron")
    with pytest.raises(OptionError, match="neither trials nor a size"):
        run("toy-neuron", size=3)


def test_mistakes_are_told() -> None:
    with pytest.raises(OptionError, match="problem or demonstration must be one of .*not 'chess'"):
        run("chess")
    with pytest.raises(OptionError, match="xor-direct comes in one size"):
        run("xor-direct", size=3)
    with pytest.raises(OptionError, match="trials must be a whole number"):
        run("xor", trials=0)


# what was measured


def test_the_catalogue_has_every_problem_and_demonstration() -> None:
    found = catalogue()
    assert [one.name for one in found] == [*PROBLEMS, *DEMONSTRATIONS]
    assert all(one.title and one.description and one.source for one in found)
    json.dumps([one.to_dict() for one in found], allow_nan=False)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_was_measured_with_every_rule(name: str) -> None:
    found = distribution(name)
    assert found is not None
    assert found.trials >= (1000 if name == "symmetry" else 200)
    assert list(comparisons(name)) == list(OTHERS)
    assert recorded()["fingerprints"][name] == fingerprint(problem(name)), "measure it again: it is another by now"
    text = PAGE.read_text("utf-8")
    assert text.count(f"\n| {name} | ") == 2  # among the networks, and among the races


def test_every_demonstration_was_run() -> None:
    assert set(recorded()["demonstrations"]) == set(DEMONSTRATIONS)


def test_the_page_is_what_the_script_makes_of_the_record() -> None:
    assert PAGE.read_text("utf-8") == page(json.loads(RECORD.read_text("utf-8")))


def test_symmetry_is_as_a_published_reproduction_found_it() -> None:
    found = distribution("symmetry")
    assert found is not None
    least, lower, median, upper, _ = found.sweeps
    assert least is not None
    assert lower is not None
    assert median is not None
    assert upper is not None
    assert least < 1425 < upper
    assert lower < 7830  # the quartiles 1127 and 7830 of a reproduction by S. Cordwell, 2015, overlap with these
    assert upper > 1127


def test_the_record_is_what_running_again_gives() -> None:
    kept = distribution("xor-direct")
    assert kept is not None
    again = Distribution.of(trials(problem("xor-direct"), rule("backpropagation"), kept.trials, seed=kept.seed))
    assert (again.sweeps, again.solved, again.budget) == (kept.sweeps, kept.solved, kept.budget)


def test_a_distribution_counts_failures_as_infinite() -> None:
    found = trials(replace(problem("xor-direct"), budget=600), rule("backpropagation"), 20)
    made = Distribution.of(found)
    assert 10 <= made.solved < 20
    assert made.sweeps[4] is None
    assert made.median == sorted(found.sweeps[found.solved])[9]


def test_a_comparison_tells_a_factor_from_a_bound() -> None:
    base = Distribution(200, 200, 1000, 0, (1, 5, 10, 20, 50), 100.0, 1e-3)
    spending = rule("backpropagation").spending(problem("xor"))
    entry = Entry("other", "other", trials=4, budget=50, sweeps=np.array([20, 30, 40, -1]), seconds_per_sweep=1e-2,
                  spending=replace(spending, operations=200.0))  # fmt: skip
    found = Comparison.of(entry, base)
    assert (found.solved, found.trials) == (3, 4)
    assert found.operations == pytest.approx(30 * 200 / (10 * 100))
    assert found.seconds == pytest.approx(30 * 1e-2 / (10 * 1e-3))
    assert found.least_operations is None
    missed = Comparison.of(replace(entry, sweeps=np.array([20, -1, -1, -1])), base)
    assert missed.operations is None
    assert missed.least_operations == pytest.approx(50 * 200 / (10 * 100))
