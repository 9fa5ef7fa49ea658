"""`chainrule classics list` and `chainrule classics run`: what they print and write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule.classics import DEMONSTRATIONS, PROBLEMS, problem, run
from chainrule.cli.main import execute

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_list_has_every_name_with_its_published_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["classics", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split(":")[0] for line in lines if not line.startswith(" ")]
    assert names == [*PROBLEMS, *DEMONSTRATIONS]
    assert any(line.startswith("    published: sweeps to the solution: 1,425;") for line in lines)


def test_list_as_json_has_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["classics", "list", "--json", "-"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["classics"]}
    assert list(found) == [*PROBLEMS, *DEMONSTRATIONS]
    assert found["symmetry"]["source"] == problem("symmetry").source
    assert found["symmetry"]["published"][0]["figure"] == "1,425"
    assert found["symmetry"]["ours"]["trials"] == 1000


def test_run_prints_what_python_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["classics", "run", "xor-direct", "--seed", "3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == str(run("xor-direct", seed=3)).split()
    assert printed.err == ""
    assert all(character == "\n" or character.isprintable() for character in printed.out)


def test_run_takes_trials_and_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["classics", "run", "parity", "--size", "2", "--trials", "3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("parity of 2 bits")
    assert "The 3 trials of this run: " in out


def test_run_draws_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["classics", "run", "xor-direct", "--plot", "a.png", "--json", "a.json"]) == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads(Path("a.json").read_text("utf-8"))
    assert written == {**written, **run("xor-direct").to_dict()}
    assert sorted(path.name for path in Path().iterdir()) == ["a.json", "a.png"]


def test_run_of_a_demonstration_prints_and_draws_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["classics", "run", "toy-neuron", "--plot", "a.svg"]) == 0
    assert capsys.readouterr().out.startswith("One neuron")
    assert "<svg" in Path("a.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chess"], "problem or demonstration must be one of 'xor', "),
        (["xor-direct", "--size", "3"], "xor-direct comes in one size."),
        (["xor", "--trials", "0"], "trials must be a whole number of at least 1, not 0."),
        (["parity", "--size", "99"], "bits must be a whole number from 2 to 8, not 99."),
        (["toy-neuron", "--trials", "3"], "neither trials nor a size."),
        (["xor-direct", "--plot", "a.nothing"], "Name a file that ends in .png, .svg or .pdf."),
    ],
    ids=str,
)
def test_mistakes_are_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["classics", "run", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert said in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals here")
def test_on_a_terminal_it_is_seen_learning() -> None:
    mine, theirs = os.openpty()
    command = [sys.executable, "-m", "chainrule", "classics", "run", "xor-direct"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(mine, 4096):
            shown += piece
    except OSError:  # the process has ended
        pass
    assert process.wait(timeout=60) == 0
    os.close(mine)
    assert "patterns right " in shown.decode(errors="replace")
    assert any(bar in shown.decode(errors="replace") for bar in "▁▂▃▄▅▆▇█")


def test_help_names_every_option_and_imports_nothing_heavy(
    monkeypatch: pytest.MonkeyPatch, chainrule_command: Command
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = chainrule_command("classics", "run", "--help")
    assert done.returncode == 0
    for option in ("--seed", "--trials", "--size", "--plot", "--json"):
        assert option in done.stdout
    code = "import sys; from chainrule.cli.main import execute; execute(['classics', 'run', '--help']);"
    code += "print([name for name in ('numpy', 'llvmlite') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
