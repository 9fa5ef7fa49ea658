"""Small programs as people write them, for any library's NumPy: what their gradients and their first calls cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy

__all__ = ["UNCOMPILED", "WRITTEN_OUT", "saddle"]

_RANDOM = numpy.random.default_rng(0)
_VECTOR, _MATRIX = _RANDOM.normal(size=3), _RANDOM.normal(size=(4, 4))
_BATCH, _WEIGHTS = _RANDOM.normal(size=(10, 4)), _RANDOM.normal(size=(5, 4))

Program = Callable[[Any, Any], Any]  # of a library's NumPy and an argument


def _log_of_sum(np: Any, x: Any) -> Any:
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def _layers(np: Any, w: Any) -> Any:
    a = _BATCH
    for _ in range(3):
        a = np.tanh(np.dot(a, w) + 0.1)
    return np.mean((a - 1.0) ** 2)


def _steps(np: Any, x: Any) -> Any:
    for _ in range(20):
        x = x - 0.1 * np.sin(x)
    return x


#: Functions of a small array that return one number, as a test-suite of derivatives has them, and their arguments.
UNCOMPILED: Mapping[str, tuple[Program, Any]] = {
    "a few functions of a number": (lambda np, x: np.sin(x) * np.exp(x) + np.tanh(x) / x**2, 1.3),
    "functions of a vector": (lambda np, x: np.sum(np.exp(-(x**2)) * np.cos(x)), _VECTOR),
    "a matrix and a vector": (lambda np, x: np.sum(np.tanh(np.dot(_WEIGHTS, x))), _RANDOM.normal(size=4)),
    "elements by index": (lambda np, x: x[0] * x[1] + x[2] ** 2 + np.sum(x[1:]), _VECTOR),
    "concatenation": (lambda np, x: np.sum(np.concatenate([x, x * 2]) ** 2), _VECTOR),
    "all differences": (lambda np, x: np.sum((x[:, None] - x[None, :]) ** 2), _VECTOR),
    "the logarithm of a sum": (_log_of_sum, _VECTOR),
    "three layers": (_layers, _MATRIX),
    "twenty steps": (_steps, 0.7),
    "where": (lambda np, x: np.sum(np.where(x > 0, x**2, -x)), _VECTOR),
    "einsum": (lambda np, x: np.sum(np.einsum("ij,jk->ik", x, x) * np.transpose(x)), _MATRIX),
    "moments": (lambda np, x: np.std(x) + np.var(x) + np.prod(x), _VECTOR),
    "reshape and slice": (lambda np, x: np.sum(np.reshape(x, (2, 8))[:, ::2] ** 2), _MATRIX),
}


def _rotation(np: Any, a: Any, b: Any, c: Any) -> Any:
    (sa, ca), (sb, cb), (sc, cc) = ((np.sin(x), np.cos(x)) for x in (a, b, c))
    rows = [
        [cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
        [cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
        [-sb, sa * cb, ca * cb],
    ]
    return np.stack([np.stack(row) for row in rows])


def _hands(np: Any, p: Any) -> Any:
    """Two hands of five fingers with 13 angles and places each: where their joints are, one chain for each finger."""
    found = []
    for q in (p[:13], p[13:]):
        wrist, place = _rotation(np, q[0], q[1], q[2]), q[3:6]
        for finger in range(5):
            turn, at = wrist, place + wrist @ numpy.array([0.1 * finger, 1.0, 0.0])
            for joint in range(3):
                bend = q[6 + (finger + joint) % 7]
                turn = turn @ _rotation(np, bend, 0.1 * bend, 0.2 * bend)
                at = at + turn @ numpy.array([0.0, 0.5, 0.0])
                found.append(at)
    return np.sum(np.stack(found) ** 2)


def _sinkhorn(np: Any, cost: Any) -> Any:
    kernel = np.exp(-cost / 0.1)
    u, v = np.ones(cost.shape[0]), np.ones(cost.shape[1])
    for _ in range(40):
        u = (1 / cost.shape[0]) / (kernel @ v)
        v = (1 / cost.shape[1]) / (kernel.T @ u)
    return np.sum(u[:, None] * kernel * v * cost)


_MOVES = numpy.eye(4) + 0.01 * _RANDOM.normal(size=(4, 4))
_SEEN, _MEASURED = _RANDOM.normal(size=(2, 4)), _RANDOM.normal(size=(30, 2))


def _kalman(np: Any, noise: Any) -> Any:
    state, spread, likelihood = np.zeros(4), np.eye(4), 0.0
    for measured in _MEASURED:
        state, spread = _MOVES @ state, _MOVES @ spread @ _MOVES.T + noise[0] * np.eye(4)
        innovation = _SEEN @ spread @ _SEEN.T + noise[1] * np.eye(2)
        error = measured - _SEEN @ state
        gain = spread @ _SEEN.T @ np.linalg.inv(innovation)
        state, spread = state + gain @ error, spread - gain @ _SEEN @ spread
        likelihood = likelihood - 0.5 * (error @ np.linalg.solve(innovation, error) + np.linalg.slogdet(innovation)[1])
    return likelihood


#: Programs with a loop that Python runs while they are traced, and their arguments.
WRITTEN_OUT: Mapping[str, tuple[Program, Any]] = {
    "joints of two hands, 26 parameters": (_hands, numpy.linspace(0, 1, 26)),
    "40 rounds of Sinkhorn": (_sinkhorn, _RANDOM.random((50, 60))),
    "30 steps of a Kalman filter": (_kalman, numpy.array([0.1, 0.2])),
}


def saddle(np: Any, while_loop: Any, cond: Any, outer: Any, inner: Any) -> Callable[[Any], Any]:
    """The saddle of p² − q² from any start: min over p of max over q, by descent in descent.

    `outer` and `inner` make the gradients of the two descents; the outer one goes through the inner loop.
    """

    def descended(f: Any, slope: Any, start: Any) -> Any:
        def step(state: Any) -> Any:
            x, fx, gx, rate, steps, _ = state

            def moved() -> Any:
                new = x - rate * gx
                close, after = np.sum((new - x) ** 2) <= 1e-10, f(new)
                better = (after < fx) & ~close
                following = cond(better, lambda: slope(new), lambda: gx)
                kept = np.where(better, new, x), np.where(better, after, fx), following
                return *kept, np.where(close | better, rate, rate / 2), np.where(better, steps + 1, 0 * steps), close

            def faster() -> Any:
                return x, fx, gx, rate * 2, 0 * steps, np.sum(x) != np.sum(x)

            return cond(steps == 10, faster, moved)

        begin = start, f(start), slope(start), np.asarray(1e-5), np.asarray(0.0), np.asarray(False)
        return while_loop(lambda s: ~s[5] & (np.sum(s[2] * s[2]) > 1e-10), step, begin)[0]

    def value(p: Any, q: Any) -> Any:
        return p[0] ** 2 + p[1] ** 2 - q[0] ** 2 - q[1] ** 2

    def found(start: Any) -> Any:
        def worst_for(p: Any) -> Any:
            def lost(q: Any) -> Any:
                return -value(p, q)

            return descended(lost, inner(lost), start)

        def worst(p: Any) -> Any:
            return value(p, worst_for(p))

        p = descended(worst, outer(worst), start)
        return p, worst_for(p)

    return found
