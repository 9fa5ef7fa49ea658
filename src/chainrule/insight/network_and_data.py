"""What is asked about: a network, the cost that it is judged by, and the examples that it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import real_number, whole_number
from chainrule.display import Brief
from chainrule.errors import DataError, OptionError
from chainrule.learning.configuration import Configuration
from chainrule.learning.examples import Examples, prepared
from chainrule.learning.run import Run
from chainrule.nn.costs import cost_function, targets, usual_cost
from chainrule.nn.feedforward import Feedforward
from chainrule.nn.network import Network
from chainrule.nn.objective import Objective
from chainrule.trace.tree import flatten

__all__ = ["Subject", "network_of", "subject_of"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Subject(Brief):
    """A network, its objective and examples: `x` of shape (n, inputs), labels of (n,) or targets of (n, outputs).

    The functions below are written in the array language: on traced arrays they can be differentiated, batched and
    compiled; the network is the argument to differentiate with respect to. `rows` says where the examples stand in the
    data that they were drawn from; None if they are all of them, in order.
    """

    network: Any  # of layers, where a question is about layers; else any Feedforward
    objective: Objective
    examples: Examples
    class_names: tuple[str, ...] = ()
    rows: Values | None = None

    @property
    def x(self) -> Values:
        """The examples, one a row."""
        found: Values = self.examples.x
        return found

    @property
    def labels(self) -> Values:
        """The class of each example, or its targets."""
        return self.examples.labels

    @property
    def count(self) -> int:
        """How many examples there are."""
        return len(self.examples.x)

    def costs(self, network: Feedforward, x: Any, labels: Any) -> Any:
        """C_x of each example, without penalty."""
        z, a = network.output(x)
        formula = cost_function(self.objective.cost, network.output_activation)
        return formula(z, a, targets(labels, network))

    def cost(self, network: Feedforward, x: Any, labels: Any) -> Any:
        """The mean of C_x over the examples, without penalty."""
        return cnp.mean(self.costs(network, x, labels))

    def total_cost(self, network: Feedforward, x: Any, labels: Any) -> Any:
        """What learning minimises: the mean of C_x, and the penalty."""
        return self.objective.measured(network, x, labels)[0]

    def answers(self, outputs: Any) -> Any:
        """The class that each row of outputs says."""
        return cnp.argmax(outputs, axis=1)

    @property
    def classes(self) -> Values:
        """The class of each example; OptionError if the targets are no classes."""
        if not self.examples.classes:
            raise OptionError("this asks about classes, but the targets are real numbers.")
        labels = self.labels
        found: Values = labels if labels.ndim == 1 else labels.argmax(axis=1)
        return found

    @property
    def unpenalised(self) -> Subject:
        """The same without its penalty."""
        return replace(self, objective=replace(self.objective, penalty=0.0))

    def named(self, label: int) -> str:
        """The name of a class."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    def row(self, example: int) -> int:
        """Where an example stands in the data."""
        return example if self.rows is None else int(self.rows[example])

    def taking(self, examples: Sequence[int] | Values) -> Subject:
        """The same network asked about some of the examples."""
        chosen = np.asarray(examples, np.intp)
        taken = replace(self.examples, x=self.x[chosen], labels=self.labels[chosen])
        return replace(self, examples=taken, rows=chosen if self.rows is None else self.rows[chosen])

    def at_most(self, count: int, seed: int = 0) -> Subject:
        """The same network asked about so many examples, drawn at random if there are more."""
        count = whole_number("examples", count, 1, cure="Try examples=1000.")
        seed = whole_number("seed", seed, 0)
        if count >= self.count:
            return self
        return self.taking(np.sort(np.random.default_rng(seed).choice(self.count, count, replace=False)))


def network_of(asked: Feedforward | Run, *, layers: bool = True) -> Any:
    """The network that is asked about, itself or that of a run; OptionError for another kind."""
    found = asked.network if isinstance(asked, Run) else asked
    if not isinstance(found, Network if layers else Feedforward):
        what = "a Network of layers" if layers else "a network"
        raise OptionError(f"this question is about {what}, or a Run with one, not {type(found).__name__}.")
    return found


def subject_of(
    network: Feedforward | Run,
    data: Any,
    cost: str | None = None,
    l2: float | None = None,
    *,
    layers: bool = True,
    finite: bool = True,
) -> Subject:
    """The subject for a network or a run, and data that are a DataSet or a pair `(x, labels)`.

    A run knows its cost and its penalty λ. For a network the cost is, unless told, the cross-entropy that belongs to
    its outputs, quadratic where there is none; the penalty is none. Data are taken in the network's own dtype.
    Without `layers` the network may have any connections, without `finite` weights that are no finite numbers.

    Raises OptionError for another kind of network or a cost that does not suit it, DataError for data that do not fit,
    or weights of which no derivative says anything.
    """
    known = network.configuration if isinstance(network, Run) else Configuration()
    asked = network_of(network, layers=layers)
    if finite and not all(np.isfinite(leaf).all() for leaf in flatten(asked)[0]):
        cure = "Ask chainrule.insight.diagnose what went wrong."
        raise DataError(
            "some of the network's weights are no finite numbers, so that derivatives say nothing.", cure=cure
        )
    chosen = cost_function(cost or known.cost or usual_cost(asked.output_activation), asked.output_activation)
    examples = prepared(data, asked, asked.dtype)
    factor = (known.l2 or 0.0) if l2 is None else real_number("l2", l2, 0)
    penalty = factor / (known.training_examples or len(examples.x))
    return Subject(asked, Objective(chosen, penalty), examples, tuple(getattr(data, "class_names", ()) or ()))
