"""The gradient: its mean over the examples, its slopes, the length of each example's; of the data and the penalty.

Vectors are as `parameter_vector` makes them, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.display import Brief
from chainrule.insight.blocks import blocks, each_of, mean_of
from chainrule.insight.compiling import native
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import is_weight, shaped, vector
from chainrule.nn.feedforward import Feedforward
from chainrule.trace.tree import flatten, tree_map
from chainrule.transform import grad, jvp, per_example

__all__ = [
    "ExampleGradients", "example_gradients", "mean_gradient", "penalty_curvature", "penalty_gradient", "slopes_along",
    "total_gradient",
]  # fmt: skip

Values = np.ndarray[Any, Any]


def mean_gradient(subject: Subject) -> Values:
    """∂C/∂w of the mean cost without penalty, as a vector."""
    return np.asarray(mean_of(_gradient, subject), np.float64)


def total_gradient(subject: Subject) -> Values:
    """∂C/∂w of the mean cost, penalty included, as a vector."""
    return mean_gradient(subject) + penalty_gradient(subject)


def penalty_gradient(subject: Subject) -> Values:
    """The part of ∂C/∂w that the penalty makes, λ/n · w, as a vector; it is the same for every example."""
    return np.asarray(penalty_curvature(subject) * vector(subject.network), np.float64)


def penalty_curvature(subject: Subject) -> Values:
    """The part of ∂²C/∂w² that the penalty makes, as a vector: λ/n for weights, 0 for biases."""
    return np.asarray(subject.objective.penalty * is_weight(subject.network), np.float64)


def slopes_along(subject: Subject, direction: Values) -> Values:
    """The derivative of each example's cost along a direction, a vector v: all g_x·v from one pass forward."""
    change = shaped(subject.network, direction.astype(subject.network.dtype))
    return np.asarray(each_of(_slopes, subject, change), np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class ExampleGradients(Brief):
    """Of the gradients g_x of the examples, without penalty: their mean, a vector, and the square of their lengths.

    `squares` has the shape (n, leaves): ‖g_x‖² of each example, in the part that belongs to each leaf of the network.
    """

    mean: Values
    squares: Values

    @property
    def lengths(self) -> Values:
        """‖g_x‖ of each example."""
        found: Values = np.sqrt(self.squares.sum(axis=1))
        return found


def example_gradients(subject: Subject) -> ExampleGradients:
    """The mean and the lengths of all g_x: no more work than one gradient, and no g_x is ever formed."""
    parts = [(part.count / subject.count, *_gathered(part)) for part, _ in blocks(subject)]
    mean = sum(share * np.asarray(part, np.float64) for share, part, _ in parts)
    return ExampleGradients(np.asarray(mean), np.concatenate([np.asarray(s, np.float64) for _, _, s in parts]))


@native
def _gathered(subject: Subject) -> Any:
    each = per_example(grad(subject.cost))(subject.network, subject.x, subject.labels)
    squares = [cnp.sum(g.reshape(g.shape[0], -1) ** 2, axis=1) for g in flatten(each)[0]]
    return vector(tree_map(lambda g: cnp.mean(g, axis=0), each)), cnp.stack(squares, axis=1)


@native
def _gradient(subject: Subject) -> Any:
    return vector(grad(subject.cost)(subject.network, subject.x, subject.labels))


@native
def _slopes(subject: Subject, direction: Feedforward) -> Any:
    def costs(network: Feedforward) -> Any:
        return subject.costs(network, subject.x, subject.labels)

    return jvp(costs, (subject.network,), (direction,))[1]
