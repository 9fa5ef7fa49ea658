"""Rules of learning raced on one problem: from the same seeds, with the same budget of floating-point operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from chainrule import random
from chainrule.checks import real_number, whole_number
from chainrule.classics.problems import problem as problem_named
from chainrule.classics.problems.base import Problem
from chainrule.classics.races.batched_trials import Trials, run_trials
from chainrule.classics.races.standings import Entry, Race, RaceOutcome
from chainrule.classics.rules import RULES
from chainrule.classics.rules import rule as rule_named
from chainrule.classics.rules.base import Rule
from chainrule.errors import OptionError
from chainrule.nn.connected import Connected

__all__ = ["race"]

_MANY, _ENOUGH = 100, 20  # trials of each rule, unless told
_LONG = 3e9  # operations that all trials of a rule may spend, from which on there are fewer
_FEW, _SHORT = 8, 1000  # trials, and sweeps of each, that show a rule failing at what it cannot represent


def race(
    problem: Problem | str,
    rules: Sequence[Rule | str] | None = None,
    trials: int | None = None,
    budget: float | None = None,
    seed: int = 0,
    report: Callable[[Race], None] | None = None,
) -> Race:
    """All rules, or those that are given, on one problem: so many trials of each, with the same budget of operations.

    Unless told there are 100 trials, or 20 where those would take long, by the operations that they may spend.
    A trial may make as many sweeps as its budget pays for, at least one; unless told, the budget is what
    backpropagation spends on the problem's own `budget` of sweeps. Trial i of every rule starts from the key
    `fold_in(key(seed), i)`. `report` is called with what is known, again and again. Ctrl-C ends the race with what is
    known by then.

    Raises OptionError for a number that is not positive, or a name that does not exist.

    >>> found = race("xor", ["backpropagation"], trials=4, budget=100_000)
    >>> found.entry("backpropagation").finished
    4
    """
    asked = problem_named(problem) if isinstance(problem, str) else problem
    racers = [rule_named(r) if isinstance(r, str) else r for r in (list(RULES) if rules is None else rules)]
    _check_once(racers)
    allowed = _usual_budget(asked) if budget is None else real_number("budget", budget, above=0)
    usual = _MANY if _MANY * allowed <= _LONG else _ENOUGH
    count, seed = whole_number("trials", usual if trials is None else trials, 1), whole_number("seed", seed, 0)
    known = start = Race(asked.name, asked.description, count, allowed, seed, (), stopped=True)
    try:
        for known in _raced(asked, racers, start):
            if report is not None:
                report(known)
    except KeyboardInterrupt:
        return known
    return replace(known, stopped=False)


def _check_once(rules: Sequence[Rule]) -> None:
    names = [rule.name for rule in rules]
    if not rules or len(set(names)) < len(names):
        raise OptionError(f"a race needs rules, each once, not {names}.", cure=f"There are {', '.join(RULES)}.")


def _usual_budget(problem: Problem) -> float:
    """The operations of as many sweeps of backpropagation as the problem gives it."""
    return float(problem.budget * rule_named("backpropagation").spending(problem).operations)


def _raced(problem: Problem, rules: Sequence[Rule], known: Race) -> Iterator[Race]:
    """The race as it goes on."""
    done: tuple[Entry, ...] = ()
    for rule in rules:
        for entry in _entries(problem, rule, known):
            yield replace(known, entries=(*done, entry))
        done = (*done, entry)


def _entries(problem: Problem, rule: Rule, known: Race) -> Iterator[Entry]:
    """What is known of one rule as it goes on."""
    refusal = rule.refusal(problem)
    if refusal is not None:
        yield Entry(rule.name, rule.title, "cannot take it", refusal)
        return
    limit = rule.limit(problem)
    count = known.trials if limit is None else min(known.trials, _FEW)
    outcome: RaceOutcome = "ran" if limit is None else "cannot represent it"
    begun = Entry(rule.name, rule.title, outcome, limit or "", _other_network(problem, rule), count)
    yield begun
    spending = rule.spending(problem)
    paid = max(1, int(known.budget // max(spending.operations, 1)))
    sweeps = paid if limit is None else min(paid, _SHORT)
    for found in run_trials(problem, rule, count, budget=sweeps, seed=known.seed, spending=spending):
        yield _so_far(begun, found)


def _other_network(problem: Problem, rule: Rule) -> str:
    """The sizes of the network that the rule learns, if it is not that of the problem."""
    state = rule.start(problem, random.key(0))
    networks = [part for part in (state if isinstance(state, tuple) else (state,)) if isinstance(part, Connected)]
    own = [network.wiring for network in networks if network.wiring != problem.wiring]
    return "-".join(map(str, own[0].sizes.values())) if own else ""


def _so_far(begun: Entry, found: Trials) -> Entry:
    return replace(
        begun,
        budget=found.budget,
        sweeps=found.sweeps[found.finished],
        spending=found.spending,
        spent=found.spending.times(found.swept),
        seconds=found.seconds,
        seconds_per_sweep=found.seconds_per_sweep,
    )
