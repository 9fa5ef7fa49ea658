"""Random functions that have derivatives, at points where they have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.checks import one_of, several, whole_number
from chainrule.errors import OptionError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.interpret import applied
from chainrule.graph.node import Node, input_node
from chainrule.graph.ops import Op
from chainrule.graph.types import Type, checked_dtype
from chainrule.trace.control import instantiated
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import flatten
from chainrule.transform.arguments import outcome

__all__ = ["OPERATIONS", "RandomFunction", "random_function"]

Values = np.ndarray[Any, Any]
_WIDEST = 30.0  # magnitude of any number on the way
_CLEAR = 0.1  # distance from kinks and poles
_LARGEST = 200  # elements of any array on the way


@dataclass(frozen=True)
class RandomFunction:
    """A function of arrays that returns a tuple of arrays, with arguments at which it has all its derivatives.

    Call it with plain or traced arrays: `cr.grad`, `cr.compile` and all others take it. `str` gives its graph.
    """

    graph: Graph
    arguments: tuple[Values, ...]
    seed: int

    @property
    def __name__(self) -> str:
        return f"random function {self.seed}"

    def __call__(self, *arguments: Any) -> Any:
        with transforming() as outermost:
            found = instantiated(self.graph, [as_array(x) for x in arguments])
            return outcome(flatten(tuple(found))[1], found, outermost)

    def __str__(self) -> str:
        return str(self.graph)


def random_function(
    seed: int, operations: Sequence[str] | None = None, steps: int = 12, dtype: Any = np.float64
) -> RandomFunction:
    """A random composition of `steps` operations, the same for the same seed.

    `operations` are names among `OPERATIONS`, unless told all. One to three arguments of up to three axes; up to three
    results. Numbers on the way stay below 30, and clear of kinks and poles, so every derivative exists.

    Raises OptionError for an operation of another name, or a dtype that is not of floating-point numbers.

    >>> import chainrule as cr
    >>> function = cr.testing.random_function(seed=3, steps=5)
    >>> cr.testing.check_gradient(function, *function.arguments)
    """
    names = tuple(OPERATIONS) if operations is None else tuple(operations)
    for name in several("operations", names, "name of an operation", 1):
        one_of("an operation", name, OPERATIONS)
    seed, steps = whole_number("seed", seed, 0), whole_number("steps", steps, 1)
    wanted = checked_dtype(dtype)
    if wanted.kind != "f":
        raise OptionError(f"random_function is one of floating-point numbers, not of {wanted}.")
    builder = _Builder(np.random.default_rng(seed), wanted)
    builder.start()
    for _ in range(20 * steps):
        if len(builder.values) >= builder.arguments + steps:
            break
        OPERATIONS[names[builder.random.integers(len(names))]](builder)
    return builder.finished(seed)


class _Untamed(Exception):
    """This operation here would leave the sensible numbers."""


@dataclass
class _Builder:
    """A graph that grows; the value of every node is known."""

    random: np.random.Generator
    dtype: np.dtype[Any]
    values: dict[Node, Values] = field(default_factory=dict)
    arguments: int = 0

    def start(self) -> None:
        """The arguments."""
        self.arguments = int(self.random.integers(1, 4))
        for n in range(self.arguments):
            shape = tuple(int(extent) for extent in self.random.integers(1, 5, self.random.integers(0, 4)))
            self.values[input_node(n, Type(shape, self.dtype))] = self.random.normal(size=shape).astype(self.dtype)

    def pick(self, lowest_rank: int = 0) -> Node:
        """A node, most often one of the latest, so that functions grow deep."""
        found = [node for node in self.values if node.type.rank >= lowest_rank]
        if not found:
            raise _Untamed
        latest = found[-3:] if self.random.random() < 0.7 else found
        return latest[int(self.random.integers(len(latest)))]

    def fitted(self, x: Node, shape: tuple[int, ...]) -> Node:
        """`x`, or a sum of it, as that shape."""
        if x.type.shape == shape:
            return x
        total = x if x.type.rank == 0 else self.add(ops.SUM, x, attributes=(tuple(range(x.type.rank)),))
        return self.add(ops.BROADCAST, total, attributes=(shape, ())) if shape else total

    def add(self, op: Op, *inputs: Node, attributes: tuple[Any, ...] = ()) -> Node:
        """A node, if its value is a sensible one."""
        node = Node(op, inputs, attributes)
        if node.type.size > _LARGEST:
            raise _Untamed
        with np.errstate(all="ignore"):
            value = applied(node, [self.values[n] for n in inputs])
        if not (np.abs(value) <= _WIDEST).all():
            raise _Untamed
        self.values[node] = value
        return node

    def clear(self, distance: Values) -> None:
        """Refuse what lies close to a kink or a pole."""
        if not (np.abs(distance) >= _CLEAR).all():
            raise _Untamed

    def finished(self, seed: int) -> RandomFunction:
        """The function of what nothing else uses."""
        used = {source for node in self.values for source in node.inputs}
        inputs = list(self.values)[: self.arguments]
        ends = [node for node in self.values if node not in used and node not in inputs][-3:]
        arguments = tuple(self.values[node] for node in inputs)
        return RandomFunction(Graph(tuple(inputs), tuple(ends or inputs[:1])), arguments, seed)


GrowthStep = Callable[[_Builder], None]


def _step(grow: Callable[[_Builder], Any]) -> GrowthStep:
    def attempt(builder: _Builder) -> None:
        try:
            grow(builder)
        except _Untamed:
            return

    return attempt


def _unary(op: Op, pole: Callable[[Values], Values] | None = None) -> GrowthStep:
    def grow(builder: _Builder) -> None:
        x = builder.pick()
        if pole is not None:
            builder.clear(pole(builder.values[x]))
        builder.add(op, x)

    return _step(grow)


def _binary(op: Op, pole: Callable[[Values, Values], Values] | None = None) -> GrowthStep:
    def grow(builder: _Builder) -> None:
        a = builder.pick()
        b = builder.fitted(builder.pick(), a.type.shape)
        if pole is not None:
            builder.clear(pole(builder.values[a], builder.values[b]))
        builder.add(op, a, b)

    return _step(grow)


def _sum(builder: _Builder) -> None:
    x = builder.pick(1)
    axes = tuple(axis for axis in range(x.type.rank) if builder.random.random() < 0.6)
    builder.add(ops.SUM, x, attributes=(axes or (0,),))


def _max(builder: _Builder) -> None:
    x = builder.pick(1)
    axis = int(builder.random.integers(x.type.rank))
    if x.type.shape[axis] > 1:
        largest = np.sort(np.moveaxis(builder.values[x], axis, 0), axis=0)[-2:]
        builder.clear(largest[1] - largest[0])
    builder.add(ops.MAX, x, attributes=((axis,),))


def _contract(builder: _Builder) -> None:
    """A product over one axis of each, of what a sum makes fit."""
    a, b = builder.pick(1), builder.pick(1)
    b = builder.fitted(b, (a.type.shape[-1], *b.type.shape[1:]))
    rank = a.type.rank
    labels = tuple(range(rank)), (rank - 1, *range(rank, rank + b.type.rank - 1))
    out = (*labels[0][:-1], *labels[1][1:])
    builder.add(ops.CONTRACT, a, b, attributes=(*labels, out))


def _reshape(builder: _Builder) -> None:
    x = builder.pick()
    builder.add(ops.RESHAPE, x, attributes=((x.type.size,),))


def _transpose(builder: _Builder) -> None:
    x = builder.pick(2)
    builder.add(ops.TRANSPOSE, x, attributes=(tuple(map(int, builder.random.permutation(x.type.rank))),))


def _broadcast(builder: _Builder) -> None:
    x = builder.pick()
    builder.add(ops.BROADCAST, x, attributes=((2, *x.type.shape), tuple(range(1, x.type.rank + 1))))


def _slice(builder: _Builder) -> None:
    x = builder.pick(1)
    backward = builder.random.random() < 0.5
    start = tuple(n - 1 if backward else n // 2 for n in x.type.shape)
    size = tuple((n + 1) // 2 if backward else n - n // 2 for n in x.type.shape)
    builder.add(ops.SLICE, x, attributes=(start, size, (-2 if backward else 1,) * x.type.rank))


def _pad(builder: _Builder) -> None:
    x = builder.pick(1)
    widths = builder.random.integers(0, 2, (3, x.type.rank))
    builder.add(ops.PAD, x, attributes=tuple(tuple(map(int, row)) for row in widths))


def _concatenate(builder: _Builder) -> None:
    a = builder.pick(1)
    builder.add(ops.CONCATENATE, a, builder.fitted(builder.pick(), a.type.shape), attributes=(0,))


OPERATIONS: Mapping[str, GrowthStep] = MappingProxyType(
    {
        **{
            op.name: _unary(op)
            for op in (
                ops.NEGATIVE, ops.EXP, ops.TANH, ops.LOGISTIC, ops.EXPIT, ops.SIN, ops.COS, ops.ARCTAN, ops.ARCSINH,
                ops.ERF,
            )
        },
        **{op.name: _unary(op, lambda x: x) for op in (ops.ABSOLUTE, ops.RELU, ops.CBRT)},
        "log": _unary(ops.LOG, lambda x: np.where(x > 0, x, 0)),
        "sqrt": _unary(ops.SQRT, lambda x: np.where(x > 0, x, 0)),
        **{op.name: _binary(op) for op in (ops.ADD, ops.SUBTRACT, ops.MULTIPLY, ops.LOGADDEXP)},
        **{op.name: _binary(op, lambda a, b: a - b) for op in (ops.MAXIMUM, ops.MINIMUM)},
        "divide": _binary(ops.DIVIDE, lambda a, b: b),
        "power": _binary(ops.POWER, lambda a, b: np.where(a > 0, a, 0)),
        "hypot": _binary(ops.HYPOT, np.hypot),
        "arctan2": _binary(ops.ARCTAN2, lambda a, b: np.where(b > 0, b, 0)),
        "sum": _step(_sum),
        "max": _step(_max),
        "contract": _step(_contract),
        "reshape": _step(_reshape),
        "transpose": _step(_transpose),
        "broadcast": _step(_broadcast),
        "slice": _step(_slice),
        "pad": _step(_pad),
        "concatenate": _step(_concatenate),
    }
)  # fmt: skip
