"""Activations: a = σ(z). Each takes and gives arrays of shape (examples, neurons)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from chainrule import numpy as np
from chainrule.graph import ops
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array

__all__ = ["ACTIVATIONS", "identity", "logistic", "relu", "sigmoid", "softmax", "tanh"]


def sigmoid(z: Any) -> Any:
    """The logistic function, `σ(z) = 1 / (1 + e⁻ᶻ)`, element by element; `σ' = σ·(1 − σ)`.

    >>> float(sigmoid(0.0))
    0.5
    """
    return _elementwise(ops.LOGISTIC, z)


logistic = sigmoid


def tanh(z: Any) -> Any:
    """The hyperbolic tangent, element by element; `tanh' = 1 − tanh²`."""
    return np.tanh(z)


def relu(z: Any) -> Any:
    """`z` where it is positive, else 0; its derivative at 0 is 0.

    >>> relu([-1.0, 2.0])
    array([0., 2.])
    """
    return _elementwise(ops.RELU, z)


def softmax(z: Any) -> Any:
    """`aⱼ = e^zⱼ / Σₖ e^zₖ` along the last axis: positive, and 1 together; of no elements, none.

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    array = as_array(z)
    if not array.size:
        return _like(z, _floating(array))
    powers = np.exp(array - _constant(array.max(-1, keepdims=True)))
    return _like(z, powers / powers.sum(-1, keepdims=True))


def identity(z: Any) -> Any:
    """`z` itself: for outputs that are any real numbers."""
    return z


def _elementwise(op: ops.Op, z: Any) -> Any:
    return _like(z, apply(op, _floating(as_array(z)).node))


def _floating(x: Array) -> Array:
    return x if x.node.type.is_float else x.astype("float64")


def _constant(x: Array) -> Array:
    return apply(ops.STOP_GRADIENT, x.node)


def _like(given: Any, result: Array) -> Any:
    """An Array for an Array, a plain array for a plain one."""
    return result if isinstance(given, Array) else result.value[()]


#: The activations by name.
ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"sigmoid": sigmoid, "tanh": tanh, "relu": relu, "softmax": softmax, "identity": identity}
)
