"""PyTorch as a worker for derivatives: torch.func, eager mode, one thread; and autograd through autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import func
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from derivatives_protocol import Example, Way, example, leaves, serve_ways
from protocol import Task

_ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
_GRADIENT = "PyTorch: gradient"


class _Quantities:
    """What is asked of a network, a batch and a direction."""

    def __init__(self, task: Task, given: Example) -> None:
        self._activate = _ACTIVATIONS[task.activation]
        self._weights = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in given.weights]
        self._direction = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in given.direction]
        self._x, self._labels = torch.from_numpy(given.x), torch.from_numpy(given.labels)
        self._recording = [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in self._weights]
        self._each = func.vmap(func.grad(self._cost_of_one), in_dims=(None, 0, 0))

    def gradient(self) -> Any:
        """One pass forward, one backward."""
        return torch.autograd.grad(self._cost(self._recording), leaves(self._recording))

    def norms(self) -> Any:
        return sum(g.flatten(1).square().sum(1) for g in self.per_example())

    def gradient_and_norms(self) -> Any:
        each = self.per_example()
        return [g.mean(0) for g in each], sum(g.flatten(1).square().sum(1) for g in each)

    def second_moment(self) -> Any:
        return [g.square().mean(0) for g in self.per_example()]

    def variance(self) -> Any:
        return [g.square().mean(0) - g.mean(0).square() for g in self.per_example()]

    def per_example(self) -> list[Any]:
        return leaves(self._each(self._weights, self._x, self._labels))

    def hvp(self) -> Any:
        """Forward over backward."""
        return func.jvp(func.grad(self._cost), (self._weights,), (self._direction,))[1]

    def hvp_twice_backward(self) -> Any:
        """The gradient of the gradient's product with the direction."""
        parameters = leaves(self._recording)
        gradient = torch.autograd.grad(self._cost(self._recording), parameters, create_graph=True)
        return torch.autograd.grad(gradient, parameters, leaves(self._direction))

    def hessian(self) -> Any:
        return func.hessian(self._cost)(self._weights)

    def _cost(self, weights: Any) -> Any:
        return functional.cross_entropy(self._outputs(weights, self._x), self._labels)

    def _cost_of_one(self, weights: Any, x: Any, label: Any) -> Any:
        return functional.cross_entropy(self._outputs(weights, x[None]), label[None])

    def _outputs(self, weights: Any, a: Any) -> Any:
        *hidden, (w, b) = weights
        for v, c in hidden:
            a = self._activate(functional.linear(a, v, c))
        return functional.linear(a, w, b)


def _ways(task: Task, quantity: str) -> dict[str, Way]:
    made = _Quantities(task, example(task))
    asked: dict[str, Callable[[], Any]] = {"torch.func": getattr(made, quantity.replace("-", "_"))}
    if quantity == "hvp":
        asked["PyTorch, twice backward"] = made.hvp_twice_backward
    ways = {name: Way(run, _arrays, against=_GRADIENT) for name, run in asked.items()}
    return {_GRADIENT: Way(made.gradient, _arrays)} | ways


def _arrays(tree: Any) -> list[Any]:
    return [t.detach().numpy() for t in leaves(tree)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    serve_ways(_ways)
