"""The digits: what comes bundled, what a folder holds, and how far plain darkness gets."""

from __future__ import annotations

import hashlib
import runpy
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.data import DataSet, digits, mnist, read_idx, write_idx
from chainrule.errors import DataError, FormatError, StorageError

REPOSITORY = Path(__file__).resolve().parents[2]
MNIST = REPOSITORY.parent / "shared/data/mnist"
BUNDLED = Path(chainrule.__file__).parent / "data" / "bundled"
BUNDLED_FILES = ("digits-images-idx3-ubyte.gz", "digits-labels-idx1-ubyte.gz")
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

needs_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST is not in ../shared/data/mnist")


@pytest.fixture(scope="module")
def bundled() -> DataSet:
    return digits()


@pytest.fixture(scope="module")
def full() -> DataSet:
    return mnist(MNIST)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder in MNIST's layout: 12 training and 4 test images of 2 by 3 pixels."""
    for name, rows in zip(NAMES, (12, 12, 4, 4), strict=True):
        shape = (rows, 2, 3) if "images" in name else (rows,)
        write_idx(tmp_path / name, (np.arange(np.prod(shape)) % 10).astype(np.uint8).reshape(shape))
    return tmp_path


def validation(data: DataSet) -> DataSet:
    assert data.validation is not None
    return data.validation


def held_out(data: DataSet) -> DataSet:
    assert data.test is not None
    return data.test


def test_bundled_shapes(bundled: DataSet) -> None:
    assert bundled.x.shape == (5000, 784)
    assert validation(bundled).x.shape == (1000, 784)
    assert bundled.test is None
    assert bundled.classes == validation(bundled).classes == 10


def test_bundled_types_and_range(bundled: DataSet) -> None:
    for part in (bundled, validation(bundled)):
        assert part.x.dtype == np.float32
        assert part.labels.dtype == np.int64
        assert (part.x.min(), part.x.max()) == (0, 1)


def test_bundled_pixels_are_bytes_over_255_in_float32(bundled: DataSet) -> None:
    images = read_idx(BUNDLED / BUNDLED_FILES[0])[:5000]
    assert np.array_equal(bundled.flat(), images.reshape(5000, 784).astype(np.float32) / np.float32(255))


def test_bundled_digits_are_balanced(bundled: DataSet) -> None:
    assert np.bincount(bundled.labels).tolist() == [479, 563, 488, 493, 535, 434, 501, 550, 462, 495]
    assert np.bincount(validation(bundled).labels).tolist() == [100, 107, 93, 105, 89, 91, 104, 106, 107, 98]


@pytest.mark.parametrize(
    ("name", "checksum"),
    [
        (BUNDLED_FILES[0], "c513d74fbc2c086ab50d7065a94b264649a11134dbfd5361422425b1d863ad67"),
        (BUNDLED_FILES[1], "f6028c744b512cb57a544b44d5e2c5bb2a0add423d768991d7947188542f7a02"),
    ],
)
def test_bundled_checksums(name: str, checksum: str) -> None:
    assert hashlib.sha256(read_idx(BUNDLED / name).tobytes()).hexdigest() == checksum


def test_bundled_files_are_small() -> None:
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) <= 1_200_000


@needs_mnist
def test_bundled_files_can_be_made_again(tmp_path: Path) -> None:
    runpy.run_path(str(REPOSITORY / "scripts/make_bundled_digits.py"))["make"](MNIST, tmp_path)
    for name in BUNDLED_FILES:
        assert np.array_equal(read_idx(tmp_path / name), read_idx(BUNDLED / name))
        if zlib.ZLIB_RUNTIME_VERSION in ("1.2.13", "1.3", "1.3.1"):  # other implementations pack differently
            assert (tmp_path / name).read_bytes() == (BUNDLED / name).read_bytes()


@needs_mnist
def test_bundled_digits_are_rows_of_mnist(bundled: DataSet, full: DataSet) -> None:
    for ours, theirs in ((bundled, full), (validation(bundled), validation(full))):
        assert np.array_equal(ours.x, theirs.x[: len(ours)])
        assert np.array_equal(ours.labels, theirs.labels[: len(ours)])


@needs_mnist
def test_full_shapes(full: DataSet) -> None:
    assert [part.x.shape for part in (full, validation(full), held_out(full))] == [
        (50_000, 784),
        (10_000, 784),
        (10_000, 784),
    ]
    assert full.x.dtype == np.float32


@needs_mnist
def test_average_darkness_gets_2225_of_10000(full: DataSet) -> None:
    """The baseline of Nielsen's book, chapter 1: guess the digit whose average darkness is nearest."""
    darkness = full.x.sum(axis=1, dtype=np.float64)
    average = np.array([darkness[full.labels == digit].mean() for digit in range(10)])
    test = held_out(full)
    guesses = np.abs(test.x.sum(axis=1, dtype=np.float64)[:, None] - average).argmin(axis=1)
    assert (guesses == test.labels).sum() == 2225


def test_a_small_folder_is_split_alike(small: Path) -> None:
    data = mnist(small)
    assert [len(part) for part in (data, validation(data), held_out(data))] == [10, 2, 4]
    assert data.features == 6
    assert data.classes == 10
    images = read_idx(small / NAMES[0]).reshape(12, 6) / np.float32(255)
    assert np.array_equal(np.concatenate([data.x, validation(data).x]), images)


def test_two_images_are_enough(small: Path) -> None:
    write_idx(small / NAMES[0], np.ones((2, 2, 3), np.uint8))
    write_idx(small / NAMES[1], np.ones(2, np.uint8))
    assert len(validation(mnist(str(small)))) == 1


@pytest.mark.parametrize("spelling", ["{}.gz", "dotted", "dotted.gz"])
def test_other_spellings(small: Path, spelling: str) -> None:
    expected = mnist(small)
    for name in NAMES:
        other = spelling.format(name).replace("dotted", name.replace("-idx", ".idx"))
        array = read_idx(small / name)
        (small / name).unlink()
        write_idx(small / other, array)
    assert np.array_equal(mnist(small).x, expected.x)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(small: Path, name: str) -> None:
    (small / name).unlink()
    with pytest.raises(StorageError) as caught:
        mnist(small)
    assert caught.value.what == f"{small} has no {name}."


def test_an_empty_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=" and no ".join(NAMES)):
        mnist(tmp_path)
    with pytest.raises(StorageError, match="is not a folder"):
        mnist(tmp_path / "none")


def test_an_unreadable_folder(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)  # a mode would not stop a test that runs as root
    with pytest.raises(StorageError, match="cannot be read: Permission denied"):
        mnist(small)


@pytest.mark.parametrize(
    ("name", "array", "found"),
    [
        (NAMES[0], np.ones((11, 2, 3), np.uint8), "11 images in .*, 12 labels in"),
        (NAMES[3], np.ones(5, np.uint8), "4 images in .*, 5 labels in"),
        (NAMES[0], np.ones((12, 6), np.uint8), r"uint8 of shape \(12, 6\), not uint8 of rank 3"),
        (NAMES[1], np.ones(12, np.int32), r"int32 of shape \(12,\), not uint8 of rank 1"),
        (NAMES[1], np.full(12, 10, np.uint8), "label 10, which is no digit"),
        (NAMES[2], np.ones((4, 3, 3), np.uint8), "6 pixels in .*, 9 in"),
        (NAMES[0], np.ones((0, 2, 3), np.uint8), r"holds nothing: its shape is \(0, 2, 3\)"),
        (NAMES[2], np.ones((4, 2, 0), np.uint8), r"holds nothing: its shape is \(4, 2, 0\)"),
    ],
)
def test_files_that_do_not_fit(small: Path, name: str, array: np.ndarray, found: str) -> None:
    write_idx(small / name, array)
    with pytest.raises(FormatError, match=found):
        mnist(small)


def test_one_image_cannot_be_split(small: Path) -> None:
    write_idx(small / NAMES[0], np.ones((1, 2, 3), np.uint8))
    write_idx(small / NAMES[1], np.ones(1, np.uint8))
    with pytest.raises(FormatError, match="one image"):
        mnist(small)


def test_a_damaged_file_is_named(small: Path) -> None:
    (small / NAMES[2]).write_bytes(b"not IDX")
    with pytest.raises(FormatError, match=NAMES[2]):
        mnist(small)
    with pytest.raises(DataError):  # which every problem of data can be caught as
        mnist(small)
