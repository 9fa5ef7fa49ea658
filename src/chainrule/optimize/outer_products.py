"""Which products are worth taking apart: those that are larger than what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from chainrule.graph import ops
from chainrule.graph.node import Node, number

__all__ = ["SUMS", "OuterProducts", "label_sizes", "summed_labels", "sums_nothing"]

SUMS = frozenset({ops.SUM, ops.CONTRACT})
_HIGHEST = 64  # operations above a product that are looked through
_POWERS = frozenset({2, 3, 4})
_REPEATING = frozenset({ops.MULTIPLY, ops.NEGATIVE, ops.TRANSPOSE, ops.RESHAPE})  # of repeated arrays, repeated too
#: Operations that may make a product, or a part, of a product: each has a row in `sum_of_products`.
_LOOKED_THROUGH = frozenset({
    ops.FULL, ops.MULTIPLY, ops.NEGATIVE, ops.ADD, ops.POWER, ops.DIVIDE, ops.TRANSPOSE, ops.BROADCAST, ops.RESHAPE,
    ops.SUM, ops.CONTRACT, ops.CONCATENATE,
})  # fmt: skip


@dataclass
class OuterProducts:
    """Which nodes are `open`: products that are larger than what they are made of, and what is made of such.

    Each with the number of operations from it down to such a product. `spread` are single numbers and small arrays
    repeated along axes, and products of those. `seams` are the axes along which products are concatenated in a node,
    with the extents of the parts.
    """

    seen: set[Node] = field(default_factory=set)
    open: dict[Node, int] = field(default_factory=dict)
    spread: set[Node] = field(default_factory=set)
    seams: dict[Node, tuple[int, tuple[int, ...]]] = field(default_factory=dict)

    def look_at(self, node: Node) -> None:
        """Sort the node in; its inputs have been before it."""
        self.seen.add(node)
        if node.op in _LOOKED_THROUGH:
            if self._is_spread(node):
                self.spread.add(node)
            if self._is_open(node):
                self._open(node)

    def _open(self, node: Node) -> None:
        height = 1 + max(self.open.get(n, 0) for n in node.inputs)
        if height <= _HIGHEST:
            self.open[node] = height
            seam = self._seam(node)
            if seam:
                self.seams[node] = seam

    def look_below(self, node: Node) -> None:
        """Sort a new node in, and the new ones that it is made of."""
        if node not in self.seen:
            for source in node.inputs:
                self.look_below(source)
            self.look_at(node)

    def _is_spread(self, node: Node) -> bool:
        if node.op is ops.BROADCAST:
            return node.inputs[0].type.size < node.type.size
        return node.op is ops.FULL or (node.op in _REPEATING and self.spread.issuperset(node.inputs))

    def _is_open(self, node: Node) -> bool:
        if node.type.dtype.kind == "b":
            return False
        if node.op is ops.CONTRACT and _is_outer(node):
            return True
        if node.op is ops.MULTIPLY and self.spread.issuperset(node.inputs):
            return node.type.size > 0 and all(n.op is not ops.FULL for n in node.inputs)
        sources = node.inputs[:1] if node.op in (ops.DIVIDE, ops.POWER) else node.inputs
        return not self.open.keys().isdisjoint(sources) and _is_product(node)

    def _seam(self, node: Node) -> tuple[int, tuple[int, ...]] | None:
        if node.op is ops.CONCATENATE:
            return node.axis, tuple(part.type.shape[node.axis] for part in node.inputs)
        if node.op in (*SUMS, ops.RESHAPE):
            return None
        axis, extents = next((self.seams[n] for n in node.inputs if n in self.seams), (0, ()))
        if node.op in (ops.TRANSPOSE, ops.BROADCAST) and extents:
            axis = node.axes.index(axis) if node.op is ops.TRANSPOSE else node.axes[axis]
        return (axis, extents) if extents and sum(extents) == node.type.shape[axis] else None


def _is_outer(node: Node) -> bool:
    """An outer product, or a sum of them for each member of a batch that is larger than its operands."""
    large = node.type.size > max(n.type.size for n in node.inputs)
    return node.type.size > 0 and (sums_nothing(node) or (large and _is_batched(node)))


def sums_nothing(node: Node) -> bool:
    """Whether a contraction multiplies only: it has no label to sum over or, in a batch, only such of size one."""
    summed = summed_labels(node)
    sizes = label_sizes(node)
    return not summed or (_is_batched(node) and all(sizes[label] == 1 for label in summed))


def _is_batched(node: Node) -> bool:
    return any(label in node.b and label in node.out for label in node.a)


def summed_labels(node: Node) -> list[int]:
    """The labels that a contraction sums over."""
    return [label for label in node.a if label not in node.out]


def label_sizes(node: Node) -> dict[int, int]:
    """The extent of each label of a contraction."""
    a, b = node.inputs
    return dict(zip((*node.a, *node.b), (*a.type.shape, *b.type.shape), strict=True))


def _is_product(node: Node) -> bool:
    """Whether an operation on a product gives a product again."""
    if node.op is ops.ADD:
        return node.inputs[0] is node.inputs[1]
    if node.op is ops.POWER:
        exponent = node.inputs[1]
        return exponent.op is ops.FULL and number(exponent) in _POWERS
    return True
