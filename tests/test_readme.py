"""The blocks of the README, and of the page on networks, run in turn with nothing but what they define themselves."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from chainrule.cli.main import execute

PAGES = Path(__file__).parents[1]
NETWORKS = (PAGES / "docs" / "networks.md").read_text("utf-8")
README = (PAGES / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", README, re.DOTALL)
#: What needs a folder of MNIST, or makes an environment of its own.
ELSEWHERE = ("chainrule learn mnist/", "python3 -m venv")


def test_every_block_runs_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, block in BLOCKS:
        if language == "python":
            exec(compile(block, "README.md", "exec"), names)
            continue
        for line in block.splitlines():
            if not line.startswith(ELSEWHERE):
                program, *arguments = shlex.split(line, comments=True)
                assert program == "chainrule"
                assert execute(arguments) == 0, line
    captured = capsys.readouterr()
    assert "acc0 = sum" in captured.out
    told = [line for line in captured.err.splitlines() if not re.fullmatch(r".*: \d+ of \d+ trials, .*", line)]
    assert told == [], "but how far a race has come, where it takes long"
    assert (tmp_path / "runs" / "first" / "weights.safetensors").exists()
    assert (tmp_path / "report.html").exists()


def test_there_are_blocks_of_both_languages_and_those_that_run_elsewhere() -> None:
    languages = [language for language, _ in BLOCKS]
    assert languages.count("python") >= 3
    assert languages.count("sh") >= 4
    for start in ELSEWHERE:
        assert any(block.startswith(start) for _, block in BLOCKS)


def test_the_page_on_networks_runs_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ModuleType("networks_page")  # where dataclasses look for the names in their annotations
    monkeypatch.setitem(sys.modules, page.__name__, page)
    for block in re.findall(r"```python\n(.*?)```", NETWORKS, re.DOTALL):
        exec(compile(block, "networks.md", "exec"), page.__dict__)
    assert page.run.history == page.again.history
    assert 4 <= len(page.best) <= 30
