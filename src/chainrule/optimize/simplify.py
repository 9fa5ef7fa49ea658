"""Rewrites that keep a graph's value and make it cheaper.

Each rule looks at one node whose inputs are already simple, and gives a better one or None. A rule reassociates nothing
and takes no rounding away, so what it gives computes the same numbers. Only sums over outer products are reassociated,
where that saves work: see `contraction_order`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.interpret import NUMPY
from chainrule.graph.node import Node, full, number, replaced
from chainrule.graph.ops import Op
from chainrule.graph.rewrite import rewritten
from chainrule.optimize.contraction_order import with_cheap_products
from chainrule.optimize.loops import with_fewer_loops
from chainrule.optimize.small_matrices import with_small_matrices

__all__ = ["simplify"]

Rule = Callable[[Node], Node | None]


def simplify(graph: Graph) -> Graph:
    """A graph with the same value for all arguments, without marks, and cheaper to run."""
    simple = _once(with_small_matrices(graph))
    fewer = with_fewer_loops(simple)
    simple = simple if fewer is simple else _once(fewer)
    cheaper = with_cheap_products(simple)
    return simple if cheaper is simple else simplify(cheaper)


def _once(graph: Graph) -> Graph:
    used = _uses(graph.nodes(), graph.outputs)

    def simplified(node: Node, again: Node) -> Node:
        simple = _simplified(_inside_simplified(again), used)
        if simple is not node:
            used[simple] = used.get(simple, 0) + used.get(node, 0)
        return simple

    return rewritten(graph, simplified)


def _inside_simplified(node: Node) -> Node:
    """The node with the programs inside it simplified."""
    if node.op not in ops.CONTROL:
        return node
    return Node(node.op, node.inputs, tuple(simplify(a) if isinstance(a, Graph) else a for a in node.attributes))


def _uses(nodes: list[Node], outputs: tuple[Node, ...]) -> dict[Node, int]:
    used = {node: outputs.count(node) for node in nodes}
    for node in nodes:
        for source in node.inputs:
            used[source] += 1
    return used


def _simplified(node: Node, used: Mapping[Node, int]) -> Node:
    while (better := _step(node, used)) is not None:
        node = better
    return node


def _step(node: Node, used: Mapping[Node, int]) -> Node | None:
    if node.op in _FOLDED and all(n.op is ops.FULL for n in node.inputs):
        return _folded(node)
    if node.op is ops.TRANSPOSE and node.inputs[0].op is ops.CONTRACT and used.get(node.inputs[0], 0) <= 1:
        return _transposed_contraction(node)
    if node.op is ops.TRANSPOSE and node.inputs[0].op in ops.ELEMENTWISE and _turns_freely(node.inputs[0], used):
        return _transposed_operands(node)
    rule = RULES.get(node.op)
    return rule(node) if rule else None


# numbers


def _is(node: Node, value: float) -> bool:
    return node.op is ops.FULL and number(node) == value and math.copysign(1, number(node)) == math.copysign(1, value)


def _folded(node: Node) -> Node:
    """An operation on single numbers, computed now."""
    scalars = [np.array(number(n), n.type.dtype) for n in node.inputs]
    with np.errstate(all="ignore"):
        return full(NUMPY[node.op](*scalars, *node.attributes)[()], node.type)


def _add(node: Node) -> Node | None:
    a, b = node.inputs
    nothing = -0.0 if node.type.is_float else 0  # x + 0.0 is not x where x is −0
    for x, y in ((a, b), (b, a)):
        if _is(y, nothing):
            return x
    return Node(ops.SUBTRACT, (a, b.inputs[0])) if b.op is ops.NEGATIVE else None


def _subtract(node: Node) -> Node | None:
    a, b = node.inputs
    if _is(b, 0):
        return a
    return Node(ops.ADD, (a, b.inputs[0])) if b.op is ops.NEGATIVE else None


def _multiply(node: Node) -> Node | None:
    a, b = node.inputs
    if _is(a, 1):
        return b
    if _is(b, 1):
        return a
    for x, y in ((a, b), (b, a)):
        if _is(x, -1) and node.type.dtype.kind != "u":
            return Node(ops.NEGATIVE, (y,))
    return None


def _divide(node: Node) -> Node | None:
    a, b = node.inputs
    if _is(b, 1):
        return a
    if b.op is ops.FULL and math.frexp(abs(number(b)))[0] == 0.5 and 1e-30 < abs(number(b)) < 1e30:
        return Node(ops.MULTIPLY, (a, full(1 / number(b), b.type)))  # a power of two: exact
    return None


def _negative(node: Node) -> Node | None:
    (x,) = node.inputs
    return x.inputs[0] if x.op is ops.NEGATIVE else None  # −(x − y) is not y − x: where they are equal the zeros differ


def _power(node: Node) -> Node | None:
    x, n = node.inputs
    if _is(n, 1):
        return x
    if _is(n, 2):
        return Node(ops.MULTIPLY, (x, x))
    if _is(n, -1) and x.type.is_float:
        return Node(ops.DIVIDE, (full(1, x.type), x))
    return full(1, x.type) if n.op is ops.FULL and number(n) == 0 else None


def _select(node: Node) -> Node | None:
    condition, a, b = node.inputs
    if a is b:
        return a
    if condition.op is ops.FULL:
        return a if number(condition) else b
    return None


def _cast(node: Node) -> Node | None:
    (x,) = node.inputs
    return x if x.type == node.type else None


# layout


def _through_full(node: Node) -> Node | None:
    x = node.inputs[0]
    return Node(ops.FULL, (), (x.attributes[0], node.type)) if x.op is ops.FULL else None


def _transpose(node: Node) -> Node | None:
    (x,) = node.inputs
    if node.axes == tuple(range(len(node.axes))):
        return x
    if x.op is ops.TRANSPOSE:
        return Node(ops.TRANSPOSE, x.inputs, (tuple(x.axes[a] for a in node.axes),))
    return _through_full(node)


def _transposed_contraction(node: Node) -> Node:
    product = node.inputs[0]
    out = tuple(product.out[a] for a in node.axes)
    return Node(ops.CONTRACT, product.inputs, (product.a, product.b, out))


def _turns_freely(node: Node, used: Mapping[Node, int], most: int = 8) -> bool:
    """Whether a transpose can go into the contractions that an elementwise result is made of, not too far below."""
    if most == 0:
        return False
    if node.op in (ops.FULL, ops.TRANSPOSE):
        return True
    if used.get(node, 0) > 1:
        return False
    return node.op is ops.CONTRACT or (
        node.op in ops.ELEMENTWISE
        and any(n.op is not ops.FULL for n in node.inputs)
        and all(_turns_freely(n, used, most - 1) for n in node.inputs)
    )


def _transposed_operands(node: Node) -> Node:
    """The elementwise operation of transposes, each of them simplified."""
    result = node.inputs[0]
    operands = (_turned(n, node.axes) for n in result.inputs)
    return replaced(result, tuple(operands))


def _turned(node: Node, axes: tuple[int, ...]) -> Node:
    turned = Node(ops.TRANSPOSE, (node,), (axes,))
    if node.op is ops.CONTRACT:
        return _transposed_contraction(turned)
    if node.op in ops.ELEMENTWISE:
        return _transposed_operands(turned)
    return _transpose(turned) or turned


def _reshape(node: Node) -> Node | None:
    (x,) = node.inputs
    if x.type == node.type:
        return x
    return Node(ops.RESHAPE, x.inputs, node.attributes) if x.op is ops.RESHAPE else _through_full(node)


def _broadcast(node: Node) -> Node | None:
    (x,) = node.inputs
    if x.type == node.type:
        return x
    if x.op is ops.BROADCAST and all(x.type.shape[n] == node.shape[a] for n, a in enumerate(node.axes)):
        return Node(ops.BROADCAST, x.inputs, (node.shape, tuple(node.axes[a] for a in x.axes)))
    return _through_full(node)


def _slice(node: Node) -> Node | None:
    (x,) = node.inputs
    whole = node.size == x.type.shape and not any(node.start) and all(n == 1 for n in node.step)
    return x if whole else _through_full(node)


def _pad(node: Node) -> Node | None:
    return node.inputs[0] if node.type == node.inputs[0].type else None


def _sum(node: Node) -> Node | None:
    """Sums over axes of size one are reshapes; sums of sums are one."""
    (x,) = node.inputs
    if all(x.type.shape[a] == 1 for a in node.axes):
        return Node(ops.RESHAPE, (x,), (node.type.shape,))
    if x.op is ops.SUM:
        inner = x.inputs[0].type.rank
        left = [a for a in range(inner) if a not in x.axes]
        return Node(ops.SUM, x.inputs, (tuple(sorted((*x.axes, *(left[a] for a in node.axes)))),))
    return None


def _max(node: Node) -> Node | None:
    (x,) = node.inputs
    if all(x.type.shape[a] == 1 for a in node.axes):
        return Node(ops.RESHAPE, (x,), (node.type.shape,))
    return None


def _contract(node: Node) -> Node | None:
    """A transposed operand is the operand with its labels transposed; one repeated along an axis lacks its label."""
    for position, x in enumerate(node.inputs):
        if x.op is ops.TRANSPOSE:
            labels = [list(node.a), list(node.b)]
            given = labels[position]
            labels[position] = [given[x.axes.index(n)] for n in range(len(given))]
            inputs = tuple(x.inputs[0] if n == position else other for n, other in enumerate(node.inputs))
            return Node(ops.CONTRACT, inputs, (tuple(labels[0]), tuple(labels[1]), node.out))
    return None


def _result(node: Node) -> Node | None:
    (source,) = node.inputs
    return source.inputs[node.index] if source.op is ops.CUSTOM else None


def _input(node: Node) -> Node:
    return node.inputs[0]


# The text of a number does not say which bits a nan has, so a bitcast is left to the program.
_FOLDED = frozenset((*ops.UNARY, *ops.BINARY)) - {ops.MARK, ops.STOP_GRADIENT, ops.BITCAST}

RULES: Mapping[Op, Rule] = MappingProxyType(
    {
        ops.MARK: _input,
        ops.STOP_GRADIENT: _input,
        ops.ADD: _add,
        ops.SUBTRACT: _subtract,
        ops.MULTIPLY: _multiply,
        ops.DIVIDE: _divide,
        ops.NEGATIVE: _negative,
        ops.POWER: _power,
        ops.SELECT: _select,
        ops.CAST: _cast,
        ops.TRANSPOSE: _transpose,
        ops.RESHAPE: _reshape,
        ops.BROADCAST: _broadcast,
        ops.SLICE: _slice,
        ops.PAD: _pad,
        ops.SUM: _sum,
        ops.MAX: _max,
        ops.CONTRACT: _contract,
        ops.RESULT: _result,
    }
)
