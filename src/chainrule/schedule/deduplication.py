"""Kernels that do the same with other buffers, which one function is enough for.

A loop that is written out in Python has the same kernels in every round. What tells them apart are their buffers, which
a function is given anyway, and where in a buffer they begin, which the call can add to its address.
"""

from __future__ import annotations

from collections.abc import Hashable

from chainrule.schedule.kernel import (
    Apply,
    Buffer,
    Expression,
    Kernel,
    Load,
    Number,
    Position,
    Result,
    View,
    below,
    rebuilt,
)

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
    assert kernel.tiling is not None
    buffers = {buffer: n for n, buffer in enumerate(kernel.buffers)}
    numbers = {e: n for n, e in enumerate(kernel.evaluated)}

    def numbered(view: View) -> Hashable:
        return view.offset, view.strides, tuple((numbers[e], stride) for e, stride in view.indirect)

    def spelled(e: Expression) -> Hashable:
        operands = tuple(numbers[operand] for operand in below(e))
        match e:
            case Load():
                own: Hashable = (buffers[e.buffer], numbered(e.view))
            case Number():
                own = repr(e.value)
            case Position():
                own = numbered(e.view)
            case Apply():
                own = e.op
            case Result():
                own = e.index
        return type(e), e.dtype, own, operands

    tiling = kernel.tiling
    return (
        kernel.sizes,
        kernel.outputs,
        tuple(buffer.type.dtype for buffer in buffers),
        tuple(spelled(e) for e in kernel.evaluated),
        tuple((r.kind, numbers[r.expression]) for r in kernel.reductions),
        tuple((buffers[s.buffer], numbered(s.view), numbers[s.expression], s.adding, s.folding) for s in kernel.stores),
        (tiling.axis, tiling.lanes, tiling.cells, tiling.order, tuple(numbers[load] for load in tiling.packed)),
    )
