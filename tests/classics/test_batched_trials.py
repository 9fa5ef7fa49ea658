"""Many trials side by side: each goes its own way, whatever is beside it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from chainrule import random
from chainrule.classics import Problem, Rule, Spending, Trials, problem, rule, run_trials, trials
from chainrule.classics.problems.base import Settings, layers
from chainrule.classics.races import batched_trials
from chainrule.errors import OptionError

PATTERNS = Problem("two", "two", "One pattern on.", "", np.eye(2, dtype=np.float32), np.eye(2, 1, dtype=np.float32),
                   layers(2, 1, 1), Settings(0.1), budget=50)  # fmt: skip


@pytest.fixture(autouse=True)
def _as_many_lanes_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched_trials, "_LITTLE", 0)


class Waiting(Rule):
    """Solves the problem after as many sweeps as each trial's key says, at most `most`."""

    name: ClassVar[str] = "waiting"
    title: ClassVar[str] = "waiting"

    def __init__(self, most: int = 40, operations: float = 10) -> None:
        self.most, self.cost = most, operations

    def start(self, problem: Problem, key: Any) -> Any:
        return {"needed": self.most * random.uniform(key), "made": np.float32(0)}

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        return {**state, "made": state["made"] + 1}

    def answers(self, problem: Problem, state: Any) -> Any:
        return problem.y * (state["made"] >= state["needed"])

    def spending(self, problem: Problem) -> Spending:
        return Spending(2, 2, 0, 4, self.cost)


class Wandering(Waiting):
    """The same, with every sweep's key in the state."""

    def start(self, problem: Problem, key: Any) -> Any:
        return {**super().start(problem, key), "sum": np.float32(0)}

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        return {**super().sweep(problem, state, number, key), "sum": state["sum"] + random.uniform(key)}


def needed(count: int, most: int = 40, seed: int = 0) -> np.ndarray[Any, Any]:
    """The sweeps that each trial needs, from its key alone."""
    keys = [random.fold_in(random.key(seed), n) for n in range(count)]
    return np.ceil([float(np.float32(most) * random.uniform(key)) for key in keys]).astype(int)


def assert_same(found: Trials, wanted: Trials, count: int) -> None:
    np.testing.assert_array_equal(found.sweeps[:count], wanted.sweeps[:count])
    for name, values in wanted.states.items():
        np.testing.assert_array_equal(found.states[name][:count], values[:count])


def test_each_trial_is_solved_when_its_own_key_says() -> None:
    found = trials(PATTERNS, Waiting(), 20, seed=3)
    assert found.finished.all()
    assert found.sweeps.tolist() == needed(20, seed=3).tolist()


def test_a_network_that_has_solved_it_stays_as_it_is() -> None:
    found = trials(PATTERNS, Waiting(), 20)
    np.testing.assert_array_equal(found.states["made"], found.sweeps)
    assert found.state(4)["made"] == found.sweeps[4]


def test_a_network_that_has_spent_its_budget_stays_as_it_is() -> None:
    found = trials(PATTERNS, Waiting(), 20, budget=15)
    unsolved = needed(20) > 15
    assert unsolved.any()
    np.testing.assert_array_equal(found.sweeps < 0, unsolved)
    np.testing.assert_array_equal(found.states["made"], np.minimum(needed(20), 15))


def test_the_last_sweep_of_the_budget_counts() -> None:
    most = int(needed(20).max())
    assert trials(PATTERNS, Waiting(), 20, budget=most).fraction == 1
    assert (trials(PATTERNS, Waiting(), 20, budget=most - 1).sweeps < 0).sum() == (needed(20) == most).sum()


def test_what_is_right_from_the_start_takes_no_sweep() -> None:
    found = trials(PATTERNS, Waiting(most=-1), 3, budget=1)
    assert found.sweeps.tolist() == [0, 0, 0]
    assert found.swept == 0


@pytest.mark.parametrize("width", [1, 2, 7, 64])
def test_the_same_trials_whatever_the_lanes(width: int) -> None:
    wanted = trials(PATTERNS, Wandering(), 20, budget=30)
    assert_same(trials(PATTERNS, Wandering(), 20, budget=30, lanes=width), wanted, 20)


def test_the_same_trials_however_many_others_there_are() -> None:
    assert_same(trials(PATTERNS, Wandering(), 40), trials(PATTERNS, Wandering(), 5), 5)


def test_the_same_trials_in_fewer_lanes_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = trials(PATTERNS, Wandering(1000), 64, budget=2000)
    monkeypatch.setattr(batched_trials, "_WORTH", 0)
    found = trials(PATTERNS, Wandering(1000), 64, budget=2000)
    assert_same(found, wanted, 64)
    assert found.swept <= found.computed < wanted.computed


def test_backpropagation_does_not_depend_on_the_lanes() -> None:
    symmetry, backpropagation = problem("symmetry"), rule("backpropagation")
    wide, narrow, few = (
        trials(symmetry, backpropagation, count, budget=1000, lanes=width)
        for count, width in ((64, 64), (64, 8), (3, 1))
    )
    for found, count in ((narrow, 64), (few, 3)):
        np.testing.assert_array_equal(found.sweeps, wide.sweeps[:count])
        for name, values in wide.states[0].weights.items():
            np.testing.assert_array_equal(found.states[0].weights[name], values[:count])
    assert 0 < wide.fraction < 1


def test_another_seed_makes_other_trials() -> None:
    assert (trials(PATTERNS, Waiting(), 20, seed=1).sweeps != trials(PATTERNS, Waiting(), 20).sweeps).any()


def test_trials_without_a_solution_count_as_infinitely_many_sweeps() -> None:
    found = trials(PATTERNS, Waiting(), 20, budget=15)
    solved = np.sort(found.sweeps[found.solved])
    assert found.fraction == len(solved) / 20
    assert found.quantile(0.05) == solved[0]
    assert found.quantile(len(solved) / 20) == solved[-1]
    assert found.quantile(1) == np.inf


def test_sweeps_are_counted_as_made_and_the_time_as_computed() -> None:
    found = trials(PATTERNS, Waiting(), 20, budget=15)
    assert found.made.tolist() == np.minimum(needed(20), 15).tolist()
    assert found.swept == found.made.sum() <= found.computed
    assert found.seconds_per_sweep == found.seconds / found.computed
    assert found.spending.times(found.swept) == Spending(*(found.swept * cost for cost in (2, 2, 0, 4, 10)))


def test_what_is_known_on_the_way_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched_trials, "_REPORT", 0)  # one round in each stretch
    monkeypatch.setattr(batched_trials, "_STRETCH", 0)
    found = list(run_trials(PATTERNS, Waiting(), 20, lanes=8))
    assert len(found) > 40
    finished = [known.finished.sum() for known in found]
    assert finished == sorted(finished)
    assert finished[-1] == 20
    first = found[0]
    assert first.swept <= 8
    assert first.states["made"].sum() == first.swept
    assert_same(found[-1], trials(PATTERNS, Waiting(), 20), 20)


def test_fewer_lanes_where_a_sweep_takes_long() -> None:
    found = trials(PATTERNS, Waiting(operations=1e9), 20)
    assert found.sweeps.tolist() == needed(20).tolist()
    assert found.computed < trials(PATTERNS, Waiting(), 20).computed


def test_fewer_lanes_where_there_is_little_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = trials(PATTERNS, Waiting(), 64)
    monkeypatch.setattr(batched_trials, "_LITTLE", 64 * 50 * 10)
    narrow = trials(PATTERNS, Waiting(), 64)
    assert narrow.computed < wide.computed
    assert_same(narrow, wide, 64)


def test_a_rule_that_cannot_take_the_problem_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Waiting, "refusal", lambda *_: "it has hidden units.")
    with pytest.raises(OptionError, match="waiting cannot take two: it has hidden units."):
        trials(PATTERNS, Waiting(), 3)


@pytest.mark.parametrize("options", [{"count": 0}, {"count": 2.5}, {"budget": 0}, {"lanes": 0}])
def test_numbers_must_be_whole_and_positive(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="must be a whole number of at least 1"):
        trials(PATTERNS, Waiting(), **options)
