"""What the transformations refuse: the error says what was wrong, on which line of the user's, and what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as np_
from chainrule.errors import ChainruleError, DifferentiationError, OptionError, ShapeError, TracingError

X, M = np.array([1.0, 2.0, 3.0]), np.arange(12.0).reshape(3, 4)


def branching(x: Any) -> Any:
    return x if np_.sum(x) > 0 else -x


def looping(x: Any) -> Any:
    while x < 10:
        x = x * 2
    return x


def as_float(x: Any) -> Any:
    return x * float(np_.sum(x))


def halves(x: Any) -> Any:
    return x / 2


def grown(carry: Any, x: Any) -> Any:
    return np_.concatenate([carry, carry]), x


#: What is done, the kind of error, what it says, and what to write instead, if there is something to be named.
REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str, str]] = {
    # vmap
    "sizes differ": (
        lambda: cr.vmap(lambda x, y: x * y)(X, np.ones(4)), ShapeError,
        "the arguments differ in their number of examples: 3 in argument [0], 4 in argument [1]", ""),
    "sizes differ inside a tree": (
        lambda: cr.vmap(lambda t: t["a"])({"a": X, "b": M.T}), ShapeError,
        "3 in argument [0]['a'], 4 in argument [0]['b']", ""),
    "no argument has examples": (
        lambda: cr.vmap(halves, in_axes=None)(X), OptionError, "vmap of halves: in_axes leaves no argument", ""),
    "no arguments at all": (lambda: cr.vmap(lambda: 1.0)(), OptionError, "in_axes leaves no argument", ""),
    "too few in_axes": (
        lambda: cr.vmap(lambda x, y: x, in_axes=(0,))(X, X), OptionError, "in_axes has 1 entries for 2 arguments", ""),
    "in_axes of another tree": (
        lambda: cr.vmap(lambda t: t[0], in_axes=((0, 0, 0),))((X, X)), OptionError,
        "in_axes (0, 0, 0) does not fit the tree", ""),
    "in_axes of a tree for an array": (
        lambda: cr.vmap(halves, in_axes=([0, 0],))(X), OptionError, "in_axes [0, 0] does not fit", ""),
    "in_axes of other keys": (
        lambda: cr.vmap(lambda t: t["a"], in_axes=({"b": 0},))({"a": X}), OptionError,
        "in_axes {'b': 0} does not fit", ""),
    "out_axes of other keys": (
        lambda: cr.vmap(lambda x: {"a": x}, out_axes={"b": 0})(X), OptionError, "out_axes {'b': 0} does not fit", ""),
    "in_axes that are no axes": (
        lambda: cr.vmap(halves, in_axes=("x",))(X), OptionError, "in_axes 'x' does not fit", ""),
    "an axis that is not there": (
        lambda: cr.vmap(halves, in_axes=2)(M), ShapeError, "axis 2 does not name", ""),
    "an axis of the result that is not there": (
        lambda: cr.vmap(halves, out_axes=3)(M), ShapeError, "axis 3 does not name", ""),
    "a result that differs from example to example": (
        lambda: cr.vmap(halves, out_axes=None)(X), OptionError,
        "out_axes is None for a result that differs from example to example", ""),
    "a single number": (
        lambda: cr.vmap(lambda x, y: x * y)(X, 2.0), ShapeError, "a single number has no axis with examples", "None"),
    "if inside vmap": (
        lambda: cr.vmap(branching)(M), TracingError, "different for each example", "np.where"),
    "while inside vmap": (
        lambda: cr.vmap(looping)(X), TracingError, "different for each example", "cr.while_loop"),
    "float inside vmap": (
        lambda: cr.vmap(as_float)(M), TracingError, "different for each example", "np.where"),
    # compile
    "if inside compile": (lambda: cr.compile(branching)(M), TracingError, "value of argument 0 (f64[3,4])", "np.where"),
    "while inside compile": (lambda: cr.compile(looping)(1.0), TracingError, "value of argument 0 (f64[])", "np.where"),
    "float inside compile": (lambda: cr.compile(as_float)(M), TracingError, "value of argument 0", "without compiling"),
    "if inside a compiled gradient": (
        lambda: cr.compile(cr.grad(lambda x: np_.sum(branching(x))))(X), TracingError,
        "value of argument 0", "np.where"),
    # forward and backward
    "fewer tangents": (
        lambda: cr.jvp(lambda x, y: x, (X, X), (X,)), ShapeError, "2 primals, but 1 tangents", ""),
    "a tangent of another shape": (
        lambda: cr.jvp(halves, (X,), (np.ones(4),)), ShapeError,
        "a tangent has the shape (4,), but belongs to f64[3]", ""),
    "a tangent of another tree": (
        lambda: cr.jvp(lambda t: t["a"], ({"a": X},), ({"b": X},)), ShapeError, "a tangent must have the tree", ""),
    "a tangent inside a tree": (
        lambda: cr.jvp(lambda t: t["a"], ({"a": X},), ({"a": 1.0},)), ShapeError,
        "a tangent['a'] has the shape ()", ""),
    "a primal of whole numbers": (
        lambda: cr.jvp(halves, (np.arange(3),), (X,)), DifferentiationError,
        "with respect to argument 0: i64[3]", "astype"),
    "an error of another shape": (
        lambda: cr.vjp(halves, X)[1](np.ones(2)), ShapeError,
        "the error has the shape (2,), but belongs to f64[3]", ""),
    "an error of another tree": (
        lambda: cr.vjp(lambda x: (x, x), X)[1](X), ShapeError, "the error must have the tree", ""),
    "whole numbers pulled back to": (
        lambda: cr.vjp(halves, np.arange(3)), DifferentiationError, "with respect to argument 0: i64[3]", "astype"),
    # matrices
    "another mode": (lambda: cr.jacobian(halves, mode="sideways"), OptionError, "not 'sideways'", ""),
    "a Hessian of several numbers": (
        lambda: cr.hessian(halves)(X), DifferentiationError, "halves must return one real number", "cr.jacobian"),
    "a Hessian by whole numbers": (
        lambda: cr.hessian(lambda x: np_.sum(x * 1.0))(np.arange(3)), DifferentiationError,
        "holds no floating-point", ""),
    "a Jacobian by an argument that is not there": (
        lambda: cr.jacobian(halves, 1)(X), OptionError, "argnums names argument 1, but halves", ""),
    "a product without a direction": (
        lambda: cr.hvp(lambda x: np_.sum(x))(X), OptionError, "needs an argument and a direction", "hvp(function)(w"),
    "a direction of another shape": (
        lambda: cr.hvp(lambda x: np_.sum(x))(X, np.ones(2)), ShapeError,
        "has the shape (2,), but belongs to f64[3]", ""),
    # examples
    "no argument left for examples": (
        lambda: cr.per_example(cr.grad(lambda x: np_.sum(x)))(X), OptionError,
        "no argument of <lambda> is left", "argnums"),
    "examples in an argument that is not there": (
        lambda: cr.per_example(halves, argnums=3)(X), OptionError, "argnums 3 names an argument that is not there", ""),
    # loops
    "a carry of another shape": (
        lambda: cr.scan(grown, X, np.ones(2)), ShapeError,
        "what is carried must keep its types, but f64[3] becomes f64[6]", ""),
    "a carry of another dtype": (
        lambda: cr.scan(lambda c, x: (c.astype(np.float32), x), X, X), ShapeError, "but f64[3] becomes f32[3]", ""),
    "a carry of another tree": (
        lambda: cr.scan(lambda c, x: ((c, c), x), X, X), ShapeError, "must return a carry of the tree", ""),
    "no pair": (lambda: cr.scan(lambda c, x: c, X, X), ShapeError, "must return a pair (carry, y)", ""),
    "rows differ": (
        lambda: cr.scan(lambda c, x: (c, None), X, (X, M.T)), ShapeError,
        "the number of rounds is not clear: 3 and 4", ""),
    "rows differ from the length": (
        lambda: cr.scan(lambda c, x: (c, None), X, X, length=5), ShapeError, "not clear: 3 and 5", ""),
    "neither rows nor length": (
        lambda: cr.scan(lambda c, x: (c, None), X), ShapeError, "neither xs nor length", ""),
    "a number among the rows": (
        lambda: cr.scan(lambda c, x: (c, None), X, (X, 2.0)), ShapeError, "a single number among xs has no rows", ""),
    "if inside a scan": (
        lambda: cr.scan(lambda c, x: (branching(c), x), X, X), TracingError, "each round of a loop", "cr.cond"),
    "while inside a scan": (
        lambda: cr.scan(lambda c, x: (looping(c), x), 1.0, X), TracingError, "each round of a loop", "cr.while_loop"),
    "a loop whose state changes its shape": (
        lambda: cr.compile(lambda x: cr.while_loop(lambda x: np_.sum(x) < 9, lambda x: x[:1], x))(X), ShapeError,
        "what is carried must keep its types, but f64[3] becomes f64[1]", ""),
    "a loop whose state changes its tree": (
        lambda: cr.while_loop(lambda x: np_.sum(x) < 9, lambda x: (x, x), X), ShapeError, "must return the tree", ""),
    "a loop whose condition is not one truth": (
        lambda: cr.compile(lambda x: cr.while_loop(lambda x: x < 9, lambda x: x * 2, x))(X), ChainruleError,
        "the condition must be one bool", ""),
    "branches of other trees": (
        lambda: cr.compile(lambda x: cr.cond(x > 0, lambda x: (x, x), lambda x: [x, x], x))(1.0), ShapeError,
        "the two branches return trees of different structure", ""),
    "branches of other shapes": (
        lambda: cr.compile(lambda x: cr.cond(x[0] > 0, lambda x: x, lambda x: x[:1], x))(X), ShapeError,
        "one branch gives f64[3], the other f64[1]", ""),
    "a condition of several": (
        lambda: cr.cond(X > 0, lambda: 1.0, lambda: 2.0), OptionError,
        "the condition must be a single truth, not bool[3]", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_said_with_the_users_line_and_the_cure(name: str) -> None:
    do, error, text, cure = REFUSED[name]
    with pytest.raises(error) as caught:
        do()
    assert text in caught.value.what
    assert cure in caught.value.cure
    assert __file__ in str(caught.value), "the line of the user's own"
    assert type(cr.grad(np_.sum)(X)) is np.ndarray, "the transformation is over"


def test_the_line_that_is_named_is_the_one_inside_the_function() -> None:
    for do in (
        lambda: cr.vmap(branching)(M),
        lambda: cr.compile(branching)(M),
        lambda: cr.scan(lambda c, x: (branching(c), x), X, X),
    ):
        with pytest.raises(TracingError) as caught:
            do()
        assert "return x if np_.sum(x) > 0 else -x" in str(caught.value)


def test_what_is_wrong_inside_a_loop_names_the_line_inside_it() -> None:
    def one_round(c: Any, x: Any) -> Any:
        return c @ np.ones((7, 7)), x

    with pytest.raises(ShapeError, match=r"f64\[3\] @ f64\[7,7\]") as caught:
        cr.grad(lambda c: np_.sum(cr.scan(one_round, c, X)[0]))(X)
    assert "return c @ np.ones((7, 7)), x" in str(caught.value)
