"""Which steps are looked at, that looking changes nothing, and that nothing of what was seen is lost or made up."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save
from tests.learning.test_interruption import interrupted_after
from tests.programs import examples

import chainrule as cr
from chainrule.errors import ChainruleError, FormatError, OptionError
from chainrule.learning import loop, watcher
from chainrule.learning.flow import Flow
from chainrule.learning.watcher import Watcher, looks_every
from chainrule.nn import Network

Array = np.ndarray[Any, Any]
X = np.random.default_rng(0).normal(size=(20, 3))
LABELS = np.arange(20) % 2
EACH = 3  # steps of an epoch: two of 8 examples, one of 4


def learn(watch: Any, epochs: int = 5, **options: Any) -> cr.Run:
    network = Network([3, 4, 2], "tanh", output="softmax", seed=1)
    chosen = {"cost": "cross_entropy", "batch": 8, "optimizer": cr.optim.Momentum(0.1), "progress": False} | options
    return cr.learn(network, (X, LABELS), epochs=epochs, watch=watch, **chosen)


def all_bytes(run: cr.Run) -> bytes:
    return b"".join(layer.w.tobytes() + layer.b.tobytes() for layer in run.network.layers)


def flow_of(run: cr.Run) -> Flow:
    assert run.flow is not None
    return run.flow


def assert_same(one: Flow, two: Flow) -> None:
    mine, other = one.to_tensors(), two.to_tensors()
    assert mine.keys() == other.keys()
    for name, array in mine.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name], err_msg=name)


# which steps


@pytest.mark.parametrize("watch", [1, 2, 3, 4, 5, 7, 100, np.int64(2)])
def test_every_so_many_steps_are_recorded_unless_they_are_of_a_shorter_batch(watch: int) -> None:
    flow = flow_of(learn(watch))
    expected = [n for n in range(5 * EACH) if n % watch == 0 and n % EACH != EACH - 1]
    assert flow.steps.tolist() == expected
    assert flow.batch == 8


def test_nobody_watches_unless_asked() -> None:
    assert learn(False).flow is None


def test_true_is_as_often_as_is_cheap() -> None:
    run = learn(True, epochs=40)
    every = looks_every(True, run.network.parameters, 8, 80)
    assert every is not None
    assert every >= 2
    assert flow_of(run).steps.tolist() == [n for n in range(120) if n % every == 0 and n % EACH != EACH - 1]
    assert len(flow_of(run)) > 10


def test_the_same_is_seen_every_time() -> None:
    assert_same(flow_of(learn(True)), flow_of(learn(True)))
    assert_same(flow_of(learn(2)), flow_of(learn(2)))


def test_how_long_a_stretch_of_steps_takes_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [flow_of(learn(watch)) for watch in (1, 2)]
    monkeypatch.setattr(loop, "_STRETCH_SECONDS", 1e-9)
    for watch, flow in zip((1, 2), expected, strict=True):
        assert_same(flow_of(learn(watch)), flow)


WORK = st.tuples(st.integers(1, 10**8), st.integers(1, 10**4), st.integers(1, 10**7))


@examples(4)
@given(WORK)
def test_looks_are_cheap_by_the_guess_and_never_at_every_step(work: tuple[int, int, int]) -> None:
    parameters, batch, steps = work
    every = looks_every(True, *work)
    assert every is not None
    assert every >= 2
    step = 6 * parameters * batch / 30e9 + 3e-6
    looks, each = steps / every, 3 * step + 1e-4
    assert (looks - 1) * each <= 1.5 * max(0.02 * steps * step, 0.05)  # whole steps between them, so not exactly
    assert looks <= 1.5 * max(20 * steps * step, 50) + 1
    assert looks_every(True, *work) == every


@pytest.mark.parametrize("watch", [0, -1, "yes", 1.5, None, [2], np.float64(2)])
def test_what_says_no_number_of_steps_is_refused(watch: Any) -> None:
    with pytest.raises(OptionError, match=r"watch must be a whole number of at least 1, not (.|\n)*True.*False"):
        learn(watch)


# nothing else changes


@pytest.mark.parametrize("optimizer", [cr.optim.SGD(0.5), cr.optim.Momentum(0.1), cr.optim.Adam(0.01)])
def test_what_is_learnt_does_not_depend_on_who_watches(optimizer: Any) -> None:
    alone = learn(False, optimizer=optimizer, l2=0.1)
    for watch in (True, 2, 3, 100):
        run = learn(watch, optimizer=optimizer, l2=0.1)
        assert all_bytes(run) == all_bytes(alone)
        assert [r.training_cost for r in run.history] == [r.training_cost for r in alone.history]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_every_step_is_watched_only_the_last_bits_may_differ(dtype: Any) -> None:
    alone, watched = learn(False, dtype=dtype), learn(1, dtype=dtype)
    for one, two in zip(alone.network.layers, watched.network.layers, strict=True):
        np.testing.assert_allclose(one.w, two.w, rtol=100 * np.finfo(dtype).eps)
        np.testing.assert_allclose(one.b, two.b, rtol=100 * np.finfo(dtype).eps)
    costs = [[r.training_cost for r in run.history] for run in (alone, watched)]
    np.testing.assert_allclose(*costs, rtol=100 * np.finfo(dtype).eps)


PROGRAM = """
import hashlib, sys, numpy as np, chainrule as cr
x, labels = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
run = cr.learn(cr.nn.Network([3, 4, 2], "tanh", output="softmax", seed=1), (x, labels), epochs=5, cost="cross_entropy",
               batch=8, optimizer=cr.optim.Momentum(0.1), watch=eval(sys.argv[1]), progress=False)
print(hashlib.sha256(b"".join(l.w.tobytes() + l.b.tobytes() for l in run.network.layers)).hexdigest())
"""


def test_two_programs_that_are_compiled_at_once_do_not_disturb_each_other() -> None:
    environment = {**os.environ, "CHAINRULE_CACHE": "off", "PYTHONPATH": os.pathsep.join(sys.path)}
    told = {
        subprocess.run([sys.executable, "-c", PROGRAM, watch], env=environment, capture_output=True, text=True,
                       check=True).stdout for watch in ("False", "2")
    }  # fmt: skip
    assert len(told) == 1


# interrupted


def test_what_was_seen_before_ctrl_c_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        loop._Pace, "stretches", lambda self, batches, most: (
            batches[n : n + 1] for n in range(len(batches)) if most(batches[n:]) > 0)
    )  # fmt: skip
    whole = {watch: flow_of(learn(watch)) for watch in (1, 3)}
    for watch, steps in ((1, [0, 1, 3, 4, 6]), (3, [0, 3, 6])):
        with monkeypatch.context() as patch:
            interrupted_after(7, "moved", patch)  # in the third epoch, after its first step
            run = learn(watch)
        assert run.interrupted
        assert len(run.history) == 2
        flow = flow_of(run)
        assert flow.steps.tolist() == steps
        for name in ("error", "update_ratio"):
            np.testing.assert_array_equal(flow.layers[name], whole[watch].layers[name][: len(steps)])


def test_a_run_that_is_interrupted_at_once_has_seen_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Any, *arguments: Any) -> Any:
        raise KeyboardInterrupt

    for watch in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(loop._Learner, "_epoch", interrupt)
            flow = flow_of(learn(watch))
        assert len(flow) == 0
        assert flow.class_shares.shape == (0, 0)
        assert_same(Flow.from_tensors(flow.to_tensors()), flow)


# the watcher alone


class Counting:
    """In place of a watched step: what it measures is the state, and how often it was asked."""

    def __init__(self, ready: threading.Event | None = None, interrupted_at: int = -1) -> None:
        self.calls, self.interrupted_at = 0, interrupted_at
        if ready is not None:
            ready.wait(10)

    def __call__(self, step: int, state: Sequence[Array], order: Array) -> list[Array]:
        """Cost, right answers, predicted and measured change, as a network without layers has them."""
        self.calls += 1
        if self.calls == self.interrupted_at:
            raise KeyboardInterrupt
        return [np.array([value]) for value in (float(state[0][0]), 0, float(order[0, 0]), 0.5)]


def watching(make: Any) -> Watcher:
    found = Watcher(make, every=1, batch=4, layers=0)
    found.start()
    return found


def looked(at: Watcher, steps: int) -> None:
    """Look at steps whose state goes up in place."""
    state = [np.zeros(1)]
    for n in range(steps):
        at.look(n, state, np.array([10 + n]))
        state[0] += 1


def test_looks_wait_for_the_compiler_with_the_state_of_their_step() -> None:
    ready = threading.Event()
    mine = watching(lambda: Counting(ready))
    looked(mine, 4)
    assert mine.seen == []
    ready.set()
    flow = mine.flow()
    assert flow.steps.tolist() == [0, 1, 2, 3]
    assert flow.totals["cost"].tolist() == [0, 1, 2, 3]
    assert flow.totals["predicted"].tolist() == [10, 11, 12, 13]
    assert flow.totals["measured"].tolist() == [0.5] * 4


def test_not_more_waits_than_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_MOST_WAITING", 2 * 8)
    ready = threading.Event()
    mine = watching(lambda: Counting(ready))
    looked(mine, 2)
    assert mine.seen == []
    threading.Timer(0.05, ready.set).start()
    mine.look(2, [np.full(1, 2.0)], np.array([12]))  # waits
    assert [step for step, _ in mine.seen] == [0, 1, 2]


def test_ctrl_c_in_the_middle_of_looking_makes_no_record_twice() -> None:
    ready = threading.Event()
    mine = watching(lambda: Counting(ready, interrupted_at=2))
    looked(mine, 4)
    ready.set()
    with pytest.raises(KeyboardInterrupt):
        mine.flow()
    assert mine.flow().steps.tolist() == [0, 2, 3]


def test_what_goes_wrong_in_the_compiler_is_told_to_whoever_waits_for_it() -> None:
    ready = threading.Event()

    def make() -> Any:
        ready.wait(10)
        raise ZeroDivisionError

    mine = watching(make)
    looked(mine, 1)
    ready.set()
    with pytest.raises(ZeroDivisionError):
        mine.flow()


# on disk


@pytest.fixture(scope="module")
def watched() -> cr.Run:
    return learn(2)


def test_what_flowed_is_loaded_as_it_was_saved(watched: cr.Run, tmp_path: Path) -> None:
    loaded = cr.Run.load(watched.save(tmp_path / "run"))
    assert_same(flow_of(loaded), flow_of(watched))
    assert flow_of(loaded).noise_scale() == flow_of(watched).noise_scale()


def test_real_targets_have_no_classes_there_and_back(tmp_path: Path) -> None:
    network = Network([3, 2], "identity")
    run = cr.learn(network, (X, X[:, :2]), cost="quadratic", epochs=1, batch=10, optimizer=cr.optim.SGD(0.1), watch=1,
                   progress=False)  # fmt: skip
    assert flow_of(run).class_shares.shape == (2, 0)
    assert_same(flow_of(cr.Run.load(run.save(tmp_path / "run"))), flow_of(run))


def test_a_run_that_nobody_watched_has_no_such_file(tmp_path: Path) -> None:
    folder = learn(False, epochs=1).save(tmp_path / "run")
    assert not (folder / "flow.safetensors").exists()
    assert cr.Run.load(folder).flow is None


def test_a_folder_from_before_there_was_such_a_file_is_loaded_without(watched: cr.Run, tmp_path: Path) -> None:
    folder = watched.save(tmp_path / "run")
    (folder / "flow.safetensors").unlink()
    loaded = cr.Run.load(folder)
    assert loaded.flow is None
    assert all_bytes(loaded) == all_bytes(watched)


def test_a_run_that_takes_the_place_of_another_does_not_keep_what_flowed_in_that(
    watched: cr.Run, tmp_path: Path
) -> None:
    folder = watched.save(tmp_path / "run")
    learn(False, epochs=1).save(folder)
    assert cr.Run.load(folder).flow is None


def damaged(folder: Path, content: bytes) -> Path:
    (folder / "flow.safetensors").write_bytes(content)
    return folder


def test_a_damaged_file_is_told_of(watched: cr.Run, tmp_path: Path) -> None:
    folder = watched.save(tmp_path / "run")
    whole = (folder / "flow.safetensors").read_bytes()
    tensors = load(whole)
    lacking = {name: array for name, array in tensors.items() if name != "steps"}
    for content in (b"", b"nonsense", whole[:-8], whole[:40], save(lacking), save(tensors | {"steps": np.zeros(2)})):
        with pytest.raises(FormatError, match=r"flow\.safetensors does not hold what flowed"):
            cr.Run.load(damaged(folder, content))


@examples(2)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_no_byte_that_is_wrong_does_more_than_be_told_of(
    tmp_path_factory: Any, watched: cr.Run, place: int, byte: int
) -> None:
    folder = watched.save(tmp_path_factory.mktemp("any") / "run")
    content = bytearray((folder / "flow.safetensors").read_bytes())
    content[place % min(len(content), 2500)] = byte  # where the names and shapes are
    try:
        flow = flow_of(cr.Run.load(damaged(folder, bytes(content))))
    except ChainruleError:
        return
    assert flow.signal.shape == flow.noise.shape


def test_a_run_that_is_interrupted_saves_what_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupted_after(2, "ended", patch)
        run = learn(2, epochs=50)
    loaded = cr.Run.load(run.save(tmp_path / "run"))
    assert loaded.interrupted
    assert flow_of(loaded).steps.tolist() == [0, 4]
