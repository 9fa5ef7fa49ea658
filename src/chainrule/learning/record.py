"""What is recorded of each epoch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Record"]


@dataclass(frozen=True)
class Record:
    """One epoch: costs are means over examples, penalty included; accuracies are fractions; `seconds` since the start.

    Validation figures are None without validation data; accuracies are None if the targets are no classes.
    """

    epoch: int
    training_cost: float
    training_accuracy: float | None
    validation_cost: float | None
    validation_accuracy: float | None
    seconds: float
