"""`r_` and `c_`, which join what stands in brackets, for Arrays as for plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.trace import primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import is_traced, known

__all__ = ["Joining", "c_", "r_"]


@dataclass(frozen=True)
class Joining:
    """What joins arrays, numbers and ranges in brackets: `np.r_[x, 0.0, 1:4]`, `np.c_[x, y]`.

    Arrays of fewer axes than `axes` get new ones, after which their own begin at `first`; they are joined along `axis`.
    A text before them, such as "0,2", says these three numbers anew, as in NumPy.
    """

    plain: Any
    axis: int
    axes: int
    first: int

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        if not any(map(_has_traced, items)):
            return self.plain[key]
        if isinstance(items[0], str):
            told = _numbers(items[0])
            names = ("axis", "axes", "first")[: len(told)]
            return Joining(self.plain, **{**_DEFAULTS, **dict(zip(names, told, strict=True))})[items[1:]]
        parts = [self._part(item) for item in items]
        pairs = zip(items, parts, strict=True)
        dtype = promotion.common_dtype([item if isinstance(item, int | float) else part for item, part in pairs])
        return primitives.concatenated(
            [primitives.astype(p, dtype) for p in parts], primitives.normalized_axis(self.axis, parts[0].ndim)
        )

    def _part(self, item: Any) -> Array:
        if isinstance(item, str):
            raise OptionError("a text in r_ or c_ comes first.")
        found = as_array(_range(item)) if isinstance(item, slice) else as_array(item)
        new = max(self.axes - found.ndim, 0)
        if not new:
            return found
        wide = primitives.reshape(found, (1,) * new + found.shape)
        if self.first == -1 or not found.ndim:
            return wide
        start = self.first if self.first >= 0 else self.first + new + 1
        order = list(range(self.axes))
        return primitives.transpose(wide, (*order[:start], *order[new:], *order[start:new])) if start < new else wide


_DEFAULTS = {"axis": 0, "axes": 1, "first": -1}


def _has_traced(item: Any) -> bool:
    return is_traced([item.start, item.stop, item.step]) if isinstance(item, slice) else is_traced(item)


def _range(item: slice) -> np.ndarray[Any, Any]:
    start, stop, step = (known("a range in r_ or c_", x) for x in (item.start, item.stop, item.step))
    start, step = 0 if start is None else start, 1 if step is None else step
    return np.linspace(start, stop, int(abs(step))) if isinstance(step, complex) else np.arange(start, stop, step)


def _numbers(text: str) -> Sequence[int]:
    try:
        return [int(part) for part in text.split(",")][:3]
    except ValueError:
        raise OptionError(
            f"r_ and c_ of traced arrays know no {text!r}.", cure='For example np.r_["0,2", x, y].'
        ) from None


r_ = Joining(np.r_, 0, 1, -1)
c_ = Joining(np.c_, -1, 2, 0)
