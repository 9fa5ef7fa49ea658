"""The layered networks of 1986: their patterns are what they are said to be, published weights do what is published."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from chainrule import classics, random
from chainrule import numpy as cnp
from chainrule.classics.problems.addition import addition, addition_by_thresholds
from chainrule.classics.problems.base import Problem, binary_patterns
from chainrule.classics.problems.encoder import distributed_to_local, distributed_to_local_published, encoder
from chainrule.classics.problems.negation import negation
from chainrule.classics.problems.parity import STEEP, parity, parity_by_thresholds
from chainrule.classics.problems.sigma_pi import sigma_pi
from chainrule.classics.problems.symmetry import symmetry, symmetry_pdp, symmetry_pdp_published, symmetry_published
from chainrule.classics.problems.t_c import compactness_filter, t_c
from chainrule.classics.problems.xor import xor, xor_direct, xor_direct_published
from chainrule.errors import OptionError
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Wiring
from chainrule.testing import assert_close, check_gradient
from chainrule.transform import grad

NAMES = [
    "xor", "xor-direct", "parity", "encoder", "distributed-to-local", "symmetry", "symmetry-pdp", "addition",
    "negation", "t-c", "sigma-pi",
]  # fmt: skip


def rows(array: Any) -> list[tuple[int, ...]]:
    return [tuple(int(value) for value in row) for row in array]


def right(network: Connected, problem: Problem) -> int:
    """How many patterns have every output on its target's side of ½."""
    return int(((network(problem.x) > 0.5) == (problem.y > 0.5)).all(axis=1).sum())


def fraction(problem: Problem, count: int = 16, budget: int | None = None) -> float:
    """The fraction of trials of backpropagation that solve the problem."""
    return classics.trials(problem, classics.rule("backpropagation"), count, budget=budget).fraction


@pytest.mark.parametrize("name", NAMES)
def test_a_problem_has_the_name_that_it_is_asked_for_by(name: str) -> None:
    assert classics.problem(name).name == name


# patterns


@pytest.mark.parametrize("bits", range(2, 9))
def test_parity_is_whether_the_number_of_bits_that_are_on_is_odd(bits: int) -> None:
    problem = parity(bits)
    assert rows(problem.x) == list(product((0, 1), repeat=bits))
    assert rows(problem.y) == [(row.count(1) % 2,) for row in rows(problem.x)]
    assert problem.wiring.sizes == {"input": bits, "hidden": bits, "output": 1}


@pytest.mark.parametrize("problem", [xor(), xor(hidden=5), xor_direct()], ids=lambda p: p.name)
def test_exclusive_or_is_whether_two_bits_differ(problem: Problem) -> None:
    assert rows(problem.x) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert rows(problem.y) == [(0,), (1,), (1,), (0,)]


@pytest.mark.parametrize("problem", [symmetry(), symmetry_pdp()], ids=lambda p: p.name)
def test_symmetry_is_whether_six_bits_are_the_same_from_either_end(problem: Problem) -> None:
    assert len(set(rows(problem.x))) == 64
    assert rows(problem.y) == [(int(row == row[::-1]),) for row in rows(problem.x)]


@pytest.mark.parametrize(("n", "hidden"), [(2, 1), (4, 2), (8, 3), (16, 4)])
def test_an_encoder_gives_each_single_unit_back_through_the_logarithm_of_so_many(n: int, hidden: int) -> None:
    problem = encoder(n)
    assert rows(problem.x) == rows(problem.y) == [tuple(int(i == j) for j in range(n)) for i in range(n)]
    assert problem.wiring.sizes == {"input": n, "hidden": hidden, "output": n}


def test_an_encoder_has_as_many_hidden_units_as_it_is_told() -> None:
    assert encoder(4, hidden=3).wiring.sizes["hidden"] == 3


def test_distributed_to_local_turns_on_the_unit_with_the_number_that_two_bits_write() -> None:
    problem = distributed_to_local()
    assert [row.index(1) for row in rows(problem.y)] == [2 * a + b for a, b in rows(problem.x)]
    assert list(problem.wiring.sizes.values()) == [2, 1, 4, 4]


def test_addition_is_the_sum_of_the_numbers_that_the_bits_write() -> None:
    problem = addition()
    assert len(set(rows(problem.x))) == 16
    for (a1, b1, a0, b0), sum_ in zip(rows(problem.x), rows(problem.y), strict=True):
        assert f"{2 * a1 + a0 + 2 * b1 + b0:03b}" == "".join(map(str, sum_))


def test_negation_turns_three_bits_over_if_the_first_of_four_is_on() -> None:
    problem = negation()
    assert len(set(rows(problem.x))) == 16
    assert rows(problem.y) == [tuple(1 - bit if bits[0] else bit for bit in bits[1:]) for bits in rows(problem.x)]


LETTERS = {
    1: ("### .#. .#.", "..# ### ..#", ".#. .#. ###", "#.. ### #.."),
    0: ("## #. ##", "### #.#", "## .# ##", "#.# ###"),
}


def drawn(retina: Any) -> str:
    """What is on a retina, without the empty rows and columns around it."""
    down, across = np.nonzero(retina)
    box = retina[down.min() : down.max() + 1, across.min() : across.max() + 1]
    return " ".join("".join(".#"[int(square)] for square in row) for row in box)


@pytest.mark.parametrize("side", [3, 4, 5])
def test_every_rotation_of_t_and_c_is_at_every_place_once(side: int) -> None:
    problem = t_c(side)
    assert len(set(rows(problem.x))) == problem.patterns
    assert (problem.x[:, -1] == 1).all()
    seen = Counter((int(y), drawn(x[:-1].reshape(side, side))) for x, (y,) in zip(problem.x, problem.y, strict=True))
    places = {1: (side - 2) ** 2, 0: (side - 2) * (side - 1)}
    assert seen == {(y, letter): places[y] for y, letters in LETTERS.items() for letter in letters}


def test_a_gate_lets_the_second_bit_through_or_the_third_if_the_first_is_on() -> None:
    problem = sigma_pi("gate")
    assert rows(problem.y) == [((b if gate else a),) for gate, a, b in rows(problem.x)]


def test_a_sigma_pi_unit_learns_the_same_parity_as_a_layered_network() -> None:
    assert rows(sigma_pi(bits=4).x) == rows(parity(4).x)
    assert rows(sigma_pi(bits=4).y) == rows(parity(4).y)


# what was published


@pytest.mark.parametrize(
    ("problem", "rate", "figure"),
    [(symmetry(), 0.1, "1,425"), (xor_direct(), 0.5, "558"), (xor(), 0.25, "247"), (parity(), 0.5, "2,825")],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_published_rates_and_figures(problem: Problem, rate: float, figure: str) -> None:
    assert problem.settings.rate == rate
    assert problem.published[0].figure == figure


def test_a_figure_is_given_only_for_the_network_that_it_is_of() -> None:
    others = (parity(5), parity(4, hidden=8), symmetry(4), symmetry_pdp(4), encoder(4), encoder(8, hidden=4))
    assert [problem.published for problem in others] == [()] * len(others)


def test_the_weights_of_nature_recognise_symmetry() -> None:
    assert right(symmetry_published(), symmetry()) == 64


def test_the_weights_of_the_book_recognise_symmetry_with_outputs_near_its_targets() -> None:
    problem = symmetry_pdp()
    outputs = symmetry_pdp_published()(problem.x)
    on, off = outputs[problem.y > 0.5], outputs[problem.y < 0.5]
    assert right(symmetry_pdp_published(), problem) == 64
    assert [on.min(), on.max(), off.min(), off.max()] == pytest.approx([0.857, 0.872, 0.072, 0.169], abs=1e-3)


@pytest.mark.parametrize("network", [symmetry_published(), symmetry_pdp_published()])
def test_published_weights_are_one_two_and_four_times_as_large_on_either_side(network: Connected) -> None:
    for weights in network.weights["input->hidden"]:
        assert_close(weights, -weights[::-1], tolerance=0.02)
        sizes = np.sort(np.abs(weights[:3]))
        assert sizes / sizes[0] == pytest.approx([1, 2, 4], abs=0.06)


def test_the_weights_of_figure_3_do_exclusive_or() -> None:
    outputs = xor_direct_published()(binary_patterns(2))[:, 0]
    assert outputs == pytest.approx([0.103, 0.877, 0.877, 0.109], abs=1e-3)


@pytest.mark.parametrize("bits", range(2, 9))
def test_thresholds_count_the_bits_and_the_output_takes_them_in_turn(bits: int) -> None:
    problem, network = parity(bits), parity_by_thresholds(bits)
    assert_close(network(problem.x), problem.y, tolerance=1e-6)
    counted = network.forward(problem.x)["hidden"][1].sum(axis=1)
    assert_close(counted, problem.x.sum(axis=1), tolerance=1e-6)


def test_the_minimal_adder_adds_all_sixteen_pairs() -> None:
    assert_close(addition_by_thresholds()(addition().x), addition().y, tolerance=1e-6)


def test_the_hidden_units_of_the_minimal_adder_are_the_carries() -> None:
    found = addition_by_thresholds().forward(addition().x)
    for (a1, b1, a0, b0), low, high in zip(rows(addition().x), found["hidden1"][1], found["hidden2"][1], strict=True):
        assert round(float(low[0])) == (a0 + b0) // 2
        assert round(float(high[0])) == (a1 + b1 + (a0 + b0) // 2) // 2


def test_the_single_unit_of_figure_8_has_four_levels() -> None:
    outputs = distributed_to_local_published()(np.array([[1, 0], [1, 1], [0, 0], [0, 1]], np.float32))
    assert outputs[:, 0] == pytest.approx([0.0025, 0.119, 0.5, 0.982], abs=1e-3)
    assert outputs[:, 0] == pytest.approx([0, 0.2, 0.6, 1], abs=0.11)  # as they are printed; the weights are rounded
    levels = outputs[:, :1]
    assert_close(outputs[:, 1:], 1 / (1 + np.exp(-(levels * [-3, -6, -12, 9] + [2, 2, 1, -7]))), tolerance=1e-5)


# T and C


@pytest.mark.parametrize("side", [3, 4, 5])
def test_a_c_turns_off_twenty_units_of_the_compactness_filter_and_a_t_one_more(side: int) -> None:
    problem, network = t_c(side), compactness_filter(side)
    off = (network.forward(problem.x)["hidden"][1] < 0.5).sum(axis=1)
    assert set(off[problem.y[:, 0] == 0]) == {20}
    assert set(off[problem.y[:, 0] == 1]) == {21}
    assert_close(network(problem.x), problem.y, tolerance=1e-6)


def test_a_hidden_unit_sees_the_squares_next_to_its_own_through_the_filter() -> None:
    """The weighted inputs are the correlation of the retina with the filter, zeros around it."""
    problem, network = t_c(), t_c().network(random.key(3))
    filter_, bias = np.split(np.asarray(network.weights["filter"]), [9])
    seen = np.pad(problem.x[:, :-1].reshape(-1, 4, 4), ((0, 0), (2, 2), (2, 2)))
    fields = np.lib.stride_tricks.sliding_window_view(seen, (3, 3), axis=(1, 2))
    wanted = (fields * filter_.reshape(3, 3)).sum(axis=(3, 4)).reshape(-1, 36) + bias
    assert_close(network.forward(problem.x)["hidden"][0], wanted, tolerance=1e-5)


def test_the_gradient_of_a_shared_weight_is_the_sum_over_its_copies() -> None:
    problem = t_c(3, equal=True)
    network = problem.network(random.key(1)).astype(np.float64)
    filter_, to_output = network.wiring.connections
    free = Wiring(
        network.wiring.inputs,
        network.wiring.units,
        (replace(filter_, places=None), replace(to_output, places=None)),
        network.wiring.outputs,
    )
    weights = {c.name: np.asarray(network.matrix(c)) for c in network.wiring.connections}
    copies = grad(lambda n: error(n, problem))(Connected.from_weights(free, weights, network.biases)).weights
    shared = grad(lambda n: error(n, problem))(network).weights
    for connection in (filter_, to_output):
        places, slopes = np.array(connection.places), np.asarray(copies[connection.name])
        sums = [slopes[places == place].sum() for place in range(places.max() + 1)]
        assert_close(shared[connection.name], np.array(sums), tolerance=1e-10)


@pytest.mark.parametrize("name", ["filter", "hidden->output"])
def test_the_gradient_of_a_shared_weight_is_that_of_finite_differences(name: str) -> None:
    problem = t_c(3, equal=True)
    network = problem.network(random.key(1)).astype(np.float64)

    def of(w: Any) -> Any:
        return error(Connected.from_weights(network.wiring, {**network.weights, name: w}, network.biases), problem)

    check_gradient(of, network.weights[name])


def error(network: Connected, problem: Problem) -> Any:
    return 0.5 * cnp.sum((network(problem.x.astype(np.float64)) - problem.targets) ** 2)


# products, and connections among hidden units


@pytest.mark.parametrize(
    ("problem", "weights"),
    [
        (sigma_pi(bits=2), [1, 1, -2]),
        (sigma_pi(bits=3), [1, 1, 1, -2, -2, -2, 4]),
        (sigma_pi("gate"), [1, -1, 1]),
    ],
    ids=["exclusive-or", "parity", "gate"],
)
def test_one_sigma_pi_unit_does_what_no_sum_of_bits_does(problem: Problem, weights: list[int]) -> None:
    wiring = problem.wiring
    sharp = {"input->output": STEEP * np.array([weights], np.float32)}
    network = Connected.from_weights(wiring, sharp, {"output": np.array([-STEEP / 2], np.float32)})
    assert_close(network(problem.x), problem.y, tolerance=1e-6)
    with_bias = np.concatenate([problem.x, np.ones((problem.patterns, 1))], axis=1)
    least = with_bias @ np.linalg.lstsq(with_bias, problem.y, rcond=None)[0]
    assert not ((least > 0.5) == (problem.y > 0.5)).all()


def test_a_carry_reaches_the_next_carry_and_the_sum() -> None:
    network = addition_by_thresholds()
    found = network.forward(np.array([[1, 0, 0, 0], [1, 0, 1, 1]], np.float32))
    assert found["hidden1"][1].round().ravel().tolist() == found["hidden2"][1].round().ravel().tolist() == [0, 1]
    assert set(addition(3).wiring.weight_shapes) == {
        "input->hidden1", "input+hidden1->hidden2", "input+hidden1+hidden2->hidden3",
        "input+hidden1+hidden2+hidden3->output",
    }  # fmt: skip


# learning, briefly


@pytest.mark.parametrize(
    ("problem", "least"),
    [
        (xor(), 0.7), (xor_direct(), 0.8), (encoder(4), 1), (distributed_to_local(), 1), (negation(), 1),
        (sigma_pi(bits=3), 1),
    ],
    ids=lambda value: getattr(value, "title", ""),
)  # fmt: skip
def test_backpropagation_solves_it_from_most_starts(problem: Problem, least: float) -> None:
    assert fraction(problem) >= least


@pytest.mark.long
def test_addition_is_learnt_more_often_with_a_hidden_unit_to_spare() -> None:
    assert fraction(addition(3), 32, 3000) > fraction(addition(2), 32, 3000) + 0.2


@pytest.mark.long
def test_t_and_c_are_told_apart_wherever_they_are() -> None:
    assert fraction(t_c(), 8, 4000) >= 0.7


# mistakes


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: xor(hidden=1), "at least 2 hidden units, not 1"),
        (lambda: parity(9), "2 to 8 bits, not 9"),
        (lambda: parity_by_thresholds(1), "2 to 8 bits, not 1"),
        (lambda: encoder(1), "nothing to encode in 1"),
        (lambda: symmetry(1), "1 bits have no two sides"),
        (lambda: addition(0), "0 hidden units cannot find a carry"),
        (lambda: t_c(2), "retina of 2 × 2"),
        (lambda: sigma_pi("sum"), "no sigma-pi problem 'sum'"),  # type: ignore[arg-type]
    ],
    ids=["xor", "parity", "thresholds", "encoder", "symmetry", "addition", "t-c", "sigma-pi"],
)
def test_options_that_make_no_problem_are_refused(make: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        make()
