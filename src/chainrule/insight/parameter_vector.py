"""All weights and biases of a network as one vector, layer after layer, each layer's weights before its biases."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.insight.coordinates import Coordinate
from chainrule.nn.feedforward import Feedforward
from chainrule.nn.network import Network
from chainrule.trace.tree import flatten
from chainrule.tree import Unravel, ravel

__all__ = ["coordinate_at", "is_weight", "shaped", "vector"]

Values = np.ndarray[Any, Any]


def vector(network: Any) -> Any:
    """The vector of a network's weights and biases, or of a gradient; of traced arrays too."""
    return ravel(network)[0]


def shaped(network: Any, values: Any) -> Any:
    """The network whose weights and biases are the values of a vector; a direction, if they are changes."""
    return Unravel.like(network)(values)


def is_weight(network: Feedforward) -> Values:
    """Which numbers of the vector are weights; the others are biases."""
    weights = {id(w) for w in network.weight_arrays()}
    return np.concatenate([np.full(leaf.size, id(leaf) in weights) for leaf in flatten(network)[0]])


def coordinate_at(network: Network, position: int) -> Coordinate:
    """The weight or bias at a position of the vector."""
    for number, layer in enumerate(network.layers):
        for kind, array in (("w", layer.w), ("b", layer.b)):
            if position < array.size:
                return Coordinate(number, kind, tuple(int(n) for n in np.unravel_index(position, array.shape)))
            position -= array.size
    raise IndexError(position)
