"""`chainrule classics`: the networks of 1986, as a list, and one of them as it learns."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.arguments import FiguresFile, classic_names
from chainrule.cli.help import Command, Group

if TYPE_CHECKING:
    from chainrule.classics.learnt.learning_curve import LearningCurve, Watch
    from chainrule.classics.published_figures import Catalogued

__all__ = ["classics"]

_BARS, _WIDTH = "▁▂▃▄▅▆▇█", 40

classics = typer.Typer(
    cls=Group,
    help="The networks of 1986 that made the case for backpropagation: list them, run one.",
    no_args_is_help=True,
)


@classics.command("list", cls=Command)
def list_classics(
    json: FiguresFile = None,
) -> None:
    """List every problem and demonstration, with the published figures and ours."""
    from rich.console import Group

    from chainrule.classics.published_figures import catalogue
    from chainrule.cli.results import check_files, deliver

    check_files(json)
    title, known = "Problems and demonstrations", catalogue()
    listed = Group(*(line for one in known for line in _listed(one)))
    deliver("classics list", listed, {"title": title, "classics": [one.to_dict() for one in known]}, json)


def _listed(one: Catalogued) -> Iterator[Any]:
    """A name with its title, and what is known under it."""
    from rich.padding import Padding
    from rich.text import Text

    published = "; ".join(f"{figure.what}: {figure.figure}" for figure in one.published)
    told = [one.description, one.source, published and f"published: {published}", one.said and f"ours: {one.said}"]
    yield Text.assemble((one.name, "bold"), f": {one.title}")
    yield from (Padding(Text(line), (0, 0, 0, 4)) for line in told if line)


@classics.command("run", cls=Command)
def run_classic(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A name that list shows.", show_default=False, autocompletion=classic_names
        ),
    ],
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Decides the weights that it starts from.")] = 0,
    trials: Annotated[
        int, typer.Option(metavar="COUNT", help="So many networks; the first is shown that solves the problem.")
    ] = 1,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER", help="The size of the problem: the bits of a parity, the patterns of an encoder, …"
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the curve and the weights: .png, .svg or .pdf.")
    ] = None,
    json: FiguresFile = None,
) -> None:
    """Show a network of 1986 as it learns, its weights, and by derivatives how its solution works."""
    from chainrule.classics.learnt.run import run
    from chainrule.cli.results import check_files, deliver, write_picture

    check_files(json, plot)
    with _shown_live() as watch:
        found = run(name, seed=seed, trials=trials, size=size, watch=watch)
    deliver("classics run", found, found.to_dict(), json)
    if plot is not None:
        write_picture(found.plot(), plot, dpi=150)


@contextmanager
def _shown_live() -> Iterator[Watch]:
    """What shows the curve as it grows, on a terminal; elsewhere says now and then how far it is."""
    from rich.console import Console
    from rich.live import Live

    from chainrule.learning.progress import Seldom

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        seldom = Seldom()
        yield lambda curve: print(_in_short(curve), file=sys.stderr, flush=True) if seldom.is_due() else None
        return
    with Live(console=console, transient=True, refresh_per_second=20) as live:
        yield lambda curve: live.update(_line(curve))


def _line(curve: LearningCurve) -> Any:
    """The error and the patterns that are right, as bars against the sweeps until now, and as they are now."""
    right, most = int(curve.right[-1]), max(int(curve.right.max()), 1)
    return (
        f"{curve.at[-1]:,} sweeps\n"
        f"error          {_bars(curve.errors / max(float(curve.errors.max()), 1e-30))}  {curve.errors[-1]:.4g}\n"
        f"patterns right {_bars(curve.right / most)}  {right}"
    )


def _in_short(curve: LearningCurve) -> str:
    return f"{curve.at[-1]:,} sweeps, error {curve.errors[-1]:.4g}, {int(curve.right[-1])} patterns right"


def _bars(shares: Any) -> str:
    """A line of bars for numbers from 0 to 1: 40 of them, evenly from the first to the last."""
    chosen = [round(n * (len(shares) - 1) / (_WIDTH - 1)) for n in range(_WIDTH)]
    return "".join(_BARS[min(int(shares[n] * len(_BARS)), len(_BARS) - 1)] for n in chosen)
