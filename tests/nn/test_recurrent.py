"""Networks that run in time: a layered network with tied weights computes, and learns, what a loop over steps does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule import random
from chainrule.errors import OptionError
from chainrule.nn import Connected, Connection, Units, Wiring, unrolled
from chainrule.nn.recurrent import at, copies

Values = np.ndarray[Any, Any]
STEPS, EXAMPLES = 4, 6


def sigmoid(z: Values) -> Values:
    return 1 / (1 + np.exp(-z))


def reader(steps: int = STEPS, **options: Any) -> Wiring:
    """Two inputs and three hidden units at each step, which see their own last states and the last output."""
    return unrolled(
        steps, 2, [Units("hidden", 3), Units("output", 1)], [("input", "hidden"), ("hidden", "output")],
        [("hidden", "hidden"), ("output", "hidden")], **options,
    )  # fmt: skip


def settling(steps: int = STEPS) -> Wiring:
    """The net of Nature's figure 5: three units connected to all, whose states before the first step are given."""
    return unrolled(steps, {}, [Units("units", 3)], recurrent=[("units", "units")], given={"units": [0]})


def made(wiring: Wiring, seed: int = 0) -> Connected:
    return Connected.of(wiring, random.key(seed), 1.0, np.float64)


def examples(wiring: Wiring) -> Values:
    return np.random.default_rng(0).normal(size=(EXAMPLES, sum(size for _, size in wiring.inputs)))


def cost(network: Connected, x: Any) -> Any:
    return 0.5 * cnp.sum((network(x) - 0.2) ** 2)


def apart(network: Connected) -> tuple[Connected, dict[str, list[str]]]:
    """The same network with weights and biases of its own in every place, and their names by the shared ones."""
    wiring, names = network.wiring, {}
    links, groups, weights, biases = [], [], {}, {}
    for n, c in enumerate(wiring.connections):
        own = f"{c.name} {n}"
        names.setdefault(c.name, []).append(own)
        links.append(replace(c, weights=own))
        weights[own] = network.weights[c.name]
    for units in wiring.units:
        names.setdefault(str(units.bias_name), []).append(units.name)
        groups.append(replace(units, bias=True))
        biases[units.name] = network.biases[str(units.bias_name)]
    loose = Wiring(wiring.inputs, tuple(groups), tuple(links), wiring.outputs)
    return Connected.from_weights(loose, weights, biases), names


# what is computed


def test_a_reader_computes_what_a_loop_over_the_steps_does() -> None:
    network = made(reader(outputs={"output": range(1, STEPS + 1)}))
    x, w, b = examples(network.wiring), network.weights, network.biases
    hidden, output, outputs = np.zeros((EXAMPLES, 3)), np.zeros((EXAMPLES, 1)), []
    for letters in x.reshape(EXAMPLES, STEPS, 2).swapaxes(0, 1):
        z = letters @ w["input->hidden"].T + hidden @ w["previous hidden->hidden"].T + b["hidden"]
        hidden = sigmoid(z + output @ w["previous output->hidden"].T)
        output = sigmoid(hidden @ w["hidden->output"].T + b["output"])
        outputs.append(output)
    np.testing.assert_allclose(network(x), np.concatenate(outputs, axis=1), rtol=1e-13)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_settling_net_computes_its_function_so_many_times(steps: int) -> None:
    network = made(settling(steps))
    state = examples(network.wiring)
    expected = state
    for _ in range(steps):
        expected = sigmoid(expected @ network.weights["previous units->units"].T + network.biases["units"])
    np.testing.assert_allclose(network(state), expected, rtol=1e-13)


def test_inputs_that_are_given_at_some_steps_are_zero_at_the_others() -> None:
    everywhere, somewhere = reader(), reader(given={"input": [1, 3]})
    x = examples(somewhere)
    padded = np.zeros((EXAMPLES, STEPS, 2))
    padded[:, [0, 2]] = x.reshape(EXAMPLES, 2, 2)
    np.testing.assert_allclose(made(somewhere)(x), made(everywhere)(padded.reshape(EXAMPLES, -1)), rtol=1e-13)


def test_a_state_that_is_given_is_the_one_before_the_first_step() -> None:
    started, fresh = reader(given={"hidden": [0]}), reader()
    x = examples(started)
    assert started.inputs[0] == ("hidden@0", 3)
    x[:, :3] = 0
    np.testing.assert_allclose(made(started)(x), made(fresh)(x[:, 3:]), rtol=1e-13)
    assert not np.allclose(made(started)(x + 1), made(started)(np.c_[x[:, :3], x[:, 3:] + 1]))


def test_outputs_stand_in_the_order_of_the_steps() -> None:
    network = made(reader(outputs={"output": [4, 2], "hidden": [2]}))
    assert network.wiring.outputs == ("hidden@2", "output@2", "output@4")
    x = examples(network.wiring)
    passed = network.forward(x)
    np.testing.assert_array_equal(network(x), np.concatenate([passed[n][1] for n in network.wiring.outputs], axis=1))


def test_connections_of_both_kinds_between_two_groups_have_weights_of_their_own() -> None:
    units = [Units("a", 2), Units("b", 2)]
    wiring = unrolled(2, 1, units, [("input", "a"), ("a", "b")], [("a", "b"), Connection("b", "b", "memory")])
    assert list(wiring.weight_shapes) == ["input->a", "a->b", "previous a->b", "memory"]


def test_missing_weights_and_products_are_copied_to_every_step() -> None:
    ring = Connection("units", "units", places=((0, 1, -1), (-1, 0, 1), (1, -1, 0)))
    pairs = Connection("units", "units", "pairs", products=((0, 1), (1, 2)))
    network = made(unrolled(2, {}, [Units("units", 3)], recurrent=[ring, pairs], given={"units": [0]}))
    assert network.wiring.parameters == 2 + 6 + 3
    expected = state = examples(network.wiring)
    matrix = network.matrix(network.wiring.connections[0])
    for _ in range(2):
        products = expected[:, :2] * expected[:, 1:]
        expected = sigmoid(expected @ matrix.T + products @ network.weights["pairs"].T + network.biases["units"])
    np.testing.assert_allclose(network(state), expected, rtol=1e-13)


def test_a_recurrent_connection_can_have_the_weights_of_one_within_a_step() -> None:
    units = [Units("a", 2), Units("b", 2)]
    wiring = unrolled(3, 1, units, [("input", "a"), ("a", "b")], [Connection("a", "b", "a->b")])
    assert copies(wiring)["a->b"] == 2  # to b@3, which alone is looked at, from a@3 and from a@2


# what is there


def test_groups_that_no_output_depends_on_are_left_out() -> None:
    units = [Units("hidden", 3), Units("output", 1)]
    wiring = unrolled(3, 2, units, recurrent=[("input", "hidden"), ("hidden", "hidden"), ("hidden", "output")])
    assert [u.name for u in wiring.units] == ["hidden@1", "hidden@2", "output@3"]
    assert [name for name, _ in wiring.inputs] == ["input@1", "input@2", "input@3"]  # as they are given all the same
    assert copies(wiring) == {"previous input->hidden": 1, "previous hidden->hidden": 1, "previous hidden->output": 1,
                              "hidden": 2, "output": 1}  # fmt: skip


def test_weights_are_as_many_however_many_steps_there_are() -> None:
    assert reader(2).parameters == reader(9).parameters == 3 * (2 + 3 + 1 + 1) + 3 + 1
    assert settling(7).parameters == 3 * 3 + 3


def test_groups_without_biases_and_with_shared_ones_stay_so() -> None:
    units = [Units("a", 2, bias=False), Units("b", 2, bias="common"), Units("c", 2, bias="common")]
    wiring = unrolled(2, 1, units, [("input", "a"), ("a", "b"), ("b", "c")])
    assert wiring.bias_shapes == {"common": (2,)}


# gradients

both = pytest.mark.parametrize("wired", [reader, settling])


@both
def test_the_gradient_of_tied_weights_is_the_sum_over_the_steps(wired: Callable[[], Wiring]) -> None:
    network = made(wired())
    x = examples(network.wiring)
    loose, names = apart(network)
    tied, own = cr.grad(cost)(network, x), cr.grad(cost)(loose, x)
    parts, single = tied.weights | tied.biases, own.weights | own.biases
    for name, places in names.items():
        np.testing.assert_allclose(parts[name], sum(single[p] for p in places), rtol=1e-10, atol=1e-14)


@both
def test_natures_average_is_the_sum_divided_by_the_number_of_copies(wired: Callable[[], Wiring]) -> None:
    network = made(wired())
    x = examples(network.wiring)
    loose, names = apart(network)
    tied, own = cr.grad(cost)(network, x), cr.grad(cost)(loose, x)
    parts, single, count = tied.weights | tied.biases, own.weights | own.biases, copies(network.wiring)
    assert set(count) == set(names)
    for name, places in names.items():
        average = np.mean([single[p] for p in places], axis=0)
        np.testing.assert_allclose(parts[name] / count[name], average, rtol=1e-10, atol=1e-14)


def test_the_factor_between_average_and_sum_is_the_number_of_iterations_of_an_iterative_net() -> None:
    assert copies(settling(5)) == {"previous units->units": 5, "units": 5}
    assert copies(reader(5))["previous hidden->hidden"] == 4  # nothing comes from before the first step


@both
def test_the_gradient_is_the_slope_by_central_differences(wired: Callable[[], Wiring]) -> None:
    network, step = made(wired()), 1e-6
    x, found = examples(network.wiring), cr.compile(cr.grad(cost))(network, examples(network.wiring))
    for kind in ("weights", "biases"):
        for name, values in getattr(network, kind).items():
            for place in np.ndindex(values.shape):
                ends = []
                for sign in (1, -1):
                    moved = values.copy()
                    moved[place] += sign * step
                    parts = {k: dict(getattr(network, k)) for k in ("weights", "biases")}
                    parts[kind][name] = moved
                    ends.append(float(cost(Connected.from_weights(network.wiring, **parts), x)))
                slope = (ends[0] - ends[1]) / (2 * step)
                assert getattr(found, kind)[name][place] == pytest.approx(slope, abs=1e-8)


def test_the_gradient_is_that_of_a_loop_in_the_array_language() -> None:
    network = made(settling())
    x = examples(network.wiring)

    def looped(network: Connected) -> Any:
        w, b = network.weights["previous units->units"], network.biases["units"]
        state = cr.scan(lambda a, _: (cr.nn.sigmoid(a @ w.T + b), None), cnp.array(x), length=STEPS)[0]
        return 0.5 * cnp.sum((state - 0.2) ** 2)

    unrolled_, in_time = cr.grad(cost)(network, x), cr.grad(looped)(network)
    np.testing.assert_allclose(
        unrolled_.weights["previous units->units"], in_time.weights["previous units->units"], rtol=1e-11
    )
    np.testing.assert_allclose(unrolled_.biases["units"], in_time.biases["units"], rtol=1e-11)


# what is refused

UNITS = [Units("a", 2), Units("b", 2)]
REFUSED: dict[str, tuple[Callable[[], Wiring], str]] = {
    "no steps": (lambda: settling(0), "steps must be a whole number of at least 1, not 0"),
    "half a step": (lambda: settling(1.5), "steps must be a whole number"),  # type: ignore[arg-type]
    "true steps": (lambda: settling(True), "steps must be a whole number"),
    "given to nobody": (lambda: reader(given={"nobody": [0]}), "name in given must be one of .*not 'nobody'"),
    "units given later": (lambda: reader(given={"hidden": [1]}), "hidden can be so at steps 0 to 0, not at"),
    "inputs given too late": (lambda: reader(given={"input": [5]}), "input can be so at steps 0 to 4"),
    "outputs of nobody": (lambda: reader(outputs={"input": [1]}), "name in outputs must be one of .*not 'input'"),
    "outputs too late": (lambda: reader(outputs={"output": [5]}), "output can be so at steps 1 to 4"),
    "outputs before the first step": (lambda: reader(outputs={"output": [0]}), "at steps 1 to 4"),
    "no outputs": (lambda: reader(outputs={}), "outputs must name at least one group"),
    "outputs at no step": (lambda: reader(outputs={"output": []}), "outputs must name at least one group"),
    "to the inputs": (lambda: unrolled(2, 1, UNITS, recurrent=[("a", "input")]), "no connection goes to them"),
    "no such source": (lambda: unrolled(2, 1, UNITS, recurrent=[("c", "a")]), "one of 'input', 'a', 'b', not 'c'"),
    "no such target": (lambda: unrolled(2, 1, UNITS, [("a", "c")]), "groups of the connection 'a->c'"),
    "backward within a step": (lambda: unrolled(2, 1, UNITS, [("b", "a")]), "within a step go from earlier groups"),
    "one of two sources missing": (
        lambda: unrolled(2, 1, UNITS, recurrent=[Connection(("input", "a"), "b")], given={"a": [0]}),
        "comes from several groups, but there is no input@0",
    ),
    "nothing at the first step": (
        lambda: unrolled(2, {}, [Units("a", 1, bias=False)], recurrent=[("a", "a")]), "nothing reaches the units 'a@1'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_run_in_time_is_refused(what: str) -> None:
    wired, message = REFUSED[what]
    with pytest.raises(OptionError, match=message):
        wired()


def test_the_name_of_a_group_says_its_step() -> None:
    assert at("hidden", 3) == "hidden@3"
