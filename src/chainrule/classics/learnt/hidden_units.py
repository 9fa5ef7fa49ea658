"""What the hidden units of a network do over the patterns: for how many they are on, what moves them, what they move.

By derivatives of the network as it is, in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.classics.problems.base import Problem
from chainrule.display import Table, number
from chainrule.insight.presentation import Insight, figure
from chainrule.nn.connected import Connected
from chainrule.transform import grad, jvp

__all__ = ["HiddenUnit", "HiddenUnits", "activity", "hidden_groups", "hidden_units"]

Values = np.ndarray[Any, Any]
_UNITS = 16  # hidden units that are described, at most


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
    groups, sizes = hidden_groups(network), network.wiring.sizes
    named = [(name, unit) for name in groups for unit in range(sizes[name])]
    units = [_hidden_unit(network, x, name, unit) for name, unit in named[:_UNITS]]
    return HiddenUnits(len(x), tuple(units), len(named) - len(units), known)


def hidden_groups(network: Connected) -> list[str]:
    """The groups of units that are no outputs."""
    return [units.name for units in network.wiring.units if units.name not in network.wiring.outputs]


def activity(network: Connected, x: Any, group: str) -> Any:
    """The activities of a group, shape (patterns, units), of one that only its biases reach too."""
    return cnp.broadcast_to(network.forward(x)[group][1], (len(x), network.wiring.sizes[group]))


def _hidden_unit(network: Connected, x: Values, group: str, unit: int) -> HiddenUnit:
    active = np.asarray(activity(network, x, group))[:, unit]
    response = np.asarray(grad(lambda x: cnp.sum(activity(network, x, group)[:, unit]))(x))
    effect = _effects(network, x, group, unit)
    responds_to, moves = (int(np.abs(found).mean(axis=0).argmax()) for found in (response, effect))
    return HiddenUnit(
        group, unit, int((active > 0.5).sum()), float(active.mean()), responds_to,
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
    found = network.forward(x, activate=lambda units, z: units.activation(z) + added.get(units.name, 0))
    return cnp.concatenate([found[name][1] for name in network.wiring.outputs], axis=1)
