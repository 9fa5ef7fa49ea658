"""What flows through a network while it learns: a few numbers for each layer, taken in the pass that learns.

For each layer, over the examples of the batch (n of them), with the error of a single example δ = ∂C_x/∂z:

    activation, weighted_input, error   rms of a, z, δ
    gradient, bias_gradient             rms of ∂C/∂w and ∂C/∂b, of the mean cost
    update_ratio                        rms of the step's Δw, as the optimiser makes it, over rms of w
    dead                                fraction of units that are off (σ'(z) = 0) for every example of the batch
    saturated                           fraction of units whose mean σ'(z) is below 1/20 of the largest that σ' can be
    example_norm                        mean over the examples of ‖∂C_x/∂(w, b)‖²
    batch_norm                          ‖∂C/∂(w, b)‖² of the batch's gradient

From the last two, signal and noise follow without bias (`noise_scale`). For the step as a whole: its cost, the change
of the cost that the derivatives predict, `Σ ∂C/∂w · Δw`, and, where it is measured, the change on the same batch; for
classes, the share of each in `Σ_x ‖∂C_x/∂(w, b)‖`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.derive.backpropagation import backpropagate
from chainrule.graph import ops
from chainrule.graph.node import Node, full, number
from chainrule.learning.objective import Objective
from chainrule.learning.optimizers import Optimizer
from chainrule.nn.network import Dense, Network
from chainrule.trace import namespace as cnp
from chainrule.trace.array import Array, variable
from chainrule.trace.tree import flatten, unflatten

__all__ = ["LAYER_QUANTITIES", "STEP_QUANTITIES", "Flow", "Watched", "watched_step"]

LAYER_QUANTITIES = (
    "activation", "weighted_input", "error", "gradient", "bias_gradient", "update_ratio", "dead", "saturated",
    "example_norm", "batch_norm",
)  # fmt: skip
STEP_QUANTITIES = ("cost", "predicted", "measured")
_LARGEST_SLOPE = {"sigmoid": 0.25, "tanh": 1.0}
_FLAT = 0.05  # of the largest slope, below which a unit hardly learns

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Watched:
    """One step, watched, as Arrays: what the step returns, and the quantities, each a single number."""

    after: Any
    cost: Array
    right: Array
    layers: tuple[tuple[Array, ...], ...]
    predicted: Array
    measured: Array | None
    class_shares: Array | None


def watched_step(
    network: Network,
    moments: Any,
    objective: Objective,
    optimizer: Optimizer,
    x: Array,
    labels: Array,
    *,
    measure: bool,
) -> Watched:
    """A training step with its quantities; with `measure`, the cost after the step is computed on the same batch."""
    leaves, structure = flatten(network)
    weights = [variable(leaf) for leaf in leaves]
    moved: Network = unflatten(structure, weights)
    cost, right = objective.measured(moved, x, labels)
    passed = moved.forward(x)  # the same nodes again
    nodes = [array.node for array in (*(z for z, _ in passed), *weights)]
    found = backpropagate([(cost.node, Array(full(1, cost.node.type)))], nodes)
    deltas, gradients = found[: len(passed)], found[len(passed) :]
    gradient = unflatten(structure, gradients)
    after = optimizer.update(network, gradient, moments)
    activations = [x, *(a for _, a in passed)]
    norms = [_example_norms(delta, a) for delta, a in zip(deltas, activations, strict=False)]
    of_data = [_without_penalty(g, w, objective) for g, w in zip(gradient.layers, network.layers, strict=True)]
    updated = flatten(after[0])[0]
    moves = [_move(*arrays) for arrays in zip(leaves, updated, gradients, strict=True)]
    of_weights = [squared for squared, _ in moves[::2]]
    rows = zip(after[0].layers, of_weights, of_data, passed, deltas, norms, strict=True)
    layers = tuple(_layer(*row) for row in rows)
    predicted = [along for _, along in moves]
    measured = objective.measured(after[0], x, labels)[0] - cost if measure else None
    shares = _class_shares(norms, labels, network.sizes[-1])
    return Watched(after, cost, right, layers, sum(predicted[1:], predicted[0]), measured, shares)


def _move(before: Array, after: Array, gradient: Array) -> tuple[Any, Any]:
    """`Σ Δw²` and `Σ ∂C/∂w · Δw`; plain descent, Δw = c ∂C/∂w, has both from the gradient's own sum of squares."""
    change = _change(before, after)
    factor = _factor(change.node, gradient.node)
    if factor is None:
        return cnp.sum(change * change), cnp.sum(gradient * change)
    squared = cnp.sum(gradient * gradient)
    return factor * (factor * squared), factor * squared


def _change(before: Array, after: Array) -> Array:
    """What a step adds; as the optimiser added it, if it did, since a difference has only the digits that are left."""
    op, inputs = after.node.op, after.node.inputs
    if op is ops.SUBTRACT and inputs[0] is before.node:
        return -Array(inputs[1])
    return Array(inputs[1]) if op is ops.ADD and inputs[0] is before.node else after - before


def _factor(change: Node, gradient: Node) -> float | None:
    """c, if the change is written as c times the gradient."""
    if change.op is ops.NEGATIVE:
        opposite = _factor(change.inputs[0], gradient)
        return None if opposite is None else -opposite
    is_multiple = change.op is ops.MULTIPLY and change.inputs[0].op is ops.FULL and change.inputs[1] is gradient
    return float(number(change.inputs[0])) if is_multiple else None


def _without_penalty(gradient: Dense, layer: Dense, objective: Objective) -> tuple[Array, Array]:
    """∂C/∂w and ∂C/∂b of the data alone."""
    w = gradient.w - objective.penalty * layer.w if objective.penalty else gradient.w
    return w, gradient.b


def _layer(
    after: Dense, moved: Any, gradient: tuple[Array, Array], passed: tuple[Array, Array], delta: Array, norms: Array
) -> tuple[Array, ...]:
    (z, a), (dw, db) = passed, gradient
    squared, of_biases = cnp.sum(dw * dw), cnp.sum(db * db)
    ratio = cnp.sqrt(moved / after.w.size) / cnp.maximum(_rms(after.w), 1e-30)
    return (
        _rms(a), _rms(z), delta.shape[0] * _rms(delta), cnp.sqrt(squared / dw.size),
        cnp.sqrt(of_biases / db.size), ratio, _dead(after.activation, a), _saturated(after.activation, a),
        cnp.mean(norms), squared + of_biases,
    )  # fmt: skip


def _rms(x: Array) -> Any:
    return cnp.sqrt(cnp.sum(x * x) / x.size)


def _example_norms(delta: Array, a: Array) -> Any:
    """‖∂C_x/∂(w, b)‖² = ‖δ_x‖² (‖a_x‖² + 1) of each example; δ carries the 1/n of the mean."""
    n = delta.shape[0]
    return (n * n) * cnp.sum(delta * delta, axis=1) * (cnp.sum(a * a, axis=1) + 1)


def _dead(activation: str, a: Array) -> Any:
    """The fraction of units that are off for every example."""
    off = cnp.max(a, axis=0) <= 0 if activation == "relu" else cnp.zeros_like(a[0])
    return cnp.mean(cnp.astype(off, a.dtype))


def _saturated(activation: str, a: Array) -> Any:
    """The fraction of units that are on a flat part of their activation."""
    if activation not in _LARGEST_SLOPE:
        return cnp.mean(cnp.zeros_like(a[0]))
    slopes = cnp.mean(a * (1 - a) if activation == "sigmoid" else 1 - a * a, axis=0)
    return cnp.mean(cnp.astype(slopes < _FLAT * _LARGEST_SLOPE[activation], a.dtype))


def _class_shares(norms: Sequence[Array], labels: Array, classes: int) -> Any:
    if labels.ndim != 1:
        return None
    lengths = cnp.sqrt(sum(norms[1:], norms[0]))
    positions = cnp.expand_dims(labels, 1) == cnp.arange(classes, dtype=labels.dtype)
    of_classes = cnp.sum(cnp.where(positions, cnp.expand_dims(lengths, 1), 0), axis=0)
    return of_classes / cnp.maximum(cnp.sum(lengths), 1e-30)


@dataclass(frozen=True, eq=False)
class Flow:
    """The recorded steps: `steps` says which, from 0; `batch` is how many examples each saw.

    `layers[name]` has the shape (records, layers) for each of LAYER_QUANTITIES, `totals[name]` the shape (records,) for
    each of STEP_QUANTITIES, nan where nothing was measured; `class_shares` the shape (records, classes), or (records,
    0) if the targets are no classes.
    """

    steps: Values
    batch: int
    layers: dict[str, Values]
    totals: dict[str, Values]
    class_shares: Values

    def __len__(self) -> int:
        return len(self.steps)

    def to_tensors(self) -> dict[str, Values]:
        """Everything as named arrays, as they are saved."""
        named = {f"layers.{name}": array for name, array in self.layers.items()}
        named |= {f"totals.{name}": array for name, array in self.totals.items()}
        named |= {"steps": self.steps, "batch": np.array([self.batch]), "class_shares": self.class_shares}
        return {name: np.ascontiguousarray(array) for name, array in named.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Values]) -> Flow:
        """The flow that `to_tensors` gave; KeyError or ValueError if it is none."""
        layers = {name: tensors[f"layers.{name}"] for name in LAYER_QUANTITIES}
        totals = {name: tensors[f"totals.{name}"] for name in STEP_QUANTITIES}
        steps, batch, shares = tensors["steps"], tensors["batch"], tensors["class_shares"]
        of_layers, of_totals = {a.shape for a in layers.values()}, {a.shape for a in totals.values()}
        if steps.dtype.kind != "i" or batch.dtype.kind != "i" or batch.shape != (1,) or batch[0] < 1:
            raise ValueError("the steps and the batch are not whole numbers")
        if {a.dtype.kind for a in (*layers.values(), *totals.values(), shares)} != {"f"}:
            raise ValueError("its quantities are not real numbers")
        fits = steps.ndim == 1 and of_totals == {steps.shape} and [len(s) for s in of_layers] == [2]
        if not fits or shares.ndim != 2 or {len(a) for a in (*layers.values(), shares)} != {len(steps)}:
            raise ValueError("the records of its quantities differ in number")
        return cls(steps, int(batch[0]), layers, totals, shares)

    @property
    def noise(self) -> Values:
        """tr Σ, the variance of one example's gradient, of each layer and record: unbiased, shape (records, layers).

        `tr Σ = n/(n−1) · (mean_x ‖g_x‖² − ‖g‖²)` for a batch of n; nan for a batch of one.
        """
        spread = self.layers["example_norm"] - self.layers["batch_norm"]
        return spread * (self.batch / (self.batch - 1)) if self.batch > 1 else np.full_like(spread, np.nan)

    @property
    def signal(self) -> Values:
        """‖∂C/∂(w, b)‖² of the whole cost, of each layer and record: unbiased, `‖g‖² − tr Σ / n`; may be negative."""
        return self.layers["batch_norm"] - self.noise / self.batch

    def noise_scale(self, last: int | None = None) -> float:
        """`tr Σ / ‖G‖²`, the batch size at which signal and noise are equal; both averaged over records first.

        Infinite where no signal is found; nan for batches of one, and where nothing was recorded.

        Source: McCandlish, Kaplan, Amodei, An empirical model of large-batch training, 2018.
        """
        chosen = slice(None) if last is None else slice(-last, None)
        if not len(self.steps[chosen]):
            return float("nan")
        signal = float(np.mean(self.signal[chosen].sum(axis=1)))
        noise = float(np.mean(self.noise[chosen].sum(axis=1)))
        return float("inf") if signal <= 0 else noise / signal
