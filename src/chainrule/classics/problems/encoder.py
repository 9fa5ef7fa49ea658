"""Encoding: patterns through fewer units than they have bits."""

from __future__ import annotations

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, binary_patterns, layers
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["distributed_to_local", "distributed_to_local_published", "encoder"]

_CHAPTER = "Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8"
_CODES = Published(
    "codes of the eight patterns", "½00 010 110 111 011 ½01 10½ 00½", "PDP chapter 8, table 5",
    "eight different codes, some with a unit that is half on; rate, momentum and initial weights are our choice",
)  # fmt: skip
_LEVELS = Published(
    "the single unit for 10, 11, 00, 01", "0, 0.2, 0.6, 1", "PDP chapter 8, table 7",
    "four levels, in this order or its reverse; rate, momentum and initial weights are our choice",
)  # fmt: skip


def encoder(n: int = 8, hidden: int | None = None) -> Problem:
    """Each of n patterns with one unit on, onto itself through log₂ n hidden units, or as many as told.

    Raises OptionError if n is less than 2.

    >>> problem = encoder(8)
    >>> problem.wiring.sizes, bool((problem.x == problem.y).all())
    ({'input': 8, 'hidden': 3, 'output': 8}, True)
    """
    n = whole_number("n", n, 2)
    width = (n - 1).bit_length() if hidden is None else whole_number("hidden", hidden, 1)
    return Problem(
        name="encoder",
        title=f"encoder {n}-{width}-{n}",
        description=f"Which of {n} units is on, through {width}?",
        source=f"{_CHAPTER}, pp. 335-340",
        x=np.eye(n, dtype=np.float32),
        y=np.eye(n, dtype=np.float32),
        wiring=layers(n, width, n),
        settings=Settings(rate=0.25, momentum=0.9, initial=0.3, off=0.1, on=0.9),
        published=(_CODES,) if (n, width) == (8, 3) else (),
        budget=5_000,
    )


def distributed_to_local() -> Problem:
    """Two bits through a single unit, then four, to four units of which one is on: the network 2-1-4-4.

    >>> distributed_to_local().y.astype(int).tolist()
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    """
    return Problem(
        name="distributed-to-local",
        title="distributed to local",
        description="Which of four patterns do two bits make, through a single unit?",
        source=f"{_CHAPTER}, pp. 335-340, figure 8",
        x=binary_patterns(2),
        y=np.eye(4, dtype=np.float32),
        wiring=layers(2, 1, 4, 4),
        settings=Settings(rate=0.25, momentum=0.9, initial=0.3, off=0.1, on=0.9),
        published=(_LEVELS,),
        budget=5_000,
    )


def distributed_to_local_published() -> Connected:
    """The first two layers of the network that was found, with the weights of figure 8, which are rounded.

    The outputs are the single unit, then the four that it reaches.

    >>> [round(float(level), 1) for level in distributed_to_local_published()(binary_patterns(2))[:, 0]]
    [0.5, 1.0, 0.0, 0.1]
    """
    wiring = Wiring(
        inputs=(("input", 2),),
        units=(Units("hidden1", 1), Units("hidden2", 4)),
        connections=(Connection("input", "hidden1"), Connection("hidden1", "hidden2")),
        outputs=("hidden1", "hidden2"),
    )
    weights = {"input->hidden1": np.array([[-6, 4]]), "hidden1->hidden2": np.array([[-3], [-6], [-12], [9]])}
    biases = {"hidden1": np.array([0]), "hidden2": np.array([2, 2, 1, -7])}
    return Connected.from_weights(wiring, weights, biases).astype("float32")
