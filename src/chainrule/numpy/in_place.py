"""NumPy's functions that change a plain array in place: of traced arrays they say how to make a changed copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import TracingError
from chainrule.trace.array import Array
from chainrule.trace.recorded import AnyFunction, may_all_become_plain, offered, recorded, without_arrays


def _changed(plain: AnyFunction, copy: str, target: Any, *arguments: Any) -> None:
    """Change a plain array by values of which no derivative is lost; TracingError in any other case."""
    if not isinstance(target, Array) and may_all_become_plain(arguments):
        plain(target, *without_arrays(arguments))
        return
    raise TracingError(
        f"{plain.__name__} cannot change a traced array in place, nor a plain one to a traced one.",
        cure=f"Make a changed copy: {copy}. Of cr.stop_gradient(x) it is NumPy's own.",
    )


@recorded(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Values at each place along an axis that an index there names: `np.at(x).along(indices, axis).set(values)`."""
    _changed(np.put_along_axis, "x = np.at(x).along(indices, axis).set(values)", arr, indices, values, axis)


@recorded(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Values at places that are counted through all elements."""
    _changed(np.put, "x = np.at(np.ravel(x))[places].set(values).reshape(x.shape)", a, ind, v, mode)


@recorded(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Values where a mask holds, one after the other."""
    _changed(np.place, "x = np.where(mask, values, x), or x.at[mask].set(values)", arr, mask, vals)


@recorded(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Values where a mask holds, those at the same places."""
    _changed(np.putmask, "x = np.where(mask, values, x)", a, mask, values)


@recorded(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """All elements of another array."""
    _changed(np.copyto, "x = np.where(where, source, x)", dst, src, casting, where)


@recorded(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Values on the diagonal."""
    _changed(np.fill_diagonal, "x = x.at[np.diag_indices(len(x))].set(values)", a, val, wrap)


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
