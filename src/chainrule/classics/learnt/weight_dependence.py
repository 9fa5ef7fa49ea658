"""The weights that the error of a network hangs on: what their removal does, predicted by derivatives and measured.

By derivatives of the network as it is, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.descent import error
from chainrule.display import Page, Picture, Table, number
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.wording import beyond_rounding, counted
from chainrule.nn.connected import Connected
from chainrule.transform import compile, grad, jvp, vmap
from chainrule.tree import ravel

__all__ = ["WeightChange", "WeightDependence", "WeightWeighed", "weight_dependence"]

Values = np.ndarray[Any, Any]
_WEIGHED = 200  # weights that are removed, the largest, at most
_LISTED = 8  # of them, those that matter most
_FRACTIONS = (-1.0, -0.5, -0.1, -0.01, 0.01, 0.1)  # of the weight, by which it is changed


@dataclass(frozen=True)
class WeightWeighed:
    """A weight or bias in a line: `rate` = ∂E/∂w, `curvature` = ∂²E/∂w², and ΔE if it is removed, that is set to 0.

    ΔE is predicted to first and second order, −w ∂E/∂w + ½ w² ∂²E/∂w², and measured.
    """

    place: str
    value: float
    rate: float
    curvature: float
    first_order: float
    second_order: float
    removed: float


@dataclass(frozen=True)
class WeightChange:
    """What a change of a weight does to E: predicted to first and second order, and measured; the patterns right."""

    change: float
    first_order: float
    second_order: float
    measured: float
    right: int


@dataclass(frozen=True, eq=False, repr=False)
class WeightDependence(Insight):
    """The weights whose removal raises the error most, and what changes of the first of them would do.

    E is the error that was learnt, ½ Σ_x Σⱼ (yⱼ − dⱼ)²; of more than 200 weights the 200 largest are tried.
    """

    error: float
    patterns: int
    tried: int
    weights: tuple[WeightWeighed, ...]
    changes: tuple[WeightChange, ...]

    @property
    def title(self) -> str:
        """What it is."""
        return "The weights that the error depends on most"

    def sentences(self) -> list[str]:
        """The first, what its derivatives predict, and how far that holds."""
        first, gone = self.weights[0], self.changes[0]
        small = next(c for c in self.changes if abs(c.change) == min(abs(other.change) for other in self.changes))
        return [
            f"Without {first.place} = {number(first.value)} the error would be {number(self.error + gone.measured)} in "
            f"place of {number(self.error)}, and {gone.right} of {counted(self.patterns, 'pattern')} right.",
            f"Changing it by {number(small.change)} is predicted to change E by {number(small.first_order)} by ∂E/∂w, "
            f"by {number(small.second_order)} with ∂²E/∂w² as well; measured: {number(small.measured)}. Removing it is "
            f"predicted, so, to change E by {number(gone.first_order)} and {number(gone.second_order)}; measured: "
            f"{number(gone.measured)}.",
        ]

    def table(self) -> Table:
        """A weight a row, the one that matters most first."""
        columns = ("weight", "value", "∂E/∂w", "∂²E/∂w²", "ΔE removed, first order", "second order", "measured")
        return Table(columns, tuple(tuple(vars(weight).values()) for weight in self.weights))

    def changed(self) -> Table:
        """What changes of the first would do."""
        columns = (
            f"change of {self.weights[0].place}",
            "ΔE, first order",
            "second order",
            "measured",
            "patterns right",
        )
        return Table(columns, tuple(tuple(vars(change).values()) for change in self.changes))

    def page(self) -> Page:
        """What is shown of it: also what changes of the first would do."""
        return Page(self.title, (*self.sentences(), self.shown(), self.changed(), Picture(self.plot)))

    def plot(self, axes: Any = None) -> Any:
        """ΔE if each is removed: measured."""
        axes = figure(axes)
        axes.barh([w.place for w in self.weights][::-1], [w.removed for w in self.weights][::-1])
        axes.set(title=self.title, xlabel="ΔE if it is removed")
        return axes


def weight_dependence(problem: Problem, network: Connected) -> WeightDependence:
    """The weights that the error of a network on a problem depends on most."""
    asked, names = _Error(problem, network), _parameter_names(network)
    tried = np.argsort(-np.abs(asked.whole))[:_WEIGHED].tolist()
    removed = {k: asked.changed(k, -asked.whole[k])[0] for k in tried}
    chosen = sorted(removed, key=lambda k: -removed[k])[:_LISTED]
    rates, curvatures = asked.derivatives(chosen)
    weighed = tuple(
        WeightWeighed(names[k], value, rate, curvature, *_predicted(rate, curvature, -value), removed[k])
        for k, value, rate, curvature in zip(chosen, asked.whole[chosen].tolist(), rates, curvatures, strict=True)
    )
    first = weighed[0]
    changes = tuple(
        WeightChange(change, *_predicted(first.rate, first.curvature, change), *asked.changed(chosen[0], change))
        for change in (fraction * first.value for fraction in _FRACTIONS)
    )
    return WeightDependence(asked.now, problem.patterns, len(tried), weighed, changes)


class _Error:
    """The error of a network on a problem, as a function of all parameters side by side, in float64."""

    def __init__(self, problem: Problem, network: Connected) -> None:
        self.problem = problem
        numbers, self.made = ravel(network.astype(np.float64))
        self.whole = np.asarray(numbers)
        self.look = compile(self.error_and_right)
        self.now = float(self.error(self.whole))

    def error(self, parameters: Any) -> Any:
        return self.error_and_right(parameters)[0]

    def error_and_right(self, parameters: Any) -> Any:
        problem = self.problem
        outputs = self.made(parameters)(problem.x.astype(np.float64))
        right = cnp.sum(cnp.all((outputs > 0.5) == (problem.y > 0.5), axis=1))
        return error(problem.settings, outputs, problem.targets.astype(np.float64)), right

    def changed(self, index: int, change: float) -> tuple[float, int]:
        """ΔE when a parameter changes, measured, and the patterns right then."""
        found, right = self.look(_moved(self.whole, index, change))
        return beyond_rounding(float(found) - self.now, self.now), int(right)

    def derivatives(self, indices: list[int]) -> tuple[list[float], list[float]]:
        """∂E/∂w and ∂²E/∂w² of some of the parameters."""
        directions, slope = np.eye(len(self.whole))[indices], grad(self.error)
        along = compile(vmap(lambda direction: jvp(slope, (self.whole,), (direction,))[1]))
        curvatures = np.sum(np.asarray(along(directions)) * directions, axis=1)
        return np.asarray(slope(self.whole))[indices].tolist(), curvatures.tolist()


def _predicted(rate: float, curvature: float, change: float) -> tuple[float, float]:
    """ΔE to first and to second order."""
    first = rate * change
    return first, first + curvature * change**2 / 2


def _moved(whole: Values, index: int, change: float) -> Values:
    found = whole.copy()
    found[index] += change
    return found


def _parameter_names(network: Connected) -> list[str]:
    """The name of each parameter, in the order in which `ravel` has them."""
    biases = {f"bias {name}": b for name, b in network.biases.items()}
    arrays = (network.weights | biases).items()
    return [f"{name}{list(index)}" for name, array in arrays for index in np.ndindex(np.shape(array))]
