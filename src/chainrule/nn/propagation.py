"""The four equations of backpropagation for any network: a, z, δ of every stage, and ∂C/∂ of every array.

    δ^L = ∇_a C ⊙ σ'(z^L)                        (BP1)
    δ^l = ((w^{l+1})ᵀ δ^{l+1}) ⊙ σ'(z^l)         (BP2)
    ∂C/∂b^l_j = Σ_x δ^l_j                        (BP3)
    ∂C/∂w^l_jk = Σ_x a^{l−1}_k δ^l_j             (BP4)

C is the mean over the examples, so each example's δ carries its 1/n. It is one walk back; learning, watching and every
question about a network start from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule import numpy as np
from chainrule.derive.backpropagation import backpropagate
from chainrule.graph.node import full
from chainrule.nn.objective import Measured, Objective
from chainrule.nn.parameters import STATE, Parameters, trainable, with_state
from chainrule.nn.stages import Stage, with_variables
from chainrule.trace.array import Array
from chainrule.trace.tree import flatten
from chainrule.transform import grad, per_example

__all__ = ["Propagation", "propagate", "squared_lengths", "total"]


@dataclass(frozen=True, eq=False)
class Propagation:
    """One pass forward and one back, as Arrays.

    `deltas` holds ∂C/∂z of each stage, `gradients` ∂C/∂ of each array of the network in the order of its tree (None for
    a state), both of the mean cost, the penalty included.
    """

    measured: Measured
    deltas: tuple[Array, ...]
    gradients: tuple[Any, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the network."""
        return self.measured.stages


def propagate(
    objective: Objective, network: Any, x: Any, labels: Any, *, key: Any = None, count: Any = None, scale: float = 1
) -> Propagation:
    """The pass of some examples through a network, and back; to be called inside a transformation.

    `key` and `count` are those of `Objective.passed`. All derivatives are multiplied by `scale`: by the number of
    examples, δ is the error of a single one.
    """
    moved = with_variables(network)
    measured = objective.passed(moved, x, labels, key=key, count=count)
    parameters = Parameters.of(moved)
    variables = [parameters.arrays[n] for n in parameters.trainable]
    nodes = [array.node for array in (*(stage.z for stage in measured.stages), *variables)]
    cost = measured.cost.node
    found = backpropagate([(cost, Array(full(scale, cost.type)))], nodes)
    gradients = iter(found[len(measured.stages) :])
    by_array = tuple(None if role == STATE else next(gradients) for role in parameters.roles)
    return Propagation(measured, tuple(found[: len(measured.stages)]), by_array)


def squared_lengths(
    found: Propagation, objective: Objective, network: Any, x: Any, labels: Any
) -> tuple[list[Any], Any]:
    """‖∂C_x/∂(w, b)‖² of each example, shape (examples,), for each stage and in all; without the penalty.

    Where each pair of a unit and an input has a weight of its own it is ‖δ_x‖²(‖a_x‖² + 1), with n·δ for the error of a
    single example; no gradient of an example is made. Elsewhere it is that of the network as it is when it does not
    learn, with each example alone.
    """
    if all(_is_outer(stage) for stage in found.stages) and _are_all_there(found, network):
        norms = [_outer(stage, delta) for stage, delta in zip(found.stages, found.deltas, strict=True)]
        return norms, total(norms)
    plain, known = Objective(objective.cost), Parameters.of(network)

    def cost(weights: Any, x: Any, labels: Any) -> Any:
        return plain.measured(with_state(weights, network, known.structure, known.roles), x, labels)[0]

    each = flatten(per_example(grad(cost))(trainable(network), x, labels))[0]
    rows = zip(known.trainable, each, strict=True)
    squares = {n: np.sum(np.reshape(g, (g.shape[0], -1)) ** 2, axis=1) for n, g in rows}
    none = np.zeros_like(squares[known.trainable[0]])
    return [total([squares[n] for n in s.parameters] or [none]) for s in found.stages], total(list(squares.values()))


def _is_outer(stage: Stage) -> bool:
    """Whether an example's gradient is the outer product of its error and its inputs; nothing, of no parameters."""
    return not stage.parameters or (bool(stage.pairs) and stage.z.ndim == 2)


def _are_all_there(found: Propagation, network: Any) -> bool:
    """Whether every array of the network acts in a stage."""
    acting = {n for stage in found.stages for n in stage.parameters}
    return acting >= set(Parameters.of(network).trainable)


def _outer(stage: Stage, delta: Array) -> Any:
    n = delta.shape[0]
    reaching = total([np.sum(pair.x * pair.x, axis=1) for pair in stage.pairs])
    biases = sum(pair.bias is not None for pair in stage.pairs)
    return (n * n) * np.sum(delta * delta, axis=1) * (reaching + biases)


def total(parts: Sequence[Any]) -> Any:
    """The sum of some Arrays; 0 of none."""
    return sum(parts[1:], parts[0]) if parts else np.zeros(())
