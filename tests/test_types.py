"""What a type checker, and so an editor, knows of the functions of `chainrule.numpy`."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp

CODE = """
from chainrule import numpy as np
import chainrule as cr
reveal_type(np.sum)
reveal_type(np.add)
reveal_type(np.add(1.0, 2.0))
reveal_type(np.linalg.solve)
reveal_type(np.quantile)
reveal_type(cr.special.betaln)
"""
SEEN = [
    "def (a: Any, axis: Any =, dtype: Any =, *, keepdims: bool =, initial: Any =, where: Any =) -> "
    "chainrule.trace.array.Array",
    "chainrule.trace.recorded.UniversalFunction[[Any, Any], chainrule.trace.array.Array]",
    "chainrule.trace.array.Array",
    "def (a: Any, b: Any) -> chainrule.trace.array.Array",
    "def (a: Any, q: Any, axis: Any =, *, method: str =, keepdims: bool =) -> chainrule.trace.array.Array",
    "def (Any, Any) -> chainrule.trace.array.Array",
]


@pytest.mark.long
def test_a_type_checker_sees_signatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = pytest.importorskip("mypy.api")
    (tmp_path / "user.py").write_text(CODE)
    monkeypatch.setenv("MYPYPATH", str(Path(cr.__file__).parents[1]))
    text, problems, _ = api.run(["--strict", "--cache-dir", str(tmp_path), str(tmp_path / "user.py")])
    assert problems == ""
    found = [line.split('Revealed type is "')[1].rstrip('"') for line in text.splitlines() if "Revealed" in line]
    assert found == SEEN


def test_no_returned_type_is_left_to_trust() -> None:
    """Recorded functions keep their types, so that nothing that they return is taken on trust."""
    for path in sorted(Path(cr.__file__).parent.rglob("*.py")):
        assert "no-any-return" not in path.read_text(encoding="utf-8"), path


def test_python_sees_the_same_signatures() -> None:
    assert list(inspect.signature(cnp.sum).parameters)[:3] == list(inspect.signature(np.sum).parameters)[:3]
    assert inspect.signature(cr.special.betaln).parameters.keys() == {"a", "b"}
