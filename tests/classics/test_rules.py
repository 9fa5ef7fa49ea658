"""Each rule does what its formula says, is the same however many trials run beside it, and counts what it spends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import random
from chainrule.classics import problem, rule, trials
from chainrule.classics.problems.base import Problem, Settings, binary_patterns, layers
from chainrule.classics.rules.backpropagation import SweepDescent
from chainrule.classics.rules.base import local_gradient
from chainrule.classics.rules.descent import error
from chainrule.classics.rules.finite_differences import FiniteDifferences
from chainrule.classics.rules.linear_separability import separability
from chainrule.classics.rules.perturbation import NodePerturbation, WeightPerturbation
from chainrule.nn import Connected, Connection, Units, Wiring
from chainrule.trace.tree import flatten

MULTILAYER = [
    "backpropagation", "finite-differences", "weight-perturbation", "node-perturbation", "reward-penalty", "reinforce",
    "random-search",
]  # fmt: skip
RULES = [*MULTILAYER, "perceptron", "delta"]
DRAWS = 40_000


def numbers(tree: Any) -> np.ndarray:
    return np.concatenate([np.asarray(leaf, float).ravel() for leaf in flatten(tree)[0]])


def winding() -> Problem:
    """Two bits through tied, skipping and multiplicative connections, an output of which errors may be ignored."""
    wiring = Wiring(
        inputs=(("input", 2),),
        units=(Units("first", 2), Units("second", 2), Units("output", 1)),
        connections=(
            Connection("input", "first", "tied"),
            Connection("first", "second", "tied"),
            Connection(("input", "second"), "output", products=((0, 3), (1, 2), (2,))),
        ),
        outputs=("output",),
    )
    x = binary_patterns(2)
    return Problem(
        "winding", "", "", "", x, (x[:, :1] != x[:, 1:]).astype(float), wiring, Settings(rate=0.3, initial=1.0)
    )


def doubled(it: Problem) -> tuple[Connected, np.ndarray, np.ndarray]:
    """A network of the problem, its patterns and its targets, all in float64."""
    return it.network(random.key(7)).astype("float64"), it.x.astype(float), it.targets.astype(float)


def slopes_by_backpropagation(it: Problem) -> np.ndarray:
    return numbers(SweepDescent().gradient(it, *doubled(it), random.key(0)))


# gradients


@pytest.mark.parametrize("make", [winding, lambda: problem("xor"), lambda: problem("symmetry")])
def test_finite_differences_agree_with_backpropagation_up_to_their_error(make: Callable[[], Problem]) -> None:
    it = make()
    wanted = slopes_by_backpropagation(it)
    for size, central, order in ((1e-3, False, 1), (1e-6, False, 1), (1e-3, True, 2)):
        found = FiniteDifferences(size=size, central=central).gradient(it, *doubled(it), random.key(0))
        np.testing.assert_allclose(numbers(found), wanted, atol=20 * size**order)


def test_perturbing_a_unit_at_a_time_agrees_with_backpropagation_up_to_its_error() -> None:
    for it in (winding(), problem("symmetry")):
        found = NodePerturbation(size=1e-6).gradient(it, *doubled(it), random.key(0))
        np.testing.assert_allclose(numbers(found), slopes_by_backpropagation(it), atol=1e-5)


@pytest.mark.parametrize("learner", [WeightPerturbation(size=1e-4), NodePerturbation(size=1e-4, one_at_a_time=False)])
@pytest.mark.parametrize("make", [winding, lambda: problem("xor")])
def test_the_mean_of_the_guesses_is_the_gradient(
    learner: WeightPerturbation | NodePerturbation, make: Callable[[], Problem]
) -> None:
    it = make()
    network, x, d = doubled(it)
    guess = cr.compile(cr.vmap(lambda key: learner.gradient(it, network, x, d, key)))
    guesses = np.concatenate(
        [np.reshape(leaf, (DRAWS, -1)) for leaf in flatten(guess(random.split(random.key(1), DRAWS)))[0]], axis=1
    )
    wanted, deviation = slopes_by_backpropagation(it), guesses.std(0) / np.sqrt(DRAWS)
    assert deviation.max() < 0.1 * np.abs(wanted).max()
    assert (np.abs(guesses.mean(0) - wanted) < 4.5 * deviation + 1e-6).all()


def test_local_signals_of_backpropagation_give_its_gradient_through_any_wiring() -> None:
    it = winding()
    network, x, d = doubled(it)
    still = {units.name: np.zeros((4, units.size)) for units in it.wiring.units}
    deltas = cr.grad(lambda nudges: error(it.settings, network.forward(x, nudges)["output"][1], d))(still)
    found = local_gradient(network, {name: a for name, (_, a) in network.forward(x).items()}, deltas)
    np.testing.assert_allclose(numbers(found), slopes_by_backpropagation(it), rtol=1e-12)


def test_the_rates_of_a_rule_replace_those_of_the_problem() -> None:
    it = problem("xor")
    assert SweepDescent().settings(it) == it.settings
    assert SweepDescent(rate=2.0).settings(it) == replace(it.settings, rate=2.0)
    assert WeightPerturbation().settings(it).rate == pytest.approx(0.2 * it.settings.rate)
    told = replace(it.settings, rate=2.0, momentum=0.0, change_after="sweep")
    assert WeightPerturbation(rate=2.0, momentum=0.0).settings(it) == told
    assert NodePerturbation().settings(it) == it.settings


# single layers


@pytest.mark.parametrize("seed", range(5))
def test_the_perceptron_makes_no_more_mistakes_than_novikoff_allows_then_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 5))
    score = x @ rng.normal(size=5) + 0.3
    keep = np.abs(score) > 0.3
    x, y = x[keep].astype(np.float32), (score[keep] > 0).astype(np.float32)
    it = Problem("separable", "", "", "", x, y[:, None], layers(5, 1), Settings(rate=1.0))
    bound = separability(x, y).mistakes
    assert rule("perceptron").limit(it) is None
    found = trials(it, rule("perceptron"), 4, budget=int(bound) + 2, seed=seed)
    assert found.solved.all()
    assert (found.states[1] > 0).all()
    assert (found.states[1] <= bound).all()


def test_a_clean_sweep_of_the_perceptron_changes_nothing() -> None:
    it = replace(problem("xor"), y=binary_patterns(2).all(1, keepdims=True).astype(np.float32))
    ended = trials(it, rule("perceptron"), 3, budget=60)
    assert ended.solved.all()
    again = rule("perceptron").sweep(it, ended.state(0), 0, random.key(9))
    assert (numbers(again) == numbers(ended.state(0))).all()


@pytest.mark.parametrize(("name", "options"), [("xor", {}), ("parity", {"bits": 3}), ("symmetry", {})])
def test_the_perceptron_goes_on_making_mistakes_where_no_single_layer_answers(
    name: str, options: dict[str, Any]
) -> None:
    it, learner = problem(name, **options), rule("perceptron")
    assert "not linearly separable" in str(learner.limit(it))
    early, late = (trials(it, learner, 4, budget=budget) for budget in (100, 200))
    assert not late.solved.any()
    assert (late.states[1] >= early.states[1] + 100).all()  # at least one in every sweep


def test_never_is_right_for_56_of_64_patterns_of_symmetry_and_no_perceptron_for_more_than_57() -> None:
    it, learner = problem("symmetry"), rule("perceptron")
    assert (it.y < 0.5).sum() == 56

    def right(state: Any, key: Any) -> Any:
        after = learner.sweep(it, state, 0, key)
        return after, cr.numpy.sum((learner.answers(it, after) > 0.5) == (it.y > 0.5))

    sweeps = cr.compile(lambda keys: cr.scan(right, learner.start(it, random.key(0)), keys)[1])
    counts = sweeps(random.split(random.key(1), 300))
    assert counts.max() <= 57


def test_least_mean_squares_on_exclusive_or_end_at_a_half_everywhere() -> None:
    """By the normal equations: the weights are 0 and the bias ½."""
    it = problem("xor")
    x = np.column_stack([it.x, np.ones(4)])
    np.testing.assert_allclose(np.linalg.lstsq(x, it.targets, rcond=None)[0].ravel(), [0, 0, 0.5], atol=1e-6)
    by_sweeps = trials(it, rule("delta", change_after="sweep"), 3, budget=300)
    for n in range(3):
        np.testing.assert_allclose(by_sweeps.rule.answers(it, by_sweeps.state(n)), 0.5, atol=1e-6)
    in_turn = trials(it, rule("delta"), 3, budget=3000)
    for n in range(3):
        np.testing.assert_allclose(in_turn.rule.answers(it, in_turn.state(n)), 0.5, atol=0.03)
    assert "not linearly separable" in str(rule("delta").limit(it))


def test_the_delta_rule_comes_to_the_least_squares_of_random_patterns() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)).astype(np.float32), rng.random((30, 2)).astype(np.float32)
    it = Problem("random", "", "", "", x, y, layers(4, 2), Settings(rate=1.0))
    learner = rule("delta", change_after="sweep")
    state = cr.scan(lambda s, _: (learner.sweep(it, s, 0, None), None), learner.start(it, random.key(0)), length=400)[0]
    wanted = np.linalg.lstsq(np.column_stack([x, np.ones(30)]), y, rcond=None)[0]
    np.testing.assert_allclose(state.weights["input->output"], wanted[:4].T, atol=1e-5)
    np.testing.assert_allclose(state.biases["output"], wanted[4], atol=1e-5)


# random search


@pytest.mark.parametrize("one_at_a_time", [False, True])
def test_random_search_never_lets_the_error_rise_and_remembers_it(one_at_a_time: bool) -> None:
    it, learner = problem("xor"), rule("random-search", one_at_a_time=one_at_a_time)

    def watched(state: Any, key: Any) -> Any:
        after = learner.sweep(it, state, 0, key)
        changed = sum(cr.numpy.sum(a != b) for a, b in zip(flatten(state[0])[0], flatten(after[0])[0], strict=True))
        return after, (after[1], error(it.settings, after[0](it.x), it.targets), changed)

    sweeps = cr.compile(lambda keys: cr.scan(watched, learner.start(it, random.key(0)), keys)[1])
    errors, true, changed = sweeps(random.split(random.key(1), 500))
    assert (np.diff(errors) <= 0).all()
    assert errors[-1] < 0.9 * errors[0]
    np.testing.assert_allclose(errors, true, rtol=1e-6)
    assert ((np.diff(errors) < 0) == (changed[1:] > 0)).all()
    assert set(changed) <= ({0, 1} if one_at_a_time else {0, 9})
    assert changed.max() > 0


# all rules


@pytest.mark.parametrize("name", RULES)
def test_a_trial_is_the_same_however_many_there_are_and_hidden_units_solve_exclusive_or(name: str) -> None:
    it, learner = problem("xor"), rule(name)
    budget = 5000 if name in MULTILAYER else 50
    few = trials(it, learner, 3, budget=budget, seed=5)
    many = trials(it, learner, 16, budget=budget, seed=5, lanes=8)
    assert (few.sweeps == many.sweeps[:3]).all()
    for one, other in zip(flatten(few.states)[0], flatten(many.states)[0], strict=True):
        assert (one == other[:3]).all()
    assert many.solved.any() == (learner.limit(it) is None) == (name in MULTILAYER)


@pytest.mark.parametrize("name", RULES)
def test_a_key_says_all_and_another_key_something_else(name: str) -> None:
    it, learner = problem("xor"), rule(name)

    def after_seven(seed: int) -> np.ndarray:
        keys = random.split(random.key(seed), 8)
        state = learner.start(it, keys[0])
        for n in range(7):
            state = learner.sweep(it, state, n, keys[n + 1])
        return numbers(state)

    first = after_seven(0)
    assert (first == after_seven(0)).all()
    assert (first != after_seven(1)).any()


@pytest.mark.parametrize("name", MULTILAYER)
def test_every_rule_takes_any_wiring_and_a_change_after_each_presentation(name: str) -> None:
    it, learner = winding(), rule(name)
    in_turn = replace(it, settings=replace(it.settings, change_after="presentation"))
    for given in (it, in_turn):
        states = [learner.start(given, random.key(0))]
        for n in range(10):
            states.append(learner.sweep(given, states[-1], n, random.key(n)))
        assert learner.refusal(given) is None
        assert np.isfinite(numbers(states)).all()
        assert (numbers(states[0]) != numbers(states[-1])).any()
        assert learner.answers(given, states[-1]).shape == (4, 1)


SPENT = {  # passes forward and backward of each pattern, updates of units for each, with W = 9 weights and 3 units
    "backpropagation": (1, 1, 3),
    "finite-differences": (10, 0, 30),
    "weight-perturbation": (2, 0, 6),
    "node-perturbation": (4, 0, 12),
    "reward-penalty": (1, 0, 3),
    "reinforce": (1, 0, 3),
    "random-search": (1, 0, 3),
    "perceptron": (1, 0, 1),
    "delta": (1, 0, 1),
}


@pytest.mark.parametrize("name", RULES)
def test_a_sweep_spends_what_the_rule_says(name: str) -> None:
    forward, backward, units = SPENT[name]
    found = rule(name).spending(problem("xor"))
    counted = found.presentations, found.forward_passes, found.backward_passes, found.unit_updates
    assert counted == (4, 4 * forward, 4 * backward, 4 * units)
    assert found.operations == rule(name).operations(problem("xor")) > 0


def test_a_gradient_by_finite_differences_takes_a_pass_for_every_weight_and_one_more() -> None:
    it = problem("symmetry")
    passes = 17 + 1
    forward = cr.compile(lambda n: error(it.settings, n(it.x), it.targets)).flops(it.network(random.key(0)))
    assert passes * forward <= rule("finite-differences").operations(it) < 1.1 * passes * forward
    assert rule("finite-differences").passes(it) == passes
    assert rule("finite-differences", central=True).passes(it) == 34
    large = Problem(
        "digits", "", "", "", np.zeros((1, 784)), np.zeros((1, 10)), layers(784, 30, 10), Settings(rate=3.0)
    )
    assert rule("finite-differences").passes(large) == 23_861
