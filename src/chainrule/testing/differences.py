"""The slope of a function of one number at 0, by differences of its values; and whether it has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Difference", "Kink", "kink_of", "slope_of"]

Curve = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Difference:
    """A slope, how far the best extrapolations lie apart, and how far rounding alone can have moved it."""

    slope: float
    uncertainty: float
    noise: float


@dataclass(frozen=True, slots=True)
class Kink:
    """The slopes to the left and to the right of a point where they differ, or the values where these do."""

    left: float
    right: float
    is_jump: bool

    def __str__(self) -> str:
        if self.is_jump:
            return f"jumps (by {self.right - self.left:.6g})"
        return f"has a kink (left slope {self.left:.6g}, right slope {self.right:.6g})"


#: The widest steps of the extrapolations, narrower ones for kinks and poles close by, and their narrowing.
_WIDEST = {np.dtype("float32"): (0.3, 0.03), np.dtype("float64"): (2e-2, 1e-3, 5e-5, 5e-7)}
_SHRINK = {np.dtype("float32"): 1.6, np.dtype("float64"): 1.6}
_ROUNDS = 6
_SETTLED = {np.dtype("float32"): 1e-4, np.dtype("float64"): 1e-9}


def slope_of(path: Curve, dtype: np.dtype[Any]) -> Difference:
    """The slope at 0 by Ridders' extrapolation of central differences, from the widest steps that settle."""
    best = Difference(np.nan, np.inf, np.inf)
    with np.errstate(all="ignore"):
        for widest in _WIDEST[dtype]:
            found = _extrapolated(path, widest, dtype)
            best = min(best, found, key=lambda difference: difference.uncertainty + difference.noise)
            if best.uncertainty <= _SETTLED[dtype] * abs(best.slope) + best.noise:
                break
    return best


def _extrapolated(path: Curve, step: float, dtype: np.dtype[Any]) -> Difference:
    """Central differences of shrinking steps, extrapolated to the step zero: the entry of the tableau that agrees best
    with its neighbours. Steps so wide that a value is not finite are left out."""
    best = Difference(np.nan, np.inf, np.inf)
    before: list[float] = []
    for n in range(_ROUNDS):
        h = step / _SHRINK[dtype] ** n
        ahead, behind = path(h), path(-h)
        if not np.isfinite(ahead - behind):
            before = []
            continue
        noise = 4 * float(np.finfo(dtype).eps) * (abs(ahead) + abs(behind)) / h
        row = [(ahead - behind) / (2 * h)]
        for order, coarse in enumerate(before, start=1):
            factor = _SHRINK[dtype] ** (2 * order)
            row.append((factor * row[-1] - coarse) / (factor - 1))
            differs = max(abs(row[-1] - row[-2]), abs(row[-1] - coarse))
            if differs + noise <= best.uncertainty + best.noise:
                best = Difference(row[-1], differs, noise)
        before = row
    return best


#: Distances at which both sides are looked at, and again closer by: a bend shrinks with the distance, a kink stays.
_NEAR = {
    np.dtype("float32"): ((4e-2, 1e-2), (1e-2, 2.5e-3)),
    np.dtype("float64"): ((1e-4, 1e-5), (1e-6, 1e-7)),
}


def kink_of(path: Curve, dtype: np.dtype[Any]) -> Kink | None:
    """The kink or jump at 0; None where both sides have one slope, as far as can be seen."""
    first, closer = _NEAR[dtype]
    found = _seen(path, *first, dtype)
    return found if found is not None and _seen(path, *closer, dtype) is not None else None


def _seen(path: Curve, wide: float, narrow: float, dtype: np.dtype[Any]) -> Kink | None:
    with np.errstate(all="ignore"):
        before, here, after = (path(h) for h in (-narrow, 0.0, narrow))
        noise = 64 * float(np.finfo(dtype).eps) * max(abs(before), abs(here), abs(after))
        across = max(abs(after - here), abs(here - before))
        if across > 0.5 * max(abs(path(wide) - here), abs(here - path(-wide))) + noise:
            return Kink(before, after, is_jump=True)
        if not abs(after + before - 2 * here) > 1e-2 * across + noise:
            return None
        far, near = _sides(path, wide), _sides(path, narrow)
    gap, wide_gap = abs(near[1] - near[0]), abs(far[1] - far[0])
    is_kink = gap > 1e-3 * across / narrow + noise / narrow and 0.7 * wide_gap < gap < np.inf
    return Kink(*near, is_jump=False) if is_kink else None


def _sides(path: Curve, h: float) -> tuple[float, float]:
    """The slope to the left and to the right, each by a parabola through three values."""
    here = path(0.0)
    left, right = ((-3 * here + 4 * path(s) - path(2 * s)) / (2 * s) for s in (-h, h))
    return left, right
