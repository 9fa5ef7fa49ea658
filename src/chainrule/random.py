"""Random numbers as functions of a key: what a key gives does not depend on what was drawn before, or on what runs it.

Nothing is remembered between calls. Use each key for one draw; `split` and `fold_in` make further keys of it, whose
numbers are independent of those that the key itself gives.

    first, second = cr.random.split(cr.random.key(0))
    weights = cr.random.normal(first, (30, 784), np.float32)
    kept = cr.random.bernoulli(second, 0.9, (30,))

Everything works on plain arrays, giving NumPy's, and on traced keys: inside `grad` and `compile`, where shapes are
known and keys need not be. All three give the same bits: Threefry is integer arithmetic, and what follows it are
additions, products, quotients and square roots alone, which every processor rounds in the same way.

Source: Salmon, Moraes, Dror & Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import whole_number
from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.types import Type, checked_dtype
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply, normalized_axis

__all__ = [
    "bernoulli", "bits", "categorical", "fold_in", "integers", "key", "normal", "permutation", "split", "uniform",
]  # fmt: skip

Shape = int | Sequence[int]
Formula = Callable[[Any, Any], Any]  # of the high and the low word of 64 random bits

_WORD = 2**32
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_DRAW, _SPLIT, _FOLD = 0, 1, 2  # the counter's first word, so that what is drawn, split and folded never meets
_PIECE = 2**15  # numbers that a plain draw makes at once: their words stay in the cache


# keys


def key(seed: int) -> np.ndarray[Any, Any]:
    """The key of a seed: its high and its low 32 bits.

    Raises OptionError unless the seed is a whole number from 0 to 2⁶⁴ − 1.

    >>> key(2**32 + 5)
    array([1, 5], dtype=uint32)
    """
    number = whole_number("a seed", seed, 0, 2**64 - 1)
    return np.array([number // _WORD, number % _WORD], np.uint32)


def split(key: Any, n: int = 2) -> Any:
    """`n` keys made of one, as rows of an array (n, 2); the first ones are the same for every n.

    Row i is Threefry's answer to the counter (1, i); draws use (0, i), so the key itself may be used beside them.

    Raises ShapeError or DTypeError if `key` is no key, OptionError if n is not a whole number from 1 to 2³².

    >>> first, second = split(key(0))
    >>> first, second
    (array([1351547692, 3235790642], dtype=uint32), array([2473972575,  935721516], dtype=uint32))
    """
    count = whole_number("the number of keys", n, 1, _WORD)
    words = _checked_key(key)
    return cnp.stack(_threefry(words, _SPLIT, _counted(key, (count,))), axis=-1)


def fold_in(key: Any, number: Any) -> Any:
    """The key that belongs to a key and a number: of a step, a layer, an example.

    It is Threefry's answer to the counter (2, number). A traced number, such as the count of a loop, may be of any
    integer type and counts modulo 2³².

    Raises ShapeError or DTypeError if `key` is no key or `number` not a single whole number, OptionError if it is known
    and not from 0 to 2³² − 1.

    >>> fold_in(key(0), 7)
    array([1836460763, 1191019179], dtype=uint32)
    """
    words = _threefry(_checked_key(key), _FOLD, _folded(number))
    return cnp.stack(words, axis=-1).reshape(2)


def _folded(number: Any) -> Any:
    """The number as the counter's second word, an array of one element."""
    if not isinstance(number, Array):
        return np.array([whole_number("a number folded into a key", number, 0, _WORD - 1)], np.uint32)
    if number.dtype.kind not in "iu":
        raise DTypeError(f"a number folded into a key must be whole, not {number.node.type}.")
    if number.size != 1:
        raise ShapeError(f"one number can be folded into a key, not {number.node.type}.")
    return number.reshape(1).astype(np.uint32)


def _checked_key(key: Any) -> tuple[Any, Any]:
    """The two words of a key, each an array of one element."""
    if getattr(key, "dtype", None) != np.uint32:
        kind = getattr(key, "dtype", type(key).__name__)
        raise DTypeError(f"a key is an array of two uint32, not {kind}.", cure="Make one with cr.random.key(seed).")
    if key.shape != (2,):
        cure = "Take one of its rows, or map over them." if key.shape[-1:] == (2,) else ""
        raise ShapeError(f"a key has the shape (2,), not {key.shape}.", cure=cure)
    return key[:1], key[1:]


# words


def _threefry(key: tuple[Any, Any], first: Any, second: Any) -> tuple[Any, Any]:
    """Threefry-2x32 with 20 rounds: the counter (first, second) enciphered.

    After every four rounds the next two words of the key are added, the third of which is the parity of the others.
    """
    words = (*key, key[0] ^ key[1] ^ _PARITY)
    x, y = words[0] + first, words[1] + second
    for group in range(5):
        for distance in _ROTATIONS[group % 2]:
            x = x + y
            y = (y << distance | y >> 32 - distance) ^ x
        x = x + words[(group + 1) % 3]
        y = y + (words[(group + 2) % 3] + (group + 1))
    return x, y


def _counted(key: Any, shape: tuple[int, ...]) -> Any:
    """The numbers 0, 1, 2, … of the elements of a shape, traced where the key is."""
    if not isinstance(key, Array):
        return np.arange(math.prod(shape), dtype=np.uint32).reshape(shape)
    return apply(ops.IOTA, attributes=(0, Type((math.prod(shape),), np.dtype(np.uint32)))).reshape(shape)


def _drawn(formula: Formula, key: Any, shape: Shape) -> Any:
    """The formula of the 64 random bits of each element: of number i, Threefry's answer to the counter (0, i)."""
    words, extents = _checked_key(key), _extents(shape)
    if isinstance(key, Array):
        return formula(*_threefry(words, _DRAW, _counted(key, extents or (1,)))).reshape(extents)
    numbers = _counted(key, (math.prod(extents),))
    pieces = (numbers[start : start + _PIECE] for start in range(0, max(numbers.size, 1), _PIECE))
    return np.concatenate([formula(*_threefry(words, _DRAW, piece)) for piece in pieces]).reshape(extents)[()]


def _extents(shape: Shape) -> tuple[int, ...]:
    extents = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    checked = tuple(whole_number("an extent of a shape", n, 0, _WORD) for n in extents)
    if math.prod(checked) > _WORD:
        raise OptionError(f"one key gives at most 2**32 numbers, not the shape {checked}.", cure="Split the key.")
    return checked


def _of_shape(name: str, x: Any, shape: tuple[int, ...]) -> Any:
    if np.shape(x) != shape:
        raise ShapeError(f"{name}: what it was given has the shape {np.shape(x)}, which does not broadcast to {shape}.")
    return x[()]


def bits(key: Any, shape: Shape = (), dtype: Any = np.uint32) -> Any:
    """Random bits: unsigned integers, each as likely as any other.

    Every element has 64 bits of its own, of which a narrower dtype gets the first: the `bits` of uint32 are those of
    uint64 shifted right by 32. A shape has at most 2³² elements.

    Raises ShapeError or DTypeError if `key` is no key, DTypeError for a dtype that is not unsigned, OptionError for a
    shape that is none.

    >>> bits(key(0), 2)
    array([1797259609,  928981903], dtype=uint32)
    >>> bits(key(0), 2, np.uint8)
    array([107,  55], dtype=uint8)

    Source: Salmon, Moraes, Dror & Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011: Threefry-2x32-20.
    """
    wanted = checked_dtype(dtype)
    if wanted.kind != "u":
        raise DTypeError(f"random bits are unsigned integers, not {wanted}.", cure="Use x.view(dtype) on them.")
    return _drawn(_joined if wanted == np.uint64 else _first_bits(wanted), key, shape)


def _joined(high: Any, low: Any) -> Any:
    return high.astype(np.uint64) << 32 | low.astype(np.uint64)


def _first_bits(dtype: np.dtype[Any]) -> Formula:
    left_out = 32 - 8 * dtype.itemsize
    return lambda high, low: (high >> left_out).astype(dtype) if left_out else high


# uniform numbers


def uniform(key: Any, shape: Shape = (), dtype: Any = np.float32, low: Any = 0.0, high: Any = 1.0) -> Any:
    """Numbers in low ≤ x < high, equally likely everywhere: `x = low + (high − low) · u`.

    u is a multiple of 2⁻²⁴ (float32) or 2⁻⁵³ (float64); of one key, the float32 are the float64 rounded down. An x that
    rounding takes to `high` is `low` instead. The bounds may be numbers, arrays that broadcast to the shape, and
    traced: their derivatives are 1 − u and u. high − low must be finite.

    Raises ShapeError or DTypeError if `key` is no key, DTypeError for a dtype that is not float32 or float64,
    OptionError for a shape that is none or known bounds that are not in order, ShapeError if they do not broadcast to
    the shape.

    >>> uniform(key(0), 3)
    array([0.4184571 , 0.21629542, 0.9653214 ], dtype=float32)
    """
    u = _drawn(_UNIT[_float_dtype(dtype)], key, shape)
    if _is_number(low) and _is_number(high) and (low, high) == (0, 1):
        return u
    if not (isinstance(low, Array) or isinstance(high, Array)) and not np.all(np.less(low, high)):
        raise OptionError(f"uniform needs bounds low < high, not {low} and {high}.")
    below, above = (float(bound) if _is_number(bound) else _as_dtype(bound, u.dtype) for bound in (low, high))
    x = below + (above - below) * u
    return _of_shape("uniform", cnp.where(x < above, x, below), u.shape)


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float)


def _as_dtype(x: Any, dtype: np.dtype[Any]) -> Any:
    return x.astype(dtype) if isinstance(x, Array) else np.asarray(x, dtype)


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    wanted = checked_dtype(dtype)
    if wanted.kind != "f":
        raise DTypeError(f"random real numbers are float32 or float64, not {wanted}.")
    return wanted


def _as_float(word: Any, dtype: Any) -> Any:
    """A word below 2³¹ as a floating-point number: taken as a signed integer, for which there is an instruction."""
    return word.view(np.int32).astype(dtype)


def _unit_single(high: Any, low: Any) -> Any:
    return _as_float(high >> 8, np.float32) * 2.0**-24


def _unit_double(high: Any, low: Any) -> Any:
    return _as_float(high >> 5, np.float64) * 2.0**-27 + _as_float(low >> 6, np.float64) * 2.0**-53


_UNIT: Mapping[np.dtype[Any], Formula] = MappingProxyType(
    {np.dtype(np.float32): _unit_single, np.dtype(np.float64): _unit_double}
)


def bernoulli(key: Any, p: Any = 0.5, shape: Shape | None = None) -> Any:
    """True with probability p: `u < p` for a uniform u, in the shape of `p` unless told.

    u is float64 if p is an array of float64, otherwise float32: p counts as the next multiple of 2⁻⁵³ or 2⁻²⁴.

    Raises ShapeError or DTypeError if `key` is no key, OptionError for a shape that is none or a known p outside 0 … 1,
    ShapeError if p does not broadcast to the shape.

    >>> bernoulli(key(0), 0.5, 5)
    array([ True,  True, False, False, False])
    """
    if not isinstance(p, Array) and not np.all(np.less_equal(0, p) & np.less_equal(p, 1)):
        raise OptionError(f"a probability lies between 0 and 1, not {p}.")
    double = not _is_number(p) and getattr(p, "dtype", None) == np.float64
    u = uniform(key, np.shape(p) if shape is None else shape, np.float64 if double else np.float32)
    return _of_shape("bernoulli", u < p, u.shape)


# normal numbers


def normal(key: Any, shape: Shape = (), dtype: Any = np.float32) -> Any:
    """Numbers of the standard normal distribution: mean 0, variance 1. For others, `mean + deviation * normal(…)`.

    `x = √2 · erf⁻¹(v)` for v equally likely among the odd multiples of 2⁻²⁴ (float32) or 2⁻⁵³ (float64) between −1 and
    1; x and −x are equally likely, and |x| < 5.43 or 8.30. The relative error of x is at most 2.6·10⁻⁷ (3·10⁻⁸ on
    average) or 6·10⁻¹⁶.

    Below an edge, x = v + v·R(edge² − v²); in the tails, x = ±(t − S(t)) for t = √(−2 ln ½(1 − |v|)). R and S are
    quotients of polynomials, fitted in 40 digits by Remez's exchange algorithm, so that the largest relative error of
    x is as small as it can be, to the inverse of mpmath's erfc (by Halley's method): 4·10⁻⁹ for float32 and 2·10⁻¹⁶ for
    float64, before rounding.

    Raises ShapeError or DTypeError if `key` is no key, DTypeError for a dtype that is not float32 or float64,
    OptionError for a shape that is none.

    >>> normal(key(0), 3)
    array([-0.20584211, -0.78476584,  1.8160865 ], dtype=float32)

    Source: the forms are those of Wichura, Algorithm AS 241, Applied Statistics 37, 1988; the coefficients are not.
    """
    return _drawn(_NORMAL[_float_dtype(dtype)], key, shape)


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A quotient of two polynomials, coefficients ascending."""

    above: tuple[float, ...]
    below: tuple[float, ...]

    def __call__(self, x: Any) -> Any:
        return _polynomial(self.above, x) / _polynomial(self.below, x)


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Horner's rule."""
    total = coefficients[-1] * x + coefficients[-2]
    for coefficient in reversed(coefficients[:-2]):
        total = total * x + coefficient
    return total


@dataclass(frozen=True, slots=True)
class _Quantile:
    """The x with erf(x / √2) = v."""

    edge: float
    centre: _Ratio
    tail: _Ratio

    def __call__(self, v: Any) -> Any:
        size = cnp.absolute(v)
        t = cnp.sqrt(-2.0 * _logarithm(0.5 - 0.5 * size))
        tail = t - self.tail(t)
        signed = cnp.where(v < 0, -tail, tail)
        return cnp.where(size < self.edge, v + v * self.centre(self.edge * self.edge - v * v), signed)


_SINGLE = _Quantile(
    29 / 32,
    _Ratio(
        (0.84931279053794714, 5.3317340296964071, 6.9068084051456472, -1.3454768405919043, -1.6099519699003073),
        (1.0, 8.6112666602290822, 21.722542614562272, 16.74151250140124, 2.6321110153068582),
    ),
    _Ratio(
        (2.8923836872705341, 4.3111714854689305, 0.60337576857528213, 0.0025073319346894971),
        (1.0, 3.2930220465749623, 1.7287288397438039, 0.1279207448476997),
    ),
)
_DOUBLE = _Quantile(
    13 / 16,
    _Ratio(
        (
            0.62216725821973747, 4.516657701562024, 11.477549744225386, 11.303260425600885,
            1.6355759809505533, -3.1986823764103049, -1.2837461244175396, -0.092624132811027179,
        ),
        (
            1.0, 8.9213940789497528, 30.755990688711829, 51.692740873910674,
            44.005816153150959, 17.891381353071135, 2.9162314619168588, 0.12054687478791573,
        ),
    ),
    _Ratio(
        (
            3.46586742705444, 21.744979173600029, 29.928520854125431, 17.074841715251984,
            3.9715107300965317, 0.29550309427580314, 0.0051157314055417115, 3.5249524313685761e-6,
        ),
        (
            1.0, 10.151400314339826, 21.813879623463139, 18.517661463550424,
            7.4412901846550587, 1.2209074795029371, 0.06587650623389068, 0.0008061733196608225,
        ),
    ),
)  # fmt: skip


def _signed_single(high: Any) -> Any:
    """An odd multiple of 2⁻²⁴ between −1 and 1."""
    return ((high >> 7 | 1).view(np.int32) - 2**24).astype(np.float32) * 2.0**-24


def _signed_double(high: Any, low: Any) -> Any:
    """An odd multiple of 2⁻⁵³ between −1 and 1."""
    upper = ((high >> 5).view(np.int32) - 2**26).astype(np.float64) * 2.0**-26
    return upper + _as_float(low >> 5 | 1, np.float64) * 2.0**-53


_NORMAL: Mapping[np.dtype[Any], Formula] = MappingProxyType(
    {
        np.dtype(np.float32): lambda high, low: _SINGLE(_signed_single(high)),
        np.dtype(np.float64): lambda high, low: _DOUBLE(_signed_double(high, low)),
    }
)


@dataclass(frozen=True, slots=True)
class _FloatBits:
    """What a floating-point number keeps where, and the logarithm's coefficients for its precision."""

    unsigned: type
    fraction: int
    bias: int
    root_half: int  # the bits of √½
    series: tuple[float, ...]  # (2 artanh s − 2 s) / s³ as a polynomial in s²


_FLOAT_BITS: Mapping[np.dtype[Any], _FloatBits] = MappingProxyType(
    {
        np.dtype(np.float32): _FloatBits(
            np.uint32, 23, 127, 0x3F3504F3, (0.66666776300008166, 0.39977548129957503, 0.29871610069083739)
        ),
        np.dtype(np.float64): _FloatBits(
            np.uint64, 52, 1023, 0x3FE6A09E667F3BCD,
            (
                0.6666666666666734, 0.39999999999416715, 0.28571428742017303, 0.22222198605203644,
                0.18183562900575351, 0.1531408209484048, 0.14795675319629132,
            ),
        ),
    }
)  # fmt: skip


def _logarithm(x: Any) -> Any:
    """ln x of positive normal numbers, in operations that are rounded alike everywhere.

    ln x = k·ln 2 + 2 artanh s where x = 2ᵏ·m, √½ ≤ m < √2 and s = (m − 1) / (m + 1). Fitted as `normal` is, to 10⁻⁹
    and 10⁻¹⁸.
    """
    form = _FLOAT_BITS[x.dtype]
    octaves = x.view(form.unsigned) + ((form.bias << form.fraction) - form.root_half)
    mantissa = ((octaves & ((1 << form.fraction) - 1)) + form.root_half).view(x.dtype)
    # An integer put into the lowest bits of 2^fraction is added to it.
    field = octaves >> form.fraction | (form.bias + form.fraction << form.fraction)
    k = field.view(x.dtype) - (2.0**form.fraction + form.bias)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    return k * math.log(2.0) + (s + s + s * square * _polynomial(form.series, square))


# whole numbers


def integers(key: Any, shape: Shape, low: int, high: int, dtype: Any = np.int64) -> Any:
    """Whole numbers in low ≤ x < high: `x = low + ⌊(high − low) · w / 2⁶⁴⌋` for 64 random bits w.

    No probability is further than 2⁻⁶⁴ from 1 / (high − low).

    Raises ShapeError or DTypeError if `key` is no key, DTypeError for a dtype that is not an integer type, OptionError
    for a shape that is none, for bounds that are not in order, further apart than 2³², or that the dtype cannot hold.

    >>> integers(key(0), 8, 1, 7)
    array([3, 2, 6, 4, 4, 3, 6, 4])

    Source: Lemire, Fast random integer generation in an interval, ACM TOMACS 29, 2019, without its rejection.
    """
    first, end = _bounds(low, high, checked_dtype(dtype))
    span = end - first

    def formula(upper: Any, lower: Any) -> Any:
        carried = lower.astype(np.uint64) * span >> 32
        return (upper.astype(np.uint64) * span + carried >> 32).astype(dtype) + first

    return _drawn(formula, key, shape)


def _bounds(low: Any, high: Any, dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind not in "iu":
        raise DTypeError(f"random whole numbers need an integer type, not {dtype}.")
    limits = np.iinfo(dtype)
    first = whole_number("the lowest of random integers", low, int(limits.min), int(limits.max))
    last = min(int(limits.max), first + _WORD - 1)
    return first, whole_number("the end of random integers", high, first + 1, last + 1)


def permutation(key: Any, x: Any, axis: int = 0) -> Any:
    """The numbers 0 … n − 1 in random order (int64), or an array with its slices along an axis in random order.

    The order is that of 64 random bits for each position; two share theirs with a probability below n² / 2⁶⁵, and
    then keep their order. The first k of the permutation of n are k numbers drawn without replacement.

    Raises ShapeError or DTypeError if `key` is no key, OptionError for a number that is not from 0 to 2³², ShapeError
    for an axis that the array does not have.

    >>> permutation(key(0), 5)
    array([1, 0, 4, 3, 2])
    >>> permutation(key(0), np.array([[1, 2, 3], [4, 5, 6]]), axis=1)
    array([[2, 1, 3],
           [5, 4, 6]])
    """
    if np.ndim(x) == 0:
        return _order(key, whole_number("the number to permute", x, 0, _WORD))
    along = normalized_axis(axis, np.ndim(x))
    return cnp.take(x, _order(key, np.shape(x)[along]), along)


def _order(key: Any, n: int) -> Any:
    return cnp.argsort(bits(key, n, np.uint64), stable=True)


def categorical(key: Any, logits: Any, axis: int = -1) -> Any:
    """The number of a category along an axis, drawn with `P(i) = e^logits[i] / Σⱼ e^logits[j]` (int64).

    It is the position of the largest logits[i] − ln(−ln u[i]), in float64, with u of 52 bits. There is one draw for
    each position along the other axes: for more, broadcast the logits. A category whose logit is −∞ is not drawn.

    Raises ShapeError or DTypeError if `key` is no key, ShapeError for an axis that the logits do not have.

    >>> categorical(key(0), np.log([[0.1, 0.9], [0.5, 0.5], [1.0, 1e-9]]))
    array([1, 0, 0])

    Source: Gumbel, Statistical theory of extreme values and some practical applications, 1954.
    """
    scores = _as_dtype(logits, np.dtype(np.float64))
    along = normalized_axis(axis, scores.ndim)
    return cnp.argmax(scores + _drawn(_gumbel, key, scores.shape), axis=along)


def _gumbel(high: Any, low: Any) -> Any:
    u = _as_float(high >> 6, np.float64) * 2.0**-26 + _as_float(low >> 5 | 1, np.float64) * 2.0**-53
    return -_logarithm(-_logarithm(u))
