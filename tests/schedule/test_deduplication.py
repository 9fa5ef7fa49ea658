"""Kernels that do the same share a function: a loop written out compiles in the time of its kinds of kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.cpu.planning import planned
from chainrule.cpu.processor import host
from chainrule.errors import Hint
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import input_node
from chainrule.graph.types import Type
from chainrule.schedule import kernel as kernels
from chainrule.schedule.deduplication import from_the_start, signature
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.scheduling import schedule
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply

F64 = np.dtype(np.float64)


def balanced(rounds: int) -> Callable[[Any], Any]:
    """Sinkhorn's rounds, written out."""

    def f(cost: Any) -> Any:
        kernel = cnp.exp(-cost)
        u, v = cnp.ones(cost.shape[0]), cnp.ones(cost.shape[1])
        for _ in range(rounds):
            u = 1 / (kernel @ v)
            v = 1 / (kernel.T @ u)
        return cnp.sum(u[:, None] * kernel * v * cost)

    return f


def kinds(function: Callable[..., Any], *arguments: Any) -> tuple[int, int]:
    """How many kernels a compiled function has, and how many functions run them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Hint)
        made = cr.compile(function).program(*arguments).schedule
    found = [from_the_start(k)[0] for k in made.kernels]
    return len(found), len({signature(k) for k in found})


def test_more_rounds_are_more_kernels_but_not_more_functions() -> None:
    cost = np.random.default_rng(0).random((5, 6))
    few, many = (kinds(cr.grad(balanced(rounds)), cost) for rounds in (10, 20))
    assert many[0] > 1.7 * few[0]
    assert many[1] == few[1]


def test_kernels_that_begin_elsewhere_in_a_buffer_share_a_function() -> None:
    def f(x: Any) -> Any:
        return tuple(cnp.sum(cnp.tanh(x[n : n + 3])) for n in range(0, 12, 3))

    x = np.random.default_rng(0).random(12)
    assert kinds(f, x) == (4, 1)
    np.testing.assert_allclose(cr.compile(f)(x), np.tanh(x).reshape(4, 3).sum(1))


def programs(*functions: Callable[[Array, Array], Array], dtype: np.dtype[Any] = F64) -> list[Kernel]:
    """The kernels of functions of two arrays."""
    found = []
    for function in functions:
        inputs = [input_node(n, Type((4, 4), dtype)) for n in range(2)]
        output = function(*map(Array, inputs))
        made = planned(schedule(Graph(tuple(inputs), (output.node,))), host())
        found += [from_the_start(k)[0] for k in made.kernels]
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x, y: x * 2.0, lambda x, y: x * 3.0),
        (lambda x, y: x * 0.0, lambda x, y: x * -0.0),
        (lambda x, y: x + y, lambda x, y: x - y),
        (lambda x, y: x - y, lambda x, y: x - x),
        (lambda x, y: x + y, lambda x, y: x + y.T),
        (lambda x, y: cnp.sum(x, 0), lambda x, y: cnp.sum(x, 1)),
        (lambda x, y: cnp.sum(x, 0), lambda x, y: cnp.max(x, 0)),
        (lambda x, y: x[::2], lambda x, y: x[:2]),
        (lambda x, y: x[0] + x[1], lambda x, y: x[0] + x[2]),
        (lambda x, y: x @ y, lambda x, y: x @ y.T),
        (lambda x, y: x, lambda x, y: apply(ops.CAST, x.node, attributes=("float32",))),
    ],
)
def test_kernels_that_do_not_do_the_same_have_functions_of_their_own(one: Any, other: Any) -> None:
    first, second = (programs(function) for function in (one, other))
    assert {signature(k) for k in first} != {signature(k) for k in second}


def test_the_same_kernel_in_another_precision_is_another() -> None:
    singles = programs(lambda x, y: x * y, dtype=np.dtype(np.float32))
    assert {signature(k) for k in programs(lambda x, y: x * y)} != {signature(k) for k in singles}


def test_choosing_the_order_of_steps_looks_at_each_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the rounds, twice the looks into kernels: not four times, as when each choice asks everybody again."""
    looks = 0
    walk = kernels.walk

    def counted(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return walk(*arguments)

    monkeypatch.setattr(kernels, "walk", counted)
    cost, found = np.random.default_rng(0).random((3, 4)), []
    for rounds in (10, 20, 40):
        looks = 0
        kinds(cr.grad(balanced(rounds)), cost)
        found.append(looks)
    assert found[2] < 2.2 * found[1] < 4.8 * found[0]


def test_no_kernel_grows_with_the_length_of_a_program() -> None:
    """LLVM takes more than twice the time for a function of twice the length."""

    def cost(weights: Any, x: Any) -> Any:
        for k in range(200):
            x = cnp.sin(weights[k] * x) + x
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Hint)
        made = cr.compile(cr.grad(cost)).program(np.ones(200), 0.5).schedule
    assert max(len(k.stores) for k in made.kernels) <= 48
    assert sum(len(k.stores) for k in made.kernels) > 400


def test_a_long_chain_in_the_body_of_a_scan_compiles() -> None:
    """Hundreds of terms above each other: deeper than Python may call itself."""

    def cost(c: Any, xs: Any) -> Any:
        def body(c: Any, x: Any) -> Any:
            for k in range(400):
                c = cnp.sin(c) * 0.9 + x * (0.01 * k)
            return c, c

        return cnp.sum(cr.scan(body, c, xs)[1])

    c, xs = np.float64(0.3), np.linspace(0, 1, 3)
    found = cr.compile(cr.grad(cost))(c, xs)
    np.testing.assert_allclose(found, cr.grad(cost)(c, xs), rtol=1e-9)


def test_a_loop_written_out_is_hinted_at_once_with_its_line() -> None:
    slope = cr.compile(cr.grad(balanced(60)))
    with pytest.warns(Hint, match=r"cr\.scan compiles one round") as told:
        slope(np.random.default_rng(0).random((2, 3)))
    assert told[0].filename == __file__
    slope(np.ones((2, 3)))


def test_an_ordinary_program_is_not_hinted_at() -> None:
    cr.compile(cr.grad(balanced(2)))(np.ones((2, 7)))


def test_a_product_whose_operand_is_packed_may_begin_inside_a_buffer() -> None:
    """What is packed is a load of the kernel as it is after it was moved."""
    rng = np.random.default_rng(0)
    v, x = rng.normal(size=24), rng.normal(size=(64, 2))
    product = cr.compile(lambda v: cnp.tanh(x @ v[:16].reshape(8, 2).T + v[16:]))
    kernel = next(k for k in product.program(v).schedule.kernels if k.tiling and k.tiling.packed)
    moved, starts = from_the_start(kernel)
    assert any(starts)
    assert moved.tiling is not None
    assert set(moved.tiling.packed) <= set(moved.loads)
    np.testing.assert_allclose(product(v), np.tanh(x @ v[:16].reshape(8, 2).T + v[16:]), rtol=1e-14)
