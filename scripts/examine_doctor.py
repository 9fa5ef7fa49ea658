"""Print how well `chainrule.insight.diagnose` does on programs with one fault each, as the table in docs/doctor.md.

python scripts/examine_doctor.py [SEEDS] [CLEAN RUNS] [FIRST SEED]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.doctor.programs import PROGRAMS, Program, clean


def examined(program: Program, seeds: range) -> str:
    """A row: how often the fault is first, among the first three, and told of the repaired twin."""
    names = [program.run(seed, True).names() for seed in seeds]
    twins = [program.run(seed, False) for seed in seeds]
    first = sum(found[:1] == [program.name] for found in names)
    among = sum(program.name in found[:3] for found in names)
    false = sum(any(f.name == program.name and f.severity != "note" for f in twin.findings) for twin in twins)
    return f"| {program.row} | `{program.name}` | {program.fault} | {first} | {among} | {false} |"


def main(seeds: int = 10, runs: int = 100, start: int = 1000) -> None:
    """Print the table, and the count of clean runs; thresholds were chosen on seeds below 100."""
    print(f"| row | finding | fault | first, of {seeds} | in the first three | told of the twin |")
    print("|---|---|---|---|---|---|")
    for program in PROGRAMS:
        print(examined(program, range(start, start + seeds)), flush=True)
    worst = [
        max((f.severity for f in clean(n).findings if f.severity != "note"), default="")
        for n in range(start, start + runs)
    ]
    print(f"\nClean runs with notes at most: {worst.count('')} of {runs}.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
