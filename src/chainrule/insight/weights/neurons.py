"""One neuron: how active, how steep, how wrong; what it answers to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import whole_numbers
from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.levels import flat, rms, slopes
from chainrule.insight.network_and_data import Subject
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.propagation import Propagation, propagate
from chainrule.insight.wording import GONE_WRONG, asked_examples, layer_name, percent
from chainrule.nn.network import Network

__all__ = ["ClassMean", "IncomingWeight", "NeuronExplanation", "explain_neuron", "parse_neuron"]

Values = np.ndarray[Any, Any]
_INCOMING = 5  # weights that are told
_NEURON = re.compile(r"layers\[(\d+)\]\[(\d+)\]")


@dataclass(frozen=True)
class IncomingWeight:
    """A weight to the neuron: which, its value, ∂C/∂w in cost per unit of weight."""

    weight: Coordinate
    value: float
    rate: float


@dataclass(frozen=True)
class ClassMean:
    """The mean activation over the examples of a class."""

    name: str
    examples: int
    activation: float


@dataclass(frozen=True, repr=False)
class NeuronExplanation(Insight):
    """A neuron over the examples: the rms of its z, a and δ = ∂C_x/∂z; its bias, with ∂C/∂b in cost per unit of bias.

    `saturated` is the share of examples on which σ'(z) is below a twentieth of the largest it can be; the neuron is
    `dead` if σ'(z) = 0 on all of them. `selectivity` is the share of the variance of a between classes, 0 to 1 (the
    correlation ratio η²); None, with no class means, if the targets are no classes. Exact on the examples.
    """

    layer: int
    neuron: int
    layers: int
    activation: str
    examples: int
    available: int
    z_rms: float
    a_rms: float
    delta_rms: float
    bias: float
    bias_rate: float
    saturated: float
    dead: bool
    incoming: tuple[IncomingWeight, ...]
    classes: tuple[ClassMean, ...]
    selectivity: float | None

    @property
    def title(self) -> str:
        """What it is."""
        return f"layers[{self.layer}][{self.neuron}], a neuron of {layer_name(self.layer, self.layers)}"

    def sentences(self) -> list[str]:
        """How large, how steep, what for, and what to change."""
        sizes = f"z {number(self.z_rms)}, activation a {number(self.a_rms)}, error δ = ∂C/∂z {number(self.delta_rms)}"
        bias = f"Its bias is {number(self.bias)}; the cost changes at {number(self.bias_rate)} per unit of it (∂C/∂b)."
        where = asked_examples(self.examples, self.available)
        size = f"Over {where} (rms): weighted input {sizes}."
        if not np.isfinite(self.z_rms):
            return [size, f"Whether it is saturated, dead, or tells classes apart cannot be told. {GONE_WRONG}"]
        return [size, self._steep(), bias, *self._selective()]

    def _steep(self) -> str:
        if self.dead:
            return f"It is dead: the slope of its {self.activation} is 0 on every example, so no error gets through it."
        return f"It is saturated, where a change of z hardly changes a, on {percent(self.saturated)} of the examples."

    def _selective(self) -> list[str]:
        if self.selectivity is None:
            return []
        most, least = (f(self.classes, key=lambda c: c.activation) for f in (max, min))
        means = (
            f"{number(most.activation)} on the mean for class {most.name}, {number(least.activation)} for {least.name}"
        )
        share = f"{percent(self.selectivity)} of what it does differs by class, the rest within classes"
        return [f"It is most active, {means}: {share}."]

    def table(self) -> Table:
        """The incoming weights with the largest derivatives, then the mean activation of each class."""
        weights = [(str(w.weight), "∂C/∂w", w.rate, "weight", w.value) for w in self.incoming]
        classes = [(f"class {c.name}", "mean a", c.activation, "examples", c.examples) for c in self.classes]
        return Table(("", "figure", "value", "and its", "is"), (*weights, *classes))

    def plot(self, axes: Any = None) -> Any:
        """The mean activation of each class; of targets that are none, the derivatives of its largest weights."""
        axes = figure(axes)
        if self.classes:
            axes.bar([c.name for c in self.classes], [c.activation for c in self.classes])
            axes.set(xlabel="class", ylabel="mean activation", title=self.title)
        else:
            axes.bar([str(w.weight) for w in self.incoming], [w.rate for w in self.incoming])
            axes.set(ylabel="∂C/∂w", title=self.title)
        return axes


def parse_neuron(asked: str | tuple[int, int], network: Network) -> tuple[int, int]:
    """The layer and the number of the neuron that `layers[0][3]` or (0, 3) names; OptionError if there is none.

    >>> parse_neuron("layers[0][1]", Network([3, 2, 1]))
    (0, 1)
    """
    found = _NEURON.fullmatch(asked.strip()) if isinstance(asked, str) else None
    pair = found.groups() if found else asked
    if isinstance(pair, str) or not isinstance(pair, tuple | list) or len(pair) != 2:
        raise OptionError(f"{asked!r} names no neuron.", cure="Write layers[0][3], or in Python (0, 3).")
    layer, neuron = map(int, pair) if found else whole_numbers("neuron", pair)
    if not 0 <= layer < len(network.layers):
        raise OptionError(f"{asked!r}: the network has layers 0 to {len(network.layers) - 1}.")
    if not 0 <= neuron < network.layers[layer].outputs:
        raise OptionError(f"{asked!r}: layer {layer} has neurons 0 to {network.layers[layer].outputs - 1}.")
    return layer, neuron


def explain_neuron(subject: Subject, available: int, asked: str | tuple[int, int]) -> NeuronExplanation:
    """Everything about one neuron, from one pass."""
    layer, neuron = parse_neuron(asked, subject.network)
    passed = propagate(subject)
    here, mine = passed.layers[layer], subject.network.layers[layer]
    z, a = here.z[:, neuron], here.a[:, neuron]
    slope = slopes(mine.activation, z, a)
    classes = _class_means(passed, a)
    return NeuronExplanation(
        layer=layer,
        neuron=neuron,
        layers=len(passed.layers),
        activation=mine.activation,
        examples=subject.count,
        available=available,
        z_rms=rms(z),
        a_rms=rms(a),
        delta_rms=rms(here.delta[:, neuron]),
        bias=float(mine.b[neuron]),
        bias_rate=float(here.db[neuron]),
        saturated=float(np.mean(flat(mine.activation, slope))),
        dead=not slope.any(),
        incoming=_incoming(passed, layer, neuron),
        classes=classes,
        selectivity=_selectivity(a, classes) if classes else None,
    )


def _incoming(passed: Propagation, layer: int, neuron: int) -> tuple[IncomingWeight, ...]:
    rates, weights = passed.layers[layer].dw[neuron], passed.subject.network.layers[layer].w[neuron]
    order = np.argsort(-np.abs(rates), kind="stable")[:_INCOMING]
    return tuple(
        IncomingWeight(Coordinate(layer, "w", (neuron, int(k))), float(weights[k]), float(rates[k])) for k in order
    )


def _class_means(passed: Propagation, a: Values) -> tuple[ClassMean, ...]:
    subject = passed.subject
    if not subject.examples.classes:
        return ()
    present, counts = np.unique(subject.classes, return_counts=True)
    means = np.bincount(subject.classes, a)[present] / counts
    return tuple(
        ClassMean(subject.named(int(c)), int(n), float(m)) for c, n, m in zip(present, counts, means, strict=True)
    )


def _selectivity(a: Values, classes: tuple[ClassMean, ...]) -> float:
    """The variance of the class means over the variance of all; 0 for a neuron that is always the same."""
    whole = float(np.var(a, dtype=np.float64))
    mean = float(np.mean(a, dtype=np.float64))
    between = sum(c.examples * (c.activation - mean) ** 2 for c in classes) / len(a)
    return between / whole if whole > 0 else 0.0
