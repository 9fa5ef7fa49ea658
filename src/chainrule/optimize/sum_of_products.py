"""A sum above outer products as `constant · Σ over labels Π factors`.

An axis of a factor is named by labels: those of equal number are the same index. A label is summed over unless the
result has it. Operations that keep a product a product (a scale, a transpose, an axis repeated or merged with another,
a sum over it) only change the constant and the labels; every other node is a factor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from chainrule.graph import ops
from chainrule.graph.node import Node, full, number
from chainrule.graph.ops import Op
from chainrule.optimize.outer_products import OuterProducts, label_sizes, summed_labels

__all__ = ["Factor", "SumOfProducts", "reshaped", "sum_of_products"]

_MOST = 16  # factors; what has more is left alone

Axes = tuple[tuple[int, ...], ...]  # the labels of each axis: none if it is of size one, several if it merges several


@dataclass(frozen=True, slots=True)
class Factor:
    """An array with a label for each axis."""

    node: Node
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SumOfProducts:
    """`constant · Σ Π factors`, of which the labels in `out` are left; how long each label is."""

    constant: float | int
    factors: tuple[Factor, ...]
    out: tuple[int, ...]
    sizes: Mapping[int, int]
    sums: int  # that have been multiplied out


def sum_of_products(root: Node, products: OuterProducts) -> SumOfProducts | None:
    """What a sum adds up, down to factors that are no products any more; None if they are too many."""
    found = _Collected(products)
    out = found.labels.of(root.type.shape)
    _COLLECT[root.op](found, root, out)
    return found.together(out) if len(found.factors) <= _MOST else None


class _Labels:
    """The labels given so far: how long each is, and which turned out to be two axes."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.parts: dict[int, tuple[int, int]] = {}

    def new(self, extent: int) -> tuple[int, ...]:
        """A new label for an axis; none if it is of size one."""
        if extent == 1:
            return ()
        label = len(self.sizes)
        self.sizes[label] = extent
        return (label,)

    def of(self, shape: Sequence[int]) -> Axes:
        """A new label for each axis."""
        return tuple(self.new(extent) for extent in shape)

    def split(self, labels: Iterable[int]) -> tuple[int, ...]:
        """The labels, in place of those that turned out to be two axes their parts."""
        whole = ((self.split(self.parts[label]) if label in self.parts else (label,)) for label in labels)
        return tuple(itertools.chain.from_iterable(whole))

    def regrouped(self, labels: Iterable[int], shape: Sequence[int]) -> Axes | None:
        """The labels dealt out to the axes of a shape with as many elements; None where they do not fit."""
        left = list(self.split(labels))
        axes: list[tuple[int, ...]] = []
        for extent in shape:
            mine = self._dealt(left, extent)
            if mine is None:
                return None
            axes.append(mine)
        return tuple(axes)

    def _dealt(self, left: list[int], extent: int) -> tuple[int, ...] | None:
        """The next labels that make up an axis, taken from those that are left."""
        mine: list[int] = []
        while extent > 1:
            size = self.sizes[left[0]]
            if extent % size:
                if size % extent:
                    return None
                left[:1] = self._halved(left[0], extent)
            mine.append(left.pop(0))
            extent //= self.sizes[mine[-1]]
        return tuple(mine)

    def _halved(self, label: int, extent: int) -> tuple[int, int]:
        (outer,), (inner,) = self.new(extent), self.new(self.sizes[label] // extent)
        self.parts[label] = outer, inner
        return outer, inner


class _Collected:
    """What has been found so far below a sum."""

    def __init__(self, products: OuterProducts) -> None:
        self.products = products
        self.labels = _Labels()
        self.factors: list[tuple[Node, Axes]] = []
        self.constant: float | int = 1
        self.sums = 0

    def collect(self, node: Node, at: Axes) -> None:
        """Multiply by `node`, whose axes are labelled so."""
        products = self.products
        opened = node in products.open or node in products.spread or node.op in (ops.TRANSPOSE, ops.BROADCAST)
        if opened and len(self.factors) <= _MOST:
            _COLLECT[node.op](self, node, at)
        else:
            self.factors.append((node, at))

    def together(self, out: Axes) -> SumOfProducts:
        """All of it, with one label for each axis."""
        left = self.labels.split(itertools.chain.from_iterable(out))
        each = [tuple(self.labels.split(labels) for labels in at) for _, at in self.factors]
        (*each, (left,)), sizes = _with_long_labels([*each, (left,)], self.labels.sizes)
        factors = tuple(_factor(node, at, sizes) for (node, _), at in zip(self.factors, each, strict=True))
        known = set(left).union(self.labels.parts, *(factor.labels for factor in factors))
        repeated = math.prod(size for label, size in sizes.items() if label not in known)  # no factor has these labels
        return SumOfProducts(self.constant * repeated, factors, left, sizes, self.sums)


def _factor(node: Node, at: Axes, sizes: Mapping[int, int]) -> Factor:
    labels = tuple(itertools.chain.from_iterable(at))
    return Factor(reshaped(node, tuple(sizes[label] for label in labels)), labels)


def reshaped(node: Node, shape: tuple[int, ...]) -> Node:
    """The node's elements in another shape."""
    source = node.inputs[0] if node.op is ops.RESHAPE else node
    return source if source.type.shape == shape else Node(ops.RESHAPE, (source,), (shape,))


def _with_long_labels(axes: list[Axes], sizes: Mapping[int, int]) -> tuple[list[Axes], dict[int, int]]:
    """The labels of all axes, with those that always stand side by side in one axis made one; and their sizes then."""
    longer = dict(sizes)
    pairs = dict.fromkeys(pair for at in axes for labels in at for pair in itertools.pairwise(labels))
    for first, second in pairs:
        having = [labels for at in axes for labels in at if first in labels or second in labels]
        if all((first, second) in itertools.pairwise(labels) for labels in having):
            longer[first], longer[second] = longer[first] * longer[second], 1
            axes = [tuple(tuple(x for x in labels if x != second) for labels in at) for at in axes]
    return axes, longer


# how each operation on products is part of the sum


def _collect_all(product: _Collected, node: Node, at: Axes) -> None:
    for source in node.inputs:
        product.collect(source, at)


def _collect_full(product: _Collected, node: Node, at: Axes) -> None:
    product.constant *= number(node)


def _collect_negative(product: _Collected, node: Node, at: Axes) -> None:
    product.constant *= -1
    product.collect(node.inputs[0], at)


def _collect_twice(product: _Collected, node: Node, at: Axes) -> None:
    product.constant *= 2
    product.collect(node.inputs[0], at)


def _collect_power(product: _Collected, node: Node, at: Axes) -> None:
    for _ in range(int(number(node.inputs[1]))):
        product.collect(node.inputs[0], at)


def _collect_divide(product: _Collected, node: Node, at: Axes) -> None:
    """A quotient is a product with 1 / y, taken before y is repeated along axes."""
    x, y = node.inputs
    product.collect(x, at)
    if y.op is ops.FULL and number(y):
        product.constant /= number(y)
        return
    while y.op is ops.BROADCAST:
        y, at = y.inputs[0], _below_broadcast(y, at)
    product.collect(Node(ops.DIVIDE, (full(1, y.type), y)), at)


def _collect_transpose(product: _Collected, node: Node, at: Axes) -> None:
    product.collect(node.inputs[0], tuple(at[node.axes.index(n)] for n in range(len(at))))


def _collect_broadcast(product: _Collected, node: Node, at: Axes) -> None:
    product.collect(node.inputs[0], _below_broadcast(node, at))


def _below_broadcast(node: Node, at: Axes) -> Axes:
    extents = zip(node.inputs[0].type.shape, node.axes, strict=True)
    return tuple(() if extent == 1 else at[axis] for extent, axis in extents)


def _collect_reshape(product: _Collected, node: Node, at: Axes) -> None:
    below = product.labels.regrouped(itertools.chain.from_iterable(at), node.inputs[0].type.shape)
    if below is None:
        product.factors.append((node, at))
    else:
        product.collect(node.inputs[0], below)


def _collect_sum(product: _Collected, node: Node, at: Axes) -> None:
    product.sums += 1
    kept = iter(at)
    shape = node.inputs[0].type.shape
    product.collect(
        node.inputs[0], tuple(product.labels.new(n) if a in node.axes else next(kept) for a, n in enumerate(shape))
    )


def _collect_contract(product: _Collected, node: Node, at: Axes) -> None:
    product.sums += bool(summed_labels(node))
    sizes = label_sizes(node)
    named = {label: product.labels.new(sizes[label]) for label in summed_labels(node)} | dict(
        zip(node.out, at, strict=True)
    )
    for source, labels in zip(node.inputs, (node.a, node.b), strict=True):
        product.collect(source, tuple(named[label] for label in labels))


def _collect_leaf(product: _Collected, node: Node, at: Axes) -> None:
    product.factors.append((node, at))


_COLLECT: Mapping[Op, Callable[[_Collected, Node, Axes], None]] = MappingProxyType(
    {
        ops.FULL: _collect_full,
        ops.MULTIPLY: _collect_all,
        ops.NEGATIVE: _collect_negative,
        ops.ADD: _collect_twice,
        ops.POWER: _collect_power,
        ops.DIVIDE: _collect_divide,
        ops.TRANSPOSE: _collect_transpose,
        ops.BROADCAST: _collect_broadcast,
        ops.RESHAPE: _collect_reshape,
        ops.SUM: _collect_sum,
        ops.CONTRACT: _collect_contract,
        ops.CONCATENATE: _collect_leaf,
    }
)
