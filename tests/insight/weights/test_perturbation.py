"""`what_if`: what a change of one weight is predicted to do, and does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.weights.asked_weights import KINDS, NAMES, costs, made, passed, some_weights, squares

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.insight import compiling
from chainrule.insight.coordinates import Coordinate, parse_coordinate
from chainrule.insight.network_and_data import subject_of
from chainrule.insight.weights import downstream as downstream_module
from chainrule.insight.weights.downstream import downstream
from chainrule.insight.weights.perturbation import WhatIf, what_if
from chainrule.nn import Network

kinds = pytest.mark.parametrize(("sizes", "names", "cost", "dtype"), KINDS, ids=NAMES)
CHANGES = [-1.5, -0.4, -0.01, 0.0, 0.01, 0.4, 1.5]


def near(dtype: Any) -> dict[str, float]:
    """How near the float64 behind the weight comes to float64 everywhere."""
    return {"rtol": 1e-4, "atol": 2e-6} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-13}


@kinds
@pytest.mark.parametrize("l2", [0.0, 0.7])
def test_what_is_measured_is_the_change_of_the_cost(
    sizes: list[int], names: list[str], cost: str, dtype: Any, l2: float
) -> None:
    network, data = made(sizes, names, dtype)
    n = len(data[0])

    def whole(asked: Network) -> float:
        return float(costs(asked, cost, data).mean()) + l2 / (2 * n) * squares(asked)

    for weight in some_weights(network):
        found = what_if(network, data, weight, CHANGES, cost=cost, l2=l2)
        wide = network.astype(np.float64)
        assert found.cost == pytest.approx(whole(wide), rel=1e-5 if dtype == np.float32 else 1e-12)
        expected = [whole(weight.changed(wide, change)) - whole(wide) for change in CHANGES]
        np.testing.assert_allclose(found.measured, expected, **near(dtype))


@kinds
def test_rate_and_curvature_are_those_of_the_whole_network(
    sizes: list[int], names: list[str], cost: str, dtype: Any
) -> None:
    network, data = made(sizes, names, dtype)
    subject = subject_of(network.astype(np.float64), data, cost, l2=0.7)
    for weight in some_weights(network):

        def moved(change: Any, weight: Coordinate = weight) -> Any:
            return subject.total_cost(weight.changed(subject.network, change), subject.x, subject.labels)

        found = what_if(network, data, weight, CHANGES, cost=cost, l2=0.7)
        assert found.rate == pytest.approx(float(cr.grad(moved)(0.0)), rel=1e-4, abs=1e-6)
        assert found.curvature == pytest.approx(float(cr.grad(cr.grad(moved))(0.0)), rel=1e-4, abs=1e-6)
        np.testing.assert_allclose(found.first_order, found.rate * found.changes)
        np.testing.assert_allclose(found.second_order, found.first_order + found.curvature * found.changes**2 / 2)


@kinds
def test_the_ends_say_what_becomes_of_the_answers(sizes: list[int], names: list[str], cost: str, dtype: Any) -> None:
    network, data = made(sizes, names, dtype)
    wide, labels = network.astype(np.float64), data[1]
    for weight in some_weights(network):
        found = what_if(network, data, weight, [-3.0, 3.0], cost=cost)
        before = passed(wide, data[0])[-1].argmax(axis=1) == labels
        assert found.accuracy_now == before.mean()
        assert found.accuracy is not None
        for n, end in enumerate(found.ends):
            other = weight.changed(wide, end.change)
            after = passed(other, data[0])[-1].argmax(axis=1) == labels
            assert end.accuracy == found.accuracy[n] == after.mean()
            assert end.became_wrong == tuple(np.flatnonzero(before & ~after))
            assert end.became_right == tuple(np.flatnonzero(~before & after))
            for c in end.classes:
                mine = labels == int(c.name)
                assert c.before == pytest.approx(costs(wide, cost, data)[mine].mean(), rel=1e-4)
                assert c.after == pytest.approx(costs(other, cost, data)[mine].mean(), rel=1e-4)
            assert sum((labels == int(c.name)).sum() for c in end.classes) == len(labels)


def one_neuron() -> tuple[Network, tuple[Any, Any]]:
    """C = ½ (w x)² with x = 1: its change is a parabola."""
    return Network.from_weights([([[2.0]], [0.0])], "identity"), ([[1.0]], [[0.0]])


def test_of_a_parabola_the_second_order_holds_everywhere_and_the_first_as_far_as_it_is_near() -> None:
    found = what_if(*one_neuron(), "layers[0].w[0, 0]", 4.0)
    assert (found.rate, found.curvature, found.cost) == (2.0, 1.0, 2.0)
    np.testing.assert_allclose(found.measured, 2 * found.changes + found.changes**2 / 2, atol=1e-15)
    assert found.second_order_reach == (-4.0, 4.0)
    low, high = found.first_order_reach  # Δ²/2 ≤ 0.1 |2Δ + Δ²/2|, in steps of 0.2
    assert low == pytest.approx(-0.2)
    assert high == pytest.approx(0.4)
    said = found.sentences()
    assert said[0] == "Raising it by 0.2 is predicted to raise the cost by 0.4; measured: 0.42."
    assert "from -0.2 to 0.4" in said[2]
    assert "over the whole range, -4 to 4" in said[2]


def test_where_the_slope_is_0_the_straight_line_does_not_hold() -> None:
    network = Network.from_weights([([[0.0]], [1.0])], "identity")
    found = what_if(network, ([[1.0]], [[1.0]]), "layers[0].w[0, 0]", 1.0)
    assert found.first_order_reach == (None, None)
    assert "not even for the smallest change" in " ".join(found.sentences())
    assert "is predicted to leave the cost as it is; measured: it would raise the cost by" in found.sentences()[0]


def test_a_reach_ends_before_the_first_change_at_which_it_does_not_hold() -> None:
    network, data = made([4, 6, 3], ["sigmoid", "sigmoid"], np.float64)
    found = what_if(network, data, "layers[1].w[0, 1]", 20.0, cost="quadratic")
    allowed = 0.1 * np.abs(found.measured) + 1e-6 * found.cost
    holds = np.abs(found.second_order - found.measured) <= allowed
    low, high = found.second_order_reach
    assert low is not None
    assert high is not None
    inside = (found.changes >= low) & (found.changes <= high)
    assert holds[inside].all()
    assert not holds[np.flatnonzero(inside)[-1] + 1]
    assert not holds[np.flatnonzero(inside)[0] - 1]


def test_the_usual_changes_are_41_around_0_and_suit_the_weights() -> None:
    network, data = made([4, 6, 3], ["tanh", "softmax"], np.float32)
    weight = parse_coordinate("layers[0].w[2, 1]", network)
    found = what_if(network, data, weight)
    size = max(abs(weight.value(network)), np.sqrt((network.layers[0].w ** 2).mean()))
    assert len(found.changes) == 41
    np.testing.assert_allclose(found.changes, np.linspace(-size, size, 41), atol=1e-6)
    assert found.changes[20] == 0 == found.measured[20] == found.first_order[20]
    assert len(found.shown().rows) == 7
    assert len(found.table().rows) == 41


@pytest.mark.parametrize("changes", [[0.5, -0.1, 0.0], (0.5, -0.1, 0.0, 0.5), np.array([-0.1, 0.0, 0.5])])
def test_changes_are_put_in_order(changes: Any) -> None:
    assert what_if(*one_neuron(), "layers[0].b[0]", changes).changes.tolist() == [-0.1, 0.0, 0.5]


@pytest.mark.parametrize("changes", [[], [0.0], 0.0, -1.0, np.nan, [1.0, np.inf], "much", [[1.0]], object()])
def test_changes_that_are_none_are_refused(changes: Any) -> None:
    with pytest.raises(OptionError, match=r"changes must be finite numbers .*\n.*\n.*changes=0\.1 for 41"):
        what_if(*one_neuron(), "layers[0].b[0]", changes)


@pytest.mark.parametrize("weight", ["layers[0].w[1, 0]", "w", 3, "layers[1].w[0, 0]", "layers[0].b[9]"])
def test_places_that_are_not_there_are_refused(weight: Any) -> None:
    with pytest.raises(OptionError):
        what_if(*one_neuron(), weight)


@pytest.mark.parametrize("examples", [0, -1, True, 1.5, "all"])
def test_a_number_of_examples_is_a_whole_number(examples: Any) -> None:
    with pytest.raises(OptionError, match="examples must be a whole number of at least 1"):
        what_if(*one_neuron(), "layers[0].b[0]", examples=examples)


def test_targets_that_are_no_classes_have_no_accuracy() -> None:
    network, (x, _) = made([4, 6, 2], ["tanh", "identity"], np.float64)
    y = np.random.default_rng(1).normal(size=(len(x), 2))
    found = what_if(network, (x, y), "layers[0].w[0, 0]", [0.1])
    assert found.accuracy is found.accuracy_now is None
    assert found.ends[0].classes == found.ends[0].became_right == ()
    expected = costs(parse_coordinate("layers[0].w[0, 0]", network).changed(network, 0.1), "quadratic", (x, y)) - costs(
        network, "quadratic", (x, y)
    )
    assert found.measured[0] == pytest.approx(expected.mean())
    assert "accuracy" not in found.table().columns


def test_small_changes_are_not_lost_in_float32() -> None:
    network, data = made([4, 6, 3], ["sigmoid", "softmax"], np.float32, examples=200)
    found = what_if(network, data, "layers[0].w[2, 3]", [1e-7])
    assert found.measured[0] == pytest.approx(found.first_order[0], rel=1e-4)


def test_of_many_examples_some_are_asked_and_told_by_their_places_in_the_data() -> None:
    network, data = made([4, 6, 3], ["tanh", "softmax"], np.float64, examples=200)
    found, again = (what_if(network, data, "layers[1].w[0, 1]", 5.0, examples=60) for _ in range(2))
    assert found.examples == 60
    assert str(found) == str(again)
    flips = [n for end in found.ends for n in (*end.became_wrong, *end.became_right)]
    assert max(flips) >= 60
    whole = what_if(network, data, "layers[1].w[0, 1]", 5.0)
    assert set(flips) < {n for end in whole.ends for n in (*end.became_wrong, *end.became_right)}


def same(one: WhatIf, other: WhatIf) -> None:
    for name in ("measured", "first_order", "second_order", "accuracy"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-15)
    assert one.ends[0].became_wrong == other.ends[0].became_wrong


def test_the_changes_go_in_parts_if_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = made([4, 6, 5, 3], ["tanh", "relu", "softmax"], np.float64)
    whole = what_if(network, data, "layers[0].w[0, 1]")
    monkeypatch.setattr(downstream_module, "_AT_ONCE", 30 * 5 * 6)
    same(what_if(network, data, "layers[0].w[0, 1]"), whole)


@pytest.mark.parametrize("weight", ["layers[0].w[2, 1]", "layers[1].w[2, 1]", "layers[2].w[2, 1]"])
def test_native_code_says_the_same(weight: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, data = made([4, 6, 5, 3], ["tanh", "softmax", "softmax"], np.float64)
    plain = what_if(network, data, weight)
    monkeypatch.setattr(compiling, "_WORTH_COMPILING", 0)
    same(what_if(network, data, weight), plain)


def test_only_what_comes_after_the_weight_is_run_again() -> None:
    network, data = made([4, 6, 5, 3], ["tanh", "softmax", "softmax"], np.float64)
    subject = subject_of(network, data)
    for layer, inputs in ((0, 4), (1, 6), (2, 5)):
        part = downstream(subject, parse_coordinate(f"layers[{layer}].w[2, 1]", network))
        program = cr.compile(lambda change, part=part: part.costs(change)[0]).program(0.0)
        shapes = {node.type.shape for node in program.graph.nodes()}
        assert (30, network.layers[layer].outputs) in shapes  # its own weighted inputs move
        assert (30, inputs) not in shapes  # what reaches them is not computed


def test_a_weight_of_which_no_unit_can_be_told_is_changed_in_the_whole_network() -> None:
    network, data = made([4, 6, 3], ["tanh", "softmax"], np.float64)
    hidden = cr.nn.Function(lambda p, x: cr.nn.softmax(cr.nn.tanh(x @ p["w"].T + p["b"]) @ p["v"].T + p["c"]), {
        "w": network.layers[0].w, "b": network.layers[0].b, "v": network.layers[1].w, "c": network.layers[1].b,
    })  # fmt: skip
    one = what_if(hidden, data, "parameters['w'][2, 1]", CHANGES)
    other = what_if(network, data, "layers[0].w[2, 1]", CHANGES)
    np.testing.assert_allclose(one.measured, other.measured, atol=1e-13)
    np.testing.assert_allclose((one.rate, one.curvature), (other.rate, other.curvature), rtol=1e-9)
