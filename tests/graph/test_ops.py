"""The closed set of operations: each has a row in every table, and its type rule refuses what it has no meaning for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from chainrule.cpu.elementwise import NATIVE
from chainrule.derive.batch_rules import BATCH, BATCH_TOGETHER
from chainrule.derive.pull_rules import PULL, PULL_TOGETHER
from chainrule.derive.push_rules import PUSH, PUSH_TOGETHER
from chainrule.errors import ChainruleError, DTypeError, GraphError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import NUMPY
from chainrule.graph.node import Node, input_node
from chainrule.graph.ops import Op, OpGroup
from chainrule.graph.type_rules import TYPE_RULES, result_type
from chainrule.graph.types import DTYPES, Type
from chainrule.schedule.lower import LOWER

TABLES: Mapping[str, tuple[Mapping[Op, Any], frozenset[Op]]] = {
    "TYPE_RULES": (TYPE_RULES, frozenset(ops.OPS)),
    "NUMPY": (NUMPY, frozenset(ops.OPS)),
    "PULL": ({**PULL, **PULL_TOGETHER}, frozenset(ops.OPS)),
    "PUSH": ({**PUSH, **PUSH_TOGETHER}, frozenset(ops.OPS)),
    "BATCH": ({**BATCH, **BATCH_TOGETHER}, frozenset(ops.OPS) - {*ops.LEAVES, ops.RESULT}),  # leaves are of no example
    "LOWER": (LOWER, frozenset(ops.OPS)),
    "NATIVE": (NATIVE, ops.ELEMENTWISE),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_operation_has_a_row_and_no_row_is_of_nothing(name: str) -> None:
    table, wanted = TABLES[name]
    assert {op.name for op in wanted} - {op.name for op in table} == set(), f"without a row in {name}"
    assert {op.name for op in table} - {op.name for op in wanted} == set(), f"rows in {name} of no operation"


def test_every_operation_of_the_module_is_in_the_closed_set() -> None:
    defined = {thing for thing in vars(ops).values() if isinstance(thing, Op)}
    assert defined == set(ops.OPS)
    assert len(ops.OPS) == len(set(ops.OPS)), "an operation stands twice in OPS"
    assert [ops.BY_NAME[op.name] for op in ops.OPS] == list(ops.OPS), "two operations of one name"


def test_an_operations_constant_has_its_name() -> None:
    for name, op in vars(ops).items():
        if isinstance(op, Op):
            assert name == op.name.upper()


def test_the_elementwise_operations_are_those_of_one_two_or_three_inputs() -> None:
    assert {*ops.UNARY, *ops.BINARY, ops.SELECT} == ops.ELEMENTWISE
    assert {op.arity for op in ops.UNARY} == {1}
    assert {op.arity for op in ops.BINARY} == {2}
    assert ops.SELECT.arity == 3
    assert {op.arity for op in ops.LEAVES} == {0}


def test_what_an_operation_costs_stands_on_it() -> None:
    """Where elements are costs nothing to say; what the processor divides costs more than what it adds, a call most."""
    assert {op for op in ops.OPS if op.cost == 0} == {*ops.LEAVES, *ops.LAYOUT}
    assert ops.ADD.cost == ops.SELECT.cost == ops.GATHER.cost == 1
    assert ops.ADD.cost < ops.DIVIDE.cost < ops.REMAINDER.cost < ops.TANH.cost < ops.ARCTAN2.cost


def test_every_group_has_operations() -> None:
    assert {op.group for op in ops.OPS} == set(OpGroup)


@pytest.mark.parametrize(
    ("each", "together"),
    [(PULL, PULL_TOGETHER), (PUSH, PUSH_TOGETHER), (BATCH, BATCH_TOGETHER)],
    ids=["PULL", "PUSH", "BATCH"],
)
def test_an_operation_has_one_row_of_a_kind(each: Mapping[Op, Any], together: Mapping[Op, Any]) -> None:
    assert set(each) & set(together) == set()


@pytest.mark.parametrize("table", [PULL, PUSH], ids=["PULL", "PUSH"])
def test_a_rule_for_each_input(table: Mapping[Op, Any]) -> None:
    for op in ops.OPS:
        if op.arity is not None:
            assert len(table[op]) == op.arity, op


def test_operations_with_any_number_of_inputs_have_one_rule_for_all_of_them() -> None:
    assert {op for op in ops.OPS if op.arity is None} == {*PULL_TOGETHER} == {*PUSH_TOGETHER}


def test_what_passes_no_error_back_passes_no_change_on() -> None:
    """Both derivatives of an operation are zero in the same inputs."""
    for op in ops.OPS:
        if op.arity is not None:
            assert [rule is None for rule in PULL[op]] == [rule is None for rule in PUSH[op]], op


# type rules


def of(text: str) -> Type:
    """The type that prints as this."""
    kind, shape = re.fullmatch(r"(\w+)\[([\d,]*)\]", text).groups()  # type: ignore[union-attr]
    dtype = next(d for d in DTYPES if str(Type((), d)) == f"{kind}[]")
    return Type(tuple(int(n) for n in shape.split(",") if n), dtype)


RESULTS = [
    ("negative", ["f32[3]"], (), "f32[3]"),
    ("absolute", ["bool[3]"], (), "bool[3]"),
    ("exp", ["f64[2,3]"], (), "f64[2,3]"),
    ("logical_not", ["bool[]"], (), "bool[]"),
    ("cast", ["i8[2]"], ("float32",), "f32[2]"),
    ("mark", ["f32[]"], (3,), "f32[]"),
    ("add", ["i64[2]", "i64[2]"], (), "i64[2]"),
    ("divide", ["f32[2]", "f32[2]"], (), "f32[2]"),
    ("less", ["f32[2]", "f32[2]"], (), "bool[2]"),
    ("bitcast", ["f32[2]"], ("uint32",), "u32[2]"),
    ("hypot", ["f32[2]", "f32[2]"], (), "f32[2]"),
    ("left_shift", ["u8[2]", "u8[2]"], (), "u8[2]"),
    ("select", ["bool[2]", "u8[2]", "u8[2]"], (), "u8[2]"),
    ("contract", ["f32[10,784]", "f32[30,784]"], ((0, 1), (2, 1), (0, 2)), "f32[10,30]"),
    ("contract", ["f32[4]", "f32[5]"], ((0,), (1,), (1, 0)), "f32[5,4]"),
    ("contract", ["i32[2,3,4]", "i32[2,3]"], ((0, 1, 2), (0, 1), (2, 0)), "i32[4,2]"),
    ("sum", ["f32[2,3,4]"], ((0, 2),), "f32[3]"),
    ("sum", ["f32[0,3]"], ((0,),), "f32[3]"),
    ("max", ["i8[2,3]"], ((1,),), "i8[2]"),
    ("reshape", ["f32[2,6]"], ((3, 1, 4),), "f32[3,1,4]"),
    ("transpose", ["f32[2,3,4]"], ((2, 0, 1),), "f32[4,2,3]"),
    ("broadcast", ["f32[3,1]"], ((3, 2, 5), (0, 2)), "f32[3,2,5]"),
    ("slice", ["f32[10]"], ((9,), (4,), (-3,)), "f32[4]"),
    ("pad", ["f32[3]"], ((1,), (2,), (4,)), "f32[14]"),
    ("pad", ["f32[0]"], ((1,), (2,), (4,)), "f32[3]"),
    ("concatenate", ["f32[2,1]", "f32[2,3]", "f32[2,0]"], (1,), "f32[2,4]"),
    ("gather", ["f32[5,7]", "i32[2,3]"], (), "f32[2,3,7]"),
    ("gather", ["f32[0,7]", "i32[0]"], (), "f32[0,7]"),
    ("scatter_add", ["f32[5,7]", "u8[2]", "f32[2,7]"], (), "f32[5,7]"),
    ("eigh", ["f32[4,3,3]"], ("U",), "f32[4,3,4]"),
    ("svd", ["f64[2,5]"], (), "f64[2,8]"),
    ("svd", ["f64[7,5,2]"], (), "f64[7,2,8]"),
    ("qr", ["f32[5,2]"], (), "f32[2,7]"),
    ("pinv", ["f32[4,5,2]", "f32[4]"], (), "f32[4,2,5]"),
]


@pytest.mark.parametrize(("name", "inputs", "attributes", "result"), RESULTS)
def test_the_type_of_a_result(name: str, inputs: list[str], attributes: tuple[Any, ...], result: str) -> None:
    assert str(result_type(ops.BY_NAME[name], [of(text) for text in inputs], attributes)) == result


REFUSED = [
    ("add", ["f32[3]", "f32[4]"], (), ShapeError, "add needs inputs of one shape and dtype, not f32[3] and f32[4]"),
    ("add", ["f32[3]", "f64[3]"], (), ShapeError, "not f32[3] and f64[3]"),
    ("less", ["f32[3]", "f32[]"], (), ShapeError, "less needs inputs of one shape and dtype, not f32[3] and f32[]"),
    ("subtract", ["bool[3]", "bool[3]"], (), DTypeError, "subtract needs numbers, not bool[3] and bool[3]"),
    ("negative", ["bool[3]"], (), DTypeError, "negative needs numbers, not bool[3]"),
    ("sign", ["bool[3]"], (), DTypeError, "sign needs numbers, not bool[3]"),
    ("power", ["bool[]", "bool[]"], (), DTypeError, "power needs numbers"),
    ("floor_divide", ["bool[]", "bool[]"], (), DTypeError, "floor_divide needs numbers"),
    ("remainder", ["bool[]", "bool[]"], (), DTypeError, "remainder needs numbers"),
    ("exp", ["i32[2,3]"], (), DTypeError, "exp needs floating-point numbers, not i32[2,3]"),
    ("divide", ["i32[2]", "i32[2]"], (), DTypeError, "divide needs floating-point numbers, not i32[2]"),
    ("logical_not", ["f32[2]"], (), DTypeError, "logical_not needs booleans, not f32[2]"),
    ("logical_and", ["i8[2]", "i8[2]"], (), DTypeError, "logical_and needs booleans, not i8[2]"),
    ("logical_or", ["bool[2]", "bool[3]"], (), ShapeError, "not bool[2] and bool[3]"),
    ("cast", ["f32[2]"], ("float16",), DTypeError, "not with float16"),
    ("bitcast", ["f32[2]"], ("int64",), DTypeError, "the bits of f32[2] are none of int64"),
    ("bitcast", ["u8[2]"], ("bool",), DTypeError, "the bits of u8[2] are none of bool"),
    ("bitwise_and", ["bool[2]", "bool[2]"], (), DTypeError, "bitwise_and needs integers, not bool[2] and bool[2]"),
    ("right_shift", ["f32[2]", "f32[2]"], (), DTypeError, "right_shift needs integers, not f32[2] and f32[2]"),
    ("arctan2", ["i32[2]", "i32[2]"], (), DTypeError, "arctan2 needs floating-point numbers, not i32[2] and i32[2]"),
    ("select", ["f32[2]", "f32[2]", "f32[2]"], (), ShapeError, "bool condition of the values' shape, not f32[2]"),
    ("select", ["bool[3]", "f32[2]", "f32[2]"], (), ShapeError, "not bool[3] for f32[2] and f32[2]"),
    ("select", ["bool[2]", "f32[2]", "f64[2]"], (), ShapeError, "not f32[2] and f64[2]"),
    ("contract", ["f32[2,3]", "f32[4,3]"], ((0, 1), (1, 2), (0, 2)), ShapeError, "f32[2,3] and f32[4,3] differ"),
    ("contract", ["f32[2]", "f64[2]"], ((0,), (0,), ()), DTypeError, "not f32[2] and f64[2]"),
    ("contract", ["bool[2]", "bool[2]"], ((0,), (0,), ()), DTypeError, "not bool[2] and bool[2]"),
    ("contract", ["f32[2]", "f32[2]"], ((0, 1), (0,), ()), GraphError, "do not fit f32[2] and f32[2]"),
    ("contract", ["f32[2,2]", "f32[2]"], ((0, 0), (0,), ()), GraphError, "a label stands twice in (0, 0)"),
    ("contract", ["f32[2]", "f32[2]"], ((0,), (1,), (0, 0)), GraphError, "a label stands twice in (0, 0)"),
    ("contract", ["f32[2]", "f32[2]"], ((0,), (0,), (1,)), GraphError, "summed labels must be in both inputs"),
    ("contract", ["f32[2]", "f32[3]"], ((0,), (1,), (1,)), GraphError, "summed labels must be in both inputs"),
    ("sum", ["f32[2,3]"], ((2,),), ShapeError, "sum: (2,) are not distinct axes of f32[2,3]"),
    ("sum", ["f32[2,3]"], ((1, 1),), ShapeError, "sum: (1, 1) are not distinct axes"),
    ("max", ["f32[2,0]"], ((1,),), ShapeError, "max of no elements is not defined: f32[2,0] over axes (1,)"),
    ("reshape", ["f32[2,3]"], ((4,),), ShapeError, "cannot reshape f32[2,3] into (4,): 6 elements into 4"),
    ("reshape", ["f32[2,3]"], ((-1, -1, 6),), ShapeError, "cannot reshape f32[2,3] into (-1, -1, 6)"),
    ("transpose", ["f32[2,3]"], ((0, 0),), ShapeError, "(0, 0) is no order of the axes of f32[2,3]"),
    ("transpose", ["f32[2,3]"], ((0,),), ShapeError, "(0,) is no order of the axes of f32[2,3]"),
    ("broadcast", ["f32[2]"], ((3,), (0,)), ShapeError, "cannot broadcast f32[2] to the shape (3,)"),
    ("broadcast", ["f32[2,3]"], ((3, 2), (1, 0)), ShapeError, "does not place the axes of f32[2,3] in (3, 2)"),
    ("broadcast", ["f32[]"], ((-2,), ()), ShapeError, "cannot broadcast f32[] to the shape (-2,)"),
    ("slice", ["f32[5]"], ((0,), (6,), (1,)), ShapeError, "leaves f32[5]"),
    ("slice", ["f32[5]"], ((2,), (4,), (-1,)), ShapeError, "leaves f32[5]"),
    ("slice", ["f32[5]"], ((0,), (-1,), (1,)), ShapeError, "leaves f32[5]"),
    ("slice", ["f32[5]"], ((0,), (2,), (0,)), ShapeError, "leaves f32[5]"),
    ("slice", ["f32[5,2]"], ((0,), (2,), (1,)), ShapeError, "one number for each axis of f32[5,2]"),
    ("pad", ["f32[5]"], ((-1,), (0,), (0,)), ShapeError, "is no padding of f32[5]"),
    ("pad", ["f32[5]"], ((1, 1), (0, 0), (0, 0)), ShapeError, "is no padding of f32[5]"),
    ("concatenate", [], (0,), ShapeError, "at least one array"),
    ("concatenate", ["f32[2]", "f64[2]"], (0,), ShapeError, "cannot concatenate f32[2] and f64[2] along axis 0"),
    ("concatenate", ["f32[2,3]", "f32[2,4]"], (0,), ShapeError, "cannot concatenate f32[2,3] and f32[2,4]"),
    ("concatenate", ["f32[]"], (0,), ShapeError, "(0,) are not distinct axes of f32[]"),
    ("gather", ["f32[3]", "f32[2]"], (), DTypeError, "gather needs integer indices, not f32[2]"),
    ("gather", ["f32[3]", "bool[3]"], (), DTypeError, "gather needs integer indices, not bool[3]"),
    ("gather", ["f32[]", "i32[2]"], (), ShapeError, "f32[] has no rows to index"),
    ("gather", ["f32[0,3]", "i32[2]"], (), ShapeError, "f32[0,3] has no rows to index"),
    (
        "scatter_add",
        ["f32[3]", "i32[2]", "f32[3]"],
        (),
        ShapeError,
        "updates f32[3] do not fit rows of f32[3] at i32[2]",
    ),
    ("eigh", ["f32[2,3]"], ("L",), ShapeError, "eigh needs square matrices, not f32[2,3]"),
    ("eigh", ["f32[3,3]"], ("X",), GraphError, "the triangle is 'L' or 'U', not 'X'"),
    ("svd", ["f32[3]"], (), ShapeError, "svd needs matrices, not f32[3]"),
    ("svd", ["i32[3,3]"], (), DTypeError, "svd needs floating-point numbers, not i32[3,3]"),
    ("qr", ["f32[2,3]"], (), ShapeError, "qr: f32[2,3] has more columns than rows"),
    ("pinv", ["f32[4,2,3]", "f32[]"], (), ShapeError, "f32[] is not one number for each matrix of f32[4,2,3]"),
    ("add", ["f32[]"], (), GraphError, "add takes 2 inputs, not 1"),
    ("sum", ["f32[2]"], (), GraphError, "sum has the attributes ('axes',), not ()"),
]


@pytest.mark.parametrize(("name", "inputs", "attributes", "error", "text"), REFUSED)
def test_what_has_no_meaning_is_refused_with_the_shapes(
    name: str, inputs: list[str], attributes: tuple[Any, ...], error: type[ChainruleError], text: str
) -> None:
    with pytest.raises(error) as caught:
        result_type(ops.BY_NAME[name], [of(t) for t in inputs], attributes)
    assert text in caught.value.what


def test_a_node_that_breaks_a_rule_cannot_be_made() -> None:
    with pytest.raises(ShapeError, match=r"f32\[3\] and f32\[4\]"):
        Node(ops.ADD, (input_node(0, of("f32[3]")), input_node(1, of("f32[4]"))))
