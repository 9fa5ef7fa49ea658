"""Values with their first and second derivatives carried along: the chain rule by hand, apart from all else here.

A jet is f(x), ∇f(x), ∇²f(x) at one point. Arithmetic on jets is the truncated Taylor series; for a function h of one
number

    ∇(h∘f) = h'·∇f            ∇²(h∘f) = h''·∇f∇fᵀ + h'·∇²f
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Jet:
    """A number, its gradient and its Hessian."""

    value: float
    slope: np.ndarray
    curvature: np.ndarray

    def through(self, value: float, first: float, second: float) -> Jet:
        """h of this jet, for h with these derivatives at the value."""
        return Jet(value, first * self.slope, second * np.outer(self.slope, self.slope) + first * self.curvature)

    def _jet(self, other: Any) -> Jet:
        return other if isinstance(other, Jet) else Jet(float(other), 0 * self.slope, 0 * self.curvature)

    def __add__(self, other: Any) -> Jet:
        o = self._jet(other)
        return Jet(self.value + o.value, self.slope + o.slope, self.curvature + o.curvature)

    def __mul__(self, other: Any) -> Jet:
        o = self._jet(other)
        both = np.outer(self.slope, o.slope)
        curvature = self.value * o.curvature + o.value * self.curvature + both + both.T
        return Jet(self.value * o.value, self.value * o.slope + o.value * self.slope, curvature)

    def __neg__(self) -> Jet:
        return self * -1.0

    def __sub__(self, other: Any) -> Jet:
        return self + -self._jet(other)

    def __truediv__(self, other: Any) -> Jet:
        x = self._jet(other)
        return self * x.through(1 / x.value, -(x.value**-2), 2 * x.value**-3)

    def __pow__(self, n: int) -> Jet:
        return self.through(self.value**n, n * self.value ** (n - 1), n * (n - 1) * self.value ** (n - 2))

    def __gt__(self, other: Any) -> bool:
        return self.value > self._jet(other).value

    __radd__, __rmul__ = __add__, __mul__


def variables(numbers: list[float]) -> list[Jet]:
    """Each number as the variable of its place."""
    count = len(numbers)
    return [Jet(x, np.eye(count)[n], np.zeros((count, count))) for n, x in enumerate(numbers)]


class Functions:
    """NumPy's names, for jets."""

    @staticmethod
    def sin(x: Jet) -> Jet:
        return x.through(math.sin(x.value), math.cos(x.value), -math.sin(x.value))

    @staticmethod
    def cos(x: Jet) -> Jet:
        return x.through(math.cos(x.value), -math.sin(x.value), -math.cos(x.value))

    @staticmethod
    def exp(x: Jet) -> Jet:
        return x.through(math.exp(x.value), math.exp(x.value), math.exp(x.value))

    @staticmethod
    def tanh(x: Jet) -> Jet:
        y = math.tanh(x.value)
        return x.through(y, 1 - y * y, -2 * y * (1 - y * y))

    @staticmethod
    def arctan(x: Jet) -> Jet:
        d = 1 / (1 + x.value**2)
        return x.through(math.atan(x.value), d, -2 * x.value * d * d)

    @staticmethod
    def log1p(x: Jet) -> Jet:
        d = 1 / (1 + x.value)
        return x.through(math.log1p(x.value), d, -d * d)

    @staticmethod
    def sqrt(x: Jet) -> Jet:
        y = math.sqrt(x.value)
        return x.through(y, 0.5 / y, -0.25 / y**3)
