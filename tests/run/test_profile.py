"""What a program says of itself: its kernels, what they do, where they come from, and how long they take."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import numpy as cnp


def cost(w: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    return cnp.mean(cnp.tanh(x @ w.T + b) ** 2)


def arguments() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.ones((3, 5), np.float32), np.zeros(3, np.float32), np.ones((4, 5), np.float32)


def test_a_program_prints_its_kernels_with_loops_sizes_and_the_users_line() -> None:
    text = str(cr.compile(cr.grad(cost, argnums=(0, 1))).program(*arguments()))
    assert "acc0 = sum" in text
    assert "tanh" in text
    assert f"test_profile.py:{cost.__code__.co_firstlineno + 1}" in text
    assert "flops" in text
    assert "bytes" in text


def test_a_profile_has_one_row_for_each_kernel_and_its_times_add_up() -> None:
    program = cr.compile(cr.grad(cost, argnums=(0, 1))).program(*arguments())
    profile = program.profile(*arguments(), seconds=0.02)
    assert [k.name for k in profile.kernels] == [k.name for k in program.schedule.kernels]
    assert all(k.seconds >= 0 for k in profile.kernels)
    np.testing.assert_allclose(sum(k.seconds for k in profile.kernels), profile.seconds, rtol=1e-6)


def test_a_profile_counts_the_operations_of_a_matrix_product() -> None:
    program = cr.compile(lambda x, w: x @ w).program(np.ones((4, 5)), np.ones((5, 6)))
    (kernel,) = program.profile(seconds=0.01).kernels
    assert kernel.flops == 2 * 4 * 5 * 6
    assert kernel.bytes == 8 * (4 * 5 + 5 * 6 + 4 * 6)


def test_a_profile_prints_as_a_table_with_times_shares_and_lines() -> None:
    text = str(cr.compile(cost).program(*arguments()).profile(seconds=0.01))
    assert text.splitlines()[0].split() == ["kernel", "µs", "share", "GFLOP/s", "bytes", "loops"]
    assert f"test_profile.py:{cost.__code__.co_firstlineno + 1}" in text
    assert text.splitlines()[-1].startswith("all")
