"""What a native program calls Python for: operations that NumPy computes, and to hear whether it should end.

The program calls one function with the address of a table: the number of the operation (sorting, LAPACK's linear
algebra) and the addresses of its operands and its result; or `MAY_GO_ON`, in whose place it then finds `GO_ON`, or not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.interpret import applied
from chainrule.graph.node import Node
from chainrule.graph.types import Type

__all__ = ["GO_ON", "HOST_OPERATIONS", "MAY_GO_ON", "Host", "host_operations"]

MAY_GO_ON, GO_ON = -1, 1
HOST_OPERATIONS = frozenset({ops.ARGSORT, *ops.MATRIX})


def host_operations(graph: Graph) -> list[Node]:
    """The operations of a program that NumPy computes, those of programs inside it included, in a fixed order."""
    nodes = (node for part in [*graph.programs(), graph] for node in part.nodes())
    return list(dict.fromkeys(node for node in nodes if node.op in HOST_OPERATIONS))


class Host:
    """The function that a running program calls; it remembers what went wrong, which the program cannot be told."""

    def __init__(self, operations: Sequence[Node]) -> None:
        self._problems: list[BaseException] = []
        answering = _answering(operations, self._problems)
        next(answering)
        self._function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(answering.send)

    @property
    def address(self) -> int:
        """Where the function is."""
        return ctypes.cast(self._function, ctypes.c_void_p).value or 0

    def raise_problem(self) -> None:
        """Raise what first went wrong, when the program has ended."""
        if self._problems:
            raise self._problems[0]


def _answering(operations: Sequence[Node], problems: list[BaseException]) -> Generator[None, int, None]:
    """Answer one call after the other.

    A generator, because Python runs the handler of Ctrl-C as soon as it runs anything: what that raises comes up in
    here, where this waits. Of a function, it would come up before the first line, and be lost.
    """
    while True:
        try:
            while True:
                _answer(operations, problems, (yield))
        except GeneratorExit:
            return
        except BaseException as problem:
            problems.append(problem)


def _answer(operations: Sequence[Node], problems: Sequence[BaseException], call: int) -> None:
    """Do what a program asks for, by the number that its table begins with: an operation, or to say that it may go on.

    Where something has gone wrong before, nothing is done: the program is to end.
    """
    number = ctypes.c_int64.from_address(call)
    if problems:
        return
    if number.value < 0:
        number.value = GO_ON
        return
    node = operations[number.value]
    types = [*(n.type for n in node.inputs), node.type]
    table = (ctypes.c_void_p * len(types)).from_address(call + ctypes.sizeof(number))
    *inputs, output = (_view(address, type_) for address, type_ in zip(table, types, strict=True))
    with np.errstate(all="ignore"):
        output[...] = applied(node, inputs)


def _view(address: int | None, type_: Type) -> np.ndarray[Any, Any]:
    memory: Any = (ctypes.c_char * type_.bytes).from_address(address or 0)
    found: np.ndarray[Any, Any] = np.frombuffer(memory, type_.dtype)
    return found.reshape(type_.shape)
