"""The problems by name. What a problem needs is imported when it is asked for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from chainrule.classics.problems.base import Problem
from chainrule.classics.registry import Names, made, options_of

__all__ = ["PROBLEMS", "problem", "size_option"]

_SIZES = ("bits", "n", "units", "side", "iterations", "hidden")  # what the problems call their sizes

#: The module of each problem, and the function in it that makes it.
PROBLEMS: Names = MappingProxyType(
    {
        "xor": ("xor", "xor"),
        "xor-direct": ("xor", "xor_direct"),
        "parity": ("parity", "parity"),
        "encoder": ("encoder", "encoder"),
        "boltzmann-encoder": ("boltzmann_encoders", "boltzmann_encoder"),
        "distributed-to-local": ("encoder", "distributed_to_local"),
        "symmetry": ("symmetry", "symmetry"),
        "symmetry-pdp": ("symmetry", "symmetry_pdp"),
        "addition": ("addition", "addition"),
        "negation": ("negation", "negation"),
        "t-c": ("t_c", "t_c"),
        "sigma-pi": ("sigma_pi", "sigma_pi"),
        "family-trees": ("family_trees", "family_trees"),
        "family-trees-as-printed": ("family_trees", "family_trees_as_printed"),
        "shift-register": ("shift_register", "shift_register"),
        "iterative": ("iterative", "iterative"),
        "sequences": ("sequences", "sequences"),
    }
)


def problem(name: str, **options: Any) -> Problem:
    """The problem of that name; `options` are those of its function, such as the bits of a parity.

    Raises OptionError if there is none of that name, or it does not have such options.

    >>> problem("symmetry").patterns
    64
    """
    found: Problem = made("problem", PROBLEMS, name, options)
    return found


def size_option(name: str) -> str | None:
    """The option that is the size of the problem of that name, as the bits of a parity; None if it comes in one size.

    Raises OptionError if there is no problem of that name.

    >>> size_option("parity"), size_option("negation")
    ('bits', None)
    """
    return next((option for option in options_of("problem", PROBLEMS, name) if option in _SIZES), None)
