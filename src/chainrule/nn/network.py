"""Layered networks: `z = w a + b`, `a = σ(z)`, layer after layer.

A network is a value: a frozen dataclass that is a tree of its weights and biases, so `grad`, `learn` and `tree_map`
take it as it is. Weights have the shape (out, in): `w[j, k]` goes to neuron j from neuron k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.checks import whole_number, whole_numbers
from chainrule.display import Table, rms
from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.nn.activations import Activation, activation_named
from chainrule.nn.feedforward import Feedforward
from chainrule.nn.initializers import Initializer, initializer_named
from chainrule.nn.layers import Dense, flattened
from chainrule.nn.parameters import float_dtype
from chainrule.nn.recording import layer

__all__ = ["Dense", "Network", "float_dtype"]


@dataclass(frozen=True, eq=False, init=False)
class Network(Feedforward):
    """A network of dense layers with the given sizes, input first.

    `activation` is that of every layer; `output` that of the last one, unless it is the same (for "relu" it is
    "softmax"). Weights start as `initializer` says: "normal" for sigmoid networks, as in Nielsen's chapter 1, "glorot"
    for tanh, "he" for relu. The same seed gives the same network.

    >>> network = Network([784, 30, 10], activation="sigmoid", seed=0)
    >>> network.layers[0].w.shape, network.parameters
    ((30, 784), 23860)
    >>> network(np.zeros((5, 784), np.float32)).shape
    (5, 10)
    """

    layers: tuple[Dense, ...]

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Activation | str = "sigmoid",
        *,
        output: Activation | str | None = None,
        initializer: Initializer | str | None = None,
        seed: int = 0,
        dtype: Any = np.float32,
    ) -> None:
        sizes = whole_numbers("sizes", sizes, 1, fewest=2, cure="Try [784, 30, 10].")
        hidden, last = activation_named(activation), _output_activation(activation, output)
        start = initializer_named(hidden.initializer if initializer is None else initializer)
        random = np.random.default_rng(whole_number("seed", seed, 0))
        activations = [*[hidden] * (len(sizes) - 2), last]
        layers = [
            Dense.of(*pair, activation=one, initializer=start, seed=random, dtype=dtype)
            for pair, one in zip(pairwise(sizes), activations, strict=True)
        ]
        object.__setattr__(self, "layers", tuple(layers))

    @classmethod
    def from_weights(
        cls,
        weights: Sequence[tuple[Any, Any]],
        activation: Activation | str | Sequence[Activation | str] = "sigmoid",
        *,
        output: Activation | str | None = None,
    ) -> Network:
        """The network with the given `(w, b)` of each layer; `activation` is one, or a list of one for each layer.

        Its dtype is the widest of theirs, float64 for whole numbers and lists.
        """
        pairs = _in_one_dtype(weights)
        names: list[Any]
        if isinstance(activation, str | Activation):
            names = [activation] * (len(pairs) - 1) + [_output_activation(activation, output)]
        else:
            names = list(activation) if isinstance(activation, Sequence) else [activation]
        if len(names) != len(pairs):
            raise OptionError(f"{len(pairs)} layers need {len(pairs)} activations, not {len(names)}.")
        layers = tuple(Dense(w, b, name) for (w, b), name in zip(pairs, names, strict=True))
        for number, (one, two) in enumerate(zip(layers, layers[1:], strict=False)):
            if one.outputs != two.inputs:
                raise ShapeError(
                    f"layer {number} has {one.outputs} outputs, but layer {number + 1} takes {two.inputs} inputs."
                )
        return cls._of(layers)

    @classmethod
    def _of(cls, layers: tuple[Dense, ...]) -> Network:
        network = object.__new__(cls)
        object.__setattr__(network, "layers", layers)
        return network

    @property
    def sizes(self) -> list[int]:
        """The number of inputs, and of neurons of each layer."""
        return [self.layers[0].inputs, *(layer.outputs for layer in self.layers)]

    @property
    def inputs(self) -> int:
        """How many numbers it takes for each example."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """How many numbers it gives for each example."""
        return self.layers[-1].outputs

    @property
    def activations(self) -> list[Activation]:
        """The activation of each layer."""
        return [layer.activation for layer in self.layers]

    @property
    def output_activation(self) -> Activation:
        """The activation of the last layer."""
        last: Activation = self.layers[-1].activation
        return last

    def forward(self, x: Any) -> list[tuple[Any, Any]]:
        """`(z, a)` of each layer for examples of shape (examples, inputs), or of any shape of as many numbers."""
        found, a = [], flattened(x, self.inputs, "the network")
        for number, one in enumerate(self.layers):
            with layer(f"layers[{number}]"):
                z = one.weighted_input(a)
                a = one.activated(z)
            found.append((z, a))
        return found

    def output(self, x: Any) -> tuple[Any, Any]:
        """`(z, a)` of the last layer for examples of shape (examples, inputs)."""
        return self.forward(x)[-1]

    def stage_table(self) -> Table:
        """Its layers, a row for each, with the size of their weights and biases (rms)."""
        rows = [
            (n, layer.inputs, layer.outputs, layer.activation.name, rms(layer.w), rms(layer.b))
            for n, layer in enumerate(self.layers)
        ]
        return Table(("layer", "inputs", "neurons", "activation", "w (rms)", "b (rms)"), tuple(rows))

    def __repr__(self) -> str:
        return f"Network({'-'.join(map(str, self.sizes))}, {', '.join(map(str, self.activations))}, {self.dtype})"


# checks


def _output_activation(activation: Any, output: Any) -> Activation:
    """The activation of the last layer: the one that is told, or that which goes with the others."""
    usual = activation_named(activation)
    return activation_named((usual.output or usual) if output is None else output, "output")


def _in_one_dtype(weights: Any) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """The weights and biases of each layer as arrays of the widest dtype among them."""
    layers = [(f"the {kind} of layer {n}", x) for n, pair in enumerate(weights) for kind, x in _named(n, pair)]
    if not layers:
        raise OptionError("a network needs at least one layer of weights.")
    arrays = [_floating(name, x) for name, x in layers]
    dtype = np.result_type(*arrays)
    arrays = [array.astype(dtype, copy=False) for array in arrays]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def _named(number: int, pair: Any) -> list[tuple[str, Any]]:
    try:
        w, b = pair
    except (TypeError, ValueError):
        raise ShapeError(f"layer {number} needs a pair of weights and biases (w, b), not {pair!r}.") from None
    return [("weights", w), ("biases", b)]


def _floating(name: str, x: Any) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(x)
    except ValueError as problem:
        raise ShapeError(f"{name} are not an array of numbers: {problem}.") from None
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    if array.dtype.newbyteorder("=") not in (np.float32, np.float64):
        raise DTypeError(f"{name} must be float32 or float64, not {array.dtype} of shape {array.shape}.")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
