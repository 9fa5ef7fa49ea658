"""NumPy's elementwise functions, for Arrays as for plain arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.choices import with_safe_branches
from chainrule.graph.node import full
from chainrule.graph.ops import Op
from chainrule.numpy.conditions import nonzero
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.arithmetic import binary
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import UniversalFunction, named, offered, recorded, through_arrays

OfOne: TypeAlias = UniversalFunction[[Any], Array]
OfTwo: TypeAlias = UniversalFunction[[Any, Any], Array]

_SEQUENCES = (list, tuple)
_BITS = {4: np.int32, 8: np.int64}  # the integers as wide as the floating-point numbers of so many bytes
_FORMAT = {4: (8, 23), 8: (11, 52)}  # how many of their bits are the exponent's and the fraction's


def _unary(op: Op, plain: np.ufunc, formula: str, *, on_floats: bool = True) -> OfOne:
    def record(x: Any, /) -> Array:
        operand = as_array(x)
        return apply(op, (promotion.as_float(operand, narrow=True) if on_floats else operand).node)

    return recorded(plain)(named(plain.__name__, record, f"`{formula}`, element by element."))


def _binary(op: Op, plain: np.ufunc, formula: str, combine: Callable[[Op, Any, Any], Any] = binary) -> OfTwo:
    def record(x1: Any, x2: Any, /) -> Array:
        return _known(op.name, combine(op, _plain(x1), _plain(x2)), x1, x2)

    doc = f"`{formula}`, element by element, after broadcasting and promotion."
    return recorded(plain)(named(plain.__name__, record, doc))


def _known(name: str, result: Array, *operands: Any) -> Array:
    """The result, unless an operand was something that only its own type might know how to combine."""
    if result is NotImplemented:
        kinds = " and ".join(type(x).__name__ for x in operands)
        raise DTypeError(f"{name} takes arrays and real numbers, not {kinds}.")
    return result


def _plain(x: Any) -> Any:
    return as_array(x) if isinstance(x, _SEQUENCES) else x


def _of_floats(op: Op, a: Any, b: Any) -> Array:
    """Integers and booleans among themselves are taken as float64."""
    return binary(op, *promotion.as_floats(a, b))


def _of_truth(op: Op, a: Any, b: Any) -> Array:
    """Numbers are true where they are not zero."""
    return binary(op, *(primitives.astype(as_array(x), bool) for x in (a, b)))


def _constant(x: Array, number: float) -> Array:
    return Array(full(number, x.node.type))


def _everywhere(x: Array, truth: bool) -> Array:
    return Array(full(truth, x.node.type.with_dtype(bool)))


def _is_float(x: Array) -> bool:
    return x.node.type.is_float


negative = _unary(ops.NEGATIVE, np.negative, "−x", on_floats=False)
absolute = abs = _unary(ops.ABSOLUTE, np.absolute, "|x|", on_floats=False)
fabs = _unary(ops.ABSOLUTE, np.fabs, "|x|, a floating-point number")
sign = _unary(ops.SIGN, np.sign, "−1, 0 or 1", on_floats=False)
exp = _unary(ops.EXP, np.exp, "eˣ")
expm1 = _unary(ops.EXPM1, np.expm1, "eˣ − 1")
exp2 = _unary(ops.EXP2, np.exp2, "2ˣ")
log = _unary(ops.LOG, np.log, "ln x")
log1p = _unary(ops.LOG1P, np.log1p, "ln(1 + x)")
log2 = _unary(ops.LOG2, np.log2, "log₂ x")
log10 = _unary(ops.LOG10, np.log10, "log₁₀ x")
sqrt = _unary(ops.SQRT, np.sqrt, "√x")
cbrt = _unary(ops.CBRT, np.cbrt, "∛x")
sin = _unary(ops.SIN, np.sin, "sin x")
cos = _unary(ops.COS, np.cos, "cos x")
tan = _unary(ops.TAN, np.tan, "tan x")
arcsin = asin = _unary(ops.ARCSIN, np.arcsin, "arcsin x")
arccos = acos = _unary(ops.ARCCOS, np.arccos, "arccos x")
arctan = atan = _unary(ops.ARCTAN, np.arctan, "arctan x")
sinh = _unary(ops.SINH, np.sinh, "sinh x")
cosh = _unary(ops.COSH, np.cosh, "cosh x")
tanh = _unary(ops.TANH, np.tanh, "tanh x")
arcsinh = asinh = _unary(ops.ARCSINH, np.arcsinh, "arsinh x")
arccosh = acosh = _unary(ops.ARCCOSH, np.arccosh, "arcosh x")
arctanh = atanh = _unary(ops.ARCTANH, np.arctanh, "artanh x")
rint = _unary(ops.ROUND, np.rint, "the nearest integer, even in a tie")

add = _binary(ops.ADD, np.add, "x + y")
subtract = _binary(ops.SUBTRACT, np.subtract, "x − y")
multiply = _binary(ops.MULTIPLY, np.multiply, "x · y")
maximum = _binary(ops.MAXIMUM, np.maximum, "the larger")
minimum = _binary(ops.MINIMUM, np.minimum, "the smaller")
floor_divide = _binary(ops.FLOOR_DIVIDE, np.floor_divide, "⌊x / y⌋")
remainder = mod = _binary(ops.REMAINDER, np.remainder, "x − y·⌊x / y⌋")
less = _binary(ops.LESS, np.less, "x < y")
less_equal = _binary(ops.LESS_EQUAL, np.less_equal, "x ≤ y")
equal = _binary(ops.EQUAL, np.equal, "x = y")
not_equal = _binary(ops.NOT_EQUAL, np.not_equal, "x ≠ y")
logical_and = _binary(ops.LOGICAL_AND, np.logical_and, "x and y", _of_truth)
logical_or = _binary(ops.LOGICAL_OR, np.logical_or, "x or y", _of_truth)
logical_xor = _binary(ops.NOT_EQUAL, np.logical_xor, "either x or y", _of_truth)
arctan2 = atan2 = _binary(ops.ARCTAN2, np.arctan2, "the angle of the point (y, x)", _of_floats)
hypot = _binary(ops.HYPOT, np.hypot, "√(x² + y²)", _of_floats)
logaddexp = _binary(ops.LOGADDEXP, np.logaddexp, "ln(eˣ + eʸ)", _of_floats)
copysign = _binary(ops.COPYSIGN, np.copysign, "|x| with the sign of y", _of_floats)
nextafter = _binary(ops.NEXTAFTER, np.nextafter, "the number next to x, toward y", _of_floats)
bitwise_and = _binary(ops.BITWISE_AND, np.bitwise_and, "the bits of x and y", arithmetic.bits)
bitwise_or = _binary(ops.BITWISE_OR, np.bitwise_or, "the bits of x or y", arithmetic.bits)
bitwise_xor = _binary(ops.BITWISE_XOR, np.bitwise_xor, "the bits of either x or y", arithmetic.bits)
left_shift = bitwise_left_shift = _binary(ops.LEFT_SHIFT, np.left_shift, "x · 2ʸ", arithmetic.bits)
right_shift = bitwise_right_shift = _binary(ops.RIGHT_SHIFT, np.right_shift, "⌊x / 2ʸ⌋", arithmetic.bits)


@through_arrays
def erf(x: Any, /) -> Array:
    """The error function `2/√π ∫₀ˣ e^−t² dt`, element by element. NumPy has none."""
    return apply(ops.ERF, promotion.as_float(as_array(x)).node)


@recorded(np.invert)
def invert(x: Any, /) -> Array:
    """Every bit turned over; of booleans, the opposite."""
    return primitives.inverted(as_array(x))


bitwise_not = bitwise_invert = invert


@recorded(np.logical_not)
def logical_not(x: Any, /) -> Array:
    """`not x`, element by element: whether a number is zero."""
    return apply(ops.LOGICAL_NOT, primitives.astype(as_array(x), bool).node)


@recorded(np.greater)
def greater(x1: Any, x2: Any, /) -> Array:
    """`x > y`, element by element."""
    return less(x2, x1)


@recorded(np.greater_equal)
def greater_equal(x1: Any, x2: Any, /) -> Array:
    """`x ≥ y`, element by element."""
    return less_equal(x2, x1)


@recorded(np.divide)
def divide(x1: Any, x2: Any, /) -> Array:
    """`x / y`, element by element; integers are divided as float64."""
    return _known("divide", arithmetic.divide(_plain(x1), _plain(x2)), x1, x2)


true_divide = divide


@recorded(np.power)
def power(x1: Any, x2: Any, /) -> Array:
    """`xʸ`, element by element."""
    return _known("power", arithmetic.power(_plain(x1), _plain(x2)), x1, x2)


pow = power


@recorded(np.float_power)
def float_power(x1: Any, x2: Any, /) -> Array:
    """`xʸ` in float64."""
    return power(*(primitives.astype(as_array(x), np.float64) for x in (x1, x2)))


@recorded(np.square)
def square(x: Any, /) -> Array:
    """`x²`, element by element."""
    base = as_array(x)
    return base * base


@recorded(np.reciprocal)
def reciprocal(x: Any, /) -> Array:
    """`1 / x`, element by element; of integers, without what follows the point."""
    x = as_array(x)
    return 1 / x if _is_float(x) else where(absolute(x) == 1, x, _constant(x, 0))


@recorded(np.positive)
def positive(x: Any, /) -> Array:
    """`x` itself."""
    return as_array(x)


@recorded(np.divmod)
def divmod(x1: Any, x2: Any, /) -> tuple[Array, Array]:
    """`⌊x / y⌋` and `x − y·⌊x / y⌋`."""
    return floor_divide(x1, x2), remainder(x1, x2)


@recorded(np.fmod)
def fmod(x1: Any, x2: Any, /) -> Array:
    """The remainder of a division toward zero: it has the sign of `x1`."""
    a, b = promotion.promoted(x1, x2)
    if _is_float(a):
        side = copysign(_constant(a, 1), a)  # not |a|, whose kink the remainder has not
        return remainder(a * side, absolute(b)) * side
    rest = remainder(a, b)
    return where((rest != 0) & ((a < 0) != (b < 0)), rest - b, rest)


# to the nearest integer


def _to_integer(op: Op, plain: np.ufunc, doc: str) -> OfOne:
    def record(x: Any, /) -> Array:
        x = as_array(x)
        return apply(op, x.node) if _is_float(x) else x

    return recorded(plain)(named(plain.__name__, record, doc))


floor = _to_integer(ops.FLOOR, np.floor, "`⌊x⌋`, element by element; of integers, themselves.")
ceil = _to_integer(ops.CEIL, np.ceil, "`⌈x⌉`, element by element; of integers, themselves.")


@recorded(np.trunc)
def trunc(x: Any, /) -> Array:
    """The nearest integer toward zero; of integers, themselves."""
    x = as_array(x)
    return where(x < 0, ceil(x), floor(x)) if _is_float(x) else x


@recorded(np.fix)
def fix(x: Any) -> Array:
    """The nearest integer toward zero; of integers, themselves."""
    return trunc(x)


@recorded(np.round)
def round(a: Any, decimals: int = 0) -> Array:
    """The nearest number of so many decimals, even in a tie."""
    x = as_array(a)
    if x.dtype.kind == "b":
        raise DTypeError(f"round needs numbers, not {x.node.type}.")
    if not _is_float(x):
        return x if decimals >= 0 else primitives.astype(round(promotion.as_float(x), decimals), x.dtype)
    scale = 10.0 ** math.fabs(decimals)
    if decimals >= 0:
        return arithmetic.divide(rint(x * scale), scale) if decimals else rint(x)
    return arithmetic.binary(ops.MULTIPLY, rint(x / scale), scale)


around = round


# the parts of a number


@recorded(np.modf)
def modf(x: Any, /) -> tuple[Array, Array]:
    """What follows the point, and what stands before it, both with the sign of `x`."""
    x = promotion.as_float(as_array(x), narrow=True)
    side = copysign(_constant(x, 1), x)  # not |x|, whose kink the parts have not
    size = x * side
    whole = floor(size)
    return where(isinf(size), _constant(x, 0), size - whole) * side, whole * side


@recorded(np.ldexp)
def ldexp(x1: Any, x2: Any, /) -> Array:
    """`x · 2ⁿ` for integers `n`."""
    x, n = promotion.as_float(as_array(x1), narrow=True), as_array(x2)
    if _is_float(n):
        raise DTypeError(f"ldexp needs integers as exponents, not {n.node.type}.")
    bits, _ = _FORMAT[x.dtype.itemsize]
    limit = 3 * (1 << bits - 1)  # beyond, whatever is multiplied is 0 or ∞
    left = clip(primitives.astype(n, np.int64), -limit, limit)
    for parts in (3, 2, 1):  # as not every power is a number of this type
        part = floor_divide(left, parts)
        x, left = x * _power_of_two(part, x.dtype), left - part
    return x


def _power_of_two(n: Array, dtype: np.dtype[Any]) -> Array:
    bits, fraction = _FORMAT[dtype.itemsize]
    biased = primitives.astype(n + ((1 << bits - 1) - 1), _BITS[dtype.itemsize])
    return primitives.viewed(left_shift(biased, fraction), dtype)


@recorded(np.frexp)
def frexp(x: Any, /) -> tuple[Array, Array]:
    """The mantissa `m` and the exponent `n` of `x = m · 2ⁿ`, `½ ≤ |m| < 1`; the derivative of `m` is `2⁻ⁿ`."""
    x = promotion.as_float(as_array(x), narrow=True)
    bits, fraction = _FORMAT[x.dtype.itemsize]
    tiny = absolute(x) < float(np.finfo(x.dtype).tiny)
    digits = primitives.viewed(ldexp(x, where(tiny, fraction + 1, 0)), _BITS[x.dtype.itemsize])
    biased = right_shift(digits, fraction) & ((1 << bits) - 1)
    exponent = biased - ((1 << bits - 1) - 2) - where(tiny, fraction + 1, 0)
    exponent = where((x == 0) | ~isfinite(x), 0, primitives.astype(exponent, np.int32))
    exponent = primitives.astype(exponent, np.int32)
    return ldexp(x, -exponent), exponent


# what numbers are


@recorded(np.isnan)
def isnan(x: Any, /) -> Array:
    """Whether an element is not a number."""
    x = as_array(x)
    return x != x if _is_float(x) else _everywhere(x, False)


@recorded(np.isinf)
def isinf(x: Any, /) -> Array:
    """Whether an element is ∞ or −∞."""
    x = as_array(x)
    return absolute(x) == math.inf if _is_float(x) else _everywhere(x, False)


@recorded(np.isfinite)
def isfinite(x: Any, /) -> Array:
    """Whether an element is a number, and not ∞ or −∞."""
    x = as_array(x)
    return absolute(x) < math.inf if _is_float(x) else _everywhere(x, True)


@recorded(np.isposinf)
def isposinf(x: Any) -> Array:
    """Whether an element is ∞."""
    return promotion.as_float(as_array(x)) == math.inf


@recorded(np.isneginf)
def isneginf(x: Any) -> Array:
    """Whether an element is −∞."""
    return promotion.as_float(as_array(x)) == -math.inf


@recorded(np.signbit)
def signbit(x: Any, /) -> Array:
    """Whether an element has a minus: −0 has."""
    x = promotion.as_float(as_array(x))
    return primitives.viewed(x, _BITS[x.dtype.itemsize]) < 0


@recorded(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Array:
    """Whether `|a − b| ≤ atol + rtol·|b|`; infinities are close to themselves alone."""
    x, y = promotion.promoted(a, b)
    x, y = promotion.as_float(x), promotion.as_float(y)
    close: Array = (x == y) | ((absolute(x - y) <= atol + rtol * absolute(y)) & isfinite(y))
    return close | (isnan(x) & isnan(y)) if equal_nan else close


@recorded(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Array:
    """Whether all elements are close."""
    return arithmetic.every(isclose(a, b, rtol, atol, equal_nan))


@recorded(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array | bool:
    """Whether the shapes and all elements are equal."""
    a, b = as_array(a1), as_array(a2)
    if a.shape != b.shape:
        return False
    same = a == b
    return arithmetic.every(same | (isnan(a) & isnan(b)) if equal_nan else same)


@recorded(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Array | bool:
    """Whether all elements are equal, after broadcasting."""
    a, b = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return arithmetic.every(a == b)


@recorded(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """Numbers in place of nan, ∞ and −∞: 0 and the largest of the type, unless told."""
    x = as_array(x)
    if not x.node.type.is_float:
        return as_array(x)
    largest = float(np.finfo(x.dtype).max)
    finite = where(isnan(x), nan, x)
    finite = where(x == math.inf, largest if posinf is None else posinf, finite)
    return where(x == -math.inf, -largest if neginf is None else neginf, finite)


# choice


@recorded(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Array:
    """`x` where the condition holds, else `y`, after broadcasting and promotion; without these, where it holds."""
    if x is None and y is None:
        return cast(Array, nonzero(condition))  # the types are those of the other way to call it
    if x is None or y is None:
        raise OptionError("where takes both values or none.", cure="np.where(condition, a, b)")
    shape = promotion.broadcast_shape("where", condition, x, y)
    left, right = promotion.promoted(x, y)
    test = primitives.astype(as_array(condition), bool)
    test, left, right = (primitives.broadcast(a, shape) for a in (test, left, right))
    return apply(ops.SELECT, test.node, *with_safe_branches(test.node, left.node, right.node))


@recorded(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Array:
    """`a` where it lies between the bounds, else the nearer bound."""
    low, high = a_min if min is None else min, a_max if max is None else max
    above = a if low is None else maximum(a, low)
    return as_array(above if high is None else minimum(above, high))


@recorded(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """The choice of the first condition that holds; the default where none does."""
    if len(condlist) != len(choicelist):
        raise ShapeError(f"select: {len(condlist)} conditions for {len(choicelist)} choices.")
    dtype = promotion.common_dtype([*choicelist, default])
    chosen: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        chosen = where(condition, choice, chosen)
    return primitives.astype(as_array(chosen), dtype)


@recorded(np.piecewise)
def piecewise(x: Any, condlist: Sequence[Any], funclist: Sequence[Any], *args: Any) -> Array:
    """Of each element the function, or the number, of the last condition that holds; otherwise one more, or 0.

    Each function is called with all of `x`, so it must be elementwise.
    """
    x = as_array(x)
    conditions = list(condlist) if isinstance(condlist, _SEQUENCES) else [condlist]
    pieces = [f(x, *args) if callable(f) else f for f in funclist]
    result: Any = pieces.pop() if len(pieces) == len(conditions) + 1 else 0
    for condition, piece in zip(conditions, pieces, strict=True):
        result = where(condition, piece, result)
    return primitives.broadcast(primitives.astype(as_array(result), x.dtype), x.shape)


@recorded(np.fmax)
def fmax(x1: Any, x2: Any, /) -> Array:
    """The larger; the other where one is nan."""
    return _ignoring_nan(maximum, x1, x2)


@recorded(np.fmin)
def fmin(x1: Any, x2: Any, /) -> Array:
    """The smaller; the other where one is nan."""
    return _ignoring_nan(minimum, x1, x2)


def _ignoring_nan(function: OfTwo, x1: Any, x2: Any) -> Array:
    a, b = promotion.promoted(x1, x2)
    if not _is_float(a):
        return function(a, b)
    return function(where(isnan(a), b, a), where(isnan(b), a, b))


@recorded(np.heaviside)
def heaviside(x1: Any, x2: Any, /) -> Array:
    """0 below zero, 1 above, `x2` at zero."""
    a, b = promotion.promoted(*promotion.as_floats(x1, x2))
    step = where(a < 0, _constant(a, 0), where(a == 0, b, _constant(a, 1)))
    return where(isnan(a), a, step)


# formulas

_SERIES = [(-1) ** n / math.factorial(2 * n + 1) for n in range(6)]  # of sin(t)/t in t²


@recorded(np.sinc)
def sinc(x: Any) -> Array:
    """`sin(πx) / πx`, and 1 at 0; every derivative of it is right there too."""
    t = promotion.as_float(as_array(x)) * math.pi
    near = absolute(t) < 0.1
    far = where(near, _constant(t, 1), t)
    small = where(near, t, _constant(t, 0))
    series = _constant(t, _SERIES[-1])
    for coefficient in reversed(_SERIES[:-1]):
        series = series * (small * small) + coefficient
    return where(near, series, sin(far) / far)


def _scaled(plain: np.ufunc, factor: float, doc: str) -> OfOne:
    def record(x: Any, /) -> Array:
        return promotion.as_float(as_array(x)) * factor

    return recorded(plain)(named(plain.__name__, record, doc))


deg2rad = _scaled(np.deg2rad, math.pi / 180, "Degrees as radians.")
rad2deg = _scaled(np.rad2deg, 180 / math.pi, "Radians as degrees.")
radians = _scaled(np.radians, math.pi / 180, "Degrees as radians.")
degrees = _scaled(np.degrees, 180 / math.pi, "Radians as degrees.")


@recorded(np.logaddexp2)
def logaddexp2(x1: Any, x2: Any, /) -> Array:
    """`log₂(2ˣ + 2ʸ)`, element by element."""
    a, b = promotion.promoted(*promotion.as_floats(x1, x2))
    larger = apply(ops.STOP_GRADIENT, maximum(a, b).node)
    centre = where(isfinite(larger), larger, _constant(larger, 0))  # as their distance says more than their sizes
    return centre + logaddexp((a - centre) * math.log(2), (b - centre) * math.log(2)) / math.log(2)


@recorded(np.spacing)
def spacing(x: Any, /) -> Array:
    """The distance to the next number away from 0, with the sign of `x`."""
    a = promotion.as_float(as_array(x), narrow=True)
    size = absolute(a)
    distance = nextafter(size, math.inf) - size
    return where(isinf(a), math.nan, where(a < 0, -distance, distance))


# complex numbers, as far as real ones are some


@recorded(np.iscomplex)
def iscomplex(x: Any) -> Array:
    """Whether an element has an imaginary part: none has."""
    return _everywhere(as_array(x), False)


@recorded(np.isreal)
def isreal(x: Any) -> Array:
    """Whether an element has no imaginary part: all have none."""
    return _everywhere(as_array(x), True)


@recorded(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Array:
    """Real numbers themselves."""
    return as_array(a)


@recorded(np.angle)
def angle(z: Any, deg: bool = False) -> Array:
    """The angle of a number in the complex plane: 0, and π below zero."""
    x = promotion.as_float(as_array(z))
    return arctan2(_constant(x, 0), x) * (180 / math.pi if deg else 1.0)


@recorded(np.real)
def real(val: Any) -> Array:
    """The real part: a real number itself."""
    return as_array(val)


@recorded(np.imag)
def imag(val: Any) -> Array:
    """The imaginary part: of a real number, 0."""
    return _constant(as_array(val), 0)


@recorded(np.conjugate)
def conj(x: Any, /) -> Array:
    """The conjugate: a real number itself."""
    return as_array(x)


conjugate = conj

if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
