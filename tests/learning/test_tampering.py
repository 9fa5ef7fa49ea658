"""A run that is loaded is the one that was saved, or it is refused with the file, the key, and what is expected."""

from __future__ import annotations

import copy
import functools
import json
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, FormatError, OptionError, StorageError
from chainrule.learning.configuration import Configuration
from chainrule.trace.tree import flatten

WEIGHTS, HISTORY, CONFIGURATION, FLOW = FILES = (
    "weights.safetensors", "history.jsonl", "configuration.json", "flow.safetensors",
)  # fmt: skip
RANDOM = np.random.default_rng(0)
X, LABELS = RANDOM.normal(size=(12, 3)).astype(np.float32), np.arange(12) % 2
OPTIONS: dict[str, Any] = {
    "cost": "quadratic", "epochs": 3, "batch": 5, "optimizer": cr.optim.SGD(0.5), "l2": 0.25, "watch": 2,
    "progress": False,
}  # fmt: skip


@functools.cache
def layered() -> cr.Run:
    return cr.learn(cr.nn.Network([3, 4, 2]), (X, LABELS), validation=(X[:4], LABELS[:4]), **OPTIONS)


@functools.cache
def connected() -> cr.Run:
    units = [cr.nn.Units("hidden", 3, "tanh"), cr.nn.Units("output", 2)]
    links = [("input", "hidden"), cr.nn.Connection("hidden", "output", places=((0, 1, -1), (1, 0, 2)))]
    return cr.learn(cr.nn.Connected(3, units, [*links, ("input", "output")]), (X, LABELS), **OPTIONS)


@pytest.fixture(scope="module", params=[layered, connected], ids=lambda make: make.__name__)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[cr.Run, Path]:
    run = request.param()
    return run, run.save(tmp_path_factory.mktemp("original") / "run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of layers, to be damaged."""
    return layered().save(tmp_path / "run")


def same(one: cr.Run, two: cr.Run) -> bool:
    """Whether two runs are equal to the last bit."""
    leaves = [flatten(run.network)[0] for run in (one, two)]
    flows = [{} if run.flow is None else run.flow.to_tensors() for run in (one, two)]
    return (
        [leaf.tobytes() for leaf in leaves[0]] == [leaf.tobytes() for leaf in leaves[1]]
        and one.network.activations == two.network.activations
        and repr(one.history) == repr(two.history)
        and one.configuration == two.configuration
        and one.interrupted == two.interrupted
        and {name: array.tobytes() for name, array in flows[0].items()}
        == {name: array.tobytes() for name, array in flows[1].items()}
    )


def check_refused(folder: Path, *said: str) -> None:
    """Refused in one line that names the file, and lets nothing command the terminal."""
    with pytest.raises((FormatError, StorageError)) as caught:
        cr.Run.load(folder)
    assert str(folder) in caught.value.what
    assert caught.value.sentence.isprintable()
    for words in said:
        assert words in caught.value.what


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / CONFIGURATION).read_text("utf-8"))
    return found


# the configuration


def test_a_run_is_loaded_as_it_was_saved(original: tuple[cr.Run, Path]) -> None:
    run, folder = original
    assert same(cr.Run.load(folder), run)


@pytest.mark.parametrize("name", ["batch", "epochs", "training_examples", "validation_examples"])
@pytest.mark.parametrize("value", ["ten", "5", 0, -3, 2.0, 5.5, True, [5], {}, 10**30, 1e300], ids=repr)
def test_a_count_that_is_none_is_refused(name: str, value: Any, folder: Path) -> None:
    (folder / CONFIGURATION).write_text(json.dumps(told(folder) | {name: value}))
    check_refused(folder, CONFIGURATION, f"{name} must be a whole number ")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("l2", "much", "l2 must be a number of at least 0, not 'much'"),
        ("l2", -0.5, "l2 must be a number of at least 0, not -0.5"),
        ("l2", False, "l2 must be a number of at least 0, not False"),
        ("l2", 10**400, "l2 must be a number of at least 0, not 1000"),
        ("seed", 1.0, "seed must be a whole number of at least 0"),
        ("seed", -1, "seed must be a whole number of at least 0"),
        ("cost", "cheap", "cost must be one of 'cross_entropy', 'quadratic'"),
        ("cost", ["quadratic"], "cost must be one of 'cross_entropy', 'quadratic'"),
        ("cost", "softmax_cross_entropy", "the cost 'softmax_cross_entropy' needs softmax outputs, not sigmoid"),
        ("dtype", "float16", "dtype must be one of 'float32', 'float64'"),
        ("dtype", "float64", "dtype is float64 by the configuration, float32 by the weights"),
        ("sizes", [3, 2], "sizes are 3-2 by the configuration, 3-4-2 by the weights"),
        ("sizes", [3, -4, 2], "sizes[1] must be a whole number of at least 1, not -4"),
        ("sizes", "3-4-2", "sizes must be at least two whole numbers"),
        ("optimizer", "SGD(rate=-1)", "optimizer must be an optimiser like SGD(rate=0.1), not 'SGD(rate=-1)'"),
        ("optimizer", "SGD(rate=nan)", "optimizer must be an optimiser"),
        ("optimizer", "Adam(speed=1)", "optimizer must be an optimiser"),
        ("optimizer", "SGD(rate=1e999)", "optimizer must be an optimiser"),
        ("optimizer", 3, "optimizer must be an optimiser"),
        ("optimizer", "", "optimizer must be an optimiser"),
        ("data", 7, "data must be text that can be printed"),
        ("data", "\x1b[2J", "data must be text that can be printed, not '\\x1b[2J'"),
        ("data", "a\nb", "data must be text that can be printed"),
        ("data_shape", [12], "data_shape must be at least two whole numbers"),
        ("data_shape", [13, 3], "data_shape must start with training_examples, 12"),
        ("data_shape", [12, 4], "data_shape must have 3 features, as sizes say"),
        ("data_digest", "abc", "data_digest must be 64 hexadecimal digits"),
        ("constant_accuracy", 1.5, "constant_accuracy must be a number from 0 to 1"),
        ("constant_cost", -1, "constant_cost must be a number of at least 0"),
        ("batch", 13, "batch must be at most training_examples, 12, not 13"),
        ("epochs", 2, "it has 3 epochs, more than the configuration's 2"),
        ("epochs", 4, "it has 3 of the configuration's 4 epochs, though learning was not stopped early"),
        ("test_accuracy", 0.5, "test_accuracy must not be told without test_examples"),
        ("interrupted", 1, "interrupted must be true or false, not 1"),
        ("interrupted", "no", "interrupted must be true or false, not 'no'"),
        ("activations", ["sigmoid"], "it must hold 'layers[0].b', 'layers[0].w', not 'layers[0].b', 'layers[0].w', "),
        ("activations", ["sigmoid"] * 3, "it must hold 'layers[0].b', 'layers[0].w', 'layers[1].b', 'layers[1].w', "),
        ("activations", ["sigmoid", "\x1b"], "activations must be a list of some of sigmoid"),
        ("activations", "sigmoid", "activations must be a list of some of sigmoid"),
        ("activations", [], "activations must be a list of some of sigmoid"),
        ("wiring", {}, "this is no wiring"),
        ("wiring", 3, "wiring must be an object"),
        ("note", "mine", "there is no 'note' in a configuration"),
        ("\x1b]0;title\x07", 1, "there is no '\\x1b]0;title\\x07' in a configuration"),
        ("format", 1, "needs format 2"),
        ("format", True, "needs format 2"),
        ("checksums", {}, "checksums must hold one for each of"),
        ("checksums", None, "'checksums' must have a value, not null"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused(name: str, value: Any, expected: str, folder: Path) -> None:
    (folder / CONFIGURATION).write_text(json.dumps(told(folder) | {name: value}))
    check_refused(folder, expected)


def test_every_key_must_be_there_and_have_a_value(folder: Path) -> None:
    whole = told(folder)
    for name in whole:
        (folder / CONFIGURATION).write_text(json.dumps({key: v for key, v in whole.items() if key != name}))
        check_refused(folder)
        (folder / CONFIGURATION).write_text(json.dumps(whole | {name: None}))
        check_refused(folder, f"{name!r} must have a value, not null" if name != "format" else "format 2")


def test_what_belongs_to_the_learning_is_named_if_it_lacks(folder: Path) -> None:
    whole = told(folder)
    for name in ("cost", "l2", "batch", "optimizer", "training_examples", "data", "data_digest"):
        (folder / CONFIGURATION).write_text(json.dumps({key: v for key, v in whole.items() if key != name}))
        check_refused(folder, HISTORY, f"its configuration lacks {name}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"l2": 0.25', '"l2": 0.25, "l2": 0.5', "'l2' is there more than once"),
        ('"l2": 0.25', '"l2": 0.25, "\\u006c2": 0.25', "'l2' is there more than once"),
        ('"l2": 0.25', '"l2": NaN', "it has no number NaN"),
        ('"l2": 0.25', '"l2": -Infinity', "it has no number -Infinity"),
        ('"l2": 0.25', '"l2": 1e999', "l2 must be a number of at least 0, not inf"),
        ('"l2": 0.25', f'"l2": {"9" * 5000}', "holds a number that cannot be read"),
        ('"l2": 0.25', '"l2": 0,25', "is no JSON"),
        ('"l2": 0.25', '"l2": ' + "[" * 100_000, "nested too deeply"),
        ("{", "[{", "is no JSON"),
        ('"l2"', '"l2\xff"', "is no text"),
    ],
)
def test_json_that_is_none_is_refused(old: str, new: str, expected: str, folder: Path) -> None:
    text = (folder / CONFIGURATION).read_text("utf-8")
    assert old in text
    (folder / CONFIGURATION).write_bytes(text.replace(old, new, 1).encode("latin-1"))
    check_refused(folder, CONFIGURATION, expected)


@pytest.mark.parametrize(("name", "value"), [("seed", 1), ("l2", 0.5), ("cost", "cross_entropy"), ("data", "other")])
def test_a_value_that_could_be_but_was_not_saved_is_refused(name: str, value: Any, folder: Path) -> None:
    (folder / CONFIGURATION).write_text(json.dumps(told(folder) | {name: value}))
    check_refused(folder, CONFIGURATION, "was changed after it was saved")


def test_other_spaces_and_another_order_are_no_change(folder: Path) -> None:
    before = cr.Run.load(folder)
    (folder / CONFIGURATION).write_text(json.dumps(dict(reversed(told(folder).items())), indent=7))
    assert same(cr.Run.load(folder), before)


@pytest.mark.parametrize(
    "change",
    [
        lambda wiring: wiring["units"][0].update(size="3"),
        lambda wiring: wiring["units"][0].update(size=True),
        lambda wiring: wiring["units"][0].update(size=3.0),
        lambda wiring: wiring["units"][0].update(name="\x1b[31m"),
        lambda wiring: wiring["units"][0].update(name=["hidden"]),
        lambda wiring: wiring["units"][0].update(bias=1),
        lambda wiring: wiring["units"][0].update(bias="\x07"),
        lambda wiring: wiring["units"][0].update(activation="none"),
        lambda wiring: wiring["units"][0].update(activation=["tanh"]),
        lambda wiring: wiring["connections"][1].update(places=[[0, 1, -1], [1, 0, "2"]]),
        lambda wiring: wiring["connections"][1].update(places=[[0, 1, -1], [1, 0, 2.0]]),
        lambda wiring: wiring["connections"][1].update(places=[0, 1]),
        lambda wiring: wiring["connections"][1].update(products=[[0, 1.5]]),
        lambda wiring: wiring["connections"][1].update(weights=7),
        lambda wiring: wiring["connections"][1].update(weights="\x1b"),
        lambda wiring: wiring["connections"][1].update(source=None),
        lambda wiring: wiring["connections"].append({}),
        lambda wiring: wiring["inputs"].append(["more", -1]),
        lambda wiring: wiring["inputs"].append("ab"),
        lambda wiring: wiring.update(outputs=["hidden", "hidden"]),
        lambda wiring: wiring.update(outputs="output"),
        lambda wiring: wiring.update(units=None),
        lambda wiring: wiring.update(more=1),
    ],
)
def test_a_wiring_that_is_none_is_refused(change: Callable[[Any], None], tmp_path: Path) -> None:
    folder = connected().save(tmp_path / "run")
    changed = told(folder)
    change(changed["wiring"])
    (folder / CONFIGURATION).write_text(json.dumps(changed))
    check_refused(folder, CONFIGURATION, "does not tell the network's structure")


# the history


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / HISTORY).read_text("utf-8").splitlines()]


def write_lines(folder: Path, records: list[dict[str, Any]]) -> None:
    (folder / HISTORY).write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda records: [], "it has 0 of the configuration's 3 epochs, though learning was not stopped early"),
        (lambda records: records[:2], "it has 2 of the configuration's 3 epochs"),
        (lambda records: [records[0], records[2]], "its epochs must be 1 to 2 in order"),
        (lambda records: records[::-1], "its epochs must be 1 to 3 in order"),
        (lambda records: [*records, records[2]], "its epochs must be 1 to 4 in order"),
        (lambda records: [*records, records[2] | {"epoch": 4}], "it has 4 epochs, more than the configuration's 3"),
        (lambda records: [r | {"epoch": r["epoch"] - 1} for r in records], "its epochs must be 1 to 3 in order"),
        (lambda records: [r | {"seconds": -1.0} for r in records], "its seconds must be finite"),
        (lambda records: [r | {"seconds": 3.0 - r["epoch"]} for r in records], "must not go back"),
        (lambda records: [r | {"seconds": 10**400} for r in records], "line 1 is no record of an epoch: seconds"),
        (lambda records: [r | {"training_accuracy": 1.5} for r in records], "training_accuracy must be from 0 to 1"),
        (lambda records: [records[0] | {"validation_accuracy": None}, *records[1:]], "of all epochs or of none"),
        (
            lambda records: [r | {"epoch": True} for r in records],
            "line 1 is no record of an epoch: epoch cannot be True",
        ),
        (lambda records: [*records[:2], records[2] | {"training_cost": "low"}], "line 3 is no record of an epoch"),
        (lambda records: [records[0] | {"seconds": None}, *records[1:]], "seconds cannot be None"),
        (lambda records: [r | {"epoch": 10**400} for r in records], "its epochs must be 1 to 3 in order"),
        (lambda records: [records[0] | {"more": 1}, *records[1:]], "it must hold epoch, training_cost, "),
        (lambda records: [records[0] | {"training_cost": 0.125}, *records[1:]], "was changed after it was saved"),
    ],
)
def test_a_history_that_cannot_be_is_refused(change: Callable[..., Any], expected: str, folder: Path) -> None:
    write_lines(folder, change(lines(folder)))
    check_refused(folder, HISTORY, expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda content: content[:-1], "is cut off"),
        (lambda content: content[:-20], "is cut off"),
        (lambda content: content + b"\n", "line 4 is no JSON"),
        (lambda content: b"\xef\xbb\xbf" + content, "line 1 is no JSON"),
        (lambda content: content.replace(b"0", b"\xff", 1), "is no text"),
        (lambda content: content.replace(b"\n", b"\r\n"), "was changed after it was saved"),
        (lambda content: content.replace(b'"epoch": 1', b'"epoch": 1, "epoch": 1'), "'epoch' is there more than once"),
    ],
)
def test_a_history_that_is_no_text_of_lines_is_refused(
    change: Callable[[bytes], bytes], expected: str, folder: Path
) -> None:
    (folder / HISTORY).write_bytes(change((folder / HISTORY).read_bytes()))
    check_refused(folder, HISTORY, expected)


def test_figures_of_validation_need_validation_examples(folder: Path) -> None:
    run = cr.Run.load(folder)
    known = {name: value for name, value in run.configuration.items() if not name.startswith("validation")}
    with pytest.raises(DataError, match="validation_cost if, and only if, the configuration has validation_examples"):
        replace(run, configuration=Configuration(**known)).save(folder)


# weights, and what flowed


def changed_tensors(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    tensors = dict(load((folder / name).read_bytes()))
    change(tensors)
    (folder / name).write_bytes(save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.pop("layers[1].b"), "it must hold "),
        (lambda t: t.update({"layers[2].w": t["layers[1].w"]}), "it must hold "),
        (lambda t: t.update({"\x1b[2J": t["layers[1].w"]}), "it must hold "),
        (lambda t: t.update({"layers[0].w": t["layers[0].w"].T}), "a layer needs weights of shape"),
        (lambda t: t.update({"layers[0].w": t["layers[0].w"][:, :2]}), "sizes are 3-4-2 by the configuration, 2-4-2"),
        (lambda t: t.update({"layers[1].b": t["layers[1].b"].astype("f8")}), "all must be float32, or all float64"),
        (lambda t: t.update({k: v.astype(np.float64) for k, v in t.items()}), "dtype is float32 by the configuration"),
        (lambda t: t.update({k: v.astype(np.int32) for k, v in t.items()}), "all must be float32, or all float64"),
        (lambda t: t.update({k: v.astype(np.float16) for k, v in t.items()}), "all must be float32, or all float64"),
        (lambda t: t.update({k: v.astype(bool) for k, v in t.items()}), "all must be float32, or all float64"),
        (lambda t: t.update({k: v * np.float32("nan") for k, v in t.items()}), "was changed after it was saved"),
        (lambda t: t.update({k: v + np.float32(1) for k, v in t.items()}), "was changed after it was saved"),
        (lambda t: t.clear(), "not nothing"),
    ],
)  # fmt: skip
def test_weights_that_are_not_the_networks_are_refused(
    change: Callable[[dict[str, Any]], Any], expected: str, folder: Path
) -> None:
    changed_tensors(folder, WEIGHTS, change)
    check_refused(folder, WEIGHTS, expected)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.update({"batch": np.array([4])}), "batch is 5 by the configuration, 4 by what flowed"),
        (lambda t: t.update({"batch": np.array([-5])}), "not whole numbers"),
        (lambda t: t.update({"steps": t["steps"][::-1]}), "its steps must be whole numbers from 0 on, in order"),
        (lambda t: t.update({"steps": t["steps"] - 1}), "its steps must be whole numbers from 0 on, in order"),
        (lambda t: t.update({"steps": t["steps"] + 9}), "but there were only 9"),
        (lambda t: t.update({"steps": t["steps"].astype(np.float64)}), "not whole numbers"),
        (lambda t: t.update({"class_shares": t["class_shares"][:, :1]}), "it tells of 1 classes"),
        (lambda t: t.update({k: v[:, :1] for k, v in t.items() if k.startswith("layers")}), "it tells of 1 layers"),
        (lambda t: t.update({"totals.cost": t["totals.cost"][1:]}), "differ in number"),
        (lambda t: t.update({"layers.dead": t["layers.dead"].astype(np.int64)}), "not real numbers"),
        (lambda t: t.update({"more\x1b": t["steps"]}), "nothing uses 'more\\x1b'"),
        (lambda t: t.pop("layers.dead"), "layers.dead"),
        (lambda t: t["totals.cost"].__imul__(2), "was changed after it was saved"),
    ],
)
def test_a_flow_that_is_not_the_runs_is_refused(
    change: Callable[[dict[str, Any]], Any], expected: str, folder: Path
) -> None:
    changed_tensors(folder, FLOW, change)
    check_refused(folder, FLOW, expected)


def test_files_of_two_runs_are_not_taken_for_one(folder: Path, tmp_path: Path) -> None:
    other = cr.learn(
        cr.nn.Network([3, 4, 2], seed=1), (X, LABELS), validation=(X[:4], LABELS[:4]), **OPTIONS
    ).save(tmp_path / "other")  # fmt: skip
    for name in FILES:
        mixed = Path(shutil.copytree(folder, tmp_path / f"mixed-{name}"))
        shutil.copy(other / name, mixed / name)
        check_refused(mixed, "was changed after it was saved")


def test_a_flow_that_another_run_left_is_refused(tmp_path: Path, folder: Path) -> None:
    unwatched = cr.learn(cr.nn.Network([3, 4, 2]), (X, LABELS), **OPTIONS | {"watch": False}).save(tmp_path / "other")
    shutil.copy(folder / FLOW, unwatched / FLOW)
    check_refused(unwatched, "checksums must hold one for each of configuration.json, flow.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are of POSIX")
@pytest.mark.parametrize("name", FILES)
def test_a_pipe_or_a_folder_in_place_of_a_file_is_refused_at_once(name: str, folder: Path) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    check_refused(folder, f"{name} is no regular file")
    (folder / name).rmdir()
    os.mkfifo(folder / name)
    check_refused(folder, f"{name} is no regular file")


def test_a_run_that_ended_in_numbers_that_are_none_is_loaded_to_be_diagnosed(tmp_path: Path) -> None:
    huge = OPTIONS | {"optimizer": cr.optim.SGD(1e30), "cost": "quadratic"}
    network = cr.nn.Network([3, 4, 2], "identity")
    with np.errstate(all="ignore"):
        run = cr.learn(network, (X, LABELS), validation=(X[:4], LABELS[:4]), **huge)
    assert not np.isfinite(run.network.layers[0].w).all()
    found = cr.Run.load(run.save(tmp_path / "run"))
    assert [leaf.tobytes() for leaf in flatten(found.network)[0]] == [
        leaf.tobytes() for leaf in flatten(run.network)[0]
    ]
    assert math.isnan(found.history[-1].validation_cost or 0)
    assert found.verdict == run.verdict


# whatever is changed


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.integers(), st.floats(), st.text(max_size=4),
    st.sampled_from(["sigmoid", "tanh", "quadratic", "SGD(rate=0.5)", "float32", "hidden", "\x1b[31m", "nan", 10**400]),
    st.lists(st.integers(-1, 4), max_size=4), st.lists(st.lists(st.integers(-1, 3), max_size=3), max_size=3),
    st.just({}),
)  # fmt: skip


def places(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there is something in a JSON value, in depth."""
    inside = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [path, *(deeper for key, value in inside for deeper in places(value, (*path, key)))]


def tampered(draw: Any, found: Any) -> Any:
    """A JSON value in which one place has another value, is gone, is renamed, or is there twice."""
    *outer, last = draw(st.sampled_from([path for path in places(found) if path]))
    changed = copy.deepcopy(found)
    holder = changed
    for key in outer:
        holder = holder[key]
    way = draw(st.sampled_from(["another", "another", "gone", "more"]))
    if way == "gone":
        del holder[last]
    elif way == "another":
        holder[last] = draw(VALUES)
    elif isinstance(holder, list):
        holder.insert(last, draw(st.one_of(VALUES, st.just(holder[last]))))
    else:
        holder[draw(st.text(max_size=5))] = draw(st.one_of(VALUES, st.just(holder[last])))
    return changed


def damaged(draw: Any, content: bytes) -> bytes:
    """Bytes of which some are others, are gone, or are more."""
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 20)))
    rest = draw(st.sampled_from([content[end:], b""]))
    return content[:start] + draw(st.binary(max_size=8)) + rest


def mistaken(draw: Any, tensors: dict[str, Any]) -> bytes:
    """Tensors of which one has another name, shape, type, or number."""
    name = draw(st.sampled_from(sorted(tensors)))
    tensor = tensors.pop(name) if draw(st.booleans()) else tensors[name]
    dtype = draw(st.sampled_from([tensor.dtype, np.float64, np.float16, np.int64, np.uint8, bool]))
    with np.errstate(all="ignore"):
        other = np.array(tensor).astype(dtype)
    if other.size and draw(st.booleans()):
        other.flat[draw(st.integers(0, other.size - 1))] = draw(st.sampled_from([0, 1, np.float64("nan"), -1])) \
            if other.dtype.kind == "f" else draw(st.integers(0, 1))  # fmt: skip
    shape = draw(st.sampled_from([other.shape, (-1,), (1, -1), other.shape[::-1]]))
    tensors[draw(st.sampled_from([name, "more", "\x1b", name.upper()]))] = other.reshape(shape)
    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


@given(st.data())
def test_whatever_is_changed_a_run_is_loaded_as_it_was_or_refused(
    original: tuple[cr.Run, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    run, whole = original
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("changed") / "run"))
    name = data.draw(st.sampled_from(FILES))
    content = (folder / name).read_bytes()
    if data.draw(st.integers(0, 3)) == 0:
        content = damaged(data.draw, content)
    elif name == CONFIGURATION:
        content = json.dumps(tampered(data.draw, json.loads(content))).encode()
    elif name == HISTORY:
        records = tampered(data.draw, [json.loads(line) for line in content.splitlines()])
        content = "".join(json.dumps(record) + "\n" for record in records).encode()
    else:
        content = mistaken(data.draw, dict(load(content)))
    (folder / name).write_bytes(content)
    try:
        assert same(cr.Run.load(folder), run)
    except ChainruleError:
        check_refused(folder)


# in memory


@pytest.mark.parametrize(
    ("known", "problem"),
    [
        ({"batch": "ten"}, "batch must be a whole number of at least 1, not 'ten'"),
        ({"batch": 3.0}, "batch must be a whole number of at least 1, not 3.0"),
        ({"l2": math.nan}, "l2 must be a number of at least 0, not nan"),
        ({"note": 1}, "there is no 'note' in a configuration"),
        ({"batch": 3, "training_examples": 2}, "batch must be at most training_examples, 2, not 3"),
    ],
)
def test_a_configuration_is_checked_when_it_is_made(known: dict[str, Any], problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        cr.Run(cr.nn.Network([3, 2]), [], known)  # type: ignore[arg-type]


def test_a_run_that_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    run = layered()
    for wrong in (
        replace(run, history=run.history[:1]),
        replace(run, history=run.history[::-1]),
        replace(run, configuration=Configuration()),
        replace(run, network=cr.nn.Network([3, 5, 2])),
        replace(run, network=run.network.astype(np.float64)),
    ):
        with pytest.raises(DataError, match="this is no run that can be saved: "):
            wrong.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


class Own(cr.optim.Optimizer):
    """Called like one of ours, and told over several lines."""

    def start(self, parameters: Any) -> Any:
        return ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return parameters, state

    def __repr__(self) -> str:
        return "SGD(speed=\n\x1b[31m1)"


def test_an_optimiser_of_ones_own_is_told_and_not_taken_for_ours(tmp_path: Path) -> None:
    run = cr.learn(cr.nn.Network([3, 2]), (X, LABELS), **OPTIONS | {"optimizer": Own(), "epochs": 1})
    found = cr.Run.load(run.save(tmp_path / "run"))
    assert found.configuration.optimizer == f"{Own.__module__}: 'SGD(speed= \\x1b[31m1)'"
    assert cr.insight.curvature(found, (X, LABELS)).stability is None
