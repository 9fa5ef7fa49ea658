"""`learn` against mini-batch backpropagation as it stands in Nielsen's book, written here afresh in NumPy and float64.

The reference goes through the examples one by one, with an explicit order, so what `learn` adds (a compiled loop,
batches, fused updates, a short last batch) must make no difference but rounding.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DTypeError, OptionError
from chainrule.learning import loop
from chainrule.nn import Network
from chainrule.trace.tree import tree_map

Weights = list[tuple[np.ndarray, np.ndarray]]

# the reference: one example at a time


def sigma(name: str, z: np.ndarray) -> np.ndarray:
    match name:
        case "sigmoid":
            return 1 / (1 + np.exp(-z))
        case "tanh":
            return np.tanh(z)
        case "relu":
            return np.where(z > 0, z, 0.0)
        case "softmax":
            return np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    return z


def times_sigma_prime(name: str, error: np.ndarray, a: np.ndarray) -> np.ndarray:
    """`error ⊙ σ'(z)`, of the activation a."""
    match name:
        case "sigmoid":
            return error * a * (1 - a)
        case "tanh":
            return error * (1 - a * a)
        case "relu":
            return error * (a > 0)
        case "softmax":
            return a * (error - error @ a)
    return error


def cost_of(name: str, a: np.ndarray, y: np.ndarray) -> float:
    match name:
        case "quadratic":
            return 0.5 * float(((a - y) ** 2).sum())
        case "sigmoid_cross_entropy":
            return -float((y * np.log(a) + (1 - y) * np.log(1 - a)).sum())
    return -float((y * np.log(a)).sum())


def cost_prime(name: str, a: np.ndarray, y: np.ndarray) -> np.ndarray:
    match name:
        case "quadratic":
            return a - y
        case "sigmoid_cross_entropy":
            return (a - y) / (a * (1 - a))
    return -y / a


@dataclass
class Case:
    """What to learn and how; the same for the reference and for `learn`."""

    sizes: list[int]
    names: list[str]
    cost: str
    optimizer: Any
    l2: float = 0.0
    batch: int = 5
    epochs: int = 4
    examples: int = 23
    regression: bool = False
    evaluate_training: bool = False
    validated: bool = False

    def __post_init__(self) -> None:
        random = np.random.default_rng(42)
        self.weights = [(random.normal(size=(n, m)) / 2, random.normal(size=n) / 2) for m, n in pairwise(self.sizes)]
        self.x = random.normal(size=(self.examples, self.sizes[0]))
        self.held_x = random.normal(size=(9, self.sizes[0]))
        classes = self.sizes[-1]
        self.labels, self.held_labels = random.integers(0, classes, self.examples), random.integers(0, classes, 9)
        self.y, self.held_y = np.eye(classes)[self.labels], np.eye(classes)[self.held_labels]
        if self.regression:
            self.y, self.held_y = random.normal(size=self.y.shape), random.normal(size=self.held_y.shape)
            self.labels, self.held_labels = self.y, self.held_y
        self.order = np.array([random.permutation(self.examples) for _ in range(self.epochs)])

    def network(self) -> Network:
        return Network.from_weights(self.weights, self.names)

    def learned(self, **changed: Any) -> cr.Run:
        options: dict[str, Any] = {
            "cost": self.cost,
            "epochs": self.epochs,
            "batch": self.batch,
            "optimizer": self.optimizer,
            "l2": self.l2,
            "order": self.order,
            "dtype": np.float64,
            "evaluate_training": self.evaluate_training,
            "validation": (self.held_x, self.held_labels) if self.validated else None,
            "progress": False,
        }
        return cr.learn(self.network(), (self.x, self.labels), **options | changed)


@dataclass
class Reference:
    """Nielsen's stochastic gradient descent, with the optimisers of the papers in place of his update."""

    case: Case
    weights: Weights = field(init=False)
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.weights = [(w.copy(), b.copy()) for w, b in self.case.weights]
        self.update = _update(self.case.optimizer, self.weights)
        for rows in self.case.order:
            self.history.append(self.epoch(rows))

    def activations(self, x: np.ndarray) -> list[np.ndarray]:
        found = [x]
        for (w, b), name in zip(self.weights, self.case.names, strict=True):
            found.append(sigma(name, w @ found[-1] + b))
        return found

    def backpropagate(self, x: np.ndarray, y: np.ndarray) -> Weights:
        """The gradient of C_x."""
        a = self.activations(x)
        delta = times_sigma_prime(self.case.names[-1], cost_prime(self.case.cost, a[-1], y), a[-1])
        nabla = [(np.outer(delta, a[-2]), delta)]
        for layer in range(len(self.weights) - 1, 0, -1):
            delta = times_sigma_prime(self.case.names[layer - 1], self.weights[layer][0].T @ delta, a[layer])
            nabla.insert(0, (np.outer(delta, a[layer - 1]), delta))
        return nabla

    def penalty(self) -> float:
        return self.case.l2 / (2 * self.case.examples) * sum(float((w**2).sum()) for w, _ in self.weights)

    def figures(self, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
        """The sum over examples of cost with penalty, and how many are right."""
        outputs = [self.activations(one)[-1] for one in x]
        cost = sum(cost_of(self.case.cost, a, t) + self.penalty() for a, t in zip(outputs, y, strict=True))
        return cost, sum(int(a.argmax() == t.argmax()) for a, t in zip(outputs, y, strict=True))

    def epoch(self, rows: np.ndarray) -> dict[str, Any]:
        case, cost, right = self.case, 0.0, 0
        for batch in (rows[start : start + case.batch] for start in range(0, len(rows), case.batch)):
            more, better = self.figures(case.x[batch], case.y[batch])
            cost, right = cost + more, right + better
            self.step(batch)
        if case.evaluate_training:
            cost, right = self.figures(case.x, case.y)
        found = {"training_cost": cost / case.examples, "training_accuracy": right / case.examples}
        if case.validated:
            cost, right = self.figures(case.held_x, case.held_y)
            found |= {"validation_cost": cost / 9, "validation_accuracy": right / 9}
        return found

    def step(self, batch: np.ndarray) -> None:
        total = [(np.zeros_like(w), np.zeros_like(b)) for w, b in self.weights]
        for row in batch:
            for (tw, tb), (nw, nb) in zip(total, self.backpropagate(self.case.x[row], self.case.y[row]), strict=True):
                tw += nw
                tb += nb
        decay = self.case.l2 / self.case.examples
        for layer, ((w, b), (tw, tb)) in enumerate(zip(self.weights, total, strict=True)):
            self.update((layer, "w"), w, tw / len(batch) + decay * w)
            self.update((layer, "b"), b, tb / len(batch))


def _update(optimizer: Any, weights: Weights) -> Callable[[Any, np.ndarray, np.ndarray], None]:
    """What an optimiser does to one array of parameters, in place."""
    if isinstance(optimizer, cr.optim.SGD):

        def descend(_: Any, w: np.ndarray, g: np.ndarray) -> None:
            w -= optimizer.rate * g

        return descend
    if isinstance(optimizer, cr.optim.Momentum):
        velocity: dict[Any, np.ndarray] = {}

        def roll(key: Any, w: np.ndarray, g: np.ndarray) -> None:
            velocity[key] = optimizer.momentum * velocity.get(key, 0.0) - optimizer.rate * g
            w += velocity[key]

        return roll
    moments: dict[Any, tuple[Any, Any, int]] = {}

    def adapt(key: Any, w: np.ndarray, g: np.ndarray) -> None:
        m, v, t = moments.get(key, (0.0, 0.0, 0))
        t += 1
        m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1 - optimizer.beta2) * g**2
        moments[key] = m, v, t
        w -= (
            optimizer.rate
            * (m / (1 - optimizer.beta1**t))
            / (np.sqrt(v / (1 - optimizer.beta2**t)) + optimizer.epsilon)
        )

    return adapt


CASES = {
    "sgd, quadratic": Case([4, 6, 3], ["sigmoid", "sigmoid"], "quadratic", cr.optim.SGD(3.0)),
    "sgd, cross-entropy, l2": Case(
        [4, 6, 3], ["sigmoid", "sigmoid"], "sigmoid_cross_entropy", cr.optim.SGD(0.5), l2=0.7, validated=True
    ),
    "sgd, softmax of tanh, l2": Case(
        [4, 5, 3], ["tanh", "softmax"], "softmax_cross_entropy", cr.optim.SGD(0.5), l2=2.0, evaluate_training=True
    ),
    "momentum, quadratic, l2": Case(
        [4, 6, 3], ["tanh", "sigmoid"], "quadratic", cr.optim.Momentum(0.4, 0.8), l2=0.3, validated=True
    ),
    "momentum, three layers, softmax": Case(
        [4, 7, 5, 3], ["relu", "tanh", "softmax"], "softmax_cross_entropy", cr.optim.Momentum(0.1)
    ),
    "adam, relu, softmax, l2": Case(
        [4, 8, 3], ["relu", "softmax"], "softmax_cross_entropy", cr.optim.Adam(0.02), l2=0.5
    ),
    "adam, cross-entropy": Case(
        [4, 6, 3], ["sigmoid", "sigmoid"], "sigmoid_cross_entropy", cr.optim.Adam(0.05, 0.8, 0.99, 1e-4), validated=True
    ),
    "adam, regression": Case(
        [4, 6, 2], ["tanh", "identity"], "quadratic", cr.optim.Adam(0.02), regression=True, validated=True
    ),
    "one batch": Case([4, 6, 3], ["sigmoid", "sigmoid"], "quadratic", cr.optim.SGD(3.0), batch=23, l2=0.2),
    "one example at a time": Case([4, 6, 3], ["sigmoid", "softmax"], "quadratic", cr.optim.SGD(0.5), batch=1, l2=0.2),
    "batches that divide": Case([4, 3], ["softmax"], "softmax_cross_entropy", cr.optim.SGD(0.5), batch=6, examples=24),
    "a last batch of one": Case([4, 3], ["sigmoid"], "quadratic", cr.optim.Momentum(0.5), batch=11),
    "one output": Case([4, 5, 1], ["relu", "identity"], "quadratic", cr.optim.SGD(0.05), regression=True, batch=4),
}


@pytest.fixture(scope="module", params=list(CASES), ids=list(CASES))
def learned(request: pytest.FixtureRequest) -> tuple[Case, cr.Run, Reference]:
    case = CASES[request.param]
    return case, case.learned(), Reference(case)


Learned = tuple[Case, cr.Run, Reference]


def parts(weights: Sequence[Any]) -> list[np.ndarray]:
    return [part for layer in weights for part in ((layer.w, layer.b) if hasattr(layer, "w") else layer)]


def all_bytes(run: cr.Run) -> bytes:
    return b"".join(part.tobytes() for part in parts(run.network.layers))


def test_the_weights_are_those_of_the_book_after_every_step(learned: Learned) -> None:
    _, run, reference = learned
    for found, expected in zip(parts(run.network.layers), parts(reference.weights), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_it_did_learn(learned: Learned) -> None:
    case, run, _ = learned
    for found, before in zip(parts(run.network.layers), parts(case.weights), strict=True):
        assert np.abs(found - before).max() > 1e-3
    assert run.history[-1].training_cost < run.history[0].training_cost


def test_the_training_cost_is_the_mean_over_the_epoch_with_the_penalty(learned: Learned) -> None:
    _, run, reference = learned
    for found, expected in zip(run.history, reference.history, strict=True):
        assert found.training_cost == pytest.approx(expected["training_cost"], rel=1e-10)


def test_the_training_accuracy_counts_the_largest_outputs(learned: Learned) -> None:
    case, run, reference = learned
    for found, expected in zip(run.history, reference.history, strict=True):
        assert found.training_accuracy == (None if case.regression else expected["training_accuracy"])


def test_the_validation_figures_are_those_of_the_held_out_examples(learned: Learned) -> None:
    case, run, reference = learned
    for found, expected in zip(run.history, reference.history, strict=True):
        if case.validated:
            assert found.validation_cost == pytest.approx(expected["validation_cost"], rel=1e-10)
            assert found.validation_accuracy == (None if case.regression else expected["validation_accuracy"])
        else:
            assert (found.validation_cost, found.validation_accuracy) == (None, None)


def test_the_history_has_a_record_for_each_epoch(learned: Learned) -> None:
    case, run, _ = learned
    assert [record.epoch for record in run.history] == list(range(1, case.epochs + 1))
    assert all(0 < one.seconds <= two.seconds for one, two in pairwise(run.history))
    assert all(type(record.training_cost) is float for record in run.history)
    assert not run.interrupted


def test_the_configuration_says_how_it_was_made(learned: Learned) -> None:
    case, run, _ = learned
    digest = hashlib.sha256()
    for array in (case.x, case.labels):
        digest.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    expected = {
        "sizes": tuple(case.sizes),
        "cost": case.cost,
        "epochs": case.epochs,
        "batch": case.batch,
        "optimizer": repr(case.optimizer),
        "l2": case.l2,
        "seed": 0,
        "dtype": "float64",
        "training_examples": case.examples,
        "data": "",
        "data_shape": case.x.shape,
        "data_digest": digest.hexdigest(),
    }
    expected |= {"validation_examples": 9} if case.validated else {}
    known = dict(run.configuration)
    assert {name: value for name, value in known.items() if "constant" not in name} == expected
    least = 0.5 * case.y.var(axis=0).sum()
    if case.cost == "quadratic":
        assert known["constant_cost"] == pytest.approx(least)
    else:
        share = case.y.mean(axis=0)
        rest = (1 - share) * np.log(1 - share) if case.names[-1] == "sigmoid" else 0.0
        assert known["constant_cost"] == pytest.approx(-(share * np.log(share) + rest).sum())
    assert known.get("constant_accuracy") == (None if case.regression else case.y.mean(axis=0).max())
    assert ("validation_constant_cost" in known) == case.validated


# what it leaves alone, and what it repeats

PLAIN = CASES["sgd, quadratic"]


def test_the_network_passed_in_and_the_data_are_unchanged() -> None:
    network, x, labels, order = PLAIN.network(), PLAIN.x.copy(), PLAIN.labels.copy(), PLAIN.order.copy()
    before = [part.tobytes() for part in (*parts(network.layers), x, labels, order)]
    run = cr.learn(
        network, (x, labels), cost="quadratic", epochs=4, batch=5, optimizer=cr.optim.SGD(3.0), order=order,
        dtype=np.float64, progress=False,
    )  # fmt: skip
    assert [part.tobytes() for part in (*parts(network.layers), x, labels, order)] == before
    assert run.network is not network
    for mine, theirs in zip(parts(run.network.layers), parts(network.layers), strict=True):
        assert not np.shares_memory(mine, theirs)
        assert mine.flags.writeable


@pytest.mark.parametrize("optimizer", [cr.optim.SGD(1.0), cr.optim.Momentum(0.1), cr.optim.Adam(0.01)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(optimizer: Any, dtype: Any) -> None:
    first, second, other = (
        PLAIN.learned(optimizer=optimizer, order=None, seed=seed, dtype=dtype) for seed in (1, 1, 2)
    )
    assert all_bytes(first) == all_bytes(second)
    assert [r.training_cost for r in first.history] == [r.training_cost for r in second.history]
    assert all_bytes(first) != all_bytes(other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_weights_have_the_dtype_asked_for(dtype: Any) -> None:
    run = PLAIN.learned(dtype=dtype)
    assert run.network.dtype == dtype
    assert {part.dtype for part in parts(run.network.layers)} == {np.dtype(dtype)}
    assert run.configuration["dtype"] == np.dtype(dtype).name


@pytest.mark.parametrize("name", ["sgd, quadratic", "adam, relu, softmax, l2", "momentum, three layers, softmax"])
def test_float32_agrees_with_the_reference_to_its_precision(name: str) -> None:
    run, reference = CASES[name].learned(dtype=np.float32), Reference(CASES[name])
    for found, expected in zip(parts(run.network.layers), parts(reference.weights), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_float32_is_the_dtype_unless_told() -> None:
    run = cr.learn(
        PLAIN.network(), (PLAIN.x, PLAIN.labels), cost="quadratic", epochs=1, batch=5, optimizer=cr.optim.SGD(1.0),
        progress=False,
    )  # fmt: skip
    assert run.network.dtype == np.float32


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda w: np.flip(np.flip(w).copy()), lambda w: w.repeat(2, 0)[::2]]
)
@pytest.mark.parametrize("optimizer", [cr.optim.SGD(1.0), cr.optim.Adam(0.01)], ids=repr)
def test_weights_that_lie_in_memory_in_another_way_give_the_same_bits(layout: Any, optimizer: Any) -> None:
    odd = Case([4, 6, 3], ["sigmoid", "sigmoid"], "quadratic", optimizer)
    plain = odd.learned()
    odd.weights = [(layout(w), b) for w, b in odd.weights]
    assert all_bytes(odd.learned()) == all_bytes(plain)


# which examples, in which order


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The batches that the native loop was given, as they come."""
    seen: list[np.ndarray] = []
    run = loop.run

    def watched(made: Any, state: Any, tables: Any, order: np.ndarray, numbers: np.ndarray) -> Any:
        measured = run(made, state, tables, order, numbers)
        if len(measured) == 2:  # a step, and no look at one
            counts = numbers[:, -5].astype(int)
            seen.extend(batch[:count].copy() for batch, count in zip(order, counts, strict=True))
        return measured

    monkeypatch.setattr(loop, "run", watched)
    return seen


def test_every_epoch_goes_once_through_all_examples_in_an_order_of_its_own(rows: list[np.ndarray]) -> None:
    PLAIN.learned(order=None, seed=5)
    assert [len(batch) for batch in rows] == [5, 5, 5, 5, 3] * 4
    epochs = np.concatenate(rows).reshape(4, 23)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(23), (4, 1)))
    assert len({epoch.tobytes() for epoch in epochs}) == 4


def test_the_orders_come_from_the_seed(rows: list[np.ndarray]) -> None:
    for seed in (1, 1, 2):
        PLAIN.learned(order=None, seed=seed)
    first, second, other = np.concatenate(rows).reshape(3, -1)
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize("form", [lambda o: o, lambda o: o.ravel(), lambda o: o.tolist(), lambda o: o.astype(np.uint8)])
def test_an_explicit_order_is_followed_exactly(form: Callable[[Any], Any], rows: list[np.ndarray]) -> None:
    order = np.random.default_rng(3).integers(0, 23, (2, 23))  # with some rows twice and others never
    PLAIN.learned(order=form(order), epochs=2)
    np.testing.assert_array_equal(np.concatenate(rows), order.ravel())


def test_a_row_that_is_never_named_has_no_influence() -> None:
    other = Case(**{name: getattr(PLAIN, name) for name in Case.__dataclass_fields__})
    other.x[7] = 1e3
    order = np.where(PLAIN.order == 7, 8, PLAIN.order)
    assert all_bytes(other.learned(order=order)) == all_bytes(PLAIN.learned(order=order))


# regularisation


def test_the_penalty_pulls_weights_and_not_biases() -> None:
    """With a cost that is flat (no input, no error), one epoch shrinks w by 1 − ηλ/n in each step, and leaves b."""
    network = Network.from_weights([(np.full((2, 3), 4.0), np.array([0.25, -1.0]))], "identity")
    y = np.tile([0.25, -1.0], (10, 1))
    run = cr.learn(
        network, (np.zeros((10, 3)), y), cost="quadratic", epochs=1, batch=2, optimizer=cr.optim.SGD(0.5), l2=2.0,
        dtype=np.float64, progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(run.network.layers[0].w, 4.0 * (1 - 0.5 * 2.0 / 10) ** 5, rtol=1e-14)
    np.testing.assert_array_equal(run.network.layers[0].b, [0.25, -1.0])
    expected = np.mean([2.0 / (2 * 10) * 6 * (4.0 * 0.9**step) ** 2 for step in range(5)])
    assert run.history[0].training_cost == pytest.approx(expected, rel=1e-13)


def test_without_a_rate_nothing_changes_and_the_figures_are_those_of_the_start() -> None:
    still = Case([4, 6, 3], ["sigmoid", "sigmoid"], "quadratic", cr.optim.SGD(0.0), l2=0.4, epochs=2)
    run = still.learned()
    assert all_bytes(run) == b"".join(part.tobytes() for part in parts(still.weights))
    assert run.history[0].training_cost == pytest.approx(Reference(still).history[0]["training_cost"], rel=1e-12)
    assert run.history[0].training_cost == run.history[1].training_cost or math.isclose(
        run.history[0].training_cost, run.history[1].training_cost, rel_tol=1e-12
    )


# data in other forms


@pytest.mark.parametrize(
    "form",
    [
        lambda x, labels: (x.astype("f4").tolist(), labels.tolist()),
        lambda x, labels: [x, labels],
        lambda x, labels: (x.astype("f4"), labels.astype(np.uint8)),
        lambda x, labels: (x, np.eye(3)[labels]),
        lambda x, labels: (np.asfortranarray(x), labels[::-1][::-1]),
        lambda x, labels: (x.astype(">f8"), labels.astype(">i4")),
        lambda x, labels: (x.reshape(-1, 2, 2), labels),
        lambda x, labels: cr.data.DataSet(x, labels),
        lambda x, labels: cr.data.DataSet(x.reshape(-1, 1, 4, 1), labels, class_names=("a", "b", "c")),
    ],
    ids=["lists", "a list of two", "float32 and uint8", "one-hot", "strided", "swapped", "images", "DataSet", "4-d"],
)  # fmt: skip
def test_the_same_data_in_another_form_give_the_same_bits(form: Callable[[Any, Any], Any]) -> None:
    options = {"cost": "quadratic", "epochs": 2, "batch": 5, "optimizer": cr.optim.SGD(1.0), "progress": False}
    plain = cr.learn(PLAIN.network(), (PLAIN.x, PLAIN.labels), **options)
    other = cr.learn(PLAIN.network(), form(PLAIN.x, PLAIN.labels), **options)
    assert all_bytes(other) == all_bytes(plain)
    assert [r.training_accuracy for r in other.history] == [r.training_accuracy for r in plain.history]


def test_validation_data_may_be_part_of_the_data_set() -> None:
    held = cr.data.DataSet(PLAIN.held_x, PLAIN.held_labels)
    inside = cr.learn(
        PLAIN.network(), cr.data.DataSet(PLAIN.x, PLAIN.labels, validation=held), cost="quadratic", epochs=2, batch=5,
        optimizer=cr.optim.SGD(1.0), progress=False,
    )  # fmt: skip
    beside = cr.learn(
        PLAIN.network(), (PLAIN.x, PLAIN.labels), validation=held, cost="quadratic", epochs=2, batch=5,
        optimizer=cr.optim.SGD(1.0), progress=False,
    )  # fmt: skip
    assert inside.history[-1].validation_cost is not None
    assert inside.history[-1].validation_cost == beside.history[-1].validation_cost


def test_validation_data_are_never_learned_from() -> None:
    without, with_ = PLAIN.learned(), PLAIN.learned(validation=(PLAIN.held_x, PLAIN.held_labels))
    assert all_bytes(without) == all_bytes(with_)


def test_validation_in_several_parts_is_the_mean_over_all_examples() -> None:
    x, labels = np.random.default_rng(1).normal(size=(1009, 4)), np.random.default_rng(2).integers(0, 3, 1009)
    case = Case([4, 3], ["sigmoid"], "quadratic", cr.optim.SGD(0.0), epochs=1)
    record = case.learned(validation=(x, labels)).history[0]
    cost, right = Reference(case).figures(x, np.eye(3)[labels])
    assert record.validation_cost == pytest.approx(cost / 1009, rel=1e-12)
    assert record.validation_accuracy == right / 1009


def test_targets_of_zeros_and_ones_that_are_not_one_hot_have_no_accuracy() -> None:
    y = np.eye(3)[PLAIN.labels]
    y[0] = [1, 1, 0]
    run = cr.learn(
        PLAIN.network(), (PLAIN.x, y), cost="quadratic", epochs=1, batch=5, optimizer=cr.optim.SGD(1.0), progress=False
    )
    assert run.history[0].training_accuracy is None


def test_of_several_largest_outputs_the_first_counts() -> None:
    network = Network.from_weights([(np.zeros((3, 2)), np.zeros(3))], "identity")
    run = cr.learn(
        network, (np.ones((6, 2)), [0, 0, 1, 2, 0, 1]), cost="quadratic", epochs=1, batch=6,
        optimizer=cr.optim.SGD(0.0), evaluate_training=True, progress=False,
    )  # fmt: skip
    assert run.history[0].training_accuracy == 0.5


def test_a_cost_that_runs_away_is_reported_and_is_no_error() -> None:
    run = CASES["one output"].learned(optimizer=cr.optim.SGD(1e6), epochs=4, order=None)
    assert not math.isfinite(run.history[-1].training_cost)
    assert "learning rate is too high" in run.verdict


# optimisers


@pytest.mark.parametrize("kind", [np.float64, np.float32, int])
@pytest.mark.parametrize(
    "make", [cr.optim.SGD, cr.optim.Momentum, cr.optim.Adam], ids=["sgd", "momentum", "adam"]
)  # fmt: skip
def test_a_rate_of_any_number_type_leaves_the_weights_their_dtype(make: Any, kind: Any) -> None:
    odd = PLAIN.learned(optimizer=make(kind(1)), l2=kind(1), dtype=np.float32)
    assert all_bytes(odd) == all_bytes(PLAIN.learned(optimizer=make(1.0), l2=1.0, dtype=np.float32))
    assert odd.network.dtype == np.float32


class Sign(cr.optim.Optimizer):
    """Steps of one size, with a counter of them: an optimiser that a user might write."""

    def start(self, parameters: Any) -> Any:
        return {"steps": np.zeros((), np.int32)}

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        moved = tree_map(lambda w, g: w - 0.01 * cnp.sign(g), parameters, gradient)
        return moved, {"steps": state["steps"] + 1}


def test_an_optimiser_of_the_users_own_is_compiled_too() -> None:
    one_step = PLAIN.learned(optimizer=Sign(), batch=23, epochs=1, order=None)
    expected = cr.backprop(PLAIN.network(), "quadratic", PLAIN.x, PLAIN.labels).gradient
    for found, before, slope in zip(
        parts(one_step.network.layers), parts(PLAIN.weights), parts(expected), strict=True
    ):  # fmt: skip
        np.testing.assert_allclose(found, before - 0.01 * np.sign(slope), rtol=1e-12, atol=1e-15)


class Widening(Sign):
    """Gives the weights another dtype than they had."""

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return tree_map(lambda w, g: w - np.float64(0.01) * g, parameters, gradient), state


class Growing(Sign):
    """Gives more state than it was given."""

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return parameters, {**state, "more": state["steps"]}


def test_an_optimiser_that_changes_a_dtype_is_refused_with_the_place() -> None:
    with pytest.raises(DTypeError, match=r"f64\[6,4\] of f32\[6,4\] at \[0\]\.layers\[0\]\.w"):
        PLAIN.learned(optimizer=Widening(), dtype=np.float32)


def test_an_optimiser_that_changes_the_structure_is_refused() -> None:
    with pytest.raises(OptionError, match="trees of the structure"):
        PLAIN.learned(optimizer=Growing())
