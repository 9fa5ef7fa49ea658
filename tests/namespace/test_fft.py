"""Spectra of real numbers as pairs of real arrays, and convolutions by them: NumPy's values, O(n log n), linear."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import OptionError, ShapeError, TracingError
from chainrule.trace.promotion import as_array

RNG = np.random.default_rng(3)
#: Small ones, products of small primes, primes, and multiples of large primes.
LENGTHS = [1, 2, 3, 4, 7, 16, 60, 64, 65, 67, 100, 127, 128, 134, 210, 1000, 1024, 2021]


def parts(spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return spectrum.real, spectrum.imag


@pytest.mark.parametrize("length", LENGTHS)
def test_a_spectrum_is_numpys_and_leads_back(length: int) -> None:
    x = RNG.normal(size=(2, length))
    expected = parts(np.fft.rfft(x))
    traced = cnp.fft.rfft_parts(as_array(x))
    scale = np.abs(np.fft.rfft(x)).max()
    for mine, plain, theirs in zip(traced, cnp.fft.rfft_parts(x), expected, strict=True):
        np.testing.assert_allclose(mine.value, theirs, atol=4e-15 * scale)
        np.testing.assert_array_equal(plain, theirs)
    np.testing.assert_allclose(cnp.fft.irfft_parts(*traced, n=length).value, x, atol=1e-14)


@pytest.mark.parametrize("n", [None, 5, 8, 9, 12])
@pytest.mark.parametrize("axis", [0, -1])
def test_lengths_and_axes_are_numpys(n: int | None, axis: int) -> None:
    x, y = RNG.normal(size=(9, 9)), RNG.normal(size=(9, 9))
    run = cr.compile(lambda x: cnp.fft.rfft_parts(x, n, axis))
    for mine, theirs in zip(run(x), parts(np.fft.rfft(x, n, axis)), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-14)
    back = cr.compile(lambda x, y: cnp.fft.irfft_parts(x, y, n, axis))(x, y)
    np.testing.assert_allclose(back, np.fft.irfft(x + 1j * y, n, axis), atol=1e-14)
    np.testing.assert_array_equal(cnp.fft.irfft_parts(x, y, n, axis), np.fft.irfft(x + 1j * y, n, axis))


def test_single_precision_stays_single() -> None:
    x = RNG.normal(size=100).astype(np.float32)
    real, imaginary = cr.compile(cnp.fft.rfft_parts)(x)
    assert (real.dtype, imaginary.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(real + 1j * imaginary, np.fft.rfft(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [6, 7, 70, 67])
def test_spectra_have_derivatives_of_both_orders(length: int) -> None:
    x = RNG.normal(size=length)

    def power(x: Any) -> Any:
        real, imaginary = cnp.fft.rfft_parts(x)
        return cnp.sum((real**2 + imaginary**2) ** 2)

    def echo(x: Any) -> Any:
        return cnp.sum(cnp.fft.irfft_parts(x[:5], x[1:6], length) ** 3)

    for function in (power, echo):
        cr.testing.check_gradient(function, x)
        np.testing.assert_allclose(cr.compile(cr.grad(function))(x), cr.grad(function)(x), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        cr.jacobian(lambda x: cnp.fft.rfft_parts(x)[0])(x), np.fft.rfft(np.eye(length)).T.real, atol=1e-12
    )
    rows = cr.vmap(lambda x: cnp.fft.rfft_parts(x)[1])(np.stack([x, 2 * x]))
    np.testing.assert_allclose(rows, np.fft.rfft(np.stack([x, 2 * x])).imag, atol=1e-12)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_a_convolution_by_spectra_is_the_sum_of_products(mode: str) -> None:
    for long, short in ((9, 4), (4, 9), (5, 5), (1, 6), (300, 45)):
        x, y = RNG.normal(size=long), RNG.normal(size=short)
        expected = np.convolve(x, y, mode)
        run = cr.compile(lambda x, y: cnp.fft.convolve(x, y, mode))
        for found in (cnp.fft.convolve(x, y, mode), run(x, y)):
            np.testing.assert_allclose(found, expected, atol=1e-13)
    x, y = RNG.normal(size=(3, 9, 2)), RNG.normal(size=(4, 1))
    found = cnp.fft.convolve(x, y, mode, axis=-2)
    for n in range(3):
        for k in range(2):
            np.testing.assert_allclose(found[n, :, k], np.convolve(x[n, :, k], y[:, 0], mode), atol=1e-13)
    cr.testing.check_gradient(lambda x, y: cnp.sum(cnp.fft.convolve(x, y, mode) ** 2), x[0, :, 0], y[:, 0])


def test_a_transform_costs_n_log_n() -> None:
    """Operations of the compiled program: sixteen times the length is less than 40 times the work, not 256."""
    work = [cr.compile(lambda x: cnp.fft.rfft_parts(x)).flops(np.zeros(n)) for n in (1024, 16384)]
    assert work[1] < 40 * work[0]
    slopes = cr.compile(cr.grad(lambda x: cnp.sum(cnp.fft.rfft_parts(x)[0] ** 2)))
    assert slopes.flops(np.zeros(16384)) < 4 * work[1]


def test_frequencies_are_moved_as_numpys() -> None:
    for n in (4, 5):
        x = np.fft.fftfreq(n)
        for name in ("fftshift", "ifftshift"):
            found = getattr(cnp.fft, name)(as_array(x))
            np.testing.assert_array_equal(found.value, getattr(np.fft, name)(x))
            np.testing.assert_array_equal(getattr(np.fft, name)(as_array(x)).value, found.value)


COMPLEX = [name for name in cnp.fft.__all__ if "fft" in name and "shift" not in name and "parts" not in name]


@pytest.mark.parametrize("name", COMPLEX)
def test_what_is_complex_is_numpys_own_of_plain_arrays_and_names_the_pairs_of_traced_ones(name: str) -> None:
    x = RNG.normal(size=(4, 4))
    np.testing.assert_array_equal(getattr(cnp.fft, name)(x), getattr(np.fft, name)(x))
    for of_traced in (getattr(cnp.fft, name), getattr(np.fft, name)):
        with pytest.raises(TracingError, match="no complex numbers") as refused:
            cr.grad(lambda x, f=of_traced: cnp.sum(f(x)))(x)
        assert "rfft_parts" in refused.value.cure


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a length of nothing": (lambda: cnp.fft.rfft_parts(as_array(np.zeros(0))), OptionError, "at least 1"),
    "a negative length": (lambda: cnp.fft.rfft_parts(as_array(np.zeros(3)), n=-1), OptionError, "at least 1"),
    "an axis": (lambda: cnp.fft.rfft_parts(as_array(np.zeros(3)), axis=1), ShapeError, "axis 1"),
    "a mode": (lambda: cnp.fft.convolve(np.ones(3), np.ones(2), "ful"), OptionError, "'full'"),
    "a convolution with nothing": (lambda: cnp.fft.convolve(np.ones(3), np.ones(0)), ShapeError, "needs elements"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    call, kind, said = REFUSED[name]
    with pytest.raises(kind, match=said):
        call()


def test_arguments_stand_where_numpys_do() -> None:
    assert list(inspect.signature(cnp.fft.rfft_parts).parameters) == ["a", "n", "axis"]
