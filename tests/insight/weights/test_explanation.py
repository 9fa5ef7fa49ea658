"""`explain`: a weight, a neuron, a layer, the largest derivatives; against their definitions, example by example."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.insight.weights.asked_weights import KINDS, NAMES, layer_of, made, some_weights

import chainrule as cr
from chainrule.errors import DataError, OptionError
from chainrule.insight import compiling
from chainrule.insight.backpropagated import Backpropagated, backpropagated
from chainrule.insight.coordinates import Coordinate
from chainrule.insight.levels import rms
from chainrule.insight.network_and_data import Subject, subject_of
from chainrule.insight.presentation import Insight
from chainrule.insight.weights.error_chain import ErrorChain, terms_of
from chainrule.insight.weights.explanation import WeightExplanation, explain
from chainrule.insight.weights.layers import LargestWeights, LayerExplanation
from chainrule.insight.weights.neurons import NeuronExplanation
from chainrule.learning.run import Run
from chainrule.nn import Network

kinds = pytest.mark.parametrize(("sizes", "names", "cost", "dtype"), KINDS, ids=NAMES)
DEEP = [4, 6, 5, 3], ["tanh", "relu", "softmax"]


def near(dtype: Any) -> dict[str, float]:
    return {"rtol": 1e-3, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-14}


def each_gradient(subject: Subject) -> list[Network]:
    """The gradient of each example alone, in float64."""
    network, x = subject.network.astype(np.float64), subject.x.astype(np.float64)
    return [cr.grad(subject.cost)(network, x[[n]], subject.labels[[n]]) for n in range(subject.count)]


def explained(network: Network, data: Any, weight: str | Coordinate, **options: Any) -> WeightExplanation:
    found = explain(network, data, weight=weight, **options)
    assert isinstance(found, WeightExplanation)
    return found


# one pass


@kinds
def test_a_pass_holds_the_four_equations(sizes: list[int], names: list[str], cost: str, dtype: Any) -> None:
    check_a_pass(sizes, names, cost, dtype)


def test_a_pass_by_native_code_holds_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_WORTH_COMPILING", 0)
    check_a_pass(*DEEP, "cross_entropy", np.float32)


def check_a_pass(sizes: list[int], names: list[str], cost: str, dtype: Any) -> None:
    network, data = made(sizes, names, dtype)
    found, book = backpropagated(subject_of(network, data, cost)), cr.backprop(network, cost, *data)
    n = len(data[0])
    assert found.costs.mean() == pytest.approx(book.cost, rel=1e-5)
    for mine, its in zip(found.stages, book.layers, strict=True):
        for one, other in ((mine.z, its.z), (mine.a, its.a), (mine.delta, n * its.delta), (mine.dw, its.dw)):
            np.testing.assert_allclose(one, other, **near(dtype))
            assert one.dtype == dtype
        np.testing.assert_allclose(mine.db, its.db, **near(dtype))


# anatomy


@kinds
@pytest.mark.parametrize("l2", [0.0, 0.9])
def test_the_derivative_is_the_mean_of_those_of_the_examples(
    sizes: list[int], names: list[str], cost: str, dtype: Any, l2: float
) -> None:
    network, data = made(sizes, names, dtype)
    gradients = each_gradient(subject_of(network, data, cost, l2))
    for weight in some_weights(network):
        found = explained(network, data, weight, cost=cost, l2=l2)
        each = np.array([weight.value(gradient) for gradient in gradients])
        penalty = l2 / len(each) * weight.value(network) if weight.kind == "w" else 0
        anatomy = found.anatomy
        np.testing.assert_allclose(anatomy.products, each, **near(dtype))
        assert found.penalty_rate == pytest.approx(penalty)
        assert found.rate == pytest.approx(each.mean() + penalty, rel=1e-3, abs=1e-6)
        assert found.rate == pytest.approx(found.what_if.rate, rel=1e-3, abs=1e-6)
        assert anatomy.spread == pytest.approx(each.std(ddof=1), rel=1e-3)
        assert anatomy.error == pytest.approx(anatomy.spread / np.sqrt(len(each)))
        assert anatomy.signal_to_noise == pytest.approx(abs(anatomy.mean) / anatomy.spread)


def test_who_pulls_which_way() -> None:
    network = Network.from_weights([([[1.0]], [0.0])], "identity")
    x = np.array([[1.0], [2.0], [0.0], [-1.0], [1.0]])
    y = np.array([[0.0], [5.0], [7.0], [0.5], [3.0]])
    anatomy = explained(network, (x, y), "layers[0].w[0, 0]").anatomy
    assert anatomy.products.tolist() == [1.0, -6.0, 0.0, 1.5, -2.0]  # x (x − y)
    assert (anatomy.raised, anatomy.lowered, anatomy.agreement) == (0.4, 0.4, 0.5)
    assert [(p.row, p.source, p.error, p.product) for p in anatomy.strongest_up] == [(3, -1, -1.5, 1.5), (0, 1, 1, 1)]
    assert [(p.row, p.label, p.answer) for p in anatomy.strongest_down] == [(1, "5", None), (4, "3", None)]
    said = " ".join(anatomy.sentences())
    assert "mean over the examples of input 0 × the error δ of neuron 0 (BP4): -1.1 ± 1.364 (standard error)" in said
    assert "40.0 % of the examples would cost less if it were raised, 40.0 % if it were lowered; 20.0 % do not" in said


def test_the_strongest_examples_are_told_with_label_and_answer() -> None:
    network, (x, labels) = made(*DEEP, np.float64)
    anatomy = explained(network, (x, labels), "layers[1].w[2, 3]").anatomy
    order = np.argsort(anatomy.products)
    answers = network(x).argmax(axis=1)
    assert [p.row for p in anatomy.strongest_down] == order[:3].tolist()
    assert [p.row for p in anatomy.strongest_up] == order[::-1][:3].tolist()
    for pull in (*anatomy.strongest_up, *anatomy.strongest_down):
        assert (pull.label, pull.answer) == (str(labels[pull.row]), str(answers[pull.row]))
        assert pull.product == anatomy.products[pull.row] == pull.source * pull.error


def test_a_weight_from_an_input_that_is_always_0() -> None:
    network, (x, labels) = made([4, 6, 3], ["sigmoid", "sigmoid"], np.float32)
    x[:, 1] = 0
    found = explained(network, (x, labels), "layers[0].w[2, 1]")
    assert (found.rate, found.anatomy.agreement, found.anatomy.signal_to_noise) == (0, None, None)
    assert found.anatomy.strongest_up == found.anatomy.strongest_down == ()
    said = str(found)
    assert "learning leaves it where it is" in said
    assert "No example pulls at it" in said
    assert "pulls hardest" not in said
    assert "-0 " not in said
    assert found.chain.error != 0


# the chain


def example_in(found: ErrorChain, passed: Backpropagated) -> int:
    return next(n for n in range(len(passed.costs)) if passed.subject.row(n) == found.example)


@kinds
def test_the_chain_is_filled_in_backpropagation(sizes: list[int], names: list[str], cost: str, dtype: Any) -> None:
    network, data = made(sizes, names, dtype)
    passed = backpropagated(subject_of(network, data, cost))
    close = 1e-4 if dtype == np.float32 else 1e-10
    for weight in some_weights(network):
        found = explained(network, data, weight, cost=cost)
        chain, example = found.chain, example_in(found.chain, passed)
        assert example == np.abs(found.anatomy.products).argmax()
        assert chain.product == found.anatomy.products[example] == chain.source * chain.error
        assert [n for n, _, _ in chain.layers] == list(range(len(network.layers) - 1, layer_of(weight) - 1, -1))
        for n, mine, whole in chain.layers:
            assert mine == pytest.approx(rms(passed.stages[n].delta[example]))
            assert whole == pytest.approx(np.sqrt(np.mean(passed.stages[n].delta.astype(float) ** 2)))
        neuron, error = chain.output.neuron, chain.output.error
        for link in chain.links:
            weights, deltas = network.layers[link.layer + 1].w, passed.stages[link.layer + 1].delta
            first = link.terms[0]
            assert (first.neuron, first.error) == (neuron, error)  # the path does not break
            assert abs(first.product) == max(abs(term.product) for term in link.terms)
            assert sum(t.product for t in link.terms) + link.others == pytest.approx(link.error, abs=close)
            for term in link.terms:
                assert term.weight == weights[term.neuron, link.neuron]
                assert term.error == deltas[example, term.neuron]
                if names[link.layer] != "softmax":
                    assert term.product == pytest.approx(term.weight * term.error * link.steepness, abs=close)
            neuron, error = link.neuron, link.error
            assert error == passed.stages[link.layer].delta[example, neuron]
            assert link.rms == pytest.approx(rms(passed.stages[link.layer].delta[:, neuron]))
        assert (neuron, error) == (weight.index[0], chain.error)
        assert chain.mixed == ("softmax" in names[layer_of(weight) : -1])


@kinds
def test_the_terms_of_the_next_layer_add_up_to_the_error(
    sizes: list[int], names: list[str], cost: str, dtype: Any
) -> None:
    network, data = made(sizes, names, dtype)
    passed = backpropagated(subject_of(network, data, cost))
    for layer in range(len(sizes) - 2):
        terms = terms_of(passed, layer, 1)
        np.testing.assert_allclose(terms.sum(axis=1), passed.stages[layer].delta[:, 1], **near(dtype))
        found = explained(network, data, f"layers[{layer}].b[1]", cost=cost).chain.links[-1]
        for term in found.terms:
            assert term.rms == pytest.approx(np.sqrt(np.mean(terms[:, term.neuron].astype(float) ** 2)))


@kinds
def test_the_output_fills_in_the_first_equation(sizes: list[int], names: list[str], cost: str, dtype: Any) -> None:
    network, data = made(sizes, names, dtype)
    found = explained(network, data, f"layers[{len(sizes) - 2}].b[0]", cost=cost).chain
    output, first = found.output, found.table().rows[0]
    assert output.target == (data[1][found.example] == 0)
    assert output.activation == pytest.approx(float(network(data[0].astype(dtype))[found.example, 0]), rel=1e-5)
    if cost == "cross_entropy":
        assert output.slope is None
        assert output.is_difference
        assert "a - target" in first[1]
    elif names[-1] == "softmax":
        assert output.slope is None
        assert "of all ∂C/∂a" in first[1]
    else:
        assert output.slope == pytest.approx(output.activation - output.target, rel=1e-5)
        assert output.slope * output.steepness == pytest.approx(output.error, rel=1e-5)


def test_the_output_is_no_difference_if_the_targets_of_a_softmax_do_not_add_up_to_1() -> None:
    network, (x, _) = made([4, 3], ["softmax"], np.float64)
    found = explained(network, (x, np.full((len(x), 3), 0.8)), "layers[0].b[0]", cost="cross_entropy").chain
    assert not found.output.is_difference
    assert found.output.error == pytest.approx(2.4 * found.output.activation - 0.8)
    assert "of all ∂C/∂a" in str(found)


# neurons


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_neuron_over_the_examples(dtype: Any) -> None:
    network, (x, labels) = made([4, 6, 3], ["sigmoid", "softmax"], dtype)
    found = explain(network, (4 * x, labels), neuron="layers[0][2]")
    assert isinstance(found, NeuronExplanation)
    layer = backpropagated(subject_of(network, (4 * x, labels))).stages[0]
    a = layer.a[:, 2].astype(float)
    assert (found.z_rms, found.a_rms, found.delta_rms) == (
        rms(layer.z[:, 2]),
        rms(layer.a[:, 2]),
        rms(layer.delta[:, 2]),
    )
    assert (found.bias, found.bias_rate) == (network.layers[0].b[2], layer.db[2])
    assert found.saturated == np.mean(a * (1 - a) < 0.0125)
    assert 0 < found.saturated < 1
    assert not found.dead
    assert [w.weight.index[1] for w in found.incoming] == np.argsort(-np.abs(layer.dw[2])).tolist()
    assert [c.name for c in found.classes] == ["0", "1", "2"]
    means = [a[labels == c].mean() for c in range(3)]
    assert [c.activation for c in found.classes] == pytest.approx(means)
    inside = sum(((a[labels == c] - means[c]) ** 2).sum() for c in range(3))
    assert found.selectivity == pytest.approx(1 - inside / ((a - a.mean()) ** 2).sum())


def test_a_dead_neuron_is_said_to_be_dead() -> None:
    network, (x, labels) = made([4, 6, 3], ["relu", "softmax"], np.float64)
    network.layers[0].b[3] = -100
    found = explain(network, (x, labels), neuron=(0, 3))
    assert isinstance(found, NeuronExplanation)
    assert (found.dead, found.saturated, found.selectivity, found.delta_rms) == (True, 1.0, 0.0, 0.0)
    assert "It is dead" in str(found)


def test_a_neuron_of_a_network_without_classes() -> None:
    network, (x, _) = made([4, 6, 2], ["tanh", "identity"], np.float64)
    found = explain(network, (x, x[:, :2]), neuron="layers[1][0]")
    assert isinstance(found, NeuronExplanation)
    assert (found.classes, found.selectivity, found.saturated) == ((), None, 0)
    assert len(found.table().rows) == 5


@pytest.mark.parametrize("neuron", ["layers[0]", "layers[2][0]", "layers[0][6]", (0, 6), (-1, 0), (0,), 3, "(0, 3)"])
def test_neurons_that_are_not_there_are_refused(neuron: Any) -> None:
    network, data = made([4, 6, 3], ["tanh", "softmax"], np.float64)
    with pytest.raises(OptionError, match=r"names no neuron|has layers 0 to 1|neurons 0 to 5"):
        explain(network, data, neuron=neuron)


# layers, and the largest


@kinds
def test_a_layer_over_the_examples(sizes: list[int], names: list[str], cost: str, dtype: Any) -> None:
    network, data = made(sizes, names, dtype)
    passed = backpropagated(subject_of(network, data, cost, l2=0.5))
    for n, layer in enumerate(passed.stages):
        found = explain(network, data, layer=n, cost=cost, l2=0.5)
        assert isinstance(found, LayerExplanation)
        assert (found.z_rms, found.a_rms, found.delta_rms) == (rms(layer.z), rms(layer.a), rms(layer.delta))
        assert (found.dw_rms, found.db_rms, found.w_rms) == (rms(layer.dw), rms(layer.db), rms(network.layers[n].w))
        sizes_found = [abs(line.rate) for line in found.largest]
        np.testing.assert_allclose(sizes_found, np.sort(np.abs(layer.dw).ravel())[::-1][:10], **near(dtype))
        for line in found.largest:
            assert line.value == line.weight.value(network)
            assert line.rate == pytest.approx(float(layer.dw[line.weight.index]), rel=1e-3, abs=1e-6)


def test_a_layer_counts_its_dead_neurons() -> None:
    network, (x, labels) = made([4, 6, 3], ["relu", "softmax"], np.float64)
    network.layers[0].b[[1, 3]] = -100
    found = explain(network, (x, labels), layer=0)
    assert isinstance(found, LayerExplanation)
    assert found.dead == 2
    assert "2 of 6 are dead" in str(found)


@kinds
def test_the_largest_derivatives_of_all_weights(sizes: list[int], names: list[str], cost: str, dtype: Any) -> None:
    network, data = made(sizes, names, dtype)
    found = explain(network, data, largest=5, cost=cost)
    assert isinstance(found, LargestWeights)
    passed = backpropagated(subject_of(network, data, cost))
    every = np.concatenate([layer.dw.ravel() for layer in passed.stages]).astype(float)
    expected = np.sort(np.abs(every))[::-1][:5]
    np.testing.assert_allclose([abs(line.rate) for line in found.weights], expected, **near(dtype))
    assert found.share == pytest.approx((expected**2).sum() / (every**2).sum(), rel=1e-3)
    one = explained(network, data, found.weights[0].weight, cost=cost)
    assert (one.rate, one.anatomy.agreement) == (found.weights[0].rate, found.weights[0].agreement)


def test_there_are_no_more_than_all_weights() -> None:
    network, data = made([4, 3], ["softmax"], np.float64)
    found = explain(network, data, largest=1000)
    assert isinstance(found, LargestWeights)
    assert len(found.weights) == 12
    assert found.share == pytest.approx(1)


# what it is asked with


def test_exactly_one_thing_is_asked_about() -> None:
    network, data = made([4, 3], ["softmax"], np.float64)
    with pytest.raises(OptionError, match="about one thing, not nothing"):
        explain(network, data)
    with pytest.raises(OptionError, match="about one thing, not layer and largest"):
        explain(network, data, layer=0, largest=3)


@pytest.mark.parametrize(
    "asked", [{"layer": 2}, {"layer": -1}, {"layer": True}, {"largest": 0}, {"largest": 1.5}, {"weight": "w[0]"}]
)
def test_what_is_not_there_is_refused(asked: dict[str, Any]) -> None:
    network, data = made([4, 6, 3], ["tanh", "softmax"], np.float64)
    with pytest.raises(OptionError):
        explain(network, data, **asked)


def test_data_and_cost_must_fit() -> None:
    network, (x, labels) = made([4, 6, 3], ["tanh", "tanh"], np.float64)
    with pytest.raises(DataError, match="features"):
        explain(network, (x[:, :3], labels), layer=0)
    with pytest.raises(OptionError, match="cross_entropy"):
        explain(network, (x, labels), layer=0, cost="cross_entropy")


def test_a_run_brings_its_cost_and_its_penalty() -> None:
    network, data = made([4, 6, 3], ["sigmoid", "sigmoid"], np.float64)
    run = Run(network, [], {"cost": "cross_entropy", "l2": 3.0, "training_examples": 60})
    found = explain(run, data, weight="layers[0].w[1, 2]")
    same = explain(network, data, weight="layers[0].w[1, 2]", cost="cross_entropy", l2=1.5)
    assert str(found) == str(same)
    assert "of it comes from the penalty" in str(found)


def test_of_many_examples_some_are_asked() -> None:
    network, data = made([4, 6, 3], ["tanh", "softmax"], np.float64, examples=90)
    found = explained(network, data, "layers[0].w[1, 2]", examples=40)
    assert (found.examples, found.available, len(found.anatomy.products)) == (40, 90, 40)
    assert "the mean over 40 of the 90 examples" in str(found)
    alone = explained(network, (data[0][[found.chain.example]], data[1][[found.chain.example]]), "layers[0].w[1, 2]")
    assert alone.rate == pytest.approx(found.chain.product)
    assert str(found) == str(explained(network, data, "layers[0].w[1, 2]", examples=40))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 0.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore:(invalid value|overflow|divide by zero)")
def test_a_network_that_went_wrong_is_still_explained(value: float, dtype: Any) -> None:
    network, data = made(*DEEP, dtype)
    network.layers[1].w[2, 3] = value
    for asked in ({"weight": "layers[1].w[2, 3]"}, {"weight": "layers[0].w[0, 0]"}, {"layer": 1}, {"neuron": (0, 3)}):
        found = explain(network, data, **asked)  # type: ignore[arg-type]
        assert str(found)
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_sign_that_is_lost_in_the_noise() -> None:
    network = Network.from_weights([([[1.0]], [0.0])], "identity")
    data = np.array([[1.0], [1.0]]), np.array([[0.0], [2.0 - 1e-9]])
    found = explained(network, data, "layers[0].w[0, 0]").anatomy
    assert "its sign is lost in it" in " ".join(found.sentences())


# how it shows itself


def test_it_reads_from_top_to_bottom() -> None:
    network, data = made(*DEEP, np.float32)
    said = str(explained(network, data, "layers[0].w[2, 3]"))
    lines = said.splitlines()
    assert lines[0].startswith("layers[0].w[2, 3] = ")
    assert "This is the weight from input 3 to neuron 2 of layer 0 (tanh)." in said
    parts = ("What ∂C/∂w", "wants to", "From the cost", "BP1", "BP2", "BP3", "BP4", "What if", "Raising it", "     Δw")
    order = [next(n for n, line in enumerate(lines) if line.startswith(part)) for part in parts]
    assert order == sorted(order)
    assert len(lines) <= 55
    bias = str(explained(network, data, "layers[2].b[1]"))
    assert "the bias of neuron 1 of layer 2, the output layer (softmax)" in bias
    assert "∂C/∂b" in bias.splitlines()[0]
    assert "BP4" not in bias


ASKED: list[dict[str, Any]] = [
    {"weight": "layers[0].w[2, 3]"},
    {"weight": "layers[2].b[0]"},
    {"neuron": (1, 2)},
    {"layer": 1},
    {"largest": 4},
]


def whole(asked: dict[str, Any]) -> Insight:
    network, data = made(*DEEP, np.float32)
    return explain(network, data, **asked)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_it_gives_its_numbers(asked: dict[str, Any]) -> None:
    found = whole(asked)
    assert json.loads(json.dumps(found.to_dict()))["title"] == found.title
    html = found._repr_html_()
    assert html.count("<table ") == html.count("</table>") == (3 if "weight" in asked else 1)
    assert all(len(row) == len(found.table().columns) for row in found.table().rows)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_it_gives_a_frame(asked: dict[str, Any]) -> None:
    pytest.importorskip("pandas")
    found = whole(asked)
    assert found.to_frame().shape == (len(found.table().rows), len(found.table().columns))


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_it_draws_itself(asked: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    found = whole(asked)
    drawn = found.plot()
    assert drawn.has_data()
    assert found.plot(drawn) is drawn
    if isinstance(found, WeightExplanation):
        left, right = found.plot().figure.axes
        assert len(left.get_lines()) == 5
        assert sum(bar.get_height() for bar in right.patches) == len(found.anatomy.products)
        assert found.chain.plot().has_data()


@pytest.mark.filterwarnings("ignore:(invalid value|overflow|divide by zero)")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_numbers_that_are_none_nothing_is_claimed(dtype: Any) -> None:
    network, data = made(*DEEP, dtype)
    network.layers[0].w[...] = np.nan
    for asked in ({"weight": "layers[1].w[2, 3]"}, {"layer": 1}, {"neuron": (0, 3)}, {"largest": 3}):
        said = " ".join(explain(network, data, **asked).sentences())  # type: ignore[arg-type]
        assert "Numbers are not finite here: chainrule.insight.diagnose says where that begins." in said
        for claim in ("lowers the cost", "raises", "0 of", "0.0 %", "fastest", "most active"):
            assert claim not in said
