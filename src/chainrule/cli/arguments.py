"""What several commands are given: a saved run, examples, files to write to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["FiguresFile", "RunFolder", "examples_argument"]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a saved run.", show_default=False)]
FiguresFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Also write all figures to a file; to standard output, and nothing else, if it is -."
    ),
]


def examples_argument() -> Any:
    """The folder of examples; without it those of the run, if they are at hand."""
    help_ = "The examples: a folder as for learn; its training part is used."
    return typer.Argument(metavar="DATA", help=help_, show_default="those that the run learned from")
