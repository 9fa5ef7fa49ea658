"""`chainrule show`: what a saved run was and how it went."""

from __future__ import annotations

from chainrule.cli.arguments import RunFolder

__all__ = ["show"]


def show(
    run: RunFolder,
) -> None:
    """Print the configuration of a saved run, its epochs and its verdict."""
    from chainrule.cli.report import print_history
    from chainrule.learning.run import Run

    print_history(Run.load(run))
