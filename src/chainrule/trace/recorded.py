"""One function for plain and for traced arrays: NumPy's own for the ones, a recording for the others."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType, MappingProxyType
from typing import Any, Generic, ParamSpec, TypeVar, overload

import numpy as np

from chainrule.errors import OptionError, TracingError
from chainrule.graph.interpret import INTEGERS, has_value
from chainrule.trace.array import NUMPY_ITSELF, Array
from chainrule.trace.plain import Request, may_become_plain, plain_value, shown
from chainrule.trace.primitives import astype
from chainrule.trace.promotion import as_array

__all__ = [
    "AnyFunction", "UniversalFunction", "constant", "is_traced", "known", "may_all_become_plain", "named",
    "natural_order", "offered", "recorded", "through_arrays", "without_arrays",
]  # fmt: skip

AnyFunction = Callable[..., Any]
P = ParamSpec("P")
R = TypeVar("R")
_SEQUENCES = (list, tuple)
_NOT_GIVEN = inspect.signature(np.sum).parameters["keepdims"].default  # as NumPy's own functions hand it on


def is_traced(x: Any) -> bool:
    """Whether an Array stands here or in a list here."""
    return among_traced((x,))


def among_traced(values: Iterable[Any]) -> bool:
    """Whether an Array is among them, or in a list among them."""
    for x in values:  # noqa: SIM110 - a generator takes as long as all else here
        if isinstance(x, Array) or (isinstance(x, _SEQUENCES) and among_traced(x)):
            return True
    return False


class UniversalFunction(Generic[P, R]):
    """One of NumPy's universal functions, for Arrays as for plain arrays.

    `nin`, `types`, `identity` and all else are those of NumPy's own, which is `plain`. A `numpy.ufunc` it is not.
    """

    def __init__(self, plain: np.ufunc, record: Callable[P, R]) -> None:
        functools.update_wrapper(self, record)
        self.plain = plain
        self._recording = _Recording.of(record, plain)

    def __call__(self, *arguments: P.args, **options: P.kwargs) -> R:
        found: R
        if among_traced(arguments) or (options and among_traced(options.values())):
            plainly = not options and len(arguments) <= self.plain.nin
            found = self._recording.record(*arguments) if plainly else self._of_arrays(arguments, options)
        else:
            found = self.plain(*arguments, **options)
        return found

    def _of_arrays(self, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        """The arguments are cast as NumPy casts them for the option `dtype`."""
        dtype = None if "dtype" in self._recording.names else options.pop("dtype", None)
        if dtype is not None:
            arrays = [as_array(x) for x in arguments]
            results = (None,) * self.nout
            wanted = (*(None,) * self.nin, *(np.dtype(dtype) for _ in results))
            dtypes = self.plain.resolve_dtypes((*(x.dtype for x in arrays), *results), signature=wanted)
            arguments = [astype(x, cast) for x, cast in zip(arrays, dtypes, strict=False)]
        return self._recording(arguments, options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def __repr__(self) -> str:
        return f"<chainrule.numpy.{self.__name__}>"

    def __reduce__(self) -> str:
        return str(self.__qualname__)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        """The first slice along an axis with the second, the result with the third, and so on."""
        return self._over_axes("reduce", array, axis, dtype, out, **options)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """What `reduce` has come to at each slice along an axis."""
        return self._over_axes("accumulate", array, axis, dtype, out)

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """What `reduce` makes of the slices from each index to the next."""
        return self._over_axes("reduceat", array, indices, axis, dtype, out)

    def outer(self, a: Any, b: Any, /, **options: Any) -> Any:
        """Each element of `a` with each of `b`."""
        return self._over_axes("outer", a, b, **options)

    def at(self, a: Any, indices: Any, *values: Any) -> None:
        """Change a plain array in some elements: `chainrule.numpy.at` makes changed copies of traced ones."""
        self._over_axes("at", a, indices, *values)

    def _over_axes(self, method: str, *arguments: Any, **options: Any) -> Any:
        if not among_traced((*arguments, *options.values())):
            return getattr(self.plain, method)(*arguments, **options)
        given = {name: option for name, option in options.items() if option is not _NOT_GIVEN}
        return Array.language.over_axes(self, method, *arguments, **given)


@overload
def recorded(plain: np.ufunc) -> Callable[[Callable[P, R]], UniversalFunction[P, R]]: ...
@overload
def recorded(plain: AnyFunction) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def recorded(plain: Any) -> Any:
    """NumPy's `plain` when no argument is an Array; otherwise the decorated function, which records.

    Signature and types are those of the decorated function: an Array, as far as types say. An option of NumPy's that it
    does not take may have NumPy's default. With another one NumPy itself is called where no derivative is lost by it,
    and where one would be it is an OptionError.
    """
    if isinstance(plain, np.ufunc):
        return functools.partial(UniversalFunction, plain)

    def decorate(record: AnyFunction) -> AnyFunction:
        recording = _Recording.of(record, plain)
        positional = recording.positional

        @functools.wraps(record)
        def function(*arguments: Any, **options: Any) -> Any:
            if among_traced(arguments) or (options and among_traced(options.values())):
                plainly = not options and len(arguments) <= positional
                return record(*arguments) if plainly else recording(arguments, options)
            return plain(*arguments, **options)

        return function

    return decorate


@dataclass(frozen=True, slots=True)
class _Recording:
    """A function that records, beside NumPy's own; the names of its arguments, and how many it takes by position."""

    record: AnyFunction
    plain: AnyFunction
    names: frozenset[str]
    positional: int

    @classmethod
    def of(cls, record: AnyFunction, plain: AnyFunction) -> _Recording:
        parameters = inspect.signature(record).parameters.values()
        kinds = [p.kind for p in parameters]
        positional = sum(kind in _POSITIONAL for kind in kinds)
        any_number = inspect.Parameter.VAR_POSITIONAL in kinds
        return cls(record, plain, frozenset(p.name for p in parameters), sys.maxsize if any_number else positional)

    def __call__(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """What is recorded; NumPy's own of the plain values, with an option that only NumPy's own takes."""
        every = [p.name for p in _parameters(self.plain).values() if p.kind in _POSITIONAL]
        names = every[self.positional : len(arguments)] if len(arguments) <= len(every) else []
        told = {**dict(zip(names, arguments[self.positional :], strict=True)), **options} if names else options
        given = {key: option for key, option in told.items() if option is not _NOT_GIVEN}
        foreign = [k for k, option in given.items() if k not in self.names and not _is_default(self.plain, k, option)]
        if foreign:
            return _by_numpy(self.record.__name__, self.plain, arguments, options, foreign)
        own = {key: option for key, option in given.items() if key in self.names}
        return self.record(*arguments[: self.positional if names else None], **own)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _is_default(plain: AnyFunction, name: str, option: Any) -> bool:
    """Whether an option is what NumPy takes without it."""
    if option is None:
        return True
    parameter = _parameters(plain).get(name)
    default = _DEFAULTS.get(name, _NOT_GIVEN) if parameter is None else parameter.default
    return type(option) is type(default) and bool(option == default)


@functools.cache
def _parameters(plain: AnyFunction) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(plain).parameters
    except ValueError:  # before NumPy 2.4 functions written in C do not say
        return {}


_DEFAULTS: Mapping[str, Any] = MappingProxyType({"casting": "same_kind", "order": "K", "subok": True, "where": True})


def _by_numpy(name: str, plain: AnyFunction, arguments: Any, options: Any, foreign: Sequence[str]) -> Any:
    """NumPy's own function of the plain values; OptionError if a derivative would be lost by it."""
    if not may_all_become_plain((arguments, options)):
        in_place = "A plain array cannot be changed to a traced one in place: write z = z + x for z += x, and the like."
        raise OptionError(
            f"{name} of a traced array does not take {', '.join(foreign)}.", cure=in_place if "out" in foreign else ""
        )
    arguments, options = without_arrays((arguments, options))
    return plain(*arguments, **options)


def may_all_become_plain(x: Any) -> bool:
    """Whether `without_arrays` has an answer: no Array is in an argument of which a derivative would be lost."""
    if isinstance(x, Array):
        return may_become_plain(x.node)
    parts = x if type(x) in _SEQUENCES else x.values() if type(x) is dict else ()
    return all(map(may_all_become_plain, parts))


def without_arrays(x: Any) -> Any:
    """An argument of NumPy's with plain arrays, to be read only, in place of Arrays, in lists too.

    DifferentiationError if a derivative would be lost by it; TracingError if a value is not known.
    """
    if isinstance(x, Array):
        return plain_value(x.node, NUMPY_ITSELF)
    if type(x) in _SEQUENCES:
        return type(x)(map(without_arrays, x))
    return {key: without_arrays(part) for key, part in x.items()} if type(x) is dict else x


def through_arrays(record: Callable[P, R]) -> Callable[P, R]:
    """A function that NumPy has not: of plain arrays, the value of what would be recorded."""

    @functools.wraps(record)
    def plain(*arguments: Any, **options: Any) -> Any:
        result = record(*arguments, **options)
        return tuple(map(_plain, result)) if isinstance(result, tuple) else _plain(result)

    return recorded(plain)(record)


def _plain(x: Any) -> Any:
    if not isinstance(x, Array):
        return x
    found = shown(x.node)
    return found[()] if found.ndim == 0 else np.array(found)


def named(name: str, record: Callable[P, R], doc: str) -> Callable[P, R]:
    """A function written for several names, under one of them and with its docstring."""
    record.__name__ = record.__qualname__ = name
    record.__doc__ = doc
    return record


def constant(name: str, x: Any) -> Any:
    """A plain value of an argument that has no derivative; DifferentiationError if one would be lost by it."""
    return plain_value(x.node, Request(name, "It has no derivative in chainrule.")) if isinstance(x, Array) else x


def known(name: str, x: Any, cure: str = f"Pass what is plain. {INTEGERS}") -> Any:
    """A plain value of an argument that a shape depends on; TracingError if it is not known."""
    if not isinstance(x, Array):
        return x
    if not has_value(x.node):
        raise TracingError(
            f"{name} depends on a value that does not exist while compiling, nor inside vmap.", cure=cure
        )
    return shown(x.node)


_OFFERED = (FunctionType, UniversalFunction)


def natural_order(name: str) -> list[Any]:
    """The key that sorts names: numbers in it by size, log1p before log10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def offered(module: Mapping[str, Any]) -> list[str]:
    """The public functions of a module, in order."""
    own = (
        name
        for name, thing in module.items()
        if not name.startswith("_") and isinstance(thing, _OFFERED) and thing.__module__ == module["__name__"]
    )
    return sorted(own, key=natural_order)
