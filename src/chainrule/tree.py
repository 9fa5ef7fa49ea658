"""Trees of arrays: tuples, lists, dicts, named tuples and dataclasses, nested in any way; networks are some.

`grad`, `vmap` and `compile` take and return them as they are. What an optimiser takes is one vector: `ravel`.

>>> import chainrule as cr
>>> cr.tree.map(lambda w: 2 * w, {"w": [1.0, 2.0], "b": 3.0})
{'w': [2.0, 4.0], 'b': 6.0}
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.errors import ShapeError
from chainrule.graph.types import checked_dtype, plain_array
from chainrule.trace.array import Array
from chainrule.trace.promotion import as_float
from chainrule.trace.tree import Structure, flatten, unflatten
from chainrule.trace.tree import tree_map as map

__all__ = ["Structure", "Unravel", "flatten", "leaves", "map", "ravel", "unflatten"]


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, from left to right.

    >>> leaves({"w": [1.0, 2.0], "b": 3.0})
    [1.0, 2.0, 3.0]
    """
    return flatten(tree)[0]


@dataclass(frozen=True)
class Unravel:
    """What makes a tree of a vector: leaf after leaf, each in its shape and in the vector's dtype."""

    structure: Structure
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def like(cls, tree: Any) -> Unravel:
        """What makes trees like this one."""
        parts, structure = flatten(tree)
        return cls(structure, tuple(np.shape(part) for part in parts))

    def __repr__(self) -> str:
        return f"Unravel({sum(self._sizes)} numbers, {len(self.shapes)} leaves)"

    @property
    def _sizes(self) -> list[int]:
        return [math.prod(shape) for shape in self.shapes]

    def __call__(self, vector: Any) -> Any:
        """The tree; ShapeError if there are not as many numbers."""
        numbers = vector if isinstance(vector, Array) else plain_array(vector)
        sizes = self._sizes
        if numbers.shape != (sum(sizes),):
            raise ShapeError(f"unravel: an array of shape {numbers.shape} for a tree of {sum(sizes)} numbers.")
        ends = np.cumsum(sizes).tolist()
        return unflatten(
            self.structure,
            [
                numbers[end - size : end].reshape(shape)[()]
                for size, end, shape in zip(sizes, ends, self.shapes, strict=True)
            ],
        )


def ravel(tree: Any) -> tuple[Any, Unravel]:
    """All numbers of a tree as one vector, and the function that makes a tree like it of a vector.

    Integers count as float64. Both have derivatives and may be compiled. DTypeError if a leaf is no array of numbers.
    For SciPy's optimisers:

    >>> import chainrule as cr
    >>> from chainrule import numpy as np
    >>> from scipy.optimize import minimize
    >>> def cost(p):
    ...     return np.sum((p["w"] - 3.0) ** 2) + (p["b"] + 1.0) ** 2
    >>> start, unravel = cr.tree.ravel({"w": np.zeros(2), "b": 0.0})
    >>> cost_and_slope = cr.compile(cr.value_and_grad(lambda vector: cost(unravel(vector))))
    >>> found = unravel(minimize(cost_and_slope, start, jac=True, method="BFGS").x)
    >>> found["w"].round(4), round(float(found["b"]), 4)
    (array([3., 3.]), -1.0)
    """
    flat = [cnp.reshape(_floating(leaf), -1) for leaf in leaves(tree)]
    return (cnp.concatenate(flat) if flat else np.zeros(0)), Unravel.like(tree)


def _floating(leaf: Any) -> Any:
    if isinstance(leaf, Array):
        return as_float(leaf)
    found = plain_array(leaf)
    return found if checked_dtype(found.dtype).kind == "f" else found.astype(np.float64)
