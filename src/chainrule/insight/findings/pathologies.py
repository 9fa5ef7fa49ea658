"""All rows: what is looked for in a network or a run, and in a cost that is a plain function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.insight.findings import costs, data, depth, optimisation, plain_functions, units
from chainrule.insight.findings.finding import SEVERITIES, Finding, Pathology, Sign

__all__ = ["FUNCTIONS", "NETWORKS", "findings_in", "looked_for"]

#: For a network or a run.
NETWORKS = (
    *depth.PATHOLOGIES, *units.PATHOLOGIES, *data.PATHOLOGIES, *costs.PATHOLOGIES, *optimisation.PATHOLOGIES,
)  # fmt: skip
#: For a cost that is a plain function.
FUNCTIONS = plain_functions.PATHOLOGIES


def looked_for(case: Any, table: Iterable[Pathology]) -> int:
    """How many of the rows a case has what they need for."""
    return sum(row.needs <= case.has for row in table)


def findings_in(case: Any, table: Iterable[Pathology], most: int, *, confirm: bool = False) -> tuple[Finding, ...]:
    """What shows in a case, the worst first, at most so many; causes stand before their consequences, which go."""
    with np.errstate(all="ignore"):
        signs = [(row, sign) for row in table if (sign := row.found_in(case)) is not None]
        kept = _without_consequences(signs)
        kept.sort(key=lambda pair: pair[0].finding(pair[1]).rank)
        return tuple(_finding(row, sign, case, confirm) for row, sign in kept[:most])


def _without_consequences(signs: Sequence[tuple[Pathology, Sign]]) -> list[tuple[Pathology, Sign]]:
    """The findings that no other one, at least as severe, explains."""
    grades = {row.name: SEVERITIES.index(sign.severity) for row, sign in signs}
    explained = {
        name for row, _ in signs for name in row.explains if name in grades and grades[row.name] <= grades[name]
    }
    return [(row, sign) for row, sign in signs if row.name not in explained]


def _finding(row: Pathology, sign: Sign, case: Any, confirm: bool) -> Finding:
    found = row.finding(sign)
    return replace(found, outcome=row.confirm(case, sign)) if confirm else found
