"""What learning leaves behind: the network, a record of each epoch, and the folder that holds them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from chainrule import storage
from chainrule.display import Page, Shown, counted
from chainrule.learning import run_files
from chainrule.learning.configuration import Configuration
from chainrule.learning.flow import Flow
from chainrule.learning.optimizers import Optimizer, optimizer_from
from chainrule.learning.record import Record
from chainrule.learning.summary import figures, some_epochs, summary, title_of
from chainrule.learning.verdict import doubt, verdict
from chainrule.nn.costs import COSTS, CROSS_ENTROPY, Cost
from chainrule.nn.objective import CostFunction

__all__ = ["Record", "Run", "check_folder"]


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """The result of `learn`: the network, its history, how it was made, whether it was stopped early, what flowed.

    The configuration may be given as a mapping of what is known; OptionError if it is none. `cost` and `optimizer` are
    the values that it names, where they are known: those of a user's own are not made from what a file says.
    """

    network: Any
    history: list[Record]
    configuration: Configuration = field(default_factory=Configuration)
    interrupted: bool = False
    flow: Flow | None = None
    cost: Cost | CostFunction | str | None = None
    optimizer: Optimizer | None = None

    def __post_init__(self) -> None:
        given: Mapping[str, Any] = self.configuration
        if not isinstance(given, Configuration):
            object.__setattr__(self, "configuration", Configuration.of(given))
        if self.cost is None and self.configuration.cost in (*COSTS, CROSS_ENTROPY):
            object.__setattr__(self, "cost", self.configuration.cost)
        if self.optimizer is None:
            object.__setattr__(self, "optimizer", optimizer_from(self.configuration.optimizer or ""))

    def page(self) -> Page:
        """What is shown of it: what was learnt from what, some of its epochs, what came of it."""
        title = f"Run of {title_of(self.network)}{', stopped early' if self.interrupted else ''}"
        told = summary(self.network, self.history, self.configuration)
        end = [figures(self.history[-1], self.configuration)] if "test_cost" in self.configuration else []
        return Page(title, (told, some_epochs(self.history), *end, Page(self.verdict)))

    def __repr__(self) -> str:
        epochs = counted(len(self.history), "epoch")
        return f"Run({title_of(self.network)}, {epochs}{', stopped early' if self.interrupted else ''}: {self.verdict})"

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the run to a folder, which is made if it is not there.

        All of its files are complete before the first is seen; a new folder appears whole. Raises StorageError if that
        cannot be done, DataError if network, history and configuration are not those of one run.
        """
        target = Path(folder)
        contents = self.network, self.history, self.configuration, self.interrupted, self.flow
        write = partial(run_files.write, contents=contents)
        with _naming(target):
            if target.exists():
                write(target)
            else:
                storage.write_folder(target, write)
        return target

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        network: Any = None,
        *,
        cost: Any = None,
        optimizer: Optimizer | None = None,
    ) -> Run:
        """The run that was saved in a folder, as it was.

        A network that is not made of chainrule's own layers, or has activations of your own, is not made from what a
        file says: give one of the same kind as `network`, and its arrays are replaced by those that were saved.

        Raises StorageError if there is none, FormatError if a file is not what it should be, or not the one that was
        saved with the others.
        """
        source = Path(folder)
        with _naming(source):
            return cls(*run_files.read(source, network), cost, optimizer)

    @property
    def verdict(self) -> str:
        """What came of it, in a sentence or two."""
        return verdict(self.network, self.history, self.configuration)

    @property
    def doubt(self) -> str:
        """What forbids to be content with it: no numbers, or hardly better than a constant answer; else ""."""
        return doubt(self.network, self.history, self.configuration)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """StorageError if a run could not be saved there: better told before learning than after."""
    with _naming(Path(folder)):
        storage.check_folder(folder)


def _naming(folder: Path) -> AbstractContextManager[None]:
    return storage.naming(folder, "{}: {}.", cure="Choose another folder.")
