"""`chainrule explain`: what it prints and writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import execute
from chainrule.insight import explain
from chainrule.nn.outline import outline

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def saved(images: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run on the small images."""
    assert execute(["learn", str(images), "--network", "16-8-10", "--epochs", "2", "--output", "run", "--quiet"]) == 0
    capsys.readouterr()
    return Path("run")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--weight", "layers[0].w[3, 7]"], {"weight": "layers[0].w[3, 7]"}),
        (["--weight", "layers[1].b[2]"], {"weight": "layers[1].b[2]"}),
        (["--neuron", "layers[0][3]"], {"neuron": (0, 3)}),
        (["--layer", "0"], {"layer": 0}),
        (["--largest", "3"], {"largest": 3}),
        ([], {"largest": 10}),
    ],
    ids=str,
)
def test_it_prints_what_python_says(
    saved: Path, images: Path, options: list[str], asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["explain", str(saved), str(images), *options]) == 0
    printed = capsys.readouterr()
    expected = explain(cr.Run.load(saved), cr.data.mnist(images), **asked)
    assert printed.out.split() == str(expected).split()
    assert printed.err == ""
    assert all(character == "\n" or character.isprintable() for character in printed.out)
    assert printed.out.splitlines()[1] == expected.sentences()[0]


def layered() -> Any:
    return cr.nn.Sequential(cr.nn.Dense.of(16, 4, "tanh"), cr.nn.Dense.of(4, 10, "softmax"))


def skipping() -> Any:
    units = [cr.nn.Units("hidden", 4, "tanh"), cr.nn.Units("output", 10, "softmax")]
    return cr.nn.Connected(16, units, [("input", "hidden"), ("hidden", "output"), ("input", "output")])


@pytest.mark.parametrize(
    ("make", "weight"), [(layered, "layers[1].w[3, 2]"), (skipping, "weights['hidden->output'][3, 2]")]
)
def test_any_network_is_explained_diagnosed_and_reported(
    make: Callable[[], Any], weight: str, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = cr.data.mnist(images)
    cr.learn(make(), data, cost="cross_entropy", epochs=2, batch=10, optimizer=cr.optim.SGD(0.1)).save("run")
    run, expected = cr.Run.load("run"), explain(cr.Run.load("run"), data, weight=weight)
    assert execute(["explain", "run", str(images), "--weight", weight]) == 0
    assert capsys.readouterr().out.split() == str(expected).split()
    assert execute(["diagnose", "run", str(images)]) == 0
    assert capsys.readouterr().out.split() == str(cr.insight.diagnose(run, data)).split()
    assert execute(["report", "run", str(images)]) == 0
    page = Path("report.html").read_text("utf-8")
    assert "<html" in page
    assert all(stage.name in page for stage in outline(run.network, data.flat()).stages)


def test_json_holds_every_figure(saved: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["explain", str(saved), str(images), "--weight", "layers[0].w[3, 7]", "--json", "found.json"]
    assert execute([*command, "--examples", "50"]) == 0
    expected = explain(cr.Run.load(saved), cr.data.mnist(images), weight="layers[0].w[3, 7]", examples=50)
    written = json.loads(Path("found.json").read_text("utf-8"))
    assert written == {**written, **expected.to_dict()}
    assert "the mean over 50 of the 100 examples" in capsys.readouterr().out
    assert sorted(path.name for path in Path().iterdir()) == ["found.json", "run"]


def test_json_that_cannot_be_written_is_an_error(saved: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["explain", str(saved), str(images), "--layer", "0", "--json", "nowhere/found.json"]) == 1
    assert capsys.readouterr().err.startswith("error: nowhere/")


def test_without_data_it_asks_the_bundled_digits_of_a_run_that_learned_from_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = cr.nn.Network([784, 10, 10], seed=0)
    cr.Run(network, [], {"cost": "quadratic", "l2": 0.0, "training_examples": 5000, "data": "digits"}).save("run")
    assert execute(["explain", "run", "--largest", "2", "--examples", "100"]) == 0
    assert "100 of the 5,000 examples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--weight", "layers[0].w[3]"], "names no weight or bias. Write layers[0].w[3, 407]"),
        (["--weight", "layers[2].b[0]"], "the network has layers 0 to 1"),
        (["--neuron", "3"], "names no neuron. Write layers[0][3]"),
        (["--layer", "2"], "layer must be a whole number from 0 to 1, not 2."),
        (["--layer", "0", "--largest", "3"], "about one thing, not layer and largest."),
        (["--largest", "0"], "largest must be a whole number of at least 1, not 0."),
        (["--examples", "0"], "examples must be a whole number of at least 1, not 0."),
    ],
    ids=str,
)
def test_mistakes_are_one_sentence(
    saved: Path, images: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["explain", str(saved), str(images), *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_a_folder_without_a_run_is_an_error(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["explain", str(images), str(images), "--layer", "0"]) == 1
    assert "holds no run" in capsys.readouterr().err


def test_data_that_do_not_fit_the_run_are_an_error(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, images in (("train", 12), ("t10k", 4)):
        cr.data.write_idx(f"{name}-images-idx3-ubyte", np.zeros((images, 3, 3), np.uint8))
        cr.data.write_idx(f"{name}-labels-idx1-ubyte", np.zeros(images, np.uint8))
    assert execute(["explain", str(saved), "."]) == 2
    assert "9 features, but the network takes 16 inputs" in capsys.readouterr().err


def test_help_names_every_option_and_imports_nothing_heavy(
    monkeypatch: pytest.MonkeyPatch, chainrule_command: Command
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = chainrule_command("explain", "--help")
    assert done.returncode == 0
    for option in ("--weight", "--neuron", "--layer", "--largest", "--examples", "--json"):
        assert option in done.stdout
    code = "import sys; from chainrule.cli.main import execute; execute(['explain', '--help']);"
    code += "print([name for name in ('numpy', 'llvmlite') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
