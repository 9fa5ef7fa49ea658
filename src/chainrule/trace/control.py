"""Loops and branches inside a program: functions looked at once, as programs of their own.

A function is called with placeholders, and what it did becomes a closed graph: what it used from outside is handed in
as further arguments. These are the forms that derivatives and transformations are written with: flat lists of Arrays,
trees being left to those who call them.

What does not depend on an argument is computed once, outside, before the loop, if there is no harm in that: a branch
may not be taken and a loop may have no round, and then what was first written in it is not computed at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, between, input_node
from chainrule.graph.rewrite import Rewriting, rewritten
from chainrule.graph.types import Type
from chainrule.trace.array import Array
from chainrule.trace.origins import all_origins, carry_origins
from chainrule.trace.primitives import apply, astype

__all__ = [
    "branched", "captured", "carried_in", "closed", "instantiated", "placeholders", "repeated", "results_of", "scanned",
]  # fmt: skip

FlatFunction = Callable[..., Sequence[Array]]
_TAGS = itertools.count()


def placeholders(types: Sequence[Type], *, compiling: bool = False) -> list[Array]:
    """Arrays without values, each different from all others, that stand for a function's arguments."""
    numbers = itertools.count() if compiling else itertools.repeat(-1)
    return [Array(Node(ops.PLACEHOLDER, (), (next(_TAGS), n, type_))) for n, type_ in zip(numbers, types, strict=False)]


@dataclass(frozen=True, slots=True)
class _Round:
    """What a function does in a round: of what is carried and other arguments, which placeholders stand for."""

    carry: list[Array]
    arguments: list[Array]
    opened: int  # nodes with higher numbers were written in the round
    outputs: list[Array]

    def settled(self) -> list[Array]:
        """What is carried, numbers of Python's as what they become: a number, or an array, of that dtype."""
        pairs = zip(self.carry, self.outputs, strict=False)
        return [Array(astype(c, after.dtype).node, after.weak) if c.weak else c for c, after in pairs]

    def holds_for(self, carry: Sequence[Array]) -> bool:
        """Whether the round does the same with this carried: the dtypes are the same, and nothing was cast to another.

        A number takes the dtype of an array that it meets, an array keeps its own; both are cast where they differ.
        """
        pairs = list(zip(self.carry, carry, strict=True))
        if any(before.dtype != now.dtype for before, now in pairs):
            return False
        stronger = [x for x, (before, now) in zip(self.arguments, pairs, strict=False) if before.weak != now.weak]
        return not any(node.op is ops.CAST for node in _between(stronger, self.outputs))


def _round_of(function: FlatFunction, carry: Sequence[Array], others: Sequence[Type] = ()) -> _Round:
    """One round, with what is carried into it in the dtypes that it keeps.

    A number of Python's becomes what a round makes of it. Where that makes a difference to the round, it is looked at
    again.
    """
    arguments = placeholders([*(c.node.type for c in carry), *others])
    for argument, carried in zip(arguments, carry, strict=False):
        argument.weak = carried.weak
    look = _Round(list(carry), arguments, _newest(), list(function(*arguments)))
    settled = look.settled()
    return look if look.holds_for(settled) else _round_of(function, settled, others)


def closed(
    outputs: Sequence[Array], arguments: Sequence[Array], outside: Sequence[Node] | None = None,
    inside: Collection[Node] | None = None,
) -> Graph:  # fmt: skip
    """The program from placeholders to outputs; its arguments are the placeholders, then what it used from outside.

    `inside` are the nodes of the program in order, those that depend on its arguments unless told otherwise.
    """
    interior = _between(arguments, outputs) if inside is None else inside
    used = captured(outputs, arguments, interior) if outside is None else outside
    given = {node: input_node(n, node.type) for n, node in enumerate([*(a.node for a in arguments), *used])}
    rewriting = Rewriting(all_origins(), given)
    for node in interior:
        if node not in given:
            rewriting.put(node, rewriting.again(node))
    return rewriting.graph(given, [o.node for o in outputs], moved=True)


def captured(
    outputs: Sequence[Array], arguments: Sequence[Array], inside: Collection[Node] | None = None
) -> list[Node]:
    """What lies outside and is used inside, numbers excepted."""
    interior = _between(arguments, outputs) if inside is None else inside
    used = [*(n for node in interior for n in node.inputs), *(o.node for o in outputs)]
    return [n for n in dict.fromkeys(used) if n not in interior and n.op not in (ops.FULL, ops.IOTA)]


def _between(
    arguments: Sequence[Array], outputs: Sequence[Array], counts: Callable[[Node], bool] | None = None
) -> dict[Node, None]:
    return between([a.node for a in arguments], [o.node for o in outputs], counts=counts)


def _programs(
    results: Sequence[Sequence[Array]], arguments: Sequence[Array], opened: int, stays: Callable[[Node], bool]
) -> tuple[list[Node], list[Graph]]:
    """What several programs of the same arguments use from outside, and the programs.

    Of what was first written in them, after the node numbered `opened`, that which `stays` is computed inside, with all
    that depends on it, even if it does not depend on an argument.
    """

    def counts(node: Node) -> bool:
        return node.serial > opened and stays(node)

    interiors = [_between(arguments, outputs, counts) for outputs in results]
    used = (captured(outputs, arguments, inside) for outputs, inside in zip(results, interiors, strict=True))
    outside = list(dict.fromkeys(itertools.chain.from_iterable(used)))
    programs = [closed(outputs, arguments, outside, inside) for outputs, inside in zip(results, interiors, strict=True)]
    return outside, programs


def _newest() -> int:
    """The number of a node that is newer than all others."""
    return placeholders([Type((), np.dtype(bool))])[0].node.serial


def _all_but_arrays(node: Node) -> bool:
    return node.op is not ops.CONSTANT


def _nothing(node: Node) -> bool:
    return False


def _may_not_end(node: Node) -> bool:
    """Whether computing it may take forever, or fail."""
    return node.op in ops.CONTROL or node.op in ops.MATRIX


def instantiated(graph: Graph, arguments: Sequence[Array]) -> list[Array]:
    """The outputs of a program for these arguments, as nodes of the program that they belong to."""
    given = dict(zip(graph.inputs, (a.node for a in arguments), strict=True))
    found = rewritten(graph, lambda node, again: again, given)
    for node, origins in found.origins.items():
        carry_origins(node, origins)
    return [Array(node) for node in found.outputs]


def results_of(node: Node) -> list[Array]:
    """The results of an operation that has several."""
    types: Any = node.type
    return [apply(ops.RESULT, node, attributes=(n,)) for n in range(len(types.types))]


def scanned(
    function: FlatFunction, carry: Sequence[Array], stepped: Sequence[Array], length: int, *, reverse: bool = False
) -> tuple[list[Array], list[Array]]:
    """What is carried after the last round, and the rows of every round, stacked.

    In each round `function(*carry, *rows)` returns what is carried on, as many as came, and then the round's rows.
    """
    look = _round_of(function, carry, [s.node.type.with_shape(s.shape[1:]) for s in stepped])
    stays = _nothing if length else _all_but_arrays
    outside, (body,) = _programs([look.outputs], look.arguments, look.opened, stays)
    inputs = [*(a.node for a in (*look.carry, *stepped)), *outside]
    node = apply(ops.SCAN, *inputs, attributes=(body, len(carry), len(stepped), length, reverse)).node
    results = results_of(node)
    return results[: len(carry)], results[len(carry) :]


def carried_in(function: FlatFunction, carry: Sequence[Array]) -> list[Array]:
    """What is carried into rounds of a function, numbers of Python's in the dtypes that a round makes of them."""
    return _round_of(function, carry).carry if any(c.weak for c in carry) else list(carry)


def repeated(condition: FlatFunction, function: FlatFunction, carry: Sequence[Array]) -> list[Array]:
    """`while condition(*carry): carry = function(*carry)`."""
    look = _round_of(function, carry)
    holds = list(condition(*look.arguments))
    outside, programs = _programs([holds, look.outputs], look.arguments, look.opened, _may_not_end)
    inputs = [*(c.node for c in look.carry), *outside]
    return results_of(apply(ops.WHILE, *inputs, attributes=(*programs, len(carry))).node)


def branched(condition: Array, if_true: FlatFunction, if_false: FlatFunction, operands: Sequence[Array]) -> list[Array]:
    """`if_true(*operands) if condition else if_false(*operands)`."""
    arguments, opened = placeholders([o.node.type for o in operands]), _newest()
    branches = [list(function(*arguments)) for function in (if_true, if_false)]
    outside, programs = _programs(branches, arguments, opened, _all_but_arrays)
    inputs = [condition.node, *(o.node for o in operands), *outside]
    return results_of(apply(ops.COND, *inputs, attributes=tuple(programs)).node)
