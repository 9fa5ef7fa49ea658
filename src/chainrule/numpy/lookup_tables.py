"""Plain arrays that traced integers index: `table[i]`, where `i` has no value yet.

It is NumPy's array that is asked, and NumPy asks `i` for its value. So a function in which that fails is looked at once
more, with LookupTables in place of the plain arrays that it closes over, that it finds by name in its module, that it
has as defaults, and that objects among these have as attributes. A LookupTable shares its memory with the array, and is
one in every way but that a lookup by traced integers is recorded.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeVar

import numpy as np

from chainrule.errors import TracingError
from chainrule.graph.interpret import has_value
from chainrule.numpy.indexing import indexed
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import flatten, unflatten

__all__ = ["LookupTable", "looked_at"]

R = TypeVar("R")


class LookupTable(np.ndarray[Any, Any]):
    """A plain array, of which traced integers take elements as of a traced one."""

    def __getitem__(self, key: Any) -> Any:
        if any(isinstance(k, Array) and not has_value(k.node) for k in (key if isinstance(key, tuple) else (key,))):
            return indexed(as_array(np.asarray(self)), key)
        return super().__getitem__(key)


def looked_at(function: Callable[..., R], *arguments: Any, **options: Any) -> R:
    """What a function returns; if it fails for want of a value, what it returns with LookupTables for plain arrays."""
    try:
        return function(*arguments, **options)
    except TracingError as problem:
        copies = _Copies()
        try:
            again: Callable[..., R] = copies.of(function)
            if copies.tables:
                return again(*arguments, **options)
        except Exception:  # what cannot be copied, or fails with LookupTables too: the first problem is the one to tell
            raise problem from None
        raise


class _Copies:
    """Copies of functions, and of what they see, in which LookupTables stand for plain arrays; each is made once."""

    def __init__(self) -> None:
        self.tables = 0
        self._made: dict[int, tuple[Any, Any]] = {}  # by identity, with the original, which must live as long

    def of(self, thing: Any) -> Any:
        """The copy of a thing; itself, if nothing in it is a plain array."""
        if id(thing) not in self._made:
            self._made[id(thing)] = thing, thing  # until it is made: a function may see itself
            self._made[id(thing)] = thing, self._copy(thing)
        return self._made[id(thing)][1]

    def _copy(self, thing: Any) -> Any:
        if type(thing) is np.ndarray:
            self.tables += 1
            return thing.view(LookupTable)
        if isinstance(thing, FunctionType):  # the functions of libraries look at those that they call themselves
            return thing if thing.__module__.partition(".")[0] in _LIBRARIES else self._of_function(thing)
        if isinstance(thing, MethodType):
            return MethodType(self.of(thing.__func__), self.of(thing.__self__))
        if isinstance(thing, functools.partial):
            return functools.partial(self.of(thing.func), *map(self.of, thing.args), **self._of_each(thing.keywords))
        leaves, structure = flatten(thing)
        if _hold_an_array(leaves):
            return unflatten(structure, map(self.of, leaves))
        if not isinstance(thing, type | ModuleType) and _hold_an_array(getattr(thing, "__dict__", {}).values()):
            made = copy.copy(thing)
            self._made[id(thing)] = thing, made
            made.__dict__.update(self._of_each(vars(thing)))
            return made
        return thing

    def _of_each(self, things: dict[str, Any]) -> dict[str, Any]:
        return {name: self.of(thing) for name, thing in things.items()}

    def _of_function(self, function: FunctionType) -> FunctionType:
        cells = tuple(CellType() for _ in function.__closure__ or ())
        names = dict(function.__globals__)
        made = FunctionType(function.__code__, names, function.__name__, None, cells)
        self._made[id(function)] = function, made
        for mine, cell in zip(cells, function.__closure__ or (), strict=True):
            try:
                mine.cell_contents = self.of(cell.cell_contents)
            except ValueError:  # nothing is in it yet
                continue
        names.update(self._of_each({name: names[name] for name in _names(function.__code__) if name in names}))
        made.__defaults__ = None if function.__defaults__ is None else tuple(map(self.of, function.__defaults__))
        made.__kwdefaults__ = self._of_each(function.__kwdefaults__ or {})
        functools.update_wrapper(made, function)
        return made


_LIBRARIES = frozenset({"chainrule", "numpy", *sys.stdlib_module_names})


def _hold_an_array(things: Iterable[Any]) -> bool:
    return any(type(thing) is np.ndarray for thing in things)


def _names(code: CodeType) -> Iterator[str]:
    """The names that a function and those written inside it may look up in their module."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
