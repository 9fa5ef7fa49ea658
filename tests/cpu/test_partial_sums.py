"""A sum of all that a kernel computes is added up in that kernel: the same number, and one pass over the array."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.cpu.test_native_equals_interpreter import FLOATS, OTHERS, TARGETS, assert_native_agrees, of_dtypes, on
from tests.programs import assert_agrees, in_rounds

from chainrule.graph.graph import Graph, parse
from chainrule.optimize.simplify import simplify
from chainrule.run.program import Loop, build
from chainrule.schedule.kernel import FOLD_CELLS, FOLD_LANES, Kernel
from chainrule.schedule.schedule import Schedule
from chainrule.schedule.scheduling import schedule
from chainrule.schedule.target import Target

Array = np.ndarray[Any, Any]
PARTS = FOLD_LANES * FOLD_CELLS


def spelled(text: str, dtype: Any) -> Graph:
    """The graph of a text in which `f` stands for the dtype."""
    return parse(text.replace(" f[", f" f{8 * np.dtype(dtype).itemsize}["))


def scheduled(graph: Graph, updates: dict[int, int] | None = None) -> Schedule:
    return schedule(simplify(graph), Loop(updates or {}))


def folds(kernel: Kernel) -> int:
    return sum(store.folding for store in kernel.stores)


def kernels_over(made: Schedule, elements: int) -> list[Kernel]:
    """The kernels that touch so large an array."""
    return [k for k in made.kernels if any(b.type.size >= elements for b in (*k.reads, *k.writes))]


def given(graph: Graph, seed: int = 0) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.uniform(-1, 1, n.type.shape).astype(n.type.dtype) for n in graph.inputs]


# elementwise kernels


SHAPES = ["4096", "4097", "4111", "8 512", "3 1367", "1367 3", "2 3 701", "4099 1", "1 5000", "17 251"]


def elementwise(shape: str, dtype: Any) -> Graph:
    """y = exp x, Σ y, Σ y², Σ x y."""
    kind = f"f[{shape.replace(' ', ',')}]"
    axes = " ".join(str(n) for n in range(len(shape.split())))
    return spelled(
        f"""
        %0 = input {{index=0}} : {kind}
        %1 = exp %0 : {kind}
        %2 = sum %1 {{axes=({axes})}} : f[]
        %3 = multiply %1 %1 : {kind}
        %4 = sum %3 {{axes=({axes})}} : f[]
        %5 = multiply %0 %1 : {kind}
        %6 = sum %5 {{axes=({axes})}} : f[]
        return %1, %2, %4, %6""",
        dtype,
    )


@of_dtypes(FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_beside_an_elementwise_operation(shape: str, dtype: Any) -> None:
    graph = elementwise(shape, dtype)
    first, *others = scheduled(graph).kernels
    assert folds(first) == 3
    assert len(first.loads) == 1
    assert all(k.sizes == (PARTS,) for k in others)
    assert_native_agrees(graph, given(graph))


@on(OTHERS)
def test_on_processors_with_narrow_and_with_wide_vectors(target: Target) -> None:
    for dtype, shape in itertools.product(FLOATS, ("4111", "1367 3")):
        graph = elementwise(shape, dtype)
        assert_native_agrees(graph, given(graph), target)


# matrix products


PRODUCTS = [(64, 64, 3), (65, 67, 1), (3, 1500, 40), (70, 59, 300), (1, 4097, 7), (4097, 1, 5)]
LAYOUTS = {
    "rows and columns": ("M,K", "0 1", "K,N", "1 2", "M,N", "0 2"),
    "both along the summed axis": ("M,K", "0 1", "N,K", "2 1", "M,N", "0 2"),
    "both across the summed axis": ("K,M", "1 0", "K,N", "1 2", "M,N", "0 2"),
    "the result turned": ("M,K", "0 1", "K,N", "1 2", "N,M", "2 0"),
}


def product(layout: str, sizes: Sequence[int], dtype: Any, ending: str = "return %2, %4, %8") -> Graph:
    """y = a b, Σ y², and Σ of a tanh of y."""
    a, a_labels, b, b_labels, out, labels = LAYOUTS[layout]
    text = f"""
        %0 = input {{index=0}} : f[{a}]
        %1 = input {{index=1}} : f[{b}]
        %2 = contract %0 %1 {{a=({a_labels}), b=({b_labels}), out=({labels})}} : f[{out}]
        %3 = multiply %2 %2 : f[{out}]
        %4 = sum %3 {{axes=(0 1)}} : f[]
        %5 = tanh %2 : f[{out}]
        %6 = full {{value=0.5}} : f[{out}]
        %7 = multiply %5 %6 : f[{out}]
        %8 = sum %7 {{axes=(0 1)}} : f[]
        {ending}"""
    for name, size in zip("MNK", sizes, strict=True):
        text = text.replace(f"[{name},", f"[{size},").replace(f",{name}]", f",{size}]")
    return spelled(text, dtype)


@of_dtypes(FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sums_beside_a_matrix_product(layout: str, dtype: Any) -> None:
    """Also where the vectors run along the summed axis, and their lanes are added up at the end."""
    for sizes in PRODUCTS[FLOATS.index(dtype) :: 2]:
        graph = product(layout, sizes, dtype)
        made = scheduled(graph)
        (over,) = (k for k in made.kernels if folds(k))
        assert folds(over) == 2
        assert not any(made.outputs[0] in k.reads for k in made.kernels)
        assert_native_agrees(graph, given(graph))


@on(OTHERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sums_beside_products_on_other_processors(layout: str, target: Target) -> None:
    graph = product(layout, (65, 67, 50), np.float32)
    assert_native_agrees(graph, given(graph), target)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_product_that_nobody_wants_but_its_sums_is_not_stored(layout: str) -> None:
    for sizes in PRODUCTS[1:3]:
        graph = product(layout, sizes, np.float32, "return %4, %8")
        made = scheduled(graph)
        assert sizes[0] * sizes[1] > PARTS
        assert all(b.type.size <= PARTS for k in made.kernels for b in k.writes if folds(k))
        assert_native_agrees(graph, given(graph))


# in place


DESCENT = """
    %0 = input {index=0} : f[100,64]
    %1 = input {index=1} : f[10,100]
    %2 = input {index=2} : f[10,64]
    %3 = contract %1 %2 {a=(0 1), b=(0 2), out=(1 2)} : f[100,64]
    %4 = full {value=0.25} : f[100,64]
    %5 = multiply %4 %3 : f[100,64]
    %6 = subtract %0 %5 : f[100,64]
    %7 = subtract %6 %0 : f[100,64]
    %8 = multiply %7 %3 : f[100,64]
    %9 = sum %8 {axes=(0 1)} : f[]
    %10 = multiply %6 %6 : f[100,64]
    %11 = sum %10 {axes=(0 1)} : f[]
    %12 = multiply %0 %0 : f[100,64]
    %13 = sum %12 {axes=(0 1)} : f[]
    %14 = multiply %0 %3 : f[100,64]
    %15 = sum %14 {axes=(0 1)} : f[]
    return %6, %9, %11, %15, %13
"""


def test_a_step_downhill_goes_over_the_weights_once_whatever_is_added_up() -> None:
    """But for what the gradient has no part in, which is a pass of its own before it."""
    made = scheduled(spelled(DESCENT, np.float32), {0: 0})
    alone, step = kernels_over(made, 6400)
    assert (folds(alone), folds(step)) == (0, 3)
    assert [s.buffer for s in step.stores if not s.folding] == [made.inputs[0]]
    assert sum(load.buffer is made.inputs[0] for load in step.loads) == 1
    assert all(b.type.size <= PARTS for b in made.temporaries)


@on(TARGETS)
@of_dtypes(FLOATS)
def test_sums_read_the_old_weights_while_the_new_ones_are_written_over_them(dtype: Any, target: Target) -> None:
    """Three rounds: partial sums start from nothing in each."""
    graph, rounds = spelled(DESCENT, dtype), 3
    loop = Loop({0: 0}, collected=frozenset({1, 2, 3, 4}))
    arguments = given(graph)
    expected = in_rounds(graph, loop.updates, loop.stepped, loop.collected, rounds, arguments)
    state = [a.copy() for a in arguments]
    outputs = [state[0], *(np.empty(rounds, dtype) for _ in range(4))]
    build(graph, loop, target).run(state, outputs, 0, rounds)
    for n, (found, right) in enumerate(zip(outputs, [expected.final[0], *expected.outputs[1:]], strict=True)):
        assert_agrees(found, right, f"output {n}")


def test_a_sum_that_reads_the_old_weights_at_other_points_sees_them_all() -> None:
    graph = spelled(
        """
        %0 = input {index=0} : f[70,70]
        %1 = input {index=1} : f[70,70]
        %2 = contract %1 %1 {a=(0 1), b=(0 2), out=(1 2)} : f[70,70]
        %3 = subtract %0 %2 : f[70,70]
        %4 = transpose %0 {axes=(1 0)} : f[70,70]
        %5 = multiply %4 %3 : f[70,70]
        %6 = sum %5 {axes=(0 1)} : f[]
        return %3, %6""",
        np.float64,
    )
    arguments = given(graph)
    expected = in_rounds(graph, {0: 0}, frozenset(), frozenset(), 1, arguments)
    state, total = [a.copy() for a in arguments], np.empty((), np.float64)
    build(graph, Loop({0: 0})).run(state, [state[0], total], 0, 1)
    assert_agrees(state[0], expected.final[0])
    assert_agrees(total, expected.outputs[1])


def test_the_same_program_gives_the_same_bits() -> None:
    graph = product("rows and columns", (100, 784, 10), np.float32)
    program, arguments = build(graph), given(graph)
    first = [a.copy() for a in program(*arguments)]
    for _ in range(3):
        for one, two in zip(first, program(*arguments), strict=True):
            np.testing.assert_array_equal(one, two)


# what is not added up there


@pytest.mark.parametrize(
    "text",
    [
        "%1 = exp %0 : f[9,9]\n%2 = sum %1 {axes=(0 1)} : f[]",  # too few to be worth it
        "%1 = exp %0 : f[99,99]\n%2 = sum %1 {axes=(1)} : f[99]",
        "%1 = exp %0 : f[99,99]\n%2 = max %1 {axes=(0 1)} : f[]",
        "%1 = exp %0 : f[99,99]\n%3 = reshape %1 {shape=(9801)} : f[9801]\n%2 = sum %3 {axes=(0)} : f[]",
    ],
)
def test_other_sums_have_kernels_of_their_own(text: str) -> None:
    shape = text.split("[")[1].split("]")[0]
    graph = spelled(f"%0 = input {{index=0}} : f[{shape}]\n{text}\nreturn %1, %2", np.float32)
    assert not any(folds(k) for k in scheduled(graph).kernels)
    assert_native_agrees(graph, given(graph))


def test_whole_numbers_are_added_up_exactly_where_they_are() -> None:
    graph = parse("%0 = input {index=0} : i32[5000]\n%1 = multiply %0 %0 : i32[5000]\n"
                  "%2 = sum %1 {axes=(0)} : i32[]\nreturn %1, %2")  # fmt: skip
    assert not any(folds(k) for k in scheduled(graph).kernels)
    assert_native_agrees(graph, [np.arange(5000, dtype=np.int32)])


# as text


def test_it_is_printed_as_a_sum() -> None:
    text = str(scheduled(elementwise("4096", np.float32)).kernels[0])
    assert text.count("+= sum of") == 3
