"""What a transformation makes of a function: an object that is called, bound, copied, pickled and shown like one."""

from __future__ import annotations

import functools
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any, ParamSpec, final

from chainrule.trace.recorded import AnyFunction
from chainrule.transform.arguments import name_of

__all__ = ["Transformed", "transformation"]

P = ParamSpec("P")


class Transformed(ABC):
    """A function that a transformation made of another, whose name, signature, docstring and attributes it has.

    It is copied and pickled by its name where a module has it under that name, as one that a decorator made; otherwise
    by the way it was made, which is done again.
    """

    __slots__ = ("__dict__", "__weakref__", "_made_by")

    __wrapped__: AnyFunction

    def __init__(self, like: AnyFunction, made_by: tuple[AnyFunction, Sequence[Any], Mapping[str, Any]]) -> None:
        functools.update_wrapper(self, like)
        self._made_by = made_by

    @abstractmethod
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What the transformed function returns."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: the instance is the first argument."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str | tuple[Any, ...]:
        if _found(self) is self:
            return str(getattr(self, "__qualname__", ""))
        make, arguments, options = self._made_by
        named = {name: _portable(option) for name, option in options.items()}
        return _make, (make, tuple(map(_portable, arguments)), named)

    def __repr__(self) -> str:
        return f"<{name_of(self._made_by[0]).strip('_')} of {name_of(self.__wrapped__)}>"


@final
class _ByClosure(Transformed):
    """A transformed function that a closure computes."""

    __slots__ = ("_call",)

    def __init__(self, call: AnyFunction, made_by: tuple[AnyFunction, Sequence[Any], Mapping[str, Any]]) -> None:
        super().__init__(call, made_by)
        self.__wrapped__ = getattr(call, "__wrapped__", call)
        self._call = call

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._call(*arguments, **options)


def transformation(make: Callable[P, AnyFunction]) -> Callable[P, AnyFunction]:
    """Of a function that makes functions, in closures that `functools.wraps` them: the same, in ordinary objects."""

    @functools.wraps(make)
    def made(*arguments: P.args, **options: P.kwargs) -> AnyFunction:
        return _ByClosure(make(*arguments, **options), (made, arguments, options))

    return made


def _make(make: AnyFunction, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    return make(*arguments, **options)


# functions by name


def _found(thing: Any) -> Any:
    """What a module has under the name of a function; None if there is nothing."""
    name = getattr(thing, "__qualname__", None) or "?"
    try:
        return functools.reduce(getattr, name.split("."), sys.modules[thing.__module__])
    except (AttributeError, KeyError):
        return None


def _portable(thing: Any) -> Any:
    """A function, in a form that can be pickled if its name stands for what a decorator has made of it."""
    if isinstance(thing, FunctionType) and isinstance(outer := _found(thing), Transformed):
        return next(
            (_InnerFunction(outer, depth) for depth, inner in enumerate(_layers(outer)) if inner is thing), thing
        )
    return thing


def _layers(outer: Any) -> Iterator[Any]:
    """A function, and those that it was made of, one within the other."""
    while outer is not None:
        yield outer
        outer = getattr(outer, "__wrapped__", None)


class _InnerFunction:
    """Stands, while it is pickled, for the function that lies so many layers within another."""

    def __init__(self, outer: Transformed, depth: int) -> None:
        self.found = outer, depth

    def __reduce__(self) -> tuple[Any, ...]:
        return _inner_function, self.found


def _inner_function(outer: Any, depth: int) -> Any:
    return list(_layers(outer))[depth]
