"""Attribution: gradients by differences, completeness, closed forms of linear networks, repetition of an estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, small, tolerance

import chainrule as cr
from chainrule.errors import DataError, OptionError
from chainrule.insight import attribution
from chainrule.insight.network_and_data import Subject

Values = np.ndarray[Any, Any]
kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)
OF = ["output", "weighted_input", "cost"]


def explained(subject: Subject, of: str, x: Values, target: int) -> float:
    """F of one example in float64, from the network's own forward pass."""
    wide = subject.network.astype(np.float64)
    if of == "cost":
        return float(subject.cost(wide, x[None].astype(np.float64), np.array([target])))
    z, a = wide.forward(x[None].astype(np.float64))[-1]
    row = a if of == "output" else z
    return float(np.asarray(row if isinstance(row, np.ndarray) else row.value)[0, target])


def slope(subject: Subject, of: str, x: Values, target: int) -> Values:
    """∂F/∂x by central differences."""
    moves = 1e-6 * np.eye(x.size)
    wide = x.astype(np.float64)
    return np.array(
        [(explained(subject, of, wide + m, target) - explained(subject, of, wide - m, target)) / 2e-6 for m in moves]
    )


def asked(subject: Subject, of: str, **options: Any) -> Any:
    cost = subject.objective.cost
    return attribution(subject.network, subject.x[:3], of=of, target=[0, 2, 1], cost=cost, **options)


@kinds
@pytest.mark.parametrize("of", OF)
def test_the_gradient(activation: str, output: str, cost: str, dtype: Any, of: str) -> None:
    subject = small(activation, output, cost, dtype)
    found = asked(subject, of, method="gradient")
    for n, target in enumerate((0, 2, 1)):
        expected = slope(subject, of, subject.x[n], target)
        np.testing.assert_allclose(found.values[n], expected, atol=max(tolerance(dtype), 1e-7))
        assert found.explained[n] == pytest.approx(explained(subject, of, subject.x[n], target), abs=1e-12)
    np.testing.assert_allclose(found.check.predicted, found.check.measured, rtol=0.02, atol=1e-6)
    multiplied = asked(subject, of, method="input_times_gradient", baseline=0.5)
    np.testing.assert_allclose(multiplied.values, (subject.x[:3] - 0.5) * found.values, rtol=1e-5)


@kinds
@pytest.mark.parametrize("of", OF)
def test_integrated_gradients_are_complete(activation: str, output: str, cost: str, dtype: Any, of: str) -> None:
    subject = small(activation, output, cost, dtype)
    found = asked(subject, of, steps=64)
    kinked = activation == "relu"
    np.testing.assert_allclose(found.gap, 0, atol=0.02 if kinked else 20 * tolerance(dtype))
    change = found.explained - found.at_baseline
    np.testing.assert_allclose(found.gap, found.values.sum(axis=1) - change, atol=1e-6)


@pytest.mark.parametrize("rule", ["midpoint", "gauss_legendre"])
def test_integrated_gradients_are_the_sum_over_the_steps(rule: str) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    found = asked(subject, "output", steps=5, rule=rule, baseline=0.1)
    nodes, weights = np.polynomial.legendre.leggauss(5)
    nodes, weights = (nodes + 1) / 2, weights / 2
    if rule == "midpoint":
        nodes, weights = (np.arange(5) + 0.5) / 5, np.full(5, 0.2)
    for n, target in enumerate((0, 2, 1)):
        way = subject.x[n] - 0.1
        slopes = [slope(subject, "output", 0.1 + t * way, target) for t in nodes]
        np.testing.assert_allclose(found.values[n], way * (weights @ np.array(slopes)), atol=1e-8)


def test_more_midpoints_close_the_gap_as_their_square() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    gaps = [np.abs(asked(subject, "output", steps=steps, rule="midpoint").gap).max() for steps in (10, 20, 40)]
    assert gaps[1] == pytest.approx(gaps[0] / 4, rel=0.2)
    assert gaps[2] == pytest.approx(gaps[1] / 4, rel=0.2)


@pytest.mark.parametrize("method", ["input_times_gradient", "integrated_gradients"])
def test_a_linear_network_has_a_closed_form(method: str) -> None:
    random = np.random.default_rng(0)
    w, b, x, baseline = (random.normal(size=shape) for shape in ((3, 4), 3, (5, 4), (5, 4)))
    network = cr.nn.Network.from_weights([(w, b)], "softmax")
    found = attribution(network, x, method=method, target=1, baseline=baseline, steps=1)
    np.testing.assert_allclose(found.values, w[1] * (x - baseline))
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)


def test_smooth_grad_is_an_estimate_that_repetition_agrees_with() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    x, options = subject.x[0], {"of": "output", "target": 0}
    repeated = np.broadcast_to(x, (100, 4))  # each with noise of its own
    found = attribution(subject.network, repeated, method="smooth_grad", steps=20, noise=0.3, **options)
    spread = found.values.std(axis=0, ddof=1)
    assert found.standard_error is not None
    np.testing.assert_allclose(np.sqrt((found.standard_error**2).mean(axis=0)), spread, rtol=0.25)
    noisy = x + 0.3 * np.ptp(x) * np.random.default_rng(0).normal(size=(4000, 4))
    slopes = attribution(subject.network, noisy, method="gradient", **options).values
    together = np.hypot(spread / 10, slopes.std(axis=0) / np.sqrt(4000))
    np.testing.assert_array_less(np.abs(found.values.mean(axis=0) - slopes.mean(axis=0)), 4 * together)


def test_the_same_seed_gives_the_same_and_no_noise_the_gradient() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    one, same, other = (asked(subject, "output", method="smooth_grad", seed=seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-6
    still = asked(subject, "output", method="smooth_grad", noise=0.0)
    np.testing.assert_allclose(still.values, asked(subject, "output", method="gradient").values, atol=1e-14)
    np.testing.assert_allclose(still.standard_error, 0, atol=1e-14)


def test_the_class_that_the_network_says_is_explained_unless_told() -> None:
    subject = small(*KINDS[2])
    found = attribution(subject.network, subject.x)
    np.testing.assert_array_equal(found.targets, subject.network(subject.x).argmax(axis=1))
    single = attribution(cr.Run(subject.network, []), subject.x[2], class_names=("ant", "bee", "cow"))
    np.testing.assert_allclose(single.values[0], found.values[2], atol=1e-12)
    assert single.target_names[0] in ("ant", "bee", "cow")
    assert f"the weighted input of {single.target_names[0]}" in single.sentences()[1]


def test_real_targets_have_a_cost() -> None:
    network = cr.nn.Network([2, 3, 2], output="identity", dtype=np.float64)
    found = attribution(network, [[0.5, 1.0]], of="cost", target=[[1.0, 0.0]], method="gradient")
    np.testing.assert_allclose(found.check.predicted, found.check.measured, rtol=0.02)


def test_memory_is_that_of_one_step() -> None:
    from chainrule.insight.inputs.attribution_methods import integrated

    subject = small("tanh", "softmax", "cross_entropy", np.float64, examples=50)
    compiled = cr.compile(integrated.__wrapped__)  # type: ignore[attr-defined]
    bytes_for = [
        compiled.program(subject, "output", 0 * subject.x, np.zeros(steps), np.zeros(steps)).temporary_bytes
        for steps in (10, 1000)
    ]
    assert bytes_for[0] == bytes_for[1]


# showing, and mistakes


def test_images() -> None:
    pytest.importorskip("matplotlib")
    network = cr.nn.Network([20, 3], activation="softmax")
    image = np.arange(20.0).reshape(4, 5)
    found = attribution(network, image)
    assert found.shape == (4, 5)
    assert found.plot().images[0].get_array().shape == (4, 5)
    assert "row 3, column 4" in [row[0] for row in attribution(network, image).table().rows]
    assert attribution(network, np.zeros((2, 4, 5))).values.shape == (2, 20)
    assert attribution(network, np.zeros(20), shape=(5, 4)).shape == (5, 4)
    assert attribution(cr.nn.Network([16, 3]), np.zeros(16)).shape == (4, 4)
    flat = attribution(network, np.zeros(20))
    assert flat.shape is None
    assert len(flat.plot().patches) == 20


def test_it_tells_itself() -> None:
    subject = small(*KINDS[2])
    told = str(asked(subject, "output"))
    assert "All together they are" in told
    assert "in 50 steps by the gauss-legendre rule" in " ".join(told.split())
    smooth = asked(subject, "output", method="smooth_grad")
    assert "(standard error)" in smooth.sentences()[2]
    assert "is predicted to change" in smooth.sentences()[3]
    assert smooth.to_dict()["gap"] is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"method": "magic"}, "method must be one of .*not 'magic'"),
        ({"of": "input"}, "of must be one of .*not 'input'"),
        ({"rule": "simpson"}, "rule must be one of .*not 'simpson'"),
        ({"steps": 0}, "steps must be"),
        ({"noise": -1}, "noise must be"),
        ({"of": "cost"}, "the cost needs the label"),
        ({"method": "smooth_grad", "steps": 1}, "steps must be a whole number of at least 2"),
    ],
)
def test_it_refuses_options(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        attribution(cr.nn.Network([4, 3]), np.zeros(4), **options)


@pytest.mark.parametrize(
    "options",
    [{"target": 3}, {"target": 0.5}, {"target": [0, 1]}, {"baseline": np.zeros(3)}, {"shape": (2, 3)}],
)
def test_it_refuses_what_does_not_fit(options: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        attribution(cr.nn.Network([4, 3]), np.zeros(4), **options)
    with pytest.raises(DataError):
        attribution(cr.nn.Network([4, 3]), np.zeros(5))
