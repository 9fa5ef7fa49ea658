"""Many networks side by side in one compiled program, each from a seed of its own, until each has solved its problem.

The program advances a fixed number of networks, the lanes, sweep by sweep. When an eighth of them have solved the
problem or spent their budget it stops, and their lanes go to trials that wait; when few are left, with much to do, they
go on in a program of fewer lanes. What becomes of a trial does not depend on the lanes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule import random
from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.base import Rule, Spending
from chainrule.display import counted
from chainrule.errors import OptionError
from chainrule.trace.tree import flatten, tree_map, unflatten
from chainrule.transform import compile, vmap, while_loop

__all__ = ["Trials", "run_trials", "trials"]

Values = np.ndarray[Any, Any]
_LANES = 64
_FEWEST = 8  # lanes: below, they do not fill the processor's vectors, and numbers are added in another order
_SHARE = 8  # of the lanes are given to others at a time
_ROUND = 1e9  # floating-point operations of all lanes in one round, at most
_STRETCH = 1e8  # the same for the first stretch
_LITTLE = 2e9  # operations in all, at most, for which the fewest lanes will do: their program is compiled sooner
_WORTH = 2e9  # operations that must be left to do, idle lanes included, for a smaller program to be compiled
_REPORT = 0.05  # seconds of a stretch
_MOST = 2**31 - 2  # sweeps that are counted
_RUNNING = -1


@dataclass(frozen=True, eq=False, repr=False)
class Trials:
    """What came of a rule on a problem from many seeds.

    `sweeps[i]` is the number of sweeps after which trial i had solved the problem, −1 if it had not within `budget`, or
    has not yet; `made[i]` is how many it made. `states` are the states in which they ended, stacked along a first axis.
    `spending` is that of one sweep. `seconds` is the processor time of the `computed` sweeps of all lanes, which are
    more than the trials made, as some lanes are idle; the time to compile is not in it.
    """

    problem: Problem
    rule: Rule
    budget: int
    seed: int
    sweeps: Values
    made: Values
    finished: Values
    states: Any
    spending: Spending
    computed: int
    seconds: float

    def __repr__(self) -> str:
        told = f"{int(self.solved.sum())} of {int(self.finished.sum())} solved within {counted(self.budget, 'sweep')}"
        return f"Trials({self.problem.name} by {self.rule.name}: {told})"

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
    def swept(self) -> int:
        """How many sweeps the trials made, all together."""
        return int(self.made.sum(dtype=np.int64))

    @property
    def seconds_per_sweep(self) -> float:
        """The processor time of one sweep of one network, beside others."""
        return self.seconds / max(self.computed, 1)

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

    Trial i starts from the key `fold_in(key(seed), i)`, and is the same however many others there are. At most so many
    `lanes` are side by side, a power of two; at least 8.

    Raises OptionError if the rule cannot take the problem's network.
    """
    for found in run_trials(problem, rule, count, budget=budget, seed=seed, lanes=lanes):
        last = found
    return last


def run_trials(
    problem: Problem,
    rule: Rule,
    count: int = 100,
    *,
    budget: int | None = None,
    seed: int = 0,
    lanes: int = _LANES,
    spending: Spending | None = None,
) -> Iterator[Trials]:
    """The trials as they go on, again after each stretch of sweeps; the last is what `trials` returns.

    `spending` is that of a sweep, if it has been counted before.
    """
    refusal = rule.refusal(problem)
    if refusal is not None:
        raise OptionError(f"{rule.name} cannot take {problem.name}: {refusal}")
    limit = whole_number("budget", problem.budget if budget is None else budget, 1)
    count, lanes = whole_number("trials", count, 1), whole_number("lanes", lanes, 1)
    pool = _Pool(problem, rule, count, limit, seed, lanes, spending or rule.spending(problem))
    while not pool.finished.all():
        pool.advance()
        yield pool.found()


class _Pool:
    """All trials, and which of them are in the lanes: the first that are not finished."""

    def __init__(
        self, problem: Problem, rule: Rule, count: int, budget: int, seed: int, lanes: int, spending: Spending
    ) -> None:
        self.problem, self.rule, self.seed, self.spending = problem, rule, seed, spending
        self.budget = min(budget, _MOST)
        self.keys = _keys(seed, count)
        started = vmap(lambda key: rule.start(problem, key))(self.keys)  # not compiled: it is done once
        leaves, self.structure = flatten(started)
        self.leaves = [np.array(leaf) for leaf in leaves]
        self.sweeps = np.full(count, _RUNNING, np.int32)
        self.at = np.zeros(count, np.int32)  # how often each trial has been looked at: once more than it has swept
        self.finished = np.zeros(count, bool)
        self.program = compile(_stretch(problem, rule))
        self.ready: set[int] = set()  # the lanes for which it is compiled
        self.lanes = _suitable(min(lanes, count), count * self.budget, spending.operations)
        self.rounds = max(1, int(_STRETCH / max(self.lanes * spending.operations, 1)))
        self.seconds, self.computed = 0.0, 0

    def advance(self) -> None:
        """One stretch of sweeps for the trials in the lanes."""
        running = np.flatnonzero(~self.finished)
        waiting = len(running) > self.lanes
        running = running[: self.lanes]
        if len(running) <= _FEWEST and self._is_worth(running):
            self.lanes = _FEWEST
        states, solved, at = self._run(running, self._least(running, waiting))
        for whole, part in zip(self.leaves, flatten(states)[0], strict=True):
            whole[running] = part[: len(running)]
        self.sweeps[running], self.at[running] = solved[: len(running)], at[: len(running)]
        self.finished = (self.sweeps >= 0) | (self.at > self.budget)

    def _run(self, running: Values, least: int) -> tuple[Any, Values, Values]:
        """The program for these trials, in as many lanes as there are: the rest are idle."""
        lane = np.resize(running, self.lanes)
        idle = np.arange(self.lanes) >= len(running)
        states = unflatten(self.structure, [leaf[lane] for leaf in self.leaves])
        solved = np.where(idle, 0, _RUNNING).astype(np.int32)
        arguments = (states, self.keys[lane], solved, self.at[lane], np.int32(self.budget), np.int32(least))
        if self.lanes not in self.ready:  # compiled, and its memory touched, before the clock starts
            self.program(*arguments, np.int32(0))
            self.ready.add(self.lanes)
        begin, busy = time.perf_counter(), time.process_time()
        rounds, states, solved, at = self.program(*arguments, np.int32(self.rounds))
        self.seconds += time.process_time() - busy
        self.computed += int(rounds) * self.lanes
        self.rounds = int(np.clip(_REPORT * int(rounds) / (time.perf_counter() - begin), 1, _MOST))
        return states, solved, at

    def _is_worth(self, running: Values) -> bool:
        """Whether so much may be left to do that fewer lanes repay another program."""
        sweeps = self.budget - int(self.at[running].min())
        return self.lanes > _FEWEST and sweeps * self.lanes * self.spending.operations > _WORTH

    def _least(self, running: Values, waiting: bool) -> int:
        """With how many trials that go on the program goes on."""
        if waiting:
            return self.lanes - self.lanes // _SHARE
        return _FEWEST + 1 if len(running) > _FEWEST and self._is_worth(running) else 1

    def found(self) -> Trials:
        """What is known by now."""
        return Trials(
            self.problem, self.rule, self.budget, self.seed, self.sweeps.copy(), np.minimum(self.at, self.budget),
            self.finished, unflatten(self.structure, [leaf.copy() for leaf in self.leaves]), self.spending,
            self.computed, self.seconds,
        )  # fmt: skip


def _keys(seed: int, count: int) -> Values:
    """The key of each trial."""
    key = random.key(seed)
    found: Values = np.asarray(vmap(lambda n: random.fold_in(key, n))(np.arange(count, dtype=np.int32)))
    return found


def _suitable(lanes: int, sweeps: int, operations: float) -> int:
    """At most so many lanes, fewer where a round would take long or all sweeps little: a power of two."""
    if sweeps * operations <= _LITTLE:
        return _FEWEST
    most = int(min(lanes, _ROUND / max(operations, 1)))
    return max(_FEWEST, 1 << max(most, 1).bit_length() - 1)


def _stretch(problem: Problem, rule: Rule) -> Callable[..., Any]:
    """The function that advances lanes `(states, keys, solved, at)` by at most so many rounds.

    It goes on while at least so many lanes do, and returns how many rounds it went.
    """
    one_round = _round(problem, rule)

    def stretch(states: Any, keys: Any, solved: Any, at: Any, budget: Any, least: Any, rounds: Any) -> Any:
        def advance(carry: Any) -> Any:
            n, states, solved, at = carry
            in_lanes = vmap(lambda state, key, solved, at: one_round(state, key, solved, at, budget))
            return n + 1, *in_lanes(states, keys, solved, at)

        def goes_on(carry: Any) -> Any:
            n, _, solved, at = carry
            return (n < rounds) & (cnp.sum(_goes_on(solved, at, budget).astype(np.int32)) >= least)

        return while_loop(goes_on, advance, (np.int32(0), states, solved, at))

    return stretch


def _round(problem: Problem, rule: Rule) -> Callable[..., Any]:
    """The function that looks at one network and, unless it has solved the problem or made `budget` sweeps, sweeps."""

    def one_round(state: Any, key: Any, solved: Any, at: Any, budget: Any) -> tuple[Any, Any, Any]:
        solved = cnp.where(_goes_on(solved, at, budget) & rule.solved(problem, state), at, solved)
        sweeps = (solved < 0) & (at < budget)
        after = rule.sweep(problem, state, at, random.fold_in(key, at + 1))
        state = tree_map(lambda old, new: cnp.where(sweeps, new, old), state, after)
        return state, solved, cnp.where(_goes_on(solved, at, budget), at + 1, at)

    return one_round


def _goes_on(solved: Any, at: Any, budget: Any) -> Any:
    """Whether a network has not solved the problem, and has not made all its sweeps and been looked at."""
    return (solved < 0) & (at <= budget)
