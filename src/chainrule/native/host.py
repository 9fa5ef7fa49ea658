"""Operations that NumPy computes in the middle of a native program: sorting, and LAPACK's linear algebra.

The program calls one function with the number of the operation and the addresses of its operands and its result.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.interpret import applied
from chainrule.graph.node import Node
from chainrule.graph.types import Type

__all__ = ["HOST_OPERATIONS", "Host", "host_operations"]

HOST_OPERATIONS = frozenset({ops.ARGSORT, *ops.MATRIX})


def host_operations(graph: Graph) -> list[Node]:
    """The operations of a program that NumPy computes, those of programs inside it included, in a fixed order."""
    nodes = (node for part in [*graph.programs(), graph] for node in part.nodes())
    return list(dict.fromkeys(node for node in nodes if node.op in HOST_OPERATIONS))


class Host:
    """The function that a running program calls; it remembers what went wrong, which the program cannot be told."""

    def __init__(self, operations: Sequence[Node]) -> None:
        self.operations = operations
        self.problem: BaseException | None = None
        self._function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(self._call)

    @property
    def address(self) -> int:
        """Where the function is."""
        return ctypes.cast(self._function, ctypes.c_void_p).value or 0

    def _call(self, number: int, addresses: int) -> None:
        node = self.operations[number]
        types = [*(n.type for n in node.inputs), node.type]
        table = (ctypes.c_void_p * len(types)).from_address(addresses)
        *inputs, output = (_view(address, type_) for address, type_ in zip(table, types, strict=True))
        try:
            with np.errstate(all="ignore"):
                output[...] = applied(node, inputs)
        except BaseException as problem:  # raised again when the program has ended
            self.problem = self.problem or problem


def _view(address: int | None, type_: Type) -> np.ndarray[Any, Any]:
    memory: Any = (ctypes.c_char * type_.bytes).from_address(address or 0)
    found: np.ndarray[Any, Any] = np.frombuffer(memory, type_.dtype)
    return found.reshape(type_.shape)
