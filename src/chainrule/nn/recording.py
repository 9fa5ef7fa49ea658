"""What a network does on its way forward, noted by those who do it: `linear`, and every activation.

Nobody pays for it who does not ask: outside `noting`, and with plain arrays, nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.trace.array import Array
from chainrule.trace.origins import scope

__all__ = ["Activated", "Linear", "Notes", "activated", "layer", "linear", "linear_sum", "noting"]


@dataclass(frozen=True, eq=False)
class Linear:
    """`z = Σ x wᵀ + b` was computed, over pairs (x, w): of each unit and each input there is one weight."""

    pairs: tuple[tuple[Any, Any], ...]
    b: Any
    z: Array


@dataclass(frozen=True, eq=False)
class Activated:
    """`a = σ(z)` was computed by `activation`, in the layer of that name, whose units lie along an axis."""

    activation: Any
    z: Array
    a: Array
    layer: str = ""
    axis: int = -1


@dataclass(eq=False)
class Notes:
    """What was noted, in order; `layer` is the name of the layer that is at work, `axis` that of its units."""

    linear: list[Linear] = field(default_factory=list)
    activated: list[Activated] = field(default_factory=list)
    layer: str = ""
    axis: int = -1


_NOTES: ContextVar[Notes | None] = ContextVar("notes", default=None)


@contextmanager
def noting() -> Iterator[Notes]:
    """While the block runs, note what networks do."""
    notes = Notes()
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


@contextmanager
def layer(name: str, axis: int = -1) -> Iterator[None]:
    """While the block runs, the layer of that name is at work; within another one, as a part of it.

    `axis` is that of its units in z and a.
    """
    notes = _NOTES.get()
    if notes is None:
        with scope(name):
            yield
        return
    before, axis_before = notes.layer, notes.axis
    notes.layer, notes.axis = f"{before}.{name}" if before else name, axis
    try:
        with scope(notes.layer):
            yield
    finally:
        notes.layer, notes.axis = before, axis_before


def activated(activation: Any, z: Any) -> Any:
    """`a = σ(z)`; noted as one activation, whatever others its function is made of."""
    notes = _NOTES.get()
    if notes is None:
        return activation.function(z)
    with noting():
        a = activation.function(z)
    if isinstance(z, Array) and isinstance(a, Array):
        notes.activated.append(Activated(activation, z, a, notes.layer, notes.axis))
    return a


def linear(x: Any, w: Any, b: Any = None) -> Any:
    """`z = x wᵀ + b`: weighted inputs of shape (…, units) for x of shape (…, inputs), w of shape (units, inputs).

    It is how a layer says that each pair of a unit and an input has a weight of its own, which questions about single
    weights, and about the gradients of single examples, make use of.

    >>> import numpy
    >>> linear(numpy.array([[1.0, 2.0]]), numpy.array([[3.0, 4.0]]), numpy.array([0.5]))
    array([[11.5]])
    """
    return linear_sum([(x, w)], b)


def linear_sum(pairs: Sequence[tuple[Any, Any]], b: Any = None) -> Any:
    """`z = Σ x wᵀ + b`, over pairs (x, w): inputs of several kinds, each with weights of its own.

    Raises ShapeError for weights that are not of shape (units, inputs).
    """
    for x, w in pairs:
        if np.ndim(w) != 2 or np.ndim(x) < 1 or np.shape(x)[-1] != np.shape(w)[1]:
            raise ShapeError(
                f"weights of shape (units, inputs) meet inputs of shape (…, inputs), but these have the shapes "
                f"{np.shape(w)} and {np.shape(x)}.",
                cure="Write w.T for weights of shape (inputs, units)." if np.shape(w)[:1] == np.shape(x)[-1:] else "",
            )
    parts = [x @ w.T for x, w in pairs]
    if b is not None:
        parts.append(b)
    z = sum(parts[1:], parts[0])
    notes = _NOTES.get()
    if notes is not None and isinstance(z, Array):
        notes.linear.append(Linear(tuple(pairs), b, z))
    return z
