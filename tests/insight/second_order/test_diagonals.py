"""Diagonals of curvature matrices, against whole matrices and loops over the examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, data_of, gradients, small, tolerance, whole_hessian

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.insight import curvature_diagonal
from chainrule.insight.network_and_data import Subject
from chainrule.insight.parameter_vector import is_weight, vector
from chainrule.insight.second_order import diagonals

Values = np.ndarray[Any, Any]
kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


def diagonal(subject: Subject, kind: str, **options: Any) -> Values:
    cost = subject.objective.cost
    return np.asarray(
        vector(curvature_diagonal(subject.network, data_of(subject), kind=kind, cost=cost, **options).values)
    )


def expected_fisher(subject: Subject) -> Values:
    """mean_x E_y (∂ ln p(y | x)/∂w)², over every class that the network could say, or both answers of each output."""
    a = np.asarray(subject.network.astype(np.float64)(subject.x.astype(np.float64)))
    n, outputs = a.shape
    wide = subject.network.astype(np.float64)
    total = np.zeros(subject.network.parameters)
    for row in range(n):
        x = subject.x[row : row + 1].astype(np.float64)
        for c in range(outputs):

            def output(w: Any, x: Values = x, c: int = c) -> Any:
                return w(x)[0, c]

            slope = np.asarray(vector(cr.grad(output)(wide)))
            p = a[row, c]
            softmax = subject.network.layers[-1].activation == "softmax"
            total += slope**2 / p if softmax else slope**2 / (p * (1 - p))
    return total / n


@kinds
def test_of_the_hessian(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject = small(activation, output, cost, dtype)
    np.testing.assert_allclose(diagonal(subject, "hessian"), np.diag(whole_hessian(subject)), atol=tolerance(dtype))


@kinds
def test_of_the_empirical_fisher_matrix(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject = small(activation, output, cost, dtype)
    expected = np.mean(gradients(subject) ** 2, axis=0)
    np.testing.assert_allclose(diagonal(subject, "empirical_fisher"), expected, atol=tolerance(dtype))


@pytest.mark.parametrize(("activation", "output", "cost", "dtype"), [k for k in KINDS if k[2] == "cross_entropy"])
def test_of_the_fisher_matrix(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject = small(activation, output, cost, dtype)
    expected = expected_fisher(subject)
    np.testing.assert_allclose(diagonal(subject, "fisher"), expected, atol=5 * tolerance(dtype))
    np.testing.assert_allclose(diagonal(subject, "gauss_newton"), expected, atol=5 * tolerance(dtype))


def test_gauss_newton_is_the_hessian_where_the_model_is_straight() -> None:
    random = np.random.default_rng(0)
    network = cr.nn.Network([4, 3], activation="softmax", dtype=np.float64)
    data = (random.normal(size=(9, 4)), random.integers(0, 3, 9))
    one, two = (vector(curvature_diagonal(network, data, kind=k).values) for k in ("hessian", "gauss_newton"))
    np.testing.assert_allclose(one, two, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "holds"), [("hessian", 1), ("gauss_newton", 1), ("fisher", 0), ("empirical_fisher", 0)]
)
def test_the_penalty_is_part_of_curvatures_and_not_of_fisher_matrices(kind: str, holds: int) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    more = diagonal(subject, kind, l2=6.0) - diagonal(subject, kind)
    np.testing.assert_allclose(more, holds * 6.0 / subject.count * is_weight(subject.network), atol=1e-12)


def test_the_estimate_is_unbiased_and_its_standard_errors_true(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    exact, matrix = diagonal(subject, "hessian"), whole_hessian(subject)
    monkeypatch.setattr(diagonals, "_EXACT", 0)
    monkeypatch.setattr(diagonals, "hessian_product", lambda subject: lambda v: matrix @ v)  # is tested elsewhere
    found = [curvature_diagonal(subject.network, data_of(subject), kind="hessian", probes=8, seed=s) for s in range(60)]
    estimates = np.stack([vector(f.values) for f in found])
    spread = estimates.std(axis=0)
    assert np.all(np.abs(estimates.mean(axis=0) - exact) < 4.5 * spread / np.sqrt(60) + 1e-12)
    errors = np.sqrt(np.mean(np.stack([vector(f.standard_errors) for f in found]) ** 2, axis=0))
    np.testing.assert_allclose(errors, spread, rtol=0.5)
    assert np.median(errors / spread) == pytest.approx(1, abs=0.15)
    assert "8 probes" in str(found[0])
    assert not found[0].exact


def test_it_names_the_place_that_curves_most() -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    found = curvature_diagonal(subject.network, data_of(subject))
    largest = max(part.max() for layer in found.values.layers for part in (layer.w, layer.b))
    assert f"{largest:.4g}" in found.sentences()[0]
    assert [row[0] for row in found.table().rows] == ["layers[0].w", "layers[0].b", "layers[1].w", "layers[1].b"]
    assert sum(row[3] for row in found.table().rows) == pytest.approx(np.sum(vector(found.values)))


@pytest.mark.parametrize("option", [{"kind": "guessed"}, {"kind": "hessian", "probes": 1}])
def test_options_outside_their_range_are_refused(option: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagonals, "_EXACT", 0)
    subject = small("tanh", "softmax", "cross_entropy", np.float64)
    with pytest.raises(OptionError):
        curvature_diagonal(subject.network, data_of(subject), **option)
