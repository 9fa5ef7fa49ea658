"""Derivatives that the user has a say in: rules of one's own, none at all, or computing again in place of keeping."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.derive.backpropagation import backpropagate
from chainrule.derive.batching import batch
from chainrule.errors import DifferentiationError, ShapeError
from chainrule.graph import ops
from chainrule.graph.node import full
from chainrule.numpy.lookup_tables import looked_at
from chainrule.trace.array import Array, Maybe
from chainrule.trace.control import captured, closed, instantiated, placeholders, results_of
from chainrule.trace.plain import transforming, without_derivatives
from chainrule.trace.primitives import apply, broadcast
from chainrule.trace.promotion import as_array, variable
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tree import Structure, flatten, matched, unflatten
from chainrule.transform.arguments import arrays_of, name_of, outcome
from chainrule.transform.batches import vmap
from chainrule.transform.transformed import transformation

__all__ = ["checkpoint", "custom_derivative", "stop_gradient"]


def stop_gradient(x: Any) -> Any:
    """`x` itself, treated as a constant by every derivative; a tree of arrays too.

    What it gives may become a plain number or array, which of `x` would lose a derivative and is an error.

    >>> import chainrule as cr
    >>> import math
    >>> float(cr.grad(lambda x: x * cr.stop_gradient(x))(3.0))
    3.0
    >>> float(cr.grad(lambda x: x * math.sqrt(cr.stop_gradient(x)))(9.0))
    3.0
    """
    if isinstance(x, Array):
        return apply(ops.STOP_GRADIENT, x.node)
    leaves, structure = flatten(x)
    stopped = [apply(ops.STOP_GRADIENT, leaf.node) if isinstance(leaf, Array) else leaf for leaf in leaves]
    return unflatten(structure, stopped)


def custom_derivative(
    function: AnyFunction | None = None, pull: AnyFunction | None = None, push: AnyFunction | None = None
) -> AnyFunction:
    """`function` with derivatives that you give.

    `pull(δ, y, *arguments)` returns the errors of the arguments for the error δ of the result y: one for a function of
    one argument, else a tuple. `push(tangents, y, *arguments)` returns the change of the result for the changes of the
    arguments, a tuple with one for each. One of the two is enough: the other is its transpose. Check them with
    `chainrule.testing.check_gradient`. Arguments that the function closes over count as constants. Not compiled, the
    function may make plain numbers and arrays of its arguments, and call any library with them. Without `function` it
    is a decorator: `@cr.custom_derivative(pull=…)`.

    Raises DifferentiationError if neither rule is given; ShapeError if a rule returns something that does not fit.

    >>> import chainrule as cr
    >>> from chainrule import numpy as np
    >>> clipped = cr.custom_derivative(lambda x: x, pull=lambda error, y, x: np.clip(error, -1.0, 1.0))
    >>> float(cr.grad(lambda x: 5 * clipped(x))(2.0))
    1.0
    """
    if function is None:
        return functools.partial(custom_derivative, pull=pull, push=push)
    if pull is None and push is None:
        raise DifferentiationError(
            f"custom_derivative of {name_of(function)}: neither pull nor push is given.",
            cure="Give pull=lambda error, y, *arguments: …, or push=lambda tangents, y, *arguments: ….",
        )
    return _custom_derivative(function, pull, push)


@transformation
def _custom_derivative(function: AnyFunction, pull: AnyFunction | None, push: AnyFunction | None) -> AnyFunction:

    @functools.wraps(function)
    def with_rule(*arguments: Any) -> Any:
        with transforming() as outermost:
            leaves, structure = flatten(arguments)
            inputs = [as_array(leaf) for leaf in leaves]
            with without_derivatives():
                found = looked_at(function, *unflatten(structure, inputs))
            outputs, result = arrays_of(found, function)
            rule = _OwnRule(pull, push, structure, result, name_of(function))
            return outcome(result, _ruled(rule, outputs, inputs), outermost)

    return with_rule


@transformation
def checkpoint(function: AnyFunction) -> AnyFunction:
    """`function`, of which backpropagation keeps only the arguments: what it needs in between is computed again.

    Trades one more forward pass for memory. The derivatives are the same.

    Source: Griewank and Walther, Algorithm 799: Revolve, ACM TOMS 26, 2000.

    >>> import chainrule as cr
    >>> from chainrule import numpy as np
    >>> float(cr.grad(cr.checkpoint(lambda x: np.sin(np.sin(x))))(0.0))
    1.0
    """

    @functools.wraps(function)
    def recomputed(*arguments: Any, **options: Any) -> Any:
        with transforming() as outermost:
            leaves, structure = flatten((arguments, options))
            given = [leaf if isinstance(leaf, bool | int | str) else as_array(leaf) for leaf in leaves]
            inputs = [variable(leaf) if isinstance(leaf, Array) else leaf for leaf in given]
            again, named = unflatten(structure, inputs)
            outputs, result = arrays_of(looked_at(function, *again, **named), function)
            marked = [x for x in inputs if isinstance(x, Array)]
            outside = [Array(node) for node in captured(outputs, marked)]
            program = closed(outputs, marked)
            return outcome(result, _ruled(_Recomputed(program), outputs, [*marked, *outside]), outermost)

    return recomputed


def _ruled(rule: Any, outputs: Sequence[Array], inputs: Sequence[Array]) -> list[Array]:
    """The outputs, with the rule for their derivatives with respect to the inputs."""
    nodes = [x.node for x in (*outputs, *inputs)]
    return results_of(apply(ops.CUSTOM, *nodes, attributes=(rule, len(outputs))).node)


@dataclass(frozen=True, eq=False, slots=True)
class _Recomputed:
    """The derivative of a program, computed from its arguments alone, after the errors of its results are known."""

    program: Any

    def pull(self, errors: Sequence[Maybe], ys: Sequence[Array], xs: Sequence[Array], walk: AnyFunction) -> list[Maybe]:
        """Compute the program again, and go backward through it."""
        known = next(error for error in errors if error is not None)
        again = [variable(apply(ops.RECOMPUTE, x.node, known.node)) for x in xs]
        outputs = instantiated(self.program, again)
        pairs = [(y.node, error) for y, error in zip(outputs, errors, strict=True) if error is not None]
        wanted = [x for x in again if x.node.type.is_float]
        found = iter(walk(pairs, [x.node for x in wanted]))
        return [next(found) if x.node.type.is_float else None for x in again]

    def push(
        self, tangents: Sequence[Maybe], ys: Sequence[Array], xs: Sequence[Array], walk: AnyFunction
    ) -> list[Maybe]:
        """Go forward through the program."""
        again = [variable(x) for x in xs]
        outputs = instantiated(self.program, again)
        changes = [(x.node, t) for x, t in zip(again, tangents, strict=True) if t is not None]
        return list(walk(changes, [y.node for y in outputs]))

    def batched(self, size: int) -> _Recomputed:
        """The same for a batch."""
        members = placeholders([node.type for node in self.program.inputs])
        outputs = instantiated(self.program, members)
        whole = placeholders([m.node.type.with_shape((size, *m.shape)) for m in members])
        stand_for = {m.node: w for m, w in zip(members, whole, strict=True)}
        found = batch([y.node for y in outputs], stand_for, size)
        wide = [y if is_wide else broadcast(y, (size, *y.shape)) for y, is_wide in found]
        return _Recomputed(closed(wide, whole))


@dataclass(frozen=True, eq=False, slots=True)
class _OwnRule:
    """A user's pull or push, or both; the one that is missing is the transpose of the other."""

    backward: AnyFunction | None
    forward: AnyFunction | None
    arguments: Structure
    result: Structure
    name: str

    def pull(self, errors: Sequence[Maybe], ys: Sequence[Array], xs: Sequence[Array], walk: AnyFunction) -> list[Maybe]:
        """The errors of the arguments."""
        filled = [_zeros(y) if error is None else error for error, y in zip(errors, ys, strict=True)]
        if self.backward is not None:
            return self._pulled(self.backward, filled, ys, xs)
        assert self.forward is not None
        changes = [variable(_zeros(x)) for x in xs]
        moved = self._pushed(self.forward, changes, ys, xs)
        pairs = [(m.node, e) for m, e in zip(moved, filled, strict=True) if m is not None]
        return list(backpropagate(pairs, [c.node for c in changes]))

    def push(
        self, tangents: Sequence[Maybe], ys: Sequence[Array], xs: Sequence[Array], walk: AnyFunction
    ) -> list[Maybe]:
        """The changes of the results."""
        filled = [_zeros(x) if t is None else t for t, x in zip(tangents, xs, strict=True)]
        if self.forward is not None:
            return self._pushed(self.forward, filled, ys, xs)
        assert self.backward is not None
        errors = [variable(_zeros(y)) for y in ys]
        pulled = self._pulled(self.backward, errors, ys, xs)
        pairs = [(p.node, t) for p, t in zip(pulled, filled, strict=True) if p is not None]
        return list(backpropagate(pairs, [e.node for e in errors]))

    def batched(self, size: int) -> _OwnRule:
        """The same rules for every member of a batch."""
        backward, forward = (vmap(rule) if rule else None for rule in (self.backward, self.forward))
        return _OwnRule(backward, forward, self.arguments, self.result, self.name)

    def _pulled(self, rule: AnyFunction, errors: Sequence[Array], ys: Any, xs: Any) -> list[Maybe]:
        given = unflatten(self.arguments, xs)
        found = rule(unflatten(self.result, errors), unflatten(self.result, ys), *given)
        parts = found if isinstance(found, tuple) and len(found) == len(given) else (found,)
        if len(parts) != len(given):
            raise ShapeError(f"the pull of {self.name} must return {len(given)} errors, one for each argument.")
        leaves = [
            leaf for part, mine in zip(parts, self.arguments.children, strict=True) for leaf in _leaves(part, mine)
        ]
        return [self._fitting(leaf, x, "pull") for leaf, x in zip(leaves, xs, strict=True)]

    def _pushed(self, rule: AnyFunction, tangents: Sequence[Array], ys: Any, xs: Any) -> list[Maybe]:
        given = unflatten(self.arguments, xs)
        found = rule(unflatten(self.arguments, tangents), unflatten(self.result, ys), *given)
        return [self._fitting(leaf, y, "push") for leaf, y in zip(_leaves(found, self.result), ys, strict=True)]

    def _fitting(self, leaf: Any, like: Array, rule: str) -> Maybe:
        if leaf is None or not like.node.type.is_float:
            return None
        array = as_array(leaf)
        if array.shape != like.shape:
            raise ShapeError(f"the {rule} of {self.name} gave {array.node.type} for {like.node.type}.")
        return array.astype(like.dtype)


def _leaves(tree: Any, structure: Structure) -> list[Any]:
    """The leaves of what a rule gave for a part; None for each where it gave None."""
    leaves = matched(tree, structure)
    if leaves is None:
        count = len(flatten(tree)[0])
        raise ShapeError(f"a rule gave another tree, of {count} arrays, where one of {structure.leaves} belongs.")
    return leaves


def _zeros(x: Array) -> Array:
    return Array(full(0, x.node.type))
