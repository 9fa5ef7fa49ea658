"""What networks tell of themselves that know their sizes: layered ones, and ones of any connections."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from chainrule.display import Page, Shown, Table
from chainrule.nn.activations import Activation
from chainrule.nn.parameters import Parameters, astype

__all__ = ["Feedforward"]


class Feedforward(Shown):
    """A network without cycles that knows its sizes. Nobody asks this of a network, but some like to be asked."""

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
    def activations(self) -> Sequence[Activation]:
        """The activation of each stage."""

    @property
    @abstractmethod
    def output_activation(self) -> Activation:
        """The activation of the outputs."""

    @abstractmethod
    def output(self, x: Any) -> tuple[Any, Any]:
        """`(z, a)` of the outputs for examples of shape (examples, inputs)."""

    @abstractmethod
    def stage_table(self) -> Table:
        """Its stages, a row for each, with the size of their weights and biases (rms)."""

    @property
    def parameters(self) -> int:
        """How many weights and biases there are, those that are tied counted once."""
        return Parameters.of(self).count

    @property
    def dtype(self) -> np.dtype[Any]:
        """The element type of the weights."""
        return Parameters.of(self).dtype

    def astype(self, dtype: Any) -> Self:
        """The same network with weights of another dtype."""
        found: Self = astype(self, dtype)
        return found

    def page(self) -> Page:
        """What is shown of it: how large it is, and its stages."""
        title = f"{type(self).__name__} {'-'.join(map(str, self.sizes))}"
        return Page(title, (f"{self.parameters:,} weights and biases, {self.dtype}.", self.stage_table()))

    def __call__(self, x: Any) -> Any:
        """The outputs for examples of shape (examples, inputs)."""
        return self.output(x)[1]
