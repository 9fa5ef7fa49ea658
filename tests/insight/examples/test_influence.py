"""Influence: against gradients one by one, and against leaving examples out and learning again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import (
    KINDS,
    data_of,
    gradients,
    small,
    tolerance,
    whole_gauss_newton,
    whole_hessian,
)  # fmt: skip

import chainrule as cr
from chainrule.errors import DataError, OptionError
from chainrule.insight import influence
from chainrule.insight.examples.influences import conjugate_gradients
from chainrule.insight.network_and_data import Subject, subject_of
from chainrule.insight.parameter_vector import is_weight, shaped

Values = np.ndarray[Any, Any]
kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


def asked(subject: Subject, seed: int = 1) -> tuple[tuple[Values, int], Values]:
    """An example, and the gradient of its cost."""
    x = np.random.default_rng(seed).normal(size=4)
    alone = subject_of(subject.network.astype(np.float64), (x[None], np.array([2])), subject.objective.cost)
    return (x, 2), gradients(alone)[0]


@kinds
def test_the_product_of_gradients(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject = small(activation, output, cost, dtype)
    example, gradient = asked(subject)
    found = influence(subject.network, data_of(subject), example, cost=cost)
    np.testing.assert_allclose(found.scores, gradients(subject) @ gradient, atol=10 * tolerance(dtype))
    assert found.predicted == pytest.approx(found.measured, rel=0.05)
    assert [e.influence for e in found.helped] == sorted(found.scores[found.scores > 0], reverse=True)[:10]
    assert [e.influence for e in found.hurt] == sorted(found.scores[found.scores < 0])[:10]


def test_checkpoints_are_added_up_with_their_rates() -> None:
    one, two = (small("tanh", "softmax", "cross_entropy", np.float64, seed=0), 0.5), None
    subject, rate = one
    other = small("tanh", "softmax", "cross_entropy", np.float64, seed=7).network
    two = Subject(other, subject.objective, subject.examples)
    expected = sum(r * gradients(s) @ asked(s)[1] for s, r in ((subject, rate), (two, 0.1)))
    checkpoints = [(subject.network, rate), (cr.Run(other, []), 0.1)]
    found = influence(
        subject.network, data_of(subject), asked(subject)[0], method="checkpoints", checkpoints=checkpoints
    )
    np.testing.assert_allclose(found.scores, expected, atol=1e-12)


@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian"])
def test_the_influence_function_is_a_product_with_the_inverse(curvature: str) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    example, gradient = asked(subject)
    whole = whole_gauss_newton(subject) if curvature == "gauss_newton" else whole_hessian(subject)
    decay = 30.0 / subject.count * is_weight(subject.network)
    whole += np.diag(decay)
    found = influence(
        subject.network, data_of(subject), example, method="influence", curvature=curvature, damping=0.5, l2=30.0,
        tolerance=1e-12,
    )  # fmt: skip
    assert found.damping == pytest.approx(0.5 * np.abs(np.linalg.eigvalsh(whole)).max(), rel=0.1)
    damped = whole + found.damping * np.eye(len(whole))
    expected = gradients(subject) @ np.linalg.solve(damped, gradient) / subject.count
    np.testing.assert_allclose(found.scores, expected, rtol=1e-7)
    assert found.residual <= 1e-12
    assert 0 < found.products <= subject.network.parameters + 10


# leaving out


def learning_to_the_end(subject: Subject) -> Callable[[Values, Values], Values]:
    """A function of weights and of how much each example counts: Newton's method for what learning minimises."""

    def total(weights: Any, counted: Any) -> Any:
        network = shaped(subject.network, weights)
        squares = subject.objective.penalty / 2 * sum((n.w * n.w).sum() for n in network.layers)
        return (counted * subject.costs(network, subject.x, subject.labels)).sum() / subject.count + squares

    slope, curvature = cr.compile(cr.grad(total)), cr.compile(cr.hessian(total))

    def learned(weights: Values, counted: Values) -> Values:
        for _ in range(10):
            weights = weights - np.linalg.lstsq(curvature(weights, counted), slope(weights, counted), rcond=None)[0]
        return weights

    return learned


def test_it_predicts_what_leaving_each_example_out_does_to_logistic_regression() -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 2))
    labels = np.arange(72) % 3
    x = centres[labels] + random.normal(size=(72, 2))
    blank = cr.nn.Network.from_weights([(np.zeros((3, 2)), np.zeros(3))], "softmax")
    start = subject_of(blank, (x, labels), l2=1.0)
    learn = learning_to_the_end(start)
    best = learn(np.zeros(9), np.ones(72))
    learned = shaped(blank, best)
    example = (random.normal(size=2), 1)
    alone = subject_of(learned, (example[0][None], np.array([1])))

    def cost_of_example(weights: Values) -> float:
        return float(alone.cost(shaped(blank, weights), alone.x, alone.labels))

    true = [cost_of_example(learn(best, (np.arange(72) != n).astype(float))) - cost_of_example(best) for n in range(72)]
    options: dict[str, Any] = {"method": "influence", "l2": 1.0, "damping": 0.0, "tolerance": 1e-9}
    found = influence(learned, (x, labels), example, **options)
    assert np.corrcoef(found.scores, true)[0, 1] > 0.99
    assert np.mean(np.sign(found.scores) == np.sign(true)) > 0.9
    assert 0.9 < np.polyfit(true, found.scores, 1)[0] < 1  # to first order in 1/n it says a little too little
    np.testing.assert_array_equal(np.argsort(found.scores)[-2:], np.argsort(true)[-2:])
    exact = influence(learned, (x, labels), example, curvature="hessian", **options)
    np.testing.assert_allclose(found.scores, exact.scores, atol=1e-9)  # a network without a hidden layer has G = H


def test_an_example_helps_itself() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    x, labels = data_of(subject)
    for method in ("gradient", "influence"):
        found = influence(subject.network, (x, labels), (x[3], labels[3]), method=method)
        assert found.scores[3] > 0


# conjugate gradients


def test_conjugate_gradients_solve_in_as_many_products_as_there_are_unknowns() -> None:
    random = np.random.default_rng(0)
    half = random.normal(size=(6, 6))
    whole, wanted = half @ half.T + np.eye(6), random.normal(size=6)
    found, count, residual = conjugate_gradients(lambda v: whole @ v, wanted, 1e-10, 50)
    np.testing.assert_allclose(found, np.linalg.solve(whole, wanted), rtol=1e-8)
    assert count <= 7
    assert residual <= 1e-10
    assert conjugate_gradients(lambda v: whole @ v, wanted, 1e-10, 2)[1] == 2
    assert not conjugate_gradients(lambda v: whole @ v, 0 * wanted, 1e-10, 50)[0].any()
    with pytest.raises(OptionError, match="not positive"):
        conjugate_gradients(lambda v: -v, wanted, 1e-10, 50)


# showing, and mistakes


def test_it_tells_and_shows_itself() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float32)
    found = influence(subject.network, data_of(subject), asked(subject)[0], method="influence", top=2)
    said = " ".join(found.sentences())
    assert f"Training example {found.helped[0].row}" in said
    assert "is predicted to change the cost by" in said
    assert "The linear system behind it was solved by" in said
    assert len(found.table().rows) == 4
    assert len(found.to_dict()["scores"]) == 12
    pytest.importorskip("matplotlib")
    assert found.plot().patches


def test_where_nothing_has_an_influence() -> None:
    network = cr.nn.Network.from_weights([([[1.0]], [0.0])], "identity")
    found = influence(network, ([[1.0]], [[1.0]]), ([1.0], [1.0]))
    assert (found.helped, found.hurt, found.measured) == ((), (), 0.0)
    assert len(found.sentences()) == 3


def test_real_targets() -> None:
    network = cr.nn.Network([2, 3, 2], output="identity", dtype=np.float64)
    found = influence(network, (np.eye(2), [[1.0, 2.0], [0.0, 0.5]]), ([1.0, 0.0], [1.0, 2.0]))
    assert found.helped[0].row == 0
    assert found.label == "1, 2"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"method": "magic"}, "method must be one of .*not 'magic'"),
        ({"method": "checkpoints"}, "needs the networks on the way"),
        ({"method": "checkpoints", "checkpoints": [(cr.nn.Network([4, 3]), 1.0)]}, "of the sizes"),
        ({"method": "influence", "curvature": "fisher"}, "curvature must be one of .*not 'fisher'"),
        ({"damping": -1}, "damping must be"),
        ({"tolerance": 0}, "tolerance must be"),
        ({"top": 0}, "top must be"),
    ],
)
def test_it_refuses(options: dict[str, Any], problem: str) -> None:
    subject = small(*KINDS[0])
    with pytest.raises(OptionError, match=problem):
        influence(subject.network, data_of(subject), asked(subject)[0], **options)


@pytest.mark.parametrize("example", [np.zeros(4), (np.zeros(3), 0), (np.zeros(4), 3)])
def test_it_refuses_what_is_no_example(example: Any) -> None:
    subject = small(*KINDS[0])
    with pytest.raises(DataError):
        influence(subject.network, data_of(subject), example)
