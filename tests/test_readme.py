"""The README's Python runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_every_python_block_runs_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    names = {
        "w": random.normal(size=(3, 5)),
        "v": random.normal(size=(3, 5)),
        "ws": random.normal(size=(2, 3, 5)),
        "b": np.zeros(3),
        "x": random.normal(size=(4, 5)),
        "y": random.normal(size=(4, 3)),
    }
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(block, names)
        if "run" in names:
            names |= {"x": names["data"].x[:10], "y": names["data"].labels[:10]}
    assert "acc0 = sum" in capsys.readouterr().out
    assert (tmp_path / "runs" / "first" / "weights.safetensors").exists()
