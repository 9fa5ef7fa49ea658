"""Whether a value holds code of a user's own, which may do something else the next time that it runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

__all__ = ["holds_own_code"]

_PLAIN = (str, bytes, int, float, complex, np.generic, np.dtype, type(None))
_OURS = ("chainrule", "builtins", "numpy")


def holds_own_code(value: Any) -> bool:
    """Whether a value, or anything in it, is a function or an object of a class that does not come with chainrule.

    Such code may read what is not among its arguments, so that what was made of it once need not be what it says now.

    >>> from json import dumps
    >>> from chainrule.nn.network import Network
    >>> holds_own_code(Network([2, 1])), holds_own_code((1, dumps))
    (False, True)
    """
    if isinstance(value, _PLAIN):
        return False
    if isinstance(value, tuple | list):
        return not _is_ours(type(value)) or any(map(holds_own_code, value))
    if isinstance(value, type) or not _is_ours(type(value)):
        return not _is_ours(value)
    if dataclasses.is_dataclass(value):
        return any(holds_own_code(getattr(value, f.name)) for f in dataclasses.fields(value))
    return not isinstance(value, dict | np.ndarray) and not _is_ours(value)


def _is_ours(code: Any) -> bool:
    return str(getattr(code, "__module__", "")).partition(".")[0] in _OURS
