"""The Python array API standard: code that asks arrays for their namespace runs plain, traced and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import ChainruleError
from chainrule.trace.promotion import as_array

#: Every name of the standard's version 2024.12, without complex numbers.
STANDARD = [
    "e", "inf", "nan", "newaxis", "pi", "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full",
    "full_like", "linspace", "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like", "astype",
    "broadcast_arrays", "broadcast_to", "can_cast", "finfo", "iinfo", "isdtype", "result_type", "bool", "int8",
    "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "abs", "acos", "acosh",
    "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift", "bitwise_invert",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos", "cosh", "divide",
    "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag", "isfinite",
    "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logical_and",
    "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "nextafter",
    "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh",
    "square", "sqrt", "subtract", "tan", "tanh", "trunc", "take", "take_along_axis", "__array_namespace_info__",
    "__array_api_version__", "matmul", "matrix_transpose", "tensordot", "vecdot", "concat", "expand_dims", "flip",
    "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "tile", "unstack", "argmax",
    "argmin", "count_nonzero", "nonzero", "searchsorted", "where", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "argsort", "sort", "cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std",
    "sum", "var", "all", "any", "diff",
]  # fmt: skip
LINALG = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "trace", "vecdot", "vector_norm",
]  # fmt: skip
METHODS = [
    "__abs__", "__add__", "__and__", "__array_namespace__", "__bool__", "__eq__", "__float__", "__floordiv__",
    "__ge__", "__getitem__", "__gt__", "__index__", "__int__", "__invert__", "__le__", "__lshift__", "__lt__",
    "__matmul__", "__mod__", "__mul__", "__ne__", "__neg__", "__or__", "__pos__", "__pow__", "__rshift__",
    "__setitem__", "__sub__", "__truediv__", "__xor__", "to_device", "__radd__", "__rand__", "__rfloordiv__",
    "__rlshift__", "__rmatmul__", "__rmod__", "__rmul__", "__ror__", "__rpow__", "__rrshift__", "__rsub__",
    "__rtruediv__", "__rxor__", "dtype", "device", "mT", "ndim", "shape", "size", "T",
]  # fmt: skip


@pytest.mark.parametrize("name", STANDARD)
def test_every_name_of_the_standard_is_there(name: str) -> None:
    assert hasattr(cnp, name)


def test_every_name_of_linear_algebra_is_there() -> None:
    assert [name for name in LINALG if not callable(getattr(cnp.linalg, name))] == []


def test_every_method_of_the_standard_is_there() -> None:
    assert [name for name in METHODS if not hasattr(as_array(np.eye(2)), name)] == []


def test_an_array_knows_its_namespace() -> None:
    assert as_array(1.0).__array_namespace__() is cnp
    assert as_array(1.0).__array_namespace__(api_version="2023.12") is cnp
    assert cnp.__array_api_version__ == "2024.12"


def test_the_namespace_says_what_it_can() -> None:
    told = cnp.__array_namespace_info__()
    assert told.capabilities()["boolean indexing"] is False
    assert told.devices() == [told.default_device()] == [as_array(1.0).device] == ["cpu"]
    assert told.default_dtypes()["real floating"] == np.float64
    assert set(told.dtypes(kind="real floating")) == {"float32", "float64"}
    assert set(told.dtypes(kind=("bool", "signed integer"))) == {"bool", "int8", "int16", "int32", "int64"}
    assert len(told.dtypes()) == 11
    assert as_array(1.0).to_device("cpu").dtype == np.float64


def standardized(x: Any) -> Any:
    """Written for any namespace of the standard."""
    xp = x.__array_namespace__()
    x = xp.astype(x, xp.float64)
    spread = xp.std(x, axis=0, keepdims=True, correction=1)
    z = (x - xp.mean(x, axis=0, keepdims=True)) / spread
    ordered = xp.sort(z, axis=0, descending=True) if xp is cnp else xp.flip(xp.sort(z, axis=0), axis=0)
    whole = xp.concat([xp.cumulative_sum(z, axis=0), ordered], axis=1)
    length = xp.linalg.vector_norm(whole, axis=-1, keepdims=True)
    return xp.sum(xp.where(length > 1, xp.vecdot(whole, whole)[:, None], xp.square(length))) + xp.linalg.trace(z.mT @ z)


def test_generic_code_runs_plain_traced_and_compiled() -> None:
    x = np.random.default_rng(0).normal(size=(6, 3))
    expected = standardized(x)
    assert float(standardized(as_array(x))) == pytest.approx(expected, rel=1e-13)
    value, slope = cr.compile(cr.value_and_grad(standardized))(x)
    assert value == pytest.approx(expected, rel=1e-13)
    direction = np.random.default_rng(1).normal(size=x.shape)
    h = 1e-6
    difference = (standardized(x + h * direction) - standardized(x - h * direction)) / (2 * h)
    assert np.sum(slope * direction) == pytest.approx(difference, rel=1e-6)


def test_sorting_downward_is_stable_and_leaves_nan_where_numpy_has_it() -> None:
    x = np.array([2.0, 1.0, 2.0, 3.0, 1.0])
    for given in (x, as_array(x)):
        np.testing.assert_array_equal(values(cnp.argsort(given, descending=True)), [3, 0, 2, 1, 4])
        np.testing.assert_array_equal(values(cnp.sort(given, descending=True)), [3, 2, 2, 1, 1])


def values(x: Any) -> Any:
    return getattr(x, "value", x)


def test_what_arrays_are_is_known_without_their_values() -> None:
    x = as_array(np.ones(3, np.float32))
    assert cnp.result_type(x, np.float64) == np.float64
    assert cnp.can_cast(x, np.float64)
    assert cnp.finfo(x).eps == np.finfo(np.float32).eps
    assert cnp.iinfo(np.int8).max == 127
    assert cnp.iinfo(as_array(np.int8(1))).max == 127
    assert not cnp.isscalar(as_array(1.0))
    assert cnp.isrealobj(x)
    assert not cnp.iscomplexobj(x)


def test_what_cannot_be_shared_is_refused_as_the_standard_says() -> None:
    """A program has no memory that a result could alias: `copy=False` raises ValueError; None and True do not."""
    x = np.arange(3.0)
    assert cnp.asarray(x, copy=False) is x
    for make in (cnp.asarray, cnp.array, np.asarray, np.array):
        for transformed in (cr.compile, cr.vmap, lambda f: cr.grad(lambda x: cnp.sum(f(x)))):
            with pytest.raises((ValueError, TypeError)) as caught:  # NumPy's own has nothing to ask for in a program
                transformed(lambda x, make=make: make(x, copy=False))(x)
            assert isinstance(caught.value, ChainruleError)
    for make in (cnp.asarray, cnp.array):
        with pytest.raises(ValueError, match="copy=False"):
            cr.grad(lambda x, make=make: cnp.sum(make(x, copy=False)))(x)
        for copy in (None, True):
            assert cr.compile(lambda x, make=make, copy=copy: make(x, copy=copy))(x).tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="share"):
        np.asarray(as_array(x), copy=False)
