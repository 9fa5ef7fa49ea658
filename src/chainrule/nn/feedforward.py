"""What learning asks of a network, whatever its connections are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.display import Page, Shown, Table

__all__ = ["Feedforward"]


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
    def activations(self) -> Sequence[Any]:
        """The activation of each stage."""

    @property
    @abstractmethod
    def output_activation(self) -> Any:
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
