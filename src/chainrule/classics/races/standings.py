"""What came of a race of learning rules: how many trials each solved, what that took, against backpropagation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from chainrule.checks import one_of
from chainrule.classics.rules.base import Spending
from chainrule.display import Brief, Page, Picture, Table, plain
from chainrule.insight.presentation import Insight, figure

__all__ = ["Effort", "Entry", "Race", "RaceOutcome"]

Values = np.ndarray[Any, Any]
RaceOutcome = Literal["ran", "cannot represent it", "cannot take it"]
Effort = Literal["sweeps", "operations", "seconds"]

_BASE = "backpropagation"
_OUTCOMES: tuple[RaceOutcome, ...] = ("ran", "cannot represent it", "cannot take it")
_EFFORTS: tuple[Effort, ...] = ("sweeps", "operations", "seconds")
_QUARTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}
_SPENT = ("presentations", "forward passes", "backward passes", "unit updates", "operations", "seconds")
_NOTHING = Spending(0, 0, 0, 0, 0)


@dataclass(frozen=True, eq=False, repr=False)
class Entry(Brief):
    """What came of one rule in a race.

    `outcome` is "ran", or what the rule cannot do, with `why`; a rule that cannot represent the solution is shown
    failing in a few trials. `network` has the sizes of its groups where the rule learns another one than the problem's,
    such as one without hidden units. `sweeps` has for each trial that is finished the sweeps after which it was solved,
    −1 where it was not within `budget` sweeps. `spending` is that of one sweep; `spent` that of all trials, finished or
    not, and `seconds` the processor time that they took. `seconds_per_sweep` is that of a sweep of one network beside
    others.
    """

    rule: str
    title: str
    outcome: RaceOutcome = "ran"
    why: str = ""
    network: str = ""
    trials: int = 0
    budget: int = 0
    sweeps: Values = field(default_factory=lambda: np.zeros(0, np.int32))
    spending: Spending = _NOTHING
    spent: Spending = _NOTHING
    seconds: float = 0.0
    seconds_per_sweep: float = 0.0

    @property
    def finished(self) -> int:
        """How many trials are finished."""
        return len(self.sweeps)

    @property
    def solved(self) -> int:
        """How many trials solved the problem."""
        return int((self.sweeps >= 0).sum())

    @property
    def fraction(self) -> float:
        """The fraction of the finished trials that solved it; NaN if there are none."""
        return self.solved / self.finished if self.finished else np.nan

    def per_sweep(self, of: Effort) -> float:
        """What a sweep of one network takes: one sweep, so many operations, so many seconds."""
        return {"sweeps": 1.0, "operations": self.spending.operations, "seconds": self.seconds_per_sweep}[of]

    def quantile(self, q: float, of: Effort = "sweeps") -> float:
        """The q-quantile of what a solution took, trials without one counted as infinitely much; NaN of no trials."""
        if not self.finished:
            return np.nan
        taken = np.where(self.sweeps >= 0, self.sweeps * self.per_sweep(of), np.inf)
        return float(np.quantile(taken, q, method="inverted_cdf"))

    def most(self, of: Effort = "sweeps") -> float:
        """What a trial takes that spends its budget."""
        return self.budget * self.per_sweep(of)

    @property
    def operations_per_solution(self) -> float:
        """What all trials spent, failures included, for each that solved the problem; infinite if none did."""
        return self.spent.operations / self.solved if self.solved else np.inf

    @property
    def verdict(self) -> str:
        """How many of the finished trials solved it; or that the rule cannot learn it, or not take it."""
        if self.outcome != "ran":
            return "cannot learn it" if self.outcome == "cannot represent it" else self.outcome
        return f"{self.solved}/{self.finished}"

    def to_dict(self) -> dict[str, Any]:
        """Everything in it, with the quartiles, as plain lists, numbers and strings."""
        found: dict[str, Any] = {"finished": self.finished, "solved": self.solved, "fraction": self.fraction}
        for of in _EFFORTS:
            found[f"{of}_to_solution"] = {name: self.quantile(q, of) for name, q in _QUARTILES.items()}
        found["operations_per_solution"] = self.operations_per_solution
        return dict(plain(self) | plain(found))


@dataclass(frozen=True, eq=False, repr=False)
class Race(Insight):
    """What came of a race; `budget` is the number of floating-point operations that each trial may spend.

    `entries` are in the order in which the rules were raced, with those that cannot take the problem. `stopped` says
    that it was ended early: then the trials that had finished are the quicker ones.
    """

    problem: str
    description: str
    trials: int
    budget: float
    seed: int
    entries: tuple[Entry, ...]
    stopped: bool = False

    @property
    def title(self) -> str:
        """The problem."""
        return f"The race on {self.problem}: {self.description}"

    def entry(self, rule: str) -> Entry:
        """What came of the rule of that name; OptionError if it was not in the race."""
        found = {entry.rule: entry for entry in self.entries}
        return found[one_of("rule", rule, found)]

    def factor(self, rule: str, of: Effort = "operations") -> float:
        """How many times as much as backpropagation the rule needs, in the median; below 1 where backpropagation loses.

        Infinite if fewer than half of the rule's trials solved the problem; NaN if fewer than half of
        backpropagation's did, or it was not in the race.
        """
        return self.entry(rule).quantile(0.5, of) / self._needed(of)

    def factor_at_least(self, rule: str, of: Effort = "operations") -> float:
        """The factor; where it is infinite, what it would be if the budget had been just enough."""
        entry = self.entry(rule)
        return min(entry.quantile(0.5, of), entry.most(of)) / self._needed(of)

    def _needed(self, of: Effort) -> float:
        """What backpropagation needs in the median; NaN if that is not known."""
        needed = [entry.quantile(0.5, of) for entry in self.entries if entry.rule == _BASE]
        return needed[0] if needed and 0 < needed[0] < np.inf else np.nan

    def sentences(self) -> Sequence[str]:
        """What backpropagation needs; what the others need against it; what they cannot; the budget."""
        known = [entry for entry in sorted(self.entries, key=_rank) if entry.outcome != "ran" or entry.finished]
        said = [self._said(entry) for entry in known]
        if self.budget:
            said.append(f"A trial may spend {amount(self.budget)} floating-point operations.")
        if self.stopped:
            said.append("Stopped early: the trials that had finished by then are the quicker ones.")
        return said

    def _said(self, entry: Entry) -> str:
        if entry.outcome != "ran":
            return _incapable(entry)
        compared = entry.rule != _BASE and np.isfinite(self._needed("operations"))
        needed = self._against(entry) if compared else _alone(entry)
        dear = ". One sweep costs more than the budget" if entry.most("operations") > self.budget else ""
        own = f". Its network is another: {entry.network}" if entry.network else ""
        return f"{_capitalised(entry.rule)} solved {_counted(entry)} trials{needed}{own}{dear}."

    def _against(self, entry: Entry) -> str:
        """What it needed against backpropagation, as the end of a sentence."""
        operations, seconds = (self.factor_at_least(entry.rule, of) for of in ("operations", "seconds"))
        if np.isinf(self.factor(entry.rule)):
            few = ", fewer than half," if entry.solved else ""
            return f"{few} with {digits(operations)} times the operations that backpropagation needs in the median"
        lost = ["operations"] * (operations < 1) + ["time"] * (seconds < 1)
        ending = f", which loses here in {' and '.join(lost)}" if lost else ""
        needed = f"{digits(operations)} times the operations and {digits(seconds)} times the time"
        return f", in the median with {needed} of backpropagation{ending}"

    def table(self) -> Table:
        """One row for each rule: how many trials solved it, the quartiles of what that took, the factors, the sums."""
        quartiles = [f"{of}, {name}" for of in _EFFORTS for name in _QUARTILES]
        columns = ("rule", "outcome", "trials", "solved", *quartiles, "operations per solution",
                   "operations ÷ backpropagation", "seconds ÷ backpropagation", *_SPENT)  # fmt: skip
        return Table(columns, tuple(self._row(entry) for entry in self.entries))

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        quartiles = [entry.quantile(q, of) for of in _EFFORTS for q in _QUARTILES.values()]
        factors = [self.factor(entry.rule, "operations"), self.factor(entry.rule, "seconds")]
        return (entry.rule, entry.outcome, entry.finished, entry.solved, *quartiles, entry.operations_per_solution,
                *factors, *_spent(entry))  # fmt: skip

    def shown(self) -> Table:
        """The part that is about solutions: median and quartiles, and the factor against backpropagation."""
        columns = ("rule", "solved", "sweeps", "operations", "×", "time", "×")
        return Table(columns, tuple(self._shown_row(entry) for entry in sorted(self.entries, key=_rank)))

    def _shown_row(self, entry: Entry) -> tuple[str, ...]:
        if entry.outcome != "ran" or not entry.finished:
            return entry.rule, entry.verdict, *[""] * 5
        sweeps, operations, seconds = (_quartiles(entry, of) for of in _EFFORTS)
        factors = self._shown_factor(entry, "operations"), self._shown_factor(entry, "seconds")
        return _named(entry), entry.verdict, sweeps, operations, factors[0], seconds, factors[1]

    def _shown_factor(self, entry: Entry, of: Effort) -> str:
        least = self.factor_at_least(entry.rule, of)
        more = ">" if np.isinf(self.factor(entry.rule, of)) else ""
        return "" if np.isnan(least) else f"{more}{digits(least)}×"

    def spent(self) -> Table:
        """What all trials of each rule spent together."""
        ran = [entry for entry in sorted(self.entries, key=_rank) if entry.spent.operations]
        rows = tuple((entry.rule, *map(short, _spent(entry)[:-1]), duration(entry.seconds)) for entry in ran)
        return Table(("spent by all trials", *_SPENT[:-1], "time"), rows)

    def plot(self, axes: Any = None) -> Any:
        """The fraction of trials that solved it against the operations that each had spent, a line for each rule."""
        axes = figure(axes)
        for entry in self.entries:
            if entry.finished:
                axes.step(*self._line(entry), where="post", label=_legend(entry))
        axes.set(xscale="log", ylim=(-0.02, 1.02), title=self.title, xlabel="floating-point operations of a trial",
                 ylabel="fraction of trials that solved it")  # fmt: skip
        if axes.lines:
            axes.legend()
        return axes

    def _line(self, entry: Entry) -> tuple[Values, Values]:
        """Operations, and the fraction that had solved it by then: from one sweep to the end of the budget."""
        each = max(entry.per_sweep("operations"), 1)
        solved = np.maximum(np.sort(entry.sweeps[entry.sweeps >= 0]), 1) * each
        shares = np.arange(len(solved) + 1) / entry.finished
        return np.array([each, *solved, max(entry.most("operations"), self.budget)]), np.append(shares, shares[-1])

    def to_dict(self) -> dict[str, Any]:
        """Everything in it, with the quartiles and the factors, as plain lists, numbers and strings."""
        factors = [{f"{of}_factor": self.factor(entry.rule, of) for of in _EFFORTS} for entry in self.entries]
        entries = [entry.to_dict() | plain(known) for entry, known in zip(self.entries, factors, strict=True)]
        return super().to_dict() | {"entries": entries}

    def page(self) -> Page:
        """What is shown of it: what came of each rule, and what it spent."""
        return Page(self.title, (*self.sentences(), self.shown(), self.spent(), Picture(self.plot)))


# in words


def digits(value: float) -> str:
    """A number in three digits, or all those before the point.

    >>> digits(0.12345), digits(12345.6), digits(np.inf)
    ('0.123', '12,346', '∞')
    """
    if np.isinf(value):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def amount(value: float) -> str:
    """A number as one says it.

    >>> amount(250.0), amount(1.2345e6)
    ('250', '1.23 million')
    """
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{digits(value / size)} {name}"
    return digits(value)


def short(value: float) -> str:
    """A number with k for thousands, M for millions and so on.

    >>> short(250.0), short(1.2345e6)
    ('250', '1.23M')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size and np.isfinite(value):
            return digits(value / size) + letter
    return digits(value)


def duration(seconds: float) -> str:
    """A time in the unit in which one says it.

    >>> duration(0.00123), duration(12.3)
    ('1.23 ms', '12.3 s')
    """
    size, name = _unit(seconds)
    return f"{digits(seconds / size)} {name}"


def _unit(seconds: float) -> tuple[float, str]:
    """The seconds of the unit in which one says such a time, and its name."""
    units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
    return next((unit for unit in units if seconds >= unit[0]), units[-1])


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]


def _named(entry: Entry) -> str:
    return f"{entry.rule} {entry.network}".rstrip()


def _counted(entry: Entry) -> str:
    return f"{entry.solved or 'none'} of {entry.finished}"


def _incapable(entry: Entry) -> str:
    shown = f" ({_counted(entry)} trials solved it within {_sweeps(entry.budget)})" if entry.finished else ""
    return f"{_capitalised(entry.rule)} {entry.verdict}: {entry.why.rstrip('.')}{shown}."


def _alone(entry: Entry) -> str:
    """What it needed, as the end of a sentence."""
    sweeps, operations, seconds = (entry.quantile(0.5, of) for of in _EFFORTS)
    if np.isinf(sweeps):
        few = ": fewer than half, so there is no median" if entry.solved else ""
        return f" within {_sweeps(entry.budget)}{few}"
    return f", in the median after {_sweeps(sweeps)}, {amount(operations)} operations and {duration(seconds)}"


def _sweeps(count: float) -> str:
    return "1 sweep" if count == 1 else f"{digits(count)} sweeps"


def _spent(entry: Entry) -> tuple[float, ...]:
    return (*vars(entry.spent).values(), entry.seconds)


def _rank(entry: Entry) -> tuple[bool, int, float, float]:
    """Backpropagation; the others, the quickest first; those that cannot represent it; those that cannot take it."""
    median = entry.quantile(0.5, "operations")
    unsolved = -entry.fraction if entry.finished else 0.0
    return entry.rule != _BASE, _OUTCOMES.index(entry.outcome), np.inf if np.isnan(median) else median, unsolved


def _quartiles(entry: Entry, of: Effort) -> str:
    """The median and, in the same unit, the quartiles; or that more than the whole budget would be needed."""
    lower, median, upper = (entry.quantile(q, of) for q in _QUARTILES.values())
    said = {"sweeps": digits, "operations": short, "seconds": duration}[of]
    if np.isinf(median):
        return f">{said(entry.most(of))}"
    if of != "seconds":
        return f"{said(median)} ({said(lower)}–{said(upper)})"
    size, _ = _unit(median)
    return f"{said(median)} ({digits(lower / size)}–{digits(upper / size)})"


def _legend(entry: Entry) -> str:
    return _named(entry) if entry.outcome == "ran" else f"{entry.rule} ({entry.outcome})"
