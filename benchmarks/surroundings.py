"""Where a benchmark runs: the machine, and the terminal that is told of its progress."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from chainrule.cpu.processor import host

__all__ = ["machine", "tell", "tell_of"]


def tell(text: str) -> None:
    """Progress: on a terminal each line replaces the one before."""
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)
    sys.stderr.flush()


def tell_of(what: str, text: str) -> None:
    """Progress of one thing among several."""
    tell(f"{what}: {text}")


def _processor() -> str:
    """What the processor calls itself, else what LLVM calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        own = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or host().cpu
    return f"{own}, {host().cpu}"


def machine(core: int | None, rounds: int) -> dict[str, str | int | None]:
    """What there is to say of the machine, and of how it is measured."""
    return {
        "processor": _processor(),
        "vector_bits": host().vector_bytes * 8,
        "system": platform.system(),
        "python": platform.python_version(),
        "core": core,
        "rounds": rounds,
    }
