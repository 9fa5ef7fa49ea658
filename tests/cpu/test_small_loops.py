"""Loops over a few numbers: their steps are put in place and kept in registers, and only what differs is a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.cpu.emit_program import module_of
from chainrule.cpu.processor import host
from chainrule.schedule.schedule import Inner


def newton(x: Any) -> Any:
    """√x by Newton's steps, until they are small."""
    return cr.while_loop(lambda s: abs(s[0] - s[1]) > 1e-12, lambda s: (0.5 * (s[0] + x / s[0]), s[0]), (x, 0.0 * x))[0]


def collatz(n: Any) -> Any:
    def step(s: Any) -> Any:
        n, steps = s
        return cr.cond(n % 2 == 0, lambda: n // 2, lambda: 3 * n + 1), steps + 1

    return cr.while_loop(lambda s: s[0] > 1, step, (n, 0))[1]


def test_loops_of_a_few_numbers_give_what_python_gives() -> None:
    steps = cr.compile(collatz)
    assert [int(steps(np.int64(n))) for n in (1, 6, 27)] == [0, 8, 111]
    assert float(cr.compile(newton)(2.0)) == pytest.approx(2**0.5, abs=1e-15)
    assert float(cr.compile(lambda x: cr.jvp(newton, (x,), (1.0,))[1])(2.0)) == pytest.approx(0.5**1.5, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.bool_])
def test_what_is_carried_comes_back_in_any_type_and_shape(dtype: Any) -> None:
    def turned(x: Any, y: Any) -> Any:
        return cr.scan(lambda c, r: ((c[1], c[0][::-1]), c[0] ^ r if dtype is np.bool_ else c[0] + r), (x, x), y)

    x, y = np.array([1, 0, 1]).astype(dtype), np.array([[0, 1, 1], [1, 1, 0], [0, 0, 1]]).astype(dtype)
    (a, b), rows = cr.compile(turned)(x, y)
    c, expected = (x, x), []
    for row in y:
        expected.append(c[0] ^ row if dtype is np.bool_ else c[0] + row)
        c = c[1], c[0][::-1]
    for found, wanted in ((a, c[0]), (b, c[1]), (rows, np.array(expected))):
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == dtype


def names_of_small_loops(function: Any, *arguments: Any) -> list[str]:
    program = cr.compile(function).program(*arguments)
    return list(module_of(program.schedule, host())[0].loops)


def test_a_loop_of_a_few_numbers_is_one_function_with_the_loops_in_it() -> None:
    def nested(x: Any) -> Any:
        return cr.while_loop(lambda c: c < 10, lambda c: c + newton(x), x)

    assert len(names_of_small_loops(nested, 2.0)) == 1


def test_a_loop_over_arrays_is_left_to_its_kernels() -> None:
    def large(x: Any) -> Any:
        return cr.scan(lambda c, _: (cnp.tanh(c @ c), None), x, length=3)[0]

    assert not names_of_small_loops(large, np.ones((20, 20)))


def carried_shapes(function: Any, *arguments: Any) -> set[tuple[int, ...]]:
    """The shapes of what the loops of a compiled function carry."""
    steps = cr.compile(function).program(*arguments).schedule.steps
    return {b.type.shape for step in steps if isinstance(step, Inner) for b in step.outputs[: step.carried]}


def test_the_values_of_a_loop_are_carried_once_for_all_the_columns_of_its_jacobian() -> None:
    def f(x: Any) -> Any:
        return cr.scan(lambda c, _: (cnp.sin(c) * c, None), x, length=4)[0]

    x = np.linspace(0.1, 1, 5)
    jacobian = cr.jacobian(f, mode="forward")
    assert carried_shapes(jacobian, x) == {(5,), (5, 5)}  # the values, and a change for each column
    np.testing.assert_allclose(cr.compile(jacobian)(x), cr.jacobian(f, mode="reverse")(x), rtol=1e-12)


def test_a_while_whose_rounds_are_the_same_for_all_members_carries_its_counter_once() -> None:
    def f(x: Any) -> Any:
        return cr.while_loop(lambda s: s[0] < 5, lambda s: (s[0] + 1, s[1] * x), (0, 1.0))[1]

    x = np.linspace(0.5, 2, 7)
    assert carried_shapes(cr.vmap(f), x) == {(), (7,)}
    np.testing.assert_allclose(cr.compile(cr.vmap(f))(x), x**5)


def test_members_of_a_batch_stop_each_at_its_own_round() -> None:
    x = np.array([0.5, 2.0, 9.0, 100.0])
    np.testing.assert_allclose(cr.compile(cr.vmap(newton))(x), np.sqrt(x), rtol=1e-15)


def test_rows_of_a_scan_that_are_the_same_for_all_members() -> None:
    def f(x: Any) -> Any:
        return cr.scan(lambda c, r: (c + 1.0, (c, r * x)), 0.0, np.arange(3.0))[1]

    counts, rows = cr.compile(cr.vmap(f))(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(counts, [[0, 1, 2]] * 2)
    np.testing.assert_array_equal(rows, [[0, 1, 2], [0, 10, 20]])
