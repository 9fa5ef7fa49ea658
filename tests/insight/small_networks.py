"""Small networks with their data, and the slow way to what is asked of them: loops and whole matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule.insight.network_and_data import Subject, subject_of
from chainrule.insight.parameter_vector import shaped, vector

Values = np.ndarray[Any, Any]

#: Activation, outputs, cost, dtype.
KINDS = [
    ("sigmoid", "sigmoid", "quadratic", np.float64),
    ("sigmoid", "sigmoid", "cross_entropy", np.float32),
    ("tanh", "softmax", "cross_entropy", np.float64),
    ("relu", "softmax", "cross_entropy", np.float32),
    ("relu", "identity", "quadratic", np.float64),
    ("tanh", "softmax", "quadratic", np.float64),
]


def small(activation: str, output: str, cost: str, dtype: Any, examples: int = 12, seed: int = 0) -> Subject:
    """A 4-5-3 network on a few examples of three classes."""
    random = np.random.default_rng(seed)
    network = cr.nn.Network([4, 5, 3], activation=activation, output=output, dtype=dtype, seed=seed)
    moved = vector(network) + random.normal(0, 0.3, network.parameters)
    data = (random.normal(size=(examples, 4)), random.integers(0, 3, examples))
    return subject_of(shaped(network, moved.astype(dtype)), data, cost)


def data_of(subject: Subject) -> tuple[Values, Values]:
    """The subject's examples and labels, as a user has them."""
    return subject.x, subject.labels


def tolerance(dtype: Any) -> float:
    """How near a result must be to the slow one, absolutely, where numbers are about 1."""
    return 2e-5 if dtype == np.float32 else 1e-10


def cost_at(subject: Subject, weights: Values) -> float:
    """The mean cost in float64, at another vector of weights."""
    wide = subject.network.astype(np.float64)
    network = shaped(wide, np.asarray(weights, np.float64))
    total = subject.cost(network, subject.x.astype(np.float64), subject.labels)
    return float(total)


def gradients(subject: Subject) -> Values:
    """The gradient of each example, one after the other, of shape (examples, parameters), in float64."""
    wide = subject.network.astype(np.float64)
    rows = [(subject.x[n : n + 1].astype(np.float64), subject.labels[n : n + 1]) for n in range(subject.count)]
    return np.stack([vector(cr.grad(subject.cost)(wide, x, label)) for x, label in rows])


def whole_hessian(subject: Subject) -> Values:
    """∂²C/∂w² as a matrix in float64, from `cr.hessian` of the cost as a function of one vector."""
    wide, x = subject.network.astype(np.float64), subject.x.astype(np.float64)

    def cost(weights: Any) -> Any:
        return subject.cost(shaped(wide, weights), x, subject.labels)

    found: Values = cr.hessian(cost)(np.asarray(vector(wide)))
    return found


def whole_gauss_newton(subject: Subject) -> Values:
    """mean_x JᵀSJ from Jacobians, example by example."""
    wide = subject.network.astype(np.float64)
    total = np.zeros((wide.parameters, wide.parameters))
    for x, label in zip(subject.x.astype(np.float64), subject.labels, strict=True):
        outputs, curved = _model_and_curvature(subject, x, label)
        jacobian = cr.jacobian(outputs)(np.asarray(vector(wide)))
        total += jacobian.T @ curved(outputs(np.asarray(vector(wide)))) @ jacobian
    return total / subject.count


def _model_and_curvature(subject: Subject, x: Values, label: int) -> tuple[Any, Any]:
    wide = subject.network.astype(np.float64)
    quadratic, sigmoid = subject.objective.cost == "quadratic", wide.layers[-1].activation == "sigmoid"

    def outputs(weights: Any) -> Any:
        z, a = shaped(wide, weights).forward(x[None])[-1]
        return (a if quadratic else z)[0]

    def curved(found: Any) -> Values:
        z = np.asarray(found if isinstance(found, np.ndarray) else found.value)
        if quadratic:
            return np.eye(z.size)
        if sigmoid:
            p = 1 / (1 + np.exp(-z))
            return np.diag(p * (1 - p))
        p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        return np.diag(p) - np.outer(p, p)

    return outputs, curved
