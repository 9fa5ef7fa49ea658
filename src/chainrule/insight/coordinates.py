"""One weight or bias of a network: a coordinate of its parameters, written as one would in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.nn.parameters import BIAS, STATE, Parameters
from chainrule.trace.tree import flatten, unflatten

__all__ = ["Coordinate", "coordinate", "parse_coordinate"]

_INDEX = re.compile(r"(.*?)\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]")
_LAYER = re.compile(r"layers\[(\d+)\]\.\w+")


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A number of an array of the network's tree: `layers[0].w[3, 407]`, to unit 3 from input 407; counted from 0.

    `array` is the number of the array in the tree, `path` where it is, `role` what it is, a weight or a bias.
    """

    array: int
    path: str
    role: str
    index: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.path}[{', '.join(map(str, self.index))}]"

    @property
    def kind(self) -> str:
        """`w` or `b`, as it stands in formulas."""
        return "b" if self.role == BIAS else "w"

    def value(self, network: Any) -> float:
        """The number that it is."""
        return float(np.asarray(flatten(network)[0][self.array])[self.index])

    def changed(self, network: Any, change: Any) -> Any:
        """The network with `change` added there; traced changes too."""
        arrays, structure = flatten(network)
        here = np.zeros(np.shape(arrays[self.array]), arrays[self.array].dtype)
        here[self.index] = 1
        return unflatten(structure, [a + here * change if n == self.array else a for n, a in enumerate(arrays)])


def coordinate(network: Any, array: int, index: tuple[int, ...]) -> Coordinate:
    """The coordinate of that index in the array of that number."""
    found = Parameters.of(network)
    return Coordinate(array, found.paths[array], found.roles[array], index)


def parse_coordinate(text: str, network: Any) -> Coordinate:
    """The weight or bias that `layers[0].w[3, 407]` or `layers[1].b[2]` names; OptionError if there is none."""
    parameters = Parameters.of(network)
    known = {path: n for n, path in enumerate(parameters.paths) if parameters.roles[n] != STATE}
    found = _INDEX.fullmatch(text.strip())
    if not found or found[1] not in known:
        raise _unknown(text, found[1] if found else "", list(known))
    array, index = known[found[1]], tuple(int(n) for n in found[2].split(","))
    shape = np.shape(parameters.arrays[array])
    if len(index) != len(shape):
        raise _none(text, list(known))
    if any(n >= extent for n, extent in zip(index, shape, strict=True)):
        raise OptionError(f"{text!r}: {found[1]} has the shape {shape}, counted from 0.")
    return coordinate(network, array, index)


def _unknown(text: str, path: str, known: list[str]) -> OptionError:
    layers = {int(found[1]) for one in known if (found := _LAYER.fullmatch(one))}
    asked = _LAYER.fullmatch(path)
    if layers and asked and int(asked[1]) not in layers:
        return OptionError(f"{text!r}: the network has layers 0 to {max(layers)}.")
    return _none(text, known)


def _none(text: str, known: list[str]) -> OptionError:
    cure = "Write layers[0].w[3, 407] (to neuron 3, from input 407), or layers[1].b[2]."
    if "layers[0].w" not in known:
        cure = f"Its arrays are {', '.join(known[:5])}{', …' if len(known) > 5 else ''}; write an index behind one."
    return OptionError(f"{text!r} names no weight or bias.", cure=cure)
