"""NumPy's functions that move elements without changing them, for Arrays as for plain arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.checks import one_of
from chainrule.errors import ShapeError
from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.graph.types import Type
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction, known, offered, recorded


def _in_rows(name: str, order: Any) -> bool:
    """Whether elements are counted along rows, as they lie, or along columns."""
    if order is not None:
        one_of(f"{name}: order", order, ("C", "F", "A", "K"))
    return bool(order != "F")


@recorded(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Array:
    """The same elements in another shape; one extent may be −1."""
    if _in_rows("reshape", order):
        return primitives.reshape(as_array(a), shape)
    extents = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    return primitives.transpose(primitives.reshape(primitives.transpose(as_array(a)), extents[::-1]))


@recorded(np.ravel)
def ravel(a: Any, order: str = "C") -> Array:
    """All elements along one axis."""
    return primitives.reshape(as_array(a) if _in_rows("ravel", order) else primitives.transpose(as_array(a)), -1)


@recorded(np.transpose)
def transpose(a: Any, axes: Any = None) -> Array:
    """The axes in another order, reversed unless told."""
    return primitives.transpose(as_array(a), axes)


permute_dims = transpose


@recorded(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Array:
    """The last two axes exchanged."""
    x = as_array(x)
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose needs matrices, not {x.node.type}.")
    return swapaxes(x, -1, -2)


@recorded(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """Two axes exchanged."""
    x = as_array(a)
    order = list(range(x.ndim))
    one, other = primitives.normalized_axis(axis1, x.ndim), primitives.normalized_axis(axis2, x.ndim)
    order[one], order[other] = other, one
    return primitives.transpose(x, order)


@recorded(np.moveaxis)
def moveaxis(a: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    """Axes moved to other positions, the others left in their order."""
    x = as_array(a)
    moved, positions = (_listed(x, axes) for axes in (source, destination))
    if len(moved) != len(positions):
        raise ShapeError(f"moveaxis: {source} and {destination} are not as many axes.")
    order = [n for n in range(x.ndim) if n not in moved]
    for position, axis in sorted(zip(positions, moved, strict=True)):
        order.insert(position, axis)
    return primitives.transpose(x, order)


@recorded(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """One axis moved before another."""
    x = as_array(a)
    position = start + x.ndim if start < 0 else start
    if not 0 <= position <= x.ndim:
        raise ShapeError(f"rollaxis: there is no position {start} among the axes of {x.node.type}.")
    moved = primitives.normalized_axis(axis, x.ndim)
    return primitives.moved_axis(x, moved, position - (moved < position))


def _listed(x: Array, axes: int | Sequence[int]) -> list[int]:
    given = [axes] if isinstance(axes, int | np.integer) else list(axes)
    primitives.normalized_axes(axes, x.ndim)  # each of them once
    return [primitives.normalized_axis(n, x.ndim) for n in given]


@recorded(np.expand_dims)
def expand_dims(a: Any, axis: int | Sequence[int]) -> Array:
    """New axes of size one, at these positions of the result."""
    x = as_array(a)
    rank = x.ndim + (1 if isinstance(axis, (int, np.integer)) else len(axis))
    new = primitives.normalized_axes(axis, rank)
    extents = iter(x.shape)
    return primitives.reshape(x, [1 if n in new else next(extents) for n in range(rank)])


@recorded(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Array:
    """Without the axes of size one, or without the given ones."""
    x = as_array(a)
    ones = [n for n, extent in enumerate(x.shape) if extent == 1]
    gone = ones if axis is None else primitives.normalized_axes(axis, x.ndim)
    if not set(gone) <= set(ones):
        raise ShapeError(f"squeeze: axis {axis} of {x.node.type} is not of size one.")
    return primitives.reshape(x, [n for position, n in enumerate(x.shape) if position not in gone])


# repeating


@recorded(np.broadcast_to)
def broadcast_to(array: Any, shape: Any) -> Array:
    """Repeated along new and size-one axes to the given shape."""
    return primitives.broadcast(as_array(array), (shape,) if isinstance(shape, int) else tuple(shape))


@recorded(np.broadcast_arrays)
def broadcast_arrays(*args: Any) -> tuple[Array, ...]:
    """All of them in the shape that they are broadcast to."""
    shape = promotion.broadcast_shape("broadcast_arrays", *args)
    return tuple(primitives.broadcast(as_array(x), shape) for x in args)


@recorded(np.tile)
def tile(A: Any, reps: int | Sequence[int]) -> Array:  # noqa: N803 - NumPy's name
    """The array so many times along each axis, the last ones if there are fewer numbers than axes."""
    x = as_array(A)
    times = [reps] if isinstance(reps, int | np.integer) else list(reps)
    rank = max(x.ndim, len(times))
    times = [1] * (rank - len(times)) + [int(n) for n in times]
    extents = (1,) * (rank - x.ndim) + x.shape
    apart = primitives.reshape(x, [n for extent in extents for n in (1, extent)])
    wide = primitives.broadcast(apart, tuple(n for pair in zip(times, extents, strict=True) for n in pair))
    return primitives.reshape(wide, [n * extent for n, extent in zip(times, extents, strict=True)])


@recorded(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Array:
    """Each element so many times; the numbers must be known, as the shape depends on them."""
    x = as_array(a) if axis is not None else primitives.reshape(as_array(a), -1)
    along, counts = primitives.normalized_axis(axis or 0, x.ndim), np.asarray(known("repeat", repeats))
    if counts.size != 1:
        return arithmetic.taken(x, np.repeat(np.arange(x.shape[along]), counts), along)
    times, extent = int(counts.reshape(())), x.shape[along]
    apart = primitives.reshape(x, [*x.shape[:along], extent, 1, *x.shape[along + 1 :]])
    wide = primitives.broadcast(apart, (*x.shape[:along], extent, times, *x.shape[along + 1 :]))
    return primitives.reshape(wide, [*x.shape[:along], extent * times, *x.shape[along + 1 :]])


@recorded(np.resize)
def resize(a: Any, new_shape: Any) -> Array:
    """As many of the elements as the shape takes, from the beginning again where they end."""
    x = primitives.reshape(as_array(a), -1)
    extents = (new_shape,) if isinstance(new_shape, int | np.integer) else tuple(new_shape)
    if not x.size:
        return Array(full(0, x.node.type.with_shape(extents)))
    return primitives.reshape(arithmetic.taken(x, np.arange(math.prod(extents)) % x.size, 0), extents)


# joining and splitting


def _parts(arrays: Any, dtype: Any) -> list[Array]:
    parts = [as_array(a) for a in arrays]
    if not parts:
        raise ShapeError("there must be at least one array to join.")
    wanted = promotion.common_dtype(parts) if dtype is None else dtype
    return [primitives.astype(p, wanted) for p in parts]


@recorded(np.concatenate)
def concatenate(arrays: Sequence[Any], /, axis: int | None = 0, *, dtype: Any = None) -> Array:
    """The arrays one after the other along an existing axis; flattened ones if it is None."""
    parts = _parts(arrays, dtype)
    if axis is None:
        return primitives.concatenated([primitives.reshape(p, -1) for p in parts], 0)
    return primitives.concatenated(parts, primitives.normalized_axis(axis, parts[0].ndim))


concat = concatenate


@recorded(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0, *, dtype: Any = None) -> Array:
    """The arrays side by side along a new axis."""
    parts = _parts(arrays, dtype)
    if len({part.shape for part in parts}) > 1:
        raise ShapeError(f"stack needs arrays of one shape, not {' and '.join(str(p.node.type) for p in parts)}.")
    return concatenate([expand_dims(p, axis) for p in parts], axis)


@recorded(np.hstack)
def hstack(tup: Sequence[Any], *, dtype: Any = None) -> Array:
    """The arrays one after the other along the second axis; along the only one if they have one."""
    parts = [atleast_1d(p) for p in _parts(tup, dtype)]
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1)


@recorded(np.vstack)
def vstack(tup: Sequence[Any], *, dtype: Any = None) -> Array:
    """The arrays one below the other, vectors as rows."""
    return concatenate([atleast_2d(p) for p in _parts(tup, dtype)], 0)


row_stack = vstack


@recorded(np.dstack)
def dstack(tup: Sequence[Any]) -> Array:
    """The arrays one behind the other, along the third axis."""
    return concatenate([atleast_3d(p) for p in _parts(tup, None)], 2)


@recorded(np.column_stack)
def column_stack(tup: Sequence[Any]) -> Array:
    """The arrays side by side, vectors as columns."""
    parts = _parts(tup, None)
    return concatenate([p if p.ndim > 1 else primitives.reshape(p, (-1, 1)) for p in parts], 1)


@recorded(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """The values after the array along an axis; both flattened if it is None."""
    return concatenate([arr, values], axis)


@recorded(np.block)
def block(arrays: Any) -> Array:
    """The array of blocks: the innermost lists join along the last axis, those around them along the one before."""
    depth = _nesting(arrays)

    def joined(part: Any, level: int) -> Array:
        if not isinstance(part, list):
            found = as_array(part)
            return primitives.reshape(found, (1,) * (depth - found.ndim) + found.shape)
        return concatenate([joined(p, level + 1) for p in part], level - depth)

    return joined(arrays, 0)


def _nesting(arrays: Any) -> int:
    return 1 + max(map(_nesting, arrays), default=0) if isinstance(arrays, list) else 0


@recorded(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts along an axis: as many, nearly alike, or between these positions."""
    x = as_array(ary)
    along = primitives.normalized_axis(axis, x.ndim)
    parts = np.array_split(np.arange(x.shape[along]), known("array_split", indices_or_sections))
    front = (slice(None),) * along
    starts = [slice(int(p[0]), int(p[-1]) + 1) if p.size else slice(0, 0) for p in parts]
    return [x[(*front, start)] for start in starts]


@recorded(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts along an axis: as many, all alike, or between these positions."""
    x, sections = as_array(ary), known("split", indices_or_sections)
    extent = x.shape[primitives.normalized_axis(axis, x.ndim)]
    if np.ndim(sections) == 0 and extent % operator.index(sections):
        raise ShapeError(f"split: {extent} elements are not {sections} equal parts.", cure="np.array_split")
    return array_split(x, sections, axis)


@recorded(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """Parts along the second axis; along the only one of a vector."""
    return split(ary, indices_or_sections, 1 if as_array(ary).ndim > 1 else 0)


@recorded(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """Parts along the first axis."""
    return split(ary, indices_or_sections, 0)


@recorded(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """Parts along the third axis."""
    return split(ary, indices_or_sections, 2)


@recorded(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices along an axis."""
    return tuple(moveaxis(as_array(x), axis, 0))


@recorded(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """With one axis, if it has none."""
    return _each(lambda x: x if x.ndim else primitives.reshape(x, (1,)), arys)


@recorded(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """With two axes, if it has fewer: vectors are rows."""
    return _each(lambda x: x if x.ndim > 1 else primitives.reshape(x, (1, -1)), arys)


@recorded(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """With three axes, if it has fewer: vectors lie along the second, matrices along the first two."""
    return _each(_three_axes, arys)


def _three_axes(x: Array) -> Array:
    return x if x.ndim > 2 else primitives.reshape(x, (1, -1, 1) if x.ndim < 2 else (*x.shape, 1))


def _each(function: AnyFunction, arrays: Sequence[Any]) -> Any:
    found = tuple(function(as_array(x)) for x in arrays)
    return found[0] if len(found) == 1 else found


@recorded(np.apply_along_axis)
def apply_along_axis(func1d: AnyFunction, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Array:
    """The results of a function of vectors, for every vector along an axis, in place of which they come.

    The function is called for each, as in NumPy; `cr.vmap` calls it once.
    """
    x = as_array(arr)
    along = primitives.normalized_axis(axis, x.ndim)
    others = tuple(n for a, n in enumerate(x.shape) if a != along)
    rows = primitives.reshape(primitives.moved_axis(x, along, x.ndim - 1), (math.prod(others), x.shape[along]))
    if not len(rows):
        raise ShapeError(f"apply_along_axis: {x.node.type} has no vectors along axis {axis}.")
    found = stack([as_array(func1d(row, *args, **kwargs)) for row in rows])
    spread = primitives.reshape(found, (*others, *found.shape[1:]))
    order = list(range(len(others)))
    order[along:along] = range(len(others), spread.ndim)
    return primitives.transpose(spread, order)


@recorded(np.apply_over_axes)
def apply_over_axes(func: AnyFunction, a: Any, axes: int | Sequence[int]) -> Array:
    """What a function of an array and an axis makes of one axis after the other, which it may leave out."""
    x = as_array(a)
    for axis in [axes] if isinstance(axes, int | np.integer) else axes:
        found = as_array(func(x, primitives.normalized_axis(axis, x.ndim)))
        x = found if found.ndim == x.ndim else expand_dims(found, axis)
    return x


# turning


@recorded(np.flip)
def flip(m: Any, axis: Any = None) -> Array:
    """The elements in reverse order along axes, all unless told."""
    x = as_array(m)
    axes = primitives.normalized_axes(axis, x.ndim)
    return x[tuple(slice(None, None, -1) if n in axes else slice(None) for n in range(x.ndim))]


@recorded(np.fliplr)
def fliplr(m: Any) -> Array:
    """The elements in reverse order along the second axis."""
    return flip(m, 1)


@recorded(np.flipud)
def flipud(m: Any) -> Array:
    """The elements in reverse order along the first axis."""
    return flip(m, 0)


@recorded(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """Turned by `k` right angles, from the first of the axes toward the second."""
    x = as_array(m)
    first, second = (primitives.normalized_axis(a, x.ndim) for a in axes)
    if k % 4 == 2:
        return flip(x, (first, second))
    if k % 4 == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second) if k % 4 else x


@recorded(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Array:
    """The elements moved so many steps along axes, those that leave coming in at the other end."""
    x = as_array(a)
    if axis is None:
        return primitives.reshape(_rolled(primitives.reshape(x, -1), shift, 0), x.shape)
    axes, shifts = np.broadcast_arrays(axis, shift) if not isinstance(shift, Array) else ([axis], [shift])
    for n, steps in zip(np.ravel(axes), np.ravel(shifts) if not isinstance(shift, Array) else shifts, strict=True):
        x = _rolled(x, steps, primitives.normalized_axis(int(n), x.ndim))
    return x


def _rolled(x: Array, shift: Any, axis: int) -> Array:
    extent = x.shape[axis]
    if isinstance(shift, Array):
        return arithmetic.taken(x, (np.arange(extent) - shift) % extent, axis)
    start = extent - int(shift) % extent if extent else 0
    front = (slice(None),) * axis
    return primitives.concatenated([x[(*front, slice(start, None))], x[(*front, slice(None, start))]], axis)


# padding


@recorded(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Array:
    """More elements before and after each axis: one value, or those of the array at its edge (`edge`), mirrored there
    (`reflect`, `symmetric`), or from the other end (`wrap`)."""
    x = as_array(array)
    widths = _widths(x, pad_width)
    if mode == "constant":
        return _padded(x, widths, constant_values)
    one_of("pad of a traced array: mode", mode, ("constant", "edge", "reflect", "symmetric", "wrap"))
    for axis, (low, high) in enumerate(widths):
        if low or high:
            x = arithmetic.taken(x, np.pad(np.arange(x.shape[axis]), (low, high), mode), axis)  # type: ignore[call-overload]
    return x


def _widths(x: Array, pad_width: Any) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        pairs: list[Any] = [pad_width.get(n, pad_width.get(n - x.ndim, (0, 0))) for n in range(x.ndim)]
        pad_width = [(pair, pair) if np.ndim(pair) == 0 else pair for pair in pairs] or 0
    widths = np.broadcast_to(np.asarray(pad_width, dtype=int), (x.ndim, 2))
    return [(int(low), int(high)) for low, high in widths]


def _padded(x: Array, widths: Sequence[tuple[int, int]], values: Any) -> Array:
    low, high = (tuple(pair[n] for pair in widths) for n in (0, 1))
    if not isinstance(values, Array) and not np.any(values):
        return apply(ops.PAD, x.node, attributes=(low, high, (0,) * x.ndim))
    wanted = primitives.broadcast(primitives.astype(as_array(values), x.dtype), (x.ndim, 2))
    for axis, pair in enumerate(widths):
        shapes = [tuple(n if a == axis else m for a, m in enumerate(x.shape)) for n in pair]
        sides = [primitives.broadcast(wanted[axis, n], shape) for n, shape in enumerate(shapes)]
        x = primitives.concatenated([sides[0], x, sides[1]], axis)
    return x


# triangles and diagonals


def _triangle(m: Any, k: int, lower: bool) -> Array:
    x = as_array(m)
    x = x if x.ndim > 1 else primitives.broadcast(x, (x.size, x.size))
    rows, columns = (_positions_along(x, x.ndim - n) for n in (2, 1))
    inside = columns <= rows + k if lower else columns >= rows + k
    return apply(ops.SELECT, inside.node, x.node, full(0, x.node.type))


def _positions_along(x: Array, axis: int) -> Array:
    return apply(ops.IOTA, attributes=(axis, Type(x.shape, np.dtype(np.int64))))


@recorded(np.tril)
def tril(m: Any, k: int = 0) -> Array:
    """Zeros above the diagonal number `k`."""
    return _triangle(m, k, lower=True)


@recorded(np.triu)
def triu(m: Any, k: int = 0) -> Array:
    """Zeros below the diagonal number `k`."""
    return _triangle(m, k, lower=False)


@recorded(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """A diagonal of two axes, as the last axis."""
    return primitives.diagonal(as_array(a), offset, axis1, axis2)


@recorded(np.diag)
def diag(v: Any, k: int = 0) -> Array:
    """A matrix's diagonal number `k`, or the matrix with a vector for it."""
    x = as_array(v)
    if x.ndim not in (1, 2):
        raise ShapeError(f"diag needs a vector or a matrix, not {x.node.type}.")
    return diagflat(x, k) if x.ndim == 1 else primitives.diagonal(x, k, 0, 1)


@recorded(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Array:
    """The matrix with these elements on its diagonal number `k`."""
    x = primitives.reshape(as_array(v), -1)
    size = x.size + abs(k)
    first = k if k >= 0 else -k * size
    last = size * size - first - (x.size - 1) * (size + 1) - 1
    if not x.size:
        return Array(full(0, x.node.type.with_shape((size, size))))
    return primitives.reshape(apply(ops.PAD, x.node, attributes=((first,), (last,), (size,))), (size, size))


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
