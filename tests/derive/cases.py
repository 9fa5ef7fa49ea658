"""Every operation with inputs at which it has a derivative, and those of the others that batches are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, full, input_node
from chainrule.graph.ops import Op
from chainrule.graph.types import type_of
from chainrule.trace.control import instantiated
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array

Values = np.ndarray[Any, Any]
Case = tuple[Op, list[Values], tuple[Any, ...]]

RNG = np.random.default_rng(8)


def points(*shape: int, low: float = -2.0, high: float = 2.0) -> Values:
    return RNG.uniform(low, high, shape)


def away_from_zero(*shape: int) -> Values:
    x = points(*shape, low=0.2)
    return x * np.sign(RNG.normal(size=shape))


def matrices(count: int, rows: int) -> Values:
    """Square matrices far from singular, one of them with a negative determinant."""
    return points(count, rows, rows) + np.array([3.0, -3.0])[:count, None, None] * np.eye(rows)


def positive(count: int, rows: int) -> Values:
    """Symmetric matrices of which all eigenvalues are positive."""
    a = points(count, rows, rows)
    return a @ np.swapaxes(a, -1, -2) + np.eye(rows)


def bits(*shape: int) -> Values:
    return RNG.integers(0, 2, shape).astype(bool)


def whole(*shape: int, dtype: str = "int32") -> Values:
    return RNG.integers(0 if dtype.startswith("u") else -9, 9, shape).astype(dtype)


INDEX = np.array([[2, -1, 0], [7, 2, 2]], np.int32)

#: For every operation, inputs at random points where it has a derivative, and attributes.
CASES: dict[str, Case] = {
    "negative": (ops.NEGATIVE, [points(2, 3)], ()),
    "exp": (ops.EXP, [points(5)], ()),
    "expm1": (ops.EXPM1, [points(5)], ()),
    "log": (ops.LOG, [points(5, low=0.1, high=9)], ()),
    "log1p": (ops.LOG1P, [points(5, low=-0.9, high=9)], ()),
    "tanh": (ops.TANH, [points(5)], ()),
    "logistic": (ops.LOGISTIC, [points(5, low=-9, high=9)], ()),
    "expit": (ops.EXPIT, [points(5, low=-9, high=9)], ()),
    "relu": (ops.RELU, [away_from_zero(5)], ()),
    "sqrt": (ops.SQRT, [points(5, low=0.1, high=9)], ()),
    "root": (ops.ROOT, [points(5, low=0.1, high=9)], ()),
    "sin": (ops.SIN, [points(5, low=-9, high=9)], ()),
    "cos": (ops.COS, [points(5, low=-9, high=9)], ()),
    "tan": (ops.TAN, [points(5, low=-1.4, high=1.4)], ()),
    "arcsin": (ops.ARCSIN, [points(5, low=-0.9, high=0.9)], ()),
    "arccos": (ops.ARCCOS, [points(5, low=-0.9, high=0.9)], ()),
    "arctan": (ops.ARCTAN, [points(5, low=-9, high=9)], ()),
    "sinh": (ops.SINH, [points(5)], ()),
    "cosh": (ops.COSH, [points(5)], ()),
    "arcsinh": (ops.ARCSINH, [points(5, low=-9, high=9)], ()),
    "arccosh": (ops.ARCCOSH, [points(5, low=1.1, high=9)], ()),
    "arctanh": (ops.ARCTANH, [points(5, low=-0.9, high=0.9)], ()),
    "exp2": (ops.EXP2, [points(5)], ()),
    "log2": (ops.LOG2, [points(5, low=0.1, high=9)], ()),
    "log10": (ops.LOG10, [points(5, low=0.1, high=9)], ()),
    "cbrt": (ops.CBRT, [away_from_zero(5)], ()),
    "erf": (ops.ERF, [points(5)], ()),
    "arctan2": (ops.ARCTAN2, [away_from_zero(5), away_from_zero(5)], ()),
    "hypot": (ops.HYPOT, [away_from_zero(5), away_from_zero(5)], ()),
    "logaddexp": (ops.LOGADDEXP, [points(5), points(5)], ()),
    "copysign": (ops.COPYSIGN, [away_from_zero(9), away_from_zero(9)], ()),
    "nextafter": (ops.NEXTAFTER, [points(5), points(5)], ()),
    "absolute": (ops.ABSOLUTE, [away_from_zero(5)], ()),
    "sign": (ops.SIGN, [away_from_zero(5)], ()),
    "floor": (ops.FLOOR, [np.array([-1.5, 0.3, 2.7])], ()),
    "ceil": (ops.CEIL, [np.array([-1.5, 0.3, 2.7])], ()),
    "round": (ops.ROUND, [np.array([-1.4, 0.3, 2.7])], ()),
    "cast to the same": (ops.CAST, [points(5)], ("float64",)),
    "mark": (ops.MARK, [points(5)], (0,)),
    "add": (ops.ADD, [points(2, 3), points(2, 3)], ()),
    "subtract": (ops.SUBTRACT, [points(2, 3), points(2, 3)], ()),
    "multiply": (ops.MULTIPLY, [points(2, 3), points(2, 3)], ()),
    "divide": (ops.DIVIDE, [points(5), away_from_zero(5)], ()),
    "power": (ops.POWER, [points(5, low=0.2), points(5)], ()),
    "maximum": (ops.MAXIMUM, [np.array([1.0, 2.0, -3.0]), np.array([2.0, 1.0, -4.0])], ()),
    "minimum": (ops.MINIMUM, [np.array([1.0, 2.0, -3.0]), np.array([2.0, 1.0, -4.0])], ()),
    "floor_divide": (ops.FLOOR_DIVIDE, [np.array([7.5, -7.5, 7.5]), np.array([2.0, 2.0, -2.0])], ()),
    "remainder": (ops.REMAINDER, [np.array([7.5, -7.5, 7.5, -0.3]), np.array([2.0, 2.0, -2.0, 5.0])], ()),
    "select": (ops.SELECT, [np.array([True, False, True]), points(3), points(3)], ()),
    "contract, a matrix product": (ops.CONTRACT, [points(3, 4), points(5, 4)], ((0, 1), (2, 1), (0, 2))),
    "contract, an outer product": (ops.CONTRACT, [points(3), points(5)], ((0,), (1,), (1, 0))),
    "contract, a scalar product": (ops.CONTRACT, [points(2, 3), points(3, 2)], ((0, 1), (1, 0), ())),
    "contract, a batch": (ops.CONTRACT, [points(2, 3, 4), points(4, 2, 5)], ((9, 1, 4), (4, 9, 7), (7, 9, 1))),
    "sum": (ops.SUM, [points(2, 3, 4)], ((0, 2),)),
    "sum of all": (ops.SUM, [points(2, 3)], ((0, 1),)),
    "max": (ops.MAX, [RNG.permutation(np.arange(24.0)).reshape(2, 3, 4)], ((0, 2),)),
    "reshape": (ops.RESHAPE, [points(2, 6)], ((3, 1, 4),)),
    "transpose": (ops.TRANSPOSE, [points(2, 3, 4)], ((1, 2, 0),)),
    "broadcast": (ops.BROADCAST, [points(3, 1, 2)], ((4, 3, 5, 2), (1, 2, 3))),
    "broadcast of a number": (ops.BROADCAST, [points()], ((2, 3), ())),
    "slice": (ops.SLICE, [points(9, 4)], ((1, 0), (3, 4), (3, 1))),
    "slice backward": (ops.SLICE, [points(9, 4)], ((8, 3), (4, 2), (-2, -3))),
    "slice of one": (ops.SLICE, [points(9)], ((4,), (1,), (-5,))),
    "slice of none": (ops.SLICE, [points(9)], ((3,), (0,), (1,))),
    "slice of none backward": (ops.SLICE, [points(1, 2)], ((0, 1), (0, 2), (-2, -1))),
    "pad": (ops.PAD, [points(3, 2)], ((1, 0), (2, 1), (0, 3))),
    "pad of nothing": (ops.PAD, [points(0, 2)], ((1, 0), (2, 1), (2, 0))),
    "concatenate": (ops.CONCATENATE, [points(2, 3), points(2, 0), points(2, 4)], (1,)),
    "gather": (ops.GATHER, [points(4, 2), INDEX], ()),
    "scatter_add": (ops.SCATTER_ADD, [points(4, 2), INDEX, points(2, 3, 2)], ()),
    "solve": (ops.SOLVE, [matrices(2, 3), points(2, 3, 2)], ()),
    "cholesky": (ops.CHOLESKY, [positive(2, 3)], ()),
    "slogdet": (ops.SLOGDET, [matrices(2, 3)], ()),
    "eigh": (ops.EIGH, [points(2, 3, 3)], ("L",)),
    "eigh of the upper triangle": (ops.EIGH, [points(4, 4)], ("U",)),
    "svd": (ops.SVD, [points(2, 3, 3)], ()),
    "svd, tall": (ops.SVD, [points(5, 3)], ()),
    "svd, wide": (ops.SVD, [points(2, 2, 4)], ()),
    "qr": (ops.QR, [matrices(2, 3)], ()),
    "qr, tall": (ops.QR, [points(5, 2)], ()),
    "pinv": (ops.PINV, [points(2, 4, 3), np.full(2, 1e-15)], ()),
    "pinv, wide": (ops.PINV, [points(2, 3), np.array(1e-15)], ()),
    "recompute": (ops.RECOMPUTE, [points(3), points(2)], ()),
}  # fmt: skip

#: Operations that have no derivative, or are of no floating-point numbers.
OTHERS: dict[str, Case] = {
    **{op.name: (op, [np.round(points(2, 3)), np.round(points(2, 3))], ()) for op in ops.COMPARISONS},
    **{op.name: (op, [bits(2, 3), bits(2, 3)], ()) for op in ops.LOGICAL},
    **{op.name: (op, [whole(2, 3, dtype="uint8"), whole(2, 3, dtype="uint8")], ()) for op in ops.BITWISE},
    "logical_not": (ops.LOGICAL_NOT, [bits(3)], ()),
    "bitcast": (ops.BITCAST, [points(3)], ("int64",)),
    "stop_gradient": (ops.STOP_GRADIENT, [points(3)], ()),
    "cast to integers": (ops.CAST, [points(2, 2)], ("int32",)),
    "cast of integers": (ops.CAST, [whole(2, 2)], ("float64",)),
    "argsort": (ops.ARGSORT, [points(3, 4)], (1,)),
    "argsort along the first axis": (ops.ARGSORT, [np.round(points(5, 2))], (0,)),
    "add of integers": (ops.ADD, [whole(3), whole(3)], ()),
    "power of integers": (ops.POWER, [whole(3), abs(whole(3)) % 4], ()),
    "max of integers": (ops.MAX, [whole(3, 2)], ((0,),)),
    "sum of integers": (ops.SUM, [whole(3, 2)], ((1,),)),
    "contract of integers": (ops.CONTRACT, [whole(3, 2), whole(2, 4)], ((0, 1), (1, 2), (2, 0))),
    "gather of numbers": (ops.GATHER, [points(4), np.array(2)], ()),
    "gather by small integers": (ops.GATHER, [points(4, 3), whole(2, dtype="int8")], ()),
    "gather of nothing": (ops.GATHER, [points(4, 3), np.zeros((0,), np.int32)], ()),
    "scatter_add of one": (ops.SCATTER_ADD, [points(4, 3), np.array(1), points(3)], ()),
    "slice of rows": (ops.SLICE, [whole(6, 2)], ((5, 0), (3, 2), (-2, 1))),
    "reshape to a number": (ops.RESHAPE, [points(1, 1)], ((),)),
    "sum over no axis": (ops.SUM, [points(2, 3)], ((),)),
}  # fmt: skip


def graph_of(case: Case) -> Graph:
    """The operation alone, as a program of its inputs.

    The derivatives of `cholesky` and `eigh` are those among symmetric matrices: they are taken of the symmetric part.
    """
    op, arguments, attributes = case
    inputs = tuple(input_node(n, type_of(a)) for n, a in enumerate(arguments))
    given = tuple(_symmetric(n) for n in inputs) if op in (ops.CHOLESKY, ops.EIGH) else inputs
    return Graph(inputs, (Node(op, given, attributes),))


def _symmetric(a: Node) -> Node:
    half = Node(ops.MULTIPLY, (a, full(0.5, a.type)))
    order = (*range(a.type.rank - 2), a.type.rank - 1, a.type.rank - 2)
    return Node(ops.ADD, (half, Node(ops.TRANSPOSE, (half,), (order,))))


def function_of(graph: Graph) -> Callable[..., Any]:
    """The first output of a program, as a function of plain or traced arrays."""

    def function(*inputs: Any) -> Any:
        with transforming() as outermost:
            (found, *_) = instantiated(graph, [as_array(x) for x in inputs])
            return found.value if outermost else found

    return function
