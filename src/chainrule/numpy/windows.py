"""NumPy's window with a parameter, and the function it is made of, for Arrays as for plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.numpy import bessel
from chainrule.trace import promotion
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import known, offered, recorded


@recorded(np.i0)
def i0(x: Any) -> Array:
    """The modified Bessel function of the first kind and order 0: see `special.i0`."""
    return bessel.i0(promotion.as_float(as_array(x)))


@recorded(np.kaiser)
def kaiser(M: Any, beta: Any) -> Array:  # noqa: N803 - NumPy's name
    """Kaiser's window of `M` points, `I₀(β √(1 − t²)) / I₀(β)` for t from −1 to 1."""
    count, shape = int(known("kaiser", M)), promotion.as_float(as_array(beta))
    t = np.linspace(-1, 1, count) if count > 1 else np.zeros(count)
    return bessel.i0(shape * np.sqrt(1 - t * t)) / bessel.i0(shape)


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
