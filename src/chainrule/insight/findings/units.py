"""Neurons that cannot learn, or that nobody would miss; outputs that cannot reach their targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.backpropagated import PassedStage
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.experiments import compared, outcome_of
from chainrule.insight.findings.finding import Measure, Outcome, Pathology, Sign
from chainrule.insight.findings.fresh_starts import with_activations
from chainrule.insight.levels import dead, rms, steepness
from chainrule.nn.activations import Activation, identity
from chainrule.nn.costs import quadratic, usual_cost

__all__ = ["PATHOLOGIES"]

Values = np.ndarray[Any, Any]


def _dead_share(case: Case) -> Values:
    """Of each layer, the share of units with σ'(z) = 0 on every example."""
    return np.array([dead(s.activation, s.z, s.a).mean() for s in case.passed.stages])


def _dead(case: Case) -> Sign | None:
    shares = _dead_share(case)
    if not shares.any():
        return None
    worst = int(np.argmax(shares))
    neurons = case.stages[worst].units
    severity = "alarm" if shares[worst] >= 0.4 else "warning" if shares[worst] >= 0.25 else "note"
    evidence = (
        Measure(
            f"units of {case.called(worst)} with σ'(z) = 0 on all examples looked at",
            round(shares[worst] * neurons),
            f"of {neurons}",
        ),
        Measure("examples", case.asked.count),
    )
    whole = shares[worst] == 1
    return Sign(severity if whole else case.graded(severity), 0.97, evidence, f"in {case.called(worst)}")


def _confirm_dead(case: Case, sign: Sign) -> Outcome:
    worst = int(np.argmax(_dead_share(case)))
    passed = case.passed.stages[worst]
    off, slopes = dead(passed.activation, passed.z, passed.a), case.of_units(worst, case.passed.gradients)
    moved = passed.delta[..., off] if slopes is None else slopes[off]
    return outcome_of(
        not moved.any(),
        f"∂C/∂w of the {int(off.sum())} dead units is exactly 0 on {case.asked.count} examples: no step moves them.",
    )


def _flatness(case: Case) -> Values:
    """Of each hidden layer, the median over its units of mean σ'(z) / max σ'; 1 where nothing saturates."""
    found = [_flatness_of(stage) for stage in case.passed.stages[:-1]]
    return np.array(found or [1.0])


def _flatness_of(stage: PassedStage) -> float:
    of_units = steepness(stage.activation, stage.z, stage.a).reshape(-1, stage.units).mean(axis=0)
    return float(np.median(of_units))


def _saturated(case: Case) -> Sign | None:
    slopes = _flatness(case)
    worst = int(np.argmin(slopes))
    if slopes[worst] >= 0.1:
        return None
    severity = "alarm" if slopes[worst] < 0.01 else "warning" if slopes[worst] < 0.05 else "note"
    evidence = (
        Measure(f"median over the units of {case.called(worst)} of mean σ'(z) / max σ'", float(slopes[worst])),
        Measure(f"rms z of {case.called(worst)}", rms(case.passed.stages[worst].z)),
    )
    return Sign(case.graded(severity), 0.9, evidence, f"in {case.called(worst)}")


def _confirm_saturated(case: Case, sign: Sign) -> Outcome:
    """Whether the layer's gradient is larger where its weights are smaller."""
    layer, arrays = int(np.argmin(_flatness(case))), case.parameters.arrays
    mine = (*case.stages[layer].weights, *case.stages[layer].biases)
    smaller = case.at_network(case.changed({n: arrays[n] / 10 for n in mine}))
    slopes = [rms(c.passed.stages[layer].dw) for c in (case, smaller)]
    said = f"with weights and biases a tenth of theirs, rms ∂C/∂w of {case.called(layer)} is {number(slopes[1])}"
    return outcome_of(slopes[1] > 2 * slopes[0], f"{said} instead of {number(slopes[0])}.")


def _stuck_outputs(case: Case) -> tuple[float, float]:
    """The share of examples with an output on the wrong side, and the mean of σ'(z^L) / max σ' there."""
    last = case.passed.stages[-1]
    wrong = np.abs(last.a - case.targets) > 0.5
    slopes = steepness(last.activation, last.z, last.a)
    return float(wrong.any(axis=1).mean()), float(slopes[wrong].mean()) if wrong.any() else 1.0


def _slow_quadratic(case: Case) -> Sign | None:
    last = case.activations[-1]
    if case.asked.objective.cost != quadratic or not last.saturates or not last.cost:
        return None
    share, slope = _stuck_outputs(case)
    if share < 0.2 or slope > 0.2:
        return None
    evidence = (
        Measure("mean σ'(z) / max σ' of outputs that are on the wrong side", slope),
        Measure("share of examples with such an output", share),
    )
    return Sign(case.graded("alarm" if slope < 0.05 and share > 0.5 else "warning"), 0.85, evidence)


def _confirm_quadratic(case: Case, sign: Sign) -> Outcome:
    return compared(case, "with the cross-entropy", cost=usual_cost(case.activations[-1]))


def _out_of_reach(case: Case) -> Sign | None:
    last = case.activations[-1]
    if _is_always_one(case):
        largest = Measure("largest |∂C/∂z| of the output layer", float(np.abs(case.passed.stages[-1].delta).max()))
        return Sign("alarm", 0.99, (largest,), f": {last} of a single output is always 1", "Use output='sigmoid'.")
    share, y = _beyond(case, last), case.targets
    if share == 0:
        return None
    evidence = (
        Measure(f"share of the targets that {last} outputs cannot reach", share),
        Measure("smallest target", float(y.min())),
        Measure("largest target", float(y.max())),
    )
    return Sign("alarm" if share > 0.05 else "warning", 0.97, evidence)


def _is_always_one(case: Case) -> bool:
    """Whether the output is one that its activation makes 1, whatever its z: as softmax does."""
    return not case.activations[-1].elementwise and case.outputs.shape[1] == 1 and bool(np.all(case.outputs == 1))


def _beyond(case: Case, last: Activation) -> float:
    """The share of the targets that the outputs cannot reach; of outputs that add up to 1, also by their sums."""
    y, lowest, highest = case.targets, last.lowest or 0.0, last.highest or 0.0
    share = float(np.mean(np.maximum(y - highest, lowest - y) > 1e-6))
    add_up = not last.elementwise and np.allclose(case.outputs.sum(axis=1), 1, atol=1e-3)
    if add_up and not case.asked.cost_is_of_z:
        share = max(share, float(np.mean(np.abs(y.sum(axis=1) - 1) > 1e-3)))
    return share


def _confirm_reach(case: Case, sign: Sign) -> Outcome:
    if _is_always_one(case):
        return outcome_of(True, "every ∂C/∂z of the output layer is exactly 0.")
    other = with_activations(case.network, case.activations, [*case.activations[:-1], identity])
    if other is None:
        return outcome_of(True, "the range of the outputs shows it; other outputs cannot be put in their place here.")
    return compared(case, "with identity outputs", network=other, cost=quadratic)


def _doubles(case: Case, most: int = 20) -> list[tuple[int, int, int, float]]:
    """(stage, unit, its double, ΔC) for hidden units whose activations are collinear; ΔC when the unit is merged."""
    hidden = [n for n in range(len(case.stages) - 1) if _successor(case, n) is not None]
    pairs = [(n, unit, double) for n in hidden for unit, double in _collinear(_activity(case, n))]
    return [(*pair, _merged(case, *pair)) for pair in pairs[:most]]


def _activity(case: Case, stage: int) -> Values:
    """The activations of a stage, a column for each unit."""
    passed = case.passed.stages[stage]
    return np.asarray(passed.a.reshape(-1, passed.units))


def _successor(case: Case, stage: int) -> tuple[int, int] | None:
    """The numbers of the weights and biases through which alone what a stage says goes on; None without such."""
    following = case.passed.follower(stage)
    if following is None or len(case.stages[following].biases) != 1:
        return None
    return case.stages[following].weights[0], case.stages[following].biases[0]


def _collinear(a: Values) -> list[tuple[int, int]]:
    """Pairs of columns, each with the first that it is collinear with; columns that do not vary have none."""
    spread = a - a.mean(axis=0)
    lengths = np.sqrt((spread**2).sum(axis=0))
    varying = np.flatnonzero(lengths > 1e-4 * np.sqrt(len(a)))
    if not len(varying):
        return []
    unit = spread[:, varying] / lengths[varying]
    alike = np.abs(np.tril(unit.T @ unit, -1)) > 0.999
    return [(int(varying[j]), int(varying[np.argmax(alike[j])])) for j in np.flatnonzero(alike.any(axis=1))]


def _merged(case: Case, stage: int, unit: int, double: int) -> float:
    """The measured change of the cost when a unit goes and its double takes over."""
    a, successor = _activity(case, stage).astype(np.float64), _successor(case, stage)
    assert successor is not None
    slope = float(np.cov(a[:, unit], a[:, double])[0, 1] / a[:, double].var(ddof=1))
    offset = float(a[:, unit].mean() - slope * a[:, double].mean())
    w, b = (case.parameters.arrays[n].copy() for n in successor)
    b += w[:, unit] * b.dtype.type(offset)
    w[:, double] += w[:, unit] * w.dtype.type(slope)
    w[:, unit] = 0
    merged = case.changed(dict(zip(successor, (w, b), strict=True)))
    return case.at_network(merged).passed.cost - case.passed.cost


def _redundant(case: Case) -> Sign | None:
    hidden = range(len(case.stages) - 1)
    pairs = [(n, len(_collinear(_activity(case, n))), case.stages[n].units) for n in hidden]
    layer, count, neurons = max(pairs, key=lambda p: p[1] / p[2], default=(0, 0, 1))
    if not count:
        return None
    evidence = (
        Measure(
            f"units of {case.called(layer)} whose activations are collinear with another's", count, f"of {neurons}"
        ),
        Measure("predicted change of the cost if they are merged into it", 0.0),
    )
    return Sign("note", 0.9, evidence, f"in {case.called(layer)}")


def _confirm_redundant(case: Case, sign: Sign) -> Outcome:
    doubles = _doubles(case)
    if not doubles:
        return outcome_of(True, "their activations show it; what they say goes on in ways in which none can be merged.")
    layer, unit, double, change = min(doubles, key=lambda d: abs(d[3]))
    said = f"merging unit {unit} of {case.called(layer)} into unit {double} changes the cost by {number(change)}"
    return outcome_of(abs(change) < 0.01 * case.passed.cost + 1e-6, f"{said} (predicted: 0).")


_OUTPUTS = frozenset({"network", "outputs"})

PATHOLOGIES = (
    Pathology(
        "dead_relu",
        "Dead relu units",
        "σ'(z) of a relu is 0 for z ≤ 0. Where z ≤ 0 on every example, δ and ∂C/∂w of the unit are exactly 0: no step "
        "can ever bring it back.",
        "Lower the rate, start with initializer='he' and biases of 0; a network with dead units must start again.",
        "Look at ∂C/∂w of these units on all examples: it must be exactly 0.",
        _dead,
        _confirm_dead,
        explains=frozenset({"frozen_layer", "vanishing_gradient", "uneven_layers"}),
    ),
    Pathology(
        "saturated_units",
        "Saturated units",
        "δ^l = (wᵀ δ^{l+1}) ⊙ σ'(z^l): on the flat parts of sigmoid and tanh σ'(z) is nearly 0, and so is ∂C/∂w of the "
        "layer and of all before it.",
        "Start with smaller weights (initializer='glorot'), scale the inputs to about 1, lower the rate.",
        "Make the weights of the layer ten times smaller, and see how much larger its ∂C/∂w becomes.",
        _saturated,
        _confirm_saturated,
        explains=frozenset({"frozen_layer"}),
    ),
    Pathology(
        "quadratic_on_sigmoid",
        "Outputs are wrong and hardly learn: the quadratic cost on sigmoid outputs",
        "With the quadratic cost δ^L = (a − y) σ'(z^L): an output that is wrong and sure of it has σ'(z^L) ≈ 0, so the "
        "worst mistakes are learnt most slowly. With the cross-entropy, δ^L = a − y.",
        "Use cost='cross_entropy'.",
        "Train the same few steps with the cross-entropy, and compare the shares of right answers.",
        _slow_quadratic,
        _confirm_quadratic,
        needs=_OUTPUTS,
        explains=frozenset({"wrong_initial_cost", "plateau"}),
    ),
    Pathology(
        "targets_out_of_reach",
        "The outputs cannot reach the targets",
        "An activation has a range; targets outside it leave an error a − y that no weights can remove, while σ'(z^L) "
        "goes to 0 as the outputs press against the end of the range.",
        "Use output='identity' for real targets, or scale the targets into the range of the outputs.",
        "Train the same few steps with identity outputs, and compare the costs.",
        _out_of_reach,
        _confirm_reach,
        needs=_OUTPUTS,
        explains=frozenset({"unscaled_targets", "plateau", "wrong_initial_cost", "frozen_layer", "saturated_units"}),
    ),
    Pathology(
        "redundant_units",
        "Units that say the same as others",
        "Where the activations of two units are collinear, so are the gradients of the weights that leave them; what "
        "goes through one can go through the other, and the cost would not change.",
        "Nothing, if learning goes well; the layer can be smaller (chainrule.insight.prune), which is faster.",
        "Merge one unit into its double, and measure the change of the cost.",
        _redundant,
        _confirm_redundant,
    ),
)
