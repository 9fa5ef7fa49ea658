"""Many networks side by side in one compiled program, each from a seed of its own, until each has solved its problem.

The program advances a fixed number of networks, the lanes, by a stretch of sweeps. Between stretches a lane whose
network has solved the problem, or spent its budget, is given to the next trial that waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import random
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.base import Rule, Spending
from chainrule.errors import OptionError
from chainrule.trace import namespace as cnp
from chainrule.trace.tree import flatten, tree_map, unflatten
from chainrule.transform import compile, scan, vmap

__all__ = ["Trials", "run_trials", "trials"]

Values = np.ndarray[Any, Any]
_LANES, _STRETCH = 128, 64
_RUNNING = -1


@dataclass(frozen=True, eq=False)
class Trials:
    """What came of a rule on a problem from many seeds.

    `sweeps[i]` is the number of sweeps after which trial i had solved the problem, −1 if it had not within `budget`, or
    has not yet. `states` are the states in which they ended, stacked along a first axis. `spending` is that of one
    sweep; `seconds` is the time that all of it took, without the time to compile.
    """

    problem: Problem
    rule: Rule
    budget: int
    seed: int
    sweeps: Values
    finished: Values
    states: Any
    spending: Spending
    swept: int
    seconds: float

    @property
    def solved(self) -> Values:
        """Which trials solved the problem."""
        found: Values = self.sweeps >= 0
        return found

    @property
    def fraction(self) -> float:
        """The fraction of the finished trials that solved it."""
        return float(self.solved[self.finished].mean()) if self.finished.any() else 0.0

    @property
    def seconds_per_sweep(self) -> float:
        """The time of one sweep of one network."""
        return self.seconds / max(self.swept, 1)

    def quantile(self, q: float) -> float:
        """The q-quantile of sweeps over all finished trials, those that did not solve it counted as infinitely many."""
        counted = np.where(self.solved, self.sweeps.astype(float), np.inf)[self.finished]
        return float(np.quantile(counted, q, method="inverted_cdf")) if len(counted) else np.nan

    def state(self, trial: int) -> Any:
        """The state in which a trial ended."""
        return tree_map(lambda a: a[trial], self.states)


def trials(
    problem: Problem, rule: Rule, count: int = 100, *, budget: int | None = None, seed: int = 0, lanes: int = _LANES
) -> Trials:
    """So many trials of a rule on a problem, each until it is solved or `budget` sweeps are spent.

    Trial i starts from the key `fold_in(key(seed), i)`, so that it is the same however many others there are.

    Raises OptionError if the rule cannot take the problem's network.
    """
    for found in run_trials(problem, rule, count, budget=budget, seed=seed, lanes=lanes):
        last = found
    return last


def run_trials(
    problem: Problem, rule: Rule, count: int = 100, *, budget: int | None = None, seed: int = 0, lanes: int = _LANES
) -> Iterator[Trials]:
    """The trials as they go on, again after each stretch of sweeps; the last is what `trials` returns."""
    limit = problem.budget if budget is None else budget
    _check(problem, rule, count, limit, lanes)
    pool = _Pool(problem, rule, count, limit, seed, min(lanes, count))
    while pool.advance():
        yield pool.found()
    yield pool.found()


def _check(problem: Problem, rule: Rule, count: int, budget: int, lanes: int) -> None:
    refusal = rule.refusal(problem)
    if refusal is not None:
        raise OptionError(f"{rule.name} cannot take {problem.name}: {refusal}")
    for name, value in (("trials", count), ("budget", budget), ("lanes", lanes)):
        if not isinstance(value, int | np.integer) or value < 1:
            raise OptionError(f"{name} must be a whole number of at least 1, not {value!r}.")


class _Pool:
    """The lanes, the trials that wait, and those that are done."""

    def __init__(self, problem: Problem, rule: Rule, count: int, budget: int, seed: int, lanes: int) -> None:
        self.problem, self.rule, self.budget, self.seed = problem, rule, budget, seed
        self.stretch = min(_STRETCH, budget)
        self.program = compile(_stretch(problem, rule, self.stretch))
        self.spending = rule.spending(problem)
        self.keys = _keys(seed, count)
        started = compile(vmap(lambda key: rule.start(problem, key)))(self.keys)
        self.leaves, self.structure = flatten(started)
        self.leaves = [np.array(leaf) for leaf in self.leaves]
        self.sweeps = np.full(count, _RUNNING, np.int32)
        self.finished = np.zeros(count, bool)
        self.waiting = list(range(lanes, count))
        self.trial = np.arange(lanes)  # the trial in each lane
        self.at = np.zeros(lanes, np.int32)  # how many sweeps each lane has made
        self.idle = np.zeros(lanes, bool)
        self.inside = [leaf[:lanes].copy() for leaf in self.leaves]
        self.seconds, self.swept = 0.0, 0
        self.program.program(*self._arguments())  # compiled before the clock starts

    def _arguments(self) -> tuple[Any, ...]:
        solved = np.where(self.idle, self.at, np.int32(_RUNNING)).astype(np.int32)
        return unflatten(self.structure, self.inside), self.keys[self.trial], solved, self.at

    def advance(self) -> bool:
        """One stretch of sweeps in every lane; whether there is more to do."""
        begin = time.perf_counter()
        state, solved, at = self.program(*self._arguments())
        self.seconds += time.perf_counter() - begin
        self.inside, self.at = [np.array(leaf) for leaf in flatten(state)[0]], np.array(at)
        self.swept += int((~self.idle).sum()) * self.stretch
        solved = np.where(solved <= self.budget, solved, _RUNNING)
        for lane in np.flatnonzero(((solved >= 0) | (self.at >= self.budget + 1)) & ~self.idle):
            self._leave(int(lane), int(solved[lane]))
        return not bool(self.idle.all())

    def _leave(self, lane: int, solved: int) -> None:
        trial = self.trial[lane]
        self.sweeps[trial], self.finished[trial] = solved, True
        for whole, inside in zip(self.leaves, self.inside, strict=True):
            whole[trial] = inside[lane]
        if not self.waiting:
            self.idle[lane] = True
            return
        self.trial[lane] = self.waiting.pop(0)
        self.at[lane] = 0
        for whole, inside in zip(self.leaves, self.inside, strict=True):
            inside[lane] = whole[self.trial[lane]]

    def found(self) -> Trials:
        """What is known by now."""
        return Trials(
            self.problem, self.rule, self.budget, self.seed, self.sweeps.copy(), self.finished.copy(),
            unflatten(self.structure, [leaf.copy() for leaf in self.leaves]), self.spending, self.swept, self.seconds,
        )  # fmt: skip


def _keys(seed: int, count: int) -> Values:
    """The key of each trial."""
    key = random.key(seed)
    return np.stack([random.fold_in(key, n) for n in range(count)])


def _stretch(problem: Problem, rule: Rule, length: int) -> Callable[..., Any]:
    """The function that advances lanes `(states, keys, solved, at)` by so many sweeps.

    A network that has solved the problem stays as it is.
    """

    def one_sweep(state: Any, key: Any, solved: Any, at: Any) -> tuple[Any, Any, Any]:
        solved = cnp.where((solved < 0) & rule.solved(problem, state), at, solved)
        after = rule.sweep(problem, state, at, random.fold_in(key, at + 1))
        return tree_map(lambda old, new: cnp.where(solved < 0, new, old), state, after), solved, at + 1

    def stretch(states: Any, keys: Any, solved: Any, at: Any) -> tuple[Any, Any, Any]:
        def advance(carry: Any, _: Any) -> tuple[Any, None]:
            states, solved, at = carry
            return vmap(one_sweep)(states, keys, solved, at), None

        return scan(advance, (states, solved, at), length=length)[0]  # type: ignore[no-any-return]

    return stretch
