"""What learning asks of a network, whatever its connections are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.display import Page, Shown, Table

__all__ = ["Feedforward", "Stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Units that work at the same time on examples: their `z` and `a` of shape (examples, units).

    `weights` and `biases` are the places of the arrays that reach them among the leaves of the network, a tree.
    `reaching` are the activations that each unit has a weight of its own for, shape (examples, inputs); None where
    weights are shared or missing.
    """

    name: str
    activation: str
    z: Any
    a: Any
    weights: tuple[int, ...]
    biases: tuple[int, ...]
    reaching: Any


class Feedforward(Shown):
    """A network without cycles: a tree of weights and biases that takes examples to outputs."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """How many numbers it takes for each example."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many numbers it gives for each example."""

    @property
    @abstractmethod
    def sizes(self) -> list[int]:
        """The number of inputs, and of units of each stage."""

    @property
    @abstractmethod
    def activations(self) -> list[str]:
        """The activation of each stage."""

    @property
    @abstractmethod
    def output_activation(self) -> str:
        """The activation of the outputs."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """How many weights and biases there are."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """The element type of the weights."""

    @abstractmethod
    def astype(self, dtype: Any) -> Any:
        """The same network with weights of another dtype."""

    @abstractmethod
    def weight_arrays(self) -> Sequence[Any]:
        """The arrays of weights, without biases, each once."""

    @abstractmethod
    def stages(self, x: Any) -> Sequence[Stage]:
        """What goes through it for examples of shape (examples, inputs), in the order in which units work."""

    @abstractmethod
    def output(self, x: Any) -> tuple[Any, Any]:
        """`(z, a)` of the outputs for examples of shape (examples, inputs)."""

    @abstractmethod
    def stage_table(self) -> Table:
        """Its stages, a row for each, with the size of their weights and biases (rms)."""

    def page(self) -> Page:
        """What is shown of it: how large it is, and its stages."""
        title = f"{type(self).__name__} {'-'.join(map(str, self.sizes))}"
        return Page(title, (f"{self.parameters:,} weights and biases, {self.dtype}.", self.stage_table()))

    def __call__(self, x: Any) -> Any:
        """The outputs for examples of shape (examples, inputs)."""
        return self.output(x)[1]
