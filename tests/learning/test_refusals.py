"""What `learn` refuses, by name and before compiling: bad options, and data that cannot be learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, DataError, OptionError
from chainrule.learning import programs
from chainrule.nn import Network

X = np.random.default_rng(0).normal(size=(8, 3))
LABELS = np.arange(8) % 2
TARGETS = np.eye(2)[LABELS]
SGD = cr.optim.SGD(0.1)


@pytest.fixture(autouse=True)
def _nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(*_: Any) -> None:
        pytest.fail("it was compiled before it was refused")

    monkeypatch.setattr(programs, "build", compiled)


def learn(x: Any = X, y: Any = LABELS, *, network: Any = None, **options: Any) -> cr.Run:
    chosen = {"cost": "quadratic", "epochs": 2, "batch": 4, "optimizer": SGD, "progress": False} | options
    return cr.learn(Network([3, 2]) if network is None else network, (x, y), **chosen)


def with_value(array: np.ndarray, place: Any, value: float) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


# options


@pytest.mark.parametrize("name", ["epochs", "batch"])
@pytest.mark.parametrize("bad", [0, -1, 1.0, "1", None, True, float("nan"), [1], np.float64(2)], ids=repr)
def test_epochs_and_batch_are_whole_numbers_of_at_least_one(name: str, bad: Any) -> None:
    with pytest.raises(OptionError, match=f"{name} must be a whole number of at least 1, not "):
        learn(**{name: bad})


@pytest.mark.parametrize("bad", [-1, 0.5, "0", None, True], ids=repr)
def test_the_seed_is_a_whole_number(bad: Any) -> None:
    with pytest.raises(OptionError, match="seed must be a whole number of at least 0, not "):
        learn(seed=bad)


def test_a_batch_larger_than_the_data_is_refused_with_both_sizes() -> None:
    with pytest.raises(OptionError, match="batch 9 is larger than the training data, 8 examples"):
        learn(batch=9)


@pytest.mark.parametrize("bad", [None, "sgd", 0.1, cr.optim.SGD], ids=repr)
def test_the_optimizer_is_an_optimiser(bad: Any) -> None:
    with pytest.raises(OptionError, match=r"optimizer must be an optimiser(.|\n)*cr\.optim\.SGD"):
        learn(optimizer=bad)


@pytest.mark.parametrize("bad", [-1e-9, float("nan"), float("inf"), "0.1", None, 1j, np.complex64(1)], ids=repr)
def test_the_penalty_is_a_finite_number_of_at_least_zero(bad: Any) -> None:
    with pytest.raises(OptionError, match="l2 must be a number of at least 0, not "):
        learn(l2=bad)


@pytest.mark.parametrize("bad", [np.float16, "int32", complex, object, "no dtype", ">f4"], ids=repr)
def test_the_dtype_is_float32_or_float64(bad: Any) -> None:
    with pytest.raises(OptionError, match="dtype must be float32 or float64"):
        learn(dtype=bad)


@pytest.mark.parametrize("bad", [None, 5, [3, 2], "784-30-10", Network], ids=repr)
def test_the_network_is_a_network(bad: Any) -> None:
    with pytest.raises(OptionError, match="network must be a Network, not "):
        cr.learn(bad, (X, LABELS), cost="quadratic", epochs=1, batch=1, optimizer=SGD)


@pytest.mark.parametrize("bad", ["hinge", "", None, ["quadratic"]], ids=repr)
def test_an_unknown_cost_is_refused_with_the_known_ones(bad: Any) -> None:
    with pytest.raises(OptionError, match=r"cost must be one of 'quadratic', 'sigmoid_cross_entropy'"):
        learn(cost=bad)


@pytest.mark.parametrize(
    ("cost", "output"),
    [("softmax_cross_entropy", "sigmoid"), ("sigmoid_cross_entropy", "softmax"), ("cross_entropy", "tanh")],
)
def test_a_cost_that_does_not_fit_the_outputs_is_refused(cost: str, output: str) -> None:
    with pytest.raises(OptionError, match=f"{output}"):
        learn(network=Network([3, 2], output=output), cost=cost)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        (np.arange(8), r"2 x 8 row numbers.*int64 of shape \(8,\)"),
        (np.zeros((3, 8), int), r"2 x 8 row numbers.*shape \(3, 8\)"),
        (np.zeros((2, 8)), r"2 x 8 row numbers.*float64 of shape \(2, 8\)"),
        (np.zeros((2, 8), bool), "bool"),
        (np.zeros((2, 8), object), "object"),
        ("forwards", "row numbers"),
        (3, r"shape \(\)"),
        (np.arange(16).reshape(2, 8), "rows 0 to 15, but there are 8 examples"),
        (np.arange(16).reshape(2, 8) % 8 - 1, "rows -1 to 6, but there are 8 examples"),
        (np.full((2, 8), 2**63, np.uint64), "but there are 8 examples"),
        ([[0, 1], [2]], "order is not an array"),
    ],
)
def test_an_order_that_does_not_name_rows_is_refused(order: Any, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        learn(order=order)


# data


@pytest.mark.parametrize("x", [X[0], np.float64(1.0), None], ids=["one axis", "no axis", "None"])
def test_x_has_a_row_for_each_example(x: Any) -> None:
    with pytest.raises(DataError, match="x must "):
        learn(x)


def test_features_that_the_network_does_not_take_are_refused_with_both_sizes() -> None:
    with pytest.raises(DataError, match="have 2 features, but the network takes 3 inputs"):
        learn(X[:, :2])
    with pytest.raises(DataError, match="have 4 features, but the network takes 3 inputs"):
        learn(np.zeros((8, 2, 2)))


@pytest.mark.parametrize("dtype", [complex, object, np.str_, np.float16, "datetime64[s]"], ids=str)
def test_x_of_another_dtype_is_refused_with_dtype_and_shape(dtype: Any) -> None:
    with pytest.raises(DataError, match=r"x must be float32 or float64, not .*\(8, 3\)"):
        learn(np.ones((8, 3)).astype(dtype) if dtype != "datetime64[s]" else np.zeros((8, 3), dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_x_that_is_not_finite_is_refused_with_the_place(bad: float) -> None:
    with pytest.raises(DataError, match=r"x must be finite: .*x\[5, 1\]"):
        learn(with_value(X, (5, 1), bad))


def test_numbers_too_large_for_float32_are_refused() -> None:
    with pytest.raises(DataError, match=r"x goes up to 1e\+300, more than float32 can hold"):
        learn(with_value(X, (5, 1), -1e300))
    with pytest.raises(DataError, match=r"labels goes up to 1e\+300, more than float32 can hold"):
        learn(y=with_value(TARGETS, (5, 1), 1e300))


def test_no_examples_are_refused() -> None:
    with pytest.raises(DataError, match=r"x is empty: its shape is \(0, 3\)"):
        learn(X[:0], LABELS[:0])


def test_no_features_are_refused() -> None:
    with pytest.raises(DataError, match=r"x is empty: its shape is \(8, 0\)"):
        learn(X[:, :0])


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="x is not an array of numbers"):
        learn([[1.0, 2.0, 3.0], [1.0]], [0, 1])


def test_examples_and_labels_of_different_number_are_refused_with_both() -> None:
    with pytest.raises(DataError, match=r"8 examples but 5 labels: x has shape \(8, 3\), labels \(5,\)"):
        learn(y=LABELS[:5])


def test_a_label_beyond_the_outputs_is_refused_with_both() -> None:
    with pytest.raises(DataError, match=r"labels go up to 2, but the network has 2 outputs(.|\n)*3 outputs are needed"):
        learn(y=with_value(LABELS, 6, 2))


def test_a_negative_label_is_refused_with_the_place() -> None:
    with pytest.raises(DataError, match=r"negative.*-1 at labels\[6\]"):
        learn(y=with_value(LABELS, 6, -1))


@pytest.mark.parametrize("dtype", [float, complex, object, np.str_], ids=str)
def test_labels_of_another_dtype_are_refused_with_dtype_and_shape(dtype: Any) -> None:
    with pytest.raises(DataError, match=r"must be integers, not .* of shape \(8,\)"):
        learn(y=LABELS.astype(dtype))


@pytest.mark.parametrize("dtype", [complex, object, np.str_, np.float16], ids=str)
def test_targets_of_another_dtype_are_refused_with_dtype_and_shape(dtype: Any) -> None:
    with pytest.raises(DataError, match=r"labels must be float32 or float64, not .*\(8, 2\)"):
        learn(y=TARGETS.astype(dtype))


@pytest.mark.parametrize("columns", [1, 3])
def test_targets_of_another_width_are_refused_with_both(columns: int) -> None:
    with pytest.raises(DataError, match=f"targets have {columns} columns, but the network has 2 outputs"):
        learn(y=np.zeros((8, columns)))


@pytest.mark.parametrize("y", [np.zeros((8, 2, 1)), np.float64(0), None], ids=["three axes", "no axis", "None"])
def test_labels_of_another_rank_are_refused(y: Any) -> None:
    with pytest.raises(DataError, match=r"labels must have shape \(n,\) or \(n, k\), not "):
        learn(y=y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_targets_that_are_not_finite_are_refused_with_the_place(bad: float) -> None:
    with pytest.raises(DataError, match=r"labels must be finite: .*labels\[2, 1\]"):
        learn(y=with_value(TARGETS, (2, 1), bad))


@pytest.mark.parametrize("data", [None, X, (X,), (X, LABELS, LABELS), "digits"], ids=["None", "x", "1", "3", "a name"])
def test_data_are_a_pair(data: Any) -> None:
    with pytest.raises(DataError, match="pair"):
        cr.learn(Network([3, 2]), data, cost="quadratic", epochs=1, batch=1, optimizer=SGD)


@pytest.mark.parametrize(
    ("validation", "named"),
    [
        (5, "pair"),
        ((X[:, :2], LABELS), "2 features, but the network takes 3"),
        ((X, LABELS + 1), "labels go up to 2, but the network has 2 outputs"),
        ((X[:0], LABELS[:0]), "empty"),
        ((X, np.zeros((8, 3))), "3 columns, but the network has 2 outputs"),
        ((X * np.nan, LABELS), "finite"),
    ],
)
def test_validation_data_are_checked_the_same(validation: Any, named: str) -> None:
    with pytest.raises(DataError, match=named):
        learn(validation=validation)


def test_a_refusal_names_the_line_of_the_caller() -> None:
    with pytest.raises(ChainruleError, match=r"test_refusals\.py:\d+: return cr\.learn\("):
        learn(epochs=0)


# optimisers


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: cr.optim.SGD(-0.1), "rate must be at least 0 and below inf, not -0.1"),
        (lambda: cr.optim.SGD(float("nan")), "rate .* not nan"),
        (lambda: cr.optim.SGD(float("inf")), "rate .* not inf"),
        (lambda: cr.optim.SGD("0.1"), "rate .* not '0.1'"),
        (lambda: cr.optim.SGD(None), "rate .* not None"),
        (lambda: cr.optim.SGD(1j), "rate .* not 1j"),
        (lambda: cr.optim.SGD(np.complex64(1)), "rate"),
        (lambda: cr.optim.Momentum(-1.0), "rate"),
        (lambda: cr.optim.Momentum(0.1, 1.0), "momentum must be at least 0 and below 1, not 1.0"),
        (lambda: cr.optim.Momentum(0.1, -0.1), "momentum"),
        (lambda: cr.optim.Adam(-1.0), "rate"),
        (lambda: cr.optim.Adam(beta1=1.0), "beta1 must be at least 0 and below 1, not 1.0"),
        (lambda: cr.optim.Adam(beta2=-0.1), "beta2"),
        (lambda: cr.optim.Adam(epsilon=float("nan")), "epsilon"),
    ],
)
def test_settings_of_optimisers_have_their_ranges(make: Any, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        make()


def test_a_rate_of_numpy_is_a_rate() -> None:
    assert cr.optim.SGD(np.float32(0.5)) == cr.optim.SGD(0.5)
