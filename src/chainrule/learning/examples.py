"""Data as the native loop reads them, and the batches that it goes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.dataset import DataSet, as_dataset
from chainrule.display import Brief
from chainrule.errors import DataError
from chainrule.nn.outline import outline
from chainrule.trace.tree import flatten, tree_map

__all__ = ["Batches", "Examples", "in_batches", "prepared"]

Values = np.ndarray[Any, Any]


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
    labels = _narrowed(checked.labels, dtype, "labels")
    if not callable(network):  # which only a cost of the user's knows how to call
        return Examples(x, labels, False)
    outputs = outline(network, x).shape
    if labels.ndim == 1:
        _check_classes(labels, outputs, data)
        return Examples(x, labels.astype(np.int64), True)
    _check_targets(labels, outputs)
    one_hot = outputs[-1] > 1 and bool(np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=-1) == 1))
    return Examples(x, labels, one_hot)


def _check_classes(labels: Values, shape: tuple[int, ...], data: Any) -> None:
    if len(shape) > 1:
        wanted = ", ".join(map(str, shape))
        raise DataError(
            f"labels have shape {labels.shape}, but the network gives each example outputs of shape ({wanted}).",
            cure=f"Give targets of shape (n, {wanted}), or make the network give one row of outputs.",
        )
    outputs = shape[-1]
    if labels.max() < outputs:
        return
    raise DataError(
        f"the labels go up to {labels.max()}, but the network has {outputs} outputs.",
        cure=f"Classes are counted from 0: {labels.max() + 1} outputs are needed.{_as_targets(data, outputs)}",
    )


def _check_targets(labels: Values, outputs: tuple[int, ...]) -> None:
    if labels.shape[1:] == outputs:
        return
    if len(outputs) == labels.ndim - 1 == 1:
        raise DataError(f"the targets have {labels.shape[1]} columns, but the network has {outputs[0]} outputs.")
    wanted = "(n,) or (n, k)" if len(outputs) == 1 else f"(n, {', '.join(map(str, outputs))})"
    raise DataError(f"labels must have shape {wanted}, not {labels.shape}: the network's outputs are {outputs}.")


def _at_the_door(data: DataSet, network: Any) -> Any:
    """The examples as the network takes them: with as many numbers in a row as it says that it has `inputs`."""
    inputs = getattr(network, "inputs", None)
    if not isinstance(inputs, int) or not isinstance(data.x, np.ndarray) or data.x.shape[-1] == inputs:
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


@dataclass(frozen=True)
class Batches:
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


def in_batches(count: int, size: int, *, filled: bool) -> list[Batches]:
    """So many rows in batches of one size, the last one filled up; or, if that cannot be, a shorter one after them."""
    whole, rest = divmod(count, size)
    if filled:
        return [Batches(0, size, whole + bool(rest), rest or size)]
    parts = (Batches(0, size, whole, size), Batches(whole * size, rest, 1, rest))
    return [part for part in parts if part.times and part.size]
