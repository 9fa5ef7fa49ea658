"""The loop over epochs: shuffle, run the native loop in stretches, measure, record."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from chainrule.checks import instance, real_number, whole_number
from chainrule.data.dataset import DataSet, as_dataset
from chainrule.errors import OptionError
from chainrule.learning.baseline import constant_accuracy
from chainrule.learning.callbacks import Callbacks, Moment, StopLearning
from chainrule.learning.configuration import Configuration
from chainrule.learning.evaluate import Evaluator, Totals, chosen_cost
from chainrule.learning.examples import Batches, Examples, in_batches, prepared
from chainrule.learning.flow import Flow
from chainrule.learning.optimizers import Optimizer, optimizer_text
from chainrule.learning.programs import ROW, Plan, number_rows, program, run, training_plan
from chainrule.learning.progress import Progress
from chainrule.learning.run import Record, Run
from chainrule.learning.watcher import Watcher, looks_every
from chainrule.nn.costs import COSTS, Cost
from chainrule.nn.layers import learns_differently
from chainrule.nn.objective import CostFunction, Objective, is_function
from chainrule.nn.outline import Outline, outline, per_example_cost, stage_count
from chainrule.nn.own_code import holds_own_code
from chainrule.nn.parameters import Parameters, astype, trainable
from chainrule.run.program import Program
from chainrule.trace.tree import flatten, tree_map, unflatten

__all__ = ["learn"]

Values = np.ndarray[Any, Any]
_STRETCH_SECONDS = 0.05  # between two returns to Python, for progress and Ctrl-C


def learn(
    network: Any,
    data: DataSet | tuple[Any, Any],
    *,
    cost: Cost | str | CostFunction,
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
    on_epoch: Callable[[Moment], Any] | None = None,
    on_stretch: Callable[[Moment], Any] | None = None,
) -> Run:
    """Train a network by backpropagation on mini-batches, and return the `Run`.

    A network is any tree of arrays that is called with examples: a `Network`, a `Sequential`, a frozen dataclass of
    your own, a `Function` of parameters; what it makes of one example does not depend on the others, unless it has a
    method `training`. `cost` is a Cost, the name of one, or a function `(network, x, y)` to C_x of
    each example or to their mean. What is minimised is the mean over examples of C_x, plus `λ/(2n) Σ w²` over the
    weights for `l2=λ` and n training examples. Each epoch goes once through the training examples in batches of
    `batch`, the last shorter if they do not divide, in a fresh order drawn from `seed`; or exactly in the order of the
    rows that `order` names, `epochs·n` of them. Training figures are running means over the epoch's steps, or with
    `evaluate_training` those of the whole training set at its end. Validation data, given or part of the data set, are
    measured after every epoch and never learned from.

    `watch` records what flows through the layers (`run.flow`): some 20 times a second, or every so many steps, or
    never. What is learnt does not depend on it, but for the last bits if every single step is watched.

    `on_epoch` is called with a `Moment` after every epoch, `on_stretch` some 20 times a second; either ends learning by
    returning True, as early stopping does.

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
    instance("optimizer", optimizer, Optimizer, "an optimiser", cure="For example cr.optim.SGD(0.1).")
    parameters = Parameters.of(network)
    epochs, batch = whole_number("epochs", epochs, 1), whole_number("batch", batch, 1)
    seed, l2 = whole_number("seed", seed, 0), real_number("l2", l2, 0)
    wanted = _float_dtype(dtype)
    source = as_dataset(data)
    start = astype(network, wanted)
    training = prepared(source, start, wanted)
    held_out = validation if validation is not None else source.validation
    checked = None if held_out is None else prepared(held_out, start, wanted)
    if batch > training.count:
        raise OptionError(f"batch {batch} is larger than the training data, {training.count} examples.")
    orders = _orders(order, epochs, training.count, seed)
    every = looks_every(watch, parameters.count, batch, epochs * (training.count // batch))
    chosen = chosen_cost(cost, start, training)
    _check_training(start, chosen)
    known = outline(start, training.x) if callable(start) else None
    configuration = Configuration(
        sizes=_sizes(known), cost=cost_text(cost), epochs=epochs, batch=batch,
        optimizer=optimizer_text(optimizer), l2=l2, seed=seed, dtype=wanted.name, **_of_data(source, checked),
        **_constants("", training, known, chosen), **_constants("validation_", checked, known, chosen),
    )  # fmt: skip
    objective = Objective(chosen, l2 / training.count)
    task = _Task(start, training, checked, objective, optimizer, batch, seed, evaluate_training, every)
    with Progress(epochs, training.count, shown=progress) as display:
        learner = _Learner(task, Callbacks(on_epoch, on_stretch))
        finished = learner.run(orders, display)
    return Run(
        learner.network, learner.history, configuration, not finished, learner.flow, cost=cost, optimizer=optimizer
    )


def _sizes(known: Outline | None) -> tuple[int, ...] | None:
    """How many inputs there are, and units of each stage, where the outputs of each are units in a row."""
    return known.sizes if known and all(len(stage.shape) == 1 for stage in known.stages) else None


def cost_text(cost: Any) -> str:
    """How a configuration names a cost: by its name, one of the user's own by its module and its name."""
    if isinstance(cost, str) or (isinstance(cost, Cost) and COSTS.get(cost.name) == cost):
        return str(cost)
    function = cost.function if isinstance(cost, Cost) else cost
    name = cost.name if isinstance(cost, Cost) else getattr(cost, "__qualname__", type(cost).__qualname__)
    return f"{getattr(function, '__module__', type(cost).__module__)}: {name}"


def _of_data(source: DataSet, validation: Examples | None) -> dict[str, Any]:
    """What tells the data from others."""
    return {
        "training_examples": len(source),
        "data": source.folder or source.name,
        "data_shape": source.shape,
        "data_digest": source.digest(),
        "validation_examples": None if validation is None else validation.count,
    }


def _constants(part: str, examples: Examples | None, known: Outline | None, cost: Any) -> dict[str, Any]:
    """What the best constant answer to some examples achieves, as far as that is a number."""
    if examples is None or known is None or is_function(cost):
        return {}
    least = cost.least_constant(examples.labels, known.outputs, known.activation)
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


def _check_training(network: Any, cost: Any) -> None:
    """Refuse a cost that would call the network as if it did not learn."""
    if learns_differently(network) and is_function(cost):
        raise OptionError(
            "the network does something else while it learns, but a cost that is a function calls it as it always is.",
            cure="Write the cost of the outputs: cr.nn.Cost(name, function), with function(z, a, y).",
        )


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


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be learnt, how."""

    start: Any
    training: Examples
    validation: Examples | None
    objective: Objective
    optimizer: Optimizer
    batch: int
    seed: int
    evaluate_training: bool
    every: int | None  # steps between two looks at what flows

    def parts(self) -> list[Batches]:
        """The batches of an epoch: those that are whole, and the shorter one after them, filled up if that can be."""
        *whole, last = in_batches(self.training.count, self.batch, filled=False)
        if last.size < self.batch and self._can_fill():
            last = replace(last, size=self.batch)
        return [*whole, last]

    def _can_fill(self) -> bool:
        """Whether rows that do not count can be left out of a step."""
        data = (self.training.x, self.training.labels)
        return not learns_differently(self.start) and per_example_cost(self.objective, self.start, *data)

    def layers(self) -> int:
        """How many layers are watched."""
        if self.every is None:
            return 0
        return stage_count(self.objective, self.start, self.training.x, self.training.labels)

    def plan(self, state: Any, size: int, **how: bool) -> Plan:
        """The plan of its steps in batches of that size."""
        data = (self.training.x, self.training.labels)
        random = learns_differently(self.start)
        return training_plan(state, self.objective, self.optimizer, data, size, is_random=random, **how)


class _Learner:
    """The network while it learns, with its native programs."""

    def __init__(self, task: _Task, callbacks: Callbacks) -> None:
        self.task, self.callbacks = task, callbacks
        self.began = time.perf_counter()
        state = (task.start, task.optimizer.start(trainable(task.start)))
        leaves, self.structure = flatten(state)
        self.leaves = [np.array(leaf, order="C") for leaf in leaves]  # the native loop knows no strides
        self.weights = self.leaves[: len(flatten(task.start)[0])]
        self.tables = task.training.tables
        self.history: list[Record] = []
        self.done = 0  # steps
        self.watched = task.plan(state, task.batch, watched=True, measured=True)
        self.watcher = Watcher(self._watching, task.every or 0, task.batch, task.layers())
        self.plain: Program | None = None
        is_looking, own = task.every not in (None, 1), holds_own_code(self.watched)
        if is_looking and not own:
            self.watcher.start()
        self.steps = [(part, program(self._plan(state, part))) for part in task.parts()]
        if is_looking and own:  # which is looked at once, in the plain step
            self.plain = self.steps[0][1]
            self.watcher.start()
        self.validate = self._evaluator(task.validation)
        self.retrain = self._evaluator(task.training if task.evaluate_training else None)

    def _plan(self, state: Any, part: Batches) -> Plan:
        whole = part.size == self.task.batch and part.last == part.size
        return self.task.plan(state, part.size, counted=part.last < part.size, watched=self.task.every == 1 and whole)

    def _watching(self) -> Callable[[int, Sequence[Values], Values], Sequence[Values]]:
        """What looks at a step; compiled beside the learning."""
        made = program(self.watched, beside=self.plain)
        return lambda step, state, rows: run(made, state, self.tables, rows, self._numbers(step, 1, self.task.batch))

    def _numbers(self, done: int, times: int, count: int) -> Values:
        """The rows of numbers for so many steps after `done`, in the same epoch."""
        task = self.task
        epoch, step = divmod(done, -(-task.training.count // task.batch))
        return number_rows(
            task.optimizer,
            range(step, step + times),
            penalty=float(task.objective.penalty),
            count=count,
            seed=task.seed,
            epoch=epoch,
            done=done,
        )

    @property
    def network(self) -> Any:
        """The network as it is now."""
        return unflatten(self.structure, self.leaves)[0]

    def _copied(self) -> Any:
        return tree_map(np.copy, self.network)

    def run(self, orders: Iterator[Values], display: Progress) -> bool:
        """Learn, an epoch for each order; False if Ctrl-C, or a callback, ended it."""
        pace = _Pace()
        try:
            for epoch, rows in enumerate(orders):
                totals = self._epoch(epoch, rows, pace, display)
                self.history.append(self._record(epoch + 1, totals))
                display.ended(self.history[-1])
                self.callbacks.epoch(self.done, self.history[-1], self._copied)
        except (KeyboardInterrupt, StopLearning):
            return False
        return True

    def _epoch(self, epoch: int, rows: Values, pace: _Pace, display: Progress) -> Totals:
        totals = Totals()
        for part, made in self.steps:
            for taken in pace.stretches(part.of(rows), functools.partial(self._look, part)):
                numbers = self._numbers(self.done, len(taken), part.last)
                costs, right, *quantities = measured = run(made, self.leaves, self.tables, taken, numbers)
                totals.add(costs, right, part.last)
                if quantities:
                    self.watcher.add(self.done, measured)
                self.done += len(taken)
                display.moved(epoch, totals.examples, totals.mean_cost, totals.accuracy(self.task.training.classes))
                self.callbacks.stretch(self.done, totals.mean_cost, self._copied)
        return totals

    def _look(self, part: Batches, batches: Values) -> int:
        """Look at the step that comes next, if it is its turn; how many steps may follow before the next look."""
        if self.task.every in (None, 1) or part.last != self.task.batch:
            return len(batches)
        if self.watcher.until_next(self.done) == 0:
            self.watcher.look(self.done, self.leaves, batches[0])
        return self.watcher.until_next(self.done + 1) + 1

    @property
    def flow(self) -> Flow | None:
        """What was seen of the steps; None if nobody watched."""
        return None if self.task.every is None else self.watcher.flow()

    def _record(self, epoch: int, totals: Totals) -> Record:
        training = self.retrain.measure(self.weights) if self.retrain else totals
        validation = self.validate.measure(self.weights) if self.validate else None
        checked = self.task.validation
        return Record(
            epoch,
            training.mean_cost,
            training.accuracy(self.task.training.classes),
            validation.mean_cost if validation else None,
            validation.accuracy(checked.classes) if validation and checked else None,
            time.perf_counter() - self.began,
        )

    def _evaluator(self, examples: Examples | None) -> Evaluator | None:
        return None if examples is None else Evaluator(self.task.start, self.task.objective, examples)
