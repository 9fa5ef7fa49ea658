"""Which examples a command asks about: those that the user names, or those that the run learned from."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from chainrule.data import DataSet, digits, mnist
from chainrule.errors import ChainruleError, OptionError
from chainrule.learning.configuration import Configuration
from chainrule.learning.run import Run

__all__ = ["examples_of", "own_examples"]


def examples_of(run: Run, named: Path | None, command: str, folder: Path) -> DataSet:
    """The examples of the folder that is named, which is told if they are others; else those of the run.

    Raises OptionError if the run's own are not at hand, and what `mnist` raises for a folder that is named.
    """
    if named is None:
        return own_examples(run, command, folder)
    data = mnist(named)
    if run.configuration.data_digest not in (None, data.digest()):
        print(f"note: {named} does not hold the examples that the run learned from", file=sys.stderr)
    return data


def own_examples(run: Run, command: str, folder: Path) -> DataSet:
    """The very examples that a run learned from, if they can be read again; OptionError says how to name others."""
    known = run.configuration
    if known.data is None:
        raise _absent("the run does not say what it learned from", command, folder)
    read = _reader(known.data)
    if read is None:
        raise _absent(
            f"the run learned from {_told(known)}, which only the program has that made them", command, folder
        )
    try:
        data = read()
    except ChainruleError as problem:
        raise _absent(f"what the run learned from is gone: {problem.what.rstrip('.')}", command, folder) from None
    if known.data_digest not in (None, data.digest()):
        raise _absent(f"the run learned from {_told(known)}, but {known.data} holds others now", command, folder)
    return data


def _reader(name: str) -> Callable[[], DataSet] | None:
    """What reads the data again: the bundled digits, or a folder, which stands in a run by its whole path."""
    if name == "digits":
        return digits
    return (lambda: mnist(name)) if Path(name).is_absolute() else None


def _told(known: Configuration) -> str:
    name = repr(known.data) if known.data else "arrays without a name"
    if known.data_shape is None:
        return name
    examples, *features = known.data_shape
    return f"{name}, {examples:,} examples of {'×'.join(map(str, features))} features"


def _absent(why: str, command: str, folder: Path) -> OptionError:
    line = f"chainrule {command} {shlex.quote(str(folder))} DATA"
    return OptionError(
        f"{why}.",
        cure=f"Name examples, {line}, or ask in Python: cr.insight.{command}(cr.Run.load({str(folder)!r}), data).",
    )
