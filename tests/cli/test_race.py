"""`chainrule race`: what it prints, shows and writes."""

from __future__ import annotations

import io
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tests.cli.test_terminal import Terminal

from chainrule.classics import Entry, Race, race
from chainrule.classics.races import racing
from chainrule.cli.commands.race import operations
from chainrule.cli.main import execute
from chainrule.cli.race_progress import so_far
from chainrule.errors import OptionError

Command = Callable[..., subprocess.CompletedProcess[str]]
QUICK = ("--rules", "backpropagation,perceptron", "--trials", "4", "--budget", "30k")


def test_in_a_pipe_there_are_plain_lines(chainrule_command: Command) -> None:
    done = chainrule_command("race", "xor", *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(character == "\n" or character.isprintable() for character in done.stdout)
    lines = done.stdout.splitlines()
    assert lines[0] == "The race on xor: Is exactly one of two bits on?"
    assert any(line.startswith("Backpropagation solved ") for line in lines)
    assert any(line.startswith("Perceptron cannot learn it: ") for line in lines)
    assert "A trial may spend 30,000 floating-point operations." in lines
    assert any(line.split()[:2] == ["rule", "solved"] for line in lines)
    assert any(line.startswith("spent by all trials") for line in lines)


def test_options_reach_the_race(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["race", "parity", *QUICK, "--size", "2", "--seed", "3", "--json", "found.json"]) == 0
    found = json.loads((work / "found.json").read_text("utf-8"))
    wanted = race(racing.problem_named("parity", bits=2), ["backpropagation", "perceptron"], 4, 30_000, 3)
    assert found["title"] in capsys.readouterr().out
    assert (found["problem"], found["trials"], found["budget"], found["seed"]) == ("parity", 4, 30_000, 3)
    assert [entry["sweeps"] for entry in found["entries"]] == [entry.sweeps.tolist() for entry in wanted.entries]


def test_the_picture_is_written(work: Path) -> None:
    assert execute(["race", "xor", *QUICK, "--plot", "found.svg"]) == 0
    assert "<svg" in (work / "found.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "number"), [("2e6", 2e6), ("10M", 1e7), ("1.5G", 1.5e9), ("500k", 5e5), ("300", 300), ("2e+3", 2e3)]
)
def test_numbers_of_operations(text: str, number: float) -> None:
    assert operations(text) == number


@pytest.mark.parametrize("text", ["", "many", "10m", "-5", "1e999", "nan", "M"])
def test_what_is_no_number_of_operations(text: str) -> None:
    with pytest.raises(OptionError, match="Write it like 2e6, 500k or 10M"):
        operations(text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("race", "Missing argument 'PROBLEM'."),
        ("race xorr", "problem must be one of 'xor', 'xor-direct', "),
        ("race chess", "problem must be one of 'xor', 'xor-direct', "),
        ("race xor --rules backpropogation", "rule must be one of 'backpropagation', "),
        ("race xor --rules delta,delta", "a race needs rules, each once, not ['delta', 'delta']."),
        ("race xor --trials 0", "trials must be a whole number of at least 1, not 0."),
        ("race xor --budget much", "--budget much is no number of operations. Write it like 2e6, 500k or 10M."),
        ("race xor --budget 0", "budget must be a number above 0, not 0.0."),
        ("race negation --size 3", "the problem negation comes in one size. Leave out --size."),
        ("race symmetry --size 1", "bits must be a whole number of at least 2, not 1. Fewer have no two sides."),
        (
            "race xor --plot found.txt",
            "--plot found.txt does not name a kind of picture. Name a file that ends in .png, .svg or .pdf.",
        ),
    ],
)
def test_mistakes_are_one_sentence(
    work: Path, capsys: pytest.CaptureFixture[str], arguments: str, sentence: str
) -> None:
    assert execute(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {sentence}")
    assert captured.err.count("\n") == 1
    assert not list(work.iterdir())


def test_ctrl_c_prints_and_writes_what_was_found(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> Race:
        return Race("xor", "", 5, 100.0, 0, (Entry("reinforce", "", trials=5, budget=9, sweeps=np.array([3])),), True)

    monkeypatch.setattr(racing, "race", stopped)
    assert execute(["race", "xor", "--json", "found.json"]) == 130
    assert "Stopped early" in capsys.readouterr().out
    assert json.loads((work / "found.json").read_text("utf-8"))["stopped"] is True


# on a terminal


def test_a_row_for_each_rule_while_it_runs() -> None:
    entries = (
        Entry("backpropagation", "", trials=10, sweeps=np.array([1500, -1, 1200])),
        Entry("perceptron", "", "cannot represent it", "no line", trials=8),
        Entry("delta", "", "cannot take it", "hidden units"),
    )
    text = io.StringIO()
    Console(file=text, width=80).print(so_far(Race("xor", "", 10, 100.0, 0, entries)))
    rows = [line.split() for line in text.getvalue().splitlines()]
    assert rows[1][0] == "backpropagation"
    assert rows[1][-6:] == ["3", "of", "10", "2", "1,500", "sweeps"]
    assert rows[2][0] == "perceptron"
    assert rows[2][-6:] == ["0", "of", "8", "cannot", "learn", "it"]
    assert rows[3] == ["delta", "cannot", "take", "it"]


def test_ctrl_c_on_a_terminal() -> None:
    terminal = Terminal("race", "symmetry", "--rules", "backpropagation", "--trials", "3000", "--budget", "1G")
    try:
        terminal.wait_for("of 3000")
        terminal.wait_for("sweeps")
        terminal.process.send_signal(signal.SIGINT)
        printed = terminal.finish()
        assert terminal.process.returncode == 130
        assert "Backpropagation solved " in printed
        assert "Stopped early" in printed
        assert "\x1b" not in printed
        assert "Traceback" not in terminal.shown
    finally:
        terminal.close()
