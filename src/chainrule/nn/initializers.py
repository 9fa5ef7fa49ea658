"""How weights and biases start. Each gives `(w, b)` of shapes (outputs, inputs) and (outputs,)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.nn.named import Named, checked_name, named

__all__ = ["INITIALIZERS", "Initializer", "glorot", "he", "initializer_named", "normal", "scaled_normal"]

Weights = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
Generator = np.random.Generator


@dataclass(frozen=True, eq=False, repr=False)
class Initializer(Named):
    """How a layer starts: `function(inputs, outputs, random)` gives `(w, b)`, drawn from a NumPy generator.

    >>> zeros = Initializer("zeros", lambda inputs, outputs, random: (np.zeros((outputs, inputs)), np.zeros(outputs)))
    >>> zeros(2, 1, np.random.default_rng(0))[0]
    array([[0., 0.]])
    """

    name: str
    function: Callable[[int, int, Generator], Weights]

    def __post_init__(self) -> None:
        checked_name("an initialiser", self.name)

    @classmethod
    def known(cls) -> Mapping[str, Initializer]:
        """Those that come with chainrule."""
        return INITIALIZERS

    def __call__(self, inputs: int, outputs: int, random: Generator) -> Weights:
        """`(w, b)` of shapes (outputs, inputs) and (outputs,); ShapeError if the function gives others."""
        w, b = self.function(inputs, outputs, random)
        if (np.shape(w), np.shape(b)) != ((outputs, inputs), (outputs,)):
            raise ShapeError(
                f"the initialiser {self.name!r} gives weights and biases of shapes {np.shape(w)} and {np.shape(b)} for "
                f"{inputs} inputs and {outputs} outputs.",
                cure=f"It must give {(outputs, inputs)} and {(outputs,)}.",
            )
        return w, b


def _normal(inputs: int, outputs: int, random: Generator) -> Weights:
    return random.standard_normal((outputs, inputs)), random.standard_normal(outputs)


def _scaled_normal(inputs: int, outputs: int, random: Generator) -> Weights:
    return random.standard_normal((outputs, inputs)) / np.sqrt(inputs), random.standard_normal(outputs)


def _glorot(inputs: int, outputs: int, random: Generator) -> Weights:
    limit = np.sqrt(6 / (inputs + outputs))
    return random.uniform(-limit, limit, (outputs, inputs)), np.zeros(outputs)


def _he(inputs: int, outputs: int, random: Generator) -> Weights:
    return random.standard_normal((outputs, inputs)) * np.sqrt(2 / inputs), np.zeros(outputs)


#: `w, b ~ N(0, 1)`: the start of Nielsen's chapter 1.
normal = Initializer("normal", _normal)
#: `w ~ N(0, 1) / √inputs, b ~ N(0, 1)`: weighted inputs of order 1 (Nielsen, chapter 3).
scaled_normal = Initializer("scaled_normal", _scaled_normal)
#: `w ~ U(±√(6 / (inputs + outputs))), b = 0` (Glorot & Bengio 2010, equation 16): for tanh and sigmoid.
glorot = Initializer("glorot", _glorot)
#: `w ~ N(0, 2 / inputs), b = 0` (He et al. 2015, equation 10): for ReLU.
he = Initializer("he", _he)

#: The initialisers by name.
INITIALIZERS: Mapping[str, Initializer] = MappingProxyType({i.name: i for i in (normal, scaled_normal, glorot, he)})


def initializer_named(asked: Any) -> Initializer:
    """The initialiser that is asked for, itself or by its name; OptionError for anything else."""
    return named("initializer", asked, INITIALIZERS, Initializer)
