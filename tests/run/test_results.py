"""The memory of large results: the caller's for as long as anything refers to it, then used again."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

LARGE = 300_000  # float64 numbers: more than a mebibyte


def address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


def more(x: Any) -> Any:
    return x + 1.0


def test_a_result_that_is_held_is_not_written_to_by_the_next_calls() -> None:
    f = cr.compile(more)
    held = [f(np.full(LARGE, float(n))) for n in range(4)]
    assert len({address(result) for result in held}) == 4
    for n, result in enumerate(held):
        np.testing.assert_array_equal(result, n + 1.0)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[5:],
        lambda a: a[::-3],
        lambda a: a.reshape(3, -1).T,
        lambda a: a[1:][1:][1:],
        lambda a: a.view(np.int64),
        lambda a: np.broadcast_to(a, (2, LARGE)),
        memoryview,
        lambda a: iter(a),
        lambda a: a.flat,
        lambda a: np.asarray(memoryview(a)),
        lambda a: {"kept": [a]},
        lambda a: lambda: a,
    ],
)
def test_whatever_still_refers_to_a_result_keeps_its_memory(view: Callable[[Any], Any]) -> None:
    f = cr.compile(more)
    result = f(np.zeros(LARGE))
    before, kept = address(result), view(result)
    del result
    again = f(np.zeros(LARGE))
    assert address(again) != before
    del kept


def test_memory_is_used_again_once_nobody_refers_to_it() -> None:
    f = cr.compile(more)
    addresses = set()
    for n in range(20):
        result = f(np.full(LARGE, float(n)))
        addresses.add(address(result))
        assert result[-1] == n + 1.0
        del result
    assert len(addresses) == 1


def test_a_training_loop_that_keeps_its_last_state_works_in_two_pieces_of_memory() -> None:
    f, state, addresses = cr.compile(more), np.zeros(LARGE), set()
    for _ in range(20):
        state = f(state)
        addresses.add(address(state))
    assert len(addresses) == 2
    np.testing.assert_array_equal(state, 20.0)


def test_each_of_several_results_is_judged_by_itself() -> None:
    f = cr.compile(lambda x: (x + 1.0, x + 2.0, x[:3]))
    first, second, small = f(np.zeros(LARGE))
    addresses = address(first), address(second)
    del first
    third, fourth, _ = f(np.full(LARGE, 5.0))
    assert (address(third), address(fourth) != addresses[1]) == (addresses[0], True)
    np.testing.assert_array_equal(second, 2.0)
    np.testing.assert_array_equal(small, 0.0)


def test_a_result_outlives_its_program() -> None:
    result = cr.compile(more)(np.zeros(LARGE))
    gc.collect()
    np.testing.assert_array_equal(result, 1.0)


def test_threads_that_hold_results_of_one_program_do_not_write_into_each_others() -> None:
    f, wrong = cr.compile(more), []

    def work(number: int) -> None:
        for n in range(20):
            result = f(np.full(LARGE, number * 100.0 + n))
            if not (result == number * 100.0 + n + 1.0).all():
                wrong.append((number, n))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_gradients_of_large_parameters_are_arrays_of_their_own() -> None:
    slope = cr.compile(cr.grad(lambda w, x: (w @ x).sum()))
    w = np.zeros((600, 500))
    first, second = slope(w, np.ones(500)), slope(w, np.full(500, 2.0))
    assert (first[0, 0], second[0, 0]) == (1.0, 2.0)
