"""Optimisers: how a gradient changes the parameters.

An optimiser is a frozen dataclass of its settings. `start(parameters)` gives its state, a tree of arrays;
`update(parameters, gradient, state)` gives the new parameters and state, in the array language, so that the update is
differentiated, compiled and fused into the gradient's own computation like everything else.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule.checks import real_number
from chainrule.errors import OptionError
from chainrule.trace.tree import tree_map

__all__ = ["SGD", "Adam", "Momentum", "Optimizer", "optimizer_from", "optimizer_text"]

Tree = Any


class Optimizer(ABC):
    """How a gradient changes the parameters."""

    @abstractmethod
    def start(self, parameters: Tree) -> Tree:
        """The state before the first step."""

    @abstractmethod
    def update(self, parameters: Tree, gradient: Tree, state: Tree) -> tuple[Tree, Tree]:
        """The parameters and the state after a step."""


def _settle(optimizer: Optimizer, **ends: float | None) -> None:
    """Check that settings are numbers of at least 0, below their ends, and make them Python's own.

    A number of NumPy would give its dtype to the parameters.
    """
    for name, end in ends.items():
        object.__setattr__(optimizer, name, real_number(name, getattr(optimizer, name), 0, below=end))


def _zeros(parameters: Tree) -> Tree:
    return tree_map(numpy.zeros_like, parameters)


def optimizer_text(optimizer: Optimizer) -> str:
    """An optimiser as a line of text, from which `optimizer_from` makes ours again.

    >>> optimizer_text(SGD(0.5))
    'SGD(rate=0.5)'
    """
    text = " ".join(repr(optimizer).split())
    text = text if text.isprintable() else ascii(text)
    return text if type(optimizer) in _OURS.values() else f"{type(optimizer).__module__}: {text}"


def optimizer_from(text: str) -> Optimizer | None:
    """The optimiser that a text like `SGD(rate=0.5)` tells of; None for one that is not ours.

    Raises OptionError for one of ours with settings that it cannot have.

    >>> optimizer_from("Momentum(rate=0.1, momentum=0.5)")
    Momentum(rate=0.1, momentum=0.5)
    """
    found = re.fullmatch(r"(\w+)\((.*)\)", text)
    if not found or found[1] not in _OURS:
        return None
    try:
        settings = {name: float(value) for name, value in (part.split("=") for part in found[2].split(", "))}
        return _OURS[found[1]](**settings)
    except (ValueError, TypeError):
        raise OptionError(f"{found[1]} cannot have the settings {found[2]!r}.") from None


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: `w ← w − η ∂C/∂w`, with the learning rate η = `rate`."""

    rate: float

    def __post_init__(self) -> None:
        _settle(self, rate=None)

    def start(self, parameters: Tree) -> Tree:
        """No state."""
        return ()

    def update(self, parameters: Tree, gradient: Tree, state: Tree) -> tuple[Tree, Tree]:
        """`w − η ∂C/∂w`."""
        return tree_map(lambda w, g: w - self.rate * g, parameters, gradient), state


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Descent with inertia: `v ← μ v − η ∂C/∂w`, `w ← w + v` (Rumelhart, Hinton & Williams 1986, equation 9)."""

    rate: float
    momentum: float = 0.9

    def __post_init__(self) -> None:
        _settle(self, rate=None, momentum=1)

    def start(self, parameters: Tree) -> Tree:
        """Velocities of zero."""
        return _zeros(parameters)

    def update(self, parameters: Tree, gradient: Tree, state: Tree) -> tuple[Tree, Tree]:
        """The new velocity, and the weights moved by it."""
        velocity = tree_map(lambda v, g: self.momentum * v - self.rate * g, state, gradient)
        return tree_map(lambda w, v: w + v, parameters, velocity), velocity


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1): steps scaled by running moments of the gradient.

    `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `w ← w − η m̂ / (√v̂ + ε)` with `m̂ = m / (1 − β₁ᵗ)`,
    `v̂ = v / (1 − β₂ᵗ)`.
    """

    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _settle(self, rate=None, beta1=1, beta2=1, epsilon=None)

    def start(self, parameters: Tree) -> Tree:
        """Moments of zero, and the number of steps taken."""
        return {"m": _zeros(parameters), "v": _zeros(parameters), "t": numpy.zeros((), numpy.float64)}

    def update(self, parameters: Tree, gradient: Tree, state: Tree) -> tuple[Tree, Tree]:
        """The new moments, and the weights moved by their corrected ratio."""
        t = state["t"] + 1
        m = tree_map(lambda m, g: self.beta1 * m + (1 - self.beta1) * g, state["m"], gradient)
        v = tree_map(lambda v, g: self.beta2 * v + (1 - self.beta2) * (g * g), state["v"], gradient)
        first, second = 1 / (1 - self.beta1**t), 1 / (1 - self.beta2**t)

        def moved(w: Any, m: Any, v: Any) -> Any:
            scale, root = (self.rate * first).astype(w.dtype), second.astype(w.dtype)
            return w - scale * m / (np.sqrt(root * v) + self.epsilon)

        return tree_map(moved, parameters, m, v), {"m": m, "v": v, "t": t}


_OURS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {kind.__name__: kind for kind in (SGD, Momentum, Adam)}
)
