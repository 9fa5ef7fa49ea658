"""The arrays of a network, whatever its tree: where each is, and whether it is a weight, a bias, or a state.

A field of a dataclass says what is in it by `field(metadata={"role": "weight"})`, or "bias", or "state", all the way
down. What is not told is a weight if it has two axes or more, a bias if it has fewer, and a state, which no derivative
changes, if it holds no floating-point numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.checks import refusal
from chainrule.errors import DTypeError, OptionError
from chainrule.trace.tree import Structure, flatten, paths, tree_map, unflatten

__all__ = ["BIAS", "STATE", "WEIGHT", "Parameters", "astype", "float_dtype", "trainable", "tree_of", "with_state"]

WEIGHT, BIAS, STATE = "weight", "bias", "state"
_NO_NETWORK = (
    "Try cr.nn.Network([784, 30, 10]). Any tree of floating-point arrays that is called with examples is a network: a "
    "frozen dataclass with a __call__(self, x), or cr.nn.Function(function, parameters)."
)


@dataclass(frozen=True, eq=False, repr=False)
class Parameters:
    """The arrays of a network in the order of its tree: `paths` says where, `roles` what each is.

    >>> from chainrule.nn.network import Network
    >>> found = Parameters.of(Network([3, 2]))
    >>> found.paths, found.roles, found.count
    (['layers[0].w', 'layers[0].b'], ['weight', 'bias'], 8)
    """

    arrays: list[Any]
    structure: Structure
    roles: list[str]

    @classmethod
    def of(cls, network: Any) -> Parameters:
        """Those of a network, a tree; OptionError if it holds no floating-point array, or a number that is none."""
        arrays, structure = flatten(network)
        found = cls(arrays, structure, [_role(array, told) for array, told in zip(arrays, _told(network), strict=True)])
        if not found.trainable:
            raise refusal("network", "a Network", network, cure=_NO_NETWORK)
        _check_arrays(arrays, structure)
        return found

    @cached_property
    def paths(self) -> list[str]:
        """Where each array is, as one would write it: `layers[0].w`."""
        return paths(self.structure)

    @cached_property
    def trainable(self) -> list[int]:
        """The numbers of the arrays that learning changes by derivatives."""
        return [n for n, role in enumerate(self.roles) if role != STATE]

    def numbers(self, role: str) -> list[int]:
        """The numbers of the arrays of a role."""
        return [n for n, found in enumerate(self.roles) if found == role]

    @property
    def weights(self) -> list[Any]:
        """The arrays of weights, without biases."""
        return [self.arrays[n] for n in self.numbers(WEIGHT)]

    @property
    def count(self) -> int:
        """How many weights and biases there are."""
        return sum(int(np.size(self.arrays[n])) for n in self.trainable)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The element type of the weights and biases; DTypeError if they have several."""
        found = {np.dtype(self.arrays[n].dtype).newbyteorder("=") for n in self.trainable}
        if len(found) > 1:
            raise DTypeError(
                f"the network's arrays are of several types, {', '.join(sorted(map(str, found)))}.",
                cure="Give all of them the same, float32 or float64.",
            )
        dtype: np.dtype[Any] = found.pop()
        return dtype


def _check_arrays(leaves: Sequence[Any], structure: Structure) -> None:
    """Refuse numbers of Python's, of which nobody can tell whether they are to be learnt."""
    for n, leaf in enumerate(leaves):
        if structure.kind is not None and isinstance(leaf, int | float | complex) and not isinstance(leaf, np.generic):
            raise OptionError(
                f"{paths(structure)[n]} of the network is the number {leaf!r}, no array.",
                cure=f"Write numpy.array({leaf!r}) for one that is learnt; one that stays as it is belongs in a field "
                'that says field(metadata={"static": True}).',
            )


def _role(array: Any, told: str) -> str:
    dtype = getattr(array, "dtype", None)
    if dtype is None or np.dtype(dtype).kind != "f":
        return STATE
    return told or (WEIGHT if len(np.shape(array)) > 1 else BIAS)


def _told(tree: Any, told: str = "") -> Iterator[str]:
    """What the fields of dataclasses say of each leaf, from the left to the right."""
    if not dataclasses.is_dataclass(tree) or isinstance(tree, type):
        parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple | list) else None
        if parts is None:
            yield from [told] * len(flatten(tree)[0])
            return
        for part in parts:
            yield from _told(part, told)
        return
    for f in dataclasses.fields(tree):
        if not f.metadata.get("static"):
            yield from _told(getattr(tree, f.name), f.metadata.get("role", told))


def trainable(network: Any) -> Any:
    """The network's tree with None in place of each state: what an optimiser moves."""
    found = Parameters.of(network)
    return tree_of(found, found.arrays)


def tree_of(parameters: Parameters, arrays: Sequence[Any]) -> Any:
    """The tree of a network with other arrays in it, and None in place of each state."""
    kept = [None if role == STATE else array for array, role in zip(arrays, parameters.roles, strict=True)]
    return unflatten(parameters.structure, kept)


def with_state(parameters: Any, states: Any, structure: Structure, roles: Sequence[str]) -> Any:
    """The network of that structure with the weights of one tree, as `trainable` gives it, and states of another."""
    weights, others = iter(flatten(parameters)[0]), flatten(states)[0]
    return unflatten(structure, [o if role == STATE else next(weights) for o, role in zip(others, roles, strict=True)])


def astype(network: Any, dtype: Any) -> Any:
    """The same network with weights, biases and states of another dtype, float32 or float64."""
    wanted = float_dtype(dtype)
    return tree_map(lambda x: x.astype(wanted) if np.dtype(x.dtype).kind == "f" else x, network)


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """float32 or float64, as weights are; DTypeError for anything else."""
    try:
        wanted: np.dtype[Any] = np.dtype(dtype).newbyteorder("=")
    except TypeError as problem:
        raise DTypeError(f"weights are float32 or float64: {problem}.") from None
    if wanted not in (np.float32, np.float64):
        raise DTypeError(f"weights are float32 or float64, not {wanted}.")
    return wanted
