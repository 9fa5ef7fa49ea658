"""The Array: what stands for an array inside a transformation, recording what is done with it.

An Array holds a node of the graph and nothing else. Uncompiled, the leaves of the graph are known arrays, so every
Array has a value, computed when Python asks for it: `if`, `while` and `print` work, and `float` where no derivative is
lost by it (`plain`). Inside `compile` the leaves are arguments, and asking for a value is a TracingError that says what
to write instead.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, overload

import numpy as np

from chainrule.errors import ChainruleError, DTypeError, OptionError, ShapeError, TracingError, user_line
from chainrule.graph import ops
from chainrule.graph.forms import FORMS
from chainrule.graph.graph import Origin
from chainrule.graph.interpret import INTEGERS, NUMPY, has_value, value
from chainrule.graph.node import Data, Node, full, in_order, known
from chainrule.graph.ops import Op
from chainrule.graph.types import Type, checked_dtype
from chainrule.trace.plain import Request, plain_value, shown

__all__ = [
    "Array", "Recorder", "apply", "as_array", "as_float", "as_floats", "astype", "binary", "bits", "broadcast",
    "broadcast_shape", "carry_origins", "common_dtype", "concatenated", "contract", "diagonal", "divide", "every",
    "extreme", "immediately", "inverted", "is_float", "is_recording", "matmul", "may_change", "mean", "mirrored",
    "moved_axis", "namespace", "normalized_axes", "normalized_axis", "origins_of", "plain_array", "power",
    "product_of_rows", "promoted", "promoted_dtype", "recording", "reduced", "reshape", "root", "scope", "taken",
    "total", "transpose", "variable", "viewed", "without_arrays",
]  # fmt: skip

_BOOL = np.dtype(bool)
_REAL = (float, int)
_NUMBERS, _SEQUENCES, _PLAIN = (bool, int, float), (list, tuple), (np.ndarray, np.generic)


@dataclass(slots=True)
class Recorder:
    """Where the nodes made while it is active were written."""

    origins: dict[Node, tuple[Origin, ...]] = field(default_factory=dict)
    layer: str = ""
    backward_of: Node | None = None
    captured: dict[int, tuple[Any, Array]] = field(default_factory=dict)  # by identity, with what must live as long

    def capture(self, x: np.ndarray[Any, Any]) -> Array:
        """A plain array as part of the program, which reads it whenever it runs."""
        if id(x) not in self.captured:
            array = plain_array(x)
            turned = array.flags.f_contiguous and not array.flags.c_contiguous  # what is read is in row-major order
            found = Array(Node(ops.CONSTANT, (), (Data(array.T if turned else array.view(), shared=True),)))
            self.captured[id(x)] = x, transpose(found) if turned else found
        return self.captured[id(x)][1]

    def note(self, node: Node) -> None:
        """Remember where the node was written, and what it was made of that nobody wrote.

        A backward node belongs to the line of the one it answers for.
        """
        for part in node.inputs:
            if part not in self.origins and part.op not in ops.LEAVES:
                self.note(part)
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


def variable(x: Any) -> Array:
    """`x` as a node of its own, with which a derivative can be taken: equal to `x`, and distinct from it."""
    array = as_array(x)
    return Array(Node(ops.MARK, (array.node,), (next(_TAGS),)), array.weak)


def apply(op: Op, *inputs: Node, attributes: tuple[Any, ...] = ()) -> Array:
    """The result of an operation on nodes; of a formula that means more than it computes, what it means."""
    if _IMMEDIATELY.get():
        return Array(known(np.asarray(NUMPY[op](*map(value, inputs), *attributes))))
    node = Node(op, inputs, attributes)
    form = FORMS.get(op)
    node = (form and form(node)) or node
    recorder = _RECORDER.get()
    if recorder is not None:
        recorder.note(node)
    return Array(node)


class immediately:  # noqa: N801 - used as a word: with immediately()
    """While the block runs, operations are computed as they are written, and nothing is recorded."""

    __slots__ = ("_really", "_token")

    def __init__(self, *, really: bool = True) -> None:
        self._really = really

    def __enter__(self) -> None:
        self._token = _IMMEDIATELY.set(self._really)

    def __exit__(self, *problem: object) -> None:
        _IMMEDIATELY.reset(self._token)


_IMMEDIATELY: ContextVar[bool] = ContextVar("immediately", default=False)


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
    if isinstance(x, _SEQUENCES) and _holds_traced(x):
        return _joined(x)
    recorder = _RECORDER.get()
    if recorder is not None and isinstance(x, np.ndarray):
        return recorder.capture(x)
    return Array(known(_checked(x)))


def may_change(x: Array) -> bool:
    """Whether a program that uses `x` may find another value in it than it has now."""
    return any(n.op is ops.CONSTANT and n.attributes[0].shared for n in in_order([x.node]))


def _holds_traced(x: Any) -> bool:
    return isinstance(x, Array) or (isinstance(x, _SEQUENCES) and any(map(_holds_traced, x)))


def _joined(parts: Sequence[Any]) -> Array:
    """A list, of lists, of arrays and numbers, as one array."""
    arrays = [as_array(part) for part in parts]
    if len({a.shape for a in arrays}) > 1:
        raise ShapeError(f"a list of {' and '.join(str(a.node.type) for a in arrays)} is no array.")
    dtype = common_dtype(arrays)
    rows = [reshape(astype(a, dtype), (1, *a.shape)) for a in arrays]
    return apply(ops.CONCATENATE, *(r.node for r in rows), attributes=(0,))


def _checked(x: Any) -> np.ndarray[Any, Any]:
    """An array of its own: values are computed when they are asked for, and `x` may have been changed by then."""
    array = plain_array(x)
    return np.array(array, checked_dtype(array.dtype), order="C")


def plain_array(x: Any) -> np.ndarray[Any, Any]:
    """`x` as NumPy's array; DTypeError for a kind whose arithmetic is another, as np.matrix and masked arrays."""
    kind = type(x)
    if kind is not np.ndarray and isinstance(x, np.ndarray) and (kind.__mul__, kind.__array_ufunc__) != _ARITHMETIC:
        raise DTypeError(
            f"chainrule does not know the arithmetic of {kind.__name__}.", cure="Make it an array with np.asarray(x)."
        )
    return np.asarray(x)


def promoted(a: Any, b: Any) -> tuple[Array, Array]:
    """Two operands in NumPy's common dtype and shape. Python's own numbers take the other's dtype where they fit it."""
    if isinstance(a, Array):  # the commonest cases, at once
        mine = a.node.type
        if isinstance(b, Array):
            theirs = b.node.type
            if mine is theirs or mine == theirs:
                return a, b
        elif type(b) in _REAL and mine.is_float:
            return a, Array(full(b, mine))
    elif type(a) in _REAL and isinstance(b, Array) and b.node.type.is_float:
        return Array(full(a, b.node.type)), b
    a, b = (as_array(x) if isinstance(x, _SEQUENCES) else x for x in (a, b))
    dtype, a_shape, b_shape = _common_dtype(a, b), _shape(a), _shape(b)
    shape = a_shape if a_shape == b_shape else np.broadcast_shapes(a_shape, b_shape)
    return _fitted(a, shape, dtype), _fitted(b, shape, dtype)


def promoted_dtype(a: Any, b: Any) -> tuple[Array, Array]:
    """Two operands in NumPy's common dtype, each in its own shape."""
    first, second = as_array(a), as_array(b)
    dtype = common_dtype([first, second])
    return astype(first, dtype), astype(second, dtype)


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


def common_dtype(operands: Sequence[Any]) -> np.dtype[Any]:
    """The dtype that NumPy gives several operands in common; Python's own numbers fit in where they can."""
    return checked_dtype(np.result_type(*(_dtype_or_number(x) for x in operands)))


def _dtype_or_number(x: Any) -> Any:
    """The dtype of an array; a Python number itself, as only its value says which dtypes it fits."""
    if isinstance(x, Array):
        return 0.0 if x.weak else x.node.type.dtype
    if isinstance(x, _SEQUENCES):
        return as_array(x).dtype
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
    shapes = [_shape(as_array(x) if isinstance(x, _SEQUENCES) else x) for x in operands]
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
        return _UNKNOWN
    left, right = _operands(op, a, b)
    result = apply(op, left.node, right.node)
    result.weak = (_is_weak(a) and _is_weak(b)) and result.node.type.is_float
    return result


def _is_weak(x: Any) -> bool:
    """Whether it is a number of Python's, or stands for one."""
    return x.weak if isinstance(x, Array) else type(x) in _NUMBERS


def _operands(op: Op, a: Any, b: Any) -> tuple[Array, Array]:
    try:
        return promoted(a, b)
    except OverflowError:  # an integer of Python's that the other's type does not hold
        if op not in ops.COMPARISONS:
            raise
        return promoted(_beyond(a), _beyond(b))
    except ValueError:
        broadcast_shape(op.name, a, b)
        raise


def _beyond(x: Any) -> Any:
    """An integer of Python's that is larger or smaller than any other as infinity, and integers as float64."""
    return math.copysign(math.inf, x) if isinstance(x, int) else astype(as_array(x), np.float64)


def bits(op: Op, a: Any, b: Any) -> Array:
    """An operation on the bits of two operands, after broadcasting and promotion; of booleans, the logical one."""
    if not (isinstance(a, _KNOWN) and isinstance(b, _KNOWN)):
        return _UNKNOWN
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


@overload
def as_float(x: Array, narrow: bool = False) -> Array: ...
@overload
def as_float(x: Any, narrow: bool = False) -> Any: ...
def as_float(x: Any, narrow: bool = False) -> Any:
    """Integers and booleans as float64, as NumPy does it before a division.

    With `narrow`, integers of 16 bits as float32, as NumPy does it before a function of floating-point numbers.
    """
    if isinstance(x, Array) and not x.node.type.is_float:
        short = narrow and x.dtype.kind in "iu" and x.dtype.itemsize == 2
        return apply(ops.CAST, x.node, attributes=("float32" if short else "float64",))
    return x


def as_floats(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands of which one is of floating-point numbers: integers and booleans among themselves in float64."""
    return (a, b) if is_float(a) or is_float(b) else (astype(as_array(a), np.float64), b)


def divide(a: Any, b: Any) -> Array:
    """`a / b`; integers and booleans among themselves are divided as float64."""
    if not (is_float(a) or is_float(b)):
        a, b = (astype(as_array(x), np.float64) if isinstance(x, (Array, *_PLAIN, *_SEQUENCES)) else x for x in (a, b))
    return binary(ops.DIVIDE, a, b)


def is_float(x: Any) -> bool:
    """Whether an operand is of floating-point numbers."""
    return x.dtype.kind == "f" if isinstance(x, (Array, *_PLAIN)) else isinstance(x, float)


def power(base: Any, exponent: Any) -> Array:
    """`base ** exponent`."""
    if isinstance(exponent, int) and isinstance(base, Array) and base.dtype.kind in "iuf":
        if exponent == 2:
            return base * base
        if exponent < 0 and base.dtype.kind == "i":
            raise ValueError("Integers to negative integer powers are not allowed.")  # as NumPy says it
    if _is_half(exponent) and isinstance(base, Array) and base.dtype.kind == "f":
        _, x = promoted(exponent, base)
        return apply(ops.SQRT, x.node)  # as NumPy has it, at −∞ and −0 too, where a power is something else
    return binary(ops.POWER, base, exponent)


def _is_half(x: Any) -> bool:
    """Whether it is one plain number, ½."""
    return (isinstance(x, float) or (isinstance(x, _PLAIN) and not x.ndim)) and bool(x == 0.5)


def namespace() -> Any:
    """The functions of NumPy's that work on Arrays, which are written with them."""
    return import_module("chainrule.numpy")


_MODULES = ("numpy.fft", "numpy.linalg")


def _handed_over(
    name: str, original: Any, inputs: Any, options: Any, module: str = "numpy", method: str = "__call__"
) -> Any:
    """What chainrule.numpy's function of that name makes of it; without one, NumPy's own, if all is plain."""
    place = getattr(namespace(), module.removeprefix("numpy.")) if module in _MODULES else namespace()
    function = getattr(place, name, None) if name in place.__all__ else _of_scipy(name)
    if function is not None:
        return getattr(function, method)(*inputs, **options)
    if name in _TEXTS:
        return original(*_shown(inputs), **options)
    try:
        inputs, options = without_arrays((tuple(inputs), options))
    except ChainruleError:
        raise TracingError(
            f"{module}.{name} has no derivative in chainrule.",
            cure="See chainrule.numpy and chainrule.special for what has, and z = z.at[i].set(x) to change elements; "
            "of cr.stop_gradient(x) it is NumPy's own.",
        ) from None
    return original(*inputs, **options)


def _of_scipy(name: str) -> Any:
    """What SciPy's universal function of that name hands over to: that it is SciPy's, it does not say."""
    special = import_module("chainrule.special")
    return getattr(special, name, None) if name in special.__all__ else None


_TEXTS = frozenset({"array2string", "array_repr", "array_str"})


def _shown(inputs: Any) -> Iterator[Any]:
    return (shown(x.node) if isinstance(x, Array) else x for x in inputs)


def without_arrays(x: Any) -> Any:
    """An argument of NumPy's with plain arrays, to be read only, in place of Arrays, in lists too.

    DifferentiationError if a derivative would be lost by it; TracingError if a value is not known.
    """
    if isinstance(x, Array):
        return plain_value(x.node, _NUMPY)
    if type(x) in _SEQUENCES:
        return type(x)(map(without_arrays, x))
    return {key: without_arrays(part) for key, part in x.items()} if type(x) is dict else x


def _named(name: str, doc: str) -> Callable[..., Any]:
    """The method that is chainrule.numpy's function of that name."""

    def method(self: Array, *arguments: Any, **options: Any) -> Any:
        return getattr(namespace(), name)(self, *arguments, **options)

    method.__name__, method.__doc__ = name, doc
    return method


# structure: the operations that Array's methods and chainrule.numpy share


def normalized_axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """The axes as sorted non-negative numbers; None is all of them."""
    if axis is None:
        return tuple(range(rank))
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
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
    x = as_float(x)
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
    wanted = [shape] if isinstance(shape, (int, np.integer)) else list(shape)
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
    """`out[o…] = Σ a[…] · b[…]` over the labels not in `out`, in the common dtype; of booleans, whether any is true."""
    mine, other, kept = set(a_labels), set(b_labels), set(out)
    if a.dtype == b.dtype != _BOOL and mine ^ other <= kept:  # nothing to convert, nothing to add up beforehand
        labels = tuple(a_labels), tuple(b_labels), tuple(out)
        return apply(ops.CONTRACT, a.node, b.node, attributes=labels)
    dtype = _common_dtype(a, b)
    if dtype == _BOOL:
        return astype(contract(astype(a, np.int64), astype(b, np.int64), a_labels, b_labels, out), bool)
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


def concatenated(parts: Sequence[Array], axis: int) -> Array:
    """Arrays of one dtype, one after the other along an axis."""
    return apply(ops.CONCATENATE, *(p.node for p in parts), attributes=(axis,))


def taken(x: Array, index: Any, axis: int) -> Array:
    """The slices along an axis that an integer array names."""
    return x[(*(slice(None),) * axis, as_array(index))]


def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """A diagonal of two axes, as the last axis: every so many elements of the two as one."""
    rows, columns = normalized_axis(axis1, x.ndim), normalized_axis(axis2, x.ndim)
    if rows == columns:
        raise ShapeError(f"diagonal: axis {axis1} and axis {axis2} of {x.node.type} are the same.")
    others = [n for n in range(x.ndim) if n not in (rows, columns)]
    height, width = x.shape[rows], x.shape[columns]
    count = max(min(height + min(offset, 0), width - max(offset, 0)), 0)
    first = offset if offset >= 0 else -offset * width
    kept = tuple(x.shape[n] for n in others)
    flat = reshape(transpose(x, (*others, rows, columns)), (*kept, height * width))
    start, step = (*(0 for _ in kept), first if count else 0), (*(1 for _ in kept), width + 1)
    return apply(ops.SLICE, flat.node, attributes=(start, (*kept, count), step))


def every(x: Array, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Array:
    """Whether all elements over axes are true, or not zero."""
    failing = apply(ops.LOGICAL_NOT, astype(x, bool).node)
    return apply(ops.LOGICAL_NOT, reduced(ops.SUM, failing, axis, keepdims).node)


def extreme(x: Array, kind: str, axis: int | Sequence[int] | None, keepdims: bool) -> Array:
    """The "max" or the "min" over axes."""
    if kind == "max":
        return reduced(ops.MAX, x, axis, keepdims)
    return mirrored(reduced(ops.MAX, mirrored(x), axis, keepdims))


def product_of_rows(x: Array) -> Array:
    """The product over the first axis: its first half times its second, and so on."""
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] * x[half : 2 * half]
        x = concatenated([pairs, x[-1:]], 0) if len(x) % 2 else pairs
    return x[0] if len(x) else Array(full(1, x.node.type.with_shape(x.shape[1:])))


def root(x: Array) -> Array:
    """`√x` with the derivative 0 at 0, as that of a distance."""
    return apply(ops.ROOT, x.node)


class Array:
    """Stands for an array inside a transformation. Use it as a NumPy array; `chainrule.numpy` works on it.

    A `weak` one stands for a Python float, which takes the dtype of the arrays that it meets.
    """

    __slots__ = ("node", "weak")
    __array_priority__ = 1000
    node: Node
    weak: bool

    def __init__(self, node: Node, weak: bool = False) -> None:
        self.node = node
        self.weak = weak

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
        """The value as a NumPy array, to be read only.

        TracingError inside `compile`; DifferentiationError if a derivative would be lost by it.
        """
        return plain_value(self.node, _VALUE)

    # Python asks for the value: a truth or a whole number of it loses no derivative, any other number may

    def _only(self, kind: str, found: np.ndarray[Any, Any]) -> Any:
        if self.size != 1:
            raise TracingError(
                f"{kind}() of an array of shape {self.shape}: only one element has one truth or value.",
                cure="Reduce it first, for example with np.all, np.any or np.sum.",
            )
        return found.reshape(()).item()

    def __bool__(self) -> bool:
        return bool(self._only("bool", shown(self.node)))

    def __float__(self) -> float:
        return float(self._only("float", plain_value(self.node, _FLOAT)))

    def __int__(self) -> int:
        return int(self._only("int", shown(self.node, _WHOLE)))

    def __trunc__(self) -> int:
        return int(math.trunc(self._only("trunc", shown(self.node, _WHOLE))))

    def __floor__(self) -> int:
        return int(math.floor(self._only("floor", shown(self.node, _WHOLE))))

    def __ceil__(self) -> int:
        return int(math.ceil(self._only("ceil", shown(self.node, _WHOLE))))

    def __index__(self) -> int:
        found = shown(self.node, _WHOLE)
        if self.dtype.kind not in "iu" or self.ndim:
            raise DTypeError(f"an index or a count is a single integer, not {self.node.type}.", cure="Write int(x).")
        return int(found)

    def item(self) -> float | int | bool:
        """The only element, as a Python number; DifferentiationError if a derivative would be lost by it."""
        found: float | int | bool = self._only("item", plain_value(self.node, _ITEM))
        return found

    # NumPy's own functions and SciPy's special ones, given an Array, hand over to chainrule's

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return _handed_over(ufunc.__name__, getattr(ufunc, method), inputs, options, method=method)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        return _handed_over(function.__name__, function, inputs, options, function.__module__)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        found = plain_value(self.node, _NUMPY)
        if copy is False:
            raise OptionError("a traced array has no memory that NumPy could share.", cure="Leave copy=False out.")
        return np.array(found, dtype)

    def __len__(self) -> int:
        if not self.shape:
            cure = INTEGERS if self.dtype.kind in "iu" else ""
            raise TracingError(f"an array without axes, {self.node.type}, has no elements to go through.", cure=cure)
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        return (self[n] for n in range(len(self)))

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: Any) -> Array:
        return self  # as none is ever changed

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled it becomes a constant; DifferentiationError if a derivative would be lost by it."""
        return as_array, (np.array(plain_value(self.node, _PICKLE)),)

    def __format__(self, form: str) -> str:
        return format(self._only("format", shown(self.node)), form) if form else str(self)

    def __repr__(self) -> str:
        known = np.array2string(shown(self.node), threshold=6) if has_value(self.node) else "…"
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
        return power(self, exponent)

    def __rpow__(self, base: Any) -> Array:
        return power(base, self)

    def __matmul__(self, other: Any) -> Array:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Array:
        return matmul(other, self)

    def __getitem__(self, key: Any) -> Array:
        found: Array = import_module("chainrule.numpy.indexing").indexed(self, key)
        return found

    @property
    def at(self) -> Any:
        """Changed copies: `x.at[key].set(v)`, and `add`, `subtract`, `multiply`, `divide`, `min`, `max`, `get`."""
        return import_module("chainrule.numpy.indexing").at(self)

    def __setitem__(self, key: Any, elements: Any) -> None:
        raise TracingError(
            "a traced array cannot be changed in place.",
            cure="Make a new one, for example with x.at[1:3].set(new) or np.where(mask, new, x).",
        )

    # methods

    @property
    def T(self) -> Array:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return transpose(self)

    sum = _named("sum", "The sum over axes.")
    prod = _named("prod", "The product over axes.")
    mean = _named("mean", "The mean over axes.")
    var = _named("var", "The variance over axes.")
    std = _named("std", "The standard deviation over axes.")
    max = _named("max", "The maximum over axes.")
    min = _named("min", "The minimum over axes.")
    any = _named("any", "Whether any element over axes is true.")
    all = _named("all", "Whether all elements over axes are true.")
    argmax = _named("argmax", "The position of the first largest element.")
    argmin = _named("argmin", "The position of the first smallest element.")
    cumsum = _named("cumsum", "The running sum along an axis.")
    cumprod = _named("cumprod", "The running product along an axis.")
    argsort = _named("argsort", "The positions that put an axis in order.")
    argpartition = _named("argpartition", "The positions that put some places of an axis in order.")
    nonzero = _named("nonzero", "The places of what is not zero.")
    choose = _named("choose", "At each place the element there of the choice with that number.")
    searchsorted = _named("searchsorted", "Where values belong in this array, which is in order.")
    clip = _named("clip", "The elements, taken to the nearer bound where they lie outside.")
    round = _named("round", "The nearest number of so many decimals.")
    conj = conjugate = _named("conj", "The elements themselves, as they are real.")
    squeeze = _named("squeeze", "Without axes of size one.")
    swapaxes = _named("swapaxes", "Two axes exchanged.")
    repeat = _named("repeat", "Each element so many times.")
    take = _named("take", "Elements by integer index.")
    diagonal = _named("diagonal", "A diagonal of two axes.")
    trace = _named("trace", "The sum over a diagonal.")
    dot = _named("dot", "The product with another array: of matrices, of matrices and vectors, of vectors.")

    def compress(self, condition: Any, axis: int | None = None, out: None = None) -> Array:
        """The slices along an axis where a condition holds."""
        found: Array = namespace().compress(condition, self, axis, out)
        return found

    def copy(self, order: str = "C") -> Array:
        """The array itself, as none is ever changed."""
        return self

    def tolist(self) -> Any:
        """The values as lists of Python numbers.

        TracingError inside `compile`; DifferentiationError if a derivative would be lost by it.
        """
        return plain_value(self.node, _LIST).tolist()

    @property
    def mT(self) -> Array:  # noqa: N802 - NumPy's name
        """The last two axes exchanged."""
        found: Array = namespace().matrix_transpose(self)
        return found

    @property
    def real(self) -> Array:
        """The elements themselves."""
        return self

    @property
    def imag(self) -> Array:
        """Zeros."""
        found: Array = namespace().imag(self)
        return found

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.itemsize

    @property
    def device(self) -> str:
        """Where the elements are."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: None = None) -> Array:
        """The array itself: there is one device, the "cpu"."""
        if device != "cpu" or stream is not None:
            raise OptionError(f"there is no device {device!r} with the stream {stream!r}, only 'cpu' without one.")
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The functions of the Python array API standard for Arrays: `chainrule.numpy`."""
        face = import_module("chainrule.numpy")
        if api_version is not None and api_version > face.__array_api_version__:
            raise OptionError(f"chainrule.numpy follows {face.__array_api_version__}, not {api_version}.")
        return face

    def __divmod__(self, other: Any) -> tuple[Array, Array]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Array, Array]:
        return other // self, other % self

    def __round__(self, decimals: int = 0) -> Array:
        found: Array = self.round(decimals)
        return found

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Array:
        """The same elements in another shape."""
        found: Array = namespace().reshape(self, shape[0] if len(shape) == 1 else shape, order)
        return found

    def transpose(self, *axes: Any) -> Array:
        """The axes in another order."""
        return transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
    ) -> Array:
        """The same elements as another dtype; DTypeError if `casting` does not allow it."""
        if casting != "unsafe" and not np.can_cast(self.dtype, dtype, casting):
            raise DTypeError(f"{self.node.type} cannot be cast to {np.dtype(dtype)} by the rule {casting!r}.")
        return astype(self, dtype)

    def view(self, dtype: Any) -> Array:
        """The same bits as another dtype of the same size."""
        return viewed(self, dtype)

    def ravel(self, order: str = "C") -> Array:
        """All elements along one axis."""
        found: Array = namespace().ravel(self, order)
        return found

    flatten = ravel

    def __neg__(self) -> Array:
        return Array(apply(ops.NEGATIVE, self.node).node, self.weak)

    def __pos__(self) -> Array:
        return self

    def __abs__(self) -> Array:
        return apply(ops.ABSOLUTE, self.node)

    def __invert__(self) -> Array:
        return inverted(self)


_ARITHMETIC = (np.ndarray.__mul__, np.ndarray.__array_ufunc__)
_KNOWN = (Array, *_PLAIN, *_NUMBERS, *_SEQUENCES)
_UNKNOWN: Array = NotImplemented  # so that Python asks the other operand

_WHOLE = (
    "Use cr.scan or cr.while_loop for a loop of so many rounds, np.take(x, i, axis=0) in place of x[i] for a plain x."
)
_FLOAT = Request(
    "float()",
    "Use the function of chainrule.numpy, as np.log(x) in place of math.log(x) and np.sum in place of math.fsum; "
    "np.stack([x, y]), or z = np.zeros_like(x) and z = z.at[i].set(x), in place of z[i] = x; f'{x:.3f}' to print.",
)
_NUMPY = Request(
    "NumPy itself",
    "Use the function of the same name in chainrule.numpy, np.take(x, i, axis=0) or np.asarray(x)[i] in place of x[i] "
    "for a plain x, and z = z.at[i].set(x) of a traced z in place of z[i] = x.",
)
_VALUE, _ITEM, _LIST, _PICKLE = (
    Request(who, "Go on with x itself, by the functions of chainrule.numpy.")
    for who in ("x.value", "x.item()", "x.tolist()", "pickle")
)
