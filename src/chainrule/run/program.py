"""A graph as a program: compiled once, run often.

A program may be a loop (`schedule.loop.Loop`): arguments that step along their first axis with each round, results that
are collected along theirs, and results that replace arguments. Then the whole loop is native, and Python is entered
again only when a stretch of it has run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from chainrule.cpu.target import CPU
from chainrule.display import counted
from chainrule.errors import ShapeError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node
from chainrule.graph.room import check_room
from chainrule.optimize.simplify import simplify
from chainrule.optimize.tables import with_tables
from chainrule.run import cache
from chainrule.run.host import Host
from chainrule.run.profile import Profile, measured
from chainrule.run.recycling import results_of
from chainrule.schedule.host_calls import host_operations
from chainrule.schedule.loop import Loop
from chainrule.schedule.schedule import Schedule
from chainrule.schedule.scheduling import schedule
from chainrule.schedule.target import Arguments, Runnable, Target

__all__ = ["Loop", "Program", "build", "flops", "kernels_of"]

Array = np.ndarray[Any, Any]
_MANY, _ROUNDS = 200, 8  # kernels of a program, and on average of each kind, that speak of a loop written out


def kernels_of(graph: Graph, loop: Loop, target: Target) -> Schedule:
    """The schedule of a simplified graph for a target: its steps, each with its name, kernels with their tilings."""
    return target.planned(schedule(graph, loop))


def flops(graph: Graph) -> int:
    """The floating-point operations of a graph as it would be compiled, a transcendental function counted as one."""
    return sum(step.flops for step in schedule(simplify(graph)).steps)


# Code in memory, found by the same key as on disk, for as long as a program uses it.
_IN_MEMORY: WeakValueDictionary[str, Runnable] = WeakValueDictionary()


def _runnable(graph: Graph, loop: Loop, target: Target) -> Runnable:
    """The code of a simplified graph: from memory, from disk, or compiled now."""
    name = cache.key(graph.signature(), repr(loop), target)
    found = _IN_MEMORY.get(name)
    if found is None:
        code = cache.load(name)
        if code is None:
            code = target.compiled(kernels_of(graph, loop, target))
            cache.store(name, code)
        found = _IN_MEMORY[name] = target.loaded(code)
    return found


class Program:
    """A compiled graph with its memory; `print(program)` shows its kernels.

    Temporary memory is kept from call to call, and that of large results, which is used again once nobody refers to
    them any more.
    """

    def __init__(self, graph: Graph, loop: Loop, target: Target) -> None:
        self.graph = simplify(with_tables(graph, loop.tables))
        self.loop = loop
        self.target = target
        self._runnable = _runnable(self.graph, loop, target)
        self._tables = sorted(loop.tables)
        self._constants = [n for n in self.graph.nodes() if n.op is ops.CONSTANT]
        self._host_operations = host_operations(self.graph)
        self._calls_python = bool(self._host_operations) or self._runnable.asks
        self._needed = self.temporary_bytes + sum(n.type.bytes for n in self.graph.outputs)
        self._results = [results_of(n.type) for n in self.graph.outputs]

    @property
    def temporary_bytes(self) -> int:
        """Bytes of memory that the program needs besides its arguments and results."""
        return self._runnable.code.temporary_bytes

    @property
    def is_written_out(self) -> bool:
        """Whether it was compiled now, and most of its many kernels are alike, as of a loop that Python ran."""
        code = self._runnable.code
        return code.kernels >= max(_MANY, _ROUNDS * code.kinds)

    def __call__(self, *arguments: Array) -> list[Array]:
        """The graph's outputs for these arguments, in arrays of their own. Not for loops."""
        given = [_fitting(a, n) for a, n in zip(arguments, self.graph.inputs, strict=True)]
        check_room(
            self._needed,
            "besides its arguments the program takes",
            "Go through the rows in parts, with cr.scan; of what the backward pass reads, cr.checkpoint keeps less.",
        )
        results = [array() for array in self._results]
        self.run(given, results, 0, 1)
        return results

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array], begin: int, end: int) -> None:
        """Rounds `begin` to `end` over arrays that are contiguous and of the program's types; they are written to."""
        if end <= begin:
            return
        host = Host(self._host_operations) if self._calls_python else None
        self._runnable.run(self._given(inputs, outputs, host), begin, end)
        if host is not None:
            host.raise_problem()

    def _given(self, inputs: Sequence[Array], outputs: Sequence[Array], host: Host | None) -> Arguments:
        """What the code takes; captured arrays as they are now, the user's own where they are in row-major order."""
        captured = [np.ascontiguousarray(n.attributes[0].array, n.type.dtype) for n in self._constants]
        last_rows = [len(inputs[n]) - 1 for n in self._tables]
        return Arguments([*inputs, *captured, *outputs], last_rows, host.address if host else 0)

    @property
    def schedule(self) -> Schedule:
        """The kernels, with their loops and buffers."""
        return kernels_of(self.graph, self.loop, self.target)

    def __repr__(self) -> str:
        arguments, results = (
            ", ".join(str(n.type) for n in nodes) or "nothing" for nodes in (self.graph.inputs, self.graph.outputs)
        )
        return f"<program of {counted(len(self.schedule.kernels), 'kernel')}: {arguments} to {results}>"

    def __str__(self) -> str:
        made = self.schedule
        head = f"{len(made.steps)} kernels, {self.temporary_bytes} bytes of temporary memory, {self.target.name}"
        return "\n".join([head, *map(str, made.steps)]) + "\n"

    def profile(self, *arguments: Array, seconds: float = 0.2) -> Profile:
        """Run the program over and over for so many seconds, and say how long each kernel takes.

        Without arguments it runs on made-up ones: halves for floating-point numbers, zeros for all others.
        """
        made = self.schedule
        timed = self.target.loaded(self.target.compiled(made, timed=True))
        made_up = (np.full(n.type.shape, 0.5 if n.type.is_float else 0, n.type.dtype) for n in self.graph.inputs)
        given = [_fitting(a, n) for a, n in zip(arguments or made_up, self.graph.inputs, strict=True)]
        inputs = [array.copy() for array in given]
        results = [np.empty(n.type.shape, n.type.dtype) for n in self.graph.outputs]
        host = Host(self._host_operations)
        taken = self._given(inputs, results, host)

        def one_round() -> list[float]:
            for array, value in zip(inputs, given, strict=True):
                np.copyto(array, value)
            return timed.timed(taken, len(made.steps))

        return measured(made.steps, one_round, seconds)


def _fitting(argument: Array, node: Node) -> Array:
    """The argument as the program reads it; ShapeError if it is of another shape."""
    type_ = node.type
    if type(argument) is np.ndarray and argument.shape == type_.shape and argument.dtype == type_.dtype:
        return argument if argument.flags.c_contiguous else np.ascontiguousarray(argument)
    if np.shape(argument) != type_.shape:
        raise ShapeError(
            f"argument {node.attributes[0]} of the program has the shape {np.shape(argument)}, not {node.type.shape}."
        )
    return np.ascontiguousarray(argument, node.type.dtype)


def build(graph: Graph, loop: Loop | None = None, target: Target | None = None) -> Program:
    """Compile a graph for a target, this processor unless told otherwise."""
    return Program(graph, loop or Loop(), target or CPU.here())
