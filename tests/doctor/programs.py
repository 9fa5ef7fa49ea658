"""Small training programs, each with one fault, and their repaired twins; and clean ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.insight import Diagnosis, diagnose, diagnose_function
from chainrule.trace.tree import flatten, unflatten

Values = np.ndarray[Any, Any]
Data = tuple[Values, Values]
Examined = Callable[[int, bool], Diagnosis]  # of a seed, and whether the fault is there


@dataclass(frozen=True)
class Program:
    """A row of the doctor's table, and the program that shows it: `run(seed, faulty)`."""

    row: int
    name: str
    fault: str
    run: Examined


@dataclass(frozen=True)
class LayerRates(cr.optim.SGD):
    """Gradient descent in which the first layer has a rate of its own."""

    first: float = 0.0

    def update(self, parameters: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        leaves, structure = flatten(parameters)
        slopes = flatten(gradient)[0]
        rates = [self.first if n < 2 else self.rate for n in range(len(leaves))]
        return unflatten(structure, [w - r * g for w, g, r in zip(leaves, slopes, rates, strict=True)]), state


# data


@cache
def _small_digits() -> Data:
    data = cr.data.digits()
    images = data.x.reshape(-1, 28, 28)[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3)
    return np.ascontiguousarray(images.mean((2, 4)).reshape(-1, 64)), data.labels


def digits(seed: int, count: int = 400) -> Data:
    """Digits of 8 by 8 pixels."""
    x, labels = _small_digits()
    rows = np.random.default_rng(seed).permutation(len(x))[:count]
    return x[rows], labels[rows]


def moons(seed: int, count: int = 200) -> Data:
    """Two half circles that reach into each other."""
    random = np.random.default_rng(seed)
    angle, labels = random.uniform(0, np.pi, count), np.arange(count) % 2
    x = np.c_[np.cos(angle) + labels - 0.5, np.sin(angle) * (1 - 2 * labels) + 0.25 * (2 * labels - 1)]
    return (x + random.normal(0, 0.1, x.shape)).astype(np.float32), labels


def table(seed: int, count: int = 200) -> Data:
    """Five features and a real target."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 5))
    y = np.tanh(x @ random.normal(size=5)) + 0.5 * x[:, :1].T + 0.1 * random.normal(size=count)
    return x.astype(np.float32), y.T.astype(np.float32)


def blobs(seed: int, share: float, count: int = 300) -> Data:
    """Two classes that overlap, the second with this share of the examples."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) < share * count).astype(np.int64)
    return (random.normal(size=(count, 2)) + labels[:, None]).astype(np.float32), labels


# networks


def tanh(seed: int, *hidden: int) -> cr.nn.Network:
    """A tanh network for the digits."""
    return cr.nn.Network([64, *(hidden or (16,)), 10], "tanh", output="softmax", seed=seed)


def relu(seed: int, *hidden: int) -> cr.nn.Network:
    """A relu network for the digits."""
    return cr.nn.Network([64, *(hidden or (16,)), 10], "relu", seed=seed)


def changed(network: cr.nn.Network, change: Callable[[int, Values, Values], tuple[Values, Values]]) -> cr.nn.Network:
    """The network with other weights and biases in each layer."""
    pairs = [change(n, layer.w.copy(), layer.b.copy()) for n, layer in enumerate(network.layers)]
    pairs = [(np.asarray(w, np.float32), np.asarray(b, np.float32)) for w, b in pairs]
    return cr.nn.Network.from_weights(pairs, [layer.activation for layer in network.layers])


def scaled(network: cr.nn.Network, factor: float) -> cr.nn.Network:
    """The network with all weights multiplied."""
    return changed(network, lambda n, w, b: (w * factor, b))


def train(network: cr.nn.Network, data: Any, **options: Any) -> cr.Run:
    """A short training."""
    usual = {"cost": "cross_entropy", "epochs": 5, "batch": 10, "optimizer": cr.optim.SGD(0.1), "progress": False}
    return cr.learn(network, data, **{**usual, **options})


def learned(network: cr.nn.Network, data: Data, **options: Any) -> Diagnosis:
    """Train, and ask the doctor."""
    run = train(network, data, **options)
    validation = options.get("validation")
    return diagnose(run, data, validation=validation, optimizer=options.get("optimizer"))


# the rows


def vanishing(seed: int, faulty: bool) -> Diagnosis:
    sizes = [64, 16, 16, 16, 16, 10]
    name = "sigmoid" if faulty else "tanh"
    return learned(cr.nn.Network(sizes, name, output="softmax", initializer="glorot", seed=seed), digits(seed))


def exploding(seed: int, faulty: bool) -> Diagnosis:
    network = scaled(relu(seed, 16, 16, 16, 16, 16), 4.0 if faulty else 1.0)
    return diagnose(network, digits(seed))


def initialisation(seed: int, faulty: bool) -> Diagnosis:
    network, factor = (relu(seed, 16, 16), 0.02) if seed % 2 else (tanh(seed, 16, 16), 30.0)
    return diagnose(scaled(network, factor if faulty else 1.0), digits(seed))


def symmetric(seed: int, faulty: bool) -> Diagnosis:
    network = tanh(seed)
    constant = changed(network, lambda n, w, b: (np.full_like(w, 0.1), b))
    return learned(constant if faulty else network, digits(seed))


def dead(seed: int, faulty: bool) -> Diagnosis:
    network = relu(seed)
    off = changed(network, lambda n, w, b: (w, b - 20 * (np.arange(len(b)) < 8) * (n == 0)))
    return learned(off if faulty else network, digits(seed))


def saturated(seed: int, faulty: bool) -> Diagnosis:
    network = tanh(seed)
    large = changed(network, lambda n, w, b: (w * (50 if n == 0 else 1), b))
    return learned(large if faulty else network, digits(seed), optimizer=cr.optim.SGD(0.01 if faulty else 0.1))


def quadratic(seed: int, faulty: bool) -> Diagnosis:
    network = cr.nn.Network([64, 16, 10], "sigmoid", initializer="glorot", seed=seed)
    sure = changed(network, lambda n, w, b: (w, b + 6 * (n == 1)))
    return learned(sure if faulty else network, digits(seed), cost="quadratic", optimizer=cr.optim.SGD(0.1))


def too_high(seed: int, faulty: bool) -> Diagnosis:
    network = (tanh, relu)[seed % 2](seed)
    return learned(network, digits(seed), optimizer=cr.optim.SGD(30.0 if faulty else 0.1))


def too_low(seed: int, faulty: bool) -> Diagnosis:
    return learned(tanh(seed), digits(seed), optimizer=cr.optim.SGD(1e-4 if faulty else 0.1))


def too_small(seed: int, faulty: bool) -> Diagnosis:
    x, labels = blobs(seed, 0.5)
    network = cr.nn.Network([2, 8, 2], "tanh", output="softmax", seed=seed)
    return learned(network, (x, labels), batch=1 if faulty else 50, optimizer=cr.optim.SGD(0.05))


def too_large(seed: int, faulty: bool) -> Diagnosis:
    network = cr.nn.Network([5, 16, 1], "tanh", output="identity", seed=seed)
    options: dict[str, Any] = {"batch": 200, "epochs": 30} if faulty else {"batch": 10}
    return learned(network, table(seed), cost="quadratic", optimizer=cr.optim.SGD(0.05), **options)


def inputs(seed: int, faulty: bool) -> Diagnosis:
    x, y = table(seed)
    x = x * np.array([1000, 1, 1, 1, 1], np.float32) if faulty else x
    network = cr.nn.Network([5, 16, 1], "tanh", output="identity", seed=seed)
    return learned(network, (x, y), cost="quadratic", optimizer=cr.optim.SGD(0.05))


def targets(seed: int, faulty: bool) -> Diagnosis:
    x, y = table(seed)
    network = cr.nn.Network([5, 16, 1], "tanh", output="identity", seed=seed)
    optimizer = cr.optim.SGD(0.05) if seed % 2 else cr.optim.Adam(0.01)
    return learned(network, (x, y * np.float32(1000 if faulty else 1)), cost="quadratic", optimizer=optimizer)


def imbalance(seed: int, faulty: bool) -> Diagnosis:
    network = cr.nn.Network([2, 8, 2], "tanh", output="softmax", seed=seed)
    return learned(network, blobs(seed, 0.04 if faulty else 0.5))


def reach(seed: int, faulty: bool) -> Diagnosis:
    network = cr.nn.Network([5, 16, 1], "tanh", output="sigmoid" if faulty else "identity", seed=seed)
    return learned(network, table(seed), cost="quadratic", optimizer=cr.optim.SGD(0.05))


def initial_cost(seed: int, faulty: bool) -> Diagnosis:
    network = changed(tanh(seed), lambda n, w, b: (w * (10 if n == 1 and faulty else 1), b))
    return diagnose(network, digits(seed))


def labels(seed: int, faulty: bool) -> Diagnosis:
    x, y = digits(seed, 1000)
    wrong = np.random.default_rng(seed).random(len(y)) < (0.1 if faulty else 0.0)
    return learned(tanh(seed), (x, np.where(wrong, (y + 3) % 10, y)), epochs=10)


def overfitting(seed: int, faulty: bool) -> Diagnosis:
    x, y = digits(seed, 700)
    count = 40 if faulty else 600
    if faulty:
        y = np.where(np.random.default_rng(seed).random(len(y)) < 0.3, (y + 3) % 10, y)
    options: dict[str, Any] = {"epochs": 200 if faulty else 5, "optimizer": cr.optim.SGD(0.2)}
    return learned(tanh(seed), (x[:count], y[:count]), validation=(x[600:], y[600:]), **options)


def frozen(seed: int, faulty: bool) -> Diagnosis:
    optimizer = LayerRates(0.1, 0.0) if faulty else cr.optim.SGD(0.1)
    return learned(tanh(seed), digits(seed), optimizer=optimizer)


def uneven(seed: int, faulty: bool) -> Diagnosis:
    optimizer = LayerRates(0.1, 1e-5) if faulty else cr.optim.SGD(0.1)
    return learned(tanh(seed), digits(seed), optimizer=optimizer)


def penalty(seed: int, faulty: bool) -> Diagnosis:
    return learned(tanh(seed), digits(seed), l2=400.0 if faulty else 0.1)


def not_finite(seed: int, faulty: bool) -> Diagnosis:
    def broken(n: int, w: Values, b: Values) -> tuple[Values, Values]:
        if n == 1 and faulty:
            w[seed % 10] = np.nan if seed % 2 else 3e38
        return w, b

    return diagnose(changed(relu(seed), broken), digits(seed))


def plateau(seed: int, faulty: bool) -> Diagnosis:
    x, y = moons(seed)
    y = (np.asarray(y, np.float32)[:, None] - 0.5) * 2
    x = x - x.mean(axis=0)
    network = cr.nn.Network([2, 8, 1], "tanh", output="identity", seed=seed)
    small = scaled(network, 1e-4 if faulty else 1.0)
    return learned(small, (x, y), cost="quadratic", epochs=2)


def redundant(seed: int, faulty: bool) -> Diagnosis:
    def doubled(n: int, w: Values, b: Values) -> tuple[Values, Values]:
        if n == 0 and faulty:
            w[8:], b[8:] = -w[:8], -b[:8]
        return w, b

    network = train(tanh(seed), digits(seed)).network
    return diagnose(changed(network, doubled), digits(seed))


def sorted_batches(seed: int, faulty: bool) -> Diagnosis:
    x, y = digits(seed)
    order = np.tile(np.argsort(y, kind="stable"), 5) if faulty else None
    return learned(tanh(seed), (x, y), order=order)


# costs that are plain functions


def _parameters(seed: int) -> list[Values]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(64, 12)) / 8, np.zeros(12), random.normal(size=(12, 10)) / 3, np.zeros(10)]


def _scores(parameters: Any, x: Any) -> Any:
    w, b, v, c = parameters
    return cnp.tanh(x @ w + b) @ v + c


def _softmax(z: Any) -> Any:
    powers = cnp.exp(z - cnp.max(z, axis=1, keepdims=True))
    return powers / cnp.sum(powers, axis=1, keepdims=True)


def _costs(z: Any, y: Any) -> Any:
    largest = cnp.max(z, axis=1, keepdims=True)
    logs = z - largest - cnp.log(cnp.sum(cnp.exp(z - largest), axis=1, keepdims=True))
    return -cnp.sum(np.eye(10)[y] * logs, axis=1)


def twice(seed: int, faulty: bool) -> Diagnosis:
    def outputs(parameters: Any, x: Any) -> Any:
        return _softmax(_scores(parameters, x)) if faulty else _scores(parameters, x)

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        return cnp.mean(_costs(outputs(parameters, x), y))

    x, y = digits(seed, 60)
    return diagnose_function(cost, _parameters(seed), x, y, outputs=outputs if seed % 2 else None)


def summed(seed: int, faulty: bool) -> Diagnosis:
    def cost(parameters: Any, x: Any, y: Any) -> Any:
        return (cnp.sum if faulty else cnp.mean)(_costs(_scores(parameters, x), y))

    return diagnose_function(cost, _parameters(seed), *digits(seed, 60))


def wrong_rule(seed: int, faulty: bool) -> Diagnosis:
    own = cr.custom_derivative(lambda z: cnp.tanh(z), pull=lambda error, a, z: error * (1 - a if faulty else 1 - a * a))

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        w, b, v, c = parameters
        return cnp.mean(_costs(own(x @ w + b) @ v + c, y))

    return diagnose_function(cost, _parameters(seed), *digits(seed, 60))


PROGRAMS = (
    Program(1, "vanishing_gradient", "four hidden layers of sigmoid, Glorot's start", vanishing),
    Program(2, "exploding_gradient", "five hidden layers of relu, weights 4 times too large", exploding),
    Program(3, "bad_initialisation", "weights 30 times too large or 50 times too small", initialisation),
    Program(4, "symmetric_initialisation", "all weights 0.1", symmetric),
    Program(5, "dead_relu", "biases of -20 in half of the units", dead),
    Program(6, "saturated_units", "first weights 50 times too large", saturated),
    Program(7, "quadratic_on_sigmoid", "sigmoid outputs that are sure of wrong answers", quadratic),
    Program(8, "rate_too_high", "SGD(30)", too_high),
    Program(9, "rate_too_low", "SGD(0.0001)", too_low),
    Program(10, "batch_too_small", "batches of 1, classes that overlap", too_small),
    Program(11, "batch_too_large", "all 200 examples in a batch", too_large),
    Program(12, "unscaled_inputs", "one column times 1000", inputs),
    Program(13, "unscaled_targets", "targets times 1000", targets),
    Program(14, "class_imbalance", "4 % of one class", imbalance),
    Program(15, "softmax_twice", "cross-entropy with softmax, of softmax outputs", twice),
    Program(16, "targets_out_of_reach", "sigmoid outputs for real targets", reach),
    Program(17, "wrong_initial_cost", "last weights 10 times too large", initial_cost),
    Program(18, "sum_instead_of_mean", "a sum over the examples", summed),
    Program(19, "label_suspects", "a tenth of the labels wrong", labels),
    Program(20, "overfitting", "40 examples, 30 % wrong labels, 200 epochs", overfitting),
    Program(21, "frozen_layer", "an optimiser that leaves the first layer out", frozen),
    Program(22, "uneven_layers", "a rate 10,000 times lower in the first layer", uneven),
    Program(23, "penalty_overwhelms", "l2 of 400 for 400 examples", penalty),
    Program(24, "not_finite", "a weight that is nan, or overflows", not_finite),
    Program(25, "plateau", "a start 10,000 times too small: a saddle", plateau),
    Program(26, "redundant_units", "half of the units are the others, negated", redundant),
    Program(27, "wrong_derivative", "1 - a for 1 - a² in a rule written by hand", wrong_rule),
    Program(28, "sorted_batches", "examples in the order of their classes", sorted_batches),
)


# clean runs


def clean(number: int) -> Diagnosis:
    """One of many sensible runs: networks, optimisers, rates, batches and data vary with the number."""
    random = np.random.default_rng(1000 + number)
    activation = ("sigmoid", "tanh", "relu")[number % 3]
    data, sizes, output, cost = _task(number // 3 % 3, number)
    depth = 1 + int(random.integers(4 if activation != "sigmoid" else 2))
    network = cr.nn.Network(
        [sizes[0], *[16] * depth, sizes[1]], activation, output=output, initializer=_start(activation), seed=number
    )
    batch = int(random.choice([10, 20]))
    optimizer = _optimizer(int(random.integers(3)), activation, depth)
    run = train(network, data, cost=cost, epochs=20, batch=batch, optimizer=optimizer)
    return diagnose(run, data)


def _start(activation: str) -> str:
    return "he" if activation == "relu" else "glorot" if activation == "tanh" else "scaled_normal"


def _task(kind: int, number: int) -> tuple[Data, tuple[int, int], str, str]:
    if kind == 0:
        return digits(number), (64, 10), "softmax", "cross_entropy"
    if kind == 1:
        return moons(number), (2, 2), "softmax", "cross_entropy"
    return table(number), (5, 1), "identity", "quadratic"


def _optimizer(kind: int, activation: str, depth: int) -> cr.optim.Optimizer:
    rate = {"sigmoid": 0.5, "tanh": 0.1, "relu": 0.05}[activation] / (1 if depth < 3 else 2)
    return (cr.optim.SGD(rate), cr.optim.Momentum(rate / 5, 0.8), cr.optim.Adam(0.005))[kind]
