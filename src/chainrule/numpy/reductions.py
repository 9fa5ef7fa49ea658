"""NumPy's functions that make one number of many, or of all before each, for Arrays as for plain arrays."""

from __future__ import annotations

import builtins
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.checks import whole_number
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import has_value
from chainrule.graph.node import full
from chainrule.graph.types import Type
from chainrule.numpy import elementwise as ew
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.plain import shown
from chainrule.trace.primitives import Axes, apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction, is_traced, named, offered, recorded, through_arrays


def _counted(x: Array, dtype: Any) -> Array:
    """What is summed or multiplied: as `dtype`; else booleans and small integers in 64 bits."""
    if dtype is not None:
        return primitives.astype(x, dtype)
    wide = {"b": np.int64, "i": np.int64, "u": np.uint64}.get(x.dtype.kind)
    return primitives.astype(x, wide) if wide else x


def _count(x: Array, axis: Axes) -> int:
    return math.prod(x.shape[a] for a in primitives.normalized_axes(axis, x.ndim))


def _kept(reduced: Array, x: Array, axis: Axes, keepdims: bool) -> Array:
    """The result with axes of size one where the reduced ones were."""
    axes = primitives.normalized_axes(axis, x.ndim)
    return primitives.reshape(reduced, [1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else reduced


def _only_where(x: Array, where: Any, otherwise: float) -> Array:
    return x if where is None or where is True else ew.where(where, x, Array(full(otherwise, x.node.type)))


def _with_initial(found: Array, initial: Any, combine: AnyFunction) -> Array:
    return found if initial is None else primitives.astype(combine(found, initial), found.dtype)


@recorded(np.sum)
def sum(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = None
) -> Array:
    """The sum over axes."""
    x = _only_where(_counted(as_array(a), dtype), where, 0)
    return _with_initial(primitives.reduced(ops.SUM, x, axis, bool(keepdims)), initial, ew.add)


@recorded(np.prod)
def prod(
    a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = None
) -> Array:
    """The product over axes: its derivative by one element is the product of the others, zeros among them or not."""
    x = _only_where(_counted(as_array(a), dtype), where, 1)
    return _with_initial(
        _kept(arithmetic.product_of_rows(_axes_first(x, axis)), x, axis, bool(keepdims)), initial, ew.multiply
    )


def _axes_first(x: Array, axis: Axes) -> Array:
    """The axes as one, before the others."""
    axes = primitives.normalized_axes(axis, x.ndim)
    others = [a for a in range(x.ndim) if a not in axes]
    return primitives.reshape(
        primitives.transpose(x, (*axes, *others)), [_count(x, axes), *(x.shape[a] for a in others)]
    )


@recorded(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, where: Any = None) -> Array:
    """The mean over axes."""
    x = promotion.as_float(as_array(a)) if dtype is None else primitives.astype(as_array(a), dtype)
    if where is None or where is True:
        return arithmetic.mean(x, axis, bool(keepdims))
    chosen = primitives.astype(primitives.broadcast(as_array(where), x.shape), x.dtype)
    return sum(x, axis, keepdims=keepdims, where=where) / arithmetic.total(chosen, axis, bool(keepdims))


_mean = mean


@recorded(np.var)
def var(
    a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, where: Any = None,
    mean: Any = None, correction: Any = None,
) -> Array:  # fmt: skip
    """The mean squared distance from the mean, `Σ (x − mean)² / (n − ddof)`; `mean` may be given, with kept axes."""
    x = promotion.as_float(as_array(a)) if dtype is None else primitives.astype(as_array(a), dtype)
    less = ddof if correction is None else correction
    centred = x - (_mean(x, axis, keepdims=True, where=where) if mean is None else mean)
    summed = arithmetic.total(_only_where(centred * centred, where, 0), axis, bool(keepdims))
    if where is None or where is True:
        return summed / float(builtins.max(_count(x, axis) - less, 0))
    chosen = primitives.astype(primitives.broadcast(as_array(where), x.shape), x.dtype)
    return summed / ew.maximum(arithmetic.total(chosen, axis, bool(keepdims)) - less, 0.0)


@recorded(np.std)
def std(
    a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, where: Any = None,
    mean: Any = None, correction: Any = None,
) -> Array:  # fmt: skip
    """The square root of the variance; where that is 0, so is its derivative."""
    found = var(a, axis, dtype, ddof=ddof, keepdims=keepdims, where=where, mean=mean, correction=correction)
    return primitives.root(found)


def _extreme(plain: AnyFunction, method: str, combine: AnyFunction, neutral: str, doc: str) -> AnyFunction:
    def record(a: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = None) -> Array:
        x = as_array(a)
        if where is not None and where is not True and initial is None:
            raise OptionError(f"{method} over some elements needs a number to start from.", cure="Give `initial`.")
        if initial is not None:
            start = primitives.astype(as_array(initial), x.dtype)
            x = x if where is None or where is True else ew.where(where, x, start)
            if not _count(x, axis):
                kept = tuple(a for a in range(x.ndim) if a not in primitives.normalized_axes(axis, x.ndim))
                return _kept(primitives.broadcast(start, tuple(x.shape[a] for a in kept)), x, axis, bool(keepdims))
        return _with_initial(arithmetic.extreme(x, method, axis, bool(keepdims)), initial, combine)

    return recorded(plain)(named(plain.__name__, record, doc))


max = amax = _extreme(
    np.max, "max", ew.maximum, "-inf", "The largest element over axes; its derivative is shared equally among ties."
)
min = amin = _extreme(
    np.min, "min", ew.minimum, "inf", "The smallest element over axes; its derivative is shared equally among ties."
)


@recorded(np.ptp)
def ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The largest less the smallest element over axes."""
    found: Array = max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)
    return found


@recorded(np.any)
def any(a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = None) -> Array:
    """Whether any element over axes is true, or not zero."""
    return primitives.reduced(
        ops.SUM, _only_where(primitives.astype(as_array(a), bool), where, False), axis, bool(keepdims)
    )


@recorded(np.all)
def all(a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = None) -> Array:
    """Whether all elements over axes are true, or not zero."""
    return arithmetic.every(_only_where(primitives.astype(as_array(a), bool), where, True), axis, bool(keepdims))


@recorded(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """How many elements over axes are true, or not zero."""
    return arithmetic.total(primitives.astype(as_array(a), bool), axis, bool(keepdims))


@recorded(np.argmax)
def argmax(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The position of the first largest element along an axis (of the flattened array if None). No derivative."""
    x = as_array(a)
    found = _first_largest(x if axis is not None else primitives.reshape(x, -1), 0 if axis is None else axis)
    return _kept(found, x, axis, bool(keepdims))


def _first_largest(x: Array, axis: int) -> Array:
    along, extent = primitives.normalized_axis(axis, x.ndim), x.shape[axis]
    positions = apply(ops.IOTA, attributes=(along, Type(x.shape, np.dtype(np.int64))))
    largest = primitives.reduced(ops.MAX, x, along, True)
    found = (x == largest) | (x != x)  # nan counts as the largest, as in NumPy, and equals nothing
    return arithmetic.extreme(ew.where(found, positions, extent - 1), "min", along, False)


@recorded(np.argmin)
def argmin(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The position of the first smallest element along an axis. No derivative."""
    return argmax(primitives.mirrored(as_array(a)), axis, keepdims=keepdims)


@through_arrays
def logsumexp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """`ln Σ eˣ` over axes, without overflow; its derivative is the softmax. NumPy has none.

    >>> from chainrule import numpy as np
    >>> float(np.logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    """
    x = promotion.as_float(as_array(a))
    if not _count(x, axis):
        return ew.log(sum(x, axis, keepdims=keepdims))
    largest = apply(ops.STOP_GRADIENT, primitives.reduced(ops.MAX, x, axis, True).node)
    centre = ew.where(ew.isfinite(largest), largest, Array(full(0, largest.node.type)))
    summed = ew.log(arithmetic.total(ew.exp(x - centre), axis, True)) + centre
    return primitives.reshape(summed, _kept(primitives.reduced(ops.MAX, x, axis, False), x, axis, bool(keepdims)).shape)


@recorded(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Array | tuple[Array, Array]:
    """The mean over axes, each element counted with its weight."""
    x = promotion.as_float(as_array(a))
    if weights is None:
        found = arithmetic.mean(x, axis, bool(keepdims))
        total = Array(full(_count(x, axis), found.node.type))
    else:
        x, w = promotion.promoted(x, _aligned(as_array(weights), x, axis))
        total = arithmetic.total(w, axis, bool(keepdims))
        found = arithmetic.total(x * w, axis, bool(keepdims)) / total
    return (found, total) if returned else found


def _aligned(weights: Array, x: Array, axis: Axes) -> Array:
    """Weights along the axes alone, put where those are."""
    if weights.shape == x.shape:
        return weights
    axes = primitives.normalized_axes(axis, x.ndim)
    if axis is None or weights.shape != tuple(x.shape[a] for a in axes):
        raise ShapeError(f"average: weights {weights.node.type} for the axes {axis} of {x.node.type}.")
    return primitives.reshape(weights, [n if a in axes else 1 for a, n in enumerate(x.shape)])


# without what is not a number


@recorded(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """The sum over axes of what is a number."""
    return sum(_numbers(a, 0), axis, dtype, keepdims=keepdims)


@recorded(np.nanprod)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """The product over axes of what is a number."""
    return prod(_numbers(a, 1), axis, dtype, keepdims=keepdims)


@recorded(np.nanmax)
def nanmax(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The largest number over axes; nan where there is none."""
    return _or_nan(max(_numbers(a, -math.inf), axis, keepdims=keepdims), a, axis, keepdims)


@recorded(np.nanmin)
def nanmin(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The smallest number over axes; nan where there is none."""
    return _or_nan(min(_numbers(a, math.inf), axis, keepdims=keepdims), a, axis, keepdims)


@recorded(np.nanmean)
def nanmean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The mean over axes of what is a number."""
    x = promotion.as_float(as_array(a))
    present = arithmetic.total(primitives.astype(~ew.isnan(x), x.dtype), axis, bool(keepdims))
    return nansum(x, axis, keepdims=keepdims) / present


@recorded(np.nanvar)
def nanvar(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The variance over axes of what is a number."""
    x = promotion.as_float(as_array(a))
    present = arithmetic.total(primitives.astype(~ew.isnan(x), x.dtype), axis, bool(keepdims))
    centred = _numbers(x - nanmean(x, axis, keepdims=True), 0)
    left = present - ddof
    return arithmetic.total(centred * centred, axis, bool(keepdims)) / ew.where(left > 0, left, math.nan)


@recorded(np.nanstd)
def nanstd(a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The standard deviation over axes of what is a number."""
    return primitives.root(nanvar(a, axis, ddof=ddof, keepdims=keepdims))


def _numbers(a: Any, otherwise: float) -> Array:
    x = as_array(a)
    return ew.where(ew.isnan(x), Array(full(otherwise, x.node.type)), x) if x.node.type.is_float else x


def _or_nan(found: Array, a: Any, axis: Axes, keepdims: bool) -> Array:
    x = as_array(a)
    if not x.node.type.is_float:
        return found
    missing = arithmetic.every(ew.isnan(x), axis, bool(keepdims))
    return ew.where(missing, math.nan, found)


@recorded(np.nanargmax)
def nanargmax(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The position of the first largest number along an axis; ValueError, if known, where there is none."""
    return argmax(_with_numbers(a, -math.inf, axis), axis, keepdims=keepdims)


@recorded(np.nanargmin)
def nanargmin(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The position of the first smallest number along an axis; ValueError, if known, where there is none."""
    return argmin(_with_numbers(a, math.inf, axis), axis, keepdims=keepdims)


def _with_numbers(a: Any, otherwise: float, axis: int | None) -> Array:
    x = as_array(a)
    if x.node.type.is_float and has_value(x.node) and np.isnan(shown(x.node)).all(axis).any():
        raise ValueError("All-NaN slice encountered")  # as NumPy says it
    return _numbers(x, otherwise)


@recorded(np.nancumsum)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """The sums of each element and those before it along an axis, of what is a number."""
    return cumsum(_numbers(a, 0), axis, dtype)


@recorded(np.nancumprod)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """The products of each element and those before it along an axis, of what is a number."""
    return cumprod(_numbers(a, 1), axis, dtype)


# running sums and products


@recorded(np.cumsum)
def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """The sums of each element and those before it along an axis (of the flattened array if None)."""
    return _running(ops.ADD, a, axis, dtype)


@recorded(np.cumprod)
def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """The products of each element and those before it along an axis (of the flattened array if None)."""
    return _running(ops.MULTIPLY, a, axis, dtype)


@recorded(np.cumulative_sum)
def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The sums of each element and those before it along an axis; from 0 on if `include_initial`."""
    return _from_start(_running(ops.ADD, x, _only_axis(x, axis), dtype), 0, _only_axis(x, axis), include_initial)


@recorded(np.cumulative_prod)
def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """The products of each element and those before it along an axis; from 1 on if `include_initial`."""
    return _from_start(_running(ops.MULTIPLY, x, _only_axis(x, axis), dtype), 1, _only_axis(x, axis), include_initial)


def _only_axis(x: Any, axis: int | None) -> int:
    if axis is None and as_array(x).ndim != 1:
        raise ShapeError(f"the axis must be given for an array of {as_array(x).ndim} axes.")
    return axis or 0


def _from_start(found: Array, start: float, axis: int, include_initial: bool) -> Array:
    if not include_initial:
        return found
    along = primitives.normalized_axis(axis, found.ndim)
    shape = tuple(1 if a == along else n for a, n in enumerate(found.shape))
    return primitives.concatenated([Array(full(start, found.node.type.with_shape(shape))), found], along)


def _running(op: ops.Op, a: Any, axis: int | None, dtype: Any) -> Array:
    """Each element combined with the one 1, then 2, then 4, … positions before it."""
    x = _counted(as_array(a), dtype)
    x = primitives.reshape(x, -1) if axis is None else x
    along = primitives.normalized_axis(axis or 0, x.ndim)
    start, step = 0 if op is ops.ADD else 1, 1
    while step < x.shape[along]:
        x = apply(op, x.node, _later(x, step, along, start).node)
        step *= 2
    return x


def _later(x: Array, step: int, axis: int, start: float) -> Array:
    """The elements so many positions later, the start in front."""
    shapes = [tuple(n if a == axis else m for a, m in enumerate(x.shape)) for n in (step, x.shape[axis] - step)]
    nowhere = (0,) * x.ndim
    earlier = apply(ops.SLICE, x.node, attributes=(nowhere, shapes[1], (1,) * x.ndim))
    if start == 0:
        low = tuple(step if a == axis else 0 for a in range(x.ndim))
        return apply(ops.PAD, earlier.node, attributes=(low, nowhere, nowhere))
    return primitives.concatenated([Array(full(start, x.node.type.with_shape(shapes[0]))), earlier], axis)


@recorded(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """The differences of neighbours along an axis, `n` times over; of booleans, whether they differ."""
    x = as_array(a)
    along = primitives.normalized_axis(axis, x.ndim)
    ends = [_end(x, part, along) for part in (prepend, append)]
    parts = [part for part in (ends[0], x, ends[1]) if part is not None]
    if len(parts) > 1:
        dtype = promotion.common_dtype(parts)
        x = primitives.concatenated([primitives.astype(p, dtype) for p in parts], along)
    front = (slice(None),) * along
    for _ in range(n):
        later, earlier = x[(*front, slice(1, None))], x[(*front, slice(None, -1))]
        x = later != earlier if x.dtype.kind == "b" else later - earlier
    return x


def _end(x: Array, part: Any, axis: int) -> Array | None:
    if part is None:
        return None
    found = as_array(part)
    shape = tuple(1 if a == axis else n for a, n in enumerate(x.shape))
    return found if found.ndim else primitives.broadcast(found, shape)


@recorded(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral of `y` along an axis by trapezoids, between the points `x` or `dx` apart."""
    heights = as_array(y)
    along = primitives.normalized_axis(axis, heights.ndim)
    widths = dx if x is None else diff(x, axis=axis if np.ndim(x) > 1 else -1)
    if x is not None and np.ndim(x) == 1:
        widths = primitives.reshape(widths, [-1 if a == along else 1 for a in range(heights.ndim)])
    front = (slice(None),) * along
    pairs = heights[(*front, slice(1, None))] + heights[(*front, slice(None, -1))]
    return arithmetic.total(widths * pairs / 2.0, along)


@recorded(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """The differences of neighbours among all elements, with more before and after them."""
    x = primitives.reshape(as_array(ary), -1)
    differences = diff(x)
    ends = [
        None if end is None else primitives.astype(primitives.reshape(as_array(end), -1), x.dtype)
        for end in (to_begin, to_end)
    ]
    parts = [part for part in (ends[0], differences, ends[1]) if part is not None]
    return primitives.concatenated(parts, 0)


@recorded(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Array | tuple[Array, ...]:
    """The slope of `f` along each axis, at every point that of the parabola through it and its neighbours.

    Points are 1 apart, or by one distance, or one for each axis, or at the coordinates given for each. At both ends
    the slope is that to the only neighbour, with `edge_order=2` that of the nearest parabola.
    """
    edge_order = whole_number("gradient: edge_order", edge_order, 1, 2)
    x = promotion.as_float(as_array(f))
    named = range(x.ndim) if axis is None else [axis] if isinstance(axis, (int, np.integer)) else axis
    primitives.normalized_axes(axis, x.ndim)  # each of them once
    spacings = list(varargs) or [1.0]
    spacings = spacings * len(named) if len(spacings) == 1 and as_array(spacings[0]).ndim == 0 else spacings
    if len(spacings) != len(named):
        raise OptionError(f"gradient: {len(spacings)} spacings for {len(named)} axes.")
    slopes = tuple(
        _slopes(x, primitives.normalized_axis(n, x.ndim), h, edge_order) for n, h in zip(named, spacings, strict=True)
    )
    return slopes[0] if len(slopes) == 1 else slopes


def _slopes(f: Array, axis: int, spacing: Any, edge_order: int) -> Array:
    rows = primitives.moved_axis(f, axis, 0)
    if len(rows) < edge_order + 1:
        raise ShapeError(f"gradient: {f.node.type} has fewer than {edge_order + 1} elements along axis {axis}.")
    widths = _widths(rows, spacing)
    slopes = diff(rows, axis=0) / widths
    bends = diff(slopes, axis=0) / (widths[1:] + widths[:-1])
    inside = slopes[:-1] + widths[:-1] * bends
    first, last = slopes[:1], slopes[-1:]
    if edge_order == 2:
        first, last = first - widths[:1] * bends[:1], last + widths[-1:] * bends[-1:]
    found = primitives.concatenated([primitives.astype(part, f.dtype) for part in (first, inside, last)], 0)
    return primitives.moved_axis(found, 0, axis)


def _widths(rows: Array, spacing: Any) -> Array:
    """The distances of neighbouring rows."""
    given = promotion.as_float(as_array(spacing))
    shape = (len(rows) - 1, *(1,) * (rows.ndim - 1))
    if given.ndim == 0:
        return primitives.broadcast(given if is_traced(spacing) else primitives.astype(given, rows.dtype), shape)
    if given.shape != rows.shape[:1]:
        raise ShapeError(f"gradient: coordinates {given.node.type} for {len(rows)} elements along their axis.")
    return primitives.reshape(diff(given), shape)


@recorded(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Array:
    """Whole periods added along an axis, so that no step is larger than half of one, or than `discont` if that is more.

    The derivative by `p` is 1, also where a step is exactly half a period.
    """
    x = as_array(p)
    steps = diff(x, axis=axis)
    dtype = promotion.common_dtype([steps, period])
    half = period / 2 if dtype.kind == "f" else period // 2
    turns = ew.floor_divide(steps + half, period)
    upward = (steps > 0) & (steps + half == turns * period) & ((period % 2 == 0) | (dtype.kind == "f"))
    turns = turns - primitives.astype(upward, turns.dtype)
    small = ew.absolute(steps) < (half if discont is None else discont)
    added = ew.where(small, Array(full(0, turns.node.type)), turns) * period
    return primitives.astype(x, dtype) - _from_start(cumsum(added, axis), 0, axis, True)


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
