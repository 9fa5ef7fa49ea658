"""One immutable, interned node: an operation applied to nodes.

Two nodes with the same operation, inputs and attributes are the same object, so common subexpressions are shared
as they are written. A node's type is derived when it is made. Everything else that is known of a node (where it was
written, which forward node it answers for) is kept beside the graph, not in it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, final
from weakref import ref

import numpy as np

from chainrule.graph import ops
from chainrule.graph.ops import Op
from chainrule.graph.type_rules import TYPE_RULES
from chainrule.graph.types import Type, checked_dtype
from chainrule.graph.walks import post_order

__all__ = [
    "Data",
    "Node",
    "between",
    "constant",
    "full",
    "in_order",
    "input_node",
    "known",
    "number",
    "replaced",
    "results",
]


class Data:
    """A captured array; equal only to itself, as the array may be large. `shared` is one that others may change."""

    __slots__ = ("array", "shared")

    def __init__(self, array: np.ndarray[Any, Any], shared: bool = False) -> None:
        self.array = array
        self.shared = shared


class Node:
    """`op(*inputs, **attributes)` of type `type`.

    `value` is the node's value where every leaf below it is a known array; it is a cache of what the other fields
    say, filled by `interpret.value`, and never part of the node's identity.
    """

    __slots__ = ("__weakref__", "attributes", "inputs", "op", "serial", "type", "value")

    op: Op
    inputs: tuple[Node, ...]
    attributes: tuple[Any, ...]
    type: Type
    value: np.ndarray[Any, Any] | None
    serial: int  # nodes are numbered as they are made: what is older than a node cannot depend on it

    def __new__(cls, op: Op, inputs: tuple[Node, ...] = (), attributes: tuple[Any, ...] = ()) -> Node:
        key = (op, inputs, attributes)
        reference = _INTERNED.get(key)
        known = reference and reference()
        return known or _entered(cls._new(op, inputs, attributes), key)

    @classmethod
    def _new(cls, op: Op, inputs: tuple[Node, ...], attributes: tuple[Any, ...]) -> Node:
        node = object.__new__(cls)
        node.op = op
        node.inputs = inputs
        node.attributes = attributes
        node.type = _RULES[op](*[n.type for n in inputs], *attributes)
        node.value = None
        node.serial = next(_SERIAL)
        return node

    def __getattr__(self, name: str) -> Any:
        """An attribute of the operation by its name: `node.axes`."""
        try:
            return self.attributes[self.op.attributes.index(name)]
        except ValueError:
            raise AttributeError(f"{self.op} has no attribute {name!r}") from None

    def __repr__(self) -> str:
        return f"<{self.op} {self.type}>"


NodeKey = tuple[Op, tuple[Node, ...], tuple[Any, ...]]


@final
class _Reference(ref[Node]):
    """A node in the table of all nodes, which does not keep it alive."""

    __slots__ = ("key",)
    key: NodeKey


# The one table that lives as long as the program: it makes equal nodes identical, forgets a node with its last
# user, and cannot be observed otherwise. The counter beside it only ever grows. (A WeakValueDictionary does the same in
# three times the time, which is half of what it takes to make a node.)
_SERIAL = itertools.count()
_LOCK = threading.RLock()
_INTERNED: dict[NodeKey, _Reference] = {}


_RULES = dict(TYPE_RULES)  # reading through a proxy takes twice the time


def _entered(node: Node, key: NodeKey) -> Node:
    """The node after it has been entered in the table; that of another thread which was faster."""
    reference = _Reference(node, _forget)
    reference.key = key
    with _LOCK:
        other = _INTERNED.get(key)
        known = other and other()
        if known is None:
            _INTERNED[key] = reference
    return known or node


def _forget(reference: ref[Node]) -> None:
    key = reference.key  # type: ignore[attr-defined]
    with _LOCK:
        if _INTERNED.get(key) is reference:
            del _INTERNED[key]


def input_node(index: int, type_: Type) -> Node:
    """Argument number `index` of a program."""
    return Node(ops.INPUT, (), (index, type_))


def known(array: np.ndarray[Any, Any]) -> Node:
    """A captured array of one of the types that programs compute with.

    It is equal only to itself, so that it need not be entered in the table of nodes.
    """
    node = object.__new__(Node)
    node.op, node.inputs, node.attributes = ops.CONSTANT, (), (Data(array),)
    node.type, node.value, node.serial = Type(array.shape, array.dtype), array, next(_SERIAL)
    return node


def constant(array: np.ndarray[Any, Any]) -> Node:
    """A captured array; DTypeError if programs do not compute with its type."""
    return known(np.asarray(array, checked_dtype(array.dtype), order="C"))


def full(value: complex | np.generic, type_: Type) -> Node:
    """One number everywhere, of the given type."""
    is_double = type_.dtype.char == "d" and type(value) in (float, int)
    exact = float(value) if is_double else type_.dtype.type(value).item()  # type: ignore[arg-type]
    return Node(ops.FULL, (), (repr(exact), type_))


def number(node: Node) -> float | int | bool:
    """The number of a `full` node."""
    text: str = node.attributes[0]
    if node.type.is_float:
        return float(text)
    return text == "True" if text in ("True", "False") else int(text)


def in_order(outputs: Iterable[Node]) -> list[Node]:
    """Every node that the outputs need, inputs before users; the order depends on the graph alone."""
    return post_order(outputs, _INPUTS)


_INPUTS: Callable[[Node], tuple[Node, ...]] = attrgetter("inputs")


def between(
    sources: Iterable[Node],
    outputs: Iterable[Node],
    *,
    floats: bool = False,
    counts: Callable[[Node], bool] | None = None,
) -> dict[Node, None]:
    """The nodes by way of which a source acts on an output, both included, inputs before users.

    What is older than every source cannot depend on one, so the walk stops there: its cost is that of the part of the
    program that it is about. With `floats` it also stops at what has no derivative. What `counts` as a source, and is
    not older than all others, is one.
    """
    chosen = set(sources)
    oldest = min((source.serial for source in chosen), default=0)
    found: dict[Node, None] = {}
    is_found = found.__contains__

    def below(node: Node) -> list[Node]:
        return [n for n in node.inputs if n.serial >= oldest and (not floats or n.type.is_float)]

    for node in post_order([n for n in outputs if n.serial >= oldest and (not floats or n.type.is_float)], below):
        if node in chosen or any(map(is_found, node.inputs)) or (counts and counts(node)):
            found[node] = None
    return found


def results(node: Node) -> list[Node]:
    """The results of an operation that has several, each a node of its own."""
    several: Any = node.type
    return [Node(ops.RESULT, (node,), (n,)) for n in range(len(several.types))]


def replaced(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The same operation on other inputs."""
    return node if inputs == node.inputs else Node(node.op, inputs, node.attributes)
