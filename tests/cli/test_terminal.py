"""On a terminal: the progress that is shown, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainrule as cr

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals here", allow_module_level=True)


class Terminal:
    """A process whose stderr is a terminal."""

    def __init__(self, *arguments: object) -> None:
        self.end, theirs = os.openpty()
        command = [sys.executable, "-m", "chainrule", *map(str, arguments)]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment)
        os.close(theirs)
        self.shown = ""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self.end, 4096):
                self.shown += piece.decode(errors="replace")
        except OSError:  # the process has ended
            pass

    def wait_for(self, text: str) -> None:
        """Until the text is shown."""
        deadline = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.01)

    def finish(self) -> str:
        """What was printed on stdout, when the process has ended."""
        printed, _ = self.process.communicate(timeout=60)
        self.reader.join()
        return printed

    def close(self) -> None:
        """End the process if it has not ended by itself."""
        self.process.kill()
        self.finish()
        os.close(self.end)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_progress_is_on_stderr_and_the_result_on_stdout(terminals: list[Terminal], images: Path) -> None:
    terminals.append(terminal := Terminal("learn", images, "--epochs", "3"))
    printed = terminal.finish()
    assert "epoch   3   training" in terminal.shown
    assert "epoch   3" not in printed
    assert "validation examples are right" in printed
    assert "\x1b" not in printed


def test_quiet_is_quiet_on_a_terminal(terminals: list[Terminal], images: Path) -> None:
    terminals.append(terminal := Terminal("learn", images, "--epochs", "3", "--quiet"))
    terminal.finish()
    assert terminal.shown == ""


def test_ctrl_c_stops_and_keeps_what_was_learnt(terminals: list[Terminal], work: Path) -> None:
    terminals.append(terminal := Terminal("learn", "--epochs", "100000", "--output", "run"))
    terminal.wait_for("epoch   2 ")
    began = time.monotonic()
    terminal.process.send_signal(signal.SIGINT)
    printed = terminal.finish()
    assert time.monotonic() - began < 2
    assert terminal.process.returncode == 130
    run = cr.Run.load(work / "run")
    assert run.interrupted
    assert 2 <= len(run.history) < 100000
    assert f"stopped after {len(run.history)} of 100000 epochs: keeping what was learnt" in terminal.shown
    assert run.verdict in printed
    assert "Saved in run\n" in printed
    assert "Traceback" not in terminal.shown


def test_ctrl_c_before_learning_leaves_nothing(terminals: list[Terminal], work: Path, programs: Path) -> None:
    terminals.append(terminal := Terminal("learn", "--network", "784-" + "100-" * 40 + "10"))  # long to compile
    terminal.wait_for("compiling")
    terminal.process.send_signal(signal.SIGINT)
    printed = terminal.finish()
    assert terminal.process.returncode in (130, -signal.SIGINT)  # Python may end itself by the signal
    assert "stopped: nothing was saved" in terminal.shown
    assert "Traceback" not in terminal.shown
    assert printed == ""
    assert not list(work.iterdir())
