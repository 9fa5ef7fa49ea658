"""The orders in which a sum of products can be computed: its factors joined two by two."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from chainrule.graph import ops
from chainrule.graph.node import Node, full
from chainrule.graph.types import Type
from chainrule.optimize.outer_products import OuterProducts
from chainrule.optimize.sum_of_products import Factor, SumOfProducts, reshaped, sum_of_products

__all__ = ["forms_of", "laid_out"]

_EXHAUSTIVE = 4  # factors up to which every order is tried; of more, the cheapest pair is joined first


def forms_of(root: Node, products: OuterProducts) -> list[Node]:
    """Nodes that compute what a sum of products computes, one for each order in which its factors are joined."""
    found = sum_of_products(root, products)
    if found is None or not _is_tame(found.constant, root.type) or 0 in found.sizes.values():
        return []
    finished = [_finished(joined, found, root.type) for joined in _orders(found.factors, found.out, set())]
    is_square = root.type.is_float and found.sums > 1 and _is_sum_of_squares(root)
    return [_at_least_zero(node) for node in finished] if is_square else finished


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
    return pairs if len(factors) <= _EXHAUSTIVE else [min(pairs, key=lambda pair: _points(*pair))]


def _points(a: Factor, b: Factor) -> int:
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


def _finished(factor: Factor, found: SumOfProducts, type_: Type) -> Node:
    """The factor with its axes as the result has them, times the constant."""
    node = reshaped(laid_out(factor, found.out, tuple(found.sizes[label] for label in found.out)), type_.shape)
    if found.constant == 1:
        return node
    return Node(ops.MULTIPLY, (node, full(_wrapped(found.constant, type_), type_)))


def _wrapped(constant: float | int, type_: Type) -> float | int:
    """An integer as one of the type, which forgets its higher bits."""
    if type_.is_float:
        return constant
    bits = 8 * type_.dtype.itemsize
    low = int(constant) % (1 << bits)
    return low - (1 << bits) if type_.dtype.kind == "i" and low >> (bits - 1) else low
