"""The language of `einsum`: `"bi,oi->bo"` names the axes of operands and result, and `...` the axes in between.

    subscripts  =  labels ("," labels)* ["->" labels]
    labels      =  letter* ["..." letter*]

A letter that the result does not have is summed over. Without an arrow the result has the axes that dots stand for,
then the letters that stand once, in the order of the alphabet.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ShapeError

__all__ = ["Subscripts", "as_text"]

Label = str  # a letter; "-1", "-2", … of the axes that dots stand for, counted from the last
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DOTS = "..."


@dataclass(frozen=True, slots=True)
class Subscripts:
    """A label for each axis of each operand, and of the result."""

    operands: tuple[tuple[Label, ...], ...]
    result: tuple[Label, ...]

    @classmethod
    def parsed(cls, text: str, ranks: Sequence[int]) -> Subscripts:
        """What a text says of operands with so many axes; ShapeError if it does not fit them."""
        before, arrow, after = text.partition("->")
        parts = before.split(",")
        if len(parts) != len(ranks) or not all(map(_fits, parts, ranks)):
            raise _misfit(text, ranks)
        operands = tuple(map(_labels, parts, ranks))
        between = max((_under_dots(*pair) for pair in zip(parts, ranks, strict=True)), key=len)
        if arrow and between and _DOTS not in after:
            raise ShapeError(
                f"einsum: {text!r} leaves out of the result the axes that dots stand for, {len(between)} of them.",
                cure="Write the dots on the right as well, or name their axes to sum over them.",
            )
        result = _spread(after, between) if arrow else _implied(operands, between)
        if len(set(result)) != len(result) or not {*result} <= {label for labels in operands for label in labels}:
            raise _misfit(text, ranks)
        return cls(operands, result)


def as_text(subscripts: Any, operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """The subscripts as text, and the operands: of einsum(a, [0, 1], b, [1], [0]) as well."""
    if isinstance(subscripts, str):
        return subscripts.replace(" ", ""), list(operands)
    given = [subscripts, *operands]
    result = "->" + _spelled(given[-1]) if len(given) % 2 else ""
    return ",".join(map(_spelled, given[1::2])) + result, given[: len(given) // 2 * 2 : 2]


def _spelled(numbers: Sequence[Any]) -> str:
    return "".join(_DOTS if n is Ellipsis else _ALPHABET[operator.index(n)] for n in numbers)


def _fits(part: str, rank: int) -> bool:
    """Whether the labels of an operand are letters, dots once at most, and as many as it has axes."""
    letters = part.replace(_DOTS, "", 1)
    return all(map(str.isalpha, letters)) and (len(letters) == rank or (_DOTS in part and len(letters) < rank))


def _labels(part: str, rank: int) -> tuple[Label, ...]:
    return _spread(part, _under_dots(part, rank))


def _under_dots(part: str, rank: int) -> tuple[Label, ...]:
    """The axes of an operand that dots stand for."""
    return tuple(str(n) for n in range(len(part.replace(_DOTS, "", 1)) - rank, 0))


def _spread(part: str, between: Sequence[Label]) -> tuple[Label, ...]:
    """The labels, with those in between in the place of the dots."""
    front, dots, back = part.partition(_DOTS)
    return (*front, *(between if dots else ()), *back)


def _implied(operands: Sequence[Sequence[Label]], between: Sequence[Label]) -> tuple[Label, ...]:
    """The labels of a result that nobody wrote down."""
    every = [label for labels in operands for label in labels if label not in between]
    return (*between, *sorted(label for label in set(every) if every.count(label) == 1))


def _misfit(text: str, ranks: Sequence[int]) -> ShapeError:
    return ShapeError(f"einsum: {text!r} does not fit operands with {list(ranks)} axes.")
