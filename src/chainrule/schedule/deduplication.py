"""Kernels that do the same with other buffers, which one function is enough for.

A loop that is written out in Python has the same kernels in every round. What tells them apart are their buffers, which
a function is given anyway, and where in a buffer they begin, which the call can add to its address.
"""

from __future__ import annotations

from collections.abc import Hashable

from chainrule.schedule.expressions import Apply, Buffer, Expression, Load, Number, Position, Result, View, below
from chainrule.schedule.kernel import Kernel, Store, rebuilt

__all__ = ["from_the_start", "signature"]


def from_the_start(kernel: Kernel) -> tuple[Kernel, tuple[int, ...]]:
    """The kernel with buffers that begin where it first touches them, and how many elements further that is."""
    starts: dict[Buffer, int] = {}
    for buffer, view in (*((e.buffer, e.view) for e in kernel.loads), *((s.buffer, s.view) for s in kernel.stores)):
        starts[buffer] = min(view.offset, starts.get(buffer, view.offset))
    moved = tuple(starts.get(buffer, 0) for buffer in kernel.buffers)
    return (rebuilt(kernel, start=lambda buffer: starts[buffer]) if any(moved) else kernel), moved


def signature(kernel: Kernel) -> Hashable:
    """All that the function of a tiled kernel depends on; equal for kernels that can share one."""
    return _Numbered(kernel).signature()


class _Numbered:
    """A kernel's buffers and expressions by their numbers, in place of themselves."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._buffers = {buffer: n for n, buffer in enumerate(kernel.buffers)}
        self._expressions = {e: n for n, e in enumerate(kernel.evaluated)}

    def signature(self) -> Hashable:
        """All of the kernel but its names."""
        kernel, tiling, number = self._kernel, self._kernel.tiling, self._expressions
        assert tiling is not None
        return (
            kernel.sizes,
            kernel.outputs,
            tuple(buffer.type.dtype for buffer in self._buffers),
            tuple(map(self._expression, kernel.evaluated)),
            tuple((r.kind, number[r.expression]) for r in kernel.reductions),
            tuple(map(self._store, kernel.stores)),
            (tiling.axis, tiling.lanes, tiling.cells, tiling.order, tuple(number[load] for load in tiling.packed)),
        )

    def _expression(self, e: Expression) -> Hashable:
        operands = tuple(self._expressions[operand] for operand in below(e))
        return type(e), e.dtype, self._own(e), operands

    def _own(self, e: Expression) -> Hashable:
        """What an expression is besides its operands."""
        match e:
            case Load():
                return self._buffers[e.buffer], self._view(e.view)
            case Number():
                return repr(e.value)
            case Position():
                return self._view(e.view)
            case Apply():
                return e.op
            case Result():
                return e.index
        raise AssertionError(f"{e!r} is no expression of a kernel")

    def _view(self, view: View) -> Hashable:
        return view.offset, view.strides, tuple((self._expressions[e], stride) for e, stride in view.indirect)

    def _store(self, s: Store) -> Hashable:
        return self._buffers[s.buffer], self._view(s.view), self._expressions[s.expression], s.adding, s.folding
