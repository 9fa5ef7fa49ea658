"""How a benchmark talks with its workers: questions on stdin, answers on stdout, one JSON object a line.

A worker is a process that holds one contestant's network, data and compiled code. It answers:

    {"ask": "open", "task": {...}}            make everything        -> {"compile_seconds": s or null}
    {"ask": "costs", "steps": n}              n steps from the start -> {"costs": [...]}
    {"ask": "prepare", "seconds": s}          what fits into s       -> {"steps": n}
    {"ask": "time"}                           that many steps, timed -> {"seconds_per_step": s}
    {"ask": "memory"}                         the process's peak     -> {"bytes": n or null}

or `{"error": "..."}`. Only the standard library is needed here, because peers run in an environment of their own.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

__all__ = ["BATCHES", "Runner", "Task", "answer", "repetitions", "serve"]

BATCHES = 8  # mini-batches of resident data; steps go round them
_FEWEST, _MOST = 1, 20_000  # of what is timed at a time


@dataclass(frozen=True)
class Task:
    """What to train, and how; `arrays` is an .npz file.

    It holds w0, b0, w1, b1, … (weights of shape (out, in)), x of shape (BATCHES, batch, in) and labels of shape
    (BATCHES, batch).
    """

    sizes: tuple[int, ...]
    batch: int
    activation: str  # of the hidden layers: "sigmoid" or "relu"
    output: str  # of the last layer: "sigmoid" or "softmax"
    cost: str  # "quadratic": half the squared distance; "cross_entropy"; both the mean over the batch
    optimizer: str  # "sgd" or "adam"
    rate: float
    arrays: str = ""

    @property
    def layers(self) -> int:
        """How many layers of weights there are."""
        return len(self.sizes) - 1


class Runner(Protocol):
    """One contestant at one task."""

    @property
    def compile_seconds(self) -> float | None:
        """What compiling one training step took; None for a contestant that does not compile."""

    def reset(self) -> None:
        """Go back to the weights, and the optimiser's state, of the start."""

    def run(self, first: int, count: int) -> float:
        """Train `count` steps on the batches first, first + 1, … (mod BATCHES); the cost of the last one, then."""


@dataclass
class _Session:
    """What a worker remembers between questions."""

    make: Callable[[Task], Runner]
    steps: int = 1
    runners: list[Runner] = field(default_factory=list)

    @property
    def runner(self) -> Runner:
        """The runner that was opened."""
        return self.runners[-1]

    def open(self, task: dict[str, Any]) -> dict[str, Any]:
        """Make the network and what else the task needs."""
        self.runners.append(self.make(Task(**(task | {"sizes": tuple(task["sizes"])}))))
        return {"compile_seconds": self.runner.compile_seconds}

    def costs(self, steps: int) -> dict[str, Any]:
        """The costs of the first steps."""
        self.runner.reset()
        return {"costs": [self.runner.run(n, 1) for n in range(steps)]}

    def prepare(self, seconds: float) -> dict[str, Any]:
        """Find how many steps take about so long, and warm up with them."""
        self._timed(1)
        once = self._timed(1)
        self.steps = repetitions(seconds, once)
        self._timed(self.steps)
        return {"steps": self.steps}

    def time(self) -> dict[str, Any]:
        """Time the prepared number of steps from the start."""
        return {"seconds_per_step": self._timed(self.steps)}

    def memory(self) -> dict[str, Any]:
        """The most memory that this process has ever held."""
        return {"bytes": _peak_memory()}

    def _timed(self, steps: int) -> float:
        """Seconds per step, after a first step that brings state and data back into the caches."""
        self.runner.reset()
        self.runner.run(0, 1)
        start = time.perf_counter()
        self.runner.run(1, steps)
        return (time.perf_counter() - start) / steps


def repetitions(seconds: float, once: float) -> int:
    """How many times something fits into so many seconds that takes `once`; at least one, and not without end."""
    return min(max(round(seconds / once), _FEWEST), _MOST)


def _peak_memory() -> int | None:
    """Peak resident bytes; None where the system does not tell.

    Linux's /proc is asked first: there ru_maxrss starts, in a child, with the size of the parent that made it.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return _maxrss()


def _maxrss() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _private_output() -> TextIO:
    """The real stdout, which from now on only answers go to: whatever a library prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answered(session: object, question: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = getattr(session, question.pop("ask"))(**question)
    except Exception as problem:
        traceback.print_exc()
        said = str(problem).strip().splitlines() or ["no message"]
        return {"error": f"{type(problem).__name__}: {said[0]}"}
    return found


def answer(session: object) -> None:
    """Answer questions until stdin ends, each with the method of its name."""
    answers = _private_output()
    for line in sys.stdin:
        print(json.dumps(_answered(session, json.loads(line))), file=answers, flush=True)


def serve(make: Callable[[Task], Runner]) -> None:
    """Train, as asked, until stdin ends."""
    answer(_Session(make))
