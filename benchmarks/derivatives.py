"""What derivatives beyond the gradient cost, beside PyTorch, BackPACK and JAX: `python benchmarks/derivatives.py`.

Each time is divided by that of the same library's own gradient of the same network, so that what is compared is what
a quantity adds; a Hessian is divided by JAX's. Everything is float32, on one core, in one run, all libraries in turn,
round after round; their values are compared first.

The peers live in a virtual environment of their own, which is made when it is first needed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from contest import Entry, Settings
from derivatives_contest import Outcome, measured
from derivatives_protocol import QUANTITIES
from derivatives_rows import NETS, ROWS
from peers import DEFAULT_ENVIRONMENT, absent_peers, chainrule, derivatives_peers, present_peers, version
from report import DISAGREEMENT, heading, number_text, table
from surroundings import machine, tell, tell_of
from workers import Contestant, pin
from workloads import with_arrays

_COLUMNS = ("chainrule", "chainrule, arrays kept", "torch.func", "PyTorch, twice backward", "BackPACK", "JAX")
_QUICK = (3, 0.01)


@dataclass
class _Report:
    """Everything that one run has measured."""

    machine: dict[str, Any]
    names: dict[str, str]
    absent: list[str]
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """What went wrong, a line each."""
        found = []
        for name, outcome in self.outcomes.items():
            found += [f"{name}, {contestant}: {error}" for contestant, error in outcome.errors.items()]
            found += [f"{name}, {way}: {entry.error}" for way, entry in outcome.entries.items() if entry.error]
            found += [
                f"{name}, {way}: differs from chainrule by {difference:.1e}, which is too much"
                for way, difference in outcome.differences.items()
                if difference > DISAGREEMENT
            ]
        return found

    def markdown(self, *, profiles: bool) -> str:
        """The table, what it means, and what went wrong."""
        parts = [heading(self.machine, self.names, self.absent, 0.0) + _MEANING, table(*self._table())]
        worst = max((d for o in self.outcomes.values() for d in o.differences.values()), default=None)
        parts += [] if worst is None else [f"Largest relative difference of a value from chainrule's: {worst:.0e}."]
        missed = {name: outcome for name, outcome in self.outcomes.items() if outcome.is_missed}
        parts += [f"Missed: {', '.join(missed)}."] if missed else []
        if profiles:
            parts += [f"{name}, the slowest kernels:\n\n```\n{o.profile}\n```" for name, o in missed.items()]
        if self.problems:
            parts += ["Problems:\n\n" + "\n".join(f"- {p}" for p in self.problems)]
        return "\n\n".join(parts) + "\n"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        columns = [c for c in _COLUMNS if any(c in outcome.entries for outcome in self.outcomes.values())]
        rows = [
            [
                QUANTITIES[o.row.quantity] + (f", beside {o.row.against}'s" if o.row.against else ""),
                o.row.net,
                f"≤ {o.row.required:g}",
                _aim_text(o),
                *(_cell(o, column) for column in columns),
            ]
            for o in self.outcomes.values()
        ]
        return ["quantity", "network", "required", "aim", *columns], rows

    def data(self) -> dict[str, Any]:
        """The whole report as JSON can hold it."""
        rows = {
            name: asdict(outcome) | {"ratios": {way: outcome.ratio(way) for way in outcome.entries}}
            for name, outcome in self.outcomes.items()
        }
        return {"machine": self.machine, "contestants": self.names, "absent": self.absent, "rows": rows}


_MEANING = (
    " Cells: the multiple of the same library's gradient, of the fastest rounds (in brackets the median of all), and"
    " the fastest round's µs. `arrays kept`: the program alone, its results in arrays that are there already."
)


def _aim_text(outcome: Outcome) -> str:
    if outcome.row.aim is not None:
        return f"{outcome.row.aim:g}"
    writing = outcome.ratio("only writing")
    return f"{number_text(writing[0])} (only writing)" if writing else "only writing"


def _cell(outcome: Outcome, way: str) -> str:
    entry = outcome.entries.get(way, Entry())
    if entry.error:
        return "failed"
    if not entry.seconds:
        return "–"
    found = outcome.ratio(way)
    multiple = f"{found[0]:.2f} ({found[1]:.2f}), " if found else ""
    compiled = outcome.row.against is not None and entry.compile_seconds is not None
    compiling = f", compiled in {number_text(entry.compile_seconds or 0.0)} s" if compiled else ""
    return f"{multiple}{number_text(entry.minimum * 1e6)} µs{compiling}"


def _arguments() -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="what to measure")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds for each row (default 15)")
    parser.add_argument("--seconds", type=float, default=0.03, help="the turn of a way in a round (default 0.03)")
    parser.add_argument("--quick", action="store_true", help="a few short rounds, to see that everything works")
    parser.add_argument("--limit", type=float, default=120, help="seconds that a worker may think (default 120)")
    parser.add_argument("--core", type=int, help="the core to measure on (default: the last that is allowed)")
    parser.add_argument("--without-peers", action="store_true", help="chainrule alone")
    parser.add_argument("--peers-env", type=Path, default=DEFAULT_ENVIRONMENT, metavar="DIR", help="where peers live")
    parser.add_argument("--profiles", action="store_true", help="where chainrule's time goes in rows that it misses")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured to FILE")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = _QUICK
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    return arguments


def _contestants(arguments: argparse.Namespace) -> list[Contestant]:
    own = chainrule("derivatives_chainrule.py")
    return [own, *([] if arguments.without_peers else present_peers(arguments.peers_env, tell, derivatives_peers))]


def _measure(arguments: argparse.Namespace, report: _Report, contestants: Sequence[Contestant], folder: Path) -> None:
    """Fill the report."""
    settings = Settings(arguments.rounds, arguments.seconds, arguments.limit)
    for name in arguments.rows:
        row = ROWS[name]
        task = with_arrays(NETS[row.net], folder / f"{row.net}.npz")
        report.outcomes[name] = measured(row, task, contestants, settings, folder, partial(tell_of, name))


def main() -> int:
    """Measure, print the table, write the file; 1 if something went wrong on the way."""
    arguments = _arguments()
    contestants = _contestants(arguments)
    core = pin(arguments.core)
    names = {c.name: f"{c.title} {version(c)}".strip() for c in contestants}
    absent = [] if arguments.without_peers else absent_peers(contestants, derivatives_peers)
    report = _Report(machine(core, arguments.rounds), names, absent)
    with tempfile.TemporaryDirectory() as folder:
        _measure(arguments, report, contestants, Path(folder))
    tell("")
    print(report.markdown(profiles=arguments.profiles))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.data(), indent=2) + "\n", encoding="utf-8")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
