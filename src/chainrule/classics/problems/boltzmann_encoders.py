"""The encoders of the Boltzmann machine: two groups of units that can agree only through the few between them."""

from __future__ import annotations

from dataclasses import replace

from chainrule.classics.problems.base import Problem, Published
from chainrule.classics.problems.encoder import encoder

__all__ = ["boltzmann_encoder"]

_PAPER = "Cognitive Science 9 (1985)"


def boltzmann_encoder(n: int = 4, hidden: int = 2) -> Problem:
    """The encoder n-hidden-n, as it was given to a Boltzmann machine: 4-2-4, 4-3-4, 8-3-8 or 40-10-40.

    Raises OptionError if n is less than 2.

    >>> problem = boltzmann_encoder()
    >>> problem.title, problem.patterns
    ('encoder 4-2-4', 4)
    """
    return replace(
        encoder(n, hidden),
        name="boltzmann-encoder",
        source=f"Ackley, Hinton & Sejnowski, {_PAPER}, 147-169",
        published=_PUBLISHED.get((n, hidden), ()),
    )


_PUBLISHED = {
    (4, 2): (
        Published("learning cycles to the solution", "median 110, at most 1,810, in all of 250 trials", _PAPER,
                  "when the hidden units, with a pattern clamped on both groups, are more probably on than off in four "
                  "different combinations"),
    ),
    (4, 3): (
        Published("learning cycles to the solution", "median 270, at most 1,090, in 200 trials", _PAPER,
                  "when the four combinations differ in at least two hidden units"),
    ),
    (8, 3): (
        Published("different codes after 4,000 learning cycles", "8 in 16 of 20 trials, 7 in the other 4", _PAPER,
                  "units that are off are clamped on with probability .02"),
        Published("learning cycles to codes", "median 210 to seven codes, 1,570 to eight", _PAPER),
    ),
    (40, 10): (
        Published("patterns completed in the end", "98.6 %", _PAPER,
                  "no hidden units for the first 300 learning cycles; then 500 with units clamped off with probability "
                  ".1 and on with .0025"),
    ),
}  # fmt: skip
