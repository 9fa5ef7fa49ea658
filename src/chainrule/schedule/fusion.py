"""Which nodes share a kernel: every node that is kept is given to one, those that it needs before it.

A node joins the kernel that computed the last thing it needs, if it has that kernel's shape: a bias, an activation, an
optimiser's update join the matrix product. Otherwise it opens a kernel of its own. A sum of all elements may be added
up where they have just been computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.graph import ops
from chainrule.graph.node import Node, results
from chainrule.graph.types import Type
from chainrule.graph.walks import reached
from chainrule.schedule.drafts import Draft, Storage, elementwise
from chainrule.schedule.expressions import Buffer, View
from chainrule.schedule.host_calls import HOST_OPERATIONS
from chainrule.schedule.kernel import FOLD_CELLS, FOLD_LANES, Reduction, Store
from chainrule.schedule.lower import Elsewhere
from chainrule.schedule.materialization import HEADS, carried, renumbers
from chainrule.schedule.own_kernels import OWN_KERNELS, copied, reducing
from chainrule.schedule.schedule import HostCall, Inner, Step

__all__ = ["Fusion"]

_WORTH_FOLDING = 4096  # terms of a sum that is worth adding up where they are computed

#: What makes the step of an operation that no kernel computes: of the buffers of its inputs and of its results.
StepOf = Callable[[Node, tuple[Buffer, ...], tuple[Buffer, ...]], HostCall | Inner]


class Fusion:
    """The drafts and steps made so far, in order; `made_by` says which of them computes a node."""

    def __init__(self, storage: Storage, step_of: StepOf) -> None:
        self.storage = storage
        self.made: list[Draft | Step] = []
        self._made_by: dict[Node, int] = {}
        self._step_of = step_of

    def compute(self, node: Node, *, may_alias: bool) -> None:
        """Give a kept node a kernel; the reshape of an array in memory is that memory, if it `may_alias` it."""
        if node.op in ops.CONTROL:
            self._run_inside(node)
        elif node.type.size == 0:
            self.storage.buffers[node] = self.storage.new(node.type)
        elif renumbers(node) and may_alias:
            self.storage.buffers[node] = self.storage.buffers[node.inputs[0]]
            self._made_by[node] = self._made_by.get(node.inputs[0], -1)
        else:
            self._compute_in_memory(node, self.storage.new(node.type))

    def _compute_in_memory(self, node: Node, buffer: Buffer) -> None:
        joined = None if node.op in HEADS else self._joined(node, buffer)
        if joined is None:
            self.made += self._own_steps(node, buffer)
        self.storage.buffers[node] = buffer
        self._made_by[node] = len(self.made) - 1 if joined is None else joined

    def _own_steps(self, node: Node, buffer: Buffer) -> Sequence[Draft | Step]:
        if node.op in HOST_OPERATIONS:
            return [self._step_of(node, tuple(self.storage.buffers[n] for n in node.inputs), (buffer,))]
        if node.op in OWN_KERNELS:
            return self._folded(node, buffer) or OWN_KERNELS[node.op](self.storage, node, buffer)
        return [elementwise(self.storage, node, buffer)]

    # joining a kernel

    def _last_needed(self, node: Node) -> tuple[int, Draft | None]:
        """The last step that computes something which an expression for the node loads, if it is an open kernel."""
        needed = reached(node.inputs, lambda n: () if n in self.storage.buffers else n.inputs)
        last = max((self._made_by.get(n, -1) for n in needed if n in self.storage.buffers), default=-1)
        draft = self.made[last] if last >= 0 else None
        return last, draft if isinstance(draft, Draft) and draft.open else None

    def _joined(self, node: Node, buffer: Buffer) -> int | None:
        """The number of the kernel that now computes the node as well; None if it can join none."""
        last, draft = self._last_needed(node)
        if draft is None or not draft.takes_more or draft.shape != node.type.shape:
            return None
        try:
            draft.store(node, draft.element(node), buffer)
        except Elsewhere:
            return None
        return last

    def _folded(self, node: Node, buffer: Buffer) -> list[Draft]:
        """The kernel that adds up partial sums, which the kernel of the terms has computed beside them."""
        partial = self._partial_sums(node) if node.op is ops.SUM else None
        if partial is None:
            return []
        lowering = self.storage.lowering(1)
        term = lowering.load(partial, View(0, (1,)), node.type.dtype)
        return [reducing(node, buffer, lowering, partial.type.shape, Reduction("sum", term))]

    def _partial_sums(self, node: Node) -> Buffer | None:
        """Partial sums of all elements, added up where an open kernel has just computed them; None if none has."""
        (source,) = node.inputs
        if node.type.rank or not source.type.is_float or source.type.size < _WORTH_FOLDING:
            return None
        _, draft = self._last_needed(node)
        if draft is None or draft.shape != source.type.shape:
            return None
        try:
            expression = draft.lowering.element(source, draft.point)
        except Elsewhere:
            return None
        partial = self.storage.new(Type((FOLD_LANES * FOLD_CELLS,), source.type.dtype), ".parts")
        nowhere = View(0, (0,) * draft.lowering.axes)
        draft.stores.append(Store(partial, nowhere, expression, folding=True))
        return partial

    # programs inside

    def _run_inside(self, node: Node) -> None:
        """A scan, a while or a cond: its results in buffers of their own, what is carried copied there first."""
        found = results(node)
        outputs = tuple(self.storage.new(result.type, f".{n}") for n, result in enumerate(found))
        start = carried(node)
        for source, buffer in zip(node.inputs[:start], outputs, strict=False):
            if buffer.type.size:
                self.made.append(copied(self.storage, source, source, buffer))
        whole = (self.storage.buffers[n] for n in node.inputs[start:])
        self.made.append(self._step_of(node, (*outputs[:start], *whole), outputs))
        for result, buffer in zip(found, outputs, strict=True):
            self.storage.buffers[result] = buffer
            self._made_by[result] = len(self.made) - 1
