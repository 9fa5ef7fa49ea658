"""Every function of `chainrule.numpy` compiles, and gives what it gives uncompiled."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.namespace.test_numpy import ASKED, CALLS, SUMMED, plain

import chainrule as cr
from chainrule import numpy as cnp

#: Functions whose shape depends on a value.
OF_VALUES = {
    "arange", "nonzero", "flatnonzero", "argwhere", "unique", "unique_values", "unique_all", "unique_counts",
    "unique_inverse", "union1d", "setdiff1d", "setxor1d", "intersect1d", "trim_zeros", "polymul", "polydiv",
    "eye", "identity",
}  # fmt: skip
NAMES = sorted(set(CALLS) - ASKED - OF_VALUES)


def all_at_once(name: str) -> tuple[Any, list[Any]]:
    """Every case of a function as one program, so that there is one to compile."""
    arguments: list[Any] = []
    spans = []
    for call, given in CALLS[name]:
        spans.append((call, len(arguments), len(arguments) + len(given)))
        arguments += [np.ascontiguousarray(a).reshape(a.shape) if isinstance(a, np.ndarray) else a for a in given]
    return (lambda *arrays: tuple(call(cnp, *arrays[start:end]) for call, start, end in spans)), arguments


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_function_gives_what_numpy_gives(name: str) -> None:
    program, arguments = all_at_once(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cr.compile(program)(*arguments)
    for result, (call, given) in zip(found, CALLS[name], strict=True):
        assert_close(result, plain(call, given), given, exact=name not in SUMMED)


def assert_close(found: Any, expected: Any, given: Sequence[Any], *, exact: bool) -> None:
    assert np.shape(found) == expected.shape
    if not any(isinstance(a, float) for a in given):  # a number that is an argument of a program has a type of its own
        assert found.dtype == expected.dtype
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected)
        return
    sizes = [float(np.max(np.abs(a[np.isfinite(a)]), initial=0)) for a in given if isinstance(a, np.ndarray)]
    coarsest = max(np.finfo(x.dtype).eps for x in (found, expected))
    limit = (8 if exact else 200) * coarsest * max([1.0, *sizes]) ** (1 if exact else 2)
    np.testing.assert_allclose(found, expected, rtol=limit, atol=limit)
