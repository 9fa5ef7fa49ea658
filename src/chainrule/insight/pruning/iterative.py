"""Pruning: setting the weights that matter least to 0, and how far that goes well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.checks import real_number, whole_number
from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.backpropagated import Backpropagated, backpropagated
from chainrule.insight.evaluation import judged
from chainrule.insight.gradients import mean_gradient
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.parameter_vector import is_weight, shaped, vector
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.pruning.removal import Options, removal
from chainrule.insight.second_order.matrices import product
from chainrule.insight.wording import beyond_rounding

__all__ = ["Pruning", "PruningStep", "prune"]

Values = np.ndarray[Any, Any]

_FEW = 10  # examples, on which is looked which layer takes what another gives
_NEAR = 0.2  # of what is measured: how far off a prediction that holds may be
_FLOOR = 0.01  # of the cost at the start: smaller changes are near anyway


@dataclass(frozen=True)
class PruningStep:
    """The network after a step: how many weights are 0 by pruning, and what that did; costs are means over examples.

    `step_predicted` is what the method said of this step alone, `predicted` what the first and second derivative of
    the unpruned network say of all the changes until now; `step_measured` and `measured` are what happened.
    """

    removed: int
    fraction: float
    step_predicted: float | None
    step_measured: float
    predicted: float
    measured: float
    cost: float
    accuracy: float | None
    validation_cost: float | None
    validation_accuracy: float | None

    @property
    def holds(self) -> bool:
        """Whether the prediction from the unpruned network is within 20 % of what is measured, or 1 % of the cost."""
        margin = max(_NEAR * abs(self.measured), _FLOOR * abs(self.cost - self.measured))
        return abs(self.predicted - self.measured) <= margin

    @property
    def judged_accuracy(self) -> float | None:
        """The accuracy on held-out examples, or on the training ones where there are no others."""
        return self.accuracy if self.validation_cost is None else self.validation_accuracy


@dataclass(frozen=True, eq=False, repr=False)
class Pruning(Insight):
    """A pruned network, and the steps that led to it; `steps[0]` is the network before.

    `dead` names the neurons of each hidden layer to which, or from which, no weight is left; `unused_inputs` are the
    inputs from which none is. None stands for what cannot be told, where a layer has no weight of its own for each
    neuron and each input.
    """

    method: str
    network: Any
    steps: tuple[PruningStep, ...]
    dead: tuple[tuple[int, ...] | None, ...]
    unused_inputs: tuple[int, ...] | None

    @property
    def title(self) -> str:
        """What it is."""
        return f"Pruning by {self.method.replace('_', ' ')}: {self.steps[-1].fraction:.0%} of the weights set to 0"

    def within(self, loss: float) -> PruningStep:
        """The last step up to which the accuracy, of held-out examples if there are any, falls by at most `loss`.

        OptionError if the targets are no classes.
        """
        start = self.steps[0].judged_accuracy
        if start is None:
            raise OptionError("there is no accuracy: the targets are real numbers.", cure="Look at the costs.")
        reached = self.steps[0]
        for step in self.steps[1:]:
            if start - (step.judged_accuracy or 0.0) > loss + 1e-12:
                break
            reached = step
        return reached

    @property
    def failed(self) -> PruningStep | None:
        """The first step at which the prediction from the unpruned network no longer holds."""
        return next((step for step in self.steps[1:] if not step.holds), None)

    def sentences(self) -> Sequence[str]:
        """What came of it, how far one can go, how far the prediction held, what died."""
        said = [self._outcome(), self._held(), self._neurons()]
        return said if self.steps[0].judged_accuracy is None else [said[0], self._advice(), *said[1:]]

    def table(self) -> Table:
        """One row a step; ΔC counts from the unpruned network."""
        columns = ("weights set to 0", "ΔC predicted", "ΔC measured", "this step: predicted", "measured", "accuracy",
                   "held-out accuracy")  # fmt: skip
        rows = [
            (f"{s.fraction:.1%}", s.predicted, s.measured, s.step_predicted, s.step_measured, s.accuracy,
             s.validation_accuracy)
            for s in self.steps
        ]  # fmt: skip
        return Table(columns, tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """The predicted and the measured change of the cost over the fraction of weights that are set to 0."""
        axes = figure(axes)
        fractions = [step.fraction for step in self.steps]
        axes.plot(fractions, [step.measured for step in self.steps], "o-", label="measured")
        axes.plot(fractions, [step.predicted for step in self.steps], "--", label="predicted from the unpruned network")
        axes.set(xlabel="fraction of the weights set to 0", ylabel="ΔC", title=self.title)
        axes.legend()
        return axes

    def _outcome(self) -> str:
        first, last = self.steps[0], self.steps[-1]
        told = f"Setting {last.removed} weights to 0 changed the cost from {number(first.cost)} to {number(last.cost)}"
        if first.accuracy is None or last.accuracy is None:
            return f"{told}."
        told += f", the accuracy from {first.accuracy:.2%} to {last.accuracy:.2%}"
        if first.validation_accuracy is None or last.validation_accuracy is None:
            return f"{told}."
        return f"{told}; on held-out examples from {first.validation_accuracy:.2%} to {last.validation_accuracy:.2%}."

    def _advice(self) -> str:
        parts = [f"{self.within(loss).fraction:.0%} for at most {loss:.1%} less" for loss in (0.0, 0.005, 0.01, 0.05)]
        where = "the examples" if self.steps[0].validation_accuracy is None else "held-out examples"
        return f"How many weights can go for how much accuracy on {where}: {', '.join(parts)}."

    def _held(self) -> str:
        if self.failed is None:
            return "What the unpruned network's first and second derivative predict held to the end."
        step = self.failed
        return (
            f"What the unpruned network's first and second derivative predict stopped holding at {step.fraction:.0%}: "
            f"a change of the cost by {number(step.predicted)} was predicted, {number(step.measured)} measured."
        )

    def _neurons(self) -> str:
        known = [neurons for neurons in self.dead if neurons is not None]
        dead = sum(map(len, known))
        said = (
            f"{dead} of the hidden neurons {'has' if dead == 1 else 'have'} no weight left in front of or behind them "
            "and could be taken out"
        )
        if len(known) < len(self.dead):
            said += ", of those that have a weight of their own for each input"
        return f"{said}; {self._inputs()}."

    def _inputs(self) -> str:
        if self.unused_inputs is None:
            return "which inputs are no longer looked at cannot be told, as weights are shared among them"
        return f"{len(self.unused_inputs)} inputs are no longer looked at"


def prune(
    network_or_run: Any,
    data: Any,
    *,
    fraction: float = 0.9,
    method: str = "magnitude",
    steps: int = 10,
    validation: Any = None,
    curvature: str | None = None,
    damping: float = 0.01,
    each: bool = False,
    cost: AskedCost = None,
) -> Pruning:
    """Set a fraction of a network's weights to 0, those that matter least, in equal steps; biases stay.

    Before each step the saliencies are computed anew, as `saliency` does with the same options. By
    "optimal_brain_surgeon" the other weights and biases are changed to make up for those that go: for a set Q that is
    set to 0, w ← w − H⁻¹_·Q (H⁻¹_QQ)⁻¹ w_Q, over the parameters that are left. Nothing is learned in between.

    Costs are means over the examples without penalty, computed in float64. `validation` are examples to judge by,
    those of the data set unless told. `.network` is the pruned network, in its own dtype; the given one is not changed.

    Raises OptionError for a fraction that is not above 0 and at most 1, and what `saliency` raises.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[2.0, -1.0]], [0.0])], "identity")
    >>> found = prune(network, (np.eye(2), [[2.0], [-1.0]]), fraction=0.5, steps=1)
    >>> found.network.layers[0].w, found.steps[-1].measured
    (array([[2., 0.]]), 0.25)

    Sources: as for `saliency`.
    """
    fraction, steps = real_number("fraction", fraction, above=0, most=1), whole_number("steps", steps, 1)
    options = Options(method, curvature, damping, each)
    subject = subject_of(network_or_run, data, cost)
    held_out = validation if validation is not None else getattr(data, "validation", None)
    checked = None if held_out is None else subject_of(network_or_run, held_out, cost)
    path = _Path(subject, checked)
    counts = np.unique(np.round(np.linspace(0, fraction, steps + 1) * path.weights.size).astype(int))[1:]
    found = [path.step(path.network, 0, None), *(path.step(*moved) for moved in _pruned(subject, options, counts))]
    dead, unused = _dead(_asking(subject, path.network)), _unused_inputs(_asking(subject, path.network))
    return Pruning(method, path.network, tuple(found), dead, unused)


def _pruned(subject: Subject, options: Options, counts: Values) -> Iterator[tuple[Any, int, float | None]]:
    """The network after each step, how many weights are gone, and what the method predicts of the step."""
    network, removed = subject.network, np.zeros(subject.parameters.count, bool)
    weights = is_weight(network)
    for count in counts:
        theory = removal(_asking(subject, network), options, ~removed)
        left = np.flatnonzero(weights & ~removed)
        order = left[np.argsort(theory.scores[left], kind="stable")]
        chosen = np.sort(order[: count - removed.sum()])
        removed[chosen] = True
        moved = np.where(removed, 0.0, theory.values + theory.change(chosen))
        network = shaped(network, moved.astype(subject.parameters.dtype))
        yield network, int(count), theory.predicted(chosen)


def _asking(subject: Subject, network: Any) -> Subject:
    return replace(subject, network=network)


class _Path:
    """From the unpruned network to the one that was judged last."""

    def __init__(self, subject: Subject, held_out: Subject | None) -> None:
        self.subject, self.held_out, self.network = subject, held_out, subject.network
        self.start = np.asarray(vector(subject.network), np.float64)
        self.weights = np.flatnonzero(is_weight(subject.network))
        self.slope = mean_gradient(subject)
        self.costs: list[float] = []

    def step(self, network: Any, removed: int, predicted: float | None) -> PruningStep:
        """Judge the next network on the path."""
        self.network = network
        now = judged(network, self.subject)
        held_out = None if self.held_out is None else judged(network, self.held_out)
        self.costs.append(now.cost)
        since = [beyond_rounding(now.cost - cost, cost) for cost in (self.costs[0], *self.costs[-2:-1])]
        return PruningStep(
            removed=removed,
            fraction=removed / self.weights.size,
            step_predicted=predicted,
            step_measured=since[-1],
            predicted=self._predicted(network),
            measured=since[0],
            cost=now.cost,
            accuracy=now.accuracy,
            validation_cost=None if held_out is None else held_out.cost,
            validation_accuracy=None if held_out is None else held_out.accuracy,
        )

    def _predicted(self, network: Any) -> float:
        """`g·Δ + ½ Δ·HΔ` at the unpruned network, for the way Δ from there."""
        way = np.asarray(vector(network), np.float64) - self.start
        if not way.any():
            return 0.0
        return float(self.slope @ way + 0.5 * way @ product(self.subject, "hessian", way))


def _dead(subject: Subject) -> tuple[tuple[int, ...] | None, ...]:
    """The units of each stage but the last to which, or from which, no weight is left; None where it cannot be told."""
    passed = backpropagated(subject.at_most(_FEW))
    return tuple(_dead_units(passed, n) for n in range(len(passed.stages) - 1))


def _dead_units(passed: Backpropagated, stage: int) -> tuple[int, ...] | None:
    following = passed.follower(stage)
    if following is None or passed.stages[stage].inputs is None:
        return None
    to, away = (passed.numbers(passed.stages[n].outline.weights) for n in (stage, following))
    return _positions(np.asarray(~to.any(axis=1) | ~away.any(axis=0)))


def _unused_inputs(subject: Subject) -> tuple[int, ...] | None:
    """The inputs from which no weight is left; None where weights are not those of one input."""
    first = [stage for stage in subject.stages if -1 in stage.sources]
    if not first or not all(stage.is_dense and stage.sources == (-1,) for stage in first):
        return None
    arrays = subject.parameters.arrays
    used = [np.asarray(np.any(arrays[n], axis=0)) for stage in first for n in stage.weights]
    return _positions(~np.any(used, axis=0)) if len({len(part) for part in used}) == 1 else None


def _positions(truths: Values) -> tuple[int, ...]:
    return tuple(int(n) for n in np.flatnonzero(truths))
