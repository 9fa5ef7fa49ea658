"""Probabilities and their logarithms: the logistic function, entropies, and sums of exponentials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.graph import ops
from chainrule.numpy import elementwise as ew
from chainrule.numpy import reductions as red
from chainrule.numpy.formula import formula, polynomial
from chainrule.trace import primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import through_arrays

__all__ = [
    "entr", "expit", "kl_div", "log_expit", "log_softmax", "logit", "logsumexp", "rel_entr", "softmax",
    "xlog1py", "xlogy",
]  # fmt: skip


@through_arrays
def expit(x: Any, /) -> Array:
    """The logistic function `1 / (1 + e⁻ˣ)`, element by element. At most 3 ULP.

    >>> from chainrule import special
    >>> float(special.expit(0.0))
    0.5
    """
    return apply(ops.EXPIT, promotion.as_float(as_array(x)).node)


@through_arrays
def log_expit(x: Any, /) -> Array:
    """`ln expit(x) = −ln(1 + e⁻ˣ)`, without overflow. At most 3 ULP.

    >>> from chainrule import special
    >>> float(special.log_expit(-1000.0))
    -1000.0
    """
    return -ew.logaddexp(0.0, -promotion.as_float(as_array(x)))


@formula(lambda t, y, p: t / (p * (1 - p)))
def logit(p: Any, /) -> Array:
    """The inverse of the logistic function, `ln(p / (1 − p))`; ∓∞ at 0 and 1, nan outside. At most 4 ULP.

    >>> from chainrule import special
    >>> float(special.logit(0.5))
    0.0
    """
    near = ew.absolute(p - 0.5) < 0.25
    centred = 2 * (ew.where(near, p, 0.5) - 0.5)
    return ew.where(near, 2 * ew.arctanh(centred), ew.log(p / (1 - p)))


@formula(lambda t, y, a, b: t * ew.log(b), lambda t, y, a, b: t * _over(a, b))
def xlogy(x: Any, y: Any, /) -> Array:
    """`x ln y`, and 0 where x is 0 and y a number: derivative `ln y` by x, and by y `x/y`, 0 where x is 0.

    >>> from chainrule import special
    >>> float(special.xlogy(0.0, 0.0))
    0.0
    """
    return ew.where((x == 0) & ~ew.isnan(y), 0.0, x * ew.log(y))


@formula(lambda t, y, a, b: t * ew.log1p(b), lambda t, y, a, b: t * _over(a, 1 + b))
def xlog1py(x: Any, y: Any, /) -> Array:
    """`x ln(1 + y)`, and 0 where x is 0 and y a number: derivative `ln(1 + y)` by x, and by y `x/(1 + y)`.

    >>> from chainrule import special
    >>> float(special.xlog1py(0.0, -1.0))
    0.0
    """
    return ew.where((x == 0) & ~ew.isnan(y), 0.0, x * ew.log1p(y))


def _over(x: Array, y: Array) -> Array:
    """`x/y`, and 0 where x is 0."""
    return ew.where(x == 0, 0.0, x / ew.where(x == 0, 1.0, y))


@formula(lambda t, y, x: t * (-1 - ew.log(x)))
def entr(x: Any, /) -> Array:
    """The entropy's summand `−x ln x`: 0 at 0, with the derivative ∞; −∞ below.

    >>> from chainrule import special
    >>> float(special.entr(0.0))
    0.0
    """
    positive = ew.where(x > 0, x, 1.0)
    found = ew.where(x > 0, -positive * ew.log(positive), ew.where(x == 0, 0.0, -math.inf))
    return ew.where(ew.isnan(x), x, found)


@formula(lambda t, y, a, b: t * (1 + _log_ratio(a, b)), lambda t, y, a, b: -t * _over(a, b))
def rel_entr(x: Any, y: Any, /) -> Array:
    """The relative entropy's summand `x ln(x/y)`: 0 where x is 0 and y is not negative, else ∞ where it is not defined.

    >>> from chainrule import special
    >>> float(special.rel_entr(1.0, 1.0))
    0.0
    """
    return _divergence(x, y, lambda a, b: a * _log_ratio(a, b), 0.0)


@formula(lambda t, y, a, b: t * _log_ratio(a, b), lambda t, y, a, b: t * (1 - _over(a, b)))
def kl_div(x: Any, y: Any, /) -> Array:
    """The divergence of Kullback and Leibler of numbers of any sum, `x ln(x/y) − x + y`: y where x is 0.

    At most 12 ULP, also where x and y are close.

    >>> from chainrule import special
    >>> float(special.kl_div(1.0, 1.0))
    0.0
    """
    return _divergence(x, y, _excess, y)


def _divergence(x: Array, y: Array, found: Any, of_nothing: Any) -> Array:
    usable = (x > 0) & (y > 0)
    inside = found(ew.where(usable, x, 1.0), ew.where(usable, y, 1.0))
    outside = ew.where((x == 0) & (y >= 0), of_nothing, math.inf)
    return ew.where(ew.isnan(x) | ew.isnan(y), math.nan, ew.where(usable, inside, outside))


def _log_ratio(x: Array, y: Array) -> Array:
    """`ln(x/y)`, also where the two are close."""
    ratio = x / y
    near = (ratio > 0.5) & (ratio < 2)
    far = ew.where((ratio > 0) & (ratio < math.inf), ew.log(ratio), ew.log(x) - ew.log(y))
    return ew.where(near, ew.log1p(ew.where(near, x - y, 0.0) / ew.where(near, y, 1.0)), far)


_EXCESS = tuple((-1) ** k / (k * (k - 1)) for k in range(2, 24))  # of (1 + d) ln(1 + d) − d, over d²


def _excess(x: Array, y: Array) -> Array:
    """`x ln(x/y) − x + y`, by its series in d = (x − y)/y where that is small."""
    d = (x - y) / y
    near = ew.absolute(d) < 0.2
    small = ew.where(near, d, 0.0)
    return ew.where(near, y * (small * small) * polynomial(small, _EXCESS), x * _log_ratio(x, y) - (x - y))


# along axes


@through_arrays
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Array | tuple[Array, Array]:
    """`ln Σ b eᵃ` over axes, b = 1 unless given, without overflow; its derivative by a is the weighted softmax.

    A negative sum has the logarithm nan; with `return_sign`, the logarithm of its size and its sign are returned. What
    is largest is kept apart from the others, so that nothing is lost where the result is near 0.

    >>> from chainrule import special
    >>> float(special.logsumexp([0.0, -50.0]))
    1.9287498479639178e-22
    """
    x = promotion.as_float(as_array(a))
    weights = None if b is None else as_array(b)
    if weights is not None:
        x, weights = promotion.promoted(x, weights)
    if not x.size:
        return _of_nothing(x, axis, keepdims, return_sign)
    counted = apply(ops.STOP_GRADIENT, (x if weights is None else ew.where(weights == 0, -math.inf, x)).node)
    largest = primitives.reduced(ops.MAX, counted, axis, True)
    centre = ew.where(ew.isfinite(largest), largest, 0.0)
    powers = _weighted(x - centre, weights)
    at_top = counted == largest
    top = red.sum(ew.where(at_top, powers, 0.0), axis, keepdims=True)
    rest = red.sum(ew.where(at_top, 0.0, powers), axis, keepdims=True)
    return _logarithm(top, rest, centre, x, axis, keepdims, return_sign)


def _weighted(exponents: Array, weights: Array | None) -> Array:
    """`b eᵃ`, which is 0 for b = 0 whatever a is."""
    if weights is None:
        return ew.exp(exponents)
    most = math.log(float(np.finfo(exponents.dtype).max)) - 1
    return weights * ew.exp(ew.where(weights == 0, ew.minimum(exponents, most), exponents))


def _logarithm(
    top: Array, rest: Array, centre: Array, x: Array, axis: Any, keepdims: bool, return_sign: bool
) -> Array | tuple[Array, Array]:
    whole = top == 0
    sign = ew.sign(top + rest)
    share = ew.where(whole, 0.0, rest / ew.where(whole, 1.0, top))
    scale = ew.log(ew.absolute(ew.where(whole, rest, top)))
    found = ew.log1p(share) + scale + centre
    found = ew.where(sign == 0, -math.inf, found)
    shape = found.shape if keepdims else primitives.reduced(ops.MAX, x, axis, False).shape
    if return_sign:
        return primitives.reshape(found, shape), primitives.reshape(sign, shape)
    return primitives.reshape(ew.where(sign < 0, math.nan, found), shape)


def _of_nothing(x: Array, axis: Any, keepdims: bool, return_sign: bool) -> Array | tuple[Array, Array]:
    total = red.sum(x, axis, keepdims=keepdims)
    return (ew.log(total), total) if return_sign else ew.log(total)


@through_arrays
def softmax(x: Any, axis: Any = None) -> Array:
    """`e^xⱼ / Σₖ e^xₖ` along axes, all unless told: positive, and 1 together.

    >>> from chainrule import special
    >>> special.softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    powers = ew.exp(_centred(x, axis))
    return powers / red.sum(powers, axis, keepdims=True)


@through_arrays
def log_softmax(x: Any, axis: Any = None) -> Array:
    """The logarithm of `softmax`, also of what that rounds to 0.

    >>> from chainrule import special
    >>> special.log_softmax([0.0, -1000.0])
    array([    0., -1000.])
    """
    centred = _centred(x, axis)
    return centred - logsumexp(centred, axis, keepdims=True)


def _centred(x: Any, axis: Any) -> Array:
    a = promotion.as_float(as_array(x))
    if not a.size:
        return a
    largest = primitives.reduced(ops.MAX, a, axis, True)
    return a - apply(ops.STOP_GRADIENT, ew.where(ew.isfinite(largest), largest, 0.0).node)
