"""`chainrule diagnose`: what keeps a saved run from learning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.arguments import FiguresFile, RunFolder, examples_argument

__all__ = ["diagnose"]


def diagnose(
    run: RunFolder,
    data: Annotated[Path | None, examples_argument()] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Make each finding's experiment, and say what it gave.")
    ] = False,
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", help="Decides which examples are asked, and the experiments.")
    ] = 0,
    json: FiguresFile = None,
) -> None:
    """Say what keeps a run from learning: at most five findings, with the derivatives that show them."""
    from chainrule.cli.results import check_files, deliver
    from chainrule.cli.run_examples import examples_of
    from chainrule.insight.findings.diagnosis import diagnose
    from chainrule.learning.run import Run

    check_files(json)
    loaded = Run.load(run)
    found = diagnose(loaded, examples_of(loaded, data, "diagnose", run), confirm=confirm, seed=seed)
    deliver("diagnose", found, found.to_dict(), json)
