"""Where in a network: one weight or bias, a neuron, a layer; written as one would in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.nn.network import Dense, Network

__all__ = ["Coordinate", "parse_coordinate"]

_COORDINATE = re.compile(r"layers\[(\d+)\]\.([wb])\[\s*(\d+)\s*(?:,\s*(\d+)\s*)?\]")


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A weight `w[j, k]`, to neuron j from neuron k, or a bias `b[j]` of a layer, which are counted from 0."""

    layer: int
    kind: str  # "w" or "b"
    index: tuple[int, ...]

    def __str__(self) -> str:
        return f"layers[{self.layer}].{self.kind}[{', '.join(map(str, self.index))}]"

    @property
    def neuron(self) -> int:
        """The neuron of the layer that it belongs to."""
        return self.index[0]

    @property
    def source(self) -> int | None:
        """The input of the layer that the weight multiplies; None for a bias."""
        return self.index[1] if self.kind == "w" else None

    def value(self, network: Network) -> float:
        """The number that it is."""
        return float(getattr(network.layers[self.layer], self.kind)[self.index])

    def changed(self, network: Network, change: Any) -> Network:
        """The network with `change` added there; traced changes too."""
        layers = list(network.layers)
        mine = layers[self.layer]
        array = getattr(mine, self.kind)
        here = np.zeros(array.shape, array.dtype)
        here[self.index] = 1
        moved = {"w": mine.w, "b": mine.b, self.kind: array + here * change}
        layers[self.layer] = _layer(moved["w"], moved["b"], mine.activation)
        return Network._of(tuple(layers))


def _layer(w: Any, b: Any, activation: Any) -> Dense:
    layer = object.__new__(Dense)  # w or b may stand for an array, which the checks of a layer do not expect
    for name, part in (("w", w), ("b", b), ("activation", activation)):
        object.__setattr__(layer, name, part)
    return layer


def parse_coordinate(text: str, network: Network) -> Coordinate:
    """The weight or bias that `layers[0].w[3, 407]` or `layers[1].b[2]` names; OptionError if there is none."""
    found = _COORDINATE.fullmatch(text.strip())
    if not found or (found[2] == "w") != (found[4] is not None):
        raise OptionError(
            f"{text!r} names no weight or bias.",
            cure="Write layers[0].w[3, 407] (to neuron 3, from input 407), or layers[1].b[2].",
        )
    weight = Coordinate(int(found[1]), found[2], tuple(int(n) for n in (found[3], found[4]) if n is not None))
    if weight.layer >= len(network.layers):
        raise OptionError(f"{text!r}: the network has layers 0 to {len(network.layers) - 1}.")
    shape = getattr(network.layers[weight.layer], weight.kind).shape
    if any(n >= extent for n, extent in zip(weight.index, shape, strict=True)):
        raise OptionError(f"{text!r}: layers[{weight.layer}].{weight.kind} has the shape {shape}, counted from 0.")
    return weight
