"""How much of a mini-batch's gradient is signal and how much noise, and what that says about the batch size.

The gradient of a batch of B examples is the true one, G, and noise with the covariance Σ/B. McCandlish et al. call
tr Σ / ‖G‖² the simple noise scale: the batch size at which noise and signal are as strong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from chainrule.checks import whole_number
from chainrule.display import Table, number
from chainrule.errors import DataError
from chainrule.insight.gradients import example_gradients, penalty_gradient
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.parameter_vector import vector_positions
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.wording import counted, layer_name, stage_name
from chainrule.learning.run import Run

__all__ = ["GradientNoise", "NoisePart", "gradient_noise"]

Values = np.ndarray[Any, Any]
_GROUPS = 10  # of examples, which are left out in turn to see how sure the figures are
_SMALL, _LARGE = 0.1, 10.0  # of the noise scale


@dataclass(frozen=True)
class NoisePart:
    """Signal and noise of the whole gradient or of a layer's.

    `variance` is tr Σ of one example's gradient, `squared_gradient` ‖G‖², both unbiased; the latter can come out below
    0 where there is more noise than signal. Errors are standard errors, by leaving groups of examples out in turn.
    """

    variance: float
    squared_gradient: float
    squared_gradient_error: float
    noise_scale_error: float

    @property
    def told(self) -> bool:
        """Whether the gradient can be told from its noise."""
        return self.squared_gradient > 2 * self.squared_gradient_error and self.squared_gradient > 0

    @property
    def noise_scale(self) -> float | None:
        """tr Σ / ‖G‖², in examples; None where the gradient cannot be told from its noise."""
        return self.variance / self.squared_gradient if self.told else None

    @property
    def signal_to_noise(self) -> float:
        """‖G‖ over the root of tr Σ: that of one example; a batch of B has √B times as much."""
        return sqrt(max(self.squared_gradient, 0) / self.variance) if self.variance > 0 else float("inf")


@dataclass(frozen=True, repr=False)
class GradientNoise(Insight):
    """Signal and noise of the gradient: of the whole, and of each layer's part."""

    whole: NoisePart
    layers: tuple[NoisePart, ...]
    examples: int
    batch: int | None
    names: tuple[str, ...]

    @property
    def noise_scale(self) -> float | None:
        """tr Σ / ‖G‖² of the whole gradient, in examples."""
        return self.whole.noise_scale

    @property
    def title(self) -> str:
        """What it is."""
        return f"Gradient noise, measured on {counted(self.examples, 'example')}"

    def sentences(self) -> list[str]:
        """What it says."""
        scale = self.noise_scale
        if scale is None:
            least = self.whole.variance / (max(self.whole.squared_gradient, 0) + 2 * self.whole.squared_gradient_error)
            return [
                "The gradient cannot be told from its noise with so few examples: the examples pull in directions that "
                f"nearly cancel. The noise scale is above about {counted(round(least), 'example')}.",
            ]
        said = [
            f"In a batch of about {number(scale)} examples (± {number(self.whole.noise_scale_error)}), noise and "
            "signal in the gradient are equally strong: the simple noise scale.",
            f"Above {number(_LARGE * scale)} examples in a batch, more hardly change the step.",
        ]
        if _SMALL * scale >= 2:
            small = f"Below {number(_SMALL * scale)} examples in a batch, a step is mostly noise"
            said.append(f"{small}: a larger batch gains almost in proportion.")
        return said if self.batch is None else [*said, self._advice(self.batch, scale)]

    def _advice(self, batch: int, scale: float) -> str:
        strength = f"signal to noise is {number(sqrt(batch) * self.whole.signal_to_noise)}"
        here = f"With batches of {batch:,}, {strength}"
        if batch < _SMALL * scale:
            return f"{here}: noise dominates; larger batches with a higher rate would learn as much in fewer steps."
        if batch > _LARGE * scale:
            return f"{here}: most of the batch is wasted; smaller batches would learn nearly as much a step."
        return f"{here}: neither too small nor wasteful."

    def table(self) -> Table:
        """The whole, and each layer."""
        names = ["all", *(layer_name(n, self.names) for n in range(len(self.layers)))]
        parts = zip(names, [self.whole, *self.layers], strict=True)
        rows = [(name, p.variance, p.squared_gradient, p.signal_to_noise, p.noise_scale) for name, p in parts]
        return Table(
            ("of", "noise tr Σ", "signal ‖G‖²", "signal / noise, one example", "noise scale (examples)"), tuple(rows)
        )

    def plot(self, axes: Any = None) -> Any:
        """Signal to noise over the batch size, for each layer."""
        axes = figure(axes)
        batches = np.geomspace(1, max(self.examples, 2))
        for n, part in enumerate(self.layers):
            axes.loglog(batches, np.sqrt(batches) * part.signal_to_noise, label=stage_name(n, self.names))
        axes.axhline(1, color="black", linewidth=0.5)
        axes.set(title=self.title, xlabel="examples in a batch", ylabel="signal / noise")
        axes.legend()
        return axes


def gradient_noise(
    network: Any,
    data: Any,
    *,
    batch: int | None = None,
    seed: int = 0,
    cost: AskedCost = None,
    l2: float | None = None,
    examples: int | None = None,
) -> GradientNoise:
    """The noise in the gradient of an example, the signal under it, and the batch size at which both are as strong.

    From the gradients g_x of N examples, all or as many as `examples` says, drawn by `seed`, unbiased:
    `tr Σ = N/(N−1) (mean_x ‖g_x‖² − ‖mean_x g_x‖²)` and `‖G‖² = ‖mean_x g_x‖² − tr Σ/N`, for each layer and for all;
    G holds the penalty. The ratio tr Σ/‖G‖² is taken last. Of dense layers no example's gradient is formed. `batch`,
    or that of a run, is judged.

    Raises OptionError for a batch below 1; DataError for fewer than 2 examples, or gradients that are no finite
    numbers; what `subject_of` raises.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])], "identity")
    >>> found = gradient_noise(network, ([[1.0], [1.0]], [[0.0], [-2.0]]), cost="quadratic")
    >>> found.whole.variance, found.whole.squared_gradient  # gradients (1, 1) and (3, 3)
    (4.0, 6.0)

    Source: McCandlish, Kaplan, Amodei et al., An empirical model of large-batch training, 2018.
    """
    batch, seed = None if batch is None else whole_number("batch", batch, 1), whole_number("seed", seed, 0)
    whole = subject_of(network, data, cost, l2)
    subject = whole if examples is None else whole.at_most(examples, seed)
    if subject.count < 2:
        raise DataError("noise is what differs between examples: at least 2 are needed.")
    found = _measured(subject, seed)
    used = batch if batch is not None else _batch_of(network)
    names = tuple(stage.name for stage in subject.stages)
    return GradientNoise(found[0], tuple(found[1:]), subject.count, used, names)


def _batch_of(asked: Any) -> int | None:
    return asked.configuration.batch if isinstance(asked, Run) else None


@dataclass(frozen=True, eq=False)
class _Moments:
    """Of some examples: how many, mean ‖g_x‖² of the whole and of each layer, and the mean of g_x."""

    count: int
    squares: Values
    mean: Values

    def without(self, part: _Moments) -> _Moments:
        """Those of the other examples."""
        left = self.count - part.count
        pairs = ((self.squares, part.squares), (self.mean, part.mean))
        squares, mean = ((self.count * a - part.count * b) / left for a, b in pairs)
        return _Moments(left, squares, mean)


def _together(parts: Sequence[_Moments]) -> _Moments:
    count = sum(part.count for part in parts)
    shares = [part.count / count for part in parts]
    squares = sum(s * part.squares for s, part in zip(shares, parts, strict=True))
    mean = sum(s * part.mean for s, part in zip(shares, parts, strict=True))
    return _Moments(count, np.asarray(squares), np.asarray(mean))


def _measured(subject: Subject, seed: int) -> list[NoisePart]:
    """The whole, then each layer."""
    order = np.random.default_rng(seed).permutation(subject.count)
    groups = [_moments(subject.taking(np.sort(rows))) for rows in np.array_split(order, min(_GROUPS, subject.count))]
    known, held = _together(groups), penalty_gradient(subject)
    if not np.isfinite(known.squares).all():
        raise DataError("the gradients are no finite numbers here: the weights or the examples are too large.")
    parts = [vector_positions(subject.network, (*stage.weights, *stage.biases)) for stage in subject.stages]
    parts.insert(0, np.arange(known.mean.size))
    variance, signal = _estimates(known, held, parts)
    again = [_estimates(known.without(group), held, parts) for group in groups] if known.count > 2 else []
    return [
        NoisePart(
            float(variance[n]),
            float(signal[n]),
            _left_out_error([s[n] for _, s in again]),
            _left_out_error([v[n] / s[n] if s[n] > 0 else np.inf for v, s in again]),
        )
        for n in range(len(parts))
    ]


def _moments(subject: Subject) -> _Moments:
    found = example_gradients(subject)
    of_stages = np.asarray(found.of_stages.mean(axis=0))
    return _Moments(subject.count, np.append(found.squares.mean(), of_stages), found.mean)


def _estimates(known: _Moments, held: Values, parts: Sequence[Values]) -> tuple[Values, Values]:
    """tr Σ and ‖G‖² of the whole and of each layer."""
    of_data = np.array([known.mean[part] @ known.mean[part] for part in parts])
    gradient = known.mean + held
    lengths = np.array([gradient[part] @ gradient[part] for part in parts])
    variance = known.count / max(known.count - 1, 1) * np.maximum(known.squares - of_data, 0)
    signal = lengths - variance / known.count
    return variance, signal


def _left_out_error(values: Sequence[float]) -> float:
    """The standard error of a figure, from what it is without each group: the jackknife."""
    if not values or not np.all(np.isfinite(values)):
        return float("inf") if values else 0.0
    return float(sqrt((len(values) - 1) * np.var(values)))
