"""In which order steps run: after what they read, and so that memory is given back early."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from chainrule.graph.walks import reached
from chainrule.schedule.expressions import Buffer
from chainrule.schedule.schedule import Step

__all__ = ["dependencies", "depends", "in_order"]


def dependencies(steps: Sequence[Step]) -> dict[int, set[int]]:
    """For each step, those that must run before it."""
    before: dict[int, set[int]] = {}
    writers: dict[Buffer, list[int]] = {}
    for n, step in enumerate(steps):
        before[n] = {w for b in step.reads | step.writes for w in writers.get(b, ())}
        for buffer in step.writes:
            writers.setdefault(buffer, []).append(n)
    return before


def depends(steps: Collection[int], others: Collection[int], before: Mapping[int, set[int]]) -> bool:
    """Whether one of the steps must run after one of the others."""
    return not set(reached(steps, before.__getitem__)).isdisjoint(others)


def in_order(steps: Sequence[Step], before: Mapping[int, set[int]], lasting: set[Buffer]) -> list[int]:
    """The numbers of the steps in an order that respects the dependencies, in which memory is given back early.

    Of those that may run, the first that gives back more temporary memory than it takes; if there is none, the first.
    """
    return list(_Waiting(steps, before, lasting).chosen())


class _Waiting:
    """Steps that wait for others, in heaps those that may run: the first one at the top."""

    def __init__(self, steps: Sequence[Step], before: Mapping[int, set[int]], lasting: set[Buffer]) -> None:
        self._missing = {n: len(needed) for n, needed in before.items()}
        self._after: dict[int, list[int]] = {n: [] for n in before}
        for n, needed in before.items():
            for m in needed:
                self._after[m].append(n)
        self._memory = _Memory(steps, lasting)
        self._ready = [n for n in before if not before[n]]
        self._giving = [n for n in self._ready if self._memory.growth[n] < 0]

    def chosen(self) -> Iterator[int]:
        """One step after the other."""
        done: set[int] = set()
        while self._ready:
            step = heappop(self._giving or self._ready)
            if step not in done:
                done.add(step)
                yield step
                self._note(step)

    def _note(self, step: int) -> None:
        """A step has run: others need less memory now, or wait for nothing any more."""
        for n in self._memory.run(step):
            self._offer(n)
        for n in self._after[step]:
            self._missing[n] -= 1
            if not self._missing[n]:
                heappush(self._ready, n)
                self._offer(n)

    def _offer(self, step: int) -> None:
        """To be chosen before others, if it may run and gives back memory."""
        if not self._missing[step] and self._memory.growth[step] < 0:
            heappush(self._giving, step)


class _Memory:
    """The temporary buffers in use while steps run one after the other."""

    def __init__(self, steps: Sequence[Step], lasting: set[Buffer]) -> None:
        self._touched = [[b for b in step.reads | step.writes if b not in lasting] for step in steps]
        self._users: dict[Buffer, list[int]] = {}
        for n, touched in enumerate(self._touched):
            for buffer in touched:
                self._users.setdefault(buffer, []).append(n)
        self._left = {buffer: len(users) for buffer, users in self._users.items()}
        #: For each step the bytes that would be in use after it and are not before it.
        self.growth = [sum(b.type.bytes for b in touched if self._left[b] > 1) for touched in self._touched]

    def run(self, step: int) -> list[int]:
        """Note that a step has run; the steps that give back more than before."""
        changed: list[int] = []
        for buffer in self._touched[step]:
            is_first = self._left[buffer] == len(self._users[buffer])
            self._left[buffer] -= 1
            is_last_but_one = self._left[buffer] == 1
            for _ in range(is_first + is_last_but_one):
                changed += self._users[buffer]
                self._lessen(buffer)
        return changed

    def _lessen(self, buffer: Buffer) -> None:
        """Whoever uses the buffer takes its bytes no more, or gives them back."""
        for n in self._users[buffer]:
            self.growth[n] -= buffer.type.bytes
