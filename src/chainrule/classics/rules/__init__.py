"""The rules by name. What a rule needs is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from chainrule.classics.rules.base import Rule
from chainrule.errors import OptionError

__all__ = ["RULES", "rule"]

#: The module of each rule, and its class.
RULES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "backpropagation": ("backpropagation", "Backpropagation"),
        "perceptron": ("perceptron", "Perceptron"),
        "delta": ("delta", "Delta"),
        "boltzmann": ("boltzmann", "Boltzmann"),
        "reward-penalty": ("reinforcement", "RewardPenalty"),
        "reinforce": ("reinforcement", "Reinforce"),
        "node-perturbation": ("perturbation", "NodePerturbation"),
        "weight-perturbation": ("perturbation", "WeightPerturbation"),
        "finite-differences": ("finite_differences", "FiniteDifferences"),
        "random-search": ("random_search", "RandomSearch"),
    }
)


def rule(name: str, **options: Any) -> Rule:
    """The rule of that name; `options` are its fields, such as a rate.

    Raises OptionError if there is none of that name, or it does not have such options.

    >>> rule("backpropagation").title
    'backpropagation (Rumelhart, Hinton & Williams 1986)'
    """
    if name not in RULES:
        raise OptionError(f"there is no rule {name!r}.", cure=f"There are {', '.join(RULES)}.")
    module, kind = RULES[name]
    try:
        made: Rule = getattr(import_module(f"chainrule.classics.rules.{module}"), kind)(**options)
    except TypeError as mistake:
        raise OptionError(f"{name}: {mistake}.") from None
    return made
