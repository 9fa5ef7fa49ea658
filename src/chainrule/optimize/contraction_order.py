"""Sums of products, taken in the order that needs least work and memory.

The gradient for each example of a batch is a product, δ[b,o] · a[b,i], and has as many elements as the batch and the
weights have together; for weights that are used several times, t it is a sum of such products. What is asked of it
is most often a sum again: squared lengths, second moments, inner products. A sum of products can be taken apart,

    Σ_oi (δ_bo a_bi)² = (Σ_o δ_bo²) (Σ_i a_bi²)            Σ_b (δ_bo a_bi)² = Σ_b δ_bo² a_bi²
    Σ_oi (Σ_t δ_bto a_bti)² = Σ_ts (Σ_o δ_bto δ_bso) (Σ_i a_bti a_bsi)

and then the product itself need not exist. So every sum above an outer product is collected as

    constant · Σ over labels Π factors,

its factors are joined two by two in every order, and the cheapest is taken if it is cheaper than what is there.
Cheap is: few operations, and few elements kept in memory, each of which counts as much as `_KEPT` operations. What
something else needs anyway costs nothing.

An outer product that is left over because something else than a product is summed, as in a variance taken from the
mean, is computed inside the sum and not kept either.

This reassociates. A sum of n products is as accurate in one order as in another, relative to the sum of their absolute
values; where they cancel, as the times t of one weight may, that is less than relative to the sum itself. A sum of
squares stays non-negative.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, in_order
from chainrule.graph.rewrite import Rewriting, rewritten
from chainrule.graph.walks import reached
from chainrule.optimize.contraction_paths import forms_of, laid_out
from chainrule.optimize.outer_products import SUMS, OuterProducts, label_sizes, summed_labels, sums_nothing
from chainrule.optimize.sum_of_products import Factor, reshaped

__all__ = ["with_cheap_products"]

_KEPT = 64  # operations that one element kept in memory counts as
_HEADS = frozenset({ops.SUM, ops.MAX, ops.CONTRACT, ops.CONCATENATE})  # whose results are kept
_INLINE = ops.ELEMENTWISE | {ops.TRANSPOSE, ops.BROADCAST}  # computed where they are used


def with_cheap_products(graph: Graph) -> Graph:
    """A graph with the same outputs up to rounding, in which sums of products are taken in a cheap order.

    The graph itself, if there is nothing to gain.
    """
    nodes = graph.nodes()
    products = OuterProducts()
    for node in nodes:
        products.look_at(node)
    if not products.open:
        return graph
    left_alone: set[Node] = set()
    while True:
        attempt = _Attempt(graph, nodes, left_alone)
        too_much = attempt.not_worth_it()
        if not too_much:
            return _without_outer_products(attempt.result())
        left_alone |= too_much


# concatenated products: a sum over them is made of the sums over each part


def _in_parts(root: Node, products: OuterProducts) -> tuple[list[Node], int | None]:
    """The same sum over each part of concatenated products, and along which axis they are joined; None: they add up."""
    for operand, labels in zip(root.inputs, _labels(root), strict=True):
        if operand in products.seams:
            axis, extents = products.seams[operand]
            left = root.out if root.op is ops.CONTRACT else [n for n in labels if n not in root.axes]
            joined = left.index(labels[axis]) if labels[axis] in left else None
            starts = itertools.accumulate(extents[:-1], initial=0)
            pieces = (_Piece(products, start, extent) for start, extent in zip(starts, extents, strict=True))
            return [_part(root, labels[axis], piece) for piece in pieces], joined
    return [], None


def _labels(root: Node) -> list[Sequence[int]]:
    """What tells the axes of each operand of a sum."""
    return [root.a, root.b] if root.op is ops.CONTRACT else [range(root.inputs[0].type.rank)]


def _part(root: Node, label: int, piece: _Piece) -> Node:
    inputs = (
        piece.of(operand, labels.index(label)) if label in labels else operand
        for operand, labels in zip(root.inputs, _labels(root), strict=True)
    )
    return Node(root.op, tuple(inputs), root.attributes)


@dataclass
class _Piece:
    """Elements `start` to `start + extent` along an axis; of a product, the product of its operands' pieces."""

    products: OuterProducts
    start: int
    extent: int
    known: dict[tuple[Node, int], Node] = field(default_factory=dict)

    def of(self, node: Node, axis: int) -> Node:
        """The piece of a node along an axis."""
        if (node, axis) not in self.known:
            self.known[node, axis] = self._cut(node, axis)
        return self.known[node, axis]

    def _cut(self, node: Node, axis: int) -> Node:
        shape = tuple(self.extent if n == axis else size for n, size in enumerate(node.type.shape))
        if node.op is ops.FULL:
            return Node(ops.FULL, (), (node.attributes[0], node.type.with_shape(shape)))
        if node.op is ops.BROADCAST:
            return self._cut_below(node, axis, shape)
        if node.op is ops.TRANSPOSE:
            return Node(ops.TRANSPOSE, (self.of(node.inputs[0], node.axes[axis]),), node.attributes)
        if node.op in ops.ELEMENTWISE and (node in self.products.open or node in self.products.spread):
            return Node(node.op, tuple(self.of(n, axis) for n in node.inputs), node.attributes)
        return self._whole(node, axis) or self._slice(node, axis, shape)

    def _cut_below(self, node: Node, axis: int, shape: tuple[int, ...]) -> Node:
        (source,) = node.inputs
        if axis in node.axes and source.type.shape[node.axes.index(axis)] != 1:
            source = self.of(source, node.axes.index(axis))
        return source if source.type.shape == shape else Node(ops.BROADCAST, (source,), (shape, node.axes))

    def _whole(self, node: Node, axis: int) -> Node | None:
        """The part of concatenated arrays that is just this piece."""
        if node.op is not ops.CONCATENATE or node.axis != axis:
            return None
        extents = [part.type.shape[axis] for part in node.inputs]
        spans = zip(itertools.accumulate(extents[:-1], initial=0), extents, strict=True)
        return dict(zip(spans, node.inputs, strict=True)).get((self.start, self.extent))

    def _slice(self, node: Node, axis: int, shape: tuple[int, ...]) -> Node:
        first = tuple(self.start if n == axis else 0 for n in range(len(shape)))
        return Node(ops.SLICE, (node,), (first, shape, (1,) * len(shape)))


# what a form costs


def _operations(node: Node) -> int:
    if node.op is ops.CONTRACT:
        return (2 if summed_labels(node) else 1) * math.prod(label_sizes(node).values())
    if node.op in SUMS:
        return node.inputs[0].type.size
    return node.type.size if node.op in ops.ELEMENTWISE else 0


def _kept(node: Node, top: Node) -> list[int]:
    """The sizes of what is kept of an operation: its result, and operands that it reads from memory alone."""
    operands = map(_under_layout, node.inputs if node.op is ops.CONTRACT else ())
    own = [node.type.size] if node.op in _HEADS and node is not top else []
    return own + [n.type.size for n in operands if n.op in ops.ELEMENTWISE]


def _under_layout(node: Node) -> Node:
    while node.op in (ops.TRANSPOSE, ops.BROADCAST, ops.RESHAPE):
        node = node.inputs[0]
    return node


def _cost(top: Node, nodes: Iterable[Node]) -> int:
    """Operations, and elements kept, of the nodes that a form is made of; where `top` is put is not counted."""
    return sum(_operations(n) + _KEPT * sum(_kept(n, top)) for n in nodes)


def _result_of(form: Node) -> Node:
    """The sum that a form ends in, under what is done to it in passing."""
    while form.op in (ops.RESHAPE, ops.MAXIMUM) or (form.op is ops.MULTIPLY and form.inputs[1].op is ops.FULL):
        form = form.inputs[0]
    return form


# the whole graph


@dataclass
class _Choice:
    """A sum in a cheaper form: what each of both is made of, beside what the graph has anyway."""

    root: Node
    form: Node
    before: list[Node]
    after: list[Node]

    @property
    def cost(self) -> int:
        """The cost of the new form."""
        return _cost(_result_of(self.form), self.after)

    @property
    def is_smaller(self) -> bool:
        """Whether nothing is kept that is as large as the largest of the products."""
        kept = (size for n in self.after for size in _kept(n, _result_of(self.form)))
        return max(kept, default=0) < max(n.type.size for n in self.before if n is not self.root)


class _Attempt:
    """A graph with its sums in cheap forms, all but those to be left alone."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], left_alone: Collection[Node]) -> None:
        self.graph = graph
        self.products = OuterProducts()
        self.given: set[Node] = set()  # what stands in the graph
        self.chosen: dict[Node, _Choice] = {}
        self.rewriting = Rewriting(graph.origins)
        for node in nodes:
            again = self.rewriting.again(node)
            self._enter(again)
            choice = None if node in left_alone else self._best(again)
            if choice is None:
                self.rewriting.put(node, again)
            else:
                self._choose(node, choice)

    def _enter(self, node: Node) -> None:
        self.products.look_below(node)
        self.given.add(node)

    def _choose(self, node: Node, choice: _Choice) -> None:
        """What a sum is made of now was written where the sum was, and where what it was made of was."""
        for new in choice.after:
            self._enter(new)
        self.chosen[node] = choice
        before = (self.rewriting.origins.get(old, ()) for old in choice.before)
        self.rewriting.put(node, choice.form, itertools.chain.from_iterable(before))

    def _best(self, root: Node) -> _Choice | None:
        """The cheapest form of a sum, if it is cheaper than the sum as it is."""
        if root.op not in SUMS or not root.type.size or not any(n in self.products.open for n in root.inputs):
            return None
        before = self._made_of(root, root)
        parts, axis = _in_parts(root, self.products)
        forms = [self._of_parts(parts, axis)] if parts else forms_of(root, self.products)
        choices = [_Choice(root, form, before, self._made_of(form, root)) for form in forms]
        if not parts:
            choices = [choice for choice in choices if choice.is_smaller]
        best = min(choices, key=lambda choice: choice.cost, default=None)
        return best if best and best.cost < _cost(root, before) else None

    def _of_parts(self, parts: Sequence[Node], axis: int | None) -> Node:
        results = [self._form_of_part(part) for part in parts]
        if axis is not None:
            return Node(ops.CONCATENATE, tuple(results), (axis,))
        return functools.reduce(lambda total, result: Node(ops.ADD, (total, result)), results)

    def _form_of_part(self, part: Node) -> Node:
        self.products.look_below(part)
        choice = self._best(part)
        return choice.form if choice else part

    def _made_of(self, top: Node, root: Node) -> list[Node]:
        """The nodes of a form, down to what the graph has anyway; products that are open may not be needed any more."""

        def own(nodes: Iterable[Node]) -> list[Node]:
            return [n for n in nodes if n is root or n in self.products.open or n not in self.given]

        return list(reached(own([top]), lambda node: own(node.inputs)))

    def not_worth_it(self) -> set[Node]:
        """Sums that are cheaper as they were, given what has to be computed anyway."""
        needed = set(in_order(map(self.rewriting.of, self.graph.outputs)))
        return {node for node, choice in self.chosen.items() if choice.form in needed and self._is_dear(choice, needed)}

    def _is_dear(self, choice: _Choice, needed: Collection[Node]) -> bool:
        before = [node for node in choice.before if node is choice.root or node not in needed]
        return choice.cost >= _cost(choice.root, before)

    def result(self) -> Graph:
        """The graph; the one that was given, if nothing has changed."""
        if not self.chosen:
            return self.graph
        return self.rewriting.graph(self.graph.inputs, self.graph.outputs)


# what is left of outer products


def _without_outer_products(graph: Graph) -> Graph:
    """Outer products that are only summed up are computed where they are, as any other product of two elements."""
    nodes = graph.nodes()
    inline = _only_reduced(nodes, graph.outputs)
    if not inline:
        return graph
    return rewritten(graph, lambda node, again: _elementwise(again) if node in inline else again)


def _only_reduced(nodes: Sequence[Node], outputs: Iterable[Node]) -> set[Node]:
    """Contractions that sum over nothing, that nobody reads from memory, and whose elements end in a sum."""
    reduced: set[Node] = set()
    read = set(outputs)
    for node in reversed(nodes):
        if node.op in (ops.SUM, ops.MAX):
            reduced.update(node.inputs)
        elif node.op not in _INLINE:
            read.update(node.inputs)
        elif node in reduced and node not in read:
            reduced.update(node.inputs)
    return {n for n in reduced - read if n.op is ops.CONTRACT and sums_nothing(n)}


def _elementwise(product: Node) -> Node:
    factors = (_left_of(product, x, labels) for x, labels in zip(product.inputs, (product.a, product.b), strict=True))
    return Node(ops.MULTIPLY, tuple(laid_out(factor, product.out, product.type.shape) for factor in factors))


def _left_of(product: Node, x: Node, labels: Sequence[int]) -> Factor:
    """A factor without the axes that are summed over, all of size one."""
    left = [(label, extent) for label, extent in zip(labels, x.type.shape, strict=True) if label in product.out]
    return Factor(reshaped(x, tuple(extent for _, extent in left)), tuple(label for label, _ in left))
