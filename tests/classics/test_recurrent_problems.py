"""The problems of networks that run in time: their data from the definition, their wiring, and that they are learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import classics, random
from chainrule.classics.problems.iterative import iterative
from chainrule.classics.problems.sequences import completed, sequences
from chainrule.classics.problems.shift_register import shift_register
from chainrule.classics.races.batched_trials import Trials
from chainrule.errors import OptionError
from chainrule.nn import Connected

Values = np.ndarray[Any, Any]
#: PDP, chapter 8, table 11: the outputs "1", "2", "3" at steps 3 to 6, for AD, BE, CA, DB, EC.
TABLE_11 = (
    ((0.90, 0.13, 0.08), (0.22, 0.82, 0.03), (0.11, 0.88, 0.01), (0.83, 0.03, 0.22)),
    ((0.20, 0.80, 0.02), (0.25, 0.05, 0.79), (0.48, 0.04, 0.48), (0.26, 0.09, 0.53)),
    ((0.19, 0.19, 0.80), (0.80, 0.00, 0.13), (0.87, 0.13, 0.01), (0.11, 0.70, 0.25)),
    ((0.16, 0.80, 0.20), (0.79, 0.15, 0.01), (0.07, 0.87, 0.13), (0.11, 0.05, 0.96)),
    ((0.80, 0.20, 0.07), (0.09, 0.13, 0.94), (0.27, 0.01, 0.76), (0.78, 0.02, 0.13)),
)


def learnt(problem: classics.Problem, count: int = 50, budget: int | None = None) -> Trials:
    return classics.trials(problem, classics.rule("backpropagation"), count, budget=budget)


def network(found: Trials, trial: int) -> Connected:
    made = found.state(trial)[0]
    assert isinstance(made, Connected)
    return made


def largest(rows: Values) -> list[str]:
    return ["".join(str(digit + 1) for digit in row.reshape(-1, 3).argmax(axis=1)) for row in rows]


# the shift register


@pytest.mark.parametrize("units", [3, 5])
@pytest.mark.parametrize("every_step", [False, True])
def test_a_shift_register_moves_every_pattern_round_the_end(units: int, every_step: bool) -> None:
    problem = shift_register(units, every_step)
    assert problem.patterns == 2**units == len({tuple(row) for row in problem.x.tolist()})
    for x, y in zip(problem.x.tolist(), problem.y.tolist(), strict=True):
        one, two = x[1:] + x[:1], x[2:] + x[:2]
        assert y == (one + two if every_step else two)


@pytest.mark.parametrize("units", [3, 5])
def test_one_step_of_a_register_is_all_that_it_learns(units: int) -> None:
    problem = shift_register(units)
    assert problem.wiring.weight_shapes == {"previous register->register": (units, units)}
    assert problem.wiring.parameters == units**2 + units
    assert [u.name for u in problem.wiring.units] == ["register@1", "register@2"]


def test_weights_from_each_neighbour_are_a_shift_register() -> None:
    problem = shift_register(5, every_step=True)
    w = 20 * np.roll(np.eye(5, dtype=np.float32), 1, axis=1)
    made = Connected.from_weights(
        problem.wiring, {"previous register->register": w}, {"register": np.full(5, -10, np.float32)}
    )
    np.testing.assert_allclose(made(problem.x), problem.y, atol=1e-4)


def test_units_that_negate_what_they_hand_on_are_one_as_well_where_the_first_step_is_free() -> None:
    problem = shift_register(5)
    w = -20 * np.roll(np.eye(5, dtype=np.float32), 1, axis=1)
    made = Connected.from_weights(
        problem.wiring, {"previous register->register": w}, {"register": np.full(5, 10, np.float32)}
    )
    np.testing.assert_allclose(made(problem.x), problem.y, atol=1e-4)


@pytest.mark.parametrize(("units", "least"), [(3, 1.0), (5, 0.8)])
def test_registers_are_learnt_in_fewer_than_200_sweeps(units: int, least: float) -> None:
    found = learnt(shift_register(units), budget=199)
    assert found.fraction >= least
    assert 20 < found.quantile(0.5) < 100


def test_with_every_step_judged_there_is_little_to_learn() -> None:
    assert learnt(shift_register(3, every_step=True)).quantile(1.0) < 30


def test_a_register_of_one_unit_is_refused() -> None:
    with pytest.raises(OptionError, match="units must be a whole number of at least 2, not 1"):
        classics.problem("shift-register", units=1)


# the iterative net


def test_every_stored_pattern_comes_whole_and_with_each_bit_flipped() -> None:
    problem = iterative()
    wrong = np.abs(problem.x - problem.y)
    stored, counts = np.unique(problem.y, axis=0, return_counts=True)
    assert counts.tolist() == [9, 9, 9, 9]
    for pattern in stored:
        rows = wrong[(problem.y == pattern).all(axis=1)]
        np.testing.assert_array_equal(rows, np.concatenate([np.zeros((1, 8)), np.eye(8)]))


def test_the_stored_patterns_are_far_enough_apart_that_a_flipped_bit_leaves_no_doubt() -> None:
    stored = np.unique(iterative().y, axis=0)
    apart = np.abs(stored[:, None] - stored).sum(axis=2)
    assert apart[~np.eye(4, dtype=bool)].min() >= 3


@pytest.mark.parametrize("iterations", [1, 3])
def test_an_iterative_net_has_one_layer_for_each_iteration_with_the_same_weights(iterations: int) -> None:
    wiring = iterative(iterations).wiring
    assert [u.name for u in wiring.units] == [f"units@{t}" for t in range(1, iterations + 1)]
    assert wiring.parameters == 8 * 8 + 8


def test_some_nets_learn_to_complete_patterns_in_three_iterations_and_some_are_trapped() -> None:
    found = learnt(iterative())
    assert 0.4 < found.fraction < 0.95
    made, problem = network(found, int(np.flatnonzero(found.solved)[0])), found.problem
    assert (((made(problem.x) > 0.5) == problem.y).all(axis=1)).all()


# sequences


def test_the_sequences_are_all_pairs_of_letters_with_the_digits_that_they_name() -> None:
    problem = sequences()
    assert problem.x_test is not None
    assert problem.y_test is not None
    x, y = np.concatenate([problem.x, problem.x_test]), np.concatenate([problem.y, problem.y_test])
    letters = ["".join("ABCDE"[k] for k in row.reshape(2, 5).argmax(axis=1)) for row in x]
    assert sorted(letters) == [a + b for a in "ABCDE" for b in "ABCDE"]
    assert letters[20:] == ["AD", "BE", "CA", "DB", "EC"]
    said = dict(zip(letters, largest(y), strict=True))
    assert (said["AA"], said["AB"], said["EC"], said["DD"]) == ("1212", "1223", "1331", "2121")
    assert {pair[0]: digits[:2] for pair, digits in said.items()} == {
        "A": "12", "B": "23", "C": "31", "D": "21", "E": "13"
    }  # fmt: skip
    assert all(digits[2:] == said[pair[1] + "A"][:2] for pair, digits in said.items())
    assert x.reshape(25, 2, 5).sum(axis=2).tolist() == [[1, 1]] * 25
    assert y.reshape(25, 4, 3).sum(axis=2).tolist() == [[1, 1, 1, 1]] * 25


def test_letters_come_at_the_first_two_steps_and_digits_are_due_at_the_last_four() -> None:
    wiring = sequences().wiring
    assert wiring.inputs == (("letters@1", 5), ("letters@2", 5))
    assert wiring.outputs == ("digits@3", "digits@4", "digits@5", "digits@6")
    assert wiring.parameters == 5 * 30 + 30 * 30 + 30 + 30 * 3 + 3


def test_every_connection_takes_a_step_so_the_first_digit_cannot_depend_on_the_second_letter() -> None:
    problem = sequences()
    made = problem.network(random.key(0))
    outputs = np.array(made(problem.x)).reshape(20, 4, 3)
    same_first = problem.x[:, :5] == problem.x[0, :5]
    rows = same_first.all(axis=1)
    assert np.ptp(outputs[rows, 0], axis=0).max() == 0 < np.ptp(outputs[rows, 1], axis=0).max()


def test_as_published_the_largest_outputs_complete_all_five_and_one_is_a_tie() -> None:
    problem = sequences()
    assert problem.y_test is not None
    table = np.array(TABLE_11).reshape(5, 12)
    assert completed(table, problem.y_test) == 5
    right = ((table > 0.5) == problem.y_test).all(axis=1)
    assert right.tolist() == [True, False, True, True, True]


def test_the_sequences_are_learnt_in_about_the_published_260_sweeps_and_nearly_all_others_completed() -> None:
    problem = sequences()
    assert problem.y_test is not None
    found = classics.trials(problem, classics.rule("backpropagation"), 24, lanes=8)  # of one size: compiled once
    assert found.fraction == 1
    assert found.sweeps.min() < 260 < found.sweeps.max()
    assert 180 < found.quantile(0.5) < 340
    made = [completed(np.array(network(found, n)(problem.x_test)), problem.y_test) for n in range(24)]
    assert np.mean(made) > 4.5
    assert np.mean(np.array(made) == 5) > 0.7


@pytest.mark.parametrize("name", ["shift-register", "iterative", "sequences"])
def test_they_are_found_by_name(name: str) -> None:
    made = classics.problem(name)
    assert made.name == name
    assert made.published
