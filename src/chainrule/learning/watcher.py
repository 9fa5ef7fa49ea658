"""Watching learning: which steps are looked at, and what was seen of them.

A look runs the watched step on a copy of the state, so that what is learnt does not depend on who watches. It is
compiled in a thread of its own while learning goes on; looks that come before it is ready wait, with their copies. When
every step is to be seen, the watched step is the step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.checks import whole_number
from chainrule.learning.flow import LAYER_QUANTITIES, STEP_QUANTITIES, Flow

__all__ = ["Watcher", "looks_every"]

Values = np.ndarray[Any, Any]
#: The watched step: what there is to see of a step, by its number, the state before it and its batch of rows.
Look = Callable[[int, Sequence[Values], Values], Sequence[Values]]
_A_SECOND = 20  # looks, and no fewer than _FEWEST in all, unless that costs too much
_FEWEST = 50
_SHARE, _FREE = 0.02, 0.05  # of the time of learning, or so many seconds, that looks may cost together
_SPEED, _START = 30e9, 3e-6  # floating-point operations a second, seconds before the first: for a guess
_LOOK = 3  # steps, and as many seconds more as Python needs
_PYTHON = 1e-4
_MOST_WAITING = 1 << 28  # bytes of copies; with more, learning waits for the compiler


def looks_every(watch: bool | int, parameters: int, batch: int, steps: int) -> int | None:
    """How many of the steps lie between two looks: some 20 a second if `watch` is True; None for no looks.

    The guess depends on the network, the batch and the number of steps alone, so that the same steps are looked at
    every time.

    Raises OptionError if `watch` is neither true or false nor a whole number of at least 1.
    """
    if not isinstance(watch, bool | np.bool_):
        return whole_number("watch", watch, 1, cure="Or True for some 20 looks a second, False for none.")
    if not watch:
        return None
    seconds = 6 * parameters * batch / _SPEED + _START
    affordable = max(_SHARE * steps * seconds, _FREE) / (_LOOK * seconds + _PYTHON)
    looks = min(affordable, max(_A_SECOND * steps * seconds, _FEWEST))
    return max(2, round(steps / looks))


@dataclass
class Watcher:
    """What has been seen of the steps of one training, looking at every so many of them."""

    make: Callable[[], Look]
    every: int
    batch: int
    layers: int
    seen: list[tuple[int, list[Values]]] = field(default_factory=list)
    _waiting: list[tuple[int, list[Values], Values]] = field(default_factory=list)
    _step: Look | None = None
    _thread: threading.Thread | None = None
    _problem: BaseException | None = None

    def start(self) -> None:
        """Compile the watched step beside what goes on."""
        self._thread = threading.Thread(target=self._compile, daemon=True)
        self._thread.start()

    def _compile(self) -> None:
        try:
            self._step = self.make()
        except BaseException as problem:  # raised where learning waits for it
            self._problem = problem

    def until_next(self, step: int) -> int:
        """How many steps may be run before the next look; 0 if this one is to be looked at first."""
        return -step % self.every

    def look(self, step: int, state: Sequence[Values], rows: Values) -> None:
        """See what this step will do, before it does it."""
        copies = [np.array(array, order="C") for array in state]
        self._waiting.append((step, copies, rows))
        is_ready = self._thread is not None and not self._thread.is_alive()
        if is_ready or len(self._waiting) * sum(copy.nbytes for copy in copies) > _MOST_WAITING:
            self._catch_up()

    def add(self, step: int, measured: Sequence[Values]) -> None:
        """Note what was measured in a stretch of steps that were all watched."""
        for n in range(len(measured[0])):
            self.seen.append((step + n, [np.array(quantity[n]) for quantity in measured]))

    def _catch_up(self) -> None:
        if self._thread is not None:
            self._thread.join()
        if self._problem is not None:
            raise self._problem
        while self._waiting:
            step, state, rows = self._waiting.pop(0)  # first, as Ctrl-C may come before it is seen
            assert self._step is not None
            found = self._step(step, state, rows[None])
            self.seen.append((step, [quantity[0] for quantity in found]))

    def flow(self) -> Flow:
        """All that was seen."""
        if self._waiting:
            self._catch_up()
        return _flow(self.seen, self.batch, self.layers)


def _flow(seen: Sequence[tuple[int, list[Values]]], batch: int, layers: int) -> Flow:
    """The records as arrays: cost, right answers, each layer's quantities, predicted, and what else there is."""
    count = len(LAYER_QUANTITIES)
    table = [_row(quantities, layers * count) for _, quantities in seen]
    of_layers = np.array([row[0] for row in table], np.float64).reshape(len(table), layers, count)
    totals = np.array([row[1] for row in table], np.float64).reshape(len(table), len(STEP_QUANTITIES))
    shares = [row[2] for row in table]
    return Flow(
        np.array([step for step, _ in seen], np.int64),
        batch,
        {name: of_layers[:, :, n] for n, name in enumerate(LAYER_QUANTITIES)},
        {name: totals[:, n] for n, name in enumerate(STEP_QUANTITIES)},
        np.array(shares, np.float64).reshape(len(shares), -1 if shares else 0),
    )


def _row(quantities: Sequence[Values], of_layers: int) -> tuple[list[float], list[float], Values]:
    """The numbers of each layer; cost, predicted and measured change; the shares of the classes."""
    cost, after = quantities[0], quantities[2 + of_layers :]
    single = [quantity for quantity in after if np.ndim(quantity) == 0]
    shares = next((quantity for quantity in after if np.ndim(quantity) == 1), np.zeros(0))
    measured = float(single[1]) if len(single) > 1 else float("nan")
    return [float(q) for q in quantities[2 : 2 + of_layers]], [float(cost), float(single[0]), measured], shares
