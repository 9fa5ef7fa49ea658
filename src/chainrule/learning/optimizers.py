"""Optimisers: how a gradient changes the parameters.

An optimiser is a frozen dataclass of its settings. `start(parameters)` gives its state, a tree of arrays;
`update(parameters, gradient, state)` gives the new parameters and state, in the array language, so that the update is
differentiated, compiled and fused into the gradient's own computation like everything else.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule.checks import real_number
from chainrule.errors import OptionError
from chainrule.trace.tree import tree_map

__all__ = [
    "SGD", "Adam", "Momentum", "Optimizer", "Setting", "optimizer_from", "optimizer_text", "schedules", "settings",
    "with_settings",
]  # fmt: skip

Tree = Any


#: A setting: a number, or a schedule, a function of the number of the step, from 0 on.
Setting = float | Callable[[int], float]


class Optimizer(ABC):
    """How a gradient changes the parameters.

    One of your own is a frozen dataclass of its settings with these two methods. Settings that are floats reach
    compiled code as numbers: another rate needs no other program. In `update` they may not be asked for a value; what
    decides which code is written is an int, a bool or a string. `rate` may be a schedule, a function of the number of
    the step; so may a field that says `field(metadata={"schedule": True})`.
    """

    @abstractmethod
    def start(self, parameters: Tree) -> Tree:
        """The state before the first step."""

    @abstractmethod
    def update(self, parameters: Tree, gradient: Tree, state: Tree) -> tuple[Tree, Tree]:
        """The parameters and the state after a step."""

    def change(self, parameters: Tree, gradient: Tree, state: Tree) -> Tree:
        """What a step adds to the parameters; with more digits than the difference, where a method says so."""
        return tree_map(lambda after, before: after - before, self.update(parameters, gradient, state)[0], parameters)

    @property
    def multiple(self) -> Any:
        """c, if a step adds c times the gradient and nothing else; else None."""
        return None

    @property
    def bound(self) -> float | None:
        """What rate times curvature must stay below for steps on a quadratic cost not to grow; None if not known."""
        return None

    @property
    def rescales(self) -> bool:
        """Whether the bound is one of the curvature in scales that its state makes, one for each weight."""
        return False

    def scales(self, state: Tree) -> Tree:
        """P of a state, a tree like the parameters: the gradient is divided by it; None if it is not."""
        return None

    def knows(self, name: str) -> bool:
        """Whether what a method or property says is of the very `update` that is used, not of one that it replaces."""
        owners = [next(kind for kind in type(self).__mro__ if method in vars(kind)) for method in (name, "update")]
        return owners[0] is owners[1]

    def rate_at(self, step: int) -> float | None:
        """The learning rate of a step; None if there is no such setting."""
        return settings(self, step).get("rate")

    def with_rate(self, rate: Setting) -> Any:
        """The same optimiser with another learning rate; OptionError if it has none, or cannot have this one."""
        if "rate" not in {f.name for f in _fields(self)}:
            raise OptionError(f"{self!r} has no setting `rate`, so that no other can be tried.")
        return dataclasses.replace(self, rate=rate)  # type: ignore[type-var]

    def alone(self, gradient: Tree) -> Tree:
        """The move that a gradient alone makes: that of the first step."""
        at_rest = tree_map(numpy.zeros_like, gradient)
        return with_settings(self, settings(self, 0)).change(at_rest, gradient, self.start(at_rest))


def settings(optimizer: Optimizer, step: int) -> dict[str, float]:
    """The settings of an optimiser that are numbers, at a step; but for `rate`, whole numbers and truths are not.

    >>> settings(Momentum(lambda step: 0.5 / (1 + step)), 1)
    {'rate': 0.25, 'momentum': 0.9}
    """
    found = {f.name: (getattr(optimizer, f.name), f) for f in _fields(optimizer)}
    return {
        name: _scheduled(name, value, step) if _is_schedule(f, value) else float(value)
        for name, (value, f) in found.items()
        if _is_schedule(f, value) or isinstance(value, float | numpy.floating) or (name == "rate" and _is_whole(value))
    }


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | numpy.integer) and not isinstance(value, bool)


def _fields(optimizer: Optimizer) -> Sequence[dataclasses.Field[Any]]:
    return dataclasses.fields(optimizer) if dataclasses.is_dataclass(optimizer) else ()


def _is_schedule(f: dataclasses.Field[Any], value: Any) -> bool:
    return callable(value) and (f.name == "rate" or bool(f.metadata.get("schedule")))


def _scheduled(name: str, schedule: Callable[[int], float], step: int) -> float:
    value = schedule(step)
    try:
        return real_number(name, value, 0)
    except OptionError as problem:
        raise OptionError(f"the schedule of {problem.what.rstrip('.')}, at step {step}.") from None


def schedules(optimizer: Optimizer) -> bool:
    """Whether a setting is a schedule."""
    return any(_is_schedule(f, getattr(optimizer, f.name)) for f in _fields(optimizer))


def with_settings(optimizer: Optimizer, values: Mapping[str, Any]) -> Optimizer:
    """The optimiser with these settings, which may be traced, unchecked."""
    made = copy.copy(optimizer)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def _settle(optimizer: Optimizer, **ends: float | None) -> None:
    """Check that settings are numbers of at least 0, below their ends, or schedules, and make them Python's own.

    A number of NumPy would give its dtype to the parameters.
    """
    for name, end in ends.items():
        value = getattr(optimizer, name)
        object.__setattr__(optimizer, name, value if callable(value) else real_number(name, value, 0, below=end))


def _zeros(parameters: Tree) -> Tree:
    return tree_map(numpy.zeros_like, parameters)


def _name(schedule: Callable[[int], float]) -> str:
    """What a schedule is called, in a word without punctuation."""
    name: str = getattr(schedule, "__name__", "").strip("<>")
    return name if name.isidentifier() else "schedule"


class _Ours(Optimizer):
    """One of those that come with chainrule: a frozen dataclass that shows its schedules by their names."""

    def __repr__(self) -> str:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        shown = {n: f"<{_name(v)}>" if callable(v) else repr(v) for n, v in values.items()}
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in shown.items())})"


def optimizer_text(optimizer: Optimizer) -> str:
    """An optimiser as a line of text, from which `optimizer_from` makes ours again.

    >>> optimizer_text(SGD(0.5))
    'SGD(rate=0.5)'
    """
    text = " ".join(repr(optimizer).split())
    text = text if text.isprintable() else ascii(text)
    return text if type(optimizer) in _OURS.values() else f"{type(optimizer).__module__}: {text}"


def optimizer_from(text: str) -> Optimizer | None:
    """The optimiser that a text like `SGD(rate=0.5)` tells of; None for one that is not ours, or has a schedule.

    Raises OptionError for one of ours with settings that it cannot have.

    >>> optimizer_from("Momentum(rate=0.1, momentum=0.5)")
    Momentum(rate=0.1, momentum=0.5)
    """
    found = re.fullmatch(r"(\w+)\((.*)\)", text)
    if not found or found[1] not in _OURS or re.search(r"=<[^<>,]*>", found[2]):
        return None
    try:
        settings = {name: float(value) for name, value in (part.split("=") for part in found[2].split(", "))}
        return _OURS[found[1]](**settings)
    except (ValueError, TypeError):
        raise OptionError(f"{found[1]} cannot have the settings {found[2]!r}.") from None


@dataclass(frozen=True, repr=False)
class SGD(_Ours):
    """Stochastic gradient descent: `w ← w − η ∂C/∂w`, with the learning rate η = `rate`."""

    rate: Setting

    def __post_init__(self) -> None:
        _settle(self, rate=None)

    def start(self, parameters: Tree) -> Tree:
        """No state."""
        return ()

    def update(self, parameters: Tree, gradient: Tree, state: Tree) -> tuple[Tree, Tree]:
        """`w − η ∂C/∂w`."""
        return tree_map(lambda w, g: w - self.rate * g, parameters, gradient), state

    def change(self, parameters: Tree, gradient: Tree, state: Tree) -> Tree:
        """`−η ∂C/∂w`."""
        return tree_map(lambda g: -(self.rate * g), gradient)

    @property
    def multiple(self) -> Any:
        """−η."""
        return -self.rate  # type: ignore[operator]

    @property
    def bound(self) -> float:
        """2, as each step multiplies the distance from the minimum by 1 − ηλ."""
        return 2.0


@dataclass(frozen=True, repr=False)
class Momentum(_Ours):
    """Descent with inertia: `v ← μ v − η ∂C/∂w`, `w ← w + v` (Rumelhart, Hinton & Williams 1986, equation 9)."""

    rate: Setting
    momentum: Setting = dataclasses.field(default=0.9, metadata={"schedule": True})

    def __post_init__(self) -> None:
        _settle(self, rate=None, momentum=1)

    def start(self, parameters: Tree) -> Tree:
        """Velocities of zero."""
        return _zeros(parameters)

    def update(self, parameters: Tree, gradient: Tree, state: Tree) -> tuple[Tree, Tree]:
        """The new velocity, and the weights moved by it."""
        velocity = self.change(parameters, gradient, state)
        return tree_map(lambda w, v: w + v, parameters, velocity), velocity

    def change(self, parameters: Tree, gradient: Tree, state: Tree) -> Tree:
        """`μ v − η ∂C/∂w`."""
        return tree_map(lambda v, g: self.momentum * v - self.rate * g, state, gradient)

    @property
    def bound(self) -> float:
        """`2 (1 + μ)`."""
        return 2 * (1 + settings(self, 0)["momentum"])


@dataclass(frozen=True, repr=False)
class Adam(_Ours):
    """Adam (Kingma & Ba 2015, algorithm 1): steps scaled by running moments of the gradient.

    `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, `w ← w − η m̂ / (√v̂ + ε)` with `m̂ = m / (1 − β₁ᵗ)`,
    `v̂ = v / (1 − β₂ᵗ)`.
    """

    rate: Setting = 1e-3
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
        moments = self._moments(gradient, state)
        return tree_map(lambda w, down: w - down, parameters, self._down(moments)), moments

    def change(self, parameters: Tree, gradient: Tree, state: Tree) -> Tree:
        """`−η m̂ / (√v̂ + ε)`."""
        return tree_map(lambda down: -down, self._down(self._moments(gradient, state)))

    def _moments(self, gradient: Tree, state: Tree) -> Tree:
        m = tree_map(lambda m, g: self.beta1 * m + (1 - self.beta1) * g, state["m"], gradient)
        v = tree_map(lambda v, g: self.beta2 * v + (1 - self.beta2) * (g * g), state["v"], gradient)
        return {"m": m, "v": v, "t": state["t"] + 1}

    def _down(self, moments: Tree) -> Tree:
        """`η m̂ / (√v̂ + ε)`."""
        t = moments["t"]
        first, second = 1 / (1 - self.beta1**t), 1 / (1 - self.beta2**t)

        def each(m: Any, v: Any) -> Any:
            scale, root = (self.rate * first).astype(m.dtype), second.astype(m.dtype)
            return scale * m / (np.sqrt(root * v) + self.epsilon)

        return tree_map(each, moments["m"], moments["v"])

    @property
    def rescales(self) -> bool:
        """True: by `√v̂ + ε`."""
        return True

    def scales(self, state: Tree) -> Tree:
        """`√v̂ + ε`; OptionError for a state that is none of Adam's, or knows nothing yet."""
        if not (isinstance(state, dict) and {"v", "t"} <= set(state)):
            raise OptionError("state is that of an Adam optimiser, with its moments and the number of its steps.")
        if (steps := float(state["t"])) < 1:
            raise OptionError("Adam's state knows nothing yet: it has made no steps.")
        return tree_map(
            lambda v: numpy.sqrt(numpy.asarray(v, numpy.float64) / (1 - self.beta2**steps)) + self.epsilon, state["v"]
        )

    @property
    def bound(self) -> float:
        """`2 (1 + β₁) / (1 − β₁)`, of the curvature in the scales of its state (Cohen et al. 2022)."""
        return 2 * (1 + self.beta1) / (1 - self.beta1)


_OURS: Mapping[str, Callable[..., Optimizer]] = MappingProxyType(
    {kind.__name__: kind for kind in (SGD, Momentum, Adam)}
)
