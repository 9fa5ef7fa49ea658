"""The four equations of backpropagation, filled in: every layer's a, z, δ, ∂C/∂w and ∂C/∂b.

    δ^L = ∇_a C ⊙ σ'(z^L)                        (BP1)
    δ^l = ((w^{l+1})ᵀ δ^{l+1}) ⊙ σ'(z^l)         (BP2)
    ∂C/∂b^l_j = Σ_x δ^l_j                        (BP3)
    ∂C/∂w^l_jk = Σ_x a^{l−1}_k δ^l_j             (BP4)

C is the mean over the examples, so each example's δ here carries its 1/n: the sums above are over examples, and
`n·δ` is the error of a single example as the book writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.derive.backpropagation import backpropagate
from chainrule.display import Brief, Page, Shown, Table, counted, number, rms
from chainrule.errors import DataError, ShapeError
from chainrule.graph.node import full
from chainrule.nn.connected import Connected
from chainrule.nn.costs import cost_function, targets
from chainrule.nn.feedforward import Feedforward, Stage
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array, variable
from chainrule.trace.tree import flatten, unflatten

__all__ = ["Backpropagation", "LayerDerivatives", "backprop"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, repr=False)
class LayerDerivatives(Brief):
    """One layer: `a` and `z` of shape (examples, neurons), `delta` = ∂C/∂z of the same shape, `dw`, `db` as w and b.

    In a Connected network, `dw` is a dict with each array of weights that reaches the units, `db` the biases or None;
    the derivative of weights that are tied is the sum over all places where they are.
    """

    a: Values
    z: Values
    delta: Values
    dw: Any
    db: Any

    def sizes(self) -> tuple[float | None, ...]:
        """The rms of a, z, δ, ∂C/∂w, ∂C/∂b."""
        several = list(self.dw.values()) if isinstance(self.dw, dict) else [self.dw]
        dw = np.concatenate([np.ravel(part) for part in several]) if several else None
        return tuple(map(rms, (self.a, self.z, self.delta, dw, self.db)))


@dataclass(frozen=True, repr=False)
class Backpropagation(Brief, Shown):
    """The cost C, a mean over examples, and the derivatives of each layer, the first hidden one first."""

    cost: float
    layers: tuple[LayerDerivatives, ...]

    @property
    def gradient(self) -> list[tuple[Any, Any]]:
        """`(∂C/∂w, ∂C/∂b)` of each layer."""
        return [(layer.dw, layer.db) for layer in self.layers]

    def page(self) -> Page:
        """What is shown of it: the cost, and the size of everything in each layer (rms)."""
        examples = counted(len(self.layers[0].a), "example")
        columns = ("layer", "neurons", "a", "z", "δ = ∂C/∂z", "∂C/∂w", "∂C/∂b")
        rows = tuple((n, layer.a.shape[1], *layer.sizes()) for n, layer in enumerate(self.layers))
        said = f"C = {number(self.cost)}, the mean over {examples}; of each layer the rms of all numbers."
        return Page("Backpropagation", (said, Table(columns, rows)))


def backprop(network: Feedforward, cost: str, x: Any, y: Any) -> Backpropagation:
    """The cost of the network on the examples, and for every layer a, z, δ = ∂C/∂z, ∂C/∂w and ∂C/∂b.

    `x` has the shape (examples, inputs); `y` holds integer labels of shape (examples,) or targets of shape (examples,
    outputs). Nothing is compiled; all derivatives come from one walk backward.

    Raises ShapeError or DataError where the shapes do not fit the network, OptionError for a cost that does not.

    >>> from chainrule.nn.network import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])])
    >>> found = backprop(network, "quadratic", np.array([[0.0]]), np.array([[1.0]]))
    >>> found.cost, found.layers[0].delta.item()
    (0.125, -0.125)
    """
    formula = cost_function(cost, network.output_activation)
    examples = _examples(network, x)
    answers = _answers(network, len(examples), y)
    with transforming():
        leaves, structure = flatten(network)
        weights = [variable(leaf) for leaf in leaves]
        moved: Feedforward = unflatten(structure, weights)
        x = as_array(examples)
        stages = moved.stages(x)
        total = cnp.mean(formula(*moved.output(x), targets(as_array(answers), network)))
        nodes = [array.node for array in (*(stage.z for stage in stages), *weights)]
        found = backpropagate([(total.node, Array(full(1, total.node.type)))], nodes)
    deltas, gradients = found[: len(stages)], found[len(stages) :]
    layers = [_layer(network, stage, delta, gradients) for stage, delta in zip(stages, deltas, strict=True)]
    return Backpropagation(float(total.value), tuple(layers))


def _layer(network: Feedforward, stage: Stage, delta: Array, gradients: Sequence[Array]) -> LayerDerivatives:
    a, z, error = _values(stage.a, stage.z, delta)
    dw, db = (_values(*(gradients[n] for n in places)) for places in (stage.weights, stage.biases))
    if isinstance(network, Connected):
        names = list(network.weights)
        reaching = {names[n]: w for n, w in zip(stage.weights, dw, strict=True)}
        return LayerDerivatives(a, z, error, reaching, db[0] if db else None)
    return LayerDerivatives(a, z, error, dw[0], db[0])


def _values(*arrays: Array) -> Sequence[Values]:
    return [np.array(array.value) for array in arrays]


def _numbers(values: Any, what: str) -> Values:
    try:
        array = np.asarray(values)
    except ValueError as problem:
        raise DataError(f"{what} are not an array of numbers: {problem}.") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} must be real numbers, not {array.dtype} of shape {array.shape}.")
    return array


def _examples(network: Feedforward, x: Any) -> Values:
    examples, inputs = _numbers(x, "examples"), network.inputs
    if examples.ndim != 2 or examples.shape[1] != inputs or not len(examples):
        raise ShapeError(
            f"the network takes at least one example, of shape (n, {inputs}), not {examples.shape}.",
            cure="Reshape them, for example with x.reshape(len(x), -1).",
        )
    return examples.astype(network.dtype)


def _answers(network: Feedforward, examples: int, y: Any) -> Values:
    answers, outputs = _numbers(y, "labels or targets"), network.outputs
    fits = answers.shape in ((examples,), (examples, outputs))
    if not fits or (answers.ndim == 1 and answers.dtype.kind not in "iu"):
        raise DataError(
            f"{examples} examples need labels of shape ({examples},), integers, or targets of shape ({examples}, "
            f"{outputs}), not {answers.dtype} of shape {answers.shape}.",
            cure="Write y[:, None]." if outputs == 1 and answers.shape == (examples,) else "",
        )
    if answers.ndim == 1 and not 0 <= answers.min() <= answers.max() < outputs:
        cure = "For targets of the one output write y[:, None]." if outputs == 1 else ""
        raise DataError(f"labels {answers.min()} to {answers.max()} do not fit {outputs} outputs.", cure=cure)
    return answers if answers.ndim == 1 else answers.astype(network.dtype)
