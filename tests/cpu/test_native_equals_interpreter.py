"""Native code computes what the interpreter computes: to the bit where the bits are fixed, to rounding elsewhere.

What may differ, and by how much, is worked out for each program by `programs.measured`; no test has a tolerance.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests import programs
from tests.programs import Measured, Rounds, assert_agrees, examples, loops, outcomes

from chainrule.cpu.processor import BASELINE, host
from chainrule.cpu.target import CPU
from chainrule.graph import ops
from chainrule.graph.graph import Graph, parse
from chainrule.graph.node import Node, input_node
from chainrule.graph.ops import Op
from chainrule.graph.types import DTYPES, Type
from chainrule.run.program import Loop, Program, build
from chainrule.schedule.target import Target

Array = np.ndarray[Any, Any]

TARGETS = {
    "host": CPU.here(),
    "16-byte vectors": CPU(dataclasses.replace(host(), vector_bytes=16)),
    "64-byte vectors": CPU(dataclasses.replace(host(), vector_bytes=64, registers=32)),
    "any x86-64": CPU(BASELINE),
}
OTHERS = {name: target for name, target in TARGETS.items() if name != "host"}
FLOATS = [np.dtype(name) for name in programs.FLOATS]
INTEGERS = [dtype for dtype in DTYPES if dtype.kind in "iu"]


def on(targets: dict[str, Target]) -> Any:
    return pytest.mark.parametrize("target", targets.values(), ids=targets.keys())


def of_dtypes(dtypes: Sequence[np.dtype[Any]]) -> Any:
    return pytest.mark.parametrize("dtype", dtypes, ids=str)


def assert_native_agrees(graph: Graph, arguments: Sequence[Array], target: Target | None = None) -> Program:
    program = build(graph, target=target)
    results = program(*arguments)
    for n, (found, expected) in enumerate(zip(results, outcomes(graph, arguments), strict=True)):
        assert_agrees(found, expected, f"output {n}")
    return program


# random programs


@examples(6)
@given(programs.programs())
def test_random_programs_mean_the_same_natively(program: programs.Program) -> None:
    results = build(program.graph)(*program.arguments)
    for found, expected in zip(results, program.expected, strict=True):
        assert_agrees(found, expected)


@on(OTHERS)
@examples(1.6)
@given(program=programs.programs())
def test_random_programs_mean_the_same_on_other_processors(target: Target, program: programs.Program) -> None:
    results = build(program.graph, target=target)(*program.arguments)
    for found, expected in zip(results, program.expected, strict=True):
        assert_agrees(found, expected)


@of_dtypes(FLOATS)
@examples(1.6)
@given(data=programs.st.data())
def test_random_programs_of_one_floating_type_mean_the_same(dtype: np.dtype[Any], data: Any) -> None:
    program = data.draw(programs.programs(floats=(str(dtype),), integers=(), steps=24))
    for found, expected in zip(build(program.graph)(*program.arguments), program.expected, strict=True):
        assert_agrees(found, expected)


# every operation at awkward points


def awkward_floats(dtype: np.dtype[Any]) -> Array:
    kind = np.finfo(dtype)
    edges = [kind.max, kind.smallest_normal, kind.smallest_subnormal, kind.eps, 1 + kind.eps, 1 - kind.epsneg]
    numbers = [np.inf, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 1e-3, np.pi, 10.0, 88.0, 1e5, 2.0**31, *edges]
    return np.array([np.nan, *numbers, *(-np.array(numbers))], dtype)


def awkward_integers(dtype: np.dtype[Any]) -> Array:
    kind = np.iinfo(dtype)
    numbers = {kind.min, kind.min + 1, -7, -2, -1, 0, 1, 2, 3, 5, 7, 10, kind.max - 1, kind.max}
    return np.array(sorted(n for n in numbers if kind.min <= n <= kind.max), dtype)


def awkward(dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "b":
        return np.array([False, True])
    return awkward_floats(dtype) if dtype.kind == "f" else awkward_integers(dtype)


def applied(op: Op, arguments: Sequence[Array], attributes: tuple[Any, ...] = ()) -> tuple[Array, Measured]:
    """What native code and the interpreter make of an operation."""
    inputs = tuple(input_node(n, Type(a.shape, a.dtype)) for n, a in enumerate(arguments))
    graph = Graph(inputs, (Node(op, inputs, attributes),))
    return build(graph)(*arguments)[0], outcomes(graph, arguments)[0]


def assert_same_zeros(found: Array, value: Array) -> None:
    """Zeros have the same sign."""
    zeros = (value == 0) & (found == 0)
    np.testing.assert_array_equal(np.signbit(found)[zeros], np.signbit(value)[zeros])


@of_dtypes(FLOATS)
@pytest.mark.parametrize("op", [*programs.FLOAT_UNARY, *programs.SIGNED_UNARY], ids=str)
def test_a_function_of_a_float_is_right_at_awkward_points(op: Op, dtype: np.dtype[Any]) -> None:
    found, expected = applied(op, [awkward_floats(dtype)])
    assert_agrees(found, expected)
    assert_same_zeros(found, expected.value)


@of_dtypes(INTEGERS)
@pytest.mark.parametrize("op", programs.SIGNED_UNARY, ids=str)
def test_a_function_of_an_integer_wraps_around(op: Op, dtype: np.dtype[Any]) -> None:
    assert_agrees(*applied(op, [awkward_integers(dtype)]))


FLOAT_BINARY = (*ops.ARITHMETIC, *ops.COMPARISONS)


@of_dtypes(FLOATS)
@pytest.mark.parametrize("op", [*FLOAT_BINARY, *ops.FUNCTIONS_OF_TWO], ids=str)
def test_an_operation_on_two_floats_is_right_at_awkward_points(op: Op, dtype: np.dtype[Any]) -> None:
    a, b = (m.ravel() for m in np.meshgrid(awkward_floats(dtype), awkward_floats(dtype)))
    found, expected = applied(op, [a, b])
    assert_agrees(found, expected)
    if op not in (ops.MAXIMUM, ops.MINIMUM):  # which of −0 and 0 is the larger NumPy leaves open
        assert_same_zeros(found, expected.value)


@of_dtypes(INTEGERS)
@pytest.mark.parametrize("op", [*(op for op in FLOAT_BINARY if op is not ops.DIVIDE), *ops.BITWISE], ids=str)
def test_an_operation_on_two_integers_is_right_at_awkward_points(op: Op, dtype: np.dtype[Any]) -> None:
    """Among them a division by zero, and the smallest integer divided by −1."""
    second = awkward_integers(dtype)
    second = np.append(second[second >= 0], dtype.type(100)) if op is ops.POWER else second  # NumPy has no 2 ** −1
    a, b = (m.ravel() for m in np.meshgrid(awkward_integers(dtype), second))
    assert_agrees(*applied(op, [a, b]))


@pytest.mark.parametrize(
    "op", [*ops.LOGICAL, *ops.COMPARISONS, ops.ADD, ops.MULTIPLY, ops.MAXIMUM, ops.MINIMUM], ids=str
)
def test_an_operation_on_two_booleans_is_right_for_all_four(op: Op) -> None:
    a, b = (m.ravel() for m in np.meshgrid([False, True], [False, True]))
    assert_agrees(*applied(op, [a, b]))


@pytest.mark.parametrize("op", [ops.SUM, ops.MAX], ids=str)
def test_a_reduction_of_booleans_is_whether_any_is_true(op: Op) -> None:
    x = np.array([[False, False, False], [True, False, True], [True, True, True]])
    assert_agrees(*applied(op, [x], ((1,),)))


@of_dtypes(DTYPES)
def test_the_bits_of_a_number_are_those_of_another_of_its_size(dtype: np.dtype[Any]) -> None:
    source = awkward(dtype)
    node = input_node(0, Type(source.shape, dtype))
    others = [to for to in DTYPES if to.itemsize == dtype.itemsize and (to.kind == "b") == (dtype.kind == "b")]
    results = build(Graph((node,), tuple(Node(ops.BITCAST, (node,), (to.name,)) for to in others)))(source)
    for found, to in zip(results, others, strict=True):
        np.testing.assert_array_equal(found, source.view(to), strict=True)


def test_logical_not_turns_both_booleans_round() -> None:
    assert_agrees(*applied(ops.LOGICAL_NOT, [np.array([False, True])]))


@of_dtypes(DTYPES)
def test_a_cast_is_numpys_and_stops_at_the_edges_of_the_type(dtype: np.dtype[Any]) -> None:
    source = awkward(dtype)
    node = input_node(0, Type(source.shape, dtype))
    graph = Graph((node,), tuple(Node(ops.CAST, (node,), (to.name,)) for to in DTYPES))
    assert_native_agrees(graph, [source])


@of_dtypes(DTYPES)
def test_select_takes_one_of_two_and_touches_nothing(dtype: np.dtype[Any]) -> None:
    a = awkward(dtype)
    found, expected = applied(ops.SELECT, [np.arange(a.size) % 2 == 0, a, a[::-1].copy()])
    assert_agrees(found, expected)


@of_dtypes(FLOATS)
def test_the_maximum_of_numbers_among_which_is_nan_is_nan(dtype: np.dtype[Any]) -> None:
    for position in range(20):
        x = np.arange(20, dtype=dtype)
        x[position] = np.nan
        assert np.isnan(applied(ops.MAX, [x], ((0,),))[0])


@of_dtypes(FLOATS)
def test_the_maximum_of_minus_infinities_is_minus_infinity(dtype: np.dtype[Any]) -> None:
    assert applied(ops.MAX, [np.full(9, -np.inf, dtype)], ((0,),))[0] == -np.inf


@of_dtypes(INTEGERS)
def test_sums_and_products_of_integers_wrap_around(dtype: np.dtype[Any]) -> None:
    x = np.full(19, np.iinfo(dtype).max, dtype)
    assert_agrees(*applied(ops.SUM, [x], ((0,),)))
    assert_agrees(*applied(ops.CONTRACT, [x, x], ((0,), (0,), ())))


@of_dtypes([d for d in DTYPES if d.kind in "iu"])
def test_an_index_outside_is_taken_to_the_nearest_edge(dtype: np.dtype[Any]) -> None:
    """Whatever its type, and however long the array."""
    x = np.arange(300, dtype=np.float32)
    index = awkward_integers(dtype)
    assert_agrees(*applied(ops.GATHER, [x, index]))
    assert_agrees(*applied(ops.SCATTER_ADD, [x, index, np.ones(index.size, np.float32)]))


# contractions of every size around the width of a vector and of a tile


SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33)
ORDERS = {"ab": ("mk", "kn"), "ab'": ("mk", "nk"), "a'b": ("km", "kn"), "a'b'": ("km", "nk")}


def product(order: str, dtype: np.dtype[Any], m: int, n: int, k: int, first: int = 0) -> tuple[list[Node], Node]:
    """Inputs numbered from `first`, and the matrix product of them in one of the four orders."""
    extents = {"m": m, "n": n, "k": k}
    a, b = ORDERS[order]
    inputs = [
        input_node(first + position, Type(tuple(extents[axis] for axis in axes), dtype))
        for position, axes in enumerate((a, b))
    ]
    labels = tuple(tuple("mnk".index(axis) for axis in axes) for axes in (a, b))
    return inputs, Node(ops.CONTRACT, tuple(inputs), (*labels, (0, 1)))


def with_bias_and_tanh(x: Node, bias: Node) -> Node:
    repeated = Node(ops.BROADCAST, (bias,), (x.type.shape, (1,)))
    return Node(ops.TANH, (Node(ops.ADD, (x, repeated)),))


def normal(node: Node, seed: int) -> Array:
    return programs.array_of(np.random.default_rng(seed), node.type)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("k", SIZES)
def test_products_of_matrices_of_awkward_sizes(order: str, k: int) -> None:
    """Each with every size of the summed axis, and half of the sizes of rows and columns; half with an epilogue."""
    inputs: list[Node] = []
    outputs: list[Node] = []
    shift = SIZES.index(k)
    for position, m in enumerate(SIZES):
        if (position + shift) % 2 != list(ORDERS).index(order) // 2:
            continue
        n, dtype = SIZES[(3 * position + shift) % len(SIZES)], FLOATS[(position // 2 + shift) % 2]
        factors, result = product(order, dtype, m, n, k, len(inputs))
        inputs += factors
        if (position // 2) % 2:
            bias = input_node(len(inputs), Type((n,), dtype))
            inputs.append(bias)
            result = with_bias_and_tanh(result, bias)
        outputs.append(result)
    assert_native_agrees(Graph(tuple(inputs), tuple(outputs)), [normal(x, n) for n, x in enumerate(inputs)])


@on(OTHERS)
@of_dtypes(FLOATS)
@pytest.mark.parametrize("order", ORDERS)
def test_products_of_matrices_on_other_processors(order: str, dtype: np.dtype[Any], target: Target) -> None:
    inputs: list[Node] = []
    outputs = []
    for m, n, k in ((1, 17, 9), (9, 33, 8), (17, 1, 31), (16, 15, 33), (3, 2, 16)):
        factors, result = product(order, dtype, m, n, k, len(inputs))
        inputs += factors
        outputs.append(result)
    assert_native_agrees(Graph(tuple(inputs), tuple(outputs)), [normal(x, n) for n, x in enumerate(inputs)], target)


def assert_product_agrees(found: Array, a: Array, b: Array) -> None:
    """Against a product in double precision, to the bound for sums in any order."""
    wide, magnitude = a.astype(np.float64) @ b, np.abs(a.astype(np.float64)) @ np.abs(b)
    assert (np.abs(found - wide) <= a.shape[1] * np.finfo(a.dtype).eps * magnitude).all()


@of_dtypes(FLOATS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("m", "n", "k"), [(131, 250, 199), (257, 61, 513), (40, 1030, 300)])
def test_large_products_that_are_packed(order: str, dtype: np.dtype[Any], m: int, n: int, k: int) -> None:
    inputs, result = product(order, dtype, m, n, k)
    program = build(Graph(tuple(inputs), (result,)))
    a, b = (normal(x, seed) for seed, x in enumerate(inputs))
    assert_product_agrees(
        program(a, b)[0], a if ORDERS[order][0] == "mk" else a.T, b if ORDERS[order][1] == "kn" else b.T
    )
    assert any(kernel.tiling and kernel.tiling.packed for kernel in program.schedule.kernels)


@pytest.mark.parametrize("order", ORDERS)
def test_a_product_that_outgrows_the_second_cache(order: str) -> None:
    inputs, result = product(order, np.dtype(np.float32), 517, 601, 1031)
    a, b = (normal(x, seed) for seed, x in enumerate(inputs))
    found = build(Graph(tuple(inputs), (result,)))(a, b)[0]
    assert_product_agrees(found, a if ORDERS[order][0] == "mk" else a.T, b if ORDERS[order][1] == "kn" else b.T)


CONTRACTIONS = {
    "a scalar product": ("i", "i", ""),
    "a matrix by a vector": ("ij", "j", "i"),
    "a vector by a matrix": ("i", "ij", "j"),
    "an outer product": ("i", "j", "ij"),
    "an outer product, turned": ("i", "j", "ji"),
    "two matrices' traces of products": ("ij", "ji", ""),
    "two matrices, all summed": ("ij", "ij", ""),
    "a batch of products": ("bij", "bjk", "bik"),
    "a batch of products, the batch last": ("ijb", "jkb", "ikb"),
    "a batch of scalar products": ("bi", "bi", "b"),
    "two summed labels": ("ijk", "jkl", "il"),
    "two summed labels, one operand turned": ("ikj", "jkl", "il"),
    "three summed labels": ("ijkl", "lkj", "i"),
    "a label between two others": ("ijk", "ljm", "ilkm"),
    "elementwise": ("ij", "ij", "ij"),
    "elementwise, turned": ("ij", "ji", "ij"),
    "a number by a matrix": ("", "ij", "ij"),
}


@of_dtypes(FLOATS)
@pytest.mark.parametrize("labels", CONTRACTIONS.values(), ids=CONTRACTIONS.keys())
def test_contractions_of_every_form(labels: tuple[str, str, str], dtype: np.dtype[Any]) -> None:
    """At two sets of sizes: below a vector, and a little more than one or two."""
    names = sorted({*labels[0], *labels[1]})
    inputs: list[Node] = []
    outputs = []
    for sizes in ((3, 2, 5, 4, 3), (9, 17, 8, 3, 2)):
        extents = dict(zip(names, sizes, strict=False))
        factors = [
            input_node(len(inputs) + n, Type(tuple(extents[name] for name in term), dtype))
            for n, term in enumerate(labels[:2])
        ]
        inputs += factors
        attributes = tuple(tuple(names.index(name) for name in term) for term in labels)
        outputs.append(Node(ops.CONTRACT, tuple(factors), attributes))
    assert_native_agrees(Graph(tuple(inputs), tuple(outputs)), [normal(x, n) for n, x in enumerate(inputs)])


@of_dtypes(FLOATS)
@pytest.mark.parametrize("op", [ops.SUM, ops.MAX], ids=str)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)], ids=str)
def test_reductions_over_every_choice_of_axes(op: Op, axes: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    inputs, outputs = [], []
    for shape in ((3, 5, 2), (17, 9, 33), (1, 40, 7), (8, 1, 16)):
        x = input_node(len(inputs), Type(shape, dtype))
        inputs.append(x)
        outputs.append(Node(op, (x,), (axes,)))
    assert_native_agrees(Graph(tuple(inputs), tuple(outputs)), [normal(x, n) for n, x in enumerate(inputs)])


@of_dtypes(FLOATS)
def test_a_sum_of_what_does_not_change_along_the_axis_counts_every_point(dtype: np.dtype[Any]) -> None:
    """A broadcast under a sum is no load along the summed axis, and yet as many terms."""
    for count, kept in itertools.product((1, 2, 7, 8, 17), ((), (3,))):
        x = input_node(0, Type(kept, dtype))
        repeated = Node(ops.BROADCAST, (x,), ((*kept, count), tuple(range(len(kept)))))
        graph = Graph((x,), (Node(ops.SUM, (repeated,), ((len(kept),),)),))
        assert_native_agrees(graph, [np.full(kept, 1.5, dtype)])


# one kernel, several results


def test_one_kernel_stores_several_results() -> None:
    graph = parse("""
        %0 = input {index=0} : f32[9,17]
        %1 = input {index=1} : f32[5,17]
        %2 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[9,5]
        %3 = tanh %2 : f32[9,5]
        %4 = multiply %3 %3 : f32[9,5]
        %5 = less %2 %3 : bool[9,5]
        return %2, %3, %4, %5
    """)
    program = build(graph)
    assert len(program.schedule.kernels) == 1
    x, w = (normal(node, n) for n, node in enumerate(graph.inputs))
    z, a, squared, below = program(x, w)
    expected = outcomes(graph, [x, w])
    for found, wanted in zip((z, a, squared), expected, strict=False):
        assert_agrees(found, wanted)
    np.testing.assert_array_equal(below, z < a)


def test_an_output_may_be_an_input_a_captured_array_or_another_output() -> None:
    x = input_node(0, Type((3,), np.dtype(np.float64)))
    captured = programs.constant(np.array([1.0, 2.0, 4.0]))
    doubled = Node(ops.ADD, (x, x))
    program = assert_native_agrees(Graph((x,), (x, captured, doubled, doubled, x)), [np.array([1.0, -0.0, 3.0])])
    results = program(np.zeros(3))
    assert len({r.ctypes.data for r in results}) == 5, "each result has memory of its own"


# loops


def run_natively(loop: Rounds, target: Target | None = None) -> tuple[list[Array], list[Array]]:
    """The arguments and the outputs after all rounds."""
    program = build(loop.graph, Loop(dict(loop.updates), loop.stepped, loop.collected), target)
    arguments = [np.array(a) for a in loop.arguments]
    outputs = []
    for n, node in enumerate(loop.graph.outputs):
        rows = (loop.rounds,) if n in loop.collected else ()
        outputs.append(
            arguments[loop.updates[n]] if n in loop.updates else np.empty(rows + node.type.shape, node.type.dtype)
        )
    program.run(arguments, outputs, 0, loop.rounds)
    return arguments, outputs


def assert_loop_agrees(loop: Rounds, target: Target | None = None) -> None:
    arguments, outputs = run_natively(loop, target)
    for n, (found, expected) in enumerate(zip(arguments, loop.final, strict=True)):
        assert_agrees(found, expected, f"argument {n}")
    for n, (found, expected) in enumerate(zip(outputs, loop.outputs, strict=True)):
        assert_agrees(found, expected, f"output {n}")


@examples(4)
@given(loops())
def test_random_loops_mean_the_same_as_a_loop_over_the_interpreter(loop: Rounds) -> None:
    assert_loop_agrees(loop)


def rounds_of(
    text: str, updates: dict[int, int], *, stepped: Sequence[int] = (), collected: Sequence[int] = (), rounds: int = 3
) -> Rounds:
    graph = parse(text)
    rng = np.random.default_rng(0)
    arguments = [
        programs.array_of(rng, x.type.with_shape((rounds, *x.type.shape)) if n in stepped else x.type)
        for n, x in enumerate(graph.inputs)
    ]
    return programs.in_rounds(graph, updates, frozenset(stepped), frozenset(collected), rounds, arguments)


def test_two_arguments_change_places_in_every_round() -> None:
    text = """
        %0 = input {index=0} : f32[5]
        %1 = input {index=1} : f32[5]
        return %1, %0
    """
    assert_loop_agrees(rounds_of(text, {0: 0, 1: 1}, rounds=1))
    assert_loop_agrees(rounds_of(text, {0: 0, 1: 1}, rounds=3))


def test_three_arguments_move_on_in_a_ring() -> None:
    text = """
        %0 = input {index=0} : f64[5]
        %1 = input {index=1} : f64[5]
        %2 = input {index=2} : f64[5]
        return %1, %2, %0
    """
    assert_loop_agrees(rounds_of(text, {0: 0, 1: 1, 2: 2}, rounds=4))


def test_updates_of_two_arguments_each_read_the_others_old_value() -> None:
    text = """
        %0 = input {index=0} : f32[9]
        %1 = input {index=1} : f32[9]
        %2 = add %0 %1 : f32[9]
        %3 = subtract %0 %1 : f32[9]
        return %2, %3
    """
    assert_loop_agrees(rounds_of(text, {0: 0, 1: 1}))


def test_an_argument_that_replaces_itself_is_left_alone() -> None:
    text = """
        %0 = input {index=0} : f32[4]
        %1 = input {index=1} : f32[4]
        %2 = add %0 %1 : f32[4]
        return %1, %2
    """
    assert_loop_agrees(rounds_of(text, {0: 1, 1: 0}))


def test_an_update_and_a_result_may_be_the_same_node() -> None:
    text = """
        %0 = input {index=0} : f32[4]
        %1 = add %0 %0 : f32[4]
        return %1, %1, %1
    """
    assert_loop_agrees(rounds_of(text, {0: 0}, collected=[1]))
    assert_loop_agrees(rounds_of(text, {2: 0}, collected=[0]))


def test_an_old_value_that_is_also_a_result_is_kept_from_the_update() -> None:
    text = """
        %0 = input {index=0} : f32[4]
        %1 = input {index=1} : f32[4]
        %2 = add %0 %1 : f32[4]
        return %0, %2
    """
    assert_loop_agrees(rounds_of(text, {1: 0}, collected=[0]))


def test_a_later_kernel_still_reads_the_old_value() -> None:
    """The update of the weights could run first; the sum over the old ones must not see it."""
    text = """
        %0 = input {index=0} : f32[9,17]
        %1 = input {index=1} : f32[9,17]
        %2 = add %0 %1 : f32[9,17]
        %3 = sum %2 {axes=(0 1)} : f32[]
        %4 = broadcast %3 {shape=(9 17), axes=()} : f32[9,17]
        %5 = multiply %4 %0 : f32[9,17]
        %6 = sum %5 {axes=(0)} : f32[17]
        return %2, %6
    """
    assert_loop_agrees(rounds_of(text, {0: 0}, rounds=1))


def test_an_update_that_reads_its_argument_at_other_points_takes_a_copy() -> None:
    text = """
        %0 = input {index=0} : f32[7,7]
        %1 = transpose %0 {axes=(1 0)} : f32[7,7]
        %2 = input {index=1} : f32[7,7]
        %3 = add %1 %2 : f32[7,7]
        return %3
    """
    assert_loop_agrees(rounds_of(text, {0: 0}))


def test_a_product_may_replace_its_own_factor() -> None:
    text = """
        %0 = input {index=0} : f64[3,3]
        %1 = input {index=1} : f64[3,3]
        %2 = contract %0 %1 {a=(0 1), b=(1 2), out=(0 2)} : f64[3,3]
        return %2
    """
    assert_loop_agrees(rounds_of(text, {0: 0}))


def test_rows_of_arguments_go_in_and_rows_of_results_come_out() -> None:
    text = """
        %0 = input {index=0} : f32[5]
        %1 = input {index=1} : f32[3,5]
        %2 = broadcast %0 {shape=(3 5), axes=(1)} : f32[3,5]
        %3 = multiply %1 %2 : f32[3,5]
        %4 = sum %3 {axes=(1)} : f32[3]
        %5 = add %0 %0 : f32[5]
        return %5, %4
    """
    assert_loop_agrees(rounds_of(text, {0: 0}, stepped=[1], collected=[1], rounds=5))


def test_a_stretch_of_a_loop_sees_its_own_rows() -> None:
    graph = parse("""
        %0 = input {index=0} : f64[2]
        %1 = input {index=1} : f64[2]
        %2 = add %0 %1 : f64[2]
        return %2, %2
    """)
    program = build(graph, Loop({0: 0}, frozenset({1}), frozenset({1})))
    total, rows, sums = np.zeros(2), np.arange(10.0).reshape(5, 2), np.full((5, 2), -1.0)
    program.run([total, rows], [total, sums], 1, 3)
    np.testing.assert_array_equal(total, rows[1] + rows[2])
    np.testing.assert_array_equal(sums, [[-1, -1], rows[1], rows[1] + rows[2], [-1, -1], [-1, -1]])
    program.run([total, rows], [total, sums], 3, 3)
    np.testing.assert_array_equal(total, rows[1] + rows[2])


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_a_training_loop_that_looks_its_rows_up(dtype: str) -> None:
    """Linear regression: rows long enough to be asked for ahead, indices outside the array among them."""
    graph = parse(f"""
        %0 = input {{index=0}} : f32[100]
        %1 = input {{index=1}} : f32[20,100]
        %2 = input {{index=2}} : f32[20]
        %3 = input {{index=3}} : {Type((4,), np.dtype(dtype))}
        %4 = gather %1 %3 : f32[4,100]
        %5 = gather %2 %3 : f32[4]
        %6 = contract %4 %0 {{a=(0 1), b=(1), out=(0)}} : f32[4]
        %7 = subtract %6 %5 : f32[4]
        %8 = contract %7 %4 {{a=(0), b=(0 1), out=(1)}} : f32[100]
        %9 = full {{value=0.01}} : f32[100]
        %10 = multiply %9 %8 : f32[100]
        %11 = subtract %0 %10 : f32[100]
        %12 = contract %7 %7 {{a=(0), b=(0), out=()}} : f32[]
        return %11, %12
    """)
    rng, rounds = np.random.default_rng(0), 6
    arguments = [normal(node, n) for n, node in enumerate(graph.inputs[:3])]
    order = rng.integers(0, 20, (rounds, 4))
    order[2, 1], order[4, 3] = 255, 100
    if dtype != "uint8":
        order[3, 2] = -7
    loop = programs.in_rounds(graph, {0: 0}, frozenset({3}), frozenset({1}), rounds, [*arguments, order.astype(dtype)])
    assert_loop_agrees(loop)
