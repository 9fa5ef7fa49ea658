"""One pass forward and one back: what every neuron did on every example, and how the cost hangs on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.display import Brief
from chainrule.insight.compiling import executed
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.network_and_data import Subject
from chainrule.nn.costs import cost_function, targets
from chainrule.nn.network import Network
from chainrule.transform import grad, vjp

__all__ = ["EXAMPLES", "PassedLayer", "Propagation", "propagate"]

Values = np.ndarray[Any, Any]

EXAMPLES = 10_000  # more of them are asked only if one says so


@dataclass(frozen=True, eq=False, repr=False)
class PassedLayer(Brief):
    """What went through a layer: `inputs` of shape (n, inputs); `z`, `a`, `delta` of (n, neurons); `dw`, `db` as w, b.

    `delta` is ∂C_x/∂z, the error of a single example; `dw` and `db` are derivatives of the mean cost, penalty included.
    """

    inputs: Values
    z: Values
    a: Values
    delta: Values
    dw: Values
    db: Values


@dataclass(frozen=True, eq=False, repr=False)
class Propagation(Brief):
    """The pass of a subject's examples: `costs` holds C_x of each."""

    subject: Subject
    costs: Values
    layers: tuple[PassedLayer, ...]

    def source(self, weight: Coordinate) -> Values:
        """The input a_k that the weight multiplies, for each example, shape (n,); ones for a bias."""
        if weight.source is None:
            return np.ones(self.subject.count, self.costs.dtype)
        taken: Values = self.layers[weight.layer].inputs[:, weight.source]
        return taken

    def error(self, weight: Coordinate) -> Values:
        """The error δ_j of the neuron that the weight or bias belongs to, for each example, shape (n,)."""
        found: Values = self.layers[weight.layer].delta[:, weight.neuron]
        return found

    @property
    def cost(self) -> float:
        """The mean of C_x, without penalty."""
        return float(self.costs.mean())

    @property
    def squared_lengths(self) -> Values:
        """‖∂C_x/∂(w, b)‖² of each example, in the part of each layer, shape (n, layers): ‖δ_x‖²(‖a_x‖² + 1)."""
        parts = [(layer.delta**2).sum(axis=1) * ((layer.inputs**2).sum(axis=1) + 1) for layer in self.layers]
        return np.stack(parts, axis=1).astype(np.float64)

    @property
    def answers(self) -> Values:
        """The class that the outputs say, for each example, shape (n,)."""
        found: Values = self.layers[-1].a.argmax(axis=1)
        return found

    def label(self, example: int) -> str:
        """The class of an example by name; its targets if they are no classes."""
        subject = self.subject
        if subject.examples.classes:
            return subject.named(int(subject.classes[example]))
        return ", ".join(f"{target:.4g}" for target in np.atleast_1d(subject.labels[example]))


def propagate(subject: Subject) -> Propagation:
    """Everything that one pass gives, in the network's own dtype; compiled.

    >>> from chainrule.insight.network_and_data import subject_of
    >>> network = Network.from_weights([([[1.0]], [0.0])])
    >>> propagate(subject_of(network, ([[0.0]], [[1.0]]), "quadratic")).layers[0].delta
    array([[-0.125]])
    """
    network, objective = subject.network, subject.objective
    given = network, subject.x, subject.labels, objective.cost, float(objective.penalty)
    costs, layers = executed(_pass, subject.count * network.parameters, *given)
    inputs = [subject.x, *(layer["a"] for layer in layers[:-1])]
    passed = tuple(PassedLayer(a, **layer) for a, layer in zip(inputs, layers, strict=True))
    return Propagation(subject, costs, passed)


def _pass(network: Network, x: Any, labels: Any, cost: str, penalty: float) -> tuple[Any, list[dict[str, Any]]]:
    forward, last = network.forward(x), network.layers[-1]
    formula, y = cost_function(cost, last.activation), targets(labels, network)

    def summed(z: Any) -> Any:
        return cnp.sum(formula(z, last.activated(z), y))

    deltas = [grad(summed)(forward[-1][0])]  # BP1
    for layer, following, (z, _) in zip(network.layers[-2::-1], network.layers[:0:-1], forward[-2::-1], strict=True):
        _, back = vjp(lambda z, one=layer, two=following: two.weighted_input(one.activated(z)), z)
        deltas.insert(0, back(deltas[0]))  # BP2
    inputs = [x, *(a for _, a in forward[:-1])]
    rows = zip(network.layers, inputs, forward, deltas, strict=True)
    layers = [
        {
            "z": z,
            "a": a,
            "delta": delta,
            "dw": delta.T @ before / len(x) + penalty * layer.w,  # BP4
            "db": cnp.mean(delta, axis=0),  # BP3
        }
        for layer, before, (z, a), delta in rows
    ]
    return formula(*forward[-1], y), layers
