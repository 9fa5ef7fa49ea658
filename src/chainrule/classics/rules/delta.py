"""The delta rule of Widrow and Hoff: least mean squares by steps along the error of a linear unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy

from chainrule import numpy as np
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.base import Rule, Spending, local_gradient
from chainrule.classics.rules.perceptron import single_layer, single_layer_limit
from chainrule.nn.connected import Connected
from chainrule.trace.tree import tree_map
from chainrule.transform import scan

__all__ = ["Delta"]


@final
@dataclass(frozen=True)
class Delta(Rule):
    """`Δw = η (d − y) x` after each pattern, or summed over a sweep, for linear units `y = w·x + b`.

    As for the perceptron, the problem's inputs reach the outputs directly. It comes to the least squares of d − y,
    which need not be a solution even of separable patterns: summed over a sweep to their very minimum, one after
    another to within the order of η. `rate` η is unless told 0.1 / max ‖x̃‖², or 1 / λ for sweeps, with the largest
    eigenvalue λ of Σ x̃ x̃ᵀ, where x̃ = (x, 1): below half of what would make it diverge.

    Source: Widrow & Hoff, Adaptive switching circuits, IRE WESCON Convention Record 4 (1960), 96-104.
    """

    name: ClassVar[str] = "delta"
    title: ClassVar[str] = "delta rule (Widrow & Hoff 1960)"

    rate: float | None = None
    change_after: Literal["sweep", "presentation"] = "presentation"

    def limit(self, problem: Problem) -> str | None:
        """Which outputs are not linearly separable."""
        return single_layer_limit(problem)

    def start(self, problem: Problem, key: Any) -> Any:
        """The network alone."""
        return Connected.of(single_layer(problem), key, problem.settings.initial)

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """Every pattern once, in order."""
        rate, x, d = self._rate(problem), np.asarray(problem.x), np.asarray(problem.targets)

        def changed(network: Any, x: Any, d: Any) -> Any:
            change = local_gradient(network, {"input": x}, {"output": d - network(x)})
            return tree_map(lambda w, c: w + rate * c, network, change)

        if self.change_after == "sweep":
            return changed(state, x, d)
        return scan(lambda network, rows: (changed(network, *rows), None), state, (x[:, None], d[:, None]))[0]

    def _rate(self, problem: Problem) -> float:
        if self.rate is not None:
            return self.rate
        x = numpy.column_stack([problem.x, numpy.ones(problem.patterns)]).astype(float)
        if self.change_after == "presentation":
            return 0.1 / float((x * x).sum(1).max())
        return 1 / float(numpy.linalg.eigvalsh(x.T @ x)[-1])

    def answers(self, problem: Problem, state: Any) -> Any:
        """The linear outputs for the patterns."""
        return state(problem.x)

    def spending(self, problem: Problem) -> Spending:
        """One forward pass for each pattern."""
        return Spending.of_passes(problem, problem.y.shape[1], self.operations(problem))
