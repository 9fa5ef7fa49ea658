"""The way of the error from the cost back to one weight, with numbers: the four equations of backpropagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Table, number
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.levels import rms
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.propagation import Propagation
from chainrule.insight.wording import source_name
from chainrule.nn.costs import cost_function
from chainrule.nn.network import Dense
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
    the error of a single example, ∂C_x/∂z. `mixed` says that a softmax lies on the way.
    """

    weight: Coordinate
    example: int
    label: str
    output: OutputLink
    links: tuple[ErrorLink, ...]
    source: float
    error: float
    product: float
    layers: tuple[tuple[int, float, float], ...]
    mixed: bool

    @property
    def title(self) -> str:
        """What it is."""
        said = f"From the cost back to it, on example {self.example} (label {self.label})"
        return f"{said}, which pulls hardest" if self.product else said

    def sentences(self) -> list[str]:
        """How the error changes on its way; what a softmax does to the equations."""
        sizes = ", ".join(f"{number(mine)} in layer {n} (all: {number(whole)})" for n, mine, whole in self.layers)
        said = [f"The error δ = ∂C/∂z has the rms {sizes}, from the output back."]
        if self.mixed:
            said.append("A softmax mixes its neurons: there the term is δ_i ∂z_i/∂z_j, and no single product.")
        return said

    def table(self) -> Table:
        """The equations with numbers, from the cost to the weight."""
        name = f"layers[{self.weight.layer}][{self.weight.neuron}]"
        rows = [self._first(), *(row for link in self.links for row in _rows(link))]
        rows.append(("BP3", f"∂C/∂b of {name} = δ", "", self.error, None))
        if self.weight.kind == "w":
            meant = f"∂C/∂w = a_k · δ_j, a_k of {source_name(self.weight)}"
            rows.append(("BP4", meant, f"{number(self.source)} · {number(self.error)}", self.product, None))
        return Table(("", "equation", "with numbers", "value", "rms over examples"), tuple(rows))

    def _first(self) -> tuple[Any, ...]:
        link = self.output
        name = f"δ of layers[{link.layer}][{link.neuron}], an output"
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
        names = [f"layer {n}" for n, _, _ in self.layers]
        axes.plot(names, [mine for _, mine, _ in self.layers], "o-", label=f"example {self.example}")
        axes.plot(names, [whole for _, _, whole in self.layers], "s--", label="all examples")
        axes.set(ylabel="rms of δ = ∂C_x/∂z", title=f"from the cost back to {self.weight}")
        axes.legend()
        return axes


def _rows(link: ErrorLink) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for term in link.terms:
        numbers = f"{number(term.weight)} · {number(term.error)} · {number(link.steepness)}"
        meant = f"w_ij δ_i σ'(z_j) from layers[{link.layer + 1}][{term.neuron}]"
        rows.append(("", meant, numbers, term.product, term.rms))
    if link.others:
        rows.append(("", "from all others of that layer", "", link.others, None))
    rows.append(("BP2", f"δ of layers[{link.layer}][{link.neuron}] = their sum", "", link.error, link.rms))
    return rows


def chain_of(passed: Propagation, weight: Coordinate, example: int) -> ErrorChain:
    """The chain to a weight on the example of that number in the pass, along the largest terms."""
    links, neuron, layers = [], weight.neuron, passed.subject.network.layers
    for layer in range(weight.layer, len(layers) - 1):
        links.append(_link(passed, layer, neuron, example))
        neuron = links[-1].terms[0].neuron
    source, error = (float(part[example]) for part in (passed.source(weight), passed.error(weight)))
    downward = range(len(layers) - 1, weight.layer - 1, -1)
    deltas = [(n, passed.layers[n].delta) for n in downward]
    return ErrorChain(
        weight=weight,
        example=passed.subject.row(example),
        label=passed.label(example),
        output=_output(passed, neuron, example),
        links=tuple(links[::-1]),
        source=source,
        error=error,
        product=source * error + 0.0,  # no -0
        layers=tuple((n, rms(delta[example]), rms(delta)) for n, delta in deltas),
        mixed=any(layers[n].activation == "softmax" for n in downward if n < len(layers) - 1),
    )


def terms_of(passed: Propagation, layer: int, neuron: int) -> Values:
    """`δ_i ∂z_i/∂z_j` for every example and every neuron i of the next layer, whose sum over i is δ_j; shape (n, i)."""
    moved = _steepness(passed.subject.network.layers[layer], passed.layers[layer].z, neuron)
    found: Values = passed.layers[layer + 1].delta * (moved @ passed.subject.network.layers[layer + 1].w.T)
    return found


def _steepness(layer: Dense, z: Values, neuron: int) -> Values:
    """`∂a/∂z_j`: σ'(z_j) in column j; in other columns 0, but for softmax."""
    direction = np.zeros_like(z)
    direction[:, neuron] = 1
    found: Values = jvp(layer.activated, (z,), (direction,))[1]
    return found


def _link(passed: Propagation, layer: int, neuron: int, example: int) -> ErrorLink:
    terms = terms_of(passed, layer, neuron)
    mine, mean_squares = terms[example], np.mean(np.square(terms, dtype=np.float64), axis=0)
    w, errors = passed.subject.network.layers[layer + 1].w, passed.layers[layer + 1].delta[example]
    order = np.argsort(-np.abs(mine), kind="stable")
    kept = [
        ErrorTerm(int(i), float(w[i, neuron]), float(errors[i]), float(mine[i]), float(mean_squares[i] ** 0.5))
        for i in order[:_TERMS]
    ]
    here = passed.layers[layer]
    steep = _steepness(passed.subject.network.layers[layer], here.z[example : example + 1], neuron)
    return ErrorLink(
        layer=layer,
        neuron=neuron,
        steepness=float(steep[0, neuron]),
        terms=tuple(kept),
        others=float(mine[order[_TERMS:]].sum()),
        error=float(here.delta[example, neuron]),
        rms=rms(here.delta[:, neuron]),
    )


def _output(passed: Propagation, neuron: int, example: int) -> OutputLink:
    subject, last = passed.subject, passed.layers[-1]
    row, label = slice(example, example + 1), subject.labels[example]
    target = float(label[neuron]) if subject.labels.ndim == 2 else float(label == neuron)
    steepness = _steepness(subject.network.layers[-1], last.z[row], neuron)
    activation, error = (float(part[example, neuron]) for part in (last.a, last.delta))
    return OutputLink(
        layer=len(passed.layers) - 1,
        neuron=neuron,
        activation=activation,
        target=target,
        slope=_slope(passed, neuron, row),
        steepness=float(steepness[0, neuron]),
        error=error,
        rms=rms(last.delta[:, neuron]),
        is_difference=subject.objective.cost != "quadratic" and abs(activation - target - error) <= _ROUNDED,
    )


def _slope(passed: Propagation, neuron: int, row: slice) -> float | None:
    """∂C_x/∂a of an output; None for softmax, and for costs that are written in z."""
    subject, last = passed.subject, passed.layers[-1]
    activation = subject.network.layers[-1].activation
    if activation == "softmax" or subject.objective.cost != "quadratic":
        return None
    formula = cost_function("quadratic", activation)
    target = subject.labels[row]
    y = target if target.ndim == 2 else np.eye(last.a.shape[1], dtype=last.a.dtype)[target]
    slope = grad(lambda a: formula(last.z[row], a, y).sum())(last.a[row])
    return float(slope[0, neuron])
