"""How results of insight show themselves: as sentences, as a table, as data, as a picture."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from chainrule.display import Page, Picture, Shown, Table, plain
from chainrule.errors import OptionError

__all__ = ["Composed", "Insight", "figure", "two_axes"]


class Insight(Shown):
    """A result of insight. Name or `print` it, show it in a notebook, take its numbers, or `plot` it."""

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

    def page(self) -> Page:
        """What is shown of it: the sentences, the table, the picture."""
        return Page(self.title, (*self.sentences(), self.shown(), Picture(self.plot)))

    def __repr__(self) -> str:
        return str(self)


class Composed(Insight):
    """A result of insight with further results in it, which are shown after it, part by part."""

    @property
    @abstractmethod
    def parts(self) -> Sequence[Insight]:
        """What is in it."""

    def page(self) -> Page:
        """What is shown of it: its own page, then part by part in words."""
        own = super().page()
        return Page(own.title, (*own.blocks, *(part.page().in_words() for part in self.parts)))


def figure(axes: Any) -> Any:
    """The axes that were given, or new ones; OptionError if matplotlib is not installed."""
    if axes is not None:
        return axes
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OptionError("plot needs matplotlib.", cure="pip install matplotlib") from None
    return Figure(layout="constrained").subplots()


def two_axes(axes: Any, width: float, height: float) -> tuple[Any, Any]:
    """The axes that were given, and None; or new ones, and others beside them, on a picture so many inches wide."""
    if axes is not None:
        return axes, None
    picture = figure(None).figure
    picture.clear()
    picture.set_size_inches(width, height)
    left, right = picture.subplots(1, 2)
    return left, right
