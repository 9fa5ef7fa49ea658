"""A sum of products as a list of factors, and the nodes that compute it, one for each order of joining them.

An axis of an operand is named by labels: those of equal number are the same index. A label is summed over unless the
result has it. Operations that keep a product a product (a scale, a transpose, an axis repeated or merged with another,
a sum over it) only change the constant and the labels; every other node is a factor.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from chainrule.graph import ops
from chainrule.graph.node import Node, full, number
from chainrule.graph.ops import Op
from chainrule.graph.types import Type

__all__ = ["SUMS", "Factor", "View", "forms_of", "label_sizes", "laid_out", "reshaped", "summed_labels", "sums_nothing"]

SUMS = frozenset({ops.SUM, ops.CONTRACT})
_EXHAUSTIVE = 4  # factors up to which every order is tried; of more, the cheapest pair is joined first
_MOST = 16  # factors of a term; what has more is left alone
_HIGHEST = 64  # operations above a product that are looked through
_POWERS = frozenset({2, 3, 4})


# what is worth taking apart


@dataclass
class View:
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
        if node.op in _COLLECT:
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
        return node.op is ops.FULL or (node.op in _PRODUCTS and self.spread.issuperset(node.inputs))

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
    """An outer product, or a sum of them for each place of a batch that is larger than its operands."""
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


# a sum of products


Axes = tuple[tuple[int, ...], ...]  # the labels of each axis: none if it is of size one, several if it merges several


@dataclass(frozen=True, slots=True)
class Factor:
    """An array with a label for each axis."""

    node: Node
    labels: tuple[int, ...]


@dataclass
class _Term:
    """`constant · Σ Π factors`, of which the labels in `out` are left."""

    view: View
    sizes: dict[int, int] = field(default_factory=dict)
    parts: dict[int, tuple[int, int]] = field(default_factory=dict)  # of a label that turned out to be two axes
    found: list[tuple[Node, Axes]] = field(default_factory=list)
    constant: float | int = 1
    sums: int = 0  # sums that have been multiplied out

    def axis(self, extent: int) -> tuple[int, ...]:
        """A new label for an axis; none if it is of size one."""
        if extent == 1:
            return ()
        label = len(self.sizes)
        self.sizes[label] = extent
        return (label,)

    def axes(self, shape: Sequence[int]) -> Axes:
        """A new label for each axis."""
        return tuple(self.axis(extent) for extent in shape)

    def collect(self, node: Node, at: Axes) -> None:
        """Multiply by `node`, whose axes are labelled so."""
        opened = node in self.view.open or node in self.view.spread or node.op in (ops.TRANSPOSE, ops.BROADCAST)
        if opened and len(self.found) <= _MOST:
            _COLLECT[node.op](self, node, at)
        else:
            self.found.append((node, at))

    def factors(self, out: Axes) -> tuple[list[Factor], tuple[int, ...]]:
        """The factors, with one label for each axis, and the labels that are left."""
        left = self.split(itertools.chain.from_iterable(out))
        places = [tuple(self.split(labels) for labels in at) for _, at in self.found]
        *places, (left,) = _with_long_labels([*places, (left,)], self.sizes)
        return [self._factor(node, at) for (node, _), at in zip(self.found, places, strict=True)], left

    def _factor(self, node: Node, at: Axes) -> Factor:
        labels = tuple(itertools.chain.from_iterable(at))
        return Factor(reshaped(node, tuple(self.sizes[label] for label in labels)), labels)

    def split(self, labels: Iterable[int]) -> tuple[int, ...]:
        """The labels, in place of those that turned out to be two axes their parts."""
        whole = ((self.split(self.parts[label]) if label in self.parts else (label,)) for label in labels)
        return tuple(itertools.chain.from_iterable(whole))

    def regrouped(self, labels: Iterable[int], shape: Sequence[int]) -> Axes | None:
        """The labels dealt out to the axes of a shape with as many elements; None where they do not fit."""
        left = list(self.split(labels))
        axes = []
        for extent in shape:
            mine = []
            while extent > 1:
                if extent % self.sizes[left[0]]:
                    if self.sizes[left[0]] % extent:
                        return None
                    left[:1] = self._halved(left[0], extent)
                mine.append(left.pop(0))
                extent //= self.sizes[mine[-1]]
            axes.append(tuple(mine))
        return tuple(axes)

    def _halved(self, label: int, extent: int) -> tuple[int, int]:
        (outer,), (inner,) = self.axis(extent), self.axis(self.sizes[label] // extent)
        self.parts[label] = outer, inner
        return outer, inner


def _with_long_labels(places: list[Axes], sizes: dict[int, int]) -> list[Axes]:
    """The labels of all axes, with those that always stand side by side in one axis made one."""
    pairs = dict.fromkeys(pair for at in places for labels in at for pair in itertools.pairwise(labels))
    for first, second in pairs:
        at_all = [labels for at in places for labels in at if first in labels or second in labels]
        if all((first, second) in itertools.pairwise(labels) for labels in at_all):
            sizes[first], sizes[second] = sizes[first] * sizes[second], 1
            places = [tuple(tuple(x for x in labels if x != second) for labels in at) for at in places]
    return places


# how each operation on products is part of the term


def _collect_all(term: _Term, node: Node, at: Axes) -> None:
    for source in node.inputs:
        term.collect(source, at)


def _collect_full(term: _Term, node: Node, at: Axes) -> None:
    term.constant *= number(node)


def _collect_negative(term: _Term, node: Node, at: Axes) -> None:
    term.constant *= -1
    term.collect(node.inputs[0], at)


def _collect_twice(term: _Term, node: Node, at: Axes) -> None:
    term.constant *= 2
    term.collect(node.inputs[0], at)


def _collect_power(term: _Term, node: Node, at: Axes) -> None:
    for _ in range(int(number(node.inputs[1]))):
        term.collect(node.inputs[0], at)


def _collect_divide(term: _Term, node: Node, at: Axes) -> None:
    """A quotient is a product with 1 / y, taken before y is repeated along axes."""
    x, y = node.inputs
    term.collect(x, at)
    if y.op is ops.FULL and number(y):
        term.constant /= number(y)
        return
    while y.op is ops.BROADCAST:
        y, at = y.inputs[0], _below_broadcast(y, at)
    term.collect(Node(ops.DIVIDE, (full(1, y.type), y)), at)


def _collect_transpose(term: _Term, node: Node, at: Axes) -> None:
    term.collect(node.inputs[0], tuple(at[node.axes.index(n)] for n in range(len(at))))


def _collect_broadcast(term: _Term, node: Node, at: Axes) -> None:
    term.collect(node.inputs[0], _below_broadcast(node, at))


def _below_broadcast(node: Node, at: Axes) -> Axes:
    extents = zip(node.inputs[0].type.shape, node.axes, strict=True)
    return tuple(() if extent == 1 else at[axis] for extent, axis in extents)


def _collect_reshape(term: _Term, node: Node, at: Axes) -> None:
    below = term.regrouped(itertools.chain.from_iterable(at), node.inputs[0].type.shape)
    if below is None:
        term.found.append((node, at))
    else:
        term.collect(node.inputs[0], below)


def _collect_sum(term: _Term, node: Node, at: Axes) -> None:
    term.sums += 1
    kept = iter(at)
    shape = node.inputs[0].type.shape
    term.collect(node.inputs[0], tuple(term.axis(n) if a in node.axes else next(kept) for a, n in enumerate(shape)))


def _collect_contract(term: _Term, node: Node, at: Axes) -> None:
    term.sums += bool(summed_labels(node))
    sizes = label_sizes(node)
    named = {label: term.axis(sizes[label]) for label in summed_labels(node)} | dict(zip(node.out, at, strict=True))
    for source, labels in zip(node.inputs, (node.a, node.b), strict=True):
        term.collect(source, tuple(named[label] for label in labels))


def _collect_leaf(term: _Term, node: Node, at: Axes) -> None:
    term.found.append((node, at))


_COLLECT: Mapping[Op, Callable[[_Term, Node, Axes], None]] = MappingProxyType(
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
_PRODUCTS = frozenset({ops.MULTIPLY, ops.NEGATIVE, ops.TRANSPOSE, ops.RESHAPE})  # of repeated arrays, repeated too


# the orders in which a term can be evaluated


def forms_of(root: Node, view: View) -> list[Node]:
    """Nodes that compute what a sum of products computes, one for each order in which its factors are joined."""
    term = _Term(view)
    axes = term.axes(root.type.shape)
    _COLLECT[root.op](term, root, axes)
    factors, out = term.factors(axes)
    constant = _constant(term, factors, out)
    if not _is_tame(constant, root.type) or len(factors) > _MOST or 0 in term.sizes.values():
        return []
    orders = list(_orders(factors, out, set()))
    finished = [_finished(result, out, constant, root.type, term.sizes) for result in orders]
    is_square = root.type.is_float and term.sums > 1 and _is_sum_of_squares(root)
    return [_at_least_zero(node) for node in finished] if is_square else finished


def _constant(term: _Term, factors: Sequence[Factor], out: Sequence[int]) -> float | int:
    """The number before the sum, with the sizes of those labels that are summed over and that no factor has."""
    known = set(out).union(term.parts, *(factor.labels for factor in factors))
    for label, size in term.sizes.items():
        term.constant *= 1 if label in known else size
    return term.constant


def _is_tame(constant: float | int, type_: Type) -> bool:
    """Whether nothing overflows or is lost because a number is taken out of a sum."""
    return not type_.is_float or constant == 0 or 1e-30 < abs(constant) < 1e30


def _is_sum_of_squares(root: Node) -> bool:
    (x, *others) = root.inputs
    if root.op is ops.CONTRACT:
        return others == [x] and root.a == root.b
    return x.op is ops.MULTIPLY and x.inputs[0] is x.inputs[1]


def _at_least_zero(node: Node) -> Node:
    return Node(ops.MAXIMUM, (node, full(0, node.type)))


def _orders(factors: Sequence[Factor], out: Sequence[int], tried: set[frozenset[Factor]]) -> Iterator[Factor]:
    """What the factors make, joined in one order and another."""
    factors = _settled(factors, out)
    if frozenset(factors) in tried:
        return
    tried.add(frozenset(factors))
    if len(factors) == 1:
        yield factors[0]
    for first, second in _pairs(factors):
        others = [factor for factor in factors if factor is not first and factor is not second]
        product = _joined(first, second, set(out).union(*(factor.labels for factor in others)), out)
        joined = [product if factor is first else factor for factor in factors if factor is not second]
        yield from _orders(joined, out, tried)


def _pairs(factors: Sequence[Factor]) -> list[tuple[Factor, Factor]]:
    pairs = list(itertools.combinations(factors, 2))
    return pairs if len(factors) <= _EXHAUSTIVE else [min(pairs, key=lambda pair: _places(*pair))]


def _places(a: Factor, b: Factor) -> int:
    extents = dict(zip((*a.labels, *b.labels), (*a.node.type.shape, *b.node.type.shape), strict=True))
    return math.prod(extents.values())


def _settled(factors: Sequence[Factor], out: Sequence[int]) -> list[Factor]:
    """What is always best at once: multiply what has the same labels, sum over a label that one factor alone has."""
    while True:
        alike: dict[frozenset[int], list[Factor]] = {}
        for factor in factors:
            alike.setdefault(frozenset(factor.labels), []).append(factor)
        multiplied = [_multiplied(group) for group in alike.values()]
        counts = Counter(itertools.chain(out, *(factor.labels for factor in multiplied)))
        factors = [_summed_alone(factor, counts) for factor in multiplied]
        if factors == multiplied:
            return factors


def _multiplied(group: Sequence[Factor]) -> Factor:
    """The product of factors with the same labels, halves first, so that equal halves are computed once."""
    if len(group) == 1:
        return group[0]
    half = len(group) // 2
    a, b = _multiplied(group[:half]), _multiplied(group[half:])
    return Factor(Node(ops.MULTIPLY, (a.node, laid_out(b, a.labels, a.node.type.shape))), a.labels)


def _summed_alone(factor: Factor, counts: Mapping[int, int]) -> Factor:
    alone = tuple(axis for axis, label in enumerate(factor.labels) if counts[label] == 1)
    if not alone:
        return factor
    labels = tuple(label for label in factor.labels if counts[label] > 1)
    return Factor(Node(ops.SUM, (factor.node,), (alone,)), labels)


def _joined(a: Factor, b: Factor, needed: Collection[int], out: Sequence[int]) -> Factor:
    """The product of two factors, summed over what is not needed any more."""
    mine, others = set(a.labels), set(b.labels)
    if mine <= others:
        a, b, mine, others = b, a, others, mine
    if others <= mine <= set(needed):
        return Factor(Node(ops.MULTIPLY, (a.node, laid_out(b, a.labels, a.node.type.shape))), a.labels)
    left = [label for label in dict.fromkeys((*a.labels, *b.labels)) if label in needed]
    left.sort(key=lambda label: out.index(label) if label in out else len(out))
    return _contracted(a, b, tuple(left))


def _contracted(a: Factor, b: Factor, left: tuple[int, ...]) -> Factor:
    """A contraction, its labels numbered as they come, so that equal ones are one node."""
    numbers = {label: n for n, label in enumerate(dict.fromkeys((*a.labels, *b.labels)))}
    attributes = tuple(tuple(numbers[label] for label in labels) for labels in (a.labels, b.labels, left))
    return Factor(Node(ops.CONTRACT, (a.node, b.node), attributes), left)


def laid_out(factor: Factor, labels: Sequence[int], shape: tuple[int, ...]) -> Node:
    """The factor with its axes in another order, and repeated along those that it lacks."""
    order = tuple(factor.labels.index(label) for label in labels if label in factor.labels)
    node = factor.node if order == tuple(range(len(order))) else Node(ops.TRANSPOSE, (factor.node,), (order,))
    axes = tuple(axis for axis, label in enumerate(labels) if label in factor.labels)
    return node if node.type.shape == shape else Node(ops.BROADCAST, (node,), (shape, axes))


def _finished(factor: Factor, out: Sequence[int], constant: float | int, type_: Type, sizes: Mapping[int, int]) -> Node:
    """The factor with its axes as the result has them, times the constant."""
    node = reshaped(laid_out(factor, out, tuple(sizes[label] for label in out)), type_.shape)
    if constant == 1:
        return node
    return Node(ops.MULTIPLY, (node, full(_wrapped(constant, type_), type_)))


def _wrapped(constant: float | int, type_: Type) -> float | int:
    """An integer as one of the type, which forgets its higher bits."""
    if type_.is_float:
        return constant
    bits = 8 * type_.dtype.itemsize
    low = int(constant) % (1 << bits)
    return low - (1 << bits) if type_.dtype.kind == "i" and low >> (bits - 1) else low


def reshaped(node: Node, shape: tuple[int, ...]) -> Node:
    """The node's elements in another shape."""
    source = node.inputs[0] if node.op is ops.RESHAPE else node
    return source if source.type.shape == shape else Node(ops.RESHAPE, (source,), (shape,))
