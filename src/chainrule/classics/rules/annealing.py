"""A Boltzmann machine: binary units that are connected both ways, and how it is brought to equilibrium.

    E(s) = −½ Σᵢⱼ wᵢⱼ sᵢ sⱼ − Σᵢ bᵢ sᵢ,    P(s) = e^(−E(s)/T) / Σ e^(−E/T),    p(sₖ = 1) = 1 / (1 + e^(−ΔEₖ/T))

where `ΔEₖ = Σᵢ wₖᵢ sᵢ + bₖ` and b is minus the threshold, learnt as the weight from a unit that is always on.

Source: Ackley, Hinton & Sejnowski, A learning algorithm for Boltzmann machines, Cognitive Science 9 (1985), 147-169.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.classics.problems.base import binary_patterns
from chainrule.nn.activations import sigmoid
from chainrule.nn.wiring import Connection, Wiring
from chainrule.transform import scan

__all__ = [
    "Layout", "Machine", "anneal", "distribution", "energies", "layout", "mean_field", "most_probable",
    "together",
]  # fmt: skip

Values = numpy.ndarray[Any, Any]
_SMALLEST = 2.0**-25


@dataclass(frozen=True)
class Machine:
    """The symmetric weights, shape (units, units), and the biases, shape (units,)."""

    weights: Any
    biases: Any


@dataclass(frozen=True, eq=False)
class Layout:
    """Which units of the row are the inputs, the hidden units and the outputs; what is connected; what has a bias."""

    inputs: Values
    hidden: Values
    outputs: Values
    connected: Values
    biased: Values

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.biased)

    @property
    def visible(self) -> Values:
        """The units that a pattern is clamped on: the inputs, then the outputs."""
        return numpy.concatenate([self.inputs, self.outputs])

    @property
    def completed(self) -> Values:
        """The units that are free when the inputs are clamped: the hidden units, then the outputs."""
        return numpy.concatenate([self.hidden, self.outputs])


def layout(wiring: Wiring, within: bool = True) -> Layout:
    """The machine with a connection both ways where the wiring has one forward.

    The units stand in the order of the wiring, the inputs first. The inputs have biases; with `within`, the units of
    each group of inputs or outputs are connected to each other.

    >>> from chainrule.classics.problems.base import layers
    >>> layout(layers(2, 1, 1)).connected.astype(int)
    array([[0, 1, 1, 0],
           [1, 0, 1, 0],
           [1, 1, 0, 1],
           [0, 0, 1, 0]])
    """
    at = _positions(wiring)
    outputs = numpy.concatenate([at[name] for name in wiring.outputs])
    inputs = numpy.concatenate([at[name] for name, _ in wiring.inputs])
    hidden = numpy.setdiff1d(numpy.concatenate([*at.values()]), [*inputs, *outputs])
    connected = numpy.zeros((sum(wiring.sizes.values()),) * 2, bool)
    for connection in wiring.connections:
        sources = numpy.concatenate([at[name] for name in connection.sources])
        connected[numpy.ix_(at[connection.target], sources)] |= _connected_pairs(wiring, connection)
    for name in [*(name for name, _ in wiring.inputs), *wiring.outputs] if within else ():
        connected[numpy.ix_(at[name], at[name])] = ~numpy.eye(len(at[name]), dtype=bool)
    biased = numpy.ones(len(connected), bool)
    for units in wiring.units:
        biased[at[units.name]] = units.bias_name is not None
    return Layout(inputs, hidden, outputs, connected | connected.T, biased)


def _positions(wiring: Wiring) -> dict[str, Values]:
    """Where each group's units stand in the row."""
    ends = numpy.cumsum([*wiring.sizes.values()])
    return {name: numpy.arange(end - size, end) for (name, size), end in zip(wiring.sizes.items(), ends, strict=True)}


def _connected_pairs(wiring: Wiring, connection: Connection) -> Any:
    """Which pairs (to, from) a connection connects."""
    if connection.places is None:
        return numpy.ones((wiring.sizes[connection.target], wiring.reach(connection)), bool)
    return numpy.array(connection.places) >= 0


# annealing


def anneal(machine: Machine, states: Any, free: Values, temperatures: Sequence[float], key: Any) -> Any:
    """The states after each unit of time at these temperatures, one for each, shape (times, units, annealings).

    `states`, shape (units, annealings), are those before; only the units `free` change. In a unit of time as many units
    as are free get a chance to change, one after the other, each drawn at random from them all, so that each gets one
    on average. The annealings go on side by side: the same unit gets its chance in all, and takes it by a random number
    of its own. As `u < 1/(1 + e^(−ΔE/T))` for an even u where `T ln(u/(1 − u)) < ΔE`, these are drawn beforehand.
    """
    count, width = len(free), np.shape(states)[1]

    def unit_of_time(states: Any, given: Any) -> tuple[Any, Any]:
        chosen, drawn = random.split(given[0])
        order = np.take(free.astype(numpy.int64), random.integers(chosen, (count,), 0, count))
        u = random.uniform(drawn, (count, width), numpy.float32, _SMALLEST)
        after = scan(lambda s, chance: (_chance(machine, s, *chance), None), states, (order, given[1] * _log_odds(u)))
        return after[0], after[0]

    steps = random.split(key, len(temperatures)), numpy.array(temperatures, numpy.float32)
    return scan(unit_of_time, states, steps)[1]


def _log_odds(u: Any) -> Any:
    return np.log(u / (1 - u))


def _chance(machine: Machine, states: Any, k: Any, threshold: Any) -> Any:
    """The states once unit k has had its chance: it is on where ΔEₖ is above the threshold."""
    on = (_gap(machine, states, k) > threshold).astype(numpy.float32)
    return np.where(_only(k, np.shape(states)[0]), on, states)


def _gap(machine: Machine, states: Any, k: Any) -> Any:
    """`ΔEₖ = Σᵢ wₖᵢ sᵢ + bₖ` in each column."""
    row = np.expand_dims(np.take(machine.weights, k, axis=0), 1)
    return np.sum(row * states, axis=0) + np.take(machine.biases, k, axis=0)


def _only(k: Any, units: int) -> Any:
    """True for unit k in a column of so many."""
    return np.expand_dims(numpy.arange(units), 1) == k


def together(states: Any) -> Any:
    """How often each pair of units is on together in states of shape (times, units, annealings), shape (units, units).

    On the diagonal stands how often each unit is on.
    """
    return np.einsum("tia,tja->ij", states, states)


def mean_field(machine: Machine, means: Any, free: Values, temperatures: Sequence[float]) -> Any:
    """The means of the units, `mₖ = 1/(1 + e^(−(Σᵢ wₖᵢ mᵢ + bₖ)/T))`, each in turn once for each temperature.

    `means`, shape (units, columns), are those before; only the units `free` change.

    Source: Peterson & Anderson, A mean field theory learning algorithm for neural networks, Complex Systems 1, 1987.
    """

    def relax(means: Any, given: Any) -> tuple[Any, None]:
        k, temperature = given
        mean = sigmoid(_gap(machine, means, k) / temperature)
        return np.where(_only(k, np.shape(means)[0]), mean, means), None

    rounds = len(temperatures)
    steps = numpy.tile(free, rounds), numpy.repeat(numpy.array(temperatures, numpy.float32), len(free))
    return scan(relax, means, steps)[0]


# by counting all states


def energies(machine: Machine, states: Any) -> Any:
    """`E = −½ Σᵢⱼ wᵢⱼ sᵢ sⱼ − Σᵢ bᵢ sᵢ` of states of shape (states, units).

    >>> float(energies(Machine(numpy.array([[0, 3], [3, 0]]), numpy.array([1, -2])), numpy.array([[1, 1]]))[0])
    -2.0
    """
    return -0.5 * np.sum(states @ machine.weights * states, axis=1) - states @ machine.biases


def distribution(machine: Machine, temperature: float) -> Any:
    """The probabilities of all states at equilibrium, in the order of `binary_patterns`, shape (2^units,)."""
    lower = -energies(machine, binary_patterns(np.shape(machine.biases)[0])) / temperature
    weighed = np.exp(lower - np.max(lower))
    return weighed / np.sum(weighed)


def most_probable(machine: Machine, layout: Layout, x: Values, temperature: float) -> Any:
    """The most probable outputs at equilibrium with the inputs clamped, shape (patterns, outputs): `argmax P(o | x)`.

    All states of the hidden units and the outputs are counted: time and memory grow as 2^(hidden + outputs).
    """
    inside, outside = layout.completed, layout.inputs
    states = binary_patterns(len(inside))
    part = Machine(machine.weights[numpy.ix_(inside, inside)], machine.biases[inside])
    lower = x @ machine.weights[numpy.ix_(outside, inside)] @ states.T - energies(part, states)
    by_output = np.reshape(lower / temperature, (len(x), -1, 2 ** len(layout.outputs)))
    highest = np.max(by_output, axis=1, keepdims=True)
    likely = np.log(np.sum(np.exp(by_output - highest), axis=1)) + highest[:, 0]
    return np.take(binary_patterns(len(layout.outputs)), np.argmax(likely, axis=1), axis=0)
