"""Costs: how far the outputs are from the targets, for each example.

Each takes the output layer's weighted inputs z, its activations a and the targets y, all of shape (examples, outputs),
and gives C_x for each example; the cost is the mean of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule.checks import one_of
from chainrule.errors import OptionError
from chainrule.graph import ops
from chainrule.graph.types import Type
from chainrule.nn.feedforward import Feedforward
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.transform import stop_gradient

__all__ = ["COSTS", "cost_function", "quadratic", "sigmoid_cross_entropy", "softmax_cross_entropy", "targets"]

Cost = Callable[[Any, Any, Any], Any]


def quadratic(z: Any, a: Any, y: Any) -> Any:
    """`C_x = ½ Σⱼ (aⱼ − yⱼ)²`."""
    return 0.5 * np.sum((a - y) ** 2, axis=-1)


def sigmoid_cross_entropy(z: Any, a: Any, y: Any) -> Any:
    """`C_x = −Σⱼ [yⱼ ln aⱼ + (1 − yⱼ) ln(1 − aⱼ)]` for a = σ(z), computed from z.

    `−y ln σ(z) − (1 − y) ln(1 − σ(z)) = max(z, 0) − y z + ln(1 + e^−|z|)`, which neither overflows nor loses digits.
    """
    return np.sum(np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z))), axis=-1)


def softmax_cross_entropy(z: Any, a: Any, y: Any) -> Any:
    """`C_x = −Σⱼ yⱼ ln aⱼ` for a = softmax(z), computed from z as `Σⱼ yⱼ (ln Σₖ e^zₖ − zⱼ)`."""
    largest = stop_gradient(np.max(z, axis=-1, keepdims=True))
    shifted = z - largest
    normalizer = np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
    return np.sum(y * (normalizer - shifted), axis=-1)


#: The costs by name.
COSTS: Mapping[str, Cost] = MappingProxyType(
    {
        "quadratic": quadratic,
        "sigmoid_cross_entropy": sigmoid_cross_entropy,
        "softmax_cross_entropy": softmax_cross_entropy,
    }
)


def cost_function(name: str, activation: str) -> Cost:
    """The cost of that name for an output layer with that activation.

    "cross_entropy" is the one that belongs to the activation, sigmoid or softmax. OptionError if there is none.
    """
    one_of("cost", name, [*COSTS, "cross_entropy"])
    full = f"{activation}_cross_entropy" if name == "cross_entropy" else name
    if full not in COSTS:
        raise OptionError(
            f"the cost 'cross_entropy' needs sigmoid or softmax outputs, not {activation}.",
            cure="Make the network with output='sigmoid' or output='softmax', or use cost='quadratic'.",
        )
    needed = full.removesuffix("_cross_entropy")
    if needed != full and needed != activation:
        raise OptionError(
            f"the cost {name!r} needs {needed} outputs, not {activation}.",
            cure=f"Make the network with output={needed!r}, or use cost='quadratic'.",
        )
    return COSTS[full]


def targets(labels: Any, network: Feedforward) -> Any:
    """Integer labels of shape (n,) as one-hot rows, shape (n, outputs); real targets as they are."""
    return _one_hot(labels, network.outputs, network.dtype) if labels.ndim == 1 else labels


def _one_hot(labels: Any, classes: int, dtype: Any) -> Any:
    return (np.expand_dims(labels, 1) == _positions(labels, classes)).astype(dtype)


def _positions(labels: Any, classes: int) -> Any:
    if not isinstance(labels, Array):
        return numpy.arange(classes)
    return apply(ops.IOTA, attributes=(1, Type((labels.shape[0], classes), labels.dtype)))
