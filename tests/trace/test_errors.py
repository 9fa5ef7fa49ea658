"""What is refused, and how it is said: the operation, the shapes, the user's own line, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import errors
from chainrule import numpy as cnp
from chainrule.errors import (
    ChainruleError,
    DifferentiationError,
    DTypeError,
    OptionError,
    ShapeError,
    TracingError,
    user_line,
)
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array

M = as_array(np.ones((3, 4)))
V = as_array(np.arange(5.0))
B = as_array(np.array([True, False, True]))
EMPTY = as_array(np.zeros((0, 4)))


def derived(cost: Callable[[Any], Any]) -> Callable[[], Any]:
    """Taking the derivative of a cost by a vector."""
    return lambda: cr.grad(cost)(np.arange(5.0))


#: What is done, the kind of error, what was wrong, and the cure, if there is one to be named.
REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str, str]] = {
    "adding": (lambda: M + V, ShapeError, "add: the shapes (3, 4) and (5,) do not broadcast together", "size-1 axes"),
    "adding on the right": (lambda: np.ones(7) * V, ShapeError, "multiply: the shapes (7,) and (5,)", "size-1 axes"),
    "adding a list": (lambda: V + [1, 2], ShapeError, "add: the shapes (5,) and (2,)", "size-1 axes"),
    "comparing": (lambda: M < V, ShapeError, "less: the shapes (3, 4) and (5,)", "size-1 axes"),
    "dividing": (lambda: M / V, ShapeError, "divide: the shapes (3, 4) and (5,)", "size-1 axes"),
    "where": (lambda: cnp.where(B, M, 0), ShapeError, "where: the shapes (3,) and (3, 4) and ()", "size-1 axes"),
    "a product": (lambda: M @ M, ShapeError, "matmul: f64[3,4] @ f64[3,4]: the last axis of the first", "x @ w.T"),
    "a product by a vector": (lambda: M @ V, ShapeError, "matmul: f64[3,4] @ f64[5]: the last axis", "Transpose"),
    "a product by a number": (lambda: M @ as_array(2.0), ShapeError, "matmul: f64[3,4] @ f64[]", ""),
    "a product of stacks": (
        lambda: as_array(np.ones((2, 3, 4))) @ np.ones((5, 4, 3)), ShapeError,
        "matmul: f64[2,3,4] @ f64[5,4,3]: the axes before the last two", ""),
    "dot": (lambda: cnp.dot(M, V), ShapeError, "dot: f64[3,4] and f64[5] differ along the summed axes", ""),
    "tensordot": (
        lambda: cnp.tensordot(M, V, 1), ShapeError, "tensordot: f64[3,4] and f64[5] differ along the summed axes", ""),
    "einsum, other rank": (lambda: cnp.einsum("ijk->i", M), ShapeError, "einsum: 'ijk->i' does not fit", ""),
    "einsum, other size": (lambda: cnp.einsum("ij,j->i", M, V), ShapeError, "f64[3,4] and f64[5] differ", ""),
    "einsum, a diagonal": (lambda: cnp.einsum("ii->i", M), ShapeError, "differ in a shared axis: 3 and 4", ""),
    "einsum, a diagonal out": (lambda: cnp.einsum("i->ii", V), ShapeError, "does not fit", ""),
    "einsum, dots that are left out": (
        lambda: cnp.einsum("i...,j...->ij", M.T, M.T), ShapeError, "leaves out of the result the axes that dots",
        "dots on"),
    "einsum, unknown letter": (lambda: cnp.einsum("ij->ik", M), ShapeError, "does not fit", ""),
    "reshape": (lambda: M.reshape(5, 2), ShapeError, "cannot reshape f64[3,4] into (5, 2): 12 elements into 10", ""),
    "reshape with a rest": (lambda: M.reshape(5, -1), ShapeError, "cannot reshape f64[3,4] into (5, -1)", ""),
    "reshape with two rests": (lambda: M.reshape(-1, -1, 12), ShapeError, "cannot reshape f64[3,4]", ""),
    "sum": (lambda: M.sum(axis=2), ShapeError, "axis 2 does not name distinct axes of an array with 2 axes", ""),
    "sum, twice": (lambda: M.sum(axis=(0, -2)), ShapeError, "axis (0, -2) does not name distinct axes", ""),
    "max of nothing": (lambda: EMPTY.max(), ShapeError, "max of no elements is not defined: f64[0,4]", ""),
    "transpose, other axis": (lambda: M.transpose(0, 2), ShapeError, "axis 2 does not name", ""),
    "transpose, twice": (lambda: M.transpose(0, 0), ShapeError, "(0, 0) is no order of the axes of f64[3,4]", ""),
    "swapaxes": (lambda: cnp.swapaxes(M, 0, 2), ShapeError, "axis 2 does not name", ""),
    "moveaxis": (lambda: cnp.moveaxis(M, 3, 0), ShapeError, "axis 3 does not name", ""),
    "expand_dims": (lambda: cnp.expand_dims(M, 4), ShapeError, "axis 4 does not name", ""),
    "take": (lambda: cnp.take(M, [0], axis=2), ShapeError, "axis 2 does not name", ""),
    "squeeze": (lambda: cnp.squeeze(M, 0), ShapeError, "squeeze: axis 0 of f64[3,4] is not of size one", ""),
    "broadcast_to": (lambda: cnp.broadcast_to(V, (4,)), ShapeError, "cannot broadcast f64[5] to the shape (4,)", ""),
    "broadcast_to, a number like another": (
        lambda: cnp.broadcast_to(cnp.zeros_like(V), (4,)), ShapeError, "cannot broadcast f64[5] to the shape (4,)", ""),
    "concatenate": (
        lambda: cnp.concatenate([M, M[:, :2]]), ShapeError, "cannot concatenate f64[3,4] and f64[3,2] along", ""),
    "stack": (lambda: cnp.stack([V, V[:2]]), ShapeError, "stack needs arrays of one shape, not f64[5] and f64[2]", ""),
    "pad": (lambda: cnp.pad(V, (-1, 0)), ShapeError, "is no padding of f64[5]", ""),
    "pad, a mean": (lambda: cnp.pad(V, 1, "mean"), OptionError, "'symmetric', 'wrap', not 'mean'", ""),
    "where=": (
        derived(lambda x: cnp.exp(x, where=x > 0)), OptionError, "exp of a traced array does not take where", ""),
    "out=": (
        derived(lambda x: cnp.max(x, out=np.ones(1))), OptionError, "max of a traced array does not take out",
        "z = z + x"),
    "adding in place": (
        derived(lambda x: np.zeros(5).__iadd__(x)), OptionError, "add of a traced array does not", "z = z + x"),
    "a matrix of NumPy's": (
        lambda: V * np.ones((1, 5)).view(np.matrix), DTypeError, "the arithmetic of matrix", "np.asarray(x)"),
    "a masked array": (lambda: V * np.ma.ones(5), DTypeError, "the arithmetic of MaskedArray", "np.asarray(x)"),
    "a plain array by a traced index": (
        lambda: cr.compile(lambda n: np.ones(3)[n])(np.array([1, 0])), TracingError,
        "the value of argument 0", "np.take(x, i"),
    "exp of booleans minus booleans": (lambda: B - B, DTypeError, "subtract needs numbers, not bool[3]", "astype"),
    "minus a boolean": (lambda: -B, DTypeError, "negative needs numbers, not bool[3]", "astype"),
    "not of a number": (lambda: ~V, DTypeError, "invert needs integers or booleans, not f64[5]", ""),
    "and of numbers": (lambda: V & V, DTypeError, "bitwise_and needs integers, not f64[5]", ""),
    "half precision": (lambda: V + np.ones(5, np.float16), DTypeError, "not with float16", "x.astype(np.float32)"),
    "complex arrays": (lambda: V * np.ones(5, complex), DTypeError, "not with complex128", "x.astype(np.float32)"),
    "complex numbers": (lambda: cnp.add(V, 1j), DTypeError, "add takes arrays and real numbers, not Array and c", ""),
    "text": (lambda: cnp.multiply("a", V), DTypeError, "multiply takes arrays and real numbers, not str and Array", ""),
    "dividing by text": (lambda: cnp.divide(V, "a"), DTypeError, "divide takes arrays and real numbers", ""),
    "powers of text": (lambda: cnp.power(V, "a"), DTypeError, "power takes arrays and real numbers", ""),
    "greater than text": (lambda: cnp.greater(V, "a"), DTypeError, "less takes arrays and real numbers", ""),
    "a float as an index": (lambda: V[np.array([1.0])], DTypeError, "an index must be an integer, not f64[1]", ""),
    "a mask while compiling": (
        lambda: cr.compile(lambda x: x[x > 1])(np.ones(3)), ShapeError, "a boolean index has a shape that", "np.where"),
    "a change of another shape": (lambda: V.at[:2].set(M), ShapeError, "do not broadcast together", ""),
    "a larger change": (lambda: V.at[:1].add(V), ShapeError, "values f64[5] do not fit the (1,) places of f64[5]", ""),
    "assigning": (lambda: V.__setitem__(0, 1.0), TracingError, "cannot be changed in place", "x.at[1:3].set(new)"),
    "no device": (lambda: V.to_device("gpu"), OptionError, "there is no device 'gpu'", ""),
    "a later standard": (lambda: V.__array_namespace__(api_version="2999.1"), OptionError, "not 2999.1", ""),
    "not square": (lambda: cnp.linalg.inv(M), ShapeError, "inv needs square matrices, not f64[3,4]", ""),
    "solve": (lambda: cnp.linalg.solve(M[:, :3], V), ShapeError, "f64[3,3] and f64[5] do not fit together", ""),
    "norm, an order": (lambda: cnp.linalg.norm(M, 3), OptionError, "does not take the order 3", "'fro'"),
    "quantile": (lambda: cnp.quantile(V, 1.5), OptionError, "quantiles lie between 0 and 1, not 1.5", ""),
    "where, without values": (
        lambda: cr.compile(lambda x: x[cnp.where(x > 0)])(np.ones(3)), TracingError,
        "the shape of nonzero depends on a value", "np.where"),
    "where, one value": (lambda: cnp.where(V > 0, V), OptionError, "both values or none", "np.where"),
    "the truth of many": (lambda: bool(V > 0), TracingError, "bool() of an array of shape (5,)", "np.all"),
    "the float of many": (lambda: float(M), TracingError, "float() of an array of shape (3, 4)", "np.sum"),
    "a function without a rule": (
        derived(lambda x: np.lib.stride_tricks.sliding_window_view(x, 2)), TracingError, "sliding_window_view has no",
        "of cr.stop_gradient(x) it is NumPy's own"),
    "a change in place": (
        lambda: np.multiply.at(V, [0], 2.0), TracingError, "multiply.at cannot change a traced array in place",
        "x = np.at(x)[indices].multiply(values)"),
    "numpy taking the value": (
        derived(np.asarray), DifferentiationError, "that derivative would be lost", "cr.stop_gradient(x)"),
    "a list of unlike arrays": (lambda: as_array([V, M]), ShapeError, "a list of f64[5] and f64[3,4] is no array", ""),
}  # fmt: skip


def here(error: ChainruleError) -> str:
    """The line of this file that the message shows."""
    line = str(error).split("\n")[1]
    place = f"  at {__file__}:"
    assert line.startswith(place)
    number, _, source = line.removeprefix(place).partition(": ")
    assert Path(__file__).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip() == source
    return source


@pytest.mark.parametrize("name", REFUSED)
def test_the_message_says_what_was_wrong_where_and_what_to_do(name: str) -> None:
    action, kind, what, cure = REFUSED[name]
    with pytest.raises(ChainruleError) as caught:
        action()
    assert type(caught.value) is kind
    assert what in caught.value.what
    assert cure in caught.value.cure
    assert str(caught.value).startswith(caught.value.what)
    assert str(caught.value).endswith(caught.value.cure)
    here(caught.value)


def test_the_line_is_the_users_however_deep_the_library_was() -> None:
    def layer(x: Any, w: Any) -> Any:
        return cnp.tanh(x @ w)  # the users line

    with pytest.raises(ShapeError) as caught:
        cr.grad(lambda w: cnp.sum(layer(np.ones((5, 3)), w)))(np.ones((4, 2)))
    assert here(caught.value) == "return cnp.tanh(x @ w)  # the users line"


def test_an_operand_of_an_unknown_type_may_know_better() -> None:
    class Other:
        def __radd__(self, other: Any) -> str:
            return "known to the other"

    assert V + Other() == "known to the other"
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = V + "text"
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = V * 1j


def test_an_element_of_a_plain_array_does_not_take_the_value_alone() -> None:
    def cost(x: Any) -> Any:
        z = np.zeros(3)
        z[0] = x[0]
        return cnp.sum(z * x)

    for transformed, kind in ((cr.grad(cost), DifferentiationError), (cr.compile(cost), TracingError)):
        with pytest.raises(kind) as caught:
            transformed(np.ones(3))
        assert here(caught.value) == "z[0] = x[0]"
        assert "z.at[i].set(x)" in caught.value.cure


def test_an_array_is_no_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(V)


# while compiling


def traced_by(function: Callable[[Any], Any]) -> ChainruleError:
    with pytest.raises(TracingError) as caught:
        cr.compile(function)(np.ones(3))
    return caught.value


def test_an_if_on_a_value_shows_the_line_and_the_cure() -> None:
    def cost(x: Any) -> Any:
        if cnp.sum(x) > 0:
            return x
        return -x

    error = traced_by(cost)
    assert here(error) == "if cnp.sum(x) > 0:"
    assert "the value of argument 0 (f64[3])" in error.what
    assert "np.where(condition, a, b)" in error.cure


ASKING: dict[str, Callable[[Any], Any]] = {
    "while": lambda x: [x for _ in iter(lambda: bool(x[0] > 0), False)],
    "and": lambda x: x[0] > 0 and x,
    "float": lambda x: float(x[0]),
    "int": lambda x: int(x[0]),
    "range": lambda x: list(range(x.astype(int)[0])),
    "an index": lambda x: [1, 2, 3][x.astype(int)[0]],
    "item": lambda x: x[1].item(),
    "value": lambda x: x.value,
    "max of python": lambda x: max(x[0], x[1]),
    "sorted": lambda x: sorted([x[0], x[1]]),
    "in": lambda x: 2.0 in list(x),
}


@pytest.mark.parametrize("name", ASKING)
def test_nothing_of_python_sees_a_value_while_compiling(name: str) -> None:
    error = traced_by(ASKING[name])
    assert "only shapes and dtypes are known" in error.what
    here(error)


#: What a size, a count, an axis or a bound depends on must be a constant of the program.
COUNTING: dict[str, Callable[[Any, Any], Any]] = {
    "a bound of a slice": lambda x, n: x[:n],
    "another": lambda x, n: x[n:],
    "a step": lambda x, n: x[::n],
    "a bound for a plain array": lambda x, n: np.arange(3.0)[n:] + x[0],
    "range": lambda x, n: sum(x[0] for _ in range(n)),
    "a place in a list": lambda x, n: [x, x, x][n],
    "a shape": lambda x, n: x.reshape(n, -1),
    "zeros": lambda x, n: cnp.zeros(n),
    "full": lambda x, n: cnp.full(n, x[0]),
    "tile": lambda x, n: cnp.tile(x, n),
    "repeat": lambda x, n: cnp.repeat(x, n),
    "arange": lambda x, n: cnp.arange(n),
    "linspace": lambda x, n: cnp.linspace(x[0], 1.0, n),
    "an axis": lambda x, n: cnp.sum(x[None, None], axis=n),
    "a new axis": lambda x, n: cnp.expand_dims(x[None], n),
    "rounds": lambda x, n: cr.scan(lambda c, _: (c, None), x, length=n)[0],
}


@pytest.mark.parametrize("name", COUNTING)
def test_a_count_of_numpys_while_compiling_names_int(name: str) -> None:
    call = COUNTING[name]
    for n in (np.int64(2), np.array(2, np.int32)):
        with pytest.raises(TracingError) as caught:
            cr.compile(call)(np.ones(4), n)
        assert "int(n)" in caught.value.cure
        assert call.__code__.co_firstlineno == caught.value.where[1]  # type: ignore[index]
    cr.compile(call)(np.ones(4), 2)


def test_a_list_is_no_shape_of_what_has_no_axes() -> None:
    with pytest.raises(TracingError, match="without axes") as caught:
        list(as_array(2.0))
    assert not caught.value.cure


def test_shapes_and_types_are_known_while_compiling() -> None:
    def cost(x: Any) -> Any:
        assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((3,), 1, 3, 3, np.float64)
        assert repr(x) == "Array(…, f64[3])"
        return sum(row * n for n, row in enumerate(x))

    assert cr.compile(cost)(np.array([1.0, 2.0, 3.0])) == 8.0


def test_what_depends_on_no_argument_has_a_value_while_compiling() -> None:
    def cost(x: Any) -> Any:
        scale = cnp.sum(as_array(np.ones(4)))
        return x * 2 if scale > 3 else x

    np.testing.assert_array_equal(cr.compile(cost)(np.ones(3)), [2, 2, 2])


def test_a_traced_index_outside_is_taken_to_the_edge_while_compiling() -> None:
    """Its value is not known, so that there is nothing to refuse; negative ones count from the end."""
    rows = cr.compile(lambda x, n: x[n])(np.arange(5.0), np.array([-1, -5, -6, 4, 5, 99]))
    np.testing.assert_array_equal(rows, [4, 0, 0, 4, 4, 4])


# the exceptions themselves


def test_every_exception_is_also_the_one_that_numpy_users_expect() -> None:
    expected = {
        "ShapeError": ValueError, "DTypeError": TypeError, "TracingError": TypeError, "DifferentiationError": TypeError,
        "GraphError": ValueError, "OptionError": ValueError, "DataError": ValueError, "FormatError": ValueError,
        "StorageError": OSError, "NativeError": RuntimeError, "GradientMismatch": AssertionError,
        "SizeError": MemoryError,
    }  # fmt: skip
    kinds = {n: t for n, t in vars(errors).items() if isinstance(t, type) and issubclass(t, ChainruleError)}
    assert set(kinds) == {*expected, "ChainruleError"}
    for name, built_in in expected.items():
        assert issubclass(kinds[name], built_in)
        assert f"{name} " in (errors.__doc__ or ""), "the tree in the module's docstring"


def test_an_error_without_a_cure_ends_with_the_place() -> None:
    error = ShapeError("wrong.")
    assert str(error) == f'wrong.\n  at {__file__}:{error.where[1]}: error = ShapeError("wrong.")'  # type: ignore[index]
    assert error.sentence == "wrong."
    assert ShapeError("wrong.", cure="Do right.").sentence == "wrong. Do right."


def test_the_place_may_be_given() -> None:
    assert str(ShapeError("wrong.", where=("no/such/file.py", 3))) == "wrong.\n  at no/such/file.py:3"


def test_the_users_line_is_the_innermost_that_is_not_the_librarys() -> None:
    assert user_line() == (
        __file__,
        test_the_users_line_is_the_innermost_that_is_not_the_librarys.__code__.co_firstlineno + 1,
    )
    seen: list[Any] = []
    cr.grad(lambda x: (seen.append(user_line()), x)[1])(1.0)
    assert seen == [(__file__, seen[0][1])]


def test_an_array_prints_its_value_and_type() -> None:
    assert repr(M[0, :2]) == "Array([1. 1.], f64[2])"
    assert isinstance(M, Array)
