"""Exclusive or: the smallest problem that needs a hidden unit."""

from __future__ import annotations

import math

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, Values, binary_patterns, layers
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["xor", "xor_direct", "xor_direct_published"]

_CHAPTER = "Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8"
_CRITERION = "weights from −{0} to {0}, until every output is on the right side of ½; only ε is published"


def xor(hidden: int = 2) -> Problem:
    """Exclusive or through so many hidden units, without direct connections: the network 2-H-1.

    The presentations of each pattern are published as `P = 280 − 33 log₂ H` for H hidden units.

    Raises OptionError for fewer than 2 hidden units, which cannot do it without direct connections.

    >>> problem = xor()
    >>> problem.y.ravel().tolist(), problem.published[0].figure
    ([0.0, 1.0, 1.0, 0.0], '247')
    """
    hidden = whole_number("hidden", hidden, 2, cure="With direct connections (xor-direct) 1 is enough.")
    settings = Settings(rate=0.25, momentum=0.9, initial=1.0, change_after="presentation", off=0.1, on=0.9)
    return _problem("xor", "exclusive or", layers(2, hidden, 1), settings, _published(hidden))


def _published(hidden: int) -> tuple[Published, ...]:
    presentations = Published(
        "presentations of each pattern, 280 − 33 log₂ H",
        f"{280 - 33 * math.log2(hidden):.0f}",
        "PDP chapter 8, p. 333, a formula by Yves Chauvin",
        "at ε = 0.25, changed after each presentation with a momentum of 0.9, and " + _CRITERION.format(1)
        + "; the formula's fall with H is slower than ours",
    )  # fmt: skip
    minima = Published(
        "local minima in hundreds of runs",
        "2",
        "PDP chapter 8, pp. 331-332",
        "both with two hidden units, one of them after 6,587 presentations; how many runs there were is not published",
    )
    return (presentations, minima) if hidden == 2 else (presentations,)


def xor_direct() -> Problem:
    """Exclusive or through one hidden unit and direct connections from the inputs to the output: figure 3.

    >>> xor_direct().wiring.parameters
    7
    """
    sweeps = Published(
        "sweeps to the solution", "558", "PDP chapter 8, p. 331",
        "at ε = 0.5, changed after each sweep with a momentum of 0.9, and " + _CRITERION.format(0.3),
    )  # fmt: skip
    settings = Settings(rate=0.5, momentum=0.9, initial=0.3, off=0.1, on=0.9)
    return _problem("xor-direct", "exclusive or with direct connections", _direct(), settings, (sweeps,))


def xor_direct_published() -> Connected:
    """The network that was found, with the weights of figure 3.

    >>> [round(float(output), 2) for output in xor_direct_published()(binary_patterns(2))[:, 0]]
    [0.1, 0.88, 0.88, 0.11]
    """
    weights = {
        "input->hidden": np.array([[-6.4, -6.4]]),
        "input->output": np.array([[-4.2, -4.2]]),
        "hidden->output": np.array([[-9.4]]),
    }
    biases = {"hidden": np.array([2.2]), "output": np.array([6.3])}
    return Connected.from_weights(_direct(), weights, biases).astype("float32")


def _problem(name: str, title: str, wiring: Wiring, settings: Settings, published: tuple[Published, ...]) -> Problem:
    x = binary_patterns(2)
    y: Values = (x[:, :1] != x[:, 1:]).astype(np.float32)
    said, source = "Is exactly one of two bits on?", f"{_CHAPTER}, pp. 330-333"
    return Problem(name, title, said, source, x, y, wiring, settings, published, budget=5_000)


def _direct() -> Wiring:
    return Wiring(
        inputs=(("input", 2),),
        units=(Units("hidden", 1), Units("output", 1)),
        connections=(Connection("input", "hidden"), Connection("input", "output"), Connection("hidden", "output")),
        outputs=("output",),
    )
