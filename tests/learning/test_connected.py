"""Learning with networks of any connections: it is the same learning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import FormatError
from chainrule.learning.flow import LAYER_QUANTITIES
from chainrule.nn import Connected, Connection, Network, Units
from chainrule.trace.tree import flatten

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((60, 4)).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
OPTIONS: dict[str, Any] = {"cost": "cross_entropy", "batch": 20, "progress": False, "dtype": np.float64}


def chain() -> tuple[Network, Connected]:
    """A network of layers, twice: as layers, and as groups of units."""
    layered = Network([4, 5, 3], "tanh", output="softmax", seed=3, dtype=np.float64)
    units = [Units("hidden", 5, "tanh"), Units("output", 3, "softmax")]
    wiring = Connected(4, units, [("input", "hidden"), ("hidden", "output")]).wiring
    weights = dict(zip(wiring.weight_shapes, (layer.w for layer in layered.layers), strict=True))
    biases = dict(zip(wiring.bias_shapes, (layer.b for layer in layered.layers), strict=True))
    return layered, Connected.from_weights(wiring, weights, biases)


def knotted() -> Connected:
    """Skips, tied weights, missing weights and products, all at once."""
    units = [Units("first", 4, "tanh"), Units("second", 4, "tanh", bias="first"), Units("output", 3, "softmax")]
    connections = [
        Connection("input", "first", weights="shared"),
        Connection("first", "second", weights="shared"),
        Connection("input", "output", places=((0, 1, -1, -1), (-1, 0, 1, -1), (-1, -1, 0, 1))),
        Connection(("input", "second"), "output", products=((0, 1), (2, 5), (3,))),
    ]
    return Connected(4, units, connections, seed=1)


def test_a_chain_of_groups_learns_what_layers_learn_and_shows_the_same_flow() -> None:
    runs = [
        cr.learn(n, (X, LABELS), epochs=3, l2=0.5, watch=1, optimizer=cr.optim.Adam(0.01), **OPTIONS) for n in chain()
    ]
    layered, connected = runs
    order = [leaf for layer in layered.network.layers for leaf in (layer.w, layer.b)]
    found = [
        a
        for pair in zip(connected.network.weights.values(), connected.network.biases.values(), strict=True)
        for a in pair
    ]
    for one, two in zip(order, found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9)
    for name in LAYER_QUANTITIES:
        np.testing.assert_allclose(connected.flow.layers[name], layered.flow.layers[name], rtol=1e-7, err_msg=name)
    for name in layered.flow.totals:
        np.testing.assert_allclose(connected.flow.totals[name], layered.flow.totals[name], rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(connected.flow.class_shares, layered.flow.class_shares, rtol=1e-7)


def test_any_connections_learn_and_the_flow_of_their_example_gradients_is_exact() -> None:
    network = knotted()
    run = cr.learn(network, (X, LABELS), epochs=1, watch=1, optimizer=cr.optim.SGD(0.1), order=np.arange(60), **OPTIONS)
    start = network.astype(np.float64)

    def norms(row: int) -> list[float]:
        found = cr.backprop(start, "cross_entropy", X[row : row + 1], LABELS[row : row + 1])
        return [
            sum(float((d**2).sum()) for d in (*s.dw.values(), *([] if s.db is None else [s.db]))) for s in found.layers
        ]

    expected = np.mean([norms(row) for row in range(20)], axis=0)
    np.testing.assert_allclose(run.flow.layers["example_norm"][0], expected, rtol=1e-6)
    longer = cr.learn(network, (X, LABELS), epochs=60, optimizer=cr.optim.Adam(0.02), **OPTIONS)
    assert longer.history[-1].training_cost < 0.5 * longer.history[0].training_cost


def test_a_run_of_any_connections_is_saved_and_loaded(tmp_path: Path) -> None:
    run = cr.learn(knotted(), (X, LABELS), epochs=1, optimizer=cr.optim.SGD(0.1), **OPTIONS)
    again = cr.Run.load(run.save(tmp_path / "run"))
    assert again.network.wiring == run.network.wiring
    for one, two in zip(flatten(again.network)[0], flatten(run.network)[0], strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(again.network(X), run.network(X))


@pytest.mark.parametrize(
    "wiring",
    [None, [], {}, {"inputs": 3}, {"inputs": [["input", "4"]], "units": [], "connections": [], "outputs": []},
     {"inputs": [["input", 4]], "units": [{"nam": 1}], "connections": [], "outputs": ["x"]}],
)  # fmt: skip
def test_a_wiring_that_is_none_is_refused(tmp_path: Path, wiring: Any) -> None:
    folder = cr.learn(knotted(), (X, LABELS), epochs=1, optimizer=cr.optim.SGD(0.1), **OPTIONS).save(tmp_path / "run")
    path = folder / "configuration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"wiring": wiring}))
    with pytest.raises(FormatError, match=r"configuration\.json.*wiring"):
        cr.Run.load(folder)


def test_backprop_shows_what_reaches_each_group() -> None:
    network = knotted().astype(np.float64)
    found = cr.backprop(network, "cross_entropy", X, LABELS)
    assert [list(layer.dw) for layer in found.layers] == [
        ["shared"],
        ["shared"],
        ["input->output", "input+second->output"],
    ]
    slope = cr.grad(lambda n: cr.nn.costs.softmax_cross_entropy(*n.output(X.astype(float)), np.eye(3)[LABELS]).mean())(
        network
    )
    for layer in found.layers:
        for name, dw in layer.dw.items():
            np.testing.assert_allclose(dw, slope.weights[name], rtol=1e-9, atol=1e-12)
