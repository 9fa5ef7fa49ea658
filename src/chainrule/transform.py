"""What users call: derivatives of Python functions, and functions compiled to native code."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.derive.backpropagation import backpropagate
from chainrule.errors import DifferentiationError, OptionError
from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.trace.array import Array, apply, as_array, transforming, variable
from chainrule.trace.tracing import argument_types, trace
from chainrule.trace.tree import Structure, flatten, paths, unflatten

__all__ = ["compile", "grad", "stop_gradient", "value_and_grad"]

Function = Callable[..., Any]


def stop_gradient(x: Any) -> Any:
    """`x` itself, treated as a constant by every derivative.

    >>> import chainrule as cr
    >>> float(cr.grad(lambda x: x * cr.stop_gradient(x))(3.0))
    3.0
    """
    return apply(ops.STOP_GRADIENT, x.node) if isinstance(x, Array) else x


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that returns `(C, ∂C/∂argument)` for a function with one real number as its result.

    The derivative has the tree, the shapes and the dtypes of the argument; with several `argnums` it is a tuple of
    such trees. Nothing is compiled and every value is known while `function` runs, so Python's `if`, `while` and
    `float` work on them. It can be nested, and used inside `compile`.

    Raises DifferentiationError if the result is not a single floating-point number, or an argument to differentiate
    with respect to holds something other than floating-point arrays; OptionError if `argnums` names no argument of the
    call, or one twice.

    >>> import chainrule as cr
    >>> value, slope = cr.value_and_grad(lambda x: x ** 2)(3.0)
    >>> float(value), float(slope)
    (9.0, 6.0)
    """
    positions, single = _positions(argnums)

    @functools.wraps(function)
    def derivative(*arguments: Any, **options: Any) -> tuple[Any, Any]:
        chosen = [_argument(arguments, position, function) for position in positions]
        if len(set(chosen)) < len(chosen):
            raise OptionError(f"argnums {positions} names an argument twice, of {len(arguments)} that were passed.")
        with transforming() as outermost:
            leaves, structures = zip(*(_variables(arguments[n], n) for n in chosen), strict=True)
            moved = list(arguments)
            for n, mine, structure in zip(chosen, leaves, structures, strict=True):
                moved[n] = unflatten(structure, mine)
            cost = _cost(function(*moved, **options), function)
            one = Array(full(1, cost.node.type))
            variables = [v.node for mine in leaves for v in mine]
            found = iter(backpropagate([(cost.node, one)], variables))
            gradients = [[_result(next(found), outermost) for _ in mine] for mine in leaves]
            trees = tuple(unflatten(s, g) for s, g in zip(structures, gradients, strict=True))
            return _result(cost, outermost), trees[0] if single else trees

    return derivative


def grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """The function that returns ∂C/∂argument: `value_and_grad` without the value.

    >>> import chainrule as cr
    >>> float(cr.grad(cr.grad(lambda x: x ** 3))(2.0))
    12.0
    """
    both = value_and_grad(function, argnums)

    @functools.wraps(function)
    def derivative(*arguments: Any, **options: Any) -> Any:
        return both(*arguments, **options)[1]

    return derivative


def _positions(argnums: Any) -> tuple[tuple[int, ...], bool]:
    """The positions that `argnums` names, and whether it is a single number."""
    try:
        single = not isinstance(argnums, Sequence)
        positions = tuple(operator.index(n) for n in ((argnums,) if single else argnums))
    except TypeError:
        raise OptionError(f"argnums must be a whole number or several, not {argnums!r}.") from None
    if not positions:
        raise OptionError("argnums names no argument to differentiate with respect to.", cure="For example argnums=0.")
    return positions, single


def _argument(arguments: Sequence[Any], position: int, function: Function) -> int:
    if not -len(arguments) <= position < len(arguments):
        raise OptionError(
            f"argnums names argument {position}, but {_name(function)} was called with {len(arguments)} positional "
            "arguments.",
            cure="Pass the argument to differentiate by position.",
        )
    return position % len(arguments)


def _name(function: Function) -> str:
    return getattr(function, "__name__", repr(function))


def _variables(tree: Any, position: int) -> tuple[list[Array], Structure]:
    leaves, structure = flatten(tree)
    arrays = [as_array(leaf) for leaf in leaves]
    for array, path in zip(arrays, paths(structure), strict=True):
        if not array.node.type.is_float:
            raise DifferentiationError(
                f"cannot differentiate with respect to argument {position}{path and ' at ' + path}: {array.node.type} "
                "holds no floating-point numbers.",
                cure="Convert it with x.astype(np.float32), or leave it out of argnums.",
            )
    return [variable(array) for array in arrays], structure


def _cost(result: Any, function: Function) -> Array:
    if not isinstance(result, Array | np.ndarray | np.generic | float | int):
        raise DifferentiationError(
            f"{_name(function)} must return one real number to have a gradient, not {type(result).__name__}."
        )
    cost = as_array(result)
    if cost.shape != () or not cost.node.type.is_float:
        raise DifferentiationError(
            f"{_name(function)} must return one real number to have a gradient, not {cost.node.type}.",
            cure="Reduce it, for example with np.mean or np.sum.",
        )
    return cost


def _result(x: Array, outermost: bool) -> Any:
    """What the user gets: plain NumPy outside every transformation, an Array that keeps recording inside one."""
    if not outermost:
        return x
    value = x.value
    return value[()] if value.ndim == 0 else np.array(value)


def compile(function: Function) -> Function:
    """The same function as native code, made once for each structure, shapes and dtypes of its arguments.

    Shapes and dtypes are known while it is traced, values are not: use `np.where` in place of an `if` on a value.
    Python integers, booleans and strings among the arguments are constants of the program, which is made anew for
    other ones. The program for given arguments is `compiled.program(*arguments)`, and prints as its kernels.

    >>> import chainrule as cr
    >>> from chainrule import numpy as np
    >>> slope = cr.compile(cr.grad(lambda w, x: np.sum(np.tanh(w * x))))
    >>> slope(np.zeros(3), np.ones(3))
    array([1., 1., 1.])
    """
    return Compiled(function)


class Compiled:
    """A function with its native programs, one for each kind of arguments that it has been called with."""

    def __init__(self, function: Function) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._programs: dict[Any, Any] = {}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the program for these arguments; inside another transformation, the function itself."""
        with transforming() as outermost:
            if not outermost:  # the arrays that the function closes over may be traced, so the arguments do not tell
                return self.function(*arguments, **options)
        leaves, structure = flatten((arguments, options))
        program, result, dynamic = self._prepared(leaves, structure)
        outputs = program(*(leaves[n] for n in dynamic))
        return unflatten(result, [o[()] if o.ndim == 0 else o for o in outputs])

    def program(self, *arguments: Any, **options: Any) -> Any:
        """The native program for arguments like these; prints as its kernels."""
        return self._prepared(*flatten((arguments, options)))[0]

    def _prepared(self, leaves: list[Any], structure: Structure) -> tuple[Any, Structure, list[int]]:
        dynamic = [n for n, leaf in enumerate(leaves) if not isinstance(leaf, bool | int)]
        types = argument_types([leaves[n] for n in dynamic], structure, dynamic)
        static = tuple((n, type(leaf), leaf) for n, leaf in enumerate(leaves) if isinstance(leaf, bool | int))
        key = (structure, tuple(types), static)
        if key not in self._programs:
            self._programs[key] = self._made(leaves, structure, dynamic, types)
        program, result = self._programs[key]
        return program, result, dynamic

    def _made(self, leaves: list[Any], structure: Structure, dynamic: list[int], types: Any) -> tuple[Any, Structure]:
        from chainrule.native.program import build

        def from_dynamic(*arrays: Array) -> Any:
            full_leaves = list(leaves)
            for n, array in zip(dynamic, arrays, strict=True):
                full_leaves[n] = array
            arguments, options = unflatten(structure, full_leaves)
            return self.function(*arguments, **options)

        flat = flatten(tuple(range(len(dynamic))))[1]
        with transforming():
            graph, result = trace(from_dynamic, flat, types)
        return build(graph), result
