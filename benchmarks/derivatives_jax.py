"""JAX as a worker for derivatives: compiled functions, each call waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax  # type: ignore[import-not-found, unused-ignore]
import numpy as np
from jax import numpy as jnp  # type: ignore[import-not-found, unused-ignore]

from derivatives_protocol import Way, example, leaves, serve_ways
from protocol import Task

Function = Callable[..., Any]
_ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}
_GRADIENT = "JAX: gradient"


def _cost(activation: str) -> Function:
    activate = _ACTIVATIONS[activation]

    def cost(weights: Any, x: Any, labels: Any) -> Any:
        *hidden, (w, b) = weights
        a = x
        for v, c in hidden:
            a = activate(a @ v.T + c)
        return -jnp.take_along_axis(jax.nn.log_softmax(a @ w.T + b), labels[:, None], 1).mean()

    return cost


def _functions(cost: Function) -> dict[str, Function]:
    """The gradient and the quantities, of (weights, direction, x, labels)."""

    def cost_of_one(weights: Any, x: Any, label: Any) -> Any:
        return cost(weights, x[None], label[None])

    def gradient(weights: Any, _: Any, x: Any, labels: Any) -> Any:
        return jax.grad(cost)(weights, x, labels)

    def each(weights: Any, _: Any, x: Any, labels: Any) -> Any:
        return leaves(jax.vmap(jax.grad(cost_of_one), (None, 0, 0))(weights, x, labels))

    def norms(*arguments: Any) -> Any:
        return sum((g**2).reshape(len(g), -1).sum(1) for g in each(*arguments))

    def second_moment(*arguments: Any) -> Any:
        return [(g**2).mean(0) for g in each(*arguments)]

    def variance(*arguments: Any) -> Any:
        return [(g**2).mean(0) - g.mean(0) ** 2 for g in each(*arguments)]

    def hvp(weights: Any, direction: Any, x: Any, labels: Any) -> Any:
        return jax.jvp(lambda w: jax.grad(cost)(w, x, labels), (weights,), (direction,))[1]

    def hessian(weights: Any, _: Any, x: Any, labels: Any) -> Any:
        return jax.hessian(cost)(weights, x, labels)

    return {
        "gradient": gradient,
        "norms": norms,
        "gradient-and-norms": lambda *arguments: (gradient(*arguments), norms(*arguments)),
        "second-moment": second_moment,
        "variance": variance,
        "per-example": each,
        "hvp": hvp,
        "hessian": hessian,
    }


def _ways(task: Task, quantity: str) -> dict[str, Way]:
    given, functions = example(task), _functions(_cost(task.activation))
    arguments = jax.tree.map(jnp.asarray, (given.weights, given.direction, given.x, given.labels.astype(np.int32)))
    return {
        _GRADIENT: _way(functions["gradient"], arguments, None),
        "JAX": _way(functions[quantity], arguments, _GRADIENT),
    }


def _way(function: Function, arguments: tuple[Any, ...], against: str | None) -> Way:
    compiled = jax.jit(function)
    start = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    seconds = time.perf_counter() - start
    return Way(lambda: jax.block_until_ready(compiled(*arguments)), leaves, against, seconds)


if __name__ == "__main__":
    serve_ways(_ways)
