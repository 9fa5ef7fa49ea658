"""Memory for results: that of large ones is used again, as new memory costs more than what is done in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from chainrule.graph.types import Type

__all__ = ["Recycled", "results_of"]

Array = np.ndarray[Any, Any]
_LARGE = 1 << 20  # bytes from which new memory costs more than what is done in it


def results_of(type_: Type) -> Callable[[], Array]:
    """What gives an array for a result of the type, another one at each call."""
    return partial(np.empty, type_.shape, type_.dtype) if type_.bytes < _LARGE else Recycled(type_).array


class _Lease:
    """The right to a piece of memory: all arrays that lie in it, views of views too, refer to the lease.

    When it is gone, nobody can read the memory or write to it any more. No interpreter has to count for that.
    """

    __slots__ = ("__array_interface__", "__weakref__", "_memory")

    def __init__(self, memory: Array) -> None:
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__


class Recycled:
    """The memory of the last array that was given, given again once nobody refers to that array any more."""

    def __init__(self, type_: Type) -> None:
        self._type = type_
        self._last: list[tuple[Array, ReferenceType[_Lease]]] = []  # one or none

    def array(self) -> Array:
        """An array that nobody else has."""
        memory = self._returned()
        if memory is None:
            memory = np.empty(self._type.shape, self._type.dtype)
        lease = _Lease(memory)
        self._last = [(memory, ref(lease))]
        return np.asarray(lease)

    def _returned(self) -> Array | None:
        """The memory of the last array, if that is gone; of several threads one gets it."""
        try:
            memory, lease = self._last.pop()
        except IndexError:
            return None
        return memory if lease() is None else None
