"""What is asked about: a network, the cost that it is judged by, and the examples that it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import real_number, whole_number
from chainrule.display import Brief
from chainrule.errors import DataError, OptionError
from chainrule.graph.node import in_order
from chainrule.learning.configuration import Configuration
from chainrule.learning.evaluate import chosen_cost
from chainrule.learning.examples import Examples, prepared
from chainrule.learning.run import Run
from chainrule.nn.costs import Cost, usual_cost
from chainrule.nn.objective import CostFunction, Measured, Objective
from chainrule.nn.outline import Outline, StageOutline, outline, per_example_cost
from chainrule.nn.parameters import Parameters, astype
from chainrule.nn.stages import with_variables
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array, variable
from chainrule.trace.tree import tree_map
from chainrule.transform import vmap

__all__ = ["AskedCost", "Subject", "network_of", "subject_of"]

Values = np.ndarray[Any, Any]
#: A cost, the name of one, a function `(network, x, y)`; None for that of the run, or the usual one.
AskedCost = Cost | CostFunction | str | None
_FEW = 2  # examples, on which the stages of a network are looked at


@dataclass(frozen=True, eq=False, repr=False)
class Subject(Brief):
    """A network, its objective and examples: x with a row for each, labels of shape (n,) or targets of (n, …, outputs).

    The functions below are written in the array language: on traced arrays they can be differentiated, batched and
    compiled; the network is the argument to differentiate with respect to. `rows` says where the examples stand in the
    data that they were drawn from; None if they are all of them, in order.
    """

    network: Any
    objective: Objective = field(metadata={"static": True})
    examples: Examples
    class_names: tuple[str, ...] = ()
    rows: Values | None = None

    @property
    def x(self) -> Any:
        """The examples: an array with a row for each, or a tree of such arrays."""
        return self.examples.x

    @property
    def labels(self) -> Values:
        """The class of each example, or its targets."""
        return self.examples.labels

    @property
    def count(self) -> int:
        """How many examples there are."""
        return self.examples.count

    @property
    def parameters(self) -> Parameters:
        """The arrays of the network."""
        return Parameters.of(self.network)

    @cached_property
    def outline(self) -> Outline:
        """What the network makes of the examples; OptionError if only its cost knows how to call it."""
        if not callable(self.network):
            raise OptionError(
                "this question is about a network's outputs, but only the cost knows how to call this one.",
                cure="Make it one that is called with examples: cr.nn.Function(function, parameters).",
            )
        return outline(self.network, self.x)

    @cached_property
    def stages(self) -> tuple[StageOutline, ...]:
        """The stages that the cost depends on, in the order in which examples go through them."""
        few = self.taking(range(min(_FEW, self.count)))
        with transforming():
            found = few.passed(few.network, tree_map(as_array, few.x), as_array(few.labels)).stages
        return tuple(map(StageOutline.of, found))

    def layers(self) -> tuple[StageOutline, ...]:
        """The stages, for a question about one of them; OptionError if there are none."""
        if not self.stages:
            raise OptionError(
                "the network has no layers that can be seen: one ends where an activation of chainrule.nn is called.",
                cure="Write cr.nn.tanh(z) for np.tanh(z), or make an activation of your own: "
                "cr.nn.Activation(name, function).",
            )
        return self.stages

    @cached_property
    def tells_each(self) -> bool:
        """Whether the cost says C_x of each example of a batch, not their mean alone."""
        return per_example_cost(self.unpenalised.objective, self.network, self.x, self.labels)

    def passed(self, network: Any, x: Any, labels: Any) -> Measured:
        """A pass forward, without penalty, in the dtype of the network, whichever x has."""
        return self.unpenalised.objective.passed(with_variables(network), in_dtype_of(network, x), labels)

    def costs(self, network: Any, x: Any, labels: Any) -> Any:
        """C_x of each example, without penalty: where a cost is a mean alone, that of a batch of one."""
        found = self.passed(network, x, labels).costs
        return found if cnp.ndim(found) else vmap(lambda x, label: self._alone(network, x, label))(x, labels)

    def _alone(self, network: Any, x: Any, label: Any) -> Any:
        batch = tree_map(lambda part: cnp.expand_dims(part, 0), (x, label))
        return self.passed(network, *batch).costs

    def cost(self, network: Any, x: Any, labels: Any) -> Any:
        """The mean of C_x over the examples, without penalty."""
        return self.passed(network, x, labels).cost

    def total_cost(self, network: Any, x: Any, labels: Any) -> Any:
        """What learning minimises: the mean of C_x, and the penalty."""
        return self.objective.passed(with_variables(network), in_dtype_of(network, x), labels).cost

    def answers(self, outputs: Any) -> Any:
        """The class that each row of outputs says."""
        return cnp.argmax(outputs, axis=-1)

    @property
    def cost_is_of_z(self) -> bool:
        """Whether the cost reads the outputs' weighted inputs, as cross-entropies do, not their activations alone."""
        return isinstance(self.objective.cost, Cost) and _reads_z(self.objective.cost)

    @property
    def has_classes(self) -> bool:
        """Whether each example belongs to a class."""
        return self.examples.classes and self.labels.ndim <= 2

    @property
    def classes(self) -> Values:
        """The class of each example; OptionError if the targets are no classes."""
        if not self.has_classes:
            raise OptionError("this asks about classes, but the targets are real numbers.")
        labels = self.labels
        found: Values = labels if labels.ndim == 1 else labels.argmax(axis=1)
        return found

    @property
    def unpenalised(self) -> Subject:
        """The same without its penalty."""
        return replace(self, objective=replace(self.objective, penalty=0.0)) if self.objective.penalty else self

    @property
    def wide(self) -> Subject:
        """The same in float64."""
        return replace(self.widened, examples=tree_map(_widened, self.examples))

    @property
    def widened(self) -> Subject:
        """The same with a network and targets in float64, so that all is computed in it; x is not copied for that."""
        examples = replace(self.examples, labels=_widened(self.labels))
        return replace(self, network=astype(self.network, np.float64), examples=examples)

    def named(self, label: int) -> str:
        """The name of a class."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    def row(self, example: int) -> int:
        """Where an example stands in the data."""
        return example if self.rows is None else int(self.rows[example])

    def taking(self, examples: Sequence[int] | Values) -> Subject:
        """The same network asked about some of the examples."""
        chosen = np.asarray(examples, np.intp)
        taken = replace(self.examples, x=tree_map(lambda part: part[chosen], self.x), labels=self.labels[chosen])
        return replace(self, examples=taken, rows=chosen if self.rows is None else self.rows[chosen])

    def at_most(self, count: int, seed: int = 0) -> Subject:
        """The same network asked about so many examples, drawn at random if there are more."""
        count = whole_number("examples", count, 1, cure="Try examples=1000.")
        seed = whole_number("seed", seed, 0)
        if count >= self.count:
            return self
        return self.taking(np.sort(np.random.default_rng(seed).choice(self.count, count, replace=False)))


def _reads_z(cost: Cost) -> bool:
    with transforming():
        z, a, y = (variable(np.zeros((1, 2))) for _ in range(3))
        return z.node in in_order([as_array(cost(z, a, y)).node])


def in_dtype_of(network: Any, x: Any) -> Any:
    """Examples whose real numbers have the network's dtype, which a network's own code may rely on."""
    dtype = Parameters.of(network).dtype
    return tree_map(lambda part: part if part.dtype.kind != "f" or part.dtype == dtype else part.astype(dtype), x)


def _widened(leaf: Any) -> Any:
    return leaf.astype(np.float64) if np.asarray(leaf).dtype.kind == "f" else leaf


def network_of(asked: Any) -> Any:
    """The network that is asked about, itself or that of a run; OptionError for anything that is none."""
    found = asked.network if isinstance(asked, Run) else asked
    Parameters.of(found)
    return found


def subject_of(
    network: Any, data: Any, cost: AskedCost = None, l2: float | None = None, *, finite: bool = True
) -> Subject:
    """The subject for a network or a run, and data that are a DataSet or a pair `(x, labels)`.

    A run knows its penalty λ and its cost, one that was loaded if that goes by a name of chainrule's. For a network the
    cost is, unless told, the cross-entropy that belongs to its outputs, quadratic where there is none; the penalty is
    none. Data are taken in the network's own dtype. Without `finite` it may have weights that are no finite numbers.

    Raises OptionError for what is no network or a cost that does not suit it, DataError for data that do not fit, or
    weights of which no derivative says anything.
    """
    known = network.configuration if isinstance(network, Run) else Configuration()
    asked = network_of(network)
    parameters = Parameters.of(asked)
    if finite and not all(np.isfinite(array).all() for array in parameters.arrays):
        cure = "Ask chainrule.insight.diagnose what went wrong."
        raise DataError(
            "some of the network's weights are no finite numbers, so that derivatives say nothing.", cure=cure
        )
    examples = prepared(data, asked, parameters.dtype)
    chosen = _cost(asked, examples, _told(cost, network))
    factor = (known.l2 or 0.0) if l2 is None else real_number("l2", l2, 0)
    penalty = factor / (known.training_examples or examples.count)
    return Subject(asked, Objective(chosen, penalty), examples, tuple(getattr(data, "class_names", ()) or ()))


def _told(cost: Any, asked: Any) -> Any:
    """The cost that is asked for, or that of the run; None if there is none."""
    if cost is not None or not isinstance(asked, Run):
        return cost
    if asked.cost is None and asked.configuration.cost is not None:
        raise OptionError(
            f"the run was learnt with a cost of your own, {asked.configuration.cost}, which a name does not tell.",
            cure="Give the cost itself: cost=…, as it was given to learn.",
        )
    return asked.cost


def _cost(network: Any, examples: Examples, told: Any) -> Any:
    if told is None:
        return usual_cost(outline(network, examples.x).activation)
    return chosen_cost(told, network, examples)
