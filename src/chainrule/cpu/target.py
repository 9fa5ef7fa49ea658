"""The processor as a target: schedules tiled, written as LLVM's instructions, made machine code, and run."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.cpu import machine
from chainrule.cpu.emit_program import module_of
from chainrule.cpu.planning import planned
from chainrule.cpu.processor import Processor, host
from chainrule.schedule.memory import ALIGNMENT
from chainrule.schedule.schedule import Schedule
from chainrule.schedule.target import Arguments, Code, Runnable, Target

__all__ = ["CPU"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class CPU(Target):
    """A processor, and the one core of it that a program runs on."""

    processor: Processor

    @classmethod
    def here(cls) -> CPU:
        """The processor that this runs on."""
        return cls(host())

    @property
    def name(self) -> str:
        """The name that LLVM has for it."""
        return self.processor.cpu

    @property
    def identity(self) -> str:
        """Its name, its features, its registers."""
        return repr(self.processor)

    def planned(self, schedule: Schedule) -> Schedule:
        """Kernels with their tilings, buffers with their offsets in one block of memory."""
        return planned(schedule, self.processor)

    def compiled(self, planned: Schedule, *, timed: bool = False) -> Code:
        """An object file with a function `run`."""
        module, kinds = module_of(planned, self.processor, timed=timed)
        content = machine.machine_code(module.text(), self.processor, module.loops)
        assert planned.layout is not None
        return Code(content, planned.layout.bytes, len(planned.kernels), kinds)

    def loaded(self, code: Code) -> Runnable:
        """The object file in memory."""
        return _Running(code)


class _Running(Runnable):
    """Machine code in memory: see `emit_program` for what its function takes."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self._loaded = machine.Loaded.from_object(code.content)
        self._run = self._loaded.function("run", ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._asks = self._loaded.has("asks")
        self._idle: list[Array] = []

    @property
    def asks(self) -> bool:
        """Whether it has a function that says so."""
        return self._asks

    def run(self, given: Arguments, begin: int, end: int) -> None:
        """One call of machine code, in memory that no other thread works in."""
        memory = self._memory()
        self._run(_slots(given, memory), begin, end)
        self._idle.append(memory)

    def timed(self, given: Arguments, steps: int) -> list[float]:
        """The processor's cycles of each step, made seconds by the time that all of it took."""
        memory = self._memory()
        slots = _slots(given, memory, counters=steps)
        began = time.perf_counter()
        self._run(slots, 0, 1)
        spent = time.perf_counter() - began
        cycles = slots[len(slots) - steps :]
        return [n * spent / max(sum(cycles), 1) for n in cycles]

    def _memory(self) -> Array:
        try:
            return self._idle.pop()
        except IndexError:
            return _aligned(self.code.temporary_bytes)


def _slots(given: Arguments, memory: Array, counters: int = 0) -> Any:
    slots = [*map(_address, given.arrays), _address(memory), given.host, *given.last_rows]
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
