"""Transformed functions are ordinary objects: named, shown, bound, copied and pickled as functions are."""

from __future__ import annotations

import copy
import functools
import inspect
import multiprocessing
import pickle
import pydoc
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import ChainruleError, DTypeError, OptionError

W, X = np.array([0.5, -1.0, 2.0]), np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])


def cost(w: Any, x: Any = X) -> Any:
    """What is to be small."""
    return cnp.sum(cnp.tanh(x @ w) ** 2)


def model(w: Any, x: Any) -> Any:
    return cnp.tanh(x @ w)


def squares(z: Any) -> Any:
    return cnp.sum(z**2)


def halved(error: Any, y: Any, w: Any, x: Any) -> Any:
    return error * w / 2, None


def doubled(tangents: Any, y: Any, w: Any) -> Any:
    return 2 * cnp.sum(tangents[0])


# name -> what is made of `cost`, and the arguments that it is called with
MADE: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "grad": (cr.grad(cost), (W,)),
    "grad by both": (cr.grad(cost, (0, 1)), (W, X)),
    "value_and_grad": (cr.value_and_grad(cost), (W,)),
    "vjp": (cr.vjp(cost, W)[1], (1.0,)),
    "vjp of two": (cr.vjp(model, W, X)[1], (np.ones(2),)),
    "jvp": (functools.partial(cr.jvp, cost, (W,)), ((W,),)),
    "jacobian": (cr.jacobian(model), (W, X)),
    "jacfwd": (cr.jacfwd(model), (W, X)),
    "jacrev": (cr.jacrev(model, argnums=1), (W, X)),
    "hessian": (cr.hessian(cost), (W,)),
    "hvp": (cr.hvp(cost), (W, W)),
    "ggn_vp": (cr.ggn_vp(model, squares), (W, W, X)),
    "vmap": (cr.vmap(model, in_axes=(None, 0)), (W, X)),
    "per_example": (cr.per_example(cr.grad(cost)), (W, X)),
    "checkpoint": (cr.checkpoint(cost), (W,)),
    "custom_derivative by pull": (cr.grad(cr.custom_derivative(cost, pull=halved)), (W, X)),
    "custom_derivative by push": (cr.grad(cr.custom_derivative(cost, push=doubled)), (W,)),
    "compile": (cr.compile(cost), (W,)),
    "compile of grad": (cr.compile(cr.grad(cost)), (W,)),
    "grad of compile": (cr.grad(cr.compile(cost)), (W,)),
    "compile of hessian of checkpoint": (cr.compile(cr.hessian(cr.checkpoint(cost))), (W,)),
    "vmap of grad of grad": (cr.vmap(cr.grad(cr.grad(np.tanh))), (W,)),
    "of a partial": (cr.grad(functools.partial(cost, x=X)), (W,)),
}


def parts(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("again", [lambda f: pickle.loads(pickle.dumps(f)), copy.copy, copy.deepcopy],
                         ids=["pickled", "copied", "deeply copied"])  # fmt: skip
@pytest.mark.parametrize("name", MADE)
def test_a_transformed_function_is_copied_and_pickled(name: str, again: Callable[[Any], Any]) -> None:
    function, arguments = MADE[name]
    other = again(function)
    for mine, theirs in zip(parts(other(*arguments)), parts(function(*arguments)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_will_do(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(cr.compile(cr.grad(cost)), protocol))(W).tolist() == cr.grad(cost)(W).tolist()


# what a decorator has put in a function's place is found by its name


@cr.grad
def slope(x: Any) -> Any:
    return x**3


@cr.compile
@cr.vmap
@cr.grad
def slopes(x: Any) -> Any:
    return x**3


@cr.custom_derivative(pull=lambda error, y, x: 7 * error)
def odd(x: Any) -> Any:
    return x


class Line:
    @cr.checkpoint
    def at(self, x: Any) -> Any:
        return 2 * x


@pytest.mark.parametrize("function", [slope, slopes, odd, Line.at], ids=["grad", "compile", "custom", "in a class"])
def test_what_has_its_name_in_a_module_is_pickled_by_it(function: Any) -> None:
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.copy(function) is copy.deepcopy(function) is function


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (cr.grad(slope.__wrapped__), 12.0),
        (cr.compile(slopes.__wrapped__.__wrapped__), 12.0),
        (cr.compile(slopes.__wrapped__.__wrapped__.__wrapped__), 8.0),
        (cr.grad(odd), 7.0),
        (cr.grad(odd.__wrapped__), 1.0),
    ],
    ids=["function", "grad within", "function within", "decorated", "function of the decorated"],
)
def test_so_is_what_was_made_of_the_function_that_a_decorator_took(function: Any, expected: float) -> None:
    assert function(2.0) == expected
    assert pickle.loads(pickle.dumps(function))(2.0) == expected


def test_what_has_no_name_in_a_module_is_refused_as_python_refuses_functions() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(cr.grad(lambda x: x))
    assert copy.deepcopy(cr.grad(lambda x: x * x))(3.0) == 6.0


def test_a_pool_of_processes_takes_them(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "import chainrule as cr\n"
        "def cost(x):\n    return x**3\n"
        "@cr.compile\n@cr.grad\ndef slope(x):\n    return x**3\n"
        "if __name__ == '__main__':\n"
        "    for kind in sys.argv[1:]:\n"
        "        with multiprocessing.get_context(kind).Pool(2) as pool:\n"
        "            for function in (cr.grad(cost), cr.compile(cr.grad(cost)), slope):\n"
        "                print(*map(float, pool.map(function, [1.0, 2.0])))\n"
    )
    kinds = multiprocessing.get_all_start_methods()
    result = subprocess.run([sys.executable, "-W", "ignore", script, *kinds], capture_output=True, text=True)
    assert (result.stdout.splitlines(), result.stderr) == (["3.0 12.0"] * 3 * len(kinds), "")


# how they look


@pytest.mark.parametrize("make", [cr.grad, cr.value_and_grad, cr.jacobian, cr.hessian, cr.vmap, cr.per_example,
                                  cr.checkpoint, cr.compile, lambda f: cr.compile(cr.grad(f))])  # fmt: skip
def test_they_have_the_name_the_docstring_and_the_signature_of_the_function(make: Any) -> None:
    made = make(cost)
    assert (made.__name__, made.__qualname__, made.__module__) == ("cost", "cost", __name__)
    assert made.__doc__ == "What is to be small."
    assert inspect.unwrap(made) is cost
    assert str(inspect.signature(made)) == str(inspect.signature(cost))
    assert pydoc.plaintext.document(made, "cost") == pydoc.plaintext.document(cost, "cost")


def test_a_product_with_a_direction_says_where_it_takes_it() -> None:
    assert list(inspect.signature(cr.hvp(cost)).parameters) == ["w", "v", "x"]
    assert list(inspect.signature(cr.hvp(model, argnums=1)).parameters) == ["w", "x", "v"]
    assert list(inspect.signature(cr.compile(cr.hvp(cost))).parameters) == ["w", "v", "x"]
    assert str(inspect.signature(cr.ggn_vp(model, squares))) == "(w, v, *arguments)"


def test_their_repr_says_what_was_made_of_what() -> None:
    assert repr(cr.grad(cost)) == "<grad of cost>"
    assert repr(cr.compile(cr.hessian(cost))) == "<compiled cost>"
    assert repr(odd) == "<custom_derivative of odd>"
    assert repr(cr.grad(functools.partial(cost, x=X))).startswith("<grad of functools.partial(")


def test_attributes_of_the_function_are_theirs_and_new_ones_their_own() -> None:
    def noted(x: Any) -> Any:
        return x

    noted.unit = "metres"
    made: Any = cr.compile(cr.grad(noted))
    assert made.unit == "metres"
    made.note = "mine"
    assert not hasattr(noted, "note")


# as methods


@dataclass
class Model:
    w: Any
    power: int = field(default=2, metadata={"static": True})

    @cr.compile
    def predict(self, x: Any) -> Any:
        """What the model says."""
        return (x @ self.w) ** self.power

    @cr.grad
    def slope(self, x: Any) -> Any:
        return cnp.sum((x @ self.w) ** self.power)


def test_as_methods_they_take_the_instance_first() -> None:
    model_ = Model(W)
    np.testing.assert_array_equal(model_.predict(X), (X @ W) ** 2)
    np.testing.assert_allclose(model_.slope(X).w, 2 * X.T @ (X @ W))
    model_.w = 2 * W
    np.testing.assert_array_equal(model_.predict(X), (X @ W) ** 2 * 4)
    assert str(inspect.signature(model_.predict)) == "(x: 'Any') -> 'Any'"
    assert (model_.predict.__name__, model_.predict.__self__) == ("predict", model_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model_.predict))(X), model_.predict(X))


class Plain:
    def __init__(self) -> None:
        self.w = W

    @cr.compile
    def predict(self, x: Any) -> Any:
        return x @ self.w


class Callable_(Plain):  # noqa: N801
    def __call__(self, x: Any) -> Any:
        return self.predict(x)


@pytest.mark.parametrize("instance", [Plain(), Callable_()], ids=["plain", "callable"])
def test_a_compiled_method_of_what_is_no_tree_names_the_class_and_the_cure(instance: Any) -> None:
    with pytest.raises(DTypeError, match=r"Plain\.predict is compiled, but .* no tree of arrays") as refused:
        instance.predict(X)
    assert "Make Plain a dataclass" in refused.value.cure
    assert cr.compile(lambda x: x @ instance.w)(X).tolist() == (X @ W).tolist()


# callables that cannot be hashed


class Unhashable:
    """A function that is equal to another, and has no hash for it."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, x: Any) -> Any:
        return x * x


@pytest.mark.parametrize("make", [cr.grad, cr.value_and_grad, cr.vmap, cr.checkpoint, cr.compile, cr.jacobian])
def test_a_callable_without_a_hash_is_transformed_as_any_other(make: Any) -> None:
    expected = make(lambda x: x * x)(np.float64(3.0) if make is not cr.vmap else W)
    found = make(Unhashable())(np.float64(3.0) if make is not cr.vmap else W)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("given", [lambda u: u, lambda u: {"f": (u,)}], ids=["argument", "in a tree"])
def test_as_an_argument_of_a_compiled_function_it_is_refused(given: Any) -> None:
    compiled = cr.compile(lambda tree, x: x)
    with pytest.raises(OptionError, match="Unhashable object .* is not hashable") as refused:
        compiled(given(Unhashable()), 1.0)
    assert isinstance(refused.value, ChainruleError)
    assert "close over it" in refused.value.cure
    assert cr.compile(lambda x: given(Unhashable()) and x)(1.0) == 1.0


# arrays that a compiled function closes over


def closures() -> dict[str, Callable[[Any, Any, Any], Any]]:
    return {
        "product": lambda w, rows, x: w @ x,
        "transposed": lambda w, rows, x: x[:2] @ w,
        "in another order": lambda w, rows, x: w[:, ::-1] * x,
        "a row of it": lambda w, rows, x: w[0] * x,
        "twice": lambda w, rows, x: cnp.sum(w * x) * w,
        "by its derivative": lambda w, rows, x: cr.grad(lambda y: cnp.sum((w @ y) ** 2))(x),
        "its own derivative": lambda w, rows, x: cr.grad(lambda w: cnp.sum((w @ x) ** 2))(w),
        "as an index": lambda w, rows, x: x[rows],
        "as two indices": lambda w, rows, x: (x[:, None] * x)[rows, rows],
        "taken": lambda w, rows, x: cnp.take(x, rows),
        "in a list": lambda w, rows, x: cnp.stack([w[0], x]),
        "stepped through": lambda w, rows, x: cr.scan(lambda c, row: (c + row * x, c @ row), x, w),
        "in a branch": lambda w, rows, x: cr.cond(x[0] > 0, lambda: w @ x, lambda: w @ -x),
        "by a condition": lambda w, rows, x: cnp.where(cnp.greater(w, x), x, 0.0),
        "itself": lambda w, rows, x: w,
    }


@pytest.mark.parametrize("layout", ["C", "F", "reversed", "swapped bytes"])
@pytest.mark.parametrize("name", closures())
def test_arrays_that_it_closes_over_are_seen_as_they_are_at_each_call(name: str, layout: str) -> None:
    w = np.arange(6.0).reshape(2, 3)
    w = {"C": w, "F": np.asfortranarray(w), "reversed": w[::-1], "swapped bytes": w.astype(">f8")}[layout]
    rows, x, function = np.array([0, 2]), np.array([1.0, -2.0, 3.0]), closures()[name]
    compiled = cr.compile(lambda x: function(w, rows, x))
    before = compiled(x)
    w *= 2
    w[1, 0] = 7.0
    rows[:] = -3, 1
    found, expected = compiled(x), cr.compile(lambda x: function(w.copy(), rows.copy(), x))(x)
    for mine, theirs, old in zip(parts(found), parts(expected), parts(before), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert not np.array_equal(mine, old)
    assert not any(np.shares_memory(part, w) for part in parts(found))


def test_an_array_that_it_closes_over_is_read_where_it_lies() -> None:
    w = np.ones(300_000)
    compiled = cr.compile(lambda x: w * x + w)
    program = compiled.program(1.0)
    (read,) = program._constants
    assert np.shares_memory(read.data.array, w)


def test_what_numpy_makes_of_them_alone_is_made_once() -> None:
    w = np.ones(3)
    compiled = cr.compile(lambda x: (2 * w) * x)
    compiled(1.0)
    w[:] = 5
    assert compiled(1.0).tolist() == [2.0] * 3
