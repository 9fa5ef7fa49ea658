"""The doctor: what keeps a network from learning, with the derivatives that show it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.checks import instance, whole_number
from chainrule.display import Page, Picture, Table, number
from chainrule.errors import DataError
from chainrule.insight.findings.examination import Case
from chainrule.insight.findings.finding import SEVERITIES, Finding, Measure, Outcome
from chainrule.insight.findings.pathologies import FUNCTIONS, NETWORKS, findings_in, looked_for
from chainrule.insight.findings.plain_functions import FunctionCase
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.second_order.stability import chosen_optimizer
from chainrule.insight.wording import counted
from chainrule.learning.optimizers import Optimizer
from chainrule.learning.run import Run
from chainrule.learning.verdict import HARDLY
from chainrule.trace.tree import tree_map

__all__ = ["Diagnosis", "Finding", "Measure", "Outcome", "diagnose", "diagnose_function", "glance"]

_MOST = 5
_EXAMPLES = 1000
_BLIND = (
    "Derivatives do not see a wrong metric, leakage from the test data, labels that are all misaligned, evaluation in "
    "training mode, or augmentation that does harm."
)


@dataclass(frozen=True, repr=False)
class Diagnosis(Insight):
    """What stands out, at most five findings, the worst first.

    `rows` of the `known` pathologies were looked for in `examples`. `cost` is the mean cost of a network on them,
    without penalty, `constant_cost` that of the best constant answer; nan for a cost that is a plain function.
    """

    findings: tuple[Finding, ...]
    rows: int
    known: int
    examples: int
    cost: float = math.nan
    constant_cost: float = math.nan

    @property
    def title(self) -> str:
        """What it is."""
        if not self.findings and self.learned_little:
            return "Diagnosis: little was learnt, and nothing that was found says why"
        if not self.findings:
            return "Diagnosis: nothing stands out"
        counts = [sum(f.severity == s for f in self.findings) for s in SEVERITIES]
        said = [counted(n, s) for n, s in zip(counts, SEVERITIES, strict=True) if n]
        return f"Diagnosis: {', '.join(said)}"

    @property
    def learned_little(self) -> bool:
        """Whether the cost is hardly below that of a constant answer, or above it."""
        return self.cost > max((1 - HARDLY) * self.constant_cost, 0)

    @property
    def worst(self) -> Finding | None:
        """The worst finding."""
        return self.findings[0] if self.findings else None

    def names(self) -> list[str]:
        """The names of the findings, the worst first."""
        return [finding.name for finding in self.findings]

    def sentences(self) -> Sequence[str]:
        """Each finding with its numbers, its reason and what to do; and what derivatives cannot see."""
        return [*self.little, *(s for finding in self.findings for s in finding.sentences()), self.looked, _BLIND]

    @property
    def little(self) -> tuple[str, ...]:
        """A sentence if hardly more was learnt than a constant answer knows."""
        if not self.learned_little:
            return ()
        how = "above" if self.cost > self.constant_cost else "hardly below"
        costs = number(self.cost), number(self.constant_cost)
        return (f"The cost, {costs[0]}, is {how} that of the best constant answer, {costs[1]}.",)

    @property
    def looked(self) -> str:
        """How many pathologies were looked for, on how many examples."""
        share = "All" if self.rows == self.known else f"{self.rows} of the"
        rest = "" if self.rows == self.known else "; the others need what is not there"
        return f"{share} {self.known} pathologies were looked for, on {counted(self.examples, 'example')}{rest}."

    def page(self) -> Page:
        """What is shown of it: the findings set apart, the worst first; and what derivatives cannot see."""
        entries = (finding.entry(f"{n}. ") for n, finding in enumerate(self.findings, 1))
        picture = [Picture(self.plot)] if len(self.findings) > 1 else []
        return Page(self.title, (*self.little, *entries, self.looked, _BLIND, *picture))

    def table(self) -> Table:
        """One row a finding."""
        rows = [(f.severity, f.title, f.certainty, _borne_out(f)) for f in self.findings]
        return Table(("severity", "finding", "certainty (0 to 1)", "confirmed"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """How sure each finding is, coloured by severity."""
        axes = figure(axes)
        colours = {"alarm": "firebrick", "warning": "darkorange", "note": "gray"}
        found = self.findings[::-1]
        axes.barh([f.title for f in found], [f.certainty for f in found], color=[colours[f.severity] for f in found])
        axes.set(xlabel="certainty", xlim=(0, 1), title=self.title)
        return axes


def _borne_out(finding: Finding) -> str:
    if finding.outcome is None:
        return "not tried"
    return "yes" if finding.outcome.confirmed else "no"


def diagnose(
    network_or_run: Any,
    data: Any,
    *,
    cost: AskedCost = None,
    l2: float | None = None,
    optimizer: Optimizer | None = None,
    batch: int | None = None,
    validation: Any = None,
    confirm: bool = False,
    seed: int = 0,
) -> Diagnosis:
    """What keeps a network or a run from learning: at most five findings, the worst first, each with its evidence.

    One pass of backpropagation over 1,000 of the examples, drawn by `seed`, gives every layer's a, z, δ and gradient;
    a run adds what flowed while it learned (`run.flow`), its history, its optimiser and its batch. For a network these
    can be told. With `confirm` each finding's experiment, a few steps of learning at most, is made. Numbers are exact
    for these examples; how sure a finding is, is an estimate.

    Raises OptionError for a cost that does not suit the network or an option that is none, DataError for data that do
    not fit it.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([(np.ones((3, 2)), np.zeros(3)), (np.ones((2, 3)), np.zeros(2))])
    >>> diagnose(network, ([[0.0, 1.0], [1.0, 0.0]], [0, 1])).worst.title
    'Neurons are copies of each other in layer 0'

    Source: Nielsen, Neural Networks and Deep Learning, chapters 3 and 5; Schneider et al., Cockpit, 2021; McCandlish et
    al. 2018; Cohen et al. 2021; Paul et al. 2021; the rules of TheDeepChecker, AutoTrainer and UMLAUT.
    """
    batch, seed = None if batch is None else whole_number("batch", batch, 1), whole_number("seed", seed, 0)
    if optimizer is not None:
        instance("optimizer", optimizer, Optimizer, "an optimiser", cure="For example cr.optim.SGD(0.1).")
    subject = subject_of(network_or_run, data, cost, l2, finite=False).at_most(_EXAMPLES, seed)
    run = network_or_run if isinstance(network_or_run, Run) else None
    held_out = validation if validation is not None else getattr(data, "validation", None)
    case = Case(
        subject.network,
        subject,
        run,
        optimizer or chosen_optimizer(network_or_run, None),
        batch or (run.configuration.batch if run else None),
        None if held_out is None else _checked(subject, held_out, seed),
        seed,
    )
    found = findings_in(case, NETWORKS, _MOST, confirm=confirm)
    costs = (float(case.passed.cost), case.baseline) if case.finite else (math.nan, math.nan)
    return Diagnosis(found, looked_for(case, NETWORKS), len(NETWORKS), subject.count, *costs)


def _checked(subject: Subject, data: Any, seed: int) -> Subject:
    found = subject_of(subject.network, data, subject.objective.cost, finite=False).at_most(_EXAMPLES, seed)
    return replace(found, objective=subject.objective)


def glance(run: Run) -> Finding | None:
    """The worst finding that is more than a note, from what the run recorded alone; nothing is computed anew.

    >>> from chainrule.nn import Network
    >>> run = Run(Network([2, 3, 2]), [])
    >>> glance(run) is None
    True
    """
    case = Case(run.network, None, run, chosen_optimizer(run, None), run.configuration.batch)
    found = findings_in(case, [row for row in NETWORKS if row.needs <= {"flow", "levels", "history"}], 1)
    return found[0] if found and found[0].severity != "note" else None


def diagnose_function(
    cost: Callable[[Any, Any, Any], Any],
    parameters: Any,
    x: Any,
    y: Any,
    *,
    outputs: Callable[[Any, Any], Any] | None = None,
    confirm: bool = False,
    seed: int = 0,
) -> Diagnosis:
    """What is wrong with a cost that is a plain function of NumPy's language: `cost(parameters, x, y)`.

    Looks for a softmax applied twice, a sum where a mean belongs, derivatives that are not the slope (a wrong
    `custom_derivative`), parameters that nothing reaches, numbers that are not finite. `x` and `y` have one example a
    row; `outputs(parameters, x)`, if it is told, is what the cost is computed from. Everything is computed in float64.

    Raises DataError if x and y differ in length or there is no example, or the cost is no single number.

    >>> from chainrule import numpy as cnp
    >>> def cost(w, x, y):
    ...     return cnp.sum((x @ w - y) ** 2)
    >>> diagnose_function(cost, np.ones(2), np.eye(2), np.zeros(2)).names()
    ['sum_instead_of_mean']
    """
    examples, answers = np.asarray(x, np.float64), np.asarray(y)
    if not examples.ndim or not answers.ndim or len(examples) != len(answers) or not len(examples):
        raise DataError(f"x and y need a row for each example, not shapes {examples.shape} and {answers.shape}.")
    answers = answers.astype(np.float64) if answers.dtype.kind == "f" else answers
    wide = tree_map(_wide, parameters)
    case = FunctionCase(cost, wide, examples, answers, outputs, seed)
    with np.errstate(all="ignore"):
        found = findings_in(case, FUNCTIONS, _MOST, confirm=confirm)
    return Diagnosis(found, looked_for(case, FUNCTIONS), len(FUNCTIONS), len(examples))


def _wide(leaf: Any) -> Any:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array
