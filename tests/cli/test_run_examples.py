"""A command asks about the examples that a run learned from, or says how to name others: never about any at hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import execute

RANDOM = np.random.default_rng(0)
OPTIONS: dict[str, Any] = {
    "cost": "quadratic", "epochs": 1, "batch": 10, "optimizer": cr.optim.SGD(0.5), "progress": False,
}  # fmt: skip
ASKING = (["diagnose", "run"], ["explain", "run", "--layer", "0"])


def learned(data: Any, **options: Any) -> cr.Run:
    features, classes = cr.data.as_dataset(data).features, 10
    return cr.learn(cr.nn.Network([features, 5, classes]), data, **OPTIONS | options)


def mine(**changed: Any) -> cr.data.DataSet:
    """Data of the shape of the bundled digits."""
    x, labels = RANDOM.random((60, 784), np.float32), np.arange(60) % 10
    return cr.data.DataSet(x, labels, **changed)


def asked(found: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(found)
    return figures


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (mine(), "arrays without a name, 60 examples of 784 features, which only the program has that made them."),
        (mine(name="faces"), "'faces', 60 examples of 784 features, which only the program has that made them."),
        (mine(name="digits"), "'digits', 60 examples of 784 features, but digits holds others now."),
        (cr.data.as_dataset((mine().x[:5], [0, 1, 2, 3, 4])), "arrays without a name, 5 examples of 784 features"),
    ],
    ids=["no name", "a name", "the name of others", "a pair"],
)
@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_data_that_only_the_users_program_has_are_asked_for(
    data: cr.data.DataSet, told: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    learned(data, batch=5).save("run")
    assert execute(command) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: the run learned from {told}")
    assert f"Name examples, chainrule {command[0]} run DATA, or ask in Python: " in captured.err
    assert f"cr.insight.{command[0]}(cr.Run.load('run'), data)." in captured.err


def test_a_report_without_the_runs_examples_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    learned(mine()).save("run")
    assert execute(["report", "run"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "report.html\n"
    assert captured.err.startswith("note: the page shows no examples: the run learned from arrays without a name")
    page = Path("report.html").read_text("utf-8")
    assert '"examples":null' in page


@pytest.mark.parametrize("command", [*ASKING, ["report", "run"]], ids=lambda command: command[0])
def test_data_that_can_be_read_again_are_found_from_wherever_one_is(
    command: list[str], images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(images, "images")
    folder = Path("run").absolute()
    assert execute(["learn", "images", "--epochs", "1", "-q", "-o", "run"]) == 0
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert execute([command[0], str(folder), *command[2:]]) == 0
    from_command = capsys.readouterr()
    assert from_command.err == ""
    learned(cr.data.mnist("../images")).save(folder)  # in Python
    assert execute([command[0], str(folder), *command[2:]]) == 0
    assert capsys.readouterr().err == ""


def test_the_bundled_digits_are_known_again(capsys: pytest.CaptureFixture[str]) -> None:
    learned(cr.data.digits()).save("run")
    for command in (*ASKING, ["report", "run"]):
        assert execute([*command]) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: shutil.rmtree(folder), "what the run learned from is gone: "),
        (lambda folder: (folder / "train-labels-idx1-ubyte").unlink(), "what the run learned from is gone: "),
        (lambda folder: relabel(folder), "images holds others now. Name examples, chainrule explain run DATA"),
    ],
    ids=["no folder", "no file", "other labels"],
)
def test_data_that_are_gone_or_others_now_are_not_asked(
    spoil: Any, told: str, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(images, "images"))
    assert execute(["learn", "images", "--epochs", "1", "-q", "-o", "run"]) == 0
    spoil(folder)
    capsys.readouterr()
    assert execute(["explain", "run"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err


def relabel(folder: Path) -> None:
    path = folder / "train-labels-idx1-ubyte"
    cr.data.write_idx(path, cr.data.read_idx(path)[::-1])


def test_other_examples_may_be_named_which_is_told(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = Path(shutil.copytree(images, "others"))
    relabel(others)
    assert execute(["learn", str(images), "--epochs", "1", "-q", "-o", "run"]) == 0
    capsys.readouterr()
    assert execute(["explain", "run", str(images), "--json", "-"]) == 0
    same = capsys.readouterr()
    assert execute(["explain", "run", "others", "--json", "-"]) == 0
    other = capsys.readouterr()
    assert same.err == ""
    assert other.err == "note: others does not hold the examples that the run learned from\n"
    assert json.loads(other.out) != json.loads(same.out)


def test_a_run_that_does_not_say_what_it_learned_from_asks_for_examples(capsys: pytest.CaptureFixture[str]) -> None:
    cr.Run(cr.nn.Network([784, 5, 10]), []).save("run")
    for command in ASKING:
        assert execute(command) == 2
        assert capsys.readouterr().err.startswith("error: the run does not say what it learned from. Name examples")


def test_a_run_knows_its_data_by_their_bits() -> None:
    data = mine(name="faces")
    known = learned(data).configuration
    assert (known.data, known.data_shape, known.data_digest) == ("faces", (60, 784), data.digest())
    assert replace(data, x=data.x.copy(), name="other").digest() == data.digest()
    assert replace(data, labels=data.labels.astype(np.int16)).digest() == data.digest()
    for other in (
        replace(data, x=np.nextafter(data.x, 2, dtype=np.float32)),
        replace(data, x=data.x.reshape(60, 28, 28)),
        replace(data, labels=data.labels[::-1].copy()),
        replace(data, x=data.x.astype(np.float64)),
    ):
        assert other.digest() != data.digest()


@pytest.mark.parametrize("words", ["a\nb", "\x1b[2J", 7], ids=repr)
def test_a_name_that_could_command_the_terminal_is_refused(words: Any) -> None:
    with pytest.raises(cr.errors.DataError, match="name must be text that can be printed"):
        mine(name=words)
