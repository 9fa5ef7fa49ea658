"""Attribution: which inputs an output, or the cost, of one example comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import one_of, real_number, whole_number
from chainrule.display import Brief, Table, number
from chainrule.insight.inputs.attribution_methods import METHODS, AttributionQuestion, explained, input_slopes
from chainrule.insight.inputs.examples_and_targets import (
    baseline_rows,
    chosen_targets,
    example_rows,
    in_rows,
    target_names,
)
from chainrule.insight.network_and_data import AskedCost, Subject, network_of, subject_of
from chainrule.insight.presentation import Insight, figure

__all__ = ["Attribution", "SlopeCheck", "attribution"]

Values = np.ndarray[Any, Any]

_MEANINGS = {
    "gradient": "the slope ∂F/∂x of {of}: how fast it rises with an input",
    "input_times_gradient": "an input's distance from the baseline times the slope of {of} along it: what the input "
    "would contribute if {of} were a straight line",
    "integrated_gradients": "what an input contributes to the change of {of} from the baseline: its distance times the "
    "mean slope on the straight way from the baseline to the example",
    "smooth_grad": "the slope ∂F/∂x of {of}, how fast it rises with an input, as the mean over noisy copies of the "
    "example",
}
_SHIFT = 1e-3  # of the range of the inputs, for the check of a gradient
_SHOWN = 10  # inputs in the table


@dataclass(frozen=True, eq=False, repr=False)
class SlopeCheck(Brief):
    """What raising the `inputs`, one of each example, by `shift` does to F: predicted by its slope, and measured."""

    inputs: Values
    shift: float
    predicted: Values
    measured: Values


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(Insight):
    """What each input of some examples contributes; `values` has the shape (examples, inputs), as `x` and `baseline`.

    `explained` is F of each example: the output, weighted input or cost of `targets`; `at_baseline` that of the
    baseline. For what adds up, `gap` is Σ values − (F(x) − F(baseline)); for gradients, `check` raises the input along
    which F is steepest. `standard_error` is that of the mean over noisy copies. `shape` is that of an image.
    """

    method: str
    of: str
    values: Values
    x: Values
    baseline: Values
    targets: Values
    target_names: tuple[str, ...]
    explained: Values
    at_baseline: Values
    gap: Values | None
    check: SlopeCheck | None
    standard_error: Values | None
    steps: int | None
    rule: str | None
    shape: tuple[int, int] | None

    @property
    def title(self) -> str:
        """What it is."""
        return f"Attribution by {self.method.replace('_', ' ')} for {_told_examples(len(self.values))}"

    def sentences(self) -> Sequence[str]:
        """What is explained, the input that matters most, and the check; of the first example."""
        most = int(np.argmax(np.abs(self.values[0])))
        error = "" if self.standard_error is None else f" ± {number(self.standard_error[0, most])} (standard error)"
        return [
            f"Each number is {_MEANINGS[self.method].format(of=self._what)}{self._how}.",
            f"Here {self._what} is {number(self.explained[0])}; for the baseline it is {number(self.at_baseline[0])}.",
            f"Input {self._input(most)} matters most: {number(self.values[0, most])}{error}.",
            self._checked(),
        ]

    def table(self) -> Table:
        """The inputs of the first example that matter most."""
        order = np.argsort(-np.abs(self.values[0]), kind="stable")[:_SHOWN]
        rows = [(self._input(int(n)), float(self.x[0, n]), float(self.values[0, n])) for n in order]
        return Table(("input", "value", "attribution"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """The first example's attributions: as an image if the inputs are one, else as bars."""
        axes = figure(axes)
        if self.shape is None:
            axes.bar(np.arange(self.values.shape[1]), self.values[0])
            axes.set(xlabel="input", ylabel="attribution", title=self.title)
            return axes
        largest = float(np.abs(self.values[0]).max()) or 1.0
        image = axes.imshow(self.values[0].reshape(self.shape), cmap="RdBu_r", vmin=-largest, vmax=largest)
        axes.figure.colorbar(image, ax=axes, label="attribution: red raises, blue lowers")
        axes.set(title=self.title)
        axes.set_axis_off()
        return axes

    @property
    def _what(self) -> str:
        name = self.target_names[0]
        told = {"output": "the output for {}", "weighted_input": "the weighted input of {}", "cost": "the cost of {}"}
        return told[self.of].format(name)

    @property
    def _how(self) -> str:
        if self.rule is not None:
            return f", in {self.steps} steps by the {self.rule} rule"
        return "" if self.steps is None else f", {self.steps} of them"

    def _input(self, position: int) -> str:
        if self.shape is None:
            return str(position)
        row, column = divmod(position, self.shape[1])
        return f"row {row}, column {column}"

    def _checked(self) -> str:
        if self.gap is not None:
            total = number(float(self.values[0].sum()))
            change = number(float(self.explained[0] - self.at_baseline[0]))
            return f"All together they are {total}; the change from the baseline is {change}."
        assert self.check is not None
        where, shift = self._input(int(self.check.inputs[0])), number(self.check.shift)
        predicted, measured = (number(float(row[0])) for row in (self.check.predicted, self.check.measured))
        raised = f"Raising input {where} by {shift}"
        return f"{raised} is predicted to change {self._what} by {predicted}; measured: {measured}."


def attribution(
    network_or_run: Any,
    example: Any,
    *,
    method: str = "integrated_gradients",
    of: str = "weighted_input",
    target: Any = None,
    baseline: Any = None,
    steps: int = 50,
    rule: str = "gauss_legendre",
    noise: float = 0.15,
    seed: int = 0,
    shape: tuple[int, int] | None = None,
    cost: AskedCost = None,
    class_names: Sequence[str] = (),
) -> Attribution:
    """Which inputs F comes from, for an example of shape (inputs,) or examples of shape (n, inputs), or images.

    F is, `of` each example, the "output" a_t of the last layer, its "weighted_input" z_t, or the "cost" C_x; `target`
    is the class t, one for all or one for each: unless told the one that the network says; for the cost the label.

    - "gradient": ∂F/∂x.
    - "input_times_gradient": (x − x⁰) ∂F/∂x, with x⁰ the `baseline`, 0 unless told.
    - "integrated_gradients": (x − x⁰) ∫₀¹ ∂F/∂x(x⁰ + t(x − x⁰)) dt in `steps` by the `rule`,
      "gauss_legendre" or "midpoint". Its sum is F(x) − F(x⁰), up to the error of the rule, which is told as `gap`.
    - "smooth_grad": the mean of ∂F/∂x over `steps` copies of the example with normal noise, of standard deviation
      `noise` times the range of the example's inputs, from `seed`; an estimate, told with its standard error.

    Steps are added up one after the other: memory is that of one. The unit is that of F, per unit of the input for
    gradients.

    Raises OptionError for an unknown option, DataError for examples or targets that do not fit the network.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[2.0, -1.0]], [0.5])], "identity")
    >>> found = attribution(network, [3.0, 1.0])
    >>> found.values, found.explained
    (array([[ 6., -1.]]), array([5.5]))

    Sources: Simonyan, Vedaldi & Zisserman 2014; Sundararajan, Taly & Yan, Axiomatic attribution for deep networks,
    2017; Smilkov et al., SmoothGrad, 2017.
    """
    one_of("method", method, METHODS)
    one_of("of", of, ("output", "weighted_input", "cost"))
    one_of("rule", rule, ("midpoint", "gauss_legendre"))
    steps = whole_number("steps", steps, 2 if method == "smooth_grad" else 1)  # for the standard error
    noise, seed = real_number("noise", noise, 0), whole_number("seed", seed, 0)
    network = network_of(network_or_run)
    x, shape = example_rows(network, example, shape)
    start = baseline_rows(baseline, x)
    chosen = chosen_targets(network, x, target, of)
    judged_by = cost or (None if of == "cost" else "quadratic")
    subject = subject_of(network_or_run, (x, chosen), judged_by)
    asked = AttributionQuestion(subject, of, start, steps, rule, noise, seed)
    values, error = METHODS[method](asked)
    value, before = (explained(subject, of, point) for point in (x, start))
    adds_up = method in ("input_times_gradient", "integrated_gradients")
    return Attribution(
        method=method,
        of=of,
        values=in_rows(values),
        x=in_rows(x),
        baseline=in_rows(start),
        targets=chosen,
        target_names=target_names(chosen, class_names),
        explained=value,
        at_baseline=before,
        gap=in_rows(values).sum(axis=1, dtype=np.float64) - (value - before) if adds_up else None,
        check=None if adds_up else _shifted(subject, of),
        standard_error=None if error is None else in_rows(error),
        steps=steps if method in ("integrated_gradients", "smooth_grad") else None,
        rule=rule.replace("_", "-") if method == "integrated_gradients" else None,
        shape=shape,
    )


def _shifted(subject: Subject, of: str) -> SlopeCheck:
    """A small shift of the input of each example along which F is steepest."""
    slopes, x = input_slopes(subject, of).astype(np.float64), subject.x.astype(np.float64)
    shift = _SHIFT * (float(np.ptp(x)) or 1.0)
    every, most = np.arange(len(x)), np.abs(in_rows(slopes)).argmax(axis=1)
    moved = x.copy()
    in_rows(moved)[every, most] += shift
    measured = explained(subject, of, moved) - explained(subject, of, x)
    return SlopeCheck(most, shift, shift * in_rows(slopes)[every, most], measured)


def _told_examples(count: int) -> str:
    return "one example" if count == 1 else f"{count} examples"
