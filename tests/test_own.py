"""What a user makes in a few lines goes everywhere: layers, activations, costs and optimisers of one's own."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest

import chainrule as cr
from chainrule import numpy as np
from chainrule.trace.tree import paths

X = numpy.random.default_rng(0).normal(size=(60, 4)).astype(numpy.float32)
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
LONGEST = 10  # lines


@dataclass(frozen=True)
class Gated:
    """A layer: half of its units say how much of the other half goes on."""

    w: Any
    b: Any

    def __call__(self, x: Any) -> Any:
        values, gates = np.split(cr.nn.linear(x, self.w, self.b), 2, axis=-1)
        return values * cr.nn.sigmoid(gates)


swish = cr.nn.Activation("swish2", lambda z: z * cr.nn.sigmoid(z))


huber = cr.nn.Cost("huber", lambda z, a, y: np.sum(np.sqrt(1 + (a - y) ** 2) - 1, axis=-1))


@dataclass(frozen=True)
class Signs(cr.optim.Optimizer):
    """An optimiser: steps of one length, along the signs of the gradient."""

    rate: float

    def start(self, parameters: Any) -> Any:
        return ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return cr.tree.map(lambda w, g: w - self.rate * np.sign(g), parameters, gradient), state


@dataclass(frozen=True)
class Residual:
    """A network of one's own: a layer of one's own, a skip, an activation of one's own, outputs without any."""

    gated: Gated
    inner: cr.nn.Dense
    outer: cr.nn.Dense

    def __call__(self, x: Any) -> Any:
        h = self.gated(x)
        return self.outer(h + self.inner(h))


def gated(inputs: int, outputs: int) -> Gated:
    random = numpy.random.default_rng(1)
    w = random.normal(size=(2 * outputs, inputs)) / numpy.sqrt(inputs)
    return Gated(w.astype(numpy.float32), numpy.zeros(2 * outputs, numpy.float32))


def residual() -> Residual:
    return Residual(gated(4, 6), cr.nn.Dense.of(6, 6, swish, seed=2), cr.nn.Dense.of(6, 2, "softmax", seed=3))


def by_hand(parameters: Any, x: Any) -> Any:
    return cr.nn.softmax(swish(x @ parameters["w"] + parameters["b"]) @ parameters["v"])


def function() -> cr.nn.Function:
    random = numpy.random.default_rng(4)
    w, v = (random.normal(size=size).astype(numpy.float32) for size in ((4, 6), (6, 2)))
    return cr.nn.Function(by_hand, {"w": w, "b": numpy.zeros(6, numpy.float32), "v": v})


NETWORKS: dict[str, Any] = {
    "a layer of one's own": lambda: cr.nn.Sequential(gated(4, 6), cr.nn.Dense.of(6, 2, "softmax", seed=3)),
    "an activation of one's own": lambda: cr.nn.Network([4, 6, 2], swish, output="softmax", seed=1),
    "a tree of one's own": residual,
    "a function of parameters": function,
}


@pytest.fixture(scope="module", params=NETWORKS)
def run(request: pytest.FixtureRequest) -> cr.Run:
    network = NETWORKS[request.param]()
    return cr.learn(network, (X, LABELS), cost=huber, epochs=30, batch=10, optimizer=Signs(0.01), progress=False)


def test_each_takes_ten_lines() -> None:
    for made in (Gated, Signs):
        lines = [line for line in inspect.getsource(made).splitlines() if line.strip()]
        assert len(lines) <= LONGEST + 2  # a line of words, and the decorator


def test_it_learns(run: cr.Run) -> None:
    assert run.history[-1].training_cost < 0.8 * run.history[0].training_cost
    assert (run.history[-1].training_accuracy or 0) > 0.6


def test_it_is_backpropagated_through(run: cr.Run) -> None:
    found = cr.backprop(run.network, huber, X, LABELS)
    leaves = cr.tree.flatten(run.network)[0]
    wide = cr.tree.map(lambda w: w.astype(numpy.float64), run.network)

    def cost(network: Any) -> Any:
        return np.mean(huber(None, network(X.astype(numpy.float64)), numpy.eye(2)[LABELS]))

    slopes = cr.tree.flatten(cr.grad(cost)(wide))[0]
    told = [array for layer in found.layers for array in parts(layer.dw) + parts(layer.db)]
    assert {array.shape for array in told} == {leaf.shape for leaf in leaves}
    for array in told:
        assert any(array.shape == s.shape and numpy.allclose(array, s, rtol=1e-3, atol=1e-6) for s in slopes)


def parts(derivative: Any) -> list[Any]:
    return [] if derivative is None else list(derivative.values()) if isinstance(derivative, dict) else [derivative]


def test_what_flows_through_it_is_recorded(run: cr.Run) -> None:
    assert run.flow is not None
    assert len(run.flow) > 0
    for name, values in run.flow.layers.items():
        assert numpy.isfinite(values).all(), name
    predicted, measured = run.flow.totals["predicted"], run.flow.totals["measured"]
    assert (predicted <= 0).all()
    assert numpy.corrcoef(predicted, measured)[0, 1] > 0.5


def test_it_is_diagnosed(run: cr.Run) -> None:
    assert str(cr.insight.diagnose(run, (X, LABELS)))


def test_it_is_explained(run: cr.Run) -> None:
    path = paths(cr.tree.flatten(run.network)[1])[0]
    assert str(cr.insight.explain(run, (X, LABELS), weight=f"{path}[0, 0]"))


def test_it_has_a_report(run: cr.Run, tmp_path: Path) -> None:
    cr.insight.report(run, (X, LABELS), tmp_path / "page.html")
    assert "huber" in (tmp_path / "page.html").read_text("utf-8")


def test_it_is_saved_and_loaded(run: cr.Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run")
    found = cr.Run.load(tmp_path / "run", network=run.network)
    one, two = (cr.tree.flatten(each.network)[0] for each in (run, found))
    for mine, theirs in zip(one, two, strict=True):
        numpy.testing.assert_array_equal(mine, theirs)
    assert found.history == run.history
    assert found.network(X).tobytes() == run.network(X).tobytes()
