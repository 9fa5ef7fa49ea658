"""Examples and targets of any shape go through `learn`: images, several arrays, whole numbers, sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.data.dataset import DataSet, as_dataset
from chainrule.errors import ChainruleError, DataError, DTypeError, OptionError, ShapeError
from chainrule.learning.evaluate import evaluate

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(23, 28, 28))
LABELS = RANDOM.integers(0, 3, 23)


def learned(network: Any, x: Any, y: Any, **options: Any) -> cr.Run:
    asked: dict[str, Any] = {
        "cost": "cross_entropy", "epochs": 1, "batch": 10, "optimizer": cr.optim.SGD(0.1), "dtype": np.float64,
        "order": np.arange(len(y)), "progress": False,
    }  # fmt: skip
    return cr.learn(network, (x, y), **asked | options)


def bits(run: cr.Run) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in cr.tree.flatten(run.network)[0])


# images


@dataclass(frozen=True)
class Bands:
    """A network of a user's own that wants images: their rows, the mean of each, and a layer."""

    last: cr.nn.Dense

    def __call__(self, x: Any) -> Any:
        assert x.shape[1:] == (28, 28), x.shape
        return self.last(cnp.mean(x, axis=2))


NETWORKS: dict[str, Callable[[], Any]] = {
    "Network": lambda: cr.nn.Network([784, 4, 3], "tanh", output="softmax"),
    "Sequential": lambda: cr.nn.Sequential(cr.nn.Dense.of(784, 4, "tanh"), cr.nn.Dense.of(4, 3, "softmax")),
    "Dense": lambda: cr.nn.Dense.of(784, 3, "softmax"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_dense_networks_take_images_as_rows(name: str) -> None:
    images, rows = (
        learned(NETWORKS[name](), x, LABELS, validation=(x, LABELS)) for x in (IMAGES, IMAGES.reshape(23, -1))
    )
    assert bits(images) == bits(rows)
    assert [record.validation_cost for record in images.history] == [record.validation_cost for record in rows.history]
    assert images.configuration.data_shape == (23, 28, 28)
    assert images.configuration.sizes == rows.configuration.sizes
    assert evaluate(images.network, (IMAGES, LABELS), cost="cross_entropy") == evaluate(
        images.network, (IMAGES.reshape(23, -1), LABELS), cost="cross_entropy"
    )
    one, two = (cr.backprop(images.network, "cross_entropy", x, LABELS) for x in (IMAGES, IMAGES.reshape(23, -1)))
    assert one.cost == two.cost


def test_a_network_that_wants_images_gets_images() -> None:
    network = Bands(cr.nn.Dense.of(28, 3, "softmax", dtype=np.float64))
    by_images = learned(network, IMAGES, LABELS, watch=True, evaluate_training=True)
    by_means = learned(network.last, IMAGES.mean(axis=2), LABELS, watch=True, evaluate_training=True)
    np.testing.assert_allclose(by_images.network.last.w, by_means.network.w, rtol=1e-12)
    assert by_images.history[-1].training_cost == pytest.approx(by_means.history[-1].training_cost, rel=1e-12)
    assert by_images.configuration.data_shape == (23, 28, 28)


def test_a_data_set_keeps_the_shape_of_its_examples() -> None:
    data = as_dataset((IMAGES, LABELS))
    assert data.x is IMAGES
    assert (data.shape, data.features, data.flat().shape) == ((23, 28, 28), 784, (23, 784))
    assert repr(data) == "DataSet(23 examples of 28×28 features, float64, 3 classes)"
    assert "28×28" in str(data)


# several arrays


WORDS, PLACES = RANDOM.integers(0, 6, (23,)), RANDOM.normal(size=(23, 2))
TARGETS = RANDOM.normal(size=(23, 2))


def table() -> Any:
    random = np.random.default_rng(1)
    return {"table": random.normal(size=(6, 2)), "w": random.normal(size=(2, 2))}


def from_dict(p: Any, x: Any) -> Any:
    return cr.nn.linear(p["table"][x["word"]] + x["place"], p["w"])


def from_tuple(p: Any, x: Any) -> Any:
    return cr.nn.linear(p["table"][x[0]] + x[1], p["w"])


FORMS: dict[str, tuple[Any, Any]] = {
    "a dict": (from_dict, {"word": WORDS, "place": PLACES}),
    "a tuple": (from_tuple, (WORDS, PLACES)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FORMS)
def test_examples_may_be_several_arrays_with_whole_numbers_that_name_something(name: str, dtype: Any) -> None:
    forward, x = FORMS[name]
    t, w = table().values()
    spent = 0.0
    for start in range(0, 23, 10):
        rows = slice(start, start + 10)
        h = t[WORDS[rows]] + PLACES[rows]
        error = (h @ w.T - TARGETS[rows]) / len(h)
        spent += 0.5 * (error**2).sum() * len(h) ** 2
        back = error @ w
        w = w - 0.1 * error.T @ h
        t = t.copy()
        np.subtract.at(t, WORDS[rows], 0.1 * back)
    network = cr.nn.Function(forward, table())
    run = learned(network, x, TARGETS, cost="quadratic", dtype=dtype, watch=True, validation=(x, TARGETS))
    close = {"rtol": 1e-11} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(run.network.parameters["table"], t, **close)
    np.testing.assert_allclose(run.network.parameters["w"], w, **close)
    assert run.history[-1].training_cost == pytest.approx(spent / 23, rel=1e-4)
    expected = 0.5 * (((t[WORDS] + PLACES) @ w.T - TARGETS) ** 2).sum(axis=1).mean()
    assert run.history[-1].validation_cost == pytest.approx(expected, rel=1e-4)
    assert run.flow is not None
    assert np.isfinite(run.flow.layers["example_norm"]).all()
    found = cr.backprop(network, "quadratic", x, TARGETS)
    assert found.layers[0].dw["table"].shape == (6, 2)


def test_a_data_set_of_several_arrays_is_known_by_all_of_them() -> None:
    data = as_dataset(({"word": WORDS, "place": PLACES}, TARGETS))
    assert (len(data), data.features, data.shape) == (23, 3, (23, 3))
    assert repr(data) == "DataSet(23 examples of 1 and 2 features, int64 and float64, 2 targets)"
    other = as_dataset(({"word": WORDS, "place": PLACES + 1}, TARGETS))
    assert data.digest() != other.digest()
    assert data.flat().shape == (23, 3)


# targets of any shape


def test_targets_may_have_several_axes() -> None:
    x, y = RANDOM.normal(size=(23, 5, 3)), RANDOM.normal(size=(23, 5, 2))
    network = cr.nn.Sequential(cr.nn.Dense.of(3, 2, "tanh", dtype=np.float64))
    w, b = (np.array(leaf) for leaf in cr.tree.flatten(network)[0])
    for start in range(0, 23, 10):
        rows = slice(start, start + 10)
        a = np.tanh(x[rows] @ w.T + b)
        delta = (a - y[rows]) * (1 - a * a) / len(a)
        w, b = w - 0.1 * np.einsum("ntj,ntk->jk", delta, x[rows]), b - 0.1 * delta.sum(axis=(0, 1))
    run = learned(network, x, y, cost="quadratic", watch=True, evaluate_training=True)
    np.testing.assert_allclose(run.network.layers[0].w, w, rtol=1e-12)
    np.testing.assert_allclose(run.network.layers[0].b, b, rtol=1e-12)
    expected = 0.5 * ((np.tanh(x @ w.T + b) - y) ** 2).sum(axis=(1, 2)).mean()
    assert run.history[-1].training_cost == pytest.approx(expected, rel=1e-12)
    assert run.configuration.constant_cost == pytest.approx(0.5 * y.var(axis=0).sum(), rel=1e-12)
    one_hot = np.eye(2)[RANDOM.integers(0, 2, (23, 5))]
    right = learned(network, x, one_hot, cost="quadratic", evaluate_training=True)
    answers = right.network(x).argmax(axis=-1) == one_hot.argmax(axis=-1)
    assert right.history[-1].training_accuracy == pytest.approx(answers.mean(), rel=1e-12)


def test_a_layer_alone_takes_sequences_as_it_does_among_others() -> None:
    x, y = RANDOM.normal(size=(23, 5, 3)), RANDOM.normal(size=(23, 5, 2))
    layer = cr.nn.Dense.of(3, 2, "tanh")
    alone, among = (learned(network, x, y, cost="quadratic") for network in (layer, cr.nn.Sequential(layer)))
    assert bits(alone) == bits(among)
    assert cr.backprop(layer, "quadratic", x, y).layers[0].z.shape == (23, 5, 2)


# refusals


def collapsed(w: Any, x: Any) -> Any:
    return cnp.sum(x @ w, axis=0, keepdims=True)


def counted(w: Any, x: Any) -> Any:
    return cnp.astype(x @ w, "int64")


SEQUENCES = RANDOM.normal(size=(4, 4, 3))
TO_ROWS = cr.nn.Sequential(cr.nn.Dense.of(3, 4, "softmax"))
REFUSED: list[tuple[Callable[[], Any], type[ChainruleError], str]] = [
    (lambda: as_dataset(({}, LABELS)), DataError, "x holds no array"),
    (lambda: as_dataset(({"a": WORDS, "b": PLACES[:-1]}, LABELS)), DataError, r"x\['a'\] has shape \(23,\), x\['b'\]"),
    (lambda: as_dataset(({"a": PLACES.astype(complex)}, LABELS)), DataError, r"x\['a'\] must be float32 or float64"),
    (lambda: as_dataset(({"a": PLACES * np.nan}, LABELS)), DataError, r"(?s)x\['a'\] must be finite.*x\['a'\]\[0, 0\]"),
    (lambda: as_dataset(((WORDS, PLACES), LABELS[:-1])), DataError, r"x\[0\] has shape \(23,\), labels \(22,\)"),
    (lambda: DataSet((WORDS, PLACES), LABELS, test=as_dataset((PLACES, LABELS))), DataError, "are other arrays"),
    (lambda: DataSet(IMAGES, np.zeros((23, 2, 2), int)), DataError, "must have shape"),
    (lambda: learned(cr.nn.Network([783, 3]), IMAGES, LABELS), DataError, "784 features, .* takes 783 inputs"),
    (lambda: learned(TO_ROWS, SEQUENCES, np.arange(4)), DataError, r"(?s)outputs of shape \(4, 4\).*shape \(n, 4, 4\)"),
    (lambda: learned(TO_ROWS, SEQUENCES, np.zeros((4, 4))), DataError, r"labels must have shape \(n, 4, 4\)"),
    (lambda: as_dataset(({"a": {"b": PLACES}}, LABELS)), DataError, r"(?s)x\['a'\] is a dict, and must be.*one dict"),
    (
        lambda: learned(cr.nn.Function(collapsed, np.ones((2, 2))), PLACES, TARGETS, cost="quadratic"),
        ShapeError,
        r"makes the shape \(1, 2\) of 2 examples",
    ),
    (
        lambda: learned(cr.nn.Function(counted, np.ones((2, 2))), PLACES, TARGETS, cost="quadratic"),
        DTypeError,
        "real numbers, not i64",
    ),
    (
        lambda: learned((np.ones((2, 2)),), PLACES, TARGETS, cost="quadratic"),
        OptionError,
        r"(?s)not called with examples.*function \(network, x, y\)",
    ),
    (lambda: learned(TO_ROWS, IMAGES, LABELS), ShapeError, r"layers\[0\], a Dense of 3 inputs and 4 outputs"),
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED)
def test_shapes_that_fit_nothing_are_refused(make: Callable[[], Any], kind: type[ChainruleError], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_layers_that_do_not_fit_each_other_are_both_named() -> None:
    network = cr.nn.Sequential(cr.nn.Dense.of(3, 4), cr.nn.Sequential(cr.nn.tanh, cr.nn.Dense.of(5, 2)))
    with pytest.raises(ShapeError) as caught:
        network(np.zeros((7, 3)))
    said = str(caught.value)
    assert "layers[1], a Dense of 5 inputs and 2 outputs" in said
    assert "layers[0], the Activation tanh, gives (7, 4)" in said
    assert "layers[0], a Dense of 3 inputs and 4 outputs, gives (7, 4)" in said
    assert "Make it one of 4 inputs." in said
