"""One workload, all contestants: the same first costs, then rounds in which each is timed in turn."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from peak import measured_peak
from protocol import BATCHES, Task
from workers import Contestant, Worker, WorkerError

__all__ = ["Contest", "Entry", "Settings", "attempt", "held", "ratio"]

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How long is measured."""

    rounds: int = 20
    seconds: float = 0.03  # of each contestant's turn
    limit: float = 120.0  # for any answer


@dataclass
class Entry:
    """What is known of one contestant at one workload."""

    seconds: list[float] = field(default_factory=list)  # per step, one for each round
    costs: list[float] = field(default_factory=list)  # of the first steps
    steps: int = 0  # per round
    memory: int | None = None
    compile_seconds: float | None = None
    error: str = ""

    @property
    def minimum(self) -> float:
        """The fastest round's seconds per step."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The median round's seconds per step."""
        return statistics.median(self.seconds)


@dataclass
class Contest:
    """All contestants at one workload; `peak` is in operations per second."""

    task: Task
    entries: dict[str, Entry]
    peak: float = 0.0

    def ratio(self, name: str, other: str = "chainrule") -> tuple[float, float] | None:
        """How many times longer `name` takes than `other`: of the fastest rounds, and the median over the rounds."""
        return ratio(self.entries.get(name), self.entries.get(other))

    def differences(self) -> list[float]:
        """For each of the first steps the largest relative difference between two contestants' costs."""
        columns = zip(*(e.costs for e in self.entries.values() if e.costs), strict=False)
        return [_spread(costs) for costs in columns]


def ratio(one: Entry | None, other: Entry | None) -> tuple[float, float] | None:
    """How many times longer one takes than the other: of the fastest rounds, and the median over the rounds."""
    if not (one and other and one.seconds and other.seconds):
        return None
    each = [a / b for a, b in zip(one.seconds, other.seconds, strict=False)]
    return one.minimum / other.minimum, statistics.median(each)


def _spread(costs: Sequence[float]) -> float:
    """The largest relative difference between two of them; infinite if one is no number."""
    if not all(map(math.isfinite, costs)):
        return math.inf
    return (max(costs) - min(costs)) / max(max(map(abs, costs)), 1e-30)


def held(task: Task, contestants: Sequence[Contestant], settings: Settings, caches: Path, tell: Tell) -> Contest:
    """Hold the contest. Who fails is left with an error and takes no further part."""
    contest = Contest(task, {c.name: Entry() for c in contestants})
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for c in contestants:  # one after the other, so that none prepares while another one starts
            tell(f"{c.name} prepares")
            made = workers[c.name] = Worker(c, settings.limit, caches if c.caches_unasked else None)
            stack.callback(made.close)
            attempt(contest.entries[c.name], partial(_prepare, worker=made, task=task, settings=settings))
        for number in range(settings.rounds):
            tell(f"round {number + 1} of {settings.rounds}")
            _round(contest, workers, number)
        for name in workers:
            attempt(contest.entries[name], partial(_remember_memory, worker=workers[name]))
    return contest


def attempt(entry: Entry, action: Callable[[Entry], None]) -> None:
    """Act, unless the contestant has failed already."""
    if entry.error:
        return
    try:
        action(entry)
    except WorkerError as problem:
        entry.error = str(problem)


def _prepare(entry: Entry, worker: Worker, task: Task, settings: Settings) -> None:
    entry.compile_seconds = worker.ask("open", task=asdict(task))["compile_seconds"]
    entry.costs = worker.ask("costs", steps=BATCHES)["costs"]
    entry.steps = worker.ask("prepare", seconds=settings.seconds)["steps"]


def _round(contest: Contest, workers: dict[str, Worker], number: int) -> None:
    """Time each in turn; who begins changes from round to round."""
    contest.peak = max(contest.peak, measured_peak())
    names = list(workers)
    start = number % len(names)
    for name in names[start:] + names[:start]:
        attempt(contest.entries[name], partial(_time, worker=workers[name]))


def _time(entry: Entry, worker: Worker) -> None:
    entry.seconds.append(worker.ask("time")["seconds_per_step"])


def _remember_memory(entry: Entry, worker: Worker) -> None:
    entry.memory = worker.ask("memory")["bytes"]
