"""A shift register: units that hand their states on to their neighbours, which they must learn to do."""

from __future__ import annotations

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, binary_patterns
from chainrule.nn.recurrent import unrolled
from chainrule.nn.wiring import Units, Wiring

__all__ = ["shift_register"]

_PUBLISHED = (
    Published("sweeps to the solution, 3 or 5 units", "fewer than 200", "PDP volume 1, chapter 8",
              "only the state after two steps is judged, by being on the right side of ½; task, rate and start are our "
              "reading. With the first step judged too, some ten sweeps do"),
)  # fmt: skip


def shift_register(units: int = 3, every_step: bool = False) -> Problem:
    """The shift register of PDP: units all connected to all, which move a pattern by one place in each step.

    The units start as one of all 2^units patterns, and hold it moved to the left by two places, round the end, after
    two steps. What they hold after the first is judged only with `every_step`: the pattern moved by one place, its
    state at both steps side by side in `y`. Then there is nothing to discover, as each step alone is separable.

    >>> problem = shift_register()
    >>> problem.x[3].tolist(), problem.y[3].tolist()
    ([0.0, 1.0, 1.0], [1.0, 0.0, 1.0])
    """
    units = whole_number("units", units, 2)
    x = binary_patterns(units)
    judged = (1, 2) if every_step else (2,)
    return Problem(
        name="shift-register",
        title=f"shift register of {units} units",
        description=f"{units} units, all connected to all, shift a pattern by two places in two steps.",
        source="Rumelhart, Hinton & Williams, PDP volume 1 (1986), chapter 8, pages 354-361",
        x=x,
        y=np.concatenate([np.roll(x, -step, axis=1) for step in judged], axis=1),
        wiring=_wiring(units, judged),
        settings=Settings(rate=0.1, momentum=0.9, initial=0.3),
        published=_PUBLISHED,
        budget=2_000,
    )


def _wiring(units: int, judged: tuple[int, ...]) -> Wiring:
    return unrolled(
        2, {}, [Units("register", units)], recurrent=[("register", "register")],
        given={"register": [0]}, outputs={"register": judged},
    )  # fmt: skip
