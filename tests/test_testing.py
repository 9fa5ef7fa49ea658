"""`chainrule.testing`: wrong derivatives are found and named, right ones pass; random functions are what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as np_
from chainrule.errors import DifferentiationError, GradientMismatch, OptionError, ShapeError
from chainrule.testing import OPERATIONS, ROUNDING, TOLERANCE, assert_close, check_gradient, random_function

RNG = np.random.default_rng(0)
X, M = RNG.normal(size=5), RNG.normal(size=(4, 3))


class Pair(NamedTuple):
    a: Any
    b: Any


# what is right passes


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (lambda x: np_.sum(np_.sin(x)), (X,)),
        (lambda x: np_.sin(x), (X,)),
        (lambda x: x**3, (2.0,)),
        (lambda x: x, (np.float64(3.0),)),
        (lambda x, y: {"a": x @ y, "b": [x * 2, (np_.cos(y),)]}, (M, M.T)),
        (lambda tree: tree["a"].b * np_.sum(tree["c"][0]), ({"a": Pair(X, X + 1), "c": [M]},)),
        (lambda x, rows: x[rows] ** 2, (M, np.array([1, 3, 1]))),
        (lambda x, n, name: getattr(np_, name)(x) ** n, (X, 3, "tanh")),
        (lambda x: (np_.argmax(x), x * 2, "text"), (X,)),
        (lambda x: np_.sum(x), (np.zeros((0, 3)),)),
        (lambda x: x @ np.zeros((3, 0)), (M,)),
        (lambda x: 0.0 * x + 1e6, (X,)),
        (lambda x: 1e-9 * np_.sin(x), (X,)),
        (lambda x: 1e9 * np_.sin(x), (X,)),
        (lambda x: x * 0.0, (1e12,)),
        (lambda x: np_.log(x), (1e-3,)),
        (cr.nn.Network([3, 4, 2], "tanh", dtype=np.float64), (M,)),
        (cr.compile(lambda x: np_.sum(np_.tanh(x) * x)), (X,)),
        (cr.vmap(lambda x, w: np_.tanh(x @ w), in_axes=(0, None)), (M, M[0])),
    ],
)
def test_right_derivatives_pass(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    check_gradient(function, *arguments)


def test_kinks_and_poles_that_are_near_but_not_here_are_no_trouble() -> None:
    check_gradient(lambda x: abs(x) + np_.maximum(x, 0.3), np.array([1e-4, 0.3001, -2.0]))
    check_gradient(lambda x: np_.sum(np_.where(x > 0, x, 0.1 * x)), RNG.normal(size=500))
    check_gradient(lambda x: 1 / x, 1e-3)


def test_it_looks_at_values_as_the_function_does() -> None:
    check_gradient(lambda x: x * x if x > 0 else -x, 3.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_dtype_with_its_tolerance(dtype: Any) -> None:
    x = np.linspace(-1.0, 1.0, 4).astype(dtype)

    def wrong(factor: float) -> Any:
        return cr.custom_derivative(np_.sin, pull=lambda e, y, x: e * np_.cos(x) * factor)

    check_gradient(lambda x: np_.sin(x) * np_.exp(x), x)
    with pytest.raises(GradientMismatch):
        check_gradient(wrong(1 + 10 * TOLERANCE[np.dtype(dtype)]), x)
    check_gradient(wrong(1 + 0.01), x, order=1, tolerance=0.1)


def test_either_byte_order() -> None:
    check_gradient(np_.sin, X.astype(">f8"))


def test_third_derivatives() -> None:
    check_gradient(lambda x: x**4, 1.5, order=3)

    def cubed(x: Any) -> Any:
        """x³, whose third derivative is wrong."""
        thrice = cr.custom_derivative(lambda x: 6 * x, pull=lambda e, y, x: e * 5.0)
        second = cr.custom_derivative(lambda x: 3 * x * x, pull=lambda e, y, x: e * thrice(x))
        return cr.custom_derivative(lambda x: x**3, pull=lambda e, y, x: e * second(x))(x)

    check_gradient(cubed, 1.5, order=2)
    with pytest.raises(GradientMismatch, match=r"the third derivative of cubed .*found 5, but differences .* give 6\."):
        check_gradient(cubed, 1.5, order=3, modes=("reverse",))


# what is wrong is found and named


def with_wrong_slope(place: int) -> Any:
    """Sine, with a derivative that is wrong in one element."""

    def pull(e: Any, y: Any, x: Any) -> Any:
        return e * np_.cos(x) * (1 + 0.01 * (np.arange(x.size).reshape(x.shape) == place))

    return cr.custom_derivative(np_.sin, pull=pull)


@pytest.mark.parametrize("place", [0, 5, 11])
def test_one_wrong_element_is_found_and_named(place: int) -> None:
    wrong = with_wrong_slope(place)
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(lambda tree: wrong(tree["w"][1]) * tree["b"], {"b": 2.0, "w": [X, M]})
    row, column = divmod(place, 3)
    slope = "(-?[0-9.e-]+)"
    told = re.search(
        rf"the first derivative of <lambda> \(reverse\) is wrong with respect to argument 0 at \['w'\]\[1\], element "
        rf"\({row}, {column}\): found {slope}, but differences of values give {slope}\.", caught.value.what
    )  # fmt: skip
    assert told, caught.value.what
    assert float(told[1]) / float(told[2]) == pytest.approx(1.01, rel=1e-6)
    assert "check_gradient(lambda tree" in str(caught.value), "the line of the user's own"
    assert isinstance(caught.value, AssertionError)


def test_the_argument_the_mode_and_the_order_are_named() -> None:
    wrong = cr.custom_derivative(lambda x, y: x * y, push=lambda t, z, x, y: t[0] * y + t[1] * x * 1.5)
    with pytest.raises(GradientMismatch, match=r"\(forward\) is wrong with respect to argument 1: found"):
        check_gradient(lambda x, y: wrong(x, y), 2.0, 3.0, modes=("forward",))
    check_gradient(lambda x, y: wrong(x, y), 2.0, 3.0, argnums=0, order=1)
    second = cr.custom_derivative(lambda x: x**2, pull=lambda e, y, x: e * cr.stop_gradient(2 * x))
    check_gradient(second, 2.0, order=1)
    with pytest.raises(GradientMismatch, match=r"the second derivative of <lambda> \(reverse over reverse\) is wrong"):
        check_gradient(second, 2.0, modes=("reverse",))
    with pytest.raises(GradientMismatch, match=r"the second derivative of <lambda> \(forward over forward\) is wrong"):
        check_gradient(second, 2.0, modes=("forward", "reverse"))


def test_two_modes_that_disagree_by_little_are_found() -> None:
    slightly = cr.custom_derivative(
        np_.sin, pull=lambda e, y, x: e * np_.cos(x) * (1 + 1e-8), push=lambda t, y, x: t[0] * np_.cos(x)
    )
    with pytest.raises(GradientMismatch, match="the two modes disagree on the first derivative of sin"):
        check_gradient(slightly, X, order=1)
    check_gradient(slightly, X, order=1, modes=("reverse",))


def test_a_forgotten_term_of_a_sum_over_axes_is_found() -> None:
    forgetful = cr.custom_derivative(lambda x, b: x + b, pull=lambda e, y, x, b: (e, e[0]))
    with pytest.raises(GradientMismatch, match="argument 1, element"):
        check_gradient(forgetful, M, M[0])


def test_a_derivative_that_is_not_a_number_is_wrong() -> None:
    with pytest.raises(GradientMismatch, match="found nan"):
        check_gradient(cr.custom_derivative(np_.sin, pull=lambda e, y, x: e * np.nan), X)


# kinks


@pytest.mark.parametrize(
    ("function", "at", "told"),
    [
        (abs, 0.0, "has a kink (left slope"),
        (lambda x: np_.maximum(x, 0.0), 0.0, "has a kink (left slope"),
        (lambda x: np_.maximum(x, X), X, "has a kink"),
        (lambda x: np_.max(x), np.ones(3), "has a kink"),
        (lambda x: np_.where(x > 0, x, 3 * x), np.array([1.0, 0.0]), "has a kink"),
        (lambda x: np_.sign(x), 0.0, "jumps"),
        (lambda x: np_.floor(x) + x, 2.0, "jumps"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kink_is_reported_as_one_with_the_cure(function: Any, at: Any, told: str, dtype: Any) -> None:
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(function, np.asarray(at, dtype))
    assert told in caught.value.what
    assert "there is no derivative to check" in caught.value.what
    assert "Choose another point" in caught.value.cure


def test_the_slopes_on_both_sides_of_a_kink_are_told() -> None:
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(lambda x: np_.where(x > 0, 5 * x, 2 * x), 0.0)
    left, right = map(float, re.search(r"left slope (\S+), right slope (\S+)\)", caught.value.what).groups())  # type: ignore[union-attr]
    assert (left, right) == (pytest.approx(2, rel=1e-5), pytest.approx(5, rel=1e-5))


def test_the_element_that_is_at_a_kink_is_named() -> None:
    x = np.array([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]])
    with pytest.raises(
        GradientMismatch, match=r"along argument 0 at \['x'\], element \(1, 1\): there is no derivative"
    ):
        check_gradient(lambda t: abs(t["x"]), {"x": x})


def test_a_kink_of_the_first_derivative_is_one_of_the_second() -> None:
    check_gradient(lambda x: x * abs(x), 0.0, order=1)
    with pytest.raises(GradientMismatch, match=r"the first derivative of <lambda> \(reverse\) has a kink"):
        check_gradient(lambda x: x * abs(x), 0.0)


def test_noise_is_not_taken_for_a_derivative() -> None:
    noise = np.random.default_rng(0)
    with pytest.raises(GradientMismatch, match=r"differences of values do not settle|has a kink|jumps"):
        check_gradient(lambda x: x + 1e-3 * float(noise.normal()), 1.0, order=1)


# options


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(DifferentiationError, match="was given no floating-point numbers"):
        check_gradient(lambda n: n * 1.0, 3)
    with pytest.raises(DifferentiationError, match="was given no floating-point numbers"):
        check_gradient(lambda x, n: x * n, 3.0, 2, argnums=1)
    with pytest.raises(DifferentiationError, match="returns no floating-point numbers"):
        check_gradient(lambda x: x > 1, 3.0)
    for wrong in ({"order": 0}, {"modes": ()}, {"modes": "reverse"}, {"modes": ("sideways",)}, {"argnums": 4}):
        with pytest.raises(OptionError):
            check_gradient(lambda x: x, 3.0, **wrong)


def test_the_same_seed_makes_the_same_check_and_another_one_another() -> None:
    def looked_at(seed: int) -> list[bytes]:
        seen: list[bytes] = []

        def function(x: Any) -> Any:
            if isinstance(x, np.ndarray):
                seen.append(x.tobytes())
            return x * x

        check_gradient(function, X, seed=seed, order=1)
        return seen

    assert looked_at(0) == looked_at(0) != looked_at(1)


# tolerances and trees


def test_the_tolerances_are_read_only_and_of_both_dtypes() -> None:
    for table in (TOLERANCE, ROUNDING):
        assert {dtype.name for dtype in table} == {"float32", "float64"}
        with pytest.raises(TypeError):
            table[np.dtype("float64")] = 1.0  # type: ignore[index]


def test_close_trees_are_close() -> None:
    assert_close({"a": [0.1 + 0.2], "n": np.arange(3), "t": "text"}, {"a": [0.3], "n": np.arange(3), "t": "text"})
    assert_close(np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.0 + 1e-14]))
    assert_close(np.float32(1.0), np.float64(1.0 + 1e-6))
    assert_close(1.0, 1.1, tolerance=0.2)
    assert_close(np.float64(1.0), np.float64(1.0 + 1e-6), np.float32)
    assert_close(np.zeros((0, 3)), np.zeros((0, 3)))
    assert_close(1e12, 1e12 + 1e-3)


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        (1.0, 1.0 + 1e-9, "1 of 1 numbers differ"),
        ([1.0, 2.0], [1.0, 3.0], r"at \[1\] differ by more than .*: .*2.0.*, not .*3.0"),
        ({"a": np.ones((2, 2))}, {"a": np.eye(2)}, r"2 of 4 numbers at a|2 of 4 numbers at \['a'\]"),
        (np.arange(3), np.arange(3) + [0, 0, 1], r"element \(2,\)"),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), r"element \(1,\)"),
        (np.array([np.inf]), np.array([-np.inf]), "1 of 1"),
        (np.ones(2), np.ones((2, 1)), "shapes differ"),
        ((1.0,), [1.0], "trees differ"),
        ({"a": 1.0}, {"b": 1.0}, "trees differ"),
    ],
)
def test_what_is_not_close_is_named(a: Any, b: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        assert_close(a, b)


def test_a_dtype_without_a_tolerance_is_refused() -> None:
    with pytest.raises(OptionError, match="not for int64"):
        assert_close(1.0, 1.0, np.int64)


# random functions


def test_a_random_function_is_the_same_for_the_same_seed() -> None:
    first, again, other = (random_function(seed) for seed in (5, 5, 6))
    assert str(first) == str(again) != str(other)
    for a, b in zip(first.arguments, again.arguments, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.__name__ == "random function 5"


def test_a_random_function_takes_plain_and_traced_arrays() -> None:
    function = random_function(3)
    plain = function(*function.arguments)
    assert all(isinstance(y, np.ndarray | np.generic) for y in plain)
    assert_close(cr.compile(function)(*function.arguments), plain)
    assert_close(cr.jvp(function, function.arguments, function.arguments)[0], plain)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_can_be_drawn(name: str) -> None:
    """With a sum, so that there is always something of the right shape."""
    drawn = {node.op.name for seed in range(12) for node in random_function(seed, (name, "sum", "sin")).graph.nodes()}
    assert name in drawn
    assert drawn <= {name, "sum", "sin", "input", "broadcast"}


def test_random_functions_are_of_the_dtype_and_depth_that_is_asked_for() -> None:
    for steps in (3, 30):
        function = random_function(1, ("sin", "cos"), steps=steps, dtype=np.float32)
        assert all(node.type.dtype == np.float32 for node in function.graph.nodes())
        assert steps / 3 <= len(function.graph.nodes()) <= steps + 3


def test_random_functions_of_other_things_are_refused() -> None:
    with pytest.raises(OptionError, match="an operation must be one of .*not 'nothing_of_the_kind'"):
        random_function(0, ("nothing_of_the_kind",))
    with pytest.raises(OptionError, match="operations must be at least one"):
        random_function(0, ())
    with pytest.raises(OptionError, match="not of int64"):
        random_function(0, dtype=np.int64)


def test_shape_errors_of_the_function_pass_through() -> None:
    with pytest.raises((ShapeError, ValueError)):
        check_gradient(lambda x: x @ np.ones((9, 9)), X)
