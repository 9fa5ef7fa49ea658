"""Whether an optimiser's steps are short enough for the curvature: the edge of stability.

On a quadratic cost with curvature λ, gradient descent `w ← w − η ∂C/∂w` multiplies the distance from the minimum by
1 − ηλ in each step, so it converges for ηλ < 2. With momentum μ the bound is ηλ < 2(1 + μ). For Adam the same holds of
the curvature in the weights' own scales, P^(−½) H P^(−½) with P = √v̂ + ε: ηλ < 2(1 + β₁)/(1 − β₁).

Source: Cohen, Kaur, Li, Kolter and Talwalkar, Gradient descent on neural networks typically occurs at the edge of
stability, 2021; Cohen et al., Adaptive gradient methods at the edge of stability, 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.errors import OptionError
from chainrule.insight.parameter_vector import of_vector
from chainrule.learning.optimizers import SGD, Optimizer
from chainrule.learning.run import Run
from chainrule.trace.tree import flatten

__all__ = ["Stability", "chosen_optimizer", "preconditioner", "stability"]

Values = np.ndarray[Any, Any]
_EDGE = 0.1  # how close to the bound is at the edge


@dataclass(frozen=True)
class Stability:
    """An optimiser and the curvature that its steps meet.

    `ratio` is rate·curvature over its bound, stable below 1; it and `largest_rate`, the rate at the bound, are None
    where they cannot be told.
    """

    optimizer: str
    ratio: float | None
    largest_rate: float | None
    sentence: str


def stability(optimizer: Optimizer, curvature: float, scaled: bool = False) -> Stability:
    """What the curvature λ_max means to an optimiser; `scaled` if it is that in the scales of its state."""
    name, rate = repr(optimizer), optimizer.rate_at(0)
    bound = optimizer.bound if optimizer.knows("bound") else None
    if bound is None or rate is None or (optimizer.rescales and not scaled):
        return Stability(name, None, None, _untold(optimizer))
    if curvature <= 0:
        return Stability(name, 0.0, None, f"No direction curves up, so that no rate is too high for {name} here.")
    ratio = rate * curvature / bound
    numbers = f"rate × curvature is {number(rate * curvature)} (bound: {number(bound)})"
    most = f"the largest stable rate here is {number(bound / curvature)}"
    return Stability(name, ratio, bound / curvature, f"{name}: {numbers}, {_verdict(ratio)}; {most}.")


def _verdict(ratio: float) -> str:
    if ratio < 1 - _EDGE:
        return "stable: steps on these examples do not overshoot more and more"
    if ratio <= 1 + _EDGE:
        return "at the edge of stability, where long training with this rate usually settles"
    return "unstable: steps along the sharpest direction overshoot more and more, until the cost curves less"


def _untold(optimizer: Optimizer) -> str:
    if optimizer.rescales:
        return (
            f"{optimizer!r} scales each weight's step by its past gradients, so the curvature alone does not say "
            "whether its rate is stable: pass its state to know."
        )
    return f"Whether {optimizer!r} is stable cannot be told from the curvature."


def preconditioner(optimizer: Optimizer, state: Any) -> Values | None:
    """√(1/P) for the vector of weights and biases, P as the optimiser's state has it; None without a state.

    Raises OptionError for an optimiser whose steps no state scales, or a state that is not its own.
    """
    if state is None:
        return None
    scales = optimizer.scales(state)
    if scales is None:
        raise OptionError(
            f"state is that of an optimiser that scales its steps by it, as Adam does, not {optimizer!r}."
        )
    found: Values = 1 / np.sqrt(np.asarray(of_vector(flatten(scales)[0]), np.float64))
    return found


def chosen_optimizer(asked: Any, rate: Any) -> Optimizer | None:
    """The optimiser that `rate` is, gradient descent with that rate, or the one that a run was made with."""
    if isinstance(rate, Optimizer):
        return rate
    if rate is not None:
        return SGD(rate)
    return asked.optimizer if isinstance(asked, Run) else None
