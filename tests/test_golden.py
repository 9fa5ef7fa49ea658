"""One training step of the book's network as text, its graph and its kernels for a fixed processor; and what it costs.

A change of the compiler that changes the step shows here as a difference to read. If it is meant,
`pytest tests/test_golden.py --update-golden` writes the new text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cpu.processor import Processor
from chainrule.cpu.target import CPU
from chainrule.graph.graph import Graph, parse
from chainrule.learning import programs
from chainrule.nn.objective import Objective
from chainrule.optimize.simplify import simplify
from chainrule.run.program import Loop, kernels_of
from chainrule.schedule.expressions import Buffer, Load
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.memory import plan
from chainrule.schedule.schedule import Schedule

GOLDEN = Path(__file__).parent / "golden"
TARGET = CPU(
    Processor("x86-64-v3", "+avx2,+fma", 32, 16)
)  # nothing here is run, so that any machine gives the same text
BATCH = 10


@dataclass(frozen=True)
class Step:
    """A training step as it is compiled."""

    graph: Graph
    loop: Loop
    penalised: bool

    @cached_property
    def schedule(self) -> Schedule:
        return kernels_of(self.graph, self.loop, TARGET)

    @property
    def state(self) -> list[Buffer]:
        """The memory of the weights, the biases and the optimiser's state."""
        return [self.schedule.inputs[n] for n in sorted(self.loop.updates.values())]


def traced(optimizer: Any, l2: float = 0.0, output: str = "sigmoid", cost: str = "quadratic") -> Step:
    """The step of a network of 784, 30 and 10 neurons, stopped before it becomes machine code."""
    network = cr.nn.Network([784, 30, 10], output=output)
    examples = np.zeros((50, 784), np.float32), np.zeros(50, np.int64)
    objective = Objective(cost, l2 / 50)
    plan = programs.training_plan((network, optimizer.start(network)), objective, optimizer, examples, BATCH)
    made: list[tuple[Graph, Loop]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "build", lambda graph, loop: made.append((graph, loop)))
        programs._built(plan)
    graph, loop = made[0]
    return Step(simplify(graph), loop, l2 > 0)


@pytest.fixture(scope="module")
def book() -> Step:
    """Plain gradient descent on the quadratic cost: the first program of the book."""
    return traced(cr.optim.SGD(3.0))


def test_the_graph_of_the_step_of_the_book(book: Step, golden: Callable[[str, str], None]) -> None:
    golden("step-784-30-10.graph", str(book.graph))


def test_the_kernels_of_the_step_of_the_book(book: Step, golden: Callable[[str, str], None]) -> None:
    made = book.schedule
    _, size = plan(made.kernels, made.temporaries)
    head = f"{len(made.kernels)} kernels, {size} bytes of temporary memory, {TARGET.name}"
    golden("step-784-30-10.kernels", "\n".join([head, *map(str, made.kernels)]) + "\n")


def test_the_golden_graph_is_a_graph(book: Step) -> None:
    text = (GOLDEN / "step-784-30-10.graph.txt").read_text(encoding="utf-8")
    assert str(parse(text)) == text


def test_the_text_is_the_same_every_time(book: Step) -> None:
    again = traced(cr.optim.SGD(3.0))
    assert str(again.graph) == str(book.graph)
    assert [*map(str, again.schedule.kernels)] == [*map(str, book.schedule.kernels)]


# what a step may cost: counted, not timed

STEPS = {
    "sgd": {"optimizer": cr.optim.SGD(3.0)},
    "sgd, l2": {"optimizer": cr.optim.SGD(3.0), "l2": 1.0},
    "momentum": {"optimizer": cr.optim.Momentum(0.1)},
    "adam": {"optimizer": cr.optim.Adam(0.01)},
    "adam, softmax, l2": {"optimizer": cr.optim.Adam(0.01), "l2": 1.0, "output": "softmax", "cost": "cross_entropy"},
}


@pytest.fixture(scope="module", params=list(STEPS))
def any_step(request: pytest.FixtureRequest) -> Step:
    return traced(**STEPS[request.param])


def readers(made: Schedule, buffer: Buffer) -> list[int]:
    return [n for n, kernel in enumerate(made.kernels) if any(load.buffer is buffer for load in kernel.loads)]


def writers(made: Schedule, buffer: Buffer) -> list[int]:
    return [n for n, kernel in enumerate(made.kernels) if any(store.buffer is buffer for store in kernel.stores)]


def only_copies(kernel: Kernel) -> bool:
    """Whether a kernel moves elements and computes nothing; a lookup of rows is allowed, as the batch is read twice."""
    return not kernel.reductions and all(
        isinstance(store.expression, Load) and not store.expression.view.indirect for store in kernel.stores
    )


def test_the_step_of_the_book_is_few_kernels(book: Step) -> None:
    assert len(book.schedule.kernels) <= 13


def test_the_step_of_the_book_needs_little_more_memory_than_its_batch(book: Step) -> None:
    made = book.schedule
    _, size = plan(made.kernels, made.temporaries)
    batch = 4 * BATCH * 784
    assert size <= batch + 4096


def test_weights_and_state_are_updated_in_place(any_step: Step) -> None:
    made = any_step.schedule
    for output, input_ in any_step.loop.updates.items():
        assert made.outputs[output] is made.inputs[input_]
        assert len(writers(made, made.inputs[input_])) == 1


def test_nothing_is_overwritten_before_its_last_use(any_step: Step) -> None:
    made = any_step.schedule
    for buffer in any_step.state:
        assert max(readers(made, buffer)) <= writers(made, buffer)[0]


def test_no_temporary_is_as_large_as_a_weight_matrix(any_step: Step) -> None:
    weights = any_step.schedule.inputs[0].type
    assert weights.shape == (30, 784)
    assert max(buffer.type.bytes for buffer in any_step.schedule.temporaries) < weights.bytes // 2


def test_no_kernel_only_copies(any_step: Step) -> None:
    assert [str(kernel) for kernel in any_step.schedule.kernels if only_copies(kernel)] == []


def test_the_large_matrix_is_gone_through_once_forward_and_once_for_its_update(any_step: Step) -> None:
    made = any_step.schedule
    first = made.inputs[0]
    passes = {*readers(made, first), *writers(made, first)}
    assert len(passes) == (3 if any_step.penalised else 2)  # and once for Σ w², where that is part of the cost


def test_the_computations_of_the_step_are_those_of_three_products(book: Step) -> None:
    """Forward and both gradients of the weights: 2·10·784·30 each for the first layer, with little else."""
    product = 2 * BATCH * 784 * 30
    assert 2 * product < sum(kernel.flops for kernel in book.schedule.kernels) < 2.2 * product
