"""How much memory there is, and the refusal of what can never lie in it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from chainrule.errors import SizeError

__all__ = ["FITS", "check_room", "memory"]

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


def check_room(needed: int, what: str, cure: str) -> None:
    """SizeError if so many bytes are more than there are: asked for, they would come to a halt, or to be killed."""
    if needed > FITS and (most := memory()) is not None and needed > most:
        raise SizeError(f"{what} {needed / 1e9:.1f} GB of memory, and this machine has {most / 1e9:.1f} GB.", cure=cure)
