"""Attribution: which inputs an output, or the cost, of one example comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule import random
from chainrule.checks import one_of, real_number, whole_number
from chainrule.display import Brief, Table, number
from chainrule.errors import DataError, OptionError
from chainrule.insight.compiling import native
from chainrule.insight.network_and_data import Subject, network_of, subject_of
from chainrule.insight.presentation import Insight, figure
from chainrule.nn.outline import outline
from chainrule.nn.parameters import Parameters
from chainrule.nn.stages import forward, with_variables
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import flatten
from chainrule.transform import grad, scan

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
_LEAST_PICTURE = 16  # inputs


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
    cost: str | None = None,
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
    one_of("method", method, _METHODS)
    one_of("of", of, ("output", "weighted_input", "cost"))
    one_of("rule", rule, ("midpoint", "gauss_legendre"))
    steps = whole_number("steps", steps, 2 if method == "smooth_grad" else 1)  # for the standard error
    noise, seed = real_number("noise", noise, 0), whole_number("seed", seed, 0)
    network = network_of(network_or_run)
    x, shape = _rows(network, example, shape)
    start = _baseline(baseline, x)
    chosen = _targets(network, x, target, of)
    judged_by = cost or (None if of == "cost" else "quadratic")
    subject = subject_of(network_or_run, (x, chosen), judged_by)
    asked = _AttributionQuestion(subject, of, start, steps, rule, noise, seed)
    values, error = _METHODS[method](asked)
    explained, before = (_explained(subject, of, point) for point in (x, start))
    adds_up = method in ("input_times_gradient", "integrated_gradients")
    return Attribution(
        method=method,
        of=of,
        values=_in_rows(values),
        x=_in_rows(x),
        baseline=_in_rows(start),
        targets=chosen,
        target_names=_names(chosen, class_names),
        explained=explained,
        at_baseline=before,
        gap=_in_rows(values).sum(axis=1, dtype=np.float64) - (explained - before) if adds_up else None,
        check=None if adds_up else _shifted(subject, of),
        standard_error=None if error is None else _in_rows(error),
        steps=steps if method in ("integrated_gradients", "smooth_grad") else None,
        rule=rule.replace("_", "-") if method == "integrated_gradients" else None,
        shape=shape,
    )


@dataclass(frozen=True, eq=False)
class _AttributionQuestion:
    """Everything that is asked; the subject's labels are the targets."""

    subject: Subject
    of: str
    baseline: Values
    steps: int
    rule: str
    noise: float
    seed: int


_Found = tuple[Values, Values | None]  # the attributions, and their standard errors


def _by_gradient(asked: _AttributionQuestion) -> _Found:
    return _slopes(asked.subject, asked.of), None


def _by_input_times_gradient(asked: _AttributionQuestion) -> _Found:
    return (asked.subject.x - asked.baseline) * _slopes(asked.subject, asked.of), None


def _by_integrated_gradients(asked: _AttributionQuestion) -> _Found:
    nodes, weights = _quadrature(asked.rule, asked.steps)
    dtype = asked.subject.x.dtype
    return _integrated(asked.subject, asked.of, asked.baseline, nodes.astype(dtype), weights.astype(dtype)), None


def _by_smooth_grad(asked: _AttributionQuestion) -> _Found:
    keys = random.split(random.key(asked.seed), asked.steps)
    x = asked.subject.x
    sizes = (asked.noise * np.ptp(x, axis=tuple(range(1, x.ndim)), keepdims=True)).astype(x.dtype)
    counts = np.arange(1, asked.steps + 1).astype(x.dtype)
    mean, squares = _smoothed(asked.subject, asked.of, sizes, keys, counts)
    return mean, np.sqrt(squares / (asked.steps - 1) / asked.steps)


_METHODS: dict[str, Callable[[_AttributionQuestion], _Found]] = {
    "gradient": _by_gradient,
    "input_times_gradient": _by_input_times_gradient,
    "integrated_gradients": _by_integrated_gradients,
    "smooth_grad": _by_smooth_grad,
}


def _quadrature(rule: str, steps: int) -> tuple[Values, Values]:
    """Nodes and weights for an integral from 0 to 1."""
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def _each_explained(subject: Subject, of: str, x: Any) -> Any:
    """F of each example."""
    if of == "cost":
        return subject.costs(subject.network, x, subject.labels)
    found = forward(with_variables(subject.network), as_array(x))
    rows = found.a if of == "output" else found.z
    return cnp.take_along_axis(rows, cnp.expand_dims(subject.labels, 1), axis=1)[:, 0]


def _slope(subject: Subject, of: str, x: Any) -> Any:
    """∂F/∂x of each example: examples do not mix, so that it is the derivative of the sum."""
    return grad(lambda x: cnp.sum(_each_explained(subject, of, x)))(x)


@native
def _slopes(subject: Subject, of: str) -> Any:
    return _slope(subject, of, subject.x)


@native
def _integrated(subject: Subject, of: str, baseline: Any, nodes: Any, weights: Any) -> Any:
    way = subject.x - baseline

    def step(total: Any, at: tuple[Any, Any]) -> tuple[Any, tuple[()]]:
        node, weight = at
        return total + weight * _slope(subject, of, baseline + node * way), ()

    return way * scan(step, cnp.zeros_like(way), (nodes, weights))[0]


@native
def _smoothed(subject: Subject, of: str, sizes: Any, keys: Any, counts: Any) -> Any:
    """The mean of the gradients of noisy copies and the sum of squares around it, updated one copy at a time."""

    def step(carry: tuple[Any, Any], at: tuple[Any, Any]) -> tuple[tuple[Any, Any], tuple[()]]:
        (mean, squares), (key, count) = carry, at
        noise = random.normal(key, subject.x.shape, subject.x.dtype)
        slope = _slope(subject, of, subject.x + sizes * noise)
        nearer = mean + (slope - mean) / count
        return (nearer, squares + (slope - mean) * (slope - nearer)), ()

    start = cnp.zeros_like(subject.x)
    return scan(step, (start, start), (keys, counts))[0]


def _explained(subject: Subject, of: str, x: Values) -> Values:
    """F of each example, in float64."""
    found: Values = _values(subject.wide, of, x.astype(np.float64))
    return found.astype(np.float64)


@native
def _values(subject: Subject, of: str, x: Any) -> Any:
    return _each_explained(subject, of, x)


def _shifted(subject: Subject, of: str) -> SlopeCheck:
    """A small shift of the input of each example along which F is steepest."""
    slopes, x = _slopes(subject, of).astype(np.float64), subject.x.astype(np.float64)
    shift = _SHIFT * (float(np.ptp(x)) or 1.0)
    every, most = np.arange(len(x)), np.abs(_in_rows(slopes)).argmax(axis=1)
    moved = x.copy()
    _in_rows(moved)[every, most] += shift
    measured = _explained(subject, of, moved) - _explained(subject, of, x)
    return SlopeCheck(most, shift, shift * _in_rows(slopes)[every, most], measured)


def _in_rows(values: Values) -> Values:
    """All numbers of an example in one row."""
    return values.reshape(len(values), -1)


def _rows(network: Any, example: Any, shape: tuple[int, int] | None) -> tuple[Values, tuple[int, int] | None]:
    """The examples, one a row, and the height and width of each if they are images.

    A network that does not say how many `inputs` it has is given examples of the shape that they have.
    """
    if isinstance(example, dict | tuple) and any(np.ndim(part) > 0 for part in flatten(example)[0]):
        raise DataError("attribution is about examples that are one array, not several.")
    given, inputs = np.asarray(example, Parameters.of(network).dtype), getattr(network, "inputs", None)
    if inputs is None:
        given = given[None] if given.ndim == 1 else given
        inputs = int(np.prod(given.shape[1:]))
        known = (given.shape[1], given.shape[2]) if given.ndim == 3 else None
        return given, _picture(shape or known, inputs)
    if given.ndim == 0 or given.size == 0 or given.size % inputs:
        raise DataError(f"the network takes {inputs} inputs, but the examples have the shape {given.shape}.")
    if given.shape[-2:] != (given.size // inputs, inputs) and math.prod(given.shape[-2:]) == inputs and given.ndim > 1:
        shape = shape or (given.shape[-2], given.shape[-1])
    return given.reshape(-1, inputs), _picture(shape, inputs)


def _picture(shape: tuple[int, int] | None, inputs: int) -> tuple[int, int] | None:
    """Height and width of examples with so many inputs; what is told, or those of a square that is large enough."""
    side = math.isqrt(inputs)
    if shape is None and side * side == inputs and inputs >= _LEAST_PICTURE:
        shape = (side, side)
    if shape is not None and math.prod(shape) != inputs:
        raise DataError(f"{inputs} inputs are no image of shape {shape}.")
    return shape


def _baseline(baseline: Any, x: Values) -> Values:
    """The baseline of each example."""
    given, inputs = np.asarray(0.0 if baseline is None else baseline, x.dtype), int(np.prod(x.shape[1:]))
    rows = given if given.ndim == 0 else given.reshape(-1, inputs) if given.size % inputs == 0 else None
    if rows is None or (rows.ndim == 2 and len(rows) not in (1, len(x))):
        raise DataError(f"a baseline of shape {given.shape} does not fit examples of shape {x.shape}.")
    return np.array(np.broadcast_to(rows, (len(x), inputs))).reshape(x.shape)


def _targets(network: Any, x: Values, target: Any, of: str) -> Values:
    """The class of each example whose output is explained, or its label."""
    if target is None and of == "cost":
        raise OptionError("the cost needs the label of each example.", cure="Give target=…, the label or labels.")
    if of == "cost" and np.ndim(target) > 1:
        return np.asarray(target)
    outputs = _outputs(network, x)
    if target is None:
        said: Values = np.asarray(network(x)).argmax(axis=1)
        return said
    classes = np.asarray(target)
    if classes.dtype.kind not in "iu" or classes.ndim > 1 or classes.size not in (1, len(x)):
        raise DataError(f"target must be a class, or one for each of {len(x)} examples, not {target!r}.")
    if not 0 <= classes.min() <= classes.max() < outputs:
        raise DataError(f"target {target!r} is not one of the {outputs} outputs, counted from 0.")
    return np.array(np.broadcast_to(classes, len(x)), np.int64)


def _outputs(network: Any, x: Values) -> int:
    """How many outputs there are in a row; OptionError if they are not in a row, or nobody but the cost makes them."""
    if not callable(network):
        raise OptionError(
            "attribution explains an output of a network that is called with examples, which this one is not.",
            cure="Make it one: cr.nn.Function(function, parameters).",
        )
    shape = outline(network, x).shape
    if len(shape) != 1:
        raise OptionError(f"attribution explains one of the outputs in a row, not of outputs of shape {shape}.")
    return int(shape[0])


def _names(targets: Values, class_names: Sequence[str]) -> tuple[str, ...]:
    if targets.ndim == 2:
        return tuple(f"target {', '.join(map(number, row))}" for row in targets)
    return tuple(class_names[n] if n < len(class_names) else f"class {n}" for n in targets)


def _told_examples(count: int) -> str:
    return "one example" if count == 1 else f"{count} examples"
