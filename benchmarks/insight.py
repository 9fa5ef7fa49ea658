"""What insight costs: `python benchmarks/insight.py`.

Watching is compared with plain steps, questions with gradients, all of it compiled before it is timed, on one core, in
one process, in turn, round after round; so compare ratios of one run. Times are the processor's own, of all threads:
what else the machine does is not in them. No other library takes part.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from contest import Entry, ratio
from insight_rows import ROWS, Row
from protocol import repetitions
from report import number_text, table
from surroundings import machine, tell, tell_of
from workers import pin

_QUICK = (2, 0.01)


@dataclass
class _Outcome:
    """A row, and the seconds that each of its ways took in each round."""

    row: Row
    entries: dict[str, Entry] = field(default_factory=dict)
    value: float | None = None

    @property
    def found(self) -> tuple[float, float]:
        """What the row is about, in its unit: of the fastest rounds, and the median."""
        if self.value is not None:
            return self.value, self.value
        entries = list(self.entries.values())
        quotient = ratio(entries[0], entries[1]) if len(entries) > 1 else None
        return quotient or (1e3 * entries[0].minimum, 1e3 * entries[0].median)

    @property
    def cells(self) -> list[str]:
        """The row of the table."""
        least, median = self.found
        times = ", ".join(f"{name} {number_text(1e6 * e.minimum)}" for name, e in self.entries.items()) or "–"
        verdict = "missed" if least > self.row.required else "aim met" if least <= self.row.aim else "met"
        limits = [f"≤ {self.row.required:g}", f"{self.row.aim:g}"]
        return [self.row.what, self.row.unit, *limits, f"{least:.2f} ({median:.2f})", verdict, times]


def _timed(way: Callable[[], Any], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        way()
    return time.process_time() - start


def _measured(name: str, rounds: int, seconds: float) -> _Outcome:
    """Make a row's ways, warm up, and time each in turn; who begins changes from round to round."""
    row = ROWS[name]
    tell_of(name, "prepares")
    made = row.make()
    outcome = _Outcome(row, {way: Entry() for way in made.ways}, made.value)
    for way, run in made.ways.items():
        run()
        outcome.entries[way].steps = repetitions(seconds, _timed(run, 1))
    for number in range(rounds if made.ways else 0):
        tell_of(name, f"round {number + 1} of {rounds}")
        for way, run in list(made.ways.items())[:: 1 if number % 2 else -1]:
            entry = outcome.entries[way]
            entry.seconds.append(_timed(run, entry.steps) / entry.steps / made.calls)
    return outcome


def _markdown(told: dict[str, Any], outcomes: dict[str, _Outcome]) -> str:
    head = ["what", "in", "required", "aim", "fastest rounds (median)", "", "processor time of the fastest round, µs"]
    intro = (
        f"One core of {told['processor']} ({told['vector_bits']}-bit vectors), Python {told['python']}; "
        f"{told['rounds']} rounds, the ways of a row in turn in each."
    )
    return intro + "\n\n" + table(head, [outcome.cells for outcome in outcomes.values()]) + "\n"


def _data(told: dict[str, Any], outcomes: dict[str, _Outcome]) -> dict[str, Any]:
    rows = {
        name: {
            "what": o.row.what, "unit": o.row.unit, "required": o.row.required, "aim": o.row.aim,
            "of_minima": o.found[0], "median": o.found[1], "entries": {way: asdict(e) for way, e in o.entries.items()},
        }
        for name, o in outcomes.items()
    }  # fmt: skip
    return {"machine": told, "rows": rows}


def _arguments() -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="what to measure")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds for each row (default 15)")
    parser.add_argument("--seconds", type=float, default=0.03, help="the turn of a way in a round (default 0.03)")
    parser.add_argument("--quick", action="store_true", help="a few short rounds, to see that everything works")
    parser.add_argument("--core", type=int, help="the core to measure on (default: the last that is allowed)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured to FILE")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = _QUICK
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def _on_one_thread() -> None:
    """Begin again with NumPy's own threads switched off, unless they are: on one core they only stand in the way."""
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        single = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | single)


def main() -> int:
    """Measure, print the table, write the file; 1 if something takes more than it may."""
    arguments = _arguments()
    _on_one_thread()
    told = machine(pin(arguments.core), arguments.rounds)
    outcomes = {name: _measured(name, arguments.rounds, arguments.seconds) for name in arguments.rows}
    tell("")
    print(_markdown(told, outcomes))
    if arguments.json:
        arguments.json.write_text(json.dumps(_data(told, outcomes), indent=2) + "\n", encoding="utf-8")
    return 1 if any(o.found[0] > o.row.required for o in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
