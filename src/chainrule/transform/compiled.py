"""Functions compiled to native code."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from chainrule.errors import DTypeError, Hint, OptionError
from chainrule.graph.graph import Graph
from chainrule.numpy.lookup_tables import looked_at
from chainrule.trace.array import Array
from chainrule.trace.plain import transforming
from chainrule.trace.recorded import AnyFunction
from chainrule.trace.tracing import argument_types, trace
from chainrule.trace.tree import Structure, flatten, statics, unflatten
from chainrule.transform.arguments import name_of
from chainrule.transform.transformed import Transformed

__all__ = ["Compiled", "compile"]


def compile(function: AnyFunction) -> Compiled:
    """The same function as native code, made once for each structure, shapes and dtypes of its arguments.

    Shapes and dtypes are known while it is traced, values are not: use `np.where` in place of an `if` on a value.
    Python integers, booleans and strings among the arguments are constants of the program, which is made anew for
    other ones. The program for given arguments is `compiled.program(*arguments)`, and prints as its kernels.

    An array that the function closes over is read at each call, so changes made in place are seen. A name that is bound
    to another array or number is not looked up again: what may change that way must be an argument. Nor is anything
    done again that NumPy alone makes of such arrays while the function is traced.

    Raises TracingError if Python asks for a value of an argument; DTypeError if one holds no numbers, or is the
    instance of a compiled method's class and no dataclass; OptionError if one is a callable that is not hashable.

    >>> import chainrule as cr
    >>> from chainrule import numpy as np
    >>> slope = cr.compile(cr.grad(lambda w, x: np.sum(np.tanh(w * x))))
    >>> slope(np.zeros(3), np.ones(3))
    array([1., 1., 1.])
    """
    return Compiled(function)


@final
class Compiled(Transformed):
    """A function with its native programs, one for each kind of arguments that it has been called with."""

    __slots__ = ("_programs", "_seen", "function")

    def __init__(self, function: AnyFunction) -> None:
        super().__init__(function, (compile, (function,), {}))
        self.__wrapped__ = self.function = function
        self._programs: dict[Any, Any] = {}
        self._seen: dict[Any, tuple[Any, Structure, list[int]]] = {}  # the same by what arguments look like at a glance

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run the program for these arguments; inside another transformation, the function itself."""
        with transforming() as outermost:
            if not outermost:  # the arrays that the function closes over may be traced, so the arguments do not tell
                return looked_at(self.function, *arguments, **options)
        leaves, structure = flatten((arguments, options))
        program, result, dynamic = self._prepared(leaves, structure)
        outputs = program(*(leaves[n] for n in dynamic))
        return unflatten(result, [o[()] if o.ndim == 0 else o for o in outputs])

    def __repr__(self) -> str:
        return f"<compiled {name_of(self.function)}>"

    def program(self, *arguments: Any, **options: Any) -> Any:
        """The native program for arguments like these; prints as its kernels."""
        return self._prepared(*flatten((arguments, options)))[0]

    def flops(self, *arguments: Any, **options: Any) -> int:
        """The floating-point operations of one call with arguments like these, counted without making native code.

        A transcendental function counts as one; a loop whose number of rounds is not known as one round.
        """
        from chainrule.run.program import flops

        leaves, structure = flatten((arguments, options))
        return flops(self._traced(leaves, structure, *_types(leaves, structure))[0])

    def _prepared(self, leaves: list[Any], structure: Structure) -> tuple[Any, Structure, list[int]]:
        """The program for such arguments, the structure of its result, and which of the leaves it takes."""
        seen = (structure, *map(_kind, leaves))
        try:
            known = self._seen.get(seen)
        except TypeError:
            _check_hashable(structure)
            raise
        if known is None:
            known = self._seen[seen] = self._found(leaves, structure)
        return known

    def _found(self, leaves: list[Any], structure: Structure) -> tuple[Any, Structure, list[int]]:
        from chainrule.run.program import build

        self._check_instance(leaves, structure)
        dynamic, types, weak = _types(leaves, structure)
        static = tuple((n, type(leaf), leaf) for n, leaf in enumerate(leaves) if isinstance(leaf, bool | int))
        key = (structure, tuple(types), weak, static)
        if key not in self._programs:
            graph, result = self._traced(leaves, structure, dynamic, types, weak)
            self._programs[key] = build(graph), result
            if self._programs[key][0].is_written_out:
                Hint.give(
                    f"{name_of(self.function)} has a great many kernels, most of them alike, as of a loop written out.",
                    cure="cr.scan compiles one round of a loop, and starts the sooner.",
                )
        return (*self._programs[key], dynamic)

    def _check_instance(self, leaves: list[Any], structure: Structure) -> None:
        """Refuse to be the method of an object that is no tree: what it holds would be taken for constants."""
        first = next(iter(structure.children[0].children), None)
        if first is None or first.kind not in (None, "static"):
            return
        instance = leaves[0] if first.kind is None else first.keys[0]
        owner = next((kind.__name__ for kind in type(instance).__mro__ if self in vars(kind).values()), None)
        if owner is not None:
            raise DTypeError(
                f"{owner}.{name_of(self.function)} is compiled, but an instance of {owner} is no tree of arrays.",
                cure=f"Make {owner} a dataclass: write @dataclass above it. Its fields, arrays or trees of them, are "
                "then arguments of the program; field(metadata={'static': True}) marks those that are none.",
            )

    def _traced(
        self, leaves: list[Any], structure: Structure, dynamic: list[int], types: Any, weak: Any
    ) -> tuple[Graph, Structure]:
        def from_dynamic(*arrays: Array) -> Any:
            full_leaves = list(leaves)
            for n, array in zip(dynamic, arrays, strict=True):
                full_leaves[n] = array
            arguments, options = unflatten(structure, full_leaves)
            return looked_at(self.function, *arguments, **options)

        flat = flatten(tuple(range(len(dynamic))))[1]
        with transforming():
            return trace(from_dynamic, flat, types, weak)


def _check_hashable(structure: Structure) -> None:
    """OptionError names what among the arguments is no array and cannot be told from others of its kind."""
    for value in statics(structure):
        try:
            hash(value)
        except TypeError:
            raise OptionError(
                f"an argument holds {value!r}, which is no array, and is not hashable: a compiled function cannot know "
                "for which others its program holds.",
                cure="Make it hashable: a tuple in place of a list, a class with a __hash__ that goes with its __eq__; "
                "or close over it.",
            ) from None


def _types(leaves: list[Any], structure: Structure) -> tuple[list[int], Any, frozenset[int]]:
    """Which leaves are arguments of the program, not constants; their types; which of them are Python's floats."""
    dynamic = [n for n, leaf in enumerate(leaves) if not isinstance(leaf, bool | int)]
    types = argument_types([leaves[n] for n in dynamic], structure, dynamic)
    return dynamic, types, frozenset(n for n, leaf in enumerate(leaves[n] for n in dynamic) if type(leaf) is float)


def _kind(leaf: Any) -> Any:
    """What is seen of an argument at a glance: shape and dtype of an array, a whole number itself."""
    if type(leaf) is np.ndarray:
        return leaf.shape, leaf.dtype
    return (
        (type(leaf), leaf)
        if isinstance(leaf, bool | int)
        else (type(leaf), np.shape(leaf), getattr(leaf, "dtype", None))
    )
