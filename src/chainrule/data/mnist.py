"""MNIST, handwritten digits: the part that comes with chainrule, and the whole from a folder."""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import DataSet
from chainrule.data.idx import read_idx
from chainrule.errors import FormatError, StorageError

__all__ = ["digits", "mnist"]

_DIGITS = tuple("0123456789")
_TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_BUNDLED = ("digits-images-idx3-ubyte.gz", "digits-labels-idx1-ubyte.gz")
_ONE_SET = "Take all four files from one data set."


def digits() -> DataSet:
    """The bundled handwritten digits: 5,000 to learn from and, in `validation`, 1,000 to check with.

    `x` is float32 of shape (n, 784), each row the 28×28 pixels of an image from the top left, 0 (paper) to
    1 (ink); `labels` is int64 of shape (n,), the digit. They are the first 5,000 of MNIST's training images and
    the 1,000 from number 50,000, by Y. LeCun, C. Cortes and C. J. C. Burges.

    >>> digits()
    DataSet('digits', 5000 examples of 784 features, float32, 10 classes, 1000 validation)
    """
    folder = files("chainrule.data") / "bundled"
    with as_file(folder / _BUNDLED[0]) as images, as_file(folder / _BUNDLED[1]) as labels:
        return _split(*_examples(images, labels), name="digits")


def mnist(folder: str | os.PathLike[str]) -> DataSet:
    """MNIST from a folder with its four files: 50,000 to learn from, 10,000 `validation`, 10,000 `test`.

    Arrays are as in `digits`. The files are train-images-idx3-ubyte, train-labels-idx1-ubyte,
    t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or with .gz, or spelled with a dot
    (train-images.idx3-ubyte). Validation is the last sixth of the training file, as in Nielsen's book; smaller
    files of that layout, with any number of pixels, are split alike.

    Raises StorageError if a file is missing or cannot be read, FormatError if one is not what it says or the
    four do not fit together.
    """
    folder = Path(folder)
    train_images, train_labels, test_images, test_labels = _find(folder, _TRAIN + _TEST)
    test = DataSet(*_examples(test_images, test_labels), name="mnist test", class_names=_DIGITS)
    x, labels = _examples(train_images, train_labels)
    if x.shape[1] != test.features:
        found = f"{x.shape[1]} pixels in {train_images}, {test.features} in {test_images}"
        raise FormatError(f"Images of different sizes: {found}.", cure=_ONE_SET)
    if len(x) < 2:
        raise FormatError(f"{train_images} holds one image, too few to split off a validation set.")
    return _split(x, labels, name="mnist", test=test, folder=os.path.abspath(folder))


def _split(
    x: NDArray[np.float32], labels: NDArray[np.int64], *, name: str, test: DataSet | None = None, folder: str = ""
) -> DataSet:
    end = len(x) - max(1, len(x) // 6)
    validation = DataSet(x[end:], labels[end:], name=f"{name} validation", class_names=_DIGITS)
    training = x[:end], labels[:end]
    return DataSet(*training, validation=validation, test=test, name=name, class_names=_DIGITS, folder=folder)


def _find(folder: Path, names: tuple[str, ...]) -> list[Path]:
    try:
        found = [_spelled(folder, name) for name in names]
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror or error}.") from error
    missing = [name for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        what = f"{folder} has no {' and no '.join(missing)}" if folder.is_dir() else f"{folder} is not a folder"
        cure = f"Put the four files of MNIST there ({', '.join(names)}; .gz will do), or use chainrule.data.digits()."
        raise StorageError(f"{what}.", cure=cure)
    return [path for path in found if path is not None]


def _spelled(folder: Path, name: str) -> Path | None:
    spellings = (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz")
    return next((folder / spelling for spelling in spellings if (folder / spelling).exists()), None)


def _examples(images_path: Path, labels_path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    images, labels = _read_bytes(images_path, rank=3), _read_bytes(labels_path, rank=1)
    if len(images) != len(labels):
        found = f"{len(images)} images in {images_path}, {len(labels)} labels in {labels_path}"
        raise FormatError(f"Images and labels do not fit together: {found}.", cure=_ONE_SET)
    if labels.max() > 9:
        raise FormatError(f"{labels_path} holds the label {labels.max()}, which is no digit.", cure=_ONE_SET)
    return _pixels(images), labels.astype(np.int64)


def _read_bytes(path: Path, *, rank: int) -> NDArray[np.uint8]:
    array = read_idx(path)
    if array.dtype != np.uint8 or array.ndim != rank:
        found = f"{array.dtype} of shape {array.shape}, not uint8 of rank {rank}"
        raise FormatError(f"{path} is no part of MNIST: it holds {found}.", cure=_ONE_SET)
    if array.size == 0:
        raise FormatError(f"{path} holds nothing: its shape is {array.shape}.", cure=_ONE_SET)
    return array


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = images.reshape(len(images), -1)
    return np.divide(rows, np.float32(255), out=np.empty(rows.shape, np.float32))
