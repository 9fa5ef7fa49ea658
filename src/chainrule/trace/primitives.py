"""The operations of the graph, on Arrays: each function here makes a node, or one after the other a few."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, ShapeError
from chainrule.graph import ops
from chainrule.graph.forms import FORMS
from chainrule.graph.interpret import NUMPY, value
from chainrule.graph.node import Node, full, known
from chainrule.graph.ops import Op
from chainrule.graph.types import checked_dtype
from chainrule.trace.array import Array
from chainrule.trace.origins import RECORDER

__all__ = [
    "Axes", "apply", "astype", "broadcast", "concatenated", "diagonal", "immediately", "inverted", "mirrored",
    "moved_axis", "normalized_axes", "normalized_axis", "reduced", "reshape", "root", "transpose", "viewed",
]  # fmt: skip

Axes = int | Sequence[int] | None  # one, several or all


def apply(op: Op, *inputs: Node, attributes: tuple[Any, ...] = ()) -> Array:
    """The result of an operation on nodes; of a formula that means more than it computes, what it means."""
    if _IMMEDIATELY.get():
        return Array(known(np.asarray(NUMPY[op](*map(value, inputs), *attributes))))
    node = Node(op, inputs, attributes)
    form = FORMS.get(op)
    node = (form and form(node)) or node
    notes = RECORDER.get()
    if notes is not None:
        notes.note(node)
    return Array(node)


class immediately:  # noqa: N801 - used as a word: with immediately()
    """While the block runs, operations are computed as they are written, and nothing is recorded."""

    __slots__ = ("_really", "_token")

    def __init__(self, *, really: bool = True) -> None:
        self._really = really

    def __enter__(self) -> None:
        self._token = _IMMEDIATELY.set(self._really)

    def __exit__(self, *problem: object) -> None:
        _IMMEDIATELY.reset(self._token)


_IMMEDIATELY: ContextVar[bool] = ContextVar("immediately", default=False)


# element by element


def astype(x: Array, dtype: Any) -> Array:
    """The same elements as another dtype."""
    wanted = checked_dtype(dtype)
    return x if x.dtype == wanted else apply(ops.CAST, x.node, attributes=(wanted.name,))


def viewed(x: Array, dtype: Any) -> Array:
    """The same bits as another dtype of the same size."""
    wanted = checked_dtype(dtype)
    return x if x.dtype == wanted else apply(ops.BITCAST, x.node, attributes=(wanted.name,))


def mirrored(x: Array) -> Array:
    """The elements in reverse order of size, by a map that is its own inverse: −x, or −1 − x, which never overflows."""
    if x.dtype.kind == "b":
        return apply(ops.LOGICAL_NOT, x.node)
    if x.dtype.kind == "f":
        return apply(ops.NEGATIVE, x.node)
    last = -1 if x.dtype.kind == "i" else int(np.iinfo(x.dtype).max)
    return apply(ops.SUBTRACT, full(last, x.node.type), x.node)


def inverted(x: Array) -> Array:
    """Every bit turned over; of booleans, the opposite."""
    if x.dtype.kind == "f":
        raise DTypeError(f"invert needs integers or booleans, not {x.node.type}.")
    return mirrored(x)


def root(x: Array) -> Array:
    """`√x` with the derivative 0 at 0, as that of a distance."""
    return apply(ops.ROOT, x.node)


# over axes


def normalized_axes(axis: Axes, rank: int) -> tuple[int, ...]:
    """The axes as sorted non-negative numbers; None is all of them."""
    if axis is None:
        return tuple(range(rank))
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    if any(not -rank <= a < rank for a in axes) or len({a % max(rank, 1) for a in axes}) != len(axes):
        raise ShapeError(f"axis {axis} does not name distinct axes of an array with {rank} axes.")
    return tuple(sorted(int(a) % rank for a in axes))


def normalized_axis(axis: int, rank: int) -> int:
    """The axis as a non-negative number."""
    return normalized_axes(operator.index(axis), rank)[0]


def reduced(op: Op, x: Array, axis: Axes, keepdims: bool) -> Array:
    """A reduction over axes."""
    axes = normalized_axes(axis, x.ndim)
    result = apply(op, x.node, attributes=(axes,)) if axes else x
    if not keepdims:
        return result
    return reshape(result, tuple(1 if a in axes else n for a, n in enumerate(x.shape)))


# where the elements stand


def broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` repeated along new and size-one axes to the given shape."""
    if x.node.type.shape == shape:
        return x
    if x.node.op is ops.FULL and x.node.type.shape == ():
        return Array(Node(ops.FULL, (), (x.node.attributes[0], x.node.type.with_shape(shape))))
    axes = tuple(range(len(shape) - x.ndim, len(shape)))
    return apply(ops.BROADCAST, x.node, attributes=(shape, axes))


def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    """The same elements, in row-major order, in another shape; one extent may be −1."""
    wanted = [shape] if isinstance(shape, (int, np.integer)) else list(shape)
    if wanted.count(-1) == 1:
        others = math.prod(n for n in wanted if n != -1)
        if others == 0 or x.size % others:
            raise ShapeError(f"cannot reshape {x.node.type} into {tuple(wanted)}: {x.size} elements do not divide.")
        wanted[wanted.index(-1)] = x.size // others
    extents = tuple(int(n) for n in wanted)
    return x if extents == x.shape else apply(ops.RESHAPE, x.node, attributes=(extents,))


def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """The axes in another order, reversed unless told."""
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(normalized_axis(a, x.ndim) for a in axes)
    return x if order == tuple(range(x.ndim)) else apply(ops.TRANSPOSE, x.node, attributes=(order,))


def moved_axis(x: Array, source: int, destination: int) -> Array:
    """One axis moved to another position, the others in their order."""
    order = [axis for axis in range(x.ndim) if axis != source]
    order.insert(destination, source)
    return transpose(x, order)


def concatenated(parts: Sequence[Array], axis: int) -> Array:
    """Arrays of one dtype, one after the other along an axis."""
    return apply(ops.CONCATENATE, *(p.node for p in parts), attributes=(axis,))


def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """A diagonal of two axes, as the last axis: every so many elements of the two as one."""
    rows, columns = normalized_axis(axis1, x.ndim), normalized_axis(axis2, x.ndim)
    if rows == columns:
        raise ShapeError(f"diagonal: axis {axis1} and axis {axis2} of {x.node.type} are the same.")
    others = [n for n in range(x.ndim) if n not in (rows, columns)]
    height, width = x.shape[rows], x.shape[columns]
    count = max(min(height + min(offset, 0), width - max(offset, 0)), 0)
    first = offset if offset >= 0 else -offset * width
    kept = tuple(x.shape[n] for n in others)
    flat = reshape(transpose(x, (*others, rows, columns)), (*kept, height * width))
    start, step = (*(0 for _ in kept), first if count else 0), (*(1 for _ in kept), width + 1)
    return apply(ops.SLICE, flat.node, attributes=(start, (*kept, count), step))
