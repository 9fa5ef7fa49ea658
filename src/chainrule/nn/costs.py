"""Costs: how far the outputs are from the targets, for each example.

Each takes the outputs' weighted inputs z, their activations a and the targets y, all of shape (examples, …, outputs),
and gives C_x for each example; the cost is the mean of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule.checks import one_of
from chainrule.errors import OptionError
from chainrule.graph import ops
from chainrule.graph.types import Type
from chainrule.nn.activations import Activation, activation_named
from chainrule.nn.named import Named, checked_name
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.transform import stop_gradient, value_and_grad

__all__ = [
    "COSTS", "Cost", "cost_function", "quadratic", "sigmoid_cross_entropy", "softmax_cross_entropy", "targets_of",
    "usual_cost",
]  # fmt: skip

Values = numpy.ndarray[Any, Any]
CROSS_ENTROPY = "cross_entropy"  # the one that belongs to the outputs' activation
_DESCENTS, _DESCENDED = 200, 1000  # steps of descent for a constant answer, and targets that it is found on


@dataclass(frozen=True, eq=False, repr=False)
class Cost(Named):
    """A cost, and what is known of it; `cost(z, a, y)` gives C_x of each example.

    `function` takes z, a and y of shape (examples, …, outputs) and is written in the array language. `activation` is
    the name of the activation that outputs must have for it, "" for any; `lowest` and `highest` are what targets must
    lie between. `constant(labels, outputs)` is the least mean cost of an answer that is the same for every example; it
    is found by descent unless told. `likelihood` says that −C_x is the logarithm of how likely y is, up to a constant,
    so that the Fisher matrix is the Gauss-Newton matrix.

    >>> distance = Cost("distance", lambda z, a, y: np.sum(abs(a - y), axis=-1))
    >>> distance(None, numpy.array([[1.0, 2.0]]), numpy.array([[0.0, 0.0]]))
    array([3.])
    """

    name: str
    function: Callable[[Any, Any, Any], Any]
    activation: str = ""
    lowest: float = -math.inf
    highest: float = math.inf
    constant: Callable[[Values, int], float] | None = None
    likelihood: bool = False

    def __post_init__(self) -> None:
        checked_name("a cost", self.name)

    @classmethod
    def known(cls) -> Mapping[str, Cost]:
        """Those that come with chainrule."""
        return COSTS

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, z: Any, a: Any, y: Any) -> Any:
        """C_x of each example, shape (examples,)."""
        return self.function(z, a, y)

    def least_constant(self, labels: Values, outputs: int, activation: Activation) -> float:
        """The least mean cost of an answer that is the same for every example, to labels (n,) or targets (n, outputs).

        It is nan where targets do not lie in the range of the cost.
        """
        if labels.ndim > 1 and not (labels.min() >= self.lowest and labels.max() <= self.highest):
            return math.nan
        if self.constant is not None:
            return self.constant(labels, outputs)
        return _by_descent(self, *_distinct(labels, outputs), activation)


def _distinct(labels: Values, outputs: int) -> tuple[Values, Values]:
    """The different targets, and the share of the examples that has each."""
    if labels.ndim == 1:
        counts = numpy.bincount(labels, minlength=outputs)
        rows = numpy.eye(outputs)
    else:
        rows, counts = numpy.unique(labels.astype(numpy.float64), axis=0, return_counts=True)
    return rows, counts / len(labels)


def _by_descent(cost: Cost, y: Values, shares: Values, activation: Activation) -> float:
    """The least cost over constant weighted inputs, by gradient descent that halves its rate when it overshoots.

    Of very many different targets it descends on some, spread evenly, and is measured on all.
    """

    def mean(z: Any, y: Any, shares: Any) -> Any:
        every = z + np.zeros(y.shape)
        return np.sum(shares * cost(every, activation(every), y))

    some = slice(None, None, max(len(y) // _DESCENDED, 1))
    chosen = y[some], shares[some] / shares[some].sum()
    z, rate = numpy.zeros(y.shape[1:]), 1.0
    least, slope = value_and_grad(mean)(z, *chosen)
    for _ in range(_DESCENTS):
        value, following = value_and_grad(mean)(z - rate * slope, *chosen)
        if value < least:
            gained = least - value
            z, least, slope, rate = z - rate * slope, value, following, 1.5 * rate
            if gained < 1e-9 * abs(least):
                break
        else:
            rate /= 2
    return float(mean(z, y, shares))


# what they compute


def _quadratic(z: Any, a: Any, y: Any) -> Any:
    return 0.5 * np.sum((a - y) ** 2, axis=_all_but_examples(a))


def _sigmoid_cross_entropy(z: Any, a: Any, y: Any) -> Any:
    each = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))
    return np.sum(each, axis=_all_but_examples(z))


def _softmax_cross_entropy(z: Any, a: Any, y: Any) -> Any:
    largest = stop_gradient(np.max(z, axis=-1, keepdims=True))
    shifted = z - largest
    normalizer = np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
    return np.sum(y * (normalizer - shifted), axis=_all_but_examples(z))


def _all_but_examples(x: Any) -> int | tuple[int, ...]:
    """All axes but the first: −1 where there is one, as the users of single rows have it."""
    return -1 if np.ndim(x) <= 2 else tuple(range(1, np.ndim(x)))


# what a constant answer costs


def _constant_quadratic(labels: Values, outputs: int) -> float:
    """Half the variance of the targets."""
    means = _means(labels, outputs)
    spread = means * (1 - means) if labels.ndim == 1 else labels.var(axis=0, dtype=numpy.float64)
    return float(0.5 * spread.sum())


def _constant_sigmoid(labels: Values, outputs: int) -> float:
    """`−Σⱼ sⱼ ln sⱼ + (1 − sⱼ) ln(1 − sⱼ)` with the mean target sⱼ of output j."""
    means = _means(labels, outputs)
    return -_logarithms(means, numpy.ones(())) - _logarithms(1 - means, numpy.ones(()))


def _constant_softmax(labels: Values, outputs: int) -> float:
    """`−Σⱼ sⱼ ln(sⱼ / Σₖ sₖ)`."""
    means = _means(labels, outputs)
    return -_logarithms(means, means.sum(axis=-1, keepdims=True))


def _means(labels: Values, outputs: int) -> Values:
    """The mean target of each output."""
    if labels.ndim == 1:
        return numpy.bincount(labels, minlength=outputs) / len(labels)
    return numpy.asarray(labels.mean(axis=0, dtype=numpy.float64))


def _logarithms(shares: Values, totals: Values) -> float:
    """`Σⱼ sⱼ ln(sⱼ / total)`, 0 ln 0 being 0."""
    safe = numpy.where(shares > 0, shares / numpy.where(totals > 0, totals, 1), 1)
    return float((shares * numpy.log(safe)).sum())


#: `C_x = ½ Σⱼ (aⱼ − yⱼ)²`.
quadratic = Cost("quadratic", _quadratic, constant=_constant_quadratic, likelihood=True)
#: `C_x = −Σⱼ [yⱼ ln aⱼ + (1 − yⱼ) ln(1 − aⱼ)]` for a = σ(z), computed from z.
#: `−y ln σ(z) − (1 − y) ln(1 − σ(z)) = max(z, 0) − y z + ln(1 + e^−|z|)`, which neither overflows nor loses digits.
sigmoid_cross_entropy = Cost(
    "sigmoid_cross_entropy",
    _sigmoid_cross_entropy,
    "sigmoid",
    lowest=0.0,
    highest=1.0,
    constant=_constant_sigmoid,
    likelihood=True,
)
#: `C_x = −Σⱼ yⱼ ln aⱼ` for a = softmax(z), computed from z as `Σⱼ yⱼ (ln Σₖ e^zₖ − zⱼ)`.
softmax_cross_entropy = Cost(
    "softmax_cross_entropy",
    _softmax_cross_entropy,
    "softmax",
    lowest=0.0,
    highest=1.0,
    constant=_constant_softmax,
    likelihood=True,
)

#: The costs by name.
COSTS: Mapping[str, Cost] = MappingProxyType(
    {cost.name: cost for cost in (quadratic, sigmoid_cross_entropy, softmax_cross_entropy)}
)


def cost_function(asked: Any, activation: Any) -> Cost:
    """The cost that is asked for, itself or by its name, for outputs with that activation.

    "cross_entropy" is the one that belongs to the activation, sigmoid or softmax. OptionError if there is none.
    """
    outputs = activation_named(activation)
    if not isinstance(asked, Cost):
        one_of("cost", asked, [*COSTS, CROSS_ENTROPY])
    found = asked if isinstance(asked, Cost) else COSTS.get(outputs.cost if asked == CROSS_ENTROPY else asked)
    if found is None:
        raise OptionError(
            f"the cost 'cross_entropy' needs sigmoid or softmax outputs, not {outputs}.",
            cure="Make the network with output='sigmoid' or output='softmax', or use cost='quadratic'.",
        )
    if found.activation and found.activation != outputs.name:
        raise OptionError(
            f"the cost {found.name!r} needs {found.activation} outputs, not {outputs}.",
            cure=f"Make the network with output={found.activation!r}, or use cost='quadratic'.",
        )
    return found


def usual_cost(activation: Activation) -> Cost:
    """The cost that belongs to outputs with that activation; quadratic where there is none."""
    return COSTS.get(activation.cost, quadratic)


def targets_of(labels: Any, outputs: int, dtype: Any) -> Any:
    """Integer labels of shape (n,) as one-hot rows, shape (n, outputs); real targets as they are."""
    return _one_hot(labels, outputs, dtype) if labels.ndim == 1 else labels


def _one_hot(labels: Any, classes: int, dtype: Any) -> Any:
    return (np.expand_dims(labels, 1) == _positions(labels, classes)).astype(dtype)


def _positions(labels: Any, classes: int) -> Any:
    if not isinstance(labels, Array):
        return numpy.arange(classes)
    return apply(ops.IOTA, attributes=(1, Type((labels.shape[0], classes), labels.dtype)))
