"""One pass forward and one back: what every neuron did on every example, and how the cost hangs on it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import whole_number
from chainrule.display import Brief
from chainrule.insight.coordinates import Place
from chainrule.insight.network_and_data import Subject
from chainrule.nn.costs import cost_function, targets
from chainrule.nn.network import Network
from chainrule.trace.array import Array
from chainrule.trace.tree import tree_map
from chainrule.transform import compile, grad, vjp

__all__ = ["EXAMPLES", "PassedLayer", "Propagation", "executed", "propagate", "rms", "sample"]

Values = np.ndarray[Any, Any]

EXAMPLES = 10_000  # more of them are asked only if one says so
_WORTH_COMPILING = 2**18  # products


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
    """The pass of a subject's examples: `rows` says where they stand in the data, `costs` holds C_x of each."""

    subject: Subject
    rows: Values
    costs: Values
    layers: tuple[PassedLayer, ...]

    def source(self, place: Place) -> Values:
        """The input a_k that the weight multiplies, for each example, shape (n,); ones for a bias."""
        if place.source is None:
            return np.ones(self.subject.count, self.costs.dtype)
        taken: Values = self.layers[place.layer].inputs[:, place.source]
        return taken

    def error(self, place: Place) -> Values:
        """The error δ_j of the neuron that the weight or bias belongs to, for each example, shape (n,)."""
        found: Values = self.layers[place.layer].delta[:, place.neuron]
        return found

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


def propagate(subject: Subject, rows: Values | None = None) -> Propagation:
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
    return Propagation(subject, np.arange(subject.count) if rows is None else rows, costs, passed)


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


def executed(function: Callable[..., Any], products: int, *arguments: Any) -> Any:
    """What the function gives, as plain arrays; by native code, if so many products make that worth its making."""
    found = (_native(function) if products > _WORTH_COMPILING else function)(*arguments)
    return tree_map(lambda value: np.asarray(value.value if isinstance(value, Array) else value), found)


@functools.cache
def _native(function: Callable[..., Any]) -> Callable[..., Any]:
    return compile(function)


def sample(subject: Subject, most: int) -> tuple[Subject, Values]:
    """The subject on at most so many examples, drawn with seed 0 if there are more; and their places in the data."""
    most = whole_number("examples", most, 1, cure="Try examples=1000.")
    if most >= subject.count:
        return subject, np.arange(subject.count)
    rows = np.sort(np.random.default_rng(0).choice(subject.count, most, replace=False))
    return subject.taking(rows), rows


def rms(values: Any) -> float:
    """The root of the mean of the squares of all numbers in an array."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
