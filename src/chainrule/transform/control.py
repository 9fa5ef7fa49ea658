"""Loops and branches on values, inside compiled functions and everywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.checks import whole_number
from chainrule.errors import OptionError, ShapeError
from chainrule.graph.interpret import has_value
from chainrule.numpy.lookup_tables import looked_at
from chainrule.trace.array import Array
from chainrule.trace.control import branched, carried_in, repeated, scanned
from chainrule.trace.origins import is_recording
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_argument, as_array
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tree import Structure, flatten, unflatten
from chainrule.transform.arguments import arrays_of, name_of, outcome

__all__ = ["cond", "scan", "while_loop"]


def scan(
    function: AnyFunction, carry: Any, xs: Any = None, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """A loop over rows: `for x in xs: carry, y = function(carry, x)`; returns the last carry and all y, stacked.

    `carry`, `x` and `y` are trees of arrays; what is carried keeps its tree, shapes and dtypes. The rows are those of
    the first axis of every array of `xs`; without `xs`, x is None and `length` says how many rounds there are.
    `reverse` goes from the last row to the first; each y stands where its x does.

    The code has the size of one round. Backward, the carry of every round is kept, one row a round, and all else
    computed again; a scan of scans keeps less: about 2√n rows for n rounds in √n scans of √n rounds.

    Raises ShapeError if the arrays have different numbers of rows or what is carried changes its types.

    >>> import chainrule as cr
    >>> import numpy as np
    >>> total, sums = cr.scan(lambda total, x: (total + x, total + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(total), sums
    (6.0, array([1., 3., 6.]))
    """
    with transforming() as outermost:
        rows, row_structure = flatten(xs)
        arrays = [as_array(x) for x in rows]
        count = _length(arrays, length)
        start, structure = flatten(carry)
        found: list[Structure] = []

        def one_round(*arguments: Array) -> list[Array]:
            before = unflatten(structure, arguments[: len(start)])
            result = looked_at(function, before, unflatten(row_structure, arguments[len(start) :]))
            if not isinstance(result, tuple) or len(result) != 2:
                raise ShapeError(f"scan: {name_of(function)} must return a pair (carry, y).")
            after, same = arrays_of(result[0], function)
            if same != structure:
                raise ShapeError(f"scan: {name_of(function)} must return a carry of the tree that it was given.")
            collected, collected_structure = arrays_of(result[1], function)
            found[:] = [collected_structure]
            return [*after, *collected]

        final, stacked = scanned(one_round, [as_argument(x) for x in start], arrays, count, reverse=reverse)
        return outcome(structure, final, outermost), outcome(found[0], stacked, outermost)


def _length(arrays: Sequence[Array], length: int | None) -> int:
    told = set() if length is None else {whole_number("length", length, 0)}
    counts = {x.shape[0] if x.ndim else -1 for x in arrays} | told
    if -1 in counts:
        raise ShapeError("scan: a single number among xs has no rows.")
    if len(counts) != 1:
        found = " and ".join(map(str, sorted(counts))) or "neither xs nor length"
        raise ShapeError(f"scan: the number of rounds is not clear: {found}.")
    return int(next(iter(counts)))


def while_loop(condition: AnyFunction, function: AnyFunction, initial: Any) -> Any:
    """`while condition(carry): carry = function(carry)`, for a loop that stops on a value; returns the last carry.

    `carry` is a tree of arrays that keeps its shapes and dtypes; `condition` returns one bool. Compiled, it has
    derivatives forward (`jvp`); backward only where a variable acts on the result by way of conditions alone, as the
    number of rounds, and so what would have to be kept, is not known beforehand. Not compiled, it is
    Python's own loop, with every derivative.

    >>> import chainrule as cr
    >>> float(cr.while_loop(lambda x: x < 100.0, lambda x: x * 2, 3.0))
    192.0
    """
    with transforming() as outermost:
        start, structure = flatten(initial)

        def tested(*arguments: Array) -> list[Array]:
            return [as_array(looked_at(condition, unflatten(structure, arguments)))]

        def moved(*arguments: Array) -> list[Array]:
            after, same = arrays_of(looked_at(function, unflatten(structure, arguments)), function)
            if same != structure:
                raise ShapeError(f"while_loop: {name_of(function)} must return the tree that it was given.")
            return after

        carry = [as_argument(x) for x in start]
        while not is_recording() and has_value((test := tested(*carry)[0]).node):
            if not test:
                return outcome(structure, carried_in(moved, carry), outermost)
            carry = moved(*carry)
        return outcome(structure, repeated(tested, moved, carry), outermost)


def cond(condition: Any, if_true: AnyFunction, if_false: AnyFunction, *operands: Any) -> Any:
    """`if_true(*operands) if condition else if_false(*operands)`, where the condition may be a value of the program.

    Only the branch that is taken is computed. Both must return trees of the same structure, shapes and dtypes. Inside
    `vmap`, with a condition that differs from example to example, both are computed.

    Raises ShapeError if the branches differ in what they return; OptionError if the condition is not a single number.

    >>> import chainrule as cr
    >>> slope = cr.compile(cr.grad(lambda x: cr.cond(x > 0, lambda x: x * x, lambda x: -x, x)))
    >>> float(slope(3.0)), float(slope(-3.0))
    (6.0, -1.0)
    """
    with transforming() as outermost:
        test = as_array(condition)
        if test.shape != ():
            raise OptionError(f"cond: the condition must be a single truth, not {test.node.type}.")
        test = test.astype(bool)
        if has_value(test.node):
            outputs, structure = arrays_of((if_true if test else if_false)(*operands), if_true)
            return outcome(structure, outputs, outermost)
        leaves, given = flatten(operands)
        found: dict[int, Structure] = {}

        def branch(function: AnyFunction, number: int) -> AnyFunction:
            def taken(*arguments: Array) -> list[Array]:
                outputs, found[number] = arrays_of(looked_at(function, *unflatten(given, arguments)), function)
                return outputs

            return taken

        results = branched(test, branch(if_true, 0), branch(if_false, 1), [as_array(x) for x in leaves])
        if found[0] != found[1]:
            raise ShapeError("cond: the two branches return trees of different structure.")
        return outcome(found[0], results, outermost)
