"""What Arrays say: the functions behind their operators and methods, and behind NumPy's own when they are given one.

This is the other side of `trace.array.Language`: Arrays know none of the functions that are written with them, and are
told here. `chainrule.numpy` does so as it is loaded, and `chainrule.special` adds its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any

from chainrule.errors import TracingError
from chainrule.graph.ops import Op
from chainrule.numpy import folding, indexing
from chainrule.trace import arithmetic, primitives
from chainrule.trace.array import Array
from chainrule.trace.plain import shown
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import AnyFunction, UniversalFunction, may_all_become_plain, without_arrays

__all__ = ["speak", "unpickled"]

_PARTS: Mapping[str, str] = MappingProxyType({"numpy.fft": "fft", "numpy.linalg": "linalg"})
_OVER_AXES: Mapping[str, AnyFunction] = MappingProxyType(
    {name: getattr(folding, name) for name in ("reduce", "accumulate", "reduceat", "outer", "at")}
)
_TEXTS = frozenset({"array2string", "array_repr", "array_str"})


def speak(namespace: ModuleType) -> None:
    """From now on NumPy's and SciPy's functions, given an Array, hand over to those of the same names here.

    The first namespace is the one whose functions are the methods of Arrays.
    """
    known: tuple[Any, ...] = getattr(getattr(Array, "language", None), "namespaces", ())
    Array.language = _ArrayLanguage((*known, namespace))


def unpickled(plain: Any) -> Array:
    """A constant."""
    return as_array(plain)


@dataclass(frozen=True, slots=True)
class _ArrayLanguage:
    """The functions that Arrays use."""

    namespaces: tuple[Any, ...]

    binary = staticmethod(arithmetic.binary)
    bits = staticmethod(arithmetic.bits)
    divide = staticmethod(arithmetic.divide)
    power = staticmethod(arithmetic.power)
    matmul = staticmethod(arithmetic.matmul)
    inverted = staticmethod(primitives.inverted)
    transpose = staticmethod(primitives.transpose)
    astype = staticmethod(primitives.astype)
    viewed = staticmethod(primitives.viewed)
    indexed = staticmethod(indexing.indexed)
    at = staticmethod(indexing.at)
    unpickled = staticmethod(unpickled)

    @property
    def namespace(self) -> Any:
        """The functions of NumPy's names."""
        return self.namespaces[0]

    def of_one(self, op: Op, x: Array) -> Array:
        """An operation of one operand."""
        return primitives.apply(op, x.node)

    def over_axes(self, function: UniversalFunction[..., Any], method: str, *arguments: Any, **options: Any) -> Any:
        """What a universal function does along axes."""
        return _OVER_AXES[method](function, *arguments, **options)

    def handed_over(
        self,
        name: str,
        original: AnyFunction,
        inputs: Any,
        options: Any,
        module: str = "numpy",
        method: str = "__call__",
    ) -> Any:
        """What the function of that name here makes of it; without one, the original, if all is plain."""
        function = self._named(name, module)
        if function is not None:
            return getattr(function, method)(*inputs, **options)
        if name in _TEXTS:
            return original(*(shown(x.node) if isinstance(x, Array) else x for x in inputs), **options)
        if not may_all_become_plain((tuple(inputs), options)):
            raise TracingError(
                f"{module}.{name} has no derivative in chainrule.",
                cure="See chainrule.numpy and chainrule.special for what has, and z = z.at[i].set(x) to change "
                "elements; of cr.stop_gradient(x) it is NumPy's own.",
            )
        inputs, options = without_arrays((tuple(inputs), options))
        return original(*inputs, **options)

    def _named(self, name: str, module: str) -> AnyFunction | None:
        """The function of that name; of a universal function nobody says whether it is NumPy's or SciPy's."""
        first = getattr(self.namespace, _PARTS[module]) if module in _PARTS else self.namespace
        for namespace in (first, *self.namespaces[1:]):
            if name in namespace.__all__:
                found: AnyFunction = getattr(namespace, name)
                return found
        return None
