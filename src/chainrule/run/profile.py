"""How long each kernel of a program takes, beside what it does and the line that it comes from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainrule.schedule.schedule import Step

__all__ = ["KernelTime", "Profile", "measured"]


@dataclass(frozen=True, slots=True)
class KernelTime:
    """One kernel: seconds and floating-point operations per round, bytes of the buffers it touches, its source."""

    name: str
    seconds: float
    flops: int
    bytes: int
    loops: str
    origin: str


@dataclass(frozen=True, slots=True, repr=False)
class Profile:
    """The kernels of a program with their times, in the order in which they run; `seconds` is one round of all."""

    kernels: tuple[KernelTime, ...]
    seconds: float

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        head = f"{'kernel':<6} {'µs':>9} {'share':>6} {'GFLOP/s':>8} {'bytes':>10}  loops"
        return "\n".join([head, *(self._row(k) for k in self.kernels), f"{'all':<6} {self.seconds * 1e6:9.2f}"]) + "\n"

    def _row(self, kernel: KernelTime) -> str:
        share = kernel.seconds / self.seconds if self.seconds else 0.0
        speed = kernel.flops / kernel.seconds / 1e9 if kernel.seconds else 0.0
        told = f"{kernel.loops}   # {kernel.origin}" if kernel.origin else kernel.loops
        return f"{kernel.name:<6} {kernel.seconds * 1e6:9.2f} {share:6.1%} {speed:8.1f} {kernel.bytes:10}  {told}"


def measured(steps: Sequence[Step], run: Callable[[], list[float]], seconds: float) -> Profile:
    """Run for about so many seconds; `run` gives those of each step in one round."""
    run()
    total, rounds, end = [0.0] * len(steps), 0, time.perf_counter() + seconds
    while rounds == 0 or time.perf_counter() < end:
        total = [before + now for before, now in zip(total, run(), strict=True)]
        rounds += 1
    rows = [
        KernelTime(k.name, spent / rounds, k.flops, k.bytes, _loops(k), k.origin)
        for k, spent in zip(steps, total, strict=True)
    ]
    return Profile(tuple(rows), sum(total) / rounds)


def _loops(step: Step) -> str:
    return step.heading.removeprefix(f"{step.name}: ").partition("   #")[0]
