"""The Array: what stands for an array inside a transformation, recording what is done with it.

An Array holds a node of the graph and nothing else. Uncompiled, the leaves of the graph are known arrays, so every
Array has a value, computed when Python asks for it: `if`, `while`, `float` and `print` work. Inside `compile` the
leaves are arguments, and asking for a value is a TracingError that says what to write instead.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, ShapeError, TracingError, user_line
from chainrule.graph import ops
from chainrule.graph.graph import Origin
from chainrule.graph.interpret import has_value, value
from chainrule.graph.node import Node, constant, full
from chainrule.graph.ops import Op
from chainrule.graph.types import Type, checked_dtype

__all__ = [
    "Array", "Recorder", "apply", "as_array", "astype", "binary", "bits", "broadcast", "broadcast_shape", "carry_origins", "contract", "divide",
    "gather", "indexed", "inverted", "is_recording", "matmul", "mean", "mirrored", "moved_axis", "normalized_axes", "normalized_axis", "origins_of", "promoted", "recording",
    "reduced", "reshape", "scope", "total", "transforming", "transpose", "variable", "viewed",
]  # fmt: skip

_BOOL = np.dtype(bool)
_NUMBERS, _SEQUENCES, _PLAIN = (bool, int, float), (list, tuple), (np.ndarray, np.generic)


@dataclass(slots=True)
class Recorder:
    """Where the nodes made while it is active were written."""

    origins: dict[Node, tuple[Origin, ...]] = field(default_factory=dict)
    layer: str = ""
    backward_of: Node | None = None

    def note(self, node: Node) -> None:
        """Remember where the node was written: a backward node belongs to the line of the one it answers for."""
        forward = self.origins.get(self.backward_of, ()) if self.backward_of else ()
        if forward:
            origin = Origin(forward[0].file, forward[0].line, forward[0].layer, self.backward_of)
        else:
            file, line = user_line() or ("", 0)
            origin = Origin(file, line, self.layer, self.backward_of)
        known = self.origins.get(node, ())
        if origin not in known:
            self.origins[node] = (*known, origin)


_TAGS = itertools.count()
_RECORDER: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """While the block runs, note where nodes come from."""
    token = _RECORDER.set(recorder)
    try:
        yield
    finally:
        _RECORDER.reset(token)


def is_recording() -> bool:
    """Whether a program is being traced to be compiled."""
    return _RECORDER.get() is not None


@contextmanager
def scope(layer: str = "", backward_of: Node | None = None) -> Iterator[None]:
    """While the block runs, new nodes belong to a layer, or answer for a forward node."""
    recorder = _RECORDER.get()
    if recorder is None:
        yield
        return
    before = recorder.layer, recorder.backward_of
    recorder.layer, recorder.backward_of = layer or before[0], backward_of or before[1]
    try:
        yield
    finally:
        recorder.layer, recorder.backward_of = before


_DEPTH: ContextVar[int] = ContextVar("depth", default=0)


@contextmanager
def transforming() -> Iterator[bool]:
    """While the block runs a transformation is active; yields whether it is the outermost one."""
    depth = _DEPTH.get()
    token = _DEPTH.set(depth + 1)
    try:
        yield depth == 0
    finally:
        _DEPTH.reset(token)


def variable(x: Any) -> Array:
    """`x` as a node of its own, with which a derivative can be taken: equal to `x`, and distinct from it."""
    return Array(Node(ops.MARK, (as_array(x).node,), (next(_TAGS),)))


def apply(op: Op, *inputs: Node, attributes: tuple[Any, ...] = ()) -> Array:
    """The result of an operation on nodes."""
    node = Node(op, inputs, attributes)
    recorder = _RECORDER.get()
    if recorder is not None:
        recorder.note(node)
    return Array(node)


def origins_of(node: Node) -> tuple[Origin, ...]:
    """Where a node was written, as far as anybody is taking notes."""
    recorder = _RECORDER.get()
    return recorder.origins.get(node, ()) if recorder else ()


def carry_origins(node: Node, origins: tuple[Origin, ...]) -> None:
    """Note that a node comes from where another was written."""
    recorder = _RECORDER.get()
    if recorder is not None:
        recorder.origins.setdefault(node, origins)


def as_array(x: Any) -> Array:
    """An Array, array or number as an Array; DTypeError for anything else."""
    if isinstance(x, Array):
        return x
    return Array(constant(_checked(x)))


def _checked(x: Any) -> np.ndarray[Any, Any]:
    if isinstance(x, list | tuple) and any(isinstance(part, Array) for part in x):
        raise DTypeError("a list of traced arrays is no array.", cure="Join them with np.stack or np.concatenate.")
    array = np.asarray(x)
    return np.asarray(array, checked_dtype(array.dtype))


def promoted(a: Any, b: Any) -> tuple[Array, Array]:
    """Two operands in NumPy's common dtype and shape. Python's own numbers take the other's dtype where they fit it."""
    if isinstance(a, Array):  # the two commonest cases, at once
        if isinstance(b, Array) and a.node.type == b.node.type:
            return a, b
        if type(b) is float and a.node.type.is_float:
            return a, Array(full(b, a.node.type))
    dtype, a_shape, b_shape = _common_dtype(a, b), _shape(a), _shape(b)
    shape = a_shape if a_shape == b_shape else np.broadcast_shapes(a_shape, b_shape)
    return _fitted(a, shape, dtype), _fitted(b, shape, dtype)


def _shape(x: Any) -> tuple[int, ...]:
    return x.node.type.shape if isinstance(x, Array) else np.shape(x)


def _common_dtype(a: Any, b: Any) -> np.dtype[Any]:
    first, second = _dtype_or_number(a), _dtype_or_number(b)
    if isinstance(first, np.dtype) and (first is second or (isinstance(second, _NUMBERS) and first.kind == "f")):
        return first
    try:
        return checked_dtype(np.result_type(first, second))
    except TypeError as problem:
        raise DTypeError(f"cannot combine {first!r} and {second!r}: {problem}") from None


def _dtype_or_number(x: Any) -> Any:
    """The dtype of an array; a Python number itself, as only its value says which dtypes it fits."""
    if isinstance(x, Array):
        return x.node.type.dtype
    if isinstance(x, _SEQUENCES):
        return _checked(x).dtype
    return checked_dtype(x.dtype) if isinstance(x, _PLAIN) else x


def _fitted(x: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if isinstance(x, _NUMBERS) and not isinstance(x, np.generic):
        return Array(full(x, Type(shape, dtype)))
    array = as_array(x)
    if array.node.type.dtype != dtype:
        array = apply(ops.CAST, array.node, attributes=(dtype.name,))
    return broadcast(array, shape)


def broadcast_shape(name: str, *operands: Any) -> tuple[int, ...]:
    """The shape that the operands are broadcast to; ShapeError, in the name of the operation, if there is none."""
    shapes = [_shape(x) for x in operands]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            f"{name}: the shapes {' and '.join(map(str, shapes))} do not broadcast together.",
            cure="Axes are matched from the right; give the shorter one size-1 axes where it should repeat.",
        ) from None


def broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` repeated along new and size-one axes to the given shape."""
    if x.node.type.shape == shape:
        return x
    if x.node.op is ops.FULL and x.node.type.shape == ():
        return Array(Node(ops.FULL, (), (x.node.attributes[0], x.node.type.with_shape(shape))))
    axes = tuple(range(len(shape) - x.ndim, len(shape)))
    return apply(ops.BROADCAST, x.node, attributes=(shape, axes))


def binary(op: Op, a: Any, b: Any) -> Array:
    """An elementwise operation of two operands, after broadcasting and promotion."""
    if not (isinstance(a, _KNOWN) and isinstance(b, _KNOWN)):
        return NotImplemented  # type: ignore[no-any-return]
    left, right = _operands(op, a, b)
    return apply(op, left.node, right.node)


def _operands(op: Op, a: Any, b: Any) -> tuple[Array, Array]:
    try:
        return promoted(a, b)
    except ValueError:
        broadcast_shape(op.name, a, b)
        raise


def bits(op: Op, a: Any, b: Any) -> Array:
    """An operation on the bits of two operands, after broadcasting and promotion; of booleans, the logical one."""
    if not (isinstance(a, _KNOWN) and isinstance(b, _KNOWN)):
        return NotImplemented  # type: ignore[no-any-return]
    left, right = _operands(op, a, b)
    if left.dtype.kind == "b":
        if op not in _OF_BOOLEANS:  # NumPy shifts booleans as int8
            return apply(op, astype(left, np.int8).node, astype(right, np.int8).node)
        op = _OF_BOOLEANS[op]
    return apply(op, left.node, right.node)


_OF_BOOLEANS = {
    ops.BITWISE_AND: ops.LOGICAL_AND, ops.BITWISE_OR: ops.LOGICAL_OR, ops.BITWISE_XOR: ops.NOT_EQUAL,
}  # fmt: skip


def _operator(op: Op, *, swapped: bool = False) -> Callable[[Array, Any], Array]:
    combine = bits if op in ops.BITWISE else binary

    def method(self: Array, other: Any) -> Array:
        return combine(op, other, self) if swapped else combine(op, self, other)

    return method


def inverted(x: Array) -> Array:
    """Every bit turned over; of booleans, the opposite."""
    if x.dtype.kind == "f":
        raise DTypeError(f"invert needs integers or booleans, not {x.node.type}.")
    return mirrored(x)


def _as_float(x: Any) -> Any:
    """Integers and booleans as float64, as NumPy does it before a division."""
    if isinstance(x, Array) and not x.node.type.is_float:
        return apply(ops.CAST, x.node, attributes=("float64",))
    return x


def divide(a: Any, b: Any) -> Array:
    """`a / b`; integers and booleans among themselves are divided as float64."""
    if not (_is_float(a) or _is_float(b)):
        a, b = (astype(as_array(x), np.float64) if isinstance(x, (Array, *_PLAIN, *_SEQUENCES)) else x for x in (a, b))
    return binary(ops.DIVIDE, a, b)


def _is_float(x: Any) -> bool:
    return x.dtype.kind == "f" if isinstance(x, (Array, *_PLAIN)) else isinstance(x, float)


def _power(base: Any, exponent: Any) -> Array:
    if isinstance(exponent, int) and exponent == 2 and isinstance(base, Array):
        return base * base
    return binary(ops.POWER, base, exponent)


def _handed_over(name: str, inputs: Any, options: Any) -> Any:
    from chainrule.trace import namespace

    function = getattr(namespace, name, None)
    if function is None:
        raise TracingError(f"numpy.{name} has no derivative in chainrule.", cure="See chainrule.numpy for what has.")
    return function(*inputs, **options)


# structure: the operations that Array's methods and chainrule.numpy share


def normalized_axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """The axes as sorted non-negative numbers; None is all of them."""
    if axis is None:
        return tuple(range(rank))
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    if any(not -rank <= a < rank for a in axes) or len({a % max(rank, 1) for a in axes}) != len(axes):
        raise ShapeError(f"axis {axis} does not name distinct axes of an array with {rank} axes.")
    return tuple(sorted(int(a) % rank for a in axes))


def normalized_axis(axis: int, rank: int) -> int:
    """The axis as a non-negative number."""
    return normalized_axes(operator.index(axis), rank)[0]


def mirrored(x: Array) -> Array:
    """The elements in reverse order of size, by a map that is its own inverse: −x, or −1 − x, which never overflows."""
    if x.dtype.kind == "b":
        return apply(ops.LOGICAL_NOT, x.node)
    if x.dtype.kind == "f":
        return apply(ops.NEGATIVE, x.node)
    last = -1 if x.dtype.kind == "i" else int(np.iinfo(x.dtype).max)
    return apply(ops.SUBTRACT, full(last, x.node.type), x.node)


def reduced(op: Op, x: Array, axis: int | Sequence[int] | None, keepdims: bool) -> Array:
    """A reduction over axes."""
    axes = normalized_axes(axis, x.ndim)
    result = apply(op, x.node, attributes=(axes,)) if axes else x
    if not keepdims:
        return result
    return reshape(result, tuple(1 if a in axes else n for a, n in enumerate(x.shape)))


def total(x: Array, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    """The sum over axes; booleans and small integers are counted in int64, as in NumPy."""
    if x.dtype.kind in "bi" and x.dtype != np.int64:
        x = astype(x, np.int64)
    elif x.dtype.kind == "u" and x.dtype != np.uint64:
        x = astype(x, np.uint64)
    return reduced(ops.SUM, x, axis, keepdims)


def mean(x: Array, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    """The mean over axes."""
    x = _as_float(x)
    count = math.prod(x.shape[a] for a in normalized_axes(axis, x.ndim))
    summed = total(x, axis, keepdims)
    return summed / count if count else summed * float("nan")


def astype(x: Array, dtype: Any) -> Array:
    """The same elements as another dtype."""
    wanted = checked_dtype(dtype)
    return x if x.dtype == wanted else apply(ops.CAST, x.node, attributes=(wanted.name,))


def viewed(x: Array, dtype: Any) -> Array:
    """The same bits as another dtype of the same size."""
    wanted = checked_dtype(dtype)
    return x if x.dtype == wanted else apply(ops.BITCAST, x.node, attributes=(wanted.name,))


def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    """The same elements, in row-major order, in another shape; one extent may be −1."""
    wanted = [shape] if isinstance(shape, int | np.integer) else list(shape)
    if wanted.count(-1) == 1:
        others = math.prod(n for n in wanted if n != -1)
        if others == 0 or x.size % others:
            raise ShapeError(f"cannot reshape {x.node.type} into {tuple(wanted)}: {x.size} elements do not divide.")
        wanted[wanted.index(-1)] = x.size // others
    extents = tuple(int(n) for n in wanted)
    return x if extents == x.shape else apply(ops.RESHAPE, x.node, attributes=(extents,))


def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """The axes in another order, reversed unless told."""
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(normalized_axis(a, x.ndim) for a in axes)
    return x if order == tuple(range(x.ndim)) else apply(ops.TRANSPOSE, x.node, attributes=(order,))


def moved_axis(x: Array, source: int, destination: int) -> Array:
    """One axis moved to another place, the others in their order."""
    order = [axis for axis in range(x.ndim) if axis != source]
    order.insert(destination, source)
    return transpose(x, order)


def contract(a: Array, b: Array, a_labels: Sequence[int], b_labels: Sequence[int], out: Sequence[int]) -> Array:
    """`out[o…] = Σ a[…] · b[…]` over the labels not in `out`, in the common dtype."""
    dtype = _common_dtype(a, b)
    left, right = (
        _summed_alone(astype(x, dtype), mine, other, out)
        for x, mine, other in ((a, tuple(a_labels), tuple(b_labels)), (b, tuple(b_labels), tuple(a_labels)))
    )
    return apply(ops.CONTRACT, left[0].node, right[0].node, attributes=(left[1], right[1], tuple(out)))


def _summed_alone(
    x: Array, mine: tuple[int, ...], other: tuple[int, ...], out: Sequence[int]
) -> tuple[Array, tuple[int, ...]]:
    """The operand with those axes summed that neither the other operand nor the result has."""
    alone = tuple(n for n, label in enumerate(mine) if label not in other and label not in out)
    return reduced(ops.SUM, x, alone, False) if alone else x, tuple(m for n, m in enumerate(mine) if n not in alone)


def matmul(a: Any, b: Any) -> Array:
    """The matrix product `a @ b`, with NumPy's rules for vectors and stacks of matrices."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else -1]:
        raise ShapeError(
            f"matmul: {a.node.type} @ {b.node.type}: the last axis of the first must equal "
            f"{'the second to last' if b.ndim > 1 else 'the only'} axis of the second.",
            cure="Transpose one of them, as in x @ w.T for weights of shape (out, in).",
        )
    stack = _stack_shape(a, b)
    rows, columns, inner = len(stack), len(stack) + 1, len(stack) + 2
    a_stack, a_kept = _stack_labels(a, len(stack))
    b_stack, b_kept = _stack_labels(b, len(stack))
    a_labels = [*a_stack, *([rows] if a.ndim > 1 else []), inner]
    b_labels = [*b_stack, *([inner, columns] if b.ndim > 1 else [inner])]
    out = [*range(len(stack)), *([rows] if a.ndim > 1 else []), *([columns] if b.ndim > 1 else [])]
    return _with_ones(
        contract(a_kept, b_kept, a_labels, b_labels, [n for n in out if n in {*a_labels, *b_labels}]),
        [1 if n not in {*a_labels, *b_labels} else None for n in out],
    )


def _stack_shape(a: Array, b: Array) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul: {a.node.type} @ {b.node.type}: the axes before the last two do not broadcast together."
        ) from None


def _stack_labels(x: Array, stack: int) -> tuple[list[int], Array]:
    """Labels for the stacking axes that are not of size one, and the array without those that are."""
    leading = x.shape[:-2]
    labels = [stack - len(leading) + n for n, extent in enumerate(leading) if extent != 1]
    kept = tuple(extent for extent in leading if extent != 1) + x.shape[-2:]
    return labels, reshape(x, kept)


def _with_ones(x: Array, extents: Sequence[int | None]) -> Array:
    """Axes of size one put in where the extents say 1."""
    own = iter(x.shape)
    return reshape(x, [next(own) if n is None else n for n in extents])


def gather(x: Array, index: Any) -> Array:
    """Rows `x[index]` for an integer array; negative indices count from the end."""
    rows = as_array(index)
    if rows.dtype.kind not in "iu":
        raise DTypeError(f"an index must be an integer, not {rows.node.type}.")
    if x.ndim == 0:
        raise ShapeError("an array without axes cannot be indexed.")
    if has_value(rows.node):
        positions = value(rows.node)
        if positions.size and (positions.min() < -x.shape[0] or positions.max() >= x.shape[0]):
            raise IndexError(f"index {positions.min()}…{positions.max()} is outside an axis of {x.shape[0]} elements")
        if positions.size and positions.min() < 0:
            rows = as_array(np.where(positions < 0, positions + x.shape[0], positions))
    elif rows.dtype.kind == "i":
        extent = Array(full(x.shape[0], rows.node.type))
        zero = Array(full(0, rows.node.type))
        negative = apply(ops.LESS, rows.node, zero.node)
        rows = apply(ops.SELECT, negative.node, (rows + extent).node, rows.node)
    return apply(ops.GATHER, x.node, rows.node)


def indexed(x: Array, key: Any) -> Array:
    """`x[key]` for integers, slices, `...`, None, and one integer array, which may come with full slices only."""
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = [k.value if isinstance(k, Array) and k.ndim == 0 and has_value(k.node) else k for k in keys]
    arrays = [k for k in keys if isinstance(k, Array | np.ndarray | list) and np.ndim(k) > 0 or isinstance(k, Array)]
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if used > x.ndim:
        raise IndexError(f"{used} indices for an array of {x.ndim} axes")
    if any(getattr(k, "dtype", None) == _BOOL for k in arrays):
        raise ShapeError("a boolean index has a shape that depends on values.", cure="Use np.where(mask, x, 0).")
    if arrays:
        return _array_indexed(x, keys, arrays)
    return _basic_indexed(x, keys, used)


def _array_indexed(x: Array, keys: list[Any], arrays: list[Any]) -> Array:
    position = next(n for n, k in enumerate(keys) if any(k is a for a in arrays))
    others = keys[:position] + keys[position + 1 :]
    if len(arrays) > 1 or any(not (isinstance(k, slice) and k == slice(None)) for k in others):
        raise ShapeError(
            "an integer array can index one axis here, with full slices for the others.",
            cure="Index in two steps: x[rows][:, 2:5].",
        )
    front = transpose(x, (position, *(a for a in range(x.ndim) if a != position)))
    rows = gather(front, arrays[0])
    width = rows.ndim - x.ndim + 1
    order = [*range(width, width + position), *range(width), *range(width + position, rows.ndim)]
    return transpose(rows, order)


def _basic_indexed(x: Array, keys: list[Any], used: int) -> Array:
    if not any(k is Ellipsis for k in keys):
        keys = [*keys, Ellipsis]
    dots = next(n for n, k in enumerate(keys) if k is Ellipsis)
    keys = keys[:dots] + [slice(None)] * (x.ndim - used) + keys[dots + 1 :]
    extents = iter(x.shape)
    ranges = [range(next(extents))[_position(k)] for k in keys if k is not None]
    spans = [r if isinstance(r, range) else range(r, r + 1) for r in ranges]
    start = tuple(r.start if len(r) else 0 for r in spans)
    size, step = tuple(len(r) for r in spans), tuple(r.step for r in spans)
    whole = size == x.shape and all(s == 1 for s in step)
    taken = x if whole else apply(ops.SLICE, x.node, attributes=(start, size, step))
    kept = iter(ranges)
    shape = [1 if k is None else n for k, n in ((k, None if k is None else _extent(next(kept))) for k in keys)]
    return reshape(taken, [n for n in shape if n is not None])


def _position(key: Any) -> Any:
    if isinstance(key, slice):
        return slice(*(None if part is None else operator.index(part) for part in (key.start, key.stop, key.step)))
    return operator.index(key)


def _extent(taken: range | int) -> int | None:
    return len(taken) if isinstance(taken, range) else None


class Array:
    """Stands for an array inside a transformation. Use it as a NumPy array; `chainrule.numpy` works on it."""

    __slots__ = ("node",)
    __array_priority__ = 1000
    node: Node

    def __init__(self, node: Node) -> None:
        self.node = node

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the axes."""
        return self.node.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.node.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.node.type.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.node.type.size

    @property
    def value(self) -> np.ndarray[Any, Any]:
        """The value as a NumPy array; TracingError inside `compile`."""
        return value(self.node)

    # Python asks for the value

    def _scalar(self, kind: Callable[[Any], Any]) -> Any:
        if self.size != 1:
            raise TracingError(
                f"{kind.__name__}() of an array of shape {self.shape}: only one element has one truth or value.",
                cure="Reduce it first, for example with np.all, np.any or np.sum.",
            )
        return kind(self.value.reshape(()).item())

    def __bool__(self) -> bool:
        return bool(self._scalar(bool))

    def __float__(self) -> float:
        return float(self._scalar(float))

    def __int__(self) -> int:
        return int(self._scalar(int))

    def __index__(self) -> int:
        return int(self._scalar(operator.index))

    def item(self) -> float | int | bool:
        """The only element, as a Python number."""
        return self._scalar(lambda x: x)  # type: ignore[no-any-return]

    # NumPy's own functions, given an Array, hand over to those of chainrule.numpy

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return _handed_over(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}", inputs, options)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        return _handed_over(function.__name__, inputs, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        raise TracingError(
            f"NumPy itself was given a traced array {self!r}, and would lose its derivative.",
            cure="Use the function of the same name in chainrule.numpy, or x.value for the plain value.",
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        return (self[n] for n in range(len(self)))

    def __repr__(self) -> str:
        known = np.array2string(self.value, threshold=6) if has_value(self.node) else "…"
        return f"Array({known}, {self.node.type})"

    __hash__ = None  # type: ignore[assignment]

    # operators

    __add__, __radd__ = _operator(ops.ADD), _operator(ops.ADD, swapped=True)
    __sub__, __rsub__ = _operator(ops.SUBTRACT), _operator(ops.SUBTRACT, swapped=True)
    __mul__, __rmul__ = _operator(ops.MULTIPLY), _operator(ops.MULTIPLY, swapped=True)
    __floordiv__, __rfloordiv__ = _operator(ops.FLOOR_DIVIDE), _operator(ops.FLOOR_DIVIDE, swapped=True)
    __mod__, __rmod__ = _operator(ops.REMAINDER), _operator(ops.REMAINDER, swapped=True)
    __lt__, __le__ = _operator(ops.LESS), _operator(ops.LESS_EQUAL)
    __gt__, __ge__ = _operator(ops.LESS, swapped=True), _operator(ops.LESS_EQUAL, swapped=True)
    __eq__, __ne__ = _operator(ops.EQUAL), _operator(ops.NOT_EQUAL)  # type: ignore[assignment]
    __and__, __rand__ = _operator(ops.BITWISE_AND), _operator(ops.BITWISE_AND, swapped=True)
    __or__, __ror__ = _operator(ops.BITWISE_OR), _operator(ops.BITWISE_OR, swapped=True)
    __xor__, __rxor__ = _operator(ops.BITWISE_XOR), _operator(ops.BITWISE_XOR, swapped=True)
    __lshift__, __rlshift__ = _operator(ops.LEFT_SHIFT), _operator(ops.LEFT_SHIFT, swapped=True)
    __rshift__, __rrshift__ = _operator(ops.RIGHT_SHIFT), _operator(ops.RIGHT_SHIFT, swapped=True)

    def __truediv__(self, other: Any) -> Array:
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Array:
        return divide(other, self)

    def __pow__(self, exponent: Any) -> Array:
        return _power(self, exponent)

    def __rpow__(self, base: Any) -> Array:
        return _power(base, self)

    def __matmul__(self, other: Any) -> Array:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Array:
        return matmul(other, self)

    def __getitem__(self, key: Any) -> Array:
        return indexed(self, key)

    def __setitem__(self, key: Any, elements: Any) -> None:
        raise TracingError(
            "a traced array cannot be changed in place.",
            cure="Make a new one, for example with np.where(mask, new, x) or np.concatenate([x[:1], new, x[2:]]).",
        )

    # methods

    @property
    def T(self) -> Array:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return transpose(self)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        """The sum over axes."""
        return total(self, axis, keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        """The mean over axes."""
        return mean(self, axis, keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        """The maximum over axes."""
        return reduced(ops.MAX, self, axis, keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        """The minimum over axes."""
        return mirrored(reduced(ops.MAX, mirrored(self), axis, keepdims))

    def reshape(self, *shape: Any) -> Array:
        """The same elements in another shape."""
        return reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Array:
        """The axes in another order."""
        return transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(self, dtype: Any) -> Array:
        """The same elements as another dtype."""
        return astype(self, dtype)

    def view(self, dtype: Any) -> Array:
        """The same bits as another dtype of the same size."""
        return viewed(self, dtype)

    def ravel(self) -> Array:
        """All elements along one axis."""
        return reshape(self, -1)

    flatten = ravel

    def dot(self, other: Any) -> Array:
        """The matrix product, for arrays of at most two axes."""
        return matmul(self, other)

    def __neg__(self) -> Array:
        return apply(ops.NEGATIVE, self.node)

    def __pos__(self) -> Array:
        return self

    def __abs__(self) -> Array:
        return apply(ops.ABSOLUTE, self.node)

    def __invert__(self) -> Array:
        return inverted(self)


_KNOWN = (Array, *_PLAIN, *_NUMBERS, *_SEQUENCES)
