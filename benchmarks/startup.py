"""How long it takes to begin: importing, and the first training step of a fresh process."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from protocol import Task
from workers import Contestant, WorkerError, worker

__all__ = ["Spans", "first_steps", "has_disk_cache", "imports"]

Tell = Callable[[str], None]


@dataclass
class Spans:
    """The same thing timed several times, in seconds; `compiling` is how much of each went into compiling."""

    seconds: list[float] = field(default_factory=list)
    compiling: list[float] = field(default_factory=list)
    error: str = ""


Span = tuple[float, float | None]  # all of it, and the compiling in it


def has_disk_cache(contestant: Contestant) -> bool:
    """Whether the contestant can keep compiled code on disk."""
    if contestant.name == "chainrule":
        return importlib.util.find_spec("chainrule.run.cache") is not None
    return bool(contestant.cache)


def imports(contestants: Sequence[Contestant], repeats: int, tell: Tell) -> dict[str, Spans]:
    """Seconds to import each contestant, and NumPy alone, in fresh processes; the first round is not counted."""
    asked = {"numpy": (contestants[0], "numpy")} | {c.name: (c, c.module) for c in contestants}
    found = {name: Spans() for name in asked}
    for number in range(repeats + 1):
        tell(f"imports, round {number} of {repeats}")
        for name, (contestant, module) in asked.items():
            _collect(found[name], partial(_import, contestant, module), counted=number > 0)
    return found


def _import(contestant: Contestant, module: str) -> Span:
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    command = [str(contestant.python), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=contestant.environment())
    if done.returncode:
        raise WorkerError((done.stderr.strip().splitlines() or ["failed"])[-1])
    return float(done.stdout.split()[-1]), None


def first_steps(
    task: Task, contestants: Sequence[Contestant], repeats: int, limit: float, tell: Tell
) -> dict[str, dict[str, Spans]]:
    """Seconds from a process's start to its first step done, by contestant; the first round is not counted.

    "cold" begins with nothing compiled, "warm" with what earlier processes have left on disk.
    """
    found = {c.name: {kind: Spans() for kind in ("cold", "warm")[: 1 + has_disk_cache(c)]} for c in contestants}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repeats + 1):
            tell(f"first steps, round {number} of {repeats}")
            for contestant in contestants:
                for kind, spans in found[contestant.name].items():
                    cache = _cache(contestant, kind, Path(folder, contestant.name, str(number)))
                    _collect(spans, partial(_first_step, task, contestant, limit, cache), counted=number > 0)
    return found


def _cache(contestant: Contestant, kind: str, fresh: Path) -> Path | None:
    """The folder for compiled code: a fresh one to begin cold, always the same one to begin warm."""
    if kind == "cold" and not contestant.caches_unasked:
        return None
    folder = fresh if kind == "cold" else fresh.parent / "kept"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _first_step(task: Task, contestant: Contestant, limit: float, cache: Path | None) -> Span:
    start = time.perf_counter()
    with worker(contestant, limit, cache) as process:
        compiling = process.ask("open", task=asdict(task))["compile_seconds"]
        process.ask("costs", steps=1)
        return time.perf_counter() - start, compiling


def _collect(spans: Spans, measure: Callable[[], Span], *, counted: bool) -> None:
    """Add a measurement, unless an earlier one has failed."""
    if spans.error:
        return
    try:
        seconds, compiling = measure()
    except WorkerError as problem:
        spans.error = str(problem)
        return
    if counted:
        spans.seconds.append(seconds)
        spans.compiling += [] if compiling is None else [compiling]
