"""What commands share: what is printed, what is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.console import Console

import chainrule
from chainrule.display import plain, text
from chainrule.errors import OptionError
from chainrule.storage import check_file, is_standard_output, write_file

__all__ = ["check_files", "deliver", "says", "show", "write_figures", "write_picture"]

_WIDTH = 10_000  # of what is read from a pipe: lines as long as they need to be


def check_files(figures: Path | None, picture: Path | None = None) -> None:
    """Refuse, before the work, files that could not be written after it.

    Raises StorageError, or OptionError if no picture can be drawn under such a name, or none at all.
    """
    if figures is not None:
        check_file(figures)
    if picture is not None:
        _check_kind(picture)
        check_file(picture)


def _check_kind(picture: Path) -> None:
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise OptionError("--plot needs matplotlib.", cure="pip install matplotlib") from None
    if picture.suffix.lower().removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        cure = "Name a file that ends in .png, .svg or .pdf."
        raise OptionError(f"--plot {picture} does not name a kind of picture.", cure=cure)


def show(shown: Any, *, after_progress: bool = False) -> None:
    """Print on the terminal, set apart from what was shown before; or lines as long as they need to be, elsewhere."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        console.print(*([""] if after_progress else []), shown, sep="\n")
    else:
        print(text(shown, _WIDTH))


def deliver(command: str, found: Any, contents: Mapping[str, Any], figures: Path | None) -> None:
    """Print what was found, and write all its figures to a file if one is named; only those, if that is stdout."""
    if figures is not None:
        write_figures(command, contents, figures)
    if says(figures):
        show(found)


def says(figures: Path | None) -> bool:
    """Whether a command prints words: not where its figures go to standard output."""
    return figures is None or not is_standard_output(figures)


def write_figures(command: str, contents: Mapping[str, Any], file: Path) -> None:
    """Write what a command found as JSON: the version, the command, and its contents with their title."""
    envelope = {"chainrule": chainrule.__version__, "command": command, **plain(contents)}
    write_file(file, json.dumps(envelope, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def write_picture(axes: Any, file: Path, **options: Any) -> None:
    """Write the picture with these axes, of the kind that the file's name says."""
    drawn = BytesIO()
    axes.figure.savefig(drawn, format=file.suffix.lower().removeprefix("."), **options)
    write_file(file, drawn.getvalue())
