"""Curvature: products, matrices and diagonals against whole Hessians and Jacobians."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, small, tolerance, whole_gauss_newton, whole_hessian

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.insight import blocks, compiling
from chainrule.insight.evaluation import judged
from chainrule.insight.gradients import _gathered
from chainrule.insight.network_and_data import subject_of
from chainrule.insight.parameter_vector import coordinate_at, is_weight, shaped, vector
from chainrule.insight.pruning.removal import _size_of_gradients
from chainrule.insight.second_order.matrices import _squares, gauss_newton_diagonal, matrix, product

kinds = pytest.mark.parametrize(("activation", "output", "cost", "dtype"), KINDS)


@kinds
def test_both_matrices_their_products_and_the_diagonal(activation: str, output: str, cost: str, dtype: Any) -> None:
    subject, near = small(activation, output, cost, dtype), tolerance(dtype)
    hessian, gauss_newton = whole_hessian(subject), whole_gauss_newton(subject)
    np.testing.assert_allclose(matrix(subject, "hessian"), hessian, atol=near)
    np.testing.assert_allclose(matrix(subject, "gauss_newton"), gauss_newton, atol=near)
    np.testing.assert_allclose(gauss_newton_diagonal(subject), np.diagonal(gauss_newton), atol=near)
    direction = np.random.default_rng(1).normal(size=len(hessian))
    np.testing.assert_allclose(product(subject, "hessian", direction), hessian @ direction, atol=10 * near)
    np.testing.assert_allclose(product(subject, "gauss_newton", direction), gauss_newton @ direction, atol=10 * near)


def test_blocks_and_native_code_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = small("tanh", "softmax", "cross_entropy", np.float64, examples=11)
    at_once = gauss_newton_diagonal(subject), matrix(subject, "hessian"), judged(subject.network, subject).cost
    monkeypatch.setattr(blocks, "_AT_ONCE", 4)
    in_blocks = gauss_newton_diagonal(subject), matrix(subject, "hessian"), judged(subject.network, subject).cost
    monkeypatch.setattr(compiling, "_WORTH_COMPILING", 0)
    compiled = gauss_newton_diagonal(subject), matrix(subject, "hessian"), judged(subject.network, subject).cost
    for one, two, three in zip(at_once, in_blocks, compiled, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)
        np.testing.assert_allclose(one, three, atol=1e-12)


def test_an_unknown_curvature_is_refused() -> None:
    with pytest.raises(OptionError, match="curvature must be one of .*not 'fisher'"):
        matrix(small(*KINDS[0]), "fisher")


def test_a_vector_goes_through_the_network_layer_by_layer() -> None:
    network = small(*KINDS[0]).network
    numbers = np.arange(network.parameters, dtype=float)
    numbered = shaped(network, numbers)
    np.testing.assert_array_equal(vector(numbered), numbers)
    for position in (0, 7, 19, 20, 24, 25, 40, network.parameters - 1):
        weight = coordinate_at(network, position)
        assert weight.value(numbered) == position
        assert is_weight(network)[position] == (weight.kind == "w")
    with pytest.raises(IndexError):
        coordinate_at(network, network.parameters)


@pytest.mark.parametrize("quantity", [_squares, _size_of_gradients, _gathered])
def test_no_array_holds_a_gradient_for_each_example(quantity: Any) -> None:
    network = cr.nn.Network([784, 30, 10])
    subject = subject_of(network, (np.zeros((64, 784), np.float32), np.zeros(64, int)))
    given = (np.zeros((64, 10), np.float32),) if quantity is _squares else ()
    program = cr.compile(quantity.__wrapped__).program(subject, *given)
    assert program.temporary_bytes < 4 * 64 * network.parameters / 10


def test_a_cost_of_z_and_a_is_curved_in_z_and_in_one_layer_that_is_all_the_curvature() -> None:
    both = cr.nn.Cost(
        "both", lambda z, a, y: cr.nn.costs.softmax_cross_entropy(z, a, y) + cr.nn.costs.quadratic(z, a, y)
    )
    random = np.random.default_rng(0)
    network = cr.nn.Network([4, 3], output="softmax", dtype=np.float64)
    subject = subject_of(network, (random.normal(size=(9, 4)), random.integers(0, 3, 9)), both)
    assert subject.cost_is_of_z
    np.testing.assert_allclose(matrix(subject, "gauss_newton"), matrix(subject, "hessian"), atol=1e-12)


def test_the_matrix_of_a_cost_that_hides_the_outputs_is_refused() -> None:
    subject = subject_of(cr.nn.Network([4, 3]), (np.ones((5, 4)), np.zeros(5, int)), lambda network, x, y: 0 * x.sum())
    for ask in (lambda: matrix(subject, "gauss_newton"), lambda: gauss_newton_diagonal(subject)):
        with pytest.raises(OptionError, match="a function of the network hides"):
            ask()
