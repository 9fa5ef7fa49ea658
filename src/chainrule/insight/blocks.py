"""Passes over the examples: in blocks that memory bears, as native code where that pays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import shaped, vector
from chainrule.nn.feedforward import Feedforward
from chainrule.trace.array import Array
from chainrule.trace.tree import tree_map
from chainrule.transform import compile, grad, jvp

__all__ = ["Judgement", "blocks", "each_of", "judged", "mean_gradient", "mean_of", "native", "slopes_along"]

Values = np.ndarray[Any, Any]
Pass = Callable[..., Any]  # of a subject, which is a tree of arrays, and more arguments

_AT_ONCE = 2000  # examples
_WORTH_COMPILING = 2**20  # products of examples and parameters


def native(function: Pass) -> Pass:
    """The function of a subject, compiled where there is so much to do that it pays; its results are plain arrays."""
    compiled = compile(function)

    @functools.wraps(function)
    def chosen(subject: Subject, *given: Any) -> Any:
        large = subject.count * subject.network.parameters > _WORTH_COMPILING
        found = (compiled if large else function)(subject, *given)
        return tree_map(lambda value: np.asarray(value.value if isinstance(value, Array) else value), found)

    return chosen


def blocks(subject: Subject, *rows: Values) -> Iterator[tuple[Subject, list[Values]]]:
    """The subject a part of its examples at a time, with the rows that belong to them."""
    size = _block(subject.count)
    for start in range(0, subject.count, size):
        part = slice(start, start + size)
        examples = replace(subject.examples, x=subject.x[part], labels=subject.labels[part])
        yield replace(subject, examples=examples), [row[part] for row in rows]


def _block(count: int) -> int:
    """All, or the largest number of examples that divides them evenly; two programs are needed if none does."""
    if count <= _AT_ONCE:
        return count
    return next((size for size in range(_AT_ONCE, _AT_ONCE // 4, -1) if count % size == 0), _AT_ONCE)


def mean_of(function: Pass, subject: Subject, *given: Any, rows: tuple[Values, ...] = ()) -> Any:
    """The mean over all examples of what `function(subject, *given, *rows)` gives as the mean over some."""
    total = None
    for part, mine in blocks(subject, *rows):
        share = np.float64(part.count / subject.count)
        found = tree_map(lambda value, share=share: share * value, function(part, *given, *mine))
        total = found if total is None else tree_map(np.add, total, found)
    return total


def each_of(function: Pass, subject: Subject, *given: Any, rows: tuple[Values, ...] = ()) -> Any:
    """What `function(subject, *given, *rows)` gives for each example, one a row of each of its results."""
    found = [function(part, *given, *mine) for part, mine in blocks(subject, *rows)]
    return tree_map(lambda *parts: np.concatenate(parts), *found)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The mean cost of a network on examples, without penalty, and the fraction that it classifies rightly."""

    cost: float
    accuracy: float | None


def judged(network: Feedforward, subject: Subject) -> Judgement:
    """The network's mean cost and its accuracy on the subject's examples, computed in float64."""
    costs, right = each_of(_measured, replace(subject, network=network))
    return Judgement(float(costs.mean()), float(right.mean()) if subject.examples.classes else None)


def mean_gradient(subject: Subject) -> Values:
    """∂C/∂w of the mean cost without penalty, as a vector in float64."""
    return np.asarray(mean_of(_gradient, subject), np.float64)


def slopes_along(subject: Subject, direction: Values) -> Values:
    """The derivative of each example's cost along a direction, a vector v: all g_x·v from one pass forward; float64."""
    change = shaped(subject.network, direction.astype(subject.network.dtype))
    return np.asarray(each_of(_slopes, subject, change), np.float64)


@native
def _gradient(subject: Subject) -> Any:
    return vector(grad(subject.cost)(subject.network, subject.x, subject.labels))


@native
def _slopes(subject: Subject, direction: Feedforward) -> Any:
    def costs(network: Feedforward) -> Any:
        return subject.costs(network, subject.x, subject.labels)

    return jvp(costs, (subject.network,), (direction,))[1]


def _measured(subject: Subject) -> Any:
    return _costs_and_answers(_wide(subject))


def _wide(subject: Subject) -> Subject:
    labels = subject.labels if subject.labels.ndim == 1 else subject.labels.astype(np.float64)
    examples = replace(subject.examples, x=subject.x.astype(np.float64), labels=labels)
    return replace(subject, network=subject.network.astype(np.float64), examples=examples)


@native
def _costs_and_answers(subject: Subject) -> Any:
    outputs = subject.network(subject.x)
    classes = subject.labels if subject.labels.ndim == 1 else cnp.argmax(subject.labels, axis=1)
    return subject.costs(subject.network, subject.x, subject.labels), subject.answers(outputs) == classes
