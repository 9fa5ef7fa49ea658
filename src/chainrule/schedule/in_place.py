"""Results that replace arguments are written over them, where nobody needs the old value afterwards.

A result goes over the argument that it replaces after everybody who still reads that; where this is not possible, as
when two arguments change places, it is copied there at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.schedule.expressions import Buffer, Load, View
from chainrule.schedule.kernel import Kernel, Store
from chainrule.schedule.lower import row_major
from chainrule.schedule.ordering import dependencies, depends, in_order
from chainrule.schedule.schedule import Step

__all__ = ["updated_in_place"]


def updated_in_place(
    steps: list[Step], inputs: tuple[Buffer, ...], outputs: list[Buffer], updates: Mapping[int, int]
) -> tuple[list[Step], list[Buffer]]:
    """The steps in order, each updated result written over the argument that it replaces; and where the results lie."""
    before = dependencies(steps)
    readers, writers = _users(steps)
    renamed: dict[Buffer, Buffer] = {}
    copies: list[Step] = []
    for position, source in updates.items():
        old, new = inputs[source], outputs[position]
        if new not in writers:
            continue
        earlier = {n for n in readers.get(old, ()) if n not in writers[new]}
        if _reads_only_what_it_replaces(steps, writers[new], old, new) and not depends(earlier, writers[new], before):
            before[writers[new][0]] |= earlier
            renamed[new] = old
        else:
            copies.append(_copy(new, old))
    order = in_order(steps, before, {*inputs, *outputs})
    ordered = (steps[n].with_buffers(lambda b: renamed.get(b, b)) for n in order)
    lying = [inputs[updates[n]] if n in updates else buffer for n, buffer in enumerate(outputs)]
    return [*ordered, *copies], lying


def _users(steps: Sequence[Step]) -> tuple[dict[Buffer, list[int]], dict[Buffer, list[int]]]:
    """For each buffer the steps that read it, and those that write it."""
    readers: dict[Buffer, list[int]] = {}
    writers: dict[Buffer, list[int]] = {}
    for n, step in enumerate(steps):
        for buffer in step.reads:
            readers.setdefault(buffer, []).append(n)
        for buffer in step.writes:
            writers.setdefault(buffer, []).append(n)
    return readers, writers


def _reads_only_what_it_replaces(steps: Sequence[Step], writers: Sequence[int], old: Buffer, new: Buffer) -> bool:
    """Whether one kernel alone writes `new`, and reads of `old` only the element that it is about to replace."""
    writer = steps[writers[0]]
    if len(writers) > 1 or not isinstance(writer, Kernel):
        return False
    written = next(s.view for s in writer.stores if s.buffer is new)
    return all(load.view == written for load in writer.loads if load.buffer is old)


def _copy(source: Buffer, target: Buffer) -> Kernel:
    rank = len(source.type.shape)
    view = View(0, row_major(source.type.shape))
    return Kernel(source.type.shape, rank, (), (Store(target, view, Load(source.type.dtype, source, view)),))
