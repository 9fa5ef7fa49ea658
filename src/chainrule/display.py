"""How things show themselves: a page of sentences, tables and facts, as text on a terminal or as HTML in a notebook.

Whatever has more to say than fits on one line derives from `Shown` and says what is on its page.
"""

from __future__ import annotations

import base64
import io
import math
import re
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from html import escape
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = [
    "Block",
    "Brief",
    "Facts",
    "Lines",
    "Page",
    "PageEntry",
    "Picture",
    "Shown",
    "Table",
    "aligned",
    "brief",
    "counted",
    "number",
    "plain",
    "printable",
    "rms",
    "text",
]  # fmt: skip


def number(value: Any) -> str:
    """A number in as many digits as one reads: four, with an exponent where it is far from 1.

    >>> number(0.000123456), number(-0.0), number(None)
    ('0.0001235', '0', '—')
    """
    if value is None:
        return "—"
    if isinstance(value, bool | str | int | np.integer):
        return str(value)
    return f"{float(value) + 0.0:.4g}"


def printable(text: str) -> str:
    """The text with everything spelled out that could command a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def counted(count: int, thing: str) -> str:
    """`1 example`, `1,000 examples`."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def plain(value: Any) -> Any:
    """A value as plain lists, numbers and strings, as JSON has them; what is not a finite number is None.

    >>> plain({"w": np.array([0.5, np.inf], np.float32), "n": np.int64(3), "of": ("a", None)})
    {'w': [0.5, None], 'n': 3, 'of': ['a', None]}
    """
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bool | int | str) or value is None:
        return value
    return value.item() if isinstance(value, np.integer | np.bool_) else str(value)


def rms(array: Any) -> float | None:
    """The root of the mean of the squares of the numbers; None where they are not known, or there are none."""
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if _is_known(array) and array.size else None


def _is_known(array: Any) -> bool:
    return isinstance(array, np.ndarray | np.generic)


# in one line


class Brief:
    """A dataclass that is named in one line, whatever arrays it holds."""

    def __repr__(self) -> str:
        told = (f"{f.name}={brief(getattr(self, f.name))}" for f in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(told)})"


def brief(value: Any) -> str:
    """A value in a few words: of an array its dtype and shape, of many things the first.

    >>> brief(np.zeros((30, 784), np.float32)), brief(list(range(10)))
    ('float32[30, 784]', '[0, 1, 2, … 10 in all]')
    """
    if hasattr(value, "dtype") and getattr(value, "shape", None):
        return f"{value.dtype}{list(value.shape)}"
    if type(value) is dict:
        return f"{{{_first([f'{brief(key)}: {brief(item)}' for key, item in value.items()])}}}"
    if type(value) in (list, tuple):
        inside = _first([brief(item) for item in value[:_FIRST]] + [""] * (len(value) - _FIRST))
        return f"[{inside}]" if type(value) is list else f"({inside}{',' * (len(value) == 1)})"
    text = repr(value)
    return text if len(text) <= _LONGEST or isinstance(value, Brief) else f"{text[:_LONGEST]}…"


_FIRST, _LONGEST = 3, 80


def _first(told: Sequence[str]) -> str:
    return ", ".join([*told[:_FIRST], f"… {len(told)} in all"] if len(told) > _FIRST else told)


# what is on a page


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers and words under named columns; a column's name carries its unit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is what, a line each."""

    of: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PageEntry:
    """Something set apart from what is before and after it: its title, a mark that says of what kind it is, facts."""

    title: str
    mark: str
    colour: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that stay as they are, made as rich's Text; without their colours in a notebook."""

    make: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, drawn on matplotlib axes that `draw` returns; for notebooks only."""

    draw: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A title, and what is under it."""

    title: str
    blocks: Sequence[Block] = ()

    def __rich__(self) -> Any:
        """For rich: the page."""
        return _rich(self)

    def in_words(self) -> Page:
        """The page without its pictures, and those of the pages on it."""
        kept = (b.in_words() if isinstance(b, Page) else b for b in self.blocks if not isinstance(b, Picture))
        return Page(self.title, tuple(kept))


Block = str | Table | Facts | PageEntry | Lines | Picture | Page


class Shown(ABC):
    """Something that has a page to show."""

    @abstractmethod
    def page(self) -> Page:
        """What is shown of it."""

    def __rich__(self) -> Any:
        """For rich: the page."""
        return self.page()

    def __str__(self) -> str:
        return text(self, _width())

    def _repr_html_(self) -> str:
        return f'<div style="max-width: 60em">{_html(self.page())}</div>'


def text(shown: Any, width: int) -> str:
    """What rich makes of something, as lines of at most so many characters, without colours or blanks at their ends."""
    from rich.console import Console

    lines = io.StringIO()
    Console(file=lines, width=width, highlight=False, markup=False, emoji=False, no_color=True).print(shown)
    return "\n".join(line.rstrip() for line in lines.getvalue().rstrip().split("\n"))


_USUAL_WIDTH, _LEAST_WIDTH = 120, 40


def _width() -> int:
    """As wide as the terminal that it is printed on; of whatever else, as is usual."""
    on_terminal = getattr(sys.stdout, "isatty", bool)()
    return max(shutil.get_terminal_size((_USUAL_WIDTH, 0)).columns, _LEAST_WIDTH) if on_terminal else _USUAL_WIDTH


# columns


_NUMERIC = re.compile(r"[-+±−]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?( ?%| s)?|—|nan|-?inf")


def aligned(cells: Sequence[str], digit: str = " ", point: str = " ") -> list[str]:
    """Numbers with their points under each other, all equally wide: filled up with what is as wide as a digit, a point.

    >>> aligned(["-3.5", "0.25", "12"])
    ['-3.5 ', ' 0.25', '12   ']
    """
    pairs = [(cell.partition(".")[0], cell[cell.index(".") :] if "." in cell else "") for cell in cells]
    before = max((len(whole) for whole, _ in pairs if "e" not in whole), default=0)
    after = max(len(rest) for _, rest in pairs)
    width = max(before + after, *(len(whole) for whole, _ in pairs))
    empty = point + digit * (after - 1) if after else ""

    def filled(whole: str, rest: str) -> str:
        if "e" in whole:  # its exponent under those of the others
            return digit * (width - len(whole)) + whole
        end = rest + digit * (after - len(rest)) if rest else empty
        return digit * (width - after - len(whole)) + whole + end

    return [filled(whole, rest) for whole, rest in pairs]


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: list[str]
    numeric: bool

    @property
    def widest(self) -> int:
        """How wide it would be without folds."""
        return max(map(len, (self.name, *self.cells)))

    @property
    def least(self) -> int:
        """How wide it must be for no number and no word to be broken."""
        words = [word for text in (self.name, *([] if self.numeric else self.cells)) for word in text.split()]
        return max(map(len, (*words, *(self.cells if self.numeric else ())))) if words or self.cells else 0


def _columns(made: Table, digit: str = " ", point: str = " ") -> list[_Column]:
    found = []
    for n, name in enumerate(made.columns):
        cells = [printable(number(row[n])) for row in made.rows]
        told = [cell for cell in cells if cell]
        numeric = bool(told) and all(_NUMERIC.fullmatch(cell) for cell in told)
        found.append(_Column(printable(name), aligned(cells, digit, point) if numeric else cells, numeric))
    return found


def _widths(columns: Sequence[_Column], room: int) -> list[int]:
    """As wide as they need to be, those first that need least, in so much room."""
    found = [column.least for column in columns]
    free = max(room - sum(found), 0)
    order = sorted(range(len(columns)), key=lambda n: columns[n].widest - found[n])
    for left, n in zip(range(len(order), 0, -1), order, strict=True):
        more = min(columns[n].widest - found[n], free // left)
        found[n] += more
        free -= more
    return found


# text

_GAP = 2  # between columns


def _rich(page: Page) -> Any:
    from rich.console import Group
    from rich.text import Text

    parts = [Text(printable(page.title), style="bold")] if page.title else []
    before: type = str
    for block in page.blocks:
        made = _rich_block(block)
        if made and parts and not (type(block) is before is str):
            parts.append(Text(""))
        parts += made
        before = type(block) if made else before
    return Group(*parts)


def _rich_block(block: Block) -> list[Any]:
    from rich.padding import Padding
    from rich.text import Text

    match block:
        case str():
            return [Text(printable(block))]
        case Table():
            return [_Grid(block)] if block.rows else []
        case Facts():
            return [_rich_facts(block)]
        case PageEntry():
            mark = (f"[{printable(block.mark)}]", block.colour)
            head = Text.assemble((printable(block.title), "bold"), "  ", mark)
            return [head, Padding(_rich_facts(block.facts), (0, 0, 0, 3))]
        case Lines():
            return [block.make()]
        case Picture():
            return []
        case Page():
            return [_rich(block)]


def _rich_facts(facts: Facts) -> Any:
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in facts.of.items():
        grid.add_row(Text(printable(name)), Text(printable(fact)))
    return grid


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table whose words are folded where the terminal is too narrow, and whose numbers are not."""

    made: Table

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.table import Table as RichTable
        from rich.text import Text

        columns = _columns(self.made)
        grid = RichTable(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        widths = _widths(columns, options.max_width - _GAP * (len(columns) - 1))
        cells = []
        for column, width in zip(columns, widths, strict=True):
            grid.add_column(
                Text(column.name, justify="right" if column.numeric else "left"), width=width, overflow="fold"
            )
            cells.append([cell.rjust(width) if column.numeric else cell for cell in column.cells])
        for row in zip(*cells, strict=True):
            grid.add_row(*map(Text, row))
        yield grid


# HTML, with its style at each element: notebooks drop style sheets that they do not trust

_FIGURE, _POINT = "\N{FIGURE SPACE}", "\N{PUNCTUATION SPACE}"  # as wide as a digit, as wide as a point
_COLOURS = {"red": "firebrick", "yellow": "darkorange", "blue": "steelblue"}
_CELL = "padding: 0.15em 1em 0.15em 0; border: none; vertical-align: top; text-align: "
_NUMBERS = "right; white-space: pre; font-variant-numeric: tabular-nums"


def _html(page: Page) -> str:
    title = f'<h4 style="margin: 0.8em 0 0.3em">{_text(page.title)}</h4>' if page.title else ""
    return title + "".join(map(_html_block, page.blocks))


def _html_block(block: Block) -> str:
    match block:
        case str():
            return f'<p style="margin: 0.3em 0">{_text(block)}</p>'
        case Table():
            return _html_table(block) if block.rows else ""
        case Facts():
            return _html_facts(block)
        case PageEntry():
            side = f"margin: 1em 0; padding-left: 0.8em; border-left: 0.3em solid {_COLOURS.get(block.colour, 'gray')}"
            head = f"<b>{_text(block.title)}</b> [{_text(block.mark)}]"
            return f'<div style="{side}">{head}{_html_facts(block.facts)}</div>'
        case Lines():
            return f'<pre style="line-height: 1.2">{escape(block.make().plain)}</pre>'
        case Picture():
            return _html_picture(block)
        case Page():
            return _html(block)


def _html_facts(facts: Facts) -> str:
    rows = (
        f'<tr><td style="{_CELL}left; opacity: 0.65; white-space: nowrap">{_text(name)}</td>'
        f'<td style="{_CELL}left">{_text(fact)}</td></tr>'
        for name, fact in facts.of.items()
    )
    return _html_grid("", rows)


def _html_table(made: Table) -> str:
    columns = _columns(made, _FIGURE, _POINT)
    head = "".join(
        f'<th style="{_CELL}{"right" if c.numeric else "left"}; border-bottom: 1px solid">{_text(c.name)}</th>'
        for c in columns
    )
    cells = [[_html_cell(cell, c.numeric) for cell in c.cells] for c in columns]
    return _html_grid(
        f"<thead><tr>{head}</tr></thead>", (f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    )


def _html_cell(cell: str, numeric: bool) -> str:
    style = f"{_CELL}{_NUMBERS}" if numeric else f"{_CELL}left"
    return f'<td style="{style}">{escape(cell.lstrip() if numeric else cell)}</td>'


def _html_grid(head: str, rows: Iterable[str]) -> str:
    style = "border-collapse: collapse; margin: 0.5em 0"
    return f'<table style="{style}">{head}<tbody>{"".join(rows)}</tbody></table>'


def _html_picture(picture: Picture) -> str:
    """The picture in place, unless there is nothing that could draw it."""
    if find_spec("matplotlib") is None:
        return ""
    drawn = io.BytesIO()
    picture.draw().figure.savefig(drawn, format="png", dpi=90, facecolor="white")
    encoded = base64.b64encode(drawn.getvalue()).decode()
    return f'<img alt="" style="max-width: 100%" src="data:image/png;base64,{encoded}">'


def _text(text: str) -> str:
    return escape(printable(text)).replace("\n", "<br>")
