"""What goes by a name: the module of the package that it is in is imported when it is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from chainrule.errors import OptionError

__all__ = ["Names", "made"]

#: For each name the module, and what in it makes the thing.
Names = Mapping[str, tuple[str, str]]


def made(kind: str, names: Names, name: str, options: Mapping[str, Any]) -> Any:
    """The problem, rule or demonstration (`kind`) of that name, made with the options.

    Raises OptionError if there is none of that name, or it does not have such options.
    """
    if name not in names:
        raise OptionError(f"there is no {kind} {name!r}.", cure=f"There are {', '.join(names)}.")
    module, maker = names[name]
    make = getattr(import_module(f"chainrule.classics.{kind}s.{module}"), maker)
    try:
        inspect.signature(make).bind(**options)
    except TypeError:
        known = ", ".join(inspect.signature(make).parameters) or "none"
        raise OptionError(f"{name} has no options {', '.join(options)}.", cure=f"Its options: {known}.") from None
    return make(**options)
