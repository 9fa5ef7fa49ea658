"""Every exception that chainrule raises on purpose.

    ChainruleError
    ├── ShapeError        (ValueError)   shapes or ranks that an operation cannot combine
    ├── DTypeError        (TypeError)    an element type that chainrule does not compute with
    ├── TracingError      (TypeError)    Python needs a value that does not exist while compiling
    ├── DifferentiationError (TypeError) a derivative that does not exist as asked, or that would be lost
    ├── GradientMismatch  (AssertionError) a derivative that is not the slope of the values, found by a check
    ├── GraphError        (ValueError)   a graph that is not well formed, or text that is no graph
    ├── OptionError       (ValueError)   an option or argument outside its range
    ├── DataError         (ValueError)   data that cannot be learned from
    │   └── FormatError                  a file that is not what it says it is
    ├── StorageError      (OSError)      a folder or file that cannot be read or written
    ├── SizeError         (MemoryError)  more memory than there is
    └── NativeError       (RuntimeError) native code could not be made or run

Every one derives from the built-in exception that a NumPy user would expect as well. A message says what was
wrong, with the shapes; names the line of the user's own code; and ends with what to write instead.
"""

from __future__ import annotations

import linecache
import sys
import warnings
from types import FrameType, TracebackType

__all__ = [
    "ChainruleError",
    "DTypeError",
    "DataError",
    "DifferentiationError",
    "FormatError",
    "GradientMismatch",
    "GraphError",
    "Hint",
    "NativeError",
    "OptionError",
    "ShapeError",
    "SizeError",
    "StorageError",
    "TracingError",
    "line_of",
    "printable",
    "user_line",
]

_LIBRARIES = frozenset({"chainrule", "numpy", *sys.stdlib_module_names})  # whose lines are not the user's


def user_line() -> tuple[str, int] | None:
    """The user's file and line that is being executed now, outside this package, NumPy and Python; None without one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def line_of(traceback: TracebackType | None) -> tuple[str, int] | None:
    """The user's file and line where an exception was raised; None if there is none."""
    found = None
    while traceback is not None:
        if _is_users(traceback.tb_frame):
            found = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def _is_users(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] not in _LIBRARIES


def _quoted(location: tuple[str, int] | None) -> str:
    if location is None:
        return ""
    file, line = location
    source = linecache.getline(file, line).strip()
    return f"\n  at {file}:{line}" + (f": {source}" if source else "")


def printable(text: str) -> str:
    """A text in which nothing commands a terminal: what cannot be printed is written as its code.

    >>> printable("a name\\x1b[2J")
    'a name\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


class ChainruleError(Exception):
    """Base of every exception that chainrule raises on purpose.

    `what` says what was wrong, `cure` what to write instead. The line of the user's code that is being
    executed is found by itself; pass `where` if it was another.
    """

    def __init__(self, what: str, *, cure: str = "", where: tuple[str, int] | None = None) -> None:
        self.what = what = printable(what)  # it may quote a file that anybody wrote
        self.cure = cure
        self.where = where or user_line()
        super().__init__(what + _quoted(self.where) + (f"\n  {cure}" if cure else ""))

    @property
    def sentence(self) -> str:
        """What was wrong and what to do, in one line without the line of code: for the command line."""
        return f"{self.what} {self.cure}".strip()


class ShapeError(ChainruleError, ValueError):
    """Shapes or ranks that an operation cannot combine."""


class DTypeError(ChainruleError, TypeError):
    """An element type that chainrule does not compute with."""


class TracingError(ChainruleError, TypeError):
    """Python needs a value that does not exist while compiling."""


class DifferentiationError(ChainruleError, TypeError):
    """A derivative that does not exist as asked, or that would be lost."""


class GradientMismatch(ChainruleError, AssertionError):
    """A derivative that is not the slope of the values, found by a check."""


class GraphError(ChainruleError, ValueError):
    """A graph that is not well formed, or text that is no graph."""


class OptionError(ChainruleError, ValueError):
    """An option or argument outside its range."""


class DataError(ChainruleError, ValueError):
    """Data that cannot be learned from."""


class FormatError(DataError):
    """A file that is not what it says it is."""


class StorageError(ChainruleError, OSError):
    """A folder or file that cannot be read or written."""


class SizeError(ChainruleError, MemoryError):
    """More memory than there is."""


class NativeError(ChainruleError, RuntimeError):
    """Native code could not be made or run."""


class Hint(UserWarning):
    """Something works, and could be written so that it works better: a warning, never an error."""

    @classmethod
    def give(cls, what: str, *, cure: str) -> None:
        """Warn of what was seen on the line of the user's code that is being executed."""
        file, line = user_line() or ("<unknown>", 1)
        warnings.warn_explicit(f"{what} {cure}", cls, file, line)
