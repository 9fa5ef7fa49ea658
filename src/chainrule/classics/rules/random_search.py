"""Random search: try other weights nearby, and stay where it is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

from chainrule import numpy as np
from chainrule import random
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.base import Rule, Spending, unit_count
from chainrule.classics.rules.descent import error
from chainrule.trace.tree import tree_map
from chainrule.tree import ravel

__all__ = ["RandomSearch"]


@final
@dataclass(frozen=True)
class RandomSearch(Rule):
    """`w ← w + h ν` with ν of the standard normal distribution, if E is less there: one try in each sweep.

    `size` is h. All weights are changed at once, or, with `one_at_a_time`, one alone, drawn at random. E of the weights
    that are kept is remembered, so a sweep takes one forward pass of each pattern.

    Source: Matyas, Random optimization, Automation and Remote Control 26 (1965), 246-253.
    """

    name: ClassVar[str] = "random-search"
    title: ClassVar[str] = "random search, creeping"

    size: float = 0.2
    one_at_a_time: bool = False

    def start(self, problem: Problem, key: Any) -> Any:
        """The network, and its error."""
        network = problem.network(key)
        return network, self._error(problem, network)

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """One try."""
        network, least = state
        tried = self._tried(network, key)
        found = self._error(problem, tried)
        better = found < least
        return tree_map(lambda old, new: np.where(better, new, old), network, tried), np.where(better, found, least)

    def _tried(self, network: Any, key: Any) -> Any:
        weights, made = ravel(network)
        step = self.size * random.normal(key, weights.shape, weights.dtype)
        if self.one_at_a_time:
            index = random.integers(random.fold_in(key, 0), (), 0, len(weights))
            step = np.where(np.arange(len(weights)) == index, step, 0)
        return made(weights + step)

    def _error(self, problem: Problem, network: Any) -> Any:
        return error(problem.settings, network(np.asarray(problem.x)), np.asarray(problem.targets))

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs for the patterns."""
        return state[0](problem.x)

    def spending(self, problem: Problem) -> Spending:
        """One forward pass for each pattern."""
        return Spending.of_passes(problem, unit_count(problem.wiring), self.operations(problem))
