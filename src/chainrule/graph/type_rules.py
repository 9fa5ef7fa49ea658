"""The type of each operation's result, from its inputs' types and its attributes.

A rule raises ShapeError or DTypeError, so no node that breaks one can be made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, GraphError, ShapeError
from chainrule.graph import ops
from chainrule.graph.ops import Op
from chainrule.graph.types import Several, Type, checked_dtype, type_of

__all__ = ["TYPE_RULES", "result_type"]

_BOOL = np.dtype(bool)
TypeRule = Callable[..., Any]  # a Type; Several for operations with several results


def result_type(op: Op, inputs: Sequence[Type], attributes: tuple[Any, ...]) -> Any:
    """The type of `op` applied to inputs of these types."""
    if op.arity is not None and len(inputs) != op.arity:
        raise GraphError(f"{op} takes {op.arity} inputs, not {len(inputs)}.")
    if len(attributes) != len(op.attributes):
        raise GraphError(f"{op} has the attributes {op.attributes}, not {attributes!r}.")
    return TYPE_RULES[op](*inputs, *attributes)


def _listed(types: Sequence[Type]) -> str:
    return " and ".join(map(str, types))


def _same(op: Op, first: Type, *others: Type) -> Type:
    for other in others:
        if other is not first and other != first:
            raise ShapeError(f"{op} needs inputs of one shape and dtype, not {_listed((first, *others))}.")
    return first


def _elementwise(op: Op) -> TypeRule:
    return lambda *types: _same(op, *types)


def _numbers_only(op: Op) -> TypeRule:
    def rule(*types: Type) -> Type:
        if types[0].dtype.kind == "b":
            raise DTypeError(f"{op} needs numbers, not {_listed(types)}.", cure="Cast first: x.astype(np.int64).")
        return _same(op, *types)

    return rule


def _float_only(op: Op) -> TypeRule:
    def rule(*types: Type) -> Type:
        if not types[0].is_float:
            raise DTypeError(
                f"{op} needs floating-point numbers, not {_listed(types)}.", cure="Cast first: x.astype(np.float32)."
            )
        return _same(op, *types)

    return rule


def _integers_only(op: Op) -> TypeRule:
    def rule(*types: Type) -> Type:
        if types[0].dtype.kind not in "iu":
            raise DTypeError(f"{op} needs integers, not {_listed(types)}.")
        return _same(op, *types)

    return rule


def _bitcast(x: Type, dtype: str) -> Type:
    result = x.with_dtype(checked_dtype(dtype))
    if x.dtype.itemsize != result.dtype.itemsize or (x.dtype.kind == "b") != (result.dtype.kind == "b"):
        raise DTypeError(f"bitcast: the bits of {x} are none of {result.dtype}.")
    return result


def _comparison(op: Op) -> TypeRule:
    return lambda a, b: _same(op, a, b).with_dtype(_BOOL)


def _logical(op: Op) -> TypeRule:
    def rule(*types: Type) -> Type:
        if types[0].dtype != _BOOL:
            raise DTypeError(f"{op} needs booleans, not {types[0]}.")
        return _same(op, *types)

    return rule


def _leaf(_: Any, type_: Type) -> Type:
    return type_


def _iota(axis: int, type_: Type) -> Type:
    _check_axes("iota", type_, (axis,))
    return type_


def _divide(a: Type, b: Type) -> Type:
    if not a.is_float:
        raise DTypeError(f"divide needs floating-point numbers, not {a}.")
    return _same(ops.DIVIDE, a, b)


def _select(condition: Type, a: Type, b: Type) -> Type:
    if condition != a.with_dtype(_BOOL):
        raise ShapeError(f"select needs a bool condition of the values' shape, not {condition} for {_listed((a, b))}.")
    return _same(ops.SELECT, a, b)


def _check_axes(name: str, x: Type, axes: Sequence[int]) -> None:
    if len(set(axes)) != len(axes) or any(not 0 <= axis < x.rank for axis in axes):
        raise ShapeError(f"{name}: {tuple(axes)} are not distinct axes of {x}.")


def _reduction(name: str, empty_is_defined: bool) -> TypeRule:
    def rule(x: Type, axes: tuple[int, ...]) -> Type:
        _check_axes(name, x, axes)
        if not empty_is_defined and any(x.shape[axis] == 0 for axis in axes):
            raise ShapeError(f"{name} of no elements is not defined: {x} over axes {axes}.")
        return x.with_shape(tuple(n for axis, n in enumerate(x.shape) if axis not in axes))

    return rule


def _contract(a: Type, b: Type, a_labels: tuple[int, ...], b_labels: tuple[int, ...], out: tuple[int, ...]) -> Type:
    if a.dtype != b.dtype or a.dtype == _BOOL:
        raise DTypeError(f"contract needs two arrays of one dtype of numbers, not {a} and {b}.")
    if len(a_labels) != a.rank or len(b_labels) != b.rank:
        raise GraphError(f"contract: labels {a_labels} and {b_labels} do not fit {a} and {b}.")
    for labels in (a_labels, b_labels, out):
        if len(set(labels)) != len(labels):
            raise GraphError(f"contract: a label stands twice in {labels}.")
    sizes = dict(zip(a_labels, a.shape, strict=True))
    for label, size in zip(b_labels, b.shape, strict=True):
        if sizes.setdefault(label, size) != size:
            raise ShapeError(f"contract: {a} and {b} differ in a shared axis: {sizes[label]} and {size}.")
    if not set(out) <= set(sizes) or any((x in a_labels) != (x in b_labels) for x in set(sizes) - set(out)):
        raise GraphError(f"contract: summed labels must be in both inputs: {a_labels}, {b_labels} -> {out}.")
    return Type(tuple(sizes[label] for label in out), a.dtype)


def _reshape(x: Type, shape: tuple[int, ...]) -> Type:
    result = x.with_shape(shape)
    if result.size != x.size or min(shape, default=0) < 0:
        raise ShapeError(f"cannot reshape {x} into {shape}: {x.size} elements into {result.size}.")
    return result


def _transpose(x: Type, axes: tuple[int, ...]) -> Type:
    if sorted(axes) != list(range(x.rank)):
        raise ShapeError(f"transpose: {axes} is no order of the axes of {x}.")
    return x.with_shape(tuple(x.shape[axis] for axis in axes))


def _broadcast(x: Type, shape: tuple[int, ...], axes: tuple[int, ...]) -> Type:
    if len(axes) != x.rank or list(axes) != sorted(set(axes)) or any(not 0 <= axis < len(shape) for axis in axes):
        raise ShapeError(f"broadcast: {axes} does not place the axes of {x} in {shape}.")
    if min(shape, default=0) < 0 or any(n not in (1, shape[axis]) for n, axis in zip(x.shape, axes, strict=True)):
        raise ShapeError(f"cannot broadcast {x} to the shape {shape}.")
    return x.with_shape(shape)


def _slice(x: Type, start: tuple[int, ...], size: tuple[int, ...], step: tuple[int, ...]) -> Type:
    if not len(start) == len(size) == len(step) == x.rank:
        raise ShapeError(f"slice: {start}, {size}, {step} do not have one number for each axis of {x}.")
    for n, first, count, stride in zip(x.shape, start, size, step, strict=True):
        last = first + (count - 1) * stride
        if count < 0 or stride == 0 or (count > 0 and not (0 <= first < n and 0 <= last < n)):
            raise ShapeError(f"slice: {start} with {size} steps of {step} leaves {x}.")
    return x.with_shape(size)


def _pad(x: Type, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]) -> Type:
    if not len(low) == len(high) == len(interior) == x.rank or min((*low, *high, *interior), default=0) < 0:
        raise ShapeError(f"pad: {low}, {high}, {interior} is no padding of {x}.")
    sizes = zip(x.shape, low, high, interior, strict=True)
    return x.with_shape(tuple(n + below + above + max(n - 1, 0) * between for n, below, above, between in sizes))


def _concatenate(*arguments: Any) -> Type:
    types, axis = arguments[:-1], arguments[-1]
    if not types:
        raise ShapeError("concatenate needs at least one array.")
    first: Type = types[0]
    _check_axes("concatenate", first, (axis,))
    if any(t.dtype != first.dtype or _without(t, axis) != _without(first, axis) for t in types):
        raise ShapeError(f"cannot concatenate {_listed(types)} along axis {axis}.")
    joined = sum(t.shape[axis] for t in types)
    return first.with_shape((*first.shape[:axis], joined, *first.shape[axis + 1 :]))


def _without(type_: Type, axis: int) -> tuple[int, ...]:
    return type_.shape[:axis] + type_.shape[axis + 1 :]


def _check_index(name: str, x: Type, index: Type) -> None:
    if index.dtype.kind not in "iu":
        raise DTypeError(f"{name} needs integer indices, not {index}.")
    if x.rank == 0 or (x.shape[0] == 0 and index.size > 0):
        raise ShapeError(f"{name}: {x} has no rows to index.")


def _gather(x: Type, index: Type) -> Type:
    _check_index("gather", x, index)
    return x.with_shape(index.shape + x.shape[1:])


def _scatter_add(x: Type, index: Type, updates: Type) -> Type:
    _check_index("scatter_add", x, index)
    if updates != x.with_shape(index.shape + x.shape[1:]):
        raise ShapeError(f"scatter_add: updates {updates} do not fit rows of {x} at {index}.")
    return x


def _custom(*arguments: Any) -> Several:
    *inputs, _, results = arguments
    return Several(tuple(inputs[:results]))


def _types(nodes: Sequence[Any]) -> list[Type]:
    """Those of the inputs or outputs of a program inside an operation."""
    return [node.type for node in nodes]


def _check_fits(name: str, program: Any, given: Sequence[Type]) -> None:
    wanted = _types(program.inputs)
    if wanted != list(given):
        raise GraphError(f"{name}: its program takes {_listed(wanted)}, not {_listed(given)}.")


def _scan(*arguments: Any) -> Several:
    *inputs, body, carried, stepped, length, _ = arguments
    rows = [_row("scan", array, length) for array in inputs[carried : carried + stepped]]
    _check_fits("scan", body, [*inputs[:carried], *rows, *inputs[carried + stepped :]])
    results = _types(body.outputs)
    _check_carried("scan", inputs[:carried], results[:carried])
    return Several((*results[:carried], *(t.with_shape((length, *t.shape)) for t in results[carried:])))


def _row(name: str, array: Type, length: int) -> Type:
    if array.rank == 0 or array.shape[0] != length:
        raise ShapeError(f"{name}: {array} does not have {length} rows.")
    return array.with_shape(array.shape[1:])


def _check_carried(name: str, before: Sequence[Type], after: Sequence[Type]) -> None:
    if list(before) != list(after):
        raise ShapeError(
            f"{name}: what is carried must keep its types, but {_listed(before)} becomes {_listed(after)}."
        )


def _while(*arguments: Any) -> Several:
    *inputs, condition, body, carried = arguments
    _check_fits("while", condition, inputs)
    _check_fits("while", body, inputs)
    _check_truth("while", _types(condition.outputs))
    results = _types(body.outputs)
    _check_carried("while", inputs[:carried], results)
    return Several(tuple(results))


def _check_truth(name: str, types: Sequence[Type]) -> None:
    if list(types) != [Type((), _BOOL)]:
        raise DTypeError(f"{name}: the condition must be one bool, not {_listed(types)}.")


def _cond(*arguments: Any) -> Several:
    condition, *inputs, if_true, if_false = arguments
    _check_truth("cond", [condition])
    for program in (if_true, if_false):
        _check_fits("cond", program, inputs)
    results, others = _types(if_true.outputs), _types(if_false.outputs)
    if results != others:
        raise ShapeError(f"cond: one branch gives {_listed(results)}, the other {_listed(others)}.")
    return Several(tuple(results))


def _argsort(x: Type, axis: int) -> Type:
    _check_axes("argsort", x, (axis,))
    return x.with_dtype("int64")


def _check_matrices(name: str, a: Type) -> None:
    if not a.is_float:
        raise DTypeError(f"{name} needs floating-point numbers, not {a}.", cure="Cast first: x.astype(np.float64).")
    if a.rank < 2:
        raise ShapeError(f"{name} needs matrices, not {a}.")


def _check_square(name: str, a: Type) -> None:
    _check_matrices(name, a)
    if a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, not {a}.")


def _solve(a: Type, b: Type) -> Type:
    _check_square("solve", a)
    if b.dtype != a.dtype or b.rank != a.rank or b.shape[:-1] != a.shape[:-1]:
        raise ShapeError(f"solve: {a} and {b} are no matrices and right-hand sides of them.")
    return b


def _cholesky(a: Type) -> Type:
    _check_square("cholesky", a)
    return a


def _slogdet(a: Type) -> Type:
    _check_square("slogdet", a)
    return a.with_shape((*a.shape[:-2], 2))


def _eigh(a: Type, triangle: str) -> Type:
    _check_square("eigh", a)
    if triangle not in ("L", "U"):
        raise GraphError(f"eigh: the triangle is 'L' or 'U', not {triangle!r}.")
    return a.with_shape((*a.shape[:-1], 1 + a.shape[-1]))


def _svd(a: Type) -> Type:
    _check_matrices("svd", a)
    *stack, rows, columns = a.shape
    return a.with_shape((*stack, min(rows, columns), rows + 1 + columns))


def _qr(a: Type) -> Type:
    _check_matrices("qr", a)
    *stack, rows, columns = a.shape
    if columns > rows:
        raise ShapeError(f"qr: {a} has more columns than rows.")
    return a.with_shape((*stack, columns, rows + columns))


def _pinv(a: Type, cutoff: Type) -> Type:
    _check_matrices("pinv", a)
    if cutoff != a.with_shape(a.shape[:-2]):
        raise ShapeError(f"pinv: {cutoff} is not one number for each matrix of {a}.")
    return a.with_shape((*a.shape[:-2], a.shape[-1], a.shape[-2]))


_FLOAT_UNARY = (
    ops.EXP, ops.EXPM1, ops.LOG, ops.LOG1P, ops.TANH, ops.LOGISTIC, ops.EXPIT, ops.RELU, ops.SQRT, ops.ROOT, ops.SIN,
    ops.COS, ops.TAN, ops.ARCSIN, ops.ARCCOS, ops.ARCTAN, ops.SINH, ops.COSH, ops.ARCSINH, ops.ARCCOSH, ops.ARCTANH,
    ops.EXP2, ops.LOG2, ops.LOG10, ops.CBRT, ops.ERF, ops.FLOOR, ops.CEIL, ops.ROUND,
)  # fmt: skip

TYPE_RULES: Mapping[Op, TypeRule] = MappingProxyType(
    {
        ops.INPUT: _leaf,
        ops.CONSTANT: lambda data: type_of(data.array),
        ops.FULL: _leaf,
        ops.IOTA: _iota,
        ops.PLACEHOLDER: lambda tag, index, type_: type_,
        **{op: _float_only(op) for op in (*_FLOAT_UNARY, *ops.FUNCTIONS_OF_TWO)},
        **{op: _integers_only(op) for op in ops.BITWISE},
        **{op: _elementwise(op) for op in (ops.ABSOLUTE, ops.STOP_GRADIENT)},
        **{op: _numbers_only(op) for op in (ops.NEGATIVE, ops.SIGN)},
        ops.LOGICAL_NOT: _logical(ops.LOGICAL_NOT),
        ops.CAST: lambda x, dtype: x.with_dtype(checked_dtype(dtype)),
        ops.BITCAST: _bitcast,
        ops.MARK: lambda x, tag: x,
        **{op: _elementwise(op) for op in (ops.ADD, ops.MULTIPLY, ops.MAXIMUM, ops.MINIMUM)},
        **{op: _numbers_only(op) for op in (ops.SUBTRACT, ops.POWER, ops.FLOOR_DIVIDE, ops.REMAINDER)},
        ops.DIVIDE: _divide,
        **{op: _comparison(op) for op in ops.COMPARISONS},
        **{op: _logical(op) for op in ops.LOGICAL},
        ops.SELECT: _select,
        ops.CONTRACT: _contract,
        ops.SUM: _reduction("sum", empty_is_defined=True),
        ops.MAX: _reduction("max", empty_is_defined=False),
        ops.RESHAPE: _reshape,
        ops.TRANSPOSE: _transpose,
        ops.BROADCAST: _broadcast,
        ops.SLICE: _slice,
        ops.PAD: _pad,
        ops.CONCATENATE: _concatenate,
        ops.GATHER: _gather,
        ops.SCATTER_ADD: _scatter_add,
        ops.ARGSORT: _argsort,
        ops.SOLVE: _solve,
        ops.CHOLESKY: _cholesky,
        ops.SLOGDET: _slogdet,
        ops.EIGH: _eigh,
        ops.SVD: _svd,
        ops.QR: _qr,
        ops.PINV: _pinv,
        ops.CUSTOM: _custom,
        ops.RECOMPUTE: lambda x, after: x,
        ops.RESULT: lambda several, index: several.types[index],
        ops.SCAN: _scan,
        ops.WHILE: _while,
        ops.COND: _cond,
    }
)
