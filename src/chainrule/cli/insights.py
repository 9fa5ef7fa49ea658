"""What commands with results of insight share: what is printed, what is written."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.console import Console

from chainrule.errors import OptionError
from chainrule.insight.presentation import Insight
from chainrule.storage import check_file, is_standard_output, write_file

__all__ = ["check_files", "deliver", "write_picture"]

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


def deliver(found: Insight, figures: Path | None) -> None:
    """Print it, and write all its figures to a file if one is named; only those, if that is standard output."""
    if figures is not None:
        write_file(figures, json.dumps(found.to_dict(), ensure_ascii=False, indent=2) + "\n")
    if figures is None or not is_standard_output(figures):
        _print(found)


def write_picture(axes: Any, file: Path, **options: Any) -> None:
    """Write the picture with these axes, of the kind that the file's name says."""
    drawn = BytesIO()
    axes.figure.savefig(drawn, format=file.suffix.lower().removeprefix("."), **options)
    write_file(file, drawn.getvalue())


def _print(found: Insight) -> None:
    """Print it on the terminal, or as plain lines for whatever reads them."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(found)
