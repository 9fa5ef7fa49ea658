"""IDX files: what is written is read, and what is no IDX file is refused without being trusted."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.data import read_idx, write_idx
from chainrule.errors import DataError, FormatError, StorageError

DTYPES = ("u1", "i1", "<i2", ">i2", "<i4", ">i4", "<f4", ">f4", "<f8", ">f8")
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
)
SMALL = np.arange(6, dtype=np.int32).reshape(2, 3)
SMALL_BYTES = b"\0\0\x0c\x02" + struct.pack(">2I", 2, 3) + SMALL.astype(">i4").tobytes()


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # without the time, so that tests keep their names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


@given(array=ARRAYS, compress=st.booleans())
def test_what_is_written_is_read(folder: Path, array: np.ndarray, compress: bool) -> None:
    write_idx(folder / "any", array, compress=compress)
    read = read_idx(folder / "any")
    assert read.shape == array.shape
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.tobytes() == array.astype(read.dtype).tobytes()


@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"\0\0\x08\x01", b"\0\0", b"\x1f\x8b"]))
def test_any_bytes_are_an_array_or_a_format_error(folder: Path, content: bytes, start: bytes) -> None:
    path = filed(folder, start + content)
    result = array_or_refusal(path)
    if isinstance(result, FormatError):
        assert str(path) in str(result)
    else:
        assert path.stat().st_size == 4 + 4 * result.ndim + result.nbytes


@given(data=st.data())
def test_any_damage_to_a_gzipped_file_is_found_or_harmless(folder: Path, data: st.DataObject) -> None:
    content = bytearray(packed(SMALL_BYTES))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    result = array_or_refusal(filed(folder, bytes(content)))
    assert isinstance(result, FormatError) or np.array_equal(result, SMALL)


def array_or_refusal(path: Path) -> np.ndarray | FormatError:
    try:
        return read_idx(path)
    except FormatError as error:
        return error


@pytest.mark.parametrize("content", [SMALL_BYTES, packed(SMALL_BYTES)])
@pytest.mark.parametrize("name", ["array", "array.gz"])
def test_gzip_is_told_by_content(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert np.array_equal(read_idx(str(tmp_path / name)), SMALL)


def test_gzip_in_several_members_is_read(tmp_path: Path) -> None:
    content = packed(SMALL_BYTES[:9]) + packed(b"") + packed(SMALL_BYTES[9:])
    assert np.array_equal(read_idx(filed(tmp_path, content)), SMALL)


def test_the_array_can_be_written_to(tmp_path: Path) -> None:
    array = read_idx(filed(tmp_path, SMALL_BYTES))
    array[0, 0] = 7
    assert array[0, 0] == 7


def header(code: int, *sizes: int) -> bytes:
    return struct.pack(f">2xBB{len(sizes)}I", code, len(sizes), *sizes)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "it is empty"),
        (b"\0\0", "it starts with 00 00"),
        (b"\x89PNG\r\n", "it starts with 89 50 4e 47"),
        (header(0x0A, 1) + b"\0", "unknown element type 0x0a"),
        (header(0x08, 2, 3)[:9], "5 of 8 bytes of sizes"),
        (SMALL_BYTES[:-1], "its header says (2, 3) of int32, 24 bytes, but there are 23 bytes"),
        (SMALL_BYTES + b"\0", "its header says (2, 3) of int32, 24 bytes, but there are more"),
        (header(0x08, 2, 3), "(2, 3) of uint8, 6 bytes, but there are 0 bytes"),
        (header(0x08), "() of uint8, 1 bytes, but there are 0 bytes"),
        (header(0x08, *[1] * 255) + b"\0", "a shape that no array has"),
        (header(0x08, *[2**32 - 1] * 3, 0), "a shape that no array has"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, packed])
def test_content_that_is_refused(tmp_path: Path, content: bytes, found: str, pack: Any) -> None:
    refuses(FormatError, filed(tmp_path, pack(content)), found)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\x1f\x8b", "is damaged"),
        (packed(SMALL_BYTES)[:-9], "is damaged"),
        (packed(SMALL_BYTES)[:-3], "is damaged"),
        (packed(SMALL_BYTES)[:-8] + bytes(8), "CRC check failed"),
        (packed(SMALL_BYTES)[:10] + b"\xff" * 30, "is damaged"),
        (packed(SMALL_BYTES) + b"more", "is damaged"),
    ],
)
def test_gzip_that_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    refuses(FormatError, filed(tmp_path, content), found)


@pytest.mark.parametrize("pack", [bytes, packed])
def test_a_huge_claim_takes_no_memory(tmp_path: Path, pack: Any) -> None:
    path = filed(tmp_path, pack(header(0x0E, *[2**32 - 1] * 4) + bytes(100)))
    assert peak_of_refusing(path, "but there are 100 bytes") < 4 << 20


def test_a_gzip_bomb_is_unpacked_only_as_far_as_it_claims(tmp_path: Path) -> None:
    path = filed(tmp_path, packed(header(0x08, 1000) + bytes(64 << 20)))
    assert peak_of_refusing(path, "1000 bytes, but there are more") < 4 << 20


def peak_of_refusing(path: Path, found: str) -> int:
    tracemalloc.start()
    try:
        refuses(FormatError, path, found)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_missing_file(tmp_path: Path) -> None:
    refuses(StorageError, tmp_path / "none", "No such file")


def test_a_folder(tmp_path: Path) -> None:
    refuses(StorageError, tmp_path, "is a folder")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refuses(StorageError, tmp_path / "pipe", "not a regular file")


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = filed(tmp_path, SMALL_BYTES)
    monkeypatch.setattr(Path, "open", denied)  # a mode would not stop a test that runs as root
    refuses(StorageError, path, "Permission denied")


def refuses(kind: type[Exception], path: Path, found: str) -> None:
    with pytest.raises(kind) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert found in str(caught.value)


def filed(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def test_a_written_file_is_exactly_this(tmp_path: Path) -> None:
    write_idx(tmp_path / "array", SMALL)
    assert (tmp_path / "array").read_bytes() == SMALL_BYTES


def test_any_memory_layout_is_written_alike(tmp_path: Path) -> None:
    write_idx(tmp_path / "array", np.asfortranarray(SMALL))
    assert (tmp_path / "array").read_bytes() == SMALL_BYTES


def test_compression_follows_the_name_unless_told(tmp_path: Path) -> None:
    for name, compress, gzipped in [
        ("a.gz", None, True),
        ("b", None, False),
        ("c.gz", False, False),
        ("d", True, True),
    ]:
        write_idx(tmp_path / name, SMALL, compress=compress)
        assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") is gzipped


def test_equal_arrays_make_equal_files(tmp_path: Path) -> None:
    write_idx(tmp_path / "one.gz", SMALL)
    write_idx(tmp_path / "another.gz", SMALL)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "another.gz").read_bytes()
    assert (tmp_path / "one.gz").read_bytes()[4:8] == bytes(4)  # no time


def test_writing_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_idx(tmp_path / "array", SMALL[:1])
    write_idx(tmp_path / "array", SMALL)
    assert np.array_equal(read_idx(tmp_path / "array"), SMALL)
    assert os.listdir(tmp_path) == ["array"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    write_idx(tmp_path / "array", SMALL)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="No space left"):
        write_idx(tmp_path / "array", SMALL[:1])
    assert os.listdir(tmp_path) == ["array"]
    assert np.array_equal(read_idx(tmp_path / "array"), SMALL)


@pytest.mark.parametrize("target", ["none/array", "file/array", "folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        write_idx(tmp_path / target, SMALL)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize("dtype", ["i8", "u2", "f2", "c8", "?", "O", "U3"])
def test_element_types_that_idx_lacks(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(DataError, match="IDX cannot hold"):
        write_idx(tmp_path / "array", np.ones(3, dtype))
    assert os.listdir(tmp_path) == []


def test_a_size_that_idx_lacks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4294967296"):
        write_idx(tmp_path / "array", np.broadcast_to(np.uint8(0), (2**32,)))
