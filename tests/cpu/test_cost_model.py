"""The numbers by which the compiler chooses: each says why it is what it is, and is used."""

from __future__ import annotations

import ast
from pathlib import Path

from chainrule.cpu import cost_model
from chainrule.cpu.cost_model import is_expensive
from chainrule.graph import ops

SOURCE = Path(cost_model.__file__).read_text(encoding="utf-8")
NUMBERS = [statement for statement in ast.parse(SOURCE).body if isinstance(statement, ast.Assign)]


def names() -> set[str]:
    targets = [target for statement in NUMBERS for target in statement.targets]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def test_each_number_has_its_reason_above_it() -> None:
    lines = SOURCE.splitlines()
    assert [lines[s.lineno - 1] for s in NUMBERS if not lines[s.lineno - 2].startswith("#: ")] == []


def test_each_number_is_used() -> None:
    folder = Path(cost_model.__file__).parent
    others = [path for path in folder.glob("*.py") if path.name != "cost_model.py"]
    used = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for source in [path.read_text(encoding="utf-8") for path in others] + [SOURCE]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load)
    }
    assert names() - used == set()


def test_an_operation_is_expensive_that_the_processor_has_no_instruction_for() -> None:
    assert {op for op in (ops.EXP, ops.SIN, ops.POWER, ops.ERF, ops.HYPOT) if not is_expensive(op)} == set()
    assert {op for op in (ops.ADD, ops.DIVIDE, ops.SQRT, ops.REMAINDER, ops.SELECT) if is_expensive(op)} == set()
