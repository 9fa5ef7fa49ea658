"""The type of every value in a program: a shape and an element type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import DTypeError

__all__ = ["DTYPES", "Several", "Type", "checked_dtype", "plain_array", "type_of"]

#: Every element type that programs compute with.
DTYPES: tuple[np.dtype[Any], ...] = tuple(
    np.dtype(name)
    for name in ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
)
_KNOWN = frozenset(DTYPES)


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """`dtype` as a NumPy dtype in native byte order; DTypeError if programs do not compute with it."""
    found: np.dtype[Any] = np.dtype(dtype)
    if found in _KNOWN:
        return found
    if found.newbyteorder("=") not in _KNOWN:
        raise DTypeError(
            f"chainrule computes with float32, float64, bool and integers, not with {found}.",
            cure="Convert first, for example with x.astype(np.float32).",
        )
    native: np.dtype[Any] = found.newbyteorder("=")
    return native


@dataclass(frozen=True, slots=True)
class Type:
    """A shape and an element type; prints as `f32[10,784]`."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def bytes(self) -> int:
        """Bytes that the elements take."""
        return self.size * self.dtype.itemsize

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating-point numbers, the only ones with derivatives."""
        return self.dtype.kind == "f"

    def with_shape(self, shape: tuple[int, ...]) -> Type:
        """The same elements in another shape."""
        return Type(shape, self.dtype)

    def with_dtype(self, dtype: Any) -> Type:
        """The same shape with other elements."""
        return Type(self.shape, np.dtype(dtype))

    def __str__(self) -> str:
        kind = {"f": "f", "i": "i", "u": "u"}.get(self.dtype.kind)
        name = f"{kind}{self.dtype.itemsize * 8}" if kind else "bool"
        return f"{name}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class Several:
    """The types of the results of an operation that has more than one; prints as `(f32[3], i64[])`."""

    types: tuple[Type, ...]

    @property
    def is_float(self) -> bool:
        """Whether one of the results is of floating-point numbers."""
        return any(type_.is_float for type_ in self.types)

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.types))})"


def plain_array(x: Any) -> np.ndarray[Any, Any]:
    """`x` as NumPy's array; DTypeError for a kind whose arithmetic is another, as np.matrix and masked arrays."""
    kind = type(x)
    if kind is not np.ndarray and isinstance(x, np.ndarray) and (kind.__mul__, kind.__array_ufunc__) != _ARITHMETIC:
        raise DTypeError(
            f"chainrule does not know the arithmetic of {kind.__name__}.", cure="Make it an array with np.asarray(x)."
        )
    return np.asarray(x)


_ARITHMETIC = (np.ndarray.__mul__, np.ndarray.__array_ufunc__)


def type_of(array: np.ndarray[Any, Any]) -> Type:
    """The type of a NumPy array; DTypeError if its elements are of another kind."""
    return Type(array.shape, checked_dtype(array.dtype))
