"""IDX, the file format of MNIST: two zero bytes, a type, a rank, the sizes, the elements, all big-endian."""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError, DataError, FormatError, StorageError
from chainrule.storage import write_file

__all__ = ["read_idx", "write_idx"]

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20  # bytes read at a time
_LARGEST_SIZE = 2**32 - 1  # what the four bytes of a size can say
_AGAIN = "Fetch the file again."
_ELEMENTS: tuple[tuple[int, np.dtype[Any]], ...] = (
    (0x08, np.dtype(">u1")),
    (0x09, np.dtype(">i1")),
    (0x0B, np.dtype(">i2")),
    (0x0C, np.dtype(">i4")),
    (0x0D, np.dtype(">f4")),
    (0x0E, np.dtype(">f8")),
)


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file, plain or gzipped (which is told by its content, not by its name).

    The array has the file's shape and element type (uint8, int8, int16, int32, float32 or float64), in this
    machine's byte order. A file is never trusted: no more memory is taken than its content fills, and no more
    of its content is unpacked than its header announces.

    Raises StorageError if there is no such file or it cannot be read, FormatError if it is not exactly one IDX
    array.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([5, 0, 4], np.uint8))
    ...     read_idx(f"{folder}/labels.gz")
    array([5, 0, 4], dtype=uint8)
    """
    path = Path(path)
    with _reporting(path), _opened(path) as stream:
        element, shape = _read_header(path, stream)
        wanted = math.prod(shape) * element.itemsize
        content = _read_at_most(stream, wanted + 1)  # one more, to see that the file ends there
    _check_length(path, shape, element, wanted, len(content))
    return _shaped(path, content, element, shape)


def write_idx(path: str | os.PathLike[str], array: NDArray[Any], *, compress: bool | None = None) -> None:
    """Write an array as an IDX file, gzipped if `compress` says so, by default if the name ends in `.gz`.

    The element type is uint8, int8, int16, int32, float32 or float64. The same array makes the same bytes. The
    file appears whole or not at all.

    Raises DataError if IDX cannot hold the array, StorageError if the file cannot be written.
    """
    path = Path(path)
    header, elements = _encoded(np.asarray(array))
    compress = path.suffix == ".gz" if compress is None else compress
    write_file(path, _compressed(header + elements) if compress else header + elements)


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    try:
        yield
    except ChainruleError:
        raise
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise FormatError(f"{path} is damaged: {error}.", cure=_AGAIN) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not an IDX file.", cure="Name a file inside it.")
    if path.exists() and not path.is_file():  # a pipe or a device may never end
        raise StorageError(f"{path} is not a regular file.", cure="Copy its content into one.")
    with path.open("rb") as file:
        gzipped = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if gzipped else file


def _read_header(path: Path, stream: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        found = f"it starts with {magic.hex(' ')}" if magic else "it is empty"
        raise FormatError(f"{path} is not an IDX file: {found}.", cure="An IDX file starts with 00 00.")
    element, rank = dict(_ELEMENTS).get(magic[2]), magic[3]
    if element is None:
        known = ", ".join(f"{code:#04x} ({element.name})" for code, element in _ELEMENTS)
        raise FormatError(f"{path} has the unknown element type {magic[2]:#04x}.", cure=f"IDX has {known}.")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise FormatError(f"{path} ends in its header: {len(sizes)} of {4 * rank} bytes of sizes.", cure=_AGAIN)
    return element, struct.unpack(f">{rank}I", sizes)


def _read_at_most(stream: IO[bytes], limit: int) -> bytearray:
    content = bytearray()  # grows with what is there; the header's word alone must not take memory
    while piece := stream.read(min(_PIECE, limit - len(content))):
        content += piece
    return content


def _check_length(path: Path, shape: tuple[int, ...], element: np.dtype[Any], wanted: int, found: int) -> None:
    if found != wanted:
        said = f"its header says {shape} of {element.name}, {wanted} bytes"
        there = f"{found} bytes" if found < wanted else "more"
        raise FormatError(f"{path} is not what it says: {said}, but there are {there}.", cure=_AGAIN)


def _shaped(path: Path, content: bytearray, element: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = np.frombuffer(content, element).reshape(shape)
    except ValueError as error:  # too many dimensions, or an empty array with enormous sizes
        raise FormatError(f"{path} has a shape that no array has: {error}.", cure=_AGAIN) from error
    return array.astype(element.newbyteorder("="), copy=False)


def _encoded(array: NDArray[Any]) -> tuple[bytes, bytes]:
    element = array.dtype.newbyteorder(">")
    code = {known: code for code, known in _ELEMENTS}.get(element)
    if code is None:
        known = ", ".join(element.name for _, element in _ELEMENTS)
        raise DataError(f"IDX cannot hold {array.dtype}.", cure=f"Convert with array.astype to one of {known}.")
    if max(array.shape, default=0) > _LARGEST_SIZE:
        raise DataError(f"IDX cannot hold the shape {array.shape}.", cure="Split the array.")
    return struct.pack(f">2xBB{array.ndim}I", code, array.ndim, *array.shape), array.astype(element).tobytes()


def _compressed(content: bytes) -> bytes:
    # Neither the time nor the name goes into the file, so that equal arrays make equal files.
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(content)
    return packed.getvalue()
