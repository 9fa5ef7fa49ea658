"""`chainrule diagnose`: what keeps a saved run from learning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.arguments import FiguresFile, RunFolder, examples_argument

__all__ = ["diagnose"]


def diagnose(
    run: RunFolder,
    data: Annotated[Path | None, examples_argument("those that the run learned from")] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", metavar="", help="Make each finding's experiment, and say what it gave.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Decides which examples are asked, and the experiments.")] = 0,
    json: FiguresFile = None,
) -> None:
    """Say what keeps a run from learning: at most five findings, with the derivatives that show them."""
    from chainrule.cli.insights import check_files, deliver, examples_in
    from chainrule.insight.diagnosis import diagnose
    from chainrule.learning.run import Run

    check_files(json)
    loaded = Run.load(run)
    found = diagnose(loaded, examples_in(data or _source(loaded.configuration.get("data"))), confirm=confirm, seed=seed)
    deliver(found, json)


def _source(name: object) -> Path | None:
    """Where the run's examples came from; None for the digits that come along."""
    return Path(name) if isinstance(name, str) and name != "digits" else None
