"""One propagation: δ and gradients against differences, and the squared lengths of the gradients of single examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from tests.nn.test_stages import Standardised

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DataError
from chainrule.nn.objective import Objective
from chainrule.nn.outline import Rows, outline, stage_count
from chainrule.nn.propagation import Propagation, propagate, squared_lengths
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import flatten, tree_map, unflatten

RANDOM = np.random.default_rng(0)
linear, tanh, sigmoid, Dense, Function = cr.nn.linear, cr.nn.tanh, cr.nn.sigmoid, cr.nn.Dense, cr.nn.Function
STEP = 1e-6


def normal(*shape: int) -> Any:
    return RANDOM.normal(size=shape)


def dense(inputs: int, outputs: int, activation: Any = "tanh") -> Dense:
    return Dense(normal(outputs, inputs), normal(outputs), activation)


@dataclass(frozen=True)
class Case:
    """A network, examples and targets, and what is minimised."""

    network: Any
    x: Any
    y: Any
    cost: Any = "quadratic"
    l2: float = 0.0


@dataclass(frozen=True)
class Mapped:
    w: Any
    b: Any = field(metadata={"role": "weight"})

    def __call__(self, x: Any) -> Any:
        return tanh(linear(x, self.w, self.b))


@dataclass(frozen=True)
class Residual:
    inner: Dense
    last: Dense

    def __call__(self, x: Any) -> Any:
        return self.last(x + self.inner(x))


def by_hand(p: Any, x: Any) -> Any:
    return tanh(x @ p["w"] + p["b"])


def of_tied(p: Any, x: Any) -> Any:
    return tanh(linear(x, p["w"], p["b"]))


def squashed(p: Any, x: Any) -> Any:
    return tanh(linear(x, *p))


def scaled(p: Any, x: Any) -> Any:
    return tanh(3 * linear(x, *p))


def two_maps(p: Any, x: Any) -> Any:
    return tanh(linear(linear(x, p[0]), p[1]))


def without_biases(p: Any, x: Any) -> Any:
    return linear(tanh(linear(x, p[0])), p[1])


def looked_up(p: Any, x: Any) -> Any:
    return linear(tanh(p["table"][x["word"]] + x["place"]), p["w"], p["b"])


def in_rows(p: Any, x: Any) -> Any:
    return linear(cnp.reshape(tanh(linear(cnp.reshape(x, (-1, 3)), p["w"])), (len(x), -1)), p["v"])


def scanned(p: Any, x: Any) -> Any:
    h, _ = cr.scan(lambda h, x: (tanh(x @ p["w"] + h @ p["u"]), None), cnp.zeros((len(x), 4)), cnp.swapaxes(x, 0, 1))
    return sigmoid(linear(h, p["v"]))


def decoded(network: Any, x: Any, y: Any) -> Any:
    """A cost of one's own, in which weights of the network act again."""
    return cnp.sum((network(x) @ network.parameters["w"] - x) ** 2, axis=1)


def twice(network: Any, x: Any, y: Any) -> Any:
    """A cost of one's own, a mean, that calls the network with something else than the examples."""
    return cnp.mean((network(x * x) - network(-x) - y) ** 2)


X, Y, X3 = normal(4, 3), normal(4, 2), normal(4, 5, 3)
UNITS = [cr.nn.Units("hidden", 4, "tanh"), cr.nn.Units("output", 2)]
WIRES = [("input", "hidden"), ("hidden", "output"), ("input", "output")]
TIED_UNITS = [cr.nn.Units("one", 3, "tanh"), cr.nn.Units("output", 2)]
SAME = [("input", "one"), cr.nn.Connection("input", "output", "w"), cr.nn.Connection("one", "output", "w")]
SHARED = [cr.nn.Connection("input", "output", places=((0, 1, -1), (1, 0, 2)))]
TIED = {"w": normal(4, 3), "b": normal(4)}
CASES: dict[str, Callable[[], Case]] = {
    "a network": lambda: Case(cr.nn.Sequential(dense(3, 4), dense(4, 2, "sigmoid")), X, abs(Y) / 3, "cross_entropy"),
    "with a penalty": lambda: Case(cr.nn.Sequential(dense(3, 4), dense(4, 2)), X, Y, l2=0.5),
    "connections that skip": lambda: Case(cr.nn.Connected(3, UNITS, WIRES, dtype=np.float64), X, Y),
    "connections of the same weights": lambda: Case(cr.nn.Connected(3, TIED_UNITS, SAME, dtype=np.float64), X, Y),
    "weights that several places share": lambda: Case(
        cr.nn.Connected(3, UNITS[1:], SHARED, dtype=np.float64),
        X, Y,
    ),
    "several outputs": lambda: Case(
        cr.nn.Connected(3, UNITS, WIRES, outputs=("hidden", "output"), dtype=np.float64), X, normal(4, 6)
    ),
    "residual": lambda: Case(Residual(dense(3, 3), dense(3, 2)), X, Y),
    "without biases": lambda: Case(Function(without_biases, (normal(4, 3), normal(2, 4))), X, Y),
    "by hand": lambda: Case(Function(by_hand, {"w": normal(3, 2), "b": normal(2)}), X, Y),
    "one bias for all": lambda: Case(Function(squashed, (normal(2, 3), normal(1))), X, Y),
    "a bias that is told to be a weight": lambda: Case(Mapped(normal(2, 3), normal(2)), X, Y),
    "scaled": lambda: Case(Function(scaled, (normal(2, 3), normal(2))), X, Y),
    "two maps without an activation": lambda: Case(Function(two_maps, (normal(4, 3), normal(2, 4))), X, Y),
    "a state": lambda: Case(Standardised(normal(3), normal(2, 3), normal(2), np.array(7)), X, Y),
    "a layer twice": lambda: Case(Function(lambda layer, x: layer(layer(x)), dense(3, 3)), X, normal(4, 3)),
    "weights backward too": lambda: Case(Function(lambda p, x: tanh(linear(x, p["w"], p["b"])) @ p["w"], TIED), X, X),
    "a cost that uses weights": lambda: Case(Function(of_tied, TIED), X, X, decoded),
    "a cost that calls it elsewhere": lambda: Case(cr.nn.Sequential(dense(3, 4), dense(4, 2)), X, Y, twice),
    "sequences": lambda: Case(cr.nn.Sequential(dense(3, 4), dense(4, 2)), X3, normal(4, 5, 2)),
    "sequences made flat": lambda: Case(cr.nn.Sequential(dense(3, 4), dense(20, 2)), X3, Y),
    "rows that are no examples": lambda: Case(Function(in_rows, {"w": normal(2, 3), "v": normal(2, 10)}), X3, Y),
    "a loop": lambda: Case(Function(scanned, {"w": normal(3, 4), "u": normal(4, 4), "v": normal(2, 4)}), X3, Y),
    "a table": lambda: Case(
        Function(looked_up, {"table": normal(6, 3), "w": normal(2, 3), "b": normal(2)}),
        {"word": np.array([0, 5, 5, 1]), "place": X}, Y,
    ),
}  # fmt: skip
WITHOUT_GRADIENTS_OF_EXAMPLES = {
    "a network", "with a penalty", "connections that skip", "residual", "without biases",
    "a bias that is told to be a weight", "several outputs",
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def found_of(case: Case, rows: slice = slice(None)) -> tuple[Propagation, Any]:
    """The pass of some of the examples, and the squared lengths."""
    x, y = tree_map(lambda array: as_array(array[rows]), case.x), as_array(case.y[rows])
    objective = Objective(case.cost, case.l2)
    with transforming():
        found = propagate(objective, case.network, x, y)
        return found, squared_lengths(found, objective, case.network, x, y)


def gradients(found: Propagation) -> dict[int, Any]:
    return {n: np.asarray(g.value) for n, g in enumerate(found.gradients) if g is not None}


def test_gradients_are_what_differences_say(case: Case) -> None:
    objective, (leaves, structure) = Objective(case.cost, case.l2), flatten(case.network)

    def cost(number: int, change: Any) -> float:
        moved = [leaf + change if n == number else leaf for n, leaf in enumerate(leaves)]
        return float(objective.measured(unflatten(structure, moved), case.x, case.y)[0])

    for number, gradient in gradients(found_of(case)[0]).items():
        assert gradient.shape == leaves[number].shape
        direction = RANDOM.normal(size=gradient.shape)
        slope = (cost(number, STEP * direction) - cost(number, -STEP * direction)) / (2 * STEP)
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_states_have_no_gradient_and_everything_else_has_one(case: Case) -> None:
    found = found_of(case)[0]
    states = {n for n, g in enumerate(found.gradients) if g is None}
    assert states == ({0, 3} if isinstance(case.network, Standardised) else set())


def test_squared_lengths_are_those_of_the_gradients_of_each_example(case: Case) -> None:
    plain = Case(case.network, case.x, case.y, case.cost)  # the penalty is no part of them
    found, (lengths, whole) = found_of(case)
    assert len(lengths) == len(found.stages) == len(found.deltas)
    for n in range(4):
        alone, _ = found_of(plain, slice(n, n + 1))
        squares = {number: (g**2).sum() for number, g in gradients(alone).items()}
        assert float(whole.value[n]) == pytest.approx(sum(squares.values()), rel=1e-9)
        for stage, squared in zip(found.stages, lengths, strict=True):
            expected = sum(squares[number] for number in stage.parameters)
            assert float(np.asarray(squared.value)[n]) == pytest.approx(expected, rel=1e-9)


def test_errors_are_the_derivatives_of_the_mean_cost_by_the_weighted_inputs() -> None:
    case = CASES["residual"]()
    inner, last = case.network.inner, case.network.last
    hidden = np.tanh(X @ inner.w.T + inner.b)
    a = np.tanh((X + hidden) @ last.w.T + last.b)
    of_last = (a - Y) * (1 - a * a) / 4
    of_inner = (of_last @ last.w) * (1 - hidden * hidden)
    found, _ = found_of(case)
    assert [stage.name for stage in found.stages] == ["inner", "last"]
    for delta, expected in zip(found.deltas, (of_inner, of_last), strict=True):
        np.testing.assert_allclose(delta.value, expected, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_no_gradient_of_an_example_is_made_where_errors_and_inputs_tell_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    original = cr.nn.propagation.per_example  # type: ignore[attr-defined]
    monkeypatch.setattr("chainrule.nn.propagation.per_example", lambda f: made.append(f) or original(f))
    found_of(CASES[name]())
    assert bool(made) != (name in WITHOUT_GRADIENTS_OF_EXAMPLES)


# the outline: the same stages, before there are numbers


def test_an_outline_tells_of_the_stages_what_a_pass_finds(case: Case) -> None:
    known = outline(case.network, case.x)
    assert known == outline(case.network, Rows.of(case.x))
    found, _ = found_of(Case(case.network, case.x, np.zeros_like(case.network(case.x))))
    assert known.shape == case.network(case.x).shape[1:]
    for told, stage in zip(known.stages, found.stages, strict=True):
        assert (told.name, told.activation, told.units) == (stage.name, stage.activation, stage.units)
        assert (told.weights, told.biases, told.sources) == (stage.weights, stage.biases, stage.sources)
        assert told.is_dense == (stage.dense is not None and stage.z.ndim == 2)
    assert known.features == sum(leaf[0].size for leaf in flatten(case.x)[0])
    assert known.sizes == (known.features, *(stage.units for stage in known.stages))


def test_the_stages_of_an_objective_are_those_that_its_pass_finds(case: Case) -> None:
    objective = Objective(case.cost, case.l2)
    assert stage_count(objective, case.network, case.x, case.y) == len(found_of(case)[0].stages)


def test_labels_of_outputs_with_several_axes_are_refused() -> None:
    case = CASES["sequences"]()
    with pytest.raises(DataError, match=r"targets of shape \(4, 5, 2\)"):
        cr.backprop(case.network, "quadratic", case.x, np.array([0, 1, 0, 1]))
