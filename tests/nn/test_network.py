"""Networks: how they are made, what they compute, what they refuse, and that they are trees of their weights."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DTypeError, OptionError, ShapeError
from chainrule.nn import ACTIVATIONS, INITIALIZERS, Dense, Network
from chainrule.trace.tree import flatten, paths, tree_map, unflatten

EYE, ZERO = np.eye(2), np.zeros(2)


def weights(*sizes: int, seed: int = 0, dtype: Any = np.float64) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    return [
        (random.normal(size=(n, m)).astype(dtype), random.normal(size=n).astype(dtype))
        for m, n in zip(sizes, sizes[1:], strict=False)
    ]


def mixed() -> Network:
    return Network.from_weights(weights(3, 5, 4, 2), ["relu", "tanh", "softmax"])


def activations(network: Network) -> list[str]:
    return [layer.activation for layer in network.layers]


def all_bytes(network: Network) -> bytes:
    return b"".join(layer.w.tobytes() + layer.b.tobytes() for layer in network.layers)


# made from sizes


def test_layers_have_the_sizes_asked_for() -> None:
    network = Network([7, 5, 3])
    assert [(layer.w.shape, layer.b.shape) for layer in network.layers] == [((5, 7), (5,)), ((3, 5), (3,))]
    assert [(layer.inputs, layer.outputs) for layer in network.layers] == [(7, 5), (5, 3)]
    assert network.sizes == [7, 5, 3]
    assert network.parameters == 7 * 5 + 5 + 5 * 3 + 3


@pytest.mark.parametrize("sizes", [(3, 2), [3, 2], np.array([3, 2]), [np.int64(3), 2]])
def test_sizes_are_any_sequence_of_whole_numbers(sizes: Any) -> None:
    assert Network(sizes).sizes == [3, 2]


@pytest.mark.parametrize(
    ("activation", "output", "expected"),
    [
        ("sigmoid", None, ["sigmoid", "sigmoid", "sigmoid"]),
        ("tanh", None, ["tanh", "tanh", "tanh"]),
        ("relu", None, ["relu", "relu", "softmax"]),
        ("relu", "relu", ["relu", "relu", "relu"]),
        ("tanh", "identity", ["tanh", "tanh", "identity"]),
    ],
)
def test_the_output_has_an_activation_of_its_own(activation: str, output: str | None, expected: list[str]) -> None:
    assert activations(Network([2, 2, 2, 2], activation, output=output)) == expected


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [("sigmoid", "normal"), ("tanh", "glorot"), ("relu", "he"), ("softmax", "glorot"), ("identity", "glorot")],
)
def test_each_activation_starts_with_the_initialiser_that_suits_it(activation: str, initializer: str) -> None:
    assert all_bytes(Network([9, 8, 7], activation)) == all_bytes(
        Network([9, 8, 7], activation, initializer=initializer)
    )


@pytest.mark.parametrize("initializer", sorted(INITIALIZERS))
def test_weights_are_those_of_the_initialiser_layer_after_layer(initializer: str) -> None:
    network, random = Network([6, 5, 4], initializer=initializer, seed=8, dtype=np.float64), np.random.default_rng(8)
    for layer in network.layers:
        w, b = INITIALIZERS[initializer](layer.inputs, layer.outputs, random)
        np.testing.assert_array_equal(layer.w, w)
        np.testing.assert_array_equal(layer.b, b)


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    assert all_bytes(Network([9, 5, 2], seed=1)) == all_bytes(Network([9, 5, 2], seed=1))
    assert all_bytes(Network([9, 5, 2], seed=1)) != all_bytes(Network([9, 5, 2], seed=2))


def test_two_layers_of_one_shape_start_differently() -> None:
    first, second = Network([6, 6, 6]).layers
    assert (first.w != second.w).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float64", ">f4"])
def test_weights_have_the_dtype_asked_for_in_the_byte_order_of_the_machine(dtype: Any) -> None:
    network = Network([3, 2, 2], dtype=dtype)
    native = np.dtype(dtype).newbyteorder("=")
    assert network.dtype == native
    assert {x.dtype for layer in network.layers for x in (layer.w, layer.b)} == {native}


def test_float32_weights_are_the_float64_ones_rounded() -> None:
    wide, narrow = Network([9, 5, 2], dtype=np.float64), Network([9, 5, 2])
    assert all_bytes(narrow) == all_bytes(wide.astype(np.float32))


@pytest.mark.parametrize(
    "sizes", [[], [5], [3, 0], [3, -1, 2], [3, 2.0], 5, None, "ab", [[3, 2]], ["3", 2]], ids=lambda sizes: repr(sizes)
)
def test_sizes_that_make_no_network_are_refused_by_name(sizes: Any) -> None:
    with pytest.raises(OptionError, match=r"^sizes(\[\d\])? must be .*whole numbers? of at least 1, not ") as refusal:
        Network(sizes)
    wrong = next((size for size in sizes if size != 3), sizes) if isinstance(sizes, list) and len(sizes) > 1 else sizes
    assert f"not {wrong!r}." in str(refusal.value)


@pytest.mark.parametrize("bad", ["sigmoyd", "", None, ["tanh"], 3])
def test_an_unknown_activation_is_refused_with_the_known_ones(bad: Any) -> None:
    with pytest.raises(
        OptionError, match="activation must be one of 'sigmoid', 'tanh', 'relu', 'softmax', 'identity', not "
    ):
        Network([3, 2], bad)
    with pytest.raises(OptionError, match="activation must be one of"):
        Dense(EYE, ZERO, bad)
    with pytest.raises(OptionError, match="activation must be one of"):
        Network.from_weights([(EYE, ZERO)], [bad])


@pytest.mark.parametrize("bad", ["x", ["tanh"], 3])
def test_an_unknown_activation_of_the_output_is_refused(bad: Any) -> None:
    with pytest.raises(OptionError, match="output must be one of"):
        Network([3, 2], output=bad)


@pytest.mark.parametrize("bad", ["xavier", ["he"], 3])
def test_an_unknown_initialiser_is_refused_with_the_known_ones(bad: Any) -> None:
    with pytest.raises(OptionError, match="initializer must be one of 'normal', 'scaled_normal', 'glorot', 'he', not "):
        Network([3, 2], initializer=bad)


@pytest.mark.parametrize("bad", [-1, 1.5, "a"])
def test_a_bad_seed_is_refused(bad: Any) -> None:
    with pytest.raises(OptionError, match="seed must be a whole number"):
        Network([3, 2], seed=bad)


@pytest.mark.parametrize("bad", [np.float16, "int32", complex, "no dtype", object, bool])
def test_weights_are_of_no_other_dtype_than_float32_and_float64(bad: Any) -> None:
    with pytest.raises(DTypeError, match="weights are float32 or float64"):
        Network([3, 2], dtype=bad)
    with pytest.raises(DTypeError, match="weights are float32 or float64"):
        Network([3, 2]).astype(bad)


# made from weights


def test_a_network_is_made_of_given_weights_which_it_holds() -> None:
    given = weights(3, 4, 2)
    network = Network.from_weights(given, "tanh")
    assert [layer.w is w and layer.b is b for layer, (w, b) in zip(network.layers, given, strict=True)] == [True, True]
    assert activations(network) == ["tanh", "tanh"]


def test_each_layer_may_have_an_activation_of_its_own() -> None:
    assert activations(mixed()) == ["relu", "tanh", "softmax"]


def test_one_activation_with_another_for_the_output() -> None:
    assert activations(Network.from_weights(weights(3, 4, 2), "tanh", output="identity")) == ["tanh", "identity"]
    assert activations(Network.from_weights(weights(3, 4, 2), "relu")) == ["relu", "softmax"]


def test_lists_and_whole_numbers_become_float64() -> None:
    network = Network.from_weights([([[1, 2]], [0]), (np.array([[True]]), np.zeros(1, np.int8))])
    assert network.dtype == np.float64
    assert network.layers[1].w.dtype == np.float64


def test_weights_of_several_dtypes_take_the_widest() -> None:
    (w, b), (v, c) = weights(3, 4, 2)
    network = Network.from_weights([(w.astype(np.float32), b.astype(np.float32)), (v.astype(np.float32), c)])
    assert {x.dtype for layer in network.layers for x in (layer.w, layer.b)} == {np.dtype(np.float64)}


def test_swapped_bytes_are_put_in_order() -> None:
    (w, b) = weights(3, 2, dtype=np.float32)[0]
    network = Network.from_weights([(w.astype(">f4"), b.astype(">f4"))])
    assert network.dtype == np.dtype(np.float32)
    np.testing.assert_array_equal(network.layers[0].w, w)


@pytest.mark.parametrize(
    ("w", "b", "shapes"),
    [
        (ZERO, ZERO, r"\(2,\) and \(2,\)"),
        (EYE, np.zeros(3), r"\(2, 2\) and \(3,\)"),
        (EYE, np.zeros((2, 1)), r"\(2, 2\) and \(2, 1\)"),
        (EYE[None], ZERO, r"\(1, 2, 2\) and \(2,\)"),
        (EYE, 0.0, r"\(2, 2\) and \(\)"),
        (EYE[:0], ZERO[:0], r"\(0, 2\) and \(0,\)"),
        (EYE[:, :0], ZERO, r"\(2, 0\) and \(2,\)"),
    ],
)
def test_weights_and_biases_that_make_no_layer_are_refused_with_their_shapes(w: Any, b: Any, shapes: str) -> None:
    with pytest.raises(ShapeError, match=rf"\(outputs, inputs\) and .* \(outputs,\), not {shapes}"):
        Network.from_weights([(w, b)])


def test_layers_that_do_not_follow_each_other_are_refused_with_their_sizes() -> None:
    with pytest.raises(ShapeError, match="layer 1 has 4 outputs, but layer 2 takes 5 inputs"):
        Network.from_weights([*weights(2, 3, 4), *weights(5, 2)])


@pytest.mark.parametrize("dtype", [np.float16, complex, object, np.str_, np.longdouble])
def test_weights_of_another_dtype_are_refused_with_their_place_and_shape(dtype: type) -> None:
    first, (w, b) = weights(3, 2, 2)
    with pytest.raises(DTypeError, match=r"weights of layer 1 must be float32 or float64, not .* of shape \(2, 2\)"):
        Network.from_weights([first, (w.astype(dtype), b)])
    with pytest.raises(DTypeError, match=r"biases of layer 1 must be float32 or float64, not .* of shape \(2,\)"):
        Network.from_weights([first, (w, b.astype(dtype))])


@pytest.mark.parametrize("pair", [(EYE,), (EYE, ZERO, ZERO), 3.0])
def test_what_is_no_pair_of_weights_and_biases_is_refused(pair: Any) -> None:
    with pytest.raises(ShapeError, match="layer 0 needs a pair"):
        Network.from_weights([pair])


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match="weights of layer 0 are not an array"):
        Network.from_weights([([[1.0, 2.0], [3.0]], [0.0, 0.0])])


def test_no_layers_are_no_network() -> None:
    with pytest.raises(OptionError, match="at least one layer"):
        Network.from_weights([])


@pytest.mark.parametrize("names", [[], ["tanh"], ["tanh", "tanh", "tanh"]])
def test_there_is_one_activation_for_each_layer(names: list[str]) -> None:
    with pytest.raises(OptionError, match=f"2 layers need 2 activations, not {len(names)}"):
        Network.from_weights(weights(3, 4, 2), names)


# what it computes


def test_the_outputs_are_layer_after_layer_of_weighted_inputs_and_activations() -> None:
    network, a = mixed(), np.random.default_rng(5).normal(size=(6, 3))
    found = network.forward(a)
    for (z, activated), layer in zip(found, network.layers, strict=True):
        np.testing.assert_allclose(z, a @ layer.w.T + layer.b, rtol=1e-15)
        np.testing.assert_array_equal(activated, ACTIVATIONS[layer.activation](z))
        a = activated
    np.testing.assert_array_equal(network(np.random.default_rng(5).normal(size=(6, 3))), a)


def test_the_outputs_of_plain_arrays_are_plain_arrays() -> None:
    assert type(mixed()(np.zeros((4, 3)))) is np.ndarray


def test_no_examples_have_no_outputs() -> None:
    assert mixed()(np.zeros((0, 3))).shape == (0, 2)


@pytest.mark.parametrize("shape", [(3,), (4, 2), (4, 3, 2), ()])
def test_examples_of_another_shape_are_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"examples of shape \(n, 3\), not ") as refusal:
        mixed()(np.zeros(shape))
    assert str(shape) in str(refusal.value)


def test_a_network_compiles() -> None:
    network, x = mixed(), np.random.default_rng(6).normal(size=(6, 3))
    np.testing.assert_allclose(cr.compile(lambda n, x: n(x))(network, x), network(x), rtol=1e-14)


# a tree, and a value


def test_its_leaves_are_its_weights_and_biases_and_have_their_names() -> None:
    network = mixed()
    leaves, structure = flatten(network)
    assert [leaf is part for leaf, part in zip(leaves, _parts(network), strict=True)] == [True] * 6
    assert paths(structure) == [f"layers[{n}].{name}" for n in range(3) for name in "wb"]


def _parts(network: Network) -> list[np.ndarray]:
    return [part for layer in network.layers for part in (layer.w, layer.b)]


def test_taking_it_apart_and_putting_it_together_keeps_the_activations() -> None:
    leaves, structure = flatten(mixed())
    again = unflatten(structure, leaves)
    assert isinstance(again, Network)
    assert activations(again) == ["relu", "tanh", "softmax"]
    assert all_bytes(again) == all_bytes(mixed())


def test_networks_with_other_activations_or_depth_have_other_structures() -> None:
    structures = {
        flatten(Network.from_weights(weights(*sizes), names))[1]
        for sizes, names in [
            ((2, 2, 2), ["tanh", "tanh"]),
            ((2, 2, 2), ["tanh", "relu"]),
            ((2, 2), ["tanh"]),
            ((9, 8, 7), ["tanh", "tanh"]),
        ]
    }
    assert len(structures) == 3  # sizes are no part of it


def test_a_map_over_its_weights_is_a_network() -> None:
    doubled = tree_map(lambda w: 2 * w, mixed())
    assert isinstance(doubled, Network)
    np.testing.assert_array_equal(doubled.layers[2].b, 2 * mixed().layers[2].b)


def test_its_gradient_is_a_network_of_the_same_shapes_and_dtype() -> None:
    network = mixed().astype(np.float32)
    slope = cr.grad(lambda n, x: cnp.sum(n(x)[:, 0]))(network, np.ones((5, 3), np.float32))
    assert isinstance(slope, Network)
    assert slope.sizes == network.sizes
    assert activations(slope) == activations(network)
    assert all(part.dtype == np.float32 for part in _parts(slope))


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        mixed().layers = ()  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        mixed().layers[0].w = EYE  # type: ignore[misc]


def test_another_dtype_is_another_network() -> None:
    network = mixed()
    assert network.astype(np.float32).dtype == np.float32
    assert network.dtype == np.float64
    assert not np.shares_memory(network.astype(np.float64).layers[0].w, network.layers[0].w)


def test_it_says_what_it_is() -> None:
    assert repr(mixed()) == "Network(3-5-4-2, relu, tanh, softmax, float64)"
