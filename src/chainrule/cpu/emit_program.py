"""A program as an LLVM module: a function for each step, and the loop over rounds that calls them.

`run(table, begin, end)` takes a table of eight-byte slots: the addresses of inputs, captured arrays, outputs, temporary
memory and of the function by which Python is called; then the numbers of the last rows of tables; then, if timed, one
counter of processor cycles for each step. A module that asks now and then whether to end says so by a function `asks`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from chainrule.cpu import prefetch
from chainrule.cpu.cost_model import LONG
from chainrule.cpu.emit_steps import StepFunctions
from chainrule.cpu.interruption import Asking, work
from chainrule.cpu.ir import I8, I64, PTR, Module, NativeFunction, Value
from chainrule.cpu.processor import Processor
from chainrule.schedule.expressions import HOST, Buffer
from chainrule.schedule.schedule import Schedule

__all__ = ["module_of"]


def module_of(planned: Schedule, processor: Processor, *, timed: bool = False) -> tuple[Module, int]:
    """The LLVM module of a planned schedule, and how many of its kernels differ."""
    module = Module(processor.attributes)
    functions = StepFunctions(module)
    functions.write(planned.steps)
    _RunFunction(planned, functions, timed).write()
    if module.asks:
        module.function("asks", []).ret()
    return module, len(functions.kinds)


class _RunFunction:
    """The function `run` being written."""

    def __init__(self, planned: Schedule, functions: StepFunctions, timed: bool) -> None:
        self.planned = planned
        self.functions = functions
        self.timed = timed
        self.f = functions.module.function("run", [("table", PTR), ("begin", I64), ("end", I64)])
        self.table, self.begin, self.end = self.f.parameters
        self.address = self._addresses()
        self.ahead = prefetch.Prefetching(planned.steps, {planned.inputs[n] for n in planned.loop.stepped})
        self.spent = list(itertools.accumulate(map(work, planned.steps), initial=0))
        self.asking = Asking(self.f, self.address[HOST]) if self._may_end else None

    @property
    def _may_end(self) -> bool:
        """Whether it is long enough to ask, and nobody would read what it has written."""
        loop = self.planned.loop
        return not loop.updates and (self.spent[-1] > LONG or bool(loop.stepped))

    def write(self) -> None:
        """The loop over rounds."""
        self.f.loop(self.begin, self.end, 1, [], self._round)
        self.f.ret()

    def _round(self, t: Value, _: list[Value]) -> list[Value]:
        here = self.address | self._rows(t)
        if self.asking and self.planned.loop.stepped:
            self.asking.every(max(LONG // (self.spent[-1] + 1), 1), t)
        following = self._next_round(t) if self.ahead.lookups else t
        for n, step in enumerate(self.planned.steps):
            if self.asking and self.spent[n] // LONG < self.spent[n + 1] // LONG:
                self.asking.now()
            start = self._cycles() if self.timed else None
            self.ahead.ask_before(self.f, n, following, self.address)
            self.functions.call(self.f, [step], here)
            if start is not None:
                self._count(n, start)
        return []

    def _next_round(self, t: Value) -> Value:
        """The number of the next round; in the last one, its own."""
        following = self.f.add(t, _integer(1))
        return self.f.select(self.f.icmp("slt", following, self.end), following, t)

    # where everything is

    @property
    def _named(self) -> list[Buffer]:
        return [*self.planned.inputs, *(b for b, _ in self.planned.captured), *self.planned.outputs]

    @property
    def _counters(self) -> int:
        """The slot of the first counter."""
        return len(self._named) + 2 + len(self.planned.last_rows)

    def _addresses(self) -> dict[Buffer, Value]:
        """The addresses of all buffers, in round 0."""
        assert self.planned.layout is not None
        found: dict[Buffer, Value] = {}
        for slot, buffer in enumerate(self._named):
            found.setdefault(buffer, self._content(slot))
        block, found[HOST] = self._content(len(self._named)), self._content(len(self._named) + 1)
        for slot, buffer in enumerate(self.planned.last_rows, len(self._named) + 2):
            found[buffer] = self.f.offset(self.table, PTR, _integer(slot))
        for buffer, offset in self.planned.layout.offsets.items():
            found[buffer] = self.f.offset(block, I8, _integer(offset))
        return found

    def _content(self, slot: int) -> Value:
        return self.f.load(PTR, self.f.offset(self.table, PTR, _integer(slot)))

    def _rows(self, t: Value) -> dict[Buffer, Value]:
        """The addresses, in round t, of the rows of arrays that step along or are collected."""
        planned, moved = self.planned, {}
        for buffer in _chosen(planned.inputs, planned.loop.stepped) + _chosen(planned.outputs, planned.loop.collected):
            distance = self.f.mul(t, _integer(buffer.type.bytes))
            moved[buffer] = self.f.offset(self.address[buffer], I8, distance)
        return moved

    # clocks

    def _cycles(self) -> Value:
        self.f.module.declare("declare i64 @llvm.readcyclecounter()")
        return self.f.emit(I64, "call i64 @llvm.readcyclecounter()")

    def _count(self, step: int, start: Value) -> None:
        spent = self.f.sub(self._cycles(), start)
        counter = self.f.offset(self.table, I64, _integer(self._counters + step))
        self.f.store(self.f.add(self.f.load(I64, counter), spent), counter)


def _chosen(buffers: Sequence[Buffer], positions: frozenset[int]) -> list[Buffer]:
    return [buffers[n] for n in sorted(positions)]


def _integer(value: int) -> Value:
    return NativeFunction.constant(I64, value)
