"""What is minimised, and what one pass forward tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from chainrule import numpy as np
from chainrule.errors import ShapeError
from chainrule.graph import ops
from chainrule.graph.types import Type
from chainrule.nn.costs import Cost, cost_function, targets_of
from chainrule.nn.layers import training
from chainrule.nn.parameters import Parameters
from chainrule.nn.recording import noting
from chainrule.nn.stages import Stage, forward, stages_towards, with_variables
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import flatten, tree_map

__all__ = ["CostFunction", "Measured", "Objective"]

#: A cost of a user's own: `(network, x, y)` to the mean cost, a single number, or to C_x of each example.
CostFunction = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Measured:
    """A pass forward: C with its penalty, C_x of each example (or their mean alone), how many answers are right.

    `outputs` are the outputs' activations, None if the network is called by the cost alone; `after` is the network with
    its states moved on.
    """

    cost: Any
    costs: Any
    right: Any
    outputs: Any
    find: Callable[[], tuple[Stage, ...]]
    after: Any

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that the examples went through."""
        return self.find()


@dataclass(frozen=True)
class Objective:
    """What is minimised: the mean of a cost over examples, plus `λ/(2n) Σ w²` over the weights.

    `cost` is a Cost, the name of one, or a function `(network, x, y)`; `penalty` is λ/n.
    """

    cost: Any
    penalty: Any = 0.0

    def measured(self, network: Any, x: Any, labels: Any) -> tuple[Any, Any]:
        """The cost, penalty included, and how many of the examples are classified rightly."""
        leaves = flatten((network, x, labels))[0]
        if any(isinstance(leaf, Array) for leaf in leaves):
            found = self.passed(with_variables(network), x, labels)
            return found.cost, found.right
        with transforming():
            plain = self.passed(with_variables(network), tree_map(as_array, x), as_array(labels))
        return plain.cost.value[()], plain.right.value[()]

    def passed(self, network: Any, x: Any, labels: Any, *, key: Any = None, count: Any = None) -> Measured:
        """What a pass forward tells, for a network of distinct Arrays.

        With a `key` the network does what it does while it learns. With a `count` only so many of the examples, the
        first ones, count: the others are there to fill the batch.
        """
        if is_function(self.cost):
            return self._by_function(network, x, labels, count)
        after: list[Any] = [network]

        def learning(network: Any, x: Any) -> Any:
            outputs, after[0] = training(network, x, key)
            return outputs

        found = forward(network, x, None if key is None else learning)
        dtype, outputs = Parameters.of(network).dtype, found.a.shape[-1]
        costs = cost_function(self.cost, found.activation)(found.z, found.a, targets_of(labels, outputs, dtype))
        return self._measured(network, costs, found.a, labels, lambda: found.stages, after[0], count)

    def _by_function(self, network: Any, x: Any, labels: Any, count: Any) -> Measured:
        with noting() as notes:
            costs = as_array(self.cost(network, x, labels))
        passed = forward(network, x) if callable(network) else None
        outputs = passed.a if passed else None
        stages = partial(stages_towards, costs, network, notes, x)
        if passed and passed.leads_to(costs):
            stages = partial(passed.stages_towards, costs)
        return self._measured(network, costs, outputs, labels, stages, network, count)

    def _measured(
        self,
        network: Any,
        costs: Any,
        outputs: Any,
        labels: Any,
        stages: Callable[[], tuple[Stage, ...]],
        after: Any,
        count: Any,
    ) -> Measured:
        mean = _mean(costs, len(labels), count)
        right = _right(outputs, labels, count)
        return Measured(mean + self._penalty(network), costs, right, outputs, stages, after)

    def _penalty(self, network: Any) -> Any:
        if isinstance(self.penalty, int | float) and self.penalty == 0:
            return 0.0
        squares = sum(np.sum(w * w) for w in Parameters.of(network).weights)
        return 0.5 * self.penalty * squares


def is_function(cost: Any) -> bool:
    """Whether a cost is a function `(network, x, y)`, and no value that goes by a name."""
    return callable(cost) and not isinstance(cost, Cost)


def _mean(costs: Any, examples: int, count: Any) -> Any:
    if np.shape(costs) not in ((), (examples,)):
        raise ShapeError(
            f"a cost is a single number, or one for each of the {examples} examples, not an array of shape "
            f"{np.shape(costs)}.",
            cure="Sum or average over all axes but the first.",
        )
    if count is None:
        return np.mean(costs)
    return np.sum(np.where(_counted(examples, count), costs, 0)) / count.astype(costs.dtype)


def _counted(examples: int, count: Any) -> Any:
    """Which rows of a batch count."""
    return apply(ops.IOTA, attributes=(0, Type((examples,), count.dtype))) < count


def _right(outputs: Any, labels: Any, count: Any) -> Any:
    """How many answers are right; of examples with several each counts by its share."""
    each = _are_right(outputs, labels)
    if each is None:
        return as_array(np.zeros((), "int64"))
    if each.ndim > 1:
        each = np.mean(each, axis=tuple(range(1, each.ndim)))
    return np.sum(each if count is None else np.where(_counted(len(each), count), each, False))


def _are_right(outputs: Any, labels: Any) -> Any:
    if outputs is None or outputs.ndim < 2:
        return None
    answers = np.argmax(outputs, axis=-1)
    if labels.shape == outputs.shape:
        return answers == np.argmax(labels, axis=-1)
    return answers == labels if labels.shape == answers.shape else None
