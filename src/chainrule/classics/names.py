"""What goes by a name: the module of the package that it is in is imported when it is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from chainrule.errors import OptionError

__all__ = ["Names", "check", "made", "options_of"]

#: For each name the module, and what in it makes the thing.
Names = Mapping[str, tuple[str, str]]


def check(what: str, names: Collection[str], name: str) -> None:
    """OptionError if there is nothing of that name, with the one that was probably meant, and all there are."""
    if name not in names:
        meant = "".join(f"Did you mean {close}? " for close in get_close_matches(name, names, 1))
        raise OptionError(f"there is no {what} {name!r}.", cure=f"{meant}There are {', '.join(names)}.")


def made(kind: str, names: Names, name: str, options: Mapping[str, Any]) -> Any:
    """The problem, rule or demonstration (`kind`) of that name, made with the options.

    Raises OptionError if there is none of that name, or it does not have such options.
    """
    known = options_of(kind, names, name)
    make = _maker(kind, names, name)
    try:
        inspect.signature(make).bind(**options)
    except TypeError:
        told = ", ".join(known) or "none"
        raise OptionError(f"{name} has no options {', '.join(options)}.", cure=f"Its options: {told}.") from None
    return make(**options)


def options_of(kind: str, names: Names, name: str) -> list[str]:
    """The names of the options of the problem, rule or demonstration of that name; OptionError if there is none."""
    check(kind, names, name)
    return list(inspect.signature(_maker(kind, names, name)).parameters)


def _maker(kind: str, names: Names, name: str) -> Any:
    module, maker = names[name]
    return getattr(import_module(f"chainrule.classics.{kind}s.{module}"), maker)
