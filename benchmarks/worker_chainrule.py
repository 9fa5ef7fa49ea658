"""chainrule as a worker: the training steps are one native loop over rows of the resident data."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.learning.optimizers import SGD, Adam, Optimizer
from chainrule.learning.programs import number_rows, program, run, training_plan
from chainrule.nn import Network
from chainrule.nn.objective import Objective
from chainrule.trace.tree import flatten
from protocol import BATCHES, Task, serve

Array = np.ndarray[Any, Any]


class ChainruleRunner:
    """A training program, and the state that it changes in place."""

    def __init__(self, task: Task) -> None:
        arrays = np.load(task.arrays)
        network = _network(task, arrays)
        optimizer: Optimizer = SGD(task.rate) if task.optimizer == "sgd" else Adam(task.rate)
        state = (network, optimizer.start(network))
        data = (arrays["x"].reshape(-1, task.sizes[0]), arrays["labels"].ravel())
        start = time.perf_counter()
        self._optimizer, self._tables = optimizer, [np.ascontiguousarray(table) for table in data]
        plan = training_plan(state, Objective(task.cost), optimizer, data, task.batch)
        self._program = program(plan)
        self.compile_seconds: float | None = time.perf_counter() - start
        self._start = [np.array(leaf) for leaf in flatten(state)[0]]
        self._state = [np.array(leaf) for leaf in self._start]
        self._rows = np.arange(BATCHES * task.batch, dtype=np.uint32).reshape(BATCHES, task.batch)

    def reset(self) -> None:
        """Copy the first state over the present one."""
        for leaf, first in zip(self._state, self._start, strict=True):
            np.copyto(leaf, first)

    def run(self, first: int, count: int) -> float:
        """Train; the cost of the last step."""
        order = self._order(first % BATCHES, count)
        numbers = self._numbers(count)
        costs, _ = run(self._program, self._state, self._tables, order, numbers)
        return float(costs[-1])

    @lru_cache(maxsize=32)  # noqa: B019 - the one runner lives as long as its process
    def _numbers(self, count: int) -> Array:
        """What each step is run with: the optimiser's settings."""
        return number_rows(self._optimizer, range(count), penalty=0.0, count=self._rows.shape[1])

    @lru_cache(maxsize=32)  # noqa: B019 - the one runner lives as long as its process
    def _order(self, first: int, count: int) -> Array:
        """The rows of each step."""
        return np.ascontiguousarray(self._rows[np.arange(first, first + count) % BATCHES])


def _network(task: Task, arrays: Any) -> Network:
    weights = [(arrays[f"w{n}"], arrays[f"b{n}"]) for n in range(task.layers)]
    return Network.from_weights(weights, task.activation, output=task.output)


if __name__ == "__main__":
    serve(ChainruleRunner)
