"""A folder to work in, the command as a process of its own, and a data set of images that is learned at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.data import write_idx

Command = Callable[..., subprocess.CompletedProcess[str]]
PACKAGE = Path(chainrule.__file__).parents[1]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of compiled programs for these tests alone."""
    folder = tmp_path_factory.mktemp("programs")
    folder.chmod(0o700)
    return folder


@pytest.fixture(autouse=True)
def work(tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that commands are run in."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CHAINRULE_CACHE", str(programs))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")]))
    return folder


@pytest.fixture(scope="session")
def chainrule_command() -> Command:
    """Runs `python -m chainrule` to its end."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "chainrule", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)

    return run


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 images of 4 by 4 pixels to train and validate with and 40 to test with: digit k is a bright pixel k."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for name, count in (("train", 120), ("t10k", 40)):
        labels = np.arange(count) % 10
        pixels = random.integers(0, 60, (count, 16))
        pixels[np.arange(count), labels] = 255
        write_idx(folder / f"{name}-images-idx3-ubyte", pixels.reshape(count, 4, 4).astype(np.uint8))
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels.astype(np.uint8))
    return folder
