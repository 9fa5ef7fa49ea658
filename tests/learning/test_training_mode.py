"""What a network does only while it learns: random numbers from keys, states that move on, and where both end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DTypeError, OptionError
from chainrule.learning.evaluate import evaluate

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(23, 3)) + 2, RANDOM.normal(size=(23, 2))
ROWS = np.arange(23)


@dataclass(frozen=True)
class Dropout:
    """A layer of a user's own: half of what reaches it, twice as large."""

    def __call__(self, x: Any) -> Any:
        return x

    def training(self, x: Any, key: Any) -> Any:
        return cnp.where(cr.random.uniform(key, x.shape) < 0.5, 2 * x, 0.0), self


@dataclass(frozen=True)
class Centred:
    """A layer with a state: the mean of what reached it, which takes the place of a batch's own in use."""

    mean: Any = field(metadata={"role": "state"})
    seen: Any  # batches

    def __call__(self, x: Any) -> Any:
        return x - self.mean

    def training(self, x: Any, key: Any) -> Any:
        mean = cnp.mean(x, axis=0)
        return x - mean, replace(self, mean=0.5 * self.mean + 0.5 * mean, seen=self.seen + 1)


def dense(inputs: int, outputs: int, seed: int) -> cr.nn.Dense:
    return cr.nn.Dense.of(inputs, outputs, "tanh", seed=seed, dtype=np.float64)


def dropping() -> cr.nn.Sequential:
    return cr.nn.Sequential(dense(3, 8, 1), Dropout(), dense(8, 2, 2))


def centred() -> cr.nn.Sequential:
    return cr.nn.Sequential(Centred(np.zeros(3), np.zeros((), np.int64)), dense(3, 2, 1))


def learned(network: Any, epochs: int = 1, **options: Any) -> cr.Run:
    asked: dict[str, Any] = {
        "cost": "quadratic", "batch": 5, "optimizer": cr.optim.SGD(0.1), "dtype": np.float64, "watch": False,
        "progress": False, "order": np.tile(ROWS, epochs),
    }  # fmt: skip
    return cr.learn(network, (X, Y), epochs=epochs, **asked | options)


def bits(tree: Any) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in cr.tree.flatten(tree)[0])


# keys


def by_hand(network: Any, seed: int, epochs: int) -> Any:
    """Plain descent with the keys that the rule says: of the seed, the epoch and the step in it."""

    def cost(network: Any, key: Any, x: Any, y: Any) -> Any:
        return 0.5 * cnp.mean(cnp.sum((network.training(x, key)[0] - y) ** 2, axis=1))

    for epoch in range(epochs):
        in_epoch = cr.random.fold_in(cr.random.key(seed), epoch)
        for step, start in enumerate(range(0, 23, 5)):
            rows = slice(start, start + 5)
            slope = cr.grad(cost)(network, cr.random.fold_in(in_epoch, step), X[rows], Y[rows])
            network = cr.tree.map(lambda w, g: w - 0.1 * g, network, slope)
    return network


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 3])
def test_the_key_of_a_step_is_made_of_the_seed_the_epoch_and_the_step(seed: int) -> None:
    expected = by_hand(dropping(), seed, 2)
    found = learned(dropping(), 2, seed=seed).network
    for one, two in zip(cr.tree.flatten(found)[0], cr.tree.flatten(expected)[0], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-15)


def test_the_first_epoch_is_that_of_any_longer_run() -> None:
    kept: list[Any] = []
    longer = learned(dropping(), 3, on_epoch=lambda moment: kept.append(bits(moment.network)))
    assert kept[0] == bits(learned(dropping()).network)
    assert kept[2] == bits(longer.network)
    assert len(set(kept)) == 3


def test_the_same_seed_gives_the_same_bits_watched_or_not_and_another_seed_others() -> None:
    runs = [learned(dropping(), seed=seed, watch=watch) for seed, watch in ((1, False), (1, 2), (1, True), (2, False))]
    assert len({bits(run.network) for run in runs[:3]}) == 1
    assert bits(runs[3].network) != bits(runs[0].network)


def test_layers_of_one_kind_have_keys_of_their_own() -> None:
    ones = np.ones((4, 8))
    network = cr.nn.Sequential(Dropout(), cr.nn.identity, Dropout())
    found = np.asarray(network.training(ones, cr.random.key(0))[0])
    assert set(np.unique(found)) == {0.0, 4.0}
    assert 0 < (found == 0).mean() < 1


def test_the_measured_change_of_a_step_is_that_under_its_own_random_numbers() -> None:
    flow = learned(dropping(), 4, optimizer=cr.optim.SGD(1e-5), watch=2).flow
    assert flow is not None
    np.testing.assert_allclose(flow.totals["measured"], flow.totals["predicted"], rtol=1e-3)


def test_nothing_is_left_out_in_use() -> None:
    run = learned(dropping(), validation=(X, Y), evaluate_training=True)
    expected = 0.5 * ((run.network(X) - Y) ** 2).sum(axis=1).mean()
    assert run.history[-1].validation_cost == pytest.approx(expected, rel=1e-12)
    assert run.history[-1].training_cost == pytest.approx(expected, rel=1e-12)
    assert evaluate(run.network, (X, Y), cost="quadratic")[0] == pytest.approx(expected, rel=1e-12)


# states


@pytest.mark.parametrize("optimizer", [cr.optim.SGD(0.1), cr.optim.Adam(0.1)], ids=["descent", "Adam"])
@pytest.mark.parametrize("watch", [False, 1, 2])
def test_states_move_on_step_by_step_with_the_short_last_batch_and_by_nothing_else(optimizer: Any, watch: Any) -> None:
    mean = np.zeros(3)
    for start in [*range(0, 23, 5)] * 2:
        mean = 0.5 * mean + 0.5 * X[start : start + 5].mean(axis=0)
    run = learned(centred(), 2, optimizer=optimizer, l2=1.0, watch=watch, validation=(X, Y))
    state = run.network.layers[0]
    np.testing.assert_allclose(state.mean, mean, rtol=1e-12)
    assert state.seen == 10
    assert state.seen.dtype == np.int64
    w, b = run.network.layers[1].w, run.network.layers[1].b
    of_data = 0.5 * ((np.tanh((X - mean) @ w.T + b) - Y) ** 2).sum(axis=1).mean()
    assert run.history[-1].validation_cost == pytest.approx(of_data + 0.5 / 23 * (w**2).sum(), rel=1e-12)


def test_the_weights_learn_as_if_the_states_were_not_there() -> None:
    w, b = (np.array(array) for array in cr.tree.flatten(centred().layers[1])[0])
    for start in range(0, 23, 5):
        x, y = X[start : start + 5], Y[start : start + 5]
        x = x - x.mean(axis=0)
        a = np.tanh(x @ w.T + b)
        delta = (a - y) * (1 - a * a) / len(x)
        w, b = w - 0.1 * delta.T @ x, b - 0.1 * delta.sum(axis=0)
    found = learned(centred()).network.layers[1]
    np.testing.assert_allclose(found.w, w, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.b, b, rtol=1e-12, atol=1e-15)


def test_backpropagation_gives_states_no_derivative() -> None:
    found = cr.backprop(centred(), "quadratic", X, Y)
    (layer,) = found.layers
    assert (layer.dw.shape, layer.db.shape) == ((2, 3), (2,))


def test_a_run_with_states_is_saved_and_loaded(tmp_path: Any) -> None:
    run = learned(centred(), watch=True)
    run.save(tmp_path / "run")
    found = cr.Run.load(tmp_path / "run", network=centred())
    assert bits(found.network) == bits(run.network)
    assert found.network.layers[0].seen == 5


# refusals


@dataclass(frozen=True)
class Holder:
    first: Any
    drop: Any

    def __call__(self, x: Any) -> Any:
        return self.drop(self.first(x))


@dataclass(frozen=True)
class Handing(Holder):
    """A network of a user's own that hands the training on."""

    def training(self, x: Any, key: Any) -> Any:
        outputs, drop = cr.nn.training(self.drop, self.first(x), key)
        return outputs, replace(self, drop=drop)


def test_a_part_that_would_never_be_trained_is_refused_with_a_cure() -> None:
    with pytest.raises(OptionError, match=r"(?s)Dropout does something else while it learns, but the Holder.*training"):
        learned(Holder(dense(3, 2, 0), Dropout()))
    network = Handing(dense(3, 2, 0), Dropout())
    assert bits(learned(network, seed=1).network) != bits(learned(network, seed=2).network)


def test_a_cost_that_is_a_function_cannot_train_such_a_network() -> None:
    def mean(network: Any, x: Any, y: Any) -> Any:
        return cnp.mean((network(x) - y) ** 2)

    with pytest.raises(OptionError, match=r"(?s)a cost that is a function.*cr\.nn\.Cost\(name, function\)"):
        learned(dropping(), cost=mean)


@dataclass(frozen=True)
class Wrong(Centred):
    what: Any = field(default=0, metadata={"static": True})

    def training(self, x: Any, key: Any) -> Any:
        state = cnp.mean(x) if self.what == "shape" else self.mean
        return {
            "alone": x,
            "nothing": (x, None),
            "other": (x, {"mean": self.mean}),
            "shape": (x, replace(self, mean=state)),
        }[self.what]


WRONG = {
    "alone": "Wrong.training must give its outputs and itself",
    "nothing": "Wrong.training must give its outputs and itself",
    "other": "Wrong.training must give its outputs and itself",
    "shape": "a step makes f64[] of f64[3] at [0].layers[0].mean",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_method_training_that_does_not_give_the_layer_back_is_refused(what: str) -> None:
    network = cr.nn.Sequential(Wrong(np.zeros(3), np.zeros((), np.int64), what), dense(3, 2, 0))
    with pytest.raises((OptionError, DTypeError), match=re.escape(WRONG[what])):
        learned(network)
