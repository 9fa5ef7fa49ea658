"""What must hold among derivatives whatever the function: of small networks, and of derivatives inside derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as np_
from chainrule.testing import assert_close, check_gradient
from chainrule.trace.tree import flatten, tree_map, unflatten

Run = Callable[[Any], Any]
RUNS = pytest.mark.parametrize("run", [lambda f: f, cr.compile], ids=["uncompiled", "compiled"])
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 2))


def network(activation: str) -> Any:
    return cr.nn.Network([4, 3, 2], activation, dtype=np.float64, seed=1)


def plain(seed: int = 2) -> dict[str, Any]:
    """A network as a dict of lists of tuples."""
    rng = np.random.default_rng(seed)
    return {"layers": [(rng.normal(size=(4, 3)), rng.normal(size=3)), (rng.normal(size=(3, 2)), rng.normal(size=2))]}


def model(parameters: Any, x: Any) -> Any:
    (w, b), (v, c) = parameters["layers"]
    return np_.tanh(x @ w + b) @ v + c


def squares(z: Any, y: Any) -> Any:
    return 0.5 * np_.mean(np_.sum((z - y) ** 2, axis=-1))


def cross_entropy(z: Any, y: Any) -> Any:
    return np_.mean(np_.log(np_.sum(np_.exp(z), axis=-1)) - np_.sum(z * y, axis=-1))


COSTS = pytest.mark.parametrize("cost", [squares, cross_entropy], ids=lambda f: f.__name__)


def cost_of(cost: Any) -> Callable[..., Any]:
    return lambda p, x, y: cost(model(p, x), y)


def vector(tree: Any) -> Any:
    return np.concatenate([np.ravel(leaf) for leaf in flatten(tree)[0]])


def square(blocks: Any, count: int) -> Any:
    """A Hessian of trees as one matrix."""
    leaves = flatten(blocks)[0]
    n = math.isqrt(len(leaves))
    like = flatten(plain())[0]
    rows = [[np.reshape(leaves[i * n + j], (like[i].size, like[j].size)) for j in range(n)] for i in range(n)]
    found = np.block(rows)
    assert found.shape == (count, count)
    return found


@COSTS
@RUNS
def test_the_mean_of_the_gradients_of_the_examples_is_the_gradient(cost: Any, run: Run) -> None:
    p, loss = plain(), cost_of(cost)
    each = run(cr.vmap(cr.grad(loss), in_axes=(None, 0, 0)))(p, X[:, None], Y[:, None])
    assert_close(tree_map(lambda g: g.mean(axis=0), each), cr.grad(loss)(p, X, Y))
    again = run(cr.per_example(cr.grad(loss)))(p, X, Y)
    assert_close(again, each)
    for n in range(len(X)):
        one = cr.grad(loss)(p, X[n : n + 1], Y[n : n + 1])
        assert_close(tree_map(lambda g, n=n: g[n], each), one)


@COSTS
@RUNS
def test_the_hessian_is_symmetric_and_its_products_are_those_of_hvp(cost: Any, run: Run) -> None:
    p, loss = plain(), cost_of(cost)
    v = plain(3)
    hessian = square(run(cr.hessian(loss))(p, X, Y), vector(p).size)
    np.testing.assert_allclose(hessian, hessian.T, rtol=0, atol=1e-12)
    product = run(lambda p, v: cr.hvp(lambda p: loss(p, X, Y))(p, v))(p, v)
    np.testing.assert_allclose(vector(product), hessian @ vector(v), rtol=1e-10, atol=1e-11)
    backward = run(cr.jacrev(cr.grad(loss)))(p, X, Y)
    np.testing.assert_allclose(square(backward, len(hessian)), hessian, rtol=0, atol=1e-12)


@COSTS
@RUNS
def test_the_gauss_newton_matrix_is_symmetric_positive_and_the_middle_of_the_hessian(cost: Any, run: Run) -> None:
    """G = Jᵀ·H·J, with the Jacobian of the model and the Hessian of the cost in the model's result."""
    p = plain()
    count = vector(p).size
    product = run(cr.ggn_vp(model, cost))
    columns = []
    leaves, structure = flatten(p)
    for n in range(count):
        unit = np.zeros(count)
        unit[n] = 1.0
        parts = np.split(unit, np.cumsum([leaf.size for leaf in leaves])[:-1])
        direction = unflatten(structure, [q.reshape(leaf.shape) for q, leaf in zip(parts, leaves, strict=True)])
        columns.append(vector(product(p, direction, X, Y)))
    matrix = np.stack(columns, axis=1)
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    jacobian = cr.jacobian(model)(p, X)
    j = np.concatenate([np.reshape(block, (Y.size, -1)) for block in flatten(jacobian)[0]], axis=1)
    h = cr.hessian(cost)(model(p, X), Y).reshape(Y.size, Y.size)
    np.testing.assert_allclose(matrix, j.T @ h @ j, rtol=0, atol=1e-12)


@RUNS
def test_jacobians_are_the_same_in_both_modes_and_from_products(run: Run) -> None:
    p = plain()

    def function(p: Any, x: Any) -> Any:
        return model(p, x), np_.sum(p["layers"][0][0])

    forward, backward = (run(mode(function, (0, 1)))(p, X) for mode in (cr.jacfwd, cr.jacrev))
    assert_close(forward, backward)
    (of_parameters, of_x), (of_sum, _) = forward
    assert of_parameters["layers"][0][0].shape == (5, 2, 4, 3)
    assert of_x.shape == (5, 2, 5, 4)
    assert of_sum["layers"][0][0].tolist() == np.ones((4, 3)).tolist()
    v = plain(4)
    change = cr.jvp(lambda p: model(p, X), (p,), (v,))[1]
    jacobian = cr.jacobian(model)(p, X)
    blocks = [np.reshape(b, (Y.size, -1)) for b in flatten(jacobian)[0]]
    np.testing.assert_allclose(np.concatenate(blocks, 1) @ vector(v), change.ravel(), rtol=1e-11, atol=1e-12)
    error = RNG.normal(size=Y.shape)
    pulled = cr.vjp(lambda p: model(p, X), p)[1](error)
    np.testing.assert_allclose(error.ravel() @ np.concatenate(blocks, 1), vector(pulled), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "softmax"])
def test_a_network_has_the_derivatives_that_its_cost_has(activation: str) -> None:
    check_gradient(lambda n, x: np_.mean(n(x) ** 2), network(activation), X)


def test_derivatives_are_linear_and_follow_the_product_and_the_chain_rule() -> None:
    f, g = (lambda x: np_.sin(x) * x), (lambda x: np_.exp(-x * x))
    x, v = X[0], X[1]
    df, dg = (cr.jvp(h, (x,), (v,))[1] for h in (f, g))
    assert_close(cr.jvp(lambda x: 2 * f(x) - 3 * g(x), (x,), (v,))[1], 2 * df - 3 * dg)
    assert_close(cr.jvp(lambda x: f(x) * g(x), (x,), (v,))[1], df * g(x) + f(x) * dg)
    assert_close(cr.jvp(lambda x: f(g(x)), (x,), (v,))[1], cr.jvp(f, (g(x),), (dg,))[1])
    assert_close(cr.jvp(f, (x,), (2 * v,))[1], 2 * df)
    outer, inner = cr.jacobian(f)(g(x)), cr.jacobian(g)(x)
    assert_close(cr.jacobian(lambda x: f(g(x)))(x), outer @ inner)


@RUNS
def test_a_batch_of_derivatives_is_a_derivative_of_a_batch(run: Run) -> None:
    def f(w: Any, x: Any) -> Any:
        return np_.sum(np_.tanh(w @ x) ** 2)

    w = RNG.normal(size=(3, 4))
    each = run(cr.vmap(cr.grad(f), in_axes=(None, 0)))(w, X)
    assert_close(each, np.stack([cr.grad(f)(w, x) for x in X]))
    together = run(cr.grad(lambda w: np_.sum(cr.vmap(f, in_axes=(None, 0))(w, X))))(w)
    assert_close(together, each.sum(axis=0))
    assert_close(run(cr.jacobian(cr.vmap(f, in_axes=(None, 0))))(w, X), each)
    hessians = run(cr.vmap(cr.hessian(f), in_axes=(None, 0)))(w, X)
    assert_close(hessians, np.stack([cr.hessian(f)(w, x) for x in X]))
    pushed = run(lambda w, x: cr.jvp(cr.vmap(f, in_axes=(None, 0)), (w, x), (w, x)))(w, X)
    assert_close(pushed[1], np.stack([cr.jvp(f, (w, x), (w, x))[1] for x in X]))


# a derivative does not take another's variable for its own


D = cr.grad


def forward(f: Any) -> Any:
    """The derivative of a function of one number, in forward mode."""
    return lambda x: cr.jvp(f, (x,), (1.0,))[1]


def by_batch(f: Any) -> Any:
    """The derivative through a batch of one."""
    return lambda x: cr.vmap(D(f))(np_.reshape(x, (1,)))[0]


def by_jacobian(f: Any) -> Any:
    return cr.jacobian(f, mode="forward")


MODES = {"backward": D, "forward": forward, "batch": by_batch, "jacobian": by_jacobian}
TWO = pytest.mark.parametrize(("outer", "inner"), [(a, b) for a in MODES for b in MODES])
#: A batch has no values that Python could look at.
LOOKING = pytest.mark.parametrize(("outer", "inner"), [(a, b) for a in MODES for b in MODES if "batch" not in (a, b)])


@RUNS
@TWO
def test_an_inner_derivative_does_not_see_the_outer_variable_as_its_own(outer: str, inner: str, run: Run) -> None:
    """d/dx (x · d/dy (x + y)) is 1, not 2; d/dx (x · d/dy (x·y²) at y = x) is 6x². Siskind and Pearlmutter, 2005."""
    d_outer, d_inner = MODES[outer], MODES[inner]
    assert run(d_outer(lambda x: x * d_inner(lambda y: x + y)(1.0)))(3.0) == 1.0
    assert run(d_outer(lambda x: x * d_inner(lambda y: x + y)(x)))(3.0) == 1.0
    assert run(d_outer(lambda x: x * d_inner(lambda y: x * y * y)(x)))(3.0) == 54.0
    assert run(d_outer(lambda x: x * d_inner(lambda y: y)(x) * d_inner(lambda x: x * x)(x)))(3.0) == 12.0
    assert run(d_outer(lambda x: d_inner(lambda y: d_inner(lambda x: x * y)(y))(x)))(3.0) == 0.0


@RUNS
@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
@pytest.mark.parametrize("third", ["backward", "forward"])
def test_three_derivatives_inside_each_other(first: str, second: str, third: str, run: Run) -> None:
    """d/dx (x · d/dy (y · d/dz (x·y·z²))) at z = y: the innermost is 2xy², the next 6xy² at y = 3, the last 108x."""
    a, b, c = MODES[first], MODES[second], MODES[third]

    def middle(x: Any) -> Any:
        return x * b(lambda y: y * c(lambda z: x * y * z * z)(y))(3.0)

    assert run(a(middle))(5.0) == 108.0 * 5.0
    assert run(a(b(c(lambda x: x**5))))(2.0) == 60 * 2.0**2


@RUNS
@TWO
def test_a_function_that_makes_functions(outer: str, inner: str, run: Run) -> None:
    """The derivative by the shift of a derivative of the shifted function: both variables meet in one closure."""

    def shifted(by: Any) -> Callable[[Any], Callable[[Any], Any]]:
        return lambda f: lambda x: f(x + by)

    d_outer, d_inner = MODES[outer], MODES[inner]
    found = run(d_outer(lambda by: d_inner(shifted(by)(np_.sin))(0.5)))(0.25)
    assert found == pytest.approx(-math.sin(0.75), rel=1e-13)


def newton(target: Any, slope_of: Any) -> Any:
    """x with x³ = target, by a loop that stops on a value: Python looks at what is being differentiated."""

    def cost(x: Any) -> Any:
        return x * x * x - target

    x, rounds = 0 * target + 2.0, 0
    while abs(cost(x)) > 1e-12 and rounds < 50:
        x, rounds = x - cost(x) / slope_of(cost)(x), rounds + 1
    return x - cost(x) / slope_of(cost)(x)


@LOOKING
def test_an_optimiser_that_stops_on_a_value_inside_what_is_differentiated(outer: str, inner: str) -> None:
    """x = t^⅓, so dx/dt = ⅓ t^−⅔ and d²x/dt² = −2/9 t^−5/3."""
    found = MODES[outer](lambda t: newton(t, MODES[inner]))(5.0)
    assert found == pytest.approx(5 ** (-2 / 3) / 3, rel=1e-9)


def test_an_optimiser_that_stops_on_a_value_inside_jvp_and_hessian() -> None:
    value, change = cr.jvp(lambda t: newton(t, D), (5.0,), (2.0,))
    assert (value, change) == (pytest.approx(5 ** (1 / 3)), pytest.approx(2 * 5 ** (-2 / 3) / 3, rel=1e-9))
    curvature = cr.hessian(lambda t: newton(t[0], D) * t[1])(np.array([5.0, 3.0]))
    expected = [[-2 / 9 * 5 ** (-5 / 3) * 3, 5 ** (-2 / 3) / 3], [5 ** (-2 / 3) / 3, 0.0]]
    np.testing.assert_allclose(curvature, expected, rtol=1e-8, atol=1e-10)


def test_gradient_descent_by_python_inside_what_is_differentiated() -> None:
    """Descent on ½(w − a)ᵀH(w − a) until the gradient is small; the derivative of its end by a is the identity."""
    h = np.array([[2.0, 0.5], [0.5, 1.0]])

    def minimum(a: Any) -> Any:
        w = 0 * a
        slope = D(lambda w: 0.5 * (w - a) @ h @ (w - a))
        while np_.sum(slope(w) ** 2) > 1e-26:
            w = w - 0.4 * slope(w)
        return w

    a = np.array([1.0, -2.0])
    np.testing.assert_allclose(cr.jacobian(minimum)(a), np.eye(2), atol=1e-10)
    np.testing.assert_allclose(cr.jacobian(minimum, mode="forward")(a), np.eye(2), atol=1e-10)
    np.testing.assert_allclose(cr.hessian(lambda a: np_.sum(minimum(a) ** 2))(a), 2 * np.eye(2), atol=1e-9)
