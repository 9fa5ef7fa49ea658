"""What the gradients of all examples say, for the price of less than one gradient more, and without their existing.

The programs are compiled for a fixed processor and looked at, not run: their text, their memory, their operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.cpu.processor import Processor
from chainrule.cpu.target import CPU
from chainrule.graph.types import type_of
from chainrule.optimize.simplify import simplify
from chainrule.run.program import Loop, kernels_of
from chainrule.schedule.memory import plan
from chainrule.schedule.schedule import Schedule
from chainrule.trace.plain import transforming
from chainrule.trace.tracing import trace
from chainrule.trace.tree import flatten

TARGET = CPU(Processor("x86-64-v3", "+avx2,+fma", 32, 16))
SIZES, BATCH = (784, 30, 10), 64
WEIGHTS = sum(i * o + o for i, o in zip(SIZES, SIZES[1:], strict=False))

Layers = list[tuple[Any, Any]]


def arguments() -> tuple[Layers, Any, Any]:
    """Weights and biases, examples, targets."""
    layers = [(np.zeros((o, i), np.float32), np.zeros(o, np.float32)) for i, o in zip(SIZES, SIZES[1:], strict=False)]
    return layers, np.zeros((BATCH, SIZES[0]), np.float32), np.zeros((BATCH, SIZES[-1]), np.float32)


def cost(layers: Layers, x: Any, y: Any) -> Any:
    """The quadratic cost of a network of tanh neurons."""
    for w, b in layers:
        x = cnp.tanh(x @ w.T + b)
    return 0.5 * cnp.mean(cnp.sum((x - y) ** 2, axis=1))


EACH = cr.per_example(cr.grad(cost))


def squared_norms(layers: Layers, x: Any, y: Any) -> Any:
    """The squared length of the gradient of each example."""
    return sum(cnp.sum(w**2, axis=(1, 2)) + cnp.sum(b**2, axis=1) for w, b in EACH(layers, x, y))


def second_moment(layers: Layers, x: Any, y: Any) -> Any:
    """The mean square of the gradients, for every weight and bias."""
    return [(cnp.mean(w**2, axis=0), cnp.mean(b**2, axis=0)) for w, b in EACH(layers, x, y)]


def gram_matrix(layers: Layers, x: Any, y: Any) -> Any:
    """The inner products of the gradients of every two examples."""
    flat = [g.reshape(BATCH, -1) for pair in EACH(layers, x, y) for g in pair]
    return sum(g @ g.T for g in flat)


def gram_matrix_of_one_array(layers: Layers, x: Any, y: Any) -> Any:
    """The same, of gradients that are written into one long row for each example."""
    whole = cnp.concatenate([g.reshape(BATCH, -1) for pair in EACH(layers, x, y) for g in pair], axis=1)
    return whole @ whole.T


def compiled(function: Callable[..., Any]) -> Schedule:
    """The schedule of the function's program."""
    leaves, structure = flatten(arguments())
    with transforming():
        graph, _ = trace(function, structure, [type_of(leaf) for leaf in leaves])
    return kernels_of(simplify(graph), Loop(), TARGET)


QUANTITIES = [squared_norms, second_moment, gram_matrix, gram_matrix_of_one_array]


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_no_array_holds_a_gradient_for_each_example(quantity: Callable[..., Any]) -> None:
    made = compiled(quantity)
    _, memory = plan(made.steps, made.temporaries)
    largest_layer = 4 * BATCH * SIZES[0] * SIZES[1]
    assert max(buffer.type.bytes for buffer in made.temporaries) < largest_layer // 10
    assert memory < 4 * BATCH * WEIGHTS // 10


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_it_takes_about_as_many_operations_as_one_gradient(quantity: Callable[..., Any]) -> None:
    gradient = sum(kernel.flops for kernel in compiled(cr.grad(cost)).kernels)
    assert sum(kernel.flops for kernel in compiled(quantity).kernels) < 1.8 * gradient


def test_the_program_of_the_squared_norms(golden: Callable[[str, str], None]) -> None:
    golden("norms-784-30-10.kernels", "\n".join(map(str, compiled(squared_norms).steps)) + "\n")


def test_the_program_of_the_second_moment(golden: Callable[[str, str], None]) -> None:
    golden("second-moment-784-30-10.kernels", "\n".join(map(str, compiled(second_moment).steps)) + "\n")
