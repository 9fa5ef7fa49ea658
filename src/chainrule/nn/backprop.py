"""The four equations of backpropagation, filled in: every layer's a, z, δ, ∂C/∂w and ∂C/∂b.

    δ^L = ∇_a C ⊙ σ'(z^L)                        (BP1)
    δ^l = ((w^{l+1})ᵀ δ^{l+1}) ⊙ σ'(z^l)         (BP2)
    ∂C/∂b^l_j = Σ_x δ^l_j                        (BP3)
    ∂C/∂w^l_jk = Σ_x a^{l−1}_k δ^l_j             (BP4)

C is the mean over the examples, so each example's δ here carries its 1/n: the sums above are over examples, and
`n·δ` is the error of a single example as the book writes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Brief, Page, Shown, Table, counted, number, rms
from chainrule.errors import DataError, ShapeError
from chainrule.nn.costs import Cost, cost_function
from chainrule.nn.objective import CostFunction, Objective, is_function
from chainrule.nn.outline import outline
from chainrule.nn.parameters import Parameters
from chainrule.nn.propagation import Propagation, propagate
from chainrule.nn.stages import Stage
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import Branch, flatten, routes, tree_map, written

__all__ = ["Backpropagation", "LayerDerivatives", "backprop"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, repr=False)
class LayerDerivatives(Brief):
    """One layer: `a` and `z` of shape (examples, neurons), `delta` = ∂C/∂z of the same shape, `dw`, `db` as w and b.

    Where several arrays of weights act in it, as in a Connected network, `dw` is a dict of their derivatives by name;
    `db` is None where there are no biases. The derivative of an array that acts in several layers is the sum over all.
    """

    a: Values
    z: Values
    delta: Values
    dw: Any
    db: Any

    def sizes(self) -> tuple[float | None, ...]:
        """The rms of a, z, δ, ∂C/∂w, ∂C/∂b."""
        return tuple(map(rms, (self.a, self.z, self.delta, _together(self.dw), _together(self.db))))


def _together(derivative: Any) -> Any:
    """All numbers of an array, or of those in a dict, in a row; None if there are none."""
    several = list(derivative.values()) if isinstance(derivative, dict) else [derivative]
    known = [np.ravel(part) for part in several if part is not None]
    return np.concatenate(known) if known else None


@dataclass(frozen=True, repr=False)
class Backpropagation(Brief, Shown):
    """The cost C, a mean over examples, and the derivatives of each layer, the first hidden one first."""

    cost: float
    layers: tuple[LayerDerivatives, ...]

    @property
    def gradient(self) -> list[tuple[Any, Any]]:
        """`(∂C/∂w, ∂C/∂b)` of each layer."""
        return [(layer.dw, layer.db) for layer in self.layers]

    def page(self) -> Page:
        """What is shown of it: the cost, and the size of everything in each layer (rms)."""
        examples = counted(len(self.layers[0].a), "example")
        columns = ("layer", "neurons", "a", "z", "δ = ∂C/∂z", "∂C/∂w", "∂C/∂b")
        rows = tuple((n, layer.a.shape[-1], *layer.sizes()) for n, layer in enumerate(self.layers))
        said = f"C = {number(self.cost)}, the mean over {examples}; of each layer the rms of all numbers."
        return Page("Backpropagation", (said, Table(columns, rows)))


def backprop(network: Any, cost: Cost | str | CostFunction, x: Any, y: Any) -> Backpropagation:
    """The cost of the network on the examples, and for every layer a, z, δ = ∂C/∂z, ∂C/∂w and ∂C/∂b.

    The network is any tree of arrays that is called with examples; its layers are the stages that end in an activation.
    `x` has the shape (examples, inputs), or what the network takes; `y` holds integer labels of shape (examples,) or
    targets of shape (examples, outputs). Nothing is compiled; all derivatives come from one walk backward.

    Raises ShapeError or DataError where the shapes do not fit the network, OptionError for a cost that does not.

    >>> from chainrule.nn.network import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])])
    >>> found = backprop(network, "quadratic", np.array([[0.0]]), np.array([[1.0]]))
    >>> found.cost, found.layers[0].delta.item()
    (0.125, -0.125)
    """
    made = Parameters.of(network)
    examples = _examples(network, x, made.dtype)
    count, known = len(flatten(examples)[0][0]), outline(network, examples)
    if not is_function(cost):
        cost_function(cost, known.activation)
    answers = _answers(known.shape, count, y, made.dtype)
    with transforming():
        found = propagate(Objective(cost), network, tree_map(as_array, examples), as_array(answers))
    named = routes(made.structure)
    rows = zip(found.stages, found.deltas, strict=True)
    layers = tuple(_layer(named, found, stage, delta) for stage, delta in rows)
    return Backpropagation(float(found.measured.cost.value), layers)


def _layer(named: Sequence[tuple[Branch, ...]], found: Propagation, stage: Stage, delta: Array) -> LayerDerivatives:
    dw, db = (
        {_name(named[n]): np.array(found.gradients[n].value) for n in numbers}
        for numbers in (stage.weights, stage.biases)
    )
    keyed = any(_is_keyed(named[n]) for n in stage.weights)
    a, z, error = _values(stage.a, stage.z, delta)
    return LayerDerivatives(
        a,
        z,
        error,
        dw if keyed or len(dw) != 1 else next(iter(dw.values())),
        db if len(db) > 1 else next(iter(db.values()), None),
    )


def _is_keyed(route: tuple[Branch, ...]) -> bool:
    return issubclass(route[-1].kind, dict)


def _name(route: tuple[Branch, ...]) -> str:
    """What an array is called: its key in a dict, else the route to it."""
    return str(route[-1].key) if _is_keyed(route) else written(route)


def _values(*arrays: Array) -> Sequence[Values]:
    return [np.array(array.value) for array in arrays]


def _numbers(values: Any, what: str) -> Values:
    try:
        array = np.asarray(values)
    except ValueError as problem:
        raise DataError(f"{what} are not an array of numbers: {problem}.") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} must be real numbers, not {array.dtype} of shape {array.shape}.")
    return array


def _examples(network: Any, x: Any, dtype: np.dtype[Any]) -> Any:
    """Examples in the network's dtype; whole numbers among several arrays, which name something, as they are."""
    if isinstance(x, dict | tuple):
        return tree_map(lambda part: part if part.dtype.kind in "iu" else part.astype(dtype), _arrays(x))
    examples, inputs = _numbers(x, "examples"), getattr(network, "inputs", None)
    sizes = (math.prod(examples.shape[1:]), examples.shape[-1]) if examples.ndim > 1 else ()
    fits = inputs is None or inputs in sizes
    if not fits or not examples.size:
        wanted = "(n, …)" if inputs is None else f"(n, {inputs})"
        raise ShapeError(
            f"the network takes at least one example, of shape {wanted}, not {examples.shape}.",
            cure="Reshape them, for example with x.reshape(len(x), -1).",
        )
    return examples.astype(dtype)


def _arrays(x: Any) -> Any:
    return tree_map(lambda part: _numbers(part, "examples"), x)


def _answers(outputs: tuple[int, ...], examples: int, y: Any, dtype: np.dtype[Any]) -> Values:
    answers = _numbers(y, "labels or targets")
    fits = answers.shape == (examples, *outputs) or (answers.shape == (examples,) and len(outputs) == 1)
    if not fits or (answers.ndim == 1 and answers.dtype.kind not in "iu"):
        shape = ", ".join(map(str, (examples, *outputs)))
        raise DataError(
            f"{examples} examples need labels of shape ({examples},), integers, or targets of shape ({shape}), not "
            f"{answers.dtype} of shape {answers.shape}.",
            cure="Write y[:, None]." if outputs == (1,) and answers.shape == (examples,) else "",
        )
    if answers.ndim == 1 and not 0 <= answers.min() <= answers.max() < outputs[-1]:
        cure = "For targets of the one output write y[:, None]." if outputs == (1,) else ""
        raise DataError(f"labels {answers.min()} to {answers.max()} do not fit {outputs[-1]} outputs.", cure=cure)
    return answers if answers.ndim == 1 else answers.astype(dtype)
