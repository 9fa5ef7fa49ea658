"""The parts of the page, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.findings.finding import Finding
from chainrule.insight.report_page.drawing import network_drawing
from chainrule.insight.report_page.example_gradients import Pulls
from chainrule.insight.report_page.figures import EXAMPLES, Figures, is_small
from chainrule.insight.report_page.graphs import cost_figures, noise_figures
from chainrule.insight.report_page.markup import Markup, element, joined
from chainrule.insight.report_page.pictures import grey_picture
from chainrule.insight.report_page.readable import readable
from chainrule.insight.report_page.strips import Strips, strips
from chainrule.insight.wording import asked_examples, percent, stage_name
from chainrule.learning.flow import Flow
from chainrule.nn.parameters import Parameters
from chainrule.trace.tree import flatten

__all__ = ["SECTIONS", "run_facts"]

Values = np.ndarray[Any, Any]
_NOT_RECORDED = "What flowed through the layers was not recorded: learn with watch=True, as learn does unless told."


def run_facts(figures: Figures) -> Markup:
    """The network, the data and how it learned, as far as the run says."""
    run, known = figures.run, figures.run.configuration
    rows = {
        "Activations": " → ".join(layer.outline.activation.name for layer in figures.layers) or None,
        "Weights and biases": Parameters.of(run.network).count,
        "Data": known.data or None,
        "Training examples": known.training_examples,
        "Cost": known.cost and known.cost.replace("_", "-"),
        "Optimiser": known.optimizer,
        "Batch": known.batch,
        "Epochs": len(run.history),
        "Penalty λ": known.l2 or None,
        "Seed": known.seed,
        "Numbers": Parameters.of(run.network).dtype,
    }
    return element("dl", *(_fact(name, value) for name, value in rows.items() if value is not None), class_="facts")


def _fact(name: str, value: Any) -> Markup:
    shown = f"{value:,}" if isinstance(value, int) and name != "Seed" else value
    return element("div", element("dt", name), element("dd", shown))


# what was found


def _findings(figures: Figures) -> Markup | None:
    if figures.diagnosis is None:
        return None
    found = [_finding(finding) for finding in figures.diagnosis.findings]
    little, looked, blind = figures.diagnosis.little, figures.diagnosis.looked, figures.diagnosis.sentences()[-1]
    said = " ".join((*little, looked, *([] if found else ["None of them shows."]), blind))
    return joined(*found, element("p", said, class_="how after"))


def _finding(finding: Finding) -> Markup:
    head = element("h3", element("span", f"{finding.severity}, {finding.sure}", class_="severity"), " ", finding.title)
    evidence = element("ul", *(element("li", measure) for measure in finding.evidence), class_="evidence")
    last = ("Tried", finding.outcome.sentence) if finding.outcome else ("To be sure", finding.experiment)
    said = [("Why", finding.reason), ("What to do", finding.cure), last]
    paragraphs = [element("p", element("strong", f"{name}. "), text) for name, text in said]
    return element("article", head, evidence, *paragraphs, class_=f"finding {finding.severity}")


# the network


def _network(figures: Figures) -> Markup:
    known = {"w": "weight", "∂C/∂w": "gradient"} if figures.pulls is not None else {}
    choices = [_choice("Colours show", "view", known)] if known else []
    signs = _choice("Signs", "sign", {"both": "both", "positive": "positive", "negative": "negative"})
    key = element("p", *_key(is_small(figures)), class_="legend")
    controls = element("div", *choices, signs, key, class_="controls")
    title = "Every weight" if is_small(figures) else "The weights of each layer"
    return readable(title, _how_to_read(figures), controls, network_drawing(figures), wide=True)


def _how_to_read(figures: Figures) -> str:
    if is_small(figures):
        how = (
            "Each line is a weight, each circle a neuron with its bias: thick or full where the number is large for "
            "its layer. Above zero it is blue and solid, below zero orange and dashed."
        )
    else:
        tiles = figures.picture is not None and np.prod(figures.picture) == figures.layers[0].inputs
        first = "In the first layer each tile is a neuron, with a pixel for every input. " if tiles else ""
        how = (
            f"{first}In a block, each row is a neuron and each column one of its inputs: blue above zero, orange below."
        )
    if figures.pulls is None:
        return f"{how} Give the data as well to see ∂C/∂w."
    subject = figures.pulls.subject
    return f"{how} ∂C/∂w is that of the mean cost of {asked_examples(subject.count, subject.count)}, penalty included."


def _choice(name: str, group: str, options: Mapping[str, str]) -> Markup:
    inputs = [
        element("label", element("input", type="radio", name=group, value=value, checked=n == 0), shown)
        for n, (shown, value) in enumerate(options.items())
    ]
    return element("fieldset", element("legend", name), *inputs)


def _key(edges: bool) -> Sequence[Markup]:
    return [
        element("span", _sample(sign, edges), f"{name} 0")
        for sign, name in (("positive", "above"), ("negative", "below"))
    ]


def _sample(sign: str, edges: bool) -> Markup:
    line = element("line", x1=0, y1=5, x2=28, y2=5, stroke_width=3, class_=f"edge {sign}")
    swatch = element("rect", x=14, y=0, width=14, height=10, class_=f"swatch {sign}")
    return element("svg", line if edges else swatch, viewBox="0 0 28 10", aria_hidden="true", class_="sample")


# the layers


_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "rms a": ("activation", number),
    "rms z": ("weighted_input", number),
    "rms δ": ("error", number),
    "rms ∂C/∂w": ("gradient", number),
    "rms ∂C/∂b": ("bias_gradient", number),
    "rms Δw / rms w": ("update_ratio", number),
    "dead": ("dead", percent),
    "saturated": ("saturated", percent),
}


def _layers(figures: Figures) -> Markup:
    flow = figures.flow
    shown = _COLUMNS if flow is not None else {}
    head = element(
        "tr", *(element("th", name, scope="col") for name in ("layer", "inputs", "neurons", "activation", *shown))
    )
    rows = [_row(figures, n) for n in range(len(figures.layers))]
    table = element("table", element("thead", head), element("tbody", *rows))
    when = _NOT_RECORDED if flow is None else (
        f"As they were at step {flow.steps[-1]:,}, the last that was recorded, over its batch of {flow.batch:,}. "
        "a is what a neuron gives, z its weighted input, δ = ∂C/∂z the error of one example; rms is the root of the "
        "mean square. Dead neurons are off for every example of the batch, saturated ones on a flat part of their "
        "activation."
    )  # fmt: skip
    return joined(element("p", when, class_="how"), element("div", table, class_="scroll", tabindex=0, role="region",
                                                            aria_label="Table of the layers"))  # fmt: skip


def _row(figures: Figures, n: int) -> Markup:
    layer, flow = figures.layers[n], figures.flow
    last = [] if flow is None else [said(float(flow.layers[name][-1, n])) for name, said in _COLUMNS.values()]
    inputs = "–" if layer.inputs is None else f"{layer.inputs:,}"
    cells = [inputs, f"{layer.outline.units:,}", layer.outline.activation.name, *last]
    name = figures.names[n]
    return element(
        "tr",
        element("th", n if name == f"layers[{n}]" else name, scope="row"),
        *(element("td", cell) for cell in cells),
    )


# over time


@dataclass(frozen=True)
class _OverTime:
    """A quantity of the layers that is shown over time: its title, how to read it, how it is said and scaled."""

    title: str
    what: str
    how: str
    said: Callable[[float], str] = number
    powers: bool = True


_OVER_TIME = {
    "gradient": _OverTime(
        "Learning speed: rms ∂C/∂w",
        "rms ∂C/∂w",
        "Strong colour is fast. Rows that pale towards the inputs: the gradient vanishes on its way back.",
    ),
    "update_ratio": _OverTime(
        "Update : weight",
        "rms Δw / rms w",
        "How far a step moves the weights, for their size: rms Δw over rms w. Around 0.001 is common; far above, steps "
        "are rash, far below, hardly anything moves.",
    ),
    "error": _OverTime(
        "Error: rms δ",
        "rms δ",
        "δ = ∂C/∂z of one example, the thing that is propagated back. Rows should be of similar strength.",
    ),
    "saturated": _OverTime(
        "Saturated units",
        "saturated",
        "The share of neurons on a flat part of their activation, which hardly learn.",
        percent,
        powers=False,
    ),
    "dead": _OverTime(
        "Dead units",
        "dead",
        "The share of neurons that are off for every example of the batch, and then do not learn.",
        percent,
        powers=False,
    ),
}


def _over_time(figures: Figures) -> Markup:
    flow = figures.flow
    if flow is None:
        return element("p", _NOT_RECORDED)
    drawn = [_strips_of(figures, flow, name) for name in _OVER_TIME if np.any(flow.layers[name])]
    return joined(_told_records(figures, flow), element("div", *drawn, class_="figures"), _asleep(figures))


def _asleep(figures: Figures) -> Markup | None:
    """What was seen in no recorded step, drawn or not; nothing is said of numbers that are not finite."""
    recorded = figures.run.flow
    if recorded is None or not np.isfinite(recorded.layers["weighted_input"]).all():
        return None
    none = [_OVER_TIME[name].title.lower() for name in ("saturated", "dead") if not np.any(recorded.layers[name])]
    return element("p", f"No {' and no '.join(none)} in any recorded step.", class_="good") if none else None


def _told_records(figures: Figures, flow: Flow) -> Markup:
    some = "" if figures.recorded == len(flow) else f", of which {len(flow)} are drawn"
    across = "Each row is a layer, each cell a recorded step, from the first at the left to the last at the right."
    return element(
        "p",
        f"{figures.recorded:,} steps were recorded{some}. {across} The figure at the right is the last.",
        class_="how",
    )


def _strips_of(figures: Figures, flow: Flow, name: str) -> Markup:
    shown = _OVER_TIME[name]
    rows = [stage_name(n, figures.names) for n in range(flow.layers[name].shape[1])]
    drawn = Strips(shown.title, shown.what, flow.layers[name], rows, flow.steps, shown.said, shown.powers)
    return readable(shown.title, shown.how, strips(drawn))


# the examples


def _classes(figures: Figures) -> Markup | None:
    flow = figures.flow
    if flow is None or not flow.class_shares.shape[1]:
        return None
    how = (
        "The share of each class in the lengths of all the gradients of a batch, Σ ‖∂Cₓ/∂(w, b)‖. A class whose "
        "colour stays strong is not learned yet, or is hard; in small batches a class may be missing."
    )
    title = "Which classes pull"
    names = figures.pulls.subject.named if figures.pulls is not None else str
    rows = [f"class {names(n)}" for n in figures.classes]
    if len(rows) < flow.class_shares.shape[1]:
        how += f" Shown are the {len(rows)} of {flow.class_shares.shape[1]:,} classes that pull hardest."
    shares = flow.class_shares[:, figures.classes]
    return readable(title, how, strips(Strips(title, "share", shares, rows, flow.steps, percent, False)))


def _examples(figures: Figures) -> Markup | None:
    if figures.pulls is None:
        return None
    pulls = figures.pulls
    if not np.isfinite(pulls.norms).all():
        said = "The lengths of the examples' gradients are not finite numbers: which pull hardest cannot be told."
        return element("p", said, class_="how")
    rows = [int(row) for row in pulls.hardest(EXAMPLES)]
    how = (
        f"The {len(rows)} of {pulls.subject.count:,} examples with the longest gradients ‖∂Cₓ/∂(w, b)‖, the first the "
        f"longest: each step is drawn towards them most.{_part(pulls, rows)} Look whether their labels are right."
    )
    cards = [_card(pulls, row, figures.picture) for row in rows]
    return joined(element("p", how, class_="how"), element("ul", *cards, class_="examples"))


def _part(pulls: Pulls, rows: Sequence[int]) -> str:
    whole = float(pulls.norms.sum(dtype=np.float64))
    known = np.isfinite(whole) and whole > 0
    return (
        f" They make up {percent(float(pulls.norms[rows].sum()) / whole)} of the sum of the lengths." if known else ""
    )


def _card(pulls: Pulls, row: int, picture: tuple[int, int] | None) -> Markup:
    label, answer = pulls.label(row), pulls.answer(row)
    seen = _seen(pulls.subject.taking([row]).x, picture, f"Example {row}, labelled {label}")
    said = [
        element("dt", "label"), element("dd", label), element("dt", "answer"), element("dd", answer),
        element("dt", "pull"), element("dd", number(pulls.norms[row])),
    ]  # fmt: skip
    return element("li", seen, element("h3", f"Example {row:,}"), element("dl", *said))


def _seen(example: Any, picture: tuple[int, int] | None, said: str) -> Markup:
    """An example, a tree of arrays with one row: its picture, if it is one, else its first numbers."""
    x = np.concatenate([np.ravel(part) for part in flatten(example)[0]])
    if picture is None or np.prod(picture) != x.size:
        few = ", ".join(number(v) for v in x[:8]) + (", …" if x.size > 8 else "")
        return element("p", f"x = ({few})", class_="inputs")
    low, high = float(x.min()), float(x.max())
    return element("img", src=grey_picture(x.reshape(picture), low, high), alt=said, width=84, height=84)


def _costs(figures: Figures) -> Markup | None:
    drawn = cost_figures(figures)
    return element("div", *drawn, class_=f"figures of-{len(drawn)}") if drawn else None


def _noise(figures: Figures) -> Markup:
    drawn = noise_figures(figures)
    return drawn if isinstance(drawn, Markup) else element("div", *drawn, class_="figures")


#: Title and what makes it; None for a section that has nothing to show.
SECTIONS: dict[str, Callable[[Figures], Markup | None]] = {
    "What stands out": _findings,
    "How the cost went": _costs,
    "The network": _network,
    "Its layers": _layers,
    "How the layers learned": _over_time,
    "Signal and noise": _noise,
    "Classes": _classes,
    "Examples that pull hardest": _examples,
}
