"""Which nodes share a kernel, what is kept in memory, in which order: a graph becomes a list of kernels.

1. `_kept` decides which nodes get memory: results of reductions and contractions, what is used from several kernels
   and costs more to compute than to load, and the outputs. Everything else is computed where it is used.
2. Each kept node joins the kernel that computed the last thing it needs, if it has that kernel's places (a bias, an
   activation, an optimiser's update join the matrix product); otherwise it opens a kernel of its own.
3. What no other kernel reads is not stored.
4. An output that replaces an input is written over it, after everybody who still reads it; a cycle takes a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from types import MappingProxyType

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, results
from chainrule.graph.types import Type
from chainrule.schedule.host_calls import HOST_OPERATIONS, host_operations
from chainrule.schedule.kernel import (
    FOLD_CELLS,
    FOLD_LANES,
    INTEGER,
    Apply,
    Buffer,
    Expression,
    Kernel,
    Load,
    Number,
    Reduction,
    Result,
    Store,
    View,
)
from chainrule.schedule.loop import Loop
from chainrule.schedule.lower import LOWER, Coordinates, Elsewhere, Lowering, row_major, row_view, unit_views
from chainrule.schedule.schedule import HostCall, Inner, Schedule, Step

__all__ = ["schedule"]

_KEEP_IF_SHARED = 6  # a shared value that costs more operations than this is stored rather than computed again
_KEEP_IF_LARGE = 150  # operations in one kernel, so that compile time stays proportional to the program
_MOST_STORES = 48  # of a kernel: the time that LLVM takes for a function grows faster than its length
_WORTH_FOLDING = 4096  # terms of a sum that is worth adding up where they are computed
_LONG_STEP = 4096  # bytes from row to row at which the first cache holds only a few rows
_HEADS = frozenset(
    {ops.CONTRACT, ops.SUM, ops.MAX, ops.PAD, ops.CONCATENATE, ops.SCATTER_ADD, *ops.CONTROL, ops.RESULT}
).union(HOST_OPERATIONS)

_VIEWS = (ops.TRANSPOSE, ops.BROADCAST, ops.SLICE, ops.RESHAPE, ops.RECOMPUTE)


def schedule(graph: Graph, loop: Loop | None = None, numbers: Mapping[Node, int] | None = None) -> Schedule:
    """The steps of a graph that goes round in a loop.

    `numbers` are those of the operations that NumPy computes, in the whole program that the graph is a part of.
    """
    if numbers is None:
        numbers = {node: n for n, node in enumerate(host_operations(graph))}
    scheduler = _Scheduler(graph, loop or Loop(), numbers)
    scheduler.compute()
    return scheduler.finish()


# what is kept in memory


def _kept(graph: Graph, nodes: Sequence[Node]) -> set[Node]:
    users: dict[Node, int] = {}
    for node in nodes:
        for source in set(node.inputs):
            users[source] = users.get(source, 0) + 1
    kept = {n for n in nodes if n.op in _HEADS or n.op in (ops.INPUT, ops.CONSTANT)} | set(graph.outputs)
    cost: dict[Node, int] = {}
    for node in nodes:
        kept.update(_sources_needed(node, kept, cost))
        cost[node] = node.op.cost + sum(0 if n in kept else cost[n] for n in node.inputs)
        shared = users.get(node, 0) > 1 and cost[node] > _KEEP_IF_SHARED
        if shared or cost[node] > _KEEP_IF_LARGE:
            kept.add(node)
    return kept


def _sources_needed(node: Node, kept: set[Node], cost: Mapping[Node, int]) -> list[Node]:
    """What must be in memory for this node to read it: a contraction's operands, what a reshape walks through.

    Such a reshape is kept as well: it is its input's memory under another shape.
    """
    if node.op is ops.CONTRACT:
        return [_under_views(n, kept) for n in node.inputs]
    if node.op is ops.RESHAPE and not _reads_no_memory(node):
        return [node, *node.inputs]
    if node.op in ops.CONTROL or node.op in HOST_OPERATIONS:
        return list(node.inputs[_carried(node) :])
    if node.op is ops.BROADCAST and cost[node.inputs[0]] > _KEEP_IF_SHARED:
        return [node.inputs[0]]
    return []


def _carried(node: Node) -> int:
    """How many of the inputs are only the start of what a loop carries."""
    carried: int = node.carried if node.op in (ops.SCAN, ops.WHILE) else 0
    return carried


def _carrying(carried: int) -> Loop:
    return Loop({n: n for n in range(carried)})


def _under_views(node: Node, kept: set[Node]) -> Node:
    """The node whose memory an operand reads, through operations that only say where.

    Not through a lookup of rows: an operand is read many times, and its copy lies side by side.
    """
    while node not in kept and node.op in _VIEWS:
        if node.op is ops.RESHAPE and not _reads_no_memory(node):
            break
        node = node.inputs[0]
    return node


def _reads_no_memory(node: Node) -> bool:
    """Whether a reshape only says where: axes of size one come or go, or positions are counted in another shape."""
    (source,) = node.inputs
    before, after = ([n for n in t.shape if n != 1] for t in (source.type, node.type))
    return before == after or (source.op is ops.IOTA and source.type.rank == 1)


# kernels being built


@dataclass
class _Draft:
    """A kernel being built: its shape, the expressions in it, the nodes that it computes."""

    shape: tuple[int, ...]
    lowering: Lowering
    reduced: tuple[int, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    stores: list[Store] = field(default_factory=list)
    open: bool = True
    node: Node | None = None

    @property
    def takes_more(self) -> bool:
        """Whether another node may be computed here as well."""
        return self.open and len(self.stores) < _MOST_STORES

    @property
    def places(self) -> Coordinates:
        return unit_views(self.lowering.axes)[: len(self.shape)]


class _Scheduler:
    def __init__(self, graph: Graph, loop: Loop, numbers: Mapping[Node, int]) -> None:
        self.graph = graph
        self.loop = loop
        self.numbers = numbers
        self.last_rows = {graph.inputs[n]: Buffer(f"in{n}.last", INTEGER) for n in sorted(loop.tables)}
        given = set(graph.inputs)
        self.nodes = [*graph.inputs, *(n for n in graph.nodes() if n not in given)]
        self.memory: dict[Node, Buffer] = {}
        self.drafts: list[_Draft | Step] = []
        self.draft_of: dict[Node, int] = {}
        self.kept = _kept(graph, self.nodes)

    def compute(self) -> None:
        """Give every kept node a kernel."""
        for node in self.nodes:
            if node.op is ops.INPUT:
                self.memory[node] = Buffer(f"in{node.attributes[0]}", node.type)
            elif node.op is ops.CONSTANT:
                self.memory[node] = Buffer(f"const{len(self.memory)}", node.type)
            elif node.op in ops.CONTROL:
                self._run_inside(node)
            elif node in self.memory:
                pass
            elif node in self.kept and node.type.size > 0:
                self._compute(node)
            elif node in self.kept:
                self.memory[node] = Buffer(f"t{len(self.memory)}", node.type)

    def _compute(self, node: Node) -> None:
        if node.op is ops.RESHAPE and not _reads_no_memory(node) and node not in self.graph.outputs:
            self.memory[node] = self.memory[node.inputs[0]]
            self.draft_of[node] = self.draft_of.get(node.inputs[0], -1)
            return
        buffer = Buffer(f"t{len(self.memory)}", node.type)
        if node.op in _HEADS:
            self.drafts += _HEAD_STEPS[node.op](self, node, buffer)
        else:
            self._join_or_open(node, buffer)
        self.memory[node] = buffer
        self.draft_of.setdefault(node, len(self.drafts) - 1)

    def _join_or_open(self, node: Node, buffer: Buffer) -> None:
        needed = self._needed(node)
        last = max((self.draft_of.get(n, -1) for n in needed), default=-1)
        draft = self.drafts[last] if last >= 0 else None
        if isinstance(draft, _Draft) and draft.takes_more and draft.shape == node.type.shape:
            try:
                self._add(draft, node, self._element(draft, node), buffer)
            except Elsewhere:
                pass
            else:
                self.draft_of[node] = last
                return
        self.drafts.append(self._elementwise(node, buffer))

    def _lowering(self, axes: int) -> Lowering:
        return Lowering(axes, self.memory, self.last_rows)

    def _needed(self, node: Node) -> set[Node]:
        """The nodes in memory that an expression for `node` loads."""
        found: set[Node] = set()
        seen, stack = {node}, list(node.inputs)
        while stack:
            current = stack.pop()
            if current in self.memory:
                found.add(current)
            elif current not in seen:
                seen.add(current)
                stack.extend(current.inputs)
        return found

    def _element(self, draft: _Draft, node: Node) -> Expression:
        if node.op is ops.RESHAPE and not _reads_no_memory(node):
            return draft.lowering.load(
                self.memory[node.inputs[0]], draft.lowering.linear(node.type.shape, draft.places), node.type.dtype
            )
        if node in self.memory:
            return draft.lowering.element(node, draft.places)
        return LOWER[node.op](draft.lowering, node, draft.places)

    def _add(self, draft: _Draft, node: Node, expression: Expression, buffer: Buffer) -> None:
        view = draft.lowering.linear(node.type.shape, draft.places)
        draft.lowering.written[buffer] = (view, expression)
        draft.stores.append(Store(buffer, view, expression))

    # kernels of their own

    def _elementwise(self, node: Node, buffer: Buffer) -> _Draft:
        shape = node.type.shape
        draft = _Draft(shape, self._lowering(len(shape)), node=node)
        self._add(draft, node, self._element(draft, node), buffer)
        return draft

    def contraction(self, node: Node, buffer: Buffer) -> list[_Draft]:
        """One kernel: the sum over the labels that are not in the result; before it, an operand turned if need be."""
        copies: list[_Draft] = []
        node = self._with_long_runs(node, copies)
        a, b = node.inputs
        sizes = dict(zip((*node.a, *node.b), (*a.type.shape, *b.type.shape), strict=True))
        summed = tuple(label for label in node.a if label not in node.out)
        labels = (*node.out, *summed)
        lowering = self._lowering(len(labels))
        units = dict(zip(labels, unit_views(len(labels)), strict=True))
        factors = tuple(
            lowering.element(operand, tuple(units[label] for label in names))
            for operand, names in ((a, node.a), (b, node.b))
        )
        product = Apply(node.type.dtype, ops.MULTIPLY, factors)
        reduced = tuple(sizes[label] for label in summed)
        return [*copies, self._reducing(node, buffer, lowering, reduced, Reduction("sum", product))]

    def _with_long_runs(self, node: Node, copies: list[_Draft]) -> Node:
        """A large product of matrices walks along the summed axis of its rows' operand, once for every few columns.

        If that axis is not the contiguous one, and its steps are so long that they fall on each other in the cache, a
        turned copy of the operand is read instead.
        """
        inputs, labels = list(node.inputs), [node.a, node.b]
        for position, operand in enumerate(node.inputs):
            turns = len(node.out) == 2 and labels[position][1:] == node.out[:1] and operand in self.memory
            if turns and operand.type.shape[1] * operand.type.dtype.itemsize >= _LONG_STEP:
                inputs[position] = self._turned(operand, copies)
                labels[position] = labels[position][::-1]
        return Node(ops.CONTRACT, tuple(inputs), (*labels, node.out))

    def _turned(self, matrix: Node, copies: list[_Draft]) -> Node:
        """The transpose of a matrix, in memory of its own."""
        turned = Node(ops.TRANSPOSE, (matrix,), ((1, 0),))
        if turned not in self.memory:
            draft = _Draft(turned.type.shape, self._lowering(2), open=False, node=matrix)
            copy = Buffer(f"t{len(self.memory)}", turned.type)
            self._add(draft, turned, self._element(draft, turned), copy)
            copies.append(draft)
            self.memory[turned] = copy
        return turned

    def reduction(self, node: Node, buffer: Buffer) -> list[_Draft]:
        """One kernel: the sum or the maximum over axes; the sum of all may join the kernel that computes its terms."""
        source = node.inputs[0]
        partial = self._folded(node, source)
        if partial is not None:
            return [self._summed_parts(node, partial, buffer)]
        kept = [axis for axis in range(source.type.rank) if axis not in node.axes]
        units = unit_views(source.type.rank)
        coordinates: list[View] = [units[0]] * source.type.rank if source.type.rank else []
        for position, axis in enumerate((*kept, *node.axes)):
            coordinates[axis] = units[position]
        lowering = self._lowering(source.type.rank)
        reduced = tuple(source.type.shape[axis] for axis in node.axes)
        accumulated = Reduction(node.op.name, lowering.element(source, tuple(coordinates)))
        return [self._reducing(node, buffer, lowering, reduced, accumulated)]

    def _folded(self, node: Node, source: Node) -> Buffer | None:
        """Partial sums of all elements of `source`, added up where an open kernel has just computed them."""
        last = max((self.draft_of.get(n, -1) for n in self._needed(node)), default=-1)
        draft = self.drafts[last] if last >= 0 else None
        if node.op is not ops.SUM or node.type.rank or not source.type.is_float or source.type.size < _WORTH_FOLDING:
            return None
        if not isinstance(draft, _Draft) or not draft.open or draft.shape != source.type.shape:
            return None
        try:
            expression = draft.lowering.element(source, draft.places)
        except Elsewhere:
            return None
        partial = Buffer(f"t{len(self.memory)}.parts", Type((FOLD_LANES * FOLD_CELLS,), source.type.dtype))
        nowhere = View(0, (0,) * draft.lowering.axes)
        draft.stores.append(Store(partial, nowhere, expression, folding=True))
        return partial

    def _summed_parts(self, node: Node, parts: Buffer, buffer: Buffer) -> _Draft:
        lowering = self._lowering(1)
        term = lowering.load(parts, View(0, (1,)), node.type.dtype)
        return self._reducing(node, buffer, lowering, parts.type.shape, Reduction("sum", term))

    def _reducing(
        self, node: Node, buffer: Buffer, lowering: Lowering, reduced: tuple[int, ...], reduction: Reduction
    ) -> _Draft:
        draft = _Draft(node.type.shape, lowering, reduced, (reduction,), node=node)
        self._add(draft, node, Result(node.type.dtype, 0), buffer)
        return draft

    def _filling(self, node: Node, buffer: Buffer, value: Number) -> _Draft:
        draft = _Draft(node.type.shape, self._lowering(node.type.rank), open=False, node=node)
        view = draft.lowering.linear(node.type.shape, draft.places)
        draft.stores.append(Store(buffer, view, value))
        return draft

    def _copying(self, source: Node, node: Node, buffer: Buffer, start: Sequence[int], step: Sequence[int]) -> _Draft:
        """`buffer[start + step · place] = source[place]`."""
        draft = _Draft(source.type.shape, self._lowering(source.type.rank), open=False, node=node)
        moved = tuple(c.scaled(s).shifted(o) for c, o, s in zip(draft.places, start, step, strict=True))
        expression = draft.lowering.element(source, draft.places)
        draft.stores.append(Store(buffer, draft.lowering.linear(node.type.shape, moved), expression))
        return draft

    def padding(self, node: Node, buffer: Buffer) -> list[_Draft]:
        """Two kernels: zeros everywhere, then the input at its places."""
        zero = Number(node.type.dtype, False if node.type.dtype.kind == "b" else 0)
        drafts = [self._filling(node, buffer, zero)]
        if node.inputs[0].type.size:
            step = tuple(between + 1 for between in node.interior)
            drafts.append(self._copying(node.inputs[0], node, buffer, node.low, step))
        return drafts

    def concatenation(self, node: Node, buffer: Buffer) -> list[_Draft]:
        """One kernel for each part."""
        drafts, start = [], 0
        for source in node.inputs:
            offset = [start if axis == node.axis else 0 for axis in range(node.type.rank)]
            if source.type.size:
                drafts.append(self._copying(source, node, buffer, offset, [1] * node.type.rank))
            start += source.type.shape[node.axis]
        return drafts

    def scattering(self, node: Node, buffer: Buffer) -> list[_Draft]:
        """Two kernels: a copy of the base, then the updates added one after the other."""
        base, index, updates = node.inputs
        copied = self._copying(base, node, buffer, [0] * base.type.rank, [1] * base.type.rank)
        draft = _Draft(updates.type.shape, self._lowering(updates.type.rank), open=False, node=node)
        if not updates.type.size:
            return [copied]
        expression = draft.lowering.element(updates, draft.places)
        row = row_view(draft.lowering, base, index, draft.places)
        place = draft.lowering.linear(node.type.shape, (row, *draft.places[index.type.rank :]))
        draft.stores.append(Store(buffer, place, expression, adding=True))
        return [copied, draft]

    # steps that are no kernels

    def host_call(self, node: Node, buffer: Buffer) -> list[Step]:
        """NumPy computes it."""
        inputs = tuple(self.memory[n] for n in node.inputs)
        return [HostCall(self.numbers[node], node.op.name, inputs, buffer, self._origin(node))]

    def _run_inside(self, node: Node) -> None:
        """A scan, a while or a cond: its results in buffers of their own, what is carried copied there first."""
        found = results(node)
        outputs = tuple(Buffer(f"t{len(self.memory)}.{n}", r.type) for n, r in enumerate(found))
        carried = _carried(node)
        inputs = (*outputs[:carried], *(self.memory[n] for n in node.inputs[carried:]))
        for source, target in zip(node.inputs[:carried], outputs, strict=False):
            if target.type.size:
                self.drafts.append(self._copy_of(source, target))
        made = {ops.SCAN: self._scan, ops.WHILE: self._while, ops.COND: self._cond}[node.op]
        self.drafts.append(replace(made(node, inputs, outputs), origin=self._origin(node)))
        for result, buffer in zip(found, outputs, strict=True):
            self.memory[result] = buffer
            self.draft_of[result] = len(self.drafts) - 1

    def _scan(self, node: Node, inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> Inner:
        body, carried, stepped, length, reverse = node.attributes
        program = schedule(body, _carrying(carried), self.numbers)
        return Inner("scan", (program,), inputs, outputs, carried, stepped, length, reverse)

    def _while(self, node: Node, inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> Inner:
        condition, body, carried = node.attributes
        programs = (
            schedule(condition, None, self.numbers),
            schedule(body, _carrying(carried), self.numbers),
        )
        return Inner("while", programs, inputs, outputs, carried)

    def _cond(self, node: Node, inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> Inner:
        return Inner("cond", tuple(schedule(g, None, self.numbers) for g in node.attributes), inputs, outputs)

    # from drafts to steps

    def finish(self) -> Schedule:
        """Drop unread stores, put results where they belong, order the kernels."""
        updates = self.loop.updates
        inputs = tuple(self.memory[n] for n in self.graph.inputs)
        captured = tuple((self.memory[n], n) for n in self.nodes if n.op is ops.CONSTANT)
        steps = [self._kernel(draft) if isinstance(draft, _Draft) else draft for draft in self.drafts]
        steps, outputs = self._with_outputs(steps, updates)
        steps = _without_unread_stores(steps, set(outputs))
        steps, outputs = _in_place(steps, inputs, outputs, updates)
        last_rows = tuple(self.last_rows.values())
        return Schedule(tuple(steps), inputs, captured, tuple(outputs), last_rows, self.loop)

    def _kernel(self, draft: _Draft) -> Kernel:
        sizes = draft.shape + draft.reduced
        told = self._origin(draft.node)
        return Kernel(sizes, len(draft.shape), draft.reductions, tuple(draft.stores), origin=told)

    def _origin(self, node: Node | None) -> str:
        origins = self.graph.origins.get(node, ()) if node else ()
        return "; ".join(dict.fromkeys(str(origin) for origin in origins[:2]))

    def _with_outputs(self, steps: list[Step], updates: Mapping[int, int]) -> tuple[list[Step], list[Buffer]]:
        """Each result in a buffer of its own: one that is an argument, a captured array or another result is copied."""
        taken: set[Buffer] = {b for n, b in self.memory.items() if n.op in (ops.INPUT, ops.CONSTANT)}
        outputs = []
        for position, node in enumerate(self.graph.outputs):
            buffer = self.memory[node]
            unchanged = position in updates and node is self.graph.inputs[updates[position]]
            if buffer in taken and not unchanged:
                copy = Buffer(f"out{position}", node.type)
                if node.type.size:
                    steps.append(self._kernel(self._copy_of(node, copy)))
                buffer = copy
            taken.add(buffer)
            outputs.append(buffer)
        return steps, outputs

    def _copy_of(self, node: Node, buffer: Buffer) -> _Draft:
        ones, zeros = [1] * node.type.rank, [0] * node.type.rank
        return self._copying(node, node, buffer, zeros, ones)


_HEAD_STEPS: Mapping[ops.Op, Callable[[_Scheduler, Node, Buffer], Sequence[_Draft | Step]]] = MappingProxyType(
    {
        ops.CONTRACT: _Scheduler.contraction,
        ops.SUM: _Scheduler.reduction,
        ops.MAX: _Scheduler.reduction,
        ops.PAD: _Scheduler.padding,
        ops.CONCATENATE: _Scheduler.concatenation,
        ops.SCATTER_ADD: _Scheduler.scattering,
        **dict.fromkeys(HOST_OPERATIONS, _Scheduler.host_call),
    }
)


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


# results in place of arguments


def _in_place(
    steps: list[Step], inputs: tuple[Buffer, ...], outputs: list[Buffer], updates: Mapping[int, int]
) -> tuple[list[Step], list[Buffer]]:
    """Write each updated result over the argument that it replaces, where all readers of the old can go first."""
    before = _dependencies(steps)
    readers, writers = _users(steps)
    final = list(outputs)
    replaced: dict[Buffer, Buffer] = {}
    copies: list[Step] = []
    for position, source in updates.items():
        old, new = inputs[source], outputs[position]
        final[position] = old
        if new not in writers:
            continue
        earlier = {n for n in readers.get(old, ()) if n not in writers[new]}
        if _only_at_its_place(steps, writers[new], old, new) and not _depends(earlier, writers[new], before):
            before[writers[new][0]] |= earlier
            replaced[new] = old
        else:
            copies.append(_copy(new, old))
    order = _sorted(steps, before, {*inputs, *outputs})
    ordered = (steps[n].with_buffers(lambda b: replaced.get(b, b)) for n in order)
    return [*ordered, *copies], final


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


def _dependencies(steps: Sequence[Step]) -> dict[int, set[int]]:
    """For each step, those that must run before it."""
    before: dict[int, set[int]] = {}
    writers: dict[Buffer, list[int]] = {}
    for n, step in enumerate(steps):
        before[n] = {w for b in step.reads | step.writes for w in writers.get(b, ())}
        for buffer in step.writes:
            writers.setdefault(buffer, []).append(n)
    return before


def _only_at_its_place(steps: Sequence[Step], writers: Sequence[int], old: Buffer, new: Buffer) -> bool:
    """Whether one kernel alone writes `new`, and reads of `old` only the element that it is about to replace."""
    writer = steps[writers[0]]
    if len(writers) > 1 or not isinstance(writer, Kernel):
        return False
    place = next(s.view for s in writer.stores if s.buffer is new)
    return all(load.view == place for load in writer.loads if load.buffer is old)


def _depends(kernels: set[int], others: Sequence[int], before: Mapping[int, set[int]]) -> bool:
    """Whether one of the kernels must run after one of the others."""
    seen, stack = set(kernels), list(kernels)
    while stack:
        for n in before[stack.pop()] - seen:
            seen.add(n)
            stack.append(n)
    return not seen.isdisjoint(others)


def _sorted(steps: Sequence[Step], before: Mapping[int, set[int]], lasting: set[Buffer]) -> list[int]:
    """The steps in an order that respects the dependencies, in which memory is given back early.

    Of those that may run, the first that gives back more temporary memory than it takes; if there is none, the first.
    """
    after: dict[int, list[int]] = {}
    for n, needed in before.items():
        for m in needed:
            after.setdefault(m, []).append(n)
    missing = {n: len(needed) for n, needed in before.items()}
    memory = _Memory(steps, lasting)
    ready = [n for n in before if not missing[n]]
    giving = [n for n in ready if memory.growth[n] < 0]
    order: list[int] = []
    done: set[int] = set()
    while ready:
        chosen = heappop(giving if giving else ready)
        if chosen in done:
            continue
        done.add(chosen)
        order.append(chosen)
        for n in memory.run(chosen):
            if not missing[n] and memory.growth[n] < 0:
                heappush(giving, n)
        for n in after.get(chosen, ()):
            missing[n] -= 1
            if not missing[n]:
                heappush(ready, n)
                if memory.growth[n] < 0:
                    heappush(giving, n)
    return order


class _Memory:
    """The temporary buffers in use while steps run one after the other."""

    def __init__(self, steps: Sequence[Step], lasting: set[Buffer]) -> None:
        self._touched = [[b for b in step.reads | step.writes if b not in lasting] for step in steps]
        self._users: dict[Buffer, list[int]] = {}
        for n, touched in enumerate(self._touched):
            for buffer in touched:
                self._users.setdefault(buffer, []).append(n)
        self._left = {buffer: len(users) for buffer, users in self._users.items()}
        #: For each step the bytes that would be in use after it and are not before it.
        self.growth = [sum(b.type.bytes for b in touched if self._left[b] > 1) for touched in self._touched]

    def run(self, step: int) -> list[int]:
        """Note that a step has run; the steps that give back more than before."""
        changed: list[int] = []
        for buffer in self._touched[step]:
            users = self._users[buffer]
            first, self._left[buffer] = self._left[buffer] == len(users), self._left[buffer] - 1
            for times in (first, self._left[buffer] == 1):
                if times:
                    changed += users
                    for n in users:
                        self.growth[n] -= buffer.type.bytes
        return changed


def _copy(source: Buffer, target: Buffer) -> Kernel:
    rank = len(source.type.shape)
    view = View(0, row_major(source.type.shape))
    return Kernel(source.type.shape, rank, (), (Store(target, view, Load(source.type.dtype, source, view)),))
