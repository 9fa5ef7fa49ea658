"""The cost: where it starts, what it is made of, and where the network stands on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.experiments import Trial, anew, compared, falls, outcome_of, tried
from chainrule.insight.findings.finding import Measure, Outcome, Pathology, Sign
from chainrule.insight.levels import rms
from chainrule.insight.parameter_vector import is_weight, vector

__all__ = ["PATHOLOGIES"]

Values = np.ndarray[Any, Any]
_UNCURVED = 1e-6  # of the cost: a curvature below it is none
_CURVED_AT = 300  # examples for λ


def _undecided(case: Case) -> float:
    """The cost of outputs that say nothing: z = 0 for classes, the mean for real targets."""
    if "targets" in case.has and not case.asked.cost_is_of_z:
        return case.baseline
    z = np.zeros((1, case.outputs.shape[1]))
    a = np.asarray(case.asked.outline.activation(z))
    return float(np.mean(np.asarray(case.asked.objective.cost(z, a, case.targets))))


def _initial(case: Case) -> Sign | None:
    watched, expected = "flow" in case.has, _undecided(case)
    first = float(case.flow.totals["cost"][0]) if watched else case.passed.cost
    mixed = watched and case.asked.objective.penalty > 0  # the first weights' penalty is in it, and not known apart
    if mixed or expected <= 0 or not np.isfinite(first) or first < 1.2 * expected:
        return None
    ratio = first / expected
    evidence = (
        Measure("cost at the start", first),
        Measure("cost of outputs that say nothing", expected),
        Measure("ratio", ratio),
    )
    return Sign(case.graded("warning" if ratio > 5 else "note"), 0.8 if ratio > 2 else 0.5, evidence)


def _confirm_initial(case: Case, sign: Sign) -> Outcome:
    fresh = case.at_network(anew(case)).passed.cost
    now = sign.evidence[0].value
    said = f"a start with the initialiser that fits costs {number(fresh)}, not {number(now)}"
    return outcome_of(fresh < 0.9 * now, f"{said}.")


def _penalty(case: Case) -> Sign | None:
    held = case.asked.objective.penalty
    if held == 0:
        return None
    weights = is_weight(case.network)
    pull = held * _length(np.asarray(vector(case.network), np.float64)[weights])
    ratio = pull / max(_length(case.passed.gradient_vector[weights]), 1e-300)
    collapsed = rms(case.outputs - case.outputs.mean(axis=0)) < 0.1
    last = rms(case.passed.numbers(case.stages[-1].weights))
    if case.learned > 0.4 or not (ratio > (0.5 if case.run else 1.0) or (collapsed and last < 1e-2)):
        return None
    evidence = (
        Measure("‖gradient of the penalty‖ / ‖gradient of the data‖", ratio),
        Measure("share of the cost of knowing nothing that was learnt away", case.learned),
        Measure("rms weight of the last layer", last),
    )
    return Sign("alarm", 0.9, evidence)


def _length(numbers: Values) -> float:
    return float(np.linalg.norm(numbers))


def _confirm_penalty(case: Case, sign: Sign) -> Outcome:
    start = anew(case)
    ends = [tried(Trial.of(case, network=start, l2=l2))[1] for l2 in (Trial.of(case).l2, 0.0)]
    if None not in ends:
        held, free = (float(end or 0) for end in ends)
        return outcome_of(
            free > held, f"share of right answers {number(held)} with the penalty, {number(free)} without."
        )
    return compared(case, "without the penalty", l2=0.0)


def _plateau(case: Case) -> Sign | None:
    """A small gradient where much of the cost is left; what kind of point it is, the curvature says."""
    if case.learned > 0.4 or not case.baseline > 0:
        return None
    weights = _length(np.asarray(vector(case.network), np.float64))
    reach = float(np.sqrt(case.squared_gradient)) * max(weights, 1.0) / case.passed.cost
    if reach > 0.1:
        return None
    highest, lowest = _curvatures(case)
    kind, certainty = _kind(highest, lowest, case.passed.cost)
    evidence = (
        Measure("‖∂C/∂w‖ · ‖w‖ / C, the relative change of the cost within reach", reach),
        Measure("share of the cost of knowing nothing that was learnt away", case.learned),
        Measure("largest curvature λ_max", highest),
        Measure("smallest curvature λ_min", lowest),
    )
    cures = {
        "saddle": "A small random step along the direction that curves down leaves it: start from larger random "
        "weights, or use momentum or Adam.",
        "flat": "The cost does not feel the weights: look at saturated or dead units, and start again.",
        "minimum": "This is as low as it gets around here: start elsewhere, or give the network more neurons.",
    }
    severity = "note" if kind == "minimum" else "warning"  # what is left may be noise in the data
    return Sign(severity, certainty, evidence, f": a {kind}" + (" region" if kind == "flat" else ""), cures[kind])


def _curvatures(case: Case) -> tuple[float, float]:
    from chainrule.insight.second_order.eigenvalues import lanczos, settled
    from chainrule.insight.second_order.hessian import hessian_product

    product = hessian_product(case.asked.at_most(_CURVED_AT, case.seed))
    size = case.parameters.count
    found = lanczos(product, size, settled(1, True, 0.05), min(25, size), seed=case.seed, dtype=np.float64)
    return float(found.values[0]), float(found.values[-1])


def _kind(highest: float, lowest: float, cost: float) -> tuple[str, float]:
    largest = max(abs(highest), abs(lowest))
    if largest < _UNCURVED * cost:
        return "flat", 0.8
    return ("saddle", 0.8) if lowest < -0.1 * largest else ("minimum", 0.7)


def _confirm_plateau(case: Case, sign: Sign) -> Outcome:
    return falls(case, "from a fresh start", network=anew(case))


PATHOLOGIES = (
    Pathology(
        "wrong_initial_cost",
        "The cost starts far above that of knowing nothing",
        "Outputs that say nothing cost ln K for K classes with softmax, or half the variance of real targets. A first "
        "cost far above it says that the outputs are sure of wrong answers: the first steps go into taking that back.",
        "Start with smaller weights in the last layer (initializer='glorot'), biases of 0, and scaled targets.",
        "Compute the cost of a start with the initialiser that fits.",
        _initial,
        _confirm_initial,
        needs=frozenset({"network", "outputs"}),
    ),
    Pathology(
        "penalty_overwhelms",
        "The penalty outweighs the data",
        "Each step follows ∂C/∂w of the data plus λ/n · w of the penalty. Where the second is the larger from the "
        "start, the weights go to 0 and the outputs to a constant.",
        "Make l2 smaller, ten times at first.",
        "Train the same few steps without the penalty, and compare.",
        _penalty,
        _confirm_penalty,
        needs=frozenset({"network", "outputs"}),
        explains=frozenset({"plateau", "vanishing_gradient", "bad_initialisation", "redundant_units"}),
    ),
    Pathology(
        "plateau",
        "The gradient is nearly 0, though little was learnt",
        "Where ∂C/∂w ≈ 0, the sign of the smallest curvature says what the point is: below 0 it is a saddle, with a "
        "way down; all above 0, a minimum; all about 0, flat ground.",
        "Start from other weights.",
        "Train the same few steps from a fresh start, and compare how far the cost falls.",
        _plateau,
        _confirm_plateau,
    ),
)
