"""1986, runnable: the networks that made the case for backpropagation, and the approaches to learning before it.

from chainrule import classics

problem = classics.problem("symmetry")
found = classics.trials(problem, classics.rule("backpropagation"), 1000)
found.fraction, found.quantile(0.5)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.classics.demonstrations import DEMONSTRATIONS, demonstration
    from chainrule.classics.hinton import HintonDiagram, hinton_diagram
    from chainrule.classics.lanes import Trials, run_trials, trials
    from chainrule.classics.problems import PROBLEMS, problem
    from chainrule.classics.problems.base import Problem, Published, Settings
    from chainrule.classics.racing import race
    from chainrule.classics.rules import RULES, rule
    from chainrule.classics.rules.base import Rule, Spending
    from chainrule.classics.showing import Learnt, catalogue, run
    from chainrule.classics.standings import Entry, Race

__all__ = [
    "DEMONSTRATIONS",
    "PROBLEMS",
    "RULES",
    "Entry",
    "HintonDiagram",
    "Learnt",
    "Problem",
    "Published",
    "Race",
    "Rule",
    "Settings",
    "Spending",
    "Trials",
    "catalogue",
    "demonstration",
    "hinton_diagram",
    "problem",
    "race",
    "rule",
    "run",
    "run_trials",
    "trials",
]

_PLACES = {
    "DEMONSTRATIONS": "demonstrations",
    "PROBLEMS": "problems",
    "RULES": "rules",
    "Entry": "standings",
    "HintonDiagram": "hinton",
    "Learnt": "showing",
    "Problem": "problems.base",
    "Published": "problems.base",
    "Race": "standings",
    "Rule": "rules.base",
    "Settings": "problems.base",
    "Spending": "rules.base",
    "Trials": "lanes",
    "catalogue": "showing",
    "demonstration": "demonstrations",
    "hinton_diagram": "hinton",
    "problem": "problems",
    "race": "racing",
    "rule": "rules",
    "run": "showing",
    "run_trials": "lanes",
    "trials": "lanes",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'chainrule.classics' has no attribute {name!r}")
    return getattr(import_module(f"chainrule.classics.{_PLACES[name]}"), name)
