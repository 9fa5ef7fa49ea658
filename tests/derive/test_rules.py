"""Derivatives that the user has a say in: `custom_derivative`, `checkpoint`, `stop_gradient`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as np_
from chainrule.errors import ChainruleError, DifferentiationError, GradientMismatch, ShapeError
from chainrule.testing import assert_close, check_gradient

Run = Callable[[Any], Any]
RUNS = pytest.mark.parametrize("run", [lambda f: f, cr.compile], ids=["uncompiled", "compiled"])
X, Y = np.array([0.5, -1.25, 2.0]), np.array([1.5, 0.25, -0.75])


# rules of one's own: of functions whose derivatives are known, so that the rule can be held against them


def product(x: Any, y: Any) -> Any:
    return np_.sin(x) * y


RULES: dict[str, dict[str, Any]] = {
    "pull": {"pull": lambda e, z, x, y: (e * np_.cos(x) * y, e * np_.sin(x))},
    "push": {"push": lambda t, z, x, y: t[0] * np_.cos(x) * y + np_.sin(x) * t[1]},
    "both": {
        "pull": lambda e, z, x, y: (e * np_.cos(x) * y, e * np_.sin(x)),
        "push": lambda t, z, x, y: t[0] * np_.cos(x) * y + np_.sin(x) * t[1],
    },
    "pull that uses the result": {"pull": lambda e, z, x, y: (e * np_.cos(x) * y, e * z / y)},
}


def kinds(f: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """Every derivative of a function of two arrays."""

    def cost(x: Any, y: Any) -> Any:
        return np_.sum(f(x, y) ** 2)

    return {
        "value": f,
        "grad": cr.grad(cost, (0, 1)),
        "jvp": lambda x, y: cr.jvp(f, (x, y), (y, x)),
        "jvp by one": lambda x, y: cr.jvp(lambda y: f(X, y), (y,), (x,)),
        "jacfwd": cr.jacfwd(f, (0, 1)),
        "jacrev": cr.jacrev(f, (0, 1)),
        "hessian": cr.hessian(cost, (0, 1)),
        "grad of grad": cr.grad(lambda x, y: np_.sum(cr.grad(cost)(x, y) ** 2), (0, 1)),
        "hvp": lambda x, y: cr.hvp(cost)(x, y, y),
        "vmap": lambda x, y: cr.vmap(f, in_axes=(0, None))(np_.stack([x, 2 * x]), y),
        "vmap of both": cr.vmap(f),
        "vmap of grad": lambda x, y: cr.vmap(cr.grad(cost, (0, 1)), in_axes=(None, 0))(x, np_.stack([y, 2 * y])),
        "grad of vmap": cr.grad(
            lambda x, y: np_.sum(cr.vmap(f, in_axes=(0, None))(np_.stack([x, 2 * x]), y) ** 2), (0, 1)
        ),
        "jvp of vmap": lambda x, y: cr.jvp(cr.vmap(f), (x, y), (y, x)),
        "scan": lambda x, y: cr.grad(lambda x: np_.sum(cr.scan(lambda c, r: (f(c, r), c), x, np_.stack([y, x]))[0]))(x),
    }


@RUNS
@pytest.mark.parametrize("kind", kinds(product))
@pytest.mark.parametrize("rule", RULES)
def test_a_right_rule_gives_what_the_function_itself_gives(rule: str, kind: str, run: Run) -> None:
    ruled = cr.custom_derivative(product, **RULES[rule])
    assert_close(run(kinds(ruled)[kind])(X, Y), kinds(product)[kind](X, Y))


def test_the_rule_is_what_counts_not_the_function() -> None:
    clipped = cr.custom_derivative(lambda x: x * x, pull=lambda e, y, x: e * 100.0)
    assert (cr.grad(clipped)(3.0), cr.jvp(clipped, (3.0,), (2.0,))) == (100.0, (9.0, 200.0))
    assert cr.jacfwd(clipped)(3.0) == cr.jacrev(clipped)(3.0) == cr.compile(cr.grad(clipped))(3.0) == 100.0
    assert cr.vmap(cr.grad(clipped))(np.array([3.0, 4.0])).tolist() == [100.0, 100.0]
    pushed = cr.custom_derivative(lambda x: x * x, push=lambda t, y, x: t[0] * 100.0)
    assert (cr.grad(pushed)(3.0), cr.jvp(pushed, (3.0,), (2.0,))) == (100.0, (9.0, 200.0))
    differing = cr.custom_derivative(lambda x: x, pull=lambda e, y, x: e * 2.0, push=lambda t, y, x: t[0] * 3.0)
    assert (cr.grad(differing)(1.0), cr.jvp(differing, (1.0,), (1.0,))[1]) == (2.0, 3.0)


class Both(NamedTuple):
    total: Any
    parts: Any


@RUNS
def test_rules_of_trees_and_of_whole_numbers(run: Run) -> None:
    """The arguments are a dict with an index in it, and a number; the result is a tree with a count in it."""

    def function(tree: Any, scale: Any) -> Any:
        taken = np_.take(tree["x"], tree["rows"]) * scale
        return Both(np_.sum(taken), [taken, tree["rows"] + 1])

    def pull(error: Any, y: Any, tree: Any, scale: Any) -> Any:
        each = error.total + error.parts[0]
        of_x = np_.sum(each[:, None] * scale * (tree["rows"][:, None] == np.arange(3)), axis=0)
        return {"x": of_x, "rows": None}, np_.sum(each * np_.take(tree["x"], tree["rows"]))

    ruled = cr.custom_derivative(function, pull=pull)
    tree, scale = {"x": X, "rows": np.array([2, 0, 2, 1])}, np.float64(1.5)

    def cost(f: Any) -> Any:
        return lambda x, scale, rows: (
            np_.sum(np_.sin(f({"x": x, "rows": rows}, scale).parts[0])) + f({"x": x, "rows": rows}, scale).total
        )

    arguments = tree["x"], scale, tree["rows"]
    for derivative in (
        lambda f: cr.grad(f, (0, 1)),
        lambda f: lambda x, s, r: cr.jvp(lambda x, s: f(x, s, r), (x, s), (x, s)),
        cr.hessian,
    ):
        assert_close(run(derivative(cost(ruled)))(*arguments), derivative(cost(function))(*arguments))
    wide = np.stack([X, X + 1])
    found = run(cr.vmap(cr.grad(cost(ruled)), in_axes=(0, None, None)))(wide, *arguments[1:])
    assert_close(found, cr.vmap(cr.grad(cost(function)), in_axes=(0, None, None))(wide, *arguments[1:]))
    assert run(ruled)(tree, scale).parts[1].tolist() == [3, 1, 3, 2]


def test_the_parts_of_a_tree_are_matched_by_name() -> None:
    """Whatever the order in which a rule, or a caller, wrote them."""
    ruled = cr.custom_derivative(lambda t: t["a"] * 2 + t["b"] * 3, pull=lambda e, y, t: {"b": e * 3, "a": e * 2})
    assert cr.grad(ruled)({"a": 1.0, "b": 1.0}) == {"a": 2.0, "b": 3.0}
    assert cr.jvp(ruled, ({"a": 1.0, "b": 1.0},), ({"b": 10.0, "a": 1.0},))[1] == 32.0
    assert cr.vjp(lambda x: {"a": 2 * x, "b": 3 * x}, 1.0)[1]({"b": 10.0, "a": 1.0}) == 32.0
    assert cr.vjp(lambda x: (2 * x, 3), 1.0)[1]((1.0, None)) == 2.0


LENGTHS: dict[str, dict[str, Any]] = {
    "pull": {"pull": lambda e, y, x: 2 * e * x},
    "push": {"push": lambda t, y, x: 2 * np_.sum(x * t[0])},
    "both": {"pull": lambda e, y, x: 2 * e * x, "push": lambda t, y, x: 2 * np_.sum(x * t[0])},
}


@RUNS
@pytest.mark.parametrize("rule", LENGTHS)
def test_a_rule_that_mixes_elements_is_one_of_each_example(rule: str, run: Run) -> None:
    """The derivative of a batch: the rule is written for one example, and counts for each."""

    def length(x: Any) -> Any:
        return np_.sum(x * x)

    ruled = cr.custom_derivative(length, **LENGTHS[rule])
    rows = np.stack([X, Y, X + Y, X - Y])
    stack = np.stack([rows, 2 * rows])

    def derivatives(f: Any) -> list[Callable[[], Any]]:
        return [
            lambda: run(cr.grad(lambda a: np_.sum(np_.sin(cr.vmap(f)(a)))))(rows),
            lambda: run(lambda a: cr.jvp(cr.vmap(f), (a,), (np_.cos(a),)))(rows),
            lambda: run(cr.grad(lambda a: np_.sum(np_.sin(cr.vmap(cr.vmap(f))(a)))))(stack),
            lambda: run(cr.grad(lambda a: np_.sum(np_.sin(cr.vmap(f, in_axes=1)(a)))))(rows),
            lambda: run(cr.hessian(lambda a: np_.sum(np_.sin(cr.vmap(f)(a)))))(rows[:2]),
        ]

    for mine, theirs in zip(derivatives(ruled), derivatives(length), strict=True):
        assert_close(mine(), theirs())


@RUNS
def test_a_rule_may_leave_an_argument_without_an_error(run: Run) -> None:
    ruled = cr.custom_derivative(lambda x, y: x * y, pull=lambda e, z, x, y: (e * y, None))
    found = run(cr.grad(lambda x, y: np_.sum(ruled(x, y)), (0, 1)))(X, Y)
    assert (found[0].tolist(), found[1].tolist()) == (Y.tolist(), [0.0] * 3)
    assert run(lambda x, y: cr.jvp(ruled, (x, y), (np_.ones(3), np_.ones(3)))[1])(X, Y).tolist() == Y.tolist()


@RUNS
def test_what_a_ruled_function_closes_over_is_a_constant(run: Run) -> None:
    def cost(w: Any) -> Any:
        ruled = cr.custom_derivative(lambda x: x * w, pull=lambda e, y, x: e * w)
        return ruled(3.0) + ruled(w)

    assert run(cr.grad(cost))(2.0) == 2.0  # of the argument alone: not of the w in the function, nor in ruled(3.0)


def test_users_check_their_rules_with_check_gradient() -> None:
    check_gradient(cr.custom_derivative(product, **RULES["both"]), X, Y)
    for rule in (
        {"pull": lambda e, z, x, y: (e * np_.cos(x), e * np_.sin(x))},
        {"push": lambda t, z, x, y: t[0] * y + t[1]},
    ):
        with pytest.raises(GradientMismatch, match="product"):
            check_gradient(cr.custom_derivative(product, **rule), X, Y)
    disagreeing = {**RULES["both"], "push": RULES["push"]["push"], "pull": lambda e, z, x, y: (e * y, e * x)}
    with pytest.raises(GradientMismatch, match=r"reverse\) is wrong with respect to argument 0"):
        check_gradient(cr.custom_derivative(product, **disagreeing), X, Y)


REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str]] = {
    "neither": (lambda: cr.custom_derivative(product), DifferentiationError, "product: neither pull nor push is given"),
    "a pull of another shape": (
        lambda: cr.grad(lambda x: np_.sum(cr.custom_derivative(product, pull=lambda e, z, x, y: (e[:2], e))(x, Y)))(X),
        ShapeError, r"the pull of product gave f64\[2\] for f64\[3\]"),
    "a pull of too few": (
        lambda: cr.grad(lambda x: np_.sum(cr.custom_derivative(product, pull=lambda e, z, x, y: e)(x, Y)))(X),
        ShapeError, "the pull of product must return 2 errors"),
    "a pull of another tree": (
        lambda: cr.grad(lambda x: np_.sum(cr.custom_derivative(product, pull=lambda e, z, x, y: ([e, e], e))(x, Y)))(X),
        ShapeError, "another tree, of 2 arrays, where one of 1 belongs"),
    "a push of another shape": (
        lambda: cr.jvp(cr.custom_derivative(product, push=lambda t, z, x, y: np_.sum(t[0])), (X, Y), (X, Y)),
        ShapeError, r"the push of product gave f64\[\] for f64\[3\]"),
    "a push of another tree": (
        lambda: cr.jvp(cr.custom_derivative(product, push=lambda t, z, x, y: t), (X, Y), (X, Y)),
        ShapeError, "another tree, of 2 arrays, where one of 1 belongs"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_rule_that_does_not_fit_is_refused(name: str) -> None:
    do, error, text = REFUSED[name]
    with pytest.raises(error, match=text) as caught:
        do()
    assert __file__ in str(caught.value)


# checkpoint


def deep(x: Any, y: Any) -> Any:
    for _ in range(3):
        x = np_.sin(x * y) + np_.tanh(x)
    return x


@RUNS
@pytest.mark.parametrize("kind", kinds(deep))
def test_a_checkpoint_changes_no_derivative(kind: str, run: Run) -> None:
    assert_close(run(kinds(cr.checkpoint(deep))[kind])(X, Y), kinds(deep)[kind](X, Y))


@RUNS
def test_checkpoints_of_trees_options_and_closures(run: Run) -> None:
    """Whole numbers among the arguments are Python's; what it closes over has its derivative."""

    def cost(kept: Any) -> Any:
        def function(w: Any, x: Any) -> Any:
            part = kept(lambda tree, power, *, scale, name: {"y": getattr(np_, name)(tree["x"] * w) ** power * scale})
            inner = kept(lambda a: part({"x": a, "n": np.arange(2)}, 3, scale=w[0], name="sin")["y"] * w)
            return np_.sum(inner(x) * inner(w))

        return function

    for derivative in (lambda f: cr.grad(f, (0, 1)), cr.hessian, lambda f: lambda w, x: cr.jvp(f, (w, x), (x, w))):
        assert_close(run(derivative(cost(cr.checkpoint)))(X, Y), derivative(cost(lambda f: f))(X, Y))


@RUNS
def test_a_batch_of_checkpoints_some_results_of_which_are_the_same_for_all(run: Run) -> None:
    def cost(kept: Any) -> Any:
        def function(x: Any) -> Any:
            part = kept(lambda x: (np_.sin(x) * np_.sum(x), np_.arange(3.0), np_.sum(x) + np_.ones(2)))
            a, b, c = cr.vmap(part)(x)
            return np_.sum(a * b) + np_.sum(np_.exp(b)) * np_.sum(c)

        return function

    rows = np.stack([X, Y])
    for derivative in (cr.grad, cr.hessian, lambda f: lambda x: cr.jvp(f, (x,), (np_.cos(x),))):
        assert_close(run(derivative(cost(cr.checkpoint)))(rows), derivative(cost(lambda f: f))(rows))


def test_what_is_checkpointed_is_computed_again_and_not_kept() -> None:
    """A deep chain in segments: fewer bytes, the same numbers, more operations."""

    def cost(kept: Any) -> Any:
        def chain(x: Any, rounds: int) -> Any:
            for _ in range(rounds):
                x = np_.sin(x @ W)
            return x

        def function(x: Any) -> Any:
            for _ in range(4):
                x = kept(lambda x: chain(x, 4))(x)
            return np_.sum(x)

        return function

    x = np.random.default_rng(0).normal(size=(64, 16))
    plain, less = cr.compile(cr.grad(cost(lambda f: f))), cr.compile(cr.grad(cost(cr.checkpoint)))
    assert_close(less(x), plain(x))
    assert less.program(x).temporary_bytes < 0.6 * plain.program(x).temporary_bytes


W = np.random.default_rng(1).normal(size=(16, 16)) / 4


def test_a_checkpoint_keeps_the_name() -> None:
    assert cr.checkpoint(deep).__name__ == cr.custom_derivative(deep, **RULES["pull"]).__name__ == "deep"


# stop_gradient


@RUNS
def test_a_stopped_gradient_is_a_constant_to_every_derivative(run: Run) -> None:
    def f(x: Any) -> Any:
        return x * x * cr.stop_gradient(x)

    x = 3.0
    assert run(f)(x) == 27.0
    assert run(cr.grad(f))(x) == 18.0
    assert run(lambda x: cr.jvp(f, (x,), (1.0,))[1])(x) == 18.0
    assert run(cr.grad(cr.grad(f)))(x) == run(cr.hessian(f))(x) == 6.0
    assert run(cr.jacrev(f))(x) == run(cr.jacfwd(f))(x) == 18.0
    assert run(cr.vmap(cr.grad(f)))(np.array([1.0, 3.0])).tolist() == [2.0, 18.0]
    assert run(cr.grad(lambda x: np_.sum(cr.vmap(f)(x))))(np.array([1.0, 3.0])).tolist() == [2.0, 18.0]
    assert run(cr.grad(lambda x: cr.scan(lambda c, _: (c * cr.stop_gradient(c), None), x, length=2)[0]))(x) == 27.0


@RUNS
def test_a_tree_is_stopped_in_all_its_leaves(run: Run) -> None:
    def f(x: Any) -> Any:
        stopped = cr.stop_gradient({"a": x, "b": [2 * x, 3, "text"]})
        return x * stopped["a"] * stopped["b"][0] * stopped["b"][1]

    assert run(cr.grad(f))(2.0) == 2.0 * 4.0 * 3
