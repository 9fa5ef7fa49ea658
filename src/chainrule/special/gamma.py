"""The Γ function and its kin.

Γ(z) and ln Γ(z) of positive z rest on two polynomials. Below 4½, z is n + t with |t| ≤ ½, and ln Γ(2 + t) = t·F(t),
from which Γ(z + 1) = z Γ(z) leads to n: near 1 and 2, where ln Γ is 0, nothing cancels. Above, Stirling's formula with
its remainder R(z) = S(1/z²)/z. The polynomials are Chebyshev interpolations in 50 digits with mpmath, of relative error
below 10⁻¹⁷.

Source: the formulas are those of Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, chapters 6 and 23.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from chainrule.checks import whole_number
from chainrule.numpy import elementwise as ew
from chainrule.numpy import reductions as red
from chainrule.numpy.formula import formula, polynomial
from chainrule.trace import primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import known, through_arrays

__all__ = ["beta", "betaln", "digamma", "gamma", "gammaln", "gammasgn", "multigammaln", "polygamma", "zeta"]


# ζ, and the derivatives of ln Γ

#: B₂ⱼ / (2j)!
_BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000,
)  # fmt: skip


@formula()
def zeta(x: Any, q: Any = 1.0, /) -> Array:
    """Hurwitz's ζ function `Σₖ (k + q)⁻ˣ` from k = 0 on, for `x > 1` and `q > 0`; Riemann's for `q = 1`.

    ∞ for `x = 1`, nan elsewhere. Ten terms, and the others by the formula of Euler and Maclaurin. It has derivatives by
    both. At most 12 ULP.

    >>> from chainrule import special
    >>> float(special.zeta(2.0))  # π²/6
    1.6449340668482264
    """
    found = _hurwitz(ew.where(x > 1, x, math.nan), ew.where(q > 0, q, math.nan))
    return ew.where((x == 1) & (as_array(q) > 0), math.inf, found)


def _hurwitz(s: Any, q: Array) -> Array:
    found = ew.power(q, -s)
    for k in range(1, 10):
        found = found + ew.power(q + k, -s)
    a = q + 10
    square, factor, rest = 1 / (a * a), s / a, 0.5
    for j, coefficient in enumerate(_BERNOULLI):
        rest = rest + coefficient * factor
        factor = factor * (s + (2 * j + 1)) * (s + (2 * j + 2)) * square
    return as_array(found + ew.power(a, 1 - s) * (1 / (s - 1) + rest / a))


def polygamma(n: Any, x: Any) -> Any:
    """The derivative of order `n` of `digamma(x)`; `n` must be known: a whole number, or several, from 0 on.

    `(−1)ⁿ⁺¹ n! ζ(n + 1, x)` for positive x; for negative ones by the derivatives of `π cot πx`. At most 12 ULP for
    positive x and n up to 20. Raises OptionError if `n` is none of these.

    >>> from chainrule import special
    >>> float(special.polygamma(1, 1.0))  # π²/6
    1.6449340668482264
    """
    orders = np.asarray(known("polygamma", n, "Pass plain whole numbers."))
    if not orders.ndim:
        return _polygamma(whole_number("n", orders.item(), 0))(x)
    found = None
    for order in np.unique(orders).tolist():
        each = _polygamma(whole_number("n", order, 0))(x)
        found = each if found is None else ew.where(orders == order, each, found)
    return found


@functools.cache
def _polygamma(n: int) -> Any:
    if n == 0:
        return digamma
    factor = (-1.0) ** (n + 1) * math.factorial(n)

    @formula(lambda t, y, x: t * _polygamma(n + 1)(x))
    def derivative(x: Any, /) -> Array:
        below = x < 0
        found = factor * _hurwitz(float(n + 1), ew.where(below, 1 - x, x))
        slope = ew.tan(math.pi * (x - ew.rint(x)))
        reflected = (-1) ** n * found - polynomial(1 / slope, _cotangent_derivative(n))
        return ew.where(x == 0, ew.copysign(math.inf, x) ** (n + 1) * factor, ew.where(below, reflected, found))

    return derivative


def _cotangent_derivative(n: int) -> list[float]:
    """The derivative of order n of `π cot πx` as a polynomial in `cot πx`, ascending."""
    found = np.polynomial.Polynomial([0.0, math.pi])
    for _ in range(n):
        found = found.deriv() * np.polynomial.Polynomial([-math.pi, 0.0, -math.pi])
    return [float(c) for c in found.coef]


_ROOT = 1.4616321449683622  # of ψ, and what this lacks
_ROOT_LOW = 9.549995429965697e-17
_D = (
    0.9676722454476212, -0.44276316898359214, 0.25849976095565114, -0.16394270544240616, 0.10782405069124527,
    -0.0721995612564984, 0.048804288165561406, -0.03316112647297098, 0.02259764817146226, -0.01542476593971451,
    0.010538793152051648, -0.0072045343210035365, 0.004926756858062819, -0.0033697926833388364, 0.002305382802163758,
    -0.0015771169322652363, 0.001077060962993261, -0.0007363047968131454, 0.0005127450196508457,
    -0.0003555685879189623, 0.0002159437492678741, -0.00012784378748080858, 0.00013528299972540313,
    -0.00013546967989030035, 5.596002350342592e-05,
)  # fmt: skip
_G = (
    0.08333333333333333, -0.008333333333333285, 0.003968253968202471, -0.004166666645145678, 0.007575752832735208,
    -0.02109216163297983, 0.08327738007403945, -0.4398264556643543, 2.90157828577255, -21.40152231711522,
    151.44431447928906, -869.9278044434728, 3363.026415120245, -6306.446535747056,
)  # fmt: skip


@formula(lambda t, y, x: t * polygamma(1, x))
def digamma(x: Any, /) -> Array:
    """`ψ(x) = d/dx ln Γ(x)`; its derivative is `polygamma(1, x)`. ∓∞ at ±0, nan at the negative integers.

    `ψ(x + 1) = ψ(x) + 1/x` leads to 1 ≤ x < 2, where `ψ(x) = (x − 1.4616…)·D(x)`; from 4 on `ln x − 1/2x − w·G(w)` with
    `w = 1/x²`, by polynomials as for ln Γ. At most 5 ULP for positive x, also beside the root; for negative ones 8 ULP
    of the larger of 1 and the result.

    >>> from chainrule import special
    >>> float(special.digamma(1.0))  # minus Euler's constant
    -0.5772156649015329
    """
    size = ew.absolute(x)
    large = size >= 4
    found = ew.where(large, _far(ew.where(large, size, 4.0)), _near(ew.where(large, 1.0, size)))
    reflected = found + 1 / size - _cotangent(x)
    signed = ew.where(x < 0, ew.where(x == ew.rint(x), math.nan, reflected), found)
    return ew.where(x == 0, -1 / x, signed)


def _far(z: Array) -> Array:
    return ew.log(z) - 0.5 / z - _rest(z)


def _rest(z: Array) -> Array:
    square = 1 / (z * z)
    return square * polynomial(square, _G)


def _near(z: Array) -> Array:
    n = ew.floor(z)
    s = (z - n) - (_ROOT - 1)
    steps = ew.where(n < 1, -1 / z, ew.where(n < 2, 0.0, 1 / (z - 1) + ew.where(n < 3, 0.0, 1 / (z - 2))))
    return (s - _ROOT_LOW) * polynomial(s, _D) + steps


def _cotangent(x: Array) -> Array:
    """`π cot πx`."""
    return math.pi / ew.tan(math.pi * (x - ew.rint(x)))


# ln Γ and Γ

_F = (
    0.42278433509846713, 0.3224670334241132, -0.06735230105319814, 0.02058080842778457, -0.0073855510286681535,
    0.002890510330738737, -0.0011927539120010226, 0.0005096695248853096, -0.00022315475074520367,
    9.945750909889392e-05, -4.4926351103833334e-05, 2.050726741605779e-05, -9.438458716242811e-06,
    4.374374916915131e-06, -2.0449201467015115e-06, 9.578663334114758e-07, -4.303558760359961e-07,
    2.0304806751615227e-07, -1.3412819758517287e-07, 6.379047507619774e-08,
)  # fmt: skip
_S = (
    0.08333333333333333, -0.002777777777777659, 0.0007936507935535486, -0.0005952380639370136, 0.0008417456187716576,
    -0.0019170109902736285, 0.006377783287681602, -0.028190497473680562, 0.14063697606444495, -0.6036556251195833,
    1.4475308441365344,
)  # fmt: skip
_STIRLING = 4.5
_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def _steps(z: Array) -> tuple[Array, Array, Array]:
    """For 0 < z < 4½: whether z is below 3/2, what Γ(2 + t) is then divided by, else multiplied with, and t."""
    n = ew.floor(z + 0.5)
    below = ew.where(n < 1, z * (z + 1), z)
    above = ew.where(n < 3, 1.0, ew.where(n < 4, z - 1, (z - 1) * (z - 2)))
    return n < 2, ew.where(n < 2, below, above), z - n


def _remainder(z: Array) -> Array:
    """`R(z)` of Stirling's formula."""
    return polynomial(1 / (z * z), _S) / z


def _apart(z: Array) -> tuple[Array, Array, Array]:
    """Whether Stirling's formula is used, and what is safe to use it for, and the other one."""
    large = z >= _STIRLING
    return large, ew.where(large, z, _STIRLING), ew.where(large, 1.0, z)


def _sine(x: Array) -> Array:
    """`sin πx`, whose argument is taken to the nearest integer without rounding."""
    nearest = ew.rint(x)
    side = ew.where(ew.remainder(nearest, 2) == 0, 1.0, -1.0)
    return side * ew.sin(math.pi * (x - nearest))


@formula(lambda t, y, x: t * digamma(x))
def gammaln(x: Any, /) -> Array:
    """`ln |Γ(x)|`; its derivative is `digamma`. ∞ at 0 and the negative integers.

    At most 8 ULP for positive x; for negative ones 6 ULP of the larger of 1 and the result, which has zeros there.

    >>> from chainrule import special
    >>> round(float(special.gammaln(10.0)), 12)  # ln 9!
    12.801827480081
    """
    size = ew.absolute(x)
    large, z, small = _apart(size)
    is_divided, product, t = _steps(small)
    steps = ew.log(product)
    above = (z - 0.5) * (ew.log(z) - 1) + (_HALF_LOG_TAU - 0.5) + _remainder(z)
    found = ew.where(large, above, t * polynomial(t, _F) + ew.where(is_divided, -steps, steps))
    reflected = math.log(math.pi) - ew.log(size) - ew.log(ew.absolute(_sine(x))) - found
    return ew.where(ew.isinf(x), math.inf, ew.where(x < 0, reflected, found))


@formula(lambda t, y, x: t * y * digamma(x))
def gamma(x: Any, /) -> Array:
    """`Γ(x)`, which is `(x − 1)!` for integers; its derivative is `Γ(x)·digamma(x)`.

    ±∞ at ±0, nan at the negative integers. At most 8 ULP.

    >>> from chainrule import special
    >>> round(float(special.gamma(5.0)), 12)
    24.0
    """
    size = ew.absolute(x)
    large, z, small = _apart(size)
    is_divided, product, t = _steps(small)
    base = ew.exp(t * polynomial(t, _F))
    z = ew.minimum(z, 200.0)
    root = ew.power(z, 0.5 * z - 0.25)
    above = root * (root * ew.exp(-z)) * ew.exp(_remainder(z)) * math.sqrt(2 * math.pi)
    found = ew.where(large, above, ew.where(is_divided, base / product, base * product))
    reflected = -math.pi / (x * found * _sine(x))
    signed = ew.where(x < 0, ew.where(x == ew.rint(x), math.nan, reflected), found)
    return ew.where(x == 0, 1 / x, signed)


@formula(None)
def gammasgn(x: Any, /) -> Array:
    """The sign of `Γ(x)`: 1, −1, and nan at the negative integers."""
    odd = ew.remainder(ew.floor(x), 2) == 1
    sign = ew.where(x < 0, ew.where(x == ew.floor(x), math.nan, ew.where(odd, -1.0, 1.0)), 1.0)
    return ew.where(x == 0, ew.copysign(1.0, x), ew.where(ew.isnan(x), x, sign))


# of two arguments


@formula(
    lambda t, y, a, b: t * (polygamma(1, a + b) - polygamma(1, a)),
    lambda t, y, a, b: t * polygamma(1, a + b),
)
def _gain(a: Any, b: Any, /) -> Array:
    """`ψ(a + b) − ψ(a)`."""
    usable = (a >= 4) & (b > 0)
    large, more = ew.where(usable, a, 4.0), ew.where(usable, b, 1.0)
    total = large + more
    apart = ew.log1p(more / large) + 0.5 * more / (large * total) + (_rest(large) - _rest(total))
    return ew.where(usable, apart, digamma(a + b) - digamma(a))


@formula(lambda t, y, a, b: -t * _gain(a, b), lambda t, y, a, b: -t * _gain(b, a))
def betaln(a: Any, b: Any, /) -> Array:
    """`ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a + b)` of absolute values; its derivative by a is `ψ(a) − ψ(a + b)`.

    For positive a and b, where one is large, the large terms are taken together before they are rounded:
    8 ULP of the larger of 1 and the result.

    Source: DiDonato and Morris, Algorithm 708, ACM TOMS 18, 1992.

    >>> from chainrule import special
    >>> round(float(special.betaln(2.0, 3.0)), 12)  # −ln 12
    -2.484906649788
    """
    plain = gammaln(a) + gammaln(b) - gammaln(a + b)
    positive, infinite = ew.minimum(a, b) > 0, ew.maximum(a, b) == math.inf
    usable = positive & (ew.maximum(a, b) >= _STIRLING) & ~infinite
    large, small = ew.where(usable, ew.maximum(a, b), _STIRLING), ew.where(usable, ew.minimum(a, b), 1.0)
    both = small >= _STIRLING
    much = ew.where(both, small, _STIRLING)
    shared = _remainder(large) - _remainder(large + small) - (large - 0.5) * ew.log1p(small / large)
    of_both = shared - much * ew.log1p(large / much) - 0.5 * ew.log(much) + _remainder(much) + _HALF_LOG_TAU
    of_one = shared + gammaln(small) - small * (ew.log(large + small) - 1)
    found = ew.where(usable, ew.where(both, of_both, of_one), ew.where(positive & infinite, -math.inf, plain))
    return ew.where((a == 0) | (b == 0), math.inf, found)


@formula(lambda t, y, a, b: -t * y * _gain(a, b), lambda t, y, a, b: -t * y * _gain(b, a))
def beta(a: Any, b: Any, /) -> Array:
    """`B(a, b) = Γ(a) Γ(b) / Γ(a + b)`; its derivative by a is `B(a, b)·(ψ(a) − ψ(a + b))`.

    At most 8 ULP where both are below 85; above, the error of its logarithm counts.

    >>> from chainrule import special
    >>> round(float(special.beta(2.0, 3.0)), 12)
    0.083333333333
    """
    within = (ew.absolute(a) < 85) & (ew.absolute(b) < 85)
    x, y = (ew.where(within, n, 1.0) for n in (a, b))
    total = x + y
    lost = (x - (total - (total - x))) + (y - (total - x))  # of x + y by rounding
    found = gamma(x) / gamma(total) * gamma(y) * (1 - lost * digamma(total))
    sign = gammasgn(a) * gammasgn(b) * gammasgn(a + b)
    of_poles = ew.where((a == 0) | (b == 0), math.inf, sign * ew.exp(betaln(a, b)))
    return ew.where(within & (x * y != 0), found, of_poles)


@through_arrays
def multigammaln(a: Any, d: Any) -> Array:
    """The logarithm of the Γ function of positive definite matrices, `d(d − 1)/4 · ln π + Σⱼ ln Γ(a − j/2)`, j < d.

    `a` must be above (d − 1)/2. Raises OptionError if `d` is no whole number from 1 on.
    """
    size = whole_number("d", known("multigammaln", d), 1)
    x = promotion.as_float(as_array(a))
    halves = primitives.reshape(x, (*x.shape, 1)) - primitives.astype(as_array(0.5 * np.arange(size)), x.dtype)
    return red.sum(gammaln(halves), -1) + size * (size - 1) / 4 * math.log(math.pi)
