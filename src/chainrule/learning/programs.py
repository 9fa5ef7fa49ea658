"""Steps and evaluations as native loops over mini-batches, compiled once for each kind of them.

What a program is made for is a `Plan`: structures, types, the cost, the kind of optimiser, the batch. All else is a
number that it is run with: how many examples there are, the optimiser's settings at each step, λ/n, how many rows of a
batch count, where the random numbers begin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule import random
from chainrule.errors import DTypeError, OptionError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.types import Type, type_of
from chainrule.learning.flow import quantities
from chainrule.learning.optimizers import Optimizer, schedules, settings, with_settings
from chainrule.learning.step import training_step
from chainrule.nn.objective import Objective
from chainrule.nn.own_code import holds_own_code
from chainrule.run.program import Loop, Program, build
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.primitives import apply
from chainrule.trace.tracing import trace
from chainrule.trace.tree import Structure, flatten, paths, unflatten

__all__ = ["ROW", "Numbers", "Plan", "evaluation_plan", "number_rows", "program", "run", "training_plan"]

ROW = np.dtype(np.uint32)  # how examples are numbered
_KEPT = 64  # programs in memory
_OTHERS = 6  # numbers of a round besides the optimiser's settings

Tree = Any
Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """What a program is made for: two that are equal are the same program.

    `state` and `examples` are the structures of what each round replaces and of the examples, (x, labels); `types` and
    `rows` the types of the one's arrays and of a row of each of the other's. The optimiser's settings, of which
    `settings` holds the names, and the penalty are erased: `Numbers` holds them. With `counted` not all rows of a batch
    need count; with `watched` the quantities of `flow` are taken too, with `measured` also the cost after the step.
    Without an optimiser nothing is learnt.
    """

    state: Structure
    types: tuple[Type, ...]
    examples: Structure
    rows: tuple[Type, ...]
    objective: Objective
    optimizer: Optimizer | None
    settings: tuple[str, ...]
    batch: int
    counted: bool = False
    is_random: bool = False
    watched: bool = False
    measured: bool = False


def training_plan(
    state: tuple[Tree, Tree], objective: Objective, optimizer: Optimizer, examples: Tree, batch: int, **how: bool
) -> Plan:
    """The plan of training steps; the state is `(network, optimiser's state)`, examples are `(x, labels)`."""
    names = tuple(sorted(settings(optimizer, 0)))
    erased = with_settings(optimizer, dict.fromkeys(names, 0.0))
    return _plan(state, objective, erased, names, examples, batch, **how)


def evaluation_plan(network: Tree, objective: Objective, examples: Tree, batch: int, *, counted: bool) -> Plan:
    """The plan of measuring costs and right answers, nothing changed; the state is the network."""
    return _plan(network, objective, None, (), examples, batch, counted=counted)


def _plan(
    state: Tree,
    objective: Objective,
    optimizer: Optimizer | None,
    names: tuple[str, ...],
    examples: Tree,
    batch: int,
    **how: bool,
) -> Plan:
    leaves, structure = flatten(state)
    tables, of_examples = flatten(examples)
    types = tuple(type_of(np.asarray(leaf)) for leaf in leaves)
    rows = tuple(type_of(table).with_shape(table.shape[1:]) for table in tables)
    kind = replace(objective, penalty=float(bool(objective.penalty)))
    return Plan(structure, types, of_examples, rows, kind, optimizer, names, batch, **how)


@dataclass(frozen=True)
class Numbers:
    """What a program is run with that may differ from round to round: a row of float64 for each.

    A row holds the optimiser's settings in the order of their names, the penalty λ/n, how many rows of the batch count,
    the two words of the seed's key, the epoch and the step in it, of which a step's random numbers are drawn.
    """

    settings: Mapping[str, Any]
    penalty: Any
    count: Any
    words: Any
    epoch: Any
    step: Any

    @classmethod
    def read(cls, row: Array, names: Sequence[str]) -> Numbers:
        """Those of a traced row; each counts as one of Python's numbers."""
        each = [Array(row[n].node, True) for n in range(len(names) + _OTHERS)]
        penalty, count, _, _, epoch, step = each[len(names) :]
        words = row[len(names) + 2 : len(names) + 4].astype(np.uint32)
        return cls(dict(zip(names, each, strict=False)), penalty, count, words, epoch, step)

    @property
    def key(self) -> Any:
        """The key of the step."""
        in_epoch = random.fold_in(self.words, self.epoch.astype(np.uint32))
        return random.fold_in(in_epoch, self.step.astype(np.uint32))


def number_rows(
    optimizer: Optimizer | None,
    steps: range,
    *,
    penalty: float,
    count: Values | int,
    seed: int = 0,
    epoch: int = 0,
    done: int = 0,
) -> Values:
    """A row of `Numbers` for each of some steps of an epoch, before which `done` steps were made in all."""
    told = [settings(optimizer, done)] if optimizer else [{}]
    if optimizer and schedules(optimizer):
        told = [settings(optimizer, done + n) for n in range(len(steps))]
    high, low = random.key(seed)
    found = np.empty((len(steps), len(told[0]) + _OTHERS))
    found[:, : len(told[0])] = [[each[name] for name in sorted(each)] for each in told]
    others = (penalty, count, high, low, epoch, np.arange(steps.start, steps.stop))
    for column, value in enumerate(others, len(told[0])):
        found[:, column] = value
    return found


def program(plan: Plan, beside: Program | None = None) -> Program:
    """The program of a plan, compiled now or known from before.

    What a user's own code computes is looked at each time, as it may read what is no part of the plan; if it is the
    same, it is not compiled again. Of a step that was looked at already, `beside`, the watched one is not looked at
    too.
    """
    if not holds_own_code(plan):
        return _known(plan)
    if beside is None or _captures(beside) or not _is_hashable(plan):
        return _built(plan)
    return _known_beside(plan, beside.graph.signature())


def _captures(made: Program) -> bool:
    """Whether the code closes over arrays, which its signature does not tell from others."""
    return any(node.op is ops.CONSTANT for node in made.graph.nodes())


def _is_hashable(plan: Plan) -> bool:
    try:
        hash(plan)
    except TypeError:
        return False
    return True


def _built(plan: Plan) -> Program:
    names = plan.settings
    inputs = [
        *plan.types,
        *(row.with_shape((2, *row.shape)) for row in plan.rows),  # in truth of any number of rows: see Loop.tables
        Type((plan.batch,), ROW),
        Type((len(names) + _OTHERS,), np.dtype(np.float64)),
    ]
    tables = range(len(plan.types), len(inputs) - 2)

    def one_round(*arrays: Array) -> Any:
        state = unflatten(plan.state, arrays[: tables.start])
        rows, numbers = arrays[-2], Numbers.read(arrays[-1], names)
        x, labels = unflatten(plan.examples, [apply(ops.GATHER, arrays[n].node, rows.node) for n in tables])
        return (_step if plan.optimizer else _evaluation)(plan, state, x, labels, numbers)

    with transforming():
        graph = trace(one_round, flatten(tuple(range(len(inputs))))[1], inputs)[0]
    updates = {n: n for n in range(len(plan.types))} if plan.optimizer else {}
    _check(plan, graph, len(updates))
    collected = frozenset(range(len(updates), len(graph.outputs)))
    stepped = frozenset({len(inputs) - 2, len(inputs) - 1})
    return build(graph, Loop(updates, stepped, collected, frozenset(tables)))


_known = lru_cache(maxsize=_KEPT)(_built)


@lru_cache(maxsize=_KEPT)
def _known_beside(plan: Plan, signature: str) -> Program:
    """The program of a plan whose own code computes, in the plain step, what the signature says."""
    return _built(plan)


def _check(plan: Plan, graph: Graph, updated: int) -> None:
    """Refuse a step after which the state would not fit where it was before."""
    for path, before, after in zip(paths(plan.state), graph.inputs, graph.outputs[:updated], strict=False):
        if before.type != after.type:
            raise DTypeError(
                f"a step makes {after.type} of {before.type} at {path} of (network, optimiser's state).",
                cure="An optimiser, and a layer's training, keep shapes and dtypes: convert with .astype(w.dtype).",
            )


def run(
    made: Program, state: Sequence[Values], tables: Sequence[Values], rows: Values, numbers: Values
) -> list[Values]:
    """What is measured in the rounds over the batches in `rows`, one a round; changes the state.

    First the costs, then the numbers of right answers, then what is watched.
    """
    kinds = [node.type for node in made.graph.outputs[len(made.loop.updates) :]]
    measured = [np.empty((len(rows), *kind.shape), kind.dtype) for kind in kinds]
    after = state[: len(made.loop.updates)]
    made.run([*state, *tables, rows, numbers], [*after, *measured], 0, len(rows))
    return measured


def _objective(plan: Plan, numbers: Numbers) -> Objective:
    return replace(plan.objective, penalty=numbers.penalty) if plan.objective.penalty else plan.objective


def _step(plan: Plan, state: Tree, x: Tree, labels: Any, numbers: Numbers) -> tuple[Any, ...]:
    assert plan.optimizer is not None
    network, moments = state
    objective, optimizer = _objective(plan, numbers), with_settings(plan.optimizer, numbers.settings)
    key, count = numbers.key if plan.is_random else None, numbers.count if plan.counted else None
    step = training_step(network, moments, objective, optimizer, x, labels, key=key, count=count)
    measured = [step.passed.measured.cost, step.passed.measured.right]
    if plan.watched:
        measured += quantities(step, objective, optimizer, x, labels, measure=plan.measured)
    leaves, structure = flatten(step.after)
    if structure != plan.state:
        raise OptionError("an optimiser's update must give trees of the structure that it was given.")
    return (*leaves, *measured)


def _evaluation(plan: Plan, network: Tree, x: Tree, labels: Any, numbers: Numbers) -> tuple[Any, ...]:
    count = numbers.count if plan.counted else None
    found = _objective(plan, numbers).passed(network, x, labels, count=count)
    return found.cost, found.right
