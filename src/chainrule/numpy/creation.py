"""NumPy's functions that make arrays, where they are given Arrays, and that say what arrays are.

With plain arguments they are NumPy's own.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.checks import one_of
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import INTEGERS, has_value
from chainrule.graph.node import full as full_node
from chainrule.graph.types import Type, checked_dtype
from chainrule.numpy import elementwise as ew
from chainrule.numpy import shaping
from chainrule.numpy.conditions import flatnonzero
from chainrule.numpy.lookup_tables import LookupTable
from chainrule.trace import primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.plain import is_transforming, shown
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction, is_traced, known, offered, recorded


def _in_program(plain: AnyFunction) -> AnyFunction:
    """NumPy's function; inside a transformation traced integers may index what it makes."""

    @functools.wraps(plain)
    def made(*arguments: Any, **options: Any) -> Any:
        found = plain(*arguments, **options)
        return found.view(LookupTable) if type(found) is np.ndarray and is_transforming() else found

    return made


@recorded(_in_program(np.array))
def array(object: Any, dtype: Any = None, *, copy: Any = True, order: Any = "C", ndmin: int = 0) -> Array:
    """An array of arrays and numbers, in lists or alone: `np.array([x, y])`.

    OptionError if `copy` is False: in a program there is no memory that could be shared.
    """
    if copy is False:
        raise OptionError(
            "a traced array shares no memory, so that copy=False cannot be kept.", cure="Leave copy=False out."
        )
    found = as_array(object)
    found = found if dtype is None else primitives.astype(found, dtype)
    return primitives.reshape(found, (1,) * max(ndmin - found.ndim, 0) + found.shape)


@recorded(_in_program(np.asarray))
def asarray(a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array of arrays and numbers, in lists or alone; an Array itself. OptionError if `copy` is False."""
    return array(a, dtype, copy=copy)


def _itself(plain: AnyFunction) -> Any:
    def record(a: Any, dtype: Any = None) -> Array:
        return array(a, dtype)

    record.__name__, record.__doc__ = plain.__name__, "An array of arrays and numbers; an Array itself."
    return recorded(_in_program(plain))(record)


asanyarray = _itself(np.asanyarray)
ascontiguousarray = _itself(np.ascontiguousarray)


@recorded(np.copy)
def copy(a: Any, order: Any = "K", subok: bool = False) -> Array:
    """The same elements: an Array itself, as none is ever changed."""
    return as_array(a)


@recorded(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """The same elements as another dtype."""
    return primitives.astype(as_array(x), dtype)


# arrays like another


def _like(a: Any, dtype: Any, shape: Any) -> Type:
    own = as_array(a).node.type
    extents = own.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    return Type(extents, own.dtype if dtype is None else checked_dtype(dtype))


@recorded(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, *, shape: Any = None, device: Any = None) -> Array:
    """Zeros, in the shape and dtype of `a`."""
    return Array(full_node(0, _like(a, dtype, shape)))


@recorded(np.ones_like)
def ones_like(a: Any, dtype: Any = None, *, shape: Any = None, device: Any = None) -> Array:
    """Ones, in the shape and dtype of `a`."""
    return Array(full_node(1, _like(a, dtype, shape)))


@recorded(np.empty_like)
def empty_like(prototype: Any, dtype: Any = None, *, shape: Any = None, device: Any = None) -> Array:
    """An array of the shape and dtype of another, of zeros."""
    return Array(full_node(0, _like(prototype, dtype, shape)))


@recorded(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None, device: Any = None) -> Array:
    """An array of the shape and dtype of `a`, with one value everywhere."""
    wanted = _like(a, dtype, shape)
    return primitives.broadcast(primitives.astype(as_array(fill_value), wanted.dtype), wanted.shape)


@recorded(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """An array with one value everywhere."""
    value = as_array(fill_value)
    extents = (shape,) if isinstance(shape, int) else tuple(shape)
    return primitives.broadcast(value if dtype is None else primitives.astype(value, dtype), extents)


@recorded(_in_program(np.linspace))
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0, *, device: Any = None,
) -> Array | tuple[Array, Array]:  # fmt: skip
    """So many numbers from `start` to `stop`, equally far apart; and how far, if `retstep`."""
    num = operator.index(num)
    first, last = promotion.promoted(*promotion.as_floats(start, stop))
    count = num - 1 if endpoint else num
    steps = apply(ops.IOTA, attributes=(0, Type((num,), first.dtype)))
    steps = primitives.reshape(steps, (num, *(1,) * first.ndim))
    distance = (last - first) / float(max(count, 1))
    found = first + steps * distance
    if endpoint and num > 1:
        found = primitives.concatenated([found[:-1], primitives.reshape(last, (1, *last.shape))], 0)
    found = primitives.moved_axis(found, 0, primitives.normalized_axis(axis, found.ndim))
    found = found if dtype is None else primitives.astype(found, dtype)
    return (found, distance if count > 0 else distance * math.nan) if retstep else found


@recorded(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Array:
    """So many numbers from `base ** start` to `base ** stop`, each the same multiple of the one before."""
    rank = max(as_array(x).ndim for x in (start, stop, base))
    start, stop = (primitives.reshape(x, (1,) * (rank - x.ndim) + x.shape) for x in map(as_array, (start, stop)))
    powers = ew.power(base, linspace(start, stop, num, endpoint))
    found = primitives.moved_axis(powers, 0, primitives.normalized_axis(axis, powers.ndim))
    return found if dtype is None else primitives.astype(found, dtype)


@recorded(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Array:
    """So many numbers from `start` to `stop`, each the same multiple of the one before."""
    ends = promotion.promoted(*promotion.as_floats(start, stop))
    if any(has_value(x.node) and not shown(x.node).all() for x in ends):
        raise OptionError("geomspace cannot begin or end with zero.")
    side = ew.sign(ends[0])
    powers = [ew.log10(x * side) for x in ends]
    found = logspace(powers[0], powers[1], num, endpoint) * side
    first, last = (primitives.reshape(x, (1, *x.shape)) for x in ends)
    parts = [first, found[1:-1], last] if endpoint and num > 1 else [first[:num], found[1:]]
    found = primitives.concatenated(parts, 0)
    found = primitives.moved_axis(found, 0, primitives.normalized_axis(axis, found.ndim))
    return found if dtype is None else primitives.astype(found, dtype)


@recorded(_in_program(np.eye))
def eye(
    N: Any, M: Any = None, k: Any = 0, dtype: Any = float, order: str = "C", *, device: Any = None  # noqa: N803
) -> Array:  # fmt: skip
    """Ones on a diagonal, zeros elsewhere; the rows of `eye(n)` that labels name are their one-hot codes."""
    rows, columns, offset = (None if n is None else operator.index(n) for n in (N, M, k))
    return as_array(np.eye(rows, columns, offset, dtype))  # type: ignore[arg-type]


@recorded(_in_program(np.identity))
def identity(n: Any, dtype: Any = None) -> Array:
    """Ones on the diagonal, zeros elsewhere."""
    return as_array(np.identity(operator.index(n), dtype))


@recorded(_in_program(np.arange))
def arange(start_or_stop: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Array:
    """Numbers from a start to a stop, which must be known, as the shape depends on them; so many steps each."""
    start, stop = (0, start_or_stop) if stop is None else (start_or_stop, stop)
    plain = np.arange(*(known("arange", x, _SIZE) for x in (start, stop, step)), dtype=dtype)
    if plain.dtype.kind != "f" or not is_traced([start, step]):
        return as_array(plain)
    first, distance = (primitives.astype(as_array(x), plain.dtype) for x in (start, step))
    return first + apply(ops.IOTA, attributes=(0, Type(plain.shape, plain.dtype))) * ((first + distance) - first)


_SIZE = f"Scale np.arange(n), of a number of elements that is known. {INTEGERS}"


@recorded(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """Each vector along an axis of its own, repeated along the others'; the first two exchanged unless "ij"."""
    one_of("meshgrid: indexing", indexing, ("xy", "ij"))
    vectors = [primitives.reshape(as_array(x), -1) for x in xi]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    apart = [
        primitives.reshape(v, [-1 if n == axis else 1 for n in range(len(vectors))])
        for v, axis in zip(vectors, order, strict=True)
    ]
    return tuple(apart) if sparse else shaping.broadcast_arrays(*apart)


@recorded(np.ix_)
def ix_(*args: Any) -> tuple[Array, ...]:
    """Each vector along an axis of its own, as an index into all of them; of truths, where they hold."""
    vectors = [as_array(flatnonzero(x)) if x.dtype.kind == "b" else x for x in map(as_array, args)]
    if any(v.ndim != 1 for v in vectors):
        raise ShapeError(f"ix_ needs vectors, not {' and '.join(str(v.node.type) for v in vectors)}.")
    return tuple(
        primitives.reshape(v, [-1 if n == axis else 1 for n in range(len(vectors))]) for axis, v in enumerate(vectors)
    )


@recorded(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:  # noqa: N803 - NumPy's name
    """The powers of a vector's elements as columns, the highest first unless `increasing`."""
    v = as_array(x)
    if v.ndim != 1:
        raise ShapeError(f"vander needs a vector, not {v.node.type}.")
    v = primitives.astype(v, np.result_type(v.dtype, np.int64))  # as NumPy does it, float32 too
    columns = [shaping.expand_dims(ones_like(v), 1)]
    for _ in range((v.size if N is None else N) - 1):
        columns.append(columns[-1] * shaping.expand_dims(v, 1))
    found = shaping.concatenate(columns, 1)[:, : v.size if N is None else N]
    return found if increasing else found[:, ::-1]


# what they are


@recorded(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """The extents of the axes."""
    return as_array(a).shape


@recorded(np.ndim)
def ndim(a: Any) -> int:
    """The number of axes."""
    return as_array(a).ndim


@recorded(np.size)
def size(a: Any, axis: int | None = None) -> int:
    """The number of elements, or of those along an axis."""
    return as_array(a).size if axis is None else as_array(a).shape[axis]


@recorded(np.isscalar)
def isscalar(element: Any) -> bool:
    """Whether it is a number: an Array is none, even one without axes."""
    return False


def _dtype(x: Any) -> Any:
    return x.dtype if isinstance(x, Array) else x


@recorded(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """The dtype that an operation on all of them has."""
    return np.result_type(*map(_dtype, arrays_and_dtypes))


@recorded(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Whether elements fit in a dtype."""
    return bool(np.can_cast(_dtype(from_), _dtype(to), casting))


@recorded(np.finfo)
def finfo(dtype: Any, /) -> Any:
    """The limits of a floating-point dtype, or of an array's."""
    return np.finfo(_dtype(dtype))


@recorded(np.iinfo)
def iinfo(type: Any, /) -> Any:
    """The limits of an integer dtype, or of an array's."""
    return np.iinfo(_dtype(type))


@recorded(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Whether the elements are complex numbers: an Array's are not."""
    return False


@recorded(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Whether the elements are real numbers: an Array's are."""
    return True


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
