"""A network looked at once, on the shapes of its examples: what there is to know before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.graph.types import Type
from chainrule.nn.activations import Activation
from chainrule.nn.objective import Measured, Objective, is_function
from chainrule.nn.own_code import holds_own_code
from chainrule.nn.parameters import Parameters
from chainrule.nn.stages import Forward, Stage, forward, with_variables
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.tracing import trace
from chainrule.trace.tree import Structure, flatten, unflatten

__all__ = ["Outline", "Rows", "outline", "per_example_cost", "stage_count"]

_ROWS = 2  # examples that a network is looked at on


@dataclass(frozen=True)
class Rows:
    """Examples without their numbers: the structure of x, and the type of each of its arrays for a single example."""

    structure: Structure
    types: tuple[Type, ...]

    @classmethod
    def of(cls, x: Any) -> Rows:
        """Those of examples, a tree of arrays with a row for each."""
        leaves, structure = flatten(x)
        return cls(structure, tuple(Type(np.shape(leaf)[1:], np.asarray(leaf).dtype) for leaf in leaves))

    @property
    def features(self) -> int:
        """How many numbers an example has."""
        return sum(int(np.prod(kind.shape)) for kind in self.types)


@dataclass(frozen=True)
class StageOutline:
    """A stage before anything is computed: its name, its units, the shape of its z for one example, what acts in it."""

    name: str
    activation: Activation
    shape: tuple[int, ...]
    weights: tuple[int, ...]
    biases: tuple[int, ...]
    sources: tuple[int, ...]
    is_dense: bool
    axis: int = -1

    @classmethod
    def of(cls, stage: Stage) -> StageOutline:
        """That of a stage of two examples or more."""
        is_dense, shape = stage.dense is not None and stage.z.ndim == 2, stage.z.shape[1:]
        return cls(
            stage.name, stage.activation, shape, stage.weights, stage.biases, stage.sources, is_dense, stage.axis
        )

    @property
    def units(self) -> int:
        """How many units it has."""
        return self.shape[self.axis if self.axis < 0 else self.axis - 1]


@dataclass(frozen=True)
class Outline:
    """What a network makes of examples: its stages, the shape of its outputs for one, their activation."""

    features: int
    stages: tuple[StageOutline, ...]
    shape: tuple[int, ...]
    activation: Activation

    @property
    def outputs(self) -> int:
        """How many numbers come out at the end, along the last axis."""
        return self.shape[-1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many numbers an example has, and how many units each stage."""
        return (self.features, *(stage.units for stage in self.stages))


def outline(network: Any, x: Any) -> Outline:
    """The outline of a network on examples like these, rows of a tree of arrays; x may be the `Rows` of them.

    Raises what the network raises for examples of their shapes, OptionError for what is no network.
    """
    found = Parameters.of(network)
    types = tuple(Type(np.shape(a), np.asarray(a).dtype) for a in found.arrays)
    rows = x if isinstance(x, Rows) else Rows.of(x)
    look = _looked_at if holds_own_code((found.structure, rows)) else _known
    return look(found.structure, types, rows)


def _looked_at(structure: Structure, types: tuple[Type, ...], rows: Rows) -> Outline:
    found: list[Forward] = []

    def look(*arrays: Array) -> Any:
        network = unflatten(structure, arrays[: len(types)])
        found.append(forward(network, unflatten(rows.structure, arrays[len(types) :])))
        return found[0].a

    several = [kind.with_shape((_ROWS, *kind.shape)) for kind in rows.types]
    with transforming():
        trace(look, flatten(tuple(range(len(types) + len(several))))[1], [*types, *several])
    stages = tuple(map(StageOutline.of, found[0].stages))
    return Outline(rows.features, stages, found[0].a.shape[1:], found[0].activation)


_known = lru_cache(maxsize=64)(_looked_at)


def per_example_cost(objective: Objective, network: Any, x: Any, labels: Any) -> bool:
    """Whether a cost says C_x of each example, not their mean alone; a cost that goes by a name does."""
    return not is_function(objective.cost) or np.ndim(_passed(objective, network, x, labels).costs) == 1


def stage_count(objective: Objective, network: Any, x: Any, labels: Any) -> int:
    """How many stages the examples go through: those of the network, or those that a cost of the user's leads to."""
    if not is_function(objective.cost):
        return len(outline(network, x).stages)
    return len(_passed(objective, network, x, labels).stages)


def _passed(objective: Objective, network: Any, x: Any, labels: Any) -> Measured:
    """A pass of two examples through a network, without their numbers."""
    examples, structure = flatten((network, x, labels))
    few = [np.asarray(leaf) for leaf in examples]
    arrays = len(flatten(network)[0])
    types = [Type(leaf.shape if n < arrays else (_ROWS, *leaf.shape[1:]), leaf.dtype) for n, leaf in enumerate(few)]
    seen: list[Measured] = []

    def look(*leaves: Array) -> Any:
        moved, rows, answers = unflatten(structure, leaves)
        seen.append(replace(objective, penalty=0.0).passed(with_variables(moved), rows, answers))
        return seen[0].costs

    with transforming():
        trace(look, flatten(tuple(range(len(types))))[1], types)
    return seen[0]
