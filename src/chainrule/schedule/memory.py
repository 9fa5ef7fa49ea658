"""Where temporary buffers lie: those that are never needed at the same time share memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.schedule.expressions import Buffer
from chainrule.schedule.schedule import MemoryLayout, Step

__all__ = ["ALIGNMENT", "plan"]

Values = np.ndarray[Any, Any]
ALIGNMENT = 64  # bytes: a cache line, and the widest vector


def plan(steps: Sequence[Step], temporaries: Sequence[Buffer]) -> MemoryLayout:
    """The offset of each temporary buffer in one block of memory, and the size of the block in bytes.

    The largest first, each at the lowest offset where it meets nobody who is alive at the same time.
    """
    lives = _lives(steps)
    largest_first = sorted(temporaries, key=lambda b: -b.type.bytes)
    sizes = np.array([_padded(b) for b in largest_first], np.int64)
    first, last = np.array([lives[b] for b in largest_first], np.int64).reshape(-1, 2).T
    offsets = np.zeros(len(sizes), np.int64)
    for n, size in enumerate(sizes):
        met = np.flatnonzero((first[:n] <= last[n]) & (first[n] <= last[:n]))
        offsets[n] = _lowest_gap(offsets[met], sizes[met], size)
    return MemoryLayout(dict(zip(largest_first, offsets.tolist(), strict=True)), int(max(offsets + sizes, default=0)))


def _lives(steps: Sequence[Step]) -> dict[Buffer, tuple[int, int]]:
    """The first and the last step that uses each buffer."""
    lives: dict[Buffer, tuple[int, int]] = {}
    for n, step in enumerate(steps):
        for buffer in step.buffers:
            lives[buffer] = (lives.get(buffer, (n, n))[0], n)
    return lives


def _padded(buffer: Buffer) -> int:
    return -(-max(buffer.type.bytes, 1) // ALIGNMENT) * ALIGNMENT


def _lowest_gap(offsets: Values, sizes: Values, size: int) -> int:
    """The lowest offset from which on so many bytes are free, among those that are taken."""
    order = np.argsort(offsets)
    starts = offsets[order]
    free_from = np.maximum.accumulate(np.concatenate([[0], starts + sizes[order]]))
    gaps = np.flatnonzero(starts - free_from[:-1] >= size)
    return int(free_from[gaps[0] if gaps.size else -1])
