"""What modules offer: listed, in order, there, and documented; and what `import chainrule` does not load."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent
MODULES = [
    ".".join(("chainrule", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__main__.py"
]
#: Loaded when something is compiled, drawn, parsed from a command line or saved; not before.
HEAVY = ("llvmlite", "rich", "typer", "safetensors", "hypothesis", "pytest")


def place(name: str) -> tuple[int, list[Any]]:
    """Constants, then classes, then functions, each in order, numbers by size: as ruff's RUF022 sorts."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def test_no_two_classes_share_a_name() -> None:
    owners: dict[str, set[str]] = {}
    for module in MODULES:
        loaded = importlib.import_module(module)
        for name, kind in vars(loaded).items():
            if inspect.isclass(kind) and kind.__module__ == module and not name.startswith("_"):
                owners.setdefault(kind.__name__, set()).add(module)
    assert {name: where for name, where in owners.items() if len(where) > 1} == {}


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_offers_is_listed_in_order_and_there(module: str) -> None:
    loaded = importlib.import_module(module)
    names = list(getattr(loaded, "__all__", []))
    assert names == sorted(set(names), key=place)
    assert [name for name in names if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_offers_is_documented(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__doc__, "the module itself"
    for name in getattr(loaded, "__all__", []):
        thing = getattr(loaded, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert own_documentation(thing), name
            if inspect.isclass(thing):
                assert undocumented_methods(thing) == [], name


def own_documentation(thing: Any) -> str:
    """The docstring, unless it is the signature that `dataclass` puts where there is none."""
    text = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    return "" if text is None or text.startswith(f"{thing.__name__}(") else text


def undocumented_methods(kind: type) -> list[str]:
    return [
        name
        for name, member in vars(kind).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod))
        and not getattr(member, "__doc__", None)
    ]


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running some code."""
    listing = f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import chainrule") & {*HEAVY, "numpy"} == set()


def test_a_derivative_needs_no_compiler() -> None:
    code = "import chainrule as cr\nassert cr.grad(lambda x: x * cr.numpy.tanh(x))(0.0) == 0.0"
    assert loaded_after(code) & set(HEAVY) == set()


def test_everything_that_the_package_offers_is_there_and_listed_for_completion() -> None:
    assert set(chainrule.__all__) <= set(dir(chainrule))
    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing_of_the_kind'"):
        _ = chainrule.nothing_of_the_kind
