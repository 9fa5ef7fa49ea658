"""The rules by name. What a rule needs is imported when it is asked for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from chainrule.classics.registry import Names, made
from chainrule.classics.rules.base import Rule

__all__ = ["RULES", "rule"]

#: The module of each rule, and its class.
RULES: Names = MappingProxyType(
    {
        "backpropagation": ("backpropagation", "SweepDescent"),
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
    found: Rule = made("rule", RULES, name, options)
    return found
