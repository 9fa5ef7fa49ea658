"""Files go where their path says, whole or not at all: the one module that writes them.

A regular file is written under a temporary name in its own folder, reaches the disk, and is renamed. A symbolic link
is followed, also to a file that is not there yet; a file that is replaced hands on its permissions. What is no regular
file (a pipe, a device, `/dev/stdout`) is opened and written, never replaced; and `-` is standard output.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chainrule.errors import StorageError

__all__ = ["check_file", "check_folder", "is_standard_output", "naming", "replace_files", "write_file", "write_folder"]

_Path = str | os.PathLike[str]
_FOR_ALL, _FOR_THE_USER = 0o666, 0o600  # before the umask
_BINARY = getattr(os, "O_BINARY", 0)


def write_file(path: _Path, content: bytes | str) -> None:
    """Give a file its content, text in UTF-8, or hand it to what the path names: a pipe, a device, `-` for stdout.

    Raises StorageError, which names the path, if that cannot be done; a file is then as it was.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_file(f"{folder}/figures.json", "{}")
    ...     Path(folder, "figures.json").read_text()
    '{}'
    """
    encoded = content.encode() if isinstance(content, str) else content
    with naming(path):
        if os.fspath(path) == "-":
            _print(encoded)
        elif (stream := _stream(path)) is not None:
            _pour(path, stream, encoded)
        else:
            replace_files({Path(path): encoded})


def check_file(path: _Path) -> None:
    """StorageError if a file could not be written there: better told before the work than after."""
    with naming(path):
        if os.fspath(path) != "-" and _stream(path) is None:
            os.unlink(_complete(os.path.realpath(path), b"", _FOR_THE_USER, durable=False))


def check_folder(path: _Path) -> None:
    """OSError if a folder could neither be made nor filled there."""
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise NotADirectoryError(20, "it is a file, not a folder")
    real = Path(os.path.realpath(path))
    nearest = next(folder for folder in (real, *real.parents) if folder.exists())
    os.unlink(_complete(str(nearest / "new"), b"", _FOR_THE_USER, durable=False))


def is_standard_output(path: _Path) -> bool:
    """Whether what is written there goes where `print` writes: `-`, `/dev/stdout`, the file that stdout is sent to."""
    if os.fspath(path) == "-":
        return True
    with suppress(OSError, ValueError):
        return os.path.samestat(os.fstat(1), os.stat(path))
    return False


@contextmanager
def naming(path: _Path, said: str = "{} cannot be written: {}.", cure: str = "") -> Iterator[None]:
    """What the system refuses in the block is a StorageError that names the user's path."""
    if not _is_possible(path):
        raise StorageError(said.format(ascii(os.fspath(path)), "no file has such a name"), cure=cure)
    try:
        yield
    except StorageError:
        raise
    except OSError as problem:
        raise StorageError(said.format(path, problem.strerror or problem), cure=cure) from problem


def _is_possible(path: _Path) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def replace_files(contents: Mapping[Path, bytes], *, private: bool = False, durable: bool = True) -> None:
    """Give regular files their contents: all of it is complete beside them before the first of them changes.

    New files are readable by all, as far as the umask lets them, or by the user alone if `private`. Unless `durable`,
    it is left to the system when they reach the disk. Raises OSError; nothing is then left behind.
    """
    waiting: dict[str, str] = {}
    try:
        for path, content in contents.items():
            real = os.path.realpath(path)
            waiting[real] = _complete(real, content, _FOR_THE_USER if private else _FOR_ALL, durable)
        for real, temporary in waiting.items():
            os.replace(temporary, real)
    except BaseException:
        for temporary in waiting.values():
            with suppress(OSError):
                os.unlink(temporary)
        raise


def write_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Make a new folder under another name, and give it its name when `write` has filled it. Raises OSError."""
    real = Path(os.path.realpath(target))
    real.parent.mkdir(parents=True, exist_ok=True)
    temporary = real.with_name(_temporary_name())
    temporary.mkdir()
    try:
        write(temporary)
        temporary.rename(real)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _temporary_name() -> str:
    return f".chainrule-{secrets.token_hex(8)}"


def _existing(path: _Path) -> os.stat_result | None:
    """What the path names, links followed; None if there is nothing yet. OSError if it is a folder."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(21, "it is a folder")
    return found


def _complete(real: str, content: bytes, mode: int, durable: bool = True) -> str:
    """The name of a new file beside the one that it will replace, with the content and with that one's permissions."""
    before = _existing(real)
    if before is not None and not stat.S_ISREG(before.st_mode):
        raise OSError(f"{real} is no regular file")
    if before is not None and not os.access(real, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(13, "it is write-protected")
    folder = os.path.dirname(real)
    if not os.path.exists(folder):
        raise FileNotFoundError(2, f"No such file or directory: {folder}")
    name = os.path.join(folder, _temporary_name())
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode if before is None else _FOR_THE_USER)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if before is not None:
            _hand_on(before, name)
    except BaseException:
        with suppress(OSError):  # the failure itself is what the caller must hear of
            os.unlink(name)
        raise
    return name


def _hand_on(before: os.stat_result, name: str) -> None:
    """Give a new file the owner, as far as that is allowed, and the permissions of the one that it replaces."""
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(name, before.st_uid, before.st_gid)
    os.chmod(name, stat.S_IMODE(before.st_mode))


# what is no file to be replaced


def _stream(path: _Path) -> int | None:
    """An open descriptor to write to, or -1 for what must be opened; None for a regular file, also one to be."""
    found = _existing(path)
    if found is None:
        return None
    named = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", os.fspath(path))
    for descriptor in (1, 2, *([int(named[1])] if named else [])):
        with suppress(OSError, OverflowError):
            if os.path.samestat(os.fstat(descriptor), found):
                return descriptor
    return None if stat.S_ISREG(found.st_mode) else -1


def _pour(path: _Path, descriptor: int, content: bytes) -> None:
    for printed in filter(None, (sys.stdout, sys.stderr)):  # None: it was closed when Python began
        printed.flush()
    handle = os.open(path, os.O_WRONLY | _BINARY) if descriptor < 0 else os.dup(descriptor)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _print(content: bytes) -> None:
    if sys.stdout is None:
        raise OSError(9, "standard output is closed")
    sys.stdout.flush()
    binary: Any = getattr(sys.stdout, "buffer", None)
    if binary is None:  # a notebook's
        sys.stdout.write(content.decode())
    else:
        binary.write(content)
        binary.flush()
