"""Whatever is wrong: one sentence on stderr, an exit code, and nothing left behind."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.cli.main import execute
from chainrule.data import write_idx

Command = Callable[..., subprocess.CompletedProcess[str]]


def failure(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """The exit code and the sentence, with nothing printed beside it."""
    code = execute([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1
    return code, captured.err.removeprefix("error: ").rstrip()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--epochs 0", "epochs must be a whole number of at least 1, not 0."),
        ("--epochs many", "Invalid value for '--epochs'"),
        ("--batch 0", "batch must be a whole number of at least 1, not 0."),
        ("--batch 101", "batch 101 is larger than the training data, 100 examples."),
        ("--rate -1", "rate must be a number of at least 0, not -1.0."),
        ("--rate nan", "rate must be a number of at least 0, not nan."),
        ("--l2 -1", "l2 must be a number of at least 0, not -1.0."),
        ("--seed -1", "seed must be a whole number of at least 0, not -1"),
        ("--optimizer momentum --momentum 1", "momentum must be a number of at least 0 and below 1, not 1.0."),
        ("--momentum 0.5", "--momentum means nothing to --optimizer sgd. Add --optimizer momentum."),
        ("--cost wrong", "Invalid value for '--cost': 'wrong' is not one of 'quadratic', 'cross_entropy'."),
        ("--activation wrong", "'wrong' is not one of 'sigmoid', 'tanh', 'relu', 'softmax', 'identity'."),
        ("--output-activation wrong", "'wrong' is not one of 'sigmoid', 'tanh', 'relu', 'softmax', 'identity'."),
        ("--initializer wrong", "'wrong' is not one of 'normal', 'scaled_normal', 'glorot', 'he'."),
        ("--optimizer wrong", "'wrong' is not one of 'sgd', 'momentum', 'adam'."),
        ("--dtype float16", "'float16' is not one of 'float32', 'float64'."),
        (
            "--output-activation tanh --cost cross_entropy",
            "the cost 'cross_entropy' needs sigmoid or softmax outputs, not tanh.",
        ),
        ("--network 16-x-10", "--network 16-x-10 names no sizes. Write them like 16-30-10."),
        ("--network 16", "--network 16 names no sizes."),
        ("--network=-5", "--network -5 names no sizes."),
        ("--network 784-5-10", "has 784 inputs, but the examples have 16 features. Write --network 16-5-10."),
        ("--network 16-5-9", "has 9 outputs, but the data have 10 classes. Write --network 16-5-10."),
        ("--network 16-0-10", "--network 16-0-10 names no sizes."),
        ("--network 16-999999999-10", "there is not enough memory"),
        ("--wrong", "No such option: --wrong"),
        ("more", "Got unexpected extra argument"),
    ],
)
def test_wrong_options(
    work: Path, images: Path, capsys: pytest.CaptureFixture[str], options: str, sentence: str
) -> None:
    code, said = failure(capsys, "learn", images, *options.split())
    assert sentence in said
    assert code == (1 if "memory" in sentence else 2)
    assert not list(work.iterdir())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("lern", "No such command 'lern'."),
        ("show", "Missing argument 'RUN'."),
        ("--wrong", "No such option: --wrong"),
    ],
)
def test_wrong_commands(capsys: pytest.CaptureFixture[str], arguments: str, sentence: str) -> None:
    code, said = failure(capsys, *arguments.split())
    assert sentence in said
    assert code == 2


# data


def test_no_such_folder(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failure(capsys, "learn", "nowhere")
    assert said.startswith("nowhere is not a folder. Put the four files of MNIST there")
    assert code == 1
    assert not list(work.iterdir())


def test_a_folder_without_the_files(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failure(capsys, "learn", ".")
    assert said.startswith(". has no train-images-idx3-ubyte and no train-labels-idx1-ubyte")
    assert code == 1


def text(path: Path) -> None:
    path.write_text("pixels")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def lying(path: Path) -> None:
    path.write_bytes(bytes([0, 0, 8, 3]) + bytes([0xFF] * 12) + path.read_bytes()[16:])


def shorter(path: Path) -> None:
    write_idx(path, np.zeros((7, 4, 4), np.uint8))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (text, "is not an IDX file"),
        (empty, "is not an IDX file: it is empty"),
        (truncated, "is not what it says: its header says (120, 4, 4) of uint8, 1920 bytes, but there are 1820 bytes"),
        (lying, "is not what it says: its header says (4294967295, 4294967295, 4294967295)"),
        (shorter, "Images and labels do not fit together: 7 images"),
    ],
)
def test_a_file_that_is_not_what_it_says(
    work: Path, images: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], sentence: str
) -> None:
    shutil.copytree(images, "spoilt")
    spoil(work / "spoilt" / "train-images-idx3-ubyte")
    code, said = failure(capsys, "learn", "spoilt")
    assert sentence in said
    assert "spoilt/train-images-idx3-ubyte" in said
    assert code == 2
    assert [path.name for path in work.iterdir()] == ["spoilt"]


def test_a_file_that_may_not_be_read(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    shutil.copytree(images, "closed")
    Path("closed/train-images-idx3-ubyte").chmod(0)
    code, said = failure(capsys, "learn", "closed")
    assert "train-images-idx3-ubyte cannot be read: Permission denied." in said
    assert code == 1


# where the run goes


@pytest.mark.parametrize("output", ["file", "file/below", "file/far/below"])
def test_no_folder_can_be_made_there(work: Path, images: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    (work / "file").write_text("mine")
    code, said = failure(capsys, "learn", images, "--output", output)
    assert said.startswith(f"{output}: ")
    assert code == 1
    assert (work / "file").read_text() == "mine"
    assert len(list(work.iterdir())) == 1


def test_runs_is_a_file(work: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "runs").write_text("mine")
    code, said = failure(capsys, "learn", images)
    assert said.startswith("runs: ")
    assert code == 1
    assert (work / "runs").read_text() == "mine"


def test_a_folder_that_may_not_be_written(work: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    work.chmod(0o500)
    try:
        code, said = failure(capsys, "learn", images)
    finally:
        work.chmod(0o700)
    assert said.startswith("runs: Permission denied.")
    assert code == 1
    assert not list(work.iterdir())


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("output", [None, "new", "deep/new", "empty", "run"])
def test_a_full_disk(
    work: Path,
    images: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    output: str | None,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (work / "empty").mkdir()
    assert execute(["learn", str(images), "--epochs", "1", "--output", "run", "--quiet"]) == 0
    before = {path.name: path.read_bytes() for path in (work / "run").iterdir()}
    capsys.readouterr()
    monkeypatch.setattr(os, call, full)
    code = execute(["learn", str(images), "--epochs", "2", *(["--output", output] if output else [])])
    captured = capsys.readouterr()
    assert code == 1
    assert captured.err.count("\n") == 1
    assert "No space left on device" in captured.err
    assert "validation examples are right" in captured.out  # what was learnt is told
    assert "Saved" not in captured.out
    assert {path.name: path.read_bytes() for path in (work / "run").iterdir()} == before
    assert not list((work / "empty").iterdir())
    assert {path.name for path in work.iterdir()} <= {"run", "empty", "deep"}


def test_stdout_that_is_full_is_told(images: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "chainrule", "learn", str(images), "--epochs", "1"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device.\n"


def test_in_a_process_of_its_own(work: Path, chainrule_command: Command) -> None:
    done = chainrule_command("learn", "--network", "784-30-11")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "error: --network 784-30-11 has 11 outputs, but the data have 10 classes. Write --network 784-30-10.\n"
    )
    assert not list(work.iterdir())


# saved runs


@pytest.fixture
def saved(work: Path, images: Path) -> Path:
    run = work / "run"
    assert execute(["learn", str(images), "--epochs", "1", "--output", str(run), "--quiet"]) == 0
    return run


@pytest.mark.parametrize("run", ["nowhere", "."])
def test_no_run_there(capsys: pytest.CaptureFixture[str], run: str) -> None:
    code, said = failure(capsys, "show", run)
    assert said.startswith(f"{run} holds no run")
    assert code == 1


NO_RUN = (b"\xff\xfe", b"{", b"[]", b"{}", b"null", b'{"format": 1, "activations": [[]]}')


@pytest.mark.parametrize("content", NO_RUN)
@pytest.mark.parametrize("name", ["weights.safetensors", "history.jsonl", "configuration.json"])
def test_a_damaged_run(saved: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes) -> None:
    capsys.readouterr()
    (saved / name).write_bytes(content)
    code, said = failure(capsys, "show", saved)
    assert str(saved) in said
    assert code == 2
