"""The step of 1986, down a gradient and with momentum: what rules do that have a gradient, however they come by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.classics.problems.base import Problem, Settings
from chainrule.nn.connected import Connected
from chainrule.trace.tree import tree_map
from chainrule.transform import scan, stop_gradient

__all__ = ["Descent", "Gradient", "at_rest", "error", "momentum_step", "with_rates"]

#: ∂E/∂w of a network for patterns x with targets d, a tree like the network; the last is the key of this change alone.
Gradient = Callable[[Connected, Any, Any, Any], Any]


@dataclass(frozen=True)
class Descent:
    """`Δw(t) = −ε ∂E/∂w + α Δw(t−1)` on a problem, with these settings and the gradient that a rule has.

    A state is the network, and the last change of each weight.
    """

    problem: Problem
    settings: Settings
    gradient: Gradient

    def sweep(self, state: Any, number: Any, key: Any) -> Any:
        """The state after one more sweep: a change after all patterns, or after each in turn, as the settings say."""
        x, d = np.asarray(self.problem.x), np.asarray(self.problem.targets)
        if self.settings.change_after == "sweep":
            return self._changed(state, number, x, d, key)

        def present(state: Any, pattern: Any) -> Any:
            index, *rows = pattern
            x, d = (np.expand_dims(row, 0) for row in rows)
            return self._changed(state, number, x, d, random.fold_in(key, index)), None

        return scan(present, state, (np.arange(self.problem.patterns), x, d))[0]

    def _changed(self, state: Any, number: Any, x: Any, d: Any, key: Any) -> Any:
        network, last = state
        return momentum_step(self.settings, network, last, self.gradient(network, x, d, key), number)


def at_rest(network: Connected) -> tuple[Connected, Connected]:
    """The state before the first sweep: the network, and no last change."""
    return network, tree_map(lambda w: 0 * w, network)


def with_rates(settings: Settings, rate: float | None, momentum: float | None) -> Settings:
    """The settings with the rate and the momentum that a rule was told, throughout; None leaves them."""
    told = {"rate": rate, "momentum": momentum}
    changed: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    return replace(settings, early_sweeps=0, **changed) if changed else settings


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
