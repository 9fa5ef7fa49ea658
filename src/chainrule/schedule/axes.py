"""A kernel's axes merged and split: the same points in another number of loops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chainrule.schedule.expressions import Load, Position, View
from chainrule.schedule.kernel import Kernel, rebuilt

__all__ = ["merged", "split"]


def merged(kernel: Kernel) -> Kernel:
    """The same kernel with as few axes as its views allow, none of them of size one.

    Two axes a, b become one where every view walks through them as through one.
    """
    axis = len(kernel.sizes) - 1
    while axis >= 0:
        if kernel.sizes[axis] == 1:
            kernel = _without_axis(kernel, axis)
        elif (
            axis > 0
            and axis != kernel.outputs
            and all(v.strides[axis - 1] == v.strides[axis] * kernel.sizes[axis] for v in _views(kernel))
        ):
            size = kernel.sizes[axis]
            kernel = _without_axis(replace(kernel, sizes=_scaled(kernel.sizes, axis - 1, size)), axis, into=axis - 1)
        axis -= 1
    return kernel


def _scaled(sizes: tuple[int, ...], axis: int, factor: int) -> tuple[int, ...]:
    return (*sizes[:axis], sizes[axis] * factor, *sizes[axis + 1 :])


def _views(kernel: Kernel) -> Iterator[View]:
    for e in kernel.evaluated:
        if isinstance(e, Load | Position):
            yield e.view
    yield from (store.view for store in kernel.stores)


def _without_axis(kernel: Kernel, axis: int, into: int | None = None) -> Kernel:
    """Leave an axis out; its steps become those of the axis `into` that it has been merged with."""

    def strides(before: tuple[int, ...]) -> tuple[int, ...]:
        after = list(before)
        if into is not None:
            after[into] = after[axis]
        del after[axis]
        return tuple(after)

    fewer = rebuilt(kernel, strides=strides)
    sizes = kernel.sizes[:axis] + kernel.sizes[axis + 1 :]
    return replace(fewer, sizes=sizes, outputs=kernel.outputs - (axis < kernel.outputs))


def split(kernel: Kernel, axis: int, block: int) -> Kernel:
    """An output axis as two: which block, and where in it."""

    def strides(before: tuple[int, ...]) -> tuple[int, ...]:
        return (*before[:axis], before[axis] * block, *before[axis:])

    sizes = (*kernel.sizes[:axis], kernel.sizes[axis] // block, block, *kernel.sizes[axis + 1 :])
    return replace(rebuilt(kernel, strides=strides), sizes=sizes, outputs=kernel.outputs + 1)
