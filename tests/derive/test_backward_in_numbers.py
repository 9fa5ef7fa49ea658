"""Outside every transformation nobody differentiates a gradient again: its errors are numbers, and no node is made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.graph.node import Node


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The operations of the nodes that are made."""
    found: list[Any] = []
    make = Node._new

    def counted(*arguments: Any) -> Node:
        found.append(arguments[0])
        return make(*arguments)

    monkeypatch.setattr(Node, "_new", counted)
    return found


def chain(x: Any) -> Any:
    for _ in range(10):
        x = cnp.tanh(x @ cnp.ones((3, 3)) + 0.1)
    return cnp.sum(x)


def test_the_way_back_makes_no_nodes(made: list[Any]) -> None:
    cr.vjp(chain, np.ones((2, 3)))
    forward = len(made)
    made.clear()
    cr.grad(chain)(np.ones((2, 3)))
    assert len(made) <= forward + 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_errors_have_the_type_of_what_they_are_errors_of(dtype: Any) -> None:
    x = np.linspace(0.1, 1, 6, dtype=dtype).reshape(2, 3)

    def cost(x: Any) -> Any:
        y = cnp.maximum(x, 0.5) ** 3 + cnp.where(x > 0.3, x, 2 * x) / 3 + cnp.abs(x) * cnp.max(x, 0)
        return cnp.sum(cnp.concatenate([y[:, ::2], y[:, :1]], 1).T @ x) * 0.5

    eager, traced = cr.grad(cost)(x), cr.compile(cr.grad(cost))(x)
    assert eager.dtype == traced.dtype == dtype
    np.testing.assert_allclose(eager, traced, rtol=20 * float(np.finfo(dtype).eps))


def test_a_gradient_shares_no_memory_with_anything() -> None:
    a, b = np.ones(3), np.ones(3)
    of_a, of_b = cr.grad(lambda a, b: cnp.sum((a + b) * b), (0, 1))(a, b)
    assert not any(np.shares_memory(x, y) for x, y in ((of_a, of_b), (of_a, b), (of_b, a), (of_b, b)))
    of_a[0] = of_b[0] = 7.0
    np.testing.assert_array_equal(np.concatenate([a, b]), 1.0)


def test_an_argument_that_nothing_depends_on_has_zeros() -> None:
    of_x, of_y = cr.grad(lambda x, y: cnp.sum(x), (0, 1))(np.ones(2), np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(of_x, 1.0)
    assert (of_y.shape, of_y.dtype, of_y.any()) == ((2, 3), np.float32, False)


def test_a_rule_of_ones_own_may_take_derivatives() -> None:
    cubed = cr.custom_derivative(lambda x: x**3, pull=lambda error, y, x: error * cr.grad(lambda x: x**3)(x))
    assert float(cr.grad(lambda x: 2 * cubed(x))(2.0)) == 24.0


def test_warnings_of_the_function_itself_are_numpys() -> None:
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        cr.grad(lambda x: x * float(np.float64(1.0) / np.zeros(())) * 0)(1.0)
