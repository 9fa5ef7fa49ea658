"""The error function, the normal distribution, and their inverses.

All tails rest on `erfcx(x) = exp(x²) erfc(x)` for x ≥ 0, which is `E(u) / (1 + 2x)` with `u = (x − 3)/(x + 3)`: a
polynomial, by Chebyshev interpolation in 50 digits with mpmath, of relative error below 10⁻¹⁷ (the transformation is
that of Shepherd and Laframboise, Mathematics of Computation 36, 1981). In exp(−x²) the square is taken in two parts,
the first of which is exact, so that small probabilities have as many digits as others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.numpy import elementwise as ew
from chainrule.numpy.formula import formula, polynomial
from chainrule.trace import primitives
from chainrule.trace.array import Array

__all__ = ["erfc", "erfcinv", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri"]

_E = (
    1.2530080582697296, -0.1356211061245812, -0.04756229435344912, 0.12964515870276316, -0.11927366341538978,
    0.06830802734389313, -0.023770514917107986, 0.0025293918173706497, 0.0018886903443894542, -0.0007798322831260387,
    -0.00010515971612176149, 0.00012509940933306624, 4.949184182276066e-06, -2.010075903780886e-05,
    -7.307985940695724e-07, 3.4728430145951554e-06, 3.5571413343395913e-07, -6.172971639709339e-07,
    -1.4042772727671948e-07, 1.0252159854733823e-07, 4.1031674722876435e-08, -1.3744637271614611e-08,
    -8.205287217548862e-09, 1.1435382719942424e-09, 8.373239801913565e-10, -2.5208846559132343e-11,
)  # fmt: skip


def _scaled_tail(x: Array) -> Array:
    """`erfcx(x)` for x ≥ 0."""
    return polynomial(1 - 6 / (x + 3), _E) / (1 + 2 * x)


def _exponential_of_square(x: Array, factor: float) -> Array:
    """`exp(factor · x²)`."""
    size = ew.minimum(ew.absolute(x), 64.0)
    short = primitives.astype(primitives.astype(size, np.float32), np.float64)
    return ew.exp(factor * (short * short)) * ew.exp(factor * ((size - short) * (size + short)))


@formula(lambda t, y, x: t * (-2 * x * y))
def _gaussian(x: Any, /) -> Array:
    """`exp(−x²)`."""
    return _exponential_of_square(x, -1.0)


@formula(lambda t, y, x: t * (-x * y))
def _bell(x: Any, /) -> Array:
    """`exp(−x²/2)`."""
    return _exponential_of_square(x, -0.5)


@formula(lambda t, y, x: t * (2 * x * y))
def _rising(x: Any, /) -> Array:
    """`exp(x²)`."""
    return _exponential_of_square(x, 1.0)


@formula(lambda t, y, x: t * (_gaussian(x) * (-2 / math.sqrt(math.pi))))
def erfc(x: Any, /) -> Array:
    """`1 − erf(x) = 2/√π ∫ₓ^∞ e^−t² dt`, element by element, without cancellation. At most 5 ULP.

    >>> from chainrule import special
    >>> f"{special.erfc(10.0):.12e}"
    '2.088487583763e-45'
    """
    size = ew.absolute(x)
    tail = _gaussian(size) * _scaled_tail(size)
    return ew.where(x < 0, 2 - tail, tail)


@formula()
def erfcx(x: Any, /) -> Array:
    """`exp(x²) erfc(x)`, which does not underflow. At most 4 ULP.

    >>> from chainrule import special
    >>> float(special.erfcx(1e9))
    5.641895835477563e-10
    """
    size = ew.where(x < 0, -x, x)
    tail = _scaled_tail(size)
    return ew.where(x < 0, 2 * _rising(ew.where(x < 0, x, 0.0)) - tail, tail)


@formula(lambda t, y, x: t * (_bell(x) / math.sqrt(2 * math.pi)))
def ndtr(x: Any, /) -> Array:
    """The normal distribution's cumulative probability, `½ erfc(−x/√2)`. At most 5 ULP.

    >>> from chainrule import special
    >>> f"{special.ndtr(-30.0):.12e}"
    '4.906713927148e-198'
    """
    size = ew.absolute(x)
    tail = 0.5 * _bell(size) * _scaled_tail(size * math.sqrt(0.5))
    return ew.where(x < 0, tail, 1 - tail)


@formula()
def log_ndtr(x: Any, /) -> Array:
    """`ln ndtr(x)`, however small the probability. At most 5 ULP.

    >>> from chainrule import special
    >>> float(special.log_ndtr(-1e10))
    -5e+19
    """
    below = x < -1
    low, high = ew.where(below, x, -1.0), ew.where(below, 0.0, x)
    tail = -0.5 * (low * low) + ew.log(0.5 * _scaled_tail(low * -math.sqrt(0.5)))
    return ew.where(below, tail, ew.log1p(-ndtr(-high)))


# their inverses

#: Of q = p − ½ for |q| ≤ 0.425; of r = √(−ln p) for r ≤ 5, and above: numerators and denominators, ascending.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
     3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_NEAR = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
     1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
     1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip


def _quantile(q: Array, tail: Array) -> Array:
    """The normal distribution's quantile at ½ + q, of which `tail` lies on the farther side.

    Source: Wichura, Algorithm AS 241, Applied Statistics 37, 1988.
    """
    centred = ew.absolute(q) <= 0.425
    inside = ew.where(centred, q, 0.0)
    centre = inside * _ratio(0.180625 - inside * inside, _CENTRE)
    r = ew.sqrt(-ew.log(ew.where(centred | (tail <= 0), 0.25, tail)))
    size = ew.where(r <= 5, _ratio(r - 1.6, _NEAR), _ratio(r - 5, _FAR))
    outside = ew.where(tail > 0, size, ew.where(tail == 0, math.inf, math.nan))
    return ew.where(centred, centre, ew.copysign(outside, q))


def _ratio(x: Array, coefficients: Any) -> Array:
    return polynomial(x, coefficients[0]) / polynomial(x, coefficients[1])


@formula(lambda t, y, p: t * (ew.exp(0.5 * (y * y)) * math.sqrt(2 * math.pi)))
def ndtri(p: Any, /) -> Array:
    """The x of which `ndtr(x) = p`; ∓∞ at 0 and 1, nan outside. At most 6 ULP.

    >>> from chainrule import special
    >>> round(float(special.ndtri(0.975)), 12)
    1.95996398454
    """
    return _quantile(p - 0.5, ew.minimum(p, 1 - p))


@formula(lambda t, y, x: t * (ew.exp(y * y) * (0.5 * math.sqrt(math.pi))))
def erfinv(x: Any, /) -> Array:
    """The y of which `erf(y) = x`; ∓∞ at −1 and 1, nan outside. At most 6 ULP.

    >>> from chainrule import special
    >>> round(float(special.erfinv(0.5)), 12)
    0.476936276204
    """
    return _quantile(0.5 * x, 0.5 * (1 - ew.absolute(x))) * math.sqrt(0.5)


@formula(lambda t, y, x: t * (ew.exp(y * y) * (-0.5 * math.sqrt(math.pi))))
def erfcinv(x: Any, /) -> Array:
    """The y of which `erfc(y) = x`; ∞ at 0, −∞ at 2, nan outside. At most 6 ULP.

    >>> from chainrule import special
    >>> round(float(special.erfcinv(1e-300)), 12)
    26.209469960516
    """
    return _quantile(0.5 * (1 - x), 0.5 * ew.minimum(x, 2 - x)) * math.sqrt(0.5)
