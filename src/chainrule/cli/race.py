"""`chainrule race`: the rules of learning on one of the problems of 1986, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.main import STOPPED

if TYPE_CHECKING:
    from chainrule.classics import Problem, Rule

__all__ = ["operations", "race"]

_THOUSANDS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SIZES = ("bits", "n", "units", "side", "hidden")  # what the functions of the problems call their sizes


def race(
    problem: Annotated[
        str, typer.Argument(metavar="PROBLEM", help="xor, parity, encoder, symmetry, …", show_default=False)
    ],
    rules: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these rules, like backpropagation,reinforce.")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT", help="How many seeds each rule is given.", show_default="100; 20 where those take long"
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="OPERATIONS",
            help="Floating-point operations that a trial may spend, like 2e6 or 10M.",
            show_default="many times what backpropagation needs",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="How large the problem is: the bits of parity, the units of an encoder."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the first weights, and all chance.")] = 0,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write all figures to a file.")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw how many were solved by when, to a picture.")
    ] = None,
) -> int:
    """Race backpropagation against earlier approaches to learning, with the same budget of operations.

    Ctrl-C ends the race and shows what was found by then.
    """
    from chainrule.classics import racing
    from chainrule.cli.insights import print_insight, write_json
    from chainrule.cli.race_table import shown

    asked, given, allowed = _problem(problem, size), _rules(rules), None if budget is None else operations(budget)
    if plot is not None:
        _check_picture(plot)
    with shown() as report:
        found = racing.race(asked, given, trials, allowed, seed, report)
    print_insight(found)
    if json is not None:
        write_json(found, json)
    if plot is not None:
        found.plot().figure.savefig(plot)
    return STOPPED if found.stopped else 0


def operations(text: str) -> float:
    """The number of operations that `2e6`, `500k` or `10M` says; OptionError if it says none.

    >>> operations("10M")
    10000000.0
    """
    from chainrule.errors import OptionError

    found = re.fullmatch(r"([0-9]+\.?[0-9]*(?:e\+?[0-9]{1,2})?)([kMGT]?)", text)
    if found is None:
        raise OptionError(f"--budget {text} is no number of operations.", cure="Write it like 2e6, 500k or 10M.")
    return float(found[1]) * _THOUSANDS[found[2]]


def _problem(name: str, size: int | None) -> Problem:
    from chainrule.classics.problems import PROBLEMS, problem

    _check_name("problem", name, PROBLEMS)
    return problem(name, **({} if size is None else {_size_of(name): size}))


def _size_of(name: str) -> str:
    """The option of a problem that is its size; OptionError if it has none."""
    from importlib import import_module
    from inspect import signature

    from chainrule.classics.problems import PROBLEMS
    from chainrule.errors import OptionError

    module, function = PROBLEMS[name]
    options = signature(getattr(import_module(f"chainrule.classics.problems.{module}"), function)).parameters
    for option in options:
        if option in _SIZES:
            return option
    raise OptionError(f"the problem {name} comes in one size.", cure="Leave out --size.")


def _rules(names: str | None) -> list[Rule] | None:
    from chainrule.classics.rules import RULES, rule

    if names is None:
        return None
    asked = [name.strip() for name in names.split(",")]
    for name in asked:
        _check_name("rule", name, RULES)
    return [rule(name) for name in asked]


def _check_name(what: str, name: str, known: Iterable[str]) -> None:
    """OptionError if there is nothing of that name, with the one that was probably meant."""
    from difflib import get_close_matches

    from chainrule.errors import OptionError

    names = list(known)
    if name not in names:
        meant = "".join(f"Did you mean {close}? " for close in get_close_matches(name, names, 1))
        raise OptionError(f"there is no {what} {name!r}.", cure=f"{meant}There are {', '.join(names)}.")


def _check_picture(file: Path) -> None:
    """OptionError if no picture can be written under such a name, before the race rather than after it."""
    from chainrule.errors import OptionError

    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise OptionError("--plot needs matplotlib.", cure="pip install matplotlib") from None
    if file.suffix.lower().removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        raise OptionError(f"--plot {file} does not name a kind of picture.", cure="End it in .png, .svg or .pdf.")
