"""What several commands are given: a saved run, examples, files to write to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

__all__ = [
    "FIGURES", "FiguresFile", "RunFolder", "classic_names", "examples_argument", "problem_names", "rule_names",
]  # fmt: skip

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a saved run.", show_default=False)]
#: The option of every command that has figures to write.
FIGURES: Mapping[str, str] = MappingProxyType(
    {
        "metavar": "FILE",
        "help": "Also write all figures to a file, as JSON; to standard output, and nothing else, if it is -.",
    }
)
FiguresFile = Annotated[Path | None, typer.Option(**FIGURES)]


def examples_argument() -> Any:
    """The folder of examples; without it those of the run, if they are at hand."""
    help_ = "The examples: a folder as for learn; its training part is used."
    return typer.Argument(metavar="DATA", help=help_, show_default="those that the run learned from")


# what a shell completes


def problem_names(incomplete: str) -> list[str]:
    """The problems that begin so."""
    from chainrule.classics.problems import PROBLEMS

    return [name for name in PROBLEMS if name.startswith(incomplete)]


def classic_names(incomplete: str) -> list[str]:
    """The problems and demonstrations that begin so."""
    from chainrule.classics.demonstrations import DEMONSTRATIONS

    return [*problem_names(incomplete), *(name for name in DEMONSTRATIONS if name.startswith(incomplete))]


def rule_names(incomplete: str) -> list[str]:
    """The rules that the last of several begins with, after those before it.

    >>> rule_names("delta,rand")
    ['delta,random-search']
    """
    from chainrule.classics.rules import RULES

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in RULES if name.startswith(last)]
