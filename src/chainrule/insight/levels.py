"""How large numbers are, and how steep activations: the figures by which weights, neurons and layers are described."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import display
from chainrule.nn.activations import ACTIVATIONS
from chainrule.transform import jvp

__all__ = ["dead", "flat", "rms", "slopes", "steepness"]

Values = np.ndarray[Any, Any]

_FLAT = 0.05  # of the steepest that the activation can be
_STEEPEST = {"sigmoid": 0.25, "tanh": 1.0, "softmax": 0.25, "relu": 1.0, "identity": 1.0}
_SATURATING = ("sigmoid", "tanh")


def rms(values: Any) -> float:
    """The root of the mean of the squares of all numbers in an array; 0 of none."""
    return display.rms(np.asarray(values)) or 0.0


def slopes(activation: Any, z: Values, a: Values) -> Values:
    """σ'(z), element by element; for softmax its diagonal, a(1 − a)."""
    if activation == "softmax":
        found: Values = a * (1 - a)
    else:
        found = jvp(ACTIVATIONS[activation], (z,), (np.ones_like(z),))[1]
    return found


def steepness(activation: Any, z: Values, a: Values) -> Values:
    """σ'(z) over the largest that it can be, element by element; 1 where the activation has no flat ends."""
    if activation not in _SATURATING:
        return np.ones_like(z)
    found: Values = slopes(activation, z, a) / _STEEPEST[activation]
    return found


def flat(activation: Any, slope: Values) -> Values:
    """Where a neuron is saturated: its slope is below a twentieth of the largest that it can be."""
    return slope < _FLAT * _STEEPEST[activation]


def dead(activation: Any, z: Values) -> Values:
    """Which neurons are off, σ'(z) = 0, on every example, where the activation can be off for good."""
    if activation != "relu":
        return np.zeros(z.shape[1], bool)
    found: Values = np.all(z <= 0, axis=0)
    return found
