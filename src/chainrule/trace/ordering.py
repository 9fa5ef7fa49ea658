"""NumPy's functions of order and of places, for Arrays as for plain arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.errors import OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import has_value
from chainrule.graph.types import Type
from chainrule.trace import array as core
from chainrule.trace import elementwise as ew
from chainrule.trace import shaping
from chainrule.trace.array import Array, apply, as_array
from chainrule.trace.recorded import known, offered, recorded


def _plain_argsort(a: Any, axis: Any = -1, *arguments: Any, descending: bool = False, **options: Any) -> Any:
    if not descending:
        return np.argsort(a, axis, *arguments, **options)
    x = np.asarray(a) if axis is not None else np.ravel(a)
    return argsort(as_array(x), -1 if axis is None else axis, descending=True).value


@recorded(_plain_argsort)
def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None, descending: bool = False
) -> Array:
    """The positions that put an axis in order (the flattened array if None), equals as they came. No derivative."""
    x = as_array(a) if axis is not None else core.reshape(as_array(a), -1)
    along = core.normalized_axis(-1 if axis is None else axis, x.ndim)
    ordered = core.mirrored(_with_nan_first(x)) if descending else x
    return apply(ops.ARGSORT, ordered.node, attributes=(along,))


def _with_nan_first(x: Array) -> Array:
    """Nan as the largest: mirrored, it would again come last."""
    return ew.where(ew.isnan(x), math.inf, x) if x.node.type.is_float else x


def _plain_sort(a: Any, axis: Any = -1, *arguments: Any, descending: bool = False, **options: Any) -> Any:
    if not descending:
        return np.sort(a, axis, *arguments, **options)
    x = np.asarray(a) if axis is not None else np.ravel(a)
    along = -1 if axis is None else axis
    return np.take_along_axis(x, argsort(x, along, descending=True), along)


@recorded(_plain_sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None, descending: bool = False
) -> Array:
    """The elements of an axis in order (of the flattened array if None); each passes its derivative to where it was."""
    x = as_array(a) if axis is not None else core.reshape(as_array(a), -1)
    along = -1 if axis is None else axis
    return take_along_axis(x, argsort(x, along, descending=descending), along)  # type: ignore[no-any-return]


@recorded(np.take)
def take(a: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Array:
    """Elements, or slices along an axis, by integer index."""
    x = as_array(a) if axis is not None else core.reshape(as_array(a), -1)
    along = core.normalized_axis(axis or 0, x.ndim)
    index = as_array(indices)
    if mode == "wrap":
        index = ew.remainder(index, x.shape[along])
    elif mode == "clip":
        index = ew.clip(index, 0, x.shape[along] - 1)
    elif mode != "raise":
        raise OptionError(f"take has no mode {mode!r}.", cure="raise, wrap, clip")
    if has_value(index.node) and index.ndim == 0:
        return x[(*(slice(None),) * along, int(index))]
    return core.taken(x, index, along)


@recorded(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Array:
    """At each place the element along an axis that an index there names."""
    x, index = as_array(arr), as_array(indices)
    if axis is None:
        return core.reshape(x, -1)[index]
    along = core.normalized_axis(axis, x.ndim)
    if index.ndim != x.ndim:
        raise ShapeError(f"take_along_axis: {index.node.type} must have as many axes as {x.node.type}.")
    shape = [1 if n == along else extent for n, extent in enumerate(x.shape)]
    others = core.broadcast_shape("take_along_axis", np.empty(shape, bool), index[_first(along)])
    x = core.broadcast(x, tuple(x.shape[n] if n == along else extent for n, extent in enumerate(others)))
    index = core.broadcast(index, tuple(index.shape[n] if n == along else e for n, e in enumerate(others)))
    places = [index if n == along else _place(index, n) for n in range(x.ndim)]
    return x[tuple(places)] if x.ndim > 1 else x[index]


def _first(axis: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(0, 1))


def _place(x: Array, axis: int) -> Array:
    return apply(ops.IOTA, attributes=(axis, Type(x.shape, np.dtype(np.int64))))


@recorded(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Array:
    """Where values belong in a vector that is in order: how many elements are less, or not greater. No derivative."""
    if side not in ("left", "right"):
        raise OptionError(f"side must be 'left' or 'right', not {side!r}.")
    ordered = as_array(a)
    if ordered.ndim != 1:
        raise ShapeError(f"searchsorted needs a vector in order, not {ordered.node.type}.")
    x, values = (ordered if sorter is None else ordered[sorter]), as_array(v)
    dtype = core.common_dtype([x, values])
    x, values = core.astype(x, dtype), core.reshape(core.astype(values, dtype), (*values.shape, 1))
    before = x < values if side == "left" else x <= values
    if values.node.type.is_float:  # nan is the largest
        unknown = ew.isnan(values)
        before = before | (unknown & ~ew.isnan(x) if side == "left" else unknown)
    return core.total(before, -1)


@recorded(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """The number of the bin that each element lies in, of bins in rising or falling order."""
    edges = as_array(bins)
    side = "left" if right else "right"
    upward = searchsorted(edges, x, side)
    if edges.size < 2:
        return upward  # type: ignore[no-any-return]
    downward = edges.size - searchsorted(edges[::-1], x, side)
    return ew.where(edges[0] > edges[-1], downward, upward)  # type: ignore[no-any-return]


@recorded(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Array:
    """The straight lines through points `(xp, fp)`, `xp` in order, at `x`; outside the first and the last value."""
    points, heights = (core.as_float(as_array(a)) for a in (xp, fp))
    places = core.as_float(as_array(x))
    after = ew.clip(searchsorted(points, places, "right"), 1, max(points.size - 1, 1))
    lower, upper = after - 1, ew.minimum(after, points.size - 1)
    start, end = points[lower], points[upper]
    flat = end == start
    share = (places - start) / ew.where(flat, 1.0, end - start)
    inside = heights[lower] + (heights[upper] - heights[lower]) * share
    low, high = (heights[0] if left is None else left), (heights[-1] if right is None else right)
    outside = ew.where(places > points[-1], high, ew.where(places == points[-1], heights[-1], inside))
    found = ew.where(places < points[0], low, outside)
    return ew.where(ew.isnan(places), places, found)  # type: ignore[no-any-return]


@recorded(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Array:
    """`out[n] = Σ a[m] · v[n − m]`: where they meet at all, as long as the longer (`same`), or wholly (`valid`)."""
    x, y = core.promoted_dtype(a, v)
    x, y = (x, y) if x.size >= y.size else (y, x)
    return _slid(x, y[::-1], mode)


@recorded(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    """`out[n] = Σ a[n + m] · v[m]`."""
    x, y = core.promoted_dtype(a, v)
    return _slid(x, y, mode) if x.size >= y.size else _slid(y, x, mode)[::-1]


def _slid(x: Array, weights: Array, mode: str) -> Array:
    """The sums of `x`, which is the longer, with the weights at every place."""
    if x.ndim != 1 or weights.ndim != 1 or not weights.size:
        raise ShapeError(f"a convolution needs two vectors, not {x.node.type} and {weights.node.type}.")
    if mode not in ("full", "same", "valid"):
        raise OptionError(f"a convolution has no mode {mode!r}.", cure="full, same, valid")
    margin = weights.size - 1
    low, high = {"full": (margin, margin), "same": (weights.size // 2, margin - weights.size // 2), "valid": (0, 0)}[
        mode
    ]
    wide = shaping.pad(x, (low, high))
    windows = np.arange(wide.size - margin)[:, None] + np.arange(weights.size)
    return core.matmul(wide[windows], weights)


# of the middle


@recorded(np.median)
def median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The middle element in order over axes, or the mean of the two."""
    return quantile(a, 0.5, axis, keepdims=keepdims)  # type: ignore[no-any-return]


@recorded(np.percentile)
def percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The element that so many hundredths lie below, in order over axes, on the line between two if need be."""
    return quantile(a, known("percentile", q) / np.float64(100), axis, method=method, keepdims=keepdims)  # type: ignore[no-any-return]


@recorded(np.quantile)
def quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The element that such a share lie below, in order over axes, on the line between two if need be."""
    if method != "linear":
        raise OptionError(f"quantile of a traced array does not take the method {method!r}.", cure="method='linear'")
    x, shares = core.as_float(as_array(a)), np.asarray(known("quantile", q), np.float64)
    if shares.size and (shares.min() < 0 or shares.max() > 1):
        raise OptionError(f"quantiles lie between 0 and 1, not {shares}.")
    axes = core.normalized_axes(axis, x.ndim)
    kept = [n for n in range(x.ndim) if n not in axes]
    rows = core.reshape(core.transpose(x, (*axes, *kept)), (-1, *(x.shape[n] for n in kept)))
    found = _between(sort(rows, 0), shares)
    missing = ew.isnan(rows)
    found = ew.where(core.reduced(ops.SUM, missing, 0, False), math.nan, found)
    extents = (
        [1 if n in axes else extent for n, extent in enumerate(x.shape)] if keepdims else found.shape[shares.ndim :]
    )
    return core.reshape(found, (*shares.shape, *extents))


def _between(rows: Array, shares: np.ndarray[Any, Any]) -> Array:
    """The rows at these shares of the way from the first to the last."""
    if not len(rows):
        raise ShapeError("a quantile of no elements is not defined.")
    places = shares * (len(rows) - 1)
    lower = np.floor(places).astype(np.int64)
    upper = np.minimum(lower + 1, len(rows) - 1)
    weight = core.astype(as_array((places - lower).reshape(shares.shape + (1,) * (rows.ndim - 1))), rows.dtype)
    first, last = (core.taken(rows, index, 0) for index in (lower, upper))
    below, above = first + (last - first) * weight, last - (last - first) * (1 - weight)
    exact = ew.where(first == last, first, ew.where(weight >= 0.5, above, below))
    return exact  # type: ignore[no-any-return]


__all__ = offered(globals())
