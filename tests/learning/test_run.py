"""A run on disk: bit for bit what it was, whole or not at all, and never a crash on a file that is something else."""

from __future__ import annotations

import errno
import json
import math
import os
import pickle
from contextlib import suppress
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

import chainrule as cr
from chainrule.errors import FormatError, OptionError, StorageError
from chainrule.learning.configuration import Configuration
from chainrule.learning.run import Record, Run, check_folder
from chainrule.nn import Network

WEIGHTS, HISTORY, CONFIGURATION = FILES = ("weights.safetensors", "history.jsonl", "configuration.json")


def configured(network: Any, **changed: Any) -> Configuration:
    """All that `learn` tells of a run, of examples without validation."""
    return Configuration(**{
        "sizes": tuple(network.sizes), "cost": "quadratic", "epochs": 9, "batch": 4, "optimizer": "SGD(rate=0.5)",
        "l2": 0.1, "seed": 0, "dtype": network.dtype.name, "training_examples": 12, "data": "ünïcode",
        "data_shape": (12, network.inputs), "data_digest": "0" * 64,
    } | changed)  # fmt: skip


def made(dtype: Any = np.float32, seed: int = 0) -> Run:
    network = Network([3, 4, 2], "tanh", output="softmax", seed=seed, dtype=dtype)
    history = [
        Record(1, 0.1, 0.5, 1e300, 0.0, 0.25),
        Record(2, 1 / 3, 1.0, 1e-300, 1.0, 7.000000000000001),
        Record(3, 5e-324, 0.0, 0.1 + 0.2, 1 / 3, 8.0),
    ]
    known = configured(network, validation_examples=6, validation_constant_accuracy=0.5, test_examples=3, test_cost=0.1)
    return Run(network, history, known, interrupted=True)


def parts(network: Network) -> list[np.ndarray]:
    return [part for layer in network.layers for part in (layer.w, layer.b)]


def check_same(one: Run, two: Run) -> None:
    assert [layer.activation for layer in one.network.layers] == [layer.activation for layer in two.network.layers]
    for mine, other in zip(parts(one.network), parts(two.network), strict=True):
        assert mine.dtype == other.dtype
        assert mine.shape == other.shape
        assert mine.tobytes() == other.tobytes()
    assert repr(one.history) == repr(two.history)  # nan is nan here
    assert one.configuration == two.configuration
    assert one.interrupted == two.interrupted


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made().save(tmp_path / "run")


# there and back


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_is_loaded_as_it_was_saved(dtype: Any, tmp_path: Path) -> None:
    check_same(Run.load(made(dtype).save(tmp_path / "run")), made(dtype))


def test_the_run_of_learn_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    x, labels = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2
    run = cr.learn(
        Network([3, 2]), (x, labels), validation=(x, labels), cost="quadratic", epochs=np.int64(2), batch=np.int32(4),
        l2=np.float32(0.5), seed=np.uint8(3), optimizer=cr.optim.SGD(0.5), progress=False,
    )  # fmt: skip
    check_same(Run.load(run.save(tmp_path / "run")), run)


@given(
    st.lists(st.floats(width=32), min_size=6, max_size=6),
    st.lists(st.floats(allow_infinity=False), min_size=1, max_size=3),
)
def test_every_number_comes_back_bit_for_bit(tmp_path_factory: Any, weights: list[float], costs: list[float]) -> None:
    w = np.array(weights, np.float32)
    network = Network.from_weights([(w[:4].reshape(2, 2), w[4:])])
    history = [Record(n, cost, None, None, None, 0.0) for n, cost in enumerate(costs, start=1)]
    run = Run(network, history, configured(network), interrupted=True)
    check_same(Run.load(run.save(tmp_path_factory.mktemp("any") / "run")), run)


def test_a_run_without_history_comes_back(tmp_path: Path) -> None:
    run = Run(made().network, [])
    check_same(Run.load(run.save(tmp_path / "run")), run)


def test_weights_that_are_views_come_back(tmp_path: Path) -> None:
    w = np.arange(24.0).reshape(4, 6).T[::2, ::-1]
    run = Run(Network.from_weights([(w, np.zeros(3))]), [])
    np.testing.assert_array_equal(Run.load(run.save(tmp_path / "run")).network.layers[0].w, w)


def test_saving_a_loaded_run_writes_the_same_files(folder: Path, tmp_path: Path) -> None:
    assert contents(Run.load(folder).save(tmp_path / "again")) == contents(folder)


def test_a_configuration_tells_nothing_that_the_network_or_the_run_says_itself() -> None:
    for own in ({"activations": ["relu", "relu"]}, {"format": 99}, {"interrupted": False}, {"checksums": {}}):
        with pytest.raises(OptionError, match="there is no '.*' in a configuration"):
            replace(made(), configuration={**made().configuration, **own})


def test_the_files_are_what_any_tool_can_read(folder: Path) -> None:
    assert sorted(contents(folder)) == sorted(FILES)
    assert set(load((folder / WEIGHTS).read_bytes())) == {f"layers[{n}].{name}" for n in (0, 1) for name in "wb"}
    lines = (folder / HISTORY).read_text("utf-8").splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == [astuple(record) for record in made().history]
    assert json.loads((folder / CONFIGURATION).read_text("utf-8"))["activations"] == ["tanh", "softmax"]


def test_it_is_saved_in_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    assert made().save(tmp_path / "a" / "b" / "c") == tmp_path / "a" / "b" / "c"
    check_same(Run.load(tmp_path / "a" / "b" / "c"), made())


def test_a_folder_may_be_given_as_text(tmp_path: Path) -> None:
    check_same(Run.load(str(made().save(str(tmp_path / "run")))), made())


def test_another_run_takes_the_place_of_the_first_and_leaves_other_files(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    made(np.float64, seed=5).save(folder)
    check_same(Run.load(folder), made(np.float64, seed=5))
    assert sorted(contents(folder)) == sorted([*FILES, "notes.txt"])


@pytest.mark.skipif(os.name == "nt", reason="permissions are of POSIX")
def test_the_files_can_be_read_by_others(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


# whole or not at all


def full_disk(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """The disk is full when the given number of files has been written."""
    plain, left = os.fsync, [after]

    def fsync(handle: int) -> None:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        plain(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("after", range(len(FILES)))
def test_a_full_disk_leaves_nothing_behind(after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch, after)
    with pytest.raises(StorageError, match=r"run: No space left on device\.(.|\n)*test_run\.py:\d+"):
        made().save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after", range(len(FILES)))
def test_a_full_disk_leaves_the_run_that_was_there(after: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(folder)
    full_disk(monkeypatch, after)
    with pytest.raises(StorageError, match="No space left on device"):
        made(np.float64, seed=5).save(folder)
    assert contents(folder) == before


def test_ctrl_c_while_saving_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KeyboardInterrupt):
        made().save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_every_file_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[set[str]] = []
    monkeypatch.setattr(os, "fsync", lambda handle: names.append({path.name for path in tmp_path.rglob("*")}))
    made().save(tmp_path / "run")
    assert len(names) == len(FILES)
    assert all(not seen & {"run", *FILES} for seen in names)


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(StorageError, match=r"file(.|\n)*Choose another folder"):
            made().save(place)
        with pytest.raises(StorageError, match="file"):
            check_folder(place)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_place_that_is_good_is_left_as_it_is_by_the_check(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


# what is no run


@pytest.mark.parametrize("missing", FILES)
def test_a_missing_file_is_a_storage_error(missing: str, folder: Path) -> None:
    (folder / missing).unlink()
    with pytest.raises(StorageError, match=rf"{missing}(.|\n)*test_run\.py:\d+"):
        Run.load(folder)


def test_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        Run.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"\xff\xfe\x00 junk", b"[" * 100_000, b"\x00" * 64, b"not this\n"], ids=repr)
def test_a_file_of_something_else_is_a_format_error_that_names_it(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(FormatError, match=name):
        Run.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_a_format_error_or_a_shorter_history(name: str, folder: Path) -> None:
    whole = (folder / name).read_bytes()
    for size in [*range(0, len(whole) - 1, 17), len(whole) - 2]:
        (folder / name).write_bytes(whole[:size])
        try:
            loaded = Run.load(folder)
        except FormatError:
            continue
        assert name == HISTORY
        assert loaded.history == made().history[: len(loaded.history)]


@given(st.data())
def test_a_file_with_a_changed_byte_loads_or_is_a_format_error(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = made().save(tmp_path_factory.mktemp("changed") / "run")
    name = data.draw(st.sampled_from(FILES))
    content = bytearray((folder / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(content)
    with suppress(FormatError):
        assert isinstance(Run.load(folder), Run)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"format": 2, "activations": ["tanh", "softmax"]},
        {"format": 1},
        {"format": 1, "activations": "tanh"},
        {"format": 1, "activations": []},
        {"format": 1, "activations": ["tanh"] * 3},
        {"format": 1, "activations": ["tanh", "no such"]},
        {"format": 1, "activations": ["tanh", ["softmax"]]},
        {"format": 1, "activations": ["tanh", None]},
        ["tanh", "softmax"],
        None,
    ],
    ids=repr,
)
def test_a_configuration_of_no_such_run_is_a_format_error(content: Any, folder: Path) -> None:
    (folder / CONFIGURATION).write_text(json.dumps(content))
    with pytest.raises(FormatError):
        Run.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "1"},
        {"epoch": None},
        {"epoch": 1.5},
        {"epoch": True},
        {"training_cost": "low"},
        {"training_cost": [0.1]},
        {"training_accuracy": "all"},
        {"seconds": None},
        {"more": 1},
    ],
    ids=repr,
)
def test_a_line_that_is_no_record_is_a_format_error(change: dict[str, Any], folder: Path) -> None:
    record = json.loads((folder / HISTORY).read_text().splitlines()[0])
    (folder / HISTORY).write_text(json.dumps(record | change) + "\n")
    with pytest.raises(FormatError, match="no record of an epoch"):
        Run.load(folder)


def test_a_record_with_a_field_missing_is_a_format_error(folder: Path) -> None:
    for field in fields(Record):
        record = json.loads(json.dumps(made().history[0].__dict__))
        del record[field.name]
        (folder / HISTORY).write_text(json.dumps(record) + "\n")
        with pytest.raises(FormatError, match="no record of an epoch"):
            Run.load(folder)


EYE, ZERO = np.eye(2, dtype=np.float32), np.zeros(2, np.float32)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"layers[0].w": EYE, "layers[0].b": ZERO, "layers[1].w": EYE},
        {"layers[0].w": EYE, "layers[0].b": ZERO, "layers[1].w": EYE, "layers[1].b": EYE},
        {"layers[0].w": EYE, "layers[0].b": ZERO, "layers[1].w": np.ones((2, 3), np.float32), "layers[1].b": ZERO},
        {"layers[0].w": EYE.astype("f2"), "layers[0].b": ZERO, "layers[1].w": EYE, "layers[1].b": ZERO},
        {"layers[0].w": EYE, "layers[0].b": ZERO, "layers[1].w": EYE[:0], "layers[1].b": ZERO[:0]},
    ],
    ids=["none", "one missing", "rank", "sizes", "float16", "empty"],
)
def test_weights_that_make_no_such_network_are_a_format_error(tensors: dict[str, Any], folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(save(tensors))
    with pytest.raises(FormatError, match=f"{WEIGHTS} does not hold the network's weights"):
        Run.load(folder)


class Trap:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", FILES)
def test_no_pickle_is_loaded(name: str, folder: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    (folder / name).write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(FormatError):
        Run.load(folder)
    assert not trap.exists()


# the verdict


def ended(**figures: Any) -> Run:
    known = {"training_cost": 0.1, "training_accuracy": None, "validation_cost": None, "validation_accuracy": None}
    return Run(made().network, [Record(1, **(known | figures), seconds=1.0)])


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        (Run(made().network, []), "Stopped before the first epoch was over."),
        (ended(), "The training cost is 0.1."),
        (ended(training_accuracy=0.75), "75.00% of the training examples are right."),
        (ended(training_accuracy=1.0, validation_accuracy=0.5), "50.00% of the validation examples are right."),
        (ended(training_cost=math.nan, validation_accuracy=0.5), "The cost is not a finite number after epoch 1: "),
        (ended(training_cost=math.inf), "The cost is not a finite number after epoch 1: "),
    ],
)
def test_the_verdict_says_what_came_of_it(run: Run, verdict: str) -> None:
    assert run.verdict.startswith(verdict)


def test_the_verdict_names_the_best_epoch_if_it_was_not_the_last() -> None:
    history = [Record(n, 0.1, 0.9, 0.1, accuracy, 1.0) for n, accuracy in enumerate([0.5, 0.8, 0.7], start=1)]
    assert Run(made().network, history).verdict == (
        "70.00% of the validation examples are right, best 80.00% after epoch 2."
    )


def test_a_cost_that_is_no_finite_number_is_saved_as_strict_json(tmp_path: Path) -> None:
    network = Network([1, 1])
    known = configured(network, epochs=1, validation_examples=6, test_examples=1, test_cost=math.nan)
    run = Run(network, [Record(1, math.nan, 0.5, math.inf, 0.5, 0.1)], known)
    run.save(tmp_path / "run")
    line = (tmp_path / "run" / HISTORY).read_text()
    assert json.loads(line, parse_constant=pytest.fail)["training_cost"] is None
    loaded = Run.load(tmp_path / "run")
    assert math.isnan(loaded.history[0].training_cost)
    assert math.isnan(loaded.history[0].validation_cost or 0)
    assert math.isnan(loaded.configuration["test_cost"])
