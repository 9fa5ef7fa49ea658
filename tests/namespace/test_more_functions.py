"""Functions that choose, count and compare: their derivatives, over examples at once, and what is refused compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.namespace.calls import METHODS, SHARES, WITH_NAN, B, I, M, V
from tests.namespace.test_numpy import CALLS

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import ChainruleError, DTypeError, OptionError, ShapeError, TracingError
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array

#: Functions whose results have one shape for all values.
FIXED = [
    "gradient", "cov", "corrcoef", "partition", "argpartition", "rollaxis", "matvec", "vecmat", "ediff1d", "unwrap",
    "nancumsum", "nancumprod", "nanargmax", "nanargmin", "nanmedian", "nanquantile", "nanpercentile", "geomspace",
    "logspace", "isin", "modf", "ldexp", "frexp", "choose", "compress", "extract", "delete", "insert",
    "apply_along_axis", "bincount", "histogram", "unravel_index", "ravel_multi_index", "resize", "apply_over_axes",
    "lexsort", "polyval", "polyadd", "polysub", "polyder", "polyint", "polyfit", "poly", "angle", "i0", "kaiser",
    "fft.fftshift", "fft.ifftshift", "linalg.tensorsolve", "linalg.tensorinv", "real_if_close", "isreal",
]  # fmt: skip


@pytest.mark.parametrize("name", FIXED)
def test_a_function_of_each_example_is_the_function_of_all(name: str) -> None:
    for call, given in CALLS[name]:
        arrays = [np.stack([a, np.flip(a)]) if isinstance(a, np.ndarray) else a for a in given]
        axes = tuple(0 if isinstance(a, np.ndarray) else None for a in given)
        found = cr.vmap(lambda *xs, call=call: call(cnp, *xs), in_axes=axes)(*arrays)
        for n, row in enumerate(found):
            one = [as_array(a[n]) if isinstance(a, np.ndarray) else a for a in arrays]
            np.testing.assert_allclose(row, call(cnp, *one).value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FIXED)
def test_forward_and_backward_derivatives_agree(name: str) -> None:
    rng = np.random.default_rng(0)
    for call, given in CALLS[name]:
        if not all(isinstance(a, np.ndarray) and a.dtype == np.float64 and np.isfinite(a).all() for a in given):
            continue
        changes = tuple(rng.normal(size=a.shape) for a in given)
        value, change = cr.jvp(lambda *xs, call=call: call(cnp, *xs), tuple(given), changes)
        if value.dtype.kind != "f" or np.isnan(value).any():
            continue
        weights = rng.normal(size=np.shape(value))
        slopes = cr.grad(lambda *xs, call=call, w=weights: cnp.sum(call(cnp, *xs) * w), argnums=range(len(given)))
        backward = sum(float(np.sum(s * c)) for s, c in zip(slopes(*given), changes, strict=True))
        assert backward == pytest.approx(float(np.sum(weights * change)), rel=1e-8, abs=1e-9)


# where shapes depend on values

PLACES: dict[str, Callable[[Any], Any]] = {
    "nonzero": lambda x: x[cnp.nonzero(x > 0)],
    "where": lambda x: x[cnp.where(x > 0)],
    "the method": lambda x: x[(x > 0).nonzero()],
    "flatnonzero": lambda x: cnp.ravel(x)[cnp.flatnonzero(x > 0)],
    "argwhere": lambda x: cnp.ravel(x)[cnp.argwhere(cnp.ravel(x) > 0)],
    "compress": lambda x: cnp.compress(cnp.ravel(x > 0), x),
    "extract": lambda x: cnp.extract(x > 0, x),
    "delete": lambda x: cnp.delete(x, cnp.ravel(x <= 0)),
    "a mask": lambda x: x[x > 0],
}


@pytest.mark.parametrize("name", PLACES)
def test_what_is_chosen_by_value_passes_its_derivative_on(name: str) -> None:
    chosen = PLACES[name]
    expected = np.where(M > 0, 2 * M, 0)
    np.testing.assert_allclose(cr.grad(lambda x: cnp.sum(chosen(x) ** 2))(M), expected)
    np.testing.assert_allclose(cr.hvp(lambda x: cnp.sum(chosen(x) ** 2))(M, M), expected)


@pytest.mark.parametrize("name", [n for n in PLACES if n != "a mask"])
def test_what_is_chosen_by_value_is_refused_compiled(name: str) -> None:
    for transformed in (cr.compile(PLACES[name]), cr.vmap(PLACES[name])):
        with pytest.raises(TracingError, match="depends on a value that does not exist while compiling") as refused:
            transformed(M)
        assert refused.value.cure
        assert refused.value.where is not None
        assert refused.value.where[0] == __file__


def test_places_are_plain_arrays() -> None:
    for found in (cnp.nonzero(as_array(I)), cnp.where(as_array(I)), as_array(I).nonzero()):
        assert [type(places) for places in found] == [np.ndarray, np.ndarray]
        np.testing.assert_array_equal(found, np.nonzero(I))
    np.testing.assert_array_equal(cnp.argwhere(as_array(B)), np.argwhere(B))
    np.testing.assert_array_equal(cnp.flatnonzero(as_array(B)), np.flatnonzero(B))


TIED = np.array([2.0, 1.0, 2.0, 3.0])

FIRSTS: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "unique": (lambda x: cnp.unique(x), [4, 2, 0, 6]),
    "unique_values": (lambda x: cnp.unique_values(x), [4, 2, 0, 6]),
    "unique_all": (lambda x: cnp.unique_all(x).values, [4, 2, 0, 6]),
    "unique_counts": (lambda x: (lambda r: r.values * r.counts**0.5)(cnp.unique_counts(x)), [8, 2, 0, 6]),
    "unique_inverse": (lambda x: (lambda r: r.values[r.inverse_indices])(cnp.unique_inverse(x)), [8, 2, 0, 6]),
    "union1d": (lambda x: cnp.union1d(np.array([1.0, 7.0]), x), [4, 0, 0, 6]),
    "setdiff1d": (lambda x: cnp.setdiff1d(x, [1.0]), [4, 0, 0, 6]),
    "setxor1d": (lambda x: cnp.setxor1d(x, [1.0, 8.0]), [4, 0, 0, 6]),
    "intersect1d": (lambda x: cnp.intersect1d(x, [3.0, 2.0, 9.0]), [4, 0, 0, 6]),
}


@pytest.mark.parametrize("name", FIRSTS)
def test_the_derivative_of_equal_values_goes_to_the_first(name: str) -> None:
    function, expected = FIRSTS[name]
    np.testing.assert_allclose(cr.grad(lambda x: cnp.sum(function(x) ** 2))(TIED), expected)
    with pytest.raises(TracingError, match="depends on a value"):
        cr.compile(function)(TIED)


def test_results_of_unique_are_numpys() -> None:
    for name in ("unique_all", "unique_counts", "unique_inverse"):
        found, expected = getattr(cnp, name)(as_array(I)), getattr(np, name)(I)
        assert found._fields == expected._fields
        assert isinstance(found.values, Array)
        for mine, theirs in zip(found[1:], expected[1:], strict=True):
            assert type(mine) is np.ndarray
            np.testing.assert_array_equal(mine, theirs)
        assert type(getattr(cnp, name)(I)) is type(expected)


# counts


def test_compiled_counts_need_their_number() -> None:
    counted = cr.compile(lambda x, w: cnp.bincount(x, w, minlength=3))
    np.testing.assert_array_equal(counted(np.array([0, 2, 2]), np.array([0.5, 1.0, 2.0])), [0.5, 0, 3])
    np.testing.assert_array_equal(counted(np.array([0, 7, -1]), np.ones(3)), [1, 0, 0])  # beyond is not counted
    with pytest.raises(TracingError, match="bincount depends on a value") as refused:
        cr.compile(lambda x: cnp.bincount(x))(np.array([0, 2, 2]))
    assert "minlength" in refused.value.cure


def test_the_weights_of_counts_have_derivatives() -> None:
    slopes = cr.grad(lambda w: cnp.sum(cnp.bincount([0, 2, 2], w) ** 2))(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(slopes, [2, 10, 10])
    cost = lambda w: cnp.sum(cnp.histogram([0.1, 0.9, 1.5], [0, 1, 2], weights=w)[0] ** 2)  # noqa: E731
    np.testing.assert_array_equal(cr.compile(cr.grad(cost))(np.array([1.0, 2.0, 3.0])), [6, 6, 6])


# where functions jump or bend


def test_parts_of_a_number_have_slopes_also_at_whole_numbers() -> None:
    for x in (-2.0, 0.0, 3.0, 0.25):
        assert cr.grad(lambda x: cnp.modf(x)[0])(x) == 1
        assert cr.grad(lambda x: cnp.modf(x)[1])(x) == 0
    np.testing.assert_array_equal(
        cr.vmap(cr.grad(lambda x: cnp.frexp(x)[0]))(np.array([0.75, 8.0, -0.1])), [1, 1 / 16, 8]
    )


def test_whole_periods_have_no_slope_also_where_they_jump() -> None:
    x = np.array([0.0, np.pi, 0.0, 9.0])
    np.testing.assert_array_equal(cr.jacobian(cnp.unwrap)(x), np.eye(4))
    turns = cr.grad(lambda period: cnp.sum(cnp.unwrap(np.array([0.0, 4.0, 8.0, 12.0]), period=period)))(5.0)
    assert turns == -6  # 0, −1, −2, −3 periods


def test_correlation_with_oneself_is_flat() -> None:
    slopes = cr.grad(lambda x: cnp.sum(cnp.diagonal(cnp.corrcoef(x))))(M)
    np.testing.assert_allclose(slopes, np.zeros_like(M), atol=1e-15)


REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str]] = {
    "gradient, order": (lambda: cnp.gradient(as_array(V), edge_order=3), OptionError, "from 1 to 2, not 3"),
    "gradient, spacings": (lambda: cnp.gradient(as_array(M), 1.0, 2.0, 3.0), OptionError, "3 spacings for 2 axes"),
    "gradient, too few": (lambda: cnp.gradient(as_array(V[:1])), ShapeError, "fewer than 2 elements"),
    "gradient, coordinates": (lambda: cnp.gradient(as_array(V), V[:2]), ShapeError, "for 4 elements"),
    "partition": (lambda: cnp.partition(as_array(V), 4), OptionError, "the place 4 is outside an axis of 4"),
    "choose": (lambda: cnp.choose(as_array(I), [1.0, 2.0]), OptionError, "not all among 0…1"),
    "choose, mode": (lambda: cnp.choose(as_array(I), [1.0], mode="odd"), OptionError, "one of .*not 'odd'"),
    "unravel_index": (lambda: cnp.unravel_index(as_array(9), (3, 3)), OptionError, "not all among 0…8"),
    "unravel_index, order": (lambda: cnp.unravel_index(as_array(0), 3, "A"), OptionError, "'C', 'F', not 'A'"),
    "ravel_multi_index": (lambda: cnp.ravel_multi_index((as_array(0),), (3, 3)), ShapeError, "1 indices for 2 axes"),
    "bincount, negative": (lambda: cnp.bincount(as_array([-1])), OptionError, "no negative numbers"),
    "bincount, floats": (lambda: cnp.bincount(as_array(V)), ShapeError, "a vector of integers"),
    "bincount, weights": (lambda: cnp.bincount(as_array([1]), V), ShapeError, "weights f64[4] for i64[1]"),
    "histogram, weights": (lambda: cnp.histogram(as_array(V), weights=V[:2]), ShapeError, "weights f64[2]"),
    "histogram, bins": (lambda: cnp.histogram(as_array(V), "auto"), OptionError, "by 'auto'"),
    "geomspace": (lambda: cnp.geomspace(as_array(0.0), 1.0), OptionError, "with zero"),
    "ldexp": (lambda: cnp.ldexp(as_array(V), V), DTypeError, "integers as exponents"),
    "matvec": (lambda: cnp.matvec(as_array(M), V[:3]), ShapeError, "do not fit"),
    "cov": (lambda: cnp.cov(as_array(M), fweights=[1, 2]), ShapeError, "for 4 observations"),
    "cov, parts": (lambda: cnp.cov(as_array(V), fweights=0.5 * np.ones(4)), DTypeError, "must be integers"),
    "cov, less": (lambda: cnp.cov(as_array(V), aweights=-np.ones(4)), OptionError, "cannot be negative"),
    "cov, axes": (lambda: cnp.cov(as_array(M[None])), ShapeError, "vectors or matrices"),
    "cov, ddof": (lambda: cnp.cov(as_array(M), ddof=0.5), OptionError, "ddof must be an integer"),
    "polyfit": (lambda: cnp.polyfit(as_array(V), V[:2], 1), ShapeError, "are no points"),
    "polyfit, weights": (lambda: cnp.polyfit(as_array(V), V, 1, w=V[:2]), ShapeError, "weights f64[2] for f64[4]"),
    "polyfit, an option": (
        lambda: cr.grad(lambda v: cnp.polyfit(v, V, 1, cov=True))(V), OptionError, "does not take cov"),
    "polyint, constants": (lambda: cnp.polyint(as_array(V), 3, [1.0, 2.0]), ShapeError, "for 3 integrals"),
    "polyder, order": (lambda: cnp.polyder(as_array(V), -1), OptionError, "cannot be negative"),
    "lexsort": (lambda: cnp.lexsort(as_array(np.zeros((0, 2)))), ShapeError, "at least one key"),
    "rollaxis": (lambda: cnp.rollaxis(as_array(M), 0, 5), ShapeError, "no place 5"),
    "compress": (lambda: cnp.compress(B, as_array(M)), ShapeError, "a vector as its condition"),
    "ix_": (lambda: cnp.ix_(as_array(M)), ShapeError, "ix_ needs vectors"),
    "where": (lambda: cnp.where(as_array(B), 1.0), OptionError, "both values or none"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    call, kind, said = REFUSED[name]
    with pytest.raises(kind) as refused:
        call()
    assert said in str(refused.value)


def test_no_number_has_no_place() -> None:
    with pytest.raises(ValueError, match="All-NaN"):
        cnp.nanargmax(as_array(np.array([np.nan, np.nan])))
    assert cr.compile(cnp.nanargmin)(np.array([np.nan, np.nan])) == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_quantile_by_any_method_has_derivatives_natively_too(method: str) -> None:
    spread = lambda x: cnp.sum(cnp.quantile(x, SHARES[1:-1], axis=0, method=method) ** 2)  # noqa: E731
    cr.testing.check_gradient(spread, M)
    np.testing.assert_allclose(cr.compile(cr.grad(spread))(M), cr.grad(spread)(M), rtol=1e-12)
    rows = cr.vmap(lambda x: cnp.nanquantile(x, 0.4, method=method))(WITH_NAN)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        np.testing.assert_allclose(rows, np.nanquantile(WITH_NAN, 0.4, axis=1, method=method), rtol=1e-12)


def test_a_method_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(OptionError, match=r"'hazen'.*not 'hazn'"):
        cnp.quantile(as_array(V), 0.5, method="hazn")


# polynomials of which not all is known


def test_a_compiled_product_and_quotient_of_polynomials_keep_the_zeros_that_are_not_known() -> None:
    p, q = np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 0.5])
    np.testing.assert_allclose(cr.compile(cnp.polymul)(p, q), np.convolve(p, q))
    np.testing.assert_allclose(cnp.polymul(as_array(p), as_array(q)).value, np.polymul(p, q))
    quotient, rest = cr.compile(cnp.polydiv)(np.polymul(p, q), q)
    np.testing.assert_allclose(quotient, p[1:])
    np.testing.assert_allclose(rest, [0.0, 0.0], atol=1e-14)
    cr.testing.check_gradient(lambda p, q: cnp.sum(cnp.polydiv(p, q)[0] ** 2), p[1:], q)


def test_no_zero_is_trimmed_that_is_not_known() -> None:
    with pytest.raises(TracingError, match="the shape of trim_zeros depends on a value"):
        cr.compile(cnp.trim_zeros)(np.array([0.0, 1.0]))
    assert cr.grad(lambda x: cnp.sum(cnp.trim_zeros(x) ** 2))(np.array([0.0, 3.0, 0.0, 2.0])).tolist() == [0, 6, 0, 4]


# joining in brackets

JOINED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "arrays and numbers": (lambda np, x, y: np.r_[x, 0, y, 1.5], (V, V[:2])),
    "a number alone": (lambda np, x: np.r_[x[0], 1], (V,)),
    "ranges": (lambda np, x: np.r_[1:4, x, 0:1:3j, -1:1:0.5], (V,)),
    "integers": (lambda np, x: np.r_[x, 3, 4:6], (I[0],)),
    "single precision": (lambda np, x: np.r_[x, 0.5], (V.astype(np.float32),)),
    "matrices": (lambda np, x: np.r_[x, 2 * x], (M,)),
    "along another axis": (lambda np, x: np.r_["-1", x, x], (M,)),
    "as rows": (lambda np, x, y: np.r_["0,2", x, y], (V, V)),
    "as columns": (lambda np, x, y: np.r_["1,2,0", x, y], (V, V)),
    "new axes last": (lambda np, x, y: np.r_["0,3,0", x, y], (M, M)),
    "new axes around": (lambda np, x: np.r_["0,3,1", x, x], (V,)),
    "columns": (lambda np, x, y: np.c_[x, y, 1:5], (V, V)),
    "columns beside a matrix": (lambda np, x, y: np.c_[x, y], (M, M[:, 0])),
    "columns of higher arrays": (lambda np, x: np.c_[x, x], (M[None],)),
}


@pytest.mark.parametrize("name", JOINED)
def test_brackets_join_as_numpys_do(name: str) -> None:
    call, given = JOINED[name]
    expected, found = call(np, *given), call(cnp, *map(as_array, given))
    assert isinstance(found, Array)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found.value, expected)
    np.testing.assert_array_equal(call(cnp, *given), expected)
    np.testing.assert_array_equal(cr.compile(lambda *xs: call(cnp, *xs))(*given), expected)
    if given[0].dtype == np.float64:
        cr.testing.check_gradient(lambda *xs: cnp.sum(call(cnp, *xs) ** 2), *given)


def test_rows_are_stacked_under_their_older_name_too() -> None:
    np.testing.assert_array_equal(cnp.row_stack([as_array(V), 2 * V]).value, np.vstack([V, 2 * V]))
    np.testing.assert_array_equal(cnp.row_stack([V, 2 * V]), np.vstack([V, 2 * V]))


def test_texts_in_brackets_are_refused_where_they_mean_matrices() -> None:
    for wrong in ("r", "0,1,2,x"):
        with pytest.raises(OptionError, match="know no"):
            _ = cnp.r_[wrong, as_array(V)]
    with pytest.raises(OptionError, match="comes first"):
        _ = cnp.r_[as_array(V), "0"]
    with pytest.warns(PendingDeprecationWarning):
        assert cnp.r_["r", V].shape == (1, 4)


# in place


CHANGES: dict[str, tuple[Callable[[Any, Any, Any], Any], str]] = {
    "put_along_axis": (lambda np, x, v: np.put_along_axis(x, I[:, :1] % 3, v, axis=1), "along(indices, axis).set"),
    "put": (lambda np, x, v: np.put(x, [0, 5], v), "np.at(np.ravel(x))[places]"),
    "place": (lambda np, x, v: np.place(x, B, v), "np.where(mask, values, x)"),
    "putmask": (lambda np, x, v: np.putmask(x, B, v), "np.where(mask, values, x)"),
    "copyto": (lambda np, x, v: np.copyto(x, v, where=B), "np.where(where, source, x)"),
    "fill_diagonal": (lambda np, x, v: np.fill_diagonal(x, v), "x.at[np.diag_indices(len(x))]"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_plain_arrays_change_in_place_and_traced_ones_say_how_not_to(name: str) -> None:
    change, cure = CHANGES[name]
    expected, found, of_constants = M.copy(), M.copy(), M.copy()
    change(np, expected, 7.0)
    change(cnp, found, 7.0)
    np.testing.assert_array_equal(found, expected)
    assert cr.grad(lambda x: (change(cnp, of_constants, cr.stop_gradient(x)), x)[1])(7.0) == 1.0
    np.testing.assert_array_equal(of_constants, expected)
    dispatched = np if name != "fill_diagonal" else cnp  # NumPy\'s own asks for the plain value itself
    for lost in (
        lambda x: change(cnp, as_array(M), 7.0),
        lambda x: change(cnp, found, x),
        lambda x: change(dispatched, found, x),
    ):
        with pytest.raises(TracingError, match=f"{name} cannot change") as refused:
            cr.grad(lost)(7.0)
        assert cure in refused.value.cure
    np.testing.assert_array_equal(found, expected)


def test_a_changed_copy_along_an_axis_is_what_put_along_axis_makes() -> None:
    index = np.array([[2, 0], [1, 1], [3, -1]])
    values = np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])
    expected = M.copy()
    np.put_along_axis(expected, index, values, axis=1)
    copy = lambda x, v: cnp.at(x).along(index, axis=1).set(v)  # noqa: E731
    for found in (copy(M, values), copy(as_array(M), values).value, cr.compile(copy)(M, values)):
        np.testing.assert_array_equal(found, expected)
    traced = cr.compile(lambda x, i, v: x.at.along(i, axis=1).set(v))(M, index, values)
    np.testing.assert_array_equal(traced, expected)
    row = cr.compile(lambda x: x.at.along(np.array([[0, 1, 2, 0]]), axis=0).add(1.0))(M)
    assert (row - M).tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]
    slopes = cr.grad(lambda x, v: cnp.sum(copy(x, v) ** 2), argnums=(0, 1))(M, values)
    kept = np.ones_like(M)
    np.put_along_axis(kept, index, 0.0, axis=1)
    np.testing.assert_array_equal(slopes[0], 2 * M * kept)
    np.testing.assert_array_equal(slopes[1], [[20, 40], [0, 80], [0, 120]])
    with pytest.raises(ShapeError, match="as many axes"):
        cnp.at(M).along(np.array([0]), axis=1)


# powers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [0.5, np.float64(0.5), np.array(0.5), -0.5, 0.25, 1.5, -1.0, 3, 0])
def test_a_power_is_numpys_at_infinities_and_zeros_traced_and_native(dtype: Any, exponent: Any) -> None:
    """For NumPy a power of ½ is a square root, which at −∞ and −0 is something else."""
    x = np.array([-np.inf, -0.0, 0.0, np.inf, -1.0, 4.0, np.nan], dtype)
    with np.errstate(all="ignore"):
        for power in (lambda x: x**exponent, lambda x: cnp.power(x, exponent)):
            expected = power(x)
            for found in (power(as_array(x)).value, cr.compile(power)(x), cr.vmap(power)(x)):
                assert found.dtype == expected.dtype
                np.testing.assert_allclose(found, expected, rtol=1e-6)
                np.testing.assert_array_equal(np.signbit(found[1:4]), np.signbit(expected[1:4]))


def test_the_derivative_of_a_power_of_one_half_is_that_of_the_square_root() -> None:
    for slope in (cr.grad(lambda x: x**0.5), cr.compile(cr.grad(lambda x: x**0.5))):
        assert (slope(4.0), slope(0.0)) == (0.25, np.inf)
    assert cr.grad(cr.grad(lambda x: x**0.5))(4.0) == -1 / 32
