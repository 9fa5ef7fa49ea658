"""How the cost curves: the spectrum of the Hessian H = ∂²C/∂w² without forming it, and the whole of it if small."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.checks import real_number, whole_number
from chainrule.display import Table, number
from chainrule.errors import OptionError
from chainrule.insight.gradients import penalty_curvature
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.second_order.eigenvalues import Product, Ritz, lanczos, settled, trace_estimate
from chainrule.insight.second_order.matrices import matrix, product
from chainrule.insight.second_order.stability import Stability, chosen_optimizer, preconditioner, stability
from chainrule.insight.wording import counted
from chainrule.learning.optimizers import Optimizer

__all__ = ["Curvature", "HessianMatrix", "curvature", "hessian_matrix", "hessian_product", "sharpest"]

Values = np.ndarray[Any, Any]
_ROUNDING = 1e-6  # of the largest curvature: a smaller one may be none
_LARGEST_MATRIX = 5000  # weights and biases


@dataclass(frozen=True, repr=False)
class Curvature(Insight):
    """The ends of the Hessian's spectrum, and its trace, for the mean cost over `examples`, penalty included.

    The unit is cost per square of a weight's unit. An eigenvalue of H lies within each residual ‖Hv − λv‖ of the
    eigenvalue it belongs to. `trace_error` is the standard error of the trace, 0 where it is exact.
    """

    eigenvalues: tuple[float, ...]
    residuals: tuple[float, ...]
    lowest: float
    lowest_residual: float
    trace: float | None
    trace_error: float | None
    probes: int
    products: int
    parameters: int
    examples: int
    stability: Stability | None = None

    @property
    def largest(self) -> float:
        """λ_max, which is also called the sharpness."""
        return self.eigenvalues[0]

    @property
    def title(self) -> str:
        """What it is."""
        return f"Curvature of the mean cost over {counted(self.examples, 'example')}"

    def sentences(self) -> list[str]:
        """What it says."""
        said = [
            f"In the direction in which the cost curves most, its slope changes by {number(self.largest)} with each "
            f"unit of way (λ_max, known to ±{number(self.residuals[0])}).",
            self._downward(),
        ]
        if self.trace is not None:
            said.append(self._sum(self.trace))
        if self.stability is not None:
            said.append(self.stability.sentence)
        said.append(f"{counted(self.products, 'product')} of the Hessian with a vector went into the eigenvalues.")
        return said

    def _downward(self) -> str:
        known = f"λ_min = {number(self.lowest)} ± {number(self.lowest_residual)}"
        rounding = _ROUNDING * max(abs(self.lowest), *map(abs, self.eigenvalues), 0.0)
        if self.lowest < -max(self.lowest_residual, rounding):
            return f"There are directions in which the cost curves down ({known}): this is no minimum."
        return f"No direction was found in which the cost surely curves down ({known})."

    def _sum(self, total: float) -> str:
        how = f" ± {number(self.trace_error)}, an estimate from {self.probes} probes" if self.trace_error else ", exact"
        share = (
            f"; the {len(self.eigenvalues)} largest make up {sum(self.eigenvalues) / total:.0%}" if total > 0 else ""
        )
        return f"Over all {self.parameters:,} directions the curvatures add up to {number(total)} (trace{how}){share}."

    def table(self) -> Table:
        """An eigenvalue a row, the lowest last."""
        top = zip(self.eigenvalues, self.residuals, strict=True)
        rows = [(f"λ{n + 1}", value, residual) for n, (value, residual) in enumerate(top)]
        rows.append(("lowest", self.lowest, self.lowest_residual))
        return Table(("eigenvalue", "curvature", "residual ±"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """The eigenvalues with their residuals."""
        axes = figure(axes)
        values = [*self.eigenvalues, self.lowest]
        names = [*(f"λ{n + 1}" for n in range(len(self.eigenvalues))), "lowest"]
        axes.bar(names, values, yerr=[*self.residuals, self.lowest_residual])
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set(title=self.title, ylabel="curvature (cost per square of a weight's unit)")
        return axes


def curvature(
    network: Any,
    data: Any,
    *,
    top: int = 5,
    lowest: bool = True,
    lanczos_steps: int = 60,
    tolerance: float = 0.01,
    probes: int = 16,
    seed: int = 0,
    rate: float | Optimizer | None = None,
    state: Any = None,
    cost: AskedCost = None,
    l2: float | None = None,
    examples: int = 1000,
) -> Curvature:
    """The `top` largest eigenvalues of the Hessian, the lowest one, and the trace.

    H = ∂²C/∂w² of the mean cost over at most so many examples, drawn by `seed`, penalty included. Eigenvalues come from
    Lanczos iteration, one product Hv each step, which costs about two gradients. It ends when all residuals are below
    `tolerance` times the largest |λ|, or after `lanczos_steps`, whose vectors are kept. Without `lowest` it ends when
    the top ones are settled, after half as many products, and the lowest is only as good as its residual says. The
    trace is an estimate from `probes` more products (none for 0), with its standard error.

    `rate`, a learning rate or an optimiser, or the optimiser of a run, is judged by λ_max: whether its steps are
    stable. Adam can be judged when its `state`, as `optimizer.update` gives it, is passed as well.

    Raises OptionError for an option outside its range; what `subject_of` raises.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([(np.eye(2), np.zeros(2))], "identity")
    >>> x = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> found = curvature(network, (x, x), cost="quadratic", rate=0.5)
    >>> round(found.largest, 6), round(found.trace, 6), found.stability.ratio < 1
    (2.0, 7.0, True)

    Source: Lanczos 1950 and Hutchinson 1990, in `eigenvalues`; Cohen et al. 2021 for the verdict.
    """
    top, lanczos_steps = whole_number("top", top, 1), whole_number("lanczos_steps", lanczos_steps, 1)
    tolerance = real_number("tolerance", tolerance, above=0, below=1)
    probes, seed = whole_number("probes", probes, 0), whole_number("seed", seed, 0)
    if probes == 1:
        raise OptionError("one probe has no standard error.", cure="Take at least 2, or 0 for no trace.")
    optimizer = chosen_optimizer(network, rate)
    scales = preconditioner(optimizer, state) if optimizer is not None else None
    subject = subject_of(network, data, cost, l2).at_most(examples, seed)
    by_hessian = hessian_product(subject)
    top = min(top, subject.parameters.count)
    found = _spectrum(subject, by_hessian, settled(top, lowest, tolerance), lanczos_steps, seed)
    total, error = trace_estimate(by_hessian, found, probes, seed=seed) if probes else (None, None)
    return Curvature(
        eigenvalues=tuple(map(float, found.values[:top])),
        residuals=tuple(map(float, found.residuals[:top])),
        lowest=float(found.values[-1]),
        lowest_residual=float(found.residuals[-1]),
        trace=total,
        trace_error=error,
        probes=probes,
        products=found.products,
        parameters=subject.parameters.count,
        examples=subject.count,
        stability=None if optimizer is None else _judged(subject, optimizer, scales, found, tolerance, lanczos_steps),
    )


def _judged(
    subject: Subject, optimizer: Optimizer, scales: Values | None, found: Ritz, tolerance: float, steps: int
) -> Stability:
    """Adam meets the curvature in the scales of its state; the others meet it as it is."""
    if scales is None:
        return stability(optimizer, float(found.values[0]))
    by_hessian = hessian_product(subject)
    scaled = _spectrum(subject, lambda v: scales * by_hessian(scales * v), settled(1, False, tolerance), steps, 0)
    return stability(optimizer, float(scaled.values[0]), scaled=True)


def hessian_product(subject: Subject) -> Product:
    """The function v ↦ Hv for the mean cost over the subject's examples, penalty included; v is a vector."""
    held = penalty_curvature(subject)
    if not held.any():
        return lambda v: product(subject, "hessian", v)
    return lambda v: product(subject, "hessian", v) + held * v


def sharpest(subject: Subject, count: int = 1, tolerance: float = 0.01, most: int = 60, seed: int = 0) -> Ritz:
    """The `count` largest eigenvalues of the Hessian with their vectors, and no more than they need."""
    return _spectrum(subject, hessian_product(subject), settled(count, False, tolerance), most, seed)


def _spectrum(subject: Subject, by_hessian: Product, enough: Any, most: int, seed: int) -> Ritz:
    # vectors as narrow as the products are: more digits would only cost time
    size, dtype = subject.parameters.count, subject.parameters.dtype
    return lanczos(by_hessian, size, enough, most, seed=seed, dtype=dtype)


@dataclass(frozen=True, repr=False)
class HessianMatrix(Insight):
    """The whole Hessian of the mean cost, penalty included, float64, of shape (parameters, parameters), symmetric.

    Weights and biases stand layer after layer, each layer's weights, row by row, before its biases.
    """

    matrix: Values
    examples: int

    @cached_property
    def eigenvalues(self) -> Values:
        """All of them, the largest first."""
        return np.linalg.eigvalsh(self.matrix)[::-1]

    @property
    def title(self) -> str:
        """What it is."""
        return f"The Hessian of the mean cost over {counted(self.examples, 'example')}"

    def sentences(self) -> list[str]:
        """What it says."""
        values = self.eigenvalues
        lost = len(values) * np.finfo(np.float32).eps * np.abs(values).max()  # what rounding may have made
        up, down = int((values > lost).sum()), int((values < -lost).sum())
        return [
            f"Of {counted(len(values), 'direction')}, the cost curves up in {up:,} and down in {down:,}; as far as can "
            f"be told it is straight in {len(values) - up - down:,}.",
            f"Curvatures go from {number(values[-1])} to {number(values[0])} and add up to {number(values.sum())}.",
        ]

    def table(self) -> Table:
        """The five largest and the five lowest eigenvalues."""
        values = self.eigenvalues
        shown = sorted({*range(min(5, len(values))), *range(max(0, len(values) - 5), len(values))})
        return Table(("eigenvalue", "curvature"), tuple((f"λ{n + 1}", float(values[n])) for n in shown))

    def plot(self, axes: Any = None) -> Any:
        """The eigenvalues in order."""
        axes = figure(axes)
        axes.plot(self.eigenvalues, ".")
        axes.set(title=self.title, xlabel="eigenvalue, the largest first", ylabel="curvature", yscale="symlog")
        return axes


def hessian_matrix(
    network: Any,
    data: Any,
    *,
    cost: AskedCost = None,
    l2: float | None = None,
    examples: int = 1000,
    seed: int = 0,
) -> HessianMatrix:
    """The whole Hessian ∂²C/∂w², exact, for networks of at most 5,000 weights and biases.

    C is the mean cost over at most so many examples, drawn by `seed`, penalty included.

    Raises OptionError for a larger network; what `subject_of` raises.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])], "identity")
    >>> hessian_matrix(network, ([[2.0], [4.0]], [[0.0], [0.0]]), cost="quadratic").matrix
    array([[10.,  3.],
           [ 3.,  1.]])
    """
    subject = subject_of(network, data, cost, l2).at_most(examples, seed)
    size = subject.parameters.count
    if size > _LARGEST_MATRIX:
        raise OptionError(
            f"a Hessian for {size:,} weights and biases has {size * size:,} numbers: {_LARGEST_MATRIX:,} are the most.",
            cure="Ask for its largest eigenvalues with curvature(…), or for its diagonal with curvature_diagonal(…).",
        )
    return HessianMatrix(matrix(subject, "hessian") + np.diag(penalty_curvature(subject)), subject.count)
