"""Work that takes long answers Ctrl-C, and work that can never be done for want of memory is refused with its size."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.cpu.cost_model import LONG
from chainrule.cpu.interruption import work
from chainrule.cpu.target import CPU
from chainrule.errors import SizeError
from chainrule.graph import interpret, ops, room
from chainrule.graph.node import Node, constant
from chainrule.run.program import Loop, kernels_of
from chainrule.schedule.expressions import HOST

#: Each for hours, or for ever.
WORK = """
def outer(x):
    return np.sum(np.tanh(np.outer(x, x)) ** 2)
x = plain.ones(1_000_000)
WORK = {
    "an outer product": (outer, x),
    "its sums along an axis": (lambda x: np.sum(np.sin(np.outer(x, x)), 0), x),
    "the derivative of a sum of pairs": (cr.grad(lambda x: np.sum(np.abs(np.subtract.outer(x, x)))), x),
    "products of matrices": (lambda w: cr.scan(lambda c, _: (c @ w, None), w, length=10**7)[0], plain.eye(1000)),
    "a loop without an end": (lambda x: cr.while_loop(lambda c: c >= 0.0, lambda c: c + x, x), 0.0),
    "a loop of many rounds": (lambda x: cr.scan(lambda c, _: (np.sin(c), None), x, length=10**12)[0], 1.0),
    "the derivative of such loops": (
        cr.grad(lambda x: cr.scan(lambda c, _: (cr.scan(lambda c, _: (np.sin(c), None), c, length=100)[0], None),
                                  x, length=10**7)[0]), 1.0),
    "loops in loops": (
        lambda x: cr.scan(lambda c, _: (cr.while_loop(lambda c: c < 1e6, lambda c: c + 1.0, c * 0.0), None), x,
                          length=10**12)[0], 1.0),
    "calls of NumPy": (lambda x: cr.scan(lambda c, _: (np.sort(c), None), x, length=10**12)[0], x[:100]),
}
"""
SCRIPT = f"""
import os, signal, threading
import numpy as plain
import chainrule as cr
from chainrule import numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)
{WORK}
for name, (function, argument) in WORK.items():
    compiled = cr.compile(function)
    compiled.program(argument)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        compiled(argument)
    except KeyboardInterrupt:
        print(name)
"""


def test_native_work_that_takes_long_answers_ctrl_c() -> None:
    scope: dict[str, Any] = {"np": cnp, "plain": np, "cr": cr}
    exec(WORK, scope)
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100)
    assert (result.stdout.splitlines(), result.stderr) == (list(scope["WORK"]), "")


@contextmanager
def handling(handler: Callable[..., Any], every: float) -> Iterator[None]:
    """A clock that rings while the block runs, and what then happens."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, every, every)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def counted(x: Any) -> Any:
    """The number of rounds of a loop that counts up to x."""
    return cr.while_loop(lambda c: c < x, lambda c: c + 1.0, 0.0 * x)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no clock that sends signals")
def test_a_handler_that_raises_nothing_runs_meanwhile_and_changes_no_result() -> None:
    heard: list[float] = []
    compiled = cr.compile(counted)
    rounds = 1e7
    with handling(lambda *_: heard.append(0.0), 0.005):
        while not heard:
            assert compiled(rounds) == rounds
            rounds *= 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no clock that sends signals")
def test_whatever_a_handler_raises_comes_out_and_the_program_can_run_again() -> None:
    def ring(*_: Any) -> None:
        raise TimeoutError("the clock")

    compiled = cr.compile(counted)
    with handling(ring, 0.01), pytest.raises(TimeoutError, match="the clock"):
        compiled(1e300)
    assert compiled(3.0) == 3.0


def test_a_program_in_another_thread_goes_on() -> None:
    compiled, found = cr.compile(counted), []
    thread = threading.Thread(target=lambda: found.append(compiled(3e7)))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    thread.join()
    assert found == [3e7]


# who asks


def steps_of(function: Callable[..., Any], *arguments: Any, loop: Loop | None = None) -> Any:
    return kernels_of(cr.compile(function).program(*arguments).graph, loop or Loop(), CPU.here()).steps


@pytest.mark.parametrize(
    "function",
    [cr.grad(lambda w, x: cnp.sum(cnp.tanh(x @ w) ** 2)), lambda w, x: cr.scan(lambda c, r: (c + r, c), w, x)],
    ids=["a gradient", "a scan"],
)
def test_what_is_short_asks_nothing(function: Callable[..., Any]) -> None:
    w, x = np.ones(100), np.ones((1000, 100))
    assert not any(HOST in step.buffers for step in steps_of(function, w, x))
    assert not cr.compile(function).program(w, x)._calls_python


def test_a_kernel_asks_if_it_is_long_enough() -> None:
    for n, asks in ((1000, False), (100_000, True)):
        (kernel,) = steps_of(lambda x: cnp.sum(cnp.tanh(cnp.outer(x, x))), np.ones(n))
        assert (work(kernel) > LONG, kernel.asks, HOST in kernel.buffers) == (asks,) * 3


def test_a_loop_that_overwrites_its_arguments_is_not_ended_in_the_middle() -> None:
    def step(w: Any) -> Any:
        return w + cnp.sum(cnp.tanh(cnp.outer(w, w)), 0)

    w = np.ones(100_000)
    assert any(kernel.asks for kernel in steps_of(step, w))
    assert not any(kernel.asks for kernel in steps_of(step, w, loop=Loop({0: 0})))


# memory


@pytest.mark.parametrize("make", [lambda f: f, cr.compile], ids=["plain", "compiled"])
@pytest.mark.parametrize(
    "function",
    [
        cr.grad(lambda x: cnp.sum(cnp.exp(cnp.outer(x, x)) * cnp.outer(x, x))),
        cr.jacobian(lambda x: cnp.cumsum(x)),
        cr.hessian(lambda x: cnp.sum(x) ** 3),
        cr.vmap(lambda x: x * np.ones((1000, 1000))),
    ],
    ids=["outer product", "Jacobian", "Hessian", "vmap"],
)
def test_what_is_larger_than_the_memory_is_refused_with_its_size(make: Any, function: Any) -> None:
    with pytest.raises(SizeError, match=r"takes \d+\.\d GB of memory, and .*\d\.\d GB") as refused:
        make(function)(np.ones(1_000_000))
    assert float(refused.value.what.split(" takes ")[1].split()[0]) >= 8000
    assert "cr.scan" in refused.value.cure
    assert isinstance(refused.value, MemoryError)


def test_what_the_memory_is_may_be_said_by_a_container(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = room.memory.__wrapped__()
    assert whole is not None
    (tmp_path / "limit").write_text("5000\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(room, "_LIMITS", (str(tmp_path / "none"), str(tmp_path / "limit"), str(tmp_path / "missing")))
    assert room.memory.__wrapped__() == 5000
    monkeypatch.delattr(os, "sysconf")
    assert room.memory.__wrapped__() is None


def test_uncompiled_what_is_not_free_any_more_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < (room.free() or 1) <= (room.memory() or 1)
    monkeypatch.setattr(room, "FITS", 1000)
    monkeypatch.setattr(interpret, "FITS", 1000)
    monkeypatch.setattr(interpret, "_AT_ONCE", 100)
    left = iter([10_000, 10_000, 5000])
    monkeypatch.setattr(room, "free", lambda: next(left))
    with pytest.raises(SizeError, match=r"f64\[30,30\], by tanh, takes .* GB are free"):
        cr.grad(lambda x: cnp.sum(cnp.tanh(cnp.exp(cnp.outer(x, x)))))(np.ones(30))


@pytest.mark.parametrize("shape", [(100,), (3, 50), (50, 3), (1, 70, 2)], ids=str)
def test_numpy_computes_what_is_large_in_parts(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-3, 3, int(np.prod(shape))).reshape(shape)
    node = Node(ops.MAXIMUM, (constant(x), constant(-x)))
    sizes: list[int] = []

    def watched(a: Any, b: Any) -> Any:
        sizes.append(a.size)
        return np.maximum(a, b)

    monkeypatch.setitem(interpret._MEANINGS, ops.MAXIMUM, watched)
    monkeypatch.setattr(interpret, "_AT_ONCE", 20)
    np.testing.assert_array_equal(interpret.applied(node, [x, -x]), np.abs(x))
    assert max(sizes) <= 20
    assert sum(sizes) == x.size
