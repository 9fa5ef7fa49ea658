"""Stages: what a pass forward finds of networks of every kind, and that their pairs are what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import OptionError, ShapeError
from chainrule.nn.objective import Objective
from chainrule.nn.parameters import Parameters
from chainrule.nn.propagation import Propagation, propagate
from chainrule.nn.stages import Stage
from chainrule.trace.plain import transforming
from chainrule.trace.promotion import as_array
from chainrule.trace.tree import tree_map

RANDOM = np.random.default_rng(0)
linear, tanh, sigmoid, Dense, Function = cr.nn.linear, cr.nn.tanh, cr.nn.sigmoid, cr.nn.Dense, cr.nn.Function


def normal(*shape: int) -> Any:
    return RANDOM.normal(size=shape)


def dense(inputs: int, outputs: int, activation: Any = "tanh") -> Dense:
    return Dense(normal(outputs, inputs), normal(outputs), activation)


def passed(network: Any, x: Any, y: Any = None, cost: Any = None) -> Propagation:
    """The pass of some examples through a network, with the mean of its outputs as cost, unless told."""
    chosen = cost or (lambda network, x, y: cnp.mean(network(x)))
    labels = np.zeros(len(x)) if y is None else y
    with transforming():
        return propagate(Objective(chosen), network, tree_map(as_array, x), as_array(labels))


def stages(network: Any, x: Any) -> tuple[Stage, ...]:
    outputs = np.asarray(network(x))
    return passed(network, x, np.zeros_like(outputs), "quadratic").stages


def told(network: Any, x: Any) -> list[tuple[Any, ...]]:
    """Of each stage its name, activation, weights, biases, sources, and how many pairs."""
    found = stages(network, x)
    return [(s.name, str(s.activation), s.weights, s.biases, s.sources, len(s.pairs)) for s in found]


X = normal(5, 3)


# what is found


def test_the_stages_of_a_network_are_its_layers() -> None:
    network = cr.nn.Network([3, 4, 2], "tanh", output="sigmoid", dtype=np.float64)
    assert told(network, X) == [
        ("layers[0]", "tanh", (0,), (1,), (-1,), 1),
        ("layers[1]", "sigmoid", (2,), (3,), (0,), 1),
    ]
    for layer, stage in zip(network.layers, stages(network, X), strict=True):
        assert isinstance(stage.layer, Dense)
        assert stage.layer.activation == layer.activation
        assert stage.units == layer.outputs


def test_nested_layers_are_named_by_the_way_to_them() -> None:
    network = cr.nn.Sequential(cr.nn.Sequential(dense(3, 4), dense(4, 4)), dense(4, 2, "softmax"))
    assert [row[0] for row in told(network, X)] == ["layers[0].layers[0]", "layers[0].layers[1]", "layers[1]"]


def test_an_activation_that_is_a_layer_ends_the_stage_of_the_one_before() -> None:
    network = cr.nn.Sequential(lambda x: linear(x, np.eye(3)), dense(3, 4, "identity"), cr.nn.relu)  # z is relu's
    found = told(network, X)
    assert [row[1:] for row in found] == [("relu", (0,), (1,), (-1,), 1)]


def test_a_connected_network_has_a_stage_for_each_group_and_several_sources() -> None:
    units = [cr.nn.Units("hidden", 4, "tanh"), cr.nn.Units("output", 2)]
    connections = [("input", "hidden"), ("hidden", "output"), ("input", "output")]
    network = cr.nn.Connected(3, units, connections, dtype=np.float64)
    found = {stage.name: stage for stage in stages(network, X)}
    assert list(found) == ["hidden", "output"]
    assert found["hidden"].sources == (-1,)
    assert found["output"].sources == (-1, 0)
    assert len(found["output"].pairs) == len(found["output"].weights) == 2
    assert found["output"].dense is None
    assert found["hidden"].dense is not None


@dataclass(frozen=True)
class Residual:
    first: Dense
    inner: Dense
    last: Dense

    def __call__(self, x: Any) -> Any:
        h = self.first(x)
        return self.last(h + self.inner(h))


def test_a_skip_reaches_the_stage_that_it_leads_to() -> None:
    network = Residual(dense(3, 4), dense(4, 4), dense(4, 2, "sigmoid"))
    assert told(network, X) == [
        ("first", "tanh", (0,), (1,), (-1,), 1),
        ("inner", "tanh", (2,), (3,), (0,), 1),
        ("last", "sigmoid", (4,), (5,), (0, 1), 1),
    ]


def test_what_follows_the_last_activation_is_a_stage_without_one() -> None:
    network = Function(lambda p, x: linear(tanh(linear(x, p["w"], p["b"])), p["v"]), {
        "w": normal(4, 3), "b": normal(4), "v": normal(2, 4),
    })  # fmt: skip
    found = stages(network, X)
    assert [str(stage.activation) for stage in found] == ["tanh", "identity"]
    assert [(stage.weights, stage.biases, len(stage.pairs)) for stage in found] == [((0,), (1,), 1), ((2,), (), 1)]
    assert found[1].z is found[1].a


def test_a_layer_that_works_twice_is_two_stages_whose_weights_belong_to_no_pair_alone() -> None:
    network = Function(lambda layer, x: layer(layer(x)), dense(3, 3))
    assert [row[1:] for row in told(network, X)] == [("tanh", (0,), (1,), (-1,), 0), ("tanh", (0,), (1,), (0,), 0)]
    first, second = stages(network, X)
    assert first.name != second.name
    assert isinstance(first.layer, Dense)


def test_weights_that_work_backward_too_belong_to_no_pair_alone() -> None:
    network = Function(lambda p, x: tanh(linear(x, p["w"], p["b"])) @ p["w"], {"w": normal(4, 3), "b": normal(4)})
    assert [row[2:] for row in told(network, X)] == [((0,), (1,), (-1,), 0), ((0,), (), (0,), 0)]


def test_a_stage_without_parameters_has_none() -> None:
    network = Function(lambda p, x: linear(tanh(sigmoid(2 * x)), p), normal(2, 3))
    assert [(row[1], *row[2:]) for row in told(network, X)] == [
        ("sigmoid", (), (), (-1,), 0),
        ("tanh", (), (), (0,), 0),
        ("identity", (0,), (), (1,), 1),
    ]
    assert stages(network, X)[0].layer is None


def test_a_tuple_and_a_dict_are_trees_like_any_other() -> None:
    network = Function(lambda p, x: p[1]["out"](p[0](x)), (dense(3, 4), {"out": dense(4, 2)}))
    found = stages(network, X)
    assert [stage.name for stage in found] == ["parameters[0]", "parameters[1]['out']"]
    assert [type(stage.layer) for stage in found] == [Dense, Dense]


def test_several_activations_side_by_side_are_stages_of_their_own() -> None:
    def forward(layers: Any, x: Any) -> Any:
        return cnp.concatenate([layers[0](x), layers[1](x)], axis=1)

    network = Function(forward, (dense(3, 2, "sigmoid"), dense(3, 4, "sigmoid")))
    found = passed(network, X, normal(5, 6), "sigmoid_cross_entropy")  # the outputs' z are those of both
    assert [(stage.weights, stage.sources) for stage in found.stages] == [((0,), (-1,)), ((2,), (-1,))]
    mixed = Function(forward, (dense(3, 2, "sigmoid"), dense(3, 4, "tanh")))
    with pytest.raises(OptionError, match="sigmoid_cross_entropy"):
        passed(mixed, X, normal(5, 6), "sigmoid_cross_entropy")


def test_outputs_that_are_put_in_another_shape_keep_their_activation() -> None:
    network = Function(lambda layer, x: cnp.reshape(layer(x), (len(x), 2, 3)), dense(3, 6, "sigmoid"))
    y = RANDOM.uniform(size=(5, 2, 3))
    found = passed(network, X, y, "sigmoid_cross_entropy")
    assert [(str(s.activation), s.z.shape) for s in found.stages] == [("sigmoid", (5, 6))]
    z = np.asarray(found.stages[0].z.value).reshape(5, 2, 3)
    each = np.logaddexp(0, z) - y * z
    assert float(found.measured.cost.value) == pytest.approx(each.sum(axis=(1, 2)).mean(), rel=1e-12)


def test_softmax_outputs_in_another_shape_are_no_softmax_outputs() -> None:
    network = Function(lambda layer, x: cnp.reshape(layer(x), (len(x), 2, 3)), dense(3, 6, "softmax"))
    with pytest.raises(OptionError, match="needs softmax outputs, not identity"):
        passed(network, X, np.ones((5, 2, 3)) / 3, "softmax_cross_entropy")


scaled = cr.nn.Activation("scaled swish", lambda z: z * sigmoid(1.5 * z))


def test_what_an_activation_is_made_of_is_no_stage() -> None:
    network = cr.nn.Sequential(dense(3, 4, scaled), dense(4, 2))
    assert [row[:2] + row[5:] for row in told(network, X)] == [
        ("layers[0]", "scaled swish", 1),
        ("layers[1]", "tanh", 1),
    ]


@pytest.mark.parametrize("inside", [cr.checkpoint, cr.vmap], ids=["checkpoint", "vmap"])
def test_activations_inside_a_transformation_do_not_confuse(inside: Callable[..., Any]) -> None:
    def forward(p: Any, x: Any) -> Any:
        return sigmoid(linear(inside(lambda row: tanh(row) * 2)(x), p["w"], p["b"]))

    parameters = {"w": normal(2, 3), "b": normal(2)}
    found = passed(Function(forward, parameters), X, normal(5, 2), "quadratic")
    last = found.stages[-1]
    assert (str(last.activation), last.weights, last.biases) == ("sigmoid", (0,), (1,))
    np.testing.assert_allclose(last.a.value, sigmoid(linear(2 * np.tanh(X), parameters["w"], parameters["b"])))


def test_activations_inside_a_loop_do_not_confuse() -> None:
    def forward(p: Any, x: Any) -> Any:
        def round_(h: Any, x: Any) -> Any:
            return tanh(linear(x, p["w"]) + linear(h, p["u"])), None

        h, _ = cr.scan(round_, cnp.zeros((len(x), 4)), cnp.swapaxes(x, 0, 1))
        return p["out"](h)

    network = Function(forward, {"w": normal(4, 3), "u": normal(4, 4), "out": dense(4, 2, "sigmoid")})
    (found,) = stages(network, normal(5, 6, 3))
    paths = Parameters.of(network).paths
    assert str(found.activation) == "sigmoid"
    assert sorted(paths[n] for n in found.weights) == [f"parameters[{name}" for name in ("'out'].w", "'u']", "'w']")]
    assert found.pairs == ()


@dataclass(frozen=True)
class Standardised:
    """A layer with a state, and a number that names something."""

    mean: Any = field(metadata={"role": "state"})
    w: Any
    gain: Any
    version: Any

    def __call__(self, x: Any) -> Any:
        return tanh(linear(x - self.mean, self.w) * self.gain)


def test_roles_are_told_by_fields_else_by_the_axes_and_states_act_as_no_weights() -> None:
    network = Standardised(normal(3), normal(2, 3), normal(2), np.array(1))
    found = Parameters.of(network)
    assert dict(zip(found.paths, found.roles, strict=True)) == {
        "mean": "state", "w": "weight", "gain": "bias", "version": "state",
    }  # fmt: skip
    assert found.count == 8
    (stage,) = stages(network, X)
    assert (stage.weights, stage.biases, stage.pairs) == ((1,), (2,), ())
    assert stage.layer is not None


@dataclass(frozen=True)
class Scaled:
    w: Any
    scale: float

    def __call__(self, x: Any) -> Any:
        return linear(x, self.w) * self.scale


def test_a_number_that_is_no_array_is_refused_as_nobody_said_whether_it_is_learnt() -> None:
    with pytest.raises(OptionError, match=r"(?s)scale of the network is the number 0.5, no array.*static"):
        Parameters.of(Scaled(normal(2, 3), 0.5))
    assert Parameters.of(Scaled(normal(2, 3), np.array(0.5))).roles == ["weight", "bias"]  # type: ignore[arg-type]


# pairs: ∂C/∂w = Σ δ x, which must be so wherever a stage says it


LINES: dict[str, Callable[[Any, Any], Any]] = {
    "z": lambda p, x: linear(x, p["w"], p["b"]),
    "z and the inputs": lambda p, x: linear(x, p["w"], p["b"]) + 2 * x,
    "two of them": lambda p, x: linear(x, p["w"], p["b"]) + linear(x * x, p["v"]),
    "one within another": lambda p, x: linear(linear(x, p["w"]), p["v"], p["b"]),
    "scaled": lambda p, x: 2 * linear(x, p["w"], p["b"]),
    "met again": lambda p, x: linear(x, p["w"], p["b"]) + linear(x, p["w"], p["b"]) ** 2,
    "added to itself": lambda p, x: linear(x, p["w"], p["b"]) + linear(x, p["w"], p["b"]),
    "normalised": lambda p, x: (lambda z: z - cnp.mean(z, axis=1, keepdims=True))(linear(x, p["w"], p["b"])),
    "one bias for all": lambda p, x: linear(x, p["w"], p["b"][:1]),
    "a product by hand": lambda p, x: x @ p["w"].T + p["b"],
}
WITH_PAIRS = {"z": 1, "z and the inputs": 1, "two of them": 2}


@pytest.mark.parametrize("name", LINES)
def test_pairs_are_told_where_errors_times_inputs_are_the_gradient_and_nowhere_else(name: str) -> None:
    x = normal(3, 3)
    network = Function(lambda p, x: tanh(LINES[name](p, x)), {"w": normal(3, 3), "b": normal(3), "v": normal(3, 3)})
    found = passed(network, x, normal(3, 3), "quadratic")
    (stage,) = found.stages
    assert len(stage.pairs) == WITH_PAIRS.get(name, 0)
    for pair in stage.pairs:
        delta = np.asarray(found.deltas[0].value)
        np.testing.assert_allclose(found.gradients[pair.weight].value, delta.T @ np.asarray(pair.x.value), atol=1e-14)
        if pair.bias is not None:
            np.testing.assert_allclose(found.gradients[pair.bias].value, delta.sum(axis=0), atol=1e-14)


def test_a_stage_whose_rows_are_no_examples_has_no_pairs() -> None:
    def forward(p: Any, x: Any) -> Any:
        h = tanh(linear(cnp.reshape(x, (-1, 3)), p["w"]))
        return linear(cnp.reshape(h, (len(x), -1)), p["v"])

    found = stages(Function(forward, {"w": normal(2, 3), "v": normal(2, 8)}), normal(5, 4, 3))
    assert [(stage.z.shape, len(stage.pairs)) for stage in found] == [((20, 2), 0), ((5, 2), 1)]


def test_weights_that_a_cost_uses_too_have_no_pairs() -> None:
    network = Function(lambda p, x: tanh(linear(x, p["w"], p["b"])), {"w": normal(4, 3), "b": normal(4)})

    def decoded(network: Any, x: Any, y: Any) -> Any:
        return cnp.mean((network(x) @ network.parameters["w"] - x) ** 2)

    def plain(network: Any, x: Any, y: Any) -> Any:
        return cnp.mean(network(x) ** 2)

    def elsewhere(network: Any, x: Any, y: Any) -> Any:
        return cnp.mean(network(2 * x) ** 2)

    assert passed(network, X, cost=decoded).stages[0].pairs == ()
    for cost in (plain, elsewhere):
        found = passed(network, X, cost=cost)
        (pair,) = found.stages[0].pairs
        expected = np.asarray(found.deltas[0].value).T @ np.asarray(pair.x.value)
        np.testing.assert_allclose(found.gradients[pair.weight].value, expected, atol=1e-14)


def test_outputs_without_units_are_refused_with_a_cure() -> None:
    with pytest.raises(ShapeError, match=r"a\[:, None\]"):
        passed(Function(lambda p, x: x @ p, normal(3)), X, normal(5), "quadratic")
