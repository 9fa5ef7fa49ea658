"""chainrule as a worker for derivatives: compiled functions, called as they are, and run on arrays that are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy

import chainrule as cr
from chainrule import numpy as np
from chainrule.trace.tree import flatten
from derivatives_protocol import Way, example, leaves, serve_ways
from protocol import Task

Function = Callable[..., Any]
_ACTIVATIONS: dict[str, Function] = {
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 0.5 * np.tanh(0.5 * z) + 0.5,
    "tanh": np.tanh,
}
_KERNELS = 8  # the slowest ones of a profile


def _cost(activation: str) -> Function:
    """Softmax cross-entropy, the mean over a batch with one-hot targets y."""
    activate = _ACTIVATIONS[activation]

    def cost(weights: Any, x: Any, y: Any) -> Any:
        *hidden, (w, b) = weights
        a = x
        for v, c in hidden:
            a = activate(a @ v.T + c)
        z = a @ w.T + b
        z = z - cr.stop_gradient(np.max(z, axis=1, keepdims=True))
        return np.mean(np.log(np.sum(np.exp(z), axis=1)) - np.sum(y * z, axis=1))

    return cost


def _functions(cost: Function) -> dict[str, Function]:
    """The gradient and the quantities, of (weights, x, y); Hessian times v of (weights, v, x, y)."""
    gradient = cr.grad(cost)

    def each(weights: Any, x: Any, y: Any) -> list[Any]:
        return leaves(cr.per_example(gradient)(weights, x, y))

    def norms(*arguments: Any) -> Any:
        return sum(np.sum(g**2, axis=tuple(range(1, g.ndim))) for g in each(*arguments))

    def gradient_and_norms(*arguments: Any) -> Any:
        return [np.mean(g, axis=0) for g in each(*arguments)], norms(*arguments)

    def second_moment(*arguments: Any) -> Any:
        return [np.mean(g**2, axis=0) for g in each(*arguments)]

    def variance(*arguments: Any) -> Any:
        return [np.mean(g**2, axis=0) - np.mean(g, axis=0) ** 2 for g in each(*arguments)]

    return {
        "gradient": gradient,
        "norms": norms,
        "gradient-and-norms": gradient_and_norms,
        "second-moment": second_moment,
        "variance": variance,
        "per-example": each,
        "hvp": cr.hvp(cost),
        "hessian": cr.hessian(cost),
    }


def _ways(task: Task, quantity: str) -> dict[str, Way]:
    given, functions = example(task), _functions(_cost(task.activation))
    targets = numpy.eye(task.sizes[-1], dtype=numpy.float32)[given.labels]
    direction = (given.direction,) if quantity == "hvp" else ()
    gradient = _Compiled(functions["gradient"], (given.weights, given.x, targets))
    asked = _Compiled(functions[quantity], (given.weights, *direction, given.x, targets))
    ways = {
        "chainrule: gradient": gradient.way(gradient.called),
        "chainrule, arrays kept: gradient": gradient.way(gradient.kept),
        "chainrule": asked.way(asked.called, against="chainrule: gradient"),
        "chainrule, arrays kept": asked.way(asked.kept, against="chainrule, arrays kept: gradient"),
    }
    return ways | ({"only writing": _only_writing(task)} if quantity == "per-example" else {})


class _Compiled:
    """A compiled function with its arguments; as it is called, its results are in fresh arrays."""

    def __init__(self, function: Function, arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = cr.compile(function), arguments
        start = time.perf_counter()
        self._program = self._function.program(*arguments)
        self._seconds = time.perf_counter() - start
        self._inputs = flatten(arguments)[0]
        self._results = [numpy.empty(node.type.shape, node.type.dtype) for node in self._program.graph.outputs]

    def called(self) -> Any:
        """The function, called."""
        return self._function(*self._arguments)

    def kept(self) -> Any:
        """Its program, run on results that are there already."""
        self._program.run(self._inputs, self._results, 0, 1)
        return self._results

    def profile(self) -> str:
        """The slowest kernels."""
        return _slowest(self._program.profile(*self._inputs))

    def way(self, run: Callable[[], Any], against: str | None = None) -> Way:
        """One of the two, as a way."""
        return Way(run, leaves, against, self._seconds, self.profile)


def _slowest(profile: Any) -> str:
    """The head of a profile and its slowest kernels, the slowest first."""
    head, *rows, total = str(profile).rstrip("\n").splitlines()
    ranked = sorted(zip(profile.kernels, rows, strict=True), key=lambda pair: -pair[0].seconds)
    return "\n".join([head, *(row for _, row in ranked[:_KERNELS]), total])


def _only_writing(task: Task) -> Way:
    """As many numbers as the gradients of all examples have, written and nothing else."""
    shapes = [(task.batch, *a.shape) for a in leaves(example(task).weights)]
    arrays = [numpy.empty(shape, numpy.float32) for shape in shapes]

    def run() -> None:
        for array in arrays:
            array.fill(1)

    return Way(run, lambda _: [], against="chainrule, arrays kept: gradient")


if __name__ == "__main__":
    serve_ways(_ways)
