"""What is examined: a network on its examples, the run it comes from, and one pass that all rows read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.graph.types import Type
from chainrule.insight.backpropagated import Backpropagated, PassedStage, backpropagated
from chainrule.insight.gradients import example_gradients
from chainrule.insight.levels import rms
from chainrule.insight.network_and_data import Subject
from chainrule.insight.wording import stage_name
from chainrule.learning.flow import Flow
from chainrule.learning.optimizers import Optimizer
from chainrule.learning.run import Record, Run
from chainrule.nn.activations import Activation
from chainrule.nn.objective import is_function
from chainrule.nn.outline import Rows, StageOutline, outline
from chainrule.nn.parameters import Parameters
from chainrule.trace.tree import flatten, unflatten

__all__ = ["Case"]

Values = np.ndarray[Any, Any]
_LEARNED = 0.6  # of the cost of knowing nothing, gone: what may hinder learning did not hinder it much
_EARLY, _LATE = 0.1, 0.25  # of the records


@dataclass(frozen=True, eq=False)
class Case:
    """A network or a run, with examples or without; optimiser and batch where they are known.

    What the rows need is named in `has`: "network" (with examples, all numbers finite), "numbers" (with examples),
    "table" (examples that are real numbers in one array), "flow" (a run that was watched), "levels" (stages, of one of
    the two), "history", "classes", "targets" (that are no classes), "outputs" (in a row, of a cost of z, a and y),
    "validation", "optimizer".
    """

    network: Any
    subject: Subject | None = None
    run: Run | None = None
    optimizer: Optimizer | None = None
    batch: int | None = None
    validation: Subject | None = None
    seed: int = 0

    @cached_property
    def has(self) -> frozenset[str]:
        """What is known."""
        known = {
            "history": bool(self.history),
            "flow": self.run is not None and self.run.flow is not None and len(self.run.flow) > 0,
            "validation": self.validation is not None,
            "optimizer": self.optimizer is not None,
            **({} if self.subject is None else self._of_examples(self.subject)),
        }
        known["levels"] = bool(self.stages) and (known["flow"] or known.get("network", False))
        return frozenset(name for name, here in known.items() if here)

    def _of_examples(self, subject: Subject) -> dict[str, bool]:
        outputs = self.passed.outputs is not None and self.passed.outputs.ndim == 2
        is_one = isinstance(subject.x, np.ndarray) and subject.x.dtype.kind == "f"
        return {
            "network": self.finite,
            "numbers": True,
            "table": is_one,
            "classes": subject.has_classes and outputs,
            "targets": not subject.examples.classes and outputs,
            "outputs": outputs and not is_function(subject.objective.cost),
        }

    @cached_property
    def stages(self) -> tuple[StageOutline, ...]:
        """The stages of the network; none if nothing says what examples it takes."""
        if self.subject is not None:
            return replace(self.subject, network=self.network).stages
        rows = self._rows()
        return () if rows is None or not callable(self.network) else outline(self.network, rows).stages

    def _rows(self) -> Rows | None:
        """What the examples of the run were like."""
        inputs, shape = getattr(self.network, "inputs", None), self.run and self.run.configuration.data_shape
        told = (inputs,) if isinstance(inputs, int) else shape[1:] if shape else None
        return None if told is None else Rows(flatten(0)[1], (Type(told, self.parameters.dtype),))

    @property
    def parameters(self) -> Parameters:
        """The arrays of the network."""
        return Parameters.of(self.network)

    @property
    def activations(self) -> list[Activation]:
        """The activation of each stage."""
        return [stage.activation for stage in self.stages]

    def called(self, stage: int) -> str:
        """What a stage is called: `layer 0`."""
        return stage_name(stage, [one.name for one in self.stages])

    def of_units(self, stage: int, arrays: Mapping[int, Any] | None = None) -> Values | None:
        """The weights and biases of each unit of a stage, a row for each; None if not all of them are some unit's.

        Of other arrays in the place of the network's, such as their derivatives, by their numbers in the tree.
        """
        mine, known = self.stages[stage], arrays or dict(enumerate(self.parameters.arrays))
        parts = [np.asarray(known[n]) for n in (*mine.weights, *mine.biases)]
        if not parts or any(part.shape[:1] != (mine.units,) for part in parts):
            return None
        return np.concatenate([part.reshape(mine.units, -1) for part in parts], axis=1)

    def changed(self, arrays: Mapping[int, Any]) -> Any:
        """The network with some of its arrays replaced, by their numbers in the tree."""
        found = self.parameters
        return unflatten(found.structure, [arrays.get(n, array) for n, array in enumerate(found.arrays)])

    @property
    def asked(self) -> Subject:
        """The subject, where there is one."""
        assert self.subject is not None
        return self.subject

    @property
    def flow(self) -> Flow:
        """What flowed, where it was watched."""
        assert self.run is not None
        assert self.run.flow is not None
        return self.run.flow

    @property
    def history(self) -> list[Record]:
        """The epochs of the run."""
        return [] if self.run is None else self.run.history

    @cached_property
    def passed(self) -> Backpropagated:
        """Every layer's a, z, δ and gradients on the examples, without penalty: the one pass that the rows share."""
        return backpropagated(replace(self.asked, network=self.network).unpenalised)

    @cached_property
    def finite(self) -> bool:
        """Whether the weights, and all that passes through the stages, are finite numbers."""
        arrays = [*self.parameters.arrays, *(part for s in self.passed.stages for part in (s.a, s.delta))]
        return all(np.isfinite(array).all() for array in arrays)

    @property
    def x(self) -> Values:
        """The examples, one a row."""
        return np.asarray(self.asked.x).reshape(self.asked.count, -1)

    @cached_property
    def targets(self) -> Values:
        """The targets as rows of numbers, classes as one-hot rows."""
        labels = self.asked.labels
        if labels.ndim == 1 and "classes" in self.has:
            return np.eye(self.outputs.shape[1])[labels]
        return np.asarray(labels, np.float64).reshape(len(labels), -1)

    @property
    def outputs(self) -> Values:
        """a of the outputs, where there are outputs in a row."""
        assert self.passed.outputs is not None
        return self.passed.outputs

    @cached_property
    def example_norms(self) -> Values:
        """‖∂C_x/∂(w, b)‖² of each example."""
        return example_gradients(self.passed.subject).squares

    @cached_property
    def squared_gradient(self) -> float:
        """‖∂C/∂(w, b)‖² of the mean cost, without penalty."""
        return float(np.square(self.passed.gradient_vector).sum())

    def early(self, name: str) -> Values:
        """A quantity of `flow` for each layer: the median over the first records, or as the network is now."""
        return self._level(name, slice(0, max(1, round(_EARLY * len(self.flow))))) if self._watched else self._now(name)

    def late(self, name: str) -> Values:
        """The same over the last records."""
        if not self._watched:
            return self._now(name)
        return self._level(name, slice(-max(1, round(_LATE * len(self.flow))), None))

    @property
    def _watched(self) -> bool:
        return "flow" in self.has

    def _level(self, name: str, records: slice) -> Values:
        found: Values = np.median(self.flow.layers[name][records], axis=0)
        return found

    def _now(self, name: str) -> Values:
        take: dict[str, Callable[[PassedStage], float]] = {
            "activation": lambda d: rms(d.a),
            "weighted_input": lambda d: rms(d.z),
            "error": lambda d: rms(d.delta),
            "gradient": lambda d: rms(d.dw),
            "bias_gradient": lambda d: rms(d.db),
        }
        return np.array([take[name](d) for d in self.passed.stages])

    @cached_property
    def baseline(self) -> float:
        """The mean cost of the best constant answer: what one can do who knows nothing of the examples; else nan."""
        if "outputs" not in self.has:
            return math.nan
        cost, outputs = self.asked.objective.cost, self.outputs.shape[1]
        return float(cost.least_constant(self.asked.labels, outputs, self.asked.outline.activation))

    @cached_property
    def learned(self) -> float:
        """The share of the baseline's cost that the network does without: 0 for knowing nothing, 1 for all.

        Where that is not known: the share of the first cost of the run that is gone.
        """
        if self.subject is not None and not math.isnan(self.baseline):
            return 1 - self.passed.cost / self.baseline if self.finite and self.baseline > 0 else 0.0
        costs = self.costs
        return float(1 - costs[-1] / costs[0]) if len(costs) and costs[0] > 0 and np.isfinite(costs[-1]) else 0.0

    @cached_property
    def costs(self) -> Values:
        """How the training cost went: of the watched steps, smoothed; else of the epochs."""
        if "flow" not in self.has:
            return np.array([record.training_cost for record in self.history])
        costs = self.flow.totals["cost"]
        width = max(1, len(costs) // 10)
        return np.array([costs[n : n + width].mean() for n in range(0, len(costs) - width + 1, width)])

    def graded(self, severity: str) -> str:
        """The severity of what hinders learning; a note if the network learned all the same."""
        return "note" if self.learned > _LEARNED else severity

    def at_network(self, network: Any) -> Case:
        """The same examples asked about another network, of which no run is known."""
        return replace(self, network=network, subject=replace(self.asked, network=network), run=None)
