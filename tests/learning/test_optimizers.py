"""Optimisers: what each tells of itself is what its `update` does, by experiment."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.learning.optimizers import (
    SGD,
    Adam,
    Momentum,
    Optimizer,
    optimizer_from,
    optimizer_text,
    schedules,
    settings,
    with_settings,
)

RANDOM = np.random.default_rng(0)
TREE = {"w": RANDOM.normal(size=(2, 3)), "b": RANDOM.normal(size=2)}


@dataclass(frozen=True)
class Signs(Optimizer):
    """One of a user's own that tells nothing but how it works."""

    rate: Any = 0.01

    def start(self, parameters: Any) -> Any:
        return ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return cr.tree.map(lambda w, g: w - self.rate * np.sign(g), parameters, gradient), state


@dataclass(frozen=True)
class Twice(SGD):
    """One made of another: what that says of itself is not said of this."""

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return cr.tree.map(lambda w, g: w - 2 * self.rate * g, parameters, gradient), state


MADE: list[Callable[[Any], Optimizer]] = [SGD, Momentum, lambda rate: Momentum(rate, 0.5), Adam, Signs, Twice]
OPTIMIZERS = [make(0.1) for make in MADE]
every = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)


def gradients(count: int) -> list[Any]:
    return [cr.tree.map(lambda w: RANDOM.normal(size=w.shape), TREE) for _ in range(count)]


def close(one: Any, two: Any, **how: float) -> None:
    for a, b in zip(cr.tree.flatten(one)[0], cr.tree.flatten(two)[0], strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-10, "atol": 1e-14} | how)


def difference(after: Any, before: Any) -> Any:
    return cr.tree.map(lambda a, b: a - b, after, before)


@every
def test_the_change_is_what_an_update_adds_on_every_step(optimizer: Optimizer) -> None:
    parameters, state = TREE, optimizer.start(TREE)
    for gradient in gradients(3):
        after, following = optimizer.update(parameters, gradient, state)
        if optimizer.knows("change"):
            close(optimizer.change(parameters, gradient, state), difference(after, parameters))
        parameters, state = after, following


@every
def test_a_multiple_is_told_where_a_step_is_that_times_the_gradient(optimizer: Optimizer) -> None:
    factor = optimizer.multiple if optimizer.knows("multiple") else None
    for gradient in gradients(2):
        after, _ = optimizer.update(TREE, gradient, optimizer.start(TREE))
        if factor is not None:
            close(difference(after, TREE), cr.tree.map(lambda g: factor * g, gradient))
    assert (factor is not None) == (type(optimizer) is SGD)


@every
def test_the_move_of_a_gradient_alone_is_that_of_the_first_step(optimizer: Optimizer) -> None:
    (gradient,) = gradients(1)
    after, _ = optimizer.update(TREE, gradient, optimizer.start(TREE))
    if optimizer.knows("change"):
        close(optimizer.alone(gradient), difference(after, TREE))


def grown(optimizer: Optimizer, curvature: float, steps: int = 400) -> float:
    """How far from the minimum of ½ λ w² the last steps are, in lengths of the start."""
    w, state, far = np.array([1.0]), optimizer.start(np.array([1.0])), []
    for _ in range(steps):
        w, state = optimizer.update(w, curvature * w, state)
        far.append(abs(float(w[0])))
    return max(far[-20:])


@pytest.mark.parametrize("make", [lambda r: SGD(r), lambda r: Momentum(r), lambda r: Momentum(r, 0.5)])
@pytest.mark.parametrize("rate", [0.01, 3.0])
def test_steps_on_a_quadratic_grow_beyond_the_bound_and_shrink_below_it(make: Any, rate: float) -> None:
    optimizer = make(rate)
    assert optimizer.bound is not None
    assert grown(optimizer, 0.97 * optimizer.bound / rate) < 0.1
    assert grown(optimizer, 1.03 * optimizer.bound / rate) > 10


def test_of_adam_they_do_in_its_scales_while_these_are_held() -> None:
    adam = Adam(0.5, beta2=1 - 1e-12)
    assert (adam.rescales, SGD(1.0).rescales) == (True, False)
    held = {"m": np.zeros(1), "v": np.full(1, 4.0), "t": np.array(1e15)}  # a second moment that is 4, for good
    assert adam.scales(held)[0] == pytest.approx(2.0)

    def at_the_end(share: float) -> float:
        w, state, far = np.array([1.0]), held, []
        for _ in range(400):
            w, state = adam.update(w, share * adam.bound / 0.5 * 2 * w, state)
            state = state | {"v": held["v"]}
            far.append(abs(float(w[0])))
        return max(far[-20:])

    assert at_the_end(0.97) < 0.1
    assert at_the_end(1.03) > 10


def test_scales_are_what_the_gradient_is_divided_by() -> None:
    adam, state = Adam(0.1, epsilon=0.5), Adam(0.1).start(TREE)
    for gradient in gradients(3):
        following = adam.update(TREE, gradient, state)[1]
        change, state = adam.change(TREE, gradient, state), following
    t = float(state["t"])
    means = cr.tree.map(lambda m: m / (1 - 0.9**t), state["m"])
    close(change, cr.tree.map(lambda m, p: -0.1 * m / p, means, adam.scales(state)))
    for wrong in ((), {"v": 1}, adam.start(TREE)):
        with pytest.raises(OptionError, match="state"):
            adam.scales(wrong)
    assert SGD(0.1).scales(()) is None


@every
def test_the_rate_of_a_step_is_told_and_may_be_another(optimizer: Optimizer) -> None:
    assert optimizer.rate_at(3) == 0.1
    scheduled = optimizer.with_rate(lambda step: 1 / (1 + step))
    assert type(scheduled) is type(optimizer)
    assert [scheduled.rate_at(step) for step in (0, 1, 3)] == [1, 0.5, 0.25]
    assert (schedules(scheduled), schedules(optimizer)) == (True, False)
    assert settings(scheduled, 3) == settings(optimizer, 3) | {"rate": 0.25}
    assert optimizer.with_rate(0.7).rate_at(0) == 0.7
    assert optimizer.rate_at(0) == 0.1
    traced = with_settings(optimizer, dict.fromkeys(settings(optimizer, 0), 0.0))
    assert traced == with_settings(optimizer.with_rate(0.9), dict.fromkeys(settings(optimizer, 0), 0.0))


@dataclass(frozen=True)
class Nothing(Optimizer):
    """An optimiser without settings."""

    def start(self, parameters: Any) -> Any:
        return ()

    def update(self, parameters: Any, gradient: Any, state: Any) -> Any:
        return parameters, state


def test_an_optimiser_without_a_rate_has_none() -> None:
    assert Nothing().rate_at(0) is None
    with pytest.raises(OptionError, match="no setting `rate`"):
        Nothing().with_rate(0.1)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, "fast", None, True])
def test_a_schedule_that_gives_no_rate_is_refused_with_the_step(bad: Any) -> None:
    optimizer = SGD(lambda step: bad if step == 7 else 0.1)
    assert optimizer.rate_at(6) == 0.1
    with pytest.raises(OptionError, match=r"the schedule of rate.*, at step 7"):
        optimizer.rate_at(7)


@every
def test_an_optimiser_of_ours_is_made_again_from_its_text(optimizer: Optimizer) -> None:
    text = optimizer_text(optimizer)
    ours = type(optimizer) in (SGD, Momentum, Adam)
    assert optimizer_from(text) == (optimizer if ours else None)
    scheduled = optimizer_text(optimizer.with_rate(np.sqrt))
    assert scheduled.isprintable()
    assert optimizer_from(scheduled) is None
