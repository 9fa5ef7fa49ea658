"""Where a condition holds: positions of what is not zero, which are plain arrays of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import known, offered, recorded

Positions = np.ndarray[Any, Any]

#: What to write instead where the shape of a result depends on a condition.
KEEP_THE_SHAPE = "Keep the shape: np.where(condition, x, 0), and np.sum(condition) for how many there are."


@recorded(np.nonzero)
def nonzero(a: Any) -> tuple[Positions, ...]:
    """The positions of what is not zero, an array of integers for each axis."""
    return np.nonzero(known("the shape of nonzero", as_array(a), KEEP_THE_SHAPE))


@recorded(np.flatnonzero)
def flatnonzero(a: Any) -> Positions:
    """The positions of what is not zero, counted through all elements."""
    return np.flatnonzero(known("the shape of flatnonzero", as_array(a), KEEP_THE_SHAPE))


@recorded(np.argwhere)
def argwhere(a: Any) -> Positions:
    """The positions of what is not zero, one a row."""
    return np.argwhere(known("the shape of argwhere", as_array(a), KEEP_THE_SHAPE))


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
