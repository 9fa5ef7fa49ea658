"""Run the core of the tests on every other Python that is found here, against the installed wheel.

    python scripts/other_interpreters.py            # every version that pyproject.toml names and this machine has
    python scripts/other_interpreters.py 3.13 3.14  # these alone

Looks for `python3.N` in the folders of PATH and among pyenv's versions. Each gets a virtual environment in
`.interpreters`, which is kept, with the wheel in it, and runs the tests of native code, learning and transformations.
What cannot be set up (no interpreter, no network, no wheel of something needed) is said, and is no failure; a test
that fails is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".interpreters"
CORE = (
    *(f"tests/{room}" for room in ("optimize", "schedule", "cpu", "run", "learning")),
    *(f"tests/test_{n}.py" for n in ("transform", "transformed", "interruption")),
)
WHO = """import sys
print("%d.%d" % sys.version_info[:2], sys.implementation.name, getattr(sys, "_is_gil_enabled", lambda: True)())
"""


def main() -> int:
    """The exit status: 1 if a test fails on one of them."""
    wanted = sys.argv[1:] or [v for v in supported() if v != f"{sys.version_info.major}.{sys.version_info.minor}"]
    with tempfile.TemporaryDirectory() as folder:
        found = {version: interpreter(version) for version in wanted}
        wheel = built(Path(folder)) if any(found.values()) else None
        outcomes = {version: outcome(version, python, wheel) for version, python in found.items()}
    print("\nOther interpreters: " + "; ".join(f"{version} {said}" for version, said in outcomes.items()) + ".")
    return int(any(said.startswith("failed") for said in outcomes.values()))


def supported() -> list[str]:
    """The versions of Python that the project says it supports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [v for text in project["classifiers"] for v in re.findall(r"Python :: (\d+\.\d+)$", text)]


def interpreter(version: str) -> Path | None:
    """A CPython of that version, not free-threaded, that runs here."""
    return next((path for path in candidates(version) if runs(path, version)), None)


def candidates(version: str) -> Iterator[Path]:
    """Where one may lie: the folders of PATH, then pyenv's versions, the newest first."""
    name = f"python{version}"
    yield from (Path(folder) / name for folder in os.get_exec_path())
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    numbered = versions.glob(f"{version}.*/bin/{name}")
    yield from sorted(numbered, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-3])], reverse=True)


def runs(path: Path, version: str) -> bool:
    """Whether it is there, and what its name says: a shim of pyenv's may stand for nothing."""
    if not path.is_file():
        return False
    asked = subprocess.run([path, "-c", WHO], capture_output=True, text=True)
    return asked.stdout.split() == [version, "cpython", "True"]


def built(folder: Path) -> Path | None:
    """The wheel of the project, made by this Python."""
    made = pip(Path(sys.executable), "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("*.whl")) if made else None


def pip(python: Path, *arguments: str) -> bool:
    """Whether the newest pip, run by that Python, did as told; what it said if not. Older ones may not run on it."""
    newest = KEPT / "pip"
    if not newest.is_dir():
        subprocess.run([sys.executable, "-m", "pip", "--quiet", "install", "--target", newest, "pip"])
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(newest)})
    if done.returncode:
        print((done.stderr or done.stdout).strip())
    return done.returncode == 0


def outcome(version: str, python: Path | None, wheel: Path | None) -> str:
    """What became of one version."""
    if python is None:
        return "not found"
    environment = prepared(version, python, wheel) if wheel else None
    if environment is None:
        return "not run (it could not be set up)"
    print(f"\n{version}: {python}", flush=True)
    start = time.monotonic()
    status = tested(environment)
    return f"{'failed' if status else 'passed'} in {time.monotonic() - start:.0f} s"


def prepared(version: str, python: Path, wheel: Path) -> Path | None:
    """The Python of a virtual environment with the wheel and what its tests need."""
    made = subprocess.run([python, "-m", "venv", "--without-pip", KEPT / version], capture_output=True)
    inside = KEPT / version / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    needs = pip(inside, "install", "--only-binary", ":all:", f"{wheel}[test]") if made.returncode == 0 else False
    return inside if needs and pip(inside, "install", "--no-deps", "--force-reinstall", str(wheel)) else None


def tested(python: Path) -> int:
    """The exit status of the tests, which find the installed package and not the checkout's."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto", *CORE]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
