"""Mirror symmetry: is a row of bits the same read from either end?"""

from __future__ import annotations

import numpy as np

from chainrule.checks import whole_number
from chainrule.classics.problems.base import Problem, Published, Settings, binary_patterns, layers
from chainrule.nn.connected import Connected

__all__ = ["symmetry", "symmetry_pdp", "symmetry_pdp_published", "symmetry_published"]


def symmetry(bits: int = 6) -> Problem:
    """The symmetry network of Nature 323: 6 inputs, 2 hidden units, 1 output, all 2^bits patterns.

    Raises OptionError if there are fewer than 2 bits.

    >>> problem = symmetry()
    >>> problem.patterns, int(problem.y.sum())
    (64, 8)
    """
    return _symmetry(
        bits,
        name="symmetry",
        source="Rumelhart, Hinton & Williams, Nature 323 (1986), 533-536, figure 1",
        settings=Settings(rate=0.1, momentum=0.9, initial=0.3),
        published=(
            Published("sweeps to the solution", "1,425", "Nature 323, p. 534",
                      "when all outputs are on the right side of ½; the publication does not say when it stopped"),
            Published("sweeps, quartiles of 1,000 runs of a reproduction", "1,127, 2,715 and 7,830",
                      "S. Cordwell, 2015", "at the published settings, until all rounded outputs are right"),
        ) if bits == 6 else (),
    )  # fmt: skip


def symmetry_pdp(bits: int = 6) -> Problem:
    """The symmetry network of the book, which learns targets of 0.1 and 0.9.

    Raises OptionError if there are fewer than 2 bits.

    >>> settings = symmetry_pdp().settings
    >>> settings.off, settings.on
    (0.1, 0.9)
    """
    return _symmetry(
        bits,
        name="symmetry-pdp",
        source="Rumelhart, Hinton & Williams, Parallel Distributed Processing, volume 1 (1986), chapter 8, figure 9",
        settings=Settings(rate=0.02, momentum=0.9, initial=0.3, off=0.1, on=0.9),
        published=(
            Published("sizes of the weights to a hidden unit", "1 : 2 : 4", "PDP chapter 8, figure 9",
                      "the same on either side of the middle, with opposite signs; rate, momentum and initial weights "
                      "are our choice"),
        ) if bits == 6 else (),
    )  # fmt: skip


def symmetry_published() -> Connected:
    """The network that was found, with the weights of figure 1 of Nature 323.

    >>> problem = symmetry()
    >>> bool(((symmetry_published()(problem.x) > 0.5) == (problem.y > 0.5)).all())
    True
    """
    hidden = [[14.2, -3.6, 7.2, -7.2, 3.6, -14.2], [-14.2, 3.6, -7.1, 7.1, -3.6, 14.2]]
    return _network(hidden, hidden_bias=-1.1, output=-8.8, output_bias=6.4)


def symmetry_pdp_published() -> Connected:
    """The network that was found, with the weights of figure 9 of the book.

    >>> outputs = symmetry_pdp_published()(symmetry_pdp().x)
    >>> round(float(outputs.max()), 2), round(float(outputs.min()), 2)
    (0.87, 0.07)
    """
    hidden = [[-3.18, 6.32, -12.56, 12.56, -6.33, 3.17], [3.16, -6.34, 12.52, -12.51, 6.31, -3.17]]
    return _network(hidden, hidden_bias=-1.0, output=-9.44, output_bias=6.89)


def _symmetry(bits: int, name: str, source: str, settings: Settings, published: tuple[Published, ...]) -> Problem:
    bits = whole_number("bits", bits, 2, cure="Fewer have no two sides.")
    x = binary_patterns(bits)
    return Problem(
        name=name,
        title="mirror symmetry",
        description=f"Is a row of {bits} bits the same from left to right and from right to left?",
        source=source,
        x=x,
        y=(x == x[:, ::-1]).all(axis=1, keepdims=True).astype(np.float32),
        wiring=layers(bits, 2, 1),
        settings=settings,
        published=published,
        budget=60_000,
    )


def _network(hidden: list[list[float]], *, hidden_bias: float, output: float, output_bias: float) -> Connected:
    weights = {"input->hidden": np.array(hidden), "hidden->output": np.array([[output, output]])}
    biases = {"hidden": np.array([hidden_bias, hidden_bias]), "output": np.array([output_bias])}
    return Connected.from_weights(layers(6, 2, 1), weights, biases).astype("float32")
