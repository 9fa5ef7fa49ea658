"""A call of every function of `chainrule.numpy`, and of its options; NumPy says what comes out.

The tests of values, of native code and of derivatives all go through this table.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

Call = Callable[..., Any]
Cases = list[tuple[Call, tuple[Any, ...]]]


def array(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind == "f":
        return np.asarray(rng.normal(size=shape), dtype)
    if kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    return np.asarray(rng.integers(0 if kind == "u" else -5, 6, shape), dtype)


M, N3 = array((3, 4), np.float64), array((2, 3, 4), np.float64, 1)
V, POSITIVE = array((4,), np.float64, 2), np.abs(array((3, 4), np.float64, 3)) + 0.1
F, G = array((3, 4), np.float32, 4), array((3, 4), np.float32, 5)
I = array((3, 4), np.int64, 6)  # noqa: E741
B = array((3, 4), bool, 7)
S = array((3, 3), np.float64, 8)
STACK = array((2, 4, 4), np.float64, 9)
BACKWARD = array((4, 6), np.float64, 10)[::-1, ::-2]  # negative strides
EMPTY = np.zeros((0, 4))
SPECIAL = np.array([[1.5, np.nan, -np.inf, 0.0], [-0.0, np.inf, 2.5, -2.5]])
WITH_NAN = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [2.0, 0.5, -1.0]])
DEFINITE = STACK @ STACK.transpose(0, 2, 1) + 4 * np.eye(4)
MATRICES = (M, M.T, S, N3, STACK, S[:1, :2], EMPTY, EMPTY.T)
ORDERED = np.array([0.0, 1.0, 1.0, 2.5, 4.0])
METHODS = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen",
    "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest")  # fmt: skip
SHARES = np.array([0.0, 0.125, 0.25, 1 / 3, 0.5, 0.625, 2 / 3, 0.75, 0.9, 1.0])
POINTS = np.array([[-1.0, 0.0, 1.0], [1.7, 4.0, 9.0]])


def f(name: str, *arguments: Any, **options: Any) -> Callable[..., Any]:
    """The call of a function with these arguments after the arrays."""
    parts = name.split(".")
    return lambda np, *arrays: functools.reduce(getattr, parts, np)(*arrays, *arguments, **options)


def each(call: Call, *arrays: Any) -> Cases:
    """One call of several arrays."""
    return [(call, a if isinstance(a, tuple) else (a,)) for a in arrays]


def listed(name: str, *arguments: Any, **options: Any) -> Call:
    """The results of a call that gives several, joined to be compared."""
    call = f(name, *arguments, **options)
    return lambda np, *arrays: np.concatenate([np.ravel(part) for part in call(np, *arrays)])


def joined(np: Any, parts: Any) -> Any:
    """Several results in a row, to be compared."""
    return np.concatenate([np.ravel(part) for part in parts])


ELEMENTWISE: dict[str, Cases] = {
    **{name: each(f(name), SPECIAL, F, I, B) for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")},
    **{name: each(f(name), 3 * M, SPECIAL, F, I) for name in ("trunc", "fix", "positive", "real", "imag", "conj",
        "conjugate")},
    "signbit": each(f("signbit"), SPECIAL, F, I),
    "fabs": each(f("fabs"), M, F, I),
    "sinc": each(f("sinc"), M, F, np.array([0.0, 1e-3, 0.03, 0.031, 0.032, 0.04, 1.0])),
    **{name: each(f(name), 50 * M, F, I) for name in ("deg2rad", "rad2deg", "radians", "degrees")},
    **{name: each(f(name), (M, V), (SPECIAL, 1.0), (I, 3)) for name in ("fmin", "fmax")},
    "float_power": each(f("float_power"), (POSITIVE, V), (np.abs(F), 2), (I, 2)),
    "heaviside": each(f("heaviside"), (SPECIAL, 0.5), (I, 2), (F, np.float32(0.5))),
    "fmod": each(f("fmod"), (5 * M, V), (I, 3), (I, -3), (3 * F, G), (-I, I)),
    "logaddexp2": each(f("logaddexp2"), (M, V), (F, G), (I, 2)),
    "divmod": each(listed("divmod"), (5 * M, V), (I, 3)),
    "logical_xor": each(f("logical_xor"), (B, ~B[0]), (I, M), (I, 0)),
    "isclose": each(f("isclose"), (M, M + 1e-9), (SPECIAL, SPECIAL), (M, V), (F, F + np.float32(1e-7)))
    + each(f("isclose", equal_nan=True), (SPECIAL, SPECIAL)) + each(f("isclose", rtol=0.5, atol=0.1), (M, 1.2 * M)),
    "allclose": each(f("allclose"), (M, M + 1e-9), (M, V)),
    "array_equal": each(f("array_equal"), (M, M), (M, M + 1))
        + each(f("array_equal", equal_nan=True), (SPECIAL, SPECIAL)),
    "nan_to_num": each(f("nan_to_num"), SPECIAL, I, F)
        + each(f("nan_to_num", nan=7.0, posinf=1.0, neginf=-2.0), SPECIAL),
    "select": [(lambda np, x, y: np.select([x > 1, x > 0, x > -1], [x, 2 * y, 3.0], 9.0), (M, V)),
               (lambda np, x: np.select([x > 0], [x]), (F,))],
    "piecewise": [(lambda np, x: np.piecewise(x, [x < 0, x > 1], [lambda x: -x, lambda x: x**2, 7.0]), (M,)),
                  (lambda np, x: np.piecewise(x, [x < 0], [lambda x: 2 * x]), (F,))],
    "round": each(f("round"), 3 * M, F, I, SPECIAL) + each(f("round", 1), M, F) + each(f("round", -1), 100 * M),
    "around": each(f("around"), 3 * M),
    **{name: [(lambda np, x, name=name: getattr(np, name)(np.tanh(x)), (M,))]
       for name in ("asin", "acos", "atan", "asinh", "atanh")},
    "acosh": [(lambda np, x: np.acosh(1 + x), (POSITIVE,))],
    "atan2": each(f("atan2"), (M, V)),
    "pow": each(f("pow"), (POSITIVE, V)),
    "modf": each(listed("modf"), 3 * M, SPECIAL, F, I, np.array([-2.0, 3.0, -0.5, np.inf])),
    "ldexp": each(f("ldexp"), (M, I), (F, I), (I, 3), (3.0, I), (SPECIAL, 7), (np.ones(6), np.array(
        [-1074, -1080, 1023, 2000, -3000, 9]))) + each(f("ldexp", -1040), 2.0**1000 * M),
    "frexp": each(listed("frexp"), 100 * M, SPECIAL, F, I, np.array([5e-324, -1e-310, 1e300, 0.5, -1.0, 2.0, np.inf])),
    **{name: each(f(name), M, F, I, SPECIAL) for name in ("iscomplex", "isreal", "angle")},
    "real_if_close": each(f("real_if_close"), M, I),
    "spacing": each(f("spacing"), M, F, SPECIAL),
    "i0": each(f("i0"), M, 9 * F, I, np.array([0.0, 20.0, 700.0])),
    "kaiser": [(lambda np, beta: np.kaiser(7, beta), (np.array(2.5),)),
        (lambda np, b: np.kaiser(1, b), (np.array(3.0),)),
        (lambda np, beta: np.kaiser(0, beta), (np.array(3.0),))],
    "array_equiv": each(f("array_equiv"), (M, M), (M, M + 1), (np.ones((2, 3)), np.ones(3)), (B, ~B)),
}  # fmt: skip
REDUCTIONS: dict[str, Cases] = {
    "prod": each(f("prod"), M, F, I, B, EMPTY, BACKWARD) + each(f("prod", axis=1), M, N3, EMPTY)
    + each(f("prod", axis=(0, -1), keepdims=True), N3) + each(f("prod", dtype=np.float64), F)
    + [(lambda np, x: np.prod(x, where=x > 0, initial=2.0), (M,))],
    "ptp": each(f("ptp"), M, F, I) + each(f("ptp", axis=0, keepdims=True), N3),
    **{name: each(f(name), B, I, M, EMPTY, N3 > -9) + each(f(name, axis=1), B,
        EMPTY) + each(f(name, axis=(0, 2), keepdims=True), N3)
        + [(lambda np, x, name=name: getattr(np, name)(x != 2, axis=0, where=x > 1), (I,))]
       for name in ("any", "all")},
    "count_nonzero": each(f("count_nonzero"), I, B) + each(f("count_nonzero", axis=1), I)
        + each(f("count_nonzero", axis=0, keepdims=True), I),
    "average": each(f("average"), M, F, I) + [(lambda np, x, w: np.average(x, axis=1, weights=w), (M, np.abs(V))),
               (lambda np, x, w: np.average(x, axis=0, weights=w, keepdims=True), (M, POSITIVE)),
               (lambda np, x, w: np.concatenate(np.average(x, axis=0, weights=w, returned=True)), (M, POSITIVE))],
    **{name: each(f(name), WITH_NAN, M) + each(f(name, axis=0), WITH_NAN, F) + each(f(name, axis=1, keepdims=True),
        WITH_NAN)
       for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin")},
    **{name: each(f(name), M, F, I, B) + each(f(name, axis=0), M, N3, EMPTY) + each(f(name, axis=-1), N3, I, BACKWARD)
       + each(f(name, axis=0, dtype=np.float64), F) for name in ("cumsum", "cumprod")},
    **{name: each(f(name), V, I[0]) + each(f(name, axis=1), M) + each(f(name, axis=0, include_initial=True), M, I)
       for name in ("cumulative_sum", "cumulative_prod")},
    "diff": each(f("diff"), M, I, B, F) + each(f("diff", n=2), M) + each(f("diff", axis=0), N3, BACKWARD)
    + each(f("diff", prepend=0.0, append=1.0), M) + [(lambda np, x: np.diff(x, axis=0, prepend=x[:1]), (M,))],
    "trapezoid": each(f("trapezoid"), M, F, V) + each(f("trapezoid", dx=0.5, axis=0), M)
    + [(lambda np, y, x: np.trapezoid(y, x), (M, np.cumsum(POSITIVE[0]))),
        (lambda np, y, x: np.trapezoid(y, x, axis=0), (M, POSITIVE))],
    **{name: each(f(name), WITH_NAN, M, F, I) + each(f(name, axis=0), WITH_NAN, N3)
        + each(f(name, axis=1, dtype=np.float64), F) for name in ("nancumsum", "nancumprod")},
    **{name: each(f(name), WITH_NAN, M, I) + each(f(name, axis=0), WITH_NAN, N3)
        + each(f(name, axis=1, keepdims=True), M, WITH_NAN[::2]) for name in ("nanargmax", "nanargmin")},
    "ediff1d": each(f("ediff1d"), M, V, I, F) + each(f("ediff1d", to_end=[5, 6], to_begin=7), M, I),
    "gradient": each(f("gradient"), V, F[0], I[0]) + each(listed("gradient"), M, N3)
    + each(listed("gradient", 0.5), M, F) + each(listed("gradient", 0.5, np.array([1.0, 2.0, 4.0, 4.5])), M)
    + each(f("gradient", 2.0, axis=1, edge_order=2), M, N3, BACKWARD) + each(listed("gradient", axis=(-1, 0)), N3)
    + [(lambda np, y, x: np.gradient(y, np.cumsum(abs(x)), axis=1, edge_order=2), (M, POSITIVE[0])),
       (lambda np, y, x: np.gradient(y, np.cumsum(abs(x))), (V, POSITIVE[0])),
       (lambda np, y, h: np.gradient(y, h, axis=0), (M, np.array(0.7)))],
    "unwrap": each(f("unwrap"), 9 * M, 9 * F, np.array([0.0, np.pi, 0.0, -np.pi, 9.0, np.nan]))
        + each(f("unwrap", axis=0), 9 * N3)
    + each(f("unwrap", 4.0, period=5), 9 * M, I) + each(f("unwrap", period=4), I, np.append(I - 0.5, np.nan))
        + each(f("unwrap", period=5), I),
}  # fmt: skip

CONTRACTIONS: dict[str, Cases] = {
    "vdot": each(f("vdot"), (V, V), (M, M), (F, G)),
    "vecdot": each(f("vecdot"), (M, V), (N3, M), (F, G)) + each(f("vecdot", axis=0), (M, M)),
    "kron": each(f("kron"), (M, S), (V, V), (V, M), (N3, S), (F, G)),
    "cross": each(f("cross"), (S, S.T), (S, S[0]), (array((2, 3), np.float32), array((2, 3), np.float32, 1)))
    + each(f("cross", axis=0), (S, S.T))
        + each(f("cross", axisa=0, axisb=1, axisc=0), (array((3, 2), np.float64), array((2, 3), np.float64))),
    "trace": each(f("trace"), M, I, N3) + each(f("trace", offset=1), M) + each(f("trace", -1, 1, 2), N3),
    "einsum": [(lambda np, *xs, text=text: np.einsum(text, *xs), xs) for text, xs in {
        "bi,oi->bo": (M, M), "ij->": (M,), "ij->ji": (M,), "ij,kj": (M, M), "aij, bj -> ba": (N3, M),
        "ij,jk,kl->il": (M, M.T, M), "ii": (S,), "ii->i": (S,), "iij->ij": (array((3, 3, 2), np.float64),), "ij": (M,),
        "ba": (M,), "...ij->...ji": (N3,), "...i,...i": (N3, M), "i...,i...->...": (M, array((3, 4), np.float64, 3)),
        "...ij,...jk->...ik": (N3, array((4, 2), np.float64)), "...,...": (M, V), "i...->...i": (N3,),
        "i,j,k->ijk": (V, V, V),
        "ii,jj->ij": (S, S), "iji->j": (array((3, 2, 3), np.float64),), "iii": (array((3, 3, 3), np.float64),),
        "i,i->i": (np.ones(1), V), "ab,b,b,a->": (M, V, V, V[:3]), "ij->i": (EMPTY,),
        ",i->i": (np.array(2.0), V)}.items()]
    + [(lambda np, x, y: np.einsum(x, [0, 1], y, [2, 1], [0, 2]), (M, M)), (lambda np, x: np.einsum(x, [0, 0]), (S,)),
       (lambda np, x, y: np.einsum(x, [..., 0], y, [..., 0], [...]), (N3, M)),
       (lambda np, x: np.einsum("ij->j", x, optimize=True), (I,)),
       (lambda np, x, y: np.einsum("ij,j", x, y), (I, I[0]))],
    "matvec": each(f("matvec"), (M, V), (N3, V), (N3, M[:2]), (I, I[0])),
    "vecmat": each(f("vecmat"), (V, M.T), (M, N3.transpose(0, 2, 1)[:, None]), (I[0], I.T)),
    "cov": each(f("cov"), M, V, F, I) + each(f("cov", rowvar=False), M, V, M[:1]) + each(f("cov", bias=True), M)
    + each(f("cov", ddof=2), M) + each(f("cov"), (M, V), (V, V), (F, G)) + each(f("cov", rowvar=False), (M, N3[0]))
    + each(f("cov", fweights=[1, 2, 3, 1]), M)
        + [(lambda np, x, w: np.cov(x, aweights=abs(w)), (M, V)),
           (lambda np, x, w: np.cov(x, fweights=np.array([1, 2, 3, 1]), aweights=abs(w), ddof=0), (M, V)),
           (lambda np, x, w: np.cov(x, fweights=np.array([1, 2, 3, 1]), aweights=abs(w)), (M, V)),
           (lambda np, x: np.cov(x, dtype=np.float32), (F,))],
    "corrcoef": each(f("corrcoef"), M, V, F, I, (M, V)) + each(f("corrcoef", rowvar=False), M),
}  # fmt: skip

SHAPING: dict[str, Cases] = {
    "permute_dims": each(f("permute_dims", (2, 0, 1)), N3),
    "matrix_transpose": each(f("matrix_transpose"), M, N3, I),
    "moveaxis": each(f("moveaxis", 0, -1), N3) + each(f("moveaxis", -1, 1), N3)
        + each(f("moveaxis", (0, 2), (1, 0)), N3)
    + each(f("moveaxis", [0, 1], [-1, -2]), N3),
    "expand_dims": each(f("expand_dims", 0), M) + each(f("expand_dims", -1), M) + each(f("expand_dims", (0, -1)), M, V),
    "broadcast_arrays": each(listed("broadcast_arrays"), (M, V), (M, np.array(2.0))),
    "tile": each(f("tile", 2), M, V) + each(f("tile", (2, 1, 3)), M, N3) + each(f("tile", (2,)), N3)
        + each(f("tile", 0), V),
    "repeat": each(f("repeat", 2), M, N3) + each(f("repeat", 3, axis=1), M, EMPTY)
        + each(f("repeat", [1, 0, 2], axis=0), M),
    "concat": each(lambda np, x, y: np.concat([x, y]), (M, F))
        + each(lambda np, x, y: np.concat([x, y], axis=None), (M, V)),
    **{name: [(lambda np, x, y, name=name: getattr(np, name)([x, y]), pair) for pair in ((M, M), (V, V), (M, F),
        (np.array(1.0), np.array(2.0)))]
       for name in ("hstack", "vstack", "dstack", "column_stack")},
    "append": each(f("append"), (M, V), (V, 2.0)) + each(f("append", axis=0), (M, M[:1])),
    "block": [(lambda np, x, y: np.block([[x, y], [y, x]]), (S, 2 * S)), (lambda np, x: np.block([x, 1.0]), (V,)),
              (lambda np, x: np.block(x), (V,))],
    **{name: each(listed(name, 2), N3[:, :2]) + each(listed(name, [1]), N3)
       for name in ("split", "array_split", "hsplit", "vsplit", "dsplit")},
    "unstack": each(listed("unstack"), M) + each(listed("unstack", axis=1), M),
    **{name: each(f(name), np.array(2.0), V, M, N3) for name in ("atleast_1d", "atleast_2d", "atleast_3d")},
    "flip": each(f("flip"), M, N3, EMPTY) + each(f("flip", 1), M) + each(f("flip", (0, 2)), N3),
    "fliplr": each(f("fliplr"), M), "flipud": each(f("flipud"), M),
    "roll": each(f("roll", 1), M, V, EMPTY) + each(f("roll", -5, axis=1), M) + each(f("roll", (1, 2), axis=(0, 1)), M)
    + each(f("roll", 2, axis=(0, 1)), M),
    "rot90": [case for k in range(-1, 5) for case in each(f("rot90", k), M)] + each(f("rot90", 1, (1, 2)), N3),
    "pad": each(f("pad", 2), M) + each(f("pad", (1, 0)), M) + each(f("pad", ((0, 1), (2, 3))), I)
    + each(f("pad", 1, constant_values=3), M, I) + each(f("pad", 2, constant_values=((1, 2), (3, 4))), M)
    + [case for mode in ("edge", "reflect", "symmetric", "wrap") for case in each(f("pad", ((1, 2), (3, 5)), mode), M,
        BACKWARD[:, :2])],
    "tril": each(f("tril"), M, N3, V, I) + each(f("tril", 1), M) + each(f("tril", -1), N3),
    "triu": each(f("triu"), M, N3, V, I) + each(f("triu", 2), M) + each(f("triu", -1), N3),
    "diag": each(f("diag"), V, M, S, I) + each(f("diag", 1), V, M) + each(f("diag", -2), V, M) + each(f("diag", 7), M),
    "diagonal": each(f("diagonal"), M, N3, I) + each(f("diagonal", 1), M) + each(f("diagonal", -1, 2, 0), N3),
    "diagflat": each(f("diagflat"), V, M[:2, :2]) + each(f("diagflat", -1), V),
    "rollaxis": each(f("rollaxis", 2), N3) + each(f("rollaxis", 0, 2), N3) + each(f("rollaxis", 1, -1), N3),
    "apply_along_axis": [
        (lambda np, x: np.apply_along_axis(lambda row: np.sum(row) * row[0], 1, x), (M,)),
        (lambda np, x: np.apply_along_axis(lambda row: row - np.mean(row), 0, x), (N3,)),
        (lambda np, x: np.apply_along_axis(lambda row, k: np.outer(row, k * row), 1, x, 2.0), (N3,))],
    "resize": each(f("resize", (2, 7)), M, N3, I) + each(f("resize", 5), M, V),
    "apply_over_axes": [(lambda np, x: np.apply_over_axes(np.sum, x, [0, -1]), (N3,)),
        (lambda np, x: np.apply_over_axes(np.cumsum, x, 1), (M,))],
}  # fmt: skip

ORDER: dict[str, Cases] = {
    **{name: each(f(name), M, I, F, B, WITH_NAN, BACKWARD, EMPTY, np.array([2, 1, 2, 1, 1])) + each(f(name, axis=0), M,
        N3)
       + each(f(name, axis=None), N3) + each(f(name, stable=True), M) for name in ("sort", "argsort")},
    "take": each(f("take", np.array([2, 0, -1])), M) + each(f("take", np.array([[1, 0]]), axis=1), N3)
    + each(f("take", 1, axis=-1), N3) + each(f("take", [5, -7], axis=0, mode="wrap"), M)
        + each(f("take", [5, -7], axis=0, mode="clip"), M),
    "take_along_axis": [(lambda np, x, i: np.take_along_axis(x, i, axis=1), (M, np.array([[0, -1], [2, 2], [1, 3]]))),
                        (lambda np, x, i: np.take_along_axis(x, i, axis=0), (M, np.array([[2, 0, -1, 1]]))),
                        (lambda np, x, i: np.take_along_axis(x, i, 1), (N3, np.array([[[1, 0, 1, 2]]]))),
                        (lambda np, x, i: np.take_along_axis(x, i, axis=None), (M, np.array([11, 0])))],
    "searchsorted": each(f("searchsorted"), (ORDERED, POINTS), (ORDERED, 1.0),
        (np.append(ORDERED, np.nan), np.array([np.nan, 1.0])), (np.arange(4), I))
    + each(f("searchsorted", side="right"), (ORDERED, POINTS), (np.append(ORDERED, np.nan), np.array([np.nan, 1.0])))
    + [(lambda np, a, v: np.searchsorted(a, v, sorter=np.argsort(a)), (ORDERED[::-1], POINTS))],
    "digitize": [(lambda np, x, b: np.digitize(x, b), (POINTS, ORDERED)),
        (lambda np, x, b: np.digitize(x, b, right=True), (POINTS, ORDERED)),
                 (lambda np, x, b: np.digitize(x, b), (POINTS, ORDERED[::-1]))],
    "interp": [(lambda np, x, xp, fp: np.interp(x, xp, fp), (POINTS, np.array([-0.5, 0.5, 2.0]), V[:3])),
               (lambda np, x, xp, fp: np.interp(x, xp, fp, left=-9.0, right=9.0),
               (POINTS, np.array([-0.5, 0.5, 2.0]), V[:3])),
               (lambda np, x, xp, fp: np.interp(x, xp, fp), (POINTS, np.array([0.5]), V[:1])),
               (lambda np, x, xp, fp: np.interp(x, xp, fp),
               (np.array([np.nan, 1.0, 1.0]), ORDERED, np.arange(5.0) ** 2))],
    **{name: [(lambda np, x, y, name=name, mode=mode: getattr(np, name)(x, y, mode=mode), pair) for mode in ("full",
        "same", "valid")
              for pair in ((array((7,), np.float64), V), (V, array((7,), np.float64)), (V, V),
              (array((7,), np.float64), V[:3]), (F[0], I[0]))]
       for name in ("convolve", "correlate")},
    "median": each(f("median"), M, F, I, WITH_NAN) + each(f("median", axis=1), M, N3, WITH_NAN)
        + each(f("median", axis=(0, 2), keepdims=True), N3),
    "quantile": [case for method in METHODS for case in each(f("quantile", SHARES, axis=0, method=method), M, I, F,
        WITH_NAN) + each(f("quantile", 0.3, method=method), M, np.arange(4.0), I)]
        + each(f("quantile", 0.3), M, F, WITH_NAN) + each(f("quantile", [0.0, 0.25, 1.0], axis=0), M, N3)
        + each(f("quantile", [[0.1, 0.9]], axis=1, keepdims=True), M),
    "percentile": each(f("percentile", 30), M) + each(f("percentile", 50, method="lower"), I)
        + each(f("percentile", [10, 90], axis=1), M),
    "partition": [(lambda np, x: np.partition(x, 2)[..., 2], (M,)),
        (lambda np, x: np.partition(x, [0, -1], axis=0)[0], (N3,)),
        (lambda np, x: np.partition(x, 3, None)[3], (M,))],
    "argpartition": [(lambda np, x: np.argpartition(x, 2)[..., 2], (M,)),
        (lambda np, x: np.argpartition(x, 0, axis=0)[0], (N3,))],
    "nanmedian": each(f("nanmedian"), M, F, I, WITH_NAN) + each(f("nanmedian", axis=1), M, N3, WITH_NAN)
        + each(f("nanmedian", axis=(0, 2), keepdims=True), N3),
    "nanquantile": [case for method in METHODS for case in each(f("nanquantile", SHARES, axis=0, method=method), M, I,
        WITH_NAN) + each(f("nanquantile", 0.3, method=method), WITH_NAN)]
        + each(f("nanquantile", 0.3), M, F, WITH_NAN) + each(f("nanquantile", [0.0, 0.25, 1.0], axis=0), M,
        N3, WITH_NAN) + each(f("nanquantile", [[0.1, 0.9]], axis=1, keepdims=True), M, WITH_NAN),
    "nanpercentile": each(f("nanpercentile", 30), M) + each(f("nanpercentile", [10, 90], axis=1), M, WITH_NAN),
    "bincount": [(lambda np, x: np.bincount(np.abs(x[0]), minlength=12), (I,)),
        (lambda np, w: np.bincount([0, 2, 2, 1], w), (V,)), (lambda np, w: np.bincount([0, 2, 2, 1], w, 9), (V, )),
        (lambda np, x, w: np.bincount(np.abs(x[0]), w, minlength=8), (I, V)),
        (lambda np, w: np.bincount(np.array([1, 1, 0, 1], np.uint8), w), (F[0],))],
    "histogram_bin_edges": each(f("histogram_bin_edges"), M, V, I, np.ones(3, int))
        + each(f("histogram_bin_edges", 3), F)
        + each(f("histogram_bin_edges", 4, (-1, 2)), M),
    "histogram": each(listed("histogram"), M, I, np.ones(3, int), np.array([0.0, np.nan, 1.0])[::2])
    + [(lambda np, x: np.histogram(x, 4, (-1, 2))[0], (M,)), (lambda np, x: np.histogram(x, [0, 1, 1.5, 9])[0], (F,)),
       (lambda np, x: np.histogram(x, [-5, 0, 2, 5])[0], (I,)),
       (lambda np, x: np.histogram(x, 5, density=True)[0], (M,)),
       (lambda np, x, w: np.histogram(x, 3, weights=w)[0], (M, POSITIVE)),
       (lambda np, x, w: np.histogram(x, [-1.0, 0, 0.3, 2], weights=w, density=True)[0], (M, POSITIVE))],
    "lexsort": [(lambda np, x, y: np.lexsort((x, y)), (I[0], np.array([1, 0, 1, 0]))),
        (lambda np, x: np.lexsort(x), (I,)),
        (lambda np, x: np.lexsort((x, x % 2), axis=0), (I,))],
}  # fmt: skip

SELECTION: dict[str, Cases] = {
    "nonzero": [(lambda np, x: x[np.nonzero(x)], (I,)), (lambda np, x: x[np.nonzero(x > 0)], (M,)),
        (lambda np, x: x[np.where(x > 0)], (N3,))],
    "flatnonzero": [(lambda np, x: np.ravel(x)[np.flatnonzero(x > 0)], (M,))],
    "argwhere": [(lambda np, x: np.ravel(x)[np.argwhere(x > 0)], (V,))],
    "compress": each(lambda np, x: np.compress([True, False, True], x, axis=0), M, N3[:, :, 0].T)
        + each(lambda np, x: np.compress(np.array([0, 1, 1]), x), M) + each(
        lambda np, x: np.compress([0, 1], x, -1), N3),
    "extract": each(lambda np, x: np.extract(M > 0, x), M, I),
    "delete": each(f("delete", 1), M, V) + each(f("delete", [0, -1], axis=1), M, N3)
        + each(f("delete", slice(None, None, 2), 0), M, I) + each(f("delete", np.array([True, False, False]),
        axis=0), M),
    "insert": each(f("insert", 1, 9.0), M, I) + each(f("insert", [0, 2], [[7.0], [8]], axis=0), M)
        + each(f("insert", slice(0, 2), 5, axis=1), M, I) + each(f("insert", -1, [1.0, 2, 3], axis=1), M)
        + each(f("insert", [1, 1, 3], [1.0, 2, 3], axis=1), M) + each(f("insert", [], 1.0), V)
        + each(f("insert", np.array([True, False, True]), 5, axis=0), M)
        + [(lambda np, x, v: np.insert(x, 2, v, axis=0), (M, V)),
        (lambda np, x, v: np.insert(x, [2], v, axis=0), (M, S[:, :1])),
           (lambda np, x, v: np.insert(x, 1, v), (V, M[0])),
        (lambda np, x, v: np.insert(x, [1, 2], v, axis=1), (N3, 2 * N3[:, :2]))],
    "choose": [(lambda np, i, x, y: np.choose(np.abs(i % 2), [x, y]), (I, M, V)),
        (lambda np, i, x: np.choose(i, x, mode="wrap"), (I[0], M)),
        (lambda np, i, x: np.choose(i, [x, 1], mode="clip"), (I, M)),
        (lambda np, x: np.choose([0, 2, 1, 0], x), (M,))],
    "unique": each(f("unique"), I, M, WITH_NAN, B) + each(f("unique", axis=0), I[[0, 1, 0, 2]],
        M) + each(listed("unique", True, True, True), I, M, I[0])
        + each(lambda np, x: operator.getitem(*np.unique(x, return_inverse=True)), I, M)
        + each(listed("unique", return_counts=True, axis=1), I)
        + each(f("unique", equal_nan=False), WITH_NAN),
    "unique_values": each(lambda np, x: np.sort(np.unique_values(x)), I, M, WITH_NAN),
    **{name: each(listed(name), I, M) for name in ("unique_all", "unique_counts", "unique_inverse")},
    "isin": each(f("isin"), (I, [1, 3]), (I, I[0]), (M, M[:, 1]), (I, M), (V, 2.0))
        + each(f("isin", [1, 2], invert=True), I),
    "union1d": each(f("union1d"), (I, np.arange(3)), (M, V)),
    **{name: each(f(name), (I, np.arange(3)), (M, V)) + each(f(name, assume_unique=True), (np.array([4, 1, 3]),
        np.array([3, 5]))) for name in ("setdiff1d", "setxor1d")},
    "intersect1d": each(f("intersect1d"), (I, np.arange(3)), (M, M[0]))
        + each(listed("intersect1d", return_indices=True),
        (I, np.arange(3)), (M, M[0])) + each(f("intersect1d", True), (np.array([4.0, 1, 3]), np.array([3.0, 5, 4]))),
    "trim_zeros": each(f("trim_zeros"), *(np.array(a) for a in ([0, 1, 0, 2, 0], [0.0, 0.0], [1.0], [0.0, 3.0])))
        + [case for trim in ("f", "b") for case in each(f("trim_zeros", trim), np.array([0, 0, 1, 2, 0, 3, 0]))]
        + each(f("trim_zeros", axis=1), np.array([[0, 1, 0], [0, 0, 0]])),
    **{name: each(lambda np, x, name=name: x[getattr(np, name)(x)], S, I[:, :3])
       for name in ("diag_indices_from", "tril_indices_from", "triu_indices_from")},
    "unravel_index": each(listed("unravel_index", (6, 7)), np.abs(I))
        + each(listed("unravel_index", (2, 3, 4), "F"), np.abs(I))
        + each(listed("unravel_index", 9), np.abs(I)),
    "ravel_multi_index": [(lambda np, i: np.ravel_multi_index((abs(i), abs(i[0])), (6, 7)), (I,)),
        (lambda np, i: np.ravel_multi_index((i, i), (6, 7), mode=("wrap", "clip"), order="F"), (I,))],
}  # fmt: skip

POLYNOMIALS: dict[str, Cases] = {
    "polyval": each(f("polyval"), (V, M), (V, 2.0), (I[0], I), (F[0], G)),
    **{name: each(f(name), (V, M[0]), (V[:2], V), (I[0], I[0, :1]), (V, 2.0)) for name in ("polyadd", "polysub")},
    "polymul": each(f("polymul"), (V, M[0]), (I[0], np.array([0, 0, 1, 2])), (F[0], G[0]), (np.zeros(3, int), I[0])),
    "polydiv": each(listed("polydiv"), (V, M[0, :2]), (M[0, :2], V), (np.array([1.0, -3, 2]), np.array([1.0, -1])),
        (V, np.array([2.0])), (np.array([2.0]), np.array([4.0])), (np.array([1, 0, -1]), np.array([1, 1]))),
    "poly": each(f("poly"), V, I[0], F[0]),
    "polyder": each(f("polyder"), V, I[0], F[0]) + each(f("polyder", 2), V, V[:1]) + each(f("polyder", 0), V),
    "polyint": each(f("polyint"), V, I[0]) + each(f("polyint", 2, [3, 4]), V) + each(f("polyint", 2, 5.0), V)
        + each(f("polyint", 0), V) + [(lambda np, p, k: np.polyint(p, 2, k), (V, V[:2]))],
    "polyfit": each(f("polyfit", 2), (V, M[0]), (V, M.T), (F[0], G[0]), (np.arange(4), I[0]))
        + each(f("polyfit", 0), (V, V))
        + [(lambda np, x, y, w: np.polyfit(x, y, 1, w=abs(w)), (V, M[0], M[1])),
           (lambda np, x, y, w: np.polyfit(x, y, 2, w=abs(w), rcond=1e-9), (V, M.T, M[1])),
           (lambda np, x, y: joined(np, np.polyfit(x, y, 1, full=True)[:4]), (V, M[0]))],
}  # fmt: skip

CREATION: dict[str, Cases] = {
    "array": [(lambda np, x, y: np.array([x, y]), (M, M)), (lambda np, x: np.array([x, 1.0, 2]), (np.array(2.5),)),
              (lambda np, x: np.array([[x, 1], [0, x]], dtype=np.float32), (np.array(2.5),)),
              (lambda np, x: np.array(x, ndmin=3), (M,)),
              (lambda np, x: np.array((x, 2)), (np.array(3),))],
    "asarray": [(lambda np, x: np.asarray(x), (M,)), (lambda np, x: np.asarray([x[0], x[1]], dtype=np.float32), (M,))],
    **{name: each(f(name), M) for name in ("asanyarray", "ascontiguousarray", "copy")},
    "empty_like": [(lambda np, x: 0 * np.empty_like(x), (I,))],
    "zeros_like": each(f("zeros_like"), F) + each(f("zeros_like", dtype=np.int8), F)
        + each(f("zeros_like", shape=(2, 2)), F),
    "full": [(lambda np, x: np.full((2, 3), x), (np.array(2.5),)),
        (lambda np, x: np.full((2, 4), x, dtype=np.float32), (V,))],
    "linspace": [(lambda np, a, b: np.linspace(a, b, 7), (np.array(1.0), np.array(3.5))),
        (lambda np, a, b: np.linspace(a, b, 4, endpoint=False), (V, V[::-1])),
                 (lambda np, a, b: np.linspace(a, b, 3, axis=-1), (V, 2.0)),
                 (lambda np, a, b: np.linspace(a, b, 1), (V, 2.0)),
                 (lambda np, a, b: np.stack(np.linspace(a, b, 2, True, True)[1:]), (V, 2.0))],
    "eye": [(lambda np, n: np.eye(n), (np.array(4),)), (lambda np, n: np.eye(3, n, n - 6), (np.array(5),))],
    "identity": [(lambda np, n: np.identity(n), (np.array(3),))],
    "arange": [(lambda np, n: np.arange(n), (np.array(4),)), (lambda np, n: np.arange(1, n, 2), (np.array(6),))],
    "meshgrid": each(listed("meshgrid"), (V, M[:, 0]), (V,))
        + each(listed("meshgrid", indexing="ij"), (V, M[:, 0], V)) + each(listed("meshgrid", sparse=True), (V, V)),
    "vander": each(f("vander"), V, F[0], I[0]) + each(f("vander", 3), V) + each(f("vander", N=2, increasing=True), V),
    "logspace": [(lambda np, a, b: np.logspace(a, b, 5), (np.array(0.5), np.array(2.0))),
        (lambda np, a, b: np.logspace(a, b, 4, endpoint=False, base=2, axis=-1), (V, V[::-1])),
        (lambda np, a, b: np.logspace(0, a, 4, base=b), (np.array(1.5), POSITIVE[0])),
        (lambda np, a: np.logspace(0, a, 3, dtype=np.float32), (np.array(2),))],
    "geomspace": [(lambda np, a, b: np.geomspace(a, b, 5), (np.array(0.5), np.array(9.0))),
        (lambda np, a, b: np.geomspace(a, b, 4, endpoint=False, axis=-1), (POSITIVE[0], POSITIVE[1])),
        (lambda np, a, b: np.geomspace(-a, -b, 6), (POSITIVE, POSITIVE[::-1])),
        (lambda np, a: np.geomspace(1, a, 4), (np.array(1000),)),
        (lambda np, a: np.geomspace(a, 2, 1), (np.array(3.0),)),
        (lambda np, b: np.geomspace(1e-200, b, 4), (np.array(1e100),))],
    "ix_": [(lambda np, x, i: x[np.ix_(np.abs(i) % 3, [2, 0])], (M, I[0])), (lambda np, i: np.ix_(i)[0], (I[0],)),
        (lambda np, x: np.ix_(x, 2 * x, [1.5])[1], (V,))],
}  # fmt: skip

FFT: dict[str, Cases] = {
    **{name: each(f(f"fft.{name}"), V, M[:, :3], N3, I) + each(f(f"fft.{name}", 1), N3)
        + each(f(f"fft.{name}", axes=(0, -1)), N3) for name in ("fftshift", "ifftshift")},
}  # fmt: skip

LINALG: dict[str, Cases] = {
    "tensorsolve": each(f("linalg.tensorsolve"), (np.eye(12).reshape(3, 4, 2, 6) + array((3, 4, 2, 6), np.float64), M),
        (STACK[0], V)) + each(f("linalg.tensorsolve", axes=(0,)),
        (np.moveaxis(2 * np.eye(6).reshape(6, 2, 3) + array((6, 2, 3), np.float64), -1, 0), N3[0, :2, :3].ravel())),
    "tensorinv": each(f("linalg.tensorinv"), np.eye(6).reshape(2, 3, 6) + array((2, 3, 6), np.float64))
        + each(f("linalg.tensorinv", ind=1), STACK[0]),
    "solve": each(f("linalg.solve"), (S, V[:3]), (S, M), (STACK, STACK[:, :, :2]), (S, array((2, 3, 2), np.float64)),
        (S.astype(np.float32), F),
                  (STACK[0], STACK), (np.eye(3, dtype=int) * 2, np.arange(3))),
    "inv": each(f("linalg.inv"), S, STACK, S.astype(np.float32)),
    "det": each(f("linalg.det"), S, STACK, S[:2, :2], S[:1, :1], np.zeros((2, 0, 0)), S.astype(np.float32),
        array((2, 3, 3), np.float64)),
    "slogdet": each(listed("linalg.slogdet"), S, STACK, -S, np.zeros((2, 2))),
    "cholesky": each(f("linalg.cholesky"), DEFINITE, DEFINITE[0].astype(np.float32))
        + each(f("linalg.cholesky", upper=True), DEFINITE),
    "eigh": [(lambda np, a, end=end: joined(np, np.linalg.eigh(a + np.matrix_transpose(a), *end)), (x,))
        for x in (S, STACK, np.zeros((0, 0)), S[:1, :1]) for end in ((), ("U",), ("l",))]
    + each(listed("linalg.eigh"), np.eye(3, dtype=int)),
    "eigvalsh": [(lambda np, a, end=end: np.linalg.eigvalsh(a + np.matrix_transpose(a), *end), (x,))
        for x in (S, STACK, S.astype(np.float32), np.zeros((2, 0, 0))) for end in ((), ("U",))],
    "svd": each(listed("linalg.svd"), S, STACK)
    + each(listed("linalg.svd", full_matrices=False), *MATRICES)
    + each(f("linalg.svd", compute_uv=False), M, F, I),
    "svdvals": each(f("linalg.svdvals"), *MATRICES, F, I),
    "qr": each(listed("linalg.qr"), *MATRICES) + each(listed("linalg.qr", "complete"), M, S)
    + each(f("linalg.qr", mode="r"), M, M.T),
    "pinv": each(f("linalg.pinv"), *MATRICES, F, I[:, :3]) + each(f("linalg.pinv", 0.5), I, I[:, :2])
        + each(f("linalg.pinv", rtol=None), M) + each(f("linalg.pinv", np.array([1e-3, 1e-9])), N3),
    "matrix_rank": each(f("linalg.matrix_rank"), *MATRICES, V, I, np.zeros(3), np.outer(V, V))
        + each(f("linalg.matrix_rank", 1.5), M, N3) + each(f("linalg.matrix_rank", rtol=0.5), M)
        + each(f("linalg.matrix_rank", np.array([0.5, 2.0])), N3),
    "cond": [case for p in (None, 2, -2) for case in each(f("linalg.cond", p), M, M.T, S, N3)]
    + [case for p in ("fro", "nuc", 1, -1, np.inf, -np.inf) for case in each(f("linalg.cond", p), S, STACK)]
    + each(f("linalg.cond"), S.astype(np.float32)),
    "lstsq": each(listed("linalg.lstsq"), (M, S), (M.T, V), (M.T, M.T), (S, S), (I, I), (M.T[:, :0], V),
        (M.T, M.T[:, :0])) + each(listed("linalg.lstsq", 1e-3), (M, V[:3])),
    "matrix_power": [case for n in (-2, -1, 0, 1, 2, 5) for case in each(f("linalg.matrix_power", n), S, STACK)]
        + each(f("linalg.matrix_power", 3), I[:, :3]),
    "multi_dot": [(lambda np, a, b, c: np.linalg.multi_dot([a, b, c]), case) for case in ((M, M.T, M), (V, M.T, M),
        (V, M.T, V[:3]), (M, M.T, V[:3]))],
    "norm": each(f("linalg.norm"), M, V, N3, F, I, EMPTY)
        + [case for order in (None, 0, 1, 2, 3, 0.5, -1, np.inf, -np.inf) for case in each(f("linalg.norm", order),
        V) + each(f("linalg.norm", order, axis=1), M)]
    + [case for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf) for case in each(f("linalg.norm", order),
        M) + each(f("linalg.norm", order, (2, 0), keepdims=True), N3) + each(f("linalg.norm", order, (0, 2)), N3)],
    "vector_norm": each(f("linalg.vector_norm"), M, F)
        + each(f("linalg.vector_norm", axis=(0, 2), ord=3, keepdims=True), N3)
        + each(f("linalg.vector_norm", axis=0, ord=np.inf), M),
    "matrix_norm": each(f("linalg.matrix_norm"), M, N3) + each(f("linalg.matrix_norm", ord=1, keepdims=True), N3)
        + [case for order in (2, "nuc") for case in each(f("linalg.matrix_norm", ord=order), M, F, EMPTY)],
    "matmul": each(f("linalg.matmul"), (M, M.T)),
    "matrix_transpose": each(f("linalg.matrix_transpose"), N3),
    "tensordot": each(f("linalg.tensordot", axes=1), (M, M.T)),
    "vecdot": each(f("linalg.vecdot"), (N3, M)),
    "outer": each(f("linalg.outer"), (V, V)),
    "cross": each(f("linalg.cross"), (S, S.T)),
    "diagonal": each(f("linalg.diagonal"), N3) + each(f("linalg.diagonal", offset=1), N3),
    "trace": each(f("linalg.trace"), N3) + each(f("linalg.trace", offset=-1, dtype=np.float64), F),
}  # fmt: skip
