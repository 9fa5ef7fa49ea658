"""Where commands write: `--json`, `-o` and `--plot` through links, into pipes, to standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.main import execute

Command = Callable[..., subprocess.CompletedProcess[str]]

if sys.platform == "win32":
    pytest.skip("links, pipes and devices of POSIX", allow_module_level=True)


@pytest.fixture
def run(work: Path, images: Path) -> str:
    """The folder of a saved run."""
    assert execute(["learn", str(images), "--network", "16-4-10", "--epochs", "1", "--quiet", "-o", "run"]) == 0
    return "run"


#: Every command that writes figures, what it is asked, and the title of what it prints.
FIGURES = {
    "explain": (["explain", "run", "{images}", "--layer", "0"], "Layer 0"),
    "diagnose": (["diagnose", "run", "{images}"], "Diagnosis"),
    "race": (["race", "xor", "--trials", "1", "--rules", "backpropagation"], "Race"),
    "classics": (["classics", "run", "xor-direct"], "xor"),
}


def asked(command: str, images: Path) -> list[str]:
    return [argument.format(images=images) for argument in FIGURES[command][0]]


@pytest.mark.parametrize("command", FIGURES)
def test_figures_alone_go_to_standard_output(
    command: str, run: str, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    arguments = asked(command, images)
    assert execute(arguments) == 0
    printed = capsys.readouterr().out
    assert execute([*arguments, "--json", "-"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["title"] == printed.splitlines()[0].rstrip()
    assert not Path("-").exists()


@pytest.mark.parametrize("command", FIGURES)
def test_figures_go_through_a_link(command: str, run: str, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("link.json").symlink_to("figures.json")
    assert execute([*asked(command, images), "--json", "link.json"]) == 0
    assert Path("link.json").is_symlink()
    assert json.loads(Path("figures.json").read_text("utf-8"))["title"] in capsys.readouterr().out


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/fd/1", "link"])
def test_figures_to_the_name_of_standard_output_are_all_that_a_pipe_gets(
    target: str, run: str, images: Path, chainrule_command: Command
) -> None:
    Path("link").symlink_to("/dev/stdout")
    done = chainrule_command(*asked("explain", images), "--json", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["title"].startswith("Layer 0")


def test_figures_and_what_is_printed_meet_in_a_shell(run: str, images: Path) -> None:
    """As in `chainrule explain … --json >(…)`, and with output that is sent to a file."""
    program = f"{sys.executable} -m chainrule explain run {images} --layer 0"
    for command in (
        f"{program} --json >(cat > substituted) > printed; wait; sleep 0.2",
        f"{program} --json /dev/fd/3 3> substituted > printed",
        f"mkfifo pipe; cat pipe > substituted & {program} --json pipe > printed; wait",
    ):
        subprocess.run(["bash", "-c", command], check=True, timeout=120)
        figures = json.loads(Path("substituted").read_text("utf-8"))
        assert Path("printed").read_text("utf-8").startswith(figures["title"])
        Path("substituted").unlink()


def test_a_report_goes_to_standard_output_and_nothing_else(
    run: str, images: Path, chainrule_command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in ("-", "/dev/stdout"):
        done = chainrule_command("report", run, images, "-o", target)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("<!doctype html>")
        assert done.stdout.endswith("</html>\n")
    capsys.readouterr()
    Path("link.html").symlink_to("page.html")
    assert execute(["report", run, str(images), "-o", "link.html"]) == 0
    assert capsys.readouterr().out == "link.html\n"
    assert Path("page.html").read_text("utf-8") == done.stdout
    assert Path("link.html").is_symlink()


def test_standard_output_that_is_closed_does_not_hinder(run: str, images: Path) -> None:
    command = [sys.executable, "-m", "chainrule", "report", run, str(images), "-o", "page.html"]
    done = subprocess.run(command, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert Path("page.html").read_text("utf-8").endswith("</html>\n")


def test_a_picture_goes_through_a_link(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    Path("link.png").symlink_to("picture")
    assert execute(["classics", "run", "xor-direct", "--plot", "link.png"]) == 0
    assert Path("picture").read_bytes().startswith(b"\x89PNG")
    assert Path("link.png").is_symlink()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("explain run --json none/figures.json", "none/figures.json cannot be written: No such file or directory"),
        ("diagnose run --json .", ". cannot be written: it is a folder."),
        ("race xor --json run/history.jsonl/a", "run/history.jsonl/a cannot be written: Not a directory."),
        ("race xor --plot none/a.png", "none/a.png cannot be written: No such file or directory"),
        ("classics run xor --json loop", "loop cannot be written: Too many levels of symbolic links."),
        ("report run -o run", "run cannot be written: it is a folder."),
        ("learn -o -", "a run is a folder of files, which cannot go to standard output. Name a folder."),
        ("learn -o loop", "loop: "),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_the_work_by_the_name_that_was_given(
    arguments: str, sentence: str, run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.symlink("loop", "loop")
    monkeypatch.setattr(cr.Run, "load", lambda _: pytest.fail("it was worked"))
    capsys.readouterr()
    assert execute(arguments.split()) in (1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {sentence}")


def test_what_goes_to_standard_output_is_utf_8_whatever_the_terminal_speaks(
    run: str, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    command = [sys.executable, "-m", "chainrule", "report", run, str(images), "-o", "-"]
    written = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120).stdout
    assert "∂C/∂w" in written.decode("utf-8")


def test_an_idx_file_that_was_written_through_a_link_is_learned_from(work: Path, images: Path) -> None:
    for path in images.iterdir():
        Path(path.name).symlink_to(f"real-{path.name}")
        cr.data.write_idx(path.name, cr.data.read_idx(path))
        assert Path(path.name).is_symlink()
        np.testing.assert_array_equal(cr.data.read_idx(f"real-{path.name}"), cr.data.read_idx(path))
    assert execute(["learn", ".", "--epochs", "1", "--quiet", "--no-save"]) == 0
