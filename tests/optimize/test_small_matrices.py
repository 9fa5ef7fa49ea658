"""Linear algebra of up to three rows is native: no call to NumPy, LAPACK's accuracy, and the same derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.schedule.host_calls import host_operations
from chainrule.schedule.schedule import HostCall

SIZES = (1, 2, 3)
linalg = np.linalg


def definite(a: Any) -> Any:
    return a @ np.swapaxes(a, -1, -2) + np.eye(a.shape[-1])


def of_columns(a: Any) -> Any:
    return np.stack([np.sin(a[..., 0]), np.cos(a[..., 0])], axis=-1)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "inv": lambda a: linalg.inv(a),
    "solve": lambda a: linalg.solve(a, of_columns(a)),
    "solve, a vector": lambda a: linalg.solve(a, np.arange(1.0, a.shape[-1] + 1)),
    "slogdet": lambda a: linalg.slogdet(a)[0] * np.exp(linalg.slogdet(a)[1] / 3),
    "det": lambda a: linalg.det(a),
    "cholesky": lambda a: linalg.cholesky(definite(a)),
    "the upper cholesky": lambda a: linalg.cholesky(definite(a), upper=True),
    "matrix_power": lambda a: linalg.matrix_power(a, -2),
}


def total(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda a: np.sum(np.sin(function(a)))


def matrices(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def calls(compiled: Any, *arguments: Any) -> list[str]:
    program = compiled.program(*arguments)
    assert sum(isinstance(step, HostCall) for step in program.schedule.steps) <= len(host_operations(program.graph))
    return [node.op.name for node in host_operations(program.graph)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_program_of_small_matrices_calls_nothing_and_agrees_with_lapack(name: str) -> None:
    function = FUNCTIONS[name]
    for size in SIZES:
        a = matrices(size, size)
        for made, digits in ((function, 13), (cr.grad(total(function)), 11), (cr.hessian(total(function)), 9)):
            compiled = cr.compile(made)
            assert calls(compiled, a) == []
            np.testing.assert_allclose(compiled(a), made(a), rtol=10.0 ** (1 - digits), atol=10.0**-digits)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_stack_of_small_matrices_is_as_good_as_one(name: str) -> None:
    function = FUNCTIONS[name]
    for stack in ((5,), (2, 1, 4), (0,)):
        if name == "solve, a vector":
            continue  # of a stack, NumPy takes a vector for a matrix
        a = matrices(*stack, 3, 3)
        compiled = cr.compile(cr.value_and_grad(total(function)))
        assert calls(compiled, a) == []
        for found, wanted in zip(compiled(a), cr.value_and_grad(total(function))(a), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    a = matrices(4, 2, 2)
    compiled = cr.compile(cr.vmap(function))
    assert calls(compiled, a) == []
    np.testing.assert_allclose(compiled(a), np.stack([function(one) for one in a]), rtol=1e-12, atol=1e-14)


def test_a_loop_around_small_matrices_calls_nothing_either() -> None:
    """A Kalman filter: an inverse, a solution and a determinant in every round."""
    moved, noise = np.array([[1.0, 0.1], [0.0, 1.0]]), 0.1 * np.eye(2)

    def cost(seen: Any) -> Any:
        def one_round(carry: Any, z: Any) -> Any:
            x, p = carry
            x, p = moved @ x, moved @ p @ moved.T + noise
            s = p + noise
            missed = z - x
            gain = np.matmul(p, np.linalg.inv(s))
            spent = 0.5 * missed @ np.linalg.solve(s, missed) + 0.5 * np.linalg.slogdet(s)[1]
            return (x + gain @ missed, p - gain @ p), spent

        return np.sum(cr.scan(one_round, (np.zeros(2), np.eye(2)), seen)[1])

    seen = matrices(6, 2)
    compiled = cr.compile(cr.value_and_grad(cost))
    assert calls(compiled, seen) == []
    value, slope = compiled(seen)
    wanted = cr.value_and_grad(cost)(seen)
    np.testing.assert_allclose(value, wanted[0], rtol=1e-12)
    np.testing.assert_allclose(slope, wanted[1], rtol=1e-11, atol=1e-13)


def test_larger_matrices_are_lapacks() -> None:
    a = matrices(4, 4)
    assert calls(cr.compile(FUNCTIONS["inv"]), a) == ["solve"]
    assert calls(cr.compile(lambda a, b: (linalg.inv(a), linalg.slogdet(b))), a, matrices(3, 3)) == ["solve"]


# accuracy, held against exact fractions


def exact(a: np.ndarray) -> list[list[Fraction]]:
    return [[Fraction(float(x)) for x in row] for row in a]


def determinant(a: list[list[Fraction]]) -> Fraction:
    if len(a) == 1:
        return a[0][0]
    minors = ([[*row[:n], *row[n + 1 :]] for row in a[1:]] for n in range(len(a)))
    return sum(((-1) ** n * a[0][n] * determinant(m) for n, m in enumerate(minors)), Fraction(0))


def difficult(dtype: str, size: int) -> list[np.ndarray]:
    """Matrices whose elements differ by orders of magnitude, nearly dependent ones, ones that need every exchange."""
    rng = np.random.default_rng(size)
    found = [rng.normal(size=(size, size)) * 10.0 ** rng.uniform(-6, 6, (size, size)) for _ in range(30)]
    found += [np.diag(10.0 ** rng.uniform(-8, 8, size)) @ rng.normal(size=(size, size)) for _ in range(10)]
    found += [np.ones((size, size)) + 1e-3 * rng.normal(size=(size, size)) for _ in range(10)]
    found += [1 / (1.0 + np.add.outer(np.arange(size), np.arange(size))), np.eye(size)[::-1] + 1e-20]
    found += [np.roll(np.eye(size), n, axis=0) for n in range(size)]
    return [a.astype(dtype) for a in found]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_elimination_is_backward_stable(size: int, dtype: str) -> None:
    eps = float(np.finfo(dtype).eps)
    solve = cr.compile(lambda a, b: linalg.solve(a, b))
    slogdet = cr.compile(lambda a: linalg.slogdet(a))
    for n, a in enumerate(difficult(dtype, size)):
        b = np.random.default_rng(n).normal(size=size).astype(dtype)
        x = solve(a, b)
        assert x.dtype == dtype
        for row, right in zip(exact(a), b, strict=True):
            missed = sum((p * Fraction(float(q)) for p, q in zip(row, x, strict=True)), -Fraction(float(right)))
            assert abs(missed) <= 16 * eps * float(np.abs(a).max()) * float(np.abs(x).max())
        sign, logarithm = slogdet(a)
        whole = determinant(exact(a))
        assert sign == (1 if whole > 0 else -1)
        bound = 16 * eps * (linalg.cond(a.astype(np.float64), 1) + abs(logarithm))
        assert logarithm == pytest.approx(math.log(abs(whole)), abs=bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_a_cholesky_factor_is_backward_stable(size: int, dtype: str) -> None:
    cholesky = cr.compile(lambda a: linalg.cholesky(a))
    rng = np.random.default_rng(size)
    for _ in range(30):
        factor = np.tril(rng.normal(size=(size, size)) * 10.0 ** rng.uniform(-3, 3, (size, 1)))
        a = (factor @ factor.T).astype(dtype)
        lower = cholesky(a)
        np.testing.assert_array_equal(lower, np.tril(lower))
        given, found = exact(a), exact(lower)
        for i in range(size):
            for j in range(i + 1):
                missed = given[i][j] - sum((p * q for p, q in zip(found[i], found[j], strict=True)), Fraction(0))
                assert abs(missed) <= 8 * float(np.finfo(dtype).eps) * math.sqrt(a[i, i] * a[j, j])


# what cannot be solved


def test_a_singular_matrix_gives_nan_in_a_program_and_is_refused_elsewhere() -> None:
    singular = [
        np.zeros((1, 1)), np.zeros((2, 2)), np.array([[1.0, 2.0], [2.0, 4.0]]), np.array([[0.0, 1.0], [0.0, 2.0]]),
        np.zeros((3, 3)), np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 5.0]]), np.ones((3, 3)),
    ]  # fmt: skip
    for a in singular:
        for function in (linalg.inv, lambda a: linalg.solve(a, np.ones(len(a)))):
            assert np.isnan(cr.compile(lambda a, f=function: f(a))(a)).all()
            with pytest.raises(linalg.LinAlgError):
                cr.value_and_grad(lambda a, f=function: np.sum(f(a)))(a)
        assert cr.compile(lambda a: linalg.slogdet(a))(a) == (0.0, -math.inf)
        assert np.isnan(cr.compile(cr.grad(lambda a: linalg.slogdet(a)[1]))(a)).all()


def test_a_matrix_that_is_not_positive_definite_has_no_factor_in_a_program() -> None:
    lower = cr.compile(lambda a: linalg.cholesky(a))
    for a in (np.array([[0.0]]), np.array([[-1.0]]), np.array([[1.0, 0.0], [2.0, 4.0]]), -np.eye(3)):
        assert np.isnan(lower(a)[-1, -1])
        with pytest.raises(linalg.LinAlgError):
            linalg.cholesky(a)
    stack = np.stack([np.eye(2), -np.eye(2)])
    np.testing.assert_array_equal(lower(stack)[0], np.eye(2))  # the others of a stack are as they are
