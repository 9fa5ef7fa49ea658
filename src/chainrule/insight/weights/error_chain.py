"""The way of the error from the cost back to one weight, with numbers: the four equations of backpropagation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Table, number
from chainrule.insight.backpropagated import Backpropagated
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.levels import rms
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.wording import source_name, stage_name
from chainrule.nn.activations import Activation
from chainrule.nn.costs import targets_of
from chainrule.nn.objective import is_function
from chainrule.transform import grad, jvp

__all__ = ["ErrorChain", "ErrorLink", "ErrorTerm", "OutputLink", "chain_of", "terms_of"]

Values = np.ndarray[Any, Any]
_TERMS = 3  # of each link that are kept
_ROUNDED = 1e-5  # of outputs and targets in float32


@dataclass(frozen=True)
class ErrorTerm:
    """What the error of neuron i of the next layer adds to δ_j: `product = δ_i ∂z_i/∂z_j = w_ij δ_i σ'(z_j)`.

    `rms` is that of the product over all examples.
    """

    neuron: int
    weight: float
    error: float
    product: float
    rms: float


@dataclass(frozen=True)
class OutputLink:
    """BP1 for one output: `δ = ∂C/∂a · σ'(z)`.

    `slope`, ∂C/∂a, is None with a cross-entropy, where the two multiply to a − target (`is_difference`; if the targets
    of a softmax add up to 1), and with a softmax, which mixes its neurons.
    """

    layer: int
    neuron: int
    activation: float
    target: float
    slope: float | None
    steepness: float
    error: float
    rms: float
    is_difference: bool


@dataclass(frozen=True)
class ErrorLink:
    """BP2 for one neuron: `δ_j = Σ_i w_ij δ_i · σ'(z_j)`; the largest terms, and the error, which is the sum of all."""

    layer: int
    following: int
    neuron: int
    steepness: float
    terms: tuple[ErrorTerm, ...]
    others: float
    error: float
    rms: float


@dataclass(frozen=True, repr=False)
class ErrorChain(Insight):
    """From the cost to a weight on one example, along the neurons through which most of the error comes.

    `links` begin behind the output; `source`, `error` and `product` are a_k, δ_j and ∂C_x/∂w. `layers` holds, for each
    layer from the output to the weight's, the rms of δ over its neurons: on this example, and over all examples. δ is
    the error of a single example, ∂C_x/∂z. `mixed` says that a softmax lies on the way. `name` is that of the weight's
    unit, `names` are those of the stages.
    """

    weight: Coordinate
    name: str
    source_name: str
    example: int
    label: str
    output: OutputLink
    links: tuple[ErrorLink, ...]
    source: float
    error: float
    product: float
    layers: tuple[tuple[int, float, float], ...]
    names: tuple[str, ...]
    mixed: bool

    @property
    def title(self) -> str:
        """What it is."""
        said = f"From the cost back to it, on example {self.example} (label {self.label})"
        return f"{said}, which pulls hardest" if self.product else said

    def sentences(self) -> list[str]:
        """How the error changes on its way; what a softmax does to the equations."""
        told = [(stage_name(n, self.names), number(mine), number(whole)) for n, mine, whole in self.layers]
        sizes = ", ".join(f"{mine} in {name} (all: {whole})" for name, mine, whole in told)
        said = [f"The error δ = ∂C/∂z has the rms {sizes}, from the output back."]
        if self.mixed:
            said.append("A softmax mixes its neurons: there the term is δ_i ∂z_i/∂z_j, and no single product.")
        return said

    def table(self) -> Table:
        """The equations with numbers, from the cost to the weight."""
        rows = [self._first(), *(row for link in self.links for row in _rows(link, self.names))]
        rows.append(("BP3", f"∂C/∂b of {self.name} = δ", "", self.error, None))
        if self.weight.kind == "w":
            meant = f"∂C/∂w = a_k · δ_j, a_k of {self.source_name}"
            rows.append(("BP4", meant, f"{number(self.source)} · {number(self.error)}", self.product, None))
        return Table(("", "equation", "with numbers", "value", "rms over examples"), tuple(rows))

    def _first(self) -> tuple[Any, ...]:
        link = self.output
        name = f"δ of {self.names[link.layer]}[{link.neuron}], an output"
        if link.slope is not None:
            meant, numbers = f"{name} = ∂C/∂a · σ'(z)", f"{number(link.slope)} · {number(link.steepness)}"
        elif link.is_difference:
            meant, numbers = f"{name} = a - target", f"{number(link.activation)} - {number(link.target)}"
        else:
            meant, numbers = f"{name}, of all ∂C/∂a", f"a {number(link.activation)}, target {number(link.target)}"
        return "BP1", meant, numbers, link.error, link.rms

    def plot(self, axes: Any = None) -> Any:
        """The rms of the error in each layer, on this example and over all."""
        axes = figure(axes)
        names = [stage_name(n, self.names) for n, _, _ in self.layers]
        axes.plot(names, [mine for _, mine, _ in self.layers], "o-", label=f"example {self.example}")
        axes.plot(names, [whole for _, _, whole in self.layers], "s--", label="all examples")
        axes.set(ylabel="rms of δ = ∂C_x/∂z", title=f"from the cost back to {self.weight}")
        axes.legend()
        return axes


def _rows(link: ErrorLink, names: Sequence[str]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for term in link.terms:
        numbers = f"{number(term.weight)} · {number(term.error)} · {number(link.steepness)}"
        meant = f"w_ij δ_i σ'(z_j) from {names[link.following]}[{term.neuron}]"
        rows.append(("", meant, numbers, term.product, term.rms))
    if link.others:
        rows.append(("", "from all others of that layer", "", link.others, None))
    rows.append(("BP2", f"δ of {names[link.layer]}[{link.neuron}] = their sum", "", link.error, link.rms))
    return rows


def chain_of(passed: Backpropagated, weight: Coordinate, example: int) -> ErrorChain | None:
    """The chain to a weight on the example of that number in the pass, along the largest terms; None if it breaks."""
    stages, source, error = passed.stages, passed.source(weight), passed.error(weight)
    way = stages_behind(passed, weight)
    if way is None or source is None or error is None:
        return None
    links, unit = [], weight.index[0]
    for stage in way[:-1]:
        links.append(_link(passed, stage, unit, example))
        unit = links[-1].terms[0].neuron
    product = float(source[example]) * float(error[example]) + 0.0  # no -0
    return ErrorChain(
        weight=weight,
        name=f"{stages[way[0]].name}[{weight.index[0]}]",
        source_name=source_name(weight, way[0], passed.origin(way[0]), passed.names),
        example=passed.subject.row(example),
        label=passed.label(example),
        output=_output(passed, unit, example),
        links=tuple(links[::-1]),
        source=float(source[example]),
        error=float(error[example]),
        product=product,
        layers=tuple((n, rms(stages[n].delta[example]), rms(stages[n].delta)) for n in way[::-1]),
        names=passed.names,
        mixed=not all(stages[n].activation.elementwise for n in way[:-1]),
    )


def stages_behind(passed: Backpropagated, weight: Coordinate) -> list[int] | None:
    """The stages from the weight's to the outputs, each of which takes what comes out of the one before; else None."""
    at, last = passed.dense_home(weight), len(passed.stages) - 1
    if at is None or is_function(passed.subject.objective.cost):
        return None
    way = [at]
    while way[-1] != last:
        following = passed.follower(way[-1])
        if following is None:
            return None
        way.append(following)
    return way


def terms_of(passed: Backpropagated, stage: int, unit: int) -> Values:
    """`δ_i ∂z_i/∂z_j` for every example and every unit i of the next stage, whose sum over i is δ_j; shape (n, i)."""
    following = passed.follower(stage)
    assert following is not None
    moved = _steepness(passed.stages[stage].activation, passed.stages[stage].z, unit)
    found: Values = passed.stages[following].delta * (moved @ _weights(passed, following).T)
    return found


def _weights(passed: Backpropagated, stage: int) -> Values:
    (number,) = passed.stages[stage].outline.weights
    return np.asarray(passed.subject.parameters.arrays[number])


def _steepness(activation: Activation, z: Values, unit: int) -> Values:
    """`∂a/∂z_j`: σ'(z_j) in column j; in other columns 0, but for softmax and its like."""
    direction = np.zeros_like(z)
    direction[:, unit] = 1
    found: Values = jvp(activation, (z,), (direction,))[1]
    return found


def _link(passed: Backpropagated, stage: int, unit: int, example: int) -> ErrorLink:
    following, here = passed.follower(stage), passed.stages[stage]
    assert following is not None
    terms = terms_of(passed, stage, unit)
    mine, mean_squares = terms[example], np.mean(np.square(terms, dtype=np.float64), axis=0)
    w, errors = _weights(passed, following), passed.stages[following].delta[example]
    order = np.argsort(-np.abs(mine), kind="stable")
    kept = [
        ErrorTerm(int(i), float(w[i, unit]), float(errors[i]), float(mine[i]), float(mean_squares[i] ** 0.5))
        for i in order[:_TERMS]
    ]
    steep = _steepness(here.activation, here.z[example : example + 1], unit)
    return ErrorLink(
        layer=stage,
        following=following,
        neuron=unit,
        steepness=float(steep[0, unit]),
        terms=tuple(kept),
        others=float(mine[order[_TERMS:]].sum()),
        error=float(here.delta[example, unit]),
        rms=rms(here.delta[:, unit]),
    )


def _output(passed: Backpropagated, unit: int, example: int) -> OutputLink:
    subject, last = passed.subject, passed.stages[-1]
    row, label = slice(example, example + 1), subject.labels[example]
    target = float(label[unit]) if subject.labels.ndim == 2 else float(label == unit)
    activation, error = (float(part[example, unit]) for part in (last.a, last.delta))
    return OutputLink(
        layer=len(passed.stages) - 1,
        neuron=unit,
        activation=activation,
        target=target,
        slope=_slope(passed, unit, row),
        steepness=float(_steepness(last.activation, last.z[row], unit)[0, unit]),
        error=error,
        rms=rms(last.delta[:, unit]),
        is_difference=subject.cost_is_of_z and abs(activation - target - error) <= _ROUNDED,
    )


def _slope(passed: Backpropagated, unit: int, row: slice) -> float | None:
    """∂C_x/∂a of an output; None for softmax and its like, and for costs that are written in z."""
    subject, last, cost = passed.subject, passed.stages[-1], passed.subject.objective.cost
    if subject.cost_is_of_z or not last.activation.elementwise:
        return None
    y = targets_of(subject.labels[row], last.units, last.a.dtype)
    slope = grad(lambda a: cost(last.z[row], a, y).sum())(last.a[row])
    return float(slope[0, unit])
