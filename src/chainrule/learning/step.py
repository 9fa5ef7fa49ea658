"""One training step, as an ordinary function.

It is written here as a person would write it. Everything that makes it fast happens below: it is traced into one graph,
scheduled into kernels and compiled into a loop over mini-batches (`programs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.learning.optimizers import Optimizer
from chainrule.nn.objective import Objective
from chainrule.nn.parameters import Parameters, trainable, tree_of, with_state
from chainrule.nn.propagation import Propagation, propagate

__all__ = ["TrainingStep", "training_step"]

Tree = Any


@dataclass(frozen=True, eq=False)
class TrainingStep:
    """A step, as Arrays: what it started from, its pass, the network and the optimiser's state after it, its key."""

    network: Tree
    moments: Tree
    passed: Propagation
    after: tuple[Tree, Tree]
    key: Any = None

    @property
    def gradient(self) -> Tree:
        """The gradient as the optimiser takes it: the network's tree, without states."""
        return tree_of(Parameters.of(self.network), self.passed.gradients)


def training_step(
    network: Tree,
    moments: Tree,
    objective: Objective,
    optimizer: Optimizer,
    x: Tree,
    labels: Any,
    *,
    key: Any = None,
    count: Any = None,
) -> TrainingStep:
    """The cost of a batch, its gradient, and the optimiser's move along it.

    The network is a tree of Arrays; `moments` is the optimiser's state. `key` and `count` are those of
    `Objective.passed`.
    """
    passed = propagate(objective, network, x, labels, key=key, count=count)
    found = Parameters.of(network)
    gradient = tree_of(found, passed.gradients)
    weights, moments_after = optimizer.update(trainable(network), gradient, moments)
    after = with_state(weights, passed.measured.after, found.structure, found.roles)
    return TrainingStep(network, moments, passed, (after, moments_after), key)
