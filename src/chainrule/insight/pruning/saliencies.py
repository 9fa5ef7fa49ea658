"""Saliency: what each weight matters to the cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import whole_number
from chainrule.display import Table, number
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.evaluation import judged
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.parameter_vector import coordinate_at, is_weight, shaped
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.pruning.removal import Options, Removal, removal
from chainrule.insight.second_order.matrices import KINDS
from chainrule.insight.wording import beyond_rounding
from chainrule.nn.parameters import WEIGHT, Parameters

__all__ = ["Saliency", "ScoredWeight", "saliency"]

Values = np.ndarray[Any, Any]

_MEANINGS = {
    "magnitude": "the size |w| of a weight, which says nothing about the cost",
    "taylor": "|w ∂C/∂w|, how much the cost changes to first order when the weight is set to 0",
    "optimal_brain_damage": "½ w² ∂²C/∂w², how much the cost changes to second order when the weight is set to 0 "
    "and the slope ∂C/∂w is taken to be 0, as it is when learning has come to its end",
    "optimal_brain_surgeon": "w² / (2 [H⁻¹]), how much the cost rises to second order when the weight is set to 0 and "
    "all the others are changed to make up for it as well as they can (the slopes ∂C/∂w are taken to be 0)",
}
_EACH = "the mean over examples of |w ∂C_x/∂w|, how much the cost of one example changes to first order, up or down"


@dataclass(frozen=True)
class ScoredWeight:
    """A weight, its saliency, and the change of the mean cost when it is set to 0: predicted, and measured."""

    name: str
    weight: float
    score: float
    predicted: float | None
    measured: float


@dataclass(frozen=True, eq=False, repr=False)
class Saliency(Insight):
    """The saliency of every weight: `scores` has an array for each array of weights, at `paths`; biases have none.

    `highest` and `lowest` are the weights at both ends, each with the check of its prediction.
    """

    method: str
    meaning: str
    scores: tuple[Values, ...]
    paths: tuple[str, ...]
    highest: tuple[ScoredWeight, ...]
    lowest: tuple[ScoredWeight, ...]

    @property
    def title(self) -> str:
        """What it is."""
        return f"Saliency of the weights: {self.method.replace('_', ' ')}"

    @property
    def concentration(self) -> float:
        """The fraction of the weights, the most important ones, that hold half of the sum of all |saliencies|."""
        sizes = np.sort(np.abs(np.concatenate([s.ravel() for s in self.scores])))[::-1]
        return float((np.searchsorted(np.cumsum(sizes), sizes.sum() / 2) + 1) / sizes.size)

    def score(self, weight: Coordinate) -> float:
        """The saliency of a weight."""
        return float(self.scores[self.paths.index(weight.path)][weight.index])

    def sentences(self) -> Sequence[str]:
        """What is measured, the weights at both ends, and how the saliencies are spread."""
        if not any(np.any(scores) for scores in self.scores):
            return [
                f"The saliency is {self.meaning}.",
                "It is 0 for every weight: none is more important than another.",
            ]
        return [
            f"The saliency is {self.meaning}.",
            _told("The most important weight", self.highest[0]),
            _told("The least important weight", self.lowest[0]),
            f"Half of the sum of all saliencies lies in {self.concentration:.2%} of the weights.",
        ]

    def table(self) -> Table:
        """The weights at both ends, the most important first."""
        rows = [(s.name, s.weight, s.score, s.predicted, s.measured) for s in (*self.highest, *self.lowest[::-1])]
        return Table(("weight", "value", "saliency", "ΔC predicted", "ΔC measured"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """How the saliencies of each array are distributed, from the least to the most important weight."""
        axes = figure(axes)
        for path, scores in zip(self.paths, self.scores, strict=True):
            axes.plot(np.linspace(0, 1, scores.size), np.sort(np.abs(scores).ravel()), label=path)
        axes.set(xlabel="fraction of the array's weights", ylabel="saliency", yscale="log", title=self.title)
        axes.legend()
        return axes


def saliency(
    network_or_run: Any,
    data: Any,
    *,
    method: str = "magnitude",
    curvature: str | None = None,
    damping: float = 0.01,
    each: bool = False,
    top: int = 5,
    cost: AskedCost = None,
) -> Saliency:
    """How much each weight matters to the cost, the mean over the examples without penalty.

    - "magnitude": |w|.
    - "taylor": |w ∂C/∂w|; with `each` the mean over examples of |w ∂C_x/∂w|, which does not cancel.
    - "optimal_brain_damage": ½ h w² with h the diagonal of the `curvature`, "hessian" or "gauss_newton"; both are
      exact. Unless told, of the Hessian up to 1,000 parameters, else of the Gauss-Newton matrix.
    - "optimal_brain_surgeon": w²/(2 [H⁻¹]_ii), where the other parameters change by −w/[H⁻¹]_ii H⁻¹e_i; of the
      Gauss-Newton matrix unless told, with `damping` times the mean of its diagonal added to the diagonal; up to
      3,000 parameters.

    The unit is that of the cost, but for "magnitude". The change of the cost is measured in float64 for the `top`
    weights at both ends.

    Raises OptionError for an unknown method or a network that is too large for it, DataError for data that do not fit.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[2.0, -1.0]], [0.0])], "identity")
    >>> found = saliency(network, (np.eye(2), [[2.0], [-1.0]]), method="optimal_brain_damage", top=1)
    >>> found.scores[0]
    array([[1.  , 0.25]])
    >>> found.highest[0].measured
    1.0

    Sources: Mozer & Smolensky, Skeletonization, 1989; LeCun, Denker & Solla, Optimal brain damage, 1990;
    Hassibi & Stork, Second order derivatives for network pruning, 1993; Molchanov et al., Importance estimation for
    neural network pruning, 2019.
    """
    top = whole_number("top", top, 1)
    options = Options(method, curvature, damping, each)
    subject = subject_of(network_or_run, data, cost)
    theory = removal(subject, options, np.ones(subject.parameters.count, bool))
    weights = np.flatnonzero(is_weight(subject.network))
    order = weights[np.argsort(theory.scores[weights], kind="stable")]
    scores = shaped(subject.network, theory.scores)
    before = judged(subject.network, subject).cost
    ends = (order[::-1][:top], order[:top])
    highest, lowest = ([_checked(subject, theory, before, position) for position in part] for part in ends)
    found = Parameters.of(scores)
    arrays, paths = tuple(map(np.array, found.weights)), tuple(found.paths[n] for n in found.numbers(WEIGHT))
    return Saliency(method, _meaning(subject, options), arrays, paths, tuple(highest), tuple(lowest))


def _meaning(subject: Subject, options: Options) -> str:
    if not options.method.startswith("optimal"):
        return _EACH if options.each and options.method == "taylor" else _MEANINGS[options.method]
    source = f"; the second derivatives are those of {KINDS[options.kind(subject.parameters.count)]}"
    damped = f", with {options.damping:g} of the mean of its diagonal added to the diagonal"
    return _MEANINGS[options.method] + source + (damped if options.method == "optimal_brain_surgeon" else "")


def _checked(subject: Subject, theory: Removal, before: float, position: int) -> ScoredWeight:
    chosen = np.array([position])
    without = shaped(subject.network, theory.values + theory.change(chosen))
    measured = beyond_rounding(judged(without, subject).cost - before, before)
    name, weight = str(coordinate_at(subject.network, position)), float(theory.values[position])
    return ScoredWeight(name, weight, float(theory.scores[position]), theory.predicted(chosen), measured)


def _told(who: str, scored: ScoredWeight) -> str:
    begun = f"{who} is {scored.name} = {number(scored.weight)}: setting it to 0"
    if scored.predicted is None:
        return f"{begun} changes the cost by {number(scored.measured)} (measured)."
    return (
        f"{begun} is predicted to change the cost by {number(scored.predicted)}; measured: {number(scored.measured)}."
    )
