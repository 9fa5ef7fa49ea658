"""NumPy's functions, for Arrays as for plain arrays.

On plain arrays and numbers each function *is* NumPy's. As soon as one argument is an Array, the same function records
the operation. Names, argument names, broadcasting and promotion are NumPy's.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.graph.ops import Op
from chainrule.graph.types import Type, checked_dtype
from chainrule.trace import array as core
from chainrule.trace.array import Array, apply, as_array, binary

Function = Callable[..., Any]
_SEQUENCES = (list, tuple)


def _is_traced(x: Any) -> bool:
    return isinstance(x, Array) or (isinstance(x, _SEQUENCES) and any(_is_traced(part) for part in x))


def _recorded(plain: Function) -> Callable[[Function], Function]:
    """NumPy's `plain` when no argument is an Array; otherwise the decorated function, which records."""

    def decorate(record: Function) -> Function:
        @functools.wraps(record)
        def function(*arguments: Any, **options: Any) -> Any:
            if any(map(_is_traced, arguments)) or (options and any(map(_is_traced, options.values()))):
                return record(*arguments, **options)
            return plain(*arguments, **options)

        return function

    return decorate


def _unary(op: Op, plain: Function, formula: str, *, on_floats: bool = True) -> Function:
    def record(x: Any, /) -> Array:
        operand = as_array(x)
        return apply(op, (core._as_float(operand) if on_floats else operand).node)

    record.__doc__ = f"`{formula}`, element by element."
    record.__name__ = plain.__name__
    return _recorded(plain)(record)


def _binary(op: Op, plain: Function, formula: str) -> Function:
    def record(x1: Any, x2: Any, /) -> Array:
        return _known(op.name, binary(op, _plain(x1), _plain(x2)), x1, x2)

    record.__doc__ = f"`{formula}`, element by element, after broadcasting and promotion."
    record.__name__ = plain.__name__
    return _recorded(plain)(record)


def _floating(op: Op, plain: Function, formula: str) -> Function:
    """An operation of two floating-point numbers; integers and booleans among themselves are taken as float64."""

    def record(x1: Any, x2: Any, /) -> Array:
        if not (core._is_float(x1) or core._is_float(x2)):
            x1 = core.astype(as_array(x1), np.float64)
        return _known(op.name, binary(op, _plain(x1), _plain(x2)), x1, x2)

    record.__doc__ = f"`{formula}`, element by element, after broadcasting and promotion."
    record.__name__ = plain.__name__
    return _recorded(plain)(record)


def _bitwise(op: Op, plain: Function, formula: str) -> Function:
    def record(x1: Any, x2: Any, /) -> Array:
        return _known(op.name, core.bits(op, _plain(x1), _plain(x2)), x1, x2)

    record.__doc__ = f"`{formula}`, bit by bit, after broadcasting and promotion."
    record.__name__ = plain.__name__
    return _recorded(plain)(record)


def _known(name: str, result: Any, *operands: Any) -> Array:
    """The result, unless an operand was something that only its own type might know how to combine."""
    if result is NotImplemented:
        kinds = " and ".join(type(x).__name__ for x in operands)
        raise DTypeError(f"{name} takes arrays and real numbers, not {kinds}.")
    return result  # type: ignore[no-any-return]


def _plain(x: Any) -> Any:
    return np.asarray(x) if isinstance(x, _SEQUENCES) and not _is_traced(x) else x


negative = _unary(ops.NEGATIVE, np.negative, "−x", on_floats=False)
absolute = abs = _unary(ops.ABSOLUTE, np.absolute, "|x|", on_floats=False)
sign = _unary(ops.SIGN, np.sign, "−1, 0 or 1", on_floats=False)
exp = _unary(ops.EXP, np.exp, "eˣ")
expm1 = _unary(ops.EXPM1, np.expm1, "eˣ − 1")
log = _unary(ops.LOG, np.log, "ln x")
log1p = _unary(ops.LOG1P, np.log1p, "ln(1 + x)")
tanh = _unary(ops.TANH, np.tanh, "tanh x")
sqrt = _unary(ops.SQRT, np.sqrt, "√x")
sin = _unary(ops.SIN, np.sin, "sin x")
cos = _unary(ops.COS, np.cos, "cos x")
tan = _unary(ops.TAN, np.tan, "tan x")
arcsin = _unary(ops.ARCSIN, np.arcsin, "arcsin x")
arccos = _unary(ops.ARCCOS, np.arccos, "arccos x")
arctan = _unary(ops.ARCTAN, np.arctan, "arctan x")
sinh = _unary(ops.SINH, np.sinh, "sinh x")
cosh = _unary(ops.COSH, np.cosh, "cosh x")
arcsinh = _unary(ops.ARCSINH, np.arcsinh, "arsinh x")
arccosh = _unary(ops.ARCCOSH, np.arccosh, "arcosh x")
arctanh = _unary(ops.ARCTANH, np.arctanh, "artanh x")
exp2 = _unary(ops.EXP2, np.exp2, "2ˣ")
log2 = _unary(ops.LOG2, np.log2, "log₂ x")
log10 = _unary(ops.LOG10, np.log10, "log₁₀ x")
cbrt = _unary(ops.CBRT, np.cbrt, "∛x")
rint = _unary(ops.ROUND, np.rint, "the nearest integer, even in a tie")
logical_not = _unary(ops.LOGICAL_NOT, np.logical_not, "not x", on_floats=False)

add = _binary(ops.ADD, np.add, "x + y")
subtract = _binary(ops.SUBTRACT, np.subtract, "x − y")
multiply = _binary(ops.MULTIPLY, np.multiply, "x · y")
maximum = _binary(ops.MAXIMUM, np.maximum, "the larger")
minimum = _binary(ops.MINIMUM, np.minimum, "the smaller")
floor_divide = _binary(ops.FLOOR_DIVIDE, np.floor_divide, "⌊x / y⌋")
remainder = mod = _binary(ops.REMAINDER, np.remainder, "x − y·⌊x / y⌋")
less = _binary(ops.LESS, np.less, "x < y")
less_equal = _binary(ops.LESS_EQUAL, np.less_equal, "x ≤ y")
equal = _binary(ops.EQUAL, np.equal, "x = y")
not_equal = _binary(ops.NOT_EQUAL, np.not_equal, "x ≠ y")
logical_and = _binary(ops.LOGICAL_AND, np.logical_and, "x and y")
logical_or = _binary(ops.LOGICAL_OR, np.logical_or, "x or y")
arctan2 = _floating(ops.ARCTAN2, np.arctan2, "the angle of the point (y, x)")
hypot = _floating(ops.HYPOT, np.hypot, "√(x² + y²)")
logaddexp = _floating(ops.LOGADDEXP, np.logaddexp, "ln(eˣ + eʸ)")
copysign = _floating(ops.COPYSIGN, np.copysign, "|x| with the sign of y")
nextafter = _floating(ops.NEXTAFTER, np.nextafter, "the number next to x, toward y")
bitwise_and = _bitwise(ops.BITWISE_AND, np.bitwise_and, "x and y")
bitwise_or = _bitwise(ops.BITWISE_OR, np.bitwise_or, "x or y")
bitwise_xor = _bitwise(ops.BITWISE_XOR, np.bitwise_xor, "either x or y")
left_shift = bitwise_left_shift = _bitwise(ops.LEFT_SHIFT, np.left_shift, "x · 2ʸ")
right_shift = bitwise_right_shift = _bitwise(ops.RIGHT_SHIFT, np.right_shift, "⌊x / 2ʸ⌋")


@_recorded(np.invert)
def invert(x: Any, /) -> Array:
    """Every bit turned over; of booleans, the opposite."""
    return core.inverted(x)


bitwise_not = bitwise_invert = invert


@_recorded(np.greater)
def greater(x1: Any, x2: Any, /) -> Array:
    """`x > y`, element by element."""
    return less(x2, x1)  # type: ignore[no-any-return]


@_recorded(np.greater_equal)
def greater_equal(x1: Any, x2: Any, /) -> Array:
    """`x ≥ y`, element by element."""
    return less_equal(x2, x1)  # type: ignore[no-any-return]


@_recorded(np.divide)
def divide(x1: Any, x2: Any, /) -> Array:
    """`x / y`, element by element; integers are divided as float64."""
    return _known("divide", core.divide(x1, x2), x1, x2)


true_divide = divide


@_recorded(np.floor)
def floor(x: Any, /) -> Array:
    """`⌊x⌋`, element by element; of integers, themselves."""
    return apply(ops.FLOOR, x.node) if x.node.type.is_float else x


@_recorded(np.ceil)
def ceil(x: Any, /) -> Array:
    """`⌈x⌉`, element by element; of integers, themselves."""
    return apply(ops.CEIL, x.node) if x.node.type.is_float else x


@_recorded(np.power)
def power(x1: Any, x2: Any, /) -> Array:
    """`xʸ`, element by element."""
    return _known("power", core._power(x1, x2), x1, x2)


@_recorded(np.square)
def square(x: Any, /) -> Array:
    """`x²`, element by element."""
    return x * x  # type: ignore[no-any-return]


@_recorded(np.reciprocal)
def reciprocal(x: Any, /) -> Array:
    """`1 / x`, element by element."""
    return 1 / x  # type: ignore[no-any-return]


@_recorded(np.where)
def where(condition: Any, x: Any, y: Any, /) -> Array:
    """`x` where the condition holds, else `y`, after broadcasting and promotion."""
    shape = core.broadcast_shape("where", condition, x, y)
    left, right = core.promoted(x, y)
    test = core.astype(as_array(condition), bool)
    test, left, right = (core.broadcast(a, shape) for a in (test, left, right))
    return apply(ops.SELECT, test.node, left.node, right.node)


@_recorded(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Array:
    """`a` where it lies between the bounds, else the nearer bound."""
    low, high = a_min if min is None else min, a_max if max is None else max
    above = a if low is None else maximum(a, low)
    return as_array(above if high is None else minimum(above, high))


# reductions


def _no_options(name: str, options: dict[str, Any]) -> None:
    given = [key for key, setting in options.items() if setting is not None]
    if given:
        raise OptionError(f"{name} of a traced array does not take {', '.join(given)}.")


@_recorded(np.sum)
def sum(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, **options: Any) -> Array:
    """The sum over axes."""
    _no_options("sum", options)
    x = as_array(a)
    return core.total(x if dtype is None else core.astype(x, dtype), axis, keepdims)


@_recorded(np.mean)
def mean(a: Any, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Array:
    """The mean over axes."""
    _no_options("mean", options)
    return core.mean(as_array(a), axis, keepdims)


@_recorded(np.var)
def var(a: Any, axis: Any = None, *, keepdims: bool = False, ddof: float = 0, **options: Any) -> Array:
    """The mean squared distance from the mean, `Σ (x − mean)² / (n − ddof)`."""
    _no_options("var", options)
    x = core._as_float(as_array(a))
    count = x.size // np.prod([x.shape[n] for n in range(x.ndim) if n not in core.normalized_axes(axis, x.ndim)] or [1])
    centred = x - core.mean(x, axis, keepdims=True)
    return core.total(centred * centred, axis, keepdims) / float(count - ddof)


@_recorded(np.std)
def std(a: Any, axis: Any = None, *, keepdims: bool = False, ddof: float = 0, **options: Any) -> Array:
    """The square root of the variance."""
    return sqrt(var(a, axis=axis, keepdims=keepdims, ddof=ddof, **options))  # type: ignore[no-any-return]


@_recorded(np.max)
def max(a: Any, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Array:
    """The largest element over axes; its derivative is shared equally among ties."""
    _no_options("max", options)
    return core.reduced(ops.MAX, as_array(a), axis, keepdims)


@_recorded(np.min)
def min(a: Any, axis: Any = None, *, keepdims: bool = False, **options: Any) -> Array:
    """The smallest element over axes; its derivative is shared equally among ties."""
    _no_options("min", options)
    return as_array(a).min(axis, keepdims=keepdims)


amax, amin = max, min


@_recorded(np.argmax)
def argmax(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The position of the first largest element along an axis (of the flattened array if None). No derivative."""
    x = as_array(a) if axis is not None else core.reshape(as_array(a), -1)
    (along,) = core.normalized_axes(0 if axis is None else axis, x.ndim)
    extent = x.shape[along]
    positions = apply(ops.IOTA, attributes=(along, Type(x.shape, np.dtype(np.int64))))
    largest = core.reduced(ops.MAX, x, along, True)
    found = (x == largest) | (x != x)  # nan counts as the largest, as in NumPy, and equals nothing
    return as_array(where(found, positions, extent - 1)).min(along, keepdims=keepdims)


@_recorded(np.argmin)
def argmin(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """The position of the first smallest element along an axis. No derivative."""
    return argmax(core.mirrored(as_array(a)), axis, keepdims=keepdims)  # type: ignore[no-any-return]


# contraction


@_recorded(np.matmul)
def matmul(x1: Any, x2: Any, /) -> Array:
    """The matrix product `x1 @ x2`."""
    return core.matmul(x1, x2)


@_recorded(np.dot)
def dot(a: Any, b: Any) -> Array:
    """The sum over the last axis of `a` and the second to last (or only) of `b`."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return as_array(a * b)
    a_labels = list(range(a.ndim))
    b_labels = list(range(a.ndim, a.ndim + b.ndim))
    b_labels[-2 if b.ndim > 1 else -1] = a_labels[-1]
    _check_paired(a, b, [(a.ndim - 1, b.ndim - 2 if b.ndim > 1 else 0)], "dot")
    out = [*a_labels[:-1], *(label for label in b_labels if label != a_labels[-1])]
    return core.contract(a, b, a_labels, b_labels, out)


@_recorded(np.inner)
def inner(a: Any, b: Any) -> Array:
    """The sum over the last axes of both."""
    a, b = as_array(a), as_array(b)
    return tensordot(a, b, axes=(-1, -1)) if a.ndim and b.ndim else a * b  # type: ignore[no-any-return]


@_recorded(np.outer)
def outer(a: Any, b: Any) -> Array:
    """`a[i] · b[j]` of the flattened arrays."""
    return core.contract(as_array(a).ravel(), as_array(b).ravel(), [0], [1], [0, 1])


@_recorded(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    """The sum over pairs of axes, or over the last `axes` of `a` and the first of `b`."""
    a, b = as_array(a), as_array(b)
    if isinstance(axes, int):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = ([n] if isinstance(n, int) else list(n) for n in axes)
        left = [core.normalized_axis(n, a.ndim) for n in left]
        right = [core.normalized_axis(n, b.ndim) for n in right]
    pairs = list(zip(left, right, strict=True))
    _check_paired(a, b, pairs, "tensordot")
    b_labels = list(range(a.ndim, a.ndim + b.ndim))
    for n, m in pairs:
        b_labels[m] = n
    kept = [n for n in range(a.ndim) if n not in left]
    return core.contract(
        a, b, list(range(a.ndim)), b_labels, [*kept, *(label for label in b_labels if label >= a.ndim)]
    )


def _check_paired(a: Array, b: Array, pairs: Sequence[tuple[int, int]], name: str) -> None:
    if any(a.shape[n] != b.shape[m] for n, m in pairs):
        raise ShapeError(f"{name}: {a.node.type} and {b.node.type} differ along the summed axes {list(pairs)}.")


@_recorded(np.einsum)
def einsum(subscripts: str, *operands: Any, **options: Any) -> Array:
    """Einstein's summation, such as `einsum("bi,oi->bo", x, w)`; operands are contracted from left to right."""
    options.pop("optimize", None)
    _no_options("einsum", options)
    inputs, out = _subscripts(subscripts, [np.ndim(x) for x in operands])
    arrays = [as_array(x) for x in operands]
    first, labels = arrays[0], inputs[0]
    for n, (array, names) in enumerate(zip(arrays[1:], inputs[1:], strict=True), start=2):
        needed = {*out, *(label for later in inputs[n:] for label in later)}
        kept = [label for label in dict.fromkeys([*labels, *names]) if label in needed]
        first, labels = _contracted(first, array, labels, names, kept), kept
    alone = tuple(n for n, label in enumerate(labels) if label not in out)
    first = core.reduced(ops.SUM, first, alone, False) if alone else first
    left = [label for label in labels if label in out]
    return core.transpose(first, [left.index(label) for label in out])


def _contracted(a: Array, b: Array, a_names: list[str], b_names: list[str], out: list[str]) -> Array:
    numbers = {name: n for n, name in enumerate(dict.fromkeys([*a_names, *b_names]))}
    return core.contract(a, b, *([numbers[name] for name in names] for names in (a_names, b_names, out)))


def _subscripts(text: str, ranks: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    before, arrow, after = text.replace(" ", "").partition("->")
    inputs = [list(term) for term in before.split(",")]
    letters = [name for term in inputs for name in term]
    out = list(after) if arrow else sorted(name for name in set(letters) if letters.count(name) == 1)
    fits = len(inputs) == len(ranks) and all(len(term) == rank for term, rank in zip(inputs, ranks, strict=True))
    if not fits or not set(out) <= set(letters) or not all(map(str.isalpha, letters)):
        raise ShapeError(f"einsum: {text!r} does not fit operands with {list(ranks)} axes.")
    if any(len(set(term)) != len(term) for term in [*inputs, out]):
        raise ShapeError(f"einsum: a letter stands twice in one term of {text!r}.")
    return inputs, out


# shape


@_recorded(np.reshape)
def reshape(a: Any, /, shape: Any) -> Array:
    """The same elements in another shape."""
    return core.reshape(as_array(a), shape)


@_recorded(np.ravel)
def ravel(a: Any) -> Array:
    """All elements along one axis."""
    return core.reshape(as_array(a), -1)


@_recorded(np.transpose)
def transpose(a: Any, axes: Any = None) -> Array:
    """The axes in another order, reversed unless told."""
    return core.transpose(as_array(a), axes)


@_recorded(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """Two axes exchanged."""
    x = as_array(a)
    order = list(range(x.ndim))
    one, other = core.normalized_axis(axis1, x.ndim), core.normalized_axis(axis2, x.ndim)
    order[one], order[other] = other, one
    return core.transpose(x, order)


@_recorded(np.moveaxis)
def moveaxis(a: Any, source: int, destination: int) -> Array:
    """One axis moved to another place."""
    x = as_array(a)
    moved = core.normalized_axis(source, x.ndim)
    order = [n for n in range(x.ndim) if n != moved]
    order.insert(core.normalized_axis(destination, x.ndim), moved)
    return core.transpose(x, order)


@_recorded(np.expand_dims)
def expand_dims(a: Any, axis: int) -> Array:
    """A new axis of size one."""
    x = as_array(a)
    position = core.normalized_axis(axis, x.ndim + 1)
    return core.reshape(x, (*x.shape[:position], 1, *x.shape[position:]))


@_recorded(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Array:
    """Without the axes of size one, or without the given ones."""
    x = as_array(a)
    ones = [n for n, extent in enumerate(x.shape) if extent == 1]
    gone = ones if axis is None else core.normalized_axes(axis, x.ndim)
    if not set(gone) <= set(ones):
        raise ShapeError(f"squeeze: axis {axis} of {x.node.type} is not of size one.")
    return core.reshape(x, [n for position, n in enumerate(x.shape) if position not in gone])


@_recorded(np.broadcast_to)
def broadcast_to(array: Any, shape: Any) -> Array:
    """Repeated along new and size-one axes to the given shape."""
    return core.broadcast(as_array(array), (shape,) if isinstance(shape, int) else tuple(shape))


@_recorded(np.concatenate)
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Array:
    """The arrays one after the other along an existing axis."""
    parts = [as_array(a) if axis is not None else core.reshape(as_array(a), -1) for a in arrays]
    dtype = np.result_type(*(p.dtype for p in parts))
    (along,) = core.normalized_axes(0 if axis is None else axis, parts[0].ndim)
    return apply(ops.CONCATENATE, *(core.astype(p, dtype).node for p in parts), attributes=(along,))


@_recorded(np.stack)
def stack(arrays: Sequence[Any], axis: int = 0) -> Array:
    """The arrays side by side along a new axis."""
    return concatenate([expand_dims(a, axis) for a in arrays], axis)  # type: ignore[no-any-return]


@_recorded(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", **options: Any) -> Array:
    """Zeros before and after each axis."""
    if mode != "constant" or options.pop("constant_values", 0) != 0:
        raise OptionError("pad of a traced array pads with zeros only.", cure="Use mode='constant'.")
    x = as_array(array)
    widths = np.broadcast_to(np.asarray(pad_width, dtype=int), (x.ndim, 2))
    low, high = (tuple(int(n) for n in side) for side in widths.T)
    return apply(ops.PAD, x.node, attributes=(low, high, (0,) * x.ndim))


@_recorded(np.take)
def take(a: Any, indices: Any, axis: int | None = None) -> Array:
    """Elements, or slices along an axis, by integer index."""
    x = as_array(a) if axis is not None else core.reshape(as_array(a), -1)
    front = [slice(None)] * core.normalized_axis(axis or 0, x.ndim)
    return core.indexed(x, (*front, indices))


@_recorded(np.astype)
def astype(x: Any, dtype: Any, /) -> Array:
    """The same elements as another dtype."""
    return core.astype(as_array(x), dtype)


# arrays like another


def _filled_like(a: Array, dtype: Any, number: float) -> Array:
    return Array(full(number, Type(a.shape, a.dtype if dtype is None else checked_dtype(dtype))))


@_recorded(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None) -> Array:
    """Zeros, in the shape and dtype of `a`."""
    return _filled_like(a, dtype, 0)


@_recorded(np.ones_like)
def ones_like(a: Any, dtype: Any = None) -> Array:
    """Ones, in the shape and dtype of `a`."""
    return _filled_like(a, dtype, 1)


@_recorded(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Array:
    """An array of the shape and dtype of `a`, with one value everywhere."""
    value = fill_value if isinstance(fill_value, Array) else as_array(np.asarray(fill_value))
    return core.broadcast(core.astype(value, a.dtype if dtype is None else dtype), a.shape)


@_recorded(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """The extents of the axes."""
    return tuple(a.shape)


@_recorded(np.ndim)
def ndim(a: Any) -> int:
    """The number of axes."""
    return int(a.ndim)


@_recorded(np.size)
def size(a: Any) -> int:
    """The number of elements."""
    return int(a.size)


def _place(name: str) -> list[Any]:
    """Numbers in names by size: log1p, log2, log10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


__all__ = sorted(
    (
        name
        for name, thing in list(globals().items())
        if not name.startswith("_") and inspect.isfunction(thing) and thing.__module__ == __name__
    ),
    key=_place,
)
