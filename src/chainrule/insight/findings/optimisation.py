"""The steps: too long, too short, too noisy, too costly; and numbers that stop being finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.experiments import Trial, anew, falls, outcome_of, tried
from chainrule.insight.findings.finding import Measure, Outcome, Pathology, Sign
from chainrule.insight.gradients import mean_gradient
from chainrule.learning.optimizers import SGD, Optimizer, schedules

__all__ = ["PATHOLOGIES"]

Values = np.ndarray[Any, Any]
_SMALL, _LARGE = 0.1, 10.0  # of the noise scale, in examples
_CURVED_AT = 300  # examples for λ_max
_PAIRS = 20  # of batches
_ROUNDING = 64  # units in the last place: a smaller change of the cost is not told from rounding


def _too_high(case: Case) -> Sign | None:
    costs, totals = case.costs, case.flow.totals
    seen = _seen(case)
    overshoot = float(np.mean(totals["measured"][seen] > 0)) if seen.any() else 0.0
    broken = not np.isfinite(totals["cost"]).all() or not np.isfinite(costs).all()
    first, last = float(totals["cost"][0]), float(costs[-1])
    rise = last / max(float(np.nanmin(costs)), 1e-300) if np.isfinite(costs).any() else np.inf
    jump, kept = _largest_jump(case), _kept(case)
    overshoots = overshoot > 0.3 or jump > 1 or kept < 0.5
    if not broken and not (overshoots and (last > 0.9 * first or rise > 1.3)):
        return None
    wild = broken or jump > 1 or last > first
    signs = [  # the one that tells most comes first
        (
            overshoot > 0.3,
            Measure("share of the steps that raise the cost of their own batch, where ∂C/∂w says it falls", overshoot),
        ),
        (jump > 1, Measure("largest rise of the cost in a step, over the cost", jump)),
        (kept < 0.5, Measure("measured over predicted change of the cost in a step (1: the slope holds)", kept)),
    ]
    signs.sort(key=lambda sign: not sign[0])
    evidence = (*(sign for _, sign in signs), Measure("cost at the start", first), Measure("cost at the end", last))
    return Sign("alarm" if broken or last > 0.9 * first else case.graded("warning"), 0.9 if wild else 0.7, evidence)


def _seen(case: Case) -> Values:
    """The steps that ∂C/∂w says go downhill, by more than is lost in rounding the cost."""
    totals, rounding = case.flow.totals, _ROUNDING * float(np.finfo(case.parameters.dtype).eps)
    downhill = totals["predicted"] < -rounding * np.abs(totals["cost"])
    found: Values = downhill & np.isfinite(totals["measured"])
    return found


def _kept(case: Case) -> float:
    """How much of the change that ∂C/∂w predicts is measured: the median over the steps that go downhill."""
    totals, seen = case.flow.totals, _seen(case)
    kept = totals["measured"][seen] / totals["predicted"][seen]
    return float(np.median(kept)) if len(kept) else 1.0


def _largest_jump(case: Case) -> float:
    totals, seen = case.flow.totals, _seen(case)
    rises = totals["measured"][seen] / np.maximum(totals["cost"][seen], 1e-300)
    return float(max(rises.max(initial=0.0), 0.0))


def _slower(case: Case, factor: float) -> Optimizer:
    given = case.optimizer
    known = SGD(0.1) if given is None or given.rate_at(0) is None else given

    def rate(step: int) -> float:
        return factor * (known.rate_at(step) or 0.0)

    slower: Optimizer = known.with_rate(rate if schedules(known) else rate(0))
    return slower


def _other_rate(case: Case, factor: float) -> Outcome:
    if case.subject is None:
        return outcome_of(False, "without the examples there is nothing to try it on.")
    start = anew(case)
    first = Trial.of(case, network=start)
    return falls(case, f"with {factor:g} times the rate", first, network=start, optimizer=_slower(case, factor))


def _too_low(case: Case) -> Sign | None:
    totals, ratios = case.flow.totals, case.early("update_ratio")
    still = case.optimizer is not None and case.optimizer.rate_at(0) == 0
    if not (still or (totals["predicted"] < 0).any()) or not np.isfinite(ratios).all() or case.learned > 0.6:
        return None
    straight = _kept(case)
    costs = case.costs
    fallen = float(1 - costs[-1] / costs[0]) if len(costs) > 1 and costs[0] > 0 else 0.0
    largest = float(ratios.max())
    if not (largest < 1e-3 and 0.9 < straight < 1.1 and fallen < 0.2):
        return None
    evidence = [
        Measure("update : weight, of the fastest layer", largest),
        Measure("measured over predicted change of the cost in a step (1: the slope still holds)", straight),
        Measure("share by which the cost fell", fallen),
    ]
    if "network" in case.has and isinstance(case.optimizer, SGD) and not still:
        rate = case.optimizer.rate_at(0) or 0.0
        evidence.append(Measure("rate · λ_max (2 is too high)", rate * _sharpest(case)))
    cure = "The rate is 0, so that no step moves anything: give one above 0." if still else ""
    return Sign("warning", 0.85 if largest < 1e-4 else 0.65, tuple(evidence), cure=cure)


def _sharpest(case: Case) -> float:
    from chainrule.insight.second_order.hessian import sharpest

    found = sharpest(case.asked.at_most(_CURVED_AT, case.seed), tolerance=0.1, most=10, seed=case.seed)
    return float(found.values[0])


def _noise_scale(case: Case) -> float:
    """tr Σ / ‖G‖² where the most of the learning is done, the first half of what was watched."""
    flow = case.flow
    if flow.batch == 1:
        return _noise_now(case) if "network" in case.has else float("nan")
    half = slice(0, max(1, len(flow) // 2))
    signal, noise = (float(np.mean(q[half].sum(axis=1))) for q in (flow.signal, flow.noise))
    return noise / signal if signal > 0 else float("inf")


def _noise_now(case: Case) -> float:
    n = case.asked.count
    if n == 1:
        return float("nan")
    noise = (float(case.example_norms.mean()) - case.squared_gradient) * n / (n - 1)
    signal = case.squared_gradient - noise / n
    return noise / signal if signal > 0 else float("inf")


def _too_noisy(case: Case) -> Sign | None:
    scale, batch = _noise_scale(case), case.flow.batch
    if not scale > batch / _SMALL or _is_whole(case):
        return None
    noisy = case.learned < 0.6 and _restless(case) > 0.3
    severity = "warning" if noisy and scale > 10 * batch / _SMALL else "note"
    evidence = (
        Measure("batch", batch, "examples"),
        Measure("noise scale tr Σ / ‖G‖², where noise and signal are equal", scale, "examples"),
        Measure("spread of the batches' costs over their mean, at the end", _restless(case)),
    )
    return Sign(severity, 0.8 if noisy and severity == "warning" else 0.6 if noisy else 0.4, evidence)


def _is_whole(case: Case) -> bool:
    """Whether each step sees all the training examples, so that there is no larger batch."""
    known = case.run.configuration.training_examples if case.run is not None else None
    return known is not None and case.flow.batch >= known


def _restless(case: Case) -> float:
    costs = case.flow.totals["cost"]
    last = costs[-max(1, len(costs) // 3) :]
    return float(last.std() / max(abs(last.mean()), 1e-300))


def _confirm_noisy(case: Case, sign: Sign) -> Outcome:
    """The mean cosine between the gradients of pairs of batches."""
    random, batch = np.random.default_rng(case.seed), min(case.flow.batch, case.asked.count)
    rows = [random.choice(case.asked.count, batch, replace=False) for _ in range(2 * _PAIRS)]
    asked = case.passed.subject
    slopes = [mean_gradient(asked.taking(r)) for r in rows]
    slopes = [s / max(float(np.linalg.norm(s)), 1e-300) for s in slopes]
    cosine = float(np.mean([one @ two for one, two in zip(slopes[::2], slopes[1::2], strict=True)]))
    said = f"the gradients of {_PAIRS} pairs of batches of {batch} have a mean cosine of {number(cosine)}"
    return outcome_of(cosine < 0.5, f"{said} (1: no noise, 0: noise alone).")


def _too_many(case: Case) -> Sign | None:
    scale, batch = _noise_scale(case), case.flow.batch
    if not (0 <= scale < batch / _LARGE) or batch < 20:
        return None
    evidence = (
        Measure("batch", batch, "examples"),
        Measure("noise scale tr Σ / ‖G‖², where noise and signal are equal", scale, "examples"),
    )
    return Sign("note", 0.8, evidence)


def _confirm_many(case: Case, sign: Sign) -> Outcome:
    start, asked = anew(case), case.asked.at_most(500)
    batch = min(case.batch or case.flow.batch, asked.count)
    less = max(1, batch // 8)
    costs = [tried(Trial.of(case, network=start, batch=b))[0] for b in (batch, less)]
    said = f"as many steps reach {number(costs[0])} with batches of {batch}, {number(costs[1])} with {less}"
    return outcome_of(costs[1] < 1.1 * costs[0], f"{said}, which is an eighth of the work.")


def _not_finite(case: Case) -> Sign | None:
    in_run = _broken_step(case)
    where, evidence = "", []
    if in_run is not None:
        evidence.append(Measure("first watched step whose cost is not finite", in_run))
    if "numbers" in case.has and not case.finite:
        layer, row, what = _first_broken(case)
        row = None if row is None else case.asked.row(row)
        at = [] if layer is None else [Measure("layer", layer)]
        where = f": {what}" + ("" if layer is None else f" of {case.called(layer)}")
        where += "" if row is None else f", example {row}"
        evidence += [*at, *([] if row is None else [Measure("example", row)])]
    elif not all(np.isfinite(array).all() for array in case.parameters.arrays):
        where, measures = _broken_weights(case)
        evidence += measures
    if not evidence and not any(not np.isfinite(r.training_cost) for r in case.history):
        return None
    return Sign("alarm", 0.99, tuple(evidence) or (Measure("epochs with a finite cost", _finite_epochs(case)),), where)


def _finite_epochs(case: Case) -> int:
    return sum(np.isfinite(r.training_cost) for r in case.history)


def _broken_step(case: Case) -> int | None:
    if "flow" not in case.has:
        return None
    broken = np.flatnonzero(~np.isfinite(case.flow.totals["cost"]))
    return int(case.flow.steps[broken[0]]) if len(broken) else None


def _broken_weights(case: Case) -> tuple[str, list[Measure]]:
    """Where weights are not finite: the first stage, or the first array if no stage is known."""
    broken = {n for n, array in enumerate(case.parameters.arrays) if not np.isfinite(array).all()}
    for n, stage in enumerate(case.stages):
        if broken & {*stage.weights, *stage.biases}:
            return f": weights of {case.called(n)}", [Measure("layer", n)]
    return f": {case.parameters.paths[min(broken)]}", [Measure("arrays of weights that are not finite", len(broken))]


def _first_broken(case: Case) -> tuple[int | None, int | None, str]:
    """The first stage and example where weights, z, a stop being finite, going forward; else δ, going backward."""
    for n, passed in enumerate(case.passed.stages):
        mine = (*passed.outline.weights, *passed.outline.biases)
        if not all(np.isfinite(case.parameters.arrays[k]).all() for k in mine):
            return n, None, "weights"
        for name, values in (("z", passed.z), ("a", passed.a)):
            if not np.isfinite(values).all():
                return n, _first_row(values), name
    for n, passed in reversed(list(enumerate(case.passed.stages))):
        if not np.isfinite(passed.delta).all():
            return n, _first_row(passed.delta), "δ"
    last = len(case.passed.stages) - 1
    return (last if case.stages else None), None, "gradient"


def _first_row(values: Values) -> int:
    """The first example with a number that is not finite."""
    return int(np.argmax(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))


def _confirm_not_finite(case: Case, sign: Sign) -> Outcome:
    if case.subject is None or case.optimizer is None:
        return outcome_of(True, "the recorded numbers show it.")
    return _other_rate(case, 0.1)


_RATE = "Train the same few steps from a fresh start with a tenth of the rate, and compare how far the cost falls."

PATHOLOGIES = (
    Pathology(
        "not_finite",
        "Numbers are not finite",
        "A weight, activation or error became infinite or nan, and everything computed from it is nan: from there on "
        "the derivatives say nothing. Usually a step was too long, or weights or inputs too large.",
        "Lower the rate (a tenth), scale inputs and targets, start with smaller weights.",
        _RATE,
        _not_finite,
        _confirm_not_finite,
        needs=frozenset(),
    ),
    Pathology(
        "rate_too_high",
        "The rate is too high",
        "A step lowers the cost only as far as the slope holds: ΔC ≈ −η‖∂C/∂w‖² + ½η² λ ‖∂C/∂w‖². With η λ_max above 2 "
        "it overshoots. Steps that raise their own batch's cost at a fallen slope do so.",
        "Lower the rate to a third or a tenth; chainrule.insight.find_rate tries them.",
        _RATE,
        _too_high,
        lambda case, sign: _other_rate(case, 0.1),
        needs=frozenset({"flow"}),
        explains=frozenset(
            {
                "batch_too_small",
                "wrong_initial_cost",
                "redundant_units",
                "overfitting",
                "uneven_layers",
                "saturated_units",
            }
        ),
    ),
    Pathology(
        "rate_too_low",
        "The rate is too low",
        "Each step's measured change of the cost equals the one that ∂C/∂w predicts, so the slope would hold for far "
        "longer steps; and the weights hardly change.",
        "Raise the rate tenfold, as long as the cost falls; chainrule.insight.find_rate tries them.",
        "Train the same few steps from a fresh start with ten times the rate, and compare how far the cost falls.",
        _too_low,
        lambda case, sign: _other_rate(case, 10.0),
        needs=frozenset({"flow"}),
        explains=frozenset({"plateau"}),
    ),
    Pathology(
        "batch_too_small",
        "Steps are mostly noise: the batch is small",
        "A batch of B examples gives G with a noise of variance tr Σ / B. Far below the noise scale tr Σ / ‖G‖² a step "
        "goes mostly where chance points.",
        "Use larger batches, or a lower rate towards the end; as a rule none is needed while the cost still falls.",
        "Compare the gradients of pairs of random batches: where noise dominates, their cosine is near 0.",
        _too_noisy,
        _confirm_noisy,
        needs=frozenset({"flow"}),
    ),
    Pathology(
        "batch_too_large",
        "Most of each batch is wasted",
        "Far above the noise scale tr Σ / ‖G‖² the mean of a batch hardly changes with more examples: its derivatives "
        "are known well enough with a fraction of them.",
        "Use smaller batches: nearly the same step for less work, so more steps in the same time.",
        "Train as many steps with an eighth of the batch, and compare the costs.",
        _too_many,
        _confirm_many,
        needs=frozenset({"flow", "network"}),
    ),
)
