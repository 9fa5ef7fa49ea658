"""The error of a sum in native code grows at most as the logarithm of the number of its terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp

TENTH = np.float32(0.1)


def relative_error(found: Any, exact: Any) -> float:
    return float(np.max(np.abs(np.asarray(found, np.float64) - exact) / np.abs(exact)))


def bound(terms: int, dtype: Any = np.float32) -> float:
    """As many roundings, each of half a unit in the last place, as pairwise sums of so many terms have, doubled."""
    return float(np.finfo(dtype).eps) * np.log2(terms)


def filled(*shape: int) -> np.ndarray[Any, Any]:
    return np.full(shape, TENTH)


SUMS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...], int, float]] = {
    "all": (cnp.sum, (5000, 784), 5000 * 784, 1),
    "one axis of a million": (cnp.sum, (1_000_000,), 1_000_000, 1),
    "the last axis": (lambda x: cnp.sum(x, -1), (4, 1_000_000), 1_000_000, 1),
    "the first axis": (lambda x: cnp.sum(x, 0), (500_000, 3), 500_000, 1),
    "a middle axis": (lambda x: cnp.sum(x, 1), (3, 100_000, 5), 100_000, 1),
    "two axes that do not merge": (lambda x: cnp.sum(x, (0, 2)), (50_000, 3, 7), 350_000, 1),
    "a short axis in a long one": (lambda x: cnp.sum(x.T, (0, 1)), (100_000, 3), 300_000, 1),
    "a mean": (cnp.mean, (1_000_000,), 1, 1),
    "squares": (lambda x: cnp.sum(x * x), (1_000_000,), 1_000_000, 2),
    "a dot product": (lambda x: x @ x, (1_000_000,), 1_000_000, 2),
    "a matrix and a vector": (lambda x: x.T @ x[:, 0], (300_000, 3), 300_000, 2),
    "a full-batch weight gradient": (lambda x: x.T @ x[:, :30], (50_000, 40), 50_000, 2),
    "the rows of a product": (lambda x: x @ x.T, (6, 300_000), 300_000, 2),
    "over two labels": (lambda x: cnp.einsum("bij,bik->jk", x, x), (700, 300, 4), 210_000, 2),
}  # fmt: skip


@pytest.mark.parametrize("case", SUMS)
def test_equal_terms_add_up(case: str) -> None:
    function, shape, terms, power = SUMS[case]
    found = cr.compile(function)(filled(*shape))
    assert relative_error(found, terms * float(TENTH) ** power) < bound(int(np.prod(shape)))


@pytest.mark.parametrize("terms", [15, 16, 17, 255, 257, 4095, 4097, 65_537, 1_048_579])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_term_is_counted_once_at_any_length(terms: int, dtype: Any) -> None:
    ones = np.ones(terms, dtype)
    total, longest, both = cr.compile(lambda x: (cnp.sum(x), cnp.sum(x[:, None] * x[:3], 0), x @ x))(ones)
    assert (total, both) == (terms, terms)
    np.testing.assert_array_equal(longest, terms)


def test_variances_of_long_columns_are_those_of_double_precision() -> None:
    x = np.random.default_rng(0).normal(3.0, 1.0, (200_000, 3)).astype(np.float32)
    variance, deviation = cr.compile(lambda x: (cnp.var(x, 0), cnp.std(x)))(x)
    assert relative_error(variance, x.astype(np.float64).var(0)) < bound(len(x))
    assert relative_error(deviation, x.astype(np.float64).std()) < bound(x.size)


@pytest.mark.parametrize("rows", [784, 20_000])
def test_sums_that_are_folded_into_the_kernel_of_their_terms(rows: int) -> None:
    def sums(a: Any, b: Any) -> Any:
        product = a @ b
        return product, cnp.sum(product), cnp.sum(product * product)

    a, b = filled(rows, 3), np.ones((3, 500), np.float32)
    f = cr.compile(sums)
    assert str(f.program(a, b)).count("+= sum of") == 2
    product, total, squares = f(a, b)
    exact = product.astype(np.float64)
    assert relative_error(total, exact.sum()) < bound(exact.size)
    assert relative_error(squares, (exact**2).sum()) < bound(exact.size)


def test_the_gradient_of_a_mean_over_a_long_batch() -> None:
    x, w = filled(60_000, 8), np.zeros(8, np.float32)
    slope = cr.compile(cr.grad(lambda w, x: cnp.mean((x @ w - 1) ** 2)))(w, x)
    assert relative_error(slope, -2 * float(TENTH)) < bound(len(x))


def test_infinities_and_nans_come_through_every_block() -> None:
    x = np.ones(100_000, np.float32)
    total = cr.compile(cnp.sum)
    x[77_777] = np.inf
    assert total(x) == np.inf
    x[3] = -np.inf
    assert np.isnan(total(x))
