"""How long the networks of 1986 take: many networks side by side, and the race, on one core.

    taskset -c 1 python benchmarks/classics.py

Each figure with what is required of it. The race is a process of its own, from the start of Python to its end: once
with an empty cache of compiled programs, then with what that left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from chainrule import classics

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


def main() -> None:
    """Print every figure as a row of a table."""
    print("| what | measured | required |\n|---|---|---|")
    symmetry()
    boltzmann()
    race()


def symmetry() -> None:
    """1,000 seeds of the symmetry network, to the solution."""
    begin = time.perf_counter()
    found = classics.trials(classics.problem("symmetry"), classics.rule("backpropagation"), 1000)
    seconds = time.perf_counter() - begin
    row(f"1,000 seeds of the symmetry network, {sum(found.solved):,} to solution", f"{seconds:.1f} s", "60 s")
    row("its sweeps: least, quartiles, most", quantiles(found), "overlaps 1,127 / 2,715 / 7,830 and holds 1,425")


def boltzmann() -> None:
    """250 trials of the Boltzmann machine on its 4-2-4 encoder."""
    begin = time.perf_counter()
    found = classics.trials(classics.problem("boltzmann-encoder"), classics.rule("boltzmann"), 250)
    seconds = time.perf_counter() - begin
    row(f"250 Boltzmann machines 4-2-4, {sum(found.solved)} to solution", f"{seconds:.1f} s", "")
    row("their cycles: least, quartiles, most", quantiles(found), "median within 60 to 200")


def race() -> None:
    """`chainrule race xor` as it comes."""
    with tempfile.TemporaryDirectory() as cache:
        for state in ("nothing compiled", "compiled before"):
            begin = time.perf_counter()
            command = [sys.executable, "-m", "chainrule", "race", "xor"]
            subprocess.run(command, check=True, capture_output=True, env={**os.environ, "CHAINRULE_CACHE": cache})
            row(f"chainrule race xor, {state}", f"{time.perf_counter() - begin:.1f} s", "10 s")


def quantiles(found: classics.Trials) -> str:
    """The sweeps of some trials."""
    return " / ".join(f"{found.quantile(q):,.0f}" for q in QUARTERS)


def row(*cells: str) -> None:
    """A row of the table, at once."""
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
