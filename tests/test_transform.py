"""`grad`, `value_and_grad` and `compile`: what goes in, what comes out, what is refused, and how they nest."""

from __future__ import annotations

import gc
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import (
    ChainruleError,
    DifferentiationError,
    DTypeError,
    OptionError,
    ShapeError,
    TracingError,
)
from chainrule.trace.tree import flatten

X = np.array([1.0, 2.0, 3.0])


@dataclass
class Point:
    """A tree of the user's own."""

    x: Any
    y: Any
    name: str = "p"


class Pair(NamedTuple):
    a: Any
    b: Any


Untyped = namedtuple("Untyped", "a b")


def line_of(error: pytest.ExceptionInfo[ChainruleError]) -> str:
    """The source of the line that an error names."""
    return str(error.value).split("\n")[1]


# grad and value_and_grad: what they give


def test_the_derivative_of_a_power() -> None:
    value, slope = cr.value_and_grad(lambda x: x**3)(2.0)
    assert (value, slope) == (8.0, 12.0)
    assert cr.grad(lambda x: x**3)(2.0) == 12.0


@pytest.mark.parametrize(
    "tree",
    [
        X,
        (X, 2 * X),
        [X, [2 * X], ()],
        {"w": X, "b": (2 * X, {"c": 3 * X})},
        OrderedDict(b=X, a=2 * X),
        Pair(X, 2 * X),
        Untyped(X, (2 * X,)),
        Point(X, [2 * X], "named"),
        (X, None, "text", np.tanh, np.float32, 2 * X),
        cr.nn.Network([3, 2, 2], "tanh", dtype=np.float64),
    ],
    ids=lambda tree: type(tree).__name__,
)
def test_the_gradient_has_the_tree_of_the_argument(tree: Any) -> None:
    leaves, structure = flatten(tree)

    def squares(tree: Any) -> Any:
        assert flatten(tree)[1] == structure
        return sum(cnp.sum(leaf**2) for leaf in flatten(tree)[0])

    value, slope = cr.value_and_grad(squares)(tree)
    assert value == pytest.approx(sum((leaf**2).sum() for leaf in leaves))
    assert type(slope) is type(tree)
    assert flatten(slope)[1] == structure
    for found, leaf in zip(flatten(slope)[0], leaves, strict=True):
        np.testing.assert_array_equal(found, 2 * leaf)
        assert found.dtype == leaf.dtype


def product(a: Any, b: Any, c: Any) -> Any:
    return cnp.sum(a * b * c)


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [(0, "bc"), (1, "ac"), (2, "ab"), (-1, "ab"), (-3, "bc"), (np.int64(1), "ac")],
    ids=str,
)
def test_argnums_names_one_argument_from_either_end(argnums: Any, expected: str) -> None:
    given_ = dict(zip("abc", (X, X + 1, X + 2), strict=True))
    found = cr.grad(product, argnums)(*given_.values())
    np.testing.assert_array_equal(found, given_[expected[0]] * given_[expected[1]])


@pytest.mark.parametrize("argnums", [(0, 2), [0, 2], (0, -1), (2, 0), (1,)], ids=str)
def test_several_argnums_give_a_tuple_in_their_order(argnums: Any) -> None:
    found = cr.grad(product, argnums)(X, X + 1, X + 2)
    assert type(found) is tuple
    assert len(found) == len(argnums)
    for n, slope in zip(argnums, found, strict=True):
        np.testing.assert_array_equal(slope, cr.grad(product, n)(X, X + 1, X + 2))


def test_other_arguments_are_passed_on_as_they_are() -> None:
    seen: list[Any] = []

    def cost(x: Any, flag: bool, count: int, *, mode: str = "sum") -> Any:
        seen.extend([flag, count, mode])
        return getattr(cnp, mode)(x) * count

    assert cr.grad(cost)(X, True, 3, mode="mean").tolist() == [1.0, 1.0, 1.0]
    assert seen == [True, 3, "mean"]


def test_what_the_cost_does_not_depend_on_has_the_gradient_zero() -> None:
    a, b = cr.grad(lambda a, b: cnp.sum(b), argnums=(0, 1))(X, X)
    assert (a.tolist(), b.tolist()) == ([0.0] * 3, [1.0] * 3)
    assert cr.grad(lambda a: 3.0)(X).tolist() == [0.0] * 3


def test_an_argument_that_is_used_twice_gets_both_parts() -> None:
    assert cr.grad(lambda a, b: cnp.sum(a * b))(X, X).tolist() == X.tolist()
    assert cr.grad(lambda pair: cnp.sum(pair[0] * pair[1]))((X, X))[0].tolist() == X.tolist()


def test_python_sees_the_values() -> None:
    def cost(x: Any) -> Any:
        while cnp.sum(x) < 100:
            x = 2 * x
        return cnp.sum(x) if x[0] > 0 else -cnp.sum(x)

    assert cr.grad(cost)(X).tolist() == [32.0] * 3


def test_a_stopped_gradient_is_a_constant() -> None:
    assert cr.grad(lambda x: cnp.sum(x * cr.stop_gradient(x)))(X).tolist() == X.tolist()
    assert cr.stop_gradient(X) is X


def test_the_derivative_keeps_the_name_and_the_docstring() -> None:
    assert cr.grad(product).__name__ == "product"
    assert cr.compile(product).__name__ == "product"


# NumPy in, NumPy out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1,), (0,), (2, 0, 3)])
def test_arrays_give_arrays_of_their_dtype_and_shape(dtype: Any, shape: tuple[int, ...]) -> None:
    x = np.ones(shape, dtype)
    value, slope = cr.value_and_grad(lambda x: cnp.sum(cnp.tanh(x) * 2.5))(x)
    assert type(value) is dtype
    assert type(slope) is np.ndarray
    assert (slope.dtype, slope.shape) == (dtype, shape)


@pytest.mark.parametrize(
    ("x", "kind"),
    [(2.0, np.float64), (np.float32(2), np.float32), (np.float64(2), np.float64), (np.array(2.0, "f4"), np.float32)],
)
def test_numbers_give_numbers(x: Any, kind: type) -> None:
    value, slope = cr.value_and_grad(lambda x: x * x)(x)
    assert type(value) is kind
    assert type(slope) is kind
    assert slope == 4


def test_a_float32_argument_has_a_float32_gradient_even_of_a_float64_cost() -> None:
    value, slope = cr.value_and_grad(lambda x: cnp.sum(x * X))(X.astype(np.float32))
    assert value.dtype == np.float64
    assert slope.dtype == np.float32


def test_swapped_bytes_and_strides_make_no_difference() -> None:
    wide = np.arange(12.0).reshape(3, 4)
    for x in (wide.T, wide[::-1, ::2], wide.astype(">f8"), np.asfortranarray(wide)):
        slope = cr.grad(lambda x: cnp.sum(x**3))(x)
        np.testing.assert_array_equal(slope, 3 * x**2)
        assert slope.dtype.isnative


def test_results_are_writable_and_nobody_elses() -> None:
    seen: list[Any] = []

    def cost(a: Any, b: Any) -> Any:
        seen.append(a)
        return cnp.sum(a) + cnp.sum(a * b)

    a, b = X.copy(), X.copy()
    first = cr.grad(cost, argnums=(0, 1))(a, b)
    for slope in first:
        slope[...] = 9.0
    assert (a.tolist(), b.tolist()) == (X.tolist(), X.tolist())
    second = cr.grad(cost, argnums=(0, 1))(a, b)
    assert second[0].tolist() == (1 + X).tolist()
    assert not any(np.shares_memory(mine, other) for mine in second for other in (a, b, *first))


def test_the_gradient_of_the_identity_on_a_read_only_array_is_writable() -> None:
    x = X.copy()
    x.setflags(write=False)
    cr.grad(cnp.sum)(x)[0] = 5.0


def test_a_change_of_the_array_after_the_call_changes_no_result() -> None:
    x = X.copy()
    slope = cr.grad(lambda x: cnp.sum(x * x) / 2)(x)
    x[...] = 0
    assert slope.tolist() == X.tolist()


def test_a_change_of_the_array_before_the_pull_changes_no_result() -> None:
    x = np.array([1.0, 2.0])
    _, pull = cr.vjp(lambda x: x**3, x)
    x[...] = 10
    assert pull(np.ones(2)).tolist() == [3.0, 12.0]


def test_nodes_do_not_outlive_the_call() -> None:
    from chainrule.graph import node

    cr.grad(lambda x: cnp.sum(x**3))(X)
    gc.collect()
    before = len(node._INTERNED)
    for n in range(5):
        cr.grad(lambda x, n=n: cnp.sum(x**3) * (0.1 + n))(X)
    gc.collect()
    assert len(node._INTERNED) == before


# nesting


def test_derivatives_of_derivatives() -> None:
    assert cr.grad(cr.grad(cr.grad(lambda x: x**5)))(2.0) == 240.0


def test_the_second_derivative_of_a_function_of_two_arguments_is_symmetric() -> None:
    def cost(a: Any, b: Any) -> Any:
        return cnp.sum(cnp.tanh(a * b) * b)

    mixed = cr.grad(lambda b: cnp.sum(cr.grad(cost)(X, b)))(X / 2)
    other = cr.grad(lambda a: cnp.sum(cr.grad(cost, 1)(a, X / 2)))(X)
    np.testing.assert_allclose(mixed, other, rtol=1e-12)


def test_an_inner_derivative_sees_the_outer_variable_of_a_closure() -> None:
    def outer(w: Any) -> Any:
        return cr.grad(lambda x: cnp.sum(x * x * w))(X)[1]

    assert cr.grad(outer)(3.0) == 2 * X[1]


def test_variables_of_two_derivatives_are_not_confused() -> None:
    """d/dx (x · d/dy (x + y)) is 1, not 2: the inner derivative must not see the outer variable as its own."""
    assert cr.grad(lambda x: x * cr.grad(lambda y: x + y)(1.0))(1.0) == 1.0


@pytest.mark.parametrize("run", [lambda f: f, cr.compile], ids=["uncompiled", "compiled"])
def test_one_array_as_two_arguments_has_two_derivatives(run: Callable[[Any], Any]) -> None:
    def both(x: Any) -> Any:
        return cr.grad(lambda a, b: cnp.sum(a * b * b), argnums=(0, 1))(x, x)

    first, second = run(both)(X)
    assert (first.tolist(), second.tolist()) == ((X**2).tolist(), (2 * X**2).tolist())


def test_an_inner_derivative_is_usable_by_python() -> None:
    def cost(x: Any) -> Any:
        slope = cr.grad(lambda x: x**2)(x)
        return slope * (3 if slope > 1 and float(cr.stop_gradient(slope)) > 1 else 1)

    assert cr.grad(cost)(2.0) == 6.0
    assert cr.grad(cost)(0.25) == 2.0


# what they refuse


@pytest.mark.parametrize(
    ("result", "named"),
    [
        (lambda x: x, r"f64\[3\]"),
        (lambda x: x[:1], r"f64\[1\]"),
        (lambda x: cnp.sum(x) > 1, r"bool\[\]"),
        (lambda x: 3, r"i64\[\]"),
        (lambda x: cnp.argmax(x), r"i64\[\]"),
        (lambda x: None, "NoneType"),
        (lambda x: (cnp.sum(x),), "tuple"),
        (lambda x: "text", "str"),
        (lambda x: 1j, "complex"),
    ],
)
def test_a_result_that_is_not_one_real_number_is_refused(result: Callable[[Any], Any], named: str) -> None:
    with pytest.raises(DifferentiationError, match=rf"must return one real number to have a gradient, not {named}"):
        cr.grad(result)(X)


def test_the_refusal_names_the_function_and_the_line_of_the_call() -> None:
    def halves(x: Any) -> Any:
        return x / 2

    with pytest.raises(DifferentiationError, match="halves must return") as error:
        cr.grad(halves)(X)
    assert "cr.grad(halves)(X)" in line_of(error)
    assert __file__ in line_of(error)


@pytest.mark.parametrize(
    "x", [np.arange(3), 3, True, np.array([True]), np.int8(1)], ids=lambda value: repr(value).partition(" at 0x")[0]
)
def test_an_argument_without_real_numbers_is_refused_by_position(x: Any) -> None:
    with pytest.raises(DifferentiationError, match="respect to argument 1: .* holds no floating-point") as error:
        cr.grad(lambda y, x: cnp.sum(y * x), argnums=1)(X, x)
    assert "argnums=1)(X, x)" in line_of(error)


def test_a_leaf_without_real_numbers_is_refused_by_its_place() -> None:
    with pytest.raises(DifferentiationError, match=r"argument 0 at \['a'\]\[1\]\.y: i64\[\] holds no floating-point"):
        cr.grad(lambda tree: cnp.sum(tree["a"][0]))({"a": [X, Point(X, 3)]})


@pytest.mark.parametrize(
    "x",
    [np.ones(2, complex), np.ones(2, np.float16), np.array(["a"]), np.array([None]), object()],
    ids=lambda value: repr(value).partition(" at 0x")[0],
)
def test_an_argument_of_another_dtype_is_refused(x: Any) -> None:
    with pytest.raises(DTypeError, match="computes with float32, float64"):
        cr.grad(lambda x: 1.0)(x)


@pytest.mark.parametrize("argnums", [2, -3, (0, 5)])
def test_an_argument_that_was_not_passed_is_refused(argnums: Any) -> None:
    with pytest.raises(
        OptionError, match=r"argnums names argument -?\d, but plus was called with 2 positional"
    ) as error:
        cr.grad(plus, argnums)(X, X)
    assert "cr.grad(plus, argnums)(X, X)" in line_of(error)


def plus(a: Any, b: Any) -> Any:
    return cnp.sum(a + b)


def test_an_argument_passed_by_name_is_refused() -> None:
    with pytest.raises(OptionError, match="argnums names argument 1, but plus was called with 1 positional"):
        cr.grad(plus, 1)(X, b=X)


@pytest.mark.parametrize("argnums", [(0, 0), (1, -1)])
def test_the_same_argument_twice_is_refused(argnums: Any) -> None:
    with pytest.raises(OptionError, match="names an argument twice"):
        cr.grad(plus, argnums)(X, X)


@pytest.mark.parametrize(
    "argnums", [(), [], "a", None, 1.0, (0, "b"), {0}], ids=lambda value: repr(value).partition(" at 0x")[0]
)
def test_argnums_that_are_no_positions_are_refused_at_once(argnums: Any) -> None:
    with pytest.raises(OptionError, match="argnums"):
        cr.grad(plus, argnums)


def test_an_error_inside_the_function_names_its_line() -> None:
    def cost(w: Any) -> Any:
        return cnp.sum(w @ np.ones((4, 5)))

    with pytest.raises(ShapeError, match=r"f64\[3\] @ f64\[4,5\]") as error:
        cr.grad(cost)(X)
    assert "return cnp.sum(w @ np.ones((4, 5)))" in line_of(error)


def test_an_error_of_the_users_own_passes_through_and_leaves_no_trace() -> None:
    def cost(x: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        cr.grad(cost)(X)
    assert type(cr.grad(cnp.sum)(X)) is np.ndarray  # the transformation is over


# compile: the same function


def layer(w: Any, b: Any, x: Any) -> Any:
    return cnp.tanh(x @ w.T + b)


def test_it_is_the_same_function() -> None:
    random = np.random.default_rng(0)
    arguments = random.normal(size=(4, 3)), random.normal(size=4), random.normal(size=(5, 3))
    np.testing.assert_allclose(cr.compile(layer)(*arguments), layer(*arguments), rtol=1e-14)


COMPILED_SUM = cr.compile(lambda x, y: (x * 2 + y, cnp.sum(x), cnp.max(x + y)))


@given(
    st.lists(st.integers(1, 5), max_size=3).map(tuple),
    st.sampled_from(["f4", "f8", "i4", ">f8", ">i2"]),
    st.sampled_from(["C", "F", "reversed", "every second", "shifted"]),
    st.integers(0, 2**32 - 1),
)
def test_any_shape_dtype_and_layout_gives_what_numpy_gives(
    shape: tuple[int, ...], dtype: str, layout: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    x = laid_out(random.integers(-99, 99, shape), dtype, layout)
    y = laid_out(random.integers(-99, 99, shape), dtype, "C")
    before = x.tobytes(), y.tobytes()
    found = COMPILED_SUM(x, y)
    expected = x * 2 + y, np.sum(x), np.max(x + y)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert np.shape(mine) == np.shape(theirs)
        assert mine.dtype == np.asarray(theirs).dtype.newbyteorder("=")
    assert (x.tobytes(), y.tobytes()) == before


def laid_out(values: np.ndarray, dtype: str, layout: str) -> np.ndarray:
    """The same values somewhere in memory: not contiguous, backwards, or not aligned to their size."""
    array = np.array(values, dtype)
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "reversed":
        return np.flip(np.flip(array).copy())
    if layout == "every second" and array.ndim:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if layout == "shifted":
        raw = np.empty(array.nbytes + 1, np.uint8)[1:]
        there = raw.view(array.dtype).reshape(array.shape)
        there[...] = array
        return there
    return array


def programs(compiled: Any) -> int:
    return len(compiled._programs)


def counted(function: Callable[..., Any]) -> tuple[Any, list[int]]:
    """The compiled function, and how often Python has been through it."""
    calls: list[int] = []

    def watched(*arguments: Any) -> Any:
        calls.append(1)
        return function(*arguments)

    return cr.compile(watched), calls


WITH_A_NUMBER = {
    "an array of each precision": lambda rate, x, y: (rate * x, rate * y),
    "arithmetic of numbers alone": lambda rate, x, y: (-rate / 2 + 1) * x,
    "the number itself": lambda rate, x, y: rate,
    "integers": lambda rate, x, y: rate * cnp.argmax(x),
    "in a function": lambda rate, x, y: cnp.maximum(x, rate),
}


@pytest.mark.parametrize("name", WITH_A_NUMBER)
def test_a_python_float_takes_the_dtype_of_what_it_meets_as_in_numpy(name: str) -> None:
    function = WITH_A_NUMBER[name]
    arguments = 0.25, np.array([1.0, 2.0], np.float32), np.array([1.0, 2.0])
    compiled, plain = cr.compile(function)(*arguments), function(*arguments)
    pairs = zip(*(result if isinstance(result, tuple) else (result,) for result in (compiled, plain)), strict=True)
    for found, wanted in pairs:
        assert np.asarray(found).dtype == np.asarray(wanted).dtype
        np.testing.assert_allclose(found, wanted)


def test_python_runs_once_for_each_kind_of_arguments() -> None:
    double, calls = counted(lambda x: 2 * x)
    for x, traced in [
        (np.ones(3), 1),
        (np.zeros(3), 1),
        (np.ones(3)[::-1], 1),
        (np.ones(3, ">f8"), 1),
        (np.ones(4), 2),
        (np.ones((3, 1)), 3),
        (np.ones(3, np.float32), 4),
        (np.ones(3, int), 5),
        (1.0, 6),
        (np.float64(1), 7),
        (np.ones(3), 7),
    ]:
        np.testing.assert_array_equal(double(x), 2 * x)
        assert len(calls) == traced


def test_whole_numbers_booleans_and_strings_are_constants_of_the_program() -> None:
    def power(x: Any, n: int, negative: bool, kind: str) -> Any:
        result = x
        for _ in range(n - 1):
            result = result * x
        return getattr(cnp, kind)(-result if negative else result)

    compiled, calls = counted(power)
    assert [compiled(X, n, False, "sum") for n in (1, 2, 3, 2, 1)] == [6.0, 14.0, 36.0, 14.0, 6.0]
    assert len(calls) == 3
    assert compiled(X, 1, True, "sum") == -6.0
    assert compiled(X, 1, False, "mean") == 2.0
    assert len(calls) == 5


def test_true_is_not_one_and_zero_is_not_false() -> None:
    compiled = cr.compile(lambda x, n: x * 2 if n is True else x)
    assert [compiled(X, n).tolist() for n in (1, True, 1)] == [X.tolist(), (2 * X).tolist(), X.tolist()]


def test_a_constant_in_another_place_is_another_program() -> None:
    minus = cr.compile(lambda a, b: a - b)
    assert [minus(3.0, 1), minus(1, 3.0), minus(3.0, 1)] == [2.0, -2.0, 2.0]


def test_trees_of_another_structure_are_other_programs() -> None:
    total, calls = counted(lambda tree: sum(cnp.sum(leaf) for leaf in flatten(tree)[0]))
    for tree in [(X, X), [X, X], {"a": X, "b": X}, {"b": X, "a": X}, Pair(X, X), ((X,), X), (X, X)]:
        assert total(tree) == 12.0
    assert len(calls) == 6


def test_functions_among_the_arguments_are_constants() -> None:
    apply = cr.compile(lambda f, x: f(x))
    np.testing.assert_allclose(apply(cnp.tanh, X), np.tanh(X))
    np.testing.assert_allclose(apply(cnp.exp, X), np.exp(X))


def test_two_compiled_functions_do_not_share_their_programs() -> None:
    assert cr.compile(lambda x: x + 1)(1.0) == 2.0
    assert cr.compile(lambda x: x + 2)(1.0) == 3.0


# compile: numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_python_numbers_take_the_dtype_of_the_arrays(dtype: Any) -> None:
    assert cr.compile(lambda x, s: x * s + 0.1)(X.astype(dtype), 2.5).dtype == dtype
    assert cr.compile(lambda x, n: x * n + 1)(X.astype(dtype), 3).dtype == dtype


def test_numbers_of_numpy_have_their_own_dtype() -> None:
    assert cr.compile(lambda x, s: x * s)(X.astype(np.float32), np.float64(2.5)).dtype == np.float64


def test_another_python_float_is_no_other_program() -> None:
    scale, calls = counted(lambda x, s: x * s)
    assert [scale(X, s).tolist() for s in (2.0, 3.0, -0.0)] == [(X * s).tolist() for s in (2.0, 3.0, -0.0)]
    assert len(calls) == 1


def test_a_python_float_with_whole_numbers_is_float64() -> None:
    found = cr.compile(lambda x, s: x * s)(np.arange(3), 2.5)
    assert found.tolist() == [0.0, 2.5, 5.0]
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    ("x", "kind"), [(2.0, np.float64), (np.float32(2), np.float32), (np.array(2.0), np.float64), (np.int8(2), np.int8)]
)
def test_results_without_axes_are_numbers(x: Any, kind: type) -> None:
    found = cr.compile(lambda x: x + x)(x)
    assert type(found) is kind
    assert found == 4


# compile: memory


def test_results_are_fresh_writable_arrays_at_every_call() -> None:
    compiled = cr.compile(lambda x: (x, x + 1, cnp.reshape(x, (3, 1)), x[::-1]))
    x = X.copy()
    first, second = compiled(x), compiled(x)
    for array in first:
        array[...] = 7.0
    assert x.tolist() == X.tolist()
    assert [array.ravel().tolist() for array in second] == [[1, 2, 3], [2, 3, 4], [1, 2, 3], [3, 2, 1]]
    everything = [x, *first, *second]
    for n, one in enumerate(everything):
        assert not any(np.shares_memory(one, other) for other in everything[n + 1 :])


def test_an_argument_given_back_twice_is_two_arrays() -> None:
    first, second = cr.compile(lambda x: (x, x))(X)
    first[...] = 0
    assert second.tolist() == X.tolist()


def test_the_same_array_as_two_arguments_is_no_trouble() -> None:
    x = X.copy()
    assert cr.compile(lambda a, b: (a - b, a + b, b))(x, x)[1].tolist() == (2 * X).tolist()
    assert x.tolist() == X.tolist()


def test_read_only_arrays_are_arguments_too() -> None:
    x = X.copy()
    x.setflags(write=False)
    assert cr.compile(lambda x: x * 2)(x).tolist() == (2 * X).tolist()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_arrays_without_elements(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    doubled, total, mapped, first = cr.compile(lambda x: (2 * x, cnp.sum(x), cnp.sum(x, axis=0), cnp.exp(x).T))(x)
    assert (doubled.shape, total, first.shape) == (shape, 0.0, shape[::-1])
    np.testing.assert_array_equal(mapped, np.sum(x, axis=0))


def test_a_product_over_no_elements_is_zero() -> None:
    np.testing.assert_array_equal(cr.compile(lambda a, b: a @ b)(np.zeros((2, 0)), np.zeros((0, 3))), np.zeros((2, 3)))


def test_a_maximum_of_no_elements_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"max of no elements.*f64\[0,3\]"):
        cr.compile(lambda x: cnp.max(x, axis=0))(np.zeros((0, 3)))


# compile: results and constants


def test_results_have_any_tree() -> None:
    found = cr.compile(lambda x: {"a": (x, [x + 1]), "p": Point(x * 2, None, "q"), "t": Pair("text", 3.5)})(X)
    assert type(found) is dict
    assert found["a"][1][0].tolist() == (X + 1).tolist()
    assert (found["p"].x.tolist(), found["p"].y, found["p"].name) == ((2 * X).tolist(), None, "q")
    assert found["t"] == Pair("text", 3.5)
    assert cr.compile(lambda x: None)(X) is None
    assert cr.compile(lambda x: ())(X) == ()


def test_results_that_depend_on_no_argument() -> None:
    number, array, made = cr.compile(lambda x: (2.5, np.arange(3), cnp.zeros((2, 2))))(X)
    assert (number, array.tolist(), made.tolist()) == (2.5, [0, 1, 2], [[0.0, 0.0], [0.0, 0.0]])
    assert cr.compile(lambda: np.float32(2))() == 2


@pytest.mark.parametrize("layout", ["C", "F", "reversed", "every second", "shifted"])
@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4"])
def test_arrays_that_the_function_closes_over_may_lie_in_any_order(layout: str, dtype: str) -> None:
    w = laid_out(np.arange(12).reshape(4, 3), dtype, layout)
    found = cr.compile(lambda x: (x @ w.T, w * x, w))(X)
    for mine, theirs in zip(found, (X @ w.T, w * X, w), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not np.shares_memory(found[2], w)


def test_constants_live_as_long_as_the_program() -> None:
    compiled = cr.compile((lambda w: lambda x: x + w)(np.full(50_000, 0.5)))
    for _ in range(3):
        gc.collect()
        assert (compiled(np.zeros(50_000)) == 0.5).all()


def test_a_list_of_arguments_and_numbers_is_a_tree() -> None:
    assert cr.compile(lambda parts: parts[0] + parts[1][0])([X, [2.0]]).tolist() == (X + 2).tolist()


# compile and grad, together


def cost(w: Any, x: Any) -> Any:
    return cnp.sum(cnp.tanh(x @ w) ** 2)


W, DATA = np.random.default_rng(1).normal(size=(3, 2)), np.random.default_rng(2).normal(size=(5, 3))


@pytest.mark.parametrize(
    "make",
    [
        lambda f: cr.compile(cr.grad(f)),
        lambda f: cr.grad(cr.compile(f)),
        lambda f: cr.compile(cr.grad(cr.compile(f))),
        lambda f: cr.compile(cr.compile(cr.grad(f))),
        lambda f: lambda *a: cr.compile(cr.value_and_grad(f))(*a)[1],
    ],
    ids=["compile grad", "grad compile", "compile grad compile", "compile compile grad", "value_and_grad"],
)
def test_a_gradient_is_the_same_compiled_inside_outside_or_not_at_all(make: Callable[[Any], Any]) -> None:
    found = make(cost)(W, DATA)
    assert type(found) is np.ndarray
    np.testing.assert_allclose(found, cr.grad(cost)(W, DATA), rtol=1e-13)


def test_second_derivatives_compile() -> None:
    assert cr.compile(cr.grad(cr.grad(lambda x: x**4)))(2.0) == 48.0


def test_a_compiled_function_that_closes_over_the_variable_is_differentiated() -> None:
    """The arguments of the compiled function are plain here: only its closure says that it takes part."""
    found = cr.grad(lambda w: cr.compile(lambda x: cnp.sum(x * w * w))(X))(X)
    assert found.tolist() == (2 * X * X).tolist()


def test_a_compiled_function_takes_part_in_another() -> None:
    inner = cr.compile(lambda x: cnp.tanh(x) * 2)
    outer = cr.compile(lambda x: inner(x) + inner(X))
    np.testing.assert_allclose(outer(X), 4 * np.tanh(X), rtol=1e-14)


def test_static_arguments_stay_static_under_grad() -> None:
    slope = cr.compile(cr.grad(lambda x, n: cnp.sum(x**n)))
    assert slope(X, 3).tolist() == (3 * X**2).tolist()
    assert slope(X, 2).tolist() == (2 * X).tolist()


def test_a_gradient_with_respect_to_a_network_compiles_to_a_network() -> None:
    network, x = cr.nn.Network([3, 4, 2], "tanh", dtype=np.float64), DATA
    slope = cr.grad(lambda n: cnp.sum(n(x) ** 2))
    for mine, theirs in zip(slope(network).layers, cr.compile(slope)(network).layers, strict=True):
        np.testing.assert_allclose(mine.w, theirs.w, rtol=1e-12)
        assert mine.activation == theirs.activation


# compile: what it refuses


@pytest.mark.parametrize(
    "ask",
    [lambda x: x if x[0] > 0 else -x, lambda x: float(x[0]), lambda x: [1, 2, 3][x[0]], lambda x: x * x.item(), bool],
    ids=["if", "float", "index", "item", "bool"],
)
def test_asking_for_a_value_is_refused_with_the_cure(ask: Callable[[Any], Any]) -> None:
    with pytest.raises(TracingError):
        cr.compile(ask)(X)


def test_the_refusal_names_the_argument_the_line_and_the_cure() -> None:
    def branch(w: Any, x: Any) -> Any:
        if cnp.sum(x) > 0:
            return w
        return x

    with pytest.raises(TracingError, match=r"value of argument 1 \(f64\[3\]\)(.|\n)*np\.where") as error:
        cr.compile(branch)(X, X)
    assert "if cnp.sum(x) > 0:" in line_of(error)
    assert __file__ in line_of(error)


def test_an_error_while_compiling_names_the_line_of_the_user() -> None:
    def wrong(w: Any) -> Any:
        return w + np.ones((2, 7))

    with pytest.raises(ShapeError, match=r"\(3,\) and \(2, 7\) do not broadcast") as error:
        cr.compile(wrong)(X)
    assert "return w + np.ones((2, 7))" in line_of(error)


def test_an_error_in_the_gradient_while_compiling_names_the_line_of_the_user() -> None:
    def wrong(w: Any) -> Any:
        return w * 2

    with pytest.raises(DifferentiationError, match=r"not f64\[3\]") as error:
        cr.compile(cr.grad(wrong))(X)
    assert __file__ in line_of(error)


@pytest.mark.parametrize(
    "x", [np.ones(2, complex), np.ones(2, np.float16), np.array(["a"]), np.array([None]), {1}, 1j], ids=repr
)
def test_arguments_that_are_no_numbers_are_refused_by_place(x: Any) -> None:
    with pytest.raises(DTypeError, match=r"argument \[1\]\['a'\]: .*computes with float32, float64"):
        cr.compile(lambda x, tree: x)(X, {"a": x})


@pytest.mark.parametrize(
    "result", [object(), np.ones(2, complex), {1, 2}], ids=lambda value: repr(value).partition(" at 0x")[0]
)
def test_results_that_are_no_numbers_are_refused(result: Any) -> None:
    with pytest.raises(DTypeError, match="computes with float32, float64"):
        cr.compile(lambda x: result)(X)


def test_a_failed_compilation_leaves_the_function_usable() -> None:
    compiled = cr.compile(lambda x: x @ np.ones((3, 2)))
    with pytest.raises(ShapeError):
        compiled(np.ones(4))
    assert compiled(X).tolist() == [6.0, 6.0]
    assert programs(compiled) == 1
    assert type(cr.grad(cnp.sum)(X)) is np.ndarray


# the program


def test_the_program_prints_as_its_kernels_with_the_line_they_come_from() -> None:
    compiled = cr.compile(lambda x: cnp.sum(cnp.tanh(x) * 2))
    text = str(compiled.program(X))
    assert text.startswith("1 kernels, 0 bytes of temporary memory")
    assert "tanh" in text
    assert "test_transform.py:" in text


def test_an_elementwise_chain_with_its_reduction_is_one_kernel_without_memory_of_its_own() -> None:
    program = cr.compile(lambda x, y: cnp.sum(cnp.exp(x) * y + cnp.tanh(x - y), axis=1)).program(DATA, DATA)
    assert len(program.schedule.kernels) == 1
    assert program.temporary_bytes == 0


def test_asking_for_the_program_compiles_what_the_call_then_uses() -> None:
    double, calls = counted(lambda x: 2 * x)
    assert double.program(X) is double.program(X + 1)
    double(X)
    assert len(calls) == 1


def test_a_compiled_function_takes_keyword_arguments() -> None:
    compiled = cr.compile(lambda x, scale: x * scale)
    np.testing.assert_array_equal(compiled(np.ones(2), scale=np.full(2, 3.0)), [3.0, 3.0])
    np.testing.assert_array_equal(compiled(x=np.ones(2), scale=2), [2.0, 2.0])


def test_a_method_is_compiled_with_its_instance_as_a_tree() -> None:
    @dataclass
    class Line:
        slope: Any

        @cr.compile
        def __call__(self, x: Any) -> Any:
            return self.slope * x

        @cr.compile
        def at_two(self) -> Any:
            return self(2.0)

    assert Line(3.0)(2.0) == Line(3.0).at_two() == 6.0
    assert repr(Line.at_two).startswith("<compiled ")


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_jacobian_of_whole_numbers_is_zeros_of_the_arguments_dtype(mode: str) -> None:
    zeros, _ = cr.jacobian(lambda x: (cnp.argmax(x), x), mode=mode)(X)
    assert zeros.dtype == X.dtype
    assert zeros.tolist() == [0.0, 0.0, 0.0]


def test_an_argument_kept_from_another_function_is_refused() -> None:
    kept: list[Any] = []
    cr.compile(lambda a: (kept.append(a), a)[1])(np.ones(3))
    with pytest.raises(cr.errors.TracingError, match="stood for an argument of another function") as raised:
        cr.compile(lambda b: b + kept[0])(np.ones(3))
    assert raised.value.where is not None
    assert raised.value.where[0] == __file__


@pytest.mark.parametrize("length", [10, 400])
def test_a_chain_of_any_length_compiles(length: int) -> None:
    def chain(x: Any) -> Any:
        for _ in range(length):
            x = cnp.tanh(x) * 1.01
        return cnp.sum(x)

    x = np.array([0.5, 2.0])
    rounding = length * 1e-14  # each link may differ by a few units in the last place
    np.testing.assert_allclose(cr.compile(chain)(x), chain(x), rtol=rounding)
    np.testing.assert_allclose(cr.compile(cr.grad(chain))(x), cr.grad(chain)(x), rtol=100 * rounding)


def test_what_a_cost_returns_besides_comes_back_with_its_derivative() -> None:
    def cost(w: Any) -> Any:
        a = cnp.tanh(w)
        return cnp.sum(a), {"a": a}

    w = np.array([0.5, -1.0])
    for wrapped in (lambda f: f, cr.compile):
        (value, aux), slope = wrapped(cr.value_and_grad(cost, has_aux=True))(w)
        np.testing.assert_allclose(value, np.tanh(w).sum())
        np.testing.assert_allclose(aux["a"], np.tanh(w))
        again, same = wrapped(cr.grad(cost, has_aux=True))(w)
        np.testing.assert_array_equal(again, slope)
        np.testing.assert_allclose(same["a"], aux["a"])
    with pytest.raises(cr.errors.DifferentiationError, match="must return a pair"):
        cr.grad(cnp.sum, has_aux=True)(w)
    total, pull, aux = cr.vjp(cost, w, has_aux=True)
    np.testing.assert_array_equal(pull(1.0), cr.grad(lambda w: cost(w)[0])(w))
    np.testing.assert_array_equal(aux["a"], np.tanh(w))
    same, change, aux = cr.jvp(cost, (w,), (w,), has_aux=True)
    assert same == total
    np.testing.assert_allclose(change, pull(1.0) @ w)
    np.testing.assert_array_equal(aux["a"], np.tanh(w))


def test_operations_are_counted_without_making_native_code() -> None:
    product = cr.compile(lambda a, b: cnp.tanh(a @ b))
    a, b = np.ones((3, 4)), np.ones((4, 5))
    assert product.flops(a, b) == 2 * 3 * 4 * 5 + 3 * 5
    assert programs(product) == 0

    def rounds(n: int) -> Any:
        return cr.compile(lambda a: cr.scan(lambda c, _: (c * 1.5, None), a, length=n)[0])

    assert rounds(10).flops(np.ones(7)) == 10 * rounds(1).flops(np.ones(7)) == 70
