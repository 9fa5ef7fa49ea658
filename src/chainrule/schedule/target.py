"""The seam between planning and a processor: what a target must bring, so that schedules run on it.

A schedule says what is to be computed, in which steps, on which buffers; it knows no processor. A target takes it and
gives something that runs. In between it may say more of it: a tiling for each kernel, scratch memory, where temporary
buffers lie; the planned schedule is what a program prints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.schedule.schedule import Schedule

__all__ = ["Arguments", "Code", "Runnable", "Target"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Code:
    """What a target has made of a schedule, as it is kept on disk; and the bytes of temporary memory that it works in.

    If it was made now, how many kernels it has, and of how many kinds.
    """

    content: bytes
    temporary_bytes: int
    kernels: int = 0
    kinds: int = 0


class Arguments(NamedTuple):
    """What a program runs on: inputs, captured arrays and results, in this order, each contiguous and of its type.

    `last_rows` are the numbers of the last rows of its tables; `host` is the address of the function by which it calls
    Python (`schedule.host_calls`), 0 where it calls nothing.
    """

    arrays: Sequence[Array]
    last_rows: Sequence[int] = ()
    host: int = 0


class Runnable(ABC):
    """Code that has been loaded, with temporary memory of its own for each thread that runs it."""

    def __init__(self, code: Code) -> None:
        self.code = code

    @property
    @abstractmethod
    def asks(self) -> bool:
        """Whether it calls Python now and then, to hear whether it should end."""

    @abstractmethod
    def run(self, given: Arguments, begin: int, end: int) -> None:
        """Run rounds `begin` to `end`, writing to the arrays; it returns when they are there."""

    @abstractmethod
    def timed(self, given: Arguments, steps: int) -> list[float]:
        """Run one round of code that was compiled to be timed: the seconds that each of its steps took."""


class Target(ABC):
    """A processor that schedules run on."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """All of it that code depends on: code is kept under it, and used again where it is the same."""

    @abstractmethod
    def planned(self, schedule: Schedule) -> Schedule:
        """The schedule as it will run here: steps with names and tilings, temporary buffers with offsets."""

    @abstractmethod
    def compiled(self, planned: Schedule, *, timed: bool = False) -> Code:
        """The code of a planned schedule; if `timed`, with a clock around each step."""

    @abstractmethod
    def loaded(self, code: Code) -> Runnable:
        """The code in memory, ready to run."""
