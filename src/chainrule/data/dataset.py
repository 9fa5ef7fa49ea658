"""A data set: checked arrays, with the parts that are kept away from training."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.display import Page, Shown, Table
from chainrule.errors import DataError

__all__ = ["DataSet", "as_dataset"]

_CLASSES = 20  # that are shown
_NOTHING = "Give at least one example of one feature."


@dataclass(frozen=True, eq=False, repr=False)
class DataSet(Shown):
    """Examples and what they should give: `x`, one row per example, and `labels`.

    `x` is float32 or float64 of shape (n, features…), at least one feature, all finite; images stay images. Examples of
    several arrays are a tuple or a dict of such arrays with n rows each, among which there may be integers. `labels` is
    either integers of shape (n,), the class of each example counted from 0, or float32 or float64 of shape (n, k), the
    k real targets of each, or of any shape (n, …, k). `validation` and `test` are data sets of the same kind that
    training never sees. `class_names` names class 0, 1, …, and says how many there are; leave it empty for 0 … the
    largest label. `folder` is where the data can be read again, if that is so.

    A data set unpacks as the pair `x, labels`. The arrays are held, not copied.

    Raises DataError if anything of this does not hold.

    >>> data = DataSet(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), name="corners")
    >>> data
    DataSet('corners', 3 examples of 3 features, float32, 2 classes)
    >>> x, labels = data
    >>> x.shape, labels.shape, len(data)
    ((3, 3), (3,), 3)
    """

    x: Any
    labels: NDArray[Any]
    _: KW_ONLY
    validation: DataSet | None = None
    test: DataSet | None = None
    name: str = ""
    class_names: tuple[str, ...] = ()
    folder: str = ""

    def __post_init__(self) -> None:
        _check_x(self.x)
        _check_labels(self.labels)
        _check_lengths(self.x, self.labels)
        _check_class_names(self)
        _check_words(self)
        for role, part in self._parts():
            _check_part(self, role, part)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Any]:
        yield self.x
        yield self.labels

    def __repr__(self) -> str:
        words = [repr(self.name)] if self.name else []
        words += [f"{len(self)} examples of {_features(self.x)} features", _dtypes(self.x)]
        words += [f"{self.classes} classes" if self.classes else f"{_by(self.labels.shape[1:])} targets"]
        words += [f"{len(part)} {role}" for role, part in self._parts()]
        return f"DataSet({', '.join(words)})"

    def page(self) -> Page:
        """What is shown of it: its parts, and how many examples of each class there are, or how targets are spread."""
        parts = [("training", self), *self._parts()]
        rows = tuple((role, len(part), *_extremes(part.x)) for role, part in parts)
        said = f"{_features(self.x)} features, {_dtypes(self.x)}; " + (
            f"{self.classes} classes." if self.classes else f"{_by(self.labels.shape[1:])} targets."
        )
        title = f"Data {self.name!r}" if self.name else "Data"
        spread = self._classes(parts) if self.classes else self._targets()
        return Page(title, (said, Table(("part", "examples", "lowest x", "highest x"), rows), spread))

    def _classes(self, parts: list[tuple[str, DataSet]]) -> Table:
        counts = [np.bincount(part.labels, minlength=self.classes)[:_CLASSES].tolist() for _, part in parts]
        names = [self.class_names[n] if self.class_names else n for n in range(min(self.classes, _CLASSES))]
        more = [("…", *("" for _ in parts))] if self.classes > _CLASSES else []
        return Table(("class", *(role for role, _ in parts)), (*zip(names, *counts, strict=True), *more))

    def _targets(self) -> Table:
        shown = self.labels.reshape(len(self), -1)[:, :_CLASSES].astype(np.float64)
        figures = zip(shown.mean(axis=0), shown.std(axis=0), shown.min(axis=0), shown.max(axis=0), strict=True)
        rows = [(n, *map(float, row)) for n, row in enumerate(figures)]
        return Table(("target", "mean", "standard deviation", "lowest", "highest"), tuple(rows))

    @property
    def features(self) -> int:
        """How many numbers describe one example.

        >>> DataSet(np.zeros((2, 28, 28)), np.array([0, 1])).features
        784
        """
        return sum(math.prod(array.shape[1:]) for array in _arrays(self.x))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of x; of several arrays how many examples there are, and how many numbers describe one.

        >>> DataSet(np.zeros((2, 28, 28)), np.array([0, 1])).shape
        (2, 28, 28)
        """
        return self.x.shape if isinstance(self.x, np.ndarray) else (len(self), self.features)

    @cached_property
    def classes(self) -> int:
        """How many classes there are: the largest label + 1, or as many as have names; 0 for real targets.

        >>> DataSet(np.zeros((2, 1)), np.array([0, 4])).classes
        5
        """
        if self.labels.ndim > 1:
            return 0
        return len(self.class_names) or int(self.labels.max()) + 1

    def digest(self) -> str:
        """The SHA-256 of `x` and `labels`, by which the same data are known again: 64 hexadecimal digits.

        >>> data = DataSet(np.zeros((2, 1)), np.array([0, 4]))
        >>> data.digest() == DataSet(np.zeros((2, 1)), np.array([0, 3])).digest()
        False
        """
        labels = self.labels.astype(np.int64, copy=False) if self.labels.ndim == 1 else self.labels
        found = hashlib.sha256(usedforsecurity=False)
        for array in (*_arrays(self.x), labels):
            found.update(f"{array.dtype.name} {array.shape} ".encode())
            found.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)
        return found.hexdigest()

    def flat(self) -> NDArray[Any]:
        """`x` with each example in one row: shape (n, features), a view wherever NumPy can make one.

        >>> DataSet(np.zeros((2, 28, 28)), np.array([0, 1])).flat().shape
        (2, 784)
        """
        rows: list[NDArray[Any]] = [array.reshape(len(self), -1) for array in _arrays(self.x)]
        return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)

    def _parts(self) -> list[tuple[str, DataSet]]:
        parts = [("validation", self.validation), ("test", self.test)]
        return [(role, part) for role, part in parts if part is not None]


def as_dataset(data: DataSet | tuple[ArrayLike, ArrayLike]) -> DataSet:
    """The checked data set of a pair `(x, labels)` of array-likes; a DataSet is handed back as it is.

    Arrays of float32, float64 and, for classes, integers are held without a copy. Whole numbers, booleans and
    Python lists become float32 where real numbers are wanted; boolean labels become classes 0 and 1.
    Labels in one dimension are classes, in two they are real targets.

    Raises DataError if `data` is no pair, or cannot be learned from.

    >>> as_dataset(([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]))
    DataSet(4 examples of 2 features, float32, 2 classes)
    >>> as_dataset(([[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]))
    DataSet(4 examples of 2 features, float32, 1 targets)
    """
    if isinstance(data, DataSet):
        return data
    if not (isinstance(data, (tuple, list)) and len(data) == 2):
        raise DataError(f"Data is a pair (x, labels) or a DataSet, not {_describe(data)}.", cure="Pass (x, labels).")
    return DataSet(_examples(data[0]), _labels(data[1]))


def _examples(x: Any) -> Any:
    """An array of real numbers; or a tuple or a dict of arrays, each as it is."""
    if isinstance(x, dict):
        return {name: _native(_part(part, f"x[{name!r}]")) for name, part in x.items()}
    if isinstance(x, tuple) and all(isinstance(part, np.ndarray) for part in x):
        return tuple(_native(_array(part, f"x[{n}]")) for n, part in enumerate(x))
    return _reals(x, "x")


def _part(values: Any, what: str) -> NDArray[Any]:
    if isinstance(values, dict | tuple):
        cure = "Give all arrays in one tuple, or one dict."
        raise DataError(f"{what} is a {type(values).__name__}, and must be an array.", cure=cure)
    return _array(values, what)


def _named_arrays(x: Any) -> list[tuple[str, Any]]:
    """The arrays of the examples, and how each is called."""
    if isinstance(x, dict):
        return [(f"x[{name!r}]", part) for name, part in x.items()]
    return [(f"x[{n}]", part) for n, part in enumerate(x)] if isinstance(x, tuple) else [("x", x)]


def _arrays(x: Any) -> list[NDArray[Any]]:
    return [array for _, array in _named_arrays(x)]


def _features(x: Any) -> str:
    return " and ".join(_by(array.shape[1:]) or "1" for array in _arrays(x))


def _dtypes(x: Any) -> str:
    return " and ".join(dict.fromkeys(str(array.dtype) for array in _arrays(x)))


def _extremes(x: Any) -> tuple[float, float]:
    return min(float(array.min()) for array in _arrays(x)), max(float(array.max()) for array in _arrays(x))


def _describe(data: object) -> str:
    if isinstance(data, (tuple, list)):
        return f"a {type(data).__name__} of {len(data)}"
    return f"an array of shape {data.shape}" if isinstance(data, np.ndarray) else f"a {type(data).__name__}"


def _array(values: ArrayLike, what: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        cure = "Give every row the same length."
        raise DataError(f"{what} is not an array of numbers: {error}.", cure=cure) from error


def _reals(values: ArrayLike, what: str) -> NDArray[Any]:
    array = _array(values, what)
    is_list = not hasattr(values, "__array__")
    if array.dtype.kind in "biu" or (array.dtype.kind == "f" and is_list):
        with np.errstate(over="ignore"):  # what does not fit becomes inf, which the checks refuse
            return array.astype(np.float32)
    return _native(array)


def _labels(values: ArrayLike) -> NDArray[Any]:
    labels = _array(values, "labels")
    if labels.ndim > 1:
        return _reals(values, "labels")
    return labels.astype(np.int64) if labels.dtype == np.bool_ else _native(labels)


def _native(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_array(array: object, what: str) -> None:
    if not isinstance(array, np.ndarray):
        cure = "Write chainrule.data.as_dataset((x, labels)), which makes arrays of lists."
        raise DataError(f"{what} must be a NumPy array, not a {type(array).__name__}.", cure=cure)


def _check_x(x: Any) -> None:
    parts = _named_arrays(x)
    if not parts:
        raise DataError("x holds no array.", cure="Give at least one array of examples.")
    for name, array in parts:
        _check_examples(array, name, alone=len(parts) == 1 and name == "x")
    if len({len(array) for _, array in parts}) > 1:
        shapes = ", ".join(f"{name} has shape {array.shape}" for name, array in parts)
        raise DataError(f"the arrays of the examples have different numbers of rows: {shapes}.")


def _check_examples(array: Any, name: str, *, alone: bool) -> None:
    """Real numbers, all finite; among several arrays integers too, and a single number for each example."""
    _check_array(array, name)
    names_something = array.dtype.kind in "iu" and not alone
    if not names_something:
        _check_reals(array, name)
    if array.ndim < (2 if alone else 1):
        cure = f"Write {name}[:, None] if each example is one number, {name}[None] if {name} is one example."
        raise DataError(f"{name} must have shape (n, features…), not {array.shape}.", cure=cure)
    if array.size == 0:
        raise DataError(f"{name} is empty: its shape is {array.shape}.", cure=_NOTHING)
    if not names_something:
        _check_finite(array, name)


def _check_reals(array: NDArray[Any], what: str) -> None:
    if array.dtype not in (np.float32, np.float64):
        cure = f"Write {what}.astype(np.float32)."
        if array.dtype.kind == "c":
            cure = f"Give the real and the imaginary part as features: np.hstack([{what}.real, {what}.imag])."
        if array.dtype.kind in "OUST":
            cure = "Turn words into numbers first, and give missing values one."
        raise DataError(f"{what} must be float32 or float64, not {array.dtype} (shape {array.shape}).", cure=cure)


def _check_finite(array: NDArray[Any], what: str) -> None:
    # The extremes are finite only if everything between them is, and finding them takes no memory.
    if not (np.isfinite(array.min()) and np.isfinite(array.max())):
        bad = ~np.isfinite(array)
        first = ", ".join(str(i) for i in np.argwhere(bad)[0])
        found = f"{array.dtype} of shape {array.shape} holds {bad.sum()} nan or inf, the first at {what}[{first}]"
        raise DataError(f"{what} must be finite: {found}.", cure="Drop those rows, or fill in a number.")


def _check_labels(labels: NDArray[Any]) -> None:
    _check_array(labels, "labels")
    if labels.ndim < 1 or (labels.ndim > 2 and labels.dtype.kind != "f"):
        cure = "Give one class number per example, (n,), or one row of real targets, (n, k)."
        raise DataError(f"labels must have shape (n,) or (n, k), not {labels.shape}.", cure=cure)
    if labels.size == 0:
        raise DataError(f"labels are empty: their shape is {labels.shape}.", cure="Give one label per example.")
    check = _check_classes if labels.ndim == 1 else _check_targets
    check(labels)


def _check_classes(labels: NDArray[Any]) -> None:
    if labels.dtype.kind not in "iu":
        cure = "Write labels.astype(np.int64) for class numbers, or labels[:, None] for real targets."
        if labels.dtype.kind in "OUST":
            cure = "Number the classes: names, labels = np.unique(labels, return_inverse=True)."
        found = f"{labels.dtype} of shape {labels.shape}"
        raise DataError(f"labels in one dimension are classes and must be integers, not {found}.", cure=cure)
    if labels.min() < 0:
        found = f"{labels.dtype} of shape {labels.shape} holds {labels.min()} at labels[{labels.argmin()}]"
        cure = (
            "Number the classes from 0: names, labels = np.unique(labels, return_inverse=True); or write "
            "labels[:, None].astype(np.float32) for real targets."
        )
        raise DataError(f"labels must not be negative: {found}.", cure=cure)


def _check_targets(labels: NDArray[Any]) -> None:
    if labels.dtype.kind in "biu":
        found = f"not {labels.dtype} of shape {labels.shape}"
        cure = "Write labels.astype(np.float32) for real targets, labels[:, 0] or labels.argmax(axis=1) for classes."
        raise DataError(f"labels in two dimensions are real targets and must be floating, {found}.", cure=cure)
    _check_reals(labels, "labels")
    _check_finite(labels, "labels")


def _check_lengths(x: Any, labels: NDArray[Any]) -> None:
    name, first = _named_arrays(x)[0]
    if len(first) != len(labels):
        found = f"{name} has shape {first.shape}, labels {labels.shape}"
        cure = "Give one label per row of x."
        if len(labels) == first.shape[-1] and first.ndim == 2:
            cure = "Examples are rows: write x.T if yours are columns."
        raise DataError(f"{len(first)} examples but {len(labels)} labels: {found}.", cure=cure)


def _check_class_names(data: DataSet) -> None:
    if data.class_names and data.labels.ndim > 1:
        cure = "Leave class_names out, or give class numbers of shape (n,)."
        raise DataError(f"class_names, but labels of shape {data.labels.shape} are real targets.", cure=cure)
    if data.class_names and data.labels.max() >= len(data.class_names):
        found = f"{len(data.class_names)} class names, but a label of {data.labels.max()}"
        raise DataError(f"{found}.", cure="Name every class, class 0 first.")


def _check_words(data: DataSet) -> None:
    for what, words in (("name", data.name), ("folder", data.folder)):
        if not isinstance(words, str) or not words.isprintable():
            raise DataError(f"{what} must be text that can be printed, not {words!a}.", cure="Give it another name.")


def _check_part(data: DataSet, role: str, part: object) -> None:
    if not isinstance(part, DataSet):
        cure = "Write chainrule.data.as_dataset((x, labels))."
        raise DataError(f"{role} must be a DataSet, not {_describe(part)}.", cure=cure)
    one, two = dict(_named_arrays(data.x)), dict(_named_arrays(part.x))
    if one.keys() != two.keys():
        raise DataError(f"The {role} examples are other arrays: {', '.join(two)}, not {', '.join(one)}.")
    for name in one:
        if one[name].shape[1:] != two[name].shape[1:]:
            found = f"{name} has shape {one[name].shape} for training, {two[name].shape} for {role}"
            raise DataError(f"The {role} examples have other features: {found}.", cure="Prepare both the same way.")
    if part.labels.shape[1:] != data.labels.shape[1:]:
        found = f"labels have shape {data.labels.shape} for training, {part.labels.shape} for {role}"
        raise DataError(f"The {role} labels are of another kind: {found}.", cure="Prepare both the same way.")
    if data.classes and part.labels.max() >= data.classes:
        found = f"label {part.labels.max()} in {role}, but training has {data.classes} classes"
        cure = "Name all classes in class_names, or split so that training meets every class."
        raise DataError(f"A class that training never meets: {found}.", cure=cure)


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in shape)
