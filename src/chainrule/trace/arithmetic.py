"""What operators do: elementwise operations, products and sums of operands that are promoted as NumPy does it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.graph.ops import Op
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply, astype, concatenated, mirrored, normalized_axes, reduced, reshape
from chainrule.trace.promotion import as_array, as_float, broadcast_shape, common_dtype, is_float, promoted

__all__ = [
    "binary", "bits", "contract", "divide", "every", "extreme", "matmul", "mean", "power",
    "product_of_rows", "taken", "total",
]  # fmt: skip

_BOOL = np.dtype(bool)
_NUMBERS, _SEQUENCES, _PLAIN = (bool, int, float), (list, tuple), (np.ndarray, np.generic)
_KNOWN = (Array, *_PLAIN, *_NUMBERS, *_SEQUENCES)
_UNKNOWN: Array = NotImplemented  # so that Python asks the other operand


# element by element


def binary(op: Op, a: Any, b: Any) -> Array:
    """An elementwise operation of two operands, after broadcasting and promotion."""
    if not (isinstance(a, _KNOWN) and isinstance(b, _KNOWN)):
        return _UNKNOWN
    left, right = _operands(op, a, b)
    result = apply(op, left.node, right.node)
    result.weak = _is_weak(a) and _is_weak(b)
    return result


def _is_weak(x: Any) -> bool:
    """Whether it is a number of Python's, or stands for one."""
    return x.weak if isinstance(x, Array) else type(x) in _NUMBERS


def _operands(op: Op, a: Any, b: Any) -> tuple[Array, Array]:
    if (type(a) is int or type(b) is int) and op in ops.COMPARISONS and (_is_beyond(a, b) or _is_beyond(b, a)):
        a, b = _compared_beyond(a), _compared_beyond(b)
    try:
        return promoted(a, b)
    except ValueError:
        broadcast_shape(op.name, a, b)
        raise


def _is_beyond(number: Any, other: Any) -> bool:
    """Whether it is an integer of Python's that the other's type does not hold."""
    if type(number) is not int or not isinstance(other, (Array, *_PLAIN)) or other.dtype.kind not in "iu":
        return False
    bounds = np.iinfo(other.dtype)
    return not bounds.min <= number <= bounds.max


def _compared_beyond(x: Any) -> Any:
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


def divide(a: Any, b: Any) -> Array:
    """`a / b`; integers and booleans among themselves are divided as float64."""
    if not (is_float(a) or is_float(b)):
        a, b = (_as_float64(x) if isinstance(x, (Array, *_PLAIN, *_SEQUENCES)) else x for x in (a, b))
    return binary(ops.DIVIDE, a, b)


def _as_float64(x: Any) -> Array:
    array = as_array(x)
    return Array(astype(array, np.float64).node, array.weak)


def power(base: Any, exponent: Any) -> Array:
    """`base ** exponent`."""
    if isinstance(exponent, int) and isinstance(base, Array) and base.dtype.kind in "iuf":
        if exponent == 2:
            return base * base
        if exponent < 0 and base.dtype.kind == "i":
            if not base.weak:
                raise ValueError("Integers to negative integer powers are not allowed.")  # as NumPy says it
            base = _as_float64(base)  # as Python has it
    if _is_half(exponent) and isinstance(base, Array) and base.dtype.kind == "f":
        _, x = promoted(exponent, base)
        root = apply(ops.SQRT, x.node)  # as NumPy has it, at −∞ and −0 too, where a power is something else
        return Array(root.node, _is_weak(base) and _is_weak(exponent))
    return binary(ops.POWER, base, exponent)


def _is_half(x: Any) -> bool:
    """Whether it is one plain number, ½."""
    return (isinstance(x, float) or (isinstance(x, _PLAIN) and not x.ndim)) and bool(x == 0.5)


# sums of products


def contract(a: Array, b: Array, a_labels: Sequence[int], b_labels: Sequence[int], out: Sequence[int]) -> Array:
    """`out[o…] = Σ a[…] · b[…]` over the labels not in `out`, in the common dtype; of booleans, whether any is true."""
    mine, other, kept = set(a_labels), set(b_labels), set(out)
    if a.dtype == b.dtype != _BOOL and mine ^ other <= kept:  # nothing to convert, nothing to add up beforehand
        labels = tuple(a_labels), tuple(b_labels), tuple(out)
        return apply(ops.CONTRACT, a.node, b.node, attributes=labels)
    dtype = common_dtype([a, b])
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


# over axes


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


def taken(x: Array, index: Any, axis: int) -> Array:
    """The slices along an axis that an integer array names."""
    return x[(*(slice(None),) * axis, as_array(index))]
