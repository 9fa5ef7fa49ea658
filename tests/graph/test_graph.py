"""What a well-formed graph is, and which nodes are the same node."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests.programs import Program, programs

from chainrule.errors import DTypeError, GraphError, TracingError
from chainrule.graph import ops
from chainrule.graph.graph import Graph, Origin, verify
from chainrule.graph.interpret import NUMPY, has_value, interpret, value
from chainrule.graph.node import Data, Node, constant, full, in_order, input_node, number, replaced
from chainrule.graph.types import DTYPES, Type, checked_dtype, type_of

F32, F64, BOOL, I64 = (np.dtype(name) for name in ("float32", "float64", "bool", "int64"))
VECTOR = Type((3,), F32)


# identity


def test_equal_nodes_are_identical() -> None:
    x = input_node(0, VECTOR)
    assert input_node(0, Type((3,), np.dtype("float32"))) is x
    assert Node(ops.ADD, (x, x)) is Node(ops.ADD, (x, x))
    assert Node(ops.SUM, (x,), ((0,),)) is Node(ops.SUM, (x,), ((0,),))


def test_nodes_that_differ_in_anything_are_different() -> None:
    x = input_node(0, VECTOR)
    different = [
        x, input_node(1, VECTOR), input_node(0, Type((3,), F64)), input_node(0, Type((3, 1), F32)),
        Node(ops.ADD, (x, x)), Node(ops.MULTIPLY, (x, x)), Node(ops.SUM, (x,), ((0,),)), Node(ops.SUM, (x,), ((),)),
    ]  # fmt: skip
    assert len(set(different)) == len(different)


def test_zero_and_minus_zero_are_different_numbers() -> None:
    plus, minus = full(0.0, VECTOR), full(-0.0, VECTOR)
    assert plus is not minus
    assert not np.signbit(value(plus)).any()
    assert np.signbit(value(minus)).all()


def test_nan_is_one_number() -> None:
    assert full(np.nan, VECTOR) is full(float("nan"), VECTOR)
    assert np.isnan(value(full(np.nan, VECTOR))).all()


def test_one_is_one_number_in_each_type_however_it_is_written() -> None:
    assert full(1, VECTOR) is full(1.0, VECTOR) is full(True, VECTOR) is full(np.float64(1), VECTOR)
    types = [Type((), dtype) for dtype in DTYPES]
    assert len({full(1, type_) for type_ in types}) == len(types)
    assert number(full(True, Type((), BOOL))) is True
    assert type(number(full(1, Type((), I64)))) is int
    assert type(number(full(1, Type((), F32)))) is float


def test_a_number_is_rounded_to_its_type() -> None:
    assert full(0.1, Type((), F32)) is full(np.float32(0.1), Type((), F32))
    assert full(0.1, Type((), F32)) is not full(0.1, Type((), F64))
    assert number(full(0.1, Type((), F32))) == float(np.float32(0.1))


def test_captured_arrays_are_equal_only_to_themselves() -> None:
    array = np.ones(3)
    assert constant(array) is not constant(array)
    data = Data(array)
    assert Node(ops.CONSTANT, (), (data,)) is Node(ops.CONSTANT, (), (data,))


def test_a_captured_array_is_laid_out_row_by_row() -> None:
    """As native code and the text read it."""
    for array in (np.ones((2, 3)).T, np.arange(9.0)[::-2], np.broadcast_to(1.0, (4, 4)), np.array(2.0)):
        held = constant(array).attributes[0].array
        assert held.flags.c_contiguous
        np.testing.assert_array_equal(held, array, strict=True)


def test_a_captured_array_is_in_native_byte_order() -> None:
    held = constant(np.arange(3, dtype=">f4")).attributes[0].array
    assert held.dtype == F32
    assert held.dtype.isnative
    np.testing.assert_array_equal(held, [0, 1, 2])


def test_a_node_is_forgotten_with_its_last_user() -> None:
    x = input_node(0, VECTOR)
    serial = Node(ops.SIN, (Node(ops.COS, (x,)),)).serial
    gc.collect()
    assert Node(ops.SIN, (Node(ops.COS, (x,)),)).serial > serial


def test_nodes_are_numbered_as_they_are_made() -> None:
    x = input_node(0, Type((1, 2, 3, 4, 5), F32))
    y = Node(ops.SIN, (x,))
    z = Node(ops.ADD, (x, y))
    assert x.serial < y.serial < z.serial


def test_an_attribute_is_read_by_its_name() -> None:
    node = Node(ops.SUM, (input_node(0, VECTOR),), ((0,),))
    assert node.axes == (0,)
    with pytest.raises(AttributeError, match="sum has no attribute 'shape'"):
        _ = node.shape


def test_a_node_is_made_anew_on_other_inputs_and_kept_on_its_own() -> None:
    x, y = input_node(0, VECTOR), input_node(1, VECTOR)
    total = Node(ops.ADD, (x, x))
    assert replaced(total, (x, x)) is total
    assert replaced(total, (x, y)) is Node(ops.ADD, (x, y))


# order


@given(programs())
def test_nodes_come_after_what_they_use_and_once(program: Program) -> None:
    order = program.graph.nodes()
    place = {node: n for n, node in enumerate(order)}
    assert len(place) == len(order)
    assert set(program.graph.outputs) <= set(order)
    assert all(place[source] < place[node] for node in order for source in node.inputs)


def test_the_order_depends_on_the_graph_alone() -> None:
    """Not on the order in which its nodes were made."""
    x = input_node(0, VECTOR)
    later, sooner = Node(ops.COS, (x,)), Node(ops.SIN, (x,))
    assert in_order([Node(ops.ADD, (sooner, later))])[:3] == [x, sooner, later]


def test_a_deep_graph_is_walked_without_recursion() -> None:
    node = input_node(0, VECTOR)
    for _ in range(5000):
        node = Node(ops.NEGATIVE, (node,))
    graph = Graph((input_node(0, VECTOR),), (node,))
    assert len(graph.nodes()) == 5001
    np.testing.assert_array_equal(interpret(graph, [np.ones(3, F32)])[0], np.ones(3))


# values


def test_a_node_above_known_arrays_has_a_value_and_keeps_it() -> None:
    doubled = Node(ops.ADD, (node := constant(np.arange(3.0)), node))
    assert has_value(doubled)
    assert value(doubled) is value(doubled)
    np.testing.assert_array_equal(value(doubled), [0, 2, 4])


def test_a_node_above_an_argument_has_no_value() -> None:
    node = Node(ops.SIN, (input_node(3, VECTOR),))
    assert not has_value(node)
    with pytest.raises(TracingError, match=r"argument 3 \(f32\[3\]\)"):
        value(node)


def test_interpreting_a_graph_leaves_no_values_behind() -> None:
    node = Node(ops.SIN, (input_node(0, VECTOR),))
    interpret(Graph(node.inputs, (node,)), [np.ones(3, F32)])
    assert not has_value(node)


def test_the_interpreter_warns_of_nothing() -> None:
    """Infinities and nan are values like others, and pytest turns a warning into an error."""
    x = input_node(0, VECTOR)
    graph = Graph((x,), (Node(ops.LOG, (x,)), Node(ops.DIVIDE, (x, x)), Node(ops.CAST, (x,), ("int8",))))
    log, ratio, small = interpret(graph, [np.array([0, -1, np.inf], F32)])
    np.testing.assert_array_equal(log, np.array([-np.inf, np.nan, np.inf], F32))
    np.testing.assert_array_equal(ratio, np.array([np.nan, 1, np.nan], F32))
    np.testing.assert_array_equal(small, np.array([0, -1, 127], np.int8))


# verification


@given(programs())
def test_every_graph_that_is_built_is_well_formed(program: Program) -> None:
    assert verify(program.graph) is program.graph


def test_inputs_are_numbered_from_zero() -> None:
    with pytest.raises(GraphError, match="input 0 of the graph"):
        verify(Graph((input_node(1, VECTOR),), ()))
    with pytest.raises(GraphError, match="input 1 of the graph"):
        verify(Graph((input_node(0, VECTOR), input_node(0, VECTOR)), ()))


def test_only_input_nodes_are_inputs() -> None:
    with pytest.raises(GraphError, match="input 0 of the graph is <full f32"):
        verify(Graph((full(0, VECTOR),), ()))


def test_no_other_input_may_be_used() -> None:
    x = input_node(0, VECTOR)
    for other in (input_node(1, VECTOR), input_node(0, Type((4,), F32))):
        with pytest.raises(GraphError, match="is used but is no input of the graph"):
            verify(Graph((x,), (Node(ops.SIN, (other,)),)))


def test_a_type_that_is_not_what_its_rule_gives_is_found() -> None:
    x = input_node(0, VECTOR)
    broken = Node(ops.EXP, (x,))
    right, broken.type = broken.type, Type((4,), F32)
    try:
        with pytest.raises(GraphError, match="does not have the type that its rule gives"):
            verify(Graph((x,), (broken,)))
    finally:
        broken.type = right


def test_origins_do_not_take_part_in_equality() -> None:
    x = input_node(0, VECTOR)
    assert Graph((x,), (x,), {x: (Origin("a.py", 1),)}) == Graph((x,), (x,))


def test_an_origin_prints_as_its_place_its_layer_and_what_it_answers_for() -> None:
    z = Node(ops.SIN, (input_node(0, VECTOR),))
    assert str(Origin("/home/me/a.py", 7)) == "a.py:7"
    assert str(Origin("/home/me/a.py", 7, "layers[0]", z)) == "layers[0] backward of sin a.py:7"


# types


@pytest.mark.parametrize(
    ("shape", "dtype", "text"),
    [
        ((10, 784), "float32", "f32[10,784]"),
        ((), "float64", "f64[]"),
        ((0,), "bool", "bool[0]"),
        ((2,), "int8", "i8[2]"),
        ((2, 1, 3), "uint64", "u64[2,1,3]"),
    ],
)
def test_a_type_prints_as_its_kind_and_shape(shape: tuple[int, ...], dtype: str, text: str) -> None:
    assert str(Type(shape, np.dtype(dtype))) == text


def test_every_type_prints_differently() -> None:
    assert len({str(Type((2,), dtype)) for dtype in DTYPES}) == len(DTYPES)


def test_a_type_knows_its_size() -> None:
    type_ = Type((2, 3, 4), F32)
    assert (type_.rank, type_.size, type_.bytes, type_.is_float) == (3, 24, 96, True)
    assert (Type((), F64).size, Type((3, 0), F64).size, Type((2,), BOOL).bytes) == (1, 0, 2)
    assert not Type((), I64).is_float


def test_a_type_is_that_of_an_array_in_native_byte_order() -> None:
    assert type_of(np.zeros((2, 3), ">f8")) == Type((2, 3), F64)
    assert checked_dtype("<i4") == np.dtype(np.int32)


@pytest.mark.parametrize("dtype", ["float16", "complex64", "longdouble", "U3", "O", "datetime64[s]", "V8"])
def test_other_element_types_are_refused_by_name(dtype: Any) -> None:
    with pytest.raises(DTypeError, match=str(np.dtype(dtype)).replace("[", r"\[")):
        checked_dtype(dtype)


def test_the_numpy_meaning_of_a_cast_stops_at_the_edges_of_an_integer_type() -> None:
    x = np.array([-np.inf, -1e30, -128.9, -127.5, 0.9, 127.5, 1e30, np.inf, np.nan])
    np.testing.assert_array_equal(NUMPY[ops.CAST](x, "int8"), [-128, -128, -128, -127, 0, 127, 127, 127, 0])
    np.testing.assert_array_equal(NUMPY[ops.CAST](x, "uint8"), [0, 0, 0, 0, 0, 127, 255, 255, 0])
    edge = 2**63 - 1
    assert NUMPY[ops.CAST](np.array(2.0**63), "int64") == edge
    assert NUMPY[ops.CAST](np.array(np.nextafter(2.0**63, 0)), "int64") == 2**63 - 1024
