"""Fourier transforms of real numbers, `chainrule.numpy.fft`, for Arrays as for plain arrays.

There are no complex numbers among Arrays: a spectrum is a pair of real arrays, the real and the imaginary part.
`rfft_parts` and `irfft_parts` are NumPy's `rfft` and `irfft` of such pairs, `convolve` is written with them. What is
not here is NumPy's own, for plain arrays.

A transform of n = p·q numbers is q transforms of p numbers, a turn of each result, and p transforms of q, by matrices
of up to 64 rows; where a prime is larger, it is a convolution (Bluestein). That is O(n log n), and as every step is
linear, so are its derivatives, and as fast.

Source: Cooley and Tukey, Mathematics of Computation 19, 1965; Bluestein, IEEE Transactions on Audio 18, 1970.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from chainrule.checks import one_of, whole_number
from chainrule.errors import ShapeError, TracingError
from chainrule.numpy import shaping
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction, named, offered, recorded, through_arrays

Parts = tuple[Array, Array]
Plain = np.ndarray[Any, Any]

_LARGEST = 64  # rows of a matrix of cosines


def __getattr__(name: str) -> Any:
    return getattr(np.fft, name)


# of the order of frequencies


@recorded(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Array:
    """The frequency 0 moved from the front to the middle, along all axes unless told."""
    return _rolled(as_array(x), axes, lambda extent: extent // 2)


@recorded(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Array:
    """The frequency 0 moved from the middle to the front, along all axes unless told."""
    return _rolled(as_array(x), axes, lambda extent: -(extent // 2))


def _rolled(x: Array, axes: Any, shifts: AnyFunction) -> Array:
    along = primitives.normalized_axes(axes, x.ndim)
    return shaping.roll(x, tuple(shifts(x.shape[n]) for n in along), along)


# spectra of real numbers


def _plain_parts(a: Any, n: int | None = None, axis: int = -1) -> tuple[Plain, Plain]:
    found = np.fft.rfft(a, n, axis)
    return found.real.copy(), found.imag.copy()


@recorded(_plain_parts)
def rfft_parts(a: Any, n: int | None = None, axis: int = -1) -> Parts:
    """The real and the imaginary part of NumPy's `rfft`: `Σ a cos(2πjk/n)` and `−Σ a sin(2πjk/n)` for k = 0 … n/2.

    Along an axis, of which the first n numbers count, or zeros follow them.

    >>> from chainrule import numpy as np
    >>> np.fft.rfft_parts([1.0, 0.0, -1.0, 0.0])
    (array([0., 2., 0.]), array([0., 0., 0.]))
    """
    x, along, count = _counted(a, n, axis)
    real, imaginary = _transformed(_fitted(x, count), None)
    kept = count // 2 + 1
    return _moved_back(real[..., :kept], along), _moved_back(imaginary[..., :kept], along)


def _plain_inverse(real: Any, imaginary: Any, n: int | None = None, axis: int = -1) -> Plain:
    return np.fft.irfft(np.asarray(real) + 1j * np.asarray(imaginary), n, axis)


@recorded(_plain_inverse)
def irfft_parts(real: Any, imaginary: Any, n: int | None = None, axis: int = -1) -> Array:
    """The real numbers with this spectrum, as NumPy's `irfft` has them; n is even unless it is given.

    >>> from chainrule import numpy as np
    >>> np.fft.irfft_parts(*np.fft.rfft_parts([1.0, 2.0, 3.0]), n=3)
    array([1., 2., 3.])
    """
    a, b = promotion.promoted(*(promotion.as_float(as_array(x)) for x in (real, imaginary)))
    along = primitives.normalized_axis(axis, a.ndim)
    count = whole_number("n", 2 * (a.shape[along] - 1) if n is None else n, 1)
    kept = count // 2 + 1
    parts = [_fitted(primitives.moved_axis(x, along, x.ndim - 1), kept) for x in (a, b)]
    mirrored = [x[..., (count - 1) // 2 : 0 : -1] for x in parts]
    own = np.ones(kept)
    own[0], own[-1] = 0.0, 0.0 if count % 2 == 0 else own[-1]  # what the frequencies 0 and n/2 have of sines is nothing
    whole = primitives.concatenated([parts[0], mirrored[0]], a.ndim - 1)
    turned = primitives.concatenated([-(parts[1] * own.astype(a.dtype)), mirrored[1]], a.ndim - 1)
    return _moved_back(_transformed(whole, turned)[0] / count, along)


@through_arrays
def convolve(a: Any, v: Any, mode: str = "full", axis: int = -1) -> Array:
    """`out[n] = Σ a[m] · v[n − m]` along an axis, by way of the spectra: O(n log n), also of long arrays.

    `numpy.convolve` of the rows, the other axes broadcast: where they meet at all (`full`), as long as the longer
    (`same`), or wholly (`valid`). Small results beside large ones are less exact than sums of their own products.

    >>> from chainrule import numpy as np
    >>> np.fft.convolve([1.0, 2.0, 3.0], [0.0, 1.0]).round(12) + 0.0
    array([0., 1., 2., 3.])
    """
    x, y = promotion.promoted_dtype(promotion.as_float(as_array(a)), promotion.as_float(as_array(v)))
    if not (x.ndim and y.ndim and x.shape[axis] and y.shape[axis]):
        raise ShapeError(f"a convolution needs elements along axis {axis}, not {x.node.type} and {y.node.type}.")
    rows = [primitives.moved_axis(z, primitives.normalized_axis(axis, z.ndim), z.ndim - 1) for z in (x, y)]
    short, long = sorted(z.shape[-1] for z in rows)
    whole = long + short - 1
    count = _smooth(whole)
    (p, q), (r, s) = (rfft_parts(z, count) for z in rows)
    found = irfft_parts(p * r - q * s, p * s + q * r, count)
    size = {"full": whole, "same": long, "valid": long - short + 1}[one_of("mode", mode, ("full", "same", "valid"))]
    start = (whole - size) // 2
    return _moved_back(found[..., start : start + size], primitives.normalized_axis(axis, found.ndim))


def _counted(a: Any, n: int | None, axis: int) -> tuple[Array, int, int]:
    x = promotion.as_float(as_array(a))
    along = primitives.normalized_axis(axis, x.ndim)
    count = whole_number("n", x.shape[along] if n is None else n, 1)
    return primitives.moved_axis(x, along, x.ndim - 1), along, count


def _moved_back(x: Array, axis: int) -> Array:
    return primitives.moved_axis(x, x.ndim - 1, axis)


def _fitted(x: Array, count: int) -> Array:
    """The first elements of the last axis, or zeros after them."""
    missing = count - x.shape[-1]
    return shaping.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]) if missing > 0 else x[..., :count]


# the transform of complex numbers, along the last axis: Σ (x + iy) e^(−2πijk/n)


def _transformed(x: Array, y: Array | None) -> Parts:
    """The real and the imaginary part; no y is zeros."""
    count = x.shape[-1]
    if count <= _LARGEST:
        return _turned(x, y, *_waves(count, x.dtype), arithmetic.matmul)
    first = _factor(count)
    return _by_convolution(x, y) if first == 1 else _in_two_steps(x, y, first)


def _in_two_steps(x: Array, y: Array | None, first: int) -> Parts:
    """Element j = q·j₁ + j₂ and frequency k = k₁ + p·k₂, for p = `first` rows and q = n/p columns."""
    count = x.shape[-1]
    square = [None if z is None else primitives.reshape(z, (*z.shape[:-1], first, count // first)) for z in (x, y)]
    columns = [None if z is None else primitives.moved_axis(z, z.ndim - 2, z.ndim - 1) for z in square]
    assert columns[0] is not None
    a, b = _transformed(columns[0], columns[1])  # (…, j₂, k₁)
    angle = 2 * math.pi / count * np.outer(np.arange(count // first), np.arange(first))
    a, b = _turned(a, b, np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype), lambda u, w: u * w)
    rows = [primitives.moved_axis(z, z.ndim - 2, z.ndim - 1) for z in (a, b)]
    a, b = _transformed(rows[0], rows[1])  # (…, k₁, k₂)
    found = [primitives.reshape(primitives.moved_axis(z, z.ndim - 2, z.ndim - 1), x.shape) for z in (a, b)]
    return found[0], found[1]


def _turned(x: Array, y: Array | None, cosines: Plain, sines: Plain, product: AnyFunction) -> Parts:
    """`(x + iy)(cos − i sin)`, by a product."""
    if y is None:
        return product(x, cosines), -product(x, sines)
    return product(x, cosines) + product(y, sines), product(y, cosines) - product(x, sines)


def _by_convolution(x: Array, y: Array | None) -> Parts:
    """With jk = (j² + k² − (k − j)²)/2 a transform is a convolution with e^(iπj²/n), and a turn before and after it."""
    count = x.shape[-1]
    wide = _smooth(2 * count - 1)
    angle = math.pi / count * (np.arange(count, dtype=object) ** 2 % (2 * count)).astype(np.float64)
    cosines, sines = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    a, b = _turned(x, y, cosines, sines, lambda u, w: u * w)
    chirp = np.zeros(wide, complex)
    chirp[:count] = np.exp(1j * angle)
    chirp[wide - count + 1 :] = chirp[count - 1 : 0 : -1]
    spectrum = np.fft.fft(chirp)
    p, q = _transformed(_fitted(a, wide), _fitted(b, wide))
    c, d = spectrum.real.astype(x.dtype), spectrum.imag.astype(x.dtype)
    r, s = p * c - q * d, p * d + q * c
    back, forth = _transformed(r, -s)  # the inverse is the conjugate of the transform of the conjugate
    return _turned(back[..., :count] / wide, -forth[..., :count] / wide, cosines, sines, lambda u, w: u * w)


@functools.cache
def _waves(count: int, dtype: np.dtype[Any]) -> tuple[Plain, Plain]:
    angle = 2 * math.pi / count * (np.outer(np.arange(count), np.arange(count)) % count)
    return np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)


def _factor(count: int) -> int:
    """The largest factor up to 64; 1 where there is a prime above 64."""
    rest = count
    for p in range(2, _LARGEST + 1):
        while rest % p == 0:
            rest //= p
    return 1 if rest > 1 else max(p for p in range(2, _LARGEST + 1) if count % p == 0)


def _smooth(least: int) -> int:
    """The least number of factors 2, 3 and 5 that is not below another."""
    powers = [2**i * 3**j * 5**k for k in range(9) for j in range(13) for i in range(40) if 3**j * 5**k < 2 * least + 2]
    return int(min(n for n in powers if n >= least))


# spectra that are complex


def _refusing(plain: AnyFunction) -> AnyFunction:
    def record(a: Any, *arguments: Any, **options: Any) -> NoReturn:
        raise TracingError(
            f"fft.{plain.__name__} of a traced array: there are no complex numbers in chainrule.",
            cure="np.fft.rfft_parts(x) gives the real and the imaginary part, np.fft.irfft_parts takes them back, and "
            "np.fft.convolve(x, y) is a convolution by them.",
        )

    return recorded(plain)(named(plain.__name__, record, "NumPy's own, of plain arrays: see `rfft_parts`."))


fft, ifft, rfft, irfft = (_refusing(f) for f in (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft))
hfft, ihfft, fft2, ifft2 = (_refusing(f) for f in (np.fft.hfft, np.fft.ihfft, np.fft.fft2, np.fft.ifft2))
fftn, ifftn, rfft2, irfft2 = (_refusing(f) for f in (np.fft.fftn, np.fft.ifftn, np.fft.rfft2, np.fft.irfft2))
rfftn, irfftn = (_refusing(f) for f in (np.fft.rfftn, np.fft.irfftn))

if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
