"""What every command prints and writes alike: figures as JSON, help, what a shell completes, lines of a log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import execute
from chainrule.learning import progress
from chainrule.learning.progress import Progress, Seldom
from chainrule.learning.record import Record

#: Every command that has figures, and what it is asked.
ASKED = {
    "learn": ["learn", "{images}", "--network", "16-4-10", "--epochs", "2", "--no-save"],
    "show": ["show", "run"],
    "explain": ["explain", "run", "{images}", "--weight", "layers[0].w[1, 2]"],
    "diagnose": ["diagnose", "run", "{images}"],
    "race": ["race", "xor", "--trials", "1", "--rules", "backpropagation"],
    "classics list": ["classics", "list"],
    "classics run": ["classics", "run", "xor-direct"],
}
HELP = re.compile(r"--json +FILE +Also write all figures to a file, as JSON; to standard output, and nothing else, if")


@pytest.fixture
def run(work: Path, images: Path) -> Path:
    """A saved run that overflowed: some of its figures are no finite numbers."""
    network = cr.nn.Network([16, 4, 10], activation="relu", output="identity", seed=0)
    learned = cr.learn(
        network,
        cr.data.mnist(images),
        cost="quadratic",
        epochs=3,
        batch=10,
        optimizer=cr.optim.SGD(50.0),
        progress=False,
    )
    assert not np.isfinite(learned.history[-1].training_cost)
    return learned.save(work / "run")


def asked(command: str, images: Path) -> list[str]:
    return [argument.format(images=images) for argument in ASKED[command]]


def no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.parametrize("command", ASKED)
def test_figures_have_one_envelope_and_are_valid_json(
    command: str, run: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert execute([*asked(command, images), "--json", "-"]) == 0
    text = capsys.readouterr().out
    found = json.loads(text, parse_constant=no_constant)
    assert list(found)[:3] == ["chainrule", "command", "title"]
    assert (found["chainrule"], found["command"]) == (cr.__version__, command)
    assert text == json.dumps(found, ensure_ascii=False, indent=2) + "\n"
    assert found["title"].isprintable()


@pytest.mark.parametrize("command", ASKED)
def test_words_are_printed_beside_a_file_of_figures(
    command: str, run: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert execute([*asked(command, images), "--json", "found.json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(Path("found.json").read_text("utf-8"))["command"] == command
    assert printed
    assert not any(line != line.rstrip() for line in printed.splitlines())


def test_what_learn_and_show_write_is_the_run(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["learn", str(images), "--epochs", "2", "-o", "run", "--json", "learnt.json"]) == 0
    assert execute(["show", "run", "--json", "shown.json"]) == 0
    learnt, shown = (json.loads(Path(f"{name}.json").read_text("utf-8")) for name in ("learnt", "shown"))
    assert learnt.pop("saved") == "run"
    assert {**learnt, "command": "show"} == shown
    loaded = cr.Run.load("run")
    assert shown["verdict"] == loaded.verdict
    assert [record["training_cost"] for record in shown["history"]] == [r.training_cost for r in loaded.history]
    assert shown["configuration"]["batch"] == 10


@pytest.mark.parametrize("command", ASKED)
def test_help_says_the_same_of_figures_and_names_no_type(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert execute([*command.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert len(HELP.findall(said)) == 1
    assert not re.search(r"<(bool|int|float)>", said)


@pytest.mark.parametrize("command", ["", "report", "classics"])
def test_help_of_the_others_names_no_type_either(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([*command.split(), "--help"]) == 0
    assert "<bool>" not in capsys.readouterr().out


@pytest.mark.parametrize("command", ["explain", "diagnose", "show", "classics list", "classics run", "race"])
@pytest.mark.parametrize("columns", [60, 80])
def test_a_terminal_of_any_width_is_enough(command: str, columns: int, run: Path, images: Path) -> None:
    """On a terminal of its own, which wraps nothing by itself."""
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals here")
    end, theirs = os.openpty()
    environment = {**os.environ, "TERM": "dumb", "COLUMNS": str(columns), "NO_COLOR": "1"}
    program = [sys.executable, "-m", "chainrule", *asked(command, images)]
    done = subprocess.Popen(program, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    printed = b""
    try:
        while piece := os.read(end, 65536):
            printed += piece
    except OSError:  # the process has ended
        pass
    finally:
        os.close(end)
    assert done.wait(60) == 0
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed.decode()).replace("\r", "").split("\n")
    assert max(map(len, lines)) <= columns
    assert len(lines) > 3


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("chainrule di", ["diagnose"]),
        ("chainrule learn --cost ", ["quadratic", "cross_entropy"]),
        ("chainrule race boltz", ["boltzmann-encoder"]),
        ("chainrule race xor --rules delta,r", ["delta,reward-penalty", "delta,reinforce", "delta,random-search"]),
        ("chainrule classics run toy", ["toy-neuron"]),
        ("chainrule explain run --la", ["--layer", "--largest"]),
    ],
)
def test_a_shell_completes(
    words: str, completed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_CHAINRULE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - (not words.endswith(" "))))
    with pytest.raises(SystemExit) as end:
        execute([])
    assert end.value.code == 0
    assert capsys.readouterr().out.split() == completed


# a log


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_is_due_after_ten_seconds_and_then_every_half_minute() -> None:
    clock = Clock()
    seldom, due = Seldom(clock), []
    for second in range(101):
        clock.now = second
        if seldom.is_due():
            due.append(second)
    assert due == [10, 40, 70, 100]


def test_without_a_terminal_a_long_run_prints_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress(300, 100, shown=True, clock=clock) as display:
        for epoch in range(300):
            for examples in (50, 100):
                clock.now += 0.5
                display.moved(epoch, examples, 0.5, 0.25)
            display.ended(Record(epoch + 1, 0.5, 0.25, 0.75, 0.5, clock.now))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "epoch 10/300   training 0.5000  25.00%   validation 0.7500  50.00%   10.00 s"
    assert [line.split()[1] for line in lines] == [f"{epoch}/300" for epoch in range(10, 301, 30)]


def test_a_long_epoch_is_told_of_too(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    display = Progress(2, 1000, shown=True, clock=clock)
    for examples in range(100, 1000, 100):
        clock.now += 9
        display.moved(0, examples, 1.25, None)
    assert capsys.readouterr().err.splitlines() == ["epoch 1/2  cost 1.2500"] * 2


def test_what_is_short_or_not_to_be_shown_prints_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_FIRST", 0.0)
    clock = Clock()
    Progress(1, 10, shown=False, clock=clock).ended(Record(1, 0.5, None, None, None, 1.0))
    assert capsys.readouterr().err == ""
