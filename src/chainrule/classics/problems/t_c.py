"""T or C: hidden units that all look for the same, each in its own part of a retina."""

from __future__ import annotations

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, Values
from chainrule.classics.problems.parity import STEEP
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["compactness_filter", "t_c"]

_T = np.array([[1, 1, 1], [0, 1, 0], [0, 1, 0]])
_C = np.array([[1, 1], [1, 0], [1, 1]])
_FILTERS = Published(
    "filters that were found", "on-centre off-surround, vertical bar, diagonal bar, compactness",
    "PDP chapter 8, figure 15",
    "the size of the retina, the rate, the momentum and the initial weights are our choice",
)  # fmt: skip


def t_c(side: int = 4, equal: bool = False) -> Problem:
    """A T (on) or a C (off), each of five squares, in four rotations at every position on a square retina.

    A hidden unit sees 3 × 3 squares; there is one for each position, also where only a corner of them is on the
    retina. All have the same nine weights and the same bias, the weight from an input that is always on, the last one.
    The gradient of such a weight is the sum over all its places. With `equal` they also have the same weight to the
    output, which then counts them wherever they are; without, the weights to the output are free, and it is learnt more
    surely.

    Raises OptionError if a T does not fit on the retina.

    >>> problem = t_c()
    >>> problem.patterns, int(problem.y.sum()), problem.wiring.sizes, problem.wiring.weight_shapes["filter"]
    (40, 16, {'retina': 16, 'on': 1, 'hidden': 36, 'output': 1}, (10,))
    """
    side = whole_number("side", side, 3, cure="A T needs 3 × 3 squares.")
    t, c = _everywhere(_T, side), _everywhere(_C, side)
    rate, initial = (0.003, 1.5) if equal else (0.01, 0.3)
    return Problem(
        name="t-c",
        title="T or C",
        description=f"Is it a T or a C, wherever it is on {side} × {side} squares and however it is turned?",
        source="Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8, pp. 348-352",
        x=np.concatenate([t, c]),
        y=np.repeat(np.array([[1], [0]], np.float32), [len(t), len(c)], axis=0),
        wiring=_wiring(side, equal),
        settings=Settings(rate=rate, momentum=0.9, initial=initial, off=0.1, on=0.9),
        published=(_FILTERS,),
        budget=30_000 if equal else 10_000,
    )


def compactness_filter(side: int = 4) -> Connected:
    """The filter of figure 15 whose weights are all −2: a hidden unit is on unless it sees a square of the letter.

    A T turns 21 hidden units off, a C, which is more compact, 20. The biases and the weights to the output are our
    choice; the units are threshold units, which here are logistic units with weights 40 times as large.

    >>> problem = t_c()
    >>> hidden = compactness_filter().forward(problem.x)["hidden"][1]
    >>> sorted({(int(y), int((a < 0.5).sum())) for (y,), a in zip(problem.y, hidden)})
    [(0, 20), (1, 21)]
    """
    wiring = _wiring(side, equal=True)
    weights = {"filter": STEEP * np.array([-2.0] * 9 + [1.0]), "hidden->output": np.array([-STEEP])}
    biases = {"output": np.array([STEEP * (wiring.sizes["hidden"] - 20.5)])}
    return Connected.from_weights(wiring, weights, biases).astype("float32")


def _everywhere(letter: Values, side: int) -> Values:
    """The letter in four rotations at each position where it fits, shape (patterns, side² + 1), the last input on."""
    retinas = np.concatenate([_placed(np.rot90(letter, turn), side) for turn in range(4)])
    return np.concatenate([retinas, np.ones((len(retinas), 1))], axis=1).astype(np.float32)


def _placed(letter: Values, side: int) -> Values:
    """The letter at each position where it fits, shape (positions, side²)."""
    height, width = letter.shape
    found = np.zeros((side - height + 1, side - width + 1, side, side))
    for row, column in np.ndindex(*found.shape[:2]):
        found[row, column, row : row + height, column : column + width] = letter
    return found.reshape(-1, side * side)


def _wiring(side: int, equal: bool) -> Wiring:
    hidden = (side + 2) ** 2
    return Wiring(
        inputs=(("retina", side * side), ("on", 1)),
        units=(Units("hidden", hidden, bias=False), Units("output", 1)),
        connections=(
            Connection(("retina", "on"), "hidden", "filter", places=_fields(side)),
            Connection("hidden", "output", places=((0,) * hidden,) if equal else None),
        ),
        outputs=("output",),
    )


def _fields(side: int) -> tuple[tuple[int, ...], ...]:
    """Which of the ten weights each hidden unit has from each input."""
    squares = list(np.ndindex(side, side))
    centres = np.ndindex(side + 2, side + 2)  # from one square outside the retina to one square outside
    return tuple((*(_weight(i - row + 1, j - column + 1) for i, j in squares), 9) for row, column in centres)


def _weight(down: int, right: int) -> int:
    """Which weight is for the square so far from the centre of a field, −1 for none."""
    return 3 * (down + 1) + right + 1 if max(abs(down), abs(right)) <= 1 else -1
