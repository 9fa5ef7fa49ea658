"""What goes by a name: the module of the package that it is in is imported when it is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any

from chainrule.checks import one_of

__all__ = ["Names", "check", "made", "options_of"]

#: For each name the module, and what in it makes the thing.
Names = Mapping[str, tuple[str, str]]


def check(what: str, names: Collection[str], name: str) -> None:
    """OptionError if there is nothing of that name, with the one that was probably meant, and all there are."""
    one_of(what, name, names)


def made(kind: str, names: Names, name: str, options: Mapping[str, Any]) -> Any:
    """The problem, rule or demonstration (`kind`) of that name, made with the options.

    Raises OptionError if there is none of that name, or it does not have such options.
    """
    known = options_of(kind, names, name)
    for option in options:
        one_of(f"the options of {name}", option, known)
    return _maker(kind, names, name)(**options)


def options_of(kind: str, names: Names, name: str) -> list[str]:
    """The names of the options of the problem, rule or demonstration of that name; OptionError if there is none."""
    check(kind, names, name)
    return list(inspect.signature(_maker(kind, names, name)).parameters)


def _maker(kind: str, names: Names, name: str) -> Any:
    module, maker = names[name]
    return getattr(import_module(f"chainrule.classics.{kind}s.{module}"), maker)
