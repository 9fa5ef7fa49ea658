"""Learning from a reward alone: units that fire at random, and do again what was rewarded.

Each unit is on, s = 1, with probability p = σ(z), else off, s = 0. Nobody tells a unit what it should have done; all
hear the same reward, the fraction of the outputs that were right. A state is the network and what is remembered of each
pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.classics.problems.base import Problem
from chainrule.classics.rules.base import Rule, Spending, by_group, local_gradient, unit_count, unit_sizes
from chainrule.nn.activations import sigmoid
from chainrule.nn.connected import Connected
from chainrule.trace.tree import tree_map
from chainrule.transform import scan

__all__ = ["Reinforce", "RewardPenalty"]

ChangeAfter = Literal["sweep", "presentation"]
#: The network and what is remembered of each pattern, after one change: of a network, for patterns x with y to be
#: answered, with that memory, and uniform random numbers, one for each unit, shape (patterns, units).
Change = Callable[[Connected, Any, Any, Any, Any], tuple[Connected, Any]]


@final
@dataclass(frozen=True)
class RewardPenalty(Rule):
    """`Δw = α [r (s − p) + λ (1 − r) (1 − s − p)] a` for the reward r: associative reward-penalty, A_R-P.

    A rewarded unit is drawn to the state s that it was in; a punished one, λ times as much, to the other. `rate` is α,
    `penalty` λ. The changes for the patterns of a sweep are summed, unless there is one after each presentation. The
    answers are those of units that are in their more probable state.

    Source: Barto & Anandan, Pattern-recognizing stochastic learning automata, IEEE Transactions on Systems, Man, and
    Cybernetics 15 (1985), 360-375.
    """

    name: ClassVar[str] = "reward-penalty"
    title: ClassVar[str] = "associative reward-penalty (Barto & Anandan 1985)"

    change_after: ChangeAfter = "sweep"
    rate: float = 2.0
    penalty: float = 0.05

    def refusal(self, problem: Problem) -> str | None:
        """Only logistic units give a probability to fire with."""
        return _not_logistic(problem)

    def start(self, problem: Problem, key: Any) -> Any:
        """The network, and no memory."""
        return problem.network(key), ()

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """A change after all patterns, or after each in turn."""
        return _swept(problem, self.change_after, self.changed, state, key)

    def changed(self, network: Connected, x: Any, y: Any, memory: Any, chances: Any) -> tuple[Connected, Any]:
        """The network after one change."""
        p, s = fired(network, x, chances)
        r = reward(network, s, y)
        signals = {name: r * (s[name] - p[name]) + self.penalty * (1 - r) * (1 - s[name] - p[name]) for name in p}
        return tree_map(lambda w, c: w + self.rate * c, network, local_gradient(network, s, signals)), memory

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs when each unit is in its more probable state."""
        return more_probable(state[0], problem.x)

    def spending(self, problem: Problem) -> Spending:
        """One forward pass for each pattern."""
        return Spending.of_passes(problem, unit_count(problem.wiring), self.operations(problem))


@final
@dataclass(frozen=True)
class Reinforce(Rule):
    """`Δw = α (r − b) (s − p) a` for the reward r and a baseline b: REINFORCE.

    The mean of Δw over the units' states is α times the gradient of the expected reward, whatever b was before them. b
    is the mean of the rewards of the same pattern before, in which a new one counts for `forgetting`; with a forgetting
    of 0 it stays 0. After each change every weight shrinks by the fraction `decay`: otherwise units that always fire,
    or never, stay so, as they try nothing else. With neither, it is the rule of reward and penalty without the penalty.

    The changes for the patterns of a sweep are summed, unless there is one after each presentation. The answers are
    those of units that are in their more probable state.

    Source: Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning, Machine
    Learning 8 (1992), 229-256.
    """

    name: ClassVar[str] = "reinforce"
    title: ClassVar[str] = "REINFORCE (Williams 1992)"

    change_after: ChangeAfter = "sweep"
    rate: float = 1.0
    forgetting: float = 0.1
    decay: float = 0.01

    def refusal(self, problem: Problem) -> str | None:
        """Only logistic units give a probability to fire with."""
        return _not_logistic(problem)

    def start(self, problem: Problem, key: Any) -> Any:
        """The network, and the baseline of each pattern: 0."""
        return problem.network(key), numpy.zeros(problem.patterns, numpy.float32)

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        """A change after all patterns, or after each in turn."""
        return _swept(problem, self.change_after, self.changed, state, key)

    def changed(self, network: Connected, x: Any, y: Any, memory: Any, chances: Any) -> tuple[Connected, Any]:
        """The network and the baselines after one change."""
        p, s = fired(network, x, chances)
        surprise = reward(network, s, y) - np.expand_dims(memory, 1)
        direction = local_gradient(network, s, {name: surprise * (s[name] - p[name]) for name in p})
        changed = tree_map(lambda w, c: (w + self.rate * c) * (1 - self.decay), network, direction)
        return changed, memory + self.forgetting * surprise[:, 0]

    def answers(self, problem: Problem, state: Any) -> Any:
        """The outputs when each unit is in its more probable state."""
        return more_probable(state[0], problem.x)

    def spending(self, problem: Problem) -> Spending:
        """One forward pass for each pattern."""
        return Spending.of_passes(problem, unit_count(problem.wiring), self.operations(problem))


def _not_logistic(problem: Problem) -> str | None:
    others = [units for units in problem.wiring.units if units.activation != sigmoid]
    if not others:
        return None
    return f"its units fire with the probability σ(z), but {others[0].name!r} has {others[0].activation} units"


def _swept(problem: Problem, change_after: ChangeAfter, changed: Change, state: Any, key: Any) -> Any:
    """The state after a change for all patterns, or for each in turn, with chances drawn from the key."""
    network, memory = state
    chances = random.uniform(key, (problem.patterns, unit_count(problem.wiring)))
    rows = np.asarray(problem.x), np.asarray(problem.y), memory, chances
    if change_after == "sweep":
        return changed(network, *rows)

    def present(network: Any, row: Any) -> Any:
        network, memory = changed(network, *tree_map(lambda part: np.expand_dims(part, 0), row))
        return network, tree_map(lambda part: part[0], memory)

    return scan(present, network, rows)


def fired(network: Connected, x: Any, chances: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """`(p, s)`: the probability of each unit given the states before it, and its state: on where its chance is below p.

    By group, with shapes (patterns, units); the inputs are among the states.
    """
    chance = by_group(unit_sizes(network.wiring), chances)
    found = network.forward(x, activate=lambda units, z: (chance[units.name] < sigmoid(z)).astype(network.dtype))
    return {name: sigmoid(found[name][0]) for name in chance}, {name: s for name, (_, s) in found.items()}


def more_probable(network: Connected, x: Any) -> Any:
    """The outputs when each unit is in its more probable state given those before it, shape (patterns, outputs)."""
    found = network.forward(x, activate=lambda _, z: (z > 0).astype(network.dtype))
    return _outputs(network, {name: s for name, (_, s) in found.items()})


def reward(network: Connected, s: Any, y: Any) -> Any:
    """The fraction of the outputs that are right, shape (patterns, 1)."""
    right = (_outputs(network, s) > 0.5) == (y > 0.5)
    return np.mean(right.astype(network.dtype), axis=1, keepdims=True)


def _outputs(network: Connected, s: Any) -> Any:
    return np.concatenate([s[name] for name in network.wiring.outputs], axis=1)
