"""The Array: what stands for an array inside a transformation, recording what is done with it.

An Array holds a node of the graph and nothing else. Uncompiled, the leaves of the graph are known arrays, so every
Array has a value, computed when Python asks for it: `if`, `while` and `print` work, and `float` where no derivative is
lost by it (`plain`). Inside `compile` the leaves are arguments, and asking for a value is a TracingError that says what
to write instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar, Protocol

import numpy as np

from chainrule.errors import DTypeError, OptionError, TracingError
from chainrule.graph import ops
from chainrule.graph.interpret import INTEGERS, has_value
from chainrule.graph.node import Node
from chainrule.graph.ops import Op
from chainrule.trace.plain import Request, plain_value, shown

__all__ = ["NUMPY_ITSELF", "Array", "Language", "Maybe"]


class Language(Protocol):
    """What the operators and methods of Arrays say: functions that are written with Arrays, a layer above them.

    `chainrule.numpy` says where they are as it is loaded: `Array.language`, all that Arrays know of what is above them.
    """

    @property
    def namespace(self) -> ModuleType:
        """The functions of NumPy's names."""

    def binary(self, op: Op, a: Any, b: Any) -> Array:
        """An operation of two operands, after broadcasting and promotion."""

    def bits(self, op: Op, a: Any, b: Any) -> Array:
        """An operation on the bits of two operands."""

    def divide(self, a: Any, b: Any) -> Array:
        """`a / b`."""

    def power(self, base: Any, exponent: Any) -> Array:
        """`base ** exponent`."""

    def matmul(self, a: Any, b: Any) -> Array:
        """`a @ b`."""

    def of_one(self, op: Op, x: Array) -> Array:
        """An operation of one operand."""

    def inverted(self, x: Array) -> Array:
        """`~x`."""

    def indexed(self, x: Array, key: Any) -> Array:
        """`x[key]`."""

    def at(self, x: Array) -> Any:
        """`x.at`."""

    def transpose(self, x: Array, axes: Any = None) -> Array:
        """The axes in another order."""

    def astype(self, x: Array, dtype: Any) -> Array:
        """The same elements as another dtype."""

    def viewed(self, x: Array, dtype: Any) -> Array:
        """The same bits as another dtype."""

    def over_axes(self, function: Any, method: str, *arguments: Any, **options: Any) -> Any:
        """What a universal function does along axes: `np.add.reduce` and the like."""

    def handed_over(
        self, name: str, original: Any, inputs: Any, options: Any, module: str = "numpy", method: str = "__call__"
    ) -> Any:
        """What a function of NumPy's or SciPy's makes of Arrays."""

    def unpickled(self, value: Any) -> Array:
        """A constant of this value; found by name, where it is loaded."""


def _operator(op: Op, *, swapped: bool = False) -> Callable[[Array, Any], Array]:
    def method(self: Array, other: Any) -> Array:
        return self.language.binary(op, other, self) if swapped else self.language.binary(op, self, other)

    def of_bits(self: Array, other: Any) -> Array:
        return self.language.bits(op, other, self) if swapped else self.language.bits(op, self, other)

    return of_bits if op in ops.BITWISE else method


def _named(name: str, doc: str) -> Callable[..., Any]:
    """The method that is chainrule.numpy's function of that name."""

    def method(self: Array, *arguments: Any, **options: Any) -> Any:
        return getattr(self.language.namespace, name)(self, *arguments, **options)

    method.__name__, method.__doc__ = name, doc
    return method


class Array:
    """Stands for an array inside a transformation. Use it as a NumPy array; `chainrule.numpy` works on it.

    A `weak` one stands for a number of Python's, which takes the dtype of the arrays that it meets.
    """

    __slots__ = ("node", "weak")
    __array_priority__ = 1000
    language: ClassVar[Language]
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
        return self.language.handed_over(ufunc.__name__, getattr(ufunc, method), inputs, options, method=method)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        return self.language.handed_over(function.__name__, function, inputs, options, function.__module__)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        found = plain_value(self.node, NUMPY_ITSELF)
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
        return self.language.unpickled, (np.array(plain_value(self.node, _PICKLE)),)

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
        return self.language.divide(self, other)

    def __rtruediv__(self, other: Any) -> Array:
        return self.language.divide(other, self)

    def __pow__(self, exponent: Any) -> Array:
        return self.language.power(self, exponent)

    def __rpow__(self, base: Any) -> Array:
        return self.language.power(base, self)

    def __matmul__(self, other: Any) -> Array:
        return self.language.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Array:
        return self.language.matmul(other, self)

    def __getitem__(self, key: Any) -> Array:
        return self.language.indexed(self, key)

    @property
    def at(self) -> Any:
        """Changed copies: `x.at[key].set(v)`, and `add`, `subtract`, `multiply`, `divide`, `min`, `max`, `get`."""
        return self.language.at(self)

    def __setitem__(self, key: Any, elements: Any) -> None:
        raise TracingError(
            "a traced array cannot be changed in place.",
            cure="Make a new one, for example with x.at[1:3].set(new) or np.where(mask, new, x).",
        )

    # methods

    @property
    def T(self) -> Array:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return self.language.transpose(self)

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
    argpartition = _named("argpartition", "The positions that put some elements of an axis where they belong in order.")
    nonzero = _named("nonzero", "The positions of what is not zero.")
    choose = _named("choose", "At each position the element there of the choice with that number.")
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
        found: Array = self.language.namespace.compress(condition, self, axis, out)
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
        found: Array = self.language.namespace.matrix_transpose(self)
        return found

    @property
    def real(self) -> Array:
        """The elements themselves."""
        return self

    @property
    def imag(self) -> Array:
        """Zeros."""
        found: Array = self.language.namespace.imag(self)
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
        namespace = self.language.namespace
        if api_version is not None and api_version > namespace.__array_api_version__:
            raise OptionError(f"chainrule.numpy follows {namespace.__array_api_version__}, not {api_version}.")
        return namespace

    def __divmod__(self, other: Any) -> tuple[Array, Array]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Array, Array]:
        return other // self, other % self

    def __round__(self, decimals: int = 0) -> Array:
        found: Array = self.round(decimals)
        return found

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Array:
        """The same elements in another shape."""
        found: Array = self.language.namespace.reshape(self, shape[0] if len(shape) == 1 else shape, order)
        return found

    def transpose(self, *axes: Any) -> Array:
        """The axes in another order."""
        return self.language.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
    ) -> Array:
        """The same elements as another dtype; DTypeError if `casting` does not allow it."""
        if casting != "unsafe" and not np.can_cast(self.dtype, dtype, casting):
            raise DTypeError(f"{self.node.type} cannot be cast to {np.dtype(dtype)} by the rule {casting!r}.")
        return self.language.astype(self, dtype)

    def view(self, dtype: Any) -> Array:
        """The same bits as another dtype of the same size."""
        return self.language.viewed(self, dtype)

    def ravel(self, order: str = "C") -> Array:
        """All elements along one axis."""
        found: Array = self.language.namespace.ravel(self, order)
        return found

    flatten = ravel

    def __neg__(self) -> Array:
        return Array(self.language.of_one(ops.NEGATIVE, self).node, self.weak)

    def __pos__(self) -> Array:
        return self

    def __abs__(self) -> Array:
        return Array(self.language.of_one(ops.ABSOLUTE, self).node, self.weak)

    def __invert__(self) -> Array:
        return self.language.inverted(self)


Maybe = Array | None

_WHOLE = (
    "Use cr.scan or cr.while_loop for a loop of so many rounds, np.take(x, i, axis=0) in place of x[i] for a plain x."
)
_FLOAT = Request(
    "float()",
    "Use the function of chainrule.numpy, as np.log(x) in place of math.log(x) and np.sum in place of math.fsum; "
    "np.stack([x, y]), or z = np.zeros_like(x) and z = z.at[i].set(x), in place of z[i] = x; f'{x:.3f}' to print.",
)
NUMPY_ITSELF = Request(
    "NumPy itself",
    "Use the function of the same name in chainrule.numpy, np.take(x, i, axis=0) or np.asarray(x)[i] in place of x[i] "
    "for a plain x, and z = z.at[i].set(x) of a traced z in place of z[i] = x.",
)
_VALUE, _ITEM, _LIST, _PICKLE = (
    Request(who, "Go on with x itself, by the functions of chainrule.numpy.")
    for who in ("x.value", "x.item()", "x.tolist()", "pickle")
)
