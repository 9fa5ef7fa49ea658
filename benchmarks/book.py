"""The book's first program as a whole: `python benchmarks/book.py FOLDER`, where FOLDER holds MNIST.

Times the command

    chainrule learn FOLDER --network 784-30-10 --epochs 30 --batch 10 --rate 3.0 --cost quadratic --seed 0

from the start of its process to its end, when its run lies on disk. The first time nothing is compiled yet; from the
second on, compiled code may come from disk.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import chainrule
from report import seconds_text
from workers import pin

_OPTIONS = {"network": "784-30-10", "epochs": "30", "batch": "10", "rate": "3.0", "cost": "quadratic", "seed": "0"}
_NO_COMMAND_LINE = 2


def _arguments() -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with MNIST's four files")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="how often, after the first (default 3)")
    parser.add_argument("--core", type=int, help="measure on this core alone (default: wherever the system likes)")
    return parser.parse_args()


def _has_command_line() -> bool:
    return importlib.util.find_spec("chainrule.__main__") is not None


def _run(folder: Path, cache: Path) -> float:
    """Seconds of one run, which is saved to a folder that is thrown away. CalledProcessError if it fails."""
    options = [text for name, value in _OPTIONS.items() for text in (f"--{name}", value)]
    command = [sys.executable, "-m", "chainrule", "learn", str(folder.resolve()), *options]
    with tempfile.TemporaryDirectory() as here:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=here, env=chainrule().environment(cache), capture_output=True, text=True)
        seconds = time.perf_counter() - start
        done.check_returncode()
        saved = [f for f in Path(here).rglob("*") if f.is_file()]
    last = (done.stdout.strip().splitlines() or ["(it said nothing)"])[-1]
    kept = f"{len(saved)} files saved" if saved else "nothing was saved where it ran"
    print(f"{seconds:6.2f} s, {kept}: {last}", file=sys.stderr)
    return seconds


def main() -> int:
    """Run it once cold and some times warm, and print the times."""
    arguments = _arguments()
    if not _has_command_line():
        print("This chainrule has no command line: `python -m chainrule` is not there yet.", file=sys.stderr)
        return _NO_COMMAND_LINE
    if arguments.core is not None:
        pin(arguments.core)
    try:
        with tempfile.TemporaryDirectory() as cache:
            cold = _run(arguments.folder, Path(cache))
            warm = [_run(arguments.folder, Path(cache)) for _ in range(arguments.repeats)]
    except subprocess.CalledProcessError as problem:
        print(f"`chainrule learn` ended with status {problem.returncode}:\n{problem.stderr.strip()}", file=sys.stderr)
        return 1
    print(f"the book's first program: first {cold:.2f} s, then {seconds_text(warm)} s, minimum (median)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
