"""How weights and biases start. Each gives `(w, b)` of shapes (outputs, inputs) and (outputs,)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = ["INITIALIZERS", "glorot", "he", "normal", "scaled_normal"]

Weights = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
Generator = np.random.Generator


def normal(inputs: int, outputs: int, random: Generator) -> Weights:
    """`w, b ~ N(0, 1)`: the start of Nielsen's chapter 1."""
    return random.standard_normal((outputs, inputs)), random.standard_normal(outputs)


def scaled_normal(inputs: int, outputs: int, random: Generator) -> Weights:
    """`w ~ N(0, 1) / √inputs, b ~ N(0, 1)`: weighted inputs of order 1 (Nielsen, chapter 3)."""
    return random.standard_normal((outputs, inputs)) / np.sqrt(inputs), random.standard_normal(outputs)


def glorot(inputs: int, outputs: int, random: Generator) -> Weights:
    """`w ~ U(±√(6 / (inputs + outputs))), b = 0` (Glorot & Bengio 2010, equation 16): for tanh and sigmoid."""
    limit = np.sqrt(6 / (inputs + outputs))
    return random.uniform(-limit, limit, (outputs, inputs)), np.zeros(outputs)


def he(inputs: int, outputs: int, random: Generator) -> Weights:
    """`w ~ N(0, 2 / inputs), b = 0` (He et al. 2015, equation 10): for ReLU."""
    return random.standard_normal((outputs, inputs)) * np.sqrt(2 / inputs), np.zeros(outputs)


#: The initialisers by name.
INITIALIZERS: Mapping[str, Callable[[int, int, Generator], Weights]] = MappingProxyType(
    {"normal": normal, "scaled_normal": scaled_normal, "glorot": glorot, "he": he}
)
