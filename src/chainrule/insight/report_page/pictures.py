"""Small pictures of numbers, inside the page: PNG files of one palette, one pixel a number."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

__all__ = ["grey_picture", "one_sign_picture"]

Values = np.ndarray[Any, Any]
_LEVELS = 48  # of strength, more than one can tell apart
_COLOURS = {1: (47, 111, 208), -1: (217, 104, 15)}  # blue and orange, which no common colour blindness confuses


def one_sign_picture(values: Values, sign: int, full: float) -> str:
    """The numbers of one sign, blue (1) or orange (-1), clear at 0 and in full colour from the magnitude `full` on.

    As a `data:` address.
    """
    strength = np.clip(sign * values / full if full > 0 else 0 * values, 0, 1)
    levels = np.ceil(np.nan_to_num(strength) * _LEVELS).astype(np.uint8)
    return _address(levels, [_COLOURS[sign]] * (_LEVELS + 1), [255 * n // _LEVELS for n in range(_LEVELS + 1)])


def grey_picture(values: Values, low: float, high: float) -> str:
    """The numbers from `low`, black, to `high`, white; as a `data:` address."""
    span = high - low if high > low else 1.0
    levels = np.clip((values - low) / span * 255, 0, 255).astype(np.uint8)
    return _address(levels, [(n, n, n) for n in range(256)], [])


def _address(levels: Values, palette: list[tuple[int, int, int]], alphas: list[int]) -> str:
    height, width = levels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), levels], axis=1)  # each row begins with its filter: none
    parts = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", bytes(part for colour in palette for part in colour)),
        _chunk(b"tRNS", bytes(alphas)) if alphas else b"",
        _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
        _chunk(b"IEND", b""),
    ]
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
