"""The problems by name. What a problem needs is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from chainrule.classics.problems.base import Problem
from chainrule.errors import OptionError

__all__ = ["PROBLEMS", "problem"]

#: The module of each problem, and the function in it that makes it.
PROBLEMS: Mapping[str, tuple[str, str]] = MappingProxyType(
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
    if name not in PROBLEMS:
        raise OptionError(f"there is no problem {name!r}.", cure=f"There are {', '.join(PROBLEMS)}.")
    module, function = PROBLEMS[name]
    try:
        made: Problem = getattr(import_module(f"chainrule.classics.problems.{module}"), function)(**options)
    except TypeError as mistake:
        raise OptionError(f"{name}: {mistake}.") from None
    return made
