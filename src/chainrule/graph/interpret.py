"""What every operation means, in NumPy. This is the oracle that native code is held to."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.errors import TracingError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, in_order
from chainrule.graph.ops import Op
from chainrule.graph.room import FITS, check_room
from chainrule.graph.types import Type, checked_dtype
from chainrule.graph.walks import post_order

__all__ = ["INTEGERS", "NUMPY", "applied", "has_value", "interpret", "value"]

Values = np.ndarray[Any, Any]
Meaning = Callable[..., Any]
_AT_ONCE = 1 << 23  # elements of a large array that one call of NumPy's computes
_ENLARGING = frozenset({
    ops.FULL, ops.IOTA, ops.BROADCAST, ops.CONTRACT, ops.PAD, ops.CONCATENATE, ops.GATHER,
})  # fmt: skip


def interpret(graph: Graph, arguments: Sequence[Values]) -> list[Values]:
    """The values of a graph's outputs for the given arguments, computed node by node."""
    with np.errstate(all="ignore"):
        return _runner(graph)(arguments)


def _runner(graph: Graph) -> Callable[[Sequence[Values]], list[Values]]:
    """The graph as a function of its arguments, its nodes put in order once."""
    given = set(graph.inputs)
    order = [node for node in in_order(graph.outputs) if node not in given]

    def run(arguments: Sequence[Values]) -> list[Values]:
        values: dict[Node, Values] = dict(zip(graph.inputs, arguments, strict=True))
        for node in order:
            values[node] = applied(node, [values[n] for n in node.inputs])
        return [values[node] for node in graph.outputs]

    return run


def value(node: Node) -> Values:
    """The value of a node above known arrays alone; TracingError if it depends on a program's argument."""
    if node.value is None:
        with np.errstate(all="ignore"):
            _evaluate(node)
    assert node.value is not None
    return node.value


def has_value(node: Node) -> bool:
    """Whether `value(node)` exists."""
    return node.value is not None or not any(n.op in _WITHOUT_VALUE for n in _unknown(node))


def _unknown(node: Node) -> list[Node]:
    """The nodes without a value that `node` needs, inputs before users."""
    return post_order([node], lambda n: [x for x in n.inputs if x.value is None])


def _evaluate(node: Node) -> None:
    stack = [node]
    while stack:
        current = stack[-1]
        if current.value is None:
            missing = [n for n in current.inputs if n.value is None]
            if missing:
                stack += missing
                continue
            if current.op in _ENLARGING and current.type.bytes > FITS:
                _check_size(current)
            current.value = applied(current, [n.value for n in current.inputs])
        stack.pop()


def _check_size(node: Node) -> None:
    """SizeError if the value of a node is larger than the memory that is free."""
    check_room(
        node.type.bytes,
        f"a value of type {node.type}, by {node.op}, takes",
        "Compile the function: what kernels hand on within them takes none. Or go through the rows in parts, with "
        "cr.scan.",
        now=True,
    )


def applied(node: Node, inputs: Sequence[Any]) -> Any:
    """What the node's operation makes of these inputs: an array; a list of them if it has several results."""
    if node.op in ops.ELEMENTWISE and inputs[0].size > 2 * _AT_ONCE:
        return _in_parts(node, inputs)
    result = _MEANINGS[node.op](*inputs, *node.attributes)
    return result if node.op in _SEVERAL else np.asarray(result, node.type.dtype)


def _in_parts(node: Node, inputs: Sequence[Values]) -> Values:
    """An elementwise operation, a part of its longest axis after the other: between them Ctrl-C is answered."""
    _check_size(node)
    result = np.empty(node.type.shape, node.type.dtype)
    axis = int(np.argmax(node.type.shape))
    *operands, into = (np.moveaxis(x, axis, 0) for x in (*inputs, result))
    step = max(_AT_ONCE * len(into) // node.type.size, 1)
    for start in range(0, len(into), step):
        part = slice(start, start + step)
        into[part] = _MEANINGS[node.op](*(x[part] for x in operands), *node.attributes)
    return result


#: What to do where the shape of something depends on an argument.
INTEGERS = (
    "Where a size, a slice, an axis or a count depends on it, pass a Python integer, int(n), which is a constant of "
    "the program."
)


def _no_value(index: int, type_: Type) -> Values:
    raise TracingError(
        f"Python needs the value of argument {index} ({type_}), but while compiling only shapes and dtypes are known.",
        cure=("" if type_.shape or type_.dtype.kind not in "iu" else f"{INTEGERS} ")
        + "Use np.where(condition, a, b) or cr.cond in place of `if`, cr.scan or cr.while_loop in place of a loop "
        "that stops on a value; or do not compile it: derivatives without compiling know all values.",
    )


def _no_value_inside(tag: int, index: int, type_: Type) -> Values:
    if index >= 0:
        return _no_value(index, type_)
    raise TracingError(
        f"Python needs a value of type {type_} that is different for each example or each round of a loop: "
        "vmap, scan, while_loop and cond look at a function once, knowing shapes and dtypes only.",
        cure="Use np.where(condition, a, b) or cr.cond in place of `if`, cr.while_loop in place of `while`.",
    )


def _scan(*arguments: Any) -> list[Values]:
    *inputs, body, carried, stepped, length, reverse = arguments
    run, constants = _runner(body), inputs[carried + stepped :]
    carry, arrays = inputs[:carried], inputs[carried : carried + stepped]
    stacked = [np.empty((length, *node.type.shape), node.type.dtype) for node in body.outputs[carried:]]
    for t in reversed(range(length)) if reverse else range(length):
        results = run([*carry, *(array[t] for array in arrays), *constants])
        carry = results[:carried]
        for stack, row in zip(stacked, results[carried:], strict=True):
            stack[t] = row
    return [*carry, *stacked]


def _while(*arguments: Any) -> list[Values]:
    *inputs, condition, body, carried = arguments
    holds, run = _runner(condition), _runner(body)
    carry, constants = inputs[:carried], inputs[carried:]
    while holds([*carry, *constants])[0]:
        carry = run([*carry, *constants])
    return list(carry)


def _cond(*arguments: Any) -> list[Values]:
    condition, *inputs, if_true, if_false = arguments
    return _runner(if_true if condition else if_false)(inputs)


_SEVERAL = frozenset(ops.CONTROL)
_WITHOUT_VALUE = frozenset({ops.INPUT, ops.PLACEHOLDER})


def _full(text: str, type_: Type) -> Values:
    return _repeated(np.array(_number(text, type_), type_.dtype), type_.shape, type_.size)


def _repeated(x: Values, shape: tuple[int, ...], size: int) -> Values:
    """The array along new and size-one axes: of few elements a copy, which takes less time than a view."""
    if size > _FEW:
        return np.broadcast_to(x, shape)
    copy = np.empty(shape, x.dtype)
    copy[...] = x
    return copy


_FEW = 1000


def _number(text: str, type_: Type) -> float | int | bool:
    return float(text) if type_.is_float else text == "True" if type_.dtype.kind == "b" else int(text)


def _iota(axis: int, type_: Type) -> Values:
    along = [1] * type_.rank
    along[axis] = type_.shape[axis]
    return np.broadcast_to(np.arange(type_.shape[axis], dtype=type_.dtype).reshape(along), type_.shape)


def _logistic(x: Values) -> Values:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, x.dtype.type(1), small) / (1 + small))


def _erf(x: Values) -> Values:
    """NumPy has none; Python's is of double precision."""
    flat = np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size)
    return flat.reshape(x.shape).astype(x.dtype)


def _cast(x: Values, dtype: str) -> Values:
    """As NumPy; a number outside an integer type, which NumPy leaves to the processor, becomes the nearest, nan 0."""
    target = np.dtype(dtype)
    if x.dtype.kind != "f" or target.kind not in "iu":
        return x.astype(target)
    low, high = np.iinfo(target).min, np.iinfo(target).max
    below, above = x <= float(low), x >= float(high)
    inside = np.where(below | above | np.isnan(x), 0, x).astype(target)
    return np.where(below, target.type(low), np.where(above, target.type(high), inside))


def _contract(a: Values, b: Values, a_labels: Sequence[int], b_labels: Sequence[int], out: Sequence[int]) -> Values:
    plan = _as_matrices(tuple(a_labels), tuple(b_labels), tuple(out))
    if plan is None:
        return np.asarray(np.einsum(a, list(a_labels), b, list(b_labels), list(out), optimize=True))
    turned_a, turned_b, order, groups = plan
    a, b = a.transpose(turned_a), b.transpose(turned_b)
    batch, rows, columns = a.shape[: groups[0]], a.shape[groups[0] : groups[1]], b.shape[groups[2] :]
    depth = math.prod(a.shape[groups[1] :])
    left = a.reshape((*batch, math.prod(rows), depth))
    right = b.reshape((*batch, depth, math.prod(columns)))
    found: Values = (left @ right).reshape((*batch, *rows, *columns)).transpose(order)
    return found


AxisLabels = tuple[int, ...]


@functools.lru_cache(1024)
def _as_matrices(
    a: AxisLabels, b: AxisLabels, out: AxisLabels
) -> tuple[AxisLabels, AxisLabels, AxisLabels, AxisLabels] | None:
    """How a contraction is a stack of products of matrices; None if a label is there twice or in one operand alone."""
    shared = set(a) & set(b)
    if len(set(a)) < len(a) or len(set(b)) < len(b) or (set(a) ^ set(b)) - set(out) or not shared - set(out):
        return None
    batch = [x for x in a if x in shared and x in out]
    summed = [x for x in a if x in shared and x not in out]
    rows, columns = [x for x in a if x not in b], [x for x in b if x not in a]
    turned_a = tuple(a.index(x) for x in (*batch, *rows, *summed))
    turned_b = tuple(b.index(x) for x in (*batch, *summed, *columns))
    order = tuple([*batch, *rows, *columns].index(x) for x in out)
    return turned_a, turned_b, order, (len(batch), len(batch) + len(rows), len(batch) + len(summed))


def _broadcast(x: Values, shape: tuple[int, ...], axes: tuple[int, ...]) -> Values:
    aligned = [1] * len(shape)
    for extent, axis in zip(x.shape, axes, strict=True):
        aligned[axis] = extent
    return _repeated(x.reshape(aligned), shape, math.prod(shape))


def _slice(x: Values, start: Sequence[int], size: Sequence[int], step: Sequence[int]) -> Values:
    def positions(first: int, count: int, stride: int) -> slice:
        end = first + count * stride
        return slice(first, None if end < 0 else end, stride) if count else slice(0, 0)

    return x[tuple(positions(*p) for p in zip(start, size, step, strict=True))]


def _pad(x: Values, low: Sequence[int], high: Sequence[int], interior: Sequence[int]) -> Values:
    widened = [n + b + a + max(n - 1, 0) * i for n, b, a, i in zip(x.shape, low, high, interior, strict=True)]
    result = np.zeros(widened, x.dtype)
    spans = (slice(b, b + n + max(n - 1, 0) * i, i + 1) for n, b, i in zip(x.shape, low, interior, strict=True))
    result[tuple(spans)] = x
    return result


def _rows(x: Values, index: Values) -> Values:
    return np.clip(index, 0, max(x.shape[0] - 1, 0)).astype(np.intp)


def _scatter_add(x: Values, index: Values, updates: Values) -> Values:
    result = x.copy()
    np.add.at(result, _rows(x, index), updates)
    return result


def _concatenate(*arguments: Any) -> Values:
    return np.concatenate(arguments[:-1], axis=arguments[-1])


def _eigh(a: Values, triangle: str) -> Values:
    values, vectors = np.linalg.eigh(a, "U" if triangle == "U" else "L")
    return np.concatenate([values[..., None], _turned(vectors)], axis=-1)


def _svd(a: Values) -> Values:
    left, values, right = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([_turned(left), values[..., None], right], axis=-1)


def _qr(a: Values) -> Values:
    q, r = np.linalg.qr(a)
    return np.concatenate([_turned(q), r], axis=-1)


def _turned(a: Values) -> Values:
    return np.swapaxes(a, -1, -2)


NUMPY: Mapping[Op, Meaning] = MappingProxyType(
    {
        ops.INPUT: _no_value,
        ops.CONSTANT: lambda data: np.asarray(data.array, checked_dtype(data.array.dtype)),
        ops.FULL: _full,
        ops.IOTA: _iota,
        ops.PLACEHOLDER: _no_value_inside,
        ops.NEGATIVE: np.negative,
        ops.EXP: np.exp,
        ops.EXPM1: np.expm1,
        ops.LOG: np.log,
        ops.LOG1P: np.log1p,
        ops.TANH: np.tanh,
        ops.LOGISTIC: _logistic,
        ops.EXPIT: _logistic,
        ops.RELU: lambda x: np.where(x <= 0, x.dtype.type(0), x),
        ops.SQRT: np.sqrt,
        ops.ROOT: np.sqrt,
        ops.SIN: np.sin,
        ops.COS: np.cos,
        ops.TAN: np.tan,
        ops.ARCSIN: np.arcsin,
        ops.ARCCOS: np.arccos,
        ops.ARCTAN: np.arctan,
        ops.SINH: np.sinh,
        ops.COSH: np.cosh,
        ops.ARCSINH: np.arcsinh,
        ops.ARCCOSH: np.arccosh,
        ops.ARCTANH: np.arctanh,
        ops.EXP2: np.exp2,
        ops.LOG2: np.log2,
        ops.LOG10: np.log10,
        ops.CBRT: np.cbrt,
        ops.ERF: _erf,
        ops.ABSOLUTE: np.absolute,
        ops.SIGN: np.sign,
        ops.FLOOR: np.floor,
        ops.CEIL: np.ceil,
        ops.ROUND: np.round,
        ops.LOGICAL_NOT: np.logical_not,
        ops.CAST: _cast,
        ops.BITCAST: lambda x, dtype: np.ascontiguousarray(x).reshape(x.shape).view(dtype),
        ops.STOP_GRADIENT: lambda x: x,
        ops.MARK: lambda x, tag: x,
        ops.ADD: np.add,
        ops.SUBTRACT: np.subtract,
        ops.MULTIPLY: np.multiply,
        ops.DIVIDE: np.divide,
        ops.POWER: np.power,
        ops.MAXIMUM: np.maximum,
        ops.MINIMUM: np.minimum,
        ops.FLOOR_DIVIDE: np.floor_divide,
        ops.REMAINDER: np.remainder,
        ops.ARCTAN2: np.arctan2,
        ops.HYPOT: np.hypot,
        ops.LOGADDEXP: np.logaddexp,
        ops.COPYSIGN: np.copysign,
        ops.NEXTAFTER: np.nextafter,
        ops.BITWISE_AND: np.bitwise_and,
        ops.BITWISE_OR: np.bitwise_or,
        ops.BITWISE_XOR: np.bitwise_xor,
        ops.LEFT_SHIFT: np.left_shift,
        ops.RIGHT_SHIFT: np.right_shift,
        ops.LESS: np.less,
        ops.LESS_EQUAL: np.less_equal,
        ops.EQUAL: np.equal,
        ops.NOT_EQUAL: np.not_equal,
        ops.LOGICAL_AND: np.logical_and,
        ops.LOGICAL_OR: np.logical_or,
        ops.SELECT: np.where,
        ops.CONTRACT: _contract,
        ops.SUM: lambda x, axes: np.sum(x, axis=axes, dtype=x.dtype),
        ops.MAX: lambda x, axes: np.max(x, axis=axes),
        ops.RESHAPE: lambda x, shape: x.reshape(shape),
        ops.TRANSPOSE: np.transpose,
        ops.BROADCAST: _broadcast,
        ops.SLICE: _slice,
        ops.PAD: _pad,
        ops.CONCATENATE: _concatenate,
        ops.GATHER: lambda x, index: x[_rows(x, index)],
        ops.SCATTER_ADD: _scatter_add,
        ops.ARGSORT: lambda x, axis: np.argsort(x, axis=axis, stable=True),
        ops.SOLVE: np.linalg.solve,
        ops.CHOLESKY: np.linalg.cholesky,
        ops.SLOGDET: lambda a: np.stack(np.linalg.slogdet(a), axis=-1),
        ops.EIGH: _eigh,
        ops.SVD: _svd,
        ops.QR: _qr,
        ops.PINV: np.linalg.pinv,
        ops.CUSTOM: lambda *arguments: list(arguments[: arguments[-1]]),
        ops.RECOMPUTE: lambda x, after: x,
        ops.RESULT: lambda results, index: results[index],
        ops.SCAN: _scan,
        ops.WHILE: _while,
        ops.COND: _cond,
    }
)
_MEANINGS = dict(NUMPY)  # reading through a proxy takes twice the time
