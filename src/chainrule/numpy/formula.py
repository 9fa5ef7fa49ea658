"""How the special functions are written: formulas of float64 numbers, element by element, with derivatives by name.

A formula is a composition in the array language: it has values, native code and batches like any other. Where its
derivative is another function, such as that of ln Γ, the rule says so, so that derivatives of every order are as exact
as the functions themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

import numpy as np

from chainrule.graph import ops
from chainrule.trace import primitives, promotion
from chainrule.trace.array import Array, Maybe
from chainrule.trace.control import results_of
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import through_arrays

__all__ = ["Slope", "formula", "polynomial"]

P = ParamSpec("P")
Slope = Callable[..., Array]


def formula(*slopes: Slope | None) -> Callable[[Callable[P, Array]], Callable[P, Array]]:
    """A function of plain arrays and Arrays, of which the decorated one computes the value in float64.

    Slope number n computes `t · ∂y/∂xₙ` as `slope(t, y, x₁, x₂, …)`; without slopes, the formula itself is derived.
    """
    rule = _Slopes(slopes)

    def decorate(compute: Callable[P, Array]) -> Callable[P, Array]:
        @functools.wraps(compute)
        def record(*arguments: P.args, **options: P.kwargs) -> Array:
            xs = _promoted(arguments)
            of_floats: Callable[..., Array] = compute
            y = primitives.astype(of_floats(*(primitives.astype(x, np.float64) for x in xs)), xs[0].dtype)
            return rule.applied(y, xs) if slopes else y

        return through_arrays(record)

    return decorate


def _promoted(arguments: Sequence[Any]) -> list[Array]:
    """The arguments in their common shape and floating-point type: integers count as float64."""
    dtype = promotion.common_dtype([x if isinstance(x, float | int) else as_array(x) for x in arguments])
    wanted = dtype if dtype.kind == "f" else np.dtype(np.float64)
    arrays = [primitives.astype(as_array(x), wanted) for x in arguments]
    shape = promotion.broadcast_shape("a special function", *arrays)
    return [primitives.broadcast(x, shape) for x in arrays]


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """The polynomial with the given coefficients, ascending, by Horner's rule."""
    found: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        found = found * x + coefficient
    return as_array(found)


def _is_nothing(tangent: Maybe) -> bool:
    """Whether an argument does not change: 0 times a slope that may be infinite is not 0."""
    return tangent is None or (tangent.node.op is ops.FULL and float(tangent.node.attributes[0]) == 0)


@dataclass(frozen=True, eq=False, slots=True)
class _Slopes:
    """The derivative of an elementwise function: elements do not mix, so one rule serves all directions and batches."""

    slopes: Sequence[Slope | None]

    def applied(self, y: Array, xs: Sequence[Array]) -> Array:
        """The value, whose derivative this says."""
        return results_of(apply(ops.CUSTOM, y.node, *(x.node for x in xs), attributes=(self, 1)).node)[0]

    def pull(self, errors: Sequence[Any], ys: Sequence[Array], xs: Sequence[Array], walk: Any) -> list[Maybe]:
        """The errors of the arguments."""
        y = self.applied(ys[0], xs)  # so that the derivative of a derivative is by this rule too
        return [None if slope is None else slope(errors[0], y, *xs) for slope in self.slopes]

    def push(self, tangents: Sequence[Any], ys: Sequence[Array], xs: Sequence[Array], walk: Any) -> list[Maybe]:
        """The change of the result."""
        y, pairs = self.applied(ys[0], xs), zip(self.slopes, tangents, strict=True)
        changes = [slope(t, y, *xs) for slope, t in pairs if slope is not None and not _is_nothing(t)]
        return [functools.reduce(lambda a, b: a + b, changes) if changes else None]

    def batched(self, size: int) -> _Slopes:
        """The same."""
        return self
