"""Asking about one weight, a neuron, a layer, or the weights on which the cost hangs most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.backpropagated import EXAMPLES, Backpropagated, backpropagated
from chainrule.insight.coordinates import Coordinate, parse_coordinate
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.presentation import Composed, Insight, two_axes
from chainrule.insight.weights.anatomy import Anatomy, anatomy_of
from chainrule.insight.weights.downstream import downstream_of
from chainrule.insight.weights.error_chain import ErrorChain, chain_of
from chainrule.insight.weights.layers import explain_layer, largest_weights
from chainrule.insight.weights.neurons import explain_neuron
from chainrule.insight.weights.perturbation import WhatIf, what_if_from
from chainrule.insight.wording import GONE_WRONG, asked_examples, derivative, layer_name, second_derivative
from chainrule.nn.parameters import WEIGHT

__all__ = ["WeightExplanation", "explain", "explain_weight"]


_BROKEN = (
    "The error cannot be followed to it unit by unit: not every layer from it to the outputs has a weight of its own "
    "for each unit and input, and hands what comes out of it to one other layer."
)


@dataclass(frozen=True, eq=False, repr=False)
class WeightExplanation(Composed):
    """Everything about `∂C/∂w` of one weight or bias: its value, what it is made of, where it comes from, what if.

    `rate` is in cost per unit of weight, of the mean over the examples; `penalty_rate`, λw/n, is the part of it that
    comes from the penalty. `examples` of `available` were asked. `stage` and `activation` are those of the stage that
    it acts in, None if there are several; `chain` is None where the error cannot be followed unit by unit.
    """

    weight: Coordinate
    value: float
    rate: float
    penalty_rate: float
    examples: int
    available: int
    activation: str | None
    stage: str | None
    anatomy: Anatomy
    chain: ErrorChain | None
    what_if: WhatIf

    @property
    def parts(self) -> tuple[Insight, ...]:
        """What it is made of, where it comes from (if that can be followed), what if."""
        return tuple(part for part in (self.anatomy, self.chain, self.what_if) if part is not None)

    @property
    def title(self) -> str:
        """The weight with its value and its derivative."""
        return f"{self.weight} = {number(self.value)}, {derivative(self.weight)} = {number(self.rate)}"

    def sentences(self) -> list[str]:
        """What the weight is, and what its derivative means."""
        kind = "weight" if self.weight.role == WEIGHT else "bias"
        said = [f"This is the {kind}{self._standing(kind)}.", self._rate(kind)]
        if self.chain is None:
            said.append(_BROKEN)
        if self.penalty_rate and np.isfinite(self.penalty_rate):
            said.append(
                f"{number(self.penalty_rate)} of it comes from the penalty on large weights, not from examples."
            )
        return said

    def _standing(self, kind: str) -> str:
        """Between what it is."""
        if self.stage is None:
            return ", which acts in no layer alone"
        layer = f"{self.stage} ({self.activation})"
        if self.anatomy.source is None:
            return f" of {layer}, which has no weight of its own for each unit and input"
        unit = f"neuron {self.weight.index[0]} of {layer}"
        return f" from {self.anatomy.source} to {unit}" if kind == "weight" else f" of {unit}"

    def _rate(self, kind: str) -> str:
        asked = asked_examples(self.examples, self.available)
        if not np.isfinite(self.rate):
            return f"How the cost changes with it (the mean over {asked}) cannot be told. {GONE_WRONG}"
        said = f"The cost changes at {number(self.rate)} per unit of {kind} (the mean over {asked}): learning "
        if self.rate == 0:
            return f"{said}leaves it where it is."
        return f"{said}{'lowers' if self.rate > 0 else 'raises'} it."

    def table(self) -> Table:
        """The figures that describe it, one a row."""
        what_if, anatomy, first = self.what_if, self.anatomy, derivative(self.weight)
        rows = (
            ("value", self.value, ""),
            (first, self.rate, "cost per unit"),
            ("of it from the penalty", self.penalty_rate, "cost per unit"),
            (f"standard error of {first}", anatomy.error, "cost per unit"),
            ("standard deviation over examples", anatomy.spread, "cost per unit"),
            ("signal-to-noise", anatomy.signal_to_noise, ""),
            ("agreement of sign", anatomy.agreement, "share"),
            (second_derivative(self.weight), what_if.curvature, "cost per unit²"),
            ("C", what_if.cost, "cost"),
        )
        return Table(("figure", "value", "unit"), rows)

    def shown(self) -> Table:
        """None: the parts say it all."""
        return Table((), ())

    def plot(self, axes: Any = None) -> Any:
        """The what-if curve; on a picture of its own the histogram over the examples is beside it."""
        curve, histogram = two_axes(axes, 12, 5)
        if histogram is not None:
            self.anatomy.plot(histogram)
        return self.what_if.plot(curve)


def explain(
    network: Any,
    data: Any,
    *,
    weight: str | Coordinate | None = None,
    neuron: str | tuple[int, int] | None = None,
    layer: int | None = None,
    largest: int | None = None,
    cost: AskedCost = None,
    l2: float | None = None,
    examples: int = EXAMPLES,
) -> Insight:
    """What the derivatives say about one weight or bias, one neuron, one layer, or the weights that matter most.

    Name one of `weight="layers[0].w[3, 407]"`, `neuron="layers[0][3]"` or (0, 3), `layer=0`, `largest=10`. All figures
    are exact, of the mean cost over the examples, at most `examples` of them, drawn at random (seed 0) if there are
    more; with the penalty of `l2` or of the run. The result prints as an explanation, from top to bottom.

    Raises OptionError if not exactly one is named, or the network does not have it; what `subject_of` raises.

    Source: Rumelhart, Hinton and Williams, Nature 323, 1986; Nielsen, Neural Networks and Deep Learning, chapter 2.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])], "identity")
    >>> found = explain(network, ([[1.0]], [[0.0]]), weight="layers[0].w[0, 0]")
    >>> found.rate, found.chain.product
    (1.0, 1.0)
    """
    named = {"weight": weight, "neuron": neuron, "layer": layer, "largest": largest}
    chosen = [name for name, value in named.items() if value is not None]
    if len(chosen) != 1:
        raise OptionError(
            f"explain is about one thing, not {' and '.join(chosen) or 'nothing'}.",
            cure="Name one of weight='layers[0].w[3, 407]', neuron='layers[0][3]', layer=0, largest=10.",
        )
    whole = subject_of(network, data, cost, l2, finite=False)
    subject = whole.at_most(examples)
    ask: Any = {"weight": _weight, "neuron": explain_neuron, "layer": explain_layer, "largest": largest_weights}
    made: Insight = ask[chosen[0]](subject, whole.count, named[chosen[0]])
    return made


def _weight(subject: Subject, available: int, weight: str | Coordinate) -> WeightExplanation:
    weight = parse_coordinate(str(weight), subject.network)
    return explain_weight(backpropagated(subject), weight, available)


def explain_weight(passed: Backpropagated, weight: Coordinate, available: int) -> WeightExplanation:
    """Everything about one weight or bias, from one pass."""
    subject, anatomy, home = passed.subject, anatomy_of(passed, weight), passed.home(weight)
    value = weight.value(subject.network)
    penalty_rate = subject.objective.penalty * value if weight.role == WEIGHT else 0.0
    error = passed.error(weight)
    pulls = anatomy.products if anatomy.products.any() or error is None else error
    return WeightExplanation(
        weight=weight,
        value=value,
        rate=anatomy.mean + penalty_rate,
        penalty_rate=penalty_rate,
        examples=subject.count,
        available=available,
        activation=None if home is None else passed.stages[home].activation.name,
        stage=None if home is None else layer_name(home, passed.names),
        anatomy=anatomy,
        chain=chain_of(passed, weight, int(np.abs(pulls).argmax())),
        what_if=what_if_from(subject, downstream_of(passed, weight)),
    )
