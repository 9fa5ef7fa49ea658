"""The part of a network behind one weight, run again for many changes of the weight at once.

A change Δ of `w[j, k]` moves the weighted input of neuron j by `Δ·a_k`, hence the weighted inputs of the next layer by
`(σ(z_j + Δ·a_k) − σ(z_j)) · w[:, j]`: an update of rank one. Only from there on are layers run; in float64, so that
small changes of the cost are not lost in rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.insight.compiling import executed
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.network_and_data import Subject
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.costs import cost_function, targets
from chainrule.nn.network import Network
from chainrule.transform import jvp, vmap

__all__ = ["Behind", "Moved", "Now", "behind", "first_behind"]

Values = np.ndarray[Any, Any]
_AT_ONCE = 2**24  # numbers of one array


@dataclass(frozen=True, eq=False)
class Now:
    """Of each example, shape (n,): C_x, ∂C_x/∂w, ∂²C_x/∂w², and the class that the outputs say."""

    costs: Values
    slopes: Values
    curvatures: Values
    answers: Values


@dataclass(frozen=True, eq=False)
class Moved:
    """Of each change and each example, shape (changes, n): C_x, and the class that the outputs say."""

    costs: Values
    answers: Values


@dataclass(frozen=True, eq=False)
class Behind:
    """What the cost of each example is made of, as a function of the change of one weight.

    `z` of shape (n, neurons) belongs to the first layer of `network`, and moves along `direction` by
    `σ(column + Δ·source) − σ(column)`; `source`, a_k, and `column` have the shape (n,), `activation` names σ.
    """

    source: Values
    column: Values
    activation: Any
    z: Values
    direction: Values
    network: Network
    labels: Values
    cost: str

    def costs(self, change: Any) -> tuple[Any, Any]:
        """C_x of each example, and the outputs, once the weight is changed."""
        sigma = ACTIVATIONS[self.activation]
        moved = sigma(self.column + change * self.source) - sigma(self.column)
        first, *others = self.network.layers
        z = self.z + cnp.expand_dims(moved, 1) * self.direction
        a = first.activated(z)
        for layer in others:
            z = layer.weighted_input(a)
            a = layer.activated(z)
        formula = cost_function(self.cost, self.network.layers[-1].activation)
        return formula(z, a, targets(self.labels, self.network)), a

    def now(self) -> Now:
        """The costs of the examples as the weight is, and their first two derivatives with respect to it."""
        return Now(*executed(_now, self._work, self))

    def moved(self, changes: Values) -> Moved:
        """The costs of the examples for each change of the weight, as many changes at once as memory bears."""
        widest = max(self.network.sizes[1:]) * len(self.z)
        size = min(len(changes), max(1, _AT_ONCE // widest))
        padded = np.append(changes, np.zeros(-len(changes) % size))
        parts = [executed(_moved, size * self._work, self, some) for some in padded.reshape(-1, size)]
        costs, answers = (np.concatenate(found)[: len(changes)] for found in zip(*parts, strict=True))
        return Moved(costs, answers)

    @property
    def _work(self) -> int:
        return len(self.z) * self.network.parameters


def first_behind(network: Network, layer: int) -> int:
    """The first layer that is run again when a weight of `layer` changes: the next one, where an update of its weighted
    input does; not behind a softmax, which mixes its neurons, and there is none behind the last."""
    only_one_moves = network.layers[layer].activation != "softmax"
    return layer + 1 if only_one_moves and layer + 1 < len(network.layers) else layer


def behind(subject: Subject, weight: Coordinate, inputs: Values, z: Sequence[Values]) -> Behind:
    """The part behind a weight; `inputs` are those of its layer, `z` the weighted inputs of the first layers."""
    network, start = subject.network, first_behind(subject.network, weight.layer)
    source = np.ones(subject.count) if weight.source is None else _wide(inputs[:, weight.source])
    later = Network._of(network.layers[start:]).astype(np.float64)
    if start == weight.layer:
        column, activation = np.zeros(subject.count), "identity"
        direction = np.eye(network.layers[start].outputs)[weight.neuron]
    else:
        column, activation = _wide(z[weight.layer][:, weight.neuron]), network.layers[weight.layer].activation
        direction = np.ascontiguousarray(later.layers[0].w[:, weight.neuron])
    labels = subject.labels if subject.labels.ndim == 1 else _wide(subject.labels)
    return Behind(source, column, activation, _wide(z[start]), direction, later, labels, subject.objective.cost)


def _wide(array: Values) -> Values:
    return np.ascontiguousarray(array, np.float64)


def _now(part: Behind) -> Any:
    zero, one = np.zeros(()), np.ones(())

    def slopes(change: Any) -> Any:
        return jvp(lambda change: part.costs(change)[0], (change,), (one,))

    (costs, first), (_, second) = jvp(slopes, (zero,), (one,))
    return costs, first, second, cnp.argmax(part.costs(zero)[1], axis=1)


def _moved(part: Behind, changes: Any) -> Any:
    costs, outputs = vmap(part.costs)(changes)
    return costs, cnp.argmax(outputs, axis=2)
