"""One neuron: how active, how steep, how wrong; what it answers to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import whole_numbers
from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.backpropagated import Backpropagated, PassedStage, backpropagated
from chainrule.insight.coordinates import Coordinate, coordinate
from chainrule.insight.levels import flat, rms, slopes
from chainrule.insight.network_and_data import Subject
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.wording import GONE_WRONG, asked_examples, layer_name, percent
from chainrule.nn.outline import StageOutline

__all__ = ["ClassMean", "IncomingWeight", "NeuronExplanation", "explain_neuron", "parse_neuron"]

Values = np.ndarray[Any, Any]
_INCOMING = 5  # weights that are told
_NEURON = re.compile(r"(.*\S)\[(\d+)\]")


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
    name: str
    stage: str
    activation: str
    examples: int
    available: int
    z_rms: float
    a_rms: float
    delta_rms: float
    bias: float | None
    bias_rate: float | None
    saturated: float
    dead: bool
    incoming: tuple[IncomingWeight, ...]
    classes: tuple[ClassMean, ...]
    selectivity: float | None

    @property
    def title(self) -> str:
        """What it is."""
        return f"{self.name}, a neuron of {self.stage}"

    def sentences(self) -> list[str]:
        """How large, how steep, what for, and what to change."""
        sizes = f"z {number(self.z_rms)}, activation a {number(self.a_rms)}, error δ = ∂C/∂z {number(self.delta_rms)}"
        where = asked_examples(self.examples, self.available)
        size = f"Over {where} (rms): weighted input {sizes}."
        if not np.isfinite(self.z_rms):
            return [size, f"Whether it is saturated, dead, or tells classes apart cannot be told. {GONE_WRONG}"]
        return [size, self._steep(), *self._biased(), *self._selective()]

    def _biased(self) -> list[str]:
        if self.bias is None or self.bias_rate is None:
            return []
        return [
            f"Its bias is {number(self.bias)}; the cost changes at {number(self.bias_rate)} per unit of it (∂C/∂b)."
        ]

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


def parse_neuron(asked: str | tuple[int, int], stages: Sequence[StageOutline]) -> tuple[int, int]:
    """The numbers of the stage and of the unit that `layers[0][3]` or (0, 3) names; OptionError if there is none."""
    found = _NEURON.fullmatch(asked.strip()) if isinstance(asked, str) else None
    if found is None and (isinstance(asked, str) or not isinstance(asked, tuple | list) or len(asked) != 2):
        raise OptionError(f"{asked!r} names no neuron.", cure="Write layers[0][3], or in Python (0, 3).")
    layer, neuron = (_stage(asked, found[1], stages), int(found[2])) if found else whole_numbers("neuron", asked)
    if not 0 <= layer < len(stages):
        raise OptionError(f"{asked!r}: the network has layers 0 to {len(stages) - 1}.")
    if not 0 <= neuron < stages[layer].units:
        raise OptionError(f"{asked!r}: layer {layer} has neurons 0 to {stages[layer].units - 1}.")
    return layer, neuron


def _stage(asked: Any, name: str, stages: Sequence[StageOutline]) -> int:
    names = [stage.name for stage in stages]
    if name in names:
        return names.index(name)
    number = re.fullmatch(r"layers\[(\d+)\]", name)
    if number and "layers[0]" in names:
        return int(number[1])
    cure = f"Its layers are {', '.join(names)}: write {names[0]}[3], or in Python (0, 3)." if names else ""
    raise OptionError(f"{asked!r} names no neuron.", cure=cure)


def explain_neuron(subject: Subject, available: int, asked: str | tuple[int, int]) -> NeuronExplanation:
    """Everything about one neuron, from one pass."""
    layer, neuron = parse_neuron(asked, subject.layers())
    passed = backpropagated(subject)
    here = passed.stages[layer]
    z, a = (part[..., neuron] for part in (here.z, here.a))
    slope = slopes(here.activation, here.z, here.a)[..., neuron]
    classes = _class_means(passed, a)
    bias = _bias(passed, here, neuron)
    return NeuronExplanation(
        layer=layer,
        neuron=neuron,
        name=f"{here.name}[{neuron}]",
        stage=layer_name(layer, passed.names),
        activation=here.activation.name,
        examples=subject.count,
        available=available,
        z_rms=rms(z),
        a_rms=rms(a),
        delta_rms=rms(here.delta[..., neuron]),
        bias=None if bias is None else bias.value(subject.network),
        bias_rate=None if bias is None else float(here.gradients[bias.array][bias.index]),
        saturated=float(np.mean(flat(here.activation, slope))),
        dead=not slope.any(),
        incoming=_incoming(passed, here, neuron),
        classes=classes,
        selectivity=_selectivity(a, classes) if classes else None,
    )


def _bias(passed: Backpropagated, stage: PassedStage, neuron: int) -> Coordinate | None:
    """The bias of a neuron, if its stage has one for each."""
    numbers = stage.outline.biases
    if len(numbers) != 1 or stage.gradients[numbers[0]].shape != (stage.units,):
        return None
    return coordinate(passed.subject.network, numbers[0], (neuron,))


def _incoming(passed: Backpropagated, stage: PassedStage, neuron: int) -> tuple[IncomingWeight, ...]:
    """The weights of the neuron alone with the largest derivatives; none where it has none of its own."""
    if stage.inputs is None:
        return ()
    (number,) = stage.outline.weights
    rates, network = stage.gradients[number][neuron], passed.subject.network
    order = np.argsort(-np.abs(rates), kind="stable")[:_INCOMING]
    weights = [coordinate(network, number, (neuron, int(k))) for k in order]
    return tuple(IncomingWeight(w, w.value(network), float(rates[w.index[1]])) for w in weights)


def _class_means(passed: Backpropagated, a: Values) -> tuple[ClassMean, ...]:
    subject = passed.subject
    if not subject.has_classes:
        return ()
    present, counts = np.unique(subject.classes, return_counts=True)
    each = a.reshape(len(a), -1).mean(axis=1)
    means = np.bincount(subject.classes, each)[present] / counts
    return tuple(
        ClassMean(subject.named(int(c)), int(n), float(m)) for c, n, m in zip(present, counts, means, strict=True)
    )


def _selectivity(a: Values, classes: tuple[ClassMean, ...]) -> float:
    """The variance of the class means over the variance of all; 0 for a neuron that is always the same."""
    whole = float(np.var(a, dtype=np.float64))
    mean = float(np.mean(a, dtype=np.float64))
    between = sum(c.examples * (c.activation - mean) ** 2 for c in classes) / len(a)
    return between / whole if whole > 0 else 0.0
