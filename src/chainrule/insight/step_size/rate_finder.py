"""Which learning rate to take: a range test, in which the rate rises with every step, and the curvature's opinion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import real_number, whole_number
from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.second_order.hessian import sharpest
from chainrule.insight.second_order.stability import chosen_optimizer, stability
from chainrule.learning.optimizers import SGD, Optimizer
from chainrule.learning.programs import ROW, number_rows, program, run, training_plan
from chainrule.learning.run import Run
from chainrule.nn.parameters import trainable
from chainrule.trace.tree import flatten

__all__ = ["RateSearch", "find_rate"]

Values = np.ndarray[Any, Any]
_DIVERGED = 4.0  # times the lowest cost so far
_RECENT = 3  # steps, whose mean decides
_SMOOTHING = 0.04  # of the steps: the standard deviation of the weights of the running mean
_CLEARLY = 3  # standard errors of the running mean


@dataclass(frozen=True, repr=False)
class RateSearch(Insight):
    """The cost after a step with each rate, on a fresh mini-batch: `costs` as measured, `smoothed` over neighbours.

    `steepest` is the rate at which the smoothed cost falls most steeply on its way to its lowest, None if it does not
    fall clearly; `diverged` the one at which it explodes, None if it does not. `curvature` is λ_max at the start,
    `largest_stable` the rate that it allows the optimiser, None where it cannot tell.
    """

    optimizer: str
    batch: int
    rates: Values
    costs: Values
    smoothed: Values
    start: float
    steepest: float | None
    diverged: float | None
    curvature: float
    largest_stable: float | None

    @property
    def suggestion(self) -> float | None:
        """The rate to try first: the steepest, but at most a tenth of where the cost explodes; None if neither is."""
        found = [self.steepest, None if self.diverged is None else self.diverged / 10]
        return min((rate for rate in found if rate is not None), default=None)

    @property
    def title(self) -> str:
        """What it is."""
        return f"Learning rates for {self.optimizer}, batches of {self.batch}"

    def sentences(self) -> list[str]:
        """What it says."""
        return [self._suggested(), self._range(), self._opinion()]

    def _suggested(self) -> str:
        if self.suggestion is None:
            return "The cost fell clearly at none of the rates: the network is trained, or something else is wrong."
        why = (
            "the cost falls most steeply there" if self.suggestion == self.steepest else "a tenth of where it explodes"
        )
        return f"Try a learning rate of {number(self.suggestion)}: {why}."

    def _range(self) -> str:
        if self.diverged is None:
            return f"From {number(self.start)} at the start, the cost did not explode up to {number(self.rates[-1])}."
        steepest = "" if self.steepest is None else f"; it falls most steeply at {number(self.steepest)}"
        return (
            f"From {number(self.start)} at the start, the cost explodes at a rate of {number(self.diverged)}{steepest}."
        )

    def _opinion(self) -> str:
        known = f"At the start the largest curvature is {number(self.curvature)}"
        if self.largest_stable is None:
            return f"{known}, which does not bound the rate of {self.optimizer}."
        said = f"{known}. By that, steps overshoot more and more above a rate of {number(self.largest_stable)}"
        return f"{said}; {number(1 / self.curvature)} would go straight to the bottom of the sharpest direction."

    def table(self) -> Table:
        """A rate a row."""
        rows = zip(map(float, self.rates), map(float, self.costs), map(float, self.smoothed), strict=True)
        return Table(("rate", "cost", "smoothed cost"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """The cost over the rate, with the suggestion and the curvature's bound."""
        axes = figure(axes)
        axes.semilogx(self.rates, self.costs, ".", alpha=0.4, label="cost")
        axes.semilogx(self.rates, self.smoothed, label="smoothed")
        for name, rate in (("suggestion", self.suggestion), ("largest stable by curvature", self.largest_stable)):
            if rate is not None:
                axes.axvline(rate, linestyle="--" if name == "suggestion" else ":", color="black", label=name)
        axes.set(title=self.title, xlabel="learning rate", ylabel="cost")
        axes.legend()
        return axes


def find_rate(
    network: Any,
    data: Any,
    *,
    optimizer: Optimizer | type[Optimizer] | None = None,
    batch: int | None = None,
    lowest: float = 1e-5,
    highest: float = 10.0,
    steps: int = 100,
    seed: int = 0,
    cost: AskedCost = None,
    l2: float | None = None,
) -> RateSearch:
    """A learning rate range test: `steps` training steps from the network, each with a higher rate, in a copy of it.

    Rates go from `lowest` to `highest` by equal factors. Each is judged by the mean cost, penalty included, of the next
    mini-batch of `batch` examples (32, or what the run had), in an order drawn from `seed`. The test ends where the
    mean of three steps exceeds four times the lowest such mean, or a cost is no finite number. `optimizer` is one, or
    a class of them (gradient descent, or what the run had); its own rate does not matter. Beside it stands what λ_max
    at the start says: gradient descent is stable below 2/λ_max, and goes straight down the sharpest direction at
    1/λ_max.

    Raises OptionError for an option outside its range; what `subject_of` raises.

    >>> random = np.random.default_rng(0)
    >>> x = random.normal(size=(64, 3))
    >>> from chainrule.nn import Network
    >>> network = Network([3, 1], activation="identity", dtype=np.float64)
    >>> found = find_rate(network, (x, x[:, :1]), batch=16, highest=100.0)
    >>> found.suggestion < found.diverged
    True

    Source: Smith, Cyclical learning rates for training neural networks, 2017.
    """
    subject = subject_of(network, data, cost, l2)
    used = _optimizer(network, optimizer)
    size = _batch(network, batch, subject.count)
    lowest = real_number("lowest", lowest, above=0)
    highest = real_number("highest", highest, above=lowest)
    steps, seed = whole_number("steps", steps, 10), whole_number("seed", seed, 0)
    rates = np.geomspace(lowest, highest, steps)
    costs = _trained(subject, used, size, rates, seed)
    curve = float(sharpest(subject.at_most(1000, seed), seed=seed).values[0])
    stable = stability(used, curve).largest_rate
    return _found(type(used).__name__, size, rates, costs, curve, stable)


def _optimizer(asked: Any, given: Any) -> Optimizer:
    chosen = given if given is not None else chosen_optimizer(asked, None) or SGD
    kind: Any = chosen if isinstance(chosen, type) and issubclass(chosen, Optimizer) else None
    made = chosen if kind is None else kind(rate=1.0)
    if not isinstance(made, Optimizer) or made.rate_at(0) is None:
        raise OptionError(f"optimizer must be one with a rate, not {given!r}.", cure="For example cr.optim.SGD.")
    return made


def _batch(asked: Any, batch: Any, examples: int) -> int:
    usual = (asked.configuration.batch if isinstance(asked, Run) else None) or 32
    return min(usual, examples) if batch is None else whole_number("batch", batch, 1, examples)


def _trained(subject: Subject, optimizer: Optimizer, batch: int, rates: Values, seed: int) -> Values:
    """The cost before the first step, and after each, on the batch that comes next."""
    lowest, factor = float(rates[0]), float(rates[1] / rates[0])
    rising = optimizer.with_rate(lambda step: lowest * factor**step)
    state, examples = (subject.network, rising.start(trainable(subject.network))), (subject.x, subject.labels)
    made = program(training_plan(state, subject.objective, rising, examples, batch))
    leaves = [np.array(leaf, order="C") for leaf in flatten(state)[0]]  # the native loop overwrites them
    rows = _batches(subject.count, batch, len(rates) + 1, seed)
    numbers = number_rows(rising, range(len(rows)), penalty=subject.objective.penalty, count=batch)
    return run(made, leaves, subject.examples.tables, rows, numbers)[0].astype(np.float64)


def _batches(examples: int, batch: int, count: int, seed: int) -> Values:
    """So many batches, epoch after epoch, none across the end of an epoch."""
    random, whole = np.random.default_rng(seed), examples // batch
    epochs = [random.permutation(examples)[: whole * batch].reshape(whole, batch) for _ in range(-(-count // whole))]
    return np.concatenate(epochs)[:count].astype(ROW)


# judging


def _found(name: str, batch: int, rates: Values, costs: Values, curve: float, stable: float | None) -> RateSearch:
    end = _explodes(costs)
    before, after = float(costs[0]), costs[1 : end + 1]
    width = max(1.0, _SMOOTHING * len(rates))
    smooth = _smoothing(len(after), width) @ after
    steepest = _steepest(after, smooth, width)
    return RateSearch(
        optimizer=name,
        batch=batch,
        rates=rates[: len(after)],
        costs=after,
        smoothed=smooth,
        start=before,
        steepest=None if steepest is None else float(rates[steepest]),
        diverged=float(rates[end]) if end < len(rates) else None,
        curvature=curve,
        largest_stable=stable,
    )


def _explodes(costs: Values) -> int:
    """The number of the step after which the cost is too high; the number of steps if there is none."""
    lowest = costs[0]
    for step in range(len(costs) - 1):
        recent = costs[max(0, step + 2 - _RECENT) : step + 2].mean()
        if not recent <= _DIVERGED * lowest:
            return step
        lowest = min(lowest, recent)
    return len(costs) - 1


def _smoothing(count: int, width: float) -> Values:
    """The matrix of a running mean with the weights of a normal distribution, so many steps wide, both ways alike."""
    steps = np.arange(count)
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / width) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _steepest(costs: Values, smooth: Values, width: float) -> int | None:
    """Where the smoothed cost falls most steeply on its way to its lowest, if that is clearly below its start."""
    if len(costs) < 2:
        return None
    error = float(np.std(costs - smooth) * np.sqrt((_smoothing(len(costs), width) ** 2).sum(axis=1)).max())
    lowest = int(np.argmin(smooth))
    if lowest == 0 or smooth[0] - smooth[lowest] <= _CLEARLY * error:
        return None
    return int(np.argmin(np.diff(smooth[: lowest + 1])))
