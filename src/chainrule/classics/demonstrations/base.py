"""What a demonstration is: an experiment that was published, which one can run again and look at."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from chainrule.checks import one_of
from chainrule.classics.problems.base import Published
from chainrule.insight.presentation import Insight

__all__ = ["Demonstration"]


class Demonstration(ABC):
    """An experiment with its published figures. `run` makes it anew; the result can be printed and plotted."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    source: ClassVar[str]
    published: ClassVar[tuple[Published, ...]]

    def run(self, seed: int = 0, **options: Any) -> Insight:
        """The experiment from a seed; `options` are those of the demonstration, such as a rate.

        Raises OptionError if it does not have such options.
        """
        known = [name for name in inspect.signature(self.result).parameters if name != "seed"]
        for option in options:
            one_of(f"the options of {self.name}", option, known)
        return self.result(seed, **options)

    def __repr__(self) -> str:
        return f"<demonstration {self.name}: {self.title}>"

    @abstractmethod
    def result(self, *arguments: Any, **options: Any) -> Insight:
        """What `run` returns: the seed comes first, then the options by name."""
