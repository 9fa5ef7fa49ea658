"""What a rule of learning is: how it starts, what it does in a sweep, what it answers, what it spends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy

import chainrule.random
from chainrule import numpy as np
from chainrule.classics.problems.base import Problem
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Wiring
from chainrule.transform import compile, grad

__all__ = ["Rule", "Spending", "all_right", "by_group", "local_gradient", "unit_count", "unit_sizes"]


@dataclass(frozen=True)
class Spending:
    """What a sweep costs one network, or so many of them.

    Presentations of a pattern; forward and backward passes of a pattern through the network; updates of a single unit's
    state, forward or in annealing; floating-point operations, a transcendental function counted as one.
    """

    presentations: float
    forward_passes: float
    backward_passes: float
    unit_updates: float
    operations: float

    @classmethod
    def of_passes(
        cls, problem: Problem, units: int, operations: float, *, forward: int = 1, backward: int = 0
    ) -> Spending:
        """That of a sweep with so many passes of each pattern through so many units."""
        n = problem.patterns
        return cls(n, n * forward, n * backward, n * forward * units, operations)

    def times(self, sweeps: float) -> Spending:
        """The same for so many sweeps."""
        return Spending(*(sweeps * value for value in vars(self).values()))


class Rule(ABC):
    """A rule of learning, the same for any network that it can take.

    `start`, `sweep`, `answers` and `solved` are written in the array language for one network and its key; `trials`
    runs them for many networks side by side. A state is a tree of arrays with the network in it.
    """

    name: ClassVar[str]  # as one writes it on the command line
    title: ClassVar[str]  # as one says it, with who it is by

    def refusal(self, problem: Problem) -> str | None:
        """Why the rule cannot take this problem's network; None if it can."""
        return None

    def limit(self, problem: Problem) -> str | None:
        """Why no weights that the rule can reach solve the problem; None if some do, or nobody knows better."""
        return None

    @abstractmethod
    def start(self, problem: Problem, key: Any) -> Any:
        """The state before the first sweep."""

    @abstractmethod
    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """The state after one more sweep through the patterns, the sweep of that number, counted from 0.

        The key belongs to this sweep alone.
        """

    @abstractmethod
    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs for the patterns, shape (patterns, outputs)."""

    def solved(self, problem: Problem, state: Any) -> Any:
        """Whether every output is on its target's side of ½."""
        return all_right(self.answers(problem, state), problem.y)

    @abstractmethod
    def spending(self, problem: Problem) -> Spending:
        """What one sweep costs one network."""

    def operations(self, problem: Problem) -> int:
        """The floating-point operations of one sweep of one network, as it is compiled."""
        key = chainrule.random.key(0)
        start = self.start(problem, key)
        sweep = compile(lambda state, number, key: self.sweep(problem, state, number, key))
        return sweep.flops(start, numpy.int32(0), key)


def all_right(outputs: Any, y: Any) -> Any:
    """Whether every output is on its target's side of ½.

    >>> bool(all_right(numpy.array([[0.4], [0.9]]), numpy.array([[0.0], [1.0]])))
    True
    """
    return np.all((outputs > 0.5) == (y > 0.5))


def unit_sizes(wiring: Wiring) -> list[tuple[str, int]]:
    """The groups of units and how many each has, without the inputs."""
    return [(units.name, units.size) for units in wiring.units]


def unit_count(wiring: Wiring) -> int:
    """How many units there are, without the inputs."""
    return sum(size for _, size in unit_sizes(wiring))


def by_group(sizes: Iterable[tuple[str, int]], values: Any) -> dict[str, Any]:
    """Values of all units side by side, shape (patterns, units), by the name of the group.

    >>> {name: part.tolist() for name, part in by_group([("a", 2), ("b", 1)], numpy.array([[1, 2, 3]])).items()}
    {'a': [[1, 2]], 'b': [[3]]}
    """
    found, start = {}, 0
    for name, size in sizes:
        found[name] = values[:, start : start + size]
        start += size
    return found


def local_gradient(network: Connected, activations: Mapping[str, Any], signals: Mapping[str, Any]) -> Any:
    """`Σ_x sⱼ aᵢ` for the weight to unit j from unit i, and `Σ_x sⱼ` for its bias: a tree like the network.

    `activations` are those of all groups, `signals` those of each group that is changed, shape (patterns, units). It is
    the derivative of Σ sⱼ zⱼ at fixed activations, so nothing is propagated backward. Tied weights get the sum over
    their copies, and weights of products of units the product in place of a.

    >>> from chainrule.nn import Connected, Units
    >>> network = Connected(2, [Units("output", 1)], [("input", "output")])
    >>> found = local_gradient(network, {"input": numpy.array([[3.0, 5.0]])}, {"output": numpy.array([[2.0]])})
    >>> found.weights["input->output"].tolist(), found.biases["output"].tolist()
    ([[6.0, 10.0]], [2.0])
    """

    def total(network: Connected) -> Any:
        groups = [units for units in network.wiring.units if units.name in signals]
        return sum(np.sum(signals[units.name] * network.weighted_input(units, activations)) for units in groups)

    return grad(total)(network)
