"""What removing weights is predicted to do to the cost: four theories of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import one_of, real_number
from chainrule.errors import OptionError
from chainrule.insight.blocks import mean_of
from chainrule.insight.compiling import native
from chainrule.insight.gradients import mean_gradient, mean_of_each
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import vector
from chainrule.insight.second_order.matrices import KINDS, gauss_newton_diagonal, matrix

__all__ = ["METHODS", "Options", "Removal", "removal"]

Values = np.ndarray[Any, Any]

_INVERTED = 3000  # parameters, of which a whole matrix is inverted
_EXACT = 1000  # parameters, for which the Hessian's own diagonal is computed unless told otherwise


@dataclass(frozen=True)
class Options:
    """How saliency is computed: see `saliency`."""

    method: str
    curvature: str | None = None
    damping: float = 0.01
    each: bool = False

    def __post_init__(self) -> None:
        one_of("method", self.method, METHODS)
        if self.curvature is not None:
            one_of("curvature", self.curvature, KINDS)
        object.__setattr__(self, "damping", real_number("damping", self.damping, 0))

    def kind(self, parameters: int) -> str:
        """The curvature that is used for a network of that size."""
        exact = self.method == "optimal_brain_damage" and parameters <= _EXACT
        return self.curvature or ("hessian" if exact else "gauss_newton")


@dataclass(frozen=True, eq=False)
class Removal:
    """What a theory says of setting weights to 0; all vectors are as `parameter_vector.vector` makes them, in float64.

    `scores` are the saliencies, the least first to go; `terms` the predicted change of the cost for each alone, None
    where the theory makes no prediction. With the inverse of the curvature over the `free` parameters, the others
    are changed to make up for those that go.
    """

    values: Values
    scores: Values
    terms: Values | None
    free: Values
    inverse: Values | None = None

    def change(self, chosen: Values) -> Values:
        """How all parameters change when the chosen ones are set to 0."""
        moved = np.zeros_like(self.values)
        if self.inverse is not None:
            moved[self.free] = -self.inverse[:, self._among_free(chosen)] @ self._forces(self.inverse, chosen)
        moved[chosen] = -self.values[chosen]
        return moved

    def predicted(self, chosen: Values) -> float | None:
        """The predicted change of the cost when all the chosen ones are set to 0."""
        if self.inverse is not None:
            return float(0.5 * self.values[chosen] @ self._forces(self.inverse, chosen))
        return None if self.terms is None else float(self.terms[chosen].sum())

    def _among_free(self, chosen: Values) -> Values:
        return np.searchsorted(self.free, chosen)

    def _forces(self, inverse: Values, chosen: Values) -> Values:
        """The multipliers of the constraints w_q = 0: `[H⁻¹]_QQ⁻¹ w_Q`."""
        at = self._among_free(chosen)
        return np.linalg.solve(inverse[np.ix_(at, at)], self.values[chosen])


def removal(subject: Subject, options: Options, alive: Values) -> Removal:
    """What the method says of a network in which the parameters that are not `alive` are 0 and stay so."""
    values = np.asarray(vector(subject.network), np.float64)
    return METHODS[options.method](subject, options, values, np.flatnonzero(alive))


def _magnitude(subject: Subject, options: Options, values: Values, free: Values) -> Removal:
    return Removal(values, np.abs(values), None, free)


def _taylor(subject: Subject, options: Options, values: Values, free: Values) -> Removal:
    terms = -values * mean_gradient(subject)
    scores = np.abs(values) * mean_of(_size_of_gradients, subject) if options.each else np.abs(terms)
    return Removal(values, scores, terms, free)


def _optimal_brain_damage(subject: Subject, options: Options, values: Values, free: Values) -> Removal:
    exact = options.kind(values.size) == "hessian"
    diagonal = np.diagonal(matrix(subject, "hessian")) if exact else gauss_newton_diagonal(subject)
    terms = 0.5 * diagonal * values**2
    return Removal(values, terms, terms, free)


def _optimal_brain_surgeon(subject: Subject, options: Options, values: Values, free: Values) -> Removal:
    if values.size > _INVERTED:
        raise OptionError(
            f"'optimal_brain_surgeon' inverts a matrix of all parameters, at most {_INVERTED}, not {values.size}.",
            cure="Use method='optimal_brain_damage'.",
        )
    curvature = matrix(subject, options.kind(values.size))[np.ix_(free, free)]
    inverse = _damped_inverse(curvature, options.damping)
    terms = np.zeros_like(values)
    terms[free] = values[free] ** 2 / (2 * np.diagonal(inverse))
    return Removal(values, terms, terms, free, inverse)


def _damped_inverse(curvature: Values, damping: float) -> Values:
    """`(H + λ·mean(diag H)·1)⁻¹`; OptionError where that is not positive."""
    lifted = curvature + damping * max(np.trace(curvature) / len(curvature), 0) * np.eye(len(curvature))
    try:
        half = np.linalg.inv(np.linalg.cholesky(lifted))
    except np.linalg.LinAlgError:
        raise OptionError(
            f"the curvature, damped by {damping:g} of its mean, is not positive and cannot be inverted.",
            cure="Use a larger damping, for example damping=0.01, or curvature='gauss_newton'.",
        ) from None
    found: Values = half.T @ half
    return found


@native
def _size_of_gradients(subject: Subject) -> Any:
    """The mean over examples of |∂C_x/∂w|."""
    return mean_of_each(subject.cost, subject.network, (subject.x, subject.labels), cnp.abs)


METHODS: dict[str, Callable[[Subject, Options, Values, Values], Removal]] = {
    "magnitude": _magnitude,
    "taylor": _taylor,
    "optimal_brain_damage": _optimal_brain_damage,
    "optimal_brain_surgeon": _optimal_brain_surgeon,
}
