"""The doctor on programs with one fault each, on their repaired twins, and on clean runs."""

from __future__ import annotations

import functools

import pytest
from tests.doctor import programs
from tests.doctor.programs import PROGRAMS, Program, clean

from chainrule.insight.findings.pathologies import FUNCTIONS, NETWORKS

_TOP = 3
rows = pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])


def found(program: Program, seed: int) -> bool:
    return program.name in program.run(seed, True).names()[:_TOP]


def alarmed(program: Program, seed: int) -> bool:
    """Whether the twin, which does not have the fault, is told that it has."""
    twin = program.run(seed, False)
    return any(finding.name == program.name and finding.severity != "note" for finding in twin.findings)


def quiet(number: int) -> bool:
    return all(finding.severity == "note" for finding in clean(number).findings)


def test_every_row_has_a_program() -> None:
    assert {row.name for row in (*NETWORKS, *FUNCTIONS)} == {program.name for program in PROGRAMS}
    assert sorted(program.row for program in PROGRAMS) == list(range(1, 29))


@rows
def test_the_fault_is_found_and_the_repaired_twin_has_it_not(program: Program) -> None:
    assert found(program, 0), program.run(0, True).names()
    assert not alarmed(program, 0)


def test_clean_runs_get_notes_at_most() -> None:
    assert all(map(quiet, range(4)))


@pytest.mark.long
@rows
def test_the_fault_is_found_nine_times_of_ten(program: Program) -> None:
    seeds = range(10)
    assert sum(found(program, seed) for seed in seeds) >= 9
    assert sum(alarmed(program, seed) for seed in seeds) <= 1


@pytest.mark.long
@rows
def test_the_experiment_bears_the_finding_out(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("diagnose", "diagnose_function"):
        monkeypatch.setattr(programs, name, functools.partial(getattr(programs, name), confirm=True))
    (finding,) = (finding for finding in program.run(0, True).findings if finding.name == program.name)
    assert finding.outcome is not None
    assert finding.outcome.confirmed, finding.outcome.sentence


@pytest.mark.long
def test_of_forty_clean_runs_thirty_eight_get_notes_at_most() -> None:
    assert sum(map(quiet, range(40))) >= 38
