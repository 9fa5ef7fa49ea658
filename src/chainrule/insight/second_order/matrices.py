"""The curvature of the cost without its penalty: products with it, small matrices of it, its diagonal.

Two matrices: the Hessian H = ∂²C/∂w², and the Gauss-Newton matrix G = mean_x JᵀSJ, where J is the Jacobian of what the
cost is convex in (the outputs for the quadratic cost, the weighted inputs z of the last layer for a cross-entropy) and
S the cost's Hessian there. G is H without the curvature of the network itself; where the cost is convex there, it has
no negative eigenvalue.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import one_of
from chainrule.errors import OptionError
from chainrule.insight.blocks import each_of, mean_of
from chainrule.insight.compiling import OfSubject, native
from chainrule.insight.gradients import mean_of_each
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import of_vector, shaped, trainable_arrays, with_arrays
from chainrule.nn.activations import Activation
from chainrule.nn.costs import targets_of
from chainrule.nn.objective import is_function
from chainrule.nn.stages import forward, with_variables
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import tree_map
from chainrule.transform import ggn_vp, hessian, hvp, vmap

__all__ = ["KINDS", "gauss_newton_diagonal", "matrix", "product"]

Values = np.ndarray[Any, Any]

#: What each matrix is called in a sentence.
KINDS = {"hessian": "the Hessian", "gauss_newton": "the Gauss-Newton matrix"}

_DIRECTIONS = 64  # at once
_NEGLIGIBLE = 1e-12


def product(subject: Subject, kind: str, direction: Values) -> Values:
    """The curvature's product with a direction, a vector as `parameter_vector` makes them: the mean over examples."""
    directions = direction[None].astype(subject.parameters.dtype)
    found: Values = mean_of(_multiplied(subject, kind), subject, directions)[0]
    return found


def matrix(subject: Subject, kind: str) -> Values:
    """The whole matrix in float64, of shape (parameters, parameters): for small networks."""
    size, multiplied = subject.parameters.count, _multiplied(subject, kind)
    identity = np.eye(size, dtype=subject.parameters.dtype)
    starts = range(0, size, _DIRECTIONS)
    rows = [mean_of(multiplied, subject, identity[n : n + _DIRECTIONS]) for n in starts]
    found: Values = np.concatenate(rows)
    return (found + found.T) / 2


def _multiplied(subject: Subject, kind: str) -> OfSubject:
    found = _PRODUCTS[one_of("curvature", kind, KINDS)]
    if kind == "gauss_newton":
        known_in_outputs(subject)
    return found


def known_in_outputs(subject: Subject) -> None:
    """Refuse a cost of which nobody knows how it hangs on the network's outputs; OptionError."""
    if is_function(subject.objective.cost):
        raise OptionError(
            "the Gauss-Newton matrix asks how the cost curves in the outputs, which a function of the network hides.",
            cure="Use curvature='hessian', or make the cost one of z, a and y: cr.nn.Cost(name, function).",
        )


def gauss_newton_diagonal(subject: Subject) -> Values:
    """The exact diagonal of G as a vector: with S = Σ_c s_c s_cᵀ, the mean over examples of Σ_c (Jᵀs_c)²."""
    known_in_outputs(subject)
    roots = each_of(_roots, subject)
    columns = (np.ascontiguousarray(roots[:, :, c]) for c in range(roots.shape[2]))
    parts = [mean_of(_squares, subject, rows=(c,)) for c in columns if np.abs(c).max() > _NEGLIGIBLE]
    return np.sum(parts, axis=0) if parts else np.zeros(subject.parameters.count)


def _curved_in(subject: Subject, network: Any, x: Any) -> Any:
    """What the cost is convex in, of shape (n, numbers): the outputs' weighted inputs if it reads them, else a."""
    found = forward(with_variables(network), tree_map(as_array, x))
    chosen = found.z if subject.cost_is_of_z else found.a
    return cnp.reshape(chosen, (chosen.shape[0], -1))


def _cost_of(subject: Subject, found: Any, labels: Any) -> Any:
    """The mean cost as a function of what it is convex in."""
    values = cnp.reshape(found, labels.shape) if labels.ndim > 1 else found
    y = targets_of(labels, found.shape[-1], found.dtype)
    a = _activation(subject)(values) if subject.cost_is_of_z else values
    return cnp.mean(subject.objective.cost(values, a, y))


def _activation(subject: Subject) -> Activation:
    """That of the outputs."""
    return forward(with_variables(subject.network), tree_map(as_array, subject.x)).activation


@native
def _hessian_products(subject: Subject, directions: Any) -> Any:
    weights = trainable_arrays(subject.network)

    def cost(arrays: Any) -> Any:
        return subject.cost(with_arrays(subject.network, arrays), subject.x, subject.labels)

    def one(direction: Any) -> Any:
        return of_vector(hvp(cost)(weights, trainable_arrays(shaped(subject.network, direction))))

    return vmap(one)(directions)


@native
def _gauss_newton_products(subject: Subject, directions: Any) -> Any:
    weights = trainable_arrays(subject.network)

    def curved(arrays: Any, x: Any) -> Any:
        return _curved_in(subject, with_arrays(subject.network, arrays), x)

    def one(direction: Any) -> Any:
        whole = ggn_vp(curved, lambda z, labels: _cost_of(subject, z, labels))
        return of_vector(
            whole(weights, trainable_arrays(shaped(subject.network, direction)), subject.x, subject.labels)
        )

    return vmap(one)(directions)


_PRODUCTS = {"hessian": _hessian_products, "gauss_newton": _gauss_newton_products}


def _roots(subject: Subject) -> Values:
    """S of each example as `root rootᵀ`, of shape (examples, numbers, numbers): the s_c are the columns."""
    values, vectors = np.linalg.eigh(_curvature_of_outputs(subject))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0))[:, None, :], subject.parameters.dtype)


@native
def _curvature_of_outputs(subject: Subject) -> Any:
    def of_one(z: Any, label: Any) -> Any:
        return hessian(lambda z: _cost_of(subject, z[None], label[None]))(z)

    return vmap(of_one)(_curved_in(subject, subject.network, subject.x), subject.labels)


@native
def _squares(subject: Subject, column: Any) -> Any:
    def along(network: Any, x: Any, column: Any) -> Any:
        return cnp.sum(_curved_in(subject, network, x) * column)

    return mean_of_each(along, subject.network, (subject.x, column), lambda g: g * g)
