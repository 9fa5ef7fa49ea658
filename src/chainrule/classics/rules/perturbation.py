"""The gradient by guessing: perturb weights or units, and see what the cost makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, final

from chainrule import numpy as np
from chainrule import random
from chainrule.classics.problems.base import Problem, Settings
from chainrule.classics.rules.base import Rule, Spending, by_group, local_gradient, unit_count, unit_sizes
from chainrule.classics.rules.descent import Descent, at_rest, error, with_rates
from chainrule.nn.connected import Connected
from chainrule.transform import scan, vmap
from chainrule.tree import ravel

__all__ = ["NodePerturbation", "WeightPerturbation"]

_SLOWER = 0.2  # of the problem's rate, where all are perturbed at once: the guesses vary as much as they are many


@final
@dataclass(frozen=True)
class WeightPerturbation(Rule):
    """`∂E/∂wⱼ ≈ ξⱼ (E(w + hξ) − E(w)) / h` with all ξⱼ = ±1 at random, then the step of backpropagation.

    The mean over ξ is the gradient but for terms of order h²; the variance of each component is about the square of the
    whole gradient's length. So the rate must be smaller than that of backpropagation: a fifth of the problem's unless
    told, with the problem's momentum. The change is always made after a sweep: one after each pattern would have the
    variance of all their gradients, which is there even where they cancel.

    Source: Jabri & Flower, Weight perturbation: an optimal architecture and learning technique for analog VLSI
    feedforward and recurrent multilayer networks, IEEE Transactions on Neural Networks 3 (1992), 154-157, with all
    weights at once.
    """

    name: ClassVar[str] = "weight-perturbation"
    title: ClassVar[str] = "weight perturbation, all weights at once"

    rate: float | None = None
    momentum: float | None = None
    size: float = 0.01

    def settings(self, problem: Problem) -> Settings:
        """The problem's settings with the rule's rate and momentum, and a change after each sweep."""
        found = _slowed(problem.settings, _SLOWER, self.rate, self.momentum)
        return replace(found, change_after="sweep")

    def start(self, problem: Problem, key: Any) -> Any:
        """The network, and the last change of each weight: none."""
        return at_rest(problem.network(key))

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """A change after all patterns."""
        return Descent(problem, self.settings(problem), partial(self.gradient, problem)).sweep(state, number, key)

    def gradient(self, problem: Problem, network: Connected, x: Any, d: Any, key: Any) -> Any:
        """The guess from one perturbation, a tree like the network."""
        weights, made = ravel(network)
        signs = _signs(key, weights.shape, weights.dtype)

        def cost(weights: Any) -> Any:
            return error(problem.settings, made(weights)(x), d)

        return made((cost(weights + self.size * signs) - cost(weights)) / self.size * signs)

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs for the patterns."""
        return state[0](problem.x)

    def spending(self, problem: Problem) -> Spending:
        """Two forward passes for each pattern, without the perturbation and with it; none backward."""
        return Spending.of_passes(problem, unit_count(problem.wiring), self.operations(problem), forward=2)


@final
@dataclass(frozen=True)
class NodePerturbation(Rule):
    """`∂E_x/∂zⱼ ≈ (E_x(z + h eⱼ) − E_x(z)) / h` for each pattern x, with the weighted input of a unit perturbed.

    With these δⱼ, `∂E/∂wⱼᵢ = Σ_x δⱼ aᵢ`, then the step of backpropagation: a gradient of U units takes U + 1 forward
    passes. Unless `one_at_a_time`, it takes two: all units are perturbed at once, `δⱼ ≈ ξⱼ (E_x(z + hξ) − E_x(z)) / h`
    with ξⱼ = ±1 at random for each unit and pattern. The mean over ξ is the gradient but for terms of order h².

    `rate` and `momentum` are the problem's unless told, without `one_at_a_time` a fifth of the rate.

    Source: Widrow & Lehr, 30 years of adaptive neural networks, Proceedings of the IEEE 78 (1990), 1415-1442, Madaline
    rule III.
    """

    name: ClassVar[str] = "node-perturbation"
    title: ClassVar[str] = "node perturbation (Madaline rule III)"

    rate: float | None = None
    momentum: float | None = None
    size: float = 0.01
    one_at_a_time: bool = True

    def settings(self, problem: Problem) -> Settings:
        """The problem's settings with the rule's rate and momentum."""
        return _slowed(problem.settings, 1.0 if self.one_at_a_time else _SLOWER, self.rate, self.momentum)

    def start(self, problem: Problem, key: Any) -> Any:
        """The network, and the last change of each weight: none."""
        return at_rest(problem.network(key))

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """A change after all patterns, or after each in turn, as the settings say."""
        return Descent(problem, self.settings(problem), partial(self.gradient, problem)).sweep(state, number, key)

    def gradient(self, problem: Problem, network: Connected, x: Any, d: Any, key: Any) -> Any:
        """The guess from one perturbation of each unit, or of all, a tree like the network."""
        found = network.forward(x)
        before = _costs(problem, network, found, d)
        sizes = unit_sizes(network.wiring)

        def slopes(nudges: Any) -> Any:
            nudged = network.forward(x, by_group(sizes, self.size * nudges))
            return (_costs(problem, network, nudged, d) - before) / self.size

        guesses = self._guesses(slopes, len(x), unit_count(network.wiring), network.dtype, key)
        activations = {name: a for name, (_, a) in found.items()}
        return local_gradient(network, activations, by_group(sizes, guesses))

    def _guesses(self, slopes: Callable[[Any], Any], patterns: int, units: int, dtype: Any, key: Any) -> Any:
        """∂E_x/∂zⱼ for each pattern and unit, shape (patterns, units)."""
        if not self.one_at_a_time:
            signs = _signs(key, (patterns, units), dtype)
            return signs * np.expand_dims(slopes(signs), 1)
        numbers = np.arange(units)
        alone = (numbers[:, None] == numbers).astype(dtype)
        return scan(lambda _, one: (0, slopes(np.expand_dims(one, 0))), 0, alone)[1].T

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs for the patterns."""
        return state[0](problem.x)

    def passes(self, problem: Problem) -> int:
        """How many forward passes of each pattern a change takes."""
        return unit_count(problem.wiring) + 1 if self.one_at_a_time else 2

    def spending(self, problem: Problem) -> Spending:
        """Forward passes without a perturbation and with each; none backward."""
        units, operations = unit_count(problem.wiring), self.operations(problem)
        return Spending.of_passes(problem, units, operations, forward=self.passes(problem))


def _slowed(settings: Settings, share: float, rate: float | None, momentum: float | None) -> Settings:
    """The settings with the rate and the momentum that were told, or that share of their own rate."""
    found = with_rates(settings, rate, momentum)
    return found if rate is not None else replace(found, rate=share * found.rate, early_rate=share * found.early_rate)


def _signs(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    return 2 * random.bernoulli(key, 0.5, shape).astype(dtype) - 1


def _costs(problem: Problem, network: Connected, found: Mapping[str, tuple[Any, Any]], d: Any) -> Any:
    """The error of each pattern, shape (patterns,)."""
    outputs = np.concatenate([found[name][1] for name in network.wiring.outputs], axis=1)
    return vmap(lambda y, d: error(problem.settings, y, d))(outputs, d)
