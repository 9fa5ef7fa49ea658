"""A graph as a program: compiled once, run often.

`Compiled` is the code and the plan of its memory; `Program` is that with memory of its own. A program may be a loop:
arguments that step along their first axis with each round, results that are collected along theirs, and results that
replace arguments. Then the whole loop is native, and Python is entered again only when a stretch of it has run.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.graph.graph import Graph
from chainrule.native import machine
from chainrule.native.emit import emit, parameters
from chainrule.native.ir import I64, PTR, Function, Module, Value
from chainrule.native.kernel import Buffer, Kernel
from chainrule.native.memory import ALIGNMENT, plan
from chainrule.native.schedule import Schedule, schedule
from chainrule.native.simplify import simplify
from chainrule.native.target import Target, host
from chainrule.native.tile import tiled

__all__ = ["Loop", "Program", "build", "kernels_of"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Loop:
    """How a program goes round: all positions are of the graph's inputs and outputs.

    `updates` maps an output to the input that it replaces for the next round; the inputs in `stepped` are arrays of
    which round t sees row t; the outputs in `collected` become rows of arrays.
    """

    updates: Mapping[int, int] = field(default_factory=dict)
    stepped: frozenset[int] = frozenset()
    collected: frozenset[int] = frozenset()


def kernels_of(graph: Graph, loop: Loop, target: Target) -> Schedule:
    """The schedule of a graph for a target: simplified, grouped into kernels, each with its tiling and its name."""
    made = schedule(simplify(graph), loop.updates)
    kernels = (tiled(kernel, target) for kernel in made.kernels)
    named = tuple(_named(kernel, n) for n, kernel in enumerate(kernels))
    return Schedule(named, made.inputs, made.captured, made.outputs)


def _named(kernel: Kernel, number: int) -> Kernel:
    from dataclasses import replace

    return replace(kernel, name=f"k{number}")


def _module(made: Schedule, loop: Loop, target: Target, *, timed: bool = False) -> tuple[str, int]:
    """The LLVM module of a program, and the bytes of temporary memory that it needs.

    `run(table, begin, end)` takes a table of addresses: inputs, captured arrays, outputs, temporary memory and, if
    timed, one counter of processor cycles for each kernel.
    """
    module = Module(target.attributes)
    for kernel in made.kernels:
        emit(module, kernel)
    offsets, size = plan(made.kernels, made.temporaries)
    run = module.function("run", [("table", PTR), ("begin", I64), ("end", I64)])
    table, begin, end = run.parameters
    fixed = _addresses(run, table, made, offsets)

    def one_round(t: Value, _: list[Value]) -> list[Value]:
        here = fixed | _moving(run, t, fixed, made, loop)
        for n, kernel in enumerate(made.kernels):
            start = _cycles(run) if timed else None
            run.call(kernel.name, [here[b] for b in parameters(kernel)])
            if start is not None:
                _count(run, table, _slots(made) + 1 + n, start)
        return []

    run.loop(begin, end, 1, [], one_round)
    run.ret()
    return module.text(), size


def _slots(made: Schedule) -> int:
    return len(made.inputs) + len(made.captured) + len(made.outputs)


def _addresses(run: Function, table: Value, made: Schedule, offsets: Mapping[Buffer, int]) -> dict[Buffer, Value]:
    named = [*made.inputs, *(b for b, _ in made.captured), *made.outputs]
    found: dict[Buffer, Value] = {}
    for slot, buffer in enumerate(named):
        found.setdefault(buffer, _slot(run, table, slot))
    arena = _slot(run, table, len(named))
    for buffer, offset in offsets.items():
        found[buffer] = run.offset(arena, I64.with_kind("i8"), Function.constant(I64, offset))
    return found


def _slot(run: Function, table: Value, slot: int) -> Value:
    return run.load(PTR, run.offset(table, PTR, Function.constant(I64, slot)))


def _moving(
    run: Function, t: Value, fixed: Mapping[Buffer, Value], made: Schedule, loop: Loop
) -> dict[Buffer, Value]:
    """The addresses, in round t, of the rows of arrays that step along or are collected."""
    rows = [made.inputs[n] for n in sorted(loop.stepped)] + [made.outputs[n] for n in sorted(loop.collected)]
    moved = {}
    for buffer in rows:
        distance = run.mul(t, Function.constant(I64, buffer.type.bytes))
        moved[buffer] = run.offset(fixed[buffer], I64.with_kind("i8"), distance)
    return moved


def _cycles(run: Function) -> Value:
    run.module.declare("declare i64 @llvm.readcyclecounter()")
    return run.emit(I64, "call i64 @llvm.readcyclecounter()")


def _count(run: Function, table: Value, slot: int, start: Value) -> None:
    spent = run.sub(_cycles(run), start)
    counter = run.offset(table, I64, Function.constant(I64, slot))
    run.store(run.add(run.load(I64, counter), spent), counter)


@dataclass(frozen=True, eq=False)
class Code:
    """The machine code of a program, with what is needed to lay out its memory."""

    object: bytes
    temporary_bytes: int
    captured: tuple[int, ...]


class Program:
    """A compiled graph with its memory; `print(program)` shows its kernels."""

    def __init__(self, graph: Graph, loop: Loop, target: Target, code: machine.Loaded, temporary_bytes: int) -> None:
        self.graph = graph
        self.loop = loop
        self.target = target
        self.temporary_bytes = temporary_bytes
        self._code = code
        self._run = code.function("run", ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._captured = [n.attributes[0].array for n in simplify(graph).nodes() if n.op.name == "constant"]
        self._memory = _aligned(temporary_bytes)

    def __call__(self, *arguments: Array) -> list[Array]:
        """The graph's outputs for these arguments, in fresh arrays. Not for loops."""
        given = [np.ascontiguousarray(a, n.type.dtype) for a, n in zip(arguments, self.graph.inputs, strict=True)]
        results = [np.empty(n.type.shape, n.type.dtype) for n in self.graph.outputs]
        self.run(given, results, 0, 1)
        return results

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array], begin: int, end: int) -> None:
        """Rounds `begin` to `end` over arrays that are contiguous and of the program's types; they are written to."""
        if end > begin:
            arrays = [*inputs, *self._captured, *outputs, self._memory]
            self._run(_table(arrays), begin, end)

    @property
    def schedule(self) -> Schedule:
        """The kernels, with their loops and buffers."""
        return kernels_of(self.graph, self.loop, self.target)

    def __str__(self) -> str:
        made = self.schedule
        head = f"{len(made.kernels)} kernels, {self.temporary_bytes} bytes of temporary memory, {self.target.cpu}"
        return "\n".join([head, *map(str, made.kernels)]) + "\n"


def _table(arrays: Sequence[Array]) -> Any:
    return (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))


def _aligned(size: int) -> Array:
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + max(size, 1)]


def build(graph: Graph, loop: Loop | None = None, target: Target | None = None) -> Program:
    """Compile a graph for a target, this processor unless told otherwise."""
    loop, target = loop or Loop(), target or host()
    made = kernels_of(graph, loop, target)
    text, size = _module(made, loop, target)
    return Program(graph, loop, target, machine.Loaded.from_object(machine.machine_code(text, target)), size)
