"""How the benchmark of derivatives talks with its workers: as `protocol` says, but of ways to a quantity.

A worker holds one library, a network, a batch, and the ways in which that library computes one quantity of them:

    {"ask": "open", "task": {...}, "quantity": q}    make the ways        -> {"ways": {name: {...}, ...}}
    {"ask": "check", "way": name, "file": path}      compute, write it    -> {}
    {"ask": "prepare", "way": name, "seconds": s}    what fits into s     -> {"calls": n}
    {"ask": "time", "way": name}                     so many calls, timed -> {"seconds_per_call": s}
    {"ask": "profile", "way": name}                  where time goes      -> {"text": "..."}

Of each way is told what compiling it took, and the way that it is compared with: to the gradient, computed by the same
library in the same manner. The gradients are ways among the others, compared with nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from protocol import Task, answer, repetitions

__all__ = ["QUANTITIES", "Example", "Way", "example", "leaves", "serve_ways"]

#: The quantities, of the cost C = mean_x C_x of a batch, its gradient g = ∇C and the gradients g_x = ∇C_x.
QUANTITIES: Mapping[str, str] = {
    "norms": "‖g_x‖² for each x",
    "gradient-and-norms": "g, and ‖g_x‖² for each x",
    "second-moment": "mean_x g_x²",
    "variance": "mean_x g_x² − g²",
    "per-example": "g_x for each x",
    "hvp": "Hessian · vector",
    "hessian": "Hessian",
}

_SEED = 1994
_KEPT = 50_000  # elements of an array that are written for comparison, about

Array = np.ndarray[Any, Any]
Layers = list[tuple[Array, Array]]


@dataclass(frozen=True)
class Example:
    """Layers (w, b) with w of shape (out, in), a direction of the same shapes, and one batch."""

    weights: Layers
    direction: Layers
    x: Array
    labels: Array


def example(task: Task) -> Example:
    """The first batch of a task, its weights, and a direction that is the same for all."""
    arrays, random = np.load(task.arrays), np.random.default_rng(_SEED)
    weights = [(arrays[f"w{n}"], arrays[f"b{n}"]) for n in range(task.layers)]
    direction = [
        (random.standard_normal(w.shape, dtype=np.float32), random.standard_normal(b.shape, dtype=np.float32))
        for w, b in weights
    ]
    return Example(weights, direction, arrays["x"][0], arrays["labels"][0])


@dataclass(frozen=True)
class Way:
    """One way to compute a quantity, or the gradient that it is compared with."""

    run: Callable[[], Any]  # compute it once, and wait until it is there
    values: Callable[[Any], Sequence[Any]]  # of what `run` returns the arrays, in the order and scale of QUANTITIES
    against: str | None = None  # the gradient's way
    compile_seconds: float | None = None
    profile: Callable[[], str] = str


def leaves(tree: Any) -> list[Any]:
    """The arrays in lists and tuples, from left to right."""
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, list | tuple) else [tree]


@dataclass
class _Ways:
    """What a worker remembers between questions."""

    make: Callable[[Task, str], dict[str, Way]]
    ways: dict[str, Way] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def open(self, task: dict[str, Any], quantity: str) -> dict[str, Any]:
        """Make the ways to a quantity; there may be none."""
        self.ways = self.make(Task(**(task | {"sizes": tuple(task["sizes"])})), quantity)
        told = {n: {"against": w.against, "compile_seconds": w.compile_seconds} for n, w in self.ways.items()}
        return {"ways": told}

    def check(self, way: str, file: str) -> dict[str, Any]:
        """Write the quantity; of large arrays, elements at equal distances."""
        arrays = [np.asarray(a).ravel() for a in self.ways[way].values(self.ways[way].run())]
        np.savez(file, allow_pickle=False, **{str(n): a[:: max(1, a.size // _KEPT)] for n, a in enumerate(arrays)})
        return {}

    def prepare(self, way: str, seconds: float) -> dict[str, Any]:
        """Find how many calls take about so long, and warm up with them."""
        self._timed(way, 1)
        once = self._timed(way, 1)
        self.calls[way] = repetitions(seconds, once)
        self._timed(way, self.calls[way])
        return {"calls": self.calls[way]}

    def time(self, way: str) -> dict[str, Any]:
        """Time the prepared number of calls."""
        return {"seconds_per_call": self._timed(way, self.calls[way])}

    def profile(self, way: str) -> dict[str, Any]:
        """Where the time goes, as text; empty if the library does not tell."""
        return {"text": self.ways[way].profile()}

    def _timed(self, way: str, calls: int) -> float:
        """Seconds per call, after one that brings code and data back into the caches; not where one is all there is."""
        run = self.ways[way].run
        if calls > 1:
            run()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - start) / calls


def serve_ways(make: Callable[[Task, str], dict[str, Way]]) -> None:
    """Compute quantities, as asked, until stdin ends."""
    answer(_Ways(make))
