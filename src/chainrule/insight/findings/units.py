"""Neurons that cannot learn, or that nobody would miss; outputs that cannot reach their targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.experiments import compared, outcome
from chainrule.insight.findings.finding import Measure, Outcome, Pathology, Sign
from chainrule.insight.levels import dead, rms, steepness
from chainrule.nn.network import Network

__all__ = ["PATHOLOGIES"]

Values = np.ndarray[Any, Any]
_RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf), "softmax": (0.0, 1.0)}


def _dead_share(case: Case) -> Values:
    """Of each layer, the share of units with σ'(z) = 0 on every example."""
    return np.array([dead(n.activation, d.z).mean() for n, d in case.layers])


def _dead(case: Case) -> Sign | None:
    shares = _dead_share(case)
    worst = int(np.argmax(shares))
    if shares[worst] == 0:
        return None
    neurons = case.network.layers[worst].outputs
    severity = "alarm" if shares[worst] >= 0.4 else "warning" if shares[worst] >= 0.25 else "note"
    evidence = (
        Measure(
            f"units of layer {worst} with σ'(z) = 0 on all examples looked at",
            round(shares[worst] * neurons),
            f"of {neurons}",
        ),
        Measure("examples", case.asked.count),
    )
    whole = shares[worst] == 1
    return Sign(severity if whole else case.graded(severity), 0.97, evidence, f"in layer {worst}")


def _confirm_dead(case: Case, sign: Sign) -> Outcome:
    worst = int(np.argmax(_dead_share(case)))
    passed = case.passed.layers[worst]
    off = dead(case.network.layers[worst].activation, passed.z)
    return outcome(
        not passed.dw[off].any(),
        f"∂C/∂w of the {int(off.sum())} dead units is exactly 0 on {case.asked.count} examples: no step moves them.",
    )


def _flatness(case: Case) -> Values:
    """Of each hidden layer, the median over its units of mean σ'(z) / max σ'; 1 where nothing saturates."""
    found = [float(np.median(steepness(n.activation, d.z, d.a).mean(axis=0))) for n, d in case.layers[:-1]]
    return np.array(found or [1.0])


def _saturated(case: Case) -> Sign | None:
    slopes = _flatness(case)
    worst = int(np.argmin(slopes))
    if slopes[worst] >= 0.1:
        return None
    severity = "alarm" if slopes[worst] < 0.01 else "warning" if slopes[worst] < 0.05 else "note"
    evidence = (
        Measure(f"median over the units of layer {worst} of mean σ'(z) / max σ'", float(slopes[worst])),
        Measure(f"rms z of layer {worst}", rms(case.passed.layers[worst].z)),
    )
    return Sign(case.graded(severity), 0.9, evidence, f"in layer {worst}")


def _confirm_saturated(case: Case, sign: Sign) -> Outcome:
    """Whether the layer's gradient is larger where its weights are smaller."""
    layer = int(np.argmin(_flatness(case)))
    parts = [((n.w / 10, n.b / 10) if k == layer else (n.w, n.b)) for k, n in enumerate(case.network.layers)]
    smaller = case.at_network(Network.from_weights(parts, [n.activation for n in case.network.layers]))
    slopes = [rms(c.passed.layers[layer].dw) for c in (case, smaller)]
    said = f"with weights and biases a tenth of theirs, rms ∂C/∂w of layer {layer} is {number(slopes[1])}"
    return outcome(slopes[1] > 2 * slopes[0], f"{said} instead of {number(slopes[0])}.")


def _stuck_outputs(case: Case) -> tuple[float, float]:
    """The share of examples with an output on the wrong side, and the mean of σ'(z^L) / max σ' there."""
    last = case.passed.layers[-1]
    wrong = np.abs(last.a - case.targets) > 0.5
    slopes = steepness(case.network.layers[-1].activation, last.z, last.a)
    return float(wrong.any(axis=1).mean()), float(slopes[wrong].mean()) if wrong.any() else 1.0


def _slow_quadratic(case: Case) -> Sign | None:
    if case.asked.objective.cost != "quadratic" or case.network.layers[-1].activation != "sigmoid":
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
    return compared(case, "with the cross-entropy", cost="cross_entropy")


def _out_of_reach(case: Case) -> Sign | None:
    activation = case.network.layers[-1].activation
    if activation == "softmax" and case.network.sizes[-1] == 1:
        largest = Measure("largest |∂C/∂z| of the output layer", float(np.abs(case.passed.layers[-1].delta).max()))
        return Sign("alarm", 0.99, (largest,), ": softmax of a single output is always 1", "Use output='sigmoid'.")
    if activation not in _RANGES:
        return None
    least, most = _RANGES[activation]
    y = case.targets
    beyond = np.maximum(y - most, least - y)
    share = float(np.mean(beyond > 1e-6))
    if activation == "softmax" and case.asked.objective.cost == "quadratic":
        share = max(share, float(np.mean(np.abs(y.sum(axis=1) - 1) > 1e-3)))
    if share == 0:
        return None
    evidence = (
        Measure(f"share of the targets that {activation} outputs cannot reach", share),
        Measure("smallest target", float(y.min())),
        Measure("largest target", float(y.max())),
    )
    return Sign("alarm" if share > 0.05 else "warning", 0.97, evidence)


def _confirm_reach(case: Case, sign: Sign) -> Outcome:
    names = [layer.activation for layer in case.network.layers]
    if case.network.sizes[-1] == 1 and names[-1] == "softmax":
        return outcome(True, "every ∂C/∂z of the output layer is exactly 0.")
    pairs = [(n.w, n.b) for n in case.network.layers]
    other = Network.from_weights(pairs, [*names[:-1], "identity"])
    return compared(case, "with identity outputs", network=other, cost="quadratic")


def _doubles(case: Case, most: int = 20) -> list[tuple[int, int, int, float]]:
    """(layer, unit, its double, ΔC) for hidden units whose activations are collinear; ΔC when the unit is merged."""
    hidden = enumerate(case.passed.layers[:-1])
    pairs = [(n, unit, double) for n, passed in hidden for unit, double in _collinear(passed.a)]
    return [(*pair, _merged(case, *pair)) for pair in pairs[:most]]


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


def _merged(case: Case, layer: int, unit: int, double: int) -> float:
    """The measured change of the cost when a unit goes and its double takes over."""
    a = case.passed.layers[layer].a.astype(np.float64)
    slope = float(np.cov(a[:, unit], a[:, double])[0, 1] / a[:, double].var(ddof=1))
    offset = float(a[:, unit].mean() - slope * a[:, double].mean())
    pairs = [(n.w.copy(), n.b.copy()) for n in case.network.layers]
    w, b = pairs[layer + 1]
    b += w[:, unit] * b.dtype.type(offset)
    w[:, double] += w[:, unit] * w.dtype.type(slope)
    w[:, unit] = 0
    merged = Network.from_weights(pairs, [n.activation for n in case.network.layers])
    return case.at_network(merged).passed.cost - case.passed.cost


def _redundant(case: Case) -> Sign | None:
    pairs = [(n, len(_collinear(passed.a)), passed.a.shape[1]) for n, (_, passed) in enumerate(case.layers[:-1])]
    layer, count, neurons = max(pairs, key=lambda p: p[1] / p[2], default=(0, 0, 1))
    if not count:
        return None
    evidence = (
        Measure(f"units of layer {layer} whose activations are collinear with another's", count, f"of {neurons}"),
        Measure("predicted change of the cost if they are merged into it", 0.0),
    )
    return Sign("note", 0.9, evidence, f"in layer {layer}")


def _confirm_redundant(case: Case, sign: Sign) -> Outcome:
    layer, unit, double, change = min(_doubles(case), key=lambda d: abs(d[3]))
    said = f"merging unit {unit} of layer {layer} into unit {double} changes the cost by {number(change)}"
    return outcome(abs(change) < 0.01 * case.passed.cost + 1e-6, f"{said} (predicted: 0).")


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
