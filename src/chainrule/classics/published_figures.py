"""Every problem and demonstration, with the figures as they were published, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.classics.demonstrations import DEMONSTRATIONS, demonstration
from chainrule.classics.problems import PROBLEMS, problem
from chainrule.classics.problems.base import Published
from chainrule.classics.races.measurements import Distribution, distribution, recorded
from chainrule.display import plain

__all__ = ["Catalogued", "catalogue"]


@dataclass(frozen=True)
class Catalogued:
    """A problem or a demonstration: what it is, the figures as they were published, and ours.

    `ours` is what was measured of a problem over many seeds, `said` ours in words; None and empty before that.
    """

    name: str
    title: str
    description: str
    source: str
    published: tuple[Published, ...]
    ours: Distribution | None
    said: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        found: dict[str, Any] = plain(self)
        return found


def catalogue() -> tuple[Catalogued, ...]:
    """Every problem, then every demonstration.

    >>> [one.name for one in catalogue()][:2]
    ['xor', 'xor-direct']
    """
    return (*map(_problem, PROBLEMS), *map(_demonstration, DEMONSTRATIONS))


def _problem(name: str) -> Catalogued:
    asked, ours = problem(name), distribution(name)
    said = "" if ours is None else ours.words
    machine = distribution(name, machine=True)
    if machine is not None:
        said = f"the Boltzmann machine, {machine.words}; backpropagation, {said}"
    return Catalogued(name, asked.title, asked.description, asked.source, asked.published, ours, said)


def _demonstration(name: str) -> Catalogued:
    shown, found = demonstration(name), recorded().get("demonstrations", {}).get(name)
    said = "" if found is None else " ".join(found["sentences"])
    return Catalogued(name, shown.title, shown.description, shown.source, shown.published, None, said)
