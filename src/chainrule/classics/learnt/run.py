"""A problem of 1986 as it is learnt: how the network learns, its weights, its answers, and how its solution works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import random
from chainrule.checks import whole_number
from chainrule.classics.demonstrations import DEMONSTRATIONS, demonstration
from chainrule.classics.learnt.answers import Answers, answers
from chainrule.classics.learnt.hidden_units import HiddenUnits, hidden_units
from chainrule.classics.learnt.hinton import HintonDiagram, hinton_diagram
from chainrule.classics.learnt.learning_curve import LearningCurve, follow
from chainrule.classics.learnt.solutions import solution
from chainrule.classics.learnt.weight_dependence import WeightDependence, weight_dependence
from chainrule.classics.problems import PROBLEMS, problem, size_option
from chainrule.classics.problems.base import Problem, Published
from chainrule.classics.races.batched_trials import trials as run_all
from chainrule.classics.races.measurements import Distribution, distribution
from chainrule.classics.registry import check
from chainrule.classics.rules import rule
from chainrule.display import Table, number, plain
from chainrule.errors import OptionError
from chainrule.insight.presentation import Composed, Insight, two_axes
from chainrule.insight.weights.explanation import explain
from chainrule.insight.wording import counted
from chainrule.nn.connected import Connected
from chainrule.nn.parameters import WEIGHT, Parameters

__all__ = ["Learnt", "run"]

_POINTS = 9  # of the curve that are printed


@dataclass(frozen=True, eq=False, repr=False)
class Learnt(Composed):
    """A network that learnt a problem by backpropagation, and what its derivatives say about the solution.

    `sweeps` is the number of sweeps after which every output was right, None if that was not within the budget; it then
    learnt as many sweeps again, and is shown as it was at the end. It started from the key `fold_in(key(seed), trial)`.
    `ours` is what was measured of many seeds, `these` what came of the trials of this run, if it had several. `tested`
    is the share of the patterns that were not learnt, and are right. `explained` is the largest weight to the outputs.
    """

    problem: Problem
    seed: int
    trial: int
    curve: LearningCurve
    ours: Distribution | None
    these: Distribution | None
    tested: float | None
    network: Connected
    diagram: HintonDiagram
    answers: Answers
    hidden: HiddenUnits
    weights: WeightDependence
    explained: Insight

    @property
    def sweeps(self) -> int | None:
        """The sweeps to the solution."""
        return self.curve.solved

    @property
    def parts(self) -> tuple[Insight, ...]:
        """Its weights, its answers, its hidden units, the weights that matter, what insight says."""
        return (self.diagram, self.answers, self.hidden, self.weights, self.explained)

    @property
    def title(self) -> str:
        """The problem."""
        return f"{self.problem.title}: {self.problem.description}"

    def sentences(self) -> list[str]:
        """How it learnt, what was published, what is ours."""
        said = [self._settings(), self._learnt()]
        if self.tested is not None:
            said.append(f"Of the patterns that it did not learn, {100 * self.tested:.0f} % are right.")
        said += [_published(one) for one in self.problem.published]
        if self.ours is not None:
            said.append(f"Ours, from {self.ours.trials:,} seeds: {self.ours.words}.")
        if self.these is not None:
            said.append(f"The {self.these.trials:,} trials of this run: {self.these.words}.")
        return said

    def _settings(self) -> str:
        groups = ", ".join(f"{name} {size}" for name, size in self.problem.wiring.sizes.items())
        s = self.problem.settings
        return (
            f"{self.problem.source}. {counted(self.problem.patterns, 'pattern')}; units: {groups}; ε = {s.rate:g}, "
            f"α = {s.momentum:g}, weights start between −{s.initial:g} and {s.initial:g}."
        )

    def _learnt(self) -> str:
        curve, patterns = self.curve, self.problem.patterns
        errors = f"E fell from {number(curve.errors[0])} to {number(curve.errors[-1])}"
        if self.sweeps is None:
            return (
                f"Not solved within {counted(curve.sweeps, 'sweep')}: {curve.right[-1]} of {patterns} patterns are "
                f"right; {errors}. Another seed may find a solution: say how many trials may try."
            )
        return (
            f"After {counted(self.sweeps, 'sweep')} every output was on the right side of ½. It went on, to "
            f"{curve.sweeps:,} sweeps in all, so that its weights show the solution: {errors}."
        )

    def table(self) -> Table:
        """The error and the patterns that are right, before so many sweeps."""
        rows = zip(self.curve.at.tolist(), self.curve.errors.tolist(), self.curve.right.tolist(), strict=True)
        return Table(("sweeps", "E", f"right, of {self.problem.patterns}"), tuple(rows))

    def shown(self) -> Table:
        """Some points of the curve, that of the solution among them."""
        whole = self.table()
        chosen = set(np.linspace(0, len(whole.rows) - 1, _POINTS).round().astype(int).tolist())
        if self.sweeps is not None:
            chosen.add(int(np.searchsorted(self.curve.at, self.sweeps)))
        return Table(whole.columns, tuple(whole.rows[n] for n in sorted(chosen)))

    def to_dict(self) -> dict[str, Any]:
        """Everything in it as plain lists, numbers and strings."""
        weights = {"weights": plain(self.network.weights), "biases": plain(self.network.biases)}
        kept = ("seed", "trial", "sweeps", "curve", "ours", "these", "tested")
        found = {name: plain(getattr(self, name)) for name in kept}
        about = {"title": self.title, "problem": self.problem.name, "published": plain(self.problem.published)}
        return {**about, **found, "network": weights, "parts": [part.to_dict() for part in self.parts]}

    def plot(self, axes: Any = None) -> Any:
        """The curve; on a picture of its own the Hinton diagram is beside it."""
        curve, squares = two_axes(axes, 13, 6)
        if squares is not None:
            self.diagram.plot(squares)
        return self._plot_curve(curve)

    def _plot_curve(self, axes: Any) -> Any:
        axes.plot(self.curve.at, self.curve.errors, color="black", label="E")
        axes.set(title=self.problem.title, xlabel="sweeps", ylabel="error E", ylim=(0, None))
        beside = axes.twinx()
        beside.plot(self.curve.at, self.curve.right, "--", color="#0072b2", label="patterns right")
        beside.set(ylabel="patterns right (dashed)", ylim=(0, 1.05 * self.problem.patterns))
        if self.sweeps is not None:
            axes.axvline(self.sweeps, color="gray", linewidth=0.8)
        return axes


def run(
    name: str | Problem,
    *,
    seed: int = 0,
    trials: int = 1,
    size: int | None = None,
    watch: Callable[[LearningCurve], None] | None = None,
) -> Insight:
    """A problem or a demonstration of that name, run: the result prints, plots, and is a dict for those who ask.

    Of several trials the first is shown that solved the problem. `size` is the problem's own first option: the bits of
    a parity, the patterns of an encoder. `watch` is given the curve as it grows.

    Raises OptionError if there is none of that name, it has no size, or a number is not a whole one of at least 1.

    >>> found = run("xor-direct")
    >>> found.sweeps, int(found.answers.right.sum())
    (337, 4)
    """
    if isinstance(name, str) and name in DEMONSTRATIONS:
        return _demonstrated(name, seed, trials, size)
    if isinstance(name, str):
        check("problem or demonstration", [*PROBLEMS, *DEMONSTRATIONS], name)
    asked = _sized(name, size) if isinstance(name, str) else name
    trials, seed = whole_number("trials", trials, 1), whole_number("seed", seed, 0)
    learner, trial, these = rule("backpropagation"), 0, None
    if trials > 1:
        found = run_all(asked, learner, trials, seed=seed)
        these, trial = Distribution.of(found), int(np.argmax(found.solved))
    (network, _), curve = follow(asked, learner, random.fold_in(random.key(seed), trial), watch=watch)
    return _learnt(asked, seed, trial, network, curve, these)


def _learnt(
    asked: Problem, seed: int, trial: int, network: Connected, curve: LearningCurve, these: Distribution | None
) -> Learnt:
    return Learnt(
        problem=asked,
        seed=seed,
        trial=trial,
        curve=curve.thinned(),
        ours=distribution(asked.name) if _is_usual(asked) else None,
        these=these,
        tested=_tested(asked, network),
        network=network,
        diagram=hinton_diagram(network),
        answers=answers(asked, network),
        hidden=hidden_units(asked, network, tuple(solution(asked, network))),
        weights=weight_dependence(asked, network),
        explained=_explained(asked, network),
    )


def _explained(asked: Problem, network: Connected) -> Insight:
    """What insight says about the largest weight to the outputs: what its derivative is made of, and what if."""
    parameters = Parameters.of(network)
    last = parameters.numbers(WEIGHT)[-1]
    sizes = np.abs(parameters.arrays[last])
    index = [int(n) for n in np.unravel_index(sizes.argmax(), sizes.shape)]
    data = asked.x.astype(parameters.dtype), asked.targets.astype(parameters.dtype)
    return explain(network, data, weight=f"{parameters.paths[last]}{index}", cost="quadratic")


def _tested(asked: Problem, network: Connected) -> float | None:
    if asked.x_test is None or asked.y_test is None:
        return None
    outputs = np.asarray(network(asked.x_test.astype(network.dtype)))
    return float(((outputs > 0.5) == (asked.y_test > 0.5)).all(axis=1).mean())


def _published(one: Published) -> str:
    reading = f". Our reading: {one.reading}" if one.reading else ""
    return f"Published, {one.what}: {one.figure} ({one.source}){reading}."


# which problem


def _sized(name: str, size: int | None) -> Problem:
    if size is None:
        return problem(name)
    option = size_option(name)
    if option is None:
        raise OptionError(f"{name} comes in one size.", cure="Leave out the size.")
    return problem(name, **{option: size})


def _is_usual(asked: Problem) -> bool:
    """Whether a problem is the one that was measured."""
    if asked.name not in PROBLEMS:
        return False
    usual = problem(asked.name)
    return usual.wiring == asked.wiring and usual.settings == asked.settings and usual.x.shape == asked.x.shape


def _demonstrated(name: str, seed: int, trials: int, size: int | None) -> Insight:
    if trials != 1 or size is not None:
        raise OptionError(f"{name} is a demonstration, which has neither trials nor a size.")
    return demonstration(name).run(seed)
