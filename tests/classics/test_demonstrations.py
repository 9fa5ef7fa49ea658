"""Nielsen's experiments: his numbers, held against computations written out here, and how results show themselves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import classics, random
from chainrule.classics.demonstrations.base import Demonstration
from chainrule.classics.demonstrations.chapter_1 import LearningDigits, darkness
from chainrule.classics.demonstrations.toy_neuron import SlowLearning
from chainrule.classics.demonstrations.vanishing_gradients import LayerSpeeds, chain, speeds
from chainrule.classics.problems.base import layers
from chainrule.data import DataSet, digits, mnist
from chainrule.errors import OptionError, StorageError
from chainrule.insight.presentation import Insight

Values = np.ndarray[Any, Any]
MNIST = Path(__file__).parents[2] / "../shared/data/mnist"
needs_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST is not in ../shared/data/mnist")


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


# by name


@pytest.mark.parametrize("name", classics.DEMONSTRATIONS)
def test_each_is_found_by_its_name_and_says_what_it_is(name: str) -> None:
    found = classics.demonstration(name)
    assert isinstance(found, Demonstration)
    assert found.name == name
    assert found.title
    assert found.description
    assert found.source.startswith("Nielsen")
    assert found.published


def test_a_demonstration_that_there_is_not_is_refused() -> None:
    with pytest.raises(OptionError, match="demonstration must be one of 'toy-neuron', .*not 'chapter-7'"):
        classics.demonstration("chapter-7")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("toy-neuron", {"speed": 1}, "the options of toy-neuron must be one of 'rate', .*not 'speed'"),
        ("toy-neuron", {"epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
        ("toy-neuron", {"costs": ()}, "costs must be at least one"),
        ("toy-neuron", {"starts": ()}, "starts must be at least one"),
        ("toy-neuron", {"costs": ["cubic"]}, "cost must be one of"),
        ("chapter-1", {"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ("vanishing-gradients", {"networks": True}, "networks must be a whole number"),
        ("vanishing-gradients", {"depths": [0]}, r"depths\[0\] must be a whole number of at least 1"),
        ("vanishing-gradients", {"depths": []}, "depths must be at least one whole number"),
        ("vanishing-gradients", {"hidden": 0.5}, "hidden must be a whole number"),
        ("vanishing-gradients", {"images": 0}, "images must be a whole number"),
    ],
)
def test_options_that_cannot_be_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        classics.demonstration(name).run(**options)


# the toy neuron


def toy() -> SlowLearning:
    found = classics.demonstration("toy-neuron").run()
    assert isinstance(found, SlowLearning)
    return found


def by_hand(cost: str, w: float, b: float, epochs: int = 300) -> list[tuple[float, float, float]]:
    """Output, w and b before the first epoch and after each: the derivatives as they are in the book."""
    rows = []
    for _ in range(epochs + 1):
        a = 1 / (1 + math.exp(-(w + b)))
        rows.append((a, w, b))
        slope = a * a * (1 - a) if cost == "quadratic" else a
        w, b = w - 0.15 * slope, b - 0.15 * slope
    return rows


def test_the_neuron_learns_as_by_hand_to_a_billionth() -> None:
    found = toy()
    assert (found.costs, found.starts) == (("quadratic", "cross_entropy"), ((0.6, 0.9), (2.0, 2.0)))
    assert found.outputs.dtype == np.float64
    for n, cost in enumerate(found.costs):
        for m, (w, b) in enumerate(found.starts):
            mine = np.array([found.outputs[n, m], found.weights[n, m], found.biases[n, m]]).T
            np.testing.assert_allclose(mine, by_hand(cost, w, b), rtol=0, atol=1e-9)


def test_the_neuron_ends_where_it_is_known_to() -> None:
    found = toy()
    assert found.weights[0, 0, -1] == pytest.approx(-1.2831324334, abs=1e-9)
    assert found.biases[0, 0, -1] == pytest.approx(-0.9831324334, abs=1e-9)
    assert found.weights[0, 1, -1] == found.biases[0, 1, -1] == pytest.approx(-0.6842929110, abs=1e-9)
    np.testing.assert_allclose(found.outputs[0, 0, [0, -1]], [0.8176, 0.0940], atol=5e-5)
    badly_wrong = [0.9820, 0.9759, 0.9641, 0.9334, 0.7887, 0.3572, 0.2028]
    np.testing.assert_allclose(found.outputs[0, 1, ::50], badly_wrong, atol=5e-5)
    np.testing.assert_allclose(found.outputs[1, 1, [0, 50, 300]], [0.9820, 0.0985, 0.0120], atol=5e-5)


def test_the_worse_it_is_wrong_the_slower_it_starts_with_the_quadratic_cost_and_the_faster_with_cross_entropy() -> None:
    falls = toy().weights[..., 0] - toy().weights[..., 1]
    assert falls[0, 1] < falls[0, 0]
    assert falls[1, 1] > falls[1, 0]


def test_it_says_when_the_output_was_halved_and_that_it_never_was() -> None:
    found = toy()
    assert found.outputs[0, 1, 232] >= found.outputs[0, 1, 0] / 2 > found.outputs[0, 1, 233]
    assert found.halfway(0, 1) == 233
    short = classics.demonstration("toy-neuron").run(epochs=10)
    assert "it was never halved" in " ".join(short.sentences())
    assert "halved after 233" in str(found)


# chapter 1


def learnt(**options: Any) -> LearningDigits:
    found = classics.demonstration("chapter-1").run(**options)
    assert isinstance(found, LearningDigits)
    return found


def test_without_a_folder_the_bundled_digits_are_learnt_and_it_says_so() -> None:
    found = learnt(epochs=3)
    assert (found.sizes, found.examples, found.images, len(found.right)) == ((784, 30, 10), 5000, 1000, 3)
    assert found.right[-1] > 700
    assert found.published == {}
    assert "the bundled 5,000 digits" in found.title
    assert "not Nielsen's data" in str(found)


def test_it_counts_what_the_learnt_network_gets_right() -> None:
    data = digits()
    assert data.validation is not None
    run = cr.learn(
        cr.nn.Network([784, 30, 10], seed=3), data, cost="quadratic", epochs=1, batch=10, optimizer=cr.optim.SGD(3.0),
        seed=3, watch=False, progress=False,
    )  # fmt: skip
    answers = run.network(data.validation.x).argmax(axis=1)
    assert learnt(seed=3, epochs=1).right.tolist() == [int((answers == data.validation.labels).sum())]


def test_the_same_seed_learns_the_same_and_another_does_not() -> None:
    one, same, other = (learnt(seed=seed, epochs=2).right.tolist() for seed in (0, 0, 1))
    assert one == same != other


def test_an_image_is_taken_for_the_digit_of_the_nearest_average_darkness() -> None:
    train = DataSet(np.array([[0.0, 0.0], [0.0, 0.2], [1.0, 1.0], [0.5, 0.5]]), np.array([0, 0, 1, 2]))
    test = DataSet(np.array([[0.0, 0.3], [0.9, 0.8], [0.4, 0.7], [0.0, 0.0]]), np.array([0, 1, 2, 1]))
    assert darkness(train, test) == 3  # the average of 0 is 0.1, of 1 it is 2, of 2 it is 1


def test_a_folder_without_mnist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="train-images-idx3-ubyte"):
        learnt(folder=tmp_path)


@needs_mnist
def test_average_darkness_gets_exactly_2225_of_10000_right() -> None:
    data = mnist(MNIST)
    assert data.test is not None
    assert darkness(data, data.test) == 2225


@needs_mnist
@pytest.mark.long
def test_the_first_network_learns_mnist_as_published() -> None:
    found = learnt(folder=MNIST)
    assert (found.examples, found.images, found.by_darkness) == (50_000, 10_000, 2225)
    assert found.published[28] == 0.9542
    assert abs(found.right[0] - 9129) < 250
    assert abs(found.right.max() - 9542) < 100
    assert "9,542" in str(found)


# vanishing gradients


@pytest.fixture(scope="module")
def slow_layers() -> LayerSpeeds:
    found = classics.demonstration("vanishing-gradients").run(networks=20)
    assert isinstance(found, LayerSpeeds)
    return found


def test_the_first_layers_learn_slowest_the_more_so_the_deeper_the_network(slow_layers: LayerSpeeds) -> None:
    for depth, found in slow_layers.speeds.items():
        assert found.shape == (20, depth)
        assert np.all(np.diff(np.median(found, axis=0)) > 0)
    assert 3 < slow_layers.slowdown(2) < 8
    assert 15 < slow_layers.slowdown(3) < 40
    assert 60 < slow_layers.slowdown(4) < 250


def test_the_published_speeds_lie_within_the_distribution(slow_layers: LayerSpeeds) -> None:
    assert {d: len(found) for d, found in slow_layers.published.items()} == {2: 2, 3: 3, 4: 4}
    for depth in slow_layers.published:
        for layer in range(depth):
            percentile = slow_layers.percentile(depth, layer)
            assert percentile is not None
            assert 2 < percentile < 99
    medians = np.median(slow_layers.speeds[2], axis=0)
    np.testing.assert_allclose(medians, [0.058, 0.286], rtol=0.15)


def test_a_speed_is_the_length_of_the_mean_error_of_a_layer() -> None:
    random_, sizes = np.random.default_rng(0), (5, 4, 3, 2)
    x, y = random_.random((7, 5)).astype(np.float32), np.eye(2, dtype=np.float32)[random_.integers(2, size=7)]
    key = random.key(1)
    keys = random.split(key, 6)
    weights = [np.asarray(random.normal(keys[n], (sizes[n + 1], sizes[n]))) / np.sqrt(sizes[n]) for n in range(3)]
    biases = [np.asarray(random.normal(keys[n + 3], (sizes[n + 1],))) for n in range(3)]
    a = [x]
    for w, b in zip(weights, biases, strict=True):
        a.append(sigmoid(a[-1] @ w.T + b))
    delta = [a[3] - y]  # BP1 for the cross-entropy
    for n in (2, 1):
        delta.insert(0, delta[0] @ weights[n] * a[n] * (1 - a[n]))  # BP2
    expected = [np.linalg.norm(d.mean(axis=0)) for d in delta[:2]]
    np.testing.assert_allclose(speeds(layers(*sizes), np.stack([key]), x, y), [expected], rtol=1e-4)


def test_many_networks_have_the_speeds_of_each() -> None:
    x, y = (
        np.random.default_rng(0).random((7, 5)).astype(np.float32),
        np.eye(2, dtype=np.float32)[[0, 1, 1, 0, 1, 0, 0]],
    )
    keys, wiring = np.stack([random.key(n) for n in range(25)]), layers(5, 4, 3, 2)
    some = [3, 24]  # of the first networks that are computed together, and of the last
    each = [speeds(wiring, keys[n : n + 1], x, y)[0] for n in some]
    np.testing.assert_allclose(speeds(wiring, keys, x, y)[some], each, rtol=1e-4)


def test_backprop_finds_the_same_errors_in_a_network_of_layers() -> None:
    random_ = np.random.default_rng(0)
    x, labels, key = random_.random((9, 5)).astype(np.float32), random_.integers(2, size=9), random.key(4)
    keys = random.split(key, 4)
    w1, w2 = np.asarray(random.normal(keys[0], (4, 5))) / np.sqrt(5), np.asarray(random.normal(keys[1], (2, 4))) / 2
    b1, b2 = (np.asarray(random.normal(keys[n], (size,))) for n, size in ((2, 4), (3, 2)))
    network = cr.nn.Network.from_weights([(w1, b1), (w2, b2)])
    delta = cr.backprop(network, "cross_entropy", x, labels).layers[0].delta.sum(axis=0)
    found = speeds(layers(5, 4, 2), np.stack([key]), x, np.eye(2, dtype=np.float32)[labels])
    np.testing.assert_allclose(found, [[np.linalg.norm(delta)]], rtol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 4, 7])
def test_the_gradient_of_a_chain_is_the_product_along_it(length: int) -> None:
    random_ = np.random.default_rng(length)
    w, b = random_.normal(size=length) * 2, random_.normal(size=length)
    found = chain(w, b, 0.7, 0.2)
    a, expected = 0.7, 1.0
    for n in range(length):
        a = sigmoid(w[n] * a + b[n])
        expected *= (w[n] if n else 1) * a * (1 - a)
    expected *= a - 0.2
    assert found.as_product == pytest.approx(expected, rel=1e-12)
    assert found.by_backpropagation == pytest.approx(expected, rel=1e-12)
    assert found.factors.shape == (length - 1,)


def test_factors_are_below_a_quarter_where_weights_are_below_one() -> None:
    random_ = np.random.default_rng(0)
    for _ in range(50):
        w = random_.uniform(-1, 1, 5)
        factors = chain(w, -w / 2, 1.0, 0.0).factors
        assert np.abs(factors).max() < 0.25
    steep = chain(np.array([0.0, 6.0]), np.array([0.0, -3.0]), 1.0, 0.0)  # z₂ = 0, where σ' is ¼
    assert steep.factors[0] == pytest.approx(1.5)


def test_the_speeds_are_those_of_the_seed() -> None:
    few = {"networks": 3, "depths": [1], "images": 20}
    one, same, other = (classics.demonstration("vanishing-gradients").run(seed, **few) for seed in (0, 0, 1))
    for found in (one, same, other):
        assert isinstance(found, LayerSpeeds)
        assert found.published == {}  # which are of 1,000 images
        assert found.percentile(1, 0) is None
        assert "hidden layers, the first" not in str(found)  # of one layer there is nothing to compare
    np.testing.assert_array_equal(one.speeds[1], same.speeds[1])  # type: ignore[attr-defined]
    assert not np.any(one.speeds[1] == other.speeds[1])  # type: ignore[attr-defined]


# how they show themselves


def results() -> list[Insight]:
    few = {"networks": 5, "depths": [2], "images": 20}
    return [toy(), learnt(epochs=2), classics.demonstration("vanishing-gradients").run(**few)]


def test_every_result_has_a_table_sentences_data_and_a_picture() -> None:
    for found in results():
        table = found.table()
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert found.title in str(found)
        assert found.to_dict()["title"] == found.title
        axes = found.plot()
        assert axes.get_title() == found.title
        assert found.plot(axes) is axes


def test_the_picture_of_the_neuron_has_its_outputs() -> None:
    found = toy()
    lines = found.plot().get_lines()
    np.testing.assert_array_equal(lines[1].get_ydata(), found.outputs[0, 1])


def test_the_picture_of_chapter_1_has_what_was_published_where_it_belongs() -> None:
    found = LearningDigits("MNIST", (784, 30, 10), 3.0, 50_000, 10_000, np.array([9100, 9300]), 2225, {0: 0.9129})
    wrong, published, baseline = found.plot().get_lines()
    np.testing.assert_allclose(wrong.get_ydata(), [0.09, 0.07])
    np.testing.assert_allclose(published.get_ydata(), [1 - 0.9129])
    np.testing.assert_allclose(baseline.get_ydata(), 0.7775)
    assert found.table().rows[1] == (1, 9300, 0.93, None)
    assert found.best == 1


def test_the_picture_of_the_speeds_has_the_published_ones(slow_layers: LayerSpeeds) -> None:
    drawn = [list(line.get_ydata()) for line in slow_layers.plot().get_lines()]
    for found in slow_layers.published.values():
        assert list(found) in drawn
