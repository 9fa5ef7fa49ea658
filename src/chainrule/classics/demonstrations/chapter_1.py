"""Nielsen's first network: 784-30-10 on MNIST, and the baseline that only looks at how dark an image is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from chainrule.checks import whole_number, whole_numbers
from chainrule.classics.demonstrations.base import Demonstration
from chainrule.classics.problems.base import Published, Values
from chainrule.data.dataset import DataSet
from chainrule.data.mnist import digits, mnist
from chainrule.display import Table
from chainrule.insight.presentation import Insight, figure
from chainrule.learning.loop import learn
from chainrule.learning.optimizers import SGD
from chainrule.nn.network import Network

__all__ = ["ChapterOne", "LearningDigits", "darkness"]

_RIGHT = {0: 9129, 1: 9295, 2: 9348, 27: 9528, 28: 9542, 29: 9534}  # of 10,000 after epochs counted from 0
_HIDDEN, _RATE, _EPOCHS = (30,), 3.0, 30
_CHAPTER = "Nielsen, chapter 1"


@dataclass(frozen=True, eq=False, repr=False)
class LearningDigits(Insight):
    """How many of the images that are not learnt the network gets right after each epoch, and the darkness baseline.

    `published` holds Nielsen's own fractions by epoch, if this is his data and his setting.
    """

    data: str
    sizes: tuple[int, ...]
    rate: float
    examples: int
    images: int
    right: Values
    by_darkness: int
    published: dict[int, float]

    @property
    def title(self) -> str:
        """What it is."""
        return f"{'-'.join(map(str, self.sizes))} on {self.data}, rate {self.rate:g}"

    @property
    def best(self) -> int:
        """The epoch, counted from 0, with the most right."""
        return int(self.right.argmax())

    def sentences(self) -> list[str]:
        """What it says."""
        said = [
            f"After {len(self.right)} epochs on {self.examples} images, {self.right[-1]} of {self.images} others are "
            f"right; most of all, {self.right[self.best]}, after epoch {self.best}.",
            f"By average darkness alone, {self.by_darkness} of them are.",
        ]
        if self.published:
            said += [
                "Nielsen prints 9,129 after epoch 0, and 9,542 at best, after epoch 28, in the best of three runs."
            ]
        else:
            said += ["This is not Nielsen's data and setting, so his figures do not stand beside it."]
        return said

    def table(self) -> Table:
        """An epoch a row."""
        rows = [(epoch, int(n), n / self.images, self.published.get(epoch)) for epoch, n in enumerate(self.right)]
        return Table(("epoch", "right", "fraction", "published fraction"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """The fraction that is wrong over the epochs, what was published, and the baseline."""
        axes = figure(axes)
        axes.semilogy(1 - self.right / self.images, label="this network")
        if self.published:
            wrong = [1 - fraction for fraction in self.published.values()]
            axes.plot(list(self.published), wrong, "o", color="black", label=_CHAPTER)
        axes.axhline(1 - self.by_darkness / self.images, linestyle=":", color="grey", label="average darkness")
        axes.set(title=self.title, xlabel="epoch", ylabel="fraction wrong")
        axes.legend()
        return axes


@final
class ChapterOne(Demonstration):
    """A network of sigmoid neurons learns handwritten digits by mini-batches (Nielsen, chapter 1)."""

    name: ClassVar[str] = "chapter-1"
    title: ClassVar[str] = "a first network for handwritten digits"
    description: ClassVar[str] = "784-30-10, quadratic cost, mini-batches of 10, rate 3, 30 epochs."
    source: ClassVar[str] = "Nielsen, Neural Networks and Deep Learning, chapter 1"
    published: ClassVar[tuple[Published, ...]] = (
        *(Published(f"right of 10,000 after epoch {e}", f"{n:,}", _CHAPTER) for e, n in _RIGHT.items()),
        Published("fraction right with 100 hidden neurons", "96.59 %", _CHAPTER),
        Published("right of 10,000 by average darkness", "2,225", _CHAPTER),
    )  # fmt: skip

    def result(
        self,
        seed: int = 0,
        *,
        folder: str | os.PathLike[str] | None = None,
        hidden: Sequence[int] = _HIDDEN,
        epochs: int = _EPOCHS,
        batch: int = 10,
        rate: float = _RATE,
    ) -> LearningDigits:
        """The network on MNIST from the folder with its four files; without one, on the bundled part of it.

        Raises what `chainrule.data.mnist` and `chainrule.learn` raise.

        >>> found = ChapterOne().run(epochs=1)
        >>> found.data, found.images, found.by_darkness
        ('the bundled 5,000 digits', 1000, 227)
        """
        seed, hidden = whole_number("seed", seed, 0), whole_numbers("hidden", hidden, 1)
        train, test = _data(folder)
        network = Network([train.features, *hidden, 10], seed=seed)
        run = learn(
            network, (train.flat(), train.labels), validation=(test.flat(), test.labels), cost="quadratic",
            epochs=epochs, batch=batch, optimizer=SGD(rate), seed=seed, watch=False, progress=False,
        )  # fmt: skip
        right = np.array([round((r.validation_accuracy or 0) * len(test)) for r in run.history])
        his = folder is not None and len(test) == 10_000 and hidden == _HIDDEN and (batch, rate) == (10, _RATE)
        name = "the bundled 5,000 digits" if folder is None else "MNIST"
        published = {e: n / len(test) for e, n in _RIGHT.items() if e < epochs} if his else {}
        baseline = darkness(train, test)
        return LearningDigits(name, tuple(network.sizes), rate, len(train), len(test), right, baseline, published)


def darkness(train: DataSet, test: DataSet) -> int:
    """How many test images are right if each is taken for the digit whose average darkness is nearest to its own.

    The darkness of an image is the sum of its pixels; the average is over the training images of a digit.

    Source: Nielsen, chapter 1: 2,225 of 10,000 on MNIST.

    >>> light, dark = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    >>> images = DataSet(np.concatenate([light, dark]), np.array([0, 1]))
    >>> darkness(images, images)
    2
    """
    own, ink = (part.flat().sum(axis=1, dtype=np.float64) for part in (train, test))
    averages = np.array([own[train.labels == digit].mean() for digit in range(train.classes)])
    nearest = np.abs(ink[:, None] - averages).argmin(axis=1)
    return int((nearest == test.labels).sum())


def _data(folder: str | os.PathLike[str] | None) -> tuple[DataSet, DataSet]:
    """What is learnt, and what is not: MNIST's test images, or the bundled validation images."""
    found = digits() if folder is None else mnist(folder)
    held_out = found.validation if folder is None else found.test
    assert held_out is not None
    return found, held_out
