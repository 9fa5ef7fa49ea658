"""What a constant answer achieves, the same for every example: the least that a network has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.nn.activations import Activation, activation_named
from chainrule.nn.costs import Cost, cost_function

__all__ = ["constant_accuracy", "constant_cost"]

Values = np.ndarray[Any, Any]


def constant_cost(labels: Values, outputs: int, cost: Cost | str, activation: Activation | str) -> float:
    """The mean cost of the best constant answer to labels of shape (n,) or targets of shape (n, …, outputs).

    Half the variance of the targets for the quadratic cost; for the cross-entropy, with the mean target sⱼ of output j,
    `−Σⱼ sⱼ ln(sⱼ / Σₖ sₖ)` for softmax and `−Σⱼ sⱼ ln sⱼ + (1 − sⱼ) ln(1 − sⱼ)` for sigmoid outputs. A class is a
    target of 1 among zeros. It is nan for a cross-entropy of targets that are not between 0 and 1.

    >>> constant_cost(np.array([0, 1, 1, 1]), 2, "quadratic", "sigmoid")
    0.1875
    """
    chosen = activation_named(activation)
    return cost_function(cost, chosen).least_constant(labels, outputs, chosen)


def constant_accuracy(labels: Values) -> float:
    """The share of the most common class among labels of shape (n,), or targets of one 1 among zeros.

    >>> constant_accuracy(np.array([0, 1, 1, 1]))
    0.75
    """
    classes = labels if labels.ndim == 1 else labels.argmax(axis=-1).ravel()
    return float(np.bincount(classes).max() / len(classes))
