"""`chainrule.numpy` is NumPy: on plain arrays it is the very same, on traced ones it has the same values and types."""

from __future__ import annotations

import copy
import inspect
import math
import operator
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.namespace.calls import (
    CONTRACTIONS,
    CREATION,
    ELEMENTWISE,
    FFT,
    LINALG,
    N3,
    ORDER,
    POLYNOMIALS,
    POSITIVE,
    REDUCTIONS,
    SELECTION,
    SHAPING,
    B,
    F,
    G,
    I,
    M,
    V,
    array,
)  # fmt: skip
from tests.programs import examples

import chainrule as cr
from chainrule import numpy as cnp
from chainrule import numpy as namespace
from chainrule.errors import DTypeError
from chainrule.graph.types import DTYPES
from chainrule.numpy import in_place
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array

Call = Callable[..., Any]
FLOATS = [np.dtype(np.float32), np.dtype(np.float64)]
NUMBERS = [d for d in DTYPES if d.kind != "b"]
ALLOWED = set(DTYPES)


def plain(call: Call, arguments: Sequence[Any]) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(call(np, *arguments))


def traced(call: Call, arguments: Sequence[Any]) -> Any:
    given_ = [as_array(a) if isinstance(a, np.ndarray) else a for a in arguments]
    return call(cnp, *given_)


def assert_same(call: Call, *arguments: Any, rounding: float = 0) -> None:
    """The call means the same with NumPy on the arrays and with chainrule.numpy on Arrays of them."""
    expected, found = plain(call, arguments), traced(call, arguments)
    assert isinstance(found, Array)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert found.value.dtype == expected.dtype
    if rounding and expected.dtype.kind == "f":
        scale = max([1.0, *(float(np.max(np.abs(a), initial=0)) for a in arguments if isinstance(a, np.ndarray))])
        limit = rounding * np.finfo(expected.dtype).eps * scale**2
        np.testing.assert_allclose(found.value, expected, rtol=limit, atol=limit)
    else:
        np.testing.assert_array_equal(found.value, expected)


#: Numbers whose negatives are not of their type, or not in the reverse order.
EXTREME = [np.array([2, 0, 255, 1], np.uint8), np.array([0, -128, 127], np.int8), np.array([True, False]),
           np.array([3, 2**64 - 1, 0], np.uint64), np.array([-(2**63), 2**63 - 1])]  # fmt: skip

#: A call of every function, and of each of its arguments; NumPy says what comes out.
CALLS: dict[str, list[tuple[Call, tuple[Any, ...]]]] = {
    **{name: [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in (M, F, N3, I)]
       for name in ("absolute", "abs", "negative", "sign", "exp", "expm1", "tanh", "sin", "cos", "square", "rint",
                    "tan", "arctan", "sinh", "cosh", "arcsinh", "exp2", "cbrt")},
    **{name: [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in (POSITIVE, POSITIVE.astype(np.float32))]
       for name in ("log", "log1p", "sqrt", "reciprocal", "log2", "log10")},
    **{name: [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in (M, F, I)]
       for name in ("arcsin", "arccos", "arctanh", "arccosh")},
    **{name: [(lambda np, x, y, name=name: getattr(np, name)(x, y), pair)
              for pair in ((M, V), (F, G), (F, M), (I, I), (F, 2.5), (2, M), (F, I), (I, 3))]
       for name in ("arctan2", "hypot", "logaddexp", "copysign", "nextafter")},
    **{name: [(lambda np, x, y, name=name: getattr(np, name)(x, y), pair)
              for pair in ((I, 3), (I, np.abs(I)), (I.astype(np.int8), 6), (B, B[0]), (B, I), (I, True), (2, I))]
       for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "bitwise_left_shift",
                    "bitwise_right_shift")},
    **{name: [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in (I, B, np.arange(5, dtype=np.uint8))]
       for name in ("invert", "bitwise_not", "bitwise_invert")},
    **{name: [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in (M, F, I, B)]
       for name in ("floor", "ceil")},
    "logical_not": [(lambda np, x: np.logical_not(x), (B,))],
    **{name: [(lambda np, x, y, name=name: getattr(np, name)(x, y), pair)
              for pair in ((M, V), (F, G), (F, M), (I, I), (F, 2.5), (2, M), (F, I), (M, M.astype(np.int8)))]
       for name in ("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "floor_divide",
                    "remainder", "mod", "less", "less_equal", "equal", "not_equal", "greater", "greater_equal")},
    "power": [(lambda np, x, y: np.power(x, y), pair) for pair in ((POSITIVE, V), (M, 2), (F, 3), (F, 2.0), (I, 2))],
    "logical_and": [(lambda np, x, y: np.logical_and(x, y), (B, ~B[0]))],
    "logical_or": [(lambda np, x, y: np.logical_or(x, y), (B, ~B[0]))],
    "where": [(lambda np, c, x, y: np.where(c, x, y), case)
              for case in ((B, M, V), (B, F, 0.0), (B[0], 1, F), (I, M, M), (B, I, 2.5))],
    "clip": [(lambda np, x: np.clip(x, -0.5, 0.5), (M,)), (lambda np, x: np.clip(x, None, 0.5), (F,)),
             (lambda np, x, low: np.clip(x, low, None), (M, V)), (lambda np, x: np.clip(x, min=0, max=2), (I,))],
    "sum": [(lambda np, x: np.sum(x), (x,)) for x in (M, F, I, B, I.astype(np.int8), np.abs(I).astype(np.uint8))]
    + [(lambda np, x: np.sum(x, axis=1), (M,)), (lambda np, x: np.sum(x, axis=(0, -1), keepdims=True), (N3,)),
       (lambda np, x: np.sum(x, dtype=np.float64), (F,)), (lambda np, x: np.sum(x, axis=()), (M,))],
    "mean": [(lambda np, x: np.mean(x), (x,)) for x in (M, F, I, B)]
    + [(lambda np, x: np.mean(x, axis=0), (F,)), (lambda np, x: np.mean(x, (1, 2), keepdims=True), (N3,))],
    "var": [(lambda np, x: np.var(x, 1, mean=np.ones((len(x), 1)), ddof=1, where=x < 1), (M,)),
        (lambda np, x: np.var(x), (M,)), (lambda np, x: np.var(x, axis=1), (F,)), (lambda np, x: np.var(x), (I,)),
            (lambda np, x: np.var(x, axis=(0, 2), keepdims=True, ddof=1), (N3,))],
    "std": [(lambda np, x: np.std(x, 0, where=x > 0), (M,)),
        (lambda np, x: np.std(x), (M,)), (lambda np, x: np.std(x, axis=0, ddof=1), (F,))],
    **{name: [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in (M, F, I)]
       + [(lambda np, x, name=name: getattr(np, name)(x, axis=(0, 2), keepdims=True), (N3,))]
       + [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in EXTREME]
       for name in ("max", "min", "amax", "amin")},
    **{name: [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in (M, I, np.array([1.0, np.nan, 3, np.nan]))]
       + [(lambda np, x, name=name: getattr(np, name)(x, axis=1), (I,)),
          (lambda np, x, name=name: getattr(np, name)(x, axis=-1, keepdims=True), (N3,))]
       + [(lambda np, x, name=name: getattr(np, name)(x), (x,)) for x in EXTREME]
       for name in ("argmax", "argmin")},
    "matmul": [(lambda np, x, y: np.matmul(x, y), pair) for pair in (
        (M, M.T), (M, V), (V, M.T), (V, V), (N3, M.T), (M, N3[0].T), (N3, N3.transpose(0, 2, 1)), (F, G.T), (F, M.T),
        (I, I.T), (array((2, 1, 3, 4), np.float64), array((5, 4, 2), np.float64)))],
    "dot": [(lambda np, x, y: np.dot(x, y), pair) for pair in (
        (M, M.T), (V, V), (N3, V), (N3, N3.transpose(0, 2, 1)), (M, np.array(2.0)))],
    "inner": [(lambda np, x, y: np.inner(x, y), pair) for pair in ((M, M), (V, V), (N3, M), (M, np.array(2.0)))],
    "outer": [(lambda np, x, y: np.outer(x, y), pair) for pair in ((V, V), (M, V), (F, G))],
    "tensordot": [(lambda np, x, y: np.tensordot(x, y), (M, M)), (lambda np, x, y: np.tensordot(x, y, 1), (M, M.T)),
                  (lambda np, x, y: np.tensordot(x, y, ([0, 2], [0, -1])), (N3, N3)),
                  (lambda np, x, y: np.tensordot(x, y, 0), (V, V))],
    "einsum": [(lambda np, x, y: np.einsum("bi,oi->bo", x, y), (M, M)),
               (lambda np, x: np.einsum("ij->", x), (M,)), (lambda np, x: np.einsum("ij->ji", x), (M,)),
               (lambda np, x, y: np.einsum("ij,kj", x, y), (M, M)),
               (lambda np, x, y: np.einsum("aij, bj -> ba", x, y), (N3, M)),
               (lambda np, x, y, z: np.einsum("ij,jk,kl->il", x, y, z), (M, M.T, M))],
    "reshape": [(lambda np, x: np.reshape(x, (6, -1), order="F"), (N3,)),
        (lambda np, x: np.reshape(x, (4, 3)), (M,)), (lambda np, x: np.reshape(x, -1), (N3,)),
                (lambda np, x: np.reshape(x, (2, -1, 2)), (N3,)), (lambda np, x: np.reshape(x, 12), (M,))],
    "ravel": [(lambda np, x: np.ravel(x), (N3,)), (lambda np, x: np.ravel(x, order="F"), (N3,))],
    "transpose": [(lambda np, x: np.transpose(x), (N3,)), (lambda np, x: np.transpose(x, (1, -1, 0)), (N3,))],
    "swapaxes": [(lambda np, x: np.swapaxes(x, 0, -1), (N3,))],
    "moveaxis": [(lambda np, x: np.moveaxis(x, 0, -1), (N3,)), (lambda np, x: np.moveaxis(x, -1, 1), (N3,))],
    "expand_dims": [(lambda np, x: np.expand_dims(x, 0), (M,)), (lambda np, x: np.expand_dims(x, -1), (M,))],
    "squeeze": [(lambda np, x: np.squeeze(x), (M[:, None, :1],)), (lambda np, x: np.squeeze(x, -1), (M[:, None, :1],))],
    "broadcast_to": [(lambda np, x: np.broadcast_to(x, (2, 3, 4)), (M,)), (lambda np, x: np.broadcast_to(x, 4), (V,))],
    "concatenate": [(lambda np, x, y: np.concatenate([x, y]), (M, F)),
                    (lambda np, x, y: np.concatenate((x, y, x), axis=-1), (M, M[:, :1])),
                    (lambda np, x, y: np.concatenate([x, y], axis=None), (M, V)),
                    (lambda np, x, y: np.concatenate([x, y]), (I, F))],
    "stack": [(lambda np, x, y: np.stack([x, y]), (M, M)), (lambda np, x, y: np.stack((x, y), axis=-1), (M, M))],
    "pad": [(lambda np, x: np.pad(x, 2), (M,)), (lambda np, x: np.pad(x, (1, 0)), (M,)),
            (lambda np, x: np.pad(x, ((0, 1), (2, 3))), (I,))],
    "take": [(lambda np, x: np.take(x, np.array([2, 0, -1])), (M,)),
             (lambda np, x: np.take(x, np.array([[1, 0]]), axis=1), (N3,)),
             (lambda np, x: np.take(x, 1, axis=-1), (N3,))],
    "astype": [(lambda np, x: np.astype(x, np.float32), (M,)), (lambda np, x: np.astype(x, bool), (I,))],
    "zeros_like": [(lambda np, x: np.zeros_like(x), (F,)), (lambda np, x: np.zeros_like(x, dtype=np.int8), (F,))],
    "ones_like": [(lambda np, x: np.ones_like(x), (I,)), (lambda np, x: np.ones_like(x, np.float64), (I,))],
    "full_like": [(lambda np, x: np.full_like(x, 2.5), (F,)), (lambda np, x: np.full_like(x, 2.5), (I,)),
                  (lambda np, x, y: np.full_like(x, y), (M, V)), (lambda np, x: np.full_like(x, 3, dtype=float), (I,))],
}  # fmt: skip

CALLS.update({**ELEMENTWISE, **REDUCTIONS, **CONTRACTIONS, **SHAPING, **ORDER, **POLYNOMIALS, **SELECTION, **CREATION})
CALLS.update({f"linalg.{name}": cases for name, cases in LINALG.items()})
CALLS.update({f"fft.{name}": cases for name, cases in FFT.items()})
CALLS["norm"] = [(lambda np, x: getattr(np, "norm", np.linalg.norm)(x), (M,))]

#: Functions whose sums NumPy adds up in another order.
SUMMED = {
    "matmul", "dot", "inner", "outer", "tensordot", "einsum", "mean", "var", "std", "sum", *REDUCTIONS, *CONTRACTIONS,
    *(f"linalg.{name}" for name in LINALG), "convolve", "correlate", "norm", "sinc", "logaddexp2", "quantile",
        "percentile",
    "median", "interp", "linspace", "deg2rad", "rad2deg", "radians", "degrees", "float_power", "vander", "nanmedian",
    "nanquantile", "nanpercentile", "geomspace", "logspace", "histogram_bin_edges", "histogram", "apply_over_axes",
    *POLYNOMIALS, "i0", "kaiser",
}  # fmt: skip
#: Functions that give Python numbers.
ASKED = {"shape", "ndim", "size"}
#: Functions that say what arrays are, modules, and what NumPy has not.
OTHERS = {
    "isscalar", "result_type", "can_cast", "finfo", "iinfo", "iscomplexobj", "isrealobj", "linalg", "at", "erf",
    "logsumexp", "linalg.eig", "linalg.eigvals", "fft", "r_", "c_", "row_stack", *in_place.__all__,
    *(f"fft.{name}" for name in namespace.fft.__all__ if "shift" not in name),
}  # fmt: skip


def test_every_function_has_a_call() -> None:
    parts = {f"{part}.{name}" for part in ("fft", "linalg") for name in getattr(namespace, part).__all__}
    assert set(namespace.__all__) | parts == set(CALLS) | ASKED | OTHERS


@pytest.mark.parametrize("name", CALLS)
def test_a_function_means_what_numpy_means(name: str) -> None:
    for call, arguments in CALLS[name]:
        assert_same(call, *arguments, rounding=20 if name in SUMMED else 0)


#: NumPy's own functions that take the values of what they are given, which a traced array refuses.
TAKING = {"array", "asarray", "asanyarray", "ascontiguousarray", "full", "arange", "eye", "identity", "norm", "kaiser"}


@pytest.mark.parametrize("name", [name for name in CALLS if name not in TAKING])
def test_numpys_own_function_given_a_traced_array_records_the_same(name: str) -> None:
    """`numpy.tanh(x)` for a traced x is `chainrule.numpy.tanh(x)`."""
    for call, arguments in CALLS[name]:
        given_ = [as_array(a) if isinstance(a, np.ndarray) else a for a in arguments]
        found, expected = call(np, *given_), call(cnp, *given_)
        assert isinstance(found, Array)
        np.testing.assert_array_equal(found.value, expected.value)


@pytest.mark.parametrize("name", CALLS)
def test_on_plain_arrays_it_is_numpy(name: str) -> None:
    for call, arguments in CALLS[name]:
        found, expected = plain(lambda _, *a, call=call: call(cnp, *a), arguments), plain(call, arguments)
        assert (type(found), found.dtype) == (type(expected), expected.dtype)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_shapes_are_python_numbers(name: str) -> None:
    for x in (M, N3, np.array(1.0), np.zeros((0, 3))):
        found = getattr(cnp, name)(as_array(x))
        assert found == getattr(np, name)(x)
        assert type(found) is type(getattr(np, name)(x))


def test_what_is_not_listed_is_numpys_own() -> None:
    assert cnp.hanning is np.hanning
    assert cnp.pi == np.pi
    assert cnp.complex64 is np.complex64
    assert isinstance(cnp.linalg, ModuleType)
    assert cnp.fft.rfftfreq is np.fft.rfftfreq
    assert cnp.linalg.LinAlgError is np.linalg.LinAlgError
    with pytest.raises(AttributeError):
        _ = cnp.no_such_function


#: Options of the array API standard that NumPy has not, and one that its signature does not show.
STANDARD = {("sort", "descending"), ("argsort", "descending"), ("pad", "constant_values")}


def test_every_function_takes_numpys_own_arguments() -> None:
    """The same names at the same places, as far as they are offered."""
    for name in namespace.__all__:
        try:
            given_ = inspect.signature(getattr(np, name)).parameters
        except (AttributeError, TypeError, ValueError):  # a ufunc, a C function, a module, or not NumPy's
            continue
        if any(p.kind is p.VAR_POSITIONAL for p in given_.values()):
            continue
        theirs = list(given_)
        mine = inspect.signature(getattr(namespace, name)).parameters
        for place, p in enumerate(mine.values()):
            if p.kind is p.POSITIONAL_OR_KEYWORD:
                assert theirs[place] == p.name, name
            if p.kind is p.KEYWORD_ONLY:
                assert p.name in theirs or (name, p.name) in STANDARD, name


# promotion and broadcasting


PAIRS = {
    "+": lambda np, x, y: x + y,
    "-": lambda np, x, y: x - y,
    "*": lambda np, x, y: x * y,
    "/": lambda np, x, y: x / y,
    "<": lambda np, x, y: x < y,
    "maximum": lambda np, x, y: np.maximum(x, y),
}


@pytest.mark.parametrize("symbol", PAIRS)
def test_types_are_promoted_as_in_numpy(symbol: str) -> None:
    """Every pair of types: with NumPy's result where it is a type of this library, refused where it is not."""
    for a in DTYPES:
        for b in DTYPES:
            x, y = array((3,), a), array((3,), b, 1)
            try:
                expected = plain(PAIRS[symbol], (x, y))
            except TypeError:  # NumPy does not subtract booleans
                expected = None
            if expected is not None and expected.dtype in ALLOWED:
                assert_same(PAIRS[symbol], x, y)
            else:
                with pytest.raises(DTypeError):
                    traced(PAIRS[symbol], (x, y))


@pytest.mark.parametrize("symbol", PAIRS)
@pytest.mark.parametrize("number", [2, 2.5, True, -1, 0.0, np.float32(2.5), np.int8(3), np.float64(0.1)], ids=repr)
def test_numbers_take_the_type_of_the_array_where_they_fit(symbol: str, number: Any) -> None:
    """Python's own are weak, NumPy's have a type of their own."""
    for dtype in [np.dtype(n) for n in ("int8", "int32", "int64", "float32", "float64")]:
        x = array((3,), dtype)
        assert_same(PAIRS[symbol], x, number)
        assert_same(lambda np, x, n: PAIRS[symbol](np, n, x), x, number)


def test_a_number_that_does_not_fit_the_type_is_refused_as_in_numpy() -> None:
    x = np.ones(3, np.int8)
    for xs in (x, as_array(x)):
        with pytest.raises(OverflowError):
            xs + 300


@pytest.mark.parametrize("name", ["exp", "tanh", "sqrt", "mean"])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64"])
def test_functions_of_wide_integers_are_of_double_precision(name: str, dtype: str) -> None:
    assert_same(lambda np, x: getattr(np, name)(x), np.abs(array((3,), dtype)))


@examples(4)
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4),
    dtypes=st.tuples(st.sampled_from(FLOATS), st.sampled_from(FLOATS)),
    symbol=st.sampled_from(sorted(PAIRS)),
)
def test_shapes_are_broadcast_as_in_numpy(shapes: Any, dtypes: Any, symbol: str) -> None:
    x, y = (array(shape, dtype, n) for n, (shape, dtype) in enumerate(zip(shapes.input_shapes, dtypes, strict=True)))
    assert_same(PAIRS[symbol], x, y)


@examples(4)
@given(data=st.data())
def test_products_of_stacks_are_those_of_numpy(data: st.DataObject) -> None:
    signature = data.draw(hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2, max_side=3))
    x, y = (array(shape, np.float64, n) for n, shape in enumerate(signature.input_shapes))
    assert_same(lambda np, x, y: x @ y, x, y, rounding=20)


@examples(4)
@given(data=st.data())
def test_reductions_over_any_axes_are_those_of_numpy(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3))
    axis = data.draw(
        st.none()
        | hnp.valid_tuple_axes(len(shape))
        | (st.integers(-len(shape), len(shape) - 1) if shape else st.none())
    )
    keepdims, name = data.draw(st.booleans()), data.draw(st.sampled_from(["sum", "mean", "max", "min", "var"]))
    x = array(shape, data.draw(st.sampled_from(FLOATS)))
    assert_same(lambda np, x: getattr(np, name)(x, axis=axis, keepdims=keepdims), x, rounding=20)
    if name != "var":
        assert_same(lambda np, x: getattr(x, name)(axis=axis, keepdims=keepdims), x, rounding=20)


def test_reductions_of_nothing() -> None:
    empty = np.zeros((0, 3))
    assert_same(lambda np, x: np.sum(x, axis=0), empty)
    assert_same(lambda np, x: np.mean(x), empty)
    assert_same(lambda np, x: np.sum(x), empty)


# operators and methods


OPERATIONS: list[tuple[Call, tuple[Any, ...]]] = [
    (lambda np, x: -x, (M,)), (lambda np, x: +x, (M,)), (lambda np, x: abs(x), (I,)), (lambda np, x: ~x, (B,)),
    (lambda np, x, y: x**y, (POSITIVE, V)), (lambda np, x: 2.0**x, (M,)), (lambda np, x: x**2, (I,)),
    (lambda np, x: x**-1.0, (POSITIVE,)), (lambda np, x: x**0.5, (POSITIVE,)), (lambda np, x: x // 0.3, (M,)),
    (lambda np, x: 2 // x, (POSITIVE,)), (lambda np, x: x % 0.3, (M,)), (lambda np, x: 2.0 % x, (POSITIVE,)),
    (lambda np, x: x % 3, (I,)), (lambda np, x: x // 3, (I,)), (lambda np, x: 1 - x, (F,)), (lambda np, x: 1 / x, (F,)),
    (lambda np, x: x / 2, (I,)), (lambda np, x, y: (x > y) & (x < 1), (M, V)), (lambda np, x: (x > 0) | False, (M,)),
    (lambda np, x: True & (x >= 0), (M,)), (lambda np, x: (x == 0) != (x <= 0), (I,)),
    (lambda np, x: x.T, (N3,)), (lambda np, x: x.reshape(4, 3), (M,)), (lambda np, x: x.reshape((2, -1)), (M,)),
    (lambda np, x: x.reshape(-1), (N3,)), (lambda np, x: x.transpose(), (N3,)),
    (lambda np, x: x.transpose(1, 0, 2), (N3,)), (lambda np, x: x.transpose((2, 0, 1)), (N3,)),
    (lambda np, x: x.ravel(), (N3,)), (lambda np, x: x.flatten(), (N3,)), (lambda np, x: x.astype(np.float32), (M,)),
    (lambda np, x: x.astype(int), (M,)), (lambda np, x, y: x.dot(y), (M, V)),
    (lambda np, x: x.sum(1), (M,)), (lambda np, x: x.mean(), (F,)), (lambda np, x: x.max(0), (M,)),
    (lambda np, x: x.min(-1, keepdims=True), (M,)), (lambda np, x: x + [1.0, 2.0, 3.0, 4.0], (M,)),
    (lambda np, x, y: y @ x.T, (M, V)),
    (lambda np, x, y: x & y, (I, 3)), (lambda np, x, y: y | x, (I, 3)),
        (lambda np, x, y: x ^ y, (I, I.T.reshape(3, 4))),
    (lambda np, x: ~x, (I,)), (lambda np, x: x << 2, (I,)), (lambda np, x: 2 << abs(x), (I,)),
        (lambda np, x: x >> 1, (I,)),
    (lambda np, x: 100 >> abs(x), (I,)), (lambda np, x: x ^ True, (B,)), (lambda np, x: x << x, (B,)),
    (lambda np, x: x << 70, (I,)), (lambda np, x: x >> 70, (I,)), (lambda np, x: x.astype(np.uint8) & 0xF0, (I,)),
    (lambda np, x: np.concatenate(divmod(x, 0.3)), (M,)), (lambda np, x: np.stack(divmod(7, x)), (I * I + 1,)),
    (lambda np, x: x.view(np.int64), (M,)), (lambda np, x: x.view(np.float32), (F.view(np.uint32),)),
    (lambda np, x: x.prod(0), (M,)), (lambda np, x: x.var(1, ddof=1), (M,)), (lambda np, x: x.std(), (F,)),
    (lambda np, x: x.any(1), (B,)), (lambda np, x: x.all(), (B,)), (lambda np, x: x.argmax(0), (M,)),
    (lambda np, x: x.argmin(), (M,)), (lambda np, x: x.cumsum(1), (M,)), (lambda np, x: x.cumprod(0), (M,)),
    (lambda np, x: x.argsort(), (M,)), (lambda np, x: x.clip(-0.5, 0.5), (M,)), (lambda np, x: x.clip(max=0.5), (F,)),
    (lambda np, x: x.round(), (3 * M,)), (lambda np, x: x.squeeze(), (M[None],)),
        (lambda np, x: x.swapaxes(0, 1), (N3,)),
    (lambda np, x: x.repeat(2, 1), (M,)), (lambda np, x: x.take([0, -1], axis=1), (M,)),
        (lambda np, x: x.diagonal(1), (M,)),
    (lambda np, x: x.trace(), (M,)), (lambda np, x: x.conj(), (M,)), (lambda np, x: x.copy(), (M,)),
        (lambda np, x: x.mT, (N3,)),
    (lambda np, x: x.real + x.imag, (M,)), (lambda np, x: x.searchsorted([0.5, 9]), (np.arange(4.0),)),
    (lambda np, x: x[x.nonzero()], (I,)), (lambda np, x, y: abs(x % 2).choose([y, 2 * y]), (I, M)),
    (lambda np, x: x.compress([True, False, True], axis=0), (M,)), (lambda np, x: x[x.argpartition(2)[2]], (V,)),
    (lambda np, x: x.reshape(4, 3, order="C"), (M,)), (lambda np, x: x.astype(np.int8, copy=False), (I,)),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(OPERATIONS)))
def test_an_operator_or_method_means_what_numpys_means(number: int) -> None:
    call, arguments = OPERATIONS[number]
    assert_same(call, *arguments, rounding=20)


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/"])
def test_a_plain_array_on_the_left_gives_way(symbol: str) -> None:
    """As a NumPy array and as a NumPy number."""
    call = PAIRS[symbol]
    for left in (M, np.float64(2.5), np.float32(2.5)):
        found, expected = call(cnp, left, as_array(F)), call(np, left, F)
        assert isinstance(found, Array)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.value, expected)
    product = M.T @ as_array(M)
    assert isinstance(product, Array)
    np.testing.assert_allclose(product.value, M.T @ M, rtol=1e-14)


def test_an_array_has_the_length_and_the_rows_of_numpys() -> None:
    x = as_array(M)
    assert len(x) == 3
    assert [row.shape for row in x] == [(4,)] * 3
    np.testing.assert_array_equal(np.stack([row.value for row in x]), M)
    with pytest.raises(TypeError, match="without axes"):
        len(as_array(1.0))


def test_python_can_ask_for_the_value_of_a_single_element() -> None:
    x = as_array(np.array([[2.5]]))
    assert (float(x), int(x), bool(x), x.item()) == (2.5, 2, True, 2.5)
    assert [10, 20, 30][as_array(1)] == 20
    assert repr(as_array(np.float32(1.5))) == "Array(1.5, f32[])"


def test_a_single_element_is_written_as_python_writes_numbers() -> None:
    assert f"{as_array(2.5):.3f} {as_array(3):d} {as_array(2.5)}" == "2.500 3 Array(2.5, f64[])"


def test_a_copy_is_the_array_itself() -> None:
    x = as_array(np.ones(3))
    assert copy.copy(x) is x
    assert copy.deepcopy({"x": x})["x"] is x


@pytest.mark.parametrize("exponent", [-1, -2])
def test_whole_numbers_have_no_negative_powers_as_in_numpy(exponent: int) -> None:
    with pytest.raises(ValueError, match="negative integer powers"):
        _ = as_array(np.array([1, 2])) ** exponent
    assert (as_array(np.array([1.0, 2.0])) ** exponent).tolist() == [1.0, 2.0**exponent]


def test_an_array_counts_as_it_was_when_it_was_used() -> None:
    buffer = np.ones(3)

    def cost(x: Any) -> Any:
        first = buffer * x
        buffer[:] = 5.0
        return cnp.sum(first + buffer * x)

    value, slope = cr.value_and_grad(cost)(np.ones(3))
    assert value == 18.0
    assert slope.tolist() == [6.0, 6.0, 6.0]


def test_an_array_tells_its_size_in_bytes_and_its_values_as_lists() -> None:
    x = as_array(F)
    assert (x.itemsize, x.nbytes, x.tolist()) == (4, 48, F.tolist())


def test_bits_are_of_another_type_of_the_same_size() -> None:
    with pytest.raises(DTypeError, match="the bits of f64"):
        as_array(M).view(np.int32)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_error_function_is_pythons(dtype: np.dtype[Any]) -> None:
    x = np.linspace(-4, 4, 33, dtype=dtype)
    expected = np.array([math.erf(v) for v in x.tolist()], dtype)
    np.testing.assert_array_equal(cnp.erf(x), expected)
    assert cnp.erf(x).dtype == dtype
    np.testing.assert_allclose(cr.compile(cnp.erf)(x), expected, rtol=4 * np.finfo(dtype).eps)
    assert cnp.erf(0.5) == math.erf(0.5)


def test_the_logarithm_of_a_sum_of_exponentials_does_not_overflow() -> None:
    x = np.array([[1000.0, 1000.0, -5.0], [-np.inf, -np.inf, -np.inf], [-1e5, -1e5, -1e5], [np.inf, 1.0, 2.0]])
    expected = [1000 + math.log(2), -np.inf, -1e5 + math.log(3), np.inf]
    np.testing.assert_allclose(cnp.logsumexp(x, axis=1), expected, rtol=1e-15)
    np.testing.assert_allclose(cr.compile(lambda x: cnp.logsumexp(x, 1, keepdims=True))(x)[:, 0], expected, rtol=1e-15)
    softmax = cr.grad(lambda x: cnp.logsumexp(x))(np.array([1e4, 1e4 + math.log(3)]))
    np.testing.assert_allclose(softmax, [0.25, 0.75], rtol=1e-12)


def test_the_second_derivative_of_sinc_is_right_at_its_removable_singularity() -> None:
    second = cr.grad(cr.grad(lambda x: cnp.sinc(x)))
    for x in (0.0, 1e-9, 0.0317, 0.0319):
        assert second(x) == pytest.approx(-(math.pi**2) / 3 + math.pi**4 * x * x / 10, rel=1e-4)


# indexing


X = np.arange(120.0).reshape(4, 5, 6)


@examples(10)
@given(hnp.basic_indices(X.shape, allow_newaxis=True, allow_ellipsis=True, max_dims=6))
def test_basic_indexing_is_numpys(key: Any) -> None:
    assert_same(lambda np, x: x[key], X)


@examples(2)
@given(hnp.basic_indices((0, 3), allow_newaxis=True))
def test_basic_indexing_of_nothing_is_numpys(key: Any) -> None:
    try:
        expected = np.zeros((0, 3))[key]
    except IndexError:
        with pytest.raises(IndexError):
            as_array(np.zeros((0, 3)))[key]
        return
    found = as_array(np.zeros((0, 3)))[key]
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)


@examples(4)
@given(axis=st.integers(0, 2), data=st.data())
def test_an_integer_array_indexes_one_axis_as_in_numpy(axis: int, data: st.DataObject) -> None:
    extent = X.shape[axis]
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=3))
    index = data.draw(
        hnp.arrays(st.sampled_from([np.int64, np.int8]), shape, elements=st.integers(-extent, extent - 1))
    )
    key = (slice(None),) * axis + (index,)
    assert_same(lambda np, x: x[key], X)
    assert_same(lambda np, x, rows: x[(slice(None),) * axis + (rows,)], X, index)


KEYS: list[Any] = [
    [2, 0, -1], np.array([1, 1]), (slice(None), [0, 4]), (slice(None), slice(None), np.array([[0], [5]])),
    np.uint8([3]), np.int64(2), np.array(1), (np.int8(1), ..., None), (2, slice(None, None, -2)), ..., None, (),
    (slice(3, 1),),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_indexing_is_numpys(key: Any) -> None:
    assert_same(lambda np, x: x[key], X)


def test_an_index_may_be_a_traced_number() -> None:
    np.testing.assert_array_equal(as_array(X)[as_array(2)].value, X[2])
    np.testing.assert_array_equal(as_array(X)[1:, as_array(2)].value, X[1:, 2])


@pytest.mark.parametrize("key", [4, -5, (0, 5), (0, 0, 0, 0), [4], [0, -5], (slice(None), [5])], ids=repr)
def test_an_index_outside_is_an_index_error_as_in_numpy(key: Any) -> None:
    for x in (X, as_array(X)):
        with pytest.raises(IndexError):
            x[key]


@pytest.mark.parametrize("key", [0, [0], slice(None), (0, 0)], ids=repr)
def test_a_number_has_nothing_to_index(key: Any) -> None:
    for x in (np.array(1.0), as_array(1.0)):
        with pytest.raises(IndexError):
            x[key]


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind in "iu"], ids=str)
def test_an_integer_that_a_type_does_not_hold_is_larger_or_smaller_than_all(dtype: Any) -> None:
    x = np.array([np.iinfo(dtype).min, 1, np.iinfo(dtype).max], dtype)
    for n in (int(np.iinfo(dtype).min) - 1, int(np.iinfo(dtype).max) + 1, 2**80, -(2**80)):
        for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
            for found, expected in ((compare(as_array(x), n), compare(x, n)), (compare(n, as_array(x)), compare(n, x))):
                np.testing.assert_array_equal(found.value, expected)
    with pytest.raises(OverflowError):
        as_array(x) + 2**80
