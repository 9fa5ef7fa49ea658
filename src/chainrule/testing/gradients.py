"""Derivatives held against differences of values.

The function is seen as y(x) from all its floating-point numbers to all its floating-point results. A random combination
u·y of the results, along a random direction v of one array at a time, is a function of one number t; its slope by
differences must be ⟨u, J·v⟩ as forward mode finds it and ⟨Jᵀu, v⟩ as reverse mode does. Every entry of J counts in it
with a weight of its own, so a wrong one shows. The second derivative is the first derivative of these first
derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import one_of, several, whole_number
from chainrule.errors import DifferentiationError, GradientMismatch
from chainrule.testing.closeness import ROUNDING, TOLERANCE, tolerance_of
from chainrule.testing.differences import Difference, kink_of, slope_of
from chainrule.trace.array import Array
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tree import flatten, paths, unflatten
from chainrule.transform.arguments import checked_position, name_of, positions
from chainrule.transform.derivatives import jvp, vjp

__all__ = ["check_gradient"]

Values = np.ndarray[Any, Any]
_MODES = ("reverse", "forward")


def check_gradient(
    function: AnyFunction,
    *arguments: Any,
    argnums: int | Sequence[int] | None = None,
    order: int = 2,
    modes: Sequence[str] = _MODES,
    seed: int = 0,
    tolerance: float | None = None,
) -> None:
    """Assert that the derivatives of a function at these arguments are the slopes of its values.

    The arguments and the result are any trees. Differentiated is with respect to all floating-point arrays of the
    arguments that `argnums` names, unless told of all; `order` is how many derivatives of derivatives are checked, in
    every combination of the `modes`: "reverse" (`vjp`, `grad`), "forward" (`jvp`). With both, ⟨u, J·v⟩ = ⟨Jᵀu, v⟩ is
    checked to rounding. Directions are random, the same for the same `seed`. `tolerance` is relative to the size of the
    gradient; unless told, `TOLERANCE` of the arguments' dtype. Below 10⁻¹⁰ of the values, or of 1, a derivative counts
    as zero. Use float64: differences in float32 show gross mistakes only.

    Raises GradientMismatch, an AssertionError, that names the argument and the element, what was expected and found,
    the mode and the order; it says so where the function has a kink or a jump at this point, and so no derivative.
    DifferentiationError if there are no floating-point numbers to differentiate; OptionError for other modes or orders.

    >>> import chainrule as cr
    >>> from chainrule import numpy as np
    >>> cr.testing.check_gradient(lambda w, x: np.sum(np.tanh(x @ w)), np.ones(2), np.eye(2))
    >>> wrong = cr.custom_derivative(lambda x: x * x, pull=lambda error, y, x: error * x)
    >>> cr.testing.check_gradient(wrong, 3.0)
    Traceback (most recent call last):
    chainrule.errors.GradientMismatch: the first derivative of <lambda> (reverse) is wrong with respect to ...

    Source: Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering Software 4, 1982.
    """
    order, seed = whole_number("order", order, 1), whole_number("seed", seed, 0)
    for mode in several("modes", modes, "name of a mode", 1, cure="For example ('reverse',)."):
        one_of("a mode", mode, _MODES)
    flat, xs, names = _flat(function, arguments, argnums)
    random = np.random.default_rng(seed)
    checks = _Checks(name_of(function), names, tuple(modes), random, tolerance, order)
    checks.check(flat, xs, (), 1.0)


def _flat(function: AnyFunction, arguments: Sequence[Any], argnums: Any) -> tuple[AnyFunction, list[Values], list[str]]:
    """The function of its floating-point arrays alone, as a list of results; these arrays, and their names."""
    leaves, structure = flatten(arguments)
    asked = range(len(arguments)) if argnums is None else positions(argnums)[0]
    chosen = {checked_position(arguments, n, function) for n in asked}
    of_argument = [n for n, part in enumerate(structure.children) for _ in range(part.leaves)]
    moving = [k for k, (leaf, n) in enumerate(zip(leaves, of_argument, strict=True)) if n in chosen and _is_float(leaf)]
    if not moving:
        raise DifferentiationError(
            f"check_gradient: {name_of(function)} was given no floating-point numbers to differentiate.",
            cure="Pass float arrays, or other argnums.",
        )

    def flat(*numbers: Any) -> list[Any]:
        given = list(leaves)
        for k, number in zip(moving, numbers, strict=True):
            given[k] = number
        results = [y for y in flatten(function(*unflatten(structure, given)))[0] if _is_float(y)]
        if not results:
            raise DifferentiationError(f"check_gradient: {name_of(function)} returns no floating-point numbers.")
        return results

    spelled = paths(structure)
    names = [f"argument {of_argument[k]}{_inside(spelled[k])}" for k in moving]
    return flat, [np.array(leaves[k], np.asarray(leaves[k]).dtype.newbyteorder("=")) for k in moving], names


def _inside(path: str) -> str:
    """What follows the argument's number: `[0].w` is argument 0 at .w."""
    rest = path[path.index("]") + 1 :]
    return f" at {rest}" if rest else ""


def _is_float(leaf: Any) -> bool:
    return (leaf.dtype if isinstance(leaf, Array) else np.asarray(leaf).dtype).kind == "f"


@dataclass(frozen=True, slots=True)
class _Checks:
    """What stays the same through all orders of one check."""

    name: str
    names: Sequence[str]
    modes: tuple[str, ...]
    random: np.random.Generator
    tolerance: float | None
    order: int

    def check(self, flat: AnyFunction, xs: Sequence[Values], taken: tuple[str, ...], size: float) -> None:
        """The first derivative of `flat`, which is itself the derivative that `taken` says; then those of higher order.

        `size` is that of the numbers on the way, to the rounding of which a derivative of zero is zero.
        """
        ys = [np.asarray(y) for y in flat(*xs)]
        us, vs = self._weights(ys), self._weights(xs)
        size = max(size, _dot([np.abs(u) for u in us], [np.abs(y) for y in ys]))
        for n, x in enumerate(xs):
            if x.size:
                self._check_array(_Along(flat, xs, us, n), vs[n], taken, size)
        if len(taken) + 1 < self.order:
            for mode in self.modes:
                derivative = _backward(flat, us) if mode == "reverse" else _forward(flat, vs)
                self.check(derivative, xs, (*taken, mode), size)

    def _weights(self, arrays: Sequence[Values]) -> list[Values]:
        """A random number for each element; 1 for a single one, so that what is told of it is its own."""
        if len(arrays) == 1 and arrays[0].ndim == 0:
            return [np.ones((), arrays[0].dtype)]
        return [np.asarray(self.random.normal(size=x.shape), x.dtype) for x in arrays]

    def _check_array(self, along: _Along, direction: Values, taken: tuple[str, ...], size: float) -> None:
        """The slope along one direction of one array."""
        dtypes: list[np.dtype[Any]] = [x.dtype for x in (*along.xs, *along.us)]
        dtype = min(dtypes, key=lambda d: d.itemsize)
        path = along.path(direction)
        if kink_of(path, dtype) is not None:
            raise self._at_kink(along, direction, taken, dtype)
        difference = slope_of(path, dtype)
        found = {mode: along.slope(mode, direction) for mode in self.modes}
        tolerance = tolerance_of(TOLERANCE, dtype) if self.tolerance is None else self.tolerance
        rounding = 10 * tolerance_of(ROUNDING, dtype) * max(size, *(scale for _, scale in found.values()))
        for mode, (slope, scale) in found.items():
            allowed = tolerance * max(abs(difference.slope), scale) + difference.noise + rounding
            if difference.uncertainty > max(10 * allowed, tolerance * size):
                raise self._unsettled(difference, along, taken)
            if not abs(slope - difference.slope) <= allowed + 2 * difference.uncertainty:
                raise self._mismatch(mode, along, direction, taken, dtype)
        if len(found) > 1 and not abs(found["reverse"][0] - found["forward"][0]) <= rounding:
            raise self._disagreement(found["reverse"][0], found["forward"][0], along, taken)

    def _disagreement(self, backward: float, forward: float, along: _Along, taken: tuple[str, ...]) -> GradientMismatch:
        """⟨u, J·v⟩ is not ⟨Jᵀu, v⟩."""
        return GradientMismatch(
            f"the two modes disagree on {self._told(taken, 'both')} with respect to {self.names[along.position]}: "
            f"reverse finds {backward:.9g}, forward {forward:.9g}.",
            cure="The pull and the push of an operation on the way are not each other's transpose.",
        )

    def _mismatch(
        self, mode: str, along: _Along, direction: Values, taken: tuple[str, ...], dtype: Any
    ) -> GradientMismatch:
        """Says which element: that half of the array in which the slopes differ more, again and again."""

        def apart(part: Values) -> float:
            return abs(along.slope(mode, part)[0] - slope_of(along.path(part), dtype).slope)

        one, path = self._narrowed(direction, along, apart)
        expected, (found, _) = slope_of(along.path(one), dtype).slope, along.slope(mode, one)
        return GradientMismatch(
            f"{self._told(taken, mode)} is wrong with respect to {path}: "
            f"found {found:.9g}, but differences of values give {expected:.9g}.",
            cure="Of a rule of your own, check the formula; else choose another point, further from kinks and poles.",
        )

    def _narrowed(self, direction: Values, along: _Along, score: Callable[[Values], float]) -> tuple[Values, str]:
        """A direction along one element, found by taking the half of the array that scores more, and its name."""
        chosen = np.arange(direction.size)
        while chosen.size > 1:
            chosen = max(np.array_split(chosen, 2), key=lambda half: score(_kept(direction, half)))
        element = tuple(map(int, np.unravel_index(int(chosen[0]), direction.shape)))
        named = f"{self.names[along.position]}, element {element}" if element else self.names[along.position]
        return _kept(np.ones_like(direction), chosen), named

    def _at_kink(self, along: _Along, direction: Values, taken: tuple[str, ...], dtype: Any) -> GradientMismatch:
        def gap(part: Values) -> float:
            kink = kink_of(along.path(part), dtype)
            return 0.0 if kink is None else abs(kink.right - kink.left)

        one, path = self._narrowed(direction, along, gap)
        kink = kink_of(along.path(one), dtype) or kink_of(along.path(direction), dtype)
        what = self._told(taken[:-1], taken[-1]) if taken else self.name
        return GradientMismatch(
            f"{what} {kink} here, along {path}: there is no derivative to check.",
            cure="Choose another point: add some random noise to the argument, or move it away from 0 and from ties.",
        )

    def _unsettled(self, difference: Difference, along: _Along, taken: tuple[str, ...]) -> GradientMismatch:
        return GradientMismatch(
            f"differences of values do not settle for {self._told(taken, '')} with respect to "
            f"{self.names[along.position]}: {difference.slope:.6g} ± {difference.uncertainty:.2g}.",
            cure="The function is noisy, or has kinks close by: choose another point, use float64, pass a tolerance.",
        )

    def _told(self, taken: tuple[str, ...], mode: str) -> str:
        count = len(taken) + 1
        ordinal = {1: "first", 2: "second", 3: "third"}.get(count, f"{count}th")
        how = " over ".join(filter(None, (mode, *taken[::-1])))
        return f"the {ordinal} derivative of {self.name}" + (f" ({how})" if how else "")


def _kept(direction: Values, chosen: Values) -> Values:
    """The direction with zeros outside the chosen leaves."""
    flat = np.zeros(direction.size, direction.dtype)
    flat[chosen] = direction.reshape(-1)[chosen]
    return flat.reshape(direction.shape)


@dataclass(frozen=True, slots=True)
class _Along:
    """The combination u·y of a function's results, as one of its arrays moves."""

    flat: AnyFunction
    xs: Sequence[Values]
    us: Sequence[Values]
    position: int

    def path(self, direction: Values) -> Callable[[float], float]:
        """u·y(x + t·v) as a function of t."""

        def value(t: float) -> float:
            moved = list(self.xs)
            moved[self.position] = (self.xs[self.position] + t * direction).astype(direction.dtype)
            return _dot(self.us, self.flat(*moved))

        return value

    def slope(self, mode: str, direction: Values) -> tuple[float, float]:
        """The derivative of u·y along v as that mode finds it, and the size of what was added up for it."""
        if mode == "reverse":
            pulled = _pulled(self.flat, self.xs, self.us)[self.position]
            return _dot([pulled], [direction]), float(np.linalg.norm(pulled) * np.linalg.norm(direction))
        zeros = [np.zeros_like(x) for x in self.xs]
        zeros[self.position] = direction
        pushed = jvp(self.flat, tuple(self.xs), tuple(zeros))[1]
        return _dot(self.us, pushed), _dot([np.abs(u) for u in self.us], [np.abs(p) for p in pushed])


def _dot(us: Sequence[Any], ys: Sequence[Any]) -> float:
    return float(sum(np.sum(u.astype(np.float64) * np.asarray(y, np.float64)) for u, y in zip(us, ys, strict=True)))


def _pulled(flat: AnyFunction, xs: Sequence[Any], us: Sequence[Any]) -> list[Any]:
    found = vjp(flat, *xs)[1](list(us))
    return list(found) if len(xs) > 1 else [found]


def _backward(flat: AnyFunction, us: Sequence[Values]) -> AnyFunction:
    """x ↦ J(x)ᵀu."""
    return lambda *xs: _pulled(flat, xs, us)


def _forward(flat: AnyFunction, vs: Sequence[Values]) -> AnyFunction:
    """x ↦ J(x)·v."""
    return lambda *xs: jvp(flat, xs, tuple(vs))[1]
