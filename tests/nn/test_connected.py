"""Networks with any connections: what they compute, their gradients, that they are trees, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule import random
from chainrule.errors import DTypeError, ShapeError
from chainrule.nn import Connected, Connection, Network, Units, Wiring
from chainrule.nn.parameters import Parameters
from chainrule.nn.stages import Forward, forward, with_variables
from chainrule.trace.promotion import variable
from chainrule.trace.tree import flatten, tree_map, unflatten

Values = np.ndarray[Any, Any]
Arrays = dict[str, Values]
HALF = ((0, 1, -1), (-1, 0, 1))  # two weights, each at two places, and two places without


def sigmoid(z: Values) -> Values:
    return 1 / (1 + np.exp(-z))


def wiring(*connections: Connection | tuple[str, str], hidden: int = 3, **options: Any) -> Wiring:
    links = tuple(c if isinstance(c, Connection) else Connection(*c) for c in connections)
    units = Units("hidden", hidden), Units("output", 2)
    return Wiring((("input", 3),), options.get("units", units), links, options.get("outputs", ("output",)))


def skip(x: Values, w: Arrays, b: Arrays) -> Values:
    hidden = sigmoid(x @ w["input->hidden"].T + b["hidden"])
    return sigmoid(hidden @ w["hidden->output"].T + x @ w["input->output"].T + b["output"])


def hidden_to_hidden(x: Values, w: Arrays, b: Arrays) -> Values:
    first = sigmoid(x @ w["input->first"].T + b["first"])
    second = sigmoid(x @ w["input->second"].T + first @ w["first->second"].T + b["second"])
    return sigmoid(np.c_[first, second] @ w["first+second->output"].T + b["output"])


def tied(x: Values, w: Arrays, b: Arrays) -> Values:
    first = np.tanh(x @ w["same"].T + b["shared"])
    second = np.tanh(first @ w["same"].T + b["shared"])
    return second @ w["second->output"].T


def missing(x: Values, w: Arrays, b: Arrays) -> Values:
    one, two = w["input->hidden"]
    hidden = sigmoid(np.stack([one * x[:, 0] + two * x[:, 1], one * x[:, 1] + two * x[:, 2]], axis=1) + b["hidden"])
    return sigmoid(hidden @ w["hidden->output"].T + b["output"])


def products(x: Values, w: Arrays, b: Arrays) -> Values:
    reached = np.stack([x[:, 0] * x[:, 1], x[:, 2], x[:, 0] * x[:, 1] * x[:, 2]], axis=1)
    hidden = sigmoid(reached @ w["input->hidden"].T + b["hidden"])
    return sigmoid(hidden @ w["hidden->output"].T + b["output"])


def groups(x: Values, w: Arrays, b: Arrays) -> Values:
    """Inputs in two groups, outputs of two groups side by side."""
    left = sigmoid(x[:, :1] @ w["left->a"].T + b["a"])
    return np.c_[np.maximum(x[:, 1:] @ w["right->b"].T + b["b"], 0), left]


KINDS: dict[str, tuple[Wiring, Callable[[Values, Arrays, Arrays], Values]]] = {
    "skip": (wiring(("input", "hidden"), ("hidden", "output"), ("input", "output")), skip),
    "hidden to hidden": (
        wiring(
            ("input", "first"), ("input", "second"), ("first", "second"), Connection(("first", "second"), "output"),
            units=(Units("first", 2), Units("second", 4), Units("output", 2)),
        ),
        hidden_to_hidden,
    ),
    "tied": (
        wiring(
            Connection("input", "first", "same"), Connection("first", "second", "same"), ("second", "output"),
            units=(
                Units("first", 3, "tanh", "shared"), Units("second", 3, "tanh", "shared"),
                Units("output", 2, "identity", bias=False),
            ),
        ),
        tied,
    ),
    "missing": (wiring(Connection("input", "hidden", places=HALF), ("hidden", "output"), hidden=2), missing),
    "products": (
        wiring(Connection("input", "hidden", products=((0, 1), (2,), (0, 1, 2))), ("hidden", "output")),
        products,
    ),
    "groups": (
        Wiring(
            (("left", 1), ("right", 2)), (Units("a", 2), Units("b", 1, "relu")),
            (Connection("left", "a"), Connection("right", "b")), ("b", "a"),
        ),
        groups,
    ),
}  # fmt: skip
every_kind = pytest.mark.parametrize("kind", KINDS)


def network(kind: str, seed: int = 0) -> Connected:
    return Connected.of(KINDS[kind][0], random.key(seed), 1.0, np.float64)


def examples(count: int = 5, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(size=(count, 3))


def cost(made: Connected, x: Any, y: Any) -> Any:
    return cnp.mean(cnp.sum((made(x) - y) ** 2, axis=1))


def numbers(tree: Any) -> Values:
    return np.concatenate([np.ravel(leaf) for leaf in flatten(tree)[0]])


def differences(function: Callable[[Any], Any], tree: Any, step: float = 1e-6) -> Values:
    """The derivative with respect to each number of a tree, by central differences."""
    leaves, structure = flatten(tree)
    found = []
    for n, leaf in enumerate(leaves):
        for place in np.ndindex(leaf.shape):
            ends = []
            for sign in (1, -1):
                moved = [np.array(x) for x in leaves]
                moved[n][place] += sign * step
                ends.append(float(function(unflatten(structure, moved))))
            found.append((ends[0] - ends[1]) / (2 * step))
    return np.array(found)


# what they compute


@every_kind
def test_the_outputs_are_those_of_the_formula_written_out(kind: str) -> None:
    made, x = network(kind), examples()
    np.testing.assert_allclose(made(x), KINDS[kind][1](x, made.weights, made.biases), rtol=1e-13)


@every_kind
def test_the_gradient_is_the_slope_of_the_cost(kind: str) -> None:
    made, x, y = network(kind), examples(), np.full((5, network(kind).outputs), 0.3)
    found = cr.grad(cost)(made, x, y)
    np.testing.assert_allclose(numbers(found), differences(lambda m: cost(m, x, y), made), atol=1e-8)


@every_kind
def test_compiled_it_computes_the_same(kind: str) -> None:
    made, x, y = network(kind), examples(), np.zeros((5, network(kind).outputs))
    np.testing.assert_allclose(cr.compile(lambda m, x: m(x))(made, x), made(x), rtol=1e-12)
    compiled = cr.compile(cr.grad(cost))(made, x, y)
    np.testing.assert_allclose(numbers(compiled), numbers(cr.grad(cost)(made, x, y)), rtol=1e-10, atol=1e-14)


@every_kind
def test_many_networks_side_by_side_compute_what_each_does(kind: str) -> None:
    x, keys = examples(), np.stack([random.key(seed) for seed in range(4)])
    several = cr.vmap(lambda key: Connected.of(KINDS[kind][0], key, 1.0, np.float64))(keys)
    found = cr.compile(cr.vmap(lambda made: made(x)))(several)
    np.testing.assert_allclose(found, [network(kind, seed)(x) for seed in range(4)], rtol=1e-12)


@every_kind
def test_the_gradients_of_single_examples_have_the_gradient_as_their_mean(kind: str) -> None:
    made, x, y = network(kind), examples(), np.ones((5, network(kind).outputs))
    each = cr.per_example(cr.grad(cost))(made, x, y)
    alone = cr.grad(cost)(made, x[3:4], y[3:4])
    np.testing.assert_allclose(numbers(tree_map(lambda g: g[3], each)), numbers(alone), atol=1e-14)
    np.testing.assert_allclose(
        numbers(tree_map(lambda g: g.mean(axis=0), each)), numbers(cr.grad(cost)(made, x, y)), atol=1e-14
    )


def test_layers_one_after_the_other_are_a_network_of_layers() -> None:
    made = Connected.of(wiring(("input", "hidden"), ("hidden", "output")), random.key(0), 1.0, np.float64)
    pairs = [(made.weights[f"{a}->{b}"], made.biases[b]) for a, b in (("input", "hidden"), ("hidden", "output"))]
    np.testing.assert_array_equal(made(examples()), Network.from_weights(pairs)(examples()))


def test_forward_gives_z_and_a_of_every_group_and_the_inputs() -> None:
    made, x = network("skip"), examples()
    found = made.forward(x)
    assert list(found) == ["input", "hidden", "output"]
    assert found["input"][0] is x
    for z, a in (found["hidden"], found["output"], made.output(x)):
        np.testing.assert_allclose(a, sigmoid(z), rtol=1e-14)


def test_nudges_move_the_weighted_inputs_of_a_group() -> None:
    made, x, nudge = network("skip"), examples(), np.full((5, 3), 0.25)
    moved = Connected.from_weights(made.wiring, made.weights, made.biases | {"hidden": made.biases["hidden"] + 0.25})
    np.testing.assert_allclose(made.forward(x, {"hidden": nudge})["output"][1], moved(x), rtol=1e-13)
    assert not np.allclose(moved(x), made(x))


def test_the_derivative_by_a_nudge_is_the_error_of_the_group() -> None:
    made, x = network("skip"), examples()
    delta = cr.grad(lambda nudge: cnp.sum(made.forward(x, {"hidden": nudge})["output"][1]))(np.zeros((5, 3)))
    of_biases = cr.grad(lambda m: cnp.sum(m(x)))(made).biases["hidden"]
    np.testing.assert_allclose(delta.sum(axis=0), of_biases, rtol=1e-12)  # BP3


def test_z_of_several_output_groups_stands_side_by_side() -> None:
    made, x = network("groups"), examples()
    z, a = made.output(x)
    np.testing.assert_allclose(a, np.c_[np.maximum(z[:, :1], 0), sigmoid(z[:, 1:])], rtol=1e-14)


def test_a_matrix_has_zeros_where_weights_are_missing() -> None:
    made = network("missing")
    one, two = made.weights["input->hidden"]
    np.testing.assert_array_equal(made.matrix(made.wiring.connections[0]), [[one, two, 0], [0, one, two]])


def test_a_group_without_connections_has_its_biases_alone() -> None:
    made = Connected(3, [Units("output", 2)], [], dtype=np.float64)
    np.testing.assert_allclose(made(examples()), np.tile(sigmoid(made.biases["output"]), (5, 1)))


def test_other_activations_may_be_told_for_a_single_pass() -> None:
    made, x = network("skip"), examples()
    steps = made.forward(x, activate=lambda units, z: (z > 0).astype(z.dtype) if units.name == "hidden" else z)
    hidden = (x @ made.weights["input->hidden"].T + made.biases["hidden"] > 0).astype(float)
    z = hidden @ made.weights["hidden->output"].T + x @ made.weights["input->output"].T + made.biases["output"]
    np.testing.assert_array_equal(steps["hidden"][1], hidden)
    np.testing.assert_allclose(steps["output"][1], z, rtol=1e-13)


# the stages that examples go through


def passed(kind: str) -> tuple[Connected, Forward]:
    made = network(kind)
    return made, forward(with_variables(made), variable(examples()))


@every_kind
def test_each_group_is_a_stage_with_the_arrays_that_reach_it(kind: str) -> None:
    made, found = passed(kind)
    groups, paths = made.forward(examples()), Parameters.of(made).paths
    assert [stage.name for stage in found.stages[: len(made.units)]] == [units.name for units in made.units]
    for units, stage in zip(made.units, found.stages, strict=False):
        assert stage.activation == units.activation
        np.testing.assert_array_equal(np.asarray(stage.z), groups[units.name][0])
        np.testing.assert_array_equal(np.asarray(stage.a), groups[units.name][1])
        weights = {f"weights[{c.name!r}]" for c in made.wiring.into(units)}
        assert {paths[n] for n in stage.weights} == weights
        assert [paths[n] for n in stage.biases] == [f"biases[{units.bias_name!r}]"] * (units.bias_name is not None)
    np.testing.assert_array_equal(np.asarray(found.a), made(examples()))


@every_kind
def test_a_stage_after_the_groups_stands_only_for_outputs_of_several_activations(kind: str) -> None:
    made, found = passed(kind)
    after = found.stages[len(made.units) :]
    assert [(stage.activation, stage.sources, stage.parameters) for stage in after] == (
        [(cr.nn.identity, (0, 1), ())] if kind == "groups" else []
    )


ALONE = {  # the stages in which each weight belongs to one unit and one number that reaches it
    "skip": ["hidden", "output"],
    "hidden to hidden": ["first", "second", "output"],
    "tied": ["output"],
    "missing": ["output"],
    "products": ["hidden", "output"],
    "groups": ["a", "b"],
}


@every_kind
def test_a_stage_says_what_each_weight_multiplies_where_no_weight_is_tied_or_missing(kind: str) -> None:
    made, found = passed(kind)
    assert [stage.name for stage in found.stages if stage.pairs] == ALONE[kind]
    arrays = Parameters.of(made).arrays
    for stage in found.stages:
        z = sum(np.asarray(pair.x) @ arrays[pair.weight].T for pair in stage.pairs)
        if stage.pairs:
            biases = [arrays[pair.bias] for pair in stage.pairs if pair.bias is not None]
            np.testing.assert_allclose(np.asarray(stage.z), z + sum(biases), rtol=1e-13)


# tied weights


def test_tied_weights_are_one_array_and_counted_once() -> None:
    made = network("tied")
    assert {n: w.shape for n, w in made.weights.items()} == {"same": (3, 3), "second->output": (2, 3)}
    assert list(made.biases) == ["shared"]
    assert made.parameters == made.wiring.parameters == numbers(made).size == 9 + 6 + 3


def test_the_derivative_of_tied_weights_is_the_sum_over_their_places() -> None:
    made, x, y = network("tied"), examples(), np.zeros((5, 2))
    units = tuple(Units(u.name, u.size, u.activation, u.bias and u.name) for u in made.wiring.units)
    apart = Wiring(
        made.wiring.inputs, units, tuple(Connection(c.source, c.target) for c in made.wiring.connections), ("output",)
    )
    w = made.weights
    copied = {"input->first": w["same"], "first->second": w["same"], "second->output": w["second->output"]}
    loose = Connected.from_weights(apart, copied, dict.fromkeys(["first", "second"], made.biases["shared"]))
    together, alone = (cr.grad(cost)(m, x, y) for m in (made, loose))
    expected = alone.weights["input->first"] + alone.weights["first->second"]
    np.testing.assert_allclose(together.weights["same"], expected, rtol=1e-12)
    np.testing.assert_allclose(together.biases["shared"], alone.biases["first"] + alone.biases["second"], rtol=1e-12)


# made from seeds and from weights


def test_the_same_seed_gives_the_same_bits_and_another_gives_others() -> None:
    one, same, other = (network("skip", seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(numbers(one), numbers(same))
    assert not np.any(numbers(one) == numbers(other))


def test_weights_and_biases_start_evenly_within_the_bounds() -> None:
    made = Connected(50, [Units("output", 60)], [("input", "output")], initial=0.3)
    values = numbers(made)
    assert np.abs(values).max() <= 0.3
    assert np.histogram(values, 3, (-0.3, 0.3))[0] == pytest.approx(3060 / 3, rel=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_is_in_the_dtype_that_was_asked_for(dtype: Any) -> None:
    made = Connected(3, [Units("output", 2)], [("input", "output")], dtype=dtype)
    assert made.dtype == dtype
    assert made(examples().astype(dtype)).dtype == dtype
    assert {leaf.dtype for leaf in flatten(made.astype(np.float64))[0]} == {np.dtype(np.float64)}


@pytest.mark.parametrize("dtype", [np.int32, np.float16, "no dtype"])
def test_weights_of_any_other_dtype_are_refused(dtype: Any) -> None:
    with pytest.raises(DTypeError, match="weights are float32 or float64"):
        Connected(3, [Units("output", 2)], [("input", "output")], dtype=dtype)
    with pytest.raises(DTypeError, match="weights are float32 or float64"):
        network("skip").astype(dtype)


def test_a_mapping_names_the_inputs_and_outputs_are_the_last_group_unless_told() -> None:
    units, links = [Units("a", 2), Units("b", 1)], [("left", "a"), Connection(("right", "a"), "b")]
    made = Connected({"left": 1, "right": 2}, units, links)
    assert (made.inputs, made.outputs, made.wiring.outputs) == (3, 1, ("b",))
    assert Connected({"left": 1, "right": 2}, units, links, outputs=["b", "a"]).outputs == 3


def test_a_network_of_given_weights_has_them() -> None:
    made = network("skip")
    again = Connected.from_weights(made.wiring, dict(reversed(made.weights.items())), made.biases)
    np.testing.assert_array_equal(numbers(again), numbers(made))  # in the wiring's order, whatever the given one


@pytest.mark.parametrize("which", ["weights", "biases"])
def test_weights_that_do_not_fit_the_wiring_are_refused(which: str) -> None:
    made = network("skip")
    parts = {"weights": made.weights, "biases": made.biases}
    name = next(iter(parts[which]))
    for changed in ({}, parts[which] | {"more": np.zeros(1)}, parts[which] | {name: np.zeros((7, 7))}):
        with pytest.raises(ShapeError, match=f"the wiring needs {which} of the shapes"):
            Connected.from_weights(made.wiring, **(parts | {which: changed}))


def test_a_network_is_a_tree_of_its_weights_and_biases() -> None:
    made = network("products")
    doubled = tree_map(lambda w: 2 * w, made)
    assert isinstance(doubled, Connected)
    assert doubled.wiring is made.wiring
    np.testing.assert_array_equal(numbers(doubled), 2 * numbers(made))


def test_it_says_what_it_is() -> None:
    assert repr(network("skip")) == "Connected(input 3, hidden 3, output 2; 26 parameters, float64)"


@pytest.mark.parametrize("shape", [(3,), (5, 2), (1, 5, 3)])
def test_examples_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"takes examples of shape \(n, 3\)"):
        network("skip")(np.zeros(shape))


def test_a_start_of_nothing_is_zeros() -> None:
    made = Connected(3, [Units("output", 2)], [("input", "output")], initial=0.0)
    assert not numbers(made).any()
