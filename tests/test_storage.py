"""Files go where their path says: through links, into pipes and devices, whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import storage
from chainrule.data import read_idx, write_idx
from chainrule.errors import StorageError
from chainrule.run import cache
from chainrule.schedule.target import Code
from chainrule.storage import check_file, is_standard_output, replace_files, write_file, write_folder

if sys.platform == "win32":
    pytest.skip("links, pipes and devices of POSIX", allow_module_level=True)

NOBODY = 65534


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is there already, with a link to it."""
    (tmp_path / "file").write_text("before")
    (tmp_path / "link").symlink_to("file")
    return tmp_path / "file"


# regular files


@pytest.mark.parametrize(
    "content", ["ünïcode\n", "", b"\xff\x00", b"x" * 3_000_000], ids=["text", "empty", "bytes", "long"]
)
def test_a_file_gets_its_content(content: str | bytes, tmp_path: Path) -> None:
    write_file(tmp_path / "new", content)
    assert (tmp_path / "new").read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert names(tmp_path) == {"new"}


def test_a_file_that_was_there_is_replaced(file: Path) -> None:
    write_file(str(file), "after")
    assert file.read_text() == "after"
    assert names(file.parent) == {"file", "link"}


def test_a_name_as_long_as_a_name_can_be_is_written(tmp_path: Path) -> None:
    write_file(tmp_path / ("n" * 255), "whole")
    assert names(tmp_path) == {"n" * 255}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_permissions_of_the_file_that_is_replaced_are_kept(mode: int, file: Path) -> None:
    file.chmod(mode)
    write_file(file, "after")
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_that_the_user_gives_new_files(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_file(tmp_path / "new", "content")
        write_folder(tmp_path / "folder", lambda folder: None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o777 & ~mask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_leaves_the_owner_of_a_file(file: Path) -> None:
    os.chown(file, NOBODY, NOBODY)
    write_file(file, "after")
    assert (file.stat().st_uid, file.stat().st_gid) == (NOBODY, NOBODY)


# links


def test_a_link_stays_and_its_file_is_written(file: Path) -> None:
    link = file.with_name("link")
    write_file(link, "after")
    assert link.is_symlink()
    assert os.readlink(link) == "file"
    assert file.read_text() == "after"


def test_a_chain_of_links_through_folders_is_followed_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "near").symlink_to("far", target_is_directory=True)
    (tmp_path / "far" / "second").symlink_to("away/end")
    (tmp_path / "first").symlink_to(tmp_path / "near" / "second")
    write_file(tmp_path / "first", "content")
    assert (tmp_path / "far" / "away" / "end").read_text() == "content"
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "far" / "second").is_symlink()
    assert names(tmp_path / "far" / "away") == {"end"}


def test_a_link_to_a_file_that_is_not_there_makes_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new")
    write_file(tmp_path / "link", "content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").read_text() == "content"


@pytest.mark.parametrize(
    ("target", "problem"),
    [("gone/new", "No such file or directory"), ("link", "symbolic links"), (".", "it is a folder")],
    ids=["into no folder", "to itself", "to a folder"],
)
def test_a_link_that_leads_to_no_file_is_refused_by_its_own_name(target: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(target)
    for attempt in (lambda path: write_file(path, "content"), check_file):
        with pytest.raises(
            StorageError, match=rf"{tmp_path}/link cannot be written: .*{problem}(.|\n)*test_storage\.py"
        ):
            attempt(tmp_path / "link")
    assert names(tmp_path) == {"link"}
    assert os.readlink(tmp_path / "link") == target


def test_a_run_is_saved_through_links(tmp_path: Path) -> None:
    run = cr.Run(cr.nn.Network([2, 1]), [])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/run")
    assert run.save(tmp_path / "link") == tmp_path / "link"
    (tmp_path / "elsewhere" / "run" / "history.jsonl").rename(tmp_path / "history")
    (tmp_path / "elsewhere" / "run" / "history.jsonl").symlink_to("../../history")
    run.save(tmp_path / "link")
    assert (tmp_path / "elsewhere" / "run" / "history.jsonl").is_symlink()
    assert cr.Run.load(tmp_path / "link").network.sizes == [2, 1]


@pytest.mark.parametrize("write", [
    lambda path: write_idx(path, np.arange(3, dtype=np.uint8)),
    lambda path: cr.insight.report(cr.Run(cr.nn.Network([2, 1]), []), path=path),
], ids=["idx", "report"])  # fmt: skip
def test_what_the_library_writes_follows_links_and_fills_pipes(write: Callable[[Path], Any], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert read_from_pipe(tmp_path, write) == (tmp_path / "file").read_bytes()


# what is no regular file


def read_from_pipe(folder: Path, write: Callable[[Path], Any]) -> bytes:
    """What is written into a pipe with a name, which stays a pipe."""
    pipe, read = folder / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    return read[0]


def test_a_pipe_is_filled(tmp_path: Path) -> None:
    content = b"x" * 1_000_000
    assert read_from_pipe(tmp_path, lambda pipe: write_file(pipe, content)) == content
    assert names(tmp_path) == {"pipe"}


def test_a_pipe_behind_a_link_is_filled(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("pipe")
    assert read_from_pipe(tmp_path, lambda _: write_file(tmp_path / "link", "content")) == b"content"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make devices")
def test_a_device_stays_a_device(tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        write_file(device, "content")
    except (PermissionError, StorageError):
        pytest.skip("devices cannot be made or used here")
    assert stat.S_ISCHR(device.stat().st_mode)
    assert names(tmp_path) == {"null"}


def test_a_device_that_is_full_is_told_by_its_name() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(StorageError, match="/dev/full cannot be written: No space left on device"):
        write_file("/dev/full", "content")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_socket_is_refused_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        with pytest.raises(StorageError, match="^socket cannot be written"):
            write_file("socket", "content")
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


def test_a_file_among_others_must_be_a_regular_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        replace_files({tmp_path / "new": b"", tmp_path / "pipe": b""})
    assert names(tmp_path) == {"pipe"}


def run(code: str, folder: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A process of its own in the folder, which has the functions of `storage`."""
    lines = f"from chainrule.storage import *\n{code}"
    environment = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", lines], cwd=folder, env=environment, timeout=60, **options)


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("into", ["a pipe", "a file", "the end of a file"])
def test_standard_output_is_written_in_the_order_of_printing(path: str, into: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    if path.startswith("/proc") and not Path("/proc/self/fd").exists():
        pytest.skip("there is no /proc here")
    code = f"print('before'); write_file({path!r}, 'content\\n'); print('after'); assert is_standard_output({path!r})"
    if into == "a pipe":
        written = run(code, tmp_path, check=True, stdout=subprocess.PIPE).stdout
    else:
        (tmp_path / "printed").write_bytes(b"earlier\n")
        with open(tmp_path / "printed", "ab" if into == "the end of a file" else "wb") as printed:
            run(code, tmp_path, check=True, stdout=printed)
        written = (tmp_path / "printed").read_bytes()
    assert written == (b"earlier\n" if into == "the end of a file" else b"") + b"before\ncontent\nafter\n"
    assert names(tmp_path) <= {"link", "printed"}


def test_the_file_that_standard_output_is_sent_to_is_standard_output(tmp_path: Path) -> None:
    code = "print('before'); write_file('printed', 'content\\n'); print(is_standard_output('printed'))"
    with open(tmp_path / "printed", "wb") as printed:
        run(code, tmp_path, check=True, stdout=printed)
    assert (tmp_path / "printed").read_text() == "before\ncontent\nTrue\n"


def test_an_open_descriptor_is_written_where_it_stands(tmp_path: Path) -> None:
    with open(tmp_path / "log", "ab") as log:
        log.write(b"earlier\n")
        log.flush()
        run(f"write_file('/dev/fd/{log.fileno()}', 'content\\n')", tmp_path, check=True, pass_fds=[log.fileno()])
    assert (tmp_path / "log").read_text() == "earlier\ncontent\n"


@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
def test_standard_output_that_is_closed_is_told(path: str, tmp_path: Path) -> None:
    code = f"write_file({path!r}, 'content')"
    done = run(code, tmp_path, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert done.returncode == 1
    assert f"StorageError: {path} cannot be written: " in done.stderr.decode()
    assert names(tmp_path) == set()


def test_a_pipe_that_nobody_reads_is_told(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = run("write_file('-', 'content')", tmp_path, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.returncode == 1
    assert "StorageError: - cannot be written: Broken pipe." in done.stderr.decode()


def test_no_other_file_is_standard_output(file: Path) -> None:
    assert not any(is_standard_output(path) for path in (file, file.with_name("none"), "a\0b", "./-"))


def test_a_minus_in_a_folder_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_file("./-", "content")
    assert (tmp_path / "-").read_text() == "content"


# whole or not at all


@pytest.mark.parametrize(
    ("call", "name"),
    [*((call, name) for call in ("fsync", "replace") for name in ("file", "link", "new")), ("chmod", "file")],
)
def test_nothing_is_changed_by_a_failure(call: str, name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match=f"{name} cannot be written: No space left on device") as caught:
        write_file(file.with_name(name), "after")
    assert caught.value.where[0] == __file__
    assert file.read_text() == "before"
    assert names(file.parent) == {"file", "link"}


def test_ctrl_c_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_file(file, "after")
    assert file.read_text() == "before"
    assert names(file.parent) == {"file", "link"}


def test_of_several_files_none_changes_before_all_are_complete(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        replace_files({file: b"after", file.parent / "none" / "new": b""})
    assert file.read_text() == "before"
    assert names(file.parent) == {"file", "link"}


def test_processes_that_write_at_once_leave_one_of_their_files_whole(tmp_path: Path) -> None:
    code = "import sys\nfor _ in range(20): write_file('file', sys.argv[1] * 100_000)"
    lines = f"from chainrule.storage import *\n{code}"
    environment = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parents[1])}
    writers = [
        subprocess.Popen([sys.executable, "-c", lines, letter], cwd=tmp_path, env=environment) for letter in "ab"
    ]
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "file").exists():
            assert re.fullmatch("a{100000}|b{100000}", (tmp_path / "file").read_text())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert names(tmp_path) == {"file"}


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("none/new", "No such file or directory: .*none"),
        ("file/new", "Not a directory"),
        (".", "it is a folder"),
        ("n" * 256, "File name too long"),
        ("a\0b", "no file has such a name"),
        ("a\ud800", "no file has such a name"),
    ],
    ids=["no folder", "a file for a folder", "a folder", "long", "zero", "surrogate"],
)
def test_a_path_that_names_no_file_is_refused_before_and_after(
    path: str, problem: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    for attempt in (lambda path: write_file(path, "content"), check_file):
        with pytest.raises(StorageError, match=f"cannot be written: {problem}") as caught:
            attempt(path)
        assert caught.value.what.startswith(path if problem != "no file has such a name" else ascii(path))
    assert names(file.parent) == {"file", "link"}


def test_what_can_be_written_is_left_as_it_is_by_the_check(file: Path) -> None:
    for path in (file, file.with_name("link"), file.with_name("new"), "-", os.devnull):
        check_file(path)
    assert file.read_text() == "before"
    assert names(file.parent) == {"file", "link"}


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user who is not root, while the test is run as that user."""
    folder = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        yield folder
        os.seteuid(0)
    else:
        yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_is_refused(unprivileged: Path) -> None:
    (unprivileged / "file").write_text("before")
    unprivileged.chmod(0o500)
    for name in ("file", "new"):
        for attempt in (lambda path: write_file(path, "after"), check_file):
            with pytest.raises(StorageError, match=f"{name} cannot be written: Permission denied"):
                attempt(unprivileged / name)
    assert (unprivileged / "file").read_text() == "before"


def test_a_file_that_is_write_protected_is_not_replaced(unprivileged: Path) -> None:
    (unprivileged / "file").write_text("before")
    (unprivileged / "file").chmod(0o444)
    for attempt in (lambda path: write_file(path, "after"), check_file):
        with pytest.raises(StorageError, match="file cannot be written: it is write-protected"):
            attempt(unprivileged / "file")
    assert names(unprivileged) == {"file"}


# one place


def test_only_one_module_makes_and_renames_files() -> None:
    package = Path(cr.__file__).parent
    ways = r"mkstemp|mkdtemp|NamedTemporary|os\.replace|os\.rename|\.rename\(|write_text|write_bytes|savefig\((?!drawn)"
    found = {path for path in package.rglob("*.py") if re.search(ways, path.read_text("utf-8"))}
    assert found == {Path(storage.__file__)}


def test_compiled_programs_are_for_their_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    cache.store("name", Code(b"code", 1))
    assert stat.S_IMODE((tmp_path / "name").stat().st_mode) == 0o600
    assert cache.load("name") == Code(b"code", 1)


def test_an_idx_file_is_read_from_where_a_link_led_it(tmp_path: Path) -> None:
    (tmp_path / "link.gz").symlink_to("file.gz")
    write_idx(tmp_path / "link.gz", np.arange(3, dtype=np.uint8))
    np.testing.assert_array_equal(read_idx(tmp_path / "file.gz"), [0, 1, 2])
