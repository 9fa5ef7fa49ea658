"""Backpropagation as in 1986: the gradient of the whole sweep, and momentum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.classics.problems.base import Problem, Settings
from chainrule.classics.rules.base import Rule, Spending
from chainrule.nn.connected import Connected
from chainrule.trace.tree import tree_map
from chainrule.transform import grad, scan, stop_gradient

__all__ = ["Backpropagation", "error", "momentum_step"]


@dataclass(frozen=True)
class Backpropagation(Rule):
    """`Δw(t) = −ε ∂E/∂w + α Δw(t−1)` with the gradient by backpropagation (Nature 323, equations 4 to 9).

    `rate` ε and `momentum` α are those of the problem's settings unless told.
    """

    name: ClassVar[str] = "backpropagation"
    title: ClassVar[str] = "backpropagation (Rumelhart, Hinton & Williams 1986)"

    rate: float | None = None
    momentum: float | None = None

    def settings(self, problem: Problem) -> Settings:
        """The problem's settings, with the rate and the momentum that the rule was told."""
        told = {"rate": self.rate, "momentum": self.momentum}
        changed: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
        return replace(problem.settings, early_sweeps=0, **changed) if changed else problem.settings

    def start(self, problem: Problem, key: Any) -> Any:
        """The network, and the last change of each weight: none."""
        network = problem.network(key)
        return network, tree_map(lambda w: 0 * w, network)

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """A change after all patterns, or after each in turn, as the settings say."""
        x, d = np.asarray(problem.x), np.asarray(problem.targets)
        if self.settings(problem).change_after == "sweep":
            return self.changed(problem, state, number, x, d, key)

        def present(state: Any, pattern: Any) -> Any:
            place, *rows = pattern
            x, d = (np.expand_dims(row, 0) for row in rows)
            return self.changed(problem, state, number, x, d, random.fold_in(key, place)), None

        return scan(present, state, (np.arange(problem.patterns), x, d))[0]

    def changed(self, problem: Problem, state: Any, number: Any, x: Any, d: Any, key: Any) -> Any:
        """The state after one change for the patterns x with targets d; the key belongs to this change alone."""
        network, last = state
        gradient = self.gradient(problem, network, x, d, key)
        return momentum_step(self.settings(problem), network, last, gradient, number)

    def gradient(self, problem: Problem, network: Connected, x: Any, d: Any, key: Any) -> Any:
        """∂E/∂w for the patterns x with targets d, a tree like the network; no key is needed for it here."""
        return grad(lambda network: error(problem.settings, network(x), d))(network)

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs for the patterns."""
        return state[0](problem.x)

    def spending(self, problem: Problem) -> Spending:
        """One forward and one backward pass for each pattern."""
        n, units = problem.patterns, sum(units.size for units in problem.wiring.units)
        return Spending(n, n, n, n * units, self.operations(problem))


def error(settings: Settings, outputs: Any, d: Any) -> Any:
    """`E = ½ Σ_x Σⱼ (yⱼ − dⱼ)²`, without the outputs that are closer to their targets than `ignored`."""
    difference = outputs - d
    if settings.ignored:
        counted = stop_gradient(np.abs(difference)) >= settings.ignored
        difference = np.where(counted, difference, 0)
    return 0.5 * np.sum(difference * difference)


def momentum_step(settings: Settings, network: Any, last: Any, gradient: Any, number: Any) -> tuple[Any, Any]:
    """`Δw(t) = −ε ∂E/∂w + α Δw(t−1)`: the network and the change that it has made."""
    rate: Any = settings.rate
    momentum: Any = settings.momentum
    if settings.early_sweeps:
        early = number < settings.early_sweeps
        rate = np.where(early, numpy.float32(settings.early_rate), numpy.float32(rate))
        momentum = np.where(early, numpy.float32(settings.early_momentum), numpy.float32(momentum))
    change = tree_map(lambda g, v: momentum * v - rate * g, gradient, last)
    kept = 1 - settings.decay
    return tree_map(lambda w, v: (w + v) * kept if settings.decay else w + v, network, change), change
