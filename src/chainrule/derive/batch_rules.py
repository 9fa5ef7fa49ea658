"""Each operation on every member of a batch at once.

`rule(y, inputs, batched, size)` is the operation of node y on `inputs`, of which those that are `batched` have the
batch as their first axis, of `size` members; so has the result. Operations that mix no axes with the first leave it
where it is; a contraction gives it a label of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from chainrule.derive import control_rules
from chainrule.graph import ops
from chainrule.graph.node import Node, full
from chainrule.graph.ops import Op
from chainrule.graph.types import Type
from chainrule.trace.arithmetic import binary, contract
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply, broadcast, moved_axis, reshape

__all__ = ["BATCH", "BATCH_TOGETHER"]

Flags = Sequence[bool]
BatchRule = Callable[[Node, Sequence[Array], Flags, int], Array]


def _repeated(x: Array, is_batched: bool, size: int) -> Array:
    return x if is_batched else broadcast(x, (size, *x.shape))


def _elementwise(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    wide = (_repeated(x, w, size) for x, w in zip(inputs, batched, strict=True))
    return apply(y.op, *(x.node for x in wide), attributes=y.attributes)


def _contract(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    batch = 1 + max((*y.a, *y.b, *y.out), default=-1)
    a, b = ((batch, *labels) if w else labels for labels, w in zip((y.a, y.b), batched, strict=True))
    return contract(inputs[0], inputs[1], a, b, (batch, *y.out))


def _reduction(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    return apply(y.op, inputs[0].node, attributes=(tuple(axis + 1 for axis in y.axes),))


def _reshape(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    return reshape(inputs[0], (size, *y.type.shape))


def _transpose(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    return apply(ops.TRANSPOSE, inputs[0].node, attributes=((0, *(axis + 1 for axis in y.axes)),))


def _broadcast(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    attributes = ((size, *y.shape), (0, *(axis + 1 for axis in y.axes)))
    return apply(ops.BROADCAST, inputs[0].node, attributes=attributes)


def _slice(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    attributes = ((0, *y.start), (size, *y.size), (1, *y.step))
    return apply(ops.SLICE, inputs[0].node, attributes=attributes)


def _pad(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    return apply(ops.PAD, inputs[0].node, attributes=tuple((0, *widths) for widths in y.attributes))


def _concatenate(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    wide = (_repeated(x, w, size) for x, w in zip(inputs, batched, strict=True))
    return apply(ops.CONCATENATE, *(x.node for x in wide), attributes=(y.axis + 1,))


def _gather(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    x, index = inputs
    if batched[0] and batched[1]:
        return apply(ops.GATHER, _rows(x).node, _row_numbers(x, index).node)
    if batched[1]:
        return apply(ops.GATHER, x.node, index.node)
    found = apply(ops.GATHER, moved_axis(x, 0, 1).node, index.node)
    return moved_axis(found, index.ndim, 0)


def _rows(x: Array) -> Array:
    """The rows of all members of the batch, one after the other."""
    return reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def _row_numbers(x: Array, index: Array) -> Array:
    """Where each member's rows lie among those of all; a number outside is taken to its nearest edge first."""
    wide = index if index.dtype.itemsize == 8 else apply(ops.CAST, index.node, attributes=("int64",))
    last = Array(full(max(x.shape[1] - 1, 0), wide.node.type))
    zero = Array(full(0, wide.node.type))
    inside = binary(ops.MINIMUM, binary(ops.MAXIMUM, wide, zero), last)
    member = apply(ops.IOTA, attributes=(0, Type(wide.shape, wide.dtype)))
    return binary(ops.ADD, inside, binary(ops.MULTIPLY, member, Array(full(x.shape[1], wide.node.type))))


def _scatter_add(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    x, index, updates = inputs[0], inputs[1], inputs[2]
    x, updates = (_repeated(a, w, size) for a, w in ((x, batched[0]), (updates, batched[2])))
    if batched[1]:
        added = apply(ops.SCATTER_ADD, _rows(x).node, _row_numbers(x, index).node, updates.node)
        return reshape(added, x.shape)
    turned = moved_axis(updates, 0, index.ndim)
    return moved_axis(apply(ops.SCATTER_ADD, moved_axis(x, 0, 1).node, index.node, turned.node), 1, 0)


def _first(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    """A mark has been dealt with by the derivative that made it."""
    return _repeated(inputs[0], batched[0], size)


def _recompute(y: Node, inputs: Sequence[Array], batched: Flags, size: int) -> Array:
    return apply(ops.RECOMPUTE, _first(y, inputs, batched, size).node, inputs[1].node)


BATCH: Mapping[Op, BatchRule] = MappingProxyType(
    {
        **dict.fromkeys(ops.ELEMENTWISE - {ops.MARK}, _elementwise),
        ops.MARK: _first,
        ops.CONTRACT: _contract,
        ops.SUM: _reduction,
        ops.MAX: _reduction,
        ops.RESHAPE: _reshape,
        ops.TRANSPOSE: _transpose,
        ops.BROADCAST: _broadcast,
        ops.SLICE: _slice,
        ops.PAD: _pad,
        ops.CONCATENATE: _concatenate,
        ops.GATHER: _gather,
        ops.SCATTER_ADD: _scatter_add,
        ops.ARGSORT: lambda y, inputs, batched, size: apply(ops.ARGSORT, inputs[0].node, attributes=(y.axis + 1,)),
        **dict.fromkeys(ops.MATRIX, _elementwise),
        ops.RECOMPUTE: _recompute,
    }
)

#: The rules of operations with several results: `rule(y, inputs, batched, size, the walk)`, a list of the results.
BATCH_TOGETHER: Mapping[Op, Callable[..., list[Array]]] = MappingProxyType(
    {
        ops.CUSTOM: control_rules.batch_custom,
        ops.SCAN: control_rules.batch_scan,
        ops.WHILE: control_rules.batch_while,
        ops.COND: control_rules.batch_cond,
    }
)
