"""Mirror symmetry: is a row of bits the same read from either end?"""

from __future__ import annotations

import numpy as np

from chainrule.classics.problems.base import Problem, Published, Settings, binary_patterns, layers

__all__ = ["symmetry"]


def symmetry(bits: int = 6) -> Problem:
    """The symmetry network of Nature 323: 6 inputs, 2 hidden units, 1 output, all 2^bits patterns.

    >>> problem = symmetry()
    >>> problem.patterns, int(problem.y.sum())
    (64, 8)
    """
    x = binary_patterns(bits)
    y = (x == x[:, ::-1]).all(axis=1, keepdims=True).astype(np.float32)
    return Problem(
        name="symmetry",
        title="mirror symmetry",
        description=f"Is a row of {bits} bits the same from left to right and from right to left?",
        source="Rumelhart, Hinton & Williams, Nature 323 (1986), 533-536, figure 1",
        x=x,
        y=y,
        wiring=layers(bits, 2, 1),
        settings=Settings(rate=0.1, momentum=0.9, initial=0.3),
        published=(
            Published("sweeps to the solution", "1,425", "Nature 323, p. 534",
                      "when all outputs are on the right side of ½; the publication does not say when it stopped"),
        ),
        budget=60_000,
    )  # fmt: skip
