"""What a user's own functions are told while a network learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import refusal
from chainrule.display import Brief
from chainrule.learning.record import Record

__all__ = ["Callbacks", "Moment", "StopLearning"]


@dataclass(frozen=True, eq=False, repr=False)
class Moment(Brief):
    """A moment of learning: how many steps were made, the mean cost of the epoch so far, and its record at its end."""

    step: int
    cost: float
    record: Record | None
    make: Callable[[], Any]

    @property
    def network(self) -> Any:
        """The network as it is now, a copy."""
        return self.make()


class StopLearning(Exception):
    """A callback ended learning."""


@dataclass(frozen=True)
class Callbacks:
    """The functions that are called after every epoch, and some 20 times a second."""

    on_epoch: Callable[[Moment], Any] | None
    on_stretch: Callable[[Moment], Any] | None

    def __post_init__(self) -> None:
        for name, callback in (("on_epoch", self.on_epoch), ("on_stretch", self.on_stretch)):
            if not (callback is None or callable(callback)):
                raise refusal(name, "a function of a Moment", callback)

    def epoch(self, step: int, record: Record, network: Callable[[], Any]) -> None:
        """Tell that an epoch is over."""
        _called(self.on_epoch, Moment(step, record.training_cost, record, network))

    def stretch(self, step: int, cost: float, network: Callable[[], Any]) -> None:
        """Tell that some steps were made."""
        _called(self.on_stretch, Moment(step, cost, None, network))


def _called(callback: Callable[[Moment], Any] | None, moment: Moment) -> None:
    answer = None if callback is None else callback(moment)
    if isinstance(answer, bool | np.bool_) and answer:
        raise StopLearning
