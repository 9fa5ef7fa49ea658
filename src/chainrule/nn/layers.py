"""Layers, and networks made of them by hand.

A layer is a frozen dataclass of arrays with a way forward, `__call__(x)`, for examples in the rows of x. So is a
network; there is no other difference. What a layer does differently while it learns, with random numbers or a state of
its own, is its method `training`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

from chainrule import random
from chainrule.checks import whole_number
from chainrule.display import Brief, Page, Shown, Table, brief, counted, rms
from chainrule.errors import OptionError, ShapeError
from chainrule.nn.activations import Activation, activation_named, identity
from chainrule.nn.initializers import initializer_named
from chainrule.nn.named import STATIC
from chainrule.nn.parameters import BIAS, WEIGHT, Parameters, float_dtype
from chainrule.nn.recording import layer, linear
from chainrule.numpy import reshape
from chainrule.trace.tree import flatten

__all__ = ["Dense", "Function", "Sequential", "training"]


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Brief):
    """A layer in which every neuron is connected to every input: `a = σ(w a_prev + b)`.

    `w` has the shape (outputs, inputs), `b` (outputs,); `activation` is an Activation, or the name of one.
    """

    w: Any = field(metadata={"role": WEIGHT})
    b: Any = field(metadata={"role": BIAS})
    activation: Any = field(default=identity, metadata=STATIC)  # a name becomes an Activation

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", activation_named(self.activation))
        if np.ndim(self.w) != 2 or np.shape(self.b) != np.shape(self.w)[:1] or 0 in np.shape(self.w):
            raise ShapeError(
                f"a layer needs weights of shape (outputs, inputs) and biases of shape (outputs,), not "
                f"{np.shape(self.w)} and {np.shape(self.b)}."
            )

    @classmethod
    def of(
        cls,
        inputs: int,
        outputs: int,
        activation: Activation | str = identity,
        *,
        initializer: Any = None,
        seed: int | np.random.Generator = 0,
        dtype: Any = np.float32,
    ) -> Dense:
        """A layer with weights drawn from a seed, as the initialiser says, or the one that suits the activation.

        >>> Dense.of(3, 2, "relu").w.shape
        (2, 3)
        """
        chosen = activation_named(activation)
        start = initializer_named(chosen.initializer if initializer is None else initializer)
        generator = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(_seed(seed))
        sizes = whole_number("inputs", inputs, 1), whole_number("outputs", outputs, 1)
        w, b = (np.asarray(array).astype(float_dtype(dtype)) for array in start(*sizes, generator))
        return cls(w, b, chosen)

    @property
    def inputs(self) -> int:
        """How many numbers the layer takes for each example."""
        return int(np.shape(self.w)[1])

    @property
    def outputs(self) -> int:
        """How many neurons the layer has."""
        return int(np.shape(self.w)[0])

    def __repr__(self) -> str:
        return f"Dense(w={brief(self.w)}, b={brief(self.b)}, activation={self.activation.name!r})"

    def weighted_input(self, a: Any) -> Any:
        """`z = a wᵀ + b` for activations of shape (examples, …, inputs)."""
        return linear(a, self.w, self.b)

    def activated(self, z: Any) -> Any:
        """`a = σ(z)`."""
        return self.activation(z)

    def __call__(self, x: Any) -> Any:
        """`σ(x wᵀ + b)`; examples whose shape holds as many numbers as there are inputs are flattened.

        Raises ShapeError for examples of another size.
        """
        return self.activated(self.weighted_input(flattened(x, self.inputs, "the layer")))


def flattened(x: Any, inputs: int, who: str) -> Any:
    """x with `inputs` numbers along its last axis: as it is, or each example in one row."""
    shape = np.shape(x)
    if len(shape) > 1 and shape[-1] == inputs:
        return x
    if len(shape) > 1 and math.prod(shape[1:]) == inputs:
        return reshape(x, (shape[0], inputs))
    raise ShapeError(
        f"{who} takes examples of shape (n, {inputs}), not {shape}.",
        cure="Reshape them, for example with x.reshape(len(x), -1).",
    )


def _seed(seed: Any) -> int:
    return whole_number("seed", seed, 0)


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Sequential(Shown):
    """Layers one after the other; a layer may be any tree with a way forward, or a function without parameters.

    >>> network = Sequential(Dense.of(784, 30, "tanh"), Dense.of(30, 10, "softmax"))
    >>> network(np.zeros((5, 28, 28), np.float32)).shape
    (5, 10)
    """

    layers: tuple[Any, ...]

    def __init__(self, *layers: Any) -> None:
        if not layers or not all(map(callable, layers)):
            wrong = next((one for one in layers if not callable(one)), None)
            raise OptionError(
                f"a layer is called with examples, which {wrong!r} cannot be." if layers else "there are no layers.",
                cure="Write cr.nn.Sequential(first, second, …), layers or functions.",
            )
        object.__setattr__(self, "layers", layers)

    def __call__(self, x: Any) -> Any:
        """What the last layer makes of what the others made of x.

        Raises ShapeError for a layer that does not take what the one before it gives.
        """
        for number, one in enumerate(self.layers):
            with self._at_work(number, x):
                x = one(x)
        return x

    def training(self, x: Any, key: Any) -> tuple[Any, Sequential]:
        """The same while it learns; each layer has a key of its own."""
        after = []
        for number, one in enumerate(self.layers):
            with self._at_work(number, x):
                x, changed = training(one, x, random.fold_in(key, number))
            after.append(changed)
        return x, Sequential(*after)

    @contextmanager
    def _at_work(self, number: int, x: Any) -> Iterator[None]:
        """While the block runs, that layer is at work on x; what does not fit it is said of it and the one before."""
        try:
            with layer(f"layers[{number}]"):
                yield
        except ShapeError as problem:
            given = f"layers[{number - 1}], {_kind(self.layers[number - 1])}, gives" if number else "it is given"
            what = f"layers[{number}], {_kind(self.layers[number])}: {problem.what.rstrip('.')}; {given} {np.shape(x)}."
            fitting = f"Make it one of {np.shape(x)[-1]} inputs." if number and np.ndim(x) == 2 else problem.cure
            raise ShapeError(what, cure=fitting, where=problem.where) from None

    def page(self) -> Page:
        """What is shown of it: its arrays."""
        return Page("Sequential", array_tables(self))

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


@dataclass(frozen=True, eq=False, repr=False)
class Function(Shown):
    """A plain function of parameters, any tree of arrays, as a network: `function(parameters, x)`.

    >>> network = Function(lambda p, x: x @ p["w"] + p["b"], {"w": np.ones((3, 1)), "b": np.zeros(1)})
    >>> network(np.ones((2, 3))).shape
    (2, 1)
    """

    function: Callable[[Any, Any], Any] = field(metadata=STATIC)
    parameters: Any

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise OptionError(
                f"a function is called with parameters and examples, which a {type(self.function).__name__} cannot be.",
                cure="Write cr.nn.Function(function, parameters), with function(parameters, x).",
            )

    def __call__(self, x: Any) -> Any:
        """What the function gives for the parameters and x."""
        return self.function(self.parameters, x)

    def page(self) -> Page:
        """What is shown of it: its arrays."""
        return Page(repr(self), array_tables(self))

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", str(self.function))
        return f"Function({name}, {counted(len(flatten(self.parameters)[0]), 'array')})"


def _kind(one: Any) -> str:
    """A layer in a word or two."""
    if isinstance(one, Dense):
        return f"a Dense of {one.inputs} inputs and {one.outputs} outputs"
    return f"the {type(one).__name__} {one}" if isinstance(one, Activation) else f"a {type(one).__name__}"


def training(network: Any, x: Any, key: Any) -> tuple[Any, Any]:
    """`(outputs, network)` of a network that learns: with its random numbers drawn from a key, its states moved on.

    A network without a method `training` does what it always does; one of your own hands it on to its parts by this
    function. Raises OptionError for a method that does not give the network back.
    """
    if not learns_differently(network):
        return network(x), network
    found = network.training(x, key)
    if not (isinstance(found, tuple) and len(found) == 2 and flatten(found[1])[1] == flatten(network)[1]):
        raise OptionError(
            f"{type(network).__name__}.training must give its outputs and itself, with its states moved on.",
            cure="Write return outputs, self; or return outputs, dataclasses.replace(self, mean=…).",
        )
    return found


def learns_differently(network: Any) -> bool:
    """Whether the network does something else while it learns: it has a method `training`, of Sequential a layer.

    Raises OptionError for a part that has one, of a network that has none to call it.
    """
    if isinstance(network, Sequential):
        return any(map(learns_differently, network.layers))
    if hasattr(network, "training"):
        return True
    for one in _parts(network):
        if learns_differently(one):
            raise OptionError(
                f"{type(one).__name__} does something else while it learns, but the {type(network).__name__} that it "
                "is in has no method training to make it.",
                cure="Write training(self, x, key), with x, layer = cr.nn.training(self.layer, x, key) for that part.",
            )
    return False


def _parts(tree: Any) -> Sequence[Any]:
    """What a tree consists of, where that may be layers."""
    if isinstance(tree, dict):
        return list(tree.values())
    if is_dataclass(tree) and not isinstance(tree, type):
        return [getattr(tree, f.name) for f in fields(tree) if not f.metadata.get("static")]
    return tree if isinstance(tree, tuple | list) else ()


def array_tables(network: Any) -> tuple[str, Table]:
    """How many weights and biases a network has, and a table with the size of each array (rms)."""
    found = Parameters.of(network)
    rows = [
        (path, "×".join(map(str, np.shape(x))) or "1", role, rms(x))
        for path, x, role in zip(found.paths, found.arrays, found.roles, strict=True)
    ]
    return (
        f"{found.count:,} weights and biases, {found.dtype}.",
        Table(("array", "shape", "role", "rms"), tuple(rows)),
    )
