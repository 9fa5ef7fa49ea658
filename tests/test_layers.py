"""Strict layers: every module imports only what is below it, and no module imports itself round a corner."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent

#: From the bottom to the top; those in one row are siblings and do not import each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("checks", "display", "storage"),
    ("graph", "data"),
    ("trace",),
    ("numpy",),
    ("derive", "optimize", "random", "special", "tree"),
    ("schedule",),
    ("cpu",),
    ("run",),
    ("transform",),
    ("nn", "testing"),
    ("learning",),
    ("insight",),
    ("classics",),
    ("interop",),
    ("chainrule",),  # the face: chainrule/__init__.py
    ("cli",),
    ("__main__",),
)
HEIGHT = {layer: height for height, row in enumerate(LAYERS) for layer in row}
#: Layers that may import less than all that is below them.
ONLY: dict[str, set[str]] = {
    "optimize": {"errors", "graph"},
    "schedule": {"errors", "graph"},
    "cpu": {"errors", "graph", "schedule"},
    "run": {"errors", "display", "storage", "graph", "optimize", "schedule", "cpu"},
    "data": {"display", "errors", "storage"},
    "numpy": {"errors", "checks", "graph", "trace"},
    "random": {"errors", "checks", "graph", "trace", "numpy"},
    "special": {"errors", "checks", "graph", "trace", "numpy"},
    "tree": {"errors", "graph", "trace", "numpy"},
}

MODULES = {
    ".".join(("chainrule", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def layer(module: str) -> str:
    """The layer that a module belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def imported(module: str, tree: ast.AST) -> Iterator[str]:
    """The modules of this package that the code imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "chainrule")
        elif isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            names = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            yield from (name for name in names if name.split(".")[0] == "chainrule")
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                base = module.split(".") if MODULES[module].name == "__init__.py" else module.split(".")[:-1]
                source = ".".join([*base[: len(base) - node.level + 1], *([source] if source else [])])
            if source.split(".")[0] == "chainrule":
                inside = [f"{source}.{alias.name}" for alias in node.names]
                found = [name for name in inside if name in MODULES]
                yield from found
                if len(found) < len(inside):
                    yield source


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer(module) for module in MODULES} <= set(HEIGHT), "a new module: say in LAYERS how high it stands"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_is_below_it(module: str) -> None:
    own = layer(module)
    for other in imported(module, parsed(module)):
        target = layer(other)
        if target == own:
            continue
        assert HEIGHT[target] < HEIGHT[own], f"{module} imports {other}, which is not below it"
        assert target in ONLY.get(own, {target}), f"{module} imports {other}; {own} may import {ONLY.get(own)} only"


def circles(imports: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The ways that lead from a module back to itself, one for each that is found first."""
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> Iterator[str]:
        if module in path:
            yield " imports ".join([*path[path.index(module) :], module])
        elif module not in finished:
            for other in imports[module]:
                yield from visit(other, (*path, module))
            finished.add(module)

    for module in imports:
        yield from visit(module, ())


def test_imports_go_round_in_no_circle() -> None:
    """Nor those that wait in a function until it is called, or are there for the type checker alone."""
    imports = {module: sorted(set(imported(module, parsed(module))) - {module}) for module in MODULES}
    assert list(circles(imports)) == []


def test_a_circle_is_found() -> None:
    assert list(circles({"a": ["b"], "b": ["c"], "c": ["b"], "d": ["a"]})) == ["b imports c imports b"]


def test_the_walk_sees_every_way_to_import() -> None:
    code = """
import chainrule.graph.ops
from chainrule.graph import node, ops
from chainrule.graph.types import Type
from . import tracing
from ..derive import pull_rules
import numpy
if TYPE_CHECKING:
    from chainrule.errors import ShapeError
def function():
    from chainrule.run.program import build
    return import_module("chainrule.special"), importlib.import_module("numpy")
"""
    assert list(imported("chainrule.trace.array", ast.parse(code))) == [
        "chainrule.graph.ops", "chainrule.graph.node", "chainrule.graph.ops", "chainrule.graph.types",
        "chainrule.trace.tracing", "chainrule.derive.pull_rules", "chainrule.errors", "chainrule.run.program",
        "chainrule.special",
    ]  # fmt: skip
