"""Errors on their way back through the layers: too small, too large, stopped; and how weights started."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.experiments import Trial, anew, compared, falls, outcome_of
from chainrule.insight.findings.finding import Measure, Outcome, Pathology, Sign
from chainrule.insight.findings.fresh_starts import fitting, fresh, with_activations
from chainrule.insight.levels import rms
from chainrule.learning.optimizers import Adam
from chainrule.nn.activations import Activation, tanh

__all__ = ["PATHOLOGIES"]

Values = np.ndarray[Any, Any]
_TINY = 1e-300
_DECAY = 0.5  # decades of δ a layer


def _slope(levels: Values) -> float:
    """Decades a layer, from the last back to the first: below 0 if the levels shrink on the way back."""
    if len(levels) < 2:
        return 0.0
    return -float(np.polyfit(np.arange(len(levels)), np.log10(np.maximum(levels, _TINY)), 1)[0])


def _vanishing(case: Case) -> Sign | None:
    errors = case.early("error")
    if len(errors) < 3 or not np.all(errors > 0):
        return None
    slope, ratio = _slope(errors), float(errors[0] / errors[-1])
    biases = case.early("bias_gradient")
    of_biases = float(biases[0] / biases[-1]) if biases[-1] > 0 else 1.0
    if (slope > -_DECAY and ratio > 1e-3) or ratio > 0.1:
        return None
    severity = "alarm" if ratio < 1e-3 else "warning" if ratio < 1e-2 else "note"
    evidence = (
        Measure("rms δ of the first layer over that of the last", ratio),
        Measure("change of log10 rms δ", slope, "decades a layer on the way back"),
        Measure("rms ∂C/∂b, first over last layer", of_biases),
    )
    return Sign(case.graded(severity), 0.9 if slope < -_DECAY else 0.6, evidence)


def _confirm_vanishing(case: Case, sign: Sign) -> Outcome:
    other = _with_tanh(case)
    if other is not None:
        return compared(case, "with tanh in the hidden layers", Trial.of(case, network=anew(case)), network=other)
    return falls(case, "from a fresh start whose errors keep their size", network=anew(case))


def _with_tanh(case: Case) -> Any:
    """A fresh network with tanh where each layer makes the error smaller, whatever its weights; None if none does."""
    slopes = [activation.largest_slope or 0.0 for activation in case.activations[:-1]]
    if not case.activations[0].saturates or max(slopes) >= 1:
        return None
    after = [*[tanh] * len(slopes), case.activations[-1]]
    other = with_activations(case.network, case.activations, after)
    return None if other is None else fresh(other, case.stages, fitting(tanh), case.seed)


def _exploding(case: Case) -> Sign | None:
    errors = case.early("error")
    ratio = float(errors[0] / errors[-1]) if errors[-1] > 0 else 1.0
    growth = _growth(case)
    if not (np.isfinite(ratio) and ratio > 70 and len(errors) > 2) and growth < 2:
        return None
    evidence = (
        Measure("rms δ of the first layer over that of the last", ratio),
        Measure("growth of ‖∂C/∂w‖ from a window to the next (of ten)", growth),
    )
    worst = "alarm" if ratio > 1e3 or growth >= 2 else "warning"
    return Sign(case.graded(worst), 0.85, evidence)


def _growth(case: Case) -> float:
    """The least growth of the gradient's length over three windows in a row, where it ends the run; 1 if unknown."""
    if "flow" not in case.has:
        return 1.0
    lengths = np.sqrt(case.flow.layers["batch_norm"].sum(axis=1))
    lengths = lengths[np.isfinite(lengths)]
    width = len(lengths) // 10
    if not width:
        return 1.0
    windows = np.array([np.median(lengths[n * width : (n + 1) * width]) for n in range(10)])
    grown = windows[1:] / np.maximum(windows[:-1], _TINY)
    return float(max((grown[n : n + 3].min() for n in range(len(grown) - 2)), default=1.0))


def _initialisation(case: Case) -> Sign | None:
    inputs = _first(case, "weighted_input")
    first = case.activations[0]
    hidden = inputs[:-1] if len(inputs) > 1 else inputs
    if not np.all(np.isfinite(hidden)) or not np.any(hidden):
        return None
    product = float((hidden[-1] / max(hidden[0], _TINY)) ** 2)
    off = _too_large(first, float(hidden.max()), product) or _too_small(float(hidden.min()), product)
    if off is None:
        return None
    evidence = (
        Measure("largest rms z of a hidden layer at the start", float(hidden.max())),
        Measure("smallest rms z of a hidden layer at the start", float(hidden.min())),
        Measure("variance of z, last over first hidden layer", product),
    )
    name = fitting(first).name
    cure = f"Start with initializer={name!r}, which fits {first} layers: it keeps a, z and δ at their size."
    return Sign(case.graded(off), 0.8, evidence, cure=cure)


def _first(case: Case, name: str) -> Values:
    """At the first step that was watched, or as the network is now."""
    found: Values = case.flow.layers[name][0] if "flow" in case.has else case.early(name)
    return found


def _too_large(activation: Activation, largest: float, product: float) -> str | None:
    if activation.saturates and largest > 4:
        return "note" if largest < 15 else "warning"
    if not activation.saturates and (largest > 15 or product > 10):
        return "warning" if largest > 30 or product > 100 else "note"
    return None


def _too_small(smallest: float, product: float) -> str | None:
    if smallest < 0.02 or product < 0.01:
        return "warning"
    return "note" if product < 0.1 and smallest < 0.1 else None


def _start_again(case: Case, sign: Sign) -> Outcome:
    return falls(case, "from a start that fits the activation", network=anew(case))


def _twins(rows: Values) -> int:
    """How many rows have an equal before them; rows of zeros do not count."""
    rows = rows[np.abs(rows).max(axis=1) > 0]
    if len(rows) < 2:
        return 0
    scaled = np.round(rows / np.abs(rows).max(), 5)
    return len(scaled) - len(np.unique(scaled, axis=0))


def _symmetric(case: Case) -> Sign | None:
    counts = [_copies(case, n) for n in range(len(case.stages) - 1)]
    if not any(counts):
        return None
    worst = int(np.argmax(counts))
    neurons = case.stages[worst].units
    share = counts[worst] / neurons
    evidence = (
        Measure("neurons that equal another, in weights and in gradient", counts[worst], f"of {neurons}"),
        Measure("distinct rows of ∂C/∂w", neurons - counts[worst]),
    )
    return Sign("alarm" if share > 0.5 else "warning", 0.97, evidence, f"in {case.called(worst)}")


def _copies(case: Case, stage: int) -> int:
    """How many units of a stage equal another, in weights and in gradient."""
    weights, gradients = case.of_units(stage), case.of_units(stage, case.passed.gradients)
    return 0 if weights is None or gradients is None or not _twins(gradients) else _twins(weights)


def _frozen(case: Case) -> Sign | None:
    still = _still(case)
    if not still.any() or still.all():
        return None
    where = int(np.argmax(still))
    gradient, update = case.late("gradient"), _updates(case)
    evidence = (
        Measure(f"rms ∂C/∂w of {case.called(where)}", float(gradient[where])),
        Measure(f"update : weight of {case.called(where)}", float(update[where])),
        Measure("largest rms ∂C/∂w of the others", float(gradient[~still].max())),
    )
    return Sign("alarm", 0.95, evidence, f": {case.called(where)}")


def _updates(case: Case) -> Values:
    if "flow" not in case.has:
        return np.full(len(case.stages), np.nan)
    found: Values = np.max(case.flow.layers["update_ratio"], axis=0)
    return found


def _still(case: Case) -> Values:
    """The layers that never moved in the run, or whose gradient is exactly 0."""
    still: Values = _updates(case) == 0
    if "network" in case.has:
        still = still | np.array([not any(g.any() for g in s.gradients.values()) for s in case.passed.stages])
    return still


def _confirm_frozen(case: Case, sign: Sign) -> Outcome:
    still, random, arrays = int(np.argmax(_still(case))), np.random.default_rng(case.seed), case.parameters.arrays
    moved = {}
    for n in case.stages[still].weights:
        shift = 0.01 * max(rms(arrays[n]), 1e-3) * random.standard_normal(arrays[n].shape)
        moved[n] = (arrays[n] + shift).astype(arrays[n].dtype)
    change = case.at_network(case.changed(moved)).passed.cost - case.passed.cost
    said = f"moving the weights of {case.called(still)} at random by 1 % changes the cost by {number(change)}"
    verdict = "the layer matters, and is not learnt" if change else "nothing depends on the layer"
    return outcome_of(True, f"{said}: {verdict}.")


def _uneven(case: Case) -> Sign | None:
    ratios = case.late("update_ratio")
    moving = ratios[np.isfinite(ratios) & (ratios > 0)]
    if len(moving) < 2:
        return None
    spread = float(moving.max() / moving.min())
    if spread <= 100:
        return None
    slow = int(np.argmin(np.where(ratios > 0, ratios, np.inf)))
    evidence = (
        Measure("update : weight, fastest over slowest layer", spread),
        Measure(f"update : weight of {case.called(slow)}, the slowest", float(ratios[slow])),
    )
    return Sign(case.graded("warning"), 0.8, evidence, f": {case.called(slow)} is the slow one")


_FRESH = "Train the same few steps from a start whose initialiser fits, and compare how far the cost falls."

PATHOLOGIES = (
    Pathology(
        "vanishing_gradient",
        "The error vanishes on its way back to the first layers",
        "Each layer multiplies the error by its weights and by σ'(z): δ^l = (wᵀ δ^{l+1}) ⊙ σ'(z^l). Where that product "
        "is below 1 in every layer, ∂C/∂w of the first layers is a product of many small numbers.",
        "Use relu or tanh instead of sigmoid in the hidden layers, an initialiser that fits, or fewer layers.",
        "Train the same few steps with tanh or a fitting start, and compare the costs.",
        _vanishing,
        _confirm_vanishing,
        needs=frozenset({"levels"}),
    ),
    Pathology(
        "exploding_gradient",
        "The error grows on its way back, or from step to step",
        "δ^l = (wᵀ δ^{l+1}) ⊙ σ'(z^l): where weights are large, each layer multiplies the error by more than 1, and "
        "steps of the first layers are too long for the cost's slope to hold.",
        "Start with smaller weights (an initialiser that fits), lower the rate, or clip the gradient's length.",
        _FRESH,
        _exploding,
        _start_again,
        needs=frozenset({"levels"}),
    ),
    Pathology(
        "bad_initialisation",
        "The first weights are of the wrong size",
        "The variance of z and of δ is multiplied in each layer by the number of inputs times the variance of the "
        "weights: far from 1, activations saturate or fade, and ∂C/∂w = a·δ with them.",
        "Start with an initialiser that fits the activation.",
        _FRESH,
        _initialisation,
        _start_again,
        needs=frozenset({"levels"}),
    ),
    Pathology(
        "symmetric_initialisation",
        "Neurons are copies of each other",
        "Neurons with equal weights have equal a and equal δ, so equal ∂C/∂w: every step keeps them equal, and the "
        "layer learns as if it had fewer neurons.",
        "Start with random weights: any of the initialisers; never a constant.",
        "Train the same few steps from random weights, and compare how far the cost falls.",
        _symmetric,
        _start_again,
        explains=frozenset({"redundant_units", "plateau", "bad_initialisation", "rate_too_low"}),
    ),
    Pathology(
        "frozen_layer",
        "A layer does not learn",
        "Its ∂C/∂w is exactly 0, or its weights never change though ∂C/∂w is not 0, while other layers move: nothing "
        "reaches it (a stopped gradient, zero weights after it), or the optimiser leaves it out.",
        "Look for a stop_gradient, an optimiser that skips the layer, or outgoing weights that are all 0.",
        "Move the layer's weights a little at random, and see whether the cost changes.",
        _frozen,
        _confirm_frozen,
        needs=frozenset({"levels"}),
        explains=frozenset({"uneven_layers"}),
    ),
    Pathology(
        "uneven_layers",
        "One layer learns far slower than another",
        "A step changes each weight by rate × ∂C/∂w. Where that is a thousandth of the weight in one layer and a "
        "millionth in another, no single rate suits both.",
        "Use Adam, which scales each weight's step by its own gradient, or an initialiser that fits.",
        "Train the same few steps with Adam, and compare the costs.",
        _uneven,
        lambda case, sign: compared(case, "with Adam", optimizer=Adam(0.01)),
        needs=frozenset({"flow", "levels"}),
    ),
)
