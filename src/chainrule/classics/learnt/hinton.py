"""Hinton diagrams: the weights of a network as squares, as large as the weight, filled or hollow as its sign is.

Source: the weights of the symmetry network and of the family trees in Rumelhart, Hinton & Williams, Nature 323 (1986),
533-536, figures 1 and 4, are drawn in this way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from chainrule.display import Brief, Lines, Page, Picture, Table, number
from chainrule.insight.presentation import Insight, figure
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Connection, Units

__all__ = ["HintonDiagram", "IncomingWeights", "UnitWeights", "hinton_diagram"]

Values = np.ndarray[Any, Any]
_POSITIVE, _NEGATIVE = "·▪◼■", "◦▫◻□"  # from hardly anything to the largest
_SIDES = (0.15, 0.4, 0.7)  # of the largest square's side, from which on the next glyph stands for it
_COLUMNS, _NUMBERED = 48, 12  # weights in a line, at most: squares alone, squares with numbers
_ROWS = 24  # units of a group on a terminal, at most
_BLUE, _ORANGE = "#0072b2", "#e69f00"


@dataclass(frozen=True, eq=False, repr=False)
class IncomingWeights(Brief):
    """The weights from one source, or the biases: shape (units, from); nan where there is no connection."""

    source: str
    weights: Values


@dataclass(frozen=True, eq=False, repr=False)
class UnitWeights(Brief):
    """All weights to the units of a group, by source, the bias last; `shared` where all units have the same."""

    target: str
    incoming: tuple[IncomingWeights, ...]
    shared: bool = False

    @property
    def count(self) -> int:
        """How many rows there are: the units, or one for all of them."""
        return len(self.incoming[0].weights)

    def row_name(self, row: int) -> str:
        """The unit of a row."""
        return "each" if self.shared else str(row)


@dataclass(frozen=True, eq=False, repr=False)
class HintonDiagram(Insight):
    """The weights of a network as squares: their area is in proportion to |w|, and `largest` is that of the largest.

    Positive weights are filled squares, negative ones are hollow; in colour they are blue and orange. Tied weights are
    drawn once.
    """

    groups: tuple[UnitWeights, ...]
    largest: float

    @property
    def title(self) -> str:
        """What it is."""
        return "The weights to each unit"

    def sentences(self) -> list[str]:
        """How to read it."""
        return [f"■ positive, □ negative; the area of a square is |w|, the largest is {number(self.largest)}."]

    def table(self) -> Table:
        """Every weight, one a row."""
        rows = [
            (group.target, group.row_name(j), part.source, k, float(w))
            for group in self.groups
            for part in group.incoming
            for (j, k), w in np.ndenumerate(part.weights)
            if not np.isnan(w)
        ]
        return Table(("to", "unit", "from", "from unit", "weight"), tuple(rows))

    def shown(self) -> Table:
        """None: the squares show it."""
        return Table((), ())

    def glyph(self, weight: float) -> str:
        """The square that stands for a weight on a terminal; a blank where there is none.

        >>> diagram = HintonDiagram((), 10.0)
        >>> [diagram.glyph(w) for w in (10.0, -10.0, 2.5, -2.5, 0.1)]
        ['■', '□', '◼', '◻', '·']
        """
        if np.isnan(weight):
            return " "
        glyphs = _NEGATIVE if weight < 0 else _POSITIVE
        return glyphs[sum(self.side(weight) >= side for side in _SIDES)]

    def side(self, weight: float) -> float:
        """The side of a weight's square, of the largest: √(|w| / largest)."""
        return float(np.sqrt(abs(weight) / self.largest)) if self.largest else 0.0

    def page(self) -> Page:
        """What is shown of it: how to read it, and the squares of each group of units."""
        squares = (Lines(partial(_text, self, group)) for group in self.groups)
        return Page(self.title, (*self.sentences(), *squares, Picture(self.plot)))

    def plot(self, axes: Any = None, *, colour: bool = True) -> Any:
        """The squares, a row for each unit: filled blue and hollow orange; or white and black on grey, as in 1986."""
        axes = figure(axes)
        top, names = 0, dict[int, str]()
        for group in self.groups:
            _draw_group(axes, self, group, top, colour)
            names |= {top + row: f"{group.target} {group.row_name(row)}" for row in range(group.count)}
            top += group.count + 2
        axes.set(title=self.title, aspect="equal", xticks=[], ylim=(top - 2, -1.8))
        axes.set_yticks(list(names), list(names.values()), fontsize=8)
        axes.set_xlim(-1, max([_extent(group) for group in self.groups], default=1) - 1)
        axes.set_facecolor("white" if colour else "#909090")
        return axes


def hinton_diagram(network: Connected) -> HintonDiagram:
    """The Hinton diagram of a network: for each unit its incoming weights, by the group that they come from.

    >>> from chainrule.nn.connected import Units
    >>> network = Connected(2, [Units("output", 1)], [("input", "output")])
    >>> [part.source for part in hinton_diagram(network).groups[0].incoming]
    ['input', 'bias']
    """
    seen: set[str] = set()
    groups = tuple(group for units in network.wiring.units for group in _groups(network, units, seen))
    sizes = [np.nanmax(np.abs(part.weights)) for group in groups for part in group.incoming]
    return HintonDiagram(groups, float(max(sizes, default=0.0)))


def _groups(network: Connected, units: Units, seen: set[str]) -> Iterator[UnitWeights]:
    """What reaches the units and was not seen before: weights that all of them share, and weights of their own."""
    new: dict[str, tuple[bool, IncomingWeights]] = {}
    for name, is_shared, weights in _incoming(network, units):
        if name not in seen:
            new.setdefault(name, (is_shared, weights))
    seen.update(new)
    target = units.name.partition("@")[0]  # of a step in time: they all have the same weights
    for shared in (True, False):
        weights_of_kind = tuple(weights for is_shared, weights in new.values() if is_shared is shared)
        if weights_of_kind:
            yield UnitWeights(target, weights_of_kind, shared)


def _incoming(network: Connected, units: Units) -> Iterator[tuple[str, bool, IncomingWeights]]:
    """The name of each array that reaches the units, whether all of them share it, and its weights."""
    for connection in network.wiring.into(units):
        source = connection.name.rpartition("->")[0] or connection.name
        shared = _is_shared(connection)
        weights = np.asarray(network.weights[connection.name])[None] if shared else _matrix(network, connection)
        yield connection.name, shared, IncomingWeights(source, weights)
    if units.bias_name is not None:
        biases = np.asarray(network.biases[units.bias_name])[:, None]
        yield f"bias {units.bias_name}", False, IncomingWeights("bias", biases)


def _is_shared(connection: Connection) -> bool:
    """Whether one weight is in several places."""
    used = [index for row in connection.places or () for index in row if index >= 0]
    return len(set(used)) < len(used)


def _matrix(network: Connected, connection: Connection) -> Values:
    found = np.array(network.matrix(connection), dtype=float)
    if connection.places is not None:
        found[np.array(connection.places) < 0] = np.nan
    return found


# on a terminal


def _text(diagram: HintonDiagram, group: UnitWeights) -> Any:
    """The squares of a group: a row for each unit, all sources beside each other where there is room."""
    from rich.text import Text

    columns = sum(part.weights.shape[1] for part in group.incoming)
    text = Text()
    for parts in [group.incoming] if columns <= _COLUMNS else [(part,) for part in group.incoming]:
        text.append("\n" if text else "")
        text.append_text(_rows(diagram, group, parts, numbered=columns <= _NUMBERED))
    return text


def _rows(diagram: HintonDiagram, group: UnitWeights, parts: Sequence[IncomingWeights], *, numbered: bool) -> Any:
    """A line that names the sources, and for each unit one of squares, or several if they are too many for one."""
    from rich.text import Text

    width = max(len(group.target), len(group.row_name(group.count - 1)))
    cell = 9 if numbered else 2
    spans = [max(len(part.source) + 1, cell * min(part.weights.shape[1], _COLUMNS)) + 2 for part in parts]
    head = "".join(f"{part.source:{span}}" for part, span in zip(parts, spans, strict=True))
    text = Text().append(f"{group.target:{width}}   {head}".rstrip(), style="dim")
    for row in range(min(group.count, _ROWS)):
        for start in range(0, max(part.weights.shape[1] for part in parts), _COLUMNS):
            text.append(f"\n{'' if start else group.row_name(row):>{width}}   ")
            for part, span in zip(parts, spans, strict=True):
                text.append_text(_cells(diagram, part.weights[row, start : start + _COLUMNS], span, numbered))
        text.rstrip()
    if group.count > _ROWS:
        text.append(f"\n{'':{width}}   and {group.count - _ROWS} more")
    return text


def _cells(diagram: HintonDiagram, weights: Values, span: int, numbered: bool) -> Any:
    """Squares in a line of that many characters."""
    from rich.text import Text

    text = Text()
    for weight in weights:
        value = f"{weight:<+7.2f}" if abs(weight) < 100 else f"{weight:<+7.0f}"
        number = ("" if np.isnan(weight) else value) if numbered else ""
        text.append(f"{diagram.glyph(weight)} {number:{7 if numbered else 0}}", style=_style(weight))
    text.append(" " * (span - len(text)))
    return text


def _style(weight: float) -> str:
    return "dark_orange" if weight < 0 else "blue"


# on matplotlib's axes


def _extent(group: UnitWeights) -> int:
    return sum(part.weights.shape[1] + 1 for part in group.incoming)


def _draw_group(axes: Any, diagram: HintonDiagram, group: UnitWeights, top: int, colour: bool) -> None:
    left = 0
    for part in group.incoming:
        axes.text(left - 0.5, top - 0.8, part.source, ha="left", va="bottom", fontsize=8)
        for (row, k), weight in np.ndenumerate(part.weights):
            if not np.isnan(weight):
                axes.add_patch(_square(diagram.side(weight), left + k, top + row, weight > 0, colour))
        left += part.weights.shape[1] + 1


def _square(side: float, x: float, y: float, positive: bool, colour: bool) -> Any:
    from matplotlib.patches import Rectangle

    size = 0.9 * side
    corner = x - size / 2, y - size / 2
    if not colour:
        return Rectangle(corner, size, size, facecolor="white" if positive else "black", edgecolor="none")
    if positive:
        return Rectangle(corner, size, size, facecolor=_BLUE, edgecolor="none")
    return Rectangle(corner, size, size, facecolor="white", edgecolor=_ORANGE, linewidth=1.2)
