"""Charts as SVG: lines and points over two axes, each mark with a sentence that says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import asinh, ceil, floor, isfinite, log10
from typing import Any

from chainrule.insight.report_page.markup import Markup, element, joined

__all__ = ["Axis", "Series", "chart", "guide", "legend", "linear_axis", "logarithmic_axis", "signed_axis"]

_WIDTH, _HEIGHT = 440.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 430.0, 26.0, 228.0
_SHAPES = ("circle", "square", "triangle", "diamond", "cross")
_SIZE, _SMALL = 3.6, 2.4
_MANY = 60  # marks, from which they are small
_FAR_OUT = 20  # times the median size
_APART = 0.09  # of an axis, between 0 and the next tick
_SPAN = 1e4  # from the largest size to those that are about 0


@dataclass(frozen=True)
class Axis:
    """What one axis shows, from `low` to `high`: evenly, in powers of ten, or in such outwards from 0 on both sides.

    In the last case numbers of about the size `near` are still told apart.
    """

    name: str
    low: float
    high: float
    scale: str = "even"  # or "powers", or "signed"
    near: float = 1.0

    def position(self, value: float) -> float:
        """Where a value stands, from 0 at the low end to 1; nan where the axis has none for it."""
        if not isfinite(value) or (self.scale == "powers" and value <= 0):
            return float("nan")
        low, high, here = map(self._scaled, (self.low, self.high, value))
        return (here - low) / (high - low)

    def _scaled(self, value: float) -> float:
        if self.scale == "signed":
            return asinh(value / self.near)
        return log10(value) if self.scale == "powers" else value

    def ticks(self) -> list[float]:
        """Round numbers within the axis, about five."""
        if self.scale == "even":
            return _round_numbers(self.low, self.high)
        if self.scale == "signed":
            found = _signed_powers(self.low, self.high, self.near)
            return [tick for tick in found if tick == 0 or abs(self.position(tick) - self.position(0)) > _APART]
        exponents = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        few = len(exponents) <= 3
        steps = (1, 2, 5) if few else (1,)
        every = 1 if few else max(1, round(len(exponents) / 5))
        found = [step * 10.0**n for n in exponents[::every] for step in steps]
        return [tick for tick in found if self.low <= tick <= self.high]


def linear_axis(name: str, values: Sequence[float], *, zero: bool = False) -> Axis:
    """An even axis that holds the values, and 0 if wanted."""
    known = [v for v in values if isfinite(v)] or [0.0, 1.0]
    low, high = min(known + [0.0] * zero), max(known + [0.0] * zero)
    room = 0.04 * (high - low) or max(abs(high), 1.0) / 2
    at_zero = zero and low < high
    return Axis(name, low if at_zero and low == 0 else low - room, high if at_zero and high == 0 else high + room)


def logarithmic_axis(name: str, values: Sequence[float]) -> Axis:
    """An axis in powers of ten that holds the values that are above 0."""
    known = [v for v in values if isfinite(v) and v > 0] or [0.1, 10.0]
    low, high = min(known), max(known)
    room = max((high / low) ** 0.05, 1.25)
    return Axis(name, low / room, high * room, "powers")


def signed_axis(name: str, values: Sequence[float]) -> Axis:
    """An axis that holds the values and 0: even, or if a few are far out, in powers of ten on both sides of 0."""
    sizes = sorted(abs(v) for v in values if isfinite(v) and v)
    if not sizes or sizes[-1] < _FAR_OUT * sizes[len(sizes) // 2]:
        return linear_axis(name, values, zero=True)
    low, high = min([*values, 0.0]), max([*values, 0.0])
    near = max(sizes[len(sizes) // 2], sizes[-1] / _SPAN)
    return Axis(name, 1.6 * low, 1.6 * high, "signed", near)


def _signed_powers(low: float, high: float, near: float) -> list[float]:
    """0, and powers of ten on both sides of it, from about the size `near` on."""
    farthest = floor(log10(max(-low, high)))
    powers = [10.0**n for n in range(ceil(log10(near) - 0.3), farthest + 1)]
    every = max(1, round(len(powers) / 3))
    chosen = powers[::-1][::every]
    return sorted(tick for tick in [0.0, *chosen, *(-p for p in chosen)] if low <= tick <= high)


def _round_numbers(low: float, high: float) -> list[float]:
    rough = (high - low) / 4
    power = 10.0 ** floor(log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    return [n * step for n in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Series:
    """Points that belong together, `said` one sentence for each; `line` joins them, `faint` keeps them behind."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    said: Sequence[str]
    style: int = 0
    line: bool = True
    faint: bool = False


def chart(title: str, across: Axis, up: Axis, series: Sequence[Series], *lines: Markup) -> Markup:
    """A chart: its axes, further lines, and each series with its marks."""
    drawn = [_series(one, across, up) for one in series]
    return element(
        "svg", _axes(across, up), *lines, *drawn, viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}", class_="chart", role="group",
        aria_label=title, data_columns=max((len(one.xs) for one in series), default=1),
    )  # fmt: skip


def guide(across: Axis, up: Axis, start: tuple[float, float], end: tuple[float, float], name: str) -> Markup:
    """A thin line from one point to another, with its name at the end."""
    (x1, y1), (x2, y2) = (_point(across, up, *point) for point in (start, end))
    line = element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="guide")
    return joined(line, element("text", name, x=x2 - 4, y=y2 - 6, class_="guide-name", text_anchor="end"))


def legend(series: Sequence[Series]) -> Markup:
    """What each series looks like, by shape and dashes as well as by colour."""
    return element("ul", *(element("li", _sample(one), one.name) for one in series), class_="legend")


def _sample(one: Series) -> Markup:
    style = f"series-{one.style % 6}" + (" faint" if one.faint else "")
    line = element("line", x1=1, y1=7, x2=27, y2=7, class_="line") if one.line else None
    mark = _mark(14.0, 7.0, one.style, None)
    return element("svg", line, mark, viewBox="0 0 28 14", class_=f"sample {style}", aria_hidden="true")


def _axes(across: Axis, up: Axis) -> Markup:
    parts = [_horizontal_tick(up, tick) for tick in up.ticks()] + [
        _vertical_tick(across, tick) for tick in across.ticks()
    ]
    parts.append(element("line", x1=_LEFT, y1=_BOTTOM, x2=_RIGHT, y2=_BOTTOM, class_="axis"))
    parts.append(element("text", up.name, x=_LEFT - 8, y=12, text_anchor="end" if len(up.name) < 8 else None))
    parts.append(element("text", across.name, x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 4, class_="axis-name"))
    return element("g", *parts, aria_hidden="true")


def _horizontal_tick(up: Axis, value: float) -> Markup:
    y = _BOTTOM - up.position(value) * (_BOTTOM - _TOP)
    line = element("line", x1=_LEFT, y1=y, x2=_RIGHT, y2=y, class_="grid")
    return joined(line, element("text", _tick(value), x=_LEFT - 8, y=y + 4, class_="tick", text_anchor="end"))


def _vertical_tick(across: Axis, value: float) -> Markup:
    x = _LEFT + across.position(value) * (_RIGHT - _LEFT)
    line = element("line", x1=x, y1=_BOTTOM, x2=x, y2=_BOTTOM + 4, class_="axis")
    return joined(line, element("text", _tick(value), x=x, y=_BOTTOM + 18, class_="tick", text_anchor="middle"))


def _tick(value: float) -> str:
    return f"{value:,.4g}".replace("-", "−")


def _point(across: Axis, up: Axis, x: float, y: float) -> tuple[float, float]:
    return _LEFT + across.position(x) * (_RIGHT - _LEFT), _BOTTOM - up.position(y) * (_BOTTOM - _TOP)


def _series(one: Series, across: Axis, up: Axis) -> Markup:
    points = [_point(across, up, x, y) for x, y in zip(one.xs, one.ys, strict=True)]
    size = _SMALL if len(one.xs) > _MANY else _SIZE
    marks = [_mark(*point, one.style, said, size) for point, said in zip(points, one.said, strict=True) if _seen(point)]
    line = element("path", d=_path(points), class_="line") if one.line else None
    return element("g", line, *marks, class_=f"series-{one.style % 6}{_manner(one)}")


def _manner(one: Series) -> str:
    return (" faint" if one.faint else "") + (" many" if len(one.xs) > _MANY else "")


def _seen(point: tuple[float, float]) -> bool:
    return isfinite(point[0]) and isfinite(point[1])


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Straight lines from point to point, broken where there is none."""
    found, drawing = [], False
    for x, y in points:
        seen = _seen((x, y))
        found.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}" if seen else "")
        drawing = seen
    return "".join(found)


def _mark(x: float, y: float, style: int, said: str | None, size: float = _SIZE) -> Markup:
    told: dict[str, Any] = {} if said is None else {"role": "img", "aria_label": said, "tabindex": -1}
    return element("path", d=_outline(_SHAPES[style % len(_SHAPES)], x, y, size), class_="mark", **told)


def _outline(shape: str, x: float, y: float, r: float) -> str:
    if shape == "circle":
        return f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0"
    corners: dict[str, list[tuple[float, float]]] = {
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "triangle": [(0, -1.2), (1.2, 1), (-1.2, 1)],
        "diamond": [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)],
        "cross": [(-0.4, -1.3), (0.4, -1.3), (0.4, -0.4), (1.3, -0.4), (1.3, 0.4), (0.4, 0.4), (0.4, 1.3), (-0.4, 1.3),
                  (-0.4, 0.4), (-1.3, 0.4), (-1.3, -0.4), (-0.4, -0.4)],
    }  # fmt: skip
    return "M" + "L".join(f"{x + r * dx:.1f} {y + r * dy:.1f}" for dx, dy in corners[shape]) + "Z"
