"""`chainrule show`, `--help`, `--version`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import execute

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_show_prints_the_configuration_the_history_and_the_verdict(images: Path, chainrule_command: Command) -> None:
    assert execute(["learn", str(images), "--epochs", "3", "--output", "run", "--quiet"]) == 0
    done = chainrule_command("show", "run")
    assert done.returncode == 0
    assert done.stderr == ""
    run = cr.Run.load("run")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "network 16-30-10, sigmoid, 820 weights and biases, float32" in lines
    assert "optimizer SGD(rate=3.0)" in lines
    assert "test examples 40" in lines
    assert lines[-1] == run.verdict
    for record in run.history:
        figures = f"{record.training_cost:.4f} {record.training_accuracy:.2%} {record.validation_cost:.4f}"
        assert any(line.startswith(f"{record.epoch} {figures}") for line in lines)


def test_show_a_run_that_python_saved(capsys: pytest.CaptureFixture[str]) -> None:
    network = cr.nn.Network([1, 2, 1], output="identity")
    run = cr.learn(
        network, ([[0.0], [1.0]], [[0.5], [1.0]]), cost="quadratic", epochs=1, batch=1, optimizer=cr.optim.SGD(0.1)
    )
    run.save("run")
    assert execute(["show", "run"]) == 0
    assert "1-2-1, sigmoid then identity, 7 weights and biases" in capsys.readouterr().out


def dense() -> Any:
    return cr.nn.Sequential(cr.nn.Dense.of(2, 3, "tanh"), cr.nn.Dense.of(3, 1, "identity"))


def skipping() -> Any:
    units = [cr.nn.Units("hidden", 3, "tanh"), cr.nn.Units("output", 1, "identity")]
    return cr.nn.Connected(2, units, [("input", "hidden"), ("hidden", "output"), ("input", "output")])


@dataclass(frozen=True)
class Own:
    w: Any

    def __call__(self, x: Any) -> Any:
        return x @ self.w.T


NETWORKS: dict[str, tuple[Callable[[], Any], dict[str, list[int]]]] = {
    "Sequential": (dense, {"layers[0].w": [3, 2], "layers[0].b": [3], "layers[1].w": [1, 3], "layers[1].b": [1]}),
    "2-3-1, connections of its own": (
        skipping,
        {"weights['input->hidden']": [3, 2], "weights['hidden->output']": [1, 3], "weights['input->output']": [1, 2],
         "biases['hidden']": [3], "biases['output']": [1]},
    ),
}  # fmt: skip


def saved(network: Any) -> None:
    data = [[0.0, 1.0], [1.0, 0.0]], [[0.5], [1.0]]
    cr.learn(network, data, cost="quadratic", epochs=1, batch=1, optimizer=cr.optim.SGD(0.1)).save("run")


@pytest.mark.parametrize("words", NETWORKS)
def test_show_says_of_any_network_what_arrays_it_has(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, arrays = NETWORKS[words]
    saved(make())
    assert execute(["show", "run", "--json", "-"]) == 0
    network = json.loads(capsys.readouterr().out)["network"]
    assert (network["arrays"], network["dtype"]) == (arrays, "float32")
    assert network["parameters"] == sum(math.prod(shape) for shape in arrays.values())
    assert execute(["show", "run"]) == 0
    assert words in capsys.readouterr().out


def test_show_says_how_a_network_of_somebodys_own_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    saved(Own(np.zeros((1, 2), np.float32)))
    assert execute(["show", "run"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Own, which is not made of chainrule's own layers" in printed.err
    assert "cr.Run.load(folder, network=...)" in printed.err


def test_show_does_not_let_a_file_command_the_terminal(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["learn", str(images), "--epochs", "1", "--output", "run", "--quiet"]) == 0
    path = Path("run/configuration.json")
    details = json.loads(path.read_text())
    capsys.readouterr()
    for changed in ({"data": "\x1b[2Jdigits"}, {"\x1b]0;title\x07": 1}, {"cost": "\x9b31m"}, {"activations": ["\x1b"]}):
        path.write_text(json.dumps({**details, **changed}))
        assert execute(["show", "run"]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert all(character.isprintable() for character in printed.err.rstrip("\n"))


def test_version(chainrule_command: Command) -> None:
    done = chainrule_command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"chainrule {cr.__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_the_commands(chainrule_command: Command, arguments: list[str]) -> None:
    done = chainrule_command(*arguments)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "learn" in done.stdout
    assert "show" in done.stdout


def test_help_names_every_option(monkeypatch: pytest.MonkeyPatch, chainrule_command: Command) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = chainrule_command("learn", "--help")
    assert done.returncode == 0
    for option in (
        *("--network", "--activation", "--output-activation", "--initializer", "--cost", "--epochs", "--batch"),
        *("--rate", "--optimizer", "--momentum", "--l2", "--seed", "--dtype", "--evaluate-training", "--output"),
        *("--no-save", "--quiet"),
    ):
        assert option in done.stdout
    for default in ("[default: 30]", "[default: 10]", "[default: quadratic]", "[default: float32]", "784-30-10"):
        assert default in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from chainrule.cli.main import execute; execute(['learn', '--help']);"
    code += "print([name for name in ('numpy', 'llvmlite') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def test_show_says_that_a_network_has_connections_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    units = [cr.nn.Units("hidden", 3, "tanh"), cr.nn.Units("output", 2, "softmax")]
    network = cr.nn.Connected(4, units, [("input", "hidden"), ("input", "output"), ("hidden", "output")])
    cr.Run(network, []).save(tmp_path / "run")
    assert execute(["show", str(tmp_path / "run")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "network 4-3-2, connections of its own, tanh then softmax, 31 weights and biases, float32" in shown
    assert execute(["diagnose", str(tmp_path / "run")]) == 2
    assert "does not say what it learned from" in capsys.readouterr().err
