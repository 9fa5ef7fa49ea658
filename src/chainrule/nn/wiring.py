"""What is connected to what in a network: groups of units, and connections from earlier groups to later ones.

    zⱼ = Σₖ wⱼₖ aₖ + bⱼ,    aⱼ = σ(zⱼ)

where k runs over all units that j is connected to, whichever groups they are in. A unit may also be reached by products
of units (sigma-pi): `zⱼ = Σᵢ wⱼᵢ Πₖ aᵢₖ`.

Source: Rumelhart, Hinton & Williams, Learning internal representations by error propagation, in Parallel Distributed
Processing, volume 1, chapter 8, MIT Press 1986.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy

from chainrule.checks import one_of, whole_number
from chainrule.display import Brief, counted
from chainrule.errors import OptionError
from chainrule.nn.activations import Activation, activation_named, sigmoid

__all__ = ["Connection", "ConnectionLike", "Units", "Wiring", "named_inputs"]

_NAMED = 8  # groups, in one line


@dataclass(frozen=True)
class Units:
    """A group of units that work at the same time: how many, with which activation.

    `bias` is True for biases of their own, False for none, or a name: groups whose biases have the same name share
    them.
    """

    name: str
    size: int
    activation: Any = sigmoid  # an Activation, or the name of one, which becomes it
    bias: bool | str = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole_number(f"the size of {self.name!r}", self.size, 1))
        chosen = activation_named(self.activation, f"the activation of {self.name!r}")
        object.__setattr__(self, "activation", chosen)

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
    tuple of units of the source, the units are reached from the products of those instead of single units.
    """

    source: str | tuple[str, ...]
    target: str
    weights: str = ""
    places: tuple[tuple[int, ...], ...] | None = None
    products: tuple[tuple[int, ...], ...] | None = None

    @classmethod
    def of(cls, given: ConnectionLike) -> Connection:
        """The connection that is given, or that of a pair of names."""
        return given if isinstance(given, Connection) else cls(*given)

    @property
    def sources(self) -> tuple[str, ...]:
        """The groups that it comes from."""
        return (self.source,) if isinstance(self.source, str) else self.source

    @property
    def name(self) -> str:
        """The name of its weights."""
        return self.weights or f"{'+'.join(self.sources)}->{self.target}"


#: A connection, or the names of the groups that it goes from and to.
ConnectionLike = Connection | tuple[str, str]


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
        connections = counted(len(self.connections), "connection")
        return f"Wiring({self.groups_in_words}; {connections}, {self.parameters} parameters)"

    @property
    def groups_in_words(self) -> str:
        """The groups with their sizes; of many the first and the last."""
        groups = [f"{name} {size}" for name, size in self.sizes.items()]
        if len(groups) > _NAMED:
            groups[_NAMED - 2 : -1] = [f"… {len(groups) - _NAMED + 1} more …"]
        return ", ".join(groups)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many units each group has, the inputs first."""
        return {**dict(self.inputs), **{units.name: units.size for units in self.units}}

    @cached_property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array of weights: (to, from), or (count,) where `places` says which goes where."""
        return {c.name: self.weight_shape(c) for c in self.connections}

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

    def weight_shape(self, connection: Connection) -> tuple[int, ...]:
        """The shape of a connection's weights: (to, from), or (count,) where `places` says which goes where."""
        if connection.places is not None:
            return (1 + max(max(row) for row in connection.places),)
        return (self.sizes[connection.target], self.reach(connection))

    def to_dict(self) -> dict[str, Any]:
        """The wiring as plain lists, numbers and strings."""
        units = [{f.name: _plain(getattr(u, f.name)) for f in fields(u)} for u in self.units]
        links = [asdict(c) for c in self.connections]
        return {"inputs": self.inputs, "units": units, "connections": links, "outputs": self.outputs}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Wiring:
        """The wiring that `to_dict` wrote; OptionError if it is none."""
        try:
            parts = {name: _frozen(value) for name, value in found.items()}
            parts["units"] = tuple(Units(**units) for units in found["units"])
            parts["connections"] = tuple(
                Connection(**{name: _frozen(value) for name, value in c.items()}) for c in found["connections"]
            )
            return cls(**parts)
        except OptionError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise OptionError(f"this is no wiring: {type(problem).__name__} {problem}.") from None


def named_inputs(inputs: int | Mapping[str, int]) -> dict[str, int]:
    """Groups of inputs by name; those without a name are the group "input"."""
    return dict(inputs) if isinstance(inputs, Mapping) else {"input": inputs}


def _plain(value: Any) -> Any:
    """An activation by its name."""
    return value.name if isinstance(value, Activation) else value


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


# checks: what comes later may rely on what was checked before


def _check(wiring: Wiring) -> None:
    _check_names(wiring)
    _check_groups(wiring)
    for connection in wiring.connections:
        _check_ends(wiring, connection)
        _check_products(wiring, connection)
        _check_places(wiring, connection)
    _check_tied_weights(wiring)
    _check_tied_biases(wiring)
    _check_outputs(wiring)


def _group_names(wiring: Wiring) -> list[str]:
    return [*(name for name, _ in wiring.inputs), *(units.name for units in wiring.units)]


def _check_names(wiring: Wiring) -> None:
    biases = [units.bias for units in wiring.units if not isinstance(units.bias, bool)]
    weights = [connection.name for connection in wiring.connections]
    for name in (*_group_names(wiring), *biases, *weights, *wiring.outputs):
        if not isinstance(name, str) or not name.isprintable():
            raise OptionError(f"names must be text that can be printed, not {name!a}.")


def _check_groups(wiring: Wiring) -> None:
    names = _group_names(wiring)
    if _repeats(names) or not wiring.units:
        raise OptionError(f"groups need names of their own, at least one besides the inputs, not {names}.")
    for units in wiring.units:
        if not wiring.into(units) and units.bias_name is None:
            raise OptionError(f"nothing reaches the units {units.name!r}.")


def _check_ends(wiring: Wiring, connection: Connection) -> None:
    """It goes from groups that there are to a later one that is no input."""
    names = _group_names(wiring)
    for name in (*connection.sources, connection.target):
        one_of(f"the groups of the connection {connection.name!r}", name, names)
    if not connection.sources or connection.target in dict(wiring.inputs):
        raise OptionError(f"{connection.name}: a connection goes from groups to a group that is no input.")
    if max(map(names.index, connection.sources)) >= names.index(connection.target):
        raise OptionError(
            f"{connection.name}: connections go from earlier groups to later ones.",
            cure="For a network that runs in time make a group for each step, with tied weights: cr.nn.unrolled.",
        )


def _check_products(wiring: Wiring, connection: Connection) -> None:
    if connection.products is None:
        return
    count = sum(wiring.sizes[name] for name in connection.sources)
    if not connection.products or not all(p and _are_indices(p, 0, count) for p in connection.products):
        raise OptionError(f"{connection.name}: each product must name some of the {count} units of its source.")


def _check_places(wiring: Wiring, connection: Connection) -> None:
    if connection.places is None:
        return
    rows, columns = wiring.sizes[connection.target], wiring.reach(connection)
    if len(connection.places) != rows or any(len(row) != columns for row in connection.places):
        raise OptionError(f"{connection.name}: places must have {rows} rows of {columns}.")
    indices = [index for row in connection.places for index in row]
    if not _are_indices(indices, -1) or max(indices) < 0:
        raise OptionError(f"{connection.name}: places are counted from 0, −1 for none, and some weight must be there.")


def _check_tied_weights(wiring: Wiring) -> None:
    for connection in wiring.connections:
        if wiring.weight_shape(connection) != wiring.weight_shapes[connection.name]:
            raise OptionError(f"the weights {connection.name!r} are tied, but of different shapes.")


def _check_tied_biases(wiring: Wiring) -> None:
    for units in wiring.units:
        if units.bias_name is not None and wiring.bias_shapes[units.bias_name] != (units.size,):
            raise OptionError("biases are tied, but of groups of different sizes.")


def _check_outputs(wiring: Wiring) -> None:
    groups = {units.name for units in wiring.units}
    if not wiring.outputs or not groups.issuperset(wiring.outputs) or _repeats(wiring.outputs):
        raise OptionError(f"outputs must be groups of units, each once, not {list(wiring.outputs)}.")


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def _are_indices(values: Iterable[Any], least: int, end: float = math.inf) -> bool:
    """Whether all are whole numbers from the least to before the end."""
    return all(isinstance(n, int | numpy.integer) and not isinstance(n, bool) and least <= n < end for n in values)
