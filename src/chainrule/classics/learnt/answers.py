"""What a network answers to each pattern, beside what is wanted, and how active its hidden units are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.classics.learnt.hidden_units import activity, hidden_groups
from chainrule.classics.problems.base import Problem
from chainrule.display import Table
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.wording import counted
from chainrule.nn.connected import Connected

__all__ = ["Answers", "answers"]

Values = np.ndarray[Any, Any]
_SHOWN = 16  # patterns that are printed
_BITS = 16  # that are printed as such, at most
_COLUMNS = 8  # for hidden units and outputs, at most


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
    hidden = {name: np.asarray(activity(network, x, name)) for name in hidden_groups(network)}
    names = tuple(f"{name} {unit}" for name, a in hidden.items() for unit in range(a.shape[1]))
    few = 0 < len(names) <= _COLUMNS
    side = np.concatenate(list(hidden.values()), axis=1) if few else np.zeros((len(x), 0))
    return Answers(problem.x, _patterns(problem), names if few else (), side, np.asarray(network(x)), problem.y)


def _patterns(problem: Problem) -> tuple[str, ...]:
    """Each pattern as its bits; by the number of the one that is on in each group, where they are many and so."""
    groups = problem.wiring.inputs
    ends = np.cumsum([size for _, size in groups])
    parts = np.split(problem.x, ends[:-1], axis=1)
    if ends[-1] <= _BITS or any((part.sum(axis=1) != 1).any() for part in parts):
        return tuple(_bits(x) for x in problem.x)
    columns = [
        [f"{name} {unit}" for unit in part.argmax(axis=1)] for (name, _), part in zip(groups, parts, strict=True)
    ]
    return tuple(", ".join(row) for row in zip(*columns, strict=True))


def _bits(values: Values) -> str:
    return "".join(str(int(value > 0.5)) for value in values)


def _on(values: Values) -> str:
    """The bits; of many, the numbers of those that are on."""
    if len(values) <= _BITS:
        return _bits(values)
    return ", ".join(map(str, np.flatnonzero(values > 0.5))) or "none"


def _level(value: float) -> str:
    return f"{value:.2f}"


def _yes(right: bool) -> str:
    return "yes" if right else "no"
