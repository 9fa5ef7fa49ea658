"""What a person sees while a network learns: on a terminal a line that moves, and one that stays for each epoch.

Elsewhere, as in a log, a line only every so often, and none while it takes no time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from chainrule.learning.record import Record

__all__ = ["Progress", "Seldom"]

_FIRST, _THEN = 10.0, 30.0  # seconds until the first line, and from one to the next


class Seldom:
    """Says when it is time for another line: after ten seconds, then every half minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock() + _FIRST

    def is_due(self) -> bool:
        """Whether it is time; then it is not for a while."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + _THEN
        return True


class Progress:
    """A bar on a terminal while the block runs, seldom a line elsewhere; nothing if not `shown`."""

    def __init__(self, epochs: int, examples: int, *, shown: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._bar: Any = None
        self._seldom: Seldom | None = None
        self._epochs, self._examples = epochs, examples
        if shown:
            from rich.console import Console

            console = Console(stderr=True)
            if console.is_terminal:
                self._bar = _bar(console)
                self._task = self._bar.add_task("learning", total=epochs * examples, told="compiling")
            else:
                self._seldom = Seldom(clock)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def moved(self, epoch: int, examples: int, cost: float, right: float | None) -> None:
        """So many examples of this epoch are done, with these figures so far."""
        if self._bar is None and self._seldom is None:
            return
        told = f"epoch {epoch + 1}/{self._epochs}  cost {cost:.4f}" + _accuracy("  right", right)
        if self._bar is not None:
            self._bar.update(self._task, completed=epoch * self._examples + examples, told=told)
        elif examples < self._examples:
            self._log(told)

    def ended(self, record: Record) -> None:
        """An epoch is over."""
        if self._bar is not None:
            self._bar.console.print(f"epoch {record.epoch:3}   {record.told()}", highlight=False, markup=False)
        else:
            self._log(f"epoch {record.epoch}/{self._epochs}   {record.told()}")

    def _log(self, line: str) -> None:
        if self._seldom is not None and self._seldom.is_due():
            print(line, file=sys.stderr, flush=True)


def _bar(console: Any) -> Any:
    from rich import progress

    columns = (
        progress.BarColumn(bar_width=20),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[told]}"),
    )
    return progress.Progress(*columns, console=console, transient=True, refresh_per_second=20)


def _accuracy(name: str, fraction: float | None) -> str:
    return "" if fraction is None else f"{name} {fraction:7.2%}"
