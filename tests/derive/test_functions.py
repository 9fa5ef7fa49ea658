"""The gradient of every function of `chainrule.numpy` is its slope, along a random direction of all its arguments."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.derive.numerical import slope
from tests.namespace.test_numpy import ASKED, CALLS

import chainrule as cr
from chainrule import numpy as cnp

#: What has no derivative, or one that is zero everywhere but at jumps.
WITHOUT = {
    *ASKED, "isclose", "allclose", "array_equal", "arange", "heaviside", "sign", "nextafter", "any", "all",
    "count_nonzero", "argmax", "argmin", "argsort", "searchsorted", "digitize", "empty_like",
    "argpartition", "isin", "nanargmax", "nanargmin", "unravel_index", "ravel_multi_index", "intersect1d", "lexsort",
    "array_equiv", "linalg.matrix_rank", "iscomplex", "isreal", "angle", "spacing",
    "trim_zeros",
}  # fmt: skip
NAMES = sorted(set(CALLS) - WITHOUT)


def floating(given: Sequence[Any]) -> bool:
    arrays = [a for a in given if isinstance(a, np.ndarray)]
    smooth = all(a.dtype.kind == "f" and np.isfinite(a).all() for a in arrays)
    return smooth and any(a.size and a.any() for a in arrays)


def cases(name: str) -> list[tuple[Any, list[Any]]]:
    found = []
    for call, given in CALLS[name]:
        if floating(given):
            found.append((call, [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in given]))
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if cases(name)])
def test_the_gradient_of_a_function_is_its_slope(name: str) -> None:
    for number, (call, given) in enumerate(cases(name)):
        assert_gradient_is_slope(call, given, f"{name}, case {number}")


def assert_gradient_is_slope(call: Any, given: list[Any], what: str) -> None:
    places = [n for n, a in enumerate(given) if isinstance(a, np.ndarray)]
    rng = np.random.default_rng(11)
    directions = {n: rng.normal(size=given[n].shape) / max(given[n].size, 1) ** 0.5 for n in places}
    if "cholesky" in what:  # NumPy reads one half of a matrix, the derivative is of symmetric ones
        directions = {n: d + np.swapaxes(d, -1, -2) for n, d in directions.items()}

    def cost(np_: Any, arrays: Sequence[Any]) -> Any:
        result = call(np_, *arrays)
        weights = np.random.default_rng(12).normal(size=np.shape(result))
        return np_.sum(np_.astype(np_.asarray(result), np.float64) * weights)

    def along(t: float) -> float:
        with np.errstate(all="ignore"):
            return float(cost(cnp, [a + t * directions[n] if n in directions else a for n, a in enumerate(given)]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if np.asarray(call(cnp, *given)).dtype == np.float32 or np.isnan(along(0.0)):  # too coarse; no value
            return
        gradients = cr.grad(lambda *xs: cost(cnp, xs), argnums=places)(*given)
        wanted, uncertainty = slope(along, 1e-3)
    found = sum(float(np.sum(g * directions[n])) for g, n in zip(gradients, places, strict=True))
    scale = max(abs(wanted), abs(along(0.0)), 1.0)
    assert uncertainty < 1e-5 * scale, f"{what}: the point lies too close to where there is no derivative"
    assert abs(found - wanted) <= 10 * uncertainty + 1e-8 * scale, f"{what}: {found}, not {wanted} ± {uncertainty}"
