"""What commands with results of insight share: their examples, what is printed, what is written."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rich.console import Console

from chainrule.data import DataSet, digits, mnist
from chainrule.errors import OptionError
from chainrule.insight.presentation import Insight

__all__ = ["examples_in", "is_picture", "print_insight", "write_json"]

_WIDTH = 10_000  # of what is read from a pipe: lines as long as they need to be


def examples_in(source: Path | None) -> DataSet:
    """The data of a folder, or the digits that come along; what `mnist` raises if it cannot be read."""
    return digits() if source is None else mnist(source)


def is_picture(file: Path) -> bool:
    """Whether a picture can be written under such a name; OptionError if none can be drawn at all."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise OptionError("--plot needs matplotlib.", cure="pip install matplotlib") from None
    return file.suffix.lower().removeprefix(".") in FigureCanvasBase.get_supported_filetypes()


def print_insight(found: Insight) -> None:
    """Print it on the terminal, or as plain lines for whatever reads them."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(found)


def write_json(found: Insight, file: Path) -> None:
    """Write all its figures, under another name until they are complete."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(found.to_dict(), ensure_ascii=False, indent=2) + "\n", "utf-8")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
