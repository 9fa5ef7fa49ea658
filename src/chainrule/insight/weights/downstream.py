"""What comes after one weight, run again for many changes of the weight at once.

A change Δ of `w[j, k]` moves the weighted input of unit j by `Δ·a_k`. Only from there on is the network run, in
float64, so that small changes of the cost are not lost in rounding. Where a weight has no unit and no input of its own,
the whole network is run with the weight changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.graph.rewrite import substituted
from chainrule.insight.backpropagated import Backpropagated, dense_home
from chainrule.insight.compiling import executed, native
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.network_and_data import Subject, in_dtype_of
from chainrule.nn.objective import Measured
from chainrule.nn.parameters import WEIGHT
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import tree_map
from chainrule.transform import jvp, vmap

__all__ = ["Downstream", "Moved", "Now", "downstream", "downstream_of"]

Values = np.ndarray[Any, Any]
_AT_ONCE = 2**24  # numbers of one array


@dataclass(frozen=True, eq=False)
class Now:
    """Of each example, shape (n,): C_x, ∂C_x/∂w, ∂²C_x/∂w², and the class that the outputs say."""

    costs: Values
    slopes: Values
    curvatures: Values
    answers: Values


@dataclass(frozen=True, eq=False)
class Moved:
    """Of each change and each example, shape (changes, n): C_x, and the class that the outputs say."""

    costs: Values
    answers: Values


@dataclass(frozen=True, eq=False)
class Downstream:
    """What the cost of each example is made of, as a function of the change of one weight; all in float64.

    `stage` is the number of the stage that the weight acts in, `z` of shape (n, units) belongs to it, and unit j moves
    by Δ·`source`, a_k of shape (n,). Where no stage can be told, it is None, and so are the others.
    """

    subject: Subject
    weight: Coordinate = field(metadata={"static": True})
    stage: int | None = field(metadata={"static": True})
    z: Any
    source: Any

    def costs(self, change: Any) -> tuple[Any, Any]:
        """C_x of each example, and the class that the outputs say, once the weight is changed."""
        subject = self.subject
        if self.stage is None:
            changed = self.weight.changed(subject.network, change)
            costs = subject.costs(changed, subject.x, subject.labels)
            outputs = changed(in_dtype_of(changed, subject.x)) if callable(changed) else None
            return costs, self._answers(outputs, costs)
        x, labels = tree_map(as_array, (subject.x, subject.labels))
        with transforming():
            passed = subject.passed(subject.network, x, labels)
        return self._run_again(passed, as_array(self._moved(change)))

    def _moved(self, change: Any) -> Any:
        unit = np.eye(self.z.shape[1])[self.weight.index[0]]
        return self.z + cnp.expand_dims(change * self.source, 1) * unit

    def _run_again(self, passed: Measured, z: Array) -> tuple[Any, Any]:
        """What the pass gives with other weighted inputs of the stage: nothing before them is computed."""
        assert self.stage is not None
        wanted = [passed.costs, *([] if passed.outputs is None else [passed.outputs])]
        given = {passed.stages[self.stage].z.node: z.node}
        costs, *outputs = map(Array, substituted([result.node for result in wanted], given))
        return costs, self._answers(outputs[0] if outputs else None, costs)

    def _answers(self, outputs: Any, costs: Any) -> Any:
        return cnp.zeros(costs.shape, np.int64) if outputs is None else self.subject.answers(outputs)

    def now(self) -> Now:
        """The costs of the examples as the weight is, and their first two derivatives with respect to it."""
        return Now(*executed(_now, self._work, self))

    def moved(self, changes: Values) -> Moved:
        """The costs of the examples for each change of the weight, as many changes at once as memory bears."""
        widest = max((stage.units for stage in self.subject.stages), default=1) * self.subject.count
        size = min(len(changes), max(1, _AT_ONCE // widest))
        padded = np.append(changes, np.zeros(-len(changes) % size))
        parts = [executed(_moved, size * self._work, self, some) for some in padded.reshape(-1, size)]
        costs, answers = (np.concatenate(found)[: len(changes)] for found in zip(*parts, strict=True))
        return Moved(costs, answers)

    @property
    def _work(self) -> int:
        return self.subject.count * self.subject.parameters.count


def downstream(subject: Subject, weight: Coordinate) -> Downstream:
    """What comes after a weight, from a pass forward."""
    stage = _stage(subject, weight)
    return _made(subject, weight, stage, *(_forward(subject)[stage] if stage is not None else (None, None)))


def downstream_of(passed: Backpropagated, weight: Coordinate) -> Downstream:
    """What comes after a weight, from a pass that was made."""
    stage = _stage(passed.subject, weight)
    known = (None, None) if stage is None else (passed.stages[stage].z, passed.stages[stage].inputs)
    return _made(passed.subject, weight, stage, *known)


def _stage(subject: Subject, weight: Coordinate) -> int | None:
    """The stage from which the network can be run again: of a cost that is a mean alone there is none."""
    home = dense_home(subject.stages, weight)
    return home if home is not None and subject.tells_each else None


def _made(subject: Subject, weight: Coordinate, stage: int | None, z: Any, inputs: Any) -> Downstream:
    wide = subject.unpenalised.widened
    if stage is None:
        return Downstream(wide, weight, None, None, None)
    source = inputs[:, weight.index[1]] if weight.role == WEIGHT else np.ones(len(inputs))
    return Downstream(wide, weight, stage, _wide(z), _wide(source))


def _wide(array: Values) -> Values:
    return np.ascontiguousarray(array, np.float64)


@native
def _forward(subject: Subject) -> Any:
    """z of each stage, and what its weights multiply."""
    x, labels = tree_map(as_array, (subject.x, subject.labels))
    with transforming():
        stages = subject.passed(subject.network, x, labels).stages
    return [(stage.z, None if stage.dense is None else stage.dense.x) for stage in stages]


def _now(part: Downstream) -> Any:
    zero, one = np.zeros(()), np.ones(())

    def slopes(change: Any) -> Any:
        return jvp(lambda change: part.costs(change)[0], (change,), (one,))

    (costs, first), (_, second) = jvp(slopes, (zero,), (one,))
    return costs, first, second, part.costs(zero)[1]


def _moved(part: Downstream, changes: Any) -> Any:
    return vmap(part.costs)(changes)
