"""The function by which a running program calls Python: see `schedule.host_calls`."""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from chainrule.graph.interpret import applied
from chainrule.graph.node import Node
from chainrule.graph.types import Type
from chainrule.schedule.host_calls import GO_ON

__all__ = ["Host"]


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
