"""Heat strips: one row for each layer or class, one cell for each record, stronger in colour for more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, log10
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.report_page.markup import Markup, element

__all__ = ["Strips", "strips"]

Values = np.ndarray[Any, Any]
_PALEST = 0.05
_SAMPLES = 6
_LONG = 60  # cells
_ROW = 24  # pixels, as in the style sheet


@dataclass(frozen=True, eq=False)
class Strips:
    """What is shown: `values` of shape (records, rows), their name, the rows' names, and how a value is said."""

    title: str
    what: str
    values: Values
    rows: Sequence[str]
    steps: Values
    said: Callable[[float], str] = number
    powers: bool = True  # strength goes by orders of magnitude, or evenly from 0


def strips(shown: Strips) -> Markup:
    """The rows with their names at the left, the last value of each at the right, and the scale below."""
    strength = _strength(shown)
    columns = len(shown.steps)
    names = element("ul", *(element("li", name) for name in shown.rows), class_="strip-names", aria_hidden="true")
    last = element(
        "ul", *(element("li", shown.said(v)) for v in shown.values[-1]), class_="strip-last", aria_hidden="true"
    )
    cells = [_cell(shown, strength, record, row) for row in range(len(shown.rows)) for record in range(columns)]
    drawing = element(
        "svg", *cells, viewBox=f"0 0 {columns} {len(shown.rows)}", preserveAspectRatio="none", role="group",
        aria_label=shown.title, data_columns=columns, class_="strip", height=_ROW * len(shown.rows),
    )  # fmt: skip
    time = element("p", element("span", f"step {shown.steps[0]:,}"), element("span", f"step {shown.steps[-1]:,}"))
    scrolled = element(
        "div",
        element("div", drawing, time, class_="strip-wide long" if columns > _LONG else "strip-wide"),
        class_="strip-scroll",
        tabindex=-1,
    )
    return element("div", names, scrolled, last, _scale(shown), class_="strips")


def _range(shown: Strips) -> tuple[float, float]:
    known = shown.values[np.isfinite(shown.values)]
    if not shown.powers:
        return 0.0, float(known.max(initial=0))
    above = known[known > 0]
    return (float(above.min()), float(above.max())) if above.size else (0.0, 0.0)


def _strength(shown: Strips) -> Values:
    """From 0, palest, to 1; nan where there is no number."""
    low, high = _range(shown)
    if not high > low:
        return np.where(np.isfinite(shown.values), (shown.values > 0) * 1.0, np.nan)
    if not shown.powers:
        return shown.values / high
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (np.log10(shown.values) - log10(low)) / (log10(high) - log10(low))
    return np.where(shown.values == 0, 0, found)


def _cell(shown: Strips, strength: Values, record: int, row: int) -> Markup:
    value, here = float(shown.values[record, row]), float(strength[record, row])
    known = isfinite(value) and isfinite(here)
    said = shown.said(value) if known else "is not a finite number"
    return element(
        "rect", x=record, y=row, width=1, height=1, role="img", tabindex=-1,
        aria_label=f"{shown.rows[row]}, step {shown.steps[record]:,}: {shown.what} {said}",
        class_="cell" if known else "cell unknown",
        fill_opacity=round(_PALEST + (1 - _PALEST) * max(here, 0), 3) if known else None,
    )  # fmt: skip


def _scale(shown: Strips) -> Markup:
    low, high = _range(shown)
    shades = [_PALEST + (1 - _PALEST) * n / (_SAMPLES - 1) for n in range(_SAMPLES)]
    rects = [element("rect", x=n, y=0, width=1, height=1, class_="cell", fill_opacity=s) for n, s in enumerate(shades)]
    ramp = element("svg", *rects, viewBox=f"0 0 {_SAMPLES} 1", preserveAspectRatio="none", aria_hidden="true")
    how = element("span", "by powers of ten") if shown.powers else None
    return element("p", element("span", shown.said(low)), ramp, element("span", shown.said(high)), how, class_="scale")
