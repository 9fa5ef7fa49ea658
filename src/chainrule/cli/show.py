"""`chainrule show`: what a saved run was and how it went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["show"]


def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a saved run.", show_default=False)],
) -> None:
    """Print the configuration of a saved run, its epochs and its verdict."""
    from chainrule.cli.report import print_history
    from chainrule.learning.run import Run

    print_history(Run.load(run))
