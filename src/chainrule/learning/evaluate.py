"""Measuring a network on examples, as a native loop over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.dataset import DataSet
from chainrule.learning.examples import Examples, in_batches, prepared
from chainrule.learning.programs import ROW, evaluation_plan, number_rows, program, run
from chainrule.nn.costs import cost_function
from chainrule.nn.objective import Objective, is_function
from chainrule.nn.outline import outline, per_example_cost
from chainrule.nn.parameters import Parameters
from chainrule.trace.tree import flatten

__all__ = ["Evaluator", "Totals", "chosen_cost", "evaluate"]

Values = np.ndarray[Any, Any]
_AT_ONCE = 250  # examples: enough for products to be fast, few enough that filling up the last batch costs little


def evaluate(
    network: Any, data: DataSet | tuple[Any, Any], *, cost: Any, l2: float = 0.0
) -> tuple[float, float | None]:
    """The cost of a network on examples, and the fraction of them that it classifies rightly.

    `cost` is a Cost, the name of one, or a function `(network, x, y)`. It is the mean over the n examples of C_x, plus
    `λ/(2n) Σ w²` over the weights for `l2=λ`. The fraction is None if the targets are no classes. Everything is
    computed in the network's own dtype.

    Raises OptionError for a cost that does not suit the network, DataError for data that do not.

    >>> from chainrule.nn.network import Network
    >>> network = Network.from_weights([(np.eye(2), np.zeros(2))], "identity")
    >>> evaluate(network, ([[1.0, 0.0], [0.0, 1.0]], [0, 0]), cost="quadratic")
    (0.5, 0.5)
    """
    kind = Parameters.of(network).dtype
    examples = prepared(data, network, kind)
    chosen = chosen_cost(cost, network, examples)
    evaluator = Evaluator(network, Objective(chosen, l2 / examples.count), examples)
    totals = evaluator.measure([np.asarray(leaf, order="C") for leaf in flatten(network)[0]])
    return totals.mean_cost, totals.accuracy(examples.classes)


def chosen_cost(cost: Any, network: Any, examples: Examples) -> Any:
    """The cost that is asked for: a value, for outputs like the network's, or a function `(network, x, y)` itself.

    Raises OptionError for a cost that does not suit the network.
    """
    return cost if is_function(cost) else cost_function(cost, outline(network, examples.x).activation)


@dataclass
class Totals:
    """Sums over the steps of an epoch so far."""

    examples: int = 0
    cost: float = 0.0
    right: float = 0

    def add(self, costs: Values, right: Values, batch: Values | int) -> None:
        """The results of a stretch of steps, and how many examples counted in each."""
        counts = np.broadcast_to(batch, costs.shape)
        self.examples += int(counts.sum())
        self.cost += float(np.sum(costs * counts, dtype=np.float64))
        self.right += float(right.sum())

    @property
    def mean_cost(self) -> float:
        """The mean over the examples so far."""
        return self.cost / max(self.examples, 1)

    def accuracy(self, classes: bool) -> float | None:
        """The fraction of right answers, if there are such."""
        return self.right / max(self.examples, 1) if classes else None


class Evaluator:
    """What measures the weights of a network, as they are at the time, on the same examples."""

    def __init__(self, network: Any, objective: Objective, examples: Examples) -> None:
        data = (examples.x, examples.labels)
        self.count, self.tables, self.penalty = examples.count, examples.tables, float(objective.penalty)
        counted = per_example_cost(objective, network, *data)
        self.parts = in_batches(self.count, _AT_ONCE if counted else min(self.count, _AT_ONCE), filled=counted)
        self.programs = [
            program(evaluation_plan(network, objective, data, part.size, counted=counted)) for part in self.parts
        ]

    def measure(self, weights: Sequence[Values]) -> Totals:
        """The sums over all the examples for a network with these weights and biases."""
        totals, rows = Totals(), np.arange(self.count, dtype=ROW)
        for part, made in zip(self.parts, self.programs, strict=True):
            numbers = number_rows(None, range(part.times), penalty=self.penalty, count=part.counts)
            costs, right = run(made, weights, self.tables, part.of(rows), numbers)
            totals.add(costs, right, part.counts)
        return totals
