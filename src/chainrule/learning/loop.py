"""The loop over epochs: shuffle, run the native loop in stretches, measure, record."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from chainrule.checks import instance, real_number, whole_number
from chainrule.data.dataset import DataSet, as_dataset
from chainrule.errors import OptionError
from chainrule.learning.baseline import constant_accuracy, constant_cost
from chainrule.learning.configuration import Configuration
from chainrule.learning.evaluate import Evaluator, Examples, Totals, by_size, prepared
from chainrule.learning.flow import Flow
from chainrule.learning.optimizers import Optimizer, optimizer_text
from chainrule.learning.progress import Progress
from chainrule.learning.run import Record, Run
from chainrule.learning.step import ROW, Objective, Training, WatchedTraining
from chainrule.learning.watcher import Watcher, looks_every
from chainrule.nn.costs import cost_function
from chainrule.nn.feedforward import Feedforward
from chainrule.trace.tree import flatten, unflatten

__all__ = ["learn"]

Values = np.ndarray[Any, Any]
_STRETCH_SECONDS = 0.05  # between two returns to Python, for progress and Ctrl-C


def learn(
    network: Feedforward,
    data: DataSet | tuple[Any, Any],
    *,
    cost: str,
    epochs: int,
    batch: int,
    optimizer: Optimizer,
    validation: DataSet | tuple[Any, Any] | None = None,
    l2: float = 0.0,
    seed: int = 0,
    order: Any = None,
    dtype: Any = np.float32,
    evaluate_training: bool = False,
    watch: bool | int = True,
    progress: bool = True,
) -> Run:
    """Train a network by backpropagation on mini-batches, and return the `Run`.

    The cost is the mean over examples of C_x, plus `λ/(2n) Σ w²` over the weights for `l2=λ` and n training examples.
    Each epoch goes once through the training examples in batches of `batch`, the last shorter if they do not divide,
    in a fresh order drawn from `seed`; or exactly in the order of the rows that `order` names, `epochs·n` of them.
    Training figures are running means over the epoch's steps, or with `evaluate_training` those of the whole
    training set at its end. Validation data, given or part of the data set, are measured after every epoch and never
    learned from.

    `watch` records what flows through the layers (`run.flow`): some 20 times a second, or every so many steps, or
    never. What is learnt does not depend on it, but for the last bits if every single step is watched.

    The same seed on the same machine gives the same bits. Ctrl-C ends learning within a second; the run then holds what
    was learnt, and `run.interrupted` is true. `network` itself is not changed.

    Raises OptionError for an option outside its range, DataError for data that cannot be learned from.

    >>> from chainrule.learning.optimizers import SGD
    >>> from chainrule.nn import Network
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> network = Network([2, 4, 2], activation="tanh", output="softmax", seed=1)
    >>> data = (x, [0, 1, 1, 0])
    >>> run = learn(network, data, cost="cross_entropy", epochs=200, batch=4, optimizer=SGD(1.0), progress=False)
    >>> run.history[-1].training_accuracy
    1.0
    """
    instance("network", network, Feedforward, "a Network", cure="Try cr.nn.Network([784, 30, 10]).")
    instance("optimizer", optimizer, Optimizer, "an optimiser", cure="For example cr.optim.SGD(0.1).")
    epochs, batch = whole_number("epochs", epochs, 1), whole_number("batch", batch, 1)
    seed, l2 = whole_number("seed", seed, 0), real_number("l2", l2, 0)
    wanted = _float_dtype(dtype)
    source = as_dataset(data)
    training = prepared(source, network, wanted)
    held_out = validation if validation is not None else source.validation
    checked = None if held_out is None else prepared(held_out, network, wanted)
    if batch > len(training.x):
        raise OptionError(f"batch {batch} is larger than the training data, {len(training.x)} examples.")
    orders = _orders(order, epochs, len(training.x), seed)
    every = looks_every(watch, network.parameters, batch, epochs * (len(training.x) // batch))
    cost_function(cost, network.output_activation)
    objective = Objective(cost, l2 / len(training.x))
    about_data = _of_data(source, checked) | _constants("", training, network, cost)
    about_data |= {} if checked is None else _constants("validation_", checked, network, cost)
    configuration = Configuration(
        sizes=tuple(network.sizes), cost=cost, epochs=epochs, batch=batch, optimizer=optimizer_text(optimizer), l2=l2,
        seed=seed, dtype=wanted.name, **about_data,
    )  # fmt: skip
    with Progress(epochs, len(training.x), shown=progress) as display:
        start = network.astype(wanted)
        learner = _Learner(start, training, checked, objective, optimizer, batch, evaluate_training, every)
        finished = learner.run(orders, display)
    return Run(learner.network, learner.history, configuration, interrupted=not finished, flow=learner.flow)


def _of_data(source: DataSet, validation: Examples | None) -> dict[str, Any]:
    """What tells the data from others."""
    return {
        "training_examples": len(source),
        "data": source.folder or source.name,
        "data_shape": source.x.shape,
        "data_digest": source.digest(),
        "validation_examples": None if validation is None else len(validation.x),
    }


def _constants(part: str, examples: Examples, network: Feedforward, cost: str) -> dict[str, Any]:
    """What the best constant answer to some examples achieves, as far as that is a number."""
    least = constant_cost(examples.labels, network.outputs, cost, network.output_activation)
    return {
        f"{part}constant_cost": least if isfinite(least) else None,
        f"{part}constant_accuracy": constant_accuracy(examples.labels) if examples.classes else None,
    }


# checks


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    try:
        wanted: np.dtype[Any] = np.dtype(dtype)
    except TypeError as problem:
        raise OptionError(f"dtype must be float32 or float64: {problem}.") from None
    if wanted not in (np.float32, np.float64):
        raise OptionError(f"dtype must be float32 or float64, not {wanted}.")
    return wanted


def _orders(order: Any, epochs: int, examples: int, seed: int) -> Iterator[Values]:
    """The order of the rows in each epoch."""
    if order is None:
        return (np.random.default_rng((seed, epoch)).permutation(examples).astype(ROW) for epoch in range(epochs))
    try:
        rows = np.asarray(order)
    except ValueError as problem:
        raise OptionError(f"order is not an array of row numbers: {problem}.") from None
    if rows.dtype.kind not in "iu" or rows.size != epochs * examples:
        raise OptionError(
            f"order must hold {epochs} x {examples} row numbers, one for each example of each epoch, not {rows.dtype} "
            f"of shape {rows.shape}."
        )
    if rows.min() < 0 or rows.max() >= examples:
        raise OptionError(f"order names rows {rows.min()} to {rows.max()}, but there are {examples} examples.")
    return iter(np.ascontiguousarray(rows.reshape(epochs, examples), ROW))


# learning


@dataclass
class _Pace:
    """How many rounds of a loop fit between two returns to Python; learnt from the last stretch."""

    rounds: int = 4

    def stretches(self, batches: Values, most: Callable[[Values], int]) -> Iterator[Values]:
        """The batches, a stretch at a time, of at most as many as `most` says of those that are left."""
        start = 0
        while start < len(batches):
            allowed = most(batches[start:])
            began = time.perf_counter()
            taken = batches[start : start + min(self.rounds, allowed)]
            yield taken
            start += len(taken)
            spent = max(time.perf_counter() - began, 1e-9)
            self.rounds = max(1, min(int(len(taken) * _STRETCH_SECONDS / spent), 8 * self.rounds))


@dataclass
class _Learner:
    """The network while it learns, with its native programs."""

    start: Feedforward
    training: Examples
    validation: Examples | None
    objective: Objective
    optimizer: Optimizer
    batch: int
    evaluate_training: bool
    every: int | None  # steps between two looks at what flows
    history: list[Record] = field(default_factory=list)
    done: int = 0  # steps

    def __post_init__(self) -> None:
        self.began = time.perf_counter()
        state = (self.start, self.optimizer.start(self.start))
        leaves, self.structure = flatten(state)
        self.leaves = [np.array(leaf, order="C") for leaf in leaves]  # the native loop knows no strides
        self.weights = self.leaves[: len(flatten(self.start)[0])]
        data = (self.training.x, self.training.labels)
        training = (state, self.objective, self.optimizer, data)
        watched = functools.partial(WatchedTraining, *training, self.batch)
        self.watcher = Watcher(
            functools.partial(watched, measure=True), self.every or 0, self.batch, len(self.start.sizes) - 1
        )
        if self.every not in (None, 1):
            self.watcher.start()
        self.steps = by_size(
            len(self.training.x),
            self.batch,
            lambda n: watched(measure=False) if self.every == 1 and n == self.batch else Training(*training, n),
        )
        self.validate = self._evaluator(self.validation)
        self.retrain = self._evaluator(self.training if self.evaluate_training else None)

    @property
    def network(self) -> Feedforward:
        """The network as it is now."""
        learned: Feedforward = unflatten(self.structure, self.leaves)[0]
        return learned

    def run(self, orders: Iterator[Values], display: Progress) -> bool:
        """Learn, an epoch for each order; False if Ctrl-C ended it."""
        pace = _Pace()
        try:
            for epoch, rows in enumerate(orders):
                totals = self._epoch(epoch, rows, pace, display)
                self.history.append(self._record(epoch + 1, totals))
                display.ended(self.history[-1])
        except KeyboardInterrupt:
            return False
        return True

    def _epoch(self, epoch: int, rows: Values, pace: _Pace, display: Progress) -> Totals:
        totals = Totals()
        start = 0
        for size, count, step in self.steps:
            batches = rows[start : start + size * count].reshape(count, size)
            start += size * count
            for taken in pace.stretches(batches, self._look):
                costs, right, *quantities = measured = step.run(self.leaves, taken)
                totals.add(costs, right, size)
                if quantities:
                    self.watcher.add(self.done, measured)
                self.done += len(taken)
                display.moved(epoch, totals.examples, totals.mean_cost, totals.accuracy(self.training.classes))
        return totals

    def _look(self, batches: Values) -> int:
        """Look at the step that comes next, if it is its turn; how many steps may follow before the next look."""
        if self.every in (None, 1) or batches.shape[1] != self.batch:
            return len(batches)
        if self.watcher.until_next(self.done) == 0:
            self.watcher.look(self.done, self.leaves, batches[0])
        return self.watcher.until_next(self.done + 1) + 1

    @property
    def flow(self) -> Flow | None:
        """What was seen of the steps; None if nobody watched."""
        return None if self.every is None else self.watcher.flow()

    def _record(self, epoch: int, totals: Totals) -> Record:
        training = self.retrain.measure(self.weights) if self.retrain else totals
        validation = self.validate.measure(self.weights) if self.validate else None
        return Record(
            epoch,
            training.mean_cost,
            training.accuracy(self.training.classes),
            validation.mean_cost if validation else None,
            validation.accuracy(self.validation.classes) if validation and self.validation else None,
            time.perf_counter() - self.began,
        )

    def _evaluator(self, examples: Examples | None) -> Evaluator | None:
        return None if examples is None else Evaluator(self.start, self.objective, examples)
