"""The language of `einsum`: what subscripts say of operands with so many axes, and which do not fit them."""

from __future__ import annotations

import re

import pytest

from chainrule.errors import ShapeError
from chainrule.numpy.subscripts import Subscripts, as_text


@pytest.mark.parametrize(
    ("text", "ranks", "operands", "result"),
    [
        ("bi,oi->bo", (2, 2), ["bi", "oi"], "bo"),
        ("ii->i", (2,), ["ii"], "i"),
        ("ij->", (2,), ["ij"], ""),
        ("->", (0,), [""], ""),
        ("ba", (2,), ["ba"], "ab"),
        ("ij,jk", (2, 2), ["ij", "jk"], "ik"),
        ("bA", (2,), ["bA"], "Ab"),
        ("...i,...i->...", (3, 2), [["-2", "-1", "i"], ["-1", "i"]], ["-2", "-1"]),
        ("i...j", (4,), [["i", "-2", "-1", "j"]], ["-2", "-1", "i", "j"]),
        ("i...->i", (1,), ["i"], "i"),
        ("ij->i...j", (2,), ["ij"], "ij"),
        ("...,i->i...", (1, 1), [["-1"], "i"], ["i", "-1"]),
    ],
)
def test_what_subscripts_say(text: str, ranks: tuple[int, ...], operands: list[list[str]], result: list[str]) -> None:
    assert Subscripts.parsed(text, ranks) == Subscripts(tuple(map(tuple, operands)), tuple(result))


@pytest.mark.parametrize(
    ("text", "ranks"),
    [
        ("ij,jk->ik", (2,)), ("ij", (3,)), ("ij", (1,)), ("i...j", (1,)), ("i1", (2,)), ("i..j", (4,)),
        ("i...j...", (3,)), ("ij->ii", (2,)), ("ij->ik", (2,)), ("ij->k->i", (2,)),
    ],
)  # fmt: skip
def test_subscripts_that_do_not_fit_their_operands(text: str, ranks: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=re.escape(f"{text!r} does not fit operands with {list(ranks)} axes")):
        Subscripts.parsed(text, ranks)


def test_a_result_without_the_dots_is_told_to_have_them() -> None:
    with pytest.raises(ShapeError, match="leaves out of the result the axes that dots stand for, 2 of them"):
        Subscripts.parsed("i...->i", (3,))


def test_numbers_in_place_of_letters() -> None:
    assert as_text("b i, o i -> b o", ("x", "w")) == ("bi,oi->bo", ["x", "w"])
    assert as_text(1.5, ([0, 1], 2.5, [2, 1])) == ("ab,cb", [1.5, 2.5])
    assert as_text(1.5, ([..., 26], 2.5, [26], [...])) == ("...A,A->...", [1.5, 2.5])
