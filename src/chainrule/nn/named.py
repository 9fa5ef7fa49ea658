"""Values that go by a name: activations, costs, initialisers. Each holds all that is known of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from chainrule.checks import one_of, refusal

__all__ = ["STATIC", "Named", "checked_name", "named"]

#: The metadata of a field that is no part of a tree's arrays.
STATIC = {"static": True}


class Named(ABC):
    """A value that has a name: it shows itself by it, and equals another value of the same facts.

    It equals a name if that stands for it, so `layer.activation == "relu"` may be asked; a user's own of the same name
    does not. Whatever else there is to know, the value itself is asked.
    """

    name: str

    @classmethod
    @abstractmethod
    def known(cls) -> Mapping[str, Any]:
        """Those that names stand for."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other in self.known() and self == self.known()[other]
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
