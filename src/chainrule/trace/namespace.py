"""NumPy's functions, for Arrays as for plain arrays.

On plain arrays and numbers each function *is* NumPy's. As soon as one argument is an Array, the same function records
the operation. Names, argument names, broadcasting and promotion are NumPy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.trace import (
    contractions,
    creation,
    elementwise,
    in_place,
    ordering,
    polynomials,
    quantiles,
    recorded,
    reductions,
    selection,
    shaping,
    windows,
)
from chainrule.trace import fft as fft
from chainrule.trace import linalg as linalg
from chainrule.trace.contractions import *  # noqa: F403
from chainrule.trace.creation import *  # noqa: F403
from chainrule.trace.elementwise import *  # noqa: F403
from chainrule.trace.in_place import *  # noqa: F403
from chainrule.trace.indexing import at as at
from chainrule.trace.joining import c_ as c_
from chainrule.trace.joining import r_ as r_
from chainrule.trace.linalg import norm as norm
from chainrule.trace.ordering import *  # noqa: F403
from chainrule.trace.polynomials import *  # noqa: F403
from chainrule.trace.quantiles import *  # noqa: F403
from chainrule.trace.reductions import *  # noqa: F403
from chainrule.trace.selection import *  # noqa: F403
from chainrule.trace.shaping import *  # noqa: F403
from chainrule.trace.windows import *  # noqa: F403

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


_PARTS = (
    contractions,
    creation,
    elementwise,
    in_place,
    ordering,
    polynomials,
    quantiles,
    reductions,
    selection,
    shaping,
    windows,
)

if not TYPE_CHECKING:
    __all__ = sorted(
        [*(name for part in _PARTS for name in part.__all__), "at", "c_", "fft", "linalg", "norm", "r_"],
        key=recorded.place,
    )
