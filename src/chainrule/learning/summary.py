"""A run in a few lines: what was learnt from what, how long it took, the figures of its epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from chainrule.display import Facts, Table, counted
from chainrule.learning.record import Record
from chainrule.nn.parameters import Parameters

__all__ = ["epochs", "figures", "network_in_words", "some_epochs", "summary", "title_of"]

_ROWS = 12  # epochs that are shown of many


def summary(network: Any, history: Sequence[Record], known: Mapping[str, Any]) -> Facts:
    """The network, the data, the way of learning, the time, as far as they are known."""
    told = {
        "network": network_in_words(network),
        "data": _data(known),
        "learning": _learning(known),
        "time": _time(history, known),
    }
    return Facts({name: fact for name, fact in told.items() if fact})


def title_of(network: Any) -> str:
    """`784-30-10`, the sizes of a network that has some; else what kind of tree it is."""
    sizes = getattr(network, "sizes", None)
    return "-".join(map(str, sizes)) if sizes else type(network).__name__


def network_in_words(network: Any) -> str:
    """`784-30-10, sigmoid, 23,860 weights and biases, float32`."""
    found = Parameters.of(network)
    own = [", connections of its own"] if hasattr(network, "wiring") else []
    names = [" then ".join(dict.fromkeys(map(str, network.activations)))] if hasattr(network, "activations") else []
    told = [title_of(network) + "".join(own), *names]
    return ", ".join([*told, f"{found.count:,} weights and biases", str(found.dtype)])


def _data(known: Mapping[str, Any]) -> str:
    parts = [("training_examples", "to train"), ("validation_examples", "to validate"), ("test_examples", "to test")]
    counts = ", ".join(f"{known[key]:,} {purpose}" for key, purpose in parts if key in known)
    return ": ".join(filter(None, (known.get("data"), counts)))


def _learning(known: Mapping[str, Any]) -> str:
    ways = [
        f"{known['cost'].replace('_', '-')} cost" if "cost" in known else "",
        known.get("optimizer", ""),
        f"batches of {known['batch']}" if "batch" in known else "",
        f"l2 {known['l2']:g}" if known.get("l2") else "",
        f"seed {known['seed']}" if "seed" in known else "",
    ]
    return ", ".join(filter(None, ways))


def _time(history: Sequence[Record], known: Mapping[str, Any]) -> str:
    """How long it took; and a step alone, with its share of validation, in the epochs after the first."""
    if not history:
        return "less than an epoch"
    told = f"{counted(len(history), 'epoch')} in {history[-1].seconds:.2f} s"
    each = [after.seconds - before.seconds for before, after in pairwise(history)]
    if not each or "training_examples" not in known or "batch" not in known:
        return told
    steps = math.ceil(known["training_examples"] / known["batch"])
    return f"{told}, {median(each) / steps * 1e6:.1f} µs a step"


def figures(last: Record, known: Mapping[str, Any]) -> Table:
    """Cost and accuracy at the end, of each part of the data."""
    rows = [("training", _cost(last.training_cost), _accuracy(last.training_accuracy))]
    if last.validation_cost is not None:
        rows.append(("validation", _cost(last.validation_cost), _accuracy(last.validation_accuracy)))
    if "test_cost" in known:
        rows.append(("test", _cost(known["test_cost"]), _accuracy(known.get("test_accuracy"))))
    return _without_empty(("", "cost", "accuracy"), rows)


def epochs(history: Sequence[Record]) -> Table:
    """Each epoch, a row."""
    rows = [
        (r.epoch, _cost(r.training_cost), _accuracy(r.training_accuracy), _cost(r.validation_cost),
         _accuracy(r.validation_accuracy), f"{r.seconds:.2f}")
        for r in history
    ]  # fmt: skip
    return _without_empty(("epoch", "training cost", "accuracy", "validation cost", "accuracy", "seconds"), rows)


def some_epochs(history: Sequence[Record]) -> Table:
    """Some of the epochs, from the first to the last."""
    last = len(history) - 1
    chosen = sorted({round(n * last / (_ROWS - 1)) for n in range(_ROWS)}) if last >= _ROWS else range(len(history))
    return epochs([history[n] for n in chosen])


def _without_empty(columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> Table:
    """The table without the columns in which nothing is told."""
    kept = [n for n in range(len(columns)) if n == 0 or any(row[n] for row in rows)]
    return Table(tuple(columns[n] for n in kept), tuple(tuple(row[n] for n in kept) for row in rows))


def _cost(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _accuracy(fraction: float | None) -> str:
    return "" if fraction is None else f"{fraction:.2%}"
