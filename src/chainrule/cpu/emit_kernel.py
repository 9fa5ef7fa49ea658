"""A kernel as an LLVM function: the last, small step, the only one that knows LLVM.

The tile of the output is held in registers (`register_tile`). Around it are loops (`emit_tile_loops`); in it, what is
loaded and computed (`emit_values`, `emit_pointers`), accumulated (`emit_reduction`) and stored (`emit_stores`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.cpu import elementwise
from chainrule.cpu.emit_partial_sums import PartialSums
from chainrule.cpu.emit_reduction import Accumulation
from chainrule.cpu.emit_stores import Stores
from chainrule.cpu.emit_tile_loops import RUN, TileLoops
from chainrule.cpu.emit_values import Values
from chainrule.cpu.interruption import Asking
from chainrule.cpu.ir import PTR, Module, Value
from chainrule.cpu.register_tile import RegisterTile
from chainrule.schedule.expressions import HOST, Load
from chainrule.schedule.kernel import Kernel

__all__ = ["emit"]


def emit(module: Module, kernel: Kernel, *, inline: bool = False) -> None:
    """Write the kernel as a function of its buffers' addresses."""
    _KernelFunction(module, kernel, inline).write()


class _KernelFunction:
    """The function being written."""

    def __init__(self, module: Module, kernel: Kernel, inline: bool) -> None:
        parameters = [(f"b{n}", PTR) for n in range(len(kernel.buffers))]
        self.function = module.function(kernel.name, parameters, "internal", inline=inline)
        self.function.comment(kernel.heading)
        address = dict(zip(kernel.buffers, self.function.parameters, strict=True))
        asking = Asking(self.function, address[HOST]) if kernel.asks else None
        self.kernel = kernel
        self.tile = RegisterTile(kernel, self.function)
        self.values = Values(self.tile, address)
        self.loops = TileLoops(self.tile, self.values, asking)
        self.partial_sums = PartialSums(self.function, {s: address[s.buffer] for s in kernel.stores if s.folding})
        self.stores = Stores(self.tile, self.values, self.partial_sums)
        self.reduction = Accumulation(self.tile, self.values, self.loops) if kernel.reductions else None

    def write(self) -> None:
        """Its body."""
        self.partial_sums.clear()
        self.values.hoist()
        self._around_the_tile(self.tile.tiling.order)
        self.function.ret()

    def _around_the_tile(self, order: Sequence[int]) -> None:
        """The loops over the output axes, outermost first, and in them the tile."""
        if not order:
            self._write_tile()
            return
        axis, *inner = order

        def body() -> None:
            if axis == self.tile.tiling.axis:
                self._fill_panels()
            self._around_the_tile(inner)

        if self.partial_sums.stores:
            self.loops.along(axis, body, run=self.loops.run(inner, RUN), in_block=self._in_block)
        else:
            self.loops.along(axis, body)

    def _in_block(self, totals: list[Value], rounds: Callable[[list[Value]], list[Value]]) -> list[Value]:
        with self.partial_sums.block():
            return rounds([])

    def _write_tile(self) -> None:
        cells = self.tile.cells(range(self.kernel.outputs))
        self.values.results = {}
        if self.reduction:
            self.reduction.write(cells, self.stores.write)
        else:
            self.stores.write(cells)

    # panels: what a load reads for one tile of the outermost axis, side by side

    def _fill_panels(self) -> None:
        for load in self.tile.tiling.packed:
            self.values.panels.discard(load)
            self._copy(load, range(self.kernel.outputs, len(self.kernel.sizes)))
            self.values.panels.add(load)

    def _copy(self, load: Load, axes: Sequence[int]) -> None:
        """Loops over the axes, and in them what is copied."""
        if axes:
            self.loops.along(axes[0], lambda: self._copy(load, axes[1:]), step=1)
            return
        for cell in self.tile.cells({self.tile.tiling.axis}):
            pointer = self.values.pointers.in_panel(load, cell)
            elementwise.store(self.function, load.dtype, self.values.of(load, cell), pointer)
