"""Random numbers: known answers, the same bits whatever runs them, and the distributions that are promised."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from itertools import permutations
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule import random
from chainrule.cpu.processor import BASELINE
from chainrule.cpu.target import CPU
from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.interpret import interpret
from chainrule.run.program import build
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.tracing import argument_types, trace
from chainrule.trace.tree import flatten

KEY = random.key(20110)
FLOATS = (np.float32, np.float64)
COUNT = 200_000

#: Every function that draws, at odd sizes, so that vectors have a rest.
DRAWS: dict[str, Callable[[Any], Any]] = {
    "split": lambda key: random.split(key, 5),
    "fold_in": lambda key: random.fold_in(key, 77),
    "bits8": lambda key: random.bits(key, (3, 7, 5), np.uint8),
    "bits16": lambda key: random.bits(key, 101, np.uint16),
    "bits32": lambda key: random.bits(key, (13, 11)),
    "bits64": lambda key: random.bits(key, (13, 11), np.uint64),
    "one": lambda key: random.normal(key),
    "none": lambda key: random.normal(key, (3, 0)),
    "uniform32": lambda key: random.uniform(key, (101, 3)),
    "uniform64": lambda key: random.uniform(key, (101, 3), np.float64),
    "between32": lambda key: random.uniform(key, (101, 3), np.float32, -0.3, [1.0, 2.0, 3.7]),
    "between64": lambda key: random.uniform(key, (101, 3), np.float64, -0.3, 5.1),
    "normal32": lambda key: random.normal(key, (201, 103)),
    "normal64": lambda key: random.normal(key, (201, 103), np.float64),
    "bernoulli": lambda key: random.bernoulli(key, 0.3, (101, 3)),
    "bernoulli64": lambda key: random.bernoulli(key, np.linspace(0, 1, 101)),
    "integers": lambda key: random.integers(key, (101, 3), -50, 1_000_000),
    "integers8": lambda key: random.integers(key, (101, 3), -128, 128, np.int8),
    "permutation": lambda key: random.permutation(key, 1001),
    "permuted": lambda key: random.permutation(key, np.arange(60.0).reshape(3, 20), axis=1),
    "categorical": lambda key: random.categorical(key, np.linspace(-3, 3, 70).reshape(10, 7)),
}


def graph_of(function: Callable[[Any], Any]) -> Graph:
    """The graph of a function of a key."""
    structure = flatten((KEY,))[1]
    return trace(function, structure, argument_types([KEY], structure, [0]))[0]


# Threefry


@pytest.mark.parametrize(
    ("key", "counter", "answer"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_published_answers(
    key: tuple[int, int], counter: tuple[int, int], answer: tuple[int, int]
) -> None:
    words = [np.array([word], np.uint32) for word in (*key, *counter)]
    assert [int(word[0]) for word in random._threefry((words[0], words[1]), words[2], words[3])] == list(answer)


def test_bits_are_threefry_of_the_place() -> None:
    words = [np.full(1, word, np.uint32) for word in KEY]
    x, y = random._threefry((words[0], words[1]), 0, np.arange(12, dtype=np.uint32))
    expected = (x.astype(np.uint64) << 32 | y).reshape(3, 4)
    np.testing.assert_array_equal(random.bits(KEY, (3, 4), np.uint64), expected)


@pytest.mark.parametrize(("dtype", "shift"), [(np.uint8, 56), (np.uint16, 48), (np.uint32, 32), (np.uint64, 0)])
def test_narrower_bits_are_the_first_of_wider_ones(dtype: Any, shift: int) -> None:
    found = random.bits(KEY, 100, dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, random.bits(KEY, 100, np.uint64) >> np.uint64(shift))


def test_a_longer_draw_begins_with_the_shorter_one() -> None:
    """Also where the longer one is made in several pieces."""
    long = random.normal(KEY, 100_000)
    np.testing.assert_array_equal(long[:1001], random.normal(KEY, 1001))
    np.testing.assert_array_equal(long[:99_990].reshape(30, 3333), random.normal(KEY, (30, 3333)))


# the same bits whatever runs them


@pytest.mark.parametrize("name", DRAWS)
def test_plain_traced_interpreted_and_native_give_the_same_bits(name: str) -> None:
    draw = DRAWS[name]
    plain = draw(KEY)
    assert isinstance(plain, np.ndarray | np.generic)
    for other in (draw(as_array(KEY)).value, interpret(graph_of(draw), [KEY])[0], cr.compile(draw)(KEY)):
        assert other.dtype == plain.dtype
        assert other.shape == plain.shape
        np.testing.assert_array_equal(other, plain)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="code for another processor")
@pytest.mark.parametrize("name", ["between32", "normal32", "normal64", "integers", "categorical"])
def test_a_processor_without_fused_multiply_add_gives_the_same_bits(name: str) -> None:
    (found,) = build(graph_of(DRAWS[name]), target=CPU(BASELINE))(KEY)
    np.testing.assert_array_equal(found, DRAWS[name](KEY))


@pytest.mark.parametrize("name", ["normal32", "normal64"])
def test_normal_gives_the_same_bits_for_every_kind_of_argument(name: str) -> None:
    """In the centre, on both sides of the edge to the tails, at their ends."""
    quantile, dtype = (random._SINGLE, np.float32) if name == "normal32" else (random._DOUBLE, np.float64)
    unit = 2.0**-24 if dtype == np.float32 else 2.0**-53
    near = quantile.edge + unit * np.arange(-999, 1001, 2)
    ends = 1 - unit * (2 * np.arange(1000) + 1)
    v = np.concatenate([unit * np.arange(1, 2001, 2), near, ends, np.linspace(0, 1, 5001)[1:-1]]).astype(dtype)
    v = np.concatenate([v, -v])
    plain, native = quantile(v), cr.compile(quantile)(v)
    np.testing.assert_array_equal(native, plain)
    np.testing.assert_array_equal(plain[: len(v) // 2], -plain[len(v) // 2 :])


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: random.bits(key, (100, 30)),
        lambda key: random.normal(key, (1000, 3)),
        lambda key: random.uniform(key, (100, 30), np.float64, -1.0, 1.0),
    ],
)
def test_a_draw_is_one_kernel_that_reads_the_key_alone(draw: Callable[[Any], Any]) -> None:
    schedule = cr.compile(draw).program(KEY).schedule
    (kernel,) = schedule.kernels
    assert kernel.bytes == KEY.nbytes + schedule.outputs[0].type.bytes
    assert schedule.temporaries == []


def test_a_draw_is_part_of_the_kernel_that_uses_it() -> None:
    def dropped(key: Any, x: Any) -> Any:
        return cnp.where(random.bernoulli(key, 0.9, x.shape), cnp.tanh(x) / 0.9, 0.0)

    x = np.linspace(-2, 2, 300, dtype=np.float32).reshape(10, 30)
    compiled = cr.compile(dropped)
    assert len(compiled.program(KEY, x).schedule.kernels) == 1
    np.testing.assert_array_equal(compiled(KEY, x) == 0, dropped(KEY, x) == 0)


def test_a_program_of_random_numbers_prints_in_few_characters() -> None:
    text = str(cr.compile(lambda key: random.normal(key, (10, 10))).program(KEY))
    assert len(text) < 20_000
    assert text.count("v0 = ") == 1


def test_the_graph_of_a_draw_does_not_grow_with_its_shape() -> None:
    def nodes(count: int) -> int:
        return len(cr.compile(lambda key: random.bits(key, (count, count))).program(KEY).graph.nodes())

    assert nodes(3) == nodes(1000) < 200


# keys


def test_a_seed_is_a_key_of_64_bits() -> None:
    np.testing.assert_array_equal(random.key(2**64 - 2), np.array([2**32 - 1, 2**32 - 2], np.uint32))
    np.testing.assert_array_equal(random.key(np.int64(7)), np.array([0, 7], np.uint32))  # type: ignore[arg-type]


def test_keys_that_are_made_of_one_differ_from_each_other_and_from_what_is_drawn() -> None:
    made = np.concatenate([random.split(KEY, 500), [random.fold_in(KEY, n) for n in range(500)]])
    joined = made.astype(np.uint64) @ np.array([2**32, 1], np.uint64)
    drawn = random.bits(KEY, 500, np.uint64)
    assert len(np.unique(np.concatenate([joined, drawn]))) == 1500


def test_the_first_keys_are_the_same_for_every_number_of_them() -> None:
    np.testing.assert_array_equal(random.split(KEY, 9)[:2], random.split(KEY))


def test_fold_in_takes_a_traced_number_of_any_integer_type() -> None:
    expected = random.fold_in(KEY, 300)
    for number in (np.int64(300), np.array(300, np.uint16), as_array(np.int64(300)), as_array(np.array([300]))):
        found = random.fold_in(KEY, number)
        np.testing.assert_array_equal(found.value if isinstance(found, Array) else found, expected)
    step = cr.compile(lambda key, t: random.fold_in(key, t))
    np.testing.assert_array_equal(step(KEY, np.array(300, np.int32)), expected)
    np.testing.assert_array_equal(step(KEY, np.array(300 + 2**32)), expected)
    np.testing.assert_array_equal(step(KEY, np.array(-1)), random.fold_in(KEY, 2**32 - 1))


def test_numbers_of_split_keys_are_not_correlated() -> None:
    rows = np.stack([random.normal(key, 20_000, np.float64) for key in [KEY, *random.split(KEY, 6)]])
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 4.5 / math.sqrt(20_000)


def test_numbers_of_neighbouring_seeds_are_not_correlated() -> None:
    rows = np.stack([random.uniform(random.key(seed), 20_000, np.float64) for seed in range(8)])
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 4.5 / math.sqrt(20_000)


# inside transformations


def test_vmap_over_keys_is_a_draw_for_each() -> None:
    keys = random.split(KEY, 7)
    expected = np.stack([random.normal(key, (3, 5)) for key in keys])
    mapped = cr.vmap(lambda key: random.normal(key, (3, 5)))
    np.testing.assert_array_equal(mapped(keys), expected)
    np.testing.assert_array_equal(cr.compile(mapped)(keys), expected)


def test_a_loop_may_fold_its_count_into_a_key() -> None:
    def walk(key: Any) -> Any:
        def step(total: Any, t: Any) -> Any:
            moved = total + random.normal(random.fold_in(key, t), (), np.float64)
            return moved, moved

        return cr.scan(step, 0.0, np.arange(20))[1]

    steps = [random.normal(random.fold_in(KEY, t), (), np.float64) for t in range(20)]
    np.testing.assert_array_equal(walk(KEY), np.cumsum(steps))


def test_bounds_of_uniform_have_derivatives() -> None:
    u = random.uniform(KEY, 50, np.float64)
    for total in (
        lambda low, high: cnp.sum(random.uniform(KEY, 50, np.float64, low, high)),
        cr.compile(lambda low, high: cnp.sum(random.uniform(KEY, 50, np.float64, low, high))),
    ):
        low, high = cr.grad(total, (0, 1))(-1.0, 3.0)
        np.testing.assert_allclose([low, high], [np.sum(1 - u), np.sum(u)], rtol=1e-14)


def test_a_normal_sample_has_the_derivatives_of_its_mean_and_deviation() -> None:
    """Reparameterised: the slope of E[(μ + σ z)²] is 2 μ, 2 σ."""

    def cost(mean: Any, deviation: Any, key: Any) -> Any:
        return cnp.mean((mean + deviation * random.normal(key, COUNT, np.float64)) ** 2)

    for slope in (cr.grad(cost, (0, 1)), cr.compile(cr.grad(cost, (0, 1)))):
        np.testing.assert_allclose(slope(0.5, 2.0, KEY), (1.0, 4.0), atol=0.03)


# distributions


def within(found: Any, expected: Any, deviation: Any) -> bool:
    """Whether estimates lie within four and a half standard deviations of what they estimate."""
    return bool(np.all(np.abs(np.asarray(found) - expected) < 4.5 * np.asarray(deviation)))


def chi_squared(counts: Any, expected: Any) -> float:
    """χ² by its degrees of freedom, less one, in standard deviations."""
    freedom = np.size(counts) - 1
    return float((np.sum((counts - expected) ** 2 / expected) - freedom) / math.sqrt(2 * freedom))


def kolmogorov(sample: Any, distribution: Callable[[float], float]) -> float:
    """√n times the largest distance between the sample's distribution function and the exact one."""
    exact = np.array([distribution(x) for x in np.sort(sample).tolist()])
    places = np.arange(len(exact) + 1) / len(exact)
    return float(max(np.max(exact - places[:-1]), np.max(places[1:] - exact)) * math.sqrt(len(exact)))


def test_bytes_are_equally_likely() -> None:
    found = random.bits(KEY, COUNT // 8, np.uint64).view(np.uint8).reshape(-1, 8)
    for place in range(8):
        assert abs(chi_squared(np.bincount(found[:, place], minlength=256), len(found) / 256)) < 4.5


def test_every_bit_is_set_half_of_the_time_and_none_follows_another() -> None:
    words = random.bits(KEY, 20_000, np.uint64)
    each = (words[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)).astype(np.float64) * 2 - 1
    assert within(each.mean(axis=0), 0, 1 / math.sqrt(len(each)))
    together = each.T @ each / len(each) - np.eye(64)
    assert within(together, 0, 1.2 / math.sqrt(len(each)))  # 2016 pairs
    following = each[:-1].T @ each[1:] / len(each)
    assert within(following, 0, 1.2 / math.sqrt(len(each)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_numbers_are_uniform(dtype: Any) -> None:
    x = random.uniform(KEY, COUNT, dtype)
    assert x.dtype == dtype
    assert 0 <= x.min() < 2e-5
    assert 1 - 2e-5 < x.max() < 1
    wide = x.astype(np.float64)
    for power in range(1, 5):
        mean, variance = 1 / (power + 1), 1 / (2 * power + 1) - 1 / (power + 1) ** 2
        assert within(np.mean(wide**power), mean, math.sqrt(variance / COUNT))
    assert kolmogorov(x, lambda value: value) < 1.95  # 1 in 1000


def test_uniform_numbers_do_not_follow_each_other() -> None:
    x = random.uniform(KEY, COUNT, np.float64) - 0.5
    for lag in (1, 2, 3, 64, 4096):
        assert within(np.mean(x[:-lag] * x[lag:]) * 12, 0, 1 / math.sqrt(COUNT))
    pairs, _, _ = np.histogram2d(x[::2], x[1::2], bins=16)
    assert abs(chi_squared(pairs, COUNT / 2 / 256)) < 4.5


def test_uniform_single_numbers_are_the_double_ones_rounded_down() -> None:
    single, double = (random.uniform(KEY, 1000, dtype).astype(np.float64) for dtype in FLOATS)
    assert np.all((double - single >= 0) & (double - single < 2.0**-24))
    np.testing.assert_array_equal(single * 2**24, np.floor(single * 2**24))


@pytest.mark.parametrize(("low", "high"), [(1.0, 2.0), (-1.0, 0.0), (16777214.0, 16777216.0), (-3.0, 1e30)])
def test_uniform_never_reaches_its_upper_bound(low: float, high: float) -> None:
    x = random.uniform(KEY, COUNT, np.float32, low, high)
    assert x.min() >= np.float32(low)
    assert x.max() < np.float32(high)


def test_uniform_numbers_on_a_coarse_grid_are_equally_likely() -> None:
    """What is rounded up to the bound goes round to the other one, which otherwise would get half of its share."""
    x = random.uniform(KEY, COUNT, np.float32, 16777200.0, 16777216.0)
    assert abs(chi_squared(np.bincount((x - 16777200).astype(int), minlength=16), COUNT / 16)) < 4.5


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_numbers_are_normal(dtype: Any) -> None:
    x = random.normal(KEY, COUNT, dtype)
    assert x.dtype == dtype
    wide = x.astype(np.float64)
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert within(np.mean(wide**power), mean, math.sqrt(variance / COUNT))
    assert kolmogorov(x, lambda value: 0.5 * (1 + math.erf(value / math.sqrt(2)))) < 1.95
    for far in (2, 3, 4):
        share = math.erfc(far / math.sqrt(2))
        assert within(np.mean(np.abs(wide) > far), share, math.sqrt(share / COUNT))
    assert within(np.mean(wide[1:] * wide[:-1]), 0, 1 / math.sqrt(COUNT))


def exact_normal(v: float) -> Any:
    """The x with erf(x / √2) = v, in 40 digits."""
    with mpmath.workdps(40):
        tail = (1 - mpmath.mpf(abs(v))) / 2
        x = mpmath.mpf(math.copysign(float(random._DOUBLE(np.array([abs(v)]))[0]), 1))
        for _ in range(3):  # Newton, from a start with 15 digits
            x += (mpmath.erfc(x / mpmath.sqrt(2)) / 2 - tail) * mpmath.sqrt(2 * mpmath.pi) * mpmath.exp(x * x / 2)
        return x if v > 0 else -x


def chosen(unit: float, edge: float) -> np.ndarray[Any, Any]:
    """Odd multiples of `unit` between −1 and 1: spread, near zero, near the edge, far into the tail."""
    bits = -round(math.log2(unit))
    spread = np.linspace(-1, 1, 301)[1:-1]
    tail = 1 - 2.0 ** -np.linspace(1, bits, 3 * bits)
    near = np.concatenate([edge + unit * np.arange(-20, 20, 2), unit * np.arange(0, 20, 2)])
    return np.unique((np.floor(np.concatenate([spread, tail, near]) / unit / 2) * 2 + 1) * unit)


@pytest.mark.parametrize(
    ("quantile", "dtype", "unit", "error"),
    [(random._SINGLE, np.float32, 2.0**-24, 2.6e-7), (random._DOUBLE, np.float64, 2.0**-53, 6e-16)],
    ids=["float32", "float64"],
)
def test_normal_quantiles_have_the_stated_error(quantile: Any, dtype: Any, unit: float, error: float) -> None:
    v = chosen(unit, quantile.edge)
    found = quantile(v.astype(dtype))
    relative = [float(abs(mpmath.mpf(float(x)) / exact_normal(y) - 1)) for x, y in zip(found, v.tolist(), strict=True)]
    assert max(relative) < error
    assert np.mean(relative) < error / 5
    assert abs(found).max() < (5.43 if dtype == np.float32 else 8.30)


def test_the_logarithm_has_the_error_of_a_rounding_or_two() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.exp(rng.uniform(-37, 4, 300)), 1 + rng.uniform(-0.3, 0.5, 300)])
    for dtype, error in ((np.float32, 2e-7), (np.float64, 4e-16)):
        given = x.astype(dtype)
        found = random._logarithm(given)
        exact = [mpmath.log(mpmath.mpf(float(value))) for value in given]
        assert max(float(abs(float(a) / b - 1)) for a, b in zip(found, exact, strict=True)) < error


def test_bernoulli_has_its_probability() -> None:
    p = np.array([0.0, 0.001, 0.25, 0.5, 0.9, 1.0])
    drawn = random.bernoulli(KEY, p, (COUNT // 4, 6))
    assert drawn.dtype == bool
    assert within(drawn.mean(axis=0), p, np.sqrt(p * (1 - p) / (COUNT // 4)) + 1e-9)
    assert random.bernoulli(KEY, p).shape == (6,)
    assert within(random.bernoulli(KEY, 0.3, COUNT).mean(), 0.3, math.sqrt(0.21 / COUNT))
    assert not random.bernoulli(KEY, 0.0, 1000).any()
    assert random.bernoulli(KEY, 1.0, 1000).all()


def test_integers_are_equally_likely_and_in_range() -> None:
    x = random.integers(KEY, COUNT, -3, 10)
    assert x.dtype == np.int64
    assert abs(chi_squared(np.bincount(x + 3, minlength=13), COUNT / 13)) < 4.5
    assert set(np.unique(random.integers(KEY, 5000, -128, 128, np.int8))) == set(range(-128, 128))
    assert set(random.integers(KEY, 10, 5, 6).tolist()) == {5}
    wide = random.integers(KEY, COUNT, 0, 2**32, np.uint32)
    np.testing.assert_array_equal(wide, random.bits(KEY, COUNT))


def test_integers_are_the_product_with_the_span_of_64_bits() -> None:
    words = random.bits(KEY, 1000, np.uint64).tolist()
    for span in (3, 2**31 + 7, 2**32 - 1, 2**32):
        expected = [word * span >> 64 for word in words]
        assert random.integers(KEY, 1000, 0, span).tolist() == expected


def test_all_orders_of_four_are_equally_likely() -> None:
    order = {p: n for n, p in enumerate(permutations(range(4)))}
    draw = cr.compile(cr.vmap(lambda key: random.permutation(key, 4)))
    found = [order[tuple(row)] for row in draw(random.split(KEY, 4800)).tolist()]
    assert abs(chi_squared(np.bincount(found, minlength=24), 200)) < 4.5


def test_a_permutation_of_an_array_moves_whole_slices() -> None:
    x = np.arange(40).reshape(5, 8)
    rows, columns = random.permutation(KEY, x), random.permutation(KEY, x, axis=-1)
    np.testing.assert_array_equal(rows, x[random.permutation(KEY, 5)])
    np.testing.assert_array_equal(columns, x[:, random.permutation(KEY, 8)])
    assert not np.array_equal(rows, x)
    assert random.permutation(KEY, 0).shape == (0,)
    assert sorted(random.permutation(KEY, 1000).tolist()) == list(range(1000))


def test_a_permutation_of_what_is_traced_has_a_derivative() -> None:
    weights = np.arange(6.0)
    slope = cr.grad(lambda x: cnp.sum(weights * random.permutation(KEY, x)))(np.ones(6))
    np.testing.assert_array_equal(slope[random.permutation(KEY, 6)], weights)


def test_categories_have_their_probabilities() -> None:
    p = np.array([0.5, 0.3, 0.15, 0.05])
    x = random.categorical(KEY, np.broadcast_to(np.log(p) + 7, (COUNT // 4, 4)))
    assert x.dtype == np.int64
    assert abs(chi_squared(np.bincount(x, minlength=4), p * COUNT / 4)) < 4.5
    other = random.categorical(KEY, np.broadcast_to(np.log(p)[:, None], (4, 1000)), axis=0)
    assert other.shape == (1000,)
    impossible = np.array([0.0, -np.inf, 0.0], np.float32)
    assert 1 not in random.categorical(KEY, np.broadcast_to(impossible, (1000, 3)))


# refusals


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1", None])
def test_a_seed_is_a_whole_number_of_64_bits(seed: Any) -> None:
    with pytest.raises(OptionError, match="a seed must be a whole number from 0 to 18446744073709551615"):
        random.key(seed)


@pytest.mark.parametrize("draw", [random.bits, random.normal, random.split, random.bernoulli])
def test_a_key_is_two_words(draw: Callable[[Any], Any]) -> None:
    with pytest.raises(DTypeError, match="a key is an array of two uint32, not int"):
        draw(7)
    with pytest.raises(DTypeError, match="not int64"):
        draw(np.array([1, 2]))
    with pytest.raises(ShapeError, match=r"a key has the shape \(2,\), not \(5, 2\)(.|\n)*Take one of its rows"):
        draw(random.split(KEY, 5))


@pytest.mark.parametrize(
    ("refused", "error", "message"),
    [
        (lambda: random.split(KEY, 0), OptionError, "the number of keys must be a whole number from 1"),
        (lambda: random.fold_in(KEY, -1), OptionError, "from 0 to 4294967295, not -1"),
        (lambda: random.fold_in(KEY, 2**32), OptionError, "not 4294967296"),
        (lambda: random.fold_in(KEY, as_array(1.0)), DTypeError, "must be whole, not f64"),
        (lambda: random.fold_in(KEY, as_array([1, 2])), ShapeError, "one number can be folded"),
        (lambda: random.bits(KEY, 3, np.int32), DTypeError, "unsigned integers, not int32"),
        (lambda: random.bits(KEY, (-1, 3)), OptionError, "an extent of a shape"),
        (lambda: random.bits(KEY, (2**20, 2**20)), OptionError, r"at most 2\*\*32 numbers"),
        (lambda: random.normal(KEY, 3, np.int32), DTypeError, "float32 or float64, not int32"),
        (lambda: random.uniform(KEY, 3, np.float16), DTypeError, "float16"),
        (lambda: random.uniform(KEY, 3, low=1.0, high=1.0), OptionError, "low < high, not 1.0 and 1.0"),
        (lambda: random.uniform(KEY, 3, high=math.nan), OptionError, "low < high"),
        (lambda: random.uniform(KEY, 3, high=np.ones((2, 3))), ShapeError, r"uniform: .*\(2, 3\)"),
        (lambda: random.bernoulli(KEY, 1.5), OptionError, "a probability lies between 0 and 1, not 1.5"),
        (lambda: random.bernoulli(KEY, math.nan), OptionError, "not nan"),
        (lambda: random.bernoulli(KEY, np.ones((2, 3)), 3), ShapeError, r"bernoulli: .*\(2, 3\)"),
        (lambda: random.integers(KEY, 3, 5, 5), OptionError, "the end of random integers"),
        (lambda: random.integers(KEY, 3, 0, 2**32 + 1), OptionError, "the end of random integers"),
        (lambda: random.integers(KEY, 3, 0, 300, np.int8), OptionError, "from 1 to 128, not 300"),
        (lambda: random.integers(KEY, 3, -1, 3, np.uint8), OptionError, "from 0 to 255, not -1"),
        (lambda: random.integers(KEY, 3, 0, 3, np.float32), DTypeError, "an integer type, not float32"),
        (lambda: random.permutation(KEY, -1), OptionError, "the number to permute"),
        (lambda: random.permutation(KEY, np.ones(3), axis=1), ShapeError, "axis 1"),
        (lambda: random.categorical(KEY, np.ones(3), axis=1), ShapeError, "axis 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(refused: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        refused()


def test_nothing_that_is_rounded_differently_elsewhere_is_used() -> None:
    """What the standard asks to be rounded correctly, and integers: no function of a mathematical library."""
    exact = {ops.ADD, ops.SUBTRACT, ops.MULTIPLY, ops.DIVIDE, ops.SQRT, ops.NEGATIVE, ops.ABSOLUTE, ops.SELECT}
    exact |= {ops.LESS, ops.CAST, ops.BITCAST, *ops.BITWISE, *ops.LAYOUT, *ops.LEAVES}
    for draw in (DRAWS["normal32"], DRAWS["normal64"], DRAWS["between32"], DRAWS["integers"]):
        program = cr.compile(draw).program(KEY)
        assert {node.op for node in program.graph.nodes()} <= exact
