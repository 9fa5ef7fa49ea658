"""What a constant answer achieves, the same for every example: the least that a network has to beat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["constant_accuracy", "constant_cost"]

Values = np.ndarray[Any, Any]


def constant_cost(labels: Values, outputs: int, cost: str, activation: str) -> float:
    """The mean cost of the best constant answer to labels of shape (n,) or targets of shape (n, outputs).

    Half the variance of the targets for the quadratic cost; for the cross-entropy, with the mean target sⱼ of output j,
    `−Σⱼ sⱼ ln(sⱼ / Σₖ sₖ)` for softmax and `−Σⱼ sⱼ ln sⱼ + (1 − sⱼ) ln(1 − sⱼ)` for sigmoid outputs. A class is a
    target of 1 among zeros. It is nan for a cross-entropy of targets that are not between 0 and 1.

    >>> constant_cost(np.array([0, 1, 1, 1]), 2, "quadratic", "sigmoid")
    0.1875
    """
    means = _shares(labels, outputs)
    if cost == "quadratic":
        spread = means * (1 - means) if labels.ndim == 1 else labels.var(axis=0, dtype=np.float64)
        return float(0.5 * spread.sum())
    if labels.ndim == 2 and not (labels.min() >= 0 and labels.max() <= 1):
        return math.nan
    if activation == "softmax":
        return -_logarithms(means, float(means.sum()))
    return -_logarithms(means, 1.0) - _logarithms(1 - means, 1.0)


def constant_accuracy(labels: Values) -> float:
    """The share of the most common class among labels of shape (n,), or targets of one 1 among zeros.

    >>> constant_accuracy(np.array([0, 1, 1, 1]))
    0.75
    """
    classes = labels if labels.ndim == 1 else labels.argmax(axis=1)
    return float(np.bincount(classes).max() / len(classes))


def _shares(labels: Values, outputs: int) -> Values:
    """The mean target of each output."""
    if labels.ndim == 1:
        return np.bincount(labels, minlength=outputs) / len(labels)
    return np.asarray(labels.mean(axis=0, dtype=np.float64))


def _logarithms(shares: Values, total: float) -> float:
    """`Σⱼ sⱼ ln(sⱼ / total)`, 0 ln 0 being 0."""
    some = shares[shares > 0]
    return float((some * np.log(some / total)).sum())
