"""Networks in folders: chainrule's own come back by themselves, those of a user's own by one of the same kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import FormatError

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(6, 2))


def dense(inputs: int, outputs: int, activation: Any = "tanh", seed: int = 0) -> cr.nn.Dense:
    return cr.nn.Dense.of(inputs, outputs, activation, seed=seed)


@dataclass(frozen=True)
class Own:
    """A network of a user's own: a tuple, a dict, a state, a single number, and something that is no array."""

    layers: tuple[Any, ...]
    more: dict[str, Any]
    mean: Any = field(metadata={"role": "state"})
    scale: Any
    name: str = "own"

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return (x - self.mean) * self.scale + self.more["b"]


def own(seed: int = 0, mean: float = 1.5) -> Own:
    state = np.full(2, mean, np.float32)
    return Own((dense(3, 2, seed=seed),), {"b": np.ones(2, np.float32), "n": np.array([3])}, state, np.float32(2.0))


swish = cr.nn.Activation("swish", lambda z: z * cr.nn.sigmoid(z))
other = cr.nn.Activation("tanh", lambda z: 2 * z)  # of a built-in name
UNITS = [cr.nn.Units("hidden", 4, "tanh"), cr.nn.Units("output", 2)]
WIRES = [("input", "hidden"), ("hidden", "output"), ("input", "output")]
OWN_UNITS = [cr.nn.Units("output", 2, other)]

BY_THEMSELVES: dict[str, Callable[[], Any]] = {
    "Network": lambda: cr.nn.Network([3, 4, 2], "relu"),
    "Connected": lambda: cr.nn.Connected(3, UNITS, WIRES[:2]),
    "Dense": lambda: dense(3, 2, "softmax"),
    "Sequential": lambda: cr.nn.Sequential(dense(3, 4, "identity"), cr.nn.relu, dense(4, 2)),
    "nested": lambda: cr.nn.Sequential(
        cr.nn.Sequential(cr.nn.Sequential(dense(3, 4)), cr.nn.tanh), dense(4, 2, "relu")
    ),
}
BY_A_TEMPLATE: dict[str, Callable[[], Any]] = {
    "a dataclass": own,
    "a function": lambda: cr.nn.Function(lambda p, x: x @ p["a b"], {"a b": np.ones((3, 2), np.float32)}),
    "a layer of one's own": lambda: cr.nn.Sequential(own(), cr.nn.tanh),
    "an activation of one's own": lambda: cr.nn.Network([3, 4, 2], swish),
    "one of a built-in name": lambda: cr.nn.Network([3, 4, 2], other),
    "one of a built-in name in a layer": lambda: cr.nn.Sequential(dense(3, 2, other)),
    "one of a built-in name among units": lambda: cr.nn.Connected(3, OWN_UNITS, WIRES[2:]),
}  # fmt: skip


def saved(network: Any, folder: Path) -> cr.Run:
    run = cr.learn(network, (X, Y), cost="quadratic", epochs=2, batch=4, optimizer=cr.optim.SGD(0.01), progress=False)
    run.save(folder)
    return run


def check_the_same(one: Any, two: Any) -> None:
    for mine, theirs in zip(cr.tree.flatten(one)[0], cr.tree.flatten(two)[0], strict=True):
        assert np.shape(mine) == np.shape(theirs)
        assert np.asarray(mine).tobytes() == np.asarray(theirs).tobytes()
    x = X.astype(np.float32)
    assert one(x).tobytes() == two(x).tobytes()


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_what_consists_of_our_own_layers_comes_back_by_itself(name: str, tmp_path: Path) -> None:
    run = saved(BY_THEMSELVES[name](), tmp_path / "run")
    found = cr.Run.load(tmp_path / "run")
    assert type(found.network) is type(run.network)
    assert cr.tree.flatten(found.network)[1] == cr.tree.flatten(run.network)[1]
    check_the_same(found.network, run.network)
    assert found.history == run.history


@pytest.mark.parametrize("name", BY_A_TEMPLATE)
def test_anything_else_comes_back_by_one_of_its_kind_and_not_without(name: str, tmp_path: Path) -> None:
    network = BY_A_TEMPLATE[name]()
    run = saved(network, tmp_path / "run")
    with pytest.raises(FormatError, match=r"(?s)own layers and activations.*cr\.Run\.load\(folder, network=\.\.\.\)"):
        cr.Run.load(tmp_path / "run")
    found = cr.Run.load(tmp_path / "run", network=network)
    check_the_same(found.network, run.network)


def test_states_and_single_numbers_come_back_and_the_template_is_left_alone(tmp_path: Path) -> None:
    saved(own(), tmp_path / "run")
    template = own(seed=5, mean=9.0)
    found = cr.Run.load(tmp_path / "run", network=template).network
    assert found.mean.tolist() == [1.5, 1.5]
    assert template.mean.tolist() == [9.0, 9.0]
    assert found.scale.shape == ()
    assert found.more["n"].dtype.kind == "i"


WRONG: dict[str, tuple[Any, str]] = {
    "another kind": (dense(3, 2), r"it must hold 'b', 'w', not "),
    "another shape": (
        Own((dense(4, 2),), own().more, own().mean, own().scale),
        r"layers\[0\]\.w has the shape \(2, 3\)",
    ),
    "another number of layers": (Own((dense(3, 2), dense(2, 2)), own().more, own().mean, own().scale), "it must hold"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_template_of_another_network_is_refused(what: str, tmp_path: Path) -> None:
    saved(own(), tmp_path / "run")
    with pytest.raises(FormatError, match=WRONG[what][1]):
        cr.Run.load(tmp_path / "run", network=WRONG[what][0])


@pytest.mark.parametrize(
    "layers",
    [[], {}, "dense", 3, [3], [[]], [{}], [{"dense": "swish"}], [{"dense": ["tanh"]}], [{"conv": "tanh"}],
     [{"dense": "tanh", "activation": "tanh"}], {"activation": "tanh"}, [{"activation": "tanh"}]],
    ids=json.dumps,
)  # fmt: skip
def test_words_that_tell_of_no_layers_are_refused(layers: Any, tmp_path: Path) -> None:
    saved(cr.nn.Sequential(dense(3, 2)), tmp_path / "run")
    path = tmp_path / "run" / "configuration.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"layers": layers}), "utf-8")
    with pytest.raises(
        FormatError, match=r"layers must be a list of|does not hold the network's weights: it must hold"
    ):
        cr.Run.load(tmp_path / "run")


def test_words_that_are_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    saved(cr.nn.Sequential(dense(3, 2)), tmp_path / "run")
    path = tmp_path / "run" / "configuration.json"
    text = path.read_text("utf-8")
    told = json.dumps(json.loads(text)["layers"])
    deep = "[" * 900 + told + "]" * 900
    path.write_text(json.dumps(json.loads(text) | {"layers": "here"}).replace('"here"', deep), "utf-8")
    with pytest.raises(FormatError):
        cr.Run.load(tmp_path / "run")


def test_nothing_is_written_of_what_cannot_be_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = saved(own(), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}

    def full(*_: Any, **__: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save", full)
    for folder in ("run", "new"):
        with pytest.raises(cr.errors.StorageError):
            run.save(tmp_path / folder)
    assert not (tmp_path / "new").exists()
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


@pytest.mark.parametrize("name", ["a tuple that only its cost calls", "sequences"])
def test_networks_without_rows_of_units_are_saved_too(name: str, tmp_path: Path) -> None:
    def cost(network: Any, x: Any, y: Any) -> Any:
        return cr.numpy.sum((x @ network[0] - y) ** 2, axis=1)

    if name == "sequences":
        network: Any = cr.nn.Sequential(dense(3, 4), dense(4, 2))
        data, chosen = (RANDOM.normal(size=(6, 5, 3)), RANDOM.normal(size=(6, 5, 2))), "quadratic"
    else:
        network, data, chosen = (np.ones((3, 2), np.float32), np.ones(1, np.float32)), (X, Y), cost
    run = cr.learn(network, data, cost=chosen, epochs=2, batch=4, optimizer=cr.optim.SGD(0.01), progress=False)
    run.save(tmp_path / "run")
    found = cr.Run.load(tmp_path / "run", network=network)
    for one, two in zip(*(cr.tree.flatten(each.network)[0] for each in (run, found)), strict=True):
        np.testing.assert_array_equal(one, two)
    assert found.flow is not None
    assert str(found) == str(run)
