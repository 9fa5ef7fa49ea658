"""The stages that examples go through in a network, whatever its tree: found while it runs, not told.

A stage ends where an activation is applied, in a layer of `nn` or in anybody's code that calls `cr.nn.tanh(z)`; what
follows the last one is a stage without an activation. Between the end of a stage and those before it lie the parameters
that act in it, and what reaches it: both are read off the graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import takewhile
from typing import Any

from chainrule import numpy as np
from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.node import Node, in_order, replaced
from chainrule.graph.walks import reached
from chainrule.nn.activations import Activation, identity
from chainrule.nn.parameters import BIAS, WEIGHT, Parameters
from chainrule.nn.recording import Activated, Linear, Notes, noting
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array, variable
from chainrule.trace.tree import Branch, flatten, part, routes, tree_map, written

__all__ = ["Forward", "PairWeights", "Stage", "forward", "stages_towards", "with_variables"]


@dataclass(frozen=True, eq=False)
class PairWeights:
    """Weights of which each pair of a unit and an input has one of its own: `z = x wᵀ + b`.

    `weight` and `bias` are the numbers of the arrays w and b in the network's tree, `bias` None where there is none;
    `x` is what they multiply, of shape (examples, …, inputs).
    """

    weight: int
    bias: int | None
    x: Any


@dataclass(frozen=True, eq=False)
class Stage:
    """What happens at once to all examples: weighted inputs z and activations a, of any shape with examples first.

    `axis` is that of its units. `layer` is the part of the network's tree that its parameters are in, None if they are
    all over it. `weights` and `biases` are the numbers of the arrays that act in it. `sources` are the numbers of the
    stages whose activations reach it, −1 for the examples. `pairs` are its weights, if z is the sum of what they
    multiply, a row for each example, of biases, and of what no parameter acts in, and if they act nowhere else; else it
    is empty.
    """

    name: str
    layer: Any
    activation: Activation
    z: Any
    a: Any
    weights: tuple[int, ...]
    biases: tuple[int, ...]
    sources: tuple[int, ...]
    pairs: tuple[PairWeights, ...]
    axis: int = -1

    @property
    def parameters(self) -> tuple[int, ...]:
        """The numbers of all arrays that act in it."""
        return (*self.weights, *self.biases)

    @property
    def units(self) -> int:
        """How many units it has."""
        return int(self.z.shape[self.axis])

    @property
    def dense(self) -> PairWeights | None:
        """Its weights, if they are one array with a weight for each pair of a unit and an input; else None."""
        return self.pairs[0] if len(self.pairs) == 1 else None


@dataclass(frozen=True, eq=False)
class Forward:
    """A pass forward: the outputs' weighted inputs z, their activations a; and the stages before them, if asked for."""

    z: Any
    a: Any
    activation: Activation
    find: Callable[[Sequence[Node]], tuple[Stage, ...]]

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in the order in which they work."""
        return self.find([self.a.node])

    def leads_to(self, result: Array) -> bool:
        """Whether a result is made of the outputs."""
        return self.a.node in in_order([result.node])

    def stages_towards(self, result: Array) -> tuple[Stage, ...]:
        """The same stages, of which no weights are told as those of pairs that act again after them, in a result."""
        return self.find([result.node])


def with_variables(network: Any) -> Any:
    """The network with Arrays in place of plain arrays, each of them distinct from all others."""
    return tree_map(lambda leaf: leaf if isinstance(leaf, Array) else variable(leaf), network)


def forward(network: Any, x: Any, run: Callable[[Any, Any], Any] | None = None) -> Forward:
    """What goes through a network, a tree of distinct Arrays with a way forward, for examples x, Arrays too.

    `run(network, x)` is `network(x)` unless told.

    Raises ShapeError if the outputs are not of shape (examples, …, units), DTypeError if they are no real numbers.
    """
    if not callable(network):
        raise OptionError(
            f"a {type(network).__name__} of arrays is not called with examples, so that nothing comes out of it.",
            cure="Write cr.nn.Function(function, parameters), or give a cost that is a function (network, x, y).",
        )
    with noting() as notes:
        a = as_array(network(x) if run is None else run(network, x))
    _check_outputs(a, x)
    ends = _ends(notes.activated, [a.node])
    last = _weighted_inputs(a.node, {end.a.node: end for end in ends})
    if last is None:
        last = a.node, identity
        ends = [*ends, Activated(identity, a, a)]
    return Forward(Array(last[0]), a, last[1], partial(_stages, network, notes, ends, x))


def _check_outputs(a: Array, x: Any) -> None:
    if a.ndim < 2:
        raise ShapeError(
            f"a network gives outputs of shape (examples, …, units), not {a.shape}.",
            cure="Give each example a row: write a[:, None] for a single output.",
        )
    examples = {np.shape(leaf)[0] for leaf in flatten(x)[0] if np.ndim(leaf)}
    if a.shape[0] not in examples:
        raise ShapeError(
            f"a network gives outputs for each example, along the first axis, but this one makes the shape {a.shape} "
            f"of {max(examples, default=0)} examples."
        )
    if not a.node.type.is_float:
        raise DTypeError(f"a network gives real numbers, not {a.node.type}, which have no derivatives.")


def stages_towards(result: Array, network: Any, notes: Notes, x: Any) -> tuple[Stage, ...]:
    """The stages that a result depends on, of which nobody knows whether it is outputs."""
    return _stages(network, notes, _ends(notes.activated, [result.node]), x, [result.node])


def _ends(activated: Sequence[Activated], results: Sequence[Node]) -> list[Activated]:
    """Those that the results depend on; of several of the same weighted inputs the last."""
    used = set(in_order(results))
    return list({end.z.node: end for end in activated if end.a.node in used}.values())


def _weighted_inputs(node: Node, ends: Mapping[Node, Activated]) -> tuple[Node, Activation] | None:
    """The z of outputs that are the activations of a stage, or of several of one kind side by side; None for others."""
    if node in ends:
        return ends[node].z.node, ends[node].activation
    if node.op not in (ops.CONCATENATE, ops.RESHAPE):
        return None
    parts = [_weighted_inputs(source, ends) for source in node.inputs]
    known = [source for source in parts if source is not None]
    kinds = {activation for _, activation in known}
    if len(known) < len(parts) or len(kinds) != 1 or not all(kind.elementwise for kind in kinds):
        return None
    return replaced(node, tuple(z for z, _ in known)), kinds.pop()


def _stages(
    network: Any, notes: Notes, ends: Sequence[Activated], x: Any, results: Sequence[Node]
) -> tuple[Stage, ...]:
    walk = _Walk.of(network, notes, x)
    found = [walk.stage(number, end) for number, end in enumerate(ends)]
    acting = Counter(n for stage in found for n in stage.parameters)
    acting.update(walk.back(results)[0])  # what acts after the last stage, in a cost
    rows = {np.shape(leaf)[:1] for leaf in flatten(x)[0]}
    named = Counter(stage.name for stage in found)
    told: Counter[str] = Counter()
    for number, stage in enumerate(found):
        told[stage.name] += 1
        name = stage.name if named[stage.name] == 1 else f"{stage.name} ({told[stage.name]})"
        own = stage.z.shape[:1] in rows and all(acting[n] == 1 for n in stage.parameters)
        pairs = stage.pairs if own else ()
        found[number] = replace(stage, name=name, pairs=pairs)
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Walk:
    """What a walk back from the end of a stage may come to: arrays of the network, ends of earlier stages, pairs."""

    network: Any
    parameters: Parameters
    routes: Sequence[tuple[Branch, ...]]
    numbers: Mapping[Node, int]
    ends: dict[Node, int]
    linear: Mapping[Node, Sequence[PairWeights]]

    @classmethod
    def of(cls, network: Any, notes: Notes, x: Any) -> _Walk:
        parameters = Parameters.of(network)
        numbers = {array.node: n for n, array in enumerate(parameters.arrays)}
        linear = {one.z.node: pairs for one in notes.linear if (pairs := _pair_weights(one, numbers))}
        ends = {leaf.node: -1 for leaf in flatten(x)[0] if isinstance(leaf, Array)}
        return cls(network, parameters, routes(parameters.structure), numbers, ends, linear)

    def stage(self, number: int, end: Activated) -> Stage:
        """The stage that ends there, which later walks end at."""
        summands = self._summands(end.z.node)
        pairs = [pair for node in summands for pair in self.linear.get(node, ())]
        inputs = [as_array(pair.x).node for pair in pairs]
        others, sources = self.back([*(node for node in summands if node not in self.linear), *inputs])
        for node in (end.z.node, end.a.node):
            self.ends.setdefault(node, number)
        of_pairs = [n for pair in pairs for n in (pair.weight, pair.bias) if n is not None]
        acting = sorted({*of_pairs, *others})
        weights = tuple(n for n in acting if self.parameters.roles[n] == WEIGHT)
        biases = tuple(n for n in acting if self.parameters.roles[n] == BIAS)
        own = pairs if not others and len(set(of_pairs)) == len(of_pairs) else []
        route = self._shared_route(acting)
        layer = part(self.network, route) if route or acting == self.parameters.trainable else None
        name = end.layer or written(route) or f"stage {number}"
        return Stage(
            name, layer, end.activation, end.z, end.a, weights, biases, tuple(sorted(sources)), tuple(own), end.axis
        )

    def _summands(self, end: Node) -> list[Node]:
        """What is added up there: the derivative with respect to each is that with respect to the sum."""
        found, stack, opened = [], [end], set()
        while stack:
            node = stack.pop()
            if node.op is ops.ADD and node not in opened and not self._stops(node) and node not in self.linear:
                opened.add(node)
                stack.extend(node.inputs)
            else:
                found.append(node)
        return found

    def _stops(self, node: Node) -> bool:
        return node in self.numbers or node in self.ends

    def back(self, nodes: Iterable[Node]) -> tuple[set[int], set[int]]:
        """What lies before some nodes, back to the ends of stages: the numbers of parameters, and of those stages."""
        met = list(reached(nodes, lambda node: () if self._stops(node) else node.inputs))
        acting = {self.numbers[node] for node in met if node in self.numbers}
        return acting & set(self.parameters.trainable), {self.ends[node] for node in met if node in self.ends}

    def _shared_route(self, numbers: Collection[int]) -> tuple[Branch, ...]:
        """The steps down the tree that lead to all of these arrays."""
        columns = zip(*(self.routes[n][:-1] for n in numbers), strict=False)
        return tuple(column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns))


def _pair_weights(one: Linear, numbers: Mapping[Node, int]) -> list[PairWeights]:
    """The weights of a linear map, if all its weights and biases are arrays of the network; the first has the bias."""
    weights = [_number(w, numbers) if np.ndim(w) == 2 else None for _, w in one.pairs]
    bias = _number(one.b, numbers) if np.shape(one.b) == one.z.shape[-1:] else None
    if None in weights or (bias is None and one.b is not None):
        return []
    rows = zip(weights, one.pairs, strict=True)
    return [PairWeights(w, None if n else bias, x) for n, (w, (x, _)) in enumerate(rows) if w is not None]


def _number(x: Any, numbers: Mapping[Node, int]) -> int | None:
    return numbers.get(x.node) if isinstance(x, Array) else None
