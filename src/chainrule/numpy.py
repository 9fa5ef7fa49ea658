"""NumPy, with derivatives: `from chainrule import numpy as np`.

On plain arrays this *is* NumPy; what is not listed here is taken from it. On the arrays inside a transformation the
same names record what is done.
"""

from __future__ import annotations

from typing import Any

import numpy as _numpy

from chainrule.trace import namespace as _namespace
from chainrule.trace.namespace import *  # noqa: F403

__all__ = _namespace.__all__


def __getattr__(name: str) -> Any:
    return getattr(_numpy, name)
