"""A pathology, the sign of it that was measured, and the finding that people read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.insight.presentation import number

__all__ = ["SEVERITIES", "Finding", "Measure", "Outcome", "Pathology", "Sign"]

#: From the worst to the mildest.
SEVERITIES = ("alarm", "warning", "note")


@dataclass(frozen=True)
class Measure:
    """A number that speaks for a finding; its unit is "" where it is a ratio."""

    name: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {number(self.value)}{self.unit and ' ' + self.unit}"


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


@dataclass(frozen=True)
class Finding:
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
        numbers = "; ".join(map(str, self.evidence))
        said = [f"{self.severity.capitalize()}, {self.sure}: {self.title}.", f"  Measured: {numbers}."]
        said += [f"  Why: {self.reason}", f"  What to do: {self.cure}"]
        tried = f"  Tried: {self.outcome.sentence}" if self.outcome else f"  To be sure: {self.experiment}"
        return [*said, tried]


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
