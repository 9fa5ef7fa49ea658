"""NumPy's functions of order and of positions, for Arrays as for plain arrays."""

from __future__ import annotations

import functools
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.checks import one_of
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import has_value
from chainrule.graph.node import full
from chainrule.graph.types import Type
from chainrule.numpy import creation, shaping
from chainrule.numpy import elementwise as ew
from chainrule.numpy import reductions as red
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.plain import shown
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import known, offered, recorded


@functools.wraps(np.argsort)
def _plain_argsort(a: Any, axis: Any = -1, *arguments: Any, descending: bool = False, **options: Any) -> Any:
    if not descending:
        return np.argsort(a, axis, *arguments, **options)
    x = np.asarray(a) if axis is not None else np.ravel(a)
    return np.array(shown(argsort(as_array(x), -1 if axis is None else axis, descending=True).node))


@recorded(_plain_argsort)
def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None, descending: bool = False
) -> Array:
    """The positions that put an axis in order (the flattened array if None), equals as they came. No derivative."""
    x = as_array(a) if axis is not None else primitives.reshape(as_array(a), -1)
    along = primitives.normalized_axis(-1 if axis is None else axis, x.ndim)
    ordered = primitives.mirrored(_with_nan_first(x)) if descending else x
    return apply(ops.ARGSORT, ordered.node, attributes=(along,))


def _with_nan_first(x: Array) -> Array:
    """Nan as the largest: mirrored, it would again come last."""
    return ew.where(ew.isnan(x), math.inf, x) if x.node.type.is_float else x


@functools.wraps(np.sort)
def _plain_sort(a: Any, axis: Any = -1, *arguments: Any, descending: bool = False, **options: Any) -> Any:
    if not descending:
        return np.sort(a, axis, *arguments, **options)
    x = np.asarray(a) if axis is not None else np.ravel(a)
    along = -1 if axis is None else axis
    order: Any = argsort(x, along, descending=True)
    return np.take_along_axis(x, order, along)


@recorded(_plain_sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None, descending: bool = False
) -> Array:
    """The elements of an axis in order (of the flattened array if None); each passes its derivative to where it was."""
    x = as_array(a) if axis is not None else primitives.reshape(as_array(a), -1)
    along = -1 if axis is None else axis
    return take_along_axis(x, argsort(x, along, descending=descending), along)


@recorded(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Array:
    """The positions that put the last key in order, and equals in that of the keys before it. No derivative."""
    given = [as_array(key) for key in keys]
    if not given:
        raise ShapeError("lexsort needs at least one key.")
    order = argsort(given[0], axis)
    for key in given[1:]:
        order = take_along_axis(order, argsort(take_along_axis(key, order, axis), axis), axis)
    return order


@recorded(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = None) -> Array:
    """The elements of an axis with the `kth` where it belongs, smaller ones before: here all are in order."""
    return sort(_with_positions(a, kth, axis), axis)


@recorded(np.argpartition)
def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: Any = None) -> Array:
    """The positions that put the `kth` of an axis where it belongs, and here all others. No derivative."""
    return argsort(_with_positions(a, kth, axis), axis)


def _with_positions(a: Any, kth: Any, axis: int | None) -> Array:
    x = as_array(a)
    extent = x.size if axis is None else x.shape[primitives.normalized_axis(axis, x.ndim)]
    positions = np.asarray(known("partition", kth))
    if ((positions < -extent) | (positions >= extent)).any():
        raise OptionError(f"partition: the position {kth} is outside an axis of {extent} elements.")
    return x


@recorded(np.take)
def take(a: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Array:
    """Elements, or slices along an axis, by integer index."""
    x = as_array(a) if axis is not None else primitives.reshape(as_array(a), -1)
    along = primitives.normalized_axis(axis or 0, x.ndim)
    index = as_array(indices)
    if mode == "wrap":
        index = ew.remainder(index, x.shape[along])
    elif mode == "clip":
        index = ew.clip(index, 0, x.shape[along] - 1)
    else:
        one_of("take: mode", mode, ("raise", "wrap", "clip"))
    if has_value(index.node) and index.ndim == 0:
        return x[(*(slice(None),) * along, int(index))]
    return arithmetic.taken(x, index, along)


@recorded(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Array:
    """At each position the element along an axis that an index there names."""
    x, index = as_array(arr), as_array(indices)
    if axis is None:
        return primitives.reshape(x, -1)[index]
    along = primitives.normalized_axis(axis, x.ndim)
    if index.ndim != x.ndim:
        raise ShapeError(f"take_along_axis: {index.node.type} must have as many axes as {x.node.type}.")
    shape = [1 if n == along else extent for n, extent in enumerate(x.shape)]
    others = promotion.broadcast_shape("take_along_axis", np.empty(shape, bool), index[_first(along)])
    x = primitives.broadcast(x, tuple(x.shape[n] if n == along else extent for n, extent in enumerate(others)))
    index = primitives.broadcast(index, tuple(index.shape[n] if n == along else e for n, e in enumerate(others)))
    key = [index if n == along else _positions_along(index, n) for n in range(x.ndim)]
    return x[tuple(key)] if x.ndim > 1 else x[index]


def _first(axis: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(0, 1))


def _positions_along(x: Array, axis: int) -> Array:
    return apply(ops.IOTA, attributes=(axis, Type(x.shape, np.dtype(np.int64))))


@recorded(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Array:
    """Where values belong in a vector that is in order: how many elements are less, or not greater. No derivative."""
    one_of("searchsorted: side", side, ("left", "right"))
    ordered = as_array(a)
    if ordered.ndim != 1:
        raise ShapeError(f"searchsorted needs a vector in order, not {ordered.node.type}.")
    x, values = (ordered if sorter is None else ordered[sorter]), as_array(v)
    dtype = promotion.common_dtype([x, values])
    x, values = primitives.astype(x, dtype), primitives.reshape(primitives.astype(values, dtype), (*values.shape, 1))
    before = x < values if side == "left" else x <= values
    if values.node.type.is_float:  # nan is the largest
        unknown = ew.isnan(values)
        before = before | (unknown & ~ew.isnan(x) if side == "left" else unknown)
    return arithmetic.total(before, -1)


@recorded(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """The number of the bin that each element lies in, of bins in rising or falling order."""
    edges = as_array(bins)
    side = "left" if right else "right"
    upward = searchsorted(edges, x, side)
    if edges.size < 2:
        return upward
    downward = edges.size - searchsorted(edges[::-1], x, side)
    return ew.where(edges[0] > edges[-1], downward, upward)


# counts


@recorded(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Array:
    """How often 0, 1, 2, … occur, or the sums of their weights.

    Compiled, where the largest is not known, there are `minlength` counts, and what is beyond is not counted.
    """
    index = as_array(x)
    if index.ndim != 1 or index.dtype.kind == "f":
        raise ShapeError(f"bincount needs a vector of integers, not {index.node.type}.")
    index = primitives.astype(index, np.int64)
    length = _bins(index, minlength)
    inside = (index >= 0) & (index < length)
    each = primitives.astype(inside, np.int64) if weights is None else _each_weight(index, inside, weights)
    return _added_up(each, ew.where(inside, index, 0), length)


def _bins(index: Array, minlength: Any) -> int:
    least = operator.index(known("bincount", minlength))
    if not has_value(index.node) and least:
        return least
    largest = known("bincount", index, "Say how many counts there are: np.bincount(x, minlength=10).")
    if index.size and largest.min() < 0:
        raise OptionError("bincount counts no negative numbers.")
    return max(least, int(largest.max(initial=-1)) + 1)


def _each_weight(index: Array, inside: Array, weights: Any) -> Array:
    given = primitives.astype(as_array(weights), np.float64)
    if given.shape != index.shape:
        raise ShapeError(f"bincount: weights {given.node.type} for {index.node.type}.")
    return ew.where(inside, given, 0.0)


def _added_up(each: Array, positions: Array, length: int) -> Array:
    none = full(0, each.node.type.with_shape((length,)))
    return apply(ops.SCATTER_ADD, none, positions.node, each.node) if length else Array(none)


@recorded(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """The edges of so many bins, equally wide, over a range, which is that of `a` unless told; or the edges given."""
    if isinstance(bins, str):
        raise OptionError(f"a histogram of a traced array does not choose its bins by {bins!r}.", cure="Give a number.")
    x, edges = primitives.reshape(as_array(a), -1), as_array(bins)
    if edges.ndim == 1:
        return edges
    low, high = range if range is not None else (x.min(), x.max()) if x.size else (0.0, 1.0)
    low, high = promotion.promoted(*promotion.as_floats(low, high))
    apart = ew.where(low == high, 0.5, 0.0)
    dtype = promotion.common_dtype([low, high, promotion.as_float(x)])
    found: Any = creation.linspace(low - apart, high + apart, int(known("histogram", edges)) + 1)
    return primitives.astype(found, dtype)


@recorded(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[Array, Array]:
    """How many elements lie in each bin, or the sums of their weights, and the edges of the bins.

    With `density` the integral over the bins is 1. Counts have the derivative 0, weights and widths have theirs.
    """
    x = primitives.reshape(as_array(a), -1)
    edges = histogram_bin_edges(x, bins, range)
    bin_ = ew.where(x == edges[-1], edges.size - 2, searchsorted(edges, x, "right") - 1)
    inside = (bin_ >= 0) & (bin_ < edges.size - 1)
    each = primitives.astype(inside, np.int64)
    if weights is not None:
        w = as_array(weights)
        if w.size != x.size:
            raise ShapeError(f"histogram: weights {w.node.type} for {as_array(a).node.type}.")
        each = ew.where(inside, primitives.reshape(w, -1), Array(full(0, w.node.type.with_shape(inside.shape))))
    counts = _added_up(each, ew.where(inside, bin_, 0), edges.size - 1)
    return (counts / red.diff(edges) / arithmetic.total(counts) if density else counts), edges


@recorded(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Array:
    """The straight lines through points `(xp, fp)`, `xp` in order, at `x`; outside the first and the last value."""
    points, heights = (promotion.as_float(as_array(a)) for a in (xp, fp))
    at = promotion.as_float(as_array(x))
    after = ew.clip(searchsorted(points, at, "right"), 1, max(points.size - 1, 1))
    lower, upper = after - 1, ew.minimum(after, points.size - 1)
    start, end = points[lower], points[upper]
    flat = end == start
    share = (at - start) / ew.where(flat, 1.0, end - start)
    inside = heights[lower] + (heights[upper] - heights[lower]) * share
    low, high = (heights[0] if left is None else left), (heights[-1] if right is None else right)
    outside = ew.where(at > points[-1], high, ew.where(at == points[-1], heights[-1], inside))
    found = ew.where(at < points[0], low, outside)
    return ew.where(ew.isnan(at), at, found)


@recorded(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Array:
    """`out[n] = Σ a[m] · v[n − m]`: where they meet at all, as long as the longer (`same`), or wholly (`valid`)."""
    x, y = promotion.promoted_dtype(a, v)
    x, y = (x, y) if x.size >= y.size else (y, x)
    return _slid(x, y[::-1], mode)


@recorded(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    """`out[n] = Σ a[n + m] · v[m]`."""
    x, y = promotion.promoted_dtype(a, v)
    return _slid(x, y, mode) if x.size >= y.size else _slid(y, x, mode)[::-1]


def _slid(x: Array, weights: Array, mode: str) -> Array:
    """The sums of `x`, which is the longer, with the weights at every position."""
    if x.ndim != 1 or weights.ndim != 1 or not weights.size:
        raise ShapeError(f"a convolution needs two vectors, not {x.node.type} and {weights.node.type}.")
    one_of("the mode of a convolution", mode, ("full", "same", "valid"))
    margin = weights.size - 1
    low, high = {"full": (margin, margin), "same": (weights.size // 2, margin - weights.size // 2), "valid": (0, 0)}[
        mode
    ]
    wide = shaping.pad(x, (low, high))
    windows = np.arange(wide.size - margin)[:, None] + np.arange(weights.size)
    return arithmetic.matmul(wide[windows], weights)


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
