"""The same function for every example of a batch, at once."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.derive.batching import batch
from chainrule.errors import OptionError, ShapeError
from chainrule.graph.types import Type
from chainrule.numpy.lookup_tables import looked_at
from chainrule.trace.array import Array
from chainrule.trace.control import placeholders
from chainrule.trace.plain import transforming
from chainrule.trace.primitives import broadcast, moved_axis, normalized_axis, reshape
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tree import Structure, flatten, paths, unflatten
from chainrule.transform.arguments import arrays_of, name_of, outcome, positions
from chainrule.transform.transformed import transformation

__all__ = ["per_example", "vmap"]

ExampleAxes = Any  # None, a whole number, or a tree of them


@transformation
def vmap(function: AnyFunction, in_axes: ExampleAxes = 0, out_axes: ExampleAxes = 0) -> AnyFunction:
    """The function that does for all examples at once what `function` does for one.

    `in_axes` says along which axis of each argument the examples lie: one number for all arguments, or a tuple with an
    entry for each: a number, None (the argument is the same for all examples) or a tree of these. `out_axes` says the
    same of the results. Keyword arguments have their examples along the first axis. Every example is looked at once, so
    Python's `if` on a value of an example is a TracingError.

    Raises ShapeError if the arguments do not have the same number of examples, or an argument lacks the axis;
    OptionError if `in_axes` or `out_axes` does not fit.

    >>> import chainrule as cr
    >>> import numpy as np
    >>> cr.vmap(lambda x, y: x @ y, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """

    @functools.wraps(function)
    def of_all(*arguments: Any, **options: Any) -> Any:
        leaves, structure = flatten((arguments, options))
        axes = _axes_of_arguments(in_axes, arguments)
        axes += [0] * (len(leaves) - len(axes))  # of the options
        with transforming() as outermost:
            whole = {n: _front(leaves[n], axis) for n, axis in enumerate(axes) if axis is not None}
            size = _size(whole, paths(structure), function)
            members = dict(zip(whole, placeholders([_of_one(x) for x in whole.values()]), strict=True))
            one, named = unflatten(structure, [members.get(n, leaf) for n, leaf in enumerate(leaves)])
            outputs, result = arrays_of(looked_at(function, *one, **named), function)
            found = batch([y.node for y in outputs], {members[n].node: whole[n] for n in whole}, size)
            wanted = _axes(out_axes, unflatten(result, outputs), "out_axes")
            moved = [_with_examples(y, is_wide, axis, size) for (y, is_wide), axis in zip(found, wanted, strict=True)]
            return outcome(result, moved, outermost)

    return of_all


@transformation
def per_example(
    function: AnyFunction, argnums: int | Sequence[int] | None = None, *, batches: bool = True
) -> AnyFunction:
    """The function that returns what `function` does for each example alone: of a gradient, one for each row.

    `function` takes batches of examples, as rows of some arguments; it is given batches of one. If it does not take
    `batches`, it is given the rows themselves. What it returns is stacked along a new first axis. `argnums` names the
    arguments that hold examples: unless told, the last two, leaving out those that `grad` differentiates with respect
    to. If the cost is a mean over examples, the mean of these gradients is the gradient.

    Raises what `vmap` raises.

    >>> import chainrule as cr
    >>> from chainrule import numpy as np
    >>> def cost(w, x, y):
    ...     return np.mean((x @ w - y) ** 2)
    >>> x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0])
    >>> cr.per_example(cr.grad(cost))(np.zeros(2), x, y)
    array([[ -2.,  -4.],
           [-12., -16.]])
    """

    @functools.wraps(function)
    def each(*arguments: Any, **options: Any) -> Any:
        chosen = _example_arguments(function, argnums, len(arguments))

        def of_row(*single: Any) -> Any:
            if not batches:
                return function(*single, **options)
            given = (_batch_of_one(x) if n in chosen else x for n, x in enumerate(single))
            try:
                return function(*given, **options)
            except ShapeError as problem:
                cure = f"{problem.cure} If it takes a row, not a batch: per_example(…, batches=False).".strip()
                raise ShapeError(problem.what, cure=cure, where=problem.where) from problem

        return vmap(of_row, tuple(0 if n in chosen else None for n in range(len(arguments))))(*arguments)

    return each


def _example_arguments(function: AnyFunction, argnums: int | Sequence[int] | None, count: int) -> set[int]:
    if argnums is not None:
        asked, _ = positions(argnums)
        if any(not -count <= n < count for n in asked):
            raise OptionError(f"argnums {argnums} names an argument that is not there: {count} were passed.")
        return {n % count for n in asked}
    differentiated = {n % max(count, 1) for n in getattr(function, "argnums", ())}
    left = [n for n in range(count) if n not in differentiated]
    if not left:
        raise OptionError(
            f"per_example: no argument of {name_of(function)} is left that could hold examples.",
            cure="Say which do with argnums.",
        )
    return set(left[-2:])


def _batch_of_one(tree: Any) -> Any:
    leaves, structure = flatten(tree)
    return unflatten(structure, [reshape(x, (1, *x.shape)) for x in leaves])


def _axes_of_arguments(in_axes: ExampleAxes, arguments: Sequence[Any]) -> list[int | None]:
    """The axis of each leaf of the arguments along which the examples lie."""
    entries = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * len(arguments)
    if len(entries) != len(arguments):
        raise OptionError(f"in_axes has {len(entries)} entries for {len(arguments)} arguments.")
    return [axis for entry, x in zip(entries, arguments, strict=True) for axis in _axes(entry, x, "in_axes")]


def _axes(entry: ExampleAxes, tree: Any, name: str) -> list[int | None]:
    """The axis of each leaf of a tree: `entry` itself, or what it says of the part that the leaf is in."""
    leaves, structure = flatten(tree)
    if _is_axis(entry):
        return [entry] * len(leaves)
    return _spread(entry, structure, name)


def _is_axis(entry: ExampleAxes) -> bool:
    return entry is None or (isinstance(entry, int | np.integer) and not isinstance(entry, bool))


def _spread(entry: ExampleAxes, structure: Structure, name: str) -> list[int | None]:
    if _is_axis(entry):
        return [entry] * structure.leaves
    named = isinstance(entry, dict) and set(entry) == set(structure.keys)
    parts = [entry[key] for key in structure.keys] if named else entry if isinstance(entry, tuple | list) else ()
    if structure.kind in (None, "static") or len(parts) != len(structure.children):
        raise OptionError(f"{name} {entry!r} does not fit the tree that it describes.")
    pairs = zip(parts, structure.children, strict=True)
    return [axis for part, child in pairs for axis in _spread(part, child, name)]


def _front(x: Any, axis: int) -> Array:
    """The array with the examples along its first axis."""
    array = as_array(x)
    if array.ndim == 0:
        raise ShapeError("vmap: a single number has no axis with examples.", cure="Give in_axes None for it.")
    return moved_axis(array, normalized_axis(axis, array.ndim), 0)


def _of_one(examples: Array) -> Type:
    """The type of one of the examples along the first axis."""
    return examples.node.type.with_shape(examples.shape[1:])


def _size(whole: Mapping[int, Array], names: Sequence[str], function: AnyFunction) -> int:
    """How many examples there are in the leaves with these names."""
    sizes = {names[n]: x.shape[0] for n, x in whole.items()}
    if not sizes:
        raise OptionError(f"vmap of {name_of(function)}: in_axes leaves no argument with examples.")
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{size} in argument {name[3:]}" for name, size in sizes.items())
        raise ShapeError(f"vmap of {name_of(function)}: the arguments differ in their number of examples: {told}.")
    return next(iter(sizes.values()))


def _with_examples(y: Array, is_wide: bool, axis: int | None, size: int) -> Array:
    """The result of all examples, which lie along the axis; None if it is the same for all."""
    if axis is None:
        if is_wide:
            raise OptionError("out_axes is None for a result that differs from example to example.")
        return y
    wide = y if is_wide else broadcast(y, (size, *y.shape))
    return moved_axis(wide, 0, normalized_axis(axis, wide.ndim))
