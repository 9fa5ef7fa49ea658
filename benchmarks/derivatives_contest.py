"""One quantity of one network, all libraries: the same values, then rounds in which each way is timed in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from contest import Entry, Settings, attempt, ratio
from derivatives_rows import Row
from protocol import Task
from workers import Contestant, Worker, WorkerError

__all__ = ["Outcome", "measured"]

_OWN, _OWN_GRADIENT = "chainrule", "chainrule: gradient"

Array = np.ndarray[Any, Any]
Tell = Callable[[str], None]


@dataclass
class Outcome:
    """What is known of each way to a row's quantity, those to the gradients among them."""

    row: Row
    entries: dict[str, Entry] = field(default_factory=dict)
    against: dict[str, str | None] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)  # from chainrule's values, relative to the largest
    errors: dict[str, str] = field(default_factory=dict)  # by contestant
    profile: str = ""

    def ratio(self, way: str) -> tuple[float, float] | None:
        """How many times longer a way takes than what it is compared with: of the minima, and the median."""
        return ratio(self.entries.get(way), self.entries.get(self.row.against or self.against.get(way) or ""))

    @property
    def is_missed(self) -> bool:
        """Whether chainrule, called as users call it, takes longer than it may."""
        found = self.ratio(_OWN)
        return found is not None and found[0] > self.row.required


def measured(
    row: Row, task: Task, contestants: Sequence[Contestant], settings: Settings, folder: Path, tell: Tell
) -> Outcome:
    """Check and time all ways. One that fails is left with an error and takes no further part."""
    outcome = Outcome(row)
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}  # by way
        opened: list[list[str]] = []
        for c in contestants:  # one after the other, so that none prepares while another one starts
            tell(f"{c.title} prepares")
            worker = Worker(c, settings.limit, folder / "cache" if c.caches_unasked else None)
            stack.callback(worker.close)
            found = _opened(outcome, c, worker, task)
            workers |= dict.fromkeys(found, worker)
            opened += [found] if found else []
        _check(outcome, workers, folder)
        for way, worker in workers.items():
            attempt(outcome.entries[way], partial(_prepare, worker=worker, way=way, seconds=settings.seconds))
        for number in range(settings.rounds):
            tell(f"round {number + 1} of {settings.rounds}")
            start = number % max(len(opened), 1)
            for way in (way for ways in opened[start:] + opened[:start] for way in ways):
                attempt(outcome.entries[way], partial(_time, worker=workers[way], way=way))
        if outcome.is_missed:
            outcome.profile = workers[_OWN].ask("profile", way=_OWN)["text"]
    return outcome


def _opened(outcome: Outcome, contestant: Contestant, worker: Worker, task: Task) -> list[str]:
    """The ways that a contestant has to offer."""
    try:
        ways = worker.ask("open", task=asdict(task), quantity=outcome.row.quantity)["ways"]
    except WorkerError as problem:
        outcome.errors[contestant.name] = str(problem)
        return []
    for way, told in ways.items():
        outcome.entries[way] = Entry(compile_seconds=told["compile_seconds"])
        outcome.against[way] = told["against"]
    return list(ways)


def _check(outcome: Outcome, workers: dict[str, Worker], folder: Path) -> None:
    """Compare the values of all ways with chainrule's."""
    found: dict[str, list[Array]] = {}

    def remember(_: Entry, way: str, worker: Worker) -> None:
        worker.ask("check", way=way, file=str(folder / "values.npz"))
        with np.load(folder / "values.npz") as arrays:
            found[way] = [arrays[name] for name in arrays]

    for way, worker in workers.items():
        attempt(outcome.entries[way], partial(remember, way=way, worker=worker))
    for way, arrays in found.items():
        own = found.get(_OWN if outcome.against[way] else _OWN_GRADIENT)
        if own and arrays and way not in (_OWN, _OWN_GRADIENT):
            outcome.differences[way] = _difference(arrays, own)


def _difference(arrays: Sequence[Array], others: Sequence[Array]) -> float:
    """The largest difference relative to the array's largest element; infinite if they do not match."""
    if [a.shape for a in arrays] != [b.shape for b in others]:
        return float("inf")
    found = [np.abs(a - b).max() / max(np.abs(b).max(), 1e-30) for a, b in zip(arrays, others, strict=True)]
    return float(np.nan_to_num(max(found), nan=np.inf))


def _prepare(entry: Entry, worker: Worker, way: str, seconds: float) -> None:
    entry.steps = worker.ask("prepare", way=way, seconds=seconds)["calls"]


def _time(entry: Entry, worker: Worker, way: str) -> None:
    entry.seconds.append(worker.ask("time", way=way)["seconds_per_call"])
