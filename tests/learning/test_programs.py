"""What learning runs serves any number of rows, any rate, any penalty: counted by what is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.cpu import machine
from chainrule.errors import OptionError
from chainrule.learning import programs
from chainrule.learning.evaluate import evaluate
from chainrule.learning.optimizers import SGD, Adam, Momentum, Optimizer
from chainrule.learning.programs import number_rows

RANDOM = np.random.default_rng(0)
SIZES = (3, 5, 2)
WEIGHTS = [(RANDOM.normal(size=(n, m)), RANDOM.normal(size=n)) for m, n in zip(SIZES, SIZES[1:], strict=False)]


def network() -> cr.nn.Network:
    return cr.nn.Network.from_weights(WEIGHTS, "tanh")


def examples(count: int) -> tuple[Any, Any]:
    random = np.random.default_rng(count)
    return random.normal(size=(count, 3)), random.normal(size=(count, 2))


def learned(count: int = 40, optimizer: Any = None, start: Any = None, data: Any = None, **options: Any) -> cr.Run:
    """A run in float64 over examples in their order."""
    chosen = examples(count) if data is None else data
    epochs = options.pop("epochs", 1)
    asked: dict[str, Any] = {
        "cost": "quadratic", "batch": 20, "epochs": epochs, "dtype": np.float64, "watch": False, "progress": False,
        "order": [np.arange(len(chosen[1]))] * epochs,
    }  # fmt: skip
    return cr.learn(start or network(), chosen, optimizer=optimizer or SGD(0.1), **asked | options)


def bits(run: cr.Run) -> bytes:
    return b"".join(np.asarray(leaf).tobytes() for leaf in cr.tree.flatten(run.network)[0])


# how many


@pytest.fixture(scope="module")
def compilations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """One entry for each program that LLVM compiles, with a cache of their own."""
    made: list[str] = []
    compile_text = machine.machine_code

    def counted(text: str, *arguments: Any) -> bytes:
        made.append(text)
        return compile_text(text, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(machine, "machine_code", counted)
        yield made


def test_what_is_compiled_depends_on_neither_rows_nor_rates_nor_penalties_nor_remainders(compilations: Any) -> None:
    """In this order, as each takes what the others left."""

    def more(*calls: Callable[[], Any]) -> int:
        before = len(compilations)
        for call in calls:
            call()
        return len(compilations) - before

    rows = (40, 60, 80, 100, 1000)
    assert more(*(lambda n=n: learned(n) for n in rows)) == 1  # the step
    assert more(*(lambda n=n: learned(n, watch=True) for n in rows)) == 1  # the step that is watched
    assert more(*(lambda r=r: learned(optimizer=SGD(r), watch=True) for r in (1e-3, 0.5, 3))) == 0
    assert more(lambda: learned(optimizer=SGD(lambda step: 0.1 / (1 + step))), lambda: learned(epochs=3, seed=7)) == 0
    assert more(lambda: learned(l2=0.1)) == 1  # a penalty adds its terms
    assert more(lambda: learned(l2=3.0), lambda: learned(60, l2=7)) == 0
    assert more(lambda: learned(41)) == 1  # a step of which some rows count
    assert more(*(lambda n=n: learned(n) for n in (42, 59, 999))) == 0
    assert more(lambda: learned(validation=examples(7))) == 1  # an evaluation
    held = (1, 100, 101, 250)
    assert more(*(lambda n=n: learned(validation=examples(n), evaluate_training=True) for n in held)) == 0
    assert more(lambda: evaluate(network(), examples(333), cost="quadratic")) == 0
    assert more(lambda: learned(batch=10)) == 1


# the short last batch


def in_numpy(count: int, rate: float, batch: int = 20, l2: float = 0.0) -> tuple[list[Any], float]:
    """The weights after an epoch of plain descent, and the mean of the costs of its steps, by hand."""
    (w1, b1), (w2, b2) = [(w.copy(), b.copy()) for w, b in WEIGHTS]
    x, y = examples(count)
    spent = 0.0
    for start in range(0, count, batch):
        a, t = x[start : start + batch], y[start : start + batch]
        n, h = len(a), np.tanh(a @ w1.T + b1)
        out = np.tanh(h @ w2.T + b2)
        penalty = 0.5 * l2 / count * ((w1**2).sum() + (w2**2).sum())
        spent += n * (0.5 * ((out - t) ** 2).sum(axis=1).mean() + penalty)
        d2 = (out - t) * (1 - out**2) / n
        d1 = (d2 @ w2) * (1 - h**2)
        shrink = 1 - rate * l2 / count
        w2, b2 = shrink * w2 - rate * d2.T @ h, b2 - rate * d2.sum(axis=0)
        w1, b1 = shrink * w1 - rate * d1.T @ a, b1 - rate * d1.sum(axis=0)
    return [w1, b1, w2, b2], spent / count


@pytest.mark.parametrize("watch", [False, 1])
@pytest.mark.parametrize(("count", "l2"), [(41, 0.0), (59, 2.0), (40, 0.0), (20, 2.0)])
def test_a_short_last_batch_counts_its_own_examples_alone(count: int, l2: float, watch: Any) -> None:
    expected, cost = in_numpy(count, 0.5, l2=l2)
    run = learned(count, SGD(0.5), l2=l2, watch=watch)
    for found, weights in zip(cr.tree.flatten(run.network)[0], expected, strict=True):
        np.testing.assert_allclose(found, weights, rtol=1e-12, atol=1e-15)
    assert run.history[-1].training_cost == pytest.approx(cost, rel=1e-12)


def root(network: Any, x: Any, y: Any) -> Any:
    """A cost of each example whose slope is not finite at 0."""
    return cnp.sqrt(cnp.sum((network(x) - y) ** 2, axis=1))


@pytest.mark.parametrize("name", ["quadratic", "of each example", "a mean"])
def test_costs_that_are_functions_are_the_same_with_a_short_last_batch(name: str) -> None:
    costs: dict[str, Any] = {
        "quadratic": "quadratic",
        "of each example": lambda network, x, y: 0.5 * cnp.sum((network(x) - y) ** 2, axis=1),
        "a mean": lambda network, x, y: 0.5 * cnp.mean(cnp.sum((network(x) - y) ** 2, axis=1)),
    }
    expected, _ = in_numpy(47, 0.5, l2=2.0)
    run = learned(47, SGD(0.5), l2=2.0, cost=costs[name], validation=examples(13), evaluate_training=True)
    for found, weights in zip(cr.tree.flatten(run.network)[0], expected, strict=True):
        np.testing.assert_allclose(found, weights, rtol=1e-11, atol=1e-14)
    for data, part in ((examples(47), "training_cost"), (examples(13), "validation_cost")):
        x, y = data
        of_data = 0.5 * ((run.network(x) - y) ** 2).sum(axis=1).mean()
        squares = sum((layer.w**2).sum() for layer in run.network.layers)
        assert getattr(run.history[-1], part) == pytest.approx(of_data + 2.0 / 47 / 2 * squares, rel=1e-11)


def test_a_cost_function_that_gives_a_mean_has_batches_of_exact_sizes() -> None:
    seen: list[int] = []

    def spread(network: Any, x: Any, y: Any) -> Any:
        seen.append(len(x))
        return cnp.sqrt(cnp.mean((network(x) - y) ** 2))

    x, y = examples(47)
    run = learned(47, cost=spread, validation=examples(280))
    assert {20, 7, 250, 30} <= set(seen)
    held = examples(280)
    each = [np.sqrt(((run.network(held[0][p]) - held[1][p]) ** 2).mean()) for p in (slice(0, 250), slice(250, 280))]
    assert run.history[-1].validation_cost == pytest.approx((250 * each[0] + 30 * each[1]) / 280, rel=1e-12)
    alone = np.sqrt(((network()(x) - y) ** 2).mean())
    assert learned(47, cost=spread, batch=47).history[-1].training_cost == pytest.approx(alone, rel=1e-12)


def test_rows_that_only_fill_a_batch_do_nothing_whatever_they_hold() -> None:
    """They repeat the last example; here it is one whose error is 0, of which the slope of a root is not a number."""
    x, y = examples(23)
    y[-1] = network()(x[-1:])[0]
    exact = learned(data=(x[:-1], y[:-1]), cost=root, optimizer=SGD(0.0), batch=22)
    run = learned(data=(x, y), cost=root, optimizer=SGD(0.0), batch=20)
    assert run.history[-1].training_cost == pytest.approx(exact.history[-1].training_cost * 22 / 23, rel=1e-12)
    filled = evaluate(network(), (x, y), cost=root)[0]
    assert filled == pytest.approx(exact.history[-1].training_cost * 22 / 23, rel=1e-12)


@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 230])
def test_any_number_of_examples_is_measured(count: int) -> None:
    x, y = examples(count)
    cost, accuracy = evaluate(network(), (x, y), cost="quadratic", l2=count * 3.0)
    squares = sum((w**2).sum() for w, _ in WEIGHTS)
    expected = 0.5 * ((network()(x) - y) ** 2).sum(axis=1).mean() + 1.5 * squares
    assert cost == pytest.approx(expected, rel=1e-12)
    assert accuracy is None


# rates and settings


def test_a_schedule_is_followed_step_by_step() -> None:
    asked: list[int] = []

    def decaying(step: int) -> float:
        asked.append(step)
        return 0.5 / (1 + step)

    run = learned(59, SGD(decaying), epochs=2)
    assert sorted(set(asked)) == list(range(6))
    by_hand = network()
    for step in range(6):
        rows = slice(20 * (step % 3), 20 * (step % 3) + 20)
        data = tuple(part[rows] for part in examples(59))
        by_hand = learned(data=data, start=by_hand, optimizer=SGD(0.5 / (1 + step)), batch=len(data[0])).network
    for one, two in zip(cr.tree.flatten(run.network)[0], cr.tree.flatten(by_hand)[0], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("make", [SGD, Momentum, Adam])
def test_a_schedule_that_is_constant_gives_the_bits_of_the_number(make: Callable[[Any], Optimizer]) -> None:
    assert bits(learned(59, make(lambda step: 0.25), epochs=2)) == bits(learned(59, make(0.25), epochs=2))


@dataclass(frozen=True)
class Shrinking(Optimizer):
    """One of a user's own, with a setting that may be a whole number or not."""

    rate: Any
    shrink: float = 0.0

    def start(self, parameters: Any) -> Any:
        return ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return cr.tree.map(lambda w, g: w - self.rate * (g + self.shrink * w), parameters, gradient), state


def test_a_setting_that_is_a_whole_number_is_another_program_and_the_same_result() -> None:
    """A whole number decides which code is written, so a program for a real number must not be taken for it."""
    real, whole, none = (learned(optimizer=Shrinking(0.1, shrink)) for shrink in (0.5, 0, 0.0))
    assert bits(whole) == bits(none) == bits(learned(optimizer=SGD(0.1)))
    assert bits(real) != bits(none)
    one = learned(optimizer=Shrinking(0.1, 1))
    for a, b in zip(
        *(cr.tree.flatten(r.network)[0] for r in (one, learned(optimizer=Shrinking(0.1, 1.0)))), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-14)
    assert Shrinking(1).rate_at(0) == 1.0


def test_the_numbers_of_a_step_are_rows_of_its_settings_and_of_where_it_is() -> None:
    rows = number_rows(SGD(lambda step: step / 2), range(3, 5), penalty=0.25, count=7, seed=2**32 + 1, epoch=9, done=30)
    assert rows.tolist() == [[15.0, 0.25, 7, 1, 1, 9, 3], [15.5, 0.25, 7, 1, 1, 9, 4]]


# bits


@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(0.01)], ids=str)
def test_watching_changes_no_bit(optimizer: Any) -> None:
    start = cr.nn.Sequential(cr.nn.Dense.of(3, 4, "tanh", seed=1), cr.nn.Dense.of(4, 2, seed=2))
    runs = [learned(59, optimizer, start, watch=watch, epochs=4, dtype=np.float32) for watch in (False, True, 3, False)]
    assert len({bits(run) for run in runs}) == 1
    assert runs[0].flow is None
    assert runs[2].flow is not None
    assert runs[2].flow.steps.tolist() == [0, 3, 6, 9]


# stopping


def test_callbacks_are_told_what_is_true_at_the_time() -> None:
    seen: list[Any] = []
    run = learned(50, epochs=3, on_epoch=lambda moment: seen.append(moment))
    assert [moment.step for moment in seen] == [3, 6, 9]
    assert [moment.record for moment in seen] == run.history
    assert [moment.cost for moment in seen] == [record.training_cost for record in run.history]
    assert not run.interrupted
    copy = seen[-1].network
    copy.layers[0].w[:] = 0
    assert (run.network.layers[0].w != 0).all()


@pytest.mark.parametrize("answer", [True, np.True_])
def test_a_callback_ends_learning_by_returning_true(answer: Any) -> None:
    run = learned(50, epochs=9, on_epoch=lambda moment: answer if moment.step == 6 else None)
    assert run.interrupted
    assert [record.epoch for record in run.history] == [1, 2]
    assert bits(run) == bits(learned(50, epochs=2))
    stopped = learned(50, epochs=9, on_stretch=lambda moment: answer)
    assert (stopped.interrupted, stopped.history) == (True, [])
    assert bits(stopped) != bits(run)


@pytest.mark.parametrize("answer", [None, False, 1, "stop", np.False_])
def test_any_other_answer_goes_on(answer: Any) -> None:
    run = learned(50, epochs=2, on_epoch=lambda moment: answer, on_stretch=lambda moment: answer)
    assert not run.interrupted
    assert len(run.history) == 2


def test_ctrl_c_in_a_callback_ends_learning_and_keeps_what_was_learnt(tmp_path: Path) -> None:
    def interrupt(moment: Any) -> None:
        if moment.step == 6:
            raise KeyboardInterrupt

    run = learned(50, epochs=9, on_epoch=interrupt, watch=True)
    assert run.interrupted
    assert bits(run) == bits(learned(50, epochs=2))
    run.save(tmp_path / "run")
    assert cr.Run.load(tmp_path / "run").interrupted


def test_an_error_of_a_callback_is_the_users() -> None:
    def wrong(moment: Any) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        learned(on_epoch=wrong)


def test_callbacks_are_functions() -> None:
    with pytest.raises(OptionError, match="on_epoch must be a function of a Moment, not 3"):
        learned(on_epoch=3)


# code of a user's own, which may read what it likes


def test_what_a_users_own_code_reads_may_have_changed_since_the_last_run(compilations: list[str]) -> None:
    told = {"scale": 1.0}

    def cost(network: Any, x: Any, y: Any) -> Any:
        return told["scale"] * 0.5 * cnp.sum((network(x) - y) ** 2, axis=1)

    def forward(layers: Any, x: Any) -> Any:
        return told["scale"] * layers[1](layers[0](x))

    def figures(**options: Any) -> float:
        return learned(60, watch=True, **options).history[0].training_cost

    for options in ({"cost": cost}, {"start": cr.nn.Function(forward, network().layers)}):
        found = []
        for scale in (1.0, 4.0, 1.0):
            told["scale"] = scale
            before = len(compilations)
            found.append(figures(**options))
        assert found[0] == found[2] != found[1]
        assert len(compilations) == before  # it says what it said before, and is not compiled again


def test_a_watched_step_of_own_code_is_traced_anew_only_if_the_plain_one_says_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced: list[bool] = []
    built = programs._built

    def noting(plan: Any) -> Any:
        traced.append(plan.watched)
        return built(plan)

    factor = [1.0]

    def scaled(network: Any, x: Any, y: Any) -> Any:
        return factor[0] * cnp.mean((network(x) - y) ** 2, axis=1)

    monkeypatch.setattr(programs, "_built", noting)
    first, again = (learned(40, cost=scaled, watch=2) for _ in range(2))
    assert sorted(traced) == [False, False, True]
    np.testing.assert_array_equal(flow_of(first).totals["predicted"], flow_of(again).totals["predicted"])
    factor[0] = 2.0
    other = learned(40, cost=scaled, watch=2)
    assert sorted(traced) == [False, False, False, True, True]
    np.testing.assert_allclose(flow_of(other).totals["cost"][0], 2 * flow_of(first).totals["cost"][0], rtol=1e-6)


def test_an_array_that_a_cost_closes_over_may_be_another_in_the_next_run() -> None:
    outputs = examples(1)[1].shape[1]
    weights = [np.ones(outputs)]

    def weighted(network: Any, x: Any, y: Any) -> Any:
        return cnp.mean((network(x) - y) ** 2 * weights[0], axis=1)

    costs = []
    for factor in (1.0, 3.0):
        weights[0] = np.full(outputs, factor)
        costs.append(flow_of(learned(40, cost=weighted, watch=2)).totals["cost"][0])
    assert costs[1] == pytest.approx(3 * costs[0], rel=1e-12)


def flow_of(run: cr.Run) -> Any:
    assert run.flow is not None
    return run.flow
