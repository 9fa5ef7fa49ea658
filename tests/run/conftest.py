"""A folder of programs of a test's own, and a count of what LLVM compiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.cpu import machine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("CHAINRULE_CACHE", str(path))
    return path


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each program that LLVM compiles."""
    made: list[str] = []
    compile_text = machine.machine_code

    def counted(text: str, processor: object, loops: object = ()) -> bytes:
        made.append(text)
        return compile_text(text, processor, loops)  # type: ignore[arg-type]

    monkeypatch.setattr(machine, "machine_code", counted)
    return made
