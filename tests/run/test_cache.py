"""Compiled programs on disk: found again, never trusted, never in anybody's way."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cpu.processor import BASELINE, host
from chainrule.cpu.target import CPU
from chainrule.run import cache, program

ANSWER = np.array([2.0, 4.0, 6.0])


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    program._IN_MEMORY.clear()
    yield
    program._IN_MEMORY.clear()


def doubled() -> np.ndarray:
    program._IN_MEMORY.clear()
    return cr.compile(lambda x: x + x)(np.array([1.0, 2.0, 3.0]))


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_a_program_is_compiled_once_and_then_read_from_disk(folder: Path, compilations: list[str]) -> None:
    np.testing.assert_array_equal(doubled(), ANSWER)
    np.testing.assert_array_equal(doubled(), ANSWER)
    assert len(compilations) == 1
    assert len(entries(folder)) == 1


def test_a_program_from_disk_says_of_itself_what_one_made_now_does(folder: Path, compilations: list[str]) -> None:
    made = repr(cr.compile(lambda x: x * 5.0).program(np.ones(3)))
    gc.collect()
    assert repr(cr.compile(lambda x: x * 5.0).program(np.ones(3))) == made == "<program of 1 kernel: f64[3] to f64[3]>"
    assert len(compilations) == 1


def test_an_equal_program_in_the_same_process_shares_its_code(folder: Path, compilations: list[str]) -> None:
    first = cr.compile(lambda x: x * 3.0)
    first(np.ones(3))
    second = cr.compile(lambda y: y * 3.0)
    np.testing.assert_array_equal(second(np.ones(3)), [3.0, 3.0, 3.0])
    assert len(compilations) == 1


def test_programs_that_differ_only_in_captured_arrays_share_code_but_not_values(
    folder: Path, compilations: list[str]
) -> None:
    one, two = np.ones(3), np.full(3, 2.0)
    add_one, add_two = cr.compile(lambda x: x + one), cr.compile(lambda x: x + two)
    np.testing.assert_array_equal(add_one(np.zeros(3)), one)
    np.testing.assert_array_equal(add_two(np.zeros(3)), two)
    assert len(compilations) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"\x7fELF" + content,
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
        lambda content: content + b"more",
        lambda content: os.urandom(4096),
    ],
    ids=["empty", "truncated", "foreign", "last bit", "checksum bit", "longer", "noise"],
)
def test_a_damaged_entry_is_compiled_anew_and_replaced(folder: Path, compilations: list[str], damage) -> None:
    doubled()
    (entry,) = entries(folder)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    np.testing.assert_array_equal(doubled(), ANSWER)
    assert len(compilations) == 2
    assert entry.read_bytes() == whole


def test_an_entry_under_another_programs_name_is_not_run(folder: Path, compilations: list[str]) -> None:
    doubled()
    (entry,) = entries(folder)
    content = entry.read_bytes()
    entry.unlink()
    cr.compile(lambda x: x * x)(np.ones(3))
    (other,) = entries(folder)
    other.write_bytes(content)
    program._IN_MEMORY.clear()
    np.testing.assert_array_equal(cr.compile(lambda x: x * x)(np.array([3.0, 4.0, 5.0])), [9.0, 16.0, 25.0])


@pytest.mark.skipif(sys.platform == "win32", reason="permissions there are access lists")
def test_a_folder_that_others_can_write_to_is_refused_with_a_warning(folder: Path, compilations: list[str]) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="others can write to it"):
        np.testing.assert_array_equal(doubled(), ANSWER)
    assert entries(folder) == []


@pytest.mark.skipif(sys.platform == "win32", reason="permissions there are access lists")
def test_an_entry_that_others_can_write_to_is_not_run(folder: Path, compilations: list[str]) -> None:
    doubled()
    (entry,) = entries(folder)
    entry.chmod(0o666)
    doubled()
    assert len(compilations) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_an_entry_that_is_a_link_is_not_followed(folder: Path, compilations: list[str], tmp_path: Path) -> None:
    doubled()
    (entry,) = entries(folder)
    elsewhere = tmp_path / "elsewhere"
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere)
    np.testing.assert_array_equal(doubled(), ANSWER)
    assert len(compilations) == 2


def test_the_folder_is_made_for_the_user_alone(folder: Path) -> None:
    doubled()
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in entries(folder))


def test_a_folder_that_cannot_be_made_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "file" / "cache"))
    np.testing.assert_array_equal(doubled(), ANSWER)


def test_a_full_disk_is_no_reason_to_stop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    np.testing.assert_array_equal(doubled(), ANSWER)
    assert entries(folder) == []


def test_off_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    np.testing.assert_array_equal(doubled(), ANSWER)
    assert entries(tmp_path) == []


def test_the_key_tells_processors_loops_and_graphs_apart() -> None:
    keys = {cache.key(s, loop, t) for s in "ab" for loop in "cd" for t in (CPU.here(), CPU(BASELINE))}
    assert len(keys) == (8 if host() != BASELINE else 4)


def test_many_threads_compiling_the_same_program_all_get_the_right_answer(folder: Path) -> None:
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(doubled())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all((result == ANSWER).all() for result in results)


def test_many_processes_may_write_the_same_entry_at_once(folder: Path) -> None:
    code = "import numpy as np, chainrule as cr; print(cr.compile(lambda x: x + x)(np.arange(4.0)).sum())"
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    answers = [process.communicate(timeout=120)[0].strip() for process in running]
    assert answers == [b"12.0"] * 4
    assert len(entries(folder)) == 1


def test_one_program_runs_in_several_threads_at_once() -> None:
    compiled = cr.compile(lambda x: (x @ x.T) @ x)  # needs temporary memory
    arrays = [np.full((40, 40), float(n)) for n in range(8)]
    expected = [(a @ a.T) @ a for a in arrays]
    compiled(arrays[0])
    wrong: list[int] = []

    def work(n: int) -> None:
        for _ in range(200):
            if not np.allclose(compiled(arrays[n]), expected[n]):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
