"""Kernels being built, and the memory that they read and write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainrule.graph.node import Node
from chainrule.graph.types import Type
from chainrule.schedule.expressions import Buffer, Expression
from chainrule.schedule.kernel import Kernel, Reduction, Store
from chainrule.schedule.lower import LOWER, Coordinates, Lowering, unit_views
from chainrule.schedule.materialization import renumbers

__all__ = ["Draft", "Storage", "elementwise"]

_MOST_STORES = 48  # of a kernel: the time that LLVM takes for a function grows faster than its length


class Storage:
    """Where the values of nodes lie; and, of tables with any number of rows, the number of the last."""

    def __init__(self, last_rows: Mapping[Node, Buffer]) -> None:
        self.buffers: dict[Node, Buffer] = {}
        self.last_rows = last_rows

    def new(self, type_: Type, suffix: str = "", *, prefix: str = "t") -> Buffer:
        """A buffer with a number, that of the next node."""
        return Buffer(f"{prefix}{len(self.buffers)}{suffix}", type_)

    def lowering(self, axes: int) -> Lowering:
        """The expressions of a kernel that reads what lies here."""
        return Lowering(axes, self.buffers, self.last_rows)


@dataclass
class Draft:
    """A kernel being built, for a node, and for those that may join it: its axes, the expressions in it."""

    node: Node
    shape: tuple[int, ...]
    lowering: Lowering
    reduced: tuple[int, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    stores: list[Store] = field(default_factory=list)
    open: bool = True

    @property
    def takes_more(self) -> bool:
        """Whether another node may be computed here as well."""
        return self.open and len(self.stores) < _MOST_STORES

    @property
    def point(self) -> Coordinates:
        """The coordinates of the element that is computed: along each output axis its own."""
        return unit_views(self.lowering.axes)[: len(self.shape)]

    def element(self, node: Node) -> Expression:
        """The expression for a node at the draft's point; Elsewhere if that needs what is computed here elsewhere."""
        if renumbers(node):
            memory = self.lowering.memory[node.inputs[0]]
            return self.lowering.load(memory, self.lowering.linear(node.type.shape, self.point), node.type.dtype)
        if node in self.lowering.memory:
            return self.lowering.element(node, self.point)
        return LOWER[node.op](self.lowering, node, self.point)

    def store(self, node: Node, expression: Expression, buffer: Buffer) -> None:
        """Compute and keep a node here: who joins later reads the expression, not the memory."""
        view = self.lowering.linear(node.type.shape, self.point)
        self.lowering.written[buffer] = (view, expression)
        self.stores.append(Store(buffer, view, expression))

    def kernel(self, origin: str) -> Kernel:
        """The kernel as it is now."""
        return Kernel(self.shape + self.reduced, len(self.shape), self.reductions, tuple(self.stores), origin=origin)


def elementwise(storage: Storage, node: Node, buffer: Buffer, origin: Node | None = None) -> Draft:
    """A kernel of its own for what is computed element by element; it was written where `origin` was."""
    draft = Draft(origin or node, node.type.shape, storage.lowering(node.type.rank))
    draft.store(node, draft.element(node), buffer)
    return draft
