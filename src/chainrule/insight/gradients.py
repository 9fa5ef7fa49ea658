"""The gradient: its mean over the examples, its slopes, the length of each example's; of the data and the penalty.

Vectors are as `parameter_vector` makes them, in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.display import Brief
from chainrule.insight.blocks import blocks, each_of, mean_of
from chainrule.insight.compiling import native
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import is_weight, of_vector, shaped, trainable_arrays, vector, with_arrays
from chainrule.nn.propagation import propagate, squared_lengths
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import tree_map
from chainrule.transform import grad, jvp, per_example

__all__ = [
    "ExampleGradients", "example_gradients", "gradient_of", "mean_gradient", "mean_of_each", "penalty_curvature",
    "penalty_gradient",
    "slopes_along", "total_gradient", "weighted_gradient",
]  # fmt: skip

Values = np.ndarray[Any, Any]


def gradient_of(cost: Callable[[Any], Any], network: Any) -> tuple[Any, ...]:
    """The derivatives of a cost of a network with respect to each array of weights and biases."""
    found: tuple[Any, ...] = grad(lambda arrays: cost(with_arrays(network, arrays)))(trainable_arrays(network))
    return found


def mean_of_each(cost: Callable[..., Any], network: Any, rows: tuple[Any, Any], of: Callable[[Any], Any]) -> Any:
    """The mean over the examples of a function of each one's gradient, element by element, as a vector.

    `cost(network, *rows)` is the mean over some examples, `rows` two arrays with a row for each.
    """

    def alone(arrays: Any, *row: Any) -> Any:
        return cost(with_arrays(network, arrays), *row)

    each = per_example(grad(alone))(trainable_arrays(network), *rows)
    return of_vector([cnp.mean(of(gradient), axis=0) for gradient in each])


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
    change = trainable_arrays(shaped(subject.network, direction.astype(subject.parameters.dtype)))
    return np.asarray(each_of(_slopes, subject, change), np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class ExampleGradients(Brief):
    """Of the gradients g_x of the examples, without penalty: their mean, a vector, and the square of their lengths.

    `squares` of shape (n,) is ‖g_x‖² of each example; `of_stages`, of shape (n, stages), what of it belongs to the
    parameters of each stage.
    """

    mean: Values
    squares: Values
    of_stages: Values

    @property
    def lengths(self) -> Values:
        """‖g_x‖ of each example."""
        found: Values = np.sqrt(self.squares)
        return found


def example_gradients(subject: Subject) -> ExampleGradients:
    """The mean and the lengths of all g_x; of dense layers no more work than one gradient, and no g_x is formed."""
    parts = [(part.count / subject.count, _gathered(part)) for part, _ in blocks(subject)]
    mean = sum(share * np.asarray(found[0], np.float64) for share, found in parts)
    squares, of_stages = (np.concatenate([np.asarray(found[n], np.float64) for _, found in parts]) for n in (1, 2))
    return ExampleGradients(np.asarray(mean), squares, of_stages)


@native
def _gathered(subject: Subject) -> Any:
    """The mean gradient, ‖g_x‖² of each example, and its parts by stage."""
    x, labels = tree_map(as_array, (subject.x, subject.labels))
    with transforming():
        found = propagate(subject.objective, subject.network, x, labels)
        of_stages, whole = squared_lengths(found, subject.objective, subject.network, x, labels)
    mean = of_vector([gradient for gradient in found.gradients if gradient is not None])
    return mean, whole, cnp.stack(of_stages, axis=1) if of_stages else cnp.zeros((labels.shape[0], 0))


@native
def _gradient(subject: Subject) -> Any:
    return of_vector(gradient_of(lambda network: subject.cost(network, subject.x, subject.labels), subject.network))


def weighted_gradient(subject: Subject, weights: Values) -> Values:
    """∂/∂w of the mean of C_x times a weight of each example, a vector; of some examples, with 1 for them, else 0."""
    rows = weights.astype(subject.parameters.dtype)
    return np.asarray(mean_of(_weighted_gradient, subject, rows=(rows,)), np.float64)


@native
def _weighted_gradient(subject: Subject, weights: Any) -> Any:
    def cost(network: Any) -> Any:
        return cnp.mean(weights * subject.costs(network, subject.x, subject.labels))

    return of_vector(gradient_of(cost, subject.network))


@native
def _slopes(subject: Subject, direction: tuple[Any, ...]) -> Any:
    def costs(arrays: tuple[Any, ...]) -> Any:
        return subject.costs(with_arrays(subject.network, arrays), subject.x, subject.labels)

    return jvp(costs, (trainable_arrays(subject.network),), (direction,))[1]
