"""docs/numpy.md names every function of `chainrule.numpy`, and every one of NumPy's that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import numpy as namespace

PAGE = Path(__file__).parents[2] / "docs" / "numpy.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the page is in the checkout alone")


def named(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def halves() -> tuple[set[str], set[str]]:
    there, absent = PAGE.read_text(encoding="utf-8").split("## What is not there")
    return named(there), named(absent)


def functions(module: Any) -> set[str]:
    public = (name for name in dir(module) if not name.startswith("_"))
    return {name for name in public if callable(getattr(module, name)) and not isinstance(getattr(module, name), type)}


def test_what_is_there_is_named() -> None:
    there, _ = halves()
    assert set(namespace.__all__) - there == set()
    assert set(namespace.linalg.__all__) - there == set()


def test_what_is_not_there_is_named_and_nothing_else() -> None:
    there, absent = halves()
    missing = functions(np) - set(namespace.__all__)
    missing |= (functions(np.linalg) - set(namespace.linalg.__all__)) | (functions(np.fft) - set(namespace.fft.__all__))
    assert missing - absent == set()
    refused = set(namespace.fft.__all__) - there
    assert refused - absent == set()
