"""Which interpreters chainrule runs on, and how the others on a machine are found."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "other_interpreters.py"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def an_interpreter(folder: Path, version: str, text: str) -> Path:
    """Something that is called as Python is, and prints a text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"python{version}"
    path.write_text(f"#!/bin/sh\necho '{text}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_python_without_the_lock_that_native_programs_count_on_is_refused() -> None:
    code = "import sys\nsys._is_gil_enabled = lambda: False\nimport chainrule"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert "ImportError: chainrule does not run on free-threaded Python yet" in result.stderr
    assert "PYTHON_GIL=1" in result.stderr


def test_every_version_that_the_project_names_is_one_to_look_for(script: dict[str, Any]) -> None:
    versions = script["supported"]()
    assert versions == sorted(versions, key=lambda v: [int(n) for n in v.split(".")])
    lowest = re.search(r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert lowest is not None
    assert versions[0] == lowest[1]
    assert HERE in versions


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
def test_an_interpreter_is_one_that_runs_and_is_of_the_version_that_its_name_says(
    script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    for n, text in enumerate(["", "3.98 cpython True", "3.99 pypy True", "3.99 cpython False"]):
        an_interpreter(tmp_path / str(n), "3.99", text)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / str(n)) for n in range(4)] + [os.environ["PATH"]]))
    assert script["interpreter"]("3.99") is None
    for patch in ("9", "10"):
        last = an_interpreter(tmp_path / "pyenv" / "versions" / f"3.99.{patch}" / "bin", "3.99", "3.99 cpython True")
    assert script["interpreter"]("3.99") == last, "the newest of pyenv's"
    first = an_interpreter(tmp_path / "0", "3.99", "3.99 cpython True")
    assert script["interpreter"]("3.99") == first, "but what is on PATH before it"


def test_a_version_that_is_not_there_is_said_and_no_failure() -> None:
    result = subprocess.run([sys.executable, SCRIPT, "3.99"], capture_output=True, text=True)
    assert (result.returncode, result.stdout.strip()) == (0, "Other interpreters: 3.99 not found.")
