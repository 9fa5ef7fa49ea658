"""What is first written in a branch or a loop is computed there, and a derivative is refused only where one is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DifferentiationError


def endless(x: Any) -> Any:
    """Never ends for x = 0."""
    return cr.while_loop(lambda c: c < 100.0, lambda c: c + x, x)


UNTAKEN: dict[str, Callable[[Any], Any]] = {
    "a branch": lambda x: cr.cond(x > 0, lambda: endless(x), lambda: x),
    "the other branch": lambda x: cr.cond(x <= 0, lambda: x, lambda: endless(x)),
    "an operand that is not used": lambda x: cr.cond(x > 0, lambda y: endless(x) + y, lambda y: y, x),
    "a branch in a branch": lambda x: cr.cond(
        x >= 0, lambda: cr.cond(x > 0, lambda: endless(x), lambda: x), lambda: endless(x)
    ),
    "numbers alone": lambda x: cr.cond(x > 0, lambda: endless(cnp.zeros(())), lambda: x),
    "a while without rounds": lambda x: cr.while_loop(lambda c: c < x, lambda c: c + endless(x), x),
    "a while that starts from a number": lambda x: x * cr.while_loop(lambda c: c < 0, lambda c: c + endless(x), 0.0),
    "a scan without rounds": lambda x: cr.scan(lambda c, _: (c + endless(x), None), x, length=0)[0],
    "a branch in a scan": lambda x: cr.scan(
        lambda c, _: (cr.cond(c > 0, lambda: endless(x), lambda: c), None), x, length=3
    )[0],
    "a factorisation that would fail": lambda x: cr.cond(
        x > 0, lambda: cnp.sum(cnp.linalg.cholesky(x * cnp.ones((8, 8)))), lambda: x
    ),
}


@pytest.mark.parametrize("case", UNTAKEN)
@pytest.mark.parametrize("derivative", [False, True], ids=["value", "derivative"])
def test_what_is_not_taken_is_not_computed(case: str, derivative: bool) -> None:
    function = UNTAKEN[case]
    if derivative:
        change = cr.compile(lambda x: cr.jvp(function, (x,), (x + 1.0,))[1])(0.0)
        assert float(change) in (0.0, 1.0)
    else:
        assert float(cr.compile(function)(0.0)) == 0.0


def test_a_program_for_another_shape_does_not_move_what_a_branch_holds() -> None:
    f = cr.compile(lambda x: cr.cond(x.sum() > 0, lambda: cnp.sum(endless(cnp.zeros(3)[0])), lambda: x.sum()))
    assert [float(f(np.zeros(n))) for n in (2, 3)] == [0.0, 0.0]


def test_what_was_written_before_a_branch_is_computed_once_outside() -> None:
    def f(x: Any) -> Any:
        product = x @ x
        return cr.cond(x[0, 0] > 0, lambda: product + 1, lambda: product - 1)

    outer = str(cr.compile(f).program(np.ones((8, 8)))).split("cond(")[0]
    assert "acc0 = sum" in outer


def test_what_is_the_same_in_every_round_is_computed_once_before_the_loop() -> None:
    a = np.arange(9.0).reshape(3, 3) / 9

    def f(x: Any) -> Any:
        return cr.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, (a @ a) @ s[1]), (0, x))[1]

    x = np.ones(3)
    np.testing.assert_allclose(cr.compile(f)(x), np.linalg.matrix_power(a, 8) @ x)


def nearest(x: Any) -> Any:
    """The whole number below 5 nearest to x, found by a loop; x acts on it by way of conditions alone."""

    def closer(state: Any) -> Any:
        n, best, least = state
        distance = (x - n) ** 2
        return n + 1, cnp.where(distance < least, n, best), cnp.minimum(distance, least)

    return cr.while_loop(lambda s: s[0] < 5, closer, (0.0, 0.0, np.inf))


@pytest.mark.parametrize("compiled", [False, True], ids=["values", "compiled"])
def test_an_argmin_inside_whose_answer_does_not_depend_on_it_has_a_gradient(compiled: bool) -> None:
    gradient = cr.grad(lambda x: nearest(x)[1] * x)
    assert float((cr.compile(gradient) if compiled else gradient)(2.2)) == 2.0


def test_a_loop_that_the_variable_only_decides_the_length_of_has_a_gradient() -> None:
    def f(x: Any) -> Any:
        rounds = cr.while_loop(lambda n: n < x, lambda n: n + 1.0, 0.0)
        return x * rounds

    assert float(cr.compile(cr.grad(f))(2.5)) == 3.0


def test_a_counter_beside_what_depends_on_the_variable_has_a_gradient() -> None:
    def f(x: Any) -> Any:
        halvings, _ = cr.while_loop(lambda s: s[1] > 1.0, lambda s: (s[0] + 1.0, s[1] / 2), (0.0, x))
        return halvings * x

    assert float(cr.compile(cr.grad(f))(5.0)) == 3.0


@pytest.mark.parametrize(
    "through",
    [
        lambda x: cr.while_loop(lambda c: c < 10.0, lambda c: c * 2, x),
        lambda x: cr.while_loop(lambda c: c < 10.0, lambda c: c + x, 0.0),
        lambda x: nearest(x)[2],
        lambda x: cr.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[2], s[1]), (0, 1.0, x))[1],
    ],
    ids=["its start", "what it uses", "the least", "by way of another"],
)
def test_a_gradient_through_the_rounds_is_refused(through: Callable[[Any], Any]) -> None:
    with pytest.raises(DifferentiationError, match="while_loop cannot be differentiated backward"):
        cr.compile(cr.grad(through))(2.2)


def test_a_saddle_by_descent_in_descent_with_derivatives_inside() -> None:
    """min over p of max over q of p² + 2pq − 3q², with the outer derivatives through the inner loop."""

    def descend(cost: Callable[[Any], Any], start: Any) -> Any:
        slope = cr.jacobian(cost, mode="forward")
        return cr.while_loop(lambda p: abs(slope(p)) > 1e-9, lambda p: p - 0.1 * slope(p), start)

    def value(p: Any, q: Any) -> Any:
        return p**2 + 2 * p * q - 3 * q**2

    def worst(p: Any) -> Any:
        return value(p, descend(lambda q: -value(p, q), p))

    found = cr.compile(lambda p: descend(worst, p))(np.float64(1.0))
    assert abs(float(found)) < 1e-8
