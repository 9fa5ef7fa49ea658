"""REINFORCE climbs the expected reward, enumerated state by state; reward-penalty without penalty is the same rule."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule import random
from chainrule.classics import problem, rule, trials
from chainrule.classics.problems.base import Problem, Settings, binary_patterns, layers
from chainrule.classics.rules.reinforcement import Reinforce, RewardPenalty, fired, more_probable, reward
from chainrule.nn import Connected, Units
from chainrule.trace.tree import tree_map

DRAWS = 40_000


def two_outputs() -> Problem:
    """Two bits to their and and their exclusive or, through two hidden units: 16 states for each pattern."""
    x = binary_patterns(2)
    y = np.column_stack([x.all(1), x[:, 0] != x[:, 1]]).astype(np.float32)
    return Problem("two", "", "", "", x, y, layers(2, 2, 2), Settings(rate=0.1, initial=1.0))


def expected_reward(network: Connected, x: np.ndarray, y: np.ndarray) -> Any:
    """Σ_x Σ_states P(state) r(state), written out."""
    total = 0.0
    for hidden, output in itertools.product(itertools.product([0.0, 1.0], repeat=2), repeat=2):
        s = {"input": x, "hidden": np.tile(hidden, (len(x), 1)), "output": np.tile(output, (len(x), 1))}
        probability = 1.0
        for units in network.wiring.units:
            p = cr.nn.sigmoid(network.weighted_input(units, s))
            probability = probability * cnp.prod(cnp.where(s[units.name] > 0, p, 1 - p), axis=1)
        right = np.mean((s["output"] > 0.5) == (y > 0.5), axis=1)
        total = total + cnp.sum(probability * right)
    return total


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_the_mean_change_of_reinforce_is_the_gradient_of_the_expected_reward(baseline: float) -> None:
    p = two_outputs()
    x, y = p.x.astype(float), p.y.astype(float)
    network = p.network(random.key(3)).astype("float64")
    slope = tree_map(np.asarray, cr.grad(lambda n: expected_reward(n, x, y))(network))
    learner = Reinforce(rate=1.0, decay=0.0)

    def change(key: Any) -> Any:
        chances = random.uniform(key, (4, 4), np.float64)
        after, _ = learner.changed(network, x, y, np.full(4, baseline), chances)
        return tree_map(lambda new, old: new - old, after, network)

    changes = cr.compile(cr.vmap(change))(random.split(random.key(0), DRAWS))
    assert_mean_is(changes, slope)


def assert_mean_is(draws: Any, wanted: Any) -> None:
    """The means are within 4.5 standard errors, which are small beside what is wanted."""
    flat = [np.concatenate([np.reshape(a, (rows, -1)) for a in leaves(tree)], 1)
            for tree, rows in ((draws, DRAWS), (wanted, 1))]  # fmt: skip
    error = flat[0].std(0) / np.sqrt(DRAWS)
    assert error.max() < 0.1 * np.abs(flat[1]).max()
    assert (np.abs(flat[0].mean(0) - flat[1][0]) < 4.5 * error + 1e-7).all()


def leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(a) for a in cr.trace.tree.flatten(tree)[0]]


def test_reward_penalty_without_penalty_is_reinforce_without_baseline_bit_by_bit() -> None:
    p = problem("xor")
    first, second = (
        rule("reward-penalty", penalty=0.0, rate=0.5),
        rule("reinforce", forgetting=0.0, decay=0.0, rate=0.5),
    )
    a, b = (trials(p, learner, 5, budget=30) for learner in (first, second))
    assert (a.sweeps == b.sweeps).all()
    for one, other in zip(leaves(a.states[0]), leaves(b.states[0]), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize(("chance", "right"), [(0.1, 1.0), (0.1, 0.0), (0.9, 1.0), (0.9, 0.0)])
def test_a_single_unit_is_drawn_to_its_state_by_reward_and_away_by_penalty(chance: float, right: float) -> None:
    network = Connected(2, [Units("output", 1)], [("input", "output")], seed=1)
    x = np.array([[3.0, -2.0]], np.float32)
    p = float(network(x)[0, 0])
    s = float(chance < p)
    y = np.array([[s if right else 1 - s]], np.float32)
    after, _ = RewardPenalty(rate=0.5, penalty=0.2).changed(network, x, y, (), np.array([[chance]]))
    wanted = 0.5 * (right * (s - p) + 0.2 * (1 - right) * (1 - s - p))
    np.testing.assert_allclose(after.biases["output"] - network.biases["output"], [wanted], rtol=1e-5)
    moved = after.weights["input->output"] - network.weights["input->output"]
    np.testing.assert_allclose(moved, [[3 * wanted, -2 * wanted]], rtol=1e-5)


def test_units_fire_as_often_as_their_probability_says() -> None:
    p = two_outputs()
    network = p.network(random.key(0))
    probability, s = cr.vmap(lambda key: fired(network, p.x, random.uniform(key, (4, 4))))(
        random.split(random.key(1), 9000)
    )
    for name in ("hidden", "output"):
        error = np.sqrt((probability[name] * (1 - probability[name])).mean(0) / 9000)
        assert (np.abs(s[name].mean(0) - probability[name].mean(0)) < 4.5 * error).all()
        assert set(np.unique(s[name])) == {0.0, 1.0}


def test_the_reward_is_the_fraction_of_outputs_that_are_right() -> None:
    p = two_outputs()
    network = p.network(random.key(0))
    s = {"output": np.array([[0, 0], [0, 1], [1, 0], [0, 1]], np.float32)}
    assert reward(network, s, p.y).ravel().tolist() == [1, 1, 0, 0]
    assert reward(network, {"output": 0 * s["output"]}, p.y).ravel().tolist() == [1, 0.5, 0.5, 0.5]


def test_the_answers_are_those_of_threshold_units() -> None:
    p = two_outputs()
    network = p.network(random.key(5))
    w, b = network.weights, network.biases
    hidden = (p.x @ w["input->hidden"].T + b["hidden"] > 0).astype(float)
    wanted = hidden @ w["hidden->output"].T + b["output"] > 0
    assert (more_probable(network, p.x) == wanted).all()


def test_the_baseline_becomes_the_mean_reward_of_each_pattern() -> None:
    p = two_outputs()
    learner = Reinforce(rate=0.0, forgetting=0.02, decay=0.0)
    network = p.network(random.key(2))
    start = network, np.zeros(4, np.float32)
    sweeps = cr.compile(lambda keys: cr.scan(lambda s, key: (learner.sweep(p, s, 0, key), None), start, keys)[0])
    _, baselines = sweeps(random.split(random.key(1), 3000))
    wanted = [expected_reward(network, p.x[n : n + 1], p.y[n : n + 1]) for n in range(4)]
    np.testing.assert_allclose(baselines, np.array(wanted, float), atol=4.5 * 0.5 * np.sqrt(0.02 / 1.98))


@pytest.mark.parametrize("name", ["reward-penalty", "reinforce"])
def test_units_that_are_not_logistic_cannot_fire(name: str) -> None:
    p = two_outputs()
    units = (Units("hidden", 2, "tanh"), Units("output", 2))
    refusal = rule(name).refusal(replace(p, wiring=replace(p.wiring, units=units)))
    assert refusal is not None
    assert "'hidden' has tanh units" in refusal
    assert rule(name).refusal(p) is None
