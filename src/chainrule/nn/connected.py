"""Networks with any connections from earlier units to later ones: skips, within the hidden units, tied, multiplicative.

    zⱼ = Σₖ wⱼₖ aₖ + bⱼ,    aⱼ = σ(zⱼ)

where k runs over all units that j is connected to, whichever groups they are in. A unit may also be reached by products
of units (sigma-pi): `zⱼ = Σᵢ wⱼᵢ Πₖ aᵢₖ`.

Source: Rumelhart, Hinton & Williams, Learning internal representations by error propagation, in Parallel Distributed
Processing, volume 1, chapter 8, MIT Press 1986.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.checks import real_number
from chainrule.display import Table, rms
from chainrule.errors import OptionError, ShapeError
from chainrule.nn.activations import Activation
from chainrule.nn.feedforward import Feedforward
from chainrule.nn.parameters import BIAS, WEIGHT, float_dtype
from chainrule.nn.recording import layer, linear_sum
from chainrule.nn.wiring import Connection, ConnectionLike, Units, Wiring, named_inputs

__all__ = ["Connected"]


@dataclass(frozen=True, eq=False, init=False)
class Connected(Feedforward):
    """A network of groups of units with any connections from earlier groups to later ones.

    `inputs` is the number of inputs, or a mapping of names to numbers if they come in groups; `units` are the groups in
    the order in which they work; `connections` are Connections or pairs of names. Inputs that are not named are the
    group "input"; the outputs are the last group, or those that `outputs` names, side by side. Weights and biases start
    evenly distributed from −`initial` to `initial`, as in 1986; the same seed gives the same network.

    The network is a tree of its `weights` and `biases`, dicts by name, so `grad` and `tree_map` take it as it is.

    Raises OptionError for names that do not fit together, or a connection that goes to an earlier group.

    >>> network = Connected(2, [Units("hidden", 1), Units("output", 1)],
    ...     [("input", "hidden"), ("input", "output"), ("hidden", "output")], seed=0)
    >>> network.parameters, {name: w.shape for name, w in network.weights.items()}
    (7, {'input->hidden': (1, 2), 'input->output': (1, 2), 'hidden->output': (1, 1)})
    >>> network(numpy.zeros((4, 2))).shape
    (4, 1)
    """

    weights: dict[str, Any] = field(metadata={"role": WEIGHT})
    biases: dict[str, Any] = field(metadata={"role": BIAS})
    wiring: Wiring = field(metadata={"static": True})

    def __init__(
        self,
        inputs: int | Mapping[str, int],
        units: Sequence[Units],
        connections: Sequence[ConnectionLike],
        *,
        outputs: Sequence[str] = (),
        initial: float = 0.3,
        seed: int = 0,
        dtype: Any = numpy.float32,
    ) -> None:
        last = tuple(outputs) or tuple(u.name for u in units[-1:])
        connected = tuple(map(Connection.of, connections))
        wiring = Wiring(tuple(named_inputs(inputs).items()), tuple(units), connected, last)
        made = self.of(wiring, random.key(seed), initial, dtype)
        self._set(made.weights, made.biases, made.wiring)

    def _set(self, weights: dict[str, Any], biases: dict[str, Any], wiring: Wiring) -> None:
        for name, value in (("weights", weights), ("biases", biases), ("wiring", wiring)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, wiring: Wiring, key: Any, initial: float = 0.3, dtype: Any = numpy.float32) -> Connected:
        """A network of this wiring with weights and biases drawn from a key, evenly from −initial to initial."""
        wanted, initial = float_dtype(dtype), real_number("initial", initial, 0)
        shapes = [*wiring.weight_shapes.values(), *wiring.bias_shapes.values()]
        keys = random.split(key, max(len(shapes), 1))
        drawn = [
            random.uniform(keys[n], shape, wanted, -initial, initial) if initial else numpy.zeros(shape, wanted)
            for n, shape in enumerate(shapes)
        ]
        count = len(wiring.weight_shapes)
        return cls.from_weights(
            wiring,
            dict(zip(wiring.weight_shapes, drawn[:count], strict=True)),
            dict(zip(wiring.bias_shapes, drawn[count:], strict=True)),
        )

    @classmethod
    def from_weights(cls, wiring: Wiring, weights: Mapping[str, Any], biases: Mapping[str, Any]) -> Connected:
        """The network of this wiring with these weights and biases; ShapeError if one is missing or does not fit."""
        for what, given, wanted in (
            ("weights", weights, wiring.weight_shapes),
            ("biases", biases, wiring.bias_shapes),
        ):
            shapes = {name: tuple(np.shape(array)) for name, array in given.items()}
            if shapes != wanted:
                raise ShapeError(f"the wiring needs {what} of the shapes {wanted}, not {shapes}.")
        made = object.__new__(cls)
        made._set({n: weights[n] for n in wiring.weight_shapes}, {n: biases[n] for n in wiring.bias_shapes}, wiring)
        return made

    @property
    def inputs(self) -> int:
        """How many numbers it takes for each example."""
        return sum(size for _, size in self.wiring.inputs)

    @property
    def outputs(self) -> int:
        """How many numbers it gives for each example."""
        return sum(self.wiring.sizes[name] for name in self.wiring.outputs)

    def forward(
        self, x: Any, nudges: Mapping[str, Any] | None = None, activate: Callable[[Units, Any], Any] | None = None
    ) -> dict[str, tuple[Any, Any]]:
        """`(z, a)` of each group for examples of shape (examples, inputs), the inputs' a among them with z = a.

        `nudges` are added to the weighted inputs z of the groups that it names. `activate(units, z)` gives a, which is
        σ(z) unless told.
        """
        found = self._inputs(x)
        for units in self.wiring.units:
            with layer(units.name):
                z = self.weighted_input(units, {name: a for name, (_, a) in found.items()})
                if nudges and units.name in nudges:
                    z = z + nudges[units.name]
                found[units.name] = z, units.activation(z) if activate is None else activate(units, z)
        return found

    def weighted_input(self, units: Units, activations: Mapping[str, Any]) -> Any:
        """`z` of a group, shape (examples, units), from the activations of the groups before it."""
        into = self.wiring.into(units)
        if not into:  # a row for each example all the same
            return self.biases[str(units.bias_name)] + np.zeros_like(activations[self.wiring.inputs[0][0]][:, :1])
        pairs = [(self._reaching(c, activations), self.matrix(c)) for c in into]
        return linear_sum(pairs, None if units.bias_name is None else self.biases[units.bias_name])

    def matrix(self, connection: Connection) -> Any:
        """The weights of a connection as a matrix (to, from), zeros where there are none."""
        w = self.weights[connection.name]
        if connection.places is None:
            return w
        indices = numpy.array(connection.places)
        found = np.take(w, numpy.maximum(indices, 0).ravel(), axis=0).reshape(indices.shape)
        return found if (indices >= 0).all() else np.where(indices >= 0, found, 0)

    def _reaching(self, connection: Connection, activations: Mapping[str, Any]) -> Any:
        """The activations that a connection takes, shape (examples, units), products of them where it says so."""
        parts = [activations[name] for name in connection.sources]
        a = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if connection.products is None:
            return a
        return np.stack([_product([a[:, k] for k in product]) for product in connection.products], axis=1)

    def _inputs(self, x: Any) -> dict[str, tuple[Any, Any]]:
        if np.ndim(x) != 2 or np.shape(x)[1] != self.inputs:
            raise ShapeError(f"the network takes examples of shape (n, {self.inputs}), not {np.shape(x)}.")
        found, start = {}, 0
        for name, size in self.wiring.inputs:
            part = x[:, start : start + size] if len(self.wiring.inputs) > 1 else x
            found[name] = part, part
            start += size
        return found

    def output(self, x: Any) -> tuple[Any, Any]:
        """`(z, a)` of the outputs, those of several groups side by side."""
        found = self.forward(x)
        pairs = [found[name] for name in self.wiring.outputs]
        if len(pairs) == 1:
            return pairs[0]
        return np.concatenate([z for z, _ in pairs], axis=1), np.concatenate([a for _, a in pairs], axis=1)

    @property
    def sizes(self) -> list[int]:
        """The number of inputs, and of units of each group."""
        return [self.inputs, *(units.size for units in self.units)]

    @property
    def activations(self) -> list[Activation]:
        """The activation of each group."""
        return [units.activation for units in self.units]

    @property
    def output_activation(self) -> Activation:
        """The activation of the outputs; OptionError if they have different ones."""
        found = {units.activation for units in self.wiring.units if units.name in self.wiring.outputs}
        if len(found) > 1:
            raise OptionError(f"the outputs have several activations, {', '.join(sorted(map(str, found)))}.")
        activation: Activation = found.pop()
        return activation

    @property
    def units(self) -> tuple[Units, ...]:
        """The groups of units in the order in which they work."""
        return self.wiring.units

    def stage_table(self) -> Table:
        """Its groups of units, a row for each, with the size of the weights that reach them and of their biases."""
        rows = []
        for units in self.units:
            into = self.wiring.into(units)
            weights = [np.ravel(self.weights[c.name]) for c in into]
            known = all(isinstance(w, numpy.ndarray) for w in weights) and weights
            sources = ", ".join(dict.fromkeys(name for c in into for name in c.sources))
            bias = None if units.bias_name is None else self.biases[units.bias_name]
            size = rms(numpy.concatenate(weights)) if known else None
            rows.append((units.name, units.size, units.activation.name, sources, size, rms(bias)))
        return Table(("group", "units", "activation", "reached from", "w (rms)", "b (rms)"), tuple(rows))

    def __repr__(self) -> str:
        return f"Connected({self.wiring.groups_in_words}; {self.parameters} parameters, {self.dtype})"


def _product(factors: Sequence[Any]) -> Any:
    found = factors[0]
    for factor in factors[1:]:
        found = found * factor
    return found
