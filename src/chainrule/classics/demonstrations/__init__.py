"""Demonstrations by name: experiments of Nielsen's book. What one needs is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from chainrule.classics.demonstrations.base import Demonstration
from chainrule.errors import OptionError

__all__ = ["DEMONSTRATIONS", "demonstration"]

#: The module of each demonstration, and its class.
DEMONSTRATIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "toy-neuron": ("toy_neuron", "ToyNeuron"),
        "chapter-1": ("chapter_1", "ChapterOne"),
        "vanishing-gradients": ("vanishing_gradients", "VanishingGradients"),
    }
)


def demonstration(name: str) -> Demonstration:
    """The demonstration of that name.

    Raises OptionError if there is none of that name.

    >>> demonstration("toy-neuron").title
    'a neuron that learns slowly where it is most wrong'
    """
    if name not in DEMONSTRATIONS:
        raise OptionError(f"there is no demonstration {name!r}.", cure=f"There are {', '.join(DEMONSTRATIONS)}.")
    module, kind = DEMONSTRATIONS[name]
    made: Demonstration = getattr(import_module(f"chainrule.classics.demonstrations.{module}"), kind)()
    return made
