"""Label suspects: the measures against one gradient after the other, and wrong labels planted among the digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, data_of, gradients, small, tolerance

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.insight import label_suspects

kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


@kinds
def test_the_three_measures(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject, near = small(activation, output, cost, dtype, examples=50), tolerance(dtype)
    found = label_suspects(subject.network, data_of(subject), cost=cost)
    outputs, each = subject.network(subject.x), gradients(subject)
    np.testing.assert_allclose(found.el2n, np.linalg.norm(outputs - np.eye(3)[subject.labels], axis=1), atol=near)
    np.testing.assert_allclose(found.grand, np.linalg.norm(each, axis=1), atol=10 * near)
    for label in range(3):
        mine = subject.labels == label
        mean = each[mine].mean(axis=0)
        cosines = each[mine] @ mean / np.linalg.norm(each[mine], axis=1) / np.linalg.norm(mean)
        np.testing.assert_allclose(found.alignment[mine], cosines, atol=10 * near)
    assert found.disagreeing == np.sum(outputs.argmax(axis=1) != subject.labels)


def test_wrong_labels_among_digits_are_found() -> None:
    """50 of 2,500 labels are wrong. Of these, more than 60 % are among the 50 suspects, 75 % among the first 100."""
    digits, random = cr.data.digits(), np.random.default_rng(0)
    x, labels = digits.x[:2500], digits.labels[:2500].copy()
    wrong = random.choice(2500, 50, replace=False)
    labels[wrong] = (labels[wrong] + random.integers(1, 10, 50)) % 10
    network = cr.nn.Network([784, 30, 10], seed=0)
    optimizer = cr.optim.SGD(0.5)
    run = cr.learn(network, (x, labels), cost="cross_entropy", epochs=8, batch=10, optimizer=optimizer, progress=False)
    found = label_suspects(run, (x, labels), top=0.02)
    assert len(found.rows) == 50
    assert len(set(found.rows) & set(wrong)) > 0.6 * 50
    assert len(set(label_suspects(run, (x, labels), top=100).rows) & set(wrong)) > 0.75 * 50


def test_ranking_and_how_many() -> None:
    subject = small(*KINDS[2], examples=40)
    for by in ("el2n", "grand"):
        found = label_suspects(subject.network, data_of(subject), top=5, by=by)
        measured = getattr(found, by)
        np.testing.assert_array_equal(found.rows, np.argsort(-measured, kind="stable")[:5])
        assert getattr(found.suspects[0], by) == measured.max()
    assert len(label_suspects(subject.network, data_of(subject)).rows) == 1
    assert len(label_suspects(subject.network, data_of(subject), top=0.1).rows) == 4
    assert len(label_suspects(subject.network, data_of(subject), top=100).rows) == 40


def test_one_hot_targets_and_names() -> None:
    subject = small(*KINDS[2])
    names = ("ant", "bee", "cow")
    named = cr.data.DataSet(subject.x, subject.labels, class_names=names)
    hot = label_suspects(subject.network, (subject.x, np.eye(3)[subject.labels]), top=3)
    plain = label_suspects(subject.network, named, top=3)
    assert hot.rows == plain.rows
    np.testing.assert_allclose(hot.grand, plain.grand)
    assert plain.suspects[0].label == names[subject.labels[plain.rows[0]]]
    assert f"its label is {plain.suspects[0].label}" in plain.sentences()[1]
    assert "for a person to look at" in str(plain)
    assert len(plain.table().rows) == 3
    assert plain.to_dict()["suspects"][0]["row"] == plain.rows[0]
    pytest.importorskip("matplotlib")
    assert len(plain.plot().collections) == 2


@pytest.mark.parametrize("top", [0, -1, 1.5, True, "all"])
def test_it_refuses_a_top_that_is_none(top: Any) -> None:
    subject = small(*KINDS[0])
    with pytest.raises(OptionError, match="top must be"):
        label_suspects(subject.network, data_of(subject), top=top)


def test_it_refuses() -> None:
    subject = small(*KINDS[4])
    with pytest.raises(OptionError, match="by must be one of 'el2n', 'grand', not 'alignment'"):
        label_suspects(subject.network, data_of(subject), by="alignment")
    with pytest.raises(OptionError, match="real numbers"):
        label_suspects(subject.network, (subject.x, np.random.default_rng(0).normal(size=(12, 3))))
