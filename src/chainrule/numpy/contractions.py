"""NumPy's sums of products, for Arrays as for plain arrays: all of them contractions of labelled axes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.graph import ops
from chainrule.graph.interpret import has_value
from chainrule.graph.node import full
from chainrule.numpy import elementwise as ew
from chainrule.numpy import reductions as red
from chainrule.numpy import shaping
from chainrule.numpy.subscripts import Label, Subscripts, as_text
from chainrule.trace import arithmetic, primitives, promotion
from chainrule.trace.array import Array
from chainrule.trace.plain import shown
from chainrule.trace.promotion import as_array
from chainrule.trace.recorded import offered, recorded


@recorded(np.matmul)
def matmul(x1: Any, x2: Any, /) -> Array:
    """The matrix product `x1 @ x2`."""
    return arithmetic.matmul(x1, x2)


@recorded(np.dot)
def dot(a: Any, b: Any) -> Array:
    """The sum over the last axis of `a` and the second to last (or only) of `b`."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return as_array(a * b)
    a_labels = list(range(a.ndim))
    b_labels = list(range(a.ndim, a.ndim + b.ndim))
    b_labels[-2 if b.ndim > 1 else -1] = a_labels[-1]
    _check_paired(a, b, [(a.ndim - 1, b.ndim - 2 if b.ndim > 1 else 0)], "dot")
    out = [*a_labels[:-1], *(label for label in b_labels if label != a_labels[-1])]
    return arithmetic.contract(a, b, a_labels, b_labels, out)


@recorded(np.vdot)
def vdot(a: Any, b: Any, /) -> Array:
    """The sum over all elements, one after the other."""
    return dot(as_array(a).ravel(), as_array(b).ravel())


@recorded(np.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The sum over one axis of both, the others broadcast."""
    a, b = (_axis_last(as_array(x), axis) for x in (x1, x2))
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"vecdot: {a.node.type} and {b.node.type} differ in the summed axis.")
    return einsum("...i,...i->...", a, b)


def _axis_last(x: Array, axis: int) -> Array:
    return primitives.moved_axis(x, primitives.normalized_axis(axis, x.ndim), x.ndim - 1)


@recorded(np.inner)
def inner(a: Any, b: Any) -> Array:
    """The sum over the last axes of both."""
    a, b = as_array(a), as_array(b)
    return tensordot(a, b, axes=(-1, -1)) if a.ndim and b.ndim else a * b


@recorded(np.outer)
def outer(a: Any, b: Any) -> Array:
    """`a[i] · b[j]` of the flattened arrays."""
    return arithmetic.contract(as_array(a).ravel(), as_array(b).ravel(), [0], [1], [0, 1])


@recorded(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    """The sum over pairs of axes, or over the last `axes` of `a` and the first of `b`."""
    a, b = as_array(a), as_array(b)
    if isinstance(axes, int):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = ([n] if isinstance(n, int) else list(n) for n in axes)
        left = [primitives.normalized_axis(n, a.ndim) for n in left]
        right = [primitives.normalized_axis(n, b.ndim) for n in right]
    pairs = list(zip(left, right, strict=True))
    _check_paired(a, b, pairs, "tensordot")
    b_labels = list(range(a.ndim, a.ndim + b.ndim))
    for n, m in pairs:
        b_labels[m] = n
    kept = [n for n in range(a.ndim) if n not in left]
    return arithmetic.contract(
        a, b, list(range(a.ndim)), b_labels, [*kept, *(label for label in b_labels if label >= a.ndim)]
    )


def _check_paired(a: Array, b: Array, pairs: Sequence[tuple[int, int]], name: str) -> None:
    if any(a.shape[n] != b.shape[m] for n, m in pairs):
        raise ShapeError(f"{name}: {a.node.type} and {b.node.type} differ along the summed axes {list(pairs)}.")


@recorded(np.kron)
def kron(a: Any, b: Any) -> Array:
    """Kronecker's product: blocks `a[i, j] · b`."""
    a, b = as_array(a), as_array(b)
    rank = max(a.ndim, b.ndim)
    a, b = (primitives.reshape(x, (1,) * (rank - x.ndim) + x.shape) for x in (a, b))
    evens, odds = range(0, 2 * rank, 2), range(1, 2 * rank, 2)
    product = arithmetic.contract(a, b, evens, odds, range(2 * rank))
    return primitives.reshape(product, [n * m for n, m in zip(a.shape, b.shape, strict=True)])


@recorded(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """The vector product of vectors of three numbers along an axis, the others broadcast."""
    ends = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x, y = (_axis_last(as_array(v), end) for v, end in zip((a, b), ends, strict=False))
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ShapeError(f"cross: {x.node.type} and {y.node.type} are no vectors of three numbers.")

    def turned(v: Array, by: int) -> Array:
        return primitives.concatenated([v[..., by:], v[..., :by]], v.ndim - 1)

    product = as_array(turned(x, 1) * turned(y, 2) - turned(x, 2) * turned(y, 1))
    return primitives.moved_axis(product, product.ndim - 1, primitives.normalized_axis(ends[2], product.ndim))


@recorded(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Array:
    """The sum over a diagonal of two axes."""
    diagonal = primitives.diagonal(as_array(a), offset, axis1, axis2)
    return arithmetic.total(diagonal if dtype is None else primitives.astype(diagonal, dtype), -1)


@recorded(np.matvec)
def matvec(x1: Any, x2: Any, /) -> Array:
    """The products of matrices and vectors, in stacks that are broadcast."""
    return _stacked("matvec", "...ij,...j->...i", x1, x2)


@recorded(np.vecmat)
def vecmat(x1: Any, x2: Any, /) -> Array:
    """The products of vectors and matrices, in stacks that are broadcast."""
    return _stacked("vecmat", "...i,...ij->...j", x1, x2)


def _stacked(name: str, subscripts: str, x1: Any, x2: Any) -> Array:
    a, b = as_array(x1), as_array(x2)
    matrix, vector = (a, b) if name == "matvec" else (b, a)
    if matrix.ndim < 2 or not vector.ndim or matrix.shape[-1 if matrix is a else -2] != vector.shape[-1]:
        raise ShapeError(f"{name}: {a.node.type} and {b.node.type} do not fit together.")
    return einsum(subscripts, a, b)


# how quantities vary together


@recorded(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
    aweights: Any = None, *, dtype: Any = None,
) -> Array:  # fmt: skip
    """How the rows (columns unless `rowvar`) vary together: `Σ (x − mean)(y − mean) / (n − 1)`, `/ n` if `bias`.

    An observation counts `fweights` times, with the weight `aweights`.
    """
    if ddof is not None and ddof != int(ddof):
        raise OptionError(f"cov: ddof must be an integer, not {ddof!r}.")
    if fweights is not None and has_value(as_array(fweights).node) and (shown(as_array(fweights).node) % 1).any():
        raise DTypeError("cov: fweights say how often an observation counts, and must be integers.")
    rows = _observations(m, y, rowvar, dtype)
    weights = [w if w is None else _weighing(rows, w) for w in (fweights, aweights)]
    given = [w for w in weights if w is not None]
    if not given:
        w, counted = None, Array(full(rows.shape[1], rows.node.type.with_shape(())))
    else:
        w = given[0] if len(given) == 1 else given[0] * given[1]
        counted = arithmetic.total(w)
    less = (0 if bias else 1) if ddof is None else ddof
    taken = less if weights[1] is None or not less else less * arithmetic.total(w * weights[1]) / counted
    centred = rows - red.average(rows, 1, w, keepdims=True)
    products = arithmetic.matmul(centred, primitives.transpose(centred if w is None else centred * w))
    return shaping.squeeze(products / ew.maximum(counted - taken, 0.0))


def _observations(m: Any, y: Any, rowvar: bool, dtype: Any) -> Array:
    """One row for each quantity."""
    given = [as_array(x) for x in (m, y) if x is not None]
    if any(x.ndim > 2 for x in given):
        raise ShapeError(f"cov needs vectors or matrices, not {' and '.join(str(x.node.type) for x in given)}.")
    wanted = promotion.common_dtype([*given, np.float64(0)]) if dtype is None else dtype
    rows = [shaping.atleast_2d(primitives.astype(x, wanted)) for x in given]
    turned = [
        x if rowvar or x.shape[0] == 1 and (n or given[0].ndim == 1) else primitives.transpose(x)
        for n, x in enumerate(rows)
    ]
    return primitives.concatenated(turned, 0) if len(turned) > 1 else turned[0]


def _weighing(rows: Array, weights: Any) -> Array:
    found = primitives.astype(as_array(weights), rows.dtype)
    if found.shape != rows.shape[1:]:
        raise ShapeError(f"cov: weights {found.node.type} for {rows.shape[1]} observations.")
    if has_value(found.node) and (shown(found.node) < 0).any():
        raise OptionError("cov: weights cannot be negative.")
    return found


@recorded(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """How the rows (columns unless `rowvar`) vary together, each in units of its own deviation: from −1 to 1."""
    together = cov(x, y, rowvar, dtype=dtype)
    if together.ndim == 0:
        return together / together
    deviations = ew.sqrt(primitives.diagonal(together))
    return ew.clip(together / primitives.reshape(deviations, (-1, 1)) / deviations, -1.0, 1.0)


# Einstein's summation


@dataclass(frozen=True, slots=True)
class _Operand:
    """An array with a label for each of its axes."""

    array: Array
    labels: tuple[Label, ...]


@recorded(np.einsum)
def einsum(subscripts: Any, /, *operands: Any, optimize: Any = None) -> Array:
    """Einstein's summation, such as `einsum("bi,oi->bo", x, w)`, with all of NumPy's ways to write it.

    Two operands at a time, those first whose product is smallest.
    """
    text, given = as_text(subscripts, operands)
    arrays = [as_array(x) for x in given]
    named = Subscripts.parsed(text, [x.ndim for x in arrays])
    factors = [_Operand(*pair) for pair in zip(arrays, named.operands, strict=True)]
    factors = [_without_ones(_diagonal(factor), _sizes(factors)) for factor in factors]
    present = {label for factor in factors for label in factor.labels}
    found = _contracted(factors, [label for label in named.result if label in present])
    return _with_axes(found, named.result)


def _with_axes(x: _Operand, labels: Sequence[Label]) -> Array:
    """The array with its axes in this order, and axes of size one for the labels that it has not."""
    ordered = primitives.transpose(x.array, [x.labels.index(label) for label in labels if label in x.labels])
    extents = dict(zip(x.labels, x.array.shape, strict=True))
    return primitives.reshape(ordered, [extents.get(label, 1) for label in labels])


def _sizes(factors: Sequence[_Operand]) -> dict[Label, int]:
    """The extent of each label; size one is repeated, as anywhere in NumPy."""
    sizes: dict[Label, int] = {}
    for factor in factors:
        for label, extent in zip(factor.labels, factor.array.shape, strict=True):
            known = sizes.get(label, 1)
            if 1 not in (known, extent) and known != extent:
                types = " and ".join(str(f.array.node.type) for f in factors)
                raise ShapeError(f"einsum: {types} differ in a shared axis: {known} and {extent}.")
            sizes[label] = extent if known == 1 else known
    return sizes


def _diagonal(factor: _Operand) -> _Operand:
    """The operand in which each label stands once."""
    x, labels = factor.array, factor.labels
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = primitives.diagonal(x, 0, first, second)
            labels = (*(other for n, other in enumerate(labels) if n not in (first, second)), label)
    return _Operand(x, labels)


def _without_ones(factor: _Operand, sizes: Mapping[Label, int]) -> _Operand:
    """The operand without the axes of size one that are repeated along others'."""
    extents = dict(zip(factor.labels, factor.array.shape, strict=True))
    kept = [label for label, extent in extents.items() if extent == sizes[label]]
    return _Operand(primitives.reshape(factor.array, [extents[label] for label in kept]), tuple(kept))


def _contracted(factors: Sequence[_Operand], result: Collection[Label]) -> _Operand:
    """All operands as one, two at a time."""
    left = list(factors)
    while len(left) > 1:
        first, second = min(combinations(range(len(left)), 2), key=lambda pair: _product_size(left, pair, result))
        product = _product(left[first], left[second], _still_needed(left, (first, second), result))
        left = [*(factor for n, factor in enumerate(left) if n not in (first, second)), product]
    return _summed(left[0], result)


def _summed(factor: _Operand, result: Collection[Label]) -> _Operand:
    """The sum over what is not in the result."""
    alone = tuple(n for n, label in enumerate(factor.labels) if label not in result)
    kept = tuple(label for label in factor.labels if label in result)
    return _Operand(primitives.reduced(ops.SUM, factor.array, alone, False), kept) if alone else factor


def _still_needed(factors: Sequence[_Operand], pair: tuple[int, int], result: Collection[Label]) -> tuple[Label, ...]:
    """The labels of a pair that the result or another operand has."""
    others = {label for n, factor in enumerate(factors) if n not in pair for label in factor.labels}
    both = dict.fromkeys(label for n in pair for label in factors[n].labels)
    return tuple(label for label in both if label in others or label in result)


def _product_size(factors: Sequence[_Operand], pair: tuple[int, int], result: Collection[Label]) -> int:
    sizes = _sizes([factors[n] for n in pair])
    return math.prod(sizes[label] for label in _still_needed(factors, pair, result))


def _product(a: _Operand, b: _Operand, kept: tuple[Label, ...]) -> _Operand:
    numbers = {label: n for n, label in enumerate(dict.fromkeys((*a.labels, *b.labels)))}
    labels = ([numbers[label] for label in part] for part in (a.labels, b.labels, kept))
    return _Operand(arithmetic.contract(a.array, b.array, *labels), kept)


if not TYPE_CHECKING:  # to which every function here is public
    __all__ = offered(globals())
