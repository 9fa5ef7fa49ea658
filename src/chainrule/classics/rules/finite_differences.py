"""The gradient by trying each weight: one more forward pass for every weight, and one for none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule import numpy as np
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.backpropagation import Backpropagation, error
from chainrule.classics.rules.base import Spending
from chainrule.nn.connected import Connected
from chainrule.transform import scan
from chainrule.tree import ravel

__all__ = ["FiniteDifferences"]


@dataclass(frozen=True)
class FiniteDifferences(Backpropagation):
    """`∂E/∂wⱼ ≈ (E(w + h eⱼ) − E(w)) / h`, then the step of backpropagation with the same rate and momentum.

    A gradient of W weights takes W + 1 forward passes of each pattern, or 2W when `central`:
    `(E(w + h eⱼ) − E(w − h eⱼ)) / 2h`. `size` is h: in float32 a hundredth balances the error of the quotient, of order
    h or h², against that of rounding, of order 10⁻⁷ E / h.

    Source: Nielsen, Neural Networks and Deep Learning, chapter 2, equation 46.
    """

    name: ClassVar[str] = "finite-differences"
    title: ClassVar[str] = "finite differences, a weight at a time"

    size: float = 0.01
    central: bool = False

    def gradient(self, problem: Problem, network: Connected, x: Any, d: Any, key: Any) -> Any:
        """The quotients for all weights, a tree like the network."""
        weights, made = ravel(network)
        places = np.arange(len(weights))

        def cost(weights: Any) -> Any:
            return error(problem.settings, made(weights)(x), d)

        def slope(before: Any, place: Any) -> Any:
            step = np.where(places == place, self.size, 0).astype(weights.dtype)
            if self.central:
                return before, (cost(weights + step) - cost(weights - step)) / (2 * self.size)
            return before, (cost(weights + step) - before) / self.size

        return made(scan(slope, cost(weights), places)[1])

    def passes(self, problem: Problem) -> int:
        """How many forward passes of each pattern a change takes."""
        return 2 * problem.wiring.parameters if self.central else problem.wiring.parameters + 1

    def spending(self, problem: Problem) -> Spending:
        """W + 1 forward passes for each pattern, or 2W; none backward."""
        passes, units = problem.patterns * self.passes(problem), sum(units.size for units in problem.wiring.units)
        return Spending(problem.patterns, passes, 0, passes * units, self.operations(problem))
