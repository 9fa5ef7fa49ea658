"""NumPy's universal functions keep their attributes and methods; along axes they have derivatives and compile."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.namespace.calls import N3, POSITIVE, B, F, I, M, V

import chainrule as cr
from chainrule import numpy as cnp
from chainrule import numpy as namespace
from chainrule.errors import ChainruleError, DTypeError, OptionError, ShapeError, TracingError
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import UniversalFunction

UNIVERSAL = {name: getattr(np, name) for name in namespace.__all__ if isinstance(getattr(np, name, None), np.ufunc)}
BINARY = sorted(name for name, u in UNIVERSAL.items() if u.nin == 2 and u.nout == 1 and u.signature is None)
#: Their reduction in NumPy is not what `accumulate` comes to, where slices are neighbours in memory.
OUT_OF_ORDER = {"arctan2", "atan2", "power", "pow"}
CALLS: list[Callable[[Any, Any], Any]] = [
    lambda f, x: f.reduce(x),
    lambda f, x: f.reduceat(x, [1, 0], axis=0),
    lambda f, x: f.reduce(x.T, axis=-1, keepdims=True),
    lambda f, x: f.reduce(x[:1], axis=0),
    lambda f, x: f.reduce(x, axis=None),
    lambda f, x: f.accumulate(x, axis=1),
    lambda f, x: f.outer(x, x[0]),
]
OF_ONE_TYPE = [name for name in BINARY if name != "ldexp"]
NAN = np.array([[1.0, np.nan, 3.0, 2.0], [2.0, 5.0, -1.0, np.inf], [7.0, 1.0, 0.5, 0.5]])


def numpys(call: Callable[[Any], Any]) -> Any:
    """What NumPy makes of it, or the kind of its error."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(np)
        except (TypeError, ValueError) as error:
            return type(error)


@pytest.mark.parametrize("name", UNIVERSAL)
def test_attributes_are_numpys(name: str) -> None:
    mine, theirs = getattr(cnp, name), UNIVERSAL[name]
    assert isinstance(mine, UniversalFunction)
    for attribute in ("nin", "nout", "nargs", "ntypes", "types", "identity", "signature"):
        assert getattr(mine, attribute) == getattr(theirs, attribute)
    assert mine.plain is theirs
    assert mine.__name__ in (theirs.__name__, name, "conj")


def test_a_universal_function_is_an_ordinary_object() -> None:
    assert pickle.loads(pickle.dumps(cnp.add)) is cnp.add
    assert copy.deepcopy(cnp.tanh) is cnp.tanh
    assert repr(cnp.tanh) == "<chainrule.numpy.tanh>"
    assert list(inspect.signature(cnp.add).parameters)[:2] == ["x1", "x2"]

    class Layer:
        activation = cnp.tanh  # not a method, as NumPy's own is none

    assert Layer().activation(0.0) == 0.0
    with pytest.raises(AttributeError):
        _ = cnp.add.nothing_of_the_kind


@pytest.mark.parametrize("name", BINARY)
def test_methods_on_plain_arrays_are_numpys(name: str) -> None:
    x = np.abs(I)
    for call in (
        lambda np: getattr(np, name).reduce(x),
        lambda np: getattr(np, name).reduce(x, axis=1, keepdims=True, initial=3),
        lambda np: getattr(np, name).accumulate(x, axis=1),
        lambda np: getattr(np, name).reduceat(x, [0, 2, 1], axis=1),
        lambda np: getattr(np, name).outer(x, x[0]),
    ):
        expected, found = numpys(call), numpys(lambda _, call=call: call(cnp))
        np.testing.assert_array_equal(found, expected)
        assert type(found) is type(expected)


def test_changes_of_plain_arrays_in_place_are_numpys() -> None:
    for np_ in (np, cnp):
        x, y = np.zeros(3), np.array([1.0, 2.0, 3.0])
        np_.add.at(x, [0, 2, 2], 1.0)
        np_.negative.at(y, [0])
        out = np.zeros(3)
        assert np_.multiply(x, y, out=out) is out
        assert x.tolist() == [1.0, 0.0, 2.0]
        assert y.tolist() == [-1.0, 2.0, 3.0]
        assert out.tolist() == [-1.0, 0.0, 6.0]


@pytest.mark.parametrize("name", OF_ONE_TYPE)
@pytest.mark.parametrize("numpy", [cnp, np], ids=["chainrule.numpy", "numpy"])
def test_along_axes_a_traced_array_gives_numpys_values(name: str, numpy: Any) -> None:
    """By chainrule's name and by NumPy's own function, which hands over."""
    truths = [B] if "??->?" in UNIVERSAL[name].types else []  # of others NumPy makes half-precision numbers
    for x in (M, F, I, np.abs(I).astype(np.int32), NAN, POSITIVE, N3[:, :, :3], *truths):
        for call in CALLS[2 if name in OUT_OF_ORDER else 0 :]:
            expected = numpys(lambda np, call=call, x=x: call(getattr(np, name), x))
            if name in ("power", "pow") and x is I:
                continue  # negative powers of integers, which are refused by value
            if isinstance(expected, type):
                with pytest.raises((ChainruleError, TypeError, ValueError)):
                    call(getattr(numpy, name), as_array(x))
                continue
            with np.errstate(all="ignore"):
                found = call(getattr(numpy, name), as_array(x))
                assert isinstance(found, Array)
                assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
                rounding = 200 * np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0
                np.testing.assert_allclose(found.value, expected, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("name", ["arctan2", "power", "subtract"])
def test_a_reduction_is_what_accumulation_comes_to_also_where_numpys_is_not(name: str) -> None:
    """NumPy's own reduction of neighbours in memory does not keep the order of some functions."""
    function = getattr(cnp, name)
    expected = getattr(np, name).accumulate(POSITIVE, axis=1)[:, -1]
    np.testing.assert_allclose(function.reduce(as_array(POSITIVE), axis=1).value, expected, rtol=1e-14)


OPTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "where": lambda np, x: np.add.reduce(x, where=x > 0),
    "where, identity": lambda np, x: np.logaddexp.reduce(x, axis=1, where=x > 0),
    "where, initial": lambda np, x: np.maximum.reduce(x, axis=None, where=x < 1, initial=-5.0),
    "initial": lambda np, x: np.multiply.reduce(x, axis=(0, 1), initial=2.0),
    "initial of an order": lambda np, x: np.subtract.reduce(x, axis=1, initial=2.0),
    "initial truth": lambda np, x: np.logical_or.reduce(x > 9, axis=1, initial=True),
    "dtype": lambda np, x: np.add.reduce(x, 1, np.float32),
    "dtype of the largest": lambda np, x: np.maximum.reduce(x, dtype=np.float32),
    "dtype of a call": lambda np, x: np.add(x, 1, dtype=np.float32),
    "dtype of one": lambda np, x: np.sqrt(abs(x), dtype=np.float32),
    "several axes": lambda np, x: np.hypot.reduce(x, axis=(1, 0), keepdims=True),
    "nothing": lambda np, x: np.logaddexp.reduce(x[:0], axis=0),
    "nothing accumulated": lambda np, x: np.subtract.accumulate(x[:0], axis=0),
    "the largest of nothing so far": lambda np, x: np.maximum.accumulate(x[:0], axis=0),
    "the smallest of nothing so far": lambda np, x: np.minimum.accumulate(x[:, :0], axis=1),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_mean_what_numpys_mean(name: str) -> None:
    expected, found = OPTIONS[name](np, M), OPTIONS[name](cnp, as_array(M))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.value, expected, rtol=1e-6 if found.dtype == np.float32 else 1e-12)


DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: cnp.add.reduce(x**2, axis=1),
    "product": lambda x: cnp.multiply.reduce(x),
    "norm": lambda x: cnp.hypot.reduce(x, axis=1),
    "largest": lambda x: cnp.maximum.reduce(x**2, axis=None),
    "log-sum-exp": lambda x: cnp.logaddexp.reduce(x, axis=1) ** 2,
    "fractions": lambda x: cnp.divide.reduce(x),
    "running sums": lambda x: cnp.add.accumulate(x**2, axis=1),
    "running log-sum-exp": lambda x: cnp.logaddexp.accumulate(x, axis=1) ** 2,
    "running products": lambda x: np.multiply.accumulate(x),
    "running largest": lambda x: cnp.maximum.accumulate(x, axis=1) ** 2,
    "running smallest": lambda x: cnp.minimum.accumulate(x) ** 2,
    "powers": lambda x: cnp.power.accumulate(abs(x) + 0.5),
    "segments": lambda x: cnp.add.reduceat(x**2, [0, 2], axis=1),
    "products of all": lambda x: cnp.multiply.outer(x, x[0]),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_along_axes_there_are_derivatives_compiled_and_over_examples(name: str) -> None:
    function = DERIVATIVES[name]
    cr.testing.check_gradient(lambda x: cnp.sum(function(x) ** 2), M)
    np.testing.assert_allclose(cr.compile(function)(M), function(as_array(M)).value, rtol=1e-12)
    for row, x in zip(cr.vmap(function)(np.stack([M, 2 * M])), (M, 2 * M), strict=True):
        np.testing.assert_allclose(row, function(as_array(x)).value, rtol=1e-12)


def test_running_extremes_pass_their_derivative_to_the_first_of_equals() -> None:
    x = np.array([1.0, 3.0, 3.0, 2.0, 5.0, 5.0])
    np.testing.assert_array_equal(cr.grad(lambda x: cnp.sum(cnp.maximum.accumulate(x)))(x), [1, 3, 0, 0, 2, 0])
    np.testing.assert_array_equal(cr.grad(lambda x: cnp.sum(cnp.minimum.accumulate(-x)))(x), [-1, -3, 0, 0, -2, 0])
    seven = np.array([2.0, np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(cr.compile(cnp.maximum.accumulate)(seven), [2, np.nan, np.nan, np.nan])


REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str]] = {
    "at": (lambda: cnp.add.at(as_array(V), [0], 1.0), TracingError, "np.at(x)[indices].add(values)"),
    "at, a plain array": (lambda: cnp.maximum.at(V.copy(), [0], as_array(1.0)), TracingError, ".max(values)"),
    "at, NumPy's own": (lambda: np.negative.at(as_array(V), [0]), TracingError, "in place"),
    "out": (lambda: np.add.reduce(as_array(V), out=np.zeros(())), OptionError, "`out`"),
    "of one": (lambda: cnp.exp.reduce(as_array(V)), OptionError, "not of two elements"),
    "with axes": (lambda: cnp.matmul.outer(as_array(V), V), OptionError, "not of two elements"),
    "several axes": (lambda: cnp.subtract.reduce(as_array(M), (0, 1)), OptionError, "the order of the slices counts"),
    "nothing": (lambda: cnp.fmax.reduce(as_array(V[:0])), OptionError, "no identity"),
    "comparisons": (lambda: cnp.less.reduce(as_array(V)), DTypeError, "compares"),
    "where": (lambda: cnp.fmax.reduce(as_array(V), where=V > 0), OptionError, "Give `initial`"),
    "no index": (lambda: cnp.add.reduceat(as_array(V), []), ShapeError, "at least one index"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_with_what_to_write_instead(name: str) -> None:
    call, kind, said = REFUSED[name]
    with pytest.raises(kind) as refused:
        call()
    assert said in str(refused.value)


def test_an_index_outside_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        cnp.add.reduceat(as_array(V), [4])
