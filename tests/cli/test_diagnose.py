"""`chainrule diagnose`, and the last lines of `chainrule learn`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import execute

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def data(images: Path) -> cr.data.DataSet:
    return cr.data.mnist(images)


def saved(folder: Path, data: cr.data.DataSet, rate: float) -> Path:
    network = cr.nn.Network([16, 12, 10], activation="tanh", output="softmax")
    run = cr.learn(
        network, data, cost="cross_entropy", epochs=3, batch=10, optimizer=cr.optim.SGD(rate), progress=False
    )
    return run.save(folder)


def test_it_prints_findings_and_writes_them(
    work: Path, images: Path, data: cr.data.DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    run = saved(work / "run", data, 200.0)
    assert execute(["diagnose", str(run), str(images), "--confirm", "--json", "found.json"]) == 0
    printed = capsys.readouterr().out
    assert "The rate is too high" in printed
    assert "Tried " in printed
    found = json.loads(Path("found.json").read_text("utf-8"))
    assert "rate_too_high" in [finding["name"] for finding in found["findings"]]


def test_data_that_do_not_fit_are_refused_in_a_sentence(
    work: Path, data: cr.data.DataSet, capsys: pytest.CaptureFixture[str]
) -> None:
    run = saved(work / "run", data, 0.1)
    for name, images in (("train", 12), ("t10k", 4)):
        cr.data.write_idx(f"{name}-images-idx3-ubyte", np.zeros((images, 3, 3), np.uint8))
        cr.data.write_idx(f"{name}-labels-idx1-ubyte", np.zeros(images, np.uint8))
    assert execute(["diagnose", str(run), "."]) == 2
    assert "error: the examples have 9 features, but the network takes 16 inputs.\n" in capsys.readouterr().err


def test_learn_ends_with_what_came_of_it_what_stands_out_and_what_to_do(
    work: Path, images: Path, chainrule_command: Command
) -> None:
    options = ["--network", "16-12-10", "--epochs", "5", "--activation", "tanh"]
    done = chainrule_command("learn", images, *options, "--rate", "500", "-o", "run")
    *_, verdict, standing_out, following, place = done.stdout.splitlines()
    assert verdict == cr.Run.load(work / "run").verdict
    assert standing_out.startswith("Alarm, ")
    assert following == "Next: chainrule diagnose run"
    assert place == "Saved in run"


def test_learn_says_so_if_nothing_stands_out(work: Path, images: Path, chainrule_command: Command) -> None:
    done = chainrule_command("learn", images, "--network", "16-12-10", "--epochs", "5", "--no-save")
    *_, standing_out, following = done.stdout.splitlines()
    assert standing_out == "Nothing that was recorded while it learned stands out."
    assert following.startswith("Next: save a run")


@pytest.mark.parametrize("rate", ["1000", "1e30", "0", "1e-9", "100"])
def test_learn_never_reassures_where_a_constant_answer_does_as_well(
    rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["learn", "--rate", rate, "--epochs", "2", "--no-save"]) == 0
    *_, verdict, standing_out, _ = capsys.readouterr().out.splitlines()
    assert "better than always answering the most common class, 10.70%." in verdict
    assert "The validation cost, " in verdict
    assert "that of the best constant answer, 0.4498." in verdict
    assert "stands out" not in standing_out
    assert "rate is too high" not in standing_out or float(rate) > 1


def test_diagnose_never_reassures_there_either(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rate in ("1000", "0"):
        assert execute(["learn", "--rate", rate, "--epochs", "1", "--quiet", "-o", "run"]) == 0
        capsys.readouterr()
        assert execute(["diagnose", "run"]) == 0
        printed = capsys.readouterr().out
        assert "The cost, " in printed
        assert "is above that of the best constant answer" in printed
        assert "nothing stands out" not in printed
