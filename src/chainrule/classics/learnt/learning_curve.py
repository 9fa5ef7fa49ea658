"""One network as it learns: its error and how many patterns are right, after every sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule import random
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.base import Rule
from chainrule.classics.rules.descent import error
from chainrule.display import Brief
from chainrule.transform import compile, scan

__all__ = ["LearningCurve", "follow"]

Values = np.ndarray[Any, Any]
_STRETCH = 64  # sweeps between two looks at the network
_POINTS = 400  # of a curve that is kept


@dataclass(frozen=True, eq=False, repr=False)
class LearningCurve(Brief):
    """The error E and the number of patterns that are right, before the sweeps `at`.

    `solved` is the number of sweeps after which all outputs were right for the first time, None if they never were.
    """

    at: Values
    errors: Values
    right: Values
    solved: int | None

    @property
    def sweeps(self) -> int:
        """How many sweeps were followed."""
        return int(self.at[-1])

    def thinned(self, points: int = _POINTS) -> LearningCurve:
        """The same with at most so many points, the first, the last and that of the solution among them."""
        chosen = np.linspace(0, len(self.at) - 1, min(points, len(self.at))).round().astype(int)
        if self.solved is not None:
            chosen = np.union1d(chosen, np.searchsorted(self.at, self.solved))
        return LearningCurve(self.at[chosen], self.errors[chosen], self.right[chosen], self.solved)


Watch = Callable[[LearningCurve], None]


def follow(
    problem: Problem, rule: Rule, key: Any, *, budget: int | None = None, watch: Watch | None = None
) -> tuple[Any, LearningCurve]:
    """The state in which a network ends, and its curve: until it has solved the problem, and then as many sweeps again.

    Without a solution it ends when `budget` sweeps are spent; in either case with the 64 sweeps that it is in. `watch`
    is given the curve after every 64 sweeps.
    """
    end, solved = problem.budget if budget is None else budget, None
    advance, state = compile(_stretch(problem, rule)), rule.start(problem, key)
    looks: list[list[Values]] = []
    while len(looks) * _STRETCH < end:
        state, *found = advance(state, key, np.int32(len(looks) * _STRETCH))
        looks.append([np.asarray(part) for part in found])
        if solved is None and looks[-1][2].any():
            solved = (len(looks) - 1) * _STRETCH + int(np.argmax(looks[-1][2]))
            end = 2 * solved + 1
        if watch is not None:
            watch(_curve(looks, solved))
    return state, _curve(looks, solved)


def _curve(looks: list[list[Values]], solved: int | None) -> LearningCurve:
    errors, right, _ = (np.concatenate(parts) for parts in zip(*looks, strict=True))
    return LearningCurve(np.arange(len(errors)), errors, right, solved)


def _stretch(problem: Problem, rule: Rule) -> Callable[..., Any]:
    """The function that advances `(state, key, at)` by 64 sweeps: with E, the patterns right, and whether solved."""

    def look(state: Any) -> Any:
        outputs = rule.answers(problem, state)
        right = cnp.sum(cnp.all((outputs > 0.5) == (problem.y > 0.5), axis=1))
        return error(problem.settings, outputs, problem.targets), right, rule.solved(problem, state)

    def stretch(state: Any, key: Any, at: Any) -> Any:
        def advance(state: Any, n: Any) -> Any:
            return rule.sweep(problem, state, at + n, random.fold_in(key, at + n + 1)), look(state)

        state, looks = scan(advance, state, np.arange(_STRETCH, dtype=np.int32))
        return state, *looks

    return stretch
