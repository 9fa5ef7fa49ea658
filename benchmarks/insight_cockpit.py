"""A training step that measures all that Cockpit's fullest configuration does, but for its histograms; every step.

Source: Schneider, Dangel and Hennig, Cockpit: a practical debugging tool for the training of deep networks, 2021.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.learning.flow import quantities
from chainrule.learning.step import training_step
from chainrule.nn.objective import Objective
from chainrule.trace.tree import flatten, tree_map

__all__ = ["RATE", "everything", "plain_step", "probes"]

RATE = 0.01
_OBJECTIVE = Objective("cross_entropy")
_SMALL = 1e-12

Tree = Any


def _cost(network: Tree, x: Any, labels: Any) -> Any:
    return _OBJECTIVE.measured(network, x, labels)[0]


_EACH = cr.per_example(cr.grad(_cost))  # the gradient of each example


def _dot(one: Tree, two: Tree) -> Any:
    return sum(cnp.sum(a * b) for a, b in zip(flatten(one)[0], flatten(two)[0], strict=True))


def plain_step(network: Tree, x: Any, labels: Any) -> tuple[Tree, Any]:
    """A step of plain descent, and the cost."""
    cost, gradient = cr.value_and_grad(_cost)(network, x, labels)
    return tree_map(lambda w, g: w - RATE * g, network, gradient), cost


def probes(network: Tree, labels: Any, seed: int) -> dict[str, Any]:
    """What a step needs beside its batch: random signs, labels that the network might have drawn, where it started."""
    random = np.random.default_rng(seed)
    signs = tree_map(lambda w: (2 * random.integers(0, 2, w.shape) - 1).astype(w.dtype), network)
    return {"signs": signs, "sharpest": signs, "drawn": random.permutation(labels), "start": network}


def everything(network: Tree, x: Any, labels: Any, known: dict[str, Any]) -> tuple[Tree, dict[str, Any]]:
    """The same step, and what there is to know of it; the direction in `sharpest` is for the next step."""
    optimizer = cr.optim.SGD(RATE)
    step = training_step(network, (), _OBJECTIVE, optimizer, x, labels)
    seen = step.passed.measured
    *flow, shares = quantities(step, _OBJECTIVE, optimizer, x, labels, measure=True)
    found = {"flow": [*flow, seen.cost, seen.right], "classes": shares}
    found |= _of_gradients(network, x, labels, known["drawn"], seen.cost)
    found |= _of_curvature(network, x, labels, known)
    moved = tree_map(lambda w, v: w - v, step.after[0], known["start"])
    return step.after[0], found | {"distance": cnp.sqrt(_dot(moved, moved))}


def _of_gradients(network: Tree, x: Any, labels: Any, drawn: Any, cost: Any) -> dict[str, Any]:
    """Sizes of gradients, and how the examples' gradients spread."""
    gradient, each, n = cr.grad(_cost)(network, x, labels), _EACH(network, x, labels), len(x)
    parameters, products = sum(g.size for g in flatten(gradient)[0]), _inner_products(each)
    norms, along, squared = cnp.diagonal(products), cnp.mean(products, axis=1), cnp.mean(products)
    second = tree_map(lambda g: cnp.mean(g * g, axis=0), each)
    variance = tree_map(lambda s, g: (s - g * g) * (n / (n - 1)) + _SMALL, second, gradient)
    ratio = _total(tree_map(lambda g, v: g * g / v, gradient, variance)) / parameters
    sampled = tree_map(lambda g: cnp.mean(g * g, axis=0), _EACH(network, x, drawn))
    noise = (cnp.mean(norms) - squared) * (n / (n - 1))
    return {
        "norms": norms,
        "gradient_norm": cnp.sqrt(squared),
        "mean_gsnr": ratio,
        "early_stopping": 1 - n * ratio,
        "norm_test": noise / (n * squared),
        "inner_test": cnp.var(along) / (n * squared**2),
        "orthogonality_test": cnp.mean(norms - along**2 / squared) / (n * squared),
        "cabs": RATE * noise / cost,
        "tic_diagonal": _total(tree_map(lambda s, c: s / (c + 1e-7), second, sampled)),
        "tic_trace": _total(second) / _total(sampled),
    }


def _inner_products(each: Tree) -> Any:
    """g_x · g_y of each two examples."""
    return sum(cnp.einsum(f"x{'ij'[: g.ndim - 1]},y{'ij'[: g.ndim - 1]}->xy", g, g) for g in flatten(each)[0])


def _total(tree: Tree) -> Any:
    return sum(cnp.sum(leaf) for leaf in flatten(tree)[0])


def _of_curvature(network: Tree, x: Any, labels: Any, known: dict[str, Any]) -> dict[str, Any]:
    """The trace by random signs; λ_max by a step of power iteration from the last step's direction."""
    direction = known["sharpest"]
    turned = cr.hvp(_cost)(network, direction, x, labels)
    length = cnp.sqrt(_dot(turned, turned))
    return {
        "largest": _dot(direction, turned) / _dot(direction, direction),
        "sharpest": tree_map(lambda v: v / length, turned),
        "trace": _bend(lambda network: _cost(network, x, labels), network, known["signs"]),
    }


def _bend(cost: Any, network: Tree, direction: Tree) -> Any:
    """`vᵀHv`, the second derivative along a direction."""

    def slope(network: Tree) -> Any:
        return cr.jvp(cost, (network,), (direction,))[1]

    return cr.jvp(slope, (network,), (direction,))[1]
