"""Insight into what a user makes in a few lines: layers, activations, costs and optimisers of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.test_own import LABELS, NETWORKS, Signs, X, huber

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.insight import LayerExplanation, NeuronExplanation, WeightExplanation, explain
from chainrule.nn.parameters import Parameters, astype

DATA = (X, LABELS)


@pytest.fixture(scope="module", params=NETWORKS)
def run(request: pytest.FixtureRequest) -> cr.Run:
    network = NETWORKS[request.param]()
    return cr.learn(network, DATA, cost=huber, epochs=5, batch=10, optimizer=Signs(0.01), progress=False)


def cost_of(network: Any) -> float:
    wide = astype(network, np.float64)
    return float(np.mean(np.asarray(huber(None, wide(X.astype(np.float64)), np.eye(2)[LABELS]))))


def a_weight(run: cr.Run) -> str:
    return f"{Parameters.of(run.network).paths[0]}[1, 0]"


QUESTIONS: dict[str, Callable[[cr.Run], Any]] = {
    "diagnose": lambda run: cr.insight.diagnose(run, DATA),
    "a weight": lambda run: cr.insight.explain(run, DATA, weight=a_weight(run)),
    "a neuron": lambda run: cr.insight.explain(run, DATA, neuron=(0, 1)),
    "a layer": lambda run: cr.insight.explain(run, DATA, layer=0),
    "largest": lambda run: cr.insight.explain(run, DATA, largest=3),
    "what if": lambda run: cr.insight.what_if(run, DATA, a_weight(run)),
    "curvature": lambda run: cr.insight.curvature(run, DATA, top=1, probes=2),
    "diagonal": lambda run: cr.insight.curvature_diagonal(run, DATA),
    "landscape": lambda run: cr.insight.loss_landscape(run, DATA, points=5),
    "noise": lambda run: cr.insight.gradient_noise(run, DATA),
    "rate": lambda run: cr.insight.find_rate(run, DATA, steps=20, highest=1.0),
    "influence": lambda run: cr.insight.influence(run, DATA, (X[0], LABELS[0]), method="influence"),
    "suspects": lambda run: cr.insight.label_suspects(run, DATA, top=3),
    "attribution": lambda run: cr.insight.attribution(run, X[:2]),
    "saliency": lambda run: cr.insight.saliency(run, DATA, method="optimal_brain_damage"),
    "prune": lambda run: cr.insight.prune(run, DATA, fraction=0.3, steps=2),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered(run: cr.Run, question: str) -> None:
    found = QUESTIONS[question](run)
    assert str(found)
    assert all(len(row) == len(found.table().columns) for row in found.table().rows)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_report_is_written(run: cr.Run, tmp_path: Path) -> None:
    written = cr.insight.report(run, DATA, tmp_path / "page.html").read_text("utf-8")
    told = json.loads(written.partition('id="report-data">')[2].partition("</script>")[0])
    assert told["network"]["parameters"] == Parameters.of(run.network).count
    assert len(told["flow"]["layers"]["error"][0]) == len(told["network"]["activations"])
    alone = cr.insight.report(run, path=tmp_path / "alone.html").read_text("utf-8")
    assert "∂C/∂w of the mean cost" not in alone


def test_the_experiments_of_the_doctor_are_made(run: cr.Run) -> None:
    found = cr.insight.diagnose(run, DATA, confirm=True)
    assert all(finding.outcome is not None and finding.outcome.sentence for finding in found.findings)


def test_what_if_is_what_happens(run: cr.Run) -> None:
    found = cr.insight.what_if(run, DATA, a_weight(run), [-0.5, 0.5])
    leaves, structure = cr.tree.flatten(run.network)
    for change, measured in zip(found.changes, found.measured, strict=True):
        moved = leaves[0].astype(np.float64)
        moved[1, 0] += change
        other = cr.tree.unflatten(structure, [moved, *leaves[1:]])
        assert measured == pytest.approx(cost_of(other) - cost_of(run.network), rel=1e-4, abs=1e-7)


def test_the_derivative_is_the_mean_of_those_of_the_examples(run: cr.Run) -> None:
    found = explain(run, DATA, weight=a_weight(run))
    assert isinstance(found, WeightExplanation)
    for n in (0, 7):
        alone = explain(run, (X[n : n + 1], LABELS[n : n + 1]), weight=a_weight(run))
        assert isinstance(alone, WeightExplanation)
        assert alone.rate == pytest.approx(found.anatomy.products[n], rel=1e-3, abs=1e-7)


def test_a_cost_that_is_a_function_of_the_network_is_asked_too() -> None:
    def mean(network: Any, x: Any, y: Any) -> Any:
        return cr.numpy.mean((network(x)[:, 0] - y) ** 2)

    network = NETWORKS["a tree of one's own"]()
    found = cr.insight.explain(network, DATA, weight="inner.w[1, 0]", cost=mean)
    assert isinstance(found, WeightExplanation)
    outputs = np.asarray(network(X))[:, 0]
    assert found.what_if.cost == pytest.approx(float(((outputs - LABELS) ** 2).mean()), rel=1e-5)
    assert str(cr.insight.diagnose(network, DATA, cost=mean))
    assert cr.insight.curvature(network, DATA, cost=mean, top=1, probes=0).largest > 0
    with pytest.raises(OptionError, match="asks how the cost curves in the outputs"):
        cr.insight.curvature_diagonal(network, DATA, cost=mean)


def test_examples_of_any_shape_are_taken_as_they_are() -> None:
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(40, 4, 4)).astype(np.float32), np.arange(40) % 2
    filters = random.normal(size=(3, 4)).astype(np.float32)

    def forward(p: Any, x: Any) -> Any:
        rows = cr.nn.tanh(x @ p["filters"].T)  # each row of an image by itself
        return cr.nn.softmax(cr.numpy.mean(rows, axis=1) @ p["out"].T)

    out = random.normal(size=(2, 3)).astype(np.float32)
    network = cr.nn.Function(forward, {"filters": filters, "out": out})
    found = cr.insight.explain(network, (images, labels), layer=0)
    assert "3 neurons (tanh)" in found.title
    assert cr.insight.explain(network, (images, labels), neuron=(0, 2)).title
    assert cr.insight.attribution(network, images[:2]).shape == (4, 4)
    assert str(cr.insight.diagnose(network, (images, labels)))
    assert cr.insight.gradient_noise(network, (images, labels)).whole.variance > 0


def test_a_way_around_a_layer_breaks_the_chain_and_no_equation() -> None:
    inner, outer = cr.nn.Dense.of(4, 4, "tanh", seed=1), cr.nn.Dense.of(4, 2, "softmax", seed=2)
    first = cr.nn.Dense.of(4, 4, "tanh", seed=3)

    def forward(p: Any, x: Any) -> Any:
        a = p["first"](x)
        z = p["inner"].weighted_input(a) + a  # what comes out of the first goes on by weights, and around them
        return p["outer"](cr.nn.tanh(z))

    network = cr.nn.Function(forward, {"first": first, "inner": inner, "outer": outer})
    broken = cr.insight.explain(network, DATA, weight="parameters['first'].w[1, 0]")
    whole = cr.insight.explain(network, DATA, weight="parameters['inner'].w[1, 0]")
    assert isinstance(broken, WeightExplanation)
    assert isinstance(whole, WeightExplanation)
    assert broken.chain is None
    assert whole.chain is not None
    for found in (broken, whole):
        assert found.rate == pytest.approx(found.what_if.rate, rel=1e-3, abs=1e-7)


def test_what_weights_multiply_is_told_only_if_it_is_what_it_is_called() -> None:
    layer = cr.nn.Dense.of(4, 2, "softmax", seed=2)
    squares = cr.nn.Function(lambda p, x: p(x * x), layer)
    said = str(cr.insight.explain(squares, DATA, weight="parameters.w[1, 3]"))
    assert "number 3 of what reaches" in said
    plain = cr.nn.Function(lambda p, x: p(x), layer)
    assert "from input 3 to neuron 1" in str(cr.insight.explain(plain, DATA, weight="parameters.w[1, 3]"))


def test_units_along_another_axis_are_those_that_are_told() -> None:
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(40, 1, 6)).astype(np.float32), np.arange(40) % 2
    p = {"filters": np.array([[1.0], [2.0], [-1.0]], np.float32), "out": random.normal(size=(2, 3)).astype(np.float32)}

    def forward(p: Any, x: Any) -> Any:
        with cr.nn.recording.layer("channels", axis=1):
            maps = cr.nn.relu(cr.numpy.einsum("fc,ncw->nfw", p["filters"], x))
        return cr.nn.softmax(cr.numpy.mean(maps, axis=2) @ p["out"].T)

    network = cr.nn.Function(forward, p)
    found = cr.insight.explain(network, (images, labels), layer=0)
    assert isinstance(found, LayerExplanation)
    assert found.neurons == 3
    neuron = cr.insight.explain(network, (images, labels), neuron=(0, 1))
    assert isinstance(neuron, NeuronExplanation)
    assert neuron.z_rms == pytest.approx(2 * float(np.sqrt(np.mean(images**2))), rel=1e-5)
    assert str(cr.insight.diagnose(network, (images, labels)))


def test_outputs_of_any_shape_are_taken_as_they_are(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, y = (random.normal(size=size).astype(np.float32) for size in ((30, 5, 4), (30, 5, 2)))
    network = cr.nn.Sequential(cr.nn.Dense.of(4, 3, "tanh"), cr.nn.Dense.of(3, 2))
    found = cr.insight.explain(network, (x, y), weight="layers[0].w[1, 0]")
    assert isinstance(found, WeightExplanation)
    assert found.rate == pytest.approx(found.what_if.rate, rel=1e-3)
    for ask in (cr.insight.diagnose, cr.insight.curvature_diagonal, cr.insight.gradient_noise, cr.insight.prune):
        assert str(ask(network, (x, y)))
    assert cr.insight.report(cr.Run(network, []), (x, y), tmp_path / "page.html").exists()
    with pytest.raises(OptionError, match="one of the outputs in a row"):
        cr.insight.attribution(network, x[:2])


def test_states_are_no_weights() -> None:
    network = Centred(np.ones((2, 4), np.float32), X.mean(axis=0), np.array(3))
    run = cr.learn(network, DATA, cost="cross_entropy", epochs=1, batch=20, optimizer=cr.optim.SGD(0.1), progress=False)
    assert cr.insight.hessian_matrix(run, DATA).matrix.shape == (8, 8)
    assert cr.insight.saliency(run, DATA).paths == ("w",)
    assert str(cr.insight.diagnose(run, DATA, confirm=True))
    with pytest.raises(OptionError, match="names no weight or bias"):
        cr.insight.explain(run, DATA, weight="mean[0]")


@dataclass(frozen=True)
class Centred:
    """A layer that keeps the mean of what it has seen."""

    w: Any
    mean: Any = field(metadata={"role": "state"})
    steps: Any = field(metadata={"role": "state"})

    def __call__(self, x: Any) -> Any:
        return cr.nn.softmax(cr.nn.tanh(x - self.mean) @ self.w.T)

    def training(self, x: Any, key: Any) -> tuple[Any, Centred]:
        return self(x), Centred(self.w, 0.9 * self.mean + 0.1 * cr.numpy.mean(x, axis=0), self.steps + 1)


def test_parameters_that_only_their_cost_knows_how_to_use() -> None:
    random = np.random.default_rng(0)
    parameters = {"w": random.normal(size=(4, 3)), "v": random.normal(size=3)}

    def cost(p: Any, x: Any, y: Any) -> Any:
        return (cr.numpy.tanh(x @ p["w"]) @ p["v"] - y) ** 2

    found = cr.insight.explain(parameters, DATA, weight="['w'][1, 0]", cost=cost)
    assert isinstance(found, WeightExplanation)
    assert found.rate == pytest.approx(found.what_if.rate)
    assert found.chain is None
    assert str(cr.insight.diagnose(parameters, DATA, cost=cost))
    assert len(cr.insight.influence(parameters, DATA, (X[0], LABELS[0]), cost=cost).scores) == len(X)
    for asked in ({"layer": 0}, {"neuron": (0, 0)}):
        with pytest.raises(OptionError, match="no layers that can be seen"):
            cr.insight.explain(parameters, DATA, cost=cost, **asked)  # type: ignore[arg-type]


def test_inputs_that_are_several_arrays_are_taken_as_they_are() -> None:
    random = np.random.default_rng(0)
    words, numbers = random.integers(0, 5, 30), random.normal(size=(30, 2)).astype(np.float32)
    table, w = random.normal(size=(5, 3)).astype(np.float32), random.normal(size=(2, 5)).astype(np.float32)

    def forward(p: Any, x: Any) -> Any:
        met = cr.numpy.concatenate([p["table"][x["word"]], x["numbers"]], axis=1)
        return cr.nn.softmax(cr.nn.linear(met, p["w"]))

    network = cr.nn.Function(forward, {"table": table, "w": w})
    data = ({"word": words, "numbers": numbers}, words % 2)
    found = cr.insight.explain(network, data, weight="parameters['table'][2, 1]")
    assert isinstance(found, WeightExplanation)
    assert not found.anatomy.products[words != 2].any()
    assert found.anatomy.products[words == 2].any()
    for answer in (cr.insight.diagnose(network, data), cr.insight.prune(network, data, fraction=0.2, steps=1)):
        assert str(answer)


@dataclass(frozen=True)
class Unrolling:
    """A network that runs in time: what it starts from has the dtype of its examples."""

    u: Any
    v: Any
    outer: cr.nn.Dense

    def __call__(self, x: Any) -> Any:
        def step(state: Any, now: Any) -> Any:
            after = cr.nn.tanh(now @ self.u.T + state @ self.v.T)
            return after, after

        start = cr.numpy.zeros((x.shape[0], len(self.v)), x.dtype)
        return self.outer(cr.scan(step, start, cr.numpy.moveaxis(x, 1, 0))[0])


def test_a_network_that_relies_on_the_dtype_of_its_examples_is_asked_in_float64_too() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(20, 4, 2)).astype(np.float32), random.integers(0, 2, 20)
    u, v = (random.normal(size=size).astype(np.float32) for size in ((3, 2), (3, 3)))
    network = Unrolling(u, v, cr.nn.Dense.of(3, 2, "softmax"))
    found = explain(network, (x, y), weight="v[0, 1]")
    moved = cr.insight.what_if(network, (x, y), "v[0, 1]")
    assert found.rate == pytest.approx(float(cr.grad(lambda n: mean_cost(n, x, y))(network).v[0, 1]), rel=1e-4)
    assert str(moved)


def mean_cost(network: Any, x: Any, y: Any) -> Any:
    return cr.numpy.mean(-cr.numpy.log(cr.numpy.sum(network(x) * np.eye(2, dtype=np.float32)[y], axis=1)))
