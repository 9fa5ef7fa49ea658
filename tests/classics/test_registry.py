"""Problems, rules and demonstrations by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from chainrule import classics
from chainrule.classics.problems import size_option
from chainrule.errors import OptionError

NAMED: list[tuple[Callable[..., Any], Any]] = [
    (classics.problem, classics.PROBLEMS),
    (classics.rule, classics.RULES),
    (classics.demonstration, classics.DEMONSTRATIONS),
]


@pytest.mark.parametrize(("maker", "names"), NAMED)
def test_everything_that_has_a_name_is_made(maker: Callable[..., Any], names: Any) -> None:
    for name in names:
        assert maker(name).name == name


@pytest.mark.parametrize(("maker", "names"), NAMED)
def test_what_has_a_name_overrides_at_one_level(maker: Callable[..., Any], names: Any) -> None:
    for kind in {type(maker(name)) for name in names} - {classics.Problem}:
        (base,) = kind.__bases__
        assert inspect.isabstract(base), f"{kind} derives from {base}, which is no abstract class"
        assert kind.__final__, f"{kind} may be derived from"


@pytest.mark.parametrize(("maker", "names"), NAMED)
def test_a_name_that_is_none_is_refused_with_those_there_are(maker: Callable[..., Any], names: Any) -> None:
    with pytest.raises(OptionError, match=" must be one of ") as raised:
        maker("nothing")
    assert all(name in str(raised.value) for name in names)


def test_an_option_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(OptionError, match="the options of parity must be .*not 'width'") as raised:
        classics.problem("parity", width=3)
    assert "bits" in str(raised.value)
    with pytest.raises(OptionError, match="the options of delta must be .*not 'speed'"):
        classics.rule("delta", speed=1.0)


def test_a_name_that_is_nearly_one_is_told_which_was_probably_meant() -> None:
    with pytest.raises(OptionError, match="Did you mean 'xor'"):
        classics.problem("xorr")


@pytest.mark.parametrize(("name", "option"), [("iterative", "iterations"), ("encoder", "n"), ("negation", None)])
def test_a_problem_says_which_of_its_options_is_its_size(name: str, option: str | None) -> None:
    assert size_option(name) == option
