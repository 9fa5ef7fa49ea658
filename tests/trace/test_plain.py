"""A derivative is never lost silently: what may become plain inside a derivative, what may not, and what keeps it."""

from __future__ import annotations

import array as arrays_of_python
import contextlib
import copy
import ctypes
import linecache
import math
import operator
import pickle
import random
import statistics
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.derive.slopes import SLOPES
from chainrule.errors import ChainruleError, DifferentiationError, DTypeError, OptionError, TracingError
from chainrule.graph import ops
from chainrule.graph.node import Node
from chainrule.trace import plain
from chainrule.trace.promotion import as_array

Way = Callable[[Any], Any]
X = 2.5


def written(change: Callable[[np.ndarray, Any], Any], shape: Any = 3, dtype: Any = float) -> Way:
    """The sum of a plain array after a change by x."""

    def way(x: Any) -> Any:
        b = np.zeros(shape, dtype)
        change(b, x)
        return cnp.sum(b)

    return way


#: Ways to a plain number or array that lose a derivative: an error that names the line and the cure.
LOST: dict[str, Way] = {
    "float": lambda x: float(x) * x,
    "complex": lambda x: complex(x).real,
    "math.log": lambda x: math.log(x),
    "math.hypot": lambda x: math.hypot(x, 1.0),
    "math.fsum": lambda x: math.fsum([x, x]),
    "statistics.fmean": lambda x: statistics.fmean([x, x]),
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "value": lambda x: x.value,
    "value of a copy": lambda x: copy.deepcopy(x).value,
    "NumPy's float64": lambda x: np.float64(x) * 2,
    "NumPy's float32": lambda x: np.float32(x) * 2,
    "NumPy's array": lambda x: np.array(x, np.float64),
    "NumPy's asarray": lambda x: np.asarray(x),
    "NumPy's array of a list": lambda x: np.array([x, x]),
    "NumPy's array of objects": lambda x: np.array([x, x], object),
    "NumPy's full": lambda x: np.full(3, x),
    "NumPy's fromiter": lambda x: np.fromiter((x for _ in range(3)), float),
    "NumPy's mean of a list": lambda x: np.mean([x, x]),
    "NumPy's random numbers": lambda x: np.random.default_rng(0).normal(x, 1.0),
    "NumPy's vectorize": lambda x: np.vectorize(lambda y: 2 * y)(x),
    "a polynomial of NumPy's": lambda x: np.poly1d([x, 1.0])(2.0),
    "NumPy's save": lambda x: np.save("nowhere", x),
    "an element": written(lambda b, x: b.__setitem__(0, x)),
    "an element of a matrix": written(lambda b, x: b.__setitem__((0, 1), x), (2, 2)),
    "an element of complex numbers": written(lambda b, x: b.__setitem__(0, x), 3, complex),
    "all elements": written(lambda b, x: b.__setitem__(..., x)),
    "a slice": written(lambda b, x: b.__setitem__(slice(1, None), x)),
    "a row, by a list": written(lambda b, x: b.__setitem__(0, [x, x]), (2, 2)),
    "elements at places": written(lambda b, x: b.__setitem__([0, 1], x)),
    "elements of a mask": written(lambda b, x: b.__setitem__(b == 0, x)),
    "an element of the flat array": written(lambda b, x: b.flat.__setitem__(1, x)),
    "a record": written(lambda b, x: b.__setitem__(0, (x,)) or b.__setitem__(1, 0), 3, [("a", float)]),
    "fill": written(lambda b, x: b.fill(x)),
    "in place": written(lambda b, x: b.__iadd__(x)),
    "out=": written(lambda b, x: np.multiply(np.ones(3), x, out=b)),
    "out= of a product": written(lambda b, x: np.matmul(np.eye(3), cnp.stack([x, x, x]), out=b)),
    "copyto": written(lambda b, x: np.copyto(b, x)),
    "put": written(lambda b, x: np.put(b, [0], x)),
    "place": written(lambda b, x: np.place(b, [True, False, True], x)),
    "putmask": written(lambda b, x: np.putmask(b, [True, False, True], x)),
    "fill_diagonal": written(lambda b, x: np.fill_diagonal(b, x), (3, 3)),
    "struct": lambda x: struct.pack("d", x),
    "ctypes": lambda x: ctypes.c_double(x),
    "an array of Python's": lambda x: arrays_of_python.array("d", [x]),
    "pickle": lambda x: pickle.dumps(x),
    "the old formatting": lambda x: "%f" % x,  # noqa: UP031
    "what a quantile is of": lambda x: cnp.quantile(np.arange(5.0), x / 5),
}


@pytest.mark.parametrize("name", LOST)
def test_what_would_lose_a_derivative_is_an_error_that_names_the_line_and_the_cure(name: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        cr.grad(LOST[name])(X)
    assert isinstance(caught.value, DifferentiationError | OptionError | TracingError)
    assert caught.value.where is not None
    assert caught.value.where[0] == __file__
    assert any(word in str(caught.value) for word in ("cr.stop_gradient(x)", "write z = z + x"))


def test_the_line_is_that_of_the_assignment() -> None:
    def cost(x: Any) -> Any:
        b = np.zeros(3)
        b[0] = x  # this line
        return cnp.sum(b)

    for transformed in (cr.grad(cost), cr.compile(cost), cr.vmap(lambda x: cost(x))):
        with pytest.raises(ChainruleError) as caught:
            transformed(np.ones(1) if not hasattr(transformed, "argnums") else X)
        assert caught.value.where is not None
        assert linecache.getline(*caught.value.where).strip() == "b[0] = x  # this line"
        assert "z = z.at[i].set(x)" in caught.value.cure


def test_another_error_after_a_refusal_that_was_caught_stays_itself() -> None:
    def cost(x: Any) -> Any:
        with contextlib.suppress(TypeError):
            float(x)
        return x / {}["missing"]

    with pytest.raises(KeyError, match="missing"):
        cr.grad(cost)(X)


#: Ways that keep the derivative, and what it is at x = 2.5.
KEPT: dict[str, tuple[Way, float]] = {
    "chainrule's float64": (lambda x: cnp.float64(x) * x, 5.0),
    "chainrule's float32": (lambda x: cnp.float32(x) * x, 5.0),
    "chainrule's float64 of a list": (lambda x: cnp.sum(cnp.float64([x, 2 * x])), 3.0),
    "a list": (lambda x: cnp.sum(cnp.array([x, x * x])), 6.0),
    "full": (lambda x: cnp.sum(cnp.full(3, x)), 3.0),
    "a range": (lambda x: cnp.sum(cnp.arange(x, 9.0, x / 3)), 8 + 28 / 3),  # x (1 + n/3), n = 0 … 7
    "a changed plain array": (lambda x: cnp.sum(cnp.at(np.zeros(3))[:2].set(x)), 2.0),
    "a plain array, added to": (lambda x: cnp.sum(cnp.at(np.zeros(3))[0].subtract(x)), -1.0),
    "a plain array, multiplied": (lambda x: cnp.sum(cnp.at(np.ones(3))[0].multiply(x)), 1.0),
    "a plain list times x": (lambda x: cnp.sum([1.0, 2.0] * x), 3.0),
    "a number of NumPy's times x": (lambda x: np.float64(3.0) * x, 3.0),
    "sum": (lambda x: sum([1.0, x, x * x]), 6.0),
    "math.prod": (lambda x: math.prod([x, 2.0, x]), 10.0),
    "max": (lambda x: max(x, 2.0, x * x), 5.0),
    "pow": (lambda x: pow(x, 2), 5.0),
    "abs": (lambda x: abs(-x), 1.0),
    "a random number": (lambda x: random.gauss(x, 1.0) * 2, 2.0),
    "a copy": (lambda x: copy.copy(x) * copy.deepcopy(x), 5.0),
    "objects": (lambda x: operator.setitem(b := np.zeros(2, object), 0, x) or b.sum(), 1.0),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_keeps_the_derivative(name: str) -> None:
    way, slope = KEPT[name]
    assert cr.grad(way)(X) == pytest.approx(slope)
    assert cr.jvp(way, (X,), (1.0,))[1] == pytest.approx(slope)


#: Ways that lose nothing, each as what is multiplied by x, and its value at x = 2.5.
FREE: dict[str, tuple[Way, float]] = {
    "a condition": (lambda x: 2.0 if x else 3.0, 2.0),
    "a comparison": (lambda x: 2.0 if 2 < x < 3 else 3.0, 2.0),
    "a place in a list": (lambda x: [1.0, 2.5].index(x), 1.0),
    "the truth of a comparison": (lambda x: float(x > 2), 1.0),
    "a text": (lambda x: len(f"{x:.3f}{x}{x!r}"), 39.0),
    "a text, by a method": (lambda x: float("{:.1f}".format(x)), 2.5),  # noqa: UP032
    "a text, the old way": (lambda x: len("%s" % x), 17.0),  # noqa: UP031
    "a text of NumPy's": (lambda x: len(np.array2string(x)), 3.0),
    "int": (lambda x: int(x), 2.0),
    "a number of rounds": (lambda x: sum(1 for _ in range(int(x))), 2.0),
    "an index": (lambda x: [1.0, 3.0, 5.0][int(x)], 5.0),
    "math.floor": (lambda x: math.floor(x) + math.ceil(x) + math.trunc(x), 7.0),
    "round": (lambda x: float(round(x)), 2.0),
    "floor": (lambda x: float(cnp.floor(x)), 2.0),
    "sign": (lambda x: np.float64(np.sign(x)), 1.0),
    "whole numbers": (lambda x: np.asarray(x.astype(int)).item(), 2.0),
    "an element of whole numbers": (lambda x: operator.setitem(b := np.zeros(2, int), 0, x) or b.sum(), 2.0),
    "an element of truths": (lambda x: operator.setitem(b := np.zeros(2, bool), 0, x) or b.sum(), 1.0),
    "a position": (lambda x: cnp.argmax(cnp.stack([1.0, x])).item(), 1.0),
    "floored division": (lambda x: float(x // 1), 2.0),
    "stop_gradient": (lambda x: math.log(cr.stop_gradient(x)), math.log(X)),
    "the value of stop_gradient": (lambda x: cr.stop_gradient(x).value, X),
    "NumPy's asarray of it": (lambda x: np.asarray(cr.stop_gradient(x)).item(), X),
    "NumPy's function that has no rule": (
        lambda x: np.lib.stride_tricks.sliding_window_view(cr.stop_gradient(cnp.stack([x, x])), 2)[0, 0], X),
    "in place": (lambda x: np.ones(1).__iadd__(cr.stop_gradient(x)).item(), 3.5),
    "an option without a rule": (lambda x: float(np.exp(cr.stop_gradient(x), out=np.ones(())) * 0), 0.0),
    "pickle": (lambda x: float(pickle.loads(pickle.dumps(cr.stop_gradient(x)))), X),
    "a constant": (lambda x: float(cnp.sum(as_array(np.ones(3)))), 3.0),
    "another derivative": (lambda x: float(cr.grad(lambda y: y * y)(3.0)), 6.0),
    "another derivative, forward": (lambda x: float(cr.jvp(lambda y: y * y, (3.0,), (1.0,))[1]), 6.0),
    "a rule of one's own": (lambda x: cr.custom_derivative(lambda y: float(y), pull=lambda e, z, y: 0 * e)(x), X),
}  # fmt: skip


@pytest.mark.parametrize("name", FREE)
def test_what_loses_nothing_may_become_plain(name: str) -> None:
    way, constant = FREE[name]
    value, slope = cr.value_and_grad(lambda x: way(x) * x)(X)
    assert (float(value), float(slope)) == (pytest.approx(constant * X), pytest.approx(constant))


@pytest.mark.parametrize("way", [float, lambda x: int(x.astype(int)), operator.index, len, range, lambda x: "a" * x])
def test_a_number_of_rounds_or_an_index_is_a_whole_number(way: Way) -> None:
    with pytest.raises(TypeError):
        cr.grad(way)(X) if way is not float else cr.grad(lambda x: range(x))(X)


def test_an_index_that_is_no_integer_names_int() -> None:
    with pytest.raises(DTypeError, match=r"Write int\(x\)"):
        cr.grad(lambda x: [1.0, 2.0][x])(X)


@pytest.mark.parametrize("way", [hash, lambda x: x in {1.0}, lambda x: {x: 1}, statistics.mean, memoryview, bytes])
def test_what_python_knows_nothing_of_is_refused_by_python(way: Way) -> None:
    with pytest.raises(TypeError):
        cr.grad(way)(X)


# nesting

#: Every transformation that takes derivatives, of a function of one number.
TAKING: dict[str, Callable[[Way], Any]] = {
    "grad": lambda f: cr.grad(f)(X),
    "vjp": lambda f: cr.vjp(f, X)[0],
    "jvp": lambda f: cr.jvp(f, (X,), (1.0,))[0],
    "hessian": lambda f: cr.hessian(f)(X),
    "hvp": lambda f: cr.hvp(f)(X, 1.0),
    "forward jacobian": lambda f: cr.jacfwd(f)(X),
    "reverse jacobian": lambda f: cr.jacrev(f)(X),
    "grad of grad": lambda f: cr.grad(cr.grad(f))(X),
    "grad of jvp": lambda f: cr.grad(lambda x: cr.jvp(f, (x,), (1.0,))[1])(X),
    "jvp of vjp": lambda f: cr.jvp(lambda x: cr.vjp(f, x)[1](1.0), (X,), (1.0,)),
    "grad of another": lambda f: cr.grad(lambda x: cr.grad(lambda y: y * f(x))(1.0))(X),
    "checkpoint": lambda f: cr.grad(cr.checkpoint(f))(X),
    "compiled inside": lambda f: cr.grad(cr.compile(f))(X),
    "beside a vmap": lambda f: cr.grad(lambda x: cnp.sum(cr.vmap(lambda y: y * f(x))(np.ones(2))))(X),
    "beside a scan": lambda f: cr.grad(lambda x: cr.scan(lambda c, y: (c + y * f(x), None), x, np.ones(2))[0])(X),
}


@pytest.mark.parametrize("name", TAKING)
def test_the_rule_holds_at_every_level(name: str) -> None:
    with pytest.raises(DifferentiationError, match="math.log"):
        TAKING[name](lambda x: x * math.log(x))
    TAKING[name](lambda x: x * math.log(cr.stop_gradient(x)))
    TAKING[name](lambda x: x * math.floor(x))


def test_a_derivative_that_was_taken_is_no_longer_asked_for() -> None:
    kept: list[Any] = []
    cr.grad(lambda x: kept.append(x) or x * x)(X)
    assert float(kept[0]) == X
    assert cr.grad(lambda x: x * float(cr.vjp(lambda y: y * y, 3.0)[1](1.0)))(X) == 6.0
    assert cr.vjp(lambda x: x * x, X)[1](np.float64(1.0)) == 5.0


def test_an_inner_variable_depends_on_the_outer_one() -> None:
    """After the inner derivative is taken its variable is no more one, but what it stands for may be one still."""
    kept: list[Any] = []

    def cost(x: Any) -> Any:
        cr.grad(lambda y: kept.append(y) or y * y)(2 * x)
        return float(kept[-1]) * x

    with pytest.raises(DifferentiationError):
        cr.grad(cost)(X)


def test_a_rule_of_ones_own_may_use_plain_numbers_unless_it_is_differentiated_itself() -> None:
    log = cr.custom_derivative(lambda x: math.log(x), pull=lambda error, y, x: error / float(x))
    assert cr.grad(lambda x: x * log(x))(X) == pytest.approx(math.log(X) + 1)
    with pytest.raises(DifferentiationError):
        cr.grad(cr.grad(log))(X)


def test_what_depends_on_a_variable_by_a_custom_derivative_depends_on_it() -> None:
    log = cr.custom_derivative(lambda x: math.log(x), pull=lambda error, y, x: error / x)
    with pytest.raises(DifferentiationError):
        cr.grad(lambda x: float(log(x)) * x)(X)
    fixed = cr.custom_derivative(lambda y: y * 2, pull=lambda error, z, y: 2 * error)
    assert cr.grad(lambda x: float(fixed(1.0)) * x)(X) == 2.0


def test_without_a_value_there_is_nothing_to_take() -> None:
    for transformed in (cr.compile(cr.grad(lambda x: math.log(x))), cr.vmap(cr.grad(lambda x: math.log(x)))):
        with pytest.raises(TracingError):
            transformed(np.ones(()) if isinstance(transformed, type(cr.compile(abs))) else np.ones(2))


def test_a_known_value_inside_a_compiled_function_follows_the_same_rule() -> None:
    with pytest.raises(DifferentiationError):
        cr.compile(lambda y: y * cr.grad(lambda x: math.log(x) * x)(2.0))(1.0)
    assert cr.compile(lambda y: y * cr.grad(lambda x: math.log(cr.stop_gradient(x)) * x)(1.0))(1.0) == 0.0


def test_what_is_asked_often_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often plain numbers are asked for, each node is visited once in a derivative."""
    visited: list[Any] = []
    acting = plain._acting
    monkeypatch.setattr(plain, "_acting", lambda node: visited.append(node) or acting(node))

    def cost(x: Any) -> Any:
        c = as_array(1.0)
        for _ in range(200):
            c = c * 1.5 - 0.5
            float(c)
        return float(c) * x

    assert cr.grad(cost)(X) == 1.0
    assert len(visited) == len(set(visited)) < 1000


def test_steps_are_the_operations_whose_derivative_is_0_everywhere() -> None:
    flat = {op for op, rules in SLOPES.items() if not any(rules) and not op.attributes}
    x = as_array(X).node
    takes = flat - {*ops.BITWISE, *ops.LOGICAL, ops.LOGICAL_NOT}
    of_floats = {op for op in takes if Node(op, (x,) * (op.arity or 0)).type.is_float}
    assert of_floats == ops.STEPS


def test_a_value_may_be_read_but_not_written() -> None:
    x = as_array(np.ones(3))
    for found in (x.value, cr.stop_gradient(x).value):
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 2.0
    np.asarray(x)[0] = 2.0  # a copy
    assert x.value.tolist() == [1.0, 1.0, 1.0]


# casts


def test_numpys_scalar_types_are_casts_and_themselves_in_every_other_way() -> None:
    for name in ("float64", "float32", "int64", "int8", "uint16", "bool", "bool_", "double", "single", "intp"):
        own, cast = getattr(np, name), getattr(cnp, name)
        assert cast == own
        assert hash(cast) == hash(own)
        assert {own: 1}[cast] == 1
        assert np.dtype(cast) == np.dtype(own) == cast
        assert np.zeros(2, cast).dtype == own
        assert type(cast(1)) is own
        assert isinstance(own(1), cast)
        assert issubclass(own, cast)
        assert repr(cast) == repr(own)
        assert pickle.loads(pickle.dumps(cast)) is cast
        assert cast(as_array(1.0)).dtype == own
        assert cast([1, 0]).tolist() == own([1, 0]).tolist()
    assert cnp.complex128 is np.complex128


def test_casts_are_recorded_in_programs() -> None:
    f = cr.compile(lambda x: cnp.float32(x) + cnp.int64(x))
    assert f(2.5).dtype == np.float64
    assert f(2.5) == 4.5
    assert cr.compile(cr.grad(lambda x: cnp.float64(x) ** 2))(np.float32(3)) == 6.0


# plain arrays by traced indices


TABLE = np.arange(10.0) ** 2
INDEXED: dict[str, Way] = {
    "floors": lambda np, x: TABLE[np.floor(x).astype(int)],
    "one floor": lambda np, x: TABLE[np.floor(x[1]).astype(int)],
    "an order": lambda np, x: TABLE[:3][np.argsort(x)],
    "a mask": lambda np, x: TABLE[:3][x > 1],
    "one truth": lambda np, x: TABLE[x[0] > 1],
    "a position": lambda np, x: TABLE[np.argmax(x)],
    "one element, as a vector": lambda np, x: TABLE[np.floor(x[:1]).astype(int)],
    "with slices": lambda np, x: TABLE.reshape(5, 2)[np.floor(x).astype(int), 1:],
    "several": lambda np, x: TABLE.reshape(5, 2)[np.floor(x).astype(int), np.argsort(x) % 2],
    "places": lambda np, x: TABLE[np.nonzero(x > 1)[0]],
}  # fmt: skip


@pytest.mark.parametrize("name", INDEXED)
def test_known_integers_and_truths_index_plain_arrays(name: str) -> None:
    x = np.array([2.5, 0.5, 1.5])
    call: Any = INDEXED[name]
    found = call(np, x)
    seen: list[Any] = []

    def cost(x: Any) -> Any:
        seen.append(call(cnp, x))
        return cnp.sum(seen[-1] * cnp.sum(x))

    np.testing.assert_array_equal(cr.grad(cost)(x), np.full(3, np.sum(found)))
    assert seen[0].shape == found.shape
    np.testing.assert_array_equal(seen[0], found)


def test_a_plain_array_takes_elements_at_known_places() -> None:
    def cost(x: Any) -> Any:
        b = np.zeros(3)
        b[np.argsort(x)] = np.arange(3.0)
        b[x > 2] += 1
        return cnp.sum(b * x)

    assert cr.grad(cost)(np.array([2.5, 0.5, 1.5])).tolist() == [3.0, 0.0, 1.0]
