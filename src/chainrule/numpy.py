"""NumPy, with derivatives: `from chainrule import numpy as np`.

On plain arrays this *is* NumPy; what is not listed here is taken from it. On the arrays inside a transformation the
same names record what is done, and NumPy's scalar types are casts. It is a namespace of the Python array API standard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as _numpy

from chainrule.trace import namespace as _namespace
from chainrule.trace import scalars as _scalars
from chainrule.trace import standard as _standard
from chainrule.trace.namespace import *  # noqa: F403

if not TYPE_CHECKING:
    __all__ = _namespace.__all__

__array_api_version__ = _standard.VERSION


def __array_namespace_info__() -> _standard.Information:  # noqa: N807 - the standard's name
    """What this namespace can do, its devices and its dtypes."""
    return _standard.Information()


def __getattr__(name: str) -> Any:
    found = getattr(_numpy, name)
    return _scalars.CASTS.get(found, found) if isinstance(found, type) else found
