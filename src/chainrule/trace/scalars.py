"""NumPy's scalar types as casts: `np.float32(x)` of an Array is an Array, and keeps its derivative.

NumPy's own ask for a plain number. These are the same types in every other way: as a dtype, compared, in `isinstance`;
and of what is plain they make NumPy's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from chainrule.graph.types import DTYPES
from chainrule.trace.primitives import astype
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import is_traced

__all__ = ["CASTS"]


class _Cast(type):
    """What makes a cast of the scalar type that it derives from."""

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        if any(map(is_traced, arguments)):
            return astype(as_array(*arguments), cls.__base__)
        return cls.__base__(*arguments, **options)  # type: ignore[misc]

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__base__)  # type: ignore[arg-type]

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.__base__)  # type: ignore[arg-type]

    def __eq__(cls, other: object) -> Any:
        return True if other is cls or other is cls.__base__ else NotImplemented

    def __hash__(cls) -> int:
        return hash(cls.__base__)

    def __repr__(cls) -> str:
        return repr(cls.__base__)


def _cast(scalar: type) -> type:
    return _Cast(scalar.__name__, (scalar,), {"__module__": "chainrule.numpy", "__doc__": scalar.__doc__})


#: The cast for each of NumPy's scalar types that programs compute with.
CASTS: Mapping[type, type] = MappingProxyType({dtype.type: _cast(dtype.type) for dtype in DTYPES})
