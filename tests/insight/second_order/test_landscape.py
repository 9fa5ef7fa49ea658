"""The cost along directions, against networks that are moved one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, cost_at, data_of, gradients, small, tolerance, whole_hessian

import chainrule as cr
from chainrule.errors import OptionError, ShapeError
from chainrule.insight import loss_landscape
from chainrule.insight.gradients import total_gradient
from chainrule.insight.parameter_vector import is_weight, shaped, vector
from chainrule.insight.second_order import landscape
from chainrule.insight.second_order.landscape import _directions

Values = np.ndarray[Any, Any]
kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


@kinds
@pytest.mark.parametrize("directions", [1, 2])
def test_every_point_is_measured(activation: str, output: str, cost: str, dtype: Any, directions: int) -> None:
    subject = small(activation, output, cost, dtype)
    found = loss_landscape(subject.network, data_of(subject), directions=directions, points=5, cost=cost, seed=3)
    ways = _directions(subject, total_gradient(subject), "random", directions, "filter", 3)
    start, hessian = np.asarray(vector(subject.network), np.float64), whole_hessian(subject)
    slopes = np.array([way @ gradients(subject).mean(axis=0) for way in ways])
    curved = np.array([[a @ hessian @ b for b in ways] for a in ways])
    for at in np.ndindex(found.costs.shape):
        t = np.array([line[n] for line, n in zip(found.coordinates, at, strict=True)])
        expected = cost_at(subject, start + t @ np.stack(ways))
        assert found.costs[at] == pytest.approx(expected, rel=10 * tolerance(dtype))
        first = found.cost + t @ slopes
        assert found.first_order[at] == pytest.approx(first, abs=50 * tolerance(dtype))
        assert found.second_order[at] == pytest.approx(first + t @ curved @ t / 2, abs=200 * tolerance(dtype))


def test_points_in_parts_are_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    at_once = loss_landscape(subject.network, data_of(subject), points=11)
    monkeypatch.setattr(landscape, "_AT_ONCE", 500)
    in_parts = loss_landscape(subject.network, data_of(subject), points=11)
    np.testing.assert_allclose(in_parts.costs, at_once.costs, rtol=1e-14)


def test_the_penalty_is_part_of_the_cost() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    (way,) = _directions(subject, total_gradient(subject), "random", 1, "filter", 0)
    found, plain = (loss_landscape(subject.network, data_of(subject), points=5, l2=l2) for l2 in (6.0, 0.0))
    weights = is_weight(subject.network)
    moved = [np.asarray(vector(subject.network)) + t * way for t in found.coordinates[0]]
    penalties = [0.5 * 6.0 / subject.count * np.sum(w[weights] ** 2) for w in moved]
    np.testing.assert_allclose(found.costs - plain.costs, penalties, atol=1e-12)
    step = 1e-4
    near = loss_landscape(subject.network, data_of(subject), points=3, span=step, l2=6.0)
    assert near.slopes[0] == pytest.approx((near.costs[2] - near.costs[0]) / (2 * step), rel=1e-5)
    curved = (near.costs[2] - 2 * near.costs[1] + near.costs[0]) / step**2
    assert near.curvatures[0, 0] == pytest.approx(curved, rel=1e-4)


def test_a_filter_changes_by_as_much_as_it_is_long() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    (way,) = _directions(subject, total_gradient(subject), "random", 1, "filter", 0)
    for moved, layer in zip(shaped(subject.network, way).layers, subject.network.layers, strict=True):
        for n in range(layer.outputs):
            change, filter_ = (np.append(part.w[n], part.b[n]) for part in (moved, layer))
            assert np.linalg.norm(change) == pytest.approx(np.linalg.norm(filter_))


def test_directions_against_the_gradient_and_across() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    mean = gradients(subject).mean(axis=0)
    one, two = _directions(subject, total_gradient(subject), "gradient", 2, "unit", 0)
    np.testing.assert_allclose(one, -mean / np.linalg.norm(mean), atol=1e-10)
    assert np.linalg.norm(two) == pytest.approx(1)
    assert one @ two == pytest.approx(0, abs=1e-12)
    found = loss_landscape(subject.network, data_of(subject), kind="gradient")
    assert found.slopes[0] == pytest.approx(-np.linalg.norm(mean))


def test_eigenvectors_curve_as_their_eigenvalues_say() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    found = loss_landscape(subject.network, data_of(subject), kind="eigenvectors", directions=2, points=3)
    expected = np.linalg.eigvalsh(whole_hessian(subject))[::-1][:2]
    np.testing.assert_allclose(np.diag(found.curvatures), expected, rtol=1e-3)


def test_a_quadratic_cost_is_predicted_everywhere() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    network = cr.nn.Network([3, 2], activation="identity", dtype=np.float64)
    found = loss_landscape(network, (x, x[:, :2]), cost="quadratic", span=3.0)
    np.testing.assert_allclose(found.second_order, found.costs, rtol=1e-12)
    assert found.holds(found.second_order) == pytest.approx(3)
    assert found.holds(found.first_order) < 3


def test_where_a_prediction_stops_holding() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    found = loss_landscape(subject.network, data_of(subject), span=4.0, points=81)
    t, change = found.coordinates[0], found.costs - found.cost
    good = np.abs(found.second_order - found.costs) <= 0.1 * np.abs(change) + 1e-5 * found.cost
    reach = found.holds(found.second_order)
    assert np.all(good[np.abs(t) <= reach])
    assert not np.all(good[np.abs(t) <= reach + t[1] - t[0] + 1e-9])


# between networks


def test_the_line_to_another_network_ends_there() -> None:
    one, two = (small("tanh", "softmax", "cross_entropy", np.float64, seed=s) for s in (0, 1))
    found = loss_landscape(one.network, data_of(one), between=two.network, points=7)
    there = cost_at(one, np.asarray(vector(two.network)))
    assert (found.costs[0], found.costs[-1]) == pytest.approx((found.cost, there))
    ends = found.costs[0] + (found.costs[-1] - found.costs[0]) * np.linspace(0, 1, 7)
    assert found.barrier == pytest.approx(max(0, np.max(found.costs - ends)))


def test_a_hill_between_mirror_images() -> None:
    network = cr.nn.Network.from_weights([([[2.0]], [0.0]), ([[2.0]], [0.0])], ["tanh", "identity"])
    mirrored = cr.nn.Network.from_weights([([[-2.0]], [0.0]), ([[-2.0]], [0.0])], ["tanh", "identity"])
    x = np.linspace(-2, 2, 9)[:, None]
    data = (x, np.asarray(network(x)))
    found = loss_landscape(network, data, between=mirrored)
    assert found.barrier > 0.5
    assert "rises by" in str(found)
    assert "one valley" in str(loss_landscape(network, data, between=network))


@pytest.mark.parametrize(
    "option",
    [
        {"directions": 3},
        {"kind": "upward"},
        {"normalized": "layer"},
        {"points": 1},
        {"span": 0.0},
        {"span": float("inf")},
    ],
)
def test_options_outside_their_range_are_refused(option: dict[str, Any]) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    with pytest.raises(OptionError):
        loss_landscape(subject.network, data_of(subject), **option)


def test_networks_that_do_not_fit_are_refused() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    with pytest.raises(ShapeError, match="sizes"):
        loss_landscape(subject.network, data_of(subject), between=cr.nn.Network([4, 3], output="softmax"))
    with pytest.raises(OptionError):
        loss_landscape(subject.network, data_of(subject), between=subject.network, directions=2)
