"""Vanishing gradients: at the start, the earlier a hidden layer, the slower it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.checks import whole_number, whole_numbers
from chainrule.classics.demonstrations.base import Demonstration
from chainrule.classics.problems.base import Published, Values, layers
from chainrule.data.mnist import digits
from chainrule.display import Table, number
from chainrule.insight.presentation import Insight, figure
from chainrule.nn.activations import sigmoid
from chainrule.nn.connected import Connected
from chainrule.nn.costs import sigmoid_cross_entropy
from chainrule.nn.wiring import Wiring
from chainrule.transform import compile, grad, vmap

__all__ = ["LayerSpeeds", "NeuronChain", "VanishingGradients", "chain", "speeds"]

_PUBLISHED: dict[int, tuple[float, ...]] = {
    2: (0.06574134326503182, 0.3092184942703712),
    3: (0.01184, 0.05997, 0.28314),
    4: (0.00298, 0.01708, 0.06954, 0.28514),
}
_HIDDEN, _IMAGES, _AT_ONCE = 30, 1000, 20
_NEURONS = 4  # in the chain


@dataclass(frozen=True, eq=False)
class NeuronChain:
    """A chain of single neurons: ∂C/∂b₁ by backpropagation, and as the product σ'(z₁) w₂ σ'(z₂) … ∂C/∂a.

    `factors` are wₗ σ'(zₗ) of the neurons after the first.
    """

    by_backpropagation: float
    as_product: float
    factors: Values


@dataclass(frozen=True, eq=False, repr=False)
class LayerSpeeds(Insight):
    """The speeds ‖∂C/∂bˡ‖ of the hidden layers at the start, by their number: shape (networks, hidden layers)."""

    seed: int
    hidden: int
    speeds: dict[int, Values]
    published: dict[int, tuple[float, ...]]
    chain: NeuronChain

    @property
    def title(self) -> str:
        """What it is."""
        return f"How fast hidden layers of {self.hidden} neurons learn at the start"

    def percentile(self, depth: int, layer: int) -> float | None:
        """How many in a hundred of the networks have a slower layer than the published one; None if there is none."""
        if depth not in self.published:
            return None
        slower = self.speeds[depth][:, layer] < self.published[depth][layer]
        return 100 * float(slower.mean())

    def slowdown(self, depth: int) -> float:
        """The median over the networks of the last hidden layer's speed over the first one's."""
        found = self.speeds[depth]
        return float(numpy.median(found[:, -1] / found[:, 0]))

    def sentences(self) -> list[str]:
        """What it says."""
        count = len(next(iter(self.speeds.values())))
        said = [
            f"With {depth} hidden layers, the first learns {number(self.slowdown(depth))} times as slowly as the last "
            f"(median of {count} networks)."
            for depth in self.speeds
            if depth > 1
        ]
        largest = numpy.abs(self.chain.factors).max()
        both = number(self.chain.by_backpropagation), number(self.chain.as_product)
        return [
            *said,
            f"In a chain of {len(self.chain.factors) + 1} neurons, ∂C/∂b₁ = σ'(z₁) w₂ σ'(z₂) … ∂C/∂a: "
            f"{both[0]} by backpropagation, {both[1]} as a product.",
            f"Each factor |w σ'(z)| is below ¼ where |w| < 1, as σ' is at most ¼; here at most {number(largest)}.",
        ]

    def table(self) -> Table:
        """A layer a row, those of each network together, the first layer first."""
        rows = []
        for depth, found in self.speeds.items():
            low, middle, high = numpy.quantile(found, (0.05, 0.5, 0.95), axis=0)
            for n in range(depth):
                published = self.published[depth][n] if depth in self.published else None
                quantiles = float(middle[n]), float(low[n]), float(high[n])
                rows.append((depth, n + 1, published, *quantiles, self.percentile(depth, n)))
        names = "hidden layers", "layer", "published speed", "median speed", "5 %", "95 %", "percentile of published"
        return Table(names, tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """The speeds of the layers: median, the middle nine tenths, and what was published."""
        axes = figure(axes)
        for n, (depth, found) in enumerate(self.speeds.items()):
            layer = numpy.arange(1, depth + 1)
            low, middle, high = numpy.quantile(found, (0.05, 0.5, 0.95), axis=0)
            axes.errorbar(
                layer + 0.06 * n, middle, (middle - low, high - middle), color=f"C{n}", capsize=3,
                label=f"{depth} hidden layers: median, 5 to 95 %",
            )  # fmt: skip
            if depth in self.published:
                axes.plot(layer + 0.06 * n, self.published[depth], "x", color=f"C{n}")
        axes.plot([], [], "x", color="grey", label="Nielsen, chapter 5")
        axes.set(title=self.title, xlabel="hidden layer", ylabel="speed ‖∂C/∂b‖", yscale="log")
        axes.set_xticks(range(1, max(self.speeds) + 1))
        axes.legend()
        return axes


@final
class VanishingGradients(Demonstration):
    """The speed of each hidden layer at the start, from many seeds (Nielsen, chapter 5)."""

    name: ClassVar[str] = "vanishing-gradients"
    title: ClassVar[str] = "early layers learn slowly"
    description: ClassVar[str] = "‖∂C/∂b‖ of every hidden layer at the start, over the first 1,000 images of MNIST."
    source: ClassVar[str] = "Nielsen, Neural Networks and Deep Learning, chapter 5"
    published: ClassVar[tuple[Published, ...]] = tuple(
        Published(
            f"speeds of {depth} hidden layers of 30", ", ".join(map(number, found)), "Nielsen, chapter 5",
            "one draw from an unseeded generator: it has a percentile among ours",
        )
        for depth, found in _PUBLISHED.items()
    )  # fmt: skip

    def result(
        self,
        seed: int = 0,
        *,
        networks: int = 200,
        depths: Sequence[int] = (2, 3, 4),
        hidden: int = _HIDDEN,
        images: int = _IMAGES,
    ) -> LayerSpeeds:
        """The speeds in so many networks with each number of hidden layers.

        The bundled digits begin with the first 1,000 training images of MNIST, which are all that is needed.

        Raises OptionError for an option outside its range.

        >>> found = VanishingGradients().run(networks=20, depths=[2], images=100)
        >>> found.slowdown(2) > 2
        True
        """
        seed, networks = whole_number("seed", seed, 0), whole_number("networks", networks, 1)
        hidden, images = whole_number("hidden", hidden, 1), whole_number("images", images, 1)
        depths = whole_numbers("depths", depths, 1, cure="For example [2, 3, 4].")
        data, key = digits(), random.key(seed)
        count = min(images, len(data))
        x, y = data.flat()[:count], numpy.eye(10, dtype=numpy.float32)[data.labels[:count]]
        keys = numpy.stack([random.fold_in(key, n) for n in range(networks)])
        found = {d: speeds(layers(784, *[hidden] * d, 10), keys, x, y) for d in depths}
        his = {d: _PUBLISHED[d] for d in depths if d in _PUBLISHED and (hidden, count) == (_HIDDEN, _IMAGES)}
        return LayerSpeeds(seed, hidden, found, his, _drawn_chain(random.fold_in(key, networks)))


def speeds(wiring: Wiring, keys: Values, x: Values, y: Values) -> Values:
    """`‖∂C/∂bˡ‖₂` of each hidden layer at the start, shape (networks, hidden layers), a network for each key.

    It is the length of the mean over the examples of the errors δˡ, as `∂C/∂bˡ = mean δˡ` (BP3), for the cross-entropy.
    Weights start from N(0, 1/inputs), biases from N(0, 1).
    """

    def of_one(key: Any) -> Any:
        network = _started(wiring, key)

        def cost(biases: Any) -> Any:
            z, a = Connected.from_weights(wiring, network.weights, biases).forward(x)["output"]
            return np.mean(sigmoid_cross_entropy(z, a, y))

        errors = grad(cost)(network.biases)
        return np.stack([np.norm(errors[units.name]) for units in wiring.units[:-1]])

    several = compile(vmap(of_one)) if len(keys) > _AT_ONCE else vmap(of_one)  # few are soon done as they are
    return numpy.concatenate([several(keys[n : n + _AT_ONCE]) for n in range(0, len(keys), _AT_ONCE)])


def _started(wiring: Wiring, key: Any) -> Connected:
    """Nielsen's default start from chapter 3 on: `w ~ N(0, 1)/√inputs, b ~ N(0, 1)`."""
    weights, biases = wiring.weight_shapes, wiring.bias_shapes
    keys = random.split(key, len(weights) + len(biases))
    drawn = {
        name: random.normal(keys[n], shape) / numpy.sqrt(shape[1]) for n, (name, shape) in enumerate(weights.items())
    }
    levels = {name: random.normal(keys[len(weights) + n], shape) for n, (name, shape) in enumerate(biases.items())}
    return Connected.from_weights(wiring, drawn, levels)


def chain(weights: Values, biases: Values, x: float, y: float) -> NeuronChain:
    """The chain of neurons a = σ(w a + b), one after the other, with the quadratic cost `½ (a − y)²`.

    >>> found = chain(numpy.array([0.5, 0.8]), numpy.zeros(2), 1.0, 0.0)
    >>> bool(numpy.isclose(found.by_backpropagation, found.as_product))
    True
    """

    def forward(biases: Any) -> list[Any]:
        z, a = [], x
        for n in range(len(weights)):
            z.append(weights[n] * a + biases[n])
            a = sigmoid(z[-1])
        return z

    derivative = grad(lambda biases: 0.5 * (sigmoid(forward(biases)[-1]) - y) ** 2)(biases)[0]
    z = numpy.array(forward(biases))
    slopes = numpy.array([grad(sigmoid)(one) for one in z])
    factors = weights[1:] * slopes[1:]
    return NeuronChain(float(derivative), float(slopes[0] * factors.prod() * (sigmoid(z[-1]) - y)), factors)


def _drawn_chain(key: Any) -> NeuronChain:
    """A chain with weights between −1 and 1, for the input 1 and the target 0."""
    first, second = random.split(key)
    weights = random.uniform(first, (_NEURONS,), numpy.float64, -1.0, 1.0)
    return chain(weights, random.normal(second, (_NEURONS,), numpy.float64), 1.0, 0.0)
