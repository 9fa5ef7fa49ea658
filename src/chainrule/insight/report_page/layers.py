"""The layers of a network as the page draws them: weights with a row for each neuron, where there are such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.nn.outline import StageOutline
from chainrule.nn.parameters import Parameters

__all__ = ["DrawnLayer", "drawn_layers", "is_chain"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class DrawnLayer:
    """A stage of the network: `w` of shape (neurons, inputs) and `b` of shape (neurons,), None where there are none.

    `dw` and `db` are the derivatives in the same shapes, None where they are not known.
    """

    outline: StageOutline
    w: Values | None
    b: Values | None
    dw: Values | None
    db: Values | None

    def numbers(self, view: str) -> Values | None:
        """What is drawn of the weights in a view: "weight" or "gradient"."""
        return self.w if view == "weight" else self.dw

    @property
    def inputs(self) -> int | None:
        """How many weights each neuron has."""
        return None if self.w is None else self.w.shape[1]


def drawn_layers(network: Any, gradient: Any, stages: Sequence[StageOutline]) -> tuple[DrawnLayer, ...]:
    """The layers of a network; `gradient` is a network of the derivatives, or None."""
    here = Parameters.of(network).arrays
    slopes = [None] * len(here) if gradient is None else Parameters.of(gradient).arrays
    return tuple(_drawn(stage, here, slopes) for stage in stages)


def _drawn(stage: StageOutline, here: Sequence[Any], slopes: Sequence[Any]) -> DrawnLayer:
    w, dw = (_rows(stage, [arrays[n] for n in stage.weights]) for arrays in (here, slopes))
    b, db = (_rows(stage, [arrays[n] for n in stage.biases]) for arrays in (here, slopes))
    return DrawnLayer(stage, w, _column(b), dw, _column(db))


def _rows(stage: StageOutline, arrays: Sequence[Any]) -> Values | None:
    """Arrays with a row for each unit, side by side; None if there are none, or they have no such rows."""
    if not arrays or any(array is None or np.shape(array)[:1] != (stage.units,) for array in arrays):
        return None
    return np.concatenate([np.asarray(array).reshape(stage.units, -1) for array in arrays], axis=1)


def _column(rows: Values | None) -> Values | None:
    return None if rows is None or rows.shape[1] != 1 else rows[:, 0]


def is_chain(layers: Sequence[DrawnLayer]) -> bool:
    """Whether each layer takes what comes out of the one before, the first the examples, by weights of its own."""
    ends = [layer.outline.units for layer in layers]
    pairs = enumerate(zip(layers, [None, *ends[:-1]], strict=True))
    return bool(layers) and all(
        layer.outline.is_dense
        and layer.outline.sources == (n - 1,)
        and layer.b is not None
        and before in (None, layer.inputs)
        for n, (layer, before) in pairs
    )
