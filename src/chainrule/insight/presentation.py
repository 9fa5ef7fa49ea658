"""How results show themselves: on a terminal, in a notebook, as data, as a picture."""

from __future__ import annotations

import dataclasses
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from chainrule.errors import OptionError

__all__ = ["Composed", "Insight", "Table", "figure", "number", "plain", "two_axes"]


def number(value: Any) -> str:
    """A number in as many digits as one reads: four, with an exponent where it is far from 1."""
    if value is None:
        return "—"
    if isinstance(value, bool | str | int | np.integer):
        return str(value)
    return f"{float(value):.4g}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers and words under named columns; a column's name carries its unit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class Insight(ABC):
    """A result of insight. `print` it, show it in a notebook, take its numbers, or `plot` it."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a few words."""

    @abstractmethod
    def sentences(self) -> Sequence[str]:
        """What it says, in plain words, the most important first."""

    @abstractmethod
    def table(self) -> Table:
        """Its numbers."""

    def shown(self) -> Table:
        """As much of the table as is printed; all of it, unless that is long."""
        return self.table()

    @abstractmethod
    def plot(self, axes: Any = None) -> Any:
        """Its picture, on matplotlib axes that are given or made; returns the axes."""

    def to_dict(self) -> dict[str, Any]:
        """Everything in it as plain lists, numbers and strings; what is not a finite number is None."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {"title": self.title, **{f.name: plain(getattr(self, f.name)) for f in fields}}

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame; OptionError if pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise OptionError("to_frame needs pandas.", cure="pip install pandas") from None
        made = self.table()
        return pandas.DataFrame(list(made.rows), columns=list(made.columns))

    def __rich__(self) -> Any:
        """For rich: the title, the sentences, the table."""
        from rich.console import Group
        from rich.text import Text

        return Group(Text(self.title, style="bold"), *(Text(s) for s in self.sentences()), *_rich_table(self.shown()))

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=120, highlight=False, markup=False, emoji=False).print(self)
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(s)}</p>" for s in self.sentences())
        return f"<h4>{escape(self.title)}</h4>{said}{_html_table(self.shown())}"


class Composed(Insight):
    """A result of insight with further results in it, which are shown after it, part by part."""

    @property
    @abstractmethod
    def parts(self) -> Sequence[Insight]:
        """What is in it."""

    def __rich__(self) -> Any:
        """For rich: what it is, then part by part."""
        from rich.console import Group

        return Group(super().__rich__(), *(shown for part in self.parts for shown in ("", part)))

    def _repr_html_(self) -> str:
        return super()._repr_html_() + "".join(part._repr_html_() for part in self.parts)


def figure(axes: Any) -> Any:
    """The axes that were given, or new ones; OptionError if matplotlib is not installed."""
    if axes is not None:
        return axes
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OptionError("plot needs matplotlib.", cure="pip install matplotlib") from None
    return Figure(layout="constrained").subplots()


def two_axes(axes: Any, width: float, height: float) -> Any:
    """The two axes that were given, or new ones side by side on a picture so many inches wide and high."""
    if axes is not None:
        return axes
    picture = figure(None).figure
    picture.clear()
    picture.set_size_inches(width, height)
    return picture.subplots(1, 2)


def plain(value: Any) -> Any:
    """A value as plain lists, numbers and strings, as JSON has them; what is not a finite number is None."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bool | int | str) or value is None:
        return value
    return int(value) if isinstance(value, np.integer) else str(value)


def _rich_table(made: Table) -> list[Any]:
    from rich.table import Table as RichTable

    if not made.rows:
        return []
    shown = RichTable(box=None, pad_edge=False, header_style="dim")
    for n, column in enumerate(made.columns):
        words = all(isinstance(row[n], str) for row in made.rows)
        shown.add_column(column, justify="left" if words else "right")
    for row in made.rows:
        shown.add_row(*(number(cell) for cell in row))
    return [shown]


def _html_table(made: Table) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in made.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(number(cell))}</td>" for cell in row) + "</tr>" for row in made.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if made.rows else ""
