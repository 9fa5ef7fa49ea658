"""Elementary functions for vectors: exp, expm1, log, log1p, tanh and the logistic function.

Written for `ir.NativeFunction` without branches or calls, the same for one lane or many, in "float" and in "double".
They hold over the whole range of the type: zeros keep their sign, results and arguments may be denormal, infinities
come out where they belong and nan stays nan. Fused multiply-adds are used where the processor has them, and the
error bounds hold where it has none: the products that must not be rounded have few enough bits to be exact. The
bounds were found by trial: of every float from 2^-14 to 2^7 of either sign, and of 10^7 doubles for each function.

The exponentials rest on one reduction, x = k·ln 2 + r, after which e^x = 2^⌊k/2⌋ · 2^⌈k/2⌉ · e^r: each factor a plain
normal number whatever the exponent of the result, so that denormal results and overflow need nothing else.

The coefficients are minimax: Remez's exchange for the relative error, in 50 digits with mpmath, the leading terms kept
as the formulas have them; each coefficient in turn, from the lowest, rounded to the type and the rest fitted again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.cpu.ir import NativeFunction, Value

__all__ = ["exp", "expm1", "log", "log1p", "logistic", "tanh"]


@dataclass(frozen=True, slots=True)
class _FloatFormat:
    """What the functions need to know about a floating-point type."""

    integer: str  # the integer type as wide
    fraction: int  # bits after the leading one
    bias: int  # of the exponent
    root_half: int  # bits of √½
    ln2_high: float  # ln 2 in so few bits that its product with any exponent is exact
    ln2_low: float  # ln 2 − ln2_high
    underflow: float  # e^x rounds to 0 here
    overflow: float  # e^x rounds to ∞ here
    saturation: float  # tanh x rounds to 1 here
    exponential: tuple[float, ...]  # (e^r − 1 − r) / r² for |r| ≤ ½·ln 2, ascending
    logarithm: tuple[float, ...]  # (2·artanh(s) / s − 2) / s² in s² for |s| ≤ (√2 − 1) / (√2 + 1), ascending


_SINGLE = _FloatFormat(
    integer="i32", fraction=23, bias=127, root_half=0x3F3504F3,
    ln2_high=float.fromhex("0x1.62e4p-1"), ln2_low=1.4286068e-06,
    underflow=-104.0, overflow=89.0, saturation=10.0,
    exponential=(0.49999997, 0.16666546, 0.041667435, 0.008366262, 0.0013870657),  # 2^-26.1
    logarithm=(0.66666776, 0.3997758, 0.2987096),  # 2^-30.2
)  # fmt: skip

_DOUBLE = _FloatFormat(
    integer="i64", fraction=52, bias=1023, root_half=0x3FE6A09E667F3BCD,
    ln2_high=float.fromhex("0x1.62e42fefa38p-1"), ln2_low=5.497923018708371e-14,
    underflow=-746.0, overflow=710.0, saturation=20.0,
    exponential=(  # 2^-55.6
        0.5000000000000006, 0.16666666666666646, 0.04166666666657608, 0.008333333333361866, 0.0013888888931476377,
        0.0001984126976687428, 2.480150549234242e-05, 2.7557372172478744e-06, 2.762593898227599e-07,
        2.5063281685610716e-08,
    ),
    logarithm=(  # 2^-59.5
        0.6666666666666734, 0.39999999999416475, 0.28571428742104676, 0.22222198593152215,
        0.18183563676154274, 0.1531405861248544, 0.14795945418890954,
    ),
)  # fmt: skip


def exp(f: NativeFunction, x: Value) -> Value:
    """The exponential function e^x.

    e^x = 2^i · (2^j + 2^j·(e^r − 1)), i + j = k. At most 2 ULP.
    Method: Cody & Waite, Software Manual for the Elementary Functions, 1980, chapter 6.
    """
    fraction, outer, inner = _exponential(f, x)
    return f.fmul(f.fma(fraction, inner, inner), outer)


def expm1(f: NativeFunction, x: Value) -> Value:
    """The exponential function less one, e^x − 1, without cancellation near 0.

    e^x − 1 = 2^i · ((2^j − 2^−i) + 2^j·(e^r − 1)), i + j = k. At most 3 ULP.
    Method: Tang, Table-Driven Implementation of the Expm1 NativeFunction, ACM TOMS 18, 1992, without the table.
    """
    fraction, outer, inner = _exponential(f, x)
    difference = f.fsub(inner, _reciprocal(f, outer))
    return _with_sign(f, f.fmul(f.fma(fraction, inner, difference), outer), x)


def logistic(f: NativeFunction, x: Value) -> Value:
    """The logistic function 1 / (1 + e^−x).

    y / (y + 2^−i) where e^x = 2^i·y: neither part overflows, and the one division rounds denormal results.
    At most 3 ULP, never above 1. Method: the exponential as in Cody & Waite, 1980.
    """
    fraction, outer, inner = _exponential(f, x)
    y = f.fma(fraction, inner, inner)
    return f.fdiv(y, f.fadd(y, _reciprocal(f, outer)))


def tanh(f: NativeFunction, x: Value) -> Value:
    """The hyperbolic tangent.

    y / (y + 1) where y = (e^2a − 1) / 2 = e^a·sinh a and a = |x| = k·½·ln 2 + r, so that
    y = 2^k·(e^2r − 1) / 2 + (2^k − 1) / 2. The sign of x comes back at the end. At most 3 ULP, odd, never above 1.
    Method: tanh from expm1 as in Sun's fdlibm, 1993; the reduction as in Cody & Waite, 1980.
    """
    form = _format(x)
    magnitude = _at_most(f, f.intrinsic("llvm.fabs", x.type, x), form.saturation)
    # (e^2r − 1) / 2 = r + r²·…, where the doubled argument goes into the coefficients without rounding
    doubled = [c * 2.0 ** (n + 1) for n, c in enumerate(form.exponential)]
    fraction, field = _reduced(f, magnitude, 0.5, doubled, form.bias)
    power = f.convert("bitcast", f.integer("shl", field, f.like(field, form.fraction)), x.type.kind)
    y = f.fma(fraction, power, f.fma(power, f.like(x, 0.5), f.like(x, -0.5)))
    return _with_sign(f, f.fdiv(y, f.fadd(y, f.like(x, 1.0))), x)


def log(f: NativeFunction, x: Value) -> Value:
    """The natural logarithm; −∞ at 0, nan below.

    log x = k·ln 2 + log(1 + g) where x = 2^k·(1 + g) and √½ ≤ 1 + g < √2. At most 1 ULP.
    Method: Sun's fdlibm, 1993, after Tang, Table-Driven Implementation of the Logarithm Function, ACM TOMS 16, 1990.
    """
    form = _format(x)
    denormal = f.fcmp("olt", x, f.like(x, 2.0 ** (1 - form.bias)))
    scaled = f.select(denormal, f.fmul(x, f.like(x, 2.0**form.fraction)), x)
    scale = f.select(denormal, f.like(x, form.fraction), f.like(x, 0.0))
    return _within_domain(f, _logarithm(f, scaled, scale, f.like(x, 0.0)), x, x)


def log1p(f: NativeFunction, x: Value) -> Value:
    """The natural logarithm of 1 + x, without cancellation near 0; −∞ at −1, nan below.

    log(1 + x) = log u + e / u, where u = 1 + x rounded and e the exact error of that rounding. At most 1 ULP.
    Method: Sun's fdlibm, 1993; the error by Knuth's two-sum, The Art of Computer Programming 2, 4.2.2.
    """
    one, zero = f.like(x, 1.0), f.like(x, 0.0)
    u = f.fadd(one, x)
    x_rounded = f.fsub(u, one)
    error = f.fadd(f.fsub(one, f.fsub(u, x_rounded)), f.fsub(x, x_rounded))
    result = _logarithm(f, u, zero, f.fdiv(error, u))
    return _within_domain(f, _with_sign(f, result, x), u, x)


def _format(x: Value) -> _FloatFormat:
    return _SINGLE if x.type.kind == "float" else _DOUBLE


def _bits(f: NativeFunction, x: Value) -> Value:
    return f.convert("bitcast", x, _format(x).integer)


# the exponentials


def _exponential(f: NativeFunction, x: Value) -> tuple[Value, Value, Value]:
    """The three factors of e^x: e^r − 1, 2^i and 2^j, where x = (i + j)·ln 2 + r.

    x beyond the range of e^x counts as its end.
    """
    form = _format(x)
    lowest = f.like(x, form.underflow)
    bounded = _at_most(f, x, form.overflow)
    bounded = f.select(f.fcmp("olt", bounded, lowest), lowest, bounded)
    fraction, field = _reduced(f, bounded, 1.0, form.exponential, 2 * form.bias)
    # field = (i + bias) + (j + bias): shifted so that its half is in place, the odd bit masked off, i is the half
    half = f.integer("shl", field, f.like(field, form.fraction - 1))
    outer = f.integer("and", half, f.like(field, -1 << form.fraction))
    inner = f.sub(f.integer("shl", field, f.like(field, form.fraction)), outer)
    return fraction, f.convert("bitcast", outer, x.type.kind), f.convert("bitcast", inner, x.type.kind)


def _at_most(f: NativeFunction, x: Value, limit: float) -> Value:
    """The smaller of the two, and nan for nan: compared in this order it is one instruction on x86."""
    top = f.like(x, limit)
    return f.select(f.fcmp("ogt", x, top), top, x)


def _reduced(
    f: NativeFunction, x: Value, step: float, coefficients: Sequence[float], excess: int
) -> tuple[Value, Value]:
    """The value r + r²·polynomial(r), and an integer with k + excess in its lowest bits.

    x = k·step·ln 2 + r and |r| ≤ ½·step·ln 2. Adding 1.5·2^fraction rounds to an integer and leaves it in the lowest
    bits. r takes two products, the first of which is exact (Cody & Waite).
    """
    form = _format(x)
    magic = f.like(x, 1.5 * 2.0**form.fraction + excess)
    shifted = f.fma(x, f.like(x, 1.0 / (step * math.log(2.0))), magic)
    k = f.fsub(shifted, magic)
    r = f.fma(k, f.like(x, -step * form.ln2_high), x)
    r = f.fma(k, f.like(x, -step * form.ln2_low), r)
    square = f.fmul(r, r)
    return f.fma(square, _polynomial(f, r, square, coefficients), r), _bits(f, shifted)


def _polynomial(f: NativeFunction, x: Value, square: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial with the given coefficients, ascending.

    Horner's rule in x² over the pairs a + b·x: as many operations as in x, half as many of them in a chain.
    """
    constants = [f.like(x, c) for c in coefficients]
    terms = [f.fma(b, x, a) for a, b in zip(constants[::2], constants[1::2], strict=False)]
    if len(constants) % 2:
        terms.append(constants[-1])
    result = terms.pop()
    for term in reversed(terms):
        result = f.fma(result, square, term)
    return result


def _reciprocal(f: NativeFunction, power: Value) -> Value:
    """2^−k from 2^k: the exponent fields of the two add up to twice the bias."""
    form = _format(power)
    bits = _bits(f, power)
    return f.convert("bitcast", f.sub(f.like(bits, 2 * form.bias << form.fraction), bits), power.type.kind)


def _with_sign(f: NativeFunction, y: Value, x: Value) -> Value:
    """Put the sign of x on y, whose own sign is plus or the same."""
    bits = _bits(f, x)
    sign = f.integer("and", bits, f.like(bits, 1 << bits.type.bits - 1))
    return f.convert("bitcast", f.integer("or", _bits(f, y), sign), x.type.kind)


# the logarithms


def _logarithm(f: NativeFunction, x: Value, scale: Value, correction: Value) -> Value:
    """The value log x − scale·ln 2 + correction, for normal x.

    With s = g / (2 + g): log(1 + g) = 2·artanh s = g − (g²/2 − s·(g²/2 + s²·polynomial(s²))).
    """
    form = _format(x)
    bits = _bits(f, x)
    # With √½ for the origin, the exponent field counts octaves from √½; one more bias keeps it positive.
    excess = form.bias + 1
    octaves = f.sub(bits, f.like(bits, form.root_half - (excess << form.fraction)))
    remainder = f.integer("and", octaves, f.like(bits, (1 << form.fraction) - 1))
    g = f.fsub(f.convert("bitcast", f.add(remainder, f.like(bits, form.root_half)), x.type.kind), f.like(x, 1.0))
    # An integer below 2^fraction, put below the bits of 2^fraction, is their sum.
    large = 2.0**form.fraction
    field = f.integer("lshr", octaves, f.like(bits, form.fraction))
    counted = f.integer("or", field, f.like(bits, form.bias + form.fraction << form.fraction))
    k = f.fsub(f.fsub(f.convert("bitcast", counted, x.type.kind), f.like(x, large + excess)), scale)

    s = f.fdiv(g, f.fadd(g, f.like(x, 2.0)))
    square = f.fmul(s, s)
    half_square = f.fmul(f.fmul(g, f.like(x, 0.5)), g)
    series = f.fma(square, _polynomial(f, square, f.fmul(square, square), form.logarithm), half_square)
    low = f.fma(s, series, f.fma(k, f.like(x, form.ln2_low), correction))
    return f.fma(k, f.like(x, form.ln2_high), f.fsub(g, f.fsub(half_square, low)))


def _within_domain(f: NativeFunction, y: Value, argument: Value, x: Value) -> Value:
    """Put y = log(argument) right where the argument is not positive and where x is ∞ or nan."""
    zero, infinity = f.like(x, 0.0), f.like(x, math.inf)
    outside = f.select(f.fcmp("oeq", argument, zero), f.like(x, -math.inf), f.like(x, math.nan))
    defined = f.select(f.fcmp("ogt", argument, zero), y, outside)
    return f.select(f.fcmp("olt", x, infinity), defined, x)
