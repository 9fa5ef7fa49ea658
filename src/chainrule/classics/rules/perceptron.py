"""The perceptron rule: a weight changes only when the answer is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.base import Rule, Spending, local_gradient
from chainrule.classics.rules.linear_separability import inseparable
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Connection, Units, Wiring
from chainrule.trace.tree import tree_map
from chainrule.transform import scan

__all__ = ["Perceptron", "single_layer", "single_layer_limit"]


@final
@dataclass(frozen=True)
class Perceptron(Rule):
    """`w ← w + η (t − y) x` after each pattern, for units that are on, y = 1, where `w·x + b > 0`.

    The rule has no word for hidden units, so its network has none: the problem's inputs reach the outputs directly. It
    starts with all weights 0 and takes the patterns in a new order in each sweep. On separable patterns it makes
    finitely many mistakes, which the state counts, until a sweep is clean. The rate η only scales the weights.

    Source: Rosenblatt, Principles of Neurodynamics, Spartan 1962.
    """

    name: ClassVar[str] = "perceptron"
    title: ClassVar[str] = "perceptron rule (Rosenblatt 1962)"

    rate: float = 1.0

    def limit(self, problem: Problem) -> str | None:
        """Which outputs are not linearly separable."""
        return single_layer_limit(problem)

    def start(self, problem: Problem, key: Any) -> Any:
        """The network with all weights 0, and the number of mistakes."""
        wiring = single_layer(problem)
        weights, biases = (
            {name: numpy.zeros(shape, numpy.float32) for name, shape in shapes.items()}
            for shapes in (wiring.weight_shapes, wiring.bias_shapes)
        )
        return Connected.from_weights(wiring, weights, biases), numpy.int32(0)

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """Every pattern once."""
        order = random.permutation(key, problem.patterns)
        patterns = [np.take(np.asarray(rows), order, axis=0) for rows in (problem.x, _on(problem.y))]
        return scan(self._present, state, tuple(patterns))[0]

    def _present(self, state: Any, pattern: Any) -> Any:
        network, mistakes = state
        x, t = (np.expand_dims(row, 0) for row in pattern)
        wrong = t - _on(network(x), 0)
        change = local_gradient(network, {"input": x}, {"output": wrong})
        count = np.sum(np.abs(wrong)).astype("int32")
        return (tree_map(lambda w, c: w + self.rate * c, network, change), mistakes + count), None

    def answers(self, problem: Problem, state: Any) -> Any:
        """1 where `w·x + b > 0`, else 0."""
        return _on(state[0](problem.x), 0)

    def spending(self, problem: Problem) -> Spending:
        """One forward pass for each pattern."""
        return Spending.of_passes(problem, problem.y.shape[1], self.operations(problem))


def _on(values: Any, threshold: float = 0.5) -> Any:
    return (values > threshold).astype("float32")


def single_layer(problem: Problem) -> Wiring:
    """The problem's inputs connected directly to linear outputs."""
    inputs, outputs = problem.x.shape[1], problem.y.shape[1]
    units = Units("output", outputs, "identity")
    return Wiring((("input", inputs),), (units,), (Connection("input", "output"),), ("output",))


def single_layer_limit(problem: Problem) -> str | None:
    """Why no such network solves the problem; None if one does. See `linear_separability` for the proof.

    >>> from chainrule import classics
    >>> single_layer_limit(classics.problem("symmetry"))
    'a single layer of weights cannot represent it: the output is not linearly separable'
    """
    found = inseparable(problem.x, problem.y)
    if not found:
        return None
    which = "the output is" if problem.y.shape[1] == 1 else f"{len(found)} of {problem.y.shape[1]} outputs are"
    return f"a single layer of weights cannot represent it: {which} not linearly separable"
