"""Family trees: the facts follow from the marriages and the children; the printed settings do not learn them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from chainrule import classics
from chainrule.classics.problems.base import Problem
from chainrule.classics.problems.family_trees import (
    PEOPLE,
    RELATIONS,
    facts,
    family_trees,
    family_trees_as_printed,
    pattern_accuracy,
)
from chainrule.errors import OptionError

#: The English facts as one reads them off the tree, person > answers.
ENGLISH = {
    "father": "Arthur>Christopher Victoria>Christopher James>Andrew Jennifer>Andrew Colin>James Charlotte>James",
    "mother": "Arthur>Penelope Victoria>Penelope James>Christine Jennifer>Christine Colin>Victoria Charlotte>Victoria",
    "husband": "Penelope>Christopher Christine>Andrew Margaret>Arthur Victoria>James Jennifer>Charles",
    "wife": "Christopher>Penelope Andrew>Christine Arthur>Margaret James>Victoria Charles>Jennifer",
    "son": "Christopher>Arthur Penelope>Arthur Andrew>James Christine>James James>Colin Victoria>Colin",
    "daughter": "Christopher>Victoria Penelope>Victoria Andrew>Jennifer Christine>Jennifer James>Charlotte "
    "Victoria>Charlotte",
    "uncle": "Colin>Arthur+Charles Charlotte>Arthur+Charles",
    "aunt": "Colin>Jennifer+Margaret Charlotte>Jennifer+Margaret",
    "brother": "Victoria>Arthur Jennifer>James Charlotte>Colin",
    "sister": "Arthur>Victoria James>Jennifer Colin>Charlotte",
    "nephew": "Arthur>Colin Margaret>Colin Jennifer>Colin Charles>Colin",
    "niece": "Arthur>Charlotte Margaret>Charlotte Jennifer>Charlotte Charles>Charlotte",
}


def listed() -> dict[tuple[str, str], set[str]]:
    """The English facts of the list."""
    return {
        (pair.split(">")[0], relation): set(pair.split(">")[1].split("+"))
        for relation, pairs in ENGLISH.items()
        for pair in pairs.split()
    }


def test_there_are_104_pairs_with_112_answers() -> None:
    assert len({(fact.person, fact.relation) for fact in facts()}) == len(facts()) == 104
    assert sum(len(fact.answers) for fact in facts()) == 112


def test_each_relation_has_as_many_facts_as_both_trees_show() -> None:
    wanted = {
        "father": 12, "mother": 12, "husband": 10, "wife": 10, "son": 12, "daughter": 12, "uncle": 4, "aunt": 4,
        "brother": 6, "sister": 6, "nephew": 8, "niece": 8,
    }  # fmt: skip
    assert Counter(fact.relation for fact in facts()) == wanted
    assert tuple(wanted) == RELATIONS


def test_the_english_facts_are_those_that_one_reads_off_the_tree() -> None:
    found = {(fact.person, fact.relation): set(fact.answers) for fact in facts() if fact.person in PEOPLE[:12]}
    assert found == listed()


def test_the_italians_are_related_like_the_english() -> None:
    alike = dict(zip(PEOPLE[:12], PEOPLE[12:], strict=True))
    found = {(fact.person, fact.relation): set(fact.answers) for fact in facts() if fact.person in PEOPLE[12:]}
    assert found == {(alike[p], relation): {alike[a] for a in answers} for (p, relation), answers in listed().items()}


def test_eight_facts_have_two_answers_the_uncles_and_the_aunts() -> None:
    double = [fact for fact in facts() if len(fact.answers) == 2]
    assert len(double) == 8
    assert {fact.relation for fact in double} == {"uncle", "aunt"}


def read(x: np.ndarray, y: np.ndarray) -> set[tuple[str, str, tuple[str, ...]]]:
    """The facts that patterns say."""
    found = set()
    for person, relation, answers in zip(x[:, :24], x[:, 24:], y, strict=True):
        assert person.sum() == relation.sum() == 1
        said = tuple(PEOPLE[i] for i in np.flatnonzero(answers))
        found.add((PEOPLE[person.argmax()], RELATIONS[relation.argmax()], said))
    return found


def every_fact() -> set[tuple[str, str, tuple[str, ...]]]:
    return {(fact.person, fact.relation, fact.answers) for fact in facts()}


def halves(problem: Problem) -> tuple[set[tuple[str, str, tuple[str, ...]]], set[tuple[str, str, tuple[str, ...]]]]:
    """The facts that are learnt, and those that are held out."""
    assert problem.x_test is not None
    assert problem.y_test is not None
    return read(problem.x, problem.y), read(problem.x_test, problem.y_test)


@pytest.mark.parametrize("held_out", [4, 20])
def test_every_fact_is_either_learnt_or_held_out(held_out: int) -> None:
    learnt, tested = halves(family_trees(held_out=held_out))
    assert (len(learnt), len(tested)) == (104 - held_out, held_out)
    assert learnt | tested == every_fact()


def test_the_seed_draws_the_facts_that_are_held_out() -> None:
    assert halves(family_trees(seed=3)) == halves(family_trees(seed=3))
    assert len({frozenset(halves(family_trees(seed=seed))[1]) for seed in range(5)}) == 5


def test_printed_settings() -> None:
    settings = family_trees_as_printed().settings
    assert (settings.early_sweeps, settings.early_rate, settings.early_momentum) == (20, 0.005, 0.5)
    assert (settings.rate, settings.momentum, settings.decay, settings.ignored) == (0.01, 0.9, 0.002, 0.2)


def test_the_network_has_codes_of_six_units_on_either_side() -> None:
    assert list(family_trees().wiring.sizes.values()) == [24, 12, 6, 6, 12, 6, 24]
    assert family_trees().wiring.parameters == 24 * 6 + 12 * 6 + 12 * 12 + 12 * 6 + 6 * 24 + 6 + 6 + 12 + 6 + 24


def accuracies(problem: Problem, count: int, sweeps: int) -> tuple[list[float], list[float]]:
    """Of each trial the fraction of right patterns among those that are learnt, and among those held out."""
    found = classics.trials(problem, classics.rule("backpropagation"), count, budget=sweeps)
    networks = [found.state(trial)[0] for trial in range(count)]
    return (
        [pattern_accuracy(network(problem.x), problem.y) for network in networks],
        [pattern_accuracy(network(problem.x_test), problem.y_test) for network in networks],
    )


def test_the_facts_are_learnt_and_others_inferred_from_them() -> None:
    learnt, tested = accuracies(family_trees(), 16, 3000)
    assert min(learnt) >= 0.9
    assert np.mean(tested) > 0.3  # one of 24 people would be right by chance


def test_the_printed_settings_do_not_learn() -> None:
    learnt, tested = accuracies(family_trees_as_printed(), 4, 1500)
    assert max(learnt) == max(tested) == 0


@pytest.mark.parametrize("held_out", [0, 104])
def test_neither_all_facts_nor_none_can_be_held_out(held_out: int) -> None:
    with pytest.raises(OptionError, match=f"held_out must be a whole number from 1 to 103, not {held_out}"):
        family_trees(held_out=held_out)
