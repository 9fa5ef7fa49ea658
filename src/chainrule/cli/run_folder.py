"""Where a run is saved: a folder that the user names, or a new one that nobody has used."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from chainrule.errors import ChainruleError, OptionError
from chainrule.learning.run import Run, check_folder

__all__ = ["check", "save"]

_RUNS = Path("runs")
_LONGEST = 100  # characters of a name


def check(chosen: Path | None) -> None:
    """Refuse, before anything is learnt, a folder in which a run cannot or must not be saved.

    Raises StorageError if it cannot be written, OptionError if it holds something other than a run.
    """
    if chosen == Path("-"):
        raise OptionError("a run is a folder of files, which cannot go to standard output.", cure="Name a folder.")
    check_folder(chosen or _RUNS)
    if chosen is not None and chosen.exists() and any(chosen.iterdir()) and not _holds_run(chosen):
        raise OptionError(
            f"--output {chosen} is a folder that is not empty and holds no run.", cure="Name a new or an empty one."
        )


def save(run: Run, chosen: Path | None, name: str) -> Path:
    """Save a run in the chosen folder, or in a new one in `runs` under the time and the name; StorageError if not."""
    return run.save(chosen) if chosen is not None else _save_anew(run, f"{time.strftime('%Y-%m-%d-%H%M%S')}-{name}")


def _holds_run(folder: Path) -> bool:
    try:
        Run.load(folder)
    except ChainruleError:
        return False
    return True


def _save_anew(run: Run, name: str) -> Path:
    first = not _RUNS.exists()
    folder = _made(name[:_LONGEST])
    try:
        return run.save(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        if first:
            with suppress(OSError):  # another run may be there by now
                _RUNS.rmdir()
        raise


def _made(name: str) -> Path:
    """A new folder; of several that want the name at once, each gets its own."""
    for number in count(1):
        folder = _RUNS / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError("numbers do not end")
