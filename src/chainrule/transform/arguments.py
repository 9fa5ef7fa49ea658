"""What every transformation does with a function's arguments and results."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import whole_number, whole_numbers
from chainrule.errors import DifferentiationError, OptionError
from chainrule.graph.node import Node
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_argument, as_array, variable
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tree import Structure, flatten, paths, unflatten

__all__ = [
    "Variables",
    "arrays_of",
    "checked_position",
    "float_arrays",
    "handed_out",
    "name_of",
    "one_number",
    "outcome",
    "positions",
]


def positions(argnums: Any) -> tuple[tuple[int, ...], bool]:
    """The positions that `argnums` names, and whether it is a single number."""
    if not isinstance(argnums, Sequence):
        return (whole_number("argnums", argnums, cure="For example argnums=0, or argnums=(0, 1)."),), True
    return whole_numbers("argnums", argnums, cure="For example argnums=0."), False


def checked_position(arguments: Sequence[Any], position: int, function: AnyFunction) -> int:
    """The position counted from the front; OptionError if there is no such argument."""
    if not -len(arguments) <= position < len(arguments):
        raise OptionError(
            f"argnums names argument {position}, but {name_of(function)} was called with {len(arguments)} positional "
            "arguments.",
            cure="Pass the argument to differentiate by position.",
        )
    return position % len(arguments)


def name_of(function: AnyFunction) -> str:
    """The name of a function for a message."""
    name = getattr(function, "__name__", None)
    return repr(function) if name is None else str(name)


def float_arrays(tree: Any, where: str) -> tuple[list[Array], Structure]:
    """The leaves of a tree as Arrays; DifferentiationError if one holds no floating-point numbers."""
    leaves, structure = flatten(tree)
    arrays = [as_argument(leaf) for leaf in leaves]
    for n, array in enumerate(arrays):
        if not array.node.type.is_float:
            path = paths(structure)[n]
            raise DifferentiationError(
                f"cannot differentiate with respect to {where}{path and ' at ' + path}: {array.node.type} "
                "holds no floating-point numbers.",
                cure="Convert it with x.astype(np.float32), or leave it out of argnums.",
            )
    return arrays, structure


@dataclass(frozen=True, slots=True)
class Variables:
    """Arguments of a function as variables of a derivative: all leaves, and the structure of each argument."""

    leaves: list[Array]
    nodes: list[Node]
    structures: list[Structure]

    @classmethod
    def of(cls, arguments: Sequence[Any], chosen: Sequence[int]) -> Variables:
        """Of the chosen arguments; DifferentiationError if one holds no floating-point numbers."""
        parts = [float_arrays(arguments[n], f"argument {n}") for n in chosen]
        leaves = [variable(x) for arrays, _ in parts for x in arrays]
        return cls(leaves, [x.node for x in leaves], [structure for _, structure in parts])

    def trees(self, leaves: Iterable[Any]) -> tuple[Any, ...]:
        """Of these leaves, a tree like each of the arguments."""
        left = iter(leaves)
        return tuple([unflatten(structure, left) for structure in self.structures])

    def among(self, arguments: Sequence[Any], chosen: Sequence[int]) -> list[Any]:
        """The arguments, of which these are the chosen ones."""
        moved = list(arguments)
        for n, tree in zip(chosen, self.trees(self.leaves), strict=True):
            moved[n] = tree
        return moved

    def each(self) -> Iterator[tuple[list[Array], Structure]]:
        """The leaves and the structure of each argument."""
        left = iter(self.leaves)
        for structure in self.structures:
            yield list(itertools.islice(left, structure.leaves)), structure


def arrays_of(result: Any, function: AnyFunction) -> tuple[list[Array], Structure]:
    """The leaves of a function's result as Arrays."""
    leaves, structure = flatten(result)
    return [as_array(leaf) for leaf in leaves], structure


def one_number(result: Any, function: AnyFunction) -> Array:
    """The result as a cost; DifferentiationError if it is not one real number."""
    if not isinstance(result, (Array, np.ndarray, np.generic, float, int)):
        raise DifferentiationError(
            f"{name_of(function)} must return one real number to have a gradient, not {type(result).__name__}."
        )
    cost = as_array(result)
    if cost.shape != () or not cost.node.type.is_float:
        raise DifferentiationError(
            f"{name_of(function)} must return one real number to have a gradient, not {cost.node.type}.",
            cure="Reduce it, for example with np.mean or np.sum; or use cr.jacobian.",
        )
    return cost


def outcome(structure: Structure, arrays: Sequence[Array], outermost: bool) -> Any:
    """What the user gets: plain NumPy outside every transformation, Arrays that keep recording inside one."""
    return unflatten(structure, handed_out(arrays, outermost))


def handed_out(arrays: Sequence[Array], outermost: bool) -> list[Any]:
    """The arrays as the user gets them."""
    return [_plain(x) for x in arrays] if outermost else list(arrays)


def _plain(x: Array) -> Any:
    value = x.value
    return value[()] if value.ndim == 0 else np.array(value)
