"""Eigenvalues and the trace of a symmetric matrix that is known by its products with vectors alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Brief
from chainrule.errors import DataError

__all__ = ["Ritz", "lanczos", "settled", "trace_estimate"]

Values = np.ndarray[Any, Any]
Product = Callable[[Values], Values]

_SHORT = 0.1  # what is left of a vector, below which taking parts away once has left too much of them
_NOTHING = 100  # rounding errors


@dataclass(frozen=True, eq=False, repr=False)
class Ritz(Brief):
    """The eigenvalues of H on a subspace, the largest first, and how far each is from one of H.

    `basis` has orthonormal rows; the vector of eigenvalue n is `coefficients[:, n] @ basis`. An eigenvalue of H lies
    within `residuals[n]` = ‖Hv − λv‖ of `values[n]`.
    """

    values: Values
    residuals: Values
    basis: Values
    coefficients: Values

    @property
    def products(self) -> int:
        """How many products with H were made."""
        return len(self.values)

    def vector(self, n: int) -> Values:
        """The vector of unit length that belongs to eigenvalue n."""
        found: Values = self.coefficients[:, n].astype(self.basis.dtype) @ self.basis
        return found


def settled(top: int, lowest: bool, tolerance: float) -> Callable[[Ritz], bool]:
    """Whether the residuals of the `top` largest eigenvalues, and of the lowest, are small against the largest |λ|."""

    def enough(found: Ritz) -> bool:
        wanted = np.append(found.residuals[:top], found.residuals[-1:] if lowest else [])
        bound = tolerance * np.abs(found.values).max()
        return len(found.values) > top and bool(np.all(wanted <= bound))

    return enough


def lanczos(
    product: Product, size: int, enough: Callable[[Ritz], bool], most: int, *, seed: int = 0, dtype: Any = np.float64
) -> Ritz:
    """Eigenvalues of a symmetric matrix by Lanczos iteration with full reorthogonalisation, until `enough(found)`.

    At most `most` products are made. The vectors are kept, and made orthogonal, in `dtype`, the small matrix in
    float64. Where the vectors made so far span a space that H maps into itself, a fresh random one goes on; until then
    an eigenvalue that H has several times is found once.

    Raises DataError if a product is no finite number.

    >>> found = lanczos(lambda v: np.array([3.0, 1.0, -2.0]) * v, 3, settled(1, False, 1e-9), 3)
    >>> found.values.round(6)
    array([ 3.,  1., -2.])

    Source: Lanczos, An iteration method for the solution of the eigenvalue problem, 1950; Golub and Van Loan, Matrix
    Computations, chapter 10.
    """
    random = np.random.default_rng(seed)
    basis = np.empty((min(most, size), size), dtype)
    small = np.zeros((len(basis), len(basis)))
    rest = _drawn(random, size, dtype)
    for step in range(len(basis)):
        basis[step] = rest / np.linalg.norm(rest)
        known = basis[: step + 1]
        rest, shares = _orthogonal(product(basis[step]).astype(dtype), known)
        small[step, step] = shares[step]
        if not np.isfinite(small[step, step]):
            raise DataError("the cost's curvature is no finite number here: the weights or the examples are too large.")
        length = float(np.linalg.norm(rest))
        if length <= _NOTHING * np.finfo(dtype).eps * np.abs(small).max() or step + 1 == size:
            length = 0.0
        found = _ritz(known, small[: step + 1, : step + 1], length)
        if enough(found):
            break
        if step + 1 < len(basis):
            small[step, step + 1] = small[step + 1, step] = length
        if length == 0 and step + 1 < size:
            rest, _ = _orthogonal(_drawn(random, size, dtype), known)
    return found


def _drawn(random: np.random.Generator, size: int, dtype: Any) -> Values:
    found: Values = random.random(size, dtype)  # faster than normal deviates, and as good
    found -= np.asarray(0.5, dtype)
    return found


def _orthogonal(rest: Values, basis: Values) -> tuple[Values, Values]:
    """What is left of a vector beside the rows of a basis, and its shares along them."""
    before = np.linalg.norm(rest)
    shares = basis @ rest
    rest -= shares @ basis
    if np.linalg.norm(rest) < _SHORT * before:
        more = basis @ rest
        rest -= more @ basis
        shares += more
    return rest, shares


def _ritz(basis: Values, small: Values, length: float) -> Ritz:
    values, coefficients = np.linalg.eigh(small)
    values, coefficients = values[::-1], coefficients[:, ::-1]
    return Ritz(values, length * np.abs(coefficients[-1]), basis, coefficients)


def trace_estimate(product: Product, known: Ritz, probes: int, *, seed: int = 0) -> tuple[float, float]:
    """The sum of all eigenvalues of H, and its standard error.

    What lies in the space that Lanczos went through is known exactly, tr(QᵀHQ) = Σ λ; the trace of H beside it is the
    mean of vᵀHv over `probes` vectors of random signs from which that space is taken away. Unbiased; exact where
    nothing is beside it.

    Source: Hutchinson 1990; the splitting is that of Meyer, Musco, Musco and Woodruff, Hutch++, 2021.
    """
    basis, inside = known.basis, float(known.values.sum())
    if len(basis) == basis.shape[1]:
        return inside, 0.0
    random = np.random.default_rng((seed, 1))
    drawn = (signs(random, basis.shape[1], basis.dtype) for _ in range(probes))
    samples = [_quadratic(product, _orthogonal(v, basis)[0]) for v in drawn]
    return inside + float(np.mean(samples)), float(np.std(samples, ddof=1) / np.sqrt(probes))


def signs(random: np.random.Generator, size: int, dtype: Any) -> Values:
    """A vector of +1 and −1, each as likely."""
    return (2 * random.integers(0, 2, size, np.int8) - 1).astype(dtype)


def _quadratic(product: Product, v: Values) -> float:
    return float(np.dot(v.astype(np.float64), product(v)))
