"""The network from left to right: every edge of a small one, a picture of each layer's weights of a large one.

Each picture is made twice, of w and of ∂C/∂w, and in two parts, of the numbers above 0 and below.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.levels import rms
from chainrule.insight.report_page.figures import Figures, is_small
from chainrule.insight.report_page.markup import Markup, element, joined
from chainrule.insight.report_page.pictures import one_sign_picture
from chainrule.insight.wording import counted, derivative, layer_name, source_name
from chainrule.nn.network import Dense, Network

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
    return _with_edges(figures) if is_small(figures.run) else _with_blocks(figures)


def _networks(figures: Figures) -> dict[str, Network]:
    found = {"weight": figures.run.network}
    return found if figures.pulls is None else {**found, "gradient": figures.pulls.gradient}


# small networks


def _with_edges(figures: Figures) -> Markup:
    sizes = figures.run.network.sizes
    width, height = _ACROSS * (len(sizes) - 1) + 2 * _EDGE, _down(sizes) * (max(sizes) - 1) + 2 * _EDGE
    views = [_edges(view, network, figures) for view, network in _networks(figures).items()]
    drawing = element(
        "svg", _inputs(sizes), *views, viewBox=f"0 0 {width:g} {height:g}", width=width, height=height, role="group",
        aria_label="The network, inputs at the left", class_="edges", data_columns=1,
    )  # fmt: skip
    return element("div", drawing, class_="scroll", tabindex=-1)


def _at(sizes: list[int], column: int, neuron: int) -> tuple[float, float]:
    middle = _EDGE + _down(sizes) * (max(sizes) - 1) / 2
    return _EDGE + column * _ACROSS, middle + _down(sizes) * (neuron - (sizes[column] - 1) / 2)


def _down(sizes: list[int]) -> float:
    """Between two neurons: a few may stand farther apart."""
    return 56.0 if max(sizes) <= 8 else 30.0


def _inputs(sizes: list[int]) -> Markup:
    centres = [_at(sizes, 0, n) for n in range(sizes[0])]
    return joined(*(element("circle", cx=x, cy=y, r=_RADIUS - 2, class_="input") for x, y in centres))


def _edges(view: str, network: Network, figures: Figures) -> Markup:
    sizes, marks = network.sizes, []
    for n, layer in enumerate(network.layers):
        w, b = _shares(layer)
        for j, k in np.ndindex(layer.w.shape):
            ends = (*_at(sizes, n, k), *_at(sizes, n + 1, j))
            marks.append(_edge(Coordinate(n, "w", (j, k)), ends, float(w[j, k]), figures))
        for j in range(layer.outputs):
            marks.append(_neuron(Coordinate(n, "b", (j,)), _at(sizes, n + 1, j), float(b[j]), figures))
    return element("g", *marks, class_=f"of-{view}")


def _shares(layer: Dense) -> tuple[Values, Values]:
    """Weights and biases as parts of the largest magnitude of the layer; 0 for what is no finite number."""
    w, b = np.nan_to_num(layer.w, posinf=0, neginf=0), np.nan_to_num(layer.b, posinf=0, neginf=0)
    largest = max(np.abs(w).max(), np.abs(b).max()) or 1.0
    return w / largest, b / largest


def _sign(value: float) -> str:
    return "negative" if value < 0 else "positive"


def _edge(weight: Coordinate, ends: tuple[float, float, float, float], share: float, figures: Figures) -> Markup:
    x1, y1, x2, y2 = ends
    return element(
        "line", x1=x1 + _RADIUS, y1=y1, x2=x2 - _RADIUS, y2=y2, stroke_width=0.5 + _THICKEST * abs(share), role="img",
        tabindex=-1, aria_label=_said(weight, figures), class_=f"mark edge {_sign(share)}",
    )  # fmt: skip


def _neuron(weight: Coordinate, at: tuple[float, float], share: float, figures: Figures) -> Markup:
    return element(
        "circle", cx=at[0], cy=at[1], r=_RADIUS, role="img", tabindex=-1, aria_label=_said(weight, figures),
        class_=f"mark neuron {_sign(share)}", fill_opacity=abs(share),
    )  # fmt: skip


def _said(weight: Coordinate, figures: Figures) -> str:
    what = f"{weight.kind} = {number(weight.value(figures.run.network))}"
    to = f"to neuron {weight.neuron} from {source_name(weight)}"
    where = to if weight.kind == "w" else f"bias of neuron {weight.neuron}"
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
    network = figures.run.network
    blocks = [_block(figures, n) for n in range(len(network.layers))]
    inputs = element("li", element("h3", "inputs"), element("p", f"{network.sizes[0]:,}"), class_="block inputs")
    return element("div", element("ol", inputs, *blocks, class_="blocks"), class_="scroll", tabindex=-1)


def _layout(figures: Figures, number: int) -> _Block:
    """Tiles like the examples where the first layer looks at pictures; else a row of weights for each neuron."""
    network = figures.run.network
    layer = network.layers[number]
    enough = network.parameters <= _PIXELS
    most = layer.outputs if enough else max(1, _PIXELS // len(network.layers) // layer.inputs)
    shown = min(layer.outputs, most)
    if number == 0 and figures.picture is not None and np.prod(figures.picture) == layer.inputs:
        return _Block(shown, max(1, isqrt(shown - 1) + 1), figures.picture, 2)
    return _Block(shown, 1, (1, layer.inputs), 0)


def _block(figures: Figures, n: int) -> Markup:
    network = figures.run.network
    layer, layout = network.layers[n], _layout(figures, n)
    height, width = layout.size
    views = [_view(view, other.layers[n], layout) for view, other in _networks(figures).items()]
    marks = [_tile(figures, n, neuron, layout) for neuron in range(layout.shown)]
    drawing = element(
        "svg", *views, *marks, viewBox=f"0 0 {width} {height}", preserveAspectRatio="none", role="group",
        aria_label=f"Weights of {layer_name(n, len(network.layers))}", data_columns=layout.columns,
        class_="block-picture", **_shown_size(layout),
    )  # fmt: skip
    few = "" if layout.shown == layer.outputs else f", the first {layout.shown:,} shown"
    facts = element("p", f"{counted(layer.outputs, 'neuron')}, {layer.activation}{few}")
    scales = [_full_colour(view, other.layers[n]) for view, other in _networks(figures).items()]
    return element("li", element("h3", layer_name(n, len(network.layers))), facts, drawing, *scales, class_="block")


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


def _full_colour(view: str, layer: Dense) -> Markup:
    what = "w" if view == "weight" else "∂C/∂w"
    return element("p", f"full colour from ±{number(_full(layer.w))} on ({what})", class_=f"fine of-{view}")


def _view(view: str, layer: Dense, layout: _Block) -> Markup:
    pixels, full = layout.pixels(layer.w), _full(layer.w)
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
    layer = figures.run.network.layers[n]
    w, b = layer.w[neuron], float(layer.b[neuron])
    weights = f"weights from {number(w.min())} to {number(w.max())}, rms {number(rms(w))}"
    slope = "" if figures.pulls is None else f", rms ∂C/∂w {number(rms(figures.pulls.gradient.layers[n].w[neuron]))}"
    return f"layer {n}, neuron {neuron}: {weights}; bias {number(b)}{slope}"
