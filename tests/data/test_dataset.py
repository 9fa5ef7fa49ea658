"""A data set holds only what can be learned from, and says what is wrong with everything else."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from chainrule.data import DataSet, as_dataset
from chainrule.errors import DataError

X = np.arange(12, dtype=np.float32).reshape(4, 3)
CLASSES = np.array([0, 2, 1, 0])
TARGETS = np.ones((4, 2), np.float32)


def with_value(array: np.ndarray, index: Any, value: float) -> np.ndarray:
    changed = array.copy()
    changed[index] = value
    return changed


def test_it_is_a_pair() -> None:
    x, labels = DataSet(X, CLASSES)
    assert x is X
    assert labels is CLASSES


def test_its_length_is_the_number_of_examples() -> None:
    assert len(DataSet(X, CLASSES)) == 4


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        DataSet(X, CLASSES).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_dtypes_are_kept(dtype: type) -> None:
    assert DataSet(X.astype(dtype), CLASSES).x.dtype == dtype


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_any_integers_are_classes(dtype: type) -> None:
    assert DataSet(X, CLASSES.astype(dtype)).classes == 3


def test_classes_are_the_largest_training_label_plus_one() -> None:
    assert DataSet(X, CLASSES, validation=DataSet(X[:1], CLASSES[:1])).classes == 3


def test_class_names_say_how_many_classes_there_are() -> None:
    names = ("a", "b", "c", "d")
    assert DataSet(X, CLASSES, validation=DataSet(X, CLASSES + 1), class_names=names).classes == 4


def test_real_targets_have_no_classes() -> None:
    assert DataSet(X, TARGETS).classes == 0


def test_features_and_flat() -> None:
    images = DataSet(np.arange(24.0).reshape(2, 3, 4), np.array([0, 1]))
    assert images.features == 12
    assert images.flat().shape == (2, 12)
    assert np.shares_memory(images.flat(), images.x)


def test_repr_is_one_line_with_everything() -> None:
    part = DataSet(X[:2], CLASSES[:2])
    assert repr(DataSet(X, CLASSES, validation=part, test=part, name="n")) == (
        "DataSet('n', 4 examples of 3 features, float32, 3 classes, 2 validation, 2 test)"
    )
    assert repr(DataSet(X.reshape(4, 1, 3), TARGETS)) == "DataSet(4 examples of 1×3 features, float32, 2 targets)"


@pytest.mark.parametrize(
    ("x", "found"),
    [
        (X.astype(np.float16), "float16 (shape (4, 3))"),
        (X.astype(np.complex64), "complex64 (shape (4, 3))"),
        (X.astype(np.longdouble), "(shape (4, 3))"),
        (X.astype(np.int64), "int64 (shape (4, 3))"),
        (X.astype(bool), "bool (shape (4, 3))"),
        (X.astype(">f4"), ">f4 (shape (4, 3))"),
        (X.astype(object), "object (shape (4, 3))"),
        (X.astype(str), "<U"),
        (X.astype("M8[s]"), "datetime64[s] (shape (4, 3))"),
        (X.tolist(), "not a list"),
        (X[0], "not (3,)"),
        (np.array(1, np.float32), "not ()"),
        (X[:0], "empty: its shape is (0, 3)"),
        (X[:, :0], "empty: its shape is (4, 0)"),
        (with_value(X, (1, 2), np.nan), "float32 of shape (4, 3) holds 1 nan or inf, the first at x[1, 2]"),
        (with_value(X, 3, np.inf), "holds 3 nan or inf, the first at x[3, 0]"),
        (with_value(X, (0, 1), -np.inf), "the first at x[0, 1]"),
        (X[:3], "3 examples but 4 labels: x has shape (3, 3), labels (4,)"),
    ],
)
def test_x_that_is_refused(x: Any, found: str) -> None:
    refuses(found, x, CLASSES)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (CLASSES.astype(np.float32), "must be integers, not float32 of shape (4,)"),
        (CLASSES.astype(bool), "must be integers, not bool of shape (4,)"),
        (np.array(["a", "b", "c", "a"]), "must be integers, not <U1 of shape (4,)"),
        (CLASSES - 1, "int64 of shape (4,) holds -1 at labels[0]"),
        (CLASSES[:2], "4 examples but 2 labels: x has shape (4, 3), labels (2,)"),
        (CLASSES[:0], "labels are empty: their shape is (0,)"),
        (CLASSES.tolist(), "not a list"),
        (CLASSES.reshape(4, 1, 1), "not (4, 1, 1)"),
        (np.array(1), "not ()"),
        (np.eye(4, dtype=np.int64), "must be floating, not int64 of shape (4, 4)"),
        (TARGETS.astype(np.float16), "float16 (shape (4, 2))"),
        (TARGETS.astype(np.complex128), "complex128 (shape (4, 2))"),
        (TARGETS.astype(str), "<U"),
        (with_value(TARGETS, (2, 1), np.nan), "the first at labels[2, 1]"),
        (TARGETS[:, :0], "labels are empty: their shape is (4, 0)"),
    ],
)
def test_labels_that_are_refused(labels: Any, found: str) -> None:
    refuses(found, X, labels)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"validation": DataSet(X[:, :2], CLASSES)}, "x has shape (4, 3) for training, (4, 2) for validation"),
        ({"test": DataSet(X, TARGETS)}, "labels have shape (4,) for training, (4, 2) for test"),
        ({"test": DataSet(X, CLASSES + 1)}, "label 3 in test, but training has 3 classes"),
        ({"validation": (X, CLASSES)}, "validation must be a DataSet, not a tuple of 2"),
        ({"class_names": ("a", "b")}, "2 class names, but a label of 2"),
    ],
)
def test_parts_that_are_refused(more: dict[str, Any], found: str) -> None:
    refuses(found, X, CLASSES, **more)


def test_real_targets_have_no_class_names() -> None:
    refuses("real targets", X, TARGETS, class_names=("a", "b"))


def test_examples_in_columns_are_recognised() -> None:
    refuses("write x.T", X.T, CLASSES)


def refuses(found: str, *arguments: Any, **more: Any) -> None:
    with pytest.raises(DataError) as caught:
        DataSet(*arguments, **more)
    assert found in str(caught.value)
    assert str(caught.value).splitlines()[-1].strip().endswith(".")  # the cure, a sentence of its own
    assert str(caught.value).count("\n") >= 2


def test_as_dataset_keeps_a_data_set() -> None:
    data = DataSet(X, CLASSES)
    assert as_dataset(data) is data


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", [CLASSES, CLASSES.astype(np.uint8), TARGETS, TARGETS.astype(np.float64)])
def test_as_dataset_copies_nothing_that_fits(dtype: type, labels: np.ndarray) -> None:
    x: np.ndarray = X.astype(dtype)
    data = as_dataset((x, labels))
    assert data.x is x
    assert data.labels is labels


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (X.tolist(), np.float32),
        (X.astype(int).tolist(), np.float32),
        (X.astype(np.uint8), np.float32),
        (X > 3, np.float32),
        (X.astype(">f4"), np.float32),
        (X.astype(">f8"), np.float64),
    ],
)
def test_as_dataset_makes_real_numbers(given: Any, dtype: type) -> None:
    x = as_dataset((given, CLASSES)).x
    assert x.dtype == dtype
    assert x.dtype.isnative
    assert np.array_equal(x, np.asarray(given))


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ([0, 2, 1, 0], np.int64),
        ([True, False, True, True], np.int64),
        (CLASSES.astype(">i2"), np.int16),
        ([[0], [1], [1], [0]], np.float32),
        (np.eye(4, dtype=np.int64), np.float32),
    ],
)
def test_as_dataset_makes_labels(given: Any, dtype: type) -> None:
    labels = as_dataset((X, given)).labels
    assert labels.dtype == dtype
    assert np.array_equal(labels, np.asarray(given))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (X, "not an array of shape (4, 3)"),
        ((X,), "not a tuple of 1"),
        ([X, CLASSES, CLASSES], "not a list of 3"),
        (None, "not a NoneType"),
        (([[1.0, 2.0], [3.0]], [0, 1]), "x is not an array of numbers"),
        (([[1.0], [3.0]], [[0, 1], [1]]), "labels is not an array of numbers"),
        (([[1.0], [None]], [0, 1]), "not object"),
        (([["a"], ["b"]], [0, 1]), "not <U1"),
        (([[1.0], [1e300]], [0, 1]), "holds 1 nan or inf"),
        (([[1.0], [2.0]], [0.0, 1.0]), "must be integers, not float64"),
        (([[1.0], [2.0]], ["cat", "dog"]), "np.unique"),
        (([], []), "not (0,)"),
    ],
)
def test_as_dataset_refuses(data: Any, found: str) -> None:
    with pytest.raises(DataError) as caught:
        as_dataset(data)
    assert found in str(caught.value)
