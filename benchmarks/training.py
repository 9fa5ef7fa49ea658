"""How fast chainrule trains, beside PyTorch and JAX: `python benchmarks/training.py`.

Everything is measured on one core in one run, the contestants in turn, round after round, so that whatever else the
machine does hits them alike. Compare ratios of one run; times of different runs are those of different moments.

The peers live in a virtual environment of their own, which is made when it is first needed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from contest import Settings, held
from peak import measured_peak
from peers import DEFAULT_ENVIRONMENT, absent_peers, chainrule, present_peers, version
from report import Report
from startup import first_steps, imports
from surroundings import machine, tell, tell_of
from workers import Contestant, pin
from workloads import BOOK, WORKLOADS, with_arrays


def _arguments() -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="what to train")
    parser.add_argument("--repeats", type=int, default=20, metavar="N", help="rounds for each workload (default 20)")
    parser.add_argument("--seconds", type=float, default=0.03, help="a contestant's turn in a round (default 0.03)")
    parser.add_argument("--starts", type=int, default=3, help="fresh processes to time beginnings with (default 3)")
    parser.add_argument("--limit", type=float, default=120, help="seconds that a worker may think (default 120)")
    parser.add_argument("--core", type=int, help="the core to measure on (default: the last that is allowed)")
    parser.add_argument("--no-peers", action="store_true", help="chainrule alone")
    parser.add_argument("--peers-env", type=Path, default=DEFAULT_ENVIRONMENT, metavar="DIR", help="where peers live")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured to FILE")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error("--repeats must be at least 1")
    return arguments


def _contestants(arguments: argparse.Namespace) -> list[Contestant]:
    return [chainrule(), *([] if arguments.no_peers else present_peers(arguments.peers_env, tell))]


def _measure(arguments: argparse.Namespace, report: Report, contestants: Sequence[Contestant], folder: Path) -> None:
    """Fill the report."""
    settings = Settings(arguments.repeats, arguments.seconds, arguments.limit)
    for name in arguments.workloads:
        task = with_arrays(WORKLOADS[name], folder / f"{name}.npz")
        contest = held(task, contestants, settings, folder / "cache", partial(tell_of, name))
        report.contests[name] = contest
        report.peak = max(report.peak, contest.peak)
    if arguments.starts > 0:
        task = with_arrays(WORKLOADS[BOOK], folder / f"{BOOK}.npz")
        report.imports = imports(contestants, arguments.starts, tell)
        report.starts = first_steps(task, contestants, arguments.starts, arguments.limit, tell)


def main() -> int:
    """Measure, print the tables, write the file; 1 if something went wrong on the way."""
    arguments = _arguments()
    contestants = _contestants(arguments)
    core = pin(arguments.core)
    names = {c.name: f"{c.title} {version(c)}".strip() for c in contestants}
    absent = [] if arguments.no_peers else absent_peers(contestants)
    report = Report(machine(core, arguments.repeats), names, absent, measured_peak())
    with tempfile.TemporaryDirectory() as folder:
        _measure(arguments, report, contestants, Path(folder))
    tell("")
    print(report.markdown())
    if arguments.json:
        arguments.json.write_text(json.dumps(report.data(), indent=2) + "\n", encoding="utf-8")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
