"""What is examined: a network on its examples, the run it comes from, and one pass that all rows read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.insight.levels import rms
from chainrule.insight.network_and_data import Subject
from chainrule.insight.propagation import PassedLayer, Propagation, propagate
from chainrule.learning.baseline import constant_cost
from chainrule.learning.flow import Flow
from chainrule.learning.optimizers import Optimizer
from chainrule.learning.run import Record, Run
from chainrule.nn.network import Dense, Network
from chainrule.trace.tree import flatten

__all__ = ["Case"]

Values = np.ndarray[Any, Any]
_LEARNED = 0.6  # of the cost of knowing nothing, gone: what may hinder learning did not hinder it much
_EARLY, _LATE = 0.1, 0.25  # of the records


@dataclass(frozen=True, eq=False)
class Case:
    """A network or a run, with examples or without; optimiser and batch where they are known.

    What the rows need is named in `has`: "network" (with examples, all numbers finite), "numbers" (with examples),
    "flow" (a run that was watched), "levels" (one of the two), "history", "classes", "targets" (that are no classes),
    "validation", "optimizer".
    """

    network: Network
    subject: Subject | None = None
    run: Run | None = None
    optimizer: Optimizer | None = None
    batch: int | None = None
    validation: Subject | None = None
    seed: int = 0

    @cached_property
    def has(self) -> frozenset[str]:
        """What is known."""
        examples = self.subject is not None
        known = {
            "network": examples and self.finite,
            "numbers": examples,
            "history": bool(self.history),
            "flow": self.run is not None and self.run.flow is not None and len(self.run.flow) > 0,
            "classes": self.subject is not None and self.subject.examples.classes,
            "targets": self.subject is not None and not self.subject.examples.classes,
            "validation": self.validation is not None,
            "optimizer": self.optimizer is not None,
        }
        known["levels"] = known["flow"] or known["network"]
        return frozenset(name for name, here in known.items() if here)

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
    def passed(self) -> Propagation:
        """Every layer's a, z, δ and gradients on the examples, without penalty: the one pass that the rows share."""
        return propagate(replace(self.asked, network=self.network).unpenalised)

    @property
    def layers(self) -> list[tuple[Dense, PassedLayer]]:
        """Each layer with what passed through it."""
        return list(zip(self.network.layers, self.passed.layers, strict=True))

    @cached_property
    def finite(self) -> bool:
        """Whether the weights, and all that passes through the layers, are finite numbers."""
        weights = all(np.isfinite(leaf).all() for leaf in flatten(self.network)[0])
        return weights and all(np.isfinite(d.delta).all() and np.isfinite(d.a).all() for d in self.passed.layers)

    @cached_property
    def targets(self) -> Values:
        """The targets as rows of numbers, classes as one-hot rows."""
        labels = self.asked.labels
        return np.eye(self.network.sizes[-1])[labels] if labels.ndim == 1 else np.asarray(labels, np.float64)

    @cached_property
    def example_norms(self) -> Values:
        """‖∂C_x/∂(w, b)‖² of each example."""
        found: Values = self.passed.squared_lengths.sum(axis=1)
        return found

    @cached_property
    def squared_gradient(self) -> float:
        """‖∂C/∂(w, b)‖² of the mean cost, without penalty."""
        return float(sum((d.dw.astype(np.float64) ** 2).sum() + (d.db**2).sum() for d in self.passed.layers))

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
        take: dict[str, Callable[[PassedLayer], float]] = {
            "activation": lambda d: rms(d.a),
            "weighted_input": lambda d: rms(d.z),
            "error": lambda d: rms(d.delta),
            "gradient": lambda d: rms(d.dw),
            "bias_gradient": lambda d: rms(d.db),
        }
        return np.array([take[name](d) for d in self.passed.layers])

    @cached_property
    def baseline(self) -> float:
        """The mean cost of the best constant answer: what one can do who knows nothing of the examples."""
        asked, last = self.asked, self.network.layers[-1]
        return constant_cost(asked.labels, last.outputs, asked.objective.cost, last.activation)

    @cached_property
    def learned(self) -> float:
        """The share of the baseline's cost that the network does without: 0 for knowing nothing, 1 for all.

        Without examples: the share of the first cost of the run that is gone.
        """
        if self.subject is not None:
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

    def at_network(self, network: Network) -> Case:
        """The same examples asked about another network, of which no run is known."""
        return replace(self, network=network, subject=replace(self.asked, network=network), run=None)
