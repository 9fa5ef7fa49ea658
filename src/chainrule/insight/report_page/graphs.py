"""The charts of the page: costs and accuracies, predicted and measured changes, signal and noise."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.insight.report_page.charts import (
    Axis,
    Series,
    chart,
    guide,
    legend,
    linear_axis,
    logarithmic_axis,
    signed_axis,
)
from chainrule.insight.report_page.figures import Figures
from chainrule.insight.report_page.markup import Markup, element
from chainrule.insight.report_page.readable import readable
from chainrule.insight.wording import counted, percent, stage_name

__all__ = ["cost_figures", "noise_figures"]

Values = np.ndarray[Any, Any]
_WIDE_RANGE = 20  # the largest over the smallest, from which an axis goes by powers of ten
_MARGIN = 0.2  # by how much a measured change may miss the predicted one to count as near


def cost_figures(figures: Figures) -> list[Markup]:
    """Costs, accuracies, predicted and measured changes: those of them that there is something to show of."""
    found = [_costs(figures), _accuracies(figures), _predictions(figures)]
    return [figure for figure in found if figure is not None]


def _costs(figures: Figures) -> Markup | None:
    batches, epochs = _batch_costs(figures), _by_epoch(figures, "cost", number)
    series = [*epochs, *batches]
    values = [y for one in series for y in one.ys if isfinite(y)]
    if not values:
        return None
    how = "The mean cost of an example, as learn recorded it epoch by epoch."
    if len(figures.history) < len(figures.run.history):
        how += f" Of {len(figures.run.history):,} epochs, {len(figures.history)} are drawn."
    if batches:
        how += " Pale dots are single batches, before the step on them."
    if any(one.name == "validation" for one in series):
        how += " Where validation rises while training falls, examples are learned by heart."
    wide = min(values) > 0 and max(values) > _WIDE_RANGE * min(values)
    up = logarithmic_axis("cost", values) if wide else linear_axis("cost", values, zero=min(values) >= 0)
    return _with_legend("Cost", how, linear_axis("epochs", _xs(series), zero=True), up, series)


def _accuracies(figures: Figures) -> Markup | None:
    series = _by_epoch(figures, "accuracy", percent)
    values = [y for one in series for y in one.ys]
    if not values:
        return None
    how = "The share of the examples that are classified rightly, as learn recorded it epoch by epoch."
    return _with_legend(
        "Accuracy", how, linear_axis("epochs", _xs(series), zero=True), linear_axis("share", values), series
    )


def _with_legend(title: str, how: str, across: Axis, up: Axis, series: Sequence[Series], *lines: Markup) -> Markup:
    return readable(title, how, legend(series), chart(title, across, up, series, *lines))


def _xs(series: Sequence[Series]) -> list[float]:
    return [x for one in series for x in one.xs]


def _by_epoch(figures: Figures, what: str, said: Any) -> list[Series]:
    found = []
    for style, part in enumerate(("training", "validation")):
        records = [(r.epoch, getattr(r, f"{part}_{what}")) for r in figures.history]
        known = [(epoch, float(value)) for epoch, value in records if value is not None]
        if known:
            told = [f"{part} {what} in epoch {epoch}: {said(value)}" for epoch, value in known]
            found.append(Series(part, [float(e) for e, _ in known], [v for _, v in known], told, style))
    return found


def _batch_costs(figures: Figures) -> list[Series]:
    flow, each = figures.flow, figures.steps_per_epoch
    if flow is None or each is None:
        return []
    costs = [float(cost) for cost in flow.totals["cost"]]
    told = [f"cost of the batch at step {step:,}: {number(cost)}" for step, cost in zip(flow.steps, costs, strict=True)]
    return [Series("recorded batches", [int(s) / each for s in flow.steps], costs, told, 5, line=False, faint=True)]


def _predictions(figures: Figures) -> Markup | None:
    if figures.flow is None:
        return None
    predicted, measured = (figures.flow.totals[name] for name in ("predicted", "measured"))
    known = np.isfinite(predicted) & np.isfinite(measured)
    if not known.any():
        return None
    xs, ys, steps = predicted[known].tolist(), measured[known].tolist(), figures.flow.steps[known]
    told = [
        f"step {step:,}: predicted {number(x)}, measured {number(y)}" for step, x, y in zip(steps, xs, ys, strict=True)
    ]
    across, up = (signed_axis(name, xs + ys) for name in ("predicted change of the cost", "measured change"))
    diagonal = guide(across, up, (up.low, up.low), (up.high, up.high), "as predicted")
    series = Series("recorded steps", xs, ys, told, 0, line=False)
    how = f"What a step did to the cost of its batch, against what the derivatives predict, Σ ∂C/∂w·Δw. {_fit(xs, ys)}"
    if up.scale == "signed":
        how += " Axes go by powers of ten, outwards from 0."
    return readable("Predicted and measured", how, chart("Predicted and measured", across, up, [series], diagonal))


def _fit(predicted: Sequence[float], measured: Sequence[float]) -> str:
    near = sum(abs(y - x) <= _MARGIN * abs(x) for x, y in zip(predicted, measured, strict=True))
    far = sum(y > 0 for y in measured)
    raised = f"; {far} raised the cost" if far else ""
    return (
        f"Far above the diagonal, the rate is too high for how the cost curves. {near} of "
        f"{counted(len(predicted), 'step')} came within {_MARGIN:.0%} of the prediction{raised}."
    )


# signal and noise


def noise_figures(figures: Figures) -> Markup | list[Markup]:
    """The noise scale beside the batch, and signal to noise of each layer; or why there is none."""
    if figures.flow is None:
        return element("p", "Signal and noise are taken from recorded steps, and none were recorded.")
    if figures.flow.batch < 2:
        return element("p", "Batches of one example do not tell signal from noise: at least 2 are needed.")
    if figures.whole_batches:
        return element("p", "Every step saw all training examples: there was no noise from drawing batches.")
    return [_noise_scale(figures), _signal_to_noise(figures)]


def _middles(figures: Figures) -> list[float]:
    return [(window.first + window.last) / 2 for window in figures.noise]


def _when(first: int, last: int) -> str:
    return f"steps {first:,} to {last:,}"


def _noise_scale(figures: Figures) -> Markup:
    assert figures.flow is not None
    batch = figures.flow.batch
    scales = [window.noise_scale for window in figures.noise]
    told = [f"{_when(w.first, w.last)}: noise scale {number(w.noise_scale)} examples" for w in figures.noise]
    series = Series("noise scale", _middles(figures), scales, told)
    up = logarithmic_axis("examples", [*scales, float(batch)])
    across = linear_axis("step", _ends(figures), zero=True)
    line = guide(across, up, (across.low, batch), (across.high, batch), f"batch: {batch:,}")
    drowned = sum(not isfinite(scale) for scale in scales)
    more = f" In {drowned} of {len(scales)} stretches noise drowned the signal altogether." if drowned else ""
    how = (
        "The batch size at which signal and noise in the gradient are equally strong, over stretches of recorded "
        "steps. Far above the batch line, a step is mostly noise and larger batches would pay; far below it, smaller "
        f"ones would do.{more}"
    )
    return readable("Noise scale and batch size", how, chart("Noise scale and batch size", across, up, [series], line))


def _signal_to_noise(figures: Figures) -> Markup:
    layers = range(len(figures.noise[0].signal_to_noise) if figures.noise else 0)
    series = [_of_layer(figures, n) for n in layers]
    values = [y for one in series for y in one.ys]
    up, across = logarithmic_axis("signal / noise", [*values, 1.0]), linear_axis("step", _ends(figures), zero=True)
    line = guide(across, up, (across.low, 1.0), (across.high, 1.0), "as much noise as signal")
    how = (
        "How long the true gradient of a layer is, for the noise that a batch adds to it. Below 1 a layer's step is "
        "more chance than direction. Where a mark is missing, no signal could be told from the noise."
    )
    return _with_legend("Signal to noise of a batch, by layer", how, across, up, series, line)


def _of_layer(figures: Figures, n: int) -> Series:
    name = stage_name(n, figures.names)
    values = [window.signal_to_noise[n] for window in figures.noise]
    told = [f"{name}, {_when(w.first, w.last)}: {number(v)}" for w, v in zip(figures.noise, values, strict=True)]
    return Series(name, _middles(figures), [v if v > 0 else nan for v in values], told, n)


def _ends(figures: Figures) -> list[float]:
    return [float(step) for window in figures.noise for step in (window.first, window.last)]
