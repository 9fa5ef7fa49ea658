"""What becomes an Array, and the dtype and shape that operands have in common: NumPy's rules of promotion."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from chainrule.errors import DTypeError, ShapeError
from chainrule.graph import ops
from chainrule.graph.node import Node, full, in_order, known
from chainrule.graph.types import Type, checked_dtype, plain_array
from chainrule.trace.array import Array
from chainrule.trace.origins import RECORDER
from chainrule.trace.primitives import apply, astype, broadcast, reshape

__all__ = [
    "as_argument", "as_array", "as_float", "as_floats", "broadcast_shape", "common_dtype", "is_float", "may_change",
    "promoted", "promoted_dtype", "variable",
]  # fmt: skip

_TAGS = itertools.count()
_REAL = (float, int)
_NUMBERS, _SEQUENCES, _PLAIN = (bool, int, float), (list, tuple), (np.ndarray, np.generic)


# Arrays


def as_array(x: Any) -> Array:
    """An Array, array or number as an Array; DTypeError for anything else."""
    if isinstance(x, Array):
        return x
    if isinstance(x, _SEQUENCES) and _holds_traced(x):
        return _joined(x)
    notes = RECORDER.get()
    if notes is not None and isinstance(x, np.ndarray):
        return Array(notes.capture(x))
    return Array(known(_checked(x)))


def as_argument(x: Any) -> Array:
    """An argument as an Array: one that stands for a number of Python's, where it is one."""
    return Array(as_array(x).node, weak=True) if type(x) in _NUMBERS else as_array(x)


def variable(x: Any) -> Array:
    """`x` as a node of its own, with which a derivative can be taken: equal to `x`, and distinct from it."""
    array = as_array(x)
    return Array(Node(ops.MARK, (array.node,), (next(_TAGS),)), array.weak)


def _holds_traced(x: Any) -> bool:
    return isinstance(x, Array) or (isinstance(x, _SEQUENCES) and any(map(_holds_traced, x)))


def _joined(parts: Sequence[Any]) -> Array:
    """A list, of lists, of arrays and numbers, as one array."""
    arrays = [as_array(part) for part in parts]
    if len({a.shape for a in arrays}) > 1:
        raise ShapeError(f"a list of {' and '.join(str(a.node.type) for a in arrays)} is no array.")
    dtype = common_dtype(arrays)
    rows = [reshape(astype(a, dtype), (1, *a.shape)) for a in arrays]
    return apply(ops.CONCATENATE, *(r.node for r in rows), attributes=(0,))


def _checked(x: Any) -> np.ndarray[Any, Any]:
    """An array of its own: values are computed when they are asked for, and `x` may have been changed by then."""
    array = plain_array(x)
    return np.array(array, checked_dtype(array.dtype), order="C")


def may_change(x: Array) -> bool:
    """Whether a program that uses `x` may find another value in it than it has now."""
    return any(n.op is ops.CONSTANT and n.attributes[0].shared for n in in_order([x.node]))


# what operands have in common


def promoted(a: Any, b: Any) -> tuple[Array, Array]:
    """Two operands in NumPy's common dtype and shape. Python's own numbers take the other's dtype where they fit it."""
    if isinstance(a, Array):  # the commonest cases, at once
        mine = a.node.type
        if isinstance(b, Array):
            theirs = b.node.type
            if mine is theirs or mine == theirs:
                return a, b
        elif type(b) in _REAL and mine.is_float:
            return a, Array(full(b, mine))
    elif type(a) in _REAL and isinstance(b, Array) and b.node.type.is_float:
        return Array(full(a, b.node.type)), b
    a, b = (as_array(x) if isinstance(x, _SEQUENCES) else x for x in (a, b))
    dtype, a_shape, b_shape = _common_dtype(a, b), _shape(a), _shape(b)
    shape = a_shape if a_shape == b_shape else np.broadcast_shapes(a_shape, b_shape)
    return _fitted(a, shape, dtype), _fitted(b, shape, dtype)


def promoted_dtype(a: Any, b: Any) -> tuple[Array, Array]:
    """Two operands in NumPy's common dtype, each in its own shape."""
    first, second = as_array(a), as_array(b)
    dtype = common_dtype([first, second])
    return astype(first, dtype), astype(second, dtype)


def _shape(x: Any) -> tuple[int, ...]:
    return x.node.type.shape if isinstance(x, Array) else np.shape(x)


def _common_dtype(a: Any, b: Any) -> np.dtype[Any]:
    first, second = _dtype_or_number(a), _dtype_or_number(b)
    if isinstance(first, np.dtype) and (first is second or (isinstance(second, _NUMBERS) and first.kind == "f")):
        return first
    try:
        return checked_dtype(np.result_type(first, second))
    except TypeError as problem:
        raise DTypeError(f"cannot combine {first!r} and {second!r}: {problem}") from None


def common_dtype(operands: Sequence[Any]) -> np.dtype[Any]:
    """The dtype that NumPy gives several operands in common; Python's own numbers fit in where they can."""
    return checked_dtype(np.result_type(*(_dtype_or_number(x) for x in operands)))


def _dtype_or_number(x: Any) -> Any:
    """The dtype of an array; a Python number itself, as only its value says which dtypes it fits."""
    if isinstance(x, Array):
        return x.node.type.dtype.type(0).item() if x.weak else x.node.type.dtype
    if isinstance(x, _SEQUENCES):
        return as_array(x).dtype
    return checked_dtype(x.dtype) if isinstance(x, _PLAIN) else x


def _fitted(x: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if isinstance(x, _NUMBERS) and not isinstance(x, np.generic):
        return Array(full(x, Type(shape, dtype)))
    array = as_array(x)
    if array.node.type.dtype != dtype:
        array = apply(ops.CAST, array.node, attributes=(dtype.name,))
    return broadcast(array, shape)


def broadcast_shape(name: str, *operands: Any) -> tuple[int, ...]:
    """The shape that the operands are broadcast to; ShapeError, in the name of the operation, if there is none."""
    shapes = [_shape(as_array(x) if isinstance(x, _SEQUENCES) else x) for x in operands]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            f"{name}: the shapes {' and '.join(map(str, shapes))} do not broadcast together.",
            cure="Axes are matched from the right; give the shorter one size-1 axes where it should repeat.",
        ) from None


# floating-point numbers


@overload
def as_float(x: Array, narrow: bool = False) -> Array: ...


@overload
def as_float(x: Any, narrow: bool = False) -> Any: ...


def as_float(x: Any, narrow: bool = False) -> Any:
    """Integers and booleans as float64, as NumPy does it before a division.

    With `narrow`, integers of 16 bits as float32, as NumPy does it before a function of floating-point numbers.
    """
    if isinstance(x, Array) and not x.node.type.is_float:
        short = narrow and x.dtype.kind in "iu" and x.dtype.itemsize == 2
        return apply(ops.CAST, x.node, attributes=("float32" if short else "float64",))
    return x


def as_floats(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands of which one is of floating-point numbers: integers and booleans among themselves in float64."""
    return (a, b) if is_float(a) or is_float(b) else (astype(as_array(a), np.float64), b)


def is_float(x: Any) -> bool:
    """Whether an operand is of floating-point numbers."""
    return x.dtype.kind == "f" if isinstance(x, (Array, *_PLAIN)) else isinstance(x, float)
