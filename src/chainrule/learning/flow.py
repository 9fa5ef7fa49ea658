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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.display import Brief, Page, Shown, Table, counted
from chainrule.learning.optimizers import Optimizer
from chainrule.learning.step import TrainingStep
from chainrule.nn.objective import Objective
from chainrule.nn.parameters import WEIGHT, Parameters, trainable
from chainrule.nn.propagation import squared_lengths, total
from chainrule.nn.stages import Stage, with_variables
from chainrule.trace.array import Array
from chainrule.trace.tree import flatten, tree_map

__all__ = ["LAYER_QUANTITIES", "STEP_QUANTITIES", "Flow", "quantities"]

LAYER_QUANTITIES = (
    "activation", "weighted_input", "error", "gradient", "bias_gradient", "update_ratio", "dead", "saturated",
    "example_norm", "batch_norm",
)  # fmt: skip
_SHOWN = ("activation", "weighted_input", "error", "gradient", "update_ratio", "dead", "saturated")
STEP_QUANTITIES = ("cost", "predicted", "measured")

Values = np.ndarray[Any, Any]


def quantities(
    step: TrainingStep, objective: Objective, optimizer: Optimizer, x: Any, labels: Array, *, measure: bool
) -> list[Array]:
    """What is recorded of a step: each layer's quantities, the predicted change, the measured one, the classes' shares.

    The measured change is that of the cost on the same batch, and is there with `measure` alone; shares are there for
    classes alone.
    """
    passed, stages = step.passed, step.passed.stages
    norms, whole = squared_lengths(passed, objective, step.network, x, labels)
    moved = _moved(step, optimizer)
    updated = Parameters.of(step.after[0]).arrays
    of_data = _without_penalty(passed.gradients, step.network, objective)
    rows = zip(stages, passed.deltas, norms, strict=True)
    squares = {n: squared for n, (squared, _) in moved.items()}
    layers = [quantity for row in rows for quantity in _layer(*row, updated, squares, of_data)]
    found = [*layers, total([along for _, along in moved.values()])]
    if measure:
        after = objective.passed(with_variables(step.after[0]), x, labels, key=step.key)
        found.append(after.cost - passed.measured.cost)
    shares = _class_shares(whole, labels, passed.measured.outputs)
    return found if shares is None else [*found, shares]


def _moved(step: TrainingStep, optimizer: Optimizer) -> dict[int, tuple[Any, Any]]:
    """`Σ Δw²` and `Σ ∂C/∂w · Δw` of each array; plain descent, Δw = c ∂C/∂w, has both from `Σ (∂C/∂w)²`."""
    gradients = {n: g for n, g in enumerate(step.passed.gradients) if g is not None}
    factor = optimizer.multiple if optimizer.knows("multiple") else None
    if factor is not None:
        squared = {n: cnp.sum(g * g) for n, g in gradients.items()}
        return {n: (factor * (factor * s), factor * s) for n, s in squared.items()}
    changes = flatten(_changes(step, optimizer))[0]
    pairs = zip(gradients.items(), changes, strict=True)
    return {n: (cnp.sum(change * change), cnp.sum(g * change)) for (n, g), change in pairs}


def _changes(step: TrainingStep, optimizer: Optimizer) -> Any:
    """What the step adds to each array: as the optimiser says, or the difference."""
    if optimizer.knows("change"):
        return optimizer.change(trainable(step.network), step.gradient, step.moments)
    return tree_map(lambda after, before: after - before, trainable(step.after[0]), trainable(step.network))


def _without_penalty(gradients: Sequence[Any], network: Any, objective: Objective) -> Sequence[Any]:
    """∂C/∂ of each array, of the data alone."""
    found = Parameters.of(network)
    if isinstance(objective.penalty, float) and objective.penalty == 0:
        return gradients
    rows = zip(gradients, found.arrays, found.roles, strict=True)
    return [g - objective.penalty * w if role == WEIGHT else g for g, w, role in rows]


def _layer(
    stage: Stage,
    delta: Array,
    norms: Array,
    after: Sequence[Array],
    moved: Mapping[int, Any],
    gradients: Sequence[Array],
) -> tuple[Array, ...]:
    of_weights, of_biases = (_Squares.of(gradients, numbers) for numbers in (stage.weights, stage.biases))
    change = total([moved[n] for n in stage.weights])
    size = _Squares.of(after, stage.weights)
    ratio = cnp.sqrt(change / size.count) / cnp.maximum(size.rms, 1e-30)
    return (
        _rms(stage.a), _rms(stage.z), norms.shape[0] * _rms(delta), of_weights.rms, of_biases.rms, ratio,
        _share(stage, stage.activation.dies, stage.activation.is_off),
        _share(stage, stage.activation.saturates, stage.activation.is_saturated),
        cnp.mean(norms), of_weights.total + of_biases.total,
    )  # fmt: skip


@dataclass(frozen=True)
class _Squares:
    """The sum of the squares of some arrays, and of how many numbers."""

    total: Any
    count: int

    @classmethod
    def of(cls, arrays: Sequence[Array], numbers: Sequence[int]) -> _Squares:
        taken = [arrays[n] for n in numbers]
        return cls(total([cnp.sum(a * a) for a in taken]), max(sum(a.size for a in taken), 1))

    @property
    def rms(self) -> Any:
        return cnp.sqrt(self.total / self.count)


def _rms(x: Array) -> Any:
    return cnp.sqrt(cnp.sum(x * x) / x.size)


def _share(stage: Stage, may_be: bool | None, are_so: Callable[[Any, int], Any]) -> Any:
    """The fraction of units that are so, by their slopes; 0 where the activation has none such."""
    slopes = stage.activation.slopes(stage.z, stage.a) if may_be else cnp.zeros_like(stage.a)
    so = are_so(slopes, stage.axis) if may_be else slopes
    return cnp.mean(cnp.astype(so, stage.a.dtype))


def _class_shares(norms: Array, labels: Array, outputs: Any) -> Any:
    """The share of each class in `Σ_x ‖∂C_x/∂(w, b)‖`; None where examples have no class each."""
    if labels.ndim != 1 or outputs is None or outputs.ndim != 2:
        return None
    lengths = cnp.sqrt(norms)
    positions = cnp.expand_dims(labels, 1) == cnp.arange(outputs.shape[1], dtype=labels.dtype)
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
