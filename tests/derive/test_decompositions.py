"""Eigenvalues, singular values, orthogonal factors, pseudo-inverses: NumPy's values, and derivatives that are slopes.

The signs of vectors are any, and so are the vectors of equal values: derivatives are of what depends on neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import ChainruleError, DTypeError, OptionError, ShapeError
from chainrule.testing import assert_close, check_gradient
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array

SHAPES = [(3, 3), (5, 2), (2, 4), (1, 1), (1, 3), (3, 1), (2, 3, 3), (2, 1, 4, 3), (0, 3), (3, 0), (0, 0), (2, 0, 2),
          (0, 2, 2)]  # fmt: skip
SQUARE = [shape for shape in SHAPES if shape[-1] == shape[-2]]


def numbers(*shape: int, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def orthogonal(size: int, seed: int = 0) -> np.ndarray:
    return np.linalg.qr(numbers(size, size, seed=seed))[0]


def symmetric(a: Any) -> Any:
    return (a + a.mT) / 2


# what does not depend on the choice of vectors


def of_eigenvalues(n: Any, a: Any) -> Any:
    """V sin(Λ) Vᵀ."""
    values, vectors = n.linalg.eigh(a + n.swapaxes(a, -1, -2))
    return n.matmul(vectors * n.sin(values)[..., None, :], n.swapaxes(vectors, -1, -2))


def of_singular_values(n: Any, a: Any) -> Any:
    """U sin(S) Vᵀ."""
    left, values, right = n.linalg.svd(a, full_matrices=False)
    return n.matmul(left * n.sin(values)[..., None, :], right)


def polar(a: Any) -> Any:
    """U Vᵀ, the orthogonal matrix closest to a square one."""
    left, _, right = cnp.linalg.svd(a, full_matrices=False)
    return left @ right


ANY: dict[str, Callable[[Any], Any]] = {
    "svd": lambda a: of_singular_values(cnp, a),
    "polar": polar,
    "svdvals": lambda a: cnp.linalg.svdvals(a),
    "svd, values": lambda a: cnp.linalg.svd(a, compute_uv=False),
    "qr": lambda a: tuple(cnp.linalg.qr(a)),
    "pinv": lambda a: cnp.linalg.pinv(a),
    "nuc": lambda a: cnp.linalg.matrix_norm(a, ord="nuc"),
    "2": lambda a: cnp.linalg.norm(a, 2, axis=(-2, -1)),
    "-2": lambda a: cnp.linalg.norm(a, -2, axis=(-1, -2), keepdims=True),
    "cond": lambda a: cnp.linalg.cond(a),
}
ONLY_SQUARE: dict[str, Callable[[Any], Any]] = {
    "eigh": lambda a: of_eigenvalues(cnp, a),
    "eigvalsh": lambda a: cnp.linalg.eigvalsh(symmetric(a), "U"),
    "svd, full": lambda a: cnp.linalg.svd(a)[0] @ cnp.linalg.svd(a)[2],
    "qr, complete": lambda a: tuple(cnp.linalg.qr(a, "complete")),
    "cond, fro": lambda a: cnp.linalg.cond(a, "fro"),
}
CASES = [
    *((name, shape) for name in ANY for shape in SHAPES if 0 not in shape),
    *((name, shape) for name in ONLY_SQUARE for shape in SQUARE if 0 not in shape),
]


@pytest.mark.parametrize(("name", "shape"), CASES, ids=str)
def test_derivatives_are_slopes(name: str, shape: tuple[int, ...]) -> None:
    check_gradient({**ANY, **ONLY_SQUARE}[name], numbers(*shape))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*ANY, *ONLY_SQUARE])
def test_derivatives_are_the_same_compiled_and_in_batches(name: str, dtype: Any) -> None:
    function, given = {**ANY, **ONLY_SQUARE}[name], numbers(3, 4, 4, dtype=dtype)

    def cost(a: Any) -> Any:
        results = function(a)
        return sum(cnp.sum(cnp.sin(part)) for part in (results if isinstance(results, tuple) else (results,)))

    def both(a: Any) -> Any:
        return cr.value_and_grad(cost)(a), cr.hvp(cost)(a, cnp.cos(a))

    expected = [both(a) for a in given]
    tolerance = 2e-2 if dtype is np.float32 else 1e-9
    for found in (cr.vmap(both)(given), cr.compile(cr.vmap(both))(given)):
        (value, slope), second = found
        assert value.dtype == slope.dtype == second.dtype == dtype
        for n, ((v, s), h) in enumerate(expected):
            assert_close((value[n], slope[n], second[n]), (v, s, h), tolerance=tolerance)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if 0 in shape], ids=str)
def test_of_no_elements_there_is_a_derivative_of_no_elements(shape: tuple[int, ...]) -> None:
    functions = [ANY[name] for name in ("svd", "svdvals", "qr", "pinv", "nuc", "2")]
    functions += [ONLY_SQUARE[name] for name in ("eigh", "eigvalsh")] if shape in SQUARE else []
    for function in functions:
        slope = cr.grad(lambda a, function=function: cnp.sum(first(function(a))))
        np.testing.assert_array_equal(slope(np.zeros(shape)), np.zeros(shape))
        np.testing.assert_array_equal(cr.compile(slope)(np.zeros(shape)), np.zeros(shape))


def first(results: Any) -> Any:
    return results[0] if isinstance(results, tuple) else results


# NumPy's values and types


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_results_have_numpys_names_values_and_types(shape: tuple[int, ...], dtype: Any) -> None:
    a = numbers(*shape, dtype=dtype)
    assert_named_the_same(lambda n, a: n.linalg.svd(a, full_matrices=False), a)
    assert_named_the_same(lambda n, a: n.linalg.qr(a), a)
    if shape in SQUARE:
        for uplo in ("L", "u"):
            assert_named_the_same(lambda n, a, uplo=uplo: n.linalg.eigh(a, UPLO=uplo), a)


def assert_named_the_same(call: Callable[[Any, Any], Any], a: np.ndarray) -> None:
    expected, found = call(np, a), call(cnp, as_array(a))
    assert type(found).__name__ == type(expected).__name__
    assert found._fields == expected._fields
    for mine, theirs in zip(found, expected, strict=True):
        assert isinstance(mine, Array)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        assert_close(mine.value, theirs)


def test_the_condition_of_a_singular_matrix_is_infinite_as_in_numpy() -> None:
    for a in (np.zeros((2, 2)), np.diag([1.0, 0.0])):
        for p in (None, -2):
            np.testing.assert_array_equal(cnp.linalg.cond(as_array(a), p).value, np.linalg.cond(a, p))
    with pytest.raises(np.linalg.LinAlgError):
        _ = cnp.linalg.cond(as_array(np.zeros((2, 2))), 1).value


def test_the_sums_of_lstsq_are_numpys_where_the_rank_is_known() -> None:
    a, b = numbers(5, 3), numbers(5)
    for cutoff in (None, 0.9):
        for mine, theirs in zip(cnp.linalg.lstsq(as_array(a), b, cutoff), np.linalg.lstsq(a, b, cutoff), strict=True):
            assert_close(mine.value, np.asarray(theirs))
    sums = cr.compile(lambda a, b: cnp.linalg.lstsq(a, b, 0.9)[1])(a, b)
    assert_close(sums, np.sum((a @ np.linalg.lstsq(a, b, 0.9)[0] - b) ** 2, keepdims=True))


def test_the_rank_compiles() -> None:
    a = np.stack([np.eye(3), np.ones((3, 3)), np.zeros((3, 3))])
    np.testing.assert_array_equal(cr.compile(lambda a: cnp.linalg.matrix_rank(a))(a), [3, 1, 0])


# equal values


@pytest.mark.parametrize("turn", [np.eye(5), orthogonal(5)], ids=["on the diagonal", "turned"])
def test_what_takes_equal_eigenvalues_alike_has_the_right_derivative(turn: np.ndarray) -> None:
    a = turn * np.array([1.0, 1.0, 3.0, 3.0, 3.0]) @ turn.T

    def projection(a: Any) -> Any:
        largest = cnp.linalg.eigh(symmetric(a)).eigenvectors[:, 2:]
        return largest @ largest.T

    check_gradient(lambda a: cnp.sum(cnp.sin(cnp.linalg.eigvalsh(symmetric(a)))), a, order=1)
    check_gradient(projection, a, order=1)


@pytest.mark.parametrize(
    "a",
    [np.eye(4), orthogonal(4), orthogonal(5)[:, :3], orthogonal(4) * [1.0, 1.0, 3.0, 3.0] @ orthogonal(4, seed=1)],
    ids=["the identity", "orthogonal", "orthonormal columns", "two values"],
)
def test_what_takes_equal_singular_values_alike_has_the_right_derivative(a: np.ndarray) -> None:
    check_gradient(lambda a: cnp.sum(cnp.sin(cnp.linalg.svdvals(a))), a, order=1)
    check_gradient(polar, a, order=1)
    check_gradient(lambda a: cnp.linalg.norm(a, "nuc"), a)
    check_gradient(cnp.linalg.pinv, a)


def test_a_pseudo_inverse_of_low_rank_has_a_derivative_as_long_as_the_rank_stays() -> None:
    for rows, columns in ((4, 5), (4, 4), (5, 3)):
        check_gradient(lambda x, y: cnp.linalg.pinv(x @ y, 1e-10), numbers(rows, 2), numbers(2, columns))


# least squares


@pytest.mark.parametrize(("rows", "columns"), [(5, 3), (3, 3), (2, 4)])
@pytest.mark.parametrize("results", [(), (2,)])
def test_the_derivative_of_least_squares(rows: int, columns: int, results: tuple[int, ...]) -> None:
    a, b = numbers(rows, columns), numbers(rows, *results)
    check_gradient(lambda a, b: cnp.linalg.lstsq(a, b), a, b)


def test_least_squares_through_the_normal_equations_has_the_same_derivative() -> None:
    a, b = numbers(6, 3), numbers(6)

    def normal(a: Any, b: Any) -> Any:
        return cnp.sum(cnp.sin(cnp.linalg.solve(a.T @ a, a.T @ b)))

    def direct(a: Any, b: Any) -> Any:
        return cnp.sum(cnp.sin(cnp.linalg.lstsq(a, b)[0]))

    assert_close(cr.grad(direct, (0, 1))(a, b), cr.grad(normal, (0, 1))(a, b), tolerance=1e-10)
    assert_close(cr.hessian(direct)(a, b), cr.hessian(normal)(a, b), tolerance=1e-9)


# another implementation


OF_AUTOGRAD: dict[str, tuple[Callable[[Any, Any], Any], tuple[int, ...]]] = {
    "eigh": (of_eigenvalues, (4, 4)),
    "eigh of a stack": (of_eigenvalues, (2, 3, 3)),
    "eigenvectors": (lambda n, a: n.linalg.eigh(a + n.swapaxes(a, 0, 1))[1], (4, 4)),
    "svd": (of_singular_values, (4, 4)),
    "svd, tall": (of_singular_values, (5, 3)),
    "svd of a stack": (of_singular_values, (2, 3, 4)),
    "singular vectors": (lambda n, a: n.linalg.svd(a, full_matrices=False)[0], (4, 3)),
    "pinv": (lambda n, a: n.linalg.pinv(a), (4, 3)),
    "nuc": (lambda n, a: n.linalg.norm(a, "nuc"), (4, 3)),
}


@pytest.mark.parametrize("name", OF_AUTOGRAD)
def test_a_gradient_is_autograds(name: str) -> None:
    function, shape = OF_AUTOGRAD[name]
    a = numbers(*shape)
    weights = np.cos(np.arange(function(np, a).size)).reshape(function(np, a).shape)
    found = cr.grad(lambda a: cnp.sum(cnp.sin(function(cnp, a)) * weights))(a)
    assert_close(found, autograd.grad(lambda a: anp.sum(anp.sin(function(anp, a)) * weights))(a), tolerance=1e-10)


# what is refused


A, TALL = as_array(np.eye(3)), as_array(np.ones((3, 2)))
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "eig": (lambda: cnp.linalg.eig(A), DTypeError, "write linalg.eigh(a)"),
    "eigvals by NumPy's name": (lambda: np.linalg.eigvals(A), DTypeError, "write linalg.eigvalsh(a)"),
    "eigh of no square": (lambda: cnp.linalg.eigh(TALL), ShapeError, "eigh needs square matrices, not f64[3,2]"),
    "eigh, UPLO": (lambda: cnp.linalg.eigh(A, "X"), OptionError, "UPLO must be one of 'L', 'U', not 'X'"),
    "svd in full": (lambda: cnp.linalg.svd(TALL), OptionError, "full_matrices=False"),
    "svd, hermitian": (lambda: cnp.linalg.svd(A, hermitian=True), OptionError, "linalg.eigh(a)"),
    "svd of a vector": (lambda: cnp.linalg.svd(A[0]), ShapeError, "svd needs matrices, not f64[3]"),
    "qr, complete": (lambda: cnp.linalg.qr(TALL, "complete"), OptionError, "'reduced' or 'r'"),
    "qr, raw": (lambda: cnp.linalg.qr(A, mode="raw"), OptionError, "does not take mode='raw'"),
    "pinv, twice told": (lambda: cnp.linalg.pinv(A, 1e-9, rtol=1e-9), OptionError, "rcond and rtol"),
    "rank, twice told": (lambda: cnp.linalg.matrix_rank(A, 1e-9, rtol=1e-9), OptionError, "tol and rtol"),
    "cond of nothing": (lambda: cnp.linalg.cond(A[:0]), np.linalg.LinAlgError, "not defined on empty arrays"),
    "lstsq": (lambda: cnp.linalg.lstsq(A, TALL[:2]), ShapeError, "f64[3,3] and f64[2,2] do not fit together"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    call, error, text = REFUSED[name]
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert isinstance(caught.value, (ChainruleError, np.linalg.LinAlgError))


def test_on_plain_arrays_they_are_numpys() -> None:
    assert cnp.linalg.eig(np.array([[0.0, -1.0], [1.0, 0.0]])).eigenvalues.dtype.kind == "c"
    assert type(cnp.linalg.svd(np.ones((3, 2)))) is type(np.linalg.svd(np.ones((3, 2))))
