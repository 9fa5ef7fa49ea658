"""Networks with every kind of layer, examples, and their cost as the definitions say, in NumPy and float64."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.insight.coordinates import Coordinate, parse_coordinate
from chainrule.nn import Network

Values = np.ndarray[Any, Any]

SIGMA: dict[str, Callable[[Any], Any]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0),
    "identity": lambda z: z,
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
COST: dict[tuple[str, str], Callable[[Any, Any], Any]] = {
    ("cross_entropy", "sigmoid"): lambda a, y: -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1),
    ("cross_entropy", "softmax"): lambda a, y: -(y * np.log(a)).sum(axis=1),
}

#: Sizes, activations, cost, dtype.
KINDS: list[tuple[list[int], list[str], str, Any]] = [
    ([4, 3], ["sigmoid"], "quadratic", np.float64),
    ([4, 3], ["softmax"], "cross_entropy", np.float32),
    ([4, 6, 3], ["sigmoid", "sigmoid"], "cross_entropy", np.float64),
    ([4, 6, 3], ["sigmoid", "sigmoid"], "quadratic", np.float32),
    ([4, 6, 5, 3], ["tanh", "relu", "softmax"], "cross_entropy", np.float64),
    ([4, 6, 5, 3], ["relu", "tanh", "identity"], "quadratic", np.float32),
    ([4, 6, 5, 3], ["softmax", "tanh", "softmax"], "quadratic", np.float64),
]
NAMES = [f"{'-'.join(map(str, sizes))} {' '.join(names)} {cost} {np.dtype(d)}" for sizes, names, cost, d in KINDS]


def made(sizes: list[int], names: list[str], dtype: Any, examples: int = 30) -> tuple[Network, tuple[Values, Values]]:
    """A network, and examples with the label of one of its outputs each."""
    random = np.random.default_rng(0)
    weights = [(random.normal(size=(n, m)), random.normal(size=n)) for m, n in pairwise(sizes)]
    network = Network.from_weights(weights, names).astype(dtype)
    return network, (random.normal(size=(examples, sizes[0])), random.integers(0, sizes[-1], examples))


def costs(network: Network, cost: str, data: tuple[Values, Values]) -> Values:
    """C_x of each example, without penalty."""
    outputs, labels = passed(network, data[0])[-1], data[1]
    y = np.eye(outputs.shape[1])[labels] if labels.ndim == 1 else labels
    if cost == "quadratic":
        found: Values = ((outputs - y) ** 2).sum(axis=1) / 2
        return found
    found = COST[cost, network.layers[-1].activation](outputs, y)
    return found


def passed(network: Network, x: Values) -> list[Values]:
    """The examples, and the activations of each layer."""
    a = [x.astype(network.dtype).astype(np.float64)]
    for layer in network.layers:
        a.append(SIGMA[layer.activation](a[-1] @ layer.w.T.astype(np.float64) + layer.b.astype(np.float64)))
    return a


def squares(network: Network) -> float:
    """Σ w² over the weights."""
    return sum(float((layer.w.astype(np.float64) ** 2).sum()) for layer in network.layers)


def some_weights(network: Network) -> list[Coordinate]:
    """A weight and a bias of each layer."""
    last = [layer.outputs - 1 for layer in network.layers]
    named = [name for n, unit in enumerate(last) for name in (f"layers[{n}].w[{unit}, 1]", f"layers[{n}].b[1]")]
    return [parse_coordinate(name, network) for name in named]


def layer_of(weight: Coordinate) -> int:
    """The number of the layer that a weight or bias is in."""
    return int(weight.path.removeprefix("layers[").partition("]")[0])
