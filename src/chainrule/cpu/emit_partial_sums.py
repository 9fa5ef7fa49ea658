"""Sums over all points of a kernel, added up where the terms have just been computed.

A folding store keeps a few partial sums in memory. What a block of the kernel's loops adds to them is added up by
itself, in memory of the block's own, before it is added to the total: the error of a sum grows as the logarithm of the
number of its terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chainrule.cpu import elementwise
from chainrule.cpu.ir import I64, NativeFunction, Value
from chainrule.schedule.kernel import FOLD_CELLS, FOLD_LANES, Store

__all__ = ["PartialSums"]


class PartialSums:
    """The folding stores of a kernel, and where their sums are at this point of its function."""

    def __init__(self, function: NativeFunction, addresses: Mapping[Store, Value]) -> None:
        self.function = function
        self.addresses = addresses

    @property
    def stores(self) -> list[Store]:
        """The stores."""
        return list(self.addresses)

    def clear(self) -> None:
        """No sum yet."""
        for store in self.stores:
            zero = NativeFunction.constant(elementwise.register_type(store.expression.dtype, FOLD_LANES), 0)
            for cell in range(FOLD_CELLS):
                elementwise.store(self.function, store.expression.dtype, zero, self._pointer(store, cell))

    def add(self, store: Store, cell: int, term: Value) -> None:
        """Add to one of the partial sums of a store."""
        before = self._partial(store, cell, term.type.lanes)
        after = self.function.fadd(before, term)
        elementwise.store(self.function, store.expression.dtype, after, self._pointer(store, cell))

    @contextmanager
    def block(self) -> Iterator[None]:
        """What is added while the block is written is added up by itself first."""
        total = self.addresses
        self.addresses = {store: self._memory(store) for store in total}
        self.clear()
        yield
        parts = {(s, cell): self._partial(s, cell, FOLD_LANES) for s in total for cell in range(FOLD_CELLS)}
        self.addresses = total
        for (store, cell), part in parts.items():
            self.add(store, cell, part)

    def _memory(self, store: Store) -> Value:
        return self.function.allocate(elementwise.memory_type(store.expression.dtype), FOLD_LANES * FOLD_CELLS)

    def _partial(self, store: Store, cell: int, lanes: int) -> Value:
        return elementwise.load(self.function, store.expression.dtype, lanes, self._pointer(store, cell))

    def _pointer(self, store: Store, cell: int) -> Value:
        element = elementwise.memory_type(store.expression.dtype)
        return self.function.offset(self.addresses[store], element, NativeFunction.constant(I64, cell * FOLD_LANES))
