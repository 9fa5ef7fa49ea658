"""Plain arrays that a function sees, indexed by integers without a value: the lookup is part of the program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tests.namespace.calls import Call

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import TracingError

TABLE = np.arange(10.0) ** 2
MATRIX = np.arange(12.0).reshape(4, 3)
ROWS = {"first": TABLE, "more": [MATRIX, 3.0]}
INDEX = np.array([3, 0, 2])


def of_the_module(i: Any) -> Any:
    return TABLE[i]


def by_another(i: Any) -> Any:
    return of_the_module(i) + 1


def by_itself(i: Any, depth: int = 2) -> Any:
    return TABLE[i] if depth == 0 else by_itself(i, depth - 1)


def by_default(i: Any, table: Any = TABLE, *, more: Any = MATRIX) -> Any:
    return table[i] + more[i, 0]


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*arguments: Any) -> Any:
        return function(*arguments)

    return inner


@decorated
def behind_a_decorator(i: Any) -> Any:
    return TABLE[i]


@dataclass(frozen=True)
class Lookup:
    table: np.ndarray

    def of(self, i: Any) -> Any:
        return self.table[i]


class Model:
    """An ordinary object, which sees itself."""

    def __init__(self) -> None:
        self.table = TABLE
        self.me = self

    def of(self, i: Any) -> Any:
        return self.me.table[i]

    __call__ = of


MODEL = Model()


def closing_over() -> Call:
    table = TABLE + 1
    return lambda i: table[i]


def within_a_function(i: Any) -> Any:
    def inner() -> Any:
        return [TABLE[j] for j in (i, i + 1)]

    return inner()[1]


SEEN: dict[str, Callable[[Any], Any]] = {
    "of the module": of_the_module,
    "of the module of a function that is called": by_another,
    "of a function that calls itself": by_itself,
    "closed over": closing_over(),
    "in a tree": lambda i: ROWS["first"][i] + ROWS["more"][0][i, 1],
    "as a default": by_default,
    "behind a decorator": behind_a_decorator,
    "of a method's object": Lookup(TABLE).of,
    "of an object": lambda i, look=Lookup(TABLE): look.of(i),
    "of an ordinary object of the module": lambda i: MODEL.table[i] + MODEL.of(i),
    "of an ordinary method's object": MODEL.of,
    "of an object that is called": MODEL,
    "in a partial": functools.partial(lambda table, i: table[i], TABLE),
    "in a function within": within_a_function,
    "rows": lambda i: MATRIX[i],
    "with a slice": lambda i: MATRIX[i, 1:],
    "after a slice": lambda i: MATRIX[:3, i % 3],
    "two indices": lambda i: MATRIX[i, i % 3],
    "a part of a part": lambda i: MATRIX[1:][i % 3],
    "asarray": lambda i: cnp.asarray(list(TABLE))[i],
    "array": lambda i: cnp.array(TABLE)[i],
    "one-hot codes": lambda i: cnp.eye(4)[i],
    "identity": lambda i: cnp.identity(4, np.float32)[i],
    "a range": lambda i: cnp.arange(4.0)[i],
    "equal distances": lambda i: cnp.linspace(0.0, 1.0, 5)[i],
    "take": lambda i: cnp.take(TABLE, i),
    "take along rows": lambda i: cnp.take(MATRIX, i, axis=0),
}


@pytest.mark.parametrize("name", SEEN)
def test_a_lookup_by_traced_integers_is_part_of_the_program(name: str) -> None:
    call = SEEN[name]
    expected = call(INDEX)
    compiled = cr.compile(call)
    for index in (INDEX, INDEX[::-1].copy()):  # the second is looked up by the program that the first has made
        np.testing.assert_array_equal(compiled(index), call(index))
    assert compiled(INDEX).dtype == expected.dtype
    np.testing.assert_array_equal(cr.vmap(call)(INDEX), np.stack([call(i) for i in INDEX]))


def test_a_lookup_has_a_derivative_by_what_is_beside_it() -> None:
    def cost(w: Any, i: Any) -> Any:
        return cnp.sum(w * TABLE[i])

    np.testing.assert_array_equal(cr.compile(cr.grad(cost))(np.ones(3), INDEX), TABLE[INDEX])
    np.testing.assert_array_equal(cr.vmap(cr.grad(cost), (None, 0))(1.0, INDEX), TABLE[INDEX])


def test_loops_and_branches_look_up() -> None:
    def summed(indices: Any) -> Any:
        return cr.scan(lambda total, i: (total + TABLE[i], MATRIX[i]), 0.0, indices)

    for run in (summed, cr.compile(summed)):
        total, rows = run(INDEX)
        assert total == TABLE[INDEX].sum()
        np.testing.assert_array_equal(rows, MATRIX[INDEX])

    def chosen(i: Any) -> Any:
        return cr.cond(i > 1, lambda i: TABLE[i], lambda i: -TABLE[i + 1], i)

    assert [cr.compile(chosen)(np.array(i)) for i in (0, 3)] == [-1.0, 9.0]
    below = cr.compile(lambda i: cr.while_loop(lambda i: TABLE[i] < 20, lambda i: i + 1, i))
    assert below(np.array(1)) == 5


def test_an_index_that_is_negative_counts_from_the_end() -> None:
    np.testing.assert_array_equal(cr.compile(of_the_module)(np.array([-1, -10])), TABLE[[-1, -10]])


def test_what_was_looked_up_has_its_line() -> None:
    assert "test_lookup_tables.py" in str(cr.compile(of_the_module).program(INDEX))


def test_the_function_is_looked_at_once_more_and_its_arrays_stay_as_they_are() -> None:
    looked = [0]

    def cost(i: Any) -> Any:
        looked[0] += 1
        return TABLE[i]

    cr.compile(cost)(INDEX)
    assert type(TABLE) is np.ndarray
    assert looked == [2]


def test_a_table_is_seen_as_it_is_at_each_call() -> None:
    table = np.arange(4.0)
    compiled = cr.compile(lambda i: table[i])
    assert compiled(INDEX).tolist() == [3.0, 0.0, 2.0]
    table[0] = 7.0
    assert compiled(INDEX).tolist() == [3.0, 7.0, 2.0]


def test_what_a_function_does_not_see_by_name_is_refused_with_the_cure() -> None:
    with pytest.raises(TracingError, match=r"np.take\(x, i, axis=0\) or np.asarray\(x\)\[i\]"):
        cr.compile(lambda i: np.ones(3)[i])(INDEX)


def test_another_refusal_stays_the_one_that_it_was() -> None:
    def cost(i: Any) -> Any:
        return TABLE[0] if i[0] > 1 else TABLE[1]

    with pytest.raises(TracingError, match="if i") as caught:
        cr.compile(cost)(INDEX)
    assert "np.where" in caught.value.cure


def test_arrays_made_inside_a_transformation_are_numpys_in_every_other_way() -> None:
    def cost(x: Any) -> Any:
        b = cnp.asarray([0.0, 1.0, 2.0])
        b[1:] = 3.0
        b += 1
        assert isinstance(b, np.ndarray)
        assert isinstance(b[0], np.float64)
        assert b.sum() == 9.0
        return cnp.sum(b * x)

    assert cr.compile(cr.grad(cost))(np.ones(3)).tolist() == [1.0, 4.0, 4.0]
    assert cr.grad(cost)(np.ones(3)).tolist() == [1.0, 4.0, 4.0]
    assert type(cnp.asarray([1.0])) is np.ndarray


class Uncopied:
    def __init__(self) -> None:
        self.table = np.arange(4.0)

    def __copy__(self) -> Uncopied:
        raise RuntimeError("there is one of these")


def test_of_an_object_that_cannot_be_copied_the_first_problem_is_told() -> None:
    owner = Uncopied()
    with pytest.raises(TracingError, match="np.take"):
        cr.compile(lambda i: owner.table[i])(np.array([1, 2]))
