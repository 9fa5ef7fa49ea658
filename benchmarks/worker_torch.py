"""PyTorch as a worker: eager mode, one thread, its own layers, costs and optimisers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]
from torch.nn import functional  # type: ignore[import-not-found, unused-ignore]

from protocol import BATCHES, Task, serve


class TorchRunner:
    """A module, an optimiser, and the batches as tensors."""

    compile_seconds: float | None = None

    def __init__(self, task: Task) -> None:
        arrays = np.load(task.arrays)
        self._task = task
        self._module = _module(task)
        self._start = [torch.from_numpy(arrays[f"{kind}{n}"]) for n in range(task.layers) for kind in "wb"]
        x, labels = arrays["x"], arrays["labels"]
        self._batches = [(torch.from_numpy(x[n]), torch.from_numpy(labels[n])) for n in range(BATCHES)]
        self._cost = functional.cross_entropy if task.cost == "cross_entropy" else _quadratic
        self.reset()

    def reset(self) -> None:
        """Copy the first weights back; a new optimiser."""
        parameters = list(self._module.parameters())
        with torch.no_grad():
            for parameter, first in zip(parameters, self._start, strict=True):
                parameter.copy_(first)
        kind: Any = torch.optim.SGD if self._task.optimizer == "sgd" else torch.optim.Adam
        self._optimizer = kind(parameters, lr=self._task.rate)

    def run(self, first: int, count: int) -> float:
        """Train; the cost of the last step."""
        cost: Any = None
        for n in range(first, first + count):
            cost = self._step(*self._batches[n % BATCHES])
        return float(cost)

    def _step(self, x: Any, labels: Any) -> Any:
        self._optimizer.zero_grad(set_to_none=True)
        cost = self._cost(self._module(x), labels)
        cost.backward()
        self._optimizer.step()
        return cost.detach()


def _module(task: Task) -> Any:
    """Linear layers with activations between them; softmax belongs to the cost, as is usual in PyTorch."""
    layers: list[Any] = []
    for n, (inputs, outputs) in enumerate(zip(task.sizes, task.sizes[1:], strict=False)):
        layers.append(nn.Linear(inputs, outputs))
        name = task.output if n == task.layers - 1 else task.activation
        layers += [] if name == "softmax" else [{"sigmoid": nn.Sigmoid, "relu": nn.ReLU}[name]()]
    return nn.Sequential(*layers)


def _quadratic(outputs: Any, labels: Any) -> Any:
    targets = functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
    return 0.5 * (outputs - targets).square().sum() / len(labels)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    serve(TorchRunner)
