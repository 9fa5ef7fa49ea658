"""How attributions are computed: slopes with respect to the inputs, along a way, or of noisy copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule import random
from chainrule.insight.compiling import native
from chainrule.insight.network_and_data import Subject
from chainrule.nn.stages import forward, with_variables
from chainrule.trace.promotion import as_array
from chainrule.transform import grad, scan

__all__ = ["METHODS", "AttributionQuestion", "explained", "input_slopes"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class AttributionQuestion:
    """Everything that is asked; the subject's labels are the targets."""

    subject: Subject
    of: str
    baseline: Values
    steps: int
    rule: str
    noise: float
    seed: int


_Found = tuple[Values, Values | None]  # the attributions, and their standard errors


def _by_gradient(asked: AttributionQuestion) -> _Found:
    return input_slopes(asked.subject, asked.of), None


def _by_input_times_gradient(asked: AttributionQuestion) -> _Found:
    return (asked.subject.x - asked.baseline) * input_slopes(asked.subject, asked.of), None


def _by_integrated_gradients(asked: AttributionQuestion) -> _Found:
    nodes, weights = _quadrature(asked.rule, asked.steps)
    dtype = asked.subject.x.dtype
    return integrated(asked.subject, asked.of, asked.baseline, nodes.astype(dtype), weights.astype(dtype)), None


def _by_smooth_grad(asked: AttributionQuestion) -> _Found:
    keys = random.split(random.key(asked.seed), asked.steps)
    x = asked.subject.x
    sizes = (asked.noise * np.ptp(x, axis=tuple(range(1, x.ndim)), keepdims=True)).astype(x.dtype)
    counts = np.arange(1, asked.steps + 1).astype(x.dtype)
    mean, squares = _smoothed(asked.subject, asked.of, sizes, keys, counts)
    return mean, np.sqrt(squares / (asked.steps - 1) / asked.steps)


#: The methods by name: each gives the attributions, and their standard errors where it is an estimate.
METHODS: dict[str, Callable[[AttributionQuestion], _Found]] = {
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
def input_slopes(subject: Subject, of: str) -> Any:
    """∂F/∂x of each example, as a plain array of the shape of x."""
    return _slope(subject, of, subject.x)


@native
def integrated(subject: Subject, of: str, baseline: Any, nodes: Any, weights: Any) -> Any:
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


def explained(subject: Subject, of: str, x: Values) -> Values:
    """F of each example, in float64."""
    found: Values = _values(subject.wide, of, x.astype(np.float64))
    return found.astype(np.float64)


@native
def _values(subject: Subject, of: str, x: Any) -> Any:
    return _each_explained(subject, of, x)
