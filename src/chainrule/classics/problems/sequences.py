"""Sequence completion: two letters name four digits, which are to follow them."""

from __future__ import annotations

import itertools

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, Values
from chainrule.nn.recurrent import unrolled
from chainrule.nn.wiring import Units, Wiring

__all__ = ["completed", "sequences"]

_DIGITS = {"A": "12", "B": "23", "C": "31", "D": "21", "E": "13"}
_HELD_OUT = ("AD", "BE", "CA", "DB", "EC")
_PUBLISHED = (
    Published("sweeps to the solution", "260", "PDP volume 1, chapter 8, p. 359",
              "until all digits of the 20 are on the right side of ½; rate, start and decay are ours"),
    Published("held-out sequences completed", "5 of 5", "PDP volume 1, chapter 8, table 11",
              "by the largest output at each step; one is a tie there, with no output above ½"),
)  # fmt: skip


def sequences(hidden: int = 30) -> Problem:
    """The sequence completion of PDP: 5 inputs, 30 hidden units connected to each other, 3 outputs, six steps.

    Each letter stands for two digits, and a sequence is any two letters and their four digits, such as AB1223. The
    letters are given at steps 1 and 2, the digits are due at steps 3 to 6; only those are outputs. 20 of the 25
    sequences are learnt, the other five are `x_test`, `y_test`.

    Every connection takes a step: the outputs that PDP prints for the first two steps do not depend on the letters.

    >>> problem = sequences()
    >>> problem.x.shape, problem.y.shape, len(problem.x_test)
    ((20, 10), (20, 12), 5)
    >>> problem.y_test[0].reshape(4, 3).argmax(axis=1) + 1
    array([1, 2, 2, 1])
    """
    hidden = whole_number("hidden", hidden, 1)
    pairs = ["".join(pair) for pair in itertools.product(_DIGITS, repeat=2)]
    learnt = [pair for pair in pairs if pair not in _HELD_OUT]
    return Problem(
        name="sequences",
        title="sequence completion",
        description="Two letters, each a name of two digits: say the four digits, one after the other.",
        source="Rumelhart, Hinton & Williams, PDP volume 1 (1986), chapter 8, pages 358-361, tables 10 and 11",
        x=_letters(learnt),
        y=_digits(learnt),
        wiring=_wiring(hidden),
        settings=Settings(rate=0.03, momentum=0.9, initial=0.1, decay=0.001),
        published=_PUBLISHED,
        x_test=_letters(_HELD_OUT),
        y_test=_digits(_HELD_OUT),
        budget=2_000,
    )


def _wiring(hidden: int) -> Wiring:
    return unrolled(
        6, {"letters": 5}, [Units("hidden", hidden), Units("digits", 3)],
        recurrent=[("letters", "hidden"), ("hidden", "hidden"), ("hidden", "digits")],
        given={"letters": [1, 2]}, outputs={"digits": range(3, 7)},
    )  # fmt: skip


def completed(outputs: Values, y: Values) -> int:
    """How many sequences are completed rightly, if the largest output at each step is the digit that it says.

    >>> problem = sequences()
    >>> completed(problem.y_test, problem.y_test)
    5
    """
    said, due = (np.reshape(a, (len(y), -1, 3)).argmax(axis=2) for a in (outputs, y))
    return int((said == due).all(axis=1).sum())


def _letters(pairs: list[str] | tuple[str, ...]) -> Values:
    """Two letters of five, one after the other, shape (pairs, 10)."""
    return _one_hot(pairs, "".join(_DIGITS))


def _digits(pairs: list[str] | tuple[str, ...]) -> Values:
    """Their four digits of three, one after the other, shape (pairs, 12)."""
    return _one_hot(["".join(_DIGITS[letter] for letter in pair) for pair in pairs], "123")


def _one_hot(words: list[str] | tuple[str, ...], letters: str) -> Values:
    rows = [[letter == of for letter in word for of in letters] for word in words]
    return np.array(rows, np.float32)
