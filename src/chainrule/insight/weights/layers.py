"""One layer, and the weights on which the cost hangs most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import whole_number
from chainrule.display import Table, number
from chainrule.insight.backpropagated import Backpropagated, backpropagated
from chainrule.insight.coordinates import Coordinate, coordinate
from chainrule.insight.levels import flat, off, rms, slopes
from chainrule.insight.network_and_data import Subject
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.weights.anatomy import Anatomy, anatomy_of
from chainrule.insight.wording import GONE_WRONG, asked_examples, counted, layer_name, percent
from chainrule.nn.parameters import WEIGHT

__all__ = ["LargestWeights", "LayerExplanation", "WeightLine", "explain_layer", "largest_weights"]

Values = np.ndarray[Any, Any]
_LARGEST = 10


@dataclass(frozen=True)
class WeightLine:
    """A weight in a line: its value, ∂C/∂w in cost per unit of weight, and how the examples agree about it.

    `agreement` is the share of the examples that pull, which pull the way that most do; `signal_to_noise` |mean| over
    the standard deviation of one example's derivative. Both are None where they mean nothing.
    """

    weight: Coordinate
    value: float
    rate: float
    agreement: float | None
    signal_to_noise: float | None


@dataclass(frozen=True, repr=False)
class LargestWeights(Insight):
    """The weights with the largest |∂C/∂w|, largest first.

    Exact, of the mean cost over the examples, penalty included. `share` is theirs of the squares of all ∂C/∂w.
    """

    examples: int
    available: int
    weights: tuple[WeightLine, ...]
    share: float

    @property
    def title(self) -> str:
        """What it is."""
        return f"The {counted(len(self.weights), 'weight')} with the largest |∂C/∂w|"

    def sentences(self) -> list[str]:
        """The first, and how much of the whole gradient they are."""
        first = self.weights[0]
        if not np.isfinite(first.rate):
            return [f"∂C/∂w is no finite number at {first.weight}: what it is largest at cannot be told. {GONE_WRONG}"]
        where = asked_examples(self.examples, self.available)
        way = "Lowering" if first.rate > 0 else "Raising"
        return [
            f"{way} {first.weight} lowers the cost fastest, by {number(abs(first.rate))} per unit of weight (the mean "
            f"over {where}).",
            f"Together they hold {percent(self.share)} of the squared length of the gradient of all weights.",
        ]

    def table(self) -> Table:
        """A line for each."""
        return _lines(self.weights)

    def plot(self, axes: Any = None) -> Any:
        """∂C/∂w of each."""
        return _bars(self.weights, figure(axes), self.title)


@dataclass(frozen=True, repr=False)
class LayerExplanation(Insight):
    """A layer over the examples: the rms of its inputs, z, a, δ = ∂C_x/∂z (of single examples), w, b, ∂C/∂w and ∂C/∂b.

    `saturated` is the share of (example, neuron) pairs in which σ'(z) is below a twentieth of the largest it can be,
    `dead` the number of neurons with σ'(z) = 0 on every example. Derivatives are of the mean cost, penalty included.
    `inputs` and `input_rms` are None where there is not one weight for each neuron and each input.
    """

    layer: int
    name: str
    activation: str
    neurons: int
    inputs: int | None
    examples: int
    available: int
    input_rms: float | None
    z_rms: float
    a_rms: float
    delta_rms: float
    w_rms: float
    b_rms: float
    dw_rms: float
    db_rms: float
    saturated: float
    dead: int
    largest: tuple[WeightLine, ...]

    @property
    def title(self) -> str:
        """What it is."""
        name, told = self.name, "" if self.inputs is None else f", {self.inputs} inputs"
        return f"{name[0].upper()}{name[1:]}: {counted(self.neurons, 'neuron')} ({self.activation}){told}"

    def sentences(self) -> list[str]:
        """The sizes forward, the sizes backward, how much is asleep."""
        where = asked_examples(self.examples, self.available)
        inputs = "" if self.input_rms is None else f"inputs {number(self.input_rms)}, "
        forward = f"{inputs}weighted inputs z {number(self.z_rms)}, activations a"
        weights = f"∂C/∂w {number(self.dw_rms)} (weights are {number(self.w_rms)})"
        biases = f"∂C/∂b {number(self.db_rms)} (biases are {number(self.b_rms)})"
        asleep = (
            f"Neurons are saturated, where a change of z hardly changes a, {percent(self.saturated)} of the time; "
            f"{self.dead} of {self.neurons} are dead: no error gets through them on any example."
        )
        return [
            f"Forward over {where} (rms): {forward} {number(self.a_rms)}.",
            f"Back: errors δ = ∂C/∂z of single examples {number(self.delta_rms)}; of the mean, {weights}, {biases}.",
            asleep if np.isfinite(self.z_rms) else f"Which neurons are saturated or dead cannot be told. {GONE_WRONG}",
            "Its weights with the largest derivatives:",
        ]

    def table(self) -> Table:
        """The weights with the largest derivatives, a line for each."""
        return _lines(self.largest)

    def plot(self, axes: Any = None) -> Any:
        """∂C/∂w of its weights with the largest."""
        return _bars(self.largest, figure(axes), self.title)


def explain_layer(subject: Subject, available: int, layer: int) -> LayerExplanation:
    """Everything about one layer, from one pass."""
    layer = whole_number("layer", layer, 0, len(subject.layers()) - 1)
    passed = backpropagated(subject)
    here = passed.stages[layer]
    slope = slopes(here.activation, here.z, here.a)
    return LayerExplanation(
        layer=layer,
        name=layer_name(layer, passed.names),
        activation=here.activation.name,
        neurons=here.units,
        inputs=None if here.inputs is None else here.inputs.shape[1],
        examples=subject.count,
        available=available,
        input_rms=None if here.inputs is None else rms(here.inputs),
        z_rms=rms(here.z),
        a_rms=rms(here.a),
        delta_rms=rms(here.delta),
        w_rms=rms(passed.numbers(here.outline.weights)),
        b_rms=rms(passed.numbers(here.outline.biases)),
        dw_rms=rms(here.dw),
        db_rms=rms(here.db),
        saturated=float(np.mean(flat(here.activation, slope))),
        dead=int(off(here.activation, slope).sum()),
        largest=_largest(passed, here.outline.weights, _LARGEST),
    )


def largest_weights(subject: Subject, available: int, count: int) -> LargestWeights:
    """The weights of all layers with the largest |∂C/∂w|, from one pass."""
    count = whole_number("largest", count, 1, cure="Try largest=10.")
    passed, weights = backpropagated(subject), subject.parameters.numbers(WEIGHT)
    lines = _largest(passed, weights, count)
    whole = sum(float(np.sum(np.square(passed.gradients[n], dtype=np.float64))) for n in weights)
    share = sum(line.rate**2 for line in lines) / whole if whole else 0.0
    return LargestWeights(subject.count, available, lines, share)


def _largest(passed: Backpropagated, arrays: Sequence[int], count: int) -> tuple[WeightLine, ...]:
    network, slopes = passed.subject.network, {n: passed.gradients[n] for n in arrays}
    found = [(n, k) for n in arrays for k in _first(np.abs(slopes[n]).ravel(), count)]
    order = np.argsort([-abs(slopes[n].flat[k]) for n, k in found], kind="stable")[:count]
    chosen = [(n, np.unravel_index(k, slopes[n].shape)) for n, k in (found[one] for one in order)]
    weights = [coordinate(network, n, tuple(map(int, index))) for n, index in chosen]
    lines = [_line(passed, weight, anatomy_of(passed, weight)) for weight in weights]
    return tuple(sorted(lines, key=lambda line: -abs(line.rate)))


def _first(sizes: Values, count: int) -> Values:
    """Where the largest are, in no order."""
    return np.argpartition(-sizes, count - 1)[:count] if count < len(sizes) else np.arange(len(sizes))


def _line(passed: Backpropagated, weight: Coordinate, anatomy: Anatomy) -> WeightLine:
    value = weight.value(passed.subject.network)
    rate = anatomy.mean + passed.subject.objective.penalty * value
    return WeightLine(weight, value, rate, anatomy.agreement, anatomy.signal_to_noise)


def _lines(lines: tuple[WeightLine, ...]) -> Table:
    columns = ("weight", "value", "∂C/∂w", "examples that agree", "signal-to-noise")
    agree = [None if line.agreement is None else percent(line.agreement) for line in lines]
    rows = [(str(n.weight), n.value, n.rate, a, n.signal_to_noise) for n, a in zip(lines, agree, strict=True)]
    return Table(columns, tuple(rows))


def _bars(lines: tuple[WeightLine, ...], axes: Any, title: str) -> Any:
    axes.barh([str(line.weight) for line in lines][::-1], [line.rate for line in lines][::-1])
    axes.set(xlabel="∂C/∂w (cost per unit of weight)", title=title)
    return axes
