"""A graph as a program: compiled once, run often.

`Compiled` is the code and the plan of its memory; `Program` is that with memory of its own. A program may be a loop:
arguments that step along their first axis with each round, results that are collected along theirs, and results that
replace arguments. Then the whole loop is native, and Python is entered again only when a stretch of it has run.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType, WeakValueDictionary, ref

import numpy as np

from chainrule.cpu import machine
from chainrule.cpu import prefetch as ahead
from chainrule.cpu.emit_steps import Functions, prepared
from chainrule.cpu.interruption import LONG, Asking, work
from chainrule.cpu.ir import I64, PTR, Function, Module, Value
from chainrule.cpu.processor import Target, host
from chainrule.display import counted
from chainrule.errors import ShapeError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node
from chainrule.graph.room import check_room
from chainrule.graph.types import Type
from chainrule.optimize.simplify import simplify
from chainrule.optimize.tables import with_tables
from chainrule.run import cache
from chainrule.run.profile import Profile, measured
from chainrule.schedule.host_calls import Host, host_operations
from chainrule.schedule.kernel import Buffer
from chainrule.schedule.memory import ALIGNMENT, plan
from chainrule.schedule.schedule import HOST, Schedule
from chainrule.schedule.scheduling import schedule

__all__ = ["Loop", "Program", "build", "kernels_of"]

Array = np.ndarray[Any, Any]
_MANY, _ROUNDS = 200, 8  # kernels of a program, and on average of each kind, that speak of a loop written out
_LARGE = 1 << 20  # bytes from which new memory costs more than what is done in it


@dataclass(frozen=True)
class Loop:
    """How a program goes round: all positions are of the graph's inputs and outputs.

    `updates` maps an output to the input that it replaces for the next round; the inputs in `stepped` are arrays of
    which round t sees row t; the outputs in `collected` become rows of arrays. The inputs in `tables` may have any
    number of rows from one on, because rows are looked up by number and nothing else is done with them: the graph may
    have been traced with any number of them, and the code does not know it.
    """

    updates: Mapping[int, int] = field(default_factory=dict)
    stepped: frozenset[int] = frozenset()
    collected: frozenset[int] = frozenset()
    tables: frozenset[int] = frozenset()


def kernels_of(graph: Graph, loop: Loop, target: Target) -> Schedule:
    """The schedule of a simplified graph for a target: its steps, each with its name, kernels with their tilings."""
    return prepared(schedule(graph, loop.updates, tables=loop.tables), target, may_end=not loop.updates)


def flops(graph: Graph) -> int:
    """The floating-point operations of a graph as it would be compiled, a transcendental function counted as one."""
    return sum(step.flops for step in schedule(simplify(graph), {}).steps)


def _module(made: Schedule, loop: Loop, target: Target, *, timed: bool = False) -> tuple[Module, int, int]:
    """The LLVM module of a program, the bytes of temporary memory that it needs, and how many kernels differ.

    `run(table, begin, end)` takes a table of addresses: inputs, captured arrays, outputs, temporary memory, `Host`;
    then the numbers of the last rows of tables and, if timed, one counter of processor cycles for each step. A module
    that asks now and then whether to end says so by a function `asks`.
    """
    module = Module(target.attributes)
    functions = Functions(module)
    functions.write(made.steps)
    offsets, size = plan(made.steps, made.temporaries)
    run = module.function("run", [("table", PTR), ("begin", I64), ("end", I64)])
    table, begin, end = run.parameters
    fixed = _addresses(run, table, made, offsets)

    found = ahead.lookups(made.steps, {made.inputs[n] for n in loop.stepped})
    asked = [ahead.shares(made.steps, lookup.index.type.size) for lookup in found]

    spent = list(itertools.accumulate(map(work, made.steps), initial=0))
    may_end = not loop.updates and (spent[-1] > LONG or bool(loop.stepped))
    asking = Asking(run, fixed[HOST]) if may_end else None

    def one_round(t: Value, _: list[Value]) -> list[Value]:
        here = fixed | _moving(run, t, fixed, made, loop)
        if asking and loop.stepped:
            asking.every(max(LONG // (spent[-1] + 1), 1), t)
        following = _next_round(run, t, end) if found else t
        for n, step in enumerate(made.steps):
            if asking and spent[n] // LONG < spent[n + 1] // LONG:
                asking.now()
            start = _cycles(run) if timed else None
            for lookup, rows in zip(found, asked, strict=True):
                ahead.ask(run, lookup, rows[n], following, fixed)
            functions.call(run, [step], here)
            if start is not None:
                _count(run, table, _slots(made) + n, start)
        return []

    run.loop(begin, end, 1, [], one_round)
    run.ret()
    if module.asks:
        module.function("asks", []).ret()
    return module, size, len(functions.kinds)


def _next_round(run: Function, t: Value, end: Value) -> Value:
    """The number of the next round; in the last one, its own."""
    following = run.add(t, Function.constant(I64, 1))
    return run.select(run.icmp("slt", following, end), following, t)


def _slots(made: Schedule) -> int:
    return len(made.inputs) + len(made.captured) + len(made.outputs) + 2 + len(made.last_rows)


def _addresses(run: Function, table: Value, made: Schedule, offsets: Mapping[Buffer, int]) -> dict[Buffer, Value]:
    named = [*made.inputs, *(b for b, _ in made.captured), *made.outputs]
    found: dict[Buffer, Value] = {}
    for slot, buffer in enumerate(named):
        found.setdefault(buffer, _slot(run, table, slot))
    arena = _slot(run, table, len(named))
    found[HOST] = _slot(run, table, len(named) + 1)
    for slot, buffer in enumerate(made.last_rows, len(named) + 2):
        found[buffer] = run.offset(table, PTR, Function.constant(I64, slot))
    for buffer, offset in offsets.items():
        found[buffer] = run.offset(arena, I64.with_kind("i8"), Function.constant(I64, offset))
    return found


def _slot(run: Function, table: Value, slot: int) -> Value:
    return run.load(PTR, run.offset(table, PTR, Function.constant(I64, slot)))


def _moving(run: Function, t: Value, fixed: Mapping[Buffer, Value], made: Schedule, loop: Loop) -> dict[Buffer, Value]:
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
    """The machine code of a program in memory, and the bytes of temporary memory that it works in.

    If it was made now, how many kernels it has, and of how many kinds.
    """

    loaded: machine.Loaded
    temporary_bytes: int
    kernels: int = 0
    kinds: int = 0


# Code in memory, found by the same key as on disk, for as long as a program uses it.
_IN_MEMORY: WeakValueDictionary[str, Code] = WeakValueDictionary()


def _code(graph: Graph, loop: Loop, target: Target) -> Code:
    """The code of a simplified graph: from memory, from disk, or compiled now."""
    name = cache.key(graph.signature(), repr(loop), target)
    found = _IN_MEMORY.get(name)
    if found is None:
        found = _IN_MEMORY[name] = _from_disk(name) or _compiled(name, graph, loop, target)
    return found


def _from_disk(name: str) -> Code | None:
    entry = cache.load(name)
    return Code(machine.Loaded.from_object(entry[0]), entry[1]) if entry else None


def _compiled(name: str, graph: Graph, loop: Loop, target: Target) -> Code:
    made = kernels_of(graph, loop, target)
    module, temporary_bytes, kinds = _module(made, loop, target)
    code = machine.machine_code(module.text(), target, module.loops)
    cache.store(name, code, temporary_bytes)
    return Code(machine.Loaded.from_object(code), temporary_bytes, len(made.kernels), kinds)


class _Lease:
    """The right to a piece of memory: all arrays that lie in it, views of views too, refer to the lease.

    When it is gone, nobody can read the memory or write to it any more. No interpreter has to count for that.
    """

    __slots__ = ("__array_interface__", "__weakref__", "_memory")

    def __init__(self, memory: Array) -> None:
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__


class Program:
    """A compiled graph with its memory; `print(program)` shows its kernels.

    It keeps its temporary memory from call to call, and that of large results, which is used again once nobody refers
    to them any more.
    """

    def __init__(self, graph: Graph, loop: Loop, target: Target) -> None:
        self.graph = simplify(with_tables(graph, loop.tables))
        self.loop = loop
        self.target = target
        self._code = _code(self.graph, loop, target)
        self._run = self._code.loaded.function("run", ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._constants = [n for n in self.graph.nodes() if n.op is ops.CONSTANT]
        self._host_operations = host_operations(self.graph)
        self._calls_python = bool(self._host_operations) or self._code.loaded.has("asks")
        self._needed = self.temporary_bytes + sum(n.type.bytes for n in self.graph.outputs)
        self._idle: list[Array] = []
        self._lent: dict[int, tuple[Array, ReferenceType[_Lease]]] = {}

    @property
    def temporary_bytes(self) -> int:
        """Bytes of memory that the program needs besides its arguments and results."""
        return self._code.temporary_bytes

    @property
    def is_written_out(self) -> bool:
        """Whether it was compiled now, and most of its many kernels are alike, as of a loop that Python ran."""
        return self._code.kernels >= max(_MANY, _ROUNDS * self._code.kinds)

    def __call__(self, *arguments: Array) -> list[Array]:
        """The graph's outputs for these arguments, in arrays of their own. Not for loops."""
        given = [_fitting(a, n) for a, n in zip(arguments, self.graph.inputs, strict=True)]
        check_room(
            self._needed,
            "besides its arguments the program takes",
            "Go through the rows in parts, with cr.scan; of what the backward pass reads, cr.checkpoint keeps less.",
        )
        results = [self._fresh(position, n.type) for position, n in enumerate(self.graph.outputs)]
        self.run(given, results, 0, 1)
        return results

    def _fresh(self, position: int, type_: Type) -> Array:
        """Memory for a result: that of the last large one, if nobody refers to it any more, as new memory is slow."""
        if type_.bytes < _LARGE:
            return np.empty(type_.shape, type_.dtype)
        memory, lease = self._lent.pop(position, (None, None))
        if memory is None or lease is None or lease() is not None:
            memory = np.empty(type_.shape, type_.dtype)
        new = _Lease(memory)
        self._lent[position] = memory, ref(new)
        return np.asarray(new)

    @property
    def _captured(self) -> list[Array]:
        """The captured arrays as they are now, in row-major order: the user's own where they are in it."""
        return [np.ascontiguousarray(n.attributes[0].array, n.type.dtype) for n in self._constants]

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array], begin: int, end: int) -> None:
        """Rounds `begin` to `end` over arrays that are contiguous and of the program's types; they are written to."""
        if end <= begin:
            return
        memory = self._idle.pop() if self._idle else _aligned(self.temporary_bytes)  # each thread its own
        arrays = [*inputs, *self._captured, *outputs, memory]
        host = Host(self._host_operations) if self._calls_python else None
        self._run(_table(arrays, host, self._last_rows(inputs)), begin, end)
        self._idle.append(memory)
        if host is not None:
            host.raise_problem()

    def _last_rows(self, inputs: Sequence[Array]) -> list[int]:
        return [len(inputs[n]) - 1 for n in sorted(self.loop.tables)]

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
        head = f"{len(made.steps)} kernels, {self.temporary_bytes} bytes of temporary memory, {self.target.cpu}"
        return "\n".join([head, *map(str, made.steps)]) + "\n"

    def profile(self, *arguments: Array, seconds: float = 0.2) -> Profile:
        """Run the program over and over for so many seconds, and say how long each kernel takes.

        Without arguments it runs on made-up ones: halves for floating-point numbers, zeros for all others.
        """
        made = self.schedule
        module, size, _ = _module(made, self.loop, self.target, timed=True)
        code = machine.Loaded.from_object(machine.machine_code(module.text(), self.target, module.loops))
        run = code.function("run", ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        made_up = (np.full(n.type.shape, 0.5 if n.type.is_float else 0, n.type.dtype) for n in self.graph.inputs)
        given = [_fitting(a, n) for a, n in zip(arguments or made_up, self.graph.inputs, strict=True)]
        inputs = [array.copy() for array in given]
        results = [np.empty(n.type.shape, n.type.dtype) for n in self.graph.outputs]
        arrays = [*inputs, *self._captured, *results, _aligned(size)]
        host = Host(self._host_operations)
        last_rows = self._last_rows(inputs)
        table = _table(arrays, host, last_rows, counters=len(made.steps))
        counted = len(arrays) + 1 + len(last_rows)

        def restore() -> None:
            for array, value in zip(inputs, given, strict=True):
                np.copyto(array, value)

        return measured(made.steps, lambda: run(table, 0, 1), restore, lambda: table[counted:], seconds)


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


def _table(arrays: Sequence[Array], host: Host | None, last_rows: Sequence[int], counters: int = 0) -> Any:
    slots = [*map(_address, arrays), host.address if host else 0, *last_rows]
    return (ctypes.c_int64 * (len(slots) + counters))(*slots)


def _address(array: Any) -> int:
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # several times faster than the other way
    except (TypeError, ValueError):  # nothing may be written to it, or there is nothing in it
        return int(array.ctypes.data)


def _aligned(size: int) -> Array:
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + max(size, 1)]


def build(graph: Graph, loop: Loop | None = None, target: Target | None = None) -> Program:
    """Compile a graph for a target, this processor unless told otherwise."""
    return Program(graph, loop or Loop(), target or host())
