"""What if one weight were another: what the derivatives predict, beside what happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.backpropagated import EXAMPLES, home
from chainrule.insight.coordinates import Coordinate, parse_coordinate
from chainrule.insight.levels import rms
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.weights.downstream import Downstream, Moved, Now, downstream
from chainrule.insight.wording import beyond_rounding, counted, moves_cost, percent, raising, second_derivative
from chainrule.nn.parameters import WEIGHT

__all__ = ["Changed", "ClassCost", "WhatIf", "what_if", "what_if_from"]

Values = np.ndarray[Any, Any]
_UNIT = np.arange(-20, 21) / 20  # the usual changes, of a range of 1
_SHOWN = 7  # of the points, when printed
_CLOSE, _NEGLIGIBLE = 0.1, 1e-6  # of the measured change; of the cost


@dataclass(frozen=True)
class ClassCost:
    """The mean cost of the examples of one class, before and after a change."""

    name: str
    before: float
    after: float


@dataclass(frozen=True)
class Changed:
    """What a change of the weight does: to the cost, and to the answers; the examples are rows of the data.

    Accuracy is None, and there are no classes, if the targets are none.
    """

    change: float
    measured: float
    accuracy: float | None
    classes: tuple[ClassCost, ...]
    became_wrong: tuple[int, ...]
    became_right: tuple[int, ...]

    def sentence(self, before: float | None) -> str:
        """What it does, in words; `before` is the accuracy without it."""
        said = f"{raising(self.change).capitalize()} would {moves_cost(self.measured)}"
        said += ", within rounding" if self.measured == 0 else ""
        if self.accuracy is None or before is None:
            return f"{said}."
        flips = f"{counted(len(self.became_wrong), 'example')} would become wrong, {len(self.became_right)} right"
        most = max(self.classes, key=lambda c: abs(c.after - c.before))
        if most.after != most.before:
            said += f", most for class {most.name}: {number(most.before)} → {number(most.after)}"
        return f"{said}. Accuracy {percent(before)} → {percent(self.accuracy)}: {flips}."


Reach = tuple[float | None, float | None]  # downwards, upwards


@dataclass(frozen=True, eq=False, repr=False)
class WhatIf(Insight):
    """ΔC for changes Δw of one weight or bias: predicted to first and second order, and measured.

    C is the mean cost over the examples and the penalty; exact, in float64 behind the weight. `rate` = ∂C/∂w is in cost
    per unit of weight, `curvature` = ∂²C/∂w² in cost per unit of weight squared. `accuracy` belongs to each change.
    The reaches say how far, down and up, a prediction is within 10 % of what is measured (or a millionth of the
    mean C_x) at every change on the way; None if not even at the first.
    """

    weight: Coordinate
    value: float
    examples: int
    cost: float
    rate: float
    curvature: float
    accuracy_now: float | None
    changes: Values
    first_order: Values
    second_order: Values
    measured: Values
    accuracy: Values | None
    first_order_reach: Reach
    second_order_reach: Reach
    ends: tuple[Changed, ...]

    @property
    def title(self) -> str:
        """What it is."""
        return f"What if {self.weight} were another than {number(self.value)}"

    def sentences(self) -> list[str]:
        """The prediction beside the measurement, how far it holds, and what happens at the ends of the range."""
        reaches = self._reached(self.first_order_reach), self._reached(self.second_order_reach)
        return [
            self._nearest(),
            f"The rate itself changes by {number(self.curvature)} per unit ({second_derivative(self.weight)}).",
            f"Within 10 % of what is measured: the straight line (first order) {reaches[0]}; the parabola (second "
            f"order) {reaches[1]}.",
            *(end.sentence(self.accuracy_now) for end in self.ends),
        ]

    def _nearest(self) -> str:
        """The smallest change, upwards if there is one."""
        n = min(np.flatnonzero(self.changes), key=lambda n: (self.changes[n] < 0, abs(self.changes[n])))
        predicted, measured = moves_cost(self.first_order[n]), self.measured[n]
        said = f"{raising(self.changes[n]).capitalize()} is predicted to {predicted}"
        if self.first_order[n] * measured > 0:
            return f"{said}; measured: {number(abs(measured))}."
        return f"{said}; measured: it would {moves_cost(measured)}{', within rounding' if measured == 0 else ''}."

    def _reached(self, reach: Reach) -> str:
        if reach == (None, None):
            return "not even for the smallest change"
        low, high = (number(0 if end is None else end) for end in reach)
        whole = all(end in (None, self.changes[n]) for end, n in zip(reach, (0, -1), strict=True))
        return f"over the whole range, {low} to {high}" if whole else f"from {low} to {high}"

    def table(self) -> Table:
        """Every change with its predictions and its measurements."""
        columns = [f"Δ{self.weight.kind}", "ΔC, first order", "ΔC, second order", "ΔC measured"]
        rows = [self.changes, self.first_order, self.second_order, self.measured]
        if self.accuracy is not None:
            columns.append("accuracy")
            rows.append(self.accuracy)
        return Table(tuple(columns), tuple(tuple(map(float, row)) for row in np.stack(rows, axis=1)))

    def shown(self) -> Table:
        """Some of the changes, from end to end."""
        whole = self.table()
        chosen = np.unique(np.linspace(0, len(whole.rows) - 1, _SHOWN).round().astype(int))
        return Table(whole.columns, tuple(whole.rows[n] for n in chosen))

    def plot(self, axes: Any = None) -> Any:
        """ΔC against Δw: measured, and both predictions."""
        axes = figure(axes)
        axes.plot(self.changes, self.measured, "o", markersize=3, color="black", label="measured")
        axes.plot(self.changes, self.first_order, "--", label="first order")
        axes.plot(self.changes, self.second_order, "-", label="second order")
        axes.axhline(0, color="gray", linewidth=0.5)
        axes.axvline(0, color="gray", linewidth=0.5)
        axes.set(xlabel=f"change of {self.weight}", ylabel="change of the cost", title=self.title)
        axes.legend()
        return axes


def what_if(
    network: Any,
    data: Any,
    weight: str | Coordinate,
    changes: float | Sequence[float] | None = None,
    *,
    cost: AskedCost = None,
    l2: float | None = None,
    examples: int = EXAMPLES,
) -> WhatIf:
    """What changes of one weight or bias would do to the cost: predicted to first and second order, and measured.

    `ΔC ≈ ∂C/∂w·Δ + ½ ∂²C/∂w²·Δ²`, beside `C(w + Δ) − C(w)`; C is the mean over the examples, with the penalty of `l2`
    or of the run. `changes` are the values of Δ; or a number r for 41 of them from −r to r, where r is, unless told,
    the rms of the layer's weights, or |w| if that is more. At most `examples` of the data are used, drawn at random.

    Raises OptionError for a weight that the network does not have, or changes that are no finite numbers; what
    `subject_of` raises for data and cost.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])], "identity")
    >>> found = what_if(network, ([[1.0]], [[0.0]]), "layers[0].w[0, 0]", [-1.0, 1.0], cost="quadratic")
    >>> found.rate, found.curvature, found.second_order, found.measured
    (1.0, 1.0, array([-0.5,  1.5]), array([-0.5,  1.5]))
    """
    asked = subject_of(network, data, cost, l2).at_most(examples)
    named = parse_coordinate(str(weight), asked.network)
    return what_if_from(asked, downstream(asked, named), changes)


def what_if_from(subject: Subject, part: Downstream, changes: float | Sequence[float] | None = None) -> WhatIf:
    """The same from what comes after the weight."""
    weight = part.weight
    steps, value = _steps(changes, subject, weight), weight.value(subject.network)
    moved = part.moved(np.append(steps, 0.0))
    now = replace(part.now(), costs=moved.costs[-1])  # computed in the same way, so that no change measures as 0
    moved = Moved(moved.costs[:-1], moved.answers[:-1])
    penalty = subject.objective.penalty if weight.role == WEIGHT else 0.0
    rate, curvature = float(now.slopes.mean()) + penalty * value, float(now.curvatures.mean()) + penalty
    of_examples = float(now.costs.mean())
    of_penalty = penalty * (value * steps + steps**2 / 2)
    measured = beyond_rounding((moved.costs - now.costs).mean(axis=1) + of_penalty, of_examples)
    first = rate * steps + 0.0  # no -0
    second = first + curvature * steps**2 / 2
    ends = tuple(_changed(subject, now, moved, steps, measured, n) for n in sorted({0, len(steps) - 1}))
    accuracy = np.mean(moved.answers == subject.classes, axis=1) if subject.has_classes else None
    accuracy_now = float(np.mean(now.answers == subject.classes)) if subject.has_classes else None
    return WhatIf(
        weight=weight,
        value=value,
        examples=subject.count,
        cost=of_examples + _penalty(subject),
        rate=rate,
        curvature=curvature,
        accuracy_now=accuracy_now,
        changes=steps,
        first_order=first,
        second_order=second,
        measured=measured,
        accuracy=accuracy,
        first_order_reach=_reaches(steps, first, measured, _NEGLIGIBLE * of_examples),
        second_order_reach=_reaches(steps, second, measured, _NEGLIGIBLE * of_examples),
        ends=ends,
    )


def _penalty(subject: Subject) -> float:
    if not subject.objective.penalty:
        return 0.0
    squares = sum(np.sum(np.square(w, dtype=np.float64)) for w in subject.parameters.weights)
    return float(0.5 * subject.objective.penalty * squares)


def _steps(changes: Any, subject: Subject, weight: Coordinate) -> Values:
    """The changes in rising order."""
    if changes is None:
        usual = max(abs(weight.value(subject.network)), _size_of_weights(subject, weight))
        changes = usual if 0 < usual < np.inf else 1.0
    try:
        asked = np.asarray(changes, np.float64)
    except (TypeError, ValueError):
        asked = np.array(np.nan)
    if asked.ndim > 1 or not np.isfinite(asked).all() or not asked.any() or (asked.ndim == 0 and asked < 0):
        raise OptionError(
            f"changes must be finite numbers that are not all 0, or one above 0, not {changes!r}.",
            cure="Write changes=[-0.1, 0.1], or changes=0.1 for 41 from -0.1 to 0.1.",
        )
    return asked * _UNIT if asked.ndim == 0 else np.unique(asked)


def _size_of_weights(subject: Subject, weight: Coordinate) -> float:
    """The rms of the weights that act where the weight or bias acts; of its own array where there are none."""
    found, arrays = home(subject.stages, weight), subject.parameters.arrays
    beside = subject.stages[found].weights if found is not None else ()
    return rms(np.concatenate([np.ravel(arrays[n]) for n in beside or (weight.array,)]))


def _reaches(steps: Values, predicted: Values, measured: Values, negligible: float) -> Reach:
    close = np.abs(predicted - measured) <= _CLOSE * np.abs(measured) + negligible
    down, up = np.flatnonzero(steps < 0)[::-1], np.flatnonzero(steps > 0)
    return _reach(steps[down], close[down]), _reach(steps[up], close[up])


def _reach(steps: Values, close: Values) -> float | None:
    """The last of the steps, from 0 outwards, before the first at which the prediction is not close."""
    count = int(np.argmin([*close, False]))
    return float(steps[count - 1]) if count else None


def _changed(subject: Subject, now: Now, moved: Moved, steps: Values, measured: Values, n: int) -> Changed:
    change, difference = float(steps[n]), float(measured[n])
    if not subject.has_classes:
        return Changed(change, difference, None, (), (), ())
    before, after = now.answers == subject.classes, moved.answers[n] == subject.classes
    return Changed(
        change=change,
        measured=difference,
        accuracy=float(after.mean()),
        classes=_class_costs(subject, now.costs, moved.costs[n]),
        became_wrong=_rows(subject, before & ~after),
        became_right=_rows(subject, after & ~before),
    )


def _rows(subject: Subject, chosen: Values) -> tuple[int, ...]:
    return tuple(subject.row(int(n)) for n in np.flatnonzero(chosen))


def _class_costs(subject: Subject, before: Values, after: Values) -> tuple[ClassCost, ...]:
    present, counts = np.unique(subject.classes, return_counts=True)
    sums = [np.bincount(subject.classes, costs)[present] / counts for costs in (before, after)]
    return tuple(ClassCost(subject.named(int(c)), float(b), float(a)) for c, b, a in zip(present, *sums, strict=True))
