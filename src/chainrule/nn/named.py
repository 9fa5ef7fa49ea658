"""Values that go by a name: activations, costs, initialisers. Each holds all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from chainrule.checks import one_of, refusal

__all__ = ["STATIC", "Named", "checked_name", "named"]

#: The metadata of a field that is no part of a tree's arrays.
STATIC = {"static": True}


class Named:
    """A value that has a name: it shows itself by it, and equals it, as well as another value of the same facts.

    So `layer.activation == "relu"` may be asked; whatever else there is to know, the value itself is asked.
    """

    name: str

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.name == other
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in fields(self))  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


_Value = TypeVar("_Value", bound=Named)


def named(what: str, asked: Any, known: Mapping[str, _Value], kind: type[_Value]) -> _Value:
    """The value that is asked for, itself or by its name; OptionError for anything else."""
    return asked if isinstance(asked, kind) else known[one_of(what, asked, known)]


def checked_name(what: str, name: Any) -> str:
    """A name that can be printed in one line; OptionError for anything else."""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise refusal(f"the name of {what}", "text that can be printed", name)
    return name
