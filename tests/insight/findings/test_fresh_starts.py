"""Networks started again, and with other activations, whatever their trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.insight.findings.fresh_starts import fitting, fresh, with_activations
from chainrule.nn import relu, sigmoid, softmax, tanh
from chainrule.nn.initializers import glorot, he
from chainrule.nn.outline import outline
from chainrule.nn.parameters import Parameters

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("activation", "initializer"), [(sigmoid, glorot), (tanh, glorot), (relu, he), (softmax, glorot)]
)
def test_half_the_units_of_what_dies_are_off_so_weights_are_larger(activation: Any, initializer: Any) -> None:
    assert fitting(activation) == initializer


def test_a_fresh_network_is_one_that_was_made_so() -> None:
    used = cr.nn.Network([4, 5, 3], "tanh", output="softmax", seed=8)
    made = cr.nn.Network([4, 5, 3], "tanh", output="softmax", initializer="glorot", seed=3)
    found = fresh(used, outline(used, X).stages, glorot, 3)
    for mine, its in zip(found.layers, made.layers, strict=True):
        np.testing.assert_array_equal(mine.w, its.w)
        np.testing.assert_array_equal(mine.b, its.b)


def test_every_weight_of_any_tree_is_drawn_anew_and_what_is_no_weight_stays() -> None:
    random = np.random.default_rng(1)
    parameters = {
        "w": random.normal(size=(5, 4)).astype(np.float32),
        "scale": np.full(5, 2.0, np.float32),
        "unused": random.normal(size=(2, 3, 3)).astype(np.float32),
    }
    network = cr.nn.Function(lambda p, x: cr.nn.tanh(x @ p["w"].T) * p["scale"], parameters)
    found = fresh(network, outline(network, X).stages, glorot, 0)
    before, after = (dict(zip(Parameters.of(n).paths, Parameters.of(n).arrays, strict=True)) for n in (network, found))
    for path in ("parameters['w']", "parameters['unused']"):
        assert after[path].shape == before[path].shape
        assert (after[path] != before[path]).all()
        assert after[path].dtype == np.float32
    np.testing.assert_array_equal(after["parameters['scale']"], parameters["scale"])


def test_activations_are_replaced_where_they_stand_in_the_tree() -> None:
    first, second, last = (cr.nn.Dense.of(*sizes) for sizes in ((4, 5, "sigmoid"), (5, 5), (5, 3, "softmax")))
    network = cr.nn.Sequential(first, second, relu, last)
    before = [cr.nn.sigmoid, cr.nn.identity, relu, softmax]
    found = with_activations(network, before, [tanh, cr.nn.identity, tanh, softmax])
    a = np.tanh(X @ first.w.T + first.b)
    a = np.tanh(a @ second.w.T + second.b) @ last.w.T + last.b
    np.testing.assert_allclose(found(X), np.exp(a) / np.exp(a).sum(axis=1, keepdims=True), rtol=1e-5)
    assert network.layers[0].activation == sigmoid


def test_of_activations_that_are_called_none_is_replaced() -> None:
    network = cr.nn.Function(lambda p, x: cr.nn.sigmoid(x @ p), np.ones((4, 2), np.float32))
    assert with_activations(network, [sigmoid], [tanh]) is None
