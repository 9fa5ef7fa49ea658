"""Asking for the next round's rows while this round is computed.

A loop that looks rows of a large array up by index waits for memory in each round. The indices of the next round lie
beside those of this one, so its rows are asked for ahead: a share of them before each kernel, as large as the kernel's
share of the work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chainrule.cpu import elementwise
from chainrule.cpu.cost_model import LINE, SHORTEST_ROW
from chainrule.cpu.ir import I64, NativeFunction, Value
from chainrule.schedule.expressions import Buffer, Load, walk
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.schedule import Step

__all__ = ["Lookup", "Prefetching", "lookups", "shares"]


@dataclass(frozen=True, slots=True)
class Lookup:
    """Rows of `table`, each `bytes` long, that the buffer `index` names."""

    index: Buffer
    table: Buffer
    bytes: int


def lookups(steps: Sequence[Step], stepped: Collection[Buffer]) -> list[Lookup]:
    """The lookups by an index that steps along with the rounds."""
    found = (
        lookup
        for step in steps
        if isinstance(step, Kernel)
        for load in step.loads
        for lookup in _lookups(load, stepped)
    )
    return list(dict.fromkeys(lookup for lookup in found if lookup.bytes >= SHORTEST_ROW))


def _lookups(load: Load, stepped: Collection[Buffer]) -> Iterator[Lookup]:
    for index, stride in load.view.indirect:
        read = [e for e in walk([index]) if isinstance(e, Load) and e.buffer in stepped]
        if len(read) == 1 and read[0].dtype.kind in "iu":
            yield Lookup(read[0].buffer, load.buffer, stride * load.dtype.itemsize)


def shares(steps: Sequence[Step], rows: int) -> list[range]:
    """Which of the rows to ask for before each step, in proportion to the steps' work."""
    total = sum(step.flops for step in steps) or 1
    done, ends = 0, [0]
    for step in steps:
        done += step.flops
        ends.append(rows * done // total)
    return [range(start, end) for start, end in zip(ends, ends[1:], strict=False)]


class Prefetching:
    """What is asked for before which of the steps of a loop, of whose inputs those in `stepped` step along."""

    def __init__(self, steps: Sequence[Step], stepped: Collection[Buffer]) -> None:
        self.lookups = lookups(steps, stepped)
        self._shares = [shares(steps, lookup.index.type.size) for lookup in self.lookups]

    def ask_before(self, f: NativeFunction, step: int, next_round: Value, addresses: Mapping[Buffer, Value]) -> None:
        """Ask, before a step, for its share of the next round's rows."""
        for lookup, rows in zip(self.lookups, self._shares, strict=True):
            _ask(f, lookup, rows[step], next_round, addresses)


def _ask(f: NativeFunction, lookup: Lookup, rows: range, next_round: Value, addresses: Mapping[Buffer, Value]) -> None:
    """Ask for the table's rows that the index names in these of its elements in the next round."""
    dtype = lookup.index.type.dtype
    first = f.mul(next_round, f.like(next_round, lookup.index.type.size))

    def one_row(element: Value, _: list[Value]) -> list[Value]:
        pointer = f.offset(addresses[lookup.index], elementwise.memory_type(dtype), f.add(first, element))
        row = elementwise.load(f, dtype, 1, pointer)
        wide = row if row.type == I64 else f.convert("zext" if dtype.kind == "u" else "sext", row, "i64")
        start = f.mul(wide, f.like(wide, lookup.bytes))

        def one_line(within: Value, _: list[Value]) -> list[Value]:
            f.prefetch(f.offset(addresses[lookup.table], I64.with_kind("i8"), f.add(start, within)), soon=False)
            return []

        f.loop(NativeFunction.constant(I64, 0), NativeFunction.constant(I64, lookup.bytes), LINE, [], one_line)
        return []

    if rows:
        f.loop(NativeFunction.constant(I64, rows.start), NativeFunction.constant(I64, rows.stop), 1, [], one_row)
