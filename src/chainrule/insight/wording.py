"""Numbers in the middle of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.display import counted, number
from chainrule.insight.coordinates import Coordinate
from chainrule.nn.parameters import BIAS

__all__ = [
    "GONE_WRONG",
    "asked_examples",
    "beyond_rounding",
    "counted",
    "derivative",
    "layer_name",
    "moves_cost",
    "percent",
    "raising",
    "second_derivative",
    "source_name",
    "stage_name",
]  # fmt: skip

#: After what cannot be told because numbers are nan or infinite.
GONE_WRONG = "Numbers are not finite here: chainrule.insight.diagnose says where that begins."
_ROUNDING = 4 * float(np.finfo(np.float64).eps)


def percent(share: float) -> str:
    """A share as a percentage with one decimal.

    >>> percent(0.9312)
    '93.1 %'
    """
    return f"{100 * share:.1f} %"


def raising(change: float) -> str:
    """What a change of a weight is: raising or lowering it, by how much."""
    return f"{'raising' if change > 0 else 'lowering'} it by {number(abs(change))}"


def moves_cost(change: float) -> str:
    """What a change of the cost is.

    >>> moves_cost(-0.5)
    'lower the cost by 0.5'
    """
    if not np.isfinite(change):
        return "make the cost a number that is not finite"
    if change == 0:
        return "leave the cost as it is"
    return f"{'raise' if change > 0 else 'lower'} the cost by {number(abs(change))}"


def beyond_rounding(change: Any, size: float) -> Any:
    """A measured change of a number of that size, or several; 0 where it is no more than float64 makes by rounding.

    >>> beyond_rounding(6.2e-19, 0.08), beyond_rounding(6.2e-9, 0.08)
    (0.0, 6.2e-09)
    """
    found = np.where(np.abs(change) > _ROUNDING * abs(size), change, 0.0)
    return found if found.ndim else float(found)


def derivative(weight: Coordinate) -> str:
    """`∂C/∂w`, or for a bias `∂C/∂b`."""
    return f"∂C/∂{weight.kind}"


def second_derivative(weight: Coordinate) -> str:
    """`∂²C/∂w²`, or for a bias `∂²C/∂b²`."""
    return f"∂²C/∂{weight.kind}²"


def stage_name(number: int, names: Sequence[str]) -> str:
    """What a stage is called, of all of their names: `layer 0` for the one of layers[0], else its own name."""
    return f"layer {number}" if names[number] == f"layers[{number}]" else names[number]


def layer_name(number: int, names: Sequence[str]) -> str:
    """What a stage is called, and that it is the last: `layer 1, the output layer`.

    >>> layer_name(1, ["layers[0]", "layers[1]"])
    'layer 1, the output layer'
    """
    told = stage_name(number, names)
    return f"{told}, the output layer" if number == len(names) - 1 else told


def source_name(weight: Coordinate, home: int, origin: int | None, names: Sequence[str]) -> str:
    """What the weight of a stage multiplies: `input 407`, `neuron 3 of layer 0`; the number 1 for a bias.

    `origin` is the stage whose activations these are, −1 for the examples; None if they are made of such.
    """
    if weight.role == BIAS:
        return "1"
    source = weight.index[1]
    if origin is None:
        return f"number {source} of what reaches {layer_name(home, names)}"
    return f"input {source}" if origin < 0 else f"neuron {source} of {layer_name(origin, names)}"


def asked_examples(asked: int, count: int) -> str:
    """`all 1,000 examples`, `1,000 of the 5,000 examples`."""
    return f"all {counted(count, 'example')}" if asked == count else f"{asked:,} of the {counted(count, 'example')}"
