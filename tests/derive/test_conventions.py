"""What docs/conventions.md says of kinks, ties and edges, row by row, uncompiled and compiled."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.nn import relu

INF, HALF = math.inf, 0.5
TEXT = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.*?) \| .* \|$", TEXT.partition("\n## ")[0], re.MULTILINE)[1:]


def of(function: Callable[..., Any], arguments: list[Any], *slopes: Any) -> tuple[Any, list[np.ndarray], list[Any]]:
    """A function, a point, and the derivatives of the sum of its results there."""
    return function, [np.asarray(a, np.float64) for a in arguments], list(slopes)


ZERO = np.zeros(3)
SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 5.0]])
COFACTORS = np.array([[14.0, -10.0, 2.0], [-7.0, 5.0, -1.0], [0.0, 0.0, 0.0]])

EYE, LINALG = np.eye(2), cnp.linalg
BETWEEN = [[0, 0, HALF], [0, 0, HALF], [HALF, HALF, 0]]
FIRST_ROW = np.array([[1.0, 1.0], [0.0, 0.0]])
OF_RANK_ONE = np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
NEARLY_SO = np.array([[2.0, 0.0], [0.0, 0.5]])
OF_ITS_INVERSE = np.array([[-0.25, 0.25], [0.25, 0.0]])


def svd(a: Any) -> Any:
    return LINALG.svd(a, full_matrices=False)


SPECIAL = cr.special
CASES: dict[str, list[tuple[Any, list[np.ndarray], list[Any]]]] = {
    "`maximum.accumulate(x)`, `minimum.accumulate(x)`, equal elements": [
        of(cnp.maximum.accumulate, [[1.0, 3.0, 3.0, 2.0]], [1, 3, 0, 0]),
        of(cnp.minimum.accumulate, [[1.0, 3.0, 1.0, 0.0]], [3, 0, 0, 1])],
    "`logaddexp.accumulate(x)` where all is −∞": [
        of(lambda x: cnp.where(x < 0, 0.0, cnp.logaddexp.accumulate(x)), [[-INF, 0.0]], [0, 1]),
        of(lambda x: cnp.logaddexp.accumulate(x)[1:], [[-INF, -INF]], [HALF, HALF])],
    "`special.xlogy(x, y)`, `special.xlog1py(x, y)` at `x = 0`, by `y`": [
        of(SPECIAL.xlogy, [0.0, 2.0], math.log(2.0), 0.0), of(lambda y: SPECIAL.xlogy(0.0, y), [0.0], 0.0),
        of(lambda y: SPECIAL.xlog1py(0.0, y), [-1.0], 0.0)],
    "`special.entr(x)` at 0": [of(SPECIAL.entr, [0.0], INF)],
    "`special.i0e(x)` at 0": [of(SPECIAL.i0e, [0.0], 0.0)],
    "`special.logsumexp(a)`, several largest": [of(SPECIAL.logsumexp, [[2.0, 2.0]], [HALF, HALF])],
    "`abs(x)` at 0": [of(cnp.abs, [0.0], 0.0), of(cnp.abs, [-0.0], 0.0)],
    "`relu(x)` at 0": [of(relu, [0.0], 0.0), of(relu, [-0.0], 0.0)],
    "`maximum(a, b)`, `minimum(a, b)` at `a = b`": [
        of(cnp.maximum, [2.0, 2.0], HALF, HALF), of(cnp.minimum, [2.0, 2.0], HALF, HALF),
        of(cnp.maximum, [INF, INF], HALF, HALF)],
    "`clip(x, low, high)` at a bound": [
        of(cnp.clip, [1.0, 1.0, 3.0], HALF, HALF, 0.0), of(cnp.clip, [3.0, 1.0, 3.0], HALF, 0.0, HALF)],
    "`max(x)`, `min(x)` over axes, several largest": [
        of(cnp.max, [[7.0, 1.0, 7.0, 7.0, 7.0]], [0.25, 0, 0.25, 0.25, 0.25]),
        of(cnp.min, [[7.0, 1.0, 1.0]], [0, 0.5, 0.5])],
    "`sort(x)`, equal elements": [
        of(lambda x: cnp.sort(x) * np.array([1.0, 10.0, 100.0]), [[5.0, 2.0, 2.0]], [100.0, 1.0, 10.0])],
    "`median(x)`, `quantile(x, q)`": [
        of(cnp.median, [[3.0, 1.0, 2.0]], [0, 0, 1]), of(cnp.median, [[4.0, 1.0, 2.0, 9.0]], [0.5, 0, 0.5, 0]),
        of(lambda x: cnp.quantile(x, 0.25), [[1.0, 2.0, 4.0]], [0.5, 0.5, 0]),
        of(cnp.median, [[2.0, 2.0]], [1.0, 0.0])],
    "`nanmedian(x)`, `nanquantile(x, q)`": [
        of(cnp.nanmedian, [[3.0, math.nan, 1.0, 2.0]], [0, 0, 0, 1]), of(cnp.nanmedian, [[2.0, 2.0]], [1.0, 0.0]),
        of(lambda x: cnp.nanquantile(x, 0.25), [[math.nan, 1.0, 2.0, 4.0]], [0, 0.5, 0.5, 0])],
    "`histogram(x, bins, weights=w)`": [
        of(lambda x, w: cnp.histogram(x, [0, 1, 2], weights=w)[0] * np.array([10.0, 1.0]), [
            [0.0, 1.0, 2.0, 9.0], [1.0, 1.0, 1.0, 1.0]], [0, 0, 0, 0], [10, 1, 1, 0])],
    "`modf(x)`": [
        of(lambda x: cnp.modf(x)[0], [[-2.0, -0.0, 0.0, 3.0, 0.5]], np.ones(5)),
        of(lambda x: cnp.modf(x)[1], [[-2.0, -0.0, 0.0, 3.0, 0.5]], np.zeros(5))],
    "`frexp(x)`": [of(lambda x: cnp.frexp(x)[0], [[0.75, 8.0, -0.125, 0.0]], [1.0, 1 / 16, 4.0, 1.0])],
    "`unwrap(x)`": [of(cnp.unwrap, [[0.0, math.pi, 0.0, 9.0, -9.0]], np.ones(5))],
    "`corrcoef(x)` of rows on one line": [
        of(cnp.corrcoef, [[[1.0, 2.0, 4.0], [2.0, 4.0, 8.0]]], np.zeros((2, 3)))],
    "`sqrt(x)` at 0": [of(cnp.sqrt, [0.0], INF)],
    "`cbrt(x)` at 0": [of(cnp.cbrt, [0.0], INF)],
    "`x ** n` at `x = 0`, by `x`": [
        of(lambda x, n=n: x**n, [0.0], slope) for n,
        slope in ((3.0, 0.0), (1.5, 0.0), (1.0, 1.0), (0.5, INF), (0.0, 0.0))]
        + [of(lambda x: x**0, [[0.0, INF, -INF, math.nan]], [0.0, 0.0, 0.0, 0.0])],
    "`x ** n` at `x = 0`, by `n`": [of(lambda n: cnp.power(0.0, n), [n], 0.0) for n in (0.0, 0.5, 2.0)],
    "`hypot(a, b)` at (0, 0)": [of(cnp.hypot, [0.0, 0.0], 0.0, 0.0)],
    "`linalg.norm(x)` at 0": [
        of(cnp.linalg.norm, [ZERO], ZERO), of(cnp.norm, [np.zeros((2, 2))], np.zeros((2, 2))),
        of(lambda x: cnp.linalg.norm(x, 3), [ZERO], ZERO), of(lambda x: cnp.linalg.norm(x, 1), [ZERO], ZERO)],
    "`sqrt(s)`, `s ** 0.5` of a sum of squares at 0": [
        of(lambda x: cnp.sqrt(cnp.sum(x**2)), [ZERO], ZERO), of(lambda x: (x @ x) ** 0.5, [ZERO], ZERO),
        of(lambda x, y: cnp.sqrt(x * x + y * y), [0.0, 0.0], 0.0, 0.0),
        of(lambda x: cnp.sqrt(cnp.var(x)), [[0.5, 0.5, 0.5]], ZERO)],
    "`linalg.norm(x, n)` for `n < 1`, by an element that is 0": [
        of(lambda x: cnp.linalg.norm(x, 0.5), [[0.0, 1.0, 1.0]], [0.0, 2.0, 2.0]),
        of(lambda x: cnp.linalg.norm(x, -1), [[0.0, 1.0, 2.0]], ZERO),
        of(lambda x: cnp.linalg.norm(x, -2), [ZERO], ZERO)],
    "`linalg.norm(x) ** 2`, `std(x) ** 2`, `hypot(a, b) ** 2`, `abs(x) ** 2`, `sqrt(x) ** 2`, `cbrt(x) ** 3` at 0": [
        of(cr.grad(lambda x: cnp.linalg.norm(x) ** 2), [ZERO], [2.0, 2.0, 2.0]),
        of(lambda x: cr.grad(lambda x: cnp.std(x) ** 2)(x)[0], [ZERO], [4 / 9, -2 / 9, -2 / 9]),
        of(cr.grad(lambda a: cnp.hypot(a, 0.0) ** 2), [0.0], 2.0), of(cr.grad(lambda x: abs(x) ** 2), [0.0], 2.0),
        of(lambda x: cnp.sqrt(x) ** 2, [0.0], 1.0), of(lambda x: cnp.cbrt(x) ** 3, [0.0], 1.0)],
    "f(r) of a distance r, such as `linalg.norm(x)`, `std(x)`, `hypot(a, b)`, `abs(x)`, at 0, the second derivative": [
        of(cr.grad(lambda x: cnp.cos(cnp.linalg.norm(x))), [ZERO], [-1.0, -1.0, -1.0]),
        of(cr.grad(lambda x: (1 + abs(x)) * cnp.exp(-abs(x))), [0.0], -1.0),
        *(of(cr.grad(f), [ZERO], ZERO) for f in (cnp.linalg.norm, cnp.std, lambda x: cnp.hypot(x[0], x[1])))],
    "`std(x)` of equal elements": [of(cnp.std, [[0.5, 0.5, 0.5]], ZERO)],
    "`arctan2(y, x)` at (0, 0)": [of(cnp.arctan2, [0.0, 0.0], 0.0, 0.0)],
    "`prod(x)` with zeros among `x`": [
        of(cnp.prod, [[2.0, 0.0, 3.0, 5.0]], [0, 30, 0, 0]), of(cnp.prod, [[0.0, 2.0, 0.0]], ZERO),
        of(lambda x: cnp.cumprod(x), [[2.0, 0.0, 3.0]], [1.0, 8.0, 0.0])],
    "`sign`, `floor`, `ceil`, `round`, `trunc`, comparisons": [
        *(of(function, [x], 0.0) for function in (cnp.sign, cnp.floor, cnp.ceil, cnp.round, cnp.trunc) for x in (0.0,
        0.5, 1.0)),
        of(lambda x: cnp.astype(x > 0, np.float64), [0.0], 0.0)],
    "`heaviside(x, h)` at 0": [of(cnp.heaviside, [0.0, 0.5], 0.0, 1.0)],
    "`a // b`": [of(cnp.floor_divide, [7.5, 2.0], 0.0, 0.0), of(cnp.floor_divide, [6.0, 2.0], 0.0, 0.0)],
    "`a % b`, `fmod(a, b)`": [
        of(cnp.remainder, [-7.5, 2.0], 1.0, 4.0), of(cnp.remainder, [6.0, 2.0], 1.0, -3.0),
        of(cnp.fmod, [-7.5, 2.0], 1.0, 3.0), of(cnp.fmod, [0.0, 2.0], 1.0, 0.0), of(cnp.fmod, [6.0, 2.0], 1.0, -3.0)],
    "`copysign(a, b)`": [
        of(cnp.copysign, [0.0, -1.0], -1.0, 0.0), of(cnp.copysign, [-0.0, -1.0], 1.0, 0.0),
        of(cnp.copysign, [3.0, -0.0], -1.0, 0.0)],
    "`arcsin(x)`, `arccos(x)` at ±1": [
        *(of(cnp.arcsin, [x], INF) for x in (1.0, -1.0)), *(of(cnp.arccos, [x], -INF) for x in (1.0, -1.0))],
    "`arctanh(x)` at ±1": [*(of(cnp.arctanh, [x], INF) for x in (1.0, -1.0))],
    "`log(x)` at 0": [of(cnp.log, [0.0], INF), of(cnp.log2, [0.0], INF), of(cnp.log10, [0.0], INF)],
    "`x / y` at `y = 0`, by `x`": [of(lambda x: x / 0.0, [1.0], INF), of(lambda x: x / -0.0, [1.0], -INF)],
    "`logaddexp(a, b)` at `a = b = ±∞`": [
        of(cnp.logaddexp, [INF, INF], HALF, HALF), of(cnp.logaddexp, [-INF, -INF], HALF, HALF)],
    "`sinc(x)` at 0": [of(cnp.sinc, [0.0], 0.0), of(cr.grad(cnp.sinc), [0.0], -math.pi**2 / 3)],
    "`where(c, a, b)`": [
        of(lambda a, b: cnp.where(np.array([True, False]), a, b), [[1.0, 2.0], [3.0, 4.0]], [1, 0], [0, 1]),
        of(lambda x: cnp.where(x > 0, cnp.log(x), 0.0), [0.0], 0.0),
        of(lambda x: cnp.where(x > 0, x, cnp.exp(x) - 1), [[800.0, -math.log(2), 0.0]], [1.0, HALF, 1.0]),
        of(lambda x: cnp.where(x == 0, 1.0, cnp.sin(x) / x), [0.0], 0.0),
        of(lambda x: cnp.where(x > 0, cnp.sqrt(x**3 + x), -cnp.sqrt(-x)), [-4.0], 0.25),
        of(lambda x: cnp.where(x > 0, x * cnp.log(x), 0.0), [0.0], 0.0),
        of(lambda x: cnp.where(abs(x) < 1, cnp.arctanh(x), cnp.where(x > 2, 1 / (x - 2), 0.0)),
           [[1.0, 2.0]], [0.0, 0.0]),
        of(lambda x: cnp.select([x > 0, x < 0], [cnp.log(x), 1 / x], 0.0), [[0.0, 2.0, -1.0]], [0.0, HALF, -1.0]),
        of(lambda x: cnp.where(x > 0, cnp.log(cnp.where(x > 0, x, 1.0)), 0.0), [0.0], 0.0)],
    "`linalg.det(a)` of a singular matrix of up to three rows": [
        of(cnp.linalg.det, [SINGULAR], COFACTORS), of(cnp.linalg.det, [[[1.0, 2.0], [2.0, 4.0]]], [[4, -2], [-2, 1]]),
        of(cnp.linalg.det, [[[0.0]]], [[1.0]])],
    "`linalg.cholesky(a)` of an asymmetric matrix": [
        of(cnp.linalg.cholesky, [[[4.0, 99.0], [2.0, 5.0]]], [[0.1875, 0.125], [0.125, 0.25]])],
    "`linalg.eigh(a)`, `linalg.eigvalsh(a)` of an asymmetric matrix": [
        of(lambda a: LINALG.eigvalsh(a) * np.array([1.0, 10.0]), [[[2.0, 99.0], [1.0, 2.0]]], [[5.5, 4.5], [4.5, 5.5]]),
        of(lambda a: LINALG.eigh(a, "U")[0] * np.array([1.0, 10.0]), [[[2.0, 1.0], [99.0, 2.0]]],
           [[5.5, 4.5], [4.5, 5.5]])],
    "`linalg.eigh(a)`, equal eigenvalues": [
        of(lambda a: LINALG.eigvalsh(a) ** 2, [2 * EYE], 4 * EYE),
        of(lambda a: LINALG.eigh(a)[1][:, 2:] @ LINALG.eigh(a)[1][:, 2:].T, [np.diag([1.0, 1.0, 3.0])], BETWEEN),
        of(lambda a: LINALG.eigh(a)[1] * LINALG.eigh(a)[0] @ LINALG.eigh(a)[1].T, [EYE], EYE)],
    "`linalg.svd(a)`, equal singular values": [
        of(lambda a: FIRST_ROW * (svd(a)[0] @ svd(a)[2]), [EYE], [[0.0, HALF], [-HALF, 0.0]]),
        of(lambda a: FIRST_ROW * (svd(a)[0] * svd(a)[1] @ svd(a)[2]), [EYE], [[1.0, HALF], [-HALF, 0.0]])],
    "`linalg.svd(a)` of rank less than rows and columns": [
        of(lambda a: svd(a)[0][2, 1], [OF_RANK_ONE], np.zeros((3, 2))),
        of(lambda a: svd(a)[0][2, 0] * svd(a)[2][0, 0], [OF_RANK_ONE], [[0.0, 0.0], [0.0, 0.0], [HALF, 0.0]])],
    "`linalg.norm(a, 2)`, several largest singular values": [of(lambda a: LINALG.norm(a, 2), [EYE], EYE / 2)],
    "`linalg.norm(a, ord)` of matrices at 0": [
        of(lambda a, n=n: LINALG.norm(a, n), [np.zeros((2, 3))], np.zeros((2, 3)))
        for n in ("fro", "nuc", 1, -1, 2, -2, INF, -INF)],
    "`linalg.pinv(a, rcond)`, `linalg.lstsq`, what counts as 0": [
        of(lambda a: LINALG.pinv(a, 0.5), [NEARLY_SO], OF_ITS_INVERSE),
        of(lambda a, b: LINALG.lstsq(a, b, 0.5)[0], [NEARLY_SO, [1.0, 1.0]], OF_ITS_INVERSE, [HALF, 0.0])],
    "`x.at[i].set(v)`, a place named several times": [
        of(lambda x, v: cnp.at(x)[np.array([1, 1])].set(v) if not hasattr(x, "at") else x.at[np.array([1, 1])].set(v),
           [ZERO, [5.0, 6.0]], [1, 0, 1], [0, 1])],
}  # fmt: skip
#: Rows that say what is refused, and what an index does.
ELSEWHERE = {
    "`unique(x)`, `union1d`, `setxor1d`, `setdiff1d`, `intersect1d`, equal elements",
    "`linalg.det(a)` of a larger singular matrix, `linalg.slogdet`, `linalg.inv`",
    "`linalg.inv`, `linalg.solve`, `linalg.slogdet` of a singular matrix of up to three rows (compiled)",
    "`linalg.cholesky` of a matrix of up to three rows that is not positive definite (compiled)",
    "`linalg.qr(a)` of dependent columns",
    "an index outside that is known",
    "an index outside that is not known (compiled)",
}


def test_every_row_is_tested_and_every_test_is_a_row() -> None:
    assert set(ROWS) == set(CASES) | ELSEWHERE


@pytest.mark.parametrize("row", CASES)
def test_the_derivative_is_what_the_row_says(row: str) -> None:
    for function, arguments, slopes in CASES[row]:
        slope = cr.grad(lambda *xs, function=function: cnp.sum(function(*xs)), argnums=range(len(slopes)))
        for found in (slope(*arguments), cr.compile(slope)(*arguments)):
            for one, expected in zip(found, slopes, strict=True):
                np.testing.assert_allclose(one, expected, rtol=1e-13, atol=1e-13, err_msg=row)


@pytest.mark.parametrize("row", CASES)
def test_forward_is_the_same(row: str) -> None:
    for function, arguments, slopes in CASES[row]:
        for position, expected in enumerate(slopes):
            wanted = np.broadcast_to(np.asarray(expected, np.float64), arguments[position].shape)
            if np.isnan(wanted).any():  # 0 · ∞, which only the way backward meets
                continue
            for place in np.ndindex(wanted.shape):
                changes = [np.zeros_like(a) for a in arguments]
                changes[position][place] = 1.0
                _, found = cr.jvp(lambda *xs, f=function: cnp.sum(f(*xs)), tuple(arguments), tuple(changes))
                if "cholesky" not in row:  # of a change that is not symmetric, the value knows one half
                    np.testing.assert_allclose(found, wanted[place], rtol=1e-13, atol=1e-13, err_msg=row)


@pytest.mark.parametrize(
    "function",
    [
        cnp.linalg.det,
        lambda a: cnp.linalg.slogdet(a)[1],
        lambda a: cnp.sum(cnp.linalg.inv(a)),
        lambda a: cnp.sum(cnp.linalg.qr(a)[1]),
    ],
)
def test_a_singular_matrix_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(np.linalg.LinAlgError):
        cr.grad(function)(np.zeros((4, 4)))


def test_a_small_singular_matrix_gives_nan_in_a_program() -> None:
    for function in (lambda a: cnp.linalg.slogdet(a)[1], lambda a: cnp.sum(cnp.linalg.inv(a)), cnp.linalg.cholesky):
        slope = cr.compile(cr.grad(lambda a, f=function: cnp.sum(f(a))))(np.zeros((3, 3)))
        assert np.isnan(slope[0, 0])


def test_a_known_index_outside_is_refused_and_another_taken_to_the_edge() -> None:
    x = np.arange(3.0)
    with pytest.raises(IndexError):
        cr.grad(lambda x: x[np.array([5])][0])(x)
    value, slope = cr.compile(cr.value_and_grad(lambda x, i: cnp.sum(x[i])))(x, np.array([5, -7]))
    assert value == 2.0 + 0.0
    np.testing.assert_array_equal(slope, [1, 0, 1])


def test_a_derivative_that_is_zero_by_convention_has_the_derivative_zero() -> None:
    for function in (cnp.linalg.norm, cnp.std):
        np.testing.assert_array_equal(cr.hessian(function)(np.zeros(2)), np.zeros((2, 2)))
