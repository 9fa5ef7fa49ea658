"""Matrices of derivatives, and their products with vectors: Jacobian, Hessian, Gauss-Newton."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.checks import one_of
from chainrule.derive.backpropagation import backpropagate
from chainrule.derive.batching import batch
from chainrule.derive.changes import changes_of
from chainrule.errors import OptionError
from chainrule.graph import ops
from chainrule.graph.node import Node, full
from chainrule.graph.types import Type
from chainrule.numpy.lookup_tables import looked_at
from chainrule.trace.array import Array
from chainrule.trace.control import placeholders
from chainrule.trace.plain import differentiating, transforming
from chainrule.trace.primitives import apply, astype, broadcast, moved_axis, reshape
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tree import unflatten
from chainrule.transform.arguments import Variables, arrays_of, checked_position, handed_out, name_of, positions
from chainrule.transform.derivatives import grad, jvp, vjp
from chainrule.transform.transformed import transformation

Blocks = Callable[[Sequence[Array], Sequence[Array]], list[list[Array]]]

__all__ = ["ggn_vp", "hessian", "hvp", "jacfwd", "jacobian", "jacrev"]


@transformation
def jacobian(function: AnyFunction, argnums: int | Sequence[int] = 0, mode: str | None = None) -> AnyFunction:
    """The function that returns J = ∂result/∂argument, of shape `(*result.shape, *argument.shape)`.

    For trees: the tree of the result, for each leaf the tree of the argument (a tuple of them with several `argnums`).
    `mode` "forward" computes J column by column, "reverse" row by row, all columns or rows at once; unless told, the
    one with fewer. Memory is that of so many passes.

    Raises what `value_and_grad` raises; OptionError for another mode.

    >>> import chainrule as cr
    >>> import numpy as np
    >>> cr.jacobian(lambda x: x * x[0])(np.array([2.0, 3.0]))
    array([[4., 0.],
           [3., 2.]])
    """
    if mode is not None:
        one_of("mode", mode, ("forward", "reverse"), cure="None takes whichever is less work.")

    def blocks(inputs: Sequence[Array], outputs: Sequence[Array]) -> list[list[Array]]:
        fewer = sum(x.size for x in inputs) <= sum(y.size for y in outputs)
        return _forward(inputs, outputs) if mode == "forward" or (mode is None and fewer) else _reverse(inputs, outputs)

    return _matrix(function, argnums, blocks)


def jacfwd(function: AnyFunction, argnums: int | Sequence[int] = 0) -> AnyFunction:
    """`jacobian` in forward mode: column by column."""
    return jacobian(function, argnums, "forward")


def jacrev(function: AnyFunction, argnums: int | Sequence[int] = 0) -> AnyFunction:
    """`jacobian` in reverse mode: row by row."""
    return jacobian(function, argnums, "reverse")


@transformation
def hessian(function: AnyFunction, argnums: int | Sequence[int] = 0) -> AnyFunction:
    """The function that returns H = ∂²C/∂argument², of shape `(*argument.shape, *argument.shape)`; for trees, of trees.

    Forward over backward: the gradient is pushed forward along every direction at once. Memory is that of as many
    gradients as there are numbers in the argument.

    >>> import chainrule as cr
    >>> import numpy as np
    >>> cr.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    return _matrix(grad(function, argnums), argnums, _symmetric)


@transformation
def hvp(function: AnyFunction, argnums: int = 0) -> AnyFunction:
    """The function `(w, v, …) ↦ H·v`: the product of the Hessian of C(w, …) with a direction v, without forming H.

    H·v = d/dt ∇C(w + t·v) at t = 0, forward over backward; it costs about two gradients. `v` has the tree and shapes of
    the argument that `argnums` names and stands right after it; so has the result.

    Source: Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6, 1994.

    >>> import chainrule as cr
    >>> import numpy as np
    >>> cr.hvp(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]), np.array([1.0, 0.0]))
    array([10.,  6.])
    """

    @functools.wraps(function)
    def product(*arguments: Any, **options: Any) -> Any:
        if len(arguments) < 2:
            raise OptionError(
                f"hvp of {name_of(function)} needs an argument and a direction, not {len(arguments)} of the two.",
                cure="Call it as hvp(function)(w, v).",
            )
        n = checked_position(arguments[:-1], argnums, function)
        rest = [*arguments[:n], *arguments[n + 2 :]]

        def gradient(w: Any) -> Any:
            return grad(function, n)(*rest[:n], w, *rest[n:], **options)

        return jvp(gradient, (arguments[n],), (arguments[n + 1],))[1]

    return _signed(product, _with_direction(function, argnums))


def _signed(product: AnyFunction, parameters: Sequence[inspect.Parameter]) -> AnyFunction:
    """The function, which says that it takes these."""
    if parameters:
        product.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return product


def _with_direction(function: AnyFunction, argnums: int) -> list[inspect.Parameter]:
    """The parameters of a function, with `v` after the one that `argnums` names; none if they cannot be told."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
        chosen = parameters[argnums]
    except (TypeError, ValueError, IndexError):
        return []
    single = chosen.kind in (chosen.POSITIONAL_ONLY, chosen.POSITIONAL_OR_KEYWORD)
    if not single or any(p.name == "v" for p in parameters):
        return []
    after = argnums % len(parameters) + 1
    return [*(p.replace(default=p.empty) for p in parameters[:after]), chosen.replace(name="v"), *parameters[after:]]


@transformation
def ggn_vp(model: AnyFunction, cost: AnyFunction) -> AnyFunction:
    """The function `(w, v, inputs, *targets) ↦ G·v` with the Gauss-Newton matrix of `cost(model(w, inputs), *targets)`.

    G = Jᵀ·H·J: J is the Jacobian of the model's result z with respect to w, H the Hessian of `cost(z, *targets)` with
    respect to z. Without `inputs` the model is called as `model(w)` and the cost as `cost(z)`. G is the Hessian without
    the curvature of the model itself; where the cost is convex in z, G has no negative eigenvalue.

    Source: Schraudolph, Fast curvature matrix-vector products, Neural Computation 14, 2002.

    >>> import chainrule as cr
    >>> import numpy as np
    >>> product = cr.ggn_vp(lambda w, x: x @ w, lambda z, y: np.sum((z - y) ** 2) / 2)
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> product(np.zeros(2), np.array([1.0, 0.0]), x, np.ones(2))  # xᵀx·v
    array([10., 14.])
    """

    @functools.wraps(model)
    def product(w: Any, v: Any, *arguments: Any) -> Any:
        def predicted(w: Any) -> Any:
            return model(w, *arguments[:1])

        def slope(z: Any) -> Any:
            return grad(cost)(z, *arguments[1:])

        z, change = jvp(predicted, (w,), (v,))
        curved = jvp(slope, (z,), (change,))[1]
        return vjp(predicted, w)[1](curved)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    taken = [
        *(inspect.Parameter(n, kind) for n in "wv"),
        inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL),
    ]
    return _signed(product, taken)


def _matrix(function: AnyFunction, argnums: int | Sequence[int], blocks: Blocks) -> AnyFunction:
    """The function that returns, for each leaf of the result, the tree of the blocks for each leaf of the arguments."""
    asked, single = positions(argnums)

    @functools.wraps(function)
    def derivative(*arguments: Any, **options: Any) -> Any:
        chosen = [checked_position(arguments, position, function) for position in asked]
        with transforming() as outermost:
            given = Variables.of(arguments, chosen)
            with differentiating(given.nodes):
                result = looked_at(function, *given.among(arguments, chosen), **options)
            outputs, structure = arrays_of(result, function)
            rows = [given.trees(handed_out(row, outermost)) for row in blocks(given.leaves, outputs)]
            return unflatten(structure, [row[0] if single else row for row in rows])

    return derivative


def _changes(x: Array, outputs: Sequence[Array]) -> list[Array]:
    """The changes of each output along all directions of one input, of shape `(x.size, *output.shape)`."""
    (t,) = placeholders([x.node.type])
    changes = changes_of([y.node for y in outputs], [(x.node, t)])
    still = [y.node.type if y.node.type.is_float else y.node.type.with_dtype(x.dtype) for y in outputs]
    nodes = [full(0, type_) if c is None else c.node for c, type_ in zip(changes, still, strict=True)]
    found = batch(nodes, {t.node: _directions(x)}, x.size)
    return [b if wide else broadcast(b, (x.size, *y.shape)) for (b, wide), y in zip(found, outputs, strict=True)]


def _forward(inputs: Sequence[Array], outputs: Sequence[Array]) -> list[list[Array]]:
    """For each output, the block of each input: the changes along the input's directions, as columns."""
    columns = [_changes(x, outputs) for x in inputs]
    return [
        [reshape(moved_axis(c[n], 0, y.ndim), (*y.shape, *x.shape)) for c, x in zip(columns, inputs, strict=True)]
        for n, y in enumerate(outputs)
    ]


def _symmetric(inputs: Sequence[Array], gradients: Sequence[Array]) -> list[list[Array]]:
    """The changes of the gradients as rows, which is where they lie: the matrix is symmetric."""
    return [
        [reshape(c, (*x.shape, *g.shape)) for c, g in zip(_changes(x, gradients), gradients, strict=True)]
        for x in inputs
    ]


def _reverse(inputs: Sequence[Array], outputs: Sequence[Array]) -> list[list[Array]]:
    """For each output, the block of each input: the errors of all of the output's elements, as rows."""
    return [_rows_of(y, inputs) for y in outputs]


def _rows_of(y: Array, inputs: Sequence[Array]) -> list[Array]:
    if not y.node.type.is_float:
        return [Array(full(0, Type((*y.shape, *x.shape), x.dtype))) for x in inputs]
    (error,) = placeholders([y.node.type])
    found = backpropagate([(y.node, error)], [x.node for x in inputs])
    blocks = batch([f.node for f in found], {error.node: _directions(y)}, y.size)
    return [
        reshape(block if is_wide else broadcast(block, (y.size, *x.shape)), (*y.shape, *x.shape))
        for (block, is_wide), x in zip(blocks, inputs, strict=True)
    ]


def _directions(x: Array) -> Array:
    """One in each element in turn: the identity, as so many arrays like `x`."""
    square = Type((x.size, x.size), np.dtype(np.int64))
    row, column = (Node(ops.IOTA, (), (axis, square)) for axis in (0, 1))
    return reshape(astype(apply(ops.EQUAL, row, column), x.dtype), (x.size, *x.shape))
