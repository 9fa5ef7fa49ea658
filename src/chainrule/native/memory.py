"""Where temporary buffers lie: those that are never needed at the same time share memory."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.native.kernel import Buffer
from chainrule.native.steps import Step

__all__ = ["ALIGNMENT", "plan"]

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


def plan(steps: Sequence[Step], temporaries: Sequence[Buffer]) -> tuple[dict[Buffer, int], int]:
    """The offset of each temporary buffer in one block of memory, and the size of the block in bytes.

    The largest first, each at the lowest place where it meets nobody who is alive at the same time.
    """
    lives = _lives(steps)
    placed: dict[Buffer, int] = {}
    for buffer in sorted(temporaries, key=lambda b: -b.type.bytes):
        placed[buffer] = _lowest_place(buffer, placed, lives)
    return placed, max((place + _padded(b) for b, place in placed.items()), default=0)


def _lives(steps: Sequence[Step]) -> dict[Buffer, tuple[int, int]]:
    """The first and the last step that uses each buffer."""
    lives: dict[Buffer, tuple[int, int]] = {}
    for n, step in enumerate(steps):
        for buffer in step.buffers:
            lives[buffer] = (lives.get(buffer, (n, n))[0], n)
    return lives


def _padded(buffer: Buffer) -> int:
    return -(-max(buffer.type.bytes, 1) // ALIGNMENT) * ALIGNMENT


def _lowest_place(buffer: Buffer, placed: dict[Buffer, int], lives: dict[Buffer, tuple[int, int]]) -> int:
    first, last = lives[buffer]
    met = sorted(
        (place, place + _padded(other))
        for other, place in placed.items()
        if lives[other][0] <= last and first <= lives[other][1]
    )
    at = 0
    for start, end in met:
        if at + _padded(buffer) <= start:
            break
        at = max(at, end)
    return at
