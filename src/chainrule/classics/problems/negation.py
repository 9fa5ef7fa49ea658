"""Negation: three bits as they are, or the other way round if a fourth says so."""

from __future__ import annotations

import numpy as np

from chainrule.classics.problems.base import Problem, Settings, binary_patterns
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["negation"]


def negation() -> Problem:
    """Three bits, each turned over if the first of four inputs is on, through 3 hidden units and direct connections.

    The rate, the momentum and the initial weights are our choice.

    >>> problem = negation()
    >>> problem.x[13].astype(int).tolist(), problem.y[13].astype(int).tolist()
    ([1, 1, 0, 1], [0, 1, 0])
    """
    x = binary_patterns(4)
    return Problem(
        name="negation",
        title="negation",
        description="What are three bits, turned over if a fourth is on?",
        source="Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8, table 9",
        x=x,
        y=(x[:, 1:] != x[:, :1]).astype(np.float32),
        wiring=_wiring(),
        settings=Settings(rate=0.25, momentum=0.9, initial=0.3, off=0.1, on=0.9),
        budget=5_000,
    )


def _wiring() -> Wiring:
    pairs = (("input", "hidden"), ("input", "output"), ("hidden", "output"))
    return Wiring(
        inputs=(("input", 4),),
        units=(Units("hidden", 3), Units("output", 3)),
        connections=tuple(Connection(source, target) for source, target in pairs),
        outputs=("output",),
    )
