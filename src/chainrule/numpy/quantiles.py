"""NumPy's functions of what lies in the middle, or elsewhere in order, for Arrays as for plain arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.checks import one_of
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import ops
from chainrule.numpy import elementwise as ew
from chainrule.numpy.ordering import sort, take_along_axis
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction, constant, offered, recorded


@recorded(np.median)
def median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The middle element in order over axes, or the mean of the two."""
    return quantile(a, 0.5, axis, keepdims=keepdims)


@recorded(np.percentile)
def percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The element that so many hundredths lie below, in order over axes, by any of NumPy's methods."""
    return quantile(a, constant("percentile's q", q) / np.float64(100), axis, method=method, keepdims=keepdims)


@recorded(np.quantile)
def quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The element that such a share lie below, in order over axes, by any of NumPy's methods.

    Its derivative goes to the element, or to the two that it lies between; by `q` it has none.
    """
    return _quantile(_of_all, a, q, axis, method, keepdims)


VirtualIndex = Callable[[Any, Any], Any]  # of n elements and a share, as NumPy calls it


def _between_ranks(alpha: float, beta: float) -> VirtualIndex:
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


def _averaged(position: Any) -> Any:
    """The next element, and between two where one is met."""
    return ew.where(position == ew.floor(position), position + 0.5, ew.ceil(position))


def _nearest_odd(position: Any) -> Any:
    """The next element, and the one that is met where its number is odd."""
    whole = ew.floor(position)
    return ew.where((position == whole) & (ew.remainder(whole, 2) == 1), whole, whole + 1)


#: The position in order, from 0 on, of a share q of n elements: the element there, or what lies between its neighbours.
_METHODS: Mapping[str, VirtualIndex] = MappingProxyType(
    {
        "inverted_cdf": lambda n, q: ew.ceil(n * q - 1),
        "averaged_inverted_cdf": lambda n, q: _averaged(n * q - 1),
        "closest_observation": lambda n, q: _nearest_odd(n * q - 1.5),
        "interpolated_inverted_cdf": _between_ranks(0, 1),
        "hazen": _between_ranks(0.5, 0.5),
        "weibull": _between_ranks(0, 0),
        "linear": lambda n, q: (n - 1) * q,
        "median_unbiased": _between_ranks(1 / 3, 1 / 3),
        "normal_unbiased": _between_ranks(3 / 8, 3 / 8),
        "lower": lambda n, q: ew.floor((n - 1) * q),
        "higher": lambda n, q: ew.ceil((n - 1) * q),
        "midpoint": lambda n, q: 0.5 * (ew.floor((n - 1) * q) + ew.ceil((n - 1) * q)),
        "nearest": lambda n, q: ew.rint((n - 1) * q),
    }
)
#: Those that give elements, of whatever type.
_OF_ELEMENTS = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")


def _quantile(between: AnyFunction, a: Any, q: Any, axis: Any, method: str, keepdims: bool) -> Array:
    index = _METHODS[one_of("method", method, _METHODS)]
    x, shares = as_array(a), np.asarray(constant("quantile's q", q), np.float64)
    x = x if method in _OF_ELEMENTS else promotion.as_float(x)
    exact = method in _OF_ELEMENTS or isinstance(q, float | int)  # otherwise q has a dtype of its own
    dtype = x.dtype if exact else np.result_type(x.dtype, np.asarray(q).dtype)
    if shares.size and (shares.min() < 0 or shares.max() > 1):
        raise OptionError(f"quantiles lie between 0 and 1, not {shares}.")
    axes = primitives.normalized_axes(axis, x.ndim)
    kept = [n for n in range(x.ndim) if n not in axes]
    rows = primitives.reshape(primitives.transpose(x, (*axes, *kept)), (-1, *(x.shape[n] for n in kept)))
    if not len(rows):
        raise ShapeError("a quantile of no elements is not defined.")
    found = between(rows, shares, index, dtype)
    extents = (
        [1 if n in axes else extent for n, extent in enumerate(x.shape)] if keepdims else found.shape[shares.ndim :]
    )
    return primitives.reshape(found, (*shares.shape, *extents))


def _of_all(rows: Array, shares: np.ndarray[Any, Any], index: VirtualIndex, dtype: Any) -> Array:
    """The rows at these shares of the way from the first to the last; nan where there is one."""
    positions = np.clip(index(len(rows), shares), 0, len(rows) - 1)
    lower = np.floor(positions).astype(np.int64)
    upper = np.minimum(lower + 1, len(rows) - 1)
    ordered = sort(rows, 0)
    found = arithmetic.taken(ordered, lower, 0)
    if not rows.node.type.is_float:
        return found
    weight = primitives.astype(as_array((positions - lower).reshape(shares.shape + (1,) * (rows.ndim - 1))), dtype)
    found = _between(found, arithmetic.taken(ordered, upper, 0), weight)
    return ew.where(primitives.reduced(ops.SUM, ew.isnan(rows), 0, False), math.nan, found)


def _of_numbers(rows: Array, shares: np.ndarray[Any, Any], index: VirtualIndex, dtype: Any) -> Array:
    """The same among what is a number, which in order comes before what is not."""
    if not rows.node.type.is_float:
        return _of_all(rows, shares, index, dtype)
    count = primitives.astype(arithmetic.total(~ew.isnan(rows), 0, True), np.float64)
    last = ew.maximum(count - 1, 0.0)
    positions = index(count, as_array(shares.reshape((-1,) + (1,) * (rows.ndim - 1))))
    positions = primitives.broadcast(ew.clip(positions, 0.0, last), (shares.size, *rows.shape[1:]))
    lower = ew.floor(positions)
    ordered = sort(rows, 0)
    first, second = (
        take_along_axis(ordered, primitives.astype(index, np.int64), 0)
        for index in (lower, ew.minimum(lower + 1, last))
    )
    found = _between(first, second, primitives.astype(positions - lower, dtype))
    return primitives.reshape(found, shares.shape + rows.shape[1:])


def _between(first: Array, last: Array, weight: Array) -> Array:
    """What lies on the lines from the first to the last ones."""
    below, above = first + (last - first) * weight, last - (last - first) * (1 - weight)
    return ew.where(first == last, first, ew.where(weight >= 0.5, above, below))


@recorded(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The middle number in order over axes, or the mean of the two."""
    return nanquantile(a, 0.5, axis, keepdims=keepdims)


@recorded(np.nanpercentile)
def nanpercentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The number that so many hundredths of the numbers lie below, in order over axes, by any of NumPy's methods."""
    return nanquantile(a, constant("nanpercentile's q", q) / np.float64(100), axis, method=method, keepdims=keepdims)


@recorded(np.nanquantile)
def nanquantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The number that such a share of the numbers lie below, in order over axes, by any of NumPy's methods.

    nan where there is no number.
    """
    return _quantile(_of_numbers, a, q, axis, method, keepdims)


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
