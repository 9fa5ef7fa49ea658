"""What NumPy's universal functions of two arguments do along axes, with Arrays: `np.add.reduce(x)` and the like.

`reduce` puts all slices along an axis together, `accumulate` keeps what comes of it at each, `reduceat` takes some at a
time, `outer` takes each element with each. Where there is a function for it, such as the sum, that is what is recorded.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, OptionError, ShapeError, TracingError
from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.graph.types import Type
from chainrule.numpy import elementwise as ew
from chainrule.numpy import ordering, shaping
from chainrule.numpy import reductions as red
from chainrule.trace import primitives
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import UniversalFunction, known

__all__ = ["accumulate", "at", "outer", "reduce", "reduceat"]

Universal = UniversalFunction[..., Any]
ReductionFunction = Callable[..., Array]


def reduce(
    function: Universal, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = None, where: Any = True,
) -> Array:  # fmt: skip
    """The first slice along an axis with the second, the result with the third, and so on; all at once over several."""
    _refuse_out(out)
    name = _of_two(function, "reduce")
    x = as_array(array)
    if name in ("maximum", "minimum"):
        return _REDUCTIONS[name](_as(x, dtype), axis, keepdims=keepdims, initial=initial, where=where)
    if name in _REDUCTIONS:
        return _REDUCTIONS[name](x, axis, dtype, keepdims=keepdims, initial=initial, where=where)
    x = _as(x, dtype or _dtype(function, x))
    if where is not None and where is not True:
        x = ew.where(where, x, _identity(function, x, "reduce over some elements"))
    axes = primitives.normalized_axes(axis, x.ndim)
    if len(axes) > 1 and name not in _ASSOCIATIVE:
        raise OptionError(f"{name}.reduce goes along one axis, not along {axis}: the order of the slices counts.")
    found = _folded(function, _started(_rows(x, axes), initial))
    kept = [1 if n in axes else extent for n, extent in enumerate(x.shape)]
    return primitives.reshape(found, kept) if keepdims else found


def _started(rows: Array, initial: Any) -> Array:
    """The rows with what the first is put together with, if there is such a thing, in front."""
    if initial is None:
        return rows
    start = primitives.broadcast(_as(as_array(initial), rows.dtype), (1, *rows.shape[1:]))
    return primitives.concatenated([start, rows], 0)


def _rows(x: Array, axes: tuple[int, ...]) -> Array:
    """The axes as one, before the others."""
    others = [n for n in range(x.ndim) if n not in axes]
    count = math.prod(x.shape[n] for n in axes)
    return primitives.reshape(primitives.transpose(x, (*axes, *others)), [count, *(x.shape[n] for n in others)])


def _folded(function: Universal, rows: Array) -> Array:
    if not len(rows):
        return primitives.broadcast(_identity(function, rows, "reduce of nothing"), rows.shape[1:])
    if len(rows) == 1 and function.plain.identity is not None:
        alone: Array = function(_identity(function, rows, ""), rows[0])  # hypot makes it positive
        return alone
    if function.plain.__name__ in _ASSOCIATIVE:
        return _halved(function, rows)
    found = rows[0]
    for row in rows[1:]:
        found = function(found, row)
    return found


def _halved(function: Universal, rows: Array) -> Array:
    """The first half with the second, and so on."""
    while len(rows) > 1:
        half = len(rows) // 2
        pairs = function(rows[:half], rows[half : 2 * half])
        rows = primitives.concatenated([pairs, rows[-1:]], 0) if len(rows) % 2 else pairs
    return rows[0]


def accumulate(function: Universal, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Array:
    """What `reduce` has come to at each slice along an axis."""
    _refuse_out(out)
    name = _of_two(function, "accumulate")
    x = as_array(array)
    along = primitives.normalized_axis(axis, x.ndim)
    if name in _ACCUMULATIONS:
        return _ACCUMULATIONS[name](x, along, dtype)
    x = _as(x, dtype or _dtype(function, x))
    if name in _ASSOCIATIVE:
        return _running(function, x, along)
    rows = list(primitives.moved_axis(x, along, 0))
    for n in range(1, len(rows)):
        rows[n] = function(rows[n - 1], rows[n])
    return shaping.stack(rows, along) if rows else x


def _running(function: Universal, x: Array, axis: int) -> Array:
    """Each slice with the one 1, then 2, then 4, … positions before it."""
    front = (slice(None),) * axis
    step = 1
    while step < x.shape[axis]:
        later = function(x[(*front, slice(None, -step))], x[(*front, slice(step, None))])
        x = primitives.concatenated([x[(*front, slice(None, step))], later], axis)
        step *= 2
    return x


def _running_largest(a: Any, axis: int, dtype: Any) -> Array:
    """The derivative goes to where each value is first."""
    x = _as(as_array(a), dtype)
    if not x.size:
        return x
    along = _running(ew.maximum, apply(ops.STOP_GRADIENT, x.node), axis)
    front = (slice(None),) * axis
    before, after = along[(*front, slice(None, -1))], along[(*front, slice(1, None))]
    rises = (after > before) | ((after != after) & (before == before))  # nan stays
    positions = apply(ops.IOTA, attributes=(axis, Type(rises.shape, np.dtype(np.int64)))) + 1
    first = np.zeros([1 if n == axis else extent for n, extent in enumerate(x.shape)], np.int64)
    positions = primitives.concatenated([as_array(first), ew.where(rises, positions, 0)], axis)
    return ordering.take_along_axis(x, _running(ew.maximum, positions, axis), axis)


def _running_smallest(a: Any, axis: int, dtype: Any) -> Array:
    return primitives.mirrored(_running_largest(primitives.mirrored(_as(as_array(a), dtype)), axis, None))


def reduceat(function: Universal, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Array:
    """What `reduce` makes of the slices from each index to the next, which must be known; the slice, if none are."""
    _refuse_out(out)
    x, starts = as_array(array), np.asarray(known("reduceat", indices)).tolist()
    along = primitives.normalized_axis(axis, x.ndim)
    rows, parts = primitives.moved_axis(x, along, 0), []
    for first, last in itertools.pairwise([*starts, len(rows)]):
        operator.getitem(range(len(rows)), first)  # raises IndexError, as NumPy
        alone = last <= first + 1 and function.plain.__name__ not in _REDUCTIONS
        parts.append(
            _as(rows[first], dtype or _dtype(function, x))
            if alone
            else reduce(function, rows[first : max(last, first + 1)], 0, dtype)
        )
    if not parts:
        raise ShapeError(f"{function.__name__}.reduceat needs at least one index.")
    return shaping.stack(parts, along)


def outer(function: Universal, a: Any, b: Any, /, **options: Any) -> Any:
    """Each element of `a` with each of `b`: the axes of `a`, then those of `b`."""
    _of_two(function, "outer")
    x, y = as_array(a), as_array(b)
    return function(primitives.reshape(x, (*x.shape, *(1,) * y.ndim)), y, **options)


def at(function: Universal, a: Any, indices: Any, *values: Any) -> None:
    """Nothing: an array that is traced, or changed to one that is, cannot be changed in place."""
    name = function.plain.__name__
    change = f"{_CHANGES[name]}(values)" if name in _CHANGES else "set(…)"
    raise TracingError(
        f"{name}.at cannot change a traced array in place, nor a plain one to a traced one.",
        cure=f"Make a changed copy: x = np.at(x)[indices].{change}.",
    )


def _of_two(function: Universal, method: str) -> str:
    """The name of a universal function of two arguments and one result, without axes of its own."""
    plain = function.plain
    if plain.nin != 2 or plain.nout != 1 or plain.signature is not None:
        raise OptionError(f"{plain.__name__} has no {method}: it is not of two elements.")
    return plain.__name__


def _refuse_out(out: Any) -> None:
    if out is not None:
        raise OptionError("a traced result cannot be written into `out`.", cure="Use the result itself.")


def _as(x: Array, dtype: Any) -> Array:
    return x if dtype is None else primitives.astype(x, dtype)


def _dtype(function: Universal, x: Array) -> Any:
    """What the function makes of two of this type."""
    found = function.plain.resolve_dtypes((x.dtype, x.dtype, None))[2]
    if found.kind == "b" and x.dtype.kind != "b" and not function.__name__.startswith("logical"):
        raise DTypeError(f"{function.__name__} compares, and has nothing to compare its results {found} with.")
    return found


def _identity(function: Universal, x: Array, doing: str) -> Array:
    if function.plain.identity is None:
        raise OptionError(f"{function.__name__} has no identity, and cannot {doing}.", cure="Give `initial`.")
    return Array(full(function.plain.identity, x.node.type.with_shape(())))


def _to_truth(reduction: ReductionFunction) -> ReductionFunction:
    def record(a: Any, axis: Any, dtype: Any, *, keepdims: bool, initial: Any, where: Any) -> Array:
        found = reduction(a, axis, keepdims=keepdims, where=where)
        combine = ew.logical_and if reduction is red.all else ew.logical_or
        return found if initial is None else combine(found, initial)

    return record


_REDUCTIONS: Mapping[str, ReductionFunction] = MappingProxyType(
    {
        "add": red.sum,
        "multiply": red.prod,
        "maximum": red.max,
        "minimum": red.min,
        "logical_and": _to_truth(red.all),
        "logical_or": _to_truth(red.any),
    }
)
_ACCUMULATIONS: Mapping[str, ReductionFunction] = MappingProxyType(
    {"add": red.cumsum, "multiply": red.cumprod, "maximum": _running_largest, "minimum": _running_smallest}
)
_ASSOCIATIVE = frozenset(
    ("maximum", "minimum", "fmax", "fmin", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or",
     "bitwise_xor", "logaddexp", "logaddexp2", "hypot", "gcd", "lcm")
)  # fmt: skip
_CHANGES: Mapping[str, str] = MappingProxyType(
    {"add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide", "maximum": "max",
     "minimum": "min"}
)  # fmt: skip
