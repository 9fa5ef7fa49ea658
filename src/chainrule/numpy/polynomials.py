"""NumPy's functions of polynomials, given by their coefficients, the highest first; for Arrays as for plain arrays."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import OptionError, ShapeError
from chainrule.graph.interpret import has_value
from chainrule.numpy import creation, linalg, ordering, shaping
from chainrule.numpy import elementwise as ew
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.plain import shown
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import known, offered, recorded


@recorded(np.polyval)
def polyval(p: Any, x: Any) -> Array:
    """The value of a polynomial at `x`, by Horner's rule."""
    points = as_array(x)
    found = creation.zeros_like(points)
    for coefficient in as_array(p):
        found = found * points + coefficient
    return found


@recorded(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Array:
    """The sum of two polynomials."""
    a, b = _alike(a1, a2)
    return a + b


@recorded(np.polysub)
def polysub(a1: Any, a2: Any) -> Array:
    """The difference of two polynomials."""
    a, b = _alike(a1, a2)
    return a - b


@recorded(np.polymul)
def polymul(a1: Any, a2: Any) -> Array:
    """The product of two polynomials; zeros before the first coefficient, if that is known, are left out."""
    return ordering.convolve(_trimmed(a1), _trimmed(a2))


@recorded(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Array, Array]:
    """The quotient and the rest of two polynomials, whose degree is below that of `v`.

    Where values are known, the rest begins with its first coefficient that is not 0 to rounding, as in NumPy.
    """
    rest, divisor = (promotion.as_float(shaping.atleast_1d(as_array(x))) for x in (u, v))
    rest, divisor = promotion.promoted_dtype(rest, divisor)
    steps, found = max(rest.size - divisor.size + 1, 0), []
    for _ in range(steps):
        found.append(rest[:1] / divisor[:1])
        changed = rest[: divisor.size] - found[-1] * divisor
        rest = primitives.concatenated([changed[1:], rest[divisor.size :]], 0)
    zero = creation.zeros_like(divisor[:1])
    quotient, rest = primitives.concatenated(found or [zero], 0), rest if rest.size else zero
    while len(rest) > 1 and has_value(rest.node) and np.allclose(shown(rest.node)[0], 0, rtol=1e-14):
        rest = rest[1:]
    return quotient, rest


@recorded(np.poly)
def poly(seq_of_zeros: Any) -> Array:
    """The coefficients of the polynomial with these zeros, a vector of real numbers; the highest is 1."""
    zeros = promotion.as_float(as_array(seq_of_zeros))
    if zeros.ndim != 1:
        raise ShapeError(f"poly needs a vector of zeros, not {zeros.node.type}.")
    found = creation.ones_like(zeros, shape=1)
    for zero in zeros:
        found = ordering.convolve(found, shaping.append(creation.ones_like(zeros, shape=1), -zero))
    return found


def _trimmed(p: Any) -> Array:
    coefficients: Array = shaping.atleast_1d(as_array(p))
    if not has_value(coefficients.node):
        return coefficients
    positions = np.flatnonzero(shown(coefficients.node))
    return coefficients[int(positions[0]) if len(positions) else -1 :]


def _alike(a1: Any, a2: Any) -> tuple[Array, Array]:
    """Both with as many coefficients as the longer."""
    a, b = (shaping.atleast_1d(as_array(x)) for x in (a1, a2))
    longest = max(a.size, b.size)
    return shaping.pad(a, (longest - a.size, 0)), shaping.pad(b, (longest - b.size, 0))


@recorded(np.polyder)
def polyder(p: Any, m: Any = 1) -> Array:
    """The coefficients of a polynomial's derivative of order `m`."""
    found = as_array(p)
    for _ in range(_order("polyder", m)):
        found = found[:-1] * np.arange(found.size - 1, 0, -1)
    return found


@recorded(np.polyint)
def polyint(p: Any, m: Any = 1, k: Any = None) -> Array:
    """The coefficients of a polynomial's integral of order `m`, with the constants `k`, 0 unless told."""
    found, times = as_array(p), _order("polyint", m)
    for constant in _constants(k, times):
        found = shaping.append(found / np.arange(found.size, 0, -1), constant)
    return found


def _order(name: str, m: Any) -> int:
    order = operator.index(known(name, m))
    if order < 0:
        raise OptionError(f"{name}: the order cannot be negative, as {order} is.")
    return order


def _constants(k: Any, times: int) -> Sequence[Any]:
    given = as_array(0.0 if k is None else k)
    if given.size == 1:
        return [primitives.reshape(given, ())] * times
    if given.ndim != 1 or given.size < times:
        raise ShapeError(f"polyint: {given.node.type} are no constants for {times} integrals.")
    return list(given[:times])


@recorded(np.polyfit)
def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None) -> Any:
    """The polynomial of degree `deg` with the least `Σ (w·(p(x) − y))²`, for each column of `y`.

    With `full` also what `linalg.lstsq` says, and `rcond`. The derivative by all arguments is that of the solution.
    """
    points, heights = (promotion.as_float(as_array(a)) for a in (x, y))
    if points.ndim != 1 or heights.ndim not in (1, 2) or len(heights) != len(points) or not points.size:
        raise ShapeError(f"polyfit: {points.node.type} and {heights.node.type} are no points.")
    powers: Any = creation.vander(points, _order("polyfit", deg) + 1)
    if w is not None:
        weights = _weights(w, points)
        powers = powers * primitives.reshape(weights, (-1, 1))
        heights = heights * primitives.reshape(weights, (-1, *(1,) * (heights.ndim - 1)))
    cutoff = points.size * float(np.finfo(points.dtype).eps) if rcond is None else rcond
    scale = ew.sqrt(arithmetic.total(powers * powers, 0))
    solution, *told = linalg.lstsq(powers / scale, heights, cutoff)
    found = primitives.transpose(primitives.transpose(solution) / scale)
    return (found, *told, cutoff) if full else found


def _weights(w: Any, points: Array) -> Array:
    found = promotion.as_float(as_array(w))
    if found.shape != points.shape:
        raise ShapeError(f"polyfit: weights {found.node.type} for {points.node.type}.")
    return found


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
