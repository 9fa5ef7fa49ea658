"""The networks that are trained: those of the peers' tables, with the flops of a step and the data of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from protocol import BATCHES, Task

__all__ = ["BOOK", "WORKLOADS", "described", "flops", "with_arrays"]

_SEED = 1986


def _relu(sizes: tuple[int, ...], batch: int, optimizer: str, rate: float) -> Task:
    return Task(sizes, batch, "relu", "softmax", "cross_entropy", optimizer, rate)


#: The workloads by name.
WORKLOADS: dict[str, Task] = {
    "mlp-30-b10": Task((784, 30, 10), 10, "sigmoid", "sigmoid", "quadratic", "sgd", 0.1),
    "mlp-100-b10": _relu((784, 100, 10), 10, "sgd", 0.1),
    "mlp-512-b128": _relu((784, 512, 512, 10), 128, "adam", 1e-3),
    "mlp-2048-b256": _relu((784, 2048, 2048, 10), 256, "adam", 1e-3),
}

#: The one of the book's first program, by which starting is measured.
BOOK = "mlp-30-b10"


def described(task: Task) -> str:
    """Sizes, batch and optimiser in a few words."""
    optimizer = {"sgd": "SGD", "adam": "Adam"}[task.optimizer]
    return f"{'-'.join(map(str, task.sizes))}, batch {task.batch}, {optimizer}"


def flops(task: Task) -> int:
    """Floating-point operations of a step's matrix products, at two for each multiply-add.

    Three products for each layer (forward, error, gradient), but no error goes back to the inputs.
    """
    weights = [inputs * outputs for inputs, outputs in zip(task.sizes, task.sizes[1:], strict=False)]
    return 2 * task.batch * (3 * sum(weights) - weights[0])


def with_arrays(task: Task, file: Path) -> Task:
    """The task with its weights and data, the same in every run, written to `file`."""
    random = np.random.default_rng(_SEED)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for n, (inputs, outputs) in enumerate(zip(task.sizes, task.sizes[1:], strict=False)):
        arrays[f"w{n}"] = (random.standard_normal((outputs, inputs)) / np.sqrt(inputs)).astype(np.float32)
        arrays[f"b{n}"] = np.zeros(outputs, np.float32)
    arrays["x"] = random.random((BATCHES, task.batch, task.sizes[0]), dtype=np.float32)
    arrays["labels"] = random.integers(0, task.sizes[-1], (BATCHES, task.batch))
    np.savez(file, allow_pickle=False, **arrays)
    return replace(task, arrays=str(file))
