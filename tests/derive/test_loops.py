"""`scan`, `while_loop` and `cond`: a loop is what Python's own loop gives, in every derivative, compiled or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as np_
from chainrule.errors import DifferentiationError
from chainrule.testing import assert_close, check_gradient
from chainrule.trace.tree import flatten, tree_map

Run = Callable[[Any], Any]
RUNS = pytest.mark.parametrize("run", [lambda f: f, cr.compile], ids=["uncompiled", "compiled"])
RNG = np.random.default_rng(0)
W, X0, XS = RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3), RNG.normal(size=(6, 3))


def python_scan(function: Any, carry: Any, xs: Any = None, length: int | None = None, reverse: bool = False) -> Any:
    """The meaning of `scan`, in Python."""
    leaves, _ = flatten(xs)
    count = len(leaves[0]) if leaves else length
    rounds = range(count)[::-1] if reverse else range(count)
    rows = {}
    for t in rounds:
        carry, rows[t] = function(carry, tree_map(lambda x, t=t: x[t], xs))
    return carry, tree_map(lambda *ys: np_.stack(ys), *(rows[t] for t in range(count))) if count else None


Scan = Callable[..., Any]


# a recurrent network: what is carried, what is collected, what all rounds use


def recurrent(scan: Scan, reverse: bool = False) -> Callable[..., Any]:
    def function(w: Any, start: Any, xs: Any) -> Any:
        def one_round(h: Any, x: Any) -> Any:
            h = np_.tanh(w @ h + x)
            return h, np_.sin(h) * x

        return scan(one_round, start, xs, reverse=reverse)

    return function


def cost_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """One number of all that a function returns."""

    def cost(*arguments: Any) -> Any:
        leaves = flatten(function(*arguments))[0]
        return sum(np_.sum(np_.cos(y) * (1.0 + n)) for n, y in enumerate(leaves))

    return cost


def derivatives(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """A function's derivatives of every kind, as functions of its arguments."""
    cost = cost_of(function)

    def hessian_product(*arguments: Any) -> Any:
        return cr.jvp(lambda w: cr.grad(cost, 0)(w, *arguments[1:]), arguments[:1], (np_.cos(arguments[0]),))[1]

    def pushed(*arguments: Any) -> Any:
        return cr.jvp(function, arguments, tuple(np_.sin(a) for a in arguments))

    def of_batch(*arguments: Any) -> Any:
        wide = [np_.stack([a, a * 0.9, a * 1.1]) for a in arguments]
        return cr.vmap(function)(*wide)

    def gradients_of_batch(*arguments: Any) -> Any:
        first = np_.stack([arguments[0], arguments[0] * 0.9])
        return cr.vmap(cr.grad(cost), in_axes=(0, *[None] * (len(arguments) - 1)))(first, *arguments[1:])

    return {
        "value": function,
        "gradients": cr.grad(cost, tuple(range(3))),
        "forward": pushed,
        "batch": of_batch,
        "gradients of a batch": gradients_of_batch,
        "second, forward over backward": hessian_product,
        "second, backward over backward": cr.grad(
            lambda *a: sum(np_.sum(g**2) for g in cr.grad(cost, (0, 1, 2))(*a)), (0, 1, 2)
        ),
        "second, backward over forward": cr.grad(
            lambda *a: sum(np_.sum(t) for t in flatten(pushed(*a)[1])[0]), (0, 1, 2)
        ),
    }


KINDS = tuple(derivatives(recurrent(cr.scan)))


@RUNS
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_is_pythons_loop(kind: str, reverse: bool, run: Run) -> None:
    found = run(derivatives(recurrent(cr.scan, reverse))[kind])(W, X0, XS)
    assert_close(found, derivatives(recurrent(python_scan, reverse))[kind](W, X0, XS))


def test_a_scan_has_the_derivatives_that_its_values_have() -> None:
    check_gradient(recurrent(cr.scan), W, X0, XS[:3])


@RUNS
@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_of_one_round(kind: str, run: Run) -> None:
    found = run(derivatives(recurrent(cr.scan))[kind])(W, X0, XS[:1])
    assert_close(found, derivatives(recurrent(python_scan))[kind](W, X0, XS[:1]))


@RUNS
def test_a_scan_of_no_round_gives_back_what_came(run: Run) -> None:
    none = XS[:0]
    final, rows = run(recurrent(cr.scan))(W, X0, none)
    assert (final.tolist(), rows.shape) == (X0.tolist(), (0, 3))
    of_w, of_start, of_xs = run(cr.grad(lambda *a: np_.sum(recurrent(cr.scan)(*a)[0]), (0, 1, 2)))(W, X0, none)
    assert (of_w.tolist(), of_start.tolist(), of_xs.shape) == (np.zeros((3, 3)).tolist(), [1.0] * 3, (0, 3))
    (_, rows), (change, row_changes) = run(lambda *a: cr.jvp(recurrent(cr.scan), a, a))(W, X0, none)
    assert (change.tolist(), row_changes.shape, rows.shape) == (X0.tolist(), (0, 3), (0, 3))
    wide = run(cr.vmap(recurrent(cr.scan), in_axes=(None, 0, None)))(W, np.stack([X0, X0]), none)
    assert (wide[0].tolist(), wide[1].shape) == ([X0.tolist()] * 2, (2, 0, 3))


@RUNS
def test_a_scan_without_rows_counts_its_rounds(run: Run) -> None:
    def power(x: Any) -> Any:
        return cr.scan(lambda y, _: (y * x, None), np_.ones_like(x), length=5)[0]

    assert run(power)(1.5) == pytest.approx(1.5**5)
    assert run(cr.grad(power))(1.5) == pytest.approx(5 * 1.5**4)
    assert run(cr.grad(cr.grad(power)))(1.5) == pytest.approx(20 * 1.5**3)
    assert run(lambda x: cr.jvp(power, (x,), (2.0,))[1])(1.5) == pytest.approx(10 * 1.5**4)


# what may be carried


def trees(scan: Scan) -> Callable[..., Any]:
    """Trees of every kind, whole numbers beside floats, a count, and a part of the carry that never changes."""

    def function(w: Any, start: Any, xs: Any) -> Any:
        def one_round(carry: Any, x: Any) -> Any:
            n, h = carry["n"], carry["h"]
            turned = np_.where(n % 2 == 0, 1.0, -1.0) * carry["fixed"]
            h = (np_.tanh(w @ h[0] * turned + x["a"]), h[1] + np_.sum(h[0] * x["b"][0]))
            return {"h": h, "n": n + 1, "fixed": carry["fixed"]}, [h[1], {"n": n, "both": (h[0], x["b"][1])}]

        rows = {"a": xs, "b": (np_.cos(xs), np.arange(len(xs)))}
        carry, collected = scan(one_round, {"h": (start, np_.zeros(())), "n": np.int64(0), "fixed": start * 0.5}, rows)
        return carry["h"], carry["fixed"], collected[0], collected[1]["both"][0]

    return function


@RUNS
@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_of_trees_with_whole_numbers_is_pythons_loop(kind: str, run: Run) -> None:
    found = run(derivatives(trees(cr.scan))[kind])(W, X0, XS)
    assert_close(found, derivatives(trees(python_scan))[kind](W, X0, XS))


@RUNS
def test_whole_numbers_are_carried_collected_and_batched(run: Run) -> None:
    def count(start: Any, steps: Any) -> Any:
        return cr.scan(lambda n, s: (n + s, (n, n > 3)), start, steps)

    final, (before, large) = run(count)(np.int32(2), np.array([1, 2, 3], np.int32))
    assert (int(final), before.tolist(), large.tolist()) == (8, [2, 3, 5], [False, False, True])
    assert (final.dtype, before.dtype, large.dtype) == (np.int32, np.int32, bool)
    wide = run(cr.vmap(count, in_axes=(0, None)))(np.array([0, 10], np.int32), np.array([1, 2, 3], np.int32))
    assert wide[0].tolist() == [6, 16]
    assert wide[1][0].tolist() == [[0, 1, 3], [10, 11, 13]]


@RUNS
def test_what_is_carried_may_stay_as_it_is(run: Run) -> None:
    def function(x: Any) -> Any:
        return cr.scan(lambda c, row: (c, c * row), x, np.array([1.0, 2.0, 3.0]))

    assert run(cr.grad(lambda x: np_.sum(function(x)[1]) + function(x)[0]))(2.0) == 7.0
    assert run(lambda x: cr.jvp(function, (x,), (1.0,))[1])(2.0)[1].tolist() == [1.0, 2.0, 3.0]


@RUNS
def test_only_what_is_collected_may_have_a_cost(run: Run) -> None:
    """The carry itself is a whole number: errors come from the rows alone."""

    def cost(w: Any) -> Any:
        _, rows = cr.scan(lambda n, x: (n + 1, np_.sin(w * x)), 0, XS)
        return np_.sum(rows)

    np.testing.assert_allclose(run(cr.grad(cost))(1.5), np.sum(XS * np.cos(1.5 * XS)), rtol=1e-13)
    np.testing.assert_allclose(
        run(lambda w: cr.jvp(cost, (w,), (1.0,))[1])(1.5), np.sum(XS * np.cos(1.5 * XS)), rtol=1e-13
    )


@RUNS
def test_pythons_numbers_are_carried_in_the_dtype_that_a_round_makes_of_them(run: Run) -> None:
    def total(xs: Any) -> Any:
        return cr.scan(lambda s, x: (s + x, s), 0, xs)

    for dtype in (np.float32, np.float64, np.int16):
        final, before = run(total)(np.arange(4, dtype=dtype))
        assert (final.dtype, before.tolist()) == (np.result_type(dtype), [0, 0, 1, 3])


@RUNS
def test_pythons_numbers_meet_others_in_a_round_as_they_do_anywhere(run: Run) -> None:
    """A half, a third and a truth times single-precision numbers are of single precision; so is what comes of them."""

    def one_round(carry: Any, x: Any) -> Any:
        n, share, is_first = carry
        return (n / 2, -abs(share), ~is_first), n / 2 * x + share * x + is_first * x

    carry, found = run(lambda xs: cr.scan(one_round, (1, 1 / 3, True), xs))(np.ones(2, np.float32))
    assert [c.dtype for c in carry] == [np.float64, np.float64, bool]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0.5 + 1 / 3 + 1, 0.25 - 1 / 3], rtol=1e-6)


@RUNS
def test_what_has_become_an_array_is_one_in_every_round(run: Run) -> None:
    """As in Python from the second round on: then the total is of double precision, and so is what it is added to."""
    xs, ys = np.ones(3), np.full(3, 0.1, np.float32)
    total, found = run(lambda xs, ys: cr.scan(lambda t, row: (t + row[0], t + row[1]), 0.0, (xs, ys)))(xs, ys)
    assert (total, found.dtype) == (3.0, np.float64)


@pytest.mark.parametrize(("start", "looks"), [(0.0, 1), (np.float64(0), 1), (np.zeros(()), 1), (0, 2)])
def test_a_round_is_looked_at_once_unless_a_number_turns_out_to_be_another(start: Any, looks: int) -> None:
    seen = []

    def added(total: Any, x: Any) -> Any:
        seen.append(total)
        return total + x.sum(), None

    assert cr.scan(added, start, np.ones((3, 2)))[0] == 6.0
    assert len(seen) == looks


@RUNS
def test_a_loop_without_rounds_gives_what_it_was_given_in_the_dtype_of_a_round(run: Run) -> None:
    found = run(lambda x: cr.while_loop(lambda s: s > 1, lambda s: s * x, 0))(np.float32(2))
    assert (found, found.dtype) == (0, np.float32)


# loops in loops


def nested(scan: Scan, cond: Any) -> Callable[..., Any]:
    """A scan inside a branch inside a scan: powers of a matrix, more of them for every second row."""

    def function(w: Any, start: Any, xs: Any) -> Any:
        def inner(h: Any, rows: Any) -> Any:
            return scan(lambda g, x: (np_.tanh(w @ g + x), np_.sum(g) * x), h, rows)

        def outer(carry: Any, x: Any) -> Any:
            h, n = carry
            rows = np_.stack([x, x * h])
            h, collected = cond(n % 2 == 0, inner, lambda h, rows: (h * np_.cos(w[0]), rows * 2.0), h, rows)
            return (h, n + 1), np_.sum(collected)

        (h, _), sums = scan(outer, (start, np.int64(0)), xs)
        return h, sums

    return function


def python_cond(condition: Any, if_true: Any, if_false: Any, *operands: Any) -> Any:
    return if_true(*operands) if condition else if_false(*operands)


@RUNS
@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_in_a_branch_in_a_scan(kind: str, run: Run) -> None:
    found = run(derivatives(nested(cr.scan, cr.cond))[kind])(W, X0, XS[:4])
    assert_close(found, derivatives(nested(python_scan, python_cond))[kind](W, X0, XS[:4]))


@RUNS
@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpointed_scan_in_a_scan(kind: str, run: Run) -> None:
    def segments(scan: Scan, kept: Any) -> Callable[..., Any]:
        def function(w: Any, start: Any, xs: Any) -> Any:
            segment = kept(lambda h, rows: scan(lambda h, x: (np_.tanh(w @ h + x), np_.sum(h)), h, rows))
            return scan(segment, start, np_.reshape(xs, (3, 2, 3)))

        return function

    found = run(derivatives(segments(cr.scan, cr.checkpoint))[kind])(W, X0, XS)
    assert_close(found, derivatives(segments(python_scan, lambda f: f))[kind](W, X0, XS))


@RUNS
def test_a_derivative_inside_each_round(run: Run) -> None:
    """Gradient descent as a scan; its result is differentiated by what it starts from and by the rate."""

    def cost(w: Any, a: Any) -> Any:
        return np_.sum((w - a) ** 4) + np_.sum(np_.cos(w))

    def trained(scan: Scan) -> Callable[..., Any]:
        def function(a: Any, start: Any, rates: Any) -> Any:
            return scan(lambda w, rate: (w - rate * cr.grad(cost)(w, a), cost(w, a)), start, rates)

        return function

    arguments = X0, XS[0], np.full(5, 0.05)
    for kind in ("value", "gradients", "forward", "second, forward over backward"):
        found = run(derivatives(trained(cr.scan))[kind])(*arguments)
        assert_close(found, derivatives(trained(python_scan))[kind](*arguments))


# what the compiled program looks like


def steps_of(program: Any) -> int:
    """The steps of a program, those of the programs inside it among them."""

    def count(schedule: Any) -> int:
        inner = [getattr(step, "schedules", ()) for step in schedule.steps]
        return len(schedule.steps) + sum(count(s) for part in inner for s in part)

    return count(program.schedule)


def loop_cost(x: Any, rows: Any) -> Any:
    return np_.sum(cr.scan(lambda h, r: (np_.tanh(h * r + 0.1), None), x, rows)[0])


def test_the_code_of_a_scan_does_not_grow_with_its_length() -> None:
    for function in (loop_cost, cr.grad(loop_cost), lambda x, r: cr.jvp(loop_cost, (x, r), (x, r))):
        short, long = (cr.compile(function).program(np.ones(8), np.ones((n, 8))) for n in (10, 5000))
        assert len(str(short).splitlines()) == len(str(long).splitlines())
        assert steps_of(short) == steps_of(long)


def test_the_memory_of_a_scan_forward_does_not_grow_and_backward_grows_with_its_length() -> None:
    def bytes_of(function: Any, length: int) -> int:
        return int(cr.compile(function).program(np.ones(64), np.ones((length, 64))).temporary_bytes)

    assert bytes_of(loop_cost, 10) == bytes_of(loop_cost, 5000)
    backward = [bytes_of(cr.grad(loop_cost), n) for n in (1000, 2000, 4000)]
    assert 0 < backward[1] - backward[0] <= 2 * 1000 * 64 * 8  # the carry of each round, and no more than another row
    assert backward[2] - backward[1] == 2 * (backward[1] - backward[0])


def test_a_checkpoint_round_each_segment_keeps_less() -> None:
    """Of 64 rounds in 8 segments: 8 carries of segments and 8 of rounds, not 64."""

    def cost(kept: Any) -> Any:
        def function(x: Any, rows: Any) -> Any:
            segment = kept(lambda h, part: cr.scan(lambda h, r: (np_.tanh(h * r), None), h, part))
            return np_.sum(cr.scan(segment, x, np_.reshape(rows, (32, 32, 256)))[0])

        return function

    x, rows = np.linspace(0.5, 1, 256), np.full((1024, 256), 1.01)
    plain, less = (cr.compile(cr.grad(cost(kept))) for kept in (lambda f: f, cr.checkpoint))
    assert_close(less(x, rows), plain(x, rows))
    flat = cr.compile(cr.grad(lambda x, rows: np_.sum(cr.scan(lambda h, r: (np_.tanh(h * r), None), x, rows)[0])))
    assert less.program(x, rows).temporary_bytes < flat.program(x, rows).temporary_bytes / 4


# while_loop


def halvings(a: Any, start: Any) -> Any:
    """Newton's iteration for √a until it stands still, and how many rounds that took."""

    def goes_on(state: Any) -> Any:
        x, n = state
        return np_.logical_and(np_.abs(x * x - a) > 1e-13 * a, n < 60)

    return cr.while_loop(goes_on, lambda state: ((state[0] + a / state[0]) / 2, state[1] + 1), (start, 0))


@RUNS
def test_a_while_loop_runs_until_its_condition_fails(run: Run) -> None:
    root, rounds = run(halvings)(7.0, 7.0)
    assert root == pytest.approx(7**0.5, rel=1e-13)
    assert 4 <= rounds < 12
    assert run(lambda x: cr.while_loop(lambda x: x < 0, lambda x: x * 2, x))(3.0) == 3.0


@RUNS
@pytest.mark.parametrize(
    ("start", "holds", "step"),
    [
        (np.array(1), lambda i: i < 5, lambda i: i + 1),
        (np.array(1, np.int8), lambda i: i < 50, lambda i: i * 2),
        (np.array(0.1), lambda x: x < 100, lambda x: x * 1.1),
        (np.array(0.1, np.float32), lambda x: x < 100, lambda x: x * np.float32(1.1)),
        (np.arange(3), lambda i: i.sum() < 50, lambda i: i + 1),
        (np.array([0.1, 0.7]), lambda x: x[1] < 100, lambda x: x * x[::-1] + 1),
        (np.array(True), lambda b: b, lambda b: ~b),
        (np.array(False), lambda b: ~b, lambda b: ~b),
    ],
)
def test_the_truth_of_a_condition_does_not_touch_what_is_carried(start: Any, holds: Any, step: Any, run: Run) -> None:
    """A single array is carried: the condition's result is one as well, and is kept elsewhere."""
    expected = start
    while holds(expected):
        expected = step(expected)
    found = run(lambda x: cr.while_loop(holds, step, x))(start)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@RUNS
def test_a_while_loop_has_derivatives_forward(run: Run) -> None:
    change = run(lambda a: cr.jvp(lambda a: halvings(a, a)[0], (a,), (1.0,))[1])(7.0)
    assert change == pytest.approx(0.5 / 7**0.5, rel=1e-6)
    twice = run(lambda x: cr.jvp(lambda x: cr.jvp(lambda x: grown(x)[0], (x,), (1.0,))[1], (x,), (1.0,))[1])(1.5)
    assert twice == pytest.approx(12 * 1.5**2 * 8, rel=1e-12)


def grown(x: Any) -> Any:
    """8·x⁴: x⁴ in a tree, doubled three times; its dtypes and a constant part are carried along."""
    start = (x * x * x * x, {"n": np.int32(0), "limit": 3})
    return cr.while_loop(
        lambda s: s[1]["n"] < s[1]["limit"], lambda s: (s[0] * 2, {"n": s[1]["n"] + 1, "limit": s[1]["limit"]}), start
    )


@RUNS
def test_a_part_of_a_while_loops_state_may_stay_as_it_is(run: Run) -> None:
    assert run(lambda x: grown(x)[0])(1.5) == pytest.approx(8 * 1.5**4)


@RUNS
def test_each_example_of_a_batch_runs_its_own_number_of_rounds(run: Run) -> None:
    def doubled(x: Any, limit: Any) -> Any:
        return cr.while_loop(lambda s: s[0] < limit, lambda s: (s[0] * 2, s[1] + 1), (x, 0))

    x = np.array([1.0, 3.0, 200.0, 7.0])
    value, rounds = run(cr.vmap(doubled, in_axes=(0, None)))(x, 100.0)
    assert (value.tolist(), rounds.tolist()) == ([128.0, 192.0, 200.0, 112.0], [7, 6, 0, 4])
    value, rounds = run(cr.vmap(doubled, in_axes=(None, 0)))(1.0, x)
    assert (value.tolist(), rounds.tolist()) == ([1.0, 4.0, 256.0, 8.0], [0, 2, 8, 3])
    change = run(cr.vmap(lambda x: cr.jvp(lambda x: doubled(x, 100.0)[0], (x,), (1.0,))[1]))(x)
    assert change.tolist() == [128.0, 64.0, 1.0, 16.0]


def test_an_example_that_has_finished_is_not_disturbed_by_those_that_go_on() -> None:
    """1/x would be infinite if rounds went on counting down the example that has reached 0."""

    def falling(n: Any) -> Any:
        return cr.while_loop(lambda s: s[0] > 0, lambda s: (s[0] - 1, s[1] + 1.0 / s[0]), (n, 0.0))[1]

    for run in (lambda f: f, cr.compile):
        found = run(cr.vmap(falling))(np.array([1.0, 4.0]))
        np.testing.assert_allclose(found, [1.0, 1 + 1 / 2 + 1 / 3 + 1 / 4])


def test_a_while_loop_that_is_not_compiled_has_every_derivative() -> None:
    assert cr.grad(lambda a: halvings(a, a)[0])(7.0) == pytest.approx(0.5 / 7**0.5, rel=1e-6)
    assert cr.hessian(lambda x: grown(x)[0])(1.5) == pytest.approx(12 * 1.5**2 * 8, rel=1e-12)
    check_gradient(lambda x: grown(x)[0], 1.5)


def test_a_while_loop_that_is_compiled_refuses_to_go_backward_and_says_what_to_do() -> None:
    slope = cr.grad(lambda x: halvings(x, x)[0])
    for wrong, x in ((cr.compile(slope), 1.5), (cr.vmap(slope), np.array([1.5, 2.0]))):
        with pytest.raises(DifferentiationError, match=r"while_loop cannot be differentiated backward(.|\n)*cr\.scan"):
            wrong(x)


def test_a_while_loop_beside_the_derivative_is_no_trouble() -> None:
    """How far to go is found by a loop; what is differentiated does not go through it."""

    def cost(x: Any) -> Any:
        rounds = cr.while_loop(lambda n: n < 5, lambda n: n + 1, 0)
        return x * x * cr.stop_gradient(cr.while_loop(lambda y: y < 10, lambda y: y * 2, x)) + 0 * rounds

    assert cr.compile(cr.grad(cost))(3.0) == 2 * 3.0 * 12


# cond


def huber(x: Any) -> Any:
    return cr.cond(np_.abs(x) < 1, lambda x: 0.5 * x * x, lambda x: np_.abs(x) - 0.5, x)


@RUNS
def test_a_branch_has_the_derivatives_of_the_side_that_is_taken(run: Run) -> None:
    points = (-3.0, -0.5, 0.25, 2.0)
    assert [float(run(huber)(x)) for x in points] == [2.5, 0.125, 0.03125, 1.5]
    assert [float(run(cr.grad(huber))(x)) for x in points] == [-1.0, -0.5, 0.25, 1.0]
    assert [float(run(cr.grad(cr.grad(huber)))(x)) for x in points] == [0.0, 1.0, 1.0, 0.0]
    assert [float(run(lambda x: cr.jvp(huber, (x,), (2.0,))[1])(x)) for x in points] == [-2.0, -1.0, 0.5, 2.0]
    assert run(cr.vmap(cr.grad(huber)))(np.array(points)).tolist() == [-1.0, -0.5, 0.25, 1.0]
    assert run(cr.vmap(cr.hessian(huber)))(np.array(points)).tolist() == [0.0, 1.0, 1.0, 0.0]
    assert (
        run(cr.hessian(lambda x: np_.sum(cr.vmap(huber)(x))))(np.array(points)).tolist()
        == np.diag([0.0, 1, 1, 0]).tolist()
    )


@RUNS
def test_a_branch_uses_what_it_closes_over_and_trees(run: Run) -> None:
    def function(x: Any, w: Any, way: Any) -> Any:
        return cr.cond(
            way > 0,
            lambda t: {"y": t["a"] * w, "n": t["n"]},
            lambda t: {"y": t["a"] ** 2, "n": t["n"] + 1},
            {"a": x, "n": 3},
        )

    for way, slope_of_x, slope_of_w in ((1.0, 5.0, 2.0), (-1.0, 4.0, 0.0)):
        found = run(lambda x, w, way: cr.grad(lambda x, w: function(x, w, way)["y"], (0, 1))(x, w))(2.0, 5.0, way)
        assert [float(g) for g in found] == [slope_of_x, slope_of_w]
    assert run(function)(2.0, 5.0, -1.0) == {"y": 4.0, "n": 4}
    wide = run(cr.vmap(function, in_axes=(None, None, 0)))(2.0, 5.0, np.array([1.0, -1.0]))
    assert (wide["y"].tolist(), wide["n"].tolist()) == ([10.0, 4.0], [3, 4])
    wide = run(cr.vmap(function, in_axes=(0, None, None)))(np.array([2.0, 3.0]), 5.0, -1.0)
    assert (wide["y"].tolist(), wide["n"].tolist()) == ([4.0, 9.0], [4, 4])


@RUNS
def test_only_the_branch_that_is_taken_is_computed(run: Run) -> None:
    """A loop that never ends, in the branch that is not taken."""

    def function(x: Any) -> Any:
        return cr.cond(x > 0, lambda x: x * 2, lambda x: cr.while_loop(lambda y: y < 1, lambda y: y - 1, x), x)

    assert run(function)(3.0) == 6.0
    assert run(lambda x: cr.jvp(function, (x,), (1.0,))[1])(3.0) == 2.0


def test_a_condition_that_is_known_is_pythons_if() -> None:
    assert cr.compile(lambda x: cr.cond(True, lambda x: x * 2, lambda x: [x], x))(3.0) == 6.0
    assert cr.cond(0.0, lambda: 1.0, lambda: 2.0) == 2.0
    check_gradient(huber, 0.5)
    check_gradient(huber, 1.5)
