"""JAX as a worker, in its fastest form: all steps inside one compiled `lax.scan`, the state donated."""

from __future__ import annotations

import time
from typing import Any

import jax  # type: ignore[import-not-found, unused-ignore]
import numpy as np
from jax import lax  # type: ignore[import-not-found, unused-ignore]
from jax import numpy as jnp  # type: ignore[import-not-found, unused-ignore]

from protocol import BATCHES, Task, serve

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "softmax": lambda z: z}  # softmax is in the cost


class JaxRunner:
    """Compiled scans, one for each number of steps, and the state that goes through them."""

    def __init__(self, task: Task) -> None:
        arrays = np.load(task.arrays)
        self._task = task
        self._start = [(np.ascontiguousarray(arrays[f"w{n}"].T), arrays[f"b{n}"]) for n in range(task.layers)]
        self._x, self._labels = jnp.asarray(arrays["x"]), jnp.asarray(arrays["labels"].astype(np.int32))
        self._scans: dict[int, Any] = {}
        self.reset()
        start = time.perf_counter()
        self._scan(self._order(0, 1))
        self.compile_seconds: float | None = time.perf_counter() - start

    def reset(self) -> None:
        """Fresh arrays of the first state."""
        parameters = jax.tree.map(jnp.array, self._start)
        zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(0 if self._task.optimizer == "sgd" else 2)]
        self._state = jax.block_until_ready((parameters, zeros, jnp.float32(0)))

    def run(self, first: int, count: int) -> float:
        """Train; the cost of the last step."""
        order = self._order(first, count)
        self._state, costs = self._scan(order)(self._state, order, self._x, self._labels)
        return float(np.asarray(jax.block_until_ready(costs))[-1])

    def _order(self, first: int, count: int) -> Any:
        return jnp.asarray(np.arange(first, first + count, dtype=np.int32) % BATCHES)

    def _scan(self, order: Any) -> Any:
        """The compiled program for so many steps."""
        if len(order) not in self._scans:
            lowered = jax.jit(self._steps, donate_argnums=0).lower(self._state, order, self._x, self._labels)
            self._scans[len(order)] = lowered.compile()
        return self._scans[len(order)]

    def _steps(self, state: Any, order: Any, x: Any, labels: Any) -> Any:
        def step(state: Any, n: Any) -> Any:
            cost, gradient = jax.value_and_grad(self._cost)(state[0], x[n], labels[n])
            return self._updated(state, gradient), cost

        return lax.scan(step, state, order)

    def _cost(self, parameters: Any, x: Any, labels: Any) -> Any:
        a = x
        for n, (w, b) in enumerate(parameters):
            last = n == self._task.layers - 1
            a = _ACTIVATIONS[self._task.output if last else self._task.activation](a @ w + b)
        if self._task.cost == "cross_entropy":
            return -jnp.take_along_axis(jax.nn.log_softmax(a), labels[:, None], 1).mean()
        return 0.5 * ((a - jax.nn.one_hot(labels, a.shape[1])) ** 2).sum() / len(labels)

    def _updated(self, state: Any, gradient: Any) -> Any:
        parameters, moments, t = state
        if self._task.optimizer == "sgd":
            return jax.tree.map(lambda w, g: w - self._task.rate * g, parameters, gradient), moments, t
        t = t + 1
        m = jax.tree.map(lambda m, g: _BETA1 * m + (1 - _BETA1) * g, moments[0], gradient)
        v = jax.tree.map(lambda v, g: _BETA2 * v + (1 - _BETA2) * g * g, moments[1], gradient)

        def moved(w: Any, m: Any, v: Any) -> Any:
            return w - self._task.rate * (m / (1 - _BETA1**t)) / (jnp.sqrt(v / (1 - _BETA2**t)) + _EPSILON)

        return jax.tree.map(moved, parameters, m, v), [m, v], t


if __name__ == "__main__":
    serve(JaxRunner)
