"""An iterative net as a layered net with tied weights: a memory that completes patterns, iteration by iteration."""

from __future__ import annotations

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings
from chainrule.nn.recurrent import unrolled
from chainrule.nn.wiring import Units

__all__ = ["iterative"]

_STORED = ("00001111", "11110000", "00111100", "11000011")
_PUBLISHED = (
    Published("sweeps to the solution", "none", "Nature 323, figure 5",
              "the publication shows the construction without a task; task and settings are ours"),
)  # fmt: skip


def iterative(iterations: int = 3) -> Problem:
    """A synchronous iterative net, run so many times, as the layered net with tied weights of Nature's figure 5.

    Eight units, each connected to all, start as one of four stored patterns, or as one with a single bit flipped; after
    the last iteration they must hold the stored pattern. Their states on the way there are free, as those of hidden
    units are. The task is ours: the publication shows the construction, and gives no figure.

    >>> problem = iterative()
    >>> problem.patterns, problem.wiring.weight_shapes
    (36, {'previous units->units': (8, 8)})
    """
    iterations = whole_number("iterations", iterations, 1)
    stored = np.array([list(map(int, pattern)) for pattern in _STORED], np.float32)
    flips = np.concatenate([np.zeros((1, 8)), np.eye(8)])
    wiring = unrolled(iterations, {}, [Units("units", 8)], recurrent=[("units", "units")], given={"units": [0]})
    return Problem(
        name="iterative",
        title="iterative net",
        description=f"Eight units complete four stored patterns with a bit flipped, in {iterations} iterations.",
        source="Rumelhart, Hinton & Williams, Nature 323 (1986), 533-536, figure 5",
        x=np.abs(stored[:, None] - flips).reshape(-1, 8).astype(np.float32),
        y=stored.repeat(len(flips), axis=0),
        wiring=wiring,
        settings=Settings(rate=0.02, momentum=0.9, initial=0.5),
        published=_PUBLISHED,
        budget=2_000,
    )
