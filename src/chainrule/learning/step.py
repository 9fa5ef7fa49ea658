"""One training step, and one evaluation, as ordinary functions; and both as native loops over mini-batches.

The step is written here as a person would write it. Everything that makes it fast happens below: it is traced into one
graph, scheduled into kernels and compiled into a loop that reads the rows of the resident data by index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, OptionError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.types import Type, type_of
from chainrule.learning.optimizers import Optimizer
from chainrule.native.program import Loop, build
from chainrule.nn.costs import cost_function, targets
from chainrule.nn.network import Network
from chainrule.trace import namespace as cnp
from chainrule.trace.array import Array, apply, transforming
from chainrule.trace.tracing import trace
from chainrule.trace.tree import flatten, paths, unflatten
from chainrule.transform import value_and_grad

__all__ = ["Evaluation", "Objective", "Training"]

ROW = np.dtype(np.uint32)  # how examples are numbered

Tree = Any
Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Objective:
    """What is minimised: the mean of a cost over examples, plus `λ/(2n) Σ w²` over the weights.

    `penalty` is λ/n.
    """

    cost: str
    penalty: float = 0.0

    def measured(self, network: Network, x: Any, labels: Any) -> tuple[Any, Any]:
        """The cost, penalty included, and how many of the examples are classified rightly."""
        z, a = network.forward(x)[-1]
        y = targets(labels, network)
        data = cnp.mean(cost_function(self.cost, network.layers[-1].activation)(z, a, y))
        right = cnp.argmax(a, axis=1) == (labels if labels.ndim == 1 else cnp.argmax(labels, axis=1))
        return data + self._penalty(network), cnp.sum(right)

    def _penalty(self, network: Network) -> Any:
        if self.penalty == 0:
            return 0.0
        squares = sum(cnp.sum(layer.w * layer.w) for layer in network.layers)
        return 0.5 * self.penalty * squares


def _rows(x: Any, rows: Any) -> Array:
    return apply(ops.GATHER, x.node, rows.node)


class _Stretch:
    """A native loop: a state that each round replaces, arrays that stay, rows that each round takes its own of."""

    def __init__(self, function: Callable[..., Any], state: Tree, resident: Sequence[Values], batch: int) -> None:
        leaves, self.structure = flatten(state)
        self.size = len(leaves)
        self.resident = [np.ascontiguousarray(a) for a in resident]
        types = [*(type_of(np.asarray(leaf)) for leaf in leaves), *(type_of(a) for a in self.resident)]
        types.append(Type((batch,), ROW))
        self.program = build(self._traced(function, types), self._loop(len(types)))

    def _traced(self, function: Callable[..., Any], types: Sequence[Type]) -> Graph:
        def flat(*arrays: Array) -> Any:
            state = unflatten(self.structure, arrays[: self.size])
            after, measured = function(state, *arrays[self.size : -1], arrays[-1])
            leaves, structure = flatten(after)
            if structure != self.structure:
                raise OptionError("an optimiser's update must give trees of the structure that it was given.")
            return (*leaves, *measured)

        with transforming():
            graph = trace(flat, flatten(tuple(range(len(types))))[1], types)[0]
        self._check(graph)
        return graph

    def _check(self, graph: Graph) -> None:
        """Refuse a step after which the state would not fit where it was before."""
        for path, before, after in zip(paths(self.structure), graph.inputs, graph.outputs, strict=False):
            if before.type != after.type:
                raise DTypeError(
                    f"a step makes {after.type} of {before.type} at {path} of (network, optimiser's state).",
                    cure="An optimiser keeps shapes and dtypes: convert with .astype(w.dtype).",
                )

    def _loop(self, inputs: int) -> Loop:
        updates = {n: n for n in range(self.size)}
        return Loop(updates, stepped=frozenset({inputs - 1}), collected=frozenset({self.size, self.size + 1}))

    def run(self, state: Sequence[Values], order: Values) -> tuple[Values, Values]:
        """The costs and the numbers of right answers of the rounds over the batches in `order`; changes the state."""
        costs = np.empty(len(order), self.program.graph.outputs[self.size].type.dtype)
        right = np.empty(len(order), np.int64)
        self.program.run([*state, *self.resident, order], [*state, costs, right], 0, len(order))
        return costs, right


class Training(_Stretch):
    """Training steps in batches of `batch` rows of resident data; the state is `(network, optimiser's state)`."""

    def __init__(
        self, state: Tree, objective: Objective, optimizer: Optimizer, data: tuple[Values, Values], batch: int
    ) -> None:
        def step(state: Tree, x: Array, labels: Array, rows: Array) -> tuple[Tree, tuple[Array, Array]]:
            network, moments = state
            examples, answers = _rows(x, rows), _rows(labels, rows)
            right: list[Array] = []

            def cost(network: Network) -> Array:
                value, count = objective.measured(network, examples, answers)
                right.append(count)
                return value  # type: ignore[no-any-return]

            value, gradient = value_and_grad(cost)(network)
            return optimizer.update(network, gradient, moments), (value, right[0])

        super().__init__(step, state, data, batch)


class Evaluation(_Stretch):
    """Costs and right answers of a network on resident data, nothing changed; the state is the network."""

    def __init__(self, network: Network, objective: Objective, data: tuple[Values, Values], batch: int) -> None:
        def step(network: Network, x: Array, labels: Array, rows: Array) -> tuple[Tree, tuple[Array, Array]]:
            return network, objective.measured(network, _rows(x, rows), _rows(labels, rows))

        super().__init__(step, network, data, batch)
