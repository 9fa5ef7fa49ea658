"""What a person sees while a network learns: one line that moves, and one that stays for each epoch."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from chainrule.learning.run import Record

__all__ = ["Progress"]


class Progress:
    """A bar on a terminal while the block runs; nothing where there is no terminal, or if not `shown`."""

    def __init__(self, epochs: int, examples: int, *, shown: bool) -> None:
        self._bar: Any = None
        if shown:
            from rich.console import Console

            console = Console(stderr=True)
            if console.is_terminal:
                self._bar = _bar(console)
                self._task = self._bar.add_task("learning", total=epochs * examples, told="compiling")
        self._epochs = epochs
        self._examples = examples

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def moved(self, epoch: int, examples: int, cost: float, right: float | None) -> None:
        """So many examples of this epoch are done, with these figures so far."""
        if self._bar is not None:
            told = f"epoch {epoch + 1}/{self._epochs}  cost {cost:.4f}" + _accuracy("  right", right)
            self._bar.update(self._task, completed=epoch * self._examples + examples, told=told)

    def ended(self, record: Record) -> None:
        """An epoch is over."""
        if self._bar is not None:
            self._bar.console.print(_line(record), highlight=False)


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


def _line(record: Record) -> str:
    """Costs and accuracies, short enough for 80 columns."""
    training = f"training {record.training_cost:.4f}" + _accuracy("", record.training_accuracy)
    validation = ""
    if record.validation_cost is not None:
        validation = f"   validation {record.validation_cost:.4f}" + _accuracy("", record.validation_accuracy)
    return f"epoch {record.epoch:3}   {training}{validation}   [dim]{record.seconds:.2f} s[/dim]"
