"""What is recorded of a step, each number against its definition, computed example by example in NumPy and float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from tests.learning.test_loop import CASES, Case, Reference, Weights, sigma

import chainrule as cr
from chainrule.learning.flow import LAYER_QUANTITIES, STEP_QUANTITIES, Flow
from chainrule.learning.optimizers import Optimizer
from chainrule.nn import Network
from chainrule.trace.tree import tree_map

Array = np.ndarray[Any, Any]

# the slow way: one example at a time, one number at a time


def rms(numbers: Any) -> float:
    return float(np.sqrt(np.mean(np.square(numbers))))


def slope(name: str, z: Array) -> Array:
    """σ'(z) of each neuron, by its formula."""
    a = sigma(name, z)
    return {"sigmoid": a * (1 - a), "tanh": 1 - a**2, "relu": np.where(z > 0, 1.0, 0.0)}.get(name, np.ones_like(z))


def is_flat(name: str, z: Array) -> bool:
    """Whether a neuron's mean slope over the examples is below a twentieth of the steepest."""
    steepest = {"sigmoid": 0.25, "tanh": 1.0}.get(name)
    return steepest is not None and float(np.mean(slope(name, z))) < steepest / 20


class Watching(Reference):
    """The reference of `learn`, which notes of every step of a whole batch what there is to see."""

    def __init__(self, case: Case) -> None:
        self.seen: list[dict[str, Any]] = []
        super().__init__(case)

    def step(self, batch: Array) -> None:
        before = [(w.copy(), b.copy()) for w, b in self.weights]
        found = self.figures_of(batch)
        super().step(batch)
        if len(batch) == self.case.batch:
            self.seen.append(found | self.figures_of_the_step(before, self.weights, batch))

    def cost(self, weights: Weights, batch: Array) -> float:
        """The mean over the batch, penalty included."""
        kept, self.weights = self.weights, weights
        total = self.figures(self.case.x[batch], self.case.y[batch])[0] / len(batch)
        self.weights = kept
        return total

    def figures_of(self, batch: Array) -> dict[str, Any]:
        """What does not depend on the step."""
        case = self.case
        a = np.array([[*self.activations(case.x[row])] for row in batch], object)
        gradients = [self.backpropagate(case.x[row], case.y[row]) for row in batch]
        found: dict[str, Any] = {name: [] for name in LAYER_QUANTITIES if name != "update_ratio"}
        for n, ((w, b), name) in enumerate(zip(self.weights, case.names, strict=True)):
            z = np.array([w @ row[n] + b for row in a])
            dw, db = np.array([g[n][0] for g in gradients]), np.array([g[n][1] for g in gradients])
            off = [name == "relu" and all(slope(name, neuron) == 0) for neuron in z.T]
            values = {
                "activation": rms(list(a[:, n + 1])), "weighted_input": rms(z), "error": rms(db),
                "gradient": rms(dw.mean(axis=0)), "bias_gradient": rms(db.mean(axis=0)),
                "dead": np.mean(off), "saturated": np.mean([is_flat(name, neuron) for neuron in z.T]),
                "example_norm": np.mean([(p**2).sum() + (q**2).sum() for p, q in zip(dw, db, strict=True)]),
                "batch_norm": (dw.mean(axis=0) ** 2).sum() + (db.mean(axis=0) ** 2).sum(),
            }  # fmt: skip
            for quantity, value in values.items():
                found[quantity].append(value)
        lengths = [np.sqrt(sum((p**2).sum() for layer in g for p in layer)) for g in gradients]
        shares = [sum(s for s, row in zip(lengths, batch, strict=True) if case.labels[row] == c) / sum(lengths)
                  for c in range(case.sizes[-1])] if case.labels.ndim == 1 else []  # fmt: skip
        return found | {"class_shares": shares, "cost": self.cost(self.weights, batch)}

    def figures_of_the_step(self, before: Weights, after: Weights, batch: Array) -> dict[str, Any]:
        """How far the weights went, and what that does to the cost, by central differences along the way."""

        def moved(share: float) -> Weights:
            pairs = zip(before, after, strict=True)
            return [(w + share * (v - w), b + share * (c - b)) for (w, b), (v, c) in pairs]

        ratios = [rms(v - w) / rms(v) for (w, _), (v, _) in zip(before, after, strict=True)]
        predicted = (self.cost(moved(1e-4), batch) - self.cost(moved(-1e-4), batch)) / 2e-4
        measured = self.cost(after, batch) - self.cost(before, batch)
        return {"update_ratio": ratios, "predicted": predicted, "measured": measured}


def scaled(case: Case, factor: float, shift: float) -> Case:
    """The case with larger weights and lower biases, so that neurons are off or far out."""
    case.weights = [(factor * w, factor * b - shift) for w, b in case.weights]
    return case


SEVERAL = (
    "sgd, quadratic", "sgd, cross-entropy, l2", "sgd, softmax of tanh, l2", "momentum, quadratic, l2",
    "momentum, three layers, softmax", "adam, relu, softmax, l2", "adam, regression", "one example at a time",
    "one output",
)  # fmt: skip
PLAINLY: dict[str, Any] = {"epochs": 2, "examples": 20, "validated": False, "evaluate_training": False}
FLOWING = {name: replace(CASES[name], **PLAINLY) for name in SEVERAL} | {
    "neurons that are off or far out": scaled(
        Case([4, 12, 16, 14, 3], ["relu", "tanh", "sigmoid", "softmax"], "softmax_cross_entropy", cr.optim.SGD(0.1),
             batch=4, epochs=2, examples=20), 4.0, 3.0,
    ),
    "identity inside": Case([4, 6, 3], ["identity", "relu"], "quadratic", cr.optim.SGD(0.01), l2=3.0, epochs=2,
                            examples=20),
}  # fmt: skip


@dataclass
class Recorded:
    """A case, what the slow way saw of its whole batches, and what `learn` recorded of every other one."""

    case: Case
    slow: list[dict[str, Any]]
    flow: Flow

    def expected(self, name: str) -> Array:
        """The slow way's values of the recorded steps."""
        return np.array([self.slow[n][name] for n in self.places()], np.float64)

    def places(self) -> list[int]:
        """Which of the whole batches were recorded."""
        whole, each = self.case.examples // self.case.batch, -(-self.case.examples // self.case.batch)
        return [int(s) // each * whole + int(s) % each for s in self.flow.steps]


def recorded(case: Case, watch: int, dtype: Any = np.float64) -> Recorded:
    flow = case.learned(watch=watch, dtype=dtype).flow
    assert flow is not None
    return Recorded(case, Watching(case).seen, flow)


@pytest.fixture(scope="module", params=list(FLOWING), ids=list(FLOWING))
def found(request: pytest.FixtureRequest) -> Recorded:
    return recorded(FLOWING[request.param], 2)


EXACT = {"rtol": 1e-10, "atol": 1e-13}


def test_each_layer_has_its_quantities_by_their_definitions(found: Recorded) -> None:
    assert len(found.flow) >= 2
    assert set(found.flow.layers) == set(LAYER_QUANTITIES)
    for name in LAYER_QUANTITIES:
        np.testing.assert_allclose(found.flow.layers[name], found.expected(name), **EXACT, err_msg=name)


def test_the_cost_is_that_of_the_batch_before_the_step(found: Recorded) -> None:
    np.testing.assert_allclose(found.flow.totals["cost"], found.expected("cost"), **EXACT)


def test_the_predicted_change_is_the_slope_of_the_cost_along_the_step(found: Recorded) -> None:
    predicted = found.expected("predicted")
    np.testing.assert_allclose(found.flow.totals["predicted"], predicted, rtol=1e-5, atol=1e-9)


def test_the_measured_change_is_that_of_the_same_batch(found: Recorded) -> None:
    np.testing.assert_allclose(found.flow.totals["measured"], found.expected("measured"), rtol=1e-9, atol=1e-13)


def test_class_shares_are_those_of_the_lengths_of_the_gradients_and_add_up_to_one(found: Recorded) -> None:
    shares = found.flow.class_shares
    assert shares.shape == (len(found.flow), 0 if found.case.regression else found.case.sizes[-1])
    np.testing.assert_allclose(shares, found.expected("class_shares").reshape(shares.shape), **EXACT)
    if not found.case.regression:
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)


def test_the_parts_of_a_gradient_make_up_its_length(found: Recorded) -> None:
    sizes = [(w.size, b.size) for w, b in found.case.weights]
    layers = found.flow.layers
    parts = np.array([w * g**2 + b * h**2 for g, h, (w, b) in zip(
        layers["gradient"].T, layers["bias_gradient"].T, sizes, strict=True)]).T  # fmt: skip
    np.testing.assert_allclose(parts, layers["batch_norm"], **EXACT)
    assert (layers["batch_norm"] <= layers["example_norm"] * (1 + 1e-12)).all()


def test_the_neurons_that_are_off_or_far_out_are_some() -> None:
    """Else the definitions of dead and saturated would not be tested."""
    slow = Watching(FLOWING["neurons that are off or far out"]).seen
    for name, layer in (("dead", 0), ("saturated", 1), ("saturated", 2)):
        assert all(0 < step[name][layer] < 1 for step in slow)


@pytest.mark.parametrize("name", ["sgd, softmax of tanh, l2", "adam, relu, softmax, l2"])
def test_a_step_that_is_watched_every_time_records_the_same(name: str) -> None:
    found = recorded(FLOWING[name], 1)
    assert len(found.flow) == len(found.slow)
    for quantity in LAYER_QUANTITIES:
        np.testing.assert_allclose(found.flow.layers[quantity], found.expected(quantity), **EXACT, err_msg=quantity)
    np.testing.assert_allclose(found.flow.totals["cost"], found.expected("cost"), **EXACT)
    np.testing.assert_allclose(found.flow.totals["predicted"], found.expected("predicted"), rtol=1e-5, atol=1e-9)
    assert np.isnan(found.flow.totals["measured"]).all()  # nothing runs twice


@pytest.mark.parametrize("name", ["sgd, cross-entropy, l2", "adam, regression"])
def test_in_float32_the_records_are_those_of_float64_but_for_rounding(name: str) -> None:
    found = recorded(FLOWING[name], 2, np.float32)
    for quantity in LAYER_QUANTITIES:
        np.testing.assert_allclose(found.flow.layers[quantity], found.expected(quantity), rtol=3e-4, atol=1e-7,
                                   err_msg=quantity)  # fmt: skip
    cost = found.expected("cost")
    np.testing.assert_allclose(found.flow.totals["cost"], cost, rtol=1e-5)
    np.testing.assert_allclose(found.flow.totals["predicted"], found.expected("predicted"), rtol=1e-3, atol=1e-6)
    lost = 20 * np.finfo(np.float32).eps * cost.max()  # what a difference of two costs cannot know
    np.testing.assert_allclose(found.flow.totals["measured"], found.expected("measured"), rtol=1e-3, atol=lost)


# how far a step goes, whatever makes it


@dataclass(frozen=True)
class Made(Optimizer):
    """An optimiser of one formula."""

    formula: Callable[[Any, Any], Any]

    def start(self, parameters: Any) -> Any:
        return ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        return tree_map(self.formula, parameters, gradient), state


FORMULAS: dict[str, Callable[[Any, Any], Any]] = {
    "descent": lambda w, g: w - 0.3 * g,
    "descent, the rate last": lambda w, g: w - g * 0.3,
    "ascent of the opposite": lambda w, g: w + -0.3 * g,
    "the opposite of the opposite": lambda w, g: w - cr.numpy.negative(-(0.3 * g)),
    "the gradient itself": lambda w, g: w - g,
    "the step first": lambda w, g: -0.3 * g + w,
    "decay": lambda w, g: 0.99 * w - 0.3 * g,
    "signs": lambda w, g: w - 0.01 * (g / (abs(g) + 1e-3)),
    "the step from a weight": lambda w, g: 0.1 * g - w,
    "nothing": lambda w, g: w,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_how_far_a_step_goes_does_not_depend_on_how_it_is_written(name: str) -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(size=(6, 3)), random.normal(size=(6, 2))
    before = Network([3, 4, 2], "tanh", output="identity", seed=1, dtype=np.float64)
    run = cr.learn(before, (x, y), cost="quadratic", epochs=1, batch=6, optimizer=Made(FORMULAS[name]), l2=0.5,
                   order=np.arange(6), dtype=np.float64, watch=1, progress=False)  # fmt: skip
    assert run.flow is not None
    gradient = cr.backprop(before, "quadratic", x, y).gradient
    along, decay = 0.0, 0.5 / 6
    for n, (one, two, (dw, db)) in enumerate(zip(before.layers, run.network.layers, gradient, strict=True)):
        ratio = rms(two.w - one.w) / rms(two.w)
        assert run.flow.layers["update_ratio"][0, n] == pytest.approx(ratio, rel=1e-10)
        along += float(((two.w - one.w) * (dw + decay * one.w)).sum() + ((two.b - one.b) * db).sum())
    assert run.flow.totals["predicted"][0] == pytest.approx(along, rel=1e-10)


def test_a_step_too_small_to_be_seen_in_the_weights_is_still_known_to_all_digits() -> None:
    random = np.random.default_rng(3)
    data = random.normal(size=(8, 3)), random.integers(0, 2, 8)
    network = Network([3, 4, 2], "tanh", output="softmax", seed=1)

    def flow(rate: float) -> Flow:
        run = cr.learn(network, data, cost="cross_entropy", epochs=1, batch=8, optimizer=cr.optim.Momentum(rate),
                       order=np.arange(8), watch=1, progress=False)  # fmt: skip
        assert run.flow is not None
        return run.flow

    small, usual = flow(1e-7), flow(1e-1)
    moved = usual.layers["update_ratio"] * 1e-6
    np.testing.assert_allclose(small.layers["update_ratio"], moved, rtol=0.1)  # over other weights
    np.testing.assert_allclose(small.totals["predicted"], usual.totals["predicted"] * 1e-6, rtol=1e-5)


def test_small_steps_do_what_they_are_predicted_to() -> None:
    case = replace(FLOWING["sgd, cross-entropy, l2"], epochs=1)
    for rate in (1e-2, 1e-3):
        flow = replace(case, optimizer=cr.optim.SGD(rate)).learned(watch=2).flow
        assert flow is not None
        assert (flow.totals["predicted"] < 0).all()
        surprise = np.abs(flow.totals["measured"] / flow.totals["predicted"] - 1)
        assert surprise.max() < 5 * rate


# signal and noise


def every_batch(examples: int, size: int) -> Array:
    """Every way to draw `size` examples, one after the other, each from all of them."""
    return np.array(list(itertools.product(range(examples), repeat=size)))


@pytest.mark.parametrize("size", [2, 3])
def test_noise_and_signal_are_right_on_average(size: int) -> None:
    """Over all batches that can be drawn their means are tr Σ and ‖G‖² of the whole set, exactly."""
    random, examples = np.random.default_rng(7), 6
    x, y = random.normal(size=(examples, 3)), random.normal(size=(examples, 2))
    network = Network([3, 4, 2], "tanh", output="sigmoid", seed=2, dtype=np.float64)
    batches = every_batch(examples, size)
    run = cr.learn(network, (x, y), cost="quadratic", epochs=batches.size // examples, batch=size, order=batches,
                   optimizer=cr.optim.SGD(0.0), dtype=np.float64, watch=1, progress=False)  # fmt: skip
    assert run.flow is not None
    assert len(run.flow) == len(batches)
    single = [cr.backprop(network, "quadratic", x[n : n + 1], y[n : n + 1]).gradient for n in range(examples)]
    for layer in range(2):
        each = np.array([np.append(g[layer][0], g[layer][1]) for g in single])
        whole = each.mean(axis=0)
        noise = np.mean([((one - whole) ** 2).sum() for one in each])
        assert run.flow.noise[:, layer].mean() == pytest.approx(noise, rel=1e-10)
        assert run.flow.signal[:, layer].mean() == pytest.approx(float((whole**2).sum()), rel=1e-10)
        assert run.flow.layers["batch_norm"][:, layer].mean() > 1.1 * (whole**2).sum()  # which would be biased


def made(example_norm: Any, batch_norm: Any, batch: int = 4) -> Flow:
    """A flow in which only lengths of gradients are known."""
    given = {"example_norm": np.array(example_norm, float), "batch_norm": np.array(batch_norm, float)}
    records = len(given["batch_norm"])
    layers = {name: given.get(name, np.zeros_like(given["batch_norm"])) for name in LAYER_QUANTITIES}
    totals = {name: np.zeros(records) for name in STEP_QUANTITIES}
    return Flow(np.arange(records), batch, layers, totals, np.zeros((records, 0)))


def test_the_noise_scale_is_the_quotient_of_the_means() -> None:
    flow = made([[10, 2], [16, 4]], [[4, 1], [10, 1]])
    np.testing.assert_allclose(flow.noise, [[8, 4 / 3], [8, 4]])
    np.testing.assert_allclose(flow.signal, [[2, 2 / 3], [8, 0]])
    assert flow.noise_scale() == pytest.approx((8 + 4 / 3 + 8 + 4) / (2 + 2 / 3 + 8))
    assert flow.noise_scale(last=1) == pytest.approx(12 / 8)


def test_without_signal_the_noise_scale_is_infinite_and_without_examples_to_compare_unknown() -> None:
    assert made([[10]], [[1]]).noise_scale() == float("inf")
    assert np.isnan(made([[10]], [[10]], batch=1).noise_scale())
    assert np.isnan(made(np.zeros((0, 2)), np.zeros((0, 2))).noise_scale())
    assert np.isnan(made([[10]], [[10]], batch=1).noise).all()


# as arrays


def test_a_flow_is_made_again_from_its_arrays() -> None:
    flow = recorded(FLOWING["sgd, quadratic"], 2).flow
    again = Flow.from_tensors(flow.to_tensors())
    assert (again.batch, len(again)) == (flow.batch, len(flow))
    for name, array in flow.to_tensors().items():
        np.testing.assert_array_equal(again.to_tensors()[name], array, err_msg=name)


@pytest.mark.parametrize(
    "damage",
    [
        {"steps": np.zeros(3)},
        {"steps": np.zeros(5, np.int64)},
        {"batch": np.array([0])},
        {"batch": np.array([2.5])},
        {"batch": np.zeros(0, np.int64)},
        {"layers.error": np.zeros((2, 2))},
        {"layers.error": np.zeros(2, np.int64)},
        {"totals.cost": np.zeros((2, 1))},
        {"class_shares": np.zeros(2)},
        {name: np.zeros(2) for name in (f"layers.{q}" for q in LAYER_QUANTITIES)},
    ],
)
def test_arrays_that_do_not_fit_each_other_are_no_flow(damage: dict[str, Array]) -> None:
    whole = made([[10], [16]], [[4], [10]]).to_tensors()
    assert len(Flow.from_tensors(whole)) == 2
    with pytest.raises(ValueError, match="number"):
        Flow.from_tensors(whole | damage)


def test_a_missing_array_is_missed() -> None:
    whole = made([[10], [16]], [[4], [10]]).to_tensors()
    del whole["layers.dead"]
    with pytest.raises(KeyError):
        Flow.from_tensors(whole)
