"""What learning minimises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule import numpy as cnp
from chainrule.nn.costs import cost_function, targets
from chainrule.nn.feedforward import Feedforward

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective:
    """What is minimised: the mean of a cost over examples, plus `λ/(2n) Σ w²` over the weights.

    `penalty` is λ/n.
    """

    cost: str
    penalty: float = 0.0

    def measured(self, network: Feedforward, x: Any, labels: Any) -> tuple[Any, Any]:
        """The cost, penalty included, and how many of the examples are classified rightly."""
        z, a = network.output(x)
        y = targets(labels, network)
        data = cnp.mean(cost_function(self.cost, network.output_activation)(z, a, y))
        right = cnp.argmax(a, axis=1) == (labels if labels.ndim == 1 else cnp.argmax(labels, axis=1))
        return data + self._penalty(network), cnp.sum(right)

    def _penalty(self, network: Feedforward) -> Any:
        if self.penalty == 0:
            return 0.0
        squares = sum(cnp.sum(w * w) for w in network.weight_arrays())
        return 0.5 * self.penalty * squares
