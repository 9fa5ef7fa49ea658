"""Ctrl-C ends learning and keeps what was learnt; learning is the same in another process."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.learning import loop
from chainrule.nn import Network

X = np.random.default_rng(0).normal(size=(20, 3))
LABELS = np.arange(20) % 2


def learn(epochs: int, **options: Any) -> cr.Run:
    chosen = {"cost": "quadratic", "batch": 8, "optimizer": cr.optim.Momentum(0.1), "progress": False} | options
    return cr.learn(Network([3, 4, 2]), (X, LABELS), epochs=epochs, **chosen)


def all_bytes(network: Network) -> bytes:
    return b"".join(layer.w.tobytes() + layer.b.tobytes() for layer in network.layers)


def interrupted_after(calls: int, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C right after the given call of a method of the progress display."""
    plain, left = getattr(loop.Progress, method), [calls]

    def watched(self: Any, *arguments: Any) -> None:
        plain(self, *arguments)
        left[0] -= 1
        if left[0] == 0:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop.Progress, method, watched)


def test_a_run_that_is_interrupted_between_epochs_is_the_run_of_the_epochs_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = learn(3)
    interrupted_after(3, "ended", monkeypatch)
    run = learn(50)
    assert run.interrupted
    assert not whole.interrupted
    assert [record.epoch for record in run.history] == [1, 2, 3]
    assert [r.training_cost for r in run.history] == [r.training_cost for r in whole.history]
    assert all_bytes(run.network) == all_bytes(whole.network)


def test_the_steps_of_an_epoch_that_is_cut_short_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        loop._Pace, "stretches", lambda self, batches, most: (batches[n : n + 1] for n in range(len(batches)))
    )
    order = np.random.default_rng(1).permutation(20)
    interrupted_after(2, "moved", monkeypatch)
    run = learn(1, order=order)
    assert run.interrupted
    assert run.history == []
    assert run.verdict == "Stopped before the first epoch was over."
    monkeypatch.undo()
    two_steps = cr.learn(
        Network([3, 4, 2]), (X[order[:16]], LABELS[order[:16]]), cost="quadratic", epochs=1, batch=8,
        optimizer=cr.optim.Momentum(0.1), order=np.arange(16), progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(run.network.layers[0].w, two_steps.network.layers[0].w, rtol=1e-5)


def test_a_signal_that_comes_at_any_time_ends_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Timer] = []
    plain = loop.Progress.ended

    def ended(self: Any, record: Any) -> None:
        plain(self, record)
        if not started:
            started.append(threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)))
            started[0].start()

    monkeypatch.setattr(loop.Progress, "ended", ended)
    run = learn(10**6)
    started[0].join()
    assert run.interrupted
    assert 1 <= len(run.history) < 10**6
    assert all(np.isfinite(layer.w).all() for layer in run.network.layers)
    assert all_bytes(run.network) != all_bytes(Network([3, 4, 2]))


def test_a_run_that_was_interrupted_is_saved_as_such(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted_after(1, "ended", monkeypatch)
    assert cr.Run.load(learn(5).save(tmp_path / "run")).interrupted


def test_other_errors_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(self: Any, record: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(loop.Progress, "ended", ended)
    with pytest.raises(ZeroDivisionError):
        learn(2)


PROGRAM = """
import hashlib, numpy as np, chainrule as cr
x, labels = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
run = cr.learn(cr.nn.Network([3, 4, 2]), (x, labels), epochs=3, cost="quadratic", batch=8,
               optimizer=cr.optim.Momentum(0.1), progress=False)
print(hashlib.sha256(b"".join(l.w.tobytes() + l.b.tobytes() for l in run.network.layers)).hexdigest())
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_that_compiles_anew_learns_the_same_bits(hash_seed: str) -> None:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "CHAINRULE_CACHE": "off",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(all_bytes(learn(3).network)).hexdigest()
