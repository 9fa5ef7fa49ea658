"""Parity: is the number of bits that are on odd?"""

from __future__ import annotations

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, binary_patterns, layers
from chainrule.nn.connected import Connected

__all__ = ["STEEP", "parity", "parity_by_thresholds"]

#: How many times as large the weights of logistic units are that stand for threshold units: ½ off the threshold, where
#: sums of whole numbers come nearest to it, they are within 1e-8 of 0 or 1.
STEEP = 40.0

_PUBLISHED = Published(
    "presentations of each of 16 patterns", "2,825", "PDP chapter 8, p. 335",
    "at ε = 0.5, changed after each presentation with a momentum of 0.9, and weights from −1 to 1, until every output "
    "is on the right side of ½; only ε is published",
)  # fmt: skip


def parity(bits: int = 4, hidden: int | None = None) -> Problem:
    """The parity of 2 to 8 bits, through as many hidden units as there are bits unless told.

    The rate of 4 bits is published; for more than those a smaller one finds solutions more often.

    Raises OptionError for another number of bits.

    >>> parity(3).y.ravel().tolist()
    [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
    """
    bits = whole_number("bits", bits, 2, 8)
    x, width = binary_patterns(bits), bits if hidden is None else whole_number("hidden", hidden, 1)
    return Problem(
        name="parity",
        title=f"parity of {bits} bits",
        description=f"Is the number of bits that are on, among {bits}, odd?",
        source="Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8, pp. 334-335",
        x=x,
        y=(x.sum(axis=1, keepdims=True) % 2).astype(np.float32),
        wiring=layers(bits, width, 1),
        settings=_settings(bits),
        published=(_PUBLISHED,) if (bits, width) == (4, 4) else (),
        budget=30_000 if bits <= 4 else 60_000,
    )


def _settings(bits: int) -> Settings:
    rate, initial = (0.5, 1.0) if bits <= 4 else (0.1, 2.0)
    return Settings(rate=rate, momentum=0.9, initial=initial, change_after="presentation", off=0.1, on=0.9)


def parity_by_thresholds(bits: int = 4) -> Connected:
    """The solution of figure 6: hidden unit n is on if at least n bits are, and the output takes them in turn.

    All weights to hidden units are 1 and their biases −½, −1½, …; those to the output are 1 and −1 in turn, its bias
    −½. The threshold units are logistic units here, with weights 40 times as large.

    Raises OptionError for fewer than 2 bits or more than 8.

    >>> parity_by_thresholds(2)(binary_patterns(2)).ravel().round(6).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    bits = whole_number("bits", bits, 2, 8)
    order = np.arange(bits)
    weights = {"input->hidden": np.full((bits, bits), STEEP), "hidden->output": STEEP * (-1.0) ** order[None]}
    biases = {"hidden": -STEEP * (order + 0.5), "output": np.array([-STEEP / 2])}
    return Connected.from_weights(layers(bits, bits, 1), weights, biases).astype("float32")
