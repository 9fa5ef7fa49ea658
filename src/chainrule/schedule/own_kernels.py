"""How each operation that is not computed element by element becomes kernels of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from chainrule.graph import ops
from chainrule.graph.node import Node
from chainrule.schedule.drafts import Draft, Storage, elementwise
from chainrule.schedule.expressions import Apply, Buffer, Number, Result
from chainrule.schedule.kernel import Reduction, Store
from chainrule.schedule.lower import Coordinates, Lowering, row_view, unit_views

__all__ = ["OWN_KERNELS", "copied", "reducing"]

_LONG_STEP = 4096  # bytes from row to row at which the first cache holds only a few rows


# reductions


def reducing(node: Node, buffer: Buffer, lowering: Lowering, reduced: tuple[int, ...], reduction: Reduction) -> Draft:
    """The kernel that accumulates an expression over the reduced axes and stores the result."""
    draft = Draft(node, node.type.shape, lowering, reduced, (reduction,))
    draft.store(node, Result(node.type.dtype, 0), buffer)
    return draft


def _reduction(storage: Storage, node: Node, buffer: Buffer) -> list[Draft]:
    """One kernel: the sum or the maximum over axes."""
    (source,) = node.inputs
    lowering = storage.lowering(source.type.rank)
    reduced = tuple(source.type.shape[axis] for axis in node.axes)
    accumulated = lowering.element(source, _reduced_last(source.type.rank, node.axes))
    return [reducing(node, buffer, lowering, reduced, Reduction(node.op.name, accumulated))]


def _reduced_last(rank: int, reduced: Sequence[int]) -> Coordinates:
    """The coordinates of an operand's element in a kernel whose reduced axes come after all others."""
    order = [axis for axis in range(rank) if axis not in reduced] + list(reduced)
    units = unit_views(rank)
    return tuple(units[order.index(axis)] for axis in range(rank))


def _contraction(storage: Storage, node: Node, buffer: Buffer) -> list[Draft]:
    """One kernel: the sum over the labels that are not in the result; before it, an operand turned if need be."""
    node, copies = _with_long_runs(storage, node)
    a, b = node.inputs
    sizes = dict(zip((*node.a, *node.b), (*a.type.shape, *b.type.shape), strict=True))
    summed = tuple(label for label in node.a if label not in node.out)
    labels = (*node.out, *summed)
    lowering = storage.lowering(len(labels))
    along = dict(zip(labels, unit_views(len(labels)), strict=True))
    factors = tuple(
        lowering.element(operand, tuple(along[label] for label in names))
        for operand, names in ((a, node.a), (b, node.b))
    )
    product = Apply(node.type.dtype, ops.MULTIPLY, factors)
    reduced = tuple(sizes[label] for label in summed)
    return [*copies, reducing(node, buffer, lowering, reduced, Reduction("sum", product))]


def _with_long_runs(storage: Storage, node: Node) -> tuple[Node, list[Draft]]:
    """A large product of matrices walks along the summed axis of its rows' operand, once for every few columns.

    If that axis is not the contiguous one, and its steps are so long that they fall on each other in the cache, a
    turned copy of the operand is read instead: the product of it, and the kernels that copy.
    """
    inputs, labels, copies = list(node.inputs), [node.a, node.b], []
    for position, operand in enumerate(node.inputs):
        turns = len(node.out) == 2 and labels[position][1:] == node.out[:1] and operand in storage.buffers
        if turns and operand.type.shape[1] * operand.type.dtype.itemsize >= _LONG_STEP:
            inputs[position] = Node(ops.TRANSPOSE, (operand,), ((1, 0),))
            labels[position] = labels[position][::-1]
            if inputs[position] not in storage.buffers:
                copies.append(_turned(storage, inputs[position]))
    return Node(ops.CONTRACT, tuple(inputs), (*labels, node.out)), copies


def _turned(storage: Storage, transpose: Node) -> Draft:
    """The transpose of a matrix, in memory of its own."""
    buffer = storage.new(transpose.type)
    draft = elementwise(storage, transpose, buffer, origin=transpose.inputs[0])
    draft.open = False
    storage.buffers[transpose] = buffer
    return draft


# copies and what is written to chosen elements


def _copying(
    storage: Storage, source: Node, node: Node, buffer: Buffer, start: Sequence[int], step: Sequence[int]
) -> Draft:
    """`buffer[start + step · point] = source[point]`, where the buffer is the node's."""
    draft = Draft(node, source.type.shape, storage.lowering(source.type.rank), open=False)
    moved = tuple(c.scaled(s).shifted(o) for c, o, s in zip(draft.point, start, step, strict=True))
    expression = draft.lowering.element(source, draft.point)
    draft.stores.append(Store(buffer, draft.lowering.linear(node.type.shape, moved), expression))
    return draft


def copied(storage: Storage, source: Node, node: Node, buffer: Buffer) -> Draft:
    """A kernel that copies `source` to the buffer of the node, which has its shape."""
    rank = source.type.rank
    return _copying(storage, source, node, buffer, [0] * rank, [1] * rank)


def _padding(storage: Storage, node: Node, buffer: Buffer) -> list[Draft]:
    """Two kernels: zeros everywhere, then the input where it belongs."""
    drafts = [_zeros(storage, node, buffer)]
    if node.inputs[0].type.size:
        step = tuple(between + 1 for between in node.interior)
        drafts.append(_copying(storage, node.inputs[0], node, buffer, node.low, step))
    return drafts


def _zeros(storage: Storage, node: Node, buffer: Buffer) -> Draft:
    draft = Draft(node, node.type.shape, storage.lowering(node.type.rank), open=False)
    view = draft.lowering.linear(node.type.shape, draft.point)
    zero = Number(node.type.dtype, False if node.type.dtype.kind == "b" else 0)
    draft.stores.append(Store(buffer, view, zero))
    return draft


def _concatenation(storage: Storage, node: Node, buffer: Buffer) -> list[Draft]:
    """One kernel for each part."""
    drafts, start = [], 0
    for source in node.inputs:
        offset = [start if axis == node.axis else 0 for axis in range(node.type.rank)]
        if source.type.size:
            drafts.append(_copying(storage, source, node, buffer, offset, [1] * node.type.rank))
        start += source.type.shape[node.axis]
    return drafts


def _scattering(storage: Storage, node: Node, buffer: Buffer) -> list[Draft]:
    """Two kernels: a copy of the base, then the updates added one after the other."""
    base, index, updates = node.inputs
    drafts = [copied(storage, base, node, buffer)]
    if updates.type.size:
        draft = Draft(node, updates.type.shape, storage.lowering(updates.type.rank), open=False)
        expression = draft.lowering.element(updates, draft.point)
        row = row_view(draft.lowering, base, index, draft.point)
        view = draft.lowering.linear(node.type.shape, (row, *draft.point[index.type.rank :]))
        draft.stores.append(Store(buffer, view, expression, adding=True))
        drafts.append(draft)
    return drafts


OWN_KERNELS: Mapping[ops.Op, Callable[[Storage, Node, Buffer], list[Draft]]] = MappingProxyType(
    {
        ops.CONTRACT: _contraction,
        ops.SUM: _reduction,
        ops.MAX: _reduction,
        ops.PAD: _padding,
        ops.CONCATENATE: _concatenation,
        ops.SCATTER_ADD: _scattering,
    }
)
