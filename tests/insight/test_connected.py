"""Insight into networks of any connections: what is asked of weights and examples, not of layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.learning.test_connected import LABELS, X, knotted

import chainrule as cr
from chainrule.trace.tree import flatten, unflatten

DATA = (X, LABELS)
NETWORK = knotted().astype(np.float64)


def vector(tree: Any) -> Any:
    return np.concatenate([np.ravel(leaf) for leaf in flatten(tree)[0]])


def cost(network: Any, x: Any = X, labels: Any = LABELS) -> Any:
    return cr.nn.costs.softmax_cross_entropy(*network.output(np.asarray(x, float)), np.eye(3)[labels]).mean()


def slowly_differentiated(network: Any) -> Any:
    """The Hessian by central differences of the gradient."""
    leaves, structure = flatten(network)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]

    def gradient(w: Any) -> Any:
        parts = [p.reshape(leaf.shape) for p, leaf in zip(np.split(w, ends), leaves, strict=True)]
        return vector(cr.grad(cost)(unflatten(structure, parts)))

    w, step = vector(network), 1e-5
    return np.array([(gradient(w + step * e) - gradient(w - step * e)) / (2 * step) for e in np.eye(w.size)])


def test_the_hessian_of_tied_and_multiplied_weights_is_that_of_central_differences() -> None:
    expected = slowly_differentiated(NETWORK)
    found = cr.insight.hessian_matrix(NETWORK, DATA)
    np.testing.assert_allclose(found.matrix, expected, atol=1e-8)
    curved = cr.insight.curvature(NETWORK, DATA, top=1, probes=0)
    np.testing.assert_allclose(curved.eigenvalues[0], np.linalg.eigvalsh(expected)[-1], rtol=1e-2)


def test_a_penalty_curves_weights_and_not_biases_whatever_their_shapes() -> None:
    with_penalty, without = (cr.insight.hessian_matrix(NETWORK, DATA, l2=l2).matrix for l2 in (6.0, 0.0))
    weights = sum(w.size for w in NETWORK.weights.values())
    expected = np.repeat([6.0 / len(X), 0.0], [weights, NETWORK.parameters - weights])
    np.testing.assert_allclose(with_penalty - without, np.diag(expected), atol=1e-12)


def test_label_suspects_rank_by_the_length_of_each_examples_gradient() -> None:
    found = cr.insight.label_suspects(NETWORK, DATA, top=5, by="grand")
    lengths = [np.linalg.norm(vector(cr.grad(cost)(NETWORK, X[n : n + 1], LABELS[n : n + 1]))) for n in range(len(X))]
    ranked = [suspect.row for suspect in found.suspects]
    assert ranked == list(np.argsort(lengths)[::-1][:5])


def test_attribution_is_complete() -> None:
    found = cr.insight.attribution(NETWORK, X[:3], method="integrated_gradients")
    before, after = (np.asarray(NETWORK.output(np.asarray(x, float))[0]) for x in (np.zeros((3, 4)), X[:3]))
    said = after.argmax(axis=1)
    np.testing.assert_allclose(found.values.sum(axis=1), (after - before)[range(3), said], rtol=1e-3, atol=1e-4)


def test_a_rate_is_found() -> None:
    found = cr.insight.find_rate(NETWORK, DATA, batch=20, highest=100.0)
    assert 0 < found.suggestion < 100


QUESTIONS: dict[str, Callable[[], Any]] = {
    "explain": lambda: cr.insight.explain(NETWORK, DATA, largest=3),
    "a weight": lambda: cr.insight.explain(NETWORK, DATA, weight="weights['shared'][2, 3]"),
    "a layer": lambda: cr.insight.explain(NETWORK, DATA, layer=1),
    "a neuron": lambda: cr.insight.explain(NETWORK, DATA, neuron="second[3]"),
    "diagnose": lambda: cr.insight.diagnose(NETWORK, DATA, confirm=True),
    "prune": lambda: cr.insight.prune(NETWORK, DATA, fraction=0.5),
    "saliency": lambda: cr.insight.saliency(NETWORK, DATA),
    "loss_landscape": lambda: cr.insight.loss_landscape(NETWORK, DATA),
    "gradient_noise": lambda: cr.insight.gradient_noise(NETWORK, DATA),
    "curvature_diagonal": lambda: cr.insight.curvature_diagonal(NETWORK, DATA),
    "what_if": lambda: cr.insight.what_if(NETWORK, DATA, weight="biases['output'][0]"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_about_layers_are_answered_of_groups_of_units(question: str) -> None:
    found = QUESTIONS[question]()
    assert found.title
    assert all(len(row) == len(found.table().columns) for row in found.table().rows)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_report_of_any_connections_draws_the_groups(tmp_path: Path) -> None:
    written = cr.insight.report(cr.Run(NETWORK, []), DATA, tmp_path / "page.html").read_text("utf-8")
    assert "first" in written
    assert "output, the output layer" in written


def test_what_if_of_a_tied_weight_moves_it_wherever_it_acts() -> None:
    found = cr.insight.what_if(NETWORK, DATA, "weights['shared'][2, 3]", [0.25])
    moved = NETWORK.weights["shared"].copy()
    moved[2, 3] += 0.25
    other = cr.nn.Connected.from_weights(NETWORK.wiring, {**NETWORK.weights, "shared": moved}, NETWORK.biases)
    np.testing.assert_allclose(found.measured[0], cost(other) - cost(NETWORK), rtol=1e-9)


def test_of_a_tied_weight_no_input_and_no_unit_is_told() -> None:
    said = str(cr.insight.explain(NETWORK, DATA, weight="weights['shared'][2, 3]"))
    assert "This is the weight, which acts in no layer alone." in said
    assert "as its layer has no weight of its own for each unit and input" in said
    assert "The error cannot be followed to it unit by unit" in said
