"""Measuring a network on examples, as a native loop over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.dataset import DataSet, as_dataset
from chainrule.display import Brief
from chainrule.errors import DataError
from chainrule.learning.step import ROW, Evaluation, Objective
from chainrule.nn.costs import cost_function
from chainrule.nn.feedforward import Feedforward
from chainrule.trace.tree import flatten

__all__ = ["Evaluator", "Examples", "Totals", "by_size", "evaluate", "prepared"]

Values = np.ndarray[Any, Any]
_AT_ONCE = 1000  # examples


def evaluate(
    network: Feedforward, data: DataSet | tuple[Any, Any], *, cost: str, l2: float = 0.0
) -> tuple[float, float | None]:
    """The cost of a network on examples, and the fraction of them that it classifies rightly.

    The cost is the mean over the n examples of C_x, plus `λ/(2n) Σ w²` over the weights for `l2=λ`. The fraction is
    None if the targets are no classes. Everything is computed in the network's own dtype.

    Raises OptionError for a cost that does not suit the network, DataError for data that do not.

    >>> from chainrule.nn.network import Network
    >>> network = Network.from_weights([(np.eye(2), np.zeros(2))], "identity")
    >>> evaluate(network, ([[1.0, 0.0], [0.0, 1.0]], [0, 0]), cost="quadratic")
    (0.5, 0.5)
    """
    cost_function(cost, network.output_activation)
    examples = prepared(data, network, network.dtype)
    evaluator = Evaluator(network, Objective(cost, l2 / len(examples.x)), examples)
    totals = evaluator.measure([np.asarray(leaf, order="C") for leaf in flatten(network)[0]])
    return totals.mean_cost, totals.accuracy(examples.classes)


@dataclass(frozen=True, repr=False)
class Examples(Brief):
    """Data as the native loop reads them: x of shape (n, inputs), labels of (n,) or targets of (n, outputs)."""

    x: Values
    labels: Values
    classes: bool  # whether right and wrong mean something


def prepared(data: Any, network: Feedforward, dtype: np.dtype[Any]) -> Examples:
    """The data as the native loop reads them; DataError if they do not fit the network."""
    checked = as_dataset(data)
    x = _narrowed(checked.flat(), dtype, "x")
    inputs, outputs = network.inputs, network.outputs
    if x.shape[1] != inputs:
        raise DataError(f"the examples have {x.shape[1]} features, but the network takes {inputs} inputs.")
    labels = checked.labels
    if labels.ndim == 1:
        if labels.max() >= outputs:
            raise DataError(
                f"the labels go up to {labels.max()}, but the network has {outputs} outputs.",
                cure=f"Classes are counted from 0: {labels.max() + 1} outputs are needed.{_as_targets(data, outputs)}",
            )
        return Examples(x, np.ascontiguousarray(labels, np.int64), True)
    if labels.shape[1] != outputs:
        raise DataError(f"the targets have {labels.shape[1]} columns, but the network has {outputs} outputs.")
    one_hot = outputs > 1 and bool(np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=1) == 1))
    return Examples(x, _narrowed(labels, dtype, "labels"), one_hot)


def _as_targets(data: Any, outputs: int) -> str:
    """What to write for labels that are meant as targets of the only output."""
    if outputs > 1:
        return ""
    return f" For targets of the one output write labels[:, None]{'.astype(np.float32)' * isinstance(data, DataSet)}."


def _narrowed(array: Values, dtype: np.dtype[Any], what: str) -> Values:
    with np.errstate(over="ignore"):
        narrowed = np.ascontiguousarray(array, dtype)
    if narrowed.dtype != array.dtype and not np.isfinite(narrowed).all():
        raise DataError(f"{what} goes up to {np.abs(array).max():g}, more than {dtype} can hold.", cure="Scale it.")
    return narrowed


@dataclass
class Totals:
    """Sums over the steps of an epoch so far."""

    examples: int = 0
    cost: float = 0.0
    right: int = 0

    def add(self, costs: Values, right: Values, batch: int) -> None:
        """The results of a stretch of steps of one batch size."""
        self.examples += len(costs) * batch
        self.cost += float(np.sum(costs, dtype=np.float64)) * batch
        self.right += int(right.sum())

    @property
    def mean_cost(self) -> float:
        """The mean over the examples so far."""
        return self.cost / max(self.examples, 1)

    def accuracy(self, classes: bool) -> float | None:
        """The fraction of right answers, if there are such."""
        return self.right / max(self.examples, 1) if classes else None


class Evaluator:
    """What measures the weights of a network, as they are at the time, on the same examples."""

    def __init__(self, network: Feedforward, objective: Objective, examples: Examples) -> None:
        data = (examples.x, examples.labels)
        self.count = len(examples.x)
        self.loops = by_size(self.count, _even_part(self.count), lambda n: Evaluation(network, objective, data, n))

    def measure(self, weights: Sequence[Values]) -> Totals:
        """The sums over all the examples for a network with these weights and biases."""
        totals, rows, start = Totals(), np.arange(self.count, dtype=ROW), 0
        for size, times, evaluation in self.loops:
            batches = rows[start : start + size * times].reshape(times, size)
            costs, right = evaluation.run(weights, batches)
            totals.add(costs, right, size)
            start += size * times
        return totals


def by_size(examples: int, batch: int, make: Callable[[int], Any]) -> Sequence[tuple[int, int, Any]]:
    """`(batch size, how many, program)` for the whole batches and for the shorter one that may be left."""
    sizes = [(batch, examples // batch), (examples % batch, 1)]
    return [(size, count, make(size)) for size, count in sizes if size and count]


def _even_part(examples: int) -> int:
    """The largest batch that divides the examples evenly, if it is of a useful size; else a useful size."""
    most = min(examples, _AT_ONCE)
    even = next(n for n in range(most, 0, -1) if examples % n == 0)
    return even if even >= min(100, examples) else most
