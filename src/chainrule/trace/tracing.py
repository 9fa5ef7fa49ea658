"""Run a Python function on arguments that stand for arrays, and keep the graph of what it did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from chainrule.errors import DTypeError
from chainrule.graph.graph import Graph
from chainrule.graph.node import input_node
from chainrule.graph.types import Type, checked_dtype
from chainrule.trace.array import Array, Recorder, as_array, plain_array, recording
from chainrule.trace.tree import Structure, flatten, paths, unflatten

__all__ = ["argument_types", "trace"]


def argument_types(leaves: Sequence[Any], structure: Structure, positions: Sequence[int]) -> list[Type]:
    """The types of the leaves at these positions of a call; DTypeError names the argument that is no array."""
    return [_type(leaf, n, structure) for n, leaf in zip(positions, leaves, strict=True)]


def _type(leaf: Any, position: int, structure: Structure) -> Type:
    try:
        array = plain_array(leaf)
        return Type(array.shape, checked_dtype(array.dtype))
    except DTypeError as problem:
        place = paths(structure)[position][len("[0]") :]  # a call is the tree (arguments, options)
        raise DTypeError(f"argument {place}: {problem.what}", cure=problem.cure) from None


def trace(
    function: Callable[..., Any], structure: Structure, types: Sequence[Type], weak: Collection[int] = ()
) -> tuple[Graph, Structure]:
    """The graph of `function(*arguments)` for arguments of a structure and types, and the structure of its result.

    The arguments at the positions in `weak` stand for Python floats.
    """
    recorder = Recorder()
    inputs = tuple(input_node(n, type_) for n, type_ in enumerate(types))
    with recording(recorder):
        result = function(*unflatten(structure, [Array(node, n in weak) for n, node in enumerate(inputs)]))
        leaves, result_structure = flatten(result)
        outputs = tuple(as_array(leaf).node for leaf in leaves)
    return Graph(inputs, outputs, recorder.origins), result_structure
