"""How far two right answers may lie apart, and a comparison of trees by it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, OptionError
from chainrule.trace.tree import flatten, paths

__all__ = ["ROUNDING", "TOLERANCE", "assert_close"]

#: Of a derivative against differences of values, relative to the size of the gradient.
TOLERANCE: Mapping[np.dtype[Any], float] = MappingProxyType({np.dtype("float32"): 2e-2, np.dtype("float64"): 1e-6})

#: Of the same number computed in two ways, such as forward and backward, relative to the largest number of the array.
ROUNDING: Mapping[np.dtype[Any], float] = MappingProxyType({np.dtype("float32"): 2e-5, np.dtype("float64"): 1e-11})


def assert_close(found: Any, expected: Any, dtype: Any = None, tolerance: float | None = None) -> None:
    """Assert that two trees of arrays are the same to rounding.

    They must have the same structure and shapes, whole numbers and booleans must be equal, and floating-point numbers
    may differ by `tolerance · max(1, |expected|)`, where |expected| is the largest finite number of that array; unless
    told, the tolerance is `ROUNDING` of `dtype`, or of the less precise of the two dtypes. nan equals nan.

    Raises AssertionError with the path in the tree and the element; OptionError for a dtype without a tolerance.

    >>> import chainrule as cr
    >>> cr.testing.assert_close({"a": [0.1 + 0.2]}, {"a": [0.3]})
    """
    mine, structure = flatten(found)
    theirs, wanted = flatten(expected)
    if structure != wanted:
        raise AssertionError(f"the trees differ: {paths(structure) or structure}, not {paths(wanted) or wanted}.")
    for a, b, path in zip(mine, theirs, paths(structure), strict=True):
        _assert_array_close(np.asarray(a), np.asarray(b), dtype, tolerance, path)


def _assert_array_close(a: Any, b: Any, dtype: Any, tolerance: float | None, path: str) -> None:
    at = f" at {path}" if path else ""
    if a.shape != b.shape:
        raise AssertionError(f"the shapes{at} differ: {a.shape}, not {b.shape}.")
    finite = np.abs(b[np.isfinite(b)]).astype(np.float64)
    allowed = _allowed(a, b, dtype, tolerance) * max(1.0, float(np.max(finite, initial=0.0)))
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
    same = (a == b) | (apart <= allowed) | (np.isnan(a) & np.isnan(b))
    if not same.all():
        worst = np.unravel_index(int(np.argmax(np.where(same, -1.0, np.nan_to_num(apart, nan=np.inf)))), a.shape)
        where = f", element {tuple(map(int, worst))}" if a.ndim else ""
        raise AssertionError(
            f"{int((~same).sum())} of {a.size} numbers{at} differ by more than {allowed:.2g}{where}: "
            f"{a[worst]!r}, not {b[worst]!r}."
        )


def _allowed(a: Any, b: Any, dtype: Any, tolerance: float | None) -> float:
    if tolerance is not None:
        return tolerance
    dtypes = [np.dtype(dtype)] if dtype is not None else [x.dtype for x in (a, b) if x.dtype.kind == "f"]
    return max((tolerance_of(ROUNDING, d) for d in dtypes), default=0.0)


def tolerance_of(table: Mapping[np.dtype[Any], float], dtype: np.dtype[Any]) -> float:
    """The entry of a dtype in either byte order."""
    found = table.get(dtype.newbyteorder("="))
    if found is None:
        raise _unknown(dtype)
    return found


def _unknown(dtype: np.dtype[Any]) -> ChainruleError:
    return OptionError(f"there is a tolerance for float32 and float64, not for {dtype}.", cure="Pass tolerance=….")
