"""The gradient by trying each weight: one more forward pass for every weight, and one for none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final

from chainrule import numpy as np
from chainrule.classics.problems.base import Problem, Settings
from chainrule.classics.rules.base import Rule, Spending, unit_count
from chainrule.classics.rules.descent import Descent, at_rest, error, with_rates
from chainrule.nn.connected import Connected
from chainrule.transform import scan
from chainrule.tree import ravel

__all__ = ["FiniteDifferences"]


@final
@dataclass(frozen=True)
class FiniteDifferences(Rule):
    """`∂E/∂wⱼ ≈ (E(w + h eⱼ) − E(w)) / h`, then the step of backpropagation with the same rate and momentum.

    A gradient of W weights takes W + 1 forward passes of each pattern, or 2W when `central`:
    `(E(w + h eⱼ) − E(w − h eⱼ)) / 2h`. `size` is h: in float32 a hundredth balances the error of the quotient, of order
    h or h², against that of rounding, of order 10⁻⁷ E / h.

    Source: Nielsen, Neural Networks and Deep Learning, chapter 2, equation 46.
    """

    name: ClassVar[str] = "finite-differences"
    title: ClassVar[str] = "finite differences, a weight at a time"

    rate: float | None = None
    momentum: float | None = None
    size: float = 0.01
    central: bool = False

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
        """The quotients for all weights, a tree like the network; no key is needed for them."""
        weights, made = ravel(network)
        indices = np.arange(len(weights))

        def cost(weights: Any) -> Any:
            return error(problem.settings, made(weights)(x), d)

        def slope(before: Any, index: Any) -> Any:
            step = np.where(indices == index, self.size, 0).astype(weights.dtype)
            if self.central:
                return before, (cost(weights + step) - cost(weights - step)) / (2 * self.size)
            return before, (cost(weights + step) - before) / self.size

        return made(scan(slope, cost(weights), indices)[1])

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs for the patterns."""
        return state[0](problem.x)

    def passes(self, problem: Problem) -> int:
        """How many forward passes of each pattern a change takes."""
        return 2 * problem.wiring.parameters if self.central else problem.wiring.parameters + 1

    def spending(self, problem: Problem) -> Spending:
        """W + 1 forward passes for each pattern, or 2W; none backward."""
        units, operations = unit_count(problem.wiring), self.operations(problem)
        return Spending.of_passes(problem, units, operations, forward=self.passes(problem))
