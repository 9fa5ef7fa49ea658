"""The contestants, and their workers as processes that are asked and answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Contestant", "Worker", "WorkerError", "environment", "pin", "worker"]

_HERE = Path(__file__).resolve().parent
_SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}


class WorkerError(Exception):
    """A worker could not do what it was asked."""


def pin(core: int | None) -> int | None:
    """Keep this process and its children on one core, the last one allowed unless told; None where that cannot be."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    chosen = max(os.sched_getaffinity(0)) if core is None else core
    os.sched_setaffinity(0, {chosen})
    return chosen


@dataclass(frozen=True)
class Contestant:
    """A library that trains: its Python, its worker's script, and the variables that say where it caches compiled code.

    In the values of `cache`, `{folder}` is replaced by the folder to use; `caches_unasked` tells whether the library
    would cache in a folder of its own if it were not told one.
    """

    name: str
    title: str
    module: str
    python: Path
    script: Path
    cache: Mapping[str, str] = field(default_factory=dict)
    caches_unasked: bool = False

    def environment(self, cache: Path | None = None) -> dict[str, str]:
        """The environment of its processes, with a folder for compiled code if one is given."""
        variables = {k: v.format(folder=cache) for k, v in self.cache.items()} if cache else {}
        return environment(own_paths=self.name == "chainrule") | variables


def environment(*, own_paths: bool) -> dict[str, str]:
    """This process's environment with one thread for everybody, and with or without its PYTHONPATH."""
    inherited = dict(os.environ) | _SINGLE_THREADED
    paths = [str(Path(p).resolve()) for p in inherited.pop("PYTHONPATH", "").split(os.pathsep) if p]
    return inherited | ({"PYTHONPATH": os.pathsep.join(paths)} if own_paths and paths else {})


class Worker:
    """A contestant's process. Each question has `limit` seconds to be answered in."""

    def __init__(self, contestant: Contestant, limit: float, cache: Path | None = None) -> None:
        self._limit = limit
        self._late = False
        self._errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - see close
        self._process = subprocess.Popen(
            [str(contestant.python), str(_HERE / contestant.script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=contestant.environment(cache),
        )

    def ask(self, question: str, **details: Any) -> dict[str, Any]:
        """The answer to a question; WorkerError if there is none."""
        timer = threading.Timer(self._limit, self._give_up)
        timer.start()
        try:
            line = self._exchange(json.dumps({"ask": question, **details}))
        finally:
            timer.cancel()
        if not line:
            raise WorkerError(self._cause_of_death())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _exchange(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(line, file=self._process.stdin, flush=True)
        except OSError:
            return ""
        return self._process.stdout.readline()

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def _cause_of_death(self) -> str:
        status = self._process.wait()
        if self._late:
            return f"gave no answer in {self._limit:g} s"
        if status < 0:
            return f"ended by {signal.Signals(-status).name}"
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines() or ["said nothing"]
        return f"ended with status {status}: {said[-1]}"

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._errors.close()


@contextmanager
def worker(contestant: Contestant, limit: float, cache: Path | None = None) -> Iterator[Worker]:
    """A worker that is ended afterwards."""
    made = Worker(contestant, limit, cache)
    try:
        yield made
    finally:
        made.close()
