"""Nielsen's toy neuron: with the quadratic cost it learns slowly where it is badly wrong, with cross-entropy fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy

from chainrule import numpy as np
from chainrule.checks import real_number, several, whole_number
from chainrule.classics.demonstrations.base import Demonstration
from chainrule.classics.problems.base import Published, Values, layers
from chainrule.display import Table, number
from chainrule.insight.presentation import Insight, figure
from chainrule.nn.activations import sigmoid
from chainrule.nn.connected import Connected
from chainrule.nn.costs import cost_function
from chainrule.trace.tree import tree_map
from chainrule.transform import compile, grad, scan, vmap

__all__ = ["SlowLearning", "ToyNeuron"]

_COSTS = ("quadratic", "cross_entropy")
_STARTS = ((0.6, 0.9), (2.0, 2.0))
_SHOWN = 50  # epochs from one column of the table to the next


@dataclass(frozen=True, eq=False, repr=False)
class SlowLearning(Insight):
    """The neuron's output, weight and bias before the first epoch and after each, in float64.

    Each has the shape (costs, starts, epochs + 1). `starts` holds w and b of each start.
    """

    rate: float
    costs: tuple[str, ...]
    starts: tuple[tuple[float, float], ...]
    outputs: Values
    weights: Values
    biases: Values

    @property
    def epochs(self) -> int:
        """How many epochs it learnt."""
        return int(self.outputs.shape[-1]) - 1

    @property
    def title(self) -> str:
        """What it is."""
        return "One neuron that must learn to give 0 for 1"

    def halfway(self, cost: int, start: int) -> int | None:
        """The epoch after which the output was below half of what it started from; None if it never was."""
        below = numpy.flatnonzero(self.outputs[cost, start] < self.outputs[cost, start, 0] / 2)
        return int(below[0]) if len(below) else None

    def sentences(self) -> list[str]:
        """What it says."""
        return [self._said(n, m) for n in range(len(self.costs)) for m in range(len(self.starts))] + [
            "With the quadratic cost ∂C/∂w = a σ'(z), which is small where the neuron is saturated; with cross-entropy "
            "∂C/∂w = a, the larger the more it is wrong."
        ]

    def _said(self, cost: int, start: int) -> str:
        (w, b), halfway = self.starts[start], self.halfway(cost, start)
        first, last = self.outputs[cost, start, 0], self.outputs[cost, start, -1]
        half = "it was never halved" if halfway is None else f"halved after {halfway}"
        name = self.costs[cost].replace("_", "-")
        return f"{name}, from w={w}, b={b}: {number(first)} becomes {number(last)} in {self.epochs} epochs, {half}."

    def table(self) -> Table:
        """A cost and a start a row: the output every 50 epochs, and the last w and b."""
        epochs = range(0, self.epochs + 1, _SHOWN)
        rows = [
            (cost, *start, *map(float, self.outputs[n, m, ::_SHOWN]), float(self.weights[n, m, -1]),
             float(self.biases[n, m, -1]))
            for n, cost in enumerate(self.costs)
            for m, start in enumerate(self.starts)
        ]  # fmt: skip
        return Table(("cost", "w at 0", "b at 0", *(f"a at {e}" for e in epochs), "last w", "last b"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """The output over the epochs, for each cost and start."""
        axes = figure(axes)
        for n, cost in enumerate(self.costs):
            for m, (w, b) in enumerate(self.starts):
                style = {"color": f"C{m}", "linestyle": ("-", "--")[n % 2]}
                axes.plot(self.outputs[n, m], label=f"{cost.replace('_', '-')}, w={w}, b={b}", **style)
        axes.set(title=self.title, xlabel="epochs", ylabel="output (0 is wanted)", ylim=(0, 1))
        axes.legend()
        return axes


@final
class ToyNeuron(Demonstration):
    """A single sigmoid neuron that learns by gradient descent to give 0 for the input 1 (Nielsen, chapter 3)."""

    name: ClassVar[str] = "toy-neuron"
    title: ClassVar[str] = "a neuron that learns slowly where it is most wrong"
    description: ClassVar[str] = "One neuron learns to give 0 for 1, from two starts, with two costs."
    source: ClassVar[str] = "Nielsen, Neural Networks and Deep Learning, chapter 3"
    published: ClassVar[tuple[Published, ...]] = (
        Published("output at the start, w=0.6, b=0.9", "0.82", "Nielsen, chapter 3"),
        Published("output at the start, w=b=2", "0.98", "Nielsen, chapter 3"),
        Published("slow learning from w=b=2, quadratic cost", "about 150 epochs", "Nielsen, chapter 3"),
    )

    def result(
        self,
        seed: int = 0,
        *,
        rate: float = 0.15,
        epochs: int = 300,
        costs: Sequence[str] = _COSTS,
        starts: Sequence[tuple[float, float]] = _STARTS,
    ) -> SlowLearning:
        """The neuron from each start with each cost; nothing is drawn, so the seed does not matter.

        >>> found = ToyNeuron().run()
        >>> found.outputs[0, :, 0].round(2), found.halfway(0, 1)
        (array([0.82, 0.98]), 233)
        """
        rate, epochs = real_number("rate", rate, 0), whole_number("epochs", epochs, 1)
        several("costs", costs, "name of a cost", 1)
        several("starts", starts, "pair (w, b)", 1)
        w, b = np.array(starts, numpy.float64).T
        rows = [compile(vmap(lambda w, b, c=cost: _learnt(c, w, b, rate, epochs)))(w, b) for cost in costs]
        outputs, weights, biases = (numpy.stack(parts) for parts in zip(*rows, strict=True))
        pairs = tuple((float(w), float(b)) for w, b in starts)
        return SlowLearning(rate, tuple(costs), pairs, outputs, weights, biases)


def _learnt(cost: str, w: Any, b: Any, rate: float, epochs: int) -> Any:
    """Output, weight and bias before the first epoch and after each."""
    wiring = layers(1, 1)
    start = Connected.from_weights(wiring, {"input->output": w.reshape(1, 1)}, {"output": b.reshape(1)})
    x, y, formula = numpy.ones((1, 1)), numpy.zeros((1, 1)), cost_function(cost, sigmoid)

    def loss(network: Connected) -> Any:
        return np.mean(formula(*network.forward(x)["output"], y))

    def epoch(network: Connected, _: Any) -> Any:
        row = network(x)[0, 0], network.weights["input->output"][0, 0], network.biases["output"][0]
        return tree_map(lambda w, g: w - rate * g, network, grad(loss)(network)), row

    return scan(epoch, start, length=epochs + 1)[1]
