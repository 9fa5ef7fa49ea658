"""Derivatives against those of autograd, another implementation of the same mathematics, on random arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import autograd.scipy.special as aspecial
import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.testing import assert_close

RNG = np.random.default_rng(0)


def numbers(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return RNG.uniform(low, high, shape)


V, M, SQUARE, STACK = numbers(5), numbers(4, 3), numbers(3, 3) + 4 * np.eye(3), numbers(2, 3, 4)
POSITIVE, SMALL = numbers(5, low=0.2, high=3.0), numbers(5, low=-0.9, high=0.9)
ROWS = np.array([2, 0, 2, 3])

UNARY = {
    **dict.fromkeys(
        (
            "negative",
            "exp",
            "expm1",
            "tanh",
            "sin",
            "cos",
            "sinh",
            "cosh",
            "arctan",
            "arcsinh",
            "absolute",
            "square",
            "exp2",
        ),
        V,
    ),
    **dict.fromkeys(("log", "log2", "log10", "log1p", "sqrt", "reciprocal"), POSITIVE),
    **dict.fromkeys(("arcsin", "arccos", "arctanh", "tan"), SMALL),
    "arccosh": POSITIVE + 1.0,
}
BINARY = {
    **dict.fromkeys(
        ("add", "subtract", "multiply", "maximum", "minimum", "arctan2", "logaddexp", "fmax", "fmin"),
        (V, V[::-1] + 0.1),
    ),
    **dict.fromkeys(("divide", "power"), (POSITIVE, V)),
    "remainder": (V, POSITIVE),
}

#: A function of NumPy's names, and where to look at it. `n` is `autograd.numpy` or `chainrule.numpy`.
FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    **{name: (lambda n, x, name=name: getattr(n, name)(x), (x,)) for name, x in UNARY.items()},
    **{name: (lambda n, x, y, name=name: getattr(n, name)(x, y), pair) for name, pair in BINARY.items()},
    "a product": (lambda n, a, b: a @ b, (M, SQUARE)),
    "a product with a vector": (lambda n, a, v: n.dot(a, v), (SQUARE, V[:3])),
    "a product of stacks": (lambda n, a, b: n.matmul(a, b), (STACK, M)),
    "einsum": (lambda n, a, b: n.einsum("bij,jk->kbi", a, b), (STACK, M)),
    "tensordot": (lambda n, a, b: n.tensordot(a, b, axes=((1, 2), (1, 0))), (STACK, M)),
    "outer": (lambda n, a, b: n.outer(a, b), (V, POSITIVE)),
    "sum": (lambda n, x: n.sum(x, axis=(0, 2)), (STACK,)),
    "mean": (lambda n, x: n.mean(x, axis=1, keepdims=True), (STACK,)),
    "var": (lambda n, x: n.var(x, axis=1), (STACK,)),
    "std": (lambda n, x: n.std(x, axis=0), (M,)),
    "max": (lambda n, x: n.max(x, axis=1), (STACK,)),
    "min": (lambda n, x: n.min(x), (M,)),
    "prod": (lambda n, x: n.prod(x, axis=1), (M,)),
    "cumsum": (lambda n, x: n.cumsum(x, axis=0), (M,)),
    "reshape": (lambda n, x: n.reshape(x, (4, 6)) ** 2, (STACK,)),
    "transpose": (lambda n, x: n.transpose(x, (2, 0, 1)) ** 2, (STACK,)),
    "moveaxis": (lambda n, x: n.moveaxis(x, 0, -1) ** 3, (STACK,)),
    "concatenate": (lambda n, x, y: n.concatenate([x, y, x], axis=0) ** 2, (M, SQUARE)),
    "stack": (lambda n, x, y: n.stack([x, y], axis=1) ** 2, (V, POSITIVE)),
    "where": (lambda n, x, y: n.where(x > 0, n.sin(x), x * y), (V, POSITIVE)),
    "clip": (lambda n, x: n.clip(x, -1.0, 0.5) * x, (V,)),
    "tile": (lambda n, x: n.tile(x, (2, 3)) ** 2, (V,)),
    "repeat": (lambda n, x: n.repeat(x, 3, axis=0) ** 2, (M,)),
    "roll": (lambda n, x: n.roll(x, 2) * x, (V,)),
    "diagonal": (lambda n, x: n.diag(x) ** 2, (SQUARE,)),
    "trace": (lambda n, x: n.trace(x @ x), (SQUARE,)),
    "triangle": (lambda n, x: n.tril(x) @ n.triu(x, 1), (SQUARE,)),
    "indexing": (lambda n, x: x[1:, ::-2] ** 2 * x[0, 1], (M,)),
    "rows by number": (lambda n, x: x[ROWS] ** 2, (M,)),
    "broadcasting": (lambda n, x, y: x[:, None] * y / (1 + x[:, None] ** 2), (V, POSITIVE)),
    "a norm": (lambda n, x: n.linalg.norm(x), (M,)),
    "solve": (lambda n, a, b: n.linalg.solve(a, b), (SQUARE, V[:3])),
    "inv": (lambda n, a: n.linalg.inv(a), (SQUARE,)),
    "det": (lambda n, a: n.linalg.det(a), (SQUARE,)),
    "slogdet": (lambda n, a: n.linalg.slogdet(a)[1], (SQUARE,)),
    "cholesky": (lambda n, a: n.linalg.cholesky(a @ a.T), (SQUARE,)),
    "a network": (lambda n, w, v, x: n.tanh(n.tanh(x @ w) @ v), (numbers(3, 4), numbers(4, 2), M)),
    "softmax": (lambda n, x: n.exp(x) / n.sum(n.exp(x), axis=1, keepdims=True), (M,)),
    "log of a sum of exponentials": (lambda n, x: n.log(n.sum(n.exp(x - n.max(x)), axis=0)) + n.max(x), (M,)),
}  # fmt: skip


def cost(name: str, numpy: Any, arguments: tuple[Any, ...]) -> Any:
    """One number of all that the function gives, each element bent and with a weight of its own."""
    y = FUNCTIONS[name][0](numpy, *arguments)
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    return numpy.sum(numpy.sin(y) * weights)


def costs(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return (lambda *a: cost(name, cnp, a)), (lambda *a: cost(name, anp, a))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_gradient_is_autograds(name: str) -> None:
    (mine, theirs), arguments = costs(name), FUNCTIONS[name][1]
    assert_close(mine(*arguments), theirs(*arguments))
    found = cr.grad(mine, tuple(range(len(arguments))))(*arguments)
    for n, slope in enumerate(found):
        assert_close(slope, autograd.grad(theirs, n)(*arguments), tolerance=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_product_with_a_hessian_is_autograds(name: str) -> None:
    (mine, theirs), arguments = costs(name), FUNCTIONS[name][1]
    direction = np.sin(np.arange(1.0, arguments[0].size + 1)).reshape(arguments[0].shape)
    expected = autograd.grad(lambda *a: anp.sum(autograd.grad(theirs)(*a) * direction))(*arguments)
    found = cr.hvp(mine)(arguments[0], direction, *arguments[1:])
    assert_close(found, expected, tolerance=1e-10)


@pytest.mark.parametrize("name", ["a network", "softmax", "solve", "power", "einsum", "a norm"])
def test_a_jacobian_is_autograds(name: str) -> None:
    function, arguments = FUNCTIONS[name]
    expected = autograd.jacobian(lambda *a: function(anp, *a))(*arguments)
    for mode in ("forward", "reverse"):
        found = cr.jacobian(lambda *a: function(cnp, *a), mode=mode)(*arguments)
        assert_close(found, expected, tolerance=1e-11)


def test_the_error_function_is_autograds() -> None:
    from chainrule.graph import ops
    from chainrule.trace.primitives import apply
    from chainrule.trace.promotion import as_array

    expected = autograd.grad(lambda x: anp.sum(aspecial.erf(x) ** 2))(V)
    assert_close(cr.grad(lambda x: cnp.sum(apply(ops.ERF, as_array(x).node) ** 2))(V), expected)
