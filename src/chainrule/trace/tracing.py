"""Run a Python function on arguments that stand for arrays, and keep the graph of what it did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from chainrule.errors import DTypeError, TracingError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.types import Type, checked_dtype, plain_array
from chainrule.trace.array import Array
from chainrule.trace.control import closed, placeholders
from chainrule.trace.origins import Recorder, recording
from chainrule.trace.promotion import as_array
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
        path = paths(structure)[position][len("[0]") :]  # a call is the tree (arguments, options)
        raise DTypeError(f"argument {path}: {problem.what}", cure=problem.cure) from None


def trace(
    function: Callable[..., Any], structure: Structure, types: Sequence[Type], weak: Collection[int] = ()
) -> tuple[Graph, Structure]:
    """The graph of `function(*arguments)` for arguments of a structure and types, and the structure of its result.

    The arguments at the positions in `weak` stand for Python floats.
    """
    recorder = Recorder()
    arguments = [Array(x.node, n in weak) for n, x in enumerate(placeholders(types, compiling=True))]
    with recording(recorder):
        result = function(*unflatten(structure, arguments))
        leaves, result_structure = flatten(result)
        graph = closed([as_array(leaf) for leaf in leaves], arguments, ())
    _check_own(graph)
    return graph, result_structure


def _check_own(graph: Graph) -> None:
    """Refuse what stands for an argument of another function, kept from when that was looked at."""
    foreign = next((node for node in graph.nodes() if node.op is ops.PLACEHOLDER), None)
    if foreign is not None:
        raise TracingError(
            f"an array, {foreign.type}, that stood for an argument of another function or of an earlier call is used.",
            cure="It has no value outside that call: return it from the function, and pass it as an argument here.",
        )
