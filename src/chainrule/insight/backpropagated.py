"""One pass forward and one back: what every unit did on every example, and how the cost hangs on it.

The equations are those of `chainrule.nn.propagation`; here δ is the error of a single example, ∂C_x/∂z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.display import Brief
from chainrule.insight.compiling import native
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.gradients import slopes_along
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import of_vector, with_arrays
from chainrule.nn.activations import Activation
from chainrule.nn.outline import StageOutline
from chainrule.nn.parameters import WEIGHT, Parameters
from chainrule.nn.propagation import propagate
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import tree_map
from chainrule.transform import vjp

__all__ = ["EXAMPLES", "Backpropagated", "PassedStage", "backpropagated", "dense_home", "home"]

Values = np.ndarray[Any, Any]

_ROUNDED = 1e-3  # of errors in float32
EXAMPLES = 10_000  # more of them are asked only if one says so


@dataclass(frozen=True, eq=False, repr=False)
class PassedStage(Brief):
    """What went through a stage: `z`, `a` and `delta` of shape (n, …, units), and the derivatives of its parameters.

    Units that lie along another axis are moved to the last.

    `delta` is ∂C_x/∂z, the error of a single example; `gradients` holds ∂C/∂ of each array that acts in the stage, by
    its number in the network's tree, of the mean cost, penalty included. `inputs`, of shape (n, inputs), are what its
    weights multiply, where there is one for each unit and each input; else None.
    """

    outline: StageOutline
    z: Values
    a: Values
    delta: Values
    gradients: dict[int, Values]
    inputs: Values | None

    @property
    def name(self) -> str:
        """What the stage is called: `layers[0]`."""
        return self.outline.name

    @property
    def activation(self) -> Activation:
        """Its σ."""
        return self.outline.activation

    @property
    def units(self) -> int:
        """How many units it has."""
        return self.outline.units

    @property
    def dw(self) -> Values:
        """∂C/∂ of all its weights: of one array as it is, of several one after the other."""
        return _joined([self.gradients[n] for n in self.outline.weights])

    @property
    def db(self) -> Values:
        """∂C/∂ of all its biases."""
        return _joined([self.gradients[n] for n in self.outline.biases])


def _joined(arrays: list[Values]) -> Values:
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.ravel(a) for a in arrays]) if arrays else np.zeros(0)


@dataclass(frozen=True, eq=False, repr=False)
class Backpropagated(Brief):
    """The pass of a subject's examples: `costs` holds C_x of each, `outputs` a of the outputs (None without them).

    `gradients` holds ∂C/∂ of each array of weights or biases, penalty included, by its number in the network's tree.
    """

    subject: Subject
    costs: Values
    outputs: Values | None
    stages: tuple[PassedStage, ...]
    gradients: dict[int, Values]

    @property
    def cost(self) -> float:
        """The mean of C_x, without penalty."""
        return float(self.costs.mean())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the stages."""
        return tuple(stage.name for stage in self.stages)

    @property
    def gradient(self) -> Any:
        """∂C/∂ of every array, penalty included, in the network's tree."""
        return with_arrays(self.subject.network, list(self.gradients.values()))

    @property
    def gradient_vector(self) -> Values:
        """The same as a vector, in float64."""
        return np.asarray(of_vector(list(self.gradients.values())), np.float64)

    def numbers(self, arrays: Sequence[int]) -> Values:
        """All numbers of some arrays of the network: of one as it is, of several one after the other."""
        return _joined([np.asarray(self.subject.parameters.arrays[n]) for n in arrays])

    def home(self, weight: Coordinate) -> int | None:
        """The number of the one stage in which a weight or bias acts; None if there are several, or none."""
        return home([stage.outline for stage in self.stages], weight)

    def dense_home(self, weight: Coordinate) -> int | None:
        """The same, if the weight belongs to one unit and one input there, or the bias to one unit; else None."""
        return dense_home([stage.outline for stage in self.stages], weight)

    def source(self, weight: Coordinate) -> Values | None:
        """The input a_k that the weight multiplies, for each example, shape (n,); ones for a bias."""
        home = self.dense_home(weight)
        if home is None:
            return None
        inputs = self.stages[home].inputs
        assert inputs is not None
        return inputs[:, weight.index[1]] if weight.role == WEIGHT else np.ones(len(inputs), inputs.dtype)

    def error(self, weight: Coordinate) -> Values | None:
        """The error δ_j of the unit that the weight or bias belongs to, for each example, shape (n,)."""
        home = self.dense_home(weight)
        return None if home is None else self.stages[home].delta[:, weight.index[0]]

    def slopes(self, weight: Coordinate) -> Values:
        """∂C_x/∂w of each example, without penalty, shape (n,), in float64."""
        source, error = self.source(weight), self.error(weight)
        if source is not None and error is not None:
            return np.asarray(source, np.float64) * np.asarray(error, np.float64) + 0.0  # no -0
        zeros = tree_map(np.zeros_like, self.subject.network)
        direction = np.asarray(of_vector(_trainable(weight.changed(zeros, 1.0))), np.float64)
        return slopes_along(self.subject, direction)

    def origin(self, stage: int) -> int | None:
        """The stage whose activations the weights of a stage multiply as they are, −1 for the examples; else None."""
        return self._origins[stage]

    @cached_property
    def _origins(self) -> list[int | None]:
        return [self._origin(n) for n in range(len(self.stages))]

    def _origin(self, stage: int) -> int | None:
        inputs = self.stages[stage].inputs
        if inputs is None:
            return None
        for source in self.stages[stage].outline.sources:
            given = self.subject.x if source < 0 else self.stages[source].a
            if isinstance(given, np.ndarray) and np.array_equal(inputs, given.reshape(len(given), -1), equal_nan=True):
                return source
        return None

    def follower(self, stage: int) -> int | None:
        """The one stage to which what comes out of a stage goes, by weights alone; None if there are other ways."""
        return self._followers[stage]

    @cached_property
    def _followers(self) -> list[int | None]:
        return [self._follower(n) for n in range(len(self.stages))]

    def _follower(self, stage: int) -> int | None:
        found = [n for n, other in enumerate(self.stages) if stage in other.outline.sources]
        if len(found) != 1 or self.origin(found[0]) != stage or not self._by_weights(found[0], stage):
            return None
        return found[0]

    def _by_weights(self, following: int, stage: int) -> bool:
        """Whether all of the error of a stage comes back through the weights of the one that follows (BP2)."""
        here, after = self.stages[stage], self.stages[following]
        w = self.numbers(after.outline.weights)
        error = vjp(here.activation, here.z)[1](after.delta @ w)
        bound = _ROUNDED * float(np.nanmax(np.abs(here.delta), initial=0.0))
        return bool(np.allclose(np.asarray(error), here.delta, rtol=_ROUNDED, atol=bound, equal_nan=True))

    @property
    def answers(self) -> Values:
        """The class that the outputs say, for each example, shape (n,)."""
        assert self.outputs is not None
        found: Values = self.outputs.argmax(axis=-1)
        return found

    def label(self, example: int) -> str:
        """The class of an example by name; its targets if they are no classes."""
        subject = self.subject
        if subject.has_classes:
            return subject.named(int(subject.classes[example]))
        return ", ".join(f"{target:.4g}" for target in np.ravel(subject.labels[example]))


def home(stages: Sequence[StageOutline], weight: Coordinate) -> int | None:
    """The number of the one stage in which a weight or bias acts; None if there are several, or none."""
    found = [n for n, stage in enumerate(stages) if weight.array in (*stage.weights, *stage.biases)]
    return found[0] if len(found) == 1 else None


def dense_home(stages: Sequence[StageOutline], weight: Coordinate) -> int | None:
    """The same, if the weight belongs to one unit and one input there, or the bias to one unit; else None."""
    found = home(stages, weight)
    return found if found is not None and stages[found].is_dense else None


def _trainable(network: Any) -> list[Any]:
    found = Parameters.of(network)
    return [found.arrays[n] for n in found.trainable]


def backpropagated(subject: Subject) -> Backpropagated:
    """Everything that one pass gives, in the network's own dtype; compiled where it pays.

    >>> from chainrule.insight.network_and_data import subject_of
    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])])
    >>> backpropagated(subject_of(network, ([[0.0]], [[1.0]]), "quadratic")).stages[0].delta
    array([[-0.125]])
    """
    costs, outputs, stages, gradients = _pass(subject)
    parameters = subject.parameters
    whole = dict(zip(parameters.trainable, gradients, strict=True))
    for n in parameters.numbers(WEIGHT):
        whole[n] = whole[n] + whole[n].dtype.type(subject.objective.penalty) * parameters.arrays[n]
    rows = zip(subject.stages, stages, strict=True)
    passed = tuple(_stage(outline, arrays, whole) for outline, arrays in rows)
    return Backpropagated(subject, costs, outputs[0] if outputs else None, passed, whole)


def _stage(outline: StageOutline, arrays: dict[str, Any], gradients: dict[int, Values]) -> PassedStage:
    mine = {n: gradients[n] for n in (*outline.weights, *outline.biases)}
    inputs = arrays["inputs"][0] if arrays["inputs"] else None
    z, a, delta = (np.moveaxis(arrays[name], outline.axis, -1) for name in ("z", "a", "delta"))
    return PassedStage(outline, z, a, delta, mine, inputs)


@native
def _pass(subject: Subject) -> Any:
    """C_x, the outputs, z, a, δ and the inputs of each stage, and ∂C/∂ of each array of weights or biases."""
    x, labels = tree_map(as_array, (subject.x, subject.labels))
    with transforming():
        n = labels.shape[0]
        found = propagate(subject.objective, subject.network, x, labels, scale=n)
        measured = found.measured
        stages = [
            {
                "z": stage.z,
                "a": stage.a,
                "delta": delta,
                "inputs": [stage.dense.x] if stage.dense is not None and stage.z.ndim == 2 else [],
            }
            for stage, delta in zip(found.stages, found.deltas, strict=True)
        ]
        costs = measured.costs if measured.costs.ndim else subject.costs(subject.network, x, labels)
    outputs = [] if measured.outputs is None else [measured.outputs]
    return costs, outputs, stages, [gradient / n for gradient in found.gradients if gradient is not None]
