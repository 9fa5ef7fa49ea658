"""Run a Python function on arguments that stand for arrays, and keep the graph of what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import DTypeError
from chainrule.graph.graph import Graph
from chainrule.graph.node import input_node
from chainrule.graph.types import Type, checked_dtype
from chainrule.trace.array import Array, Recorder, as_array, recording
from chainrule.trace.tree import Structure, flatten, paths, unflatten

__all__ = ["argument_types", "trace"]


def argument_types(leaves: Sequence[Any], structure: Structure, positions: Sequence[int]) -> list[Type]:
    """The types of the leaves at these positions of a call; DTypeError names the argument that is no array of numbers.

    A Python float takes the widest floating dtype among the arrays, as it does in NumPy's arithmetic.
    """
    wide = [leaf.dtype for leaf in leaves if isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "f"]
    float_dtype = max(wide, key=lambda dtype: dtype.itemsize, default=np.dtype(np.float64))
    return [_type(leaf, n, structure, float_dtype) for n, leaf in zip(positions, leaves, strict=True)]


def _type(leaf: Any, position: int, structure: Structure, float_dtype: np.dtype[Any]) -> Type:
    if isinstance(leaf, float) and not isinstance(leaf, np.generic):
        return Type((), checked_dtype(float_dtype))
    array = np.asarray(leaf)
    try:
        return Type(array.shape, checked_dtype(array.dtype))
    except DTypeError as problem:
        place = paths(structure)[position][len("[0]") :]  # a call is the tree (arguments, options)
        raise DTypeError(f"argument {place}: {problem.what}", cure=problem.cure) from None


def trace(function: Callable[..., Any], structure: Structure, types: Sequence[Type]) -> tuple[Graph, Structure]:
    """The graph of `function(*arguments)` for arguments of a structure and types, and the structure of its result."""
    recorder = Recorder()
    inputs = tuple(input_node(n, type_) for n, type_ in enumerate(types))
    with recording(recorder):
        result = function(*unflatten(structure, [Array(node) for node in inputs]))
        leaves, result_structure = flatten(result)
        outputs = tuple(as_array(leaf).node for leaf in leaves)
    return Graph(inputs, outputs, recorder.origins), result_structure
