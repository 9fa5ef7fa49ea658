"""The curvature of the cost without its penalty: products with it, small matrices of it, its diagonal.

Two matrices: the Hessian H = ∂²C/∂w², and the Gauss-Newton matrix G = mean_x JᵀSJ, where J is the Jacobian of what the
cost is convex in (the outputs for the quadratic cost, the weighted inputs z of the last layer for a cross-entropy) and
S the cost's Hessian there. G is H without the curvature of the network itself; it has no negative eigenvalue.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import one_of
from chainrule.insight.blocks import each_of, mean_of
from chainrule.insight.compiling import native
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import shaped, vector
from chainrule.nn.costs import cost_function, targets
from chainrule.nn.feedforward import Feedforward
from chainrule.trace.tree import flatten
from chainrule.transform import ggn_vp, grad, hessian, hvp, per_example, vmap

__all__ = ["KINDS", "gauss_newton_diagonal", "matrix", "product"]

Values = np.ndarray[Any, Any]

#: What each matrix is called in a sentence.
KINDS = {"hessian": "the Hessian", "gauss_newton": "the Gauss-Newton matrix"}

_DIRECTIONS = 64  # at once
_NEGLIGIBLE = 1e-12


def product(subject: Subject, kind: str, direction: Values) -> Values:
    """The curvature's product with a direction, a vector as `parameter_vector` makes them: the mean over examples."""
    directions = direction[None].astype(subject.network.dtype)
    found: Values = mean_of(_PRODUCTS[one_of("curvature", kind, KINDS)], subject, directions)[0]
    return found


def matrix(subject: Subject, kind: str) -> Values:
    """The whole matrix in float64, of shape (parameters, parameters): for small networks."""
    size = subject.network.parameters
    identity = np.eye(size, dtype=subject.network.dtype)
    starts = range(0, size, _DIRECTIONS)
    multiplied = _PRODUCTS[one_of("curvature", kind, KINDS)]
    rows = [mean_of(multiplied, subject, identity[n : n + _DIRECTIONS]) for n in starts]
    found: Values = np.concatenate(rows)
    return (found + found.T) / 2


def gauss_newton_diagonal(subject: Subject) -> Values:
    """The exact diagonal of G as a vector: with S = Σ_c s_c s_cᵀ, the mean over examples of Σ_c (Jᵀs_c)²."""
    roots = each_of(_roots, subject)
    columns = (np.ascontiguousarray(roots[:, :, c]) for c in range(roots.shape[2]))
    parts = [mean_of(_squares, subject, rows=(c,)) for c in columns if np.abs(c).max() > _NEGLIGIBLE]
    return np.sum(parts, axis=0) if parts else np.zeros(subject.network.parameters)


def _curved_in(subject: Subject, network: Feedforward, x: Any) -> Any:
    """What the cost is convex in."""
    z, a = network.output(x)
    return a if subject.objective.cost == "quadratic" else z


def _cost_of(subject: Subject, found: Any, labels: Any) -> Any:
    """The mean cost as a function of what it is convex in, which is all that it reads of z and a."""
    formula = cost_function(subject.objective.cost, subject.network.output_activation)
    return cnp.mean(formula(found, found, targets(labels, subject.network)))


@native
def _hessian_products(subject: Subject, directions: Any) -> Any:
    def one(direction: Any) -> Any:
        change = shaped(subject.network, direction)
        return vector(hvp(subject.cost)(subject.network, change, subject.x, subject.labels))

    return vmap(one)(directions)


@native
def _gauss_newton_products(subject: Subject, directions: Any) -> Any:
    def one(direction: Any) -> Any:
        whole = ggn_vp(lambda w, x: _curved_in(subject, w, x), lambda z, labels: _cost_of(subject, z, labels))
        return vector(whole(subject.network, shaped(subject.network, direction), subject.x, subject.labels))

    return vmap(one)(directions)


_PRODUCTS = {"hessian": _hessian_products, "gauss_newton": _gauss_newton_products}


def _roots(subject: Subject) -> Values:
    """S of each example as `root rootᵀ`, of shape (examples, outputs, outputs): the s_c are the columns."""
    values, vectors = np.linalg.eigh(_curvature_of_outputs(subject))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0))[:, None, :], subject.network.dtype)


@native
def _curvature_of_outputs(subject: Subject) -> Any:
    def of_one(z: Any, label: Any) -> Any:
        return hessian(lambda z: _cost_of(subject, z[None], label[None]))(z)

    return vmap(of_one)(_curved_in(subject, subject.network, subject.x), subject.labels)


@native
def _squares(subject: Subject, column: Any) -> Any:
    def along(network: Feedforward, x: Any, column: Any) -> Any:
        return cnp.sum(_curved_in(subject, network, x) * column)

    each = per_example(grad(along))(subject.network, subject.x, column)
    return cnp.concatenate([cnp.mean(g * g, axis=0).reshape(-1) for g in flatten(each)[0]])
