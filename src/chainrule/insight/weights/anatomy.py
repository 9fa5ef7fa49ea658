"""What ∂C/∂w is made of: input × error on every example, and the examples that pull it up and down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Table, number
from chainrule.insight.backpropagated import Backpropagated
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.wording import counted, derivative, percent, source_name

__all__ = ["Anatomy", "Pull", "anatomy_of"]

Values = np.ndarray[Any, Any]
_STRONGEST = 3  # examples each way
_LOST = 1e-4  # of the noise: what a hundred million examples would show


@dataclass(frozen=True)
class Pull:
    """What one example adds: `product = source · error = a_k δ_j = ∂C_x/∂w`; `row` is where it stands in the data."""

    row: int
    label: str
    answer: str | None
    source: float | None
    error: float | None
    product: float


@dataclass(frozen=True, eq=False, repr=False)
class Anatomy(Insight):
    """`∂C/∂w_jk = mean over x of a_k(x)·δ_j(x)`, taken apart; without penalty; exact on the examples.

    `products` holds a_k δ_j of each example, `mean` and `spread` (standard deviation, n − 1) are theirs, `error` the
    standard error of the mean. `raised` is the share of examples whose cost falls when the weight is raised (products
    below 0), `lowered` of those that want it lowered. All in cost per unit of weight.
    """

    weight: Coordinate
    source: str | None
    products: Values
    mean: float
    spread: float
    error: float
    raised: float
    lowered: float
    strongest_up: tuple[Pull, ...]
    strongest_down: tuple[Pull, ...]

    @property
    def signal_to_noise(self) -> float | None:
        """|mean| / spread of one example's derivative; None if they do not differ, or are no finite numbers."""
        return abs(self.mean) / self.spread if 0 < self.spread < np.inf else None

    @property
    def agreement(self) -> float | None:
        """Of the examples that pull at all, the share that pulls the way that most do; None if none does."""
        pulling = self.raised + self.lowered
        return max(self.raised, self.lowered) / pulling if pulling else None

    @property
    def title(self) -> str:
        """What it is."""
        return f"What {derivative(self.weight)} at {self.weight} is made of"

    def sentences(self) -> list[str]:
        """The formula, the spread, who wants what."""
        mean = f"{number(self.mean)} ± {number(self.error)} (standard error)"
        return [f"It is the mean over the examples of {self._formula()}: {mean}.", *self._noise(), self._wishes()]

    def _formula(self) -> str:
        if self.source is None:
            return f"{derivative(self.weight)} of each, as its layer has no weight of its own for each unit and input"
        error = f"the error δ of neuron {self.weight.index[0]}"
        return f"{self.source} × {error} (BP4)" if self.weight.kind == "w" else f"{error} (BP3)"

    def _noise(self) -> list[str]:
        ratio = self.signal_to_noise
        if not ratio:
            return []
        said = f"From example to example it varies by {number(self.spread)} (standard deviation): the mean is "
        needed = "its sign is lost in it"
        if ratio > _LOST:
            needed = f"its sign shows once about {counted(int(np.ceil(1 / ratio**2)), 'example')} are averaged"
        return [f"{said}{number(ratio)} of that, so {needed}."]

    def _wishes(self) -> str:
        if not self.raised + self.lowered:
            return "No example pulls at it: the input or the error is 0 on every one."
        rest = 1 - self.raised - self.lowered
        said = (
            f"{percent(self.raised)} of the examples would cost less if it were raised, {percent(self.lowered)} if it "
        )
        return f"{said}were lowered; {percent(rest)} do not depend on it." if rest > 1e-9 else f"{said}were lowered."

    def table(self) -> Table:
        """The examples that pull hardest, those that want it lowered first."""
        pulls = [("lower", p) for p in self.strongest_up] + [("raise", p) for p in self.strongest_down]
        rows = [(wish, p.row, p.label, p.answer, p.source, p.error, p.product) for wish, p in pulls]
        return Table(("wants to", "example", "label", "answer", "a_k", "δ_j", "a_k · δ_j"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """How the examples' derivatives are spread, and their mean."""
        axes = figure(axes)
        axes.hist(self.products, bins=50, log=True)
        axes.axvline(self.mean, color="black", label=f"mean {number(self.mean)}")
        axes.set(xlabel=f"{derivative(self.weight)} of one example", ylabel="examples", title=str(self.weight))
        axes.legend()
        return axes


def anatomy_of(passed: Backpropagated, weight: Coordinate) -> Anatomy:
    """What the derivative with respect to a weight is made of on these examples."""
    products, (sources, errors) = passed.slopes(weight), (passed.source(weight), passed.error(weight))
    count = len(products)
    spread = float(products.std(ddof=1)) if count > 1 else 0.0
    order, home = np.argsort(products, kind="stable"), passed.dense_home(weight)

    def pulls(chosen: Values) -> tuple[Pull, ...]:
        return tuple(_pull(passed, int(n), sources, errors, products) for n in chosen[:_STRONGEST] if products[n])

    return Anatomy(
        weight=weight,
        source=None if home is None else source_name(weight, home, passed.origin(home), passed.names),
        products=products,
        mean=float(products.mean()),
        spread=spread,
        error=spread / count**0.5,
        raised=float(np.mean(products < 0)),
        lowered=float(np.mean(products > 0)),
        strongest_up=pulls(order[::-1][: np.count_nonzero(products > 0)]),
        strongest_down=pulls(order[: np.count_nonzero(products < 0)]),
    )


def _pull(
    passed: Backpropagated, example: int, sources: Values | None, errors: Values | None, products: Values
) -> Pull:
    subject = passed.subject
    source, error = (None if part is None else float(part[example]) for part in (sources, errors))
    answer = subject.named(int(passed.answers[example])) if subject.has_classes else None
    return Pull(subject.row(example), passed.label(example), answer, source, error, float(products[example]))
