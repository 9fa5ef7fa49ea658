"""Values that hold what is known of them: each fact that is told is what is measured, and none is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import OptionError, ShapeError
from chainrule.nn import ACTIVATIONS, COSTS, INITIALIZERS, Activation, Cost, Initializer
from chainrule.nn.activations import activation_named
from chainrule.nn.costs import cost_function, usual_cost
from chainrule.nn.initializers import initializer_named
from chainrule.nn.outline import outline

RANDOM = np.random.default_rng(0)
MEASURED = ("elementwise", "largest_slope", "saturates", "dies", "lowest", "highest")

#: Of users' own, whose facts are known.
SWISH = Activation("swish", lambda z: z * cr.nn.sigmoid(1.5 * z))
LEAKY = Activation("leaky", lambda z: cnp.where(z > 0, z, 0.1 * z))
CLIPPED = Activation("clipped", lambda z: cnp.clip(z, -1, 1))
CENTRED = Activation("centred", lambda z: z - cnp.mean(z, axis=-1, keepdims=True))
SOFTPLUS = Activation("softplus", lambda z: cnp.log(1 + cnp.exp(z)))
RATIO = Activation("ratio", lambda z: cnp.exp(z) / (1 + cnp.exp(z)))  # which overflows far out
OWN = (SWISH, LEAKY, CLIPPED, CENTRED, SOFTPLUS, RATIO)


# activations


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=str)
def test_what_an_activation_tells_is_what_is_measured_of_its_function(activation: Activation) -> None:
    measured = Activation(activation.name, activation.function)
    for name in MEASURED:
        told, found = getattr(activation, name), getattr(measured, name)
        assert type(told) is type(found), name
        assert told == pytest.approx(found, abs=1e-5), name


@pytest.mark.parametrize("activation", [*ACTIVATIONS.values(), *OWN], ids=str)
def test_slopes_are_what_differences_say_of_each_unit(activation: Activation) -> None:
    z = RANDOM.normal(size=(4, 3))
    expected = np.zeros_like(z)
    for n in range(3):
        step = np.eye(3)[n] * 1e-6
        expected[:, n] = (activation(z + step) - activation(z - step))[:, n] / 2e-6
    for told in (activation, replace(activation, slope=None)):
        np.testing.assert_allclose(told.slopes(z, told(z)), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=str)
def test_whatever_an_activation_names_is_there(activation: Activation) -> None:
    missing = [f.name for f in fields(Activation) if getattr(activation, f.name) is None]
    assert not missing
    assert activation.initializer in INITIALIZERS
    assert activation.output in ("", *ACTIVATIONS)
    assert activation.cost in ("", *COSTS)
    assert usual_cost(activation).activation in ("", activation.name)
    assert activation_named(activation.name) is activation
    network = cr.nn.Network([2, 3, 2], activation)
    assert network.layers[-1].activation == (activation.output or activation)


def test_what_is_not_told_of_an_activation_is_measured() -> None:
    assert {a.name: a.elementwise for a in OWN} == {a.name: a is not CENTRED for a in OWN}
    assert {a.name: a.saturates for a in OWN} == {a.name: a in (CLIPPED, RATIO) for a in OWN}
    assert {a.name: a.dies for a in OWN} == {a.name: a is CLIPPED for a in OWN}
    assert (CLIPPED.lowest, CLIPPED.highest, CLIPPED.largest_slope) == (-1.0, 1.0, 1.0)
    assert (LEAKY.lowest, LEAKY.highest, LEAKY.largest_slope) == (-math.inf, math.inf, 1.0)
    assert (SOFTPLUS.lowest, SOFTPLUS.highest) == pytest.approx((0.0, math.inf))
    assert (RATIO.lowest, RATIO.highest) == pytest.approx((0.0, 1.0))
    assert SWISH.lowest == pytest.approx(-0.2785 / 1.5, abs=1e-3)


def test_what_is_told_of_an_activation_is_believed() -> None:
    told = Activation("told", cnp.tanh, largest_slope=7.0, initializer="he", dies=True)
    assert (told.largest_slope, told.initializer, told.dies, told.saturates) == (7.0, "he", True, True)


REFUSED: list[tuple[Any, str]] = [
    (lambda: Activation("a\nb", cnp.tanh), "must be text that can be printed"),
    (lambda: Activation("", cnp.tanh), "must be text that can be printed"),
    (lambda: Activation("half", lambda z: z[:, :1]), r"makes \(9, 1\) of the shape \(9, 2\)"),
    (lambda: Activation("none", 3), r"cannot be applied to an array of shape \(9, 2\).*\n.*\n.*Its function takes z"),  # type: ignore[arg-type]
    (lambda: Activation("math", math.tanh), "cannot be applied"),
    (lambda: activation_named("sigmod"), "Did you mean 'sigmoid'"),
    (lambda: cr.nn.Network([2, 2], replace(cr.nn.tanh, initializer="xavier")), "not 'xavier'"),
    (lambda: Cost(" \t", lambda z, a, y: 0), "must be text that can be printed"),
    (lambda: Initializer("\x1b", lambda i, o, r: (0, 0)), "must be text that can be printed"),  # type: ignore[arg-type,return-value]
    (
        lambda: cr.nn.Dense.of(3, 2, initializer=Initializer("turned", lambda i, o, r: (np.ones((i, o)), np.ones(o)))),
        r"(?s)'turned' gives weights and biases of shapes \(3, 2\) and \(2,\) for 3 inputs.*must give \(2, 3\)",
    ),
    (
        lambda: cr.nn.Function({"w": 1}, cnp.tanh),
        r"(?s)which a dict cannot be.*cr\.nn\.Function\(function, parameters\)",
    ),  # type: ignore[arg-type]
    (lambda: cr.nn.Sequential(), r"(?s)there are no layers.*cr\.nn\.Sequential\(first, second"),
    (lambda: cr.nn.Sequential(cr.nn.tanh, 3), "a layer is called with examples, which 3 cannot be"),
    (lambda: cr.nn.linear(np.ones((2, 3)), np.ones((3, 4))), r"(?s)\(3, 4\) and \(2, 3\).*Write w\.T"),
    (lambda: cr.nn.linear(np.ones((2, 3)), np.ones(3)), r"\(3,\) and \(2, 3\)"),
    (lambda: initializer_named("glorit"), "Did you mean 'glorot'"),
    (lambda: cost_function("cross_entropy", "tanh"), "(?s)needs sigmoid or softmax outputs.*use cost='quadratic'"),
    (lambda: cost_function("softmax_cross_entropy", "sigmoid"), "(?s)needs softmax outputs, not sigmoid.*output='soft"),
    (lambda: cost_function(Cost("own", lambda z, a, y: 0, "swish"), SOFTPLUS), "needs swish outputs, not softplus"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_with_a_cure(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((OptionError, ShapeError), match=message):
        make()


# names


def test_a_value_equals_its_name_and_another_of_its_facts() -> None:
    for known in (ACTIVATIONS, COSTS, INITIALIZERS):
        for name, value in known.items():
            assert value == name
            assert value == replace(value)
            assert hash(value) == hash(name) == hash(replace(value))
            assert str(value) == name
            assert all(value != other for other in known if other != name)


@dataclass(frozen=True)
class Layer:
    w: Any
    activation: Any

    def __call__(self, x: Any) -> Any:
        return activation_named(self.activation)(cr.nn.linear(x, self.w))


def test_a_users_own_of_a_built_in_name_is_another() -> None:
    own = Activation("tanh", lambda z: 3 * z)
    assert own != "tanh"
    assert own != cr.nn.tanh
    x, w = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(2, 3))
    assert outline(Layer(w, "tanh"), x).activation.highest == 1.0
    assert outline(Layer(w, own), x).activation.highest == math.inf
    learnt = [
        cr.learn(Layer(w, one), (x, x[:, :2]), cost="quadratic", epochs=1, batch=1, optimizer=cr.optim.SGD(0.1),
                 watch=False, progress=False).history[-1].training_cost
        for one in ("tanh", own)
    ]  # fmt: skip
    assert learnt[0] != learnt[1]


# costs


LABELS = np.array([0, 2, 1, 2, 2, 0, 1, 2])
SOFT = RANDOM.uniform(size=(9, 3))
REAL = RANDOM.normal(size=(9, 3))


@pytest.mark.parametrize("cost", COSTS.values(), ids=str)
def test_the_least_cost_of_a_constant_answer_that_a_cost_tells_is_what_descent_finds(cost: Cost) -> None:
    activation = activation_named(cost.activation or "identity")
    by_descent = replace(cost, constant=None)
    for labels in (LABELS, SOFT, SOFT.reshape(3, 3, 3), *([REAL] if cost.lowest < 0 else [])):
        told, found = (one.least_constant(labels, 3, activation) for one in (cost, by_descent))
        assert told == pytest.approx(found, rel=1e-6)
    assert math.isnan(cost.least_constant(REAL, 3, activation)) == (cost.lowest == 0)


def test_the_constant_answer_to_many_targets_costs_hardly_more_than_the_least() -> None:
    targets = RANDOM.normal(size=(5000, 2))
    by_descent = replace(COSTS["quadratic"], constant=None)
    least = 0.5 * targets.var(axis=0).sum()
    assert least <= by_descent.least_constant(targets, 2, cr.nn.identity) < 1.001 * least


def test_the_least_cost_of_a_constant_answer_of_a_users_own_cost_is_found() -> None:
    distance = Cost("distance", lambda z, a, y: cnp.sum(abs(a - y), axis=-1))
    expected = np.abs(REAL - np.median(REAL, axis=0)).sum(axis=1).mean()
    assert distance.least_constant(REAL, 3, cr.nn.identity) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("shape", [(4, 3), (4, 2, 3)], ids=str)
@pytest.mark.parametrize("cost", COSTS.values(), ids=str)
def test_a_cost_is_one_number_for_each_example_whatever_the_shape_of_its_outputs(cost: Cost, shape: Any) -> None:
    z, y = RANDOM.normal(size=shape), RANDOM.uniform(size=shape)
    activation = activation_named(cost.activation or "tanh")
    whole = cost(z, activation(z), y)
    assert whole.shape == (4,)
    rows = z.reshape(4, -1, 3), y.reshape(4, -1, 3)
    each = [cost(zs, activation(zs), ys).sum() for zs, ys in zip(*rows, strict=True)]
    np.testing.assert_allclose(whole, each, rtol=1e-12)


@pytest.mark.parametrize("cost", COSTS.values(), ids=str)
def test_targets_within_its_range_cost_least_where_the_outputs_are_the_targets(cost: Cost) -> None:
    activation = activation_named(cost.activation or "sigmoid")
    z = RANDOM.normal(size=(5, 3))
    slope = cr.grad(lambda z, y: cnp.sum(cost(z, activation(z), y)))(z, activation(z))
    np.testing.assert_allclose(slope, 0, atol=1e-12)


# initialisers


@pytest.mark.parametrize("initializer", INITIALIZERS.values(), ids=str)
def test_an_initialiser_gives_weights_and_biases_of_the_shapes_of_a_layer(initializer: Initializer) -> None:
    w, b = initializer(3, 2, np.random.default_rng(0))
    assert (w.shape, b.shape) == ((2, 3), (2,))
    again = initializer(3, 2, np.random.default_rng(0))
    assert all((one == two).all() for one, two in zip((w, b), again, strict=True))
    assert abs(initializer(400, 300, np.random.default_rng(0))[0].mean()) < 0.02
    assert initializer_named(initializer.name) is initializer_named(initializer) is initializer


def test_a_users_own_initialiser_starts_a_network() -> None:
    ones = Initializer("ones", lambda inputs, outputs, random: (np.ones((outputs, inputs)), np.zeros(outputs)))
    network = cr.nn.Network([3, 2], initializer=ones)
    assert (network.layers[0].w == 1).all()
    assert (cr.nn.Dense.of(3, 2, initializer=ones).w == 1).all()
