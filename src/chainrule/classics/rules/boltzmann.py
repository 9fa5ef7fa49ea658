"""The Boltzmann machine: weights change by how often two units are on together, with the patterns clamped and without.

Source: Ackley, Hinton & Sejnowski, A learning algorithm for Boltzmann machines, Cognitive Science 9 (1985), 147-169.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.checks import real_number, several, whole_number
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.annealing import (
    Layout,
    Machine,
    anneal,
    layout,
    mean_field,
    most_probable,
    together,
)
from chainrule.classics.rules.base import Rule, Spending, all_right
from chainrule.nn.activations import sigmoid
from chainrule.nn.wiring import Wiring

__all__ = ["Boltzmann"]

Values = numpy.ndarray[Any, Any]
_COUNTED = 12  # units of which all states are counted for the answers


@final
@dataclass(frozen=True)
class Boltzmann(Rule):
    """`Δwᵢⱼ = ±step` by the sign of `pᵢⱼ − p'ᵢⱼ` (equation 10 with steps of fixed size), the biases alike.

    pᵢⱼ is how often units i and j are on together at equilibrium with the patterns clamped on the visible units, which
    are the inputs and the outputs; p'ᵢⱼ with all units free, or with the inputs clamped too unless `free_inputs`: free
    unless told where outputs repeat inputs, as in the published encoders, clamped where they answer them. The
    machine has a connection both ways where the network has one forward, and, with `within`, between the units of each
    group of visible units, as the published encoders have. All weights and biases start at 0.

    A sweep is one learning cycle. Each pattern is clamped `annealings` times; each time a unit that is on is clamped
    off with probability `on_to_off`, one that is off on with `off_to_on`, so that no weight need grow without bound.
    The other units start at random and go through the `schedule`, pairs (units of time, temperature); then states are
    counted after each of `collected` units of time at the last temperature. As many annealings follow with nothing
    clamped, and then every weight changes; where both counts are the same, it stays. In a unit of time each free unit
    gets one chance to change on average: as many are drawn at random, with replacement.

    The answers are the most probable outputs with the inputs clamped, without noise, at equilibrium at the last
    temperature: exactly, by counting all states, where at most 12 units are hidden units or outputs; otherwise those
    whose mean is above ½ in the mean-field approximation, annealed by the same schedule. With `apart` the problem is
    solved once the patterns have codes of their own, of which any two differ in as many hidden units, or more; a unit's
    part of the code is its more probable state with the pattern clamped.

    Raises OptionError for numbers of annealings or times that are not whole and positive, temperatures that are not
    positive, or probabilities outside 0 … 1.

    >>> from chainrule.classics import problem
    >>> Boltzmann().spending(problem("encoder", n=4)).unit_updates
    1920
    """

    name: ClassVar[str] = "boltzmann"
    title: ClassVar[str] = "Boltzmann machine (Ackley, Hinton & Sejnowski 1985)"

    step: float = 2.0
    annealings: int = 2
    schedule: tuple[tuple[int, float], ...] = ((2, 20.0), (2, 15.0), (2, 12.0), (4, 10.0))
    collected: int = 10
    on_to_off: float = 0.15
    off_to_on: float = 0.05
    within: bool = True
    free_inputs: bool | None = None
    apart: int = 0

    def __post_init__(self) -> None:
        steps = several("schedule", self.schedule, "pair (times, temperature)", 1)
        checked = {
            "annealings": whole_number("annealings", self.annealings, 1),
            "collected": whole_number("collected", self.collected, 1),
            "schedule": tuple(
                (whole_number("the times in schedule", n, 1), real_number("a temperature in schedule", t, above=0))
                for n, t in steps
            ),
            "on_to_off": real_number("on_to_off", self.on_to_off, 0, 1),
            "off_to_on": real_number("off_to_on", self.off_to_on, 0, 1),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def settling(self) -> tuple[float, ...]:
        """The temperature of each unit of time before the states are counted."""
        return tuple(temperature for times, temperature in self.schedule for _ in range(times))

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The temperature of each unit of time."""
        return (*self.settling, *(self.settling[-1],) * self.collected)

    def layout(self, problem: Problem) -> Layout:
        """The machine for a problem's network."""
        return layout(problem.wiring, self.within)

    def refusal(self, problem: Problem) -> str | None:
        """It needs a weight of its own for each pair of units, binary units, and patterns of 0 and 1."""
        if not all(numpy.isin(values, (0, 1)).all() for values in (problem.x, problem.y)):
            return "its units are on or off, so it learns patterns of 0 and 1 alone"
        return _unfit(problem.wiring) or self._no_codes(problem)

    def _no_codes(self, problem: Problem) -> str | None:
        units = self.layout(problem)
        if self.apart > len(units.hidden):
            return f"codes of {len(units.hidden)} hidden units cannot differ in {self.apart}"
        if self.apart and units.connected[numpy.ix_(units.hidden, units.hidden)].any():
            return "the codes are read off hidden units that are not connected to each other"
        return None

    def start(self, problem: Problem, key: Any) -> Machine:
        """All weights and biases 0, whatever the key."""
        units = self.layout(problem).units
        return Machine(numpy.zeros((units, units), numpy.float32), numpy.zeros(units, numpy.float32))

    def sweep(self, problem: Problem, state: Machine, number: Any, key: Any) -> Machine:
        """One learning cycle."""
        clamped, free = self.statistics(problem, state, key)
        units, change = self.layout(problem), self.step * np.sign(clamped - free)
        weights = state.weights + np.where(units.connected, change, 0)
        return Machine(weights, state.biases + np.where(units.biased, np.diagonal(change), 0))

    def statistics(self, problem: Problem, machine: Machine, key: Any) -> tuple[Any, Any]:
        """How often each pair of units was on together, clamped and free, and each unit, on the diagonal."""
        noise, initial, *annealing = random.split(key, 4)
        units = self.layout(problem)
        patterns = self.clamped(problem, noise)
        drawn = random.bernoulli(initial, 0.5, (2, *np.shape(patterns)))
        held = (units.visible, units.inputs[:0] if self.frees_inputs(problem) else units.inputs)
        clamped, free = (
            self._counts(machine, _begun(patterns, drawn[phase], held[phase]), held[phase], annealing[phase])
            for phase in (0, 1)
        )
        return clamped, free

    def clamped(self, problem: Problem, key: Any) -> Any:
        """The units' states in each annealing as they are clamped, with noise, (units, annealings); 0 where hidden."""
        units = self.layout(problem)
        patterns = numpy.repeat(numpy.concatenate([problem.x, problem.y], axis=1), self.annealings, axis=0)
        likely = numpy.zeros((units.units, len(patterns)), numpy.float32)
        likely[units.visible] = numpy.where(patterns > 0.5, 1 - self.on_to_off, self.off_to_on).T
        return random.bernoulli(key, likely)

    def _counts(self, machine: Machine, states: Any, held: Values, key: Any) -> Any:
        """The counts of annealings that start in these states, with some units held as they are."""
        free = numpy.setdiff1d(numpy.arange(len(machine.biases)), held)
        return together(anneal(machine, states, free, self.temperatures, key)[-self.collected :])

    def answers(self, problem: Problem, state: Machine) -> Any:
        """The most probable outputs for the patterns."""
        units = self.layout(problem)
        if len(units.completed) <= _COUNTED:
            return most_probable(state, units, problem.x, self.settling[-1])
        begin = numpy.full((units.units, problem.patterns), 0.5, numpy.float32)
        begin[units.inputs] = problem.x.T
        means = mean_field(state, begin, units.completed, self.settling)
        return np.take(means, units.outputs, axis=0).T

    def codes(self, problem: Problem, state: Machine) -> Any:
        """Which hidden units are more probably on than off with each pattern clamped, shape (patterns, hidden)."""
        units = self.layout(problem)
        patterns = numpy.concatenate([problem.x, problem.y], axis=1)
        reached = state.weights[numpy.ix_(units.visible, units.hidden)]
        return patterns @ reached + state.biases[units.hidden] > 0

    def solved(self, problem: Problem, state: Machine) -> Any:
        """Whether the answers are right or, with `apart`, the codes so far apart."""
        if not self.apart:
            return all_right(self.answers(problem, state), problem.y)
        codes = self.codes(problem, state)
        differ = np.sum(np.expand_dims(codes, 0) != np.expand_dims(codes, 1), axis=2)
        return np.all((differ >= self.apart) | numpy.eye(problem.patterns, dtype=bool))

    def frees_inputs(self, problem: Problem) -> bool:
        """Whether the inputs are free, too, in the second phase."""
        return numpy.array_equal(problem.x, problem.y) if self.free_inputs is None else self.free_inputs

    def spending(self, problem: Problem) -> Spending:
        """Each pattern clamped in so many annealings; a chance for each free unit in each unit of time of each."""
        units, annealings = self.layout(problem), problem.patterns * self.annealings
        free, phases = (units.units, 1) if self.frees_inputs(problem) else (len(units.completed), 2)
        updates = annealings * len(self.temperatures) * (len(units.hidden) + free)
        return Spending(annealings * phases, 0, 0, updates, self.operations(problem))


def _begun(patterns: Any, drawn: Any, held: Values) -> Any:
    """The states at the beginning of annealing: the pattern's where units are held, drawn elsewhere."""
    is_held = numpy.isin(numpy.arange(np.shape(patterns)[0]), held)[:, None]
    return np.where(is_held, patterns, drawn).astype(numpy.float32)


def _unfit(wiring: Wiring) -> str | None:
    """Why a wiring cannot be that of a Boltzmann machine; None if it can."""
    if any(connection.products is not None for connection in wiring.connections):
        return "its energy has a term for each pair of units, not for products of several"
    if any(units.activation != sigmoid for units in wiring.units):
        return "its units are on with a probability that is the sigmoid of what reaches them"
    if _is_tied(wiring):
        return "each of its weights belongs to one pair of units, so none can be tied"
    return None


def _is_tied(wiring: Wiring) -> bool:
    """Whether a weight is used at several places."""
    weights = Counter(connection.name for connection in wiring.connections)
    biases = Counter(units.bias_name for units in wiring.units if units.bias_name is not None)
    shared = any(
        index >= 0 and count > 1
        for connection in wiring.connections
        for index, count in Counter(index for row in connection.places or () for index in row).items()
    )
    return shared or max([*weights.values(), *biases.values()]) > 1
