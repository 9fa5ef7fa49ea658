"""Derivatives of Python functions, backward and forward."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.derive.backpropagation import backpropagate, backpropagated_values
from chainrule.derive.changes import changes_of
from chainrule.errors import DifferentiationError, OptionError, ShapeError
from chainrule.graph.node import Node, full
from chainrule.numpy.lookup_tables import looked_at
from chainrule.trace.array import Array
from chainrule.trace.plain import differentiating, transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tree import Structure, flatten, matched, paths
from chainrule.transform.arguments import (
    Variables,
    arrays_of,
    checked_position,
    handed_out,
    name_of,
    one_number,
    outcome,
    positions,
)
from chainrule.transform.transformed import transformation

__all__ = ["grad", "jvp", "value_and_grad", "vjp"]

_LEAF = flatten(0.0)[1]


@transformation
def value_and_grad(function: AnyFunction, argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> AnyFunction:
    """The function that returns `(C, ∂C/∂argument)` for a function with one real number as its result.

    The derivative has the tree, the shapes and the dtypes of the argument; with several `argnums` it is a tuple of
    such trees. Nothing is compiled and every value is known while `function` runs, so Python's `if`, `while` and
    `print` work on them; `float`, which would lose a derivative, is for what `stop_gradient` gives. It can be nested,
    and used inside `compile`. With `has_aux` the function returns a pair `(C, aux)`, of a cost and any tree of arrays
    besides, and the derivative `((C, aux), ∂C/∂argument)`.

    Raises DifferentiationError if the result is not a single floating-point number, an argument to differentiate
    with respect to holds something other than floating-point arrays, or the function makes a plain number of what
    depends on one; OptionError if `argnums` names no argument of the
    call, or one twice.

    >>> import chainrule as cr
    >>> value, slope = cr.value_and_grad(lambda x: x ** 2)(3.0)
    >>> float(value), float(slope)
    (9.0, 6.0)
    """
    return _value_and_grad(function, argnums, has_aux)


def _value_and_grad(function: AnyFunction, argnums: int | Sequence[int], has_aux: bool) -> AnyFunction:
    asked, single = positions(argnums)

    @functools.wraps(function)
    def derivative(*arguments: Any, **options: Any) -> tuple[Any, Any]:
        chosen = [checked_position(arguments, position, function) for position in asked]
        if len(set(chosen)) < len(chosen):
            raise OptionError(f"argnums {asked} names an argument twice, of {len(arguments)} that were passed.")
        with transforming() as outermost:
            given = Variables.of(arguments, chosen)
            with differentiating(given.nodes):
                result = looked_at(function, *given.among(arguments, chosen), **options)
            cost = one_number(_pair(result, function)[0] if has_aux else result, function)
            slopes = given.trees(_gradient(cost.node, given.nodes, outermost))
            value = outcome(_LEAF, [cost], outermost)
            if has_aux:
                value = value, *_aside([result[1]], function, outermost)
            return value, slopes[0] if single else slopes

    derivative.argnums = asked  # type: ignore[attr-defined]
    return derivative


def _gradient(cost: Node, variables: Sequence[Node], outermost: bool) -> list[Any]:
    """∂C/∂v for each variable: NumPy's numbers outside every transformation, Arrays inside one."""
    if not outermost:
        return list(backpropagate([(cost, Array(full(1, cost.type)))], variables))
    found = backpropagated_values([(cost, np.ones((), cost.type.dtype))], variables)
    return [error[()] if error.ndim == 0 else error for error in found]


def _pair(result: Any, function: AnyFunction) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise DifferentiationError(f"{name_of(function)} must return a pair (result, aux), as has_aux says.")
    return result


def _aside(aux: Sequence[Any], function: AnyFunction, outermost: bool) -> list[Any]:
    """What a function returned besides, as the user gets it."""
    found = [arrays_of(tree, function) for tree in aux]
    return [outcome(structure, arrays, outermost) for arrays, structure in found]


@transformation
def grad(function: AnyFunction, argnums: int | Sequence[int] = 0, *, has_aux: bool = False) -> AnyFunction:
    """The function that returns ∂C/∂argument: `value_and_grad` without the value; with `has_aux` `(∂C/∂argument, aux)`.

    >>> import chainrule as cr
    >>> float(cr.grad(cr.grad(lambda x: x ** 3))(2.0))
    12.0
    """
    both = _value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def derivative(*arguments: Any, **options: Any) -> Any:
        value, gradient = both(*arguments, **options)
        return (gradient, value[1]) if has_aux else gradient

    derivative.argnums = positions(argnums)[0]  # type: ignore[attr-defined]
    return derivative


def vjp(function: AnyFunction, *primals: Any, has_aux: bool = False) -> Any:
    """`function(*primals)`, and the function δ ↦ Jᵀδ that pulls an error of the result back to the arguments.

    δ has the tree and the shapes of the result. What comes back has the trees of the arguments: a tuple of them if
    there are several. The function is run once; the pull can be called as often as wanted. With `has_aux` the function
    returns a pair `(result, aux)`, and aux is a third thing that comes back.

    Raises DifferentiationError if an argument holds no floating-point numbers; ShapeError if δ does not fit the result.

    >>> import chainrule as cr
    >>> import numpy as np
    >>> value, pull = cr.vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pull(np.array([1.0, 10.0]))
    array([ 2., 40.])
    """
    with transforming() as outermost:
        given = Variables.of(primals, range(len(primals)))
        result = _result(function, given)
        result, *aux = _pair(result, function) if has_aux else (result,)
        outputs, structure = arrays_of(result, function)

    pull = _PullFunction(function, has_aux, given, outputs, structure)
    return outcome(structure, outputs, outermost), pull, *_aside(aux, function, outermost)


@dataclass(frozen=True, eq=False, slots=True)
class _PullFunction:
    """The function δ ↦ Jᵀδ of a function at its arguments."""

    function: AnyFunction
    has_aux: bool
    variables: Variables
    outputs: Sequence[Array]
    structure: Structure

    def __call__(self, error: Any) -> Any:
        with transforming() as outermost:
            errors = _fitting(error, self.outputs, self.structure, "the error")
            given = [(y.node, e) for y, e in zip(self.outputs, errors, strict=True) if e is not None]
            found = backpropagate(given, self.variables.nodes)
            trees = self.variables.trees(handed_out(found, outermost))
            return trees[0] if len(trees) == 1 else trees

    def __reduce__(self) -> tuple[Any, ...]:
        """To be pickled as the function and its arguments: it is run again."""
        primals = self.variables.trees(handed_out(self.variables.leaves, True))
        return _pull, (self.function, primals, self.has_aux)


def _pull(function: AnyFunction, primals: Sequence[Any], has_aux: bool) -> _PullFunction:
    pull: _PullFunction = vjp(function, *primals, has_aux=has_aux)[1]
    return pull


def jvp(function: AnyFunction, primals: Any, tangents: Any, *, has_aux: bool = False) -> Any:
    """`function(*primals)`, and its change J·v for small changes v of the arguments, forward, in one pass.

    `primals` and `tangents` are tuples, one entry for each argument, of the same trees and shapes. The change has the
    tree and the shapes of the result; zeros where the result does not depend on the arguments. With `has_aux` the
    function returns a pair `(result, aux)`, and aux is a third thing that comes back.

    Raises DifferentiationError if an argument holds no floating-point numbers; ShapeError if a tangent does not fit.

    >>> import chainrule as cr
    >>> value, change = cr.jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.5))
    >>> float(value), float(change)
    (12.0, 5.5)
    """
    primals, tangents = (x if isinstance(x, tuple | list) else (x,) for x in (primals, tangents))
    if len(primals) != len(tangents):
        raise ShapeError(f"jvp of {name_of(function)}: {len(primals)} primals, but {len(tangents)} tangents.")
    with transforming() as outermost:
        given = Variables.of(primals, range(len(primals)))
        parts = zip(tangents, given.each(), strict=True)
        moves = [t for tangent, (leaves, s) in parts for t in _fitting(tangent, leaves, s, "a tangent")]
        changes = [(node, t) for node, t in zip(given.nodes, moves, strict=True) if t is not None]
        result = _result(function, given)
        result, *aux = _pair(result, function) if has_aux else (result,)
        outputs, structure = arrays_of(result, function)
        found = changes_of([y.node for y in outputs], changes)
        moved = [Array(full(0, y.node.type)) if t is None else t for y, t in zip(outputs, found, strict=True)]
        both = outcome(structure, outputs, outermost), outcome(structure, moved, outermost)
        return *both, *_aside(aux, function, outermost)


def _result(function: AnyFunction, given: Variables) -> Any:
    """What the function returns for these variables."""
    with differentiating(given.nodes):
        return looked_at(function, *given.trees(given.leaves))


def _fitting(tree: Any, like: Sequence[Array], structure: Structure, name: str) -> list[Array | None]:
    """The leaves of a tree that must have the structure, shapes and dtypes of others; None where they are zero."""
    leaves = matched(tree, structure)
    if leaves is None:
        count = len(flatten(tree)[0])
        raise ShapeError(f"{name} must have the tree of what it belongs to, {len(like)} arrays, not one of {count}.")
    return [
        _one_fitting(leaf, x, f"{name}{path}") for leaf, x, path in zip(leaves, like, paths(structure), strict=True)
    ]


def _one_fitting(leaf: Any, like: Array, name: str) -> Array | None:
    if leaf is None or not like.node.type.is_float:
        return None
    array = as_array(leaf)
    if array.shape != like.shape:
        raise ShapeError(f"{name} has the shape {array.shape}, but belongs to {like.node.type}.")
    if array.dtype.kind not in "fiub":
        raise DifferentiationError(f"{name} must hold numbers, not {array.dtype}.")
    return array.astype(like.dtype)
