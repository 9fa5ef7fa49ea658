"""Short experiments: the same few steps of learning, as it is and with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.finding import Outcome
from chainrule.insight.findings.fresh_starts import fitting, fresh
from chainrule.learning.evaluate import evaluate
from chainrule.learning.loop import learn
from chainrule.learning.optimizers import SGD, Optimizer
from chainrule.learning.run import Run
from chainrule.nn.initializers import Initializer, glorot
from chainrule.nn.parameters import Parameters

__all__ = ["Trial", "anew", "compared", "falls", "outcome_of", "run_of", "tried"]

Values = np.ndarray[Any, Any]
_EXAMPLES, _STEPS = 500, 150
_BETTER = 0.95  # of the cost as it is


@dataclass(frozen=True)
class Trial:
    """What is learnt in one arm of an experiment; everything can differ from the case."""

    network: Any
    x: Any
    labels: Values
    cost: Any
    optimizer: Optimizer
    batch: int
    l2: float
    seed: int
    sorted: bool = False

    @classmethod
    def of(cls, case: Case, **changed: Any) -> Trial:
        """The case as it is, with what is changed."""
        asked = case.asked.at_most(_EXAMPLES, case.seed)
        given: dict[str, Any] = {
            "network": case.network if case.finite else anew(case),
            "x": asked.x,
            "labels": asked.labels,
            "cost": asked.objective.cost,
            "optimizer": case.optimizer or SGD(0.1),
            "batch": min(case.batch or 10, asked.count),
            "l2": asked.objective.penalty * asked.count,
            "seed": case.seed,
        }
        return cls(**given | changed)


def run_of(trial: Trial) -> Run:
    """What a few steps of learning give."""
    epochs = max(1, round(_STEPS * trial.batch / len(trial.labels)))
    return learn(
        trial.network,
        (trial.x, trial.labels),
        cost=trial.cost,
        epochs=min(epochs, 20),
        batch=trial.batch,
        optimizer=trial.optimizer,
        l2=trial.l2,
        seed=trial.seed,
        order=_sorted(trial, min(epochs, 20)) if trial.sorted else None,
        dtype=Parameters.of(trial.network).dtype,
        evaluate_training=True,
        watch=False,
        progress=False,
    )


def _sorted(trial: Trial, epochs: int) -> Values:
    """The order of the rows, by class or first target, in each epoch."""
    keys = trial.labels.reshape(len(trial.labels), -1)[:, 0]
    return np.tile(np.argsort(keys, kind="stable"), epochs)


def tried(trial: Trial) -> tuple[float, float | None]:
    """The cost and the share of right answers after a few steps."""
    last = run_of(trial).history[-1]
    return last.training_cost, last.training_accuracy


def compared(case: Case, words: str, first: Trial | None = None, **changed: Any) -> Outcome:
    """Learn as it is and with the change; borne out if the change makes the cost lower, or more answers right."""
    before = first or Trial.of(case)
    after = Trial.of(case, **changed)
    (cost, right), (new_cost, new_right) = tried(before), tried(after)
    if before.cost != after.cost and right is not None and new_right is not None:
        said = f"share of right answers {number(right)} as it is, {number(new_right)} {words}"
        return Outcome(new_right > right, f"after the same few steps, {said}.")
    better = not np.isfinite(cost) or new_cost < _BETTER * cost
    return Outcome(better, f"after the same few steps the cost is {number(cost)} as it is, {number(new_cost)} {words}.")


def falls(case: Case, words: str, first: Trial | None = None, **changed: Any) -> Outcome:
    """Learn as it is and with the change, which may start elsewhere.

    Borne out if the cost ends lower, or falls by half as much more.
    """
    (start, end), (new_start, new_end) = (_ends(t) for t in (first or Trial.of(case), Trial.of(case, **changed)))
    lower = not np.isfinite(end) or new_end < _BETTER * end
    faster = new_start - new_end > 1.5 * max(start - end, 0)
    said = f"goes from {number(start)} to {number(end)} as it is, from {number(new_start)} to {number(new_end)} {words}"
    return Outcome(bool(lower or faster), f"in the same few steps the cost {said}.")


def _ends(trial: Trial) -> tuple[float, float]:
    """The cost before and after a few steps."""
    before, _ = evaluate(trial.network, (trial.x, trial.labels), cost=trial.cost, l2=trial.l2)
    return before, tried(trial)[0]


def anew(case: Case, initializer: Initializer | None = None) -> Any:
    """A fresh network of the same kind, with the initialiser that fits its activation."""
    chosen = initializer or (fitting(case.activations[0]) if case.stages else glorot)
    return fresh(case.network, case.stages, chosen, case.seed)


def outcome_of(confirmed: bool, sentence: str) -> Outcome:
    """The outcome of an experiment that needs no learning."""
    return Outcome(bool(confirmed), sentence)
