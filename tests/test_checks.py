"""One rule for every argument: what counts as a whole number, a number, a name, wherever one is asked for."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import checks, classics
from chainrule.errors import DataError, OptionError
from chainrule.insight.presentation import Insight

RANDOM = np.random.default_rng(0)
X, LABELS = RANDOM.normal(size=(12, 4)).astype(np.float32), np.arange(12) % 3
DATA = (X, LABELS)
NET = cr.nn.Network([4, 5, 3], seed=0)
SGD = cr.optim.SGD(0.1)
BASE = classics.rule("backpropagation")
#: What is a whole number nowhere.
NO_COUNTS = [True, False, np.True_, 3.0, np.float64(3), "3", None, [3], 1 + 0j, float("nan")]
#: What is a number nowhere.
NO_NUMBERS = [True, np.False_, "0.5", [0.5], 1j, float("nan"), float("inf"), np.ones(2), 10**400]


def learnt(**options: Any) -> cr.Run:
    asked = {"cost": "quadratic", "epochs": 1, "batch": 4, "optimizer": SGD, "progress": False} | options
    return cr.learn(NET, DATA, **asked)


#: Every public argument that counts something, with a call that asks for it and a value that it accepts.
COUNTS: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "learn(epochs)": (2, lambda n: learnt(epochs=n).network),
    "learn(batch)": (6, lambda n: learnt(batch=n).network),
    "learn(seed)": (3, lambda n: learnt(seed=n).network),
    "Network(sizes)": (3, lambda n: cr.nn.Network([4, n, 3]).sizes),
    "Network(seed)": (3, lambda n: cr.nn.Network([4, 3], seed=n)),
    "Units(size)": (3, lambda n: cr.nn.Units("a", n)),
    "Connected(inputs)": (3, lambda n: cr.nn.Connected(n, [cr.nn.Units("a", 2)], [("input", "a")]).sizes),
    "unrolled(steps)": (3, lambda n: cr.nn.unrolled(n, 2, [cr.nn.Units("a", 2)], [("input", "a")])),
    "curvature(top)": (3, lambda n: cr.insight.curvature(NET, DATA, top=n)),
    "curvature(lanczos_steps)": (9, lambda n: cr.insight.curvature(NET, DATA, lanczos_steps=n)),
    "curvature(probes)": (3, lambda n: cr.insight.curvature(NET, DATA, probes=n)),
    "curvature(examples)": (8, lambda n: cr.insight.curvature(NET, DATA, examples=n)),
    "curvature(seed)": (3, lambda n: cr.insight.curvature(NET, DATA, examples=8, seed=n)),
    "curvature_diagonal(probes)": (3, lambda n: cr.insight.curvature_diagonal(NET, DATA, probes=n)),
    "saliency(top)": (3, lambda n: cr.insight.saliency(NET, DATA, top=n)),
    "prune(steps)": (3, lambda n: cr.insight.prune(NET, DATA, steps=n)),
    "attribution(steps)": (3, lambda n: cr.insight.attribution(NET, X[0], steps=n)),
    "attribution(seed)": (3, lambda n: cr.insight.attribution(NET, X[0], method="smooth_grad", steps=4, seed=n)),
    "influence(top)": (3, lambda n: cr.insight.influence(NET, DATA, (X[0], LABELS[0]), top=n)),
    "label_suspects(top)": (3, lambda n: cr.insight.label_suspects(NET, DATA, top=n)),
    "explain(largest)": (3, lambda n: cr.insight.explain(NET, DATA, largest=n)),
    "explain(layer)": (1, lambda n: cr.insight.explain(NET, DATA, layer=n)),
    "explain(examples)": (8, lambda n: cr.insight.explain(NET, DATA, largest=2, examples=n)),
    "explain(neuron)": (1, lambda n: cr.insight.explain(NET, DATA, neuron=(n, 2))),
    "what_if(examples)": (8, lambda n: cr.insight.what_if(NET, DATA, "layers[0].b[0]", examples=n)),
    "gradient_noise(batch)": (4, lambda n: cr.insight.gradient_noise(NET, DATA, batch=n)),
    "loss_landscape(points)": (3, lambda n: cr.insight.loss_landscape(NET, DATA, points=n)),
    "loss_landscape(directions)": (1, lambda n: cr.insight.loss_landscape(NET, DATA, points=3, directions=n)),
    "find_rate(steps)": (10, lambda n: cr.insight.find_rate(NET, DATA, batch=4, steps=n)),
    "find_rate(batch)": (4, lambda n: cr.insight.find_rate(NET, DATA, batch=n, steps=10)),
    "diagnose(seed)": (3, lambda n: cr.insight.diagnose(NET, DATA, seed=n)),
    "diagnose(batch)": (3, lambda n: cr.insight.diagnose(NET, DATA, batch=n)),
    "parity(bits)": (3, lambda n: classics.problem("parity", bits=n).x),
    "encoder(hidden)": (3, lambda n: classics.problem("encoder", hidden=n).wiring),
    "trials(count)": (3, lambda n: classics.trials(classics.problem("xor"), BASE, n, budget=5).sweeps),
    "trials(budget)": (3, lambda n: classics.trials(classics.problem("xor"), BASE, 2, budget=n).sweeps),
    "Boltzmann(annealings)": (3, lambda n: classics.rule("boltzmann", annealings=n)),
    "random.key(seed)": (3, cr.random.key),
    "random.split(n)": (3, lambda n: cr.random.split(cr.random.key(0), n)),
    "random.normal(shape)": (3, lambda n: cr.random.normal(cr.random.key(0), (n, 2))),
    "random_function(steps)": (3, lambda n: cr.testing.random_function(0, steps=n).arguments),
    "check_gradient(order)": (1, lambda n: cr.testing.check_gradient(lambda x: x * x, 2.0, order=n)),
    "grad(argnums)": (1, lambda n: cr.grad(lambda a, b: a * b, argnums=n)(2.0, 3.0)),
    "per_example(argnums)": (1, lambda n: cr.per_example(lambda w, x: x * w, argnums=n)(2.0, np.ones(3))),
    "scan(length)": (3, lambda n: cr.scan(lambda c, _: (c + 1, c), 0.0, length=n)),
}  # fmt: skip
OPTIONAL = {
    "trials(budget)", "gradient_noise(batch)", "find_rate(batch)", "diagnose(batch)", "encoder(hidden)",
    "explain(largest)", "explain(layer)", "scan(length)", "per_example(argnums)",
}  # fmt: skip
SEVERAL = {"grad(argnums)", "per_example(argnums)"}  # may also be a list


def seen(found: Any) -> Any:
    """A result as something that can be compared."""
    return found.to_dict() if isinstance(found, Insight) else repr(found)


@pytest.mark.parametrize("argument", COUNTS)
def test_a_whole_number_of_numpy_counts_as_one_of_python(argument: str) -> None:
    value, call = COUNTS[argument]
    expected = seen(call(value))
    assert seen(call(np.int64(value))) == expected
    assert seen(call(np.array(value, np.uint8))) == expected


@pytest.mark.parametrize("argument", COUNTS)
def test_a_truth_or_a_floating_point_number_is_no_count(argument: str) -> None:
    for wrong in NO_COUNTS:
        if (wrong is None and argument in OPTIONAL) or (isinstance(wrong, list) and argument in SEVERAL):
            continue
        with pytest.raises((OptionError, cr.errors.DTypeError)) as refusal:
            COUNTS[argument][1](wrong)
        assert repr(wrong) in str(refusal.value)


NUMBERS: dict[str, Callable[[Any], Any]] = {
    "SGD(rate)": lambda x: cr.optim.SGD(x),
    "Momentum(momentum)": lambda x: cr.optim.Momentum(0.1, x),
    "Adam(beta1)": lambda x: cr.optim.Adam(beta1=x),
    "learn(l2)": lambda x: learnt(l2=x).network,
    "prune(fraction)": lambda x: cr.insight.prune(NET, DATA, fraction=x, steps=1),
    "saliency(damping)": lambda x: cr.insight.saliency(NET, DATA, damping=x),
    "influence(tolerance)": lambda x: cr.insight.influence(NET, DATA, (X[0], LABELS[0]), tolerance=x),
    "curvature(tolerance)": lambda x: cr.insight.curvature(NET, DATA, tolerance=x),
    "attribution(noise)": lambda x: cr.insight.attribution(NET, X[0], noise=x),
    "loss_landscape(span)": lambda x: cr.insight.loss_landscape(NET, DATA, points=3, span=x),
    "find_rate(lowest)": lambda x: cr.insight.find_rate(NET, DATA, batch=4, steps=10, lowest=x),
    "Connected(initial)": lambda x: cr.nn.Connected(2, [cr.nn.Units("a", 1)], [("input", "a")], initial=x),
    "Boltzmann(on_to_off)": lambda x: classics.rule("boltzmann", on_to_off=x),
}


@pytest.mark.parametrize("argument", NUMBERS)
def test_any_real_number_is_accepted_and_nothing_else(argument: str) -> None:
    call = NUMBERS[argument]
    expected = seen(call(0.5))
    for same in (np.float64(0.5), np.float32(0.5), np.array(0.5), Fraction(1, 2)):
        assert seen(call(same)) == expected
    for wrong in NO_NUMBERS:
        with pytest.raises(OptionError, match=r"must be a (finite )?number"):
            call(wrong)


@pytest.mark.parametrize(
    ("call", "name", "meant"),
    [
        (lambda: cr.nn.Network([2, 1], "sigmod"), "activation", "sigmoid"),
        (lambda: cr.nn.Network([2, 1], output="Softmax"), "output", "softmax"),
        (lambda: cr.nn.Network([2, 1], initializer="glorott"), "initializer", "glorot"),
        (lambda: learnt(cost="quadrtic"), "cost", "quadratic"),
        (lambda: cr.insight.saliency(NET, DATA, method="magnitud"), "method", "magnitude"),
        (lambda: cr.insight.label_suspects(NET, DATA, by="el2"), "by", "el2n"),
        (lambda: cr.insight.curvature_diagonal(NET, DATA, kind="hesian"), "kind", "hessian"),
        (lambda: cr.insight.loss_landscape(NET, DATA, normalized="filters"), "normalized", "filter"),
        (lambda: cr.insight.attribution(NET, X[0], rule="mid_point"), "rule", "midpoint"),
        (lambda: cr.insight.attribution(NET, X[0], of="outputs"), "of", "output"),
        (lambda: classics.problem("xorr"), "problem", "xor"),
        (lambda: classics.rule("backprop"), "rule", "backpropagation"),
        (lambda: classics.problem("parity", bit=3), "the options of parity", "bits"),
        (lambda: cr.jacobian(np.sin, mode="foward"), "mode", "forward"),
    ],
)
def test_a_name_that_is_nearly_one_is_told_which_was_meant(call: Callable[[], Any], name: str, meant: str) -> None:
    with pytest.raises(OptionError, match=f"^{name} must be one of ") as refusal:
        call()
    assert refusal.value.cure.startswith(f"Did you mean '{meant}'?")


def test_the_place_in_a_sequence_is_named() -> None:
    with pytest.raises(OptionError, match=r"^sizes\[1\] must be a whole number of at least 1, not 30\.0\.") as refusal:
        cr.nn.Network([784, 30.0, 10])  # type: ignore[list-item]
    assert refusal.value.cure == "Try [784, 30, 10]."
    with pytest.raises(OptionError, match=r"^argnums\[1\] must be a whole number, not 1\.0\."):
        cr.grad(np.dot, argnums=(0, 1.0))  # type: ignore[arg-type]


def test_what_was_given_is_short_in_the_message() -> None:
    with pytest.raises(OptionError, match=r"not an array of float64 of shape \(1000,\)\.") as refusal:
        checks.whole_number("top", np.zeros(1000), 1)
    assert len(refusal.value.what) < 100
    with pytest.raises(OptionError) as refusal:
        checks.one_of("cost", "x" * 10_000, ["quadratic"])
    assert len(refusal.value.what) < 200


def test_what_was_meant_is_said() -> None:
    with pytest.raises(OptionError) as refusal:
        checks.whole_number("top", 3.0, 1)
    assert refusal.value.cure == "Write 3."
    with pytest.raises(OptionError) as refusal:
        checks.whole_number("top", 0.0, 1)
    assert refusal.value.cure == ""


ONE_OUTPUT = cr.nn.Network([4, 3, 1], seed=0)


@pytest.mark.parametrize(
    "asked",
    [
        lambda y: cr.learn(ONE_OUTPUT, (X, y), cost="quadratic", epochs=1, batch=4, optimizer=SGD, progress=False),
        lambda y: cr.insight.explain(ONE_OUTPUT, (X, y), largest=1),
        lambda y: cr.insight.curvature(ONE_OUTPUT, (X, y), top=1),
        lambda y: cr.backprop(ONE_OUTPUT, "quadratic", X, y),
    ],
)
def test_integer_targets_of_one_output_are_offered_a_column(asked: Callable[[Any], Any]) -> None:
    with pytest.raises(DataError) as refusal:
        asked(LABELS)
    assert "[:, None]" in refusal.value.cure
    asked(LABELS[:, None])


def test_a_data_set_is_offered_what_a_data_set_takes() -> None:
    data = cr.data.DataSet(X, LABELS)
    with pytest.raises(DataError) as refusal:
        cr.learn(ONE_OUTPUT, data, cost="quadratic", epochs=1, batch=4, optimizer=SGD, progress=False)
    assert "labels[:, None].astype(np.float32)" in refusal.value.cure
    cr.data.DataSet(X, LABELS[:, None].astype(np.float32))


def test_nobody_else_writes_that_something_must_be_a_number() -> None:
    root = Path(checks.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if path.name != "checks.py":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    assert "must be a whole number" not in ast.unparse(node), path
                    assert "must be a number" not in ast.unparse(node), path
