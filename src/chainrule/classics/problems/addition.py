"""Addition of two numbers of two bits, whose carries are the hidden units' to find."""

from __future__ import annotations

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, Values, binary_patterns
from chainrule.classics.problems.parity import STEEP
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["addition", "addition_by_thresholds"]

_PUBLISHED = Published(
    "whether it is learnt", "often trapped with 2 hidden units, not with 3", "PDP chapter 8, pp. 341-346",
    "the more often solved with 3; rate, momentum and initial weights are our choice",
)  # fmt: skip


def addition(hidden: int = 3) -> Problem:
    """The sum, of three bits, of two numbers of two bits, through so many hidden units.

    The inputs are `a₁ b₁ a₀ b₀`, the high bits first. The hidden units stand in a row: each is reached from the inputs
    and from the hidden units before it, the outputs from all of them. So one carry can reach the next, and both the
    sum. Two hidden units are enough, but learning is often trapped with those.

    Raises OptionError if there is no hidden unit.

    >>> problem = addition()
    >>> problem.x[13].astype(int).tolist(), problem.y[13].astype(int).tolist()  # 2 + 3
    ([1, 1, 0, 1], [1, 0, 1])
    """
    hidden = whole_number("hidden", hidden, 1, cure="Fewer cannot find a carry.")
    x = binary_patterns(4)
    return Problem(
        name="addition",
        title="addition of two numbers of two bits",
        description=f"What is the sum of two numbers from 0 to 3, through {hidden} hidden units?",
        source="Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8, pp. 341-346",
        x=x,
        y=_sums(x),
        wiring=_row(hidden),
        settings=Settings(rate=0.25, momentum=0.9, initial=0.3, off=0.1, on=0.9),
        published=(_PUBLISHED,),
        budget=10_000,
    )


def addition_by_thresholds() -> Connected:
    """The minimal network of figure 10: two hidden units, the carry from the low bits and the carry from the high.

        low carry = [a₀ + b₀ > 1½]        high carry = [a₁ + b₁ + low carry > 1½]
        high = [high carry > ½]           middle = [a₁ + b₁ + low carry − 2 high carry > ½]
        low = [a₀ + b₀ − 2 low carry > ½]

    The threshold units are logistic units here, with weights 40 times as large.

    >>> addition_by_thresholds()(np.array([[1, 1, 0, 1]])).round(6).tolist()  # 2 + 3
    [[1.0, 0.0, 1.0]]
    """
    weights = {
        "input->hidden1": np.array([[0, 0, 1, 1]]),
        "input+hidden1->hidden2": np.array([[1, 1, 0, 0, 1]]),
        "input+hidden1+hidden2->output": np.array([[0, 0, 0, 0, 0, 1], [1, 1, 0, 0, 1, -2], [0, 0, 1, 1, -2, 0]]),
    }
    biases = {"hidden1": np.array([-1.5]), "hidden2": np.array([-1.5]), "output": np.array([-0.5, -0.5, -0.5])}
    steep = [{name: STEEP * array for name, array in given.items()} for given in (weights, biases)]
    return Connected.from_weights(_row(2), *steep).astype("float32")


def _sums(x: Values) -> Values:
    """The bits of the sums, the high ones first, shape (patterns, 3)."""
    sums = (x @ np.array([2, 2, 1, 1])).astype(int)[:, None]
    bits: Values = (sums >> np.array([2, 1, 0]) & 1).astype(np.float32)
    return bits


def _row(hidden: int) -> Wiring:
    """Hidden units each reached from the inputs and all units before it; outputs reached from all."""
    names = [f"hidden{n + 1}" for n in range(hidden)]
    reached = ((("input", *names[:n]), target) for n, target in enumerate([*names, "output"]))
    return Wiring(
        inputs=(("input", 4),),
        units=(*(Units(name, 1) for name in names), Units("output", 3)),
        connections=tuple(Connection(sources, target) for sources, target in reached),
        outputs=("output",),
    )
