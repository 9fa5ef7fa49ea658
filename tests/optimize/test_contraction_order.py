"""Sums of products are taken in a cheap order: what the orders are, that they mean the same, and what they cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs import array_of, examples

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.graph import ops
from chainrule.graph.graph import Graph, Origin, parse, verify
from chainrule.graph.interpret import interpret
from chainrule.graph.node import Node, full, input_node
from chainrule.graph.types import Type, type_of
from chainrule.optimize.contraction_order import with_cheap_products
from chainrule.optimize.simplify import simplify
from chainrule.run.program import build
from chainrule.schedule.memory import plan
from chainrule.schedule.scheduling import schedule
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.tracing import trace
from chainrule.trace.tree import flatten

F32 = np.dtype(np.float32)


def traced(function: Callable[..., Any], *shapes: tuple[int, ...], dtype: str = "float32") -> Graph:
    """The graph of a function of arrays of these shapes."""
    leaves, structure = flatten(tuple(np.zeros(shape, dtype) for shape in shapes))
    with transforming():
        return trace(function, structure, [type_of(leaf) for leaf in leaves])[0]


# what becomes of them

DA = "%0 = input {index=0} : f32[8,5]\n%1 = input {index=1} : f32[8,7]\n"
SQUARES = DA + "%2 = multiply %0 %0 : f32[8,5]\n"
PLACES = "%0 = input {index=0} : f32[8,3,20]\n%1 = input {index=1} : f32[8,3,30]\n"


def outer(d: Array, a: Array) -> Array:
    """The gradient of each example, for weights of shape (o, i)."""
    return cnp.einsum("bo,bi->boi", d, a)


def shared(d: Array, a: Array) -> Array:
    """The same, for weights that are used at every time t."""
    return cnp.einsum("bto,bti->boi", d, a)


BECOME: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]], str]] = {
    "a sum over the batch is one contraction": (
        lambda d, a: cnp.sum(outer(d, a), axis=0),
        [(8, 5), (8, 7)],
        DA + "%2 = contract %0 %1 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,7]\nreturn %2",
    ),
    "the squared length of each is the product of two": (
        lambda d, a: cnp.sum(outer(d, a) ** 2, axis=(1, 2)),
        [(8, 5), (8, 7)],
        SQUARES
        + """%3 = sum %2 {axes=(1)} : f32[8]
        %4 = multiply %1 %1 : f32[8,7]
        %5 = sum %4 {axes=(1)} : f32[8]
        %6 = multiply %3 %5 : f32[8]
        return %6""",
    ),
    "the second moment is a contraction of squares": (
        lambda d, a: cnp.mean(outer(d, a) ** 2, axis=0),
        [(8, 5), (8, 7)],
        SQUARES
        + """%3 = multiply %1 %1 : f32[8,7]
        %4 = contract %2 %3 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,7]
        %5 = full {value=0.125} : f32[5,7]
        %6 = multiply %4 %5 : f32[5,7]
        return %6""",
    ),
    "equal halves of a power are computed once": (
        lambda d, a: cnp.sum(outer(d, a) ** 4, axis=0),
        [(8, 5), (8, 7)],
        SQUARES
        + """%3 = multiply %2 %2 : f32[8,5]
        %4 = multiply %1 %1 : f32[8,7]
        %5 = multiply %4 %4 : f32[8,7]
        %6 = contract %3 %5 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,7]
        return %6""",
    ),
    "an axis that is split in two is not split": (
        lambda d, a: cnp.sum(outer(d, a).reshape(8, 5, 2, 3) ** 2, axis=0),
        [(8, 5), (8, 6)],
        """%0 = input {index=0} : f32[8,5]
        %1 = input {index=1} : f32[8,6]
        %2 = multiply %0 %0 : f32[8,5]
        %3 = multiply %1 %1 : f32[8,6]
        %4 = contract %2 %3 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,6]
        %5 = reshape %4 {shape=(5 2 3)} : f32[5,2,3]
        return %5""",
    ),
    "an axis that repeats is a number": (
        lambda d, a: cnp.sum(cnp.broadcast_to(outer(d, a), (3, 8, 5, 7)), axis=(0, 1)),
        [(8, 5), (8, 7)],
        DA
        + """%2 = contract %0 %1 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,7]
        %3 = full {value=3.0} : f32[5,7]
        %4 = multiply %2 %3 : f32[5,7]
        return %4""",
    ),
    "weights of the examples go to the smaller factor": (
        lambda d, a, c: cnp.sum(outer(d, a) * c[:, None, None], axis=0),
        [(8, 5), (8, 7), (8,)],
        """%0 = input {index=0} : f32[8,5]
        %1 = input {index=1} : f32[8,7]
        %2 = input {index=2} : f32[8]
        %3 = broadcast %2 {shape=(8 5), axes=(0)} : f32[8,5]
        %4 = multiply %0 %3 : f32[8,5]
        %5 = contract %4 %1 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,7]
        return %5""",
    ),
    "the inner products are products of inner products": (
        lambda d, a: cnp.einsum("boi,coi->bc", outer(d, a), outer(d, a)),
        [(8, 5), (8, 7)],
        DA
        + """%2 = contract %0 %0 {a=(0 1), b=(2 1), out=(0 2)} : f32[8,8]
        %3 = contract %1 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[8,8]
        %4 = multiply %2 %3 : f32[8,8]
        return %4""",
    ),
    "the derivative along a direction does not form the products": (
        lambda d, a, v: cnp.sum(outer(d, a) * v, axis=(1, 2)),
        [(8, 5), (8, 7), (5, 7)],
        """%0 = input {index=0} : f32[8,5]
        %1 = input {index=1} : f32[8,7]
        %2 = input {index=2} : f32[5,7]
        %3 = contract %1 %2 {a=(0 1), b=(2 1), out=(0 2)} : f32[8,5]
        %4 = multiply %0 %3 : f32[8,5]
        %5 = sum %4 {axes=(1)} : f32[8]
        return %5""",
    ),
    "numbers inside come out": (
        lambda d, a: cnp.sum((-outer(d, a) / 10.0 * 3.0) ** 2, axis=0) * 100.0,
        [(8, 5), (8, 7)],
        SQUARES
        + """%3 = multiply %1 %1 : f32[8,7]
        %4 = contract %2 %3 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,7]
        %5 = full {value=0.09000000357627869} : f32[5,7]
        %6 = multiply %4 %5 : f32[5,7]
        %7 = full {value=100.0} : f32[5,7]
        %8 = multiply %6 %7 : f32[5,7]
        return %8""",
    ),
    "the squared length of a sum over times is a sum over pairs of times": (
        lambda d, a: cnp.sum(shared(d, a) ** 2, axis=(1, 2)),
        [(8, 3, 20), (8, 3, 30)],
        PLACES
        + """%2 = contract %0 %0 {a=(0 1 2), b=(0 3 2), out=(0 1 3)} : f32[8,3,3]
        %3 = contract %1 %1 {a=(0 1 2), b=(0 3 2), out=(0 1 3)} : f32[8,3,3]
        %4 = multiply %2 %3 : f32[8,3,3]
        %5 = sum %4 {axes=(1 2)} : f32[8]
        %6 = full {value=0.0} : f32[8]
        %7 = maximum %5 %6 : f32[8]
        return %7""",
    ),
    "flattened and joined with others, each part has its own sum": (
        lambda d, a: cnp.sum(cnp.concatenate([outer(d, a).reshape(8, -1), d], axis=1) ** 2, axis=1),
        [(8, 5), (8, 7)],
        SQUARES
        + """%3 = sum %2 {axes=(1)} : f32[8]
        %4 = multiply %1 %1 : f32[8,7]
        %5 = sum %4 {axes=(1)} : f32[8]
        %6 = multiply %3 %5 : f32[8]
        %7 = add %6 %3 : f32[8]
        return %7""",
    ),
    "and so have their second moments": (
        lambda d, a: cnp.sum(cnp.concatenate([outer(d, a).reshape(8, -1), d], axis=1) ** 2, axis=0),
        [(8, 5), (8, 7)],
        SQUARES
        + """%3 = multiply %1 %1 : f32[8,7]
        %4 = contract %2 %3 {a=(0 1), b=(0 2), out=(1 2)} : f32[5,7]
        %5 = reshape %4 {shape=(35)} : f32[35]
        %6 = sum %2 {axes=(0)} : f32[5]
        %7 = concatenate %5 %6 {axis=0} : f32[40]
        return %7""",
    ),
    "what is no product is summed as it is made": (
        lambda d, a: cnp.sum(cnp.absolute(outer(d, a)), axis=0),
        [(8, 5), (8, 7)],
        DA
        + """%2 = broadcast %0 {shape=(8 5 7), axes=(0 1)} : f32[8,5,7]
        %3 = broadcast %1 {shape=(8 5 7), axes=(0 2)} : f32[8,5,7]
        %4 = multiply %2 %3 : f32[8,5,7]
        %5 = absolute %4 : f32[8,5,7]
        %6 = sum %5 {axes=(0)} : f32[5,7]
        return %6""",
    ),
}  # fmt: skip


def lines(text: str) -> str:
    return "".join(f"{line.strip()}\n" for line in text.strip().splitlines())


@pytest.mark.parametrize(("function", "shapes", "after"), BECOME.values(), ids=BECOME.keys())
def test_what_becomes_of_a_sum(function: Callable[..., Any], shapes: list[tuple[int, ...]], after: str) -> None:
    assert str(simplify(traced(function, *shapes))) == lines(after)


LAYER = """%0 = input {index=0} : f32[10,20]
    %1 = input {index=1} : f32[30,20]
    %2 = input {index=2} : f32[10,30]
    %3 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[10,30]
    %4 = multiply %3 %2 : f32[10,30]
    """
NEURON = """%0 = input {index=0} : f32[10,20]
    %1 = input {index=1} : f32[30,20]
    %2 = input {index=2} : f32[30]
    %3 = input {index=3} : f32[10]
    %4 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[10,30]
    %5 = tanh %4 : f32[10,30]
    %6 = contract %3 %2 {a=(0), b=(1), out=(0 1)} : f32[10,30]
    %7 = multiply %6 %5 : f32[10,30]
    %8 = contract %7 %0 {a=(0 1), b=(0 2), out=(1 2)} : f32[30,20]
    """
LEFT_ALONE = {
    "a layer below a single neuron, its weights": NEURON + "return %8",
    "a layer below a single neuron, weights and biases": NEURON + "%9 = sum %7 {axes=(0)} : f32[30]\nreturn %8, %9",
    "a layer and its gradients": LAYER
    + """%5 = contract %4 %0 {a=(0 1), b=(0 2), out=(1 2)} : f32[30,20]
    %6 = sum %4 {axes=(0)} : f32[30]
    return %5, %6""",
    "a product of three matrices that does not grow": LAYER
    + "%5 = contract %4 %1 {a=(0 1), b=(1 2), out=(0 2)} : f32[10,20]\nreturn %5",
    "an outer product that is asked for": DA
    + "%2 = contract %0 %1 {a=(0 1), b=(0 2), out=(0 1 2)} : f32[8,5,7]\nreturn %2",
    "sums over more times than there are weights": """%0 = input {index=0} : f32[8,50,4]
    %1 = input {index=1} : f32[8,50,6]
    %2 = contract %0 %1 {a=(0 1 2), b=(0 1 3), out=(0 2 3)} : f32[8,4,6]
    %3 = multiply %2 %2 : f32[8,4,6]
    %4 = sum %3 {axes=(1 2)} : f32[8]
    return %4""",
    "booleans, of which a sum is not one": """%0 = input {index=0} : bool[8,50]
    %1 = broadcast %0 {shape=(8 50 70), axes=(0 1)} : bool[8,50,70]
    %2 = input {index=1} : bool[8,70]
    %3 = broadcast %2 {shape=(8 50 70), axes=(0 2)} : bool[8,50,70]
    %4 = multiply %1 %3 : bool[8,50,70]
    %5 = sum %4 {axes=(1)} : bool[8,70]
    return %5""",
    "numbers that are lost outside": DA
    + """%2 = contract %0 %1 {a=(0 1), b=(0 2), out=(0 1 2)} : f32[8,5,7]
    %3 = full {value=1e-20} : f32[8,5,7]
    %4 = multiply %2 %3 : f32[8,5,7]
    %5 = contract %4 %4 {a=(0 1 2), b=(3 1 2), out=(0 3)} : f32[8,8]
    return %5""",
    "arrays without elements": """%0 = input {index=0} : f32[8,0]
    %1 = input {index=1} : f32[8,7]
    %2 = contract %0 %1 {a=(0 1), b=(0 2), out=(0 1 2)} : f32[8,0,7]
    %3 = contract %2 %2 {a=(0 1 2), b=(3 1 2), out=(0 3)} : f32[8,8]
    return %3""",
}  # fmt: skip


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=LEFT_ALONE.keys())
def test_where_nothing_is_gained_the_graph_is_the_same(text: str) -> None:
    graph = parse(text)
    assert with_cheap_products(graph) is graph


def test_what_is_needed_anyway_is_used() -> None:
    """The products are a result: their squares are summed over the batch as they are, which is cheaper than again."""
    graph = simplify(traced(lambda d, a: (outer(d, a), cnp.sum(outer(d, a) ** 2, axis=0)), (8, 5), (8, 7)))
    product = graph.outputs[0]
    (square,) = graph.outputs[1].inputs
    assert square is Node(ops.MULTIPLY, (product, product))


def test_what_is_needed_anyway_is_not_used_where_it_is_cheaper_without() -> None:
    graph = simplify(traced(lambda d, a: (outer(d, a), cnp.sum(outer(d, a) ** 2, axis=(1, 2))), (8, 50), (8, 70)))
    assert max(node.type.size for node in Graph(graph.inputs, graph.outputs[1:]).nodes()) == 8 * 70


def test_a_training_step_is_as_it_was() -> None:
    network = cr.nn.Network([20, 15, 12, 4], output="softmax")

    def cost(network: Any, x: Any, y: Any) -> Any:
        return -cnp.sum(y * cnp.log(network(x)))

    leaves, structure = flatten((network, np.zeros((6, 20), F32), np.zeros((6, 4), F32)))
    with transforming():
        graph, _ = trace(cr.value_and_grad(cost), structure, [type_of(np.asarray(leaf)) for leaf in leaves])
    simple = simplify(graph)
    assert with_cheap_products(simple) is simple


def test_equal_sums_are_found_whatever_wrote_them() -> None:
    """Three ways to write the inner products of all pairs are one graph."""

    def first(d: Array, a: Array) -> Array:
        return cnp.tensordot(outer(d, a), outer(d, a), axes=([1, 2], [1, 2]))

    def second(d: Array, a: Array) -> Array:
        return outer(d, a).reshape(8, -1) @ outer(d, a).reshape(8, -1).T

    def third(d: Array, a: Array) -> Array:
        return cnp.sum(outer(d, a)[:, None] * outer(d, a)[None], axis=(2, 3))

    texts = {str(simplify(traced(f, (8, 5), (8, 7)))) for f in (first, second, third)}
    assert len(texts) == 1


# what they cost

B, O, I, T = 24, 32, 40, 3  # noqa: E741
LARGE = B * O * I


def joined(d: Array, a: Array, e: Array, c: Array) -> Array:
    """The gradients of two layers and a bias, in one row for each example."""
    return cnp.concatenate([outer(d, a).reshape(B, -1), d, shared(e, c).reshape(B, -1)], axis=1)


def clipped(d: Array, a: Array) -> Array:
    lengths = cnp.sqrt(cnp.sum(outer(d, a) ** 2, axis=(1, 2)))
    return cnp.mean(outer(d, a) * cnp.minimum(1.0, 1.0 / lengths)[:, None, None], axis=0)


def normalized(d: Array, a: Array) -> Array:
    lengths = cnp.sqrt(cnp.sum(outer(d, a) ** 2, axis=(1, 2), keepdims=True))
    return cnp.sum(outer(d, a) / lengths, axis=0)


def penalty(d: Array, a: Array) -> Any:
    return cr.grad(lambda d: cnp.sum(cnp.sqrt(cnp.sum(outer(d, a) ** 2, axis=(1, 2)))))(d)


def in_steps(d: Array, a: Array) -> Array:
    """The products as broadcasting writes them, in a batch of batches of one."""
    return cnp.einsum("bxo,bxi->boi", d[:, None], a[:, None])


ONE, PAIR = [(B, O), (B, I)], [(B, T, O), (B, T, I)]
ASKED: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "the sum of all squares": (lambda d, a: cnp.sum(outer(d, a) ** 2), ONE),
    "squared lengths": (lambda d, a: cnp.sum(outer(d, a) ** 2, axis=(1, 2)), ONE),
    "squared lengths, broadcast": (lambda d, a: cnp.sum((d[:, :, None] * a[:, None]) ** 2, axis=(1, 2)), ONE),
    "squared lengths, transposed": (lambda d, a: cnp.sum(outer(d, a).transpose(2, 0, 1) ** 2, axis=(0, 2)), ONE),
    "squared lengths, batches of one": (lambda d, a: cnp.sum(in_steps(d, a) ** 2, axis=(1, 2)), ONE),
    "second moment": (lambda d, a: cnp.mean(outer(d, a) ** 2, axis=0), ONE),
    "fourth moment": (lambda d, a: cnp.mean(outer(d, a) ** 4, axis=0), ONE),
    "mean and variance": (
        lambda d, a: (cnp.mean(outer(d, a), 0), cnp.mean(outer(d, a) ** 2, 0) - cnp.mean(outer(d, a), 0) ** 2), ONE
    ),
    "variance, from the mean": (lambda d, a: cnp.var(outer(d, a), axis=0), ONE),
    "variance, batches of one": (lambda d, a: cnp.var(in_steps(d, a), axis=0), ONE),
    "sum of magnitudes": (lambda d, a: cnp.sum(cnp.absolute(outer(d, a)), axis=(1, 2)), ONE),
    "inner products": (lambda d, a: cnp.einsum("boi,coi->bc", outer(d, a), outer(d, a)), ONE),
    "the gradient": (lambda d, a: cnp.sum(outer(d, a), axis=0), ONE),
    "lengths and moment at once": (
        lambda d, a: (cnp.sum(outer(d, a) ** 2, axis=(1, 2)), cnp.sum(outer(d, a) ** 2, axis=0)), ONE
    ),
    "along a direction": (lambda d, a, v: cnp.sum(outer(d, a) * v, axis=(1, 2)), [*ONE, (O, I)]),
    "along a direction, flat": (lambda d, a, v: outer(d, a).reshape(B, -1) @ v, [*ONE, (O * I,)]),
    "clipped": (clipped, ONE),
    "normalized": (normalized, ONE),
    "the gradient of lengths": (penalty, ONE),
    "times: squared lengths": (lambda d, a: cnp.sum(shared(d, a) ** 2, axis=(1, 2)), PAIR),
    "times: second moment": (lambda d, a: cnp.mean(shared(d, a) ** 2, axis=0), PAIR),
    "times: inner products": (lambda d, a: cnp.einsum("boi,coi->bc", shared(d, a), shared(d, a)), PAIR),
    "times: along a direction": (lambda d, a, v: cnp.sum(shared(d, a) * v, axis=(1, 2)), [*PAIR, (O, I)]),
    "times: the gradient": (lambda d, a: cnp.sum(shared(d, a), axis=0), PAIR),
    "times, as a sum of products": (
        lambda d, a: cnp.sum(cnp.sum(cnp.einsum("bto,bti->btoi", d, a), axis=1) ** 2, axis=(1, 2)), PAIR
    ),
    "joined: squared lengths": (lambda *x: cnp.sum(joined(*x) ** 2, axis=1), [*ONE, *PAIR]),
    "joined: scaled": (lambda *x: cnp.sum((joined(*x) / 7.0 * -2.0) ** 2, axis=1), [*ONE, *PAIR]),
    "joined: inner products": (lambda *x: joined(*x) @ joined(*x).T, [*ONE, *PAIR]),
    "joined: the gradient": (lambda *x: cnp.mean(joined(*x), axis=0), [*ONE, *PAIR]),
    "joined: along a direction": (lambda *x: joined(*x[:-1]) @ x[-1], [*ONE, *PAIR, (2 * O * I + O,)]),
}  # fmt: skip


@pytest.mark.parametrize(("function", "shapes"), ASKED.values(), ids=ASKED.keys())
def test_nothing_as_large_as_batch_times_weights_is_ever_in_memory(
    function: Callable[..., Any], shapes: list[tuple[int, ...]]
) -> None:
    made = schedule(simplify(traced(function, *shapes)))
    assert [str(b) for b in made.temporaries if b.type.size >= LARGE // 2] == []
    _, size = plan(made.kernels, made.temporaries)
    assert size < 4 * LARGE  # bytes that the products would take


@pytest.mark.parametrize(("function", "shapes"), ASKED.values(), ids=ASKED.keys())
def test_what_is_asked_for_is_what_it_was(function: Callable[..., Any], shapes: list[tuple[int, ...]]) -> None:
    """In float64, where the result itself says how large the terms are."""
    graph = traced(function, *shapes, dtype="float64")
    rng = np.random.default_rng(0)
    arguments = [array_of(rng, node.type) for node in graph.inputs]
    found, expected = build(graph)(*arguments), interpret(graph, arguments)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11 * np.abs(other).max())


@pytest.mark.parametrize(("function", "shapes"), ASKED.values(), ids=ASKED.keys())
def test_the_text_is_the_same_every_time_and_there_is_nothing_left_to_do(
    function: Callable[..., Any], shapes: list[tuple[int, ...]]
) -> None:
    graph = traced(function, *shapes)
    simple = verify(simplify(graph))
    assert str(simplify(parse(str(graph)))) == str(simple)
    assert simplify(simple).outputs == simple.outputs


def test_the_second_moment_costs_one_contraction_more_than_the_gradient() -> None:
    def flops(function: Callable[..., Any]) -> int:
        return sum(kernel.flops for kernel in schedule(simplify(traced(function, *ONE))).kernels)

    gradient = flops(lambda d, a: cnp.sum(outer(d, a), axis=0))
    moment = flops(lambda d, a: cnp.sum(outer(d, a) ** 2, axis=0))
    lengths = flops(lambda d, a: cnp.sum(outer(d, a) ** 2, axis=(1, 2)))
    assert gradient == 2 * LARGE
    assert moment == gradient + B * (O + I)
    assert lengths == 2 * B * (O + I) + B


# what they mean


@dataclass
class Terms:
    """A random product over four axes, built twice: as it is, and of absolute values, which says what rounding may do.

    A sum of n products of m factors each, however it is ordered, differs from its value by no more than
    (n + m) eps times the sum of the products' absolute values, to first order (Higham, Accuracy and Stability of
    Numerical Algorithms, 2002, section 3.1).
    """

    draw: Callable[..., Any]
    dtype: np.dtype[Any]
    sizes: tuple[int, ...]
    types: list[Type] = field(default_factory=list)
    work: int = 1  # roundings that one term takes part in

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def input(self, *axes: int) -> Node:
        type_ = Type(tuple(self.sizes[a] for a in axes), self.dtype)
        self.types.append(type_)
        return input_node(len(self.types) - 1, type_)

    def product(self) -> Node:
        """A gradient for each example, of shape (b, o, i)."""
        b, t, o, i = range(4)
        shape = (self.sizes[b], self.sizes[o], self.sizes[i])
        kind = self.pick("outer", "outer", "times", "broadcast", "larger")
        if kind == "times":
            self.work *= self.sizes[t]
            d, a = self.input(b, t, o), self.input(b, t, i)
            return Node(ops.CONTRACT, (d, a), ((0, 1, 2), (0, 1, 3), (0, 2, 3)))
        d, a = self.input(b, o), self.input(b, i)
        if kind == "broadcast":
            return Node(ops.MULTIPLY, (_repeated(d, shape, (0, 1)), _repeated(a, shape, (0, 2))))
        product = Node(ops.CONTRACT, (d, a), ((0, 1), (0, 2), (0, 1, 2)))
        return Node(ops.MULTIPLY, (product, self.input(b, o, i))) if kind == "larger" else product

    def scaled(self, x: Node) -> Node:
        """Something done to it that leaves it a product."""
        self.work += 2
        kind = self.pick("number", "negative", "quotient", "twice", "turned", "examples", "weights", "none")
        if kind in ("number", "quotient") and (kind == "number" or self.dtype.kind == "f"):
            number = full(self.pick(2, 3, 7), x.type)
            return Node(ops.MULTIPLY if kind == "number" else ops.DIVIDE, (x, number))
        if kind == "negative":
            return Node(ops.NEGATIVE, (x,))
        if kind == "twice":
            return Node(ops.ADD, (x, x))
        if kind == "turned":
            turned = Node(ops.TRANSPOSE, (x,), ((1, 2, 0),))
            weighted = Node(ops.MULTIPLY, (turned, _repeated(self.input(0), turned.type.shape, (2,))))
            return Node(ops.TRANSPOSE, (weighted,), ((2, 0, 1),))
        if kind == "examples":
            return Node(ops.MULTIPLY, (_repeated(self.input(0), x.type.shape, (0,)), x))
        if kind == "weights":
            return Node(ops.MULTIPLY, (x, _repeated(self.input(2, 3), x.type.shape, (1, 2))))
        return x

    def rows(self) -> Node:
        """Of shape (b, weights): a product flattened, alone or beside others."""
        parts = [self.flat(self.scaled(self.product())) for _ in range(self.pick(1, 1, 2))]
        if self.pick(True, False):
            parts.insert(self.pick(0, len(parts)), self.input(0, 2))
        return self.scaled_rows(parts[0] if len(parts) == 1 else Node(ops.CONCATENATE, tuple(parts), (1,)))

    def flat(self, x: Node) -> Node:
        order = self.pick((0, 1, 2), (0, 2, 1))
        turned = x if order == (0, 1, 2) else Node(ops.TRANSPOSE, (x,), (order,))
        return Node(ops.RESHAPE, (turned,), ((x.type.shape[0], x.type.shape[1] * x.type.shape[2]),))

    def scaled_rows(self, x: Node) -> Node:
        self.work += 1
        return Node(ops.MULTIPLY, (x, full(3, x.type))) if self.pick(True, False) else x

    def asked(self) -> Node:
        """What is asked of them."""
        if self.pick(True, False):
            rows = self.rows()
            other = self.pick(rows, rows, None)
            if other is None or self.pick(True, False):
                return self.paired(rows, other)
            return Node(ops.SUM, (Node(ops.MULTIPLY, (rows, rows)),), (self.pick((0,), (1,), (0, 1)),))
        x = self.scaled(self.product())
        y = self.pick(x, None)
        product = Node(ops.MULTIPLY, (x, y or self.scaled(self.product()))) if self.pick(True, True, False) else x
        return Node(ops.SUM, (product,), (self.pick((0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)),))

    def paired(self, rows: Node, other: Node | None) -> Node:
        if other is not None:
            return Node(ops.CONTRACT, (rows, other), ((0, 1), (2, 1), self.pick((0, 2), (2, 0))))
        self.types.append(rows.type.with_shape(rows.type.shape[1:]))
        direction = input_node(len(self.types) - 1, self.types[-1])
        return Node(ops.CONTRACT, (rows, direction), ((0, 1), (1,), (0,)))


def _repeated(x: Node, shape: tuple[int, ...], axes: tuple[int, ...]) -> Node:
    return Node(ops.BROADCAST, (x,), (shape, axes))


@st.composite
def sums(draw: Callable[..., Any], dtypes: Sequence[str] = ("float32", "float64")) -> tuple[Graph, int, int]:
    """Graphs of one or two sums of products; the roundings that a term takes part in; a seed."""
    sizes = tuple(draw(st.sampled_from((1, 2, 3, 4, 6))) for _ in range(4))
    terms = Terms(draw, np.dtype(draw(st.sampled_from(dtypes))), sizes)
    outputs = tuple(terms.asked() for _ in range(draw(st.integers(1, 2))))
    inputs = tuple(input_node(n, type_) for n, type_ in enumerate(terms.types))
    summed = math.prod(sizes) * terms.work
    return Graph(inputs, outputs), 10 + summed, draw(st.integers(0, 2**20))


def absolute(graph: Graph) -> Graph:
    """The graph with every number in it and every minus made positive."""
    new: dict[Node, Node] = {}
    for node in graph.nodes():
        inputs = tuple(new[n] for n in node.inputs)
        new[node] = inputs[0] if node.op is ops.NEGATIVE else Node(node.op, inputs, node.attributes)
    return Graph(graph.inputs, tuple(new[node] for node in graph.outputs))


def assert_same_sums(found: Sequence[Any], graph: Graph, arguments: Sequence[Any], roundings: int) -> None:
    wide = [np.abs(a).astype(np.float64) for a in arguments]
    expected = interpret(graph, arguments)
    magnitudes = interpret(absolute(graph), [a.astype(x.dtype) for a, x in zip(wide, arguments, strict=True)])
    for one, other, magnitude in zip(found, expected, magnitudes, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        if other.dtype.kind != "f":
            np.testing.assert_array_equal(one, other)
            continue
        bound = roundings * np.finfo(other.dtype).eps * magnitude
        assert (np.abs(one.astype(np.float64) - other) <= bound).all()


@examples(4)
@given(sums())
def test_a_sum_of_products_is_the_same_up_to_rounding(drawn: tuple[Graph, int, int]) -> None:
    graph, roundings, seed = drawn
    arguments = [array_of(np.random.default_rng(seed), node.type) for node in graph.inputs]
    assert_same_sums(interpret(verify(simplify(graph)), arguments), graph, arguments, roundings)


@examples(2)
@given(sums(("int64", "int8", "uint8")))
def test_a_sum_of_products_of_integers_is_the_same(drawn: tuple[Graph, int, int]) -> None:
    """Also where it overflows: integers wrap around in every order to the same result."""
    graph, roundings, seed = drawn
    arguments = [array_of(np.random.default_rng(seed), node.type) for node in graph.inputs]
    assert_same_sums(interpret(verify(simplify(graph)), arguments), graph, arguments, roundings)


@examples(0.5)
@given(sums())
def test_native_code_computes_the_same_sums(drawn: tuple[Graph, int, int]) -> None:
    graph, roundings, seed = drawn
    arguments = [array_of(np.random.default_rng(seed), node.type) for node in graph.inputs]
    assert_same_sums(build(graph)(*arguments), graph, arguments, roundings)


@examples(2)
@given(sums())
def test_simplifying_a_sum_twice_is_simplifying_it_once(drawn: tuple[Graph, int, int]) -> None:
    once = simplify(drawn[0])
    assert simplify(once).outputs == once.outputs


def test_a_squared_length_is_not_negative_where_the_times_cancel() -> None:
    """Two times whose gradients cancel to the last bit but for one: the length is nothing, and not less than that."""
    graph = traced(lambda d, a: cnp.sqrt(cnp.sum(shared(d, a) ** 2, axis=(1, 2))), (50, 2, 30), (50, 2, 40))
    rng = np.random.default_rng(1)
    d, a = rng.normal(size=(50, 1, 30)).astype(F32), rng.normal(size=(50, 1, 40)).astype(F32)
    scale = F32.type(0.1)
    lengths = build(graph)(np.concatenate([d, d / scale], axis=1), np.concatenate([a, -a * scale], axis=1))[0]
    assert np.isfinite(lengths).all()


# around them


def test_new_nodes_come_from_the_line_that_asked() -> None:
    d, a = (input_node(n, Type(shape, F32)) for n, shape in enumerate(ONE))
    product = Node(ops.CONTRACT, (d, a), ((0, 1), (0, 2), (0, 1, 2)))
    total = Node(ops.SUM, (Node(ops.MULTIPLY, (product, product)),), ((1, 2),))
    here, there = Origin("a.py", 1), Origin("a.py", 2)
    simple = simplify(Graph((d, a), (total,), {product: (here,), total: (there,)}))
    made = [node for node in simple.nodes() if node.inputs]
    assert len(made) == 5
    assert all(simple.origins[node] == (there, here) for node in made)


def test_towers_of_powers_and_of_scales_are_left_standing() -> None:
    """Neither thousands of factors nor thousands of operations are looked through."""

    def powers(d: Array, a: Array) -> Array:
        x = outer(d, a)
        for _ in range(40):
            x = x * x
        return cnp.sum(x, axis=0)

    def scales(d: Array, a: Array) -> Array:
        x = outer(d, a)
        for n in range(3000):
            x = x * float(n + 3)
        return cnp.sum(x, axis=0)

    for function in (powers, scales):
        assert simplify(traced(function, (2, 3), (2, 4))).outputs[0].op is ops.SUM


@pytest.mark.parametrize("shape", list(itertools.product((0, 1, 4), repeat=3)))
def test_axes_without_elements_or_with_one(shape: tuple[int, int, int]) -> None:
    b, o, i = shape
    graph = traced(
        lambda d, a: (cnp.sum(outer(d, a) ** 2, axis=(1, 2)), cnp.sum(outer(d, a) ** 2, 0), cnp.sum(outer(d, a))),
        (b, o), (b, i), dtype="float64",
    )  # fmt: skip
    rng = np.random.default_rng(2)
    arguments = [array_of(rng, node.type) for node in graph.inputs]
    for one, other in zip(interpret(simplify(graph), arguments), interpret(graph, arguments), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
