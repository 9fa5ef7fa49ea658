"""Can one layer of weights tell two classes of patterns apart? Either the widest margin, or a proof that there is none.

With signs t = ±1 of the classes and x̃ = (x, 1), weights v separate the patterns when t·(v·x̃) > 0 for each. The point
nearest to 0 in the convex hull of all t·x̃ decides. If it is not 0 itself, it is the separating direction, and its
length the widest margin. If it is, then there are α ≥ 0 with Σ αᵢ tᵢ x̃ᵢ = 0, which exclude every v: Σ αᵢ tᵢ (v·x̃ᵢ)
would have to be positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Brief
from chainrule.errors import OptionError, ShapeError

__all__ = ["Separability", "inseparable", "separability"]

Values = np.ndarray[Any, Any]
_CLOSE = 1e-14  # of the squared length of the longest point: what counts as rounding
_NOTHING = 1e-12  # a weight as small as this is none


@dataclass(frozen=True, eq=False, repr=False)
class Separability(Brief):
    """Whether a layer of weights separates two classes, with what shows it.

    `vector` is the separating direction (weights, bias) of length 1, and `margin` the least of all t·(v·x̃); both are
    0 if there is none. `proof` is the α ≥ 0 of every pattern with Σ α = 1: then Σ αᵢ tᵢ x̃ᵢ = 0. `radius` is the length
    of the longest x̃.
    """

    separable: bool
    vector: Values
    margin: float
    proof: Values
    radius: float

    @property
    def mistakes(self) -> float:
        """The most mistakes that the perceptron rule can make, starting from no weights: (radius / margin)².

        Source: Novikoff, On convergence proofs on perceptrons, Symposium on the Mathematical Theory of Automata 1962.
        """
        return (self.radius / self.margin) ** 2 if self.separable else np.inf


def separability(x: Any, y: Any) -> Separability:
    """Whether weights and a bias separate the patterns x, shape (n, inputs), with y > ½ from those with y ≤ ½.

    In float64: a margin of less than 10⁻⁷ of the longest pattern counts as none.

    Raises ShapeError unless y has the shape (n,), OptionError without patterns.

    >>> corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> separability(corners, [0, 0, 0, 1]).separable
    True
    >>> separability(corners, [0, 1, 1, 0]).proof
    array([0.25, 0.25, 0.25, 0.25])

    Source: Wolfe, Finding the nearest point in a polytope, Mathematical Programming 11 (1976), 128-149.
    """
    x, y = np.asarray(x, float), np.asarray(y)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise ShapeError(f"separability takes patterns (n, inputs) and classes (n,), not {x.shape} and {y.shape}.")
    if not len(x):
        raise OptionError("separability needs at least one pattern.")
    points = np.where(y > 0.5, 1.0, -1.0)[:, None] * np.column_stack([x, np.ones(len(x))])
    proof = _nearest(points)
    nearest, radius = proof @ points, max(map(_length, points))
    length = _length(nearest)
    vector = nearest / length if length > np.sqrt(_CLOSE) * radius else 0 * nearest
    margin = max(float((points @ vector).min()), 0.0)
    return Separability(margin > 0, vector, margin, proof, radius)


def inseparable(x: Any, y: Any) -> list[int]:
    """The outputs, columns of y, that no layer of weights from x can give.

    >>> inseparable([[0, 0], [0, 1], [1, 0], [1, 1]], [[0, 0], [0, 1], [0, 1], [1, 0]])
    [1]
    """
    return [output for output, column in enumerate(np.transpose(y)) if not separability(x, column).separable]


def _nearest(points: Values) -> Values:
    """The weights of the points, ≥ 0 and 1 together, whose mean is the point of their convex hull nearest to 0.

    The mean of a few points, the corral, comes nearer by the point that lies furthest on the side of 0, until none is
    left that does.
    """
    squares = (points * points).sum(1)
    weights = np.zeros(len(points))
    weights[squares.argmin()] = 1
    while True:
        mean = weights @ points
        along = points @ mean
        best = int(along.argmin())
        if along[best] >= mean @ mean - _CLOSE * squares.max():
            return weights
        nearer = _within(points, weights, best)
        if _length(nearer @ points) >= _length(mean):  # rounding: it is as near as it can be told
            return weights
        weights = nearer


def _within(points: Values, weights: Values, new: int) -> Values:
    """The weights of the nearest mean of the corral and a new point; those that would be negative leave the corral."""
    corral = np.append(np.flatnonzero(weights), new)
    while True:
        now, wanted = weights[corral], _affine(points[corral])
        falling = wanted <= _NOTHING
        share = (now[falling] / (now[falling] - wanted[falling] + _NOTHING)).min() if falling.any() else 1.0
        moved = now + share * (wanted - now)
        weights = np.zeros_like(weights)
        weights[corral] = np.where(moved > _NOTHING, moved, 0)
        if not falling.any():
            return weights
        corral = corral[~falling | (moved > 2 * _NOTHING)]


def _affine(points: Values) -> Values:
    """The weights, 1 together but of any sign, whose mean is nearest to 0."""
    count = len(points)
    matrix = np.ones((count + 1, count + 1))
    matrix[:count, :count], matrix[count, count] = points @ points.T, 0
    found: Values = np.linalg.lstsq(matrix, np.eye(count + 1)[count], rcond=None)[0][:count]
    return found


def _length(vector: Values) -> float:
    return float(np.sqrt(vector @ vector))
