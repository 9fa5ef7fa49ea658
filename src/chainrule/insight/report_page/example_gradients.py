"""What the examples say about the network as it is: its whole gradient, and how hard each example pulls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.insight.gradients import example_gradients, penalty_gradient
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import shaped

__all__ = ["Pulls", "pulls_of"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Pulls:
    """The gradient of the total cost, as a network of its numbers; and for each example ‖∂C_x/∂(w, b)‖."""

    subject: Subject
    gradient: Any
    norms: Values

    def hardest(self, count: int) -> Values:
        """The rows of the examples with the longest gradients, the longest first."""
        return np.argsort(-self.norms, kind="stable")[:count]

    def label(self, row: int) -> str:
        """What the example should give."""
        return self._said(self.subject.labels[row])

    def answer(self, row: int) -> str:
        """What the network gives for it."""
        if not callable(self.subject.network):
            return "–"
        (outputs,) = np.asarray(self.subject.network(self.subject.taking([row]).x))
        of_classes = self.subject.labels.ndim == 1 and len(outputs) > 1
        return self._said(outputs.argmax() if of_classes else outputs)

    def _said(self, value: Any) -> str:
        return self.subject.named(int(value)) if np.ndim(value) == 0 else ", ".join(f"{v:.4g}" for v in np.ravel(value))


def pulls_of(subject: Subject) -> Pulls:
    """All of it in one pass over the examples; no example's gradient is ever formed."""
    found = example_gradients(subject)
    return Pulls(subject, shaped(subject.network, found.mean + penalty_gradient(subject)), found.lengths)
