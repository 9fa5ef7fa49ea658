"""BackPACK as a worker for derivatives: its extensions of one pass backward through a PyTorch module, one thread.

BackPACK's quantities are of the terms g_x / n of the mean over n examples, and sums over them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from backpack import backpack, extend, extensions  # type: ignore[import-not-found, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]

from derivatives_protocol import Example, Way, example, leaves, serve_ways
from protocol import Task

_ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
_GRADIENT = "PyTorch for BackPACK: gradient"


class _Pass:
    """A network that an extension can look at while its gradient is computed."""

    def __init__(self, task: Task, given: Example, *, extended: bool) -> None:
        self._module, self._cost = _module(task, given), nn.CrossEntropyLoss()
        if extended:
            self._module, self._cost = extend(self._module), extend(self._cost)
        self._x, self._labels = torch.from_numpy(given.x), torch.from_numpy(given.labels)
        self._parameters = list(self._module.parameters())

    def run(self, *asked: Any) -> list[Any]:
        """One pass forward and backward; the parameters with what the extensions have left on them."""
        self._module.zero_grad(set_to_none=True)
        cost = self._cost(self._module(self._x), self._labels)
        if asked:
            with backpack(*asked):
                cost.backward()
        else:
            cost.backward()
        return self._parameters


def _module(task: Task, given: Example) -> Any:
    layers: list[Any] = []
    for w, b in given.weights:
        linear = nn.Linear(w.shape[1], w.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, _ACTIVATIONS[task.activation]()]
    return nn.Sequential(*layers[:-1])


def _quantities(made: _Pass, n: int) -> dict[str, tuple[Callable[[], Any], float]]:
    """What to run, and the factor from BackPACK's terms to gradients of single examples."""

    def norms() -> Any:
        return sum(p.batch_l2 for p in made.run(extensions.BatchL2Grad()))

    def gradient_and_norms() -> Any:
        parameters = made.run(extensions.BatchL2Grad())
        return [p.grad for p in parameters], sum(p.batch_l2 for p in parameters)

    return {
        "norms": (norms, n**2),
        "gradient-and-norms": (gradient_and_norms, n**2),
        "second-moment": (lambda: [p.sum_grad_squared for p in made.run(extensions.SumGradSquared())], n),
        "variance": (lambda: [p.variance for p in made.run(extensions.Variance())], n**2),
        "per-example": (lambda: [p.grad_batch for p in made.run(extensions.BatchGrad())], n),
    }


def _ways(task: Task, quantity: str) -> dict[str, Way]:
    given = example(task)
    plain = _Pass(task, given, extended=False)
    quantities = _quantities(_Pass(task, given, extended=True), task.batch)
    if quantity not in quantities:
        return {}
    run, factor = quantities[quantity]

    def values(tree: Any) -> list[Any]:
        if quantity == "gradient-and-norms":
            gradient, norms = tree
            return [*_arrays(gradient), factor * norms.numpy()]
        return [factor * a for a in _arrays(tree)]

    gradient = Way(lambda: [p.grad for p in plain.run()], _arrays)
    return {_GRADIENT: gradient, "BackPACK": Way(run, values, against=_GRADIENT)}


def _arrays(tree: Any) -> list[Any]:
    return [t.detach().numpy() for t in leaves(tree)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    serve_ways(_ways)
