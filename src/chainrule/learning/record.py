"""What is recorded of each epoch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Record"]


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return f"Record(epoch {self.epoch}: {self.told(', ').replace('  ', ' ')})"

    def told(self, gap: str = "   ") -> str:
        """Its figures in a few words: `training 0.1038  87.94%   validation 0.1309  82.60%   0.22 s`."""
        figures = [("training", self.training_cost, self.training_accuracy)]
        if self.validation_cost is not None:
            figures.append(("validation", self.validation_cost, self.validation_accuracy))
        words = [f"{part} {cost:.4f}" + ("" if right is None else f" {right:7.2%}") for part, cost, right in figures]
        return gap.join([*words, f"{self.seconds:.2f} s"])
