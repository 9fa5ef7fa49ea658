"""1986, runnable: the networks that made the case for backpropagation, and the approaches to learning before it.

from chainrule import classics

problem = classics.problem("symmetry")
found = classics.trials(problem, classics.rule("backpropagation"), 1000)
found.fraction, found.quantile(0.5)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.classics.lanes import Trials, run_trials, trials
    from chainrule.classics.problems import PROBLEMS, problem
    from chainrule.classics.problems.base import Problem, Published, Settings
    from chainrule.classics.rules import RULES, rule
    from chainrule.classics.rules.base import Rule, Spending

__all__ = [
    "PROBLEMS",
    "RULES",
    "Problem",
    "Published",
    "Rule",
    "Settings",
    "Spending",
    "Trials",
    "problem",
    "rule",
    "run_trials",
    "trials",
]

_PLACES = {
    "PROBLEMS": "problems",
    "RULES": "rules",
    "Problem": "problems.base",
    "Published": "problems.base",
    "Rule": "rules.base",
    "Settings": "problems.base",
    "Spending": "rules.base",
    "Trials": "lanes",
    "problem": "problems",
    "rule": "rules",
    "run_trials": "lanes",
    "trials": "lanes",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'chainrule.classics' has no attribute {name!r}")
    return getattr(import_module(f"chainrule.classics.{_PLACES[name]}"), name)
