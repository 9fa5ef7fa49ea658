"""What was measured of the problems, kept beside the code: our distributions, and each rule against backpropagation.

`scripts/measure_1986.py` measures it and writes docs/1986.md from it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from chainrule.classics.problems.base import Problem
from chainrule.classics.races.batched_trials import Trials
from chainrule.classics.races.standings import Entry

__all__ = ["RECORD", "Comparison", "Distribution", "comparisons", "distribution", "fingerprint", "recorded"]

#: The file.
RECORD = Path(__file__).with_name("measured.json")
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Distribution:
    """The sweeps to the solution over many seeds: least, quartiles, most; None where fewer than that solved it.

    A trial that did not solve the problem within `budget` sweeps counts as infinitely many. `operations` are the
    floating-point operations of one sweep, `seconds` its time.
    """

    trials: int
    solved: int
    budget: int
    seed: int
    sweeps: tuple[int | None, ...]
    operations: float
    seconds: float

    @classmethod
    def of(cls, found: Trials) -> Distribution:
        """That of trials."""
        sweeps = tuple(_whole(found.quantile(q)) for q in _QUANTILES)
        counts = int(found.finished.sum()), int(found.solved.sum()), found.budget, found.seed
        return cls(*counts, sweeps, found.spending.operations, found.seconds_per_sweep)

    @property
    def fraction(self) -> float:
        """The fraction of the trials that solved it."""
        return self.solved / self.trials

    @property
    def median(self) -> int | None:
        """The median sweeps; None if fewer than half of the trials solved it."""
        return self.sweeps[2]

    @property
    def words(self) -> str:
        """In words, for a table: `median 2,406 sweeps (1,032 to 6,899), 1,000 of 1,000 solved`."""
        solved = f"{self.solved:,} of {self.trials:,} solved"
        if self.median is None:
            return f"{solved} within {self.budget:,} sweeps"
        return f"median {self.median:,} sweeps ({_count(self.sweeps[1])} to {_count(self.sweeps[3])}), {solved}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """A rule on a problem, against what backpropagation needs there in the median over its seeds.

    `outcome` is "ran", "cannot represent it" or "cannot take it", with `why`; `network` has the sizes of the network
    that the rule learns, where it is another than the problem's. A trial could spend `budget` operations.
    `operations` and `seconds` are the rule's medians over backpropagation's: factors, below 1 where backpropagation
    loses; None unless at least half of the rule's trials solved it. Then `least_operations` and `least_seconds` are
    what its budget was, as such factors. All are None where backpropagation has no median.
    """

    outcome: str
    why: str = ""
    network: str = ""
    trials: int = 0
    solved: int = 0
    budget: float = 0.0
    operations: float | None = None
    seconds: float | None = None
    least_operations: float | None = None
    least_seconds: float | None = None

    @classmethod
    def of(cls, entry: Entry, base: Distribution) -> Comparison:
        """That of an entry of a race."""
        found = cls(entry.outcome, entry.why, entry.network, entry.finished, entry.solved, entry.most("operations"))
        if entry.outcome != "ran" or base.median is None:
            return found
        factors: dict[str, Any] = {}
        for of, each in (("operations", base.operations), ("seconds", base.seconds)):
            needed, most = entry.quantile(0.5, of), entry.most(of)  # type: ignore[arg-type]
            name, value = (of, needed) if math.isfinite(needed) else (f"least_{of}", most)
            factors[name] = value / (max(base.median, 1) * each)
        return replace(found, **factors)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@cache
def recorded() -> Mapping[str, Any]:
    """The whole record, as JSON has it; empty before anything was measured."""
    found: Mapping[str, Any] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    return found


def distribution(name: str, *, machine: bool = False) -> Distribution | None:
    """What was measured of backpropagation on the problem of that name, at its settings; None if nothing was.

    With `machine` it is that of the Boltzmann machine, for problems that were published of it.

    >>> found = distribution("symmetry")
    >>> found.trials, found.budget
    (1000, 60000)
    """
    found = recorded().get("machines" if machine else "problems", {}).get(name)
    return None if found is None else _distribution(found)


def fingerprint(asked: Problem) -> str:
    """What is the same as long as what is learnt, by which network with which settings, is: to tell an old record.

    >>> from chainrule.classics.problems import problem
    >>> fingerprint(problem("parity", bits=3)) == fingerprint(problem("parity", bits=4))
    False
    """
    told = json.dumps([asdict(asked.settings), asked.wiring.to_dict(), asked.budget])
    parts = [told.encode(), asked.x.tobytes(), asked.y.tobytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def comparisons(name: str) -> dict[str, Comparison]:
    """What was measured of the other rules on the problem of that name, by rule."""
    return {rule: Comparison(**found) for rule, found in recorded().get("races", {}).get(name, {}).items()}


def _distribution(found: Mapping[str, Any]) -> Distribution:
    return Distribution(**{**found, "sweeps": tuple(found["sweeps"])})


def _whole(value: float) -> int | None:
    return int(value) if math.isfinite(value) else None


def _count(value: int | None) -> str:
    return "not solved" if value is None else f"{value:,}"
