"""Sigma-pi units, which are reached by products of units: `zⱼ = Σᵢ wⱼᵢ Πₖ aᵢₖ + bⱼ`.

The chapter that describes them reports no simulation with them; the problems and the settings here are our own.
"""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np

from chainrule.checks import one_of, whole_number
from chainrule.classics.problems.base import Problem, Settings, Values, binary_patterns
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["sigma_pi"]

_SOURCE = "Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8, pp. 352-354"
_Products = tuple[tuple[int, ...], ...]


def sigma_pi(task: Literal["parity", "gate"] = "parity", bits: int = 3) -> Problem:
    """What a single unit cannot do with sums alone, and does with products: no hidden units.

    "parity" is that of so many bits, of 2 exclusive or; the unit is reached by all products of the bits. "gate" lets
    the second of three bits through if the first is off, else the third: `z = w₀ a₁ + w₁ a₀ a₁ + w₂ a₀ a₂ + b`.

    Raises OptionError for another task, or a parity of fewer than 2 or more than 8 bits.

    >>> problem = sigma_pi(bits=2)
    >>> problem.wiring.connections[0].products, problem.y.ravel().tolist()
    (((0,), (1,), (0, 1)), [0.0, 1.0, 1.0, 0.0])
    """
    bits = whole_number("bits", bits, 2, 8)
    return _parity(bits) if one_of("task", task, ("parity", "gate")) == "parity" else _gate()


def _parity(bits: int) -> Problem:
    x = binary_patterns(bits)
    products = tuple(one for size in range(1, bits + 1) for one in combinations(range(bits), size))
    said = f"Is the number of bits that are on, among {bits}, odd? One unit, reached by products of bits."
    return _problem(said, x, (x.sum(axis=1, keepdims=True) % 2).astype(np.float32), products)


def _gate() -> Problem:
    x = binary_patterns(3)
    said = "What is the second of three bits, or the third if the first is on? One unit, reached by products of bits."
    return _problem(said, x, np.where(x[:, :1] > 0, x[:, 2:], x[:, 1:2]), ((1,), (0, 1), (0, 2)))


def _problem(description: str, x: Values, y: Values, products: _Products) -> Problem:
    return Problem(
        name="sigma-pi",
        title="a sigma-pi unit",
        description=description,
        source=_SOURCE,
        x=x,
        y=y,
        wiring=Wiring(
            inputs=(("input", x.shape[1]),),
            units=(Units("output", 1),),
            connections=(Connection("input", "output", products=products),),
            outputs=("output",),
        ),
        settings=Settings(rate=0.5, momentum=0.9, initial=0.3, off=0.1, on=0.9),
        budget=5_000,
    )
