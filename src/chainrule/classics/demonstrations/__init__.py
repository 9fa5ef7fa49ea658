"""Demonstrations by name: experiments of Nielsen's book. What one needs is imported when it is asked for."""

from __future__ import annotations

from types import MappingProxyType

from chainrule.classics.demonstrations.base import Demonstration
from chainrule.classics.registry import Names, made

__all__ = ["DEMONSTRATIONS", "demonstration"]

#: The module of each demonstration, and its class.
DEMONSTRATIONS: Names = MappingProxyType(
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
    found: Demonstration = made("demonstration", DEMONSTRATIONS, name, {})
    return found
