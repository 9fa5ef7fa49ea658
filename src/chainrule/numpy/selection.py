"""NumPy's functions that choose elements: by a condition, by position, or each value once; for Arrays too.

Where the shape of a result depends on values, these must be known: they are, unless the program is being compiled or
looked at once for many examples. Positions are then plain arrays, and what is chosen passes its derivative on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.checks import one_of
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import has_value
from chainrule.numpy import elementwise as ew
from chainrule.numpy import ordering, shaping
from chainrule.numpy.conditions import KEEP_THE_SHAPE, Positions
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.plain import shown
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import known, offered, recorded

_SORTED = "Keep the shape: np.sort(x), in which equal elements are neighbours."


# by a condition


@recorded(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Array:
    """The slices along an axis (of the flattened array if None) where a vector holds."""
    holds = np.asarray(known("the shape of compress", _plain_or_array(condition), KEEP_THE_SHAPE))
    if holds.ndim != 1:
        raise ShapeError(f"compress needs a vector as its condition, not one of {holds.ndim} axes.")
    x, along = _along(a, axis)
    return arithmetic.taken(x, np.flatnonzero(holds), along)


@recorded(np.extract)
def extract(condition: Any, arr: Any) -> Array:
    """The elements where a condition holds."""
    holds = known("the shape of extract", _plain_or_array(condition), KEEP_THE_SHAPE)
    return primitives.reshape(as_array(arr), -1)[np.flatnonzero(holds)]


def _plain_or_array(x: Any) -> Any:
    return as_array(x) if isinstance(x, list | tuple) else x


def _along(a: Any, axis: int | None) -> tuple[Array, int]:
    """The array and its axis; if None, the flattened one and its only axis."""
    x = as_array(a)
    return (primitives.reshape(x, -1), 0) if axis is None else (x, primitives.normalized_axis(axis, x.ndim))


# by position


@recorded(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Array:
    """The array without slices along an axis (of the flattened array if None): of an integer, several, or a mask."""
    x, along = _along(arr, axis)
    return arithmetic.taken(x, np.delete(np.arange(x.shape[along]), _known_positions("delete", obj)), along)


@recorded(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """The array with values before positions along an axis (of the flattened array if None)."""
    x, along = _along(arr, axis)
    extent = x.shape[along]
    positions = _numbered(_known_positions("insert", obj), extent)
    added = primitives.astype(as_array(values), x.dtype)
    added = primitives.reshape(added, (1,) * (x.ndim - added.ndim) + added.shape)
    added = added if positions.ndim else primitives.moved_axis(added, 0, along)
    count = added.shape[along] if positions.size == 1 else positions.size
    added = primitives.broadcast(added, tuple(count if n == along else e for n, e in enumerate(x.shape)))
    before = positions.item() if positions.size == 1 else positions
    order = np.insert(np.arange(extent), before, np.arange(extent, extent + count))
    return arithmetic.taken(primitives.concatenated([x, added], along), order, along)


def _known_positions(name: str, obj: Any) -> Any:
    return known(name, _plain_or_array(obj), "Pass plain integers, a slice, or a plain mask.")


def _numbered(positions: Any, extent: int) -> Positions:
    """Positions that an integer, several, a slice or a mask names, as integers."""
    if isinstance(positions, slice):
        return np.arange(extent)[positions]
    found = np.asarray(positions)
    return np.flatnonzero(found) if found.dtype == bool else found if found.size else found.astype(np.int64)


@recorded(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Array:
    """The array without the zeros at its front, its back, or both, along all axes unless told."""
    x = as_array(filt)
    values = known("the shape of trim_zeros", x, KEEP_THE_SHAPE)
    positions = np.argwhere(values)
    axes, key = primitives.normalized_axes(axis, x.ndim), [slice(None)] * x.ndim
    for n in axes:
        first, last = (positions[:, n].min(), positions[:, n].max() + 1) if len(positions) else (0, 0)
        key[n] = slice(int(first) if "f" in trim else None, int(last) if "b" in trim else None)
    return x[tuple(key)]


@recorded(np.diag_indices_from)
def diag_indices_from(arr: Any) -> tuple[Positions, ...]:
    """The positions of the diagonal of an array whose axes are equally long."""
    return np.diag_indices_from(np.empty(as_array(arr).shape, bool))


@recorded(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> tuple[Positions, Positions]:
    """The positions of a matrix's lower triangle."""
    return np.tril_indices_from(np.empty(as_array(arr).shape, bool), k)


@recorded(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> tuple[Positions, Positions]:
    """The positions of a matrix's upper triangle."""
    return np.triu_indices_from(np.empty(as_array(arr).shape, bool), k)


@recorded(np.choose)
def choose(a: Any, choices: Any, *, mode: str = "raise") -> Array:
    """At each position the element there of the choice with that number."""
    index = as_array(a)
    shape = promotion.broadcast_shape("choose", index, *choices)
    dtype = promotion.common_dtype([as_array(c) for c in choices])
    stacked = shaping.stack([primitives.broadcast(primitives.astype(as_array(c), dtype), shape) for c in choices])
    index = primitives.broadcast(_bounded("choose", index, len(stacked), mode), shape)
    return ordering.take_along_axis(stacked, primitives.reshape(index, (1, *shape)), 0)[0]


def _bounded(name: str, index: Array, extent: int, mode: str) -> Array:
    """Numbers below an extent: wrapped around, taken to the nearest, or refused, if they are known, unless they are."""
    if mode == "wrap":
        return ew.remainder(index, extent)
    if mode == "clip":
        return ew.clip(index, 0, extent - 1)
    one_of(f"{name}: mode", mode, ("raise", "wrap", "clip"))
    if has_value(index.node) and (((found := shown(index.node)) < 0) | (found >= extent)).any():
        raise OptionError(f"{name}: {found.min()}…{found.max()} are not all among 0…{extent - 1}.")
    return index


@recorded(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Array, ...]:
    """The positions, one array for each axis, of elements that are counted through an array of a shape."""
    extents = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    left = primitives.astype(_bounded("unravel_index", as_array(indices), int(np.prod(extents)), "raise"), np.int64)
    found: dict[int, Array] = {}
    for axis in _from_the_fastest(len(extents), order):
        left, found[axis] = ew.divmod(left, extents[axis])
    return tuple(found[axis] for axis in range(len(extents)))


@recorded(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Array:
    """The numbers, counted through an array of a shape, of elements at positions given for each axis."""
    extents = (dims,) if isinstance(dims, int | np.integer) else tuple(dims)
    modes = [mode] * len(extents) if isinstance(mode, str) else list(mode)
    if len(multi_index) != len(extents):
        raise ShapeError(f"ravel_multi_index: {len(multi_index)} indices for {len(extents)} axes.")
    found: Any = 0
    for axis in reversed(_from_the_fastest(len(extents), order)):
        index = _bounded("ravel_multi_index", as_array(multi_index[axis]), extents[axis], modes[axis])
        found = found * extents[axis] + primitives.astype(index, np.int64)
    return as_array(found)


def _from_the_fastest(rank: int, order: str) -> Sequence[int]:
    one_of("order", order, ("C", "F"))
    return range(rank)[::-1] if order == "C" else range(rank)


# each value once


class UniqueAllResult(NamedTuple):
    """Each value once, where it is first, where it is among all, and how often."""

    values: Array
    indices: Positions
    inverse_indices: Positions
    counts: Positions


class UniqueCountsResult(NamedTuple):
    """Each value once, and how often."""

    values: Array
    counts: Positions


class UniqueInverseResult(NamedTuple):
    """Each value once, and where it is among all."""

    values: Array
    inverse_indices: Positions


@recorded(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, sorted: bool = True,
) -> Any:  # fmt: skip
    """Each value once, in order; its derivative goes to where it is first. With plain positions and counts."""
    x, along = _along(ar, axis)
    plain: Any = known("the shape of unique", x, _SORTED)
    options: Any = {"return_inverse": return_inverse, "return_counts": return_counts, "equal_nan": equal_nan}
    _, first, *others = np.unique(plain, return_index=True, axis=axis, **options)
    if return_inverse and axis is None:
        others[0] = others[0].reshape(as_array(ar).shape)
    found = arithmetic.taken(x, first, along)
    more = [first] * return_index + others
    return (found, *more) if more else found


@recorded(np.unique_values)
def unique_values(x: Any) -> Array:
    """Each value once, in order; its derivative goes to where it is first."""
    return unique_counts(x).values


@recorded(np.unique_all)
def unique_all(x: Any) -> UniqueAllResult:
    """Each value once, where it is first, where it is among all, and how often."""
    return UniqueAllResult(*unique(x, True, True, True, equal_nan=False))


@recorded(np.unique_counts)
def unique_counts(x: Any) -> UniqueCountsResult:
    """Each value once, and how often."""
    return UniqueCountsResult(*unique(x, return_counts=True, equal_nan=False))


@recorded(np.unique_inverse)
def unique_inverse(x: Any) -> UniqueInverseResult:
    """Each value once, and where it is among all."""
    return UniqueInverseResult(*unique(x, return_inverse=True, equal_nan=False))


@recorded(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Array:
    """Whether each element is among others. No derivative."""
    x, others = promotion.promoted_dtype(element, test_elements)
    same = primitives.reshape(x, (*x.shape, 1)) == primitives.reshape(others, -1)
    found = primitives.reduced(ops.SUM, same, -1, False)
    return ew.logical_not(found) if invert else found


@recorded(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Array:
    """Each value of both once, in order."""
    values: Array = unique(shaping.concatenate([ar1, ar2], None))
    return values


@recorded(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Array:
    """The values of the first that the second has not."""
    x = primitives.reshape(as_array(ar1), -1) if assume_unique else unique(as_array(ar1))
    return extract(isin(x, ar2, invert=True), x)


@recorded(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Array:
    """The values that only one of both has."""
    parts = [primitives.reshape(x, -1) if assume_unique else unique(x) for x in map(as_array, (ar1, ar2))]
    found, counts = unique(shaping.concatenate(parts), return_counts=True)
    return extract(counts == 1, found)


@recorded(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The values that both have; their derivatives go to the first."""
    x, y = (primitives.reshape(a, -1) for a in promotion.promoted_dtype(ar1, ar2))
    first, second = (known("the shape of intersect1d", a, _SORTED) for a in (x, y))
    _, *positions = np.intersect1d(first, second, assume_unique=assume_unique, return_indices=True)
    found = x[positions[0]]
    return (found, *positions) if return_indices else found


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
