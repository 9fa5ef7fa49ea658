"""Native code for a question, where there is so much to compute that making the code pays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.insight.network_and_data import Subject
from chainrule.trace.array import Array
from chainrule.trace.tree import tree_map
from chainrule.transform import compile

__all__ = ["OfSubject", "executed", "native"]

OfSubject = Callable[..., Any]  # of a subject, which is a tree of arrays, and more arguments

_WORTH_COMPILING = 2**20  # products


def executed(function: Callable[..., Any], products: int, *arguments: Any) -> Any:
    """What the function gives, as plain arrays; by native code, if so many products make that worth its making."""
    found = (_compiled(function) if products > _WORTH_COMPILING else function)(*arguments)
    return tree_map(lambda value: np.asarray(value.value if isinstance(value, Array) else value), found)


def native(function: OfSubject) -> OfSubject:
    """The function of a subject without its penalty; native code where it pays, with a product a number and example."""

    @functools.wraps(function)
    def chosen(subject: Subject, *given: Any) -> Any:
        return executed(function, subject.count * subject.parameters.count, subject.unpenalised, *given)

    return chosen


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return compile(function)
