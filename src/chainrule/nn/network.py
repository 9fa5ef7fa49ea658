"""Layered networks: `z = w a + b`, `a = σ(z)`, layer after layer.

A network is a value: a frozen dataclass that is a tree of its weights and biases, so `grad`, `learn` and `tree_map`
take it as it is. Weights have the shape (out, in): `w[j, k]` goes to neuron j from neuron k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import one_of, whole_number, whole_numbers
from chainrule.display import Brief, Table, rms
from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.feedforward import Feedforward, Stage
from chainrule.nn.initializers import INITIALIZERS
from chainrule.trace.origins import scope

__all__ = ["Dense", "Network", "float_dtype"]

_DEFAULT_INITIALIZER = {"sigmoid": "normal", "tanh": "glorot", "relu": "he", "softmax": "glorot", "identity": "glorot"}


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Brief):
    """A layer in which every neuron is connected to every input: `a = σ(w a_prev + b)`.

    `w` has the shape (outputs, inputs), `b` (outputs,), `activation` is a name from ACTIVATIONS.
    """

    w: Any
    b: Any
    activation: str

    def __post_init__(self) -> None:
        one_of("activation", self.activation, ACTIVATIONS)
        if np.ndim(self.w) != 2 or np.shape(self.b) != np.shape(self.w)[:1] or 0 in np.shape(self.w):
            raise ShapeError(
                f"a layer needs weights of shape (outputs, inputs) and biases of shape (outputs,), not "
                f"{np.shape(self.w)} and {np.shape(self.b)}."
            )

    @property
    def inputs(self) -> int:
        """How many numbers the layer takes for each example."""
        return int(np.shape(self.w)[1])

    @property
    def outputs(self) -> int:
        """How many neurons the layer has."""
        return int(np.shape(self.w)[0])

    def weighted_input(self, a: Any) -> Any:
        """`z = a wᵀ + b` for activations of shape (examples, inputs)."""
        return a @ self.w.T + self.b

    def activated(self, z: Any) -> Any:
        """`a = σ(z)`."""
        return ACTIVATIONS[self.activation](z)


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
        activation: str = "sigmoid",
        *,
        output: str | None = None,
        initializer: str | None = None,
        seed: int = 0,
        dtype: Any = np.float32,
    ) -> None:
        sizes = whole_numbers("sizes", sizes, 1, fewest=2, cure="Try [784, 30, 10].")
        last = _output_activation(activation, output)
        usual = _DEFAULT_INITIALIZER[activation]
        chosen = one_of("initializer", usual if initializer is None else initializer, INITIALIZERS)
        random = np.random.default_rng(whole_number("seed", seed, 0))
        start, wanted = INITIALIZERS[chosen], float_dtype(dtype)
        layers = []
        for number, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
            w, b = start(inputs, outputs, random)
            name = last if number == len(sizes) - 2 else activation
            layers.append(Dense(w.astype(wanted), b.astype(wanted), name))
        object.__setattr__(self, "layers", tuple(layers))

    @classmethod
    def from_weights(
        cls,
        weights: Sequence[tuple[Any, Any]],
        activation: str | Sequence[str] = "sigmoid",
        *,
        output: str | None = None,
    ) -> Network:
        """The network with the given `(w, b)` of each layer; `activation` is one name, or one for each layer.

        Its dtype is the widest of theirs, float64 for whole numbers and lists.
        """
        pairs = _in_one_dtype(weights)
        if isinstance(activation, str):
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
    def activations(self) -> list[str]:
        """The activation of each layer."""
        return [layer.activation for layer in self.layers]

    @property
    def output_activation(self) -> str:
        """The activation of the last layer."""
        return self.layers[-1].activation

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        return sum(layer.w.size + layer.b.size for layer in self.layers)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The element type of the weights."""
        found: np.dtype[Any] = np.dtype(self.layers[0].w.dtype)
        return found

    def astype(self, dtype: Any) -> Network:
        """The same network with weights of another dtype."""
        wanted = float_dtype(dtype)
        return self._of(tuple(Dense(n.w.astype(wanted), n.b.astype(wanted), n.activation) for n in self.layers))

    def forward(self, x: Any) -> list[tuple[Any, Any]]:
        """`(z, a)` of each layer for examples of shape (examples, inputs)."""
        if np.ndim(x) != 2 or np.shape(x)[1] != self.layers[0].inputs:
            raise ShapeError(
                f"the network takes examples of shape (n, {self.layers[0].inputs}), not {np.shape(x)}.",
                cure="Reshape them, for example with x.reshape(len(x), -1).",
            )
        found, a = [], x
        for number, layer in enumerate(self.layers):
            with scope(f"layers[{number}]"):
                z = layer.weighted_input(a)
                a = layer.activated(z)
            found.append((z, a))
        return found

    def output(self, x: Any) -> tuple[Any, Any]:
        """`(z, a)` of the last layer for examples of shape (examples, inputs)."""
        return self.forward(x)[-1]

    def weight_arrays(self) -> Sequence[Any]:
        """The weights of each layer."""
        return [layer.w for layer in self.layers]

    def stages(self, x: Any) -> Sequence[Stage]:
        """The layers at work on examples of shape (examples, inputs)."""
        passed = self.forward(x)
        reaching = [x, *(a for _, a in passed)]
        return [
            Stage(f"layers[{n}]", layer.activation, z, a, (2 * n,), (2 * n + 1,), reaching[n])
            for n, (layer, (z, a)) in enumerate(zip(self.layers, passed, strict=True))
        ]

    def stage_table(self) -> Table:
        """Its layers, a row for each, with the size of their weights and biases (rms)."""
        rows = [
            (n, layer.inputs, layer.outputs, layer.activation, rms(layer.w), rms(layer.b))
            for n, layer in enumerate(self.layers)
        ]
        return Table(("layer", "inputs", "neurons", "activation", "w (rms)", "b (rms)"), tuple(rows))

    def __repr__(self) -> str:
        return f"Network({'-'.join(map(str, self.sizes))}, {', '.join(self.activations)}, {self.dtype})"


# checks


def _output_activation(activation: Any, output: Any) -> str:
    """The activation of the last layer: the one that is told, or that which goes with the others."""
    usual = one_of("activation", activation, ACTIVATIONS)
    if output is None:
        return "softmax" if usual == "relu" else usual
    return one_of("output", output, ACTIVATIONS)


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """float32 or float64, as weights are; DTypeError for anything else."""
    try:
        wanted: np.dtype[Any] = np.dtype(dtype).newbyteorder("=")
    except TypeError as problem:
        raise DTypeError(f"weights are float32 or float64: {problem}.") from None
    if wanted not in (np.float32, np.float64):
        raise DTypeError(f"weights are float32 or float64, not {wanted}.")
    return wanted


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
