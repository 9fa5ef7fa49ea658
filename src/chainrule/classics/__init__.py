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
    from chainrule.classics.learnt.hinton import HintonDiagram, hinton_diagram
    from chainrule.classics.learnt.run import Learnt, run
    from chainrule.classics.problems import PROBLEMS, problem
    from chainrule.classics.problems.base import Problem, Published, Settings
    from chainrule.classics.published_figures import catalogue
    from chainrule.classics.races.batched_trials import Trials, run_trials, trials
    from chainrule.classics.races.racing import race
    from chainrule.classics.races.standings import Entry, Race
    from chainrule.classics.rules import RULES, rule
    from chainrule.classics.rules.base import Rule, Spending

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

_MODULES = {
    "DEMONSTRATIONS": "demonstrations",
    "PROBLEMS": "problems",
    "RULES": "rules",
    "Entry": "races.standings",
    "HintonDiagram": "learnt.hinton",
    "Learnt": "learnt.run",
    "Problem": "problems.base",
    "Published": "problems.base",
    "Race": "races.standings",
    "Rule": "rules.base",
    "Settings": "problems.base",
    "Spending": "rules.base",
    "Trials": "races.batched_trials",
    "catalogue": "published_figures",
    "demonstration": "demonstrations",
    "hinton_diagram": "learnt.hinton",
    "problem": "problems",
    "race": "races.racing",
    "rule": "rules",
    "run": "learnt.run",
    "run_trials": "races.batched_trials",
    "trials": "races.batched_trials",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'chainrule.classics' has no attribute {name!r}")
    return getattr(import_module(f"chainrule.classics.{_MODULES[name]}"), name)
