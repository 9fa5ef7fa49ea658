"""Backpropagation on paper: a network of 2, 2 and 1 sigmoid neurons, every number worked out by hand.

    x = (1, 0)                                          the inputs
    w¹ = ((ln 3, 5), (−ln 3, 7)),  b¹ = (0, 0)          to neuron j from input k
    w² = ((4, 4)),                 b² = (−4 + ln 3)
    y = 1/4                                             what is wanted
    C = ½ (a² − y)²                                     the quadratic cost

Forward, with σ(ln 3) = 3/4 and σ(−ln 3) = 1/4:

    z¹ = w¹x + b¹ = (ln 3, −ln 3)                       the second input is 0, so that 5 and 7 do not count
    a¹ = σ(z¹) = (3/4, 1/4)
    z² = 4·3/4 + 4·1/4 − 4 + ln 3 = ln 3
    a² = σ(z²) = 3/4
    C = ½ (3/4 − 1/4)² = 1/8

Backward, with σ'(z) = σ(z)(1 − σ(z)) = 3/16 at ± ln 3, by the four equations of backpropagation:

    δ² = ∇C ⊙ σ'(z²) = (3/4 − 1/4) · 3/16 = 3/32
    δ¹ = ((w²)ᵀ δ²) ⊙ σ'(z¹) = 4 · 3/32 · 3/16 = 9/128  for both neurons
    ∂C/∂b = δ:              ∂C/∂b² = 3/32,                     ∂C/∂b¹ = (9/128, 9/128)
    ∂C/∂w_jk = a_k δ_j:     ∂C/∂w² = 3/32 · (3/4, 1/4)         ∂C/∂w¹ = ((9/128, 0), (9/128, 0))
                                   = (9/128, 3/128)

and for the inputs, one step further: ∂C/∂x = (w¹)ᵀ δ¹ = (0, 12 · 9/128) = (0, 27/32).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.graph import ops
from chainrule.trace.primitives import apply

LN3 = math.log(3)
X = np.array([1.0, 0.0])
W1, B1 = np.array([[LN3, 5.0], [-LN3, 7.0]]), np.zeros(2)
W2, B2 = np.array([[4.0, 4.0]]), np.array([-4 + LN3])
Y = 0.25


def sigmoid(z: Any) -> Any:
    return apply(ops.LOGISTIC, z.node)


def cost(w1: Any, b1: Any, w2: Any, b2: Any, x: Any) -> Any:
    hidden = sigmoid(w1 @ x + b1)
    output = sigmoid(w2 @ hidden + b2)
    return 0.5 * cnp.sum((output - Y) ** 2)


def assert_close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-16, strict=True)


def test_the_numbers_worked_out_by_hand() -> None:
    value, slopes = cr.value_and_grad(cost, argnums=(0, 1, 2, 3, 4))(W1, B1, W2, B2, X)
    assert_close(value, np.float64(1 / 8))
    w1, b1, w2, b2, x = slopes
    assert_close(b2, np.array([3 / 32]))
    assert_close(w2, np.array([[9 / 128, 3 / 128]]))
    assert_close(b1, np.array([9 / 128, 9 / 128]))
    assert_close(w1, np.array([[9 / 128, 0.0], [9 / 128, 0.0]]))
    assert_close(x, np.array([0.0, 27 / 32]))


def test_the_same_numbers_from_native_code() -> None:
    w1, b1, w2, b2 = cr.compile(cr.grad(cost, argnums=(0, 1, 2, 3)))(W1, B1, W2, B2, X)
    assert_close(b2, np.array([3 / 32]))
    assert_close(w2, np.array([[9 / 128, 3 / 128]]))
    assert_close(b1, np.array([9 / 128, 9 / 128]))
    assert_close(w1, np.array([[9 / 128, 0.0], [9 / 128, 0.0]]))


def test_the_error_of_each_neuron_is_the_gradient_of_its_bias() -> None:
    """δ = ∂C/∂z, taken as such: with respect to what is added to the weighted input."""
    (d1, d2) = cr.grad(lambda d1, d2: cost(W1, d1, W2, B2 + d2, X), argnums=(0, 1))(np.zeros(2), np.zeros(1))
    assert_close(d2, np.array([3 / 32]))
    assert_close(d1, np.array([9 / 128, 9 / 128]))


def test_a_small_step_downhill_lowers_the_cost_by_what_the_gradient_says() -> None:
    """ΔC ≈ −η ‖∇C‖², the better the smaller η."""
    parameters = (W1, B1, W2, B2)
    before, slopes = cr.value_and_grad(cost, argnums=(0, 1, 2, 3))(*parameters, X)
    squared = sum(float(np.sum(g * g)) for g in slopes)
    for rate in (1e-2, 1e-4):
        after = cr.value_and_grad(cost)(*(p - rate * g for p, g in zip(parameters, slopes, strict=True)), X)[0]
        assert abs((after - before) + rate * squared) < rate**2
