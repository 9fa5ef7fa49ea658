"""How much memory there is, and the refusal of what can never lie in it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from chainrule.errors import SizeError

__all__ = ["FITS", "check_room", "free", "memory"]

FITS = 1 << 28  # bytes that are there wherever this runs
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container


@lru_cache(maxsize=1)
def memory() -> int | None:
    """The bytes of memory that this machine, or the container that it is, has; None where nobody says."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):
        return None
    for limit in _LIMITS:
        try:
            found.append(int(Path(limit).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(found)


def free() -> int | None:
    """The bytes of it that are free now, as far as the system says; None where nobody says."""
    most = memory()
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free_ = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return most
    return free_ if most is None else min(most, free_)


def check_room(needed: int, what: str, cure: str, *, now: bool = False) -> None:
    """SizeError if so many bytes are more than there are, or, of what is asked for `now`, than are free.

    Asked for all the same, they would bring the machine to a halt, or the process would be killed.
    """
    if needed <= FITS:
        return
    most = free() if now else memory()
    if most is not None and needed > most:
        has = f"{most / 1e9:.1f} GB are free" if now else f"this machine has {most / 1e9:.1f} GB"
        raise SizeError(f"{what} {needed / 1e9:.1f} GB of memory, and {has}.", cure=cure)
