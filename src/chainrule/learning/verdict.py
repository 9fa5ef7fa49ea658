"""What came of learning, in a sentence or two that never sound better than it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from chainrule.learning.configuration import Configuration
from chainrule.learning.record import Record
from chainrule.nn.parameters import Parameters

__all__ = ["HARDLY", "doubt", "verdict"]

HARDLY = 0.05  # of what a constant answer leaves to be learnt: less than it is hardly better


def verdict(network: Any, history: Sequence[Record], configuration: Configuration) -> str:
    """How good the network is by its last epoch, and what speaks against it."""
    if not history:
        return "Stopped before the first epoch was over."
    doubts = doubt(network, history, configuration)
    if not _is_finite(history[-1]):
        return doubts
    return " ".join(filter(None, (_figures(history), doubts)))


def doubt(network: Any, history: Sequence[Record], configuration: Configuration) -> str:
    """What forbids to be content: figures that are no numbers, or hardly better than a constant answer's; else ""."""
    if not history:
        return ""
    if not _is_finite(history[-1]):
        broken = len(list(takewhile(lambda record: not _is_finite(record), reversed(history))))
        return f"The cost is not a finite number after epoch {history[-broken].epoch}: {_CAUSE}"
    if not all(np.isfinite(array).all() for array in Parameters.of(network).weights):
        return f"Weights are not finite numbers after epoch {history[-1].epoch}: {_CAUSE}"
    measured = _Measured.of(history[-1], configuration)
    return " ".join(filter(None, (measured.of_accuracy(), measured.of_cost(_penalty(network, configuration)))))


_CAUSE = "most often the learning rate is too high."


def _is_finite(record: Record) -> bool:
    return math.isfinite(record.training_cost) and math.isfinite(record.validation_cost or 0.0)


def _figures(history: Sequence[Record]) -> str:
    last = history[-1]
    if last.validation_accuracy is not None:
        return f"{last.validation_accuracy:.2%} of the validation examples are right{_best(history)}."
    if last.training_accuracy is not None:
        return f"{last.training_accuracy:.2%} of the training examples are right."
    if last.validation_cost is not None:
        return f"The validation cost is {last.validation_cost:.4g}, the training cost {last.training_cost:.4g}."
    return f"The training cost is {last.training_cost:.4g}."


def _best(history: Sequence[Record]) -> str:
    """The best epoch, if it was better than the last, by more than is rounded away."""
    best = max(history, key=lambda record: record.validation_accuracy or 0.0)
    shown = f"{best.validation_accuracy or 0.0:.2%}"
    return "" if shown == f"{history[-1].validation_accuracy:.2%}" else f", best {shown} after epoch {best.epoch}"


@dataclass(frozen=True)
class _Measured:
    """Figures beside those of the best constant answer, on the validation examples if there are any."""

    cost: float
    accuracy: float | None
    constant_cost: float | None
    constant_accuracy: float | None
    part: str

    @classmethod
    def of(cls, record: Record, known: Configuration) -> _Measured:
        if record.validation_cost is None:
            figures = record.training_cost, record.training_accuracy, known.constant_cost, known.constant_accuracy
            return cls(*figures, "training")
        constants = known.validation_constant_cost, known.validation_constant_accuracy
        return cls(record.validation_cost, record.validation_accuracy, *constants, "validation")

    def of_accuracy(self) -> str:
        if self.accuracy is None or self.constant_accuracy is None:
            return ""
        least, right = self.constant_accuracy, self.accuracy
        if right > least + HARDLY * (1 - least):
            return ""
        how = "no" if right <= least else "hardly"
        return f"That is {how} better than always answering the most common class, {least:.2%}."

    def of_cost(self, penalty: float) -> str:
        least, cost = self.constant_cost, self.cost - penalty
        if least is None or cost < (1 - HARDLY) * least or cost == 0:
            return ""
        how = "above" if cost > (1 + HARDLY) * least else "hardly below" if cost < least else "no lower than"
        told = f"The {self.part} cost{', without the penalty,' if penalty else ','} {cost:.4g}"
        return f"{told}, is {how} that of the best constant answer, {least:.4g}."


def _penalty(network: Any, known: Configuration) -> float:
    """`λ/(2n) Σ w²` of the network as it is now."""
    if not known.l2 or known.training_examples is None:
        return 0.0
    squares = sum(float(np.sum(np.square(w, dtype=np.float64))) for w in Parameters.of(network).weights)
    return 0.5 * known.l2 / known.training_examples * squares
