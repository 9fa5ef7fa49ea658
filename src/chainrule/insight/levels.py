"""How large numbers are, and how steep activations: the figures by which weights, neurons and layers are described."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import display
from chainrule.nn.activations import Activation

__all__ = ["dead", "flat", "off", "rms", "slopes", "steepness"]

Values = np.ndarray[Any, Any]


def rms(values: Any) -> float:
    """The root of the mean of the squares of all numbers in an array; 0 of none."""
    return display.rms(np.asarray(values)) or 0.0


def slopes(activation: Activation, z: Values, a: Values) -> Values:
    """σ'(z), element by element, as a plain array."""
    return np.asarray(activation.slopes(z, a))


def flat(activation: Activation, slope: Values) -> Values:
    """Where a neuron is saturated on an example: its slope is below a twentieth of the largest that it can be."""
    return np.asarray(activation.is_saturated(slope.reshape(1, -1))).reshape(slope.shape)


def off(activation: Activation, slope: Values) -> Values:
    """Which units have a slope of 0 on every example, shape (units,)."""
    return np.asarray(activation.is_off(slope))


def steepness(activation: Activation, z: Values, a: Values) -> Values:
    """σ'(z) over the largest that it can be, element by element; 1 where the activation has no flat ends."""
    if not activation.saturates:
        return np.ones_like(z)
    found: Values = slopes(activation, z, a) / (activation.largest_slope or 1.0)
    return found


def dead(activation: Activation, z: Values, a: Values) -> Values:
    """Which units are off, σ'(z) = 0, on every example, where the activation can be off for good; shape (units,)."""
    if not activation.dies:
        return np.zeros(z.shape[-1], bool)
    return off(activation, slopes(activation, z, a))
