"""Networks with any connections from earlier units to later ones: skips, within the hidden units, tied, multiplicative.

    zⱼ = Σₖ wⱼₖ aₖ + bⱼ,    aⱼ = σ(zⱼ)

where k runs over all units that j is connected to, whichever groups they are in. A unit may also be reached by products
of units (sigma-pi): `zⱼ = Σᵢ wⱼᵢ Πₖ aᵢₖ`.

Source: Rumelhart, Hinton & Williams, Learning internal representations by error propagation, in Parallel Distributed
Processing, volume 1, chapter 8, MIT Press 1986.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule import random
from chainrule.checks import one_of, real_number, whole_number
from chainrule.display import Brief, Table, counted, rms
from chainrule.errors import OptionError, ShapeError
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.feedforward import Feedforward, Stage
from chainrule.nn.network import float_dtype
from chainrule.trace.array import scope

__all__ = ["Connected", "Connection", "Units", "Wiring"]

INPUT = "input"
_NAMED = 8  # groups, in one line


@dataclass(frozen=True)
class Units:
    """A group of units that work at the same time: how many, with which activation.

    `bias` is True for biases of their own, False for none, or a name: groups whose biases have the same name share
    them.
    """

    name: str
    size: int
    activation: str = "sigmoid"
    bias: bool | str = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole_number(f"the size of {self.name!r}", self.size, 1))
        one_of(f"the activation of {self.name!r}", self.activation, ACTIVATIONS)

    @property
    def bias_name(self) -> str | None:
        """The name of the biases."""
        return self.name if self.bias is True else self.bias or None


@dataclass(frozen=True, repr=False)
class Connection(Brief):
    """Weights to every unit of a group from every unit of an earlier one, or of several.

    `weights` names them, "source->target" unless told; connections whose weights have the same name are tied: they have
    the same weights. `places[j][k]` says which of the weights goes to unit j from unit k, −1 for none, so that weights
    can be missing, or be shared by many places; without `places` there is one for each pair. With `products`, each a
    tuple of units of the source, the units are reached from the products of those in place of single units.
    """

    source: str | tuple[str, ...]
    target: str
    weights: str = ""
    places: tuple[tuple[int, ...], ...] | None = None
    products: tuple[tuple[int, ...], ...] | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The groups that it comes from."""
        return (self.source,) if isinstance(self.source, str) else self.source

    @property
    def name(self) -> str:
        """The name of its weights."""
        return self.weights or f"{'+'.join(self.sources)}->{self.target}"


@dataclass(frozen=True, repr=False)
class Wiring:
    """What is connected to what: the inputs by name, groups of units in the order in which they work, the outputs."""

    inputs: tuple[tuple[str, int], ...]
    units: tuple[Units, ...]
    connections: tuple[Connection, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        inputs = tuple((name, whole_number(f"the size of {name!r}", size, 1)) for name, size in self.inputs)
        object.__setattr__(self, "inputs", inputs)
        _check(self)

    def __repr__(self) -> str:
        groups = _several([f"{name} {size}" for name, size in self.sizes.items()])
        return f"Wiring({groups}; {counted(len(self.connections), 'connection')}, {self.parameters} parameters)"

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many units each group has, the inputs first."""
        return {**dict(self.inputs), **{units.name: units.size for units in self.units}}

    @cached_property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array of weights: (to, from), or (count,) where `places` says which goes where."""
        return {c.name: self._shape(c) for c in self.connections}

    @cached_property
    def bias_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array of biases."""
        return {units.bias_name: (units.size,) for units in self.units if units.bias_name is not None}

    @property
    def parameters(self) -> int:
        """How many weights and biases there are, those that are tied counted once."""
        return sum(math.prod(shape) for shape in [*self.weight_shapes.values(), *self.bias_shapes.values()])

    def into(self, units: Units) -> list[Connection]:
        """The connections that end at a group."""
        return [c for c in self.connections if c.target == units.name]

    def reach(self, connection: Connection) -> int:
        """How many numbers a connection takes: the units of its sources, or products of them."""
        if connection.products is not None:
            return len(connection.products)
        return sum(self.sizes[name] for name in connection.sources)

    def to_dict(self) -> dict[str, Any]:
        """The wiring as plain lists, numbers and strings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Wiring:
        """The wiring that `to_dict` wrote; OptionError if it is none."""
        try:
            units = tuple(Units(**u) for u in found["units"])
            links = tuple(Connection(**{k: _frozen(v) for k, v in c.items()}) for c in found["connections"])
            parts = {
                name: value if name in ("units", "connections") else _frozen(value) for name, value in found.items()
            }
            return cls(**parts | {"units": units, "connections": links})
        except OptionError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise OptionError(f"this is no wiring: {type(problem).__name__} {problem}.") from None

    def _shape(self, connection: Connection) -> tuple[int, ...]:
        if connection.places is not None:
            return (1 + max(place for row in connection.places for place in row),)
        return (self.sizes[connection.target], self.reach(connection))


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

    weights: dict[str, Any]
    biases: dict[str, Any]
    wiring: Wiring = field(metadata={"static": True})

    def __init__(
        self,
        inputs: int | Mapping[str, int],
        units: Sequence[Units],
        connections: Sequence[Connection | tuple[str, str]],
        *,
        outputs: Sequence[str] = (),
        initial: float = 0.3,
        seed: int = 0,
        dtype: Any = numpy.float32,
    ) -> None:
        named = inputs if isinstance(inputs, Mapping) else {INPUT: inputs}
        links = tuple(c if isinstance(c, Connection) else Connection(*c) for c in connections)
        last = tuple(outputs) or tuple(u.name for u in units[-1:])
        made = self.of(Wiring(tuple(named.items()), tuple(units), links, last), random.key(seed), initial, dtype)
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
    def parameters(self) -> int:
        """How many weights and biases there are, those that are tied counted once."""
        return self.wiring.parameters

    @property
    def dtype(self) -> numpy.dtype[Any]:
        """The element type of the weights."""
        found: numpy.dtype[Any] = numpy.dtype(next(iter([*self.weights.values(), *self.biases.values()])).dtype)
        return found

    @property
    def inputs(self) -> int:
        """How many numbers it takes for each example."""
        return sum(size for _, size in self.wiring.inputs)

    @property
    def outputs(self) -> int:
        """How many numbers it gives for each example."""
        return sum(self.wiring.sizes[name] for name in self.wiring.outputs)

    def astype(self, dtype: Any) -> Connected:
        """The same network with weights of another dtype."""
        wanted = float_dtype(dtype)
        weights, biases = ({n: a.astype(wanted) for n, a in given.items()} for given in (self.weights, self.biases))
        return self.from_weights(self.wiring, weights, biases)

    def forward(self, x: Any, nudges: Mapping[str, Any] | None = None) -> dict[str, tuple[Any, Any]]:
        """`(z, a)` of each group for examples of shape (examples, inputs), the inputs' a among them with z = a.

        `nudges` are added to the weighted inputs z of the groups that it names.
        """
        found = self._inputs(x)
        for units in self.wiring.units:
            with scope(units.name):
                z = self.weighted_input(units, {name: a for name, (_, a) in found.items()})
                if nudges and units.name in nudges:
                    z = z + nudges[units.name]
                found[units.name] = z, ACTIVATIONS[units.activation](z)
        return found

    def weighted_input(self, units: Units, activations: Mapping[str, Any]) -> Any:
        """`z` of a group, shape (examples, units), from the activations of the groups before it."""
        into = self.wiring.into(units)
        parts = [self._reaching(c, activations) @ self.matrix(c).T for c in into]
        if units.bias_name is not None:
            parts.append(self.biases[units.bias_name])
        if not into:  # a row for each example all the same
            first = activations[self.wiring.inputs[0][0]]
            parts[0] = parts[0] + np.zeros_like(first[:, :1])
        return sum(parts[1:], parts[0])

    def matrix(self, connection: Connection) -> Any:
        """The weights of a connection as a matrix (to, from), zeros where there are none."""
        w = self.weights[connection.name]
        if connection.places is None:
            return w
        places = numpy.array(connection.places)
        found = np.take(w, numpy.maximum(places, 0).ravel(), axis=0).reshape(places.shape)
        return found if (places >= 0).all() else np.where(places >= 0, found, 0)

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
    def activations(self) -> list[str]:
        """The activation of each group."""
        return [units.activation for units in self.units]

    @property
    def output_activation(self) -> str:
        """The activation of the outputs; OptionError if they have different ones."""
        found = {units.activation for units in self.wiring.units if units.name in self.wiring.outputs}
        if len(found) > 1:
            raise OptionError(f"the outputs have several activations, {', '.join(sorted(found))}.")
        return found.pop()

    def weight_arrays(self) -> Sequence[Any]:
        """The weights by name, those that are tied once."""
        return list(self.weights.values())

    def stages(self, x: Any) -> Sequence[Stage]:
        """The groups of units at work on examples of shape (examples, inputs)."""
        found = self.forward(x)
        return [self._stage(units, *found[units.name], {n: a for n, (_, a) in found.items()}) for units in self.units]

    @property
    def units(self) -> tuple[Units, ...]:
        """The groups of units in the order in which they work."""
        return self.wiring.units

    def _stage(self, units: Units, z: Any, a: Any, activations: Mapping[str, Any]) -> Stage:
        into, names = self.wiring.into(units), [*self.weights, *(f"bias of {name}" for name in self.biases)]
        weights = tuple(dict.fromkeys(names.index(c.name) for c in into))
        biases = () if units.bias_name is None else (names.index(f"bias of {units.bias_name}"),)
        own = into and all(self._is_own(c) for c in into) and self._shares_no_bias(units)
        reaching = np.concatenate([self._reaching(c, activations) for c in into], axis=1) if own else None
        return Stage(units.name, units.activation, z, a, weights, biases, reaching)

    def _is_own(self, connection: Connection) -> bool:
        """Whether each pair of units has a weight of its own."""
        return connection.places is None and sum(c.name == connection.name for c in self.wiring.connections) == 1

    def _shares_no_bias(self, units: Units) -> bool:
        return units.bias_name is None or sum(u.bias_name == units.bias_name for u in self.units) == 1

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
            rows.append((units.name, units.size, units.activation, sources, size, rms(bias)))
        return Table(("group", "units", "activation", "reached from", "w (rms)", "b (rms)"), tuple(rows))

    def __repr__(self) -> str:
        groups = _several([f"{name} {size}" for name, size in self.wiring.sizes.items()])
        return f"Connected({groups}; {self.parameters} parameters, {self.dtype})"


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _several(names: Sequence[str]) -> str:
    """The names; of many the first and the last."""
    shown = names if len(names) <= _NAMED else [*names[: _NAMED - 2], f"… {len(names) - _NAMED + 1} more …", names[-1]]
    return ", ".join(shown)


def _product(factors: Sequence[Any]) -> Any:
    found = factors[0]
    for factor in factors[1:]:
        found = found * factor
    return found


# checks


def _are_whole(values: Iterable[Any], least: int) -> bool:
    return all(isinstance(n, int | numpy.integer) and not isinstance(n, bool) and n >= least for n in values)


def _check(wiring: Wiring) -> None:
    names = [*(name for name, _ in wiring.inputs), *(units.name for units in wiring.units)]
    _check_names(wiring, names)
    if len(set(names)) < len(names) or not wiring.units:
        raise OptionError(f"groups need names of their own, at least one besides the inputs, not {names}.")
    for units in wiring.units:
        if not wiring.into(units) and units.bias_name is None:
            raise OptionError(f"nothing reaches the units {units.name!r}.")
    for connection in wiring.connections:
        _check_connection(wiring, connection, names)
    _check_tied(wiring)
    unknown = [name for name in wiring.outputs if name not in {u.name for u in wiring.units}]
    if unknown or not wiring.outputs or len(set(wiring.outputs)) < len(wiring.outputs):
        raise OptionError(f"outputs must be groups of units, each once, not {list(wiring.outputs)}.")


def _check_names(wiring: Wiring, names: Sequence[Any]) -> None:
    own = [units.bias for units in wiring.units if not isinstance(units.bias, bool)]
    for name in (*names, *own, *(c.name for c in wiring.connections), *wiring.outputs):
        if not isinstance(name, str) or not name.isprintable():
            raise OptionError(f"names must be text that can be printed, not {name!a}.")


def _check_connection(wiring: Wiring, connection: Connection, names: Sequence[str]) -> None:
    for name in (*connection.sources, connection.target):
        one_of(f"the groups of the connection {connection.name!r}", name, names)
    if not connection.sources or connection.target in dict(wiring.inputs):
        raise OptionError(f"{connection.name}: a connection goes from groups to a group that is no input.")
    if any(names.index(source) >= names.index(connection.target) for source in connection.sources):
        raise OptionError(
            f"{connection.name}: connections go from earlier groups to later ones.",
            cure="For a network that runs in time make a group for each step, with tied weights: cr.nn.unrolled.",
        )
    _check_products(connection, sum(wiring.sizes[name] for name in connection.sources))
    if connection.places is not None:
        _check_places(connection, (wiring.sizes[connection.target], wiring.reach(connection)))


def _check_products(connection: Connection, count: int) -> None:
    products = connection.products
    if products is None:
        return
    if not products or any(not p or not _are_whole(p, least=0) or max(p) >= count for p in products):
        raise OptionError(f"{connection.name}: each product must name some of the {count} units of its source.")


def _check_places(connection: Connection, wanted: tuple[int, int]) -> None:
    places = connection.places or ()
    widths = {len(row) for row in places}
    if len(places) != wanted[0] or widths != {wanted[1]}:
        raise OptionError(f"{connection.name}: places must have {wanted[0]} rows of {wanted[1]}.")
    numbers = [place for row in places for place in row]
    if not _are_whole(numbers, least=-1) or max(numbers) < 0:
        raise OptionError(f"{connection.name}: places are counted from 0, −1 for none, and some weight must be there.")


def _check_tied(wiring: Wiring) -> None:
    shapes = {c.name: wiring._shape(c) for c in wiring.connections}
    for connection in wiring.connections:
        if wiring._shape(connection) != shapes[connection.name]:
            raise OptionError(f"the weights {connection.name!r} are tied, but of different shapes.")
    sizes = {u.bias_name: u.size for u in wiring.units}
    if any(u.bias_name is not None and sizes[u.bias_name] != u.size for u in wiring.units):
        raise OptionError("biases are tied, but of groups of different sizes.")
