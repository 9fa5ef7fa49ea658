"""`chainrule learn`: what it learns, prints and saves."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import learn_options, run_folder
from chainrule.cli.commands import learn as command
from chainrule.cli.main import execute
from chainrule.learning.evaluate import evaluate

Command = Callable[..., subprocess.CompletedProcess[str]]
MNIST = Path(__file__).parents[2] / "../shared/data/mnist"
needs_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST is not in ../shared/data/mnist")


def the_run(folder: Path) -> Path:
    """The one folder in `runs`."""
    (found,) = (folder / "runs").iterdir()
    return found


def weights(run: Path) -> bytes:
    return (run / "weights.safetensors").read_bytes()


# what it learns


def test_without_arguments_learns_the_bundled_digits(work: Path, chainrule_command: Command) -> None:
    done = chainrule_command("learn")
    assert done.returncode == 0, done.stderr
    saved = the_run(work)
    assert saved.name.endswith("-digits-784-30-10")
    assert f"Saved in {saved.relative_to(work)}\n" in done.stdout
    assert {path.name for path in saved.iterdir()} == {
        "weights.safetensors", "history.jsonl", "configuration.json", "flow.safetensors",
    }  # fmt: skip
    run = cr.Run.load(saved)
    assert run.network.sizes == [784, 30, 10]
    assert [record.epoch for record in run.history] == list(range(1, 31))
    assert run.history[-1].validation_accuracy is not None
    assert run.history[-1].validation_accuracy > 0.85
    for fact in (
        "784-30-10, sigmoid, 23,860 weights and biases, float32",
        "digits: 5,000 to train, 1,000 to validate",
        "quadratic cost, SGD(rate=3.0), batches of 10, seed 0",
        "30 epochs in",
        f"{run.history[-1].training_cost:.4f}",
        f"{run.history[-1].validation_accuracy:.2%}",
        run.verdict,
    ):
        assert fact in done.stdout


def test_in_a_pipe_there_are_plain_lines(chainrule_command: Command) -> None:
    done = chainrule_command("learn", "--epochs", "1")
    assert done.stderr == ""
    assert all(character == "\n" or character.isprintable() for character in done.stdout)


def test_a_folder_of_images_with_its_test_part(work: Path, images: Path, chainrule_command: Command) -> None:
    done = chainrule_command("learn", images, "--network", "16-12-10", "--epochs", "60", "--l2", "0.01")
    assert done.returncode == 0, done.stderr
    assert "100 to train, 20 to validate, 40 to test" in done.stdout
    run = cr.Run.load(the_run(work))
    assert run.configuration["data"] == str(images)
    test = cr.data.mnist(images).test
    assert test is not None
    cost, accuracy = evaluate(run.network, test, cost="quadratic", l2=0.01 * 40 / 100)
    assert run.configuration["test_cost"] == cost
    assert run.configuration["test_accuracy"] == accuracy
    assert accuracy is not None
    assert accuracy > 0.9
    assert f"{accuracy:.2%}" in done.stdout.split("test ")[-1]


def test_ctrl_c_in_the_final_test_keeps_the_run(
    work: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.learning.evaluate.evaluate", stopped)
    assert execute(["learn", str(images), "--epochs", "2"]) == 130
    assert capsys.readouterr().err == "stopped after 2 of 2 epochs: keeping what was learnt\n"
    assert len(cr.Run.load(the_run(work)).history) == 2


def test_the_network_suits_the_data_by_itself(work: Path, images: Path) -> None:
    assert execute(["learn", str(images), "--epochs", "1"]) == 0
    assert the_run(work).name.endswith("-mnist-16-30-10")


def test_options_reach_the_learning(work: Path, images: Path) -> None:
    options = "--network 16-8-6-10 --activation tanh --output-activation softmax --initializer scaled_normal"
    options += " --cost cross_entropy --epochs 2 --batch 7 --rate 0.25 --optimizer momentum --momentum 0.5 --l2 0.5"
    options += " --seed 3 --dtype float64 --evaluate-training --output run --quiet"
    assert execute(["learn", str(images), *options.split()]) == 0
    start = cr.nn.Network(
        [16, 8, 6, 10], "tanh", output="softmax", initializer="scaled_normal", seed=3, dtype=np.float64
    )
    expected = cr.learn(
        start,
        cr.data.mnist(images),
        cost="cross_entropy",
        epochs=2,
        batch=7,
        optimizer=cr.optim.Momentum(0.25, 0.5),
        l2=0.5,
        seed=3,
        dtype=np.float64,
        evaluate_training=True,
        progress=False,
    )
    found = cr.Run.load(work / "run")
    for layer, wanted in zip(found.network.layers, expected.network.layers, strict=True):
        assert layer.w.tobytes() == wanted.w.tobytes()
    assert found.history[-1].training_cost == expected.history[-1].training_cost


def test_the_same_seed_saves_the_same_weights(work: Path, images: Path, chainrule_command: Command) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        chainrule_command("learn", images, "--epochs", "3", "--seed", seed, "--output", name)
    assert weights(work / "one") == weights(work / "two")
    assert weights(work / "one") != weights(work / "three")


@needs_mnist
def test_mnist_in_one_epoch(work: Path) -> None:
    assert execute(["learn", str(MNIST), "--epochs", "1", "--quiet"]) == 0
    assert cr.Run.load(the_run(work)).configuration["test_accuracy"] > 0.88


@needs_mnist
@pytest.mark.long
def test_the_books_first_program(work: Path, chainrule_command: Command) -> None:
    options = "--network 784-30-10 --epochs 30 --batch 10 --rate 3.0 --cost quadratic"
    assert chainrule_command("learn", MNIST, *options.split()).returncode == 0
    run = cr.Run.load(the_run(work))
    assert len(run.history) == 30
    assert run.configuration["test_accuracy"] > 0.94


# the options' meaning


def test_the_names_offered_are_those_there_are() -> None:
    assert set(get_args(command.ActivationName)) == set(cr.nn.ACTIVATIONS)
    assert set(get_args(command.InitializerName)) == set(cr.nn.INITIALIZERS)
    assert {f"sigmoid_{name}" if name == "cross_entropy" else name for name in get_args(command.CostName)} <= set(
        cr.nn.COSTS
    )


@pytest.mark.parametrize(
    ("activation", "cost", "method", "given", "expected"),
    [
        ("sigmoid", "quadratic", "sgd", {}, cr.optim.SGD(3.0)),
        ("sigmoid", "cross_entropy", "sgd", {}, cr.optim.SGD(0.5)),
        ("relu", "cross_entropy", "sgd", {}, cr.optim.SGD(0.1)),
        ("relu", "cross_entropy", "sgd", {"rate": 2.0}, cr.optim.SGD(2.0)),
        ("sigmoid", "quadratic", "momentum", {}, cr.optim.Momentum(0.3, 0.9)),
        ("sigmoid", "quadratic", "momentum", {"momentum": 0.5}, cr.optim.Momentum(1.5, 0.5)),
        ("sigmoid", "quadratic", "momentum", {"rate": 3.0}, cr.optim.Momentum(3.0, 0.9)),
        ("sigmoid", "quadratic", "adam", {}, cr.optim.Adam(0.001)),
        ("tanh", "quadratic", "adam", {"rate": 0.01}, cr.optim.Adam(0.01)),
    ],
)
def test_what_is_not_given_suits_what_is(
    activation: str, cost: str, method: str, given: dict[str, float], expected: cr.optim.Optimizer
) -> None:
    network = cr.nn.Network([4, 3, 2], activation)
    settings = {"rate": None, "momentum": None, **given}
    assert learn_options.optimizer(method, network=network, cost=cost, **settings) == expected


# where it saves


def test_a_new_folder_for_every_run(work: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda _: "2000-01-01-000000")
    for _ in range(3):
        assert execute(["learn", str(images), "--epochs", "1"]) == 0
    name = "2000-01-01-000000-mnist-16-30-10"
    assert {path.name for path in (work / "runs").iterdir()} == {name, f"{name}-2", f"{name}-3"}
    assert all(cr.Run.load(path) for path in (work / "runs").iterdir())


def test_a_name_too_long_for_a_folder_is_cut() -> None:
    saved = run_folder.save(cr.Run(cr.nn.Network([2, 2]), []), None, "2-" * 200)
    assert len(saved.name) == 100
    assert cr.Run.load(saved).network.sizes == [2, 2]


def test_output_may_be_new_or_empty_or_a_run(work: Path, images: Path) -> None:
    (work / "empty").mkdir()
    for name in ("deep/er/new", "empty"):
        assert execute(["learn", str(images), "--epochs", "1", "--output", name]) == 0
        assert len(cr.Run.load(work / name).history) == 1
    assert execute(["learn", str(images), "--epochs", "2", "--output", "empty"]) == 0
    assert len(cr.Run.load(work / "empty").history) == 2
    assert not (work / "runs").exists()


def test_output_may_not_be_anything_else(work: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "mine").mkdir()
    (work / "mine" / "configuration.json").write_text("{}")
    assert execute(["learn", str(images), "--output", "mine"]) == 2
    assert capsys.readouterr().err == (
        "error: --output mine is a folder that is not empty and holds no run. Name a new or an empty one.\n"
    )
    assert [path.name for path in (work / "mine").iterdir()] == ["configuration.json"]
    assert (work / "mine" / "configuration.json").read_text() == "{}"


def test_quiet_prints_only_the_folder(work: Path, images: Path, chainrule_command: Command) -> None:
    done = chainrule_command("learn", images, "--epochs", "1", "--quiet")
    assert done.stdout == f"{the_run(work).relative_to(work)}\n"
    assert done.stderr == ""


def test_no_save_saves_nothing(work: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["learn", str(images), "--epochs", "1", "--no-save"]) == 0
    assert "Saved" not in capsys.readouterr().out
    assert not list(work.iterdir())


def test_history_and_configuration_are_readable_text(work: Path, images: Path) -> None:
    assert execute(["learn", str(images), "--epochs", "2", "--output", "run"]) == 0
    lines = (work / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    configuration = json.loads((work / "run" / "configuration.json").read_text())
    assert configuration["optimizer"] == "SGD(rate=3.0)"
    assert configuration["validation_examples"] == 20
