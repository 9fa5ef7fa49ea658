"""How the cost curves along each weight and bias alone: diagonals of the Hessian, Gauss-Newton and Fisher matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import one_of, whole_number
from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.blocks import mean_of
from chainrule.insight.compiling import native
from chainrule.insight.gradients import mean_of_each, penalty_curvature
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.parameter_vector import coordinate_at, shaped, vector
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.second_order.eigenvalues import signs
from chainrule.insight.second_order.hessian import hessian_product
from chainrule.insight.second_order.matrices import gauss_newton_diagonal, matrix
from chainrule.insight.wording import counted
from chainrule.nn.costs import Cost
from chainrule.nn.parameters import WEIGHT, Parameters

__all__ = ["CurvatureDiagonal", "curvature_diagonal"]

Values = np.ndarray[Any, Any]
_EXACT = 5000  # weights and biases, up to which the Hessian's diagonal is computed exactly

_NAMES = {
    "hessian": "Hessian",
    "gauss_newton": "Gauss-Newton matrix",
    "fisher": "Fisher matrix",
    "empirical_fisher": "empirical Fisher matrix (the mean square of each example's derivative)",
}


@dataclass(frozen=True, repr=False)
class CurvatureDiagonal(Insight):
    """One number for each weight and bias: `values` and `standard_errors` are networks of them, in float64.

    `standard_errors` is None where the numbers are exact.
    """

    kind: str
    values: Any
    standard_errors: Any
    probes: int
    examples: int

    @property
    def exact(self) -> bool:
        """Whether the numbers are exact, or estimates."""
        return self.standard_errors is None

    @property
    def title(self) -> str:
        """What it is."""
        return f"Diagonal of the {_NAMES[self.kind]} over {counted(self.examples, 'example')}"

    def sentences(self) -> list[str]:
        """What it says."""
        all_values = vector(self.values)
        largest = int(np.argmax(all_values))
        how = "Exact." if self.standard_errors is None else self._estimated(vector(self.standard_errors))
        return [
            f"The cost curves most along {coordinate_at(self.values, largest)}: {number(all_values[largest])} "
            "(cost per square of its unit).",
            f"All {all_values.size:,} together, which is the trace, make {number(all_values.sum())}. {how}",
        ]

    def _estimated(self, errors: Values) -> str:
        typical = number(np.sqrt(np.mean(errors**2)))
        return f"Each is an estimate from {self.probes} probes, with its own standard error, about {typical}."

    def table(self) -> Table:
        """A row for each array of weights or biases."""
        rows = [(path, float(part.mean()), float(part.max()), float(part.sum())) for path, _, part in self._arrays()]
        return Table(("of", "mean", "largest", "sum"), tuple(rows))

    def _arrays(self) -> list[tuple[str, str, Values]]:
        """The path, the role and the numbers of each array of weights or biases."""
        found = Parameters.of(self.values)
        return [(found.paths[n], found.roles[n], np.asarray(found.arrays[n])) for n in found.trainable]

    def plot(self, axes: Any = None) -> Any:
        """How many weights have which curvature, layer by layer."""
        axes = figure(axes)
        for path, role, part in self._arrays():
            if role == WEIGHT:
                axes.hist(np.log10(np.maximum(np.abs(part), 1e-12)).ravel(), bins=50, alpha=0.5, label=path)
        axes.set(title=self.title, xlabel="log₁₀ of the size of the entry", ylabel="weights")
        axes.legend()
        return axes


def curvature_diagonal(
    network: Any,
    data: Any,
    *,
    kind: str = "gauss_newton",
    probes: int = 32,
    seed: int = 0,
    cost: AskedCost = None,
    l2: float | None = None,
    examples: int = 1000,
) -> CurvatureDiagonal:
    """The diagonal of a matrix of curvatures of the mean cost over at most so many examples, drawn by `seed`.

    - "hessian": ∂²C/∂w_i². Exact up to 5,000 weights and biases; above, the mean of v ⊙ Hv over `probes` vectors of
      random signs, unbiased, with its standard error.
    - "gauss_newton": mean_x (JᵀSJ)_ii with the Jacobian J of the outputs (for the quadratic cost) or of the last
      layer's weighted inputs (for cross-entropies), and the cost's Hessian S there. Exact, never negative, for as many
      gradients as there are outputs.
    - "fisher": mean_x E_y (∂C_x/∂w_i)² over labels that the network itself would draw. For these costs, which are
      negative log-likelihoods (the quadratic one of a normal distribution with variance 1), it is Gauss-Newton's.
    - "empirical_fisher": mean_x (∂C_x/∂w_i)² with the labels as they are. Exact, for about one gradient.

    The first two hold the penalty; the Fisher matrices are of the data alone.

    Raises OptionError for another kind; what `subject_of` raises.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])], "identity")
    >>> curvature_diagonal(network, ([[2.0], [4.0]], [[0.0], [0.0]]), cost="quadratic").values.layers[0].w
    array([[10.]])

    Source: Bekas, Kokiopoulou and Saad 2007 (estimate of a diagonal); Martens, New insights and perspectives on the
    natural gradient method, 2020.
    """
    one_of("kind", kind, _NAMES)
    probes, seed = whole_number("probes", probes, 2), whole_number("seed", seed, 0)
    subject = subject_of(network, data, cost, l2).at_most(examples, seed)
    small = subject.parameters.count <= _EXACT
    if kind == "hessian" and not small:
        values, errors = _estimated(subject, probes, seed)
        wide = shaped(subject.network, errors)
        return CurvatureDiagonal(kind, shaped(subject.network, values), wide, probes, subject.count)
    return CurvatureDiagonal(kind, shaped(subject.network, _exactly(subject, kind)), None, 0, subject.count)


def _exactly(subject: Subject, kind: str) -> Values:
    if kind == "empirical_fisher":
        return np.asarray(mean_of(_second_moment, subject), np.float64)
    if kind == "fisher":
        _as_likelihood(subject.objective.cost)
        return gauss_newton_diagonal(subject)
    of_data = np.diag(matrix(subject, "hessian")) if kind == "hessian" else gauss_newton_diagonal(subject)
    return np.asarray(of_data + penalty_curvature(subject), np.float64)


def _as_likelihood(cost: Any) -> None:
    if not (isinstance(cost, Cost) and cost.likelihood):
        raise OptionError(
            f"the Fisher matrix is that of a likelihood, and whether {cost} is the logarithm of one is not known.",
            cure="Use kind='gauss_newton' or kind='empirical_fisher'.",
        )


def _estimated(subject: Subject, probes: int, seed: int) -> tuple[Values, Values]:
    """The mean of v ⊙ Hv, and its standard error."""
    random, by_hessian, size = np.random.default_rng(seed), hessian_product(subject), subject.parameters.count
    total, squares = np.zeros(size), np.zeros(size)
    for _ in range(probes):
        v = signs(random, size, subject.parameters.dtype)
        sample = v * by_hessian(v)
        total += sample
        squares += sample * sample
    mean = total / probes
    variance = np.maximum(squares / probes - mean * mean, 0) * probes / (probes - 1)
    return mean, np.sqrt(variance / probes)


@native
def _second_moment(subject: Subject) -> Any:
    return mean_of_each(subject.cost, subject.network, (subject.x, subject.labels), lambda g: g * g)
