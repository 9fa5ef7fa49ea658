"""The cost along one or two directions through a network, measured beside what its derivatives predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.checks import one_of, real_number, whole_number
from chainrule.display import Table, number
from chainrule.errors import ShapeError
from chainrule.insight.blocks import mean_of
from chainrule.insight.compiling import native
from chainrule.insight.gradients import total_gradient
from chainrule.insight.network_and_data import AskedCost, Subject, network_of, subject_of
from chainrule.insight.parameter_vector import (
    alike,
    is_weight,
    shaped,
    trainable_arrays,
    vector,
    vector_positions,
    with_arrays,
)
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.second_order.hessian import hessian_product, sharpest
from chainrule.insight.wording import counted
from chainrule.transform import vmap

__all__ = ["Landscape", "loss_landscape"]

Values = np.ndarray[Any, Any]

_AT_ONCE = 2**23  # numbers in memory, which bounds the points that are measured at once
_HOLDS = 0.1  # the share of the measured change that a prediction may be off
_USUAL = {"random": "filter", "gradient": "unit", "eigenvectors": "unit"}
_SCALES = ("filter", "unit", "none")
_KINDS = {
    "random": "a random direction",
    "gradient": "the direction against the gradient",
    "eigenvectors": "the direction in which the cost curves most",
    "between": "the straight line to the other network",
}


@dataclass(frozen=True, repr=False)
class Landscape(Insight):
    """The mean cost, penalty included, at `network + Σ tᵢ dᵢ` for the coordinates t of each direction d.

    `costs` has an axis for each direction, as have `first_order` and `second_order`, which predict it from the
    derivatives at t = 0: C + t·s, and C + t·s + ½ t·K t, with the `slopes` s of the directions and their curvatures K.
    """

    kind: str
    coordinates: tuple[Values, ...]
    costs: Values
    first_order: Values
    second_order: Values
    cost: float
    slopes: Values
    curvatures: Values
    lengths: tuple[float, ...]
    examples: int

    @property
    def title(self) -> str:
        """What it is."""
        more = " and across it" if len(self.coordinates) == 2 else ""
        return f"Mean cost over {counted(self.examples, 'example')} along {_KINDS[self.kind]}{more}"

    @property
    def barrier(self) -> float:
        """Between two networks: how far the cost rises above the straight line between its ends; at least 0."""
        t, costs = self.coordinates[0], self.costs
        inside = (t >= 0) & (t <= 1)
        ends = np.interp([0.0, 1.0], t, costs)
        return float(np.max(costs[inside] - (ends[0] + (ends[1] - ends[0]) * t[inside]), initial=0))

    def holds(self, predicted: Values) -> float:
        """How far from t = 0, in |t|, a prediction stays within 10 % of every measured change of the cost."""
        away = np.sqrt(sum(t**2 for t in np.meshgrid(*self.coordinates, indexing="ij")))
        change = self.costs - self.cost
        noise = 16 * np.finfo(np.float32).eps * abs(self.cost)
        wrong = ~(np.abs(predicted - self.costs) <= np.maximum(_HOLDS * np.abs(change), noise))  # of NaN too
        nearest = away[wrong].min() if wrong.any() else np.inf
        return float(away[away < nearest].max(initial=0))

    def sentences(self) -> list[str]:
        """What it says."""
        at = np.unravel_index(int(np.nanargmin(self.costs)), self.costs.shape)
        where = ", ".join(number(t[n]) for t, n in zip(self.coordinates, at, strict=True))
        said = [
            f"The cost is {number(self.cost)} at the network; the lowest measured is {number(self.costs[at])}, at "
            f"t = {where}, the highest {number(np.nanmax(self.costs))}.",
            f"At t = 0 its slope is {number(self.slopes[0])} and its curvature {number(self.curvatures[0, 0])}, "
            f"per unit of t, which is a way of length {number(self.lengths[0])}.",
            f"The slope alone predicts the change within 10 % up to |t| = {number(self.holds(self.first_order))}, "
            f"of the points measured; slope and curvature do so up to |t| = {number(self.holds(self.second_order))}.",
        ]
        return [*said, self._between()] if self.kind == "between" else said

    def _between(self) -> str:
        if self.barrier <= 0.02 * max(abs(self.cost), np.finfo(float).tiny):
            return "No hill lies between the two networks: they are in one valley."
        return f"Between the two networks the cost rises by {number(self.barrier)} above the line through their costs."

    def table(self) -> Table:
        """A point a row: measured, and predicted to first and to second order."""
        grids = np.meshgrid(*self.coordinates, indexing="ij")
        columns = [*grids, self.costs, self.first_order, self.second_order]
        names = ("t",) if len(grids) == 1 else ("t1", "t2")
        rows = tuple(zip(*(map(float, column.ravel()) for column in columns), strict=True))
        return Table((*names, "cost", "predicted, 1st order", "predicted, 2nd order"), rows)

    def plot(self, axes: Any = None) -> Any:
        """The curve with its predictions; for two directions, lines of equal cost."""
        axes = figure(axes)
        if len(self.coordinates) == 2:
            found = axes.contour(*self.coordinates, self.costs.T, levels=20)
            axes.clabel(found, fontsize=7)
            axes.set(title=self.title, xlabel="t1", ylabel="t2")
            return axes
        (t,) = self.coordinates
        axes.plot(t, self.costs, label="measured")
        axes.plot(t, self.first_order, "--", label="predicted, 1st order")
        axes.plot(t, self.second_order, ":", label="predicted, 2nd order")
        low, high = np.nanmin(self.costs), np.nanmax(self.costs)
        axes.set(
            title=self.title, xlabel="t", ylabel="cost", ylim=(low - 0.1 * (high - low), high + 0.2 * (high - low))
        )
        axes.legend()
        return axes


def loss_landscape(
    network: Any,
    data: Any,
    *,
    directions: int = 1,
    kind: str = "random",
    normalized: str | None = None,
    between: Any = None,
    points: int = 41,
    span: float = 1.0,
    seed: int = 0,
    cost: AskedCost = None,
    l2: float | None = None,
    examples: int = 1000,
) -> Landscape:
    """The mean cost on a line or a plane through the network, in weight space, with `points` along each direction.

    `kind` "random": normal deviates; "gradient": against the gradient (the second direction random, at right angles);
    "eigenvectors": the directions in which the cost curves most. Coordinates go from −`span` to `span`, in units of the
    direction as `normalized` makes it: "filter", where the weights and bias into each neuron change by as much as they
    are long (usual for random directions); "unit", of length 1 (usual for the others); "none". With `between`, the
    line goes to another network of the same sizes, from t = 0 here to t = 1 there.

    All points are measured together, on at most so many examples, drawn by `seed`, penalty included.

    Raises OptionError for an option outside its range, ShapeError for another network of other sizes; what
    `subject_of` raises.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])], "identity")
    >>> other = Network.from_weights([([[3.0]], [0.0])], "identity")
    >>> found = loss_landscape(network, ([[1.0]], [[3.0]]), between=other, points=3)
    >>> found.costs, found.second_order  # (a − y)²/2 at a = 1, 2, 3
    (array([2. , 0.5, 0. ]), array([2. , 0.5, 0. ]))

    Source: Goodfellow, Vinyals and Saxe 2015 (lines between networks); Li, Xu, Taylor, Studer and Goldstein,
    Visualizing the loss landscape of neural nets, 2018 (filter normalisation).
    """
    directions = whole_number("directions", directions, 1, 2 if between is None else 1)
    seed = whole_number("seed", seed, 0)
    points, span = whole_number("points", points, 2), real_number("span", span, above=0)
    one_of("kind", kind, _USUAL)
    scale = one_of("normalized", _USUAL[kind] if normalized is None else normalized, _SCALES)
    subject = subject_of(network, data, cost, l2).at_most(examples, seed)
    gradient = total_gradient(subject)
    if between is not None:
        ways, kind = [_way_to(between, subject)], "between"
    else:
        ways = _directions(subject, gradient, kind, directions, scale, seed)
    start, end = (0.0, 1.0) if between is not None else (-span, span)
    line = np.linspace(start, end, points)
    return _measured(subject, gradient, ways, (line,) * len(ways), kind)


# directions


def _way_to(other: Any, subject: Subject) -> Values:
    aim, here = network_of(other), subject.network
    if not alike(aim, here):
        said = f"a network of the sizes {here.sizes}" if hasattr(here, "sizes") else f"another {here!r}"
        raise ShapeError(f"between needs {said}, not {aim!r}.")
    return np.asarray(vector(aim), np.float64) - np.asarray(vector(here), np.float64)


def _directions(subject: Subject, gradient: Values, kind: str, count: int, scale: str, seed: int) -> list[Values]:
    """So many directions, at right angles to each other before they are scaled."""
    found = _raw(subject, gradient, kind, count, np.random.default_rng(seed))
    if len(found) == 2:
        found[1] = found[1] - (found[0] @ found[1]) / max(found[0] @ found[0], np.finfo(float).tiny) * found[0]
    return [_scaled(direction, subject, scale) for direction in found]


def _raw(subject: Subject, gradient: Values, kind: str, count: int, random: np.random.Generator) -> list[Values]:
    if kind == "eigenvectors":
        known = sharpest(subject, count, tolerance=0.01)
        return [known.vector(n).astype(np.float64) for n in range(count)]
    drawn = [random.standard_normal(len(gradient)) for _ in range(count)]
    return [-gradient, *drawn[1:]] if kind == "gradient" else drawn


def _scaled(direction: Values, subject: Subject, scale: str) -> Values:
    if scale == "filter":
        return _like_filters(direction, subject)
    length = max(float(np.linalg.norm(direction)), float(np.finfo(float).tiny))
    return direction / length if scale == "unit" else direction


def _like_filters(direction: Values, subject: Subject) -> Values:
    """The direction with as long a change of each unit's weights and bias as they are themselves."""
    scaled, own = direction.copy(), np.asarray(vector(subject.network), np.float64)
    for rows in _filters(subject):
        long, given = (np.linalg.norm(part[rows], axis=1, keepdims=True) for part in (own, direction))
        scaled[rows] = direction[rows] * long / np.maximum(given, np.finfo(float).tiny)
    return scaled


def _filters(subject: Subject) -> list[Values]:
    """Where in the vector the weights and biases of units are, a row for each: those that share the units of a stage.

    What no stage has to itself is a filter as a whole.
    """
    parameters, found, left = subject.parameters, [], set(subject.parameters.trainable)
    for stage in subject.stages:
        mine = [n for n in (*stage.weights, *stage.biases) if n in left]
        of_units = [n for n in mine if np.shape(parameters.arrays[n])[:1] == (stage.units,)]
        if of_units:
            parts = [vector_positions(subject.network, [n]).reshape(stage.units, -1) for n in of_units]
            found.append(np.concatenate(parts, axis=1))
            left -= set(of_units)
    return [*found, *(vector_positions(subject.network, [n])[None] for n in sorted(left))]


# measuring


def _measured(
    subject: Subject, gradient: Values, ways: list[Values], coordinates: tuple[Values, ...], kind: str
) -> Landscape:
    points = np.stack([t.ravel() for t in np.meshgrid(*coordinates, indexing="ij")], axis=1)
    shape = tuple(len(t) for t in coordinates)
    by_hessian = hessian_product(subject)
    slopes = np.array([way @ gradient for way in ways])
    products = [np.asarray(by_hessian(way), np.float64) for way in ways]
    curvatures = np.array([[way @ product for product in products] for way in ways])
    curvatures = (curvatures + curvatures.T) / 2
    found = _costs_at(subject, ways, np.concatenate([np.zeros((1, len(ways))), points]))
    first = found[0] + points @ slopes
    return Landscape(
        kind=kind,
        coordinates=coordinates,
        costs=found[1:].reshape(shape),
        first_order=first.reshape(shape),
        second_order=(first + 0.5 * np.einsum("pi,ij,pj->p", points, curvatures, points)).reshape(shape),
        cost=float(found[0]),
        slopes=slopes,
        curvatures=curvatures,
        lengths=tuple(float(np.linalg.norm(way)) for way in ways),
        examples=subject.count,
    )


def _costs_at(subject: Subject, ways: Sequence[Values], points: Values) -> Values:
    """The mean cost, penalty included, at each of the points."""
    dtype = subject.parameters.dtype
    directions = tuple(trainable_arrays(shaped(subject.network, way.astype(dtype))) for way in ways)
    size = _together(subject, len(points))
    padded = np.concatenate([points, np.zeros((-len(points) % size, len(ways)))]).astype(dtype)
    parts = [mean_of(_costs, subject, directions, padded[n : n + size]) for n in range(0, len(padded), size)]
    return np.concatenate(parts)[: len(points)].astype(np.float64) + _penalties(subject, ways, points)


def _together(subject: Subject, points: int) -> int:
    """How many points to measure at once: as many as memory bears, in parts of one size."""
    of_examples = sum(int(np.prod(stage.shape)) for stage in subject.stages)
    each = subject.parameters.count + min(subject.count, 2000) * of_examples
    parts = -(-points // max(1, _AT_ONCE // each))
    return -(-points // parts)


@native
def _costs(subject: Subject, directions: Any, points: Any) -> Any:
    """The mean cost, without penalty, at `network + Σ tᵢ dᵢ` for each row t of the points."""
    start = trainable_arrays(subject.network)

    def at(t: Any) -> Any:
        columns = zip(start, *directions, strict=True)
        moved = [w + sum(t[i] * change for i, change in enumerate(changes)) for w, *changes in columns]
        return subject.cost(with_arrays(subject.network, moved), subject.x, subject.labels)

    return vmap(at)(points)


def _penalties(subject: Subject, ways: Sequence[Values], points: Values) -> Values:
    """The penalty at each point, from the inner products of the weights and the directions."""
    weights = is_weight(subject.network)
    rows = np.stack([way[weights] for way in (np.asarray(vector(subject.network), np.float64), *ways)])
    t = np.concatenate([np.ones((len(points), 1)), points], axis=1)
    found: Values = 0.5 * subject.objective.penalty * np.einsum("pi,ij,pj->p", t, rows @ rows.T, t)
    return found
