"""The data: how inputs and targets are scaled, which classes there are, which labels are doubtful, in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.experiments import Trial, anew, compared, outcome_of, run_of, tried
from chainrule.insight.findings.finding import Measure, Outcome, Pathology, Sign
from chainrule.insight.gradients import weighted_gradient
from chainrule.insight.levels import rms
from chainrule.insight.wording import percent
from chainrule.nn.parameters import WEIGHT
from chainrule.trace.tree import tree_map

__all__ = ["PATHOLOGIES"]

Values = np.ndarray[Any, Any]
_FEW = 32  # columns: more of them are taken for an image, whose edge may be dark


def _spread(scales: Values) -> float:
    """How far the largest column is above the middle one; among few, above the lower ones."""
    scales = scales[scales > 0]
    if len(scales) < 2:
        return 1.0
    return float(scales.max() / np.quantile(scales, 0.25 if len(scales) <= _FEW else 0.5))


def _unscaled_inputs(case: Case) -> Sign | None:
    x = case.x.astype(np.float64)
    spread, level = _spread(x.std(axis=0)), rms(x)
    offsets = np.abs(x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), np.inf)
    offset = float(np.median(offsets[offsets > 0])) if (offsets > 0).any() else 0.0
    if spread <= 10 and 0.01 < level < 10 and offset <= 3:
        return None
    evidence = (
        Measure("standard deviation, largest over usual column", spread),
        Measure("rms of all inputs", level),
        Measure("|mean| / standard deviation of the middle column", offset),
        *_slopes_of_columns(case),
    )
    bad = spread > 100 or level > 30 or level < 1e-3 or offset > 10
    return Sign(case.graded("alarm" if bad else "warning"), 0.95 if bad else 0.8, evidence)


def _slopes_of_columns(case: Case) -> list[Measure]:
    """How unlike the slopes of the inputs' weights are, if they are finite."""
    first = case.passed.stages[0] if case.finite and case.stages else None
    if first is None or first.inputs is None or first.outline.sources != (-1,):
        return []
    columns = np.sqrt((first.dw.astype(np.float64) ** 2).mean(axis=0))
    return [Measure(f"rms ∂C/∂w of {case.called(0)}, largest over usual column", _spread(columns))]


def _standardised(x: Values) -> Values:
    spread = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(spread > 0, spread, 1), x.dtype)


def _confirm_inputs(case: Case, sign: Sign) -> Outcome:
    return compared(case, "with standardised inputs", x=_standardised(Trial.of(case).x))


def _unscaled_targets(case: Case) -> Sign | None:
    y = case.targets
    level, spread = rms(y), _spread(y.std(axis=0))
    if 0.01 < level < 10 and spread <= 10:
        return None
    evidence = [
        Measure("rms of the targets", level),
        Measure("standard deviation, largest over usual target", spread),
    ]
    if case.finite and y.shape[1] > 1 and case.stages and case.passed.stages[-1].db.shape == y.shape[1:]:
        biases = np.abs(case.passed.stages[-1].db)
        evidence.append(Measure("largest share of an output in Σ |∂C/∂b|", float(biases.max() / biases.sum())))
    bad = level > 30 or level < 1e-3 or spread > 100
    return Sign(case.graded("alarm" if bad else "warning"), 0.95 if bad else 0.8, tuple(evidence))


def _confirm_targets(case: Case, sign: Sign) -> Outcome:
    given = Trial.of(case)
    labels = _standardised(given.labels)
    raw, scaled = tried(given)[0], tried(Trial.of(case, labels=labels))[0]
    before = raw / max(0.5 * float(given.labels.var(axis=0).sum()), 1e-300)
    after = scaled / (0.5 * given.labels[0].size)
    said = f"{number(before)} of the cost of a constant as it is, {number(after)} with standardised targets"
    return outcome_of(not np.isfinite(before) or after < before, f"after the same few steps the cost is {said}.")


def _class_gradients(case: Case, classes: Values) -> Values:
    """The share of each class in the mean gradient, as rows: Σ g_x / n over its examples, never one by one."""
    asked = case.passed.subject
    return np.stack([weighted_gradient(asked, asked.classes == label) for label in classes])


def _imbalance(case: Case) -> Sign | None:
    classes, counts = np.unique(case.asked.classes, return_counts=True)
    if len(classes) < 2 or counts.max() < 5 * counts.min():
        return None
    rare = int(classes[np.argmin(counts)])
    gradients = _class_gradients(case, classes)
    whole, mine = gradients.sum(axis=0), gradients[int(np.argmin(counts))]
    cosine = float(mine @ whole / max(np.linalg.norm(mine) * np.linalg.norm(whole), 1e-300))
    right = _right(case)
    recall = float(right[case.asked.classes == rare].mean())
    evidence = (
        Measure("examples, largest over smallest class", float(counts.max() / counts.min())),
        Measure(f"right answers of class {case.asked.named(rare)}, the rarest", recall),
        Measure("right answers of all", float(right.mean())),
        Measure("cosine of that class's gradient with the whole", cosine),
    )
    ignored = recall < 0.5 * right.mean()
    severity = "alarm" if ignored and recall < 0.1 else "warning" if ignored or cosine < 0 else "note"
    return Sign(severity if ignored else case.graded(severity), 0.85 if ignored else 0.6, evidence)


def _right(case: Case) -> Values:
    return np.asarray(case.outputs.argmax(axis=1) == case.asked.classes)


def _confirm_imbalance(case: Case, sign: Sign) -> Outcome:
    given = Trial.of(case)
    labels = given.labels if given.labels.ndim == 1 else given.labels.argmax(axis=1)
    classes, counts = np.unique(labels, return_counts=True)
    random = np.random.default_rng(case.seed)
    rows = np.concatenate([random.choice(np.flatnonzero(labels == c), counts.max()) for c in classes])
    x = tree_map(lambda part: part[rows], given.x)
    balanced = tried(Trial.of(case, x=x, labels=given.labels[rows]))[1]
    before = np.mean([_right(case)[case.asked.classes == c].mean() for c in np.unique(case.asked.classes)])
    said = f"{percent(float(before))} of the answers are right as the mean over classes"
    return outcome_of(
        balanced is not None and balanced > before,
        f"{said}; after a few steps with as many examples of each class, {percent(balanced or 0.0)}.",
    )


def _suspects(case: Case) -> Values:
    """The rows whose label the network contradicts and is sure of it, the strongest pull first."""
    a, labels = case.outputs, case.asked.classes
    scaled = a.clip(0, 1)
    of_label = scaled[np.arange(len(a)), labels]
    doubtful = np.flatnonzero((of_label < 0.2) & (scaled.max(axis=1) > 0.7))
    return doubtful[np.argsort(-case.example_norms[doubtful])]


def _labels(case: Case) -> Sign | None:
    right = float(_right(case).mean())
    rows = _suspects(case)
    if right < 0.6 or not len(rows):
        return None
    share, certain = len(rows) / case.asked.count, _certain_mistakes(case)
    norms = np.sqrt(case.example_norms)
    evidence = (
        Measure("labels that the network contradicts and is sure of it", len(rows), f"of {case.asked.count}"),
        Measure("‖∂C_x/∂w‖ of these over that of all (medians)", float(np.median(norms[rows]) / np.median(norms))),
        Measure("share of all its wrong answers that it is sure of", certain),
        *(Measure("row", case.asked.row(int(row))) for row in rows[:5]),
    )
    many = share > 0.04 and certain > 0.5 and right > 0.75
    return Sign("warning" if many else "note", 0.7 if many else 0.5, evidence)


def _certain_mistakes(case: Case) -> float:
    """Of the wrong answers, the share with an output above 0.85: of hard examples few, of wrong labels many."""
    outputs = case.outputs[~_right(case)]
    return float((outputs.max(axis=1) > 0.85).mean()) if len(outputs) else 0.0


def _confirm_labels(case: Case, sign: Sign) -> Outcome:
    """Whether a network that never saw these examples contradicts their labels too."""
    suspects = _suspects(case)
    rest = case.asked.taking(np.setdiff1d(np.arange(case.asked.count), suspects)).at_most(500, case.seed)
    other = run_of(Trial.of(case, network=anew(case), x=rest.x, labels=rest.labels)).network
    doubted = case.asked.taking(suspects)
    against = float(np.mean(np.asarray(other(doubted.x)).argmax(axis=1) != doubted.classes))
    said = f"a network that learned from the others alone contradicts {percent(against)} of these labels"
    return outcome_of(against > 0.5, f"{said}: look at these rows of the data.")


def _overfitting(case: Case) -> Sign | None:
    checked = [(r.training_cost, r.validation_cost) for r in case.history if r.validation_cost is not None]
    rise, cosine = 1.0, None
    if len(checked) > 2:
        validation = np.array([v for _, v in checked])
        best = int(np.argmin(validation))
        falls = checked[-1][0] < 0.7 * checked[best][0]
        rise = float(validation[-1] / max(validation[best], 1e-300)) if falls else 1.0
    if {"validation", "network"} <= case.has:
        cosine = _validation_cosine(case)
        ratio = _validation_cost(case) / max(case.passed.cost, 1e-300)
    if rise < 1.15 and not (cosine is not None and cosine < 0 and ratio > 3 and case.learned > 0.8):
        return None
    measures = [Measure("validation cost now over the lowest it was", rise)]
    if cosine is not None:
        measures += [Measure("cosine of training and validation gradient", cosine),
                     Measure("validation cost over training cost", ratio)]  # fmt: skip
    return Sign("warning" if rise > 1.3 or len(checked) < 3 else "note", 0.9, tuple(measures))


def _validation_case(case: Case) -> Case:
    assert case.validation is not None
    return Case(case.network, case.validation)


def _validation_cost(case: Case) -> float:
    return _validation_case(case).passed.cost


def _validation_cosine(case: Case) -> float:
    one, two = (c.passed.gradient_vector for c in (case, _validation_case(case)))
    return float(one @ two / max(np.linalg.norm(one) * np.linalg.norm(two), 1e-300))


def _confirm_overfitting(case: Case, sign: Sign) -> Outcome:
    if case.validation is None or not case.finite:
        return outcome_of(
            True, "the validation costs of the run show it; no validation examples were given to try more."
        )
    smaller = 0.8
    found = case.parameters
    shrunk = case.changed({n: found.arrays[n] * found.dtype.type(smaller) for n in found.numbers(WEIGHT)})
    before = _validation_cost(case)
    after = _validation_cost(replace(case, network=shrunk))
    said = (
        f"with all weights {percent(1 - smaller)} smaller the validation cost is {number(after)}, now {number(before)}"
    )
    return outcome_of(after < before, f"{said}.")


def _sorted_batches(case: Case) -> Sign | None:
    shares = case.flow.class_shares
    if case.flow.batch < 2 or not shares.shape[1]:
        return _unlike_batches(case) if case.flow.batch > 1 else None
    frequencies = _frequencies(case, shares)
    expected = float(((1 - frequencies) ** case.flow.batch).sum())
    lacking = (shares <= 0).sum(axis=1)  # later also classes that have no gradient left: so the first batch counts too
    missing = float(min(lacking.mean(), lacking[0]))
    largest = float(np.median(shares.max(axis=1)))
    classes = int((frequencies > 0).sum())
    if classes < 2 or missing - (shares.shape[1] - classes) < 0.5 * (classes - 1) or missing < 1.5 * expected + 0.4:
        return None
    evidence = (
        Measure("classes that a batch lacks, on average", missing, f"of {shares.shape[1]}"),
        Measure("classes that a random batch would lack", expected),
        Measure("share of the gradient that one class has in a batch (median)", largest),
    )
    return Sign("alarm" if largest > 0.9 else "warning", 0.95, evidence)


def _frequencies(case: Case, shares: Values) -> Values:
    if "classes" in case.has:
        return np.bincount(case.asked.classes, minlength=shares.shape[1]) / case.asked.count
    met = (shares > 0).any(axis=0)
    return np.asarray(met / met.sum())


def _unlike_batches(case: Case) -> Sign | None:
    """For targets that are no classes: batches whose gradients differ more than those of random examples would."""
    if "network" not in case.has:
        return None
    last = slice(-max(5, len(case.flow) // 4), None)
    norms = {name: case.flow.layers[name][last].sum(axis=1) for name in ("batch_norm", "example_norm")}
    share = float(norms["batch_norm"].mean() / max(norms["example_norm"].mean(), 1e-300))
    each = float(case.example_norms.mean())
    noise = max(each - case.squared_gradient, 0.0)
    random = (case.squared_gradient + noise / case.flow.batch) / max(each, 1e-300)
    if share <= 3 * random or len(case.flow) < 5:
        return None
    evidence = (
        Measure("‖batch gradient‖² over the mean of ‖∂C_x/∂w‖²", share),
        Measure("the same for batches of random examples", random),
        Measure("ratio", share / random),
    )
    return Sign("warning", 0.75, evidence)


def _confirm_sorted(case: Case, sign: Sign) -> Outcome:
    start = anew(case)
    first = Trial.of(case, network=start, sorted=True)
    return compared(case, "shuffled, where as it is means sorted by class or target", first, network=start)


PATHOLOGIES = (
    Pathology(
        "unscaled_inputs",
        "The inputs are not scaled",
        "∂C/∂w_jk = a_k δ_j: the gradient of a weight is proportional to its input. Columns of very different size "
        "give slopes of very different size, and no rate suits all; large inputs saturate the units.",
        "Subtract each column's mean and divide by its standard deviation (those of the training data).",
        "Train the same few steps with standardised inputs, and compare the costs.",
        _unscaled_inputs,
        _confirm_inputs,
        needs=frozenset({"numbers", "table"}),
        explains=frozenset({"bad_initialisation", "saturated_units", "vanishing_gradient", "uneven_layers"}),
    ),
    Pathology(
        "unscaled_targets",
        "The targets are not scaled",
        "For real targets δ^L = a − y: large targets make large errors and steps that the network's other weights do "
        "not survive; among several targets the largest has nearly all of the gradient.",
        "Subtract each target's mean and divide by its standard deviation; scale the answers back.",
        "Train the same few steps with standardised targets, and compare the shares of the cost that are left.",
        _unscaled_targets,
        _confirm_targets,
        needs=frozenset({"numbers", "targets"}),
        explains=frozenset({"wrong_initial_cost", "exploding_gradient", "plateau"}),
    ),
    Pathology(
        "class_imbalance",
        "A class is so rare that the others drown it",
        "The gradient is the mean over examples: a rare class has a small share of it. Where its own gradient points "
        "against the whole (cosine below 0), each step makes it worse.",
        "Show the rare class more often, or weight its examples; judge by each class's share of right answers.",
        "Train a few steps with as many examples of each class, and compare the mean over classes of right answers.",
        _imbalance,
        _confirm_imbalance,
        needs=frozenset({"network", "classes"}),
    ),
    Pathology(
        "label_suspects",
        "Labels for a person to look at",
        "‖∂C_x/∂w‖ is how hard an example pulls at the weights. Where the network has learnt the rest, those that pull "
        "hardest against it are hard, or wrongly labelled.",
        "Look at these rows; chainrule.insight.label_suspects ranks them all.",
        "Train a fresh network on the other examples, and see whether it contradicts these labels too.",
        _labels,
        _confirm_labels,
        needs=frozenset({"network", "classes"}),
    ),
    Pathology(
        "overfitting",
        "It learns its examples by heart",
        "The training gradient no longer points where the validation gradient points: steps that lower the training "
        "cost raise that of examples the network has not seen.",
        "Stop where the validation cost was lowest, or use l2, fewer neurons, more examples.",
        "Make all weights a little smaller, and see whether the validation cost falls.",
        _overfitting,
        _confirm_overfitting,
        needs=frozenset(),
    ),
    Pathology(
        "sorted_batches",
        "Batches are no random samples of the examples",
        "Where a batch holds one kind of examples, its gradient is the slope of another cost than the whole: "
        "successive steps undo each other, and the variance between batches is far above tr Σ / n.",
        "Shuffle: leave `order` out, so that each epoch has a fresh random order.",
        "Train the same few steps with the examples sorted and with them shuffled, and compare the costs.",
        _sorted_batches,
        _confirm_sorted,
        needs=frozenset({"flow"}),
        explains=frozenset({"batch_too_large"}),
    ),
)
