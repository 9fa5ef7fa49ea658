"""What a person sees while rules race: a row for each, which moves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from chainrule.classics.races.standings import Entry, Race, digits
from chainrule.display import counted
from chainrule.learning.progress import Seldom

__all__ = ["shown", "so_far"]

_BAR = 12


@contextmanager
def shown() -> Iterator[Callable[[Race], None]]:
    """What is to be told of a race while the block runs: on a terminal at once, elsewhere now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        seldom = Seldom()
        yield lambda race: print(_line(race), file=sys.stderr, flush=True) if seldom.is_due() else None
        return
    with Live(console=console, transient=True) as live:
        yield lambda race: live.update(so_far(race))


def so_far(race: Race) -> Table:
    """For each rule: how many trials are finished, how many of them solved it, after how many sweeps in the median."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("rule", "trials", "", "solved", "median"):
        table.add_column(column, no_wrap=True)
    for entry in race.entries:
        table.add_row(*_row(entry))
    return table


def _line(race: Race) -> str:
    """How far the rule is that races now."""
    entry = race.entries[-1]
    return f"{entry.rule}: {entry.finished} of {counted(entry.trials, 'trial')}, {entry.solved} solved"


def _row(entry: Entry) -> tuple[str | ProgressBar, ...]:
    if entry.outcome == "cannot take it":
        return entry.rule, "", "", entry.verdict, ""
    bar = ProgressBar(entry.trials, entry.finished, width=_BAR)
    solved = entry.verdict if entry.outcome != "ran" else str(entry.solved)
    return entry.rule, bar, f"{entry.finished} of {entry.trials}", solved, _median(entry)


def _median(entry: Entry) -> str:
    median = entry.quantile(0.5)
    return f"{digits(median)} sweeps" if median < float("inf") else ""
