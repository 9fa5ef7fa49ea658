"""Costs that are plain functions: normalised twice, added up instead of averaged, differentiated wrongly by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.experiments import outcome_of
from chainrule.insight.findings.finding import Measure, Outcome, Pathology, Sign
from chainrule.trace.tree import flatten, paths, tree_map, unflatten
from chainrule.transform import value_and_grad

__all__ = ["PATHOLOGIES", "FunctionCase"]

Values = np.ndarray[Any, Any]
_SCALE = 1e4  # of the parameters, at which a softmax is 0 or 1
_WRONG, _DOUBTFUL = 1e-2, 1e-4  # relative errors of a derivative


@dataclass(frozen=True, eq=False)
class FunctionCase:
    """A cost C(parameters, x, y), and what it is computed from if `outputs` is known; everything in float64."""

    cost: Callable[[Any, Any, Any], Any]
    parameters: Any
    x: Values
    y: Values
    outputs: Callable[[Any, Any], Any] | None = None
    seed: int = 0

    @property
    def has(self) -> frozenset[str]:
        """What the rows may need."""
        return frozenset({"network"} | ({"numbers"} if self.finite else set()))

    def at(self, parameters: Any, rows: Any = slice(None)) -> float:
        """The cost of some of the examples."""
        return float(np.asarray(_value(self.cost(parameters, self.x[rows], self.y[rows]))))

    def slope(self, rows: Any = slice(None)) -> tuple[float, list[Values]]:
        """The cost of some of the examples, and ∂C/∂w of each array of parameters."""
        value, gradient = value_and_grad(self.cost)(self.parameters, self.x[rows], self.y[rows])
        return float(np.asarray(value)), [np.asarray(leaf) for leaf in flatten(gradient)[0]]

    @cached_property
    def whole(self) -> tuple[float, list[Values]]:
        """Of all examples."""
        return self.slope()

    @property
    def finite(self) -> bool:
        """Whether the cost and its derivatives are finite numbers."""
        value, gradient = self.whole
        return bool(np.isfinite(value)) and all(np.isfinite(leaf).all() for leaf in gradient)

    @property
    def length(self) -> float:
        """‖∂C/∂w‖."""
        return float(np.sqrt(sum((leaf**2).sum() for leaf in self.whole[1])))

    def moved(self, directions: list[Values], step: float) -> Any:
        """The parameters, a step further."""
        leaves, structure = flatten(self.parameters)
        return unflatten(structure, [leaf + step * d for leaf, d in zip(leaves, directions, strict=True)])

    @cached_property
    def each(self) -> Values:
        """The cost of each of some examples by itself."""
        return np.array([self.at(self.parameters, slice(n, n + 1)) for n in range(min(len(self.x), 50))])

    @cached_property
    def made(self) -> Values | None:
        """The outputs, of shape (examples, K)."""
        return None if self.outputs is None else np.asarray(_value(self.outputs(self.parameters, self.x)))


def _value(found: Any) -> Any:
    return getattr(found, "value", found)


def _softmax_twice(case: FunctionCase) -> Sign | None:
    if case.made is None:
        return _bounded(case)
    outputs = case.made
    if outputs.ndim != 2 or outputs.shape[1] < 2 or not np.isfinite(outputs).all():
        return None
    simplex = float(np.abs(outputs.sum(axis=1) - 1).max())
    again = float(_cross_entropy(outputs, case.y).mean())
    if simplex > 1e-3 or outputs.min() < 0 or abs(again - case.whole[0]) > 1e-3 * max(abs(again), 1e-9):
        return None
    classes = outputs.shape[1]
    evidence = (
        Measure("largest |Σ outputs − 1|, which is 0 after a softmax", simplex),
        Measure("cost", case.whole[0]),
        Measure("softmax cross-entropy of these outputs", again),
        Measure(f"lowest cost that {classes} such outputs can have, ln(1 + (K−1)/e)", _floor(classes)),
    )
    return Sign("alarm", 0.98, evidence)


def _cross_entropy(outputs: Values, y: Values) -> Values:
    targets = np.eye(outputs.shape[1])[y] if y.ndim == 1 else y
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - (targets * shifted).sum(axis=1))


def _floor(classes: int) -> float:
    return float(np.log(1 + (classes - 1) / np.e))


def _ends(case: FunctionCase) -> tuple[int, Values] | None:
    """The number of classes and the costs of single examples at huge parameters, if they are those of two softmaxes."""
    classes = int(case.y.max()) + 1 if case.y.ndim == 1 and case.y.dtype.kind in "iu" else case.y.shape[-1]
    if classes < 2:
        return None
    huge = tree_map(lambda leaf: _SCALE * leaf, case.parameters)
    costs = np.array([case.at(huge, slice(n, n + 1)) for n in range(min(len(case.x), 20))])
    low, high = _floor(classes), float(np.log(np.e + classes - 1))
    near = np.minimum(np.abs(costs - low), np.abs(costs - high)) < 0.01
    return (classes, costs) if np.isfinite(costs).all() and near.mean() > 0.8 else None


def _bounded(case: FunctionCase) -> Sign | None:
    ends = _ends(case)
    if ends is None:
        return None
    classes, costs = ends
    evidence = (
        Measure("lowest cost of an example when all parameters are 10,000 times as large", float(costs.min())),
        Measure("floor of the cost of softmax after softmax, ln(1 + (K−1)/e)", _floor(classes)),
    )
    return Sign("alarm", 0.9, evidence)


def _confirm_twice(case: FunctionCase, sign: Sign) -> Outcome:
    ends = _ends(case)
    if ends is None:
        return outcome_of(False, "with parameters 10,000 times as large the cost leaves the bounds of two softmaxes.")
    said = f"even with parameters 10,000 times as large no example costs less than {number(float(ends[1].min()))}"
    return outcome_of(True, f"{said}; the floor is {number(_floor(ends[0]))}.")


def _summed(case: FunctionCase) -> Sign | None:
    ratio = _doubling(case)
    if ratio < 1.5 or case.length == 0:
        return None
    evidence = (
        Measure("‖∂C/∂w‖ of all examples twice over, divided by that of all once (a mean: 1, a sum: 2)", ratio),
        Measure("examples", len(case.x)),
    )
    return Sign("warning", 0.98, evidence)


def _doubling(case: FunctionCase) -> float:
    twice = np.concatenate([np.arange(len(case.x))] * 2)
    length = float(np.sqrt(sum((leaf**2).sum() for leaf in case.slope(twice)[1])))
    return length / case.length if case.length else 1.0


def _confirm_summed(case: FunctionCase, sign: Sign) -> Outcome:
    half = case.at(case.parameters, slice(0, len(case.x) // 2))
    rest = case.at(case.parameters, slice(len(case.x) // 2, None))
    said = f"the costs of the two halves are {number(half)} and {number(rest)}, of all {number(case.whole[0])}"
    return outcome_of(abs(half + rest - case.whole[0]) < 0.25 * abs(case.whole[0]), f"{said}: halves add up in a sum.")


def _wrong_rule(case: FunctionCase) -> Sign | None:
    worst, slope, difference = _worst_direction(case)
    if worst < _DOUBTFUL:
        return None
    evidence = (
        Measure("relative error of the derivative", worst),
        Measure("slope along a random direction by ∂C/∂w", slope),
        Measure("the same by central differences, float64", difference),
    )
    wrong = worst > _WRONG
    return Sign("alarm" if wrong else "warning", 0.95 if wrong else 0.6, evidence)


def _worst_direction(case: FunctionCase) -> tuple[float, float, float]:
    """The largest relative error, of all parameters together and of each array, with both slopes.

    At a kink a difference is not the slope: the steps are small and the better of two counts.
    """
    random = np.random.default_rng(case.seed)
    gradient = case.whole[1]
    found = []
    for chosen in [None, *range(len(gradient))]:
        directions = [
            np.asarray(random.standard_normal(g.shape) * (chosen in (None, n))) for n, g in enumerate(gradient)
        ]
        found.append(_error_along(case, directions))
    return max(found)


def _error_along(case: FunctionCase, directions: list[Values]) -> tuple[float, float, float]:
    slope = float(sum((g * d).sum() for g, d in zip(case.whole[1], directions, strict=True)))
    length = float(np.sqrt(sum((d**2).sum() for d in directions)))
    best = (np.inf, slope, slope)
    for step in (1e-5, 1e-6):
        ends = [case.at(case.moved(directions, sign * step / max(length, 1))) for sign in (1, -1)]
        difference = (ends[0] - ends[1]) * max(length, 1) / (2 * step)
        rounding = 1e-15 * max(abs(ends[0]), 1) * max(length, 1) / step
        scale = max(abs(slope), abs(difference), 1e-8 * max(abs(case.whole[0]), 1))
        best = min(best, (max(abs(slope - difference) - rounding, 0) / scale, slope, difference))
    return best


def _confirm_rule(case: FunctionCase, sign: Sign) -> Outcome:
    from chainrule.errors import GradientMismatch
    from chainrule.testing.gradients import check_gradient

    try:
        check_gradient(case.cost, case.parameters, case.x, case.y, argnums=0, order=1, modes=("reverse",))
    except GradientMismatch as problem:
        return outcome_of(True, f"chainrule.testing.check_gradient says: {problem.what}")
    return outcome_of(False, "chainrule.testing.check_gradient finds nothing wrong at this point.")


def _disconnected(case: FunctionCase) -> Sign | None:
    still = [not leaf.any() for leaf in case.whole[1]]
    if not any(still):
        return None
    names = paths(flatten(case.parameters)[1])
    where = ", ".join(str(names[n]) for n in np.flatnonzero(still)[:3])
    evidence = (
        Measure("arrays of parameters whose ∂C/∂w is exactly 0", sum(still), f"of {len(still)}"),
        Measure("‖∂C/∂w‖ of the others", case.length),
    )
    return Sign("alarm", 0.9, evidence, f": {where or 'all'}")


def _confirm_disconnected(case: FunctionCase, sign: Sign) -> Outcome:
    still = [not leaf.any() for leaf in case.whole[1]]
    random = np.random.default_rng(case.seed)
    directions = [np.asarray(random.standard_normal(g.shape) * s) for g, s in zip(case.whole[1], still, strict=True)]
    change = case.at(case.moved(directions, 0.1)) - case.whole[0]
    verdict = "the cost depends on them: a gradient is stopped" if change else "nothing depends on them"
    return outcome_of(True, f"moving them at random changes the cost by {number(change)}: {verdict}.")


def _not_finite(case: FunctionCase) -> Sign | None:
    if case.finite:
        return None
    value, gradient = case.whole
    broken = [n for n, leaf in enumerate(gradient) if not np.isfinite(leaf).all()]
    bad = np.flatnonzero(~np.isfinite(case.each))
    evidence = [Measure("cost", value), Measure("arrays of parameters with such derivatives", len(broken))]
    where = f": the cost of example {bad[0]}" if len(bad) else ": ∂C/∂w" if np.isfinite(value) else ""
    return Sign("alarm", 0.99, tuple(evidence), where)


def _confirm_not_finite(case: FunctionCase, sign: Sign) -> Outcome:
    broken = int((~np.isfinite(case.each)).sum())
    return outcome_of(True, f"of {len(case.each)} examples looked at, {broken} have a cost that is not finite.")


PATHOLOGIES = (
    Pathology(
        "softmax_twice",
        "Softmax is applied twice",
        "The cost applies a softmax to outputs that are one already. These lie between 0 and 1, so that the second "
        "softmax cannot be sure: the cost has a floor, and δ stays far from 0 on right answers.",
        "Give the cost the weighted inputs z of the last layer, not their softmax.",
        "Make the parameters 10,000 times as large: the cost of no example falls below the floor.",
        _softmax_twice,
        _confirm_twice,
        explains=frozenset({"wrong_initial_cost"}),
    ),
    Pathology(
        "sum_instead_of_mean",
        "The cost is a sum over the examples, not a mean",
        "The derivative of a sum grows with the number of examples: the rate that suits one batch size is too high for "
        "a larger one, and a last, shorter batch makes a shorter step.",
        "Use the mean over the examples, and a rate that is as many times as large.",
        "Compute the cost of two halves of the examples: they add up if it is a sum.",
        _summed,
        _confirm_summed,
    ),
    Pathology(
        "wrong_derivative",
        "A derivative is not the slope of the cost",
        "∂C/∂w along a direction must be the limit of (C(w + ε) − C(w − ε)) / 2ε. A rule written by hand "
        "(custom_derivative), or a stopped gradient, makes it something else.",
        "Check each custom_derivative by itself with chainrule.testing.check_gradient.",
        "Check the whole gradient with chainrule.testing.check_gradient, which names the element.",
        _wrong_rule,
        _confirm_rule,
        needs=frozenset({"numbers"}),
    ),
    Pathology(
        "frozen_layer",
        "Parameters do not learn",
        "Their ∂C/∂w is exactly 0: nothing reaches them, because a gradient is stopped, the cost does not use them, or "
        "all units after them are dead.",
        "Look for a stop_gradient, units that are off on all examples, or parameters that the cost does not use.",
        "Move them at random, and see whether the cost changes.",
        _disconnected,
        _confirm_disconnected,
        needs=frozenset({"numbers"}),
    ),
    Pathology(
        "not_finite",
        "Numbers are not finite",
        "The cost or a derivative is infinite or nan: a logarithm or root of 0, a division by 0, an exponential too "
        "large. From there on the derivatives say nothing.",
        "Compute log-sum-exp and cross-entropies from z, shifted by its largest; keep roots and logarithms from 0.",
        "Compute the cost example by example, and look at the first that is not finite.",
        _not_finite,
        _confirm_not_finite,
        explains=frozenset({"wrong_derivative", "frozen_layer"}),
    ),
)
