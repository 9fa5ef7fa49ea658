"""Machine code on disk, so that a program is compiled once for a machine and not once for a process.

An entry is found by a key that covers everything the code depends on: the graph, the loop, the processor, LLVM, and the
text of this compiler itself. It is read only from a folder that belongs to the user alone, and only if its checksum and
its key are right; whatever else is found there is passed over and compiled anew. Writers do not wait for each other: an
entry is written under a temporary name and renamed, and any of them is as good as another.

The folder is `$CHAINRULE_CACHE`, or `chainrule` in the user's cache folder; `CHAINRULE_CACHE=off` does without.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import warnings
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from chainrule.schedule.target import Code, Target
from chainrule.storage import replace_files

__all__ = ["folder", "key", "load", "store"]

_MAGIC = b"chainrule program 1\n"
_DIGEST = 32  # bytes of a SHA-256
_MOST = 512  # entries that are kept
_ROOMS = ("graph", "optimize", "schedule", "cpu", "run")  # whose text decides what code is made


def key(signature: str, loop: str, target: Target) -> str:
    """The name of the code for a program: a digest of all that it depends on."""
    parts = (_compiler(), sys.platform, signature, loop, target.identity)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@lru_cache(maxsize=1)
def _compiler() -> str:
    """A digest of this compiler's own text and the version of LLVM's package."""
    digest = hashlib.sha256(metadata.version("llvmlite").encode())
    package = Path(__file__).parent.parent
    for source in sorted(path for room in _ROOMS for path in package.glob(f"{room}/**/*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def folder() -> Path | None:
    """The user's own folder for programs, made if need be; None where there is none that is safe to use."""
    chosen = os.environ.get("CHAINRULE_CACHE", "")
    if chosen == "off":
        return None
    path = Path(chosen) if chosen else _user_cache() / "chainrule"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode) or not _is_private(status):
        warnings.warn(
            f"{path} is not used to keep compiled programs: others can write to it, and programs in it are run. "
            f"Make it your own with chmod 700, or set CHAINRULE_CACHE to a folder that is.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return path


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _is_private(status: os.stat_result) -> bool:
    """Whether the file is the user's and nobody else may write to it."""
    if sys.platform == "win32":
        return True  # the user's own profile folder is private by its access list
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def load(name: str) -> Code | None:
    """The code of an entry; None if there is none that can be trusted."""
    where = folder()
    if where is None:
        return None
    try:
        handle = os.open(where / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            content = file.read() if _is_private(os.fstat(file.fileno())) else b""
    except OSError:
        return None
    return _unpacked(name, content)


def store(name: str, code: Code) -> None:
    """Keep an entry; a full or unwritable disk is no reason to stop."""
    where = folder()
    if where is None:
        return
    try:
        replace_files({where / name: _packed(name, code)}, private=True, durable=False)
        _forget_oldest(where)
    except OSError:
        return


def _packed(name: str, code: Code) -> bytes:
    content = name.encode() + code.temporary_bytes.to_bytes(8, "little") + code.content
    return _MAGIC + hashlib.sha256(content).digest() + content


def _unpacked(name: str, entry: bytes) -> Code | None:
    start = len(_MAGIC) + _DIGEST
    content = entry[start:]
    right = entry.startswith(_MAGIC) and hashlib.sha256(content).digest() == entry[len(_MAGIC) : start]
    if not right or not content.startswith(name.encode()):
        return None
    body = content[len(name) :]
    return Code(body[8:], int.from_bytes(body[:8], "little"))


def _forget_oldest(where: Path) -> None:
    entries = [path for path in where.iterdir() if not path.name.startswith(".")]
    if len(entries) > _MOST:
        for path in sorted(entries, key=lambda p: p.stat().st_mtime)[: len(entries) - _MOST]:
            path.unlink(missing_ok=True)
