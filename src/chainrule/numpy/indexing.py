"""Indexing as NumPy's: `x[key]` for integers, slices, `...`, None, and integer and boolean arrays, in any mixture.

Slices and integers are a `slice`; arrays are brought to one linear index into rows, which `gather` looks up. A change
`x.at[key].add(v)` adds to the flattened array where `x[key]` would read.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import has_value, value
from chainrule.graph.node import full
from chainrule.graph.types import Type
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.plain import shown
from chainrule.trace.primitives import apply, astype, broadcast, reshape, transpose
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import is_traced

__all__ = ["Changes", "at", "indexed"]

_WHOLE = slice(None)


@dataclass(frozen=True, slots=True)
class _AdvancedIndex:
    """A part of a key that names elements of an axis by number: of the next one, or of a new one of size one."""

    index: Array
    on_new_axis: bool = False


def indexed(x: Array, key: Any) -> Array:
    """`x[key]`: first the slices and new axes, as a view; then what arrays look up, each along one axis of that."""
    parts = [_part(k) for k in (key if isinstance(key, tuple) else (key,))]
    if not any(isinstance(k, (Array, np.ndarray)) for k in parts):
        return _basic(x, _filled(x, parts))
    parts = [k for n in range(len(parts)) for k in _as_lookups(x, parts, n)]
    are_adjacent = _are_adjacent([isinstance(k, _AdvancedIndex) for k in parts])
    parts = _filled(x, parts)  # each is now one axis of the view
    view = _basic(x, [_in_view(k) for k in parts])
    lookups = {axis: k.index for axis, k in enumerate(parts) if isinstance(k, _AdvancedIndex)}
    return _looked_up(view, lookups, min(lookups) if are_adjacent else 0)


def _in_view(part: Any) -> Any:
    if isinstance(part, _AdvancedIndex):
        return None if part.on_new_axis else _WHOLE
    return part


def _are_adjacent(flags: Sequence[bool]) -> bool:
    """Whether those that hold stand side by side."""
    first, last = flags.index(True), len(flags) - 1 - flags[::-1].index(True)
    return all(flags[first:last])


def _part(k: Any) -> Any:
    """A part of a key as an integer, a slice, `...`, None, an array, or an Array whose value is not known."""
    if k is None or k is Ellipsis:
        return k
    if isinstance(k, slice):
        return slice(*(None if part is None else operator.index(part) for part in (k.start, k.stop, k.step)))
    if isinstance(k, (bool, np.bool_)):
        return np.asarray(k)
    if isinstance(k, (list, tuple)):
        array = as_array(k)
        k = astype(array, np.int64) if not array.size else array
    if isinstance(k, Array):
        if k.dtype.kind == "b" and not has_value(k.node):
            raise ShapeError("a boolean index has a shape that depends on values.", cure="Use np.where(mask, x, 0).")
        if k.ndim == 0 and k.dtype.kind != "b" and has_value(k.node):
            return _integer(value(k.node))
        return value(k.node) if k.dtype.kind == "b" else k
    return _integer(k) if np.ndim(k) == 0 and getattr(k, "dtype", None) != np.dtype(bool) else k


def _integer(k: Any) -> int:
    try:
        return operator.index(k)
    except TypeError:
        raise DTypeError(f"an index must be an integer, not {k!r}.") from None


def _as_lookups(x: Array, parts: Sequence[Any], position: int) -> list[Any]:
    """A part of a key among arrays: of a mask, one lookup for each of its axes; of a single truth, on a new axis."""
    k = parts[position]
    if k is None or k is Ellipsis or isinstance(k, slice):
        return [k]
    if not isinstance(k, np.ndarray) or k.dtype.kind != "b":
        return [_AdvancedIndex(_as_index(k))]
    if k.ndim == 0:
        return [_AdvancedIndex(as_array(np.zeros(int(k), np.int64)), on_new_axis=True)]
    _check_mask(x, parts, position, k)
    return [_AdvancedIndex(as_array(index)) for index in np.nonzero(k)]


def _as_index(k: Any) -> Array:
    index = as_array(k)
    if index.dtype.kind not in "iu":
        raise DTypeError(f"an index must be an integer, not {index.node.type}.")
    return index


def _check_mask(x: Array, parts: Sequence[Any], position: int, mask: np.ndarray[Any, Any]) -> None:
    """IndexError unless the mask has the shape of the axes that it stands for."""
    before = parts[:position]
    if any(k is Ellipsis for k in before):
        start = x.ndim - sum(map(_width, parts[position:]))
    else:
        start = sum(map(_width, before))
    if x.shape[start : start + mask.ndim] != mask.shape:
        raise IndexError(f"a mask of shape {mask.shape} does not fit axis {start} and on of {x.node.type}")


def _width(k: Any) -> int:
    """How many axes of the indexed array a part of a key stands for."""
    if k is None or k is Ellipsis:
        return 0
    if isinstance(k, _AdvancedIndex):
        return 0 if k.on_new_axis else 1
    return k.ndim if isinstance(k, np.ndarray) and k.dtype.kind == "b" else 1


def _filled(x: Array, parts: Sequence[Any]) -> list[Any]:
    """The key with whole slices in place of `...` and of what it leaves out."""
    used = sum(map(_width, parts))
    if used > x.ndim:
        raise IndexError(f"{used} indices for an array of {x.ndim} axes")
    dots = [n for n, k in enumerate(parts) if k is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can have only a single ellipsis ('...')")
    position = dots[0] if dots else len(parts)
    return [*parts[:position], *([_WHOLE] * (x.ndim - used)), *parts[position + 1 :]]


def _basic(x: Array, keys: Sequence[Any]) -> Array:
    """Integers, slices and new axes."""
    indices = (k for k in keys if k is not None)
    ranges = [_range(x, axis, k) for axis, k in enumerate(indices)]
    spans = [r if isinstance(r, range) else range(r, r + 1) for r in ranges]
    start = tuple(r.start if len(r) else 0 for r in spans)
    size, step = tuple(len(r) for r in spans), tuple(r.step for r in spans)
    whole = size == x.shape and all(s == 1 for s in step)
    taken = x if whole else apply(ops.SLICE, x.node, attributes=(start, size, step))
    kept = iter(ranges)
    shape = [1 if k is None else _extent(next(kept)) for k in keys]
    return reshape(taken, [n for n in shape if n is not None])


def _range(x: Array, axis: int, key: int | slice) -> range | int:
    extent = x.shape[axis]
    if isinstance(key, int) and not -extent <= key < extent:
        raise IndexError(f"index {key} is outside axis {axis} of {x.node.type}, which has {extent} elements")
    return range(extent)[key]


def _extent(taken: range | int) -> int | None:
    return len(taken) if isinstance(taken, range) else None


# arrays


def _looked_up(x: Array, lookups: Mapping[int, Array], first: int) -> Array:
    """The elements that the arrays name together along these axes; in the result their axes stand from `first` on."""
    shape = promotion.broadcast_shape("an index", *lookups.values())
    others = [n for n in range(x.ndim) if n not in lookups]
    rows = transpose(x, (*lookups, *others))
    found = _rows(rows, [broadcast(index, shape) for index in lookups.values()])
    width = len(shape)
    order = [*range(width, width + first), *range(width), *range(width + first, found.ndim)]
    return transpose(found, order)


def _rows(x: Array, indices: Sequence[Array]) -> Array:
    """`x[i₁, i₂, …]` for the first axes of `x`."""
    extents = x.shape[: len(indices)]
    if len(indices) == 1:
        return apply(ops.GATHER, x.node, _inside(indices[0], extents[0]).node)
    linear: Any = 0
    for index, extent in zip(indices, extents, strict=True):
        linear = linear * extent + astype(_clipped(_inside(index, extent), extent), np.int64)
    flat = reshape(x, (math.prod(extents), *x.shape[len(indices) :]))
    return apply(ops.GATHER, flat.node, linear.node)


def _inside(index: Array, extent: int) -> Array:
    """The index, negative ones counted from the end; IndexError if it is known to be outside."""
    if not has_value(index.node):
        return _from_end(index, extent)
    positions = value(index.node)
    if positions.size and (positions.min() < -extent or positions.max() >= extent):
        raise IndexError(f"index {positions.min()}…{positions.max()} is outside an axis of {extent} elements")
    if promotion.may_change(index):
        return _from_end(index, extent)
    if positions.size and positions.min() < 0:
        return as_array(np.where(positions < 0, positions + extent, positions).astype(positions.dtype))
    return index


def _from_end(index: Array, extent: int) -> Array:
    if index.dtype.kind == "u":
        return index
    wide = index if extent <= np.iinfo(index.dtype).max else astype(index, np.int64)
    counted = wide + Array(full(extent, wide.node.type))
    negative = apply(ops.LESS, wide.node, full(0, wide.node.type))
    return apply(ops.SELECT, negative.node, counted.node, wide.node)


def _clipped(index: Array, extent: int) -> Array:
    """An index that is not known, taken to the nearest edge of its axis: alone a lookup does so itself."""
    if has_value(index.node) and not promotion.may_change(index):
        return index
    above = apply(ops.MAXIMUM, index.node, full(0, index.node.type))
    last = min(max(extent - 1, 0), int(np.iinfo(index.dtype).max))
    return apply(ops.MINIMUM, above.node, full(last, index.node.type))


# changes


def at(x: Any) -> Changes:
    """Changed copies of an array, plain or traced: `at(x)[key].set(v)`, as `x.at[key].set(v)` of a traced one.

    >>> from chainrule import numpy as np
    >>> np.at(np.zeros(4))[1:3].add(2.0)
    array([0., 2., 2., 0.])
    """
    return Changes(as_array(x), is_plain=not isinstance(x, Array))


@dataclass(frozen=True, slots=True)
class Changes:
    """Copies of an array that differ from it in some elements: `x.at[key].add(v)` and the like. `x` stays as it is.

    Where a key names an element several times, every `add`, `multiply`, `min` and `max` counts, and of `set` the last.
    """

    array: Array
    key: Any = ...
    is_plain: bool = False

    def __getitem__(self, key: Any) -> Changes:
        return Changes(self.array, key, self.is_plain)

    def along(self, indices: Any, axis: int = -1) -> Changes:
        """At each position the element along an axis that an index there names, as `np.take_along_axis` has them.

        >>> from chainrule import numpy as np
        >>> np.at(np.zeros((2, 3))).along(np.array([[2], [0]]), axis=1).set(1.0)
        array([[0., 0., 1.],
               [1., 0., 0.]])
        """
        rank, index = self.array.ndim, as_array(indices) if is_traced(indices) else np.asarray(indices)
        chosen = primitives.normalized_axis(axis, rank)
        if index.ndim != rank:
            raise ShapeError(f"along: {as_array(index).node.type} must have as many axes as {self.array.node.type}.")
        extents = enumerate(self.array.shape)
        others = [np.arange(extent).reshape([-1 if n == m else 1 for m in range(rank)]) for n, extent in extents]
        return self[tuple(index if n == chosen else other for n, other in enumerate(others))]

    def get(self) -> Any:
        """`x[key]`."""
        return self._result(indexed(self.array, self.key))

    def add(self, values: Any) -> Any:
        """The array with the values added where the key says; derivatives pass to both."""
        return self._result(self._added(as_array(values)), values)

    def subtract(self, values: Any) -> Any:
        """The array with the values subtracted where the key says."""
        return self._result(self._added(-as_array(values)), values)

    def set(self, values: Any) -> Any:
        """The array with the values in place of its own where the key says."""
        named = _Elements.of(self.array, self.key)
        return self._result(named.put(self.array, self._fitted(as_array(values), named.shape)), values)

    def multiply(self, values: Any) -> Any:
        """The array with its elements multiplied by the values where the key says."""
        return self._result(self._combined("multiply", as_array(values)), values)

    def divide(self, values: Any) -> Any:
        """The array with its elements divided by the values where the key says."""
        return self._result(self._combined("multiply", 1 / as_array(values)), values)

    def min(self, values: Any) -> Any:
        """The array with its elements or the values, whichever are smaller, where the key says."""
        return self._result(self._combined("min", as_array(values)), values)

    def max(self, values: Any) -> Any:
        """The array with its elements or the values, whichever are larger, where the key says."""
        return self._result(self._combined("max", as_array(values)), values)

    def _added(self, values: Array) -> Array:
        x, rows = self.array, self._rows()
        if rows is None:
            named = _Elements.of(x, self.key)
            return named.added(x, self._fitted(values, named.shape))
        updates = self._fitted(values, rows.shape + x.shape[1:])
        return apply(ops.SCATTER_ADD, x.node, rows.node, updates.node)

    def _combined(self, kind: str, values: Array) -> Array:
        named = _Elements.of(self.array, self.key)
        given = reshape(self._fitted(values, named.shape), -1)
        combine, neutral = _KINDS[kind]
        result = reshape(self.array, -1)
        if given.size and not has_value(named.numbers.node):
            each = _Elements(reshape(named.numbers, -1)).each(given, neutral(given.dtype), self.array.size)
            return reshape(combine(result, _EACH[kind](each)), self.array.shape)
        for turn, chosen in named.turns():
            result = turn.put(result, combine(turn.read(result), given[chosen]))
        return reshape(result, self.array.shape)

    def _rows(self) -> Array | None:
        """The index, if the key is a single array of integers, which names whole rows."""
        key = self.key
        if not isinstance(key, Array | np.ndarray) or not self.array.ndim or key.dtype.kind not in "iu":
            return None
        return _inside(as_array(key), len(self.array))

    def _fitted(self, given: Array, shape: tuple[int, ...]) -> Array:
        if promotion.broadcast_shape("a change", given, np.empty(shape, bool)) != shape:
            raise ShapeError(f"values {given.node.type} do not fit the {shape} places of {self.array.node.type}.")
        return broadcast(astype(given, self.array.dtype), shape)

    def _result(self, x: Array, values: Any = None) -> Any:
        """Plain, if all is plain that it was made of."""
        return np.array(shown(x.node)) if self.is_plain and not is_traced([self.key, values]) else x


@dataclass(frozen=True, slots=True)
class _Elements:
    """The elements that a key names, by their numbers in row-major order."""

    numbers: Array

    @classmethod
    def of(cls, x: Array, key: Any) -> _Elements:
        number = apply(ops.IOTA, attributes=(0, Type((x.size,), np.dtype(np.int64))))
        numbers = indexed(reshape(number, x.shape), key)
        return cls(as_array(np.array(value(numbers.node))) if has_value(numbers.node) else numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what the key reads."""
        return self.numbers.shape

    def read(self, x: Array) -> Array:
        """The elements there."""
        return apply(ops.GATHER, reshape(x, -1).node, self.numbers.node)

    def added(self, x: Array, values: Array) -> Array:
        """The array with the values added there."""
        if not values.size:
            return x
        flat = (reshape(a, -1).node for a in (x, self.numbers, values))
        return reshape(apply(ops.SCATTER_ADD, *flat), x.shape)

    def put(self, x: Array, values: Array) -> Array:
        """The array with the values there, of several for one element the last."""
        if not values.size:
            return x
        winners, chosen = self._last(reshape(values, -1))
        hits = astype(winners, np.int32)
        none = Array(full(0, Type((x.size,), hits.dtype)))
        hit = reshape(apply(ops.SCATTER_ADD, none.node, reshape(self.numbers, -1).node, hits.node), x.shape) > 0
        nothing = Array(full(0, x.node.type))
        return apply(ops.SELECT, hit.node, self.added(nothing, chosen).node, x.node)

    def _last(self, values: Array) -> tuple[Array, Array]:
        """Which of the elements are not named again later, and the values there, zero elsewhere."""
        numbers = reshape(self.numbers, -1)
        if has_value(numbers.node):
            last = as_array(_is_last(value(numbers.node)))
        elif numbers.size == 1:
            last = Array(full(True, numbers.node.type.with_dtype(bool)))
        else:
            last = _is_last_traced(numbers)
        return last, apply(ops.SELECT, last.node, values.node, full(0, values.node.type))

    def each(self, values: Array, neutral: float, size: int) -> Array:
        """For every element a column of the values that go there, and the neutral number for those that do not."""
        shape = (values.size, size)
        every = apply(ops.IOTA, attributes=(1, Type(shape, np.dtype(np.int64))))
        columns = (broadcast(reshape(a, (-1, 1)), shape) for a in (self.numbers, values))
        numbers, wide = columns
        return apply(ops.SELECT, (numbers == every).node, wide.node, full(neutral, wide.node.type))

    def turns(self) -> Iterator[tuple[_Elements, np.ndarray[Any, Any]]]:
        """The elements in turns within which each is named once, and which of the values go there."""
        flat = value(self.numbers.node).ravel()
        left = np.arange(flat.size)
        while left.size:
            _, first = np.unique(flat[left], return_index=True)
            chosen = np.sort(left[first])
            yield _Elements(as_array(flat[chosen])), chosen
            left = np.setdiff1d(left, chosen)


def _lowest(dtype: np.dtype[Any]) -> float:
    return -math.inf if dtype.kind == "f" else int(np.iinfo(dtype).min) if dtype.kind in "iu" else False


def _highest(dtype: np.dtype[Any]) -> float:
    return math.inf if dtype.kind == "f" else int(np.iinfo(dtype).max) if dtype.kind in "iu" else True


_KINDS: Mapping[str, tuple[Callable[[Array, Array], Array], Callable[[np.dtype[Any]], float]]] = MappingProxyType(
    {
        "multiply": (operator.mul, lambda dtype: 1),
        "min": (lambda a, b: arithmetic.binary(ops.MINIMUM, a, b), _highest),
        "max": (lambda a, b: arithmetic.binary(ops.MAXIMUM, a, b), _lowest),
    }
)
_EACH: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "multiply": arithmetic.product_of_rows,
        "min": lambda x: arithmetic.extreme(x, "min", 0, False),
        "max": lambda x: arithmetic.extreme(x, "max", 0, False),
    }
)


def _is_last(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    _, backward = np.unique(numbers[::-1], return_index=True)
    last = np.zeros(numbers.shape, bool)
    last[numbers.size - 1 - backward] = True
    return last


def _is_last_traced(numbers: Array) -> Array:
    """Sorted stably, the last of equal numbers is followed by another."""
    order = apply(ops.ARGSORT, numbers.node, attributes=(0,))
    ordered = apply(ops.GATHER, numbers.node, order.node)
    end = Array(full(-1, numbers.node.type.with_shape((1,))))
    changes = ordered != primitives.concatenated([ordered[1:], end], 0)
    none = Array(full(0, numbers.node.type))
    counted = apply(ops.SCATTER_ADD, none.node, order.node, astype(changes, np.int64).node)
    return counted > 0
