"""Family trees: who is whose father, aunt, niece? The facts follow from the marriages and the children.

Source: Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323 (1986), 533-536,
figures 2 to 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import random
from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, Values
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["PEOPLE", "RELATIONS", "Fact", "facts", "family_trees", "family_trees_as_printed", "pattern_accuracy"]

_MEN = ("Christopher", "Andrew", "Arthur", "James", "Charles", "Colin")
_WOMEN = ("Penelope", "Christine", "Victoria", "Jennifer", "Margaret", "Charlotte")
_ENGLISH = (*_MEN, *_WOMEN)
_ITALIAN = ("Roberto", "Pierro", "Emilio", "Marco", "Tomaso", "Alfonso",
            "Maria", "Francesca", "Lucia", "Angela", "Gina", "Sophia")  # fmt: skip
#: The couples and the children of each. The Italians in the same positions are married, and have children, likewise.
_COUPLES = {
    ("Christopher", "Penelope"): ("Arthur", "Victoria"),
    ("Andrew", "Christine"): ("James", "Jennifer"),
    ("Arthur", "Margaret"): (),
    ("James", "Victoria"): ("Colin", "Charlotte"),
    ("Charles", "Jennifer"): (),
}

#: The 24 people in the order of their units: six men and six women, English, then Italian.
PEOPLE = (*_ENGLISH, *_ITALIAN)
#: The 12 relations in the order of their units.
RELATIONS = (
    "father", "mother", "husband", "wife", "son", "daughter", "uncle", "aunt", "brother", "sister", "nephew", "niece",
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """That the `relation` of a `person` is each of the `answers`: the aunts of Colin are Jennifer and Margaret."""

    person: str
    relation: str
    answers: tuple[str, ...]


def facts() -> tuple[Fact, ...]:
    """The 104 pairs of a person and a relation that have an answer, with all of their answers, 112 in all.

    An uncle or an aunt is a brother or a sister of a parent, or is married to one; a nephew or a niece is a child of
    one's own brothers and sisters, or of those of one's husband or wife.

    >>> [fact.person for fact in facts() if fact.relation == "aunt" and len(fact.answers) == 2]
    ['Colin', 'Charlotte', 'Alfonso', 'Sophia']
    """
    every = (Fact(person, relation, _answers(person, relation)) for person in _ENGLISH for relation in RELATIONS)
    english = [fact for fact in every if fact.answers]
    return (*english, *map(_italian, english))


def _italian(fact: Fact) -> Fact:
    """The fact about the Italians in the same positions."""
    alike = dict(zip(_ENGLISH, _ITALIAN, strict=True))
    return Fact(alike[fact.person], fact.relation, tuple(alike[answer] for answer in fact.answers))


def _answers(person: str, relation: str) -> tuple[str, ...]:
    index = RELATIONS.index(relation)
    kin = _KIN[index // 2](person)
    return tuple(other for other in (_WOMEN if index % 2 else _MEN) if other in kin)


def _parents(person: str) -> set[str]:
    return _union(couple for couple, children in _COUPLES.items() if person in children)


def _spouse(person: str) -> set[str]:
    return _union(couple for couple in _COUPLES if person in couple) - {person}


def _children(person: str) -> set[str]:
    return _union(children for couple, children in _COUPLES.items() if person in couple)


def _siblings(person: str) -> set[str]:
    return _union(map(_children, _parents(person))) - {person}


def _uncles_and_aunts(person: str) -> set[str]:
    related = _union(map(_siblings, _parents(person)))
    return related | _union(map(_spouse, related))


def _nephews_and_nieces(person: str) -> set[str]:
    return _union(map(_children, _union(map(_siblings, {person} | _spouse(person)))))


def _union(groups: Iterable[Iterable[str]]) -> set[str]:
    return {person for group in groups for person in group}


#: Who is meant by each two relations, to a man and to a woman, in their order.
_KIN: tuple[Callable[[str], set[str]], ...] = (
    _parents, _spouse, _children, _uncles_and_aunts, _siblings, _nephews_and_nieces,
)  # fmt: skip


def family_trees(seed: int = 0, held_out: int = 4) -> Problem:
    """The facts, without a few to test it that the seed draws, with settings that do learn.

    A pattern is a person, one of 24 units, and a relation, one of 12; of 24 outputs those of all answers are on. The
    rates are five times the printed ones, the decay is a tenth of it, and the weights start from −1 to 1.

    Raises OptionError if all facts, or none, are held out.

    >>> problem = family_trees()
    >>> problem.patterns, len(problem.x_test), problem.wiring.parameters
    (100, 4, 630)
    """
    held_out = whole_number("held_out", held_out, 1, _FACTS - 1)
    x, y = _patterns()
    order = np.asarray(random.permutation(random.key(seed), _FACTS))
    learnt, tested = order[held_out:], order[:held_out]
    return Problem(
        name="family-trees",
        title="family trees",
        description="Who is the father, the aunt, the niece, … of whom, in two families of twelve?",
        source="Rumelhart, Hinton & Williams, Nature 323 (1986), 533-536, figures 2 to 4",
        x=x[learnt],
        y=y[learnt],
        x_test=x[tested],
        y_test=y[tested],
        wiring=_wiring(),
        settings=_LEARNS,
        published=_PUBLISHED,
        budget=5_000,
    )


def family_trees_as_printed(seed: int = 0, held_out: int = 4) -> Problem:
    """The facts with the settings as they are printed, which do not learn.

    The start is not printed for this network; it is that of the symmetry network here, −0.3 to 0.3.

    >>> family_trees_as_printed().settings.decay
    0.002
    """
    found = family_trees(seed, held_out)
    reading = "to the letter, with weights from −0.3 to 0.3, as the start is not published, nothing is learnt"
    return replace(
        found,
        name="family-trees-as-printed",
        title="family trees, as printed",
        settings=_PRINTED,
        published=tuple(replace(figure, reading=reading) for figure in _PUBLISHED),
    )


_FACTS = 104
_PRINTED = Settings(
    rate=0.01, momentum=0.9, ignored=0.2, decay=0.002, early_sweeps=20, early_rate=0.005, early_momentum=0.5
)
_LEARNS = replace(_PRINTED, rate=0.05, early_rate=0.025, initial=1.0, decay=0.0002)
_PUBLISHED = (
    Published("sweeps", "1,500", "Nature 323, pp. 533-536",
              "until all facts that are learnt are right, at five times the printed rates, a tenth of the printed "
              "decay, and weights from −1 to 1; the start is not published"),
    Published("right of 4 facts that were not learnt", "4", "Nature 323, pp. 533-536",
              "on average fewer are; which 4 they were is not published"),
)  # fmt: skip


def pattern_accuracy(outputs: Any, y: Any) -> float:
    """The fraction of patterns of which every output is on its target's side of ½.

    >>> pattern_accuracy(np.array([[0.9, 0.2], [0.9, 0.6]]), np.array([[1, 0], [1, 0]]))
    0.5
    """
    return float(((np.asarray(outputs) > 0.5) == (np.asarray(y) > 0.5)).all(axis=1).mean())


def _patterns() -> tuple[Values, Values]:
    """Inputs (104, 36), a person's units and then the relations', and outputs (104, 24)."""
    known = facts()
    people, relations = np.eye(len(PEOPLE), dtype=np.float32), np.eye(len(RELATIONS), dtype=np.float32)
    person = people[[PEOPLE.index(fact.person) for fact in known]]
    relation = relations[[RELATIONS.index(fact.relation) for fact in known]]
    answers = [people[[PEOPLE.index(answer) for answer in fact.answers]].sum(axis=0) for fact in known]
    return np.concatenate([person, relation], axis=1), np.stack(answers)


def _wiring() -> Wiring:
    return Wiring(
        inputs=(("person", 24), ("relation", 12)),
        units=(
            Units("person code", 6), Units("relation code", 6), Units("joined", 12), Units("answer code", 6),
            Units("answer", 24),
        ),
        connections=(
            Connection("person", "person code"),
            Connection("relation", "relation code"),
            Connection(("person code", "relation code"), "joined"),
            Connection("joined", "answer code"),
            Connection("answer code", "answer"),
        ),
        outputs=("answer",),
    )  # fmt: skip
