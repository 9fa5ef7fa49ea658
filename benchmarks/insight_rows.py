"""What insight costs: each row measures something, divided by something plain, or on its own."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.insight.network_and_data import subject_of
from chainrule.insight.second_order.hessian import sharpest
from chainrule.learning.optimizers import SGD, Adam, Optimizer
from chainrule.learning.programs import ROW, number_rows, program, run, training_plan
from chainrule.nn import Network
from chainrule.nn.objective import Objective
from chainrule.run.program import Program
from chainrule.trace.tree import flatten
from insight_cockpit import everything, plain_step, probes
from protocol import BATCHES, Task
from workloads import WORKLOADS, with_arrays

__all__ = ["ROWS", "Row", "Ways"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ways:
    """What is timed in turn: the first by itself, or as a multiple of the second; one call is `calls` of each.

    What is not a time is in `value` at once.
    """

    ways: Mapping[str, Callable[[], Any]]
    calls: int = 1
    value: float | None = None


@dataclass(frozen=True)
class Row:
    """Something measured, its unit, and how much of it there may be."""

    what: str
    unit: str
    required: float
    aim: float
    make: Callable[[], Ways]


def _data(task: Task) -> tuple[Network, Array, Array]:
    with tempfile.TemporaryDirectory() as folder:
        arrays = np.load(with_arrays(task, Path(folder) / "arrays.npz").arrays)
        weights = [(arrays[f"w{n}"], arrays[f"b{n}"]) for n in range(task.layers)]
        x, labels = arrays["x"].reshape(-1, task.sizes[0]), arrays["labels"].ravel()
    return Network.from_weights(weights, task.activation, output=task.output), x, labels


def _optimizer(task: Task) -> Optimizer:
    return SGD(task.rate) if task.optimizer == "sgd" else Adam(task.rate)


# watching


def _watching(name: str, steps: int) -> Ways:
    """Native loops in which every step is watched, and in which none is, from the same start."""
    task = WORKLOADS[name]
    network, x, labels = _data(task)
    optimizer = _optimizer(task)
    state = (network, optimizer.start(network))
    given = (state, Objective(task.cost), optimizer, (x, labels), task.batch)
    numbers = number_rows(optimizer, range(steps), penalty=0.0, count=task.batch)
    rows = np.arange(BATCHES * task.batch, dtype=ROW).reshape(BATCHES, task.batch)
    order = np.ascontiguousarray(rows[np.arange(steps) % BATCHES])
    start = flatten(state)[0]
    leaves = [np.array(leaf, order="C") for leaf in start]

    def steps_of(made: Program) -> None:
        for leaf, first in zip(leaves, start, strict=True):
            np.copyto(leaf, first)
        run(made, leaves, [x, labels], order, numbers)

    watched, plain = program(training_plan(*given, watched=True)), program(training_plan(*given))
    return Ways({"watched": partial(steps_of, watched), "plain": partial(steps_of, plain)}, steps)


def _learning() -> Ways:
    """The whole of `learn` with looks as often as it finds right, and with none."""
    task, random = WORKLOADS["mlp-100-b10"], np.random.default_rng(0)
    network, _, _ = _data(task)
    data = random.random((10_000, 784), dtype=np.float32), random.integers(0, 10, 10_000)

    def run(watch: bool) -> None:
        cr.learn(network, data, cost=task.cost, epochs=20, batch=task.batch, optimizer=_optimizer(task), watch=watch,
                 progress=False)  # fmt: skip

    return Ways({"watched": partial(run, True), "plain": partial(run, False)}, 20_000)


def _cockpit() -> Ways:
    random, network = np.random.default_rng(0), Network([784, 1000, 500, 100, 10], "relu", seed=0)
    x, labels = random.random((128, 784), dtype=np.float32), random.integers(0, 10, 128)
    known, full, plain = probes(network, labels, 0), cr.compile(everything), cr.compile(plain_step)
    return Ways({"full": lambda: full(network, x, labels, known), "plain": lambda: plain(network, x, labels)})


# asking


def _what_if() -> Ways:
    random, network = np.random.default_rng(0), Network([784, 100, 10], "relu", seed=0)
    data = random.random((1000, 784), dtype=np.float32), random.integers(0, 10, 1000)
    return Ways({"curve": lambda: cr.insight.what_if(network, data, "layers[0].w[3, 407]")})


def _gradient(network: Network, x: Array, labels: Array) -> Callable[[], Any]:
    objective = Objective("cross_entropy")

    def cost(network: Any, x: Any, labels: Any) -> Any:
        return objective.measured(network, x, labels)[0]

    return partial(cr.compile(cr.value_and_grad(cost)), network, x, labels)


def _one_batch() -> tuple[Network, Array, Array]:
    task = WORKLOADS["mlp-512-b128"]
    network, x, labels = _data(task)
    return network, x[: task.batch], labels[: task.batch]


def _largest_eigenvalue() -> Ways:
    """The largest alone, as the step-size check asks for it."""
    network, x, labels = _one_batch()
    subject = subject_of(network, (x, labels))
    return Ways({"λ_max": lambda: sharpest(subject, 1, 0.01), "gradient": _gradient(network, x, labels)})


def _curvature() -> Ways:
    """As it is asked for: the largest and the lowest eigenvalue, no trace."""
    network, x, labels = _one_batch()
    ask = partial(cr.insight.curvature, network, (x, labels), top=1, lowest=False, probes=0)
    return Ways({"curvature": ask, "gradient": _gradient(network, x, labels)})


def _integrated_gradients() -> Ways:
    network, x, _ = _one_batch()

    def peak(steps: int) -> int:
        ask = partial(cr.insight.attribution, network, x, steps=steps)
        ask()  # so that nothing is compiled while memory is counted
        tracemalloc.start()
        ask()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    return Ways({}, value=peak(50) / peak(1))


#: The rows by name.
ROWS: dict[str, Row] = {
    "watch-every-100": Row("every step watched, mlp-100-b10, SGD", "plain steps", 1.3, 1.1,
                           partial(_watching, "mlp-100-b10", 200)),
    "watch-every-512": Row("every step watched, mlp-512-b128, Adam", "plain steps", 1.12, 1.05,
                           partial(_watching, "mlp-512-b128", 3)),
    "watch-learn": Row("learn with watch=True, mlp-100-b10, 20,000 steps", "learn with watch=False", 1.02, 1.01,
                       _learning),
    "cockpit": Row("Cockpit's full set every step, 784-1000-500-100-10, batch 128", "plain steps", 8, 4, _cockpit),
    "what-if": Row("what-if curve of 41 points, 1,000 examples, 784-100-10", "ms", 50, 10, _what_if),
    "lambda-max": Row("λ_max to 1 %, mlp-512, batch 128", "gradients", 40, 20, _largest_eigenvalue),
    "curvature": Row("curvature(top=1, lowest=False, probes=0), mlp-512, batch 128", "gradients", 40, 20, _curvature),
    "integrated": Row("integrated gradients, 50 steps, mlp-512, 128 examples: memory", "peaks of one step", 1.1, 1.0,
                      _integrated_gradients),
}  # fmt: skip
