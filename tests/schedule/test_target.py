"""A target of one's own: what it must bring, and that nothing else is asked of it.

This one reads kernels point by point, in Python. It shows the whole of the seam between planning and a processor.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from chainrule.graph.graph import Graph, parse
from chainrule.graph.interpret import NUMPY, interpret
from chainrule.run.program import Loop, build
from chainrule.schedule.expressions import Apply, Buffer, Expression, Load, Number, Position, Result, View
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.schedule import Schedule
from chainrule.schedule.target import Arguments, Code, Runnable, Target

Array = np.ndarray[Any, Any]
Point = tuple[int, ...]


class Reader(Target):
    """Runs a schedule by reading it. Its code is the number of the schedule among those it was given."""

    name = identity = "reader"

    def __init__(self) -> None:
        self.given: list[Schedule] = []

    def planned(self, schedule: Schedule) -> Schedule:
        return schedule

    def compiled(self, planned: Schedule, *, timed: bool = False) -> Code:
        self.given.append(planned)
        return Code(str(len(self.given) - 1).encode(), 0, len(planned.kernels), len(planned.kernels))

    def loaded(self, code: Code) -> Runnable:
        return Reading(code, self.given[int(code.content)])


class Reading(Runnable):
    asks = False

    def __init__(self, code: Code, schedule: Schedule) -> None:
        super().__init__(code)
        self.schedule = schedule

    def run(self, given: Arguments, begin: int, end: int) -> None:
        made, loop = self.schedule, self.schedule.loop
        whole = dict(zip([*made.inputs, *(b for b, _ in made.captured), *made.outputs], given.arrays, strict=True))
        whole |= {b: np.array(n) for b, n in zip(made.last_rows, given.last_rows, strict=True)}
        whole |= {b: np.empty(b.type.shape, b.type.dtype) for b in made.temporaries}
        rows = [made.inputs[n] for n in loop.stepped] + [made.outputs[n] for n in loop.collected]
        for t in range(begin, end):
            here = whole | {b: whole[b][t : t + 1].reshape(b.type.shape) for b in rows}
            memory = {b: array.reshape(-1) for b, array in here.items()}
            for step in made.steps:
                assert isinstance(step, Kernel)
                run_kernel(step, memory)

    def timed(self, given: Arguments, steps: int) -> list[float]:
        raise NotImplementedError


def run_kernel(kernel: Kernel, memory: dict[Buffer, Array]) -> None:
    """For each point of the output axes: accumulate, then store."""
    for store in kernel.stores:
        if store.folding:
            memory[store.buffer][:] = 0
    for outer in itertools.product(*map(range, kernel.sizes[: kernel.outputs])):
        totals: list[Any] = [None for _ in kernel.reductions]
        for inner in itertools.product(*map(range, kernel.sizes[kernel.outputs :])):
            for n, reduction in enumerate(kernel.reductions):
                term = value(reduction.expression, (*outer, *inner), memory, [])
                combined = np.add if reduction.kind == "sum" else np.maximum
                totals[n] = term if totals[n] is None else combined(totals[n], term)
        point = (*outer, *(0 for _ in kernel.sizes[kernel.outputs :]))
        found = [value(store.expression, point, memory, totals) for store in kernel.stores]
        for store, number in zip(kernel.stores, found, strict=True):
            where = element(store.view, point, memory, totals)
            adds = store.adding or store.folding
            memory[store.buffer][where] = memory[store.buffer][where] + number if adds else number


def value(e: Expression, point: Point, memory: dict[Buffer, Array], totals: Sequence[Any]) -> Any:
    match e:
        case Number():
            return e.dtype.type(e.value)
        case Result():
            return totals[e.index]
        case Load():
            return memory[e.buffer][element(e.view, point, memory, totals)]
        case Position():
            return e.dtype.type(element(e.view, point, memory, totals))
        case Apply():
            operands = [value(operand, point, memory, totals) for operand in e.operands]
            return NUMPY[e.op](*operands, *([e.dtype.name] if e.op.attributes else []))
    raise AssertionError(e)


def element(view: View, point: Point, memory: dict[Buffer, Array], totals: Sequence[Any]) -> int:
    indirect = (s * int(value(e, point, memory, totals)) for e, s in view.indirect)
    return view.offset + sum(s * i for s, i in zip(view.strides, point, strict=True)) + sum(indirect)


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", "off")


LAYER = """
    %0 = input {index=0} : f64[4,3]
    %1 = input {index=1} : f64[3,2]
    %2 = contract %0 %1 {a=(0 1), b=(1 2), out=(0 2)} : f64[4,2]
    %3 = tanh %2 : f64[4,2]
    %4 = sum %3 {axes=(0)} : f64[2]
    %5 = transpose %3 {axes=(1 0)} : f64[2,4]
    return %3, %4, %5
"""


FOLDED = """
    %0 = input {index=0} : f64[64,64]
    %1 = multiply %0 %0 : f64[64,64]
    %2 = add %1 %0 : f64[64,64]
    %3 = sum %2 {axes=(0 1)} : f64[]
    return %2, %3
"""


@pytest.mark.parametrize("text", [LAYER, FOLDED], ids=["a layer", "a sum beside its terms"])
def test_a_target_is_given_a_schedule_and_gives_something_that_runs(text: str) -> None:
    graph = parse(text)
    rng = np.random.default_rng(0)
    given = [rng.random(n.type.shape) for n in graph.inputs]
    program = build(graph, target=Reader())
    for found, expected in zip(program(*given), interpret(graph, given), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert "reader" in str(program)


def looked_up() -> Graph:
    """A step downhill on rows that an index names."""
    return parse("""
        %0 = input {index=0} : f64[3]
        %1 = input {index=1} : f64[2,3]
        %2 = input {index=2} : u32[2]
        %3 = gather %1 %2 : f64[2,3]
        %4 = contract %3 %0 {a=(0 1), b=(1), out=(0)} : f64[2]
        %5 = contract %4 %3 {a=(0), b=(0 1), out=(1)} : f64[3]
        %6 = subtract %0 %5 : f64[3]
        return %6, %4
    """)


def test_a_loop_over_a_table_gives_what_the_processor_gives() -> None:
    loop = Loop({0: 0}, frozenset({2}), frozenset({1}), frozenset({1}))
    rng = np.random.default_rng(0)
    table, order = rng.random((5, 3)) / 4, rng.integers(0, 7, (4, 2)).astype(np.uint32)
    results = []
    for target in (Reader(), None):
        program, w, products = build(looked_up(), loop, target), np.ones(3), np.empty((4, 2))
        program.run([w, table, order], [w, products], 0, 4)
        results.append((w, products))
    for read, computed in zip(*results, strict=True):
        np.testing.assert_allclose(read, computed, rtol=1e-13)
