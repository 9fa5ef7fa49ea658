"""A pathology, the sign of it that was measured, and the finding that people read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from chainrule.display import Facts, Page, PageEntry, Shown, number

__all__ = ["SEVERITIES", "Finding", "Measure", "Outcome", "Pathology", "Sign"]

#: From the worst to the mildest.
SEVERITIES = ("alarm", "warning", "note")
_COLOURS = {"alarm": "red", "warning": "yellow", "note": "blue"}


@dataclass(frozen=True)
class Measure:
    """A number that speaks for a finding; its unit is "" where it is a ratio."""

    name: str
    value: float
    unit: str = ""

    @property
    def amount(self) -> str:
        """The number with its unit."""
        return f"{number(self.value)}{self.unit and ' ' + self.unit}"

    def __str__(self) -> str:
        return f"{self.name}: {self.amount}"


@dataclass(frozen=True)
class Sign:
    """That a pathology shows: how severe, how sure (0 to 1), by which numbers; where, and a cure, if they can be told.

    `where` goes on from the title: " in layer 0" without its space, or ": layer 0".
    """

    severity: str
    certainty: float
    evidence: tuple[Measure, ...]
    where: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Outcome:
    """What the experiment gave: whether it bears the finding out, and a sentence with its numbers."""

    confirmed: bool
    sentence: str


@dataclass(frozen=True, repr=False)
class Finding(Shown):
    """One thing that is wrong: what, how bad, the numbers, the reason, how sure, what to do, what would confirm it.

    `certainty` goes from 0 to 1, an estimate; `outcome` is None until the experiment was made.
    """

    name: str
    title: str
    severity: str
    evidence: tuple[Measure, ...]
    reason: str
    certainty: float
    cure: str
    experiment: str
    outcome: Outcome | None = None

    @property
    def sure(self) -> str:
        """How sure, in words.

        >>> Finding("a", "b", "note", (), "c", 0.95, "d", "e").sure
        'nearly certain'
        """
        words = ((0.9, "nearly certain"), (0.7, "likely"), (0.5, "more likely than not"))
        return next((word for least, word in words if self.certainty >= least), "possible")

    @property
    def rank(self) -> tuple[int, float]:
        """What findings are ordered by, the worst first."""
        return SEVERITIES.index(self.severity), -self.certainty

    def sentences(self) -> list[str]:
        """All of it as text."""
        said = [
            f"{self.severity.capitalize()}, {self.sure}: {self.title}.",
            f"  Measured: {'; '.join(self._measured())}.",
        ]
        return [*said, *(f"  {name}: {what}" for name, what in self._meaning().items())]

    def page(self) -> Page:
        """What is shown of it: the title, how severe and how sure, the evidence, the reason, the cure."""
        return Page("", (self.entry(),))

    def entry(self, numbered: str = "") -> PageEntry:
        """The finding set apart, with its number among others before its title."""
        facts = Facts({"Measured": "\n".join(self._measured()), **self._meaning()})
        return PageEntry(f"{numbered}{self.title}", f"{self.severity}, {self.sure}", _COLOURS[self.severity], facts)

    def _measured(self) -> list[str]:
        """The evidence, of each name once."""
        named = groupby(self.evidence, lambda measure: measure.name)
        return [f"{name}: {', '.join(measure.amount for measure in measures)}" for name, measures in named]

    def _meaning(self) -> dict[str, str]:
        tried = {"Tried": self.outcome.sentence} if self.outcome else {"To be sure": self.experiment}
        return {"Why": self.reason, "What to do": self.cure, **tried}

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Pathology:
    """One row of the table: the words, how to look for it in a case, and the experiment that would confirm it.

    `needs` names what a case must have to be looked at; `explains` names rows that are only a consequence of this one.
    """

    name: str
    title: str
    reason: str
    cure: str
    experiment: str
    examine: Callable[[Any], Sign | None]
    confirm: Callable[[Any, Sign], Outcome]
    needs: frozenset[str] = frozenset({"network"})
    explains: frozenset[str] = frozenset()

    def found_in(self, case: Any) -> Sign | None:
        """The sign of it, if the case has what it needs and shows it."""
        return self.examine(case) if self.needs <= case.has else None

    def finding(self, sign: Sign, outcome: Outcome | None = None) -> Finding:
        """The finding for a sign."""
        gap = "" if sign.where.startswith(":") or not sign.where else " "
        title = f"{self.title}{gap}{sign.where}"
        cure = sign.cure or self.cure
        return Finding(
            self.name, title, sign.severity, sign.evidence, self.reason, sign.certainty, cure, self.experiment, outcome
        )
