"""The network from left to right: every edge of a small one, a picture of each layer's weights of a large one.

Each picture is made twice, of w and of ∂C/∂w, and in two parts, of the numbers above 0 and below.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.coordinates import Coordinate, coordinate
from chainrule.insight.levels import rms
from chainrule.insight.report_page.figures import Figures, is_small
from chainrule.insight.report_page.markup import Markup, element, joined
from chainrule.insight.report_page.pictures import one_sign_picture
from chainrule.insight.wording import counted, derivative, layer_name, source_name, stage_name
from chainrule.nn.parameters import Parameters

__all__ = ["network_drawing"]

Values = np.ndarray[Any, Any]
_ACROSS, _EDGE, _RADIUS = 260.0, 24.0, 9.0  # between layers, around the drawing, of a neuron
_THICKEST = 5.0
_PIXELS = 160_000  # of all layers together
_TALL, _TALLEST, _WIDE, _ROW = 300, 440, 320, 14  # of a block on the screen, and of one weight at most
_FEW = 6  # tiles side by side, for which less is enough
_FULL = 99  # the percentile of magnitudes that is shown in full colour


def network_drawing(figures: Figures) -> Markup:
    """The drawing that suits the size of the network."""
    if not figures.layers:
        return element("p", "What its layers are cannot be told from the run alone: give the report examples.")
    return _with_edges(figures) if is_small(figures) else _with_blocks(figures)


def _views(figures: Figures) -> list[str]:
    return ["weight"] if figures.pulls is None else ["weight", "gradient"]


# small networks


def _with_edges(figures: Figures) -> Markup:
    sizes = _sizes(figures)
    width, height = _ACROSS * (len(sizes) - 1) + 2 * _EDGE, _down(sizes) * (max(sizes) - 1) + 2 * _EDGE
    views = [_edges(view, figures) for view in _views(figures)]
    drawing = element(
        "svg", _inputs(sizes), *views, viewBox=f"0 0 {width:g} {height:g}", width=width, height=height, role="group",
        aria_label="The network, inputs at the left", class_="edges", data_columns=1,
    )  # fmt: skip
    return element("div", drawing, class_="scroll", tabindex=-1)


def _sizes(figures: Figures) -> list[int]:
    return [figures.layers[0].inputs or 0, *(layer.outline.units for layer in figures.layers)]


def _at(sizes: list[int], column: int, neuron: int) -> tuple[float, float]:
    middle = _EDGE + _down(sizes) * (max(sizes) - 1) / 2
    return _EDGE + column * _ACROSS, middle + _down(sizes) * (neuron - (sizes[column] - 1) / 2)


def _down(sizes: list[int]) -> float:
    """Between two neurons: a few may stand farther apart."""
    return 56.0 if max(sizes) <= 8 else 30.0


def _inputs(sizes: list[int]) -> Markup:
    centres = [_at(sizes, 0, n) for n in range(sizes[0])]
    return joined(*(element("circle", cx=x, cy=y, r=_RADIUS - 2, class_="input") for x, y in centres))


def _edges(view: str, figures: Figures) -> Markup:
    sizes, marks, network = _sizes(figures), [], figures.run.network
    for n, layer in enumerate(figures.layers):
        (weights,), (biases,) = layer.outline.weights, layer.outline.biases
        w, b = _shares(layer.numbers(view), layer.b if view == "weight" else layer.db)
        for j, k in np.ndindex(w.shape):
            ends = (*_at(sizes, n, k), *_at(sizes, n + 1, j))
            marks.append(_edge(_said(coordinate(network, weights, (j, k)), n, figures), ends, float(w[j, k])))
        for j in range(len(b)):
            marks.append(
                _neuron(_said(coordinate(network, biases, (j,)), n, figures), _at(sizes, n + 1, j), float(b[j]))
            )
    return element("g", *marks, class_=f"of-{view}")


def _shares(w: Any, b: Any) -> tuple[Values, Values]:
    """Weights and biases as parts of the largest magnitude of the layer; 0 for what is no finite number."""
    w, b = np.nan_to_num(w, posinf=0, neginf=0), np.nan_to_num(b, posinf=0, neginf=0)
    largest = max(np.abs(w).max(), np.abs(b).max()) or 1.0
    return w / largest, b / largest


def _sign(value: float) -> str:
    return "negative" if value < 0 else "positive"


def _edge(said: str, ends: tuple[float, float, float, float], share: float) -> Markup:
    x1, y1, x2, y2 = ends
    return element(
        "line", x1=x1 + _RADIUS, y1=y1, x2=x2 - _RADIUS, y2=y2, stroke_width=0.5 + _THICKEST * abs(share), role="img",
        tabindex=-1, aria_label=said, class_=f"mark edge {_sign(share)}",
    )  # fmt: skip


def _neuron(said: str, at: tuple[float, float], share: float) -> Markup:
    return element(
        "circle", cx=at[0], cy=at[1], r=_RADIUS, role="img", tabindex=-1, aria_label=said,
        class_=f"mark neuron {_sign(share)}", fill_opacity=abs(share),
    )  # fmt: skip


def _said(weight: Coordinate, home: int, figures: Figures) -> str:
    what = f"{weight.kind} = {number(weight.value(figures.run.network))}"
    source = source_name(weight, home, home - 1, figures.names)
    to = f"to neuron {weight.index[0]} from {source}"
    where = to if weight.kind == "w" else f"bias of neuron {weight.index[0]}"
    slope = "" if figures.pulls is None else f", {derivative(weight)} = {number(weight.value(figures.pulls.gradient))}"
    return f"{weight} ({where}): {what}{slope}"


# large networks


@dataclass(frozen=True, eq=False)
class _Block:
    """How a layer's weights are laid out: neurons in a grid of tiles, each tile its weights in a grid."""

    shown: int
    columns: int
    tile: tuple[int, int]
    gap: int

    def corner(self, neuron: int) -> tuple[int, int]:
        """Row and column of a neuron's first pixel."""
        down, across = divmod(neuron, self.columns)
        return down * (self.tile[0] + self.gap), across * (self.tile[1] + self.gap)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        rows = ceil(self.shown / self.columns)
        return (rows * (self.tile[0] + self.gap) - self.gap, self.columns * (self.tile[1] + self.gap) - self.gap)

    def pixels(self, w: Values) -> Values:
        """The weights where they are drawn; 0 between the tiles."""
        found = np.zeros(self.size, w.dtype)
        for neuron in range(self.shown):
            down, across = self.corner(neuron)
            found[down : down + self.tile[0], across : across + self.tile[1]] = w[neuron].reshape(self.tile)
        return found


def _with_blocks(figures: Figures) -> Markup:
    blocks = [_block(figures, n) for n in range(len(figures.layers))]
    given = getattr(figures.run.network, "inputs", None) or figures.layers[0].inputs
    told = "examples" if given is None else f"{given:,}"
    inputs = element("li", element("h3", "inputs"), element("p", told), class_="block inputs")
    return element("div", element("ol", inputs, *blocks, class_="blocks"), class_="scroll", tabindex=-1)


def _layout(figures: Figures, number: int, w: Values) -> _Block:
    """Tiles like the examples where the first layer looks at pictures; else a row of weights for each neuron."""
    neurons, inputs = w.shape
    enough = Parameters.of(figures.run.network).count <= _PIXELS
    most = neurons if enough else max(1, _PIXELS // len(figures.layers) // inputs)
    shown = min(neurons, most)
    if number == 0 and figures.picture is not None and np.prod(figures.picture) == inputs:
        return _Block(shown, max(1, isqrt(shown - 1) + 1), figures.picture, 2)
    return _Block(shown, 1, (1, inputs), 0)


def _block(figures: Figures, n: int) -> Markup:
    layer, name = figures.layers[n], layer_name(n, figures.names)
    told = f"{counted(layer.outline.units, 'neuron')}, {layer.outline.activation}"
    if layer.w is None:
        facts = element("p", f"{told}, which have no weights of their own to be drawn")
        return element("li", element("h3", name), facts, class_="block")
    layout = _layout(figures, n, layer.w)
    height, width = layout.size
    drawn = [(view, numbers) for view in _views(figures) if (numbers := layer.numbers(view)) is not None]
    views = [_view(view, numbers, layout) for view, numbers in drawn]
    marks = [_tile(figures, n, neuron, layout) for neuron in range(layout.shown)]
    drawing = element(
        "svg", *views, *marks, viewBox=f"0 0 {width} {height}", preserveAspectRatio="none", role="group",
        aria_label=f"Weights of {name}", data_columns=layout.columns,
        class_="block-picture", **_shown_size(layout),
    )  # fmt: skip
    few = "" if layout.shown == layer.outline.units else f", the first {layout.shown:,} shown"
    scales = [_full_colour(view, numbers) for view, numbers in drawn]
    return element("li", element("h3", name), element("p", f"{told}{few}"), drawing, *scales, class_="block")


def _shown_size(layout: _Block) -> dict[str, int]:
    """In pixels of the screen: as tall as the page bears, rows of weights tall enough to point at."""
    height, width = layout.size
    if layout.gap:
        tall = _TALL if layout.columns <= _FEW else _TALLEST
        return {"height": tall, "width": max(1, round(tall * width / height))}
    return {"height": min(_TALL, _ROW * height), "width": min(_WIDE, _ROW * width)}


def _full(w: Values) -> float:
    known = np.abs(w[np.isfinite(w)])
    return float(np.percentile(known, _FULL)) if known.size else 0.0


def _full_colour(view: str, numbers: Values) -> Markup:
    what = "w" if view == "weight" else "∂C/∂w"
    return element("p", f"full colour from ±{number(_full(numbers))} on ({what})", class_=f"fine of-{view}")


def _view(view: str, numbers: Values, layout: _Block) -> Markup:
    pixels, full = layout.pixels(numbers), _full(numbers)
    height, width = layout.size
    parts = [
        element("image", href=one_sign_picture(pixels, sign, full), width=width, height=height, class_=name,
                preserveAspectRatio="none")
        for sign, name in ((1, "positive"), (-1, "negative"))
    ]  # fmt: skip
    return element("g", *parts, class_=f"of-{view}")


def _tile(figures: Figures, n: int, neuron: int, layout: _Block) -> Markup:
    down, across = layout.corner(neuron)
    height, width = layout.tile
    return element(
        "rect", x=across, y=down, width=width, height=height, role="img", tabindex=-1, class_="mark tile",
        aria_label=_neuron_said(figures, n, neuron),
    )  # fmt: skip


def _neuron_said(figures: Figures, n: int, neuron: int) -> str:
    layer = figures.layers[n]
    assert layer.w is not None
    w = layer.w[neuron]
    weights = f"weights from {number(w.min())} to {number(w.max())}, rms {number(rms(w))}"
    bias = "" if layer.b is None else f"; bias {number(float(layer.b[neuron]))}"
    slope = "" if layer.dw is None else f", rms ∂C/∂w {number(rms(layer.dw[neuron]))}"
    return f"{stage_name(n, figures.names)}, neuron {neuron}: {weights}{bias}{slope}"
