"""Backpropagation as in 1986: the gradient of the whole sweep, and momentum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final

from chainrule.classics.problems.base import Problem, Settings
from chainrule.classics.rules.base import Rule, Spending, unit_count
from chainrule.classics.rules.descent import Descent, at_rest, error, with_rates
from chainrule.nn.connected import Connected
from chainrule.transform import grad

__all__ = ["SweepDescent"]


@final
@dataclass(frozen=True)
class SweepDescent(Rule):
    """`Δw(t) = −ε ∂E/∂w + α Δw(t−1)` with the gradient by backpropagation (Nature 323, equations 4 to 9).

    `rate` ε and `momentum` α are those of the problem's settings unless told.
    """

    name: ClassVar[str] = "backpropagation"
    title: ClassVar[str] = "backpropagation (Rumelhart, Hinton & Williams 1986)"

    rate: float | None = None
    momentum: float | None = None

    def settings(self, problem: Problem) -> Settings:
        """The problem's settings, with the rate and the momentum that the rule was told."""
        return with_rates(problem.settings, self.rate, self.momentum)

    def start(self, problem: Problem, key: Any) -> Any:
        """The network, and the last change of each weight: none."""
        return at_rest(problem.network(key))

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """A change after all patterns, or after each in turn, as the settings say."""
        return Descent(problem, self.settings(problem), partial(self.gradient, problem)).sweep(state, number, key)

    def gradient(self, problem: Problem, network: Connected, x: Any, d: Any, key: Any) -> Any:
        """∂E/∂w for the patterns x with targets d, a tree like the network; no key is needed for it here."""
        return grad(lambda network: error(problem.settings, network(x), d))(network)

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs for the patterns."""
        return state[0](problem.x)

    def spending(self, problem: Problem) -> Spending:
        """One forward and one backward pass for each pattern."""
        return Spending.of_passes(problem, unit_count(problem.wiring), self.operations(problem), backward=1)
