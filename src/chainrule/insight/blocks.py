"""Passes over the examples, in blocks that memory bears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.insight.compiling import OfSubject
from chainrule.insight.network_and_data import Subject
from chainrule.trace.tree import tree_map

__all__ = ["blocks", "each_of", "mean_of"]

Values = np.ndarray[Any, Any]

_AT_ONCE = 2000  # examples


def blocks(subject: Subject, *rows: Values) -> Iterator[tuple[Subject, list[Values]]]:
    """The subject a part of its examples at a time, with the rows that belong to them."""
    size = _block(subject.count)
    for start in range(0, subject.count, size):
        part = slice(start, start + size)
        x = tree_map(lambda array, part=part: array[part], subject.x)
        examples = replace(subject.examples, x=x, labels=subject.labels[part])
        yield replace(subject, examples=examples, rows=None), [row[part] for row in rows]


def _block(count: int) -> int:
    """All, or the largest number of examples that divides them evenly; two programs are needed if none does."""
    if count <= _AT_ONCE:
        return count
    return next((size for size in range(_AT_ONCE, _AT_ONCE // 4, -1) if count % size == 0), _AT_ONCE)


def mean_of(function: OfSubject, subject: Subject, *given: Any, rows: tuple[Values, ...] = ()) -> Any:
    """The mean over all examples of what `function(subject, *given, *rows)` gives as the mean over some."""
    total = None
    for part, mine in blocks(subject, *rows):
        share = np.float64(part.count / subject.count)
        found = tree_map(lambda value, share=share: share * value, function(part, *given, *mine))
        total = found if total is None else tree_map(np.add, total, found)
    return total


def each_of(function: OfSubject, subject: Subject, *given: Any, rows: tuple[Values, ...] = ()) -> Any:
    """What `function(subject, *given, *rows)` gives for each example, one a row of each of its results."""
    found = [function(part, *given, *mine) for part, mine in blocks(subject, *rows)]
    return tree_map(lambda *parts: np.concatenate(parts), *found)
