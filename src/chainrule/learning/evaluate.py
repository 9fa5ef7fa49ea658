"""Measuring a network on examples, as a native loop over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.dataset import DataSet, as_dataset
from chainrule.display import Brief
from chainrule.errors import DataError
from chainrule.learning.programs import ROW, evaluation_plan, number_rows, program, run
from chainrule.nn.costs import cost_function
from chainrule.nn.objective import Objective, is_function
from chainrule.nn.outline import outline, per_example_cost
from chainrule.nn.parameters import Parameters
from chainrule.trace.tree import flatten, tree_map

__all__ = ["Evaluator", "Examples", "Part", "Totals", "batches", "chosen_cost", "evaluate", "prepared"]

Values = np.ndarray[Any, Any]
_AT_ONCE = 100  # examples: enough for products to be fast, few enough that filling up the last batch costs little


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


@dataclass(frozen=True, repr=False)
class Examples(Brief):
    """Data as the native loop reads them: x with a row for each example, labels of (n,) or targets of (n, …, outputs).

    x is an array of shape (n, …), or a tree of such arrays.
    """

    x: Any
    labels: Values
    classes: bool  # whether right and wrong mean something

    @property
    def count(self) -> int:
        """How many examples there are."""
        return len(self.labels)

    @property
    def tables(self) -> list[Values]:
        """Its arrays, each with a row for each example."""
        return [np.ascontiguousarray(leaf) for leaf in flatten((self.x, self.labels))[0]]


def prepared(data: Any, network: Any, dtype: np.dtype[Any]) -> Examples:
    """The data as the native loop reads them; DataError if they do not fit the network."""
    checked = as_dataset(data)
    x = tree_map(lambda array: _narrowed(array, dtype, "x"), _at_the_door(checked, network))
    labels = checked.labels
    if not callable(network):  # which only a cost of the user's knows how to call
        whole = labels.dtype.kind in "iu"
        kept = np.ascontiguousarray(labels, np.int64) if whole else _narrowed(labels, dtype, "labels")
        return Examples(x, kept, False)
    outputs = outline(network, x).shape
    if labels.ndim == 1:
        if labels.max() >= outputs[-1]:
            raise DataError(
                f"the labels go up to {labels.max()}, but the network has {outputs[-1]} outputs.",
                cure=f"Classes are counted from 0: {labels.max() + 1} outputs are needed."
                f"{_as_targets(data, outputs[-1])}",
            )
        return Examples(x, np.ascontiguousarray(labels, np.int64), True)
    if labels.shape[1:] != outputs:
        if len(outputs) == labels.ndim - 1 == 1:
            raise DataError(f"the targets have {labels.shape[1]} columns, but the network has {outputs[0]} outputs.")
        wanted = "(n,) or (n, k)" if len(outputs) == 1 else f"(n, {', '.join(map(str, outputs))})"
        raise DataError(f"labels must have shape {wanted}, not {labels.shape}: the network's outputs are {outputs}.")
    one_hot = outputs[-1] > 1 and bool(np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=-1) == 1))
    return Examples(x, _narrowed(labels, dtype, "labels"), one_hot)


def _at_the_door(data: DataSet, network: Any) -> Any:
    """The examples as the network takes them: in one row each, if it says how many `inputs` it has."""
    inputs = getattr(network, "inputs", None)
    if not isinstance(inputs, int) or not isinstance(data.x, np.ndarray):
        return data.x
    x = data.flat()
    if x.shape[1] != inputs:
        raise DataError(f"the examples have {x.shape[1]} features, but the network takes {inputs} inputs.")
    return x


def _as_targets(data: Any, outputs: int) -> str:
    """What to write for labels that are meant as targets of the only output."""
    if outputs > 1:
        return ""
    return f" For targets of the one output write labels[:, None]{'.astype(np.float32)' * isinstance(data, DataSet)}."


def _narrowed(array: Values, dtype: np.dtype[Any], what: str) -> Values:
    """Real numbers in the network's dtype; whole numbers, which name something, as they are."""
    if array.dtype.kind in "iub":
        return np.ascontiguousarray(array)
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
        self.parts = batches(self.count, _AT_ONCE if counted else min(self.count, _AT_ONCE), filled=counted)
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


@dataclass(frozen=True)
class Part:
    """A run of batches of `size` rows, `times` of them, from row `start` on; in the last one only `last` rows count."""

    start: int
    size: int
    times: int
    last: int

    @property
    def counts(self) -> Values:
        """How many rows of each batch count."""
        found = np.full(self.times, self.size)
        found[-1] = self.last
        return found

    def of(self, rows: Values) -> Values:
        """The batches, one a row; what does not count repeats the last row that does."""
        taken = rows[self.start : self.start + self.size * self.times]
        filling = np.full(self.size * self.times - len(taken), taken[-1], taken.dtype)
        return np.concatenate([taken, filling]).reshape(self.times, self.size)


def batches(count: int, size: int, *, filled: bool) -> list[Part]:
    """So many rows in batches of one size, the last one filled up; or, if that cannot be, a shorter one after them."""
    whole, rest = divmod(count, size)
    if filled:
        return [Part(0, size, whole + bool(rest), rest or size)]
    parts = (Part(0, size, whole, size), Part(whole * size, rest, 1, rest))
    return [part for part in parts if part.times and part.size]
