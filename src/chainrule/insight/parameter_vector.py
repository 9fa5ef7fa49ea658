"""All weights and biases of a network as one vector, array after array as its tree has them; states stay out of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.insight.coordinates import Coordinate, coordinate
from chainrule.nn.parameters import WEIGHT, Parameters
from chainrule.trace.tree import unflatten

__all__ = [
    "alike",
    "coordinate_at",
    "is_weight",
    "of_vector",
    "shaped",
    "slices",
    "trainable_arrays",
    "vector",
    "vector_positions",
    "with_arrays",
]

Values = np.ndarray[Any, Any]


def trainable_arrays(network: Any) -> tuple[Any, ...]:
    """The arrays of weights and biases, which derivatives are taken with respect to."""
    found = Parameters.of(network)
    return tuple(found.arrays[n] for n in found.trainable)


def with_arrays(network: Any, arrays: Sequence[Any]) -> Any:
    """The network with other arrays of weights and biases."""
    found, others = Parameters.of(network), iter(arrays)
    trainable = set(found.trainable)
    return unflatten(found.structure, [next(others) if n in trainable else a for n, a in enumerate(found.arrays)])


def vector(network: Any) -> Any:
    """The vector of a network's weights and biases; of traced arrays too."""
    return of_vector(trainable_arrays(network))


def of_vector(arrays: Sequence[Any]) -> Any:
    """The vector of arrays like those of weights and biases, such as a gradient's."""
    return cnp.concatenate([cnp.reshape(array, -1) for array in arrays])


def shaped(network: Any, values: Any) -> Any:
    """The network whose weights and biases are the values of a vector; a direction, if they are changes."""
    parts = zip(slices(network), trainable_arrays(network), strict=True)
    return with_arrays(network, [values[part].reshape(np.shape(array)) for part, array in parts])


def slices(network: Any) -> list[slice]:
    """Where in the vector the numbers of each array are."""
    ends = np.cumsum([0, *(int(np.prod(np.shape(a))) for a in trainable_arrays(network))]).tolist()
    return [slice(start, end) for start, end in zip(ends, ends[1:], strict=False)]


def alike(one: Any, other: Any) -> bool:
    """Whether two networks are of one kind, with arrays of the same shapes."""
    shapes = [[np.shape(array) for array in Parameters.of(network).arrays] for network in (one, other)]
    return type(one) is type(other) and shapes[0] == shapes[1]


def vector_positions(network: Any, arrays: Collection[int]) -> Values:
    """Where in the vector the numbers of some arrays are, which are told by their numbers in the network's tree."""
    parts = zip(Parameters.of(network).trainable, slices(network), strict=True)
    chosen = [np.arange(part.start, part.stop) for number, part in parts if number in arrays]
    return np.concatenate(chosen) if chosen else np.zeros(0, np.intp)


def is_weight(network: Any) -> Values:
    """Which numbers of the vector are weights; the others are biases."""
    found = Parameters.of(network)
    return np.concatenate([np.full(np.size(found.arrays[n]), found.roles[n] == WEIGHT) for n in found.trainable])


def coordinate_at(network: Any, position: int) -> Coordinate:
    """The weight or bias at a position of the vector."""
    found = Parameters.of(network)
    for part, number in zip(slices(network), found.trainable, strict=True):
        if position < part.stop:
            index = np.unravel_index(position - part.start, np.shape(found.arrays[number]))
            return coordinate(network, number, tuple(map(int, index)))
    raise IndexError(position)
