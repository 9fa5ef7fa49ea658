"""Where the command line begins and ends: every failure becomes one sentence and an exit code."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Sequence

from chainrule.cli.exit_codes import FAILED, MISUSED, STOPPED
from chainrule.errors import ChainruleError, DataError, DTypeError, OptionError, ShapeError, printable

__all__ = ["execute", "main"]

_ASKED_WRONGLY = (OptionError, DataError, ShapeError, DTypeError)


def main() -> None:
    """The command `chainrule`: execute this process's arguments and end it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without µ is no reason to stop
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Execute a command line and return its exit code; what goes wrong is one sentence on stderr."""
    try:
        return _executed(arguments)
    except ChainruleError as problem:
        return _failed(problem.sentence, MISUSED if isinstance(problem, _ASKED_WRONGLY) else FAILED)
    except MemoryError as problem:
        return _failed(f"there is not enough memory: {problem}.", FAILED)
    except OSError as problem:
        file = "" if problem.filename is None else f"{problem.filename}: "
        return _failed(f"{file}{problem.strerror or problem}.", FAILED)
    except KeyboardInterrupt:
        return STOPPED


def _executed(arguments: Sequence[str]) -> int:
    from typer import TyperException

    from chainrule.cli.app import app

    try:
        code = app(list(arguments), prog_name="chainrule", standalone_mode=False)
        if sys.stdout is not None:  # it was closed
            sys.stdout.flush()  # what cannot be written is told now, not by the interpreter as it ends
    except TyperException as problem:
        return _failed(problem.format_message().replace("Value error, ", ""), MISUSED)
    return int(code or 0)


def _failed(sentence: str, code: int) -> int:
    print(f"error: {printable(sentence)}", file=sys.stderr)
    return code
