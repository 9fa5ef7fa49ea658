"""Indexing and changed copies are NumPy's, for every mixture of integers, slices, new axes and arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.programs import examples

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import ShapeError
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array

X = np.arange(4 * 5 * 6 * 3, dtype=np.float64).reshape(4, 5, 6, 3)
RNG = np.random.default_rng(0)
MASK = RNG.random((5, 6)) < 0.3


@st.composite
def keys(draw: Callable[..., Any]) -> tuple[Any, ...]:
    """Any mixture; the arrays broadcast together."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    parts: list[Any] = []
    front = draw(st.integers(0, 4))
    back = draw(st.integers(front, 4))
    for axis in (*range(front), ..., *range(back, 4)):
        if axis is ...:
            parts += [...] if back < 4 or draw(st.booleans()) else []
            continue
        extent = X.shape[axis]
        kind = draw(st.sampled_from(["whole", "slice", "integer", "array", "array", "new"]))
        if kind == "new":
            parts.append(None)
            kind = "whole"
        if kind == "array":
            mine = tuple(draw(st.sampled_from([n, 1])) for n in shape)[draw(st.integers(0, len(shape))) :]
            index = draw(hnp.arrays(np.int64, mine, elements=st.integers(-extent, extent - 1)))
            parts.append(draw(st.sampled_from([index, index.tolist()])) if index.ndim else index)
        elif kind == "integer":
            parts.append(draw(st.integers(-extent, extent - 1)))
        else:
            parts.append(draw(st.slices(extent)) if kind == "slice" else slice(None))
    return tuple(parts)


def assert_same(key: Any) -> None:
    expected, found = X[key], as_array(X)[key]
    assert isinstance(found, Array)
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.value, expected)


@examples(12)
@given(keys())
def test_any_mixture_of_indices_is_numpys(key: tuple[Any, ...]) -> None:
    assert_same(key)


KEYS: dict[str, Any] = {
    "two arrays": ([0, 1], [2, 3]),
    "apart": ([0, 1], slice(None), [2, 3]),
    "an integer apart": (0, slice(None), [2, 3]),
    "an integer beside": (slice(None), 0, [2, 3]),
    "dots between": (slice(None), [0, 1], ..., [2, 0]),
    "dots for nothing between": ([0], [1], ..., [2], [0]),
    "a new axis between": ([0, 1], None, [2, 3]),
    "broadcast": (np.array([[0], [1]]), np.array([2, 3, 4])),
    "dots, then an array": (..., [0, 2]),
    "a mask of one axis": (np.array([True, False, True, True]),),
    "a mask of two axes": (slice(None), MASK),
    "a mask of all": X % 7 == 0,
    "a mask after dots": (..., np.array([True, False, True])),
    "a mask and an array": (np.array([True, False, True, False]), [1, 2]),
    "a mask, a slice and an array": (np.array([True, False, True, False]), slice(1, 3), [1, 2]),
    "true": True,
    "false": (False, slice(None)),
    "true and an array": (True, [0, 1]),
    "nothing": [],
    "an empty mask": (np.zeros(4, bool),),
    "a tuple inside": ((0, 1), slice(None)),
    "an array without axes": (np.array(2), slice(None), [1]),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_a_key_means_what_numpy_means(name: str) -> None:
    assert_same(KEYS[name])


@pytest.mark.parametrize("name", KEYS)
def test_a_known_key_can_be_compiled(name: str) -> None:
    np.testing.assert_array_equal(cr.compile(lambda x: x[KEYS[name]])(X), X[KEYS[name]])


@pytest.mark.parametrize(
    "key", [([0], [9]), ([0, 5],), (..., [3]), (MASK,), (np.ones(5, bool),), (0, 0, 0, 0, [0])], ids=str
)
def test_what_numpy_refuses_is_refused(key: Any) -> None:
    for x in (X, as_array(X)):
        with pytest.raises(IndexError):
            x[key]


def test_an_index_outside_names_the_axis_and_the_array() -> None:
    with pytest.raises(IndexError, match=r"index -3 is outside axis 1 of f64\[3,2\], which has 2 elements"):
        as_array(np.ones((3, 2)))[:, -3]


def test_indices_may_be_arguments_of_a_compiled_program() -> None:
    i, j = np.array([[0], [-1]]), np.array([1, -2, 0], np.int8)
    np.testing.assert_array_equal(cr.compile(lambda x, i, j: x[i, :, j])(X, i, j), X[i, :, j])
    np.testing.assert_array_equal(cr.compile(lambda x, i: x[:, i, None, 1:])(X, j), X[:, j, None, 1:])


def test_an_index_outside_is_taken_to_the_edge_of_its_own_axis_where_it_is_not_known() -> None:
    found = cr.compile(lambda x, i, j: x[i, j])(X, np.array([9, -9]), np.array([1, 77]))
    np.testing.assert_array_equal(found, X[[3, 0], [1, 4]])


def test_a_mask_is_refused_where_it_is_not_known() -> None:
    with pytest.raises(ShapeError, match="depends on values"):
        cr.compile(lambda x: x[x > 0])(X)


@pytest.mark.parametrize("name", KEYS)
def test_the_derivative_of_a_key_counts_how_often_each_element_is_read(name: str) -> None:
    found = cr.grad(lambda x: cnp.sum(x[KEYS[name]]))(X)
    expected = np.zeros_like(X)
    np.add.at(expected.ravel(), np.arange(X.size).reshape(X.shape)[KEYS[name]].ravel(), 1.0)
    np.testing.assert_array_equal(found, expected)


# changed copies

CHANGES: dict[str, Callable[[np.ndarray, Any, Any], Any]] = {
    "set": lambda x, key, v: x.__setitem__(key, v),
    "add": np.add.at,
    "subtract": np.subtract.at,
    "multiply": np.multiply.at,
    "divide": np.divide.at,
    "min": np.minimum.at,
    "max": np.maximum.at,
}
SPOTS: dict[str, tuple[Any, Any]] = {
    "a slice": ((slice(1, 3), 2), 100.0),
    "steps backward": ((slice(None, None, -2), ..., 1), 7.0),
    "rows": (np.array([2, 0]), 50.0),
    "a row twice": (np.array([1, 1, 0]), np.arange(1.0, 4.0).reshape(3, 1, 1, 1)),
    "elements, some twice": (([0, 0, 1], [1, 1, 2], [0, 0, 0], [2, 2, 1]), np.array([5.0, 700.0, -3.0])),
    "a mask": (X % 7 == 0, -4.0),
    "nowhere": ([], 1.0),
    "a number": ((0, 0, 0, 0), 3.0),
    "all": (..., 2.0),
}


@pytest.mark.parametrize("name", SPOTS)
@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_copy_is_what_numpy_changes_in_place(kind: str, name: str) -> None:
    key, values = SPOTS[name]
    expected = X.copy()
    CHANGES[kind](expected, key, values)
    found = getattr(as_array(X).at[key], kind)(values)
    np.testing.assert_allclose(found.value, expected, rtol=1e-15)
    plain = getattr(cnp.at(X)[key], kind)(values)
    assert type(plain) is np.ndarray
    np.testing.assert_array_equal(plain, found.value)
    np.testing.assert_allclose(cr.compile(lambda x: getattr(x.at[key], kind)(values))(X), expected, rtol=1e-15)


@pytest.mark.parametrize("kind", CHANGES)
def test_places_that_are_not_known_may_be_named_several_times(kind: str) -> None:
    index, values = np.array([3, 0, 3, -1, 1]), np.array([2.0, 3.0, 5.0, 0.5, 7.0])
    x = np.array([1.0, -2.0, 4.0, 8.0])
    expected = x.copy()
    CHANGES[kind](expected, index, values)
    found = cr.compile(lambda x, i, v: getattr(x.at[i], kind)(v))(x, index, values)
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_a_change_has_derivatives_for_both() -> None:
    def changed(x: Any, v: Any) -> Any:
        return cnp.sum(x.at[1:3].set(v) * np.array([1.0, 10.0, 100.0, 1000.0]))

    by_x, by_v = cr.grad(changed, argnums=(0, 1))(np.ones(4), np.ones(2))
    np.testing.assert_array_equal(by_x, [1, 0, 0, 1000])
    np.testing.assert_array_equal(by_v, [10, 100])


def test_what_is_overwritten_passes_no_derivative() -> None:
    found = cr.grad(lambda v: cnp.sum(cnp.at(cnp.zeros_like(v))[np.array([0, 0])].set(v[:2])))(np.ones(3))
    np.testing.assert_array_equal(found, [0, 1, 0])


def test_get_reads_and_the_array_stays() -> None:
    x = as_array(X)
    np.testing.assert_array_equal(x.at[1].get().value, X[1])
    x.at[0].set(9.0)
    np.testing.assert_array_equal(x.value, X)
