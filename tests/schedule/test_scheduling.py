"""What shares a kernel, what is kept in memory, and where: decided on data structures, tested on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.programs import Program, Rounds, examples, loops, programs

from chainrule.graph import ops
from chainrule.graph.graph import parse
from chainrule.graph.types import Type
from chainrule.optimize.simplify import simplify
from chainrule.schedule.expressions import Buffer, Load, View
from chainrule.schedule.kernel import Kernel, Store
from chainrule.schedule.loop import Loop
from chainrule.schedule.memory import ALIGNMENT, plan
from chainrule.schedule.schedule import Schedule
from chainrule.schedule.scheduling import schedule

F32 = np.dtype(np.float32)


def scheduled(text: str, updates: dict[int, int] | None = None) -> Schedule:
    return schedule(simplify(parse(text)), Loop(updates or {}))


def stored(made: Schedule) -> list[list[Buffer]]:
    """The buffers that each kernel writes."""
    return [[store.buffer for store in kernel.stores] for kernel in made.kernels]


def read(kernel: Kernel) -> set[Buffer]:
    return {load.buffer for load in kernel.loads}


# fusion


LAYER = """
    %0 = input {index=0} : f32[10,784]
    %1 = input {index=1} : f32[30,784]
    %2 = input {index=2} : f32[30]
    %3 = contract %0 %1 {a=(0 1), b=(2 1), out=(0 2)} : f32[10,30]
    %4 = broadcast %2 {shape=(10 30), axes=(1)} : f32[10,30]
    %5 = add %3 %4 : f32[10,30]
    %6 = logistic %5 : f32[10,30]
"""


def test_a_layer_with_bias_and_activation_is_one_kernel() -> None:
    made = scheduled(LAYER + "return %6")
    (kernel,) = made.kernels
    assert (kernel.sizes, kernel.outputs) == ((10, 30, 784), 2)
    assert [store.buffer for store in kernel.stores] == list(made.outputs)
    assert made.temporaries == []


def test_what_only_the_kernel_itself_reads_is_not_stored() -> None:
    """An expensive value with two readers would be kept, but both are here."""
    made = scheduled("""
        %0 = input {index=0} : f32[100]
        %1 = tanh %0 : f32[100]
        %2 = exp %1 : f32[100]
        %3 = multiply %1 %2 : f32[100]
        return %3
    """)
    assert stored(made) == [list(made.outputs)]
    assert made.temporaries == []


def test_weighted_input_and_activation_are_stored_by_the_same_kernel() -> None:
    made = scheduled(LAYER + "return %5, %6")
    assert stored(made) == [list(made.outputs)]


def test_elementwise_operations_are_one_kernel_and_nothing_between_them_is_kept() -> None:
    made = scheduled("""
        %0 = input {index=0} : f32[100]
        %1 = input {index=1} : f32[100]
        %2 = add %0 %1 : f32[100]
        %3 = multiply %2 %0 : f32[100]
        %4 = tanh %3 : f32[100]
        %5 = subtract %4 %1 : f32[100]
        return %5
    """)
    assert len(made.kernels) == 1
    assert made.temporaries == []
    assert len(made.kernels[0].loads) == 2


def test_layout_costs_no_kernel() -> None:
    """Transposed, sliced, repeated and looked up, all in the addresses of one kernel's loads."""
    made = scheduled("""
        %0 = input {index=0} : f32[8,6]
        %1 = input {index=1} : i32[5]
        %2 = transpose %0 {axes=(1 0)} : f32[6,8]
        %3 = slice %2 {start=(5 0), size=(3 8), step=(-2 1)} : f32[3,8]
        %4 = reshape %3 {shape=(3 1 8)} : f32[3,1,8]
        %5 = broadcast %4 {shape=(3 2 8), axes=(0 1 2)} : f32[3,2,8]
        %6 = gather %5 %1 : f32[5,2,8]
        %7 = sin %6 : f32[5,2,8]
        return %7
    """)
    assert len(made.kernels) == 1
    assert made.temporaries == []


def test_an_operand_of_a_product_that_is_computed_is_computed_once_before_it() -> None:
    made = scheduled("""
        %0 = input {index=0} : f32[10,20]
        %1 = input {index=1} : f32[20,30]
        %2 = tanh %0 : f32[10,20]
        %3 = contract %2 %1 {a=(0 1), b=(1 2), out=(0 2)} : f32[10,30]
        return %3
    """)
    assert [kernel.sizes for kernel in made.kernels] == [(10, 20), (10, 30, 20)]
    assert [b.type for b in made.temporaries] == [Type((10, 20), F32)]


def test_what_a_sum_adds_up_is_computed_inside_it() -> None:
    made = scheduled("""
        %0 = input {index=0} : f32[10,20]
        %1 = exp %0 : f32[10,20]
        %2 = sum %1 {axes=(1)} : f32[10]
        %3 = log %2 : f32[10]
        return %3
    """)
    assert [(kernel.sizes, kernel.outputs) for kernel in made.kernels] == [((10, 20), 1)]


def test_a_softmax_is_four_kernels() -> None:
    """The maximum; the exponentials, kept as two kernels read them; their sum; the quotients."""
    made = scheduled("""
        %0 = input {index=0} : f32[10,20]
        %1 = max %0 {axes=(1)} : f32[10]
        %2 = broadcast %1 {shape=(10 20), axes=(0)} : f32[10,20]
        %3 = subtract %0 %2 : f32[10,20]
        %4 = exp %3 : f32[10,20]
        %5 = sum %4 {axes=(1)} : f32[10]
        %6 = broadcast %5 {shape=(10 20), axes=(0)} : f32[10,20]
        %7 = divide %4 %6 : f32[10,20]
        return %7
    """)
    kinds = [kernel.reductions[0].kind if kernel.reductions else "elementwise" for kernel in made.kernels]
    assert kinds == ["max", "elementwise", "sum", "elementwise"]


def test_an_expensive_value_with_two_readers_is_computed_once() -> None:
    made = scheduled("""
        %0 = input {index=0} : f32[10,20]
        %1 = tanh %0 : f32[10,20]
        %2 = sum %1 {axes=(0)} : f32[20]
        %3 = sum %1 {axes=(1)} : f32[10]
        return %2, %3
    """)
    tanhs = [e for kernel in made.kernels for e in kernel.evaluated if getattr(e, "op", None) is ops.TANH]
    assert len(tanhs) == 1
    assert len(made.kernels) == 3


def test_a_cheap_value_with_two_readers_is_computed_twice_and_never_stored() -> None:
    made = scheduled("""
        %0 = input {index=0} : f32[10,20]
        %1 = negative %0 : f32[10,20]
        %2 = sum %1 {axes=(0)} : f32[20]
        %3 = sum %1 {axes=(1)} : f32[10]
        return %2, %3
    """)
    assert len(made.kernels) == 2
    assert made.temporaries == []


def test_a_value_is_not_read_by_the_kernel_that_is_about_to_write_it() -> None:
    """The transpose of a product is needed at other points than the product is computed at: two kernels."""
    made = scheduled("""
        %0 = input {index=0} : f32[4,6]
        %1 = input {index=1} : f32[6,4]
        %2 = contract %0 %1 {a=(0 1), b=(1 2), out=(0 2)} : f32[4,4]
        %3 = transpose %2 {axes=(1 0)} : f32[4,4]
        %4 = add %2 %3 : f32[4,4]
        return %4
    """)
    assert len(made.kernels) == 2


def test_a_reshaped_value_is_the_same_memory() -> None:
    made = scheduled("""
        %0 = input {index=0} : f32[4,6]
        %1 = exp %0 : f32[4,6]
        %2 = reshape %1 {shape=(24)} : f32[24]
        %3 = sin %2 : f32[24]
        return %3
    """)
    assert len(made.kernels) == 2
    assert len(made.temporaries) == 1


def test_a_reshaped_value_is_not_read_by_the_kernel_that_is_about_to_write_it() -> None:
    made = scheduled("""
        %0 = input {index=0} : f32[4,6]
        %1 = input {index=1} : f32[6,4]
        %2 = contract %0 %1 {a=(0 1), b=(1 2), out=(0 2)} : f32[4,4]
        %3 = reshape %2 {shape=(2 8)} : f32[2,8]
        %4 = transpose %3 {axes=(1 0)} : f32[8,2]
        %5 = reshape %4 {shape=(4 4)} : f32[4,4]
        %6 = add %2 %5 : f32[4,4]
        return %6
    """)
    for kernel in made.kernels:
        written = {store.buffer: store.view for store in kernel.stores}
        assert all(load.view == written.get(load.buffer, load.view) for load in kernel.loads)


def test_nothing_is_computed_for_a_result_without_elements() -> None:
    made = scheduled("%0 = input {index=0} : f32[0,3]\n%1 = exp %0 : f32[0,3]\nreturn %1")
    assert made.kernels == ()


# updates in place


DESCENT = """
    %0 = input {index=0} : f32[30,784]
    %1 = input {index=1} : f32[10,30]
    %2 = input {index=2} : f32[10,784]
    %3 = contract %1 %2 {a=(0 1), b=(0 2), out=(1 2)} : f32[30,784]
    %4 = full {value=0.3} : f32[30,784]
    %5 = multiply %4 %3 : f32[30,784]
    %6 = subtract %0 %5 : f32[30,784]
"""


def test_a_step_downhill_is_one_kernel_that_overwrites_the_weights() -> None:
    """`w − rate · δᵀa`: the gradient is never written to memory."""
    made = scheduled(DESCENT + "return %6", {0: 0})
    (kernel,) = made.kernels
    assert [store.buffer for store in kernel.stores] == [made.inputs[0]]
    assert made.outputs == (made.inputs[0],)
    assert made.temporaries == []


def test_a_gradient_that_is_asked_for_is_written_by_the_same_kernel() -> None:
    made = scheduled(DESCENT + "return %6, %3", {0: 0})
    (kernel,) = made.kernels
    assert {store.buffer for store in kernel.stores} == {made.inputs[0], made.outputs[1]}
    assert made.temporaries == []


def test_whoever_reads_the_old_weights_goes_first() -> None:
    made = scheduled(
        DESCENT
        + """%7 = contract %1 %0 {a=(0 1), b=(1 2), out=(0 2)} : f32[10,784]
        return %6, %7""",
        {0: 0},
    )
    reader, writer = made.kernels
    assert made.inputs[0] in read(reader)
    assert [store.buffer for store in writer.stores] == [made.inputs[0]]
    assert made.temporaries == []


def test_momentum_and_weights_are_updated_in_place() -> None:
    made = scheduled(
        """
        %0 = input {index=0} : f32[50]
        %1 = input {index=1} : f32[50]
        %2 = input {index=2} : f32[50]
        %3 = full {value=0.9} : f32[50]
        %4 = multiply %3 %1 : f32[50]
        %5 = subtract %4 %2 : f32[50]
        %6 = add %0 %5 : f32[50]
        return %6, %5""",
        {0: 0, 1: 1},
    )
    assert set(made.outputs) == set(made.inputs[:2])
    assert made.temporaries == []


def test_an_update_that_reads_other_elements_goes_through_a_copy() -> None:
    made = scheduled(
        """
        %0 = input {index=0} : f32[5,5]
        %1 = transpose %0 {axes=(1 0)} : f32[5,5]
        return %1""",
        {0: 0},
    )
    assert [b.type for b in made.temporaries] == [Type((5, 5), F32)]
    assert stored(made) == [made.temporaries, [made.inputs[0]]]


def test_arguments_that_change_places_take_one_copy() -> None:
    made = scheduled("%0 = input {index=0} : f32[5]\n%1 = input {index=1} : f32[5]\nreturn %1, %0", {0: 0, 1: 1})
    assert len(made.temporaries) == 1
    assert len(made.kernels) == 3


def test_an_argument_that_replaces_itself_takes_no_kernel() -> None:
    assert scheduled("%0 = input {index=0} : f32[5]\nreturn %0", {0: 0}).kernels == ()


def test_a_result_never_lies_in_an_argument_that_it_does_not_replace() -> None:
    made = scheduled("%0 = input {index=0} : f32[5]\nreturn %0, %0")
    assert not set(made.outputs) & set(made.inputs)
    assert len(set(made.outputs)) == 2


# any program


def assert_in_order(made: Schedule) -> None:
    """What a kernel reads has been written, or came from outside."""
    known = {*made.inputs, *(buffer for buffer, _ in made.captured)}
    for kernel in made.kernels:
        touched = read(kernel) | {store.buffer for store in kernel.stores if store.adding}
        assert touched <= known
        known |= {store.buffer for store in kernel.stores}
    assert {b for b in made.outputs if b.type.size} <= known


def assert_nothing_is_in_vain(made: Schedule) -> None:
    """Every store is read by a later kernel, or is a result."""
    for n, kernel in enumerate(made.kernels):
        later = {b for other in made.kernels[n + 1 :] for b in read(other)} | set(made.outputs)
        assert kernel.stores
        assert all(store.buffer in later for store in kernel.stores)


@examples(2)
@given(programs())
def test_kernels_run_after_what_they_read_and_none_in_vain(program: Program) -> None:
    made = schedule(simplify(program.graph))
    assert_in_order(made)
    assert_nothing_is_in_vain(made)


@examples(2)
@given(programs())
def test_no_kernel_reads_what_it_writes_at_another_point(program: Program) -> None:
    for kernel in schedule(simplify(program.graph)).kernels:
        for store in kernel.stores:
            assert all(load.view == store.view for load in kernel.loads if load.buffer is store.buffer)


@examples(2)
@given(loops())
def test_updated_results_lie_in_the_arguments_that_they_replace(loop: Rounds) -> None:
    made = schedule(simplify(loop.graph), Loop(dict(loop.updates)))
    assert_in_order(made)
    for position, source in loop.updates.items():
        assert made.outputs[position] is made.inputs[source]
    others = [b for n, b in enumerate(made.outputs) if n not in loop.updates]
    assert len({*others, *made.inputs}) == len(others) + len(made.inputs)


@examples(1)
@given(programs())
def test_a_schedule_depends_on_the_graph_alone(program: Program) -> None:
    simple = simplify(program.graph)
    first, second = ("\n".join(map(str, schedule(simple).kernels)) for _ in range(2))
    assert first == second


# memory


@st.composite
def lifetimes(draw: st.DrawFn) -> tuple[list[Kernel], list[Buffer]]:
    """Kernels that write and read temporary buffers of random sizes, each alive for a random stretch."""
    count = draw(st.integers(1, 8))
    extents = st.sampled_from((0, 1, 3, 15, 16, 17, 100, 1000))
    lives = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), extents), max_size=10))
    buffers = [Buffer(f"t{n}", Type((extent,), F32)) for n, (_, _, extent) in enumerate(lives)]
    view, kernels = View(0, (1,)), []
    sink = Buffer("out", Type((1,), F32))
    for time in range(count):
        made = [b for b, (a, z, _) in zip(buffers, lives, strict=True) if min(a, z) == time]
        used = [b for b, (a, z, _) in zip(buffers, lives, strict=True) if max(a, z) == time]
        stores = [Store(b, view, Load(F32, sink, view)) for b in made]
        stores += [Store(sink, view, Load(F32, b, view)) for b in used]
        kernels.append(Kernel((1,), 1, (), tuple(stores)))
    return kernels, buffers


def alive(kernels: Sequence[Kernel], buffer: Buffer) -> set[int]:
    uses = [n for n, k in enumerate(kernels) if buffer in {*read(k), *(store.buffer for store in k.stores)}]
    return set(range(uses[0], uses[-1] + 1))


@examples(4)
@given(lifetimes())
def test_buffers_that_are_alive_together_do_not_overlap(made: tuple[list[Kernel], list[Buffer]]) -> None:
    kernels, buffers = made
    offsets, size = plan(kernels, buffers)
    assert set(offsets) == set(buffers)
    for n, a in enumerate(buffers):
        assert offsets[a] % ALIGNMENT == 0
        assert 0 <= offsets[a] <= offsets[a] + a.type.bytes <= size
        for b in buffers[:n]:
            if alive(kernels, a) & alive(kernels, b):
                assert offsets[a] + a.type.bytes <= offsets[b] or offsets[b] + b.type.bytes <= offsets[a]


def in_a_row(extents: Sequence[int]) -> tuple[list[Kernel], list[Buffer]]:
    """A chain of kernels, each reading what the one before it wrote."""
    view = View(0, (1,))
    buffers = [Buffer(f"t{n}", Type((extent,), F32)) for n, extent in enumerate(extents)]
    pairs = zip(buffers, buffers[1:], strict=False)
    return [Kernel((1,), 1, (), (Store(b, view, Load(F32, a, view)),)) for a, b in pairs], buffers


def test_a_chain_of_temporaries_takes_the_memory_of_two() -> None:
    kernels, buffers = in_a_row([256] * 10)
    assert plan(kernels, buffers)[1] == 2 * 256 * 4


def test_no_temporaries_take_no_memory() -> None:
    assert plan([], []) == ({}, 0)
