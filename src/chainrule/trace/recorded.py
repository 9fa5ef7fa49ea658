"""One function for plain and for traced arrays: NumPy's own for the ones, a recording for the others."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.errors import OptionError, TracingError
from chainrule.graph.interpret import has_value, value
from chainrule.trace.array import Array

__all__ = ["Function", "as_recorded", "is_traced", "known", "offered", "place", "recorded", "through_arrays"]

Function = Callable[..., Any]
_SEQUENCES = (list, tuple)
_NOT_GIVEN = inspect.signature(np.sum).parameters["keepdims"].default  # as NumPy's own functions hand it on


def is_traced(x: Any) -> bool:
    """Whether an Array stands here or in a list here."""
    return isinstance(x, Array) or (isinstance(x, _SEQUENCES) and any(map(is_traced, x)))


def recorded(plain: Function) -> Callable[[Function], Function]:
    """NumPy's `plain` when no argument is an Array; otherwise the decorated function, which records.

    OptionError names the options of NumPy's that the decorated function does not take.
    """

    def decorate(record: Function) -> Function:
        taken = frozenset(inspect.signature(record).parameters)

        @functools.wraps(record)
        def function(*arguments: Any, **options: Any) -> Any:
            if any(map(is_traced, arguments)) or (options and any(map(is_traced, options.values()))):
                return record(*arguments, **(_checked(record.__name__, taken, options) if options else options))
            return plain(*arguments, **options)

        return function

    return decorate


def _checked(name: str, taken: frozenset[str], options: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: option for key, option in options.items() if option is not _NOT_GIVEN}
    foreign = [key for key, option in given.items() if key not in taken and option is not None]
    if foreign:
        raise OptionError(
            f"{name} of a traced array does not take {', '.join(foreign)}.",
            cure="A plain array cannot be changed to a traced one in place: write z = z + x for z += x, and the like."
            if "out" in foreign
            else "",
        )
    return {key: option for key, option in given.items() if key in taken}


def through_arrays(record: Function) -> Function:
    """A function that NumPy has not: of plain arrays, the value of what would be recorded."""

    @functools.wraps(record)
    def plain(*arguments: Any, **options: Any) -> Any:
        result = record(*arguments, **options)
        return tuple(map(_plain, result)) if isinstance(result, tuple) else _plain(result)

    return recorded(plain)(record)


def _plain(x: Any) -> Any:
    if not isinstance(x, Array):
        return x
    found = x.value
    return found[()] if found.ndim == 0 else np.array(found)


def as_recorded(name: str, plain: Function, record: Function, doc: str) -> Function:
    """`record` under NumPy's name for it, with a docstring, as `recorded` makes it."""
    record.__name__ = record.__qualname__ = name
    record.__doc__ = doc
    return recorded(plain)(record)


def known(name: str, x: Any, cure: str = "Pass a plain number or array.") -> Any:
    """A plain value of an argument that a shape depends on; TracingError if it is not known."""
    if not isinstance(x, Array):
        return x
    if not has_value(x.node):
        raise TracingError(
            f"{name} depends on a value that does not exist while compiling, nor inside vmap.", cure=cure
        )
    return value(x.node)


def place(name: str) -> list[Any]:
    """Where a name stands in a list of names: numbers in it by size, log1p before log10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def offered(module: Mapping[str, Any]) -> list[str]:
    """The public functions of a module, in order."""
    own = (
        name
        for name, thing in module.items()
        if not name.startswith("_") and inspect.isfunction(thing) and thing.__module__ == module["__name__"]
    )
    return sorted(own, key=place)
