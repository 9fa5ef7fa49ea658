"""What flows through a network while it learns: a few numbers for each layer, taken in the pass that learns.

For each layer, or group of units, over the examples of the batch (n of them), with the error of a single example
δ = ∂C_x/∂z, and w and b all that reaches it:

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

from chainrule import numpy as cnp
from chainrule.derive.backpropagation import backpropagate
from chainrule.display import Brief, Page, Shown, Table, counted
from chainrule.graph import ops
from chainrule.graph.node import Node, full, number
from chainrule.learning.objective import Objective
from chainrule.learning.optimizers import Optimizer
from chainrule.nn.feedforward import Feedforward, Stage
from chainrule.trace.array import Array
from chainrule.trace.promotion import variable
from chainrule.trace.tree import flatten, unflatten
from chainrule.transform import grad, per_example

__all__ = ["LAYER_QUANTITIES", "STEP_QUANTITIES", "Flow", "Watched", "watched_step"]

LAYER_QUANTITIES = (
    "activation", "weighted_input", "error", "gradient", "bias_gradient", "update_ratio", "dead", "saturated",
    "example_norm", "batch_norm",
)  # fmt: skip
_SHOWN = ("activation", "weighted_input", "error", "gradient", "update_ratio", "dead", "saturated")
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
    network: Feedforward,
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
    moved: Feedforward = unflatten(structure, weights)
    cost, right = objective.measured(moved, x, labels)
    stages = moved.stages(x)  # the same nodes again
    nodes = [array.node for array in (*(stage.z for stage in stages), *weights)]
    found = backpropagate([(cost.node, Array(full(1, cost.node.type)))], nodes)
    deltas, gradients = found[: len(stages)], found[len(stages) :]
    after = optimizer.update(network, unflatten(structure, gradients), moments)
    norms, whole = _example_norms(network, objective, stages, deltas, x, labels)
    updated = flatten(after[0])[0]
    moves = [_move(*arrays) for arrays in zip(leaves, updated, gradients, strict=True)]
    of_data = _without_penalty(gradients, leaves, network, objective)
    rows = zip(stages, deltas, norms, strict=True)
    layers = tuple(_layer(*row, updated, [squared for squared, _ in moves], of_data) for row in rows)
    predicted = [along for _, along in moves]
    measured = objective.measured(after[0], x, labels)[0] - cost if measure else None
    shares = _class_shares(whole, labels, network.outputs)
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


def _without_penalty(
    gradients: Sequence[Array], leaves: Sequence[Array], network: Feedforward, objective: Objective
) -> Sequence[Array]:
    """∂C/∂w and ∂C/∂b of the data alone."""
    if not objective.penalty:
        return gradients
    penalized = {id(w) for w in network.weight_arrays()}
    pairs = zip(gradients, leaves, strict=True)
    return [g - objective.penalty * w if id(w) in penalized else g for g, w in pairs]


def _layer(
    stage: Stage, delta: Array, norms: Array, after: Sequence[Array], moved: Sequence[Any], gradients: Sequence[Array]
) -> tuple[Array, ...]:
    of_weights, of_biases = (_Squares.of(gradients, places) for places in (stage.weights, stage.biases))
    change = _total([moved[n] for n in stage.weights])
    size = _Squares.of(after, stage.weights)
    ratio = cnp.sqrt(change / size.count) / cnp.maximum(size.rms, 1e-30)
    return (
        _rms(stage.a), _rms(stage.z), delta.shape[0] * _rms(delta), of_weights.rms, of_biases.rms, ratio,
        _dead(stage.activation, stage.a), _saturated(stage.activation, stage.a),
        cnp.mean(norms), of_weights.total + of_biases.total,
    )  # fmt: skip


@dataclass(frozen=True)
class _Squares:
    """The sum of the squares of some arrays, and of how many numbers."""

    total: Any
    count: int

    @classmethod
    def of(cls, arrays: Sequence[Array], places: Sequence[int]) -> _Squares:
        taken = [arrays[n] for n in places]
        return cls(_total([cnp.sum(a * a) for a in taken]), max(sum(a.size for a in taken), 1))

    @property
    def rms(self) -> Any:
        return cnp.sqrt(self.total / self.count)


def _total(parts: Sequence[Any]) -> Any:
    return sum(parts[1:], parts[0]) if parts else cnp.zeros(())


def _rms(x: Array) -> Any:
    return cnp.sqrt(cnp.sum(x * x) / x.size)


def _example_norms(
    network: Feedforward,
    objective: Objective,
    stages: Sequence[Stage],
    deltas: Sequence[Array],
    x: Array,
    labels: Array,
) -> tuple[list[Any], Any]:
    """‖∂C_x/∂(w, b)‖² of each example, for each layer and in all.

    Where each pair of units has a weight of its own, ‖δ_x‖² (‖a_x‖² + 1); δ carries the 1/n of the mean.
    """
    if all(stage.reaching is not None for stage in stages):
        norms = [_outer_norms(stage, delta) for stage, delta in zip(stages, deltas, strict=True)]
        return norms, _total(norms)
    without_penalty = Objective(objective.cost)
    slope = grad(lambda network, x, labels: without_penalty.measured(network, x, labels)[0])
    each = flatten(per_example(slope)(network, x, labels))[0]
    squares = [cnp.sum(g.reshape(g.shape[0], -1) ** 2, axis=1) for g in each]
    return [_total([squares[n] for n in (*stage.weights, *stage.biases)]) for stage in stages], _total(squares)


def _outer_norms(stage: Stage, delta: Array) -> Any:
    n, a = delta.shape[0], stage.reaching
    return (n * n) * cnp.sum(delta * delta, axis=1) * (cnp.sum(a * a, axis=1) + len(stage.biases))


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


def _class_shares(norms: Array, labels: Array, classes: int) -> Any:
    if labels.ndim != 1:
        return None
    lengths = cnp.sqrt(norms)
    positions = cnp.expand_dims(labels, 1) == cnp.arange(classes, dtype=labels.dtype)
    of_classes = cnp.sum(cnp.where(positions, cnp.expand_dims(lengths, 1), 0), axis=0)
    return of_classes / cnp.maximum(cnp.sum(lengths), 1e-30)


@dataclass(frozen=True, eq=False, repr=False)
class Flow(Brief, Shown):
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

    def page(self) -> Page:
        """What is shown of it: which steps were looked at, the cost, and each layer at the last look."""
        if not len(self):
            return Page("What flowed through the layers", ("Nothing was looked at.",))
        cost, steps = self.totals["cost"], f"steps {self.steps[0]:,} to {self.steps[-1]:,}"
        said = (
            f"{counted(len(self), 'look')} at {steps}, each of {counted(self.batch, 'example')}; their cost went from "
            f"{cost[0]:.4g} to {cost[-1]:.4g}. At the last look:"
        )
        rows = tuple(
            (n, *(float(self.layers[name][-1, n]) for name in _SHOWN)) for n in range(self.layers["error"].shape[1])
        )
        columns = ("layer", "a (rms)", "z (rms)", "δ (rms)", "∂C/∂w (rms)", "Δw / w", "dead", "saturated")
        return Page("What flowed through the layers", (said, Table(columns, rows)))

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
        known = {f"layers.{name}" for name in layers} | {f"totals.{name}" for name in totals}
        if unknown := set(tensors) - known - {"steps", "batch", "class_shares"}:
            raise ValueError(f"nothing uses {min(unknown)!a}")
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
