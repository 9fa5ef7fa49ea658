"""How a network works that has learnt: its hidden units over the patterns, and the weights that its error hangs on.

Everything is computed by derivatives of the network as it is, in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.descent import error
from chainrule.display import Page, Picture, Table, number
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.wording import beyond_rounding, counted
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.connected import Connected
from chainrule.transform import compile, grad, jvp, vmap
from chainrule.tree import ravel

__all__ = [
    "Answers", "HiddenUnit", "HiddenUnits", "WeightChange", "WeightDependence", "WeightWeighed", "answers",
    "hidden_units", "weight_dependence",
]  # fmt: skip

Values = np.ndarray[Any, Any]
_SHOWN = 16  # patterns that are printed
_BITS = 16  # that are printed as such, at most
_COLUMNS = 8  # for hidden units and outputs, at most
_UNITS = 16  # hidden units that are described, at most
_WEIGHED = 200  # weights that are removed, the largest, at most
_LISTED = 8  # of them, those that matter most
_FRACTIONS = (-1.0, -0.5, -0.1, -0.01, 0.01, 0.1)  # of the weight, by which it is changed


# the patterns


@dataclass(frozen=True, eq=False, repr=False)
class Answers(Insight):
    """What the network answers: for each pattern the activities of the hidden units, the outputs, the targets.

    `x` has the shape (patterns, inputs), `patterns` says it in words; `hidden` (patterns, hidden units), none if there
    are many; `outputs` and `y` (patterns, outputs).
    """

    x: Values
    patterns: tuple[str, ...]
    names: tuple[str, ...]
    hidden: Values
    outputs: Values
    y: Values

    @property
    def right(self) -> Values:
        """Which patterns have every output on its target's side of ½."""
        found: Values = ((self.outputs > 0.5) == (self.y > 0.5)).all(axis=1)
        return found

    @property
    def title(self) -> str:
        """What it is."""
        return "The patterns and the answers"

    def sentences(self) -> list[str]:
        """How many are right."""
        shown = "" if len(self.x) <= _SHOWN else f"; the first {_SHOWN}"
        return [f"{int(self.right.sum())} of {counted(len(self.x), 'pattern')} are right{shown}:"]

    def table(self) -> Table:
        """A pattern a row."""
        many = len(self.names) + self.outputs.shape[1] > _COLUMNS
        outputs = ("outputs",) if many else tuple(f"output {k}" for k in range(self.outputs.shape[1]))
        rows = [
            (x, *map(_level, hidden), *((_on(o),) if many else map(_level, o)), _on(y), _yes(right))
            for x, hidden, o, y, right in zip(self.patterns, self.hidden, self.outputs, self.y, self.right, strict=True)
        ]
        return Table(("pattern", *self.names, *outputs, "wanted", "right"), tuple(rows))

    def shown(self) -> Table:
        """The first of them."""
        whole = self.table()
        return Table(whole.columns, whole.rows[:_SHOWN])

    def plot(self, axes: Any = None) -> Any:
        """The outputs for each pattern, beside what is wanted."""
        axes = figure(axes)
        both = np.concatenate([self.outputs, np.full((len(self.y), 1), np.nan), self.y], axis=1)
        axes.imshow(both, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axes.set(title=f"{self.title} (left), and what is wanted", xlabel="output", ylabel="pattern")
        return axes


def answers(problem: Problem, network: Connected) -> Answers:
    """What a network answers to the patterns of a problem."""
    x = problem.x.astype(network.dtype)
    hidden = {name: np.asarray(_activity(network, x, name)) for name in _hidden_groups(network)}
    names = tuple(f"{name} {unit}" for name, a in hidden.items() for unit in range(a.shape[1]))
    few = 0 < len(names) <= _COLUMNS
    side = np.concatenate(list(hidden.values()), axis=1) if few else np.zeros((len(x), 0))
    return Answers(problem.x, _patterns(problem), names if few else (), side, np.asarray(network(x)), problem.y)


def _patterns(problem: Problem) -> tuple[str, ...]:
    """Each pattern as its bits; by the place of the one that is on in each group, where they are many and so."""
    groups = problem.wiring.inputs
    ends = np.cumsum([size for _, size in groups])
    parts = np.split(problem.x, ends[:-1], axis=1)
    if ends[-1] <= _BITS or any((part.sum(axis=1) != 1).any() for part in parts):
        return tuple(_bits(x) for x in problem.x)
    columns = [
        [f"{name} {place}" for place in part.argmax(axis=1)] for (name, _), part in zip(groups, parts, strict=True)
    ]
    return tuple(", ".join(row) for row in zip(*columns, strict=True))


# the hidden units


@dataclass(frozen=True)
class HiddenUnit:
    """A hidden unit over the patterns: for how many it is on (a > ½), what moves it, what it moves.

    `responds_to` is the input with the largest mean |∂a/∂x|, `response` the mean of ∂a/∂x there. `moves` is the output
    with the largest mean |∂y/∂a|, `effect` the mean of ∂y/∂a there: by how much the output rises per unit of activity.
    """

    group: str
    unit: int
    on: int
    mean: float
    responds_to: int
    response: float
    moves: int
    effect: float


@dataclass(frozen=True, eq=False, repr=False)
class HiddenUnits(Insight):
    """What the hidden units respond to, and what they do to the outputs, by derivatives over the patterns."""

    patterns: int
    units: tuple[HiddenUnit, ...]
    omitted: int
    known: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is."""
        return "What the hidden units do"

    def sentences(self) -> list[str]:
        """What is known of the solution; the unit that moves an output most."""
        said = list(self.known)
        if self.units:
            most = max(self.units, key=lambda unit: abs(unit.effect))
            said.append(
                f"Raising the activity of {most.group} {most.unit} {'raises' if most.effect > 0 else 'lowers'} output "
                f"{most.moves} most: ∂y/∂a = {number(most.effect)} in the mean over the patterns."
            )
        return said + ([f"{self.omitted} more hidden units are left out."] if self.omitted else [])

    def table(self) -> Table:
        """A unit a row."""
        columns = (
            "unit", f"on for, of {self.patterns}", "mean a", "responds to", "mean ∂a/∂x", "moves", "mean ∂y/∂a",
        )  # fmt: skip
        rows = tuple(
            (f"{u.group} {u.unit}", u.on, u.mean, f"input {u.responds_to}", u.response, f"output {u.moves}", u.effect)
            for u in self.units
        )
        return Table(columns, rows)

    def plot(self, axes: Any = None) -> Any:
        """∂y/∂a of each unit."""
        axes = figure(axes)
        names = [f"{u.group} {u.unit} → {u.moves}" for u in self.units][::-1]
        axes.barh(names, [u.effect for u in self.units][::-1])
        axes.set(title=self.title, xlabel="mean ∂y/∂a of the output that it moves most")
        return axes


def hidden_units(problem: Problem, network: Connected, known: tuple[str, ...] = ()) -> HiddenUnits:
    """What the hidden units of a network do over the patterns of a problem; `known` are sentences to begin with."""
    network, x = network.astype(np.float64), problem.x.astype(np.float64)
    groups, sizes = _hidden_groups(network), network.wiring.sizes
    places = [(name, unit) for name in groups for unit in range(sizes[name])]
    units = [_hidden_unit(network, x, *place) for place in places[:_UNITS]]
    return HiddenUnits(len(x), tuple(units), len(places) - len(units), known)


def _hidden_groups(network: Connected) -> list[str]:
    return [units.name for units in network.wiring.units if units.name not in network.wiring.outputs]


def _activity(network: Connected, x: Any, group: str) -> Any:
    """The activities of a group, shape (patterns, units), of one that only its biases reach too."""
    return cnp.broadcast_to(network.forward(x)[group][1], (len(x), network.wiring.sizes[group]))


def _hidden_unit(network: Connected, x: Values, group: str, unit: int) -> HiddenUnit:
    activity = np.asarray(_activity(network, x, group))[:, unit]
    response = np.asarray(grad(lambda x: cnp.sum(_activity(network, x, group)[:, unit]))(x))
    effect = _effects(network, x, group, unit)
    responds_to, moves = (int(np.abs(found).mean(axis=0).argmax()) for found in (response, effect))
    return HiddenUnit(
        group, unit, int((activity > 0.5).sum()), float(activity.mean()), responds_to,
        float(response[:, responds_to].mean()), moves, float(effect[:, moves].mean()),
    )  # fmt: skip


def _effects(network: Connected, x: Values, group: str, unit: int) -> Values:
    """∂y/∂a of one unit's activity, shape (patterns, outputs)."""
    direction = np.zeros((len(x), network.wiring.sizes[group]))
    direction[:, unit] = 1
    found = jvp(lambda added: _outputs(network, x, {group: added}), (0 * direction,), (direction,))[1]
    return np.asarray(found)


def _outputs(network: Connected, x: Values, added: Mapping[str, Any]) -> Any:
    """The outputs when something is added to the activities of some groups."""
    found = network.forward(x)
    activations = {name: found[name][1] for name, _ in network.wiring.inputs}
    for units in network.wiring.units:
        a = ACTIVATIONS[units.activation](network.weighted_input(units, activations))
        activations[units.name] = a + added[units.name] if units.name in added else a
    return cnp.concatenate([activations[name] for name in network.wiring.outputs], axis=1)


# the weights


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
    asked, names = _Error(problem, network), _places(network)
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

    def changed(self, place: int, change: float) -> tuple[float, int]:
        """ΔE when a parameter changes, measured, and the patterns right then."""
        found, right = self.look(_moved(self.whole, place, change))
        return beyond_rounding(float(found) - self.now, self.now), int(right)

    def derivatives(self, places: list[int]) -> tuple[list[float], list[float]]:
        """∂E/∂w and ∂²E/∂w² of some of the parameters."""
        directions, slope = np.eye(len(self.whole))[places], grad(self.error)
        along = compile(vmap(lambda direction: jvp(slope, (self.whole,), (direction,))[1]))
        curvatures = np.sum(np.asarray(along(directions)) * directions, axis=1)
        return np.asarray(slope(self.whole))[places].tolist(), curvatures.tolist()


def _predicted(rate: float, curvature: float, change: float) -> tuple[float, float]:
    """ΔE to first and to second order."""
    first = rate * change
    return first, first + curvature * change**2 / 2


def _moved(whole: Values, place: int, change: float) -> Values:
    found = whole.copy()
    found[place] += change
    return found


def _places(network: Connected) -> list[str]:
    """The name of each parameter, in the order in which `ravel` has them."""
    biases = {f"bias {name}": b for name, b in network.biases.items()}
    arrays = (network.weights | biases).items()
    return [f"{name}{list(index)}" for name, array in arrays for index in np.ndindex(np.shape(array))]


# in words


def _bits(values: Values) -> str:
    return "".join(str(int(value > 0.5)) for value in values)


def _on(values: Values) -> str:
    """The bits; of many, the places of those that are on."""
    if len(values) <= _BITS:
        return _bits(values)
    return ", ".join(map(str, np.flatnonzero(values > 0.5))) or "none"


def _level(value: float) -> str:
    return f"{value:.2f}"


def _yes(right: bool) -> str:
    return "yes" if right else "no"
