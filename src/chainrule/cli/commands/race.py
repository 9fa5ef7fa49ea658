"""`chainrule race`: the rules of learning on one of the problems of 1986, side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chainrule.cli.arguments import FiguresFile, problem_names, rule_names
from chainrule.cli.exit_codes import STOPPED

if TYPE_CHECKING:
    from chainrule.classics import Problem, Rule

__all__ = ["operations", "race"]

_THOUSANDS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def race(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="PROBLEM",
            help="xor, parity, encoder, symmetry, …",
            show_default=False,
            autocompletion=problem_names,
        ),
    ],
    rules: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES", help="Only these rules, like backpropagation,reinforce.", autocompletion=rule_names
        ),
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
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Decides the first weights, and all chance.")] = 0,
    json: FiguresFile = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw how many were solved by when, to a picture.")
    ] = None,
) -> int:
    """Race backpropagation against earlier approaches to learning, with the same budget of operations.

    Ctrl-C ends the race and shows what was found by then.
    """
    from chainrule.classics.races import racing
    from chainrule.cli.race_progress import shown
    from chainrule.cli.results import check_files, deliver, write_picture

    asked, given, allowed = _problem(problem, size), _rules(rules), None if budget is None else operations(budget)
    check_files(json, plot)
    with shown() as report:
        found = racing.race(asked, given, trials, allowed, seed, report)
    deliver("race", found, found.to_dict(), json)
    if plot is not None:
        write_picture(found.plot(), plot)
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
    from chainrule.classics.problems import problem, size_option
    from chainrule.errors import OptionError

    if size is None:
        return problem(name)
    option = size_option(name)
    if option is None:
        raise OptionError(f"the problem {name} comes in one size.", cure="Leave out --size.")
    return problem(name, **{option: size})


def _rules(names: str | None) -> list[Rule] | None:
    from chainrule.classics.rules import rule

    return None if names is None else [rule(name.strip()) for name in names.split(",")]
