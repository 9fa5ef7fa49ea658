"""What the processor adds to a schedule: how each kernel is tiled, what asks whether to end, where memory lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chainrule.cpu.cost_model import SMALL_LOOP_POINTS, SMALL_LOOP_STEPS
from chainrule.cpu.interruption import asks
from chainrule.cpu.processor import Processor
from chainrule.cpu.tiling import tiled
from chainrule.graph.types import Type
from chainrule.schedule.expressions import Buffer
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.memory import plan
from chainrule.schedule.schedule import HostCall, Inner, Schedule, Step

__all__ = ["planned"]


def planned(schedule: Schedule, processor: Processor) -> Schedule:
    """The schedule for a processor: every step with its name, kernels with their tilings, buffers with their offsets.

    If it overwrites none of its arguments, nobody reads what it has written when it ends early: then what is long asks
    whether it should.
    """
    steps = _planned_steps(schedule, processor, "k", may_end=not schedule.loop.updates)
    schedule = replace(schedule, steps=steps)
    return replace(schedule, layout=plan(steps, schedule.temporaries))


def _planned_steps(schedule: Schedule, processor: Processor, name: str, *, may_end: bool) -> tuple[Step, ...]:
    return tuple(_planned(step, processor, f"{name}{n}", may_end) for n, step in enumerate(schedule.steps))


def _planned(step: Step, processor: Processor, name: str, may_end: bool) -> Step:
    if isinstance(step, Kernel):
        return replace(tiled(step, processor), name=name, asks=may_end and asks(step))
    if isinstance(step, HostCall):
        return replace(step, name=name)
    programs = tuple(
        _inside(replace(p, steps=_planned_steps(p, processor, f"{name}.{'abc'[n]}", may_end=may_end)))
        for n, p in enumerate(step.programs)
    )
    size = max(p.layout.bytes for p in programs if p.layout)
    scratch = Buffer("scratch", Type((size,), np.dtype(np.uint8))) if size else None
    small = _is_small(step)
    return replace(step, programs=programs, scratch=scratch, name=name, asks=may_end and asks(step), in_registers=small)


def _is_small(step: Inner) -> bool:
    """Whether all that the step works on fits registers, so that calls and memory are most of what it costs."""
    inner = [s for program in step.programs for s in program.steps]
    kernels = [s for s in inner if isinstance(s, Kernel)]
    others = [s for s in inner if isinstance(s, Inner)]
    alone = len(kernels) + len(others) == len(inner) <= SMALL_LOOP_STEPS
    return alone and all(k.points <= SMALL_LOOP_POINTS for k in kernels) and all(map(_is_small, others))


def _inside(program: Schedule) -> Schedule:
    """A program inside the program, with its memory: a condition's result is temporary."""
    results = [b for b in program.outputs if b.type.size and b not in program.inputs]
    return replace(program, layout=plan(program.steps, [*program.temporaries, *results]))
