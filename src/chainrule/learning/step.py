"""One training step, and one evaluation, as ordinary functions; and both as native loops over mini-batches.

The step is written here as a person would write it. Everything that makes it fast happens below: it is traced into one
graph, scheduled into kernels and compiled into a loop that reads the rows of the resident data by index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import DTypeError, OptionError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.types import Type, type_of
from chainrule.learning.flow import Watched, watched_step
from chainrule.learning.objective import Objective
from chainrule.learning.optimizers import Optimizer
from chainrule.nn.feedforward import Feedforward
from chainrule.run.program import Loop, build
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.tracing import trace
from chainrule.trace.tree import flatten, paths, unflatten
from chainrule.transform import value_and_grad

__all__ = ["ROW", "Evaluation", "Objective", "Training", "WatchedTraining"]

ROW = np.dtype(np.uint32)  # how examples are numbered

Tree = Any
Values = np.ndarray[Any, Any]


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
        graph = self._traced(function, types)
        self.program = build(graph, self._loop(len(types), len(graph.outputs)))

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

    def _loop(self, inputs: int, outputs: int) -> Loop:
        updates = {n: n for n in range(self.size)}
        collected = frozenset(range(self.size, outputs))
        return Loop(updates, stepped=frozenset({inputs - 1}), collected=collected)

    def run(self, state: Sequence[Values], order: Values) -> list[Values]:
        """What is measured in the rounds over the batches in `order`, one row a round; changes the state.

        First the costs, then the numbers of right answers, then what is watched.
        """
        kinds = [node.type for node in self.program.graph.outputs[self.size :]]
        measured = [np.empty((len(order), *kind.shape), kind.dtype) for kind in kinds]
        self.program.run([*state, *self.resident, order], [*state, *measured], 0, len(order))
        return measured


class Training(_Stretch):
    """Training steps in batches of `batch` rows of resident data; the state is `(network, optimiser's state)`."""

    def __init__(
        self, state: Tree, objective: Objective, optimizer: Optimizer, data: tuple[Values, Values], batch: int
    ) -> None:
        def step(state: Tree, x: Array, labels: Array, rows: Array) -> tuple[Tree, tuple[Array, Array]]:
            network, moments = state
            examples, answers = _rows(x, rows), _rows(labels, rows)
            right: list[Array] = []

            def cost(network: Feedforward) -> Array:
                value, count = objective.measured(network, examples, answers)
                right.append(count)
                return as_array(value)

            value, gradient = value_and_grad(cost)(network)
            return optimizer.update(network, gradient, moments), (value, right[0])

        super().__init__(step, state, data, batch)


class WatchedTraining(_Stretch):
    """The same steps, in which the quantities of `flow` are taken too; with `measure` also the cost after the step."""

    def __init__(
        self,
        state: Tree,
        objective: Objective,
        optimizer: Optimizer,
        data: tuple[Values, Values],
        batch: int,
        *,
        measure: bool,
    ) -> None:
        def step(state: Tree, x: Array, labels: Array, rows: Array) -> tuple[Tree, tuple[Array, ...]]:
            network, moments = state
            examples, answers = _rows(x, rows), _rows(labels, rows)
            found = watched_step(network, moments, objective, optimizer, examples, answers, measure=measure)
            return found.after, (found.cost, found.right, *_quantities(found))

        super().__init__(step, state, data, batch)


def _quantities(found: Watched) -> list[Array]:
    """In the order in which `flow` reads them."""
    of_layers = [quantity for layer in found.layers for quantity in layer]
    optional = (found.measured, found.class_shares)
    return [*of_layers, found.predicted, *(quantity for quantity in optional if quantity is not None)]


class Evaluation(_Stretch):
    """Costs and right answers of a network on resident data, nothing changed; the state is the network."""

    def __init__(self, network: Feedforward, objective: Objective, data: tuple[Values, Values], batch: int) -> None:
        def step(network: Feedforward, x: Array, labels: Array, rows: Array) -> tuple[Tree, tuple[Array, Array]]:
            return network, objective.measured(network, _rows(x, rows), _rows(labels, rows))

        super().__init__(step, network, data, batch)
