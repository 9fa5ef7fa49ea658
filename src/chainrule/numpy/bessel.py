"""The modified Bessel functions of the first kind, of orders 0 and 1.

Up to |x| = 15 their power series, all of whose terms are positive; above, `eˣ/√(2πx)` times a polynomial in 1/x, by
Chebyshev interpolation in 50 digits with mpmath, of relative error below 10⁻¹⁷.

Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 9.6.10 and 9.7.1.
"""

from __future__ import annotations

import math
from typing import Any

from chainrule.numpy import elementwise as ew
from chainrule.numpy.formula import formula, polynomial
from chainrule.trace.array import Array

__all__ = ["i0", "i0e", "i1", "i1e"]

_LIMIT = 15.0
_SERIES = tuple(tuple(1 / (math.factorial(k) * math.factorial(k + order)) for k in range(32)) for order in (0, 1))
_FAR = (
    (1.0, 0.12500000000000513, 0.07031249999432776, 0.07324218993455651, 0.11215156049002364, 0.22717868710856154,
     0.5665725338447277, 2.0604414704039895, -6.710621084825518, 362.56902215226523, -5965.2396511647,
     71718.09251375678, -492444.6767676386, 1624305.0932253362, -258586.43594602772),
    (1.0, -0.37500000000000516, -0.1171874999943211, -0.10253906493580549, -0.14419501779250413,
     -0.2776469942161482, -0.6706870696527321, -2.32402503972557, 5.76689976317108, -360.0585643144974,
     5807.124034326181, -69086.48495449235, 460368.0437165276, -1403605.0480133821, -457731.9206754362),
)  # fmt: skip


def _series(x: Array, order: int) -> Array:
    found = polynomial(0.25 * (x * x), _SERIES[order])
    return 0.5 * x * found if order else found


def _far(x: Array, order: int) -> Array:
    """The function over eˣ."""
    return polynomial(1 / x, _FAR[order]) / ew.sqrt(2 * math.pi * x)


def _apart(x: Array) -> tuple[Array, Array, Array]:
    """Whether |x| is small, and what is safe for the series, and for the other formula."""
    size = ew.where(x < 0, -x, x)
    near = size <= _LIMIT
    return near, ew.where(near, x, 0.0), ew.where(near, _LIMIT, size)


def _bessel(x: Array, order: int) -> Array:
    near, small, large = _apart(x)
    half = ew.exp(0.5 * large)  # the whole would overflow before the result
    far = half * _far(large, order) * half
    return ew.where(near, _series(small, order), ew.where(x < 0, -far, far) if order else far)


def _scaled(x: Array, order: int) -> Array:
    near, small, large = _apart(x)
    far = _far(large, order)
    shrunk = _series(small, order) * ew.exp(-ew.absolute(small))
    return ew.where(near, shrunk, ew.where(x < 0, -far, far) if order else far)


@formula()
def i0(x: Any, /) -> Array:
    """The modified Bessel function `I₀(x)`; its derivative is `I₁(x)`. At most 8 ULP.

    >>> from chainrule import special
    >>> float(special.i0(0.0))
    1.0
    """
    return _bessel(x, 0)


@formula()
def i1(x: Any, /) -> Array:
    """The modified Bessel function `I₁(x)`; its derivative is `I₀(x) − I₁(x)/x`. At most 8 ULP.

    >>> from chainrule import special
    >>> float(special.i1(0.0))
    0.0
    """
    return _bessel(x, 1)


@formula()
def i0e(x: Any, /) -> Array:
    """`exp(−|x|) I₀(x)`, which does not overflow; its derivative at the kink at 0 is 0. At most 10 ULP.

    >>> from chainrule import special
    >>> round(float(special.i0e(1e6)), 12)
    0.00039894233
    """
    return _scaled(x, 0)


@formula()
def i1e(x: Any, /) -> Array:
    """`exp(−|x|) I₁(x)`, which does not overflow. At most 8 ULP.

    >>> from chainrule import special
    >>> round(float(special.i1e(1e6)), 12)
    0.000398942131
    """
    return _scaled(x, 1)
