"""Random programs over the closed set of operations, and how far two right answers to one may lie apart.

`programs()` draws a graph with arguments, operation by operation, and knows the value of every node as it goes, so that
it can leave out what has no meaningful comparison: numbers that are not finite or grow without bound, and a comparison,
a floor or a cast whose outcome hangs on the last bit.

`measured` bounds the difference between two implementations that both round correctly or nearly so. What IEEE 754
or integer arithmetic fixes to the bit has the bound zero; elsewhere it is first-order error analysis (Higham, Accuracy
and Stability of Numerical Algorithms, 2002): a sum of n terms may differ by 2·n·eps·Σ|x| however it is ordered, and
every difference is carried through what follows. So no test needs a tolerance of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.interpret import NUMPY
from chainrule.graph.node import Node, constant, full, in_order, input_node
from chainrule.graph.ops import Op
from chainrule.graph.types import Type

Array = np.ndarray[Any, Any]

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
EXTENTS = (1, 2, 3, 4, 5, 7, 8, 9, 16, 17)
LARGEST = 600  # elements of any node
WIDEST = 1e3  # magnitude of any floating-point number


def examples(share: float) -> settings:
    """Settings with this share of the profile's number of examples."""
    return settings(max_examples=max(int(settings.default.max_examples * share), 1))


class Untamed(Exception):
    """This operation, on these inputs, has no result that could be compared."""


# the difference between two right answers

MATHEMATICAL = 8  # in eps of the result: an elementary function is good to 4 ULP or better, in either implementation


@dataclass(frozen=True)
class Measured:
    """A value, and by how much, element by element, two right implementations may differ in it."""

    value: Array
    error: Array

    @property
    def is_exact(self) -> bool:
        return not self.error.any()


def exact(value: Array) -> Measured:
    return Measured(value, np.zeros(value.shape))


def measured(node: Node, inputs: Sequence[Measured]) -> Measured:
    """The node's value and the bound of its error, from those of its inputs."""
    values, errors = [m.value for m in inputs], [m.error for m in inputs]
    if node.op is ops.POWER and values[1].dtype.kind == "i" and (values[1] < 0).any():
        raise Untamed  # NumPy has no integer for it
    with np.errstate(all="ignore"):
        y = np.asarray(NUMPY[node.op](*values, *node.attributes), node.type.dtype)
        if all(m.is_exact for m in inputs) and (node.op not in INEXACT or y.dtype.kind != "f"):
            return exact(y)
        if not all(m.is_exact for m in inputs if m.value.dtype.kind != "f"):
            return Measured(y, np.full(y.shape, np.inf))  # who knows which index, which branch
        wide = [v.astype(np.float64) if v.dtype.kind == "f" else v for v in values]
        error = np.asarray(ERROR[node.op](node, y, wide, errors), np.float64)
    return Measured(y, np.broadcast_to(np.where(np.isnan(error), np.inf, error), y.shape))


def outcomes(graph: Graph, arguments: Sequence[Array | Measured]) -> list[Measured]:
    """The measured values of a graph's outputs."""
    given = [a if isinstance(a, Measured) else exact(a) for a in arguments]
    known: dict[Node, Measured] = dict(zip(graph.inputs, given, strict=True))
    for node in in_order(graph.outputs):
        if node not in known:
            known[node] = measured(node, [known[n] for n in node.inputs])
    return [known[node] for node in graph.outputs]


def assert_agrees(found: Array, expected: Measured, what: str = "") -> None:
    """The array has the expected type, and differs from the value by no more than is explained by rounding."""
    value = expected.value
    assert found.shape == value.shape, what
    assert found.dtype == value.dtype, what
    if expected.is_exact:
        np.testing.assert_array_equal(found, value, err_msg=what)
        return
    with np.errstate(invalid="ignore"):
        difference = np.abs(found.astype(np.float64) - value.astype(np.float64))
    agrees = (difference <= expected.error) | (found == value) | (np.isnan(found) & np.isnan(value))
    if not agrees.all():
        worst = np.unravel_index(np.argmax(np.where(agrees, 0, difference)), value.shape)
        raise AssertionError(
            f"{what}: {(~agrees).sum()} of {value.size} elements differ, at {tuple(map(int, worst))}: "
            f"{found[worst]!r}, not {value[worst]!r} ± {expected.error[worst]:.2g}"
        )


def is_tame(found: Measured) -> bool:
    """Whether the value is finite, of a sensible magnitude, and known well enough to be compared."""
    if found.value.dtype.kind != "f":
        return not found.error.any()
    magnitude = np.abs(found.value.astype(np.float64))
    return bool((magnitude <= WIDEST).all() and (found.error <= 1e-3 * np.maximum(magnitude, 1)).all())


def _rounding(y: Array, ulps: float = 2.0) -> Array:
    return ulps * np.finfo(y.dtype).eps * np.abs(y.astype(np.float64)) + 2 * float(np.finfo(y.dtype).smallest_subnormal)


def _inherited(error: Array, y: Array) -> Array:
    """An error that comes from the inputs alone: with it the rounding may differ too, without it nothing does."""
    return np.where(error == 0, 0.0, error + _rounding(y))


def _add(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    return _inherited(e[0] + e[1], y)


def _multiply(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    return _inherited(np.abs(x[0]) * e[1] + np.abs(x[1]) * e[0] + e[0] * e[1], y)


def _divide(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    distance = np.abs(x[1]) - e[1]
    return np.where(distance > 0, _inherited((e[0] + np.abs(y) * e[1]) / distance, y), np.inf)


def _power(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    base, exponent = x
    relative = np.abs(exponent) * e[0] / (np.abs(base) - e[0]) + np.abs(np.log(np.abs(base))) * e[1]
    return np.where((np.abs(base) > 2 * e[0]) | (e[0] + e[1] == 0), 0, np.inf) + np.where(
        e[0] + e[1] > 0, np.expm1(relative) * np.abs(y), 0
    ) + _rounding(y, MATHEMATICAL)  # fmt: skip


def _same(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    return e[0]


def _either(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    return np.maximum(e[0], e[1])


def _stepped(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    """What jumps: right to the last bit, or hanging on it."""
    corners = itertools.product(*([v - d, v + d] if v.dtype.kind == "f" else [v] for v, d in zip(x, e, strict=True)))
    stable = np.ones(y.shape, bool)
    for corner in corners:
        stable &= np.asarray(NUMPY[node.op](*corner, *node.attributes)) == y
    return np.where(stable, 0.0, np.inf)


def _remainder(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    quotient = np.floor_divide(*x)
    jump = _stepped(_floor_divide_of(node), quotient, x, e)
    return jump + _inherited(e[0] + np.abs(quotient) * e[1], y)


def _floor_divide_of(node: Node) -> Node:
    return Node(ops.FLOOR_DIVIDE, node.inputs)


def _cast(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    return _inherited(e[0], y) if y.dtype.kind == "f" else _stepped(node, y, x, e)


def _function(slope: Callable[[Array, Array, Array], Array]) -> Callable[..., Array]:
    """An elementary function: its own rounding, and the input's error times its largest slope nearby."""

    def error(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
        return np.where(e[0] > 0, slope(x[0], y, e[0]), 0) + _rounding(y, MATHEMATICAL)

    return error


def _within(slope: Callable[[Array], Array], distance: Callable[[Array], Array]) -> Callable[..., Array]:
    """A function with an edge so far away, toward which it grows steep: its slope, where the edge is nearest."""

    def largest(x: Array, y: Array, e: Array) -> Array:
        steepest = np.maximum(np.abs(slope(x - e)), np.abs(slope(x + e)))
        return np.where(distance(x) > 2 * e, e * steepest, np.inf)

    return _function(largest)


def _of_two(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    """A function of two numbers that moves no further than they do."""
    return np.where(e[0] + e[1] > 0, e[0] + e[1], 0) + _rounding(y, MATHEMATICAL)


def _arctan2(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    """The angle of a point that is known to within a square; where that touches the cut or zero, it may be any."""
    cut = (np.abs(x[0]) <= e[0]) & (x[1] <= e[1]) & (e[0] + e[1] > 0)
    nearest = np.hypot(x[0], x[1]) - np.hypot(e[0], e[1])
    return np.where(cut | (nearest <= 0), np.where(e[0] + e[1] > 0, np.inf, 0), (e[0] + e[1]) / nearest) + _rounding(
        y, MATHEMATICAL
    )


def _logaddexp(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    """The larger and a logarithm of one or two, which may cancel."""
    return _of_two(node, y, x, e) + _rounding(np.maximum(np.abs(x[0]), np.abs(x[1])).astype(y.dtype), MATHEMATICAL)


def _copysign(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    return np.where(np.abs(x[1]) > e[1], e[0], np.where(e[1] > 0, np.inf, e[0]))


def _sqrt(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    return _inherited(np.where(x[0] > 2 * e[0], e[0] / (2 * np.sqrt(x[0] - e[0])), np.sqrt(3 * e[0])), y)


def _sum(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    count = math.prod(x[0].shape[a] for a in node.axes)
    return _summed(y, count, np.sum(np.abs(x[0]), axis=node.axes), np.sum(e[0], axis=node.axes))


def _summed(y: Array, count: int, magnitude: Array, inherited: Array) -> Array:
    if y.dtype.kind != "f":
        return np.zeros(y.shape)
    rounding = 2 * count * np.finfo(y.dtype).eps * magnitude if count > 1 else 0.0
    return rounding + _inherited(inherited, y)


def _contract(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    sizes = dict(zip(node.a, x[0].shape, strict=True))
    count = math.prod(n for label, n in sizes.items() if label not in node.out)

    def contracted(a: Array, b: Array) -> Array:
        return np.einsum(a, list(node.a), b, list(node.b), list(node.out))

    a, b = np.abs(x[0]), np.abs(x[1])
    inherited = contracted(a, e[1]) + contracted(e[0], b) + contracted(e[0], e[1])
    return _summed(y, count, contracted(a, b), inherited)


def _scatter_add(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    """The updates of a row are added one after the other: without an inherited error nothing differs."""
    inherited = NUMPY[ops.SCATTER_ADD](e[0], x[1], e[2])
    magnitude = NUMPY[ops.SCATTER_ADD](np.abs(x[0]), x[1], np.abs(x[2]))
    return np.where(inherited > 0, _summed(y, 1 + x[1].size, magnitude, inherited), 0.0)


def _moved(node: Node, y: Array, x: list[Array], e: list[Array]) -> Array:
    """Layout: errors move with the elements."""
    values = [d if v.dtype.kind == "f" or n == 0 else v for n, (v, d) in enumerate(zip(x, e, strict=True))]
    return NUMPY[node.op](*values, *node.attributes)


ERROR: Mapping[Op, Callable[..., Array]] = {
    **dict.fromkeys((ops.NEGATIVE, ops.ABSOLUTE, ops.RELU, ops.MARK, ops.STOP_GRADIENT), _same),
    **dict.fromkeys((ops.SIGN, ops.FLOOR, ops.CEIL, ops.ROUND, ops.FLOOR_DIVIDE, *ops.COMPARISONS), _stepped),
    **dict.fromkeys((ops.ADD, ops.SUBTRACT), _add),
    **dict.fromkeys((ops.MAXIMUM, ops.MINIMUM), _either),
    **dict.fromkeys((*ops.LAYOUT, ops.GATHER), _moved),
    ops.MULTIPLY: _multiply,
    ops.DIVIDE: _divide,
    ops.POWER: _power,
    ops.REMAINDER: _remainder,
    ops.CAST: _cast,
    ops.EXP: _function(lambda x, y, e: np.expm1(e) * np.abs(y)),
    ops.EXPM1: _function(lambda x, y, e: np.expm1(e) * np.exp(x)),
    ops.LOG: _function(lambda x, y, e: np.where(x > 2 * e, e / (x - e), np.inf)),
    ops.LOG1P: _function(lambda x, y, e: np.where(1 + x > 2 * e, e / (1 + x - e), np.inf)),
    ops.TANH: _function(lambda x, y, e: e),
    **dict.fromkeys((ops.LOGISTIC, ops.EXPIT), _function(lambda x, y, e: e / 4)),
    ops.SIN: _function(lambda x, y, e: e),
    ops.COS: _function(lambda x, y, e: e),
    ops.TAN: _within(lambda x: 1 + np.tan(x) ** 2, lambda x: np.abs(np.cos(x))),
    ops.ARCSIN: _within(lambda x: 1 / np.sqrt(1 - x * x), lambda x: 1 - np.abs(x)),
    ops.ARCCOS: _within(lambda x: 1 / np.sqrt(1 - x * x), lambda x: 1 - np.abs(x)),
    ops.ARCTANH: _within(lambda x: 1 / (1 - x * x), lambda x: 1 - np.abs(x)),
    ops.ARCCOSH: _within(lambda x: 1 / np.sqrt(x * x - 1), lambda x: x - 1),
    ops.LOG2: _within(lambda x: 1.45 / x, lambda x: x),
    ops.LOG10: _within(lambda x: 0.45 / x, lambda x: x),
    ops.CBRT: _within(lambda x: np.cbrt(x) / (3 * x), np.abs),
    ops.ARCTAN: _function(lambda x, y, e: e),
    ops.ARCSINH: _function(lambda x, y, e: e),
    ops.ERF: _function(lambda x, y, e: 1.13 * e),
    ops.SINH: _function(lambda x, y, e: e * np.cosh(np.abs(x) + e)),
    ops.COSH: _function(lambda x, y, e: e * np.cosh(np.abs(x) + e)),
    ops.EXP2: _function(lambda x, y, e: np.expm1(e) * np.abs(y)),
    ops.ARCTAN2: _arctan2,
    ops.HYPOT: _of_two,
    ops.LOGADDEXP: _logaddexp,
    ops.COPYSIGN: _copysign,
    ops.NEXTAFTER: lambda node, y, x, e: np.where(e[0] + e[1] > 0, e[0] + _rounding(y), 0),
    ops.BITCAST: lambda node, y, x, e: np.where(e[0] > 0, np.inf, 0),
    **dict.fromkeys((ops.SQRT, ops.ROOT), _sqrt),
    ops.SELECT: lambda node, y, x, e: np.where(x[0], e[1], e[2]),
    ops.CONTRACT: _contract,
    ops.SUM: _sum,
    ops.MAX: lambda node, y, x, e: np.max(e[0], axis=node.axes),
    ops.SCATTER_ADD: _scatter_add,
}

#: Operations whose result is not fixed to the bit by their inputs.
INEXACT = frozenset((
    ops.EXP, ops.EXPM1, ops.LOG, ops.LOG1P, ops.TANH, ops.LOGISTIC, ops.EXPIT, ops.SIN, ops.COS, ops.POWER,
    ops.CONTRACT, ops.SUM, ops.TAN, ops.ARCSIN, ops.ARCCOS, ops.ARCTAN, ops.SINH, ops.COSH, ops.ARCSINH, ops.ARCCOSH,
    ops.ARCTANH, ops.EXP2, ops.LOG2, ops.LOG10, ops.CBRT, ops.ERF, ops.ARCTAN2, ops.HYPOT, ops.LOGADDEXP,
))  # fmt: skip


# random programs


@dataclass(frozen=True)
class Program:
    """A graph, arguments for it, and what its outputs are."""

    graph: Graph
    arguments: list[Array]
    expected: list[Measured]

    def __str__(self) -> str:
        return "\n".join([str(self.graph), *(f"%{n} = {a!r}" for n, a in enumerate(self.arguments)), ""])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def array_of(rng: np.random.Generator, type_: Type) -> Array:
    """Random numbers of a type: floats around one, small integers."""
    if type_.is_float:
        return np.asarray(rng.normal(size=type_.shape), type_.dtype)
    if type_.dtype.kind == "b":
        return np.asarray(rng.random(type_.shape) < 0.5)
    low = 0 if type_.dtype.kind == "u" else -6
    return np.asarray(rng.integers(low, 12, type_.shape), type_.dtype)


def shapes(rank: int = 3, *, empty: bool = True) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes with awkward extents, now and then with an axis of no elements."""
    extents = st.sampled_from((*EXTENTS * 3, 0) if empty else EXTENTS)
    ranks = st.sampled_from((0, *range(1, rank + 1), *range(1, rank + 1)))
    of_rank = ranks.flatmap(lambda n: st.tuples(*[extents] * n))
    return of_rank.filter(lambda shape: math.prod(shape) <= LARGEST)


FLOAT_UNARY = (
    ops.EXP, ops.EXPM1, ops.LOG, ops.LOG1P, ops.TANH, ops.LOGISTIC, ops.EXPIT, ops.RELU, ops.SQRT, ops.ROOT, ops.SIN,
    ops.COS, ops.FLOOR, ops.CEIL, ops.ROUND, ops.TAN, ops.ARCSIN, ops.ARCCOS, ops.ARCTAN, ops.SINH, ops.COSH,
    ops.ARCSINH, ops.ARCCOSH, ops.ARCTANH, ops.EXP2, ops.LOG2, ops.LOG10, ops.CBRT, ops.ERF,
)  # fmt: skip
SIGNED_UNARY = (ops.NEGATIVE, ops.ABSOLUTE, ops.SIGN)
SMOOTH_UNARY = (
    ops.NEGATIVE, ops.EXP, ops.EXPM1, ops.LOG, ops.LOG1P, ops.TANH, ops.LOGISTIC, ops.EXPIT, ops.SQRT, ops.ROOT,
    ops.SIN, ops.COS, ops.ARCTAN, ops.SINH, ops.COSH, ops.ARCSINH, ops.EXP2, ops.LOG2, ops.LOG10, ops.CBRT, ops.ERF,
)  # fmt: skip
SMOOTH_BINARY = (ops.ADD, ops.SUBTRACT, ops.MULTIPLY, ops.DIVIDE, ops.POWER, ops.HYPOT, ops.LOGADDEXP, ops.ARCTAN2)
#: Operations whose last operand's zeros have a sign that shows.
SIGN_SHOWS = (ops.COPYSIGN, ops.ARCTAN2, ops.NEXTAFTER)


#: Names of the builder's steps, as often as they are to be taken.
LAYOUT = ("reshape", "transpose", "broadcast", "slice", "pad", "concatenate")
ANY = (
    *["unary"] * 5, *["binary"] * 6, *LAYOUT * 2, *["reduction", "contract"] * 3, *["gather", "scatter_add"] * 2,
    *["select"] * 2, "change_dtype", "full", "iota", "constant",
)  # fmt: skip

DIFFERENTIABLE = (
    *["smooth_unary"] * 5, *["smooth_binary"] * 5, *["kinked"] * 3, *LAYOUT, "gather", "scatter_add", "reduction",
    *["contract"] * 3,
)  # fmt: skip


@dataclass
class Builder:
    """A graph being drawn; every node in `known` has its measured value."""

    draw: Callable[..., Any]
    rng: np.random.Generator
    dtypes: tuple[str, ...]
    known: dict[Node, Measured] = field(default_factory=dict)

    def one_of(self, choices: Sequence[Any]) -> Any:
        if not choices:
            raise Untamed
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def pick(self, wanted: Callable[[Type], bool] = lambda t: True) -> Node:
        """A node of a wanted type, most often one of the latest, so that programs grow deep."""
        found = [n for n in self.known if wanted(n.type)][::-1]
        return self.one_of(found if self.number(0, 3) == 0 else found[:3])

    def add(self, op: Op, *inputs: Node, attributes: tuple[Any, ...] = ()) -> Node:
        node = Node(op, inputs, attributes)
        if node not in self.known:
            if node.type.size > LARGEST:
                raise Untamed
            self.leaf(node, measured(node, [self.known[n] for n in inputs]))
        return node

    def leaf(self, node: Node, found: Measured) -> Node:
        if not is_tame(found):
            raise Untamed
        self.known[node] = found
        return node

    def cast(self, x: Node, dtype: np.dtype[Any]) -> Node:
        return x if x.type.dtype == dtype else self.add(ops.CAST, x, attributes=(dtype.name,))

    def fitted(self, x: Node, type_: Type) -> Node:
        """`x`, or something made of it, as that type."""
        x, shape = self.cast(x, type_.dtype), type_.shape
        if x.type.shape == shape:
            return x
        axes = tuple(range(len(shape) - x.type.rank, len(shape)))
        if x.type.rank > len(shape) or any(n not in (1, shape[a]) for n, a in zip(x.type.shape, axes, strict=True)):
            first = (0,) * x.type.rank
            if x.type.size == 0:
                x = full(0, type_.with_shape(()))
                self.known.setdefault(x, measured(x, []))
            else:
                x = self.add(ops.SLICE, x, attributes=(first, tuple(1 for _ in first), tuple(1 for _ in first)))
                x = self.add(ops.RESHAPE, x, attributes=((),))
            axes = ()
        return x if not shape else self.add(ops.BROADCAST, x, attributes=(shape, axes))

    def inputs(self) -> tuple[list[Node], list[Array]]:
        """One to four inputs, with arguments."""
        nodes, arguments = [], []
        for n in range(self.number(1, 4)):
            type_ = Type(self.draw(shapes()), np.dtype(self.one_of(self.dtypes)))
            arguments.append(array_of(self.rng, type_))
            nodes.append(self.leaf(input_node(n, type_), exact(arguments[-1])))
        return nodes, arguments

    def grow(self, steps: int, kinds: Sequence[str] = ANY) -> None:
        """So many attempts at a step."""
        for _ in range(steps):
            try:
                getattr(self, self.one_of(kinds))()
            except Untamed:
                continue

    def ends(self) -> list[Node]:
        """The nodes that nothing uses."""
        used = {source for node in self.known for source in node.inputs}
        return [node for node in self.known if node not in used and node.op not in ops.LEAVES]

    # one step of each kind

    def full(self) -> Node:
        type_ = Type(self.draw(shapes(2)), np.dtype(self.one_of(self.dtypes)))
        numbers = (-0.0, 0.5, -1.5, 3.25) if type_.is_float else (0, 1, 2)
        return self.add_leaf(full(self.one_of((0, 1, 2, *numbers)), type_))

    def add_leaf(self, node: Node) -> Node:
        return self.leaf(node, measured(node, []))

    def iota(self) -> Node:
        shape = self.draw(shapes(2))
        dtype = np.dtype(self.one_of([d for d in self.dtypes if d != "bool"]))
        return self.add_leaf(Node(ops.IOTA, (), (self.number(0, max(len(shape) - 1, 0)), Type(shape or (3,), dtype))))

    def constant(self) -> Node:
        """A captured array, now and then one that is not contiguous."""
        array = array_of(self.rng, Type(self.draw(shapes(2)), np.dtype(self.one_of(self.dtypes))))
        layouts = (lambda a: a, lambda a: a.T, lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a)
        return self.add_leaf(constant(self.one_of(layouts)(array)))

    def unary(self) -> Node:
        x = self.pick()
        kind = x.type.dtype.kind
        own = {"f": (*FLOAT_UNARY * 2, *SIGNED_UNARY), "b": (ops.LOGICAL_NOT, ops.ABSOLUTE)}.get(kind, SIGNED_UNARY)
        op = self.one_of((*own, ops.STOP_GRADIENT, ops.MARK))
        return self.add(op, x, attributes=(self.number(0, 99),) if op is ops.MARK else ())

    def binary(self) -> Node:
        a = self.pick()
        b = self.fitted(self.pick(), a.type)
        kind = a.type.dtype.kind
        own = {
            "f": (*ops.ARITHMETIC, *ops.FUNCTIONS_OF_TWO),
            "b": (*ops.LOGICAL, ops.ADD, ops.MULTIPLY, ops.MAXIMUM, ops.MINIMUM),
        }.get(kind, (*(op for op in ops.ARITHMETIC if op is not ops.DIVIDE), *ops.BITWISE))
        op = self.one_of((*own, *own, *ops.COMPARISONS))
        if op in SIGN_SHOWS and any((self.known[n].value == 0).any() for n in (a, b)):
            raise Untamed  # which of −0 and 0 a maximum gives is left open
        return self.add(op, *self.one_of(((a, b), (b, a))[: 1 if op is ops.POWER else 2]))

    def select(self) -> Node:
        a = self.pick()
        return self.add(
            ops.SELECT, self.fitted(self.pick(), a.type.with_dtype(bool)), a, self.fitted(self.pick(), a.type)
        )

    def change_dtype(self) -> Node:
        x, dtype = self.pick(), np.dtype(self.one_of(self.dtypes))
        same_size = x.type.dtype.itemsize == dtype.itemsize and "b" not in (x.type.dtype.kind, dtype.kind)
        if same_size and self.number(0, 1) and not (x.type.is_float and (self.known[x].value == 0).any()):
            return self.add(ops.BITCAST, x, attributes=(dtype.name,))
        return self.cast(x, dtype)

    def reshape(self) -> Node:
        x = self.pick()
        left, shape = x.type.size, []
        for _ in range(self.number(0, 3)):
            shape.append(self.one_of([n for n in range(1, left + 1) if left % n == 0] if left else [0, 1, 2]))
            left //= shape[-1] or 1
        rest = [left] if left != 1 and (left or 0 not in shape) else []
        return self.add(ops.RESHAPE, x, attributes=((*shape, *rest),))

    def transpose(self) -> Node:
        x = self.pick(lambda t: t.rank > 1)
        return self.add(ops.TRANSPOSE, x, attributes=(tuple(self.draw(st.permutations(range(x.type.rank)))),))

    def broadcast(self) -> Node:
        """New axes anywhere, size-one axes repeated."""
        x = self.pick()
        shape = [self.one_of((1, 3, 8)) if n == 1 else n for n in x.type.shape]
        axes = list(range(x.type.rank))
        for _ in range(self.number(0, 2)):
            place = self.number(0, len(shape))
            shape.insert(place, self.one_of((0, 1, 2, 5)))
            axes = [a + (a >= place) for a in axes]
        return self.add(ops.BROADCAST, x, attributes=(tuple(shape), tuple(axes)))

    def slice(self) -> Node:
        x = self.pick(lambda t: t.rank > 0)
        parts = []
        for n in x.type.shape:
            start, step = self.number(0, max(n - 1, 0)), self.one_of((1, 1, -1, 2, -2, 3))
            most = 0 if n == 0 else (n - 1 - start) // step + 1 if step > 0 else start // -step + 1
            parts.append((start, self.number(0 if self.number(0, 9) == 0 else min(most, 1), most), step))
        return self.add(ops.SLICE, x, attributes=tuple(zip(*parts, strict=True)))

    def pad(self) -> Node:
        x = self.pick(lambda t: t.rank > 0)
        widths = [tuple(self.one_of((0, 0, 1, 2)) for _ in x.type.shape) for _ in range(3)]
        return self.add(ops.PAD, x, attributes=tuple(widths))

    def concatenate(self) -> Node:
        first = self.pick(lambda t: t.rank > 0)
        axis = self.number(0, first.type.rank - 1)
        parts = [first]
        for _ in range(self.number(0, 2)):
            extent = self.one_of((0, 1, 3))
            shape = tuple(extent if a == axis else n for a, n in enumerate(first.type.shape))
            parts.append(self.fitted(self.pick(), first.type.with_shape(shape)))
        return self.add(ops.CONCATENATE, *self.draw(st.permutations(parts)), attributes=(axis,))

    def index(self) -> Node:
        return self.pick(lambda t: t.dtype.kind in "iu" and t.size <= 40 and t.rank <= 2)

    def gather(self) -> Node:
        index = self.index()
        return self.add(ops.GATHER, self.pick(lambda t: t.rank > 0 and t.shape[0] > 0), index)

    def scatter_add(self) -> Node:
        x, index = self.pick(lambda t: t.rank > 0 and t.shape[0] > 0), self.index()
        updates = self.fitted(self.pick(), x.type.with_shape(index.type.shape + x.type.shape[1:]))
        return self.add(ops.SCATTER_ADD, x, index, updates)

    def reduction(self) -> Node:
        op = self.one_of((ops.SUM, ops.MAX))
        x = self.pick(lambda t: op is ops.SUM or t.size > 0)
        axes = self.draw(st.sets(st.sampled_from(range(x.type.rank)))) if x.type.rank else ()
        return self.add(op, x, attributes=(tuple(sorted(axes)),))

    def contract(self) -> Node:
        a = self.pick(lambda t: t.dtype != bool)
        b = self.cast(self.pick(lambda t: t.dtype != bool), a.type.dtype)
        a_labels = list(range(a.type.rank))
        free, b_labels = list(a_labels), []
        for n, extent in enumerate(b.type.shape):
            shared = [label for label in free if a.type.shape[label] == extent]
            label = self.one_of(
                [*shared, 10 + n] if self.number(0, 3) == 0 else [*shared, *([] if shared else [10 + n])]
            )
            b_labels.append(label)
            free = [other for other in free if other != label]
        both = set(a_labels) & set(b_labels)
        batch = {label for label in sorted(both) if self.number(0, 2) == 0}
        out = [label for label in (*a_labels, *(m for m in b_labels if m not in both)) if label not in both - batch]
        if math.prod(dict(zip((*a_labels, *b_labels), (*a.type.shape, *b.type.shape), strict=True)).values()) > 20_000:
            raise Untamed
        out = self.draw(st.permutations(out))
        return self.add(ops.CONTRACT, a, b, attributes=(tuple(a_labels), tuple(b_labels), tuple(out)))

    # steps that have derivatives

    def smooth_unary(self) -> Node:
        op, x = self.one_of(SMOOTH_UNARY), self.pick(lambda t: t.is_float)
        if op in (ops.SQRT, ops.ROOT, ops.LOG, ops.LOG1P, ops.LOG2, ops.LOG10, ops.CBRT):
            self.need(self.known[x].value + (op is ops.LOG1P))
        return self.add(op, x)

    def smooth_binary(self) -> Node:
        a = self.pick(lambda t: t.is_float)
        b = self.fitted(self.pick(lambda t: t.is_float), a.type)
        op = self.one_of(SMOOTH_BINARY)
        first, second = self.one_of(((a, b), (b, a)))
        if op is ops.POWER and (self.known[first].value < 0).any():
            raise Untamed  # a negative number has powers, but none beside them
        if op in (ops.HYPOT, ops.ARCTAN2):
            self.need(np.hypot(self.known[first].value, self.known[second].value))
        if op is ops.ARCTAN2 and (self.known[second].value < 0).any():
            self.need(self.known[first].value)  # the angle jumps there
        if op in (ops.POWER, ops.DIVIDE):
            self.need(self.known[first if op is ops.POWER else second].value)
        return self.add(op, first, second)

    def kinked(self) -> Node:
        """An operation with a kink, clearly to one side of it."""
        op = self.one_of((ops.ABSOLUTE, ops.RELU, ops.MAXIMUM, ops.MINIMUM, ops.MAX, ops.SELECT))
        a = self.pick(lambda t: t.is_float and (op is not ops.MAX or t.rank > 0 and t.size > 0))
        x = self.known[a].value
        if op is ops.MAX:
            axis = self.number(0, x.ndim - 1)
            ordered = np.sort(x, axis=axis)
            self.need(np.diff(np.moveaxis(ordered, axis, 0)[-2:], axis=0))
            return self.add(op, a, attributes=((axis,),))
        if op in (ops.ABSOLUTE, ops.RELU):
            self.need(x)
            return self.add(op, a)
        b = self.fitted(self.pick(lambda t: t.is_float), a.type)
        if op is ops.SELECT:
            return self.add(op, self.fitted(self.pick(), a.type.with_dtype(bool)), a, b)
        self.need(x - self.known[b].value)
        return self.add(op, a, b)

    def need(self, distance: Array) -> None:
        """A distance from a kink or a pole."""
        if (np.abs(distance) < 0.02).any():
            raise Untamed


@st.composite
def programs(
    draw: Callable[..., Any], floats: Sequence[str] = FLOATS, integers: Sequence[str] = INTEGERS, steps: int = 14
) -> Program:
    """A random program in these floating-point and integer types and in booleans."""
    kinds = (*floats, *floats, *integers[:4], *(("bool",) if integers else ()))
    dtypes = tuple(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3))) or kinds
    builder = Builder(draw, np.random.default_rng(draw(st.integers(0, 2**20))), (*dtypes, *floats[:1]))
    inputs, arguments = builder.inputs()
    builder.grow(draw(st.integers(steps // 3, steps)))
    also = draw(st.lists(st.sampled_from(list(builder.known)), max_size=2))
    graph = Graph(tuple(inputs), (*(builder.ends()[-4:] or inputs), *also))
    return Program(graph, arguments, [builder.known[n] for n in graph.outputs])


@st.composite
def differentiable_programs(draw: Callable[..., Any], dtype: str = "float64", steps: int = 18) -> Program:
    """A random program of floating-point numbers, with an input of indexes, at a point where it has a derivative."""
    builder = Builder(draw, np.random.default_rng(draw(st.integers(0, 2**20))), (dtype,))
    inputs, arguments = builder.inputs()
    index = array_of(builder.rng, Type((3,), np.dtype(np.int32)))
    inputs.append(builder.leaf(input_node(len(inputs), Type((3,), index.dtype)), exact(index)))
    arguments.append(index)
    builder.grow(draw(st.integers(steps // 3, steps)), DIFFERENTIABLE)
    results = [node for node in builder.ends() if node.type.is_float and node.type.size] or inputs[:1]
    graph = Graph(tuple(inputs), tuple(results[-3:]))
    return Program(graph, arguments, [builder.known[n] for n in graph.outputs])


# random loops


@dataclass(frozen=True)
class Rounds:
    """A graph that is run round after round, as `run.program.Loop` says, and what is there at the end."""

    graph: Graph
    updates: Mapping[int, int]
    stepped: frozenset[int]
    collected: frozenset[int]
    rounds: int
    arguments: list[Array]
    final: list[Measured]  # the arguments, after the updates
    outputs: list[Measured]  # of the last round, or of all rounds if collected

    def __str__(self) -> str:
        how = f"updates {self.updates}, stepped {sorted(self.stepped)}, collected {sorted(self.collected)}"
        how += f", {self.rounds} rounds"
        return "\n".join([str(self.graph), how, *(f"%{n} = {a!r}" for n, a in enumerate(self.arguments)), ""])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def in_rounds(
    graph: Graph, updates: Mapping[int, int], stepped: frozenset[int], collected: frozenset[int], rounds: int,
    arguments: Sequence[Array],
) -> Rounds:  # fmt: skip
    """The meaning of a loop: a Python loop over the interpreter."""
    state = [exact(a) for a in arguments]
    kept: list[list[Measured]] = [[] for _ in graph.outputs]
    for t in range(rounds):
        given = [Measured(s.value[t], s.error[t]) if n in stepped else s for n, s in enumerate(state)]
        found = outcomes(graph, given)
        for n, output in enumerate(found):
            kept[n] = [*kept[n], output] if n in collected else [output]
        for output, source in updates.items():
            state[source] = found[output]
    results = [
        Measured(np.stack([m.value for m in ms]), np.stack([m.error for m in ms])) if n in collected else ms[0]
        for n, ms in enumerate(kept)
    ]
    return Rounds(graph, updates, stepped, collected, rounds, list(arguments), state, results)


@st.composite
def loops(draw: Callable[..., Any], floats: Sequence[str] = FLOATS, steps: int = 8) -> Rounds:
    """A random loop: some inputs are replaced by results, some step along rows, some outputs are collected."""
    dtypes = (*floats, *floats, *(("int32", "bool") if draw(st.booleans()) else ()))
    builder = Builder(draw, np.random.default_rng(draw(st.integers(0, 2**20))), dtypes)
    inputs, arguments = builder.inputs()
    builder.grow(draw(st.integers(1, steps)))
    outputs, updates = list(builder.ends()[-2:]), {}
    for n, node in enumerate(inputs):
        if draw(st.integers(0, 3)):
            try:
                new = node if draw(st.integers(0, 5)) == 0 else builder.fitted(builder.pick(), node.type)
            except Untamed:
                continue
            updates[len(outputs)] = n
            outputs.append(new)
    order = draw(st.permutations(range(len(outputs) or 1)))
    outputs = [(outputs or inputs[:1])[n] for n in order]
    updates = {order.index(position): n for position, n in updates.items()}
    replaced = set(updates.values())
    stepped = frozenset(n for n in range(len(inputs)) if n not in replaced and draw(st.booleans()))
    collected = frozenset(n for n in range(len(outputs)) if n not in updates and draw(st.booleans()))
    rounds = draw(st.integers(1, 3))
    for n in stepped:
        arguments[n] = np.stack([arguments[n], *(array_of(builder.rng, inputs[n].type) for _ in range(rounds - 1))])
    graph = Graph(tuple(inputs), tuple(outputs))
    for shorter in range(rounds, 0, -1):
        try:
            found = in_rounds(graph, updates, stepped, collected, shorter, arguments)
        except Untamed:
            continue
        if all(map(is_tame, (*found.final, *found.outputs))):
            return found
    raise AssertionError("the first round is tame: every node of it has been measured")
