"""What the examples say about the network as it is: its whole gradient, and how hard each example pulls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.insight.blocks import blocks, native
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import is_weight, shaped, vector
from chainrule.nn.network import Network
from chainrule.trace.tree import tree_map
from chainrule.transform import grad, per_example

__all__ = ["Pulls", "pulls_of"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Pulls:
    """The gradient of the total cost, as a network of its numbers; and for each example ‖∂C_x/∂(w, b)‖ and outputs."""

    subject: Subject
    gradient: Network
    norms: Values
    outputs: Values

    def hardest(self, count: int) -> Values:
        """The rows of the examples with the longest gradients, the longest first."""
        return np.argsort(-self.norms, kind="stable")[:count]

    def label(self, row: int) -> str:
        """What the example should give."""
        return self._said(self.subject.labels[row])

    def answer(self, row: int) -> str:
        """What the network gives for it."""
        of_classes = self.subject.labels.ndim == 1 and len(self.outputs[row]) > 1
        return self._said(self.outputs[row].argmax() if of_classes else self.outputs[row])

    def _said(self, value: Any) -> str:
        return self.subject.named(int(value)) if np.ndim(value) == 0 else ", ".join(f"{v:.4g}" for v in value)


def pulls_of(subject: Subject) -> Pulls:
    """All of it in one pass over the examples; no example's gradient is ever formed."""
    parts = [(part.count, _gathered(part)) for part, _ in blocks(subject)]
    mean = sum(count / subject.count * np.asarray(found[0], np.float64) for count, found in parts)
    whole = mean + subject.objective.penalty * is_weight(subject.network) * vector(subject.network)
    squares, outputs = (np.concatenate([found[n] for _, found in parts]) for n in (1, 2))
    return Pulls(subject, shaped(subject.network, np.asarray(whole)), np.sqrt(squares), outputs)


@native
def _gathered(subject: Subject) -> Any:
    """The mean gradient, ‖g_x‖² of each example, and the outputs."""
    each = per_example(grad(subject.cost))(subject.network, subject.x, subject.labels)
    squares = [cnp.sum(layer.w**2, axis=(1, 2)) + cnp.sum(layer.b**2, axis=1) for layer in each.layers]
    mean = vector(tree_map(lambda g: cnp.mean(g, axis=0), each))
    return mean, sum(squares[1:], squares[0]), subject.network(subject.x)
