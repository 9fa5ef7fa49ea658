"""Influence: which training examples helped or hurt what the network says about one example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.checks import one_of, real_number, whole_number
from chainrule.display import Table, number
from chainrule.errors import DataError, OptionError
from chainrule.insight.evaluation import judged
from chainrule.insight.gradients import mean_gradient, penalty_curvature, slopes_along
from chainrule.insight.network_and_data import AskedCost, Subject, network_of, subject_of
from chainrule.insight.parameter_vector import alike, shaped, vector
from chainrule.insight.presentation import Insight, figure
from chainrule.insight.second_order.matrices import KINDS, product
from chainrule.insight.wording import beyond_rounding
from chainrule.nn.parameters import Parameters, astype
from chainrule.trace.tree import tree_map

__all__ = ["Influence", "InfluentialExample", "conjugate_gradients", "influence"]

Values = np.ndarray[Any, Any]
Checkpoints = Sequence[tuple[Any, float]]  # a network or a run, and its rate

_MEANINGS = {
    "gradient": "the product of the two examples' gradients: how much a small step on the training example, divided by "
    "its rate, lowers the cost of the example asked about",
    "checkpoints": "how much steps on the training example, one at each checkpoint with the rate of the time, lower "
    "the cost of the example asked about, to first order",
    "influence": "how much the cost of the example asked about is predicted to rise if the training example is left "
    "out and the network learns to the end again",
}
_STEP = 1e-3  # of the cost: what a step for the check is predicted to change
_PRODUCTS = 500  # with the curvature, at most
_POWER = 10  # rounds


@dataclass(frozen=True)
class InfluentialExample:
    """A training example: its row, its class or None, what the network says of it, and its influence."""

    row: int
    label: str
    answer: str
    influence: float


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Insight):
    """The influence of every training example; positive where it helped: where it makes the example's cost lower.

    `predicted` and `measured` are the changes of the cost of the example asked about by one step of gradient descent,
    of the rate `rate`, on the training example `strongest`, which has the largest influence either way. By "influence",
    `damping` is what was added to the curvature's diagonal, and `products` and `residual` tell how the linear system
    was solved: ‖g − (H + λ)s‖/‖g‖.
    """

    method: str
    meaning: str
    label: str
    answer: str
    cost: float
    scores: Values
    helped: tuple[InfluentialExample, ...]
    hurt: tuple[InfluentialExample, ...]
    strongest: int
    rate: float
    predicted: float
    measured: float
    damping: float = 0.0
    products: int = 0
    residual: float = 0.0

    @property
    def title(self) -> str:
        """What it is."""
        return f"Influence of {self.scores.size} training examples on one example, by {self.method}"

    def sentences(self) -> Sequence[str]:
        """What is measured, who helped and hurt most, and the check."""
        said = [
            f"The example is {self.label}, the network says {self.answer}; its cost is {number(self.cost)}.",
            f"Influence is {self.meaning}: positive where the training example helped.",
            *(_most("helped", found) for found in self.helped[:1]),
            *(_most("hurt", found) for found in self.hurt[:1]),
            f"A step of rate {number(self.rate)} on example {self.strongest} is predicted to change the cost by "
            f"{number(self.predicted)}; measured: {number(self.measured)}.",
        ]
        return said if self.method != "influence" else [*said, self._solved()]

    def table(self) -> Table:
        """The examples that helped most, and those that hurt most."""
        rows = [(e.row, e.label, e.answer, e.influence) for e in (*self.helped, *self.hurt[::-1])]
        return Table(("training example", "its label", "the network says", "influence"), tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """How the influences are distributed."""
        axes = figure(axes)
        axes.hist(self.scores, bins=min(100, max(10, self.scores.size // 10)), log=True)
        axes.set(xlabel="influence (positive: helped)", ylabel="training examples", title=self.title)
        return axes

    def _solved(self) -> str:
        return (
            f"The linear system behind it was solved by {self.products} products with the curvature, up to "
            f"{self.residual:.1e} of its right side."
        )


def influence(
    network_or_run: Any,
    training_data: Any,
    example: tuple[Any, Any],
    *,
    method: str = "gradient",
    checkpoints: Checkpoints | None = None,
    curvature: str = "gauss_newton",
    damping: float = 1e-3,
    tolerance: float = 1e-4,
    top: int = 10,
    cost: AskedCost = None,
    l2: float | None = None,
) -> Influence:
    """Which training examples helped or hurt the prediction for `example`, a pair `(x, label)`.

    With g_x = ∂C_x/∂w of a training example and g that of the example asked about:

    - "gradient": g_x·g.
    - "checkpoints": Σ_t η_t g_x·g over `checkpoints`, pairs of a network or run and its learning rate η_t (TracIn).
    - "influence": (1/n) g_x·(H + λ)⁻¹g, with H the `curvature` of what learning minimises, penalty `l2` included, and
      λ = `damping` times its largest eigenvalue. It is the predicted rise of the cost of `example` if the training
      example is left out and learning goes on to its end: exact to first order in 1/n where the cost is convex and
      learning had come to its end, without damping; elsewhere an estimate. Solved by conjugate gradients up to
      `tolerance`, or as far as 500 products go.

    No gradient of a single training example is formed: g_x·v is the change of C_x along v, and one pass forward gives
    it for all of them.

    Raises OptionError for an unknown method, missing checkpoints or a curvature that is not positive; DataError for
    data that do not fit.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([([[1.0]], [0.0])], "identity")
    >>> found = influence(network, ([[1.0], [1.0]], [[0.0], [3.0]]), ([1.0], [0.0]), top=1)
    >>> found.scores  # errors of 1 and −2 on the training examples, 1 on the example; weight and bias
    array([ 2., -4.])
    >>> found.helped[0].row
    0

    Sources: Koh & Liang, Understanding black-box predictions via influence functions, 2017; Pruthi et al., Estimating
    training data influence by tracing gradient descent, 2020.
    """
    one_of("method", method, _METHODS)
    one_of("curvature", curvature, KINDS)
    damping, tolerance = real_number("damping", damping, 0), real_number("tolerance", tolerance, above=0, below=1)
    top = whole_number("top", top, 1)
    training = subject_of(network_or_run, training_data, cost, l2)
    asked = _one_example(training, network_or_run, example, cost)
    found = _METHODS[method](_InfluenceQuestion(training, asked, checkpoints, curvature, damping, tolerance))
    return _shown(method, training, asked, found, top)


def conjugate_gradients(
    multiplied: Callable[[Values], Values], wanted: Values, tolerance: float, most: int
) -> tuple[Values, int, float]:
    """The solution s of A s = `wanted` for a positive A, how many products it took, and ‖wanted − A s‖/‖wanted‖.

    Stops at `tolerance`, or after `most` products. OptionError if a direction shows that A is not positive.

    >>> conjugate_gradients(lambda v: np.array([2.0, 4.0]) * v, np.array([2.0, 2.0]), 1e-9, 10)[0]
    array([1. , 0.5])

    Source: Hestenes & Stiefel, Methods of conjugate gradients for solving linear systems, 1952.
    """
    found, left = np.zeros_like(wanted), wanted.copy()
    direction, size, goal = left.copy(), left @ left, tolerance**2 * (wanted @ wanted)
    count = 0
    while size > goal and count < most:
        image = multiplied(direction)
        bend = direction @ image
        if bend <= 0:
            raise OptionError(
                "the curvature is not positive along a direction, so that the influence has no meaning.",
                cure="Use curvature='gauss_newton', or a larger damping.",
            )
        length = size / bend
        found, left, count = found + length * direction, left - length * image, count + 1
        before, size = size, left @ left
        direction = left + size / before * direction
    return found, count, float(np.sqrt(size / max(wanted @ wanted, np.finfo(float).tiny)))


@dataclass(frozen=True, eq=False)
class _InfluenceQuestion:
    """Everything that is asked."""

    training: Subject
    asked: Subject
    checkpoints: Checkpoints | None
    curvature: str
    damping: float
    tolerance: float


@dataclass(frozen=True, eq=False)
class _Scores:
    values: Values
    meaning: str
    damping: float = 0.0
    products: int = 0
    residual: float = 0.0


def _by_gradient(question: _InfluenceQuestion) -> _Scores:
    return _Scores(slopes_along(question.training, mean_gradient(question.asked)), _MEANINGS["gradient"])


def _by_checkpoints(question: _InfluenceQuestion) -> _Scores:
    if not question.checkpoints:
        raise OptionError(
            "influence by checkpoints needs the networks on the way.",
            cure="Give checkpoints=[(network, rate), …], for example of runs with more and more epochs.",
        )
    total = np.zeros(question.training.count)
    for checkpoint, rate in question.checkpoints:
        network = _fitting(checkpoint, question.training.network)
        training, asked = (replace(s, network=network) for s in (question.training, question.asked))
        total += real_number("the rate of a checkpoint", rate) * slopes_along(training, mean_gradient(asked))
    return _Scores(total, _MEANINGS["checkpoints"])


def _by_influence(question: _InfluenceQuestion) -> _Scores:
    training = question.training
    held = penalty_curvature(training)

    def curved(direction: Values) -> Values:
        found: Values = product(training, question.curvature, direction).astype(np.float64) + held * direction
        return found

    gradient = mean_gradient(question.asked)
    damping = question.damping * _largest_eigenvalue(curved, gradient.size) if question.damping else 0.0
    found = conjugate_gradients(lambda v: curved(v) + damping * v, gradient, question.tolerance, _PRODUCTS)
    solution, count, residual = found
    told = f"{_MEANINGS['influence']} (by {KINDS[question.curvature]}, damped by {number(damping)})"
    return _Scores(slopes_along(training, solution) / training.count, told, damping, count, residual)


_METHODS = {"gradient": _by_gradient, "checkpoints": _by_checkpoints, "influence": _by_influence}


def _largest_eigenvalue(multiplied: Callable[[Values], Values], size: int) -> float:
    """The largest eigenvalue, about, by a few rounds of the power method."""
    direction = np.random.default_rng(0).normal(size=size)
    for _ in range(_POWER):
        direction = multiplied(direction / max(float(np.linalg.norm(direction)), np.finfo(float).tiny))
    return float(np.linalg.norm(direction))


def _one_example(training: Subject, network_or_run: Any, example: Any, cost: AskedCost) -> Subject:
    if not (isinstance(example, tuple | list) and len(example) == 2):
        raise DataError("the example must be a pair (x, label).", cure="For example (data.x[0], data.labels[0]).")
    x, label = _with_a_row(training, example[0]), np.asarray(example[1])
    shape = training.labels.shape[1:] if training.labels.ndim > 1 else (-1,)
    labels = label.reshape((1,) if label.size == 1 and _classes(label) else (1, *shape))
    asked = subject_of(network_or_run, (x, labels), cost)
    return replace(asked, class_names=training.class_names)


def _with_a_row(training: Subject, x: Any) -> Any:
    """The example as a batch of one, in the shape of the training examples."""
    if not isinstance(training.x, np.ndarray):
        return tree_map(lambda part: np.asarray(part)[None], x)
    given = np.asarray(x)
    fits = given.size == training.x[0].size
    return given.reshape(1, *training.x.shape[1:]) if fits else given.reshape(1, -1)


def _classes(label: Values) -> bool:
    return label.dtype.kind in "iu"


def _fitting(checkpoint: Any, like: Any) -> Any:
    network = network_of(checkpoint)
    if not alike(network, like):
        said = f"of the sizes {like.sizes}" if hasattr(like, "sizes") else "like the one that is asked about"
        raise OptionError(f"a checkpoint must be a network or a run {said}, with its rate.")
    return astype(network, Parameters.of(like).dtype)


def _shown(method: str, training: Subject, asked: Subject, found: _Scores, top: int) -> Influence:
    order = np.argsort(found.values, kind="stable")
    helped = _named(training, found.values, [n for n in order[::-1][:top] if found.values[n] > 0])
    hurt = _named(training, found.values, [n for n in order[:top] if found.values[n] < 0])
    strongest = int(np.argmax(np.abs(found.values)))
    rate, predicted, measured = _checked(training.taking([strongest]), asked)
    (label,), (answer,) = _labels(asked), _answers(asked)
    cost = judged(asked.network, asked).cost
    return Influence(
        method, found.meaning, label, answer, cost, found.values, helped, hurt, strongest, rate, predicted, measured,
        found.damping, found.products, found.residual,
    )  # fmt: skip


def _named(subject: Subject, scores: Values, rows: Sequence[int]) -> tuple[InfluentialExample, ...]:
    if not rows:
        return ()
    chosen = subject.taking(rows)
    told = zip(rows, _labels(chosen), _answers(chosen), strict=True)
    return tuple(InfluentialExample(int(n), label, answer, float(scores[n])) for n, label, answer in told)


def _labels(subject: Subject) -> list[str]:
    if subject.labels.ndim == 1:
        return [subject.named(int(label)) for label in subject.labels]
    return [", ".join(map(number, np.ravel(row))) for row in subject.labels]


def _answers(subject: Subject) -> list[str]:
    if not callable(subject.network):
        return ["–"] * subject.count
    outputs = np.asarray(subject.network(subject.x))
    if subject.labels.ndim == 1:
        return [subject.named(int(n)) for n in outputs.argmax(axis=1)]
    return [", ".join(map(number, np.ravel(row))) for row in outputs]


def _checked(training: Subject, asked: Subject) -> tuple[float, float, float]:
    """A rate, and the change of the asked example's cost by a step of it on a training example: predicted, measured."""
    step, slope = (mean_gradient(s) for s in (training, asked))
    before = judged(asked.network, asked).cost
    slant = float(step @ slope)
    rate = _STEP * max(before, 1e-3) / abs(slant) if slant else 1.0
    wide = asked.wide.network
    after = judged(shaped(wide, np.asarray(vector(wide)) - rate * step), asked).cost
    return rate, -rate * slant, beyond_rounding(after - before, before)


def _most(how: str, found: InfluentialExample) -> str:
    return (
        f"Training example {found.row}, {found.label} (the network says {found.answer}), {how} most: "
        f"{number(found.influence)}."
    )
