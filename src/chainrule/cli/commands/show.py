"""`chainrule show`: what a saved run was and how it went."""

from __future__ import annotations

from chainrule.cli.arguments import FiguresFile, RunFolder

__all__ = ["show"]


def show(
    run: RunFolder,
    json: FiguresFile = None,
) -> None:
    """Print the configuration of a saved run, its epochs and its verdict."""
    from chainrule.cli.results import check_files, deliver
    from chainrule.cli.run_page import contents, history
    from chainrule.learning.run import Run

    check_files(json)
    loaded = Run.load(run)
    deliver("show", history(loaded), contents(loaded), json)
