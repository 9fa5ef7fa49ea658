"""NumPy, with derivatives: `from chainrule import numpy as np`.

On plain arrays this *is* NumPy; what is not listed here is taken from it. As soon as one argument is an Array, as those
inside a transformation are, the same names record what is done, and NumPy's scalar types are casts. Names, argument
names, broadcasting and promotion are NumPy's. It is a namespace of the Python array API standard.
"""

from __future__ import annotations

import sys as _sys
from typing import TYPE_CHECKING, Any

import numpy as _numpy

from chainrule.numpy import conditions as _conditions
from chainrule.numpy import contractions as _contractions
from chainrule.numpy import creation as _creation
from chainrule.numpy import elementwise as _elementwise
from chainrule.numpy import fft as fft
from chainrule.numpy import in_place as _in_place
from chainrule.numpy import linalg as linalg
from chainrule.numpy import ordering as _ordering
from chainrule.numpy import polynomials as _polynomials
from chainrule.numpy import quantiles as _quantiles
from chainrule.numpy import reductions as _reductions
from chainrule.numpy import selection as _selection
from chainrule.numpy import shaping as _shaping
from chainrule.numpy import standard as _standard
from chainrule.numpy import windows as _windows
from chainrule.numpy.conditions import *  # noqa: F403
from chainrule.numpy.contractions import *  # noqa: F403
from chainrule.numpy.creation import *  # noqa: F403
from chainrule.numpy.elementwise import *  # noqa: F403
from chainrule.numpy.in_place import *  # noqa: F403
from chainrule.numpy.indexing import at as at
from chainrule.numpy.joining import c_ as c_
from chainrule.numpy.joining import r_ as r_
from chainrule.numpy.language import speak as _speak
from chainrule.numpy.linalg import norm as norm
from chainrule.numpy.ordering import *  # noqa: F403
from chainrule.numpy.polynomials import *  # noqa: F403
from chainrule.numpy.quantiles import *  # noqa: F403
from chainrule.numpy.reductions import *  # noqa: F403
from chainrule.numpy.selection import *  # noqa: F403
from chainrule.numpy.shaping import *  # noqa: F403
from chainrule.numpy.windows import *  # noqa: F403
from chainrule.trace import scalars as _scalars
from chainrule.trace.recorded import natural_order as _in_order

_PARTS = (
    _conditions,
    _contractions,
    _creation,
    _elementwise,
    _in_place,
    _ordering,
    _polynomials,
    _quantiles,
    _reductions,
    _selection,
    _shaping,
    _windows,
)

if not TYPE_CHECKING:
    __all__ = sorted(
        [*(name for part in _PARTS for name in part.__all__), "at", "c_", "fft", "linalg", "norm", "r_"],
        key=_in_order,
    )

__array_api_version__ = _standard.VERSION


def __array_namespace_info__() -> _standard.Information:  # noqa: N807 - the standard's name
    """What this namespace can do, its devices and its dtypes."""
    return _standard.Information()


def __getattr__(name: str) -> Any:
    found = getattr(_numpy, name)
    return _scalars.CASTS.get(found, found) if isinstance(found, type) else found


_speak(_sys.modules[__name__])
