"""What is printed of a run: small tables on stdout, plain where stdout is no terminal."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chainrule.learning.run import Record, Run
from chainrule.nn.connected import Connected

__all__ = ["print_history", "print_result"]


def print_result(run: Run, saved: Path | None) -> None:
    """What came of learning: the network, the data, the last figures; the verdict, what stands out, what to do next."""
    console = _console()
    if console.is_terminal:  # below the epochs
        console.print()
    _print_facts(console, _summary(run))
    if run.history:
        console.print()
        console.print(_figures(run.history[-1], run.configuration))
    console.print()
    console.print(run.verdict, style="bold")
    console.print(_standing_out(run))
    console.print(_next(saved))


def print_history(run: Run) -> None:
    """What is known of a saved run: its configuration, each epoch, the verdict."""
    console = _console()
    facts = {"network": _network(run), **run.configuration, "stopped early": "yes" if run.interrupted else "no"}
    _print_facts(console, {_plain(name).replace("_", " "): _plain(fact) for name, fact in facts.items()})
    if run.history:
        console.print()
        console.print(_epochs(run.history))
    console.print()
    console.print(run.verdict, style="bold")


def _standing_out(run: Run) -> str:
    """The worst of what was recorded while it learned, in a sentence."""
    from chainrule.insight.diagnosis import glance

    found = glance(run)
    if found is None and not run.history:
        return "It ended before there was anything to look at."
    if found is None and run.doubt:
        return "What was recorded while it learned does not say why; with the examples more is seen."
    if found is None:
        return "Nothing that was recorded while it learned stands out."
    return f"{found.severity.capitalize()}, {found.sure}: {found.title} ({found.evidence[0]})."


def _next(saved: Path | None) -> str:
    if saved is None:
        return "Next: save a run (without --no-save), then ask chainrule diagnose what keeps it from learning more."
    return f"Next: chainrule diagnose {shlex.quote(str(saved))}"


def _console() -> Console:
    """The terminal; or lines as long as they need to be, for whatever reads them."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
    return console


def _print_facts(console: Console, facts: Mapping[str, str]) -> None:
    width = max(map(len, facts))
    for name, fact in facts.items():
        console.print(Text.assemble((f"{name:{width}}   ", "dim"), fact))


def _summary(run: Run) -> dict[str, str]:
    known = run.configuration
    parts = [("training_examples", "to train"), ("validation_examples", "to validate"), ("test_examples", "to test")]
    counts = [f"{known[key]:,} {purpose}" for key, purpose in parts if key in known]
    ways = [f"{known['cost'].replace('_', '-')} cost", known["optimizer"], f"batches of {known['batch']}"]
    ways += [f"l2 {known['l2']:g}"] if known["l2"] else []
    return {
        "network": _network(run),
        "data": f"{known['data']}: {', '.join(counts)}",
        "learning": ", ".join([*ways, f"seed {known['seed']}"]),
        "time": _time(run),
    }


def _network(run: Run) -> str:
    network = run.network
    names = list(dict.fromkeys(network.activations))
    sizes = "-".join(map(str, network.sizes))
    own = ", connections of its own" if isinstance(network, Connected) else ""
    return f"{sizes}{own}, {' then '.join(names)}, {network.parameters:,} weights and biases, {network.dtype}"


def _time(run: Run) -> str:
    """How long it took; and a step alone, with its share of validation, in the epochs after the first."""
    if not run.history:
        return "less than an epoch"
    steps = math.ceil(run.configuration["training_examples"] / run.configuration["batch"])
    epochs = [after.seconds - before.seconds for before, after in pairwise(run.history)]
    pace = f", {median(epochs) / steps * 1e6:.1f} µs a step" if epochs else ""
    return f"{_counted(len(run.history), 'epoch')} in {run.history[-1].seconds:.2f} s{pace}"


def _figures(last: Record, known: Any) -> Table:
    table = _table("", "cost", "accuracy")
    table.add_row("training", _cost(last.training_cost), _accuracy(last.training_accuracy))
    if last.validation_cost is not None:
        table.add_row("validation", _cost(last.validation_cost), _accuracy(last.validation_accuracy))
    if "test_cost" in known:
        table.add_row("test", _cost(known["test_cost"]), _accuracy(known["test_accuracy"]))
    return table


def _epochs(history: Iterable[Record]) -> Table:
    table = _table("epoch", "training cost", "accuracy", "validation cost", "accuracy", "seconds")
    for record in history:
        training = _cost(record.training_cost), _accuracy(record.training_accuracy)
        validation = _cost(record.validation_cost), _accuracy(record.validation_accuracy)
        table.add_row(str(record.epoch), *training, *validation, f"{record.seconds:.2f}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cost(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _accuracy(fraction: float | None) -> str:
    return "" if fraction is None else f"{fraction:.2%}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _plain(value: object) -> str:
    """A value from a file as text that cannot command the terminal."""
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)
