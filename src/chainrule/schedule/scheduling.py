"""A graph becomes a list of steps.

1. `materialization`: which nodes get memory. Everything else is computed where it is used.
2. `fusion`: which of them share a kernel.
3. What no other kernel reads is not stored.
4. `in_place`: an output that replaces an input is written over it, after everybody who still reads it.
5. `ordering`: in which order the steps run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node
from chainrule.schedule.drafts import Draft, Storage
from chainrule.schedule.expressions import INTEGER, Buffer
from chainrule.schedule.fusion import Fusion
from chainrule.schedule.host_calls import HOST_OPERATIONS, host_operations
from chainrule.schedule.in_place import updated_in_place
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.loop import Loop
from chainrule.schedule.materialization import carried, kept
from chainrule.schedule.own_kernels import copied
from chainrule.schedule.schedule import HostCall, Inner, Schedule, Step

__all__ = ["schedule"]


def schedule(graph: Graph, loop: Loop | None = None, numbers: Mapping[Node, int] | None = None) -> Schedule:
    """The steps of a graph that goes round in a loop.

    `numbers` are those of the operations that NumPy computes, in the whole program that the graph is a part of.
    """
    if numbers is None:
        numbers = {node: n for n, node in enumerate(host_operations(graph))}
    return _Scheduling(graph, loop or Loop(), numbers).schedule()


class _Scheduling:
    """A graph, the loop that it goes round in, and what is kept of it where."""

    def __init__(self, graph: Graph, loop: Loop, numbers: Mapping[Node, int]) -> None:
        self.graph = graph
        self.loop = loop
        self.numbers = numbers
        self.nodes = list(dict.fromkeys([*graph.inputs, *graph.nodes()]))
        self.storage = Storage({graph.inputs[n]: Buffer(f"in{n}.last", INTEGER) for n in sorted(loop.tables)})

    def schedule(self) -> Schedule:
        """Its steps, where nothing is stored that nobody reads, in an order in which they may run."""
        steps, results = self._with_results(self._fused())
        steps = _without_unread_stores(steps, set(results))
        inputs = tuple(self.storage.buffers[n] for n in self.graph.inputs)
        steps, outputs = updated_in_place(steps, inputs, results, self.loop.updates)
        captured = tuple((self.storage.buffers[n], n) for n in self.nodes if n.op is ops.CONSTANT)
        last_rows = tuple(self.storage.last_rows.values())
        return Schedule(tuple(steps), inputs, captured, tuple(outputs), last_rows, self.loop)

    def _fused(self) -> list[Step]:
        """A step for every node that is kept, or several, or one for several nodes."""
        fusion = Fusion(self.storage, self._step_of)
        chosen, outputs = kept(self.graph, self.nodes), set(self.graph.outputs)
        for node in self.nodes:
            if node.op is ops.INPUT:
                self.storage.buffers[node] = Buffer(f"in{node.index}", node.type)
            elif node.op is ops.CONSTANT:
                self.storage.buffers[node] = self.storage.new(node.type, prefix="const")
            elif node in chosen and node not in self.storage.buffers:
                fusion.compute(node, may_alias=node not in outputs)
        return [self._kernel(made) if isinstance(made, Draft) else made for made in fusion.made]

    def _kernel(self, draft: Draft) -> Kernel:
        return draft.kernel(self._origin(draft.node))

    def _origin(self, node: Node) -> str:
        return "; ".join(dict.fromkeys(str(origin) for origin in self.graph.origins.get(node, ())[:2]))

    # results

    def _with_results(self, steps: list[Step]) -> tuple[list[Step], list[Buffer]]:
        """Each result in a buffer of its own: one that is an argument, a captured array or another result is copied."""
        taken = {b for n, b in self.storage.buffers.items() if n.op in (ops.INPUT, ops.CONSTANT)}
        results: list[Buffer] = []
        for position, node in enumerate(self.graph.outputs):
            buffer = self.storage.buffers[node]
            if buffer in taken and not self._is_unchanged(position):
                buffer = Buffer(f"out{position}", node.type)
                if node.type.size:
                    steps = [*steps, self._kernel(copied(self.storage, node, node, buffer))]
            taken.add(buffer)
            results.append(buffer)
        return steps, results

    def _is_unchanged(self, position: int) -> bool:
        """Whether an output replaces an input by itself."""
        updates = self.loop.updates
        return position in updates and self.graph.outputs[position] is self.graph.inputs[updates[position]]

    # steps that are no kernels

    def _step_of(self, node: Node, inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> HostCall | Inner:
        if node.op in HOST_OPERATIONS:
            return HostCall(self.numbers[node], node.op.name, inputs, outputs[0], self._origin(node))
        inner = {ops.SCAN: self._scan, ops.WHILE: self._while, ops.COND: self._cond}[node.op]
        return replace(inner(node, inputs, outputs), origin=self._origin(node))

    def _scan(self, node: Node, inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> Inner:
        program = self._carrying(node.body, carried(node))
        return Inner("scan", (program,), inputs, outputs, node.carried, node.stepped, node.length, node.reverse)

    def _while(self, node: Node, inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> Inner:
        programs = (self._carrying(node.condition, 0), self._carrying(node.body, carried(node)))
        return Inner("while", programs, inputs, outputs, node.carried)

    def _cond(self, node: Node, inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> Inner:
        return Inner("cond", tuple(self._carrying(branch, 0) for branch in node.attributes), inputs, outputs)

    def _carrying(self, program: Graph, number: int) -> Schedule:
        """A program inside whose first results replace its first arguments."""
        return schedule(program, Loop({n: n for n in range(number)}), self.numbers)


def _without_unread_stores(steps: list[Step], outputs: set[Buffer]) -> list[Step]:
    """Leave out stores that nobody reads, and steps that are left with none; from the last to the first."""
    read: set[Buffer] = set(outputs)
    result: list[Step] = []
    for step in reversed(steps):
        if isinstance(step, Kernel):
            step = replace(step, stores=tuple(s for s in step.stores if s.buffer in read))
        if not step.writes.isdisjoint(read):
            read |= step.reads
            result.append(step)
    return result[::-1]
